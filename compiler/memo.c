/* memo.c: functions whose results are kept (memo.h). */
#include "compiler/memo.h"

#include "compiler/ir_cost.h"
#include "compiler/ir_uses.h"

#include <string.h>

uint32_t memo_size(diag_list *l, const ast_decl *d) {
  uint32_t size = MEMO_SIZE;
  for (size_t k = 0; k < d->memo_options.n; k++) {
    const ast_arg *a = &d->memo_options.items[k];
    const ast_expr *e = a->value;
    if (!a->name.name || strcmp(a->name.name, "size") != 0) {
      diag *g = diag_add(l, DIAG_ERROR, "E0622", a->at, a->name.name ? "`@memo` has no option called `%s`" : "options of `@memo` have names", a->name.name);
      diag_help(l, g, "its option is `size`, how many results are kept: `@memo(size = %d)`", MEMO_SIZE);
      return 0;
    }
    if (e->kind != EXPR_INT || e->integer.value < 1 || e->integer.value > MEMO_MOST) {
      diag_add(l, DIAG_ERROR, "E0622", e->at, "`size` of `@memo` must be a whole number from 1 to %d", MEMO_MOST);
      return 0;
    }
    size = (uint32_t)e->integer.value;
  }
  return size;
}

/* ---- keys */

typedef struct keys {
  const ir_fn *fn;
  ir_val *v;
  size_t n, cap;
} keys;

/* What differs between two evaluations of v: nothing for data, the position for an element or slice of it. */
static void add_key(keys *k, ir_val v) {
  const ir_value *x = ir_value_of(k->fn, v);
  const ir_op *op = ir_def_op(k->fn, v);
  if (x->def == IR_DEF_PARAM) {
    const uint8_t role = k->fn->param[x->slot].role;
    if (role == IR_ROLE_DATA || role == IR_ROLE_FRAME) return;
  }
  if (op && (op->code == IR_REAL_OP || op->code == IR_INT_OP || op->code == IR_BOOL_OP || op->code == IR_SIZE_OP || op->code == IR_NEW_OP)) return;
  if (op && op->code == IR_BOUND_OP) {
    add_key(k, op->args[0]);
    return;
  }
  if (op && op->code == IR_AT_OP) {
    const size_t mark = k->n;
    add_key(k, op->args[0]);
    if (k->n == mark || k->v[mark] != op->args[0]) {
      for (uint32_t a = 0; a < op->u.axes.n; a++)
        if (op->u.axes.at[a]) add_key(k, op->u.axes.at[a]);
      return;
    }
    k->n = mark;
  }
  for (size_t i = 0; i < k->n; i++)
    if (k->v[i] == v) return;
  ARENA_PUSH(k->fn->module->mem, k->v, k->n, k->cap, v);
}

/* Numbers that a key is made of; INT64_MAX: more than can be counted. */
static int64_t cells_of(const keys *k) {
  int64_t sum = 0;
  for (size_t i = 0; i < k->n; i++) {
    ir_type t = ir_type_of(k->fn, k->v[i]);
    int64_t n = 1;
    for (uint8_t a = 0; a < t.rank; a++)
      if (__builtin_mul_overflow(n, size_eval(k->fn->module->sizes, t.dim[a]), &n)) return INT64_MAX;
    if (__builtin_add_overflow(sum, n, &sum)) return INT64_MAX;
  }
  return sum;
}

/* ---- the body */

typedef struct body {
  uint32_t *left;  /* [nvals] uses that have not been met in the body */
  bool draws;
} body;

static void meet(void *user, ir_val *use) {
  body *b = user;
  if (*use) b->left[*use]--;
}

static void see_draw(void *user, ir_op *op) {
  const int effect = ir_op_table[op->code].effect;
  *(bool *)user |= effect == IR_DRAW || effect == IR_MODEL;
}

static bool pure(ir_op *op) {
  bool draws = false;
  see_draw(&draws, op);
  if (ir_is_loop(op)) ir_visit_ops(&op->u.loop->body, see_draw, &draws);
  if (op->code == IR_IF_OP) {
    ir_visit_ops(&op->u.branch->then_, see_draw, &draws);
    ir_visit_ops(&op->u.branch->else_, see_draw, &draws);
  }
  return !draws;
}

/* Operations in front of op that nothing but its value needs, the last first. */
static size_t body_of(ir_fn *fn, ir_op *op, ir_op ***list) {
  arena *mem = fn->module->mem;
  body b = {.left = ir_use_counts(fn, mem)};
  size_t n = 0, cap = 0;
  b.left[op->args[0]]--;
  for (ir_op *x = op->prev, *prev; x; x = prev) {
    prev = x->prev;
    bool only = x->nres > 0;
    for (uint32_t k = 0; k < x->nres; k++) only = only && b.left[x->res[k]] == 0;
    if (!only || !pure(x)) continue;
    ir_visit_region_uses(x, meet, &b);
    ARENA_PUSH(mem, *list, n, cap, x);
  }
  return n;
}

