/* interp_emit.c: operations to instructions, and a function as a whole.
 *
 * A scalar that all lanes share becomes an instruction on cells, one that varies a kernel on columns.  Literals are cells that
 * are filled once. */
#include "vm/interp_compile.h"

#include <string.h>

/* ---- scalars */

static int special_kernel(int code) {
  switch (code) {
#define X(CODE, name, meaning) case IR_##CODE##_OP: return RT_##CODE;
    RT_SPECIAL_OPS(X)
#undef X
    default: return -1;
  }
}

static int scalar_code(int code, ir_elem elem) {
  bool real = elem == IR_REAL;
  switch (code) {
    case IR_ADD_OP: return real ? I_RADD : I_IADD;
    case IR_SUB_OP: return real ? I_RSUB : I_ISUB;
    case IR_MUL_OP: return real ? I_RMUL : I_IMUL;
    case IR_NEG_OP: return real ? I_RNEG : I_INEG;
    case IR_ABS_OP: return real ? I_RABS : I_IABS;
    case IR_MIN_OP: return real ? I_RMIN : I_IMIN;
    case IR_MAX_OP: return real ? I_RMAX : I_IMAX;
    case IR_EQ_OP: return real ? I_REQ : I_IEQ;
    case IR_NE_OP: return real ? I_RNE : I_INE;
    case IR_LT_OP: return real ? I_RLT : I_ILT;
    case IR_LE_OP: return real ? I_RLE : I_ILE;
    case IR_DIV_OP: return I_RDIV;
    case IR_POW_OP: return I_RPOW;
    case IR_ATAN2_OP: return I_RATAN2;
    case IR_FMA_OP: return I_RFMA;
    case IR_IDIV_OP: return I_IDIV;
    case IR_IMOD_OP: return I_IMOD;
    case IR_AND_OP: return I_AND;
    case IR_OR_OP: return I_OR;
    case IR_NOT_OP: return I_NOT;
    case IR_SELECT_OP: return I_SELECT;
    case IR_TO_REAL_OP: return I_TO_REAL;
    case IR_TO_INT_OP: return I_TO_INT;
    case IR_BOOL_INT_OP: return I_MOV;
    case IR_GUARD_OP: return I_GUARD;
    case IR_FOLD_OP: return I_FOLD;
    default: break;
  }
#define X(CODE, name) if (code == IR_##CODE##_OP) return I_R##CODE;
  INTERP_REAL1(X)
#undef X
  return special_kernel(code) >= 0 ? I_SPECIAL : -1;
}

static bool known_int(const icomp *c, const ir_op *op, int64_t *k) {
  if (op->code != IR_ADD_OP && op->code != IR_SUB_OP && op->code != IR_MUL_OP) return false;
  const ival *a = &c->v[op->args[0]], *b = &c->v[op->args[1]];
  if (!a->known || !b->known) return false;
  if (op->code == IR_ADD_OP) return !__builtin_add_overflow(a->k, b->k, k);
  if (op->code == IR_SUB_OP) return !__builtin_sub_overflow(a->k, b->k, k);
  return !__builtin_mul_overflow(a->k, b->k, k);
}

static void set_known(icomp *c, ir_val v, int64_t k, bool integer) {
  ival *x = &c->v[v];
  x->kind = K_CELL;
  x->own = false;
  x->as_slot = 0;
  x->root = v;
  x->at = interp_int(c, k);
  x->known = integer;
  x->k = k;
}

static void emit_scalar(icomp *c, const ir_op *op) {
  int64_t k;
  if (known_int(c, op, &k)) {
    set_known(c, op->res[0], k, true);
    return;
  }
  int code = scalar_code(op->code, (ir_elem)ir_type_of(c->fn, op->args[0]).elem);
  if (code < 0) interp_refuse(c, arena_printf(c->tmp, "the interpreter does not run `%s`", ir_op_table[op->code].name));
  uint32_t arg[3] = {0};
  for (uint32_t q = 0; q < op->nargs && q < 3; q++) arg[q] = interp_as_cell(c, &c->v[op->args[q]]);
  interp_make(c, op->res[0], false);
  interp_ins *in = interp_put(c, code, c->v[op->res[0]].at, arg[0], arg[1]);
  in->c = arg[2];
  if (code == I_SPECIAL) in->u.special = c->program->kernels->special[special_kernel(op->code)];
}

