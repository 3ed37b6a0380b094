/* kernel.c: the kernel of a statement (kernel.h). */
#include "compiler/kernel.h"

#include <string.h>

static const char *const rules[] = {"gibbs", "glauber", "metropolis"};
static const char *const orders[] = {"sequential", "random", "coloured"};
static const char *const precisions[] = {"f64", "f32", "mixed"};
static const char *const options[] = {"replicas", "order", "proposals", "floor", "precision", "allow_biased"};

const char *kernel_rule_name(kernel_rule r) { return rules[r]; }
const char *kernel_order_name(kernel_order o) { return orders[o]; }
const char *kernel_precision_name(kernel_precision p) { return precisions[p]; }

static bool wrong(diag_list *l, span at, const char *message, const char *help) {
  diag *d = diag_add(l, DIAG_ERROR, "E0845", at, "%s", message);
  if (help) diag_help(l, d, "%s", help);
  return false;
}

static bool whole(diag_list *l, const ast_arg *a, int64_t most, int64_t *n) {
  const ast_expr *e = a->value;
  if (e->kind == EXPR_INT && e->integer.value >= 1 && e->integer.value <= most) {
    *n = e->integer.value;
    return true;
  }
  diag_add(l, DIAG_ERROR, "E0845", e->at, "`%s` must be a whole number from 1 to %lld", a->name.name, (long long)most);
  return false;
}

static bool word(diag_list *l, const ast_arg *a, const char *const *words, int n, int *k) {
  const char *w = a->value->kind == EXPR_NAME ? a->value->name.name : "";
  for (*k = 0; *k < n; ++*k)
    if (strcmp(words[*k], w) == 0) return true;
  diag *d = diag_add(l, DIAG_ERROR, "E0845", a->value->at, "`%s` is %s, %s or %s", a->name.name, words[0], words[1], words[2]);
  const char *near = diag_nearest(w, words, (size_t)n);
  if (near) diag_help(l, d, "did you mean `%s`?", near);
  return false;
}

static bool option(diag_list *l, const ast_args *all, const ast_arg *a, bool anneals, kernel *out) {
  const char *name = a->name.name;
  int64_t n;
  int k;
  if (!name) return wrong(l, a->at, "options of a kernel have names", "such as `gibbs(replicas = 64)`");
  const ast_arg *first = ast_args_find(all, name);
  if (first != a) {
    diag *d = diag_add(l, DIAG_ERROR, "E0822", a->name.at, "`%s` is set twice", name);
    diag_point(l, d, first->at, "first here");
    return false;
  }
  if (strcmp(name, "replicas") == 0 && anneals) {
    if (!whole(l, a, 1000000, &n)) return false;
    out->replicas = (uint32_t)n;
    return true;
  }
  if (strcmp(name, "proposals") == 0) {
    if (!whole(l, a, INT64_C(1000000000000), &n)) return false;
    out->proposals = (uint64_t)n;
    return true;
  }
  if (strcmp(name, "order") == 0) {
    if (!word(l, a, orders, 3, &k)) return false;
    out->order = (kernel_order)k;
    return true;
  }
  if (strcmp(name, "precision") == 0) {
    if (!word(l, a, precisions, 3, &k)) return false;
    out->precision = (kernel_precision)k;
    return true;
  }
  if (strcmp(name, "floor") == 0) {
    const ast_expr *e = a->value;
    if (out->rule != KERNEL_METROPOLIS) return wrong(l, a->at, "`floor` belongs to metropolis", NULL);
    if (e->kind != EXPR_REAL || !(e->real.value > 0 && e->real.value < 1)) return wrong(l, e->at, "`floor` must lie strictly between 0 and 1", NULL);
    out->floor = e->real.value;
    return true;
  }
  if (strcmp(name, "allow_biased") == 0 && !anneals) {
    if (a->value->kind != EXPR_BOOL) return wrong(l, a->value->at, "`allow_biased` is true or false", NULL);
    out->allow_biased = a->value->boolean;
    return true;
  }
  diag *d = diag_add(l, DIAG_ERROR, "E0845", a->name.at, "`%s` has no option called `%s`", rules[out->rule], name);
  const char *near = diag_nearest(name, options + !anneals, 5);
  if (near) diag_help(l, d, "did you mean `%s`?", near);
  else diag_help(l, d, anneals ? "its options are replicas, order, proposals, floor and precision" : "its options are order, proposals, precision, and of metropolis floor and allow_biased");
  return false;
}

bool kernel_read(diag_list *l, const ast_expr *e, bool anneals, kernel *out) {
  *out = (kernel){.rule = KERNEL_GIBBS, .replicas = 64};
  if (!e) return true;
  const char *name = e->kind == EXPR_NAME ? e->name.name : e->kind == EXPR_CALL ? e->call.fn.name : NULL;
  if (e->kind == EXPR_ERROR) return false;
  if (!name) return wrong(l, e->at, "behind `using` stands a kernel", "kernels are gibbs, glauber and metropolis");
  size_t k = 0;
  while (k < 3 && strcmp(rules[k], name) != 0) k++;
  if (k == 3) {
    diag *d = diag_add(l, DIAG_ERROR, "E0845", e->at, "there is no kernel called `%s`", name);
    const char *near = strcmp(name, "heat_bath") == 0 ? "gibbs" : strcmp(name, "mh") == 0 ? "metropolis" : diag_nearest(name, rules, 3);
    if (near) diag_help(l, d, "did you mean `%s`?", near);
    else diag_help(l, d, "kernels are gibbs, glauber and metropolis");
    return false;
  }
  out->rule = (kernel_rule)k;
  if (out->rule == KERNEL_GLAUBER) out->order = KERNEL_RANDOM;
  bool ok = true;
  for (size_t i = 0; e->kind == EXPR_CALL && i < e->call.args.n; i++) ok &= option(l, &e->call.args, &e->call.args.items[i], anneals, out);
  if (ok && !anneals && out->floor > 0 && !out->allow_biased)
    return wrong(l, e->at, "a floor under the acceptance draws from no distribution: it is for `anneal`", "`allow_biased = true` runs it all the same, and what comes of it is marked as biased");
  if (ok && out->proposals && out->order != KERNEL_RANDOM)
    return wrong(l, e->at, "`proposals` counts visits at random: other orders visit every site once", "add `order = random`");
  return ok;
}
