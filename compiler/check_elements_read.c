/* check_elements_read.c: whether elements that are read have been set, of arrays that are built by elements (check_elements.c).
 *
 * Where an array is read while loops that set it are running, the position is compared with the pieces loop by loop,
 * outermost first: an earlier iteration of a `for`, or an earlier statement of this iteration, has set it.  What all of them have set
 * by now is then to cover the box of positions that is read. */
#include "compiler/check_elements.h"

typedef struct reading {
  bool known;
  affine from, to;
  ir_size lo, hi; /* over all iterations of its loop */
} reading;

typedef enum standing { SET, EARLIER, ANOTHER /* iteration of a plate */, LATER } standing;

static const loop *open_loop(const ctx *c, const ast_range *r) {
  for (const loop *l = c->loops; l; l = l->outer)
    if (l->range == r) return l;
  return NULL;
}

/* Compares what is read with what a piece has set by now.  axis: where an earlier iteration decides. */
static standing compare(ctx *c, const elements *e, const piece *p, const reading *r, size_t *axis, bool *tied) {
  for (size_t a = 0; a < e->naxes; a++) tied[a] = false;
  if (!p->target) return SET;
  /* The axes in the order of the loops that move along them, innermost first. */
  size_t order[IR_MAX_RANK], n = 0;
  for (const pre_loop *l = p->loops; l && l->range; l = l->outer)
    for (size_t a = 0; a < e->naxes; a++)
      if (p->range[a] == l->range) order[n++] = a;
  while (n-- > 0) {
    size_t a = order[n];
    const loop *l = open_loop(c, p->range[a]);
    if (!l) break;
    const affine *near = l->down ? &r[a].from : &r[a].to;
    int64_t ahead;
    if (!r[a].known || near->loop != l || !size_difference(c->st, near->off, p->off[a], &ahead)) return LATER;
    bool point = r[a].from.loop == r[a].to.loop && r[a].from.off == r[a].to.off;
    if (point && ahead == 0) {
      tied[a] = true;
      continue;
    }
    if (l->kind == LOOP_PLATE) return ANOTHER;
    *axis = a;
    return (l->down ? ahead > 0 : ahead < 0) ? EARLIER : LATER;
  }
  return p->visited ? SET : LATER;
}

/* A box of positions: what is read, or what a piece has set by now. */
typedef struct box {
  ir_size lo[IR_MAX_RANK], hi[IR_MAX_RANK];
  bool any[IR_MAX_RANK];     /* a piece: this axis agrees with what is read */
  bool no_hi[IR_MAX_RANK];   /* a piece: everything from lo to what is read was set by earlier iterations */
  bool no_lo[IR_MAX_RANK];   /* the same, counting down */
} box;

typedef enum part { NONE, FULL, LOW, HIGH } part;

/* How much of b along an axis p has.  LOW leaves what is above p.hi, HIGH what is below p.lo; claiming less than there is does
 * no harm, so only the end that must be certain is compared.  Below 1 there are no elements that could be set: a position
 * there is outside the array, which the check of ranges says. */
static part part_of(ctx *c, const box *p, const box *b, size_t a) {
  if (p->any[a]) return FULL;
  int64_t first;
  bool from_1 = size_is_const(c->p->sizes, p->lo[a], &first) && first <= 1;
  bool low = p->no_lo[a] || from_1 || size_never_above(c->st, p->lo[a], b->lo[a]);
  bool high = p->no_hi[a] || size_never_above(c->st, b->hi[a], p->hi[a]);
  return low && high ? FULL : low ? LOW : high ? HIGH : NONE;
}

