/* pass_frame.c: what a loop computes from data alone is computed once, by @prepare.
 *
 *     plate i < N -> sum {                  frame: c[i] = 1 / s[i],  t = sum of log s[i]
 *       ... mul (1 / s[i]), r ...           plate i < N -> sum { ... mul c[i], r ... }
 *       ... add q, log s[i] ... }           then add t
 *
 * Three things move, from a function that is no model and not @prepare itself:
 *   values     at the top of the function, with whole loops; from 4 flops on
 *   elements   of a loop's iterations, as an array in the frame; from MIN_FLOPS on, which is what the read costs, or one division
 *   terms      of a sum over a loop at the top: the sum of a + d, with d from data, is the sum of a plus a number in the frame.
 *              Under a guard whose condition is data, d counts where the condition holds
 *
 * A division by such an element becomes a product with its reciprocal.
 *
 * needs: a function with its calls inlined.  keeps: its value up to the roundings of sums
 * taken apart and of reciprocals.  A frame array is no
 * larger than an array of data that the same iterations read (x[i] - x[j] for all i, j is not kept), and there are at most
 * MOST_ARRAYS for a loop.  What may fail or is counted (bound, guard) stays, and so does what an `if` may skip. */
#include "compiler/frame.h"
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { MIN_FLOPS = 3, TOP_FLOPS = 4, MOST_ARRAYS = 16 };

typedef struct framer {
  ir_module *m;
  ir_fn *fn;
  bool *data;    /* by value: follows from data, frame and the indices of loops */
  uint32_t n;    /* entries of data */
  bool writing;  /* w is open */
  frame w;
  uint32_t *order;  /* by value: place of its operation in the function */
  uint32_t *stamp;  /* by value: the last slice that wanted it */
  uint32_t nslices;
  ir_map renamed;
  bool changed;
} framer;

static bool is_data(const framer *f, ir_val v) { return v && v < f->n && f->data[v]; }

static bool literal(const ir_op *op) {
  return op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP || op->code == IR_SIZE_OP || op->code == IR_NEW_OP;
}

/* ---- what follows from data */

typedef struct region {
  const framer *f;
  const ir_op *root; /* values defined inside it do not count */
  bool all;
} region;

static bool within(const ir_fn *fn, ir_val v, const ir_op *root) {
  const ir_value *x = ir_value_of(fn, v);
  if (!x->op || (x->op == root && x->def == IR_DEF_RESULT)) return false;
  for (const ir_op *op = x->op; op; op = op->block ? op->block->owner : NULL)
    if (op == root) return true;
  return false;
}

static void see_operand(void *user, ir_val *use) {
  region *r = user;
  if (*use && !is_data(r->f, *use) && !within(r->f->fn, *use, r->root)) r->all = false;
}

static void see_inside(void *user, ir_op *op) {
  region *r = user;
  uint8_t effect = ir_op_table[op->code].effect;
  if (effect == IR_MODEL || effect == IR_DRAW || op->code == IR_BOUND_OP || op->code == IR_GUARD_OP || op->code == IR_CALL_OP) r->all = false;
}

static bool from_data(const framer *f, ir_op *op) {
  region r = {f, op, true};
  see_inside(&r, op);
  ir_visit_region_uses(op, see_operand, &r);
  if (!r.all) return false;
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, see_inside, &r);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, see_inside, &r);
    ir_visit_ops(&op->u.branch->else_, see_inside, &r);
  }
  return r.all;
}

static void classify(framer *f, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    bool all = from_data(f, op);
    for (uint32_t k = 0; k < op->nres; k++) f->data[op->res[k]] = all;
    if (all || !ir_is_loop(op)) continue;
    for (uint32_t k = 0; k < op->u.loop->rank; k++) f->data[op->u.loop->index[k]] = is_data(f, op->u.loop->extent[k]);
    classify(f, &op->u.loop->body);
  }
}

