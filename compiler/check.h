/* check.h: the meaning of a tree: names, types, shapes, supports.  Wrong programs end here, with carets.
 *
 * check_file resolves the names of a file (its own, its imports', the prelude's) and gives every expression a type,
 * by writing into the tree: ast_expr.info, ast_type.info, ast_name.sym.  A tree that was checked without an error can be
 * lowered without looking for mistakes again.
 *
 * Checking needs no data.  Extents are symbolic (compiler/size.h): N and J differ until somebody says they are one. */
#ifndef AIM_COMPILER_CHECK_H
#define AIM_COMPILER_CHECK_H

#include "compiler/ir.h"
#include "lang/ast.h"
#include "lang/diag.h"

typedef enum ty_kind {
  TY_ERROR,  /* already reported; silences what is built on it */
  TY_REAL,
  TY_INT,
  TY_BOOL,
  TY_STRING,
  TY_DIST,   /* a distribution: the type of what it draws is in `event` */
  TY_RECORD, /* a submodel's value */
  TY_NONE    /* no value: a command */
} ty_kind;

/* A type.  Values are scalars or arrays of reals, ints or bools; `index(K)`, `spin`, `simplex(K)` and so on are these with a
 * support.  The event of a support takes the trailing axes: simplex(K)[D] has dims [D, K] and event_rank 1. */
typedef struct ty_info {
  uint8_t kind; /* ty_kind */
  uint8_t rank;
  ir_size dim[IR_MAX_RANK];

  /* The support, of declared types and of a distribution's `on` type.  IR_SUP_REAL for plain reals and for expressions;
   * IR_SUP_INT with no bounds for plain ints; bool is IR_SUP_FINITE 0..1, index(K) FINITE 1..K, spin FINITE -1..1 by 2. */
  uint8_t support; /* ir_support */
  uint8_t event_rank;
  bool spin;
  ast_expr *lo, *hi; /* bounds as written, or NULL; for index(K) hi is K and lo is NULL (meaning 1) */
  ir_size count;     /* IR_SUP_FINITE from 1: how many values, where that is a size; else IR_SIZE_NONE */

  /* TY_DIST. */
  const struct ty_info *event;
} ty_info;

typedef enum sym_kind {
  SYM_SIZE,     /* an extent that appears only in types: N in real[N] */
  SYM_DATA,     /* a parameter of a model; an int scalar used as an extent has `size` too */
  SYM_LATENT,   /* left of a ~, not data, in the model */
  SYM_PREDICT,  /* left of a ~ in a predict block */
  SYM_LET,      /* by let, in a block or an expression */
  SYM_INDEX,    /* of a plate, for or comprehension */
  SYM_PARAM,    /* of a fn, dist or member */
  SYM_ACTION,   /* of an agent or a world: agent.h */
  SYM_STATE,
  SYM_OBSERVATION,
  SYM_TIME,     /* t, the step of the plan, in a preference */
  SYM_FN,       /* a function written in AIM */
  SYM_BUILTIN,  /* a function of the language: compiler/builtin.h */
  SYM_DIST,     /* a distribution written in AIM: one overload */
  SYM_MODEL,
  SYM_OTHER     /* agent, world, schedule, run */
} sym_kind;

typedef struct symbol symbol;
struct symbol {
  uint8_t kind; /* sym_kind */
  const char *name;
  span at;            /* where declared; the help of a message points here */
  const ty_info *type; /* of a value, whole array included: theta[j] in plate j in 1..J makes theta real[J] */
  ir_size size;       /* SYM_SIZE, and ints that are extents; else IR_SIZE_NONE */
  const ast_expr *whole; /* SYM_LET of one integer that depends on no latent: what it is; else NULL */
  bool stochastic;    /* depends on a latent: not known once data is bound */
  bool observed;      /* SYM_DATA, SYM_LET over data: stands left of a ~ */
  bool read;          /* SYM_DATA, SYM_LET: stands in some expression */
  struct {
    const ast_expr **items;
    size_t n, cap;
  } early;            /* SYM_DATA: what reads elements that a later statement observes, as far as can be told */
  bool elementwise;   /* SYM_LATENT, SYM_LET, SYM_PREDICT: defined by subscripted statements */
  uint32_t site;      /* for what stands left of a ~: its number in check_model.sites + 1; else 0 */
  ast_decl *decl;     /* SYM_FN, SYM_DIST, SYM_MODEL, SYM_OTHER */
  ast_param *param;   /* SYM_DATA, SYM_PARAM */
  int builtin;        /* SYM_BUILTIN */
  symbol *next_overload; /* SYM_DIST */
  const char *level;  /* SYM_SIZE: the text of which it is the number, in `levels`; else NULL */
  ir_size levels;
  const char *label;  /* SYM_DIST: what the IR calls it, where others have its name; else NULL */
};

