/* check.c: the entry of the checker, the declarations of a program, and the queries of later phases.
 *
 * A construct inside a model that the compiler could only get wrong by leaving it out is the error E0690. */
#include "compiler/check_state.h"

#include "compiler/import.h"
#include "compiler/memo.h"
#include "compiler/prelude.h"
#include "compiler/schedule.h"
#include "lang/parse.h"

#include <string.h>

symbol *sym_new(check_state *st, sym_kind kind, const char *name, span at) {
  sym_info *s = ARENA_NEW(st->p->mem, sym_info);
  s->pub.kind = (uint8_t)kind;
  s->pub.name = name;
  s->pub.at = at;
  s->pub.builtin = -1;
  return &s->pub;
}

void ctx_init(ctx *c, check_state *st, ctx_kind kind, symbol *owner) {
  *c = (ctx){.st = st, .p = st->p, .a = st->p->mem, .kind = kind, .owner = owner};
  c->library = owner && sym_of(owner)->library;
  ptr_map_init(&c->names, c->a);
  ptr_map_init(&c->gone, c->a);
  ptr_map_init(&c->later, c->a);
  ptr_map_init(&c->arrays, c->a);
  ptr_map_init(&c->draws, c->a);
  ptr_map_init(&c->tracks, c->a);
}

void callee_used(ctx *c, symbol *callee, span at) {
  check_state *st = c->st;
  sym_info *s = sym_of(callee);
  if (!s->queued) {
    s->queued = true;
    ARENA_PUSH(c->a, st->queue, st->nqueue, st->cap_queue, callee);
  }
  if (!c->owner || (c->owner->kind != SYM_FN && c->owner->kind != SYM_DIST)) return;
  sym_info *o = sym_of(c->owner);
  size_t n = o->ncallees;
  ARENA_PUSH(c->a, o->call_at, n, o->cap_call_at, at);
  ARENA_PUSH(c->a, o->callees, o->ncallees, o->cap_callees, callee);
}

/* --- signatures */

static symbol *param_symbol(ctx *c, ast_param *p, sym_kind kind) {
  symbol *s = sym_new(c->st, kind, p->name.name, p->name.at);
  s->param = p;
  p->name.sym = s;
  const ast_type *t = p->type;
  if (t && t->kind == TYPE_NAMED && strcmp(t->name.name, "int") == 0 && t->dims.n == 0)
    s->size = size_symbol(c->p->sizes, p->name.name);
  else if (!t && p->default_ && p->default_->kind == EXPR_INT) s->size = size_symbol(c->p->sizes, p->name.name);
  return s;
}

/* Types and defaults of parameters that are in scope already. */
static void check_params(ctx *c, symbol **params, size_t n) {
  for (size_t i = 0; i < n; i++) type_mark_sizes(c, params[i]->param->type);
  bool sizes = c->auto_sizes;
  c->auto_sizes = false;
  /* Scalars first, which may be extents and levels of the others; then those; then once more what has bounds, which may name any. */
  for (int phase = 0; phase < 3; phase++)
    for (size_t i = 0; i < n; i++) {
      symbol *s = params[i];
      ast_type *t = s->param->type;
      if (phase == 2 ? !t || !t->bounds.n || ty_is_error(s->type) : phase != (t && (t->args.n || t->dims.n))) continue;
      if (t && t->bounds.n && phase < 2) {
        size_t bounds = t->bounds.n;
        t->bounds.n = 0;
        s->type = check_type(c, t);
        t->bounds.n = bounds;
      } else if (t) s->type = check_type(c, t);
      else if (s->param->default_) s->type = ty_scalar(c->st, s->param->default_->kind == EXPR_INT ? TY_INT : TY_REAL);
      else {
        if (s->name[0]) {
          diag *d = cx_error(c, "E0416", s->at, "`%s` has no type", s->name);
          cx_help(c, d, "write `%s: real`, or `%s: real[N]` for an array", s->name, s->name);
        }
        s->type = ty_scalar(c->st, TY_ERROR);
      }
    }
  for (size_t i = 0; i < n; i++) {
    ast_expr *e = params[i]->param->default_;
    if (!e) continue;
    const ty_info *t = check_expr(c, e), *want = params[i]->type;
    if (ty_is_error(t) || ty_is_error(want)) continue;
    ty_info both;
    if (!ty_is_value(t) || !shape_broadcast(want, t, &both) || t->rank > want->rank || ty_join(want->kind, t->kind) != want->kind) {
      diag *d = cx_error(c, "E0511", e->at, "the default of `%s` is %s", params[i]->name, ty_print(c->p, t));
      cx_point(c, d, params[i]->at, "declared as %s", ty_print(c->p, want));
    }
  }
  c->auto_sizes = sizes;
}

