/* ast.h: the syntax tree of a file.
 *
 * Four families of tagged nodes: expressions, types, statements, declarations.  All live in one arena; lists are arrays
 * (`items`, `n`).  The tree is a tree: no node has two parents.  Every node has a span and an id (dense, from 1, unique in
 * one parse), so that later phases can keep side tables.
 *
 * The checker annotates this same tree: `ast_expr.info` and `ast_type.info` get the type, `ast_name.sym` the meaning of
 * a name where it is declared and where it is used.  The parser leaves them NULL.
 *
 * Trees with syntax errors are complete: what could not be read is an *_ERROR node, an absent name is "" (name_missing),
 * and required children are never NULL.  A child that may be NULL says so here.
 *
 * Walkers may recurse: the parser bounds the height of every tree by AST_MAX_DEPTH. */
#ifndef AIM_LANG_AST_H
#define AIM_LANG_AST_H

#include "lang/intern.h"
#include "lang/source.h"

struct ty_info; /* the checker's */
struct symbol;

enum { AST_MAX_DEPTH = 400, AST_MAX_BRACKETS = 200 };

typedef struct ast_expr ast_expr;
typedef struct ast_type ast_type;
typedef struct ast_stmt ast_stmt;
typedef struct ast_decl ast_decl;

/* An occurrence of a name.  `name` is interned; NULL where an optional name is absent. */
typedef struct ast_name {
  const char *name;
  span at;
  struct symbol *sym;
  bool library; /* of a call that the compiler wrote: what the language has of this name, whatever the program calls so */
} ast_name;

typedef struct ast_exprs {
  ast_expr **items;
  size_t n, cap;
} ast_exprs;

/* `value` or `name = value`: call arguments, options, data bindings, tracked quantities. */
typedef struct ast_arg {
  ast_name name; /* name.name NULL: positional */
  ast_expr *value;
  span at;
} ast_arg;

typedef struct ast_args {
  ast_arg *items;
  size_t n, cap;
} ast_args;

/* `i in lo..hi [by step]`, or `x in over` for the elements of an array. */
typedef struct ast_range {
  ast_name var;
  ast_expr *lo, *hi; /* both NULL in the second form */
  ast_expr *by;      /* may be NULL: 1 */
  ast_expr *over;    /* NULL in the first form */
  span at;
  const struct ast_range *source; /* what the program says, where a pass wrote this one in its place; else NULL */
} ast_range;

/* Nested ranges, the first outermost, and their filter: `for i in 1..N, j in 1..i if c`. */
typedef struct ast_iter {
  ast_range *items;
  size_t n, cap;
  ast_expr *cond; /* may be NULL */
  span at;
} ast_iter;

/* --- expressions --------------------------------------------------------------------------------------------------- */

typedef enum expr_kind {
  EXPR_ERROR,
  EXPR_INT,           /* integer */
  EXPR_REAL,          /* real */
  EXPR_BOOL,          /* boolean: `true`, `false` */
  EXPR_STRING,        /* string */
  EXPR_NAME,          /* name */
  EXPR_UNARY,         /* unary: -a, not a, a' */
  EXPR_BINARY,        /* binary */
  EXPR_CALL,          /* call: f(a, n = b); of.f(a), a member of what stands before the dot */
  EXPR_REDUCE,        /* reduce: sum(e for i in 1..N if c) */
  EXPR_ARRAY,         /* array: [a, b] */
  EXPR_COMPREHENSION, /* comprehension: [e for i in 1..N] */
  EXPR_INDEX,         /* index: a[i, 2..T, :] */
  EXPR_FIELD,         /* field: a.b */
  EXPR_IF,            /* if_: if c { a } else { b } */
  EXPR_LET,           /* let: let x = a in b */
  EXPR_RANGE,         /* range: lo..hi; only as a subscript or an argument (`columns(age..bmi)`) */
  EXPR_ALL            /* `:`; only as a subscript */
} expr_kind;

