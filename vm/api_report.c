/* api_report.c: diagnostics of programs and tasks as records and as text, and what a run has to say about itself. */
#include "vm/api.h"
#include "vm/interp.h"

#include "lang/render.h"
#include "vm/diagnose.h"

#include "compiler/bind.h"
#include "vm/flat_direction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

aim_status api_status(run_status st) {
  switch (st) {
  case RUN_OK: return AIM_OK;
  case RUN_STOPPED: return AIM_STOPPED;
  case RUN_E_MEMORY: return AIM_E_MEMORY;
  case RUN_E_IO: return AIM_E_IO;
  case RUN_E_INIT:
  case RUN_E_BOUND:
  case RUN_E_SCHEDULE:
  case RUN_E_METHOD: return AIM_E_PROGRAM;
  default: return AIM_E_INTERNAL;
  }
}

const char *api_place(source_map *m, span at, arena *mem) {
  const source_file *f = source_get(m, at.file);
  if (!f) return "";
  source_place x = source_locate(m, at.file, at.off);
  return arena_printf(mem, "%s:%u:%u", f->name, x.line, x.column);
}

aim_status api_diagnostic(program *p, size_t k, aim_diagnostic *out) {
  if (ARENA_TRY(p->mem)) return AIM_E_MEMORY;
  const diag *d = p->diags.items[k];
  *out = (aim_diagnostic){.severity = d->severity == DIAG_ERROR ? AIM_ERROR : AIM_WARNING, .code = d->code, .message = d->message};
  for (size_t r = 0; r < d->nremarks && !out->help; r++)
    if (d->remarks[r].kind == DIAG_HELP) out->help = d->remarks[r].text;
  const source_file *f = source_get(&p->sources, d->at.file);
  if (!f) return AIM_OK;
  source_place at = source_locate(&p->sources, d->at.file, d->at.off);
  out->file = f->name;
  out->line = at.line;
  out->column = at.column;
  out->length = d->at.len;
  return AIM_OK;
}

aim_status api_messages(program *p, const aim_alloc *alloc, unsigned flags, aim_write *write, void *user) {
  arena mem;
  arena_init(&mem, alloc, 0);
  if (ARENA_TRY(&mem) || ARENA_TRY(p->mem)) {
    arena_free(&mem);
    return AIM_E_MEMORY;
  }
  strbuf b;
  strbuf_init(&b, &mem);
  render_options o = {.colour = (flags & AIM_COLOUR) != 0};
  if (flags & AIM_JSON) render_json_list(&b, &p->sources, &p->diags);
  else render_list(&b, &p->sources, &p->diags, &o);
  if (b.n) write(user, b.s, b.n);
  arena_free(&mem);
  return AIM_OK;
}

size_t aim_task_diagnostic_count(const aim_task *t) { return t && t->p.diags.a ? t->p.diags.n : 0; }

aim_status aim_task_diagnostic(aim_task *t, size_t k, aim_diagnostic *out) {
  if (k >= aim_task_diagnostic_count(t)) return AIM_E_USAGE;
  return api_diagnostic(&t->p, k, out);
}

aim_status aim_task_messages(aim_task *t, unsigned flags, aim_write *write, void *user) {
  if (!t || !write) return AIM_E_USAGE;
  return t->p.diags.a ? api_messages(&t->p, &t->vm->alloc, flags, write, user) : AIM_OK;
}

/* ---- what ended a run */

void api_report_bound(aim_task *t, span where, int64_t index, int64_t extent, const char *when) {
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0910", where, "index %lld is outside 1..%lld", (long long)index + 1, (long long)extent);
  diag_say(&t->p.diags, d, "%s", when);
  if (index < 0) diag_help(&t->p.diags, d, "counting starts at 1: where this is `x[t - k]`, start the loop over t later");
}

void api_report_stop(aim_task *t, const eval_faults *f) { api_report_bound(t, f->where, f->index, f->extent, "in this run"); }

/* A guard that failed, or the factor that it makes, stands at the call of an `ode`. */
static bool at_ode(const aim_task *t, span at) {
  const source_file *f = at.file && at.len > 3 ? source_get(&t->p.sources, at.file) : NULL;
  return f && at.off + at.len <= f->len && memcmp(f->text + at.off, "ode", 3) == 0 && (f->text[at.off + 3] == '(' || f->text[at.off + 3] == ' ');
}

enum { MOST_FACTORS = 3 };

