/* ir_parse.c: the text of docs/ir.md section 2, by recursive descent.
 *
 * Two passes.  The first reads the heads of functions and the distributions, so that calls may point forward; the second
 * reads the bodies.  Operations are made by the builder, which finds their types; whether these fit is ir_verify's
 * question.  Any bytes give a module or one error: nesting is limited to IR_MAX_DEPTH blocks, and a fault leaves by
 * longjmp, over nothing but arena memory, to take back what was added. */
#include "compiler/ir_text.h"
#include "lang/intern.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 16 << 20, MAX_LIST = 4096 };

typedef struct value_list {
  ir_val *v;
  size_t n, cap;
} value_list;

typedef struct name_list {
  const char **v;
  size_t n, cap;
} name_list;

/* A function whose head has been read. */
typedef struct pending {
  ir_fn *fn;
  const char *body; /* just behind its brace */
  name_list params; /* names of the values */
  ir_type *result;
  size_t nresults, cap_results;
} pending;

enum { MEMBERS = 6 }; /* functions of a distribution */

typedef struct pending_dist {
  ir_dist *dist;
  const char *member[MEMBERS], *at[MEMBERS];
} pending_dist;

/* Names in scope: interned name to value, 0 for one whose scope has ended. */
typedef struct scope {
  const char **key;
  ir_val *val;
  size_t cap, used;
  name_list live;
} scope;

typedef struct parser {
  ir_module *m;
  arena *mem;
  intern_table names;
  const char *text, *p, *end;
  pending *fn;
  size_t nfns, cap_fns;
  pending_dist *dist;
  size_t ndists, cap_dists;
  scope scope;
  const char *error;
  jmp_buf fault;
} parser;

static _Noreturn void fail_at(parser *ps, const char *where, const char *what) {
  unsigned line = 1;
  for (const char *p = ps->text; p < where; p++) line += *p == '\n';
  ps->error = arena_printf(ps->mem, "line %u: %s", line, what);
  longjmp(ps->fault, 1);
}

static _Noreturn void fail(parser *ps, const char *what) { fail_at(ps, ps->p, what); }

static _Noreturn void fail_name(parser *ps, const char *before, const char *name, const char *after) {
  fail(ps, arena_printf(ps->mem, "%s%.80s%s", before, name, after));
}

/* ---- tokens */

static void skip_space(parser *ps) {
  for (;;) {
    while (*ps->p == ' ' || *ps->p == '\t' || *ps->p == '\n' || *ps->p == '\r') ps->p++;
    if (*ps->p != '#') return;
    while (ps->p < ps->end && *ps->p != '\n') ps->p++;
  }
}

static bool at_char(parser *ps, char c) {
  skip_space(ps);
  return *ps->p == c && ps->p < ps->end;
}

static bool accept(parser *ps, const char *token) {
  skip_space(ps);
  size_t n = strlen(token);
  if (strncmp(ps->p, token, n) != 0) return false;
  if (ir_text_is_name_byte(token[n - 1]) && ir_text_is_name_byte(ps->p[n])) return false;
  ps->p += n;
  return true;
}

static void expect(parser *ps, const char *token) {
  if (!accept(ps, token)) fail_name(ps, "expected `", token, "`");
}

