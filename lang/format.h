/* format.h: source text as `aimc fmt` lays it out. */
#ifndef AIM_LANG_FORMAT_H
#define AIM_LANG_FORMAT_H

#include "lang/diag.h"
#include "lang/intern.h"

/* Writes a file of the map, which has parsed without an error, with canonical spaces and indentation.  Its line breaks, comments and
 * groups of lines are the author's and stay; so do columns that the author aligned over neighbouring lines.  Formatting what
 * was formatted changes nothing, and the result parses to an equal tree (ast_dump tells).  Allocates from names' and out's arenas. */
void format_source(strbuf *out, intern_table *names, const source_map *m, int file);

#endif
