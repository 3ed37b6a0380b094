/* data_json.c: Stan's JSON for data, read through jansson.
 *
 * Two walks over each value: the first finds extents and what kinds of elements there are, the second fills the cells.  Both go
 * no deeper than DATA_MAX_RANK, and jansson limits the depth of what it parses.  jansson allocates with malloc
 * (its allocator is one for the process, so setting it would not be ours to do); its tree is freed before the reader
 * returns, also when an arena runs out.  jansson's own messages quote the text near an error, so that only their codes
 * and positions are used. */
#include "compiler/data_bqm.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

/* What the elements of one array are, by bit. */
enum { SEEN_INT = 1, SEEN_REAL = 2, SEEN_SPECIAL = 4, SEEN_BOOL = 8, SEEN_TEXT = 16, SEEN_NULL = 32 };

typedef struct json_job {
  data_set *ds;
  const char *file, *bytes;
  size_t n, bom; /* bom: bytes of a byte order mark */
  json_t *root;
  arena scratch;
  /* the array being read */
  data_array *x;
  int64_t dims[DATA_MAX_RANK], at[DATA_MAX_RANK]; /* extents; path to the element, from 0 */
  int rank;
  unsigned seen;
  size_t next;            /* cell to fill */
  bool uneven;            /* two axes, and rows of different lengths */
  double *reals;
  int64_t *ints;
  uint8_t *missing;
  const char **texts;
} json_job;

/* Texts that stand for reals JSON cannot spell. */
static bool special(const char *s, double *value) {
  double sign = 1;
  if (strcmp(s, "NaN") == 0 || strcmp(s, "nan") == 0) {
    *value = NAN;
    return true;
  }
  if (*s == '-' || *s == '+') sign = *s++ == '-' ? -1 : 1;
  if (strcmp(s, "Inf") != 0 && strcmp(s, "inf") != 0 && strcmp(s, "Infinity") != 0) return false;
  *value = sign * INFINITY;
  return true;
}

static const char *path_where(json_job *job, int depth) {
  strbuf b;
  strbuf_init(&b, job->ds->a);
  strbuf_puts(&b, data_array_where(job->x, job->ds->a));
  for (int i = 0; i < depth; i++) strbuf_printf(&b, "%s%lld", i ? ", " : ", element [", (long long)job->at[i] + 1);
  if (depth) strbuf_putc(&b, ']');
  return b.s;
}

static const char *type_phrase(const json_t *v) {
  switch (json_typeof(v)) {
  case JSON_ARRAY: return "an array";
  case JSON_OBJECT: return "an object";
  case JSON_STRING: return "a text";
  case JSON_TRUE: case JSON_FALSE: return "a boolean";
  case JSON_NULL: return "null";
  default: return "a number";
  }
}

static int scan(json_job *job, const json_t *v, int depth) {
  data_set *ds = job->ds;
  if (json_is_object(v))
    return data_fail(ds, "E0762", job->file, path_where(job, depth), "give each part of the object a key of its own at the top",
                     "an object stands where a number, a text or an array is expected");
  if (depth < job->rank) {
    if (!json_is_array(v))
      return data_fail(ds, "E0759", job->file, path_where(job, depth), json_is_null(v) ? "null stands for one missing value: write one for each element" : NULL,
                       "%s stands where an array of %lld element%s is expected, as the first at this depth is", type_phrase(v), (long long)job->dims[depth],
                       job->dims[depth] == 1 ? "" : "s");
    size_t n = json_array_size(v);
    if ((int64_t)n != job->dims[depth] && job->rank == 2 && depth == 1) job->uneven = true;
    else if ((int64_t)n != job->dims[depth])
      return data_fail(ds, "E0759", job->file, path_where(job, depth), "make all rows equally long (null stands for a missing value)",
                       "this row has %zu element%s, and the first at this depth has %lld", n, n == 1 ? "" : "s", (long long)job->dims[depth]);
    for (size_t i = 0; i < n; i++) {
      job->at[depth] = (int64_t)i;
      if (scan(job, json_array_get(v, i), depth + 1) < 0) return -1;
    }
    return 0;
  }
  if (json_is_array(v))
    return data_fail(ds, "E0759", job->file, path_where(job, depth), NULL, "an array stands where one value is expected, as the first at this depth is");
  double d;
  unsigned now = json_is_integer(v) ? SEEN_INT : json_is_real(v) ? SEEN_REAL : json_is_boolean(v) ? SEEN_BOOL : json_is_null(v) ? SEEN_NULL : special(json_string_value(v), &d) ? SEEN_SPECIAL : SEEN_TEXT;
  unsigned all = job->seen | now, numbers = SEEN_INT | SEEN_REAL;
  bool mixed = ((all & SEEN_TEXT) && (all & (numbers | SEEN_BOOL))) || ((all & SEEN_BOOL) && (all & (numbers | SEEN_SPECIAL)));
  if (mixed)
    return data_fail(ds, "E0760", job->file, path_where(job, depth), "an array holds only numbers, only booleans or only texts",
                     "%s stands among %s", type_phrase(v), job->seen & SEEN_BOOL ? "booleans" : job->seen & numbers ? "numbers" : "texts");
  job->seen = all;
  return 0;
}

