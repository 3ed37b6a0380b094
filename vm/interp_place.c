/* interp_place.c: memory and operands of the compiled program: cells, slots, arrays by first fit, positions and slices. */
#include "vm/interp_compile.h"

#include <string.h>

void interp_refuse(icomp *c, const char *why) {
  c->refused = why;
  longjmp(*c->tmp->oom, 1);
}

/* ---- instructions, cells, slots */

interp_ins *interp_put(icomp *c, int op, uint32_t d, uint32_t a, uint32_t b) {
  interp_ins in = {.op = (uint16_t)op, .d = d, .a = a, .b = b};
  if (c->ncode >= UINT32_MAX / 2) interp_refuse(c, "the function is too long");
  ARENA_PUSH(c->tmp, c->code, c->ncode, c->cap_code, in);
  ARENA_PUSH(c->tmp, c->where, c->nwhere, c->cap_where, c->at);
  return &c->code[c->ncode - 1];
}

uint32_t interp_cells(icomp *c, uint32_t n) {
  uint32_t at = c->ncells;
  if (at > UINT32_MAX / 2) interp_refuse(c, "the function has too many values");
  c->ncells += n;
  return at;
}
uint32_t interp_cell(icomp *c) { return interp_cells(c, 1); }

uint32_t interp_slot_new(icomp *c, int kind, int64_t at) {
  interp_slot s = {.kind = (uint8_t)kind, .at = at};
  ARENA_PUSH(c->tmp, c->slot, c->nslot, c->cap_slot, s);
  return (uint32_t)(c->nslot - 1);
}

/* Equal constants share a cell when they are near each other, which is where equal constants are. */
static uint32_t constant(icomp *c, cell x) {
  for (size_t k = c->nconst; k > 0 && k + 64 > c->nconst; k--) {
    const interp_const *q = &c->constant[k - 1];
    if (!q->from && q->value.integer == x.integer) return q->at;
  }
  interp_const q = {.at = interp_cell(c), .value = x};
  ARENA_PUSH(c->tmp, c->constant, c->nconst, c->cap_const, q);
  return q.at;
}
uint32_t interp_int(icomp *c, int64_t k) { return constant(c, (cell){.integer = k}); }
uint32_t interp_real(icomp *c, double x) { return constant(c, (cell){.real = x}); }

const void *interp_keep(icomp *c, const void *p, size_t size) {
  return memcpy(arena_alloc(&c->program->mem, 1, size), p, size);
}

/* ---- array memory: first fit over gaps in order of place */

int64_t interp_mul(icomp *c, int64_t a, int64_t b) {
  int64_t r;
  if (__builtin_mul_overflow(a, b, &r) || r > INT64_MAX / 64) interp_refuse(c, "an array is too large");
  return r;
}

static int64_t rounded(int64_t cells) { return (cells + 7) / 8 * 8 + (cells <= 0 ? 8 : 0); }

int64_t interp_mem_get(icomp *c, int64_t cells) {
  if (cells > INT64_MAX / 64) interp_refuse(c, "an array is too large");
  int64_t n = rounded(cells);
  for (size_t k = 0; k < c->ngap; k++) {
    struct memory_gap *g = &c->gap[k];
    if (g->size < n) continue;
    int64_t off = g->off;
    g->off += n;
    g->size -= n;
    if (!g->size) memmove(g, g + 1, (--c->ngap - k) * sizeof *g);
    return off;
  }
  int64_t off = c->work;
  c->work += n;
  if (c->work > INT64_MAX / 64 || (c->program->memory && (uint64_t)c->work > c->program->memory / sizeof(cell)))
    interp_refuse(c, "the arrays of the program do not fit in the memory limit");
  return off;
}

