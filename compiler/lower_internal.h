/* lower_internal.h: what the files of the lowering share.
 *
 * Arrays are lowered element by element where that is possible: lower_elem gives the value of an array expression at one
 * position, so `alpha + X @ beta` right of a ~ becomes scalar code in the loop that needs it and no array.  What must exist as an
 * array (products, results of functions, what is read by name) is computed once, before the loop: lower_prepare
 * does that and remembers the values by expression node until lower_forget.
 *
 * Arrays built by subscripted lets and ~ statements are *builds*.  Each enclosing loop that defines elements adds a level:
 *
 *     for t in 2..T { plate i in 1..N { x[i, t] ~ ... } }
 *
 *     level 0   real[N, T]   the whole array as built so far, between top-level statements
 *     level 1   real[N]      what one iteration of the `for` builds; stands at [:, t] of level 0
 *     level 2   real         what one iteration of the plate builds; stands at [i] of level 1
 *
 * A loop's output places the value of its level into the array of the level above.  Elements of data may stand where they like: where a loop's
 * index does not say what an iteration draws of them, as in `plate i { plate j { y[first[i] + j] ~ ... } }` for i, the loop is a scan
 * that carries the array.  A read x[i, t - 1] finds the deepest
 * level whose position it shares; where it departs it reads the state of that loop: what earlier iterations built. */
#ifndef AIM_COMPILER_LOWER_INTERNAL_H
#define AIM_COMPILER_LOWER_INTERNAL_H

#include "compiler/lower.h"
#include "compiler/ptr_map.h"

/* An index counted from 0: its value, and when known its form base + offset, base being a loop index or 0 (none). */
typedef struct lindex {
  ir_val v;
  bool linear;
  int8_t sign;   /* of base */
  ir_val base;
  ir_size offset;
} lindex;

typedef struct build build;
struct build {
  symbol *sym;
  build *outer;          /* the level above; NULL at level 0 */
  ir_type type;          /* of this level; rank 0 when complete in one step */
  uint8_t axis[IR_MAX_RANK]; /* this level's axes as axes of the whole array */
  ir_val cur;            /* as built so far here; 0: nothing */
  /* Place in the level above, by its axes; v == 0 for `:`.  Not placed: it has none, is all of that level, and goes from one iteration
   * to the next. */
  lindex at[IR_MAX_RANK];
  bool has_place[IR_MAX_RANK], placed;
  ir_val state;          /* of the loop, in a scan: the level above as earlier iterations built it */
  uint32_t out;          /* the loop's output */
};

typedef enum bind_kind { BIND_VALUE, BIND_INDEX, BIND_BUILD } bind_kind;

typedef struct binding {
  symbol *sym;
  bind_kind kind;
  ir_val v;     /* VALUE: the value; INDEX: the counter from 0 */
  /* INDEX: the language's value is lo + sign * v; extent iterations */
  ir_val lo_val;
  ir_size lo, extent; /* IR_SIZE_NONE when not symbolic */
  int8_t sign;
  build *b;
} binding;

typedef struct memo {
  const ast_expr *e;
  ir_val v;
} memo;

typedef struct size_frame {
  size_t n, cap;
  ir_size *from, *to;
} size_frame;

/* What is missing of an observed site, and the values that stand for it. */
typedef struct lower_gap {
  const lower_missing *what;
  ir_size n;
  ir_val at;         /* y.at */
  ir_val seen;       /* y.seen; 0: they are latent, and put into y at once */
  ir_val slot;       /* y.slot where they are latent and drawn in order; else 0 */
  symbol *drawn;     /* the array in which the missing ones are drawn; NULL: they are latent */
  ir_site *site;     /* y_mis */
} lower_gap;

typedef struct lower {
  check_program *p;
  const lower_options *options;
  arena *mem;
  ir_module *m;
  ir_fn *fn;
  ir_builder b;
  const check_model *model; /* NULL in library functions */

  binding *bind;      /* a stack; the newest binding of a symbol counts */
  size_t nbind, cap_bind;
  ptr_map bind_at;    /* by symbol: where on the stack its newest binding stands, or stood before the stack became lower, counted from 1 */
  memo *memo;
  size_t nmemo, cap_memo;
  size_frame sizes;
  size_t calls;       /* of functions, around what is being lowered */

  /* In sample(): where draws come from. */
  ir_val key, index;
  int64_t draws;

  ir_site **site;     /* of the model, by check_site number */
  bool *given;        /* a latent that is data of this run */
  symbol **replica;   /* of an observed site with `predict y`: the symbol of y_rep; else NULL */
  ir_site **replica_site;
  ir_site **ordered;  /* of an observed site: that on which it is drawn whole, in the order of the program; else NULL */
  lower_gap *gap;     /* by check_site number; what = NULL where no value is missing */
  bool predicting;
  ir_val ret;         /* what the body of a function or member returns, 0 before its `return` */
  ir_elem ret_elem;   /* of what kind that is */
  bool arranged;      /* statements come in the order of what depends on what (lower_arrange.c) */
  lower_ahead ahead;
  bool refused;       /* a diagnostic was given, or `ahead` is one to be; go on for more, then give up */
} lower;

