/* lower.c: the entry of the lowering, bindings, sizes and types. */
#include "compiler/lower_internal.h"

#include <string.h>

binding *lower_find(lower *l, const symbol *s) {
  size_t k = (size_t)(uintptr_t)ptr_map_get(&l->bind_at, s), was = k;
  if (k > l->nbind) k = l->nbind;
  while (k && l->bind[k - 1].sym != s) k--;
  if (k != was) ptr_map_put(&l->bind_at, s, (void *)(uintptr_t)k);
  return k ? &l->bind[k - 1] : NULL;
}

binding *lower_push(lower *l, symbol *s, bind_kind kind) {
  binding b = {.sym = s, .kind = kind, .sign = 1};
  ARENA_PUSH(l->mem, l->bind, l->nbind, l->cap_bind, b);
  ptr_map_put(&l->bind_at, s, (void *)(uintptr_t)l->nbind);
  return &l->bind[l->nbind - 1];
}

void lower_bind(lower *l, symbol *s, ir_val v) { lower_push(l, s, BIND_VALUE)->v = v; }

ir_size lower_size(lower *l, ir_size s) {
  return l->sizes.n ? size_substitute(l->m->sizes, s, l->sizes.n, l->sizes.from, l->sizes.to) : s;
}

ir_elem lower_elem_kind(const ty_info *t) {
  return t->kind == TY_REAL ? IR_REAL : t->kind == TY_BOOL ? IR_BOOL : IR_INT;
}

ir_type lower_type(lower *l, const ty_info *t) {
  ir_type r = ir_scalar(lower_elem_kind(t));
  r.rank = t->rank;
  for (int k = 0; k < t->rank; k++) r.dim[k] = lower_size(l, t->dim[k]);
  return r;
}

ir_val lower_convert(lower *l, ir_val v, ir_elem to) {
  ir_type t = ir_type_of(l->fn, v);
  if (t.elem == to) return v;
  if (t.rank) {
    lower_box box = lower_box_begin(l, t.rank, t.dim);
    ir_axes axes = {.n = t.rank};
    memcpy(axes.at, box.idx, sizeof axes.at);
    ir_val x = lower_convert(l, ir_at(&l->b, v, axes), to);
    lower_box_end(l, &box);
    return ir_loop_out(l->fn, box.op, IR_STACK, 0, NULL, x);
  }
  if (t.elem == IR_BOOL) v = ir_op1(&l->b, IR_BOOL_INT_OP, v);
  if (to == IR_REAL) return ir_op1(&l->b, IR_TO_REAL_OP, v);
  if (to == IR_BOOL) return ir_op2(&l->b, IR_NE_OP, v, ir_int(&l->b, 0));
  return v;
}

bool lower_refuse(lower *l, span at, const char *what) {
  if (!l->refused) {
    diag *d = diag_add(l->p->diags, DIAG_ERROR, "E0901", at, "%s is not available yet", what);
    diag_say(l->p->diags, d, "parsed and checked, but this version cannot run it");
  }
  l->refused = true;
  return false;
}

bool lower_is_drawn(const lower *l, const symbol *s) {
  return s->kind == SYM_PREDICT || (s->kind == SYM_LATENT && !(s->site && l->given && l->given[s->site - 1]));
}

bool lower_in_order(const lower *l, const symbol *s) {
  return l->model && s->site && l->ordered && (l->ordered[s->site - 1] || l->gap[s->site - 1].slot);
}

/* The size an int expression stands for: built from literals, extents and loop-free arithmetic on them. */
bool lower_expr_size(lower *l, const ast_expr *e, ir_size *s) {
  size_table *t = l->m->sizes;
  switch (e->kind) {
  case EXPR_INT:
    *s = size_const(t, e->integer.value);
    return true;
  case EXPR_NAME:
    if (!e->name.sym || e->name.sym->size == IR_SIZE_NONE) return false;
    *s = lower_size(l, e->name.sym->size);
    /* A function's int that this call gave a value which is no size. */
    return *s != e->name.sym->size || !lower_find(l, e->name.sym);
  case EXPR_STRING:
    *s = lower_size(l, e->string.level->size);
    return true;
  case EXPR_UNARY: {
    ir_size a;
    if (e->unary.op != OP_NEG || !lower_expr_size(l, e->unary.arg, &a)) return false;
    *s = size_sub(t, size_const(t, 0), a);
    return true;
  }
  case EXPR_BINARY: {
    ir_size a, b;
    int64_t n;
    if (!lower_expr_size(l, e->binary.lhs, &a) || !lower_expr_size(l, e->binary.rhs, &b)) return false;
    switch (e->binary.op) {
    case OP_ADD: *s = size_add(t, a, b); return true;
    case OP_SUB: *s = size_sub(t, a, b); return true;
    case OP_MUL: *s = size_mul(t, a, b); return true;
    case OP_FLOORDIV:
      if (!size_is_const(t, b, &n) || n <= 0) return false;
      *s = size_div(t, a, b);
      return true;
    case OP_MOD:
      if (!size_is_const(t, b, &n) || n <= 0) return false;
      *s = size_mod(t, a, b);
      return true;
    default: return false;
    }
  }
  default: return false;
  }
}

