/* check_backwards.c: loops that build an array from its end, `for t in 1..T - 1 { x[T - t] ~ Normal(x[T - t + 1], s) }`, written with the position as their index.
 *
 *     for t in a..b { x[S - t] ~ D(t, x[S - t + 1]) }      for t in S - a..S - b by -1 { x[t] ~ D(S - t, x[t + 1]) }
 *
 * S is a size.  Everything behind this finds arrays that are built at a loop's index plus a size (check_elements.c). */
#include "compiler/check_state.h"

#include "lang/ast_copy.h"

enum { TERMS_MAX = 16 };

/* times * index + the sum of signed terms, sizes of which none is the negative of another, + number */
typedef struct form {
  int64_t times, number;
  const ast_expr *term[TERMS_MAX];
  ir_size size[TERMS_MAX];
  bool minus[TERMS_MAX];
  size_t n;
} form;

typedef struct turning {
  ctx *c;
  const char *index;
  form sum;      /* S */
  bool found, other; /* an array is built at S - index; another one at index + ... */
  bool rebound;  /* the index is the name of something else inside the loop */
} turning;

static bool add_term(form *f, const ast_expr *e, ir_size size, bool minus) {
  for (size_t k = 0; k < f->n; k++)
    if (f->size[k] == size && f->minus[k] != minus) {
      f->n--;
      f->term[k] = f->term[f->n], f->size[k] = f->size[f->n], f->minus[k] = f->minus[f->n];
      return true;
    }
  if (f->n == TERMS_MAX) return false;
  f->term[f->n] = e, f->size[f->n] = size, f->minus[f->n++] = minus;
  return true;
}

/* Adds e, or its negative, to the form.  False where it is no sum of sizes and the index. */
static bool add(const turning *t, form *f, const ast_expr *e, bool minus) {
  switch (e->kind) {
  case EXPR_NAME:
    if (e->name.name != t->index) break;
    f->times += minus ? -1 : 1;
    return f->times >= -1 && f->times <= 1;
  case EXPR_INT: return !(minus ? __builtin_sub_overflow(f->number, e->integer.value, &f->number) : __builtin_add_overflow(f->number, e->integer.value, &f->number));
  case EXPR_UNARY:
    if (e->unary.op == OP_NEG) return add(t, f, e->unary.arg, !minus);
    break;
  case EXPR_BINARY:
    if (e->binary.op == OP_ADD || e->binary.op == OP_SUB) return add(t, f, e->binary.lhs, minus) && add(t, f, e->binary.rhs, minus != (e->binary.op == OP_SUB));
    break;
  default: break;
  }
  const ir_size n = size_of_expr(t->c, e);
  return n != IR_SIZE_NONE && add_term(f, e, n, minus);
}

static bool add_sum(form *f, const form *sum, bool minus) {
  bool ok = !(minus ? __builtin_sub_overflow(f->number, sum->number, &f->number) : __builtin_add_overflow(f->number, sum->number, &f->number));
  for (size_t k = 0; k < sum->n; k++) ok = ok && add_term(f, sum->term[k], sum->size[k], sum->minus[k] != minus);
  return ok;
}

/* ---- finding S */

static void look_at_target(turning *t, const ast_target *x) {
  const symbol *known = x->name.name ? ptr_map_get(&t->c->names, x->name.name) : NULL;
  if (known && known->kind == SYM_DATA) return;
  for (size_t k = 0; k < x->subs.n; k++) {
    form f = {0};
    const ast_expr *sub = x->subs.items[k];
    if (sub->kind == EXPR_ALL || sub->kind == EXPR_RANGE || !add(t, &f, sub, false) || f.times == 0) continue;
    if (f.times > 0) t->other = true;
    else if (!t->found) t->found = true, t->sum = f, t->sum.times = 0;
  }
}

static void look_at_block(turning *t, const ast_block *b) {
  for (size_t i = 0; b && i < b->n; i++) {
    const ast_stmt *s = b->items[i];
    switch (s->kind) {
    case STMT_SAMPLE: look_at_target(t, &s->sample.target); break;
    case STMT_LET: look_at_target(t, &s->let.target); break;
    case STMT_PLATE: look_at_block(t, s->plate.body); break;
    case STMT_FOR: look_at_block(t, s->for_.body); break;
    case STMT_IF:
      look_at_block(t, s->if_.then);
      look_at_block(t, s->if_.else_);
      break;
    default: break;
    }
  }
}

/* ---- writing it with the position as index */

static ast_expr *joined(turning *t, ast_expr *l, const ast_expr *r, bool minus, span at) {
  arena *a = t->c->a;
  ast_copier plain = {.mem = a};
  ast_expr *x = ast_new_expr(a, EXPR_BINARY, at), *copy = ast_copy_expr(&plain, r);
  x->binary.op = minus ? OP_SUB : OP_ADD;
  x->binary.lhs = l;
  x->binary.rhs = copy;
  x->binary.op_at = at;
  x->depth = (uint16_t)(1 + (l->depth > copy->depth ? l->depth : copy->depth));
  return x;
}