/* lower.c */
void lower_init(lower *l, check_program *p, ir_module *m, const lower_options *options);
/* A function whose text is a model's, or an agent's: the signature's names stand for parameters, and defaults where nothing was given. */
void lower_signature(lower *l, const check_model *model);
binding *lower_find(lower *l, const symbol *s);
void lower_bind(lower *l, symbol *s, ir_val v);
binding *lower_push(lower *l, symbol *s, bind_kind kind);
ir_size lower_size(lower *l, ir_size s);                 /* a size of the tree in the sizes of the function */
ir_type lower_type(lower *l, const ty_info *t);          /* whole type */
ir_elem lower_elem_kind(const ty_info *t);
bool lower_expr_size(lower *l, const ast_expr *e, ir_size *s); /* an int expression that is a size */
ir_val lower_convert(lower *l, ir_val v, ir_elem to);
bool lower_refuse(lower *l, span at, const char *what);  /* "not available yet"; returns false */
/* What the model draws: a prediction, or a latent that is not given. */
bool lower_is_drawn(const lower *l, const symbol *s);
/* An array of the data that statements draw where they observe it, all of it or what is missing (lower_order): what is read of it is as built so far. */
bool lower_in_order(const lower *l, const symbol *s);
/* The model is for draws of replicas alone: nothing else is tracked or predicted. */
static inline bool lower_serves_replicas(const lower *l) { return l->options && l->options->order == ORDER_REPLICAS; }
/* A symbol and a site for draws of an observed site's array, by its number. */
symbol *lower_drawn_like(lower *l, uint32_t number, const char *name, span at, ir_site **site);
/* Starts a function of its own (a distribution's member, a bijector); lower_leave gives the context back. */
typedef struct lower_saved {
  lower was;
} lower_saved;
void lower_enter(lower *l, ir_fn *fn, lower_saved *s);
void lower_leave(lower *l, const lower_saved *s);
/* Adds what makes formal dims equal to actual ones to the size frame. */
void lower_unify(lower *l, const ty_info *formal, ir_type actual);
void lower_unify_int(lower *l, symbol *param, ir_size n);

/* lower_expr.c */
ir_val lower_scalar(lower *l, const ast_expr *e);
ir_val lower_scalar_as(lower *l, const ast_expr *e, ir_elem elem);
ir_val lower_elem(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx);
ir_val lower_array(lower *l, const ast_expr *e);
ir_val lower_array_as(lower *l, const ast_expr *e, ir_elem elem);
/* e with its leading n axes fixed: a scalar, or an array of the remaining axes. */
ir_val lower_part(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx, ir_elem elem);
void lower_prepare(lower *l, const ast_expr *e);
size_t lower_mark(const lower *l);
void lower_forget(lower *l, size_t mark);
lindex lower_index(lower *l, const ast_expr *e, ir_size dim); /* a subscript, checked against the extent */
lindex lower_index_at(lower *l, ir_val v);                    /* a position from 0, as of a loop's counter, as an index */
bool lindex_same(const lower *l, const lindex *a, const lindex *b);
/* The element or slice of the variable at the first n axes. */
ir_val lower_read(lower *l, const symbol *s, uint32_t n, const lindex *idx);
ir_val lower_read_all(lower *l, const symbol *s);

/* lower_call.c */
ir_val lower_call_value(lower *l, const ast_expr *e);  /* a call that is not element by element: scalar or array */
bool lower_call_is_elementwise(lower *l, const ast_expr *e);
ir_val lower_call_elem(lower *l, const ast_expr *e, uint32_t n, const ir_val *idx);
ir_val lower_reduce_expr(lower *l, const ast_expr *e); /* sum(e for ...) */
/* The value of a function at args, one a parameter, of elements `elem` where its declaration does not say; sizes: of arguments that are
 * sizes, or NULL. */
