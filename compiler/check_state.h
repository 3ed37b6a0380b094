/* check_state.h: what the files of the checker share.  Private to compiler/check*.c.
 *
 * One `check_state` lives as long as a program.  Each declaration is checked in a `ctx` of its own, which holds the names in
 * scope, the loops around the statement at hand, and the declaration's purpose.  Bodies of functions and distributions are
 * put on a list when first used and checked from there, so that a chain of calls does not become a chain of C calls.
 *
 * Two namespaces.  A call `log(x)` looks among functions and distributions, everything else among values first.  So data may
 * have a column called `log` or `mean`, and a distribution a parameter called `cholesky`.
 *
 * A name means one thing at any place: hiding an outer value is an error.  That is why size symbols and kept scopes need no
 * renaming. */
#ifndef AIM_COMPILER_CHECK_STATE_H
#define AIM_COMPILER_CHECK_STATE_H

#include "compiler/agent.h"
#include "compiler/builtin.h"
#include "compiler/ptr_map.h"

typedef struct ctx ctx;
typedef struct elements elements;
typedef struct submodel submodel;

/* A loop around the place that is being checked, innermost first. */
typedef enum loop_kind { LOOP_PLATE, LOOP_FOR, LOOP_LOCAL /* of a comprehension or reduction */ } loop_kind;
typedef struct loop loop;
struct loop {
  loop *outer;
  const ast_range *range;
  loop_kind kind;
  bool down;
  bool affine;    /* every integer from one bound to the other */
  ir_size lo, hi; /* lo first whatever the direction; IR_SIZE_NONE where not a size */
  unsigned depth; /* of the scope that its index is in */
};

typedef struct signature {
  symbol **params;
  size_t n;
  const ty_info *result; /* of a function */
  symbol **sizes;        /* names that are generic: M of real[M] */
  size_t nsizes;
  bool lifts;            /* scalars to a scalar */
} signature;

/* Every symbol is the first member of one of these. */
typedef struct sym_info {
  symbol pub;
  loop *loop;             /* SYM_INDEX */
  elements *elems;        /* while and after an array is built by elements */
  unsigned home;          /* depth of the scope it belongs to, when that is further out than where it is declared */
  const ast_expr *value;  /* SYM_LET: its value, or that of its elements where one statement sets them; NULL: several do */
  bool set_again;
  symbol *continues;      /* SYM_PREDICT, SYM_LET: the array that a forecast continues */
  bool used;
  bool extent;            /* an int of the signature that stands in a type */
  bool library;           /* of the prelude */
  bool later;             /* a signature's int default is being read: no meaning outside */
  signature *sig;         /* SYM_FN, SYM_DIST */
  bool sig_busy;
  struct observation *observations; /* of its elements, the last one first: check_twice.c */
  check_dist *dist;
  check_model *model;
  check_agent *agent;     /* SYM_OTHER: of an agent or a world */
  ptr_map tracks;         /* SYM_MODEL: what it tracks and predicts */
  bool queued;            /* its body is checked, or will be */
  struct special *specials; /* SYM_DIST over distributions: what was made of it (check_over.c) */
  bool sign_told;         /* SYM_LATENT: that it may be negative where it must not */
  bool over_failed;       /* it has an error that was reported, so nothing is made of it any more; SYM_MODEL too */
  symbol *special_of;     /* a special: its scheme, where it was first used, how deep it is nested */
  span special_at;
  unsigned over_depth;
  symbol **callees;       /* SYM_FN, SYM_DIST: what its body calls */
  size_t ncallees, cap_callees;
  span *call_at;
  size_t cap_call_at;
  size_t mark;            /* of the search for recursion; of an agent's variables: which of its kind it is */
} sym_info;

typedef struct check_state {
  check_program *p;
  ptr_map user;          /* callables and other declarations, by name */
  ptr_map library;       /* those of the prelude that were asked for */
  ptr_map user_models;   /* models and agents, by name */
  ptr_map schedules;     /* by name; they have a namespace of their own */
  ptr_map builtins;
  ptr_map calls;         /* ast_expr -> check_call */
  ptr_map results;       /* names of results -> the ast_decl of the run */
  symbol **queue;        /* declarations whose bodies are used */
  size_t nqueue, cap_queue, done;
  symbol **decls;        /* of the user's file, in order */
  size_t ndecls, cap_decls;
  ty_info scalars[TY_NONE + 1];
  unsigned nspecials, nsubmodels;
  bool syntax_errors;    /* statements may be missing from the tree */
  bool names_missing;    /* a file that was imported could not be read */
  const char *flat, *upper, *lower, *log_sum_exp; /* interned words */
} check_state;

