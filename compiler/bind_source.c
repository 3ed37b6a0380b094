/* bind_source.c: where data come from: the files of a statement, its bindings, and overrides of a command line. */
#include "compiler/bind_state.h"

#include "compiler/data_texts.h"

#include "lang/parse.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- files */

static const char *beside_program(binder *b, const char *path) {
  const source_file *f = source_get(&b->p->sources, (uint32_t)b->p->file);
  const char *slash = f ? strrchr(f->name, '/') : NULL;
  if (!slash || path[0] == '/') return path;
  return arena_printf(b->a, "%.*s/%s", (int)(slash - f->name), f->name, path);
}

static bool read_before(const binder *b, const char *path, const char *full) {
  for (size_t k = 0; b->given && k < b->given->n; k++) {
    const char *file = b->given->arrays[k]->origin.file;
    if (file && (strcmp(file, path) == 0 || strcmp(file, full) == 0)) return true;
  }
  return false;
}

/* Whether the data of y come from elsewhere than a file of the statement, or need not come at all. */
static bool covered(const binder *b, const bound *y) {
  const symbol *s = y->sym;
  if (!s->param || s->param->default_ || (s->size != IR_SIZE_NONE && s->type->rank == 0)) return true;
  const ast_arg *a = ast_args_find(&b->p->overrides, s->name);
  if (!a && b->given && data_find(b->given, s->name)) return true;
  if (!a) a = ast_args_find(&b->run->on, s->name);
  if (!a) return false;
  if (a->value->kind == EXPR_NAME) return b->given && data_find(b->given, a->value->name.name);
  return a->value->kind != EXPR_CALL;
}

static bool exists(const char *path) {
  FILE *f = fopen(path, "rb");
  if (f) fclose(f);
  return f != NULL;
}

/* Reads the file that a statement names.  False after a report. */
static bool read_file(binder *b, const ast_arg *a, data_set *into) {
  const char *path = a->value->string.bytes;
  if (!b->p->any_path && !source_path_below(path)) {
    diag *d = bind_error(b, "E0779", a->at, "a program may read only files of its own folder");
    bind_say(b, d, "%s", path[0] == '/' ? "an absolute path" : "this leaves the folder");
    if (into == &b->files) bind_help(b, d, "give the file on the command line: `--data %s`", path);
    return false;
  }
  size_t before = b->p->diags.n;
  if (data_read_file(into, beside_program(b, path)) == 0) return true;
  if (b->p->diags.n == before) return false;
  diag *d = b->p->diags.items[b->p->diags.n - 1];
  if (strcmp(d->code, "E0750") == 0) {
    /* The reader knows paths of a command line only. */
    d->nremarks = 0;
    bind_help(b, d, "paths of a statement are relative to the folder of the program");
  }
  bind_point(b, d, a->at, "read here");
  return false;
}

bool bind_read_files(binder *b) {
  bool ok = true, needed = false;
  for (size_t k = 0; k < b->n; k++) needed |= b->run && !covered(b, &b->of[k]);
  for (size_t k = 0; b->run && k < b->run->on.n; k++) {
    const ast_arg *a = &b->run->on.items[k];
    if (a->name.name || a->value->kind != EXPR_STRING) continue;
    const char *path = a->value->string.bytes, *full = beside_program(b, path);
    if (read_before(b, path, full)) continue;
    /* A path that leads outside is said even where the file is not needed. */
    if (!needed && (b->p->any_path || source_path_below(path)) && !exists(full)) continue;
    ok &= read_file(b, a, &b->files);
  }
  return ok;
}

/* Files of the statement give way to those of the flags. */
const data_array *bind_array(const binder *b, const char *name) {
  const data_array *x = data_find(&b->tables, name);
  if (!x && b->given) x = data_find(b->given, name);
  return x ? x : data_find(&b->files, name);
}

const char *bind_nearest(binder *b, const char *name) {
  size_t most = b->files.n + (b->given ? b->given->n : 0), n = 0;
  const char **words = ARENA_ARRAY(b->a, const char *, most);
  for (size_t k = 0; b->given && k < b->given->n; k++) words[n++] = b->given->arrays[k]->name;
  for (size_t k = 0; k < b->files.n; k++) words[n++] = b->files.arrays[k]->name;
  /* What a message shows of a file are names only that look like names. */
  for (size_t k = 0; k < n; k++)
    if (!*data_name_shown(words[k], b->a)) words[k] = NULL;
  return diag_nearest(name, words, n);
}

