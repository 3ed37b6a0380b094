/* pass_recurrence.c: a scan keeps what passes from one iteration to the next; the rest of its work becomes plates around it.
 *
 *     x = scan t { ... x' = f(x, t) ... sum g(x, t) }
 *
 * becomes a plate that computes what of f does not need x, a scan that is left with x' = c[t] x + d[t] where f is affine in x (else with the
 * operations of f that do need x), and a plate that computes g from the kept x.  Plates run on vectors; of the scan only the chain of
 * dependent operations is left.  The adjoint of any recurrence with one state is affine in it: c[t] is the derivative of the step.
 *
 * Scans at the top of a function whose one state that is read is a real:
 *     carry                     read anywhere
 *     into, placed at t + 1     read at t, upwards
 *     keyed, added at t         read at t + 1, downwards: the adjoint of the one before.  It is carried from here on
 *
 * needs: loops whose bodies are plain operations without guards, of an extent that is a size.  Arrays that are stacked have its
 * length, so memory stays linear.  Worth it where two operations or more leave the scan.  Other roundings: c and d are combined from the
 * body's factors, and sums over a downward scan run upwards.  select(v == 0, 0, ...), which keeps an adjoint of 0 from meeting an
 * infinite derivative, is kept as one on x. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"
#include "compiler/scans.h"

#include <string.h>

enum { KEEP_FLOPS = 6, MIN_MOVED = 2, SHORT = 8 };

/* A loop that gets copies of the scan's operations, as they are asked for. */
typedef struct part {
  ir_op *loop;
  ir_builder b;
  ir_cloner c;
  bool *here; /* by value of the scan's body: it has been copied */
} part;

typedef struct splitter {
  ir_module *m;
  ir_fn *fn;
  ir_op *op;
  ir_loop *from;
  uint32_t n;       /* values of the function before anything was added */
  uint32_t state;   /* the output whose state is read */
  bool *dep;        /* by value: follows from the state */
  bool *core;       /* by value: the next state follows from it and it from the state */
  part pre, post;
  ir_op *scan;      /* what is left */
  ir_builder scan_b;
  ir_map kept;      /* results of pre by value of the body */
  bool affine;      /* so is the next state in the state */
} splitter;

static bool inside(const splitter *s, ir_val v) { return v < s->n && ir_block_within(ir_home(s->fn, v), &s->from->body); }

static bool is_state_read(const splitter *s, const ir_op *op) {
  return op->code == IR_AT_OP && op->args[0] == s->from->out[s->state].state;
}

/* ---- can it be done */

typedef struct reads {
  const splitter *s;
  ir_val state;
  uint32_t n;
  bool plain; /* where and as this output's mode asks for */
} reads;

static void note_use(void *user, ir_val *use) {
  reads *r = user;
  if (*use == r->state) r->n++;
}

static void note_reads(void *user, ir_op *op) {
  reads *r = user;
  uint32_t before = r->n;
  ir_visit_uses(op, note_use, r);
  if (r->n == before) return;
  const ir_out *out = &r->s->from->out[ir_value_of(r->s->fn, r->state)->slot];
  if (out->mode == IR_CARRY) return;
  bool read = op->code == IR_AT_OP && r->n == before + 1 && op->args[0] == r->state && op->u.axes.n == 1 && op->u.axes.at[0];
  r->plain &= read && (out->mode == IR_INTO ? op->u.axes.at[0] == r->s->from->index[0] : scan_is_next_index(r->s->fn, r->s->from, op->u.axes.at[0]));
}

static reads reads_of(const splitter *s, uint32_t k) {
  reads r = {.s = s, .state = s->from->out[k].state, .plain = true};
  ir_visit_ops(&s->from->body, note_reads, &r);
  for (uint32_t j = 0; j < s->from->nout; j++) r.n += s->from->out[j].yield == r.state;
  return r;
}