typedef enum ctx_kind { CTX_MODEL, CTX_AGENT, CTX_FN, CTX_DIST, CTX_RUN } ctx_kind;

/* What an expression of an agent may read, and what it has read. */
typedef struct agent_reads {
  const char *what;    /* "the step of `place`" */
  unsigned may;        /* 1 << SYM_STATE and so on */
  const char *why;     /* what it is to read */
  const symbol **seen; /* [n], each once: its own variables, and the signature's */
  size_t n, cap;
} agent_reads;

typedef struct undo_entry {
  const char *name;
  symbol *before;
} undo_entry;

struct ctx {
  check_state *st;
  check_program *p;
  arena *a;
  ctx_kind kind;
  symbol *owner;      /* the declaration */
  bool library;
  ptr_map names;      /* values in scope */
  ptr_map gone;       /* values whose scope has ended */
  ptr_map later;      /* names that a target further down defines: ast_target */
  undo_entry *undo;
  size_t nundo, cap_undo;
  unsigned depth;     /* of scopes */
  unsigned predict_depth;
  symbol **all;       /* every value ever in scope here, for the nearest name */
  size_t nall, cap_all;
  loop *loops;
  check_model *model;
  agent_reads *reads; /* of an agent: around the expression that is checked */
  size_t cap_sites, cap_data, cap_sizes;
  bool auto_sizes;    /* unknown names in extents become sizes */
  bool stochastic;    /* something read since this was cleared depends on a latent */
  bool in_predict;
  bool in_sample;     /* the sample() member of a distribution */
  const ast_target *left; /* of the `~` that is checked, or NULL */
  const ast_expr *right;
  const ast_expr *floor_left; /* what stands left of a `//` */
  const char *distfn; /* logpdf, ...: whose first argument is checked */
  unsigned conds;     /* ifs and filters around this statement */
  bool in_subscript;  /* a subscript is checked */
  unsigned guards;    /* conditions around this expression: an index may be outside where it is not evaluated */
  ptr_map tracks;     /* names of tracked quantities: ast_arg */
  ast_name **replicas; /* `predict y` */
  size_t nreplicas, cap_replicas;
  submodel *expanding; /* around the statements that are collected */
  ptr_map arrays;     /* arrays built by elements: see check_elements.c */
  ptr_map draws;      /* name -> elements: all that `~` says of it: see check_order.c */
  const ast_expr *subscripted; /* a name whose elements are not read where it stands: the base of subscripts, which say what is, or an argument of a part */
  const ty_info *result;  /* of the function, for `return` */
  span result_at;
};

/* ---- check.c: declarations and queries */

symbol *sym_new(check_state *st, sym_kind kind, const char *name, span at);
static inline sym_info *sym_of(symbol *s) { return (sym_info *)s; }
/* Marks a function or distribution as used by the declaration of c. */
void callee_used(ctx *c, symbol *callee, span at);
void ctx_init(ctx *c, check_state *st, ctx_kind kind, symbol *owner);
signature *signature_of(check_state *st, symbol *fn_or_dist);
/* The data, defaults and sizes of the model of c. */
void model_signature(ctx *c);
/* Enters the parameters of a signature as values. */
void signature_enter(ctx *c, const signature *sig);
check_dist *dist_parts(check_state *st, symbol *dist);

/* ---- check_level.c */

/* Makes a text the number of the level of that name, of which there are `count`; false: no data have levels that are counted so. */
bool level_number(ctx *c, ast_expr *text, ir_size count);

/* ---- check_branches.c */

/* Draws unknowns once that both branches of a condition draw, before anything of the model is checked. */
void branches_join(check_state *st, ast_decl *model);
/* Whether both are calls of one distribution, with the same parameters. */
bool same_family(const ast_expr *x, const ast_expr *y);

