/* emit_column.c: plates of several axes on lanes.
 *
 * A box goes row by row, a row being its last axis in chunks of up to 256 iterations.  What is stacked or placed is stored; what
 * reduces goes to a column, from which it is taken in order.  Short rows share a column, which takes whole rows until the next would
 * not fit. */
#include "codegen/emit_internal.h"

enum { CHUNK = 256, COLUMN_CELLS = 4096 };

static bool reduces(const ir_out *o) { return o->mode != IR_STACK && o->mode != IR_INTO; }

static void put(E *e, const ir_op *op, uint32_t k, cg_result *r, LV j, LV place) {
  const ir_out *o = &op->u.loop->out[k];
  ir_type t = ir_type_of(e->fn, op->res[k]), yt = ir_type_of(e->fn, o->yield);
  if (r->few) {
    cg_store(e, IR_REAL, cg_val(e, o->yield), cg_gep(e, r->acc, place));
    return;
  }
  LV *y = cg_cells_of(e, o->yield);
  int64_t cells = cg_known_cells(e, yt);
  if (o->mode == IR_INTO) {
    cg_value v = yt.rank ? (cg_value){.cell = y} : (cg_value){.v = y[0]};
    cg_place(e, t, r->to, &o->axes, yt, &v, CG_STORE);
    return;
  }
  if (o->mode == IR_STACK) {
    for (int64_t c = 0; c < cells; c++) cg_store(e, yt.elem, y[c], cg_gep(e, r->to, cg_add(e, cg_mul(e, place, cg_int(e, cells)), cg_int(e, c))));
    return;
  }
  if (o->mode == IR_KEYED) cg_store(e, IR_INT, cg_flat(e, t, &o->axes), cg_gep(e, r->at, j));
  cg_store(e, yt.elem, y[0], cg_gep(e, r->column, j));
}

static void take(E *e, const ir_op *op, uint32_t k, cg_result *r, LV len) {
  const ir_out *o = &op->u.loop->out[k];
  bool f = ir_type_of(e->fn, o->yield).elem == IR_REAL;
  if (!reduces(o) || r->few) return;
  if (o->mode == IR_KEYED) {
    cg_service(e, f ? CG_HOST_scatter_add : CG_HOST_iscatter_add, 4, (LV[]){r->to, r->at, r->column, len});
    return;
  }
  if (o->mode == IR_SUM && f) {
    cg_service(e, CG_HOST_sum_push, 3, (LV[]){r->sum, r->column, len});
    return;
  }
  const cg_service_code fold = o->mode == IR_SUM ? CG_HOST_fold_isum : o->mode == IR_MAX ? (f ? CG_HOST_fold_max : CG_HOST_fold_imax) : (f ? CG_HOST_fold_min : CG_HOST_fold_imin);
  LV old = LLVMBuildLoad2(e->b, f ? e->f64 : e->i64, r->to, "");
  LLVMBuildStore(e->b, cg_service(e, fold, 3, (LV[]){old, r->column, len}), r->to);
}

/* Cells of a column that rows of n share: a multiple of both n and 32, so that sums stay aligned, where that is not large. */
static int64_t shared_room(int64_t n) {
  int64_t a = n, b = 32;
  while (b) { int64_t c = a % b; a = b; b = c; }
  int64_t both = n / a * 32;
  if (both <= CHUNK) return CHUNK / both * both;
  return both <= 4 * CHUNK ? both : CHUNK / n * n;
}

