/* check_row_trees.c: the pieces of trees that ragged arrays are written out with (check_ragged.c). */
#include "compiler/check_ragged.h"

#include <stdlib.h>
#include <string.h>

const char *ragged_name(const ast_expr *e) { return e && e->kind == EXPR_NAME ? e->name.name : NULL; }
bool ragged_is_one(const ast_expr *e) { return e && e->kind == EXPR_INT && e->integer.value == 1; }

const char *ragged_extent(const ragged *g, const ast_expr *e) {
  if (e && e->kind == EXPR_INT && e->integer.value > 0) return intern(g->p->names, arena_printf(g->a, "%lld", (long long)e->integer.value));
  return ragged_name(e);
}

const symbol *ragged_callee(const ragged *g, const ast_expr *e, bool *own) {
  check_state *st = g->p->state;
  *own = false;
  if (e->kind != EXPR_CALL || e->call.of || !e->call.fn.name[0]) return NULL;
  const symbol *s = e->call.fn.library ? NULL : ptr_map_get(&st->user, e->call.fn.name);
  *own = s;
  if (!s) s = library_find(st, e->call.fn.name);
  return s ? s : ptr_map_get(&st->builtins, e->call.fn.name);
}

bool ragged_is_call(const ragged *g, const ast_expr *e, const char *fn, size_t least) {
  bool own;
  return e->kind == EXPR_CALL && e->call.args.n >= least && strcmp(e->call.fn.name, fn) == 0 && ragged_callee(g, e, &own) && !own;
}

ast_expr *ragged_extent_new(ragged *g, const ragged_rows *r, span at) {
  if (r->extent[0] < '0' || r->extent[0] > '9') return ast_new_name(g->a, r->extent, at);
  return ast_new_int(g->a, strtoll(r->extent, NULL, 10), at);
}

const char *ragged_fresh(ragged *g, const char *word) { return intern(g->p->names, arena_printf(g->a, "%s.%u", word, ++g->locals)); }

ast_expr *ragged_copy(ragged *g, const ast_expr *e) {
  ast_copier plain = {.mem = g->a};
  return ast_copy_expr(&plain, e);
}

ast_expr *ragged_real(ragged *g, double x, span at) {
  ast_expr *e = ast_new_expr(g->a, EXPR_REAL, at);
  e->real.value = x;
  return e;
}

ast_expr *ragged_binary(ragged *g, ast_op op, ast_expr *a, ast_expr *b) {
  ast_expr *e = ast_new_expr(g->a, EXPR_BINARY, a->at);
  e->binary.op = op;
  e->binary.lhs = a;
  e->binary.rhs = b;
  e->binary.op_at = a->at;
  e->depth = ast_above(a->depth, b->depth);
  return e;
}

ast_expr *ragged_plus(ragged *g, ast_expr *e, int64_t by) {
  while (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB) && e->binary.rhs->kind == EXPR_INT) {
    by += e->binary.op == OP_ADD ? e->binary.rhs->integer.value : -e->binary.rhs->integer.value;
    e = e->binary.lhs;
  }
  if (e->kind == EXPR_INT) return ast_new_int(g->a, e->integer.value + by, e->at);
  return by == 0 ? e : ragged_binary(g, by < 0 ? OP_SUB : OP_ADD, e, ast_new_int(g->a, by < 0 ? -by : by, e->at));
}

ast_expr *ragged_range(ragged *g, ast_expr *lo, ast_expr *hi, span at) {
  ast_expr *e = ast_new_expr(g->a, EXPR_RANGE, at);
  e->range.lo = lo;
  e->range.hi = hi;
  e->depth = ast_above(lo->depth, hi->depth);
  return e;
}

ast_expr *ragged_subscripted(ragged *g, ast_expr *base, ast_exprs subs, span at) {
  ast_expr *e = ast_new_expr(g->a, EXPR_INDEX, at);
  e->index.base = base;
  e->index.subs = subs;
  e->depth = ast_above(base->depth, 0);
  for (size_t i = 0; i < subs.n; i++)
    if (subs.items[i]->depth >= e->depth) e->depth = ast_above(subs.items[i]->depth, 0);
  return e;
}

ast_expr *ragged_at(ragged *g, const char *array, ast_expr *sub, ast_expr *then, span at) {
  ast_exprs subs = {0};
  ARENA_PUSH(g->a, subs.items, subs.n, subs.cap, sub);
  if (then) ARENA_PUSH(g->a, subs.items, subs.n, subs.cap, then);
  return ragged_subscripted(g, ast_new_name(g->a, array, at), subs, at);
}

ast_expr *ragged_end(ragged *g, const ragged_rows *r, ast_expr *row, span at) { return ragged_at(g, r->len, row, NULL, at); }
