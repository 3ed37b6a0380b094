/* data_csv.c: comma-separated values (RFC 4180) as columns.
 *
 * The text is walked twice by the same tokenizer.  The first walk checks quotes and row lengths, counts rows, and learns
 * what each column can be; the second converts.  A file is read through a window of whole rows and nothing is stored per cell between the walks, so
 * memory is the columns themselves, and for text columns their distinct texts. */
#include "compiler/data_input.h"
#include "compiler/data_number.h"
#include "compiler/data_texts.h"

#include <math.h>
#include <string.h>

enum { FIRST_WINDOW = 1 << 18, MOST_ROW = 1 << 26 };

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
  data_texts *texts;
} column;

typedef struct csv_job {
  data_set *ds;
  const data_input *in;
  const char *file, *at, *end; /* end: of the last whole row in the window */
  char *window;           /* [cap] of a file; NULL where the bytes are in memory */
  size_t cap, held;       /* bytes of it that are read */
  uint64_t first;         /* position of the window in the file */
  bool checked;           /* this is the second walk */
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

/* Neither NUL nor a byte that is not UTF-8: names and levels are texts of the program.  */
static int check_bytes(csv_job *job) {
  uint32_t line = job->line, cp;
  for (const char *p = job->at; p < job->end;) {
    if (*p == '\n') line++;
    if (*p == '\0') return data_fail(job->ds, "E0763", job->file, line_where(job, line, 0), NULL, "there is a NUL byte, so this is not text");
    int n = (signed char)*p > 0 ? 1 : utf8_decode(p, (size_t)(job->end - p), &cp);
    if (n == 0) return data_fail(job->ds, "E0763", job->file, line_where(job, line, 0), "save the file as UTF-8", "these bytes are not UTF-8");
    p += n;
  }
  return 0;
}

/* --- the window: whole rows of a file ------------------------------------------------------------------------------ */

/* The end of the last row that is whole: behind a line break outside quotes.  NULL if there is none. */
static const char *last_row_end(const char *s, size_t n) {
  const char *end = NULL;
  bool quoted = false;
  for (size_t i = 0; i < n; i++) {
    if (s[i] == '"') quoted = !quoted;
    else if (!quoted && (s[i] == '\n' || (s[i] == '\r' && i + 1 < n && s[i + 1] != '\n'))) end = s + i + 1;
  }
  return end;
}

static void resize_window(csv_job *job, size_t cap) {
  char *p = job->ds->a->alloc->fn(job->ds->a->alloc->user, job->window, job->cap, cap);
  if (!p) longjmp(*job->ds->a->oom, 1);
  job->window = p;
  job->cap = cap;
}

/* Moves the window on; at its end it is empty.  0, or -1 after a message. */
static int next_window(csv_job *job) {
  const data_input *in = job->in;
  if (in->fd < 0) return 0;
  size_t rest = job->held - (size_t)(job->end - job->window);
  job->first += job->held - rest;
  memmove(job->window, job->end, rest);
  job->held = rest;
  for (;;) {
    size_t room = job->cap - job->held;
    uint64_t left = in->size - (job->first + job->held);
    size_t n = left < room ? (size_t)left : room;
    if (data_input_get(in, job->first + job->held, job->window + job->held, n) < 0) return -1;
    job->held += n;
    const char *end = n == left ? job->window + job->held : last_row_end(job->window, job->held);
    if (end) {
      job->at = job->window;
      job->end = end;
      return job->checked ? 0 : check_bytes(job);
    }
    if (job->cap >= MOST_ROW)
      return data_fail(job->ds, "E0764", job->file, line_where(job, job->line, 0), "a quote that is never closed makes one cell of all that follows",
                       "the row that begins here is longer than %d MiB", MOST_ROW >> 20);
    resize_window(job, 2 * job->cap);
  }
}

/* Sets the window to a row's beginning. */
static int seek(csv_job *job, uint64_t at, uint32_t line) {
  job->line = line;
  if (job->in->fd < 0) {
    job->at = job->in->bytes + at;
    job->end = job->in->bytes + job->in->size;
    return job->checked ? 0 : check_bytes(job);
  }
  if (!job->window) resize_window(job, FIRST_WINDOW);
  job->first = at;
  job->held = 0;
  job->at = job->end = job->window;
  return next_window(job);
}

static uint64_t position(const csv_job *job) { return job->in->fd < 0 ? (uint64_t)(job->at - job->in->bytes) : job->first + (uint64_t)(job->at - job->window); }

/* Goes to the next row.  1, 0 at the end of the file, -1 after a message. */
static int next_row(csv_job *job) {
  for (;;) {
    while (job->at < job->end && at_break(job)) skip_break(job);
    if (job->at < job->end) return 1;
    if (next_window(job) < 0) return -1;
    if (job->at == job->end) return 0;
  }
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
  int got = next_row(job);
  if (got < 0) return -1;
  if (got == 0)
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
  int status = 0, got;
  while ((got = next_row(job)) > 0) {
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
    if (++job->rows >= UINT32_MAX) return data_fail(ds, "E0758", job->file, "", "split the file", "there are more than 2^32 rows");
  }
  return got < 0 ? -1 : status;
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
    else x->i64 = c->ints = ARENA_ARRAY(ds->a, int64_t, x->cells);
    if (x->kind == DATA_TEXT) {
      c->texts = ARENA_NEW(&job->scratch, data_texts);
      c->texts->a = &job->scratch;
    }
    if (c->has_missing || (c->has_empty && x->kind != DATA_TEXT)) x->missing = c->missing = ARENA_ARRAY(ds->a, uint8_t, x->cells);
  }
}

