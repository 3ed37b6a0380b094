/* scans.c: what passes over scans have in common (scans.h). */
#include "compiler/scans.h"

bool scan_is_next_index(const ir_fn *fn, const ir_loop *scan, ir_val v) {
  const ir_op *op = v ? ir_def_op(fn, v) : NULL;
  int64_t one;
  if (!op || op->code != IR_ADD_OP) return false;
  for (int k = 0; k < 2; k++)
    if (op->args[k] == scan->index[0] && ir_is_int(fn, op->args[1 - k], &one)) return one == 1;
  return false;
}

typedef struct walk {
  ir_module *m;
  ir_fn *fn;
  scan_change *change;
  const char *pass, *done;
  bool changed;
} walk;

static void see_op(void *user, ir_op *op) {
  walk *w = user;
  if (op->code != IR_SCAN_OP || op->u.loop->live) return;
  for (uint32_t k = 0, n = op->u.loop->nout; k < n; k++) {
    if (!w->change(w->m, w->fn, op, k)) continue;
    ir_remark_add(w->m, w->pass, op->where, false, "%s", w->done);
    w->changed = true;
  }
}

bool scan_each_output(ir_module *m, ir_fn *fn, scan_change *change, const char *pass, const char *done) {
  walk w = {m, fn, change, pass, done, false};
  ir_visit_ops(&fn->body, see_op, &w);
  return w.changed;
}
