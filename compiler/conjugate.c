/* conjugate.c: the terms of one element in the basis of an exponential family (conjugate.h).
 *
 * A *form* is a sum of basis functions of x with coefficients in the function being made.  @local's operations are cloned, so that everything that does not depend on x
 * has an image; forms are made of what does.  A plate that adds up forms becomes a plate that adds up their coefficients.
 *
 * Conditions on x come from supports: at an element inside of its own they hold, or fail, almost everywhere, whatever x is.  A state of positive density is
 * where a chain stands, so conditions that do not depend on x hold. */
#include "compiler/conjugate.h"

#include "compiler/ir_uses.h"

#include <math.h>
#include <string.h>

enum { HALVES = 4, POWER0 = 0, CONSTANT = HALVES, B_LOG = 2 * HALVES + 1, B_LOG1M, NBASIS, MAX_KEYED = 8 };
/* Beyond these a conditional is left to slices: a value that is used twice is looked at twice, so the work could double with every line. */
enum { MOST_WORK = 20000, MOST_DEPTH = 1000 };
#define POWER(halves) (CONSTANT + (halves))

/* coefficient c of log x[at], in the block that is being built. */
typedef struct keyed {
  ir_val at, c;
} keyed;

typedef struct form {
  bool ok;
  ir_val c[NBASIS];       /* 0: the basis function is not there */
  ir_val at;              /* of a simplex: the x of the powers is x[at] */
  keyed key[MAX_KEYED];
  uint32_t nkeys;
  ir_val each;            /* of a simplex: the array of coefficients of log x[k]; 0: zeros */
} form;

typedef enum truth { T_UNKNOWN, T_HOLDS, T_FAILS, T_FIXED } truth;

typedef struct finder {
  ir_module *m;
  const ir_fn *d;         /* @local */
  ir_fn *fn;
  const ir_site *site;
  ir_val param, now;      /* of d: the site's; of fn: x as it stands */
  ir_val index[IR_MAX_RANK];
  uint32_t batch_rank;
  bool *dep;              /* by value of d: depends on the element */
  ir_cloner c;
  const ir_axes *assumed; /* a position that is taken for the element's */
  const ir_op *bad;       /* the first that has no form */
  uint32_t work, depth;
} finder;

static const char *const names[] = {"none", "normal", "gamma", "inverse gamma", "beta", "Dirichlet"};
const char *conjugate_name(conjugate_family f) { return names[f]; }

/* ---- what an operation reads of the site */

typedef enum place { PLACE_HERE, PLACE_OTHER, PLACE_UNKNOWN } place;

/* v is an index of the element plus a constant. */
static bool offset_of(const finder *f, ir_val v, ir_val index, int64_t *k) {
  *k = 0;
  for (int depth = 0; depth < 8; depth++) {
    if (v == index) return true;
    const ir_op *op = ir_def_op(f->d, v);
    int64_t n;
    if (!op || (op->code != IR_ADD_OP && op->code != IR_SUB_OP)) return false;
    if (ir_is_int(f->d, op->args[1], &n)) *k += op->code == IR_ADD_OP ? n : -n, v = op->args[0];
    else if (op->code == IR_ADD_OP && ir_is_int(f->d, op->args[0], &n)) *k += n, v = op->args[1];
    else return false;
  }
  return false;
}

static bool same_batch(const finder *f, const ir_axes *a, const ir_axes *b) { return memcmp(a->at, b->at, f->batch_rank * sizeof *a->at) == 0; }

static place place_of(const finder *f, const ir_axes *at) {
  place p = PLACE_HERE;
  if (f->assumed && same_batch(f, f->assumed, at)) return p;
  for (uint32_t a = 0; a < f->batch_rank; a++) {
    int64_t k;
    if (!at->at[a] || !offset_of(f, at->at[a], f->index[a], &k)) p = PLACE_UNKNOWN;
    else if (k != 0) return PLACE_OTHER;
  }
  return p;
}

typedef struct use_of {
  const finder *f;
  const ir_op *op;
} use_of;

static void see_use(void *user, ir_val *use) {
  const use_of *u = user;
  if (*use != u->f->param) return;
  if (u->op->code == IR_AT_OP && use == &u->op->args[0] && place_of(u->f, &u->op->u.axes) == PLACE_OTHER) return;
  for (uint32_t k = 0; k < u->op->nres; k++) u->f->dep[u->op->res[k]] = true;
}

static void see_op(void *user, ir_op *op) {
  use_of u = {user, op};
  ir_visit_uses(op, see_use, &u);
}

/* ---- forms */

static const form no_form;

static form failed(finder *f, const ir_op *op) {
  if (!f->bad) f->bad = op;
  return no_form;
}

static form constant(ir_val v) {
  form r = {.ok = true};
  r.c[CONSTANT] = v;
  return r;
}

static bool has_logs(const form *a) { return a->c[B_LOG] || a->c[B_LOG1M] || a->nkeys || a->each; }

static bool is_constant(const form *a) {
  for (int k = 0; k < NBASIS; k++)
    if (k != CONSTANT && a->c[k]) return false;
  return !a->nkeys && !a->each;
}

