/* emit_array.c: reading, placing and dense operations of arrays.
 *
 * An array is contiguous and row-major.  A slice of trailing axes is seen in place; any other is copied. */
#include "codegen/emit_internal.h"
#include "stdlib/runtime/rt_kernels.h"

static LV val(E *e, ir_val v) { return e->v[v].v; }

/* Cells from one index of axis k to the next. */
static LV stride_of(E *e, ir_type t, int k) {
  LV s = cg_int(e, 1);
  for (int j = t.rank - 1; j > k; j--) s = cg_mul(e, s, cg_size(e, t.dim[j]));
  return s;
}

LV cg_flat(E *e, ir_type t, const ir_axes *axes) {
  LV at = cg_int(e, 0);
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && ir_type_of(e->fn, axes->at[k]).rank == 0) at = cg_add(e, at, cg_mul(e, val(e, axes->at[k]), stride_of(e, t, (int)k)));
  return at;
}

bool cg_in_place(const ir_axes *axes) {
  bool free = false;
  for (uint32_t k = 0; k < axes->n; k++) {
    if (!axes->at[k]) free = true;
    else if (free) return false;
  }
  return true;
}

/* Loops over the free axes; `at` is the offset in the array, `e` the number of the element in the slice. */
typedef struct walk {
  cg_for loop[IR_MAX_RANK];
  int n;
  LV at, element;
} walk;

static walk walk_begin(E *e, ir_type t, const ir_axes *axes, LV at) {
  walk w = {.at = at, .element = cg_int(e, 0)};
  for (uint32_t k = 0; k < axes->n; k++) {
    if (axes->at[k]) continue;
    LV n = cg_size(e, t.dim[k]);
    cg_for *f = &w.loop[w.n++];
    *f = cg_for_begin(e, n);
    w.at = cg_add(e, w.at, cg_mul(e, f->index, stride_of(e, t, (int)k)));
    w.element = cg_add(e, cg_mul(e, w.element, n), f->index);
  }
  return w;
}
static void walk_end(E *e, walk *w) {
  while (w->n > 0) cg_for_end(e, &w->loop[--w->n]);
}

void cg_at(E *e, const ir_op *op) {
  ir_val res = op->res[0], a = op->args[0];
  ir_type t = ir_type_of(e->fn, a), r = ir_type_of(e->fn, res);
  LV at = cg_flat(e, t, &op->u.axes);
  if (r.rank == 0) {
    e->v[res].v = cg_load(e, r.elem, cg_gep(e, val(e, a), at));
    return;
  }
  if (cg_in_place(&op->u.axes)) {
    e->v[res].v = cg_gep(e, val(e, a), at);
    e->v[res].root = e->v[a].root;
    return;
  }
  LV to = cg_memory(e, res);
  walk w = walk_begin(e, t, &op->u.axes, at);
  cg_store(e, IR_INT, cg_load(e, IR_INT, cg_gep(e, val(e, a), w.at)), cg_gep(e, to, w.element));
  walk_end(e, &w);
}

static void put_one(E *e, int elem, LV to, LV x, cg_place_mode mode) {
  if (mode == CG_ADD) {
    LV old = cg_load(e, elem, to);
    x = elem == IR_REAL ? LLVMBuildFAdd(e->b, old, x, "") : LLVMBuildAdd(e->b, old, x, "");
  }
  cg_store(e, elem, x, to);
}

/* y is a scalar's value or an array's address. */
static void place_slice(E *e, ir_type t, LV base, const ir_axes *axes, LV at, bool scalar, LV y, LV yfirst, cg_place_mode mode) {
  if (scalar) {
    put_one(e, t.elem, cg_gep(e, base, at), y, mode);
    return;
  }
  walk w = walk_begin(e, t, axes, at);
  LV from = cg_gep(e, y, yfirst ? cg_add(e, yfirst, w.element) : w.element);
  int elem = t.elem == IR_REAL ? IR_REAL : IR_INT;
  put_one(e, elem, cg_gep(e, base, w.at), cg_load(e, elem, from), mode);
  walk_end(e, &w);
}

