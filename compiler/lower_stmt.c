/* lower_stmt.c: the statements of models and of functions with blocks. */
#include "compiler/lower_internal.h"

#include <string.h>

ir_val lower_broadcast(lower *l, const ast_expr *e, const ty_info *want) {
  ir_elem elem = lower_elem_kind(want);
  uint32_t r = ty_of(e)->rank;
  if (r == want->rank) return r ? lower_array_as(l, e, elem) : lower_scalar_as(l, e, elem);
  ir_type t = lower_type(l, want);
  size_t mark = lower_mark(l);
  lower_prepare(l, e);
  lower_box box = lower_box_begin(l, t.rank, t.dim);
  ir_val v = lower_convert(l, lower_elem(l, e, r, box.idx + (t.rank - r)), elem);
  lower_box_end(l, &box);
  lower_forget(l, mark);
  return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
}

static void let(lower *l, const ast_stmt *s) {
  const ast_target *t = &s->let.target;
  symbol *sym = t->name.sym;
  if (t->subs.n == 0) {
    lower_bind(l, sym, lower_broadcast(l, s->let.value, sym->type));
    return;
  }
  const ty_info *whole = sym->type;
  lindex idx[IR_MAX_RANK];
  lower_slice cut[IR_MAX_RANK];
  ir_size extent[IR_MAX_RANK];
  uint32_t n = 0, axes = 0;
  for (; n < t->subs.n && n < IR_MAX_RANK; n++) {
    const ast_expr *sub = t->subs.items[n];
    ir_size dim = lower_size(l, whole->dim[n]);
    cut[n] = (lower_slice){.axis = -1};
    if (sub->kind != EXPR_RANGE) {
      idx[n] = lower_index(l, sub, dim);
      continue;
    }
    cut[n] = lower_slice_of(l, sub, dim);
    cut[n].axis = (int)axes;
    extent[axes++] = cut[n].extent;
  }
  ty_info part = *whole;
  part.rank = (uint8_t)(whole->rank - n);
  memmove(part.dim, part.dim + n, sizeof part.dim - n * sizeof part.dim[0]);
  if (!axes) {
    lower_define(l, sym, n, idx, lower_broadcast(l, s->let.value, &part));
    return;
  }
  size_t mark = lower_mark(l);
  lower_prepare(l, s->let.value);
  lower_box box = lower_box_begin(l, axes, extent);
  for (uint32_t k = 0; k < n; k++)
    if (cut[k].axis >= 0) idx[k] = lower_slice_at(l, &cut[k], box.idx[cut[k].axis]);
  const uint32_t own = ty_of(s->let.value)->rank ? axes : 0;
  ir_val v = lower_part(l, s->let.value, own, box.idx, lower_elem_kind(&part));
  lower_box_end(l, &box);
  lower_define_slice(l, sym, &box, n, idx, v);
  lower_forget(l, mark);
}

/* `let` about a vector at positions idx [n] along its first axes. */
static void let_at(lower *l, const ast_stmt *s, uint32_t n, const ir_val *idx) {
  const ast_target *t = &s->let.target;
  const ast_expr *e = s->let.value;
  const ir_type whole = lower_type(l, t->name.sym->type);
  const ir_elem elem = (ir_elem)whole.elem;
  const uint32_t rank = ty_of(e)->rank;
  lindex lead[IR_MAX_RANK];
  uint32_t nlead = 0, used = 0, batch = 0;
  for (; nlead < whole.rank && (nlead < t->subs.n || used < n); nlead++) {
    const ast_expr *sub = nlead < t->subs.n ? t->subs.items[nlead] : NULL;
    if (!sub || sub->kind == EXPR_ALL) {
      lead[nlead] = lower_index_at(l, idx[used++]);
    } else if (sub->kind == EXPR_RANGE) {
      const lower_slice cut = lower_slice_of(l, sub, whole.dim[nlead]);
      lead[nlead] = lower_slice_at(l, &cut, idx[used++]);
    } else {
      lead[nlead] = lower_index(l, sub, whole.dim[nlead]);
      continue;
    }
    batch++;
  }
  const uint32_t rest = whole.rank - nlead, all = batch + rest;
  ir_val at[IR_MAX_RANK], v;
  memcpy(at, idx, batch * sizeof *at);
  lower_box box = {0};
  if (rest) box = lower_box_begin(l, rest, whole.dim + nlead);
  memcpy(at + batch, box.idx, rest * sizeof *at);
  v = lower_convert(l, rank ? lower_elem(l, e, rank, at + (all - rank)) : lower_scalar(l, e), elem);
  if (rest) {
    lower_box_end(l, &box);
    v = ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, v);
  }
  lower_define(l, t->name.sym, nlead, lead, v);
}