typedef struct factor_list {
  const aim_task *t;
  span at[MOST_FACTORS];
  size_t n; /* statements; that many or more */
} factor_list;

static void see_factor(void *user, ir_op *op) {
  factor_list *f = user;
  if ((op->code != IR_FACTOR_OP && op->code != IR_ENERGY_OP) || at_ode(f->t, op->where)) return;
  if (f->n < MOST_FACTORS) f->at[f->n] = op->where;
  f->n++;
}

/* Where there are few of them the statements are shown. */
static void blame_factors(aim_task *t, diag *d) {
  factor_list f = {.t = t};
  ir_visit_ops((ir_block *)&t->p.ir->body, see_factor, &f);
  for (size_t k = 0; k < f.n && f.n <= MOST_FACTORS; k++) diag_point(&t->p.diags, d, f.at[k], f.n == 1 ? "by this" : "by this, or one like it");
  if (f.n) diag_help(&t->p.diags, d, "what `factor` makes impossible is better said by a support, which no draw leaves: `ordered(K)`, `index(K)`, bounds that name data or other unknowns");
}

/* Looks at a point near the origin again, part by part, to say which part of the model is to blame. */
static void blame(aim_task *t, diag *d) {
  diag_list *l = &t->p.diags;
  eval_worker w;
  if (t->model.density < 0 || t->model.prior < 0 || !eval_worker_init(&w, &t->model, 0, &t->vm->alloc)) return;
  exec_cell *frame = alloc_get(&t->vm->alloc, t->p.cells + 1, sizeof *frame);
  double part[3];
  if (frame && eval_prior(&w, 1, frame) && eval_density(&w, frame, part)) {
    static const char *const name[] = {"log prior", "log likelihood", "sum of factors and energies"};
    for (int k = 0; k < 3; k++)
      if (!isfinite(part[k])) {
        /* The arena may jump from here: nothing of this function may be lost with it. */
        alloc_put(&t->vm->alloc, frame, (t->p.cells + 1) * sizeof *frame);
        eval_worker_free(&w);
        diag_note(l, d, "at a draw from the prior the %s is %s", name[k], isnan(part[k]) ? "NaN" : part[k] > 0 ? "inf" : "-inf");
        if (k == 2) blame_factors(t, d);
        return;
      }
  }
  alloc_put(&t->vm->alloc, frame, (t->p.cells + 1) * sizeof *frame);
  eval_worker_free(&w);
}

static const char *guard_words(const aim_task *t, const eval_faults *f) {
  if (f->factor) return arena_printf(t->p.mem, "a matrix without a Cholesky factor (%s)", bind_pivot_text(t->p.mem, (size_t)f->row, f->share));
  return at_ode(t, f->guard_where) ? "a solve that failed" : "a value outside the support or an invalid parameter";
}

/* The parametrisation of a distribution that any real fits, where the one at `at` was out of range; "" if it has none. */
static const char *any_real(const aim_task *t, span at) {
  static const struct { const char *call, *help; } table[] = {
      {"Bernoulli(", "`Bernoulli(logit = x)` takes any real x. "}, {"Binomial(", "`Binomial(n, logit = x)` takes any real x. "},
      {"Categorical(", "`Categorical(logit = x)` takes any vector x. "}, {"Poisson(", "`Poisson(log = x)` takes any real x. "},
      {"MultiNormal(", "A covariance that is singular, as of points that are equal, has no density: add to its diagonal, `K + diag(rep(1e-6, N))`. "}};
  const source_file *f = at.file ? source_get(&t->p.sources, at.file) : NULL;
  for (size_t k = 0; f && k < sizeof table / sizeof table[0]; k++) {
    size_t n = strlen(table[k].call);
    if (at.len <= n || at.off + at.len > f->len) continue;
    for (uint32_t i = at.off; i + n <= at.off + at.len; i++) /* the span may be that of the statement */
      if (memcmp(f->text + i, table[k].call, n) == 0 && memcmp(f->text + i + n, "log", 3) != 0) return table[k].help;
  }
  return "";
}

