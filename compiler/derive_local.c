/* derive_local.c: the part of a log density that one element of a site can change.
 *
 * @density is a sum of terms, most of them sums over plates.  A plate whose body reads the site only at a known place is
 * narrowed to the iterations that read the element asked for:
 *
 *   at [i + c, ...]   affine: the iteration i = j - c, if there is one; several offsets give several iterations
 *   at [k(i), ...]    gather: the iterations in bucket j of the inverse of k, which is computed from data in @prepare
 *   several such      s[edge[e, 1]] * s[edge[e, 2]], s[i % L + 1, j]: places that data and the loop decide, each with an inverse of its
 *                     own over all iterations; an iteration is counted at the first of its places that is the element
 *
 * Terms that do not depend on the site are left out, others are taken whole.  This is done on references, never per element. */
#include "compiler/derive.h"
#include "compiler/frame.h"
#include "compiler/ir_uses.h"

#include <string.h>

enum { MAX_OFFSETS = 8, MAX_PLACES = 8 };

typedef struct term {
  ir_val v;            /* of the density function */
  ir_val scale, guard; /* of the function being made: factors and conditions that do not depend on the site; 0: none */
  bool minus;
} term;

typedef struct localiser {
  ir_module *m;
  const ir_fn *d;      /* the density */
  ir_fn *fn;           /* what is being made */
  ir_fn **prepare;
  const ir_site *site;
  ir_val param;        /* the site's, in d */
  bool *dep, *latent;  /* by value of d: depends on the site; on any latent */
  ir_cloner c;         /* d to fn; top-level values are mapped */
  ir_builder b;
  ir_val index[IR_MAX_RANK];
  term *terms;
  size_t nterms, cap_terms;
} localiser;

/* ---- terms */

/* A real that is whole: a sum of integers is one of reals (of less than 2^53), made an integer behind it. */
static bool is_whole(const localiser *l, ir_val v) {
  const ir_op *op = ir_def_op(l->d, v);
  if (op && op->code == IR_PLATE_OP) {
    const ir_out *out = &op->u.loop->out[ir_value_of(l->d, v)->slot];
    return out->mode == IR_SUM && is_whole(l, out->yield);
  }
  return op && op->code == IR_TO_REAL_OP;
}

static void split(localiser *l, ir_val v, term t) {
  if (!l->dep[v]) return;
  const ir_op *op = ir_def_op(l->d, v);
  term other = t;
  switch (op ? op->code : IR_OP_COUNT) {
  case IR_SUB_OP: other.minus = !t.minus; /* fall through */
  case IR_ADD_OP:
    split(l, op->args[0], t);
    split(l, op->args[1], other);
    return;
  case IR_NEG_OP:
    t.minus = !t.minus;
    split(l, op->args[0], t);
    return;
  case IR_MUL_OP:
    for (int k = 0; k < 2; k++) {
      if (l->dep[op->args[k]]) continue;
      ir_val factor = ir_map_get(&l->c.map, op->args[k]);
      t.scale = t.scale ? ir_op2(&l->b, IR_MUL_OP, t.scale, factor) : factor;
      split(l, op->args[1 - k], t);
      return;
    }
    break;
  case IR_TO_REAL_OP: {
    const ir_op *whole = ir_def_op(l->d, op->args[0]);
    if (!whole || whole->code != IR_TO_INT_OP || !is_whole(l, whole->args[0])) break;
    split(l, whole->args[0], t);
    return;
  }
  case IR_GUARD_OP:
    if (l->dep[op->args[0]]) break;
    ir_val cond = ir_map_get(&l->c.map, op->args[0]);
    t.guard = t.guard ? ir_op2(&l->b, IR_AND_OP, t.guard, cond) : cond;
    split(l, op->args[1], t);
    return;
  default: break;
  }
  t.v = v;
  ARENA_PUSH(l->m->mem, l->terms, l->nterms, l->cap_terms, t);
}

/* ---- how a plate reads the site */

typedef enum place_kind { PLACE_OTHER, PLACE_AFFINE, PLACE_KEY } place_kind;

/* One axis of the site, over all reads. */
typedef struct place {
  place_kind kind;
  uint32_t plate_axis;
  int64_t offset[MAX_OFFSETS];
  uint32_t noffsets;
  ir_val key;
} place;

