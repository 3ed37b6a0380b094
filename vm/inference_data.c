/* inference_data.c: a run as NetCDF, in the groups and names of ArviZ's InferenceData (its schema, version 1).
 *
 * Arrays lie along chain, draw, then their own axes.  An axis that runs over the levels of a text column is called by that column and has
 * the texts as coordinates; others are called NAME_dim_0 and so on, with numbers from 0, as ArviZ does it.  The file is written under another name and
 * then renamed, so a reader finds a whole file or none. */
#include "vm/export.h"
#include "vm/file.h"

#include "compiler/netcdf.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 22, MOST_LOGLIK = 1 << 30 };

typedef struct dimension {
  const char *name;
  int id;
  size_t n;
  const char *const *text; /* [n] of its coordinates; NULL: they are 0, 1, ... */
} dimension;

/* One group. */
typedef struct group {
  int id;
  const char *name;
  dimension *dim;          /* [ndims] */
  size_t ndims, cap_dims;
  const char **variable;   /* [nvariables] names of its arrays: no dimension may have one of them */
  size_t nvariables;
} group;

typedef struct writer {
  aim_task *t;
  netcdf lib;
  int root, status;        /* status: of the call that failed */
  arena mem;
  size_t chains, draws;
  const char *partial;     /* the file that is being written, in mem; NULL: none yet */
} writer;

static bool ok(writer *w, int status) {
  if (status && !w->status) w->status = status;
  return status == 0;
}

static bool text_attribute(writer *w, int where, int id, const char *name, const char *text) {
  return ok(w, w->lib.put_att_text(where, id, name, strlen(text), text));
}

static bool int_attribute(writer *w, int where, const char *name, long long value) {
  return ok(w, w->lib.put_att_longlong(where, NETCDF_GLOBAL, name, NETCDF_INT64, 1, &value));
}

static bool begin_group(writer *w, group *g, const char *name, const char *const *variable, size_t n) {
  *g = (group){.name = name, .variable = (const char **)variable, .nvariables = n};
  return ok(w, w->lib.def_grp(w->root, name, &g->id)) && text_attribute(w, g->id, NETCDF_GLOBAL, "inference_library", "AIM") &&
         text_attribute(w, g->id, NETCDF_GLOBAL, "inference_library_version", AIM_VERSION) &&
         (!w->t->started || text_attribute(w, g->id, NETCDF_GLOBAL, "created_at", w->t->started));
}

/* A name as NetCDF takes it: it starts with a letter, a digit or `_` (or what is not ASCII), and has no `/`, no control characters and no blank at its end. */
static const char *legal_name(writer *w, const char *name) {
  const size_t n = strlen(name);
  char *s = arena_strndup(&w->mem, name, n);
  for (size_t k = 0; k < n; k++) {
    const unsigned char c = (unsigned char)s[k];
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
    if (c < ' ' || c == '/' || c == 0x7f || (k == 0 && !word) || (k + 1 == n && c == ' ')) s[k] = '_';
  }
  return s;
}

/* ---- dimensions, each with its coordinates */

static const dimension *known_dimension(const group *g, const char *name) {
  for (size_t k = 0; k < g->ndims; k++)
    if (strcmp(g->dim[k].name, name) == 0) return &g->dim[k];
  return NULL;
}

static bool is_variable(const group *g, const char *name) {
  bool found = false;
  for (size_t k = 0; k < g->nvariables; k++) found = found || strcmp(g->variable[k], name) == 0;
  return found;
}