/* ---- check_ragged.c */

/* Replaces the ragged arrays of a model's signature, and what reads them, before anything of it is checked. */
void ragged_write_out(check_program *p, ast_decl *model);

/* ---- check_scope.c: names */

size_t scope_enter(ctx *c);
void scope_leave(ctx *c, size_t mark);
symbol *value_find(const ctx *c, const char *name);
symbol *callable_find(const ctx *c, const char *name);
symbol *callee_find(const ctx *c, const ast_name *fn); /* that, of the name in a call */
/* Of the prelude, parsed and declared when it is first asked for; NULL when it has no such name (interned). */
symbol *library_find(check_state *st, const char *name);
/* The first schedule of that name, the file's own before the library's, which is loaded when it is first asked for; NULL if there is none. */
symbol *schedule_find(check_state *st, const char *name);
/* Adds a value; reports a name that is taken, and then hides the older one. */
void value_add(ctx *c, symbol *s);
/* Adds without looking: for an array that a forecast continues. */
void value_hide(ctx *c, symbol *s);
void unknown_value(ctx *c, const char *name, span at);
void unknown_callable(ctx *c, const char *name, span at, const char *noun);
const char *nearest_callable(ctx *c, const char *name);
const char *nearest_dist(ctx *c, const char *name);
const char *nearest_value(ctx *c, const char *name);
const char *sym_noun(const symbol *s);
diag *cx_error(ctx *c, const char *code, span at, const char *format, ...) __attribute__((format(printf, 4, 5)));
#define cx_say(c, d, ...) diag_say((c)->p->diags, (d), __VA_ARGS__)
#define cx_point(c, d, at, ...) diag_point((c)->p->diags, (d), (at), __VA_ARGS__)
#define cx_note(c, d, ...) diag_note((c)->p->diags, (d), __VA_ARGS__)
#define cx_help(c, d, ...) diag_help((c)->p->diags, (d), __VA_ARGS__)
bool diags_full(const check_state *st);

/* ---- check_habits.c: other programs' names.  Each gives the way to write it here, or NULL. */

const char *habit_function(const char *name);
/* missing: there is no such distribution yet. */
const char *habit_module(const char *name);
const char *habit_dist(const char *name, bool *missing);
const char *habit_parameter(const char *dist, const char *param);

/* ---- check_warn.c: what has the right types and is seldom what was meant */

void warn_matrices(ctx *c, const ast_expr *e); /* a sum, difference or product that was checked */
/* A scale or rate that may be below 0: a part of the proposals is thrown away, and what is meant is another prior or a logarithm. */
void warn_sign(ctx *c, const ast_expr *dist, const signature *sig, ast_expr *const *args);

/* ---- check_shape.c: types as values */

const ty_info *ty_scalar(check_state *st, ty_kind kind);
ty_info *ty_new(check_state *st, ty_kind kind, int rank, const ir_size *dim);
/* The same extents, plain elements of that kind. */
const ty_info *ty_as(check_state *st, const ty_info *t, ty_kind kind);
static inline bool ty_is_error(const ty_info *t) { return t->kind == TY_ERROR; }
static inline bool ty_is_value(const ty_info *t) { return t->kind == TY_REAL || t->kind == TY_INT || t->kind == TY_BOOL; }
static inline bool ty_is_integer(const ty_info *t) { return t->kind == TY_INT || t->kind == TY_BOOL; }
ty_kind ty_join(ty_kind a, ty_kind b);
/* Whether the smaller one's extents end the larger one's; *out gets the larger rank and extents. */
bool shape_broadcast(const ty_info *a, const ty_info *b, ty_info *out);
bool shape_equal(const ty_info *a, const ty_info *b);
const char *size_text(check_state *st, ir_size s);
/* a - b when that is a number. */
bool size_difference(check_state *st, ir_size a, ir_size b, int64_t *d);
/* False when a can be larger than b for some choice of extents from 1 up. */
bool size_never_above(check_state *st, ir_size a, ir_size b);
/* A labelled place for the name in e that gives it its shape. */
void point_shape(ctx *c, diag *d, const ast_expr *e);
/* Reports that two operands of an operator, or "", do not go together. */
void report_shapes(ctx *c, span at, const char *what, const char *op, const ast_expr *a, const ast_expr *b);
/* The size that an int expression stands for, or IR_SIZE_NONE; names may still be unresolved. */
ir_size size_of_expr(ctx *c, const ast_expr *e);
/* The value of a constant expression. */
bool const_of_expr(const ast_expr *e, double *x);

