/* api_loo.c: pointwise log likelihoods of aim.h, and what follows from them. */
#include "vm/api.h"

#include "vm/number_text.h"

#include <math.h>
#include <string.h>

static bool ready(const aim_task *t) { return t && t->state == TASK_DONE && t->pointwise; }

size_t aim_observed_count(const aim_task *t) { return ready(t) ? t->p.nloglik : 0; }

aim_status aim_observed_get(const aim_task *t, size_t k, aim_observed *out) {
  if (k >= aim_observed_count(t)) return AIM_E_USAGE;
  const program_loglik *l = &t->p.loglik[k];
  *out = (aim_observed){.name = l->name, .rank = (int)l->rank, .cells = l->cells};
  memcpy(out->dims, l->dim, l->rank * sizeof *l->dim);
  return AIM_OK;
}

/* ---- @loglik at every draw */

static size_t values_of(const aim_task *t) { return t->n_observed * (size_t)t->run.o.chains * t->loglik_draws; }

typedef struct loglik_job {
  aim_task *t;
  double *out;       /* as aim_task.loglik */
  exec_cell *frame;  /* [threads][cells] */
  double *values;    /* [threads][n_observed] */
  const bool *gap;   /* [n_observed] missing, and an unknown like others: no observation */
  _Atomic int failed;
} loglik_job;

/* The latents of a draw, which are all kept and stand first in the store. */
static void put_frame(const aim_task *t, int chain, size_t draw, exec_cell *frame) {
  const program *p = &t->p;
  if (draws_shared(t->run.store)) {
    draws_frame(t->run.store, chain, draw, frame);
    return;
  }
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    draws_cells(t->run.store, chain, draw, k, &frame[s->at].real);
    for (size_t i = 0; i < s->cells && s->site->type.elem != IR_REAL; i++) frame[s->at + i].integer = (int64_t)frame[s->at + i].real;
  }
}

static void one_chain(void *ctx, size_t chain, size_t thread, eval_worker *w) {
  loglik_job *j = ctx;
  aim_task *t = j->t;
  exec_cell *frame = j->frame + thread * t->p.cells;
  double *values = j->values + thread * t->n_observed;
  const size_t draws = t->loglik_draws, chains = (size_t)t->run.o.chains;
  for (size_t d = 0; d < draws; d++) {
    put_frame(t, (int)chain, d, frame);
    if (!eval_loglik(w, frame, values)) {
      atomic_store(&j->failed, 1);
      return;
    }
    for (size_t k = 0; k < t->n_observed; k++) j->out[(k * chains + chain) * draws + d] = j->gap[k] ? 0.0 : values[k];
  }
}

static aim_status refuse(aim_task *t, const char *code, const char *help, const char *what) {
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, code, t->plan.model->decl->name.at, "%s", what);
  if (help) diag_help(&t->p.diags, d, "%s", help);
  return AIM_E_PROGRAM;
}

/* How many values there are, and that they may be had. */
static aim_status count_values(aim_task *t) {
  const program *p = &t->p;
  const size_t chains = (size_t)t->run.o.chains;
  size_t n = 0, draws = SIZE_MAX;
  for (size_t k = 0; k < p->nloglik; k++) n += p->loglik[k].cells;
  for (size_t c = 0; c < chains; c++)
    if (draws_count(t->run.store, (int)c) < draws) draws = draws_count(t->run.store, (int)c);
  if (n == 0 || draws == 0) return refuse(t, "E0936", NULL, n ? "there is no draw at which to evaluate the likelihood" : "the model observes nothing, so there is no pointwise likelihood");
  t->n_observed = n;
  t->loglik_draws = draws;
  return AIM_OK;
}

static double *take_values(const aim_task *t) {
  const double bytes = 8.0 * (double)t->n_observed * (double)t->loglik_draws * (double)t->run.o.chains, limit = (double)t->vm->config.memory;
  return bytes < 0x1p62 && !(limit > 0 && bytes > limit) ? alloc_get(&t->vm->alloc, values_of(t), sizeof(double)) : NULL;
}

