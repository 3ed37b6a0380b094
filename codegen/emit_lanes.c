/* emit_lanes.c: plates whose iterations run on the lanes of vectors.
 *
 * The body is straight code (emit_small.c) in a counted loop whose accesses are marked independent and which LLVM turns into vectors
 * of the width it is told.  What reduces goes by 32 iterations, the number of accumulators of a canonical sum: iteration l of a group
 * adds to accumulator l, so that a group is a few vector additions and the accumulators of a cheap body stay in registers over all
 * groups.  Keyed additions and extremes are taken from columns of a group, in order.  The last group may be part of one; a cheap
 * body stands twice for that, a costly one once.
 *
 * A box of several axes goes row by row through columns: emit_column.c.  A plate over the rows of a matrix goes by tiles, of which
 * this is the middle loop: emit_tile.c. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

enum { GROUP = CG_FEW, BLOCK = 4096, BODY_OPS = 1000, LONG_OPS = 16000, CHEAP_OPS = 24, MEDIUM_OPS = 64, HANDFUL = 4 };

static bool by_tile(E *e, const ir_out *o) { return e->v[o->yield].by_tile && o->mode == IR_SUM && ir_type_of(e->fn, o->yield).rank; }

static bool suits(E *e, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  int64_t budget = e->long_bodies ? LONG_OPS : BODY_OPS, known = cg_iterations(e, op);
  /* A handful gains less than the code of its mathematics on lanes takes to compile. */
  if (op->code != IR_PLATE_OP || (known >= 0 && known <= HANDFUL) || !cg_straight(e, &loop->body, 1, &budget)) return false;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (by_tile(e, o)) continue;
    ir_type t = ir_type_of(e->fn, op->res[k]), yt = ir_type_of(e->fn, o->yield);
    int64_t cells = cg_known_cells(e, yt);
    if (cells < 1 || cells > CG_CELLS_MOST) return false;
    for (uint32_t a = 0; a < o->axes.n; a++) if (o->axes.at[a] && ir_type_of(e->fn, o->axes.at[a]).rank > 0) return false;
    bool places = o->mode == IR_INTO || o->mode == IR_KEYED;
    if (places && t.rank == 0) return false;
    if (o->mode == IR_STACK || yt.rank == 0) continue;
    if (loop->rank > 1 && o->mode != IR_INTO) return false;
    if (o->mode == IR_MAX || o->mode == IR_MIN || (o->mode == IR_SUM && yt.elem != IR_REAL)) return false;
    for (uint32_t a = 0; places && a < t.rank; a++) if (!o->axes.at[a] && cg_known_cells(e, ir_array(IR_REAL, 1, &t.dim[a])) < 0) return false;
  }
  return true;
}

/* ---- checks of a plate on lanes */

static void find_checks(E *e, const ir_block *b, bool *any) {
  for (const ir_op *op = b->first; op; op = op->next) {
    if (ir_is_loop(op)) find_checks(e, &op->u.loop->body, any);
    if (op->code != IR_GUARD_OP && op->code != IR_BOUND_OP) continue;
    *any = true;
    struct guard_count g = {op, NULL};
    if (op->code == IR_GUARD_OP) ARENA_PUSH(e->mem, e->guard, e->nguards, e->cap_guards, g);
  }
}

void cg_checks_begin(E *e, const ir_op *op) {
  bool any = false;
  e->nguards = 0;
  find_checks(e, &op->u.loop->body, &any);
  e->failed = NULL;
  e->checks = CG_NOTE;
  if (!any) return;
  e->failed = cg_alloca(e, e->i1);
  LLVMBuildStore(e->b, LLVMConstInt(e->i1, 0, 0), e->failed);
}

