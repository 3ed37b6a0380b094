/* emit_loop.c: plates and scans.
 *
 * A plate whose body is straight scalar code becomes a *column plate*: chunks of its last axis are computed by a counted loop
 * without branches or dependences, which LLVM vectorises, into columns; then each output that reduces takes its column.  Failed
 * checks are collected: guards are counted, and a chunk with an index out of range is run again one iteration at a time to find
 * the place.  Everything else is a loop of single iterations.  Both round alike. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

enum { CHUNK = 256, COLUMN_CELLS = 4096, COLUMN_OPS = 1000, FEW = 32 };

static LV val(E *e, ir_val v) { return e->v[v].v; }
static bool real(E *e, ir_val v) { return ir_type_of(e->fn, v).elem == IR_REAL; }

/* ---- which plates are columns */

/* The number behind an extent or a size that is known while compiling; -1: none. */
static int64_t known_extent(E *e, ir_val v) {
  int64_t n;
  if (ir_is_int(e->fn, v, &n)) return n < 0 ? 0 : n;
  ir_size s = ir_size_of(e->fn, v);
  return s != IR_SIZE_NONE && size_value(e->m->sizes, s, &n) && n >= 0 ? n : -1;
}

/* Iterations of a plate that can stand unrolled in a column: few, with results that are reductions of scalars; else 0. */
static int64_t unrolls(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t total = 1;
  for (uint32_t k = 0; k < loop->rank; k++) {
    int64_t n = known_extent(e, loop->extent[k]);
    if (n < 1 || n > FEW || (total *= n) > FEW) return 0;
  }
  for (uint32_t k = 0; k < loop->nout; k++) {
    uint8_t mode = loop->out[k].mode;
    if (ir_type_of(e->fn, op->res[k]).rank > 0 || (mode != IR_SUM && mode != IR_MAX && mode != IR_MIN)) return 0;
  }
  return total;
}

static bool short_dot(E *e, const ir_op *op) {
  int64_t n;
  ir_type a = ir_type_of(e->fn, op->args[0]), b = ir_type_of(e->fn, op->args[1]);
  return !op->flags && a.rank == 1 && b.rank == 1 && size_value(e->m->sizes, a.dim[0], &n) && n >= 1 && n <= FEW;
}

/* *budget is what is left of the operations that a column may have. */
static bool straight(E *e, const ir_block *b, int64_t times, int64_t *budget) {
  for (const ir_op *op = b->first; op; op = op->next) {
    if ((*budget -= times) < 0) return false;
    switch (op->code) {
      case IR_PLATE_OP: {
        int64_t total = unrolls(e, op);
        if (total == 0 || !straight(e, &op->u.loop->body, times * total, budget)) return false;
        continue;
      }
      case IR_MATMUL_OP:
        if (!short_dot(e, op)) return false;
        continue;
      case IR_AT_OP:
        if (ir_type_of(e->fn, op->res[0]).rank > 0 && !cg_in_place(&op->u.axes)) return false;
        continue;
      case IR_SCAN_OP: case IR_IF_OP: case IR_CALL_OP: case IR_NEW_OP: case IR_PUT_OP: case IR_CHOLESKY_OP:
      case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP: case IR_UNIFORM_OP: case IR_NORMAL_OP:
      case IR_EXPONENTIAL_OP: case IR_GAMMA_OP: case IR_LOG_GAMMA_OP: case IR_POISSON_OP: case IR_BINOMIAL_OP: case IR_CATEGORICAL_OP:
      case IR_FOLD_OP:
        return false;
      default: break;
    }
    for (uint32_t k = 0; k < op->nres; k++)
      if (ir_type_of(e->fn, op->res[k]).rank > 0) return false;
  }
  return true;
}

static bool is_column(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t budget = COLUMN_OPS;
  if (op->code != IR_PLATE_OP || !straight(e, &loop->body, 1, &budget)) return false;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (ir_type_of(e->fn, o->yield).rank > 0) return false;
    if ((o->mode == IR_INTO || o->mode == IR_KEYED) && ir_type_of(e->fn, op->res[k]).rank == 0) return false;
  }
  return true;
}

/* ---- results */

typedef struct result {
  LV to;      /* array: its memory; scalar: an alloca */
  LV sum;     /* SUM of reals: terms (few), cg_sum or csum */
  LV lanes;
  LV column, at; /* column plates: a chunk's values and positions */
  bool few;
} result;

