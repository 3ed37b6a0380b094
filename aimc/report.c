/* report.c: the page of a run: what was run, advice, the table, the program. */
#include "aimc/report.h"

#include "aimc/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    "body{font:15px/1.45 system-ui,sans-serif;color:#1c2430;background:#fff;max-width:1080px;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.6em;margin:0}h2{font-size:1.15em;margin:2em 0 .4em;border-bottom:1px solid #d5dae1}h3{font-size:1em;margin:1.2em 0 .2em;font-family:ui-monospace,monospace}"
    "table{border-collapse:collapse;font-size:.9em}th,td{padding:.15em .7em;text-align:right}th:first-child,td:first-child{text-align:left;font-family:ui-monospace,monospace}"
    "thead th{border-bottom:1px solid #98a2b0}tbody tr:nth-child(even){background:#f5f7f9}"
    ".facts td{text-align:left;font-family:inherit}.fine{color:#23733c}.doubtful{background:#fdeebd}.bad{background:#f8cfc9;font-weight:600}"
    ".row{display:flex;flex-wrap:wrap;gap:.4em}pre{background:#f5f7f9;padding:.8em;overflow:auto;white-space:pre-wrap}.note{color:#5a6675;font-size:.9em}"
    "svg text{font:9px system-ui,sans-serif;fill:#5a6675}svg path{fill:none;stroke-width:1}"
    "svg .frame{stroke:#98a2b0}svg .all{fill:#cfdaea}svg .band{fill:#bcd0ea}svg .wide{stroke:#7d9cc7}svg .middle{stroke:#2f5f9e;stroke-width:3}"
    "svg circle.median{fill:#173f75}svg circle.seen{fill:#c2410c}svg .seen{stroke:#c2410c}svg .expected{stroke:#5a6675;stroke-dasharray:4 3}svg .divergent{stroke:#c01616;stroke-width:1.5}"
    "svg .c0{stroke:#2f6fb7}svg .c1{stroke:#d9822b}svg .c2{stroke:#2e8b57}svg .c3{stroke:#a23b72}svg .c4{stroke:#6b5bb5}svg .c5{stroke:#8c6239}svg .c6{stroke:#0f8b8d}svg .c7{stroke:#777777}";

const char *report_name(const report *r, size_t quantity, size_t cell) {
  const draws *d = r->t->run.store;
  size_t column = draws_column(d, quantity, cell), n = draws_name(d, column, NULL, 0);
  char *name = ARENA_ARRAY(r->mem, char, n + 1);
  draws_name(d, column, name, n + 1);
  return name;
}

static int by_value(const void *a, const void *b) {
  const report_draw *x = a, *y = b;
  return x->value < y->value ? -1 : x->value > y->value ? 1 : x->chain - y->chain;
}

size_t report_pool(report *r, size_t quantity, size_t cell) {
  size_t n = 0;
  for (int c = 0; c < r->chains; c++) {
    const double *x = aim_draws(r->t, c, quantity, cell);
    for (size_t i = 0; x && i < aim_draw_count(r->t, c); i++)
      if (isfinite(x[i])) r->pool[n++] = (report_draw){x[i], c};
  }
  qsort(r->pool, n, sizeof *r->pool, by_value);
  return n;
}

double report_quantile(const report *r, size_t n, double p) {
  double place = p * (double)(n - 1);
  size_t k = (size_t)place;
  double low = r->pool[k].value, high = r->pool[k + 1 < n ? k + 1 : k].value;
  return low + (place - (double)k) * (high - low);
}

/* ---- what was run */

