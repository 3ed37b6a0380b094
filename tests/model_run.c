/* model_run.c: see model_run.h. */
#include "tests/model_run.h"

#include "compiler/bind.h"
#include "compiler/derive.h"
#include "lang/render.h"
#include "vm/interp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- opening */

static const char *messages_of(model_run *r) {
  strbuf b;
  strbuf_init(&b, &r->mem);
  render_list(&b, &r->p.sources, &r->p.diags, NULL);
  return b.s;
}

/* The last run statement of the file, whose bindings count. */
static const ast_decl *run_of(const program *p) {
  const ast_file *f = p->check.file;
  for (size_t k = f->n; k-- > 0;)
    if (f->items[k]->kind == DECL_RUN) return f->items[k];
  return NULL;
}

static void frame_of_ref(model_run *r);

static bool try_with(model_run *r, const char *text, const char *json, unsigned need, int isa, bool plain, program_sums sums, const char **messages) {
  memset(r, 0, sizeof *r);
  r->alloc = (aim_alloc){host_fn, &r->heap};
  arena_init(&r->mem, &r->alloc, (size_t)1 << 31);
  arena_init(&r->scratch, &r->alloc, (size_t)1 << 31);
  /* The handlers are set for the phases below only; afterwards an allocation that fails ends the test either way. */
  if (ARENA_TRY(&r->scratch)) fail_msg("no memory");
  if (ARENA_TRY(&r->mem)) fail_msg("no memory");
  *messages = "";
  bool ok = program_open(&r->p, &r->mem, "model.aim", text, strlen(text));
  r->p.no_statistics = plain;
  r->p.sums = sums;
  if (ok) {
    const ast_decl *run = run_of(&r->p);
    data_set data;
    data_init(&data, &r->mem, &r->p.diags);
    ok = !json || data_read_json(&data, "data.json", json, strlen(json)) == 0;
    ok = ok && program_bind(&r->p, program_model(&r->p, run), run, &data) && program_build(&r->p, need);
  }
  if (!ok) {
    *messages = messages_of(r);
    return false;
  }
  for (uint32_t k = 0; k < r->p.module->nfns; k++) {
    const char *wrong = ir_verify(r->p.module->fn[k]);
    if (wrong) fail_msg("@%s: %s\n%s", r->p.module->fn[k]->name, wrong, text);
  }
  r->dim = r->p.dim;
  r->cells = r->p.cells;
  exec_options o = {.isa = isa};
  const char *why = NULL;
  if (interp_engine.load(r->p.module, r->p.ndata, r->p.data, &o, &r->alloc, &r->loaded, &why) != EXEC_OK) {
    *messages = why ? why : "not loaded";
    r->loaded = NULL;
    return false;
  }
  r->worker = interp_engine.worker_new(r->loaded);
  assert_non_null(r->worker);
  size_t outputs = 0;
  for (size_t k = 0; k < r->p.noutputs; k++) outputs += r->p.output[k].cells;
  r->in = ARENA_ARRAY(&r->mem, exec_cell, r->cells + r->dim + 1);
  r->out = ARENA_ARRAY(&r->mem, exec_cell, r->cells + r->dim + outputs + 4);
  frame_of_ref(r);
  return true;
}

bool model_try(model_run *r, const char *text, const char *json, unsigned need, int isa, const char **messages) {
  return try_with(r, text, json, need, isa, false, SUMS_NONE, messages);
}

void model_open_plain(model_run *r, const char *text, const char *json, unsigned need) {
  const char *messages;
  if (!try_with(r, text, json, need, 0, true, SUMS_NONE, &messages)) fail_msg("%s\n%s", messages, text);
}

bool model_try_summed(model_run *r, const char *text, const char *json, unsigned need, const char **messages) {
  return try_with(r, text, json, need, 0, false, SUMS_MUST, messages);
}

void model_open_isa(model_run *r, const char *text, const char *json, unsigned need, int isa) {
  const char *messages;
  if (!model_try(r, text, json, need, isa, &messages)) fail_msg("%s\n%s", messages, text);
}

void model_open(model_run *r, const char *text, const char *json, unsigned need) { model_open_isa(r, text, json, need, 0); }

