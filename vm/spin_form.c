/* spin_form.c: evaluation with polynomials (spin_form.h).
 *
 * Values are asked for, not scheduled: a loop sets its indices and asks for what it yields.  Where only sums lead from an operation to the result (add, neg, a factor, a
 * plate that sums) its terms are added to the form as they come, so that polynomials in hand stay short. */
#include "vm/spin_form.h"

#include "compiler/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 400000000, MOST_DEPTH = 200 };
#define NONE UINT32_MAX

/* A monomial of spins, or in colours: [s_a = s_b], [s_a = k] with b = COLOUR + k, or the colour of a itself, b = ITSELF, which is for comparing only. */
typedef struct term {
  double c;
  uint32_t a, b; /* a <= b; NONE */
} term;

#define COLOUR UINT32_C(0x80000000)
#define ITSELF UINT32_C(0xfffffffe)

typedef struct poly {
  term *t;
  size_t n;
} poly;

typedef struct builder {
  const eval_model *m;
  const program *p;
  const ir_fn *fn;
  arena *mem;
  const char *why;
  uint64_t steps;
  int depth;
  int64_t *index;            /* by value: loop indices in force */
  const exec_cell **array;   /* by value: cells of data and frame */
  uint32_t *site;            /* by value: latent site + 1 */
  const bool *truth;
  size_t q;                  /* colours */
  term *scratch;             /* polynomials in hand */
  size_t used, room;
  term *out;
  size_t n, cap;
  double constant;
} builder;

static poly eval(builder *b, ir_val v);
static poly element(builder *b, ir_val v, const int64_t *at, uint32_t rank);

static poly none(builder *b, const char *why) {
  if (!b->why) b->why = why;
  return (poly){b->scratch + b->used, 0};
}

static poly make(builder *b, size_t n) {
  if (b->used + n > b->room) return none(b, "a polynomial in it is too long");
  poly p = {b->scratch + b->used, n};
  b->used += n;
  return p;
}

static poly number(builder *b, double c) {
  if (c == 0) return (poly){b->scratch + b->used, 0};
  poly p = make(b, 1);
  if (p.n) p.t[0] = (term){c, NONE, NONE};
  return p;
}

static bool constant(const poly *p, double *c) {
  *c = 0.0;
  for (size_t k = 0; k < p->n; k++) {
    if (p->t[k].a != NONE) return false;
    *c += p->t[k].c;
  }
  return true;
}

static poly scaled(poly p, double c) {
  for (size_t k = 0; k < p.n; k++) p.t[k].c *= c;
  return p;
}

static poly sum(builder *b, poly x, poly y) {
  poly p = make(b, x.n + y.n);
  if (b->why) return p;
  memcpy(p.t, x.t, x.n * sizeof *x.t);
  memcpy(p.t + x.n, y.t, y.n * sizeof *y.t);
  return p;
}

/* c times x, which others may still read. */
static poly multiple(builder *b, poly x, double c) {
  poly p = make(b, c != 0 ? x.n : 0);
  if (!b->why && p.n) memcpy(p.t, x.t, p.n * sizeof *p.t);
  return b->why ? p : scaled(p, c);
}

