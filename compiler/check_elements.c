/* check_elements.c: arrays built by elements: `let s[1] = ..` and `for t in 2..T { let s[t] = .. }`, `theta[j] ~ ..` in a plate.
 *
 * Each statement that sets elements is a *piece*: a box of positions, whose axis is lo..hi where a subscript is a loop index plus
 * a size.  The pieces of an array must tile 1..N in each axis, with equal symbols where they meet, and that gives its extents.
 * They are collected from the tree before the statements are checked, so that the extents are known at the first one.  Whether what is
 * read was set before is asked in check_elements_read.c. */
#include "compiler/check_elements.h"

enum { MAX_PIECES = 512 };

symbol *elements_symbol(const elements *e) { return e->sym; }
const ty_info *elements_element(const elements *e) { return e->element; }

/* --- collecting */

typedef struct collector {
  ctx *c;
  /* name -> ptr_map of home -> elements.  What is drawn is kept apart from what is computed: `ly[i] ~ D` observes the
   * elements that `let ly[i] = ..` has set. */
  ptr_map lets, draws;
  pre_loop *loops;
  const ast_stmt *branch_of;
  bool otherwise;
  unsigned conds;
} collector;

static bool mentions(const ast_expr *e, const char *name) {
  switch (e->kind) {
  case EXPR_NAME: return e->name.name == name;
  case EXPR_UNARY: return mentions(e->unary.arg, name);
  case EXPR_BINARY: return mentions(e->binary.lhs, name) || mentions(e->binary.rhs, name);
  case EXPR_INDEX:
    if (mentions(e->index.base, name)) return true;
    for (size_t i = 0; i < e->index.subs.n; i++)
      if (mentions(e->index.subs.items[i], name)) return true;
    return false;
  case EXPR_RANGE: return mentions(e->range.lo, name) || mentions(e->range.hi, name);
  case EXPR_CALL:
    for (size_t i = 0; i < e->call.args.n; i++)
      if (mentions(e->call.args.items[i].value, name)) return true;
    return false;
  default: return false;
  }
}

static bool target_uses(const ast_target *t, const pre_loop *l) {
  for (size_t i = 0; i < t->subs.n; i++)
    if (mentions(t->subs.items[i], l->range->var.name)) return true;
  return false;
}

static void collect_target(collector *k, const ast_target *t, const ast_expr *value) {
  ctx *c = k->c;
  if (t->type) type_mark_sizes(c, t->type);
  if (name_missing(&t->name)) return;
  if (!ptr_map_get(&c->later, t->name.name)) ptr_map_put(&c->later, t->name.name, (void *)t);
  if (!value) order_collect(c, t, k->loops);
  if (t->subs.n == 0) return;
  pre_loop *home = k->loops;
  while (home && home->range && target_uses(t, home)) home = home->outer;
  ptr_map *by_name = value ? &k->lets : &k->draws;
  ptr_map *homes = ptr_map_get(by_name, t->name.name);
  if (!homes) {
    homes = ARENA_NEW(c->a, ptr_map);
    ptr_map_init(homes, c->a);
    ptr_map_put(by_name, t->name.name, homes);
  }
  const void *key = home ? (const void *)home : (const void *)k;
  elements *e = ptr_map_get(homes, key);
  if (!e) {
    e = ARENA_NEW(c->a, elements);
    e->name = t->name.name;
    e->home = home;
    ptr_map_put(homes, key, e);
  }
  piece p = {.target = t, .value = value, .loops = k->loops, .branch_of = k->branch_of, .otherwise = k->otherwise,
             .conditional = k->conds > (home ? home->conds : 0)};
  ARENA_PUSH(c->a, e->pieces, e->n, e->cap, p);
  ptr_map_put(&c->arrays, t, e);
}

static void collect_block(collector *k, const ast_block *b);