/* A division by what varies with the data alone becomes a product with its reciprocal, which can then be kept. */
static void invert_divisors(framer *f, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->nres && is_data(f, op->res[0])) continue;
    if (ir_is_loop(op)) invert_divisors(f, &op->u.loop->body);
    if (op->code != IR_DIV_OP || !is_data(f, op->args[1])) continue;
    const ir_value *d = ir_value_of(f->fn, op->args[1]);
    if (!d->op || d->op->block != block || block == &f->fn->body) continue;
    ir_builder b = {.fn = f->fn, .block = block, .before = op, .where = op->where};
    ir_val reciprocal = ir_op2(&b, IR_DIV_OP, ir_real(&b, 1), op->args[1]);
    op->code = IR_MUL_OP;
    op->args[1] = reciprocal;
    f->changed = true;
  }
}

/* ---- what a value is made of: its slice of the function */

typedef struct slice {
  framer *f;
  uint32_t number;
  ir_op **op;      /* in no order while it grows */
  size_t n, cap, seen;
  const ir_op *root;
  ir_val index[IR_MAX_RANK]; /* of loops that it varies with */
  uint32_t nindices;
  bool fits;       /* no more loops than an array has axes */
  uint32_t flops;  /* of an iteration */
  uint32_t widest; /* the most positions that vary in one read of data */
} slice;

static bool varies(const framer *f, ir_val v) {
  const ir_value *x = ir_value_of(f->fn, v);
  return x->def == IR_DEF_INDEX || (x->op && x->op->block != &f->fn->body);
}

static void add_cost(slice *s, const ir_op *op) {
  const ir_fn *fn = s->f->fn;
  if (op->code != IR_AT_OP) {
    bool big = ir_is_loop(op) || op->code == IR_IF_OP || (op->nres && ir_type_of(fn, op->res[0]).rank > 0);
    s->flops += big ? 100 : ir_op_table[op->code].flops;
  } else if (ir_value_of(fn, op->args[0])->def == IR_DEF_PARAM) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < op->u.axes.n; k++) n += op->u.axes.at[k] && varies(s->f, op->u.axes.at[k]);
    s->widest = n > s->widest ? n : s->widest;
  }
}

static void want(slice *s, ir_val v) {
  framer *f = s->f;
  if (f->stamp[v] == s->number) return;
  f->stamp[v] = s->number;
  const ir_value *x = ir_value_of(f->fn, v);
  if (x->def == IR_DEF_INDEX) {
    if (s->nindices == IR_MAX_RANK) s->fits = false;
    else s->index[s->nindices++] = v;
  }
  if (x->def != IR_DEF_RESULT) return;
  ir_op *op = x->op;
  bool top = op->block == &f->fn->body;
  if (top && f->writing && ir_map_get(&f->w.c.map, v)) return; /* it is in @prepare already */
  for (uint32_t k = 0; k < op->nres; k++) f->stamp[op->res[k]] = s->number;
  if (!top) add_cost(s, op);
  ARENA_PUSH(f->m->mem, s->op, s->n, s->cap, op);
}

static void want_use(void *user, ir_val *use) {
  slice *s = user;
  if (*use && !within(s->f->fn, *use, s->root)) want(s, *use);
}

static int by_order(const slice *s, const ir_op *a, const ir_op *b) {
  uint32_t x = s->f->order[a->res[0]], y = s->f->order[b->res[0]];
  return x < y ? -1 : x > y;
}

/* Heap sort: slices of long functions are long. */
static void sift(slice *s, size_t k, size_t n) {
  for (size_t child; (child = 2 * k + 1) < n; k = child) {
    if (child + 1 < n && by_order(s, s->op[child], s->op[child + 1]) < 0) child++;
    if (by_order(s, s->op[k], s->op[child]) >= 0) return;
    ir_op *t = s->op[k];
    s->op[k] = s->op[child];
    s->op[child] = t;
  }
}