typedef enum ast_op {
  OP_NEG, OP_NOT, OP_TRANSPOSE,
  OP_OR, OP_AND,
  OP_LT, OP_GT, OP_LE, OP_GE, OP_EQ, OP_NE,
  OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD, OP_MATMUL, OP_POW,
  /* Of schedules and options: `a then b`, `s until c`, `s repeat n`, `0.1 -> 10`. */
  OP_THEN, OP_UNTIL, OP_REPEAT, OP_ARROW,
  OP_COUNT
} ast_op;

struct ast_expr {
  expr_kind kind;
  uint32_t id;
  span at;
  uint16_t depth; /* height of this tree, 1 for a leaf */
  struct ty_info *info;
  union {
    struct {
      int64_t value;
      const char *text; /* as written; NULL in a synthesised node */
    } integer;
    struct {
      double value;
      const char *text;
    } real;
    bool boolean;
    struct {
      const char *bytes; /* escapes resolved; NUL behind, none inside */
      size_t len;
      struct symbol *level; /* in a model: the size that is its number (compiler/check_level.c); else NULL */
    } string;
    ast_name name;
    struct {
      ast_op op;
      ast_expr *arg;
    } unary;
    struct {
      ast_op op;
      ast_expr *lhs, *rhs;
      span op_at;
    } binary;
    struct {
      ast_expr *of; /* of a member: d, or d[k]; else NULL */
      ast_name fn;
      ast_args args;
    } call;
    struct {
      ast_name fn;
      ast_expr *body;
      ast_iter iter;
    } reduce;
    struct {
      ast_exprs elems;
    } array;
    struct {
      ast_expr *body;
      ast_iter iter;
    } comprehension;
    struct {
      ast_expr *base;
      ast_exprs subs; /* at least one */
    } index;
    struct {
      ast_expr *base;
      ast_name field;
    } field;
    struct {
      ast_expr *cond, *then, *else_;
    } if_;
    struct {
      ast_name var;
      ast_expr *value, *body;
    } let;
    struct {
      ast_expr *lo, *hi;
    } range;
  };
};

/* --- types --------------------------------------------------------------------------------------------------------- */

typedef enum type_kind {
  TYPE_ERROR,
  TYPE_NAMED, /* name<bounds>(args)[dims] */
  TYPE_RANGE  /* lo..hi: an integer in a range, of actions, states and observations */
} type_kind;

/* One extent.  `[N]` has size alone; a ragged type names the index of an outer extent for the inner ones:
 * `[d in 1..D, len[d]]` has var d, lo 1, size D, then size len[d]. */
typedef struct ast_dim {
  ast_name var; /* name NULL: plain */
  ast_expr *lo; /* NULL when plain */
  ast_expr *size;
  span at;
} ast_dim;

typedef struct ast_dims {
  ast_dim *items;
  size_t n, cap;
} ast_dims;

struct ast_type {
  type_kind kind;
  uint32_t id;
  span at;
  uint16_t depth;
  struct ty_info *info;
  ast_name name;   /* TYPE_NAMED: real, simplex, dist, ... */
  ast_args bounds; /* all named: lower, upper, ... */
  ast_exprs args;
  ast_expr *lo, *hi; /* TYPE_RANGE */
  ast_dims dims;     /* of both kinds */
};

/* What a parameter has to do with rows of different lengths (compiler/check_ragged.c). */
typedef enum ast_rows { ROWS_NONE, ROWS_CELLS, ROWS_LENGTHS, ROWS_ROW, ROWS_COLUMN, ROWS_START, ROWS_LONGEST, ROWS_LENGTH_OF, ROWS_START_OF } ast_rows;

typedef struct ast_param {
  ast_name name;
  ast_type *type;       /* may be NULL */
  ast_expr *default_;   /* may be NULL */
  span at;
  uint32_t id;
  ast_rows rows;
  const char *lengths;  /* all but ROWS_NONE: the array of the rows' lengths */
  ast_expr *row;        /* ROWS_LENGTH_OF, ROWS_START_OF: which row */
} ast_param;

