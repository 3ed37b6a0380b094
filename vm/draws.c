/* draws.c: the store of posterior draws. */
#include "vm/draws.h"

#include "lang/arena.h"
#include "vm/history.h"

#include <stdatomic.h>
#include <string.h>

/* Rows go to columns so many together, since those lie far apart: a line of memory takes as many draws of a column. */
enum { TOGETHER = 8 };

/* One per chain, a cache line apart, since different threads write them. */
typedef struct chain_rows {
  _Alignas(64) atomic_size_t count; /* rows in the columns */
  size_t added;                     /* and those that wait: less than TOGETHER */
} chain_rows;

/* What stands in frames. */
typedef struct frame_part {
  size_t columns;         /* [0, columns) of the store */
  draws_place *place;     /* of the quantities */
  size_t cells;
  trace_history *history; /* [made] */
  size_t made;
  double **copy;          /* [chains][columns] of draws_of; NULL until one is asked for */
  size_t *copied;         /* [chains][columns] doubles of each copy */
  size_t copies;          /* bytes of these */
} frame_part;

struct draws {
  arena a; /* holds the rest */
  draws_quantity *q;
  size_t n, columns, capacity;
  int chains;
  size_t *first;     /* [n + 1] first column of each quantity */
  size_t *column_of; /* [columns] column of a row-major cell, quantities one after the other */
  size_t *cell_of;   /* [columns] inverse: row-major cell in its quantity */
  size_t *quantity;  /* [columns] */
  double *cells;     /* [chains][columns - in_frames + DRAWS_N_STATS][capacity] */
  double *waiting;   /* [chains][TOGETHER][columns - in_frames + DRAWS_N_STATS] */
  chain_rows *rows;  /* [chains] */
  frame_part *f;     /* NULL: all is flat */
  size_t in_frames;  /* f->columns, or 0 */
  size_t taken;
};

/* Of a row outside frames. */
static size_t width(const draws *d) { return d->columns - d->in_frames + DRAWS_N_STATS; }

const char *draws_stat_name(draws_stat stat) {
  static const char *const names[] = {"lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__"};
  return names[stat];
}

static int extents(const draws_quantity *q, size_t *n) {
  *n = 1;
  if (q->rank < 0 || q->rank > DRAWS_MAX_RANK) return -1;
  for (int i = 0; i < q->rank; i++) {
    if (q->dims[i] < 0) return -1;
    if (q->dims[i] && *n > (size_t)UINT32_MAX / (size_t)q->dims[i]) return -1;
    *n *= (size_t)q->dims[i];
  }
  return 0;
}

/* Fills the maps of quantity k: its column j, counted with the first index fastest, is row-major cell c. */
static void map_columns(draws *d, size_t k) {
  const draws_quantity *q = &d->q[k];
  size_t n = d->first[k + 1] - d->first[k];
  for (size_t j = 0; j < n; j++) {
    size_t rest = j, c = 0;
    size_t weight[DRAWS_MAX_RANK]; /* row-major step of each index */
    size_t w = 1;
    for (int i = q->rank - 1; i >= 0; i--) {
      weight[i] = w;
      w *= (size_t)q->dims[i];
    }
    for (int i = 0; i < q->rank; i++) {
      c += rest % (size_t)q->dims[i] * weight[i];
      rest /= (size_t)q->dims[i];
    }
    d->column_of[d->first[k] + c] = d->first[k] + j;
    d->cell_of[d->first[k] + j] = c;
    d->quantity[d->first[k] + j] = k;
  }
}

