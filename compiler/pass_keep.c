/* pass_keep.c: what a plate computed on the way to a matrix that is factorised, a later plate over the same box reads.
 *
 *     S = plate i < N, j < N -> stack { .. e = exp %q .. }           S, E = plate .. -> stack, stack { .. yield .., e }
 *     L = cholesky S                                                 ..
 *     g = plate i < N, j < N -> sum { .. e = exp %q .. }             g = plate .. -> sum { .. e = at E, i, j .. }
 *
 * The adjoint of a plate computes its body again, which costs less than memory does in most plates.  Here the factor costs N^3 and
 * the matrix stands in memory anyway; an exp for each of its elements shows, one more array does not.
 *
 * needs: a function.  keeps: every bit of its values.  Kept are scalars that cost MIN_FLOPS or more in one operation, are made from the
 * plate's indices, elements of arrays and values from outside, and are equal in both plates operation by operation. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

enum { MIN_FLOPS = 10, MOST_OPS = 256 };

typedef struct keeper {
  ir_fn *fn;
  ir_map renamed;
  ir_map twin;  /* values of the later plate: the equal ones of the earlier */
  bool *needed; /* by value: read by an operation of the later plate that has no twin */
  uint32_t n;   /* entries of needed */
  bool changed;
} keeper;

static bool plain(const ir_fn *fn, const ir_op *op) {
  return ir_op_table[op->code].effect == IR_PURE && op->nres == 1 && ir_type_of(fn, op->res[0]).rank == 0 && op->code != IR_CALL_OP;
}

/* y of the later plate is x of the earlier, or both are one value from outside. */
static bool equal(const keeper *k, ir_val x, ir_val y) { return x == y || (y && ir_map_get(&k->twin, y) == x); }

static bool equal_ops(const keeper *k, const ir_op *x, const ir_op *y) {
  if (x->code != y->code || x->flags != y->flags || x->nargs != y->nargs || !plain(k->fn, x)) return false;
  for (uint32_t a = 0; a < x->nargs; a++)
    if (!equal(k, x->args[a], y->args[a])) return false;
  switch (x->code) {
  case IR_REAL_OP: return memcmp(&x->u.real, &y->u.real, sizeof x->u.real) == 0;
  case IR_INT_OP:
  case IR_BOOL_OP: return x->u.integer == y->u.integer;
  case IR_SIZE_OP: return x->u.size == y->u.size;
  case IR_AT_OP:
    for (uint32_t a = 0; a < x->u.axes.n; a++)
      if (!equal(k, x->u.axes.at[a], y->u.axes.at[a])) return false;
    return true;
  default: return true;
  }
}

static bool same_box(const ir_fn *fn, const ir_loop *a, const ir_loop *b) {
  if (a->rank != b->rank) return false;
  for (uint32_t k = 0; k < a->rank; k++)
    if (!ir_same_extent(fn, a->extent[k], b->extent[k])) return false;
  return true;
}

static void find_twins(keeper *k, const ir_loop *early, const ir_loop *late) {
  for (uint32_t a = 0; a < early->rank; a++) ir_map_set(&k->twin, late->index[a], early->index[a]);
  int nlate = 0;
  for (const ir_op *y = late->body.first; y && nlate < MOST_OPS; y = y->next, nlate++) {
    if (!plain(k->fn, y)) continue;
    int nearly = 0;
    for (const ir_op *x = early->body.first; x && nearly < MOST_OPS; x = x->next, nearly++)
      if (equal_ops(k, x, y)) {
        ir_map_set(&k->twin, y->res[0], x->res[0]);
        break;
      }
  }
}

static void see_use(void *user, ir_val *use) {
  keeper *k = user;
  if (*use && *use < k->n) k->needed[*use] = true;
}

static void see_op(void *user, ir_op *op) {
  keeper *k = user;
  if (op->nres != 1 || !ir_map_get(&k->twin, op->res[0])) ir_visit_uses(op, see_use, k);
}

/* The result of `early` that stacks v. */
static ir_val stacked(keeper *k, ir_op *early, ir_val v) {
  const ir_loop *loop = early->u.loop;
  for (uint32_t o = 0; o < loop->nout; o++)
    if (loop->out[o].mode == IR_STACK && loop->out[o].yield == v) return early->res[o];
  return ir_loop_out(k->fn, early, IR_STACK, 0, NULL, v);
}

static void keep(keeper *k, ir_op *early, ir_op *late) {
  ir_fn *fn = k->fn;
  ir_loop *loop = late->u.loop;
  k->twin = ir_map_new(fn->module->mem, fn);
  find_twins(k, early->u.loop, loop);
  k->n = fn->nvals;
  k->needed = ARENA_ARRAY(fn->module->mem, bool, k->n);
  ir_visit_ops(&loop->body, see_op, k);
  for (uint32_t o = 0; o < loop->nout; o++) {
    see_use(k, &loop->out[o].yield);
    for (uint32_t a = 0; a < loop->out[o].axes.n; a++) see_use(k, &loop->out[o].axes.at[a]);
  }
  for (ir_op *op = loop->body.first; op; op = op->next) {
    if (!plain(fn, op) || op->res[0] >= k->n || !k->needed[op->res[0]] || ir_op_table[op->code].flops < MIN_FLOPS) continue;
    ir_val twin = ir_map_get(&k->twin, op->res[0]);
    if (!twin || ir_type_of(fn, twin).elem != IR_REAL) continue;
    ir_axes axes = {.n = loop->rank};
    memcpy(axes.at, loop->index, loop->rank * sizeof *axes.at);
    ir_builder here = {.fn = fn, .block = op->block, .before = op, .where = op->where};
    ir_map_set(&k->renamed, op->res[0], ir_at(&here, stacked(k, early, twin), axes));
    ir_remark_add(fn->module, "keep", op->where, false, "%s of each element is kept for the gradient", ir_op_table[op->code].name);
    k->changed = true;
  }
}

/* factor [n]: by value, it is factorised. */
static bool is_factorised(const ir_op *plate, const bool *factor, uint32_t n) {
  for (uint32_t o = 0; o < plate->nres; o++)
    if (plate->res[o] < n && factor[plate->res[o]] && plate->u.loop->out[o].mode == IR_STACK) return true;
  return false;
}

bool pass_keep(ir_module *m, ir_fn *fn) {
  uint32_t n = fn->nvals;
  bool *factor = ARENA_ARRAY(m->mem, bool, n), any = false;
  for (const ir_op *op = fn->body.first; op; op = op->next)
    if (op->code == IR_CHOLESKY_OP) any = factor[op->args[0]] = true;
  if (!any) return false;
  keeper k = {.fn = fn, .renamed = ir_map_new(m->mem, fn)};
  for (ir_op *early = fn->body.first; early; early = early->next) {
    if (early->code != IR_PLATE_OP || !is_factorised(early, factor, n)) continue;
    for (ir_op *late = early->next; late; late = late->next)
      if (late->code == IR_PLATE_OP && same_box(fn, early->u.loop, late->u.loop)) keep(&k, early, late);
  }
  if (k.changed) ir_rename_all(fn, &k.renamed);
  return k.changed;
}