const char *bind_names(binder *b) {
  enum { SHOWN = 8 };
  strbuf s;
  strbuf_init(&s, b->a);
  size_t shown = 0, more = 0;
  const data_set *sets[] = {b->given, &b->files};
  for (size_t i = 0; i < 2; i++)
    for (size_t k = 0; sets[i] && k < sets[i]->n; k++) {
      const char *name = sets[i]->arrays[k]->name;
      if (shown == SHOWN || !*data_name_shown(name, b->a)) more++;
      else strbuf_printf(&s, "%s`%s`", shown++ ? ", " : "", name);
    }
  if (shown && more) strbuf_printf(&s, " and %zu more", more);
  return s.s;
}

/* --- bindings */

static const data_array *named(binder *b, const char *name, span at) {
  const data_array *x = bind_array(b, name);
  if (x) return x;
  diag *d = bind_error(b, "E0771", at, "the data have no `%s`", name);
  const char *near = bind_nearest(b, name);
  if (near) bind_help(b, d, "did you mean `%s`?", near);
  else if (*bind_names(b)) bind_help(b, d, "they have %s", bind_names(b));
  return NULL;
}

typedef struct literal {
  binder *b;
  int rank; /* -1 until the first scalar */
  int64_t dims[DATA_MAX_RANK];
  bind_num *cells;
  size_t n, cap;
  bool real, all_bool;
  data_texts texts; /* whose numbers are the cells, where n_texts is not 0 */
  size_t n_texts;
  uint8_t *gone;    /* [n] `null`: a value that is missing */
  size_t n_gone, cap_gone;
} literal;

/* `null` in an array, as JSON has it. */
static bool is_null(const ast_expr *e, int depth) { return depth > 0 && e->kind == EXPR_NAME && strcmp(e->name.name, "null") == 0; }

static bool read_literal(literal *l, const ast_expr *e, int depth) {
  binder *b = l->b;
  if (e->kind == EXPR_ERROR) return false;
  if (e->kind == EXPR_ARRAY) {
    if (depth == DATA_MAX_RANK) {
      bind_error(b, "E0782", e->at, "an array has at most %d axes", DATA_MAX_RANK);
      return false;
    }
    if (l->rank >= 0 && depth >= l->rank) {
      bind_error(b, "E0782", e->at, "an array stands where one value is expected, as the first at this depth is");
      return false;
    }
    int64_t n = (int64_t)e->array.elems.n;
    if (l->rank < 0 && l->dims[depth] < 0) l->dims[depth] = n;
    if (l->dims[depth] != n) {
      diag *d = bind_error(b, "E0782", e->at, "this row has %lld element%s, the first has %lld", (long long)n, n == 1 ? "" : "s",
                           (long long)l->dims[depth]);
      bind_help(b, d, "rows of an array are equally long; a signature with rows of different lengths is `T[d in 1..D, len[d]]`, whose data stand in a file, or one after the other and `len` beside them");
      return false;
    }
    if (n == 0 && l->rank < 0) l->rank = depth + 1;
    for (size_t k = 0; k < e->array.elems.n; k++)
      if (!read_literal(l, e->array.elems.items[k], depth + 1)) return false;
    return true;
  }
  bind_num x = {.kind = DATA_BOOL};
  span at = e->at;
  const bool gone = is_null(e, depth), text = depth > 0 && e->kind == EXPR_STRING;
  const char *why = gone || text ? NULL : bind_eval(b, e, &x, &at);
  if (text) {
    x = (bind_num){.kind = DATA_INT, .i = (int64_t)data_texts_add(&l->texts, e->string.bytes, strlen(e->string.bytes))};
    l->n_texts++;
  }
  if (!gone && !text == (l->n_texts > 0)) why = "this stands among texts", at = e->at;
  else if (text && l->n_texts + l->n_gone <= l->n) why = "this text stands among numbers", at = e->at;
  if (why) {
    diag *d = bind_error(b, "E0782", at, "%s", why);
    bind_help(b, d, "a binding is a name of the data, a number, an array of numbers or of texts, or `columns(a, b)`, and `null` is a missing value; compute in the model with `let`");
    return false;
  }
  if (l->rank < 0) l->rank = depth;
  if (l->rank != depth) {
    bind_error(b, "E0782", e->at, "one value stands where an array is expected, as the first at this depth is");
    return false;
  }
  l->real |= x.kind == DATA_REAL;
  l->all_bool &= x.kind == DATA_BOOL;
  size_t n = l->n;
  ARENA_PUSH(b->a, l->gone, n, l->cap_gone, gone);
  ARENA_PUSH(b->a, l->cells, l->n, l->cap, x);
  l->n_gone += gone;
  return true;
}