typedef struct reads {
  localiser *l;
  const ir_op *plate;
  bool *inside; /* values defined in the plate */
  place axis[IR_MAX_RANK];
  uint32_t count;
  bool fail; /* the site is read in a way that says nothing about where */
  ir_axes at[MAX_PLACES]; /* distinct places of elements */
  uint32_t nplaces;
  bool scattered;         /* there are others */
} reads;

/* v is the index of an axis of the plate plus a number. */
static bool affine(const reads *r, ir_val v, uint32_t *axis, int64_t *offset) {
  const ir_fn *d = r->l->d;
  const ir_op *op = ir_def_op(d, v);
  int64_t c;
  *offset = 0;
  if (op && op->code == IR_BOUND_OP) return affine(r, op->args[0], axis, offset);
  if (op && (op->code == IR_ADD_OP || op->code == IR_SUB_OP)) {
    const bool second = ir_is_int(d, op->args[1], &c);
    if (!second && (op->code == IR_SUB_OP || !ir_is_int(d, op->args[0], &c))) return false;
    if (!affine(r, op->args[second ? 0 : 1], axis, offset)) return false;
    return op->code == IR_SUB_OP ? !__builtin_sub_overflow(*offset, c, offset) : !__builtin_add_overflow(*offset, c, offset);
  }
  for (*axis = 0; *axis < r->plate->u.loop->rank; ++*axis)
    if (r->plate->u.loop->index[*axis] == v) return true;
  return false;
}

static void see_place(reads *r, place *p, ir_val v) {
  uint32_t axis;
  int64_t offset;
  bool first = r->count == 0;
  if (v && affine(r, v, &axis, &offset)) {
    if (first) *p = (place){.kind = PLACE_AFFINE, .plate_axis = axis};
    if (p->kind != PLACE_AFFINE || p->plate_axis != axis) {
      p->kind = PLACE_OTHER;
      return;
    }
    for (uint32_t k = 0; k < p->noffsets; k++)
      if (p->offset[k] == offset) return;
    if (p->noffsets == MAX_OFFSETS) p->kind = PLACE_OTHER;
    else p->offset[p->noffsets++] = offset;
  } else if (v && !r->l->latent[v] && ir_def_op(r->l->d, v) && ir_def_op(r->l->d, v)->block == &r->plate->u.loop->body) {
    if (first) *p = (place){.kind = PLACE_KEY, .key = v};
    else if (p->kind != PLACE_KEY || p->key != v) p->kind = PLACE_OTHER;
  } else {
    p->kind = PLACE_OTHER;
  }
}

/* One more place, all of whose axes are known before any latent is. */
static void see_element(reads *r, const ir_axes *axes) {
  bool known = axes->n == r->l->site->type.rank && axes->n > 0;
  for (uint32_t a = 0; a < axes->n && known; a++) {
    ir_val v = axes->at[a];
    const ir_op *op = v ? ir_def_op(r->l->d, v) : NULL;
    known = v && !r->l->latent[v] && (!r->inside[v] || !op || op->block == &r->plate->u.loop->body);
    for (uint32_t k = 0; known && r->inside[v] && !op; k++) { /* an index: of the plate, not of a loop in it */
      known = k < r->plate->u.loop->rank;
      if (known && r->plate->u.loop->index[k] == v) break;
    }
  }
  for (uint32_t k = 0; k < r->nplaces && known; k++)
    if (memcmp(r->at[k].at, axes->at, axes->n * sizeof *axes->at) == 0) return;
  if (known && r->nplaces < MAX_PLACES) r->at[r->nplaces++] = *axes;
  else r->scattered = true;
}

typedef struct foreign {
  const reads *r;
  const ir_op *op;
  bool hit;
} foreign;

/* A use of something outside that depends on the site, other than an element of the site's own array. */
static void see_foreign(void *user, ir_val *use) {
  foreign *f = user;
  if (!*use || f->r->inside[*use] || !f->r->l->dep[*use]) return;
  if (f->op->code == IR_AT_OP && use == &f->op->args[0] && *use == f->r->l->param) return;
  f->hit = true;
}

static void see_read(void *user, ir_op *op) {
  reads *r = user;
  foreign f = {r, op, false};
  ir_visit_uses(op, see_foreign, &f);
  if (f.hit) r->fail = true;
  if (op->code != IR_AT_OP || op->args[0] != r->l->param) return;
  for (uint32_t a = 0; a < op->u.axes.n; a++) see_place(r, &r->axis[a], op->u.axes.at[a]);
  see_element(r, &op->u.axes);
  r->count++;
}

