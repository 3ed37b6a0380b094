/* pass_fuse.c: two plates of one block over the same box become one.
 *
 * The second may read what the first stacks, at exactly its own indices: it then takes the value itself, and the array goes if
 * nobody else reads it.  It may not read the first's results in any other way, nor through an operation between the two.
 * Operations between them move before the pair unless they follow from the first.  Every output keeps its values and
 * their order, so all bits stay. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

typedef struct fuser {
  ir_module *m;
  ir_fn *fn;
  bool changed;
} fuser;

static bool same_box(const ir_fn *fn, const ir_loop *a, const ir_loop *b) {
  if (a->rank != b->rank) return false;
  for (uint32_t k = 0; k < a->rank; k++)
    if (!ir_same_extent(fn, a->extent[k], b->extent[k])) return false;
  return true;
}

/* ---- what follows from the first plate */

typedef struct dependence {
  const uint8_t *from; /* by value: it follows from the first plate */
  uint32_t n;
  bool found;
} dependence;

static void note_dependence(void *user, ir_val *use) {
  dependence *d = user;
  d->found |= *use < d->n && d->from[*use];
}

static bool depends(ir_op *op, const uint8_t *from, uint32_t n) {
  dependence d = {from, n, false};
  ir_visit_region_uses(op, note_dependence, &d);
  return d.found;
}

/* Reads of the first plate's results inside the second: allowed only as `at r, i, j, ...` of a stack. */
typedef struct reads {
  const ir_fn *fn;
  const ir_op *first, *second;
  bool allowed;
} reads;

static int output_of(const ir_op *loop, ir_val v) {
  for (uint32_t k = 0; k < loop->nres; k++)
    if (loop->res[k] == v) return (int)k;
  return -1;
}

static bool own_read(const reads *r, const ir_op *op) {
  int k = op->code == IR_AT_OP ? output_of(r->first, op->args[0]) : -1;
  if (k < 0 || r->first->u.loop->out[k].mode != IR_STACK) return false;
  for (uint32_t j = 0; j < r->second->u.loop->rank; j++)
    if (op->u.axes.at[j] != r->second->u.loop->index[j]) return false;
  return true;
}

static void forbid_use(void *user, ir_val *use) {
  reads *r = user;
  if (output_of(r->first, *use) >= 0) r->allowed = false;
}

static void check_read(void *user, ir_op *op) {
  reads *r = user;
  if (!own_read(r, op)) {
    ir_visit_uses(op, forbid_use, r);
    return;
  }
  for (uint32_t j = 0; j < op->u.axes.n; j++)
    if (op->u.axes.at[j]) forbid_use(r, &op->u.axes.at[j]);
}

/* ---- merging */

typedef struct forwarder {
  const reads *r;
  ir_map *renamed;
} forwarder;

static void forward_read(void *user, ir_op *op) {
  forwarder *w = user;
  if (!own_read(w->r, op)) return;
  const ir_out *out = &w->r->first->u.loop->out[output_of(w->r->first, op->args[0])];
  uint32_t rank = w->r->second->u.loop->rank;
  ir_axes rest = {.n = op->u.axes.n - rank};
  bool whole = true;
  for (uint32_t j = 0; j < rest.n; j++) {
    rest.at[j] = op->u.axes.at[rank + j];
    whole &= rest.at[j] == 0;
  }
  if (whole) {
    ir_map_set(w->renamed, op->res[0], out->yield);
    ir_remove(op);
  } else {
    op->args[0] = out->yield;
    op->u.axes = rest;
  }
}

static bool fuse(fuser *f, ir_op *first, ir_op *second, const uint8_t *from, uint32_t n) {
  ir_fn *fn = f->fn;
  ir_loop *a = first->u.loop, *b = second->u.loop;
  if (a->nout + b->nout > 4096) return false;
  reads r = {fn, first, second, true};
  check_read(&r, second);
  ir_visit_ops(&b->body, check_read, &r);
  if (!r.allowed) return false;
  /* What follows from the first plate by way of an operation in between keeps the two apart. */
  uint8_t *through = ARENA_ARRAY(f->m->mem, uint8_t, n);
  for (uint32_t v = 0; v < n; v++) through[v] = from[v];
  for (uint32_t k = 0; k < first->nres; k++) through[first->res[k]] = 0;
  if (depends(second, through, n)) return false;
  for (ir_op *op = first->next, *next; op != second; op = next) {
    next = op->next;
    bool follows = false;
    for (uint32_t k = 0; k < op->nres; k++) follows |= from[op->res[k]];
    if (!follows && op->nres) ir_move(op, first->block, first);
  }
  ir_map renamed = ir_map_new(f->m->mem, fn);
  for (uint32_t k = 0; k < a->rank; k++) ir_map_set(&renamed, b->index[k], a->index[k]);
  forwarder w = {&r, &renamed};
  ir_visit_ops(&b->body, forward_read, &w);
  while (b->body.first) ir_move(b->body.first, &a->body, NULL);
  ir_val *res = ARENA_ARRAY(f->m->mem, ir_val, first->nres + second->nres);
  for (uint32_t k = 0; k < first->nres; k++) res[k] = first->res[k];
  for (uint32_t k = 0; k < b->nout; k++) {
    ARENA_PUSH(f->m->mem, a->out, a->nout, a->cap, b->out[k]);
    ir_val v = res[first->nres + k] = second->res[k];
    fn->val[v].op = first;
    fn->val[v].slot = a->nout - 1;
  }
  first->res = res;
  first->nres = a->nout;
  ir_remove(second);
  /* Yields and axes of a forwarded read stand in the plate itself. */
  ir_rename_all(fn, &renamed);
  f->changed = true;
  return true;
}

static void note_model_op(void *user, ir_op *op) {
  if (ir_op_table[op->code].effect == IR_MODEL) *(bool *)user = true;
}

static bool has_model_op(ir_op *op) {
  bool found = false;
  note_model_op(&found, op);
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, note_model_op, &found);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, note_model_op, &found);
    ir_visit_ops(&op->u.branch->else_, note_model_op, &found);
  }
  return found;
}

static void fuse_block(fuser *f, ir_block *block) {
  for (ir_op *first = block->first; first; first = first->next) {
    if (first->code == IR_IF_OP) {
      fuse_block(f, &first->u.branch->then_);
      fuse_block(f, &first->u.branch->else_);
    }
    if (first->code == IR_PLATE_OP && !has_model_op(first)) {
      /* `from` grows along the block: the first plate's results and what is made of them. */
      uint32_t n = f->fn->nvals;
      uint8_t *from = ARENA_ARRAY(f->m->mem, uint8_t, n);
      for (uint32_t k = 0; k < first->nres; k++) from[first->res[k]] = 1;
      for (ir_op *op = first->next, *next; op; op = next) {
        next = op->next;
        if (op->code == IR_PLATE_OP && same_box(f->fn, first->u.loop, op->u.loop) && !has_model_op(op) && fuse(f, first, op, from, n)) {
          for (uint32_t k = 0; k < first->nres; k++) from[first->res[k]] = 1;
          continue;
        }
        /* MODEL operations stay where they are, and what reads them with them. */
        if (has_model_op(op) || depends(op, from, n))
          for (uint32_t k = 0; k < op->nres; k++) from[op->res[k]] = 1;
      }
    }
    if (ir_is_loop(first)) fuse_block(f, &first->u.loop->body);
  }
}

bool pass_fuse(ir_module *m, ir_fn *fn) {
  fuser f = {m, fn, false};
  fuse_block(&f, &fn->body);
  return f.changed;
}