/* A list of lists for a ragged array, as one list; the lengths of its rows. */
static bool read_rows(literal *l, const ast_expr *e, int64_t *rows) {
  l->rank = 1;
  l->dims[0] = 0;
  for (size_t k = 0; k < e->array.elems.n; k++) {
    const ast_expr *row = e->array.elems.items[k];
    if (row->kind == EXPR_ERROR) return false;
    if (row->kind != EXPR_ARRAY) {
      bind_error(l->b, "E0782", row->at, "one value stands where a row is expected, as the first is");
      return false;
    }
    l->dims[0] += rows[k] = (int64_t)row->array.elems.n;
    for (size_t i = 0; i < row->array.elems.n; i++)
      if (!read_literal(l, row->array.elems.items[i], 1)) return false;
  }
  return true;
}

static bool bind_literal(binder *b, bound *y, const ast_expr *e) {
  literal l = {.b = b, .rank = -1, .all_bool = true, .texts = {.a = b->a}};
  for (int k = 0; k < DATA_MAX_RANK; k++) l.dims[k] = -1;
  const bool ragged = y->sym->param && y->sym->param->rows == ROWS_CELLS && e->kind == EXPR_ARRAY && e->array.elems.n && e->array.elems.items[0]->kind == EXPR_ARRAY;
  int64_t *rows = ragged ? ARENA_ARRAY(b->a, int64_t, e->array.elems.n) : NULL;
  if (ragged ? !read_rows(&l, e, rows) : !read_literal(&l, e, 0)) return false;
  data_array *x = ARENA_NEW(b->a, data_array);
  x->name = y->sym->name;
  x->rows = rows;
  x->n_rows = ragged ? e->array.elems.n : 0;
  x->rank = l.rank;
  int64_t *dims = ARENA_ARRAY(b->a, int64_t, DATA_MAX_RANK);
  memcpy(dims, l.dims, sizeof l.dims);
  x->dims = dims;
  x->cells = l.n;
  x->kind = l.real ? DATA_REAL : l.all_bool && l.n > l.n_gone ? DATA_BOOL : DATA_INT;
  x->missing = l.n_gone ? l.gone : NULL;
  x->n_missing = l.n_gone;
  if (l.n_texts) {
    int64_t *codes = ARENA_ARRAY(b->a, int64_t, l.n);
    for (size_t k = 0; k < l.n; k++) codes[k] = l.gone[k] ? 0 : l.cells[k].i;
    data_texts_levels(&l.texts, b->a, x, codes);
  } else if (l.real) {
    double *f = ARENA_ARRAY(b->a, double, l.n);
    for (size_t k = 0; k < l.n; k++) f[k] = bind_num_real(l.cells[k]);
    x->f64 = f;
  } else {
    int64_t *i = ARENA_ARRAY(b->a, int64_t, l.n);
    for (size_t k = 0; k < l.n; k++) i[k] = l.cells[k].i;
    x->i64 = i;
  }
  y->x = x;
  y->written = true;
  return true;
}

typedef struct column_list {
  const data_array **items;
  size_t n, cap;
} column_list;

static bool add_column(binder *b, column_list *l, const data_array *x, span at) {
  const char *why = x->rank != 1 ? "is not a column" : x->kind == DATA_TEXT ? "is a column of texts" : NULL;
  if (why) {
    diag *d = bind_error(b, "E0783", at, "`%s` %s, but %s", x->name, why, bind_shape_text(b, x));
    if (x->kind == DATA_TEXT) {
      d->message = arena_printf(b->a, "`%s` holds texts, which are not numbers", x->name);
      bind_help(b, d, "declare it as `index(K)[N]` and bind it by a name of its own");
    }
    return false;
  }
  if (l->n && l->items[0]->dims[0] != x->dims[0]) {
    bind_error(b, "E0783", at, "`%s` has %lld elements, and `%s` has %lld", x->name, (long long)x->dims[0], l->items[0]->name,
               (long long)l->items[0]->dims[0]);
    return false;
  }
  ARENA_PUSH(b->a, l->items, l->n, l->cap, x);
  return true;
}

