/* plan_cycle.c: cycles of methods (plan.h): `cycle(nuts([mu, tau]), gibbs([k]))` moves some unknowns by one method, given the others, and these by the next.
 *
 * Every unknown has to stand in one part, so that the cycle is the posterior's own.  What a part of nuts learns in warm-up is about its unknowns given whatever the others are. */
#include "compiler/plan.h"

#include <string.h>

static const char *const movers[] = {"nuts", "gibbs", "slice", "mh"};
enum { NMOVERS = sizeof movers / sizeof *movers };

static bool wrong(program *p, span at, const char *help, const char *text) {
  diag *d = diag_add(&p->diags, DIAG_ERROR, "E0848", at, "%s", text);
  if (help) diag_help(&p->diags, d, "%s", help);
  return false;
}

bool plan_part_read(program *p, const ast_expr *e, plan_part *out) {
  const char *name = e->kind == EXPR_CALL ? e->call.fn.name : NULL;
  const ast_expr *list = NULL;
  *out = (plan_part){.method = PLAN_AUTO, .at = e->at};
  for (size_t k = 0; name && k < e->call.args.n; k++) {
    const ast_arg *a = &e->call.args.items[k];
    static const char *const whole[] = {"chains", "warmup", "draws", "thin", "seed", "threads", "save"};
    for (size_t i = 0; a->name.name && i < sizeof whole / sizeof *whole; i++)
      if (strcmp(whole[i], a->name.name) == 0) {
        wrong(p, a->at, "write it behind the cycle: `with cycle(...), draws = 1000`", arena_printf(p->mem, "`%s` belongs to the cycle, not to a part of it", a->name.name));
        return false;
      }
    if (!a->name.name) list = a->value;
  }
  if (!name || !list || list->kind != EXPR_ARRAY || list->array.elems.n == 0)
    return wrong(p, e->at, "such as `cycle(nuts([mu, tau]), gibbs([k]))`", "a part of a cycle is a method with a list of the unknowns that it moves");
  size_t k = 0;
  while (k < NMOVERS && strcmp(movers[k], name) != 0) k++;
  if (k == NMOVERS) return wrong(p, e->at, "parts are nuts, gibbs, slice and mh", arena_printf(p->mem, "`%s` cannot be a part of a cycle", name));
  out->method = method_find(name);
  const char **names = ARENA_ARRAY(p->mem, const char *, list->array.elems.n);
  for (size_t i = 0; i < list->array.elems.n; i++) {
    const ast_expr *x = list->array.elems.items[i];
    if (x->kind != EXPR_NAME) return wrong(p, x->at, NULL, "here stands the name of an unknown");
    names[i] = x->name.name;
  }
  out->name = names;
  out->n = list->array.elems.n;
  return true;
}

/* What a part may name: an unknown, or an array of which some elements may be unknown, which only data can tell. */
static const check_site *site_of(const plan *pl, const char *name) {
  for (size_t k = 0; k < pl->model->nsites; k++) {
    const check_site *s = &pl->model->sites[k];
    if (strcmp(s->sym->name, name) == 0) return s->role != IR_PREDICTED && (plan_is_unknown(pl, s) || s->sym->type->rank) ? s : NULL;
  }
  return NULL;
}

static size_t count(const plan *pl, const char *name) {
  size_t n = 0;
  for (size_t k = 0; k < pl->nparts; k++)
    for (size_t i = 0; i < pl->part[k].n; i++) n += strcmp(pl->part[k].name[i], name) == 0;
  return n;
}

/* Once data are bound: what is missing, or given in part, stands in one part, and what has no unknown elements in none. */
bool plan_cycle_bound(program *p, const plan *pl) {
  const span whole = pl->run ? pl->run->at : pl->model->sym->at;
  for (size_t k = 0; k < p->nmissing; k++)
    if (p->missing[k].latent && count(pl, p->missing[k].name) == 0)
      return wrong(p, whole, arena_printf(p->mem, "write `%s` into one of its parts", p->missing[k].name),
                   arena_printf(p->mem, "no part of the cycle moves the elements of `%s` that are unknown", p->missing[k].name));
  for (size_t k = 0; k < pl->nparts; k++)
    for (size_t i = 0; i < pl->part[k].n; i++) {
      bool unknown = plan_is_unknown(pl, site_of(pl, pl->part[k].name[i]));
      for (size_t m = 0; m < p->nmissing && !unknown; m++) unknown = p->missing[m].latent && strcmp(p->missing[m].name, pl->part[k].name[i]) == 0;
      if (!unknown) return wrong(p, pl->part[k].at, NULL, arena_printf(p->mem, "`%s` is no unknown of this run", pl->part[k].name[i]));
    }
  return true;
}

bool plan_cycle_check(program *p, const plan *pl) {
  const span whole = pl->run ? pl->run->at : pl->model->sym->at;
  if (pl->nparts == 0) return wrong(p, whole, "such as `with cycle(nuts([mu, tau]), gibbs([k]))`", "a cycle needs parts");
  for (size_t k = 0; k < pl->nparts; k++) {
    const plan_part *x = &pl->part[k];
    for (size_t i = 0; i < x->n; i++) {
      const check_site *s = site_of(pl, x->name[i]);
      if (!s) return wrong(p, x->at, NULL, arena_printf(p->mem, "`%s` is no unknown of this run", x->name[i]));
      const bool discrete = s->type && (s->type->kind == TY_INT || s->type->kind == TY_BOOL);
      if (discrete && x->method == PLAN_NUTS) return wrong(p, x->at, "give it to gibbs", arena_printf(p->mem, "nuts cannot move `%s`, which is discrete", x->name[i]));
      if (count(pl, x->name[i]) > 1) return wrong(p, x->at, NULL, arena_printf(p->mem, "`%s` stands twice in the cycle", x->name[i]));
    }
  }
  for (size_t k = 0; k < pl->model->nsites; k++) {
    const check_site *s = &pl->model->sites[k];
    if (plan_is_unknown(pl, s) && count(pl, s->sym->name) == 0)
      return wrong(p, whole, "every unknown stands in one part", arena_printf(p->mem, "no part of the cycle moves `%s`", s->sym->name));
  }
  return true;
}
