/* lower_loop.c: plates, for loops, and the arrays they build (see lower_internal.h). */
#include "compiler/lower_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- plain boxes */

/* In sample() each iteration draws with an index of its own. */
static void enter_draws(lower *l, uint32_t rank, const ir_val *extent, const ir_val *idx) {
  if (!l->key) return;
  for (uint32_t k = 0; k < rank; k++)
    l->index = ir_op2(&l->b, IR_ADD_OP, ir_op2(&l->b, IR_MUL_OP, l->index, extent[k]), idx[k]);
}

lower_box lower_box_begin(lower *l, uint32_t rank, const ir_size *dim) {
  lower_box box = {.rank = rank};
  ir_val extent[IR_MAX_RANK];
  for (uint32_t k = 0; k < rank; k++) extent[k] = ir_size_val(&l->b, dim[k]);
  box.op = ir_loop_begin(&l->b, IR_PLATE_OP, rank, extent);
  box.outer = l->b;
  box.index_was = l->index;
  memcpy(box.idx, box.op->u.loop->index, rank * sizeof *box.idx);
  l->b = ir_builder_in(&box.outer, &box.op->u.loop->body);
  enter_draws(l, rank, extent, box.idx);
  return box;
}

void lower_box_end(lower *l, const lower_box *box) {
  l->b = box->outer;
  l->index = box->index_was;
}

/* ---- builds */

/* A forecast starts from the array it continues: the first elements are that array's. */
static ir_val forecast_base(lower *l, const symbol *s, ir_type whole) {
  const bool drawn_again = s->site && (!l->model || l->replica[s->site - 1] == s || l->gap[s->site - 1].drawn == s);
  const symbol *base = drawn_again ? NULL : check_continued(s);
  if (!base) return 0;
  ir_val from = lower_read_all(l, base);
  ir_type t = ir_type_of(l->fn, from);
  ir_val init = ir_new_array(&l->b, whole);
  lower_box box = lower_box_begin(l, t.rank, t.dim);
  ir_axes axes = {.n = t.rank};
  memcpy(axes.at, box.idx, t.rank * sizeof *axes.at);
  ir_val x = lower_convert(l, ir_at(&l->b, from, axes), (ir_elem)whole.elem);
  lower_box_end(l, &box);
  return ir_loop_out(l->fn, box.op, IR_INTO, init, &axes, x);
}

static build *build_new(lower *l, symbol *s) {
  build *b = ARENA_NEW(l->mem, build);
  b->sym = s;
  b->type = lower_type(l, s->type);
  b->cur = forecast_base(l, s, b->type);
  for (uint8_t k = 0; k < IR_MAX_RANK; k++) b->axis[k] = k;
  return b;
}

static build *build_of(lower *l, symbol *s) {
  binding *b = lower_find(l, s);
  if (b && b->kind == BIND_BUILD) return b->b;
  build *fresh = build_new(l, s);
  if (b && lower_in_order(l, s)) fresh->cur = b->v; /* as the data, or statements before, have it */
  lower_push(l, s, BIND_BUILD)->b = fresh;
  return fresh;
}

void lower_start(lower *l, symbol *s) { build_of(l, s); }

/* What the elements of this level hold that no statement sets: those of a replica the data. */
static ir_val untouched(lower *l, const build *b) {
  const symbol *s = b->sym;
  if (s->site && l->replica && l->replica[s->site - 1] == s) {
    if (!b->outer) {
      ir_val y = lower_read_all(l, l->model->sites[s->site - 1].sym);
      if (ir_type_of(l->fn, y).elem == b->type.elem) return y;
    } else {
      ir_axes axes = {.n = b->outer->type.rank};
      bool whole = true;
      for (uint32_t a = 0; a < axes.n; a++) {
        axes.at[a] = b->at[a].v;
        whole = whole && !axes.at[a];
      }
      ir_val y = untouched(l, b->outer);
      return whole ? y : ir_at(&l->b, y, axes);
    }
  }
  return b->type.rank ? ir_new_array(&l->b, b->type) : lower_convert(l, ir_int(&l->b, 0), (ir_elem)b->type.elem);
}

