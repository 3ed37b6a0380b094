/* grad_loop.c: the adjoint of a loop.
 *
 * It is a loop over the same box whose body computes the source's body again and then goes backward through it.  The results'
 * adjoints enter the body as those of what it yields; parts for values from outside leave it as outputs (grad_adjoint.c).
 * A scan that carries something differentiable turns around:
 *
 *   carry           is carried backward; before the first iteration comes the result's adjoint, and what leaves the last
 *                   one is the adjoint of init.  The body runs again on the values carried then, which the forward scan
 *                   stacks.
 *   into            the state is the finished array, as each position is set once; its adjoint is a KEYED state that starts
 *                   as the result's adjoint: what later iterations added at a position is complete when the downward scan
 *                   reaches the iteration that set it.  One KEYED state for each place that reads the array.
 *   keyed           the same, but the state read was a partial sum: the forward scan stacks what was read.
 *
 * A scan that may end early counts its iterations, and the backward scan has as many: its cost follows the iterations that ran, not their
 * bound.
 *
 * Where an extent is no size nothing can be stacked; the states before an iteration are then found by running the scan again
 * up to it: quadratic, and only for scans whose length is data. */
#include "compiler/grad_internal.h"

typedef struct loop_walk {
  grad *g;
  grad_scope *s;         /* around the loop */
  ir_op *op;             /* the source's */
  const ir_loop *from;
  bool fused, backward;  /* backward: a scan with differentiable states */
  ir_val *r;             /* adjoint of each result */
  uint32_t *state;       /* the first output of the new loop that is the adjoint of this state */
  uint32_t *nstates;
  ir_val **adjoint;      /* their values in the body */
} loop_walk;

/* ---- uses of a state */

typedef struct state_uses {
  ir_val state;
  const ir_block *body;
  uint32_t n;  /* operations that use it */
  bool simple; /* all are reads of an element or slice in the body itself */
  const ir_op *last;
  bool here;
} state_uses;

static void note_use(void *user, ir_val *use) {
  state_uses *u = user;
  u->here |= *use == u->state;
}

static void note_op(void *user, ir_op *op) {
  state_uses *u = user;
  u->here = false;
  ir_visit_uses(op, note_use, u);
  if (!u->here) return;
  u->n++;
  u->simple &= op->code == IR_AT_OP && op->block == u->body;
}

static state_uses uses_of(const ir_loop *loop, uint32_t k) {
  state_uses u = {.state = loop->out[k].state, .body = &loop->body, .simple = true};
  ir_visit_ops((ir_block *)&loop->body, note_op, &u);
  for (uint32_t j = 0; j < loop->nout; j++) u.n += loop->out[j].yield == u.state;
  for (uint32_t j = 0; j < loop->nout; j++) u.simple &= loop->out[j].yield != u.state;
  return u;
}

/* ---- the forward scan */

static bool any_needed(const grad *g, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++)
    if (grad_needed(g, op->res[k])) return true;
  return false;
}

static void stack_reads(grad *g, const ir_op *op, ir_op *copy, ir_val state) {
  for (const ir_op *p = op->u.loop->body.first; p; p = p->next)
    if (p->code == IR_AT_OP && p->args[0] == state)
      g->info[p->res[0]].stack = ir_loop_out(g->to, copy, IR_STACK, 0, NULL, grad_image(g, p->res[0]));
}

/* How many ran. */
static ir_val count_iterations(grad *g, const grad_scope *s, ir_op *copy) {
  ir_builder before = s->b, body = ir_builder_in(&s->b, &copy->u.loop->body);
  before.before = copy;
  uint32_t number = ir_loop_state(g->to, copy, IR_CARRY, ir_int(&before, 0));
  ir_val next = ir_op2(&body, IR_ADD_OP, copy->u.loop->out[number].state, ir_int(&body, 1));
  ir_loop_finish(g->to, copy, number, NULL, next);
  return copy->res[number];
}

