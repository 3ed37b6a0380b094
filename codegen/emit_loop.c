/* emit_loop.c: which way a loop is emitted, and loops of single iterations. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

/* A loop inside another one is unrolled up to this many operations; outside, where it runs once, up to the second. */
enum { INNER_OPS = 192, OUTER_OPS = 24, INNER_ITERATIONS = 16, OUTER_ITERATIONS = 3, CELLS_IN_LINE = 8, BLOCK = 4096 };

bool cg_real_sum(E *e, const ir_op *op, uint32_t k) {
  return op->u.loop->out[k].mode == IR_SUM && ir_type_of(e->fn, op->res[k]).elem == IR_REAL;
}

void cg_result_begin(E *e, const ir_op *op, uint32_t k, cg_result *r) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val res = op->res[k];
  ir_type t = ir_type_of(e->fn, res);
  LLVMTypeRef memory = t.elem == IR_REAL ? e->f64 : e->i64;
  *r = (cg_result){NULL};
  if (o->init) {
    if (t.rank == 0) {
      r->to = cg_alloca(e, memory);
      cg_store(e, t.elem, cg_val(e, o->init), r->to);
    } else if (cg_takes(e, op, o->init)) {
      r->to = e->v[o->init].v;
      e->v[res].home = e->v[o->init].home;
    } else {
      r->to = cg_memory(e, res);
      cg_copy_value(e, r->to, t, &e->v[o->init]);
    }
    return;
  }
  bool starts = o->mode == IR_MAX || o->mode == IR_MIN || (o->mode == IR_SUM && t.elem == IR_INT);
  LV x = starts ? cg_fold_start(e, o->mode, t.elem) : NULL;
  if (t.rank == 0) {
    r->to = cg_alloca(e, memory);
    if (starts) LLVMBuildStore(e->b, x, r->to);
    return;
  }
  r->to = cg_memory(e, res);
  if (!starts) return;
  if (LLVMTypeOf(x) == e->f64) x = LLVMBuildBitCast(e->b, x, e->i64, "");
  cg_service(e, CG_HOST_fill, 3, (LV[]){r->to, x, cg_cells(e, t)});
}

int64_t cg_extents(E *e, const ir_loop *loop, LV *n) {
  int64_t total = 1;
  bool known = true;
  for (uint32_t k = 0; k < loop->rank; k++) {
    LV x = cg_val(e, loop->extent[k]);
    int64_t c;
    n[k] = x;
    if (cg_const(x, &c)) {
      if (c < 0) c = 0, n[k] = cg_int(e, 0);
      if (known && __builtin_mul_overflow(total, c, &total)) known = false;
    } else { /* a size may be negative too, as N - M is where M is larger */
      known = false;
      n[k] = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, cg_int(e, 0), ""), x, cg_int(e, 0), "");
    }
  }
  return known ? total : -1;
}

/* ---- one iteration at a time */

static void sum_begin(E *e, const ir_op *op, uint32_t k, cg_result *r, int64_t total) {
  ir_type t = ir_type_of(e->fn, op->res[k]);
  *r = (cg_result){.cells = cg_known_cells(e, t), .few = total >= 1 && total <= CG_FEW};
  int64_t lanes = r->few ? total : CG_FEW;
  if (r->cells >= 1 && r->cells <= CELLS_IN_LINE) {
    r->acc = cg_alloca(e, LLVMArrayType2(e->f64, (uint64_t)(r->cells * lanes + 1)));
    if (r->few) return;
    for (int64_t c = 0; c < r->cells; c++) cg_call(e, "cg_lanes_clear", 1, (LV[]){cg_gep(e, r->acc, cg_int(e, c * lanes))});
    if (total >= 0 && total <= BLOCK) return;
    r->sum = cg_scratch(e, r->cells * CG_BLOCKS_CELLS);
    cg_service(e, CG_HOST_blocks_start, 2, (LV[]){r->sum, cg_int(e, r->cells)});
    return;
  }
  r->few = false;
  r->to = cg_memory(e, op->res[k]);
  r->lanes = cg_int(e, lanes);
  r->sum = cg_slot_scaled(e, lanes * (total >= 0 && total <= BLOCK ? 1 : 3), 3, t);
  cg_service(e, CG_HOST_csum_start, 3, (LV[]){r->sum, cg_cells(e, t), r->lanes});
}

