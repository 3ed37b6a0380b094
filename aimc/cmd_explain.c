/* cmd_explain.c: aimc explain: what will be done with a statement, and why. */
#include "aimc/aimc.h"

#include "compiler/ir_cost.h"
#include "compiler/ir_text.h"
#include "vm/api.h"

#include <stdlib.h>
#include <string.h>

static const char *transform(const program_site *s) {
  if (s->discrete) return "-";
  if (s->site->standard) return s->site->formula ? s->site->formula : "standard variate";
  switch ((ir_support)s->site->support) {
  case IR_SUP_REAL: return "identity";
  case IR_SUP_LOWER: return "log(x - lower)";
  case IR_SUP_UPPER: return "log(upper - x)";
  case IR_SUP_INTERVAL: return "logit";
  case IR_SUP_SIMPLEX: return "simplex";
  case IR_SUP_ORDERED: return "ordered";
  case IR_SUP_UNIT_VECTOR: return "sphere";
  case IR_SUP_CORR:
  case IR_SUP_CHOLESKY_CORR: return "partial correlations";
  default: return "Cholesky";
  }
}

static void print_dims(const program_site *s, char *out, size_t size) {
  size_t n = 0;
  out[0] = '\0';
  for (uint32_t k = 0; k < s->rank && n < size; k++)
    n += (size_t)snprintf(out + n, size - n, "%s%lld%s", k ? ", " : "[", (long long)s->dim[k], k + 1 == s->rank ? "]" : "");
}

static void print_sites(const program *p, bool blankets) {
  size_t width = 4;
  for (size_t k = 0; k < p->nsites; k++)
    if (strlen(p->site[k].name) > width) width = strlen(p->site[k].name);
  printf("  %-*s  %-14s %-14s %-21s %-6s%s\n", (int)width, "site", "shape", "support", "transform", "free", blankets ? " blanket" : "");
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    char dims[128];
    print_dims(s, dims, sizeof dims);
    printf("  %-*s  %-14s %-14s %-21s %-6zu%s\n", (int)width, s->name, s->rank ? dims : "scalar", ir_support_name[s->site->support], transform(s),
           s->free * s->batch, !blankets ? "" : s->local ? " local" : " whole model");
  }
  printf("  unconstrained dimension %zu, %zu cells\n", p->dim, p->cells);
}

static void print_cost(const program *p, const char *name, const char *what) {
  ir_fn *fn = p->uncut && !strcmp(p->uncut->name, name) ? p->uncut : ir_fn_find(p->module, name);
  ir_cost_number n;
  if (!fn) return;
  ir_cost c = ir_cost_fn(fn);
  if (!ir_cost_eval(p->module, c, &n)) return;
  printf("  %-28s %s%lld flops, %lld bytes read, %lld written\n", what, c.exact ? "" : "at least ", (long long)n.flops, (long long)n.read,
         (long long)n.written);
}

/* What the passes did, in the order of the lines that they fired on. */
static int by_place(const void *a, const void *b) {
  const ir_remark *x = a, *y = b;
  if (x->where.file != y->where.file) return x->where.file < y->where.file ? -1 : 1;
  if (x->where.off != y->where.off) return x->where.off < y->where.off ? -1 : 1;
  int c = strcmp(x->pass, y->pass);
  return c ? c : strcmp(x->text, y->text);
}

static void print_remarks(program *p) {
  ir_module *m = p->module;
  if (m->nremarks) qsort(m->remark, m->nremarks, sizeof *m->remark, by_place);
  for (uint32_t k = 0; k < m->nremarks; k++) {
    const ir_remark *r = &m->remark[k];
    if (r->where.file == (uint32_t)p->file) printf("  line %-4u %-12s %s%s\n", source_locate(&p->sources, r->where.file, r->where.off).line, r->pass, r->missed ? "not: " : "", r->text);
    else printf("  %-9s %-12s %s%s\n", "", r->pass, r->missed ? "not: " : "", r->text);
  }
}

static void print_engine(const aim_task *t) {
  const exec_engine *e = t->vm->engine;
  exec_account a;
  if (!e->account) {
    printf("  engine %s\n", e->name);
    return;
  }
  e->account(t->model.loaded, &a);
  printf("  engine %s: ", e->name);
  if (a.cached) printf("machine code from the cache, %zu bytes\n", a.object);
  else if (a.made) printf("machine code, %zu bytes, compiled in %.0f ms\n", a.object, 1e3 * a.seconds);
  else if (a.refused) printf("the interpreter; %s\n", a.why[0] ? a.why : "there was no machine code to be had");
  else printf("the interpreter, and machine code when that takes long\n");
}

static const char *reason(const aim_task *t) {
  if (!t->plan.automatic) return "the statement says so";
  return t->plan.method == PLAN_NUTS ? "chosen: every latent is continuous" : "chosen: some latent is discrete";
}

static void explain(aim_task *t, const char *name) {
  program *p = &t->p;
  const plan *pl = &t->plan;
  printf("%s: model %s by %s (%s)\n", name, pl->model->decl->name.name, plan_method_name(pl->method), reason(t));
  if (pl->method == PLAN_NUTS || pl->method == PLAN_MH)
    printf("  %u chains, %u warm-up, %u draws, thin %u, seed %llu\n", pl->chains, pl->warmup, pl->draws, pl->thin, (unsigned long long)pl->seed);
  else if (pl->method == PLAN_IMPORTANCE)
    printf("  %llu particles, %u draws, seed %llu\n", (unsigned long long)pl->particles, pl->draws, (unsigned long long)pl->seed);
  else printf("  %u draws, seed %llu\n", pl->draws, (unsigned long long)pl->seed);
  if (pl->method == PLAN_MH && pl->steps) printf("  %u steps to a transition after warm-up\n", pl->steps);
  if (pl->method == PLAN_NUTS) printf("  target acceptance %g, %s metric\n", pl->target_accept, plan_metric_name(pl->metric));
  print_sites(p, pl->method == PLAN_MH);
  print_cost(p, "prepare", "once, over data alone");
  print_cost(p, "grad", "log density and gradient");
  print_cost(p, "density", "log density");
  for (size_t k = 0; k < p->nsites && pl->method == PLAN_MH; k++) {
    char fn[300], what[330];
    snprintf(fn, sizeof fn, "local.%s", p->site[k].name);
    snprintf(what, sizeof what, "one element of %s", p->site[k].name);
    print_cost(p, fn, what);
  }
  for (size_t k = 0; k < p->noutputs; k++) printf("  %s %s\n", p->output[k].tracked ? "tracks" : "predicts", p->output[k].name);
  print_remarks(p);
  print_engine(t);
}

static int explain_statement(const args *a, aim_program *p, size_t k, size_t chosen) {
  (void)chosen;
  aim_task *t = NULL;
  aim_status st = aim_task_statement(p, k, &t);
  if (st != AIM_OK) {
    fprintf(stderr, "aimc: %s\n", aim_status_text(st));
    return exit_of(st);
  }
  int status = prepare_task(a, t);
  if (status == EXIT_FINE) {
    st = aim_bind(t);
    status = report_task(a, t, st);
    aim_statement s;
    if (st == AIM_OK && aim_statement_get(p, k, &s) == AIM_OK) {
      /* Costs are polynomials in the arena of the task. */
      if (ARENA_TRY(&t->mem)) status = EXIT_HOST;
      else explain(t, s.name);
    }
  }
  aim_task_free(t);
  return status;
}

int cmd_explain(const args *a, aim_vm *vm) {
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  status = each_statement(a, p, explain_statement);
  aim_program_free(p);
  return status;
}