/* The whole plate again, one iteration at a time, if something failed: for its checks alone. */
void cg_checks_end(E *e, const ir_op *op, const LV *n) {
  const ir_loop *loop = op->u.loop;
  e->checks = CG_REPORT;
  if (!e->failed) return;
  LB bad = cg_block(e, "failed"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, LLVMBuildLoad2(e->b, e->i1, e->failed, ""), bad, on);
  LLVMPositionBuilderAtEnd(e->b, bad);
  for (size_t k = 0; k < e->nguards; k++) {
    e->guard[k].count = cg_alloca(e, e->i64);
    LLVMBuildStore(e->b, cg_int(e, 0), e->guard[k].count);
  }
  e->checks = CG_COUNT;
  e->unrolled++;
  cg_for f[IR_MAX_RANK];
  for (uint32_t k = 0; k < loop->rank; k++) {
    f[k] = cg_for_begin(e, n[k]);
    e->v[loop->index[k]].v = f[k].index;
  }
  cg_emit_block(e, &loop->body);
  for (uint32_t k = loop->rank; k-- > 0;) cg_for_end(e, &f[k]);
  e->unrolled--;
  e->checks = CG_REPORT;
  for (size_t k = 0; k < e->nguards; k++) {
    LV count = LLVMBuildLoad2(e->b, e->i64, e->guard[k].count, "");
    LB some = cg_block(e, "guards"), next = cg_block(e, "next");
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntEQ, count, cg_int(e, 0), ""), next, some);
    LLVMPositionBuilderAtEnd(e->b, some);
    cg_service(e, CG_HOST_guard, 3, (LV[]){e->ctx, count, cg_int(e, cg_op_number(e, e->guard[k].op))});
    LLVMBuildBr(e->b, next);
    LLVMPositionBuilderAtEnd(e->b, next);
  }
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
}

/* ---- one axis */

typedef struct lanes {
  const ir_op *op;
  const ir_loop *loop;
  cg_result *r;
  int64_t known;  /* iterations; -1 */
  bool few, blocks;
  bool groups;    /* what iterations have in columns is that of a group, so they go group by group */
  bool cheap;     /* a group is straight code, its accumulators are in registers */
  bool twice;     /* the body stands apart for the last iterations */
  LV blocks_at;   /* [real sums' cells] states of sums over blocks */
  LV many;        /* more than a block */
  cg_tiles *tiles; /* or NULL */
  cg_columns *columns; /* or NULL */
} lanes;

/* A sum whose terms are in the body. */
static bool line_sum(E *e, const lanes *x, uint32_t k) { return cg_real_sum(e, x->op, k) && !by_tile(e, &x->loop->out[k]); }

/* What a body costs, as it stands when its loops are unrolled. */
static int64_t ops_of(E *e, const ir_block *b) {
  int64_t n = 0;
  for (const ir_op *op = b->first; op; op = op->next) {
    if (cg_by_tile(e, op) || cg_special_code(op->code) >= 0) continue;
    if (ir_is_loop(op)) n += cg_iterations(e, op) * ops_of(e, &op->u.loop->body);
    else if (op->code == IR_MATMUL_OP) {
      int64_t work = 0;
      cg_small_matmul(e, op, &work);
      n += 2 * work;
    } else {
      n += ir_op_table[op->code].flops;
    }
  }
  return n;
}

/* Of a group or less: not shared with other plates, as LLVM may keep it in registers. */
static LV column(E *e, int elem, int64_t cells) {
  return cg_alloca(e, LLVMArrayType2(elem == IR_REAL ? e->f64 : e->i64, (uint64_t)cells));
}

static void begin(E *e, lanes *x) {
  int64_t sums = 0, width = x->few ? x->known : GROUP;
  for (uint32_t k = 0; k < x->loop->nout; k++) {
    const ir_out *o = &x->loop->out[k];
    int elem = ir_type_of(e->fn, o->yield).elem;
    cg_result *r = &x->r[k];
    if (by_tile(e, o)) continue;
    r->cells = cg_known_cells(e, ir_type_of(e->fn, o->yield));
    if (line_sum(e, x, k)) {
      *r = (cg_result){.cells = r->cells, .few = x->few};
      r->acc = r->rest = column(e, IR_REAL, r->cells * width);
      x->groups = true;
      sums += r->cells;
      continue;
    }
    int64_t cells = r->cells;
    cg_result_begin(e, x->op, k, r);
    r->cells = cells;
    if (o->mode == IR_STACK || o->mode == IR_INTO || o->mode == IR_SUM) continue;
    x->groups = true;
    r->column = column(e, elem, cells * width);
    if (o->mode == IR_KEYED) r->at = column(e, IR_INT, width);
  }
  x->blocks = (sums > 0 || x->tiles) && (x->known < 0 || x->known > BLOCK);
  if (x->tiles) cg_tiles_begin(e, x->tiles, x->blocks);
  /* Most of the vector registers hold accumulators. */
  int64_t registers = e->lanes == 8 ? 32 : 16;
  x->cheap = !x->few && !x->tiles && ops_of(e, &x->loop->body) <= CHEAP_OPS && sums * (GROUP / e->lanes) <= registers * 5 / 8;
  x->twice = !x->few && ops_of(e, &x->loop->body) <= MEDIUM_OPS;
  if (!x->blocks) return;
  x->blocks_at = cg_scratch(e, sums * CG_BLOCKS_CELLS);
  if (sums) cg_service(e, CG_HOST_blocks_start, 2, (LV[]){x->blocks_at, cg_int(e, sums)});
}