static void mark_inside(void *user, ir_op *op) {
  bool *inside = user;
  for (uint32_t k = 0; k < op->nres; k++) inside[op->res[k]] = true;
  if (op->code != IR_PLATE_OP && op->code != IR_SCAN_OP) return;
  for (uint32_t k = 0; k < op->u.loop->rank; k++) inside[op->u.loop->index[k]] = true;
  for (uint32_t k = 0; k < op->u.loop->nout; k++)
    if (op->u.loop->out[k].state) inside[op->u.loop->out[k].state] = true;
}

static void find_reads(reads *r, ir_op **ops, size_t n) {
  r->inside = ARENA_ARRAY(r->l->m->mem, bool, r->l->d->nvals);
  for (uint32_t k = 0; k < r->plate->u.loop->rank; k++) r->inside[r->plate->u.loop->index[k]] = true;
  ir_visit_ops((ir_block *)&r->plate->u.loop->body, mark_inside, r->inside);
  for (size_t k = 0; k < n; k++) ir_visit_op(ops[k], see_read, r);
}

/* ---- narrowed plates */

typedef struct body {
  localiser *l;
  const ir_op *plate;
  uint32_t out;
  ir_op **ops;
  size_t n;
  /* Positions that are those of the element in the iterations asked for: what is read there is read at the function's own index. */
  struct {
    ir_val v, is; /* of the density; of the function being made */
  } known[IR_MAX_RANK * MAX_OFFSETS];
  size_t nknown;
} body;

static ir_val known_position(const body *x, const ir_op *op) {
  for (size_t k = 0; k < x->nknown; k++)
    if (op->nres == 1 && op->res[0] == x->known[k].v) return x->known[k].is;
  return 0;
}

/* Those of the plate's index plus an offset. */
static void know_affine(body *x, const reads *r, uint32_t plate_axis, int64_t offset, ir_val is) {
  for (size_t k = 0; k < x->n && x->nknown < sizeof x->known / sizeof *x->known; k++) {
    uint32_t axis;
    int64_t o;
    if ((x->ops[k]->code != IR_ADD_OP && x->ops[k]->code != IR_SUB_OP) || !affine(r, x->ops[k]->res[0], &axis, &o)) continue;
    if (axis == plate_axis && o == offset) x->known[x->nknown].v = x->ops[k]->res[0], x->known[x->nknown++].is = is;
  }
}

/* The output's value in iteration at[] (of fn; 0: an axis to run over). */
static ir_val iterate(const body *x, ir_builder *b, const ir_val *at) {
  localiser *l = x->l;
  const ir_loop *from = x->plate->u.loop;
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0, axis[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) {
    if (at[k]) ir_map_set(&l->c.map, from->index[k], at[k]);
    else axis[rank] = k, extent[rank++] = ir_map_get(&l->c.map, from->extent[k]);
  }
  ir_op *loop = rank ? ir_loop_begin(b, IR_PLATE_OP, rank, extent) : NULL;
  ir_builder in = loop ? ir_builder_in(b, &loop->u.loop->body) : *b;
  for (uint32_t k = 0; k < rank; k++) ir_map_set(&l->c.map, from->index[axis[k]], loop->u.loop->index[k]);
  for (size_t k = 0; k < x->n; k++) {
    const ir_val is = known_position(x, x->ops[k]);
    if (is) ir_map_set(&l->c.map, x->ops[k]->res[0], is);
    else ir_clone_op(&l->c, &in, x->ops[k]);
  }
  ir_val v = ir_map_get(&l->c.map, from->out[x->out].yield);
  if (!loop) {
    *b = in;
    return v;
  }
  return ir_loop_out(l->fn, loop, IR_SUM, 0, NULL, v);
}

