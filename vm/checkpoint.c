/* checkpoint.c: files of checkpoint.h, and the rows that they count. */
#include "vm/checkpoint.h"

#include "compiler/data_number.h"
#include "vm/file.h"
#include "vm/number_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char magic[8] = "AIMCP01";

/* ---- sums: every step is a bijection of the state, so a change of one word is never lost */

static uint64_t mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t n) {
  const char *at = bytes;
  for (; n >= 8; n -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    h = mix(h, word);
  }
  uint64_t last = 0;
  memcpy(&last, at, n);
  return mix(mix(h, last), n);
}

static uint64_t mix_text(uint64_t h, const char *text) { return mix_bytes(h, text, strlen(text)); }

static uint64_t mix_real(uint64_t h, double x) {
  uint64_t word;
  memcpy(&word, &x, sizeof word);
  return mix(h, word);
}

static uint64_t sum_of(const checkpoint *c) {
  uint64_t h = mix_bytes(0, c, offsetof(checkpoint, sum));
  return mix_bytes(h, c + 1, c->bytes);
}

/* ---- what decides the draws */

static uint64_t mix_names(uint64_t h, const char *const *name, size_t n) {
  h = mix(h, n);
  for (size_t k = 0; k < n; k++) h = mix_text(h, name[k]);
  return h;
}

/* The ladder and the moves of replicas. */
static uint64_t mix_schedule(uint64_t h, const schedule *s, const kernel *k) {
  const uint64_t whole[] = {(uint64_t)k->rule, (uint64_t)k->order, (uint64_t)k->precision, k->proposals};
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) h = mix(h, whole[i]);
  h = mix_real(h, k->floor);
  for (size_t i = 0; s && i < s->n; i++) {
    const schedule_instr *x = &s->code[i];
    h = mix_real(mix(mix(mix(mix(mix(h, (uint64_t)x->code), x->dst), x->a), x->b), x->n), x->value);
  }
  return h;
}

static uint64_t mix_options(uint64_t h, const run_options *o) {
  const int64_t whole[] = {o->method, o->chains, o->warmup, o->draws, o->thin, o->max_depth, o->metric, o->steps, o->order, o->init, o->paths};
  for (size_t k = 0; k < sizeof whole / sizeof *whole; k++) h = mix(h, (uint64_t)whole[k]);
  h = mix(h, o->seed);
  h = mix_real(h, o->target_accept);
  h = mix_real(h, o->step_size);
  h = mix_real(h, o->init_radius);
  h = mix_real(h, o->scale);
  h = mix_schedule(mix(h, o->particles), o->schedule, &o->kernel);
  h = mix(h, o->until.n);
  for (size_t k = 0; k < o->until.n; k++) h = mix_real(mix(h, o->until.step[k].op), o->until.step[k].x);
  return mix_names(mix_names(h, o->save, o->nsave), o->blocks, o->nblocks);
}

static const ir_param *datum(const program *p, const char *name) {
  for (uint32_t k = 0; k < p->ir->nparams; k++)
    if (p->ir->param[k].role == IR_ROLE_DATA && strcmp(p->ir->param[k].name, name) == 0) return &p->ir->param[k];
  return NULL;
}

/* Data that the model does not read decide nothing, and are no parameters of it. */
static uint64_t mix_data(uint64_t h, const program *p) {
  for (size_t k = 0; k < p->ndata; k++) {
    const ir_param *x = datum(p, p->data[k].name);
    if (!x) continue;
    ir_type t = ir_type_of(p->ir, x->val);
    size_t cells = 1;
    h = mix_text(h, x->name);
    for (unsigned d = 0; d < t.rank; d++) {
      int64_t n = size_eval(p->sizes, t.dim[d]);
      h = mix(h, (uint64_t)n);
      cells *= n > 0 ? (size_t)n : 0;
    }
    h = mix_bytes(h, p->data[k].p, cells * sizeof(exec_cell));
  }
  for (size_t k = 0; k < size_symbol_count(p->sizes); k++) {
    int64_t n;
    if (size_value(p->sizes, size_symbol_at(p->sizes, k), &n)) h = mix(h, (uint64_t)n);
  }
  return h;
}

uint64_t checkpoint_model(const program *p, const source_map *sources) {
  uint64_t h = 0;
  for (size_t k = 0; k < sources->n; k++) h = mix_bytes(h, sources->files[k].text, sources->files[k].len);
  return mix_data(mix_text(h, p->model->decl->name.name), p);
}

uint64_t checkpoint_fingerprint(const run *r, const source_map *sources, const char *version) {
  const program *p = r->m->p;
  uint64_t h = mix(mix_text(sizeof(checkpoint), version), checkpoint_model(p, sources));
  for (size_t k = 0; k < p->nsites; k++) {
    h = mix_text(h, p->site[k].name);
    h = mix(h, 2 * p->site[k].site->standard + p->site[k].summed);
  }
  return mix_options(mix(h, p->no_statistics), &r->o);
}