static poly product(builder *b, poly x, poly y) {
  double factor;
  if (b->q && constant(&x, &factor)) return multiple(b, y, factor);
  if (b->q && constant(&y, &factor)) return multiple(b, x, factor);
  if (b->q) return none(b, "it has products of conditions on colours");
  poly p = make(b, x.n * y.n);
  if (b->why) return p;
  for (size_t i = 0, k = 0; i < x.n; i++)
    for (size_t j = 0; j < y.n; j++, k++) {
      term s = x.t[i], t = y.t[j], r = {s.c * t.c, NONE, NONE};
      uint32_t v[4], n = 0;
      if (s.a != NONE) v[n++] = s.a;
      if (s.b != NONE) v[n++] = s.b;
      if (t.a != NONE) v[n++] = t.a;
      if (t.b != NONE) v[n++] = t.b;
      for (uint32_t u = 0; u < n; u++) /* the square of a spin is 1 */
        for (uint32_t w = u + 1; w < n; w++)
          if (v[u] == v[w]) {
            for (uint32_t z = w; z + 1 < n; z++) v[z] = v[z + 1];
            for (uint32_t z = u; z + 2 < n; z++) v[z] = v[z + 1];
            n -= 2;
            u = UINT32_MAX;
            break;
          }
      if (n > 2) return none(b, "it has products of more than two spins");
      if (n > 0) r.a = v[0];
      if (n > 1) r.a = v[0] < v[1] ? v[0] : v[1], r.b = v[0] < v[1] ? v[1] : v[0];
      p.t[k] = r;
    }
  return p;
}

/* The latent in a cell of the frame, as a polynomial: s, or (1 + s) / 2. */
static poly variable(builder *b, size_t cell) {
  poly p = make(b, b->truth[cell] ? 2 : 1);
  if (b->why) return p;
  if (b->q) {
    p.t[0] = (term){1.0, (uint32_t)cell, ITSELF};
    return p;
  }
  p.t[0] = (term){b->truth[cell] ? 0.5 : 1.0, (uint32_t)cell, NONE};
  if (b->truth[cell]) p.t[1] = (term){0.5, NONE, NONE};
  return p;
}

static int64_t whole(builder *b, ir_val v) {
  size_t mark = b->used;
  poly p = eval(b, v);
  double c;
  if (!b->why && !constant(&p, &c)) none(b, "a position or a condition in it depends on a spin");
  b->used = mark;
  return b->why ? 0 : (int64_t)c;
}

static int64_t extent(builder *b, ir_type t, uint32_t axis) { return size_eval(b->p->sizes, t.dim[axis]); }

/* Sums a loop over its box, the indices set: either adds what it yields to the form, c times, or collects it. */
static poly over_box(builder *b, const ir_op *op, uint32_t out, bool collect, double c);

static void add_terms(builder *b, poly p, double c) {
  for (size_t i = 0; i < p.n && !b->why; i++) {
    term t = p.t[i];
    if (t.b == ITSELF && t.a != NONE) none(b, "the number of a colour enters it");
    t.c *= c;
    ARENA_PUSH(b->mem, b->out, b->n, b->cap, t);
  }
}

static bool is_long(const builder *b, ir_val v) {
  const ir_op *op = ir_def_op(b->fn, v);
  return op && (op->code == IR_PLATE_OP || op->code == IR_MATMUL_OP);
}

/* Adds c times v to the form. */
static void add_all(builder *b, ir_val v, double c) {
  if (b->why || c == 0) return;
  const ir_op *op = ir_def_op(b->fn, v);
  size_t mark = b->used;
  if (++b->depth > MOST_DEPTH) none(b, "it is nested too deep");
  double k;
  poly p;
  int side;
  switch (op && !b->why ? op->code : IR_OP_COUNT) {
  case IR_ADD_OP:
    add_all(b, op->args[0], c);
    add_all(b, op->args[1], c);
    break;
  case IR_SUB_OP:
    add_all(b, op->args[0], c);
    add_all(b, op->args[1], -c);
    break;
  case IR_NEG_OP: add_all(b, op->args[0], -c); break;
  case IR_TO_REAL_OP:
  case IR_TO_INT_OP:
  case IR_BOOL_INT_OP: add_all(b, op->args[0], c); break;
  case IR_GUARD_OP: add_all(b, op->args[1], c); break; /* states are in their support */
  case IR_FMA_OP:
  case IR_MUL_OP:
    if (op->code == IR_FMA_OP) add_all(b, op->args[2], c);
    /* The shorter factor is asked first. */
    side = is_long(b, op->args[0]) && !is_long(b, op->args[1]);
    p = eval(b, op->args[side]);
    if (b->why) break;
    if (constant(&p, &k)) {
      b->used = mark;
      add_all(b, op->args[1 - side], c * k);
    } else {
      poly q = eval(b, op->args[1 - side]);
      if (!b->why) add_terms(b, product(b, p, q), c);
    }
    break;
  case IR_MATMUL_OP:
    for (int64_t i = 0, n = extent(b, ir_type_of(b->fn, op->args[0]), 0); i < n && !b->why; i++) {
      b->used = mark;
      p = element(b, op->args[0], &i, 1);
      poly q = element(b, op->args[1], &i, 1);
      if (!b->why) add_terms(b, product(b, p, q), c);
    }
    break;
  case IR_PLATE_OP:
    if (op->u.loop->out[ir_value_of(b->fn, v)->slot].mode == IR_SUM && ir_type_of(b->fn, v).rank == 0) {
      over_box(b, op, ir_value_of(b->fn, v)->slot, false, c);
      break;
    } /* fall through */
  default:
    p = eval(b, v);
    if (!b->why) add_terms(b, p, c);
  }
  b->depth--;
  b->used = mark;
}