static void push_block(E *e, cg_result *r) { cg_service(e, CG_HOST_blocks_push, 3, (LV[]){r->sum, r->acc, cg_int(e, r->cells)}); }

/* Blocks of sums that are full after iteration `order` go on. */
static void sums_step(E *e, const ir_op *op, cg_result *r, LV order) {
  bool any = false;
  for (uint32_t k = 0; k < op->nres; k++) any = any || (r[k].acc && r[k].sum);
  if (!any) return;
  LB full = cg_block(e, "full"), on = cg_block(e, "on");
  LV at = LLVMBuildAnd(e->b, order, cg_int(e, BLOCK - 1), "");
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, at, cg_int(e, BLOCK - 1), ""), full, on);
  LLVMPositionBuilderAtEnd(e->b, full);
  for (uint32_t k = 0; k < op->nres; k++) {
    if (!r[k].acc || !r[k].sum) continue;
    push_block(e, &r[k]);
    for (int64_t c = 0; c < r[k].cells; c++) cg_call(e, "cg_lanes_clear", 1, (LV[]){cg_gep(e, r[k].acc, cg_int(e, c * CG_FEW))});
  }
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
}

static LV sum_value(E *e, cg_result *r, int64_t c, int64_t total) {
  LV acc = cg_gep(e, r->acc, cg_int(e, c * (r->few ? total : CG_FEW)));
  if (r->few) return cg_tree_at(e, acc, total);
  return r->sum ? cg_service(e, CG_HOST_blocks_value, 1, (LV[]){cg_gep(e, r->sum, cg_int(e, c * CG_BLOCKS_CELLS))}) : cg_call(e, "cg_lanes_value", 1, &acc);
}

static void result_end(E *e, const ir_op *op, uint32_t k, cg_result *r, int64_t total) {
  ir_val res = op->res[k];
  ir_type t = ir_type_of(e->fn, res);
  cg_value *to = &e->v[res];
  to->cell = to->stride = NULL;
  to->root = res;
  if (r->cell) {
    to->cell = ARENA_ARRAY(e->mem, LV, (size_t)r->cells + 1);
    to->root = 0;
    for (int64_t c = 0; c < r->cells; c++) to->cell[c] = cg_load(e, t.elem, r->cell[c]);
  } else if (!cg_real_sum(e, op, k)) {
    to->v = t.rank > 0 ? r->to : cg_load(e, t.elem, r->to);
  } else if (!r->acc) {
    cg_service(e, CG_HOST_csum_value, 4, (LV[]){r->to, r->sum, cg_cells(e, t), r->lanes});
    to->v = r->to;
  } else {
    LV *cell = ARENA_ARRAY(e->mem, LV, (size_t)r->cells + 1);
    for (int64_t c = 0; c < r->cells; c++) cell[c] = sum_value(e, r, c, total);
    if (t.rank) to->cell = cell, to->root = 0;
    else to->v = cell[0];
  }
}

/* ---- states in registers: what a scan carries in few cells, and the element that the iteration before placed */

static void cells_begin(E *e, const ir_op *op, uint32_t k, cg_result *r) {
  ir_val init = op->u.loop->out[k].init;
  ir_type t = ir_type_of(e->fn, init);
  LV *c = cg_cells_of(e, init);
  *r = (cg_result){.cells = cg_known_cells(e, t)};
  r->cell = ARENA_ARRAY(e->mem, LV, (size_t)r->cells + 1);
  for (int64_t q = 0; q < r->cells; q++) {
    r->cell[q] = cg_alloca(e, t.elem == IR_REAL ? e->f64 : e->i64);
    cg_store(e, t.elem, c[q], r->cell[q]);
  }
}

static bool carries_cells(E *e, const ir_op *op, uint32_t k) {
  ir_type t = ir_type_of(e->fn, op->res[k]);
  int64_t n = cg_known_cells(e, t);
  return op->u.loop->out[k].mode == IR_CARRY && t.rank > 0 && n >= 1 && n <= CELLS_IN_LINE;
}

