/* ir_build.c: making modules, functions, values and operations.
 *
 * The type of a result follows from the operands and is found here, once, for every way of making an operation: front end,
 * derivations, passes and the parser.  Nothing is checked: an operation with operands that do not fit gets some type, and
 * ir_verify names the fault. */
#include "compiler/ir.h"

#include <stdarg.h>
#include <string.h>

const ir_op_info ir_op_table[IR_OP_COUNT] = {
#define X(CODE, name, sig, effect, flops, doc) {name, sig, doc, IR_##effect, flops},
    IR_OPS(X)
#undef X
};

/* ---- types */

ir_type ir_scalar(ir_elem elem) { return (ir_type){.elem = (uint8_t)elem}; }

ir_type ir_array(ir_elem elem, int rank, const ir_size *dim) {
  ir_type t = {.elem = (uint8_t)elem, .rank = (uint8_t)rank};
  for (int k = 0; k < rank && k < IR_MAX_RANK; k++) t.dim[k] = dim[k];
  return t;
}

bool ir_type_equal(ir_type a, ir_type b) {
  if (a.elem != b.elem || a.rank != b.rank) return false;
  for (int k = 0; k < a.rank; k++)
    if (a.dim[k] != b.dim[k]) return false;
  return true;
}

/* ---- modules and functions */

ir_module *ir_module_new(arena *mem) {
  ir_module *m = ARENA_NEW(mem, ir_module);
  m->mem = mem;
  m->sizes = size_table_new(mem);
  return m;
}

void ir_remark_add(ir_module *m, const char *pass, span where, bool missed, const char *format, ...) {
  va_list list;
  va_start(list, format);
  char *text = arena_vprintf(m->mem, format, list);
  va_end(list);
  const char *key = arena_printf(m->mem, "%u %u %d %s: %s", (unsigned)where.file, (unsigned)where.off, missed, pass, text);
  m->remark_keys.a = m->mem;
  if (name_index_add(&m->remark_keys, key, 1)) return;
  ir_remark r = {pass, where, text, missed};
  ARENA_PUSH(m->mem, m->remark, m->nremarks, m->cap_remarks, r);
}

static const char *copy(ir_module *m, const char *s) { return arena_strndup(m->mem, s ? s : "", s ? strlen(s) : 0); }

ir_fn *ir_fn_new(ir_module *m, const char *name, bool is_model) {
  ir_fn *fn = ARENA_NEW(m->mem, ir_fn);
  fn->module = m;
  fn->site_names.a = m->mem;
  fn->name = copy(m, name);
  fn->is_model = is_model;
  ARENA_PUSH(m->mem, fn->val, fn->nvals, fn->cap_vals, ((ir_value){.def = IR_DEF_NONE}));
  ARENA_PUSH(m->mem, m->fn, m->nfns, m->cap_fns, fn);
  return fn;
}

ir_fn *ir_fn_find(const ir_module *m, const char *name) {
  for (uint32_t k = 0; k < m->nfns; k++)
    if (strcmp(m->fn[k]->name, name) == 0) return m->fn[k];
  return NULL;
}

void ir_fn_remove(ir_module *m, const ir_fn *fn) {
  uint32_t k = 0;
  while (m->fn[k] != fn) k++;
  m->nfns--;
  memmove(m->fn + k, m->fn + k + 1, (m->nfns - k) * sizeof *m->fn);
}

ir_dist *ir_dist_new(ir_module *m, const char *name) {
  ir_dist *d = ARENA_NEW(m->mem, ir_dist);
  d->name = copy(m, name);
  ARENA_PUSH(m->mem, m->dist, m->ndists, m->cap_dists, d);
  return d;
}

ir_dist *ir_dist_find(const ir_module *m, const char *name) {
  for (uint32_t k = 0; k < m->ndists; k++)
    if (strcmp(m->dist[k]->name, name) == 0) return m->dist[k];
  return NULL;
}

