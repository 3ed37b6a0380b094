/* data.c: data sets: entering and finding arrays, binding the host's memory, levels, places for messages.  Files are opened in data_file.c
 * and read by data_FORMAT.c. */
#include "compiler/data.h"

#include "compiler/data_texts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void data_init(data_set *ds, arena *a, diag_list *diags) {
  memset(ds, 0, sizeof *ds);
  ds->a = ds->index.a = a;
  ds->diags = diags;
  ds->max_file = DATA_MAX_FILE;
  ds->max_stream = DATA_MAX_STREAM;
}

int data_fail(data_set *ds, const char *code, const char *file, const char *where, const char *help, const char *format, ...) {
  char message[512]; /* messages are ours: what they hold of a file is a name of at most 64 bytes, and a path is cut */
  va_list ap;
  va_start(ap, format);
  vsnprintf(message, sizeof message, format, ap);
  va_end(ap);
  if (!where) where = "";
  const char *comma = file && *where ? ", " : "";
  diag *d = diag_add(ds->diags, DIAG_ERROR, code, (span){0}, "%s%s%s: %s", file ? file : "", comma, where, message);
  if (help) diag_help(ds->diags, d, "%s", help);
  ds->n_errors++;
  return -1;
}

bool data_full(const data_set *ds) { return ds->diags->errors >= ds->diags->max_errors; }

