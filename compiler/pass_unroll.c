/* pass_unroll.c: short loops of known length are written out.
 *
 * What their iterations share is then computed once, their products join sums, and a plate around them is straight code, which runs on
 * vectors.  A loop is written out if it has 1 .. LONGEST iterations, holds no other loop, and
 *     stands in another loop, or
 *     is a scan or plate at the top of at most LONGEST_TOP iterations: longer ones run on vectors themselves,
 * while the function grows by at most BUDGET operations, the inner loops first.  A length that data has given its number is known: the
 * function is then one for that number, as compiled code is anyway.
 *
 *     sum            the canonical sum of up to 32 terms: x[l] + x[l + 16] for l < 16, then 8 apart, and so on
 *     max, min       from left to right
 *     stack, into    `put` after `put`, which pass_fold looks through
 *     keyed          the same with the element read before, in order
 *     carry, states  each iteration reads what the one before it left
 *
 * An output of the loop around it that sums such an array becomes one sum for each element.
 *
 * needs: a function without calls; loops whose sums and keyed outputs have scalar values.  Same values, but that the sum of a single -0.0
 * is itself. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"

enum { LONGEST = 8, LONGEST_TOP = 2, BUDGET = 1024 };

typedef struct unroller {
  ir_module *m;
  ir_fn *fn;
  ir_map renamed; /* results of what has been written out */
  ir_map image;   /* values of a body in the iteration that is being written */
  long grown;
  bool changed;
} unroller;

/* The number of iterations, or -1. */
static int64_t length_of(const unroller *u, ir_val extent) {
  int64_t n;
  ir_size s = ir_size_of(u->fn, extent);
  if (ir_is_int(u->fn, extent, &n)) return n;
  return s && size_value(u->m->sizes, s, &n) ? n : -1;
}

static bool scalar_keys(const ir_fn *fn, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && ir_type_of(fn, axes->at[k]).rank) return false;
  return true;
}

/* Operations of a block; -1 where it cannot be written out.  Conditions may be known for each iteration. */
static long block_size(const ir_block *block) {
  long n = 0;
  for (const ir_op *p = block->first; p; p = p->next, n++) {
    int effect = ir_op_table[p->code].effect;
    if (p->code == IR_IF_OP) {
      long a = block_size(&p->u.branch->then_), b = block_size(&p->u.branch->else_);
      if (a < 0 || b < 0) return -1;
      n += a + b;
    } else if (effect == IR_LOOP || effect == IR_MODEL || p->code == IR_CALL_OP) {
      return -1;
    }
  }
  return n;
}

/* The same for the body of a loop. */
static long body_size(const unroller *u, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  long n = block_size(&loop->body);
  if (n < 0) return -1;
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    ir_type t = ir_type_of(u->fn, out->yield);
    if (out->mode != IR_STACK && out->mode != IR_INTO && out->mode != IR_CARRY && t.rank) return -1;
    if (!scalar_keys(u->fn, &out->axes)) return -1;
    if (out->mode == IR_MAX || out->mode == IR_MIN) {
      if (t.elem != IR_REAL && t.elem != IR_INT) return -1;
    }
  }
  return n;
}

static bool in_a_loop(const ir_op *op) {
  const ir_op *p = op->block->owner;
  while (p && !ir_is_loop(p)) p = p->block->owner;
  return p != NULL;
}

/* rt_sum.h's order for n <= 32 terms; what is missing is +0.0, which changes nothing but the sign of a zero. */
static ir_val canonical(ir_builder *b, ir_val *x, int64_t n) {
  if (ir_type_of(b->fn, x[0]).elem == IR_INT) {
    for (int64_t k = 1; k < n; k++) x[0] = ir_op2(b, IR_ADD_OP, x[0], x[k]);
    return x[0];
  }
  for (int64_t half = 16; half > 0; half /= 2)
    for (int64_t l = 0; l < half && l + half < n; l++) x[l] = ir_op2(b, IR_ADD_OP, x[l], x[l + half]);
  return x[0];
}