/* The position v is index + *offset. */
static bool offset_from(E *e, ir_val v, ir_val index, ir_size *offset) {
  size_table *z = e->m->sizes;
  const ir_op *op = ir_def_op(e->fn, v);
  if (v == index) {
    *offset = size_const(z, 0);
    return true;
  }
  if (!op) return false;
  if (op->code == IR_BOUND_OP) return offset_from(e, op->args[0], index, offset);
  if (op->code != IR_ADD_OP && op->code != IR_SUB_OP) return false;
  ir_val a = op->args[0], b = op->args[1];
  if (op->code == IR_ADD_OP && ir_size_of(e->fn, b) == IR_SIZE_NONE) a = op->args[1], b = op->args[0];
  ir_size s = ir_size_of(e->fn, b);
  if (s == IR_SIZE_NONE || !offset_from(e, a, index, offset)) return false;
  *offset = op->code == IR_ADD_OP ? size_add(z, *offset, s) : size_sub(z, *offset, s);
  return *offset != IR_SIZE_NONE;
}

/* Scan, placing scalars at index + c in an array of one axis: reads of the place before it take what was placed from a register. */
static void last_begin(E *e, const ir_op *op, uint32_t k, cg_result *r, LV n) {
  const ir_loop *loop = op->u.loop;
  const ir_out *o = &loop->out[k];
  ir_type t = ir_type_of(e->fn, op->res[k]);
  ir_size at;
  if (!o->state || (o->mode != IR_INTO && o->mode != IR_KEYED) || t.rank != 1 || !o->axes.at[0] || ir_type_of(e->fn, o->axes.at[0]).rank) return;
  if (!offset_from(e, o->axes.at[0], loop->index[0], &at)) return;
  size_table *z = e->m->sizes;
  ir_size before = loop->down ? size_add(z, at, size_const(z, 1)) : size_sub(z, at, size_const(z, 1));
  if (before == IR_SIZE_NONE) return;
  r->last = cg_alloca(e, t.elem == IR_REAL ? e->f64 : e->i64);
  LV first = cg_add(e, loop->down ? LLVMBuildSub(e->b, n, cg_int(e, 1), "") : cg_int(e, 0), cg_size(e, before)), extent = cg_size(e, t.dim[0]);
  LV inside = LLVMBuildICmp(e->b, LLVMIntULT, first, extent, "");
  LLVMBuildStore(e->b, LLVMConstNull(t.elem == IR_REAL ? e->f64 : e->i64), r->last);
  LV place = LLVMBuildSelect(e->b, inside, cg_gep(e, r->to, first), r->last, ""); /* before a check that fails, or without iterations */
  LLVMBuildStore(e->b, LLVMBuildLoad2(e->b, t.elem == IR_REAL ? e->f64 : e->i64, place, ""), r->last);
  cg_value *s = &e->v[o->state];
  s->before = before;
  s->index = loop->index[0];
  s->last = r->last;
}

/* at reads what the iteration before placed: its value; else NULL. */
LV cg_last_placed(E *e, ir_val state, const ir_axes *axes) {
  const cg_value *s = &e->v[state];
  ir_size at;
  if (!s->last || axes->n != 1 || !axes->at[0] || ir_type_of(e->fn, axes->at[0]).rank || !offset_from(e, axes->at[0], s->index, &at) || at != s->before) return NULL;
  return cg_load(e, ir_type_of(e->fn, state).elem, s->last);
}

/* Something that the body yields stands in memory that the outputs are about to change. */
static bool in_state(E *e, const ir_op *op, ir_val v) {
  if (ir_type_of(e->fn, v).rank == 0 || e->v[v].cell || !e->v[v].root) return false;
  for (uint32_t k = 0; k < op->nres; k++) if (op->u.loop->out[k].init && e->v[v].root == op->res[k]) return true;
  return false;
}

static cg_value apart(E *e, const ir_op *op, ir_val v) {
  cg_value x = e->v[v];
  if (ir_type_of(e->fn, v).rank == 0) x.v = cg_val(e, v);
  if (!in_state(e, op, v)) return x;
  ir_type t = ir_type_of(e->fn, v);
  LV d = cg_temp(e, t);
  cg_copy_value(e, d, t, &x);
  return (cg_value){.v = d, .uses = x.uses, .out = x.out};
}