void api_report_init(aim_task *t) {
  const eval_faults *f = &t->run.faults;
  diag_list *l = &t->p.diags;
  if (api_blame_data(t)) return;
  span at = f->nan_where.file ? f->nan_where : f->guard_where.file ? f->guard_where : t->p.model->decl->name.at;
  const char *what = t->plan.method == PLAN_IMPORTANCE || t->plan.method == PLAN_AIS ? "every particle has weight 0" : "no initial point has a finite log density";
  diag *d = diag_add(l, DIAG_ERROR, "E0911", at, "%s", what);
  if (f->nan_where.file) diag_say(l, d, "this became NaN first (%llu evaluations in all)", (unsigned long long)f->nans);
  else if (f->guard_where.file) diag_say(l, d, "%s, which gives -inf (%llu times)", guard_words(t, f), (unsigned long long)f->guards);
  if (f->nan_where.file && f->guard_where.file)
    diag_point(l, d, f->guard_where, "%s (%llu times)", guard_words(t, f), (unsigned long long)f->guards);
  blame(t, d);
  api_blame_observation(t, d);
  const char *other = f->nan_where.file ? "" : any_real(t, f->guard_where);
  if (f->factor && !f->nan_where.file) diag_help(l, d, "%s", api_no_factor);
  else if (*other) diag_help(l, d, "%sOtherwise declare the bounds, so that no such point is tried", other);
  else diag_help(l, d, "check that the data can arise under the model's supports, or give narrower priors or a smaller init_radius");
}

/* ---- what chains have missed */

/* "chains 1, 2 and 4" of those that are in a mode without mass (run_starts.c), and by how many nats at least.  NULL: none is. */
static const char *missed(const run *r, arena *a, double *least) {
  strbuf b;
  strbuf_init(&b, a);
  size_t n = 0, left;
  *least = INFINITY;
  for (int64_t c = 0; c < r->o.chains; c++)
    if (r->chain[c].missed > 0) n++, *least = fmin(*least, r->chain[c].missed);
  left = n;
  for (int64_t c = 0; c < r->o.chains; c++) {
    if (!(r->chain[c].missed > 0)) continue;
    strbuf_printf(&b, "%s%lld", left == n ? (n > 1 ? "chains " : "chain ") : left == 1 ? " and " : ", ", (long long)c + 1);
    left--;
  }
  return n ? b.s : NULL;
}

void api_report_missed(aim_task *t) {
  double nats;
  const char *chains = missed(&t->run, &t->mem, &nats);
  if (!chains) return;
  diag *d = diag_add(&t->p.diags, DIAG_WARNING, "W0915", t->plan.model->decl->name.at, "%s drew where the posterior has e^-%.0f of the mass, or less, that a trial path found elsewhere", chains, nats);
  diag_help(&t->p.diags, d, "do not use these draws: run with `init = pathfinder` or another seed, and look for what gives the model several modes");
}

/* ---- advice */

static size_t advise_approximation(const aim_task *t, const aim_approximation *x, strbuf *b) {
  size_t n = 0;
  if (!x->settled) {
    n++;
    strbuf_printf(b, "The log density still rose where the highest path ended, after at most %lld iterations: raise `iterations`, or it has no maximum. ",
                  (long long)t->run.o.iterations);
    strbuf_puts(b, "That of a hierarchy has none where its scale goes to 0; nuts needs none.\n");
  } else if (t->plan.method != PLAN_PATHFINDER && x->paths > 1 && x->agreed == 1) {
    n++;
    strbuf_printf(b, "Only 1 of %u paths ended at the highest mode: there may be a higher one. Try more `paths`.\n", x->paths);
  }
  if (x->pareto_k > x->pareto_limit) {
    n++;
    strbuf_printf(b, "Pareto's k of the importance weights is %.2f, and should be below %.2f: the posterior is not like this approximation, and its tails least of all. Use nuts.\n",
                  x->pareto_k, x->pareto_limit);
  }
  return n;
}

/* "b[2]" of a coordinate of the unconstrained point. */
static void put_coordinate(const program *p, strbuf *b, size_t at) {
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    if (s->discrete || at < s->at_free || at >= s->at_free + s->batch * s->free) continue;
    strbuf_puts(b, s->name);
    size_t cell = at - s->at_free, rest = s->cells;
    for (uint32_t a = 0; a < s->rank; a++) {
      rest /= (size_t)s->dim[a];
      strbuf_printf(b, "%s%zu%s", a ? ", " : "[", cell / rest + 1, a + 1 == s->rank ? "]" : "");
      cell %= rest;
    }
  }
}

