/* lower_agent.c: see the header.
 *
 * Each part is a function of its own: the signature, the `let`s, its parents as indices, and the expression.  What of that depends on data alone
 * goes to @prepare by the passes, as in any derived function, and what a part does not read is dropped. */
#include "compiler/lower_agent.h"

#include "compiler/builtin.h"
#include "compiler/lower_internal.h"

enum { MOST_POINTS = 16, MOST_NODES = 1000 };

typedef struct lowering {
  lower l;
  check_program *p;
  ir_module *m;
  const check_agent *a;
  const char *prefix;
  const lower_options *options;
  ast_block lets;
} lowering;

/* ---- distributions on few values */

typedef struct points {
  size_t n;
  ir_val place[MOST_POINTS], weight[MOST_POINTS]; /* 0: 1 */
} points;

static bool is_onehot(const ast_expr *e) {
  const symbol *f = e->kind == EXPR_CALL ? e->call.fn.sym : NULL;
  return f && f->kind == SYM_BUILTIN && f->builtin == BUILTIN_ONEHOT;
}

/* A function whose value is an expression: the call is that expression. */
static const ast_decl *written_out(lower *l, const ast_expr *e) {
  const check_call *c = e->kind == EXPR_CALL ? check_call_of(l->p, e) : NULL;
  const ast_decl *d = c && c->callee->kind == SYM_FN && !c->lifted ? c->callee->decl : NULL;
  return d && d->value && !d->memo_size ? d : NULL;
}

/* How many weighted values e is made of; 0: it is not made of such.  Functions of functions may be large when they are written out, so this gives up
 * when fuel is gone. */
static size_t count_points(lower *l, const ast_expr *e, int *fuel) {
  if (--*fuel < 0) return 0;
  if (is_onehot(e)) return 1;
  switch (e->kind) {
  case EXPR_CALL: {
    const ast_decl *d = written_out(l, e);
    return d ? count_points(l, d->value, fuel) : 0;
  }
  case EXPR_LET: return count_points(l, e->let.body, fuel);
  case EXPR_IF: {
    const size_t a = count_points(l, e->if_.then, fuel), b = a ? count_points(l, e->if_.else_, fuel) : 0;
    return !b ? 0 : a > b ? a : b;
  }
  case EXPR_BINARY: {
    const ast_expr *x = e->binary.lhs, *y = e->binary.rhs;
    if (e->binary.op == OP_MUL) return ty_of(x)->rank == 0 ? count_points(l, y, fuel) : ty_of(y)->rank == 0 ? count_points(l, x, fuel) : 0;
    if (e->binary.op == OP_DIV) return ty_of(y)->rank == 0 ? count_points(l, x, fuel) : 0;
    if (e->binary.op != OP_ADD) return 0;
    const size_t a = count_points(l, x, fuel), b = a ? count_points(l, y, fuel) : 0;
    return a && b && a + b <= MOST_POINTS ? a + b : 0;
  }
  default: return 0;
  }
}

static void scale(lower *l, points *p, size_t from, ir_code code, ir_val by) {
  for (size_t k = from; k < p->n; k++) {
    if (!p->weight[k] && code == IR_MUL_OP) p->weight[k] = by;
    else p->weight[k] = ir_op2(&l->b, code, p->weight[k] ? p->weight[k] : ir_real(&l->b, 1.0), by);
  }
}

static void add_points(lower *l, const ast_expr *e, points *p);