static ir_val affine_term(body *x, const reads *r, uint32_t site_axis) {
  localiser *l = x->l;
  const ir_loop *from = x->plate->u.loop;
  const place *p = &r->axis[site_axis];
  ir_val total = 0;
  for (uint32_t k = 0; k < p->noffsets; k++) {
    ir_val at[IR_MAX_RANK] = {0}, ok = 0;
    x->nknown = 0;
    ir_builder *b = &l->b;
    for (uint32_t a = 0; a < r->l->site->type.rank; a++) {
      const place *q = &r->axis[a];
      bool main = a == site_axis;
      if (!main && (q->kind != PLACE_AFFINE || q->noffsets != 1 || q->plate_axis == p->plate_axis || at[q->plate_axis] || !l->index[a])) continue;
      int64_t offset = main ? p->offset[k] : q->offset[0];
      uint32_t pa = q->plate_axis;
      ir_val i = offset ? ir_op2(b, IR_SUB_OP, l->index[a], ir_int(b, offset)) : l->index[a];
      at[pa] = i;
      if (offset) know_affine(x, r, pa, offset, l->index[a]);
      if (offset == 0 && ir_size_of(l->d, from->extent[pa]) == l->site->type.dim[a]) continue; /* always inside */
      ir_val low = ir_op2(b, IR_LE_OP, ir_int(b, 0), i), high = ir_op2(b, IR_LT_OP, i, ir_map_get(&l->c.map, from->extent[pa]));
      ir_val both = ir_op2(b, IR_AND_OP, low, high);
      ok = ok ? ir_op2(b, IR_AND_OP, ok, both) : both;
    }
    ir_val v;
    if (ok) {
      ir_op *branch = ir_if_begin(b, ok);
      ir_builder then_ = ir_builder_in(b, &branch->u.branch->then_), else_ = ir_builder_in(b, &branch->u.branch->else_);
      v = iterate(x, &then_, at);
      v = ir_if_out(l->fn, branch, v, ir_real(&else_, 0.0));
    } else {
      v = iterate(x, b, at);
    }
    total = total ? ir_op2(b, IR_ADD_OP, total, v) : v;
  }
  return total;
}

static ir_val gather_term(body *x, const reads *r, uint32_t site_axis) {
  localiser *l = x->l;
  const ir_loop *from = x->plate->u.loop;
  frame f;
  frame_open(&f, l->m, l->d, l->prepare);
  ir_val extent = ir_map_get(&f.c.map, from->extent[0]);
  if (!extent) return 0;
  ir_op *keys = ir_loop_begin(&f.b, IR_PLATE_OP, 1, &extent);
  ir_builder in = ir_builder_in(&f.b, &keys->u.loop->body);
  ir_map_set(&f.c.map, from->index[0], keys->u.loop->index[0]);
  for (size_t k = 0; k < x->n; k++) frame_clone(&f, &in, x->ops[k]);
  ir_val key = ir_map_get(&f.c.map, r->axis[site_axis].key);
  if (!key) return 0; /* the loop, empty, is dead */
  key = ir_loop_out(f.prepare, keys, IR_STACK, 0, NULL, key);
  ir_val buckets = ir_size_val(&f.b, l->site->type.dim[site_axis]);
  ir_val ptr = frame_add(&f, l->fn, ir_inverse(&f.b, IR_INV_PTR_OP, key, buckets));
  ir_val list = frame_add(&f, l->fn, ir_inverse(&f.b, IR_INV_LIST_OP, key, buckets));

  ir_val j = l->index[site_axis];
  ir_val lo = ir_at1(&l->b, ptr, j), hi = ir_at1(&l->b, ptr, ir_op2(&l->b, IR_ADD_OP, j, ir_int(&l->b, 1)));
  ir_val count = ir_op2(&l->b, IR_SUB_OP, hi, lo);
  ir_op *loop = ir_loop_begin(&l->b, IR_PLATE_OP, 1, &count);
  ir_builder each = ir_builder_in(&l->b, &loop->u.loop->body);
  ir_val at[IR_MAX_RANK] = {ir_at1(&each, list, ir_op2(&each, IR_ADD_OP, lo, loop->u.loop->index[0]))};
  x->known[0].v = r->axis[site_axis].key;
  x->known[0].is = j;
  x->nknown = 1;
  ir_val v = iterate(x, &each, at);
  return ir_loop_out(l->fn, loop, IR_SUM, 0, NULL, v);
}

/* Row-major place in the site; 0 if a part of it is not known. */
static ir_val flat_place(localiser *l, ir_builder *b, const ir_axes *axes, const ir_map *map) {
  ir_val flat = 0;
  for (uint32_t a = 0; a < axes->n; a++) {
    ir_val v = map ? ir_map_get(map, axes->at[a]) : axes->at[a];
    if (!v) return 0;
    flat = flat ? ir_op2(b, IR_ADD_OP, ir_op2(b, IR_MUL_OP, flat, ir_size_val(b, l->site->type.dim[a])), v) : v;
  }
  return flat;
}

/* The plate's indices at a row-major place among its iterations. */
static void unflatten(localiser *l, ir_builder *b, const ir_loop *loop, ir_val flat, ir_val *at) {
  for (uint32_t k = loop->rank; k-- > 1;) {
    ir_val n = ir_size_val(b, ir_size_of(l->d, loop->extent[k]));
    at[k] = ir_op2(b, IR_IMOD_OP, flat, n);
    flat = ir_op2(b, IR_IDIV_OP, flat, n);
  }
  at[0] = flat;
}

