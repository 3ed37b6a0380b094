/* factors.h: a model's finite unknowns as a factor graph that is as large as the program, not as the data.
 *
 * A *variable* is a site that is to be summed out, with all its elements.  Its axes lie in *dimensions*: axes that some
 * statement reads with one and the same loop index are of one dimension, so that `k[i]` and `x[i] ~ Normal(mu[k[i]], 1)`
 * share theirs.  A *factor* is a statement whose density depends on variables, with the loops around it: for each iteration of
 * them a function of the elements that it reads.
 *
 * Where elements are tied together so that no dimension holds them apart, a short dimension is *spread*: each of its positions becomes a
 * variable of its own, and each factor one for each position.  Then code does grow with its length, which is why it is short.  Of a long one, a few
 * positions at its ends may be *taken apart* in this way: z[1] that every z[t] reads, or the ends of a ring, which one factor ties together.
 *
 * A loop is cut into *pieces* where a factor reads other elements in different parts of it: s[i % N + 1] is s[i + 1], but for the last i; the first
 * element of `z[t] ~ Categorical(if t == 1 { p } else { P[z[t - 1]] })` reads none.  Each piece is a factor.
 *
 * Every factor is cut out of the model as a function of its own: parameters are the values of the model that it reads from
 * outside its loops (captures), the loops' indices, and one int or bool for each element of a variable that it reads (references).
 * What is computed from these functions need not know how the model was written: a label that goes through a
 * `let`, a gather or a vectorised statement is a reference like any other.
 *
 * A factor that reads one element at a position from data, as in `y[n] ~ Normal(mu[k[g[n]]], 1)`, is *gathered*: summed over its loops by
 * that position it is a table, and what stands in the graph is a factor that reads this table at each element.
 *
 * A reference's position along an axis is a loop index plus a size (*moving*), or a size (*fixed*).  Where a factor reads one
 * dimension at several positions (z[t] and z[t - 1]) it stands at the last of them, and the others have a *lag*. */
#ifndef AIM_COMPILER_FACTORS_H
#define AIM_COMPILER_FACTORS_H

#include "compiler/derive_internal.h"

#include <setjmp.h>

enum {
  FACTOR_MAX_VARS = 16, FACTOR_MAX_LAG = 3, FACTOR_LAGS = FACTOR_MAX_LAG + 1,
  FACTOR_MAX_REFS = 16, FACTOR_MAX_LOOPS = 8, FACTOR_MAX_DIMS = 32,
  FACTOR_MAX_PIECES = 64,     /* of one statement */
  FACTOR_MAX_APART = 4        /* positions that may be taken from an end of a dimension */
};

typedef struct factor_var {
  const ir_site *site;
  ir_size states;             /* their number: those that some element may have */
  ir_size first;              /* the value of the first one; the others follow */
  bool spin;                  /* but these are -1 and 1 */
  uint32_t dim[IR_MAX_RANK];  /* of each axis */
  uint32_t dims;              /* the same as a set, without those that are spread */
  ir_size at[IR_MAX_RANK];    /* the position along axes that are */
} factor_var;

static inline bool factor_axis_open(const factor_var *v, uint32_t axis) { return v->dims >> v->dim[axis] & 1; }

typedef struct factor_dim {
  ir_size extent;             /* without the positions that are taken apart */
  ir_size offset;             /* of its positions in the arrays of sites: how many are taken from its beginning */
  uint32_t lag;               /* the largest of any factor; 0: its positions are independent */
} factor_dim;

typedef struct factor_pos {
  int loop;                   /* moving: of the factor; else -1 */
  int down;                   /* its index is subtracted; made an ordinary one when the factor is placed */
  ir_size at;                 /* what is added to it, or the fixed position; IR_SIZE_NONE: neither */
} factor_pos;

typedef struct factor_ref {
  uint32_t var, lag;
  factor_pos pos[IR_MAX_RANK];
  ir_val state;               /* the parameter */
} factor_ref;

typedef struct factor_loop {
  ir_size first, extent;      /* iterations: the index runs from first to first + extent - 1 */
  bool cut;                   /* these are not all iterations of the model's loop */
  int dim;                    /* -1: of no variable */
  ir_val index;               /* the parameter; its uses tell whether the factor varies along the loop */
  bool varies;
  bool down;                  /* what moves with the loop is flip - index, which runs over the same numbers */
  ir_size flip;
  ir_size fixed;              /* of a spread dimension: the index, or flip - index; else IR_SIZE_NONE */
  ir_size shift;              /* the position in dim is the index, or flip - index, plus this */
} factor_loop;