static void sort_operations(slice *s) {
  for (size_t k = s->n / 2; k-- > 0;) sift(s, k, s->n);
  for (size_t n = s->n; n-- > 1;) {
    ir_op *t = s->op[0];
    s->op[0] = s->op[n];
    s->op[n] = t;
    sift(s, 0, n);
  }
}

static void complete(slice *s) {
  for (; s->seen < s->n; s->seen++) {
    s->root = s->op[s->seen];
    ir_visit_region_uses(s->op[s->seen], want_use, s);
  }
}

/* Outer loops first. */
static void sort_indices(slice *s) {
  const ir_fn *fn = s->f->fn;
  for (uint32_t k = 1; k < s->nindices; k++)
    for (uint32_t j = k; j > 0; j--) {
      const ir_value *a = ir_value_of(fn, s->index[j - 1]), *b = ir_value_of(fn, s->index[j]);
      bool swap = a->op == b->op ? a->slot > b->slot : ir_block_within(a->op->block, &b->op->u.loop->body);
      if (!swap) break;
      ir_val t = s->index[j];
      s->index[j] = s->index[j - 1];
      s->index[j - 1] = t;
    }
}

static slice slice_of(framer *f, ir_val v) {
  slice s = {.f = f, .number = ++f->nslices, .fits = true};
  want(&s, v);
  complete(&s);
  sort_indices(&s);
  return s;
}

static void open_frame(framer *f) {
  ir_fn *prepare = ir_fn_find(f->m, "prepare");
  if (!f->writing) frame_open(&f->w, f->m, f->fn, &prepare);
  f->writing = true;
}

/* Copies the slice into @prepare: operations at the top of the function where they are not there yet, and the others into the body of
 * the plate over the indices that is returned; NULL where there are none. */
static ir_op *copy_slice(slice *s, ir_builder *in) {
  framer *f = s->f;
  open_frame(f);
  f->w.b = ir_builder_at_end(f->w.prepare, &f->w.prepare->body);
  ir_op *plate = NULL;
  ir_builder top = f->w.b;
  if (s->nindices) {
    ir_val extent[IR_MAX_RANK];
    for (uint32_t k = 0; k < s->nindices; k++) {
      const ir_value *x = ir_value_of(f->fn, s->index[k]);
      extent[k] = ir_size_val(&f->w.b, ir_size_of(f->fn, x->op->u.loop->extent[x->slot]));
    }
    plate = ir_loop_begin(&f->w.b, IR_PLATE_OP, s->nindices, extent);
    for (uint32_t k = 0; k < s->nindices; k++) ir_map_set(&f->w.c.map, s->index[k], plate->u.loop->index[k]);
    top.before = plate;
    *in = ir_builder_in(&f->w.b, &plate->u.loop->body);
  }
  sort_operations(s);
  for (size_t k = 0; k < s->n; k++) ir_clone_op(&f->w.c, s->op[k]->block == &f->fn->body ? &top : in, s->op[k]);
  return plate;
}

static bool sizes_known(const slice *s) {
  for (uint32_t k = 0; k < s->nindices; k++) {
    const ir_value *x = ir_value_of(s->f->fn, s->index[k]);
    if (ir_size_of(s->f->fn, x->op->u.loop->extent[x->slot]) == IR_SIZE_NONE) return false;
  }
  return true;
}

/* ---- terms of sums */

typedef struct terms {
  framer *f;
  ir_block *body;
  const uint32_t *uses;
  uint32_t nuses;
  ir_val given; /* what has left, in the body; 0: nothing */
} terms;

static void give(terms *t, ir_builder *b, ir_val v, bool minus) {
  if (minus) t->given = t->given ? ir_op2(b, IR_SUB_OP, t->given, v) : ir_op1(b, IR_NEG_OP, v);
  else t->given = t->given ? ir_op2(b, IR_ADD_OP, t->given, v) : v;
}

