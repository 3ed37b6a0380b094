/* size.c: sizes as hash-consed polynomials.
 *
 * Three tables, each entry stored once: atoms (symbols and opaque quotients), monomials (sorted lists of atoms, with
 * repetition) and sizes (sorted lists of terms).  The order is by what atoms say, never by when a table met them: equal
 * polynomials have equal lists, and one size prints alike from every table.  Arithmetic on coefficients is checked; a
 * result that does not fit, or is larger than the limits below, is IR_SIZE_NONE, which every further operation hands on.
 *
 * `weight` counts the steps that a walk over a size takes with its quotients expanded.  Bounding it, and the depth of
 * nested quotients, bounds every recursion here without caches, so that a const table can be read by many threads. */
#include "compiler/size.h"

#include <string.h>

enum { MAX_TERMS = 256, MAX_DEGREE = 16, MAX_DEPTH = 24, MAX_WEIGHT = 4096 };

typedef enum atom_kind { ATOM_SYMBOL, ATOM_DIV, ATOM_MOD } atom_kind;

typedef struct size_atom {
  uint8_t kind;
  bool bound;
  const char *name; /* SYMBOL */
  int64_t value;    /* SYMBOL, when bound */
  ir_size a, b;     /* DIV, MOD */
  ir_size self;     /* the size that is this atom alone */
  uint32_t weight, depth;
} size_atom;

typedef struct size_mono {
  uint32_t n;
  uint32_t *atom; /* ascending by atom_compare */
} size_mono;

typedef struct size_term {
  int64_t coef; /* not 0 */
  uint32_t mono;
} size_term;

typedef struct size_poly {
  uint32_t n;
  size_term *term;
  uint32_t weight, depth;
} size_poly;

/* Open addressing over ids; 0 is an empty slot. */
typedef struct id_set {
  uint32_t *slot;
  uint32_t cap, n;
} id_set;

struct size_table {
  arena *a;
  size_atom *atom;
  size_t natoms, cap_atoms;
  size_mono *mono;
  size_t nmonos, cap_monos;
  size_poly *poly;
  size_t npolys, cap_polys;
  id_set atoms, monos, polys;
  ir_size *symbol;
  size_t nsymbols, cap_symbols;
};

/* ---- interning */

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

static uint64_t atom_hash(const size_atom *x) {
  uint64_t h = mix(x->kind, 1);
  if (x->kind == ATOM_SYMBOL)
    for (const char *s = x->name; *s; s++) h = mix(h, (unsigned char)*s);
  return mix(mix(h, x->a), x->b);
}

static bool atom_same(const size_atom *x, const size_atom *y) {
  if (x->kind != y->kind) return false;
  return x->kind == ATOM_SYMBOL ? strcmp(x->name, y->name) == 0 : x->a == y->a && x->b == y->b;
}

static uint64_t mono_hash(const size_mono *x) {
  uint64_t h = mix(x->n, 2);
  for (uint32_t k = 0; k < x->n; k++) h = mix(h, x->atom[k]);
  return h;
}

static bool mono_same(const size_mono *x, const size_mono *y) {
  return x->n == y->n && (x->n == 0 || memcmp(x->atom, y->atom, x->n * sizeof *x->atom) == 0);
}

static uint64_t poly_hash(const size_poly *x) {
  uint64_t h = mix(x->n, 3);
  for (uint32_t k = 0; k < x->n; k++) h = mix(mix(h, (uint64_t)x->term[k].coef), x->term[k].mono);
  return h;
}

static bool poly_same(const size_poly *x, const size_poly *y) {
  if (x->n != y->n) return false;
  for (uint32_t k = 0; k < x->n; k++)
    if (x->term[k].coef != y->term[k].coef || x->term[k].mono != y->term[k].mono) return false;
  return true;
}

typedef enum table_kind { TABLE_ATOM, TABLE_MONO, TABLE_POLY } table_kind;

static uint64_t entry_hash(const size_table *t, table_kind kind, uint32_t id) {
  switch (kind) {
  case TABLE_ATOM: return atom_hash(&t->atom[id]);
  case TABLE_MONO: return mono_hash(&t->mono[id]);
  default: return poly_hash(&t->poly[id]);
  }
}