static LV extreme(E *e, int elem, int mode) {
  if (elem == IR_REAL) return LLVMConstReal(e->f64, mode == IR_MAX ? -__builtin_inf() : __builtin_inf());
  return cg_int(e, mode == IR_MAX ? INT64_MIN : INT64_MAX);
}

static LLVMTypeRef memory_type(E *e, int elem) { return elem == IR_REAL ? e->f64 : e->i64; }

/* cg_sum: 32 lanes, two counts, two levels of 32, two counts. */
enum { SUM_CELLS = 32 + 2 + 64 + 2 };

/* total: iterations, when known. */
static void result_begin(E *e, const ir_op *op, uint32_t k, result *r, int64_t total) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val res = op->res[k];
  ir_type t = ir_type_of(e->fn, res);
  *r = (result){NULL};
  r->few = total >= 1 && total <= FEW;
  if (o->init) {
    if (t.rank == 0) {
      r->to = cg_alloca(e, memory_type(e, t.elem));
      cg_store(e, t.elem, val(e, o->init), r->to);
    } else if (cg_takes(e, op, o->init)) {
      r->to = e->v[o->init].v;
    } else {
      r->to = cg_memory(e, res);
      cg_copy_cells(e, r->to, val(e, o->init), cg_cells(e, t));
    }
  } else if (t.rank == 0) {
    r->to = cg_alloca(e, memory_type(e, t.elem));
    if (o->mode == IR_MAX || o->mode == IR_MIN) LLVMBuildStore(e->b, extreme(e, t.elem, o->mode), r->to);
    else if (t.elem == IR_INT) LLVMBuildStore(e->b, cg_int(e, 0), r->to);
  } else {
    r->to = cg_memory(e, res);
    if (o->mode == IR_MAX || o->mode == IR_MIN || (o->mode == IR_SUM && t.elem == IR_INT)) {
      LV x = o->mode == IR_SUM ? cg_int(e, 0) : extreme(e, t.elem, o->mode);
      if (LLVMTypeOf(x) == e->f64) x = LLVMBuildBitCast(e->b, x, e->i64, "");
      cg_call(e, "cg_fill", 3, (LV[]){r->to, x, cg_cells(e, t)});
    }
  }
  if (o->mode != IR_SUM || t.elem != IR_REAL) return;
  if (t.rank == 0) {
    if (r->few) {
      r->sum = cg_alloca(e, LLVMArrayType2(e->f64, (uint64_t)total));
    } else {
      r->sum = cg_slot_scaled(e, 0, SUM_CELLS, t);
      cg_call(e, "cg_sum_start", 1, &r->sum);
    }
    return;
  }
  int64_t lanes = r->few ? total : 32;
  r->few = false;
  r->lanes = cg_int(e, lanes);
  r->sum = cg_slot_scaled(e, lanes * (total >= 0 && total <= 4096 ? 1 : 3), 3, t);
  cg_call(e, "cg_csum_start", 3, (LV[]){r->sum, cg_cells(e, t), r->lanes});
}

static void result_end(E *e, const ir_op *op, uint32_t k, result *r, int64_t total) {
  const ir_out *o = &op->u.loop->out[k];
  ir_val res = op->res[k];
  ir_type t = ir_type_of(e->fn, res);
  e->v[res].root = res;
  if (o->mode == IR_SUM && t.elem == IR_REAL) {
    if (t.rank > 0) {
      cg_call(e, "cg_csum_value", 4, (LV[]){r->to, r->sum, cg_cells(e, t), r->lanes});
      e->v[res].v = r->to;
    } else {
      e->v[res].v = r->few ? cg_call(e, "cg_sum_few", 2, (LV[]){r->sum, cg_int(e, total)}) : cg_call(e, "cg_sum_value", 1, &r->sum);
    }
    return;
  }
  e->v[res].v = t.rank > 0 ? r->to : cg_load(e, t.elem, r->to);
}