static void build(draws *d, const draws_quantity *q, size_t n) {
  arena *a = &d->a;
  d->q = ARENA_ARRAY(a, draws_quantity, n);
  for (size_t k = 0; k < n; k++) {
    int64_t *dims = ARENA_ARRAY(a, int64_t, (size_t)q[k].rank);
    for (int i = 0; i < q[k].rank; i++) dims[i] = q[k].dims[i];
    d->q[k] = (draws_quantity){arena_strndup(a, q[k].name, strlen(q[k].name)), q[k].rank, dims};
  }
  d->column_of = ARENA_ARRAY(a, size_t, d->columns);
  d->cell_of = ARENA_ARRAY(a, size_t, d->columns);
  d->quantity = ARENA_ARRAY(a, size_t, d->columns);
  for (size_t k = 0; k < n; k++) map_columns(d, k);
  /* The arena aligns to 16; a line of slack lets the counters begin on a line of their own. */
  char *raw = arena_alloc(a, (size_t)d->chains + 1, sizeof(chain_rows));
  d->rows = (chain_rows *)(raw + (64 - (uintptr_t)raw % 64) % 64);
  for (int c = 0; c < d->chains; c++) draws_forget(d, c);
  size_t series = alloc_bytes((size_t)d->chains, width(d));
  d->waiting = arena_alloc(a, series ? series : (size_t)-1, TOGETHER * sizeof(double));
  d->cells = arena_alloc(a, series ? series : (size_t)-1, alloc_bytes(d->capacity ? d->capacity : 1, sizeof(double)));
}

static void build_frames(draws *d, const draws_frames *f) {
  d->f = ARENA_ARRAY(&d->a, frame_part, 1);
  d->f->columns = d->in_frames = d->first[f->n];
  d->f->cells = f->cells;
  d->f->place = ARENA_ARRAY(&d->a, draws_place, f->n);
  memcpy(d->f->place, f->place, f->n * sizeof *f->place);
  d->f->history = ARENA_ARRAY(&d->a, trace_history, (size_t)d->chains);
}

static draws *create(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity, const draws_frames *f) {
  if (chains < 1 || capacity > (size_t)-1 / 64) return NULL;
  draws *d = alloc_get(alloc, 1, sizeof *d);
  if (!d) return NULL;
  memset(d, 0, sizeof *d);
  arena_init(&d->a, alloc, 0);
  if (ARENA_TRY(&d->a)) {
    arena_free(&d->a);
    alloc_put(alloc, d, sizeof *d);
    return NULL;
  }
  d->n = n;
  d->chains = chains;
  d->capacity = capacity;
  d->first = ARENA_ARRAY(&d->a, size_t, n + 1);
  for (size_t k = 0; k < n; k++) {
    size_t cells;
    if (extents(&q[k], &cells) < 0 || d->columns + cells > UINT32_MAX) longjmp(*d->a.oom, 1);
    d->first[k] = d->columns;
    d->columns += cells;
  }
  d->first[n] = d->columns;
  if (f) build_frames(d, f);
  build(d, q, n);
  d->taken = d->a.used + sizeof *d;
  return d;
}

draws *draws_create(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity) {
  return create(alloc, q, n, chains, capacity, NULL);
}

draws *draws_create_shared(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity, const draws_frames *f) {
  draws *d = create(alloc, q, n, chains, capacity, f);
  if (!d) return NULL;
  for (int c = 0; c < chains; c++) {
    trace_history *h = &d->f->history[c];
    bool made = trace_history_init(h, alloc, f->cells, NULL);
    d->f->made += made;
    if (!made || !trace_history_prewarm(h, capacity, f->window)) {
      draws_free(d);
      return NULL;
    }
  }
  return d;
}

size_t draws_frames_bound(const aim_alloc *alloc, const draws_frames *f, int chains, size_t capacity) {
  trace_history h;
  if (!trace_history_init(&h, alloc, f->cells, NULL)) return 0;
  size_t bytes = trace_history_bound(&h, capacity, f->window).bytes;
  trace_history_free(&h);
  return bytes > SIZE_MAX / (size_t)chains ? SIZE_MAX : bytes * (size_t)chains;
}

void draws_settle(draws *d) {
  for (int c = 0; c < d->chains; c++) draws_flush(d, c);
  for (size_t c = 0; d->f && c < d->f->made; c++) trace_history_trim(&d->f->history[c]);
}

