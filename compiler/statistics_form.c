/* statistics_form.c: values of a plate's body as polynomials in features (statistics.h). */
#include "compiler/statistics.h"

#include "compiler/ir_uses.h"

#include <math.h>
#include <string.h>

/* ---- data */

typedef struct data_uses {
  const stat_plate *x;
  const ir_op *root;
  bool all;
} data_uses;

static void see_use(void *user, ir_val *use) {
  data_uses *s = user;
  if (!*use || stat_is_data(s->x, *use)) return;
  const ir_op *op = ir_value_of(s->x->fn, *use)->op;
  while (op && op != s->root) op = op->block ? op->block->owner : NULL;
  if (!op) s->all = false;
}

void stat_mark_data(stat_plate *x, const ir_op *op) {
  int effect = ir_op_table[op->code].effect;
  if (effect == IR_MODEL || effect == IR_DRAW || op->code == IR_CALL_OP) return;
  data_uses s = {x, op, true};
  ir_visit_region_uses((ir_op *)op, see_use, &s);
  for (uint32_t k = 0; k < op->nres && s.all; k++) ir_map_set(&x->data, op->res[k], 1);
}

/* ---- polynomials */

/* A longer sum is no likelihood whose parts are worth keeping. */
enum { MOST_TERMS = 128 };

static const stat_form none = {.kind = STAT_NONE};

void stat_refuse(stat_plate *x, span where, const char *why) {
  if (x->why) return;
  x->why = why;
  x->why_at = where;
}

/* What op computes has no form; why, for the author of the model. */
static stat_form refuse(stat_plate *x, const ir_op *op, const char *why) {
  stat_refuse(x, op->where, why);
  return none;
}

static stat_form poly_form(stat_plate *x, stat_poly p) {
  stat_poly *to = ARENA_NEW(x->m->mem, stat_poly);
  *to = p;
  return (stat_form){.kind = STAT_POLY, .poly = to};
}

static bool is_zero(const stat_plate *x, stat_coef c) {
  double v;
  return c.v && ir_is_real(x->fn, c.v, &v) && v == 0;
}

static stat_linear one_term(stat_plate *x, stat_coef c, ir_val feature, bool count) {
  stat_linear l = {0};
  l.term = ARENA_NEW(x->m->mem, stat_term);
  l.n = 1;
  l.term[0] = (stat_term){.c = c, .feature = feature, .count = count};
  return l;
}

static stat_linear joined(stat_plate *x, const stat_linear *a, const stat_linear *b) {
  stat_linear r = {.scale = a->scale, .weight = a->weight, .n = a->n + b->n};
  r.term = ARENA_ARRAY(x->m->mem, stat_term, r.n);
  if (a->n) memcpy(r.term, a->term, a->n * sizeof *a->term);
  if (b->n) memcpy(r.term + a->n, b->term, b->n * sizeof *b->term);
  return r;
}

static ir_val indicator(stat_plate *x, ir_val cond) {
  ir_val n = stat_feature(x, ir_op1(&x->body, IR_BOOL_INT_OP, cond));
  return stat_feature(x, ir_op1(&x->body, IR_TO_REAL_OP, n));
}

/* f as a polynomial; false if it is none. */
static bool as_poly(stat_plate *x, const stat_form *f, stat_poly *p) {
  *p = (stat_poly){0};
  switch (f->kind) {
  case STAT_NONE: return false;
  case STAT_POLY: *p = *f->poly; return true;
  case STAT_FIXED:
    if (is_zero(x, (stat_coef){f->v, 0})) return true;
    p->linear = one_term(x, (stat_coef){f->v, 0}, 0, true);
    return true;
  case STAT_GROUP: p->linear = one_term(x, f->a, 0, true); return true;
  case STAT_DATA: p->linear = one_term(x, (stat_coef){0}, f->v, false); return true;
  case STAT_SWITCH:
    p->linear = one_term(x, (stat_coef){0}, f->v, false);
    p->linear.term[0].when = f->when;
    p->linear.term[0].other = f->other;
    return true;
  case STAT_CASES: break;
  }
  stat_linear yes = {0}, no = {0};
  if (ir_type_of(x->fn, f->a.v).elem != IR_REAL) return false;
  if (!is_zero(x, f->a)) yes = one_term(x, f->a, indicator(x, f->v), true);
  if (!is_zero(x, f->b)) no = one_term(x, f->b, indicator(x, stat_feature(x, ir_op1(&x->body, IR_NOT_OP, f->v))), true);
  p->linear = joined(x, &yes, &no);
  return true;
}

