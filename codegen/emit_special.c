/* emit_special.c: special functions in the body of a plate on lanes.
 *
 * A special function is a loop over the nodes of a quadrature, which gains by taking many elements together (rt_isa_special.c) and
 * would keep its plate from becoming vectors if it stood there as a call.  So before a group of iterations runs, the operands of its
 * special functions go into columns, by a loop on lanes over what of the body they depend on; a call of the host makes a column of
 * results of them; and the body reads its element there.  Functions of one law at the same operands, as a density and its derivatives
 * are, come of one call.  Functions of the results of others come after those, rank by rank. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

typedef struct column {
  const ir_op *op;
  int code, rank;  /* rank: longest chain of special functions that its operands depend on */
  size_t leader;   /* the first column of its law at the same operands, with which it is made */
  LV operand[3];   /* columns, or one cell where all iterations share it */
  bool shared[3];
  LV result;
} column;

struct cg_columns {
  const ir_op *plate;
  column *column;
  size_t n, cap;
  int64_t width;   /* of a column */
  int ranks, done; /* columns of ranks below `done` can be read */
  int *rank;       /* [nvals]: of what a value depends on; in `need`, which values the operands of a rank depend on */
  bool *need;
  LV lane;         /* of the iteration at hand in its group; NULL: none is, as where checks go through a plate again */
};

static column *of(const cg_columns *s, const ir_op *op) {
  for (size_t k = 0; s && k < s->n; k++) if (s->column[k].op == op) return &s->column[k];
  return NULL;
}

typedef struct operands {
  const cg_columns *s;
  int rank;
  bool mark;
} operands;

static void operand(void *user, ir_val *v) {
  operands *o = user;
  if (o->mark) o->s->need[*v] = true;
  else if (o->s->rank[*v] > o->rank) o->rank = o->s->rank[*v];
}

/* The column that op is made with: its own, which comes next, or an earlier one. */
static size_t leader_of(const cg_columns *s, const ir_op *op, int code) {
  for (size_t k = 0; k < s->n && rt_special_law(code) != RT_LAW_NONE; k++) {
    const column *c = &s->column[k];
    bool same = c->leader == k && rt_special_law(c->code) == rt_special_law(code);
    for (uint32_t q = 0; q < op->nargs && same; q++) same = c->op->args[q] == op->args[q];
    if (same) return k;
  }
  return s->n;
}

/* Columns that are made with column k. */
static int64_t members(const cg_columns *s, size_t k) {
  int64_t n = 0;
  for (size_t q = k; q < s->n; q++) n += s->column[q].leader == k;
  return n;
}

cg_columns *cg_columns_find(E *e, const ir_op *plate, int64_t width) {
  const ir_block *body = &plate->u.loop->body;
  cg_columns *s = NULL;
  for (const ir_op *op = body->first; op; op = op->next) {
    int code = cg_special_code(op->code);
    if (!s && code < 0) continue;
    if (!s) {
      s = ARENA_NEW(e->mem, cg_columns);
      s->plate = plate;
      s->rank = ARENA_ARRAY(e->mem, int, e->fn->nvals);
      s->need = ARENA_ARRAY(e->mem, bool, e->fn->nvals);
    }
    operands o = {.s = s};
    ir_visit_region_uses((ir_op *)op, operand, &o); /* which renames nothing here */
    for (uint32_t k = 0; k < op->nres; k++) s->rank[op->res[k]] = o.rank + (code >= 0);
    if (code < 0) continue;
    column c = {.op = op, .code = code, .rank = o.rank};
    c.leader = leader_of(s, op, code);
    for (uint32_t k = 0; k < op->nargs && c.leader == s->n; k++) {
      c.shared[k] = !ir_block_within(ir_home(e->fn, op->args[k]), body);
      c.operand[k] = cg_column(e, IR_REAL, c.shared[k] ? 1 : width);
    }
    if (o.rank + 1 > s->ranks) s->ranks = o.rank + 1;
    ARENA_PUSH(e->mem, s->column, s->n, s->cap, c);
  }
  if (s) s->width = width;
  for (size_t k = 0; s && k < s->n; k++) {
    int64_t count = members(s, k), at = 0;
    if (s->column[k].leader != k) continue;
    LV results = cg_column(e, IR_REAL, count * width);
    for (size_t q = k; q < s->n; q++)
      if (s->column[q].leader == k) s->column[q].result = cg_gep(e, results, cg_int(e, width * at++));
  }
  return s;
}

