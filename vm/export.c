/* export.c: draws as a table and as JSON, and the choice of the format (export.h). */
#include "vm/export.h"

#include "lang/json_text.h"
#include "vm/number_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- a table */

static void put_text(file_out *f, const char *text) { file_put(f, text, strlen(text)); }

static void put_number(file_out *f, double x) {
  char text[NUMBER_TEXT_SIZE];
  file_put(f, text, number_text(text, x));
}

/* Names with commas stand in quotes: "Sigma[1,2]". */
static void put_field(export_out *x, size_t column) {
  const draws *d = x->t->run.store;
  size_t n = draws_name(d, column, NULL, 0);
  char *name = arena_alloc(x->mem, n + 1, 1);
  draws_name(d, column, name, n + 1);
  const bool quoted = strpbrk(name, ",\"\n") != NULL;
  put_text(x->f, ",");
  if (quoted) put_text(x->f, "\"");
  for (const char *c = name; *c; c++) {
    if (*c == '"') put_text(x->f, "\"");
    file_put(x->f, c, 1);
  }
  if (quoted) put_text(x->f, "\"");
}

bool export_csv(export_out *x) {
  const draws *d = x->t->run.store;
  const size_t columns = draws_columns(d);
  double *row = ARENA_ARRAY(x->mem, double, columns);
  size_t number = 0, quantities = columns ? draws_quantity_of(d, columns - 1) + 1 : 0;
  put_text(x->f, ".chain,.iteration,.draw");
  for (int s = 0; s < DRAWS_N_STATS; s++) put_text(x->f, ","), put_text(x->f, draws_stat_name((draws_stat)s));
  for (size_t k = 0; k < columns; k++) put_field(x, k);
  put_text(x->f, "\n");
  for (int c = 0; c < draws_chains(d); c++)
    for (size_t i = 0; i < draws_count(d, c); i++) {
      char text[80];
      snprintf(text, sizeof text, "%d,%zu,%zu", c + 1, i + 1, ++number);
      put_text(x->f, text);
      for (int s = 0; s < DRAWS_N_STATS; s++) put_text(x->f, ","), put_number(x->f, draws_stat_of(d, c, (draws_stat)s)[i]);
      size_t at = 0;
      for (size_t q = 0; q < quantities; q++) {
        aim_quantity o;
        aim_quantity_get(x->t, q, &o);
        draws_cells(d, c, i, q, row + at);
        at += o.cells;
      }
      for (size_t k = 0; k < columns; k++) put_text(x->f, ","), put_number(x->f, row[draws_place_of(d, k)]);
      if (!file_put(x->f, "\n", 1)) return false;
    }
  return true;
}

/* ---- JSON */

const export_stat export_stats[EXPORT_STATS] = {
    {"lp", DRAWS_LP, IR_REAL, false},           {"acceptance_rate", DRAWS_ACCEPT_STAT, IR_REAL, false}, {"step_size", DRAWS_STEPSIZE, IR_REAL, true},
    {"tree_depth", DRAWS_TREEDEPTH, IR_INT, true}, {"n_steps", DRAWS_N_LEAPFROG, IR_INT, true},           {"diverging", DRAWS_DIVERGENT, IR_BOOL, true},
    {"energy", DRAWS_ENERGY, IR_REAL, true}};

bool export_has_stat(plan_method method, const export_stat *s) {
  return method == PLAN_NUTS || (!s->of_nuts && (s->stat == DRAWS_LP || method_is(method, METHOD_RESTS)));
}

/* What is not finite has no number in JSON. */
static void put_json_number(file_out *f, double x) {
  if (isfinite(x)) put_number(f, x);
  else put_text(f, "null");
}

/* Row-major cells as nested lists. */
static void put_cells(file_out *f, const int64_t *dims, int rank, const double **x) {
  if (rank == 0) {
    put_json_number(f, *(*x)++);
    return;
  }
  put_text(f, "[");
  for (int64_t k = 0; k < dims[0]; k++) {
    if (k) put_text(f, ",");
    put_cells(f, dims + 1, rank - 1, x);
  }
  put_text(f, "]");
}

static void put_name(export_out *x, const char *name, bool first) {
  strbuf b;
  strbuf_init(&b, x->mem);
  json_put_text(&b, name);
  put_text(x->f, first ? "\n    " : ",\n    ");
  put_text(x->f, b.s);
  put_text(x->f, ": ");
}

static void open_group(export_out *x, const char *name, bool first) {
  put_text(x->f, first ? "{\n  \"" : ",\n  \"");
  put_text(x->f, name);
  put_text(x->f, "\": {");
}
static bool close_group(export_out *x) { return file_put(x->f, "\n  }", 4); }

