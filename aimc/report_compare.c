/* report_compare.c: several runs beside each other: what each was, and for quantities that some of them share a row of means and a chart of densities.
 *
 * z is the difference of two means in units of its Monte Carlo error: runs of one posterior have it between -3 and 3 nearly always. */
#include "aimc/report.h"

#include "aimc/chart.h"

#include <math.h>
#include <string.h>

static const char *const colour[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
enum { COLOURS = sizeof colour / sizeof *colour, MOST_Z = 5 };

static void put_head(const report *r, const report_run *run, size_t n) {
  strbuf *b = r->b;
  strbuf_printf(b, "<h1>%zu runs</h1>\n<table class=\"facts\"><thead><tr><th></th><th>result</th><th>model</th><th>method</th><th>seed</th><th>draws</th><th>divergent</th></tr></thead><tbody>\n", n);
  for (size_t k = 0; k < n; k++) {
    aim_plan p;
    size_t divergent = 0;
    aim_plan_get(run[k].t, &p);
    for (int c = 0; c < r[k].chains; c++)
      for (size_t i = 0; i < aim_draw_count(run[k].t, c); i++) divergent += aim_stats(run[k].t, c, AIM_STAT_DIVERGENT)[i] != 0;
    strbuf_printf(b, "<tr><td><svg width=\"22\" height=\"8\"><path class=\"%s\" style=\"stroke-width:3\" d=\"M0 4H22\"/></svg> <a href=\"#run%zu\">", colour[k % COLOURS], k + 1);
    html_put_text(b, run[k].name);
    strbuf_puts(b, "</a></td><td>");
    html_put_text(b, p.name);
    strbuf_puts(b, "</td><td>");
    html_put_text(b, p.model);
    strbuf_printf(b, "</td><td>%s</td><td>%llu</td><td>%zu</td><td>%s</td></tr>\n", p.method, (unsigned long long)p.seed, r[k].draws,
                  strcmp(p.method, "nuts") == 0 ? arena_printf(r->mem, "%zu", divergent) : "-");
  }
  strbuf_puts(b, "</tbody></table>\n");
}

/* The quantity of that name with as many cells, (size_t)-1 where the run has none, or no draws. */
static size_t same_quantity(const report *r, const aim_quantity *q) {
  aim_quantity own;
  size_t k = r->draws ? aim_quantity_find(r->t, q->name) : (size_t)-1;
  return k != (size_t)-1 && aim_quantity_get(r->t, k, &own) == AIM_OK && own.cells == q->cells ? k : (size_t)-1;
}

/* Whether this is the first run that has it, and another one follows: then *at [n] has its number in each. */
static bool is_shared(const report *r, size_t first, size_t n, const aim_quantity *q, size_t *at) {
  size_t in = 0;
  for (size_t k = 0; k < n; k++) {
    at[k] = same_quantity(&r[k], q);
    in += at[k] != (size_t)-1;
    if (k < first && at[k] != (size_t)-1) return false;
  }
  return in > 1;
}

static aim_status put_row(report *r, size_t n, const size_t *at, size_t first, size_t cell) {
  strbuf *b = r->b;
  aim_summary s, base = {0};
  strbuf_puts(b, "<tr><td>");
  html_put_text(b, report_name(&r[first], at[first], cell));
  strbuf_puts(b, "</td>");
  for (size_t k = 0; k < n; k++) {
    if (at[k] == (size_t)-1) {
      strbuf_puts(b, k > 0 ? "<td>-</td><td></td><td></td>" : "<td>-</td><td></td>");
      continue;
    }
    aim_status st = aim_summarise(r[k].t, at[k], cell, &s);
    if (st != AIM_OK) return st;
    if (k == first) base = s;
    strbuf_printf(b, "<td>%.4g</td><td>%.3g</td>", s.mean, s.sd);
    const double z = (s.mean - base.mean) / sqrt(s.mcse * s.mcse + base.mcse * base.mcse);
    if (k > 0) strbuf_printf(b, "<td class=\"%s\">%s</td>", k == first || isnan(z) ? "" : fabs(z) < MOST_Z ? "fine" : "bad", k == first || isnan(z) ? "" : arena_printf(r->mem, "%.1f", z));
  }
  strbuf_puts(b, "</tr>\n");
  return AIM_OK;
}

/* Outlines of the densities over the range that all but half a percent of each tail of some run needs. */
static aim_status put_densities(report *r, size_t n, const size_t *at, size_t first, size_t cell) {
  double left = INFINITY, right = -INFINITY, top = 0;
  double *height = ARENA_ARRAY(r->mem, double, n * REPORT_BINS);
  for (size_t k = 0; k < n; k++) {
    size_t m = at[k] == (size_t)-1 ? 0 : report_pool(&r[k], at[k], cell);
    if (m == 0) continue;
    left = fmin(left, report_quantile(&r[k], m, 0.005));
    right = fmax(right, report_quantile(&r[k], m, 0.995));
  }
  if (!(left < right)) return AIM_OK;
  const double width = (right - left) * 1.1 / REPORT_BINS;
  left -= (right - left) * 0.05;
  for (size_t k = 0; k < n; k++) {
    size_t m = at[k] == (size_t)-1 ? 0 : report_pool(&r[k], at[k], cell);
    for (size_t i = 0; i < m; i++) {
      const double bin = floor((r[k].pool[i].value - left) / width);
      if (!(bin >= 0 && bin < REPORT_BINS)) continue;
      double *h = &height[k * REPORT_BINS + (size_t)bin];
      *h += 1 / ((double)m * width);
      if (*h > top) top = *h;
    }
  }
  const char *name = report_name(&r[first], at[first], cell);
  strbuf_puts(r->b, "<div><h3>");
  html_put_text(r->b, name);
  strbuf_puts(r->b, "</h3>\n");
  chart g = chart_open(r->b, arena_printf(r->mem, "densities of %s", name), 330, 150, (double[]){left, left + width * REPORT_BINS}, (double[]){0, top}, false);
  for (size_t k = 0; k < n; k++)
    if (at[k] != (size_t)-1) chart_steps(&g, colour[k % COLOURS], left, width, height + k * REPORT_BINS, REPORT_BINS, false);
  chart_close(&g);
  strbuf_puts(r->b, "</div>\n");
  return AIM_OK;
}

typedef aim_status put_cell(report *r, size_t n, const size_t *at, size_t first, size_t cell);

/* Calls put for the cells of shared quantities, those of few cells first; at most `most`.  *left: cells that there are besides. */
static aim_status each_shared(report *r, size_t n, size_t most, put_cell *put, size_t *left) {
  size_t *at = ARENA_ARRAY(r->mem, size_t, n), done = 0;
  *left = 0;
  for (int wide = 0; wide < 2; wide++)
    for (size_t first = 0; first < n; first++) {
      aim_quantity q;
      for (size_t k = 0; aim_quantity_get(r[first].t, k, &q) == AIM_OK; k++) {
        if (q.kind == AIM_PREDICTED || (q.cells > REPORT_FEW) != wide || !is_shared(r, first, n, &q, at)) continue;
        for (size_t i = 0; i < q.cells; i++) {
          if (done == most) {
            ++*left;
            continue;
          }
          done++;
          aim_status st = put(r, n, at, first, i);
          if (st != AIM_OK) return st;
        }
      }
    }
  return AIM_OK;
}

aim_status report_compare(report *r, const report_run *run, size_t n) {
  strbuf *b = r->b;
  size_t left;
  put_head(r, run, n);
  strbuf_puts(b, "<h2>Means</h2>\n<p class=\"note\">Mean and standard deviation in each run, and z, the difference from the first run that has the quantity in units of its Monte Carlo error: between -3 and 3 nearly always where both drew from the same "
                 "distribution.</p>\n<table><thead><tr><th></th>");
  for (size_t k = 0; k < n; k++) {
    strbuf_printf(b, "<th>");
    html_put_text(b, run[k].name);
    strbuf_puts(b, k ? "</th><th>sd</th><th>z</th>" : "</th><th>sd</th>");
  }
  strbuf_puts(b, "</tr></thead><tbody>\n");
  aim_status st = each_shared(r, n, REPORT_ROWS, put_row, &left);
  strbuf_puts(b, "</tbody></table>\n");
  if (st != AIM_OK) return st;
  if (left) strbuf_printf(b, "<p class=\"note\">%zu more rows are not shown.</p>\n", left);
  strbuf_puts(b, "<h2>Densities</h2>\n<div class=\"row\">\n");
  st = each_shared(r, n, REPORT_CARDS, put_densities, &left);
  strbuf_puts(b, "</div>\n");
  if (left) strbuf_printf(b, "<p class=\"note\">%zu more columns are not drawn.</p>\n", left);
  return st;
}