/* c x^p alone: the place of c, or -1. */
static int monomial(const form *a) {
  int found = -1;
  if (has_logs(a)) return -1;
  for (int k = 0; k < B_LOG; k++) {
    if (!a->c[k]) continue;
    if (found >= 0) return -1;
    found = k;
  }
  return found;
}

static ir_val negated(ir_builder *b, ir_val x) {
  double v;
  return ir_is_real(b->fn, x, &v) ? ir_real(b, -v) : ir_op1(b, IR_NEG_OP, x);
}

static ir_val sum_of(ir_builder *b, ir_val x, ir_val y, bool minus) {
  if (!y) return x;
  if (!x) return minus ? negated(b, y) : y;
  return ir_op2(b, minus ? IR_SUB_OP : IR_ADD_OP, x, y);
}

/* Arrays over the simplex, element by element; 0 is zeros. */
static ir_val array_op(finder *f, ir_builder *b, ir_code code, ir_val x, ir_val y, bool scalar_x) {
  ir_val n = ir_size_val(b, f->site->type.dim[f->batch_rank]);
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  ir_val k = loop->u.loop->index[0];
  ir_val v = ir_op2(&in, code, scalar_x ? x : ir_at1(&in, x, k), ir_at1(&in, y, k));
  return ir_loop_out(f->fn, loop, IR_STACK, 0, NULL, v);
}

static form add(finder *f, ir_builder *b, const form *x, const form *y, bool minus, const ir_op *op) {
  form r = *x;
  if (!x->ok || !y->ok) return no_form;
  if ((x->at && y->at && x->at != y->at) || x->nkeys + y->nkeys > MAX_KEYED) return failed(f, op);
  if (!r.at) r.at = y->at;
  for (int k = 0; k < NBASIS; k++) r.c[k] = sum_of(b, x->c[k], y->c[k], minus);
  for (uint32_t k = 0; k < y->nkeys; k++) r.key[r.nkeys++] = (keyed){y->key[k].at, minus ? ir_op1(b, IR_NEG_OP, y->key[k].c) : y->key[k].c};
  if (y->each && !x->each) r.each = minus ? array_op(f, b, IR_MUL_OP, ir_real(b, -1.0), y->each, true) : y->each;
  else if (y->each) r.each = array_op(f, b, minus ? IR_SUB_OP : IR_ADD_OP, x->each, y->each, false);
  return r;
}

/* x times c, or x / c. */
static form scaled(finder *f, ir_builder *b, const form *x, ir_code code, ir_val c) {
  form r = *x;
  for (int k = 0; k < NBASIS; k++)
    if (r.c[k]) r.c[k] = ir_op2(b, code, r.c[k], c);
  for (uint32_t k = 0; k < r.nkeys; k++) r.key[k].c = ir_op2(b, code, r.key[k].c, c);
  if (r.each) r.each = array_op(f, b, IR_MUL_OP, code == IR_DIV_OP ? ir_op2(b, IR_DIV_OP, ir_real(b, 1.0), c) : c, r.each, true);
  return r;
}

static form multiply(finder *f, ir_builder *b, const form *x, const form *y, const ir_op *op) {
  if (!x->ok || !y->ok) return no_form;
  if (is_constant(y)) return scaled(f, b, x, IR_MUL_OP, y->c[CONSTANT]);
  if (is_constant(x)) return scaled(f, b, y, IR_MUL_OP, x->c[CONSTANT]);
  if (has_logs(x) || has_logs(y) || (x->at && y->at && x->at != y->at)) return failed(f, op);
  form r = {.ok = true, .at = x->at ? x->at : y->at};
  for (int i = 0; i < B_LOG; i++)
    for (int j = 0; j < B_LOG; j++) {
      if (!x->c[i] || !y->c[j]) continue;
      const int k = i + j - CONSTANT;
      if (k < 0 || k >= B_LOG) return failed(f, op);
      r.c[k] = sum_of(b, r.c[k], ir_op2(b, IR_MUL_OP, x->c[i], y->c[j]), false);
    }
  return r;
}

static form divide(finder *f, ir_builder *b, const form *x, const form *y, const ir_op *op) {
  if (!x->ok || !y->ok) return no_form;
  const int k = monomial(y);
  if (k < 0) return failed(f, op);
  if (k == CONSTANT) return scaled(f, b, x, IR_DIV_OP, y->c[k]);
  form inverse = {.ok = true, .at = y->at};
  inverse.c[2 * CONSTANT - k] = ir_op2(b, IR_DIV_OP, ir_real(b, 1.0), y->c[k]);
  return multiply(f, b, x, &inverse, op);
}

static bool literal(const finder *f, ir_val v, double want) {
  double x;
  return v && ir_is_real(f->fn, v, &x) && x == want;
}

