/* eliminate.h: sums over the variables of a factor graph, as IR.
 *
 * Variable elimination (Zhang and Poole 1994) on plates and chains (Obermeyer et al. 2019, "Tensor variable elimination for
 * plated factor graphs"): dimensions are opened one after the other, from the outermost.  In an opened dimension a
 * variable that has no other axes is a single number at each position.  Where the positions are independent they are the iterations
 * of a plate, and the logs of what comes out of them are added; where variables are tied to earlier positions, a scan carries a message,
 * the log of the sum over everything before, as a function of the last `lag` states: the forward algorithm (Rabiner 1989, III.A).
 * At a position the variables are eliminated one by one in an order found beforehand.
 *
 * The same walk draws: messages are kept, and variables are drawn from the last to the first that was eliminated, given those
 * drawn already (forward filtering, backward sampling; Carter and Kohn 1994, Chib 1996). */
#ifndef AIM_COMPILER_ELIMINATE_H
#define AIM_COMPILER_ELIMINATE_H

#include "compiler/factors.h"

enum { STEP_MAX_VARS = FACTOR_MAX_VARS * FACTOR_LAGS, STEP_MAX_TABLES = 256 };

/* A variable at a position: number * FACTOR_LAGS + lag.  Sets of them are masks. */
typedef uint64_t step_set;
static inline uint32_t step_var(uint32_t var, uint32_t lag) { return var * FACTOR_LAGS + lag; }
static inline step_set step_bit(uint32_t x) { return (step_set)1 << x; }

/* A function of the states of some variables: a term of the model, or an array with an axis for each of them, in ascending order, behind
 * `npos` axes that are read at `at`. */
typedef struct step_table {
  step_set scope;
  const factor *f;
  ir_val array;
  uint32_t npos;
  ir_val at[IR_MAX_RANK];
} step_table;

typedef struct step_list {
  step_table t[STEP_MAX_TABLES];
  uint32_t n;
} step_list;

typedef struct eliminator {
  factor_graph *g;
  ir_fn *fn;                       /* where it is built: a model */
  const ir_map *outer;             /* values of the graph's model that are captured, in fn */
  const ir_site *const *drawn;     /* by variable: the sites of fn that are drawn; NULL where sums are all that is wanted */
  bool most_likely;                /* the values of largest joint density are "drawn": tables are maxima instead of sums (Viterbi 1967) */
  step_set bound;                  /* variables whose state is known */
  ir_val state[STEP_MAX_VARS];     /* from 0; of bound ones, and of those that a loop runs over */
  ir_val *gathered;                /* tables of gathered factors, by their number */
  uint32_t open;                   /* set of dimensions */
  ir_val pos[FACTOR_MAX_DIMS];     /* the position in each open one */
  double repeats;                  /* iterations of the loops around */
  double cells;                    /* entries of all tables of one evaluation; what it costs */
  double widest;                   /* entries of the largest one */
} eliminator;

/* Sums over all variables: adds a `factor`. */
void eliminate_sum(eliminator *e, ir_builder *b);
/* Draws all variables: value[v] is the whole array of variable v. */
void eliminate_draw(eliminator *e, ir_builder *b, ir_val *value);

/* ---- eliminate_step.c: at one position */

/* Eliminates the variables of `vars` from tables, in a good order; what is left stays in *tables.  `order` and `met` (may be NULL) [STEP_MAX_VARS] are filled for
 * step_draw: the order, and the tables that each met. */
typedef struct step_trace {
  uint32_t n, order[STEP_MAX_VARS];
  step_list *met[STEP_MAX_VARS];
} step_trace;
void step_eliminate(eliminator *e, ir_builder *b, step_list *tables, step_set vars, step_trace *trace);
/* Draws the variables of a trace and binds them; their values go to value [STEP_MAX_VARS], by variable and lag. */
void step_draw(eliminator *e, ir_builder *b, const step_trace *trace, ir_val *value);

void step_add(eliminator *e, step_list *list, step_table t);
step_table step_term(const factor *f);
/* The sum of tables as one array over exactly `scope`. */
ir_val step_array(eliminator *e, ir_builder *b, const step_list *list, step_set scope);
/* Tables of one scope become one array. */
void step_join(eliminator *e, ir_builder *b, step_list *list);
/* What is not known of a table's scope. */
static inline step_set step_free(const eliminator *e, const step_table *t) { return t->scope & ~e->bound; }
/* Makes the tables of gathered factors. */
void step_gather(eliminator *e, ir_builder *b);
ir_size step_states(const eliminator *e, uint32_t x);
/* The number of entries of a table over `scope`; large where sizes have no numbers. */
double step_cells(const eliminator *e, step_set scope);

/* ---- eliminate_chain.c: along a dimension in which variables are tied to earlier positions */

typedef struct elim_part {
  uint32_t vars;                   /* set of variables, all with the dimension */
  const factor **f;
  size_t nf;
} elim_part;
void chain_sum(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, step_list *out);
void chain_draw(eliminator *e, ir_builder *b, uint32_t dim, const elim_part *part, ir_val *value);

/* ---- eliminate.c, for eliminate_chain.c */

/* Ranges of positions of a dimension, from `from` on, in which the same factors stand. */
typedef struct elim_range {
  ir_size first, count;
  bool single;                     /* one position */
} elim_range;
size_t elim_ranges(eliminator *e, uint32_t dim, const elim_part *part, ir_size from, elim_range **out);
bool elim_stands(eliminator *e, const factor *f, uint32_t dim, const elim_range *r);
void elim_sum(eliminator *e, ir_builder *b, const elim_part *part, step_list *out);
void elim_draw(eliminator *e, ir_builder *b, const elim_part *part, ir_val *value);
/* An array for the values of variable v along the axes whose dimensions are not open; and it with a value placed at the position
 * in dim, which is open now. */
ir_val elim_blank(eliminator *e, ir_builder *b, uint32_t v);
ir_axes elim_axes(const eliminator *e, ir_builder *b, uint32_t v, uint32_t dim, ir_val at);
/* The place in the arrays of sites of a position in dim. */
ir_val elim_place(const eliminator *e, ir_builder *b, uint32_t dim, ir_val at);
ir_val elim_position(eliminator *e, ir_builder *b, uint32_t dim, ir_size at);
double elim_number(const eliminator *e, ir_size n);

/* ---- eliminate_order.c */

/* An order in which to eliminate vars from tables of these scopes: of least total size of the tables met, exactly for up to 15
 * variables (dynamic programming over sets of eliminated variables), by least fill otherwise.  log_states by variable. */
void eliminate_order(arena *mem, uint32_t nscopes, const step_set *scopes, step_set vars, const double *log_states, uint32_t *order);

#endif
