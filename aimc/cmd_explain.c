/* cmd_explain.c: aimc explain: what will be done with a statement, and why. */
#include "aimc/aimc.h"

#include "compiler/ir_cost.h"
#include "compiler/ir_text.h"
#include "vm/api.h"
#include "vm/mh_walk.h"
#include "vm/spin_order.h"

#include <stdlib.h>
#include <string.h>

static const char *transform(const program_site *s) {
  if (s->discrete) return s->summed ? "summed out" : "-";
  if (s->site->standard) return s->site->formula ? s->site->formula : "standard variate";
  switch ((ir_support)s->site->support) {
  case IR_SUP_REAL: return "identity";
  case IR_SUP_LOWER: return "log(x - lower)";
  case IR_SUP_UPPER: return "log(upper - x)";
  case IR_SUP_INTERVAL: return "logit";
  case IR_SUP_SIMPLEX: return "simplex";
  case IR_SUP_ORDERED: return "ordered";
  case IR_SUP_UNIT_VECTOR: return "sphere";
  case IR_SUP_SUM_TO_ZERO: return "orthonormal basis";
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

/* A remark at its line of the program; 0 for those on text of the library, or on none, which come last. */
typedef struct remark_line {
  const ir_remark *r;
  uint32_t line;
} remark_line;

static int by_line(const void *a, const void *b) {
  const remark_line *x = a, *y = b;
  if (x->line != y->line) return !x->line || (y->line && x->line > y->line) ? 1 : -1;
  int c = strcmp(x->r->pass, y->r->pass);
  if (!c) c = (int)x->r->missed - (int)y->r->missed;
  return c ? c : strcmp(x->r->text, y->r->text);
}

/* What the passes did, in the order of the lines that they fired on.  What fired several times on a line is told once. */
static void print_remarks(program *p) {
  const ir_module *m = p->module;
  remark_line *list = ARENA_ARRAY(p->mem, remark_line, m->nremarks + 1);
  for (uint32_t k = 0; k < m->nremarks; k++) {
    span at = m->remark[k].where;
    list[k] = (remark_line){&m->remark[k], at.file == (uint32_t)p->file ? source_locate(&p->sources, at.file, at.off).line : 0};
  }
  qsort(list, m->nremarks, sizeof *list, by_line);
  for (uint32_t k = 0, n; k < m->nremarks; k += n) {
    const ir_remark *r = list[k].r;
    for (n = 1; k + n < m->nremarks && by_line(&list[k], &list[k + n]) == 0; n++) {}
    if (list[k].line) printf("  line %-4u ", list[k].line);
    else printf("  %-9s ", "library");
    printf("%-12s %s%s", r->pass, r->missed ? "not: " : "", r->text);
    if (n > 1) printf(" (%u times)", n);
    putchar('\n');
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
  if (t->plan.method == PLAN_PRIOR) return "chosen: there is nothing to infer";
  if (t->plan.method == PLAN_GIBBS) return "chosen: a discrete latent cannot be summed out";
  for (size_t k = 0; k < t->p.nsites; k++)
    if (t->p.site[k].summed) return "chosen: what is discrete is finite, and summed out";
  return "chosen: every latent is continuous";
}

/* One element at a time, each by the terms that depend on it. */
static bool by_elements(plan_method m) { return m == PLAN_MH || m == PLAN_GIBBS || m == PLAN_SLICE || m == PLAN_CYCLE; }

/* What moves a site: the method of the statement, or of its part of a cycle. */
static plan_method mover(const plan *pl, const char *site) {
  for (size_t k = 0; k < pl->nparts; k++)
    for (size_t i = 0; i < pl->part[k].n; i++)
      if (strcmp(pl->part[k].name[i], site) == 0) return pl->part[k].method;
  return pl->method;
}

/* How gibbs and slice draw a site. */
static void print_update(const program_site *s, const finite_order *x, bool exact) {
  if (!x->weighed) {
    if (exact && s->joint) printf("multivariate normal conditional, %zu elements drawn together", s->cells);
    else if (exact && s->conjugate) printf("%s conditional, drawn exactly", conjugate_name(s->conjugate));
    else if (s->discrete) printf(s->site->support == IR_SUP_FINITE ? "every value weighed" : "slice of integers");
    else printf("%s%s", s->site->event_rank ? "slices along its coordinates" : "slice", exact && s->given ? ", from statistics of all that stands still" : "");
    return;
  }
  printf("each of %zu values weighed", s->states);
  if (s->batch < 2) return;
  if (x->classes == 1) printf(", all elements at once");
  else if (x->start) printf(", elements at once by %zu colours", x->classes);
  else printf(", one element after the other");
}

/* The plan of a sweep: what is done with each site, by the line where it stands. */
static void print_updates(aim_task *t) {
  program *p = &t->p;
  const plan *pl = &t->plan;
  mh_tables tables;
  run_status st;
  eval_faults faults;
  const char *why;
  if (!mh_tables_make(&tables, &t->model, false, p->mem, &why)) return;
  if (pl->order == KERNEL_COLOURED && !mh_tables_colour(&tables, p->mem, &t->vm->alloc, &st, &faults)) return;
  printf("  elements are visited in %s order\n", kernel_order_name(pl->order));
  for (size_t k = 0; k < pl->nparts; k++) {
    printf("  part %zu is %s of", k + 1, method_name(pl->part[k].method));
    for (size_t i = 0; i < pl->part[k].n; i++) printf("%s %s", i ? "," : "", pl->part[k].name[i]);
    putchar('\n');
  }
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    const plan_method m = mover(pl, s->name);
    printf("  line %-4u %-12s %s: ", source_locate(&p->sources, s->site->where.file, s->site->where.off).line, method_name(m), s->name);
    if (m == PLAN_NUTS) printf("along gradients, with %zu unconstrained coordinates in all", s->block ? p->block[s->block - 1].dim : 0);
    else if (m == PLAN_MH) printf("proposals");
    else print_update(s, &tables.finite[k], m == PLAN_GIBBS);
    putchar('\n');
  }
}

/* How sweeps move: by the kernels of spins where the energy is a quadratic form of them. */
static void print_kernel(aim_task *t) {
  const plan *pl = &t->plan;
  const kernel *k = &pl->kernel;
  printf("  kernel %s, %s order", kernel_rule_name(k->rule), kernel_order_name(k->order));
  if (k->proposals) printf(", %llu proposals a sweep", (unsigned long long)k->proposals);
  if (k->floor > 0) printf(", acceptance at least %g / (1 + beta): a search, which draws from no distribution", k->floor);
  putchar('\n');
  spin_form f;
  const char *why = NULL;
  if (k->floor > 0 && pl->method == PLAN_TEMPERING) {
    printf("  single elements move, since the least acceptance differs from rung to rung\n");
  } else if (spin_form_find(&t->model, t->p.mem, &f, &why)) {
    if (f.q)
      printf("  the energy counts equal pairs of %zu sites of %zu values: %zu couplings, %s; sweeps keep lists of neighbours\n", f.n, f.q, f.couplings, f.H ? "with fields" : "no fields");
    else printf("  the energy is a quadratic form of %zu spins: %zu couplings, %s%s, %s; sweeps keep their local fields (%s)\n", f.n, f.couplings,
           f.problem.form == RT_SPIN_DENSE ? "as a matrix" : "as lists of neighbours", f.problem.form == RT_SPIN_SPARSE && !f.problem.weight ? " of one weight" : "",
           f.problem.h ? "with fields" : "no fields", kernel_precision_name(k->precision));
    const program_site *s = &t->p.site[0];
    rt_spin_problem lattice;
    if (k->order == KERNEL_COLOURED && pl->method != PLAN_TEMPERING && t->p.nsites == 1 && s->rank == 2 &&
        spin_order_plane(&f, (size_t)s->dim[0], (size_t)s->dim[1], t->p.mem, &lattice))
      printf("  it is a lattice, of which 512 spins are moved at a time\n");
  } else {
    printf("  single elements move, since the energy is no quadratic form of spins: %s\n", why);
  }
}

static void explain(aim_task *t, const char *name) {
  program *p = &t->p;
  const plan *pl = &t->plan;
  printf("%s: model %s by %s (%s)\n", name, pl->model->decl->name.name, method_name(pl->method), reason(t));
  if (method_is(pl->method, METHOD_MARKOV))
    printf("  %u chains, %u warm-up, %u draws, thin %u, seed %llu\n", pl->chains, pl->warmup, pl->draws, pl->thin, (unsigned long long)pl->seed);
  else if (pl->method == PLAN_IMPORTANCE)
    printf("  %llu particles, %u draws, seed %llu\n", (unsigned long long)pl->particles, pl->draws, (unsigned long long)pl->seed);
  else if (pl->method == PLAN_ANNEAL) printf("  %u replicas, seed %llu\n", pl->kernel.replicas, (unsigned long long)pl->seed);
  else if (pl->method == PLAN_AIS || pl->method == PLAN_POPULATION)
    printf("  %llu particles, seed %llu\n", (unsigned long long)pl->particles, (unsigned long long)pl->seed);
  else printf("  %u draws, seed %llu\n", pl->draws, (unsigned long long)pl->seed);
  if (pl->method == PLAN_MH && pl->steps) printf("  %u steps to a transition after warm-up\n", pl->steps);
  if (pl->method == PLAN_NUTS) printf("  target acceptance %g, %s metric\n", pl->target_accept, plan_metric_name(pl->metric));
  if (pl->schedule) print_kernel(t);
  print_sites(p, by_elements(pl->method));
  for (size_t k = 0; k < p->nmissing; k++)
    printf("  %s: %lld %s, %s: %s\n", p->missing[k].name, (long long)p->missing[k].n, p->missing[k].given ? "not given" : "missing", p->missing[k].gap,
           p->missing[k].given ? "what is moved of it" : p->missing[k].latent ? "unknowns of the model, which reads them" : "drawn afterwards, as nothing reads them");
  print_cost(p, "prepare", "once, over data alone");
  print_cost(p, "grad", "log density and gradient");
  print_cost(p, "density", "log density");
  if (by_elements(pl->method) && pl->method != PLAN_MH) print_updates(t);
  for (size_t k = 0; k < p->nsites && by_elements(pl->method); k++) {
    char fn[300], what[330];
    snprintf(fn, sizeof fn, "local.%s", p->site[k].name);
    snprintf(what, sizeof what, "one element of %s", p->site[k].name);
    print_cost(p, fn, what);
  }
  for (size_t k = 0; k < p->noutputs; k++) printf("  %s %s\n", p->output[k].tracked ? "tracks" : "predicts", p->output[k].name);
  print_remarks(p);
  print_engine(t);
}

static int explain_task(const args *a, aim_task *t, const char *name) {
  if (t->plan.agent) return agent_explain(a, t, name);
  const int status = bind_task(a, t);
  if (status != EXIT_FINE) return status;
  /* Costs are polynomials in the arena of the task. */
  if (ARENA_TRY(&t->mem)) {
    fputs("aimc: memory is exhausted\n", stderr);
    return EXIT_HOST;
  }
  explain(t, name);
  return EXIT_FINE;
}

int cmd_explain(const args *a, aim_vm *vm) {
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  status = each_task(a, p, explain_task);
  aim_program_free(p);
  return status;
}