/* Iterations when they are known, else -1; *n as a value, extents below 0 counted as 0. */
static int64_t extents(E *e, const ir_loop *loop, LV *n) {
  int64_t total = 1;
  bool known = true;
  for (uint32_t k = 0; k < loop->rank; k++) {
    LV x = val(e, loop->extent[k]);
    int64_t c;
    n[k] = x;
    if (cg_const(x, &c)) {
      if (c < 0) c = 0, n[k] = cg_int(e, 0);
      if (known && __builtin_mul_overflow(total, c, &total)) known = false;
    } else {
      known = false;
      if (ir_size_of(e->fn, loop->extent[k]) == IR_SIZE_NONE)
        n[k] = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, x, cg_int(e, 0), ""), x, cg_int(e, 0), "");
    }
  }
  return known ? total : -1;
}

/* ---- column plates */

static void count_guards(E *e, const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next) {
    if (op->code == IR_PLATE_OP) count_guards(e, &op->u.loop->body);
    if (op->code != IR_GUARD_OP) continue;
    struct guard_count g = {op, cg_alloca(e, e->i64)};
    ARENA_PUSH(e->mem, e->guard, e->nguards, e->cap_guards, g);
  }
}

static bool has_bound(const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next)
    if (op->code == IR_BOUND_OP || (op->code == IR_PLATE_OP && has_bound(&op->u.loop->body))) return true;
  return false;
}

static void column_out(E *e, const ir_op *op, uint32_t k, result *r, LV j, LV place) {
  const ir_out *o = &op->u.loop->out[k];
  int elem = ir_type_of(e->fn, o->yield).elem;
  LV y = val(e, o->yield);
  switch (o->mode) {
    case IR_STACK: cg_store(e, elem, y, cg_gep(e, r->to, place)); return;
    case IR_INTO: cg_place(e, ir_type_of(e->fn, op->res[k]), r->to, &o->axes, ir_type_of(e->fn, o->yield), y, CG_STORE); return;
    case IR_KEYED: cg_store(e, IR_INT, cg_flat(e, ir_type_of(e->fn, op->res[k]), &o->axes), cg_gep(e, r->at, j)); break;
    default: break;
  }
  cg_store(e, elem, y, cg_gep(e, r->column, j));
}

static void column_flush(E *e, const ir_op *op, uint32_t k, result *r, LV len) {
  const ir_out *o = &op->u.loop->out[k];
  bool f = real(e, o->yield);
  LLVMTypeRef t = f ? e->f64 : e->i64;
  switch (o->mode) {
    case IR_KEYED: cg_call(e, f ? "cg_scatter_add" : "cg_iscatter_add", 4, (LV[]){r->to, r->at, r->column, len}); return;
    case IR_SUM:
      if (f) {
        if (!r->few) cg_call(e, "cg_sum_push", 3, (LV[]){r->sum, r->column, len});
        return;
      }
      break;
    case IR_MAX: case IR_MIN: break;
    default: return;
  }
  const char *fold = o->mode == IR_SUM ? "cg_fold_isum" : o->mode == IR_MAX ? (f ? "cg_fold_max" : "cg_fold_imax") : (f ? "cg_fold_min" : "cg_fold_imin");
  LV old = LLVMBuildLoad2(e->b, t, r->to, "");
  LLVMBuildStore(e->b, cg_call(e, fold, 3, (LV[]){old, r->column, len}), r->to);
}

/* Cells of a column that rows of n share: a multiple of both n and 32, so that sums stay aligned, where that is not large. */
static int64_t shared_room(int64_t n) {
  int64_t a = n, b = 32;
  while (b) { int64_t c = a % b; a = b; b = c; }
  int64_t both = n / a * 32;
  if (both <= CHUNK) return CHUNK / both * both;
  return both <= 4 * CHUNK ? both : CHUNK / n * n;
}

static void set_indices(E *e, const ir_loop *loop, const LV *index) {
  for (uint32_t k = 0; k < loop->rank; k++) e->v[loop->index[k]].v = index[k];
}