static void free_frames(frame_part *f, const aim_alloc *alloc, int chains) {
  size_t n = (size_t)chains * f->columns;
  for (size_t k = 0; f->copy && k < n; k++) alloc_put(alloc, f->copy[k], f->copied[k] * sizeof(double));
  alloc_put(alloc, f->copy, n * sizeof *f->copy);
  alloc_put(alloc, f->copied, n * sizeof *f->copied);
  for (size_t c = 0; c < f->made; c++) trace_history_free(&f->history[c]);
}

void draws_free(draws *d) {
  if (!d) return;
  const aim_alloc *alloc = d->a.alloc;
  if (d->f) free_frames(d->f, alloc, d->chains);
  arena_free(&d->a);
  alloc_put(alloc, d, sizeof *d);
}

size_t draws_columns(const draws *d) { return d->columns; }
int draws_chains(const draws *d) { return d->chains; }
size_t draws_capacity(const draws *d) { return d->capacity; }
bool draws_shared(const draws *d) { return d->f != NULL; }

size_t draws_bytes(const draws *d) {
  size_t bytes = d->taken + (d->f ? d->f->copies : 0);
  for (size_t c = 0; d->f && c < d->f->made; c++) bytes += trace_history_bytes(&d->f->history[c]);
  return bytes;
}

size_t draws_column(const draws *d, size_t q, size_t cell) { return d->column_of[d->first[q] + cell]; }
size_t draws_quantity_of(const draws *d, size_t column) { return d->quantity[column]; }
size_t draws_cell_of(const draws *d, size_t column) { return d->cell_of[column]; }
size_t draws_place_of(const draws *d, size_t column) { return d->first[d->quantity[column]] + d->cell_of[column]; }
size_t draws_chain_stride(const draws *d) { return width(d) * (d->capacity ? d->capacity : 1); }

/* --- names --------------------------------------------------------------------------------------------------------- */

typedef struct out_text {
  char *s;
  size_t n, size;
} out_text;

static void put(out_text *o, char c) {
  if (o->n + 1 < o->size) o->s[o->n] = c;
  o->n++;
}

/* A name's characters in a CSV header: points belong to indices there, and CmdStan has colons for parts of parts; what would end the field is replaced. */
static char plain(char c) { return c; }
static char in_csv(char c) { return c == '.' ? ':' : c == ',' ? ';' : c == '"' ? '\'' : (unsigned char)c < ' ' ? ' ' : c; }

static size_t name_as(const draws *d, size_t column, char *out, size_t size, char (*spell)(char), char open, char between, char close) {
  const draws_quantity *q = &d->q[d->quantity[column]];
  out_text o = {out, 0, size};
  for (const char *s = q->name; *s; s++) put(&o, spell(*s));
  size_t cell = d->cell_of[column], at[DRAWS_MAX_RANK];
  for (int i = q->rank - 1; i >= 0; i--) {
    at[i] = cell % (size_t)q->dims[i] + 1;
    cell /= (size_t)q->dims[i];
  }
  for (int i = 0; i < q->rank; i++) {
    put(&o, i ? between : open);
    char digits[24];
    int k = 0;
    for (size_t v = at[i]; v; v /= 10) digits[k++] = (char)('0' + v % 10);
    while (k) put(&o, digits[--k]);
  }
  if (q->rank && close) put(&o, close);
  if (size) out[o.n < size ? o.n : size - 1] = '\0';
  return o.n;
}

size_t draws_name(const draws *d, size_t column, char *out, size_t size) { return name_as(d, column, out, size, plain, '[', ',', ']'); }
size_t draws_csv_name(const draws *d, size_t column, char *out, size_t size) { return name_as(d, column, out, size, in_csv, '.', '.', '\0'); }