static void collect_loop(collector *k, const ast_iter *it, bool is_for, const ast_block *body, const ast_target *t) {
  pre_loop *outer = k->loops;
  for (size_t i = 0; i < it->n; i++) {
    pre_loop *l = ARENA_NEW(k->c->a, pre_loop);
    /* The filter is asked where all of the indices are known. */
    *l = (pre_loop){k->loops, &it->items[i], is_for, k->conds + (it->cond && i + 1 == it->n)};
    k->loops = l;
  }
  k->conds += it->cond != NULL;
  if (body) collect_block(k, body);
  else collect_target(k, t, NULL);
  k->conds -= it->cond != NULL;
  k->loops = outer;
}

static void collect_block(collector *k, const ast_block *b) {
  for (size_t i = 0; i < b->n; i++) {
    ast_stmt *s = b->items[i];
    submodel_expand(k->c, s);
    loops_turn(k->c, s);
    switch (s->kind) {
    case STMT_GROUP: {
      submodel *outer = k->c->expanding;
      k->c->expanding = s->group.info;
      collect_block(k, s->group.body);
      k->c->expanding = outer;
      break;
    }
    case STMT_SAMPLE: collect_loop(k, &s->sample.iter, false, NULL, &s->sample.target); break;
    case STMT_LET: collect_target(k, &s->let.target, s->let.value); break;
    case STMT_PLATE: collect_loop(k, &s->plate.iter, false, s->plate.body, NULL); break;
    case STMT_FOR: collect_loop(k, &s->for_.iter, true, s->for_.body, NULL); break;
    case STMT_PREDICT: {
      pre_loop l = {k->loops, NULL, false, k->conds}, *kept = ARENA_NEW(k->c->a, pre_loop);
      *kept = l;
      k->loops = kept;
      collect_block(k, s->predict.body);
      k->loops = kept->outer;
      break;
    }
    case STMT_IF: {
      const ast_stmt *branch_of = k->branch_of;
      bool otherwise = k->otherwise;
      k->branch_of = s;
      k->conds++;
      k->otherwise = false;
      collect_block(k, s->if_.then);
      k->otherwise = true;
      if (s->if_.else_) collect_block(k, s->if_.else_);
      k->conds--;
      k->branch_of = branch_of;
      k->otherwise = otherwise;
      break;
    }
    default: break;
    }
  }
}

void elements_collect(ctx *c, const ast_block *body) {
  collector k = {.c = c};
  ptr_map_init(&k.lets, c->a);
  ptr_map_init(&k.draws, c->a);
  collect_block(&k, body);
}

/* --- positions and extents */

static bool piece_affine(ctx *c, const piece *p, const ast_expr *e, const ast_range **range, bool *is_for, ir_size *off) {
  size_table *t = c->p->sizes;
  if (e->kind == EXPR_NAME)
    for (const pre_loop *l = p->loops; l && l->range; l = l->outer)
      if (l->range->var.name == e->name.name) {
        *range = l->range;
        *is_for = l->is_for;
        *off = size_const(t, 0);
        return true;
      }
  if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB)) {
    const ast_range *ra = NULL, *rb = NULL;
    ir_size a, b;
    bool fa = false, fb = false;
    if (!piece_affine(c, p, e->binary.lhs, &ra, &fa, &a) || !piece_affine(c, p, e->binary.rhs, &rb, &fb, &b)) return false;
    if (rb && (ra || e->binary.op == OP_SUB)) return false;
    *range = ra ? ra : rb;
    *is_for = fa || fb;
    *off = e->binary.op == OP_ADD ? size_add(t, a, b) : size_sub(t, a, b);
    return true;
  }
  *range = NULL;
  *off = size_of_expr(c, e);
  return *off != IR_SIZE_NONE;
}

/* Rows that begin where data say: what stands before is drawn too, as what the program chooses. */
static void help_late(ctx *c, diag *d, const elements *e, const piece *p, size_t axis, const char *before, const ast_expr *first) {
  const char *cell = e->name, *text = ast_expr_text(c->a, first);
  for (size_t k = 0; k < p->target->subs.n; k++)
    cell = arena_printf(c->a, "%s%s%s", cell, k ? ", " : "[", k == axis ? "t" : ast_expr_text(c->a, p->target->subs.items[k]));
  cx_help(c, d, "draw whole rows, and let a condition choose: `for t in 1..T { if t %s %s { %s] ~ A } else { %s] ~ B } }`, A being what holds until then, `Bernoulli(1)` say; data may be observed in a loop from there on",
          before, text, cell, cell);
}

