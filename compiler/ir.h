/* ir.h: AIM's intermediate representation on one page.  docs/ir.md is its specification.
 *
 * First order and structured.  A function is a tree of blocks; a block is a list of operations; an operation has operands
 * that were defined before it, in its own block or in one around it, and results.  Values are scalars and arrays and never
 * change.  Three operations have blocks of their own: plate (independent iterations over a box), scan (iterations in order)
 * and if.  A loop's results are built by its outputs (ir_out): stacked, placed, reduced, added by key, or carried.
 *
 * A *model* function also has sites and MODEL operations.  A *derived* function has none: its density is a value and its
 * random key an operand.
 *
 * All of it lives in the arena of its module and is freed with it. */
#ifndef AIM_COMPILER_IR_H
#define AIM_COMPILER_IR_H

#include "compiler/ir_ops.h"
#include "compiler/name_index.h"
#include "compiler/size.h"
#include "lang/arena.h"
#include "lang/source.h"

enum { IR_MAX_RANK = 6, IR_MAX_DEPTH = 256 };

/* ---- types */

typedef enum ir_elem { IR_REAL, IR_INT, IR_BOOL, IR_KEY } ir_elem;

typedef struct ir_type {
  uint8_t elem; /* ir_elem */
  uint8_t rank; /* 0: a scalar */
  ir_size dim[IR_MAX_RANK];
} ir_type;

ir_type ir_scalar(ir_elem elem);
ir_type ir_array(ir_elem elem, int rank, const ir_size *dim);
bool ir_type_equal(ir_type a, ir_type b);

/* ---- values: ids into fn->val; 0 is no value */

typedef uint32_t ir_val;
typedef struct ir_op ir_op;
typedef struct ir_block ir_block;
typedef struct ir_fn ir_fn;
typedef struct ir_module ir_module;

typedef enum ir_def { IR_DEF_NONE, IR_DEF_PARAM, IR_DEF_RESULT, IR_DEF_INDEX, IR_DEF_STATE } ir_def;

typedef struct ir_value {
  ir_type type;
  uint8_t def;   /* ir_def: parameter of the function, result of op, index or state of loop op */
  uint32_t slot; /* which parameter, result, index or output */
  ir_op *op;     /* the defining operation; NULL for a parameter */
} ir_value;

/* ---- operations */

typedef enum ir_code {
#define X(CODE, name, sig, effect, flops, doc) IR_##CODE##_OP,
  IR_OPS(X)
#undef X
  IR_OP_COUNT
} ir_code;

typedef enum ir_effect { IR_PURE, IR_DRAW, IR_LOOP, IR_MODEL, IR_CHECK } ir_effect;

typedef struct ir_op_info {
  const char *name, *signature, *doc;
  uint8_t effect;
  uint16_t flops;
} ir_op_info;
extern const ir_op_info ir_op_table[IR_OP_COUNT];

/* How a loop builds one of its results.
 *   STACK   element [i, j, ...] is the value of iteration (i, j, ...): result dims are the extents, then the value's
 *   INTO    init with the yielded value placed at `axis`; no position is written twice, nor one that init already set
 *   KEYED   init with the yielded value added at `axis`; positions may repeat and are added in iteration order
 *   SUM     canonical sum over the iterations in row-major order, element by element if the value is an array
 *   MAX MIN largest, smallest (-inf, +inf when there is no iteration)
 *   CARRY   scan only: the value after the last iteration; init before the first
 * In a scan, INTO, KEYED and CARRY have a *state*: a value that the body may read and that shows the result as built by the
 * iterations before.  In a plate state is 0.  A scan with a `live` state has CARRY, INTO, KEYED and STACK outputs only, and of a stack
 * only the elements of iterations that ran have a value. */
typedef enum ir_mode { IR_STACK, IR_INTO, IR_KEYED, IR_SUM, IR_MAX, IR_MIN, IR_CARRY } ir_mode;

/* A position in an array: one entry an axis of the array, either an int value or 0 for `:` (the whole axis).  The value read
 * or placed there has the dims of the `:` axes.  In KEYED outputs entries may be int arrays, all of one shape: then the
 * yielded value has that shape first, and each of its elements is added at its own position. */
typedef struct ir_axes {
  uint32_t n;
  ir_val at[IR_MAX_RANK];
} ir_axes;

typedef struct ir_out {
  uint8_t mode;  /* ir_mode */
  ir_val init;   /* INTO, KEYED, CARRY */
  ir_val state;  /* scan: INTO, KEYED, CARRY; else 0 */
  ir_val yield;  /* defined in the body or around it */
  ir_axes axes;  /* INTO, KEYED; defined in the body or around it */
} ir_out;

