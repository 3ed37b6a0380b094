/* api_draws.c: draws and summaries of aim.h. */
#include "vm/api.h"

#include "vm/psis.h"

#include <math.h>
#include <string.h>

static bool done(const aim_task *t) { return t && t->state == TASK_DONE; }

/* Kept quantities are counted over latents, then outputs.  The k-th of them as a place among all, or -1. */
static size_t place_of(const aim_task *t, size_t quantity) {
  size_t n = t->p.nsites + t->p.noutputs;
  for (size_t k = 0; k < n; k++)
    if (t->run.kept[k] && quantity-- == 0) return k;
  return (size_t)-1;
}

size_t aim_quantity_count(const aim_task *t) {
  size_t count = 0;
  for (size_t k = 0; done(t) && k < t->p.nsites + t->p.noutputs; k++) count += t->run.kept[k];
  return count;
}

aim_status aim_quantity_get(const aim_task *t, size_t quantity, aim_quantity *out) {
  size_t k = done(t) ? place_of(t, quantity) : (size_t)-1;
  if (k == (size_t)-1) return AIM_E_USAGE;
  const int64_t *dim;
  if (k < t->p.nsites) {
    const program_site *s = &t->p.site[k];
    *out = (aim_quantity){s->name, s->replica ? AIM_PREDICTED : AIM_LATENT, s->discrete, (int)s->rank, {0}, s->cells};
    dim = s->dim;
  } else {
    const program_output *o = &t->p.output[k - t->p.nsites];
    *out = (aim_quantity){o->name, o->tracked ? AIM_TRACKED : AIM_PREDICTED, o->elem != IR_REAL, (int)o->rank, {0}, o->cells};
    dim = o->dim;
  }
  memcpy(out->dims, dim, (size_t)out->rank * sizeof *dim);
  return AIM_OK;
}

size_t aim_quantity_find(const aim_task *t, const char *name) {
  aim_quantity q;
  for (size_t k = 0; name && aim_quantity_get(t, k, &q) == AIM_OK; k++)
    if (strcmp(q.name, name) == 0) return k;
  return (size_t)-1;
}

int aim_chain_count(const aim_task *t) { return done(t) ? (int)t->run.o.chains : 0; }

const char *aim_chain_metric(const aim_task *t, int chain) {
  bool there = chain >= 0 && chain < aim_chain_count(t) && t->plan.method == PLAN_NUTS && t->p.dim;
  return there ? metric_form_name(t->run.chain[chain].tally.form) : NULL;
}

size_t aim_draw_count(const aim_task *t, int chain) {
  return chain >= 0 && chain < aim_chain_count(t) ? draws_count(t->run.store, chain) : 0;
}

const double *aim_draws(const aim_task *t, int chain, size_t quantity, size_t cell) {
  aim_quantity q;
  if (chain < 0 || chain >= aim_chain_count(t) || aim_quantity_get(t, quantity, &q) != AIM_OK || cell >= q.cells) return NULL;
  return draws_of(t->run.store, chain, draws_column(t->run.store, quantity, cell));
}

aim_status aim_draw_get(const aim_task *t, int chain, size_t draw, size_t quantity, double *out) {
  aim_quantity q;
  if (draw >= aim_draw_count(t, chain) || aim_quantity_get(t, quantity, &q) != AIM_OK) return AIM_E_USAGE;
  draws_cells(t->run.store, chain, draw, quantity, out);
  return AIM_OK;
}

const double *aim_stats(const aim_task *t, int chain, aim_stat stat) {
  if (chain < 0 || chain >= aim_chain_count(t) || (int)stat < 0 || (int)stat >= DRAWS_N_STATS) return NULL;
  return draws_stat_of(t->run.store, chain, (draws_stat)stat);
}

/* ---- summaries */

void api_rows(aim_task *t) {
  const run *r = &t->run;
  size_t n;
  summary_row *rows = summary_compute(r->store, &t->mem, &n);
  if (r->moments) summary_weigh(rows, n, r->store, r->moments, r->weight_ess);
  t->rows = rows;
  t->n_rows = n;
}

aim_status api_summaries(aim_task *t) {
  if (t->rows) return AIM_OK;
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  api_rows(t);
  return AIM_OK;
}