static bool same_coef(stat_coef a, stat_coef b) { return a.v == b.v && a.group == b.group; }

static stat_linear negated(stat_plate *x, const stat_linear *l) {
  stat_linear zero = {0}, r = joined(x, l, &zero);
  for (size_t k = 0; k < r.n; k++) r.term[k].minus = !r.term[k].minus;
  return r;
}

static stat_form add(stat_plate *x, const stat_poly *p, const stat_poly *q, bool minus) {
  if ((minus && q->nguards) || p->linear.n + q->linear.n > MOST_TERMS || p->nsquares + q->nsquares > MOST_TERMS) return none;
  stat_poly r = {0};
  stat_linear a = p->linear, b = minus ? negated(x, &q->linear) : q->linear;
  if (a.n == 0) r.linear = b;
  else if (b.n == 0) r.linear = a;
  else {
    if (!same_coef(a.scale, b.scale)) a = stat_distributed(x, &a, true, false), b = stat_distributed(x, &b, true, false);
    if (a.weight != b.weight) a = stat_distributed(x, &a, false, true), b = stat_distributed(x, &b, false, true);
    r.linear = joined(x, &a, &b);
  }
  r.nsquares = p->nsquares + q->nsquares;
  r.square = ARENA_ARRAY(x->m->mem, stat_square, r.nsquares);
  for (size_t k = 0; k < r.nsquares; k++) {
    r.square[k] = k < p->nsquares ? p->square[k] : q->square[k - p->nsquares];
    if (k >= p->nsquares && minus) r.square[k].minus = !r.square[k].minus;
  }
  r.nguards = p->nguards + q->nguards;
  r.guard = ARENA_ARRAY(x->m->mem, stat_guard, r.nguards);
  for (size_t k = 0; k < r.nguards; k++) r.guard[k] = k < p->nguards ? p->guard[k] : q->guard[k - p->nguards];
  return poly_form(x, r);
}

static stat_form negate(stat_plate *x, const stat_poly *p) {
  stat_poly zero = {0};
  return add(x, &zero, p, true);
}

static bool positive_literal(const stat_plate *x, stat_coef c) {
  double v;
  return !c.v || (ir_is_real(x->fn, c.v, &v) && v > 0 && v - v == 0);
}

/* All that a linear form multiplies has one group. */
static bool meets(const stat_linear *l, stat_coef c) {
  const stat_coef scale[2] = {l->scale, c};
  if (!stat_coefs_meet(2, scale)) return false;
  for (size_t k = 0; k < l->n; k++) {
    const stat_coef term[3] = {l->term[k].c, l->scale, c};
    if (!stat_coefs_meet(3, term)) return false;
  }
  return true;
}

/* p times a coefficient. */
static stat_form scale(stat_plate *x, const stat_poly *p, stat_coef c) {
  if (p->nguards && !positive_literal(x, c)) return none;
  bool meet = meets(&p->linear, c);
  for (size_t k = 0; k < p->nsquares; k++) {
    const stat_coef two[2] = {p->square[k].scale, c};
    meet = meet && stat_coefs_meet(2, two);
  }
  if (!meet) return none;
  stat_poly r = *p;
  if (r.linear.n) r.linear.scale = stat_coef_mul(x, r.linear.scale, c);
  r.square = ARENA_ARRAY(x->m->mem, stat_square, p->nsquares);
  for (size_t k = 0; k < p->nsquares; k++) {
    r.square[k] = p->square[k];
    r.square[k].scale = stat_coef_mul(x, r.square[k].scale, c);
  }
  return poly_form(x, r);
}

static stat_form weigh(stat_plate *x, const stat_poly *p, ir_val w) {
  if (p->nsquares || p->nguards) return none;
  stat_poly r = *p;
  if (r.linear.n) r.linear.weight = stat_feature_mul(x, w, r.linear.weight);
  return poly_form(x, r);
}

