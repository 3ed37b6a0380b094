/* lower_arrange.c: statements in the order in which values depend on each other, where that is not the order in which they are written.
 *
 * A density is the same in any order.  What is drawn has to be drawn before it is read, and a GARCH has its recursion in one loop, which reads y[t - 1], and y behind it.  The
 * statements of a block are the nodes of a graph with an edge from each that sets elements to each that reads some of them.  What is in no cycle goes one after the other.
 * The rest goes through time together: each cycle (strongly connected component) is one loop in which statement s is at its position t at time t + shift(s), and reads of
 * an edge W -> R that go at most `lag` positions beyond the time of R, counted in the time of W, come after what they read where
 *
 *     shift(R) - shift(W) >= lag                                                    (Karp, Miller and Winograd 1967, systems of uniform recurrence equations)
 *
 * which has solutions where no cycle has a positive sum of lags.  Edges that hold with > are satisfied by the loop; those with = hold inside each of its iterations, whose
 * statements are arranged in the same way, after the loops that a statement has inside (Allen and Kennedy 1987 distribute loops so).  Where the statements of a cycle have
 * different ends, or one is about a single element, loops are cut there.  What has no solution is a read of what is not drawn yet. */
#include "compiler/lower_reads.h"
#include "compiler/ptr_map.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 512 }; /* of one block: all may read what each of them sets */

#define NEVER ((int64_t)1 << 52) /* the lag of a read that follows no course */

typedef struct step_list {
  step *items;
  size_t n, cap;
} step_list;

typedef struct edge {
  size_t from, to;
  int64_t lag;
  const access *write, *read;
} edge;

typedef struct graph {
  lower *l;
  const step *steps;
  size_t n;
  bool parts;     /* the steps are parts of statements: what these have prepared is kept from one to the next */
  edge *edges;    /* by their `from` */
  size_t nedges, cap;
  size_t *out;    /* [n + 1] a step's first edge */
  size_t *group;  /* [n] its cycle, or a group of its own */
  bool *loops;    /* [n] it is in a cycle, maybe of its own */
  size_t *member, *first; /* [n] steps by their groups, in their order; [groups + 1] a group's first among them */
  size_t ngroups;
} graph;

static void give_up(lower *l, const access *read) {
  if (!l->refused) l->ahead = (lower_ahead){read->sym, read->where};
  l->refused = true;
}

/* ---- the graph */

static bool meet(const access *w, const access *r) {
  for (uint32_t a = 0; a < w->n && a < r->n; a++) {
    const reach *x = &w->at[a], *y = &r->at[a];
    const bool same = x->counter && x->counter == y->counter;
    if (same ? x->lo > y->hi || y->lo > x->hi : x->least > y->most || y->least > x->most) return false;
  }
  return true;
}

static int64_t lag_of(const access *w, const access *r) {
  int64_t lag = NEVER;
  for (uint32_t a = 0; a < w->n && a < r->n; a++)
    if (w->at[a].timed && r->at[a].timed && r->at[a].hi - w->at[a].lo < lag) lag = r->at[a].hi - w->at[a].lo;
  return lag;
}

/* A `let` inside a loop whose subscripts do not use its index is another one in each iteration. */
static bool is_local(const step *s, const access *w) {
  const ast_iter *iter = step_iter(s);
  if (w->sym->kind != SYM_LET || !iter || s->ranges == iter->n) return false;
  for (uint32_t a = 0; a < w->n; a++)
    if (w->at[a].timed) return false;
  return true;
}

/* Reads of one array. */
typedef struct read_in {
  size_t step;
  const access *read;
} read_in;

typedef struct read_list {
  read_in *items;
  size_t n, cap;
} read_list;