static aim_status too_many(aim_task *t) {
  const size_t draws = t->loglik_draws * (size_t)t->run.o.chains;
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0935", t->plan.model->decl->name.at, "%zu pointwise log likelihoods at %zu draws would need %.1f GB", t->n_observed, draws,
                     8e-9 * (double)t->n_observed * (double)draws);
  diag_help(&t->p.diags, d, "keep fewer draws, by `draws` or `thin`");
  return AIM_E_MEMORY;
}

/* Which places of the observed sites are of missing values.  Of one in a vector the rest was seen. */
static bool *gaps_of(aim_task *t) {
  const program *p = &t->p;
  bool *gap = ARENA_ARRAY(&t->mem, bool, t->n_observed + 1);
  size_t at = 0;
  for (size_t k = 0; k < p->nloglik; at += p->loglik[k++].cells)
    for (size_t m = 0; m < p->nmissing; m++) {
      const program_loglik *l = &p->loglik[k];
      const lower_missing *x = &p->missing[m];
      const ir_site *s = ir_site_find(p->ir, l->name);
      if (!s || strcmp(x->name, l->name) != 0 || s->type.rank != l->rank) continue;
      for (int64_t i = 0; i < x->n; i++) {
        size_t cell = 0;
        for (uint32_t a = 0; a < l->rank; a++) cell = cell * (size_t)l->dim[a] + (size_t)x->at[i * l->rank + a];
        gap[at + cell] = true;
      }
    }
  return gap;
}

aim_status api_loglik(aim_task *t) {
  if (t->loglik) return AIM_OK;
  run *r = &t->run;
  if (t->plan.method == PLAN_PRIOR) return refuse(t, "E0936", "draw from the posterior, `with nuts` say", "draws from the prior have not seen the observations");
  for (size_t k = 0; k < t->p.nsites; k++)
    if (!r->kept[k])
      return refuse(t, "E0936", "leave `save` away", "the likelihood of an observation needs all latents, and `save` leaves some out");
  aim_status st = count_values(t);
  if (st != AIM_OK) return st;
  const size_t chains = (size_t)r->o.chains, threads = run_threads(r, chains);
  loglik_job j = {.t = t, .frame = ARENA_ARRAY(&t->mem, exec_cell, threads * t->p.cells), .values = ARENA_ARRAY(&t->mem, double, threads * t->n_observed), .gap = gaps_of(t)};
  if (!(j.out = take_values(t))) return too_many(t);
  run_status rs = run_jobs(r, chains, one_chain, &j);
  if (rs == RUN_OK && !atomic_load(&j.failed)) {
    t->loglik = j.out;
    return AIM_OK;
  }
  alloc_put(&t->vm->alloc, j.out, values_of(t) * sizeof *j.out);
  return rs != RUN_OK ? api_status(rs) : refuse(t, "E0936", NULL, "the likelihood of some observation stops at an index out of range");
}

static aim_status loglik_made(aim_task *t) { return ARENA_TRY(&t->mem) ? AIM_E_MEMORY : api_loglik(t); }

const double *aim_loglik(aim_task *t, int chain, size_t observed, size_t cell, size_t *draws) {
  aim_observed o;
  if (chain < 0 || chain >= aim_chain_count(t) || aim_observed_get(t, observed, &o) != AIM_OK || cell >= o.cells) return NULL;
  if (loglik_made(t) != AIM_OK) return NULL;
  for (size_t k = 0; k < observed; k++) cell += t->p.loglik[k].cells;
  *draws = t->loglik_draws;
  return t->loglik + (cell * (size_t)t->run.o.chains + (size_t)chain) * t->loglik_draws;
}

/* ---- leaving one out */

enum { BLOCK = 32, SHOWN = 8 };

typedef struct loo_job {
  aim_task *t;
  double *work;      /* [threads][doubles] */
  size_t doubles;
} loo_job;

