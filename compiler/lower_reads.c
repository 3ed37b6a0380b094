/* lower_reads.c: see lower_reads.h.
 *
 * What of an expression is read at one position, and what as a whole, is as lower_prepare and lower_elem have it (lower_expr.c): whatever they compute before a loop counts as read whole. */
#include "compiler/lower_reads.h"

#include "compiler/builtin.h"

#define FAR ((int64_t)1 << 50) /* beyond all positions; sums of a few do not overflow */

typedef struct known {
  const symbol *sym;
  reach at;
} known;

typedef struct walk {
  lower *l;
  access_list *out;
  known *env; /* indices of loops that are not open */
  size_t n, cap;
  int names;  /* that may still be followed to what they are: a formula is a graph, and read as a tree */
} walk;

enum { MOST_NAMES = 10000 };

/* ---- positions */

static int64_t clamp(int64_t x) { return x < -FAR ? -FAR : x > FAR ? FAR : x; }

static reach between(int64_t least, int64_t most) { return (reach){.lo = least, .hi = most, .least = least, .most = most}; }

static reach anywhere(void) { return between(-FAR, FAR); }

static bool floats(const reach *a) { return a->counter || a->timed; }

static void float_on(reach *x, const reach *a) {
  x->counter = a->counter;
  x->timed = a->timed;
  x->from = a->from;
  x->to = a->to;
}

static reach plus(reach a, reach b) {
  reach r = between(clamp(a.least + b.least), clamp(a.most + b.most));
  if (floats(&a) && floats(&b)) return r;
  if (!floats(&a) && !floats(&b)) return r;
  float_on(&r, floats(&a) ? &a : &b);
  r.lo = clamp(a.lo + b.lo);
  r.hi = clamp(a.hi + b.hi);
  return r;
}

/* What does not float, told relative to what `a` floats on. */
static reach told_by(reach x, const reach *a) {
  if (floats(&x) || !floats(a)) return x;
  float_on(&x, a);
  x.lo = clamp(x.least - a->to);
  x.hi = clamp(x.most - a->from);
  return x;
}

static bool alike(const reach *a, const reach *b) { return floats(a) && a->counter == b->counter && a->timed == b->timed; }

/* From the lower ones of their ends, and to the higher ones; and where it is known that only one of the ends matters. */
typedef enum join { JOIN_BOTH, JOIN_LARGER, JOIN_SMALLER } join;

static int64_t low(join j, int64_t a, int64_t b) { return (a < b) == (j != JOIN_LARGER) ? a : b; }
static int64_t high(join j, int64_t a, int64_t b) { return (a > b) == (j != JOIN_SMALLER) ? a : b; }