/* Of x > 0; the logarithm of c x^p is log c + p log x. */
static form logarithm(finder *f, ir_builder *b, const form *x, const ir_op *op) {
  if (!x->ok) return no_form;
  const int k = monomial(x);
  if (k == CONSTANT) return constant(ir_op1(b, IR_LOG_OP, x->c[k]));
  form r = {.ok = true};
  if (k < 0) { /* 1 - x */
    form y = *x;
    if (!literal(f, y.c[CONSTANT], 1.0) || !literal(f, y.c[POWER(2)], -1.0) || f->site->event_rank) return failed(f, op);
    y.c[CONSTANT] = y.c[POWER(2)] = 0;
    if (!is_constant(&y)) return failed(f, op);
    r.c[B_LOG1M] = ir_real(b, 1.0);
    return r;
  }
  if (f->site->support == IR_SUP_REAL) return failed(f, op);
  const ir_val p = ir_real(b, 0.5 * (k - CONSTANT));
  r.c[CONSTANT] = ir_op1(b, IR_LOG_OP, x->c[k]);
  if (f->site->event_rank) r.key[r.nkeys++] = (keyed){x->at, p};
  else r.c[B_LOG] = p;
  return r;
}

/* An array over the simplex where cond is `when`, zeros elsewhere. */
static ir_val masked(finder *f, ir_builder *b, ir_val cond, bool when, ir_val each) {
  const ir_val one = ir_real(b, 1.0), zero = ir_real(b, 0.0);
  return array_op(f, b, IR_MUL_OP, ir_op3(b, IR_SELECT_OP, cond, when ? one : zero, when ? zero : one), each, true);
}

/* A choice that data make. */
static form choose(finder *f, ir_builder *b, ir_val cond, const form *x, const form *y, const ir_op *op) {
  if (!x->ok || !y->ok) return no_form;
  if ((x->at && y->at && x->at != y->at) || x->nkeys + y->nkeys > MAX_KEYED) return failed(f, op);
  form r = {.ok = true, .at = x->at ? x->at : y->at};
  if (x->each) r.each = masked(f, b, cond, true, x->each);
  if (y->each) r.each = r.each ? array_op(f, b, IR_ADD_OP, r.each, masked(f, b, cond, false, y->each), false) : masked(f, b, cond, false, y->each);
  const ir_val zero = ir_real(b, 0.0);
  for (int k = 0; k < NBASIS; k++)
    if (x->c[k] || y->c[k]) r.c[k] = x->c[k] == y->c[k] ? x->c[k] : ir_op3(b, IR_SELECT_OP, cond, x->c[k] ? x->c[k] : zero, y->c[k] ? y->c[k] : zero);
  for (uint32_t k = 0; k < x->nkeys; k++) r.key[r.nkeys++] = (keyed){x->key[k].at, ir_op3(b, IR_SELECT_OP, cond, x->key[k].c, zero)};
  for (uint32_t k = 0; k < y->nkeys; k++) r.key[r.nkeys++] = (keyed){y->key[k].at, ir_op3(b, IR_SELECT_OP, cond, zero, y->key[k].c)};
  return r;
}

static form form_of(finder *f, ir_builder *b, ir_val v);

/* ---- conditions */

/* The form takes every value at finitely many x at most: the basis is independent, and one coefficient is known not to be 0. */
static bool varies(const finder *f, const form *x) {
  for (int k = 0; k < NBASIS; k++) {
    double c;
    if (k != CONSTANT && x->c[k] && ir_is_real(f->fn, x->c[k], &c) && c != 0) return true;
  }
  return false;
}

static truth compare(finder *f, ir_builder *b, const ir_op *op) {
  form x = form_of(f, b, op->args[0]), y = form_of(f, b, op->args[1]);
  if (!x.ok || !y.ok) return T_UNKNOWN;
  if (is_constant(&x) && is_constant(&y)) return T_FIXED;
  if (op->code == IR_EQ_OP || op->code == IR_NE_OP) {
    const bool apart = (is_constant(&x) && varies(f, &y)) || (is_constant(&y) && varies(f, &x));
    if (apart) return op->code == IR_EQ_OP ? T_FAILS : T_HOLDS;
    const bool zero = (literal(f, x.c[CONSTANT], 0.0) && is_constant(&x) && monomial(&y) >= 0) || (literal(f, y.c[CONSTANT], 0.0) && is_constant(&y) && monomial(&x) >= 0);
    return zero ? T_FIXED : T_UNKNOWN; /* whether c is 0 */
  }
  if (f->site->support == IR_SUP_REAL) return T_UNKNOWN;
  if (is_constant(&x) && literal(f, x.c[CONSTANT], 0.0) && monomial(&y) >= 0) return T_FIXED; /* the sign of c */
  if (monomial(&x) >= 0 && is_constant(&y) && literal(f, y.c[CONSTANT], INFINITY)) return T_HOLDS;
  const bool below_one = f->site->support == IR_SUP_INTERVAL || f->site->support == IR_SUP_SIMPLEX;
  return below_one && monomial(&x) == POWER(2) && literal(f, x.c[POWER(2)], 1.0) && is_constant(&y) && literal(f, y.c[CONSTANT], 1.0) ? T_HOLDS : T_UNKNOWN;
}

/* A condition as 0 or 1, or the least of such: `all`. */
static truth holds(finder *f, ir_builder *b, ir_val v);
static truth all_of(finder *f, ir_builder *b, ir_val v) {
  const ir_op *op = ir_def_op(f->d, v);
  if (!f->dep[v]) return T_FIXED;
  if (!op) return T_UNKNOWN;
  if (op->code == IR_TO_REAL_OP || op->code == IR_BOOL_INT_OP) return ir_type_of(f->d, op->args[0]).elem == IR_BOOL ? holds(f, b, op->args[0]) : all_of(f, b, op->args[0]);
  if (op->code != IR_PLATE_OP) return T_UNKNOWN;
  const ir_out *out = &op->u.loop->out[ir_value_of(f->d, v)->slot];
  const truth t = out->mode == IR_MIN ? all_of(f, b, out->yield) : T_UNKNOWN;
  return t == T_HOLDS || t == T_FIXED ? T_FIXED : T_UNKNOWN;
}

