/* pass_carry.c: what a scan places in an array and reads back one iteration later is carried.
 *
 *     scan t -> into s = s0 { ... s[t] ... yield [t + 1] x }
 *
 * becomes the same scan with a carry x that starts as s0[0]; the array is still made, but nobody waits for what was just stored in it.  For
 * vectors of known length, placed at [t + 1, :] as puts at literals and read at [t, k], one carry for each k.
 *
 * needs: an upward scan whose array state is read at its own index only.  keeps: every bit.  Behind differentiation, which has no need to
 * keep an array's elements a second time. */
#include "compiler/ir_uses.h"
#include "compiler/passes.h"
#include "compiler/scans.h"

enum { MAX_WIDTH = 8 };

typedef struct carrier {
  ir_fn *fn;
  ir_loop *loop;
  ir_val state;
  int rank;
  bool read[MAX_WIDTH]; /* column k, or 0 for a vector state, is read */
  bool fits;
  ir_val carried[MAX_WIDTH];
} carrier;

/* The column that op reads of the state's row t; -1 if it is no such read. */
static int64_t column_of(const carrier *c, const ir_op *op) {
  int64_t k = 0;
  if (op->code != IR_AT_OP || op->args[0] != c->state || op->u.axes.at[0] != c->loop->index[0]) return -1;
  if (c->rank == 2 && (!op->u.axes.at[1] || !ir_is_int(c->fn, op->u.axes.at[1], &k) || k < 0 || k >= MAX_WIDTH)) return -1;
  return k;
}

static void note_use(void *user, ir_val *use) {
  carrier *c = user;
  c->fits &= *use != c->state;
}

static void look_at(void *user, ir_op *op) {
  carrier *c = user;
  int64_t k = column_of(c, op);
  if (k >= 0) c->read[k] = true;
  else ir_visit_uses(op, note_use, c);
}

static void replace_read(void *user, ir_op *op) {
  carrier *c = user;
  int64_t k = column_of(c, op);
  if (k < 0) return;
  ir_replace_uses(c->fn, op->res[0], c->carried[k]);
  ir_remove(op);
}

/* What stands at column k of the row that is placed; 0 if that is not known. */
static ir_val placed_at(const carrier *c, ir_val row, int64_t k) {
  if (c->rank == 1) return row;
  for (const ir_op *op = ir_def_op(c->fn, row); op && op->code == IR_PUT_OP; op = ir_def_op(c->fn, op->args[0])) {
    int64_t at;
    if (op->u.axes.n != 1 || !op->u.axes.at[0] || !ir_is_int(c->fn, op->u.axes.at[0], &at)) return 0;
    if (at == k) return op->args[1];
  }
  return 0;
}

/* Element k of the first row of init, 0.0 where no iteration reads it. */
static ir_val start(const carrier *c, ir_op *op, ir_val init, int64_t k) {
  ir_builder b = {.fn = c->fn, .block = op->block, .before = op, .where = op->where};
  ir_op *branch = ir_if_begin(&b, ir_op2(&b, IR_LT_OP, ir_int(&b, 0), c->loop->extent[0]));
  ir_builder yes = ir_builder_in(&b, &branch->u.branch->then_), no = ir_builder_in(&b, &branch->u.branch->else_);
  ir_axes axes = {.n = (uint32_t)c->rank, .at = {ir_int(&yes, 0), c->rank == 2 ? ir_int(&yes, k) : 0}};
  return ir_if_out(c->fn, branch, ir_at(&yes, init, axes), ir_real(&no, 0));
}

static bool carry(ir_module *m, ir_fn *fn, ir_op *op, uint32_t number) {
  (void)m;
  ir_out out = op->u.loop->out[number];
  if (out.mode != IR_INTO || !out.state || op->u.loop->down) return false;
  ir_type t = ir_type_of(fn, out.state);
  carrier c = {.fn = fn, .loop = op->u.loop, .state = out.state, .rank = t.rank, .fits = true};
  if (t.elem != IR_REAL || t.rank < 1 || t.rank > 2 || !scan_is_next_index(fn, c.loop, out.axes.at[0]) || (t.rank == 2 && out.axes.at[1])) return false;
  ir_visit_ops(&op->u.loop->body, look_at, &c);
  for (uint32_t k = 0; k < op->u.loop->nout; k++) c.fits &= op->u.loop->out[k].yield != c.state;
  bool any = false;
  for (int64_t k = 0; k < MAX_WIDTH; k++) {
    any |= c.read[k];
    c.fits &= !c.read[k] || placed_at(&c, out.yield, k);
  }
  if (!c.fits || !any) return false;
  for (int64_t k = 0; k < MAX_WIDTH; k++) {
    if (!c.read[k]) continue;
    uint32_t n = ir_loop_state(fn, op, IR_CARRY, start(&c, op, out.init, k));
    c.carried[k] = op->u.loop->out[n].state;
    ir_loop_finish(fn, op, n, NULL, placed_at(&c, out.yield, k));
  }
  ir_visit_ops(&op->u.loop->body, replace_read, &c);
  return true;
}

bool pass_carry(ir_module *m, ir_fn *fn) {
  return scan_each_output(m, fn, carry, "carry", "what one step places and the next reads is carried in registers");
}
