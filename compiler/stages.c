/* stages.c: cutting a function at its large sums (stages.h).
 *
 * Each new function starts as a copy of fn up to where it ends, with the plates that were cut replaced by sums of their totals;
 * what it does not need then goes.  So the little that stands around a plate is computed once for each function, which is
 * nothing beside the plate. */
#include "compiler/stages.h"

#include "compiler/ir_cost.h"
#include "compiler/passes.h"

#include <string.h>

typedef struct cutter {
  ir_module *m;
  const ir_fn *fn;
  const ir_op **plate; /* [n] */
  size_t n;
  ir_val *live;        /* of the plate at hand */
  size_t nlive, cap_live;
  const ir_op *inside;
} cutter;

/* The function being made. */
typedef struct piece {
  const cutter *c;
  ir_fn *fn;
  ir_cloner cloner;
  ir_builder b;
  ir_val **total; /* [stage][output]: parameters */
  size_t stages;  /* plates that totals stand for */
} piece;

static bool literal(const ir_op *op) {
  return op && (op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP || op->code == IR_SIZE_OP);
}

static bool qualifies(ir_module *m, ir_fn *fn, ir_op *op, int64_t least) {
  if (op->code != IR_PLATE_OP || op->u.loop->rank != 1) return false;
  const ir_loop *loop = op->u.loop;
  ir_size n = ir_size_of(fn, loop->extent[0]);
  if (n == IR_SIZE_NONE || size_eval(m->sizes, n) < 2 * STAGE_BLOCK || loop->nout == 0) return false;
  for (uint32_t k = 0; k < loop->nout; k++)
    if (loop->out[k].mode != IR_SUM || ir_type_of(fn, op->res[k]).elem != IR_REAL || ir_type_of(fn, op->res[k]).rank == IR_MAX_RANK) return false;
  ir_cost_number cost;
  return ir_cost_eval(m, ir_cost_op(fn, op), &cost) && cost.flops >= least;
}

/* ---- what a plate reads */

static bool within(const ir_op *op, const ir_op *plate) {
  while (op && op != plate) op = op->block->owner;
  return op != NULL;
}

static void see_use(void *user, ir_val *use) {
  cutter *c = user;
  const ir_value *v = ir_value_of(c->fn, *use);
  if (*use == 0 || v->def == IR_DEF_PARAM || (v->def == IR_DEF_RESULT && literal(v->op))) return;
  if (within(v->op, c->inside) && !(v->op == c->inside && v->def == IR_DEF_RESULT)) return;
  for (size_t k = 0; k < c->nlive; k++)
    if (c->live[k] == *use) return;
  ARENA_PUSH(c->m->mem, c->live, c->nlive, c->cap_live, *use);
}

static void see_op(void *user, ir_op *op) { ir_visit_uses(op, see_use, user); }

static void find_live(cutter *c, const ir_op *plate) {
  c->inside = plate;
  c->nlive = 0;
  ir_visit_uses((ir_op *)(uintptr_t)plate, see_use, c);
  ir_visit_ops(&plate->u.loop->body, see_op, c);
}

/* ---- pieces */

static ir_type totals_type(const cutter *c, const ir_op *plate, uint32_t out) {
  size_table *t = c->m->sizes;
  ir_type x = ir_type_of(c->fn, plate->res[out]), r = {.elem = x.elem, .rank = (uint8_t)(x.rank + 1)};
  ir_size n = ir_size_of(c->fn, plate->u.loop->extent[0]);
  r.dim[0] = size_div(t, size_add(t, n, size_const(t, STAGE_BLOCK - 1)), size_const(t, STAGE_BLOCK));
  for (uint32_t k = 0; k < x.rank; k++) r.dim[k + 1] = x.dim[k];
  return r;
}

static bool hook(ir_cloner *cl, ir_builder *b, const ir_op *op) {
  piece *p = cl->user;
  for (size_t s = 0; s < p->stages; s++) {
    if (p->c->plate[s] != op) continue;
    ir_val blocks = ir_size_val(b, totals_type(p->c, op, 0).dim[0]);
    ir_op *sum = ir_loop_begin(b, IR_PLATE_OP, 1, &blocks);
    ir_builder in = ir_builder_in(b, &sum->u.loop->body);
    for (uint32_t k = 0; k < op->nres; k++) {
      ir_val x = ir_at1(&in, p->total[s][k], sum->u.loop->index[0]);
      ir_map_set(&cl->map, op->res[k], ir_loop_out(p->fn, sum, IR_SUM, 0, NULL, x));
    }
    return true;
  }
  return false;
}

static piece *piece_new(cutter *c, const char *name, size_t stages) {
  arena *mem = c->m->mem;
  piece *p = ARENA_NEW(mem, piece);
  *p = (piece){.c = c, .fn = ir_fn_new(c->m, name, false), .stages = stages};
  p->cloner = (ir_cloner){.from = c->fn, .map = ir_map_new(mem, c->fn), .hook = hook, .user = p};
  p->b = ir_builder_at_end(p->fn, &p->fn->body);
  p->b.where = c->plate[0]->where;
  for (uint32_t k = 0; k < c->fn->nparams; k++) {
    const ir_param *q = &c->fn->param[k];
    ir_map_set(&p->cloner.map, q->val, ir_param_add(p->fn, (ir_role)q->role, q->name, ir_type_of(c->fn, q->val)));
  }
  p->total = ARENA_ARRAY(mem, ir_val *, stages + 1);
  for (size_t s = 0; s < stages; s++) {
    const ir_op *plate = c->plate[s];
    p->total[s] = ARENA_ARRAY(mem, ir_val, plate->nres);
    for (uint32_t k = 0; k < plate->nres; k++)
      p->total[s][k] = ir_param_add(p->fn, IR_ROLE_STAGE, arena_printf(mem, "total.%zu.%u", s + 1, k + 1), totals_type(c, plate, k));
  }
  return p;
}