void model_close(model_run *r) {
  if (r->worker) interp_engine.worker_free(r->worker);
  if (r->loaded) interp_engine.unload(r->loaded);
  arena_free(&r->scratch);
  arena_free(&r->mem);
  assert_int_equal(r->heap.bytes, 0);
}

const program_site *model_site(const model_run *r, const char *name) {
  for (size_t k = 0; k < r->p.nsites; k++)
    if (strcmp(r->p.site[k].name, name) == 0) return &r->p.site[k];
  fail_msg("no site %s", name);
  return NULL;
}

/* ---- calls */

static bool of_real(const program_site *s) { return s->site->type.elem == IR_REAL; }

/* One argument for each site: the frame's part, or the point's. */
static size_t put_frame(model_run *r, const double *frame, exec_arg *in) {
  for (size_t k = 0; k < r->p.nsites; k++) {
    const program_site *s = &r->p.site[k];
    for (size_t e = 0; e < s->cells; e++) {
      if (of_real(s)) r->in[s->at + e].real = frame[s->at + e];
      else r->in[s->at + e].integer = (int64_t)frame[s->at + e];
    }
    in[k] = (exec_arg){r->in + s->at, 1};
  }
  return r->p.nsites;
}

static size_t put_point(model_run *r, const double *q, exec_arg *in) {
  for (size_t e = 0; e < r->dim; e++) r->in[e].real = q[e];
  for (size_t k = 0; k < r->p.nsites; k++) in[k] = (exec_arg){r->in + r->p.site[k].at_free, 1};
  return r->p.nsites;
}

static void take_frame(const model_run *r, double *frame) {
  for (size_t k = 0; k < r->p.nsites; k++) {
    const program_site *s = &r->p.site[k];
    for (size_t e = s->at; e < s->at + s->cells; e++) frame[e] = of_real(s) ? r->out[e].real : (double)r->out[e].integer;
  }
}

static void call(model_run *r, const char *name, const exec_arg *in, exec_arg *out) {
  int fn = interp_engine.find(r->loaded, name);
  if (fn < 0) fail_msg("there is no @%s", name);
  memset(&r->report, 0, sizeof r->report);
  size_t before = r->heap.calls;
  exec_status st = interp_engine.call(r->worker, fn, 1, in, out, &r->report);
  if (st != EXEC_OK) fail_msg("@%s stopped with %d: index %d of %d", name, st, (int)r->report.index, (int)r->report.extent);
  if (r->heap.calls != before) fail_msg("@%s took memory", name);
}

double model_logdens(model_run *r, const double *q) {
  exec_arg in[MODEL_MAX_ARGS], out = {r->out, 1};
  put_point(r, q, in);
  call(r, "logdens", in, &out);
  return r->out[0].real;
}

double model_grad(model_run *r, const double *q, double *grad) {
  exec_arg in[MODEL_MAX_ARGS], out[MODEL_MAX_ARGS];
  put_point(r, q, in);
  out[0] = (exec_arg){r->out, 1};
  for (size_t k = 0; k < r->p.nsites; k++) out[k + 1] = (exec_arg){r->out + 1 + r->p.site[k].at_free, 1};
  call(r, "grad", in, out);
  for (size_t e = 0; e < r->dim; e++) grad[e] = r->out[e + 1].real;
  return r->out[0].real;
}

static void frame_places(model_run *r, exec_arg *out) {
  for (size_t k = 0; k < r->p.nsites; k++) out[k] = (exec_arg){r->out + r->p.site[k].at, 1};
}

double model_slope(model_run *r, double *q, size_t k) {
  const double h = 1e-5, at = q[k];
  q[k] = at + h;
  const double up = model_logdens(r, q);
  q[k] = at - h;
  const double down = model_logdens(r, q);
  q[k] = at;
  return (up - down) / (2 * h);
}

void model_constrain(model_run *r, const double *q, double *frame) {
  exec_arg in[MODEL_MAX_ARGS], out[MODEL_MAX_ARGS];
  put_point(r, q, in);
  frame_places(r, out);
  call(r, "constrain", in, out);
  take_frame(r, frame);
}