static truth holds(finder *f, ir_builder *b, ir_val v) {
  const ir_op *op = ir_def_op(f->d, v);
  if (!f->dep[v]) return T_FIXED;
  if (!op) return T_UNKNOWN;
  double half;
  truth x, y;
  if (++f->work > MOST_WORK) return T_UNKNOWN;
  switch (op->code) {
  case IR_LT_OP:
    if (ir_is_real(f->d, op->args[0], &half) && half == 0.5 && (x = all_of(f, b, op->args[1])) != T_UNKNOWN) return x;
    return compare(f, b, op);
  case IR_LE_OP:
  case IR_EQ_OP:
  case IR_NE_OP: return compare(f, b, op);
  case IR_NOT_OP:
    x = holds(f, b, op->args[0]);
    return x == T_HOLDS ? T_FAILS : x == T_FAILS ? T_HOLDS : x;
  case IR_AND_OP:
  case IR_OR_OP: {
    const truth decides = op->code == IR_AND_OP ? T_FAILS : T_HOLDS;
    x = holds(f, b, op->args[0]);
    y = holds(f, b, op->args[1]);
    if (x == decides || y == decides) return decides;
    if (x == T_UNKNOWN || y == T_UNKNOWN) return T_UNKNOWN;
    return x == T_FIXED || y == T_FIXED ? T_FIXED : x;
  }
  default: return T_UNKNOWN;
  }
}

/* ---- blocks */

static void clone_block(finder *f, ir_builder *b, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next, f->work++) ir_clone_op(&f->c, b, op);
}

/* ---- reads at a position that only the state tells: mu[k[i]] */

typedef struct lone_position {
  const finder *f;
  const ir_block *body;
  const ir_axes *at; /* the one position of all reads of the site; NULL: none so far */
  bool others;       /* the site is read elsewhere too, or outside of the body */
} lone_position;

static void see_position_use(void *user, ir_val *use) {
  lone_position *l = user;
  if (*use == l->f->param || (l->f->dep[*use] && !ir_block_within(ir_home(l->f->d, *use), l->body))) l->others = true;
}

static void see_position(void *user, ir_op *op) {
  lone_position *l = user;
  if (op->code == IR_AT_OP && op->args[0] == l->f->param) {
    const place p = place_of(l->f, &op->u.axes);
    if (p == PLACE_OTHER) return;
    if (p == PLACE_UNKNOWN && (!l->at || same_batch(l->f, l->at, &op->u.axes))) l->at = &op->u.axes;
    else l->others = true;
  } else {
    ir_visit_uses(op, see_position_use, user);
  }
}

/* Of all that an output of the loop reads; visible in its body. */
static const ir_axes *lone_position_of(const finder *f, const ir_loop *loop, uint32_t out) {
  lone_position l = {.f = f, .body = &loop->body};
  size_t n;
  ir_op **ops = ir_needed(f->d, &loop->body, loop->out[out].yield, f->m->mem, &n);
  for (size_t k = 0; k < n; k++) ir_visit_op(ops[k], see_position, &l);
  if (l.others || !l.at) return NULL;
  for (uint32_t a = 0; a < f->batch_rank; a++)
    if (!l.at->at[a] || !ir_block_within(&loop->body, ir_home(f->d, l.at->at[a]))) return NULL;
  return l.at;
}

/* The position is the element's. */
static ir_val is_here(finder *f, ir_builder *b, const ir_axes *at) {
  ir_val here = 0;
  for (uint32_t a = 0; a < f->batch_rank; a++) {
    ir_val same = ir_op2(b, IR_EQ_OP, ir_map_get(&f->c.map, at->at[a]), ir_map_get(&f->c.map, f->index[a]));
    here = here ? ir_op2(b, IR_AND_OP, here, same) : same;
  }
  return here;
}

/* The sum of the elements of a simplex, whichever of the site's it is. */
static bool sums_simplex(const finder *f, const ir_loop *loop, uint32_t out) {
  const ir_op *at = ir_def_op(f->d, loop->out[out].yield);
  if (f->site->support != IR_SUP_SIMPLEX || loop->rank != 1 || loop->out[out].mode != IR_SUM || !at || at->code != IR_AT_OP) return false;
  if (ir_size_of(f->d, loop->extent[0]) != f->site->type.dim[f->batch_rank]) return false;
  const ir_op *row = ir_def_op(f->d, at->args[0]);
  if (at->args[0] == f->param) return at->u.axes.n == f->batch_rank + 1 && at->u.axes.at[f->batch_rank] == loop->index[0];
  return row && row->code == IR_AT_OP && row->args[0] == f->param && !row->u.axes.at[f->batch_rank] && at->u.axes.n == 1 &&
         at->u.axes.at[0] == loop->index[0];
}