static poly over_box(builder *b, const ir_op *op, uint32_t out, bool collect, double c) {
  const ir_loop *l = op->u.loop;
  int64_t n[IR_MAX_RANK], was[IR_MAX_RANK];
  bool empty = false;
  for (uint32_t k = 0; k < l->rank; k++) {
    n[k] = whole(b, l->extent[k]);
    empty = empty || n[k] <= 0;
    was[k] = b->index[l->index[k]];
    b->index[l->index[k]] = 0;
  }
  poly total = {b->scratch + b->used, 0};
  for (bool more = !empty; more && !b->why;) {
    if (collect) {
      poly p = eval(b, l->out[out].yield);
      total = total.n ? sum(b, total, p) : p;
    } else {
      add_all(b, l->out[out].yield, c);
    }
    uint32_t k = l->rank;
    while (k > 0 && ++b->index[l->index[k - 1]] == n[k - 1]) b->index[l->index[--k]] = 0;
    more = k > 0;
  }
  for (uint32_t k = 0; k < l->rank; k++) b->index[l->index[k]] = was[k];
  return total;
}

static poly from_cells(builder *b, ir_val base, ir_type t, const int64_t *at) {
  int64_t flat = 0;
  for (uint32_t k = 0; k < t.rank; k++) {
    int64_t n = extent(b, t, k);
    if (at[k] < 0 || at[k] >= n) return none(b, "an index in it is out of range");
    flat = flat * n + at[k];
  }
  if (b->site[base]) return variable(b, b->p->site[b->site[base] - 1].at + (size_t)flat);
  const exec_cell *p = b->array[base];
  if (!p) return none(b, "an array in it is not known when data is bound");
  return number(b, t.elem == IR_REAL ? p[flat].real : (double)p[flat].integer);
}