static void fact(report *r, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void fact(report *r, const char *name, const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  const char *text = arena_vprintf(r->mem, format, ap);
  va_end(ap);
  strbuf_printf(r->b, "<tr><td>%s</td><td>", name);
  html_put_text(r->b, text);
  strbuf_puts(r->b, "</td></tr>\n");
}

static void put_result_facts(report *r) {
  aim_evidence e;
  aim_approximation x;
  aim_annealing a;
  if (plan_is_biased(&r->t->plan)) fact(r, "biased", "acceptance is at least %g / (1 + beta)", r->t->plan.kernel.floor);
  if (aim_annealing_get(r->t, &a) == AIM_OK)
    fact(r, "lowest energy", "%.10g, of draw %llu, reached by %llu of %llu replicas in %llu sweeps", a.best_energy, (unsigned long long)a.best + 1,
         (unsigned long long)a.reached, (unsigned long long)a.replicas, (unsigned long long)a.sweeps);
  if (aim_evidence_get(r->t, &e) == AIM_OK) {
    if (isnan(e.standard_error)) fact(r, "log evidence", "%.4f, as the approximation has it", e.log_evidence);
    else fact(r, "log evidence", "%.4f, standard error %.2g", e.log_evidence, e.standard_error);
    if (!isnan(e.ess)) fact(r, "effective particles", "%.1f", e.ess);
  }
  if (aim_approximation_get(r->t, &x) == AIM_OK) {
    if (!isnan(x.log_density)) fact(r, "mode", "log density %.6g, where %u of %u paths ended", x.log_density, x.agreed, x.paths);
    if (!isnan(x.pareto_k)) fact(r, "Pareto's k", "%.2f, good below %.2f", x.pareto_k, x.pareto_limit);
  }
}

static void put_chain_facts(report *r, const aim_plan *p) {
  if (!r->markov) {
    fact(r, "draws", "%zu", r->draws);
    return;
  }
  fact(r, "chains", "%d, of %u warm-up and %u draws", r->chains, p->warmup, p->draws);
  if (p->thin > 1) fact(r, "thin", "%u", p->thin);
  if (r->t->run.o.until.n) fact(r, "until", "%s %s after %zu draws of all chains", r->t->run.until_text, r->t->run.until_met ? "holds" : "does not hold", r->draws);
  if (r->t->plan.method != PLAN_NUTS) return;
  strbuf metrics;
  strbuf_init(&metrics, r->mem);
  size_t divergent = 0;
  for (int c = 0; c < r->chains; c++) {
    const char *m = aim_chain_metric(r->t, c);
    const double *d = aim_stats(r->t, c, AIM_STAT_DIVERGENT);
    for (size_t i = 0; i < aim_draw_count(r->t, c); i++) divergent += d[i] != 0;
    if (m && c < REPORT_CHAINS) strbuf_printf(&metrics, "%s%s", c ? ", " : "", m);
  }
  if (metrics.n) fact(r, "metric", "%s", metrics.s);
  fact(r, "target acceptance", "%g", p->target_accept);
  fact(r, "divergent", "%zu of %zu", divergent, r->draws);
  const program *m = &r->t->p;
  strbuf names;
  strbuf_init(&names, r->mem);
  for (size_t k = 0; k < m->nsites; k++)
    if (m->site[k].site->standard) strbuf_printf(&names, "%s%s", names.n ? ", " : "", m->site[k].name);
  if (names.n) fact(r, "non-centred", "%s", names.s);
}

static void put_levels(report *r) {
  enum { MOST_LEVELS = 30 };
  aim_levels l;
  for (size_t k = 0; aim_levels_get(r->t, k, &l) == AIM_OK; k++) {
    strbuf b;
    strbuf_init(&b, r->mem);
    for (size_t i = 0; i < l.n && i < MOST_LEVELS; i++) strbuf_printf(&b, "%s%zu %s", i ? ", " : "", i + 1, l.text[i]);
    if (l.n > MOST_LEVELS) strbuf_printf(&b, ", ... (%zu in all)", l.n);
    fact(r, "levels", "%s: %s", l.name, b.s);
  }
}

static void put_facts(report *r, const aim_program *of) {
  aim_plan p;
  aim_plan_get(r->t, &p);
  strbuf_puts(r->b, "<h1>");
  html_put_text(r->b, p.name);
  strbuf_puts(r->b, "</h1>\n<table class=\"facts\">\n");
  fact(r, "model", "%s, in %s", p.model, of->name);
  fact(r, "method", "%s", p.method);
  put_chain_facts(r, &p);
  put_result_facts(r);
  fact(r, "seed", "%llu", (unsigned long long)p.seed);
  put_levels(r);
  fact(r, "AIM", "%s", aim_version());
  strbuf_puts(r->b, "</table>\n");
}

/* ---- the table */

/* How well a column mixed, as the class of its number.  The limits are those of Vehtari, Gelman, Simpson, Carpenter and Buerkner 2021. */
static const char *rhat_class(double rhat) { return isnan(rhat) ? "" : rhat < 1.01 ? "fine" : rhat < 1.05 ? "doubtful" : "bad"; }
static const char *ess_class(const report *r, double ess) { return !r->markov || isnan(ess) ? "" : ess >= 100.0 * r->chains ? "fine" : ess >= 50.0 * r->chains ? "doubtful" : "bad"; }

static void put_number(report *r, const char *class, const char *format, double x) {
  strbuf_puts(r->b, *class ? arena_printf(r->mem, "<td class=\"%s\">", class) : "<td>");
  if (isnan(x)) strbuf_puts(r->b, "-");
  else strbuf_puts(r->b, arena_printf(r->mem, format, x));
  strbuf_puts(r->b, "</td>");
}

static void put_row(report *r, size_t quantity, size_t cell, const aim_summary *s) {
  strbuf_puts(r->b, "<tr><td>");
  html_put_text(r->b, report_name(r, quantity, cell));
  strbuf_puts(r->b, "</td>");
  const double numbers[] = {s->mean, s->mcse, s->sd, s->q5, s->median, s->q95};
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) put_number(r, "", k == 1 ? "%.2g" : "%.4g", numbers[k]);
  put_number(r, ess_class(r, s->ess_bulk), "%.0f", s->ess_bulk);
  put_number(r, ess_class(r, s->ess_tail), "%.0f", s->ess_tail);
  put_number(r, rhat_class(s->rhat), "%.3f", s->rhat);
  strbuf_puts(r->b, "</tr>\n");
}

