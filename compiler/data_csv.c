/* data_csv.c: comma-separated values (RFC 4180) as columns.
 *
 * The text is walked twice by the same tokenizer.  The first walk checks quotes and row lengths, counts rows, and learns
 * what each column can be; the second converts.  Nothing is stored per cell between them, so memory is the columns
 * themselves, and for text columns a pointer and the text of each cell. */
#include "compiler/data.h"
#include "compiler/data_number.h"

#include <math.h>
#include <string.h>

/* What a cell can be read as. */
typedef enum cell_form { FORM_EMPTY, FORM_MISSING, FORM_INT, FORM_REAL, FORM_BOOL, FORM_TEXT } cell_form;

typedef struct cell {
  const char *s; /* without outer quotes; "" inside quotes still doubled */
  size_t n;
  bool quoted, doubled, last; /* last: of its row */
  uint32_t line;              /* where it begins */
} cell;

typedef struct column {
  const char *name; /* "" when the column is to be skipped */
  data_array *x;
  bool has_int, has_real, has_bool, has_text, has_missing, has_empty;
  double *reals;
  int64_t *ints;
  uint8_t *missing;
  const char **texts;
} column;

typedef struct csv_job {
  data_set *ds;
  const char *file, *at, *end;
  uint32_t line;
  char separator;
  column *columns;
  size_t n;
  size_t rows;
  bool irregular; /* rows are not on lines 2, 3, ... */
  arena scratch;
} csv_job;

static const char *line_where(csv_job *job, uint32_t line, size_t col) {
  return col ? arena_printf(job->ds->a, "line %u, column %zu", line, col) : arena_printf(job->ds->a, "line %u", line);
}

/* --- the tokenizer ------------------------------------------------------------------------------------------------- */

static bool at_break(const csv_job *job) { return job->at == job->end || *job->at == '\n' || *job->at == '\r'; }

static void skip_break(csv_job *job) {
  if (job->at == job->end) return;
  if (*job->at == '\r' && job->at + 1 < job->end && job->at[1] == '\n') job->at++;
  job->at++;
  job->line++;
}

/* The next cell, and what ends it.  col is for messages.  -1 after a message. */
static int next_cell(csv_job *job, size_t col, cell *c) {
  *c = (cell){.line = job->line};
  if (job->at < job->end && *job->at == '"') {
    c->quoted = true;
    c->s = ++job->at;
    for (;; job->at++) {
      if (job->at == job->end)
        return data_fail(job->ds, "E0764", job->file, line_where(job, c->line, col), "close it, or double a quote that belongs to the text",
                         "the quote that opens this cell is never closed");
      if (*job->at == '\n') job->line++;
      if (*job->at != '"') continue;
      if (job->at + 1 == job->end || job->at[1] != '"') break;
      c->doubled = true;
      job->at++;
    }
    c->n = (size_t)(job->at++ - c->s);
    if (!at_break(job) && *job->at != job->separator)
      return data_fail(job->ds, "E0764", job->file, line_where(job, c->line, col), "double a quote that belongs to the text",
                       "something follows the quote that closes this cell");
  } else {
    c->s = job->at;
    for (; !at_break(job) && *job->at != job->separator; job->at++)
      if (*job->at == '"')
        return data_fail(job->ds, "E0764", job->file, line_where(job, c->line, col), "put the whole cell in quotes and double those inside",
                         "a quote stands inside a cell that does not begin with one");
    c->n = (size_t)(job->at - c->s);
  }
  c->last = at_break(job);
  if (!c->last) job->at++;
  else skip_break(job);
  return 0;
}

static void skip_blank_lines(csv_job *job) {
  while (job->at < job->end && at_break(job)) skip_break(job);
}

static const char *cell_text(const cell *c, arena *a) {
  char *s = arena_strndup(a, c->s, c->n);
  if (!c->doubled) return s;
  size_t n = 0;
  for (size_t i = 0; i < c->n; i++) {
    s[n++] = c->s[i];
    if (c->s[i] == '"') i++;
  }
  s[n] = '\0';
  return s;
}

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static cell trimmed(cell c) {
  while (c.n && is_space(*c.s)) c.s++, c.n--;
  while (c.n && is_space(c.s[c.n - 1])) c.n--;
  return c;
}

/* --- what a cell is ------------------------------------------------------------------------------------------------ */

static bool digit(char c) { return c >= '0' && c <= '9'; }

static bool is_word(const cell *c, const char *word) { return c->n == strlen(word) && memcmp(c->s, word, c->n) == 0; }

static cell_form cell_classify(const cell *raw) {
  cell c = trimmed(*raw);
  if (c.n == 0) return raw->quoted ? FORM_EMPTY : FORM_MISSING;
  if (!raw->quoted && is_word(&c, "NA")) return FORM_MISSING;
  if (digit(*c.s) || *c.s == '-' || *c.s == '+' || *c.s == '.') {
    number_form form = data_number_form(c.s, c.n, '.');
    if (form != NUMBER_NONE) return form == NUMBER_INT ? FORM_INT : FORM_REAL;
  }
  double value;
  if (data_number_special(c.s, c.n, &value)) return FORM_REAL;
  if (is_word(&c, "TRUE") || is_word(&c, "FALSE") || is_word(&c, "true") || is_word(&c, "false")) return FORM_BOOL;
  return FORM_TEXT;
}

