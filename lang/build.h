/* build.h: what the grammar's actions call.  Internal to lang/.
 *
 * Every function takes the parser first and returns arena memory.  Lists are built by *_add, which takes NULL for the empty
 * list.  A tree that would grow higher than AST_MAX_DEPTH is reported once and becomes an error node. */
#ifndef AIM_LANG_BUILD_H
#define AIM_LANG_BUILD_H

#include "lang/lex.h"
#include "lang/parse.h"

typedef struct parser {
  arena *a;
  intern_table *names;
  const source_map *map;
  uint32_t file;
  diag_list *diags;
  tokens tokens;
  void *engine; /* Lemon's */
  uint32_t ids;
  bool too_high;    /* reported */
  ast_file *root;
  ast_expr *root_expr;
  /* The statement being read, for messages and recovery. */
  token before;       /* the token fed last; kind -1 at the start */
  token words[4];     /* its first tokens */
  token joint;        /* what ended one of its lines and so continued it; len 0: nothing outside brackets did */
  int nwords;         /* how many, however many there are */
  size_t reported;    /* errors known when it began: one more, and further ones in it are cascades */
  bool unbraced;      /* a block as in Python has been reported, and indented lines at the top are its statements */
  bool binds;         /* a `~` or `=` has passed outside brackets, or it started with `let` and the like */
} parser;

/* grammar.y */
void *grammar_new(arena *a);
void grammar_feed(void *engine, int kind, token t, parser *p);
/* Whether the grammar could take this terminal now; the stack is not changed.  strict: a keyword counts as itself only. */
bool grammar_accepts(void *engine, int kind, bool strict);
/* Drops what was begun until an erroneous statement can stand there, followed by `next`; false when nothing fits. */
bool grammar_recover(void *engine, int next, token t, parser *p);
/* Whether the stack is near its end. */
bool grammar_full(const void *engine);
enum { GRAMMAR_TERMINALS = 96 }; /* more than there are */

/* syntax_error.c: reports that token t cannot stand here. */
void syntax_error(parser *p, token t);
/* The `{` has no `}`: the file ended, or t starts a declaration. */
void syntax_missing_brace(parser *p, token t, span open);
/* placement.c: statements that their body does not admit. */
void placement_check(parser *p, ast_file *f);

span build_span(const parser *p, token t);
span build_join(const parser *p, token a, token b);
ast_name build_name(const parser *p, token t);

ast_expr *build_error(parser *p, span at);
ast_expr *build_int(parser *p, token t);
ast_expr *build_real(parser *p, token t);
ast_expr *build_bool(parser *p, token t, bool value);
ast_expr *build_string(parser *p, token t);
ast_expr *build_name_expr(parser *p, token t);
ast_expr *build_prefix(parser *p, ast_op op, token t, ast_expr *arg);
ast_expr *build_transpose(parser *p, ast_expr *arg, token t);
ast_expr *build_binary(parser *p, ast_op op, ast_expr *lhs, token t, ast_expr *rhs);
ast_expr *build_call(parser *p, token fn, ast_args *args, token close);
ast_expr *build_member_call(parser *p, ast_expr *of, token fn, ast_args *args, token close);
ast_expr *build_reduce(parser *p, token fn, ast_expr *body, ast_iter *iter, token close);
ast_expr *build_array(parser *p, token open, ast_exprs *elems, token close);
ast_expr *build_comprehension(parser *p, token open, ast_expr *body, ast_iter *iter, token close);
ast_expr *build_index(parser *p, ast_expr *base, ast_exprs *subs, token close);
ast_expr *build_field(parser *p, ast_expr *base, token name);
ast_expr *build_if_expr(parser *p, token if_, ast_expr *cond, ast_expr *then, ast_expr *else_, span end);
ast_expr *build_let_expr(parser *p, token let, token var, ast_expr *value, ast_expr *body);
ast_expr *build_range_expr(parser *p, ast_expr *lo, ast_expr *hi);
ast_expr *build_all(parser *p, token colon);
/* (e): the same node, its span with the parentheses. */
ast_expr *build_parens(parser *p, token open, ast_expr *e, token close);

ast_exprs *build_exprs_add(parser *p, ast_exprs *list, ast_expr *e);
ast_arg *build_arg(parser *p, const token *name, ast_expr *value);
ast_args *build_args_add(parser *p, ast_args *list, ast_arg *arg);