void grad_clone_scan(grad *g, grad_scope *s, ir_op *op) {
  ir_clone_op(&g->clone, &s->b, op);
  const ir_loop *loop = op->u.loop;
  for (uint32_t k = 0; k < loop->nout; k++)
    if (loop->out[k].state) g->info[loop->out[k].state].stack = 0;
  for (const ir_op *p = loop->body.first; p; p = p->next)
    for (uint32_t k = 0; k < p->nres; k++) g->info[p->res[k]].stack = 0;
  ir_op *copy = s->b.block->last;
  if (!any_needed(g, op) || !ir_size_of(g->to, copy->u.loop->extent[0])) return;
  if (loop->live) g->info[loop->index[0]].stack = count_iterations(g, s, copy);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    if (!out->state || out->mode == IR_INTO) continue;
    state_uses u = uses_of(loop, k);
    if (u.n == 0) continue;
    if (out->mode == IR_KEYED && u.simple) stack_reads(g, op, copy, out->state);
    else if (ir_type_of(g->f, out->state).rank < IR_MAX_RANK)
      g->info[out->state].stack = ir_loop_out(g->to, copy, IR_STACK, 0, NULL, copy->u.loop->out[k].state);
  }
}

/* ---- states in the body that runs again */

/* All states of the scan as they stand before iteration `index`, by running the iterations before it. */
static void replay(loop_walk *w, grad_scope *t) {
  grad *g = w->g;
  const ir_loop *from = w->from;
  ir_builder *b = &t->b;
  ir_val index = grad_image(g, from->index[0]), n = index, last = 0;
  if (from->down) {
    last = ir_op2(b, IR_SUB_OP, grad_image(g, from->extent[0]), ir_int(b, 1));
    n = ir_op2(b, IR_SUB_OP, last, index);
  }
  ir_op *again = ir_loop_begin(b, IR_SCAN_OP, 1, &n);
  ir_builder body = ir_builder_in(b, &again->u.loop->body);
  ir_val i = again->u.loop->index[0];
  ir_map_set(&g->clone.map, from->index[0], from->down ? ir_op2(&body, IR_SUB_OP, last, i) : i);
  uint32_t *number = ARENA_ARRAY(g->mem, uint32_t, from->nout);
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (!out->state) continue;
    number[k] = ir_loop_state(g->to, again, (ir_mode)out->mode, grad_image(g, out->init));
    ir_map_set(&g->clone.map, out->state, again->u.loop->out[number[k]].state);
  }
  g->recompute = true;
  ir_clone_block(&g->clone, &body, &from->body);
  for (uint32_t k = 0; k < from->nout; k++) {
    const ir_out *out = &from->out[k];
    if (!out->state) continue;
    ir_axes axes = grad_image_axes(g, &out->axes);
    ir_loop_finish(g->to, again, number[k], &axes, grad_image(g, out->yield));
  }
  ir_map_set(&g->clone.map, from->index[0], index);
  for (uint32_t k = 0; k < from->nout; k++)
    if (from->out[k].state) ir_map_set(&g->clone.map, from->out[k].state, again->res[number[k]]);
}

/* Gives the source's states their values in t, a body that runs again. */
static void restore_states(loop_walk *w, grad_scope *t) {
  grad *g = w->g;
  if (w->op->code != IR_SCAN_OP) return;
  bool missing = false;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (!out->state || out->mode == IR_INTO || g->info[out->state].stack) continue;
    state_uses u = uses_of(w->from, k);
    bool kept = out->mode == IR_KEYED && u.simple && ir_size_of(g->to, grad_image(g, w->from->extent[0]));
    missing |= u.n > 0 && !kept;
  }
  if (missing) replay(w, t);
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (!out->state) continue;
    ir_val stack = g->info[out->state].stack;
    if (out->mode == IR_INTO) ir_map_set(&g->clone.map, out->state, grad_image(g, w->op->res[k]));
    else if (stack) ir_map_set(&g->clone.map, out->state, ir_at1(&t->b, stack, t->loop->u.loop->index[0]));
    /* All reads of a KEYED state were kept one by one; what still names it now is never read. */
    else if (!missing && out->mode == IR_KEYED) ir_map_set(&g->clone.map, out->state, grad_image(g, w->op->res[k]));
  }
}