/* True when text [n] is the indices of a cell of q, each behind `open` or `between`; sets the row-major cell. */
static int read_indices(const draws_quantity *q, const char *s, char open, char between, char close, size_t *cell) {
  *cell = 0;
  for (int i = 0; i < q->rank; i++) {
    if (*s++ != (i ? between : open) || *s == '0') return 0;
    uint64_t v = 0;
    for (; *s >= '0' && *s <= '9' && v <= UINT32_MAX; s++) v = 10 * v + (uint64_t)(*s - '0');
    if (v == 0 || v > (uint64_t)q->dims[i]) return 0;
    *cell = *cell * (size_t)q->dims[i] + (size_t)(v - 1);
  }
  if (q->rank && close && *s++ != close) return 0;
  return *s == '\0';
}

static bool begins(const char *text, const char *name, char (*spell)(char)) {
  while (*name && *text == spell(*name)) text++, name++;
  return !*name;
}

size_t draws_find(const draws *d, const char *name) {
  for (size_t k = 0; k < d->n; k++) {
    size_t n = strlen(d->q[k].name), cell;
    if (d->first[k] == d->first[k + 1]) continue;
    if (begins(name, d->q[k].name, plain) && read_indices(&d->q[k], name + n, '[', ',', ']', &cell)) return draws_column(d, k, cell);
    if (begins(name, d->q[k].name, in_csv) && read_indices(&d->q[k], name + n, '.', '.', '\0', &cell)) return draws_column(d, k, cell);
  }
  return (size_t)-1;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

/* Of a column outside frames. */
static double *series(const draws *d, int chain, size_t column) {
  return d->cells + (size_t)chain * draws_chain_stride(d) + (column - d->in_frames) * (d->capacity ? d->capacity : 1);
}

void draws_flush(draws *d, int chain) {
  chain_rows *x = &d->rows[chain];
  const size_t first = atomic_load_explicit(&x->count, memory_order_relaxed), w = width(d), n = x->added - first;
  const double *from = d->waiting + ((size_t)chain * TOGETHER + first % TOGETHER) * w;
  double *to = series(d, chain, d->in_frames) + first;
  if (n == TOGETHER)
    for (size_t k = 0; k < w; k++)
      for (size_t i = 0; i < TOGETHER; i++) to[k * d->capacity + i] = from[i * w + k];
  else
    for (size_t i = 0; i < n; i++)
      for (size_t k = 0; k < w; k++) to[k * d->capacity + i] = from[i * w + k];
  atomic_store_explicit(&x->count, x->added, memory_order_release);
}

/* The columns outside frames, and the row is complete. */
static void put_rest(draws *d, int chain, const double *values, const size_t *column_of, const double *stats) {
  chain_rows *x = &d->rows[chain];
  const size_t n = d->columns - d->in_frames;
  double *row = d->waiting + ((size_t)chain * TOGETHER + x->added % TOGETHER) * width(d);
  if (column_of) for (size_t k = 0; k < n; k++) row[column_of[d->in_frames + k] - d->in_frames] = values[k];
  else if (n) memcpy(row, values, n * sizeof *row);
  memcpy(row + n, stats, DRAWS_N_STATS * sizeof *row);
  x->added++;
  if (x->added % TOGETHER == 0 || x->added == d->capacity) draws_flush(d, chain);
}

static int add(draws *d, int chain, const double *values, const size_t *column_of, const double *stats) {
  if (d->rows[chain].added >= d->capacity || d->f) return -1;
  put_rest(d, chain, values, column_of, stats);
  return 0;
}

int draws_add(draws *d, int chain, const double *values, const double *stats) { return add(d, chain, values, NULL, stats); }
int draws_add_cells(draws *d, int chain, const double *cells, const double *stats) { return add(d, chain, cells, d->column_of, stats); }

void draws_forget(draws *d, int chain) {
  d->rows[chain].added = 0;
  atomic_store_explicit(&d->rows[chain].count, 0, memory_order_release);
}

int draws_add_frame(draws *d, int chain, const void *frame, const size_t *changed, size_t n, const double *rest, const double *stats) {
  const size_t row = d->rows[chain].added;
  if (row >= d->capacity || !d->f) return -1;
  trace_history *h = &d->f->history[chain];
  if (!(changed && row ? trace_history_append(h, frame, changed, n) : trace_history_append_frame(h, frame))) return 1;
  put_rest(d, chain, rest, d->column_of, stats);
  return 0;
}

int draws_add_row(draws *d, int chain, const double *values, void *frame, const double *stats) {
  if (!d->f) return draws_add(d, chain, values, stats);
  if (d->rows[chain].added >= d->capacity) return -1;
  for (size_t k = 0; k < d->in_frames; k++) {
    const draws_place *p = &d->f->place[d->quantity[k]];
    const int64_t whole = p->integer ? (int64_t)values[k] : 0;
    memcpy((char *)frame + 8 * (p->at + d->cell_of[k]), p->integer ? (const void *)&whole : (const void *)&values[k], 8);
  }
  if (!trace_history_append_frame(&d->f->history[chain], frame)) return 1;
  put_rest(d, chain, values + d->in_frames, NULL, stats);
  return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

size_t draws_added(const draws *d, int chain) { return d->rows[chain].added; }
size_t draws_count(const draws *d, int chain) { return atomic_load_explicit(&d->rows[chain].count, memory_order_acquire); }
const double *draws_stat_of(const draws *d, int chain, draws_stat stat) { return series(d, chain, d->columns + (size_t)stat); }

/* Cells that history.h copied to out [n]: integers become doubles where they lie. */
static void as_doubles(double *out, size_t n, bool integer) {
  for (size_t k = 0; integer && k < n; k++) {
    int64_t x;
    memcpy(&x, &out[k], sizeof x);
    out[k] = (double)x;
  }
}

void draws_series(const draws *d, int chain, size_t column, size_t n, double *out) {
  if (column >= d->in_frames) {
    memcpy(out, series(d, chain, column), n * sizeof *out);
    return;
  }
  const draws_place *p = &d->f->place[d->quantity[column]];
  trace_history_series(&d->f->history[chain], p->at + d->cell_of[column], 0, n, out);
  as_doubles(out, n, p->integer);
}

static const double *copy_of(const draws *d, int chain, size_t column) {
  frame_part *f = d->f;
  const aim_alloc *alloc = d->a.alloc;
  size_t n = (size_t)d->chains * f->columns, at = (size_t)chain * f->columns + column, rows = draws_count(d, chain);
  if (!f->copy) {
    double **copy = alloc_get(alloc, n, sizeof *copy);
    size_t *copied = alloc_get(alloc, n, sizeof *copied);
    if (!copy || !copied) {
      alloc_put(alloc, copy, n * sizeof *copy);
      alloc_put(alloc, copied, n * sizeof *copied);
      return NULL;
    }
    for (size_t k = 0; k < n; k++) copy[k] = NULL;
    f->copy = copy;
    f->copied = copied;
    f->copies = n * (sizeof *copy + sizeof *copied);
  }
  if (f->copy[at]) return f->copy[at];
  f->copied[at] = rows ? rows : 1;
  f->copy[at] = alloc_get(alloc, f->copied[at], sizeof(double));
  if (!f->copy[at]) return NULL;
  f->copies += f->copied[at] * sizeof(double);
  draws_series(d, chain, column, rows, f->copy[at]);
  return f->copy[at];
}

const double *draws_of(const draws *d, int chain, size_t column) {
  return column < d->in_frames ? copy_of(d, chain, column) : series(d, chain, column);
}

void draws_cells(const draws *d, int chain, size_t draw, size_t q, double *out) {
  size_t n = d->first[q + 1] - d->first[q];
  if (d->first[q] < d->in_frames) {
    trace_history_read(&d->f->history[chain], draw, d->f->place[q].at, n, out);
    as_doubles(out, n, d->f->place[q].integer);
    return;
  }
  for (size_t e = 0; e < n; e++) out[e] = series(d, chain, draws_column(d, q, e))[draw];
}

void draws_frame(const draws *d, int chain, size_t draw, void *out) { trace_history_read(&d->f->history[chain], draw, 0, d->f->cells, out); }