/* The dimension of that name and these coordinates, made if it is not there.  Names that differ only in what NetCDF does not take may meet: then the later one gets `_` at its end. */
static bool find_dimension(writer *w, group *g, const char *name, size_t n, const char *const *text, int *id) {
  int variable;
  for (const dimension *d; (d = known_dimension(g, name)); name = arena_printf(&w->mem, "%s_", name)) {
    *id = d->id;
    if (d->n == n && d->text == text) return true;
  }
  if (!ok(w, w->lib.def_dim(g->id, name, n, id)) || !ok(w, w->lib.def_var(g->id, name, text ? NETCDF_STRING : NETCDF_INT64, 1, id, &variable))) return false;
  size_t start = 0;
  const dimension made = {arena_strndup(&w->mem, name, strlen(name)), *id, n, text};
  ARENA_PUSH(&w->mem, g->dim, g->ndims, g->cap_dims, made);
  if (text) return ok(w, w->lib.put_vara_string(g->id, variable, &start, &n, (const char **)text));
  long long *number = ARENA_ARRAY(&w->mem, long long, n);
  for (size_t k = 0; k < n; k++) number[k] = (long long)k;
  return ok(w, w->lib.put_vara_longlong(g->id, variable, &start, &n, number));
}

/* The levels that number an extent: those of an index(K) of the data with K of this size. */
static const program_levels *levels_of(const program *p, ir_size extent) {
  for (size_t k = 0; k < p->nlevels; k++)
    for (size_t i = 0; i < p->model->ndata; i++)
      if (strcmp(p->model->data[i]->name, p->levels[k].name) == 0 && p->model->data[i]->type->count != IR_SIZE_NONE && p->model->data[i]->type->count == extent)
        return &p->levels[k];
  return NULL;
}

/* The dimensions of an array: `first` of the run's own, then those of its type. */
static bool dimensions(writer *w, group *g, const char *name, bool drawn, ir_type type, const int64_t *extent, int *id) {
  const program *p = &w->t->p;
  int at = 0;
  static const char *const own[] = {"chain", "draw"};
  for (int k = 0; k < 2 && drawn; k++, at++)
    if (!find_dimension(w, g, own[k], k ? w->draws : w->chains, NULL, &id[at])) return false;
  for (uint32_t k = 0; k < type.rank; k++, at++) {
    const program_levels *l = levels_of(p, type.dim[k]);
    if (l && l->n != (size_t)extent[k]) l = NULL;
    const char *dim = !l ? arena_printf(&w->mem, "%s_dim_%u", name, k) : arena_printf(&w->mem, is_variable(g, l->name) ? "%s_level" : "%s", l->name);
    dim = legal_name(w, dim);
    while (is_variable(g, dim)) dim = arena_printf(&w->mem, "%s_", dim);
    /* An array with twice the same levels, a matrix between groups, has two dimensions. */
    const dimension *known = known_dimension(g, dim);
    bool again = false;
    for (int i = 0; known && i < at; i++) again |= id[i] == known->id;
    if (again) dim = arena_printf(&w->mem, "%s_%u", dim, k);
    if (!find_dimension(w, g, dim, (size_t)extent[k], l ? l->text : NULL, &id[at])) return false;
  }
  return true;
}

static bool new_variable(writer *w, group *g, const char *name, ir_elem elem, int rank, const int *dims, int *id) {
  enum { MOST_ALIKE = 100 };
  const int type = elem == IR_REAL ? NETCDF_DOUBLE : elem == IR_BOOL ? NETCDF_BYTE : NETCDF_INT64;
  const char *legal = legal_name(w, name);
  int status = w->lib.def_var(g->id, legal, type, rank, dims, id);
  for (int k = 0; k < MOST_ALIKE && status == NETCDF_E_NAME_IN_USE; k++) status = w->lib.def_var(g->id, legal = arena_printf(&w->mem, "%s_", legal), type, rank, dims, id);
  return ok(w, status) && (strcmp(legal, name) == 0 || text_attribute(w, g->id, *id, NETCDF_NAME_ATTRIBUTE, name)) &&
         (elem != IR_BOOL || text_attribute(w, g->id, *id, "dtype", "bool"));
}

/* ---- draws */

