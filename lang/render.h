/* render.h: diagnostics as text for a terminal. */
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

#endif
