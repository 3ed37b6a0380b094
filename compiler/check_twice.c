/* check_twice.c: elements of the data that two statements observe, or one in several of its iterations.
 *
 * What a statement observes is a box: along each axis a position, a slice or the whole run of a loop, from one size to another.  Boxes
 * that share an element for certain are an error here, those that share none are right, and where sizes do not tell, the elements
 * are counted when data is bound (bind_density.c). */
#include "compiler/check_state.h"

enum { MOST_COMPARED = 256 }; /* statements of one array with another one; the rest is counted, so that checking stays linear */

typedef struct observation observation;
struct observation {
  observation *before;
  span at;
  bool always; /* no `if` and no filter around it */
  ir_size lo[IR_MAX_RANK], hi[IR_MAX_RANK]; /* IR_SIZE_NONE: cannot be told */
};

typedef enum overlap { APART, SHARED, OPEN } overlap;

/* Whether a <= b for certain.  position: of an axis of that extent, in which a stands. */
static bool at_most(ctx *c, ir_size a, ir_size b, ir_size extent, bool position) {
  int64_t d;
  if (size_difference(c->st, a, b, &d)) return d <= 0;
  if (!size_is_const(c->p->sizes, a, &d)) return false;
  return (position && b == extent) || (d <= 1 && sizes_are_extents(c, b) && size_never_above(c->st, a, b));
}

static overlap compare_axis(ctx *c, const observation *a, const observation *b, unsigned k, ir_size extent) {
  int64_t d;
  if (a->lo[k] == IR_SIZE_NONE || b->lo[k] == IR_SIZE_NONE) return OPEN;
  if (size_difference(c->st, a->lo[k], b->hi[k], &d) && d > 0) return APART;
  if (size_difference(c->st, b->lo[k], a->hi[k], &d) && d > 0) return APART;
  /* Ranges that begin or end together share elements unless one is empty, as an int that is no extent may want it. */
  bool extents = sizes_are_extents(c, a->lo[k]) && sizes_are_extents(c, a->hi[k]) && sizes_are_extents(c, b->lo[k]) && sizes_are_extents(c, b->hi[k]);
  if (extents && (a->lo[k] == b->lo[k] || a->hi[k] == b->hi[k])) return SHARED;
  bool meet = at_most(c, a->lo[k], b->hi[k], extent, a->lo[k] == a->hi[k]) && at_most(c, b->lo[k], a->hi[k], extent, b->lo[k] == b->hi[k]);
  return meet ? SHARED : OPEN;
}

static overlap compare(ctx *c, const observation *a, const observation *b, const ty_info *t) {
  overlap all = SHARED;
  for (unsigned k = 0; k < t->rank; k++) {
    overlap one = compare_axis(c, a, b, k, t->dim[k]);
    if (one == APART) return APART;
    if (one == OPEN) all = OPEN;
  }
  return all == SHARED && a->always && b->always ? SHARED : OPEN;
}

/* Whether l moves along an axis; several axes that move with one loop are no box. */
static bool moves(const loop *l, loop *const *along, unsigned rank) {
  for (unsigned k = 0; k < rank; k++)
    if (along[k] == l) return true;
  return false;
}

/* The positions along an axis.  *along gets the loop that moves there. */
static void run_of(ctx *c, observation *o, const ast_expr *sub, unsigned k, ir_size extent, loop **along) {
  size_table *t = c->p->sizes;
  affine from, to;
  o->lo[k] = o->hi[k] = IR_SIZE_NONE;
  if (!sub || sub->kind == EXPR_ALL) {
    o->lo[k] = size_const(t, 1);
    o->hi[k] = extent;
    return;
  }
  bool slice = sub->kind == EXPR_RANGE;
  if (!affine_of_expr(c, slice ? sub->range.lo : sub, &from) || !affine_of_expr(c, slice ? sub->range.hi : sub, &to)) return;
  if (!from.loop && !to.loop) {
    o->lo[k] = from.off;
    o->hi[k] = to.off;
  } else if (!slice && from.loop->lo != IR_SIZE_NONE && from.loop->hi != IR_SIZE_NONE && !moves(from.loop, along, k)) {
    along[k] = from.loop;
    o->lo[k] = size_add(t, from.loop->lo, from.off);
    o->hi[k] = size_add(t, from.loop->hi, from.off);
  }
}

/* A loop around the statement that moves along no axis observes the same again.  True after a report. */
static bool repeated(ctx *c, const ast_target *t, const observation *o, loop *const *along, unsigned rank, bool *open) {
  for (unsigned k = 0; k < rank; k++)
    if (o->lo[k] == IR_SIZE_NONE) {
      *open |= c->loops != NULL;
      return false;
    }
  for (const loop *l = c->loops; l; l = l->outer) {
    int64_t d;
    if (moves(l, along, rank) || (l->lo != IR_SIZE_NONE && l->hi != IR_SIZE_NONE && size_difference(c->st, l->lo, l->hi, &d) && d >= 0)) continue;
    bool runs = l->lo != IR_SIZE_NONE && l->hi != IR_SIZE_NONE && sizes_are_extents(c, l->lo) && sizes_are_extents(c, l->hi);
    if (!o->always || !runs) {
      *open = true;
      continue;
    }
    strbuf text;
    strbuf_init(&text, c->a);
    ast_print_place(&text, t);
    diag *g = cx_error(c, "E0615", t->at, "every iteration over `%s` would observe `%s` again", l->range->var.name, text.s);
    cx_point(c, g, l->range->at, "the loop over `%s`", l->range->var.name);
    cx_help(c, g, "each element is observed once: give it the index `%s`, or move it out of the loop", l->range->var.name);
    return true;
  }
  return false;
}

bool check_twice(ctx *c, const ast_target *t, symbol *sym) {
  const ty_info *type = sym->type;
  observation *o = ARENA_NEW(c->a, observation);
  *o = (observation){.before = sym_of(sym)->observations, .at = t->at, .always = c->conds == 0};
  loop *along[IR_MAX_RANK] = {0};
  bool open = false;
  for (unsigned k = 0; k < type->rank; k++) run_of(c, o, k < t->subs.n ? t->subs.items[k] : NULL, k, type->dim[k], along);
  sym_of(sym)->observations = o;
  if (repeated(c, t, o, along, type->rank, &open)) return open;
  size_t compared = 0;
  for (const observation *x = o->before; x; x = x->before) {
    if (compared++ == MOST_COMPARED) return true;
    switch (compare(c, x, o, type)) {
    case APART: break;
    case OPEN: open = true; break;
    case SHARED: {
      diag *g = cx_error(c, "E0615", t->at, "%s`%s` %s observed twice", t->subs.n ? "elements of " : "", sym->name, t->subs.n ? "are" : "is");
      cx_point(c, g, x->at, "first here");
      cx_help(c, g, "a quantity comes from one distribution; `factor` adds further terms");
      return open;
    }
    }
  }
  return open;
}