ir_site *ir_site_new(ir_fn *fn, const char *name, ir_site_role role, ir_support support, ir_type type, int event_rank) {
  ir_module *m = fn->module;
  ir_site *s = ARENA_NEW(m->mem, ir_site);
  s->number = fn->nsites + 1;
  s->name = copy(m, name);
  s->role = (uint8_t)role;
  s->support = (uint8_t)support;
  s->event_rank = (uint8_t)event_rank;
  s->type = type;
  ARENA_PUSH(m->mem, fn->site, fn->nsites, fn->cap_sites, s);
  name_index_add(&fn->site_names, s->name, s->number);
  return s;
}

ir_site *ir_site_find(const ir_fn *fn, const char *name) {
  uint32_t number = name_index_get(&fn->site_names, name);
  return number ? fn->site[number - 1] : NULL;
}

static ir_val value_new(ir_fn *fn, ir_type type, ir_def def, uint32_t slot, ir_op *op) {
  ir_value v = {.type = type, .def = (uint8_t)def, .slot = slot, .op = op};
  ARENA_PUSH(fn->module->mem, fn->val, fn->nvals, fn->cap_vals, v);
  return fn->nvals - 1;
}

ir_val ir_param_add(ir_fn *fn, ir_role role, const char *name, ir_type type) {
  ir_val v = value_new(fn, type, IR_DEF_PARAM, fn->nparams, NULL);
  ir_param p = {.val = v, .role = (uint8_t)role, .name = copy(fn->module, name)};
  ARENA_PUSH(fn->module->mem, fn->param, fn->nparams, fn->cap_params, p);
  return v;
}

void ir_return(ir_fn *fn, uint32_t n, const ir_val *v) {
  fn->ret = ARENA_ARRAY(fn->module->mem, ir_val, n);
  fn->nret = n;
  if (n) memcpy(fn->ret, v, n * sizeof *v);
}

ir_op *ir_def_op(const ir_fn *fn, ir_val v) {
  return v < fn->nvals && fn->val[v].def == IR_DEF_RESULT ? fn->val[v].op : NULL;
}

bool ir_is_real(const ir_fn *fn, ir_val v, double *x) {
  const ir_op *op = ir_def_op(fn, v);
  if (!op || op->code != IR_REAL_OP) return false;
  if (x) *x = op->u.real;
  return true;
}

bool ir_is_int(const ir_fn *fn, ir_val v, int64_t *n) {
  const ir_op *op = ir_def_op(fn, v);
  if (!op || op->code != IR_INT_OP) return false;
  if (n) *n = op->u.integer;
  return true;
}

ir_size ir_size_of(const ir_fn *fn, ir_val v) {
  const ir_op *op = ir_def_op(fn, v);
  if (op && op->code == IR_SIZE_OP) return op->u.size;
  if (op && op->code == IR_INT_OP) return size_const(fn->module->sizes, op->u.integer);
  return IR_SIZE_NONE;
}

/* ---- operations */

ir_builder ir_builder_at_end(ir_fn *fn, ir_block *block) { return (ir_builder){.fn = fn, .block = block}; }

ir_builder ir_builder_in(const ir_builder *outer, ir_block *body) {
  return (ir_builder){.fn = outer->fn, .block = body, .where = outer->where};
}

static arena *mem_of(const ir_builder *b) { return b->fn->module->mem; }

static void link_op(ir_builder *b, ir_op *op) {
  op->block = b->block;
  op->next = b->before;
  op->prev = b->before ? b->before->prev : b->block->last;
  *(op->prev ? &op->prev->next : &b->block->first) = op;
  *(op->next ? &op->next->prev : &b->block->last) = op;
}

static ir_op *op_new(ir_builder *b, ir_code code, uint32_t nargs, const ir_val *args) {
  ir_op *op = ARENA_NEW(mem_of(b), ir_op);
  op->code = (uint16_t)code;
  op->where = b->where;
  op->nargs = nargs;
  if (nargs) {
    op->args = ARENA_ARRAY(mem_of(b), ir_val, nargs);
    memcpy(op->args, args, nargs * sizeof *args);
  }
  link_op(b, op);
  return op;
}