double model_density(model_run *r, const double *frame, double part[3]) {
  exec_arg in[MODEL_MAX_ARGS], out[3] = {{r->out, 1}, {r->out + 1, 1}, {r->out + 2, 1}};
  put_frame(r, frame, in);
  call(r, "density", in, out);
  for (int k = 0; k < 3; k++) part[k] = r->out[k].real;
  return part[0] + part[1] + part[2];
}

void model_prior(model_run *r, uint64_t key, double *frame) {
  exec_cell k = {.integer = (int64_t)key};
  exec_arg in = {&k, 1}, out[MODEL_MAX_ARGS];
  frame_places(r, out);
  call(r, "prior", &in, out);
  take_frame(r, frame);
}

void model_recover(model_run *r, uint64_t key, double *frame) {
  exec_arg in[MODEL_MAX_ARGS], out[MODEL_MAX_ARGS], all[MODEL_MAX_ARGS];
  exec_cell k = {.integer = (int64_t)key};
  size_t nin = 0, nout = 0;
  put_frame(r, frame, all);
  for (size_t s = 0; s < r->p.nsites; s++) {
    if (r->p.site[s].summed) out[nout++] = (exec_arg){r->out + r->p.site[s].at, 1};
    else in[nin++] = all[s];
  }
  in[nin] = (exec_arg){&k, 1};
  call(r, "recover", in, out);
  for (size_t s = 0; s < r->p.nsites; s++) {
    const program_site *x = &r->p.site[s];
    for (size_t e = x->at; x->summed && e < x->at + x->cells; e++) frame[e] = (double)r->out[e].integer;
  }
}

void model_outputs(model_run *r, const double *frame, uint64_t key, double *result) {
  exec_arg in[MODEL_MAX_ARGS], out[MODEL_MAX_ARGS];
  exec_cell k = {.integer = (int64_t)key};
  in[put_frame(r, frame, in)] = (exec_arg){&k, 1};
  size_t n = 0;
  for (size_t o = 0; o < r->p.noutputs; o++) {
    out[o] = (exec_arg){r->out + n, 1};
    n += r->p.output[o].cells;
  }
  call(r, "outputs", in, out);
  n = 0;
  for (size_t o = 0; o < r->p.noutputs; o++)
    for (size_t e = 0; e < r->p.output[o].cells; e++, n++)
      result[n] = r->p.output[o].elem == IR_REAL ? r->out[n].real : (double)r->out[n].integer;
}

void model_loglik(model_run *r, const double *frame, double *result) {
  exec_arg in[MODEL_MAX_ARGS], out[MODEL_MAX_ARGS];
  size_t n = 0;
  for (size_t k = 0; k < r->p.nloglik; k++) n += r->p.loglik[k].cells;
  exec_cell *cells = ARENA_ARRAY(&r->mem, exec_cell, n);
  put_frame(r, frame, in);
  n = 0;
  for (size_t k = 0; k < r->p.nloglik; k++) {
    out[k] = (exec_arg){cells + n, 1};
    n += r->p.loglik[k].cells;
  }
  call(r, "loglik", in, out);
  for (size_t k = 0; k < n; k++) result[k] = cells[k].real;
}

static void call_at(model_run *r, const char *kind, const program_site *s, const double *frame, const int64_t *at, size_t nout, double *result) {
  exec_arg in[MODEL_MAX_ARGS], out[2] = {{r->out, 1}, {r->out + 1, 1}};
  exec_cell index[IR_MAX_RANK];
  char name[256];
  snprintf(name, sizeof name, "%s.%s", kind, s->name);
  size_t n = put_frame(r, frame, in);
  for (uint32_t a = 0; a < s->batch_rank; a++) {
    index[a].integer = at[a];
    in[n + a] = (exec_arg){&index[a], 1};
  }
  call(r, name, in, out);
  const ir_fn *fn = ir_fn_find(r->p.module, name);
  for (size_t k = 0; k < nout; k++)
    result[k] = ir_type_of(fn, fn->ret[k]).elem == IR_REAL ? r->out[k].real : (double)r->out[k].integer;
}

