/* interp_rows.c: rows of a matrix inside a plate on lanes, where lane l has row first + l.
 *
 * What a regression does with its matrix is two things: each row times the vector of coefficients, and, backward, the sum of all
 * rows, each scaled by its own number.  Neither makes the row.  The first is a product of the block's rows with the vector, the
 * second goes into the sums directly. */
#include "vm/interp_compile.h"

const ir_op *interp_at_of(const icomp *c, ir_val v) {
  const ir_op *def = c->fn->val[v].def == IR_DEF_RESULT ? c->fn->val[v].op : NULL;
  return def && def->code == IR_AT_OP ? def : NULL;
}

/* Of the two axes, the one with the row's number; -1: this is no row. */
static int row_axis(const icomp *c, const ir_axes *a) {
  if (a->n != 2 || !a->at[0] == !a->at[1]) return -1;
  int axis = a->at[0] ? 0 : 1;
  return c->v[a->at[axis]].affine == 1 ? axis : -1;
}

bool interp_row_slice(const icomp *c, const ir_op *op) {
  const ival *r = &c->v[op->res[0]];
  return r->vary && r->other_uses > 0 && r->other_uses == r->mat_uses && row_axis(c, &op->u.axes) >= 0 && !c->v[op->args[0]].vary;
}

int interp_row_dot(const icomp *c, const ir_op *op) {
  if (op->flags) return -1;
  for (int k = 0; k < 2; k++) {
    const ir_op *row = interp_at_of(c, op->args[k]);
    if (row && ir_type_of(c->fn, op->args[1 - k]).rank == 1 && !c->v[op->args[1 - k]].vary && interp_row_slice(c, row)) return k;
  }
  return -1;
}

void interp_row_dot_emit(icomp *c, const ir_op *op, int row) {
  ir_val r = op->res[0];
  const ival *s = &c->v[op->args[row]];
  ir_val base = s->of;
  int axis = row_axis(c, &s->axes);
  int64_t dim[IR_MAX_RANK];
  interp_dims(c, ir_type_of(c->fn, base), dim);
  array_operand a = interp_as_array(c, &c->v[base]), x = interp_as_array(c, &c->v[op->args[1 - row]]);
  if (dim[1 - axis] > UINT32_MAX) interp_refuse(c, "a matrix is too large");
  uint32_t first = interp_index_cell(c, interp_index(c, s->axes.at[axis], true));
  interp_make(c, r, true);
  interp_ins *in = interp_put(c, axis == 0 ? I_V_GEMV : I_V_GEMVC, c->v[r].at, a.slot, first);
  in->c = x.slot;
  in->x = (uint32_t)dim[1 - axis];
  in->u.i = dim[1];
}

/* ---- sums of scaled rows */

/* A product r x[q, i] in the body of a plate over q. */
typedef struct scaled {
  ir_val r, base, i;
} scaled;

/* The element of a shared matrix that v is, as `at base, q, i`, through a slice [:, i]. */
static bool element(const icomp *c, ir_val v, const ir_loop *over, scaled *s) {
  const ir_op *def = interp_at_of(c, v);
  if (!def) return false;
  ir_axes axes = def->u.axes;
  s->base = def->args[0];
  const ir_op *slice = interp_at_of(c, s->base);
  if (slice && c->v[s->base].vary) {
    if (axes.n != 1 || slice->u.axes.n != 2 || slice->u.axes.at[0]) return false;
    axes = (ir_axes){.n = 2, .at = {axes.at[0], slice->u.axes.at[1]}};
    s->base = slice->args[0];
  }
  s->i = axes.at[1];
  return axes.n == 2 && axes.at[0] == over->index[0] && s->i && c->v[s->i].affine == 1 && !c->v[s->base].vary;
}

static bool scaled_row(const icomp *c, const ir_op *plate, uint32_t k, scaled *s) {
  const ir_loop *loop = plate->u.loop;
  const ir_op *product = ir_def_op(c->fn, loop->out[k].yield);
  if (loop->rank != 1 || loop->out[k].mode != IR_STACK || !product || product->code != IR_MUL_OP || product->block != &loop->body) return false;
  for (int side = 0; side < 2; side++) {
    s->r = product->args[side];
    const ir_op *def = ir_def_op(c->fn, s->r);
    bool outside = !(def && def->block == &loop->body) && s->r != loop->index[0];
    if (outside && element(c, product->args[1 - side], loop, s)) return true;
  }
  return false;
}

static bool only_scales(const icomp *c, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  uint32_t products = 0;
  scaled s;
  for (uint32_t k = 0; k < loop->nout; k++)
    if (!scaled_row(c, op, k, &s) || c->v[op->res[k]].other_uses != 1) return false;
  for (const ir_op *p = loop->body.first; p; p = p->next) {
    if (p->code == IR_MUL_OP) products++;
    else if (p->code != IR_AT_OP) return false;
  }
  return products <= loop->nout;
}

static bool summed(const ir_op *plate, ir_val v) {
  for (uint32_t k = 0; k < plate->nres; k++)
    if (plate->u.loop->out[k].yield == v) return plate->u.loop->out[k].mode == IR_SUM;
  return false;
}

void interp_scaled_rows_mark(icomp *c, const ir_op *plate, uint32_t flat) {
  if (flat) return;
  for (const ir_op *op = plate->u.loop->body.first; op; op = op->next) {
    if (op->code != IR_PLATE_OP || !op->nres || !only_scales(c, op)) continue;
    bool all = true;
    for (uint32_t k = 0; k < op->nres; k++) all &= summed(plate, op->res[k]);
    for (uint32_t k = 0; k < op->nres && all; k++) c->v[op->res[k]].scaled = true;
  }
}

void interp_scaled_rows_emit(icomp *c, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  for (uint32_t k = 0; k < loop->nout; k++) {
    scaled s;
    const ival *y = &c->v[op->res[k]];
    if (!scaled_row(c, op, k, &s) || y->cells > UINT32_MAX) interp_refuse(c, "a matrix is too large");
    int64_t dim[IR_MAX_RANK];
    interp_dims(c, ir_type_of(c->fn, s.base), dim);
    lane_operand r = interp_as_lane(c, &c->v[s.r]);
    array_operand a = interp_as_array(c, &c->v[s.base]);
    interp_ins *in = interp_put(c, y->single ? I_LDOTROWS : I_LSUMROWS, y->at, r.slot, a.slot);
    in->c = interp_index_cell(c, interp_index(c, s.i, true));
    in->s = (uint8_t)r.stride;
    in->x = (uint32_t)y->cells;
    in->u.i = dim[1];
  }
  /* The body is numbered as if it had been emitted; what it makes lives nowhere. */
  for (const ir_op *p = loop->body.first; p; p = p->next) c->number++;
  c->number++;
}

bool interp_not_made(const icomp *c, const ir_op *op) {
  return op->code == IR_AT_OP ? interp_row_slice(c, op) : op->code == IR_PLATE_OP && c->v[op->res[0]].scaled;
}
