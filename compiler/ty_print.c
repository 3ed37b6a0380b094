/* ty_print.c: types as a user would write them. */
#include "compiler/check_state.h"

#include "lang/render.h"

static void put_dims(check_state *st, strbuf *b, const ty_info *t, unsigned from, unsigned to) {
  if (from >= to) return;
  strbuf_putc(b, '[');
  for (unsigned k = from; k < to; k++) {
    if (k > from) strbuf_puts(b, ", ");
    strbuf_puts(b, size_text(st, t->dim[k]));
  }
  strbuf_putc(b, ']');
}

static void put_bounds(strbuf *b, const ty_info *t) {
  if (!t->lo && !t->hi) return;
  strbuf_puts(b, "<");
  if (t->lo) strbuf_puts(b, "lower = "), ast_print_expr(b, t->lo);
  if (t->hi) strbuf_puts(b, t->lo ? ", upper = " : "upper = "), ast_print_expr(b, t->hi);
  strbuf_puts(b, ">");
}

const char *support_text(const ty_info *t) {
  switch ((ir_support)t->support) {
  case IR_SUP_SIMPLEX: return "simplex";
  case IR_SUP_ORDERED: return "ordered";
  case IR_SUP_UNIT_VECTOR: return "unit_vector";
  case IR_SUP_SUM_TO_ZERO: return "sum_to_zero";
  case IR_SUP_COV: return "cov";
  case IR_SUP_CORR: return "corr";
  case IR_SUP_CHOLESKY_COV: return "cholesky_cov";
  case IR_SUP_CHOLESKY_CORR: return "cholesky_corr";
  default: return NULL;
  }
}

static const char *print(check_program *p, const ty_info *t, bool full) {
  check_state *st = p->state;
  strbuf b;
  strbuf_init(&b, p->mem);
  const char *support = support_text(t);
  unsigned rank = t->rank;
  switch ((ty_kind)t->kind) {
  case TY_ERROR: return "?";
  case TY_STRING: return "a text";
  case TY_RECORD: return "a record";
  case TY_NONE: return "nothing";
  case TY_DIST: strbuf_puts(&b, "dist"); break;
  case TY_REAL:
    if (support && t->event_rank <= t->rank && t->event_rank > 0) {
      rank -= t->event_rank;
      strbuf_printf(&b, "%s(%s)", support, size_text(st, t->dim[rank]));
    } else strbuf_puts(&b, "real");
    if (full) put_bounds(&b, t);
    break;
  case TY_INT:
    if (t->spin) strbuf_puts(&b, "spin");
    else if (t->support == IR_SUP_FINITE && t->count != IR_SIZE_NONE) strbuf_printf(&b, "index(%s)", size_text(st, t->count));
    else {
      strbuf_puts(&b, "int");
      if (full) put_bounds(&b, t);
    }
    break;
  case TY_BOOL: strbuf_puts(&b, "bool"); break;
  }
  put_dims(st, &b, t, 0, rank);
  return b.s;
}

const char *ty_print(check_program *p, const ty_info *t) { return print(p, t, false); }
const char *ty_print_full(check_program *p, const ty_info *t) { return print(p, t, true); }

/* Of a declared bound and the distribution's the one that holds back more; the declared one where that cannot be told. */
static ast_expr *narrower(ast_expr *declared, ast_expr *drawn, bool lower) {
  double a, b;
  if (!declared || !drawn) return declared ? declared : drawn;
  if (!const_of_expr(declared, &a) || !const_of_expr(drawn, &b)) return declared;
  return (lower ? b > a : b < a) ? drawn : declared;
}

const char *check_site_print(check_program *p, const check_site *s) {
  ty_info t = *s->type;
  const ty_info *e = s->event;
  if (e && e->kind == t.kind && e->rank <= t.rank && !support_text(&t)) {
    if (t.support == IR_SUP_REAL || t.support == IR_SUP_INT) {
      t.support = e->support;
      t.event_rank = e->rank;
    }
    t.lo = narrower(t.lo, e->lo, true);
    t.hi = narrower(t.hi, e->hi, false);
  }
  return print(p, &t, true);
}