/* Whether the boxes together have all of b. */
static bool cover(ctx *c, const box *set, size_t n, size_t naxes, const box *b, int depth, size_t *budget) {
  size_table *t = c->p->sizes;
  ir_size one = size_const(t, 1);
  int64_t d;
  for (size_t a = 0; a < naxes; a++)
    if (size_difference(c->st, b->lo[a], b->hi[a], &d) && d > 0) return true;
  part parts[IR_MAX_RANK];
  for (int full = 1; full >= 0; full--)
    for (size_t i = 0; i < n; i++) {
      if (*budget == 0 || (!full && depth == 0)) return false;
      (*budget)--;
      bool touches = true, all = true;
      for (size_t a = 0; a < naxes && touches; a++) {
        parts[a] = part_of(c, &set[i], b, a);
        touches = parts[a] != NONE;
        all &= parts[a] == FULL;
      }
      if (!touches) continue;
      if (all) return true;
      if (full) continue;
      box rest = *b;
      bool ok = true;
      for (size_t a = 0; a < naxes && ok; a++) {
        if (parts[a] == FULL) continue;
        box part = rest;
        if (parts[a] == LOW) {
          part.lo[a] = size_add(t, set[i].hi[a], one);
          ok = part.lo[a] != rest.lo[a];
          rest.hi[a] = set[i].hi[a];
        } else {
          part.hi[a] = size_sub(t, set[i].lo[a], one);
          ok = part.hi[a] != rest.hi[a];
          rest.lo[a] = set[i].lo[a];
        }
        ok = ok && cover(c, set, n, naxes, &part, depth - 1, budget);
      }
      if (ok) return true;
    }
  return false;
}

/* Where a subscript goes along an axis, or the whole of it. */
static reading reading_of(ctx *c, const elements *e, const ast_exprs *subs, size_t a) {
  size_table *t = c->p->sizes;
  const ir_size one = size_const(t, 1);
  reading r = {.known = true, .from = {NULL, one}, .to = {NULL, e->ext[a]}, .lo = one, .hi = e->ext[a]};
  const ast_expr *sub = subs && a < subs->n ? subs->items[a] : NULL;
  if (!sub || sub->kind == EXPR_ALL) return r;
  const ast_expr *lo = sub->kind == EXPR_RANGE ? sub->range.lo : sub, *hi = sub->kind == EXPR_RANGE ? sub->range.hi : sub;
  affine other;
  r.known = affine_bounds_of_expr(c, lo, &r.from, &other) && affine_bounds_of_expr(c, hi, &other, &r.to);
  if (!r.known) return r;
  r.lo = r.from.loop ? size_add(t, r.from.loop->lo, r.from.off) : r.from.off;
  r.hi = r.to.loop ? size_add(t, r.to.loop->hi, r.to.off) : r.to.off;
  return r;
}

/* What the pieces of an array have set by now. */
typedef struct progress {
  box *set;             /* [nset] */
  size_t nset, done;    /* done: pieces that have set all they ever will */
  size_t axis;          /* of `earlier`: where its iterations count */
  const piece *earlier, *another, *later; /* the first of each standing */
} progress;

static progress progress_of(ctx *c, const elements *e, const reading *r) {
  progress x = {.set = ARENA_ARRAY(c->a, box, e->n)};
  for (size_t i = 0; i < e->n; i++) {
    const piece *p = &e->pieces[i];
    bool tied[IR_MAX_RANK], open = false;
    size_t axis = 0;
    const standing st = compare(c, e, p, r, &axis, tied);
    for (size_t a = 0; a < e->naxes; a++) open |= tied[a];
    x.done += st == SET && !open;
    if (st == ANOTHER && !x.another) x.another = p;
    if (st == EARLIER && !x.earlier) x.earlier = p, x.axis = axis;
    if (st != SET && st != EARLIER) {
      if (!x.later) x.later = p;
      continue;
    }
    box *b = &x.set[x.nset++];
    for (size_t a = 0; a < e->naxes; a++) {
      b->lo[a] = p->lo[a];
      b->hi[a] = p->hi[a];
      b->any[a] = tied[a];
      if (st == EARLIER && a == axis) b->no_hi[a] = !p->down[a], b->no_lo[a] = p->down[a];
    }
  }
  return x;
}

static bool apart(ctx *c, ir_size below, ir_size above) {
  int64_t d;
  return below != IR_SIZE_NONE && above != IR_SIZE_NONE && size_difference(c->st, above, below, &d) && d > 0;
}

