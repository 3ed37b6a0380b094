/* NetCDF, where there is the library: what is read must be what was written.  The input describes a file: its format, groups, dimensions,
 * types, attributes and cells, which the library then writes.
 *
 * Files stay as they were written.  The netCDF and HDF5 libraries themselves crash on damaged ones, whose header is theirs to read, and are not
 * built for fuzzing here. */
#include "compiler/netcdf.h"
#include "lang/source.h"
#include "tests/fuzz/fuzz_data.h"

#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* What a writer needs besides. */
#define WRITER_FUNCTIONS(X)                                                                \
  X(int, def_var_chunking, (int, int, int, const size_t *))                                \
  X(int, put_att, (int, int, const char *, int, size_t, const void *))                     \
  X(int, put_vara, (int, int, const size_t *, const size_t *, const void *))               \
  X(int, def_compound, (int, size_t, const char *, int *))                                 \
  X(int, insert_compound, (int, int, const char *, size_t, int))                           \
  X(int, def_vlen, (int, const char *, int, int *))                                        \
  X(int, def_enum, (int, int, const char *, int *))                                        \
  X(int, insert_enum, (int, int, const char *, const void *))                              \
  X(int, def_opaque, (int, size_t, const char *, int *))

typedef struct writer {
  netcdf lib;
#define X(result, name, arguments) result(*name) arguments;
  WRITER_FUNCTIONS(X)
#undef X
} writer;

/* What leaks in the libraries is theirs; that AIM's own memory is given back, fuzz_data.h counts. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0:quarantine_size_mb=16"; }

enum { GROUPS = 5, TYPES = 4, DIMENSIONS = 6, VARIABLES = 6, ATTRIBUTES = 5, RANK = DATA_MAX_RANK + 2, CELLS = 48, TEXT = 12, NAME = NETCDF_MAX_NAME + 1 };
static const size_t width_of[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8};

typedef struct attribute {
  bool there, text; /* a number of a type of the library, or bytes */
  int type;
  size_t n;
  char bytes[32];
} attribute;
enum { FILL, MISSING, SCALE, OFFSET, TRUTH, OWN_NAME, N_ATTRIBUTES };
static const char *const attribute_names[] = {"_FillValue", "missing_value", "scale_factor", "add_offset", "dtype", NETCDF_NAME_ATTRIBUTE};

typedef struct variable {
  int group, id, type, rank;
  int dim[RANK];                /* of `described` */
  size_t extent[RANK], written[RANK]; /* of the file in the end; of what was written */
  char name[NAME];
  attribute attributes[N_ATTRIBUTES];
  char cells[CELLS * 8];        /* by `written`, as the type has them */
  char texts[CELLS][TEXT + 1];  /* of type string */
  bool there, unsure;           /* the library refused to write it */
} variable;

typedef struct described {
  const uint8_t *at, *end;
  writer w;
  int group[GROUPS], type[TYPES], n_types;
  struct {
    int group, id;
    size_t length; /* 0: unlimited */
    char name[NAME];
  } dims[DIMENSIONS];
  int n_dims, n_variables;
  variable variables[VARIABLES];
  char path[64];
} described;

static uint8_t take(described *d) { return d->at < d->end ? *d->at++ : 0; }

static void take_bytes(described *d, char *to, size_t n) {
  for (size_t k = 0; k < n; k++) to[k] = (char)take(d);
}

/* ---- numbers */

static bool is_real(int type) { return type == NETCDF_FLOAT || type == NETCDF_DOUBLE; }
static bool is_number(int type) { return type >= NETCDF_BYTE && type <= NETCDF_UINT64 && type != NETCDF_CHAR; }

static void put_number(int type, int64_t v, char *to) {
  float f = (float)v;
  double r = (double)v;
  memcpy(to, type == NETCDF_FLOAT ? (void *)&f : type == NETCDF_DOUBLE ? (void *)&r : (void *)&v, width_of[type]); /* low bytes come first here */
}

static void take_number(described *d, int type, char *to) {
  size_t n = width_of[type];
  double inf = INFINITY;
  float inf_f = INFINITY;
  switch (take(d) % 8) {
  case 0: memset(to, 0xff, n); break; /* -1, the largest without a sign, NaN */
  case 1: /* the largest with a sign, NaN; the least, -0 */
  case 2: {
    bool least = take(d) & 1;
    memset(to, least ? 0 : 0xff, n);
    to[n - 1] = least ? (char)0x80 : 0x7f;
    break;
  }
  case 3: take_bytes(d, to, n); break;
  case 4:
    put_number(type, 0, to);
    if (is_real(type)) memcpy(to, type == NETCDF_FLOAT ? (void *)&inf_f : (void *)&inf, n);
    break;
  default: put_number(type, (int8_t)take(d), to);
  }
}