/* ---- files */

int checkpoint_write(const char *path, const char *temporary, checkpoint *c) {
  memcpy(c->magic, magic, sizeof magic);
  c->sum = sum_of(c);
  return file_replace(path, temporary, c, sizeof *c + c->bytes, FILE_MODE_NEW);
}

checkpoint_state checkpoint_read(const char *path, arena *a, checkpoint **out) {
  *out = NULL;
  FILE *f = fopen(path, "rb");
  if (!f) return errno == ENOENT ? CHECKPOINT_ABSENT : CHECKPOINT_DAMAGED;
  struct stat st;
  checkpoint head;
  bool whole = fstat(fileno(f), &st) == 0 && fread(&head, sizeof head, 1, f) == 1 && memcmp(head.magic, magic, sizeof magic) == 0 &&
               st.st_size >= (off_t)sizeof head && head.bytes == (uint64_t)st.st_size - sizeof head;
  fclose(f);
  if (!whole) return CHECKPOINT_DAMAGED;
  /* The memory may end in a jump, so the file is closed meanwhile. */
  checkpoint *c = arena_alloc(a, sizeof head + head.bytes, 1);
  if (!(f = fopen(path, "rb"))) return CHECKPOINT_DAMAGED;
  whole = fread(c, 1, sizeof head + head.bytes, f) == sizeof head + head.bytes && c->bytes == head.bytes && c->sum == sum_of(c);
  fclose(f);
  if (!whole) return CHECKPOINT_DAMAGED;
  *out = c;
  return CHECKPOINT_FINE;
}

/* ---- rows */

typedef struct reader {
  FILE *f;
  uint64_t left; /* bytes before the end */
  arena *scratch;
} reader;

static int next(reader *r) {
  if (r->left == 0) return EOF;
  r->left--;
  return getc_unlocked(r->f);
}

/* The rest of a line.  False where there is no end of it. */
static bool skip_line(reader *r) {
  int c;
  do c = next(r);
  while (c != EOF && c != '\n');
  return c == '\n';
}

/* The number that begins with c and what stands behind it. */
static bool read_number(reader *r, int c, int end, double *x) {
  char text[NUMBER_TEXT_SIZE];
  size_t n = 0;
  for (; c != EOF && c != ',' && c != '\n' && n < sizeof text; c = next(r)) text[n++] = (char)c;
  if (c != end || n == 0) return false;
  if (data_number_special(text, n, x)) return true;
  return data_number_form(text, n, '.') != NUMBER_NONE && data_number_real(text, n, r->scratch, x);
}

/* into NULL: the rows are only looked at. */
static bool read_rows(reader *r, uint64_t rows, size_t columns, draws *into, int chain, void *frame, double *row) {
  const size_t n = columns + DRAWS_N_STATS;
  bool names = false;
  uint64_t seen = 0;
  for (int c; (c = next(r)) != EOF;) {
    if (c == '#' || !names) {
      names = names || c != '#';
      if (!skip_line(r)) return false;
      continue;
    }
    for (size_t k = 0; k < n; k++)
      if (!read_number(r, k ? next(r) : c, k + 1 == n ? '\n' : ',', &row[k])) return false;
    if (++seen > rows || (into && draws_add_row(into, chain, row + DRAWS_N_STATS, frame, row))) return false;
  }
  return names && seen == rows && r->left == 0;
}

static bool rows_of(const char *path, uint64_t offset, uint64_t rows, draws *into, size_t columns, int chain, void *frame, arena *scratch) {
  double *row = ARENA_ARRAY(scratch, double, columns + DRAWS_N_STATS);
  reader r = {.f = fopen(path, "rb"), .left = offset, .scratch = scratch};
  bool fine = r.f && read_rows(&r, rows, columns, into, chain, frame, row);
  if (r.f) fclose(r.f);
  return fine;
}

bool checkpoint_rows(const char *path, uint64_t offset, uint64_t rows, draws *into, int chain, void *frame, arena *scratch) {
  const size_t columns = draws_columns(into);
  /* What stands in frames cannot be taken out again. */
  if (draws_shared(into)) {
    if (!rows_of(path, offset, rows, NULL, columns, chain, NULL, scratch)) return false;
    if (!rows_of(path, offset, rows, into, columns, chain, frame, scratch)) longjmp(*scratch->oom, 1);
    return true;
  }
  bool fine = rows_of(path, offset, rows, into, columns, chain, NULL, scratch);
  if (!fine) draws_forget(into, chain);
  return fine;
}
