/* emit_sum.c: canonical sums of values in registers. */
#include "codegen/emit_internal.h"

/* A term that is +0.0, as those are that a known condition leaves out, changes at most the sign of a zero, which the end of cg_tree makes
 * positive. */
static LV add(E *e, LV a, LV b) {
  const LV zero = LLVMConstNull(e->f64);
  return a == zero ? b : b == zero ? a : LLVMBuildFAdd(e->b, a, b, "");
}

/* Terms l, l + step, l + 2 step, ... of the first n, folded by halves: depth first, so that few partial sums live at once. */
static LV branch(E *e, LV *t, int64_t n, int64_t l, int64_t step) {
  if (step >= CG_FEW) return t[l];
  LV a = branch(e, t, n, l, 2 * step);
  return l + step < n ? add(e, a, branch(e, t, n, l + step, 2 * step)) : a;
}

/* A sum starts at +0.0: that matters where all terms are -0.0, and is as well added at the end. */
LV cg_tree(E *e, LV *t, int64_t n) { return LLVMBuildFAdd(e->b, branch(e, t, n, 0, 1), LLVMConstReal(e->f64, 0.0), ""); }

/* The same for n <= 32 terms in memory: where n is a power of two, halves are added as vectors. */
LV cg_tree_at(E *e, LV terms, int64_t n) {
  if (n & (n - 1)) {
    LV t[CG_FEW];
    for (int64_t k = 0; k < n; k++) t[k] = cg_load(e, IR_REAL, cg_gep(e, terms, cg_int(e, k)));
    return cg_tree(e, t, n);
  }
  LLVMTypeRef vector = LLVMVectorType(e->f64, (unsigned)n);
  LV v = LLVMBuildLoad2(e->b, vector, terms, "");
  LLVMSetAlignment(v, 8);
  for (int64_t h = n / 2; h > 0; h /= 2) {
    LV lo[CG_FEW], hi[CG_FEW];
    for (int64_t k = 0; k < h; k++) lo[k] = LLVMConstInt(e->i32, (unsigned)k, 0), hi[k] = LLVMConstInt(e->i32, (unsigned)(k + h), 0);
    LV a = LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(vector), LLVMConstVector(lo, (unsigned)h), "");
    LV b = LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(vector), LLVMConstVector(hi, (unsigned)h), "");
    vector = LLVMVectorType(e->f64, (unsigned)h);
    v = LLVMBuildFAdd(e->b, a, b, "");
  }
  v = LLVMBuildExtractElement(e->b, v, cg_int(e, 0), "");
  return LLVMBuildFAdd(e->b, v, LLVMConstReal(e->f64, 0.0), "");
}