ast_range *build_range(parser *p, token var, ast_expr *lo, ast_expr *hi, ast_expr *by);
ast_range *build_over(parser *p, token var, ast_expr *over);
ast_iter *build_iter_add(parser *p, ast_iter *iter, ast_range *r);
ast_iter *build_iter_if(parser *p, ast_iter *iter, ast_expr *cond);

ast_type *build_type(parser *p, token name, ast_args *bounds, ast_exprs *args, ast_dims *dims, span end);
ast_type *build_type_range(parser *p, ast_expr *lo, ast_expr *hi);
ast_dim *build_dim(parser *p, const token *var, ast_expr *lo, ast_expr *size);
ast_dims *build_dims_add(parser *p, ast_dims *list, ast_dim *d);
ast_param *build_param(parser *p, token name, ast_type *type, ast_expr *default_);
ast_params *build_params_add(parser *p, ast_params *list, ast_param *param);

ast_target *build_target(parser *p, token name, ast_exprs *subs, ast_type *type, span end);

ast_block *build_block(parser *p, token open, ast_block *list, token close);
ast_block *build_block_add(parser *p, ast_block *list, ast_stmt *s);
ast_stmt *build_bad_stmt(parser *p, token t, ast_block *body);
ast_stmt *build_bad_else(parser *p, ast_stmt *bad, ast_block *more);
ast_stmt *build_sample(parser *p, ast_target *target, token tilde, ast_expr *dist, ast_iter *iter);
ast_stmt *build_let(parser *p, token let, ast_target *target, ast_expr *value);
ast_stmt *build_assign(parser *p, ast_target *target, ast_expr *value);
ast_stmt *build_plate(parser *p, token plate, ast_iter *iter, ast_block *body);
ast_stmt *build_for(parser *p, token for_, ast_iter *iter, ast_expr *until, ast_block *body);
ast_stmt *build_if(parser *p, token if_, ast_expr *cond, ast_block *then, ast_block *else_);
ast_stmt *build_else_if(parser *p, token if_, ast_expr *cond, ast_block *then, ast_stmt *chained);
ast_stmt *build_track(parser *p, token track, ast_args *items);
ast_stmt *build_predict(parser *p, token predict, ast_block *body);
ast_stmt *build_predict_one(parser *p, token predict, ast_stmt *sample);
ast_stmt *build_replicate(parser *p, token predict, token name);
ast_stmt *build_value_stmt(parser *p, stmt_kind kind, token keyword, ast_expr *value);
ast_stmt *build_command(parser *p, token name, ast_args *args, const token *close);
ast_stmt *build_action(parser *p, token keyword, token name, ast_type *type);
typedef enum state_clause { CLAUSE_EVERY, CLAUSE_START, CLAUSE_STEP } state_clause;
ast_stmt *build_state(parser *p, token keyword, token name, ast_type *type);
ast_stmt *build_state_clause(parser *p, ast_stmt *state, state_clause clause, token keyword, ast_expr *value);
ast_stmt *build_state_end(parser *p, ast_stmt *state);
ast_stmt *build_observe(parser *p, token keyword, token name, ast_type *type, ast_expr *dist);
ast_stmt *build_prefer(parser *p, token keyword, ast_target *target, ast_expr *value);
ast_stmt *build_learn(parser *p, token keyword, token name, ast_expr *dist, ast_args *options);
ast_stmt *build_member(parser *p, token name, ast_args *args, ast_expr *value, ast_block *body);

ast_decl *build_bad_decl(parser *p, token t, ast_block *body);
/* A declaration from its keyword to its parameters; the rest is set by the grammar through build_decl_end. */
ast_decl *build_decl(parser *p, decl_kind kind, token keyword, token name, ast_params *params, bool has_params, token end);
ast_decl *build_decl_end(parser *p, ast_decl *d, ast_type *type, ast_expr *value, ast_block *body);
ast_decl *build_memo(parser *p, token keyword, ast_args *options, ast_decl *fn);
ast_decl *build_import(parser *p, token keyword, token what);
ast_decl *build_run(parser *p, ast_verb verb, token keyword, token model);
ast_decl *build_run_list(parser *p, ast_decl *run, token keyword, ast_args *list);
ast_decl *build_run_expr(parser *p, ast_decl *run, token keyword, ast_expr *value);
ast_decl *build_run_name(parser *p, ast_decl *run, token keyword, token name);
ast_decl *build_run_end(parser *p, ast_decl *run);
void build_file_add(parser *p, ast_decl *d);

#endif
