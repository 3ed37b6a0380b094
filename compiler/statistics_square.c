/* statistics_square.c: sums of squares and products of linear forms from a triangular factor.
 *
 * With the features w_1 .. w_p of an iteration as a row of W and W = Q R, Q'Q = 1,
 *     sum_i (w(i) a) (w(i) b) = (R a) . (R b)
 * so p rows stand for any number of them.  The columns of W are 1 (times the weight) and the features less their means m_j; a's entry for the 1 is then
 * a_1 + sum_j a_j m_j.  An identity whatever the m_j are; but a constant offset of a column, however large, drops out of it before
 * anything is squared, as it does in y - mu.  W'W is never formed.  R is built 256 rows at a time, so W is never stored. */
#include "compiler/statistics.h"

#include "compiler/ir_uses.h"

enum { BLOCK_ROWS = 256, UNROLLED = 8 };

typedef struct column {
  ir_val feature; /* never 0 */
  ir_size width;  /* of a vector; IR_SIZE_NONE for a scalar */
  ir_size at;     /* first column of W */
  ir_val mean;    /* in @prepare: scalar or vector */
  ir_val kept;    /* frame: the mean */
  ir_val factor;  /* frame: a vector's columns of R */
} column;

struct stat_columns {
  column *c;
  size_t n;
  ir_val weight;      /* in the body, of all; 0: one */
  ir_size width;
  stat_linear *a, *b; /* of each square, weight as above */
  bool vectors;
};

static void add_columns(stat_plate *x, stat_columns *c, const stat_linear *l) {
  size_table *sizes = x->m->sizes;
  for (size_t k = 0; k < l->n; k++) {
    ir_val v = l->term[k].feature;
    bool known = v == 0;
    for (size_t j = 0; j < c->n; j++) known = known || c->c[j].feature == v;
    if (known) continue;
    ir_type t = ir_type_of(x->fn, v);
    column *to = &c->c[c->n++];
    *to = (column){.feature = v, .width = t.rank ? t.dim[0] : IR_SIZE_NONE, .at = c->width};
    c->width = size_add(sizes, c->width, t.rank ? t.dim[0] : size_const(sizes, 1));
    c->vectors = c->vectors || t.rank;
  }
}

static bool any_grouped(const stat_linear *l) {
  for (size_t k = 0; k < l->n; k++)
    if (l->term[k].c.grouped) return true;
  return l->scale.grouped;
}

stat_columns *stat_columns_of(stat_plate *x, const stat_poly *p) {
  stat_columns *c = ARENA_NEW(x->m->mem, stat_columns);
  size_t most = 0;
  bool weights = false;
  for (size_t k = 0; k < p->nsquares; k++) {
    const stat_square *s = &p->square[k];
    if (s->scale.grouped || any_grouped(&s->a) || any_grouped(&s->b)) return NULL;
    most += s->a.n + s->b.n;
    weights = weights || s->a.weight != p->square[0].a.weight || s->b.weight != p->square[0].a.weight;
  }
  c->a = ARENA_ARRAY(x->m->mem, stat_linear, p->nsquares);
  c->b = ARENA_ARRAY(x->m->mem, stat_linear, p->nsquares);
  c->c = ARENA_ARRAY(x->m->mem, column, most);
  c->weight = weights ? 0 : p->square[0].a.weight;
  c->width = size_const(x->m->sizes, 1);
  for (size_t k = 0; k < p->nsquares; k++) {
    c->a[k] = stat_distributed(x, &p->square[k].a, false, weights);
    bool same = p->square[k].a.term == p->square[k].b.term && p->square[k].a.weight == p->square[k].b.weight;
    c->b[k] = same ? c->a[k] : stat_distributed(x, &p->square[k].b, false, weights);
    if (same) c->b[k].scale = p->square[k].b.scale;
    add_columns(x, c, &c->a[k]);
    add_columns(x, c, &c->b[k]);
  }
  return c;
}

