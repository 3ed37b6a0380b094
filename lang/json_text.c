/* json_text.c: texts in JSON that AIM writes. */
#include "lang/json_text.h"

#include "lang/source.h"

#include <string.h>

void json_put_text(strbuf *out, const char *s) {
  size_t n = strlen(s);
  strbuf_putc(out, '"');
  while (n) {
    uint32_t cp;
    int k = utf8_decode(s, n, &cp);
    if (k == 0) strbuf_puts(out, "\\ufffd");
    else if (cp == '"' || cp == '\\') strbuf_printf(out, "\\%c", (char)cp);
    else if (cp < 0x20 || cp == 0x7f) strbuf_printf(out, "\\u%04x", (unsigned)cp);
    else strbuf_put(out, s, (size_t)k);
    s += k ? k : 1;
    n -= (size_t)(k ? k : 1);
  }
  strbuf_putc(out, '"');
}