/* The word at the cursor, interned, or NULL. */
static const char *word(parser *ps) {
  skip_space(ps);
  const char *from = ps->p;
  while (ir_text_is_name_byte(*ps->p)) ps->p++;
  return ps->p == from ? NULL : intern_bytes(&ps->names, from, (size_t)(ps->p - from));
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static const char *quoted(parser *ps) {
  strbuf text;
  strbuf_init(&text, ps->mem);
  expect(ps, "\"");
  while (*ps->p != '"') {
    char c = *ps->p;
    if (ps->p >= ps->end || c == '\n' || c == '\0') fail(ps, "a string without its closing quote");
    if (c == '\\') {
      c = *++ps->p;
      if (c == 'x') {
        int hi = hex_digit(ps->p[1]), lo = hi < 0 ? -1 : hex_digit(ps->p[2]);
        if (lo < 0 || hi * 16 + lo == 0) fail(ps, "an escape that is not \\x and two digits");
        c = (char)(hi * 16 + lo);
        ps->p += 2;
      } else if (c != '"' && c != '\\') {
        fail(ps, "an unknown escape in a string");
      }
    }
    strbuf_putc(&text, c);
    ps->p++;
  }
  ps->p++;
  return intern_bytes(&ps->names, text.s, text.n);
}

static const char *name(parser *ps, const char *of) {
  skip_space(ps);
  const char *s = *ps->p == '"' ? quoted(ps) : word(ps);
  if (!s) fail_name(ps, "expected the name of a ", of, "");
  return s;
}

static int64_t integer(parser *ps) {
  skip_space(ps);
  bool negative = *ps->p == '-';
  if (negative) ps->p++;
  if (*ps->p < '0' || *ps->p > '9') fail(ps, "expected an integer");
  int64_t n = 0;
  for (; *ps->p >= '0' && *ps->p <= '9'; ps->p++) {
    int digit = *ps->p - '0';
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, negative ? -digit : digit, &n))
      fail(ps, "an integer that does not fit 64 bits");
  }
  return n;
}

static double real(parser *ps) {
  if (accept(ps, "inf")) return INFINITY;
  if (accept(ps, "nan")) return NAN;
  if (accept(ps, "-inf")) return -INFINITY;
  const char *from = ps->p, *p = from + (*from == '-'), *digits = p;
  const char *point = NULL;
  while (*p >= '0' && *p <= '9') p++;
  bool ok = p > digits, marked = false;
  if (*p == '.') {
    point = p++;
    marked = true;
    while (*p >= '0' && *p <= '9') p++;
  }
  if (*p == 'e') {
    marked = true;
    p++;
    if (*p == '-' || *p == '+') p++;
    ok &= *p >= '0' && *p <= '9';
    while (*p >= '0' && *p <= '9') p++;
  }
  if (!ok || !marked || ir_text_is_name_byte(*p)) fail(ps, "expected a real: it has a point or an exponent, or is inf or nan");
  /* strtod wants the locale's own point. */
  strbuf text;
  strbuf_init(&text, ps->mem);
  strbuf_put(&text, from, (size_t)((point ? point : p) - from));
  if (point) {
    strbuf_puts(&text, localeconv()->decimal_point);
    strbuf_put(&text, point + 1, (size_t)(p - point - 1));
  }
  double x = strtod(text.s, NULL);
  if (isinf(x)) fail(ps, "a real out of range");
  ps->p = p;
  return x;
}

static ir_size parse_size(parser *ps) {
  skip_space(ps);
  ir_size s = size_parse(ps->m->sizes, &ps->p);
  if (!s) fail(ps, "expected a size, or it is too large");
  return s;
}

static int choice(parser *ps, const char *of, size_t n, const char *const *names) {
  const char *w = word(ps);
  for (size_t k = 0; k < n && w; k++)
    if (strcmp(w, names[k]) == 0) return (int)k;
  if (!w) fail_name(ps, "expected a ", of, "");
  fail(ps, arena_printf(ps->mem, "`%.80s` is no %s", w, of));
}

static ir_type parse_type(parser *ps) {
  ir_type t = ir_scalar((ir_elem)choice(ps, "element type", 4, ir_elem_name));
  if (*ps->p != '[') return t;
  ps->p++;
  do {
    if (t.rank == IR_MAX_RANK) fail(ps, "an array of more than six axes");
    t.dim[t.rank++] = parse_size(ps);
  } while (accept(ps, ","));
  expect(ps, "]");
  return t;
}

/* ---- names of values */

static size_t scope_slot(const scope *s, const char *key) {
  size_t at = ((uintptr_t)key >> 4) * 0x9E3779B97F4A7C15u >> 20 & (s->cap - 1);
  while (s->key[at] && s->key[at] != key) at = (at + 1) & (s->cap - 1);
  return at;
}