typedef struct ast_params {
  ast_param *items;
  size_t n, cap;
} ast_params;

/* --- statements ---------------------------------------------------------------------------------------------------- */

/* What stands left of `~` or `=`: `x`, `x: T`, `x[i, j]`. */
typedef struct ast_target {
  ast_name name;
  ast_exprs subs; /* n 0: the whole variable */
  ast_type *type; /* may be NULL */
  span at;
} ast_target;

typedef struct ast_block {
  ast_stmt **items;
  size_t n, cap;
  span at; /* from `{` to `}` */
} ast_block;

typedef enum stmt_kind {
  STMT_ERROR,     /* error: its block, where one followed, was read */
  STMT_SAMPLE,    /* sample: x ~ D [for i in 1..N] */
  STMT_LET,       /* let: let x = e */
  STMT_ASSIGN,    /* assign: x = e, in schedules */
  STMT_PLATE,     /* plate */
  STMT_FOR,       /* for_ */
  STMT_IF,        /* if_ */
  STMT_TRACK,     /* track: track a, m = e */
  STMT_PREDICT,   /* predict: predict { .. }; `predict x ~ D` is a block of one */
  STMT_REPLICATE, /* replicate: predict y */
  STMT_ENERGY,    /* value */
  STMT_FACTOR,    /* value */
  STMT_RETURN,    /* value */
  STMT_COMMAND,   /* value: an EXPR_CALL; `sweep` is a call without arguments */
  STMT_ACTION,    /* variable: action a: 1..4 */
  STMT_STATE,     /* variable: state s: 1..2 every 4 start e step e */
  STMT_OBSERVE,   /* variable: observe o: 1..3 ~ D */
  STMT_PREFER,    /* prefer: prefer o = e; prefer o[t] = e */
  STMT_BELIEFS,   /* value */
  STMT_PLAN,      /* value */
  STMT_LEARN,     /* learn: learn A ~ D, rate = 1 */
  STMT_MEMBER,    /* member: logpdf(x) = e; sample() { .. }, in a dist */
  STMT_GROUP      /* group: statements that the checker has put in the place of one; never parsed */
} stmt_kind;

struct ast_stmt {
  stmt_kind kind;
  uint32_t id;
  span at;
  uint16_t depth;
  union {
    struct {
      ast_block *body; /* may be NULL */
    } error;
    struct {
      ast_target target;
      ast_expr *dist;
      ast_iter iter; /* n 0: none */
      span tilde;
    } sample;
    struct {
      ast_target target;
      ast_expr *value;
    } let;
    struct {
      ast_target target;
      ast_expr *value;
    } assign;
    struct {
      ast_iter iter;
      ast_block *body;
    } plate;
    struct {
      ast_iter iter;
      ast_expr *until; /* may be NULL */
      ast_block *body;
    } for_;
    struct {
      ast_expr *cond;
      ast_block *then;
      ast_block *else_; /* may be NULL; `else if` is a block of one `if` */
      bool chained;     /* else_ was written `else if` */
    } if_;
    struct {
      ast_args items; /* an unnamed one is a variable, an element or a field */
    } track;
    struct {
      ast_block *body;
      bool braces; /* written with braces */
    } predict;
    ast_name replicate;
    ast_expr *value;
    struct {
      ast_name name;
      ast_type *type;
      ast_expr *every, *start, *step; /* of a state; every may be NULL */
      ast_expr *dist;                 /* of an observation */
    } variable;
    struct {
      ast_target target;
      ast_expr *value;
    } prefer;
    struct {
      ast_name name;
      ast_expr *dist;
      ast_args options;
    } learn;
    struct {
      ast_name name;
      ast_params params;
      ast_expr *value; /* exactly one of value and body is not NULL */
      ast_block *body;
    } member;
    struct {
      ast_stmt *of;          /* what was written */
      ast_block *body;       /* in the scope of the group */
      struct submodel *info; /* the checker's */
    } group;
  };
};