/* The sums of an iteration's coefficients. */
static form summed(finder *f, ir_builder *b, ir_op *loop, const form *x, ir_val zeros) {
  form r = {.ok = true};
  for (int k = 0; k < NBASIS; k++)
    if (x->c[k]) r.c[k] = ir_loop_out(f->fn, loop, IR_SUM, 0, NULL, x->c[k]);
  if (x->each) r.each = ir_loop_out(f->fn, loop, IR_SUM, 0, NULL, x->each);
  for (uint32_t k = 0; k < x->nkeys; k++) {
    ir_axes at = {.n = 1, .at = {x->key[k].at}};
    ir_val counts = ir_loop_out(f->fn, loop, IR_KEYED, zeros, &at, x->key[k].c);
    r.each = r.each ? array_op(f, b, IR_ADD_OP, r.each, counts, false) : counts;
  }
  return r;
}

/* Where all that an iteration reads of the site stands at one position, it is what it is with x there, or does not depend on x.  Coefficients are gathered by position, for all
 * elements at once, and do not depend on the element's: a loop over elements has them before it begins. */
static form gathered(finder *f, ir_builder *b, ir_builder *in, ir_op *loop, const form *x, ir_val other, const ir_axes *at, ir_val zeros) {
  form constants = {.ok = true}, r;
  const ir_val here = is_here(f, in, at), zero = ir_real(in, 0.0);
  constants.c[CONSTANT] = ir_op3(in, IR_SELECT_OP, here, x->c[CONSTANT] ? x->c[CONSTANT] : zero, other);
  if (x->each) constants.each = masked(f, in, here, true, x->each);
  r = summed(f, b, loop, &constants, 0);
  ir_axes to = {.n = f->batch_rank}, own = {.n = (uint32_t)f->site->type.rank};
  for (uint32_t a = 0; a < f->batch_rank; a++) {
    to.at[a] = ir_map_get(&f->c.map, at->at[a]);
    own.at[a] = ir_map_get(&f->c.map, f->index[a]);
  }
  for (int k = 0; k < NBASIS; k++)
    if (k != CONSTANT && x->c[k]) r.c[k] = ir_at(b, ir_loop_out(f->fn, loop, IR_KEYED, zeros, &to, x->c[k]), own);
  for (uint32_t k = 0; k < x->nkeys; k++) {
    to.n = f->batch_rank + 1;
    to.at[f->batch_rank] = x->key[k].at;
    const ir_val counts = ir_at(b, ir_loop_out(f->fn, loop, IR_KEYED, zeros, &to, x->key[k].c), own);
    r.each = r.each ? array_op(f, b, IR_ADD_OP, r.each, counts, false) : counts;
  }
  return r;
}

static form loop_form(finder *f, ir_builder *b, const ir_op *op, uint32_t out) {
  const ir_loop *from = op->u.loop;
  if (op->code == IR_PLATE_OP && sums_simplex(f, from, out)) return constant(ir_real(b, 1.0));
  if (op->code != IR_PLATE_OP || from->out[out].mode != IR_SUM || ir_type_of(f->d, op->res[out]).rank) return failed(f, op);
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < from->rank; k++) {
    if (f->dep[from->extent[k]]) return failed(f, op);
    extent[k] = ir_map_get(&f->c.map, from->extent[k]);
  }
  const ir_axes *at = f->assumed ? NULL : lone_position_of(f, from, out);
  const uint32_t event = f->site->event_rank, first = at ? 0 : f->batch_rank;
  const ir_val zeros = at || event ? ir_new_array(b, ir_array(IR_REAL, at ? f->batch_rank + event : event, &f->site->type.dim[first])) : 0;
  ir_op *loop = ir_loop_begin(b, IR_PLATE_OP, from->rank, extent);
  ir_builder in = ir_builder_in(b, &loop->u.loop->body);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&f->c.map, from->index[k], loop->u.loop->index[k]);
  clone_block(f, &in, &from->body);
  f->assumed = at ? at : f->assumed;
  const form x = form_of(f, &in, from->out[out].yield);
  if (at) f->assumed = NULL;
  if (!x.ok) return no_form; /* the loop, without results, is dead */
  for (int k = 0; k < B_LOG; k++)
    if (k != CONSTANT && x.c[k] && x.at) return failed(f, op); /* powers of simplex elements are in no family */
  return at ? gathered(f, b, &in, loop, &x, ir_map_get(&f->c.map, from->out[out].yield), at, zeros) : summed(f, b, loop, &x, zeros);
}

static form if_form(finder *f, ir_builder *b, const ir_op *op, uint32_t out) {
  if (f->dep[op->args[0]]) return failed(f, op);
  ir_op *branch = ir_if_begin(b, ir_map_get(&f->c.map, op->args[0]));
  ir_builder then_ = ir_builder_in(b, &branch->u.branch->then_), else_ = ir_builder_in(b, &branch->u.branch->else_);
  clone_block(f, &then_, &op->u.branch->then_);
  form x = form_of(f, &then_, op->u.branch->then_yield[out]);
  clone_block(f, &else_, &op->u.branch->else_);
  form y = form_of(f, &else_, op->u.branch->else_yield[out]), r = {.ok = true};
  if (!x.ok || !y.ok) return no_form;
  if (x.at || y.at || x.nkeys || y.nkeys || x.each || y.each) return failed(f, op);
  for (int k = 0; k < NBASIS; k++)
    if (x.c[k] || y.c[k]) r.c[k] = ir_if_out(f->fn, branch, x.c[k] ? x.c[k] : ir_real(&then_, 0.0), y.c[k] ? y.c[k] : ir_real(&else_, 0.0));
  return r;
}