typedef struct block_body {
  const ast_block *block;
} block_body;

static void run_block(lower *l, void *user) { lower_block(l, ((block_body *)user)->block); }

/* What may stand under `if`: what is drawn there is not (the checker refuses it). */
static bool draws_nothing(const lower *l, const ast_block *b) {
  for (size_t k = 0; k < b->n; k++) {
    const ast_stmt *s = b->items[k];
    switch (s->kind) {
    case STMT_FACTOR:
    case STMT_RETURN:
    case STMT_LET: break;
    case STMT_SAMPLE:
      if (lower_is_drawn(l, s->sample.target.name.sym)) return false; /* data may be drawn in order: it has a value in either branch */
      break;
    case STMT_GROUP:
      if (!draws_nothing(l, s->group.body)) return false;
      break;
    case STMT_PLATE:
      if (!draws_nothing(l, s->plate.body)) return false;
      break;
    case STMT_FOR:
      if (!draws_nothing(l, s->for_.body)) return false;
      break;
    case STMT_IF:
      if (!draws_nothing(l, s->if_.then) || (s->if_.else_ && !draws_nothing(l, s->if_.else_))) return false;
      break;
    default: return false;
    }
  }
  return true;
}

static void branch(lower *l, const ast_stmt *s) {
  if (!draws_nothing(l, s->if_.then) || (s->if_.else_ && !draws_nothing(l, s->if_.else_))) {
    lower_refuse(l, s->at, "this statement under `if`");
    return;
  }
  ir_val cond = lower_scalar_as(l, s->if_.cond, IR_BOOL);
  lower_join join = lower_join_begin(l, s->if_.then, s->if_.else_);
  ir_op *op = ir_if_begin(&l->b, cond);
  ir_builder outer = l->b;
  ir_val returned[2] = {0};
  for (int k = 0; k < 2; k++) {
    if (k == 1) lower_join_turn(&join);
    const ast_block *b = k == 0 ? s->if_.then : s->if_.else_;
    if (!b) continue;
    size_t binds = l->nbind, mark = lower_mark(l);
    l->b = ir_builder_in(&outer, k == 0 ? &op->u.branch->then_ : &op->u.branch->else_);
    lower_block(l, b);
    returned[k] = l->ret;
    l->ret = 0;
    l->nbind = binds;
    lower_forget(l, mark);
  }
  l->b = outer;
  if (returned[0] && returned[1]) l->ret = ir_if_out(l->fn, op, returned[0], returned[1]);
  lower_join_end(l, &join, op);
}

static ir_val sum_all(lower *l, const ast_expr *e) {
  const ty_info *t = ty_of(e);
  if (t->rank == 0) return lower_scalar_as(l, e, IR_REAL);
  ir_type a = lower_type(l, t);
  size_t mark = lower_mark(l);
  lower_prepare(l, e);
  lower_box box = lower_box_begin(l, a.rank, a.dim);
  ir_val v = lower_convert(l, lower_elem(l, e, a.rank, box.idx), IR_REAL);
  lower_box_end(l, &box);
  lower_forget(l, mark);
  return ir_loop_out(l->fn, box.op, IR_SUM, 0, NULL, v);
}

