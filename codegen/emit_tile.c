/* emit_tile.c: plates that go down the rows of a matrix, tile by tile.
 *
 *     plate i < N -> sum, sum {
 *       x = at X, :, i      e = matmul x, beta
 *       ...                 what else the body does: e comes in, r goes out
 *       p = plate k < D -> stack { r x[k] }
 *       yield ..., p
 *     }
 *
 * is what the gradient of a regression is made of.  As one body it keeps a row and D accumulators alive around whatever stands
 * between e and r, and leaves the processor one chain of dependent operations.  So a tile of rows goes through three short loops,
 * while it is in a cache near by: the products of its rows with the vector, into a column; the rest of the body on lanes, which
 * leaves the factors r in a column; that column times the columns of the matrix, into the accumulators of the sums.  Every sum has
 * the terms that it had, in the order that it had.  D may be known while compiling or not. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

/* Rows below SHORT stand as well in the body, with accumulators in registers; and plates that are known to be shorter than FEW_ROWS are
 * no loop worth cutting. */
enum { SHORT = 8, FEW_ROWS = 2 * CG_FEW };

/* Row i of a matrix: position of the plate's index, and which of the two axes it has. */
typedef struct row {
  ir_val matrix, position;
  int axis;
} row;

typedef struct dot {
  const ir_op *op;
  row row;
  ir_val vector;
  LV column, a, x;
} dot;

typedef struct scaled {
  const ir_op *op;
  row row;
  ir_val factor;
  uint32_t out;  /* of the plate: the sum that takes them */
  LV column, a, acc, blocks;
} scaled;

struct cg_tiles {
  const ir_op *plate;
  dot *dot;
  size_t ndots, cap_dots;
  scaled *sum;
  size_t nsums, cap_sums;
  LV first, lane; /* of the tile; of the iteration at hand in it */
};

static bool outside(E *e, ir_val v, const ir_op *plate) { return !ir_block_within(ir_home(e->fn, v), &plate->u.loop->body); }

/* v is the plate's index plus what does not vary; then *add, where it is not NULL, is that. */
static bool follows(E *e, const ir_op *plate, ir_val v, LV *add) {
  if (v == plate->u.loop->index[0]) return true;
  const ir_op *op = v && !outside(e, v, plate) ? ir_def_op(e->fn, v) : NULL;
  if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return false;
  int64_t n;
  ir_val a = op->args[0], b = op->args[1];
  if (op->code == IR_ADD_OP && (ir_is_int(e->fn, a, &n) || outside(e, a, plate))) a = op->args[1], b = op->args[0];
  bool literal = ir_is_int(e->fn, b, &n);
  if ((!literal && !outside(e, b, plate)) || !follows(e, plate, a, add)) return false;
  if (!add) return true;
  LV by = literal ? cg_int(e, n) : cg_val(e, b);
  *add = op->code == IR_ADD_OP ? cg_add(e, *add, by) : LLVMBuildSub(e->b, *add, by, "");
  return true;
}

/* A matrix in memory that does not vary. */
static bool stands(E *e, ir_val v, const ir_op *plate) {
  ir_type t = ir_type_of(e->fn, v);
  return t.rank == 2 && t.elem == IR_REAL && outside(e, v, plate) && !e->v[v].cell && !e->v[v].stride;
}

static bool is_row(E *e, const ir_op *plate, ir_val v, row *r) {
  const ir_op *op = ir_def_op(e->fn, v);
  if (!op || op->code != IR_AT_OP || op->u.axes.n != 2 || !op->u.axes.at[0] == !op->u.axes.at[1]) return false;
  r->axis = op->u.axes.at[0] ? 0 : 1;
  r->matrix = op->args[0];
  r->position = op->u.axes.at[r->axis];
  return stands(e, r->matrix, plate) && follows(e, plate, r->position, NULL);
}

static int64_t row_length(E *e, const row *r) {
  ir_type t = ir_type_of(e->fn, r->matrix);
  return cg_known_cells(e, ir_array(IR_REAL, 1, &t.dim[1 - r->axis]));
}
static bool is_long(E *e, const row *r) {
  int64_t n = row_length(e, r);
  return n < 0 || n >= SHORT;
}

/* Short rows of a row-major matrix stay in the body, where lanes gather their elements: a product of each row alone folds a vector at its end. */
static bool gathers(E *e, const dot *d) {
  int64_t work;
  return d->row.axis == 0 && cg_small_matmul(e, d->op, &work);
}

