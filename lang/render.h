/* render.h: diagnostics as text for a terminal, and as JSON. */
#ifndef AIM_LANG_RENDER_H
#define AIM_LANG_RENDER_H

#include "lang/diag.h"

typedef struct render_options {
  bool colour;    /* ANSI escapes; they never change the text between them */
  unsigned width; /* columns of source shown; longer lines are cut around the carets.  0: 100 */
} render_options;

/* Appends one diagnostic, with a blank line behind it. */
void render_diag(strbuf *out, source_map *m, const diag *d, const render_options *o);
/* All of them in order, then a line on how many more there were, if any. */
void render_list(strbuf *out, source_map *m, const diag_list *list, const render_options *o);

/* The same as JSON, an object on a line for each: severity, code, message, file, line, column, end_line, end_column (from 1, as a
 * terminal shows them; the end is behind the last), offset, length (bytes), label, related (other places with their labels), notes, help.
 * A message without a place has no members from file to length. */
void render_json(strbuf *out, source_map *m, const diag *d);
void render_json_list(strbuf *out, source_map *m, const diag_list *list);

#endif