static void loop_column(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  LV n[IR_MAX_RANK], index[IR_MAX_RANK];
  int64_t total = extents(e, loop, n), columns = 0;
  result *r = ARENA_ARRAY(e->mem, result, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++) {
    result_begin(e, op, k, &r[k], total);
    if (loop->out[k].mode != IR_STACK && loop->out[k].mode != IR_INTO && !(r[k].few && loop->out[k].mode == IR_SUM)) columns += loop->out[k].mode == IR_KEYED ? 2 : 1;
  }
  int64_t chunk = CHUNK;
  while (chunk > 32 && chunk * columns > COLUMN_CELLS) chunk /= 2;
  uint32_t last = loop->rank - 1;
  int64_t known;
  bool once = cg_const(n[last], &known) && known <= chunk;
  if (once) chunk = known > 0 ? known : 1;
  /* Short rows of a box share a column: it takes whole rows until the next would not fit. */
  bool shared = once && last > 0 && known > 0;
  int64_t room = shared ? shared_room(known) : chunk;
  for (uint32_t k = 0; k < loop->nout; k++) {
    uint8_t mode = loop->out[k].mode;
    if (mode == IR_STACK || mode == IR_INTO) continue;
    LLVMTypeRef t = LLVMArrayType2(real(e, loop->out[k].yield) ? e->f64 : e->i64, (uint64_t)room);
    if (!(r[k].few && mode == IR_SUM && real(e, op->res[k]))) r[k].column = cg_alloca(e, t);
    if (mode == IR_KEYED) r[k].at = cg_alloca(e, LLVMArrayType2(e->i64, (uint64_t)room));
  }
  LV filled = NULL;
  if (shared) {
    filled = cg_alloca(e, e->i64);
    LLVMBuildStore(e->b, cg_int(e, 0), filled);
  }
  e->nguards = 0;
  count_guards(e, &loop->body);
  bool bound = has_bound(&loop->body);
  if (bound) e->failed = cg_alloca(e, e->i64);

  cg_for outer[IR_MAX_RANK];
  LV row = cg_int(e, 0); /* number of the row's first iteration */
  for (uint32_t k = 0; k < last; k++) {
    outer[k] = cg_for_begin(e, n[k]);
    index[k] = outer[k].index;
    row = cg_mul(e, cg_add(e, row, index[k]), n[k + 1]);
  }
  cg_for chunks;
  LV first = cg_int(e, 0), len = n[last];
  if (!once) {
    LV many = LLVMBuildLShr(e->b, cg_add(e, n[last], cg_int(e, chunk - 1)), cg_int(e, __builtin_ctzll((unsigned long long)chunk)), "");
    chunks = cg_for_begin(e, many);
    first = cg_mul(e, chunks.index, cg_int(e, chunk));
    LV left = LLVMBuildSub(e->b, n[last], first, "");
    len = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, cg_int(e, chunk), ""), left, cg_int(e, chunk), "");
  }
  for (size_t k = 0; k < e->nguards; k++) LLVMBuildStore(e->b, cg_int(e, 0), e->guard[k].count);
  if (bound) LLVMBuildStore(e->b, cg_int(e, 0), e->failed);

  LV base = shared ? LLVMBuildLoad2(e->b, e->i64, filled, "") : cg_int(e, 0);
  cg_for f = cg_for_begin(e, len);
  if (e->next_group >= e->ngroups) cg_fail(e, "more loops than there are");
  e->group = e->groups[e->next_group++];
  e->column = true;
  index[last] = cg_add(e, first, f.index);
  set_indices(e, loop, index);
  cg_emit_block(e, &loop->body);
  LV place = cg_add(e, row, index[last]);
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (r[k].few && loop->out[k].mode == IR_SUM && real(e, op->res[k])) {
      cg_store(e, IR_REAL, val(e, loop->out[k].yield), cg_gep(e, r[k].sum, place));
    } else {
      column_out(e, op, k, &r[k], cg_add(e, base, f.index), place);
    }
  }
  LV group = e->group;
  e->group = NULL;
  e->column = false;
  cg_for_end_parallel(e, &f, group);

  for (size_t k = 0; k < e->nguards; k++) {
    LV count = LLVMBuildLoad2(e->b, e->i64, e->guard[k].count, "");
    LB bad = cg_block(e, "guards"), on = cg_block(e, "on");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, count, cg_int(e, 0), ""), on, bad);
    LLVMPositionBuilderAtEnd(e->b, bad);
    cg_call(e, "cg_guard", 3, (LV[]){e->ctx, count, cg_int(e, cg_op_number(e, e->guard[k].op))});
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
  }
  if (bound) {
    LB bad = cg_block(e, "outside"), on = cg_block(e, "on");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, LLVMBuildLoad2(e->b, e->i64, e->failed, ""), cg_int(e, 0), ""), on, bad);
    LLVMPositionBuilderAtEnd(e->b, bad);
    cg_for again = cg_for_begin(e, len);
    index[last] = cg_add(e, first, again.index);
    set_indices(e, loop, index);
    cg_emit_block(e, &loop->body);
    cg_for_end(e, &again);
    LLVMBuildRet(e->b, cg_int(e, 1));
    LLVMPositionBuilderAtEnd(e->b, on);
  }
  if (shared) {
    LB full = cg_block(e, "full"), on = cg_block(e, "on");
    LV now = cg_add(e, base, len);
    LLVMBuildStore(e->b, now, filled);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, now, cg_int(e, room - known), ""), full, on);
    LLVMPositionBuilderAtEnd(e->b, full);
    for (uint32_t k = 0; k < loop->nout; k++) column_flush(e, op, k, &r[k], now);
    LLVMBuildStore(e->b, cg_int(e, 0), filled);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
  } else {
    for (uint32_t k = 0; k < loop->nout; k++) column_flush(e, op, k, &r[k], len);
  }
  if (!once) cg_for_end(e, &chunks);
  for (uint32_t k = last; k-- > 0;) cg_for_end(e, &outer[k]);
  if (shared) {
    LV rest = LLVMBuildLoad2(e->b, e->i64, filled, "");
    for (uint32_t k = 0; k < loop->nout; k++) column_flush(e, op, k, &r[k], rest);
  }
  for (uint32_t k = 0; k < loop->nout; k++) result_end(e, op, k, &r[k], total);
}