ir_size stat_width(const stat_columns *c) { return c->width; }

/* ---- in @prepare */

static void means(stat_plate *x, frame *f, stat_columns *c, ir_op *plate) {
  ir_val count = ir_op1(&f->b, IR_TO_REAL_OP, ir_op2(&f->b, IR_MAX_OP, ir_iterations(&f->b, plate->u.loop), ir_int(&f->b, 1)));
  for (size_t k = 0; k < c->n; k++) {
    column *w = &c->c[k];
    ir_val sum = ir_loop_out(f->prepare, plate, IR_SUM, 0, NULL, ir_map_get(&f->c.map, w->feature));
    if (w->width) {
      ir_val n = ir_size_val(&f->b, w->width);
      ir_op *each = ir_loop_begin(&f->b, IR_PLATE_OP, 1, &n);
      ir_builder in = ir_builder_in(&f->b, &each->u.loop->body);
      w->mean = ir_loop_out(f->prepare, each, IR_STACK, 0, NULL, ir_op2(&in, IR_DIV_OP, ir_at1(&in, sum, each->u.loop->index[0]), count));
    } else {
      w->mean = ir_op2(&f->b, IR_DIV_OP, sum, count);
    }
    w->kept = frame_add(f, x->fn, w->mean);
  }
}

/* The plate's indices in the iteration with this number. */
static void set_indices(stat_plate *x, frame *f, ir_builder *b, ir_val number) {
  const ir_loop *from = x->loop->u.loop;
  for (uint32_t k = from->rank; k-- > 0;) {
    ir_val extent = ir_map_get(&f->c.map, from->extent[k]);
    ir_map_set(&f->c.map, from->index[k], k ? ir_op2(b, IR_IMOD_OP, number, extent) : number);
    if (k) number = ir_op2(b, IR_IDIV_OP, number, extent);
  }
}

/* rows with column w (NULL: the ones) of `count` iterations from `base` on in place. */
static ir_val fill(stat_plate *x, frame *f, ir_builder *b, const stat_columns *c, const column *w, ir_val rows, ir_val base, ir_val count) {
  ir_val extent[2] = {count, w && w->width ? ir_size_val(b, w->width) : 0};
  ir_op *plate = ir_loop_begin(b, IR_PLATE_OP, extent[1] ? 2 : 1, extent);
  ir_builder in = ir_builder_in(b, &plate->u.loop->body);
  ir_val i = plate->u.loop->index[0], d = plate->u.loop->index[1];
  set_indices(x, f, &in, ir_op2(&in, IR_ADD_OP, base, i));
  const ir_val features[2] = {w ? w->feature : 0, c->weight};
  stat_clone_features(x, f, &in, 2, features);
  ir_val v = ir_real(&in, 1.0), at = ir_int(&in, 0);
  if (w) {
    v = ir_map_get(&f->c.map, w->feature);
    v = ir_op2(&in, IR_SUB_OP, w->width ? ir_at1(&in, v, d) : v, w->width ? ir_at1(&in, w->mean, d) : w->mean);
    at = ir_size_val(&in, w->at);
    if (w->width) at = ir_op2(&in, IR_ADD_OP, at, d);
  }
  if (c->weight) v = ir_op2(&in, IR_MUL_OP, v, ir_map_get(&f->c.map, c->weight));
  ir_axes axes = {.n = 2, .at = {i, at}};
  return ir_loop_out(f->prepare, plate, IR_INTO, rows, &axes, v);
}