/* One element of an array. */
static poly element(builder *b, ir_val v, const int64_t *at, uint32_t rank) {
  ir_type t = ir_type_of(b->fn, v);
  if (t.rank != rank) return none(b, "it takes slices of arrays apart");
  if (rank == 0) return eval(b, v);
  if (b->site[v] || b->array[v]) return from_cells(b, v, t, at);
  const ir_op *op = ir_def_op(b->fn, v);
  if (!op) return none(b, "an array in it is not known when data is bound");
  if (op->code == IR_AT_OP) {
    int64_t full[IR_MAX_RANK];
    uint32_t used = 0;
    ir_type of = ir_type_of(b->fn, op->args[0]);
    for (uint32_t k = 0; k < of.rank; k++) {
      ir_val p = k < op->u.axes.n ? op->u.axes.at[k] : 0;
      full[k] = p ? whole(b, p) : at[used++];
    }
    return element(b, op->args[0], full, of.rank);
  }
  if (op->code == IR_NEW_OP) return number(b, 0.0);
  if (op->code == IR_PUT_OP) { /* the part that was replaced, or what was there */
    int64_t part[IR_MAX_RANK];
    uint32_t used = 0;
    for (uint32_t k = 0; k < rank; k++) {
      ir_val p = k < op->u.axes.n ? op->u.axes.at[k] : 0;
      if (p && whole(b, p) != at[k]) return element(b, op->args[0], at, rank);
      if (!p) part[used++] = at[k];
    }
    return element(b, op->args[1], part, used);
  }
  if (op->code == IR_PLATE_OP) {
    uint32_t out = ir_value_of(b->fn, v)->slot;
    const ir_loop *l = op->u.loop;
    if (l->out[out].mode != IR_STACK) return none(b, "it puts arrays together in another way than a loop over their elements");
    int64_t was[IR_MAX_RANK];
    for (uint32_t k = 0; k < l->rank; k++) {
      was[k] = b->index[l->index[k]];
      b->index[l->index[k]] = at[k];
    }
    poly p = element(b, l->out[out].yield, at + l->rank, rank - l->rank);
    for (uint32_t k = 0; k < l->rank; k++) b->index[l->index[k]] = was[k];
    return p;
  }
  if (op->code == IR_MATMUL_OP && rank == 1) {
    ir_val x = op->args[0], y = op->args[1];
    bool rows = ir_type_of(b->fn, x).rank == 2; /* matrix times column, else row times matrix */
    bool flip = op->flags & (rows ? IR_TRANS_A : IR_TRANS_B);
    ir_val mat = rows ? x : y, vec = rows ? y : x;
    int64_t n = extent(b, ir_type_of(b->fn, vec), 0);
    poly total = {b->scratch + b->used, 0};
    for (int64_t k = 0; k < n && !b->why; k++) {
      int64_t ij[2] = {(rows != flip) ? at[0] : k, (rows != flip) ? k : at[0]};
      poly m = element(b, mat, ij, 2), s = element(b, vec, &k, 1);
      poly p = product(b, m, s);
      /* What came before is moved over the factors, which are done with. */
      if (b->why) break;
      memmove(total.t + total.n, p.t, p.n * sizeof *p.t);
      total.n += p.n;
      b->used = (size_t)(total.t - b->scratch) + total.n;
    }
    return total;
  }
  return none(b, "it has an array operation that is not taken apart");
}

/* x = base + slope s of at most one spin. */
static bool affine(const poly *p, double *base, double *slope, uint32_t *spin) {
  *base = *slope = 0.0;
  *spin = NONE;
  for (size_t k = 0; k < p->n; k++) {
    const term *t = &p->t[k];
    if (t->a == NONE) {
      *base += t->c;
      continue;
    }
    if (t->b != NONE || (*spin != NONE && *spin != t->a)) return false;
    *spin = t->a;
    *slope += t->c;
  }
  return true;
}

static bool holds(ir_code code, double x, double y) { return code == IR_LT_OP ? x < y : code == IR_LE_OP ? x <= y : code == IR_EQ_OP ? x == y : x != y; }

