/* cmd_check.c: aimc check: what is wrong with files, without their data; and with them, what is wrong with kernels (--physics). */
#include "aimc/aimc.h"

#include "vm/physics.h"

#include <math.h>

static const char *plural(size_t n) { return n == 1 ? "" : "s"; }

static const char *const verdicts[] = {[PHYSICS_PASS] = "pass", [PHYSICS_FAIL] = "FAIL", [PHYSICS_BIASED] = "biased", [PHYSICS_VALUE] = "exact"};

static void print_row(const physics_row *r) {
  char beta[32] = "", limit[32] = "";
  if (!isnan(r->beta)) snprintf(beta, sizeof beta, "%.6g", r->beta);
  if (!isnan(r->limit)) snprintf(limit, sizeof limit, "%.2g", r->limit);
  printf("  %-32s %12s  ", r->what, beta);
  if (r->verdict == PHYSICS_VALUE) printf("%20.10f", r->value);
  else printf("%20.3g", r->value);
  printf(" %9s  %s\n", limit, verdicts[r->verdict]);
}

static void print_json(const char *name, const physics_row *r) {
  char beta[32] = "null", limit[32] = "null", value[32] = "null";
  if (isfinite(r->beta)) snprintf(beta, sizeof beta, "%.17g", r->beta);
  if (isfinite(r->limit)) snprintf(limit, sizeof limit, "%.17g", r->limit);
  if (isfinite(r->value)) snprintf(value, sizeof value, "%.17g", r->value);
  printf("{\"statement\": \"%s\", \"check\": \"%s\", \"beta\": %s, \"value\": %s, \"limit\": %s, \"verdict\": \"%s\"}\n", name, r->what, beta, value, limit,
         verdicts[r->verdict]);
}

static void print_physics(const args *a, const aim_task *t, const physics_report *r) {
  const kernel *k = &t->plan.kernel;
  for (size_t i = 0; i < r->rows && a->json; i++) print_json(t->plan.name, &r->row[i]);
  if (a->json || (a->quiet && !r->failed)) return;
  printf("%s: %s of %s", t->plan.name, method_name(t->plan.method), t->plan.model->decl->name.name);
  if (!r->applies) {
    printf(": moves nothing at an inverse temperature, so there is no kernel to check\n");
    return;
  }
  printf(", %s in %s order, %zu element%s, ", kernel_rule_name(k->rule), kernel_order_name(k->order), r->elements, plural(r->elements));
  printf("%s\n", r->spins ? "by local fields" : "by the terms of one element");
  if (r->states) printf("  %zu state%s enumerated\n", r->states, plural(r->states));
  else printf("  not enumerated: %s; %zu changes of single elements compared\n", r->why, r->compared);
  printf("  %-32s %12s  %20s %9s\n", "check", "beta", "value", "limit");
  for (size_t i = 0; i < r->rows; i++) print_row(&r->row[i]);
  if (k->floor > 0)
    printf("  biased: a floor under the acceptance is not reversible, and its limit is not exp(-beta E) / Z; for search only\n");
}

static int check_task(const args *a, aim_task *t, const char *name) {
  physics_report r = {0};
  aim_status st = api_physics(t, &physics_exact, &r);
  if (st != AIM_OK) return report_task(a, t, st);
  print_physics(a, t, &r);
  if (!r.failed) return EXIT_FINE;
  fprintf(stderr, "aimc: %s: %zu check%s failed: this is a bug in AIM %s; please report it with the model and its data\n", name, r.failed, plural(r.failed),
          aim_version());
  return EXIT_BUG;
}

/* Agents and worlds, with what they have of each kind. */
static void print_agents(aim_program *p) {
  if (ARENA_TRY(&p->mem)) return;
  check_program *c = &p->p.check;
  for (size_t i = 0; i < c->file->n; i++) {
    const check_agent *a = check_agent_of(c, c->file->items[i]);
    if (!a) continue;
    printf("  %s %s(", ast_decl_noun(a->decl->kind), a->sym->name);
    for (size_t k = 0; k < a->data->ndata; k++)
      printf("%s%s: %s%s", k ? ", " : "", a->data->data[k]->name, ty_print_full(c, a->data->data[k]->type), a->data->data[k]->param->default_ ? " = ..." : "");
    printf(") -> %zu action%s, %zu state%s, %zu observation%s\n", a->nactions, plural(a->nactions), a->nstates, plural(a->nstates), a->nobservations, plural(a->nobservations));
  }
}

/* A file has statements by its models and those it writes, which alone have a line. */
static void print_contents(aim_program *p, const char *path) {
  size_t models = aim_model_count(p), statements = 0;
  aim_statement s;
  for (size_t i = 0; i < aim_statement_count(p); i++) statements += aim_statement_get(p, i, &s) == AIM_OK && s.line > 0;
  printf("%s: %zu model%s, %zu statement%s\n", path, models, plural(models), statements, plural(statements));
  for (size_t m = 0; m < models; m++) {
    printf("  %s(", aim_model_name(p, m));
    aim_input in;
    for (size_t i = 0; aim_input_get(p, m, i, &in) == AIM_OK; i++)
      printf("%s%s: %s%s", i ? ", " : "", in.name, in.type, in.required ? "" : " = ...");
    printf(")");
    aim_latent l;
    for (size_t i = 0; aim_latent_get(p, m, i, &l) == AIM_OK; i++) printf("%s %s: %s", i ? "," : " ->", l.name, l.type);
    printf("\n");
  }
  print_agents(p);
}

int cmd_check(const args *a, aim_vm *vm) {
  int worst = EXIT_FINE;
  for (size_t k = 0; k < a->n_files; k++) {
    int status;
    aim_program *p = load(a, vm, a->file[k], &status);
    if (p && a->physics) status = each_bound_task(a, p, check_task);
    else if (p && !a->json && !a->quiet) print_contents(p, a->file[k]);
    if (status > worst) worst = status;
    aim_program_free(p);
  }
  return worst;
}