static LV dense_address(E *e, ir_type t, const cg_value *y) {
  if (!y->cell && !y->stride) return y->v;
  LV d = cg_temp(e, t);
  cg_copy_value(e, d, t, y);
  return d;
}

static void single_out(E *e, const ir_op *op, uint32_t k, cg_result *r, const cg_value *y, LV place, LV order, int64_t total) {
  const ir_out *o = &op->u.loop->out[k];
  ir_type t = ir_type_of(e->fn, op->res[k]), yt = ir_type_of(e->fn, o->yield);
  LV cells = yt.rank ? cg_cells(e, yt) : NULL;
  switch (o->mode) {
    case IR_STACK:
      if (yt.rank == 0) cg_store(e, t.elem, y->v, cg_gep(e, r->to, place));
      else cg_copy_value(e, cg_gep(e, r->to, cg_mul(e, place, cells)), yt, y);
      return;
    case IR_CARRY:
      if (r->cell)
        for (int64_t q = 0; q < r->cells; q++) cg_store(e, t.elem, y->cell[q], r->cell[q]);
      else if (yt.rank == 0) cg_store(e, t.elem, y->v, r->to);
      else if (y->v != r->to || y->cell || y->stride) cg_copy_value(e, r->to, yt, y);
      return;
    case IR_INTO: case IR_KEYED: {
      cg_value now = *y;
      if (r->last) {
        if (o->mode == IR_KEYED) { /* nobody has added here before */
          LV old = cg_load(e, t.elem, cg_gep(e, r->to, cg_flat(e, t, &o->axes)));
          now.v = t.elem == IR_REAL ? LLVMBuildFAdd(e->b, old, y->v, "") : cg_add(e, old, y->v);
        }
        cg_store(e, t.elem, now.v, r->last);
      }
      cg_place(e, t, r->to, &o->axes, yt, &now, o->mode == IR_KEYED && !r->last ? CG_ADD : CG_STORE);
      return;
    }
    default: break;
  }
  if (cg_real_sum(e, op, k)) {
    if (!r->acc) {
      cg_service(e, CG_HOST_csum_push, 4, (LV[]){r->sum, dense_address(e, yt, y), cells, r->lanes});
      return;
    }
    LV *c = y->cell ? y->cell : yt.rank ? cg_cells_of(e, o->yield) : (LV[]){y->v};
    LV lane = r->few ? order : LLVMBuildAnd(e->b, order, cg_int(e, CG_FEW - 1), "");
    for (int64_t q = 0; q < r->cells; q++) {
      LV at = cg_gep(e, r->acc, cg_add(e, cg_int(e, q * (r->few ? total : CG_FEW)), lane));
      cg_store(e, IR_REAL, r->few ? c[q] : LLVMBuildFAdd(e->b, cg_load(e, IR_REAL, at), c[q], ""), at);
    }
    return;
  }
  /* max, min, sums of ints: element by element */
  cg_for f = {0};
  LV to = r->to, x = y->v;
  if (yt.rank) {
    LV from = dense_address(e, yt, y);
    f = cg_for_begin(e, cells);
    to = cg_gep(e, to, f.index);
    x = cg_load(e, t.elem, cg_gep(e, from, f.index));
  }
  cg_store(e, t.elem, cg_fold2(e, o->mode, t.elem, cg_load(e, t.elem, to), x), to);
  if (yt.rank) cg_for_end(e, &f);
}

