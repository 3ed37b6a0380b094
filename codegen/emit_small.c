/* emit_small.c: bodies that stand as straight code.
 *
 * A body is *straight* when it is scalar operations, arrays of few cells, and loops of few iterations over such: then it is emitted
 * without a branch, iteration after iteration, and every small array is a list of SSA values.  Such a body runs on lanes, and a
 * loop of a handful of iterations inside another loop is unrolled in the same way. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

enum { DRAW_OPS = 60 };

int64_t cg_known_extent(E *e, ir_val v) {
  int64_t n;
  if (ir_is_int(e->fn, v, &n)) return n < 0 ? 0 : n;
  ir_size s = ir_size_of(e->fn, v);
  if (s == IR_SIZE_NONE || !size_value(e->m->sizes, s, &n)) return -1;
  return n < 0 ? 0 : n;
}

int64_t cg_iterations(E *e, const ir_op *op) {
  int64_t total = 1;
  for (uint32_t k = 0; k < op->u.loop->rank; k++) {
    int64_t n = cg_known_extent(e, op->u.loop->extent[k]);
    if (n < 0 || __builtin_mul_overflow(total, n, &total)) return -1;
  }
  return total;
}

/* Arrays without cells stay in memory: what reads them never runs, but is emitted. */
static bool small(E *e, ir_val v) {
  int64_t n = cg_known_cells(e, ir_type_of(e->fn, v));
  return n >= 1 && n <= CG_CELLS_MOST;
}

static bool lists(E *e, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++) if (axes->at[k] && ir_type_of(e->fn, axes->at[k]).rank > 0) return true;
  return false;
}

/* A position among cells that is not known while compiling costs a choice for each of them. */
static int64_t choices(E *e, ir_val array, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++) {
    const ir_value *v = axes->at[k] ? ir_value_of(e->fn, axes->at[k]) : NULL;
    if (v && v->def != IR_DEF_INDEX && !(v->op && v->op->code == IR_INT_OP)) return cg_known_cells(e, ir_type_of(e->fn, array));
  }
  return 1;
}

/* Each position is an index that goes just as far as the axis, so the element is there whatever the branch. */
static bool reads_inside(E *e, const ir_op *op) {
  const ir_type t = ir_type_of(e->fn, op->args[0]);
  for (uint32_t k = 0; k < op->u.axes.n; k++) {
    const ir_val v = op->u.axes.at[k];
    const ir_value *x = v ? ir_value_of(e->fn, v) : NULL;
    if (!x) continue;
    if (x->def != IR_DEF_INDEX || ir_size_of(e->fn, x->op->u.loop->extent[x->slot]) != t.dim[k]) return false;
  }
  return true;
}

/* A few operations that cannot fail and read no memory but elements that exist: both sides of an if may run. */
static bool calm(E *e, const ir_block *b, int64_t times, int64_t *budget) {
  for (const ir_op *op = b->first; op; op = op->next) {
    if (ir_is_loop(op) || op->code == IR_IF_OP || ir_op_table[op->code].signature[0] == '*')
      if (op->code != IR_REAL_OP && op->code != IR_INT_OP && op->code != IR_BOOL_OP && op->code != IR_SIZE_OP && !(op->code == IR_AT_OP && reads_inside(e, op))) return false;
    *budget -= times;
    if (ir_op_table[op->code].effect != IR_PURE) return false;
    for (uint32_t k = 0; k < op->nres; k++) if (ir_type_of(e->fn, op->res[k]).rank > 0) return false;
  }
  return true;
}

bool cg_unrolls(E *e, const ir_op *op, int64_t times, int64_t *budget) {
  const ir_loop *loop = op->u.loop;
  int64_t total = cg_iterations(e, op);
  if (total < 1 || total > CG_CELLS_MOST || loop->live) return false;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (!small(e, op->res[k]) || lists(e, &o->axes)) return false;
    if ((o->mode == IR_INTO || o->mode == IR_KEYED) && (*budget -= times * total * choices(e, op->res[k], &o->axes)) < 0) return false;
  }
  return cg_straight(e, &loop->body, times * total, budget);
}

bool cg_straight(E *e, const ir_block *b, int64_t times, int64_t *budget) {
  for (const ir_op *op = b->first; op; op = op->next) {
    int64_t work = 1;
    if (cg_by_tile(e, op)) continue;
    switch (op->code) {
      case IR_PLATE_OP: case IR_SCAN_OP:
        if (!cg_unrolls(e, op, times, budget)) return false;
        continue;
      case IR_MATMUL_OP:
        if (!cg_small_matmul(e, op, &work)) return false;
        break;
      case IR_AT_OP:
        if (lists(e, &op->u.axes)) return false;
        break;
      case IR_NEW_OP:
        if (!small(e, op->res[0])) return false;
        break;
      case IR_PUT_OP:
        if (!small(e, op->res[0]) || lists(e, &op->u.axes)) return false;
        work = choices(e, op->res[0], &op->u.axes);
        break;
      case IR_IF_OP:
        for (uint32_t k = 0; k < op->nres; k++) if (ir_type_of(e->fn, op->res[k]).rank > 0) return false;
        if (!calm(e, &op->u.branch->then_, times, budget) || !calm(e, &op->u.branch->else_, times, budget)) return false;
        break;
      case IR_CALL_OP: case IR_MEMO_FIND_OP: case IR_MEMO_KEEP_OP: case IR_CHOLESKY_OP: case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP:
        return false;
      default:
        if (ir_op_table[op->code].effect != IR_DRAW) break;
        if (!cg_inverts(op)) return false;
        work = DRAW_OPS;
        break;
    }
    if ((*budget -= times * work) < 0) return false;
  }
  return true;
}