static id_set *set_of(size_table *t, table_kind kind) {
  return kind == TABLE_ATOM ? &t->atoms : kind == TABLE_MONO ? &t->monos : &t->polys;
}

static void set_insert(size_table *t, table_kind kind, uint32_t id) {
  id_set *s = set_of(t, kind);
  if (2 * (s->n + 1) > s->cap) {
    uint32_t cap = s->cap ? 2 * s->cap : 64;
    uint32_t *slot = ARENA_ARRAY(t->a, uint32_t, cap);
    for (uint32_t k = 0; k < s->cap; k++) {
      if (!s->slot[k]) continue;
      uint32_t at = (uint32_t)entry_hash(t, kind, s->slot[k]) & (cap - 1);
      while (slot[at]) at = (at + 1) & (cap - 1);
      slot[at] = s->slot[k];
    }
    s->slot = slot;
    s->cap = cap;
  }
  uint32_t at = (uint32_t)entry_hash(t, kind, id) & (s->cap - 1);
  while (s->slot[at]) at = (at + 1) & (s->cap - 1);
  s->slot[at] = id;
  s->n++;
}

static uint32_t mono_intern(size_table *t, const uint32_t *atom, uint32_t n) {
  size_mono x = {n, (uint32_t *)atom};
  id_set *s = &t->monos;
  if (s->cap)
    for (uint32_t at = (uint32_t)mono_hash(&x) & (s->cap - 1); s->slot[at]; at = (at + 1) & (s->cap - 1))
      if (mono_same(&t->mono[s->slot[at]], &x)) return s->slot[at];
  x.atom = ARENA_ARRAY(t->a, uint32_t, n);
  if (n) memcpy(x.atom, atom, n * sizeof *atom);
  ARENA_PUSH(t->a, t->mono, t->nmonos, t->cap_monos, x);
  set_insert(t, TABLE_MONO, (uint32_t)t->nmonos - 1);
  return (uint32_t)t->nmonos - 1;
}

/* Terms must be sorted, distinct and without zeros. */
static ir_size poly_intern(size_table *t, const size_term *term, uint32_t n) {
  size_poly x = {n, (size_term *)term, 1, 0};
  id_set *s = &t->polys;
  if (s->cap)
    for (uint32_t at = (uint32_t)poly_hash(&x) & (s->cap - 1); s->slot[at]; at = (at + 1) & (s->cap - 1))
      if (poly_same(&t->poly[s->slot[at]], &x)) return s->slot[at];
  if (n > MAX_TERMS) return IR_SIZE_NONE;
  for (uint32_t k = 0; k < n; k++) {
    const size_mono *m = &t->mono[term[k].mono];
    for (uint32_t j = 0; j < m->n; j++) {
      const size_atom *at = &t->atom[m->atom[j]];
      x.weight += at->weight;
      if (at->depth > x.depth) x.depth = at->depth;
    }
  }
  if (x.weight > MAX_WEIGHT || x.depth > MAX_DEPTH) return IR_SIZE_NONE;
  x.term = ARENA_ARRAY(t->a, size_term, n);
  if (n) memcpy(x.term, term, n * sizeof *term);
  ARENA_PUSH(t->a, t->poly, t->npolys, t->cap_polys, x);
  set_insert(t, TABLE_POLY, (uint32_t)t->npolys - 1);
  return (ir_size)(t->npolys - 1);
}

static ir_size atom_size(size_table *t, uint32_t atom) {
  size_term term = {1, mono_intern(t, &atom, 1)};
  return poly_intern(t, &term, 1);
}

