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

static const stat_form none = {STAT_NONE, 0, {0, false}, {0, false}, NULL};

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
    if (is_zero(x, (stat_coef){f->v, false})) return true;
    p->linear = one_term(x, (stat_coef){f->v, false}, 0, true);
    return true;
  case STAT_GROUP: p->linear = one_term(x, f->a, 0, true); return true;
  case STAT_DATA: p->linear = one_term(x, (stat_coef){0}, f->v, false); return true;
  case STAT_CASES: break;
  }
  stat_linear yes = {0}, no = {0};
  if (ir_type_of(x->fn, f->a.v).elem != IR_REAL) return false;
  if (!is_zero(x, f->a)) yes = one_term(x, f->a, indicator(x, f->v), true);
  if (!is_zero(x, f->b)) no = one_term(x, f->b, indicator(x, stat_feature(x, ir_op1(&x->body, IR_NOT_OP, f->v))), true);
  p->linear = joined(x, &yes, &no);
  return true;
}

static bool same_coef(stat_coef a, stat_coef b) { return a.v == b.v && a.grouped == b.grouped; }

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

/* p times a coefficient. */
static stat_form scale(stat_plate *x, const stat_poly *p, stat_coef c) {
  if (p->nguards && !positive_literal(x, c)) return none;
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
  if (f->kind == STAT_FIXED) *c = (stat_coef){f->v, false};
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
  stat_coef none_of = {ir_real(&x->before, 0.0), false};
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
    r.linear = switched(x, &p.linear, c, true);
    s.linear = switched(x, &q.linear, c, false);
  } else {
    return none;
  }
  return add(x, &r, &s, false);
}

/* p where cond holds, else -inf: a guard, or a select that is as good as one. */
static stat_form guard(stat_plate *x, const ir_op *op, const stat_form *cond, const stat_poly *p) {
  if (cond->kind != STAT_FIXED && cond->kind != STAT_DATA) return none;
  stat_poly q = {.guard = ARENA_NEW(x->m->mem, stat_guard), .nguards = 1};
  q.guard[0].op = op;
  if (cond->kind == STAT_DATA) q.guard[0].broken = indicator(x, stat_feature(x, ir_op1(&x->body, IR_NOT_OP, op->args[0])));
  return add(x, p, &q, false);
}

/* ---- groups */

/* An index of the plate itself says nothing about groups, unless the plate has others. */
static bool can_be_key(const stat_plate *x, ir_val v) {
  return ir_value_of(x->fn, v)->def != IR_DEF_INDEX || x->loop->u.loop->rank > 1;
}

/* A bound was checked where the data say so: in @prepare. */
static stat_form gather(stat_plate *x, const ir_op *op) {
  ir_type t = ir_type_of(x->fn, op->args[0]);
  const ir_axes *axes = &op->u.axes;
  ir_val key[IR_MAX_RANK];
  ir_size size[IR_MAX_RANK];
  uint32_t n = 0;
  if (axes->n != t.rank || t.elem != IR_REAL) return none;
  for (uint32_t k = 0; k < axes->n; k++) {
    ir_val v = axes->at[k];
    if (!v || ir_type_of(x->fn, v).rank) return none;
    if (!ir_block_within(ir_home(x->fn, v), &x->loop->u.loop->body)) continue;
    if (!stat_is_data(x, v) || !can_be_key(x, v)) return none;
    key[n] = v;
    size[n++] = t.dim[k];
  }
  if (x->groups) {
    if (n != x->nkeys) return none;
    for (uint32_t k = 0; k < n; k++)
      if (key[k] != x->key[k] || size[k] != x->key_size[k]) return none;
  } else {
    ir_val extent[IR_MAX_RANK];
    for (uint32_t k = 0; k < n; k++) {
      x->key[k] = key[k];
      x->key_size[k] = size[k];
      extent[k] = ir_size_val(&x->before, size[k]);
    }
    x->nkeys = n;
    x->groups = ir_loop_begin(&x->before, IR_PLATE_OP, n, extent);
    x->in_group = ir_builder_in(&x->before, &x->groups->u.loop->body);
  }
  ir_axes to = *axes;
  for (uint32_t k = 0, g = 0; k < axes->n; k++)
    if (g < n && axes->at[k] == key[g]) to.at[k] = x->groups->u.loop->index[g++];
  return (stat_form){.kind = STAT_GROUP, .a = {ir_at(&x->in_group, op->args[0], to), true}};
}