static diag *cannot_tell(ctx *c, const elements *e, span at, const char *why) {
  diag *d = cx_error(c, "E0523", at, "it cannot be told that every element of `%s` is set exactly once", e->name);
  cx_say(c, d, "%s", why);
  cx_help(c, d, "elements are set at `[i]` or `[i + 1]`, or all of a loop at `[N - i]`, with i in a range of sizes; a comprehension `[... for i in 1..N]` builds an array at once");
  return d;
}

/* Whether e reads something that was reported already. */
static bool silenced(ctx *c, const ast_expr *e) {
  switch (e->kind) {
  case EXPR_ERROR: return true;
  case EXPR_NAME: {
    symbol *s = ptr_map_get(&c->names, e->name.name);
    return !s || (s->type && ty_is_error(s->type));
  }
  case EXPR_INDEX: return silenced(c, e->index.base);
  case EXPR_UNARY: return silenced(c, e->unary.arg);
  case EXPR_BINARY: return silenced(c, e->binary.lhs) || silenced(c, e->binary.rhs);
  default: return false;
  }
}

static bool resolve_piece(ctx *c, elements *e, piece *p) {
  const ast_exprs *subs = &p->target->subs;
  size_table *t = c->p->sizes;
  if (subs->n != e->naxes) {
    diag *d = cx_error(c, "E0527", p->target->at, "`%s` has %zu subscript%s here and %zu elsewhere", e->name, subs->n, subs->n == 1 ? "" : "s",
                       e->naxes);
    if (e->pieces[0].target) cx_point(c, d, e->pieces[0].target->at, "the other place");
    return false;
  }
  for (size_t a = 0; a < subs->n; a++) {
    const ast_expr *sub = subs->items[a];
    if (sub->kind == EXPR_ALL) {
      diag *d = cx_error(c, "E0523", sub->at, "how many elements of `%s` this sets is not known", e->name);
      if (a + 1 == subs->n) cx_help(c, d, "leave the last `:` out");
      else cx_help(c, d, "write the range, such as `1..N`");
      return false;
    }
    if (sub->kind == EXPR_RANGE) {
      p->range[a] = NULL;
      p->lo[a] = size_of_expr(c, sub->range.lo);
      p->hi[a] = size_of_expr(c, sub->range.hi);
      if (p->lo[a] != IR_SIZE_NONE && p->hi[a] != IR_SIZE_NONE) continue;
      if (!silenced(c, sub->range.lo) && !silenced(c, sub->range.hi)) cannot_tell(c, e, sub->at, "these bounds are not sizes");
      return false;
    }
    const ast_range *r;
    bool is_for;
    if (!piece_affine(c, p, sub, &r, &is_for, &p->off[a])) {
      diag *d = cannot_tell(c, e, sub->at, "this is not a loop index plus a size");
      if (a > 0 && sub->kind == EXPR_INDEX)
        help_late(c, d, e, p, a, "<=", sub);
      else if (!p->value && sub->kind == EXPR_INDEX)
        cx_help(c, d, "draw `%s` over its own index, `%s[i] ~ D`, and read `%s[k[i]]` where it is needed; an array of which a part is data is data with `null` for the rest", e->name, e->name, e->name);
      else if (sub->kind == EXPR_BINARY && sub->binary.op == OP_MUL)
        cx_help(c, d, "what repeats can have an axis of its own: `%s[i, 1]` and `%s[i, 2]` for `%s[2 * i - 1]` and `%s[2 * i]`", e->name, e->name, e->name, e->name);
      return false;
    }
    p->range[a] = r;
    p->lo[a] = p->hi[a] = p->off[a];
    if (!r) continue;
    for (size_t b = 0; b < a; b++)
      if (p->range[b] == r) {
        cannot_tell(c, e, sub->at, "the same index moves along two axes");
        return false;
      }
    double by = 1;
    ir_size lo, hi;
    if (r->over) {
      cannot_tell(c, e, sub->at, "this index runs over an array");
      return false;
    }
    if (r->by && (!const_of_expr(r->by, &by) || (by != 1 && by != -1))) {
      cannot_tell(c, e, r->by->at, "steps other than 1 and -1 leave gaps");
      return false;
    }
    p->down[a] = by < 0;
    lo = size_of_expr(c, by < 0 ? r->hi : r->lo);
    hi = size_of_expr(c, by < 0 ? r->lo : r->hi);
    if (lo == IR_SIZE_NONE || hi == IR_SIZE_NONE) {
      if (silenced(c, r->lo) || silenced(c, r->hi)) return false;
      diag *d = cannot_tell(c, e, r->at, "these bounds are not sizes");
      const bool matrix = p->target->subs.n > 1;
      if (a > 0 && !p->value && by > 0 && hi != IR_SIZE_NONE) help_late(c, d, e, p, a, "<", r->lo);
      else if (matrix && p->value) cx_help(c, d, "a triangle is a matrix with 0 in the rest: `let %s = [if j <= i { a } else { 0.0 } for i in 1..K, j in 1..K]`", e->name);
      else if (matrix) cx_help(c, d, "a triangle is a vector, put into a matrix: `cells: real[K * (K - 1) // 2] ~ D`, `let %s = [if j < i { cells[(i - 1) * (i - 2) // 2 + j] } else { 0.0 } for i in 1..K, j in 1..K]`", e->name);
      else if (!p->value) cx_help(c, d, "draw the elements of the whole range, and let a condition choose: `%s[t] ~ D(if t <= first { a } else { b })`", e->name);
      return false;
    }
    p->lo[a] = size_add(t, lo, p->off[a]);
    p->hi[a] = size_add(t, hi, p->off[a]);
  }
  return true;
}