static bool add_text(csv_job *job, column *col, const cell *c, size_t row) {
  const char *s = c->doubled ? cell_text(c, &job->scratch) : c->s;
  col->ints[row] = (int64_t)data_texts_add(col->texts, s, c->doubled ? strlen(s) : c->n);
  return col->ints[row] != 0;
}

/* The two walks have not seen the same. */
static int has_changed(csv_job *job) { return data_fail(job->ds, "E0750", job->file, "", NULL, "has changed while it was read"); }

static int convert(csv_job *job, column *col, const cell *c, size_t k, size_t row) {
  data_array *x = col->x;
  cell_form form = cell_classify(c);
  bool number = form == FORM_INT || (form == FORM_REAL && x->kind == DATA_REAL), gone = form == FORM_MISSING || (form == FORM_EMPTY && !col->texts);
  if (gone ? !col->missing : !col->texts && (x->kind == DATA_BOOL ? form != FORM_BOOL : !number)) return has_changed(job);
  if (gone) {
    col->missing[row] = 1;
    x->n_missing++;
    if (col->reals) col->reals[row] = NAN;
    return 0;
  }
  bool fits = true;
  if (col->texts) fits = add_text(job, col, c, row);
  else if (col->reals) fits = read_real(job, c, &col->reals[row]);
  else if (x->kind == DATA_BOOL) col->ints[row] = *trimmed(*c).s == 'T' || *trimmed(*c).s == 't';
  else fits = read_int(c, &col->ints[row]);
  if (fits) return 0;
  return data_fail(job->ds, "E0761", job->file, line_where(job, c->line, k + 1),
                   "integers have 64 bits and reals reach 1.8e308; write a larger integer as a real, as 1e20", "this number is too large");
}

static int walk_second(csv_job *job, uint32_t *lines) {
  int status = 0, got;
  size_t row = 0;
  for (; (got = next_row(job)) > 0; row++) {
    if (row == job->rows) return has_changed(job);
    if (lines) lines[row] = job->line;
    size_t k = 0;
    cell c;
    do {
      if (next_cell(job, k + 1, &c) < 0) return -1;
      if (k == job->n) return has_changed(job);
      if (job->columns[k].x && convert(job, &job->columns[k], &c, k, row) < 0) status = -1;
      k++;
    } while (!c.last);
    if (k < job->n) return has_changed(job);
    if (data_full(job->ds)) return -1;
  }
  if (got == 0 && row < job->rows) return has_changed(job);
  return got < 0 ? -1 : status;
}

/* --- entry --------------------------------------------------------------------------------------------------------- */

static int csv_body(void *ctx) {
  csv_job *job = ctx;
  data_set *ds = job->ds;
  char bom[3] = "";
  job->scratch.oom = ds->a->oom;
  if (job->in->size >= 3 && data_input_get(job->in, 0, bom, 3) < 0) return -1;
  if (seek(job, memcmp(bom, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, 1) < 0 || read_header(job) < 0) return -1;
  const uint64_t body = position(job);
  const uint32_t body_line = job->line;
  if (walk_first(job) < 0) return -1;
  uint32_t *lines = job->irregular ? ARENA_ARRAY(ds->a, uint32_t, job->rows) : NULL;
  make_columns(job, lines);
  job->checked = true;
  if (seek(job, body, body_line) < 0 || walk_second(job, lines) < 0) return -1;
  int status = 0;
  for (size_t k = 0; k < job->n && !data_full(ds); k++) {
    column *c = &job->columns[k];
    if (!c->x) continue;
    if (c->texts) data_texts_levels(c->texts, ds->a, c->x, c->ints);
    if (data_enter(ds, c->x) < 0) status = -1;
  }
  return status;
}

static void csv_cleanup(void *ctx) {
  csv_job *job = ctx;
  alloc_put(job->ds->a->alloc, job->window, job->cap);
  arena_free(&job->scratch);
}

int data_csv(const data_input *in) {
  csv_job job = {.ds = in->ds, .in = in, .file = in->file};
  arena_init(&job.scratch, in->ds->a->alloc, in->ds->a->limit);
  return data_guard(in->ds, csv_body, csv_cleanup, &job);
}

int data_read_csv(data_set *ds, const char *file, const char *bytes, size_t n) {
  data_input in = data_input_memory(ds, file, bytes, n);
  return data_csv(&in);
}