/* ---- adjoints of what the body yields */

/* max and min: of the n elements that attain the extreme, each gets 1 / n of the adjoint.  n comes from a loop of its own. */
static ir_val share(loop_walk *w, uint32_t k, const ir_val *extent) {
  grad *g = w->g;
  grad_scope *s = w->s;
  const ir_out *out = &w->from->out[k];
  ir_val extreme = grad_image(g, w->op->res[k]);
  ir_op *count = ir_loop_begin(&s->b, IR_PLATE_OP, w->from->rank, extent);
  grad_scope t = grad_scope_open(g, s, &w->from->body, &count->u.loop->body, count, true);
  t.rewind = true;
  for (uint32_t j = 0; j < w->from->rank; j++) ir_map_set(&g->clone.map, w->from->index[j], count->u.loop->index[j]);
  restore_states(w, &t);
  grad_forward(g, &t); /* without seeds nothing is fused */
  grad_each e = grad_each_begin(&t.b, ir_type_of(g->to, extreme));
  ir_val y = grad_image(g, out->yield);
  ir_val same = ir_op2(&e.b, IR_EQ_OP, grad_each_get(&e, y), grad_each_get(&e, extreme));
  ir_val one = grad_each_end(&e, ir_op3(&e.b, IR_SELECT_OP, same, ir_real(&e.b, 1), ir_real(&e.b, 0)));
  ir_val n = ir_loop_out(g->to, count, IR_SUM, 0, NULL, one);
  grad_scope_close(g, &t);
  e = grad_each_begin(&s->b, ir_type_of(g->to, n));
  ir_val r = grad_each_get(&e, w->r[k]);
  return grad_each_end(&e, ir_op2(&e.b, IR_DIV_OP, r, grad_each_get(&e, n)));
}

static ir_val where_extreme(ir_builder *b, ir_val y, ir_val extreme, ir_val r) {
  grad_each e = grad_each_begin(b, ir_type_of(b->fn, y));
  ir_val same = ir_op2(&e.b, IR_EQ_OP, grad_each_get(&e, y), grad_each_get(&e, extreme));
  ir_val part = ir_op3(&e.b, IR_SELECT_OP, same, grad_each_get(&e, r), ir_real(&e.b, 0));
  return grad_each_end(&e, part);
}

/* What is known when the body starts. */
static void enter(loop_walk *w, grad_scope *t) {
  grad *g = w->g;
  const ir_loop *now = t->loop->u.loop;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    ir_val known = 0;
    switch (out->mode) {
    case IR_STACK:
      if (w->r[k]) {
        ir_axes own = {.n = ir_type_of(g->to, w->r[k]).rank};
        for (uint32_t j = 0; j < now->rank; j++) own.at[j] = now->index[j];
        known = ir_at(&t->b, w->r[k], own);
      }
      break;
    case IR_SUM: known = w->r[k]; break;
    case IR_CARRY: known = w->nstates[k] ? w->adjoint[k][0] : 0; break;
    case IR_INTO:
    case IR_KEYED:
      if (w->nstates[k]) grad_seed_at(g, t, out->yield, w->nstates[k], w->adjoint[k], &out->axes);
      else if (w->r[k]) grad_seed_at(g, t, out->yield, 1, &w->r[k], &out->axes);
      break;
    default:
      if (w->r[k]) grad_seed_forbid(g, t, out->yield);
    }
    if (!known) continue;
    grad_add(g, t, out->yield, known);
    grad_seed_value(g, t, out->yield, known);
  }
}

