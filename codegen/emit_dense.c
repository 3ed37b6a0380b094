/* emit_dense.c: products, factorisations and inverse indices: services of the host but for small products of known shape. */
#include "codegen/emit_internal.h"

#include "stdlib/runtime/rt_kernels.h"

/* Shapes of a product as m x k times k x n, of which vectors leave out one. */
typedef struct shape {
  int64_t m, k, n;
} shape;

static bool known_shape(E *e, const ir_op *op, shape *s) {
  ir_type a = ir_type_of(e->fn, op->args[0]), b = ir_type_of(e->fn, op->args[1]);
  bool at = op->flags & IR_TRANS_A, bt = op->flags & IR_TRANS_B;
  int64_t d[4] = {1, 1, 1, 1};
  for (int k = 0; k < a.rank; k++) if (!size_value(e->m->sizes, a.dim[k], &d[k])) return false;
  for (int k = 0; k < b.rank; k++) if (!size_value(e->m->sizes, b.dim[k], &d[2 + k])) return false;
  if (a.rank == 1 && b.rank == 1) *s = bt ? (shape){d[0], 1, d[2]} : (shape){1, d[0], 1};
  else *s = (shape){a.rank == 1 ? 1 : d[at], a.rank == 1 ? d[0] : d[!at], b.rank == 1 ? 1 : d[2 + !bt]};
  return s->m >= 1 && s->k >= 1 && s->n >= 1;
}

/* A product that stands as its multiplications: *work of them. */
bool cg_small_matmul(E *e, const ir_op *op, int64_t *work) {
  shape s;
  if (!known_shape(e, op, &s) || s.m > CG_CELLS_MOST || s.n > CG_CELLS_MOST || s.k > CG_FEW || s.m * s.n > CG_CELLS_MOST) return false;
  *work = s.m * s.k * s.n;
  return true;
}

/* Sums in the orders of docs/ir.md: of matrices a chain of fused terms, which are fewer than a run of 128 here. */
static void small_matmul(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  ir_type ta = ir_type_of(e->fn, op->args[0]), tb = ir_type_of(e->fn, op->args[1]);
  bool at = op->flags & IR_TRANS_A && ta.rank == 2, bt = op->flags & IR_TRANS_B && tb.rank == 2;
  LV *a = cg_cells_of(e, op->args[0]), *b = cg_cells_of(e, op->args[1]), t[CG_FEW];
  bool matrices = ta.rank == 2 && tb.rank == 2, outer = ta.rank == 1 && tb.rank == 1 && op->flags & IR_TRANS_B;
  shape s;
  known_shape(e, op, &s);
  LV *d = ARENA_ARRAY(e->mem, LV, (size_t)(s.m * s.n));
  for (int64_t i = 0; i < s.m; i++)
    for (int64_t j = 0; j < s.n; j++) {
      LV chain = LLVMConstReal(e->f64, 0.0);
      for (int64_t k = 0; k < s.k; k++) {
        LV x = a[at ? k * s.m + i : i * s.k + k], y = b[bt ? j * s.k + k : k * s.n + j];
        if (matrices) chain = cg_fma(e, x, y, chain);
        else t[k] = LLVMBuildFMul(e->b, x, y, "");
      }
      d[i * s.n + j] = matrices ? chain : outer ? t[0] : cg_tree(e, t, s.k);
    }
  e->v[r].root = 0;
  e->v[r].stride = NULL;
  if (ir_type_of(e->fn, r).rank) e->v[r].cell = d;
  else e->v[r].v = d[0];
}

static void matmul(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  ir_type ta = ir_type_of(e->fn, op->args[0]), tb = ir_type_of(e->fn, op->args[1]);
  int64_t work;
  bool scalar = ir_type_of(e->fn, r).rank == 0;
  if (e->unrolled || (scalar && cg_small_matmul(e, op, &work))) {
    small_matmul(e, op);
    return;
  }
  LV a = cg_address(e, op->args[0]), b = cg_address(e, op->args[1]);
  bool at = op->flags & IR_TRANS_A, bt = op->flags & IR_TRANS_B;
  LV a0 = cg_size(e, ta.dim[0]), b0 = cg_size(e, tb.dim[0]);
  if (scalar) {
    e->v[r].v = cg_service(e, CG_HOST_dot, 3, (LV[]){a, b, a0});
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
    cg_service(e, CG_HOST_gemv, 6, (LV[]){d, left ? a : b, left ? b : a, cg_size(e, m.dim[0]), cg_size(e, m.dim[1]), cg_int(e, left ? at : !bt)});
    return;
  }
  cg_service(e, CG_HOST_gemm, 8, (LV[]){d, a, b, cg_size(e, ta.dim[at]), cg_size(e, tb.dim[!bt]), cg_size(e, ta.dim[!at]), cg_int(e, at), cg_int(e, bt)});
}

void cg_dense(E *e, const ir_op *op) {
  if (op->code == IR_MATMUL_OP) {
    matmul(e, op);
    return;
  }
  LV a = cg_address(e, op->args[0]), n = cg_size(e, ir_type_of(e->fn, op->args[0]).dim[0]), d = cg_memory(e, op->res[0]);
  LV null = LLVMConstNull(e->ptr);
  switch (op->code) {
    case IR_CHOLESKY_OP: cg_service(e, CG_HOST_cholesky, 3, (LV[]){d, a, n}); return;
    case IR_CHOL_ADJ_OP: cg_service(e, CG_HOST_chol_adj, 4, (LV[]){d, a, cg_address(e, op->args[1]), n}); return;
    case IR_TRISOLVE_OP: {
      ir_type t = ir_type_of(e->fn, op->args[1]);
      LV m = t.rank == 1 ? cg_int(e, 1) : cg_size(e, t.dim[1]);
      cg_service(e, CG_HOST_trisolve, 6, (LV[]){d, a, cg_address(e, op->args[1]), n, m, cg_int(e, (op->flags & IR_TRANS_A) != 0)});
      return;
    }
    case IR_QR_R_OP: {
      ir_type t = ir_type_of(e->fn, op->args[1]);
      LV scratch = cg_slot_scaled(e, RT_QR_ROWS + 1, RT_QR_SCRATCH(0), ir_array(IR_REAL, 1, &t.dim[1]));
      cg_service(e, CG_HOST_qr_r, 6, (LV[]){d, a, cg_address(e, op->args[1]), cg_size(e, t.dim[0]), n, scratch});
      return;
    }
    case IR_INV_PTR_OP: cg_service(e, CG_HOST_inverse, 5, (LV[]){d, null, a, n, cg_val(e, op->args[1])}); return;
    default: {
      ir_size buckets = ir_size_of(e->fn, op->args[1]);
      if (buckets == IR_SIZE_NONE) cg_fail(e, "the number of buckets of inv_list is not known");
      LV ptr = cg_slot_scaled(e, 1, 1, ir_array(IR_INT, 1, &buckets));
      cg_service(e, CG_HOST_inverse, 5, (LV[]){ptr, d, a, n, cg_val(e, op->args[1])});
    }
  }
}
