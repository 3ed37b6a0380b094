/* syntax_error.h: what syntax_error.c and syntax_habit.c share. */
#ifndef AIM_LANG_SYNTAX_ERROR_H
#define AIM_LANG_SYNTAX_ERROR_H

#include "lang/build.h"

/* The source from a token on. */
const char *syntax_text(const parser *p, token t);
bool syntax_spelled(const parser *p, token t, const char *s);
/* The first word of the statement that t stands in; t itself where it is the first. */
token syntax_first_word(const parser *p, token t);
diag *syntax_report(parser *p, token t, const char *code, const char *message);
/* The same with a help; true. */
bool syntax_slip(parser *p, token t, const char *code, const char *message, const char *help, ...) __attribute__((format(printf, 5, 6)));

/* Reports t if it is one of the slips of other languages. */
bool syntax_habit(parser *p, token t);

#endif