void interp_mem_put(icomp *c, int64_t off, int64_t cells) {
  struct memory_gap g = {off, rounded(cells)};
  size_t k = 0;
  while (k < c->ngap && c->gap[k].off < off) k++;
  if (k > 0 && c->gap[k - 1].off + c->gap[k - 1].size == off) {
    c->gap[k - 1].size += g.size;
    if (k < c->ngap && c->gap[k - 1].off + c->gap[k - 1].size == c->gap[k].off) {
      c->gap[k - 1].size += c->gap[k].size;
      memmove(&c->gap[k], &c->gap[k + 1], (--c->ngap - k) * sizeof g);
    }
    return;
  }
  if (k < c->ngap && off + g.size == c->gap[k].off) {
    c->gap[k].off = off;
    c->gap[k].size += g.size;
    return;
  }
  ARENA_PUSH(c->tmp, c->gap, c->ngap, c->cap_gap, g);
  memmove(&c->gap[k + 1], &c->gap[k], (c->ngap - 1 - k) * sizeof g);
  c->gap[k] = g;
}

uint32_t interp_temp(icomp *c, int64_t cells) {
  struct memory_gap t = {interp_mem_get(c, cells), cells};
  ARENA_PUSH(c->tmp, c->temp, c->ntemp, c->cap_temp, t);
  return interp_slot_new(c, P_WORK, t.off);
}

void interp_temps_free(icomp *c, size_t mark) {
  while (c->ntemp > mark) c->ntemp--, interp_mem_put(c, c->temp[c->ntemp].off, c->temp[c->ntemp].size);
}

void interp_die(icomp *c, uint32_t number) {
  for (ir_val v = c->dying[number]; v; v = c->v[v].next_dying)
    if (c->v[v].own) c->v[v].own = false, interp_mem_put(c, c->v[v].off, c->v[v].size);
}

/* ---- values */

int64_t interp_dims(const icomp *c, ir_type t, int64_t *dim) {
  int64_t n = 1;
  for (uint32_t k = 0; k < t.rank; k++) {
    dim[k] = size_eval(c->fn->module->sizes, t.dim[k]);
    if (dim[k] < 0) interp_refuse((icomp *)(uintptr_t)c, "an array has an extent that is unbound or negative");
    n = interp_mul((icomp *)(uintptr_t)c, n, dim[k]);
  }
  return n;
}

bool interp_varies(const icomp *c, ir_val v) { return c->lane.on && v && c->v[v].vary; }

void interp_make(icomp *c, ir_val v, bool vary) {
  ival *x = &c->v[v];
  bool array = ir_type_of(c->fn, v).rank > 0;
  x->root = v;
  x->own = false;
  x->as_slot = 0;
  x->kind = array ? vary ? K_LANES : K_ARR : vary ? K_COL : K_CELL;
  if (x->kind == K_CELL) {
    x->at = interp_cell(c);
    return;
  }
  if (x->hint) {
    x->at = x->hint;
    return;
  }
  x->size = vary ? interp_mul(c, x->cells, c->lane.block) : x->cells;
  x->off = interp_mem_get(c, x->size);
  x->own = true;
  x->at = interp_slot_new(c, P_WORK, x->off);
}

bool interp_takes(const icomp *c, ir_val v, uint32_t number, bool lanes) {
  const ival *x = &c->v[v];
  if (x->kind != (lanes ? K_LANES : K_ARR) || x->last != number || x->last_uses != 1) return false;
  if (x->own) return true;
  const ir_value *def = &c->fn->val[v];
  return def->def == IR_DEF_STATE && x->depth == c->depth && def->op->u.loop->out[def->slot].mode == IR_CARRY;
}

ir_val interp_root(const icomp *c, ir_val v) {
  while (c->v[v].kind == K_SLICE) v = c->v[v].of;
  return c->v[v].root;
}

/* ---- operands */

uint32_t interp_as_cell(icomp *c, const ival *v) {
  if (v->kind != K_CELL) interp_refuse(c, "internal: a scalar was expected");
  return v->at;
}

uint32_t interp_cell_slot(icomp *c, ival *v) {
  if (!v->as_slot) v->as_slot = interp_slot_new(c, P_CELL, v->at);
  return v->as_slot;
}

lane_operand interp_as_lane(icomp *c, const ival *v) {
  if (v->kind == K_CELL) return (lane_operand){interp_cell_slot(c, (ival *)(uintptr_t)v), 0};
  if (v->kind != K_COL || !v->at) interp_refuse(c, "internal: a column was expected");
  return (lane_operand){v->at, 1};
}