static void add_choice(lower *l, const ast_expr *e, points *p) {
  ir_op *branch = ir_if_begin(&l->b, lower_scalar_as(l, e->if_.cond, IR_BOOL));
  ir_builder outer = l->b;
  points way[2] = {{0}, {0}};
  for (int k = 0; k < 2; k++) {
    const size_t mark = lower_mark(l), binds = l->nbind;
    l->b = ir_builder_in(&outer, k == 0 ? &branch->u.branch->then_ : &branch->u.branch->else_);
    add_points(l, k == 0 ? e->if_.then : e->if_.else_, &way[k]);
    for (size_t i = 0; i < way[k].n; i++)
      if (!way[k].weight[i]) way[k].weight[i] = ir_real(&l->b, 1.0);
    lower_forget(l, mark);
    l->nbind = binds;
  }
  /* The shorter one has values without weight behind. */
  for (int k = 0; k < 2; k++) {
    l->b = ir_builder_in(&outer, k == 0 ? &branch->u.branch->then_ : &branch->u.branch->else_);
    for (points *w = &way[k]; w->n < way[1 - k].n; w->n++) {
      w->place[w->n] = ir_int(&l->b, 0);
      w->weight[w->n] = ir_real(&l->b, 0.0);
    }
  }
  l->b = outer;
  for (size_t i = 0; i < way[0].n; i++, p->n++) {
    double a, b;
    const bool certain = ir_is_real(l->fn, way[0].weight[i], &a) && ir_is_real(l->fn, way[1].weight[i], &b) && a == 1.0 && b == 1.0;
    p->place[p->n] = ir_if_out(l->fn, branch, way[0].place[i], way[1].place[i]);
    p->weight[p->n] = certain ? 0 : ir_if_out(l->fn, branch, way[0].weight[i], way[1].weight[i]);
  }
}

static void add_points(lower *l, const ast_expr *e, points *p) {
  const size_t from = p->n;
  const span was = l->b.where;
  l->b.where = e->at;
  if (is_onehot(e)) {
    p->weight[p->n] = 0;
    p->place[p->n++] = ir_op2(&l->b, IR_SUB_OP, lower_scalar_as(l, e->call.args.items[0].value, IR_INT), ir_int(&l->b, 1));
  } else if (e->kind == EXPR_LET) {
    const ast_expr *v = e->let.value;
    const size_t binds = l->nbind;
    lower_bind(l, e->let.var.sym, ty_of(v)->rank ? lower_array(l, v) : lower_scalar(l, v));
    add_points(l, e->let.body, p);
    l->nbind = binds;
  } else if (e->kind == EXPR_CALL) {
    const ast_decl *d = written_out(l, e);
    ir_size *sizes;
    const ir_val *args = lower_call_args(l, check_call_of(l->p, e), &sizes);
    const lower_fn_scope was = lower_fn_begin(l, d, args, sizes);
    const size_t mark = lower_mark(l);
    add_points(l, d->value, p);
    lower_forget(l, mark);
    lower_fn_end(l, &was);
  } else if (e->kind == EXPR_IF) {
    add_choice(l, e, p);
  } else {
    const ast_expr *x = e->binary.lhs, *y = e->binary.rhs;
    const bool left = ty_of(x)->rank > 0;
    if (left) add_points(l, x, p);
    if (ty_of(y)->rank > 0) add_points(l, y, p);
    if (e->binary.op != OP_ADD) scale(l, p, from, e->binary.op == OP_DIV ? IR_DIV_OP : IR_MUL_OP, lower_scalar_as(l, left ? y : x, IR_REAL));
  }
  l->b.where = was;
}

static void return_points(lower *l, const points *p) {
  if (p->n == 1 && !p->weight[0]) {
    ir_return(l->fn, 1, p->place);
    return;
  }
  const ir_size n = size_const(l->m->sizes, (int64_t)p->n);
  ir_val out[2] = {ir_new_array(&l->b, ir_array(IR_INT, 1, &n)), ir_new_array(&l->b, ir_array(IR_REAL, 1, &n))};
  for (size_t k = 0; k < p->n; k++) {
    const ir_axes at = {.n = 1, .at = {ir_int(&l->b, (int64_t)k)}};
    out[0] = ir_put(&l->b, out[0], at, p->place[k]);
    out[1] = ir_put(&l->b, out[1], at, p->weight[k] ? p->weight[k] : ir_real(&l->b, 1.0));
  }
  ir_return(l->fn, 2, out);
}

/* ---- functions */

/* A function with the part's parents; what it returns is still to come. */
static lower *begin(lowering *x, const char *name, const agent_part *part) {
  lower *l = &x->l;
  lower_init(l, x->p, x->m, x->options);
  l->fn = ir_fn_new(x->m, arena_printf(x->m->mem, "%s%s", x->prefix, name), false);
  l->b = ir_builder_at_end(l->fn, &l->fn->body);
  lower_signature(l, x->a->data);
  lower_block(l, &x->lets);
  for (size_t k = 0; k < part->nparents; k++) {
    symbol *s = part->parent[k];
    const ir_val at = ir_param_add(l->fn, IR_ROLE_INDEX, s->name, ir_scalar(IR_INT));
    binding *b = lower_push(l, s, BIND_INDEX);
    b->v = at;
    b->lo = size_const(x->m->sizes, 1);
    b->extent = lower_size(l, s->type->count);
  }
  l->b.where = part->at;
  return l;
}