/* A row of data times the site's vector: linear in one of its elements. */
static form product_form(finder *f, ir_builder *b, const ir_op *op) {
  const int k = op->args[1] == f->param ? 0 : 1;
  if (f->batch_rank != 1 || f->site->event_rank || op->args[1 - k] != f->param || f->dep[op->args[k]] || ir_type_of(f->d, op->args[k]).rank != 1) return failed(f, op);
  form r = {.ok = true};
  r.c[POWER(2)] = ir_at1(b, ir_map_get(&f->c.map, op->args[k]), ir_map_get(&f->c.map, f->index[0]));
  r.c[CONSTANT] = ir_op2(b, IR_SUB_OP, ir_map_get(&f->c.map, op->res[0]), ir_op2(b, IR_MUL_OP, r.c[POWER(2)], f->now));
  return r;
}

/* A function that is taken branch by branch where its operand is a choice of data. */
static form of_function(finder *f, ir_builder *b, const ir_op *op, ir_val arg) {
  const ir_op *s = ir_def_op(f->d, arg);
  if (s && s->code == IR_SELECT_OP && f->dep[arg]) {
    const truth t = holds(f, b, s->args[0]);
    if (t == T_HOLDS || t == T_FAILS) return of_function(f, b, op, s->args[t == T_HOLDS ? 1 : 2]);
    if (t == T_FIXED) {
      form x = of_function(f, b, op, s->args[1]), y = of_function(f, b, op, s->args[2]);
      return choose(f, b, ir_map_get(&f->c.map, s->args[0]), &x, &y, op);
    }
  }
  form x = form_of(f, b, arg), one = constant(ir_real(b, 1.0));
  if (!x.ok) return no_form;
  if (op->code == IR_LOG_OP) return logarithm(f, b, &x, op);
  if (op->code == IR_LOG1P_OP) {
    if (is_constant(&x)) return constant(ir_op1(b, IR_LOG1P_OP, x.c[CONSTANT]));
    if (x.c[CONSTANT]) return failed(f, op);
    if (literal(f, x.c[POWER(2)], -1.0)) x.c[CONSTANT] = one.c[CONSTANT];
    return x.c[CONSTANT] ? logarithm(f, b, &x, op) : failed(f, op);
  }
  const int k = monomial(&x); /* sqrt */
  if (k < 0 || (k - CONSTANT) % 2 != 0 || f->site->support == IR_SUP_REAL) return failed(f, op);
  form r = {.ok = true, .at = x.at};
  r.c[CONSTANT + (k - CONSTANT) / 2] = ir_op1(b, IR_SQRT_OP, x.c[k]);
  return r;
}

static form element(ir_builder *b, ir_val at) {
  form r = {.ok = true, .at = at};
  r.c[POWER(2)] = ir_real(b, 1.0);
  return r;
}

/* A read at a position that may be the element's: x where it is, else what stands there. */
static form maybe_element(finder *f, ir_builder *b, const ir_op *op) {
  for (uint32_t a = 0; a < f->batch_rank; a++)
    if (!op->u.axes.at[a]) return failed(f, op);
  if (f->batch_rank == 0 || f->site->event_rank) return failed(f, op);
  const ir_val here = is_here(f, b, &op->u.axes);
  form r = {.ok = true};
  const ir_val one = ir_real(b, 1.0), zero = ir_real(b, 0.0);
  r.c[POWER(2)] = ir_op3(b, IR_SELECT_OP, here, one, zero);
  r.c[CONSTANT] = ir_op3(b, IR_SELECT_OP, here, zero, ir_map_get(&f->c.map, op->res[0]));
  return r;
}

/* An element of the simplex that was read whole. */
static form row_element(finder *f, ir_builder *b, const ir_op *op) {
  const ir_op *row = ir_def_op(f->d, op->args[0]);
  const bool whole = op->args[0] == f->param || (row && row->code == IR_AT_OP && row->args[0] == f->param && !row->u.axes.at[f->batch_rank] &&
                                                 place_of(f, &row->u.axes) == PLACE_HERE);
  return f->site->event_rank && whole && op->u.axes.n == 1 ? element(b, ir_map_get(&f->c.map, op->u.axes.at[0])) : failed(f, op);
}