bool elements_ahead(ctx *c, const elements *e, const piece *p, const ast_exprs *subs) {
  reading r[IR_MAX_RANK];
  bool tied[IR_MAX_RANK];
  size_t axis = 0;
  for (size_t a = 0; a < e->naxes; a++) r[a] = reading_of(c, e, subs, a);
  const standing st = compare(c, e, p, r, &axis, tied);
  if (st == SET || st == EARLIER) return false;
  for (size_t a = 0; a < e->naxes; a++)
    if (r[a].known && (apart(c, r[a].hi, p->lo[a]) || apart(c, p->hi[a], r[a].lo))) return false;
  return true;
}

static void tell_first(ctx *c, const elements *e, const progress *x, ir_size first, span at) {
  const loop *l = open_loop(c, x->earlier->range[x->axis]);
  diag *d = cx_error(c, "E0524", at, "the first iteration reads `%s[%s%s]`, which is not set yet", e->name, x->axis ? "..., " : "", size_text(c->st, first));
  const ast_range *r = x->earlier->range[x->axis];
  strbuf start;
  strbuf_init(&start, c->a);
  if (r->source) ast_print_expr(&start, r->source->lo);
  else strbuf_puts(&start, size_text(c->st, l->down ? l->hi : l->lo));
  cx_point(c, d, r->at, "`%s` starts at %s", r->var.name, start.s);
  cx_help(c, d, "set the first elements before the loop, and start it after them");
}

static void tell_another(ctx *c, const elements *e, const piece *another, span at) {
  diag *d = cx_error(c, "E0525", at, "an iteration of a plate reads an element of `%s` that another one sets", e->name);
  cx_point(c, d, another->target->at, "set here");
  for (const loop *l = c->loops; l; l = l->outer)
    if (l->kind == LOOP_PLATE) {
      cx_point(c, d, l->range->at, "the iterations over `%s` are independent", l->range->var.name);
      break;
    }
  cx_help(c, d, "what depends on the step before is a `for`");
}

bool elements_read(ctx *c, symbol *s, const ast_exprs *subs, span at) {
  elements *e = sym_of(s)->elems;
  if (!e || e->broken || !e->resolved || (s->type && ty_is_error(s->type))) return false;
  reading r[IR_MAX_RANK];
  box want = {0};
  bool known = true;
  for (size_t a = 0; a < e->naxes; a++) {
    r[a] = reading_of(c, e, subs, a);
    known &= r[a].known;
    /* Where a subscript may be anything, all along its axis is to be set; whether it is within is then a matter of its range only. */
    want.lo[a] = r[a].known ? r[a].lo : size_const(c->p->sizes, 1);
    want.hi[a] = r[a].known ? r[a].hi : e->ext[a];
  }
  const progress x = progress_of(c, e, r);
  if (x.done == e->n) return false;
  size_t budget = 4096;
  if (cover(c, x.set, x.nset, e->naxes, &want, 8, &budget)) return false;
  if (x.earlier && known) {
    const loop *l = open_loop(c, x.earlier->range[x.axis]);
    const ir_size first = l->down ? want.hi[x.axis] : want.lo[x.axis];
    int64_t n;
    /* Outside: check_bounds says so where it has the type, or a condition keeps the loop from it. */
    if (s->type && !l->down && size_is_const(c->p->sizes, first, &n) && n < 1) return false;
    if (s->type && l->down && (c->guards || c->conds) && x.axis < s->type->rank && size_difference(c->st, first, s->type->dim[x.axis], &n) && n > 0) return false;
    tell_first(c, e, &x, first, at);
    return true;
  }
  if (x.another) {
    tell_another(c, e, x.another, at);
    return true;
  }
  diag *d = !known ? cx_error(c, "E0524", at, "it cannot be told that this element of `%s` is already set", e->name)
                   : cx_error(c, "E0524", at, "`%s` is read before %s set", e->name, subs ? "this element is" : "all of its elements are");
  if (x.later && x.later->target) cx_point(c, d, x.later->target->at, "set here");
  const bool inside = c->loops && x.later && x.later->loops && x.later->range[0] && open_loop(c, x.later->range[0]);
  if (inside && x.later->range[0]->source) cx_help(c, d, "inside the loop that builds it, read an element of an iteration before: it builds `%s` from its end", e->name);
  else if (inside) cx_help(c, d, "inside the loop that builds it, read `%s[t - 1]` or another element of an iteration before", e->name);
  else cx_help(c, d, "move the statement that sets it up");
  return true;
}