/* Chains cannot tell where there is no end: the model can. */
static size_t advise_flat(const aim_task *t, strbuf *b) {
  enum { SHOWN = 6 };
  flat_direction f = {0};
  if (t->model.loaded && t->p.nblocks == 0) flat_direction_find(&t->model, &t->vm->alloc, &f);
  if (f.n == 0) return 0;
  strbuf_puts(b, "The posterior is improper: ");
  if (f.n == 1) strbuf_puts(b, "nothing depends on ");
  else strbuf_puts(b, "the density stays as it is when unknowns with flat priors move together, ");
  for (size_t k = 0; k < f.n && k < SHOWN; k++) {
    if (k) strbuf_puts(b, ", ");
    put_coordinate(&t->p, b, f.at[k]);
    if (f.n > 1) strbuf_printf(b, " by %.3g", f.by[k]);
  }
  if (f.n > SHOWN) strbuf_printf(b, " and %zu more", f.n - SHOWN);
  strbuf_printf(b, "%s.  No draws can stand for it: give %s a proper prior, or leave %s out.\n", f.n == 1 ? ", whose prior is flat" : "", f.n == 1 ? "it" : "one of them", f.n == 1 ? "it" : "one");
  return 1;
}

static size_t advise_faults(aim_task *t, strbuf *b) {
  const eval_faults *f = &t->run.faults;
  size_t n = 0;
  const bool markov = method_is(t->plan.method, METHOD_MARKOV);
  /* Values that are weighed, or that a slice is closed in from, may be impossible in any healthy run. */
  const bool weighs = t->plan.method == PLAN_GIBBS || t->plan.method == PLAN_SLICE;
  if (f->guards && !weighs) {
    n++;
    const bool ode = at_ode(t, f->guard_where), factor = f->factor;
    strbuf_printf(b, "%llu time%s%s %s, first at %s; such points have density 0. ", (unsigned long long)f->guards, f->guards == 1 ? "" : "s", markov ? " after warm-up" : "",
                  ode ? "a solve failed" : factor ? "a matrix had no Cholesky factor" : "a value was outside its support or a parameter was invalid", api_place(&t->p.sources, f->guard_where, b->a));
    strbuf_puts(b, ode ? "Steps became too small, or more than `max_steps`: look at the solution near such parameters.\n"
                   : factor ? "Add to the diagonal of a covariance that may be singular up to rounding: `K + diag(rep(1e-6, N))`.\n"
                       : arena_printf(b->a, "%sDeclare the bounds, so that no such point is tried.\n", any_real(t, f->guard_where)));
  }
  if (f->nans) {
    n++;
    const char *at = api_place(&t->p.sources, f->nan_where, b->a);
    strbuf_printf(b, "%llu evaluation%s%s gave NaN%s%s; such points have density 0. Something there is computed outside its domain, such as the root or the logarithm of a negative number.\n",
                  (unsigned long long)f->nans, f->nans == 1 ? "" : "s", markov ? " after warm-up" : "", *at ? ", first at " : "", at);
  }
  if (plan_is_biased(&t->plan)) {
    n++;
    strbuf_printf(b, "These draws are biased: with the acceptance kept at %g / (1 + beta) or more they are of no distribution that the model tells, and there is no evidence. A `floor` is for search; leave it out to draw.\n",
                  t->plan.kernel.floor);
  }
  aim_approximation x;
  if (api_approximation(t, &x)) n += advise_approximation(t, &x, b);
  if ((t->plan.method == PLAN_IMPORTANCE || t->plan.method == PLAN_AIS) && t->run.weight_ess < 100) {
    n++;
    strbuf_printf(b, "The weights of %lld particles are worth %.1f: few particles carry all the weight. %s\n",
                  (long long)t->run.o.particles, t->run.weight_ess,
                  t->plan.method == PLAN_AIS ? "Climb by more rungs, or take more particles." : "Use nuts or mh, or more particles.");
  }
  return n;
}

static size_t advise_missed(const aim_task *t, strbuf *b) {
  double nats;
  const char *chains = missed(&t->run, b->a, &nats);
  if (!chains) return 0;
  strbuf_printf(b, "W0915: %s drew where the posterior has e^-%.0f of the mass, or less, that a trial path before the run found elsewhere. Do not use these draws, whatever R-hat says: "
                   "run with `init = pathfinder` or another seed, and look for what gives the model several modes, such as signs or labels that can be exchanged, or a scale that can vanish.\n", chains, nats);
  return 1;
}

