/* interp_region.c: can a plate run many iterations at once, and which values then differ between lanes.
 *
 * A plate can when everything in it follows one path: no `if` on a condition that varies, no extent of an inner loop that
 * does, and no dense factorisation of arrays that do.  What states of inner scans are is found by going round until nothing
 * changes. */
#include "vm/interp_compile.h"

/* Arrays of an iteration larger than this leave nothing to gain from running several at once. */
enum { REGION_CELLS = 1 << 16 };

static bool vary(const icomp *c, ir_val v) { return v && c->v[v].vary; }

static bool any_axis(const icomp *c, const ir_axes *a) {
  for (uint32_t k = 0; k < a->n; k++) if (vary(c, a->at[k])) return true;
  return false;
}

static bool mark_block(icomp *c, const ir_block *b);

static void clear_op(icomp *c, const ir_op *op);
static void clear_block(icomp *c, const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next) clear_op(c, op);
}
static void clear_value(icomp *c, ir_val v) {
  if (!v) return;
  c->v[v].vary = c->v[v].column = c->v[v].scaled = false;
  c->v[v].affine = 0;
}
static void clear_op(icomp *c, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++) clear_value(c, op->res[k]);
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
    for (uint32_t k = 0; k < op->u.loop->rank; k++) clear_value(c, op->u.loop->index[k]);
    for (uint32_t k = 0; k < op->u.loop->nout; k++) clear_value(c, op->u.loop->out[k].state);
    clear_block(c, &op->u.loop->body);
  } else if (op->code == IR_IF_OP) {
    clear_block(c, &op->u.branch->then_);
    clear_block(c, &op->u.branch->else_);
  }
}

static bool mark_loop(icomp *c, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  for (uint32_t k = 0; k < loop->rank; k++) if (vary(c, loop->extent[k])) return false;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (vary(c, o->init)) c->v[op->res[k]].vary = true;
    if (o->state && c->v[op->res[k]].vary) c->v[o->state].vary = true;
  }
  for (bool again = true; again;) {
    again = false;
    if (!mark_block(c, &loop->body)) return false;
    for (uint32_t k = 0; k < loop->nout; k++) {
      const ir_out *o = &loop->out[k];
      ival *r = &c->v[op->res[k]];
      if (r->vary || !(vary(c, o->yield) || any_axis(c, &o->axes))) continue;
      r->vary = true;
      if (o->state) c->v[o->state].vary = again = true;
    }
  }
  if (vary(c, loop->live)) return false;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    bool integer = ir_type_of(c->fn, op->res[k]).elem != IR_REAL, array = ir_type_of(c->fn, op->res[k]).rank > 0;
    if (c->v[op->res[k]].vary && integer && array && o->mode >= IR_SUM && o->mode <= IR_MIN) return false;
  }
  return true;
}

static bool mark_op(icomp *c, const ir_op *op) {
  bool any = false;
  for (uint32_t k = 0; k < op->nargs; k++) any |= vary(c, op->args[k]);
  switch (op->code) {
    case IR_AT_OP: case IR_PUT_OP: any |= any_axis(c, &op->u.axes); break;
    case IR_CHOLESKY_OP: case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP:
    case IR_MEMO_FIND_OP: case IR_MEMO_KEEP_OP:
      if (any) return false;
      break;
    case IR_PLATE_OP: case IR_SCAN_OP: return mark_loop(c, op);
    case IR_IF_OP:
      if (any || !mark_block(c, &op->u.branch->then_) || !mark_block(c, &op->u.branch->else_)) return false;
      for (uint32_t k = 0; k < op->nres; k++)
        c->v[op->res[k]].vary |= vary(c, op->u.branch->then_yield[k]) || vary(c, op->u.branch->else_yield[k]);
      return true;
    default: break;
  }
  for (uint32_t k = 0; k < op->nres; k++) c->v[op->res[k]].vary = any;
  if (!any || op->nres != 1) return true;
  uint8_t *affine = &c->v[op->res[0]].affine;
  *affine = 0;
  if (op->code == IR_ADD_OP || op->code == IR_SUB_OP || op->code == IR_BOUND_OP) {
    bool a = c->v[op->args[0]].affine == 1, b = c->v[op->args[1]].affine == 1;
    if (a && !vary(c, op->args[1])) *affine = 1;
    if (op->code == IR_ADD_OP && b && !vary(c, op->args[0])) *affine = 1;
  }
  return true;
}

static bool mark_block(icomp *c, const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next) if (!mark_op(c, op)) return false;
  return true;
}

/* ---- which affine values need a column */

static void need(icomp *c, ir_val v) {
  if (v && c->v[v].affine) c->v[v].column = true;
}
static void need_axes(icomp *c, const ir_axes *a) {
  for (uint32_t k = 0; k < a->n; k++) need(c, a->at[k]);
}

