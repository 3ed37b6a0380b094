/* interp.c: the interpreter as an engine: loading, workers, calls.  interp.h and compiler/contract.h are its contract. */
#include "vm/interp.h"

#include "vm/interp_compile.h"

#include <string.h>

/* ---- workers
 *
 * One piece of memory: the worker, a pointer to the cells and one to the slots of each function, these, and the work cells,
 * which all functions share.  Functions come in pairs, 2 * fn and, for its watched form, 2 * fn + 1. */

static const interp_fn *form(const exec_program *p, uint32_t k) { return k % 2 ? p->fn[k / 2].watched : &p->fn[k / 2]; }

enum { CELL_LINE = 8 }; /* cells of a cache line */

/* Adds n objects of this size, in whole lines; false on overflow. */
static bool room(size_t *total, size_t n, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes) || __builtin_add_overflow(bytes, sizeof(cell) * CELL_LINE - 1, &bytes)) return false;
  return !__builtin_add_overflow(*total, bytes / (sizeof(cell) * CELL_LINE) * (sizeof(cell) * CELL_LINE), total);
}

static bool worker_bytes(const exec_program *p, size_t *bytes) {
  uint32_t n = 2 * p->nfns;
  *bytes = sizeof(cell) * CELL_LINE; /* to align the rest */
  bool ok = room(bytes, 1, sizeof(exec_worker)) && room(bytes, n, sizeof(cell *)) && room(bytes, n, sizeof(cell **));
  for (uint32_t k = 0; k < n && ok; k++)
    if (form(p, k)) ok = room(bytes, form(p, k)->ncells, sizeof(cell)) && room(bytes, form(p, k)->nslots, sizeof(cell *));
  ok = ok && room(bytes, (size_t)p->work, sizeof(cell)) && room(bytes, p->nkept, sizeof(memo_table *));
  for (uint32_t k = 0; k < p->nkept && ok; k++) {
    const interp_kept *t = &p->kept[k];
    const size_t n = t->size ? memo_bytes(t->size, t->key, t->value) : 0;
    ok = (n || !t->size) && room(bytes, n, 1);
  }
  return ok;
}

static void *take(char **at, size_t n, size_t size) {
  void *r = *at;
  size_t bytes = 0;
  room(&bytes, n, size);
  *at += bytes;
  return r;
}

static void worker_fill(const interp_fn *f, cell *c, cell **p, cell *work) {
  for (uint32_t k = 0; k < f->ncells; k++) c[k].integer = 0;
  for (uint32_t k = 0; k < f->nconst; k++) c[f->constant[k].at] = f->constant[k].from ? *f->constant[k].from : f->constant[k].value;
  for (uint32_t k = 0; k < f->nslots; k++) {
    const interp_slot *s = &f->slot[k];
    p[k] = s->kind == P_WORK ? work + s->at : s->kind == P_CELL ? c + s->at : s->kind == P_FIXED ? (cell *)(uintptr_t)s->from : NULL;
  }
}

static exec_worker *worker_new(exec_program *p) {
  size_t bytes;
  if (!worker_bytes(p, &bytes)) return NULL;
  char *memory = alloc_get(&p->alloc, bytes, 1);
  if (!memory) return NULL;
  char *at = (char *)(((uintptr_t)memory + sizeof(cell) * CELL_LINE - 1) / (sizeof(cell) * CELL_LINE) * (sizeof(cell) * CELL_LINE));
  exec_worker *w = take(&at, 1, sizeof *w);
  uint32_t n = 2 * p->nfns;
  *w = (exec_worker){.program = p, .memory = memory, .bytes = bytes};
  w->c = take(&at, n, sizeof *w->c);
  w->p = take(&at, n, sizeof *w->p);
  for (uint32_t k = 0; k < n; k++) {
    if (!form(p, k)) continue;
    w->c[k] = take(&at, form(p, k)->ncells, sizeof(cell));
    w->p[k] = take(&at, form(p, k)->nslots, sizeof(cell *));
  }
  w->work = take(&at, (size_t)p->work, sizeof(cell));
  w->memo = take(&at, p->nkept, sizeof *w->memo);
  for (uint32_t k = 0; k < p->nkept; k++) {
    const interp_kept *t = &p->kept[k];
    w->memo[k] = t->size ? memo_make(take(&at, memo_bytes(t->size, t->key, t->value), 1), t->size, t->key, t->value) : NULL;
  }
  for (uint32_t k = 0; k < n; k++)
    if (form(p, k)) worker_fill(form(p, k), w->c[k], w->p[k], w->work);
  return w;
}

static void worker_free(exec_worker *w) {
  if (!w) return;
  exec_program *p = w->program;
  exec_memo sum = {0};
  for (uint32_t k = 0; k < p->nkept; k++)
    if (w->memo[k]) memo_count(w->memo[k], &sum);
  atomic_fetch_add(&p->asked, sum.asked);
  atomic_fetch_add(&p->found, sum.found);
  atomic_fetch_add(&p->dropped, sum.dropped);
  alloc_put(&p->alloc, w->memory, w->bytes);
}