/* What needs the forward values. */
static void turn(loop_walk *w, grad_scope *t, const ir_val *shared) {
  grad *g = w->g;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (!grad_needed(g, out->yield)) continue;
    ir_axes axes = grad_image_axes(g, &out->axes);
    if (out->mode == IR_INTO || out->mode == IR_KEYED) {
      for (uint32_t j = 0; j < w->nstates[k]; j++) grad_add(g, t, out->yield, grad_gather(&t->b, w->adjoint[k][j], &axes));
      if (!w->nstates[k] && w->r[k]) grad_add(g, t, out->yield, grad_gather(&t->b, w->r[k], &axes));
    } else if (shared[k]) {
      ir_val y = grad_image(g, out->yield);
      grad_add(g, t, out->yield, where_extreme(&t->b, y, grad_image(g, w->op->res[k]), shared[k]));
    }
  }
}

/* ---- adjoint states of a backward scan */

static void make_states(loop_walk *w, ir_op *loop, const ir_val *start) {
  grad *g = w->g;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    uint32_t n = w->nstates[k];
    if (n == 0) continue;
    w->adjoint[k] = ARENA_ARRAY(g->mem, ir_val, n);
    ir_mode mode = w->from->out[k].mode == IR_CARRY ? IR_CARRY : IR_KEYED;
    for (uint32_t j = 0; j < n; j++) {
      uint32_t number = ir_loop_state(g->to, loop, mode, start[2 * k + (j > 0)]);
      if (j == 0) w->state[k] = number;
      w->adjoint[k][j] = loop->u.loop->out[number].state;
    }
  }
}

static void finish_states(loop_walk *w, grad_scope *t) {
  grad *g = w->g;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (w->nstates[k] == 0) continue;
    ir_type type = ir_type_of(g->f, out->state);
    if (out->mode == IR_CARRY) {
      ir_val r = grad_take(g, t, out->state);
      ir_loop_finish(g->to, t->loop, w->state[k], NULL, r ? r : grad_zero(&t->b, type));
      continue;
    }
    grad_adjoint *a = grad_parts(g, t, out->state);
    grad_part *p = a ? a->keyed : NULL;
    bool dense = a && a->dense;
    for (uint32_t j = 0; j < w->nstates[k]; j++) {
      ir_axes axes;
      ir_val yield;
      if (dense) {
        axes = (ir_axes){.n = type.rank};
        yield = a->dense->val;
        dense = false;
      } else if (p) {
        axes = p->axes;
        yield = p->val;
        p = p->next;
      } else { /* a read that came to nothing: zero, where this iteration places its own */
        axes = grad_image_axes(g, &out->axes);
        yield = grad_zero(&t->b, ir_type_of(g->to, grad_image(g, out->yield)));
      }
      ir_loop_finish(g->to, t->loop, w->state[k] + j, &axes, yield);
    }
  }
}

/* The adjoint of each init. */
static void give_inits(loop_walk *w, const ir_op *loop) {
  grad *g = w->g;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (!out->init) continue;
    if (w->nstates[k] == 0) {
      if (w->r[k]) grad_add(g, w->s, out->init, w->r[k]);
      continue;
    }
    for (uint32_t j = 0; j < w->nstates[k]; j++) grad_add(g, w->s, out->init, loop->res[w->state[k] + j]);
  }
}

/* ---- the entry */

/* How many adjoint states each state of the source needs; true if any. */
static bool count_states(loop_walk *w) {
  bool any = false;
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (!out->state) continue;
    if (out->mode == IR_CARRY) w->nstates[k] = grad_needed(w->g, out->state) || grad_needed(w->g, w->op->res[k]);
    else if (grad_needed(w->g, out->state)) w->nstates[k] = uses_of(w->from, k).n;
    any |= w->nstates[k] > 0;
  }
  return any;
}

static bool entered(loop_walk *w) {
  bool any = false;
  for (uint32_t k = 0; k < w->op->nres; k++) {
    if (!grad_needed(w->g, w->op->res[k])) continue;
    w->r[k] = w->fused ? grad_seed_emit(w->g, w->s, w->op->res[k]) : grad_take(w->g, w->s, w->op->res[k]);
    any |= w->r[k] != 0;
  }
  return any;
}

