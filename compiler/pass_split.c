/* pass_split.c: what an iteration of a scan computes without the scan's states, where that is costly, is computed by a plate before the scan.
 *
 *     x = scan t { w = plate k { .. sum i exp(a[t, i, k]) .. }  x' = plate i { sum k  x[k] w[i, k] } }
 *
 * becomes  W = plate t { .. }  and a scan that reads W[t, .., ..].  Plates run on vectors and their iterations overlap, where those of a scan wait for each other.  The
 * adjoint of a forward algorithm is of this kind: the weights of its log-sum-exps follow from messages that the forward scan has kept, and what is left
 * of the backward scan is a product of a vector and a matrix.
 *
 * A plate inside the scan of which only a part needs a state is first cut in two, from the inside outwards.  What is moved are pure operations and loops of them; of their
 * values those cross that cost MIN_FLOPS or more on the way, and cheap ones are computed on both sides.
 *
 * needs: scans at the top of a function that run to their end, whose extent is a size, and extents with numbers inside.  keeps: every bit.  Arrays that cross have the
 * scan's length, so an iteration's may have MOST_CELLS, and together MOST_MEMORY.  Worth it where WORTH flops or more leave the scan for each cell that crosses. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

#include <string.h>

enum { MIN_FLOPS = 12, MOST_CELLS = 64, WORTH = 4, MOST_MEMORY = 1 << 22, MOST_SPLITS = 64, SHORT = 16 };

typedef struct splitter {
  ir_module *m;
  ir_fn *fn;
  bool *dep;      /* by value: follows from a state, or from what stays where it is */
  bool *heavy;    /* by value: costly on the way */
  bool *crosses;  /* by value: free of states, costly, and read by what stays */
  bool *stays;    /* by value: free, cheap, and read by what stays, so that it is computed there as well */
  uint32_t n;     /* entries of these */
  double cells, flops; /* of an iteration: what crosses, and what is moved */
  bool known;     /* extents inside have numbers */
} splitter;

static bool is_pure(const ir_op *op) {
  int effect = ir_op_table[op->code].effect;
  return (effect == IR_PURE || effect == IR_LOOP) && op->code != IR_CALL_OP && op->code != IR_QR_R_OP;
}

static void see_impure(void *user, ir_op *op) { *(bool *)user |= !is_pure(op); }

/* op and what is in its blocks. */
static bool all_pure(const ir_op *op) {
  bool impure = !is_pure(op);
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, see_impure, &impure);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, see_impure, &impure);
    ir_visit_ops(&op->u.branch->else_, see_impure, &impure);
  }
  return !impure;
}

typedef struct uses {
  splitter *s;
  bool dep, heavy;
} uses;

static void see_use(void *user, ir_val *use) {
  uses *u = user;
  u->dep |= *use && u->s->dep[*use];
  u->heavy |= *use && u->s->heavy[*use];
}

static void see_costly(void *user, ir_op *op) { *(bool *)user |= ir_op_table[op->code].effect == IR_PURE && ir_op_table[op->code].flops >= MIN_FLOPS; }

/* Sets dep and heavy of what the block's operations give. */
static void mark(splitter *s, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->code == IR_PLATE_OP) mark(s, &op->u.loop->body);
    uses u = {s, !all_pure(op), false};
    ir_visit_region_uses(op, see_use, &u);
    u.heavy &= op->code != IR_AT_OP; /* an element of what is costly costs nothing */
    see_costly(&u.heavy, op);
    if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, see_costly, &u.heavy);
    for (uint32_t k = 0; k < op->nres; k++) s->dep[op->res[k]] = u.dep, s->heavy[op->res[k]] = u.heavy;
  }
}

static bool any_of(const bool *flags, const ir_op *op) {
  for (uint32_t k = 0; k < op->nres; k++)
    if (flags[op->res[k]]) return true;
  return false;
}

static bool is_dep(const splitter *s, const ir_op *op) {
  return any_of(s->dep, op);
}

static void see_crossing(void *user, ir_val *use) {
  splitter *s = user;
  if (*use && !s->dep[*use]) (s->heavy[*use] ? s->crosses : s->stays)[*use] = true;
}