signature *signature_of(check_state *st, symbol *s) {
  sym_info *x = sym_of(s);
  if (x->sig) return x->sig_busy ? NULL : x->sig;
  ast_decl *d = s->decl;
  signature *sig = x->sig = ARENA_NEW(st->p->mem, signature);
  x->sig_busy = true;
  ctx c;
  ctx_init(&c, st, s->kind == SYM_FN ? CTX_FN : CTX_DIST, s);
  c.auto_sizes = true;
  sig->params = ARENA_ARRAY(c.a, symbol *, d->params.n);
  for (size_t i = 0; i < d->params.n; i++) {
    sig->params[sig->n] = param_symbol(&c, &d->params.items[i], SYM_PARAM);
    value_add(&c, sig->params[sig->n++]);
  }
  check_params(&c, sig->params, sig->n);
  bool scalars = sig->n > 0;
  for (size_t i = 0; i < sig->n; i++) scalars = scalars && sig->params[i]->type->rank == 0;
  /* What a distribution draws may have sizes of its own, which follow from what is drawn. */
  c.auto_sizes = s->kind == SYM_DIST;
  type_mark_sizes(&c, d->type);
  c.auto_sizes = false;
  if (s->kind == SYM_FN) {
    if (!d->type) {
      diag *g = cx_error(&c, "E0416", d->name.at, "function `%s` does not say what it returns", s->name);
      cx_help(&c, g, "write the type behind the parentheses: `fn %s(...): real = ...`", s->name);
    }
    sig->result = d->type ? check_type(&c, d->type) : ty_scalar(st, TY_ERROR);
    sig->lifts = scalars && sig->result->rank == 0;
  } else {
    sig->result = d->type ? check_type(&c, d->type) : ty_scalar(st, TY_ERROR);
  }
  x->sig_busy = false;
  return sig;
}

void model_signature(ctx *c) {
  ast_decl *d = c->owner->decl;
  check_model *m = c->model;
  c->auto_sizes = true;
  m->data = ARENA_ARRAY(c->a, symbol *, d->params.n);
  for (size_t i = 0; i < d->params.n; i++) {
    m->data[m->ndata] = param_symbol(c, &d->params.items[i], SYM_DATA);
    value_add(c, m->data[m->ndata++]);
  }
  check_params(c, m->data, m->ndata);
  c->auto_sizes = false;
}

void signature_enter(ctx *c, const signature *sig) {
  for (size_t i = 0; i < sig->nsizes; i++) value_hide(c, sig->sizes[i]);
  for (size_t i = 0; i < sig->n; i++) value_hide(c, sig->params[i]);
}

/* --- declarations */

static void declare(check_state *st, ast_decl *d, bool library) {
  sym_kind kind;
  switch (d->kind) {
  case DECL_MODEL: kind = SYM_MODEL; break;
  case DECL_FN: kind = SYM_FN; break;
  case DECL_DIST: kind = SYM_DIST; break;
  case DECL_AGENT: case DECL_WORLD: kind = SYM_OTHER; break;
  case DECL_SCHEDULE: schedule_declare(st->p, d, library); return;
  default: return;
  }
  if (name_missing(&d->name)) return;
  symbol *s = sym_new(st, kind, d->name.name, d->name.at);
  s->decl = d;
  sym_of(s)->library = library;
  d->name.sym = s;
  if (d->memo.file) d->memo_size = memo_size(st->p->diags, d);
  ptr_map *map = library ? &st->library : &st->user;
  symbol *before = ptr_map_get(map, s->name);
  ctx c;
  ctx_init(&c, st, CTX_RUN, NULL);
  if (!library) ARENA_PUSH(st->p->mem, st->decls, st->ndecls, st->cap_decls, s);
  if (before && before->kind == SYM_DIST && kind == SYM_DIST) {
    size_t n = before->decl->params.n;
    bool same = n == d->params.n;
    for (size_t i = 0; i < n && same; i++) same = before->decl->params.items[i].name.name == d->params.items[i].name.name;
    if (!same) {
      symbol *last = before;
      while (last->next_overload) last = last->next_overload;
      last->next_overload = s;
      return;
    }
    diag *g = cx_error(&c, "E0402", s->at, "`%s` with these parameters is declared twice", s->name);
    cx_point(&c, g, before->at, "first here");
    cx_help(&c, g, "overloads of a distribution differ in the names of their parameters");
    return;
  }
  if (before) {
    diag *g = cx_error(&c, "E0402", s->at, "`%s` is declared twice", s->name);
    cx_point(&c, g, before->at, "first here, as %s", sym_noun(before));
    return;
  }
  if (!library && kind == SYM_FN && ptr_map_get(&st->builtins, s->name)) {
    diag *g = cx_error(&c, "E0402", s->at, "`%s` is a function of the language", s->name);
    cx_help(&c, g, "choose another name");
    return;
  }
  ptr_map_put(map, s->name, s);
}