static reach joined(join j, reach a, reach b) {
  a = told_by(a, &b);
  b = told_by(b, &a);
  reach x = between(low(j, a.least, b.least), high(j, a.most, b.most));
  if (!alike(&a, &b)) return x;
  float_on(&x, &a);
  x.lo = low(j, a.lo, b.lo);
  x.hi = high(j, a.hi, b.hi);
  return x;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* a // d for d > 0: what is behind grows slower than what it floats on. */
static reach divided(reach a, int64_t d) {
  reach x = between(floor_div(a.least, d), floor_div(a.most, d));
  if (!floats(&a)) return x;
  float_on(&x, &a);
  x.lo = clamp(floor_div(a.to + a.lo, d) - a.to);
  x.hi = clamp(floor_div(a.from + a.hi, d) - a.from);
  return x;
}

static reach minus(reach b) { return between(-b.most, -b.least); }

static reach shifted(reach a, int64_t by) { return plus(a, between(by, by)); }

static bool number(lower *l, const ast_expr *e, int64_t *n) {
  ir_size s;
  return lower_expr_size(l, e, &s) && size_value(l->m->sizes, s, n);
}

static int64_t extent_of(lower *l, ir_size dim) {
  int64_t n;
  return size_value(l->m->sizes, lower_size(l, dim), &n) ? n : FAR;
}

static reach position(walk *w, const ast_expr *e) {
  lower *l = w->l;
  int64_t n;
  if (number(l, e, &n)) return between(clamp(n), clamp(n));
  switch (e->kind) {
  case EXPR_NAME: {
    for (size_t k = w->n; k-- > 0;)
      if (w->env[k].sym == e->name.sym) return w->env[k].at;
    if (e->name.sym && e->name.sym->whole && w->names-- > 0) return position(w, e->name.sym->whole);
    const binding *b = e->name.sym ? lower_find(l, e->name.sym) : NULL;
    int64_t lo, count;
    if (!b || b->kind != BIND_INDEX || b->lo == IR_SIZE_NONE || !size_value(l->m->sizes, b->lo, &lo)) return anywhere();
    if (b->extent == IR_SIZE_NONE || !size_value(l->m->sizes, b->extent, &count)) return anywhere();
    const int64_t end = lo + b->sign * (count - 1);
    reach r = between(b->sign > 0 ? lo : end, b->sign > 0 ? end : lo);
    if (b->sign == 1) r.counter = b->v, r.lo = r.hi = lo, r.to = count - 1;
    return r;
  }
  case EXPR_BINARY:
    if (e->binary.op == OP_ADD) return plus(position(w, e->binary.lhs), position(w, e->binary.rhs));
    if (e->binary.op == OP_SUB) return plus(position(w, e->binary.lhs), minus(position(w, e->binary.rhs)));
    if (e->binary.op == OP_FLOORDIV && number(l, e->binary.rhs, &n) && n > 0) return divided(position(w, e->binary.lhs), n);
    if (e->binary.op == OP_MOD && number(l, e->binary.rhs, &n) && n > 0) return between(0, n - 1);
    return anywhere();
  case EXPR_CALL: {
    const check_call *c = check_call_of(l->p, e);
    const bool larger = c && c->callee->builtin == BUILTIN_MAX, smaller = c && c->callee->builtin == BUILTIN_MIN;
    if (!c || c->callee->kind != SYM_BUILTIN || c->nargs != 2 || (!larger && !smaller)) return anywhere();
    return joined(larger ? JOIN_LARGER : JOIN_SMALLER, position(w, c->args[0]), position(w, c->args[1]));
  }
  case EXPR_IF: return joined(JOIN_BOTH, position(w, e->if_.then), position(w, e->if_.else_));
  default: return anywhere();
  }
}

/* The index of a loop, whatever its direction. */
static reach index_of(walk *w, const ast_range *r) {
  if (r->over) return anywhere();
  return joined(JOIN_BOTH, position(w, r->lo), position(w, r->hi));
}

/* All of a slice: what matters of a read is how far it goes. */
static reach all_of(walk *w, const ast_expr *range) {
  const reach a = position(w, range->range.lo);
  reach b = position(w, range->range.hi);
  const bool together = a.counter == b.counter && a.timed == b.timed;
  if (floats(&b)) b.lo = together ? a.lo : -FAR;
  else b.lo = a.least;
  b.least = a.least;
  return b;
}

/* ---- expressions */

static void record(walk *w, const symbol *s, bool write, uint32_t n, const reach *at, const ast_expr *where) {
  if (!s || !s->type || !(s->kind == SYM_LET || s->kind == SYM_LATENT || s->kind == SYM_PREDICT || lower_in_order(w->l, s))) return;
  access x = {.sym = s, .write = write, .n = s->type->rank, .where = where};
  for (uint32_t k = 0; k < x.n; k++) {
    const int64_t extent = extent_of(w->l, s->type->dim[k]);
    x.at[k] = k < n ? at[k] : between(1, extent);
    if (x.at[k].least < 1) x.at[k].least = 1; /* what lies outside is refused when it is read */
    if (x.at[k].most > extent) x.at[k].most = extent;
    if (!floats(&x.at[k])) x.at[k].lo = x.at[k].least, x.at[k].hi = x.at[k].most;
  }
  ARENA_PUSH(w->l->mem, w->out->items, w->out->n, w->out->cap, x);
}

static void visit(walk *w, const ast_expr *e, uint32_t n, const reach *at);

static void whole(walk *w, const ast_expr *e) {
  if (e) visit(w, e, 0, NULL);
}

/* An operand of something with `rank` axes, of which the first n are at one position: aligned to the last ones. */
static void operand(walk *w, const ast_expr *e, uint32_t rank, uint32_t n, const reach *at) {
  const uint32_t skip = rank - ty_of(e)->rank;
  if (n > skip) visit(w, e, n - skip, at + skip);
  else whole(w, e);
}

/* The indices of ranges [from, n), of the first of which `first` may say where it is. */
static void ranges(walk *w, const ast_iter *iter, size_t from, const reach *first) {
  for (size_t k = from; k < iter->n; k++) {
    const ast_range *r = &iter->items[k];
    whole(w, r->lo);
    whole(w, r->hi);
    whole(w, r->over);
    const known x = {r->var.sym, first && k == from ? *first : index_of(w, r)};
    ARENA_PUSH(w->l->mem, w->env, w->n, w->cap, x);
  }
  whole(w, iter->cond);
}

static void subscripts(walk *w, const ast_expr *e, uint32_t n, const reach *at) {
  const ast_expr *base = e->index.base;
  reach pos[IR_MAX_RANK];
  uint32_t used = 0, axes = 0;
  for (; axes < e->index.subs.n && axes < IR_MAX_RANK; axes++) {
    const ast_expr *s = e->index.subs.items[axes];
    const reach all = between(1, extent_of(w->l, ty_of(base)->dim[axes]));
    switch (s->kind) {
    case EXPR_ALL: pos[axes] = used < n ? at[used++] : all; break;
    case EXPR_RANGE:
      whole(w, s->range.lo);
      whole(w, s->range.hi);
      pos[axes] = used < n ? shifted(plus(position(w, s->range.lo), at[used]), -1) : all_of(w, s);
      used += used < n;
      break;
    default: {
      const uint32_t rank = ty_of(s)->rank, mine = n - used < rank ? n - used : rank;
      visit(w, s, mine, at + used);
      used += mine;
      pos[axes] = rank ? all : position(w, s);
    }
    }
  }
  while (used < n && axes < IR_MAX_RANK) pos[axes++] = at[used++];
  if (base->kind == EXPR_NAME) record(w, base->name.sym, false, axes, pos, e);
  else whole(w, base);
}

static void visit(walk *w, const ast_expr *e, uint32_t n, const reach *at) {
  const size_t env = w->n;
  const uint32_t rank = e->info ? ty_of(e)->rank : 0;
  switch (e->kind) {
  case EXPR_NAME: record(w, e->name.sym, false, n, at, e); break;
  case EXPR_UNARY: {
    const bool turned = e->unary.op == OP_TRANSPOSE && rank == 2;
    const reach swapped[2] = {n == 2 ? at[1] : anywhere(), n == 2 ? at[0] : anywhere()};
    if (!turned) visit(w, e->unary.arg, n, at);
    else if (n == 2) visit(w, e->unary.arg, 2, swapped);
    else whole(w, e->unary.arg);
    break;
  }
  case EXPR_BINARY:
    if (e->binary.op == OP_MATMUL) n = 0;
    if (n) operand(w, e->binary.lhs, rank, n, at), operand(w, e->binary.rhs, rank, n, at);
    else whole(w, e->binary.lhs), whole(w, e->binary.rhs);
    break;
  case EXPR_CALL: {
    const check_call *c = check_call_of(w->l->p, e);
    const bool elementwise = c && n && lower_call_is_elementwise(w->l, e);
    whole(w, e->call.of);
    for (size_t k = 0; c && k < c->nargs; k++) {
      if (elementwise) operand(w, c->args[k], rank, n, at);
      else whole(w, c->args[k]);
    }
    for (size_t k = 0; !c && k < e->call.args.n; k++) whole(w, e->call.args.items[k].value);
    break;
  }
  case EXPR_REDUCE:
    ranges(w, &e->reduce.iter, 0, NULL);
    whole(w, e->reduce.body);
    break;
  case EXPR_COMPREHENSION:
    ranges(w, &e->comprehension.iter, 0, NULL);
    for (size_t k = 0; k < n && n == e->comprehension.iter.n && lower_by_elements(w->l, e); k++)
      w->env[env + k].at = shifted(plus(position(w, e->comprehension.iter.items[k].lo), at[k]), -1);
    whole(w, e->comprehension.body);
    break;
  case EXPR_ARRAY:
    for (size_t k = 0; k < e->array.elems.n; k++) whole(w, e->array.elems.items[k]);
    break;
  case EXPR_INDEX: subscripts(w, e, n, at); break;
  case EXPR_FIELD: whole(w, e->field.base); break;
  case EXPR_IF:
    whole(w, e->if_.cond);
    whole(w, e->if_.then);
    whole(w, e->if_.else_);
    break;
  case EXPR_LET:
    whole(w, e->let.value);
    whole(w, e->let.body);
    break;
  case EXPR_RANGE:
    whole(w, e->range.lo);
    whole(w, e->range.hi);
    break;
  default: break;
  }
  w->n = env;
}

/* ---- vectors */

/* Those of the first axes of a target that its subscripts leave open. */
typedef struct open_axes {
  uint32_t n, axis[IR_MAX_RANK]; /* of the array */
} open_axes;

static open_axes open_of(const ast_target *t, uint32_t rank) {
  open_axes o = {0};
  for (uint32_t k = 0; k < rank; k++) {
    const ast_expr *sub = k < t->subs.n ? t->subs.items[k] : NULL;
    if (!sub || sub->kind == EXPR_ALL || sub->kind == EXPR_RANGE) o.axis[o.n++] = k;
  }
  return o;
}

static const ast_target *target_of(const ast_stmt *s) { return s->kind == STMT_SAMPLE ? &s->sample.target : s->kind == STMT_LET ? &s->let.target : NULL; }

static uint32_t event_of(lower *l, const ast_stmt *s) {
  const symbol *sym = s->sample.target.name.sym;
  const check_call *call = check_call_of(l->p, s->sample.dist);
  const check_dist *d = call ? check_dist_of(l->p, call->callee) : NULL;
  const uint32_t own = sym->site ? l->site[sym->site - 1]->event_rank : 0;
  return d && d->on && d->on->rank > own ? d->on->rank : own;
}

/* How many axes the statement goes through element by element. */
static uint32_t batch_of(lower *l, const ast_stmt *s) {
  const symbol *sym = target_of(s)->name.sym;
  return sym->type->rank - (s->kind == STMT_SAMPLE ? event_of(l, s) : 0);
}

const ast_iter *step_iter(const step *s) {
  switch (s->s->kind) {
  case STMT_SAMPLE: return s->s->sample.iter.n ? &s->s->sample.iter : NULL;
  case STMT_PLATE: return &s->s->plate.iter;
  case STMT_FOR: return &s->s->for_.iter;
  default: return NULL;
  }
}

static bool at_size(lower *l, moment *m) { return m->size != IR_SIZE_NONE && size_value(l->m->sizes, m->size, &m->at); }

static bool at_expr(lower *l, const ast_expr *e, moment *m) { return lower_expr_size(l, e, &m->size) && at_size(l, m); }

/* A slice that leaves its array is refused when it is run. */
static bool inside(const course *c, int64_t extent) { return c->last.at < c->first.at || (c->first.at >= 1 && c->last.at <= extent); }

uint32_t step_axis(const step *s) { return open_of(target_of(s->s), target_of(s->s)->name.sym->type->rank).axis[s->axes]; }

static bool loop_course(lower *l, const ast_range *r, course *c) {
  int64_t by = 1;
  if (r->over || (r->by && !number(l, r->by, &by)) || by != 1) return false;
  return at_expr(l, r->lo, &c->first) && at_expr(l, r->hi, &c->last);
}

static bool vector_course(lower *l, const step *s, course *c) {
  const ast_target *t = target_of(s->s);
  const open_axes o = open_of(t, batch_of(l, s->s));
  if (s->axes >= o.n) return false;
  if (s->s->kind == STMT_LET && t->subs.n && (o.n != 1 || o.axis[0] >= t->subs.n)) return false; /* an element that is a vector */
  const uint32_t a = o.axis[s->axes];
  const ast_expr *sub = a < t->subs.n ? t->subs.items[a] : NULL;
  const ir_size dim = lower_size(l, t->name.sym->type->dim[a]);
  if (sub && sub->kind == EXPR_RANGE) return at_expr(l, sub->range.lo, &c->first) && at_expr(l, sub->range.hi, &c->last) && inside(c, extent_of(l, dim));
  c->first = (moment){1, size_const(l->m->sizes, 1)};
  c->last.size = dim;
  return at_size(l, &c->last);
}

bool step_course(lower *l, const step *s, course *c) {
  const ast_iter *iter = step_iter(s);
  const ast_target *t = target_of(s->s);
  *c = (course){.sequential = s->s->kind == STMT_FOR};
  if (s->s->kind == STMT_FOR && s->s->for_.until) return false;
  if (iter && s->ranges < iter->n) {
    if (!loop_course(l, &iter->items[s->ranges], c)) return false;
  } else if (!t || !t->name.sym || !t->name.sym->type || (iter && iter->cond) || !vector_course(l, s, c)) {
    return false;
  }
  c->origin = c->first;
  if (s->part) c->first = s->first, c->last = s->last;
  return true;
}

/* ---- statements */

static void statement(walk *w, const step *s, bool timed);

static void block(walk *w, const ast_block *b) {
  for (size_t k = 0; b && k < b->n; k++) statement(w, &(step){.s = b->items[k]}, false);
}

/* Positions [o->n], from 1, along the axes that a statement goes through, and what it sets of its array. */
static void target(walk *w, const step *s, bool timed, uint32_t batch, reach *p) {
  lower *l = w->l;
  const ast_target *t = target_of(s->s);
  const symbol *sym = t->name.sym;
  const ast_iter *iter = step_iter(s);
  course c;
  timed = timed && (!iter || s->ranges == iter->n) && step_course(l, s, &c);
  reach at[IR_MAX_RANK];
  uint32_t k = 0;
  for (uint32_t a = 0; a < batch; a++) {
    const ast_expr *sub = a < t->subs.n ? t->subs.items[a] : NULL;
    if (sub && sub->kind != EXPR_ALL && sub->kind != EXPR_RANGE) {
      whole(w, sub);
      at[a] = position(w, sub);
      continue;
    }
    if (sub) whole(w, sub);
    const reach all = sub && sub->kind == EXPR_RANGE ? all_of(w, sub) : between(1, extent_of(l, sym->type->dim[a]));
    if (k < s->axes) {
      p[k] = s->at[k];
    } else if (timed && k == s->axes) {
      p[k] = between(1 + c.first.at - c.origin.at, 1 + c.last.at - c.origin.at);
      p[k].timed = true;
      p[k].lo = p[k].hi = 1 - c.origin.at;
      p[k].from = c.first.at;
      p[k].to = c.last.at;
    } else {
      p[k] = between(1, clamp(all.most - all.least + 1));
      at[a] = all;
      k++;
      continue;
    }
    at[a] = sub && sub->kind == EXPR_RANGE ? shifted(plus(position(w, sub->range.lo), p[k]), -1) : p[k];
    k++;
  }
  if (s->s->kind == STMT_LET || lower_is_drawn(l, sym) || lower_in_order(l, sym)) record(w, sym, true, batch, at, NULL);
}

static void sample(walk *w, const step *s, bool timed) {
  lower *l = w->l;
  const symbol *sym = s->s->sample.target.name.sym;
  if (!sym || !sym->type) return;
  const uint32_t batch = batch_of(l, s->s), event = sym->type->rank - batch;
  reach p[IR_MAX_RANK];
  target(w, s, timed, batch, p);
  const uint32_t n = open_of(&s->s->sample.target, batch).n;
  const symbol *base = check_continued(sym);
  if (base) record(w, base, false, 0, NULL, s->s->sample.dist);
  if (lower_is_drawn(l, sym)) {
    whole(w, sym->type->lo);
    whole(w, sym->type->hi);
  }
  const check_call *call = check_call_of(l->p, s->s->sample.dist);
  const check_dist *d = call ? check_dist_of(l->p, call->callee) : NULL;
  if (!d) {
    whole(w, s->s->sample.dist);
    return;
  }
  const uint32_t spread = event > d->on->rank ? event - d->on->rank : 0;
  for (size_t k = 0; k < call->nargs; k++) {
    const uint32_t extra = (uint32_t)(ty_of(call->args[k])->rank - d->params[k]->type->rank), own = extra > spread ? extra - spread : 0;
    visit(w, call->args[k], own, p + (n - own));
  }
}

static void let(walk *w, const step *s, bool timed) {
  const ast_target *t = &s->s->let.target;
  if (!t->name.sym || !t->name.sym->type) return;
  const uint32_t rank = t->name.sym->type->rank;
  reach p[IR_MAX_RANK];
  target(w, s, timed, rank, p);
  operand(w, s->s->let.value, open_of(t, rank).n, open_of(t, rank).n, p);
}

static void loop(walk *w, const step *s, bool timed, const ast_block *body) {
  const ast_iter *iter = step_iter(s);
  const size_t env = w->n;
  course c;
  if (timed && iter && s->ranges < iter->n && step_course(w->l, s, &c)) {
    reach first = between(c.first.at, c.last.at);
    first.timed = true;
    first.lo = first.hi = 0;
    first.from = c.first.at;
    first.to = c.last.at;
    ranges(w, iter, s->ranges, &first);
  } else if (iter) {
    ranges(w, iter, s->ranges, NULL);
  }
  if (body) block(w, body);
  else sample(w, s, timed);
  w->n = env;
}

static void statement(walk *w, const step *s, bool timed) {
  switch (s->s->kind) {
  case STMT_LET: let(w, s, timed); break;
  case STMT_SAMPLE: loop(w, s, timed, NULL); break;
  case STMT_PLATE: loop(w, s, timed, s->s->plate.body); break;
  case STMT_FOR: loop(w, s, timed, s->s->for_.body); break;
  case STMT_IF:
    whole(w, s->s->if_.cond);
    block(w, s->s->if_.then);
    block(w, s->s->if_.else_);
    break;
  case STMT_TRACK:
    for (size_t k = 0; k < s->s->track.items.n; k++) whole(w, s->s->track.items.items[k].value);
    break;
  case STMT_PREDICT: block(w, s->s->predict.body); break;
  case STMT_GROUP: block(w, s->s->group.body); break;
  case STMT_FACTOR:
  case STMT_ENERGY: whole(w, s->s->value); break;
  default: break;
  }
}

void step_accesses(lower *l, const step *s, access_list *out) {
  walk w = {.l = l, .out = out, .names = MOST_NAMES};
  statement(&w, s, true);
}
