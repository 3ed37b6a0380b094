/* run_json.c: run.json as text. */
#include "vm/run_json.h"

#include "compiler/method.h"
#include "lang/json_text.h"
#include "vm/file.h"
#include "vm/number_text.h"

#include <math.h>
#include <string.h>

/* A JSON text being written: what separates the next member, and how deep it stands. */
typedef struct json_out {
  strbuf b;
  bool first;
  int depth;
} json_out;

static void text(json_out *o, const char *s) { json_put_text(&o->b, s); }

static void member(json_out *o, const char *key) {
  strbuf_puts(&o->b, o->first ? "\n" : ",\n");
  o->first = false;
  for (int i = 0; i < o->depth; i++) strbuf_puts(&o->b, "  ");
  if (!key) return;
  text(o, key);
  strbuf_puts(&o->b, ": ");
}

static void open_group(json_out *o, const char *key, char bracket) {
  if (o->depth) member(o, key);
  strbuf_putc(&o->b, bracket);
  o->first = true;
  o->depth++;
}

static void close_group(json_out *o, char bracket) {
  bool empty = o->first;
  o->depth--;
  o->first = true;
  if (!empty) member(o, NULL);
  strbuf_putc(&o->b, bracket);
  o->first = false;
}

static void put_text(json_out *o, const char *key, const char *s) {
  member(o, key);
  if (s) text(o, s);
  else strbuf_puts(&o->b, "null");
}

static void put_real(json_out *o, const char *key, double x) {
  char number[NUMBER_TEXT_SIZE];
  number_text(number, x);
  member(o, key);
  strbuf_puts(&o->b, isfinite(x) ? number : "null");
}

static void put_int(json_out *o, const char *key, int64_t n) {
  member(o, key);
  strbuf_printf(&o->b, "%lld", (long long)n);
}

static void put_bool(json_out *o, const char *key, bool yes) {
  member(o, key);
  strbuf_puts(&o->b, yes ? "true" : "false");
}

static void put_chain(json_out *o, const run_chain *c, bool nuts, bool markov) {
  open_group(o, NULL, '{');
  put_int(o, "chain", c->chain);
  put_text(o, "file", c->file);
  put_int(o, "draws", c->draws);
  if (nuts) put_real(o, "stepsize", c->stepsize);
  if (nuts && c->metric) put_text(o, "metric", c->metric);
  if (markov) put_real(o, "accept_stat", c->accept_stat);
  if (nuts) {
    put_int(o, "leapfrogs", c->leapfrogs);
    put_int(o, "divergent", c->divergent);
    put_int(o, "max_treedepth_hits", c->max_treedepth_hits);
    put_real(o, "ebfmi", c->ebfmi);
  }
  put_real(o, "warmup_seconds", c->warmup_seconds);
  put_real(o, "sampling_seconds", c->sampling_seconds);
  close_group(o, '}');
}

static void put_levels(json_out *o, const run_info *info) {
  open_group(o, "levels", '{');
  for (size_t i = 0; i < info->n_levels; i++) {
    open_group(o, info->levels[i].name, '[');
    for (size_t k = 0; k < info->levels[i].n; k++) put_text(o, NULL, info->levels[i].text[k]);
    close_group(o, ']');
  }
  close_group(o, '}');
}

static void put_diagnostics(json_out *o, const run_info *info) {
  open_group(o, "diagnostics", '{');
  put_real(o, "max_rhat", info->max_rhat);
  put_text(o, "worst", info->worst);
  put_real(o, "min_ess_bulk", info->min_ess_bulk);
  put_real(o, "min_ess_tail", info->min_ess_tail);
  close_group(o, '}');
}

/* A line of the text for each. */
static void put_advice(json_out *o, const char *text, arena *a) {
  open_group(o, "advice", '[');
  for (const char *end; (end = strchr(text, '\n')); text = end + 1)
    if (end > text) put_text(o, NULL, arena_strndup(a, text, (size_t)(end - text)));
  close_group(o, ']');
}

static void put_given(json_out *o, const run_info *info, arena *a) {
  open_group(o, "given", '{');
  open_group(o, "data", '[');
  for (size_t k = 0; k < info->n_given; k++)
    if (!info->given[k].option) put_text(o, NULL, info->given[k].value);
  close_group(o, ']');
  open_group(o, "options", '[');
  for (size_t k = 0; k < info->n_given; k++)
    if (info->given[k].option) put_text(o, NULL, arena_printf(a, "%s=%s", info->given[k].option, info->given[k].value));
  close_group(o, ']');
  put_bool(o, "any_path", info->any_path);
  put_text(o, "fingerprint", arena_printf(a, "%016llx", (unsigned long long)info->fingerprint));
  close_group(o, '}');
}

/* seconds: that waiting for machine code took, beside the run or before it. */
static void put_account(json_out *o, const exec_account *a) {
  open_group(o, "engine", '{');
  put_int(o, "interpreted_calls", (int64_t)a->interpreted);
  put_int(o, "compiled_calls", (int64_t)a->compiled);
  put_int(o, "cached", a->cached);
  put_int(o, "compiled", a->made);
  put_int(o, "refused", a->refused);
  put_int(o, "declined", a->declined);
  put_real(o, "seconds", a->seconds);
  put_int(o, "bytes", (int64_t)a->object);
  if (a->why[0]) put_text(o, "why", a->why);
  close_group(o, '}');
}

