/* program_sums.c: which finite unknowns of a program are summed out (program_sums.h). */
#include "compiler/program_sums.h"

#include "compiler/ir_cost.h"
#include "compiler/sum_out.h"

#include <string.h>

/* Table entries of one evaluation: what is cheap beside what else nuts does, and what somebody may have asked for. */
#define SUMS_CHEAP 5e6
#define SUMS_MOST 2e9
/* From how many operations of one density, of which nuts asks for some ten thousand with their gradients, and states taken together somebody should
 * know: 1e7 are several milliseconds, three times that with the gradient. */
#define SUMS_DEAR 1e7
#define SUMS_WIDE 1000

static bool may_be_summed(const program *p, const program_site *x) {
  bool named = p->nsum_out == 0;
  for (size_t k = 0; k < p->nsum_out; k++) named = named || program_names(p->sum_out[k], x);
  return named;
}

static bool check_sum_out(program *p) {
  for (size_t k = 0; k < p->nsum_out; k++) {
    const program_site *s = NULL;
    for (size_t i = 0; i < p->nsites; i++)
      if (program_names(p->sum_out[k], &p->site[i])) s = &p->site[i];
    if (s && sum_out_finite(p->ir, s->site)) continue;
    diag *d = diag_add(&p->diags, DIAG_ERROR, "E0834", s ? s->site->where : p->model->decl->name.at, "`sum_out` names `%s`, which is not a finite unknown", p->sum_out[k]);
    diag_help(&p->diags, d, "what has a least and a largest integer value can be summed out");
    return false;
  }
  return true;
}

/* Sums over many states at once: each unknown that meets others in one term multiplies what a density costs. */
static void warn_dear(program *p, const sum_out_plan *plan) {
  ir_cost_number n;
  if (plan->widest < SUMS_WIDE || !ir_cost_eval(p->module, ir_cost_fn(plan->collapsed), &n) || (double)n.flops < SUMS_DEAR) return;
  strbuf names;
  strbuf_init(&names, p->mem);
  const program_site *first = NULL;
  for (size_t k = 0; k < p->nsites; k++) {
    if (!p->site[k].summed) continue;
    strbuf_printf(&names, "%s`%s`", first ? ", " : "", p->site[k].of);
    if (!first) first = &p->site[k];
  }
  diag *d = diag_add(&p->diags, DIAG_WARNING, "W0835", first->site->where, "to sum out %s one density takes about %.1g operations, over up to %.0f states together", names.s, (double)n.flops,
                     plan->widest);
  diag_note(&p->diags, d, "a run asks for thousands of gradients, each of which takes some three times as long: it may take hours");
  diag_help(&p->diags, d, "`with gibbs` draws them one by one; fewer states, or a part of the data, make sums shorter");
}

bool program_collapse(program *p, ir_fn *prepare, bool most_likely, ir_fn **model, ir_fn **recovery) {
  bool *summed = ARENA_ARRAY(p->mem, bool, p->ir->nsites + 1), any = false;
  *model = p->ir;
  *recovery = NULL;
  p->unsummed = NULL;
  if (p->sums == SUMS_NONE) return true;
  if (!check_sum_out(p)) return false;
  sum_out_plan plan = {.why = NULL};
  for (size_t k = 0; k < p->nsites && !plan.why; k++) {
    const ir_site *s = p->site[k].site;
    if (!p->site[k].discrete) continue;
    any = p->site[k].summed = summed[s->number] = true;
    if (!sum_out_finite(p->ir, s)) plan.why = arena_printf(p->mem, "`%s` has no largest or no smallest value", s->name);
    else if (!may_be_summed(p, &p->site[k])) plan.why = arena_printf(p->mem, "`%s` is not named by `sum_out`", p->site[k].of);
    plan.where = s->where;
  }
  if (!any) return true;
  if (!plan.why && sum_out(p->module, p->ir, prepare, summed, p->sums == SUMS_TRY ? SUMS_CHEAP : SUMS_MOST, most_likely, &plan)) {
    *model = plan.collapsed;
    *recovery = plan.recovery;
    warn_dear(p, &plan);
    return ir_verify_after(plan.collapsed, "sum out") && ir_verify_after(plan.recovery, "sum out");
  }
  p->unsummed = plan.why;
  p->unsummed_at = plan.where;
  if (p->sums == SUMS_TRY) return false;
  diag *d = diag_add(&p->diags, DIAG_ERROR, "E0833", plan.where, "the finite unknowns of this model cannot be summed out, which nuts needs");
  diag_note(&p->diags, d, "%s", plan.why);
  for (size_t k = 0; k < p->nmissing; k++) {
    const lower_missing *x = &p->missing[k];
    if (!x->latent || x->given) continue;
    diag_note(&p->diags, d, "`%s` has %lld missing value%s, which the model reads elsewhere: %s unknown%s as well", x->name, (long long)x->n, x->n == 1 ? "" : "s", x->n == 1 ? "it is" : "they are",
              x->n == 1 ? "" : "s");
  }
  diag_help(&p->diags, d, "`with gibbs` draws them one by one, each given everything else");
  return false;
}