/* A coefficient alone: a number that the data do not enter. */
static bool is_coef(const stat_form *f, stat_coef *c) {
  if (f->kind == STAT_FIXED) *c = (stat_coef){f->v, 0};
  else if (f->kind == STAT_GROUP) *c = f->a;
  else return false;
  return true;
}

static stat_form multiply(stat_plate *x, const stat_form *f, const stat_form *g) {
  stat_poly p, q;
  stat_coef c;
  if (is_coef(g, &c)) return as_poly(x, f, &p) ? scale(x, &p, c) : none;
  if (is_coef(f, &c)) return as_poly(x, g, &q) ? scale(x, &q, c) : none;
  if (!as_poly(x, f, &p) || !as_poly(x, g, &q)) return none;
  if (f->kind == STAT_DATA) return weigh(x, &q, f->v);
  if (g->kind == STAT_DATA) return weigh(x, &p, g->v);
  if (p.nsquares || q.nsquares || p.nguards || q.nguards) return none;
  stat_poly r = {0};
  if (p.linear.n == 0 || q.linear.n == 0) return poly_form(x, r);
  r.nsquares = 1;
  r.square = ARENA_NEW(x->m->mem, stat_square);
  r.square[0] = (stat_square){.a = p.linear, .b = q.linear};
  return poly_form(x, r);
}

static stat_form divide(stat_plate *x, const stat_form *f, const stat_form *g) {
  stat_poly p;
  stat_coef c;
  if (!as_poly(x, f, &p)) return none;
  if (is_coef(g, &c)) {
    stat_coef args[2] = {{0}, c};
    return scale(x, &p, stat_coef_op(x, IR_DIV_OP, 2, args));
  }
  if (g->kind != STAT_DATA) return none;
  return weigh(x, &p, stat_feature(x, ir_op2(&x->body, IR_DIV_OP, ir_real(&x->body, 1.0), g->v)));
}

/* Terms of l where cond, data, holds (or does not). */
static stat_linear masked(stat_plate *x, const stat_linear *l, ir_val cond, bool holds) {
  stat_linear zero = {0}, d = stat_distributed(x, l, true, true), r = joined(x, &d, &zero);
  if (!holds) cond = stat_feature(x, ir_op1(&x->body, IR_NOT_OP, cond));
  for (size_t k = 0; k < r.n; k++) {
    stat_term *t = &r.term[k];
    if (!t->feature) t->feature = indicator(x, cond);
    else t->feature = stat_feature(x, ir_op3(&x->body, IR_SELECT_OP, cond, t->feature, ir_real(&x->body, 0.0)));
    if (t->when) t->other = stat_feature(x, ir_op3(&x->body, IR_SELECT_OP, cond, t->other, ir_real(&x->body, 0.0)));
  }
  return r;
}

static bool has_vectors(const stat_plate *x, const stat_linear *l) {
  for (size_t k = 0; k < l->n; k++)
    if (l->term[k].feature && ir_type_of(x->fn, l->term[k].feature).rank) return true;
  return false;
}

/* The coefficients of l where the fixed condition holds (or does not), else 0. */
static stat_linear switched(stat_plate *x, const stat_linear *l, stat_coef cond, bool holds) {
  stat_linear zero = {0}, d = stat_distributed(x, l, true, false), r = joined(x, &d, &zero);
  stat_coef none_of = {ir_real(&x->before, 0.0), 0};
  for (size_t k = 0; k < r.n; k++) {
    stat_coef args[3] = {cond, holds ? r.term[k].c : none_of, holds ? none_of : r.term[k].c};
    r.term[k].c = stat_coef_op(x, IR_SELECT_OP, 3, args);
  }
  return r;
}