/* What a call means once overloads, names and defaults are sorted out.  For each EXPR_CALL of a function, builtin or distribution the
 * arguments in the order of the parameters stand in check_call.args (defaults filled in from the declaration). */
typedef struct check_call {
  symbol *callee;
  ast_expr **args;
  size_t nargs;
  bool lifted; /* a function of scalars applied element by element, with broadcasting */
  /* The callee's generic sizes (M of real[M], and its ints that are extents) in terms of the caller's, for size_substitute. */
  const ir_size *size_from, *size_to;
  size_t nsizes;
} check_call;

/* A site of a model, as declared. */
typedef struct check_site {
  symbol *sym;
  ir_site_role role;
  ty_info *type;   /* whole array; support: of the declared type, IR_SUP_REAL or _INT if none was written */
  span at;         /* the first statement */
  const ty_info *event; /* what its distribution draws, with bounds in terms of the model; NULL: no proper distribution tells */
  bool as_real;    /* IR_OBSERVED: integers that a distribution of reals describes */
  const symbol *undrawn; /* IR_OBSERVED: a distribution of it that has no sample(), and the place; else NULL */
  span undrawn_at;
  const ty_info *on;     /* IR_OBSERVED: what its distribution draws, with bounds in terms of its parameters; of several, the last with most axes */
  bool on_varies;        /* several that draw different things */
  bool sliced;           /* IR_OBSERVED: a statement observes a slice of it */
  bool counted;          /* IR_OBSERVED: data decide whether an element is observed twice */
} check_site;

/* What the draws of an unknown are, apart from its type. */
static inline const ty_info *check_drawn_on(const check_site *s) { return s->event ? s->event : s->sym->type; }

typedef struct check_model {
  ast_decl *decl;
  symbol *sym;
  symbol **data;   /* in the order of the signature */
  size_t ndata;
  symbol **size_syms; /* sizes that are read from data and need no declaration */
  size_t nsize_syms;
  check_site *sites;
  size_t nsites;
} check_model;

/* A distribution's parts. */
typedef struct check_dist {
  symbol *sym;
  ast_decl *decl;
  symbol **params;
  size_t nparams;
  const ty_info *on; /* the support, may name params */
  bool discrete;
  ast_stmt *logpdf, *cdf, *logcdf, *logccdf, *quantile, *sample, *valid; /* STMT_MEMBER or NULL */
  ast_stmt *standard, *from_standard; /* both or neither: the variate z of log density standard(z) that from_standard(z) moves */
} check_dist;

typedef struct check_program {
  arena *mem;
  source_map *sources;
  intern_table *names;
  diag_list *diags;
  size_table *sizes;
  ast_file *file;
  const struct import_options *imports; /* import.h; may be NULL */
  struct check_state *state; /* private */
} check_program;

/* Checks every declaration of the file, and those of the prelude that it uses.  Returns false when an error was reported. */
bool check_file(check_program *p);

/* The results.  NULL / false where there is none.  Library declarations are checked when first asked for. */
check_model *check_model_of(check_program *p, const ast_decl *decl);
check_dist *check_dist_of(check_program *p, const symbol *dist);
check_call *check_call_of(check_program *p, const ast_expr *call);
/* The array whose end a prediction continues: `predict { for t in T + 1..T + 9 { h[t] ~ .. } }` makes a new symbol h of T + 9
 * elements, the first T of which are those of the latent or data h.  NULL for other symbols. */
symbol *check_continued(const symbol *s);
symbol *check_find(check_program *p, const char *name); /* a top-level name; NULL if unknown */
/* The library's, whatever the program calls by that name: for functions that the compiler itself calls. */
symbol *check_library(check_program *p, const char *name);

static inline const ty_info *ty_of(const ast_expr *e) { return e->info; }

/* "real[J, 3]", "simplex(K)[D]": for messages. */
const char *ty_print(check_program *p, const ty_info *t);
/* The same with bounds, "int<lower = 0>[N]": for listings. */
const char *ty_print_full(check_program *p, const ty_info *t);
/* The type of a site in full, within the support of its distribution. */
const char *check_site_print(check_program *p, const check_site *s);

#endif