/* [x = y] where one at least is a colour. */
static poly same_colour(builder *b, const ir_op *op, poly x, poly y) {
  double k, l;
  const bool x_is = x.n == 1 && x.t[0].b == ITSELF && x.t[0].a != NONE && x.t[0].c == 1, y_is = y.n == 1 && y.t[0].b == ITSELF && y.t[0].a != NONE && y.t[0].c == 1;
  if (constant(&x, &k) && constant(&y, &l)) return number(b, holds((ir_code)op->code, k, l));
  if (op->code != IR_EQ_OP && op->code != IR_NE_OP) return none(b, "it compares colours by order");
  poly p;
  if (x_is && y_is && x.t[0].a == y.t[0].a) {
    p = number(b, 1.0);
  } else if (x_is && y_is) {
    p = make(b, 1);
    uint32_t s = x.t[0].a, t = y.t[0].a;
    if (!b->why) p.t[0] = (term){1.0, s < t ? s : t, s < t ? t : s};
  } else if ((x_is && constant(&y, &k)) || (y_is && constant(&x, &k))) {
    const bool possible = k >= 1 && k <= (double)b->q && k == floor(k);
    p = possible ? make(b, 1) : number(b, 0.0);
    if (possible && !b->why) p.t[0] = (term){1.0, x_is ? x.t[0].a : y.t[0].a, COLOUR + (uint32_t)k - 1};
  } else {
    return none(b, "it compares something else than colours");
  }
  if (b->why || op->code == IR_EQ_OP) return p;
  return sum(b, number(b, 1.0), scaled(p, -1.0));
}

/* A condition on two spins is a polynomial through its four values. */
static poly compare(builder *b, const ir_op *op) {
  poly x = eval(b, op->args[0]), y = eval(b, op->args[1]);
  double base[2], slope[2], c[4] = {0}; /* of 1, s, t, s t */
  uint32_t spin[2];
  if (b->why) return x;
  if (b->q) return same_colour(b, op, x, y);
  if (!affine(&x, &base[0], &slope[0], &spin[0]) || !affine(&y, &base[1], &slope[1], &spin[1])) return none(b, "it compares sums of spins");
  for (int k = 0; k < 4; k++) {
    const double s = k & 1 ? 1.0 : -1.0, t = spin[1] == spin[0] ? s : k & 2 ? 1.0 : -1.0;
    if (!holds((ir_code)op->code, base[0] + slope[0] * s, base[1] + slope[1] * t)) continue;
    const double u = k & 2 ? 1.0 : -1.0;
    c[0] += 0.25, c[1] += 0.25 * s, c[2] += 0.25 * u, c[3] += 0.25 * s * u;
  }
  poly p = make(b, 4);
  if (b->why) return p;
  size_t n = 0;
  const uint32_t one = spin[0] != NONE ? spin[0] : NONE, two = spin[1] != NONE && spin[1] != spin[0] ? spin[1] : NONE;
  if (c[0] != 0) p.t[n++] = (term){c[0], NONE, NONE};
  if (c[1] != 0 && one != NONE) p.t[n++] = (term){c[1], one, NONE};
  if (c[2] != 0 && two != NONE) p.t[n++] = (term){c[2], two, NONE};
  if (c[3] != 0 && one != NONE && two != NONE) p.t[n++] = (term){c[3], one < two ? one : two, one < two ? two : one};
  return (poly){p.t, n};
}

static poly numeric(builder *b, const ir_op *op) {
  double x[3] = {0};
  size_t mark = b->used;
  for (uint32_t k = 0; k < op->nargs; k++) {
    poly p = eval(b, op->args[k]);
    if (b->why) return p;
    if (!constant(&p, &x[k])) return none(b, "a spin enters it in another way than by sums and products");
    b->used = mark;
  }
  int64_t i = (int64_t)x[0], j = op->nargs > 1 ? (int64_t)x[1] : 1;
  double r;
  switch (op->code) {
  case IR_IDIV_OP: return number(b, j == 0 ? 0 : floor((double)i / (double)j));
  case IR_IMOD_OP: return number(b, j == 0 ? 0 : (double)(((i % j) + j) % j));
  case IR_AND_OP: return number(b, x[0] != 0 && x[1] != 0);
  case IR_OR_OP: return number(b, x[0] != 0 || x[1] != 0);
  case IR_NOT_OP: return number(b, x[0] == 0);
  default: return fold_real_value(op->code, x[0], x[1], x[2], &r) ? number(b, r) : none(b, "it has an operation that polynomials do not");
  }
}