/* `columns(a..d)`: the columns of one file from a to d, as they stand there. */
static bool add_range(binder *b, column_list *l, const ast_expr *e) {
  const ast_expr *end[2] = {e->range.lo, e->range.hi};
  const data_array *x[2];
  for (int k = 0; k < 2; k++) {
    if (end[k]->kind == EXPR_ERROR) return false;
    if (end[k]->kind != EXPR_NAME) {
      bind_error(b, "E0783", end[k]->at, "a range of columns goes from one name to another");
      return false;
    }
    x[k] = named(b, end[k]->name.name, end[k]->at);
    if (!x[k]) return false;
    if (x[k]->origin.source != DATA_FROM_CSV) {
      diag *d = bind_error(b, "E0783", end[k]->at, "`%s` is not a column of a CSV file, so nothing stands beside it", end[k]->name.name);
      bind_help(b, d, "list the names: `columns(a, b, c)`");
      return false;
    }
  }
  if (strcmp(x[0]->origin.file, x[1]->origin.file) != 0) {
    bind_error(b, "E0783", e->at, "`%s` is a column of %s, and `%s` of %s", x[0]->name, x[0]->origin.file, x[1]->name, x[1]->origin.file);
    return false;
  }
  if (x[0]->origin.column > x[1]->origin.column) {
    diag *d = bind_error(b, "E0783", e->at, "`%s` stands behind `%s` in %s", x[0]->name, x[1]->name, x[0]->origin.file);
    bind_help(b, d, "write `%s..%s`", x[1]->name, x[0]->name);
    return false;
  }
  const data_set *sets[2] = {b->given, &b->files};
  for (int s = 0; s < 2; s++)
    for (size_t k = 0; sets[s] && k < sets[s]->n; k++) {
      const data_array *c = sets[s]->arrays[k];
      if (c->origin.source != DATA_FROM_CSV || c->origin.column < x[0]->origin.column || c->origin.column > x[1]->origin.column) continue;
      if (strcmp(c->origin.file, x[0]->origin.file) == 0 && !add_column(b, l, bind_array(b, c->name), e->at)) return false;
    }
  return true;
}

static bool bind_columns(binder *b, bound *y, const ast_expr *e) {
  column_list l = {0};
  for (size_t k = 0; k < e->call.args.n; k++) {
    const ast_arg *a = &e->call.args.items[k];
    if (a->name.name) {
      bind_error(b, "E0783", a->at, "`columns` takes names of columns");
      return false;
    }
    if (a->value->kind == EXPR_ERROR) return false;
    if (a->value->kind == EXPR_RANGE) {
      if (!add_range(b, &l, a->value)) return false;
    } else if (a->value->kind == EXPR_NAME) {
      const data_array *x = named(b, a->value->name.name, a->value->at);
      if (!x || !add_column(b, &l, x, a->value->at)) return false;
    } else {
      diag *d = bind_error(b, "E0783", a->value->at, "`columns` takes names of columns here");
      bind_help(b, d, "take the columns as data and compute in the model: `let X = columns(a / 100, log(b))`");
      return false;
    }
  }
  if (l.n == 0) {
    diag *d = bind_error(b, "E0783", e->at, "`columns` needs at least one column");
    bind_help(b, d, "write `columns(a, b)`, or `columns(a..d)` for neighbours");
    return false;
  }
  data_array *x = ARENA_NEW(b->a, data_array);
  int64_t *dims = ARENA_ARRAY(b->a, int64_t, 2);
  size_t rows = (size_t)l.items[0]->dims[0];
  dims[0] = (int64_t)rows;
  dims[1] = (int64_t)l.n;
  *x = (data_array){.name = y->sym->name, .rank = 2, .dims = dims, .cells = rows * l.n, .kind = DATA_BOOL, .origin = l.items[0]->origin};
  for (size_t k = 0; k < l.n; k++)
    if (l.items[k]->kind == DATA_REAL) x->kind = DATA_REAL;
    else if (l.items[k]->kind == DATA_INT && x->kind == DATA_BOOL) x->kind = DATA_INT;
  if (x->kind == DATA_REAL) {
    double *f = ARENA_ARRAY(b->a, double, x->cells);
    for (size_t i = 0; i < x->cells; i++) f[i] = bind_num_real(bind_cell(l.items[i % l.n], i / l.n));
    x->f64 = f;
  } else {
    int64_t *i64 = ARENA_ARRAY(b->a, int64_t, x->cells);
    for (size_t i = 0; i < x->cells; i++) i64[i] = l.items[i % l.n]->i64[i / l.n];
    x->i64 = i64;
  }
  for (size_t k = 0; k < l.n; k++) x->n_missing += l.items[k]->n_missing;
  if (x->n_missing) {
    uint8_t *missing = ARENA_ARRAY(b->a, uint8_t, x->cells);
    for (size_t i = 0; i < x->cells; i++) missing[i] = l.items[i % l.n]->missing && l.items[i % l.n]->missing[i / l.n];
    x->missing = missing;
  }
  y->x = x;
  y->columns = l.items;
  y->ncolumns = l.n;
  return true;
}

