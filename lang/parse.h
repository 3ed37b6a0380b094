/* parse.h: text -> tree. */
#ifndef AIM_LANG_PARSE_H
#define AIM_LANG_PARSE_H

#include "lang/ast.h"
#include "lang/diag.h"

/* Parses one file of the map.  Always returns a tree; it has errors exactly when diags->errors grew.  Statements that a
 * body does not admit (an assignment in a model) are reported here too, so later phases see each statement in its place
 * or are not run.  The tree, names and diagnostics live in a, the table and the list, which must not be shorter-lived
 * than the tree.  Time is linear in the size of the text. */
ast_file *parse_file(arena *a, intern_table *names, const source_map *m, int file, diag_list *diags);

/* Parses a file of the map that holds one expression and nothing else: an option's value from a command line.  NULL after an
 * error. */
ast_expr *parse_expr(arena *a, intern_table *names, const source_map *m, int file, diag_list *diags);

#endif