/* ---- lanes */

static int kernel_un(int code) {
  switch (code) {
#define X(CODE, name) case IR_##CODE##_OP: return RT_##CODE;
    INTERP_REAL1(X)
#undef X
    default: return -1;
  }
}
static int kernel_bin(int code) {
  switch (code) {
#define X(CODE, name) case IR_##CODE##_OP: return RT_##CODE;
    INTERP_REAL2(X)
#undef X
    default: return -1;
  }
}
static int kernel_ibin(int code) {
  switch (code) {
    case IR_ADD_OP: return RT_IADD;
    case IR_SUB_OP: return RT_ISUB;
    case IR_MUL_OP: return RT_IMUL;
    case IR_IDIV_OP: return RT_IFLOORDIV;
    case IR_IMOD_OP: return RT_IMOD;
    case IR_MIN_OP: return RT_IMIN;
    case IR_MAX_OP: return RT_IMAX;
    case IR_AND_OP: return RT_AND;
    case IR_OR_OP: return RT_OR;
    default: return -1;
  }
}
static int kernel_iun(int code) {
  return code == IR_NEG_OP ? RT_INEG : code == IR_ABS_OP ? RT_IABS : code == IR_NOT_OP ? RT_NOT : -1;
}
static int kernel_cmp(int code) {
  return code == IR_EQ_OP ? RT_EQ : code == IR_NE_OP ? RT_NE : code == IR_LT_OP ? RT_LT : code == IR_LE_OP ? RT_LE : -1;
}

/* c[first] + lane plus or minus what all lanes share: the sum is made once, and a column of it where some use needs one. */
static void emit_affine(icomp *c, const ir_op *op) {
  ival *r = &c->v[op->res[0]];
  int which = c->v[op->args[0]].affine == 1 ? 0 : 1;
  const ival *x = &c->v[op->args[which]], *y = &c->v[op->args[1 - which]];
  uint32_t first = interp_cell(c);
  interp_put(c, op->code == IR_SUB_OP ? I_ISUB : I_IADD, first, x->first, interp_as_cell(c, y));
  if (r->column) {
    interp_make(c, op->res[0], true);
    interp_put(c, I_V_IOTA, r->at, first, 0)->u.i = 1;
  } else {
    r->kind = K_COL;
    r->own = false;
    r->at = 0;
    r->root = op->res[0];
  }
  r->first = first;
}

static void emit_lanes(icomp *c, const ir_op *op) {
  const rt_kernels *k = c->program->kernels;
  if (c->v[op->res[0]].affine == 1) {
    emit_affine(c, op);
    return;
  }
  bool real = ir_type_of(c->fn, op->args[0]).elem == IR_REAL;
  lane_operand a[3] = {{0}};
  for (uint32_t q = 0; q < op->nargs && q < 3; q++) a[q] = interp_as_lane(c, &c->v[op->args[q]]);
  interp_make(c, op->res[0], true);
  interp_ins *in = interp_put(c, I_V_MOV, c->v[op->res[0]].at, a[0].slot, a[1].slot);
  in->c = a[2].slot;
  in->s = (uint8_t)(a[0].stride | a[1].stride << 1 | a[2].stride << 2);
  int un = kernel_un(op->code), bin = kernel_bin(op->code), cmp = kernel_cmp(op->code);
  switch (op->code) {
    case IR_FMA_OP: in->op = I_V_FMA; return;
    case IR_SELECT_OP: in->op = I_V_SELECT; return;
    case IR_TO_REAL_OP: in->op = I_V_I2R; return;
    case IR_TO_INT_OP: in->op = I_V_R2I; return;
    case IR_BOOL_INT_OP: return;
    case IR_GUARD_OP: in->op = I_V_GUARD; return;
    case IR_FOLD_OP: in->op = I_V_FOLD; return;
    default: break;
  }
  if (special_kernel(op->code) >= 0) {
    in->op = I_V_SPECIAL;
    in->u.special = k->special[special_kernel(op->code)];
  } else if (cmp >= 0) {
    in->op = real ? I_V_CMP : I_V_IBIN;
    if (real) in->u.cmp = k->cmp[cmp];
    else in->u.ibin = k->icmp[cmp];
  } else if (real && un >= 0) {
    in->op = I_V_UN;
    in->u.un = k->un[un];
  } else if (real && bin >= 0) {
    in->op = I_V_BIN;
    in->u.bin = k->bin[bin];
  } else if (!real && kernel_iun(op->code) >= 0) {
    in->op = I_V_IUN;
    in->u.iun = k->iun[kernel_iun(op->code)];
  } else if (!real && kernel_ibin(op->code) >= 0) {
    in->op = I_V_IBIN;
    in->u.ibin = k->ibin[kernel_ibin(op->code)];
  } else {
    interp_refuse(c, arena_printf(c->tmp, "the interpreter does not run `%s`", ir_op_table[op->code].name));
  }
}