/* A quantity of the store, in blocks of draws. */
static bool write_quantity(writer *w, group *g, size_t quantity, const char *name, ir_type type, const int64_t *extent, size_t cells) {
  int dims[IR_MAX_RANK + 2], id;
  if (cells == 0) return true; /* a length of 0 is without limit there */
  if (!dimensions(w, g, name, true, type, extent, dims) || !new_variable(w, g, name, (ir_elem)type.elem, (int)type.rank + 2, dims, &id)) return false;
  size_t block = BLOCK_BYTES / 8 / cells;
  block = block < 1 ? 1 : block > w->draws ? w->draws : block;
  double *row = ARENA_ARRAY(&w->mem, double, block * cells);
  size_t start[IR_MAX_RANK + 2] = {0}, count[IR_MAX_RANK + 2] = {1};
  for (uint32_t k = 0; k < type.rank; k++) count[k + 2] = (size_t)extent[k];
  for (size_t c = 0; c < w->chains; c++)
    for (size_t d = 0; d < w->draws; d += block) {
      size_t n = w->draws - d < block ? w->draws - d : block;
      for (size_t i = 0; i < n; i++) draws_cells(w->t->run.store, (int)c, d + i, quantity, row + i * cells);
      start[0] = c, start[1] = d, count[1] = n;
      if (!ok(w, w->lib.put_vara_double(g->id, id, start, count, row))) return false;
    }
  return true;
}

/* `predict y` of an observed y is called y_rep, and y among the predictions: ArviZ finds what belongs together by its name. */
static const char *predicted_name(writer *w, const char *name) {
  size_t n = strlen(name);
  if (n <= 4 || strcmp(name + n - 4, "_rep") != 0) return name;
  const char *base = arena_strndup(&w->mem, name, n - 4);
  const ir_site *s = ir_site_find(w->t->p.ir, base);
  return s && s->role == IR_OBSERVED ? base : name;
}

/* Latents and tracked quantities, or what is predicted. */
static bool write_quantities(writer *w, group *g, bool predicted) {
  const program *p = &w->t->p;
  size_t quantity = 0;
  for (size_t k = 0; k < p->nsites + p->noutputs; k++) {
    if (!w->t->run.kept[k]) continue;
    const bool latent = k < p->nsites;
    const program_output *o = latent ? NULL : &p->output[k - p->nsites];
    bool fits = latent ? !predicted : o->tracked != predicted;
    if (fits && latent && !write_quantity(w, g, quantity, p->site[k].name, p->site[k].site->type, p->site[k].dim, p->site[k].cells)) return false;
    if (fits && o && !write_quantity(w, g, quantity, predicted ? predicted_name(w, o->name) : o->name, o->type, o->dim, o->cells)) return false;
    quantity++;
  }
  return true;
}

static bool write_stats(writer *w, group *g) {
  for (const export_stat *s = export_stats; s < export_stats + EXPORT_STATS; s++) {
    if (!export_has_stat(w->t->plan.method, s)) continue;
    int dims[2], id;
    if (!dimensions(w, g, "", true, (ir_type){0}, NULL, dims) || !new_variable(w, g, s->name, s->elem, 2, dims, &id)) return false;
    for (size_t c = 0; c < w->chains; c++) {
      const size_t start[2] = {c, 0}, count[2] = {1, w->draws};
      if (!ok(w, w->lib.put_vara_double(g->id, id, start, count, draws_stat_of(w->t->run.store, (int)c, s->stat)))) return false;
    }
  }
  return true;
}

