/* pass_lift.c: what an inner plate computes from its own index alone leaves the loop around it.
 *
 *     scan t < T { plate k < K { log(theta[k]) + ... } }      log(theta[k]) does not vary with t: hoisting cannot
 *                                                             move it, since k exists inside only
 *     w = plate k < K -> stack { log(theta[k]) }              so it becomes an array, computed once,
 *     scan t < T { plate k < K { w[k] + ... } }               that the inner plate reads
 *
 * needs: a function.  keeps: every bit of its values.  Worth it for operations that cost more than the read: MIN_FLOPS
 * and up.  Values are scalars whose operands are indices of the inner plate, values from outside of the outer loop, and each
 * other; elements are read at the plate's own indices over the array's full extents, or at literals, so that nothing can fail where the
 * outer loop runs no iteration. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

enum { MIN_FLOPS = 10 };

typedef struct lifter {
  ir_fn *fn;
  bool *liftable; /* by value: results of the operations that may leave */
  uint32_t n;     /* entries of liftable */
  ir_map renamed;
  bool changed;
} lifter;

static bool outside(const lifter *f, ir_val v, const ir_op *outer) {
  return ir_value_of(f->fn, v)->op != outer && !ir_block_within(ir_home(f->fn, v), &outer->u.loop->body);
}

static bool own_index(const ir_loop *plate, ir_val v) {
  for (uint32_t k = 0; k < plate->rank; k++)
    if (plate->index[k] == v) return true;
  return false;
}

static bool read_is_safe(const lifter *f, const ir_loop *plate, const ir_op *op) {
  ir_type array = ir_type_of(f->fn, op->args[0]);
  int64_t i, n;
  for (uint32_t a = 0; a < op->u.axes.n; a++) {
    ir_val v = op->u.axes.at[a];
    if (!v) return false;
    if (ir_is_int(f->fn, v, &i)) {
      if (!size_is_const(f->fn->module->sizes, array.dim[a], &n) || i < 0 || i >= n) return false;
    } else {
      if (!own_index(plate, v)) return false;
      const ir_value *x = ir_value_of(f->fn, v);
      if (ir_size_of(f->fn, plate->extent[x->slot]) != array.dim[a]) return false;
    }
  }
  return true;
}

static bool may_leave(const lifter *f, const ir_op *outer, const ir_loop *plate, const ir_op *op) {
  if (ir_op_table[op->code].effect != IR_PURE || op->nres != 1 || op->code == IR_CALL_OP) return false;
  if (ir_type_of(f->fn, op->res[0]).rank) return false;
  if (op->code == IR_AT_OP) return outside(f, op->args[0], outer) && read_is_safe(f, plate, op);
  for (uint32_t k = 0; k < op->nargs; k++) {
    ir_val v = op->args[k];
    if (ir_type_of(f->fn, v).rank) return false;
    if (!own_index(plate, v) && !(v < f->n && f->liftable[v]) && !outside(f, v, outer)) return false;
  }
  return true;
}

/* Marks what may leave; true if it is worth it. */
static bool find(lifter *f, const ir_op *outer, const ir_op *inner) {
  bool worth = false;
  for (const ir_op *op = inner->u.loop->body.first; op; op = op->next) {
    if (!may_leave(f, outer, inner->u.loop, op)) continue;
    f->liftable[op->res[0]] = true;
    worth = worth || ir_op_table[op->code].flops >= MIN_FLOPS;
  }
  return worth;
}

/* Operations whose results the rest of the plate reads, and that cost something: they become arrays. */
typedef struct roots {
  const lifter *f;
  bool *root;
} roots;

static void see_use(void *user, ir_val *use) {
  roots *r = user;
  if (*use && *use < r->f->n && r->f->liftable[*use]) r->root[*use] = true;
}

static void see_op(void *user, ir_op *op) {
  roots *r = user;
  bool leaves = op->nres == 1 && op->res[0] < r->f->n && r->f->liftable[op->res[0]];
  if (!leaves) ir_visit_uses(op, see_use, r);
}