void cg_place(E *e, ir_type t, LV base, const ir_axes *axes, ir_type yt, LV y, cg_place_mode mode) {
  LV at = cg_flat(e, t, axes);
  int list = -1;
  for (uint32_t k = 0; k < axes->n; k++) if (axes->at[k] && ir_type_of(e->fn, axes->at[k]).rank > 0) list = (int)k;
  if (list < 0) {
    place_slice(e, t, base, axes, at, yt.rank == 0, y, NULL, mode);
    return;
  }
  /* One contribution for each element of the lists, in order. */
  LV slice = cg_int(e, 1);
  bool whole = true;
  for (uint32_t k = 0; k < axes->n; k++) if (!axes->at[k]) slice = cg_mul(e, slice, cg_size(e, t.dim[k])), whole = false;
  cg_for f = cg_for_begin(e, cg_cells(e, ir_type_of(e->fn, axes->at[list])));
  for (uint32_t k = 0; k < axes->n; k++) {
    if (!axes->at[k] || ir_type_of(e->fn, axes->at[k]).rank == 0) continue;
    LV i = cg_load(e, IR_INT, cg_gep(e, val(e, axes->at[k]), f.index));
    at = cg_add(e, at, cg_mul(e, i, stride_of(e, t, (int)k)));
  }
  if (whole) {
    int elem = t.elem == IR_REAL ? IR_REAL : IR_INT;
    put_one(e, elem, cg_gep(e, base, at), cg_load(e, elem, cg_gep(e, y, f.index)), mode);
  } else {
    place_slice(e, t, base, axes, at, false, y, cg_mul(e, f.index, slice), mode);
  }
  cg_for_end(e, &f);
}

/* op may build in the memory of v: nothing else names v, and v was made in the same block. */
bool cg_takes(E *e, const ir_op *op, ir_val v) {
  const ir_op *def = ir_def_op(e->fn, v);
  return def && def->block == op->block && e->v[v].uses == 1 && def->code != IR_AT_OP;
}

void cg_put(E *e, const ir_op *op) {
  ir_val r = op->res[0], a = op->args[0];
  ir_type t = ir_type_of(e->fn, r);
  if (cg_takes(e, op, a)) {
    e->v[r].v = e->v[a].v;
    e->v[r].root = r;
  } else {
    cg_memory(e, r);
    cg_copy_cells(e, e->v[r].v, e->v[a].v, cg_cells(e, t));
  }
  cg_place(e, t, e->v[r].v, &op->u.axes, ir_type_of(e->fn, op->args[1]), e->v[op->args[1]].v, CG_STORE);
}

/* ---- dense operations: services of the host but for short inner products */

enum { HOST_DOT, HOST_GEMV, HOST_GEMM, HOST_CHOLESKY, HOST_CHOL_ADJ, HOST_TRISOLVE, HOST_QR_R, HOST_INVERSE };
enum { DOT_INLINE = 32 };

static LV short_dot(E *e, LV a, LV b, int64_t n) {
  if (e->column) {
    LV t[DOT_INLINE];
    for (int64_t k = 0; k < n; k++) {
      LV x = cg_load(e, IR_REAL, cg_gep(e, a, cg_int(e, k)));
      t[k] = LLVMBuildFMul(e->b, x, cg_load(e, IR_REAL, cg_gep(e, b, cg_int(e, k))), "");
    }
    return cg_tree(e, t, n);
  }
  LV terms = cg_alloca(e, LLVMArrayType2(e->f64, (uint64_t)n));
  cg_for f = cg_for_begin(e, cg_int(e, n));
  LV x = cg_load(e, IR_REAL, cg_gep(e, a, f.index)), y = cg_load(e, IR_REAL, cg_gep(e, b, f.index));
  cg_store(e, IR_REAL, LLVMBuildFMul(e->b, x, y, ""), cg_gep(e, terms, f.index));
  cg_for_end(e, &f);
  return cg_call(e, "cg_sum_few", 2, (LV[]){terms, cg_int(e, n)});
}