static bool finish(lowering *x) {
  return !x->l.refused && ir_verify_after(x->l.fn, "lowered");
}

static bool distribution(lowering *x, const char *name, const agent_part *part) {
  lower *l = begin(x, name, part);
  const ast_expr *e = part->value;
  int fuel = MOST_NODES;
  if (count_points(l, e, &fuel)) {
    points p = {0};
    add_points(l, e, &p);
    return_points(l, &p);
  } else {
    ir_val v = lower_array_as(l, e, IR_REAL);
    if (part->logs) v = lower_fn_call(l, check_library(x->p, "softmax")->decl, IR_REAL, &v, NULL);
    ir_return(l->fn, 1, &v);
  }
  return finish(x);
}

/* The value of e, of the type `want`, or of its own. */
static bool value(lowering *x, const char *name, const agent_part *part, const ty_info *want, ir_elem elem) {
  lower *l = begin(x, name, part);
  const ast_expr *e = part->value;
  ir_val v = want ? lower_broadcast(l, e, want) : ty_of(e)->rank ? lower_array_as(l, e, elem) : lower_scalar_as(l, e, elem);
  ir_return(l->fn, 1, &v);
  return finish(x);
}

/* Actions count from 1 in data, and from 0 here. */
static bool policies(lowering *x, const agent_part *part) {
  lower *l = begin(x, "policies", part);
  ir_val v = lower_array_as(l, part->value, IR_INT);
  const ir_type t = ir_type_of(l->fn, v);
  lower_box box = lower_box_begin(l, t.rank, t.dim);
  ir_axes axes = {.n = t.rank};
  for (uint32_t k = 0; k < t.rank; k++) axes.at[k] = box.idx[k];
  const ir_val from0 = ir_op2(&l->b, IR_SUB_OP, ir_at(&l->b, v, axes), ir_int(&l->b, 1));
  lower_box_end(l, &box);
  v = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, from0);
  ir_return(l->fn, 1, &v);
  return finish(x);
}

bool lower_agent(check_program *p, ir_module *m, const check_agent *a, const char *prefix, const lower_options *options) {
  lowering x = {.p = p, .m = m, .a = a, .prefix = prefix, .options = options};
  arena *mem = m->mem;
  for (size_t i = 0; i < a->decl->body->n; i++)
    if (a->decl->body->items[i]->kind == STMT_LET) ARENA_PUSH(mem, x.lets.items, x.lets.n, x.lets.cap, a->decl->body->items[i]);
  bool ok = true;
  for (size_t k = 0; k < a->nstates; k++) {
    const agent_state *s = &a->state[k];
    ok = distribution(&x, arena_printf(mem, "start.%s", s->sym->name), &s->start) && ok;
    ok = distribution(&x, arena_printf(mem, "step.%s", s->sym->name), &s->step) && ok;
  }
  for (size_t k = 0; k < a->nobservations; k++) {
    const agent_observation *o = &a->observation[k];
    ok = distribution(&x, arena_printf(mem, "observe.%s", o->sym->name), &o->likelihood) && ok;
    if (o->prefer.value) ok = value(&x, arena_printf(mem, "prefer.%s", o->sym->name), &o->prefer, NULL, IR_REAL) && ok;
  }
  for (size_t k = 0; k < a->nlearn; k++) {
    ty_info *counts = ARENA_NEW(mem, ty_info);
    *counts = *a->learn[k].data->type;
    ok = value(&x, arena_printf(mem, "counts.%s", a->learn[k].data->name), &a->learn[k].counts, counts, IR_REAL) && ok;
  }
  const agent_plan *pl = &a->plan;
  if (pl->habit.value) ok = value(&x, "habit", &pl->habit, NULL, IR_REAL) && ok;
  if (pl->policies.value) ok = policies(&x, &pl->policies) && ok;
  if (pl->goal.value) ok = value(&x, "goal", &pl->goal, NULL, IR_BOOL) && ok;
  return ok;
}