static void add_size(lower *l, ir_size from, ir_size to) {
  for (size_t k = 0; k < l->sizes.n; k++)
    if (l->sizes.from[k] == from) return;
  size_t cap = l->sizes.cap;
  l->sizes.from = arena_grow(l->mem, l->sizes.from, &cap, l->sizes.n + 1, sizeof *l->sizes.from);
  cap = l->sizes.cap;
  l->sizes.to = arena_grow(l->mem, l->sizes.to, &cap, l->sizes.n + 1, sizeof *l->sizes.to);
  l->sizes.cap = cap;
  l->sizes.from[l->sizes.n] = from;
  l->sizes.to[l->sizes.n++] = to;
}

/* Formal extents are a symbol plus a constant at most: M, M + 1, K - 1. */
void lower_unify(lower *l, const ty_info *formal, ir_type actual) {
  size_table *t = l->m->sizes;
  for (int k = 0; k < formal->rank && k < actual.rank; k++) {
    ir_size f = formal->dim[k];
    for (size_t s = 0; s < size_symbol_count(t); s++) {
      ir_size symbol = size_symbol_at(t, s);
      int64_t c;
      ir_size rest = size_sub(t, f, symbol);
      if (size_is_const(t, rest, &c)) {
        add_size(l, symbol, size_sub(t, actual.dim[k], rest));
        break;
      }
    }
  }
}

void lower_unify_int(lower *l, symbol *param, ir_size n) {
  if (param->size != IR_SIZE_NONE && n != IR_SIZE_NONE) add_size(l, param->size, n);
}

void lower_enter(lower *l, ir_fn *fn, lower_saved *s) {
  s->was = *l;
  l->fn = fn;
  l->b = ir_builder_at_end(fn, &fn->body);
  l->b.where = s->was.b.where;
  l->model = NULL;
  l->bind = NULL;
  l->nbind = l->cap_bind = 0;
  ptr_map_init(&l->bind_at, l->mem);
  l->memo = NULL;
  l->nmemo = l->cap_memo = 0;
  memset(&l->sizes, 0, sizeof l->sizes);
  l->key = l->index = 0;
  l->draws = 0;
  l->ret = 0;
  l->arranged = false;
}

void lower_leave(lower *l, const lower_saved *s) {
  const bool refused = l->refused;
  const lower_ahead ahead = l->ahead;
  *l = s->was;
  l->refused = refused;
  l->ahead = ahead;
}

void lower_init(lower *l, check_program *p, ir_module *m, const lower_options *options) {
  memset(l, 0, sizeof *l);
  l->p = p;
  l->m = m;
  l->mem = m->mem;
  l->options = options;
  ptr_map_init(&l->bind_at, l->mem);
}

static ir_support site_support_of(const ty_info *t) { return (ir_support)t->support; }

static void make_sites(lower *l, const check_model *model) {
  size_t n = model->nsites;
  l->site = ARENA_ARRAY(l->mem, ir_site *, n + 1);
  l->given = ARENA_ARRAY(l->mem, bool, n + 1);
  l->replica = ARENA_ARRAY(l->mem, symbol *, n + 1);
  l->replica_site = ARENA_ARRAY(l->mem, ir_site *, n + 1);
  l->ordered = ARENA_ARRAY(l->mem, ir_site *, n + 1);
  l->gap = ARENA_ARRAY(l->mem, lower_gap, n + 1);
  for (size_t k = 0; k < n; k++) {
    const check_site *s = &model->sites[k];
    /* A forecast continues an array of the same name; what is reported has both, under a name of its own. */
    const char *name = check_continued(s->sym) ? arena_printf(l->mem, "%s_forecast", s->sym->name) : s->sym->name;
    l->given[k] = s->role == IR_LATENT && l->options && l->options->fixed && l->options->fixed(l->options->user, name);
    if (l->given[k]) lower_bind(l, s->sym, ir_param_add(l->fn, IR_ROLE_DATA, name, lower_type(l, s->type)));
    ir_site_role role = l->given[k] ? IR_OBSERVED : s->role;
    l->site[k] = ir_site_new(l->fn, name, role, site_support_of(s->type), lower_type(l, s->type), s->type->event_rank);
    l->site[k]->where = s->at;
    l->site[k]->given = l->given[k];
  }
}

