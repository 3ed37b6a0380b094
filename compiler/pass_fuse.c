/* pass_fuse.c: two plates of one block over the same box become one.
 *
 * The second may read what the first stacks, at exactly its own indices: it then takes the value itself, and the array goes if
 * nobody else reads it.  It may not read the first's results in any other way, nor through an operation between the two.
 * Operations between them move before the pair unless they follow from the first.  Every output keeps its values and
 * their order, so all bits stay. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

/* ---- boxes */

static bool same_box(const ir_fn *fn, const ir_loop *a, const ir_loop *b) {
  if (a->rank != b->rank) return false;
  for (uint32_t k = 0; k < a->rank; k++)
    if (!ir_same_extent(fn, a->extent[k], b->extent[k])) return false;
  return true;
}

typedef struct box {
  const ir_loop *like; /* NULL: free */
  uint32_t left;       /* plates over it that stand ahead */
} box;

/* The boxes of a block's plates: a hash table, its size a power of two. */
typedef struct boxes {
  const ir_fn *fn;
  box *it;
  size_t size;
} boxes;

static box *box_of(const boxes *b, const ir_loop *loop) {
  uint64_t h = loop->rank;
  for (uint32_t k = 0; k < loop->rank; k++) {
    ir_size s = ir_size_of(b->fn, loop->extent[k]);
    h = (h ^ (s ? s : ~(uint64_t)loop->extent[k])) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
  }
  size_t at = h & (b->size - 1);
  while (b->it[at].like && !same_box(b->fn, b->it[at].like, loop)) at = (at + 1) & (b->size - 1);
  return &b->it[at];
}

typedef struct fuser {
  ir_module *m;
  ir_fn *fn;
  ir_map renamed;    /* indices of plates that went, and reads of what stands beside them now */
  uint32_t *follows; /* by value: the number of the last first plate that it follows from */
  uint8_t *modelled; /* by value, the first result or index of an operation: 2 where it holds a MODEL operation, 1 where not; 0: not asked yet */
  bool changed;

  const boxes *around; /* of the block */
  ir_op *first;      /* the plate that takes others in */
  uint32_t number;   /* of it, from 1 */
  uint32_t cap;      /* of its results */
  ir_op *settled;    /* from it on back to the first plate nothing is left to be moved; NULL: the first plate */
} fuser;

static boxes boxes_of(const fuser *f, const ir_block *block) {
  boxes b = {.fn = f->fn};
  size_t n = 0;
  for (const ir_op *op = block->first; op; op = op->next) n += op->code == IR_PLATE_OP;
  if (n < 2) return b;
  for (b.size = 4; b.size < 2 * n;) b.size *= 2;
  b.it = ARENA_ARRAY(f->m->mem, box, b.size);
  for (const ir_op *op = block->first; op; op = op->next) {
    if (op->code != IR_PLATE_OP) continue;
    box *x = box_of(&b, op->u.loop);
    x->like = op->u.loop;
    x->left++;
  }
  return b;
}

/* ---- what follows from the first plate */

static bool is_output(const fuser *f, ir_val v) {
  const ir_value *x = ir_value_of(f->fn, v);
  return x->def == IR_DEF_RESULT && x->op == f->first;
}

typedef struct dependence {
  const fuser *f;
  bool through; /* by way of an operation in between */
  bool found;
} dependence;

static void note_dependence(void *user, ir_val *use) {
  dependence *d = user;
  d->found |= d->f->follows[*use] == d->f->number && !(d->through && is_output(d->f, *use));
}

static bool depends(const fuser *f, ir_op *op, bool through) {
  dependence d = {f, through, false};
  ir_visit_region_uses(op, note_dependence, &d);
  return d.found;
}

static void mark(fuser *f, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++) f->follows[op->res[k]] = f->number;
}

/* Reads of the first plate's results inside the second: allowed only as `at r, i, j, ...` of a stack. */
typedef struct reads {
  const fuser *f;
  const ir_op *second;
  bool allowed;
} reads;

static bool own_read(const reads *r, const ir_op *op) {
  if (op->code != IR_AT_OP || !is_output(r->f, op->args[0])) return false;
  if (r->f->first->u.loop->out[ir_value_of(r->f->fn, op->args[0])->slot].mode != IR_STACK) return false;
  for (uint32_t j = 0; j < r->second->u.loop->rank; j++)
    if (op->u.axes.at[j] != r->second->u.loop->index[j]) return false;
  return true;
}