static void matmul(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  ir_type ta = ir_type_of(e->fn, op->args[0]), tb = ir_type_of(e->fn, op->args[1]);
  LV a = val(e, op->args[0]), b = val(e, op->args[1]);
  bool at = op->flags & IR_TRANS_A, bt = op->flags & IR_TRANS_B;
  LV a0 = cg_size(e, ta.dim[0]), b0 = cg_size(e, tb.dim[0]);
  if (ta.rank == 1 && tb.rank == 1 && !bt) {
    int64_t n;
    if (cg_const(a0, &n) && n > 0 && n <= DOT_INLINE) e->v[r].v = short_dot(e, a, b, n);
    else e->v[r].v = cg_host_call(e, HOST_DOT, e->f64, 3, (LV[]){a, b, a0});
    return;
  }
  LV d = cg_memory(e, r);
  if (ta.rank == 1 && tb.rank == 1) { /* outer product */
    cg_for i = cg_for_begin(e, a0);
    LV x = cg_load(e, IR_REAL, cg_gep(e, a, i.index));
    cg_for j = cg_for_begin(e, b0);
    cg_store(e, IR_REAL, LLVMBuildFMul(e->b, x, cg_load(e, IR_REAL, cg_gep(e, b, j.index)), ""), cg_gep(e, d, cg_add(e, cg_mul(e, i.index, b0), j.index)));
    cg_for_end(e, &j);
    cg_for_end(e, &i);
    return;
  }
  if (tb.rank == 1 || ta.rank == 1) { /* x A is A' x */
    bool left = tb.rank == 1;
    ir_type m = left ? ta : tb;
    cg_host_call(e, HOST_GEMV, e->vd, 6, (LV[]){d, left ? a : b, left ? b : a, cg_size(e, m.dim[0]), cg_size(e, m.dim[1]), cg_int(e, left ? at : !bt)});
    return;
  }
  cg_host_call(e, HOST_GEMM, e->vd, 8, (LV[]){d, a, b, cg_size(e, ta.dim[at]), cg_size(e, tb.dim[!bt]), cg_size(e, ta.dim[!at]), cg_int(e, at), cg_int(e, bt)});
}

void cg_dense(E *e, const ir_op *op) {
  if (op->code == IR_MATMUL_OP) {
    matmul(e, op);
    return;
  }
  LV a = val(e, op->args[0]), n = cg_size(e, ir_type_of(e->fn, op->args[0]).dim[0]), d = cg_memory(e, op->res[0]);
  LV null = LLVMConstNull(e->ptr);
  switch (op->code) {
    case IR_CHOLESKY_OP: cg_host_call(e, HOST_CHOLESKY, e->vd, 3, (LV[]){d, a, n}); return;
    case IR_CHOL_ADJ_OP: cg_host_call(e, HOST_CHOL_ADJ, e->vd, 4, (LV[]){d, a, val(e, op->args[1]), n}); return;
    case IR_TRISOLVE_OP: {
      ir_type t = ir_type_of(e->fn, op->args[1]);
      LV m = t.rank == 1 ? cg_int(e, 1) : cg_size(e, t.dim[1]);
      cg_host_call(e, HOST_TRISOLVE, e->vd, 6, (LV[]){d, a, val(e, op->args[1]), n, m, cg_int(e, (op->flags & IR_TRANS_A) != 0)});
      return;
    }
    case IR_QR_R_OP: {
      ir_type t = ir_type_of(e->fn, op->args[1]);
      LV scratch = cg_slot_scaled(e, RT_QR_ROWS + 1, RT_QR_SCRATCH(0), ir_array(IR_REAL, 1, &t.dim[1]));
      cg_host_call(e, HOST_QR_R, e->vd, 6, (LV[]){d, a, val(e, op->args[1]), cg_size(e, t.dim[0]), n, scratch});
      return;
    }
    case IR_INV_PTR_OP: cg_host_call(e, HOST_INVERSE, e->vd, 5, (LV[]){d, null, a, n, val(e, op->args[1])}); return;
    default: {
      ir_size buckets = ir_size_of(e->fn, op->args[1]);
      if (buckets == IR_SIZE_NONE) cg_fail(e, "the number of buckets of inv_list is not known");
      LV ptr = cg_slot_scaled(e, 1, 1, ir_array(IR_INT, 1, &buckets));
      cg_host_call(e, HOST_INVERSE, e->vd, 5, (LV[]){ptr, d, a, n, val(e, op->args[1])});
    }
  }
}