/* ---- emission */

typedef struct unrolled {
  LV *term; /* [cells][total] values of a real SUM or STACK, in order; else [cells], as built so far */
  int64_t cells;
} unrolled;

static void set_cells(E *e, ir_val v, LV *cell) {
  cg_value *x = &e->v[v];
  x->stride = NULL;
  x->root = 0;
  if (ir_type_of(e->fn, v).rank) x->cell = cell;
  else x->v = cell[0];
}

static void step(E *e, const ir_op *op, uint32_t k, unrolled *u, LV *y, int64_t order, int64_t place, int64_t total) {
  const ir_out *o = &op->u.loop->out[k];
  ir_type t = ir_type_of(e->fn, op->res[k]);
  int64_t n = cg_known_cells(e, ir_type_of(e->fn, o->yield));
  switch (o->mode) {
    case IR_STACK:
      for (int64_t c = 0; c < n; c++) u->term[place * n + c] = y[c];
      return;
    case IR_CARRY:
      for (int64_t c = 0; c < n; c++) u->term[c] = y[c];
      return;
    case IR_INTO: u->term = cg_cells_put(e, t, u->term, &o->axes, y, CG_STORE); return;
    case IR_KEYED: u->term = cg_cells_put(e, t, u->term, &o->axes, y, CG_ADD); return;
    default:
      for (int64_t c = 0; c < n; c++) {
        if (o->mode == IR_SUM && t.elem == IR_REAL) u->term[c * total + order] = y[c];
        else u->term[c] = cg_fold2(e, o->mode, t.elem, u->term[c], y[c]);
      }
  }
}

static LV long_tree(E *e, LV *t, int64_t n) {
  for (int64_t k = CG_FEW; k < n; k++) t[k % CG_FEW] = LLVMBuildFAdd(e->b, t[k % CG_FEW], t[k], "");
  return cg_tree(e, t, n < CG_FEW ? n : CG_FEW);
}

void cg_unroll(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t n[IR_MAX_RANK], total = cg_iterations(e, op);
  unrolled *u = ARENA_ARRAY(e->mem, unrolled, loop->nout + 1);
  LV **y = ARENA_ARRAY(e->mem, LV *, loop->nout + 1);
  for (uint32_t k = 0; k < loop->rank; k++) n[k] = cg_known_extent(e, loop->extent[k]);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    ir_type t = ir_type_of(e->fn, op->res[k]);
    u[k].cells = cg_known_cells(e, t);
    u[k].term = ARENA_ARRAY(e->mem, LV, (size_t)(u[k].cells * (o->mode == IR_SUM ? total : 1) + 1));
    LV *init = o->init ? cg_cells_of(e, o->init) : NULL;
    for (int64_t c = 0; c < u[k].cells; c++) {
      if (init) u[k].term[c] = init[c];
      else if (o->mode != IR_STACK && !(o->mode == IR_SUM && t.elem == IR_REAL)) u[k].term[c] = cg_fold_start(e, o->mode, t.elem);
    }
  }
  e->unrolled++;
  for (int64_t i = 0; i < total; i++) {
    int64_t place = loop->down ? total - 1 - i : i, rest = place;
    for (uint32_t k = loop->rank; k-- > 0; rest /= n[k]) e->v[loop->index[k]].v = cg_int(e, rest % n[k]);
    for (uint32_t k = 0; k < loop->nout; k++) if (loop->out[k].state) set_cells(e, loop->out[k].state, u[k].term);
    cg_emit_block(e, &loop->body);
    for (uint32_t k = 0; k < loop->nout; k++) {
      LV *now = cg_cells_of(e, loop->out[k].yield);
      int64_t m = cg_known_cells(e, ir_type_of(e->fn, loop->out[k].yield));
      y[k] = ARENA_ARRAY(e->mem, LV, (size_t)m + 1); /* apart from states, which change one after the other */
      for (int64_t c = 0; c < m; c++) y[k][c] = now[c];
    }
    for (uint32_t k = 0; k < loop->nout; k++) step(e, op, k, &u[k], y[k], i, place, total);
  }
  e->unrolled--;
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_type t = ir_type_of(e->fn, op->res[k]);
    LV *cell = u[k].term;
    if (loop->out[k].mode == IR_SUM && t.elem == IR_REAL) {
      cell = ARENA_ARRAY(e->mem, LV, (size_t)u[k].cells + 1);
      for (int64_t c = 0; c < u[k].cells; c++) cell[c] = long_tree(e, u[k].term + c * total, total);
    }
    set_cells(e, op->res[k], cell);
  }
}