static void write_out(unroller *u, ir_op *op, int64_t n) {
  ir_loop *loop = op->u.loop;
  arena *mem = u->m->mem;
  ir_builder b = {.fn = u->fn, .block = op->block, .before = op, .where = op->where};
  ir_val *now = ARENA_ARRAY(mem, ir_val, loop->nout), **term = ARENA_ARRAY(mem, ir_val *, loop->nout);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    now[k] = out->mode == IR_STACK ? ir_new_array(&b, ir_type_of(u->fn, op->res[k])) : out->init;
    term[k] = ARENA_ARRAY(mem, ir_val, LONGEST);
  }
  for (int64_t i = 0; i < n; i++) {
    ir_cloner c = {.from = u->fn, .map = u->image};
    ir_val index = ir_int(&b, loop->down ? n - 1 - i : i);
    ir_map_set(&c.map, loop->index[0], index);
    for (uint32_t k = 0; k < loop->nout; k++)
      if (loop->out[k].state) ir_map_set(&c.map, loop->out[k].state, now[k]);
    ir_clone_block(&c, &b, &loop->body);
    for (uint32_t k = 0; k < loop->nout; k++) {
      const ir_out *out = &loop->out[k];
      ir_val y = ir_map_get(&c.map, out->yield);
      if (!y) y = out->yield;
      ir_axes axes = {.n = out->axes.n};
      for (uint32_t a = 0; a < axes.n; a++) {
        axes.at[a] = out->axes.at[a] ? ir_map_get(&c.map, out->axes.at[a]) : 0;
        if (!axes.at[a]) axes.at[a] = out->axes.at[a];
      }
      switch (out->mode) {
      case IR_STACK: {
        ir_axes own = {.n = ir_type_of(u->fn, op->res[k]).rank, .at = {index}};
        now[k] = ir_put(&b, now[k], own, y);
        break;
      }
      case IR_INTO: now[k] = ir_put(&b, now[k], axes, y); break;
      case IR_KEYED: now[k] = ir_put(&b, now[k], axes, ir_op2(&b, IR_ADD_OP, ir_at(&b, now[k], axes), y)); break;
      case IR_CARRY: now[k] = y; break;
      case IR_SUM: term[k][i] = y; break;
      default: now[k] = now[k] ? ir_op2(&b, out->mode == IR_MAX ? IR_MAX_OP : IR_MIN_OP, now[k], y) : y;
      }
    }
    u->image = c.map;
  }
  for (uint32_t k = 0; k < loop->nout; k++) ir_map_set(&u->renamed, op->res[k], loop->out[k].mode == IR_SUM ? canonical(&b, term[k], n) : now[k]);
  ir_remove(op);
}

static bool unroll(unroller *u, ir_op *op) {
  if (op->u.loop->rank != 1 || op->u.loop->live) return false;
  int64_t n = length_of(u, op->u.loop->extent[0]);
  if (n < 1 || n > (in_a_loop(op) ? LONGEST : LONGEST_TOP)) return false;
  long size = body_size(u, op);
  if (size < 0 || u->grown + size * n > BUDGET) return false;
  u->grown += size * n;
  ir_remark_add(u->m, "unroll", op->where, false, "a loop of %lld iteration%s is written out", (long long)n, n == 1 ? "" : "s");
  write_out(u, op, n);
  return true;
}

/* ---- sums of arrays made of puts */

/* The value at literal position i of an array that is puts at literals on zeros; 0 if it is not. */
static ir_val element(const ir_fn *fn, ir_val array, int64_t i) {
  for (const ir_op *op = ir_def_op(fn, array); op && op->code == IR_PUT_OP; op = ir_def_op(fn, op->args[0])) {
    int64_t at;
    if (op->u.axes.n != 1 || !op->u.axes.at[0] || !ir_is_int(fn, op->u.axes.at[0], &at)) return 0;
    if (at == i) return op->args[1];
  }
  return 0;
}

/* Output k sums vectors, each made of n puts: n sums, and the vector of them. */
static bool split_sum(unroller *u, ir_op *op, uint32_t k) {
  ir_out *out = &op->u.loop->out[k];
  ir_type t = ir_type_of(u->fn, out->yield);
  int64_t n;
  if (out->mode != IR_SUM || t.rank != 1 || !size_value(u->m->sizes, t.dim[0], &n) || n < 1 || n > LONGEST) return false;
  ir_val x[LONGEST];
  for (int64_t i = 0; i < n; i++) {
    if (!(x[i] = element(u->fn, out->yield, i))) return false;
    if (!ir_block_within(&op->u.loop->body, ir_home(u->fn, x[i]))) return false;
  }
  ir_builder after = {.fn = u->fn, .block = op->block, .before = op->next, .where = op->where};
  ir_val sums = ir_new_array(&after, t), result = op->res[k], first = ir_result_renew(u->fn, op, k);
  for (int64_t i = 0; i < n; i++) {
    ir_val s = ir_loop_out(u->fn, op, IR_SUM, 0, NULL, x[i]);
    sums = ir_put(&after, sums, (ir_axes){.n = 1, .at = {ir_int(&after, i)}}, s);
  }
  ir_take_over(u->fn, sums, result);
  op->u.loop->out[k].yield = x[0]; /* nobody reads it any more */
  u->fn->val[first].type = ir_scalar(IR_REAL);
  return true;
}

static void walk(unroller *u, ir_block *block) {
  for (ir_op *op = block->first, *next; op; op = next) {
    next = op->next;
    ir_rename_uses(op, &u->renamed);
    if (op->code == IR_IF_OP) {
      walk(u, &op->u.branch->then_);
      walk(u, &op->u.branch->else_);
      ir_rename_uses(op, &u->renamed); /* what they yield */
    }
    if (!ir_is_loop(op)) continue;
    walk(u, &op->u.loop->body);
    ir_rename_uses(op, &u->renamed);
    for (uint32_t k = 0, n = op->u.loop->nout; k < n; k++) u->changed |= split_sum(u, op, k);
    next = op->next; /* what has come behind it reads its results */
    u->changed |= unroll(u, op);
  }
}

bool pass_unroll(ir_module *m, ir_fn *fn) {
  unroller u = {.m = m, .fn = fn, .renamed = ir_map_new(m->mem, fn), .image = ir_map_new(m->mem, fn)};
  walk(&u, &fn->body);
  if (u.changed) ir_rename_all(fn, &u.renamed);
  return u.changed;
}
