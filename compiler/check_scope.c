/* check_scope.c: names in scope, and what to say about one that is not. */
#include "compiler/check_state.h"
#include "compiler/prelude.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool diags_full(const check_state *st) { return st->p->diags->errors >= st->p->diags->max_errors; }

diag *cx_error(ctx *c, const char *code, span at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  char *text = ARENA_ARRAY(c->a, char, (size_t)(n > 0 ? n : 0) + 1);
  vsnprintf(text, (size_t)n + 1, format, again);
  va_end(again);
  va_end(args);
  return diag_add(c->p->diags, DIAG_ERROR, code, at, "%s", text);
}

size_t scope_enter(ctx *c) {
  c->depth++;
  return c->nundo;
}

void scope_leave(ctx *c, size_t mark) {
  /* Arrays that belong further out were declared by their first element in here, and live on. */
  symbol **kept = NULL;
  size_t nkept = 0, cap = 0;
  while (c->nundo > mark) {
    undo_entry *u = &c->undo[--c->nundo];
    symbol *s = ptr_map_put(&c->names, u->name, u->before);
    if (s && s->elementwise && sym_of(s)->home < c->depth) ARENA_PUSH(c->a, kept, nkept, cap, s);
    else if (s && !u->before) ptr_map_put(&c->gone, u->name, s);
  }
  c->depth--;
  while (nkept-- > 0) {
    undo_entry u = {kept[nkept]->name, ptr_map_put(&c->names, kept[nkept]->name, kept[nkept])};
    ARENA_PUSH(c->a, c->undo, c->nundo, c->cap_undo, u);
  }
}

symbol *value_find(const ctx *c, const char *name) {
  symbol *s = ptr_map_get(&c->names, name);
  if (s) sym_of(s)->used = true;
  return s;
}

symbol *callable_find(const ctx *c, const char *name) {
  symbol *s = c->library ? NULL : ptr_map_get(&c->st->user, name);
  if (!s) s = library_find(c->st, name);
  if (!s) s = ptr_map_get(&c->st->builtins, name);
  return s;
}

symbol *callee_find(const ctx *c, const ast_name *fn) {
  if (!fn->library) return callable_find(c, fn->name);
  symbol *s = library_find(c->st, fn->name);
  return s ? s : ptr_map_get(&c->st->builtins, fn->name);
}

void value_hide(ctx *c, symbol *s) {
  undo_entry u = {s->name, ptr_map_put(&c->names, s->name, s)};
  ARENA_PUSH(c->a, c->undo, c->nundo, c->cap_undo, u);
  ARENA_PUSH(c->a, c->all, c->nall, c->cap_all, s);
}

const char *sym_noun(const symbol *s) {
  switch ((sym_kind)s->kind) {
  case SYM_SIZE: return "a size";
  case SYM_DATA: return "data";
  case SYM_LATENT: return "a latent";
  case SYM_PREDICT: return "a prediction";
  case SYM_LET: return "a `let`";
  case SYM_INDEX: return "an index";
  case SYM_PARAM: return "a parameter";
  case SYM_ACTION: return "an action";
  case SYM_STATE: return "a state";
  case SYM_OBSERVATION: return "an observation";
  case SYM_TIME: return "the step of the plan";
  case SYM_FN: case SYM_BUILTIN: return "a function";
  case SYM_DIST: return "a distribution";
  case SYM_MODEL: return "a model";
  case SYM_OTHER: return s->decl && s->decl->kind == DECL_AGENT ? "an agent" : s->decl && s->decl->kind == DECL_WORLD ? "a world" : "a schedule";
  }
  return "a name";
}

void value_add(ctx *c, symbol *s) {
  symbol *before = ptr_map_get(&c->names, s->name);
  if (before && s->name[0]) {
    if (s->kind == SYM_INDEX || before->kind == SYM_INDEX || c->loops) {
      diag *d = cx_error(c, "E0403", s->at, "`%s` would hide another `%s`", s->name, s->name);
      cx_say(c, d, "%s", s->kind == SYM_INDEX ? "an index" : "declared again");
      cx_point(c, d, before->at, "%s of that name", sym_noun(before));
      if (s->kind == SYM_LET && before->kind == SYM_LET && before->type && !before->type->rank)
        cx_help(c, d, "variables do not change: use `sum(e for i in 1..N)`, or an array, `let %s[i] = ...`", s->name);
      else cx_help(c, d, "choose another name: in one place a name means one thing");
    } else {
      diag *d = cx_error(c, "E0402", s->at, "`%s` is declared twice", s->name);
      cx_point(c, d, before->at, "first here, as %s", sym_noun(before));
      if (s->kind == SYM_LET) cx_help(c, d, "there are no mutable variables: give the new value a name of its own");
    }
  }
  value_hide(c, s);
}

const char *nearest_of(const char *name, const char *const *words, size_t n) { return diag_nearest(name, words, n); }

const char *nearest_value(ctx *c, const char *name) {
  if (diags_full(c->st)) return NULL;
  const char **words = ARENA_ARRAY(c->a, const char *, c->nall + 1);
  size_t n = 0;
  for (size_t i = 0; i < c->nall; i++)
    if (ptr_map_get(&c->names, c->all[i]->name) && c->all[i]->name != name) words[n++] = c->all[i]->name;
  return diag_nearest(name, words, n);
}