/* A checked index is the index: only the check is an instruction. */
static void emit_bound(icomp *c, const ir_op *op) {
  ir_val r = op->res[0], i = op->args[0];
  ival *x = &c->v[i], *y = &c->v[r];
  if (!interp_varies(c, i) && !interp_varies(c, op->args[1])) {
    interp_put(c, I_BOUND, 0, interp_as_cell(c, x), interp_as_cell(c, &c->v[op->args[1]]));
  } else if (y->affine == 1) {
    interp_put(c, I_V_BOUND_AFFINE, 0, x->first, interp_as_cell(c, &c->v[op->args[1]]));
  } else {
    lane_operand a = interp_as_lane(c, x), b = interp_as_lane(c, &c->v[op->args[1]]);
    interp_put(c, I_V_BOUND, 0, a.slot, b.slot)->s = (uint8_t)(a.stride | b.stride << 1);
  }
  if (interp_varies(c, r) && x->kind == K_CELL) { /* shared index, varying extent */
    interp_make(c, r, true);
    interp_copy(c, y, x);
    return;
  }
  y->kind = x->kind;
  y->own = false;
  y->at = x->at;
  y->as_slot = x->as_slot;
  y->first = x->first;
  y->known = x->known;
  y->k = x->k;
  y->root = x->root;
  if (y->affine == 1 && y->column && !y->at) { /* a column that the operand itself did not need */
    uint32_t first = y->first;
    interp_make(c, r, true);
    y->first = first;
    interp_put(c, I_V_IOTA, y->at, first, 0)->u.i = 1;
  }
}

static void emit_draw(icomp *c, const ir_op *op) {
  ir_val r = op->res[0];
  int64_t site = op->u.integer;
  if (site > INT32_MAX) interp_refuse(c, "the number of a site is too large");
  if (interp_varies(c, r)) {
    interp_draw d = {.code = op->code, .site = site};
    lane_operand key = interp_as_lane(c, &c->v[op->args[0]]), index = interp_as_lane(c, &c->v[op->args[1]]);
    for (uint32_t q = 2; q < op->nargs && q < 4; q++) {
      if (op->code == IR_CATEGORICAL_OP) {
        array_operand w = interp_as_array(c, &c->v[op->args[q]]);
        d.param[0] = w.slot, d.rs = w.rs, d.ls = w.ls;
        d.n = c->v[op->args[q]].cells;
        d.scratch = interp_temp(c, d.n);
      } else {
        lane_operand p = interp_as_lane(c, &c->v[op->args[q]]);
        d.param[q - 2] = p.slot, d.ps[q - 2] = p.stride;
      }
    }
    interp_make(c, r, true);
    interp_ins *in = interp_put(c, I_V_DRAW, c->v[r].at, key.slot, index.slot);
    in->s = (uint8_t)(key.stride | index.stride << 1);
    in->u.shape = interp_keep(c, &d, sizeof d);
    return;
  }
  uint32_t key = interp_as_cell(c, &c->v[op->args[0]]), index = interp_as_cell(c, &c->v[op->args[1]]);
  if (op->code == IR_CATEGORICAL_OP) {
    array_operand w = interp_as_array(c, &c->v[op->args[2]]);
    uint32_t n = interp_int(c, c->v[op->args[2]].cells);
    interp_make(c, r, false);
    interp_ins *in = interp_put(c, I_CATEGORICAL, c->v[r].at, key, index);
    in->c = w.slot;
    in->x = n;
    in->u.i = site;
    return;
  }
  uint32_t param[2] = {0};
  for (uint32_t q = 2; q < op->nargs && q < 4; q++) param[q - 2] = interp_as_cell(c, &c->v[op->args[q]]);
  interp_make(c, r, false);
  interp_ins *in = interp_put(c, I_DRAW, c->v[r].at, key, index);
  in->c = param[0];
  in->x = op->code;
  in->u.i = site << 32 | param[1];
}

