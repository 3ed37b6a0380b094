/* data_netcdf.c: NetCDF as data: the variables of the root, and those of the groups observed_data and constant_data, where ArviZ keeps what a
 * posterior was computed from.
 *
 * The library converts numbers while it reads, straight into the array.  Sizes are believed only as far as the file could hold them when it
 * is compressed as well as can be. */
#include "compiler/data_input.h"
#include "compiler/data_texts.h"
#include "compiler/netcdf.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MOST_VARIABLES = 10000, RUN = 1024, MOST_WIDTH = 1 << 20, MOST_NAME = 1024 };

typedef struct netcdf_job {
  const data_input *in;
  netcdf lib;
  bool opened;
  int root;
  char **held; /* [n_held] texts of the library's, to be given back */
  size_t n_held;
  arena scratch;
} netcdf_job;

static int wrong(netcdf_job *job, const char *where, const char *code, const char *help, const char *what) {
  return data_fail(job->in->ds, code, job->in->file, where, help, "%s", what);
}

static int failed(netcdf_job *job, const char *where, int status) {
  if (status == NETCDF_E_NO_MEMORY) longjmp(*job->in->ds->a->oom, 1);
  if (status == NETCDF_E_RANGE) return wrong(job, where, "E0761", "integers have 64 bits with a sign", "a number is too large");
  return data_fail(job->in->ds, "E0745", job->in->file, where, NULL, "the netCDF library cannot read it: %s", job->lib.strerror(status));
}

/* ---- one variable */

typedef struct variable {
  int group, id, type, rank;
  const char *where;
  data_array *x;
  size_t start[DATA_MAX_RANK + 1], count[DATA_MAX_RANK + 1]; /* the whole */
} variable;

/* The type of an attribute that is one number; else 0. */
static int number_type(netcdf_job *job, const variable *v, const char *name) {
  int type;
  size_t n;
  const bool one = job->lib.inq_att(v->group, v->id, name, &type, &n) == 0 && n == 1;
  return one && type >= NETCDF_BYTE && type <= NETCDF_UINT64 && type != NETCDF_CHAR ? type : 0;
}

static bool attribute(netcdf_job *job, const variable *v, const char *name, double *out) {
  return number_type(job, v, name) && job->lib.get_att_double(v->group, v->id, name, out) == 0;
}

/* The same, where it is an integer of 64 bits with a sign. */
static bool integer_attribute(netcdf_job *job, const variable *v, const char *name, int64_t *out) {
  const int type = number_type(job, v, name);
  if (type != NETCDF_FLOAT && type != NETCDF_DOUBLE) return type && job->lib.get_att_longlong(v->group, v->id, name, (long long *)out) == 0;
  double r;
  if (job->lib.get_att_double(v->group, v->id, name, &r) || !(r >= -0x1p63 && r < 0x1p63) || r != floor(r)) return false;
  *out = (int64_t)r;
  return true;
}

/* xarray writes truth values as bytes with this mark. */
static bool is_truth(netcdf_job *job, const variable *v) {
  int type;
  size_t n;
  char text[8] = "";
  return v->type == NETCDF_BYTE && job->lib.inq_att(v->group, v->id, "dtype", &type, &n) == 0 && type == NETCDF_CHAR && n == 4 &&
         job->lib.get_att_text(v->group, v->id, "dtype", text) == 0 && memcmp(text, "bool", 4) == 0;
}

/* The name that a variable of ours has in its program; else NULL. */
static const char *own_name(netcdf_job *job, const variable *v) {
  int type;
  size_t n;
  uint32_t cp;
  if (job->lib.inq_att(v->group, v->id, NETCDF_NAME_ATTRIBUTE, &type, &n) || type != NETCDF_CHAR || n == 0 || n > MOST_NAME) return NULL;
  char *name = arena_alloc(job->in->ds->a, n + 1, 1);
  if (job->lib.get_att_text(v->group, v->id, NETCDF_NAME_ATTRIBUTE, name) || strlen(name) != n) return NULL;
  for (size_t k = 0, m; k < n; k += m)
    if ((m = (size_t)utf8_decode(name + k, n - k, &cp)) == 0) return NULL;
  return name;
}