static double real_of(int type, const char *s) {
  int64_t i = 0;
  uint64_t u = 0;
  float f;
  double r;
  const size_t n = width_of[type], shift = 64 - 8 * n;
  switch (type) {
  case NETCDF_FLOAT: return memcpy(&f, s, 4), f;
  case NETCDF_DOUBLE: return memcpy(&r, s, 8), r;
  case NETCDF_BYTE: case NETCDF_SHORT: case NETCDF_INT: case NETCDF_INT64:
    memcpy(&u, s, n);
    i = (int64_t)(u << shift) >> shift;
    return (double)i;
  default: return memcpy(&u, s, n), (double)u;
  }
}

/* False where it is no integer of 64 bits with a sign. */
static bool int_of(int type, const char *s, int64_t *i) {
  uint64_t u = 0;
  const size_t n = width_of[type], shift = 64 - 8 * n;
  if (is_real(type)) {
    double r = real_of(type, s);
    if (!(r >= -0x1p63 && r < 0x1p63) || r != floor(r)) return false;
    *i = (int64_t)r;
    return true;
  }
  memcpy(&u, s, n);
  bool sign = type == NETCDF_BYTE || type == NETCDF_SHORT || type == NETCDF_INT || type == NETCDF_INT64;
  *i = sign ? (int64_t)(u << shift) >> shift : (int64_t)u;
  return sign || u <= INT64_MAX;
}

/* What stands where nothing was written: NC_FILL_* of netcdf.h. */
static void default_fill(int type, char *to) {
  const double r = 0x1.ep+122;
  const float f = 0x1.ep+122f;
  switch (type) {
  case NETCDF_FLOAT: memcpy(to, &f, 4); break;
  case NETCDF_DOUBLE: memcpy(to, &r, 8); break;
  case NETCDF_BYTE: put_number(type, -127, to); break;
  case NETCDF_SHORT: put_number(type, -32767, to); break;
  case NETCDF_INT: put_number(type, -2147483647, to); break;
  case NETCDF_INT64: put_number(type, -9223372036854775806, to); break;
  case NETCDF_UINT64: put_number(type, -2, to); break;
  case NETCDF_CHAR: *to = 0; break;
  default: memset(to, 0xff, width_of[type]);
  }
}

/* ---- names and texts */

static void take_name(described *d, char *to /* [NAME] */) {
  static const char *const names[] = {"x", "y", "obs", "time", "a b", "été", "e\xcc\x81", "日本", "z.w", "x[1]", "1", "aim", "\xf0\x9f\x90\x9f"};
  uint8_t b = take(d);
  if (b < 128) snprintf(to, NAME, "%s", names[b % (sizeof names / sizeof names[0])]);
  else {
    size_t n = (size_t)b - 127;
    memset(to, 'n', n);
    for (size_t k = 0; k < n && k < 6; k++) to[k] = (char)take(d);
    to[n] = 0;
  }
}

static size_t take_text(described *d, char *to, size_t most) {
  static const char *const texts[] = {"", "a", "pear", " ", "é", "b  ", "bool", "\xff", "\xc3", "日"};
  uint8_t b = take(d);
  const char *s = texts[b % (sizeof texts / sizeof texts[0])];
  size_t n = strlen(s) < most ? strlen(s) : most;
  if (b < 192) return memcpy(to, s, n), n;
  n = b % (most + 1);
  take_bytes(d, to, n);
  return n;
}

static bool is_utf8(const char *s, size_t n) {
  uint32_t cp;
  for (size_t k = 0, m; k < n; k += m)
    if ((m = (size_t)utf8_decode(s + k, n - k, &cp)) == 0) return false;
  return true;
}

/* ---- writing */

static void define_groups(described *d, int root) {
  static const char *const names[] = {NULL, "observed_data", "constant_data", "posterior", "deep"};
  static const int parents[] = {0, 0, 0, 0, 1};
  uint8_t which = take(d);
  d->group[0] = root;
  for (int k = 1; k < GROUPS; k++)
    if (!(which >> k & 1) || d->group[parents[k]] < 0 || d->w.lib.def_grp(d->group[parents[k]], names[k], &d->group[k])) d->group[k] = -1;
}

