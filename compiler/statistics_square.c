/* statistics_square.c: sums of squares and products of linear forms from a triangular factor.
 *
 * With the features w_1 .. w_p of an iteration as a row of W and W = Q R, Q'Q = 1,
 *     sum_i (w(i) a) (w(i) b) = (R a) . (R b)
 * so p rows stand for any number of them.  The columns of W are 1 (times the weight) and the features less their means m_j; a's entry for the 1 is then
 * a_1 + sum_j a_j m_j.  An identity whatever the m_j are; but a constant offset of a column, however large, drops out of it before
 * anything is squared, as it does in y - mu.  W'W is never formed.  R is built 256 rows at a time, so W is never stored. */
#include "compiler/statistics.h"

#include "compiler/ir_uses.h"

#include <string.h>

enum { BLOCK_ROWS = 256, UNROLLED = 8 };

static void add_columns(stat_plate *x, stat_columns *c, const stat_linear *l) {
  size_table *sizes = x->m->sizes;
  for (size_t k = 0; k < l->n; k++) {
    ir_val v = l->term[k].feature;
    bool known = v == 0;
    for (size_t j = 0; j < c->n; j++) known = known || c->c[j].feature == v;
    if (known) continue;
    ir_type t = ir_type_of(x->fn, v);
    stat_column *to = &c->c[c->n++];
    *to = (stat_column){.feature = v, .width = t.rank ? t.dim[0] : IR_SIZE_NONE, .at = c->width};
    c->width = size_add(sizes, c->width, t.rank ? t.dim[0] : size_const(sizes, 1));
    c->vectors = c->vectors || t.rank;
  }
}

/* Notes a coefficient's group; false if the squares have another one. */
static bool join_group(stat_columns *c, stat_coef of) {
  if (!of.group) return true;
  if (c->group && c->group != of.group) return false;
  c->group = of.group;
  return true;
}

static bool join_groups(stat_columns *c, const stat_linear *l) {
  bool joined = join_group(c, l->scale);
  if (l->scale.group) c->pooled = false;
  for (size_t k = 0; k < l->n && joined; k++) {
    joined = join_group(c, l->term[k].c) && !l->term[k].when;
    if (l->term[k].c.group && l->term[k].feature) c->pooled = false;
  }
  return joined;
}

/* Rows of each group are products for each two of its features. */
enum { MOST_GROUP_COLUMNS = 8 };

static bool suit_groups(stat_plate *x, const stat_columns *c) {
  const ir_loop *loop = x->loop->u.loop;
  if (!c->group) return true;
  const stat_groups *g = stat_groups_of(x, c->group);
  if (c->vectors && g->nkeys == IR_MAX_RANK) return false;
  if (c->pooled) return true;
  bool sizes = true;
  for (uint32_t k = 0; k < loop->rank; k++) sizes = sizes && ir_size_of(x->fn, loop->extent[k]);
  if (sizes && !c->vectors && c->n <= MOST_GROUP_COLUMNS) return true;
  stat_refuse(x, x->loop->where, "coefficients by group of many columns are no fewer than the data");
  return false;
}

stat_columns *stat_columns_of(stat_plate *x, const stat_poly *p) {
  stat_columns *c = ARENA_NEW(x->m->mem, stat_columns);
  c->pooled = true;
  size_t most = 0;
  bool weights = false;
  for (size_t k = 0; k < p->nsquares; k++) {
    const stat_square *s = &p->square[k];
    if (!join_groups(c, &s->a) || !join_groups(c, &s->b) || !join_group(c, s->scale)) {
      stat_refuse(x, x->loop->where, "unknowns that are grouped in two ways meet in a square");
      return NULL;
    }
    if (s->scale.group) c->pooled = false;
    most += s->a.n + s->b.n;
    weights = weights || s->a.weight != p->square[0].a.weight || s->b.weight != p->square[0].a.weight;
  }
  c->a = ARENA_ARRAY(x->m->mem, stat_linear, p->nsquares);
  c->b = ARENA_ARRAY(x->m->mem, stat_linear, p->nsquares);
  c->c = ARENA_ARRAY(x->m->mem, stat_column, most);
  c->weight = weights ? 0 : p->square[0].a.weight;
  c->width = size_const(x->m->sizes, !c->group); /* the ones */
  for (size_t k = 0; k < p->nsquares; k++) {
    c->a[k] = stat_distributed(x, &p->square[k].a, false, weights);
    bool same = p->square[k].a.term == p->square[k].b.term && p->square[k].a.weight == p->square[k].b.weight;
    c->b[k] = same ? c->a[k] : stat_distributed(x, &p->square[k].b, false, weights);
    if (same) c->b[k].scale = p->square[k].b.scale;
    add_columns(x, c, &c->a[k]);
    add_columns(x, c, &c->b[k]);
  }
  return suit_groups(x, c) ? c : NULL;
}