static void scope_reset(parser *ps) {
  ps->scope = (scope){.cap = 64};
  ps->scope.key = ARENA_ARRAY(ps->mem, const char *, 64);
  ps->scope.val = ARENA_ARRAY(ps->mem, ir_val, 64);
}

static void define(parser *ps, const char *key, ir_val v) {
  scope *s = &ps->scope;
  if (2 * (s->used + 1) > s->cap) {
    scope old = *s;
    s->cap *= 2;
    s->key = ARENA_ARRAY(ps->mem, const char *, s->cap);
    s->val = ARENA_ARRAY(ps->mem, ir_val, s->cap);
    for (size_t k = 0; k < old.cap; k++) {
      if (!old.key[k]) continue;
      size_t at = scope_slot(s, old.key[k]);
      s->key[at] = old.key[k];
      s->val[at] = old.val[k];
    }
  }
  size_t at = scope_slot(s, key);
  if (s->key[at] && s->val[at]) fail_name(ps, "%", key, " is defined already");
  if (!s->key[at]) s->used++;
  s->key[at] = key;
  s->val[at] = v;
  ARENA_PUSH(ps->mem, s->live.v, s->live.n, s->live.cap, key);
}

static void scope_leave(parser *ps, size_t mark) {
  scope *s = &ps->scope;
  while (s->live.n > mark) s->val[scope_slot(s, s->live.v[--s->live.n])] = 0;
}

static const char *new_value_name(parser *ps) {
  expect(ps, "%");
  const char *w = ir_text_is_name_byte(*ps->p) ? word(ps) : NULL;
  if (!w) fail(ps, "expected the name of a value");
  return w;
}

static ir_val value(parser *ps) {
  const char *key = new_value_name(ps);
  size_t at = scope_slot(&ps->scope, key);
  if (!ps->scope.key[at] || !ps->scope.val[at]) fail_name(ps, "%", key, " is not defined here");
  return ps->scope.val[at];
}

static void push_value(parser *ps, value_list *list, ir_val v) {
  if (list->n == MAX_LIST) fail(ps, "a list of more than 4096 values");
  ARENA_PUSH(ps->mem, list->v, list->n, list->cap, v);
}

/* Values in parentheses. */
static value_list arguments(parser *ps) {
  value_list list = {0};
  expect(ps, "(");
  if (accept(ps, ")")) return list;
  do push_value(ps, &list, value(ps));
  while (accept(ps, ","));
  expect(ps, ")");
  return list;
}

/* Entries up to what cannot continue them; the cursor stands at the first. */
static ir_axes axes_list(parser *ps) {
  ir_axes axes = {0};
  do {
    if (axes.n == IR_MAX_RANK) fail(ps, "a position of more than six entries");
    axes.at[axes.n++] = accept(ps, ":") ? 0 : value(ps);
  } while (accept(ps, ","));
  return axes;
}

static ir_axes bracket_axes(parser *ps) {
  ir_axes axes = {0};
  expect(ps, "[");
  if (accept(ps, "]")) return axes;
  axes = axes_list(ps);
  expect(ps, "]");
  return axes;
}

/* ---- operations */

static void parse_block(parser *ps, ir_builder *b, int depth);

