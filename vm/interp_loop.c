/* interp_loop.c: plates, scans and if.
 *
 * A plate that can (interp_region.c) and is long enough runs on lanes: blocks of B iterations in row-major order, its body in
 * column instructions.  Everything else is a loop of single iterations; inside a plate on lanes such a loop has the same
 * indices in all lanes, and its body is in column instructions too.
 *
 * Outputs are built where the result stands.  What the body yields at the end of an iteration is read before any state
 * changes: a value that lives in a state's memory is copied first. */
#include "vm/interp_compile.h"

#include <string.h>

enum {
  LANES_MOST = 256,        /* iterations that run together */
  LANES_CELLS = 24 * 1024, /* cells that their arrays may take: what stays in a second-level cache */
  LANES_FEW = 4,           /* shorter plates run one iteration at a time */
  ROWS_LONG = 32           /* a box whose last axis is as long runs row by row, a shorter one as one sequence */
};

/* What is being built of one output. */
typedef struct building {
  uint32_t sum;     /* slot of the sum under way */
  interp_csum csum;
  const interp_csum *shape;
  uint32_t view;    /* slot where the iteration's value should be */
  ival copy;        /* of a value that stands in a state */
  const ival *y;
} building;

static bool real_result(const icomp *c, ir_val v) { return ir_type_of(c->fn, v).elem == IR_REAL; }
static bool scalar_result(const icomp *c, ir_val v) { return ir_type_of(c->fn, v).rank == 0; }

static void give_memory(icomp *c, ir_val from, ir_val to) {
  ival *x = &c->v[from], *y = &c->v[to];
  y->kind = x->kind;
  y->at = x->at;
  y->own = x->own;
  y->off = x->off;
  y->size = x->size;
  y->root = x->own ? to : x->root;
  x->own = false;
}

/* The number of terms a level can have to hold, for extents known now. */
static interp_csum csum_for(const icomp *c, const ir_loop *loop, int64_t width, int64_t row) {
  interp_csum s = {.width = width, .row = row, .levels = INTERP_CSUM_LEVELS, .lanes = RT_SUM_LANES};
  int64_t n = 1;
  for (uint32_t k = 0; k < loop->rank; k++) {
    const ival *e = &c->v[loop->extent[k]];
    if (!e->known || (e->k > 0 && n > INT64_MAX / e->k)) return s;
    n *= e->k > 0 ? e->k : 0;
  }
  if (n <= RT_SUM_BLOCK) s.levels = 1;
  if (n < RT_SUM_LANES) s.lanes = n > 0 ? (int)n : 1;
  return s;
}

static double extreme_of_nothing(int mode) { return mode == IR_MAX ? -__builtin_inf() : __builtin_inf(); }

/* ---- loops of single iterations */

static void start_out(icomp *c, const ir_op *op, uint32_t k, building *b, uint32_t number) {
  const ir_loop *loop = op->u.loop;
  const ir_out *o = &loop->out[k];
  ir_val r = op->res[k];
  bool vary = interp_varies(c, r), scalar = scalar_result(c, r), real = real_result(c, r);
  ival *x = &c->v[r];
  switch (o->mode) {
    case IR_STACK: interp_make(c, r, vary); break;
    case IR_INTO: case IR_KEYED: case IR_CARRY:
      if (!scalar && interp_takes(c, o->init, number, vary)) give_memory(c, o->init, r);
      else {
        interp_make(c, r, vary);
        interp_copy(c, x, &c->v[o->init]);
      }
      if (o->state) {
        ival *s = &c->v[o->state];
        s->kind = x->kind;
        s->at = x->at;
        s->as_slot = 0;
        s->own = false;
        s->root = o->state;
      }
      break;
    case IR_SUM:
      interp_make(c, r, vary);
      if (!real) {
        if (x->kind == K_CELL) interp_put(c, I_MOV, x->at, interp_int(c, 0), 0);
        else if (x->kind == K_ARR) interp_put(c, I_ZERO, x->at, 0, 0)->u.i = x->cells;
        else {
          ival zero = {.kind = K_CELL, .at = interp_int(c, 0)};
          interp_copy(c, x, &zero);
        }
      } else if (x->kind == K_CELL) {
        b->sum = interp_temp(c, (sizeof(interp_sum) + sizeof(cell) - 1) / sizeof(cell));
        interp_put(c, I_SUM0, b->sum, 0, 0);
      } else {
        int64_t lanes = vary ? c->lane.block : 1;
        int64_t cells = interp_mul(c, x->cells, lanes);
        b->csum = csum_for(c, loop, x->kind == K_COL ? INTERP_CSUM_LANES : cells, cells);
        interp_mul(c, cells, 33 * INTERP_CSUM_LEVELS);
        b->shape = interp_keep(c, &b->csum, sizeof b->csum);
        b->sum = interp_temp(c, interp_csum_cells(&b->csum));
        interp_put(c, I_CSUM0, b->sum, 0, 0)->u.shape = b->shape;
      }
      break;
    default: { /* MAX, MIN */
      interp_make(c, r, vary);
      ival start = {.kind = K_CELL};
      start.at = real ? interp_real(c, extreme_of_nothing(o->mode)) : interp_int(c, o->mode == IR_MAX ? INT64_MIN : INT64_MAX);
      if (scalar) interp_copy(c, x, &start);
      else interp_put(c, I_FILL, x->at, start.at, 0)->u.i = vary ? x->cells * c->lane.block : x->cells;
    }
  }
}