static ir_size group_count(const stat_plate *x, const stat_columns *c) {
  const stat_groups *g = &x->group[c->group - 1];
  ir_size n = size_const(x->m->sizes, 1);
  for (uint32_t k = 0; k < g->nkeys; k++) n = size_mul(x->m->sizes, n, g->size[k]);
  return n;
}

ir_size stat_rows(const stat_plate *x, const stat_columns *c) {
  size_table *sizes = x->m->sizes;
  if (!c->group) return c->width;
  ir_size groups = group_count(x, c);
  if (c->pooled) return size_add(sizes, groups, c->width);
  return size_mul(sizes, groups, size_const(sizes, (int64_t)c->n + 1));
}

static const char *text_of(const stat_plate *x, ir_size s) {
  strbuf b;
  strbuf_init(&b, x->m->mem);
  size_print(x->m->sizes, s, &b);
  return b.s;
}

const char *stat_columns_text(const stat_plate *x, const stat_columns *c) {
  if (!c->group) return arena_printf(x->m->mem, "a triangular factor with %s rows", text_of(x, c->width));
  const char *groups = text_of(x, group_count(x, c));
  if (c->pooled) return arena_printf(x->m->mem, "means of %s groups and a triangular factor with %s rows", groups, text_of(x, c->width));
  return arena_printf(x->m->mem, "a triangular factor with %zu rows for each of %s groups", c->n + 1, groups);
}

/* ---- in @prepare */