static stat_form choose(stat_plate *x, const stat_form *cond, const stat_form *f, const stat_form *g) {
  stat_poly p, q;
  if (!as_poly(x, f, &p) || !as_poly(x, g, &q) || p.nguards || q.nguards || p.nsquares || q.nsquares) return none;
  if (has_vectors(x, &p.linear) || has_vectors(x, &q.linear)) return none;
  stat_poly r = {0}, s = {0};
  stat_coef c;
  if (cond->kind == STAT_DATA) {
    r.linear = masked(x, &p.linear, cond->v, true);
    s.linear = masked(x, &q.linear, cond->v, false);
  } else if (is_coef(cond, &c)) {
    if (!meets(&p.linear, c) || !meets(&q.linear, c)) return none;
    r.linear = switched(x, &p.linear, c, true);
    s.linear = switched(x, &q.linear, c, false);
  } else {
    return none;
  }
  return add(x, &r, &s, false);
}

/* p where cond holds, else -inf: a guard, or a select that is as good as one. */
static stat_form guard(stat_plate *x, const ir_op *op, const stat_form *cond, const stat_poly *p) {
  stat_coef holds = {0};
  if (cond->kind != STAT_DATA && !is_coef(cond, &holds)) return none;
  stat_poly q = {.guard = ARENA_NEW(x->m->mem, stat_guard), .nguards = 1};
  q.guard[0] = (stat_guard){.op = op, .holds = holds};
  if (cond->kind == STAT_DATA) q.guard[0].broken = indicator(x, stat_feature(x, ir_op1(&x->body, IR_NOT_OP, op->args[0])));
  return add(x, p, &q, false);
}

/* ---- groups */

/* An index of the plate itself says nothing about groups, unless the plate has others. */
static bool can_be_key(const stat_plate *x, ir_val v) {
  return ir_value_of(x->fn, v)->def != IR_DEF_INDEX || x->loop->u.loop->rank > 1;
}

/* The position of an element or slice in the array that is sliced first: what P[g[i]][k[i]] reads of P. */
static ir_val base_of(const stat_plate *x, const ir_op *op, ir_axes *axes) {
  *axes = op->u.axes;
  for (;;) {
    const ir_op *of = ir_def_op(x->fn, op->args[0]);
    if (!of || of->code != IR_AT_OP || !ir_block_within(of->block, &x->loop->u.loop->body)) return op->args[0];
    ir_axes outer = of->u.axes;
    for (uint32_t k = 0, j = 0; k < outer.n; k++)
      if (!outer.at[k] && j < axes->n) outer.at[k] = axes->at[j++];
    *axes = outer;
    op = of;
  }
}

/* A bound was checked where the data say so: in @prepare. */
static stat_form gather(stat_plate *x, const ir_op *op) {
  ir_axes axes;
  ir_val base = base_of(x, op, &axes);
  ir_type t = ir_type_of(x->fn, base);
  ir_val key[IR_MAX_RANK];
  ir_size size[IR_MAX_RANK];
  uint32_t n = 0;
  if (axes.n != t.rank || t.elem != IR_REAL || ir_block_within(ir_home(x->fn, base), &x->loop->u.loop->body)) return none;
  bool own = false;
  for (uint32_t k = 0; k < axes.n; k++) {
    ir_val v = axes.at[k];
    if (!v) continue;
    if (ir_type_of(x->fn, v).rank) return none;
    if (!ir_block_within(ir_home(x->fn, v), &x->loop->u.loop->body)) continue;
    if (!stat_is_data(x, v)) return refuse(x, op, "what it reads is chosen by unknowns");
    own = own || !can_be_key(x, v);
    key[n] = v;
    size[n++] = t.dim[k];
  }
  if (own) return refuse(x, op, "each iteration reads an unknown of its own");
  uint32_t group = n && n < IR_MAX_RANK ? stat_groups_with(x, n, key, size) : 0;
  if (!group) return none;
  const stat_groups *g = stat_groups_of(x, group);
  for (uint32_t k = 0, q = 0; k < axes.n; k++)
    if (q < n && axes.at[k] == key[q]) axes.at[k] = g->plate->u.loop->index[q++];
  return (stat_form){.kind = STAT_GROUP, .a = {ir_at(stat_place(x, group), base, axes), group}};
}

/* ---- values */

static const stat_form *form_of(stat_plate *x, ir_val v);

/* Any operation, with blocks or not, on what depends on one kind of group alone is done in the plate over groups. */
typedef struct group_uses {
  stat_plate *x;
  const ir_op *root;
  uint32_t group;
  bool all;
} group_uses;