/* What is left of v when its terms from data have gone; 0: nothing. */
static ir_val take_terms(terms *t, ir_val v, bool minus) {
  framer *f = t->f;
  ir_op *op = ir_def_op(f->fn, v);
  if (is_data(f, v)) {
    ir_builder end = ir_builder_at_end(f->fn, t->body);
    if (op) end.where = op->where;
    give(t, &end, v, minus);
    return 0;
  }
  if (!op || op->block != t->body || v >= t->nuses || t->uses[v] != 1) return v;
  ir_builder b = {.fn = f->fn, .block = t->body, .before = op->next, .where = op->where};
  if (op->code == IR_NEG_OP) {
    ir_val x = take_terms(t, op->args[0], !minus);
    return x == op->args[0] ? v : x ? ir_op1(&b, IR_NEG_OP, x) : 0;
  }
  if (op->code == IR_GUARD_OP && is_data(f, op->args[0])) {
    terms under = *t;
    under.given = 0;
    ir_val x = take_terms(&under, op->args[1], minus);
    if (!under.given || !x) return v;
    ir_builder end = ir_builder_at_end(f->fn, t->body);
    end.where = op->where;
    give(t, &end, ir_op3(&end, IR_SELECT_OP, op->args[0], under.given, ir_real(&end, 0)), false);
    return ir_op2(&b, IR_GUARD_OP, op->args[0], x);
  }
  if (op->code != IR_ADD_OP && op->code != IR_SUB_OP) return v;
  bool sub = op->code == IR_SUB_OP;
  ir_val x = take_terms(t, op->args[0], minus), y = take_terms(t, op->args[1], minus != sub);
  if (x == op->args[0] && y == op->args[1]) return v;
  if (!x && !y) return 0;
  if (!y) return x;
  if (!x) return sub ? ir_op1(&b, IR_NEG_OP, y) : y;
  return ir_op2(&b, (ir_code)op->code, x, y);
}

static void number_op(void *user, ir_op *op) {
  framer *f = user;
  uint32_t at = ++f->order[0];
  for (uint32_t k = 0; k < op->nres; k++) f->order[op->res[k]] = at;
}

/* Room for the values that have come since, with the places of operations as they are now.  A loop that is copied as a whole
 * comes before what stands inside it, which nothing asks for. */
static void grow(framer *f) {
  bool *more = ARENA_ARRAY(f->m->mem, bool, f->fn->nvals);
  for (uint32_t v = 0; v < f->n; v++) more[v] = f->data[v];
  f->data = more;
  f->n = f->fn->nvals;
  f->order = ARENA_ARRAY(f->m->mem, uint32_t, f->n);
  f->stamp = ARENA_ARRAY(f->m->mem, uint32_t, f->n);
  f->nslices = 0;
  ir_visit_ops(&f->fn->body, number_op, f);
}

/* Output k of a loop at the top, as it comes apart. */
typedef struct parting {
  ir_op *loop;
  uint32_t k;
  ir_val left, given;
} parting;

typedef struct partings {
  parting *it;
  size_t n, cap;
} partings;

static void part_sums(framer *f, ir_op *loop, const uint32_t *uses, uint32_t nuses, partings *list) {
  for (uint32_t k = 0; k < loop->nres; k++) {
    ir_out *out = &loop->u.loop->out[k];
    ir_type type = ir_type_of(f->fn, out->yield);
    if (out->mode != IR_SUM || type.rank || type.elem != IR_REAL || uses[loop->res[k]] == 0) continue;
    terms t = {f, &loop->u.loop->body, uses, nuses, 0};
    ir_val left = take_terms(&t, out->yield, false);
    parting p = {loop, k, left, t.given};
    if (t.given) ARENA_PUSH(f->m->mem, list->it, list->n, list->cap, p);
  }
}