static void connect(graph *g) {
  lower *l = g->l;
  access_list *of = ARENA_ARRAY(l->mem, access_list, g->n);
  ptr_map reads;
  ptr_map_init(&reads, l->mem);
  for (size_t k = 0; k < g->n; k++) {
    step_accesses(l, &g->steps[k], &of[k]);
    for (size_t i = 0; i < of[k].n; i++) {
      const access *r = &of[k].items[i];
      if (r->write) continue;
      read_list *list = ptr_map_get(&reads, r->sym);
      if (!list) ptr_map_put(&reads, r->sym, list = ARENA_NEW(l->mem, read_list));
      const read_in x = {k, r};
      ARENA_PUSH(l->mem, list->items, list->n, list->cap, x);
    }
  }
  g->out = ARENA_ARRAY(l->mem, size_t, g->n + 1);
  for (size_t from = 0; from < g->n; from++) {
    for (size_t i = 0; i < of[from].n; i++) {
      const access *w = &of[from].items[i];
      const read_list *list = w->write ? ptr_map_get(&reads, w->sym) : NULL;
      for (size_t k = 0; list && k < list->n; k++) {
        const size_t to = list->items[k].step;
        const access *r = list->items[k].read;
        if (!meet(w, r) || (from == to && is_local(&g->steps[from], w))) continue;
        const edge e = {from, to, lag_of(w, r), w, r};
        ARENA_PUSH(l->mem, g->edges, g->nedges, g->cap, e);
      }
    }
    g->out[from + 1] = g->nedges;
  }
}

/* Strongly connected components (Tarjan 1972), without recursion. */
static void find_groups(graph *g) {
  arena *mem = g->l->mem;
  const size_t n = g->n;
  size_t *seen = ARENA_ARRAY(mem, size_t, n), *low = ARENA_ARRAY(mem, size_t, n), *next = ARENA_ARRAY(mem, size_t, n); /* seen: in which order, from 1 */
  size_t *path = ARENA_ARRAY(mem, size_t, n), *open = ARENA_ARRAY(mem, size_t, n), depth, nopen = 0, count = 0;
  bool *closed = ARENA_ARRAY(mem, bool, n);
  g->group = ARENA_ARRAY(mem, size_t, n);
  g->loops = ARENA_ARRAY(mem, bool, n);
  for (size_t root = 0; root < n; root++) {
    if (seen[root]) continue;
    path[0] = root;
    for (depth = 1; depth;) {
      const size_t k = path[depth - 1];
      if (!seen[k]) {
        seen[k] = low[k] = ++count;
        next[k] = g->out[k];
        open[nopen++] = k;
      }
      bool down = false;
      for (; next[k] < g->out[k + 1] && !down; next[k] += !down) {
        const size_t to = g->edges[next[k]].to;
        if (to == k) g->loops[k] = true;
        if (!seen[to]) path[depth++] = to, down = true;
        else if (!closed[to] && low[to] < low[k]) low[k] = low[to];
      }
      if (down) continue;
      depth--;
      if (low[k] < seen[k]) continue;
      do {
        const size_t x = open[--nopen];
        closed[x] = true;
        g->group[x] = g->ngroups;
        if (x != k) g->loops[x] = g->loops[k] = true;
      } while (open[nopen] != k);
      g->ngroups++;
    }
  }
  g->member = ARENA_ARRAY(mem, size_t, n);
  g->first = ARENA_ARRAY(mem, size_t, g->ngroups + 1);
  for (size_t k = 0; k < n; k++) g->first[g->group[k] + 1]++;
  for (size_t k = 0; k < g->ngroups; k++) g->first[k + 1] += g->first[k];
  size_t *at = ARENA_ARRAY(mem, size_t, g->ngroups);
  for (size_t k = 0; k < n; k++) g->member[g->first[g->group[k]] + at[g->group[k]]++] = k;
}

/* Blocks that a loop without ranges left, or a part of a model, stands for. */
static void expand(lower *l, const step *s, step_list *out) {
  const ast_iter *iter = step_iter(s);
  const ast_block *inside = s->s->kind == STMT_GROUP ? s->s->group.body : !iter || s->ranges < iter->n || iter->cond ? NULL : s->s->kind == STMT_PLATE ? s->s->plate.body : s->s->kind == STMT_FOR ? s->s->for_.body : NULL;
  if (!inside) {
    ARENA_PUSH(l->mem, out->items, out->n, out->cap, *s);
    return;
  }
  for (size_t k = 0; k < inside->n; k++) expand(l, &(step){.s = inside->items[k]}, out);
}

static void arrange(lower *l, const step_list *list, bool parts);

/* ---- a cycle */

typedef struct member {
  const step *s;
  bool moves; /* c is its course */
  course c;
  int64_t shift;
  moment *cut; /* where other parts of it begin */
  size_t ncuts, cap;
} member;

