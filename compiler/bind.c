/* bind.c: the steps of binding, and the places that its messages name (bind.h). */
#include "compiler/bind_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

diag *bind_error(binder *b, const char *code, span at, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  char *text = ARENA_ARRAY(b->a, char, (size_t)(n > 0 ? n : 0) + 1);
  vsnprintf(text, (size_t)(n > 0 ? n : 0) + 1, format, again);
  va_end(again);
  va_end(args);
  return diag_add(&b->p->diags, DIAG_ERROR, code, at, "%s", text);
}

span bind_type_span(const symbol *s) {
  if (s->param && s->param->type) return s->param->type->at;
  return s->at;
}

bound *bind_of(const binder *b, const symbol *s) {
  return ptr_map_get(&b->at, s);
}

/* `, element [2, 1]`, by the leading indices. */
static const char *element_text(binder *b, const data_array *x, size_t cell, int rank) {
  strbuf s;
  strbuf_init(&s, b->a);
  int64_t at[DATA_MAX_RANK];
  for (int i = x->rank - 1; i >= 0; i--) {
    at[i] = (int64_t)(cell % (size_t)x->dims[i]) + 1;
    cell /= (size_t)x->dims[i];
  }
  for (int i = 0; i < rank; i++) strbuf_printf(&s, "%s%lld", i ? ", " : ", element [", (long long)at[i]);
  if (rank) strbuf_putc(&s, ']');
  return s.s;
}

const char *bind_event_where(binder *b, const bound *y, size_t cell, int batch_rank) {
  return arena_printf(b->a, "%s%s", bind_where(b, y, (size_t)-1), element_text(b, y->x, cell, batch_rank));
}

const char *bind_where(binder *b, const bound *y, size_t cell) {
  const data_array *x = y->x;
  bool whole = cell == (size_t)-1;
  if (y->written)
    return arena_printf(b->a, "the binding of `%s`%s", y->sym->name, whole ? "" : element_text(b, x, cell, x->rank));
  if (y->ncolumns) {
    x = y->columns[whole ? 0 : cell % y->ncolumns];
    if (!whole) cell /= y->ncolumns;
  }
  const char *where = whole ? data_array_where(x, b->a) : data_cell_where(x, cell, b->a);
  return x->origin.file ? arena_printf(b->a, "%s, %s", x->origin.file, where) : where;
}

void bind_point_binding(binder *b, diag *d, const bound *y) {
  if (y->at.file) bind_point(b, d, y->at, "bound here");
}

const char *bind_shape_text(binder *b, const data_array *x) {
  if (x->rank == 0) return arena_printf(b->a, "one %s", data_kind_name(x->kind));
  if (x->rows) return arena_printf(b->a, "%s in rows of different lengths", data_kind_name(x->kind));
  strbuf s;
  strbuf_init(&s, b->a);
  strbuf_printf(&s, "%s[", data_kind_name(x->kind));
  for (int k = 0; k < x->rank; k++) strbuf_printf(&s, "%s%lld", k ? ", " : "", (long long)x->dims[k]);
  strbuf_putc(&s, ']');
  return s.s;
}

const char *bind_real_text(binder *b, double x) {
  if (x != x) return "NaN";
  if (x - x != 0) return x > 0 ? "Inf" : "-Inf";
  char text[64];
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  /* Whatever is not part of a number in the C locale is the locale's decimal point. */
  char *out = ARENA_ARRAY(b->a, char, sizeof text), *to = out;
  for (const char *from = text; *from; from++) {
    if (strchr("0123456789+-e", *from)) *to++ = *from;
    else if (to == out || to[-1] != '.') *to++ = '.';
  }
  *to = '\0';
  return out;
}

/* The type by which values of a latent are looked at. */
static const ty_info *given_type(arena *a, const check_site *s) {
  if (!s->event || s->event->support <= IR_SUP_INTERVAL || s->event->kind != TY_REAL) return s->type;
  ty_info *t = ARENA_NEW(a, ty_info);
  *t = *s->type;
  t->support = s->event->support;
  return t;
}

/* What is not a size has cells. */
static bool has_cells(const bound *y) { return y->sym->kind != SYM_SIZE; }

static bool refuse_unknown_overrides(binder *b) {
  bool ok = true;
  for (size_t k = 0; k < b->p->overrides.n; k++) {
    const ast_arg *a = &b->p->overrides.items[k];
    const char **words = ARENA_ARRAY(b->a, const char *, b->n);
    bool known = false;
    for (size_t i = 0; i < b->n; i++) words[i] = b->of[i].sym->name, known |= b->of[i].sym->name == a->name.name;
    if (known) continue;
    diag *d = bind_error(b, "E0786", a->at, "%s `%s` has no data called `%s`", ast_decl_noun(b->model->decl->kind), b->model->sym->name, a->name.name);
    const char *near = diag_nearest(a->name.name, words, b->n);
    if (near) bind_help(b, d, "did you mean `%s`?", near);
    ok = false;
  }
  return ok;
}