/* ---- check_type.c */

const ty_info *check_type(ctx *c, ast_type *t);
/* Makes the names in the types of a signature sizes, where nothing else has that name. */
void type_mark_sizes(ctx *c, ast_type *t);
const char *support_text(const ty_info *t);

/* ---- check_expr.c */

const ty_info *check_expr(ctx *c, ast_expr *e);
/* A scalar int or bool, or a report that says what needs it. */
bool check_int(ctx *c, ast_expr *e, const char *what);
bool check_cond(ctx *c, ast_expr *e, const char *what);
const ty_info *check_error(ctx *c, ast_expr *e);
const ty_info *set_type(ast_expr *e, const ty_info *t);
bool value_expected(ctx *c, const ast_expr *e, const ty_info *t, const char *what);
/* Enters the ranges and the filter of a loop.  Returns how many loops were pushed. */
size_t iter_enter(ctx *c, ast_iter *it, loop_kind kind);
void iter_leave(ctx *c, size_t n);
/* The extents of an iteration as array dims; false (reported) if one is not a size. */
bool iter_extents(ctx *c, const ast_iter *it, loop *innermost, ir_size *dim, const char *what);

/* ---- check_index.c */

const ty_info *check_index(ctx *c, ast_expr *e);
/* Position in a loop: index + offset, or a plain size when loop is NULL. */
typedef struct affine {
  loop *loop;
  ir_size off;
} affine;
bool affine_of_expr(ctx *c, const ast_expr *e, affine *out);
/* Positions that the int e never is below and never above, in loops that run from size to size: t - k for k in 1..p lies between
 * t - p and t - 1. */
bool affine_bounds_of_expr(ctx *c, const ast_expr *e, affine *from, affine *to);
/* Whether all symbols of s stand for extents that some type fixes.  An int that no type uses (the year of a change, say) may
 * be compared with an extent only when the data are there. */
bool sizes_are_extents(ctx *c, ir_size s);
/* The extent of lo..hi, or IR_SIZE_NONE. */
ir_size range_extent(ctx *c, const ast_expr *lo, const ast_expr *hi);
/* Reports an index that leaves an axis of that extent for certain. */
void check_bounds(ctx *c, const ast_expr *sub, const ty_info *t, ir_size extent, const ast_expr *base, unsigned axis);

/* ---- check_call.c, check_builtin.c */

const ty_info *check_call_expr(ctx *c, ast_expr *e);
const ty_info *check_reduce(ctx *c, ast_expr *e);
const ty_info *check_builtin(ctx *c, ast_expr *e, symbol *callee);
const ty_info *check_ode(ctx *c, ast_expr *e, symbol *callee); /* check_ode.c */
/* Puts the arguments in the order of the parameters; false (reported) if that cannot be done. */
bool match_args(ctx *c, const ast_expr *call, symbol *callee, const signature *sig, ast_expr ***out);
/* Sizes of a signature in terms of the caller's. */
typedef struct size_solution {
  ir_size *from, *to;
  size_t n;
} size_solution;
/* Solves the sizes of a signature from the arguments' types.  batch gets the extents in front of the parameters' own (NULL:
 * not allowed).  False after a report. */
bool unify_args(ctx *c, const ast_expr *call, symbol *callee, const signature *sig, ast_expr **args, ty_info *batch,
                size_solution *sol);
ty_info *ty_substitute(check_state *st, const ty_info *t, const size_solution *sol);
/* Whether every size has a value; solves those in an event's type by the extents of an actual one. */
bool size_solution_whole(const size_solution *sol);
void solve_event(check_state *st, const ty_info *event, const ty_info *actual, size_solution *sol);
/* sizes may be NULL. */
void call_record(ctx *c, const ast_expr *e, symbol *callee, ast_expr **args, size_t n, bool lifted, const size_solution *sizes);

/* ---- check_dist.c */

