/* grad.c: reverse-mode differentiation: activity, the walk over blocks, and the entry.
 *
 * A block is emitted forward and then backward (grad_internal.h).  Three facts about each value decide what is emitted: it
 * depends on a differentiated parameter, it reaches the result (both here, to a fixed point around states of scans), and its
 * adjoint may be known before it is (grad_seed.c).  Rules are in grad_rules.c, loops and ifs in grad_loop.c and grad_if.c,
 * the way of contributions out of them in grad_adjoint.c. */
#include "compiler/grad_internal.h"

/* ---- places and activity */

static void place_block(grad *g, const ir_block *block, uint32_t *order) {
  for (const ir_op *op = block->first; op; op = op->next) {
    uint32_t at = ++*order;
    for (uint32_t k = 0; k < op->nres; k++) {
      g->info[op->res[k]].home = block;
      g->info[op->res[k]].order = at;
    }
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      const ir_loop *loop = op->u.loop;
      for (uint32_t k = 0; k < loop->rank; k++) {
        g->info[loop->index[k]].home = &loop->body;
        g->info[loop->index[k]].order = at;
      }
      for (uint32_t k = 0; k < loop->nout; k++) {
        if (!loop->out[k].state) continue;
        g->info[loop->out[k].state].home = &loop->body;
        g->info[loop->out[k].state].order = at;
      }
      place_block(g, &loop->body, order);
    } else if (op->code == IR_IF_OP) {
      place_block(g, &op->u.branch->then_, order);
      place_block(g, &op->u.branch->else_, order);
    }
  }
}

static bool set(bool *flag, bool value) {
  bool changed = value && !*flag;
  *flag |= value;
  return changed;
}

static bool activate(grad *g, ir_val v, bool value) {
  return v && ir_type_of(g->f, v).elem == IR_REAL && !g->info[v].constant && set(&g->info[v].active, value);
}

/* One pass forward; true if a value became active. */
static bool activate_block(grad *g, const ir_block *block) {
  bool changed = false;
  for (const ir_op *op = block->first; op; op = op->next) {
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      const ir_loop *loop = op->u.loop;
      for (uint32_t k = 0; k < loop->nout; k++) changed |= activate(g, loop->out[k].state, g->info[loop->out[k].init].active);
      changed |= activate_block(g, &loop->body);
      for (uint32_t k = 0; k < loop->nout; k++) {
        const ir_out *out = &loop->out[k];
        bool on = g->info[out->yield].active || g->info[out->init].active;
        changed |= activate(g, out->state, on);
        changed |= activate(g, op->res[k], on);
      }
    } else if (op->code == IR_IF_OP) {
      const ir_if *branch = op->u.branch;
      changed |= activate_block(g, &branch->then_);
      changed |= activate_block(g, &branch->else_);
      for (uint32_t k = 0; k < op->nres; k++)
        changed |= activate(g, op->res[k], g->info[branch->then_yield[k]].active || g->info[branch->else_yield[k]].active);
    } else if (grad_kind_table[op->code] != GRAD_ZERO) {
      bool on = false;
      for (uint32_t k = 0; k < op->nargs; k++) on |= g->info[op->args[k]].active;
      for (uint32_t k = 0; k < op->nres; k++) changed |= activate(g, op->res[k], on);
    }
  }
  return changed;
}

/* One pass backward; true if a value became useful.  What is not active passes no adjoint on. */
static bool use_block(grad *g, const ir_block *block) {
  bool changed = false;
  for (const ir_op *op = block->last; op; op = op->prev) {
    bool any = false;
    for (uint32_t k = 0; k < op->nres; k++) any |= grad_needed(g, op->res[k]);
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      const ir_loop *loop = op->u.loop;
      for (uint32_t k = 0; k < loop->nout; k++) {
        const ir_out *out = &loop->out[k];
        bool on = grad_needed(g, op->res[k]) || grad_needed(g, out->state);
        changed |= set(&g->info[out->yield].useful, on);
        if (out->init) changed |= set(&g->info[out->init].useful, on);
      }
      changed |= use_block(g, &loop->body);
    } else if (op->code == IR_IF_OP) {
      const ir_if *branch = op->u.branch;
      for (uint32_t k = 0; k < op->nres; k++) {
        changed |= set(&g->info[branch->then_yield[k]].useful, grad_needed(g, op->res[k]));
        changed |= set(&g->info[branch->else_yield[k]].useful, grad_needed(g, op->res[k]));
      }
      changed |= use_block(g, &branch->then_);
      changed |= use_block(g, &branch->else_);
    } else if (any) {
      for (uint32_t k = 0; k < op->nargs; k++) changed |= set(&g->info[op->args[k]].useful, true);
    }
  }
  return changed;
}