/* A chain of calls that comes back to where it started.  Functions whose callees are all done are taken away until none is left;
 * what remains is on a cycle or calls one. */
static void check_recursion(check_state *st) {
  size_t n = st->nqueue, left = n;
  size_t *waits = ARENA_ARRAY(st->p->mem, size_t, n), *order = ARENA_ARRAY(st->p->mem, size_t, n);
  size_t *head = ARENA_ARRAY(st->p->mem, size_t, n), edges = 0;
  for (size_t i = 0; i < n; i++) sym_of(st->queue[i])->mark = i, edges += sym_of(st->queue[i])->ncallees;
  size_t *next = ARENA_ARRAY(st->p->mem, size_t, edges + 1), *from = ARENA_ARRAY(st->p->mem, size_t, edges + 1), e = 0;
  for (size_t i = 0; i < n; i++) {
    const sym_info *s = sym_of(st->queue[i]);
    waits[i] = s->ncallees;
    for (size_t k = 0; k < s->ncallees; k++) {
      size_t to = sym_of(s->callees[k])->mark;
      from[++e] = i;
      next[e] = head[to];
      head[to] = e;
    }
  }
  size_t ready = 0, done = 0;
  for (size_t i = 0; i < n; i++)
    if (waits[i] == 0) order[ready++] = i;
  while (done < ready) {
    for (size_t k = head[order[done]]; k; k = next[k])
      if (--waits[from[k]] == 0) order[ready++] = from[k];
    done++;
    left--;
  }
  if (left == 0) return;
  /* From any that is left, following what is left must come to one twice: that one is on a cycle. */
  size_t i = 0;
  while (waits[i] == 0) i++;
  bool *seen = ARENA_ARRAY(st->p->mem, bool, n);
  while (!seen[i]) {
    seen[i] = true;
    const sym_info *s = sym_of(st->queue[i]);
    for (size_t k = 0; k < s->ncallees; k++)
      if (waits[sym_of(s->callees[k])->mark] > 0) {
        i = sym_of(s->callees[k])->mark;
        break;
      }
  }
  ctx c;
  ctx_init(&c, st, CTX_RUN, NULL);
  symbol *f = st->queue[i];
  diag *d = NULL;
  size_t start = i;
  do {
    const sym_info *s = sym_of(st->queue[i]);
    size_t k = 0;
    while (waits[sym_of(s->callees[k])->mark] == 0) k++;
    if (!d) {
      d = cx_error(&c, "E0415", s->call_at[k], "`%s` calls itself%s", f->name, s->callees[k] == f ? "" : " through others");
      cx_point(&c, d, f->at, "`%s` is declared here", f->name);
    } else cx_point(&c, d, s->call_at[k], "`%s` calls `%s`", s->pub.name, s->callees[k]->name);
    i = sym_of(s->callees[k])->mark;
  } while (i != start && d->nlabels < 6);
  cx_help(&c, d, "there is no recursion: build the steps as an array with `for` and indexed `let`s");
}

static void run_queue(check_state *st) {
  while (st->done < st->nqueue) {
    symbol *s = st->queue[st->done++];
    if (s->kind == SYM_FN) check_fn_body(st, s);
    else check_dist_body(st, s);
  }
}

/* Parses and enters what the library calls `name`: its schedules, or all else. */
static void library_load(check_state *st, const char *name, bool schedules) {
  size_t lo = 0, hi = aim_prelude_count;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (strcmp(aim_prelude[mid].name, name) < 0) lo = mid + 1;
    else hi = mid;
  }
  check_program *p = st->p;
  for (size_t i = lo; i < aim_prelude_count && strcmp(aim_prelude[i].name, name) == 0; i++) {
    if ((aim_prelude[i].kind == PRELUDE_SCHEDULE) != schedules) continue;
    int id = source_add(p->sources, aim_prelude[i].file, aim_prelude[i].text, aim_prelude[i].len);
    if (!id) continue;
    ast_file *f = parse_file(p->mem, p->names, p->sources, id, p->diags);
    for (size_t k = 0; k < f->n; k++) declare(st, f->items[k], true);
  }
}

symbol *library_find(check_state *st, const char *name) {
  symbol *s = ptr_map_get(&st->library, name);
  if (!s) library_load(st, name, false);
  return s ? s : ptr_map_get(&st->library, name);
}

symbol *schedule_find(check_state *st, const char *name) {
  symbol *s = ptr_map_get(&st->schedules, name);
  if (!s) library_load(st, name, true);
  return s ? s : ptr_map_get(&st->schedules, name);
}