bool elements_place(ctx *c, piece *p, size_t a, ir_size extent) {
  size_table *t = c->p->sizes;
  const ast_exprs *subs = &p->target->subs;
  const ast_expr *sub = a < subs->n ? subs->items[a] : NULL;
  const ast_range *r = NULL;
  bool is_for;
  double by = 1;
  p->range[a] = NULL;
  p->lo[a] = p->hi[a] = IR_SIZE_NONE;
  if (!sub || sub->kind == EXPR_ALL) {
    p->lo[a] = size_const(t, 1), p->hi[a] = extent;
    return true;
  }
  if (sub->kind == EXPR_RANGE) {
    p->lo[a] = size_of_expr(c, sub->range.lo), p->hi[a] = size_of_expr(c, sub->range.hi);
    return true;
  }
  if (!piece_affine(c, p, sub, &r, &is_for, &p->off[a])) return false;
  p->lo[a] = p->hi[a] = p->off[a];
  if (!r) return true;
  if (r->over || (r->by && (!const_of_expr(r->by, &by) || (by != 1 && by != -1)))) return false;
  for (size_t b = 0; b < a; b++)
    if (p->range[b] == r) return false;
  p->range[a] = r;
  p->down[a] = by < 0;
  const ir_size lo = size_of_expr(c, by < 0 ? r->hi : r->lo), hi = size_of_expr(c, by < 0 ? r->lo : r->hi);
  p->lo[a] = lo == IR_SIZE_NONE ? lo : size_add(t, lo, p->off[a]);
  p->hi[a] = hi == IR_SIZE_NONE ? hi : size_add(t, hi, p->off[a]);
  return true;
}

static span piece_at(const elements *e, const piece *p) {
  return p->target ? p->target->at : e->element_at;
}

static const char *piece_text(ctx *c, const piece *p, size_t axis) {
  if (p->lo[axis] == p->hi[axis]) return size_text(c->st, p->lo[axis]);
  return arena_printf(c->a, "%s..%s", size_text(c->st, p->lo[axis]), size_text(c->st, p->hi[axis]));
}