static poly eval_op(builder *b, const ir_op *op, ir_val v) {
  double k;
  poly p, q;
  switch (op->code) {
  case IR_REAL_OP: return number(b, op->u.real);
  case IR_INT_OP: return number(b, (double)op->u.integer);
  case IR_BOOL_OP: return number(b, op->u.integer != 0);
  case IR_SIZE_OP: return number(b, (double)size_eval(b->p->sizes, op->u.size));
  case IR_TO_REAL_OP:
  case IR_TO_INT_OP: /* of what is whole */
  case IR_BOOL_INT_OP:
  case IR_BOUND_OP: return eval(b, op->args[0]);
  case IR_GUARD_OP: return eval(b, op->args[1]);
  case IR_NEG_OP: return scaled(eval(b, op->args[0]), -1.0);
  case IR_ADD_OP:
  case IR_SUB_OP:
    p = eval(b, op->args[0]);
    q = eval(b, op->args[1]);
    if (b->why) return p;
    if (op->code == IR_SUB_OP) q = scaled(q, -1.0);
    return sum(b, p, q);
  case IR_MUL_OP:
    p = eval(b, op->args[0]);
    q = eval(b, op->args[1]);
    return b->why ? p : product(b, p, q);
  case IR_FMA_OP:
    p = eval(b, op->args[0]);
    q = eval(b, op->args[1]);
    if (b->why) return p;
    p = product(b, p, q);
    q = eval(b, op->args[2]);
    return b->why ? p : sum(b, p, q);
  case IR_LT_OP:
  case IR_LE_OP:
  case IR_EQ_OP:
  case IR_NE_OP: return compare(b, op);
  case IR_SELECT_OP:
    p = eval(b, op->args[0]);
    if (b->why) return p;
    if (constant(&p, &k)) return eval(b, op->args[k != 0 ? 1 : 2]);
    q = eval(b, op->args[1]);
    if (b->why) return q;
    poly r = eval(b, op->args[2]);
    if (b->why) return r;
    return sum(b, product(b, p, q), sum(b, r, scaled(product(b, p, r), -1.0)));
  case IR_IF_OP: {
    p = eval(b, op->args[0]);
    if (b->why) return p;
    if (!constant(&p, &k)) return none(b, "it branches on a spin");
    uint32_t slot = ir_value_of(b->fn, v)->slot;
    return eval(b, k != 0 ? op->u.branch->then_yield[slot] : op->u.branch->else_yield[slot]);
  }
  case IR_AT_OP: {
    int64_t at[IR_MAX_RANK];
    for (uint32_t a = 0; a < op->u.axes.n; a++) at[a] = op->u.axes.at[a] ? whole(b, op->u.axes.at[a]) : 0;
    return b->why ? none(b, NULL) : element(b, op->args[0], at, op->u.axes.n);
  }
  case IR_PLATE_OP: {
    uint32_t out = ir_value_of(b->fn, v)->slot;
    if (op->u.loop->out[out].mode != IR_SUM) return none(b, "it has a loop that is no sum");
    return over_box(b, op, out, true, 1.0);
  }
  case IR_MATMUL_OP: {
    ir_val x = op->args[0], y = op->args[1];
    int64_t n = extent(b, ir_type_of(b->fn, x), 0);
    poly total = {b->scratch + b->used, 0};
    for (int64_t i = 0; i < n && !b->why; i++) {
      poly s = element(b, x, &i, 1), t = element(b, y, &i, 1);
      poly st = product(b, s, t);
      if (b->why) break;
      memmove(total.t + total.n, st.t, st.n * sizeof *st.t);
      total.n += st.n;
      b->used = (size_t)(total.t - b->scratch) + total.n;
    }
    return total;
  }
  default: return numeric(b, op);
  }
}