static void see_group(void *user, ir_val *use) {
  group_uses *s = user;
  stat_plate *x = s->x;
  if (!*use || !s->all) return;
  const ir_block *home = ir_home(x->fn, *use);
  if (!ir_block_within(home, &x->loop->u.loop->body)) return;
  const ir_op *owner = ir_value_of(x->fn, *use)->op;
  while (owner && owner != s->root) owner = owner->block ? owner->block->owner : NULL;
  if (owner) return;
  const stat_form *f = form_of(x, *use);
  s->all = f->kind == STAT_GROUP && (!s->group || s->group == f->a.group);
  if (!s->all) return;
  s->group = f->a.group;
  ir_map_set(&stat_groups_of(x, s->group)->image, *use, f->a.v);
}

/* A check would be made for groups that no iteration has. */
static void see_effect(void *user, ir_op *op) {
  int effect = ir_op_table[op->code].effect;
  *(bool *)user |= effect == IR_MODEL || effect == IR_DRAW || effect == IR_CHECK || op->code == IR_CALL_OP;
}

static void keep_form(stat_plate *x, ir_val v, stat_form *f) {
  if (!x->form[v]) ARENA_PUSH(x->m->mem, x->formed, x->nformed, x->cap_formed, v);
  x->form[v] = f;
}

static bool by_group(stat_plate *x, const ir_op *op) {
  bool effects = false;
  see_effect(&effects, (ir_op *)op);
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, see_effect, &effects);
  if (effects || op->code == IR_IF_OP) return false;
  group_uses s = {x, op, 0, true};
  ir_visit_region_uses((ir_op *)op, see_group, &s);
  if (!s.all || !s.group) return false;
  stat_groups *g = stat_groups_of(x, s.group);
  ir_cloner c = {.from = x->fn, .map = g->image};
  ir_clone_op(&c, &g->in, op);
  g->image = c.map;
  for (uint32_t k = 0; k < op->nres; k++) {
    stat_form *f = ARENA_NEW(x->m->mem, stat_form);
    *f = (stat_form){.kind = STAT_GROUP, .a = {ir_map_get(&g->image, op->res[k]), s.group}};
    if (op->res[k] < x->nforms) keep_form(x, op->res[k], f);
  }
  return true;
}

/* Element i of X beta, or a row of X times beta. */
static stat_form row_product(stat_plate *x, ir_val row, ir_val beta) {
  stat_poly p = {.linear = one_term(x, (stat_coef){beta, false}, row, false)};
  return poly_form(x, p);
}

static stat_form element(stat_plate *x, const ir_op *op) {
  const stat_form *array = form_of(x, op->args[0]);
  if (array->kind == STAT_GROUP) return gather(x, op);
  if (array->kind != STAT_FIXED) return none;
  const ir_op *product = ir_def_op(x->fn, op->args[0]);
  if (product && product->code == IR_MATMUL_OP && product->flags == 0 && ir_type_of(x->fn, product->args[0]).rank == 2 &&
      ir_type_of(x->fn, product->args[1]).rank == 1 && stat_is_data(x, product->args[0]) && op->u.axes.n == 1 && stat_is_data(x, op->u.axes.at[0])) {
    ir_axes row = {.n = 2, .at = {op->u.axes.at[0], 0}};
    return row_product(x, stat_feature(x, ir_at(&x->body, product->args[0], row)), product->args[1]);
  }
  return gather(x, op);
}

static stat_form product(stat_plate *x, const ir_op *op) {
  if (op->flags || ir_type_of(x->fn, op->args[0]).rank != 1 || ir_type_of(x->fn, op->args[1]).rank != 1) return none;
  for (int k = 0; k < 2; k++)
    if (form_of(x, op->args[k])->kind == STAT_DATA && form_of(x, op->args[!k])->kind == STAT_FIXED) return row_product(x, op->args[k], op->args[!k]);
  return none;
}