static bool read_int(const cell *raw, int64_t *out) {
  cell c = trimmed(*raw);
  return data_number_int(c.s, c.n, out);
}

/* A cell of form INT or REAL. */
static bool read_real(csv_job *job, const cell *raw, double *out) {
  cell c = trimmed(*raw);
  return data_number_special(c.s, c.n, out) || data_number_real(c.s, c.n, &job->scratch, out);
}

/* --- the two walks ------------------------------------------------------------------------------------------------- */

static void find_separator(csv_job *job) {
  bool quoted = false;
  job->separator = ',';
  for (const char *p = job->at; p < job->end && (quoted || (*p != '\n' && *p != '\r')); p++) {
    if (*p == '"') quoted = !quoted;
    else if (!quoted && (*p == ',' || *p == ';' || *p == '\t')) {
      job->separator = *p;
      return;
    }
  }
}

static int read_header(csv_job *job) {
  data_set *ds = job->ds;
  skip_blank_lines(job);
  if (job->at == job->end)
    return data_fail(ds, "E0766", job->file, "", "begin with a line of column names", "the file is empty, and a header is expected");
  find_separator(job);
  job->irregular = job->line != 1;
  size_t cap = 0, named = 0, numbers = 0;
  cell c;
  do {
    if (job->n == DATA_MAX_ARRAYS)
      return data_fail(ds, "E0758", job->file, line_where(job, job->line, 0), NULL, "there are more than %d columns", DATA_MAX_ARRAYS);
    if (next_cell(job, job->n + 1, &c) < 0) return -1;
    cell name = c.quoted ? c : trimmed(c);
    if (name.n > DATA_MAX_NAME)
      return data_fail(ds, "E0756", job->file, line_where(job, c.line, job->n + 1), NULL, "this name is longer than %d bytes", DATA_MAX_NAME);
    cell_form form = cell_classify(&c);
    numbers += form == FORM_INT || form == FORM_REAL;
    column col = {.name = cell_text(&name, &job->scratch)};
    named += *col.name != '\0';
    ARENA_PUSH(&job->scratch, job->columns, job->n, cap, col);
  } while (!c.last);
  if (named == 0) return data_fail(ds, "E0766", job->file, line_where(job, c.line, 0), "begin with a line of column names", "no column has a name");
  if (numbers == named)
    return data_fail(ds, "E0766", job->file, line_where(job, c.line, 0), "begin with a line of column names", "the first line holds only numbers, and a header of names is expected");
  return 0;
}

/* Learns the columns' forms and the number of rows. */
static int walk_first(csv_job *job) {
  data_set *ds = job->ds;
  size_t header = job->n;
  int status = 0;
  for (skip_blank_lines(job); job->at < job->end; skip_blank_lines(job)) {
    uint32_t line = job->line;
    if (line != job->rows + 2) job->irregular = true;
    size_t k = 0;
    cell c;
    do {
      if (next_cell(job, k + 1, &c) < 0) return -1;
      if (k < header) {
        column *col = &job->columns[k];
        switch (cell_classify(&c)) {
        case FORM_INT: col->has_int = true; break;
        case FORM_REAL: col->has_real = true; break;
        case FORM_BOOL: col->has_bool = true; break;
        case FORM_MISSING: col->has_missing = true; break;
        case FORM_EMPTY: col->has_empty = true; break;
        default: {
          cell t = trimmed(c);
          if (job->separator == ';' && !col->has_text && memchr(t.s, ',', t.n) && data_number_form(t.s, t.n, ',') != NUMBER_NONE)
            status = data_fail(ds, "E0767", job->file, line_where(job, c.line, k + 1), "write numbers with a point", "this number has a decimal comma");
          col->has_text = true;
        }
        }
      }
      k++;
    } while (!c.last);
    if (k != header) {
      const char *cause = job->separator == ',' ? "cells are separated by commas here; a cell that holds one stands in quotes" : job->separator == ';' ? "cells are separated by semicolons here" : "cells are separated by tabs here";
      status = data_fail(ds, "E0765", job->file, line_where(job, line, 0), cause, "this row has %zu cell%s, and the header has %zu", k, k == 1 ? "" : "s", header);
    }
    if (data_full(ds)) return -1;
    job->rows++;
  }
  return status;
}

static data_kind column_kind(const column *c) {
  bool number = c->has_int || c->has_real;
  if (c->has_text || (c->has_bool && number)) return DATA_TEXT;
  if (c->has_bool) return DATA_BOOL;
  if (c->has_real) return DATA_REAL;
  if (c->has_int || !c->has_empty) return DATA_INT;
  return DATA_TEXT;
}

