/* summary.c: the table at the end of a run. */
#include "vm/summary.h"

#include "lang/source.h"
#include "vm/diagnose.h"
#include "vm/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { N_FIGURES = 9 };
static const char *const titles[N_FIGURES] = {"Mean", "MCSE", "StdDev", "5%", "50%", "95%", "ESS_bulk", "ESS_tail", "R_hat"};

static const double *figures(const summary_row *r, double out[N_FIGURES]) {
  const double all[N_FIGURES] = {r->mean, r->mcse, r->sd, r->q5, r->q50, r->q95, r->ess_bulk, r->ess_tail, r->rhat};
  return memcpy(out, all, sizeof all);
}

summary_row *summary_compute(const draws *d, arena *a, size_t *n) {
  size_t rows = draws_count(d, 0), chains = (size_t)draws_chains(d);
  for (int c = 1; c < draws_chains(d); c++)
    if (draws_count(d, c) < rows) rows = draws_count(d, c);
  *n = draws_columns(d);
  summary_row *out = ARENA_ARRAY(a, summary_row, *n);
  size_t doubles = diagnose_doubles(chains, rows);
  double *work = ARENA_ARRAY(a, double, doubles ? doubles : (rows ? (size_t)-1 : 1));
  double *series = draws_shared(d) ? ARENA_ARRAY(a, double, alloc_bytes(chains, rows)) : NULL;
  for (size_t k = 0; k < *n; k++) {
    diagnose_draws x = {series, chains, rows, rows, 1};
    if (series) for (size_t c = 0; c < chains; c++) draws_series(d, (int)c, k, rows, series + c * rows);
    else x = (diagnose_draws){draws_of(d, 0, k), chains, rows, draws_chain_stride(d), 1};
    diagnose_summary s;
    diagnose_summarise(&x, work, &s);
    out[k] = (summary_row){k, s.mean, s.mcse_mean, s.sd, s.q5, s.median, s.q95, s.ess_bulk, s.ess_tail, s.rhat};
    /* A point and no sample: its value is all there is to say. */
    if (chains == 1 && rows == 1) out[k].mean = x.x[0];
  }
  return out;
}

void summary_weigh(summary_row *rows, size_t n, const draws *d, const weighted_moments *m, double ess) {
  double drawn = (double)draws_count(d, 0);
  for (size_t k = 0; k < n; k++) {
    summary_row *r = &rows[k];
    const weighted_moments *x = &m[draws_place_of(d, r->column)];
    bool known = x->mcse > 1e-12 * fabs(x->mean);
    r->mean = x->mean;
    r->sd = known || isnan(x->sd) ? x->sd : 0.0;
    r->mcse = known ? x->mcse : NAN;
    r->ess_bulk = known ? ess : NAN;
    r->ess_tail = known ? fmin(ess, drawn) : NAN;
    r->rhat = NAN;
  }
}

/* Power of ten of the first digit of x > 0. */
static int magnitude(double x) { return (int)floor(log10(x)); }

/* Figure i of a row as text; "-" when it is undefined. */
static void figure_text(char out[NUMBER_TEXT_SIZE], const summary_row *r, int i) {
  double f[N_FIGURES];
  double x = figures(r, f)[i];
  if (isnan(x)) {
    strcpy(out, "-");
    return;
  }
  if (i == 6 || i == 7) {
    number_text_fixed(out, x, 0);
    return;
  }
  if (i == 8) {
    number_text_fixed(out, x, 3);
    return;
  }
  /* Without an MCSE (a constant) four digits of the number itself. */
  bool known = r->mcse > 0 && isfinite(r->mcse);
  int decimals = known ? 1 - magnitude(r->mcse) : x != 0 && isfinite(x) ? 3 - magnitude(fabs(x)) : 0;
  if (isnan(r->sd)) decimals += 2; /* a point has no spread to be rounded to */
  if (decimals <= 8) {
    number_text_fixed(out, x, decimals);
    return;
  }
  /* Very small numbers: as many significant digits, in e notation through the shortest text of the rounded value. */
  double scale = pow(10, decimals > 300 ? 300 : decimals);
  number_text(out, nearbyint(x * scale) / scale);
}

static size_t display_width(const char *s) {
  size_t width = 0, n = strlen(s);
  while (n) {
    uint32_t cp;
    int k = utf8_decode(s, n, &cp);
    width += k ? (size_t)utf8_width(cp) : 1;
    s += k ? k : 1;
    n -= (size_t)(k ? k : 1);
  }
  return width;
}

static char *name_of(const draws *d, size_t column, arena *a) {
  size_t n = draws_name(d, column, NULL, 0);
  char *s = arena_alloc(a, n + 1, 1);
  draws_name(d, column, s, n + 1);
  return s;
}

static void pad(strbuf *b, size_t n) {
  while (n--) strbuf_putc(b, ' ');
}

void summary_text(strbuf *out, const draws *d, const summary_row *rows, size_t n, size_t max_rows, const char *where) {
  size_t shown = max_rows && max_rows < n ? max_rows : n;
  size_t name_width = 0, width[N_FIGURES];
  const bool point = draws_chains(d) == 1 && draws_count(d, 0) == 1;
  const int figures_shown = point ? 1 : N_FIGURES;
  bool undefined = false;
  char text[NUMBER_TEXT_SIZE];
  for (int i = 0; i < figures_shown; i++) width[i] = strlen(point ? "Value" : titles[i]);
  for (size_t k = 0; k < shown; k++) {
    size_t w = display_width(name_of(d, rows[k].column, out->a));
    if (w > name_width) name_width = w;
    for (int i = 0; i < figures_shown; i++) {
      figure_text(text, &rows[k], i);
      /* Of independent draws R-hat is not asked. */
      undefined |= strcmp(text, "-") == 0 && (i != 8 || isnan(rows[k].ess_bulk));
      if (strlen(text) > width[i]) width[i] = strlen(text);
    }
  }
  pad(out, name_width);
  for (int i = 0; i < figures_shown; i++) {
    const char *title = point ? "Value" : titles[i];
    pad(out, 2 + width[i] - strlen(title));
    strbuf_puts(out, title);
  }
  strbuf_putc(out, '\n');
  for (size_t k = 0; k < shown; k++) {
    const char *name = name_of(d, rows[k].column, out->a);
    strbuf_puts(out, name);
    pad(out, name_width - display_width(name));
    for (int i = 0; i < figures_shown; i++) {
      figure_text(text, &rows[k], i);
      pad(out, 2 + width[i] - strlen(text));
      strbuf_puts(out, text);
    }
    strbuf_putc(out, '\n');
  }
  if (shown < n) {
    strbuf_printf(out, "... and %zu more row%s", n - shown, n - shown == 1 ? "" : "s");
    if (where) strbuf_printf(out, " (all in %s)", where);
    strbuf_putc(out, '\n');
  }
  if (undefined) strbuf_puts(out, "- is not defined: the draws are constant, too few, or not finite\n");
}

void summary_tsv(strbuf *out, const draws *d, const summary_row *rows, size_t n) {
  strbuf_puts(out, "name\tmean\tmcse\tsd\tq5\tq50\tq95\tess_bulk\tess_tail\trhat\n");
  for (size_t k = 0; k < n; k++) {
    const char *name = name_of(d, rows[k].column, out->a);
    strbuf_puts(out, name);
    double f[N_FIGURES];
    figures(&rows[k], f);
    for (int i = 0; i < N_FIGURES; i++) {
      char text[NUMBER_TEXT_SIZE];
      number_text(text, f[i]);
      strbuf_printf(out, "\t%s", text);
    }
    strbuf_putc(out, '\n');
  }
}