/* Observation after observation: each has its draws in a row. */
static bool write_loglik(writer *w, group *g) {
  const program *p = &w->t->p;
  size_t first = 0;
  for (size_t k = 0; k < p->nloglik; first += p->loglik[k++].cells) {
    const program_loglik *l = &p->loglik[k];
    int dims[IR_MAX_RANK + 2], id;
    if (l->cells == 0) continue;
    if (!dimensions(w, g, l->name, true, l->type, l->dim, dims) || !new_variable(w, g, l->name, IR_REAL, (int)l->rank + 2, dims, &id)) return false;
    size_t block = BLOCK_BYTES / 8 / l->cells;
    block = block < 1 ? 1 : block > w->draws ? w->draws : block;
    double *row = ARENA_ARRAY(&w->mem, double, block * l->cells);
    size_t start[IR_MAX_RANK + 2] = {0}, count[IR_MAX_RANK + 2] = {1};
    for (uint32_t i = 0; i < l->rank; i++) count[i + 2] = (size_t)l->dim[i];
    for (size_t c = 0; c < w->chains; c++)
      for (size_t d = 0; d < w->draws; d += block) {
        size_t n = w->draws - d < block ? w->draws - d : block;
        for (size_t i = 0; i < l->cells; i++)
          for (size_t j = 0; j < n; j++) row[j * l->cells + i] = w->t->loglik[((first + i) * w->chains + c) * w->t->loglik_draws + d + j];
        start[0] = c, start[1] = d, count[1] = n;
        if (!ok(w, w->lib.put_vara_double(g->id, id, start, count, row))) return false;
      }
  }
  return true;
}

/* ---- data */

static const exec_cell *cells_of(const program *p, const char *name) {
  for (size_t k = 0; k < p->ndata; k++)
    if (strcmp(p->data[k].name, name) == 0) return p->data[k].p;
  return NULL;
}

static bool is_observed(const program *p, const char *name) {
  const ir_site *s = ir_site_find(p->ir, name);
  return s && s->role == IR_OBSERVED && !s->given;
}

static const program_levels *texts_of(const program *p, const char *name) {
  for (size_t k = 0; k < p->nlevels; k++)
    if (strcmp(p->levels[k].name, name) == 0) return &p->levels[k];
  return NULL;
}

static bool write_texts(writer *w, group *g, const char *name, const program_levels *l, const exec_cell *cells, size_t n, int rank, const int *dims, const size_t *count) {
  int id;
  const size_t start[IR_MAX_RANK] = {0};
  const char **text = ARENA_ARRAY(&w->mem, const char *, n);
  for (size_t k = 0; k < n; k++) text[k] = l->text[cells[k].integer - 1];
  return ok(w, w->lib.def_var(g->id, legal_name(w, name), NETCDF_STRING, rank, dims, &id)) && ok(w, w->lib.put_vara_string(g->id, id, start, count, text));
}

/* The cells as reals, NaN where they are missing; NULL where none is. */
static const double *with_gaps(writer *w, const ir_param *q, const exec_cell *cells, const int64_t *extent, size_t n) {
  const program *p = &w->t->p;
  ir_type t = ir_type_of(p->ir, q->val);
  for (size_t k = 0; k < p->nmissing; k++) {
    const lower_missing *x = &p->missing[k];
    if (strcmp(x->name, q->name) != 0) continue;
    double *out = ARENA_ARRAY(&w->mem, double, n);
    for (size_t i = 0; i < n; i++) out[i] = t.elem == IR_REAL ? cells[i].real : (double)cells[i].integer;
    for (int64_t m = 0; m < x->n; m++) {
      size_t cell = 0;
      for (uint32_t a = 0; a < t.rank; a++) cell = cell * (size_t)extent[a] + (size_t)x->at[m * t.rank + a];
      out[cell] = NAN;
    }
    return out;
  }
  return NULL;
}

static bool write_datum(writer *w, group *g, const ir_param *q, const exec_cell *cells) {
  const program *p = &w->t->p;
  ir_type t = ir_type_of(p->ir, q->val);
  int64_t extent[IR_MAX_RANK];
  size_t n = 1, start[IR_MAX_RANK + 1] = {0}, count[IR_MAX_RANK + 1] = {1};
  for (uint32_t k = 0; k < t.rank; k++) {
    extent[k] = size_eval(p->sizes, t.dim[k]);
    if (extent[k] <= 0) return true;
    count[k] = (size_t)extent[k];
    n *= count[k];
  }
  int dims[IR_MAX_RANK + 2], id;
  if (!dimensions(w, g, q->name, false, t, extent, dims)) return false;
  const program_levels *l = texts_of(p, q->name);
  if (l) return write_texts(w, g, q->name, l, cells, n, (int)t.rank, dims, count);
  const double *gaps = with_gaps(w, q, cells, extent, n);
  if (!new_variable(w, g, q->name, gaps ? IR_REAL : (ir_elem)t.elem, (int)t.rank, dims, &id)) return false;
  if (gaps) return ok(w, w->lib.put_vara_double(g->id, id, start, count, gaps));
  if (t.elem == IR_REAL) return ok(w, w->lib.put_vara_double(g->id, id, start, count, &cells->real));
  return ok(w, w->lib.put_vara_longlong(g->id, id, start, count, (const long long *)&cells->integer));
}