static ir_op *parse_loop(parser *ps, ir_builder *b, ir_code code, int depth) {
  const char *index[IR_MAX_RANK];
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0;
  do {
    if (rank == IR_MAX_RANK) fail(ps, "a loop over more than six axes");
    index[rank] = new_value_name(ps);
    expect(ps, "<");
    extent[rank++] = value(ps);
  } while (accept(ps, ","));
  ir_op *op = ir_loop_begin(b, code, rank, extent);
  ir_loop *loop = op->u.loop;
  loop->down = accept(ps, "down");
  const char *live = accept(ps, "while") ? new_value_name(ps) : NULL;
  size_t mark = ps->scope.live.n;
  name_list states = {0};
  if (accept(ps, "->")) {
    do {
      if (loop->nout == MAX_LIST) fail(ps, "a loop with more than 4096 results");
      ir_mode mode = (ir_mode)choice(ps, "mode of a result", 7, ir_mode_name);
      bool starts = mode == IR_INTO || mode == IR_KEYED || mode == IR_CARRY;
      const char *state = NULL;
      if (starts && code == IR_SCAN_OP) state = new_value_name(ps);
      ir_val init = 0;
      if (starts) {
        expect(ps, "=");
        init = value(ps);
      }
      ir_loop_state(b->fn, op, mode, init);
      ARENA_PUSH(ps->mem, states.v, states.n, states.cap, state);
    } while (accept(ps, ","));
  }
  for (uint32_t k = 0; k < rank; k++) define(ps, index[k], loop->index[k]);
  for (uint32_t k = 0; k < loop->nout; k++)
    if (states.v[k]) define(ps, states.v[k], loop->out[k].state);
  for (uint32_t k = 0; k < loop->nout && live; k++)
    if (states.v[k] && strcmp(states.v[k], live) == 0) loop->live = loop->out[k].state;
  if (live && !loop->live) fail_name(ps, "%", live, " is no state of this scan");
  ir_builder body = ir_builder_in(b, &loop->body);
  parse_block(ps, &body, depth + 1);
  if (loop->nout) {
    expect(ps, "yield");
    for (uint32_t k = 0; k < loop->nout; k++) {
      if (k) expect(ps, ",");
      bool placed = loop->out[k].mode == IR_INTO || loop->out[k].mode == IR_KEYED;
      ir_axes axes = {0};
      if (placed) axes = bracket_axes(ps);
      ir_loop_finish(b->fn, op, k, &axes, value(ps));
    }
  }
  expect(ps, "}");
  scope_leave(ps, mark);
  return op;
}

static value_list parse_branch(parser *ps, ir_builder *b, ir_block *block, int depth) {
  size_t mark = ps->scope.live.n;
  value_list yields = {0};
  ir_builder in = ir_builder_in(b, block);
  parse_block(ps, &in, depth + 1);
  if (accept(ps, "yield")) {
    do push_value(ps, &yields, value(ps));
    while (accept(ps, ","));
  }
  expect(ps, "}");
  scope_leave(ps, mark);
  return yields;
}

static ir_op *parse_if(parser *ps, ir_builder *b, int depth) {
  ir_op *op = ir_if_begin(b, value(ps));
  value_list a = parse_branch(ps, b, &op->u.branch->then_, depth);
  expect(ps, "else");
  value_list c = parse_branch(ps, b, &op->u.branch->else_, depth);
  if (a.n != c.n) fail(ps, "the branches of an if yield different numbers of values");
  for (size_t k = 0; k < a.n; k++) ir_if_out(b->fn, op, a.v[k], c.v[k]);
  return op;
}

static ir_op *parse_call(parser *ps, ir_builder *b) {
  expect(ps, "@");
  const char *callee_name = name(ps, "function");
  ir_fn *callee = ir_fn_find(ps->m, callee_name);
  if (!callee) fail_name(ps, "there is no function @", callee_name, "");
  value_list args = arguments(ps);
  const pending *head = NULL;
  for (size_t k = 0; k < ps->nfns; k++)
    if (ps->fn[k].fn == callee) head = &ps->fn[k];
  if (!head) return ir_call(b, callee, (uint32_t)args.n, args.v);
  /* Its body may not be there yet: its head says what it returns. */
  ir_op *op = ir_op_insert(b, IR_CALL_OP, (uint32_t)args.n, args.v);
  op->u.callee = callee;
  ir_size *from, *to;
  size_t known = ir_call_sizes(b->fn, callee, op->nargs, args.v, &from, &to);
  for (size_t k = 0; k < head->nresults; k++)
    ir_result_add(b->fn, op, ir_type_substitute(ps->m->sizes, head->result[k], known, from, to));
  return op;
}