static bool put_quantities(export_out *x, const char *group, bool predicted, bool first_group) {
  const draws *d = x->t->run.store;
  aim_quantity q;
  bool first = true;
  for (size_t k = 0; aim_quantity_get(x->t, k, &q) == AIM_OK; k++) {
    if ((q.kind == AIM_PREDICTED) != predicted) continue;
    if (first) open_group(x, group, first_group);
    put_name(x, q.name, first);
    first = false;
    double *row = ARENA_ARRAY(x->mem, double, q.cells);
    for (int c = 0; c < draws_chains(d); c++) {
      put_text(x->f, c ? ",\n      [" : "[\n      [");
      for (size_t i = 0; i < x->draws; i++) {
        const double *at = row;
        draws_cells(d, c, i, k, row);
        if (i) put_text(x->f, ",");
        put_cells(x->f, q.dims, q.rank, &at);
      }
      put_text(x->f, "]");
    }
    put_text(x->f, "]");
  }
  return first || close_group(x);
}

static bool put_stats(export_out *x) {
  const draws *d = x->t->run.store;
  open_group(x, "sample_stats", false);
  for (const export_stat *s = export_stats; s < export_stats + EXPORT_STATS; s++) {
    if (!export_has_stat(x->t->plan.method, s)) continue;
    put_name(x, s->name, s == export_stats);
    for (int c = 0; c < draws_chains(d); c++) {
      put_text(x->f, c ? ",\n      [" : "[\n      [");
      const double *at = draws_stat_of(d, c, s->stat);
      for (size_t i = 0; i < x->draws; i++) {
        if (i) put_text(x->f, ",");
        if (s->elem == IR_BOOL) put_text(x->f, at[i] != 0 ? "true" : "false");
        else put_json_number(x->f, at[i]);
      }
      put_text(x->f, "]");
    }
    put_text(x->f, "]");
  }
  return close_group(x);
}

bool export_json(export_out *x) {
  const bool prior = x->t->plan.method == PLAN_PRIOR;
  aim_quantity q;
  bool any = false;
  for (size_t k = 0; aim_quantity_get(x->t, k, &q) == AIM_OK; k++) any = any || q.kind != AIM_PREDICTED;
  return (!any || put_quantities(x, prior ? "prior" : "posterior", false, true)) &&
         put_quantities(x, prior ? "prior_predictive" : "posterior_predictive", true, !any) && put_stats(x) && file_put(x->f, "\n}\n", 3);
}

/* ---- the choice */

static const struct {
  const char *ending;
  bool (*write)(export_out *x);
} formats[] = {{".csv", export_csv}, {".json", export_json}, {".npz", export_npz}};

static bool ends_with(const char *path, const char *ending) {
  size_t n = strlen(path), m = strlen(ending);
  return n > m && strcmp(path + n - m, ending) == 0;
}

static aim_status fail(aim_task *t, const char *path, int error) {
  char buffer[128];
  t->io_errno = error;
  diag_add(&t->p.diags, DIAG_ERROR, "E0937", (span){0}, "\"%s\" cannot be written: %s", path, strerror_r(error, buffer, sizeof buffer));
  return AIM_E_IO;
}

/* Memory may end in a jump while the file is open: the jump is taken here. */
static bool write_open(export_out *x, bool (*write)(export_out *x), bool *lost) { return (*lost = ARENA_TRY(x->mem) != 0) ? false : write(x); }

static aim_status write_file(aim_task *t, const char *path, bool (*write)(export_out *x)) {
  const size_t n = strlen(path) + sizeof ".part";
  char *temporary = alloc_get(&t->vm->alloc, n, 1);
  file_out *f = alloc_get(&t->vm->alloc, 1, sizeof *f);
  arena mem;
  arena_init(&mem, &t->vm->alloc, t->vm->config.memory);
  export_out x = {.t = t, .mem = &mem, .f = f, .draws = SIZE_MAX};
  for (int c = 0; c < draws_chains(t->run.store); c++)
    if (draws_count(t->run.store, c) < x.draws) x.draws = draws_count(t->run.store, c);
  bool lost = !temporary || !f;
  int error = 0;
  if (!lost) {
    snprintf(temporary, n, "%s.part", path);
    bool whole = file_begin(f, temporary) && write_open(&x, write, &lost);
    error = file_end(f, temporary, path, whole);
  }
  arena_free(&mem);
  alloc_put(&t->vm->alloc, temporary, n);
  alloc_put(&t->vm->alloc, f, sizeof *f);
  if (lost) return AIM_E_MEMORY;
  if (error == 0) return AIM_OK;
  return ARENA_TRY(&t->mem) ? AIM_E_MEMORY : fail(t, path, error);
}

aim_status aim_write_draws(aim_task *t, const char *path) {
  if (!t || t->state != TASK_DONE || !path || !*path) return AIM_E_USAGE;
  if (ends_with(path, ".nc")) return aim_write_netcdf(t, path);
  for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
    if (ends_with(path, formats[k].ending)) return write_file(t, path, formats[k].write);
  if (ARENA_TRY(&t->mem)) return AIM_E_MEMORY;
  diag *d = diag_add(&t->p.diags, DIAG_ERROR, "E0937", (span){0}, "the ending of \"%s\" names no format of draws", path);
  diag_help(&t->p.diags, d, "there are .nc (NetCDF, as ArviZ has it), .csv (a table, as R's posterior has it), .npz and .json");
  return AIM_E_PROGRAM;
}