/* Whether binding made it to go with other data: of missing values, of ragged arrays. */
static bool is_made(const program *p, const char *name) {
  for (size_t k = 0; k < p->nmissing; k++) {
    const size_t n = strlen(p->missing[k].name);
    if (strncmp(name, p->missing[k].name, n) == 0 && (strcmp(name + n, ".at") == 0 || strcmp(name + n, ".seen") == 0)) return true;
  }
  for (size_t k = 0; k < p->model->ndata; k++)
    if (strcmp(p->model->data[k]->name, name) == 0) return p->model->data[k]->param->rows > ROWS_LENGTHS;
  return false;
}

static bool is_written(const program *p, const ir_param *q, bool observed) {
  return q->role == IR_ROLE_DATA && cells_of(p, q->name) && is_observed(p, q->name) == observed && !is_made(p, q->name);
}

static bool write_data(writer *w, bool observed) {
  const program *p = &w->t->p;
  const char **names = ARENA_ARRAY(&w->mem, const char *, p->ir->nparams);
  size_t n = 0;
  for (uint32_t k = 0; k < p->ir->nparams; k++) {
    const ir_param *q = &p->ir->param[k];
    if (is_written(p, q, observed)) names[n++] = q->name;
  }
  group g;
  if (n == 0) return true;
  if (!begin_group(w, &g, observed ? "observed_data" : "constant_data", names, n)) return false;
  for (uint32_t k = 0; k < p->ir->nparams; k++) {
    const ir_param *q = &p->ir->param[k];
    if (is_written(p, q, observed) && !write_datum(w, &g, q, cells_of(p, q->name))) return false;
  }
  return true;
}

/* ---- the file */

/* Whether they can be had, and are not too many. */
static bool wants_loglik(const writer *w) {
  const aim_task *t = w->t;
  size_t n = 0;
  for (size_t k = 0; k < t->p.nsites; k++)
    if (!t->run.kept[k]) return false;
  for (size_t k = 0; k < t->p.nloglik; k++) n += t->p.loglik[k].cells;
  return t->pointwise && t->plan.method != PLAN_PRIOR && n && (double)n * (double)w->chains * (double)w->draws * 8 <= MOST_LOGLIK;
}

static bool has_predictions(const writer *w) {
  for (size_t k = 0; k < w->t->p.noutputs; k++)
    if (w->t->run.kept[w->t->p.nsites + k] && !w->t->p.output[k].tracked) return true;
  return false;
}