static ir_op *parse_tilde(parser *ps, ir_builder *b, bool observe) {
  const char *site_name = name(ps, "site");
  ir_site *site = ir_site_find(b->fn, site_name);
  if (!site) fail_name(ps, "there is no site ", site_name, "");
  ir_axes axes = {0};
  if (at_char(ps, '[')) axes = bracket_axes(ps);
  ir_val lo = 0, hi = 0, observed = 0;
  bool cut = false, standard = false;
  if (observe) {
    observed = value(ps);
  } else if ((cut = accept(ps, "within")) || accept(ps, "in")) {
    expect(ps, "(");
    if (!accept(ps, "_")) lo = value(ps);
    expect(ps, ",");
    if (!accept(ps, "_")) hi = value(ps);
    expect(ps, ")");
  }
  if (!observe) standard = accept(ps, "standard");
  expect(ps, "~");
  expect(ps, "@");
  const char *dist_name = name(ps, "distribution");
  value_list args = arguments(ps);
  ir_dist *dist = ir_dist_find(ps->m, dist_name);
  if (!dist) { /* a text may stand alone, without the prelude that defines it */
    dist = ir_dist_new(ps->m, dist_name);
    dist->nparams = (uint32_t)args.n;
    dist->event_rank = site->event_rank;
    dist->support = site->support;
  }
  if (observe) return ir_observe(b, site, dist, axes, observed, (uint32_t)args.n, args.v);
  ir_op *op = ir_def_op(b->fn, ir_sample(b, site, dist, axes, lo, hi, (uint32_t)args.n, args.v));
  op->u.tilde->cut = cut;
  op->u.tilde->standard = standard;
  site->standard |= standard;
  return op;
}

static ir_op *parse_memo(parser *ps, ir_builder *b, ir_code code) {
  ir_memo *f = ARENA_NEW(ps->mem, ir_memo);
  ir_type type = ir_scalar(IR_REAL);
  value_list args = {0};
  const int64_t number = integer(ps);
  f->name = quoted(ps);
  const int64_t size = integer(ps);
  if (number < 0 || number > UINT32_MAX || size < 1 || size > UINT32_MAX) fail(ps, "a table has a number and a size");
  f->number = (uint32_t)number;
  f->size = (uint32_t)size;
  if (f->number > ps->m->nmemos) ps->m->nmemos = f->number;
  if (code == IR_MEMO_FIND_OP) type = parse_type(ps);
  while (accept(ps, ",")) push_value(ps, &args, value(ps));
  if (code == IR_MEMO_FIND_OP) return ir_memo_find(b, f, type, (uint32_t)args.n, args.v);
  if (code == IR_MEMO_KEEP_OP && args.n != 2) fail(ps, "memo_keep has a handle and a value");
  if (args.n < 1) fail(ps, "memo has a value");
  return ir_def_op(b->fn, code == IR_MEMO_OP ? ir_memo_mark(b, f, args.v[0], (uint32_t)args.n - 1, args.v + 1) : ir_memo_keep(b, f, args.v[0], args.v[1]));
}

static bool is_draw(ir_code code) { return code >= IR_UNIFORM_OP && code <= IR_CATEGORICAL_OP; }

