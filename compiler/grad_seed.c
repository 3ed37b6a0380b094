/* grad_seed.c: adjoints known before the values they belong to.
 *
 * A seed is an expression over values that are emitted already or will be before the seed is needed: `ready` is the place in
 * the source text behind which it can be emitted.  Seeds are computed for one block at a time, backward. */
#include "compiler/grad_internal.h"

typedef enum seed_kind {
  SEED_UNKNOWN, /* needs a value that is computed with or after the one it belongs to */
  SEED_CONST,
  SEED_VALUE,   /* emitted */
  SEED_AT,      /* the sum of what stands in arrays at a position given in source values */
  SEED_SCALE,   /* c p */
  SEED_MUL,     /* p x, x a source value */
  SEED_DIV,     /* p / x */
  SEED_WHERE,   /* p where x holds, else 0 */
  SEED_UNLESS,  /* 0 where x holds, else p */
  SEED_SUM      /* p + q */
} seed_kind;

enum { MAX_DEPTH = 48 };

struct grad_seed {
  uint8_t kind, depth;
  uint32_t ready;
  double c;
  grad_seed *p, *q;
  ir_val x;
  ir_val emitted;
  const ir_val *array; /* AT */
  uint32_t narrays;
  const ir_axes *axes;
};

static uint32_t later(uint32_t a, uint32_t b) { return a > b ? a : b; }

static grad_seed *unknown(grad *g) {
  if (!g->unknown) g->unknown = ARENA_NEW(g->mem, grad_seed);
  return g->unknown;
}

static grad_seed *seed_new(grad *g, seed_kind kind, grad_seed *p) {
  if (p && (p->kind == SEED_UNKNOWN || p->depth >= MAX_DEPTH)) return unknown(g);
  grad_seed *s = ARENA_NEW(g->mem, grad_seed);
  s->kind = (uint8_t)kind;
  s->p = p;
  s->depth = p ? (uint8_t)(p->depth + 1) : 0;
  s->ready = p ? p->ready : 0;
  return s;
}

static grad_seed *seed_const(grad *g, double c) {
  grad_seed *s = seed_new(g, SEED_CONST, NULL);
  s->c = c;
  return s;
}

static grad_seed *seed_scale(grad *g, grad_seed *p, double c) {
  if (p->kind == SEED_CONST) return seed_const(g, c * p->c);
  if (p->kind == SEED_SCALE) {
    c *= p->c;
    p = p->p;
  }
  if (c == 1) return p;
  grad_seed *s = seed_new(g, SEED_SCALE, p);
  if (s->kind == SEED_SCALE) s->c = c;
  return s;
}

/* p and the source value x in one operation.  x must not vary with a parameter: such a product is no seed. */
static grad_seed *seed_with(grad *g, seed_kind kind, grad_seed *p, ir_val x) {
  if (g->info[x].active) return unknown(g);
  grad_seed *s = seed_new(g, kind, p);
  if (s->kind == SEED_UNKNOWN) return s;
  s->x = x;
  s->ready = later(s->ready, g->info[x].order);
  return s;
}

static grad_seed *seed_sum(grad *g, grad_seed *p, grad_seed *q) {
  if (p->kind == SEED_UNKNOWN || q->kind == SEED_UNKNOWN) return unknown(g);
  if (p->kind == SEED_CONST && q->kind == SEED_CONST) return seed_const(g, p->c + q->c);
  grad_seed *s = seed_new(g, SEED_SUM, p->depth > q->depth ? p : q);
  if (s->kind == SEED_UNKNOWN) return s;
  s->q = p->depth > q->depth ? q : p;
  s->ready = later(p->ready, q->ready);
  return s;
}

static void seed_add(grad *g, const ir_block *block, ir_val v, grad_seed *s) {
  grad_info *info = &g->info[v];
  if (!info->active || info->home != block) return;
  info->seed = info->seed ? seed_sum(g, info->seed, s) : s;
}

void grad_seed_reset(grad *g, const grad_scope *s) {
  for (const ir_op *op = s->src->first; op; op = op->next)
    for (uint32_t k = 0; k < op->nres; k++) {
      g->info[op->res[k]].seed = NULL;
      g->info[op->res[k]].fused = false;
    }
}

void grad_seed_value(grad *g, const grad_scope *s, ir_val v, ir_val adjoint) {
  double c;
  grad_seed *seed;
  if (ir_is_real(g->to, adjoint, &c)) {
    seed = seed_const(g, c);
  } else {
    seed = seed_new(g, SEED_VALUE, NULL);
    seed->emitted = adjoint;
  }
  seed_add(g, s->src, v, seed);
}

void grad_seed_at(grad *g, const grad_scope *s, ir_val v, uint32_t n, const ir_val *arrays, const ir_axes *axes) {
  grad_seed *seed = seed_new(g, SEED_AT, NULL);
  seed->array = arrays;
  seed->narrays = n;
  seed->axes = axes;
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k]) seed->ready = later(seed->ready, g->info[axes->at[k]].order);
  seed_add(g, s->src, v, seed);
}