static ir_size atom_intern(size_table *t, size_atom x) {
  id_set *s = &t->atoms;
  if (s->cap)
    for (uint32_t at = (uint32_t)atom_hash(&x) & (s->cap - 1); s->slot[at]; at = (at + 1) & (s->cap - 1))
      if (atom_same(&t->atom[s->slot[at]], &x)) return t->atom[s->slot[at]].self;
  x.weight = 1;
  if (x.kind != ATOM_SYMBOL) {
    const size_poly *a = &t->poly[x.a], *b = &t->poly[x.b];
    x.weight = 1 + a->weight + b->weight;
    x.depth = 1 + (a->depth > b->depth ? a->depth : b->depth);
    if (x.weight >= MAX_WEIGHT || x.depth > MAX_DEPTH) return IR_SIZE_NONE;
  } else {
    x.name = arena_strndup(t->a, x.name, strlen(x.name));
  }
  ARENA_PUSH(t->a, t->atom, t->natoms, t->cap_atoms, x);
  uint32_t id = (uint32_t)t->natoms - 1;
  t->atom[id].self = atom_size(t, id);
  set_insert(t, TABLE_ATOM, id);
  if (x.kind == ATOM_SYMBOL) ARENA_PUSH(t->a, t->symbol, t->nsymbols, t->cap_symbols, t->atom[id].self);
  return t->atom[id].self;
}

size_table *size_table_new(arena *a) {
  size_table *t = ARENA_NEW(a, size_table);
  t->a = a;
  /* Entry 0 of each table is none; monomial 1 is the empty product. */
  ARENA_PUSH(a, t->atom, t->natoms, t->cap_atoms, ((size_atom){.kind = ATOM_SYMBOL, .name = ""}));
  ARENA_PUSH(a, t->mono, t->nmonos, t->cap_monos, ((size_mono){0}));
  ARENA_PUSH(a, t->poly, t->npolys, t->cap_polys, ((size_poly){0}));
  mono_intern(t, NULL, 0);
  return t;
}

enum { MONO_ONE = 1 };

/* ---- creation */

ir_size size_const(size_table *t, int64_t n) {
  size_term term = {n, MONO_ONE};
  return poly_intern(t, &term, n != 0);
}

ir_size size_symbol(size_table *t, const char *name) {
  return atom_intern(t, (size_atom){.kind = ATOM_SYMBOL, .name = name});
}

/* ---- order */

static int size_compare(const size_table *t, ir_size x, ir_size y);

/* Symbols by name, then quotients, then remainders by their operands. */
static int atom_compare(const size_table *t, uint32_t x, uint32_t y) {
  const size_atom *a = &t->atom[x], *b = &t->atom[y];
  if (x == y) return 0;
  if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
  if (a->kind == ATOM_SYMBOL) return strcmp(a->name, b->name);
  const int order = size_compare(t, a->a, b->a);
  return order ? order : size_compare(t, a->b, b->b);
}

/* Higher degree first, then by atoms: the order in which terms are kept and printed. */
static int mono_compare(const size_table *t, uint32_t x, uint32_t y) {
  const size_mono *a = &t->mono[x], *b = &t->mono[y];
  if (x == y) return 0;
  if (a->n != b->n) return a->n > b->n ? -1 : 1;
  for (uint32_t k = 0; k < a->n; k++) {
    const int order = atom_compare(t, a->atom[k], b->atom[k]);
    if (order) return order;
  }
  return 0;
}

static int size_compare(const size_table *t, ir_size x, ir_size y) {
  const size_poly *a = &t->poly[x], *b = &t->poly[y];
  if (x == y) return 0;
  for (uint32_t k = 0; k < a->n && k < b->n; k++) {
    const int order = mono_compare(t, a->term[k].mono, b->term[k].mono);
    if (order) return order;
    if (a->term[k].coef != b->term[k].coef) return a->term[k].coef < b->term[k].coef ? -1 : 1;
  }
  return a->n < b->n ? -1 : a->n > b->n;
}

/* ---- arithmetic */

/* Appends term to a list under construction, merging it where its monomial stands. */
static bool terms_add(const size_table *t, size_term *list, uint32_t *n, size_term x) {
  uint32_t k = 0;
  int order = 1;
  while (k < *n && (order = mono_compare(t, list[k].mono, x.mono)) < 0) k++;
  if (k < *n && order == 0) {
    if (__builtin_add_overflow(list[k].coef, x.coef, &list[k].coef)) return false;
    if (list[k].coef == 0) {
      memmove(list + k, list + k + 1, (*n - k - 1) * sizeof *list);
      (*n)--;
    }
    return true;
  }
  if (*n == MAX_TERMS) return false;
  memmove(list + k + 1, list + k, (*n - k) * sizeof *list);
  list[k] = x;
  (*n)++;
  return true;
}