static ir_op *parse_op(parser *ps, ir_builder *b, int depth) {
  const char *w = word(ps);
  if (!w) fail(ps, "expected an operation");
  int code = 0;
  while (code < IR_OP_COUNT && strcmp(w, ir_op_table[code].name) != 0) code++;
  if (code == IR_OP_COUNT) fail_name(ps, "there is no operation `", w, "`");
  ir_fn *fn = b->fn;
  ir_val x, y, res;
  int flags = 0;
  switch (code) {
  case IR_REAL_OP: res = ir_real(b, real(ps)); break;
  case IR_INT_OP: res = ir_int(b, integer(ps)); break;
  case IR_BOOL_OP: {
    bool yes = accept(ps, "true");
    if (!yes) expect(ps, "false");
    res = ir_bool(b, yes);
    break;
  }
  case IR_SIZE_OP: res = ir_size_val(b, parse_size(ps)); break;
  case IR_NEW_OP: res = ir_new_array(b, parse_type(ps)); break;
  case IR_AT_OP: {
    x = value(ps);
    ir_axes axes = {0};
    if (accept(ps, ",")) axes = axes_list(ps);
    res = ir_at(b, x, axes);
    break;
  }
  case IR_PUT_OP: {
    x = value(ps);
    expect(ps, ",");
    ir_axes axes = bracket_axes(ps);
    expect(ps, ",");
    res = ir_put(b, x, axes, value(ps));
    break;
  }
  case IR_MATMUL_OP:
  case IR_TRISOLVE_OP:
    x = value(ps);
    if (accept(ps, "'")) flags |= IR_TRANS_A;
    expect(ps, ",");
    y = value(ps);
    if (code == IR_MATMUL_OP && accept(ps, "'")) flags |= IR_TRANS_B;
    res = code == IR_MATMUL_OP ? ir_matmul(b, x, y, flags) : ir_trisolve(b, x, y, flags);
    break;
  case IR_CHOLESKY_OP: res = ir_cholesky(b, value(ps)); break;
  case IR_CHOL_ADJ_OP:
  case IR_QR_R_OP:
  case IR_INV_PTR_OP:
  case IR_INV_LIST_OP:
    x = value(ps);
    expect(ps, ",");
    y = value(ps);
    res = code == IR_CHOL_ADJ_OP ? ir_chol_adj(b, x, y) : code == IR_QR_R_OP ? ir_qr_r(b, x, y) : ir_inverse(b, (ir_code)code, x, y);
    break;
  case IR_PLATE_OP:
  case IR_SCAN_OP: return parse_loop(ps, b, (ir_code)code, depth);
  case IR_IF_OP: return parse_if(ps, b, depth);
  case IR_CALL_OP: return parse_call(ps, b);
  case IR_MEMO_OP:
  case IR_MEMO_FIND_OP:
  case IR_MEMO_KEEP_OP: return parse_memo(ps, b, (ir_code)code);
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP: return parse_tilde(ps, b, code == IR_OBSERVE_OP);
  case IR_FACTOR_OP: return ir_factor(b, value(ps));
  case IR_ENERGY_OP: return ir_energy(b, value(ps));
  case IR_TRACK_OP: {
    const char *label = quoted(ps);
    return ir_track(b, label, value(ps));
  }
  default: {
    int64_t site = 0;
    value_list args = {0};
    if (is_draw((ir_code)code)) {
      site = integer(ps);
      expect(ps, ",");
    }
    do push_value(ps, &args, value(ps));
    while (accept(ps, ","));
    if (is_draw((ir_code)code)) {
      if (args.n < 2) fail(ps, "a draw has a key and an index");
      res = ir_draw(b, (ir_code)code, site, args.v[0], args.v[1], (uint32_t)args.n - 2, args.v + 2);
    } else {
      size_t want = (size_t)(strchr(ir_op_table[code].signature, ':') - ir_op_table[code].signature);
      if (args.n != want) fail(ps, arena_printf(ps->mem, "`%s` has %zu operands", ir_op_table[code].name, want));
      res = want == 1 ? ir_op1(b, (ir_code)code, args.v[0])
          : want == 2 ? ir_op2(b, (ir_code)code, args.v[0], args.v[1])
                      : ir_op3(b, (ir_code)code, args.v[0], args.v[1], args.v[2]);
    }
    break;
  }
  }
  return ir_def_op(fn, res);
}

static void parse_stmt(parser *ps, ir_builder *b, int depth) {
  name_list results = {0};
  const char *start = ps->p;
  if (at_char(ps, '%')) {
    do {
      if (results.n == MAX_LIST) fail(ps, "a list of more than 4096 values");
      const char *w = new_value_name(ps);
      ARENA_PUSH(ps->mem, results.v, results.n, results.cap, w);
    } while (accept(ps, ","));
    expect(ps, "=");
    start = ps->p;
  }
  ir_op *op = parse_op(ps, b, depth);
  if (op->nres != results.n)
    fail_at(ps, start, arena_printf(ps->mem, "`%s` has %u results here, not %zu", ir_op_table[op->code].name, op->nres, results.n));
  for (size_t k = 0; k < results.n; k++) define(ps, results.v[k], op->res[k]);
}