/* Lets the operation that computes the yielded value of a stack write it where it belongs. */
static void hint_stack(icomp *c, const ir_op *op, uint32_t k, building *b, uint32_t place, int64_t unit, bool lanes) {
  const ir_out *o = &op->u.loop->out[k];
  const ir_value *def = &c->fn->val[o->yield];
  ival *y = &c->v[o->yield];
  if (y->hint || def->def != IR_DEF_RESULT || def->op->block != &op->u.loop->body || y->affine) return;
  switch (def->op->code) {
    case IR_REAL_OP: case IR_INT_OP: case IR_BOOL_OP: case IR_SIZE_OP: case IR_AT_OP: case IR_BOUND_OP: case IR_PUT_OP: return;
    case IR_SCAN_OP: case IR_PLATE_OP: {
      uint8_t mode = def->op->u.loop->out[def->slot].mode;
      if (mode != IR_STACK && mode != IR_SUM && mode != IR_MAX && mode != IR_MIN) return;
      break;
    }
    default: break;
  }
  bool vary = interp_varies(c, o->yield), array = ir_type_of(c->fn, o->yield).rank > 0;
  if (vary != lanes || (!vary && !array)) return; /* cells are not in arrays */
  b->view = y->hint = interp_slot_new(c, P_VIEW, 0);
  interp_put(c, I_VIEW, b->view, c->v[op->res[k]].at, place)->u.i = unit;
}

/* What stands in the memory of a state of this loop is copied, for states are about to change. */
static void save_yield(icomp *c, const ir_op *op, uint32_t k, building *b) {
  const ir_out *o = &op->u.loop->out[k];
  const ival *y = &c->v[o->yield];
  b->y = y;
  ir_val root = interp_root(c, o->yield);
  const ir_value *def = &c->fn->val[root];
  if (def->def != IR_DEF_STATE || def->op != op) return;
  if (o->mode == IR_CARRY && y->kind != K_SLICE && y->kind == c->v[op->res[k]].kind && y->at == c->v[op->res[k]].at) return;
  b->copy = *y;
  b->copy.own = false;
  b->copy.as_slot = 0;
  bool vary = interp_varies(c, o->yield);
  switch (y->kind) {
    case K_CELL: b->copy.at = interp_cell(c); break;
    case K_COL: b->copy.at = interp_temp(c, c->lane.block); break;
    default:
      b->copy.kind = vary ? K_LANES : K_ARR;
      b->copy.at = interp_temp(c, vary ? interp_mul(c, y->cells, c->lane.block) : y->cells);
  }
  interp_copy(c, &b->copy, y);
  b->y = &b->copy;
}