ir_val lower_fn_call(lower *l, const ast_decl *d, ir_elem elem, const ir_val *args, const ir_size *sizes);
/* The same in steps, for who lowers the body: arguments, and those that are sizes; its parameters are bound from begin to end. */
typedef struct lower_fn_scope {
  size_frame sizes;
  size_t binds;
} lower_fn_scope;
ir_val *lower_call_args(lower *l, const check_call *c, ir_size **sizes /* OUT */);
lower_fn_scope lower_fn_begin(lower *l, const ast_decl *d, const ir_val *args, const ir_size *sizes);
void lower_fn_end(lower *l, const lower_fn_scope *was);

/* lower_ode.c */
ir_val lower_ode(lower *l, const ast_expr *e);
ir_val lower_comprehension(lower *l, const ast_expr *e);
/* Where statements are arranged, elements of a comprehension may be had one by one, and may read the array that they help to draw. */
bool lower_by_elements(const lower *l, const ast_expr *e);
ir_val lower_comprehension_elem(lower *l, const ast_expr *e, const ir_val *idx);

/* lower_loop.c */
typedef void lower_body(lower *l, void *user);
/* Runs body inside loops over ranges [from, n) of iter, with their filter; plates or scans. */
void lower_ranges(lower *l, const ast_iter *iter, size_t from, bool scan, const ast_block *defines, const ast_stmt *defining, lower_body *body,
                  void *user);
/* Arrays that are built by elements in a loop. */
typedef struct lower_defined {
  symbol *sym;
  const ast_target **targets; /* of the statements that set it */
  size_t n, cap;
  bool data; /* elements of data that are drawn: never local to a loop's body */
} lower_defined;

typedef struct lower_built {
  lower_defined *items;
  size_t n, cap;
  bool whole; /* replicas without subscripts, too */
} lower_built;

/* Those that the statement builds with the index of this range of its loop; or without one (NULL) along a vector. */
lower_built lower_built_by(lower *l, const ast_stmt *s, const ast_range *range);

/* What one of those is to the level of a loop. */
typedef struct level_part {
  const lower_defined *by;
  build *child;
  bool first; /* no list before this one builds the array */
} level_part;

/* A loop and the level that it adds to the arrays of some lists, which stay where they are.  In this order: of; find what an iteration builds of each list; open; bind the indices; place each list; start; lower
 * the body; close. */
typedef struct lower_level {
  ir_op *loop;
  bool scan;
  build **child;    /* [n] what an iteration builds of each array */
  size_t n;
  level_part *part; /* those of list i are [from[i], from[i + 1]) */
  size_t *from;
  ir_builder outer;
  size_t binds, mark;
  ir_val index_was;
} lower_level;
lower_level lower_level_of(lower *l, bool scan, size_t nlists, const lower_built *lists);
/* Whether, and along which axes, an iteration's part of each array has a place in the level above: by subscripts with the indices of these ranges, or along one axis. */
void lower_level_find(lower *l, lower_level *v, size_t list, const ast_range *range, size_t n);
void lower_level_find_axis(lower_level *v, size_t list, uint32_t axis);
bool lower_level_scans(const lower_level *v); /* as asked for, or since a part has no place */
void lower_level_open(lower *l, lower_level *v, uint32_t rank, const ir_val *extent);
void lower_level_place(lower *l, lower_level *v, size_t list);
void lower_level_place_axis(lower *l, lower_level *v, size_t list, ir_val at); /* at counts from 0 */
void lower_level_start(lower *l, lower_level *v);
void lower_level_close(lower *l, lower_level *v);

/* A forecast may read the array that it continues before its own first element is set. */
void lower_start(lower *l, symbol *s);
void lower_define(lower *l, symbol *s, uint32_t n, const lindex *idx, ir_val v);
/* An `if` statement that defines elements: each way starts from the arrays as built so far, and they go on as the way taken left
 * them.  begin and end stand outside the branch, turn between its blocks. */
typedef struct lower_join {
  size_t n;
  build **b;
  ir_val *before, *then_;
} lower_join;
lower_join lower_join_begin(lower *l, const ast_block *then_, const ast_block *else_ /* or NULL */);
void lower_join_turn(lower_join *j);
void lower_join_end(lower *l, lower_join *j, ir_op *branch);
/* A range as a loop runs over it: `lo` and `extent` where they are sizes (else IR_SIZE_NONE, and lo_val), the number of
 * iterations, and for `x in array` the array. */