static form form_of_value(finder *f, ir_builder *b, ir_val v) {
  if (v == f->param && f->dep[v]) return element(b, 0);
  if (!f->dep[v]) return constant(ir_map_get(&f->c.map, v));
  const ir_op *op = ir_def_op(f->d, v);
  if (!op || ir_type_of(f->d, v).rank) return failed(f, op);
  form x, y;
  switch (op->code) {
  case IR_AT_OP:
    for (uint32_t k = 0; k < op->u.axes.n; k++)
      if (op->u.axes.at[k] && f->dep[op->u.axes.at[k]]) return failed(f, op); /* what is read moves with x */
    if (op->args[0] != f->param) return row_element(f, b, op);
    if (place_of(f, &op->u.axes) == PLACE_UNKNOWN) return maybe_element(f, b, op);
    return element(b, f->site->event_rank ? ir_map_get(&f->c.map, op->u.axes.at[f->batch_rank]) : 0);
  case IR_ADD_OP:
  case IR_SUB_OP:
    x = form_of(f, b, op->args[0]);
    y = form_of(f, b, op->args[1]);
    return add(f, b, &x, &y, op->code == IR_SUB_OP, op);
  case IR_NEG_OP:
    x = form_of(f, b, op->args[0]);
    y = constant(0);
    return add(f, b, &y, &x, true, op);
  case IR_MUL_OP:
    x = form_of(f, b, op->args[0]);
    y = op->args[0] == op->args[1] ? x : form_of(f, b, op->args[1]);
    return multiply(f, b, &x, &y, op);
  case IR_DIV_OP:
    x = form_of(f, b, op->args[0]);
    y = form_of(f, b, op->args[1]);
    return divide(f, b, &x, &y, op);
  case IR_FMA_OP:
    x = form_of(f, b, op->args[0]);
    y = form_of(f, b, op->args[1]);
    x = multiply(f, b, &x, &y, op);
    y = form_of(f, b, op->args[2]);
    return add(f, b, &x, &y, false, op);
  case IR_POW_OP: {
    double e, h;
    x = form_of(f, b, op->args[0]);
    const int k = x.ok ? monomial(&x) : -1;
    if (k < 0 || !ir_is_real(f->d, op->args[1], &e) || f->site->support == IR_SUP_REAL) return failed(f, op);
    h = (k - CONSTANT) * e;
    if (h != floor(h) || fabs(h) > HALVES) return failed(f, op);
    y = (form){.ok = true, .at = x.at};
    y.c[POWER((int)h)] = ir_op2(b, IR_POW_OP, x.c[k], ir_map_get(&f->c.map, op->args[1]));
    return y;
  }
  case IR_ABS_OP:
    x = form_of(f, b, op->args[0]);
    return x.ok && is_constant(&x) ? constant(ir_op1(b, IR_ABS_OP, x.c[CONSTANT] ? x.c[CONSTANT] : ir_real(b, 0.0))) : failed(f, op);
  case IR_SQRT_OP:
  case IR_LOG_OP:
  case IR_LOG1P_OP: return of_function(f, b, op, op->args[0]);
  case IR_GUARD_OP: {
    const truth t = holds(f, b, op->args[0]);
    return t == T_HOLDS || t == T_FIXED ? form_of(f, b, op->args[1]) : failed(f, op);
  }
  case IR_SELECT_OP: {
    const truth t = holds(f, b, op->args[0]);
    if (t == T_HOLDS || t == T_FAILS) return form_of(f, b, op->args[t == T_HOLDS ? 1 : 2]);
    if (t == T_UNKNOWN) return failed(f, op);
    x = form_of(f, b, op->args[1]);
    y = form_of(f, b, op->args[2]);
    return choose(f, b, ir_map_get(&f->c.map, op->args[0]), &x, &y, op);
  }
  case IR_MATMUL_OP: return product_form(f, b, op);
  case IR_PLATE_OP: return loop_form(f, b, op, ir_value_of(f->d, v)->slot);
  case IR_IF_OP: return if_form(f, b, op, ir_value_of(f->d, v)->slot);
  default: return failed(f, op);
  }
}

static form form_of(finder *f, ir_builder *b, ir_val v) {
  if (++f->work > MOST_WORK || f->depth >= MOST_DEPTH) return failed(f, ir_def_op(f->d, v));
  f->depth++;
  form r = form_of_value(f, b, v);
  f->depth--;
  return r;
}

/* ---- families */

/* The form has none of these but what `allowed` has. */
static bool within(const form *x, int a, int b) {
  for (int k = 0; k < NBASIS; k++)
    if (k != CONSTANT && k != a && k != b && x->c[k]) return false;
  return true;
}

static conjugate_family family_of(const finder *f, const form *x, int basis[2]) {
  static const struct {
    conjugate_family family;
    int support, basis[2], needs;
  } table[] = {{CONJ_NORMAL, IR_SUP_REAL, {POWER(2), POWER(4)}, POWER(4)}, {CONJ_GAMMA, IR_SUP_LOWER, {B_LOG, POWER(2)}, POWER(2)},
               {CONJ_INV_GAMMA, IR_SUP_LOWER, {B_LOG, POWER(-2)}, POWER(-2)}, {CONJ_BETA, IR_SUP_INTERVAL, {B_LOG, B_LOG1M}, CONSTANT}};
  if (f->site->event_rank) return f->site->support == IR_SUP_SIMPLEX && within(x, CONSTANT, CONSTANT) && (x->each || x->nkeys) ? CONJ_DIRICHLET : CONJ_NONE;
  for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
    if (table[k].support != (int)f->site->support || !within(x, table[k].basis[0], table[k].basis[1])) continue;
    if (table[k].needs != CONSTANT && !x->c[table[k].needs]) continue;
    memcpy(basis, table[k].basis, sizeof table[k].basis);
    return table[k].family;
  }
  return CONJ_NONE;
}