static size_t put_names(const ptr_map *m, const char *but, bool dists, const char **words, size_t n) {
  for (size_t i = 0; i < m->size; i++) {
    const symbol *s = m->keys[i] ? m->values[i] : NULL;
    if (s && m->keys[i] != but && (s->kind == SYM_DIST) == dists && s->kind != SYM_MODEL && s->kind != SYM_OTHER) words[n++] = m->keys[i];
  }
  return n;
}

static size_t put_library(check_state *st, const char *but, bool dists, const char **words, size_t n) {
  for (size_t i = 0; i < aim_prelude_count; i++) {
    const char *name = aim_prelude[i].kind == (dists ? PRELUDE_DIST : PRELUDE_FN) ? intern(st->p->names, aim_prelude[i].name) : but;
    if (name != but) words[n++] = name;
  }
  return n;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static const char *nearest_declared(ctx *c, const char *name, bool dists) {
  if (diags_full(c->st)) return NULL;
  check_state *st = c->st;
  const char **words = ARENA_ARRAY(c->a, const char *, st->user.n + aim_prelude_count + st->builtins.n + 1);
  size_t n = put_names(&st->user, name, dists, words, 0);
  n = put_library(st, name, dists, words, n);
  n = put_names(&st->builtins, name, dists, words, n);
  /* The order of a hash table of addresses differs from run to run; messages do not. */
  qsort(words, n, sizeof *words, by_text);
  return diag_nearest(name, words, n);
}

const char *nearest_callable(ctx *c, const char *name) { return nearest_declared(c, name, false); }
const char *nearest_dist(ctx *c, const char *name) { return nearest_declared(c, name, true); }

void unknown_value(ctx *c, const char *name, span at) {
  if (!name[0]) return;
  symbol *gone = ptr_map_get(&c->gone, name);
  const ast_target *later = ptr_map_get(&c->later, name);
  if (later && later->at.file == at.file && later->at.off > at.off) {
    diag *d = cx_error(c, "E0404", at, "`%s` is used before it is defined", name);
    cx_point(c, d, later->at, "defined here");
    cx_help(c, d, "a model reads from top to bottom: move the definition up");
    return;
  }
  if (later && !gone && later->at.file == at.file && c->kind == CTX_MODEL) {
    diag *d = cx_error(c, "E0401", at, "`%s` reads itself", name);
    cx_point(c, d, later->at, "its definition");
    cx_help(c, d, "a name is set once, from others; a series is set by elements: `%s[1]`, and in `for t in 2..T { ... }` each `%s[t]` from `%s[t - 1]`", name, name, name);
    return;
  }
  if (gone) {
    diag *d = cx_error(c, "E0401", at, "`%s` is not known here", name);
    if (gone->kind == SYM_INDEX) cx_point(c, d, gone->at, "an index is known inside its loop only");
    else cx_point(c, d, gone->at, "this one is local to the block it stands in");
    if (gone->kind == SYM_LET) cx_help(c, d, "`let %s[i] = ...` in a loop over i keeps every iteration's value", name);
    return;
  }
  diag *d = cx_error(c, "E0401", at, "`%s` is not known", name);
  const char *near = habit_module(name) ? NULL : nearest_value(c, name);
  if (near) {
    cx_help(c, d, "did you mean `%s`?", near);
    symbol *s = ptr_map_get(&c->names, near);
    if (s && s->at.file == at.file) cx_point(c, d, s->at, "`%s` is %s", near, sym_noun(s));
    return;
  }
  symbol *f = callable_find(c, name);
  const char *module = habit_module(name);
  if (module) cx_help(c, d, "%s", module);
  else if (f) cx_help(c, d, "%s of that name is called with parentheses: `%s(...)`", sym_noun(f), name);
  else if (c->in_subscript) cx_help(c, d, "an index is known inside its loop: `plate %s in 1..N { ... }`, or `sum(... for %s in 1..N)`", name, name);
  else if ((c->kind == CTX_MODEL || c->kind == CTX_AGENT) && !c->auto_sizes)
    cx_help(c, d, "if it is data, add it to the signature of the %s", ast_decl_noun(c->owner->decl->kind));
}

void unknown_callable(ctx *c, const char *name, span at, const char *noun) {
  if (!name[0]) return;
  symbol *v = ptr_map_get(&c->names, name);
  if (!v && c->st->names_missing) return;
  if (v) {
    diag *d = cx_error(c, "E0405", at, "`%s` is %s, not %s", name, sym_noun(v), noun);
    cx_point(c, d, v->at, "declared here");
    if (v->type && v->type->rank) cx_help(c, d, "elements are read with square brackets: `%s[...]`", name);
    return;
  }
  diag *d = cx_error(c, "E0406", at, "there is no %s called `%s`", noun[1] == ' ' ? noun + 2 : noun, name);
  const char *other = habit_function(name), *near = other ? NULL : nearest_callable(c, name);
  if (other) cx_help(c, d, "%s", other);
  else if (near) cx_help(c, d, "did you mean `%s`?", near);
}
