/* pass_statistics.c: a sum over a plate whose parameters do not vary in it costs the same for any number of iterations.
 *
 * needs: a density without calls or model operations, settled by the structural passes, before differentiation; *prepare is
 * @prepare, made when there is none.  changes: a real `sum` of a plate at the top of the function whose value is a polynomial in features of the data with coefficients that do not
 * vary, or vary with positions that are data (statistics.h): its linear part becomes a sum of coefficients times statistics, the squares of linear forms a product with a triangular
 * factor, both computed in @prepare.  Rounds otherwise than the plate: within a few roundings of the sum of absolute terms for the
 * linear part, and for the squares with the accuracy of the residuals, whatever the offsets of the data and the rank of the design.
 *
 * A plate stays as it is when a parameter enters it otherwise (a logistic regression, an effect for each iteration), or when it has too few iterations
 * for the change to pay; which is known, as sizes have numbers when a program is built.  A remark says why.  Guards stand around
 * the result; a check of an index in the data is made in @prepare. */
#include "compiler/passes.h"

#include "compiler/ir_uses.h"
#include "compiler/statistics.h"

#include <math.h>
#include <string.h>

static stat_plate plate_new(ir_module *m, ir_fn *fn) {
  return (stat_plate){.m = m, .fn = fn, .data = ir_map_new(m->mem, fn), .wanted = ir_map_new(m->mem, fn)};
}

static void mark_parameters(stat_plate *x) {
  for (uint32_t k = 0; k < x->fn->nparams; k++) {
    const ir_param *p = &x->fn->param[k];
    if (p->role == IR_ROLE_DATA || p->role == IR_ROLE_FRAME) ir_map_set(&x->data, p->val, 1);
  }
}

/* Goes on to a plate; what stands before it is marked. */
static bool open_plate(stat_plate *x, ir_op *loop) {
  ir_fn *fn = x->fn;
  x->loop = loop;
  x->before = (ir_builder){.fn = fn, .block = loop->block, .before = loop, .where = loop->where};
  x->body = ir_builder_at_end(fn, &loop->u.loop->body);
  x->body.where = loop->where;
  mark_parameters(x);
  for (uint32_t k = 0; k < loop->u.loop->rank; k++) {
    if (!stat_is_data(x, loop->u.loop->extent[k])) return false;
    ir_map_set(&x->data, loop->u.loop->index[k], 1);
  }
  for (const ir_op *op = loop->u.loop->body.first; op; op = op->next) stat_mark_data(x, op);
  return true;
}

/* Goes on to a sum of the plate: forms are those of its terms, and groups its own. */
static void open_sum(stat_plate *x) {
  while (x->nformed) x->form[x->formed[--x->nformed]] = NULL;
  x->nforms = x->fn->nvals;
  if (x->nforms > x->cap_forms) {
    x->cap_forms = x->nforms + x->nforms / 2;
    x->form = ARENA_ARRAY(x->m->mem, stat_form *, x->cap_forms);
  }
  x->ngroups = 0;
  x->before.before = x->loop;
  x->why = NULL;
}

/* The number of iterations; IR_SIZE_NONE if it is no size. */
static ir_size iterations(const stat_plate *x) {
  ir_size n = size_const(x->m->sizes, 1);
  for (uint32_t k = 0; k < x->loop->u.loop->rank; k++) n = size_mul(x->m->sizes, n, ir_size_of(x->fn, x->loop->u.loop->extent[k]));
  return n;
}

static const char *size_text(const stat_plate *x, ir_size s) {
  strbuf b;
  strbuf_init(&b, x->m->mem);
  size_print(x->m->sizes, s, &b);
  return b.s;
}

enum { FEW = 4 };