static ir_val factor(stat_plate *x, frame *f, const stat_columns *c, ir_op *plate) {
  size_table *sizes = x->m->sizes;
  ir_size square[2] = {c->width, c->width}, block[2] = {size_const(sizes, BLOCK_ROWS), c->width};
  ir_builder *b = &f->b;
  ir_val n = ir_iterations(b, plate->u.loop), rows = ir_int(b, BLOCK_ROWS);
  ir_val blocks = ir_op2(b, IR_IDIV_OP, ir_op2(b, IR_ADD_OP, n, ir_int(b, BLOCK_ROWS - 1)), rows), none = ir_new_array(b, ir_array(IR_REAL, 2, square));
  ir_op *scan = ir_loop_begin(b, IR_SCAN_OP, 1, &blocks);
  uint32_t out = ir_loop_state(f->prepare, scan, IR_CARRY, none);
  ir_builder in = ir_builder_in(b, &scan->u.loop->body);
  ir_val base = ir_op2(&in, IR_MUL_OP, scan->u.loop->index[0], rows), left = ir_op2(&in, IR_MIN_OP, rows, ir_op2(&in, IR_SUB_OP, n, base));
  ir_val w = fill(x, f, &in, c, NULL, ir_new_array(&in, ir_array(IR_REAL, 2, block)), base, left);
  for (size_t k = 0; k < c->n; k++) w = fill(x, f, &in, c, &c->c[k], w, base, left);
  ir_loop_finish(f->prepare, scan, out, NULL, ir_qr_r(&in, scan->u.loop->out[out].state, w));
  return scan->res[out];
}

static ir_val columns_of_factor(frame *f, const stat_columns *c, const column *w, ir_val r) {
  ir_val extent[2] = {ir_size_val(&f->b, c->width), ir_size_val(&f->b, w->width)};
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, 2, extent);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_axes axes = {.n = 2, .at = {plate->u.loop->index[0], ir_op2(&in, IR_ADD_OP, ir_size_val(&in, w->at), plate->u.loop->index[1])}};
  return ir_loop_out(f->prepare, plate, IR_STACK, 0, NULL, ir_at(&in, r, axes));
}

/* ---- in the function */

static ir_val plus(ir_builder *b, ir_val total, ir_val v, bool minus) {
  if (!total) return minus ? ir_op1(b, IR_NEG_OP, v) : v;
  return ir_op2(b, minus ? IR_SUB_OP : IR_ADD_OP, total, v);
}

static const column *column_of(const stat_columns *c, ir_val feature) {
  for (size_t k = 0; k < c->n; k++)
    if (c->c[k].feature == feature) return &c->c[k];
  return NULL;
}

/* The coefficient of the ones: terms in their own order, so that y - mu becomes mean(y) - mu. */
static ir_val of_ones(stat_plate *x, ir_builder *b, const stat_columns *c, const stat_linear *l) {
  ir_val total = 0;
  for (size_t k = 0; k < l->n; k++) {
    const stat_term *t = &l->term[k];
    ir_val v;
    if (!t->feature) {
      v = stat_coef_value(x, t->c);
    } else {
      const column *w = column_of(c, t->feature);
      if (w->width) v = ir_matmul(b, t->c.v, w->kept, 0);
      else v = t->c.v ? ir_op2(b, IR_MUL_OP, t->c.v, w->kept) : w->kept;
    }
    total = plus(b, total, v, t->minus);
  }
  return total;
}

typedef struct row_form {
  stat_plate *x;
  const stat_columns *c;
  const stat_linear *l;
  ir_val ones;     /* coefficient */
  ir_val *product; /* of each vector term: its columns of R times its coefficient */
} row_form;

static row_form row_form_of(stat_plate *x, ir_builder *b, const stat_columns *c, const stat_linear *l) {
  row_form r = {x, c, l, of_ones(x, b, c, l), ARENA_ARRAY(x->m->mem, ir_val, l->n)};
  for (size_t k = 0; k < l->n; k++) {
    const column *w = column_of(c, l->term[k].feature);
    if (w && w->width) r.product[k] = ir_matmul(b, w->factor, l->term[k].c.v, 0);
  }
  return r;
}