typedef struct factor factor;
struct factor {
  const ir_op *op;            /* sample, observe, factor, or an if around such */
  ir_fn *fn;
  ir_val *capture, *capture_param;
  size_t ncaptures, cap_captures;
  factor_loop loop[FACTOR_MAX_LOOPS];
  uint32_t nloops;
  factor_ref ref[FACTOR_MAX_REFS];
  uint32_t nrefs;
  uint32_t dims;              /* of its references */
  ir_size first[FACTOR_MAX_DIMS], count[FACTOR_MAX_DIMS]; /* in each of dims: the positions where it stands */
  const factor *from;         /* gathered: the term, whose fn returns the position as well; else NULL */
  uint32_t gathered;          /* its number among gathered ones */
  ir_val table;               /* gathered: the parameter for the table, an axis for each of the variable and one for its states */
};

typedef struct factor_graph {
  ir_module *m;
  const ir_fn *model, *prepare; /* prepare: maybe NULL */
  const bool *summed;         /* by site number */
  site_image *image;
  bool *dep;                  /* by value of the model: it depends on an element of a variable, other than through a draw of another site */
  factor_var var[FACTOR_MAX_VARS];
  uint32_t nvars;
  factor_dim dim[FACTOR_MAX_DIMS];
  uint32_t ndims;
  factor *factor;
  size_t nfactors, cap_factors;
  uint32_t ngathered;
  uint32_t spread;            /* set of dimensions: to be spread */
  /* A model that is not covered leaves by this, with the reason, and dimensions whose spreading might help. */
  jmp_buf refuse;
  uint32_t blame;
  const char *why;
  span where;
} factor_graph;

_Noreturn void factors_refuse(factor_graph *g, span where, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Fills g, whose m, model, prepare, summed and spread the caller has set, and whose `refuse` is armed.  The functions of factors are made
 * in the module; the caller takes them out of it again. */
void factors_build(factor_graph *g);

/* A draw of a variable whose range is that of the variable; else its term has to exclude states. */
bool factor_range_exact(const factor_graph *g, const ir_tilde *t);
/* What @prepare returns for v, a value of the model that comes from there; else 0. */
ir_val factor_prepared(const factor_graph *g, ir_val v);
/* The number of a variable's state, from 0, by its value; and back. */
ir_val factor_state(ir_builder *b, const factor_var *v, ir_val value);
ir_val factor_value(ir_builder *b, const factor_var *v, ir_val state);

/* The iterations of the loops around an operation, outermost first: from `first` on, `count` of them; IR_SIZE_NONE: all. */
typedef struct factor_piece {
  ir_size first[FACTOR_MAX_LOOPS], count[FACTOR_MAX_LOOPS];
} factor_piece;

/* factor_term.c: op, below the loops around it, as a function; f is zero. */
typedef enum factor_made {
  FACTOR_PLAIN,
  FACTOR_GATHERED,            /* its only reference is at a position from data: the function returns the entries of the position too */
  FACTOR_CUT                  /* there is none: the piece has to be cut, into piece[0] and piece[1] */
} factor_made;
factor_made factor_outline(factor_graph *g, factor *f, const ir_op *op, factor_piece piece[2]);
/* The value is an element of a variable: *axes are the values of its position. */
const ir_site *factor_element(const factor_graph *g, ir_val v, ir_axes *axes);
/* The value that is the whole array of a site at the top of the model; 0 if there is none. */
ir_val factor_whole(const factor_graph *g, const ir_site *site);
/* The terms of a loop with ends that are data are one term where it cannot be told what its index may be, or no element moves with it. */
bool factor_takes_loop(const factor_graph *g, const ir_op *op);
/* What stands in the model depends on a variable: a term, or something that need not be kept. */
bool factor_uses(const factor_graph *g, const ir_op *op);

/* factor_piece.c: v of f's function as a number where it depends on nothing but sizes and the index of one loop. */
typedef struct factor_run {
  int loop;                   /* -1: of none */
  int64_t value, slope;       /* at the first iteration; from one iteration to the next, as long as that is the same */
  int64_t length;             /* iterations for which it is */
} factor_run;
bool factor_run_of(const factor_graph *g, const factor *f, ir_val v, factor_run *out);
/* A number as a size that stays what it is for other data of the same kind: counted from 0 or from `end`, whichever is nearer. */
ir_size factor_near(const factor_graph *g, int64_t n, ir_size end);

/* factor_apart.c: positions of dimension d as variables of their own: all of them, or what factors need at its ends. */
void factor_spread(factor_graph *g, uint32_t d);
void factor_take_apart(factor_graph *g, uint32_t d);

/* Whether a <= b, for sizes of one dimension: from the numbers of sizes where there are any. */
bool factor_size_le(factor_graph *g, ir_size a, ir_size b);

#endif
