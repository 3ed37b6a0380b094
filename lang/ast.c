/* ast.c: words for operators, verbs and declarations. */
#include "lang/ast.h"

#include <string.h>

const char *ast_op_text(ast_op op) {
  static const char *const text[OP_COUNT] = {
      [OP_NEG] = "-",  [OP_NOT] = "not",       [OP_TRANSPOSE] = "'", [OP_OR] = "or",   [OP_AND] = "and",
      [OP_LT] = "<",   [OP_GT] = ">",          [OP_LE] = "<=",       [OP_GE] = ">=",   [OP_EQ] = "==",
      [OP_NE] = "!=",  [OP_ADD] = "+",         [OP_SUB] = "-",       [OP_MUL] = "*",   [OP_DIV] = "/",
      [OP_FLOORDIV] = "//", [OP_MOD] = "%",    [OP_MATMUL] = "@",    [OP_POW] = "^",   [OP_THEN] = "then",
      [OP_UNTIL] = "until", [OP_REPEAT] = "repeat", [OP_ARROW] = "->"};
  return text[op];
}

const char *ast_verb_text(ast_verb verb) {
  static const char *const text[] = {"infer", "anneal", "simulate", "generate"};
  return text[verb];
}

const char *ast_decl_noun(decl_kind kind) {
  static const char *const text[] = {"declaration", "model", "agent", "world", "function", "distribution", "schedule", "import", "statement"};
  return text[kind];
}

const ast_arg *ast_args_find(const ast_args *args, const char *name) {
  for (size_t i = 0; i < args->n; i++)
    if (args->items[i].name.name && strcmp(args->items[i].name.name, name) == 0) return &args->items[i];
  return NULL;
}