/* The element at `next` along an axis, where p sets others. */
static const char *element_text(ctx *c, const elements *e, const piece *p, size_t axis, ir_size next) {
  strbuf text;
  strbuf_init(&text, c->a);
  strbuf_printf(&text, "%s[", e->name);
  for (size_t a = 0; p->target && a < p->target->subs.n; a++) {
    if (a) strbuf_puts(&text, ", ");
    if (a == axis) strbuf_puts(&text, size_text(c->st, next));
    else ast_print_expr(&text, p->target->subs.items[a]);
  }
  if (!p->target) strbuf_puts(&text, size_text(c->st, next));
  strbuf_puts(&text, "]");
  return text.s;
}

/* Two statements under conditions, of which it cannot be told that they exclude each other. */
static bool under_conditions(piece *const *list, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (!list[i]->conditional || !list[i]->target) return false;
    for (size_t k = 0; k < i; k++)
      if (list[k]->branch_of == list[i]->branch_of && list[k]->otherwise == list[i]->otherwise) return false;
  }
  return true;
}

/* One box, set by one piece: of several, only as the branches of one `if`. */
static bool set_once(ctx *c, const elements *e, piece *const *list, size_t n) {
  if (n == 2 && list[0]->branch_of && list[0]->branch_of == list[1]->branch_of && list[0]->otherwise != list[1]->otherwise) return true;
  if (n == 1 && !list[0]->conditional) return true;
  if (n == 1) {
    diag *d = cx_error(c, "E0523", piece_at(e, list[0]), "this element of `%s` is set under a condition only", e->name);
    cx_help(c, d, "set it in both branches of the `if`, or choose the value: `if c { a } else { b }`; unknowns are drawn for the whole range, and chosen among where they are read");
    return false;
  }
  if (under_conditions(list, n)) {
    const bool drawn = !list[1]->value;
    diag *g = cx_error(c, drawn ? "E0531" : "E0523", piece_at(e, list[1]), "elements of `%s` are %s under one condition and under another", e->name, drawn ? "drawn" : "set");
    cx_point(c, g, piece_at(e, list[0]), "these are the same elements");
    if (drawn) cx_help(c, g, "branches that draw the same and do nothing else are one draw: `if c { x[i] ~ D } else { x[i] ~ E }`; else draw it always, and choose its distribution, `switch(if c { 1 } else { 2 }, [D, E])`, or the values of its parameters");
    else cx_help(c, g, "set it in both branches of one `if`, or choose the value: `if c { a } else { b }`");
    return false;
  }
  diag *d = cx_error(c, "E0522", piece_at(e, list[1]), "`%s` is set twice here", e->name);
  if (list[0]->target) cx_point(c, d, piece_at(e, list[0]), "these elements were set here");
  cx_help(c, d, "each element of an array is set once");
  return false;
}

/* No piece of the rest starts at `next`, behind `last` (NULL: none so far): its first either sets again what was set, or leaves a gap. */
static void tell_gap(ctx *c, const elements *e, piece *const *rest, size_t n, size_t axis, ir_size next, const piece *last) {
  const piece *p = rest[0];
  int64_t d;
  for (size_t i = 1; i < n; i++)
    if (size_difference(c->st, rest[i]->lo[axis], p->lo[axis], &d) && d < 0) p = rest[i];
  const bool decided = size_difference(c->st, p->lo[axis], next, &d);
  int64_t from;
  if ((decided && d < 0) || (!decided && last && size_difference(c->st, p->lo[axis], last->lo[axis], &from) && from == 0)) {
    const bool one = e->naxes == 1 && p->lo[0] == p->hi[0];
    diag *g = one ? cx_error(c, "E0522", piece_at(e, p), "`%s[%s]` is set twice", e->name, piece_text(c, p, axis))
                  : cx_error(c, "E0522", piece_at(e, p), "elements of `%s` are set twice: %s again", e->name, piece_text(c, p, axis));
    if (last && last->target) cx_point(c, g, piece_at(e, last), "%s set here", piece_text(c, last, axis));
    cx_help(c, g, "each element of an array is set once");
    return;
  }
  const char *missing = element_text(c, e, p, axis, next);
  diag *g = cx_error(c, "E0521", piece_at(e, p), "%s `%s` is not set", last ? "element" : "the first element", missing);
  cx_say(c, g, "this sets %s%s", piece_text(c, p, axis), axis ? arena_printf(c->a, " of axis %zu", axis + 1) : "");
  if (last && last->target) cx_point(c, g, piece_at(e, last), "this sets %s", piece_text(c, last, axis));
  const bool whole = e->n == 1 && !p->range[axis] && p->target;
  if (whole && p->value) cx_help(c, g, "`let %s = ...` has the shape of its value; elements are set in a loop: `let %s[i] = ...`", e->name, e->name);
  else if (whole) cx_help(c, g, "an array is declared with its extents: `%s: real[%s] ~ ...`", e->name, piece_text(c, p, axis));
  else if (!decided) cx_help(c, g, "ranges meet where one ends in the very size that the next starts after");
  else if (!last) cx_help(c, g, p->value ? "counting starts at 1: add `let %s = ...` or start the loop at 1" : "counting starts at 1: add `%s ~ ...` or start the loop at 1", missing);
}