static ir_val result_add(ir_fn *fn, ir_op *op, ir_type type) {
  ir_val v = value_new(fn, type, IR_DEF_RESULT, op->nres, op);
  ir_val *res = ARENA_ARRAY(fn->module->mem, ir_val, op->nres + 1);
  if (op->nres) memcpy(res, op->res, op->nres * sizeof *res);
  res[op->nres++] = v;
  op->res = res;
  return v;
}

ir_val ir_real(ir_builder *b, double x) {
  ir_op *op = op_new(b, IR_REAL_OP, 0, NULL);
  op->u.real = x;
  return result_add(b->fn, op, ir_scalar(IR_REAL));
}

ir_val ir_int(ir_builder *b, int64_t n) {
  ir_op *op = op_new(b, IR_INT_OP, 0, NULL);
  op->u.integer = n;
  return result_add(b->fn, op, ir_scalar(IR_INT));
}

ir_val ir_bool(ir_builder *b, bool x) {
  ir_op *op = op_new(b, IR_BOOL_OP, 0, NULL);
  op->u.integer = x;
  return result_add(b->fn, op, ir_scalar(IR_BOOL));
}

ir_val ir_size_val(ir_builder *b, ir_size s) {
  int64_t n;
  if (size_is_const(b->fn->module->sizes, s, &n)) return ir_int(b, n);
  ir_op *op = op_new(b, IR_SIZE_OP, 0, NULL);
  op->u.size = s;
  return result_add(b->fn, op, ir_scalar(IR_INT));
}

/* The type that a signature gives: its letter behind the colon, n and s being the type of the first operand so marked. */
static ir_type signature_type(const ir_fn *fn, ir_code code, const ir_val *args) {
  const char *sig = ir_op_table[code].signature, *colon = strchr(sig, ':');
  if (!colon) return ir_scalar(IR_REAL);
  switch (colon[1]) {
  case 'r': return ir_scalar(IR_REAL);
  case 'i': return ir_scalar(IR_INT);
  case 'b': return ir_scalar(IR_BOOL);
  case 'k': return ir_scalar(IR_KEY);
  default: {
    const char *same = memchr(sig, colon[1], (size_t)(colon - sig));
    return same ? ir_type_of(fn, args[same - sig]) : ir_scalar(IR_REAL);
  }
  }
}

static ir_val signature_op(ir_builder *b, ir_code code, uint32_t n, const ir_val *args) {
  ir_op *op = op_new(b, code, n, args);
  return result_add(b->fn, op, signature_type(b->fn, code, args));
}

ir_val ir_op1(ir_builder *b, ir_code code, ir_val x) { return signature_op(b, code, 1, &x); }
ir_val ir_op2(ir_builder *b, ir_code code, ir_val x, ir_val y) { return signature_op(b, code, 2, (ir_val[]){x, y}); }
ir_val ir_op3(ir_builder *b, ir_code code, ir_val x, ir_val y, ir_val z) {
  return signature_op(b, code, 3, (ir_val[]){x, y, z});
}

/* ---- arrays */

ir_val ir_new_array(ir_builder *b, ir_type type) { return result_add(b->fn, op_new(b, IR_NEW_OP, 0, NULL), type); }

ir_val ir_at(ir_builder *b, ir_val array, ir_axes axes) {
  ir_op *op = op_new(b, IR_AT_OP, 1, &array);
  op->u.axes = axes;
  return result_add(b->fn, op, ir_slice_type(ir_type_of(b->fn, array), &axes));
}

ir_val ir_at1(ir_builder *b, ir_val array, ir_val i) {
  return ir_at(b, array, (ir_axes){.n = ir_type_of(b->fn, array).rank, .at = {i}});
}

ir_type ir_slice_type(ir_type array, const ir_axes *axes) {
  ir_type t = {.elem = array.elem};
  for (uint32_t k = 0; k < array.rank; k++)
    if (k >= axes->n || axes->at[k] == 0) t.dim[t.rank++] = array.dim[k];
  return t;
}