/* ---- dense operations */

static void emit_matmul(icomp *c, const ir_op *op) {
  ir_val r = op->res[0];
  ir_type ta = ir_type_of(c->fn, op->args[0]), tb = ir_type_of(c->fn, op->args[1]);
  int64_t da[IR_MAX_RANK] = {0}, db[IR_MAX_RANK] = {0};
  interp_dims(c, ta, da);
  interp_dims(c, tb, db);
  bool at = op->flags & IR_TRANS_A, bt = op->flags & IR_TRANS_B;
  /* As a product of matrices: a vector is a row on the left and a column on the right, x y' a column and a row. */
  bool outer = ta.rank == 1 && tb.rank == 1 && bt;
  int64_t m = ta.rank == 1 ? 1 : da[at], k = ta.rank == 1 ? da[0] : da[!at], n = tb.rank == 1 ? 1 : db[!bt];
  if (outer) m = da[0], k = 1, n = db[0], at = bt = false;
  if (interp_varies(c, r)) {
    int row = interp_row_dot(c, op);
    if (row >= 0) {
      interp_row_dot_emit(c, op, row);
      return;
    }
    array_operand a = interp_as_array(c, &c->v[op->args[0]]), b = interp_as_array(c, &c->v[op->args[1]]);
    int kind = outer ? INTERP_OUTER : ta.rank == 2 && tb.rank == 2 ? INTERP_CHAINS : INTERP_CANONICAL;
    interp_vmat v = {.kind = kind, .m = m, .n = n, .k = k, .as = at ? 1 : k, .at = at ? m : 1, .bs = bt ? 1 : n, .bt = bt ? k : 1,
                     .ars = a.rs, .als = a.ls, .brs = b.rs, .bls = b.ls, .drs = c->lane.block};
    interp_csum sum = {.width = INTERP_CSUM_LANES, .row = c->lane.block, .levels = INTERP_CSUM_LEVELS, .lanes = RT_SUM_LANES};
    v.scratch = interp_temp(c, c->lane.block + interp_csum_cells(&sum));
    interp_make(c, r, true);
    interp_put(c, I_V_MATMUL, c->v[r].at, a.slot, b.slot)->u.shape = interp_keep(c, &v, sizeof v);
    return;
  }
  array_operand a = interp_as_array(c, &c->v[op->args[0]]), b = interp_as_array(c, &c->v[op->args[1]]);
  interp_make(c, r, false);
  uint32_t d = c->v[r].at;
  if (!outer && ta.rank == 1 && tb.rank == 1) {
    interp_put(c, I_DOT, d, a.slot, b.slot)->u.i = k;
    return;
  }
  interp_mat s = {m, n, k, at, bt};
  interp_ins *in;
  if (!outer && (ta.rank == 1 || tb.rank == 1)) { /* x A is A' x */
    bool left = tb.rank == 1;
    s = left ? (interp_mat){da[0], da[1], 0, at, 0} : (interp_mat){db[0], db[1], 0, !bt, 0};
    in = interp_put(c, I_GEMV, d, left ? a.slot : b.slot, left ? b.slot : a.slot);
  } else {
    in = interp_put(c, outer ? I_OUTER : I_GEMM, d, a.slot, b.slot);
  }
  in->u.shape = interp_keep(c, &s, sizeof s);
}