static ast_expr *written(turning *t, const form *f, span at) {
  arena *a = t->c->a;
  ast_copier plain = {.mem = a};
  ast_expr *x = f->times > 0 ? ast_new_name(a, t->index, at) : NULL;
  size_t first = f->n;
  for (size_t k = 0; k < f->n && !x; k++)
    if (!f->minus[k]) first = k, x = ast_copy_expr(&plain, f->term[k]);
  const bool starts = !x;
  if (starts) x = ast_new_int(a, f->number, at);
  for (size_t k = 0; k < f->n; k++)
    if (k != first) x = joined(t, x, f->term[k], f->minus[k], at);
  if (f->times < 0) x = joined(t, x, ast_new_name(a, t->index, at), true, at);
  if (f->number && !starts) x = joined(t, x, ast_new_int(a, f->number < 0 ? -f->number : f->number, at), f->number < 0, at);
  return x;
}

/* e with S - index for the index; NULL where that is no sum of sizes and the index. */
static ast_expr *turned(turning *t, const ast_expr *e) {
  form f = {0};
  if (!add(t, &f, e, false) || f.times == 0) return NULL;
  const int64_t times = f.times;
  if (!add_sum(&f, &t->sum, times < 0)) return NULL;
  f.times = -times;
  return written(t, &f, e->at);
}

static ast_expr *copy_expr(ast_copier *k, const ast_expr *e) {
  turning *t = k->user;
  const bool sum = e->kind == EXPR_UNARY || (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB));
  return sum || (e->kind == EXPR_NAME && e->name.name == t->index) ? turned(t, e) : NULL;
}

/* Uses of the index are expressions, so what comes here is another thing of its name. */
static const char *copy_name(ast_copier *k, const char *name) {
  turning *t = k->user;
  t->rebound |= name == t->index;
  return NULL;
}

/* The range of positions S - index, in the order of the index where that matters. */
static bool turn_range(turning *t, const ast_range *from, bool ordered, ast_range *to) {
  const bool down = from->by && from->by->kind == EXPR_UNARY, swap = !ordered && !down;
  form lo = {0}, hi = {0};
  if (!add_sum(&lo, &t->sum, false) || !add_sum(&hi, &t->sum, false) || !add(t, &lo, from->lo, true) || !add(t, &hi, from->hi, true) || lo.times || hi.times) return false;
  *to = *from;
  to->source = from;
  to->lo = written(t, swap ? &hi : &lo, from->lo->at);
  to->hi = written(t, swap ? &lo : &hi, from->hi->at);
  to->by = NULL;
  if (down || swap) return true;
  to->by = ast_new_expr(t->c->a, EXPR_UNARY, from->at);
  to->by->unary.op = OP_NEG;
  to->by->unary.arg = ast_new_int(t->c->a, 1, from->at);
  to->by->depth = 2;
  return true;
}

static bool counts_by_one(const ast_range *r) {
  if (r->over || !r->lo || !r->hi) return false;
  const ast_expr *by = r->by;
  if (by && by->kind == EXPR_UNARY && by->unary.op == OP_NEG) by = by->unary.arg;
  return !by || (by->kind == EXPR_INT && by->integer.value == 1);
}

/* The loop over range k of a statement's, if arrays in it are built from their end. */
static void turn(ctx *c, ast_stmt *s, ast_iter *it, size_t k, bool ordered) {
  turning t = {.c = c, .index = it->items[k].var.name};
  if (!counts_by_one(&it->items[k])) return;
  if (s->kind == STMT_SAMPLE) look_at_target(&t, &s->sample.target);
  else look_at_block(&t, s->kind == STMT_PLATE ? s->plate.body : s->for_.body);
  ast_range range;
  if (!t.found || t.other || !turn_range(&t, &it->items[k], ordered, &range)) return;
  ast_copier copier = {.mem = c->a, .user = &t, .expr = copy_expr, .name = copy_name};
  ast_iter out = {.at = it->at, .cond = ast_copy_expr(&copier, it->cond)};
  for (size_t i = 0; i < it->n; i++) {
    ast_range r = i == k ? range : it->items[i];
    if (i != k) {
      t.rebound |= r.var.name == t.index;
      r.lo = ast_copy_expr(&copier, r.lo);
      r.hi = ast_copy_expr(&copier, r.hi);
      r.over = ast_copy_expr(&copier, r.over);
    }
    ARENA_PUSH(c->a, out.items, out.n, out.cap, r);
  }
  ast_stmt body = *s;
  if (s->kind == STMT_SAMPLE) {
    body.sample.iter = (ast_iter){0};
    body = *ast_copy_stmt(&copier, &body);
    body.sample.iter = out;
  } else if (s->kind == STMT_PLATE) {
    body.plate.iter = out;
    body.plate.body = ast_copy_block(&copier, s->plate.body);
  } else {
    body.for_.iter = out;
    body.for_.body = ast_copy_block(&copier, s->for_.body);
  }
  if (!t.rebound) *s = body;
}

void loops_turn(ctx *c, ast_stmt *s) {
  ast_iter *it = s->kind == STMT_SAMPLE ? &s->sample.iter : s->kind == STMT_PLATE ? &s->plate.iter : s->kind == STMT_FOR ? &s->for_.iter : NULL;
  for (size_t k = 0; it && k < it->n; k++) turn(c, s, it, k, s->kind == STMT_FOR);
}