static void state_init(check_program *p) {
  check_state *st = ARENA_NEW(p->mem, check_state);
  p->state = st;
  st->p = p;
  ptr_map_init(&st->user, p->mem);
  ptr_map_init(&st->library, p->mem);
  ptr_map_init(&st->schedules, p->mem);
  ptr_map_init(&st->builtins, p->mem);
  ptr_map_init(&st->calls, p->mem);
  ptr_map_init(&st->results, p->mem);
  for (int k = 0; k <= TY_NONE; k++) {
    st->scalars[k].kind = (uint8_t)k;
    st->scalars[k].support = k == TY_INT ? IR_SUP_INT : k == TY_BOOL ? IR_SUP_FINITE : IR_SUP_REAL;
  }
  st->lower = intern(p->names, "lower");
  st->upper = intern(p->names, "upper");
  st->flat = intern(p->names, "Flat");
  st->log_sum_exp = intern(p->names, "log_sum_exp");
  static const char *const names[] = {
#define B(ID, name, kind, op) name,
      BUILTINS(B)
#undef B
  };
  for (int k = 0; k < BUILTIN_COUNT; k++) {
    symbol *s = sym_new(st, SYM_BUILTIN, intern(p->names, names[k]), (span){0});
    s->builtin = k;
    ptr_map_put(&st->builtins, s->name, s);
  }
}

bool check_file(check_program *p) {
  size_t errors = p->diags->errors;
  import_files(p, p->imports);
  bool missing = p->diags->errors > errors;
  if (!p->sizes) p->sizes = size_table_new(p->mem);
  state_init(p);
  check_state *st = p->state;
  st->syntax_errors = p->diags->errors > 0;
  st->names_missing = missing;
  ast_file *f = p->file;
  for (size_t i = 0; i < f->n; i++) declare(st, f->items[i], false);
  for (size_t i = 0; i < f->n; i++) {
    ast_decl *d = f->items[i];
    symbol *s = d->name.sym;
    switch (d->kind) {
    case DECL_MODEL: if (s && !sym_of(s)->model) check_model_body(st, s); break;
    case DECL_FN: case DECL_DIST:
      if (s && !sym_of(s)->queued) {
        sym_of(s)->queued = true;
        ARENA_PUSH(p->mem, st->queue, st->nqueue, st->cap_queue, s);
      }
      break;
    case DECL_AGENT: case DECL_WORLD: if (s) check_agent_body(st, s); break;
    case DECL_SCHEDULE: schedule_check(p, d); break;
    default: break;
    }
    run_queue(st);
  }
  check_recursion(st);
  for (size_t i = 0; i < f->n; i++)
    if (f->items[i]->kind == DECL_RUN) check_run_decl(st, f->items[i]);
  return p->diags->errors == errors;
}

/* --- queries */

check_model *check_model_of(check_program *p, const ast_decl *decl) {
  (void)p;
  return decl->kind == DECL_MODEL && decl->name.sym ? sym_of(decl->name.sym)->model : NULL;
}

check_dist *check_dist_of(check_program *p, const symbol *dist) {
  if (!dist || dist->kind != SYM_DIST) return NULL;
  symbol *s = (symbol *)dist;
  sym_info *x = sym_of(s);
  if (!x->queued) {
    x->queued = true;
    ARENA_PUSH(p->mem, p->state->queue, p->state->nqueue, p->state->cap_queue, s);
  }
  run_queue(p->state);
  return dist_parts(p->state, s);
}

check_call *check_call_of(check_program *p, const ast_expr *call) { return ptr_map_get(&p->state->calls, call); }

symbol *check_continued(const symbol *s) { return sym_of((symbol *)s)->continues; }

/* s, which something outside of its callers uses. */
static symbol *found(check_program *p, symbol *s) {
  if (s && s->kind == SYM_FN) {
    /* A caller of the library from outside, such as the lowering of a support, needs its body checked. */
    signature_of(p->state, s);
    if (!sym_of(s)->queued) {
      sym_of(s)->queued = true;
      ARENA_PUSH(p->mem, p->state->queue, p->state->nqueue, p->state->cap_queue, s);
    }
    run_queue(p->state);
  }
  return s;
}

symbol *check_library(check_program *p, const char *name) { return found(p, library_find(p->state, intern(p->names, name))); }

symbol *check_find(check_program *p, const char *name) {
  name = intern(p->names, name);
  symbol *s = ptr_map_get(&p->state->user, name);
  if (!s) s = library_find(p->state, name);
  if (!s) s = ptr_map_get(&p->state->builtins, name);
  return found(p, s);
}