static bool costly(const lifter *f, ir_val v, int depth) {
  const ir_op *op = ir_def_op(f->fn, v);
  if (!op || !(v < f->n && f->liftable[v])) return false;
  if (ir_op_table[op->code].flops >= MIN_FLOPS) return true;
  for (uint32_t k = 0; k < op->nargs && depth > 0; k++)
    if (costly(f, op->args[k], depth - 1)) return true;
  return false;
}

static bool fixed_extents(const lifter *f, const ir_op *outer, const ir_loop *plate) {
  for (uint32_t k = 0; k < plate->rank; k++)
    if (!outside(f, plate->extent[k], outer) || ir_size_of(f->fn, plate->extent[k]) == IR_SIZE_NONE) return false;
  return true;
}

static void lift(lifter *f, ir_op *outer, ir_op *inner) {
  ir_fn *fn = f->fn;
  arena *mem = fn->module->mem;
  ir_loop *plate = inner->u.loop;
  f->n = fn->nvals;
  f->liftable = ARENA_ARRAY(mem, bool, f->n);
  if (!fixed_extents(f, outer, plate) || !find(f, outer, inner)) return;
  roots r = {f, ARENA_ARRAY(mem, bool, f->n)};
  ir_visit_ops(&plate->body, see_op, &r);
  for (uint32_t k = 0; k < plate->nout; k++) {
    see_use(&r, &plate->out[k].yield);
    for (uint32_t a = 0; a < plate->out[k].axes.n; a++) see_use(&r, &plate->out[k].axes.at[a]);
  }
  bool any = false;
  for (const ir_op *op = plate->body.first; op; op = op->next)
    if (op->nres == 1 && op->res[0] < f->n && r.root[op->res[0]]) {
      r.root[op->res[0]] = costly(f, op->res[0], 16);
      any = any || r.root[op->res[0]];
    }
  if (!any) return;

  ir_builder before = {.fn = fn, .block = outer->block, .before = outer, .where = inner->where};
  ir_op *early = ir_loop_begin(&before, IR_PLATE_OP, plate->rank, plate->extent);
  ir_cloner c = {.from = fn, .map = ir_map_new(mem, fn)};
  ir_builder in = ir_builder_in(&before, &early->u.loop->body);
  for (uint32_t k = 0; k < plate->rank; k++) ir_map_set(&c.map, plate->index[k], early->u.loop->index[k]);
  for (ir_op *op = plate->body.first, *next; op; op = next) {
    next = op->next;
    if (op->nres != 1 || op->res[0] >= f->n || !f->liftable[op->res[0]]) continue;
    ir_clone_op(&c, &in, op);
    if (!r.root[op->res[0]]) continue;
    ir_val stack = ir_loop_out(fn, early, IR_STACK, 0, NULL, ir_map_get(&c.map, op->res[0]));
    ir_builder here = {.fn = fn, .block = op->block, .before = op, .where = op->where};
    ir_axes axes = {.n = plate->rank};
    memcpy(axes.at, plate->index, plate->rank * sizeof *axes.at);
    ir_map_set(&f->renamed, op->res[0], ir_at(&here, stack, axes));
  }
  f->changed = true;
}

static void lift_in(lifter *f, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->code == IR_IF_OP) {
      lift_in(f, &op->u.branch->then_);
      lift_in(f, &op->u.branch->else_);
    }
    if (!ir_is_loop(op)) continue;
    lift_in(f, &op->u.loop->body);
    for (ir_op *inner = op->u.loop->body.first; inner; inner = inner->next)
      if (inner->code == IR_PLATE_OP) lift(f, op, inner);
  }
}

bool pass_lift(ir_module *m, ir_fn *fn) {
  lifter f = {.fn = fn, .renamed = ir_map_new(m->mem, fn)};
  lift_in(&f, &fn->body);
  if (f.changed) ir_rename_all(fn, &f.renamed);
  return f.changed;
}