static LV cell_at(E *e, LV base, int64_t cell, int64_t width, LV lane) { return cg_gep(e, base, cg_add(e, cg_int(e, cell * width), lane)); }

/* Iteration `index`, lane `lane` of its group. */
static void body(E *e, lanes *x, LV index, LV lane, bool rest) {
  const ir_loop *loop = x->loop;
  int64_t width = x->few ? x->known : GROUP;
  e->v[loop->index[0]].v = index;
  cg_emit_block(e, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    ir_type t = ir_type_of(e->fn, x->op->res[k]), yt = ir_type_of(e->fn, o->yield);
    cg_result *r = &x->r[k];
    if (by_tile(e, o)) continue;
    LV *y = cg_cells_of(e, o->yield);
    if (o->mode == IR_INTO) {
      cg_value v = yt.rank ? (cg_value){.cell = y} : (cg_value){.v = y[0]};
      cg_place(e, t, r->to, &o->axes, yt, &v, CG_STORE);
      continue;
    }
    if (o->mode == IR_KEYED) cg_store(e, IR_INT, cg_flat(e, t, &o->axes), cg_gep(e, r->at, lane));
    for (int64_t c = 0; c < r->cells; c++) {
      if (o->mode == IR_STACK) {
        cg_store(e, yt.elem, y[c], cg_gep(e, r->to, cg_add(e, cg_mul(e, index, cg_int(e, r->cells)), cg_int(e, c))));
      } else if (o->mode == IR_SUM && yt.elem == IR_REAL) {
        LV to = cell_at(e, rest ? r->rest : r->acc, c, width, lane);
        cg_store(e, IR_REAL, x->few ? y[c] : LLVMBuildFAdd(e->b, cg_load(e, IR_REAL, to), y[c], ""), to);
      } else if (o->mode == IR_SUM) {
        LLVMBuildStore(e->b, cg_add(e, LLVMBuildLoad2(e->b, e->i64, r->to, ""), y[c]), r->to);
      } else {
        cg_store(e, yt.elem, y[c], cell_at(e, r->column, c, width, lane));
      }
    }
  }
}

/* Iterations first .. first + len - 1, a group or all there are. */
static void group(E *e, lanes *x, LV first, LV len, bool parts, bool unroll, bool rest) {
  const ir_loop *loop = x->loop;
  int64_t width = x->few ? x->known : GROUP;
  LV outer = e->group;
  cg_columns_before(e, x->columns, first, len);
  cg_for f = cg_for_begin(e, len);
  LV own = e->group = cg_new_group(e);
  e->unrolled++;
  cg_columns_at(e, x->columns, f.index);
  body(e, x, cg_add(e, first, f.index), f.index, rest);
  cg_columns_at(e, NULL, NULL);
  e->unrolled--;
  e->group = outer;
  /* What only stores, and is costly, is not to stand twice, nor again for the last few. */
  bool once = !x->groups && !x->twice && !x->few;
  cg_for_end_lanes(e, &f, own, x->groups || once ? 1 : 0, parts || once, unroll);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    cg_result *r = &x->r[k];
    ir_type t = ir_type_of(e->fn, x->op->res[k]);
    bool real = t.elem == IR_REAL;
    if (o->mode == IR_KEYED) {
      for (int64_t c = 0; c < r->cells; c++)
        cg_service(e, real ? CG_HOST_scatter_add : CG_HOST_iscatter_add, 4,
                (LV[]){cg_gep(e, r->to, cg_slice_at(e, t, &o->axes, c)), r->at, cg_gep(e, r->column, cg_int(e, c * width)), len});
    } else if (o->mode == IR_MAX || o->mode == IR_MIN) {
      const cg_service_code fold = o->mode == IR_MAX ? (real ? CG_HOST_fold_max : CG_HOST_fold_imax) : (real ? CG_HOST_fold_min : CG_HOST_fold_imin);
      LV old = LLVMBuildLoad2(e->b, real ? e->f64 : e->i64, r->to, "");
      LLVMBuildStore(e->b, cg_service(e, fold, 3, (LV[]){old, r->column, len}), r->to);
    }
  }
}

static void each_sum(E *e, lanes *x, void (*act)(E *, lanes *, cg_result *, int64_t, int64_t *), int64_t *at) {
  for (uint32_t k = 0; k < x->loop->nout; k++)
    if (line_sum(e, x, k)) act(e, x, &x->r[k], x->r[k].cells, at);
}