/* ---- values */

static const stat_form *form_of(stat_plate *x, ir_val v);

/* Element i of X beta, or a row of X times beta. */
static stat_form row_product(stat_plate *x, ir_val row, ir_val beta) {
  stat_poly p = {.linear = one_term(x, (stat_coef){beta, false}, row, false)};
  return poly_form(x, p);
}

static stat_form element(stat_plate *x, const ir_op *op) {
  const stat_form *array = form_of(x, op->args[0]);
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
  stat_coef yes = stat_coef_op(x, (ir_code)op->code, op->nargs, a);
  if (!cond) return (stat_form){.kind = STAT_GROUP, .a = yes};
  return (stat_form){.kind = STAT_CASES, .v = cond, .a = yes, .b = stat_coef_op(x, (ir_code)op->code, op->nargs, b)};
}

static stat_form compute(stat_plate *x, ir_val v) {
  if (!ir_block_within(ir_home(x->fn, v), &x->loop->u.loop->body)) return (stat_form){.kind = STAT_FIXED, .v = v};
  if (stat_is_data(x, v)) return (stat_form){.kind = STAT_DATA, .v = v};
  const ir_op *op = ir_def_op(x->fn, v);
  if (!op || ir_type_of(x->fn, v).rank) return none;
  if (op->code == IR_AT_OP) return element(x, op);
  if (op->code == IR_MATMUL_OP) return product(x, op);
  if (op->nargs < 1 || op->nargs > 3) return none;
  const stat_form *arg[3] = {0};
  for (uint32_t k = 0; k < op->nargs; k++) {
    arg[k] = form_of(x, op->args[k]);
    if (arg[k]->kind == STAT_NONE) return none;
  }
  stat_coef c, d;
  double literal;
  if (op->code == IR_SELECT_OP && arg[0]->kind == STAT_DATA && is_coef(arg[1], &c) && is_coef(arg[2], &d) && ir_type_of(x->fn, v).elem == IR_REAL)
    return (stat_form){.kind = STAT_CASES, .v = arg[0]->v, .a = c, .b = d};
  /* Both of a fixed condition and one on data: one of two fixed ones. */
  if (op->code == IR_AND_OP || op->code == IR_OR_OP)
    for (int k = 0; k < 2; k++)
      if (arg[k]->kind == STAT_DATA && is_coef(arg[!k], &c)) {
        d = (stat_coef){ir_bool(&x->before, op->code == IR_OR_OP), false};
        return (stat_form){.kind = STAT_CASES, .v = op->args[k], .a = op->code == IR_OR_OP ? d : c, .b = op->code == IR_OR_OP ? c : d};
      }
  stat_form f = outside(x, op, arg);
  if (f.kind != STAT_NONE) return f;
  if (ir_type_of(x->fn, v).elem != IR_REAL) return none;
  stat_poly p, q;
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

static const stat_form *form_of(stat_plate *x, ir_val v) {
  if (v >= x->nforms) { /* made since: a feature, or a coefficient */
    stat_form *f = ARENA_NEW(x->m->mem, stat_form);
    *f = compute(x, v);
    return f;
  }
  if (!x->form[v]) {
    stat_form f = compute(x, v);
    x->form[v] = ARENA_NEW(x->m->mem, stat_form);
    *x->form[v] = f;
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
    if (op->nres == 1 && op->res[0] < x->nforms && stat_is_wanted(x, op) && !stat_is_data(x, op->res[0])) form_of(x, op->res[0]);
  stat_form f = *form_of(x, v);
  stat_poly p;
  if (f.kind == STAT_FIXED || ir_type_of(x->fn, v).elem != IR_REAL || ir_type_of(x->fn, v).rank || !as_poly(x, &f, &p)) return NULL;
  return poly_form(x, p).poly;
}