/* The rows of a plate in order; `first` and `len` say which part of a row this is. */
void cg_box(E *e, const ir_op *op, const LV *n) {
  const ir_loop *loop = op->u.loop;
  int64_t total = cg_iterations(e, op), columns = 0, known;
  cg_result *r = ARENA_ARRAY(e->mem, cg_result, loop->nout + 1);
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (cg_real_sum(e, op, k)) {
      r[k] = (cg_result){.few = total >= 1 && total <= CG_FEW};
      if (r[k].few) {
        r[k].acc = cg_column(e, IR_REAL, total);
        continue;
      }
      r[k].sum = cg_scratch(e, CG_SUM_CELLS);
      cg_service(e, CG_HOST_sum_start, 1, &r[k].sum);
    } else {
      cg_result_begin(e, op, k, &r[k]);
    }
    if (reduces(&loop->out[k])) columns += loop->out[k].mode == IR_KEYED ? 2 : 1;
  }
  int64_t chunk = CHUNK;
  while (chunk > 32 && chunk * columns > COLUMN_CELLS) chunk /= 2;
  uint32_t last = loop->rank - 1;
  bool once = cg_const(n[last], &known) && known <= chunk, shared = once && known > 0;
  if (once) chunk = known > 0 ? known : 1;
  int64_t room = shared ? shared_room(known) : chunk;
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (!reduces(&loop->out[k]) || r[k].few) continue;
    r[k].column = cg_column(e, ir_type_of(e->fn, loop->out[k].yield).elem, room);
    if (loop->out[k].mode == IR_KEYED) r[k].at = cg_column(e, IR_INT, room);
  }
  LV filled = NULL;
  if (shared) {
    filled = cg_alloca(e, e->i64);
    LLVMBuildStore(e->b, cg_int(e, 0), filled);
  }

  cg_for outer[IR_MAX_RANK], chunks;
  LV row = cg_int(e, 0); /* number of the row's first iteration */
  for (uint32_t k = 0; k < last; k++) {
    outer[k] = cg_for_begin(e, n[k]);
    e->v[loop->index[k]].v = outer[k].index;
    row = cg_mul(e, cg_add(e, row, outer[k].index), n[k + 1]);
  }
  LV first = cg_int(e, 0), len = n[last];
  if (!once) {
    LV many = LLVMBuildLShr(e->b, cg_add(e, n[last], cg_int(e, chunk - 1)), cg_int(e, __builtin_ctzll((unsigned long long)chunk)), "");
    chunks = cg_for_begin(e, many);
    first = cg_mul(e, chunks.index, cg_int(e, chunk));
    LV left = LLVMBuildSub(e->b, n[last], first, "");
    len = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, cg_int(e, chunk), ""), left, cg_int(e, chunk), "");
  }
  LV base = shared ? LLVMBuildLoad2(e->b, e->i64, filled, "") : cg_int(e, 0);
  cg_columns *special = cg_columns_find(e, op, chunk);
  cg_columns_before(e, special, first, len);
  cg_for f = cg_for_begin(e, len);
  LV own = e->group = cg_new_group(e), index = cg_add(e, first, f.index);
  e->unrolled++;
  cg_columns_at(e, special, f.index);
  e->v[loop->index[last]].v = index;
  cg_emit_block(e, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) put(e, op, k, &r[k], cg_add(e, base, f.index), cg_add(e, row, index));
  cg_columns_at(e, NULL, NULL);
  e->unrolled--;
  e->group = NULL;
  cg_for_end_lanes(e, &f, own, once ? 1 : 0, once && known % e->lanes, false);

  if (shared) {
    LB full = cg_block(e, "full"), on = cg_block(e, "on");
    LV now = cg_add(e, base, len);
    LLVMBuildStore(e->b, now, filled);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, now, cg_int(e, room - known), ""), full, on);
    LLVMPositionBuilderAtEnd(e->b, full);
    for (uint32_t k = 0; k < loop->nout; k++) take(e, op, k, &r[k], now);
    LLVMBuildStore(e->b, cg_int(e, 0), filled);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
  } else {
    for (uint32_t k = 0; k < loop->nout; k++) take(e, op, k, &r[k], len);
  }
  if (!once) cg_for_end(e, &chunks);
  for (uint32_t k = last; k-- > 0;) cg_for_end(e, &outer[k]);
  LV rest = shared ? LLVMBuildLoad2(e->b, e->i64, filled, "") : NULL;
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_val v = op->res[k];
    ir_type t = ir_type_of(e->fn, v);
    if (shared) take(e, op, k, &r[k], rest);
    cg_value *to = &e->v[v];
    to->cell = to->stride = NULL;
    to->root = v;
    if (r[k].few) to->v = cg_tree_at(e, r[k].acc, total);
    else if (r[k].sum) to->v = cg_service(e, CG_HOST_sum_value, 1, &r[k].sum);
    else to->v = t.rank ? r[k].to : cg_load(e, t.elem, r[k].to);
  }
}