/* Quantities of few cells first, then long ones, then what is predicted. */
static aim_status put_table(report *r) {
  size_t rows = 0, all = 0, constant = 0;
  aim_quantity q;
  aim_summary s;
  strbuf_puts(r->b, "<h2>Summary</h2>\n<table><thead><tr><th></th><th>mean</th><th>MCSE</th><th>sd</th><th>5%</th><th>50%</th><th>95%</th><th>ESS bulk</th><th>ESS tail</th><th>R-hat</th></tr></thead><tbody>\n");
  for (int rank = 0; rank < 3; rank++)
    for (size_t k = 0; aim_quantity_get(r->t, k, &q) == AIM_OK; k++)
      for (size_t i = 0; i < q.cells && rank == (q.kind == AIM_PREDICTED ? 2 : q.cells > REPORT_FEW); i++) {
        aim_status st = aim_summarise(r->t, k, i, &s);
        if (st != AIM_OK) return st;
        all++;
        if (s.sd == 0 && isnan(s.mcse)) constant++;
        else if (rows < REPORT_ROWS) rows++, put_row(r, k, i, &s);
      }
  strbuf_puts(r->b, "</tbody></table>\n");
  if (constant) strbuf_printf(r->b, "<p class=\"note\">%zu constant column%s not shown.</p>\n", constant, constant == 1 ? " is" : "s are");
  if (all - constant > rows) strbuf_printf(r->b, "<p class=\"note\">%zu of %zu rows are shown; summary.tsv of --out has all.</p>\n", rows, all - constant);
  return AIM_OK;
}

static void collect(void *user, const char *text, size_t n) { strbuf_put(user, text, n); }

static aim_status put_advice(report *r) {
  strbuf text;
  strbuf_init(&text, r->mem);
  size_t findings = 0;
  aim_status st = aim_advice_write(r->t, &findings, collect, &text);
  if (st != AIM_OK) return st;
  strbuf_puts(r->b, "<h2>Advice</h2>\n");
  if (!findings) {
    strbuf_puts(r->b, "<p class=\"fine\">Nothing that AIM looks for is wrong with this run.</p>\n");
    return AIM_OK;
  }
  strbuf_puts(r->b, "<pre class=\"advice\">");
  html_put_text(r->b, text.s);
  strbuf_puts(r->b, "</pre>\n");
  return AIM_OK;
}

/* ---- the page */

static aim_status put_run(report *r, const aim_program *of) {
  put_facts(r, of);
  aim_status st = AIM_OK;
  if (aim_quantity_count(r->t) && r->draws) {
    st = put_advice(r);
    if (st == AIM_OK) st = put_table(r);
    if (st != AIM_OK) return st;
    report_draws(r);
    report_predictions(r);
  }
  strbuf_puts(r->b, "<h2>Program</h2>\n<details><summary>");
  html_put_text(r->b, of->name);
  strbuf_puts(r->b, "</summary><pre>");
  html_put_text(r->b, of->text);
  strbuf_puts(r->b, "</pre></details>\n");
  return st;
}

static report report_of(aim_task *t, arena *mem, strbuf *b) {
  report r = {.t = t, .mem = mem, .b = b, .chains = aim_chain_count(t), .markov = method_is(t->plan.method, METHOD_MARKOV)};
  for (int c = 0; c < r.chains; c++) r.draws += aim_draw_count(t, c);
  r.pool = ARENA_ARRAY(mem, report_draw, r.draws);
  return r;
}

static aim_status put_page(strbuf *b, arena *mem, const report_run *run, size_t n) {
  report *r = ARENA_ARRAY(mem, report, n);
  aim_plan p;
  aim_plan_get(run->t, &p);
  for (size_t k = 0; k < n; k++) r[k] = report_of(run[k].t, mem, b);
  strbuf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\"><head><meta charset=\"utf-8\"/><title>");
  html_put_text(b, n == 1 ? p.name : arena_printf(mem, "%zu runs", n));
  strbuf_printf(b, "</title><style>%s</style></head><body>\n", style);
  aim_status st = n > 1 ? report_compare(r, run, n) : AIM_OK;
  for (size_t k = 0; k < n && st == AIM_OK; k++) {
    if (n > 1) {
      strbuf_printf(b, "<hr id=\"run%zu\"/>\n<p class=\"note\">", k + 1);
      html_put_text(b, run[k].name);
      strbuf_puts(b, "</p>\n");
    }
    st = put_run(&r[k], run[k].p);
  }
  strbuf_puts(b, "</body></html>\n");
  return st;
}

aim_status report_write(const report_run *run, size_t n, const char *path) {
  arena mem;
  arena_init(&mem, &run->t->vm->alloc, run->t->vm->config.memory);
  if (ARENA_TRY(&mem)) {
    arena_free(&mem);
    return AIM_E_MEMORY;
  }
  strbuf b;
  strbuf_init(&b, &mem);
  aim_status st = put_page(&b, &mem, run, n);
  if (st == AIM_OK) {
    run->t->io_errno = run_file_write(path, b.s, b.n, &mem);
    if (run->t->io_errno) st = AIM_E_IO;
  }
  arena_free(&mem);
  return st;
}