void lower_define(lower *l, symbol *s, uint32_t n, const lindex *idx, ir_val v) {
  build *b = build_of(l, s);
  v = lower_convert(l, v, (ir_elem)b->type.elem);
  ir_axes axes = {.n = b->type.rank};
  bool whole = true;
  for (uint32_t a = 0; a < axes.n; a++)
    if (b->axis[a] < n) {
      axes.at[a] = idx[b->axis[a]].v;
      whole = false;
    }
  if (whole) b->cur = v;
  else b->cur = ir_put(&l->b, b->cur ? b->cur : untouched(l, b), axes, v);
}

static ir_val initial(lower *l, const build *parent, ir_op *loop) {
  if (parent->cur) return parent->cur;
  ir_builder was = l->b;
  l->b.before = loop;
  l->b.block = loop->block;
  ir_val v = untouched(l, parent);
  l->b = was;
  return v;
}

void lower_define_slice(lower *l, symbol *s, const lower_box *box, uint32_t n, const lindex *idx, ir_val v) {
  build *b = build_of(l, s);
  ir_builder outer = l->b;
  l->b = ir_builder_in(&outer, &box->op->u.loop->body);
  v = lower_convert(l, v, (ir_elem)b->type.elem);
  l->b = outer;
  ir_axes axes = {.n = b->type.rank};
  for (uint32_t a = 0; a < axes.n; a++)
    if (b->axis[a] < n) axes.at[a] = idx[b->axis[a]].v;
  b->cur = ir_loop_out(l->fn, box->op, IR_INTO, initial(l, b, box->op), &axes, v);
}

lower_slice lower_slice_of(lower *l, const ast_expr *e, ir_size dim) {
  size_table *t = l->m->sizes;
  lindex lo = lower_index(l, e->range.lo, dim), hi = lower_index(l, e->range.hi, dim);
  lower_slice c = {.dim = dim, .first = lo.v, .check = ir_def_op(l->fn, hi.v) && ir_def_op(l->fn, hi.v)->code == IR_BOUND_OP};
  if (lo.linear && hi.linear && lo.base == hi.base && lo.sign == hi.sign)
    c.extent = size_add(t, size_sub(t, hi.offset, lo.offset), size_const(t, 1));
  return c;
}

lindex lower_slice_at(lower *l, const lower_slice *c, ir_val idx) {
  if (!c->first) return lower_index_at(l, idx);
  ir_val v = ir_op2(&l->b, IR_ADD_OP, c->first, idx);
  return lower_index_at(l, c->check ? ir_op2(&l->b, IR_BOUND_OP, v, ir_size_val(&l->b, c->dim)) : v);
}

/* ---- which arrays a block builds */

static void add_defined(lower *l, lower_built *list, symbol *s, const ast_target *t, bool data) {
  size_t k = 0;
  while (k < list->n && list->items[k].sym != s) k++;
  if (k == list->n) {
    lower_defined d = {.sym = s, .data = data};
    ARENA_PUSH(l->mem, list->items, list->n, list->cap, d);
  }
  lower_defined *d = &list->items[k];
  ARENA_PUSH(l->mem, d->targets, d->n, d->cap, t);
}

typedef bool name_test(const void *x, const ast_name *name);

/* Whether the test holds of a name in e.  What binds names of its own is taken to hold one: the callers may err on that side. */
static bool any_name(const ast_expr *e, name_test *test, const void *x) {
  if (!e) return false;
  switch (e->kind) {
  case EXPR_NAME: return test(x, &e->name);
  case EXPR_UNARY: return any_name(e->unary.arg, test, x);
  case EXPR_BINARY: return any_name(e->binary.lhs, test, x) || any_name(e->binary.rhs, test, x);
  case EXPR_IF: return any_name(e->if_.cond, test, x) || any_name(e->if_.then, test, x) || any_name(e->if_.else_, test, x);
  case EXPR_RANGE: return any_name(e->range.lo, test, x) || any_name(e->range.hi, test, x);
  case EXPR_FIELD: return any_name(e->field.base, test, x);
  case EXPR_CALL:
    for (size_t k = 0; k < e->call.args.n; k++)
      if (any_name(e->call.args.items[k].value, test, x)) return true;
    return any_name(e->call.of, test, x);
  case EXPR_ARRAY:
    for (size_t k = 0; k < e->array.elems.n; k++)
      if (any_name(e->array.elems.items[k], test, x)) return true;
    return false;
  case EXPR_INDEX:
    for (size_t k = 0; k < e->index.subs.n; k++)
      if (any_name(e->index.subs.items[k], test, x)) return true;
    return any_name(e->index.base, test, x);
  case EXPR_LET: return any_name(e->let.value, test, x) || any_name(e->let.body, test, x);
  case EXPR_REDUCE: case EXPR_COMPREHENSION: return true;
  default: return false;
  }
}

