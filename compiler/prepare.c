/* prepare.c: what depends on data alone is computed once, when data is bound.
 *
 * needs: a model.  keeps: its meaning.  changes: top-level operations that read only data (and no model operation
 * inside) move to @prepare; those of their results that the rest still reads become frame parameters.  Constants and sizes stay
 * on both sides.  A guard stays, though what it asks moves: it counts in each evaluation, where a run looks for what went wrong. */
#include "compiler/derive.h"
#include "compiler/ir_uses.h"

/* op, and what stands in its blocks. */
static void visit_tree(ir_op *op, ir_op_visitor *visit, void *user) {
  visit(user, op);
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) ir_visit_ops(&op->u.loop->body, visit, user);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, visit, user);
    ir_visit_ops(&op->u.branch->else_, visit, user);
  }
}

typedef struct scan_uses {
  const ir_fn *fn;
  const bool *data;
  const ir_op *root; /* values defined inside it do not count */
  bool all, effects;
} scan_uses;

static bool inside(const ir_op *op, const ir_op *root) {
  while (op && op != root) op = op->block ? op->block->owner : NULL;
  return op == root && root != NULL;
}

static void see_use(void *user, ir_val *use) {
  scan_uses *s = user;
  if (!*use || s->data[*use]) return;
  const ir_value *v = ir_value_of(s->fn, *use);
  if (v->op && v->op != s->root && inside(v->op, s->root)) return;
  if (v->op == s->root && v->def != IR_DEF_RESULT) return; /* its own index or state */
  s->all = false;
}

static void see_op(void *user, ir_op *op) {
  scan_uses *s = user;
  int effect = ir_op_table[op->code].effect;
  if (effect == IR_MODEL || effect == IR_DRAW) s->effects = true;
  ir_visit_uses(op, see_use, s);
}

static bool trivial(const ir_op *op) {
  return op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP || op->code == IR_SIZE_OP || op->code == IR_NEW_OP;
}

/* Marks values that something outside the moved operations reads. */
typedef struct mark_uses {
  const ir_fn *fn;
  const bool *data;
  bool *wanted;
} mark_uses;

static void mark_use(void *user, ir_val *use) {
  mark_uses *s = user;
  if (*use && s->data[*use]) s->wanted[*use] = true;
}

static void mark_op(void *user, ir_op *op) { ir_visit_uses(op, mark_use, user); }

ir_fn *derive_prepare(ir_module *m, ir_fn *model) {
  bool *data = ARENA_ARRAY(m->mem, bool, model->nvals), *wanted = ARENA_ARRAY(m->mem, bool, model->nvals);
  for (uint32_t k = 0; k < model->nparams; k++) data[model->param[k].val] = model->param[k].role == IR_ROLE_DATA;
  bool any = false;
  for (ir_op *op = model->body.first; op; op = op->next) {
    scan_uses s = {.fn = model, .data = data, .root = op, .all = true};
    visit_tree(op, see_op, &s);
    if (!s.all || s.effects || op->code == IR_GUARD_OP) continue;
    for (uint32_t k = 0; k < op->nres; k++) data[op->res[k]] = true;
    any = any || !trivial(op);
  }
  if (!any) return NULL;
  for (ir_op *op = model->body.first; op; op = op->next) {
    bool moved = op->nres > 0;
    for (uint32_t k = 0; k < op->nres; k++) moved = moved && data[op->res[k]];
    if (moved) continue;
    mark_uses s = {model, data, wanted};
    visit_tree(op, mark_op, &s);
  }

  ir_fn *fn = ir_fn_new(m, "prepare", false);
  ir_cloner c = {.from = model, .map = ir_map_new(m->mem, model)};
  for (uint32_t k = 0; k < model->nparams; k++) {
    const ir_param *p = &model->param[k];
    if (p->role == IR_ROLE_DATA) ir_map_set(&c.map, p->val, ir_param_add(fn, IR_ROLE_DATA, p->name, ir_type_of(model, p->val)));
  }
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  ir_val *ret = NULL, *crossing = NULL;
  size_t nret = 0, cap = 0, ncrossing = 0, cap_crossing = 0;
  for (ir_op *op = model->body.first, *next; op; op = next) {
    next = op->next;
    bool moved = op->nres > 0;
    for (uint32_t k = 0; k < op->nres; k++) moved = moved && data[op->res[k]];
    if (!moved) continue;
    ir_clone_op(&c, &b, op);
    if (trivial(op)) continue;
    for (uint32_t k = 0; k < op->nres; k++) {
      if (!wanted[op->res[k]]) continue;
      ARENA_PUSH(m->mem, ret, nret, cap, ir_map_get(&c.map, op->res[k]));
      ARENA_PUSH(m->mem, crossing, ncrossing, cap_crossing, op->res[k]);
    }
  }
  ir_map renamed = ir_map_new(m->mem, model);
  for (size_t k = 0; k < ncrossing; k++) {
    const char *name = arena_printf(m->mem, "frame.%zu", k + 1);
    ir_map_set(&renamed, crossing[k], ir_param_add(model, IR_ROLE_FRAME, name, ir_type_of(model, crossing[k])));
  }
  ir_rename_all(model, &renamed);
  for (ir_op *op = model->body.last, *prev; op; op = prev) {
    prev = op->prev;
    bool moved = op->nres > 0 && !trivial(op);
    for (uint32_t k = 0; k < op->nres; k++) moved = moved && op->res[k] < model->nvals && data[op->res[k]];
    if (moved) ir_remove(op);
  }
  ir_return(fn, (uint32_t)nret, ret);
  return nret ? fn : NULL;
}