static void find_dot(E *e, cg_tiles *t, const ir_op *op) {
  if (op->code != IR_MATMUL_OP || op->flags || ir_type_of(e->fn, op->res[0]).rank > 0) return;
  for (int k = 0; k < 2; k++) {
    dot d = {.op = op, .vector = op->args[1 - k]};
    if (!outside(e, d.vector, t->plate) || !is_row(e, t->plate, op->args[k], &d.row) || !is_long(e, &d.row) || gathers(e, &d)) continue;
    ARENA_PUSH(e->mem, t->dot, t->ndots, t->cap_dots, d);
    return;
  }
}

/* v is element q of row `r` by columns, q the index of the loop `over`. */
static bool is_element(E *e, const ir_op *plate, ir_val v, const ir_loop *over, row *r) {
  const ir_op *op = ir_def_op(e->fn, v);
  if (!op || op->code != IR_AT_OP) return false;
  if (op->u.axes.n == 1) return op->u.axes.at[0] == over->index[0] && is_row(e, plate, op->args[0], r) && r->axis == 1;
  *r = (row){op->args[0], op->u.axes.n == 2 ? op->u.axes.at[1] : 0, 1};
  return op->u.axes.n == 2 && op->u.axes.at[0] == over->index[0] && stands(e, r->matrix, plate) && follows(e, plate, r->position, NULL);
}

/* The output of the plate that sums v, which nothing else reads; -1. */
static int sum_of(E *e, const ir_op *plate, ir_val v) {
  for (uint32_t k = 0; k < plate->nres; k++)
    if (plate->u.loop->out[k].yield == v) return plate->u.loop->out[k].mode == IR_SUM && e->v[v].uses == 1 ? (int)k : -1;
  return -1;
}

/* An inner plate that scales rows and does nothing else. */
static void find_scaled(E *e, cg_tiles *t, const ir_op *op) {
  if (op->code != IR_PLATE_OP || op->u.loop->rank != 1 || op->nres == 0) return;
  const ir_loop *loop = op->u.loop;
  size_t before = t->nsums;
  uint32_t products = 0;
  for (const ir_op *p = loop->body.first; p; p = p->next) {
    if (p->code != IR_MUL_OP && p->code != IR_AT_OP) return;
    products += p->code == IR_MUL_OP;
  }
  for (uint32_t k = 0; k < op->nres; k++) {
    const ir_op *product = ir_def_op(e->fn, loop->out[k].yield);
    int out = sum_of(e, t->plate, op->res[k]);
    bool found = false;
    if (out >= 0 && loop->out[k].mode == IR_STACK && product && product->code == IR_MUL_OP && product->block == &loop->body)
      for (int side = 0; side < 2 && !found; side++) {
        scaled s = {.op = op, .factor = product->args[side], .out = (uint32_t)out};
        if (!outside(e, s.factor, op) || !is_element(e, t->plate, product->args[1 - side], loop, &s.row) || !is_long(e, &s.row)) continue;
        ARENA_PUSH(e->mem, t->sum, t->nsums, t->cap_sums, s);
        found = true;
      }
    if (!found || products > op->nres) {
      t->nsums = before;
      return;
    }
  }
}

static void mark(E *e, const cg_tiles *t, bool on) {
  for (size_t k = 0; k < t->ndots; k++) e->v[t->dot[k].op->res[0]].by_tile = on;
  for (size_t k = 0; k < t->nsums; k++)
    for (uint32_t q = 0; q < t->sum[k].op->nres; q++) e->v[t->sum[k].op->res[q]].by_tile = on;
}

cg_tiles *cg_tiles_find(E *e, const ir_op *plate) {
  int64_t known = cg_iterations(e, plate);
  if (plate->code != IR_PLATE_OP || plate->u.loop->rank != 1 || (known >= 0 && known < FEW_ROWS)) return NULL;
  cg_tiles *t = ARENA_NEW(e->mem, cg_tiles);
  t->plate = plate;
  for (const ir_op *op = plate->u.loop->body.first; op; op = op->next) {
    find_dot(e, t, op);
    find_scaled(e, t, op);
  }
  if (t->ndots + t->nsums == 0) return NULL;
  mark(e, t, true);
  return t;
}
void cg_tiles_drop(E *e, const cg_tiles *t) {
  if (t) mark(e, t, false);
}

bool cg_by_tile(E *e, const ir_op *op) { return op->nres && e->v[op->res[0]].by_tile; }

/* ---- emission */

static ir_type sum_type(E *e, const cg_tiles *t, const scaled *s) { return ir_type_of(e->fn, t->plate->res[s->out]); }