/* The whole position of an `at` is the index of a flat box, element for element. */
bool interp_is_flat(const icomp *c, const ir_axes *axes, const ir_op *plate, uint32_t flat, ir_type array) {
  if (!flat || axes->n != flat) return false;
  int64_t dim[IR_MAX_RANK];
  interp_dims(c, array, dim);
  for (uint32_t k = 0; k < flat; k++) {
    if (axes->at[k] != plate->u.loop->index[k]) return false;
    const ival *e = &c->v[plate->u.loop->extent[k]];
    if (k > 0 && (!e->known || e->k != dim[k])) return false;
  }
  return true;
}

static void need_at(icomp *c, const ir_op *op, const ir_op *plate, uint32_t flat) {
  if (!c->v[op->res[0]].vary) return;
  /* Slices are followed to the array as interp_resolve will; a slice that is not followed makes an array that varies. */
  ir_axes axes = op->u.axes;
  ir_val array = op->args[0];
  bool lazy = true;
  for (;;) {
    const ir_op *def = interp_at_of(c, array);
    if (!def || !c->v[array].vary) break;
    lazy &= c->v[array].other_uses == 0;
    ir_axes whole = def->u.axes;
    for (uint32_t k = 0, j = 0; k < whole.n; k++) if (!whole.at[k]) whole.at[k] = axes.at[j++];
    axes = whole;
    array = def->args[0];
  }
  if (c->v[array].vary || !lazy) { need_axes(c, &axes); return; }
  if (ir_type_of(c->fn, op->res[0]).rank > 0) {
    const ival *r = &c->v[op->res[0]];
    if (r->other_uses > 0 && !interp_row_slice(c, op)) need_axes(c, &axes);
    return;
  }
  if (interp_is_flat(c, &axes, plate, flat, ir_type_of(c->fn, array))) return;
  int n = 0;
  bool only = true;
  for (uint32_t k = 0; k < axes.n; k++) if (vary(c, axes.at[k])) n++, only &= c->v[axes.at[k]].affine == 1;
  if (n != 1 || !only) need_axes(c, &axes);
}

static void need_block(icomp *c, const ir_block *b, const ir_op *plate, uint32_t flat, int64_t *cells);

static void need_outs(icomp *c, const ir_op *op) {
  for (uint32_t k = 0; k < op->u.loop->nout; k++) {
    need(c, op->u.loop->out[k].yield);
    need(c, op->u.loop->out[k].init);
    need_axes(c, &op->u.loop->out[k].axes);
  }
}

static void need_block(icomp *c, const ir_block *b, const ir_op *plate, uint32_t flat, int64_t *cells) {
  for (const ir_op *op = b->first; op; op = op->next) {
    for (uint32_t k = 0; k < op->nres; k++)
      if (c->v[op->res[k]].vary && ir_type_of(c->fn, op->res[k]).rank > 0 && !interp_not_made(c, op)) *cells += c->v[op->res[k]].cells;
    bool keeps = op->nres == 1 && c->v[op->res[0]].affine == 1;
    if (!keeps) for (uint32_t k = 0; k < op->nargs; k++) need(c, op->args[k]);
    if (op->code == IR_AT_OP) need_at(c, op, plate, flat);
    if (op->code == IR_MATMUL_OP && interp_row_dot(c, op) < 0)
      for (int k = 0; k < 2; k++) {
        const ir_op *row = interp_at_of(c, op->args[k]);
        if (row) need_axes(c, &row->u.axes);
      }
    if (op->code == IR_PUT_OP) need_axes(c, &op->u.axes);
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      need_block(c, &op->u.loop->body, plate, flat, cells);
      need_outs(c, op);
    } else if (op->code == IR_IF_OP) {
      for (int side = 0; side < 2; side++) {
        need_block(c, side ? &op->u.branch->else_ : &op->u.branch->then_, plate, flat, cells);
        const ir_val *y = side ? op->u.branch->else_yield : op->u.branch->then_yield;
        for (uint32_t k = 0; k < op->nres; k++) need(c, y[k]);
      }
    }
  }
}

bool interp_region_mark(icomp *c, const ir_op *plate, uint32_t flat, int64_t *lane_cells) {
  const ir_loop *loop = plate->u.loop;
  clear_op(c, plate);
  for (uint32_t k = flat ? 0 : loop->rank - 1; k < loop->rank; k++) {
    c->v[loop->index[k]].vary = true;
    c->v[loop->index[k]].affine = flat ? 2 : 1;
  }
  bool ok = mark_block(c, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_type t = ir_type_of(c->fn, plate->res[k]);
    uint8_t mode = loop->out[k].mode;
    if (t.elem != IR_REAL && mode >= IR_SUM && mode <= IR_MIN) ok = false;
    if (mode == IR_SUM && c->v[loop->out[k].yield].cells > 4096) ok = false;
    if (t.rank == 0 && (mode == IR_KEYED || mode == IR_INTO)) ok = false;
  }
  if (!ok) {
    clear_op(c, plate);
    return false;
  }
  interp_scaled_rows_mark(c, plate, flat);
  *lane_cells = 0;
  need_block(c, &loop->body, plate, flat, lane_cells);
  need_outs(c, plate);
  if (*lane_cells > REGION_CELLS) {
    clear_op(c, plate);
    return false;
  }
  for (uint32_t k = 0; k < plate->nres; k++) c->v[plate->res[k]].vary = false;
  return true;
}