void grad_seed_forbid(grad *g, const grad_scope *s, ir_val v) { seed_add(g, s->src, v, unknown(g)); }

typedef struct seed_walk {
  grad *g;
  const ir_block *block;
} seed_walk;

static void forbid_use(void *user, ir_val *use) {
  seed_walk *w = user;
  seed_add(w->g, w->block, *use, unknown(w->g));
}

static void forbid_op(void *user, ir_op *op) { ir_visit_uses(op, forbid_use, user); }

static void seed_op(grad *g, const ir_block *block, ir_op *op) {
  seed_walk w = {g, block};
  const ir_val *a = op->args;
  grad_seed *p = op->nres ? g->info[op->res[0]].seed : NULL;
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP || op->code == IR_IF_OP) {
    bool needed = false;
    for (uint32_t k = 0; k < op->nres; k++) needed |= grad_needed(g, op->res[k]);
    if (!needed) return;
    forbid_op(&w, op);
    if (op->code == IR_IF_OP) {
      ir_visit_ops(&op->u.branch->then_, forbid_op, &w);
      ir_visit_ops(&op->u.branch->else_, forbid_op, &w);
    } else {
      ir_visit_ops(&op->u.loop->body, forbid_op, &w);
    }
    return;
  }
  if (op->nres != 1 || !grad_needed(g, op->res[0]) || !p) return;
  switch (p->kind == SEED_UNKNOWN ? IR_OP_COUNT : op->code) {
  case IR_ADD_OP:
    seed_add(g, block, a[0], p);
    seed_add(g, block, a[1], p);
    break;
  case IR_SUB_OP:
    seed_add(g, block, a[0], p);
    seed_add(g, block, a[1], seed_scale(g, p, -1));
    break;
  case IR_NEG_OP: seed_add(g, block, a[0], seed_scale(g, p, -1)); break;
  case IR_FMA_OP: seed_add(g, block, a[2], p); /* fallthrough */
  case IR_MUL_OP:
    for (int k = 0; k < 2; k++) {
      double c;
      seed_add(g, block, a[k], ir_is_real(g->f, a[1 - k], &c) ? seed_scale(g, p, c) : seed_with(g, SEED_MUL, p, a[1 - k]));
    }
    break;
  case IR_DIV_OP:
    seed_add(g, block, a[0], seed_with(g, SEED_DIV, p, a[1]));
    seed_add(g, block, a[1], unknown(g));
    break;
  case IR_GUARD_OP: seed_add(g, block, a[1], p->kind == SEED_CONST && p->c > 0 ? p : seed_with(g, SEED_WHERE, p, a[0])); break;
  case IR_SELECT_OP:
    seed_add(g, block, a[1], seed_with(g, SEED_WHERE, p, a[0]));
    seed_add(g, block, a[2], seed_with(g, SEED_UNLESS, p, a[0]));
    break;
  default: forbid_op(&w, op);
  }
}

void grad_seed_block(grad *g, const grad_scope *s) {
  for (ir_op *op = s->src->last; op; op = op->prev) seed_op(g, s->src, op);
}

bool grad_seed_ready(const grad *g, const ir_op *op) {
  bool some = false;
  for (uint32_t k = 0; k < op->nres; k++) {
    const grad_info *info = &g->info[op->res[k]];
    if (!grad_needed(g, op->res[k]) || !info->seed) continue;
    if (info->seed->kind == SEED_UNKNOWN || info->seed->ready >= info->order) return false;
    some = true;
  }
  return some;
}

static ir_val emit(grad *g, grad_scope *s, grad_seed *e) {
  if (e->emitted) return e->emitted;
  ir_builder *b = &s->b;
  ir_val p = e->p ? emit(g, s, e->p) : 0, x = grad_image(g, e->x), r = 0;
  switch (e->kind) {
  case SEED_CONST: return ir_real(b, e->c); /* where it is used: never out of sight */
  case SEED_AT: {
    ir_axes axes = grad_image_axes(g, e->axes);
    for (uint32_t k = 0; k < e->narrays; k++) r = grad_sum(b, r, grad_gather(b, e->array[k], &axes));
    break;
  }
  case SEED_SCALE: r = grad_mul(b, p, ir_real(b, e->c)); break;
  case SEED_MUL: r = grad_mul(b, p, x); break;
  case SEED_DIV: r = ir_op2(b, IR_DIV_OP, p, x); break;
  case SEED_WHERE: r = ir_op3(b, IR_SELECT_OP, x, p, ir_real(b, 0)); break;
  case SEED_UNLESS: r = ir_op3(b, IR_SELECT_OP, x, ir_real(b, 0), p); break;
  case SEED_SUM: r = grad_sum(b, p, emit(g, s, e->q)); break;
  default: break;
  }
  return e->emitted = r;
}

ir_val grad_seed_emit(grad *g, grad_scope *s, ir_val v) {
  grad_seed *seed = g->info[v].seed;
  return seed ? emit(g, s, seed) : 0;
}
