/* json_text.h: texts in JSON that AIM writes. */
#ifndef AIM_LANG_JSON_TEXT_H
#define AIM_LANG_JSON_TEXT_H

#include "lang/arena.h"

/* Appends s as a JSON string, quotes included.  Bytes that are not UTF-8 become U+FFFD. */
void json_put_text(strbuf *out, const char *s);

#endif