/* Finds the one state that is read; false if the scan is of another kind. */
static bool find_state(splitter *s) {
  int found = -1;
  for (uint32_t k = 0; k < s->from->nout; k++) {
    const ir_out *out = &s->from->out[k];
    if (!out->state) continue;
    ir_type t = ir_type_of(s->fn, out->state);
    reads r = reads_of(s, k);
    if (r.n == 0) {
      if (out->mode == IR_CARRY) return false; /* no plate has such an output */
      continue;
    }
    if (found >= 0 || !r.plain || t.elem != IR_REAL) return false;
    if (out->mode == IR_CARRY && t.rank) return false;
    if (out->mode == IR_INTO && (t.rank != 1 || s->from->down || !scan_is_next_index(s->fn, s->from, out->axes.at[0]))) return false;
    if (out->mode == IR_KEYED && (t.rank != 1 || !s->from->down || out->axes.at[0] != s->from->index[0])) return false;
    found = (int)k;
  }
  if (found < 0) return false;
  s->state = (uint32_t)found;
  /* Arrays cannot be carried along as scalars are. */
  for (uint32_t k = 0; k < s->from->nout; k++)
    if (s->from->out[k].mode != IR_CARRY && s->from->out[k].yield == s->from->out[s->state].state && s->from->out[s->state].mode != IR_CARRY) return false;
  return true;
}

static bool plain_body(const splitter *s) {
  for (const ir_op *op = s->from->body.first; op; op = op->next) {
    int effect = ir_op_table[op->code].effect;
    if (op->nres != 1 || effect == IR_LOOP || effect == IR_MODEL || op->code == IR_CALL_OP || op->code == IR_GUARD_OP) return false;
    if (ir_type_of(s->fn, op->res[0]).rank || ir_type_of(s->fn, op->res[0]).elem == IR_KEY) return false;
  }
  return true;
}

typedef struct marking {
  const splitter *s;
  const bool *set;
  bool any;
} marking;

static void see_marked(void *user, ir_val *use) {
  marking *m = user;
  m->any |= *use < m->s->n && m->set[*use];
}

static void follow(splitter *s) {
  const ir_out *out = &s->from->out[s->state];
  s->dep[out->state] = true;
  for (ir_op *op = s->from->body.first; op; op = op->next) {
    marking m = {s, s->dep, false};
    ir_visit_uses(op, see_marked, &m);
    s->dep[op->res[0]] = m.any;
  }
  if (out->yield < s->n && s->dep[out->yield]) s->core[out->yield] = true;
  for (ir_op *op = s->from->body.last; op; op = op->prev)
    if (s->core[op->res[0]])
      for (uint32_t k = 0; k < op->nargs; k++)
        if (s->dep[op->args[k]]) s->core[op->args[k]] = true;
}

/* The chain reads an array at a position that depends on the state. */
static bool reads_by_state(const splitter *s) {
  for (const ir_op *op = s->from->body.first; op; op = op->next)
    if (s->core[op->res[0]] && op->code == IR_AT_OP && !is_state_read(s, op)) return true;
  return false;
}

static bool counts(const splitter *s, const ir_op *op) {
  return ir_op_table[op->code].flops > 0 && op->code != IR_AT_OP && ir_type_of(s->fn, op->res[0]).elem == IR_REAL;
}

static int ops_in(const splitter *s, const bool *set) {
  int n = 0;
  for (const ir_op *op = s->from->body.first; op; op = op->next)
    if (counts(s, op) && (!set || set[op->res[0]])) n++;
  return n;
}

/* ---- copying */

static part part_begin(splitter *s, ir_code code) {
  ir_builder b = {.fn = s->fn, .block = s->op->block, .before = s->op, .where = s->op->where};
  part p = {.loop = ir_loop_begin(&b, code, 1, s->from->extent)};
  p.loop->u.loop->down = code == IR_SCAN_OP && s->from->down;
  p.b = ir_builder_in(&b, &p.loop->u.loop->body);
  p.c = (ir_cloner){.from = s->fn, .map = ir_map_new(s->m->mem, s->fn)};
  p.here = ARENA_ARRAY(s->m->mem, bool, s->n);
  ir_map_set(&p.c.map, s->from->index[0], p.loop->u.loop->index[0]);
  return p;
}