static void clear(E *e, lanes *x, cg_result *r, int64_t cells, int64_t *at) {
  (void)at, (void)x;
  for (int64_t c = 0; c < cells; c++)
    cg_call(e, "cg_lanes_clear", 1, (LV[]){cg_gep(e, r->acc, cg_int(e, c * GROUP))});
}
static void hand_over(E *e, lanes *x, cg_result *r, int64_t cells, int64_t *at) {
  (void)at, (void)x;
  LLVMBuildMemCpy(e->b, r->rest, 64, r->acc, 64, cg_int(e, cells * GROUP * 8));
}
static void push_block(E *e, lanes *x, cg_result *r, int64_t cells, int64_t *at) {
  cg_service(e, CG_HOST_blocks_push, 3, (LV[]){cg_gep(e, x->blocks_at, cg_int(e, *at * CG_BLOCKS_CELLS)), r->rest, cg_int(e, cells)});
  *at += cells;
}

/* m iterations from `first` on, group by group. */
static void groups(E *e, lanes *x, LV first, LV m) {
  int64_t known;
  bool exact = cg_const(m, &known);
  if (!x->twice) {
    cg_for g = cg_for_begin(e, exact ? cg_int(e, (known + GROUP - 1) / GROUP) : LLVMBuildLShr(e->b, cg_add(e, m, cg_int(e, GROUP - 1)), cg_int(e, 5), ""));
    LV at = cg_mul(e, g.index, cg_int(e, GROUP)), left = LLVMBuildSub(e->b, m, at, "");
    LV len = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, left, cg_int(e, GROUP), ""), left, cg_int(e, GROUP), "");
    if (exact && known % GROUP == 0) len = cg_int(e, GROUP);
    group(e, x, cg_add(e, first, at), len, !exact || known % GROUP, false, false);
    cg_for_end(e, &g);
    return;
  }
  LV full = LLVMBuildLShr(e->b, m, cg_int(e, 5), ""), done = cg_mul(e, full, cg_int(e, GROUP));
  cg_for g = cg_for_begin(e, full);
  group(e, x, cg_add(e, first, cg_mul(e, g.index, cg_int(e, GROUP))), cg_int(e, GROUP), false, x->cheap, false);
  cg_for_end(e, &g);
  if (x->cheap) each_sum(e, x, hand_over, NULL);
  LV left = LLVMBuildSub(e->b, m, done, "");
  if (exact && known % GROUP == 0) return;
  LB some = cg_block(e, "rest"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, left, cg_int(e, 0), ""), some, on);
  LLVMPositionBuilderAtEnd(e->b, some);
  group(e, x, cg_add(e, first, done), left, true, false, true);
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
}

static LV at_most(E *e, LV n, int64_t most) {
  return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, n, cg_int(e, most), ""), n, cg_int(e, most), "");
}

/* The same, at most a block where there are sums. */
static void block(E *e, lanes *x, LV first, LV m) {
  each_sum(e, x, clear, NULL);
  if (!x->tiles) {
    groups(e, x, first, m);
    return;
  }
  cg_tiles_clear(e, x->tiles);
  cg_for t = cg_for_begin(e, LLVMBuildAShr(e->b, cg_add(e, m, cg_int(e, CG_TILE - 1)), cg_int(e, __builtin_ctz(CG_TILE)), ""));
  LV at = cg_mul(e, t.index, cg_int(e, CG_TILE)), here = cg_add(e, first, at), len = at_most(e, LLVMBuildSub(e->b, m, at, ""), CG_TILE);
  cg_tiles_before(e, x->tiles, here, len);
  if (x->groups) groups(e, x, here, len);
  else group(e, x, here, len, true, false, false);
  cg_tiles_after(e, x->tiles, len);
  cg_for_end(e, &t);
}

static LV sum_value(E *e, lanes *x, cg_result *r, LV blocks) {
  if (x->few) return cg_tree_at(e, r->rest, x->known);
  LV one = cg_call(e, "cg_lanes_value", 1, &r->rest);
  if (!blocks) return one;
  LB from = LLVMGetInsertBlock(e->b), all = cg_block(e, "blocks"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, x->many, all, on);
  LLVMPositionBuilderAtEnd(e->b, all);
  LV more = cg_service(e, CG_HOST_blocks_value, 1, &blocks);
  LLVMBuildBr(e->b, on);
  LLVMPositionBuilderAtEnd(e->b, on);
  LV v = LLVMBuildPhi(e->b, e->f64, "");
  LLVMAddIncoming(v, (LV[]){one, more}, (LB[]){from, all}, 2);
  return v;
}