/* Whether pieces chain along axis and all below it, after grouping by their range on that axis.  Sets ext from `axis` on. */
static bool tile(ctx *c, elements *e, piece **list, size_t n, size_t axis, ir_size *ext) {
  size_table *t = c->p->sizes;
  if (axis == e->naxes) return set_once(c, e, list, n);
  piece **rest = ARENA_ARRAY(c->a, piece *, n), **group = ARENA_ARRAY(c->a, piece *, n);
  for (size_t i = 0; i < n; i++) rest[i] = list[i];
  size_t nrest = n, groups = 0;
  ir_size next = size_const(t, 1), one = next;
  ir_size inner[IR_MAX_RANK] = {0};
  const piece *last = NULL;
  while (nrest > 0) {
    size_t ngroup = 0, left = 0;
    ir_size hi = IR_SIZE_NONE;
    for (size_t i = 0; i < nrest; i++) {
      if (rest[i]->lo[axis] == next && (hi == IR_SIZE_NONE || rest[i]->hi[axis] == hi)) {
        hi = rest[i]->hi[axis];
        group[ngroup++] = rest[i];
      } else rest[left++] = rest[i];
    }
    if (ngroup == 0) {
      tell_gap(c, e, rest, nrest, axis, next, last);
      return false;
    }
    ir_size mine[IR_MAX_RANK] = {0};
    if (!tile(c, e, group, ngroup, axis + 1, mine)) return false;
    for (size_t a = axis + 1; a < e->naxes && groups > 0; a++)
      if (mine[a] != inner[a]) {
        diag *d = cx_error(c, "E0521", piece_at(e, group[0]), "`%s` has %s elements along axis %zu here and %s elsewhere", e->name,
                           size_text(c->st, mine[a]), a + 1, size_text(c->st, inner[a]));
        if (last && last->target) cx_point(c, d, piece_at(e, last), "the other place");
        return false;
      }
    for (size_t a = axis + 1; a < e->naxes; a++) inner[a] = mine[a];
    groups++;
    last = group[0];
    next = size_add(t, hi, one);
    nrest = left;
  }
  ext[axis] = size_sub(t, next, one);
  for (size_t a = axis + 1; a < e->naxes; a++) ext[a] = inner[a];
  return true;
}

