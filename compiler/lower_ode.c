/* lower_ode.c: ode(f, u0, t0, ts, ...) as two scans; formulas are in stdlib/prelude/ode.aim, those of implicit steps in lower_stiff.c and stiff.aim.
 *
 * The *search* tries steps: it carries time t, state u, its derivative k1, the next step's size h = exp(n / 32), n, and the number i of results so far.  A step
 * that would reach ts[i] ends there.  A step whose error is too large leaves all but h as they were.  The search ends itself when all results are
 * there, or when it is stuck: steps no longer move t, or ts[i] lies before t.  It keeps of each step its size, 0 if it was not taken, and
 * whether it ended at a result.
 *
 * The *replay* takes these steps again and adds u to row i of the result where one ends at ts[i].  Only the replay is differentiated, for sizes
 * and ends are constants to differentiation (`ode_step_size`): the gradient is that of the steps taken, its cost and memory follow their number,
 * and a step that was tried and not taken, whose derivatives may be no numbers, is one of size 0.
 *
 * Both run as long as there is something to do, at most max_steps times.  A solve without all its results gives u0 in every row, and the model a
 * factor of -inf; in a function that is no model's, or a prediction, it gives -inf. */
#include "compiler/lower_ode.h"

#include <stdarg.h>

enum { MOST_STEPS = 10000 };

ir_val ode_library(ode *o, const char *name, ...) {
  enum { MOST = 14 };
  lower *l = o->l;
  const ast_decl *d = check_library(l->p, name)->decl;
  ir_val args[MOST];
  va_list ap;
  va_start(ap, name);
  for (size_t k = 0; k < d->params.n && k < MOST; k++) args[k] = va_arg(ap, ir_val);
  va_end(ap);
  return lower_fn_call(l, d, IR_REAL, args, NULL);
}

ir_val ode_derivative(ode *o, ir_val t, ir_val u) {
  o->arg[0] = t;
  o->arg[1] = u;
  return lower_fn_call(o->l, o->f, IR_REAL, o->arg, o->size);
}

static ode_step take(ode *o, ir_val t, ir_val u, ir_val h, ir_val k1) {
  static const double c[] = {0, 0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1};
  lower *l = o->l;
  ode_step s = {.k = {0, k1}};
  for (int j = 2; j <= 6; j++) {
    ir_val at = ir_op2(&l->b, IR_ADD_OP, t, j == 6 ? h : ir_op2(&l->b, IR_MUL_OP, ir_real(&l->b, c[j]), h)), v;
    switch (j) {
    case 2: v = ode_library(o, "ode_stage2", u, h, k1); break;
    case 3: v = ode_library(o, "ode_stage3", u, h, k1, s.k[2]); break;
    case 4: v = ode_library(o, "ode_stage4", u, h, k1, s.k[2], s.k[3]); break;
    case 5: v = ode_library(o, "ode_stage5", u, h, k1, s.k[2], s.k[3], s.k[4]); break;
    default: v = ode_library(o, "ode_stage6", u, h, k1, s.k[2], s.k[3], s.k[4], s.k[5]);
    }
    s.k[j] = ode_derivative(o, at, v);
  }
  s.u = ode_library(o, "ode_new_state", u, h, k1, s.k[3], s.k[4], s.k[5], s.k[6]);
  return s;
}

/* A scan under construction: states by name. */
typedef struct walk {
  ir_op *scan;
  ir_builder outer;
  uint32_t live, t, u, i, k1, h, n, last, tried, rows;
} walk;

static uint32_t carry(ode *o, walk *w, ir_val init) { return ir_loop_state(o->l->fn, w->scan, IR_CARRY, init); }
static ir_val now(const walk *w, uint32_t state) { return w->scan->u.loop->out[state].state; }
static void next(ode *o, walk *w, uint32_t state, ir_val v) { ir_loop_finish(o->l->fn, w->scan, state, NULL, v); }

static void walk_begin(ode *o, walk *w, ir_val go, ir_val t0, ir_val u0) {
  lower *l = o->l;
  ir_val zero = ir_int(&l->b, 0);
  w->scan = ir_loop_begin(&l->b, IR_SCAN_OP, 1, &o->most);
  w->live = carry(o, w, go);
  w->scan->u.loop->live = now(w, w->live);
  w->t = carry(o, w, t0);
  w->u = carry(o, w, u0);
  w->i = carry(o, w, zero);
}

static void walk_enter(ode *o, walk *w) {
  w->outer = o->l->b;
  o->l->b = ir_builder_in(&w->outer, &w->scan->u.loop->body);
}

typedef struct search {
  ir_val size, end, tried, whole; /* size and end of each step, how many there are, and whether all results are there */
} search;