/* An array like that of an observed site, which is drawn. */
symbol *lower_drawn_like(lower *l, uint32_t number, const char *name, span at, ir_site **site) {
  const check_site *from = &l->model->sites[number];
  const ir_site *y = l->site[number];
  symbol *r = ARENA_NEW(l->mem, symbol);
  *r = *from->sym;
  r->kind = SYM_PREDICT;
  r->name = name;
  ir_type type = y->type;
  ir_support support = (ir_support)y->support;
  if (from->as_real) {
    ty_info *real = ARENA_NEW(l->mem, ty_info);
    *real = (ty_info){.kind = TY_REAL, .rank = r->type->rank, .support = IR_SUP_REAL, .count = IR_SIZE_NONE};
    memcpy(real->dim, r->type->dim, sizeof real->dim);
    r->type = real;
    type.elem = IR_REAL;
    support = IR_SUP_REAL;
  }
  *site = ir_site_new(l->fn, name, IR_PREDICTED, support, type, y->event_rank);
  (*site)->where = at;
  return r;
}

/* `predict y`: y_rep is a site beside y.  Where it is drawn in order, the model has it for the number alone, which is that of its draws. */
static void find_replicas(lower *l, const ast_block *body) {
  const lower_options *o = l->options;
  for (size_t k = 0; k < body->n; k++) {
    const ast_stmt *s = body->items[k];
    if (s->kind == STMT_GROUP) find_replicas(l, s->group.body);
    if (s->kind != STMT_REPLICATE || !s->replicate.sym || !s->replicate.sym->site) continue;
    uint32_t site = s->replicate.sym->site - 1;
    if (l->replica_site[site]) continue;
    symbol *rep = lower_drawn_like(l, site, arena_printf(l->mem, "%s_rep", l->site[site]->name), s->at, &l->replica_site[site]);
    l->replica_site[site]->replica = true;
    const bool in_order = o && o->in_order && o->in_order[site];
    if (o && o->order == ORDER_REPLICAS) l->ordered[site] = in_order ? l->replica_site[site] : NULL;
    else if (!in_order) l->replica[site] = rep;
  }
}

static void replicate_all(lower *l) {
  for (uint32_t k = 0; k < l->model->nsites; k++) {
    if (l->model->sites[k].role != IR_OBSERVED) continue;
    const char *name = arena_printf(l->mem, "%s.rep", l->site[k]->name);
    symbol *rep = lower_drawn_like(l, k, name, l->model->sites[k].at, &l->replica_site[k]);
    l->replica_site[k]->replica = true;
    if (l->options->order == ORDER_DATA) {
      l->ordered[k] = l->replica_site[k];
      l->ordered[k]->role = IR_LATENT;
      l->ordered[k]->gathered = true;
    } else {
      l->replica[k] = rep;
    }
  }
}

/* Predicted arrays are reported like tracked ones, by their sites' names; and a latent that stands for observed data has its value so. */
static void track_predicted(lower *l, const check_model *model) {
  for (size_t k = 0; k < model->nsites; k++) {
    const bool predicted = model->sites[k].role == IR_PREDICTED;
    const ir_site *site = predicted ? l->site[k] : l->replica_site[k];
    const symbol *s = predicted ? lower_serves_replicas(l) ? NULL : model->sites[k].sym : l->ordered[k] ? model->sites[k].sym : l->replica[k];
    if (!s) continue;
    l->b.where = site->where;
    ir_track(&l->b, site->name, lower_read_all(l, s));
  }
}

void lower_signature(lower *l, const check_model *model) {
  const lower_options *o = l->options;
  for (size_t k = 0; k < model->ndata; k++) {
    symbol *s = model->data[k];
    if (s->size != IR_SIZE_NONE && s->type->rank == 0) continue; /* a number known once data is bound */
    const ast_expr *e = s->param ? s->param->default_ : NULL;
    if (!e || !o || !o->given || o->given(o->user, s->name)) {
      lower_bind(l, s, ir_param_add(l->fn, IR_ROLE_DATA, s->name, lower_type(l, s->type)));
      continue;
    }
    l->b.where = e->at;
    lower_bind(l, s, lower_broadcast(l, e, s->type));
    lower_forget(l, 0);
  }
}