static void means(stat_plate *x, frame *f, stat_columns *c, ir_op *plate) {
  ir_val count = ir_op1(&f->b, IR_TO_REAL_OP, ir_op2(&f->b, IR_MAX_OP, ir_iterations(&f->b, plate->u.loop), ir_int(&f->b, 1)));
  for (size_t k = 0; k < c->n; k++) {
    stat_column *w = &c->c[k];
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
static ir_val fill(stat_plate *x, frame *f, ir_builder *b, const stat_columns *c, const stat_column *w, ir_val rows, ir_val base, ir_val count) {
  ir_val extent[2] = {count, w && w->width ? ir_size_val(b, w->width) : 0};
  ir_op *plate = ir_loop_begin(b, IR_PLATE_OP, extent[1] ? 2 : 1, extent);
  ir_builder in = ir_builder_in(b, &plate->u.loop->body);
  ir_val i = plate->u.loop->index[0], d = plate->u.loop->index[1];
  set_indices(x, f, &in, ir_op2(&in, IR_ADD_OP, base, i));
  const stat_groups *g = c->group ? stat_groups_of(x, c->group) : NULL;
  ir_val features[2 + IR_MAX_RANK] = {w ? w->feature : 0, c->weight};
  if (g) memcpy(features + 2, g->key, g->nkeys * sizeof *features);
  stat_clone_features(x, f, &in, g ? 2 + g->nkeys : 2, features);
  ir_val v = ir_real(&in, 1.0), at = ir_int(&in, 0);
  if (w) {
    v = ir_map_get(&f->c.map, w->feature);
    if (w->width) v = ir_at1(&in, v, d);
    if (g) {
      ir_axes axes = stat_key_axes(g, f, w->width != 0);
      if (w->width) axes.at[g->nkeys] = d;
      v = ir_op2(&in, IR_SUB_OP, ir_op2(&in, IR_SUB_OP, v, ir_at(&in, w->mean, axes)), ir_at(&in, w->rest, axes));
    } else {
      v = ir_op2(&in, IR_SUB_OP, v, w->width ? ir_at1(&in, w->mean, d) : w->mean);
    }
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
  ir_val w = ir_new_array(&in, ir_array(IR_REAL, 2, block));
  if (!c->group) w = fill(x, f, &in, c, NULL, w, base, left);
  for (size_t k = 0; k < c->n; k++) w = fill(x, f, &in, c, &c->c[k], w, base, left);
  ir_loop_finish(f->prepare, scan, out, NULL, ir_qr_r(&in, scan->u.loop->out[out].state, w));
  return scan->res[out];
}

static ir_val columns_of_factor(frame *f, const stat_columns *c, const stat_column *w, ir_val r) {
  ir_val extent[2] = {ir_size_val(&f->b, c->width), ir_size_val(&f->b, w->width)};
  ir_op *plate = ir_loop_begin(&f->b, IR_PLATE_OP, 2, extent);
  ir_builder in = ir_builder_in(&f->b, &plate->u.loop->body);
  ir_axes axes = {.n = 2, .at = {plate->u.loop->index[0], ir_op2(&in, IR_ADD_OP, ir_size_val(&in, w->at), plate->u.loop->index[1])}};
  return ir_loop_out(f->prepare, plate, IR_STACK, 0, NULL, ir_at(&in, r, axes));
}

/* ---- in the function */

const stat_column *stat_column_of(const stat_columns *c, ir_val feature) {
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
      const stat_column *w = stat_column_of(c, t->feature);
      if (w->width) v = ir_matmul(b, t->c.v, w->kept, 0);
      else v = t->c.v ? ir_op2(b, IR_MUL_OP, t->c.v, w->kept) : w->kept;
    }
    total = stat_plus(b, total, v, t->minus);
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
  row_form r = {x, c, l, c->group ? 0 : of_ones(x, b, c, l), ARENA_ARRAY(x->m->mem, ir_val, l->n)};
  for (size_t k = 0; k < l->n; k++) {
    const stat_column *w = stat_column_of(c, l->term[k].feature);
    if (w && w->width) r.product[k] = ir_matmul(b, w->factor, l->term[k].c.v, 0);
  }
  return r;
}

/* Element i of R a; first: the row's number where it is known, as columns left of it are 0. */
static ir_val row_value(const row_form *r, ir_builder *b, ir_val R, ir_val i, int64_t first) {
  ir_axes axes = {.n = 2, .at = {i, 0}};
  ir_val total = 0;
  if (first <= 0 && r->ones) {
    axes.at[1] = ir_int(b, 0);
    total = ir_op2(b, IR_MUL_OP, ir_at(b, R, axes), r->ones);
  }
  for (size_t k = 0; k < r->l->n; k++) {
    const stat_term *t = &r->l->term[k];
    const stat_column *w = stat_column_of(r->c, t->feature);
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
    total = stat_plus(b, total, v, t->minus);
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
      total = stat_plus(b, total, ir_op2(b, IR_MUL_OP, v, w), false);
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
  ir_val total = 0, R = 0;
  ir_val *features = ARENA_ARRAY(x->m->mem, ir_val, c->n);
  for (size_t k = 0; k < c->n; k++) features[k] = c->c[k].feature;
  if (c->group) stat_group_columns(x, f, c);
  if (!c->group || (c->pooled && c->n)) {
    ir_op *plate = stat_prepare_plate(x, f, c->n, features, NULL);
    if (!c->group) means(x, f, c, plate);
    ir_val r = factor(x, f, c, plate);
    R = frame_add(f, x->fn, r);
    for (size_t k = 0; k < c->n; k++)
      if (c->c[k].width) c->c[k].factor = frame_add(f, x->fn, columns_of_factor(f, c, &c->c[k], r));
  }
  for (size_t k = 0; k < p->nsquares; k++) {
    const stat_square *s = &p->square[k];
    ir_val v = R ? rows_product(x, after, c, R, &c->a[k], &c->b[k]) : 0;
    if (c->group) v = stat_plus(after, v, stat_group_squares(x, c, k, s), false);
    const stat_coef scale[3] = {c->a[k].scale, c->b[k].scale, s->scale};
    for (int j = 0; j < 3; j++)
      if (scale[j].v && !scale[j].group) v = ir_op2(after, IR_MUL_OP, v, scale[j].v);
    total = stat_plus(after, total, v, s->minus);
  }
  return total;
}