/* A loop may carry its own adjoint along if nothing differentiable passes from one iteration to the next, and no adjoint
 * waits for a result. */
static bool can_fuse(const loop_walk *w) {
  if (w->from->live) return false; /* what leaves its body may be a sum */
  for (uint32_t k = 0; k < w->from->nout; k++) {
    const ir_out *out = &w->from->out[k];
    if (w->nstates[k]) return false;
    if ((out->mode == IR_MAX || out->mode == IR_MIN || out->mode == IR_CARRY) && grad_needed(w->g, w->op->res[k])) return false;
  }
  return true;
}

void grad_loop(grad *g, grad_scope *s, ir_op *op, bool fused) {
  uint32_t n = op->u.loop->nout;
  loop_walk w = {.g = g, .s = s, .op = op, .from = op->u.loop, .fused = fused, .r = ARENA_ARRAY(g->mem, ir_val, n),
                 .state = ARENA_ARRAY(g->mem, uint32_t, n), .nstates = ARENA_ARRAY(g->mem, uint32_t, n),
                 .adjoint = ARENA_ARRAY(g->mem, ir_val *, n)};
  w.backward = count_states(&w);
  if (fused && !can_fuse(&w)) return;
  if (!entered(&w)) return;
  ir_val extent[IR_MAX_RANK], *shared = ARENA_ARRAY(g->mem, ir_val, n), *start = ARENA_ARRAY(g->mem, ir_val, 2 * n);
  for (uint32_t k = 0; k < w.from->rank; k++) extent[k] = grad_image(g, w.from->extent[k]);
  if (w.from->live) extent[0] = g->info[w.from->index[0]].stack;
  for (uint32_t k = 0; k < n; k++) {
    const ir_out *out = &w.from->out[k];
    if ((out->mode == IR_MAX || out->mode == IR_MIN) && w.r[k]) shared[k] = share(&w, k, extent);
    if (w.nstates[k] == 0) continue;
    ir_type type = ir_type_of(g->f, out->state);
    start[2 * k] = w.r[k] ? w.r[k] : grad_zero(&s->b, type);
    if (w.nstates[k] > 1) start[2 * k + 1] = grad_zero(&s->b, type);
  }
  ir_op *loop = ir_loop_begin(&s->b, fused ? (ir_code)op->code : w.backward ? IR_SCAN_OP : IR_PLATE_OP, w.from->rank, extent);
  loop->u.loop->down = fused ? w.from->down : w.backward && !w.from->down;
  grad_scope t = grad_scope_open(g, s, &w.from->body, &loop->u.loop->body, loop, s->recompute || !fused);
  t.rewind = !fused;
  for (uint32_t k = 0; k < w.from->rank; k++) ir_map_set(&g->clone.map, w.from->index[k], loop->u.loop->index[k]);
  for (uint32_t k = 0; k < n && fused; k++) {
    ir_loop_state(g->to, loop, (ir_mode)w.from->out[k].mode, grad_image(g, w.from->out[k].init));
    if (w.from->out[k].state) ir_map_set(&g->clone.map, w.from->out[k].state, loop->u.loop->out[k].state);
  }
  if (!fused) {
    make_states(&w, loop, start);
    restore_states(&w, &t);
  }
  enter(&w, &t);
  grad_seed_block(g, &t);
  grad_forward(g, &t);
  for (uint32_t k = 0; k < n && fused; k++) {
    ir_axes axes = grad_image_axes(g, &w.from->out[k].axes);
    ir_loop_finish(g->to, loop, k, &axes, grad_image(g, w.from->out[k].yield));
    ir_map_set(&g->clone.map, op->res[k], loop->res[k]);
    g->info[op->res[k]].fused = true;
  }
  turn(&w, &t, shared);
  grad_reverse(g, &t);
  if (!fused) finish_states(&w, &t);
  grad_leave_loop(g, &t);
  give_inits(&w, loop);
}