static void emit_dense(icomp *c, const ir_op *op) {
  ir_val r = op->res[0];
  array_operand a = interp_as_array(c, &c->v[op->args[0]]), b = {0};
  int64_t n[IR_MAX_RANK] = {0};
  interp_dims(c, ir_type_of(c->fn, op->args[0]), n);
  bool inverse = op->code == IR_INV_PTR_OP || op->code == IR_INV_LIST_OP;
  uint32_t buckets = 0; /* or scratch */
  if (inverse) buckets = interp_as_cell(c, &c->v[op->args[1]]);
  else if (op->nargs > 1) b = interp_as_array(c, &c->v[op->args[1]]);
  if (op->code == IR_INV_LIST_OP) {
    const ival *k = &c->v[op->args[1]];
    if (!k->known || k->k < 0) interp_refuse(c, "the number of buckets of inv_list is not known");
    b.slot = interp_temp(c, interp_mul(c, k->k, 2) + 1);
  }
  if (op->code == IR_QR_R_OP) buckets = interp_temp(c, RT_QR_SCRATCH(n[0]));
  interp_make(c, r, false);
  interp_ins *in = interp_put(c, I_CHOLESKY, c->v[r].at, a.slot, b.slot);
  in->c = buckets;
  in->u.i = n[0];
  switch (op->code) {
    case IR_CHOLESKY_OP: break;
    case IR_CHOL_ADJ_OP: in->op = I_CHOL_ADJ; break;
    case IR_INV_PTR_OP: in->op = I_INV_PTR; break;
    case IR_INV_LIST_OP: in->op = I_INV_LIST; break;
    case IR_QR_R_OP: {
      int64_t d[IR_MAX_RANK] = {0};
      interp_dims(c, ir_type_of(c->fn, op->args[1]), d);
      interp_mat s = {.m = d[0], .n = n[0]};
      in->op = I_QR_R;
      in->u.shape = interp_keep(c, &s, sizeof s);
      break;
    }
    default: {
      int64_t d[IR_MAX_RANK] = {0};
      ir_type t = ir_type_of(c->fn, op->args[1]);
      interp_dims(c, t, d);
      interp_mat s = {.m = n[0], .n = t.rank == 1 ? 1 : d[1], .ta = (op->flags & IR_TRANS_A) != 0};
      in->op = I_TRISOLVE;
      in->u.shape = interp_keep(c, &s, sizeof s);
    }
  }
}

static void emit_put(icomp *c, const ir_op *op, uint32_t number) {
  ir_val r = op->res[0], a = op->args[0];
  bool vary = interp_varies(c, r);
  ival *x = &c->v[a], *y = &c->v[r];
  if (interp_takes(c, a, number, vary)) {
    y->kind = x->kind;
    y->at = x->at;
    y->own = x->own;
    y->off = x->off;
    y->size = x->size;
    y->root = x->root == a && x->own ? r : x->root;
    x->own = false;
  } else {
    interp_make(c, r, vary);
    interp_copy(c, y, x);
  }
  interp_place_value(c, y, ir_type_of(c->fn, r), &op->u.axes, &c->v[op->args[1]], false, vary);
}

/* ---- watching: after each operation, its result and what it was made of */

static bool watchable(const icomp *c, ir_val v) {
  uint8_t kind = c->v[v].kind;
  return ir_type_of(c->fn, v).elem == IR_REAL && (kind == K_CELL || kind == K_ARR);
}

typedef struct watch_list {
  icomp *c;
  ir_val *v;
  size_t n, cap;
} watch_list;

