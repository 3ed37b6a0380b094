/* cmd_ir.c: aimc ir: what a model becomes, stage by stage.  Sizes stay symbols, so no data are needed. */
#include "aimc/aimc.h"

#include "compiler/plan.h"
#include "vm/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const stages[] = {"ast", "model", "prepare", "logdens", "grad", "density", "prior", "outputs", "loglik", "collapsed", "recovery", "recover", "local", "tempered", "all"};
enum { N_STAGES = sizeof stages / sizeof stages[0] };

static bool known(const char *stage) {
  for (int k = 0; k < N_STAGES; k++)
    if (strcmp(stages[k], stage) == 0) return true;
  return false;
}

static unsigned needs_of(const char *stage) {
  if (strcmp(stage, "density") == 0) return NEED_DENSITY;
  if (strcmp(stage, "prior") == 0) return NEED_PRIOR;
  if (strcmp(stage, "outputs") == 0 || strcmp(stage, "recover") == 0 || strcmp(stage, "recovery") == 0) return NEED_OUTPUTS;
  if (strcmp(stage, "loglik") == 0) return NEED_LOGLIK;
  if (strcmp(stage, "logdens") == 0) return NEED_LOGDENS;
  if (strcmp(stage, "grad") == 0 || strcmp(stage, "collapsed") == 0) return NEED_GRAD;
  if (strcmp(stage, "local") == 0) return NEED_LOCAL | NEED_NATURAL | NEED_WEIGHTS;
  if (strcmp(stage, "tempered") == 0) return NEED_TEMPERED;
  if (strcmp(stage, "all") != 0 && strcmp(stage, "prepare") != 0) return 0;
  return NEED_DENSITY | NEED_LOGDENS | NEED_GRAD | NEED_PRIOR | NEED_OUTPUTS | NEED_LOGLIK | NEED_LOCAL | NEED_NATURAL | NEED_WEIGHTS;
}

static bool wanted(const char *stage, const program *p, const ir_fn *fn) {
  if (strcmp(stage, "all") == 0) return true;
  if (strcmp(stage, "model") == 0) return fn == p->ir;
  if (strcmp(stage, "local") == 0)
    return strncmp(fn->name, "local.", 6) == 0 || strncmp(fn->name, "bounds.", 7) == 0 || strncmp(fn->name, "point.", 6) == 0 ||
           strncmp(fn->name, "natural", 7) == 0 || strncmp(fn->name, "weights.", 8) == 0 || strncmp(fn->name, "conflicts.", 10) == 0;
  return strcmp(fn->name, stage) == 0;
}

/* Every input without a default counts as given, its cells unknown. */
static void pretend_data(program *p) {
  p->data = ARENA_ARRAY(p->mem, exec_data, p->model->ndata);
  for (size_t k = 0; k < p->model->ndata; k++)
    if (!p->model->data[k]->param || !p->model->data[k]->param->default_) p->data[p->ndata++].name = p->model->data[k]->name;
}

/* The functions of an agent: as they are lowered, or as an engine gets them. */
static bool show_agent(aim_task *t, const char *stage, strbuf *out) {
  program *p = &t->p;
  const plan *pl = &t->plan;
  p->model = agent_data(&p->check, pl->agent, pl->world);
  pretend_data(p);
  const bool lowered = strcmp(stage, "model") == 0;
  if (!program_build_agent(p, pl->agent, pl->world, !lowered)) return false;
  bool any = false;
  for (uint32_t k = 0; k < p->module->nfns; k++) {
    const ir_fn *fn = p->module->fn[k];
    if (!lowered && strcmp(stage, "all") != 0 && strcmp(stage, fn->name) != 0) continue;
    any = true;
    ir_print_fn(fn, out);
    strbuf_putc(out, '\n');
  }
  if (!any) strbuf_printf(out, "# agent %s has no @%s\n", pl->agent->sym->name, stage);
  return true;
}

static bool show(aim_task *t, const char *stage, strbuf *out) {
  program *p = &t->p;
  if (strcmp(stage, "ast") == 0) {
    ast_dump(out, p->check.file);
    strbuf_putc(out, '\n');
    return true;
  }
  if (t->plan.agent) return show_agent(t, stage, out);
  p->model = t->plan.model;
  p->centring = t->plan.centring;
  p->no_statistics = t->plan.plain_sums;
  pretend_data(p);
  unsigned needs = needs_of(stage);
  p->sums = needs & (NEED_GRAD | NEED_LOGDENS | NEED_OUTPUTS) ? SUMS_TRY : SUMS_NONE;
  bool ok = program_build(p, needs);
  if (!ok && p->unsummed) {
    p->sums = SUMS_NONE;
    ok = program_build(p, needs & ~(unsigned)NEED_GRAD);
  }
  if (!ok) return false;
  bool any = false;
  for (uint32_t k = 0; k < p->module->nfns; k++) {
    if (!wanted(stage, p, p->module->fn[k])) continue;
    any = true;
    ir_print_fn(p->module->fn[k], out);
    strbuf_putc(out, '\n');
  }
  if (!any) strbuf_printf(out, "# %s has no @%s\n", p->model->decl->name.name, stage);
  return true;
}

static int print_stage(const args *a, aim_task *t) {
  if (ARENA_TRY(&t->mem)) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  strbuf out;
  strbuf_init(&out, &t->mem);
  bool ok = show(t, a->stage ? a->stage : "model", &out);
  if (ok) fwrite(out.s, 1, out.n, stdout);
  return report_task(a, t, ok ? AIM_OK : t->p.broken ? AIM_E_INTERNAL : AIM_E_PROGRAM);
}

int cmd_ir(const args *a, aim_vm *vm) {
  if (a->stage && !known(a->stage)) {
    fprintf(stderr, "aimc: there is no stage `%s`; stages:", a->stage);
    for (int k = 0; k < N_STAGES; k++) fprintf(stderr, " %s", stages[k]);
    fputc('\n', stderr);
    return EXIT_WRONG;
  }
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  aim_task *t = NULL;
  status = first_task(a, p, &t);
  if (status == EXIT_FINE) status = t->plan.model || t->plan.agent ? print_stage(a, t) : report_task(a, t, aim_bind(t));
  aim_task_free(t);
  aim_program_free(p);
  return status;
}