static void forbid_use(void *user, ir_val *use) {
  reads *r = user;
  if (is_output(r->f, *use)) r->allowed = false;
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

static void forward_read(void *user, ir_op *op) {
  const reads *r = user;
  if (!own_read(r, op)) return;
  const ir_out *out = &r->f->first->u.loop->out[ir_value_of(r->f->fn, op->args[0])->slot];
  uint32_t rank = r->second->u.loop->rank;
  ir_axes rest = {.n = op->u.axes.n - rank};
  bool whole = true;
  for (uint32_t j = 0; j < rest.n; j++) {
    rest.at[j] = op->u.axes.at[rank + j];
    whole &= rest.at[j] == 0;
  }
  if (whole) {
    ir_map_set((ir_map *)&r->f->renamed, op->res[0], out->yield);
    ir_remove(op);
  } else {
    op->args[0] = out->yield;
    op->u.axes = rest;
  }
}

static void rename(void *user, ir_val *use) { *use = ir_renamed(user, *use); }

static bool fuse(fuser *f, ir_op *second) {
  ir_fn *fn = f->fn;
  ir_op *first = f->first;
  ir_loop *a = first->u.loop, *b = second->u.loop;
  if (a->nout + b->nout > 4096) return false;
  reads r = {f, second, true};
  check_read(&r, second);
  ir_visit_ops(&b->body, check_read, &r);
  /* What follows from the first plate by way of an operation in between keeps the two apart. */
  if (!r.allowed || depends(f, second, true)) return false;
  for (ir_op *op = (f->settled ? f->settled : first)->next, *next; op != second; op = next) {
    next = op->next;
    bool follows = false;
    for (uint32_t k = 0; k < op->nres; k++) follows |= f->follows[op->res[k]] == f->number;
    if (follows || !op->nres) continue;
    if (op->code == IR_PLATE_OP) box_of(f->around, op->u.loop)->left--;
    ir_move(op, first->block, first);
  }
  f->settled = second->prev;
  for (uint32_t k = 0; k < a->rank; k++) ir_map_set(&f->renamed, b->index[k], a->index[k]);
  ir_visit_ops(&b->body, forward_read, &r);
  /* Yields and axes of a forwarded read stand in the plate itself. */
  ir_visit_region_uses(second, rename, &f->renamed);
  while (b->body.first) ir_move(b->body.first, &a->body, NULL);
  for (uint32_t k = 0; k < b->nout; k++) {
    ir_val v = second->res[k];
    ARENA_PUSH(f->m->mem, a->out, a->nout, a->cap, b->out[k]);
    ARENA_PUSH(f->m->mem, first->res, first->nres, f->cap, v);
    fn->val[v].op = first;
    fn->val[v].slot = a->nout - 1;
  }
  mark(f, second);
  ir_remove(second);
  f->changed = true;
  return true;
}

/* ---- MODEL operations */

static void note_model_op(void *user, ir_op *op) {
  if (ir_op_table[op->code].effect == IR_MODEL) *(bool *)user = true;
}

static bool has_model_op(fuser *f, ir_op *op) {
  if (!f->fn->is_model || (op->nres == 0 && !ir_is_loop(op))) return false; /* of what has no results nobody asks */
  uint8_t *known = &f->modelled[ir_is_loop(op) ? op->u.loop->index[0] : op->res[0]];
  if (!*known) {
    bool found = false;
    ir_visit_op(op, note_model_op, &found);
    *known = found ? 2 : 1;
  }
  return *known == 2;
}

/* ---- the walk */

/* Takes into f->first what can be of the plates over its box that stand ahead. */
static void take_in(fuser *f, ir_op *first, const boxes *around, box *of) {
  f->around = around;
  f->first = first;
  f->cap = first->nres;
  f->settled = NULL;
  f->number++;
  mark(f, first);
  uint32_t ahead = of->left;
  for (ir_op *op = first->next, *next; ahead; op = next) {
    next = op->next;
    bool same = op->code == IR_PLATE_OP && same_box(f->fn, first->u.loop, op->u.loop);
    if (same) ahead--;
    if (same && !has_model_op(f, op) && fuse(f, op)) {
      of->left--;
      continue;
    }
    /* MODEL operations stay where they are, and what reads them with them. */
    if (has_model_op(f, op) || depends(f, op, false)) mark(f, op);
  }
}

static void fuse_block(fuser *f, ir_block *block) {
  boxes b = boxes_of(f, block);
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->code == IR_IF_OP) {
      fuse_block(f, &op->u.branch->then_);
      fuse_block(f, &op->u.branch->else_);
    }
    if (op->code == IR_PLATE_OP && b.size) {
      box *of = box_of(&b, op->u.loop);
      if (--of->left && !has_model_op(f, op)) take_in(f, op, &b, of);
    }
    if (ir_is_loop(op)) fuse_block(f, &op->u.loop->body);
  }
}

bool pass_fuse(ir_module *m, ir_fn *fn) {
  fuser f = {.m = m, .fn = fn, .renamed = ir_map_new(m->mem, fn)};
  f.follows = ARENA_ARRAY(m->mem, uint32_t, fn->nvals);
  f.modelled = ARENA_ARRAY(m->mem, uint8_t, fn->nvals);
  fuse_block(&f, &fn->body);
  return f.changed;
}