static void make_columns(csv_job *job, const uint32_t *lines) {
  data_set *ds = job->ds;
  int64_t *dims = ARENA_ARRAY(ds->a, int64_t, 1);
  dims[0] = (int64_t)job->rows;
  for (size_t k = 0; k < job->n; k++) {
    column *c = &job->columns[k];
    if (!*c->name) continue;
    data_array *x = c->x = ARENA_NEW(ds->a, data_array);
    x->name = arena_strndup(ds->a, c->name, strlen(c->name));
    x->kind = column_kind(c);
    x->rank = 1;
    x->dims = dims;
    x->cells = job->rows;
    x->origin = (data_origin){.source = DATA_FROM_CSV, .file = job->file, .column = (uint32_t)k + 1, .lines = lines};
    if (x->kind == DATA_REAL) x->f64 = c->reals = ARENA_ARRAY(ds->a, double, x->cells);
    else if (x->kind == DATA_TEXT) c->texts = ARENA_ARRAY(&job->scratch, const char *, x->cells);
    else x->i64 = c->ints = ARENA_ARRAY(ds->a, int64_t, x->cells);
    if (c->has_missing || (c->has_empty && x->kind != DATA_TEXT)) x->missing = c->missing = ARENA_ARRAY(ds->a, uint8_t, x->cells);
  }
}

static int convert(csv_job *job, column *col, const cell *c, size_t k, size_t row) {
  data_array *x = col->x;
  cell_form form = cell_classify(c);
  if (form == FORM_MISSING || (form == FORM_EMPTY && !col->texts)) {
    col->missing[row] = 1;
    x->n_missing++;
    if (col->reals) col->reals[row] = NAN;
    return 0;
  }
  bool fits = true;
  if (col->texts) col->texts[row] = cell_text(c, &job->scratch);
  else if (col->reals) fits = read_real(job, c, &col->reals[row]);
  else if (x->kind == DATA_BOOL) col->ints[row] = *trimmed(*c).s == 'T' || *trimmed(*c).s == 't';
  else fits = read_int(c, &col->ints[row]);
  if (fits) return 0;
  return data_fail(job->ds, "E0761", job->file, line_where(job, c->line, k + 1),
                   "integers have 64 bits and reals reach 1.8e308; write a larger integer as a real, as 1e20", "this number is too large");
}

static int walk_second(csv_job *job, uint32_t *lines) {
  int status = 0;
  size_t row = 0;
  for (skip_blank_lines(job); job->at < job->end; skip_blank_lines(job), row++) {
    if (lines) lines[row] = job->line;
    size_t k = 0;
    cell c;
    do {
      if (next_cell(job, k + 1, &c) < 0) return -1;
      if (job->columns[k].x && convert(job, &job->columns[k], &c, k, row) < 0) status = -1;
      k++;
    } while (!c.last);
    if (data_full(job->ds)) return -1;
  }
  return status;
}

/* --- entry --------------------------------------------------------------------------------------------------------- */

/* Neither NUL nor a byte that is not UTF-8: names and levels are texts of the program.  */
static int check_bytes(csv_job *job) {
  uint32_t line = 1, cp;
  for (const char *p = job->at; p < job->end;) {
    if (*p == '\n') line++;
    if (*p == '\0') return data_fail(job->ds, "E0763", job->file, line_where(job, line, 0), NULL, "there is a NUL byte, so this is not text");
    int n = (signed char)*p > 0 ? 1 : utf8_decode(p, (size_t)(job->end - p), &cp);
    if (n == 0) return data_fail(job->ds, "E0763", job->file, line_where(job, line, 0), "save the file as UTF-8", "these bytes are not UTF-8");
    p += n;
  }
  return 0;
}

static int csv_body(void *ctx) {
  csv_job *job = ctx;
  data_set *ds = job->ds;
  job->scratch.oom = ds->a->oom;
  job->file = arena_strndup(ds->a, job->file, strlen(job->file));
  if (job->end - job->at >= 3 && memcmp(job->at, "\xef\xbb\xbf", 3) == 0) job->at += 3;
  if (check_bytes(job) < 0 || read_header(job) < 0) return -1;
  const char *body = job->at;
  uint32_t body_line = job->line;
  if (walk_first(job) < 0) return -1;
  uint32_t *lines = job->irregular ? ARENA_ARRAY(ds->a, uint32_t, job->rows) : NULL;
  make_columns(job, lines);
  job->at = body;
  job->line = body_line;
  if (walk_second(job, lines) < 0) return -1;
  int status = 0;
  for (size_t k = 0; k < job->n && !data_full(ds); k++) {
    column *c = &job->columns[k];
    if (!c->x) continue;
    if (c->texts) data_set_levels(ds, c->x, c->texts);
    if (data_enter(ds, c->x) < 0) status = -1;
  }
  return status;
}

static void csv_cleanup(void *ctx) {
  csv_job *job = ctx;
  arena_free(&job->scratch);
}

int data_read_csv(data_set *ds, const char *file, const char *bytes, size_t n) {
  csv_job job = {.ds = ds, .file = file, .at = bytes, .end = bytes + n, .line = 1};
  arena_init(&job.scratch, ds->a->alloc, ds->a->limit);
  return data_guard(ds, csv_body, csv_cleanup, &job);
}