/* What a call of a distribution draws. */
typedef struct drawn {
  symbol *dist;
  check_dist *parts;
  ty_info event;     /* of one draw, in the caller's sizes */
  ty_info batch;     /* extents that come from array arguments */
  bool stochastic;   /* its arguments depend on latents */
  bool flat;
  size_solution sizes;
  ast_expr **args;
} drawn;
/* Sizes of the event that no argument tells follow from the type of the value, x. */
void drawn_settle(ctx *c, ast_expr *dist, const ty_info *x, drawn *d);
/* A bound of the distribution's support, or NULL, for these arguments: a parameter's name stands for its argument. */
ast_expr *drawn_bound(ctx *c, const drawn *d, const ast_expr *bound);
/* Checks e as a distribution.  False after a report. */
bool check_drawn(ctx *c, ast_expr *e, drawn *out);
void check_dist_body(check_state *st, symbol *dist);
/* The overload that the arguments of a call mean; NULL after a report. */
symbol *dist_choose(ctx *c, const ast_expr *e, symbol *first);
/* The rest of check_drawn: e is a call of s with these checked arguments, one for each parameter. */
bool drawn_finish(ctx *c, ast_expr *e, symbol *s, ast_expr **args, drawn *out);
const ty_info *check_distfn(ctx *c, ast_expr *e, symbol *callee);
/* Whether a declared type and what is drawn agree; reports. */
bool check_support(ctx *c, span at, const ty_info *declared, const ast_type *type, const drawn *d, const ast_expr *dist,
                   bool observed);

/* ---- check_over.c: distributions over distributions */

/* Has a parameter of kind dist. */
bool is_scheme(const symbol *dist);
/* Whether e is a call of a distribution, known or not. */
bool expr_draws(ctx *c, const ast_expr *e);
/* The same of every element of a listed array. */
bool expr_draws_all(ctx *c, const ast_expr *e);
/* check_drawn where `first`, or an overload of it, is a scheme. */
bool check_over(ctx *c, ast_expr *e, symbol *first, drawn *out);
/* Was made of a scheme. */
bool is_over(const symbol *dist);
/* Some distribution that was made of the scheme; NULL when none can be. */
symbol *scheme_probe(check_state *st, symbol *scheme);

/* ---- check_elements.c: arrays built by elements */

/* Notes every subscripted target of a body, so that an array's extents are known at its first element. */
void elements_collect(ctx *c, const ast_block *body);
/* The array that a target belongs to, with its extents; NULL after a report.  is_site: it may not be local to a loop.
 * continues: the array whose end a forecast goes past, or NULL. */
elements *elements_of(ctx *c, const ast_target *t, bool is_site, symbol *continues);
/* Whether s is built by elements, outside of loops and of `predict`. */
bool elements_of_body(const symbol *s);
/* The array's symbol, NULL before the first element. */
symbol *elements_symbol(const elements *e);
void elements_start(ctx *c, elements *e, symbol *s);
/* Sets the type of the array from that of an element at the first one, and compares later ones. */
void elements_typed(ctx *c, elements *e, const ty_info *element, span at);
/* The type of one element; NULL before the first. */
const ty_info *elements_element(const elements *e);
/* The type for now of an array that its first statement reads, until that has one: elements_typed.  elements_assumed takes it back. */
void elements_assume(ctx *c, elements *e, const ty_info *element);
void elements_assumed(elements *e);
/* A guess at the kind of all elements from the right sides of their `let`s, before these are checked. */
ty_kind elements_guess(ctx *c, const elements *e);
/* What t draws is behind all that a `let` of that name has set. */
bool elements_beyond(ctx *c, const ast_target *t, const symbol *let);
void elements_visited(elements *e, const ast_target *t);
/* Reports a read of elements that may not be set yet, and returns whether it did.  subs may be shorter than the array's rank; NULL: the
 * whole. */
bool elements_read(ctx *c, symbol *s, const ast_exprs *subs, span at);

/* ---- check_order.c: data that could be drawn in the order of the program */

/* A read of data, of which subs says the elements (NULL: all): into symbol.early, if statements further on observe some of them. */
void order_read(ctx *c, symbol *s, const ast_exprs *subs, const ast_expr *at);
/* What stands behind this comes after the observation. */
void order_drawn(ctx *c, const ast_target *t);