static ir_size add_scaled(size_table *t, ir_size a, ir_size b, int64_t scale) {
  if (!a || !b) return IR_SIZE_NONE;
  size_term list[MAX_TERMS];
  uint32_t n = t->poly[a].n;
  if (n) memcpy(list, t->poly[a].term, n * sizeof *list);
  for (uint32_t k = 0; k < t->poly[b].n; k++) {
    size_term x = t->poly[b].term[k];
    if (__builtin_mul_overflow(x.coef, scale, &x.coef) || !terms_add(t, list, &n, x)) return IR_SIZE_NONE;
  }
  return poly_intern(t, list, n);
}

ir_size size_add(size_table *t, ir_size a, ir_size b) { return add_scaled(t, a, b, 1); }
ir_size size_sub(size_table *t, ir_size a, ir_size b) { return add_scaled(t, a, b, -1); }

/* 0 when the degree is too high. */
static uint32_t mono_mul(size_table *t, uint32_t x, uint32_t y) {
  uint32_t list[MAX_DEGREE], n = 0, i = 0, j = 0;
  const size_mono *a = &t->mono[x], *b = &t->mono[y];
  if (a->n + b->n > MAX_DEGREE) return 0;
  while (i < a->n || j < b->n)
    list[n++] = j == b->n || (i < a->n && atom_compare(t, a->atom[i], b->atom[j]) <= 0) ? a->atom[i++] : b->atom[j++];
  return mono_intern(t, list, n);
}

ir_size size_mul(size_table *t, ir_size a, ir_size b) {
  if (!a || !b) return IR_SIZE_NONE;
  size_term list[MAX_TERMS];
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->poly[a].n; i++)
    for (uint32_t j = 0; j < t->poly[b].n; j++) {
      size_term x = t->poly[a].term[i], y = t->poly[b].term[j];
      if (__builtin_mul_overflow(x.coef, y.coef, &x.coef)) return IR_SIZE_NONE;
      x.mono = mono_mul(t, x.mono, y.mono);
      if (!x.mono || !terms_add(t, list, &n, x)) return IR_SIZE_NONE;
    }
  return poly_intern(t, list, n);
}

static bool floor_div(int64_t a, int64_t b, int64_t *q) {
  if (b == 0 || (a == INT64_MIN && b == -1)) return false;
  *q = a / b - (a % b != 0 && (a < 0) != (b < 0));
  return true;
}

/* b as one term that divides every term of a: the quotient. */
static ir_size exact_quotient(size_table *t, ir_size a, ir_size b) {
  if (t->poly[b].n != 1) return IR_SIZE_NONE;
  size_term d = t->poly[b].term[0], list[MAX_TERMS];
  uint32_t n = 0;
  for (uint32_t k = 0; k < t->poly[a].n; k++) {
    size_term x = t->poly[a].term[k];
    if (x.coef == INT64_MIN || x.coef % d.coef != 0) return IR_SIZE_NONE;
    uint32_t rest[MAX_DEGREE], m = 0, j = 0;
    const size_mono *p = &t->mono[x.mono], *q = &t->mono[d.mono];
    for (uint32_t i = 0; i < p->n; i++) {
      if (j < q->n && p->atom[i] == q->atom[j])
        j++;
      else
        rest[m++] = p->atom[i];
    }
    if (j < q->n) return IR_SIZE_NONE;
    if (!terms_add(t, list, &n, (size_term){x.coef / d.coef, mono_intern(t, rest, m)})) return IR_SIZE_NONE;
  }
  return poly_intern(t, list, n);
}

ir_size size_div(size_table *t, ir_size a, ir_size b) {
  int64_t x, y, q;
  if (!a || !b) return IR_SIZE_NONE;
  if (size_is_const(t, b, &y) && y == 0) return IR_SIZE_NONE;
  if (size_is_const(t, a, &x) && size_is_const(t, b, &y)) return floor_div(x, y, &q) ? size_const(t, q) : IR_SIZE_NONE;
  if (a == b) return size_const(t, 1);
  ir_size exact = exact_quotient(t, a, b);
  return exact ? exact : atom_intern(t, (size_atom){.kind = ATOM_DIV, .a = a, .b = b});
}