static poly eval(builder *b, ir_val v) {
  if (b->why) return (poly){b->scratch + b->used, 0};
  if (++b->steps > MOST_STEPS) return none(b, "it takes too long to be taken apart");
  const ir_op *op = ir_def_op(b->fn, v);
  if (!op) {
    if (b->site[v] || b->array[v]) return from_cells(b, v, ir_type_of(b->fn, v), NULL);
    if (ir_value_of(b->fn, v)->def == IR_DEF_INDEX) return number(b, (double)b->index[v]);
    return none(b, "a value in it is not known when data is bound");
  }
  if (ir_value_of(b->fn, v)->def == IR_DEF_INDEX) return number(b, (double)b->index[v]);
  if (++b->depth > MOST_DEPTH) return none(b, "it is nested too deep");
  poly p = eval_op(b, op, v);
  b->depth--;
  return p;
}

/* ---- the form */

static bool finite_alike(const eval_model *m, bool **truth, size_t *q, arena *mem, const char **why) {
  const program *p = m->p;
  *truth = ARENA_ARRAY(mem, bool, p->cells + 1);
  if (p->cells == 0 || p->cells >= UINT32_MAX / 2) {
    *why = "there are no spins";
    return false;
  }
  *q = 0;
  for (size_t k = 0; k < p->nsites; k++) {
    const program_site *s = &p->site[k];
    const double count = s->batch ? exp(s->log_count / (double)s->batch) : 2.0;
    bool is_truth = s->site->type.elem == IR_BOOL, counted = s->discrete && !s->improper && count > 1.5 && count <= 65536;
    if (!counted) {
      *why = arena_printf(mem, "`%s` is not finite, or has another distribution than Flat()", s->name);
      return false;
    }
    size_t colours = is_truth || s->spin ? 0 : (size_t)(count + 0.5);
    if (k && colours != *q) {
      *why = "its sites have different numbers of values";
      return false;
    }
    *q = colours;
    for (size_t c = 0; c < s->cells; c++) (*truth)[s->at + c] = is_truth;
  }
  return true;
}

static void name_inputs(builder *b) {
  for (uint32_t k = 0; k < b->fn->nparams; k++) {
    const ir_param *q = &b->fn->param[k];
    if (q->role == IR_ROLE_LATENT)
      for (size_t s = 0; s < b->p->nsites; s++)
        if (strcmp(b->p->site[s].name, q->name) == 0) b->site[q->val] = (uint32_t)s + 1;
    if (q->role == IR_ROLE_DATA)
      for (size_t d = 0; d < b->p->ndata; d++)
        if (strcmp(b->p->data[d].name, q->name) == 0) b->array[q->val] = b->p->data[d].p;
    if (q->role == IR_ROLE_FRAME && b->m->engine->frame)
      b->array[q->val] = b->m->engine->frame(b->m->loaded, (uint32_t)strtoul(q->name + strcspn(q->name, ".") + 1, NULL, 10));
  }
}

static int by_place(const void *x, const void *y) {
  const term *s = x, *t = y;
  if (s->a != t->a) return s->a < t->a ? -1 : 1;
  return s->b < t->b ? -1 : s->b > t->b;
}

/* Terms of one place become one. */
static void gather(builder *b) {
  if (b->n) qsort(b->out, b->n, sizeof *b->out, by_place);
  size_t n = 0;
  for (size_t k = 0; k < b->n; k++) {
    if (n && b->out[n - 1].a == b->out[k].a && b->out[n - 1].b == b->out[k].b) b->out[n - 1].c += b->out[k].c;
    else b->out[n++] = b->out[k];
  }
  b->n = n;
}

