/* ast_copy.h: copies of trees, with names and expressions replaced on the way.
 *
 * A copy is as the parser would have made it: nothing in it is checked, every node is its own, places are those of the original.  It is how
 * the checker makes a declaration out of another one that leaves something open. */
#ifndef AIM_LANG_AST_COPY_H
#define AIM_LANG_AST_COPY_H

#include "lang/ast.h"

typedef struct ast_copier ast_copier;
struct ast_copier {
  arena *mem;
  void *user;
  /* Each may be NULL.  Asked about every expression, type and name of a value (declared or used) before it is copied; the answer, which
   * is not copied again, takes its place.  NULL: copy it. */
  ast_expr *(*expr)(ast_copier *c, const ast_expr *e);
  ast_type *(*type)(ast_copier *c, const ast_type *t);
  const char *(*name)(ast_copier *c, const char *name);
  /* What a `~` or `let` defines, its type included.  False: copy it. */
  bool (*target)(ast_copier *c, const ast_target *t, ast_target *out);
};

/* NULL for NULL, all of them. */
ast_expr *ast_copy_expr(ast_copier *c, const ast_expr *e);
ast_args ast_copy_args(ast_copier *c, const ast_args *a);
ast_exprs ast_copy_exprs(ast_copier *c, const ast_exprs *l);
ast_type *ast_copy_type(ast_copier *c, const ast_type *t);
/* Statements of models, functions and distributions; those of schedules and agents are shared with the original.  Of a group, what was
 * written. */
ast_stmt *ast_copy_stmt(ast_copier *c, const ast_stmt *s);
ast_block *ast_copy_block(ast_copier *c, const ast_block *b);

/* Nodes that no source has, placed at `at`. */
ast_expr *ast_new_expr(arena *mem, expr_kind kind, span at);
ast_expr *ast_new_name(arena *mem, const char *name, span at);
ast_expr *ast_new_int(arena *mem, int64_t value, span at);
/* fn(), of the language itself whatever a program calls so; arguments are added. */
ast_expr *ast_new_call(arena *mem, const char *fn, span at);
/* The depth of what has two trees of these depths below it. */
static inline uint16_t ast_above(uint16_t a, uint16_t b) { return (uint16_t)(1 + (a > b ? a : b)); }
/* `if cond { then_ } else { else_ }`, at then_. */
ast_expr *ast_new_if(arena *mem, ast_expr *cond, ast_expr *then_, ast_expr *else_);
void ast_add_arg(arena *mem, ast_expr *call, ast_expr *value);

#endif