ir_size size_mod(size_table *t, ir_size a, ir_size b) {
  int64_t x, y, q;
  if (!a || !b) return IR_SIZE_NONE;
  if (size_is_const(t, b, &y) && y == 0) return IR_SIZE_NONE;
  if (size_is_const(t, a, &x) && size_is_const(t, b, &y))
    return floor_div(x, y, &q) ? size_const(t, (int64_t)((uint64_t)x - (uint64_t)y * (uint64_t)q)) : IR_SIZE_NONE;
  if (a == b || exact_quotient(t, a, b)) return size_const(t, 0);
  return atom_intern(t, (size_atom){.kind = ATOM_MOD, .a = a, .b = b});
}

/* ---- inspection */

bool size_is_const(const size_table *t, ir_size s, int64_t *n) {
  if (!s) return false;
  const size_poly *p = &t->poly[s];
  if (p->n > 1 || (p->n == 1 && p->term[0].mono != MONO_ONE)) return false;
  if (n) *n = p->n ? p->term[0].coef : 0;
  return true;
}

static const size_atom *sole_atom(const size_table *t, ir_size s) {
  if (!s) return NULL;
  const size_poly *p = &t->poly[s];
  if (p->n != 1 || p->term[0].coef != 1 || t->mono[p->term[0].mono].n != 1) return NULL;
  return &t->atom[t->mono[p->term[0].mono].atom[0]];
}

bool size_is_symbol(const size_table *t, ir_size s, const char **name) {
  const size_atom *x = sole_atom(t, s);
  if (!x || x->kind != ATOM_SYMBOL) return false;
  if (name) *name = x->name;
  return true;
}

static bool name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool name_part(char c) { return name_start(c) || (c >= '0' && c <= '9') || c == '.'; }

/* A name that could be taken for something else stands between back quotes, as in the language. */
static void print_name(const char *name, strbuf *out) {
  bool plain = name_start(*name);
  for (const char *s = name; *s; s++) plain = plain && name_part(*s);
  strbuf_printf(out, plain ? "%s" : "`%s`", name);
}

static void print_operand(const size_table *t, ir_size s, strbuf *out) {
  const size_atom *x = sole_atom(t, s);
  int64_t n;
  bool plain = (x && x->kind == ATOM_SYMBOL) || (size_is_const(t, s, &n) && n >= 0);
  if (!plain) strbuf_putc(out, '(');
  size_print(t, s, out);
  if (!plain) strbuf_putc(out, ')');
}

static void print_atom(const size_table *t, const size_atom *x, bool alone, strbuf *out) {
  if (x->kind == ATOM_SYMBOL) {
    print_name(x->name, out);
    return;
  }
  if (!alone) strbuf_putc(out, '(');
  print_operand(t, x->a, out);
  strbuf_puts(out, x->kind == ATOM_DIV ? " // " : " % ");
  print_operand(t, x->b, out);
  if (!alone) strbuf_putc(out, ')');
}

void size_print(const size_table *t, ir_size s, strbuf *out) {
  if (!s || s >= t->npolys) {
    strbuf_puts(out, "?");
    return;
  }
  const size_poly *p = &t->poly[s];
  if (p->n == 0) strbuf_puts(out, "0");
  for (uint32_t k = 0; k < p->n; k++) {
    const size_term *x = &p->term[k];
    const size_mono *m = &t->mono[x->mono];
    uint64_t magnitude = x->coef < 0 ? 0 - (uint64_t)x->coef : (uint64_t)x->coef;
    if (k) strbuf_puts(out, x->coef < 0 ? " - " : " + ");
    else if (x->coef < 0) strbuf_putc(out, '-');
    if (m->n == 0 || magnitude != 1) {
      strbuf_printf(out, "%llu", (unsigned long long)magnitude);
      if (m->n) strbuf_putc(out, '*');
    }
    for (uint32_t j = 0; j < m->n; j++) {
      if (j) strbuf_putc(out, '*');
      print_atom(t, &t->atom[m->atom[j]], p->n == 1 && m->n == 1 && x->coef == 1, out);
    }
  }
}

/* ---- parsing */

static void skip_blanks(const char **p) {
  while (**p == ' ' || **p == '\t') (*p)++;
}