/* An operation on what does not vary, or takes one of two such values: done on these. */
static stat_form outside(stat_plate *x, const ir_op *op, const stat_form *const *arg) {
  stat_coef a[3], b[3];
  ir_val cond = 0;
  if (op->nargs < 1 || op->nargs > 3 || ir_op_table[op->code].effect != IR_PURE || !strchr(ir_op_table[op->code].signature, ':')) return none;
  for (uint32_t k = 0; k < op->nargs; k++) {
    if (is_coef(arg[k], &a[k])) b[k] = a[k];
    else if (arg[k]->kind == STAT_CASES && (!cond || cond == arg[k]->v)) cond = arg[k]->v, a[k] = arg[k]->a, b[k] = arg[k]->b;
    else return none;
    if (ir_type_of(x->fn, a[k].v).rank) return none;
  }
  if (!stat_coefs_meet(op->nargs, a) || !stat_coefs_meet(op->nargs, b)) return none;
  stat_coef yes = stat_coef_op(x, (ir_code)op->code, op->nargs, a);
  if (!cond) return (stat_form){.kind = STAT_GROUP, .a = yes};
  return (stat_form){.kind = STAT_CASES, .v = cond, .a = yes, .b = stat_coef_op(x, (ir_code)op->code, op->nargs, b)};
}

/* One of two features by a fixed condition: where D and a parameter say so yes, else no, which xlogy and its kin ask of every x. */
static stat_form switch_of(stat_plate *x, const ir_op *op, const stat_form *cond) {
  const ir_op *no = ir_def_op(x->fn, cond->b.v);
  if (cond->kind != STAT_CASES || cond->a.group || cond->b.group || !no || no->code != IR_BOOL_OP || no->u.integer) return none;
  for (int k = 1; k < 3; k++)
    if (!stat_is_data(x, op->args[k]) || ir_type_of(x->fn, op->args[k]).elem != IR_REAL) return none;
  ir_val yes = stat_feature(x, ir_op3(&x->body, IR_SELECT_OP, cond->v, op->args[1], op->args[2]));
  return (stat_form){.kind = STAT_SWITCH, .when = cond->a.v, .v = yes, .other = op->args[2]};
}

static stat_form polynomial(stat_plate *x, const ir_op *op, const stat_form *const *arg) {
  stat_poly p, q;
  double literal;
  switch (op->code) {
  case IR_ADD_OP:
  case IR_SUB_OP: return as_poly(x, arg[0], &p) && as_poly(x, arg[1], &q) ? add(x, &p, &q, op->code == IR_SUB_OP) : none;
  case IR_NEG_OP: return as_poly(x, arg[0], &p) ? negate(x, &p) : none;
  case IR_MUL_OP: return multiply(x, arg[0], arg[1]);
  case IR_DIV_OP: return divide(x, arg[0], arg[1]);
  case IR_SELECT_OP:
    if (ir_is_real(x->fn, op->args[2], &literal) && literal == -(double)INFINITY && as_poly(x, arg[1], &p)) return guard(x, op, arg[0], &p);
    return choose(x, arg[0], arg[1], arg[2]);
  case IR_GUARD_OP:
    return as_poly(x, arg[1], &p) ? guard(x, op, arg[0], &p) : none;
  default: return none;
  }
}

