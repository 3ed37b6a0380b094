/* ir_edit.c: changing functions: unlinking, replacing, visiting and copying operations. */
#include "compiler/ir.h"

#include <string.h>

void ir_remove(ir_op *op) {
  ir_block *block = op->block;
  *(op->prev ? &op->prev->next : &block->first) = op->next;
  *(op->next ? &op->next->prev : &block->last) = op->prev;
  op->prev = op->next = NULL;
  op->block = NULL;
}

static void visit_axes(ir_axes *axes, ir_use_visitor *visit, void *user) {
  for (uint32_t k = 0; k < axes->n && k < IR_MAX_RANK; k++)
    if (axes->at[k]) visit(user, &axes->at[k]);
}

static void visit_if_set(ir_val *v, ir_use_visitor *visit, void *user) {
  if (*v) visit(user, v);
}

void ir_visit_uses(ir_op *op, ir_use_visitor *visit, void *user) {
  for (uint32_t k = 0; k < op->nargs; k++) visit(user, &op->args[k]);
  switch (op->code) {
  case IR_AT_OP:
  case IR_PUT_OP: visit_axes(&op->u.axes, visit, user); break;
  case IR_PLATE_OP:
  case IR_SCAN_OP:
    for (uint32_t k = 0; k < op->u.loop->rank; k++) visit(user, &op->u.loop->extent[k]);
    visit_if_set(&op->u.loop->live, visit, user);
    for (uint32_t k = 0; k < op->u.loop->nout; k++) {
      ir_out *out = &op->u.loop->out[k];
      visit_if_set(&out->init, visit, user);
      visit_axes(&out->axes, visit, user);
      visit_if_set(&out->yield, visit, user);
    }
    break;
  case IR_IF_OP:
    for (uint32_t k = 0; k < op->nres; k++) {
      visit(user, &op->u.branch->then_yield[k]);
      visit(user, &op->u.branch->else_yield[k]);
    }
    break;
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP:
    visit_axes(&op->u.tilde->axes, visit, user);
    visit_if_set(&op->u.tilde->lo, visit, user);
    visit_if_set(&op->u.tilde->hi, visit, user);
    break;
  default: break;
  }
}

static void visit_blocks(ir_op *op, ir_op_visitor *visit, void *user) {
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
    ir_visit_ops(&op->u.loop->body, visit, user);
  } else if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, visit, user);
    ir_visit_ops(&op->u.branch->else_, visit, user);
  }
}

void ir_visit_op(ir_op *op, ir_op_visitor *visit, void *user) {
  visit(user, op);
  if (op->block) visit_blocks(op, visit, user);
}

void ir_visit_ops(ir_block *block, ir_op_visitor *visit, void *user) {
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    visit(user, op);
    if (!op->block) continue; /* removed */
    next = op->next;
    visit_blocks(op, visit, user);
  }
}

typedef struct replacement {
  ir_val from, to;
} replacement;

static void replace_use(void *user, ir_val *use) {
  const replacement *r = user;
  if (*use == r->from) *use = r->to;
}

static void replace_in_op(void *user, ir_op *op) { ir_visit_uses(op, replace_use, user); }

void ir_replace_uses(ir_fn *fn, ir_val from, ir_val to) {
  replacement r = {from, to};
  const ir_value *x = &fn->val[from];
  ir_block *home = &fn->body;
  if (x->def == IR_DEF_RESULT) home = x->op->block;
  if (x->def == IR_DEF_INDEX || x->def == IR_DEF_STATE) home = &x->op->u.loop->body;
  if (home && home->owner) { /* a block of a loop or branch, and what that yields */
    ir_visit_uses(home->owner, replace_use, &r);
    ir_visit_ops(home, replace_in_op, &r);
    return;
  }
  ir_visit_ops(&fn->body, replace_in_op, &r);
  for (uint32_t k = 0; k < fn->nret; k++) replace_use(&r, &fn->ret[k]);
}

ir_val ir_result_renew(ir_fn *fn, ir_op *op, uint32_t k) {
  ir_value x = fn->val[op->res[k]];
  ARENA_PUSH(fn->module->mem, fn->val, fn->nvals, fn->cap_vals, x);
  fn->val[op->res[k]].def = IR_DEF_NONE;
  return op->res[k] = fn->nvals - 1;
}

void ir_take_over(ir_fn *fn, ir_val v, ir_val old) {
  ir_value *x = &fn->val[v];
  fn->val[old] = *x;
  x->op->res[x->slot] = old;
  x->def = IR_DEF_NONE;
}

/* ---- copying */

ir_map ir_map_new(arena *mem, const ir_fn *from) {
  return (ir_map){.mem = mem, .to = ARENA_ARRAY(mem, ir_val, from->nvals), .n = from->nvals};
}

void ir_map_set(ir_map *m, ir_val from, ir_val to) {
  if (from >= m->n) { /* the source has grown since: it is the destination as well */
    uint32_t n = from + from / 2 + 16;
    ir_val *grown = ARENA_ARRAY(m->mem, ir_val, n);
    if (m->n) memcpy(grown, m->to, m->n * sizeof *grown);
    m->to = grown;
    m->n = n;
  }
  m->to[from] = to;
}

ir_val ir_map_get(const ir_map *m, ir_val from) { return from < m->n ? m->to[from] : 0; }