static bool is_vector(const member *m) {
  const ast_iter *iter = step_iter(m->s);
  return !iter || m->s->ranges == iter->n;
}

/* The next step of m where the loop's counter is that of times from `from` on. */
static step taken(lower *l, const member *m, const moment *from, const moment *to, ir_val counter) {
  size_table *t = l->m->sizes;
  step s = *m->s;
  s.part = false;
  const ir_size lo = size_sub(t, from->size, size_const(t, m->shift));
  if (!is_vector(m)) {
    binding *b = lower_push(l, step_iter(&s)->items[s.ranges++].var.sym, BIND_INDEX);
    b->v = counter;
    b->lo = lo;
    b->extent = size_sub(t, to->size, from->size);
    return s;
  }
  const int64_t first = from->at - m->shift - m->c.origin.at;
  s.idx[s.axes] = ir_op2(&l->b, IR_ADD_OP, counter, ir_size_val(&l->b, size_sub(t, lo, m->c.origin.size)));
  s.at[s.axes] = (reach){.counter = counter, .lo = first + 1, .hi = first + 1, .to = to->at - from->at - 1, .least = first + 1, .most = first + to->at - from->at};
  s.axes++;
  return s;
}

/* One loop over the times in which the same members have positions. */
static void run(lower *l, const member *all, size_t n, const moment *from, const moment *to, bool scan) {
  const ir_val extent = ir_size_val(&l->b, size_sub(l->m->sizes, to->size, from->size));
  const member **active = ARENA_ARRAY(l->mem, const member *, n);
  lower_built *built = ARENA_ARRAY(l->mem, lower_built, n);
  size_t count = 0;
  for (size_t k = 0; k < n; k++)
    if (all[k].c.first.at + all[k].shift <= from->at && all[k].c.last.at + all[k].shift >= to->at - 1) active[count++] = &all[k];
  if (count == 0) return;
  for (size_t k = 0; k < count; k++) built[k] = lower_built_by(l, active[k]->s->s, is_vector(active[k]) ? NULL : &step_iter(active[k]->s)->items[active[k]->s->ranges]);
  lower_level level = lower_level_of(l, scan, count, built);
  for (size_t k = 0; k < count; k++) {
    if (is_vector(active[k])) lower_level_find_axis(&level, k, step_axis(active[k]->s));
    else lower_level_find(l, &level, k, &step_iter(active[k]->s)->items[active[k]->s->ranges], 1);
  }
  lower_level_open(l, &level, 1, &extent);
  step_list body = {0};
  for (size_t k = 0; k < count; k++) {
    const step s = taken(l, active[k], from, to, level.loop->u.loop->index[0]);
    if (!is_vector(active[k])) {
      lower_level_place(l, &level, k);
    } else {
      const ir_size skipped = size_sub(l->m->sizes, active[k]->c.origin.size, size_const(l->m->sizes, 1));
      lower_level_place_axis(l, &level, k, ir_op2(&l->b, IR_ADD_OP, s.idx[s.axes - 1], ir_size_val(&l->b, skipped)));
    }
    expand(l, &s, &body);
  }
  lower_level_start(l, &level);
  if (!l->refused) arrange(l, &body, false);
  lower_level_close(l, &level);
}

/* The steps of a cycle, and where they stand in it. */
typedef struct cycle {
  const graph *g;
  member *m;
  size_t n;
  size_t *number; /* [steps of the graph] of a member; n: none */
} cycle;

static cycle cycle_of(const graph *g, const size_t *which, size_t n) {
  lower *l = g->l;
  cycle c = {g, ARENA_ARRAY(l->mem, member, n), n, ARENA_ARRAY(l->mem, size_t, g->n)};
  for (size_t k = 0; k < g->n; k++) c.number[k] = n;
  for (size_t k = 0; k < n; k++) {
    c.m[k].s = &g->steps[which[k]];
    c.m[k].moves = step_course(l, c.m[k].s, &c.m[k].c);
    c.number[which[k]] = k;
  }
  return c;
}

/* The members at both ends of an edge; false: it is none of the cycle's. */
static bool ends_of(const cycle *c, const edge *e, member **from, member **to) {
  const size_t i = c->number[e->from], k = c->number[e->to];
  if (i == c->n || k == c->n) return false;
  *from = &c->m[i];
  *to = &c->m[k];
  return true;
}