static bool memo(const exec_program *p, exec_memo *out) {
  bool any = false;
  for (uint32_t k = 0; k < p->nkept; k++) any = any || p->kept[k].size;
  *out = (exec_memo){atomic_load(&p->asked), atomic_load(&p->found), atomic_load(&p->dropped)};
  return any;
}

/* ---- calls */

static exec_status run(const exec_program *p, interp_run *r) {
#if defined(__x86_64__)
  if (p->isa >= 4) return interp_run_v4(r);
  if (p->isa == 3) return interp_run_v3(r);
#else
  (void)p;
#endif
  return interp_run_base(r);
}

static void ports_in(const exec_worker *w, const interp_fn *f, cell *c, cell **p, const exec_arg *in, size_t lane) {
  for (uint32_t k = 0; k < f->nin; k++) {
    const interp_port *q = &f->in[k];
    const cell *from = in[k].p + lane;
    if (!q->array) c[q->at] = *from;
    else if (in[k].stride == 1) p[q->at] = (cell *)(uintptr_t)from;
    else {
      cell *to = p[q->at] = w->work + q->stage;
      for (int64_t e = 0; e < q->cells; e++) to[e] = from[(size_t)e * in[k].stride];
    }
  }
}

/* Results that are computed where the caller wants them. */
static void ports_direct(const exec_worker *w, const interp_fn *f, cell **p, const exec_arg *out, size_t lane) {
  for (uint32_t k = 0; k < f->nout; k++)
    if (f->out[k].direct) p[f->out[k].at] = out[k].stride == 1 ? out[k].p + lane : w->work + f->out[k].stage;
}

static void ports_out(const interp_fn *f, const cell *c, cell *const *p, const exec_arg *out, size_t lane) {
  for (uint32_t k = 0; k < f->nout; k++) {
    const interp_port *q = &f->out[k];
    cell *to = out[k].p + lane;
    if (!q->array) *to = c[q->at];
    else if (p[q->at] == to) continue;
    else if (out[k].stride == 1) memcpy(to, p[q->at], (size_t)q->cells * sizeof(cell));
    else for (int64_t e = 0; e < q->cells; e++) to[(size_t)e * out[k].stride] = p[q->at][e];
  }
}

static exec_status call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  const exec_program *program = w->program;
  interp_run r = {.fn = &program->fn[fn], .k = program->kernels, .draws = program->draws, .c = w->c[2 * fn], .p = w->p[2 * fn], .memo = w->memo};
  exec_status status = EXEC_OK;
  for (size_t lane = 0; lane < lanes && status == EXEC_OK; lane++) {
    ports_in(w, r.fn, r.c, r.p, in, lane);
    ports_direct(w, r.fn, r.p, out, lane);
    status = run(program, &r);
    if (status == EXEC_OK) ports_out(r.fn, r.c, r.p, out, lane);
  }
  if (report) *report = r.report;
  return status;
}

static bool find_nan(exec_worker *w, int fn, const exec_arg *in, exec_report *report) {
  const exec_program *program = w->program;
  /* A scan that ends early leaves the rest of what it stacks as it was, and arrays are looked at whole. */
  memset(w->work, 0, (size_t)program->work * sizeof(cell));
  interp_run r = {.fn = program->fn[fn].watched, .k = program->kernels, .draws = program->draws, .c = w->c[2 * fn + 1], .p = w->p[2 * fn + 1]};
  ports_in(w, r.fn, r.c, r.p, in, 0);
  run(program, &r);
  if (report) *report = r.report;
  return r.nan;
}

static int find(const exec_program *p, const char *name) {
  for (uint32_t k = 0; k < p->nfns; k++) if (strcmp(p->fn[k].name, name) == 0) return (int)k;
  return -1;
}

static const exec_cell *frame(const exec_program *p, uint32_t r) { return r >= 1 && r <= p->nframe ? (const exec_cell *)(const void *)p->frame[r - 1] : NULL; }

void interp_plates(const exec_program *p, int fn, unsigned *vector, unsigned *all) {
  *vector = p->fn[fn].vector_plates;
  *all = p->fn[fn].plates;
}

/* ---- loading */

static void unload(exec_program *p) {
  if (!p) return;
  aim_alloc alloc = p->alloc;
  arena_free(&p->mem);
  alloc_put(&alloc, p, sizeof *p);
}

static bool runs(const ir_fn *fn) {
  if (fn->is_model) return false;
  for (uint32_t k = 0; k < fn->nparams; k++) if (fn->param[k].role == IR_ROLE_PLAIN) return false;
  return true;
}

typedef struct loader {
  exec_program *p;
  const ir_module *m;
  size_t ndata;
  const exec_data *data;
  uint32_t nframe;
  const cell **frame;
  const char **message;
  exec_report *prepared; /* as in exec_options */
} loader;

static void say(const loader *l, const char *fn, const char *text) {
  if (!l->message) return;
  jmp_buf *outer = l->m->mem->oom, here;
  if (setjmp(here) == 0) {
    l->m->mem->oom = &here;
    *l->message = fn ? arena_printf(l->m->mem, "@%s: %s", fn, text) : arena_printf(l->m->mem, "%s", text);
  }
  l->m->mem->oom = outer;
}