typedef struct lower_range {
  ir_size lo, extent;
  ir_val lo_val, count, over;
  int64_t step;
} lower_range;
lower_range lower_range_measure(lower *l, const ast_range *r);
/* Binds the range's variable inside the loop whose counter this is. */
void lower_range_bind(lower *l, const ast_range *r, const lower_range *m, ir_val counter);
typedef struct lower_box {
  ir_op *op;
  ir_builder outer;
  uint32_t rank;
  ir_val idx[IR_MAX_RANK];
  ir_val index_was;
} lower_box;
/* A plain plate over extents; the builder moves into its body. */
lower_box lower_box_begin(lower *l, uint32_t rank, const ir_size *extent);
void lower_box_end(lower *l, const lower_box *box);

/* A slice left of `~` or `=`: positions along one axis of a box. */
typedef struct lower_slice {
  int axis;      /* of the box; -1 for an index */
  ir_size dim, extent;
  ir_val first;  /* 0: the whole axis */
  bool check;    /* its end may be outside */
} lower_slice;
lower_slice lower_slice_of(lower *l, const ast_expr *e, ir_size dim);
lindex lower_slice_at(lower *l, const lower_slice *c, ir_val idx);
/* As lower_define, for each iteration of a box that has ended: idx [n] and v are values inside it. */
void lower_define_slice(lower *l, symbol *s, const lower_box *box, uint32_t n, const lindex *idx, ir_val v);

/* lower_stmt.c */
/* e with the extents of `want`, along whose leading axes it is repeated. */
ir_val lower_broadcast(lower *l, const ast_expr *e, const ty_info *want);
void lower_block(lower *l, const ast_block *block);
void lower_statement(lower *l, const ast_stmt *s);
/* A statement in a loop, of whose ranges the first `open` have an index already: what is left of it. */
void lower_statement_from(lower *l, const ast_stmt *s, size_t open);
/* A statement about a vector inside all of its loops, at positions idx [n], from 0, along the first axes that it goes through. */
void lower_statement_at(lower *l, const ast_stmt *s, uint32_t n, const ir_val *idx);

/* lower_arrange.c */
void lower_arranged(lower *l, const ast_block *block);

/* lower_dist.c */
void lower_sample(lower *l, const ast_stmt *s);
/* Inside the loops that stand behind the statement, of which the first `open` are there: what is left of it. */
void lower_sample_from(lower *l, const ast_stmt *s, size_t open);
/* Inside all of them, at positions idx [n], from 0, along the first axes that the statement goes through. */
void lower_sample_at(lower *l, const ast_stmt *s, uint32_t n, const ir_val *idx);
/* Computes before a loop what lower_statement_at needs of arguments or of the value in each iteration alike (lower_prepare). */
void lower_prepare_statement(lower *l, const ast_stmt *s);
ir_val lower_density_call(lower *l, const ast_expr *e); /* logpdf(D, x) and its kin */

/* The distribution for these types of parameters and of x. */
ir_dist *lower_dist_instance(lower *l, const check_dist *d, const ir_type *params, ir_type x);

/* lower_missing.c */
/* Once the sites are made: parameters and sites for what is missing, and y as the model reads it. */
void lower_gaps_begin(lower *l);
/* Once the model's statements are lowered: reports the missing values.  Refuses where one is an unknown that no statement observes. */
void lower_gaps_end(lower *l);
/* x, a vector that d has drawn and of which elements are missing, with these drawn given the others: one after the other, those that were seen first, which the site observes.
 * axes: its place.  0: there are no such draws, as only MultiNormal has them. */
ir_val lower_draw_rest(lower *l, const lower_gap *g, ir_site *site, const check_dist *d, const ir_axes *axes, ir_val x, const ir_val *args);
/* The distribution that counts only where a last argument is true. */
ir_dist *lower_seen(lower *l, ir_dist *d);

/* The mass of a distribution on either side of a point, in a function that has its parameters: BUILTIN_CDF, _LOGCDF or _LOGCCDF at x. */
typedef struct lower_tails lower_tails;
ir_val lower_tail(ir_builder *b, lower_tails *t, int builtin, ir_val x);
/* truncate_draw.c: a draw of d, which has a sampler with these arguments, given that it lies between bounds (0: none), which belong to what is left. */
ir_val lower_truncated_draw(ir_builder *b, const ir_dist *d, lower_tails *t, const ir_val *sampler, ir_val lo, ir_val hi);

/* lower_formula.c */
/* What the distribution's from_standard makes of its variate, in the words of the call: "mu + tau * z".  NULL where that is no
 * short expression. */
const char *lower_formula(lower *l, const check_dist *d, const check_call *call);

#endif