static void loop_single(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  LV n[IR_MAX_RANK];
  int64_t total = cg_extents(e, loop, n);
  cg_result *r = ARENA_ARRAY(e->mem, cg_result, loop->nout + 1);
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (cg_real_sum(e, op, k)) sum_begin(e, op, k, &r[k], total);
    else if (carries_cells(e, op, k)) cells_begin(e, op, k, &r[k]);
    else cg_result_begin(e, op, k, &r[k]);
  }
  cg_for f[IR_MAX_RANK];
  LV place = cg_int(e, 0);
  for (uint32_t k = 0; k < loop->nout && op->code == IR_SCAN_OP; k++) last_begin(e, op, k, &r[k], n[0]);
  for (uint32_t k = 0; k < loop->rank; k++) {
    f[k] = cg_for_begin(e, n[k]);
    LV index = loop->down ? LLVMBuildSub(e->b, LLVMBuildSub(e->b, n[k], cg_int(e, 1), ""), f[k].index, "") : f[k].index;
    place = cg_add(e, cg_mul(e, place, n[k]), index);
    e->v[loop->index[k]].v = index;
  }
  LV order = loop->down ? f[0].index : place;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    e->v[op->res[k]].root = op->res[k];
    if (!o->state) continue;
    ir_type t = ir_type_of(e->fn, o->state);
    cg_value *s = &e->v[o->state];
    s->cell = s->stride = NULL;
    s->root = op->res[k];
    if (!r[k].cell) {
      s->v = t.rank ? r[k].to : cg_load(e, t.elem, r[k].to);
      continue;
    }
    s->root = 0;
    s->cell = ARENA_ARRAY(e->mem, LV, (size_t)r[k].cells + 1);
    for (int64_t c = 0; c < r[k].cells; c++) s->cell[c] = cg_load(e, t.elem, r[k].cell[c]);
  }
  if (loop->live) {
    LB go = cg_block(e, "live");
    LLVMBuildCondBr(e->b, cg_val(e, loop->live), go, f[0].exit);
    LLVMPositionBuilderAtEnd(e->b, go);
  }
  cg_emit_block(e, &loop->body);
  cg_value *y = ARENA_ARRAY(e->mem, cg_value, loop->nout + 1);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    bool itself = o->mode == IR_CARRY && o->yield == o->state;
    if (itself) y[k] = e->v[o->yield];
    else y[k] = apart(e, op, o->yield);
    if (r[k].cell) y[k].cell = cg_cells_of(e, o->yield); /* loaded before any state changes */
    for (uint32_t a = 0; a < o->axes.n; a++) {
      ir_val v = o->axes.at[a];
      if (!v || !in_state(e, op, v)) continue;
      cg_value x = apart(e, op, v);
      e->v[v].v = x.v;
      e->v[v].root = 0;
      e->v[v].stride = NULL;
    }
  }
  for (uint32_t k = 0; k < loop->nout; k++) single_out(e, op, k, &r[k], &y[k], place, order, total);
  sums_step(e, op, r, order);
  for (uint32_t k = loop->rank; k-- > 0;) cg_for_end(e, &f[k]);
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (r[k].acc && r[k].sum) { /* what is left of the last block; none at all is a block of nothing */
      LV n_all = n[0];
      for (uint32_t a = 1; a < loop->rank; a++) n_all = cg_mul(e, n_all, n[a]);
      LB part = cg_block(e, "part"), on = cg_block(e, "on");
      LV left = LLVMBuildAnd(e->b, n_all, cg_int(e, BLOCK - 1), "");
      LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, left, cg_int(e, 0), ""), part, on);
      LLVMPositionBuilderAtEnd(e->b, part);
      push_block(e, &r[k]);
      LLVMBuildBr(e->b, on);
      LLVMPositionBuilderAtEnd(e->b, on);
    }
    if (loop->out[k].state) e->v[loop->out[k].state].last = NULL;
    result_end(e, op, k, &r[k], total);
  }
}

static bool inside_loop(const ir_op *op) {
  const ir_op *owner = op->block->owner;
  while (owner && owner->code == IR_IF_OP) owner = owner->block->owner;
  return owner != NULL;
}

/* A handful of iterations as straight code. */
static bool is_handful(E *e, const ir_op *op) {
  bool inner = inside_loop(op);
  int64_t total = cg_iterations(e, op), budget = inner ? INNER_OPS : OUTER_OPS;
  return total >= 1 && total <= (inner ? INNER_ITERATIONS : OUTER_ITERATIONS) && cg_unrolls(e, op, 1, &budget);
}

void cg_emit_loop(E *e, const ir_op *op) {
  if (e->unrolled || is_handful(e, op)) cg_unroll(e, op);
  else if (e->once || !cg_lanes(e, op)) loop_single(e, op);
}