static void watch_value(watch_list *w, ir_val v) {
  while (v && w->c->v[v].kind == K_SLICE) v = w->c->v[v].of;
  if (v && watchable(w->c, v)) ARENA_PUSH(w->c->tmp, w->v, w->n, w->cap, v);
}

static void watch_use(void *user, ir_val *use) {
  watch_list *w = user;
  if (*use && w->c->v[*use].depth <= w->c->depth) watch_value(w, *use);
}
static void watch_uses(void *user, ir_op *op) { ir_visit_uses(op, watch_use, user); }

static void emit_watch(icomp *c, const ir_op *op) {
  watch_list w = {.c = c};
  for (uint32_t k = 0; k < op->nres; k++) watch_value(&w, op->res[k]);
  size_t nres = w.n;
  if (!nres) return;
  ir_op *o = (ir_op *)(uintptr_t)op;
  ir_visit_uses(o, watch_use, &w);
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) ir_visit_ops(&o->u.loop->body, watch_uses, &w);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&o->u.branch->then_, watch_uses, &w);
    ir_visit_ops(&o->u.branch->else_, watch_uses, &w);
  }
  interp_watch s = {.nres = (uint32_t)nres, .nargs = (uint32_t)(w.n - nres), .factor = op->code == IR_CHOLESKY_OP};
  const ir_op *around = op->block->owner;
  for (uint32_t k = 0; around && around->code == IR_PLATE_OP && k < around->u.loop->rank; k++) {
    const ival *i = &c->v[around->u.loop->index[k]];
    if (i->kind == K_CELL) s.axis[s.naxes++] = i->at;
  }
  s.v = arena_alloc(&c->program->mem, w.n, sizeof *s.v);
  for (size_t k = 0; k < w.n; k++) {
    const ival *x = &c->v[w.v[k]];
    s.v[k].array = x->kind == K_ARR;
    s.v[k].slot = x->at;
    s.v[k].n = x->cells;
  }
  interp_put(c, I_NANCHECK, 0, 0, 0)->u.shape = interp_keep(c, &s, sizeof s);
}

/* ---- results that are kept */

static void emit_memo_find(icomp *c, const ir_op *op) {
  const ir_memo *f = op->u.memo;
  const ir_val handle = op->res[0], value = op->res[1];
  interp_memo s = {.table = f->number - 1, .nparts = op->nargs};
  int64_t key = 0;
  if (c->watched) { /* is computed again, to be seen */
    set_known(c, handle, -1, true);
    interp_make(c, value, false);
    interp_put(c, I_ZERO, interp_as_array(c, &c->v[value]).slot, 0, 0)->u.i = c->v[value].cells;
    return;
  }
  if (op->nargs > 64) interp_refuse(c, "a kept result hangs on more than 64 values");
  s.part = arena_alloc(&c->program->mem, op->nargs ? op->nargs : 1, sizeof *s.part);
  for (uint32_t k = 0; k < op->nargs; k++) {
    s.part[k].slot = interp_as_array(c, &c->v[op->args[k]]).slot;
    key += s.part[k].n = c->v[op->args[k]].cells;
  }
  interp_make(c, handle, false);
  interp_make(c, value, false);
  interp_put(c, I_MEMO_FIND, c->v[handle].at, interp_as_array(c, &c->v[value]).slot, 0)->u.shape = interp_keep(c, &s, sizeof s);
  c->program->kept[s.table] = (interp_kept){f->size, key, c->v[value].cells};
}

static void emit_memo_keep(icomp *c, const ir_op *op) {
  const ir_val r = op->res[0];
  interp_make(c, r, false);
  interp_copy(c, &c->v[r], &c->v[op->args[1]]);
  if (c->watched) return;
  interp_put(c, I_MEMO_KEEP, 0, interp_as_array(c, &c->v[r]).slot, interp_as_cell(c, &c->v[op->args[0]]))->x = op->u.memo->number - 1;
}

/* ---- one operation */