ir_val ir_put(ir_builder *b, ir_val array, ir_axes axes, ir_val x) {
  ir_op *op = op_new(b, IR_PUT_OP, 2, (ir_val[]){array, x});
  op->u.axes = axes;
  return result_add(b->fn, op, ir_type_of(b->fn, array));
}

ir_val ir_matmul(ir_builder *b, ir_val x, ir_val y, int flags) {
  ir_type s = ir_type_of(b->fn, x), t = ir_type_of(b->fn, y), r = ir_scalar(IR_REAL);
  /* A vector on the left is a row, one on the right a column, so a mark on it says nothing, except that x y' of two
   * vectors is their outer product. */
  bool outer = s.rank == 1 && t.rank == 1 && (flags & IR_TRANS_B);
  if (s.rank == 1) flags &= ~IR_TRANS_A;
  if (t.rank == 1 && !outer) flags &= ~IR_TRANS_B;
  if (outer) {
    r.rank = 2;
    r.dim[0] = s.dim[0];
    r.dim[1] = t.dim[0];
  } else {
    if (s.rank == 2) r.dim[r.rank++] = s.dim[flags & IR_TRANS_A ? 1 : 0];
    if (t.rank == 2) r.dim[r.rank++] = t.dim[flags & IR_TRANS_B ? 0 : 1];
  }
  ir_op *op = op_new(b, IR_MATMUL_OP, 2, (ir_val[]){x, y});
  op->flags = (uint8_t)flags;
  return result_add(b->fn, op, r);
}

ir_val ir_cholesky(ir_builder *b, ir_val a) {
  return result_add(b->fn, op_new(b, IR_CHOLESKY_OP, 1, &a), ir_type_of(b->fn, a));
}

ir_val ir_chol_adj(ir_builder *b, ir_val l, ir_val lbar) {
  return result_add(b->fn, op_new(b, IR_CHOL_ADJ_OP, 2, (ir_val[]){l, lbar}), ir_type_of(b->fn, l));
}

ir_val ir_trisolve(ir_builder *b, ir_val l, ir_val x, int flags) {
  ir_op *op = op_new(b, IR_TRISOLVE_OP, 2, (ir_val[]){l, x});
  op->flags = (uint8_t)(flags & IR_TRANS_A);
  return result_add(b->fn, op, ir_type_of(b->fn, x));
}

ir_val ir_qr_r(ir_builder *b, ir_val r, ir_val rows) {
  return result_add(b->fn, op_new(b, IR_QR_R_OP, 2, (ir_val[]){r, rows}), ir_type_of(b->fn, r));
}

ir_val ir_inverse(ir_builder *b, ir_code code, ir_val k, ir_val buckets) {
  ir_type t = ir_type_of(b->fn, k);
  if (code == IR_INV_PTR_OP) {
    size_table *sizes = b->fn->module->sizes;
    ir_size n = ir_size_of(b->fn, buckets);
    ir_size dim = n ? size_add(sizes, n, size_const(sizes, 1)) : IR_SIZE_NONE;
    t = ir_array(IR_INT, 1, &dim);
  }
  return result_add(b->fn, op_new(b, code, 2, (ir_val[]){k, buckets}), t);
}

/* ---- draws and calls */

ir_val ir_draw(ir_builder *b, ir_code code, int64_t site, ir_val key, ir_val index, uint32_t n, const ir_val *params) {
  ir_val *args = ARENA_ARRAY(mem_of(b), ir_val, n + 2);
  args[0] = key;
  args[1] = index;
  if (n) memcpy(args + 2, params, n * sizeof *params);
  ir_op *op = op_new(b, code, n + 2, args);
  op->u.integer = site;
  bool whole = code == IR_POISSON_OP || code == IR_BINOMIAL_OP || code == IR_CATEGORICAL_OP;
  return result_add(b->fn, op, ir_scalar(whole ? IR_INT : IR_REAL));
}