/* A plate that is cut itself: only its extents are read as they stand, its body is looked at operation by operation. */
static bool is_cut(const splitter *s, const ir_op *op) {
  if (op->code != IR_PLATE_OP || !is_dep(s, op)) return false;
  for (uint32_t k = 0; k < op->u.loop->rank; k++)
    if (s->dep[op->u.loop->extent[k]]) return false;
  return true;
}

/* What crosses from the free operations of a loop's body to the others, and to what the loop makes of them.  Backwards, as what stays is known by its readers. */
static void find_crossing(splitter *s, ir_op *loop, double times) {
  const ir_loop *l = loop->u.loop;
  for (uint32_t k = 0; k < l->nout; k++) {
    ir_out *out = &loop->u.loop->out[k];
    see_crossing(s, &out->yield);
    for (uint32_t a = 0; a < out->axes.n; a++) see_crossing(s, &out->axes.at[a]);
  }
  for (ir_op *op = l->body.last; op; op = op->prev) {
    if (!is_cut(s, op)) {
      if (is_dep(s, op) || any_of(s->stays, op)) ir_visit_region_uses(op, see_crossing, s);
      continue;
    }
    ir_visit_uses(op, see_crossing, s);
    double n = times;
    for (uint32_t k = 0; k < op->u.loop->rank; k++) {
      int64_t extent;
      ir_size size = ir_size_of(s->fn, op->u.loop->extent[k]);
      if (!size || !size_value(s->m->sizes, size, &extent)) s->known = false;
      else n *= (double)(extent > 0 ? extent : 0);
    }
    find_crossing(s, op, n);
  }
  for (const ir_op *op = l->body.first; op; op = op->next)
    for (uint32_t k = 0; k < op->nres && !is_dep(s, op); k++) {
      if (!s->crosses[op->res[k]]) continue;
      ir_type t = ir_type_of(s->fn, op->res[k]);
      double cells = times;
      for (uint32_t a = 0; a < t.rank; a++) {
        int64_t extent;
        if (!size_value(s->m->sizes, t.dim[a], &extent)) s->known = false;
        else cells *= (double)extent;
      }
      s->cells += cells;
    }
}

/* Costly free operations of a block. */
static void count_flops(splitter *s, const ir_block *block, double times) {
  for (const ir_op *op = block->first; op; op = op->next) {
    if (op->nres == 1 && !s->dep[op->res[0]] && ir_op_table[op->code].effect == IR_PURE && ir_op_table[op->code].flops >= MIN_FLOPS) s->flops += times * ir_op_table[op->code].flops;
    if (op->code != IR_PLATE_OP) continue;
    double n = times;
    int64_t extent;
    for (uint32_t k = 0; k < op->u.loop->rank; k++)
      if (size_value(s->m->sizes, ir_size_of(s->fn, op->u.loop->extent[k]), &extent)) n *= (double)(extent > 0 ? extent : 0);
    count_flops(s, &op->u.loop->body, n);
  }
}

static void analyse(splitter *s, ir_op *scan) {
  s->n = s->fn->nvals;
  s->dep = ARENA_ARRAY(s->m->mem, bool, s->n);
  s->heavy = ARENA_ARRAY(s->m->mem, bool, s->n);
  s->crosses = ARENA_ARRAY(s->m->mem, bool, s->n);
  s->stays = ARENA_ARRAY(s->m->mem, bool, s->n);
  s->cells = s->flops = 0;
  s->known = true;
  for (uint32_t k = 0; k < scan->u.loop->nout; k++)
    if (scan->u.loop->out[k].state) s->dep[scan->u.loop->out[k].state] = true;
  mark(s, &scan->u.loop->body);
  find_crossing(s, scan, 1);
  count_flops(s, &scan->u.loop->body, 1);
}

static bool any_crosses(const splitter *s, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next)
    if (any_of(s->crosses, op)) return true;
  return false;
}

/* The innermost plate of a block that has to be cut, or NULL. */
static ir_op *plate_to_cut(const splitter *s, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (!is_cut(s, op)) continue;
    ir_op *inner = plate_to_cut(s, &op->u.loop->body);
    if (inner) return inner;
    if (any_crosses(s, &op->u.loop->body)) return op;
  }
  return NULL;
}

static void see_needed(void *user, ir_val *use) {
  bool *needed = user;
  if (*use) needed[*use] = true;
}

typedef struct renaming {
  ir_map map;
} renaming;

static void rename_use(void *user, ir_val *use) {
  const renaming *r = user;
  ir_val to = *use ? ir_map_get(&r->map, *use) : 0;
  if (to) *use = to;
}