static void slice_to(icomp *c, const ival *v, uint32_t slot, bool vary);

array_operand interp_as_array(icomp *c, const ival *v) {
  switch (v->kind) {
    case K_ARR: return (array_operand){v->at, 1, 0};
    case K_LANES: return (array_operand){v->at, c->lane.block, 1};
    case K_SLICE: {
      bool vary = c->lane.on && v->vary;
      uint32_t slot = interp_temp(c, vary ? interp_mul(c, v->cells, c->lane.block) : v->cells);
      slice_to(c, v, slot, vary);
      return vary ? (array_operand){slot, c->lane.block, 1} : (array_operand){slot, 1, 0};
    }
    case K_CELL: return (array_operand){interp_cell_slot(c, (ival *)(uintptr_t)v), 1, 0};
    default: return (array_operand){interp_as_lane(c, v).slot, c->lane.block, 1};
  }
}

/* Gives `to`, whose place is made, the value of `from`. */
void interp_copy(icomp *c, const ival *to, const ival *from) {
  switch (to->kind) {
    case K_CELL:
      if (to->at != from->at) interp_put(c, I_MOV, to->at, interp_as_cell(c, from), 0);
      return;
    case K_COL: {
      lane_operand a = interp_as_lane(c, from);
      if (a.slot != to->at) interp_put(c, I_V_MOV, to->at, a.slot, 0)->s = (uint8_t)a.stride;
      return;
    }
    case K_ARR: {
      array_operand a = interp_as_array(c, from);
      if (a.slot != to->at) interp_put(c, I_COPY, to->at, a.slot, 0)->u.i = to->cells;
      return;
    }
    default: {
      array_operand a = interp_as_array(c, from);
      if (a.slot == to->at) return;
      if (to->cells > UINT32_MAX) interp_refuse(c, "an array of a plate's iteration is too large");
      interp_ins *in = interp_put(c, I_V_ROWS, to->at, a.slot, interp_int(c, a.rs));
      in->x = (uint32_t)to->cells;
      in->u.i = c->lane.block;
      in->s = a.ls != 0;
      return;
    }
  }
}

/* ---- positions */

ir_val interp_resolve(const icomp *c, ir_val array, const ir_axes *axes, ir_axes *out) {
  *out = *axes;
  while (c->v[array].kind == K_SLICE) {
    ir_axes whole = c->v[array].axes;
    for (uint32_t k = 0, j = 0; k < whole.n; k++) if (!whole.at[k]) whole.at[k] = out->at[j++];
    *out = whole;
    array = c->v[array].of;
  }
  return array;
}

int interp_varying(const icomp *c, const ir_axes *axes, uint32_t *axis) {
  int n = 0;
  for (uint32_t k = 0; k < axes->n; k++)
    if (interp_varies(c, axes->at[k])) n++, *axis = k;
  return n;
}

bool interp_trailing(const ir_axes *axes) {
  for (uint32_t k = 1; k < axes->n; k++) if (!axes->at[k - 1] && axes->at[k]) return false;
  return true;
}

index_operand interp_index(icomp *c, ir_val v, bool first) {
  const ival *x = &c->v[v];
  if (x->known) return (index_operand){.known = true, .k = x->k};
  if (x->kind == K_CELL) return (index_operand){.at = x->at};
  if (x->kind == K_COL && first && x->first) return (index_operand){.at = x->first};
  return (index_operand){.column = true, .at = interp_as_lane(c, x).slot};
}

uint32_t interp_index_cell(icomp *c, index_operand i) { return i.known ? interp_int(c, i.k) : i.at; }

lane_operand interp_index_lane(icomp *c, index_operand i) {
  if (i.column) return (lane_operand){i.at, 1};
  return (lane_operand){interp_slot_new(c, P_CELL, interp_index_cell(c, i)), 0};
}