struct ir_block {
  ir_op *first, *last;
  ir_op *owner; /* the plate, scan or if; NULL for the body of a function */
};

typedef struct ir_loop {
  uint32_t rank;               /* plate: 1 .. IR_MAX_RANK; scan: 1 */
  bool down;                   /* scan: the index runs from extent - 1 to 0 */
  ir_val live;                 /* scan: a carried bool, asked before each iteration: the first that finds it false ends the scan; else 0 */
  ir_val extent[IR_MAX_RANK];  /* ints; a negative one counts as 0 */
  ir_val index[IR_MAX_RANK];   /* 0 .. extent - 1 */
  ir_out *out;                 /* one a result, in the order of op->res */
  uint32_t nout, cap;
  ir_block body;
} ir_loop;

typedef struct ir_if {
  ir_block then_, else_;
  ir_val *then_yield, *else_yield; /* one a result */
} ir_if;

typedef struct ir_site ir_site;
typedef struct ir_dist ir_dist;

/* What SAMPLE and OBSERVE say. */
typedef struct ir_tilde {
  ir_site *site;
  ir_dist *dist;
  ir_axes axes;    /* place in the site's array; the event takes the remaining axes (no `:` written) */
  ir_val lo, hi;   /* bounds of the support where it has them; else 0 */
  bool cut;        /* they cut into the distribution's own support: drawing has to respect them */
  bool standard;   /* SAMPLE: on the unconstrained space it is the distribution's standard variate (centre.h) */
} ir_tilde;

/* A function whose results are kept (memo.h). */
typedef struct ir_memo {
  const char *name;
  uint32_t size;   /* how many */
  uint32_t number; /* of the table, from 1; 0 in a mark */
} ir_memo;

struct ir_op {
  ir_op *prev, *next;
  ir_block *block;
  uint16_t code; /* ir_code */
  uint8_t flags; /* MATMUL: IR_TRANS_A, IR_TRANS_B; TRISOLVE: IR_TRANS_A */
  uint32_t nargs, nres;
  ir_val *args, *res;
  span where;    /* the source it came from, kept to the end */
  union {
    double real;        /* REAL */
    int64_t integer;    /* INT, BOOL; draws: the number of the site */
    ir_size size;       /* SIZE */
    ir_axes axes;       /* AT, PUT */
    ir_loop *loop;      /* PLATE, SCAN */
    ir_if *branch;      /* IF */
    ir_fn *callee;      /* CALL */
    ir_tilde *tilde;    /* SAMPLE (args: the distribution's), OBSERVE (args: the value, then the distribution's) */
    const char *name;   /* TRACK */
    const ir_memo *memo; /* MEMO, MEMO_FIND, MEMO_KEEP */
  } u;
};
enum { IR_TRANS_A = 1, IR_TRANS_B = 2 };

/* ---- functions */

/* What a parameter stands for. */
typedef enum ir_role {
  IR_ROLE_PLAIN,   /* of a library function */
  IR_ROLE_DATA,    /* an array of the signature, bound once */
  IR_ROLE_FRAME,   /* computed once from the data by @prepare */
  IR_ROLE_LATENT,  /* a site's values on their own support */
  IR_ROLE_UNCON,   /* a site's values on the unconstrained space */
  IR_ROLE_KEY,     /* the random key of one evaluation */
  IR_ROLE_INDEX,   /* position of a site element, one int an axis; elements of a site by number: an array of int */
  IR_ROLE_STAGE    /* handed from one function of a cut evaluation to the next (stages.h) */
} ir_role;

typedef struct ir_param {
  ir_val val;
  uint8_t role;
  const char *name; /* the signature's or site's name */
} ir_param;

typedef enum ir_support {
  IR_SUP_REAL, IR_SUP_LOWER, IR_SUP_UPPER, IR_SUP_INTERVAL,
  IR_SUP_SIMPLEX, IR_SUP_ORDERED, IR_SUP_UNIT_VECTOR, IR_SUP_SUM_TO_ZERO, IR_SUP_COV, IR_SUP_CORR, IR_SUP_CHOLESKY_COV, IR_SUP_CHOLESKY_CORR,
  IR_SUP_INT,      /* integers from lo to hi, where given */
  IR_SUP_FINITE    /* integers lo .. hi, both given: bool, index(K), spin */
} ir_support;

typedef enum ir_site_role { IR_LATENT, IR_OBSERVED, IR_PREDICTED } ir_site_role;

