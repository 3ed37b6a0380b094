/* report_predict.c: what the model predicts, and `predict y` against the y that was observed: the histogram of the observations within
 * those of replicated data, intervals of each element, and a few statistics (Gelman, Meng and Stern 1996). */
#include "aimc/report.h"

#include "aimc/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REPLICATES = 400, MOST_PLACES = 20000, N_STATISTICS = 4 };

static const char *const statistic[N_STATISTICS] = {"mean", "sd", "min", "max"};

/* Observations and replicates of them.  Where elements are many, evenly chosen ones. */
typedef struct check {
  const double *seen;      /* [cells] all that was observed; not finite: nothing was */
  size_t cells, n;         /* n: elements that are compared */
  const size_t *place;     /* [n] which */
  size_t replicates;
  double *rep;             /* [n, replicates] */
} check;

/* Missing values are none that were observed. */
static void leave_out_missing(const program *p, const char *name, const aim_quantity *q, double *out) {
  for (size_t k = 0; k < p->nmissing; k++) {
    const lower_missing *m = &p->missing[k];
    for (int64_t i = 0; strcmp(m->name, name) == 0 && i < m->n; i++) {
      size_t cell = 0;
      for (int a = 0; a < q->rank; a++) cell = cell * (size_t)q->dims[a] + (size_t)m->at[i * q->rank + a];
      out[cell] = NAN;
    }
  }
}

/* What was observed under the name of `quantity` without "_rep", or NULL. */
static const double *observed(report *r, const aim_quantity *q) {
  const program *p = &r->t->p;
  const size_t n = strlen(q->name);
  if (n <= 4 || strcmp(q->name + n - 4, "_rep") != 0) return NULL;
  const char *name = arena_strndup(r->mem, q->name, n - 4);
  const ir_site *s = ir_site_find(p->ir, name);
  const exec_cell *cells = NULL;
  for (size_t k = 0; k < p->ndata; k++)
    if (strcmp(p->data[k].name, name) == 0) cells = p->data[k].p;
  if (!s || s->role != IR_OBSERVED || !cells) return NULL;
  for (uint32_t k = 0; k < p->ir->nparams; k++) {
    if (strcmp(p->ir->param[k].name, name) != 0) continue;
    const ir_type t = ir_type_of(p->ir, p->ir->param[k].val);
    size_t count = 1;
    for (uint32_t i = 0; i < t.rank; i++) count *= (size_t)size_eval(p->sizes, t.dim[i]);
    if (count != q->cells || count == 0) return NULL;
    double *out = ARENA_ARRAY(r->mem, double, count);
    for (size_t i = 0; i < count; i++) out[i] = t.elem == IR_REAL ? cells[i].real : (double)cells[i].integer;
    leave_out_missing(p, name, q, out);
    return out;
  }
  return NULL;
}