static void move_sum(framer *f, const parting *p, ir_map *renamed) {
  ir_fn *fn = f->fn;
  ir_op *loop = p->loop;
  ir_out *out = &loop->u.loop->out[p->k];
  slice s = slice_of(f, p->given);
  for (uint32_t j = 0; j < loop->u.loop->rank; j++) want(&s, loop->u.loop->index[j]); /* also where the term is the same in all iterations */
  sort_indices(&s);
  if (!s.fits || !sizes_known(&s)) return;
  ir_builder in;
  ir_op *plate = copy_slice(&s, &in);
  ir_val total = ir_loop_out(f->w.prepare, plate, IR_SUM, 0, NULL, ir_map_get(&f->w.c.map, p->given));
  ir_val param = frame_add(&f->w, fn, total), result = loop->res[p->k];
  const ir_op *term = ir_def_op(fn, p->given);
  if (p->left) {
    ir_builder after = {.fn = fn, .block = loop->block, .before = loop->next, .where = loop->where};
    ir_take_over(fn, ir_op2(&after, IR_ADD_OP, ir_result_renew(fn, loop, p->k), param), result);
    out->yield = p->left;
  } else {
    ir_map_set(renamed, result, param);
    out->mode = IR_MAX; /* dead, and no sum to be looked at again */
  }
  ir_remark_add(f->m, "frame", term ? term->where : loop->where, false, "terms of data alone are summed once");
  f->changed = true;
}

static void move_sums(framer *f) {
  uint32_t nuses = f->fn->nvals, *uses = ir_use_counts(f->fn, f->m->mem);
  partings list = {0};
  for (ir_op *op = f->fn->body.first; op; op = op->next)
    if (op->code == IR_PLATE_OP && op->nres && !is_data(f, op->res[0])) part_sums(f, op, uses, nuses, &list);
  if (!list.n) return;
  grow(f);
  /* The operations just made on the way are data as well. */
  for (size_t q = 0; q < list.n; q++)
    for (ir_op *op = list.it[q].loop->u.loop->body.first; op; op = op->next)
      if (op->nres && op->res[0] >= nuses) f->data[op->res[0]] = from_data(f, op);
  ir_map renamed = ir_map_new(f->m->mem, f->fn);
  for (size_t q = 0; q < list.n; q++) move_sum(f, &list.it[q], &renamed);
  ir_rename_all(f->fn, &renamed);
}

/* ---- elements and values */

typedef struct roots {
  framer *f;
  bool *root;
} roots;

static void see_root(void *user, ir_val *use) {
  roots *r = user;
  if (is_data(r->f, *use)) r->root[*use] = true;
}

static bool encloses_all(const slice *s, const ir_op *op) {
  uint32_t n = 0;
  for (const ir_op *loop = op->block->owner; loop; loop = loop->block->owner) {
    if (!ir_is_loop(loop)) return false;
    for (uint32_t k = 0; k < loop->u.loop->rank; k++) {
      if (s->f->stamp[loop->u.loop->index[k]] != s->number) return false;
      n++;
    }
  }
  return n == s->nindices;
}

static void move_element(framer *f, ir_op *op, uint32_t *arrays) {
  ir_fn *fn = f->fn;
  ir_val v = op->res[0];
  ir_type type = ir_type_of(fn, v);
  if (op->nres != 1 || type.rank || type.elem != IR_REAL || op->code == IR_AT_OP || literal(op)) return;
  slice s = slice_of(f, v);
  if (!s.fits || !s.nindices || s.flops < MIN_FLOPS || !sizes_known(&s)) return;
  if (s.widest < s.nindices) {
    ir_remark_add(f->m, "frame", op->where, true, "the array of this value would be larger than the data");
    return;
  }
  if (!encloses_all(&s, op) || *arrays >= MOST_ARRAYS) return;
  ir_builder in;
  ir_op *plate = copy_slice(&s, &in);
  ir_val array = frame_add(&f->w, fn, ir_loop_out(f->w.prepare, plate, IR_STACK, 0, NULL, ir_map_get(&f->w.c.map, v)));
  ir_axes axes = {.n = s.nindices};
  for (uint32_t k = 0; k < s.nindices; k++) axes.at[k] = s.index[k];
  ir_builder b = {.fn = fn, .block = op->block, .before = op->next, .where = op->where};
  ir_map_set(&f->renamed, v, ir_at(&b, array, axes));
  ir_remark_add(f->m, "frame", op->where, false, "a value of data alone is computed once");
  ++*arrays;
  f->changed = true;
}