aim_status aim_summarise(aim_task *t, size_t quantity, size_t cell, aim_summary *out) {
  aim_quantity q;
  if (!done(t) || aim_quantity_get(t, quantity, &q) != AIM_OK || cell >= q.cells) return AIM_E_USAGE;
  aim_status st = api_summaries(t);
  if (st != AIM_OK) return st;
  const summary_row *r = &t->rows[draws_column(t->run.store, quantity, cell)];
  *out = (aim_summary){r->mean, r->mcse, r->sd, r->q5, r->q50, r->q95, r->ess_bulk, r->ess_tail, r->rhat};
  return AIM_OK;
}

enum { FEW_CELLS = 10, N_RANKS = 5 };

/* What a reader looks for first stands first. */
static int rank_of(const aim_task *t, const summary_row *r) {
  aim_quantity q;
  aim_quantity_get(t, draws_quantity_of(t->run.store, r->column), &q);
  return q.kind == AIM_PREDICTED ? 4 : 2 * (q.cells > FEW_CELLS) + (q.kind == AIM_TRACKED);
}

static bool is_constant(const summary_row *r) { return r->sd == 0 && isnan(r->mcse); }

/* The rows in the order of the table.  Only constants are left out, and not all of them if there is nothing else. */
static summary_row *rows_in_order(const aim_task *t, arena *mem, size_t *n) {
  size_t constant = 0;
  for (size_t k = 0; k < t->n_rows; k++) constant += is_constant(&t->rows[k]);
  summary_row *out = ARENA_ARRAY(mem, summary_row, t->n_rows);
  *n = 0;
  for (int rank = 0; rank < N_RANKS; rank++)
    for (size_t k = 0; k < t->n_rows; k++)
      if ((constant == t->n_rows || !is_constant(&t->rows[k])) && rank_of(t, &t->rows[k]) == rank) out[(*n)++] = t->rows[k];
  return out;
}

aim_status aim_summary_write(aim_task *t, size_t max_rows, aim_write *write, void *user) {
  if (!done(t) || !write) return AIM_E_USAGE;
  aim_status st = api_summaries(t);
  if (st != AIM_OK) return st;
  arena mem;
  arena_init(&mem, &t->vm->alloc, 0);
  if (ARENA_TRY(&mem)) {
    arena_free(&mem);
    return AIM_E_MEMORY;
  }
  strbuf b;
  strbuf_init(&b, &mem);
  const char *where = t->output ? arena_printf(&mem, "%s/summary.tsv", t->output) : NULL;
  size_t n = t->n_rows;
  const summary_row *rows = max_rows ? rows_in_order(t, &mem, &n) : t->rows;
  summary_text(&b, t->run.store, rows, n, max_rows, where);
  if (n < t->n_rows) strbuf_printf(&b, "%zu constant column%s not shown\n", t->n_rows - n, t->n_rows - n == 1 ? " is" : "s are");
  write(user, b.s, b.n);
  arena_free(&mem);
  return AIM_OK;
}

bool api_approximation(const aim_task *t, aim_approximation *out) {
  if (t->run.modes.paths == 0) return false;
  const run_modes_found *m = &t->run.modes;
  const bool weighed = t->run.weight_draws > 0;
  *out = (aim_approximation){m->lp, m->paths, m->agreed, m->settled, weighed ? t->run.weight_k : (double)NAN,
                             weighed ? psis_threshold(t->run.weight_draws) : (double)NAN};
  return true;
}

aim_status aim_approximation_get(const aim_task *t, aim_approximation *out) { return done(t) && api_approximation(t, out) ? AIM_OK : AIM_E_USAGE; }

aim_status aim_evidence_get(const aim_task *t, aim_evidence *out) {
  if (done(t) && t->plan.method == PLAN_LAPLACE) {
    *out = (aim_evidence){t->run.log_evidence, (double)NAN, t->run.weight_ess, (uint64_t)t->run.weight_draws};
    return AIM_OK;
  }
  if (!done(t) || !t->run.has_evidence) return AIM_E_USAGE;
  *out = (aim_evidence){t->run.log_evidence, t->run.log_evidence_se, t->run.weight_ess, (uint64_t)t->run.o.particles};
  return AIM_OK;
}

aim_status aim_annealing_get(const aim_task *t, aim_annealing *out) {
  if (!done(t) || t->plan.method != PLAN_ANNEAL) return AIM_E_USAGE;
  const anneal_result *a = &t->run.annealed;
  *out = (aim_annealing){a->best, a->mean, (uint64_t)t->run.o.draws, a->replica, a->reached, a->sweeps};
  return AIM_OK;
}