/* ---- check_stmt.c, check_site.c */

void check_block(ctx *c, ast_block *b);
void check_stmt(ctx *c, ast_stmt *s);
void check_sample(ctx *c, ast_stmt *s);
/* Of a loop in `predict`: what stands in front of a statement that continues an array, and reads it step by step, reads it as it is continued. */
void forecasts_begin(ctx *c, const ast_block *body);
void check_let(ctx *c, ast_stmt *s);
/* Notes what t observes of the data sym, and reports what was observed already.  True when that cannot be told before the data are bound:
 * check_twice.c. */
bool check_twice(ctx *c, const ast_target *t, symbol *sym);
/* An array of unknowns is read in the statement that is to tell its type. */
void site_assume(ctx *c, symbol *s, span at);
/* Subscripts left of `~` or `=`: integers, or the ends of slices. */
void check_subs(ctx *c, const ast_target *t);
/* The number of slices among them, and how many elements each has along its axis. */
unsigned slice_extents(ctx *c, const ast_target *t, ir_size *extent /* OUT, [IR_MAX_RANK] */);
const ty_info *ty_without_axes(ctx *c, const ty_info *whole, unsigned n);
/* `name` is predicted from a distribution without a sampler. */
void report_undrawn(ctx *c, span at, const symbol *dist, const char *name);
check_site *site_add(ctx *c, symbol *s, ir_site_role role, const ty_info *type, span at);

/* ---- check_backwards.c */

/* Writes a loop that builds arrays from their end with the position as its index. */
void loops_turn(ctx *c, ast_stmt *s);

/* ---- check_submodel.c: models as distributions over records */

/* Where s draws from a model, it becomes a group of that model's statements. */
void submodel_expand(ctx *c, ast_stmt *s);
void check_submodel(ctx *c, ast_stmt *group);
/* Enters the names of the body of a model that have the subscripts of `hs[j]` in front of their own: what is drawn, and built by
 * elements.  A plain `let` is a value of its place, and what is predicted is left out of such a part. */
void submodel_note(ptr_map *defined, const ast_block *body);
/* "hs.beta" of these fields, interned; NULL when e is something else. */
const char *field_path(ctx *c, const ast_expr *e);
/* Makes a name of `hs.beta`, and an element of `hs[j].beta`.  False when e has no such form. */
bool field_resolve(ctx *c, ast_expr *e);

/* ---- check_model.c, check_run.c */

void check_model_body(check_state *st, symbol *model);
void check_fn_body(check_state *st, symbol *fn);
/* A body that ends in a value of c->result: an expression or a block with `return`. */
void check_returning(ctx *c, ast_expr *value, ast_block *body, const char *name);
void check_run_decl(check_state *st, ast_decl *d);
/* Data of the signature that nothing uses. */
void warn_unused(ctx *c);
/* Inline bindings behind `on`, against the data of a model or an agent. */
void check_bindings(ctx *c, ast_run *r, const check_model *m);

/* ---- check_agent.c, check_agent_parts.c, check_agent_options.c, check_simulate.c */

void check_agent_body(check_state *st, symbol *agent);
/* Notes that an expression of an agent reads s.  False after a report: it may not. */
bool agent_read(ctx *c, symbol *s, span at);
/* Puts what was read into the part, in the order of the declarations. */
void agent_part_close(ctx *c, agent_part *p, const agent_reads *r);
/* e, which reads data alone: p is then its part.  NULL after a report. */
const ty_info *agent_data_part(ctx *c, ast_expr *e, const char *what, agent_part *p);
void check_agent_parts(ctx *c, check_agent *a, agent_part *lets, size_t nlets);
void check_beliefs(ctx *c, check_agent *a, ast_stmt *s);
void check_plan(ctx *c, check_agent *a, ast_stmt *s);
void check_learn_options(ctx *c, const ast_args *args, agent_learn *l);
void check_simulate(ctx *c, ast_run *r, symbol *s);
/* Reads the options of a `simulate`; c NULL: they have been checked. */
void check_simulation_options(ctx *c, const ast_args *args, agent_simulation *out);
/* The nearest of n names, or NULL. */
const char *nearest_of(const char *name, const char *const *words, size_t n);

#endif