static ir_val places_term(const body *x, const reads *r) {
  localiser *l = x->l;
  const ir_loop *from = x->plate->u.loop;
  size_table *sizes = l->m->sizes;
  ir_size iterations = size_const(sizes, 1), elements = iterations;
  for (uint32_t k = 0; k < from->rank; k++) {
    ir_size n = ir_size_of(l->d, from->extent[k]);
    if (n == IR_SIZE_NONE) return 0;
    iterations = size_mul(sizes, iterations, n);
  }
  for (uint32_t a = 0; a < l->site->type.rank; a++) elements = size_mul(sizes, elements, l->site->type.dim[a]);
  frame f;
  frame_open(&f, l->m, l->d, l->prepare);
  ir_val all = ir_size_val(&f.b, iterations), at[IR_MAX_RANK] = {0};
  ir_op *keys = ir_loop_begin(&f.b, IR_PLATE_OP, 1, &all);
  ir_builder in = ir_builder_in(&f.b, &keys->u.loop->body);
  unflatten(l, &in, from, keys->u.loop->index[0], at);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&f.c.map, from->index[k], at[k]);
  for (size_t k = 0; k < x->n; k++) frame_clone(&f, &in, x->ops[k]);
  ir_val key[MAX_PLACES];
  for (uint32_t q = 0; q < r->nplaces; q++)
    if (!(key[q] = flat_place(l, &in, &r->at[q], &f.c.map))) return 0; /* the loop, empty, is dead */
  for (uint32_t q = 0; q < r->nplaces; q++) key[q] = ir_loop_out(f.prepare, keys, IR_STACK, 0, NULL, key[q]);
  ir_val buckets = ir_size_val(&f.b, elements), list[MAX_PLACES], ptr[MAX_PLACES];
  for (uint32_t q = 0; q < r->nplaces; q++) {
    ptr[q] = frame_add(&f, l->fn, ir_inverse(&f.b, IR_INV_PTR_OP, key[q], buckets));
    list[q] = frame_add(&f, l->fn, ir_inverse(&f.b, IR_INV_LIST_OP, key[q], buckets));
  }
  for (uint32_t q = 0; q + 1 < r->nplaces; q++) key[q] = frame_add(&f, l->fn, key[q]);

  ir_axes here = {.n = l->site->type.rank};
  memcpy(here.at, l->index, here.n * sizeof *here.at);
  ir_val j = flat_place(l, &l->b, &here, NULL), total = 0;
  for (uint32_t q = 0; q < r->nplaces; q++) {
    ir_val lo = ir_at1(&l->b, ptr[q], j), hi = ir_at1(&l->b, ptr[q], ir_op2(&l->b, IR_ADD_OP, j, ir_int(&l->b, 1)));
    ir_val count = ir_op2(&l->b, IR_SUB_OP, hi, lo);
    ir_op *loop = ir_loop_begin(&l->b, IR_PLATE_OP, 1, &count);
    ir_builder each = ir_builder_in(&l->b, &loop->u.loop->body);
    ir_val p = ir_at1(&each, list[q], ir_op2(&each, IR_ADD_OP, lo, loop->u.loop->index[0])), once = 0;
    for (uint32_t k = 0; k < q; k++) {
      ir_val other = ir_op2(&each, IR_NE_OP, ir_at1(&each, key[k], p), j);
      once = once ? ir_op2(&each, IR_AND_OP, once, other) : other;
    }
    unflatten(l, &each, from, p, at);
    ir_val v = iterate(x, &each, at);
    if (once) v = ir_op3(&each, IR_SELECT_OP, once, v, ir_real(&each, 0.0));
    v = ir_loop_out(l->fn, loop, IR_SUM, 0, NULL, v);
    total = total ? ir_op2(&l->b, IR_ADD_OP, total, v) : v;
  }
  return total;
}