static void mark_missing(netcdf_job *job, data_array *x, size_t k, uint8_t **missing) {
  if (!*missing) x->missing = *missing = ARENA_ARRAY(job->in->ds->a, uint8_t, x->cells);
  if (!(*missing)[k]) x->n_missing++;
  (*missing)[k] = 1;
}

/* An array without a value has the kind that binds to any (data.h). */
static int no_values(netcdf_job *job, data_array *x) {
  x->kind = DATA_INT;
  x->i64 = ARENA_ARRAY(job->in->ds->a, int64_t, x->cells);
  return data_enter(job->in->ds, x);
}

static int read_reals(netcdf_job *job, variable *v) {
  data_array *x = v->x;
  double *f = ARENA_ARRAY(job->in->ds->a, double, x->cells), scale = 1, offset = 0;
  int status = job->lib.get_vara_double(v->group, v->id, v->start, v->count, f);
  if (status) return failed(job, v->where, status);
  uint8_t *missing = NULL;
  static const char *const names[] = {"_FillValue", "missing_value"};
  for (int a = 0; a < 2; a++) {
    double fill;
    if (!attribute(job, v, names[a], &fill)) continue;
    if (v->type == NETCDF_FLOAT && fabs(fill) <= (double)FLT_MAX) fill = (float)fill; /* as the cells hold it */
    for (size_t k = 0; k < x->cells; k++)
      if (f[k] == fill || (isnan(fill) && isnan(f[k]))) mark_missing(job, x, k, &missing);
  }
  attribute(job, v, "scale_factor", &scale);
  attribute(job, v, "add_offset", &offset);
  for (size_t k = 0; k < x->cells && (scale != 1 || offset != 0); k++) f[k] = f[k] * scale + offset;
  for (size_t k = 0; k < x->cells && missing; k++)
    if (missing[k]) f[k] = NAN;
  if (x->n_missing == x->cells) return no_values(job, x);
  x->kind = DATA_REAL;
  x->f64 = f;
  return data_enter(job->in->ds, x);
}

static int read_ints(netcdf_job *job, variable *v) {
  data_array *x = v->x;
  int64_t *i = ARENA_ARRAY(job->in->ds->a, int64_t, x->cells);
  int status = job->lib.get_vara_longlong(v->group, v->id, v->start, v->count, (long long *)i);
  if (status) return failed(job, v->where, status);
  uint8_t *missing = NULL;
  static const char *const names[] = {"_FillValue", "missing_value"};
  for (int a = 0; a < 2; a++) {
    int64_t fill;
    if (!integer_attribute(job, v, names[a], &fill)) continue;
    for (size_t k = 0; k < x->cells; k++)
      if (i[k] == fill) mark_missing(job, x, k, &missing);
  }
  bool truth = is_truth(job, v);
  for (size_t k = 0; k < x->cells; k++) {
    if (missing && missing[k]) i[k] = 0;
    truth &= (i[k] & ~(int64_t)1) == 0;
  }
  x->kind = truth && x->n_missing < x->cells ? DATA_BOOL : DATA_INT;
  x->i64 = i;
  return data_enter(job->in->ds, x);
}

static int add_text(netcdf_job *job, variable *v, data_texts *t, int64_t *codes, size_t cell, const char *s, size_t n) {
  uint32_t cp;
  for (size_t k = 0; k < n;) {
    int m = (signed char)s[k] > 0 ? 1 : utf8_decode(s + k, n - k, &cp);
    if (m == 0) return wrong(job, data_cell_where(v->x, cell, job->in->ds->a), "E0763", NULL, "these bytes are not UTF-8");
    k += (size_t)m;
  }
  codes[cell] = (int64_t)data_texts_add(t, s, n);
  return codes[cell] ? 0 : wrong(job, v->where, "E0758", NULL, "there are too many different texts");
}

static void give_back(netcdf_job *job) {
  if (job->n_held) job->lib.free_string(job->n_held, job->held);
  job->n_held = 0;
}