/* Element i of R a; first: the row's number where it is known, as columns left of it are 0. */
static ir_val row_value(const row_form *r, ir_builder *b, ir_val R, ir_val i, int64_t first) {
  ir_axes axes = {.n = 2, .at = {i, 0}};
  ir_val total = 0;
  if (first <= 0) {
    axes.at[1] = ir_int(b, 0);
    total = ir_op2(b, IR_MUL_OP, ir_at(b, R, axes), r->ones);
  }
  for (size_t k = 0; k < r->l->n; k++) {
    const stat_term *t = &r->l->term[k];
    const column *w = column_of(r->c, t->feature);
    int64_t at;
    if (!w || (first >= 0 && size_is_const(r->x->m->sizes, w->at, &at) && at < first)) continue;
    ir_val v;
    if (w->width) {
      v = ir_at1(b, r->product[k], i);
    } else {
      axes.at[1] = ir_size_val(b, w->at);
      v = ir_at(b, R, axes);
      if (t->c.v) v = ir_op2(b, IR_MUL_OP, t->c.v, v);
    }
    total = plus(b, total, v, t->minus);
  }
  return total ? total : ir_real(b, 0.0);
}

static ir_val rows_product(stat_plate *x, ir_builder *b, const stat_columns *c, ir_val R, const stat_linear *a, const stat_linear *other) {
  bool same = a->term == other->term;
  row_form p = row_form_of(x, b, c, a), q = same ? p : row_form_of(x, b, c, other);
  int64_t rows;
  if (!c->vectors && size_is_const(x->m->sizes, c->width, &rows) && rows <= UNROLLED) {
    ir_val total = 0;
    for (int64_t i = 0; i < rows; i++) {
      ir_val at = ir_int(b, i), v = row_value(&p, b, R, at, i), w = same ? v : row_value(&q, b, R, at, i);
      total = plus(b, total, ir_op2(b, IR_MUL_OP, v, w), false);
    }
    return total;
  }
  ir_val n = ir_size_val(b, c->width);
  ir_op *plate = ir_loop_begin(b, IR_PLATE_OP, 1, &n);
  ir_builder in = ir_builder_in(b, &plate->u.loop->body);
  ir_val i = plate->u.loop->index[0], v = row_value(&p, &in, R, i, -1), w = same ? v : row_value(&q, &in, R, i, -1);
  return ir_loop_out(x->fn, plate, IR_SUM, 0, NULL, ir_op2(&in, IR_MUL_OP, v, w));
}

ir_val stat_sum_squares(stat_plate *x, frame *f, ir_builder *after, const stat_poly *p, stat_columns *c) {
  const ir_loop *from = x->loop->u.loop;
  ir_val extent[IR_MAX_RANK], total = 0;
  for (uint32_t k = 0; k < from->rank; k++) extent[k] = ir_map_get(&f->c.map, from->extent[k]);
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, from->rank, extent);
  for (uint32_t k = 0; k < from->rank; k++) ir_map_set(&f->c.map, from->index[k], plate->u.loop->index[k]);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_val *features = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  for (size_t k = 0; k < c->n; k++) features[k] = c->c[k].feature;
  stat_clone_features(x, f, &in, c->n, features);
  means(x, f, c, plate);
  ir_val r = factor(x, f, c, plate), R = frame_add(f, x->fn, r);
  for (size_t k = 0; k < c->n; k++)
    if (c->c[k].width) c->c[k].factor = frame_add(f, x->fn, columns_of_factor(f, c, &c->c[k], r));
  for (size_t k = 0; k < p->nsquares; k++) {
    const stat_square *s = &p->square[k];
    ir_val v = rows_product(x, after, c, R, &c->a[k], &c->b[k]);
    const stat_coef scale[3] = {c->a[k].scale, c->b[k].scale, s->scale};
    for (int j = 0; j < 3; j++)
      if (scale[j].v) v = ir_op2(after, IR_MUL_OP, v, scale[j].v);
    total = plus(after, total, v, s->minus);
  }
  return total;
}