/* Finds x with s == want for the one symbol x of s that is not known yet, s being linear in it. */
static bool solve_symbol(size_table *t, ir_size s, ir_size want, ir_size symbol, ir_size *x) {
  ir_size zero = size_const(t, 0), one = size_const(t, 1);
  ir_size rest = size_substitute(t, s, 1, &symbol, &zero);
  ir_size slope = size_sub(t, size_substitute(t, s, 1, &symbol, &one), rest);
  int64_t c;
  if (!rest || !size_is_const(t, slope, &c) || c == 0) return false;
  if (size_add(t, size_mul(t, slope, symbol), rest) != s) return false;
  ir_size right = size_sub(t, want, rest);
  *x = size_div(t, right, slope);
  return *x && size_mul(t, *x, slope) == right;
}

size_t ir_call_sizes(const ir_fn *caller, const ir_fn *callee, uint32_t n, const ir_val *args, ir_size **from, ir_size **to) {
  size_table *t = caller->module->sizes;
  arena *mem = caller->module->mem;
  size_t known = 0, cap_from = 0, cap_to = 0, same = 0;
  *from = *to = NULL;
  const char *name;
  /* What is plain first: an int parameter with the name of a symbol, and extents that are a symbol. */
  for (int round = 0; round < 3; round++)
    for (uint32_t k = 0; k < n && k < callee->nparams; k++) {
      ir_type p = ir_type_of(callee, callee->param[k].val), a = ir_type_of(caller, args[k]);
      int rank = p.rank < a.rank ? p.rank : a.rank;
      if (round == 0 && p.rank == 0 && p.elem == IR_INT && callee->param[k].name[0]) {
        ir_size size = ir_size_of(caller, args[k]), symbol = IR_SIZE_NONE;
        for (size_t j = 0; j < size_symbol_count(t) && size && !symbol; j++)
          if (size_is_symbol(t, size_symbol_at(t, j), &name) && strcmp(name, callee->param[k].name) == 0)
            symbol = size_symbol_at(t, j);
        if (symbol) {
          ARENA_PUSH(mem, *from, same, cap_from, symbol);
          ARENA_PUSH(mem, *to, known, cap_to, size);
        }
      }
      for (int d = 0; round > 0 && d < rank; d++) {
        ir_size symbol = IR_SIZE_NONE, image = IR_SIZE_NONE, s = p.dim[d];
        if (round == 1) {
          if (!size_is_symbol(t, s, &name)) continue;
          symbol = s;
          image = a.dim[d];
        } else {
          for (size_t j = 0; j < size_symbol_count(t) && !symbol; j++) {
            ir_size x = size_symbol_at(t, j), left = s;
            bool mapped = false;
            for (size_t i = 0; i < known; i++) mapped |= (*from)[i] == x;
            if (mapped) continue;
            left = size_substitute(t, s, known, *from, *to);
            if (solve_symbol(t, left, a.dim[d], x, &image)) symbol = x;
          }
        }
        bool mapped = false;
        for (size_t i = 0; i < known; i++) mapped |= (*from)[i] == symbol;
        if (!symbol || !image || mapped) continue;
        ARENA_PUSH(mem, *from, same, cap_from, symbol);
        ARENA_PUSH(mem, *to, known, cap_to, image);
      }
    }
  return known;
}

ir_type ir_type_substitute(size_table *t, ir_type type, size_t n, const ir_size *from, const ir_size *to) {
  for (int k = 0; k < type.rank && k < IR_MAX_RANK; k++) type.dim[k] = size_substitute(t, type.dim[k], n, from, to);
  return type;
}

ir_op *ir_call(ir_builder *b, ir_fn *callee, uint32_t n, const ir_val *args) {
  ir_op *op = op_new(b, IR_CALL_OP, n, args);
  op->u.callee = callee;
  ir_size *from, *to;
  size_t known = ir_call_sizes(b->fn, callee, n, args, &from, &to);
  for (uint32_t k = 0; k < callee->nret; k++)
    result_add(b->fn, op, ir_type_substitute(b->fn->module->sizes, ir_type_of(callee, callee->ret[k]), known, from, to));
  return op;
}