static bool is_symbol(const void *s, const ast_name *name) { return name->sym == s; }

static bool mentions(const ast_expr *e, const symbol *s) { return any_name(e, is_symbol, s); }

static bool uses_index(const ast_range *range, size_t n, const ast_expr *sub) {
  bool uses = false;
  for (size_t r = 0; r < n; r++) uses = uses || mentions(sub, range[r].var.sym);
  return uses;
}

/* An array whose subscripts use none of these indices is local to the loop's body. */
static void keep_outer(lower_built *list, const ast_range *range, size_t ranges) {
  size_t n = 0;
  for (size_t k = 0; k < list->n; k++) {
    const lower_defined *d = &list->items[k];
    bool uses = d->data;
    for (size_t i = 0; i < d->n; i++)
      for (size_t a = 0; a < d->targets[i]->subs.n; a++) uses = uses || uses_index(range, ranges, d->targets[i]->subs.items[a]);
    if (uses) list->items[n++] = *d;
  }
  list->n = n;
}

static void find_in_block(lower *l, const ast_block *block, lower_built *list);

static void find_in_loop(lower *l, const ast_iter *iter, const ast_block *body, lower_built *list) {
  lower_built inner = {.whole = list->whole};
  find_in_block(l, body, &inner);
  keep_outer(&inner, iter->items, iter->n);
  for (size_t k = 0; k < inner.n; k++)
    for (size_t i = 0; i < inner.items[k].n; i++) add_defined(l, list, inner.items[k].sym, inner.items[k].targets[i], inner.items[k].data);
}

static void find_in_stmt(lower *l, const ast_stmt *s, lower_built *list) {
  switch (s->kind) {
  case STMT_LET:
    if (s->let.target.subs.n) add_defined(l, list, s->let.target.name.sym, &s->let.target, false);
    break;
  case STMT_SAMPLE: {
    symbol *y = s->sample.target.name.sym;
    if (!y) break;
    bool latent = lower_is_drawn(l, y), in_order = lower_in_order(l, y);
    if (!s->sample.target.subs.n && !(list->whole && !latent)) break;
    if (latent || in_order) add_defined(l, list, y, &s->sample.target, !latent);
    else if (y->site && l->replica && l->replica[y->site - 1]) add_defined(l, list, l->replica[y->site - 1], &s->sample.target, true);
    if (!latent && y->site && l->gap && l->gap[y->site - 1].drawn) add_defined(l, list, l->gap[y->site - 1].drawn, &s->sample.target, true);
    break;
  }
  case STMT_PLATE: find_in_loop(l, &s->plate.iter, s->plate.body, list); break;
  case STMT_FOR: find_in_loop(l, &s->for_.iter, s->for_.body, list); break;
  case STMT_IF:
    find_in_block(l, s->if_.then, list);
    if (s->if_.else_) find_in_block(l, s->if_.else_, list);
    break;
  case STMT_PREDICT: find_in_block(l, s->predict.body, list); break;
  case STMT_GROUP: find_in_block(l, s->group.body, list); break;
  default: break;
  }
}

static void find_in_block(lower *l, const ast_block *block, lower_built *list) {
  for (size_t k = 0; k < block->n; k++) find_in_stmt(l, block->items[k], list);
}

/* What one statement about a vector sets. */
static void find_vector(lower *l, const ast_stmt *s, lower_built *list) {
  const ast_target *t = s->kind == STMT_LET ? &s->let.target : &s->sample.target;
  symbol *y = t->name.sym;
  if (s->kind == STMT_LET || lower_is_drawn(l, y) || lower_in_order(l, y)) {
    add_defined(l, list, y, t, false);
    return;
  }
  if (y->site && l->replica[y->site - 1]) add_defined(l, list, l->replica[y->site - 1], t, true);
  if (y->site && l->gap[y->site - 1].drawn) add_defined(l, list, l->gap[y->site - 1].drawn, t, true);
}