/* Copies the body up to `end`, or all of it. */
static void piece_copy(piece *p, const ir_op *end) {
  for (const ir_op *op = p->c->fn->body.first; op && op != end; op = op->next) ir_clone_op(&p->cloner, &p->b, op);
}

static void piece_end(piece *p, size_t n, const ir_val *from) {
  ir_val *ret = ARENA_ARRAY(p->c->m->mem, ir_val, n + 1);
  for (size_t k = 0; k < n; k++) ret[k] = ir_map_get(&p->cloner.map, from[k]);
  ir_return(p->fn, (uint32_t)n, ret);
  pass_dce(p->c->m, p->fn);
  ir_verify_step(p->fn, "stages");
}

static void make_before(cutter *c, size_t s, const char *name) {
  piece *p = piece_new(c, name, s);
  piece_copy(p, c->plate[s]);
  piece_end(p, c->nlive, c->live);
}

static void make_part(cutter *c, size_t s, const char *name) {
  const ir_op *plate = c->plate[s];
  const ir_loop *loop = plate->u.loop;
  piece *p = piece_new(c, name, 0);
  for (size_t k = 0; k < c->nlive; k++)
    ir_map_set(&p->cloner.map, c->live[k],
               ir_param_add(p->fn, IR_ROLE_STAGE, arena_printf(c->m->mem, "live.%zu.%zu", s + 1, k + 1), ir_type_of(c->fn, c->live[k])));
  ir_val block = ir_param_add(p->fn, IR_ROLE_INDEX, "block", ir_scalar(IR_INT));
  for (const ir_op *op = c->fn->body.first; op != plate; op = op->next)
    if (literal(op)) ir_clone_op(&p->cloner, &p->b, op);
  p->b.where = plate->where;
  ir_val size = ir_int(&p->b, STAGE_BLOCK), first = ir_op2(&p->b, IR_MUL_OP, block, size);
  ir_val left = ir_op2(&p->b, IR_SUB_OP, ir_size_val(&p->b, ir_size_of(c->fn, loop->extent[0])), first);
  ir_val count = ir_op2(&p->b, IR_MIN_OP, left, size);
  ir_op *own = ir_loop_begin(&p->b, IR_PLATE_OP, 1, &count);
  ir_builder in = ir_builder_in(&p->b, &own->u.loop->body);
  ir_map_set(&p->cloner.map, loop->index[0], ir_op2(&in, IR_ADD_OP, first, own->u.loop->index[0]));
  ir_clone_block(&p->cloner, &in, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++)
    ir_map_set(&p->cloner.map, plate->res[k], ir_loop_out(p->fn, own, IR_SUM, 0, NULL, ir_map_get(&p->cloner.map, loop->out[k].yield)));
  piece_end(p, plate->nres, plate->res);
}

static size_t cells_of(const cutter *c, ir_val v) {
  ir_type t = ir_type_of(c->fn, v);
  size_t n = 1;
  for (int k = 0; k < t.rank; k++) {
    int64_t d = size_eval(c->m->sizes, t.dim[k]);
    n *= d > 0 ? (size_t)d : 0;
  }
  return n;
}

static void describe(cutter *c, size_t s, stage *out) {
  const ir_op *plate = c->plate[s];
  size_t *live = ARENA_ARRAY(c->m->mem, size_t, c->nlive + 1), *cells = ARENA_ARRAY(c->m->mem, size_t, plate->nres);
  for (size_t k = 0; k < c->nlive; k++) live[k] = cells_of(c, c->live[k]);
  for (uint32_t k = 0; k < plate->nres; k++) cells[k] = cells_of(c, plate->res[k]);
  out->nlive = c->nlive, out->live = live;
  out->noutputs = plate->nres, out->cells = cells;
  out->blocks = (size_t)size_eval(c->m->sizes, totals_type(c, plate, 0).dim[0]);
}

size_t stages_cut(ir_module *m, ir_fn *fn, int64_t least, stage **out) {
  cutter c = {.m = m, .fn = fn};
  size_t cap = 0;
  for (ir_op *op = fn->body.first; op; op = op->next) {
    if (!qualifies(m, fn, op, least)) continue;
    ARENA_PUSH(m->mem, c.plate, c.n, cap, op);
    ir_remark_add(m, "stages", op->where, false, "a sum of %lld terms that threads can share, in blocks of %d",
                  (long long)size_eval(m->sizes, ir_size_of(fn, op->u.loop->extent[0])), STAGE_BLOCK);
  }
  if (c.n == 0) return 0;
  *out = ARENA_ARRAY(m->mem, stage, c.n);
  ir_fn_remove(m, fn);
  for (size_t s = 0; s < c.n; s++) {
    stage *x = &(*out)[s];
    find_live(&c, c.plate[s]);
    x->before = arena_printf(m->mem, "%s.before.%zu", fn->name, s + 1);
    x->part = arena_printf(m->mem, "%s.part.%zu", fn->name, s + 1);
    make_before(&c, s, x->before);
    make_part(&c, s, x->part);
    describe(&c, s, x);
  }
  piece *p = piece_new(&c, fn->name, c.n);
  piece_copy(p, NULL);
  piece_end(p, fn->nret, fn->ret);
  return c.n;
}
