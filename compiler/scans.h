/* scans.h: what passes over scans have in common. */
#ifndef AIM_COMPILER_SCANS_H
#define AIM_COMPILER_SCANS_H

#include "compiler/ir.h"

/* v is the scan's index plus one: where an upward scan places what the next iteration reads at its own index. */
bool scan_is_next_index(const ir_fn *fn, const ir_loop *scan, ir_val v);

/* Changes an output of a scan, to which it may add others; true if it did. */
typedef bool scan_change(ir_module *m, ir_fn *fn, ir_op *scan, uint32_t out);
/* Every output of every scan of fn that runs to its end, as they were.  What was changed is remarked in the words `done`. */
bool scan_each_output(ir_module *m, ir_fn *fn, scan_change *change, const char *pass, const char *done);

#endif