/* Statements up to the brace, the yield or the return that ends them. */
static void parse_block(parser *ps, ir_builder *b, int depth) {
  if (depth > IR_MAX_DEPTH) fail(ps, "blocks nested too deep");
  if (depth > 0) expect(ps, "{");
  for (;;) {
    skip_space(ps);
    const char *p = ps->p;
    if (*p == '}' || p >= ps->end) return;
    if (strncmp(p, "yield", 5) == 0 && !ir_text_is_name_byte(p[5])) return;
    if (strncmp(p, "return", 6) == 0 && !ir_text_is_name_byte(p[6])) return;
    parse_stmt(ps, b, depth);
  }
}

/* ---- functions */

static void parse_params(parser *ps, pending *head) {
  expect(ps, "(");
  if (accept(ps, ")")) return;
  do {
    if (head->params.n == MAX_LIST) fail(ps, "a function of more than 4096 parameters");
    const char *value_name = new_value_name(ps);
    for (size_t k = 0; k < head->params.n; k++)
      if (head->params.v[k] == value_name) fail_name(ps, "%", value_name, " is defined already");
    expect(ps, ":");
    ir_type type = parse_type(ps);
    ir_role role = IR_ROLE_PLAIN;
    skip_space(ps);
    if (ir_text_is_name_byte(*ps->p)) role = (ir_role)choice(ps, "role of a parameter", 8, ir_role_name);
    bool numbered = value_name[0] >= '0' && value_name[0] <= '9';
    const char *own = at_char(ps, '"') ? quoted(ps) : numbered ? "" : value_name;
    ir_param_add(head->fn, role, own, type);
    ARENA_PUSH(ps->mem, head->params.v, head->params.n, head->params.cap, value_name);
  } while (accept(ps, ","));
  expect(ps, ")");
}

/* Moves behind the brace that closes a body. */
static void skip_body(parser *ps) {
  for (size_t depth = 1; depth > 0;) {
    skip_space(ps);
    if (ps->p >= ps->end) fail(ps, "a body without its closing brace");
    if (*ps->p == '"') {
      quoted(ps);
      continue;
    }
    depth += *ps->p == '{';
    depth -= *ps->p == '}';
    ps->p++;
  }
}

static void parse_head(parser *ps, bool is_model) {
  expect(ps, "@");
  const char *fn_name = name(ps, "function");
  if (ir_fn_find(ps->m, fn_name)) fail_name(ps, "there is a function @", fn_name, " already");
  pending head = {.fn = ir_fn_new(ps->m, fn_name, is_model)};
  parse_params(ps, &head);
  if (accept(ps, "->")) {
    expect(ps, "(");
    do {
      ir_type t = parse_type(ps);
      ARENA_PUSH(ps->mem, head.result, head.nresults, head.cap_results, t);
    } while (accept(ps, ","));
    expect(ps, ")");
  }
  expect(ps, "{");
  head.body = ps->p;
  skip_body(ps);
  ARENA_PUSH(ps->mem, ps->fn, ps->nfns, ps->cap_fns, head);
}

static void parse_dist(parser *ps) {
  static const char *const label[MEMBERS] = {"logpdf", "sample", "cdf", "valid", "standard", "from_standard"};
  expect(ps, "@");
  const char *dist_name = name(ps, "distribution");
  if (ir_dist_find(ps->m, dist_name)) fail_name(ps, "there is a distribution @", dist_name, " already");
  pending_dist d = {.dist = ir_dist_new(ps->m, dist_name)};
  d.dist->support = (uint8_t)choice(ps, "support", IR_SUP_FINITE + 1, ir_support_name);
  expect(ps, "event");
  int64_t event = integer(ps);
  expect(ps, "params");
  int64_t nparams = integer(ps);
  if (event < 0 || event > 2 || nparams < 0 || nparams > MAX_LIST) fail(ps, "a distribution with such an event or so many parameters");
  d.dist->event_rank = (uint8_t)event;
  d.dist->nparams = (uint32_t)nparams;
  d.dist->discrete = accept(ps, "discrete");
  expect(ps, "{");
  while (!accept(ps, "}")) {
    int k = choice(ps, "function of a distribution", MEMBERS, label);
    expect(ps, "@");
    d.at[k] = ps->p;
    d.member[k] = name(ps, "function");
  }
  ARENA_PUSH(ps->mem, ps->dist, ps->ndists, ps->cap_dists, d);
}