static ir_size parse_sum(size_table *t, const char **p, int depth);

static ir_size parse_factor(size_table *t, const char **p, int depth) {
  skip_blanks(p);
  if (depth > MAX_DEPTH) return IR_SIZE_NONE;
  if (**p == '-') {
    (*p)++;
    skip_blanks(p);
    if (**p >= '0' && **p <= '9') { /* so that the least int64 can be read */
      int64_t n = 0;
      for (; **p >= '0' && **p <= '9'; (*p)++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, **p - '0', &n)) return IR_SIZE_NONE;
      return size_const(t, n);
    }
    return size_sub(t, size_const(t, 0), parse_factor(t, p, depth + 1));
  }
  if (**p == '(') {
    (*p)++;
    ir_size s = parse_sum(t, p, depth + 1);
    skip_blanks(p);
    if (**p != ')') return IR_SIZE_NONE;
    (*p)++;
    return s;
  }
  if (**p >= '0' && **p <= '9') {
    int64_t n = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++)
      if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, **p - '0', &n)) return IR_SIZE_NONE;
    return size_const(t, n);
  }
  const bool quoted = **p == '`';
  if (!quoted && !name_start(**p)) return IR_SIZE_NONE;
  const char *from = *p += quoted;
  while (quoted ? **p && **p != '`' && **p != '\n' : name_part(**p)) (*p)++;
  size_t n = (size_t)(*p - from);
  if (quoted && **p != '`') return IR_SIZE_NONE;
  *p += quoted;
  char small[64];
  if (n >= sizeof small) return size_symbol(t, arena_strndup(t->a, from, n));
  memcpy(small, from, n);
  small[n] = '\0';
  return size_symbol(t, small);
}

static ir_size parse_product(size_table *t, const char **p, int depth) {
  ir_size s = parse_factor(t, p, depth);
  while (s) {
    skip_blanks(p);
    if (**p == '*') {
      (*p)++;
      s = size_mul(t, s, parse_factor(t, p, depth));
    } else if ((*p)[0] == '/' && (*p)[1] == '/') {
      *p += 2;
      s = size_div(t, s, parse_factor(t, p, depth));
    } else if (**p == '%' && !((*p)[1] == '"')) {
      (*p)++;
      s = size_mod(t, s, parse_factor(t, p, depth));
    } else {
      break;
    }
  }
  return s;
}

static ir_size parse_sum(size_table *t, const char **p, int depth) {
  ir_size s = parse_product(t, p, depth);
  while (s) {
    skip_blanks(p);
    char c = **p;
    if (c != '+' && c != '-') break;
    (*p)++;
    ir_size rhs = parse_product(t, p, depth);
    s = c == '+' ? size_add(t, s, rhs) : size_sub(t, s, rhs);
  }
  return s;
}

ir_size size_parse(size_table *t, const char **text) { return parse_sum(t, text, 0); }

size_t size_symbol_count(const size_table *t) { return t->nsymbols; }
ir_size size_symbol_at(const size_table *t, size_t k) { return k < t->nsymbols ? t->symbol[k] : IR_SIZE_NONE; }

/* ---- numbers */

void size_bind(size_table *t, ir_size symbol, int64_t n) {
  size_atom *x = (size_atom *)sole_atom(t, symbol);
  if (!x || x->kind != ATOM_SYMBOL) return;
  x->bound = true;
  x->value = n;
}

static bool evaluate(const size_table *t, ir_size s, int64_t *out);

static bool evaluate_atom(const size_table *t, const size_atom *x, int64_t *out) {
  if (x->kind == ATOM_SYMBOL) {
    *out = x->value;
    return x->bound;
  }
  int64_t a, b, q;
  if (!evaluate(t, x->a, &a) || !evaluate(t, x->b, &b) || !floor_div(a, b, &q)) return false;
  *out = x->kind == ATOM_DIV ? q : (int64_t)((uint64_t)a - (uint64_t)b * (uint64_t)q);
  return true;
}