/* ---- expansion */

/* Finding compares the key and hashes it; that, and the branch, must cost less than what it saves. */
static bool pays(ir_fn *fn, const ir_memo *f, span where, ir_op *const *list, size_t n, const keys *k) {
  ir_module *m = fn->module;
  int64_t flops = 0;
  for (size_t i = 0; i < n; i++) {
    ir_cost_number c;
    if (!ir_cost_eval(m, ir_cost_op(fn, list[i]), &c) || __builtin_add_overflow(flops, c.flops, &flops)) flops = INT64_MAX / 2;
  }
  const int64_t cells = cells_of(k);
  if (cells < INT64_MAX / 8 && flops >= 4 * cells + 32) {
    ir_remark_add(m, "memo", where, false, "`%s` keeps %u results, by a key of %lld number%s", f->name, f->size, (long long)cells, cells == 1 ? "" : "s");
    return true;
  }
  ir_remark_add(m, "memo", where, true, "`%s` is computed each time: that takes %lld flops, and its key has %lld number%s", f->name, (long long)flops, (long long)cells,
                cells == 1 ? "" : "s");
  return false;
}

static void expand(ir_module *m, ir_fn *fn, ir_op *op) {
  keys k = {.fn = fn};
  const ir_val v = op->args[0], result = op->res[0];
  ir_op **list = NULL;
  for (uint32_t i = 1; i < op->nargs; i++) add_key(&k, op->args[i]);
  /* The key is all that the arguments are for, from here on. */
  ir_val *args = ARENA_ARRAY(m->mem, ir_val, k.n + 1);
  args[0] = v;
  if (k.n) memcpy(args + 1, k.v, k.n * sizeof *args);
  op->args = args;
  op->nargs = (uint32_t)k.n + 1;
  const size_t n = body_of(fn, op, &list);
  if (!pays(fn, op->u.memo, op->where, list, n, &k)) {
    ir_replace_uses(fn, result, v);
    ir_remove(op);
    return;
  }
  ir_memo *f = ARENA_NEW(m->mem, ir_memo);
  *f = *op->u.memo;
  f->number = ++m->nmemos;
  ir_builder b = {.fn = fn, .block = op->block, .before = op, .where = op->where};
  ir_op *found = ir_memo_find(&b, f, ir_type_of(fn, v), (uint32_t)k.n, k.v);
  ir_op *branch = ir_if_begin(&b, ir_op2(&b, IR_LE_OP, ir_int(&b, 0), found->res[0]));
  for (size_t i = n; i-- > 0;) ir_move(list[i], &branch->u.branch->else_, NULL);
  ir_builder else_ = ir_builder_in(&b, &branch->u.branch->else_);
  const ir_val kept = ir_memo_keep(&else_, f, found->res[0], v);
  ir_replace_uses(fn, result, ir_if_out(fn, branch, found->res[1], kept));
  ir_remove(op);
}

typedef struct marks {
  arena *mem;
  ir_op **op;
  size_t n, cap;
} marks;

static void see_mark(void *user, ir_op *op) {
  marks *s = user;
  if (op->code == IR_MEMO_OP) ARENA_PUSH(s->mem, s->op, s->n, s->cap, op);
}

/* Of data alone, and of positions: @prepare has it in the end (pass_frame.c). */
static bool of_data(const ir_op *op, const bool *varies, uint32_t n) {
  for (uint32_t i = 1; i < op->nargs; i++)
    if (op->args[i] >= n || varies[op->args[i]]) return false;
  return true;
}

bool memo_expand(ir_module *m, ir_fn *fn) {
  marks s = {.mem = m->mem};
  const uint32_t n = fn->nvals;
  bool *varies = ARENA_ARRAY(m->mem, bool, n);
  for (uint32_t k = 0; k < fn->nparams; k++) varies[fn->param[k].val] = fn->param[k].role != IR_ROLE_DATA && fn->param[k].role != IR_ROLE_FRAME;
  ir_spread(varies, fn);
  ir_visit_ops(&fn->body, see_mark, &s);
  /* A call inside the body of another goes along with it. */
  for (size_t k = s.n; k-- > 0;) {
    ir_op *op = s.op[k];
    if (!of_data(op, varies, n)) {
      expand(m, fn, op);
      continue;
    }
    ir_remark_add(m, "memo", op->where, true, "`%s` depends on data alone, and is computed before the run", op->u.memo->name);
    ir_replace_uses(fn, op->res[0], op->args[0]);
    ir_remove(op);
  }
  return s.n > 0;
}