/* A plate before `loop`, over its box, that has what crosses in its body; which is read from there. */
static void cut(splitter *s, ir_op *loop) {
  ir_fn *fn = s->fn;
  ir_loop *from = loop->u.loop;
  ir_builder before = {.fn = fn, .block = loop->block, .before = loop, .where = loop->where};
  bool *needed = ARENA_ARRAY(s->m->mem, bool, s->n);
  for (ir_op *op = from->body.last; op; op = op->prev) {
    bool wanted = false;
    for (uint32_t k = 0; k < op->nres; k++) wanted |= s->crosses[op->res[k]] || needed[op->res[k]];
    if (!wanted || is_dep(s, op)) continue;
    for (uint32_t k = 0; k < op->nres; k++) needed[op->res[k]] = true;
    ir_visit_region_uses(op, see_needed, needed);
  }
  ir_op *plate = ir_loop_begin(&before, IR_PLATE_OP, from->rank, from->extent);
  ir_builder in = ir_builder_in(&before, &plate->u.loop->body);
  ir_cloner c = {.from = fn, .map = ir_map_new(s->m->mem, fn)};
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&c.map, from->index[k], plate->u.loop->index[k]);
  ir_op *first = from->body.first;
  renaming r = {ir_map_new(s->m->mem, fn)};
  ir_builder head = {.fn = fn, .block = &from->body, .before = first, .where = loop->where};
  for (ir_op *op = first; op; op = op->next) {
    if (op->nres == 0 || !needed[op->res[0]] || is_dep(s, op)) continue;
    ir_clone_op(&c, &in, op);
    for (uint32_t k = 0; k < op->nres; k++) {
      if (!s->crosses[op->res[k]]) continue;
      ir_val all = ir_loop_out(fn, plate, IR_STACK, 0, NULL, ir_map_get(&c.map, op->res[k]));
      ir_axes axes = {.n = from->rank + ir_type_of(fn, op->res[k]).rank};
      memcpy(axes.at, from->index, from->rank * sizeof *axes.at);
      ir_map_set(&r.map, op->res[k], ir_at(&head, all, axes));
    }
  }
  ir_visit_region_uses(loop, rename_use, &r);
}

static bool fits(const splitter *s, const ir_op *scan) {
  int64_t n;
  if (!s->known || s->cells == 0 || s->cells > MOST_CELLS || s->flops < WORTH * s->cells) return false;
  return !size_value(s->m->sizes, ir_size_of(s->fn, scan->u.loop->extent[0]), &n) || (n >= SHORT && (double)n * s->cells <= MOST_MEMORY);
}

/* A loop whose values would have more axes than an array may have stays whole. */
static bool ranks_fit(const splitter *s, const ir_op *loop, uint32_t around) {
  around += loop->u.loop->rank;
  for (const ir_op *op = loop->u.loop->body.first; op; op = op->next) {
    for (uint32_t k = 0; k < op->nres; k++)
      if (s->crosses[op->res[k]] && around + ir_type_of(s->fn, op->res[k]).rank > IR_MAX_RANK) return false;
    if (is_cut(s, op) && !ranks_fit(s, op, around)) return false;
  }
  return true;
}

bool pass_split(ir_module *m, ir_fn *fn) {
  splitter s = {.m = m, .fn = fn};
  bool changed = false;
  int left = MOST_SPLITS;
  /* What is cleared away between two cuts is then never the scan that is being cut. */
  pass_dce(m, fn);
  for (ir_op *scan = fn->body.first; scan; scan = scan->next) {
    if (scan->code != IR_SCAN_OP || scan->u.loop->live || !ir_size_of(fn, scan->u.loop->extent[0])) continue;
    analyse(&s, scan);
    if (!fits(&s, scan) || !ranks_fit(&s, scan, 0)) continue;
    for (ir_op *plate; left > 0 && (plate = plate_to_cut(&s, &scan->u.loop->body)); left--) {
      cut(&s, plate);
      pass_dce(m, fn);
      analyse(&s, scan);
    }
    if (any_crosses(&s, &scan->u.loop->body)) cut(&s, scan);
    pass_dce(m, fn);
    ir_remark_add(m, "split", scan->where, false, "what a recurrence computes without its states is computed before it");
    changed = true;
  }
  return changed;
}