int data_guard(data_set *ds, int (*body)(void *ctx), void (*cleanup)(void *ctx), void *ctx) {
  arena *a = ds->a, *b = ds->diags->a;
  jmp_buf *outer_a = a->oom, *outer_b = b->oom;
  jmp_buf here;
  a->oom = b->oom = &here;
  int failed = setjmp(here);
  int status = failed ? -1 : body(ctx);
  b->oom = outer_b;
  a->oom = outer_a;
  cleanup(ctx);
  if (failed) longjmp(*outer_a, 1);
  return status;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char *data_name_shown(const char *name, arena *a) {
  size_t n = strlen(name);
  if (n == 0 || n > 64 || !is_letter(name[0])) return "";
  for (size_t i = 0; i < n; i++)
    if (!is_letter(name[i]) && !is_digit(name[i]) && name[i] != '.') return "";
  return arena_printf(a, "\"%s\"", name);
}

static data_array *find(const data_set *ds, const char *name) {
  uint32_t at = name_index_get(&ds->index, name);
  return at ? ds->arrays[at - 1] : NULL;
}

const data_array *data_find(const data_set *ds, const char *name) { return find(ds, name); }

/* Columns of one name in two files, by which rows of these may be matched. */
static bool may_match(const data_array *x, const data_array *y) {
  const bool table = x->origin.source == DATA_FROM_CSV || y->origin.source == DATA_FROM_CSV;
  return table && x->origin.file && y->origin.file && strcmp(x->origin.file, y->origin.file) != 0 && x->rank == 1 && y->rank == 1 && x->kind == y->kind &&
         (x->kind == DATA_TEXT || x->kind == DATA_INT);
}

int data_enter(data_set *ds, data_array *x) {
  const char *file = x->origin.file;
  if (ds->n >= DATA_MAX_ARRAYS)
    return data_fail(ds, "E0758", file, "", "give the model only the data it uses", "there are more than %d names", DATA_MAX_ARRAYS);
  size_t length = strlen(x->name);
  if (length == 0 || length > DATA_MAX_NAME)
    return data_fail(ds, "E0756", file, data_array_where(x, ds->a), NULL,
                     length ? "this name is longer than %d bytes" : "this name is empty; names have 1 to %d bytes", DATA_MAX_NAME);
  const data_array *first = find(ds, x->name);
  if (first && may_match(first, x)) {
    ARENA_PUSH(ds->a, ds->again, ds->n_again, ds->cap_again, x);
    return 0;
  }
  if (first) {
    const char *name = data_name_shown(x->name, ds->a);
    const char *earlier = data_array_where(first, ds->a);
    return data_fail(ds, "E0757", file, data_array_where(x, ds->a), "rename or remove one of the two",
                     "the name%s%s is taken already, by %s%s%s", *name ? " " : "", name, earlier, first->origin.file ? " of " : "",
                     first->origin.file ? first->origin.file : "");
  }
  ARENA_PUSH(ds->a, ds->arrays, ds->n, ds->cap, x);
  name_index_add(&ds->index, x->name, (uint32_t)ds->n);
  return 0;
}

/* --- the host's memory --------------------------------------------------------------------------------------------- */

int data_cells(int rank, const int64_t *dims, size_t *cells) {
  bool empty = false;
  for (int i = 0; i < rank; i++) empty |= dims[i] == 0;
  size_t n = 1, most = (size_t)-1 / 2 / 8;
  for (int i = 0; i < rank && !empty; i++) {
    if (dims[i] < 0 || (uint64_t)dims[i] > most / n) return -1;
    n *= (size_t)dims[i];
  }
  for (int i = 0; i < rank; i++)
    if (dims[i] < 0) return -1;
  *cells = empty ? 0 : n;
  return 0;
}

static int bind(data_set *ds, const char *name, data_kind kind, const void *cells, int rank, const int64_t *dims, data_array **out) {
  const char *where = arena_printf(ds->a, "array %s", data_name_shown(name, ds->a));
  if (rank < 0 || rank > DATA_MAX_RANK || (rank > 0 && !dims))
    return data_fail(ds, "E0758", NULL, where, NULL, "an array has 0 to %d dimensions, with an extent for each", DATA_MAX_RANK);
  data_array *x = ARENA_NEW(ds->a, data_array);
  if (data_cells(rank, dims, &x->cells) < 0)
    return data_fail(ds, "E0758", NULL, where, NULL, "an extent is negative, or all together do not fit in memory");
  if (x->cells && !cells) return data_fail(ds, "E0758", NULL, where, NULL, "there are extents but no cells");
  int64_t *own = ARENA_ARRAY(ds->a, int64_t, (size_t)rank);
  if (rank) memcpy(own, dims, (size_t)rank * sizeof *own);
  x->name = arena_strndup(ds->a, name, strlen(name));
  x->kind = kind;
  x->rank = rank;
  x->dims = own;
  x->borrowed = true;
  if (kind == DATA_REAL) x->f64 = cells;
  else x->i64 = cells;
  *out = x;
  return 0;
}

int data_bind_f64(data_set *ds, const char *name, const double *cells, int rank, const int64_t *dims) {
  data_array *x;
  return bind(ds, name, DATA_REAL, cells, rank, dims, &x) < 0 ? -1 : data_enter(ds, x);
}

int data_bind_i64(data_set *ds, const char *name, const int64_t *cells, int rank, const int64_t *dims) {
  data_array *x;
  return bind(ds, name, DATA_INT, cells, rank, dims, &x) < 0 ? -1 : data_enter(ds, x);
}

int data_bind_i32(data_set *ds, const char *name, const int32_t *cells, int rank, const int64_t *dims) {
  data_array *x;
  if (bind(ds, name, DATA_INT, cells, rank, dims, &x) < 0) return -1;
  int64_t *wide = ARENA_ARRAY(ds->a, int64_t, x->cells);
  for (size_t i = 0; i < x->cells; i++) wide[i] = cells[i];
  x->i64 = wide;
  x->borrowed = false;
  return data_enter(ds, x);
}

int data_bind_missing(data_set *ds, const char *name, const uint8_t *mask) {
  data_array *x = find(ds, name);
  if (!x)
    return data_fail(ds, "E0758", NULL, arena_printf(ds->a, "array %s", data_name_shown(name, ds->a)), NULL, "no array of this name has been bound");
  uint8_t *own = ARENA_ARRAY(ds->a, uint8_t, x->cells);
  size_t n = 0;
  for (size_t i = 0; i < x->cells; i++) n += own[i] = mask[i] != 0;
  x->n_missing = n;
  x->missing = n ? own : NULL;
  if (n == 0) return 0;
  /* The rule that a missing cell holds NaN or 0 must be true of borrowed cells too, so these are copied. */
  if (x->kind == DATA_REAL) {
    double *f = ARENA_ARRAY(ds->a, double, x->cells);
    for (size_t i = 0; i < x->cells; i++) f[i] = own[i] ? NAN : x->f64[i];
    x->f64 = f;
  } else {
    int64_t *k = ARENA_ARRAY(ds->a, int64_t, x->cells);
    for (size_t i = 0; i < x->cells; i++) k[i] = own[i] ? 0 : x->i64[i];
    x->i64 = k;
  }
  x->borrowed = false;
  return 0;
}

const double *data_reals(const data_array *x, arena *a) {
  if (x->kind == DATA_REAL) return x->f64;
  double *f = ARENA_ARRAY(a, double, x->cells);
  for (size_t i = 0; i < x->cells; i++) f[i] = x->missing && x->missing[i] ? NAN : (double)x->i64[i];
  return f;
}

/* --- levels -------------------------------------------------------------------------------------------------------- */

typedef struct levels_job {
  data_set *ds;
  data_array *x;
  const char **texts;
  arena scratch;
} levels_job;

static void levels_cleanup(void *ctx) { arena_free(&((levels_job *)ctx)->scratch); }

static int levels_body(void *ctx) {
  levels_job *job = ctx;
  data_array *x = job->x;
  job->scratch.oom = job->ds->a->oom;
  data_texts t = {.a = &job->scratch};
  int64_t *codes = ARENA_ARRAY(job->ds->a, int64_t, x->cells);
  for (size_t i = 0; i < x->cells; i++)
    if (job->texts[i]) codes[i] = (int64_t)data_texts_add(&t, job->texts[i], strlen(job->texts[i]));
  data_texts_levels(&t, job->ds->a, x, codes);
  return 0;
}

void data_set_levels(data_set *ds, data_array *x, const char **texts) {
  levels_job job = {.ds = ds, .x = x, .texts = texts};
  arena_init(&job.scratch, ds->a->alloc, ds->a->limit);
  data_guard(ds, levels_body, levels_cleanup, &job);
}

/* --- places -------------------------------------------------------------------------------------------------------- */

const char *data_kind_name(data_kind kind) {
  static const char *const names[] = {"real", "int", "bool", "text"};
  return names[kind];
}

const char *data_array_where(const data_array *x, arena *a) {
  const char *name = data_name_shown(x->name, a);
  const char *space = *name ? " " : "";
  switch (x->origin.source) {
  case DATA_FROM_HOST: return arena_printf(a, "array%s%s bound by the program", space, name);
  case DATA_FROM_JSON: return arena_printf(a, "%s%s%s", *name ? "key" : "a key", space, name);
  case DATA_FROM_TENSORS: return arena_printf(a, "tensor%s%s", space, name);
  case DATA_FROM_NETCDF: return arena_printf(a, "variable%s%s", space, name);
  case DATA_FROM_NUMPY:
  case DATA_FROM_GRAPH: return arena_printf(a, "array%s%s", space, name);
  default: return arena_printf(a, "column %u%s%s%s", x->origin.column, *name ? " (" : "", name, *name ? ")" : "");
  }
}

const char *data_cell_where(const data_array *x, size_t cell, arena *a) {
  if (x->origin.source == DATA_FROM_CSV) {
    unsigned long line = x->origin.lines ? x->origin.lines[cell] : (unsigned long)cell + 2;
    return arena_printf(a, "line %lu, %s", line, data_array_where(x, a));
  }
  strbuf b;
  strbuf_init(&b, a);
  strbuf_puts(&b, data_array_where(x, a));
  int64_t at[DATA_MAX_RANK];
  for (int i = x->rank - 1; i >= 0; i--) {
    at[i] = x->dims[i] ? (int64_t)(cell % (size_t)x->dims[i]) + 1 : 1;
    cell = x->dims[i] ? cell / (size_t)x->dims[i] : 0;
  }
  for (int i = 0; i < x->rank; i++) strbuf_printf(&b, "%s%lld", i ? ", " : ", element [", (long long)at[i]);
  if (x->rank) strbuf_putc(&b, ']');
  return b.s;
}