struct ir_site {
  uint32_t number;     /* from 1, in order of appearance; addresses its random draws */
  const char *name;
  uint8_t role;        /* ir_site_role */
  uint8_t support;     /* ir_support, of one event */
  uint8_t event_rank;  /* trailing axes that one draw fills: 0 scalar, 1 simplex, 2 cov */
  bool standard;       /* some draw of it is marked so (ir_tilde) */
  bool held;           /* IR_LATENT: @logdens, @grad and @constrain.block take it as it is, on its own support: something else moves it */
  bool given;          /* IR_OBSERVED: a latent of the model whose value is data of this run; no observation of its own */
  bool gathered;       /* IR_LATENT: its array is what the track of its name says, in which elements may stand that are not drawn */
  bool replica;        /* drawn in the place of what a site observes, whose name its own begins with */
  const char *formula; /* of its first draw that could be, in the words of the source, "mu + tau * z"; or NULL */
  ir_type type;        /* of the whole array of elements */
  span where;
};

struct ir_fn {
  ir_module *module;
  const char *name;
  bool is_model;
  ir_param *param;
  uint32_t nparams, cap_params;
  ir_block body;
  ir_val *ret; /* what a derived function returns */
  uint32_t nret;
  ir_value *val;
  uint32_t nvals, cap_vals;
  ir_site **site; /* of a model */
  uint32_t nsites, cap_sites;
  name_index site_names; /* numbers of sites */
};

/* A distribution as functions of the module.  Unused members are NULL.
 *   logpdf(x, params...) -> real        sample(key, index, params...) -> value
 *   cdf(x, params...) -> real           valid(params...) -> bool: the parameters' own constraints
 *   standard(z, params...) -> real      from_standard(z, params...) -> value
 * If z, free on the reals, has the log density standard(z), then from_standard(z) has logpdf.  Both or neither. */
struct ir_dist {
  const char *name;     /* unique in the module: overloads are "Bernoulli/logit" */
  uint8_t support;      /* ir_support */
  uint8_t event_rank;
  bool discrete;
  uint32_t nparams;
  ir_fn *logpdf, *sample, *cdf, *valid, *standard, *from_standard;
};

/* What a pass did, or saw and could not do, in words for the author of the model: `aimc explain` shows them by line.  Only what
 * changed the function is told as done. */
typedef struct ir_remark {
  const char *pass; /* its name in pass_table, or that of the derivation */
  span where;       /* of the source that it fired on */
  const char *text; /* one line, no full stop: "sum over N from 3 moments" */
  bool missed;
} ir_remark;

struct ir_module {
  arena *mem;
  size_table *sizes;
  ir_fn **fn;
  uint32_t nfns, cap_fns;
  ir_dist **dist;
  uint32_t ndists, cap_dists;
  ir_remark *remark;
  uint32_t nremarks, cap_remarks;
  name_index remark_keys; /* what they say, and of which place, as text */
  uint32_t nmemos; /* tables numbered so far */
  const char *fault; /* the first broken rule that a check between steps found, a bug of the step it names; else NULL */
  bool deep;         /* that rule is IR_MAX_DEPTH, which a program can break as well */
};

ir_module *ir_module_new(arena *mem);
/* Once for each pass, place and text, however many functions the pass sees. */
void ir_remark_add(ir_module *m, const char *pass, span where, bool missed, const char *format, ...) __attribute__((format(printf, 5, 6)));
ir_fn *ir_fn_new(ir_module *m, const char *name, bool is_model);
ir_fn *ir_fn_find(const ir_module *m, const char *name);
/* fn is no function of m any more, though it lives as long. */
void ir_fn_remove(ir_module *m, const ir_fn *fn);
ir_dist *ir_dist_new(ir_module *m, const char *name);
ir_dist *ir_dist_find(const ir_module *m, const char *name);
ir_site *ir_site_new(ir_fn *fn, const char *name, ir_site_role role, ir_support support, ir_type type, int event_rank);
ir_site *ir_site_find(const ir_fn *fn, const char *name);
ir_val ir_param_add(ir_fn *fn, ir_role role, const char *name, ir_type type);
void ir_return(ir_fn *fn, uint32_t n, const ir_val *v);

static inline const ir_value *ir_value_of(const ir_fn *fn, ir_val v) { return &fn->val[v]; }
static inline ir_type ir_type_of(const ir_fn *fn, ir_val v) { return fn->val[v].type; }
/* The operation that defines v as its result, or NULL (parameters, indices, states). */
ir_op *ir_def_op(const ir_fn *fn, ir_val v);
/* v is such a literal. */
bool ir_is_real(const ir_fn *fn, ir_val v, double *x);
bool ir_is_int(const ir_fn *fn, ir_val v, int64_t *n);
/* v is an INT or SIZE: the symbolic size it stands for; else IR_SIZE_NONE. */
ir_size ir_size_of(const ir_fn *fn, ir_val v);