static void define_types(described *d, int root) {
  uint8_t which = take(d);
  const writer *w = &d->w;
  int *t = &d->type[0], n = 0;
  if (which & 1 && !w->def_compound(root, 40, "pair", &t[n]) && !w->insert_compound(root, t[n], "r", 0, NETCDF_DOUBLE) && !w->insert_compound(root, t[n], "i", 8, NETCDF_INT)) n++;
  if (which & 2 && !w->def_vlen(root, "list", NETCDF_DOUBLE, &t[n])) n++;
  if (which & 4 && !w->def_enum(root, NETCDF_BYTE, "colour", &t[n]) && !w->insert_enum(root, t[n], "red", "\1")) n++;
  if (which & 8 && !w->def_opaque(root, 24, "bytes", &t[n])) n++;
  d->n_types = n;
}

/* A group that is there. */
static int take_group(described *d) {
  int k = take(d) % GROUPS;
  return d->group[k] < 0 ? 0 : k;
}

/* huge: there may be an extent that no file holds.  In the classic format the library would write all of it. */
static void define_dims(described *d, bool huge) {
  static const size_t lengths[] = {1, 2, 3, 0, 5, 0, 7, 0, 1, (size_t)1 << 40};
  for (int n = take(d) % (DIMENSIONS + 1); n > 0; n--) {
    int k = d->n_dims, group = d->dims[k].group = take_group(d);
    take_name(d, d->dims[k].name);
    d->dims[k].length = lengths[take(d) % (sizeof lengths / sizeof lengths[0] - !huge)];
    if (d->w.lib.def_dim(d->group[group], d->dims[k].name, d->dims[k].length, &d->dims[k].id)) continue;
    size_t unused;
    if (d->w.lib.inq_dim(d->group[group], d->dims[k].id, d->dims[k].name, &unused)) continue; /* names are normalised */
    d->n_dims++;
  }
}

static void define_attribute(described *d, variable *v, int k) {
  attribute *a = &v->attributes[k];
  const int group = d->group[v->group];
  static const int numbers[] = {NETCDF_DOUBLE, NETCDF_FLOAT, NETCDF_BYTE, NETCDF_SHORT, NETCDF_INT, NETCDF_INT64, NETCDF_UBYTE, NETCDF_UINT64};
  const uint8_t how = take(d);
  if (k == FILL && v->type == NETCDF_STRING) return;
  a->text = k == TRUTH || k == OWN_NAME || how % 16 == 15;
  a->n = how % 16 == 14 ? 0 : how % 16 == 13 ? 2 : 1;
  if (a->text) {
    a->type = NETCDF_CHAR;
    a->n = take_text(d, a->bytes, sizeof a->bytes);
    a->there = d->w.put_att(group, v->id, attribute_names[k], NETCDF_CHAR, a->n, a->bytes) == 0;
  } else if (how % 16 == 12) { /* of a type of the file's, or texts: no number */
    double zeros[16] = {0};
    const char *s = "1";
    if (how & 16 && d->n_types) d->w.put_att(group, v->id, attribute_names[k], d->type[(how >> 5) % d->n_types], 1, zeros);
    else d->w.put_att(group, v->id, attribute_names[k], NETCDF_STRING, 1, &s);
  } else {
    a->type = k == FILL && is_number(v->type) ? v->type : numbers[(how >> 4) % 8];
    for (size_t i = 0; i < a->n; i++) take_number(d, a->type, a->bytes + i * width_of[a->type]);
    a->there = d->w.put_att(group, v->id, attribute_names[k], a->type, a->n, a->bytes) == 0;
  }
}