/* Work of an evaluation in terms of coefficients, in the plate and without it.  Sizes without a number are taken to be large. */
static bool pays(const stat_plate *x, const stat_poly *p, const stat_columns *c) {
  int64_t n, rows = 0, groups = p->linear.n != 0, k;
  if (!size_value(x->m->sizes, iterations(x), &n)) return true;
  if (c && !size_value(x->m->sizes, stat_rows(x, c), &rows)) return true;
  for (uint32_t g = 0; g < x->ngroups; g++) {
    int64_t of = 1;
    for (uint32_t q = 0; q < x->group[g].nkeys; q++) {
      if (!size_value(x->m->sizes, x->group[g].size[q], &k)) return true;
      if (k <= 0 || of > INT64_MAX / 16 / k) return false;
      of *= k;
    }
    groups += of;
  }
  return n >= FEW && rows <= n / 2 && groups <= n / 2;
}

/* The guards of every part: a fixed one counts where the plate runs at all, one of groups for those that have iterations, one on data where no iteration breaks it. */
static ir_val guarded(stat_plate *x, frame *f, ir_builder *after, const stat_poly *p, ir_val total) {
  for (size_t k = 0; k < p->nguards; k++) {
    const stat_guard *g = &p->guard[k];
    ir_val holds;
    if (g->broken) {
      stat_term one = {.feature = g->broken};
      stat_linear l = {.term = &one, .n = 1};
      size_t n;
      holds = ir_op2(after, IR_EQ_OP, stat_sum_linear(x, f, after, &l, &n), ir_real(after, 0.0));
    } else if (g->holds.group) {
      stat_groups *of = stat_groups_of(x, g->holds.group);
      ir_val zero = ir_real(&of->in, 0.0), none = ir_op2(&of->in, IR_EQ_OP, ir_at(&of->in, stat_group_counts(x, f, of), stat_group_axes(of, 0)), zero);
      ir_val broken = ir_op3(&of->in, IR_SELECT_OP, ir_op2(&of->in, IR_OR_OP, g->holds.v, none), zero, ir_real(&of->in, 1.0));
      holds = ir_op2(after, IR_EQ_OP, ir_loop_out(x->fn, of->plate, IR_SUM, 0, NULL, broken), ir_real(after, 0.0));
    } else {
      holds = ir_op2(after, IR_OR_OP, g->op->args[0], ir_op2(after, IR_LE_OP, ir_iterations(after, x->loop->u.loop), ir_int(after, 0)));
    }
    if (g->op->code == IR_SELECT_OP) total = ir_op3(after, IR_SELECT_OP, holds, total, ir_real(after, -(double)INFINITY));
    else total = ir_op2(after, IR_GUARD_OP, holds, total);
    ir_def_op(x->fn, total)->where = g->op->where;
  }
  return total;
}

static void explain(stat_plate *x, const stat_columns *c, size_t nsums) {
  ir_size n = iterations(x);
  const char *over = n ? size_text(x, n) : "the data", *groups = "";
  if (x->ngroups) {
    ir_size of = size_const(x->m->sizes, 1);
    for (uint32_t q = 0; q < x->group[0].nkeys; q++) of = size_mul(x->m->sizes, of, x->group[0].size[q]);
    groups = arena_printf(x->m->mem, " for each of %s groups", size_text(x, of));
  }
  const char *sums = nsums ? arena_printf(x->m->mem, "%zu sum%s%s", nsums, nsums == 1 ? "" : "s", groups) : "";
  const char *rows = c ? stat_columns_text(x, c) : "";
  if (!nsums && !c) ir_remark_add(x->m, "statistics", x->loop->where, false, "the sum over %s is a product with their number", over);
  else ir_remark_add(x->m, "statistics", x->loop->where, false, "the sum over %s comes from %s%s%s of the data", over, sums, nsums && c ? " and " : "", rows);
}