/* ---- building (ir_build.c).  The builder appends at the end of a block, or before an operation. */

typedef struct ir_builder {
  ir_fn *fn;
  ir_block *block;
  ir_op *before; /* NULL: at the end */
  span where;    /* given to each new operation */
} ir_builder;

ir_builder ir_builder_at_end(ir_fn *fn, ir_block *block);

ir_val ir_real(ir_builder *b, double x);
ir_val ir_int(ir_builder *b, int64_t n);
ir_val ir_bool(ir_builder *b, bool x);
ir_val ir_size_val(ir_builder *b, ir_size s); /* INT when s is constant */
/* Operations with a signature in the table. */
ir_val ir_op1(ir_builder *b, ir_code code, ir_val x);
ir_val ir_op2(ir_builder *b, ir_code code, ir_val x, ir_val y);
ir_val ir_op3(ir_builder *b, ir_code code, ir_val x, ir_val y, ir_val z);
ir_val ir_new_array(ir_builder *b, ir_type type);
ir_val ir_at(ir_builder *b, ir_val array, ir_axes axes);
ir_val ir_at1(ir_builder *b, ir_val array, ir_val i); /* remaining axes `:` */
ir_val ir_put(ir_builder *b, ir_val array, ir_axes axes, ir_val x);
ir_val ir_matmul(ir_builder *b, ir_val x, ir_val y, int flags);
ir_val ir_cholesky(ir_builder *b, ir_val a);
ir_val ir_chol_adj(ir_builder *b, ir_val l, ir_val lbar);
ir_val ir_trisolve(ir_builder *b, ir_val l, ir_val x, int flags);
ir_val ir_qr_r(ir_builder *b, ir_val r, ir_val rows);
ir_val ir_inverse(ir_builder *b, ir_code inv_ptr_or_list, ir_val k, ir_val buckets); /* buckets: an INT or SIZE */
ir_val ir_draw(ir_builder *b, ir_code code, int64_t site, ir_val key, ir_val index, uint32_t n, const ir_val *params);
ir_op *ir_call(ir_builder *b, ir_fn *callee, uint32_t n, const ir_val *args); /* results in op->res */

ir_val ir_memo_mark(ir_builder *b, const ir_memo *f, ir_val v, uint32_t n, const ir_val *args);
ir_op *ir_memo_find(ir_builder *b, const ir_memo *f, ir_type value, uint32_t n, const ir_val *key); /* handle and value in op->res */
ir_val ir_memo_keep(ir_builder *b, const ir_memo *f, ir_val handle, ir_val v);

/* Loops.  Begin gives an operation with an empty body and no results; build into its body with a builder of its own; then add
 * outputs.  A state must be made before the body that reads it, so it has a call of its own: ir_loop_state makes the output
 * with its init and returns the number of the output; ir_out_finish sets what it yields.  ir_loop_out makes both at once. */
ir_op *ir_loop_begin(ir_builder *b, ir_code plate_or_scan, uint32_t rank, const ir_val *extent);
uint32_t ir_loop_state(ir_fn *fn, ir_op *loop, ir_mode mode, ir_val init);
void ir_loop_finish(ir_fn *fn, ir_op *loop, uint32_t out, const ir_axes *axes, ir_val yield);
ir_val ir_loop_out(ir_fn *fn, ir_op *loop, ir_mode mode, ir_val init, const ir_axes *axes, ir_val yield);
ir_builder ir_builder_in(const ir_builder *outer, ir_block *body);

ir_op *ir_if_begin(ir_builder *b, ir_val cond);
ir_val ir_if_out(ir_fn *fn, ir_op *branch, ir_val then_value, ir_val else_value);

/* The model's own. */
ir_val ir_sample(ir_builder *b, ir_site *site, ir_dist *dist, ir_axes axes, ir_val lo, ir_val hi, uint32_t n, const ir_val *args);
ir_op *ir_observe(ir_builder *b, ir_site *site, ir_dist *dist, ir_axes axes, ir_val value, uint32_t n, const ir_val *args);
ir_op *ir_factor(ir_builder *b, ir_val x);
ir_op *ir_energy(ir_builder *b, ir_val x);
ir_op *ir_track(ir_builder *b, const char *name, ir_val x);