static void define_variables(described *d) {
  for (int n = take(d) % (VARIABLES + 1); n > 0; n--) {
    variable *v = &d->variables[d->n_variables];
    *v = (variable){.group = take_group(d)};
    int type = take(d), ids[RANK];
    size_t chunk[RANK];
    bool grows = false;
    v->type = type % (NETCDF_STRING + 2) <= NETCDF_STRING ? 1 + type % NETCDF_STRING : d->n_types ? d->type[type % d->n_types] : NETCDF_DOUBLE;
    take_name(d, v->name);
    int rank = take(d);
    for (rank = rank < 240 ? rank % 4 : rank - 240 + 3; rank > 0 && v->rank < RANK && d->n_dims; rank--) {
      int k = take(d) % d->n_dims;
      if (d->dims[k].group && d->dims[k].group != v->group) continue;
      if (v->rank > 4 && d->dims[k].length != 1) continue;
      v->dim[v->rank] = k;
      grows |= d->dims[k].length == 0 || d->dims[k].length > CELLS;
      chunk[v->rank] = rank < 4 ? 2 : 1;
      ids[v->rank++] = d->dims[k].id;
    }
    if (d->w.lib.def_var(d->group[v->group], v->name, v->type, v->rank, ids, &v->id)) continue;
    if (grows) d->w.def_var_chunking(d->group[v->group], v->id, 0, chunk); /* the library's own are megabytes, or the whole, and filled */
    int unused;
    if (d->w.lib.inq_var(d->group[v->group], v->id, v->name, &unused, NULL, NULL, NULL)) continue;
    uint8_t which = take(d);
    for (int k = 0; k < N_ATTRIBUTES; k++)
      if (which >> k & 1) define_attribute(d, v, k);
    d->n_variables++;
  }
}

static void write_cells(described *d, variable *v) {
  const char *texts[CELLS];
  size_t cells = 1, start[RANK] = {0};
  for (int k = 0; k < v->rank; k++) {
    size_t length = d->dims[v->dim[k]].length;
    v->written[k] = length ? length : take(d) % 4;
    cells = v->written[k] <= CELLS / (cells ? cells : 1) ? cells * v->written[k] : CELLS + 1;
  }
  if (cells > CELLS || take(d) == 255 || v->type > NETCDF_STRING) { /* nothing */
    memset(v->written, 0, sizeof v->written);
    return;
  }
  v->there = true;
  for (size_t k = 0; k < cells; k++) {
    if (v->type == NETCDF_STRING) {
      size_t n = take_text(d, v->texts[k], TEXT);
      v->texts[k][n] = 0;
      texts[k] = v->texts[k];
    } else if (v->type == NETCDF_CHAR) {
      char s[TEXT];
      size_t n = take_text(d, s, cells - k < TEXT ? cells - k : TEXT);
      memcpy(v->cells + k, s, n);
      if (n) k += n - 1;
    } else {
      const attribute *fill = &v->attributes[FILL];
      char *to = v->cells + k * width_of[v->type];
      if (fill->there && fill->n && take(d) & 1) memcpy(to, fill->bytes, width_of[v->type]);
      else take_number(d, v->type, to);
    }
  }
  if (d->w.put_vara(d->group[v->group], v->id, start, v->written, v->type == NETCDF_STRING ? (const void *)texts : v->cells)) v->unsure = true;
}

/* False: the library takes no such file. */
static bool write_file(described *d) {
  enum { CLASSIC_MODEL = 0x100, OFFSETS_64 = 0x200, DATA_64 = 0x20 };
  static const int formats[] = {NETCDF_NETCDF4, NETCDF_NETCDF4, 0, NETCDF_NETCDF4 | CLASSIC_MODEL, OFFSETS_64, DATA_64};
  const int format = formats[take(d) % 6];
  int root;
  if (d->w.lib.create(d->path, format, &root)) return false;
  define_groups(d, root);
  define_types(d, root);
  define_dims(d, format & NETCDF_NETCDF4);
  define_variables(d);
  bool fine = d->n_variables > 0 && (format == NETCDF_NETCDF4 || d->w.lib.enddef(root) == 0);
  for (int k = 0; k < d->n_variables && fine; k++) write_cells(d, &d->variables[k]);
  for (int k = 0; k < d->n_variables && fine; k++)
    for (int i = 0; i < d->variables[k].rank; i++) {
      char unused[NAME];
      if (d->w.lib.inq_dim(d->group[d->variables[k].group], d->dims[d->variables[k].dim[i]].id, unused, &d->variables[k].extent[i])) fine = false;
    }
  if (d->w.lib.close(root)) fine = false;
  return fine;
}

/* ---- comparing */

#define must(holds) ((holds) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #holds), abort()))

/* Where cell k of the file stands among those that were written; -1: it was not. */
static long written_at(const variable *v, size_t k) {
  long at = 0, stride = 1;
  for (int a = v->rank - 1; a >= 0; a--) {
    size_t i = k % v->extent[a];
    k /= v->extent[a];
    if (i >= v->written[a]) return -1;
    at += (long)i * stride;
    stride *= (long)v->written[a];
  }
  return v->there ? at : -1;
}