static void track(lower *l, const ast_stmt *s) {
  if (l->b.block->owner) {
    if (lower_refuse(l, s->at, "`track` inside a loop") || l->p->diags->n == 0) return;
    diag_help(l->p->diags, l->p->diags->items[l->p->diags->n - 1], "define it by elements and save the array behind the loop: `let mu[i] = ...` in it, `track mu` below");
    return;
  }
  for (size_t k = 0; k < s->track.items.n; k++) {
    const ast_arg *a = &s->track.items.items[k];
    const char *name = a->name.name;
    if (!name && a->value->kind == EXPR_NAME) name = a->value->name.name;
    if (!name) name = ast_expr_text(l->mem, a->value);
    const ty_info *t = ty_of(a->value);
    ir_val v = t->rank ? lower_array(l, a->value) : lower_scalar(l, a->value);
    ir_track(&l->b, name, v);
  }
}

static void loop(lower *l, const ast_stmt *s, size_t open) {
  const bool plate = s->kind == STMT_PLATE;
  const ast_block *inside = plate ? s->plate.body : s->for_.body;
  block_body body = {inside};
  if (!plate && s->for_.until) lower_refuse(l, s->at, "`until` in a `for`");
  else lower_ranges(l, plate ? &s->plate.iter : &s->for_.iter, open, !plate, inside, NULL, run_block, &body);
}

static void statement(lower *l, const ast_stmt *s) {
  switch (s->kind) {
  case STMT_LET: let(l, s); break;
  case STMT_SAMPLE: lower_sample(l, s); break;
  case STMT_PLATE:
  case STMT_FOR: loop(l, s, 0); break;
  case STMT_IF: branch(l, s); break;
  case STMT_TRACK:
    if (!lower_serves_replicas(l)) track(l, s);
    break;
  case STMT_PREDICT: {
    if (lower_serves_replicas(l)) break;
    const bool was = l->predicting, arranged = l->arranged;
    l->predicting = true;
    l->arranged = false;
    lower_block(l, s->predict.body);
    l->arranged = arranged;
    l->predicting = was;
    break;
  }
  case STMT_GROUP: lower_block(l, s->group.body); break;
  case STMT_REPLICATE: break; /* done beside the observation */
  case STMT_FACTOR: ir_factor(&l->b, sum_all(l, s->value)); break;
  case STMT_ENERGY: ir_energy(&l->b, sum_all(l, s->value)); break;
  case STMT_RETURN:
    l->ret = ty_of(s->value)->rank ? lower_array_as(l, s->value, l->ret_elem) : lower_scalar_as(l, s->value, l->ret_elem);
    break;
  default: lower_refuse(l, s->at, "this statement");
  }
}

typedef struct scope {
  span where;
  size_t mark;
} scope;

static scope enter(lower *l, const ast_stmt *s) {
  const scope was = {l->b.where, lower_mark(l)};
  l->b.where = s->at;
  return was;
}

static void leave(lower *l, const scope *was) {
  lower_forget(l, was->mark);
  l->b.where = was->where;
}

void lower_statement(lower *l, const ast_stmt *s) {
  const scope was = enter(l, s);
  statement(l, s);
  leave(l, &was);
}

void lower_statement_from(lower *l, const ast_stmt *s, size_t open) {
  const scope was = enter(l, s);
  if (s->kind == STMT_SAMPLE) lower_sample_from(l, s, open);
  else loop(l, s, open);
  leave(l, &was);
}

void lower_statement_at(lower *l, const ast_stmt *s, uint32_t n, const ir_val *idx) {
  const scope was = enter(l, s);
  if (s->kind == STMT_SAMPLE) lower_sample_at(l, s, n, idx);
  else let_at(l, s, n, idx);
  leave(l, &was);
}

void lower_block(lower *l, const ast_block *block) {
  if (l->arranged) lower_arranged(l, block);
  for (size_t k = 0; k < block->n && !l->refused && !l->arranged; k++) lower_statement(l, block->items[k]);
}