static void put_memo(json_out *o, const exec_memo *m) {
  open_group(o, "memo", '{');
  put_int(o, "asked", (int64_t)m->asked);
  put_int(o, "found", (int64_t)m->found);
  put_int(o, "dropped", (int64_t)m->dropped);
  close_group(o, '}');
}

char *run_json_text(const run_info *info, arena *a) {
  json_out out = {.first = true}, *o = &out;
  const plan_method method = method_find(info->method); /* none for a verb */
  const bool nuts = method == PLAN_NUTS, mh = method == PLAN_MH, markov = method_is(method, METHOD_MARKOV);
  strbuf_init(&o->b, a);
  open_group(o, NULL, '{');
  put_text(o, "name", info->name);
  put_text(o, "model", info->model);
  put_text(o, "file", info->file);
  open_group(o, "data", '[');
  for (size_t i = 0; i < info->n_data; i++) put_text(o, NULL, info->data[i]);
  close_group(o, ']');
  put_text(o, "method", info->method);
  put_text(o, "version", info->version);
  put_text(o, "build", info->build);
  if (info->account) put_account(o, info->account);
  if (info->memo) put_memo(o, info->memo);
  if (info->started) put_text(o, "started", info->started);
  put_bool(o, "interrupted", info->interrupted);
  if (info->biased) put_bool(o, "biased", true);
  member(o, "seed");
  strbuf_printf(&o->b, "%llu", (unsigned long long)info->seed);
  put_int(o, "chains", (int64_t)info->n_chains);
  if (markov) put_int(o, "warmup", info->warmup);
  put_int(o, "draws", info->draws);
  if (markov) put_int(o, "thin", info->thin);
  if (mh) put_int(o, "steps", info->steps);
  if (info->until) {
    put_text(o, "until", info->until);
    put_bool(o, "until_met", info->until_met);
  }
  if (info->weighted) {
    put_int(o, "particles", (int64_t)info->particles);
    put_real(o, "effective_particles", info->effective_particles);
  }
  if (info->weighted || info->evidence) {
    put_real(o, "log_evidence", info->log_evidence);
    put_real(o, "log_evidence_se", info->log_evidence_se);
  }
  if (info->paths) {
    put_int(o, "paths", info->paths);
    put_int(o, "paths_agreed", info->paths_agreed);
    put_bool(o, "settled", info->settled);
    if (method != PLAN_PATHFINDER) put_real(o, "mode_log_density", info->mode_lp);
    if (method == PLAN_LAPLACE) {
      put_real(o, "log_evidence", info->log_evidence);
      put_real(o, "effective_particles", info->effective_particles);
    }
    if (method != PLAN_MAP) {
      put_real(o, "pareto_k", info->pareto_k);
      put_int(o, "pareto_draws", (int64_t)info->weights);
    }
  }
  if (info->annealed) {
    const anneal_result *a = info->annealed;
    put_real(o, "best_energy", a->best);
    put_real(o, "mean_energy", a->mean);
    put_int(o, "best_draw", (int64_t)a->replica + 1);
    put_int(o, "reached", (int64_t)a->reached);
    put_int(o, "sweeps", (int64_t)a->sweeps);
  }
  put_int(o, "draws_bytes", (int64_t)info->draws_bytes);
  if (nuts) {
    put_real(o, "target_accept", info->target_accept);
    put_int(o, "max_depth", info->max_depth);
    put_text(o, "metric", info->metric);
    if (info->starts_tried) {
      put_int(o, "starts_tried", info->starts_tried);
      put_int(o, "starts_kept", info->starts_kept);
    }
    if (info->starts_again) put_int(o, "starts_again", info->starts_again);
    open_group(o, "noncentred", '[');
    for (size_t i = 0; i < info->n_noncentred; i++) put_text(o, NULL, info->noncentred[i]);
    close_group(o, ']');
  }
  put_real(o, "total_seconds", info->total_seconds);
  if (info->n_levels) put_levels(o, info);
  if (markov) put_diagnostics(o, info);
  put_advice(o, info->advice ? info->advice : "", a);
  put_given(o, info, a);
  open_group(o, "per_chain", '[');
  for (size_t i = 0; i < info->n_chains; i++) put_chain(o, &info->chain[i], nuts, markov);
  close_group(o, ']');
  close_group(o, '}');
  strbuf_putc(&o->b, '\n');
  return o->b.s;
}

int run_file_write(const char *path, const char *bytes, size_t n, arena *a) {
  return file_replace(path, arena_printf(a, "%s.part", path), bytes, n, FILE_MODE_NEW);
}

int run_json_write(const run_info *info, const char *path, arena *a) {
  const char *s = run_json_text(info, a);
  return run_file_write(path, s, strlen(s), a);
}