static void cell_bytes(const variable *v, size_t k, char *to) {
  const long at = written_at(v, k);
  const attribute *fill = &v->attributes[FILL];
  if (at >= 0) memcpy(to, v->cells + (size_t)at * width_of[v->type], width_of[v->type]);
  else if (fill->there && fill->n == 1) memcpy(to, fill->bytes, width_of[v->type]);
  else default_fill(v->type, to);
}

/* The number of an attribute, where it is one. */
static const attribute *number(const variable *v, int k) {
  const attribute *a = &v->attributes[k];
  return a->there && !a->text && a->n == 1 ? a : NULL;
}

static bool by_reals(const variable *v) { return is_real(v->type) || number(v, SCALE) || number(v, OFFSET); }

/* What stands in cell k of a variable of numbers: false where it is missing, or no integer of 64 bits (*beyond). */
static bool wanted(const variable *v, size_t k, double *r, int64_t *i, bool *beyond) {
  char bytes[8];
  bool missing = false;
  cell_bytes(v, k, bytes);
  const bool reals = by_reals(v);
  *r = real_of(v->type, bytes);
  *beyond = !int_of(v->type, bytes, i) && !reals;
  for (int m = FILL; m <= MISSING; m++) {
    const attribute *a = number(v, m);
    int64_t fill;
    if (!a) continue;
    double x = real_of(a->type, a->bytes);
    if (v->type == NETCDF_FLOAT && fabs(x) <= (double)FLT_MAX) x = (float)x;
    missing |= reals ? *r == x || (isnan(*r) && isnan(x)) : int_of(a->type, a->bytes, &fill) && fill == *i;
  }
  const attribute *scale = number(v, SCALE), *offset = number(v, OFFSET);
  double times = scale ? real_of(scale->type, scale->bytes) : 1, plus = offset ? real_of(offset->type, offset->bytes) : 0;
  if (times != 1 || plus != 0) *r = *r * times + plus;
  return !missing;
}

static void compare_numbers(const variable *v, const data_array *x) {
  const attribute *truth = &v->attributes[TRUTH];
  const bool gone = x->cells == x->n_missing;
  bool bits = v->type == NETCDF_BYTE && truth->there && truth->n == 4 && memcmp(truth->bytes, "bool", 4) == 0;
  for (size_t k = 0; k < x->cells; k++) {
    double r;
    int64_t i;
    bool beyond, there = wanted(v, k, &r, &i, &beyond);
    must(!beyond && there == !(x->missing && x->missing[k]));
    bits &= !there || (i & ~(int64_t)1) == 0;
    if (there && by_reals(v)) must(x->f64[k] == r || (isnan(r) && isnan(x->f64[k])));
    else if (there) must(x->i64[k] == i);
  }
  must(x->kind == (gone ? DATA_INT : by_reals(v) ? DATA_REAL : bits ? DATA_BOOL : DATA_INT));
}

/* The text of a cell, of `width` bytes where it is of characters. */
static size_t wanted_text(const variable *v, size_t k, size_t width, char *to) {
  size_t n = 0;
  if (v->type == NETCDF_STRING) {
    long at = written_at(v, k);
    return (size_t)snprintf(to, TEXT + 1, "%s", at < 0 ? "" : v->texts[at]);
  }
  while (n < width && (cell_bytes(v, k * width + n, to + n), to[n])) n++;
  while (n && to[n - 1] == ' ') n--;
  return n;
}

/* The cells of x, or of what it would be; false where one is no text. */
static bool compare_texts(const variable *v, size_t cells, size_t width, const data_array *x) {
  char text[CELLS + TEXT + 1];
  for (size_t k = 0; k < cells; k++) {
    size_t n = wanted_text(v, k, width, text);
    if (!is_utf8(text, n)) return false;
    if (x) must(strlen(x->levels[x->i64[k] - 1]) == n && memcmp(x->levels[x->i64[k] - 1], text, n) == 0);
  }
  if (x) must(x->kind == (cells ? DATA_TEXT : DATA_INT));
  return true;
}

/* Whether the cells of a variable are those that were written.  Where dimensions have grown without it, the library fills up what is read;
 * that comes out right where the first dimension is the only one that grows. */