static ir_val copy(splitter *s, part *p, ir_val v);

typedef struct copying {
  splitter *s;
  part *p;
} copying;

static void copy_operand(void *user, ir_val *use) {
  copying *c = user;
  copy(c->s, c->p, *use);
}

/* What plate p gets for v: the image of an operation copied with all that it needs. */
static ir_val copy(splitter *s, part *p, ir_val v) {
  if (!inside(s, v)) return v;
  ir_val to = ir_map_get(&p->c.map, v);
  if (to) return to;
  ir_op *op = ir_def_op(s->fn, v);
  ir_val kept = ir_map_get(&s->kept, v);
  if (p == &s->post && kept) {
    to = ir_at1(&p->b, kept, p->loop->u.loop->index[0]);
    ir_map_set(&p->c.map, v, to);
    return to;
  }
  copying c = {s, p};
  ir_visit_uses(op, copy_operand, &c);
  ir_builder b = p->b;
  b.where = op->where;
  ir_clone_op(&p->c, &b, op);
  p->here[v] = true;
  return ir_map_get(&p->c.map, v);
}

typedef struct freedom {
  splitter *s;
  bool free;
} freedom;

static void leave_pre(splitter *s, ir_val v);

static void free_operand(void *user, ir_val *use) {
  freedom *f = user;
  leave_pre(f->s, *use);
  f->free &= !ir_block_within(ir_home(f->s->fn, *use), &f->s->pre.loop->u.loop->body);
}

/* What does not vary in pre stands before it. */
static void leave_pre(splitter *s, ir_val v) {
  ir_op *op = ir_def_op(s->fn, v);
  if (!op || op->block != &s->pre.loop->u.loop->body || ir_op_table[op->code].effect != IR_PURE || op->code == IR_AT_OP) return;
  freedom f = {s, true};
  ir_visit_uses(op, free_operand, &f);
  if (f.free) ir_move(op, s->pre.loop->block, s->pre.loop);
}

/* A value of pre, in the scan: an element of a kept array, or the operation itself where that is only a read. */
static ir_val from_pre(splitter *s, ir_val v) {
  leave_pre(s, v);
  const ir_op *op = ir_def_op(s->fn, v);
  if (!op || !ir_block_within(op->block, &s->pre.loop->u.loop->body)) return v == s->pre.loop->u.loop->index[0] ? s->scan->u.loop->index[0] : v;
  ir_val t = s->pre.loop->u.loop->index[0];
  if (op->code == IR_AT_OP && op->u.axes.n == 1 && op->u.axes.at[0] == t && !ir_block_within(ir_home(s->fn, op->args[0]), &s->pre.loop->u.loop->body))
    return ir_at1(&s->scan_b, op->args[0], s->scan->u.loop->index[0]);
  if (op->nargs == 0 && op->code != IR_NEW_OP) { /* literals and sizes */
    ir_cloner c = {.from = s->fn, .map = ir_map_new(s->m->mem, s->fn)};
    ir_clone_op(&c, &s->scan_b, op);
    return ir_map_get(&c.map, v);
  }
  ir_val stack = ir_loop_out(s->fn, s->pre.loop, IR_STACK, 0, NULL, v);
  return ir_at1(&s->scan_b, stack, s->scan->u.loop->index[0]);
}

/* ---- c x + d, over values of pre */

typedef struct affine {
  bool ok, guarded; /* guarded: 0 where x is 0, whatever c is */
  ir_val c, d;      /* 0: none */
} affine;

