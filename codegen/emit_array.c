/* emit_array.c: reading and placing arrays.
 *
 * In memory an array is dense and row-major; a slice of it is a view, which becomes an array of its own only where somebody needs
 * one.  Small arrays of unrolled bodies are cells: an SSA value for each element, and a position that is not known while
 * compiling chooses among them. */
#include "codegen/emit_internal.h"

/* Cells from one index of axis k to the next in a dense array. */
static LV dense_stride(E *e, ir_type t, int k) {
  LV s = cg_int(e, 1);
  for (int j = t.rank - 1; j > k; j--) s = cg_mul(e, s, cg_size(e, t.dim[j]));
  return s;
}
static LV stride_of(E *e, const cg_value *x, ir_type t, int k) { return x->stride ? x->stride[k] : dense_stride(e, t, k); }

int64_t cg_known_cells(E *e, ir_type t) {
  int64_t n = 1, d;
  for (int k = 0; k < t.rank; k++)
    if (!size_value(e->m->sizes, t.dim[k], &d) || d < 0 || __builtin_mul_overflow(n, d, &n)) return -1;
  return n;
}

static bool is_list(E *e, const ir_axes *axes, uint32_t k) { return axes->at[k] && ir_type_of(e->fn, axes->at[k]).rank > 0; }

LV cg_flat(E *e, ir_type t, const ir_axes *axes) {
  LV at = cg_int(e, 0);
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && !is_list(e, axes, k)) at = cg_add(e, at, cg_mul(e, cg_val(e, axes->at[k]), dense_stride(e, t, (int)k)));
  return at;
}

/* Loops over the axes that `axes` leaves free, of all where it is NULL; `at` is the offset by the strides of x, `element` the number
 * of the element in the slice. */
typedef struct walk {
  cg_for loop[IR_MAX_RANK];
  int n;
  LV at, element;
} walk;

static walk walk_begin(E *e, const cg_value *x, ir_type t, const ir_axes *axes, LV at) {
  walk w = {.at = at, .element = cg_int(e, 0)};
  for (uint32_t k = 0; k < t.rank; k++) {
    if (axes && axes->at[k]) continue;
    LV n = cg_size(e, t.dim[k]);
    cg_for *f = &w.loop[w.n++];
    *f = cg_for_begin(e, n);
    w.at = cg_add(e, w.at, cg_mul(e, f->index, stride_of(e, x, t, (int)k)));
    w.element = cg_add(e, cg_mul(e, w.element, n), f->index);
  }
  return w;
}
static void walk_end(E *e, walk *w) {
  while (w->n > 0) cg_for_end(e, &w->loop[--w->n]);
}

/* ---- a value in the form that is wanted */

void cg_copy_value(E *e, LV d, ir_type t, const cg_value *x) {
  if (x->cell) {
    int64_t n = cg_known_cells(e, t);
    for (int64_t c = 0; c < n; c++) cg_store(e, t.elem, x->cell[c], cg_gep(e, d, cg_int(e, c)));
  } else if (x->stride) {
    walk w = walk_begin(e, x, t, NULL, cg_int(e, 0));
    cg_store(e, IR_INT, cg_load(e, IR_INT, cg_gep(e, x->v, w.at)), cg_gep(e, d, w.element));
    walk_end(e, &w);
  } else {
    cg_copy_cells(e, d, x->v, cg_cells(e, t));
  }
}

LV cg_address(E *e, ir_val v) {
  const cg_value *x = &e->v[v];
  if (!x->cell && !x->stride) return cg_val(e, v);
  ir_type t = ir_type_of(e->fn, v);
  LV d = cg_temp(e, t);
  cg_copy_value(e, d, t, x);
  return d;
}

LV *cg_cells_of(E *e, ir_val v) {
  const cg_value *x = &e->v[v];
  ir_type t = ir_type_of(e->fn, v);
  if (x->cell) return x->cell;
  int64_t n = cg_known_cells(e, t);
  LV *c = ARENA_ARRAY(e->mem, LV, (size_t)n + 1);
  if (t.rank == 0) {
    c[0] = cg_val(e, v);
    return c;
  }
  for (int64_t k = 0; k < n; k++) {
    LV at = cg_int(e, x->stride ? 0 : k);
    int64_t rest = k, d;
    for (int a = t.rank - 1; a >= 0 && x->stride; a--, rest /= d) {
      size_value(e->m->sizes, t.dim[a], &d);
      at = cg_add(e, at, cg_mul(e, cg_int(e, rest % d), x->stride[a]));
    }
    c[k] = cg_load(e, t.elem, cg_gep(e, cg_val(e, v), at));
  }
  return c;
}

/* ---- reading */

/* Offset, in a dense array of known shape, of an element of the slice at axes, by the free axes alone. */
int64_t cg_slice_offset(E *e, ir_type t, const ir_axes *axes, int64_t element) {
  int64_t at = 0, step = 1, d;
  for (int k = t.rank - 1; k >= 0; k--) {
    size_value(e->m->sizes, t.dim[k], &d);
    if (!axes->at[k]) at += element % d * step, element /= d;
    step *= d;
  }
  return at;
}