static bool finder_init(finder *f, ir_module *m, const ir_fn *local, const ir_site *site) {
  *f = (finder){.m = m, .d = local, .site = site, .batch_rank = (uint32_t)(site->type.rank - site->event_rank)};
  if (site->support >= IR_SUP_INT || site->event_rank > 1 || (site->event_rank && site->support != IR_SUP_SIMPLEX)) return false;
  f->fn = ir_fn_new(m, arena_printf(m->mem, "natural.%s", site->name), false);
  f->dep = ARENA_ARRAY(m->mem, bool, local->nvals);
  f->c = (ir_cloner){.from = local, .map = ir_map_new(m->mem, local)};
  uint32_t n = 0;
  for (uint32_t k = 0; k < local->nparams; k++) {
    const ir_param *p = &local->param[k];
    ir_map_set(&f->c.map, p->val, ir_param_add(f->fn, (ir_role)p->role, p->name, ir_type_of(local, p->val)));
    if (p->role == IR_ROLE_INDEX) f->index[n++] = p->val;
    if (p->role == IR_ROLE_LATENT && strcmp(p->name, site->name) == 0) f->param = p->val;
  }
  if (site->type.rank == 0) f->dep[f->param] = true;
  else ir_visit_ops((ir_block *)&local->body, see_op, f);
  ir_spread(f->dep, local);
  return true;
}

ir_fn *derive_natural(ir_module *m, const ir_fn *local, const ir_site *site, conjugate_family *family) {
  finder f;
  *family = CONJ_NONE;
  if (!finder_init(&f, m, local, site)) return NULL;
  ir_builder b = ir_builder_at_end(f.fn, &f.fn->body);
  clone_block(&f, &b, &local->body);
  if (f.batch_rank == 1 && !site->event_rank) f.now = ir_at1(&b, ir_map_get(&f.c.map, f.param), ir_map_get(&f.c.map, f.index[0]));
  form x = form_of(&f, &b, local->ret[0]);
  int basis[2] = {0};
  if (x.ok) *family = family_of(&f, &x, basis);
  if (*family == CONJ_NONE) {
    ir_fn_remove(m, f.fn);
    if (f.bad) ir_remark_add(m, "conjugate", f.bad->where, true, "`%s` is drawn by slices: `%s` of it", site->name, ir_op_table[f.bad->code].name);
    else ir_remark_add(m, "conjugate", site->where, true, "`%s` is drawn by slices: its conditional is of no known family", site->name);
    return NULL;
  }
  if (*family == CONJ_DIRICHLET) {
    ir_val zeros = ir_new_array(&b, ir_array(IR_REAL, 1, &site->type.dim[f.batch_rank])), all = x.each ? x.each : zeros;
    for (uint32_t k = 0; k < x.nkeys; k++) {
      ir_axes at = {.n = 1, .at = {x.key[k].at}};
      all = ir_put(&b, all, at, ir_op2(&b, IR_ADD_OP, ir_at1(&b, all, x.key[k].at), x.key[k].c));
    }
    ir_return(f.fn, 1, &all);
    return f.fn;
  }
  ir_val c[2];
  for (int k = 0; k < 2; k++) c[k] = x.c[basis[k]] ? x.c[basis[k]] : ir_real(&b, 0.0);
  ir_return(f.fn, 2, c);
  return f.fn;
}

ir_fn *derive_naturals(ir_module *m, const ir_fn *natural, const ir_site *site) {
  const uint32_t rank = (uint32_t)(site->type.rank - site->event_rank);
  ir_fn *fn = ir_fn_new(m, arena_printf(m->mem, "naturals.%s", site->name), false);
  ir_cloner c = {.from = natural, .map = ir_map_new(m->mem, natural)};
  ir_val index[IR_MAX_RANK], extent[IR_MAX_RANK], each[2];
  uint32_t n = 0;
  bool *dep = ARENA_ARRAY(m->mem, bool, natural->nvals);
  for (uint32_t k = 0; k < natural->nparams; k++) {
    const ir_param *p = &natural->param[k];
    dep[p->val] = p->role == IR_ROLE_INDEX;
    if (dep[p->val]) index[n++] = p->val;
    else ir_map_set(&c.map, p->val, ir_param_add(fn, (ir_role)p->role, p->name, ir_type_of(natural, p->val)));
  }
  ir_spread(dep, natural);
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  for (const ir_op *op = natural->body.first; op; op = op->next)
    if (!dep[op->res[0]]) ir_clone_op(&c, &b, op);
  for (uint32_t a = 0; a < rank; a++) extent[a] = ir_size_val(&b, site->type.dim[a]);
  ir_op *loop = ir_loop_begin(&b, IR_PLATE_OP, rank, extent);
  ir_builder in = ir_builder_in(&b, &loop->u.loop->body);
  for (uint32_t a = 0; a < rank; a++) ir_map_set(&c.map, index[a], loop->u.loop->index[a]);
  for (const ir_op *op = natural->body.first; op; op = op->next)
    if (dep[op->res[0]]) ir_clone_op(&c, &in, op);
  for (uint32_t k = 0; k < natural->nret; k++) each[k] = ir_loop_out(fn, loop, IR_STACK, 0, NULL, ir_map_get(&c.map, natural->ret[k]));
  ir_return(fn, natural->nret, each);
  return fn;
}