/* a * m + b */
static index_operand index_step(icomp *c, index_operand a, int64_t m, index_operand b) {
  if (a.known && b.known) {
    int64_t t, r;
    if (!__builtin_mul_overflow(a.k, m, &t) && !__builtin_add_overflow(t, b.k, &r)) return (index_operand){.known = true, .k = r};
  }
  if (a.known && (a.k == 0 || m == 0)) return b;
  if (m == 1 && b.known && b.k == 0) return a;
  interp_ins *in;
  index_operand r = {.column = a.column || b.column};
  if (r.column) {
    lane_operand x = interp_index_lane(c, a), y = interp_index_lane(c, b);
    r.at = interp_temp(c, c->lane.block);
    in = interp_put(c, I_V_IMADD, r.at, x.slot, y.slot);
    in->s = (uint8_t)(x.stride | y.stride << 1);
  } else {
    uint32_t x = interp_index_cell(c, a), y = interp_index_cell(c, b);
    r.at = interp_cell(c);
    in = interp_put(c, I_IMADD, r.at, x, y);
  }
  in->u.i = m;
  return r;
}

index_operand interp_flat(icomp *c, const int64_t *dim, const ir_axes *axes, bool first) {
  index_operand r = {.known = true};
  for (uint32_t k = 0; k < axes->n; k++) {
    index_operand e = {.known = true};
    if (axes->at[k]) e = interp_index(c, axes->at[k], first);
    r = index_step(c, r, dim[k], e);
  }
  return r;
}

interp_shape interp_free_axes(const icomp *c, const int64_t *dim, const ir_axes *axes) {
  (void)c;
  interp_shape s = {.count = 1};
  int64_t stride[IR_MAX_RANK], n = 1;
  for (uint32_t k = axes->n; k-- > 0; n *= dim[k]) stride[k] = n;
  for (uint32_t k = 0; k < axes->n; k++) {
    if (axes->at[k]) continue;
    s.size[s.n] = dim[k];
    s.stride[s.n++] = stride[k];
    s.count *= dim[k];
  }
  return s;
}

/* Elements (all of `axes` free: the slice's) of the array `base` into p[slot]. */
static void gather_slice(icomp *c, ir_val base, const ir_axes *axes, uint32_t slot, bool vary) {
  int64_t dim[IR_MAX_RANK];
  interp_dims(c, ir_type_of(c->fn, base), dim);
  index_operand at = interp_flat(c, dim, axes, false);
  interp_shape shape = interp_free_axes(c, dim, axes);
  array_operand a = interp_as_array(c, &c->v[base]);
  if (!vary) {
    uint32_t from = interp_index_cell(c, at);
    interp_put(c, I_SLICE, slot, a.slot, from)->u.shape = interp_keep(c, &shape, sizeof shape);
    return;
  }
  lane_operand from = interp_index_lane(c, at);
  interp_place p = {.shape = shape, .rs = a.rs, .ls = a.ls, .vrs = c->lane.block, .vls = 1};
  interp_ins *in = interp_put(c, I_V_SLICE, slot, a.slot, from.slot);
  in->s = (uint8_t)(from.stride << 1);
  in->u.shape = interp_keep(c, &p, sizeof p);
}

static void slice_to(icomp *c, const ival *v, uint32_t slot, bool vary) {
  ir_axes axes;
  ir_val base = interp_resolve(c, v->of, &v->axes, &axes);
  gather_slice(c, base, &axes, slot, vary);
}

static void set_view(icomp *c, ir_val v, uint8_t kind, ir_val base, uint32_t slot, uint32_t from, int64_t unit) {
  ival *r = &c->v[v];
  r->kind = kind;
  r->own = false;
  r->as_slot = 0;
  r->root = interp_root(c, base);
  r->at = interp_slot_new(c, P_VIEW, 0);
  interp_put(c, I_VIEW, r->at, slot, from)->u.i = unit;
}

