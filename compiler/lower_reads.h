/* lower_reads.h: what a step of a model writes and reads, as positions in arrays.
 *
 * A *step* is a statement, whole or in part: of a loop some ranges may be open already, and of a statement about a vector the index along its first axes may be fixed; it then
 * stands for one iteration of these.  The next range or axis is its *course*, along which it can be taken one position after the other. */
#ifndef AIM_COMPILER_LOWER_READS_H
#define AIM_COMPILER_LOWER_READS_H

#include "compiler/lower_internal.h"

/* Positions as the language counts them, from 1.  Relative to a counter or to the time of the step's course, which runs over from .. to, they are time + lo .. time + hi; and in any case they lie in least .. most. */
typedef struct reach {
  ir_val counter; /* of an open loop; 0: none */
  bool timed;     /* relative to the course */
  int64_t lo, hi, from, to, least, most;
} reach;

/* A time, as a number and as a size. */
typedef struct moment {
  int64_t at;
  ir_size size;
} moment;

typedef struct step {
  const ast_stmt *s;
  size_t ranges;              /* of its loop, that are open */
  uint32_t axes;              /* of its vector, along which it is at one position: */
  ir_val idx[IR_MAX_RANK];    /* from 0 */
  reach at[IR_MAX_RANK];      /* the same from 1 */
  bool part;                  /* its course is cut to: */
  moment first, last;
} step;

/* Where the time of a step runs: the values of a loop's index, or positions in the array that is set. */
typedef struct course {
  moment first, last, origin; /* origin: of the whole, that is of index 0 of a vector */
  bool sequential;            /* a `for` */
} course;

typedef struct access {
  const symbol *sym;
  bool write;
  uint32_t n;
  reach at[IR_MAX_RANK];
  const ast_expr *where; /* NULL: a write */
} access;

typedef struct access_list {
  access *items;
  size_t n, cap;
} access_list;

const ast_iter *step_iter(const step *s); /* NULL: no loop */
/* False: the step has none, or one whose ends are no sizes, or of another stride than 1. */
bool step_course(lower *l, const step *s, course *c /* OUT */);
/* Of arrays and scalars that the model defines or draws; data are not written. */
void step_accesses(lower *l, const step *s, access_list *out);
/* The axis of the array along which a vector statement moves, given that it has a course. */
uint32_t step_axis(const step *s);

#endif