double model_local(model_run *r, const program_site *s, const double *frame, const int64_t *at) {
  double x;
  call_at(r, "local", s, frame, at, 1, &x);
  return x;
}

void model_bounds(model_run *r, const program_site *s, const double *frame, const int64_t *at, double *lo, double *hi) {
  double x[2];
  call_at(r, "bounds", s, frame, at, 2, x);
  *lo = x[0];
  *hi = x[1];
}

/* ---- the oracle */

static ref_array data_cells_of(model_run *r, arena *mem, const ir_fn *fn, const ir_param *p) {
  ir_type t = ir_type_of(fn, p->val);
  int64_t n = ref_count(r->p.module, t);
  assert_true(n >= 0);
  ref_array a = {(size_t)n, ARENA_ARRAY(mem, ref_cell, (size_t)n)};
  for (size_t k = 0; k < r->p.ndata; k++) {
    if (strcmp(r->p.data[k].name, p->name) != 0) continue;
    for (size_t e = 0; e < a.n; e++) {
      if (t.elem == IR_REAL) a.cell[e].real = (long double)r->p.data[k].p[e].real;
      else a.cell[e].integer = r->p.data[k].p[e].integer;
    }
    return a;
  }
  fail_msg("no data for %s", p->name);
  return a;
}

static void run_ref(model_run *r, const ir_fn *fn, arena *mem, const ref_array *in, ref_array *out) {
  ref_report report;
  if (ref_eval(REF_LONG, fn, mem, in, out, &report) != REF_OK) fail_msg("oracle: @%s: %s", fn->name, report.why ? report.why : "an index");
  (void)r;
}

static void frame_of_ref(model_run *r) {
  const ir_fn *fn = ir_fn_find(r->p.module, "prepare");
  if (!fn) return;
  r->nframe = fn->nret;
  r->frame = ARENA_ARRAY(&r->mem, ref_array, fn->nret);
  ref_array *in = ARENA_ARRAY(&r->mem, ref_array, fn->nparams + 1);
  for (uint32_t k = 0; k < fn->nparams; k++) in[k] = data_cells_of(r, &r->mem, fn, &fn->param[k]);
  run_ref(r, fn, &r->mem, in, r->frame);
}

static bool summed(const model_run *r, const char *name) {
  for (size_t k = 0; k < r->p.nsites; k++)
    if (strcmp(r->p.site[k].name, name) == 0) return r->p.site[k].summed;
  return false;
}

void model_ref(model_run *r, const char *name, const long double *x, long double *result) {
  const ir_fn *fn = ir_fn_find(r->p.module, name);
  if (!fn) fail_msg("there is no @%s", name);
  arena *mem = &r->scratch;
  ref_array *in = ARENA_ARRAY(mem, ref_array, fn->nparams + 1), *out = ARENA_ARRAY(mem, ref_array, fn->nret);
  for (uint32_t k = 0; k < fn->nparams; k++) {
    const ir_param *p = &fn->param[k];
    if (p->role == IR_ROLE_DATA) {
      in[k] = data_cells_of(r, mem, fn, p);
    } else if (p->role == IR_ROLE_FRAME) {
      unsigned n = 0;
      assert_int_equal(sscanf(p->name, "frame.%u", &n), 1);
      in[k] = r->frame[n - 1];
    } else {
      ir_type t = ir_type_of(fn, p->val);
      size_t n = (size_t)ref_count(r->p.module, t);
      in[k] = (ref_array){n, ARENA_ARRAY(mem, ref_cell, n)};
      if (summed(r, p->name)) continue; /* not read */
      for (size_t e = 0; e < n; e++, x++) {
        if (t.elem == IR_REAL) in[k].cell[e].real = *x;
        else in[k].cell[e].integer = (int64_t)*x;
      }
    }
  }
  run_ref(r, fn, mem, in, out);
  for (uint32_t k = 0; k < fn->nret; k++)
    for (size_t e = 0; e < out[k].n; e++)
      *result++ = ir_type_of(fn, fn->ret[k]).elem == IR_REAL ? out[k].cell[e].real : (long double)out[k].cell[e].integer;
  arena_free(mem);
}