lower_built lower_built_by(lower *l, const ast_stmt *s, const ast_range *range) {
  lower_built list = {0};
  if (!range) find_vector(l, s, &list);
  else if (s->kind == STMT_SAMPLE) find_in_stmt(l, s, &list);
  else find_in_block(l, s->kind == STMT_PLATE ? s->plate.body : s->for_.body, &list);
  if (range) keep_outer(&list, range, 1);
  return list;
}

/* ---- the two ways of an `if` */

static lower_join join_of(lower *l, const lower_built *list) {
  lower_join j = {.n = list->n, .b = ARENA_ARRAY(l->mem, build *, list->n)};
  j.before = ARENA_ARRAY(l->mem, ir_val, list->n);
  j.then_ = ARENA_ARRAY(l->mem, ir_val, list->n);
  for (size_t k = 0; k < list->n; k++) {
    build *b = j.b[k] = build_of(l, list->items[k].sym);
    if (!b->cur) b->cur = untouched(l, b);
    j.before[k] = b->cur;
  }
  return j;
}

lower_join lower_join_begin(lower *l, const ast_block *then_, const ast_block *else_) {
  lower_built list = {.whole = true};
  find_in_block(l, then_, &list);
  if (else_) find_in_block(l, else_, &list);
  return join_of(l, &list);
}

void lower_join_turn(lower_join *j) {
  for (size_t k = 0; k < j->n; k++) {
    j->then_[k] = j->b[k]->cur;
    j->b[k]->cur = j->before[k];
  }
}

void lower_join_end(lower *l, lower_join *j, ir_op *branch) {
  for (size_t k = 0; k < j->n; k++) j->b[k]->cur = ir_if_out(l->fn, branch, j->then_[k], j->b[k]->cur);
}

/* ---- ranges */

lower_range lower_range_measure(lower *l, const ast_range *r) {
  size_table *t = l->m->sizes;
  lower_range m = {.step = 1};
  ir_size hi = IR_SIZE_NONE, by;
  int64_t n;
  if (r->by && lower_expr_size(l, r->by, &by) && size_is_const(t, by, &n)) m.step = n;
  int64_t stride = m.step < 0 ? -m.step : m.step;
  if (stride == 0 || stride > 127) {
    lower_refuse(l, r->at, "a step of 0 or of more than 127");
    stride = m.step = 1;
  }
  if (r->over) {
    m.over = lower_array(l, r->over);
    m.extent = ir_type_of(l->fn, m.over).dim[0];
    m.count = ir_size_val(&l->b, m.extent);
    return m;
  }
  bool lo_known = lower_expr_size(l, r->lo, &m.lo);
  if (lo_known && lower_expr_size(l, r->hi, &hi)) {
    m.extent = size_add(t, m.step > 0 ? size_sub(t, hi, m.lo) : size_sub(t, m.lo, hi), size_const(t, 1));
    if (stride != 1) m.extent = size_div(t, size_add(t, m.extent, size_const(t, stride - 1)), size_const(t, stride));
    m.count = ir_size_val(&l->b, m.extent);
    return m;
  }
  m.lo_val = lower_scalar_as(l, r->lo, IR_INT);
  ir_val hi_val = lower_scalar_as(l, r->hi, IR_INT);
  ir_val d = m.step > 0 ? ir_op2(&l->b, IR_SUB_OP, hi_val, m.lo_val) : ir_op2(&l->b, IR_SUB_OP, m.lo_val, hi_val);
  m.count = ir_op2(&l->b, IR_ADD_OP, d, ir_int(&l->b, 1));
  if (stride != 1)
    m.count = ir_op2(&l->b, IR_IDIV_OP, ir_op2(&l->b, IR_ADD_OP, m.count, ir_int(&l->b, stride - 1)), ir_int(&l->b, stride));
  if (!lo_known) m.lo = IR_SIZE_NONE;
  return m;
}