/* The place of cell k as a start of its own. */
static void place(const data_array *x, size_t k, size_t *start) {
  for (int a = x->rank - 1; a >= 0; a--) {
    start[a] = k % (size_t)x->dims[a];
    k /= (size_t)x->dims[a];
  }
}

/* Texts of one byte an element, filled up with zeros or blanks: the last axis is theirs.  Or of the library's own, a pointer each.  They are read
 * in runs along the last axis of the array. */
static int read_texts(netcdf_job *job, variable *v, size_t width) {
  data_array *x = v->x;
  const int last = x->rank - 1;
  const size_t row = x->rank ? (size_t)x->dims[last] : 1, most = row < RUN ? row : RUN;
  const bool chars = v->type == NETCDF_CHAR;
  if (chars && width > MOST_WIDTH) return wrong(job, v->where, "E0758", NULL, "its texts are longer than 2^20 bytes");
  data_texts t = {.a = &job->scratch};
  int64_t *codes = ARENA_ARRAY(job->in->ds->a, int64_t, x->cells);
  char *bytes = chars ? ARENA_ARRAY(&job->scratch, char, most * width) : NULL, **texts = ARENA_ARRAY(&job->scratch, char *, most);
  size_t start[DATA_MAX_RANK + 1] = {0}, count[DATA_MAX_RANK + 1];
  for (int k = 0; k < x->rank; k++) count[k] = 1;
  count[x->rank] = width;
  for (size_t k = 0, n; k < x->cells; k += n) {
    place(x, k, start);
    n = x->rank == 0 ? 1 : row - start[last] < most ? row - start[last] : most;
    if (x->rank) count[last] = n;
    int bad = 0, status = chars ? job->lib.get_vara_text(v->group, v->id, start, count, bytes) : job->lib.get_vara_string(v->group, v->id, start, count, texts);
    if (status) return failed(job, v->where, status);
    if (!chars) job->held = texts, job->n_held = n; /* an allocation that fails has them given back */
    for (size_t i = 0; i < n && !bad; i++) {
      const char *s = chars ? bytes + i * width : texts[i] ? texts[i] : "";
      size_t m = chars ? strnlen(s, width) : strlen(s);
      while (chars && m && s[m - 1] == ' ') m--;
      bad = add_text(job, v, &t, codes, k + i, s, m);
    }
    give_back(job);
    if (bad) return -1;
  }
  if (x->cells == 0) return no_values(job, x);
  data_texts_levels(&t, job->in->ds->a, x, codes);
  return data_enter(job->in->ds, x);
}

static bool is_coordinate(const variable *v, const char *name, const char *dim) { return v->rank == 1 && strcmp(name, dim) == 0; }

