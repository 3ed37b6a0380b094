/* export.h: the draws of a run in formats that other programs read: what aim_write_draws picks from, by the ending of the name. */
#ifndef AIM_VM_EXPORT_H
#define AIM_VM_EXPORT_H

#include "vm/api.h"
#include "vm/file.h"

/* What goes where. */
typedef struct export_out {
  aim_task *t;
  file_out *f;
  arena *mem;
  size_t draws;  /* that every chain has */
} export_out;

/* Statistics of the sampler by ArviZ's names, and whether a method has them. */
typedef struct export_stat {
  const char *name;
  draws_stat stat;
  ir_elem elem;
  bool of_nuts;
} export_stat;
enum { EXPORT_STATS = 7 };
extern const export_stat export_stats[EXPORT_STATS];
bool export_has_stat(plan_method method, const export_stat *s);

/* Each writes the whole to f; false where that failed. */
bool export_csv(export_out *x);  /* a table: a row for each draw of each chain, columns .chain, .iteration, .draw, lp__ ..., theta[1] ..., as R's posterior has them */
bool export_json(export_out *x); /* groups of arrays [chain][draw][...], as arviz.from_json reads them */
bool export_npz(export_out *x);  /* arrays (chain, draw, ...), uncompressed: export_npz.c */

#endif