static ir_val sum(ir_builder *b, ir_val x, ir_val y) { return x && y ? ir_op2(b, IR_ADD_OP, x, y) : x ? x : y; }
static ir_val times(ir_builder *b, ir_val x, ir_val k) {
  double one;
  if (!x || (ir_is_real(b->fn, x, &one) && one == 1)) return x ? k : 0;
  return ir_op2(b, IR_MUL_OP, x, k);
}
static ir_val minus(ir_builder *b, ir_val x) { return x ? ir_op1(b, IR_NEG_OP, x) : 0; }

static affine form_of(splitter *s, ir_val v);

static affine scaled(splitter *s, affine f, ir_val k) {
  f.c = times(&s->pre.b, f.c, k);
  f.d = times(&s->pre.b, f.d, k);
  return f;
}

static affine added(splitter *s, affine f, affine g) {
  return (affine){f.ok && g.ok, f.guarded || g.guarded, sum(&s->pre.b, f.c, g.c), sum(&s->pre.b, f.d, g.d)};
}

static ir_val chosen(splitter *s, ir_val cond, ir_val x, ir_val y) {
  if (!x && !y) return 0;
  ir_builder *b = &s->pre.b;
  return ir_op3(b, IR_SELECT_OP, cond, x ? x : ir_real(b, 0), y ? y : ir_real(b, 0));
}

/* select(a == 0, 0, b) with a and b multiples of x. */
static affine guarded_form(splitter *s, const ir_op *op) {
  affine none = {0};
  const ir_op *eq = ir_def_op(s->fn, op->args[0]);
  double zero;
  if (!eq || eq->code != IR_EQ_OP || !ir_is_real(s->fn, op->args[1], &zero) || zero != 0) return none;
  if (!ir_is_real(s->fn, eq->args[1], &zero) || zero != 0) return none;
  affine a = form_of(s, eq->args[0]), b = form_of(s, op->args[2]);
  if (!a.ok || !b.ok || a.d || b.d || !a.c || !b.c) return none;
  ir_builder *at = &s->pre.b;
  double c;
  if (ir_is_real(s->fn, a.c, &c) && c != 0) return (affine){true, true, b.c, 0};
  return (affine){true, true, ir_op3(at, IR_SELECT_OP, ir_op2(at, IR_EQ_OP, a.c, ir_real(at, 0)), ir_real(at, 0), b.c), 0};
}

static affine form_of(splitter *s, ir_val v) {
  affine none = {0};
  if (!inside(s, v) || !s->dep[v]) return (affine){.ok = true, .d = copy(s, &s->pre, v)};
  if (v == s->from->out[s->state].state) return (affine){.ok = true, .c = ir_real(&s->pre.b, 1)};
  const ir_op *op = ir_def_op(s->fn, v);
  if (!op) return none;
  if (is_state_read(s, op)) return (affine){.ok = true, .c = ir_real(&s->pre.b, 1)};
  const ir_val *a = op->args;
  affine f, g;
  switch (op->code) {
  case IR_ADD_OP:
  case IR_SUB_OP:
    f = form_of(s, a[0]);
    g = form_of(s, a[1]);
    if (op->code == IR_SUB_OP) {
      g.c = minus(&s->pre.b, g.c);
      g.d = minus(&s->pre.b, g.d);
    }
    return added(s, f, g);
  case IR_NEG_OP:
    f = form_of(s, a[0]);
    f.c = minus(&s->pre.b, f.c);
    f.d = minus(&s->pre.b, f.d);
    return f;
  case IR_FMA_OP:
  case IR_MUL_OP: {
    bool first = !s->dep[a[0]], second = !s->dep[a[1]];
    if (!first && !second) return none;
    f = scaled(s, form_of(s, a[first]), copy(s, &s->pre, a[!first]));
    return op->code == IR_FMA_OP ? added(s, f, form_of(s, a[2])) : f;
  }
  case IR_DIV_OP:
    if (s->dep[a[1]]) return none;
    f = form_of(s, a[0]);
    g.d = copy(s, &s->pre, a[1]);
    if (f.c) f.c = ir_op2(&s->pre.b, IR_DIV_OP, f.c, g.d);
    if (f.d) f.d = ir_op2(&s->pre.b, IR_DIV_OP, f.d, g.d);
    return f;
  case IR_SELECT_OP:
    if (s->dep[a[0]]) return guarded_form(s, op);
    f = form_of(s, a[1]);
    g = form_of(s, a[2]);
    g.d = f.ok && g.ok ? chosen(s, copy(s, &s->pre, a[0]), f.d, g.d) : 0;
    return (affine){f.ok && g.ok, f.guarded || g.guarded, f.ok && g.ok ? chosen(s, copy(s, &s->pre, a[0]), f.c, g.c) : 0, g.d};
  default: return none;
  }
}