static stat_form compute(stat_plate *x, ir_val v) {
  if (!ir_block_within(ir_home(x->fn, v), &x->loop->u.loop->body)) return (stat_form){.kind = STAT_FIXED, .v = v};
  if (stat_is_data(x, v)) return (stat_form){.kind = STAT_DATA, .v = v};
  const ir_op *op = ir_def_op(x->fn, v);
  if (!op) return none;
  stat_form f = none;
  if (op->code == IR_AT_OP) f = element(x, op);
  else if (op->code == IR_MATMUL_OP) f = product(x, op);
  if (f.kind != STAT_NONE) return f;
  const stat_form *arg[3] = {0};
  bool formed = op->nargs >= 1 && op->nargs <= 3 && ir_type_of(x->fn, v).rank == 0 && strchr(ir_op_table[op->code].signature, ':');
  for (uint32_t k = 0; k < op->nargs && formed; k++) {
    arg[k] = form_of(x, op->args[k]);
    if (arg[k]->kind == STAT_NONE) return none;
  }
  if (!formed) {
    if (by_group(x, op)) return *x->form[v];
    return x->why ? none : refuse(x, op, "unknowns and data meet in it otherwise than as products of their functions");
  }
  stat_coef c, d;
  if (op->code == IR_SELECT_OP && arg[0]->kind == STAT_DATA && is_coef(arg[1], &c) && is_coef(arg[2], &d) && ir_type_of(x->fn, v).elem == IR_REAL)
    return (stat_form){.kind = STAT_CASES, .v = arg[0]->v, .a = c, .b = d};
  /* Both of a fixed condition and one on data: one of two fixed ones. */
  if (op->code == IR_AND_OP || op->code == IR_OR_OP)
    for (int k = 0; k < 2; k++)
      if (arg[k]->kind == STAT_DATA && is_coef(arg[!k], &c)) {
        d = (stat_coef){ir_bool(&x->before, op->code == IR_OR_OP), 0};
        return (stat_form){.kind = STAT_CASES, .v = op->args[k], .a = op->code == IR_OR_OP ? d : c, .b = op->code == IR_OR_OP ? c : d};
      }
  f = outside(x, op, arg);
  if (f.kind != STAT_NONE) return f;
  if (op->code == IR_SELECT_OP && (f = switch_of(x, op, arg[0])).kind != STAT_NONE) return f;
  if (ir_type_of(x->fn, v).elem == IR_REAL) {
    if (op->nargs == 1 && op->code != IR_NEG_OP && arg[0]->kind == STAT_SWITCH && ir_op_table[op->code].effect == IR_PURE)
      return (stat_form){.kind = STAT_SWITCH, .when = arg[0]->when, .v = stat_feature(x, ir_op1(&x->body, (ir_code)op->code, arg[0]->v)),
                         .other = stat_feature(x, ir_op1(&x->body, (ir_code)op->code, arg[0]->other))};
    f = polynomial(x, op, arg);
    if (f.kind != STAT_NONE) return f;
  }
  return refuse(x, op, arena_printf(x->m->mem, "`%s` of unknowns and data together is no sum of products of their functions", ir_op_table[op->code].name));
}

static const stat_form *form_of(stat_plate *x, ir_val v) {
  if (v >= x->nforms) { /* made since: a feature, or a coefficient */
    stat_form *f = ARENA_NEW(x->m->mem, stat_form);
    *f = compute(x, v);
    return f;
  }
  if (!x->form[v]) {
    stat_form *f = ARENA_NEW(x->m->mem, stat_form);
    *f = compute(x, v);
    keep_form(x, v, f);
  }
  return x->form[v];
}

/* ---- what a value needs of the body */

static void want(void *user, ir_val *use) {
  stat_plate *x = user;
  if (*use) ir_map_set(&x->wanted, *use, x->nwanted);
}

bool stat_is_wanted(const stat_plate *x, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++)
    if (ir_map_get(&x->wanted, op->res[k]) == x->nwanted) return true;
  return false;
}

/* Backwards, so that what an operation wants is known when its operands' operations come. */
void stat_want(stat_plate *x, size_t n, const ir_val *v) {
  x->nwanted++;
  for (size_t k = 0; k < n; k++)
    if (v[k]) ir_map_set(&x->wanted, v[k], x->nwanted);
  for (ir_op *op = x->loop->u.loop->body.last; op; op = op->prev)
    if (stat_is_wanted(x, op)) ir_visit_region_uses(op, want, x);
}

/* Of what v needs, not of all that the body computes: a plate has the terms of many sums.  In order, so that no chain of operations is
 * followed down its whole length. */
const stat_poly *stat_poly_of(stat_plate *x, ir_val v) {
  stat_want(x, 1, &v);
  for (const ir_op *op = x->loop->u.loop->body.first, *end = x->loop->u.loop->body.last; op; op = op == end ? NULL : op->next)
    for (uint32_t k = 0; k < op->nres && stat_is_wanted(x, op); k++)
      if (op->res[k] < x->nforms && !stat_is_data(x, op->res[k])) form_of(x, op->res[k]);
  stat_form f = *form_of(x, v);
  stat_poly p;
  if (f.kind == STAT_FIXED || ir_type_of(x->fn, v).elem != IR_REAL || ir_type_of(x->fn, v).rank || !as_poly(x, &f, &p)) return NULL;
  return poly_form(x, p).poly;
}
