/* passes.c: the pipeline. */
#include "compiler/passes.h"

const pass_info pass_table[] = {
    {"inline", pass_inline, true}, {"fold", pass_fold, false}, {"cse", pass_cse, true},   {"dce", pass_dce, true}, {"hoist", pass_hoist, true}, {"lift", pass_lift, true},
    {"sum", pass_sum, false}, {"factor", pass_factor, false},      {"copy", pass_copy, true},  {"fuse", pass_fuse, true}, {"keep", pass_keep, true}, {"strength", pass_strength, false}, {"divide", pass_divide, false},
    {"unroll", pass_unroll, false}, {"choose", pass_choose, true}, {"root", pass_root, false}, {"recurrence", pass_recurrence, false}, {"split", pass_split, true}, {"carry", pass_carry, true},
    {"fma", pass_fma, false},
    {"rows", pass_rows, true}, {"select", pass_select, true}, {"share", pass_share, true}, {"frame", pass_frame, false}, {"layout", pass_layout, true},
};
const size_t pass_count = sizeof pass_table / sizeof *pass_table;

static bool checked(ir_fn *fn, const char *pass, bool changed) {
  if (changed) ir_verify_step(fn, pass);
  return changed;
}

/* A pass that breaks a rule of the IR is named in the module's fault. */
#define PASS(name) checked(fn, "pass " #name, pass_##name(m, fn))

/* Each pass makes work for others: a fused plate has common subexpressions, a folded condition unlocks a hoist.  Rounds end when one
 * changes nothing; the bound is there for functions that no pass was made for. */
static void settle(ir_module *m, ir_fn *fn) {
  for (int round = 0; round < 6; round++) {
    bool changed = PASS(fold);
    changed |= PASS(strength);
    changed |= PASS(hoist);
    changed |= PASS(lift);
    changed |= PASS(cse);
    changed |= PASS(copy);
    changed |= PASS(fuse);
    changed |= PASS(keep);
    changed |= PASS(dce);
    if (!changed) return;
  }
}

void passes_structural(ir_module *m, ir_fn *fn) {
  PASS(inline);
  settle(m, fn);
  if (PASS(rows)) settle(m, fn);
  if (PASS(sum)) settle(m, fn);
}

void passes_data(ir_module *m, ir_fn *fn, bool by_columns) {
  bool changed = PASS(frame);
  if (by_columns) changed |= PASS(layout);
  if (changed) settle(m, fn);
}

void passes_before_grad(ir_module *m, ir_fn *fn) {
  passes_structural(m, fn);
  /* Loops inside the loops that have been written out may be next. */
  for (int round = 0; round < 3 && PASS(unroll); round++) settle(m, fn);
  bool changed = PASS(choose);
  changed |= PASS(root);
  changed |= PASS(recurrence);
  if (changed) settle(m, fn);
}

void passes_run(ir_module *m, ir_fn *fn) {
  passes_before_grad(m, fn);
  if (PASS(select)) settle(m, fn);
  /* Reciprocals are factors of sums, and what a sum loses may be another one's yield. */
  for (int round = 0; round < 3; round++) {
    bool changed = PASS(divide);
    changed |= PASS(factor);
    changed |= PASS(sum);
    if (!changed) break;
    settle(m, fn);
  }
  if (PASS(share)) settle(m, fn);
  if (PASS(split)) settle(m, fn);
  if (PASS(carry)) PASS(hoist);
  /* The negations that fma makes may not vary in their loop. */
  if (PASS(fma)) PASS(hoist);
  PASS(cse);
  PASS(dce);
}