static bool resolve(ctx *c, elements *e, symbol *continues) {
  e->naxes = e->pieces[0].target->subs.n;
  if (e->naxes > IR_MAX_RANK) {
    cx_error(c, "E0513", e->pieces[0].target->at, "an array has at most %d axes", IR_MAX_RANK);
    return false;
  }
  if (e->n > MAX_PIECES) {
    diag *d = cx_error(c, "E0523", e->pieces[0].target->at, "`%s` is built by more than %d statements", e->name, MAX_PIECES);
    cx_help(c, d, "write `[a, b, c, ...]`");
    return false;
  }
  for (size_t i = 0; i < e->n; i++)
    if (!resolve_piece(c, e, &e->pieces[i])) return false;
  if (continues) {
    const ty_info *t = continues->type;
    piece base = {.visited = true};
    if (!t || t->rank < e->naxes) {
      if (t && !ty_is_error(t)) {
        diag *d = cx_error(c, "E0506", e->pieces[0].target->at, "`%s` is %s", e->name, ty_print(c->p, t));
        cx_point(c, d, continues->at, "declared here");
      }
      return false;
    }
    for (size_t a = 0; a < e->naxes; a++) base.lo[a] = size_const(c->p->sizes, 1), base.hi[a] = t->dim[a];
    ARENA_PUSH(c->a, e->pieces, e->n, e->cap, base);
    for (size_t i = e->n - 1; i > 0; i--) e->pieces[i] = e->pieces[i - 1];
    e->pieces[0] = base;
  }
  piece **list = ARENA_ARRAY(c->a, piece *, e->n);
  for (size_t i = 0; i < e->n; i++) list[i] = &e->pieces[i];
  return tile(c, e, list, e->n, 0, e->ext);
}

bool elements_of_body(const symbol *s) { return sym_of((symbol *)s)->elems && !sym_of((symbol *)s)->elems->home; }

elements *elements_of(ctx *c, const ast_target *t, bool is_site, symbol *continues) {
  elements *e = ptr_map_get(&c->arrays, t);
  if (!e) return NULL;
  if (!e->resolved) {
    e->resolved = true;
    e->broken = !resolve(c, e, continues);
  }
  if (e->broken) return NULL;
  /* A loop between the array's scope and this statement whose index is missing would set the elements again. */
  const piece *p = NULL;
  for (size_t i = 0; i < e->n && !p; i++)
    if (e->pieces[i].target == t) p = &e->pieces[i];
  const pre_loop *home = e->home;
  bool again = home && home->range && is_site;
  for (const pre_loop *l = home; l && l->range && !again; l = l->outer) again = target_uses(t, l);
  if (again) {
    diag *d = cx_error(c, "E0526", t->at, "every iteration over `%s` would define this part of `%s` again", home->range->var.name, e->name);
    cx_point(c, d, home->range->at, "the loop over `%s`", home->range->var.name);
    strbuf b;
    strbuf_init(&b, c->a);
    strbuf_printf(&b, "%s[%s", e->name, home->range->var.name);
    for (size_t i = 0; i < t->subs.n; i++) {
      strbuf_puts(&b, ", ");
      ast_print_expr(&b, t->subs.items[i]);
    }
    cx_help(c, d, "give every iteration its own: `%s]`", b.s);
    e->broken = true;
    return NULL;
  }
  return e;
}

bool elements_beyond(ctx *c, const ast_target *t, const symbol *let) {
  const elements *e = ptr_map_get(&c->arrays, t), *set = sym_of((symbol *)let)->elems;
  for (size_t i = 0; e && set && !set->broken && i < e->n; i++) {
    const piece *p = &e->pieces[i];
    for (size_t a = 0; p->target == t && a < t->subs.n && a < set->naxes; a++) {
      const ast_range *r;
      bool is_for;
      ir_size off;
      int64_t d;
      if (!piece_affine(c, p, t->subs.items[a], &r, &is_for, &off) || (r && (r->over || r->by))) continue;
      if (r) off = size_add(c->p->sizes, size_of_expr(c, r->lo), off);
      if (off != IR_SIZE_NONE && size_difference(c->st, off, set->ext[a], &d) && d > 0) return true;
    }
  }
  return false;
}

void elements_start(ctx *c, elements *e, symbol *s) {
  e->sym = s;
  s->elementwise = true;
  sym_info *x = sym_of(s);
  x->elems = e;
  x->home = 0;
  if (!e->home) return;
  if (!e->home->range) {
    x->home = c->predict_depth;
    return;
  }
  for (const loop *l = c->loops; l; l = l->outer)
    if (l->range == e->home->range) x->home = l->depth;
}