static bool write_groups(writer *w, aim_status *st) {
  const aim_task *t = w->t;
  const program *p = &t->p;
  const bool prior = t->plan.method == PLAN_PRIOR;
  group g;
  const char **names = ARENA_ARRAY(&w->mem, const char *, p->nsites + p->noutputs + 1);
  size_t n = 0;
  for (size_t k = 0; k < p->nsites + p->noutputs; k++) names[n++] = k < p->nsites ? p->site[k].name : p->output[k - p->nsites].name;
  if (!begin_group(w, &g, prior ? "prior" : "posterior", names, n) || !text_attribute(w, g.id, NETCDF_GLOBAL, "model", p->model->decl->name.name) ||
      !text_attribute(w, g.id, NETCDF_GLOBAL, "method", method_name(t->plan.method)) || !int_attribute(w, g.id, "seed", (long long)t->plan.seed) ||
      !int_attribute(w, g.id, "tuning_steps", (long long)t->run.o.warmup) || (plan_is_biased(&t->plan) && !int_attribute(w, g.id, "biased", 1)) || !write_quantities(w, &g, false))
    return false;
  if (!begin_group(w, &g, prior ? "sample_stats_prior" : "sample_stats", NULL, 0) || !write_stats(w, &g)) return false;
  if (has_predictions(w) && (!begin_group(w, &g, prior ? "prior_predictive" : "posterior_predictive", names, n) || !write_quantities(w, &g, true))) return false;
  if (wants_loglik(w)) {
    *st = api_loglik(w->t);
    if (*st != AIM_OK || !begin_group(w, &g, "log_likelihood", NULL, 0) || !write_loglik(w, &g)) return false;
  }
  return write_data(w, true) && write_data(w, false);
}

static aim_status fail(writer *w, const char *path, const char *why, const char *help, int io) {
  aim_task *t = w->t;
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0937", (span){0}, "\"%s\" cannot be written: %s", path, why);
  if (help) diag_help(&t->p.diags, d, "%s", help);
  t->io_errno = io;
  return AIM_E_IO;
}

static aim_status write_file(writer *w, const char *path) {
  aim_task *t = w->t;
  char buffer[128];
  w->chains = (size_t)t->run.o.chains;
  w->draws = SIZE_MAX;
  for (size_t c = 0; c < w->chains; c++)
    if (draws_count(t->run.store, (int)c) < w->draws) w->draws = draws_count(t->run.store, (int)c);
  if (w->draws == 0) return fail(w, path, "there is no draw that every chain has", NULL, ENODATA);
  if (!netcdf_open(&w->lib)) return fail(w, path, w->lib.why, w->lib.help, ENOENT);
  /* The library takes some paths for addresses in a network: none begins with a point or a slash. */
  const char *other = arena_printf(&w->mem, "%s%s.partial", path[0] == '/' ? "" : "./", path);
  aim_status st = AIM_OK;
  if (!ok(w, w->lib.create(other, NETCDF_CLOBBER | NETCDF_NETCDF4, &w->root))) return fail(w, path, w->status > 0 ? strerror_r(w->status, buffer, sizeof buffer) : w->lib.strerror(w->status), NULL, w->status > 0 ? w->status : EIO);
  w->partial = other;
  bool whole = write_groups(w, &st);
  int closed = w->lib.close(w->root);
  w->root = -1;
  if (whole && !ok(w, closed)) whole = false;
  const int e = whole ? file_rename(other, path) : errno;
  if (whole && e == 0) return AIM_OK;
  unlink(other);
  if (st != AIM_OK) return st;
  const char *help = w->status == NETCDF_E_HDF ? "the library does not say what is wrong: the disk may be full" : NULL;
  return fail(w, path, w->status ? w->lib.strerror(w->status) : strerror_r(e, buffer, sizeof buffer), help, w->status ? EIO : e);
}

aim_status aim_write_netcdf(aim_task *t, const char *path) {
  if (!t || t->state != TASK_DONE || !path || !*path) return AIM_E_USAGE;
  /* Whatever memory runs out, what is open is closed and what is partial removed. */
  jmp_buf here;
  t->mem.oom = &here;
  writer *volatile open = NULL;
  if (setjmp(here)) {
    if (open && open->root >= 0) open->lib.close(open->root);
    if (open && open->partial) unlink(open->partial);
    if (open) arena_free(&open->mem);
    return AIM_E_MEMORY;
  }
  writer *w = ARENA_NEW(&t->mem, writer);
  w->t = t;
  w->root = -1;
  arena_init(&w->mem, &t->vm->alloc, t->vm->config.memory);
  w->mem.oom = &here;
  open = w;
  aim_status st = write_file(w, path);
  arena_free(&w->mem);
  return st;
}