bool cg_by_column(E *e, const ir_op *op) { return of(e->columns, op) != NULL; }

/* The part of the body that the operands of a rank depend on, into their columns. */
static void fill(E *e, cg_columns *s, LV first, LV len) {
  const ir_loop *loop = s->plate->u.loop;
  for (ir_val v = 0; v < e->fn->nvals; v++) s->need[v] = false;
  for (size_t k = 0; k < s->n; k++)
    for (uint32_t q = 0; q < s->column[k].op->nargs && s->column[k].rank == s->done; q++) s->need[s->column[k].op->args[q]] = true;
  for (const ir_op *op = loop->body.last; op; op = op->prev) {
    bool needed = false;
    for (uint32_t k = 0; k < op->nres; k++) needed |= s->need[op->res[k]];
    if (needed && !of(s, op)) ir_visit_region_uses((ir_op *)op, operand, &(operands){.s = s, .mark = true});
  }
  LV outer = e->group;
  cg_for f = cg_for_begin(e, len);
  LV own = e->group = cg_new_group(e);
  e->unrolled++;
  s->lane = f.index;
  e->v[loop->index[loop->rank - 1]].v = cg_add(e, first, f.index);
  for (const ir_op *op = loop->body.first; op; op = op->next) {
    bool needed = false;
    for (uint32_t k = 0; k < op->nres; k++) needed |= s->need[op->res[k]];
    if (needed) cg_emit_op(e, op);
  }
  for (size_t k = 0; k < s->n; k++) {
    const column *c = &s->column[k];
    for (uint32_t q = 0; q < c->op->nargs && c->rank == s->done && c->leader == k; q++)
      if (!c->shared[q]) cg_store(e, IR_REAL, cg_val(e, c->op->args[q]), cg_gep(e, c->operand[q], f.index));
  }
  e->unrolled--;
  e->group = outer;
  cg_for_end_lanes(e, &f, own, 1, true, false);
}

/* The columns that column k leads, itself the first. */
static void call(E *e, const cg_columns *s, size_t k, LV len) {
  const column *c = &s->column[k];
  LV from[3] = {c->result, c->result, c->result}, stride[3] = {0};
  int64_t count = members(s, k), at = 0;
  bool alone = count == 1;
  for (uint32_t q = 0; q < 3; q++) {
    bool there = q < c->op->nargs;
    stride[q] = LLVMConstInt(alone ? e->i32 : e->i64, there && !c->shared[q], 0);
    if (!there) continue;
    from[q] = c->operand[q];
    if (c->shared[q]) cg_store(e, IR_REAL, cg_val(e, c->op->args[q]), c->operand[q]);
  }
  if (alone) {
    cg_special(e, c->code, c->result, from, stride, len);
    return;
  }
  LV code = cg_alloca(e, LLVMArrayType2(e->i64, (uint64_t)count));
  for (size_t q = k; q < s->n; q++)
    if (s->column[q].leader == k) LLVMBuildStore(e->b, cg_int(e, s->column[q].code), cg_gep(e, code, cg_int(e, at++)));
  cg_service(e, CG_HOST_special_of_law, 11, (LV[]){c->result, cg_int(e, s->width), code, cg_int(e, count), from[0], stride[0], from[1], stride[1], from[2], stride[2], len});
}

void cg_columns_before(E *e, cg_columns *s, LV first, LV len) {
  if (!s) return;
  e->columns = s;
  for (s->done = 0; s->done < s->ranks; s->done++) {
    fill(e, s, first, len);
    for (size_t k = 0; k < s->n; k++) if (s->column[k].rank == s->done && s->column[k].leader == k) call(e, s, k, len);
  }
}

void cg_columns_at(E *e, cg_columns *s, LV lane) {
  if (s) s->lane = lane;
  e->columns = s;
}

void cg_column_op(E *e, const ir_op *op) {
  const column *c = of(e->columns, op);
  if (c->rank < e->columns->done) e->v[op->res[0]].v = cg_load(e, IR_REAL, cg_gep(e, c->result, e->columns->lane));
}