void lower_range_bind(lower *l, const ast_range *r, const lower_range *m, ir_val counter) {
  if (m->over) {
    lower_bind(l, r->var.sym, ir_at1(&l->b, m->over, counter));
    return;
  }
  binding *b = lower_push(l, r->var.sym, BIND_INDEX);
  b->v = counter;
  b->lo = m->lo;
  b->lo_val = m->lo_val;
  b->extent = m->extent;
  b->sign = (int8_t)m->step;
}

/* ---- loops */

typedef struct loop_nest {
  const ast_iter *iter;
  bool scan;
  lower_body *body;
  void *user;
  lower_built defined;
} loop_nest;

static void run_inside(lower *l, loop_nest *s) {
  if (!s->iter->cond) {
    s->body(l, s->user);
    return;
  }
  ir_val cond = lower_scalar_as(l, s->iter->cond, IR_BOOL);
  lower_join join = join_of(l, &s->defined); /* draws beside data: unknowns and lets have no filters */
  ir_op *branch = ir_if_begin(&l->b, cond);
  ir_builder outer = l->b;
  size_t binds = l->nbind, mark = lower_mark(l);
  l->b = ir_builder_in(&outer, &branch->u.branch->then_);
  s->body(l, s->user);
  l->nbind = binds;
  lower_forget(l, mark);
  l->b = outer;
  lower_join_turn(&join);
  lower_join_end(l, &join, branch);
}

typedef struct loops_scope {
  lower *l;
  const ast_range *range; /* [n] of loops about to be entered */
  size_t n;
} loops_scope;

/* A name that is bound only further inside than the body of these loops. */
static bool is_inner(const void *x, const ast_name *name) {
  const loops_scope *in = x;
  for (size_t r = 0; r < in->n; r++)
    if (name->sym == in->range[r].var.sym) return false;
  return name->sym && name->sym->size == IR_SIZE_NONE && !lower_find(in->l, name->sym);
}

/* Whether an iteration of these loops has one place of its own along axis o of the array: all statements set elements there. */
static bool has_place(lower *l, const ast_range *range, size_t n, const lower_defined *d, uint8_t o) {
  for (size_t i = 0; i < d->n; i++) {
    const ast_exprs *subs = &d->targets[i]->subs;
    if (o >= subs->n || subs->items[o]->kind == EXPR_ALL || subs->items[o]->kind == EXPR_RANGE) return false;
    if (!uses_index(range, n, subs->items[o])) return false;
    if (d->data && any_name(subs->items[o], is_inner, &(loops_scope){l, range, n})) return false;
    if (i > 0 && !ast_same_text(l->mem, subs->items[o], d->targets[0]->subs.items[o])) return false;
  }
  return true;
}

/* One iteration after the other gives rows 0, 1, ...: the results can be stacked. */
static bool stackable(lower *l, const build *child, const build *parent, const ir_op *loop) {
  const ir_loop *p = loop->u.loop;
  if (parent->cur || p->down) return false;
  for (uint32_t k = 0; k < p->rank; k++) {
    int64_t zero;
    const lindex *at = &child->at[k];
    if (k >= parent->type.rank || !at->linear || at->base != p->index[k] || at->sign != 1 ||
        !size_is_const(l->m->sizes, at->offset, &zero) || zero != 0 || ir_size_of(l->fn, p->extent[k]) != parent->type.dim[k])
      return false;
  }
  for (uint32_t a = p->rank; a < parent->type.rank; a++)
    if (child->at[a].v) return false;
  return true;
}

/* ---- a loop and the level that it adds to what is built in it */

/* The level's part that an array has, made for the first list that builds it. */
static level_part part_of(lower *l, lower_level *v, const lower_defined *d) {
  for (size_t k = 0; k < v->n; k++)
    if (v->child[k]->sym == d->sym) return (level_part){.by = d, .child = v->child[k]};
  build *child = v->child[v->n++] = ARENA_NEW(l->mem, build);
  child->sym = d->sym;
  child->outer = build_of(l, d->sym);
  return (level_part){.by = d, .child = child, .first = true};
}