static void fill(json_job *job, const json_t *v, int depth) {
  if (depth < job->rank + job->uneven) {
    size_t n = json_array_size(v);
    for (size_t i = 0; i < n; i++) fill(job, json_array_get(v, i), depth + 1);
    return;
  }
  size_t i = job->next++;
  if (json_is_null(v)) {
    job->missing[i] = 1;
    if (job->reals) job->reals[i] = NAN;
  } else if (job->texts) job->texts[i] = json_string_value(v);
  else if (json_is_boolean(v)) job->ints[i] = json_is_true(v);
  else if (job->ints) job->ints[i] = json_integer_value(v);
  else if (!json_is_string(v)) job->reals[i] = json_number_value(v);
  else special(json_string_value(v), &job->reals[i]);
}

static int read_value(json_job *job, const char *key, const json_t *v) {
  data_set *ds = job->ds;
  data_array *x = job->x = ARENA_NEW(ds->a, data_array);
  x->name = arena_strndup(ds->a, key, strlen(key));
  x->origin = (data_origin){.source = DATA_FROM_JSON, .file = job->file};
  job->rank = 0;
  job->seen = 0;
  job->uneven = false;
  for (const json_t *u = v; json_is_array(u); u = json_array_get(u, 0)) { /* extents are those of the first rows */
    if (job->rank == DATA_MAX_RANK)
      return data_fail(ds, "E0758", job->file, path_where(job, 0), NULL, "arrays are nested more than %d deep", DATA_MAX_RANK);
    job->at[job->rank] = 0;
    job->dims[job->rank++] = (int64_t)json_array_size(u);
    if (json_array_size(u) == 0) break;
  }
  if (scan(job, v, 0) < 0) return -1;
  if (job->uneven) {
    x->n_rows = json_array_size(v);
    int64_t *rows = ARENA_ARRAY(ds->a, int64_t, x->n_rows);
    job->rank = 1;
    job->dims[0] = 0;
    for (size_t i = 0; i < x->n_rows; i++) job->dims[0] += rows[i] = (int64_t)json_array_size(json_array_get(v, i));
    x->rows = rows;
  }
  if (data_cells(job->rank, job->dims, &x->cells) < 0) return data_fail(ds, "E0758", job->file, path_where(job, 0), NULL, "the array does not fit in memory");
  int64_t *dims = ARENA_ARRAY(ds->a, int64_t, (size_t)job->rank);
  memcpy(dims, job->dims, (size_t)job->rank * sizeof *dims);
  x->rank = job->rank;
  x->dims = dims;
  job->next = 0;
  job->reals = NULL;
  job->ints = NULL;
  job->texts = NULL;
  job->missing = job->seen & SEEN_NULL ? ARENA_ARRAY(ds->a, uint8_t, x->cells) : NULL;
  x->kind = job->seen & SEEN_TEXT ? DATA_TEXT : job->seen & (SEEN_REAL | SEEN_SPECIAL) ? DATA_REAL : job->seen & SEEN_BOOL ? DATA_BOOL : DATA_INT;
  if (x->kind == DATA_REAL) x->f64 = job->reals = ARENA_ARRAY(ds->a, double, x->cells);
  else if (x->kind == DATA_TEXT) job->texts = ARENA_ARRAY(&job->scratch, const char *, x->cells);
  else x->i64 = job->ints = ARENA_ARRAY(ds->a, int64_t, x->cells);
  fill(job, v, 0);
  x->missing = job->missing;
  for (size_t i = 0; i < x->cells && x->missing; i++) x->n_missing += x->missing[i];
  if (job->texts) data_set_levels(ds, x, job->texts);
  return data_enter(ds, x);
}

static bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* What people most often write instead of JSON, told by the bytes before the place where jansson stopped. */
static const char *syntax_guess(const json_job *job, const json_error_t *e, const char **help) {
  static const char *const words[] = {"NaN", "nan", "Inf", "inf", "Infinity", "NA", "True", "False", "None", "NULL", "TRUE", "FALSE"};
  static const char *const meant[] = {"a missing value is null", "a missing value is null", "write \"Inf\"", "write \"Inf\"", "write \"Inf\"", "a missing value is null",
                                      "write true", "write false", "a missing value is null", "a missing value is null", "write true", "write false"};
  const char *begin = job->bytes + job->bom, *p = begin + (e->position > 0 ? (size_t)e->position : 0), *stop = job->bytes + job->n;
  if (p > stop) p = stop;
  const char *word = p;
  while (word > begin && letter(word[-1])) word--;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if ((size_t)(p - word) == strlen(words[i]) && memcmp(word, words[i], strlen(words[i])) == 0) {
      *help = meant[i];
      return "JSON has no such word";
    }
  *help = "keys and texts stand in double quotes";
  char last = p > begin ? p[-1] : '\0', next = p < stop ? *p : '\0';
  /* The wording of jansson serves only to choose a better sentence. */
  if (strncmp(e->text, "control character", 17) == 0 || strncmp(e->text, "unexpected newline", 18) == 0) {
    *help = "write \\n for a line break and \\t for a tab";
    return "a text or a key holds a control character, or its closing quote is missing";
  }
  if (strncmp(e->text, "invalid escape", 14) == 0 || strncmp(e->text, "invalid Unicode", 15) == 0) {
    *help = "write \\\\ for a backslash";
    return "a backslash begins nothing that JSON knows";
  }
  if (last == '\'') return "a text or a key stands in single quotes";
  if (last == '-' && letter(next)) {
    *help = "write \"-Inf\"";
    return "JSON has no such word";
  }
  bool after_digit = word > begin && word[-1] >= '0' && word[-1] <= '9';
  if (word < p && !after_digit) return "a word stands here without quotes";
  if (last == '}' || last == ']') {
    const char *q = p - 1;
    while (q > begin && (q[-1] == ' ' || q[-1] == '\t' || q[-1] == '\n' || q[-1] == '\r')) q--;
    if (q > begin && q[-1] == ',') {
      *help = "remove the comma";
      return "a comma stands before the closing bracket";
    }
    *help = NULL;
    return "this closing bracket fits nothing open, or stands where a value is expected";
  }
  if (last == '/' || last == '#') {
    *help = "remove the comment";
    return "JSON has no comments";
  }
  if (after_digit || last == '+' || last == '.' || (last >= '0' && last <= '9') || last == '-' || (next >= '0' && next <= '9')) {
    *help = "numbers look like 12, -0.5 or 1e-3: no plus sign, no leading zeros, digits on both sides of a point, no hexadecimals";
    return "this is not a number of JSON";
  }
  return "this is not JSON";
}

static int syntax_error(json_job *job, const json_error_t *e) {
  data_set *ds = job->ds;
  const char *where = e->line > 0 ? arena_printf(ds->a, e->column > 0 ? "line %d, column %d" : "line %d", e->line, e->column) : "";
  switch (json_error_code(e)) {
  case json_error_out_of_memory: longjmp(*ds->a->oom, 1);
  case json_error_stack_overflow: return data_fail(ds, "E0754", job->file, where, NULL, "arrays or objects are nested too deep");
  case json_error_invalid_utf8: return data_fail(ds, "E0763", job->file, where, "save the file as UTF-8", "these bytes are not UTF-8");
  case json_error_premature_end_of_input: return data_fail(ds, "E0753", job->file, where, "close every {, [ and \"", "the file ends before the JSON does");
  case json_error_end_of_input_expected: return data_fail(ds, "E0753", job->file, where, "a file holds one JSON object", "there is more after the end of the JSON");
  case json_error_null_character: case json_error_null_byte_in_key:
    return data_fail(ds, "E0753", job->file, where, NULL, "a text or a key holds the character U+0000");
  case json_error_duplicate_key: return data_fail(ds, "E0757", job->file, where, "rename or remove one of the two", "this key is there twice in one object");
  case json_error_numeric_overflow:
    return data_fail(ds, "E0761", job->file, where, "integers have 64 bits and reals reach 1.8e308; write a larger integer as a real, as 1e20",
                     "this number is too large");
  default: {
    const char *help, *message = syntax_guess(job, e, &help);
    return data_fail(ds, "E0753", job->file, where, help, "%s", message);
  }
  }
}

static int json_body(void *ctx) {
  json_job *job = ctx;
  data_set *ds = job->ds;
  job->scratch.oom = ds->a->oom;
  job->file = arena_strndup(ds->a, job->file, strlen(job->file));
  job->bom = job->n >= 3 && memcmp(job->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  json_error_t e;
  job->root = json_loadb(job->bytes + job->bom, job->n - job->bom, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
  if (!job->root) return syntax_error(job, &e);
  if (job->n && memchr(job->bytes, '\0', job->n)) return data_fail(ds, "E0763", job->file, "", NULL, "there is a NUL byte, so this is not text"); /* jansson takes one for the end of a number */
  if (!json_is_object(job->root))
    return data_fail(ds, "E0755", job->file, "", "write {\"name\": value, ...}", "the file holds %s at the top, and an object of names is expected",
                     type_phrase(job->root));
  if (data_is_bqm(job->root)) return data_read_bqm(ds, job->file, job->root, &job->scratch);
  int status = 0;
  const char *key;
  json_t *v;
  json_object_foreach(job->root, key, v) {
    if (read_value(job, key, v) < 0) status = -1;
    if (data_full(ds)) break;
  }
  return status;
}

static void json_cleanup(void *ctx) {
  json_job *job = ctx;
  json_decref(job->root);
  arena_free(&job->scratch);
}

int data_read_json(data_set *ds, const char *file, const char *bytes, size_t n) {
  json_job job = {.ds = ds, .file = file, .bytes = bytes, .n = n};
  arena_init(&job.scratch, ds->a->alloc, ds->a->limit);
  return data_guard(ds, json_body, json_cleanup, &job);
}