/* The same of an array of any shape, of which the free axes are known. */
LV cg_slice_at(E *e, ir_type t, const ir_axes *axes, int64_t element) {
  LV at = cg_int(e, 0);
  int64_t d;
  for (int k = t.rank - 1; k >= 0; k--) {
    if (axes->at[k] || !size_value(e->m->sizes, t.dim[k], &d)) continue;
    if (element % d) at = cg_add(e, at, cg_mul(e, cg_int(e, element % d), dense_stride(e, t, k)));
    element /= d;
  }
  return at;
}

/* cell[at + offset]. */
static LV choose(E *e, LV *cell, int64_t n, LV at, int64_t offset) {
  int64_t k;
  if (cg_const(at, &k)) return cell[k + offset >= 0 && k + offset < n ? k + offset : 0]; /* out of range: behind a check that failed */
  LV x = cell[offset < n ? offset : 0];
  for (int64_t c = offset + 1; c < n; c++)
    x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, at, cg_int(e, c - offset), ""), cell[c], x, "");
  return x;
}

void cg_at(E *e, const ir_op *op) {
  ir_val res = op->res[0], a = op->args[0];
  ir_type t = ir_type_of(e->fn, a), r = ir_type_of(e->fn, res);
  const ir_axes *axes = &op->u.axes;
  const cg_value *x = &e->v[a];
  cg_value *to = &e->v[res];
  to->cell = to->stride = NULL;
  to->root = x->root;
  LV last = cg_last_placed(e, a, axes);
  if (last) {
    to->v = last;
    return;
  }
  if (x->cell) {
    LV at = cg_flat(e, t, axes);
    int64_t n = cg_known_cells(e, t), m = cg_known_cells(e, r);
    LV *c = ARENA_ARRAY(e->mem, LV, (size_t)m + 1);
    for (int64_t k = 0; k < m; k++) c[k] = choose(e, x->cell, n, at, cg_slice_offset(e, t, axes, k));
    if (r.rank == 0) to->v = c[0];
    else to->cell = c;
    return;
  }
  LV at = cg_int(e, 0), *stride = ARENA_ARRAY(e->mem, LV, IR_MAX_RANK);
  bool dense = !x->stride, free = false;
  for (uint32_t k = 0, j = 0; k < axes->n; k++) {
    if (axes->at[k]) {
      at = cg_add(e, at, cg_mul(e, cg_val(e, axes->at[k]), stride_of(e, x, t, (int)k)));
      if (free) dense = false;
    } else {
      free = true;
      stride[j++] = stride_of(e, x, t, (int)k);
    }
  }
  LV place = cg_gep(e, cg_val(e, a), at);
  if (r.rank == 0) {
    to->v = cg_load(e, r.elem, place);
    return;
  }
  to->v = place;
  if (!dense) to->stride = stride;
}

/* ---- placing */

LV *cg_cells_put(E *e, ir_type t, LV *old, const ir_axes *axes, const LV *y, cg_place_mode mode) {
  int64_t n = cg_known_cells(e, t), m = 1, d, at;
  for (int k = 0; k < t.rank; k++)
    if (!axes->at[k] && size_value(e->m->sizes, t.dim[k], &d)) m *= d;
  LV *cell = ARENA_ARRAY(e->mem, LV, (size_t)n + 1), flat = cg_flat(e, t, axes);
  for (int64_t c = 0; c < n; c++) cell[c] = old[c];
  for (int64_t k = 0; k < m; k++) {
    int64_t offset = cg_slice_offset(e, t, axes, k);
    for (int64_t c = offset; c < n; c++) {
      if (cg_const(flat, &at) && at + offset != c) continue;
      LV x = y[k];
      if (mode == CG_ADD) x = t.elem == IR_REAL ? LLVMBuildFAdd(e->b, old[c], x, "") : cg_add(e, old[c], x);
      if (!LLVMIsConstant(flat)) x = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, flat, cg_int(e, c - offset), ""), x, cell[c], "");
      cell[c] = x;
    }
  }
  return cell;
}

static void put_one(E *e, int elem, LV to, LV x, cg_place_mode mode) {
  if (mode == CG_ADD) {
    LV old = cg_load(e, elem, to);
    x = elem == IR_REAL ? LLVMBuildFAdd(e->b, old, x, "") : LLVMBuildAdd(e->b, old, x, "");
  }
  cg_store(e, elem, x, to);
}