static search search_steps(ode *o, ir_val t0, ir_val u0) {
  lower *l = o->l;
  ir_builder *b = &l->b;
  ir_val start = ode_derivative(o, t0, u0), guess = ode_library(o, "ode_guess", u0, start, o->rtol, o->atol);
  ir_val probe = ode_derivative(o, ir_op2(b, IR_ADD_OP, t0, guess), ode_library(o, "ode_ahead", u0, guess, start));
  ir_val first = ode_library(o, "ode_first_step", guess, u0, start, probe, o->rtol, o->atol);
  ir_val zero = ir_int(b, 0), one = ir_int(b, 1), none = ir_real(b, 0), last0 = ir_real(b, -9), h0 = ode_library(o, "ode_step_size", first);
  walk w;
  walk_begin(o, &w, ir_op2(b, IR_LT_OP, zero, o->n), t0, u0);
  w.k1 = carry(o, &w, start);
  w.h = carry(o, &w, h0);
  w.n = carry(o, &w, first);
  w.last = carry(o, &w, last0);
  w.tried = carry(o, &w, zero);
  walk_enter(o, &w);
  ir_val t = now(&w, w.t), u = now(&w, w.u), h = now(&w, w.h), i = now(&w, w.i), k1 = now(&w, w.k1), last = now(&w, w.last);
  ir_val target = ir_at1(b, o->ts, i), gap = ir_op2(b, IR_SUB_OP, target, t), reach = ir_op2(b, IR_LE_OP, gap, h);
  ir_val length = ir_op3(b, IR_SELECT_OP, reach, gap, h), then = ir_op3(b, IR_SELECT_OP, reach, target, ir_op2(b, IR_ADD_OP, t, h));
  ode_step s = o->stiff ? stiff_take(o, t, u, length, k1) : take(o, t, u, length, k1);
  ir_val k7 = ode_derivative(o, then, s.u);
  ir_val err = o->stiff ? ode_library(o, "stiff_error", u, s.u, length, s.k[1], s.k[2], s.k[3], s.k[5], s.inverse, s.moved, o->rtol, o->atol)
                        : ode_library(o, "ode_error", u, s.u, length, k1, s.k[3], s.k[4], s.k[5], s.k[6], k7, o->rtol, o->atol);
  ir_val good = ir_op2(b, IR_LE_OP, err, ir_real(b, 1)), end = ir_op2(b, IR_AND_OP, good, reach), e = ode_library(o, "ode_log_error", err);
  /* A good step cut short at a result says little about the size that follows it. */
  ir_val change = ir_op3(b, IR_SELECT_OP, end, zero, o->stiff ? ode_library(o, "stiff_change", good, e) : ode_library(o, "ode_change", good, e, last)), n1 = ir_op2(b, IR_ADD_OP, now(&w, w.n), change);
  ir_val h1 = ode_library(o, "ode_step_size", n1);
  ir_val i1 = ir_op2(b, IR_ADD_OP, i, ir_op1(b, IR_BOOL_INT_OP, end));
  ir_val least = ir_op2(b, IR_MUL_OP, ir_real(b, 0x1p-50), ir_op1(b, IR_ABS_OP, t));
  ir_val moves = ir_op2(b, IR_OR_OP, good, ir_op2(b, IR_LT_OP, ir_op2(b, IR_MAX_OP, least, ir_real(b, 0x1p-1000)), h1));
  ir_val forward = ir_op2(b, IR_LE_OP, none, gap);
  ir_val go = ir_op2(b, IR_AND_OP, ir_op2(b, IR_AND_OP, moves, forward), ir_op2(b, IR_LT_OP, i1, o->n));
  next(o, &w, w.live, go);
  next(o, &w, w.t, ir_op3(b, IR_SELECT_OP, good, then, t));
  next(o, &w, w.u, ode_library(o, "ode_choose", good, s.u, u));
  next(o, &w, w.i, ir_op3(b, IR_SELECT_OP, forward, i1, i));
  next(o, &w, w.k1, ode_library(o, "ode_choose", good, k7, k1));
  next(o, &w, w.h, h1);
  next(o, &w, w.n, n1);
  next(o, &w, w.last, ir_op3(b, IR_SELECT_OP, good, e, last));
  next(o, &w, w.tried, ir_op2(b, IR_ADD_OP, now(&w, w.tried), one));
  ir_val taken = ir_op3(b, IR_SELECT_OP, good, h, none);
  l->b = w.outer;
  search r = {.size = ir_loop_out(l->fn, w.scan, IR_STACK, 0, NULL, taken), .end = ir_loop_out(l->fn, w.scan, IR_STACK, 0, NULL, end)};
  r.tried = w.scan->res[w.tried];
  r.whole = ir_op2(b, IR_EQ_OP, w.scan->res[w.i], o->n);
  return r;
}