static bool bind_binding(binder *b, bound *y, const ast_arg *a) {
  const ast_expr *e = a->value;
  y->at = a->at;
  switch (e->kind) {
  case EXPR_ERROR: return false;
  case EXPR_NAME: y->x = named(b, e->name.name, e->at); return y->x != NULL;
  case EXPR_STRING: {
    diag *d = bind_error(b, "E0782", e->at, "a name is bound to data, and this is a text");
    bind_help(b, d, "name the file by itself, then its column: `on \"%s\", %s = ...`", e->string.bytes, y->sym->name);
    return false;
  }
  case EXPR_CALL:
    if (strcmp(e->call.fn.name, "columns") == 0) return bind_columns(b, y, e);
    break;
  default: break;
  }
  return bind_literal(b, y, e);
}

static const ast_arg *argument(const ast_args *args, const char *name) {
  for (size_t k = args->n; k-- > 0;) /* the last one said counts */
    if (args->items[k].name.name == name) return &args->items[k];
  return NULL;
}

/* `given v = "digit.json"`: v of that file. */
static bool bind_own_file(binder *b, bound *y, const ast_arg *a) {
  data_set *own = &b->own[y - b->of];
  data_init(own, b->a, &b->p->diags);
  own->max_file = b->files.max_file;
  own->max_stream = b->files.max_stream;
  y->at = a->at;
  if (!read_file(b, a, own)) return false;
  y->x = data_find(own, y->sym->name);
  if (y->x) return true;
  diag *d = bind_error(b, "E0771", a->value->at, "the file has no `%s`", y->sym->name);
  bind_help(b, d, "what is given stands there under the name that the model has for it");
  return false;
}

bool bind_find(binder *b, bound *y) {
  const char *name = y->sym->name;
  const ast_arg *a = argument(&b->p->overrides, name);
  if (a) return bind_binding(b, y, a);
  if (y->sym->kind == SYM_LATENT) {
    a = argument(&b->run->given, name);
    return a->value->kind == EXPR_STRING ? bind_own_file(b, y, a) : bind_binding(b, y, a);
  }
  const data_array *x = b->given ? data_find(b->given, name) : NULL;
  if (!x || x->origin.source != DATA_FROM_HOST) {
    a = b->run ? argument(&b->run->on, name) : NULL;
    if (a) return bind_binding(b, y, a);
    x = bind_array(b, name);
  }
  /* A size is not declared, so an array that happens to have its name is something else. */
  if (y->sym->kind == SYM_SIZE && x && (x->rank > 0 || x->kind != DATA_INT)) x = NULL;
  y->x = x;
  return true;
}

/* --- overrides */

/* Length of the name in front of `=`, or 0 when the text is no binding.  `==` and an `=` inside a path are none. */
static size_t binding_name(const char *text) {
  size_t n = 0;
  while ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z') || (text[n] >= '0' && text[n] <= '9') ||
         text[n] == '_' || (unsigned char)text[n] >= 0x80)
    n++;
  size_t end = n;
  while (text[end] == ' ') end++;
  return text[end] == '=' && text[end + 1] != '=' ? n : 0;
}

bool bind_override(program *p, data_set *data, const char *text) {
  size_t n = binding_name(text);
  if (n == 0) {
    if (*text != '=' || strchr(text, '.')) return data_read_file(data, text) == 0;
    diag_add(&p->diags, DIAG_ERROR, "E0786", (span){0}, "a binding is written `name = value`");
    return false;
  }
  const char *value = strchr(text, '=') + 1;
  while (*value == ' ') value++;
  const char *name = intern_bytes(&p->names, text, n);
  int file = source_add(&p->sources, arena_printf(p->mem, "--data %s", name), value, strlen(value));
  if (!file) {
    diag_add(&p->diags, DIAG_ERROR, "E0786", (span){0}, "the value of `%s` is longer than %zu MiB", name, SOURCE_MAX_BYTES >> 20);
    return false;
  }
  ast_expr *e = parse_expr(p->mem, &p->names, &p->sources, file, &p->diags);
  if (!e) return false;
  ast_arg a = {.name = {.name = name, .at = e->at}, .value = e, .at = e->at};
  ARENA_PUSH(p->mem, p->overrides.items, p->overrides.n, p->overrides.cap, a);
  return true;
}