lower_level lower_level_of(lower *l, bool scan, size_t nlists, const lower_built *lists) {
  size_t n = 0;
  for (size_t i = 0; i < nlists; i++) n += lists[i].n;
  lower_level v = {.scan = scan, .child = ARENA_ARRAY(l->mem, build *, n), .part = ARENA_ARRAY(l->mem, level_part, n), .from = ARENA_ARRAY(l->mem, size_t, nlists + 1)};
  n = 0;
  for (size_t i = 0; i < nlists; i++) {
    for (size_t k = 0; k < lists[i].n; k++) v.part[n++] = part_of(l, &v, &lists[i].items[k]);
    v.from[i + 1] = n;
  }
  return v;
}

/* What sets elements of one array does so along the same axes, or the array has no place here. */
static void agree(const level_part *x, const bool *has) {
  build *child = x->child;
  bool any = false;
  for (uint32_t a = 0; a < child->outer->type.rank; a++) {
    child->has_place[a] = has[a] && (x->first || child->has_place[a]);
    any = any || child->has_place[a];
  }
  child->placed = any;
}

void lower_level_find(lower *l, lower_level *v, size_t list, const ast_range *range, size_t n) {
  for (const level_part *x = v->part + v->from[list]; x < v->part + v->from[list + 1]; x++) {
    const build *outer = x->child->outer;
    bool has[IR_MAX_RANK];
    for (uint8_t a = 0; a < outer->type.rank; a++) has[a] = has_place(l, range, n, x->by, outer->axis[a]);
    agree(x, has);
  }
}

void lower_level_find_axis(lower_level *v, size_t list, uint32_t axis) {
  for (const level_part *x = v->part + v->from[list]; x < v->part + v->from[list + 1]; x++) {
    const build *outer = x->child->outer;
    bool has[IR_MAX_RANK];
    for (uint8_t a = 0; a < outer->type.rank; a++) has[a] = outer->axis[a] == axis;
    agree(x, has);
  }
}

bool lower_level_scans(const lower_level *v) {
  bool scan = v->scan;
  for (size_t k = 0; k < v->n; k++) scan = scan || !v->child[k]->placed;
  return scan;
}

void lower_level_open(lower *l, lower_level *v, uint32_t rank, const ir_val *extent) {
  v->scan = lower_level_scans(v);
  v->loop = ir_loop_begin(&l->b, v->scan ? IR_SCAN_OP : IR_PLATE_OP, rank, extent);
  v->outer = l->b;
  v->binds = l->nbind;
  v->mark = lower_mark(l);
  v->index_was = l->index;
  l->b = ir_builder_in(&v->outer, &v->loop->u.loop->body);
  enter_draws(l, rank, extent, v->loop->u.loop->index);
  for (size_t k = 0; k < v->n; k++) {
    build *child = v->child[k], *parent = child->outer;
    uint8_t rest = 0;
    child->type = parent->type;
    for (uint8_t a = 0; a < parent->type.rank; a++) {
      if (child->has_place[a]) continue;
      child->axis[rest] = parent->axis[a];
      child->type.dim[rest++] = parent->type.dim[a];
    }
    child->type.rank = rest;
  }
}

static void put_at(lower *l, build *child, uint32_t a, lindex at, span where) {
  if (child->at[a].v && !lindex_same(l, &child->at[a], &at)) lower_refuse(l, where, "drawing elements at different positions at a time");
  child->at[a] = at;
}

void lower_level_place(lower *l, lower_level *v, size_t list) {
  for (const level_part *x = v->part + v->from[list]; x < v->part + v->from[list + 1]; x++) {
    const ast_target *t = x->by->targets[0];
    const build *outer = x->child->outer;
    for (uint8_t a = 0; a < outer->type.rank; a++)
      if (x->child->has_place[a]) put_at(l, x->child, a, lower_index(l, t->subs.items[outer->axis[a]], outer->type.dim[a]), t->at);
  }
}

void lower_level_place_axis(lower *l, lower_level *v, size_t list, ir_val at) {
  for (const level_part *x = v->part + v->from[list]; x < v->part + v->from[list + 1]; x++)
    for (uint8_t a = 0; a < x->child->outer->type.rank; a++)
      if (x->child->has_place[a]) put_at(l, x->child, a, lower_index_at(l, at), x->by->targets[0]->at);
}