/* What form_of would say of v, nothing being made: has it a form, has it a term without x. */
typedef struct shape {
  bool ok, offset;
} shape;

static shape shape_of(const splitter *s, ir_val v) {
  if (!inside(s, v) || !s->dep[v]) return (shape){true, true};
  if (v == s->from->out[s->state].state) return (shape){true, false};
  const ir_op *op = ir_def_op(s->fn, v);
  if (!op) return (shape){false, false};
  if (is_state_read(s, op)) return (shape){true, false};
  const ir_val *a = op->args;
  shape f, g;
  switch (op->code) {
  case IR_NEG_OP: return shape_of(s, a[0]);
  case IR_DIV_OP: return s->dep[a[1]] ? (shape){false, false} : shape_of(s, a[0]);
  case IR_FMA_OP:
  case IR_MUL_OP:
    if (s->dep[a[0]] && s->dep[a[1]]) return (shape){false, false};
    f = shape_of(s, a[!s->dep[a[0]]]);
    if (op->code == IR_MUL_OP) return f;
    g = shape_of(s, a[2]);
    break;
  case IR_ADD_OP:
  case IR_SUB_OP:
    f = shape_of(s, a[0]);
    g = shape_of(s, a[1]);
    break;
  case IR_SELECT_OP: {
    const ir_op *eq = ir_def_op(s->fn, a[0]);
    bool own = s->dep[a[0]];
    double zero;
    if (own && (!eq || eq->code != IR_EQ_OP || !ir_is_real(s->fn, eq->args[1], &zero) || zero != 0)) return (shape){false, false};
    if (own && (!ir_is_real(s->fn, a[1], &zero) || zero != 0)) return (shape){false, false};
    f = shape_of(s, own ? eq->args[0] : a[1]);
    g = shape_of(s, a[2]);
    if (own && (f.offset || g.offset)) return (shape){false, false};
    break;
  }
  default: return (shape){false, false};
  }
  return (shape){f.ok && g.ok, f.offset || g.offset};
}

/* ---- what is left of the scan */

/* c x + d from values of pre. */
static ir_val affine_step(splitter *s, affine f, ir_val x) {
  ir_builder *b = &s->scan_b;
  double one;
  ir_val r = 0;
  if (f.c) r = ir_is_real(s->fn, f.c, &one) && one == 1 ? x : ir_op2(b, IR_MUL_OP, from_pre(s, f.c), x);
  if (r && f.guarded) r = ir_op3(b, IR_SELECT_OP, ir_op2(b, IR_EQ_OP, x, ir_real(b, 0)), ir_real(b, 0), r);
  if (f.d) r = r ? ir_op2(b, IR_ADD_OP, r, from_pre(s, f.d)) : from_pre(s, f.d);
  return r ? r : ir_real(b, 0);
}