static bool gather(report *r, size_t quantity, const aim_quantity *q, const double *seen, check *c) {
  size_t shortest = SIZE_MAX, *place = ARENA_ARRAY(r->mem, size_t, MOST_PLACES), step = (q->cells - 1) / MOST_PLACES + 1;
  for (int k = 0; k < r->chains; k++)
    if (aim_draw_count(r->t, k) < shortest) shortest = aim_draw_count(r->t, k);
  *c = (check){.seen = seen, .cells = q->cells, .place = place};
  for (size_t i = 0; i < q->cells; i += step)
    if (isfinite(seen[i])) place[c->n++] = i;
  size_t each = MOST_REPLICATES / (size_t)r->chains + (r->chains > MOST_REPLICATES);
  if (each > shortest) each = shortest;
  int chains = r->chains < MOST_REPLICATES ? r->chains : MOST_REPLICATES;
  c->replicates = each * (size_t)chains;
  if (c->n == 0 || c->replicates == 0) return false;
  c->rep = ARENA_ARRAY(r->mem, double, c->n * c->replicates);
  for (size_t i = 0; i < c->n; i++)
    for (int k = 0; k < chains; k++) {
      const double *x = aim_draws(r->t, k, quantity, place[i]);
      for (size_t d = 0; d < each; d++) c->rep[i * c->replicates + (size_t)k * each + d] = x ? x[d * shortest / each] : (double)NAN;
    }
  return true;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* ---- the histogram */

static void put_histogram(report *r, const check *c, const aim_quantity *q) {
  double low = INFINITY, high = -INFINITY;
  for (size_t i = 0; i < c->n; i++) low = fmin(low, c->seen[c->place[i]]), high = fmax(high, c->seen[c->place[i]]);
  double margin = q->discrete ? ceil(0.15 * (high - low)) : low < high ? 0.15 * (high - low) : low == 0 ? 1 : fabs(low) * 0.5;
  double left, width;
  size_t bins = REPORT_BINS;
  if (q->discrete) {
    if (low >= 0 && margin > low) low = 0; /* counts stay counts */
    else low -= margin;
    high += margin;
    width = ceil((high - low + 1) / REPORT_BINS);
    bins = (size_t)((high - low) / width) + 1;
    left = low - 0.5;
  } else {
    left = low - margin;
    width = (high - low + 2 * margin) / REPORT_BINS;
  }
  const size_t R = c->replicates;
  double *seen = ARENA_ARRAY(r->mem, double, bins), *count = ARENA_ARRAY(r->mem, double, bins * R), *least = ARENA_ARRAY(r->mem, double, bins), *middle = ARENA_ARRAY(r->mem, double, bins),
         *most = ARENA_ARRAY(r->mem, double, bins), top = 0;
  for (size_t i = 0; i < c->n; i++) {
    seen[(size_t)fmin(floor((c->seen[c->place[i]] - left) / width), (double)(bins - 1))]++;
    for (size_t d = 0; d < R; d++) {
      double k = floor((c->rep[i * R + d] - left) / width);
      if (k >= 0 && k < (double)bins) count[(size_t)k * R + d]++;
    }
  }
  for (size_t k = 0; k < bins; k++) {
    qsort(count + k * R, R, sizeof *count, ascending);
    least[k] = count[k * R + R / 20], middle[k] = count[k * R + R / 2], most[k] = count[k * R + R - 1 - R / 20];
    top = fmax(top, fmax(seen[k], most[k]));
  }
  chart g = chart_open(r->b, arena_printf(r->mem, "observed and replicated %s", q->name), 440, 220, (double[]){left, left + width * (double)bins}, (double[]){0, top}, true);
  chart_band(&g, "band", left, width, least, most, bins);
  chart_steps(&g, "wide", left, width, middle, bins, false);
  chart_steps(&g, "seen", left, width, seen, bins, false);
  chart_close(&g);
}

/* ---- statistics */

/* Of the elements x[i * stride]; squares are about `about`, so that they do not cancel. */
static void statistics(const check *c, const double *x, size_t stride, const size_t *place, double about, double out[N_STATISTICS]) {
  double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
  for (size_t i = 0; i < c->n; i++) {
    double v = x[place ? place[i] : i * stride];
    sum += v - about, squares += (v - about) * (v - about), low = fmin(low, v), high = fmax(high, v);
  }
  const double n = (double)c->n, mean = sum / n;
  out[0] = about + mean, out[1] = n > 1 ? sqrt(fmax(squares - n * mean * mean, 0) / (n - 1)) : 0, out[2] = low, out[3] = high;
}

static void put_statistics(report *r, const check *c) {
  const size_t R = c->replicates;
  double own[N_STATISTICS], each[N_STATISTICS], *all = ARENA_ARRAY(r->mem, double, N_STATISTICS * R);
  statistics(c, c->seen, 1, c->place, c->seen[c->place[0]], own);
  for (size_t d = 0; d < R; d++) {
    statistics(c, c->rep + d, R, NULL, own[0], each);
    for (int k = 0; k < N_STATISTICS; k++) all[(size_t)k * R + d] = each[k];
  }
  strbuf_puts(r->b, "<table><thead><tr><th></th><th>observed</th><th>replicated: 5%</th><th>50%</th><th>95%</th><th>replicates not below</th></tr></thead><tbody>\n");
  for (int k = 0; k < N_STATISTICS; k++) {
    double *x = all + (size_t)k * R;
    size_t above = 0;
    qsort(x, R, sizeof *x, ascending);
    for (size_t d = 0; d < R; d++) above += x[d] >= own[k];
    double share = (double)above / (double)R;
    strbuf_printf(r->b, "<tr><td>%s</td><td>%.4g</td><td>%.4g</td><td>%.4g</td><td>%.4g</td><td class=\"%s\">%.2f</td></tr>\n", statistic[k], own[k], x[R / 20], x[R / 2],
                  x[R - 1 - R / 20], share < 0.01 || share > 0.99 + (x[0] == x[R - 1]) ? "doubtful" : "fine", share);
  }
  strbuf_puts(r->b, "</tbody></table>\n");
}

/* Elements with at most a twentieth of their replicates on the far side; equal values count as near. */
static size_t covered(const check *c) {
  size_t inside = 0;
  const double limit = 0.95 * (double)c->replicates;
  for (size_t i = 0; i < c->n; i++) {
    size_t below = 0, above = 0;
    for (size_t d = 0; d < c->replicates; d++) {
      double x = c->rep[i * c->replicates + d], y = c->seen[c->place[i]];
      below += x < y, above += x > y;
    }
    inside += (double)below <= limit && (double)above <= limit;
  }
  return inside;
}

static void put_check(report *r, size_t quantity, const aim_quantity *q, const double *seen) {
  check c;
  if (!gather(r, quantity, q, seen, &c)) return;
  strbuf_puts(r->b, "<p class=\"note\">Orange: what was observed. Blue: replicates, their median and the range of 90%.</p>\n<div class=\"row\">");
  put_histogram(r, &c, q);
  strbuf_puts(r->b, "<div>");
  put_statistics(r, &c);
  size_t inside = covered(&c);
  strbuf_printf(r->b, "<p class=\"note\">%zu of %zu observations (%.0f%%) lie in their 90%% intervals; %zu replicates.</p></div></div>\n", inside, c.n,
                100 * (double)inside / (double)c.n, c.replicates);
}

void report_predictions(report *r) {
  aim_quantity q;
  size_t shown = 0, left_out = 0;
  for (size_t k = 0; aim_quantity_get(r->t, k, &q) == AIM_OK; k++) {
    if (q.kind != AIM_PREDICTED || q.cells == 0) continue;
    if (shown == REPORT_WIDE) {
      left_out++;
      continue;
    }
    if (shown++ == 0) strbuf_puts(r->b, "<h2>Predictions</h2>\n");
    const double *seen = observed(r, &q);
    strbuf_puts(r->b, "<h3>");
    html_put_text(r->b, q.name);
    strbuf_puts(r->b, "</h3>\n");
    if (seen) put_check(r, k, &q, seen);
    report_intervals(r, k, seen);
  }
  if (left_out) strbuf_printf(r->b, "<p class=\"note\">%zu more predicted quantities are not drawn.</p>\n", left_out);
}