/* The term narrowed to the element, or 0. */
static ir_val narrow(localiser *l, ir_val v) {
  const ir_op *op = ir_def_op(l->d, v);
  if (!op || op->code != IR_PLATE_OP || op->block != &l->d->body) return 0;
  uint32_t out = ir_value_of(l->d, v)->slot;
  if (op->u.loop->out[out].mode != IR_SUM || ir_type_of(l->d, v).rank) return 0;
  for (uint32_t k = 0; k < op->u.loop->rank; k++)
    if (l->dep[op->u.loop->extent[k]]) return 0;
  body x = {.l = l, .plate = op, .out = out};
  x.ops = ir_needed(l->d, &op->u.loop->body, op->u.loop->out[out].yield, l->m->mem, &x.n);
  reads r = {.l = l, .plate = op};
  find_reads(&r, x.ops, x.n);
  if (r.fail || r.count == 0) return 0;
  /* The axis along which most neighbours are read: the others are then fixed by the element where they can be. */
  uint32_t main = IR_MAX_RANK;
  for (uint32_t a = 0; a < l->site->type.rank; a++)
    if (l->index[a] && r.axis[a].kind == PLACE_AFFINE && (main == IR_MAX_RANK || r.axis[a].noffsets > r.axis[main].noffsets)) main = a;
  if (main < IR_MAX_RANK) return affine_term(&x, &r, main);
  for (uint32_t a = 0; a < l->site->type.rank && op->u.loop->rank == 1; a++)
    if (l->index[a] && r.axis[a].kind == PLACE_KEY) return gather_term(&x, &r, a);
  return r.scattered || l->site->event_rank ? 0 : places_term(&x, &r);
}

/* v is computed from the site through a loop over the model. */
static bool through_loop(const localiser *l, ir_val v, int depth) {
  const ir_op *op = ir_def_op(l->d, v);
  if (!op || !l->dep[v]) return false;
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP || op->code == IR_IF_OP || depth == 0) return true;
  for (uint32_t k = 0; k < op->nargs; k++)
    if (through_loop(l, op->args[k], depth - 1)) return true;
  return false;
}

/* The sum of the terms listed so far, which are then forgotten. */
static ir_val total_of(localiser *l, bool *local) {
  ir_val total = 0;
  for (size_t k = 0; k < l->nterms; k++) {
    const term *t = &l->terms[k];
    ir_val v = narrow(l, t->v);
    if (!v) {
      if (through_loop(l, t->v, 12)) *local = false;
      v = ir_map_get(&l->c.map, t->v);
    }
    if (t->scale) v = ir_op2(&l->b, IR_MUL_OP, v, t->scale);
    if (t->guard) v = ir_op2(&l->b, IR_GUARD_OP, t->guard, v);
    if (t->minus) v = ir_op1(&l->b, IR_NEG_OP, v);
    total = total ? ir_op2(&l->b, IR_ADD_OP, total, v) : v;
  }
  l->nterms = 0;
  return total ? total : ir_real(&l->b, 0.0);
}

ir_fn *derive_local(ir_module *m, const ir_fn *density, ir_fn **prepare, const ir_site *site, bool together, bool *local) {
  localiser l = {.m = m, .d = density, .prepare = prepare, .site = site};
  l.fn = ir_fn_new(m, arena_printf(m->mem, "local.%s", site->name), false);
  l.dep = ARENA_ARRAY(m->mem, bool, density->nvals);
  l.latent = ARENA_ARRAY(m->mem, bool, density->nvals);
  l.c = (ir_cloner){.from = density, .map = ir_map_new(m->mem, density)};
  for (uint32_t k = 0; k < density->nparams; k++) {
    const ir_param *p = &density->param[k];
    ir_map_set(&l.c.map, p->val, ir_param_add(l.fn, (ir_role)p->role, p->name, ir_type_of(density, p->val)));
    l.latent[p->val] = p->role == IR_ROLE_LATENT;
    if (p->role == IR_ROLE_LATENT && strcmp(p->name, site->name) == 0) l.param = p->val;
  }
  static const char *const names[] = {"i", "j", "k", "l", "m", "n"};
  for (int k = 0; k < site->type.rank - site->event_rank; k++)
    l.index[k] = ir_param_add(l.fn, IR_ROLE_INDEX, names[k], ir_scalar(IR_INT));
  l.dep[l.param] = true;
  ir_spread(l.dep, density);
  ir_spread(l.latent, density);

  l.b = ir_builder_at_end(l.fn, &l.fn->body);
  ir_clone_block(&l.c, &l.b, &density->body);
  *local = true;
  uint32_t n = 0;
  ir_val total[IR_MAX_RANK] = {0};
  for (uint32_t k = 0; k < density->nret; k++) {
    split(&l, density->ret[k], (term){0});
    if (!together || k + 1 == density->nret) total[n++] = total_of(&l, local);
  }
  ir_return(l.fn, n, total);
  return l.fn;
}