void interp_op(icomp *c, const ir_op *op) {
  uint32_t number = ++c->number;
  size_t mark = c->ntemp;
  span outside = c->at;
  c->at = op->where;
  ir_val r = op->nres ? op->res[0] : 0;
  switch (op->code) {
    case IR_REAL_OP:
      set_known(c, r, 0, false);
      c->v[r].at = interp_real(c, op->u.real);
      break;
    case IR_INT_OP: set_known(c, r, op->u.integer, true); break;
    case IR_BOOL_OP: set_known(c, r, op->u.integer != 0, false); break;
    case IR_SIZE_OP: {
      int64_t n;
      if (!size_value(c->fn->module->sizes, op->u.size, &n)) interp_refuse(c, "a size has no number");
      set_known(c, r, n, true);
      break;
    }
    case IR_BOUND_OP: emit_bound(c, op); break;
    case IR_NEW_OP:
      interp_make(c, r, false);
      interp_put(c, I_ZERO, c->v[r].at, 0, 0)->u.i = c->v[r].cells;
      break;
    case IR_AT_OP: interp_at(c, op); break;
    case IR_PUT_OP: emit_put(c, op, number); break;
    case IR_MATMUL_OP: emit_matmul(c, op); break;
    case IR_CHOLESKY_OP: case IR_CHOL_ADJ_OP: case IR_TRISOLVE_OP: case IR_QR_R_OP: case IR_INV_PTR_OP: case IR_INV_LIST_OP:
      emit_dense(c, op);
      break;
    case IR_PLATE_OP: case IR_SCAN_OP:
      if (c->v[r].scaled) interp_scaled_rows_emit(c, op);
      else interp_loop(c, op, number);
      break;
    case IR_IF_OP: interp_if(c, op); break;
    case IR_MEMO_FIND_OP: emit_memo_find(c, op); break;
    case IR_MEMO_KEEP_OP: emit_memo_keep(c, op); break;
    case IR_CALL_OP: interp_refuse(c, arena_printf(c->tmp, "a call of @%s was not inlined", op->u.callee->name)); break;
    case IR_UNIFORM_OP: case IR_NORMAL_OP: case IR_EXPONENTIAL_OP: case IR_GAMMA_OP: case IR_LOG_GAMMA_OP:
    case IR_POISSON_OP: case IR_BINOMIAL_OP: case IR_CATEGORICAL_OP:
      emit_draw(c, op);
      break;
    default:
      if (op->nres != 1 || op->nargs == 0) interp_refuse(c, arena_printf(c->tmp, "the interpreter does not run `%s`", ir_op_table[op->code].name));
      if (interp_varies(c, r)) emit_lanes(c, op);
      else emit_scalar(c, op);
  }
  if (c->watched) emit_watch(c, op);
  interp_die(c, number);
  interp_temps_free(c, mark);
  c->at = outside;
}

void interp_block(icomp *c, const ir_block *b) {
  for (const ir_op *op = b->first; op; op = op->next) interp_op(c, op);
  ++c->number;
}

/* ---- a function */

static const cell *param_source(icomp *c, const ir_param *p, const name_index *names, const exec_data *data, uint32_t nframe, const cell *const *frame) {
  if (p->role == IR_ROLE_DATA) {
    uint32_t at = name_index_get(names, p->name);
    if (!at || !data[at - 1].p) interp_refuse(c, arena_printf(c->tmp, "no data is bound to `%s`", p->name));
    return data[at - 1].p;
  }
  uint32_t r = 0;
  if (strncmp(p->name, "frame.", 6) == 0)
    for (const char *s = p->name + 6; *s >= '0' && *s <= '9' && r < 100000000; s++) r = r * 10 + (uint32_t)(*s - '0');
  if (r == 0 || r > nframe) interp_refuse(c, arena_printf(c->tmp, "@prepare has no result for `%s`", p->name));
  return frame[r - 1];
}