static void combine(icomp *c, int mode, bool real, ival *r, const ival *y) {
  const rt_kernels *k = c->program->kernels;
  int bin = mode == IR_MAX ? RT_MAX : mode == IR_MIN ? RT_MIN : RT_ADD;
  int ibin = mode == IR_MAX ? RT_IMAX : mode == IR_MIN ? RT_IMIN : RT_IADD;
  interp_ins *in;
  if (r->kind == K_CELL) {
    int code = mode == IR_MAX ? (real ? I_RMAX : I_IMAX) : mode == IR_MIN ? (real ? I_RMIN : I_IMIN) : real ? I_RADD : I_IADD;
    interp_put(c, code, r->at, r->at, interp_as_cell(c, y));
  } else if (r->kind == K_COL) {
    lane_operand a = interp_as_lane(c, y);
    in = interp_put(c, real ? I_V_BIN : I_V_IBIN, r->at, r->at, a.slot);
    in->s = (uint8_t)(1 | a.stride << 1);
    if (real) in->u.bin = k->bin[bin];
    else in->u.ibin = k->ibin[ibin];
  } else {
    array_operand a = interp_as_array(c, y);
    int64_t n = r->kind == K_LANES ? r->cells * c->lane.block : r->cells;
    uint32_t count = interp_int(c, n);
    in = interp_put(c, real ? I_KBIN : I_IKBIN, r->at, r->at, a.slot);
    in->c = count;
    if (real) in->u.bin = k->bin[bin];
    else in->u.ibin = k->ibin[ibin];
  }
}

static void iterate_out(icomp *c, const ir_op *op, uint32_t k, building *b, uint32_t place) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val r = op->res[k];
  ival *x = &c->v[r];
  const ival *y = b->y;
  bool vary = interp_varies(c, r), real = real_result(c, r);
  switch (o->mode) {
    case IR_STACK:
      if (b->view && y->at == b->view) return;
      if (y->kind == K_CELL && !vary) {
        interp_put(c, I_STORE, x->at, interp_as_cell(c, y), place);
      } else {
        ival to = {.kind = scalar_result(c, o->yield) ? K_COL : vary ? K_LANES : K_ARR, .cells = y->cells};
        to.at = b->view ? b->view : interp_slot_new(c, P_VIEW, 0);
        if (!b->view) interp_put(c, I_VIEW, to.at, x->at, place)->u.i = y->cells * (vary ? c->lane.block : 1);
        interp_copy(c, &to, y);
      }
      return;
    case IR_INTO: case IR_KEYED:
      if (scalar_result(c, r)) {
        if (o->mode == IR_INTO) interp_copy(c, x, y);
        else combine(c, IR_SUM, real, x, y);
      } else {
        interp_place_value(c, x, ir_type_of(c->fn, r), &o->axes, y, o->mode == IR_KEYED, vary);
      }
      return;
    case IR_SUM:
      if (!real) combine(c, IR_SUM, false, x, y);
      else if (x->kind == K_CELL) interp_put(c, I_SUMPUSH, b->sum, interp_as_cell(c, y), 0);
      else interp_put(c, I_CSUMPUSH, b->sum, x->kind == K_COL ? interp_as_lane(c, y).slot : interp_as_array(c, y).slot, 0)->u.shape = b->shape;
      return;
    case IR_CARRY: interp_copy(c, x, y); return;
    default: combine(c, o->mode, real, x, y);
  }
}

static void finish_out(icomp *c, const ir_op *op, uint32_t k, building *b) {
  const ival *x = &c->v[op->res[k]];
  if (op->u.loop->out[k].mode != IR_SUM || !real_result(c, op->res[k])) return;
  if (x->kind == K_CELL) interp_put(c, I_SUMEND, x->at, b->sum, 0);
  else interp_put(c, I_CSUMEND, x->at, b->sum, 0)->u.shape = b->shape;
}

static void define_index(icomp *c, ir_val v, uint32_t at) {
  ival *x = &c->v[v];
  x->kind = K_CELL;
  x->at = at;
  x->as_slot = 0;
  x->first = 0;
  x->root = v;
}

static bool stacks(const ir_loop *loop) {
  for (uint32_t k = 0; k < loop->nout; k++) if (loop->out[k].mode == IR_STACK) return true;
  return false;
}