static void move_elements(framer *f, ir_block *block, const bool *root, uint32_t *arrays) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->nres && op->res[0] < f->n && is_data(f, op->res[0])) {
      if (root[op->res[0]]) move_element(f, op, arrays);
    } else if (ir_is_loop(op)) {
      move_elements(f, &op->u.loop->body, root, arrays);
    }
  }
}

static void move_value(framer *f, ir_op *op, const bool *root) {
  bool big = ir_is_loop(op) || op->code == IR_IF_OP || op->code == IR_MATMUL_OP || op->code == IR_CHOLESKY_OP || op->code == IR_TRISOLVE_OP ||
             op->code == IR_CHOL_ADJ_OP || op->code == IR_INV_PTR_OP || op->code == IR_INV_LIST_OP;
  if (literal(op) || (!big && ir_op_table[op->code].flops < TOP_FLOPS)) return;
  slice s = {.nindices = 0};
  for (uint32_t k = 0; k < op->nres; k++) {
    if (op->res[k] >= f->n || !root[op->res[k]]) continue;
    if (!s.f) {
      s = slice_of(f, op->res[k]);
      if (s.n) copy_slice(&s, NULL);
    }
    ir_map_set(&f->renamed, op->res[k], frame_add(&f->w, f->fn, ir_map_get(&f->w.c.map, op->res[k])));
    ir_remark_add(f->m, "frame", op->where, false, "a value of data alone is computed once");
    f->changed = true;
  }
}

/* Data that operations read which stay.  What stands inside one that moves as a whole does not count. */
static void find_roots(roots *r, ir_block *block) {
  for (ir_op *op = block->first; op; op = op->next) {
    if (op->nres && is_data(r->f, op->res[0])) continue;
    if (ir_is_loop(op)) {
      ir_visit_uses(op, see_root, r);
      find_roots(r, &op->u.loop->body);
    } else {
      ir_visit_region_uses(op, see_root, r);
    }
  }
}

static void classify_all(framer *f) {
  f->n = f->fn->nvals;
  f->data = ARENA_ARRAY(f->m->mem, bool, f->n);
  for (uint32_t k = 0; k < f->fn->nparams; k++) {
    uint8_t role = f->fn->param[k].role;
    f->data[f->fn->param[k].val] = role == IR_ROLE_DATA || role == IR_ROLE_FRAME;
  }
  classify(f, &f->fn->body);
}

bool pass_frame(ir_module *m, ir_fn *fn) {
  if (fn->is_model || frame_is_prepare(fn)) return false;
  framer f = {.m = m, .fn = fn};
  classify_all(&f);
  invert_divisors(&f, &fn->body);
  if (f.changed) classify_all(&f);
  move_sums(&f);
  if (f.changed) pass_dce(m, fn); /* what was taken apart reads data no more */
  grow(&f);
  f.renamed = ir_map_new(m->mem, fn);
  roots r = {&f, ARENA_ARRAY(m->mem, bool, f.n)};
  find_roots(&r, &fn->body);
  for (uint32_t k = 0; k < fn->nret; k++) see_root(&r, &fn->ret[k]);
  for (ir_op *op = fn->body.first; op; op = op->next) {
    uint32_t arrays = 0;
    if (op->nres && op->res[0] < f.n && is_data(&f, op->res[0])) move_value(&f, op, r.root);
    else if (ir_is_loop(op)) move_elements(&f, &op->u.loop->body, r.root, &arrays);
  }
  if (f.changed) ir_rename_all(fn, &f.renamed);
  return f.changed;
}