/* The operations that need x, copied; others come from pre. */
static ir_val core_step(splitter *s, ir_val x) {
  ir_cloner c = {.from = s->fn, .map = ir_map_new(s->m->mem, s->fn)};
  ir_val state = s->from->out[s->state].state, yield = s->from->out[s->state].yield;
  ir_map_set(&c.map, state, x);
  for (ir_op *op = s->from->body.first; op; op = op->next) {
    if (!s->core[op->res[0]]) continue;
    if (is_state_read(s, op)) {
      ir_map_set(&c.map, op->res[0], x);
      continue;
    }
    for (uint32_t k = 0; k < op->nargs; k++)
      if (inside(s, op->args[k]) && !s->dep[op->args[k]] && !ir_map_get(&c.map, op->args[k]))
        ir_map_set(&c.map, op->args[k], from_pre(s, copy(s, &s->pre, op->args[k])));
    ir_clone_op(&c, &s->scan_b, op);
  }
  return s->dep[yield] ? ir_map_get(&c.map, yield) : from_pre(s, copy(s, &s->pre, yield));
}

/* Before the first iteration of a downward scan: the element behind the last, where there is an iteration. */
static ir_val last_element(splitter *s, ir_val array) {
  ir_builder b = {.fn = s->fn, .block = s->op->block, .before = s->op, .where = s->op->where};
  ir_val n = s->from->extent[0];
  ir_op *branch = ir_if_begin(&b, ir_op2(&b, IR_LT_OP, ir_int(&b, 0), n));
  ir_builder yes = ir_builder_in(&b, &branch->u.branch->then_), no = ir_builder_in(&b, &branch->u.branch->else_);
  return ir_if_out(s->fn, branch, ir_at1(&yes, array, n), ir_real(&no, 0));
}

/* Values of pre that are dear enough to be kept for post. */
static void keep_dear(splitter *s) {
  for (const ir_op *op = s->from->body.first; op; op = op->next) {
    ir_val v = op->res[0];
    if (s->dep[v] || !s->pre.here[v] || ir_op_table[op->code].flops < KEEP_FLOPS || ir_type_of(s->fn, v).elem != IR_REAL) continue;
    ir_map_set(&s->kept, v, ir_loop_out(s->fn, s->pre.loop, IR_STACK, 0, NULL, ir_map_get(&s->pre.c.map, v)));
  }
}

static bool needs_state(splitter *s, const ir_out *out) {
  if (out->yield < s->n && inside(s, out->yield) && s->dep[out->yield]) return true;
  for (uint32_t k = 0; k < out->axes.n; k++)
    if (out->axes.at[k] && inside(s, out->axes.at[k]) && s->dep[out->axes.at[k]]) return true;
  return false;
}