/* The shifts; NULL, or an edge that none serves. */
static const edge *find_shifts(const cycle *c) {
  const graph *g = c->g;
  member *from, *to;
  for (size_t i = 0; i < g->nedges; i++)
    if (ends_of(c, &g->edges[i], &from, &to) && (!from->moves || !to->moves || g->edges[i].lag == NEVER)) return &g->edges[i];
  for (size_t round = 0;; round++) { /* longest paths: n rounds settle them, or nothing does */
    const edge *moved = NULL;
    for (size_t i = 0; i < g->nedges; i++) {
      const edge *e = &g->edges[i];
      if (!ends_of(c, e, &from, &to) || to->shift >= from->shift + e->lag) continue;
      to->shift = from->shift + e->lag;
      moved = e;
    }
    if (!moved || round == c->n) return moved;
  }
}

static bool add_cut(lower *l, member *m, int64_t at) {
  if (at <= m->c.first.at || at > m->c.last.at) return false;
  for (size_t k = 0; k < m->ncuts; k++)
    if (m->cut[k].at == at) return false;
  const moment x = {at, size_const(l->m->sizes, at)};
  ARENA_PUSH(l->mem, m->cut, m->ncuts, m->cap, x);
  return true;
}

/* m has to be cut where `mine`, an access of it, meets the one position of `other`. */
static bool cut_around(lower *l, member *m, const access *mine, const access *other) {
  bool any = false;
  for (uint32_t a = 0; a < mine->n && a < other->n; a++) {
    const reach *x = &mine->at[a], *y = &other->at[a];
    if (!x->timed || x->lo != x->hi || y->timed || y->counter || y->lo != y->hi) continue;
    const bool before = add_cut(l, m, y->lo - x->lo), after = add_cut(l, m, y->lo - x->lo + 1);
    any = any || before || after;
  }
  return any;
}

/* Of moments at one time that are different sizes any may be taken, but always the same one. */
static int by_time(const void *a, const void *b) {
  const moment *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return x->size < y->size ? -1 : x->size > y->size;
}

/* A statement about one element, `let e[1] = y[1] - m[1]` beside a recursion of all, is in no loop.  The others are cut where they meet it, and the parts arranged. */
static bool in_parts(const cycle *c) {
  const graph *g = c->g;
  lower *l = g->l;
  member *from, *to;
  bool any = false;
  for (size_t i = 0; i < g->nedges; i++) {
    const edge *e = &g->edges[i];
    if (!ends_of(c, e, &from, &to)) continue;
    if (from->moves && !to->moves) any = cut_around(l, from, e->write, e->read) || any;
    if (to->moves && !from->moves) any = cut_around(l, to, e->read, e->write) || any;
  }
  if (!any) return false;
  const ir_size one = size_const(l->m->sizes, 1);
  step_list parts = {0};
  for (size_t k = 0; k < c->n; k++) {
    member *m = &c->m[k];
    step s = *m->s;
    if (m->ncuts) {
      qsort(m->cut, m->ncuts, sizeof *m->cut, by_time);
      s.part = true;
      s.first = m->c.first;
    }
    for (size_t i = 0; i < m->ncuts; i++) {
      s.last = (moment){m->cut[i].at - 1, size_sub(l->m->sizes, m->cut[i].size, one)};
      ARENA_PUSH(l->mem, parts.items, parts.n, parts.cap, s);
      s.first = m->cut[i];
    }
    if (m->ncuts) s.last = m->c.last;
    ARENA_PUSH(l->mem, parts.items, parts.n, parts.cap, s);
  }
  const size_t mark = lower_mark(l);
  arrange(l, &parts, true);
  lower_forget(l, mark);
  return true;
}

/* All that a step reads of itself it has drawn before, as the checker has it, in whatever loops. */
static bool is_in_order(const graph *g, size_t step) {
  for (size_t i = 0; i < g->nedges; i++) {
    const edge *e = &g->edges[i];
    if (e->to != step || e->from != step) continue;
    const symbol *s = e->read->sym;
    for (size_t k = 0; k < s->early.n; k++)
      if (s->early.items[k] == e->read->where) return false;
  }
  return true;
}

static void emit(lower *l, const step *s);