static ir_val replay_steps(ode *o, ir_val t0, ir_val u0, ir_type result, const search *r) {
  lower *l = o->l;
  ir_builder *b = &l->b;
  ir_val zero = ir_int(b, 0), one = ir_int(b, 1), rows = ir_new_array(b, result), nothing = ir_new_array(b, ir_type_of(l->fn, u0));
  walk w;
  walk_begin(o, &w, ir_op2(b, IR_LT_OP, zero, r->tried), t0, u0);
  w.rows = ir_loop_state(l->fn, w.scan, IR_KEYED, rows);
  walk_enter(o, &w);
  ir_val k = w.scan->u.loop->index[0], t = now(&w, w.t), u = now(&w, w.u), i = now(&w, w.i);
  ir_val h = ir_at1(b, r->size, k), end = ir_at1(b, r->end, k), target = ir_at1(b, o->ts, i);
  ir_val length = ir_op3(b, IR_SELECT_OP, end, ir_op2(b, IR_SUB_OP, target, t), h);
  ir_val k1 = ode_derivative(o, t, u), to = o->stiff ? stiff_again(o, t, u, length, k1) : take(o, t, u, length, k1).u;
  next(o, &w, w.live, ir_op2(b, IR_LT_OP, ir_op2(b, IR_ADD_OP, k, one), r->tried));
  next(o, &w, w.t, ir_op3(b, IR_SELECT_OP, end, target, ir_op2(b, IR_ADD_OP, t, h)));
  next(o, &w, w.u, to);
  next(o, &w, w.i, ir_op2(b, IR_ADD_OP, i, ir_op1(b, IR_BOOL_INT_OP, end)));
  ir_axes row = {.n = 2, .at = {i, 0}};
  ir_loop_finish(l->fn, w.scan, w.rows, &row, ode_library(o, "ode_choose", end, to, nothing));
  l->b = w.outer;
  return w.scan->res[w.rows];
}

/* The rows of a whole solve; else what the head of this file says. */
static ir_val checked(ode *o, ir_val rows, ir_val u0, ir_type type, ir_val whole) {
  lower *l = o->l;
  bool in_model = l->model && !l->predicting;
  if (in_model) ir_factor(&l->b, ir_op2(&l->b, IR_GUARD_OP, whole, ir_real(&l->b, 0)));
  lower_box box = lower_box_begin(l, 2, type.dim);
  ir_axes at = {.n = 2, .at = {box.idx[0], box.idx[1]}};
  ir_val x = ir_at(&l->b, rows, at);
  x = in_model ? ir_op3(&l->b, IR_SELECT_OP, whole, x, ir_at1(&l->b, u0, box.idx[1])) : ir_op2(&l->b, IR_GUARD_OP, whole, x);
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, x);
}

/* What the library computes for a solve stands at the call in the source: that is what its author can act on. */
typedef struct place {
  uint32_t function; /* the file of f */
  span call;
} place;

static void set_place(void *user, ir_op *op) {
  const place *p = user;
  if (op->where.file != p->function && op->where.file != p->call.file) op->where = p->call;
}

static void set_places(ir_op *first, place *p) {
  for (ir_op *op = first; op; op = op->next) {
    set_place(p, op);
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) ir_visit_ops(&op->u.loop->body, set_place, p);
  }
}

ir_val lower_ode(lower *l, const ast_expr *e) {
  const check_call *c = check_call_of(l->p, e), *f = check_call_of(l->p, c->args[0]);
  ode o = {.l = l, .stiff = c->args[7] != NULL, .f = f->callee->decl, .arg = ARENA_ARRAY(l->mem, ir_val, f->nargs), .size = ARENA_ARRAY(l->mem, ir_size, f->nargs)};
  for (size_t k = 0; k < f->nargs; k++) {
    o.size[k] = IR_SIZE_NONE;
    if (k < 2) continue;
    o.arg[k] = ty_of(f->args[k])->rank ? lower_array(l, f->args[k]) : lower_scalar(l, f->args[k]);
    lower_expr_size(l, f->args[k], &o.size[k]);
  }
  ir_val u0 = lower_array_as(l, c->args[1], IR_REAL), t0 = lower_scalar_as(l, c->args[2], IR_REAL);
  o.ts = lower_array_as(l, c->args[3], IR_REAL);
  o.rtol = c->args[4] ? lower_scalar_as(l, c->args[4], IR_REAL) : ir_real(&l->b, 1e-6);
  o.atol = c->args[5] ? lower_scalar_as(l, c->args[5], IR_REAL) : ir_real(&l->b, 1e-9);
  ir_size most = size_const(l->m->sizes, MOST_STEPS);
  if (c->args[6]) lower_expr_size(l, c->args[6], &most);
  o.most = ir_size_val(&l->b, most);
  ir_type type = {.elem = IR_REAL, .rank = 2, .dim = {ir_type_of(l->fn, o.ts).dim[0], ir_type_of(l->fn, u0).dim[0]}};
  o.n = ir_size_val(&l->b, type.dim[0]);
  ir_op *before = l->b.block->last;
  search r = search_steps(&o, t0, u0);
  ir_val result = checked(&o, replay_steps(&o, t0, u0, type, &r), u0, type, r.whole);
  place p = {.function = f->callee->at.file, .call = e->at};
  set_places(before->next, &p);
  return result;
}
