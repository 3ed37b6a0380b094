/* check_order.c: whether an observed array is read behind the statements that observe it.
 *
 * The density of data is the same in whatever order statements stand.  Data that are drawn, all of them or those that are missing, are drawn as the program is
 * read: a statement meets what those before it have drawn.  So an element may not be read before it is drawn, as one of an unknown may not;
 * here it is no error, but noted in symbol.early, for whoever wants to draw. */
#include "compiler/check_elements.h"

enum { MOST_COMPARED = 256 }; /* statements of one array with one read: checking stays linear */

void order_collect(ctx *c, const ast_target *t, pre_loop *loops) {
  for (const pre_loop *l = loops; l; l = l->outer)
    if (!l->range) return; /* a prediction */
  elements *e = ptr_map_get(&c->draws, t->name.name);
  if (!e) {
    e = ARENA_NEW(c->a, elements);
    e->name = t->name.name;
    ptr_map_put(&c->draws, t->name.name, e);
  }
  const piece p = {.target = t, .loops = loops};
  ARENA_PUSH(c->a, e->pieces, e->n, e->cap, p);
}

void order_drawn(ctx *c, const ast_target *t) {
  elements *e = ptr_map_get(&c->draws, t->name.name);
  if (e) elements_visited(e, t);
}

/* The positions of all pieces.  Where one is not made of sizes and a loop's index, only what stands behind its loops comes after it for certain. */
static void place_all(ctx *c, elements *e, const ty_info *t) {
  e->resolved = true;
  e->naxes = t->rank;
  for (size_t a = 0; a < e->naxes; a++) e->ext[a] = t->dim[a];
  for (size_t i = 0; i < e->n; i++) {
    piece *p = &e->pieces[i];
    for (size_t a = 0; a < e->naxes && !p->untold; a++) p->untold = !elements_place(c, p, a, e->ext[a]);
  }
}

static bool inside_its_loops(const ctx *c, const piece *p) {
  for (const pre_loop *l = p->loops; l && l->range; l = l->outer)
    for (const loop *x = c->loops; x; x = x->outer)
      if (x->range == l->range) return true;
  return false;
}

void order_read(ctx *c, symbol *s, const ast_exprs *subs, const ast_expr *at) {
  elements *e = s->kind == SYM_DATA && s->type && s->type->rank ? ptr_map_get(&c->draws, s->name) : NULL;
  if (!e) return;
  if (!e->resolved) place_all(c, e, s->type);
  for (size_t i = 0; i < e->n; i++) {
    const piece *p = &e->pieces[i];
    if (i == MOST_COMPARED || (p->untold ? !p->visited || inside_its_loops(c, p) : elements_ahead(c, e, p, subs))) {
      ARENA_PUSH(c->a, s->early.items, s->early.n, s->early.cap, at);
      return;
    }
  }
}