static void some_observations(void *ctx, size_t block, size_t thread, eval_worker *w) {
  (void)w;
  loo_job *j = ctx;
  aim_task *t = j->t;
  const size_t chains = (size_t)t->run.o.chains, draws = t->loglik_draws;
  for (size_t k = block * BLOCK; k < t->n_loo && k < (block + 1) * BLOCK; k++)
    loo_observe(t->loglik + t->loo_place[k] * chains * draws, chains, draws, draws, (double)NAN, j->work + thread * j->doubles, &t->loo[k]);
}

/* No statement observes an element whose term is 0 at every draw. */
static bool observed(const aim_task *t, size_t k) {
  const size_t n = (size_t)t->run.o.chains * t->loglik_draws;
  for (size_t i = 0; i < n; i++)
    if (t->loglik[k * n + i] != 0) return true;
  return false;
}

static aim_status make_loo(aim_task *t) {
  if (t->loo) return AIM_OK;
  aim_status st = api_loglik(t);
  if (st != AIM_OK) return st;
  const size_t chains = (size_t)t->run.o.chains;
  t->loo_place = ARENA_ARRAY(&t->mem, size_t, t->n_observed);
  t->n_loo = 0;
  for (size_t k = 0; k < t->n_observed; k++)
    if (observed(t, k)) t->loo_place[t->n_loo++] = k;
  if (t->n_loo < 2 || t->loglik_draws < 4) return refuse(t, "E0936", NULL, "leaving one out takes at least 2 observations and 4 draws of each chain");
  const size_t jobs = (t->n_loo + BLOCK - 1) / BLOCK, threads = run_threads(&t->run, jobs);
  loo_job j = {.t = t, .doubles = loo_doubles(chains, t->loglik_draws)};
  if (j.doubles == 0) return AIM_E_MEMORY;
  loo_point *points = ARENA_ARRAY(&t->mem, loo_point, t->n_loo);
  j.work = ARENA_ARRAY(&t->mem, double, threads * j.doubles);
  t->loo = points;
  run_status rs = run_jobs(&t->run, jobs, some_observations, &j);
  if (rs != RUN_OK) t->loo = NULL;
  return rs == RUN_OK ? AIM_OK : api_status(rs);
}

static aim_status loo_total_of(aim_task *t, loo_total *x) {
  if (!ready(t)) return AIM_E_USAGE;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  aim_status st = make_loo(t);
  if (st == AIM_OK) loo_sum(t->loo, t->n_loo, (size_t)t->run.o.chains * t->loglik_draws, x);
  return st;
}

aim_status aim_loo_get(aim_task *t, aim_loo *out) {
  loo_total x;
  aim_status st = loo_total_of(t, &x);
  if (st == AIM_OK)
    *out = (aim_loo){x.n, x.n_bad, x.elpd, x.elpd_se, x.p, x.p_se, x.waic, x.waic_se, x.p_waic, x.p_waic_se, x.threshold, x.max_k};
  return st;
}

aim_status aim_loo_points(aim_task *t, const double **elpd, const double **k) {
  loo_total x;
  aim_status st = loo_total_of(t, &x);
  if (st != AIM_OK) return st;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  double *e = ARENA_ARRAY(&t->mem, double, t->n_loo), *s = ARENA_ARRAY(&t->mem, double, t->n_loo);
  for (size_t i = 0; i < t->n_loo; i++) e[i] = t->loo[i].elpd, s[i] = t->loo[i].k;
  if (elpd) *elpd = e;
  if (k) *k = s;
  return AIM_OK;
}