static void loop_single(icomp *c, const ir_op *op, uint32_t number) {
  const ir_loop *loop = op->u.loop;
  building *b = ARENA_ARRAY(c->tmp, building, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++) start_out(c, op, k, &b[k], number);

  uint32_t index[IR_MAX_RANK], start[IR_MAX_RANK], extent[IR_MAX_RANK], place = 0;
  bool counts = loop->rank > 1 && stacks(loop);
  if (counts) {
    place = interp_cell(c);
    interp_put(c, I_MOV, place, interp_int(c, 0), 0);
  }
  for (uint32_t k = 0; k < loop->rank; k++) {
    extent[k] = interp_as_cell(c, &c->v[loop->extent[k]]);
    index[k] = interp_cell(c);
    define_index(c, loop->index[k], index[k]);
    start[k] = (uint32_t)c->ncode;
    interp_put(c, loop->down ? I_LOOPDN : I_LOOP, index[k], extent[k], 0);
  }
  if (loop->live) interp_put(c, I_JZ, 0, interp_as_cell(c, &c->v[loop->live]), 0); /* where I_NEXT goes back to */
  if (!counts) place = index[0];

  c->depth++;
  size_t mark = c->ntemp;
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_val r = op->res[k];
    if (loop->out[k].mode != IR_STACK) continue;
    bool vary = interp_varies(c, r);
    hint_stack(c, op, k, &b[k], place, c->v[loop->out[k].yield].cells * (vary ? c->lane.block : 1), vary);
  }
  interp_block(c, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) save_yield(c, op, k, &b[k]);
  for (int carry = 0; carry < 2; carry++)
    for (uint32_t k = 0; k < loop->nout; k++) {
      if ((loop->out[k].mode == IR_CARRY) != carry) continue;
      size_t here = c->ntemp;
      iterate_out(c, op, k, &b[k], place);
      interp_temps_free(c, here);
    }
  interp_temps_free(c, mark);
  interp_die(c, c->number);
  c->depth--;

  if (counts) interp_put(c, I_INC, place, 0, 0);
  for (uint32_t k = loop->rank; k-- > 0;) {
    interp_put(c, loop->down ? I_NEXTDN : I_NEXT, index[k], extent[k], 0)->x = start[k] + 1;
    c->code[start[k]].x = (uint32_t)c->ncode;
  }
  if (loop->live) c->code[start[0] + 1].x = (uint32_t)c->ncode;
  for (uint32_t k = 0; k < loop->nout; k++) finish_out(c, op, k, &b[k]);
}

/* ---- plates on lanes */

typedef struct lane_plan {
  uint32_t flat;    /* as in region */
  int64_t total;    /* iterations of the sequence that blocks cut; -1: not known now */
  int64_t cells;    /* of arrays for each lane */
} lane_plan;

/* The most iterations of a plate inside, which might run on lanes instead. */
static int64_t inner_extent(const icomp *c, const ir_block *b) {
  int64_t most = 0;
  for (const ir_op *op = b->first; op; op = op->next) {
    if (op->code == IR_IF_OP) {
      int64_t x = inner_extent(c, &op->u.branch->then_), y = inner_extent(c, &op->u.branch->else_);
      most = x > most ? x : most;
      most = y > most ? y : most;
    }
    if (op->code != IR_PLATE_OP && op->code != IR_SCAN_OP) continue;
    int64_t n = op->code == IR_PLATE_OP ? 1 : 0;
    for (uint32_t k = 0; n > 0 && k < op->u.loop->rank; k++) {
      int64_t e;
      const ir_val x = op->u.loop->extent[k];
      ir_size s = ir_size_of(c->fn, x);
      if (!ir_is_int(c->fn, x, &e)) e = s != IR_SIZE_NONE ? size_eval(c->fn->module->sizes, s) : 64;
      n = e <= 0 ? 0 : n > INT64_MAX / e ? INT64_MAX : n * e;
    }
    int64_t in = inner_extent(c, &op->u.loop->body);
    n = in > n ? in : n;
    most = n > most ? n : most;
  }
  return most;
}