/* ---- one iteration at a time */

/* Something that the body yields stands in memory that the outputs are about to change. */
static bool in_state(E *e, const ir_op *op, ir_val v) {
  if (ir_type_of(e->fn, v).rank == 0 || !e->v[v].root) return false;
  for (uint32_t k = 0; k < op->nres; k++) if (op->u.loop->out[k].init && e->v[v].root == op->res[k]) return true;
  return false;
}

static LV apart(E *e, const ir_op *op, ir_val v) {
  LV x = val(e, v);
  if (!in_state(e, op, v)) return x;
  LV t = cg_temp(e, ir_type_of(e->fn, v));
  cg_copy_cells(e, t, x, cg_cells(e, ir_type_of(e->fn, v)));
  return t;
}

static void single_out(E *e, const ir_op *op, uint32_t k, result *r, LV y, LV place, LV order) {
  const ir_out *o = &op->u.loop->out[k];
  ir_type t = ir_type_of(e->fn, op->res[k]), yt = ir_type_of(e->fn, o->yield);
  LV cells = yt.rank ? cg_cells(e, yt) : NULL;
  switch (o->mode) {
    case IR_STACK:
      if (yt.rank == 0) cg_store(e, t.elem, y, cg_gep(e, r->to, place));
      else cg_copy_cells(e, cg_gep(e, r->to, cg_mul(e, place, cells)), y, cells);
      return;
    case IR_CARRY:
      if (yt.rank == 0) cg_store(e, t.elem, y, r->to);
      else cg_copy_cells(e, r->to, y, cells);
      return;
    case IR_INTO: case IR_KEYED: cg_place(e, t, r->to, &o->axes, yt, y, o->mode == IR_INTO ? CG_STORE : CG_ADD); return;
    case IR_SUM:
      if (t.elem == IR_REAL && t.rank == 0) {
        if (r->few) cg_store(e, IR_REAL, y, cg_gep(e, r->sum, order));
        else cg_call(e, "cg_sum_push1", 2, (LV[]){r->sum, y});
        return;
      }
      if (t.elem == IR_REAL) {
        cg_call(e, "cg_csum_push", 4, (LV[]){r->sum, y, cells, r->lanes});
        return;
      }
      break;
    default: break;
  }
  /* max, min, sums of ints: element by element */
  cg_for f = {0};
  LV to = r->to;
  if (yt.rank) {
    f = cg_for_begin(e, cells);
    to = cg_gep(e, to, f.index);
    y = cg_load(e, t.elem, cg_gep(e, y, f.index));
  }
  LV old = cg_load(e, t.elem, to);
  if (t.elem == IR_REAL) y = cg_call(e, o->mode == IR_MAX ? "cg_max" : "cg_min", 2, (LV[]){old, y});
  else if (o->mode == IR_SUM) y = cg_add(e, old, y);
  else y = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, o->mode == IR_MAX ? LLVMIntSGT : LLVMIntSLT, y, old, ""), y, old, "");
  cg_store(e, t.elem, y, to);
  if (yt.rank) cg_for_end(e, &f);
}