/* nested: of a group, whose coordinates are no data. */
static int read_variable(netcdf_job *job, int group, int id, bool nested) {
  data_set *ds = job->in->ds;
  variable v = {.group = group, .id = id};
  char name[NETCDF_MAX_NAME + 1] = "", dim[NETCDF_MAX_NAME + 1] = "";
  int rank = 0, dims[NETCDF_MAX_DIMS], attributes;
  int status = job->lib.inq_var(group, id, name, &v.type, &rank, NULL, &attributes);
  if (status == 0 && rank <= NETCDF_MAX_DIMS) status = job->lib.inq_var(group, id, name, &v.type, &rank, dims, &attributes);
  data_array *x = v.x = ARENA_NEW(ds->a, data_array);
  x->name = arena_strndup(ds->a, name, strlen(name));
  x->origin = (data_origin){.source = DATA_FROM_NETCDF, .file = job->in->file};
  const char *own = status ? NULL : own_name(job, &v);
  if (own) x->name = own;
  v.where = data_array_where(x, ds->a);
  if (status) return failed(job, v.where, status);
  const bool chars = v.type == NETCDF_CHAR && rank > 0;
  if (rank - chars > DATA_MAX_RANK) return wrong(job, v.where, "E0758", NULL, "the variable has more than 16 dimensions");
  int64_t *extents = ARENA_ARRAY(ds->a, int64_t, DATA_MAX_RANK + 1);
  for (int k = 0; k < rank; k++) {
    status = job->lib.inq_dim(group, dims[k], dim, &v.count[k]);
    if (status) return failed(job, v.where, status);
    extents[k] = v.count[k] < (size_t)INT64_MAX ? (int64_t)v.count[k] : INT64_MAX;
  }
  v.rank = rank;
  if (nested && is_coordinate(&v, name, dim)) return 0;
  x->rank = rank - chars;
  x->dims = extents;
  const size_t width = chars ? v.count[rank - 1] : 1, held = width ? width : 1; /* a text of no bytes takes a cell all the same */
  if (data_cells(x->rank, extents, &x->cells) < 0 || x->cells > SIZE_MAX / held) return wrong(job, v.where, "E0758", NULL, "the variable does not fit in memory");
  if ((double)x->cells * (double)held > 1032.0 * (double)job->in->size + 0x1p20)
    return wrong(job, v.where, "E0747", "the file has been cut short, or its sizes are wrong", "the variable is larger than the file could hold");
  switch (v.type) {
  case NETCDF_FLOAT:
  case NETCDF_DOUBLE: return read_reals(job, &v);
  case NETCDF_CHAR:
  case NETCDF_STRING: return read_texts(job, &v, width);
  case NETCDF_BYTE: case NETCDF_SHORT: case NETCDF_INT: case NETCDF_UBYTE: case NETCDF_USHORT: case NETCDF_UINT: case NETCDF_INT64: case NETCDF_UINT64: {
    double unused;
    return attribute(job, &v, "scale_factor", &unused) || attribute(job, &v, "add_offset", &unused) ? read_reals(job, &v) : read_ints(job, &v);
  }
  default: return wrong(job, v.where, "E0746", "reals, integers and texts are", "variables of a type that the file defines itself are not read");
  }
}

static int read_group(netcdf_job *job, int group, bool nested) {
  int dims, n, attributes, unlimited, bad = 0;
  int status = job->lib.inq(group, &dims, &n, &attributes, &unlimited);
  if (status) return failed(job, "", status);
  if (n > MOST_VARIABLES) return wrong(job, "", "E0758", NULL, "the file has more than 10000 variables");
  for (int k = 0; k < n && !data_full(job->in->ds); k++)
    if (read_variable(job, group, k, nested) < 0) bad = -1;
  return bad;
}

static int netcdf_body(void *ctx) {
  netcdf_job *job = ctx;
  const data_input *in = job->in;
  arena *a = in->ds->a;
  job->scratch.oom = a->oom;
  if (!netcdf_open(&job->lib)) return data_fail(in->ds, "E0748", in->file, "", job->lib.help, "cannot be read: %s", job->lib.why);
  /* The library takes some paths for addresses in a network: none begins with a point or a slash. */
  int status = in->fd < 0 ? job->lib.open_mem("data.nc", NETCDF_NOWRITE, (size_t)in->size, (void *)in->bytes, &job->root)
                          : job->lib.open(in->file[0] == '/' ? in->file : arena_printf(a, "./%s", in->file), NETCDF_NOWRITE, &job->root);
  if (status) return failed(job, "", status);
  job->opened = true;
  int bad = read_group(job, job->root, false), group;
  static const char *const groups[] = {"observed_data", "constant_data"};
  for (int k = 0; k < 2; k++) /* a file in the classic format has no groups, and the library then gives the root */
    if (job->lib.inq_ncid(job->root, groups[k], &group) == 0 && group != job->root) bad |= read_group(job, group, true);
  return bad;
}

static void netcdf_cleanup(void *ctx) {
  netcdf_job *job = ctx;
  give_back(job);
  if (job->opened) job->lib.close(job->root);
  arena_free(&job->scratch);
}

int data_netcdf(const data_input *in) {
  netcdf_job job = {.in = in};
  arena_init(&job.scratch, in->ds->a->alloc, in->ds->a->limit);
  return data_guard(in->ds, netcdf_body, netcdf_cleanup, &job);
}