/* "y[3, 2]": an observation by its place among those of all sites. */
static void put_name(strbuf *b, const program *p, size_t place) {
  size_t k = 0;
  while (place >= p->loglik[k].cells) place -= p->loglik[k++].cells;
  const program_loglik *l = &p->loglik[k];
  int64_t at[IR_MAX_RANK];
  for (uint32_t i = l->rank; i-- > 0;) {
    at[i] = (int64_t)(place % (size_t)l->dim[i]) + 1;
    place /= (size_t)l->dim[i];
  }
  strbuf_puts(b, l->name);
  for (uint32_t i = 0; i < l->rank; i++) strbuf_printf(b, "%s%lld", i ? "," : "[", (long long)at[i]);
  if (l->rank) strbuf_putc(b, ']');
}

/* By which observations are shown: nothing is worse than no k. */
static double badness(const loo_point *p) { return isnan(p->k) ? (double)INFINITY : p->k; }

/* The observations of the largest k above the threshold, the largest first. */
static void put_worst(strbuf *b, const aim_task *t, const loo_total *x) {
  size_t shown = 0, last = SIZE_MAX;
  for (; shown < SHOWN && shown < x->n_bad; shown++) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < t->n_loo; i++) {
      const double k = badness(&t->loo[i]), before = last == SIZE_MAX ? (double)INFINITY : badness(&t->loo[last]);
      const bool told = last != SIZE_MAX && (k > before || (k == before && i <= last));
      if (k > x->threshold && !told && (best == SIZE_MAX || k > badness(&t->loo[best]))) best = i;
    }
    strbuf_puts(b, shown ? ", " : ": ");
    put_name(b, &t->p, t->loo_place[best]);
    const double k = t->loo[best].k;
    strbuf_printf(b, isnan(k) ? " undefined" : isinf(k) ? " infinite" : " %.2f", k);
    last = best;
  }
  if (shown < x->n_bad) strbuf_printf(b, " and %zu more", x->n_bad - shown);
}

/* What the likelihood of an observation takes as known though a reader may expect it to be summed out. */
static void put_given(strbuf *b, const program *p) {
  size_t n = 0;
  for (size_t k = 0; k < p->nsites; k++)
    if (p->site[k].discrete) strbuf_printf(b, "%s%s", n++ ? ", " : "\nfor observations given the draws of ", p->site[k].name);
  if (n) strbuf_puts(b, ": a mixture whose labels are summed out has other figures\n");
}

aim_status aim_loo_write(aim_task *t, aim_write *write, void *user) {
  loo_total x;
  aim_status st = write ? loo_total_of(t, &x) : AIM_E_USAGE;
  if (st != AIM_OK) return st;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  strbuf b;
  strbuf_init(&b, &t->mem);
  strbuf_printf(&b, "%zu observations", x.n);
  for (size_t k = 0; k < t->p.nloglik; k++) strbuf_printf(&b, "%s%s", k ? ", " : " of ", t->p.loglik[k].name);
  strbuf_printf(&b, ", %zu draws\n\n            estimate      SE\n", (size_t)t->run.o.chains * t->loglik_draws);
  const struct { const char *name; double value, se; } rows[] = {
      {"elpd_loo", x.elpd, x.elpd_se}, {"p_loo", x.p, x.p_se}, {"elpd_waic", x.waic, x.waic_se}, {"p_waic", x.p_waic, x.p_waic_se}};
  for (size_t k = 0; k < 4; k++) {
    strbuf_printf(&b, "%-10s", rows[k].name);
    if (isfinite(rows[k].value)) strbuf_printf(&b, "%10.1f%8.1f\n", rows[k].value, rows[k].se);
    else strbuf_puts(&b, "         -       -\n");
  }
  put_given(&b, &t->p);
  if (x.n_bad == 0) {
    strbuf_printf(&b, "\nPareto k of every observation is below %.2f: the estimates can be trusted\n", x.threshold);
  } else {
    strbuf_printf(&b, "\nPareto k above %.2f for %zu of %zu observations", x.threshold, x.n_bad, x.n);
    put_worst(&b, t, &x);
    strbuf_puts(&b, "\n  the posterior changes much when one of these is left out, and elpd_loo is not to be trusted: fit without them to see, or look at the model there\n");
  }
  write(user, b.s, b.n);
  return AIM_OK;
}
