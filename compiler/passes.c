/* passes.c: the pipeline. */
#include "compiler/passes.h"

const pass_info pass_table[] = {
    {"inline", pass_inline, true}, {"fold", pass_fold, false}, {"cse", pass_cse, true},   {"dce", pass_dce, true}, {"hoist", pass_hoist, true},
    {"sum", pass_sum, false},      {"copy", pass_copy, true},  {"fuse", pass_fuse, true}, {"fma", pass_fma, false},
};
const size_t pass_count = sizeof pass_table / sizeof *pass_table;

/* Each pass makes work for others: a fused plate has common subexpressions, a folded condition unlocks a hoist.  Rounds end when one
 * changes nothing; the bound is there for functions that no pass was made for. */
static void settle(ir_module *m, ir_fn *fn) {
  for (int round = 0; round < 6; round++) {
    bool changed = pass_fold(m, fn);
    changed |= pass_hoist(m, fn);
    changed |= pass_cse(m, fn);
    changed |= pass_copy(m, fn);
    changed |= pass_fuse(m, fn);
    changed |= pass_dce(m, fn);
    if (!changed) return;
  }
}

void passes_structural(ir_module *m, ir_fn *fn) {
  pass_inline(m, fn);
  settle(m, fn);
  if (pass_sum(m, fn)) settle(m, fn);
}

void passes_run(ir_module *m, ir_fn *fn) {
  passes_structural(m, fn);
  /* The negations that fma makes may not vary in their loop. */
  if (pass_fma(m, fn)) pass_hoist(m, fn);
  pass_cse(m, fn);
  pass_dce(m, fn);
}