static void at_shared(icomp *c, const ir_op *op, ir_val base, const ir_axes *axes, const int64_t *dim) {
  ir_val res = op->res[0];
  const ival *b = &c->v[base];
  if (ir_type_of(c->fn, res).rank > 0) {
    if (interp_trailing(axes)) {
      index_operand at = interp_flat(c, dim, axes, false);
      set_view(c, res, K_ARR, base, b->at, interp_index_cell(c, at), 1);
      return;
    }
    interp_make(c, res, false);
    gather_slice(c, base, axes, c->v[res].at, false);
    return;
  }
  ir_axes head = *axes;
  head.n--;
  index_operand i = interp_flat(c, dim, &head, false), j = interp_index(c, axes->at[head.n], false);
  interp_make(c, res, false);
  uint32_t d = c->v[res].at, a = b->at;
  if (i.known || j.known) {
    index_operand e = index_step(c, i, dim[head.n], j);
    if (e.known) interp_put(c, I_LOADK, d, a, 0)->u.i = e.k;
    else interp_put(c, I_LOAD, d, a, e.at);
  } else {
    interp_ins *in = interp_put(c, I_LOAD2, d, a, i.at);
    in->c = j.at;
    in->u.i = dim[head.n];
  }
}

static void at_lanes(icomp *c, const ir_op *op, ir_val base, const ir_axes *axes, const int64_t *dim) {
  ir_val res = op->res[0];
  const ival *b = &c->v[base];
  bool slice = ir_type_of(c->fn, res).rank > 0;
  uint32_t axis = 0;
  int n = interp_varying(c, axes, &axis);
  if (b->kind == K_LANES) {
    if (n == 0 && interp_trailing(axes)) {
      index_operand at = interp_flat(c, dim, axes, false);
      set_view(c, res, slice ? K_LANES : K_COL, base, b->at, interp_index_cell(c, at), c->lane.block);
      return;
    }
    interp_make(c, res, true);
    gather_slice(c, base, axes, c->v[res].at, true);
    return;
  }
  if (slice) {
    interp_make(c, res, true);
    gather_slice(c, base, axes, c->v[res].at, true);
    return;
  }
  if (interp_is_flat(c, axes, c->lane.plate, c->lane.flat, ir_type_of(c->fn, base))) {
    set_view(c, res, K_COL, base, b->at, c->lane.first, 1);
    return;
  }
  if (n == 1 && c->v[axes->at[axis]].affine == 1) {
    index_operand at = interp_flat(c, dim, axes, true);
    int64_t stride = 1;
    for (uint32_t k = axis + 1; k < axes->n; k++) stride *= dim[k];
    if (stride == 1) {
      set_view(c, res, K_COL, base, b->at, interp_index_cell(c, at), 1);
      return;
    }
    interp_make(c, res, true);
    interp_put(c, I_V_STRIDED, c->v[res].at, b->at, interp_index_cell(c, at))->u.i = stride;
    return;
  }
  index_operand at = interp_flat(c, dim, axes, false);
  interp_make(c, res, true);
  interp_put(c, I_V_GATHER, c->v[res].at, b->at, interp_index_lane(c, at).slot);
}

void interp_at(icomp *c, const ir_op *op) {
  ir_val res = op->res[0];
  ival *r = &c->v[res];
  if (ir_type_of(c->fn, res).rank > 0) {
    /* A view when it can be one; not made when all that happens to it is that elements are read. */
    bool vary = interp_varies(c, res), view = !vary && interp_trailing(&op->u.axes) && c->v[op->args[0]].kind != K_SLICE;
    if (!view && (r->other_uses == 0 || (vary && interp_row_slice(c, op)))) {
      r->kind = K_SLICE;
      r->own = false;
      r->of = op->args[0];
      r->axes = op->u.axes;
      return;
    }
  }
  ir_axes axes;
  ir_val base = interp_resolve(c, op->args[0], &op->u.axes, &axes);
  int64_t dim[IR_MAX_RANK];
  interp_dims(c, ir_type_of(c->fn, base), dim);
  if (interp_varies(c, res)) at_lanes(c, op, base, &axes, dim);
  else at_shared(c, op, base, &axes, dim);
}

/* ---- placing */

static bool is_list(const icomp *c, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && ir_type_of(c->fn, axes->at[k]).rank > 0) return true;
  return false;
}