static void array_sums(E *e, lanes *x, cg_result *r, LV blocks, LV d) {
  int64_t width = x->few ? x->known : GROUP;
  if (x->few) {
    for (int64_t c = 0; c < r->cells; c++)
      cg_store(e, IR_REAL, cg_tree_at(e, cg_gep(e, r->rest, cg_int(e, c * width)), width), cg_gep(e, d, cg_int(e, c)));
    return;
  }
  if (!blocks) cg_service(e, CG_HOST_lanes_values, 3, (LV[]){d, r->rest, cg_int(e, r->cells)});
  else cg_service(e, CG_HOST_blocks_values, 5, (LV[]){d, r->rest, blocks, cg_int(e, r->cells), LLVMBuildZExt(e->b, x->many, e->i64, "")});
}

static void one_axis(E *e, const ir_op *op, LV n, int64_t known, cg_tiles *tiles) {
  const ir_loop *loop = op->u.loop;
  lanes x = {.op = op, .loop = loop, .known = known, .few = known >= 1 && known <= GROUP && !tiles, .tiles = tiles};
  x.r = ARENA_ARRAY(e->mem, cg_result, loop->nout + 1);
  x.columns = cg_columns_find(e, op, x.few ? known : GROUP);
  x.groups = x.columns != NULL; /* which hold a group */
  begin(e, &x);
  for (uint32_t k = 0; k < loop->nout && x.cheap; k++)
    if (line_sum(e, &x, k)) x.r[k].rest = column(e, IR_REAL, x.r[k].cells * GROUP);
  if (x.few || (!x.groups && !tiles)) {
    const int64_t vectors = (known + e->lanes - 1) / e->lanes;
    const bool unroll = x.few && (vectors == 1 || vectors * ops_of(e, &loop->body) <= MEDIUM_OPS);
    group(e, &x, cg_int(e, 0), n, x.few && known % e->lanes, unroll, false);
  } else if (!x.blocks) {
    block(e, &x, cg_int(e, 0), n);
  } else {
    /* At least one, so that there are accumulators. */
    LV some = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, n, cg_int(e, 1), ""), n, cg_int(e, 1), "");
    x.many = LLVMBuildICmp(e->b, LLVMIntSGT, n, cg_int(e, BLOCK), "");
    cg_for b = cg_for_begin(e, LLVMBuildLShr(e->b, cg_add(e, some, cg_int(e, BLOCK - 1)), cg_int(e, 12), ""));
    LV first = cg_mul(e, b.index, cg_int(e, BLOCK)), left = LLVMBuildSub(e->b, n, first, "");
    block(e, &x, first, at_most(e, left, BLOCK));
    LB push = cg_block(e, "push"), on = cg_block(e, "on");
    LLVMBuildCondBr(e->b, x.many, push, on);
    LLVMPositionBuilderAtEnd(e->b, push);
    int64_t at = 0;
    each_sum(e, &x, push_block, &at);
    if (tiles) cg_tiles_push(e, tiles);
    LLVMBuildBr(e->b, on);
    LLVMPositionBuilderAtEnd(e->b, on);
    cg_for_end(e, &b);
  }
  int64_t at = 0;
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_val v = op->res[k];
    ir_type t = ir_type_of(e->fn, v);
    cg_result *r = &x.r[k];
    cg_value *to = &e->v[v];
    if (tiles && cg_tiles_sum(e, tiles, k, x.many)) continue;
    if (!cg_real_sum(e, op, k)) {
      to->v = t.rank ? r->to : cg_load(e, t.elem, r->to);
      to->cell = to->stride = NULL;
      to->root = v;
      continue;
    }
    LV blocks = x.blocks ? cg_gep(e, x.blocks_at, cg_int(e, at * CG_BLOCKS_CELLS)) : NULL;
    if (t.rank == 0) to->v = sum_value(e, &x, r, blocks);
    else array_sums(e, &x, r, blocks, cg_memory(e, v));
    at += r->cells;
  }
}

bool cg_lanes(E *e, const ir_op *op) {
  LV n[IR_MAX_RANK];
  cg_tiles *tiles = cg_tiles_find(e, op);
  if (!suits(e, op)) {
    cg_tiles_drop(e, tiles);
    return false;
  }
  int64_t known = cg_extents(e, op->u.loop, n);
  e->tiles = tiles;
  cg_checks_begin(e, op);
  if (op->u.loop->rank == 1) one_axis(e, op, n[0], known, tiles);
  else cg_box(e, op, n);
  cg_checks_end(e, op, n);
  cg_release_columns(e);
  e->tiles = NULL;
  return true;
}