static bool plan_lanes(icomp *c, const ir_op *op, lane_plan *p) {
  const ir_loop *loop = op->u.loop;
  if (c->watched || c->lane.on || op->code != IR_PLATE_OP) return false;
  int64_t total = 1;
  for (uint32_t k = 0; k < loop->rank; k++) {
    const ival *e = &c->v[loop->extent[k]];
    int64_t n = e->k < 0 ? 0 : e->k;
    total = !e->known || total < 0 || (n > 0 && total > INT64_MAX / n) ? -1 : total * n;
  }
  const ival *last = &c->v[loop->extent[loop->rank - 1]];
  p->flat = loop->rank > 1 && total >= 0 && last->known && last->k < ROWS_LONG ? loop->rank : 0;
  p->total = p->flat || loop->rank == 1 ? total : last->known ? (last->k < 0 ? 0 : last->k) : -1;
  if (p->total >= 0 && p->total < LANES_FEW) return false;
  if (loop->rank > 1 && !p->flat && !last->known) return false;
  int64_t inner = inner_extent(c, &loop->body);
  if (inner > 0 && p->total >= 0 && p->total < 16 && inner > p->total) return false;
  return interp_region_mark(c, op, p->flat, &p->cells);
}

static void lanes_start(icomp *c, const ir_op *op, uint32_t k, building *b, bool single, uint32_t number) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val r = op->res[k];
  ival *x = &c->v[r];
  switch (o->mode) {
    case IR_STACK: interp_make(c, r, false); break;
    case IR_INTO: case IR_KEYED:
      if (interp_takes(c, o->init, number, false)) give_memory(c, o->init, r);
      else {
        interp_make(c, r, false);
        interp_copy(c, x, &c->v[o->init]);
      }
      break;
    case IR_SUM:
      interp_make(c, r, false);
      if (single) { /* a loop without iterations leaves it */
        if (x->kind == K_CELL) interp_put(c, I_MOV, x->at, interp_real(c, 0.0), 0);
        else interp_put(c, I_ZERO, x->at, 0, 0)->u.i = x->cells;
      } else {
        b->sum = interp_temp(c, interp_mul(c, x->cells, (sizeof(rt_summer) + sizeof(cell) - 1) / sizeof(cell)));
        interp_put(c, I_LSUM0, b->sum, 0, 0)->x = (uint32_t)x->cells;
      }
      if (c->v[o->yield].scaled) {
        c->v[o->yield].single = single;
        c->v[o->yield].at = single ? x->at : b->sum;
      }
      break;
    default: {
      interp_make(c, r, false);
      uint32_t start = interp_real(c, extreme_of_nothing(o->mode));
      if (x->kind == K_CELL) interp_put(c, I_MOV, x->at, start, 0);
      else interp_put(c, I_FILL, x->at, start, 0)->u.i = x->cells;
    }
  }
}

static void lanes_sum(icomp *c, ival *x, const ival *y, building *b, bool single) {
  array_operand a = interp_as_array(c, y);
  uint32_t scratch = interp_temp(c, c->lane.block);
  bool column = y->kind == K_COL || a.ls != 0;
  interp_ins *in;
  if (single && x->kind == K_CELL && column) {
    interp_put(c, I_LSUMC, x->at, a.slot, 0);
    return;
  }
  uint32_t to = x->kind == K_CELL ? interp_slot_new(c, P_CELL, x->at) : x->at;
  in = interp_put(c, single ? I_LSUM1 : I_LSUMPUSH, single ? to : b->sum, a.slot, 0);
  in->c = scratch;
  in->x = (uint32_t)x->cells;
  in->s = column;
  in->u.i = a.rs;
}

/* An iteration's value stands at its own index: a stack that has more room. */
static bool in_order(const icomp *c, const ir_loop *loop, const ir_out *o) {
  if (o->mode == IR_STACK) return true;
  return o->mode == IR_INTO && loop->rank == 1 && o->axes.n == 1 && o->axes.at[0] == loop->index[0] && scalar_result(c, o->yield);
}