static void through_time(lower *l, const graph *g, const size_t *which, size_t n) {
  const cycle c = cycle_of(g, which, n);
  member *m = c.m, *from, *to;
  const edge *bad = find_shifts(&c);
  if (bad && n == 1 && !m->s->part && is_in_order(g, which[0])) {
    emit(l, m->s);
    return;
  }
  if (bad && in_parts(&c)) return;
  if (bad) {
    for (size_t i = 0; i < g->nedges && !lower_in_order(l, bad->read->sym); i++) /* better told of the data than of what is computed from them */
      if (ends_of(&c, &g->edges[i], &from, &to) && lower_in_order(l, g->edges[i].read->sym)) bad = &g->edges[i];
    give_up(l, bad->read);
    return;
  }
  bool scan = false;
  for (size_t i = 0; i < g->nedges; i++) scan = scan || (ends_of(&c, &g->edges[i], &from, &to) && to->shift > from->shift + g->edges[i].lag);
  size_table *t = l->m->sizes;
  moment *cut = ARENA_ARRAY(l->mem, moment, 2 * n);
  const size_t mark = lower_mark(l);
  for (size_t k = 0; k < n; k++) {
    scan = scan || m[k].c.sequential;
    const ir_size shift = size_const(t, m[k].shift);
    cut[2 * k] = (moment){m[k].c.first.at + m[k].shift, size_add(t, m[k].c.first.size, shift)};
    cut[2 * k + 1] = (moment){m[k].c.last.at + m[k].shift + 1, size_add(t, size_add(t, m[k].c.last.size, shift), size_const(t, 1))};
    if (is_vector(&m[k]) && !m[k].s->axes) lower_prepare_statement(l, m[k].s->s);
  }
  qsort(cut, 2 * n, sizeof *cut, by_time);
  for (size_t k = 0; k + 1 < 2 * n && !l->refused; k++)
    if (cut[k].at < cut[k + 1].at) run(l, m, n, &cut[k], &cut[k + 1], scan);
  if (!g->parts) lower_forget(l, mark);
}

/* ---- a block */

static void emit(lower *l, const step *s) {
  const ast_iter *iter = step_iter(s);
  if (!s->ranges && !s->axes) lower_statement(l, s->s);
  else if (iter && (s->ranges < iter->n || iter->cond)) lower_statement_from(l, s->s, s->ranges);
  else lower_statement_at(l, s->s, s->axes, s->idx);
}

/* Each group when all that it needs is there; of those that may come next that with the first statement. */
static void arrange(lower *l, const step_list *list, bool parts) {
  graph g = {.l = l, .steps = list->items, .n = list->n, .parts = parts};
  if (g.n > MOST_STEPS) {
    lower_refuse(l, list->items[0].s->at, "drawing data of so many statements in an order other than theirs");
    return;
  }
  connect(&g);
  find_groups(&g);
  size_t *waits = ARENA_ARRAY(l->mem, size_t, g.ngroups); /* edges that come from groups not yet done */
  bool *done = ARENA_ARRAY(l->mem, bool, g.ngroups);
  for (size_t i = 0; i < g.nedges; i++) waits[g.group[g.edges[i].to]] += g.group[g.edges[i].from] != g.group[g.edges[i].to];
  for (size_t left = g.ngroups; left && !l->refused; left--) {
    size_t next = 0;
    while (done[g.group[next]] || waits[g.group[next]]) next++;
    const size_t group = g.group[next], n = g.first[group + 1] - g.first[group], *which = &g.member[g.first[group]];
    const step *s = &g.steps[next];
    const bool block = n == 1 && !step_iter(s) && s->s->kind != STMT_SAMPLE && s->s->kind != STMT_LET; /* arranged inside */
    if ((g.loops[next] && !block) || s->part) through_time(l, &g, which, n);
    else emit(l, s);
    done[group] = true;
    for (size_t k = 0; k < n; k++)
      for (size_t i = g.out[which[k]]; i < g.out[which[k] + 1]; i++) waits[g.group[g.edges[i].to]] -= g.group[g.edges[i].to] != group;
  }
}

void lower_arranged(lower *l, const ast_block *block) {
  step_list list = {0};
  for (size_t k = 0; k < block->n; k++) expand(l, &(step){.s = block->items[k]}, &list);
  if (list.n) arrange(l, &list, false);
}