static void place_list(icomp *c, const ival *to, ir_type type, const int64_t *dim, const ir_axes *axes, const ival *y, bool lanewise) {
  interp_keys s = {.count = 1, .integer = type.elem != IR_REAL};
  int64_t stride = 1, strides[IR_MAX_RANK];
  for (uint32_t k = axes->n; k-- > 0; stride *= dim[k]) strides[k] = stride;
  for (uint32_t k = 0; k < axes->n; k++) {
    if (!axes->at[k]) continue;
    array_operand a = interp_as_array(c, &c->v[axes->at[k]]);
    s.count = c->v[axes->at[k]].cells;
    s.key[s.naxes].slot = a.slot;
    s.key[s.naxes].es = a.rs;
    s.key[s.naxes].ls = a.ls;
    s.key[s.naxes++].stride = strides[k];
  }
  array_operand t = interp_as_array(c, to), v = interp_as_array(c, y);
  s.to = (interp_place){.shape = interp_free_axes(c, dim, axes), .rs = t.rs, .ls = t.ls, .vrs = v.rs, .vls = v.ls};
  interp_ins *in = interp_put(c, I_KEYLIST, t.slot, v.slot, 0);
  in->flag = !lanewise;
  in->u.shape = interp_keep(c, &s, sizeof s);
}

void interp_place_value(icomp *c, const ival *to, ir_type type, const ir_axes *axes, const ival *y, bool add, bool lanewise) {
  int64_t dim[IR_MAX_RANK];
  interp_dims(c, type, dim);
  bool integer = type.elem != IR_REAL;
  if (is_list(c, axes)) {
    place_list(c, to, type, dim, axes, y, lanewise);
    return;
  }
  index_operand at = interp_flat(c, dim, axes, false);
  interp_shape shape = interp_free_axes(c, dim, axes);
  bool scalar = shape.n == 0;
  if (!lanewise) {
    uint32_t i = interp_index_cell(c, at);
    if (scalar) {
      interp_put(c, !add ? I_STORE : integer ? I_IADDTO : I_ADDTO, to->at, interp_as_cell(c, y), i);
      return;
    }
    array_operand v = interp_as_array(c, y);
    interp_put(c, !add ? I_PLACE : integer ? I_IPLACEADD : I_PLACEADD, to->at, v.slot, i)->u.shape =
        interp_keep(c, &shape, sizeof shape);
    return;
  }
  if (scalar && to->kind == K_LANES && !at.column) {
    uint32_t row = interp_slot_new(c, P_VIEW, 0);
    lane_operand v = interp_as_lane(c, y);
    interp_put(c, I_VIEW, row, to->at, interp_index_cell(c, at))->u.i = c->lane.block;
    interp_ins *in;
    if (!add) {
      in = interp_put(c, I_V_MOV, row, v.slot, 0);
      in->s = (uint8_t)v.stride;
      return;
    }
    in = interp_put(c, integer ? I_V_IBIN : I_V_BIN, row, row, v.slot);
    in->s = (uint8_t)(1 | v.stride << 1);
    if (integer) in->u.ibin = c->program->kernels->ibin[RT_IADD];
    else in->u.bin = c->program->kernels->bin[RT_ADD];
    return;
  }
  lane_operand i = interp_index_lane(c, at);
  if (scalar && to->kind == K_ARR && i.stride && !(add && integer)) {
    lane_operand v = interp_as_lane(c, y);
    interp_put(c, add ? I_V_SCATTER_ADD : I_V_SCATTER, to->at, v.slot, i.slot)->s = (uint8_t)v.stride;
    return;
  }
  array_operand t = interp_as_array(c, to), v = interp_as_array(c, y);
  interp_place p = {.shape = shape, .rs = t.rs, .ls = t.ls, .vrs = v.rs, .vls = v.ls, .add = add, .integer = integer};
  interp_ins *in = interp_put(c, I_V_PLACE, t.slot, v.slot, i.slot);
  in->s = (uint8_t)(i.stride << 1);
  in->u.shape = interp_keep(c, &p, sizeof p);
}