static ir_val image(const ir_cloner *c, const ir_builder *b, ir_val v) {
  ir_val to = v ? ir_map_get(&c->map, v) : 0;
  return to || c->from != b->fn ? to : v;
}

static ir_axes image_axes(const ir_cloner *c, const ir_builder *b, const ir_axes *axes) {
  ir_axes to = {.n = axes->n};
  for (uint32_t k = 0; k < axes->n && k < IR_MAX_RANK; k++) to.at[k] = image(c, b, axes->at[k]);
  return to;
}

static ir_type image_type(const ir_cloner *c, const ir_builder *b, ir_val v) {
  return ir_type_substitute(b->fn->module->sizes, ir_type_of(c->from, v), c->nsizes, c->size_from, c->size_to);
}

static void clone_loop(ir_cloner *c, ir_builder *b, const ir_op *op, ir_op *copy) {
  const ir_loop *from = op->u.loop;
  arena *mem = b->fn->module->mem;
  ir_loop *to = copy->u.loop = ARENA_NEW(mem, ir_loop);
  to->rank = from->rank;
  to->down = from->down;
  to->body.owner = copy;
  for (uint32_t k = 0; k < from->rank; k++) {
    to->extent[k] = image(c, b, from->extent[k]);
    /* An index is an int that its loop op defines by slot, as states are. */
    to->index[k] = ir_state_add(b->fn, copy, k, ir_scalar(IR_INT));
    b->fn->val[to->index[k]].def = IR_DEF_INDEX;
    ir_map_set(&c->map, from->index[k], to->index[k]);
  }
  to->nout = to->cap = from->nout;
  to->out = ARENA_ARRAY(mem, ir_out, from->nout);
  for (uint32_t k = 0; k < from->nout; k++) {
    to->out[k].mode = from->out[k].mode;
    to->out[k].init = image(c, b, from->out[k].init);
    if (!from->out[k].state) continue;
    to->out[k].state = ir_state_add(b->fn, copy, k, image_type(c, b, from->out[k].state));
    ir_map_set(&c->map, from->out[k].state, to->out[k].state);
  }
  to->live = image(c, b, from->live);
  ir_builder body = ir_builder_in(b, &to->body);
  ir_clone_block(c, &body, &op->u.loop->body);
  for (uint32_t k = 0; k < from->nout; k++) {
    to->out[k].yield = image(c, b, op->u.loop->out[k].yield);
    to->out[k].axes = image_axes(c, b, &op->u.loop->out[k].axes);
  }
}

static void clone_if(ir_cloner *c, ir_builder *b, const ir_op *op, ir_op *copy) {
  arena *mem = b->fn->module->mem;
  ir_if *to = copy->u.branch = ARENA_NEW(mem, ir_if);
  to->then_.owner = to->else_.owner = copy;
  to->then_yield = ARENA_ARRAY(mem, ir_val, op->nres);
  to->else_yield = ARENA_ARRAY(mem, ir_val, op->nres);
  ir_builder then_ = ir_builder_in(b, &to->then_), else_ = ir_builder_in(b, &to->else_);
  ir_clone_block(c, &then_, &op->u.branch->then_);
  for (uint32_t k = 0; k < op->nres; k++) to->then_yield[k] = image(c, b, op->u.branch->then_yield[k]);
  ir_clone_block(c, &else_, &op->u.branch->else_);
  for (uint32_t k = 0; k < op->nres; k++) to->else_yield[k] = image(c, b, op->u.branch->else_yield[k]);
}

void ir_clone_op(ir_cloner *c, ir_builder *b, const ir_op *op) {
  if (c->hook && c->hook(c, b, op)) return;
  arena *mem = b->fn->module->mem;
  ir_op *copy = ir_op_insert(b, (ir_code)op->code, op->nargs, op->args);
  for (uint32_t k = 0; k < op->nargs; k++) copy->args[k] = image(c, b, op->args[k]);
  copy->flags = op->flags;
  copy->where = op->where;
  copy->u = op->u;
  int64_t n;
  switch (op->code) {
  case IR_SIZE_OP:
    copy->u.size = size_substitute(b->fn->module->sizes, op->u.size, c->nsizes, c->size_from, c->size_to);
    if (size_is_const(b->fn->module->sizes, copy->u.size, &n)) {
      copy->code = IR_INT_OP;
      copy->u.integer = n;
    }
    break;
  case IR_AT_OP:
  case IR_PUT_OP: copy->u.axes = image_axes(c, b, &op->u.axes); break;
  case IR_PLATE_OP:
  case IR_SCAN_OP: clone_loop(c, b, op, copy); break;
  case IR_IF_OP: clone_if(c, b, op, copy); break;
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP:
    copy->u.tilde = ARENA_NEW(mem, ir_tilde);
    *copy->u.tilde = *op->u.tilde;
    copy->u.tilde->axes = image_axes(c, b, &op->u.tilde->axes);
    copy->u.tilde->lo = image(c, b, op->u.tilde->lo);
    copy->u.tilde->hi = image(c, b, op->u.tilde->hi);
    break;
  default: break;
  }
  for (uint32_t k = 0; k < op->nres; k++) {
    ir_val res = ir_result_add(b->fn, copy, image_type(c, b, op->res[k]));
    ir_map_set(&c->map, op->res[k], res);
  }
}

void ir_clone_block(ir_cloner *c, ir_builder *b, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next) ir_clone_op(c, b, op);
}