size_t api_advice(aim_task *t, strbuf *b) {
  if (t->advice) {
    strbuf_puts(b, t->advice);
    return t->n_advice;
  }
  /* Independent draws need no convergence, and no statistics for it. */
  const bool markov = method_is(t->plan.method, METHOD_MARKOV);
  arena *mem = b->a;
  const run *r = &t->run;
  size_t chains = (size_t)r->o.chains;
  diagnose_run d = {.chains = chains, .draws = draws_count(r->store, 0), .max_depth = (uint32_t)r->o.max_depth, .delta = r->o.target_accept,
                    .may_search = t->plan.method == PLAN_NUTS && r->o.init != PLAN_INIT_PATHFINDER};
  d.n_invalid = (method_is(t->plan.method, METHOD_MARKOV) && t->plan.method != PLAN_GIBBS && t->plan.method != PLAN_SLICE ? r->faults.guards : 0) + r->faults.nans;
  if (t->plan.method == PLAN_TEMPERING) d.slow = "take more rungs, between which replicas pass more often, or begin at a lower beta";
  const centre_names *names_of = &t->p.centring;
  const char **centred = ARENA_ARRAY(mem, const char *, names_of->ncentred + names_of->nmeasured);
  for (size_t k = 0; k < names_of->ncentred; k++) centred[d.n_centred++] = names_of->centred[k];
  for (size_t k = 0; k < names_of->nmeasured; k++) centred[d.n_centred++] = names_of->measured[k];
  d.centred = centred;
  for (size_t k = 0; k < t->p.nsites; k++) d.noncentred |= t->p.site[k].site->standard;
  double *ebfmi = ARENA_ARRAY(mem, double, chains);
  for (size_t c = 0; c < chains; c++) {
    const chain_state *x = &r->chain[c];
    if (draws_count(r->store, (int)c) < d.draws) d.draws = draws_count(r->store, (int)c);
    d.n_divergent += atomic_load(&x->divergent);
    d.n_max_depth += x->tally.n_max_depth;
    ebfmi[c] = t->plan.method == PLAN_NUTS && t->p.dim ? diagnose_ebfmi(draws_stat_of(r->store, (int)c, DRAWS_ENERGY), draws_count(r->store, (int)c), 1) : NAN;
  }
  d.ebfmi = ebfmi;
  size_t columns = draws_columns(r->store);
  const char **names = ARENA_ARRAY(mem, const char *, columns);
  diagnose_summary *s = ARENA_ARRAY(mem, diagnose_summary, columns);
  bool *discrete = ARENA_ARRAY(mem, bool, columns);
  for (size_t k = 0; markov && k < columns; k++) {
    char buffer[512];
    draws_name(r->store, k, buffer, sizeof buffer);
    names[k] = arena_strndup(mem, buffer, strlen(buffer));
    const summary_row *row = &t->rows[k];
    s[k] = (diagnose_summary){.mean = row->mean, .sd = row->sd, .median = row->q50, .q5 = row->q5, .q95 = row->q95, .rhat = row->rhat,
                              .ess_bulk = row->ess_bulk, .ess_tail = row->ess_tail, .mcse_mean = row->mcse};
    /* Quantiles of draws of a continuous quantity are not all whole. */
    discrete[k] = row->q5 == floor(row->q5) && row->q50 == floor(row->q50) && row->q95 == floor(row->q95);
    if (isnan(row->rhat)) s[k].fault = d.draws < 4 ? DIAGNOSE_FEW : isnan(row->mean) ? DIAGNOSE_NONFINITE : DIAGNOSE_CONSTANT;
  }
  d.n_names = markov ? columns : 0;
  d.names = names;
  d.summaries = s;
  d.discrete = discrete;
  /* What went wrong in the model comes before what it did to the chains. */
  const size_t n = advise_flat(t, b) + advise_faults(t, b) + advise_missed(t, b);
  return markov ? n + diagnose_advise(&d, b) : n;
}

aim_status aim_advice_write(aim_task *t, size_t *findings, aim_write *write, void *user) {
  if (findings) *findings = 0;
  if (!t || t->state != TASK_DONE || !write) return AIM_E_USAGE;
  aim_status st = method_is(t->plan.method, METHOD_MARKOV) ? api_summaries(t) : AIM_OK;
  if (st != AIM_OK) return st;
  arena mem;
  arena_init(&mem, &t->vm->alloc, 0);
  if (ARENA_TRY(&mem) || ARENA_TRY(&t->mem)) {
    arena_free(&mem);
    return AIM_E_MEMORY;
  }
  strbuf b;
  strbuf_init(&b, &mem);
  const size_t n = api_advice(t, &b);
  if (b.n) write(user, b.s, b.n);
  if (findings) *findings = n;
  arena_free(&mem);
  return AIM_OK;
}
