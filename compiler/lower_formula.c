/* lower_formula.c: what a coordinate on a standard variate means, in the words of the program.
 *
 * A distribution says x as an expression of z and its parameters, `mu + sigma * z`; the site says what the parameters are.  The text of
 * the one with the texts of the other in place of the names is what people are shown. */
#include "compiler/lower_internal.h"

#include <string.h>

enum { LONGEST = 60 };

static bool name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* Binds tighter than any operator around it. */
static bool is_atom(const ast_expr *e) {
  return e->kind == EXPR_NAME || e->kind == EXPR_INT || e->kind == EXPR_REAL || e->kind == EXPR_INDEX || e->kind == EXPR_CALL || e->kind == EXPR_ARRAY;
}

static void put_argument(strbuf *out, const ast_expr *e) {
  if (!is_atom(e)) strbuf_putc(out, '(');
  ast_print_expr(out, e);
  if (!is_atom(e)) strbuf_putc(out, ')');
}

const char *lower_formula(lower *l, const check_dist *d, const check_call *call) {
  const ast_stmt *s = d->from_standard;
  if (!s || !s->member.value) return NULL;
  strbuf own, out;
  strbuf_init(&own, l->mem);
  strbuf_init(&out, l->mem);
  ast_print_expr(&own, s->member.value);
  for (const char *p = own.s; *p && out.n <= LONGEST;) {
    size_t n = 0;
    while (name_byte(p[n])) n++;
    size_t k = 0;
    while (n && k < d->nparams && (strlen(d->params[k]->name) != n || memcmp(d->params[k]->name, p, n) != 0)) k++;
    if (n && k < d->nparams) put_argument(&out, call->args[k]);
    else strbuf_put(&out, p, n ? n : 1);
    p += n ? n : 1;
  }
  return out.n > LONGEST || memchr(out.s, '\n', out.n) ? NULL : out.s;
}