static void parse_site(parser *ps, ir_fn *fn) {
  const char *site_name = name(ps, "site");
  if (ir_site_find(fn, site_name)) fail_name(ps, "there is a site ", site_name, " already");
  ir_site_role role = (ir_site_role)choice(ps, "role of a site", 3, ir_site_role_name);
  ir_type type = parse_type(ps);
  ir_support support = (ir_support)choice(ps, "support", IR_SUP_FINITE + 1, ir_support_name);
  expect(ps, "event");
  int64_t event = integer(ps);
  if (event < 0 || event > 2) fail(ps, "an event of such a rank");
  ir_site_new(fn, site_name, role, support, type, (int)event);
}

static void parse_body(parser *ps, const pending *head) {
  ir_fn *fn = head->fn;
  ps->p = head->body;
  scope_reset(ps);
  for (uint32_t k = 0; k < fn->nparams; k++) define(ps, head->params.v[k], fn->param[k].val);
  while (accept(ps, "site")) parse_site(ps, fn);
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  parse_block(ps, &b, 0);
  value_list ret = {0};
  if (accept(ps, "return")) {
    do push_value(ps, &ret, value(ps));
    while (accept(ps, ","));
  }
  if (ret.n != head->nresults)
    fail(ps, arena_printf(ps->mem, "@%.80s returns %zu values, its head says %zu", fn->name, ret.n, head->nresults));
  for (size_t k = 0; k < ret.n; k++)
    if (!ir_type_equal(ir_type_of(fn, ret.v[k]), head->result[k])) {
      strbuf text;
      strbuf_init(&text, ps->mem);
      ir_print_type(ps->m, ir_type_of(fn, ret.v[k]), &text);
      strbuf_puts(&text, " where its head says ");
      ir_print_type(ps->m, head->result[k], &text);
      fail(ps, arena_printf(ps->mem, "@%.80s returns %s", fn->name, text.s));
    }
  ir_return(fn, (uint32_t)ret.n, ret.v);
  expect(ps, "}");
}

static void parse_module(parser *ps) {
  for (skip_space(ps); ps->p < ps->end; skip_space(ps)) {
    if (accept(ps, "func")) parse_head(ps, false);
    else if (accept(ps, "model")) parse_head(ps, true);
    else if (accept(ps, "dist")) parse_dist(ps);
    else fail(ps, "expected func, model or dist");
  }
  for (size_t k = 0; k < ps->ndists; k++) {
    ir_dist *d = ps->dist[k].dist;
    ir_fn **slot[MEMBERS] = {&d->logpdf, &d->sample, &d->cdf, &d->valid, &d->standard, &d->from_standard};
    for (int j = 0; j < MEMBERS; j++) {
      if (!ps->dist[k].member[j]) continue;
      *slot[j] = ir_fn_find(ps->m, ps->dist[k].member[j]);
      if (!*slot[j]) fail_at(ps, ps->dist[k].at[j], arena_printf(ps->mem, "there is no function @%.80s", ps->dist[k].member[j]));
    }
  }
  for (size_t k = 0; k < ps->nfns; k++) parse_body(ps, &ps->fn[k]);
}

bool ir_parse(ir_module *m, const char *text, size_t n, const char **error) {
  uint32_t nfns = m->nfns, ndists = m->ndists;
  parser *ps = ARENA_NEW(m->mem, parser);
  ps->m = m;
  ps->mem = m->mem;
  if (n > MAX_TEXT) {
    *error = "line 1: a text of more than 16 MiB";
    return false;
  }
  intern_init(&ps->names, m->mem);
  ps->text = ps->p = arena_strndup(m->mem, text, n);
  ps->end = ps->text + n;
  if (setjmp(ps->fault)) {
    m->nfns = nfns;
    m->ndists = ndists;
    *error = ps->error;
    return false;
  }
  parse_module(ps);
  *error = NULL;
  return true;
}