/* place: the cell with the position of lane 0 in the whole box, for values that stand in order. */
static void lanes_out(icomp *c, const ir_op *op, uint32_t k, building *b, uint32_t place, bool single) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val r = op->res[k];
  ival *x = &c->v[r];
  const ival *y = &c->v[o->yield];
  switch (in_order(c, op->u.loop, o) ? IR_STACK : o->mode) {
    case IR_STACK: {
      if (b->view && y->at == b->view) return;
      uint32_t view = b->view ? b->view : interp_slot_new(c, P_VIEW, 0);
      if (!b->view) interp_put(c, I_VIEW, view, x->at, place)->u.i = y->cells;
      if (scalar_result(c, o->yield)) {
        lane_operand a = interp_as_lane(c, y);
        interp_put(c, I_V_MOV, view, a.slot, 0)->s = (uint8_t)a.stride;
        return;
      }
      array_operand a = interp_as_array(c, y);
      interp_place p = {.shape = {.n = 1, .size = {y->cells}, .stride = {1}, .count = y->cells}, .rs = 1, .ls = 0, .vrs = a.rs, .vls = a.ls};
      uint32_t at = interp_temp(c, c->lane.block);
      uint32_t zero = interp_int(c, 0);
      interp_put(c, I_V_IOTA, at, zero, 0)->u.i = y->cells;
      interp_ins *in = interp_put(c, I_V_PLACE, view, a.slot, at);
      in->s = 2;
      in->u.shape = interp_keep(c, &p, sizeof p);
      return;
    }
    case IR_INTO: case IR_KEYED:
      interp_place_value(c, x, ir_type_of(c->fn, r), &o->axes, y, o->mode == IR_KEYED, true);
      return;
    case IR_SUM:
      if (!y->scaled) lanes_sum(c, x, y, b, single);
      return;
    default: {
      array_operand a = interp_as_array(c, y);
      uint32_t to = x->kind == K_CELL ? interp_slot_new(c, P_CELL, x->at) : x->at;
      if (x->cells > UINT32_MAX) interp_refuse(c, "an array is too large");
      interp_ins *in = interp_put(c, o->mode == IR_MAX ? I_LMAX : I_LMIN, to, a.slot, 0);
      in->x = (uint32_t)x->cells;
      in->s = y->kind == K_COL || a.ls != 0;
      in->u.i = a.rs;
    }
  }
}

/* Indices of a block that begins at iteration `first`: of a row that of its axis, of a box in one sequence all of them; columns where something reads them so. */
static void index_columns(icomp *c, const ir_loop *loop, bool flat, uint32_t first, const uint32_t *extent, int64_t block) {
  if (flat) {
    bool any = false;
    for (uint32_t k = 0; k < loop->rank; k++) any |= c->v[loop->index[k]].column;
    uint32_t slot[IR_MAX_RANK];
    for (uint32_t k = 0; k < loop->rank; k++) {
      ival *x = &c->v[loop->index[k]];
      define_index(c, loop->index[k], 0);
      x->kind = K_COL;
      if (any) slot[k] = interp_temp(c, block), x->at = slot[k];
    }
    if (any) {
      uint32_t e = interp_cells(c, loop->rank);
      for (uint32_t k = 0; k < loop->rank; k++) interp_put(c, I_MOV, e + k, extent[k], 0);
      interp_put(c, I_V_UNFLAT, slot[0], first, e)->x = loop->rank;
    }
  } else {
    ir_val v = loop->index[loop->rank - 1];
    ival *x = &c->v[v];
    define_index(c, v, 0);
    x->kind = K_COL;
    x->first = first;
    if (x->column) {
      x->at = interp_temp(c, block);
      interp_put(c, I_V_IOTA, x->at, first, 0)->u.i = 1;
    }
  }
}

