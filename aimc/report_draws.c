/* report_draws.c: unknowns and tracked quantities of a run: the density of each column, and where chains are to agree, its trace and the
 * ranks of its draws (Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021, section 4.2). */
#include "aimc/report.h"

#include "aimc/chart.h"

#include <math.h>
#include <string.h>

enum { RANK_BINS = 20, MOST_MARKS = 200 };

static const char *const colour[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
static const char *colour_of(int chain) { return colour[chain % 8]; }

/* One column: its draws chain by chain, finite or not, and the finite ones in r->pool, ascending. */
typedef struct column {
  const char *name;
  size_t quantity, cell, n; /* n: finite draws */
  bool discrete;
} column;

static int shown_chains(const report *r) { return r->chains < REPORT_CHAINS ? r->chains : REPORT_CHAINS; }

static const char *label(const report *r, const char *what, const char *name) { return arena_printf(r->mem, "%s of %s", what, name); }

/* A histogram of all draws, as a density, with the outline of each chain.  Tails of half a percent are cut off; integers have bins around them. */
static void put_density(report *r, const column *c) {
  double low = r->pool[0].value, high = r->pool[c->n - 1].value, width, left;
  size_t bins = REPORT_BINS;
  if (c->discrete) {
    width = ceil((high - low + 1) / REPORT_BINS);
    bins = (size_t)((high - low) / width) + 1;
    left = low - 0.5;
  } else {
    low = report_quantile(r, c->n, 0.005), high = report_quantile(r, c->n, 0.995);
    double margin = low < high ? 0.05 * (high - low) : low == 0 ? 1 : fabs(low) * 0.5;
    left = low - margin;
    width = (high - low + 2 * margin) / REPORT_BINS;
  }
  int chains = r->markov ? shown_chains(r) : 0;
  double *all = ARENA_ARRAY(r->mem, double, bins), *own = ARENA_ARRAY(r->mem, double, bins * (size_t)(chains + 1)), top = 0;
  for (size_t i = 0; i < c->n; i++) {
    double k = floor((r->pool[i].value - left) / width);
    if (!(k >= 0 && k < (double)bins)) continue;
    all[(size_t)k] += 1 / ((double)c->n * width);
    int chain = r->pool[i].chain;
    if (chain < chains) own[(size_t)chain * bins + (size_t)k] += 1 / ((double)aim_draw_count(r->t, chain) * width);
  }
  for (size_t k = 0; k < bins; k++) {
    if (all[k] > top) top = all[k];
    for (int j = 0; j < chains; j++)
      if (own[(size_t)j * bins + k] > top) top = own[(size_t)j * bins + k];
  }
  chart g = chart_open(r->b, label(r, "density", c->name), 330, 150, (double[]){left, left + width * (double)bins}, (double[]){0, top}, false);
  chart_steps(&g, "all", left, width, all, bins, true);
  for (int j = 0; j < chains; j++) chart_steps(&g, colour_of(j), left, width, own + (size_t)j * bins, bins, false);
  chart_close(&g);
}

/* All draws of a short chain; of a long one the least and the greatest of each stretch, in the order in which they came. */
static void put_trace_of(const chart *g, const double *x, size_t n, int chain) {
  if (n <= REPORT_POINTS) {
    chart_line(g, colour_of(chain), NULL, x, n);
    return;
  }
  double at[REPORT_POINTS], y[REPORT_POINTS];
  size_t points = 0, stretches = REPORT_POINTS / 2;
  for (size_t k = 0; k < stretches; k++) {
    size_t from = k * n / stretches, to = (k + 1) * n / stretches, least = from, most = from;
    for (size_t i = from; i < to; i++) {
      if (x[i] < x[least]) least = i;
      if (x[i] > x[most]) most = i;
    }
    size_t first = least < most ? least : most, second = least < most ? most : least;
    at[points] = (double)(first + 1), y[points++] = x[first];
    at[points] = (double)(second + 1), y[points++] = x[second];
  }
  chart_line(g, colour_of(chain), at, y, points);
}

static void put_divergences(report *r, const chart *g) {
  size_t marks = 0;
  for (int c = 0; c < shown_chains(r); c++) {
    const double *d = aim_stats(r->t, c, AIM_STAT_DIVERGENT);
    for (size_t i = 0; i < aim_draw_count(r->t, c) && marks < MOST_MARKS; i++)
      if (d[i] != 0) chart_tick(g, "divergent", (double)(i + 1)), marks++;
  }
}

static void put_trace(report *r, const column *c) {
  size_t longest = 0;
  for (int j = 0; j < r->chains; j++)
    if (aim_draw_count(r->t, j) > longest) longest = aim_draw_count(r->t, j);
  chart g = chart_open(r->b, label(r, "trace", c->name), 430, 150, (double[]){1, (double)longest}, (double[]){r->pool[0].value, r->pool[c->n - 1].value}, true);
  for (int j = 0; j < shown_chains(r); j++) {
    const double *x = aim_draws(r->t, j, c->quantity, c->cell);
    if (x) put_trace_of(&g, x, aim_draw_count(r->t, j), j);
  }
  if (r->t->plan.method == PLAN_NUTS) put_divergences(r, &g);
  chart_close(&g);
}

/* Ranks of each chain's draws among all, 1 where every rank is as frequent as it should be.  Equal draws share their ranks evenly, so the
 * expectation is the same for discrete quantities. */
static void put_ranks(report *r, const column *c) {
  const int chains = shown_chains(r);
  double *h = ARENA_ARRAY(r->mem, double, (size_t)chains * RANK_BINS), top = 2;
  const double bin = (double)c->n / RANK_BINS;
  for (size_t i = 0, end; i < c->n; i = end) {
    for (end = i + 1; end < c->n && !(r->pool[i].value < r->pool[end].value); end++) {}
    for (int k = (int)((double)i / bin); k < RANK_BINS && bin * k < (double)end; k++) {
      double from = fmax(bin * k, (double)i), to = fmin(bin * (k + 1), (double)end), share = (to - from) / (double)(end - i);
      for (size_t m = i; m < end && share > 0; m++) {
        int chain = r->pool[m].chain;
        if (chain < chains) h[chain * RANK_BINS + k] += share * RANK_BINS / (double)aim_draw_count(r->t, chain);
      }
    }
  }
  for (int k = 0; k < chains * RANK_BINS; k++)
    if (h[k] > top) top = h[k];
  chart g = chart_open(r->b, label(r, "ranks", c->name), 280, 150, (double[]){0, (double)c->n}, (double[]){0, top}, false);
  chart_segment(&g, "expected", 0, 1, (double)c->n, 1);
  for (int j = 0; j < chains; j++) chart_steps(&g, colour_of(j), 0, bin, h + j * RANK_BINS, RANK_BINS, false);
  chart_close(&g);
}

static void put_column(report *r, size_t quantity, size_t cell, bool discrete) {
  column c = {report_name(r, quantity, cell), quantity, cell, report_pool(r, quantity, cell), discrete};
  strbuf_puts(r->b, "<h3>");
  html_put_text(r->b, c.name);
  strbuf_puts(r->b, "</h3>\n");
  if (c.n < r->draws) strbuf_printf(r->b, "<p class=\"note\">%zu of %zu draws are not finite and not drawn.</p>\n", r->draws - c.n, r->draws);
  if (c.n == 0) return;
  if (c.n == 1 || !(r->pool[0].value < r->pool[c.n - 1].value)) {
    strbuf_printf(r->b, "<p class=\"note\">Always %.6g.</p>\n", r->pool[0].value);
    return;
  }
  strbuf_puts(r->b, "<div class=\"row\">");
  put_density(r, &c);
  if (r->markov) {
    put_trace(r, &c);
    put_ranks(r, &c);
  }
  strbuf_puts(r->b, "</div>\n");
}

void report_intervals(report *r, size_t quantity, const double *observed) {
  aim_quantity q;
  aim_quantity_get(r->t, quantity, &q);
  size_t shown = q.cells < REPORT_CELLS ? q.cells : REPORT_CELLS;
  double (*at)[5] = arena_alloc(r->mem, shown, sizeof *at), low = INFINITY, high = -INFINITY;
  size_t *cell = ARENA_ARRAY(r->mem, size_t, shown), drawn = 0;
  for (size_t k = 0; k < shown; k++) {
    static const double p[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    size_t i = k * q.cells / shown, n = report_pool(r, quantity, i);
    if (n == 0) continue;
    for (int j = 0; j < 5; j++) at[drawn][j] = report_quantile(r, n, p[j]);
    cell[drawn] = i;
    low = fmin(low, at[drawn][0]), high = fmax(high, at[drawn][4]);
    if (observed && isfinite(observed[i])) low = fmin(low, observed[i]), high = fmax(high, observed[i]);
    drawn++;
  }
  if (drawn == 0) return;
  chart g = chart_open(r->b, label(r, "intervals", q.name), 1040, 220, (double[]){0, (double)q.cells + 1}, (double[]){low, high}, true);
  for (size_t k = 0; k < drawn; k++) {
    double x = (double)(cell[k] + 1);
    chart_segment(&g, "wide", x, at[k][0], x, at[k][4]);
    chart_segment(&g, "middle", x, at[k][1], x, at[k][3]);
    chart_dot(&g, "median", x, at[k][2]);
    if (observed && isfinite(observed[cell[k]])) chart_dot(&g, "seen", x, observed[cell[k]]);
  }
  chart_close(&g);
  if (shown < q.cells) strbuf_printf(r->b, "<p class=\"note\">%zu of %zu elements, evenly chosen.</p>\n", shown, q.cells);
}

/* All elements as intervals, and the one on which chains agree least by itself. */
static void put_wide(report *r, size_t quantity, const aim_quantity *q, bool alone) {
  strbuf_puts(r->b, "<h3>");
  html_put_text(r->b, q->name);
  strbuf_printf(r->b, ": %zu elements</h3>\n", q->cells);
  report_intervals(r, quantity, NULL);
  size_t worst = 0;
  double most = -INFINITY;
  for (size_t i = 0; i < q->cells; i++) {
    aim_summary s;
    if (aim_summarise(r->t, quantity, i, &s) == AIM_OK && s.rhat > most) most = s.rhat, worst = i;
  }
  if (!alone || most == -INFINITY) return;
  strbuf_puts(r->b, "<p class=\"note\">The element with the largest R-hat:</p>\n");
  put_column(r, quantity, worst, q->discrete);
}

void report_draws(report *r) {
  size_t cards = 0, wide = 0, left_out = 0;
  aim_quantity q;
  strbuf_puts(r->b, "<h2>Unknowns and tracked quantities</h2>\n");
  if (r->markov) strbuf_puts(r->b, "<p class=\"note\">Density, trace and ranks, a colour for each chain; ranks of chains that agree stay near the dashed line. Red marks below a trace are divergences.</p>\n");
  if (r->chains > REPORT_CHAINS) strbuf_printf(r->b, "<p class=\"note\">The first %d of %d chains are drawn one by one.</p>\n", REPORT_CHAINS, r->chains);
  for (size_t k = 0; aim_quantity_get(r->t, k, &q) == AIM_OK; k++) {
    if (q.kind == AIM_PREDICTED || q.cells > REPORT_FEW) continue;
    for (size_t i = 0; i < q.cells; i++)
      if (cards < REPORT_CARDS) cards++, put_column(r, k, i, q.discrete);
      else left_out++;
  }
  for (size_t k = 0; aim_quantity_get(r->t, k, &q) == AIM_OK; k++) {
    if (q.kind == AIM_PREDICTED || q.cells <= REPORT_FEW) continue;
    if (wide++ < REPORT_WIDE) put_wide(r, k, &q, r->markov);
    else left_out += q.cells;
  }
  if (left_out) strbuf_printf(r->b, "<p class=\"note\">%zu more columns are not drawn.</p>\n", left_out);
}