void lower_level_start(lower *l, lower_level *v) {
  for (size_t k = 0; k < v->n; k++) {
    build *child = v->child[k], *parent = child->outer;
    if (v->scan) {
      child->out = ir_loop_state(l->fn, v->loop, child->placed ? IR_INTO : IR_CARRY, initial(l, parent, v->loop));
      child->state = v->loop->u.loop->out[child->out].state;
    }
    if (!child->placed) {
      child->cur = child->state;
    } else if (lower_in_order(l, child->sym)) {
      ir_axes axes = {.n = parent->type.rank};
      for (uint32_t a = 0; a < axes.n; a++) axes.at[a] = child->at[a].v;
      child->cur = ir_at(&l->b, v->scan ? child->state : parent->cur, axes);
    }
  }
  for (size_t k = 0; k < v->n; k++) lower_push(l, v->child[k]->sym, BIND_BUILD)->b = v->child[k];
}

void lower_level_close(lower *l, lower_level *v) {
  for (size_t k = 0; k < v->n; k++)
    if (!v->child[k]->cur) v->child[k]->cur = untouched(l, v->child[k]);
  l->b = v->outer;
  l->nbind = v->binds;
  l->index = v->index_was;
  lower_forget(l, v->mark);
  for (size_t k = 0; k < v->n && !l->refused; k++) {
    build *child = v->child[k], *parent = child->outer;
    ir_axes axes = {.n = parent->type.rank};
    for (uint32_t a = 0; a < axes.n; a++) axes.at[a] = child->at[a].v;
    if (v->scan) {
      ir_loop_finish(l->fn, v->loop, child->out, child->placed ? &axes : NULL, child->cur);
      parent->cur = v->loop->res[child->out];
    } else if (stackable(l, child, parent, v->loop)) {
      parent->cur = ir_loop_out(l->fn, v->loop, IR_STACK, 0, NULL, child->cur);
    } else {
      parent->cur = ir_loop_out(l->fn, v->loop, IR_INTO, initial(l, parent, v->loop), &axes, child->cur);
    }
  }
}

static void ranges_from(lower *l, loop_nest *s, size_t from) {
  const ast_iter *iter = s->iter;
  if (from == iter->n) {
    run_inside(l, s);
    return;
  }
  size_t to = from + 1;
  while (!s->scan && to < iter->n && to - from < IR_MAX_RANK) {
    bool depends = false;
    for (size_t k = from; k < to; k++) {
      const ast_range *r = &iter->items[to];
      depends = depends || mentions(r->lo, iter->items[k].var.sym) || mentions(r->hi, iter->items[k].var.sym) ||
                mentions(r->over, iter->items[k].var.sym);
    }
    if (depends) break;
    to++;
  }
  lower_level level = lower_level_of(l, s->scan, 1, &s->defined);
  lower_level_find(l, &level, 0, &iter->items[from], to - from);
  if (lower_level_scans(&level) && to > from + 1) { /* a scan is over one range */
    to = from + 1;
    lower_level_find(l, &level, 0, &iter->items[from], 1);
  }
  const uint32_t rank = (uint32_t)(to - from);
  lower_range m[IR_MAX_RANK];
  ir_val extent[IR_MAX_RANK] = {0};
  for (uint32_t k = 0; k < rank; k++) {
    m[k] = lower_range_measure(l, &iter->items[from + k]);
    extent[k] = m[k].count;
  }
  lower_level_open(l, &level, rank, extent);
  for (uint32_t k = 0; k < rank; k++) lower_range_bind(l, &iter->items[from + k], &m[k], level.loop->u.loop->index[k]);
  lower_level_place(l, &level, 0);
  lower_level_start(l, &level);
  ranges_from(l, s, to);
  lower_level_close(l, &level);
}

void lower_ranges(lower *l, const ast_iter *iter, size_t from, bool scan, const ast_block *defines, const ast_stmt *defining, lower_body *body,
                  void *user) {
  loop_nest s = {.iter = iter, .scan = scan, .body = body, .user = user};
  if (defines) find_in_block(l, defines, &s.defined);
  if (defining) find_in_stmt(l, defining, &s.defined);
  keep_outer(&s.defined, iter->items, iter->n);
  ranges_from(l, &s, from);
}