static bool evaluate(const size_table *t, ir_size s, int64_t *out) {
  int64_t sum = 0;
  if (!s || s >= t->npolys) return false;
  const size_poly *p = &t->poly[s];
  for (uint32_t k = 0; k < p->n; k++) {
    int64_t product = p->term[k].coef, v;
    const size_mono *m = &t->mono[p->term[k].mono];
    for (uint32_t j = 0; j < m->n; j++)
      if (!evaluate_atom(t, &t->atom[m->atom[j]], &v) || __builtin_mul_overflow(product, v, &product)) return false;
    if (__builtin_add_overflow(sum, product, &sum)) return false;
  }
  *out = sum;
  return true;
}

int64_t size_eval(const size_table *t, ir_size s) {
  int64_t n;
  return evaluate(t, s, &n) ? n : IR_SIZE_UNBOUND;
}

bool size_value(const size_table *t, ir_size s, int64_t *n) { return s != IR_SIZE_NONE && evaluate(t, s, n); }

void size_unbind_all(size_table *t) {
  for (uint32_t k = 0; k < t->natoms; k++) t->atom[k].bound = false;
}

/* The one unbound symbol in s, its atom id in *atom; false when a second one is found. */
static bool find_unbound(const size_table *t, ir_size s, uint32_t *atom) {
  const size_poly *p = &t->poly[s];
  for (uint32_t k = 0; k < p->n; k++) {
    const size_mono *m = &t->mono[p->term[k].mono];
    for (uint32_t j = 0; j < m->n; j++) {
      const size_atom *x = &t->atom[m->atom[j]];
      if (x->kind != ATOM_SYMBOL) {
        if (!find_unbound(t, x->a, atom) || !find_unbound(t, x->b, atom)) return false;
      } else if (!x->bound) {
        if (*atom && *atom != m->atom[j]) return false;
        *atom = m->atom[j];
      }
    }
  }
  return true;
}

bool size_solve(size_table *t, ir_size s, int64_t n, ir_size *symbol, int64_t *value) {
  uint32_t atom = 0;
  if (!s || !find_unbound(t, s, &atom) || atom == 0) return false;
  /* s = slope * x + rest, with numbers for both. */
  int64_t slope = 0, rest = 0;
  const size_poly *p = &t->poly[s];
  for (uint32_t k = 0; k < p->n; k++) {
    int64_t product = p->term[k].coef, v;
    const size_mono *m = &t->mono[p->term[k].mono];
    bool linear = false;
    for (uint32_t j = 0; j < m->n; j++) {
      if (m->atom[j] == atom) {
        if (linear) return false;
        linear = true;
      } else if (!evaluate_atom(t, &t->atom[m->atom[j]], &v) || __builtin_mul_overflow(product, v, &product)) {
        return false;
      }
    }
    int64_t *to = linear ? &slope : &rest;
    if (__builtin_add_overflow(*to, product, to)) return false;
  }
  int64_t right;
  if (slope == 0 || __builtin_sub_overflow(n, rest, &right) || (right == INT64_MIN && slope == -1) || right % slope != 0)
    return false;
  *symbol = t->atom[atom].self;
  *value = right / slope;
  return true;
}

ir_size size_substitute(size_table *t, ir_size s, size_t n, const ir_size *from, const ir_size *to) {
  if (!s || n == 0) return s;
  /* The table may grow below: no pointer into it is held across a call. */
  ir_size sum = size_const(t, 0);
  bool changed = false;
  for (uint32_t k = 0; k < t->poly[s].n; k++) {
    ir_size product = size_const(t, t->poly[s].term[k].coef);
    uint32_t mono = t->poly[s].term[k].mono;
    for (uint32_t j = 0; j < t->mono[mono].n; j++) {
      size_atom x = t->atom[t->mono[mono].atom[j]];
      ir_size image = x.self;
      if (x.kind == ATOM_SYMBOL) {
        for (size_t i = 0; i < n; i++)
          if (from[i] == x.self) {
            image = to[i];
            break;
          }
      } else {
        ir_size a = size_substitute(t, x.a, n, from, to), b = size_substitute(t, x.b, n, from, to);
        if (a != x.a || b != x.b) image = x.kind == ATOM_DIV ? size_div(t, a, b) : size_mod(t, a, b);
      }
      changed |= image != x.self;
      product = size_mul(t, product, image);
    }
    sum = size_add(t, sum, product);
  }
  return changed ? sum : s;
}