static void split(splitter *s, const uint32_t *uses) {
  ir_out *out = &s->from->out[s->state];
  s->pre = part_begin(s, IR_PLATE_OP);
  affine f = s->affine ? form_of(s, out->yield) : (affine){0};
  if (f.ok && out->mode == IR_KEYED) f.d = sum(&s->pre.b, f.d, ir_at1(&s->pre.b, out->init, s->pre.loop->u.loop->index[0]));
  ir_val init = out->init;
  if (out->mode == IR_KEYED) init = last_element(s, out->init);
  part scan = part_begin(s, IR_SCAN_OP);
  s->scan = scan.loop;
  s->scan_b = scan.b;
  ir_mode mode = out->mode == IR_INTO ? IR_INTO : IR_CARRY;
  uint32_t number = ir_loop_state(s->fn, s->scan, mode, init);
  ir_val state = s->scan->u.loop->out[number].state, t = s->scan->u.loop->index[0];
  ir_val x = mode == IR_INTO ? ir_at1(&s->scan_b, state, t) : state;
  ir_val next = f.ok ? affine_step(s, f, x) : core_step(s, x);
  if (out->mode == IR_KEYED && !f.ok) next = ir_op2(&s->scan_b, IR_ADD_OP, next, ir_at1(&s->scan_b, out->init, t));
  if (mode == IR_INTO) {
    ir_axes axes = {.n = 1, .at = {ir_op2(&s->scan_b, IR_ADD_OP, t, ir_int(&s->scan_b, 1))}};
    ir_loop_finish(s->fn, s->scan, number, &axes, next);
  } else {
    ir_loop_finish(s->fn, s->scan, number, NULL, next);
  }
  ir_val all = 0;
  bool later = out->mode == IR_KEYED && uses[s->op->res[s->state]] > 0;
  for (uint32_t k = 0; k < s->from->nout; k++) later |= k != s->state && needs_state(s, &s->from->out[k]);
  if (mode == IR_INTO) all = s->scan->res[number];
  else if (later) all = ir_loop_out(s->fn, s->scan, IR_STACK, 0, NULL, state);
  if (mode != IR_INTO && out->mode == IR_CARRY) ir_replace_uses(s->fn, s->op->res[s->state], s->scan->res[number]);
  if (mode == IR_INTO) ir_replace_uses(s->fn, s->op->res[s->state], all);

  keep_dear(s);
  s->post = part_begin(s, IR_PLATE_OP);
  if (all) {
    ir_val xt = ir_at1(&s->post.b, all, s->post.loop->u.loop->index[0]);
    ir_map_set(&s->post.c.map, out->state, xt);
    for (const ir_op *op = s->from->body.first; op; op = op->next)
      if (is_state_read(s, op)) ir_map_set(&s->post.c.map, op->res[0], xt);
  }
  for (uint32_t k = 0; k < s->from->nout; k++) {
    ir_out *o = &s->from->out[k];
    if (uses[s->op->res[k]] == 0 || (k == s->state && o->mode != IR_KEYED)) continue;
    ir_axes axes = {.n = o->axes.n};
    for (uint32_t a = 0; a < axes.n; a++) axes.at[a] = o->axes.at[a] ? copy(s, &s->post, o->axes.at[a]) : 0;
    ir_val v = ir_loop_out(s->fn, s->post.loop, (ir_mode)o->mode, o->init, &axes, copy(s, &s->post, o->yield));
    ir_replace_uses(s->fn, s->op->res[k], v);
  }
  ir_remove(s->op);
  if (s->pre.loop->nres == 0) ir_remove(s->pre.loop);
  if (s->post.loop->nres == 0) ir_remove(s->post.loop);
}

/* ---- the entry */

static bool worth_it(splitter *s) {
  int64_t n;
  if (ir_is_int(s->fn, s->from->extent[0], &n) && n < SHORT) return false;
  int all = ops_in(s, NULL), core = ops_in(s, s->core);
  if (s->affine && core > 2) core = 2; /* c x + d, whatever it is made of */
  /* An array that is added to in order is worth less than a carried real. */
  return all - core >= (s->from->out[s->state].mode == IR_KEYED ? 1 : MIN_MOVED);
}

static bool try_split(ir_module *m, ir_fn *fn, ir_op *op) {
  splitter s = {.m = m, .fn = fn, .op = op, .from = op->u.loop, .n = fn->nvals, .kept = ir_map_new(m->mem, fn)};
  if (!ir_size_of(fn, s.from->extent[0]) || !plain_body(&s) || !find_state(&s)) return false;
  s.dep = ARENA_ARRAY(m->mem, bool, s.n);
  s.core = ARENA_ARRAY(m->mem, bool, s.n);
  follow(&s);
  if (reads_by_state(&s)) return false;
  s.affine = shape_of(&s, s.from->out[s.state].yield).ok;
  if (!worth_it(&s)) return false;
  split(&s, ir_use_counts(fn, m->mem));
  return true;
}

bool pass_recurrence(ir_module *m, ir_fn *fn) {
  bool changed = false;
  for (ir_op *op = fn->body.first, *next; op; op = next) {
    next = op->next;
    span where = op->where;
    if (op->code != IR_SCAN_OP || op->u.loop->live || !try_split(m, fn, op)) continue;
    ir_remark_add(m, "recurrence", where, false, "of a recurrence only the chain from step to step is left in the loop over steps");
    changed = true;
  }
  return changed;
}