ir_val ir_memo_mark(ir_builder *b, const ir_memo *f, ir_val v, uint32_t n, const ir_val *args) {
  ir_val *all = ARENA_ARRAY(mem_of(b), ir_val, n + 1);
  all[0] = v;
  if (n) memcpy(all + 1, args, n * sizeof *args);
  ir_op *op = op_new(b, IR_MEMO_OP, n + 1, all);
  op->u.memo = f;
  return result_add(b->fn, op, ir_type_of(b->fn, v));
}

ir_op *ir_memo_find(ir_builder *b, const ir_memo *f, ir_type value, uint32_t n, const ir_val *key) {
  ir_op *op = op_new(b, IR_MEMO_FIND_OP, n, key);
  op->u.memo = f;
  result_add(b->fn, op, ir_scalar(IR_INT));
  result_add(b->fn, op, value);
  return op;
}

ir_val ir_memo_keep(ir_builder *b, const ir_memo *f, ir_val handle, ir_val v) {
  ir_op *op = op_new(b, IR_MEMO_KEEP_OP, 2, (ir_val[]){handle, v});
  op->u.memo = f;
  return result_add(b->fn, op, ir_type_of(b->fn, v));
}

/* ---- regions */

ir_op *ir_loop_begin(ir_builder *b, ir_code plate_or_scan, uint32_t rank, const ir_val *extent) {
  ir_op *op = op_new(b, plate_or_scan, 0, NULL);
  ir_loop *loop = op->u.loop = ARENA_NEW(mem_of(b), ir_loop);
  loop->rank = rank;
  loop->body.owner = op;
  for (uint32_t k = 0; k < rank && k < IR_MAX_RANK; k++) {
    loop->extent[k] = extent[k];
    loop->index[k] = value_new(b->fn, ir_scalar(IR_INT), IR_DEF_INDEX, k, op);
  }
  return op;
}

uint32_t ir_loop_state(ir_fn *fn, ir_op *op, ir_mode mode, ir_val init) {
  ir_loop *loop = op->u.loop;
  ir_out out = {.mode = (uint8_t)mode, .init = init};
  bool reads = mode == IR_INTO || mode == IR_KEYED || mode == IR_CARRY;
  if (op->code == IR_SCAN_OP && reads) out.state = value_new(fn, ir_type_of(fn, init), IR_DEF_STATE, loop->nout, op);
  ARENA_PUSH(fn->module->mem, loop->out, loop->nout, loop->cap, out);
  return loop->nout - 1;
}

/* Results are made when their output is finished; as outputs may be finished in any order, the list of results is filled
 * by number, with 0 for those to come. */
void ir_loop_finish(ir_fn *fn, ir_op *op, uint32_t number, const ir_axes *axes, ir_val yield) {
  ir_loop *loop = op->u.loop;
  ir_out *out = &loop->out[number];
  out->yield = yield;
  if (axes) out->axes = *axes;
  ir_type type = out->init ? ir_type_of(fn, out->init) : ir_type_of(fn, yield);
  if (out->mode == IR_STACK) {
    ir_type t = {.elem = type.elem};
    for (uint32_t k = 0; k < loop->rank && t.rank < IR_MAX_RANK; k++) t.dim[t.rank++] = ir_size_of(fn, loop->extent[k]);
    for (uint32_t k = 0; k < type.rank && t.rank < IR_MAX_RANK; k++) t.dim[t.rank++] = type.dim[k];
    type = t;
  }
  if (number >= op->nres) {
    ir_val *res = ARENA_ARRAY(fn->module->mem, ir_val, loop->nout);
    if (op->nres) memcpy(res, op->res, op->nres * sizeof *res);
    op->res = res;
    op->nres = loop->nout;
  }
  if (op->res[number])
    fn->val[op->res[number]].type = type;
  else
    op->res[number] = value_new(fn, type, IR_DEF_RESULT, number, op);
}