/* --- declarations -------------------------------------------------------------------------------------------------- */

typedef enum decl_kind {
  DECL_ERROR,    /* name "", body may be NULL */
  DECL_MODEL,    /* name, params, body */
  DECL_AGENT,    /* name, params, body */
  DECL_WORLD,    /* name, params, body; owner may name its agent (`world w(..) for a {`) */
  DECL_FN,       /* name, params, type; exactly one of value and body */
  DECL_DIST,     /* name, params, type (its support), body of STMT_MEMBER */
  DECL_SCHEDULE, /* name, params; exactly one of value and body */
  DECL_IMPORT,   /* value: an EXPR_STRING, or the EXPR_NAME of a module of the library */
  DECL_RUN       /* run */
} decl_kind;

typedef enum ast_verb { VERB_INFER, VERB_ANNEAL, VERB_SIMULATE, VERB_GENERATE } ast_verb;

/* `infer m on "a.json", K = 2 given phi = 0.98 with nuts(chains = 4), save = [phi] until ess(400) as name`.  Clauses may come in
 * any order, each once. */
typedef struct ast_run {
  ast_verb verb;
  ast_name model;
  ast_name world;   /* may be absent: simulate a in w */
  ast_args on;      /* files (strings) and bindings, in order */
  ast_args given;
  ast_args with;    /* the method or schedule (unnamed, first) and options */
  ast_expr *using_; /* may be NULL: the kernel of an annealing run */
  ast_expr *until;  /* may be NULL; never left inside a clause's last expression, except in an annealing schedule */
  ast_expr *steps;  /* may be NULL: simulate a for 100 steps */
  ast_name as;      /* may be absent */
} ast_run;

struct ast_decl {
  decl_kind kind;
  uint32_t id;
  span at;
  span head; /* up to the body: what a message about the whole declaration underlines */
  uint16_t depth;
  ast_name name;
  ast_params params;
  bool has_params; /* schedules may leave the parentheses out */
  ast_name owner;
  span memo;        /* `@memo` in front of a function; file 0: none */
  ast_args memo_options;
  uint32_t memo_size; /* the checker's: how many results are kept; 0: none */
  ast_type *type;   /* may be NULL */
  ast_expr *value;  /* may be NULL */
  ast_block *body;  /* may be NULL */
  ast_run *run;     /* DECL_RUN only */
};

typedef struct ast_file {
  uint32_t file; /* in the source map */
  ast_decl **items;
  size_t n, cap;
  uint32_t ids; /* ids in use are 1..ids - 1 */
  span at;
} ast_file;

/* `+`, `not`, ... as written. */
const char *ast_op_text(ast_op op);
const char *ast_verb_text(ast_verb verb);
/* "model", "function", ... for messages. */
const char *ast_decl_noun(decl_kind kind);

static inline bool name_present(const ast_name *n) { return n->name != NULL; }
/* A name that should be there and is not; an error has been reported. */
static inline bool name_missing(const ast_name *n) { return n->name != NULL && n->name[0] == '\0'; }

/* The argument called name, or NULL. */
const ast_arg *ast_args_find(const ast_args *args, const char *name);

/* Source text with canonical spacing; parsing it gives an equal tree (ast_dump tells).  Comments are not kept. */
void ast_print(strbuf *out, const ast_file *file);
void ast_print_expr(strbuf *out, const ast_expr *e);
void ast_print_type(strbuf *out, const ast_type *t);
void ast_print_place(strbuf *out, const ast_target *t); /* `x[i, j]`, without a type */
const char *ast_expr_text(arena *a, const ast_expr *e);
/* Whether both are printed alike. */
bool ast_same_text(arena *a, const ast_expr *x, const ast_expr *y);

/* The tree as S-expressions, one declaration or statement to a line, without spans and ids. */
void ast_dump(strbuf *out, const ast_file *file);
void ast_dump_expr(strbuf *out, const ast_expr *e);

#endif
