/* draws.c: the store of posterior draws. */
#include "vm/draws.h"

#include "lang/arena.h"

#include <stdatomic.h>
#include <string.h>

/* One per chain, a cache line apart, since different threads write them. */
typedef struct chain_rows {
  _Alignas(64) atomic_size_t count;
} chain_rows;

struct draws {
  arena a; /* holds the rest */
  draws_quantity *q;
  size_t n, columns, capacity;
  int chains;
  size_t *first;     /* [n + 1] first column of each quantity */
  size_t *column_of; /* [columns] column of a row-major cell, quantities one after the other */
  size_t *cell_of;   /* [columns] inverse: row-major cell in its quantity */
  size_t *quantity;  /* [columns] */
  double *cells;     /* [chains][columns + DRAWS_N_STATS][capacity] */
  chain_rows *rows;  /* [chains] */
  size_t taken;
};

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
  for (int c = 0; c < d->chains; c++) atomic_init(&d->rows[c].count, 0);
  size_t series = alloc_bytes((size_t)d->chains, d->columns + DRAWS_N_STATS);
  d->cells = arena_alloc(a, series ? series : (size_t)-1, alloc_bytes(d->capacity ? d->capacity : 1, sizeof(double)));
}

draws *draws_create(const aim_alloc *alloc, const draws_quantity *q, size_t n, int chains, size_t capacity) {
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
  build(d, q, n);
  d->taken = d->a.used + sizeof *d;
  return d;
}

void draws_free(draws *d) {
  if (!d) return;
  const aim_alloc *alloc = d->a.alloc;
  arena_free(&d->a);
  alloc_put(alloc, d, sizeof *d);
}

size_t draws_columns(const draws *d) { return d->columns; }
int draws_chains(const draws *d) { return d->chains; }
size_t draws_capacity(const draws *d) { return d->capacity; }
size_t draws_bytes(const draws *d) { return d->taken; }
size_t draws_column(const draws *d, size_t q, size_t cell) { return d->column_of[d->first[q] + cell]; }
size_t draws_quantity_of(const draws *d, size_t column) { return d->quantity[column]; }
size_t draws_cell_of(const draws *d, size_t column) { return d->cell_of[column]; }
size_t draws_chain_stride(const draws *d) { return (d->columns + DRAWS_N_STATS) * (d->capacity ? d->capacity : 1); }

/* --- names --------------------------------------------------------------------------------------------------------- */

typedef struct out_text {
  char *s;
  size_t n, size;
} out_text;

static void put(out_text *o, char c) {
  if (o->n + 1 < o->size) o->s[o->n] = c;
  o->n++;
}

static size_t name_as(const draws *d, size_t column, char *out, size_t size, char open, char between, char close) {
  const draws_quantity *q = &d->q[d->quantity[column]];
  out_text o = {out, 0, size};
  for (const char *s = q->name; *s; s++) put(&o, *s);
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

size_t draws_name(const draws *d, size_t column, char *out, size_t size) { return name_as(d, column, out, size, '[', ',', ']'); }
size_t draws_csv_name(const draws *d, size_t column, char *out, size_t size) { return name_as(d, column, out, size, '.', '.', '\0'); }

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

size_t draws_find(const draws *d, const char *name) {
  for (size_t k = 0; k < d->n; k++) {
    size_t n = strlen(d->q[k].name), cell;
    if (d->first[k] == d->first[k + 1] || strncmp(name, d->q[k].name, n) != 0) continue;
    if (read_indices(&d->q[k], name + n, '[', ',', ']', &cell) || read_indices(&d->q[k], name + n, '.', '.', '\0', &cell)) return draws_column(d, k, cell);
  }
  return (size_t)-1;
}

/* --- rows ---------------------------------------------------------------------------------------------------------- */

static double *series(const draws *d, int chain, size_t column) {
  return d->cells + (size_t)chain * draws_chain_stride(d) + column * (d->capacity ? d->capacity : 1);
}

static int add(draws *d, int chain, const double *values, const size_t *column_of, const double *stats) {
  size_t row = atomic_load_explicit(&d->rows[chain].count, memory_order_relaxed); /* this thread alone writes it */
  if (row >= d->capacity) return -1;
  double *at = series(d, chain, 0) + row;
  for (size_t k = 0; k < d->columns; k++) at[(column_of ? column_of[k] : k) * d->capacity] = values[k];
  for (size_t k = 0; k < DRAWS_N_STATS; k++) at[(d->columns + k) * d->capacity] = stats[k];
  atomic_store_explicit(&d->rows[chain].count, row + 1, memory_order_release);
  return 0;
}

int draws_add(draws *d, int chain, const double *values, const double *stats) { return add(d, chain, values, NULL, stats); }
int draws_add_cells(draws *d, int chain, const double *cells, const double *stats) { return add(d, chain, cells, d->column_of, stats); }

size_t draws_count(const draws *d, int chain) { return atomic_load_explicit(&d->rows[chain].count, memory_order_acquire); }
const double *draws_of(const draws *d, int chain, size_t column) { return series(d, chain, column); }
const double *draws_stat_of(const draws *d, int chain, draws_stat stat) { return series(d, chain, d->columns + (size_t)stat); }