ir_val ir_loop_out(ir_fn *fn, ir_op *op, ir_mode mode, ir_val init, const ir_axes *axes, ir_val yield) {
  uint32_t number = ir_loop_state(fn, op, mode, init);
  ir_loop_finish(fn, op, number, axes, yield);
  return op->res[number];
}

ir_op *ir_if_begin(ir_builder *b, ir_val cond) {
  ir_op *op = op_new(b, IR_IF_OP, 1, &cond);
  ir_if *branch = op->u.branch = ARENA_NEW(mem_of(b), ir_if);
  branch->then_.owner = branch->else_.owner = op;
  return op;
}

static ir_val *push_value(arena *mem, const ir_val *list, uint32_t n, ir_val v) {
  ir_val *p = ARENA_ARRAY(mem, ir_val, n + 1);
  if (n) memcpy(p, list, n * sizeof *p);
  p[n] = v;
  return p;
}

ir_val ir_if_out(ir_fn *fn, ir_op *op, ir_val then_value, ir_val else_value) {
  ir_if *branch = op->u.branch;
  branch->then_yield = push_value(fn->module->mem, branch->then_yield, op->nres, then_value);
  branch->else_yield = push_value(fn->module->mem, branch->else_yield, op->nres, else_value);
  return result_add(fn, op, ir_type_of(fn, then_value));
}

/* ---- models */

static ir_op *tilde_new(ir_builder *b, ir_code code, ir_site *site, ir_dist *dist, ir_axes axes, uint32_t n, const ir_val *args) {
  ir_op *op = op_new(b, code, n, args);
  op->u.tilde = ARENA_NEW(mem_of(b), ir_tilde);
  op->u.tilde->site = site;
  op->u.tilde->dist = dist;
  op->u.tilde->axes = axes;
  return op;
}

ir_val ir_sample(ir_builder *b, ir_site *site, ir_dist *dist, ir_axes axes, ir_val lo, ir_val hi, uint32_t n, const ir_val *args) {
  ir_op *op = tilde_new(b, IR_SAMPLE_OP, site, dist, axes, n, args);
  op->u.tilde->lo = lo;
  op->u.tilde->hi = hi;
  ir_type t = {.elem = site->type.elem};
  uint32_t event = site->event_rank < site->type.rank ? site->event_rank : site->type.rank;
  for (uint32_t k = site->type.rank - event; k < site->type.rank; k++) t.dim[t.rank++] = site->type.dim[k];
  return result_add(b->fn, op, t);
}

ir_op *ir_observe(ir_builder *b, ir_site *site, ir_dist *dist, ir_axes axes, ir_val value, uint32_t n, const ir_val *args) {
  ir_val *all = ARENA_ARRAY(mem_of(b), ir_val, n + 1);
  all[0] = value;
  if (n) memcpy(all + 1, args, n * sizeof *args);
  return tilde_new(b, IR_OBSERVE_OP, site, dist, axes, n + 1, all);
}

ir_op *ir_factor(ir_builder *b, ir_val x) { return op_new(b, IR_FACTOR_OP, 1, &x); }
ir_op *ir_energy(ir_builder *b, ir_val x) { return op_new(b, IR_ENERGY_OP, 1, &x); }

ir_op *ir_track(ir_builder *b, const char *name, ir_val x) {
  ir_op *op = op_new(b, IR_TRACK_OP, 1, &x);
  op->u.name = copy(b->fn->module, name);
  return op;
}

/* ---- operations as they are: for the parser and passes that make one like another */

ir_op *ir_op_insert(ir_builder *b, ir_code code, uint32_t nargs, const ir_val *args) { return op_new(b, code, nargs, args); }
ir_val ir_result_add(ir_fn *fn, ir_op *op, ir_type type) { return result_add(fn, op, type); }
ir_val ir_state_add(ir_fn *fn, ir_op *loop, uint32_t out, ir_type type) { return value_new(fn, type, IR_DEF_STATE, out, loop); }