/* Elements of y from `yfirst` on, or its cells, at the free axes. */
static void place_slice(E *e, ir_type t, LV base, const ir_axes *axes, LV at, ir_type yt, const cg_value *y, LV yfirst, cg_place_mode mode) {
  static const cg_value dense = {NULL};
  if (y->cell) {
    int64_t n = cg_known_cells(e, yt);
    for (int64_t c = 0; c < n; c++)
      put_one(e, t.elem, cg_gep(e, base, cg_add(e, at, cg_slice_at(e, t, axes, c))), y->cell[c], mode);
    return;
  }
  walk w = walk_begin(e, &dense, t, axes, at);
  LV from = cg_gep(e, y->v, yfirst ? cg_add(e, yfirst, w.element) : w.element);
  int elem = t.elem == IR_REAL ? IR_REAL : IR_INT;
  put_one(e, elem, cg_gep(e, base, w.at), cg_load(e, elem, from), mode);
  walk_end(e, &w);
}

static cg_value in_memory(E *e, ir_type t, const cg_value *x, bool cells_too) {
  if (!x->stride && !(x->cell && cells_too)) return *x;
  cg_value y = {.v = cg_temp(e, t)};
  cg_copy_value(e, y.v, t, x);
  return y;
}

void cg_place(E *e, ir_type t, LV base, const ir_axes *axes, ir_type yt, const cg_value *given, cg_place_mode mode) {
  LV at = cg_flat(e, t, axes);
  int list = -1;
  bool whole = true;
  LV slice = cg_int(e, 1);
  for (uint32_t k = 0; k < axes->n; k++) {
    if (is_list(e, axes, k)) list = (int)k;
    if (!axes->at[k]) whole = false;
  }
  if (list < 0 && yt.rank == 0) {
    put_one(e, t.elem, cg_gep(e, base, at), given->v, mode);
    return;
  }
  cg_value y = in_memory(e, yt, given, list >= 0);
  if (list < 0) {
    place_slice(e, t, base, axes, at, yt, &y, NULL, mode);
    return;
  }
  /* One contribution for each element of the lists, in order. */
  for (uint32_t k = 0; k < axes->n; k++) if (!axes->at[k]) slice = cg_mul(e, slice, cg_size(e, t.dim[k]));
  LV lists[IR_MAX_RANK] = {NULL};
  for (uint32_t k = 0; k < axes->n; k++) if (is_list(e, axes, k)) lists[k] = cg_address(e, axes->at[k]);
  cg_for f = cg_for_begin(e, cg_cells(e, ir_type_of(e->fn, axes->at[list])));
  for (uint32_t k = 0; k < axes->n; k++) {
    if (!lists[k]) continue;
    LV i = cg_load(e, IR_INT, cg_gep(e, lists[k], f.index));
    at = cg_add(e, at, cg_mul(e, i, dense_stride(e, t, (int)k)));
  }
  if (whole) {
    int elem = t.elem == IR_REAL ? IR_REAL : IR_INT;
    put_one(e, elem, cg_gep(e, base, at), cg_load(e, elem, cg_gep(e, y.v, f.index)), mode);
  } else {
    place_slice(e, t, base, axes, at, yt, &y, cg_mul(e, f.index, slice), mode);
  }
  cg_for_end(e, &f);
}

/* op may build in the memory of v: nothing else names v, and v was made in the same block. */
bool cg_takes(E *e, const ir_op *op, ir_val v) {
  const ir_op *def = ir_def_op(e->fn, v);
  return def && def->block == op->block && e->v[v].uses == 1 && def->code != IR_AT_OP && !e->v[v].cell && !e->v[v].stride;
}

void cg_put(E *e, const ir_op *op) {
  ir_val r = op->res[0], a = op->args[0], x = op->args[1];
  ir_type t = ir_type_of(e->fn, r), yt = ir_type_of(e->fn, x);
  cg_value *to = &e->v[r];
  if (e->unrolled || e->in_cells[r]) {
    to->root = 0;
    to->stride = NULL;
    to->cell = cg_cells_put(e, t, cg_cells_of(e, a), &op->u.axes, cg_cells_of(e, x), CG_STORE);
    return;
  }
  if (cg_takes(e, op, a)) {
    *to = (cg_value){.v = e->v[a].v, .home = e->v[a].home, .root = r, .uses = to->uses, .out = to->out};
  } else {
    cg_memory(e, r);
    cg_copy_value(e, to->v, t, &e->v[a]);
  }
  cg_place(e, t, to->v, &op->u.axes, yt, &e->v[x], CG_STORE);
}

void cg_new(E *e, const ir_op *op) {
  ir_val r = op->res[0];
  ir_type t = ir_type_of(e->fn, r);
  if (!e->unrolled && !e->in_cells[r]) {
    cg_service(e, CG_HOST_fill, 3, (LV[]){cg_memory(e, r), cg_int(e, 0), cg_cells(e, t)});
    return;
  }
  int64_t n = cg_known_cells(e, t);
  LV zero = t.elem == IR_REAL ? LLVMConstReal(e->f64, 0.0) : LLVMConstInt(t.elem == IR_BOOL ? e->i1 : e->i64, 0, 0);
  e->v[r].cell = ARENA_ARRAY(e->mem, LV, (size_t)n + 1);
  e->v[r].stride = NULL;
  e->v[r].root = 0;
  for (int64_t c = 0; c < n; c++) e->v[r].cell[c] = zero;
}