/* Compiles one form of fn.  Everything but the result is in an arena of this call, whose handler serves both arenas. */
static exec_status load_form(loader *l, interp_fn *out, const ir_fn *fn, bool watched) {
  arena tmp;
  arena_init(&tmp, &l->p->alloc, 0);
  icomp *volatile c = NULL;
  exec_status status = EXEC_OK;
  if (ARENA_TRY(&tmp)) {
    status = c && c->refused ? EXEC_REFUSED : EXEC_MEMORY;
    if (status == EXEC_REFUSED) say(l, fn->name, c->refused);
  } else {
    l->p->mem.oom = tmp.oom;
    c = ARENA_NEW(&tmp, icomp);
    c->tmp = &tmp;
    c->program = l->p;
    c->watched = watched;
    interp_compile(c, out, fn, l->ndata, l->data, l->nframe, l->frame);
    if (out->work > l->p->work) l->p->work = out->work;
  }
  l->p->mem.oom = NULL;
  arena_free(&tmp);
  return status;
}

static exec_status load_fn(loader *l, const ir_fn *fn, interp_fn *watched) {
  interp_fn *out = &l->p->fn[l->p->nfns];
  exec_status s = load_form(l, out, fn, false);
  if (s == EXEC_OK) s = load_form(l, watched, fn, true);
  if (s != EXEC_OK) return s;
  out->watched = watched;
  l->p->nfns++;
  return EXEC_OK;
}

/* Runs @prepare, the only function so far, into memory of the program. */
static exec_status prepare(loader *l) {
  const interp_fn *f = &l->p->fn[0];
  volatile exec_status status = EXEC_MEMORY;
  exec_report report = {.where = {0}};
  exec_worker *w = worker_new(l->p);
  if (!w) return EXEC_MEMORY;
  jmp_buf here;
  if (setjmp(here) == 0) {
    l->p->mem.oom = &here;
    exec_arg *out = arena_alloc(&l->p->mem, f->nout, sizeof *out);
    l->frame = arena_alloc(&l->p->mem, f->nout, sizeof *l->frame);
    l->nframe = l->p->nframe = f->nout;
    l->p->frame = l->frame;
    for (uint32_t k = 0; k < f->nout; k++) {
      out[k] = (exec_arg){arena_alloc(&l->p->mem, f->out[k].array ? (size_t)f->out[k].cells : 1, sizeof(cell)), 1};
      l->frame[k] = out[k].p;
    }
    status = call(w, 0, 1, NULL, out, &report);
    if (status == EXEC_BOUND && l->prepared) *l->prepared = report;
  }
  l->p->mem.oom = NULL;
  worker_free(w);
  return status;
}

static exec_status load(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                        exec_program **out, const char **message) {
  *out = NULL;
  if (message) *message = NULL;
  exec_program *p = alloc_get(alloc, 1, sizeof *p);
  if (!p) return EXEC_MEMORY;
  memset(p, 0, sizeof *p);
  p->alloc = *alloc;
  arena_init(&p->mem, &p->alloc, options ? options->memory : 0);
  p->memory = options ? options->memory : 0;
  p->kernels = rt_kernels_for(options ? options->isa : 0);
  p->isa = p->kernels->level;
  p->draws = rt_draws_for(p->isa);
  loader l = {.p = p, .m = m, .ndata = ndata, .data = data, .message = message, .prepared = options ? options->prepared : NULL};
  exec_status status = EXEC_OK;
  interp_fn *watched = NULL;
  jmp_buf here;
  if (setjmp(here) == 0) {
    p->mem.oom = &here;
    p->fn = arena_alloc(&p->mem, m->nfns, sizeof *p->fn);
    p->kept = arena_alloc(&p->mem, m->nmemos ? m->nmemos : 1, sizeof *p->kept);
    p->nkept = m->nmemos;
    memset(p->kept, 0, p->nkept * sizeof *p->kept);
    watched = arena_alloc(&p->mem, m->nfns, sizeof *watched);
  } else {
    unload(p);
    return EXEC_MEMORY;
  }
  p->mem.oom = NULL;
  const ir_fn *first = ir_fn_find(m, "prepare");
  if (first && runs(first)) {
    status = load_fn(&l, first, watched);
    if (status == EXEC_OK) status = prepare(&l);
  } else {
    first = NULL;
  }
  for (uint32_t k = 0; k < m->nfns && status == EXEC_OK; k++)
    if (m->fn[k] != first && runs(m->fn[k])) status = load_fn(&l, m->fn[k], watched + p->nfns);
  size_t bytes;
  if (status == EXEC_OK && (!worker_bytes(p, &bytes) || (p->memory && bytes > p->memory))) {
    say(&l, NULL, "the arrays of the program do not fit in the memory limit");
    status = EXEC_REFUSED;
  }
  if (status != EXEC_OK) {
    unload(p);
    return status;
  }
  *out = p;
  return EXEC_OK;
}

const exec_engine interp_engine = {"interpreter", load, unload, find, worker_new, worker_free, call, find_nan, NULL, frame, NULL, memo};