static void loop_lanes(icomp *c, const ir_op *op, uint32_t number, const lane_plan *plan) {
  const ir_loop *loop = op->u.loop;
  building *b = ARENA_ARRAY(c->tmp, building, loop->nout);
  int64_t block = LANES_MOST;
  while (block > 16 && plan->cells > 0 && block > LANES_CELLS / plan->cells) block /= 2;
  if (plan->total >= 0 && plan->total < block) block = (plan->total + 7) / 8 * 8;
  bool rows = loop->rank > 1 && !plan->flat;
  bool single = !rows && plan->total >= 0 && plan->total <= block;
  for (uint32_t k = 0; k < loop->nout; k++) lanes_start(c, op, k, &b[k], single, number);

  uint32_t index[IR_MAX_RANK], start[IR_MAX_RANK], extent[IR_MAX_RANK], before = 0, total = 0;
  uint32_t nouter = rows ? loop->rank - 1 : 0;
  for (uint32_t k = 0; k < loop->rank; k++) extent[k] = interp_as_cell(c, &c->v[loop->extent[k]]);
  if (rows && stacks(loop)) { /* iterations in the rows before this one */
    before = interp_cell(c);
    interp_put(c, I_MOV, before, interp_int(c, 0), 0);
  }
  for (uint32_t k = 0; k < nouter; k++) {
    index[k] = interp_cell(c);
    define_index(c, loop->index[k], index[k]);
    start[k] = (uint32_t)c->ncode;
    interp_put(c, I_LOOP, index[k], extent[k], 0);
  }
  total = plan->flat ? interp_int(c, plan->total) : extent[loop->rank - 1];
  uint32_t first = interp_cell(c), here = (uint32_t)c->ncode;
  interp_put(c, I_BLOCK, first, total, 0)->u.i = block;

  region outside = c->lane;
  c->lane = (region){.on = true, .block = block, .plate = (ir_op *)(uintptr_t)op, .flat = plan->flat, .first = first};
  c->depth++;
  size_t mark = c->ntemp;
  index_columns(c, loop, plan->flat, first, extent, block);
  uint32_t place = first;
  if (before) {
    place = interp_cell(c);
    interp_put(c, I_IADD, place, before, first);
  }
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (in_order(c, loop, o) && scalar_result(c, o->yield)) hint_stack(c, op, k, &b[k], place, 1, true);
  }
  interp_block(c, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) {
    size_t temps = c->ntemp;
    lanes_out(c, op, k, &b[k], place, single);
    interp_temps_free(c, temps);
  }
  interp_die(c, c->number);
  interp_temps_free(c, mark);
  c->depth--;
  c->lane = outside;

  interp_ins *in = interp_put(c, I_BLOCKNEXT, first, total, 0);
  in->x = here + 1;
  in->u.i = block;
  c->code[here].x = (uint32_t)c->ncode;
  if (before) interp_put(c, I_IADD, before, before, total);
  for (uint32_t k = nouter; k-- > 0;) {
    interp_put(c, I_NEXT, index[k], extent[k], 0)->x = start[k] + 1;
    c->code[start[k]].x = (uint32_t)c->ncode;
  }
  if (single) return;
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (loop->out[k].mode != IR_SUM) continue;
    const ival *x = &c->v[op->res[k]];
    uint32_t to = x->kind == K_CELL ? interp_slot_new(c, P_CELL, x->at) : x->at;
    interp_put(c, I_LSUMEND, to, b[k].sum, 0)->x = (uint32_t)x->cells;
  }
}

void interp_loop(icomp *c, const ir_op *op, uint32_t number) {
  lane_plan plan;
  if (!c->lane.on && op->code == IR_PLATE_OP) c->plates++;
  if (plan_lanes(c, op, &plan)) {
    c->vector_plates++;
    loop_lanes(c, op, number, &plan);
  } else {
    loop_single(c, op, number);
  }
}

void interp_if(icomp *c, const ir_op *op) {
  const ir_if *f = op->u.branch;
  for (uint32_t k = 0; k < op->nres; k++) interp_make(c, op->res[k], interp_varies(c, op->res[k]));
  uint32_t jump[2];
  jump[0] = (uint32_t)c->ncode;
  interp_put(c, I_JZ, 0, interp_as_cell(c, &c->v[op->args[0]]), 0);
  for (int side = 0; side < 2; side++) {
    const ir_val *y = side ? f->else_yield : f->then_yield;
    size_t mark = c->ntemp;
    c->depth++;
    interp_block(c, side ? &f->else_ : &f->then_);
    for (uint32_t k = 0; k < op->nres; k++) interp_copy(c, &c->v[op->res[k]], &c->v[y[k]]);
    interp_temps_free(c, mark);
    interp_die(c, c->number);
    c->depth--;
    if (side == 0) {
      jump[1] = (uint32_t)c->ncode;
      interp_put(c, I_JMP, 0, 0, 0);
      c->code[jump[0]].x = (uint32_t)c->ncode;
    } else {
      c->code[jump[1]].x = (uint32_t)c->ncode;
    }
  }
}