bool bind_absent(binder *b, const bound *y) {
  const symbol *s = y->sym;
  diag *d = bind_error(b, "E0771", s->at, "there are no data for `%s`", s->name);
  bind_say(b, d, "%s", ty_print(&b->p->check, s->type));
  const char *near = bind_nearest(b, s->name);
  for (size_t k = 0; near && k < b->n; k++)
    if (strcmp(b->of[k].sym->name, near) == 0) near = NULL; /* it is another one's */
  bool nothing = b->files.n == 0 && (!b->given || b->given->n == 0);
  if (near) bind_help(b, d, "the data have `%s`: bind it by `on ..., %s = %s`", near, s->name, near);
  else if (nothing && !b->run) bind_help(b, d, "name a file in a statement: `infer %s on \"data.json\"`", b->model->sym->name);
  else if (nothing) bind_help(b, d, "name a file or a value behind `on`: `on \"data.json\"`, `on %s = ...`", s->name);
  else if (*bind_names(b)) bind_help(b, d, "bind it by `on ..., %s = ...`; the data have %s", s->name, bind_names(b));
  else bind_help(b, d, "bind it by `on ..., %s = ...`", s->name);
  return false;
}

bool bind_data(program *p, const check_model *model, const ast_decl *run, data_set *data) {
  binder b = {.p = p, .a = p->mem, .model = model, .run = run ? run->run : NULL, .given = data,
              .sum_tolerance = model->decl->kind == DECL_MODEL ? BIND_SUM_TOLERANCE : AGENT_SUM_TOLERANCE};
  p->data = NULL;
  p->ndata = 0;
  p->nlevels = 0;
  p->nmissing = 0;
  data_init(&b.files, p->mem, &p->diags);
  data_init(&b.tables, p->mem, &p->diags);
  if (data) b.files.max_file = data->max_file, b.files.max_stream = data->max_stream;
  size_t ngiven = b.run ? b.run->given.n : 0, signature = model->ndata + model->nsize_syms;
  b.of = ARENA_ARRAY(b.a, bound, signature + ngiven);
  for (; b.n < signature; b.n++) {
    const symbol *s = b.n < model->ndata ? model->data[b.n] : model->size_syms[b.n - model->ndata];
    b.of[b.n] = (bound){.sym = s, .type = s->type};
  }
  for (size_t i = 0; i < ngiven; i++)
    for (size_t k = 0; k < model->nsites; k++) {
      const check_site *s = &model->sites[k];
      if (s->role == IR_LATENT && s->sym->name == b.run->given.items[i].name.name) b.of[b.n++] = (bound){.sym = s->sym, .type = given_type(b.a, s)};
    }
  ptr_map_init(&b.at, b.a);
  for (size_t k = 0; k < b.n; k++)
    if (!bind_of(&b, b.of[k].sym)) ptr_map_put(&b.at, b.of[k].sym, &b.of[k]);
  b.own = ARENA_ARRAY(b.a, data_set, b.n);

  bool ok = refuse_unknown_overrides(&b);
  ok &= bind_read_files(&b);
  if (!ok || !bind_tables(&b)) return false;

  bool *found_of = ARENA_ARRAY(b.a, bool, b.n);
  for (size_t k = 0; k < b.n; k++) ok &= found_of[k] = bind_find(&b, &b.of[k]);
  if (ok && (!bind_levels(&b) || !bind_order(&b) || !bind_ragged(&b))) return false;
  for (size_t k = 0; k < b.n; k++) {
    bound *y = &b.of[k];
    bool found = found_of[k];
    if (found && y->x) found = bind_missing(&b, y) && bind_shape(&b, y);
    else if (found && y->sym->size == IR_SIZE_NONE && y->sym->param->rows > ROWS_CELLS) found = false; /* with the rows, which are absent */
    else if (found && y->sym->size == IR_SIZE_NONE && !y->sym->param->default_) found = bind_absent(&b, y);
    ok &= found;
  }
  if (!ok || !bind_sizes(&b)) return false;

  for (size_t k = 0; k < b.n; k++) ok &= !has_cells(&b.of[k]) || bind_convert(&b, &b.of[k]);
  if (!ok) return false;
  for (size_t k = 0; k < b.n; k++) ok &= !has_cells(&b.of[k]) || bind_support(&b, &b.of[k]);
  ok &= bind_check_sites(&b);
  if (!ok || !bind_possible(&b)) return false;

  bind_say_guesses(&b);
  bind_say_order(&b);
  bind_say_empty(&b);
  size_t nmissing = 0;
  for (size_t k = 0; k < b.n; k++) nmissing += b.of[k].missing != NULL;
  p->data = ARENA_ARRAY(b.a, exec_data, b.n + 3 * nmissing);
  for (size_t k = 0; k < b.n; k++)
    if (b.of[k].cells) p->data[p->ndata++] = (exec_data){.name = b.of[k].sym->name, .p = b.of[k].cells};
  bind_say_missing(&b);
  p->levels = ARENA_ARRAY(b.a, program_levels, model->ndata);
  for (size_t k = 0; k < model->ndata; k++) {
    const bound *y = &b.of[k];
    if (y->cells && y->x && y->x->kind == DATA_TEXT && y->sym->type->kind == TY_INT)
      p->levels[p->nlevels++] = (program_levels){y->sym->name, y->x->levels, y->x->n_levels};
  }
  return true;
}