static void loop_single(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  LV n[IR_MAX_RANK], index[IR_MAX_RANK];
  int64_t total = extents(e, loop, n);
  result *r = ARENA_ARRAY(e->mem, result, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++) result_begin(e, op, k, &r[k], total);
  cg_for f[IR_MAX_RANK];
  LV place = cg_int(e, 0);
  for (uint32_t k = 0; k < loop->rank; k++) {
    f[k] = cg_for_begin(e, n[k]);
    index[k] = loop->down ? LLVMBuildSub(e->b, LLVMBuildSub(e->b, n[k], cg_int(e, 1), ""), f[k].index, "") : f[k].index;
    place = cg_add(e, cg_mul(e, place, n[k]), index[k]);
  }
  LV order = loop->down ? f[0].index : place;
  set_indices(e, loop, index);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    e->v[op->res[k]].root = op->res[k];
    if (!o->state) continue;
    ir_type t = ir_type_of(e->fn, o->state);
    e->v[o->state].v = t.rank ? r[k].to : cg_load(e, t.elem, r[k].to);
    e->v[o->state].root = op->res[k];
  }
  cg_emit_block(e, &loop->body);
  LV *y = ARENA_ARRAY(e->mem, LV, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    bool itself = o->mode == IR_CARRY && o->yield == o->state;
    y[k] = itself ? val(e, o->yield) : apart(e, op, o->yield);
    for (uint32_t a = 0; a < o->axes.n; a++) {
      ir_val v = o->axes.at[a];
      if (v && in_state(e, op, v)) e->v[v].v = apart(e, op, v), e->v[v].root = 0;
    }
  }
  for (uint32_t k = 0; k < loop->nout; k++) single_out(e, op, k, &r[k], y[k], place, order);
  for (uint32_t k = loop->rank; k-- > 0;) cg_for_end(e, &f[k]);
  for (uint32_t k = 0; k < loop->nout; k++) result_end(e, op, k, &r[k], total);
}

/* ---- inside a column: iteration after iteration, in registers */

LV cg_tree(E *e, LV *t, int64_t n) {
  for (int64_t h = 16; h > 0; h /= 2)
    for (int64_t l = 0; l < h && l + h < n; l++) t[l] = LLVMBuildFAdd(e->b, t[l], t[l + h], "");
  return LLVMBuildFAdd(e->b, t[0], LLVMConstReal(e->f64, 0.0), ""); /* a sum starts at +0.0 */
}

static void loop_unrolled(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t n[IR_MAX_RANK], total = unrolls(e, op);
  for (uint32_t k = 0; k < loop->rank; k++) n[k] = known_extent(e, loop->extent[k]);
  LV (*y)[FEW] = (LV(*)[FEW])ARENA_ARRAY(e->mem, LV, (size_t)FEW * loop->nout + 1);
  for (int64_t i = 0; i < total; i++) {
    int64_t rest = i;
    for (uint32_t k = loop->rank; k-- > 0; rest /= n[k]) e->v[loop->index[k]].v = cg_int(e, rest % n[k]);
    cg_emit_block(e, &loop->body);
    for (uint32_t k = 0; k < loop->nout; k++) y[k][i] = val(e, loop->out[k].yield);
  }
  for (uint32_t k = 0; k < loop->nout; k++) {
    uint8_t mode = loop->out[k].mode;
    bool f = real(e, op->res[k]);
    LV r = mode == IR_SUM ? (f ? cg_tree(e, y[k], total) : cg_int(e, 0)) : extreme(e, f ? IR_REAL : IR_INT, mode);
    for (int64_t i = 0; i < total && !(f && mode == IR_SUM); i++) {
      LV x = y[k][i];
      if (f) r = cg_call(e, mode == IR_MAX ? "cg_max" : "cg_min", 2, (LV[]){r, x});
      else if (mode == IR_SUM) r = cg_add(e, r, x);
      else r = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, mode == IR_MAX ? LLVMIntSGT : LLVMIntSLT, x, r, ""), x, r, "");
    }
    e->v[op->res[k]].v = r;
  }
}

void cg_emit_loop(E *e, const ir_op *op) {
  if (e->column) loop_unrolled(e, op);
  else if (is_column(e, op)) loop_column(e, op);
  else loop_single(e, op);
}