static const ty_info *array_of(ctx *c, const elements *e, const ty_info *element) {
  ty_info *t = ARENA_NEW(c->a, ty_info);
  *t = *element;
  t->rank = (uint8_t)(e->naxes + element->rank);
  for (size_t a = 0; a < e->naxes; a++) t->dim[a] = e->ext[a];
  for (unsigned k = 0; k < element->rank; k++) t->dim[e->naxes + k] = element->dim[k];
  return t;
}

void elements_assume(ctx *c, elements *e, const ty_info *element) {
  e->sym->type = array_of(c, e, element);
  e->assumed = true;
}

void elements_assumed(elements *e) {
  if (e->assumed) e->sym->type = NULL;
  e->assumed = false;
}

void elements_typed(ctx *c, elements *e, const ty_info *element, span at) {
  if (!e->element) {
    e->element = element;
    e->element_at = at;
    if (ty_is_error(element)) {
      e->sym->type = element;
      return;
    }
    if (e->naxes + element->rank > IR_MAX_RANK) {
      cx_error(c, "E0513", at, "an array has at most %d axes", IR_MAX_RANK);
      e->sym->type = ty_scalar(c->st, TY_ERROR);
      return;
    }
    e->sym->type = array_of(c, e, element);
    return;
  }
  if (ty_is_error(element) || ty_is_error(e->element)) return;
  if (!shape_equal(e->element, element) || ty_join(e->element->kind, element->kind) != e->element->kind) {
    diag *d = cx_error(c, "E0527", at, "the elements of `%s` have one type: %s and %s", e->name, ty_print(c->p, e->element),
                       ty_print(c->p, element));
    cx_point(c, d, e->element_at, "%s here", ty_print(c->p, e->element));
    if (shape_equal(e->element, element)) cx_help(c, d, "make the first one a real: `1.0` instead of `1`");
    e->element = e->sym->type = ty_scalar(c->st, TY_ERROR);
  }
}

void elements_visited(elements *e, const ast_target *t) {
  for (size_t i = 0; i < e->n; i++)
    if (e->pieces[i].target == t) e->pieces[i].visited = true;
}

/* A guess: real unless everything in sight is an int.  A wrong one is an error at the element, never a wrong program. */
static ty_kind guess(ctx *c, const elements *e, const ast_expr *x) {
  switch (x->kind) {
  case EXPR_INT: return TY_INT;
  case EXPR_BOOL: return TY_BOOL;
  case EXPR_NAME: {
    if (x->name.name == e->name) return TY_BOOL;
    symbol *s = ptr_map_get(&c->names, x->name.name);
    if (s) return s->type && ty_is_value(s->type) ? (ty_kind)s->type->kind : s->kind == SYM_INDEX ? TY_INT : TY_REAL;
    for (size_t i = 0; i < e->n; i++)
      for (const pre_loop *l = e->pieces[i].loops; l && l->range; l = l->outer)
        if (l->range->var.name == x->name.name && !l->range->over) return TY_INT;
    return TY_REAL;
  }
  case EXPR_INDEX: return guess(c, e, x->index.base);
  case EXPR_UNARY: return x->unary.op == OP_NOT ? TY_BOOL : ty_join(TY_BOOL, guess(c, e, x->unary.arg));
  case EXPR_IF: return ty_join(guess(c, e, x->if_.then), guess(c, e, x->if_.else_));
  case EXPR_BINARY:
    switch (x->binary.op) {
    case OP_AND: case OP_OR: case OP_LT: case OP_GT: case OP_LE: case OP_GE: case OP_EQ: case OP_NE: return TY_BOOL;
    case OP_DIV: case OP_POW: return TY_REAL;
    case OP_FLOORDIV: case OP_MOD: return TY_INT;
    default: {
      ty_kind k = ty_join(guess(c, e, x->binary.lhs), guess(c, e, x->binary.rhs));
      return k == TY_BOOL ? TY_INT : k;
    }
    }
  default: return TY_REAL;
  }
}

ty_kind elements_guess(ctx *c, const elements *e) {
  ty_kind k = TY_BOOL;
  for (size_t i = 0; i < e->n; i++)
    if (e->pieces[i].value) k = ty_join(k, guess(c, e, e->pieces[i].value));
  return k;
}