static void fill(builder *b, arena *mem, spin_form *f) {
  const size_t n = f->n;
  double *h = ARENA_ARRAY(mem, double, n), *H = f->q ? ARENA_ARRAY(mem, double, n * f->q) : NULL;
  bool fields = false;
  uint32_t *row = ARENA_ARRAY(mem, uint32_t, n + 2);
  for (size_t k = 0; k < b->n; k++) {
    const term *t = &b->out[k];
    if (t->c == 0) continue;
    if (t->a == NONE) f->constant -= t->c;
    else if (f->q && t->b >= COLOUR) H[t->a * f->q + (t->b - COLOUR)] += t->c, fields = true;
    else if (t->b == NONE) h[t->a] += t->c, fields = true;
    else row[t->a + 2]++, row[t->b + 2]++, f->couplings++;
  }
  f->problem = (rt_spin_problem){.n = n, .h = fields && !f->q ? h : NULL};
  f->H = fields ? H : NULL;
  /* From a quarter of all pairs on a row of a matrix is read faster than a list. */
  if (!f->q && n <= 4096 && 4 * f->couplings >= n * (n - 1) / 2) {
    double *J = ARENA_ARRAY(mem, double, n * n);
    for (size_t k = 0; k < b->n; k++)
      if (b->out[k].b < COLOUR && b->out[k].a != NONE) J[b->out[k].a * n + b->out[k].b] = J[b->out[k].b * n + b->out[k].a] = b->out[k].c;
    f->problem.form = RT_SPIN_DENSE;
    f->problem.J = J;
    return;
  }
  for (size_t i = 0; i < n; i++) row[i + 2] += row[i + 1];
  uint32_t *column = ARENA_ARRAY(mem, uint32_t, 2 * f->couplings + 1);
  double *weight = ARENA_ARRAY(mem, double, 2 * f->couplings + 1), first = 0;
  bool alike = true;
  /* Terms are sorted by their lower spin, so that columns rise: first those below the diagonal of a row, then those above. */
  for (size_t k = 0; k < b->n; k++) {
    const term *t = &b->out[k];
    if (t->c == 0 || t->b >= COLOUR || t->a == NONE) continue;
    if (first == 0) first = t->c;
    alike = alike && t->c == first;
    uint32_t at = row[t->b + 1]++;
    column[at] = t->a;
    weight[at] = t->c;
  }
  for (size_t k = 0; k < b->n; k++) {
    const term *t = &b->out[k];
    if (t->c == 0 || t->b >= COLOUR || t->a == NONE) continue;
    uint32_t at = row[t->a + 1]++;
    column[at] = t->b;
    weight[at] = t->c;
  }
  f->problem.form = RT_SPIN_SPARSE;
  f->problem.row = row;
  f->problem.column = column;
  f->problem.weight = alike && f->couplings ? NULL : weight;
  f->problem.coupling = first;
}

bool spin_form_find(const eval_model *m, arena *mem, spin_form *out, const char **why) {
  bool *truth;
  *out = (spin_form){.n = m->p->cells};
  const ir_fn *fn = ir_fn_find(m->p->module, "tempered");
  if (!fn || !finite_alike(m, &truth, &out->q, mem, why)) return false;
  out->truth = truth;
  builder b = {.m = m, .p = m->p, .fn = fn, .mem = mem, .truth = truth, .q = out->q, .room = (size_t)1 << 16};
  if (b.room < 8 * out->n + 1024) b.room = 8 * out->n + 1024;
  b.index = ARENA_ARRAY(mem, int64_t, fn->nvals);
  b.array = ARENA_ARRAY(mem, const exec_cell *, fn->nvals);
  b.site = ARENA_ARRAY(mem, uint32_t, fn->nvals);
  b.scratch = ARENA_ARRAY(mem, term, b.room);
  name_inputs(&b);
  add_all(&b, fn->ret[0], 1.0);
  gather(&b);
  for (size_t k = 0; k < b.n; k++)
    if (b.out[k].a != NONE && b.out[k].c != 0) none(&b, "more than the energy depends on the spins");
  b.n = 0;
  if (!b.why) add_all(&b, fn->ret[1], 1.0);
  if (b.why) {
    *why = b.why;
    return false;
  }
  gather(&b);
  fill(&b, mem, out);
  return true;
}