/* Something of what v needs is an element of an array of the signature: a likelihood, not a prior. */
static bool reads_data(stat_plate *x, ir_val v) {
  stat_want(x, 1, &v);
  for (const ir_op *op = x->loop->u.loop->body.first; op; op = op->next) {
    if (op->code != IR_AT_OP || !stat_is_wanted(x, op)) continue;
    const ir_value *of = ir_value_of(x->fn, op->args[0]);
    if (of->def == IR_DEF_PARAM && x->fn->param[of->slot].role == IR_ROLE_DATA) return true;
  }
  return false;
}

/* Nobody misses statistics of a handful of elements, nor of a sum that data do not enter. */
static void explain_not(stat_plate *x, ir_val v) {
  int64_t n;
  if ((size_value(x->m->sizes, iterations(x), &n) && n < FEW) || !reads_data(x, v)) return;
  const char *why = x->why ? x->why : "its terms are no sums of products of functions of the unknowns and of the data";
  ir_remark_add(x->m, "statistics", x->why ? x->why_at : x->loop->where, true, "%s", why);
}

typedef struct pass {
  ir_module *m;
  ir_fn *fn, **prepare;
  frame f;
  ir_map renamed;
  bool open, changed;
  stat_plate x;
} pass;

static void replace(pass *s, ir_op *loop, uint32_t out) {
  stat_plate *x = &s->x;
  open_sum(x);
  const stat_poly *p = stat_poly_of(x, loop->u.loop->out[out].yield);
  stat_columns *c = p && p->nsquares ? stat_columns_of(x, p) : NULL;
  bool suits = p && (!p->nsquares || c);
  if (suits && !pays(x, p, c)) {
    stat_refuse(x, loop->where, "too few iterations for statistics of the data to pay");
    suits = false;
  }
  if (!suits) {
    explain_not(x, loop->u.loop->out[out].yield);
    for (uint32_t k = 0; k < x->ngroups; k++) ir_remove(x->group[k].plate);
    return;
  }
  if (!s->open) frame_open(&s->f, s->m, s->fn, s->prepare);
  s->open = s->changed = true;
  ir_builder after = {.fn = s->fn, .block = loop->block, .before = loop->next, .where = loop->where};
  s->f.b.where = loop->where;
  size_t nsums = 0;
  ir_val total = stat_sum_linear(x, &s->f, &after, &p->linear, &nsums);
  ir_val squares = c ? stat_sum_squares(x, &s->f, &after, p, c) : 0;
  if (squares) total = total ? ir_op2(&after, IR_ADD_OP, total, squares) : squares;
  if (!total) total = ir_real(&after, 0.0);
  total = guarded(x, &s->f, &after, p, total);
  explain(x, c, nsums);
  for (uint32_t k = 0; k < x->ngroups; k++)
    if (x->group[k].plate->nres == 0) ir_remove(x->group[k].plate);
  ir_map_set(&s->renamed, loop->res[out], total);
}

bool pass_statistics(ir_module *m, ir_fn *fn, ir_fn **prepare) {
  pass s = {.m = m, .fn = fn, .prepare = prepare, .renamed = ir_map_new(m->mem, fn), .x = plate_new(m, fn)};
  const uint32_t *uses = ir_use_counts(fn, m->mem);
  uint32_t nuses = fn->nvals;
  mark_parameters(&s.x);
  for (ir_op *op = fn->body.first, *next; op; op = next) {
    next = op->next;
    bool opened = false, suits = true;
    for (uint32_t k = 0; k < op->nres && op->code == IR_PLATE_OP && suits; k++) {
      ir_type t = ir_type_of(fn, op->res[k]);
      if (op->u.loop->out[k].mode != IR_SUM || t.elem != IR_REAL || t.rank != 0 || op->res[k] >= nuses || !uses[op->res[k]]) continue;
      if (!opened) suits = open_plate(&s.x, op);
      opened = true;
      if (suits) replace(&s, op, k);
    }
    stat_mark_data(&s.x, op);
  }
  if (s.changed) ir_rename_all(fn, &s.renamed);
  pass_dce(m, fn); /* what was built for sums that then stayed */
  return s.changed;
}