typedef struct refusal {
  const grad *g;
  const ir_op *op;
} refusal;

static void find_refused(void *user, ir_op *op) {
  refusal *r = user;
  if (r->op || grad_kind_table[op->code] != GRAD_REFUSE) return;
  bool needed = op->code == IR_CALL_OP || ir_op_table[op->code].effect == IR_MODEL;
  for (uint32_t k = 0; k < op->nres; k++) needed |= grad_needed(r->g, op->res[k]);
  if (needed) r->op = op;
}

/* ---- the walk */

ir_axes grad_image_axes(const grad *g, const ir_axes *axes) {
  ir_axes to = {.n = axes->n};
  for (uint32_t k = 0; k < axes->n; k++) to.at[k] = grad_image(g, axes->at[k]);
  return to;
}

grad_scope grad_scope_open(grad *g, grad_scope *outer, const ir_block *src, ir_block *into, ir_op *loop, bool recompute) {
  grad_scope s = {.outer = outer, .src = src, .loop = loop, .recompute = recompute};
  s.b = outer ? ir_builder_in(&outer->b, into) : ir_builder_at_end(g->to, into);
  grad_seed_reset(g, &s);
  return s;
}

void grad_scope_close(grad *g, grad_scope *s) {
  for (grad_adjoint *a = s->list; a; a = a->next) g->info[a->v].adjoint = a->below;
}

/* What is computed a second time has reported its failures already. */
static bool clone_hook(ir_cloner *c, ir_builder *b, const ir_op *op) {
  grad *g = c->user;
  if (op->code != IR_GUARD_OP || !g->recompute) return false;
  ir_builder here = *b;
  here.where = op->where;
  ir_val cond = grad_image(g, op->args[0]), x = grad_image(g, op->args[1]);
  ir_map_set(&c->map, op->res[0], ir_op3(&here, IR_SELECT_OP, cond, x, ir_real(&here, -__builtin_inf())));
  return true;
}

static bool is_region(const ir_op *op) { return grad_kind_table[op->code] == GRAD_REGION; }

/* The read of a KEYED state that the first run of the scan kept. */
static bool replay_read(grad *g, grad_scope *s, const ir_op *op) {
  if (!s->rewind || op->code != IR_AT_OP || !g->info[op->res[0]].stack) return false;
  ir_map_set(&g->clone.map, op->res[0], ir_at1(&s->b, g->info[op->res[0]].stack, s->loop->u.loop->index[0]));
  return true;
}

void grad_forward(grad *g, grad_scope *s) {
  for (ir_op *op = s->src->first; op; op = op->next) {
    s->b.where = op->where;
    if (replay_read(g, s, op)) continue;
    if (is_region(op) && grad_seed_ready(g, op)) {
      if (op->code == IR_IF_OP) grad_if(g, s, op, true);
      else grad_loop(g, s, op, true);
      if (op->nres && g->info[op->res[0]].fused) continue;
    }
    g->recompute = s->recompute;
    if (op->code == IR_SCAN_OP) grad_clone_scan(g, s, op);
    else ir_clone_op(&g->clone, &s->b, op);
  }
}