void interp_compile(icomp *c, interp_fn *out, const ir_fn *fn, size_t ndata, const exec_data *data, uint32_t nframe,
                    const cell *const *frame) {
  arena *mem = &c->program->mem;
  c->fn = fn;
  c->v = ARENA_ARRAY(c->tmp, ival, fn->nvals ? fn->nvals : 1);
  interp_cell(c);
  interp_slot_new(c, P_VIEW, 0);
  for (ir_val v = 1; v < fn->nvals; v++) {
    int64_t dim[IR_MAX_RANK];
    c->v[v].cells = fn->val[v].def == IR_DEF_NONE ? 0 : interp_dims(c, fn->val[v].type, dim);
    c->v[v].root = v;
  }
  interp_life(c);

  name_index names = {.a = c->tmp};
  for (size_t k = 0; k < ndata; k++) name_index_add(&names, data[k].name, (uint32_t)k + 1);
  out->in = arena_alloc(mem, fn->nparams, sizeof *out->in);
  for (uint32_t k = 0; k < fn->nparams; k++) {
    const ir_param *p = &fn->param[k];
    ival *x = &c->v[p->val];
    bool array = fn->val[p->val].type.rank > 0, bound = p->role == IR_ROLE_DATA || p->role == IR_ROLE_FRAME;
    const cell *from = bound ? param_source(c, p, &names, data, nframe, frame) : NULL;
    x->kind = array ? K_ARR : K_CELL;
    x->at = array ? interp_slot_new(c, bound ? P_FIXED : P_CALL, 0) : interp_cell(c);
    if (bound && array) c->slot[x->at].from = from;
    if (bound && !array) {
      interp_const q = {.at = x->at, .from = from};
      ARENA_PUSH(c->tmp, c->constant, c->nconst, c->cap_const, q);
      if (p->role == IR_ROLE_DATA && fn->val[p->val].type.elem == IR_INT) x->known = true, x->k = from->integer;
    }
    if (!bound) out->in[out->nin++] = (interp_port){.array = array, .at = x->at, .cells = x->cells, .stage = -1};
  }
  interp_block(c, &fn->body);

  out->out = arena_alloc(mem, fn->nret, sizeof *out->out);
  out->nout = fn->nret;
  bool *taken = ARENA_ARRAY(c->tmp, bool, c->nslot); /* by slot: a result that stands in the caller's memory */
  for (uint32_t k = 0; k < fn->nret; k++) {
    const ival *x = &c->v[fn->ret[k]];
    bool array = fn->val[fn->ret[k]].type.rank > 0;
    uint32_t at = array ? interp_as_array(c, x).slot : interp_as_cell(c, x);
    out->out[k] = (interp_port){.array = array, .at = at, .cells = x->cells, .stage = -1};
    /* All that touches the memory of an owned array does so through its slot, so the caller's memory can stand in for it. */
    if (array && x->kind == K_ARR && x->own && !taken[at]) taken[at] = out->out[k].direct = true, out->out[k].stage = x->off;
  }
  interp_put(c, I_RET, 0, 0, 0);
  for (uint32_t k = 0; k < out->nin; k++) {
    if (!out->in[k].array) continue;
    out->in[k].stage = c->work;
    c->work += (out->in[k].cells + 7) / 8 * 8;
    if (c->work > INT64_MAX / 64) interp_refuse(c, "an array is too large");
  }

  out->name = arena_strndup(mem, fn->name, strlen(fn->name));
  out->ncode = (uint32_t)c->ncode;
  out->code = memcpy(arena_alloc(mem, c->ncode, sizeof *c->code), c->code, c->ncode * sizeof *c->code);
  out->where = memcpy(arena_alloc(mem, c->ncode, sizeof *c->where), c->where, c->ncode * sizeof *c->where);
  out->nslots = (uint32_t)c->nslot;
  out->slot = memcpy(arena_alloc(mem, c->nslot, sizeof *c->slot), c->slot, c->nslot * sizeof *c->slot);
  out->nconst = (uint32_t)c->nconst;
  out->constant = arena_alloc(mem, c->nconst, sizeof *c->constant);
  if (c->nconst) memcpy(out->constant, c->constant, c->nconst * sizeof *c->constant);
  out->ncells = c->ncells;
  out->work = c->work;
  out->plates = c->plates;
  out->vector_plates = c->vector_plates;
}