void cg_tiles_begin(E *e, cg_tiles *t, bool blocks) {
  for (size_t k = 0; k < t->ndots; k++) {
    dot *d = &t->dot[k];
    d->column = cg_column(e, IR_REAL, CG_TILE);
    d->a = cg_val(e, d->row.matrix);
    d->x = cg_address(e, d->vector);
  }
  for (size_t k = 0; k < t->nsums; k++) {
    scaled *s = &t->sum[k];
    for (size_t q = 0; q < k && !s->column; q++) if (t->sum[q].factor == s->factor) s->column = t->sum[q].column;
    if (!s->column) s->column = cg_column(e, IR_REAL, CG_TILE);
    s->a = cg_val(e, s->row.matrix);
    s->acc = cg_slot_scaled(e, CG_FEW, 0, sum_type(e, t, s));
    if (!blocks) continue;
    s->blocks = cg_slot_scaled(e, CG_BLOCKS_CELLS, 0, sum_type(e, t, s));
    cg_service(e, CG_HOST_blocks_start, 2, (LV[]){s->blocks, cg_cells(e, sum_type(e, t, s))});
  }
}

void cg_tiles_clear(E *e, cg_tiles *t) {
  for (size_t k = 0; k < t->nsums; k++)
    cg_service(e, CG_HOST_fill, 3, (LV[]){t->sum[k].acc, cg_int(e, 0), cg_mul(e, cg_cells(e, sum_type(e, t, &t->sum[k])), cg_int(e, CG_FEW))});
}

/* Where row `index` begins; *apart is the distance of its elements, or, in a row-major matrix, of rows. */
static LV row_at(E *e, const cg_tiles *t, const row *r, LV a, LV index, LV *apart) {
  ir_type m = ir_type_of(e->fn, r->matrix);
  LV at = index;
  follows(e, t->plate, r->position, &at);
  *apart = cg_size(e, m.dim[1]);
  return cg_gep(e, a, r->axis ? at : cg_mul(e, at, *apart));
}

static void products(E *e, cg_tiles *t, const dot *d, LV index, LV len) {
  LV apart, from = row_at(e, t, &d->row, d->a, index, &apart);
  if (d->row.axis) cg_service(e, CG_HOST_gemv_columns, 6, (LV[]){d->column, from, apart, d->x, len, cg_size(e, ir_type_of(e->fn, d->row.matrix).dim[0])});
  else cg_service(e, CG_HOST_gemv, 6, (LV[]){d->column, from, d->x, len, apart, cg_int(e, 0)});
}

void cg_tiles_before(E *e, cg_tiles *t, LV first, LV len) {
  t->first = first;
  for (size_t k = 0; k < t->ndots; k++) products(e, t, &t->dot[k], first, len);
}

void cg_tiles_after(E *e, cg_tiles *t, LV len) {
  for (size_t k = 0; k < t->nsums; k++) {
    const scaled *s = &t->sum[k];
    LV apart, from = row_at(e, t, &s->row, s->a, t->first, &apart);
    cg_service(e, CG_HOST_columns_add, 6, (LV[]){s->acc, s->column, from, apart, cg_cells(e, sum_type(e, t, s)), len});
  }
}

void cg_tiles_push(E *e, cg_tiles *t) {
  for (size_t k = 0; k < t->nsums; k++)
    cg_service(e, CG_HOST_blocks_push, 3, (LV[]){t->sum[k].blocks, t->sum[k].acc, cg_cells(e, sum_type(e, t, &t->sum[k]))});
}

bool cg_tiles_sum(E *e, cg_tiles *t, uint32_t out, LV many) {
  for (size_t k = 0; k < t->nsums; k++) {
    const scaled *s = &t->sum[k];
    if (s->out != out) continue;
    LV d = cg_memory(e, t->plate->res[out]), n = cg_cells(e, sum_type(e, t, s));
    if (s->blocks) cg_service(e, CG_HOST_blocks_values, 5, (LV[]){d, s->acc, s->blocks, n, LLVMBuildZExt(e->b, many, e->i64, "")});
    else cg_service(e, CG_HOST_lanes_values, 3, (LV[]){d, s->acc, n});
    return true;
  }
  return false;
}

void cg_tile_op(E *e, const ir_op *op) {
  cg_tiles *t = e->tiles;
  LV index = e->v[t->plate->u.loop->index[0]].v;
  bool alone = e->checks == CG_COUNT; /* one iteration after the other, for the sake of checks: each is its own tile */
  LV lane = alone ? cg_int(e, 0) : LLVMBuildSub(e->b, index, t->first, "");
  for (size_t k = 0; k < t->ndots; k++) {
    const dot *d = &t->dot[k];
    if (d->op != op) continue;
    if (alone) products(e, t, d, index, cg_int(e, 1));
    e->v[op->res[0]].v = cg_load(e, IR_REAL, cg_gep(e, d->column, lane));
    return;
  }
  for (size_t k = 0; k < t->nsums && !alone; k++)
    if (t->sum[k].op == op) cg_store(e, IR_REAL, cg_val(e, t->sum[k].factor), cg_gep(e, t->sum[k].column, lane));
}