void grad_reverse(grad *g, grad_scope *s) {
  for (ir_op *op = s->src->last; op; op = op->prev) {
    if (op->nres == 0 || g->info[op->res[0]].fused) continue;
    s->b.where = op->where;
    if (op->code == IR_IF_OP) {
      grad_if(g, s, op, false);
    } else if (is_region(op)) {
      grad_loop(g, s, op, false);
    } else if (grad_kind_table[op->code] == GRAD_RULE) {
      ir_val r = grad_take(g, s, op->res[0]);
      if (r) grad_rule(g, s, op, r);
    }
  }
}

/* ---- the entry */

static bool differentiated(const ir_fn *f, const ir_param *p, const grad_options *options) {
  bool role = p->role == IR_ROLE_UNCON || (options->latent && p->role == IR_ROLE_LATENT);
  return role && ir_type_of(f, p->val).elem == IR_REAL;
}

static bool refuse(grad_options *options, const char *why, const ir_op *op) {
  options->message = why;
  if (op) options->where = op->where;
  return false;
}

static bool analyse(grad *g, grad_options *options) {
  const ir_fn *f = g->f;
  if (f->is_model) return refuse(options, "a model has no gradient; its density has", NULL);
  if (f->nret == 0 || !ir_type_equal(ir_type_of(f, f->ret[0]), ir_scalar(IR_REAL)))
    return refuse(options, "the first result of a function to be differentiated is a real", NULL);
  for (uint32_t k = 0; k < f->nparams; k++) {
    grad_info *p = &g->info[f->param[k].val];
    p->home = &f->body;
    p->active = differentiated(f, &f->param[k], options);
  }
  uint32_t order = 0;
  place_block(g, &f->body, &order);
  grad_find_shifts(g);
  g->info[f->ret[0]].useful = true;
  while (activate_block(g, &f->body)) {}
  while (use_block(g, &f->body)) {}
  refusal r = {.g = g};
  ir_visit_ops((ir_block *)&f->body, find_refused, &r);
  if (!r.op) return true;
  return refuse(options, arena_printf(g->m->mem, "`%s` has no derivative here", ir_op_table[r.op->code].name), r.op);
}

ir_fn *grad_derive_with(ir_module *m, const ir_fn *f, const char *name, grad_options *options) {
  options->message = NULL;
  grad *g = ARENA_NEW(m->mem, grad);
  g->mem = m->mem;
  g->m = m;
  g->f = f;
  g->info = ARENA_ARRAY(m->mem, grad_info, f->nvals);
  if (!analyse(g, options)) return NULL;

  g->to = ir_fn_new(m, name, false);
  g->clone = (ir_cloner){.from = f, .map = ir_map_new(m->mem, f), .hook = clone_hook, .user = g};
  for (uint32_t k = 0; k < f->nparams; k++) {
    const ir_param *p = &f->param[k];
    ir_map_set(&g->clone.map, p->val, ir_param_add(g->to, (ir_role)p->role, p->name, ir_type_of(f, p->val)));
  }
  grad_scope root = grad_scope_open(g, NULL, &f->body, &g->to->body, NULL, false);
  if (f->body.first) root.b.where = f->body.first->where;
  ir_val one = ir_real(&root.b, 1);
  grad_add(g, &root, f->ret[0], one);
  grad_seed_value(g, &root, f->ret[0], one);
  grad_seed_block(g, &root);
  grad_forward(g, &root);
  grad_reverse(g, &root);

  ir_val *ret = ARENA_ARRAY(m->mem, ir_val, f->nparams + 1);
  uint32_t n = 0;
  ret[n++] = grad_image(g, f->ret[0]);
  for (uint32_t k = 0; k < f->nparams; k++) {
    ir_val p = f->param[k].val;
    if (!differentiated(f, &f->param[k], options)) continue;
    ir_val r = grad_take(g, &root, p);
    ret[n++] = r ? r : grad_zero(&root.b, ir_type_of(f, p));
  }
  grad_scope_close(g, &root);
  ir_return(g->to, n, ret);
  return g->to;
}

ir_fn *grad_derive(ir_module *m, const ir_fn *f, const char *name) {
  grad_options options = {0};
  return grad_derive_with(m, f, name, &options);
}