static bool understood(const described *d, const variable *v) {
  int unlimited = 0, short_of = 0;
  for (int k = 0; k < v->rank; k++) {
    if (v->extent[k] > CELLS) return false;
    unlimited += d->dims[v->dim[k]].length == 0;
    if (v->there && v->written[k] < v->extent[k]) short_of += 1 + k;
  }
  return !v->unsure && (short_of == 0 || (short_of == 1 && unlimited == 1));
}

/* One variable: 1 where the set must have it, 0 where it is no data, -1 where it is refused, -2 where this harness does not know. */
static int compare_variable(const described *d, const variable *v, const data_set *ds, const char *name, bool again) {
  const bool chars = v->type == NETCDF_CHAR && v->rank > 0;
  const int rank = v->rank - chars;
  size_t cells = 1, width = chars ? v->extent[v->rank - 1] : 1;
  if (v->group && v->rank == 1 && strcmp(v->name, d->dims[v->dim[0]].name) == 0) return 0;
  if (!understood(d, v)) return -2;
  if (again || v->type > NETCDF_STRING || rank > DATA_MAX_RANK) return -1;
  for (int k = 0; k < rank; k++) cells *= v->extent[k];
  if (cells && !v->there && v->type == NETCDF_STRING) return -2;
  const bool text = v->type == NETCDF_CHAR || v->type == NETCDF_STRING;
  for (size_t k = 0; k < cells && !text; k++) {
    double r;
    int64_t i;
    bool beyond;
    wanted(v, k, &r, &i, &beyond);
    if (beyond) return -1;
  }
  if (text && !compare_texts(v, cells, width, NULL)) return -1;
  const data_array *x = data_find(ds, name);
  must(x != NULL);
  must(x->rank == rank && x->cells == cells);
  for (int k = 0; k < rank; k++) must((size_t)x->dims[k] == v->extent[k]);
  if (text) compare_texts(v, cells, width, x);
  else compare_numbers(v, x);
  return 1;
}

/* The name of a variable in the set. */
static void wanted_name(const variable *v, char *to /* [NAME] */) {
  const attribute *own = &v->attributes[OWN_NAME];
  const bool named = own->there && own->n > 0 && strnlen(own->bytes, own->n) == own->n && is_utf8(own->bytes, own->n);
  snprintf(to, NAME, "%.*s", named ? (int)own->n : NAME, named ? own->bytes : v->name);
}

static void compare(const described *d, const data_set *ds) {
  char names[VARIABLES][NAME];
  size_t entered = 0, refused = 0;
  for (int k = 0; k < d->n_variables; k++) {
    wanted_name(&d->variables[k], names[k]);
    for (int i = 0; i < k; i++) /* the library may have changed which of the two is the first */
      if (d->variables[i].group == d->variables[k].group && strcmp(names[i], names[k]) == 0) return;
  }
  bool in[VARIABLES] = {false};
  for (int group = 0; group < 3; group++)
    for (int k = 0; k < d->n_variables; k++) {
      bool again = false;
      for (int i = 0; i < d->n_variables; i++) again |= in[i] && strcmp(names[i], names[k]) == 0;
      if (d->variables[k].group != group) continue;
      int got = compare_variable(d, &d->variables[k], ds, names[k], again);
      if (got == -2) return;
      in[k] = got > 0;
      entered += got > 0;
      refused += got < 0;
    }
  must(ds->n == entered && ds->n_errors == refused);
}

/* ---- the target */

typedef struct job {
  data_set *ds;
  const char *bytes;
  size_t n;
  described d;
} job;

static int job_body(void *ctx) {
  job *j = ctx;
  described *d = &j->d;
  d->at = (const uint8_t *)j->bytes;
  d->end = d->at + j->n;
  if (!write_file(d)) return 0;
  int status = data_read_file(j->ds, d->path);
  compare(d, j->ds);
  return status;
}

static void job_cleanup(void *ctx) { remove(((job *)ctx)->d.path); }

static int read_described(data_set *ds, const char *file, const char *bytes, size_t n) {
  (void)file;
  job j = {.ds = ds, .bytes = bytes, .n = n};
  snprintf(j.d.path, sizeof j.d.path, "%s/aim-fuzz-%d.nc", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
  bool all = netcdf_open(&j.d.w.lib);
#define X(result, name, arguments) all = all && (*(void **)&j.d.w.name = dlsym(j.d.w.lib.handle, "nc_" #name)) != NULL;
  WRITER_FUNCTIONS(X)
#undef X
  return all ? data_guard(ds, job_body, job_cleanup, &j) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  return fuzz_data(read_described, (const char *)bytes, n);
}