/* Some read may come before what it reads is drawn. */
static bool is_early(const lower *l) {
  for (size_t k = 0; k < l->model->nsites; k++)
    if (l->model->sites[k].sym->early.n && lower_in_order(l, l->model->sites[k].sym)) return true;
  return false;
}

ir_fn *lower_model(check_program *p, ir_module *m, const check_model *model, const lower_options *options) {
  lower l;
  lower_init(&l, p, m, options);
  l.fn = ir_fn_new(m, lower_serves_replicas(&l) ? arena_printf(m->mem, "%s.replicas", model->sym->name) : model->sym->name, true);
  l.b = ir_builder_at_end(l.fn, &l.fn->body);
  l.model = model;
  lower_signature(&l, model);
  make_sites(&l, model);
  if (options && (options->replicate || options->order == ORDER_DATA)) replicate_all(&l);
  else find_replicas(&l, model->decl->body);
  lower_gaps_begin(&l);
  l.arranged = is_early(&l);
  lower_block(&l, model->decl->body);
  if (!l.refused) track_predicted(&l, model);
  if (!l.refused && !lower_serves_replicas(&l)) lower_gaps_end(&l);
  if (!l.refused) return l.fn;
  if (l.ahead.at && options->ahead) *options->ahead = l.ahead;
  if (l.ahead.at) ir_fn_remove(m, l.fn);
  return NULL;
}

ir_fn *lower_bijector(check_program *p, ir_module *m, ir_support support, bool lower_bound, ir_type point) {
  static const char *const names[] = {
      [IR_SUP_SIMPLEX] = "simplex",           [IR_SUP_ORDERED] = "ordered", [IR_SUP_UNIT_VECTOR] = "unit_vector",
      [IR_SUP_COV] = "cov",                   [IR_SUP_CORR] = "corr",       [IR_SUP_CHOLESKY_COV] = "cholesky_cov",
      [IR_SUP_CHOLESKY_CORR] = "cholesky_corr", [IR_SUP_SUM_TO_ZERO] = "sum_to_zero"};
  const char *base = lower_bound ? "ordered_lower" : names[support];
  size_table *t = m->sizes;
  ir_size K = point.dim[0], one = size_const(t, 1), two = size_const(t, 2), n;
  switch (support) {
  case IR_SUP_SIMPLEX:
  case IR_SUP_SUM_TO_ZERO: n = size_sub(t, K, one); break;
  case IR_SUP_COV:
  case IR_SUP_CHOLESKY_COV: n = size_div(t, size_mul(t, K, size_add(t, K, one)), two); break;
  case IR_SUP_CORR:
  case IR_SUP_CHOLESKY_CORR: n = size_div(t, size_mul(t, K, size_sub(t, K, one)), two); break;
  default: n = K;
  }
  strbuf name;
  strbuf_init(&name, m->mem);
  strbuf_printf(&name, "%s.", base);
  size_print(t, K, &name);
  ir_fn *fn = ir_fn_find(m, name.s);
  if (fn) return fn;

  lower l;
  lower_init(&l, p, m, NULL);
  l.fn = fn = ir_fn_new(m, name.s, false);
  l.b = ir_builder_at_end(fn, &fn->body);
  ir_val u = ir_param_add(fn, IR_ROLE_PLAIN, "u", ir_array(IR_REAL, 1, &n));
  ir_val lo = lower_bound ? ir_param_add(fn, IR_ROLE_PLAIN, "lo", ir_scalar(IR_REAL)) : 0;
  ir_val out[2] = {0, 0};
  for (int part = 0; part < 2; part++) {
    symbol *s = check_library(p, arena_printf(m->mem, "%s_%s", base, part == 0 ? "constrain" : "log_jacobian"));
    ast_params *formal = &s->decl->params;
    memset(&l.sizes, 0, sizeof l.sizes);
    for (size_t k = 0; k < formal->n; k++) {
      symbol *f = formal->items[k].name.sym;
      ir_val actual = k == 0 ? u : part == 1 ? out[0] : lower_bound ? lo : ir_size_val(&l.b, K);
      lower_unify(&l, f->type, ir_type_of(fn, actual));
      lower_unify_int(&l, f, ir_size_of(fn, actual));
      lower_bind(&l, f, actual);
    }
    if (s->decl->value) {
      out[part] = ty_of(s->decl->value)->rank ? lower_array_as(&l, s->decl->value, IR_REAL)
                                              : lower_scalar_as(&l, s->decl->value, IR_REAL);
    } else {
      lower_block(&l, s->decl->body);
      out[part] = lower_convert(&l, l.ret, IR_REAL);
    }
    lower_forget(&l, 0);
  }
  ir_return(fn, 2, out);
  return fn;
}