/* Pieces of the above, for the parser, the cloner and passes that make an operation like another one. */
ir_op *ir_op_insert(ir_builder *b, ir_code code, uint32_t nargs, const ir_val *args); /* no results yet */
ir_val ir_result_add(ir_fn *fn, ir_op *op, ir_type type);
ir_val ir_state_add(ir_fn *fn, ir_op *loop, uint32_t out, ir_type type);
ir_type ir_slice_type(ir_type array, const ir_axes *axes); /* what `at` yields */
ir_type ir_type_substitute(size_table *t, ir_type type, size_t n, const ir_size *from, const ir_size *to);
/* The sizes of a callee in terms of the caller's: its symbols (*from) and what they stand for (*to); returns their number.
 * Extents of parameters are unified with those of the arguments where they are linear in one symbol; an int parameter named
 * like a symbol stands for it.  Symbols found nowhere stay what they are.  Both lists live in the module's arena. */
size_t ir_call_sizes(const ir_fn *caller, const ir_fn *callee, uint32_t n, const ir_val *args, ir_size **from, ir_size **to);

/* ---- changing (ir_edit.c) */

void ir_remove(ir_op *op);                                    /* its results must have no use left */
/* Everywhere that `from` is in sight: for one value, or one in a loop.  For many of a function, ir_rename_all (ir_uses.h). */
void ir_replace_uses(ir_fn *fn, ir_val from, ir_val to);
/* A result is replaced by a formula of it at no cost, its uses staying as they are: ir_result_renew gives result k of op a new value,
 * from which the formula is made, and ir_take_over then lets the operation that defines v, which nothing reads yet, define the old one. */
ir_val ir_result_renew(ir_fn *fn, ir_op *op, uint32_t k);
void ir_take_over(ir_fn *fn, ir_val v, ir_val old);
/* Visits every operand of op itself (args, extents, inits, and for loops and ifs also what their blocks yield, with axes), not
 * those of operations inside its blocks. */
typedef void ir_use_visitor(void *user, ir_val *use);
void ir_visit_uses(ir_op *op, ir_use_visitor *visit, void *user);
/* Visits every operation of a block, outer before inner, in order.  The visitor may remove the operation it is given. */
typedef void ir_op_visitor(void *user, ir_op *op);
void ir_visit_ops(ir_block *block, ir_op_visitor *visit, void *user);
/* The same of one operation and of those in its blocks. */
void ir_visit_op(ir_op *op, ir_op_visitor *visit, void *user);

/* Copying.  `map` takes values of the source function to values of the destination: ir_map_get returns 0 for one that has
 * no image.  ir_clone_op copies one operation with its blocks, mapping operands and recording results; a hook may take over
 * any operation (return true: it did, and mapped the results itself).  When source and destination are one function, a value
 * without an image stands for itself. */
typedef struct ir_map {
  arena *mem;
  ir_val *to;
  uint32_t n;
} ir_map;
ir_map ir_map_new(arena *mem, const ir_fn *from);
void ir_map_set(ir_map *m, ir_val from, ir_val to);
ir_val ir_map_get(const ir_map *m, ir_val from);

typedef struct ir_cloner ir_cloner;
struct ir_cloner {
  const ir_fn *from;
  ir_map map;
  /* sizes of `from` to sizes here, for inlining; n 0 when the same */
  size_t nsizes;
  const ir_size *size_from, *size_to;
  bool (*hook)(ir_cloner *c, ir_builder *b, const ir_op *op); /* may be NULL */
  void *user;
};
void ir_clone_op(ir_cloner *c, ir_builder *b, const ir_op *op);
void ir_clone_block(ir_cloner *c, ir_builder *b, const ir_block *block);

/* ---- text (ir_print.c, ir_parse.c): inverses of each other up to value names and spans */

void ir_print_fn(const ir_fn *fn, strbuf *out);
void ir_print(const ir_module *m, strbuf *out);
void ir_print_type(const ir_module *m, ir_type t, strbuf *out);
/* Adds what the text defines to m.  False on an error, with a message "line 3: ..." in *error. */
bool ir_parse(ir_module *m, const char *text, size_t n, const char **error);

/* ---- checking (ir_verify.c): NULL if fn keeps every rule of docs/ir.md, else a message in the module's arena */

const char *ir_verify(const ir_fn *fn);
/* The same after a step; a fault goes to the module's, unless one is there.  True if the module has none. */
bool ir_verify_after(ir_fn *fn, const char *step);
/* Only in builds with asserts, for steps whose work is checked at the end of the pipeline in any build. */
#ifdef NDEBUG
#define ir_verify_step(fn, step) ((void)(fn), (void)(step))
#else
#define ir_verify_step(fn, step) ((void)ir_verify_after(fn, step))
#endif

#endif
