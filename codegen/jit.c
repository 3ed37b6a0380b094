/* jit.c: programs and workers of compiled code. */
#include "codegen/jit.h"

#include "codegen/abi.h"
#include "codegen/cache.h"
#include "codegen/child.h"
#include "codegen/host.h"
#include "codegen/loader.h"
#include "codegen/needs.h"
#include "codegen/request.h"
#include "stdlib/runtime/rt_kernels.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE = CG_LINE, SECONDS = 60 };

typedef struct port {
  bool array, bound;   /* bound: data or frame, before the first call */
  int64_t cells;
  const cg_cell *from; /* data and frame; NULL: of the call */
  int64_t stage;       /* cells of a worker's memory, for calls with a stride */
} port;

typedef struct jit_fn {
  const char *name;
  cg_fn *code;
  port *in, *out;
  uint32_t nin, nout, ncall; /* ncall: parameters of a call */
  cg_needs needs;
  size_t bytes;        /* of its code */
  uint32_t first;      /* of its slots in a worker's table */
  span *where;         /* of operations, in ir_visit_ops order */
  uint32_t nwhere;
} jit_fn;

struct exec_program {
  aim_alloc alloc;
  arena mem;
  const jit_config *config;
  const ir_module *module;
  size_t ndata;
  exec_data *data;
  exec_options options;
  bool (*wanted)(const ir_fn *fn);
  size_table *sizes; /* a copy: code may be taken over while others read the module's */
  strbuf request;
  cg_object object;
  bool announced;
  cg_host host;
  jit_fn *fn;
  uint32_t nfns;
  int64_t work;
  jit_stats stats;
};

struct exec_worker {
  exec_program *program;
  char *memory;
  size_t bytes;
  cg_cell *work;
  cg_cell **slot;    /* [sum of nslots], a run for each function */
  const cg_cell **in;
  cg_cell **out;
  exec_program *watched; /* the fallback's, made when a NaN is first looked for */
  exec_worker *watcher;
};

static bool runs(const exec_program *p, const ir_fn *fn) {
  if (fn->is_model || (p->wanted && !p->wanted(fn))) return false;
  for (uint32_t k = 0; k < fn->nparams; k++) if (fn->param[k].role == IR_ROLE_PLAIN) return false;
  return true;
}

/* ---- setting up */

typedef struct setup {
  exec_program *p;
  const ir_module *m; /* not read while an object is taken over */
  jmp_buf refused;
} setup;

static _Noreturn void refuse(setup *s, const char *text) {
  snprintf(s->p->stats.why, sizeof s->p->stats.why, "%s", text);
  longjmp(s->refused, 1);
}

/* Runs a step that may refuse or want memory that is not there; neither jumps out of here. */
typedef exec_status step(setup *s, const void *arg);
static exec_status guarded(exec_program *p, const ir_module *m, step *run, const void *arg) {
  setup s = {.p = p, .m = m};
  jmp_buf memory;
  volatile exec_status status = EXEC_OK;
  if (setjmp(memory)) {
    status = EXEC_MEMORY;
  } else {
    p->mem.oom = &memory;
    if (setjmp(s.refused)) status = EXEC_REFUSED;
    else status = run(&s, arg);
  }
  p->mem.oom = NULL;
  return status;
}

/* ---- functions */

typedef struct collector {
  jit_fn *f;
  uint32_t n;
} collector;
static void count_op(void *user, ir_op *op) { (void)op, ++*(uint32_t *)user; }
static void note_where(void *user, ir_op *op) {
  collector *c = user;
  c->f->where[c->n++] = op->where;
}

static int64_t cells_of(setup *s, ir_type t) {
  int64_t n = 1;
  for (int k = 0; k < t.rank; k++) {
    int64_t d;
    if (!size_value(s->m->sizes, t.dim[k], &d)) refuse(s, "an array has an extent that is unbound");
    if (d < 0) refuse(s, "an array has an extent that is negative");
    if (__builtin_mul_overflow(n, d, &n) || n > INT64_MAX / 64) refuse(s, "an array is too large");
  }
  return n;
}

static void describe(setup *s, jit_fn *f, const ir_fn *fn) {
  arena *mem = &s->p->mem;
  f->name = arena_strndup(mem, fn->name, strlen(fn->name));
  ir_visit_ops((ir_block *)(uintptr_t)&fn->body, count_op, &f->nwhere);
  f->where = arena_alloc(mem, f->nwhere + 1, sizeof *f->where);
  collector c = {f, 0};
  ir_visit_ops((ir_block *)(uintptr_t)&fn->body, note_where, &c);
  f->nin = fn->nparams;
  f->nout = fn->nret;
  f->in = ARENA_ARRAY(mem, port, f->nin + 1);
  f->out = ARENA_ARRAY(mem, port, f->nout + 1);
  for (uint32_t k = 0; k < f->nin; k++) {
    ir_type t = ir_type_of(fn, fn->param[k].val);
    ir_role role = fn->param[k].role;
    f->in[k] = (port){.array = t.rank > 0, .bound = role == IR_ROLE_DATA || role == IR_ROLE_FRAME, .cells = cells_of(s, t)};
  }
  for (uint32_t k = 0; k < f->nout; k++) {
    ir_type t = ir_type_of(fn, fn->ret[k]);
    f->out[k] = (port){.array = t.rank > 0, .cells = cells_of(s, t)};
  }
}

static const cg_cell nothing[LINE];

static void connect(setup *s, jit_fn *f, const ir_fn *fn, uint32_t nframe, const void *const *frame) {
  for (uint32_t k = 0; k < f->nin; k++) {
    const ir_param *q = &fn->param[k];
    const void *x = NULL;
    if (q->role == IR_ROLE_DATA) {
      for (size_t d = 0; d < s->p->ndata; d++) if (strcmp(s->p->data[d].name, q->name) == 0) x = s->p->data[d].p ? (const void *)s->p->data[d].p : nothing;
      if (!x) refuse(s, arena_printf(&s->p->mem, "no data is bound to `%s`", q->name));
    } else if (q->role == IR_ROLE_FRAME) {
      const char *at = q->name + 6;
      int64_t r = strncmp(q->name, "frame.", 6) == 0 ? strtoll(at, NULL, 10) : 0;
      if (r < 1 || r > nframe) refuse(s, arena_printf(&s->p->mem, "@prepare has no result for `%s`", q->name));
      x = frame[r - 1];
    } else {
      f->ncall++;
    }
    f->in[k].from = x;
  }
}

/* Room for the arguments of calls with a stride, behind the function's own. */
static void add_stages(setup *s, jit_fn *f) {
  for (uint32_t k = 0; k < f->nin + f->nout; k++) {
    port *q = k < f->nin ? &f->in[k] : &f->out[k - f->nin];
    if (!q->array || q->bound) continue;
    q->stage = f->needs.work;
    f->needs.work += (q->cells + LINE) / LINE * LINE;
    if (f->needs.work > INT64_MAX / 64) refuse(s, "an array is too large");
  }
  if (f->needs.work > s->p->work) s->p->work = f->needs.work;
}

/* ---- workers: one block of this struct, the tables, and the cells that all functions share */

static size_t table_bytes(const exec_program *p) {
  size_t n = 0, in = 0, out = 0;
  for (uint32_t k = 0; k < p->nfns; k++) {
    n += p->fn[k].needs.nslots;
    if (p->fn[k].nin > in) in = p->fn[k].nin;
    if (p->fn[k].nout > out) out = p->fn[k].nout;
  }
  return (n + in + out) * sizeof(void *);
}

static bool worker_bytes(const exec_program *p, size_t *bytes) {
  size_t work;
  if (__builtin_mul_overflow((size_t)p->work + LINE, sizeof(cg_cell), &work)) return false;
  return !__builtin_add_overflow(work, sizeof(exec_worker) + table_bytes(p) + 2 * LINE * sizeof(cg_cell), bytes);
}

static exec_worker *worker_new(exec_program *p) {
  size_t bytes;
  if (!worker_bytes(p, &bytes)) return NULL;
  char *memory = alloc_get(&p->alloc, bytes, 1);
  if (!memory) return NULL;
  exec_worker *w = (exec_worker *)(void *)memory;
  *w = (exec_worker){.program = p, .memory = memory, .bytes = bytes};
  void **table = (void **)(void *)(memory + sizeof *w);
  char *after = memory + sizeof *w + table_bytes(p);
  w->work = (cg_cell *)(((uintptr_t)after + 63) / 64 * 64);
  w->slot = (cg_cell **)table;
  size_t at = 0;
  for (uint32_t k = 0; k < p->nfns; k++)
    for (uint32_t q = 0; q < p->fn[k].needs.nslots; q++) w->slot[at++] = w->work + p->fn[k].needs.slot[q];
  uint32_t in = 0;
  for (uint32_t k = 0; k < p->nfns; k++) if (p->fn[k].nin > in) in = p->fn[k].nin;
  w->in = (const cg_cell **)table + at;
  w->out = (cg_cell **)table + at + in;
  return w;
}

static void worker_free(exec_worker *w) {
  if (!w) return;
  const exec_engine *f = w->program->config->fallback;
  if (w->watcher) f->worker_free(w->watcher);
  if (w->watched) f->unload(w->watched);
  alloc_put(&w->program->alloc, w->memory, w->bytes);
}

/* ---- calls */

static span where_of(const jit_fn *f, int64_t k) { return k >= 0 && k < f->nwhere ? f->where[k] : (span){0}; }

static exec_status call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  const exec_program *p = w->program;
  const jit_fn *f = &p->fn[fn];
  cg_ctx c = {.size = f->needs.size, .slot = w->slot + f->first, .in = w->in, .out = w->out, .host = &p->host};
  exec_status status = EXEC_OK;
  for (size_t lane = 0; lane < lanes && status == EXEC_OK; lane++) {
    for (uint32_t k = 0, q = 0; k < f->nin; k++) {
      const port *x = &f->in[k];
      if (x->from) {
        w->in[k] = x->from;
        continue;
      }
      const exec_arg *a = &in[q++];
      w->in[k] = a->p ? (const cg_cell *)(const void *)(a->p + lane) : nothing;
      if (!x->array || a->stride == 1) continue;
      cg_cell *to = w->work + x->stage;
      for (int64_t e = 0; e < x->cells; e++) to[e].integer = a->p[(size_t)e * a->stride + lane].integer;
      w->in[k] = to;
    }
    for (uint32_t k = 0; k < f->nout; k++) {
      const port *x = &f->out[k];
      w->out[k] = x->array && (out[k].stride != 1 || !out[k].p) ? w->work + x->stage : (cg_cell *)(void *)(out[k].p + lane);
    }
    if (f->code(&c)) {
      status = EXEC_BOUND;
      break;
    }
    for (uint32_t k = 0; k < f->nout; k++) {
      const port *x = &f->out[k];
      if (!x->array || out[k].stride == 1) continue;
      const cg_cell *from = w->work + x->stage;
      for (int64_t e = 0; e < x->cells; e++) out[k].p[(size_t)e * out[k].stride + lane].integer = from[e].integer;
    }
  }
  if (report) {
    *report = (exec_report){.guards = (uint64_t)c.guards};
    if (c.guards) report->guard_where = where_of(f, c.guard_where);
    if (status == EXEC_BOUND) report->where = where_of(f, c.where), report->index = c.index, report->extent = c.extent;
  }
  return status;
}

static bool find_nan(exec_worker *w, int fn, const exec_arg *in, exec_report *report) {
  exec_program *p = w->program;
  const exec_engine *f = p->config->fallback;
  if (report) *report = (exec_report){.guards = 0};
  if (!f) return false;
  if (!w->watcher) {
    exec_options o = p->options;
    o.user = f->user;
    if (!w->watched && f->load(p->module, p->ndata, p->data, &o, &p->alloc, &w->watched, NULL) != EXEC_OK) w->watched = NULL;
    if (w->watched) w->watcher = f->worker_new(w->watched);
  }
  if (!w->watcher) return false;
  int k = f->find(w->watched, p->fn[fn].name);
  return k >= 0 && f->find_nan(w->watcher, k, in, report);
}

static int find(const exec_program *p, const char *name) {
  for (uint32_t k = 0; k < p->nfns; k++) if (strcmp(p->fn[k].name, name) == 0) return (int)k;
  return -1;
}

void jit_stats_of(const exec_program *p, jit_stats *out) { *out = p->stats; }

/* ---- loading */

static void unload(exec_program *p) {
  if (!p) return;
  aim_alloc alloc = p->alloc;
  if (p->announced && p->config->went) p->config->went(p->object.base);
  cg_object_free(&p->object);
  arena_free(&p->mem);
  alloc_put(&alloc, p, sizeof *p);
}

/* Hands the reason over, in memory of the module. */
static void tell(const exec_program *p, const ir_module *m, const char **message) {
  if (!message || !p->stats.why[0]) return;
  jmp_buf *outer = m->mem->oom, here;
  if (setjmp(here) == 0) {
    m->mem->oom = &here;
    *message = arena_printf(m->mem, "%s", p->stats.why);
  }
  m->mem->oom = outer;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void take_object(setup *s, const char *object, size_t n) {
  exec_program *p = s->p;
  const char *why = cg_object_load(&p->object, object, n);
  if (why) refuse(s, why);
  size_t size;
  const char *meta = cg_object_find(&p->object, object, n, "aim_meta", &size);
  if (!meta || size == 0 || meta[size - 1] != '\0') refuse(s, "the object has no description");
  cg_needs *needs = ARENA_ARRAY(&p->mem, cg_needs, p->nfns + 1);
  why = cg_needs_read(needs, p->nfns, meta, p->sizes, &p->mem);
  if (why) refuse(s, why);
  uint32_t slots = 0;
  for (uint32_t k = 0; k < p->nfns; k++) {
    jit_fn *f = &p->fn[k];
    f->needs = needs[k];
    const void *code = cg_object_find(&p->object, object, n, arena_printf(&p->mem, "aim_fn_%u", k), &size);
    if (!code) refuse(s, "the object lacks a function");
    memcpy(&f->code, &code, sizeof code);
    f->bytes = size;
    f->first = slots;
    slots += f->needs.nslots;
    add_stages(s, f);
  }
  size_t bytes;
  if (!worker_bytes(p, &bytes) || (p->options.memory && bytes > p->options.memory)) refuse(s, "the arrays of the program do not fit in the memory limit");
}

static void announce(exec_program *p, const char *object, size_t n) {
  const char **name = ARENA_ARRAY(&p->mem, const char *, p->nfns + 1);
  const void **code = ARENA_ARRAY(&p->mem, const void *, p->nfns + 1);
  size_t *bytes = ARENA_ARRAY(&p->mem, size_t, p->nfns + 1);
  for (uint32_t k = 0; k < p->nfns; k++) {
    name[k] = p->fn[k].name;
    memcpy(&code[k], &p->fn[k].code, sizeof code[k]);
    bytes[k] = p->fn[k].bytes;
  }
  char *copy = memcpy(arena_alloc(&p->mem, n, 1), object, n);
  cg_object_place(&p->object, copy, n);
  p->config->came(&(jit_image){p->object.base, copy, n, p->nfns, name, code, bytes});
  p->announced = true;
}

typedef struct bytes {
  const char *p;
  size_t n;
} bytes;

static exec_status take(setup *s, const void *arg) {
  const bytes *object = arg;
  take_object(s, object->p, object->n);
  if (s->p->config->came) announce(s->p, object->p, object->n);
  return EXEC_OK;
}

/* Takes an object over.  On failure the program is as before, and stats.why tells why, but for want of memory. */
static exec_status finish(exec_program *p, const char *object, size_t n) {
  exec_status status = guarded(p, NULL, take, &(bytes){object, n});
  if (status == EXEC_OK) {
    p->stats.object = n;
    return EXEC_OK;
  }
  cg_object_free(&p->object);
  p->work = 0;
  for (uint32_t k = 0; k < p->nfns; k++) p->fn[k].needs = (cg_needs){0};
  return status;
}

static cg_cache cache_of(exec_program *p) {
  const jit_config *j = p->config;
  cg_cache c = {.dir = -1};
  if (j->cache) c = cg_cache_open(j->cache, j->cache_most ? j->cache_most : CG_CACHE_MOST);
  p->stats.cache_off = c.off;
  p->stats.distrusted = c.distrusted;
  return c;
}

exec_status jit_recall(exec_program *p) {
  double t = now();
  cg_cache c = cache_of(p);
  size_t n;
  char *object = cg_cache_get(&c, p->request.s, p->request.n, &p->alloc, &n);
  cg_cache_close(&c);
  exec_status status = object ? finish(p, object, n) : EXEC_REFUSED;
  alloc_put(&p->alloc, object, object ? n : 0);
  p->stats.cached = status == EXEC_OK;
  p->stats.seconds += now() - t;
  return status;
}

exec_status jit_compile(exec_program *p, int cancel) {
  double t = now();
  cg_reply r;
  cg_child_run(&r, p->config->compiler, p->request.s, p->request.n, p->config->seconds ? p->config->seconds : SECONDS, cancel, &p->alloc);
  exec_status status = r.object ? finish(p, r.object, r.n) : r.memory ? EXEC_MEMORY : EXEC_REFUSED;
  if (!r.object) snprintf(p->stats.why, sizeof p->stats.why, "%.*s", (int)sizeof p->stats.why - 1, r.message);
  if (status == EXEC_OK) {
    p->stats.why[0] = '\0';
    cg_cache c = cache_of(p);
    cg_cache_put(&c, p->request.s, p->request.n, r.object, r.n);
    cg_cache_close(&c);
  }
  alloc_put(&p->alloc, r.object, r.cap);
  p->stats.seconds += now() - t;
  return status;
}

/* Runs @prepare into memory of the program. */
static exec_status prepare(setup *s, int k) {
  exec_program *p = s->p;
  jit_fn *f = &p->fn[k];
  exec_arg *out = ARENA_ARRAY(&p->mem, exec_arg, f->nout + 1);
  exec_report r;
  for (uint32_t q = 0; q < f->nout; q++) out[q] = (exec_arg){ARENA_ARRAY(&p->mem, exec_cell, (size_t)f->out[q].cells + LINE), 1};
  const void **frame = ARENA_ARRAY(&p->mem, const void *, f->nout + 1);
  for (uint32_t q = 0; q < f->nout; q++) frame[q] = out[q].p;
  exec_worker *w = worker_new(p); /* nothing may jump while it is held */
  if (!w) return EXEC_MEMORY;
  exec_status st = call(w, k, 1, NULL, out, &r);
  worker_free(w);
  if (st != EXEC_OK) {
    if (p->options.prepared) *p->options.prepared = r;
    return st;
  }
  for (uint32_t q = 0, i = 0; q < s->m->nfns; q++)
    if (runs(p, s->m->fn[q])) {
      if ((int)i != k) connect(s, &p->fn[i], s->m->fn[q], f->nout, frame);
      i++;
    }
  return EXEC_OK;
}

typedef struct opening {
  size_t ndata;
  const exec_data *data;
  const jit_base *base;
} opening;

static bool asked_for(const void *user, const ir_fn *fn) { return runs(user, fn); }

static size_table *numbers_of(const size_table *from, arena *mem) {
  size_table *to = size_table_new(mem);
  for (size_t k = 0; k < size_symbol_count(from); k++) {
    const char *name;
    int64_t n;
    ir_size symbol = size_symbol_at(from, k);
    if (size_is_symbol(from, symbol, &name) && size_value(from, symbol, &n)) size_bind(to, size_symbol(to, name), n);
  }
  return to;
}

/* What compiling and calling will need of the module. */
static exec_status describe_all(setup *s, const void *arg) {
  const opening *o = arg;
  const jit_base *base = o->base;
  exec_program *p = s->p;
  p->data = ARENA_ARRAY(&p->mem, exec_data, o->ndata + 1);
  if (o->ndata) memcpy(p->data, o->data, o->ndata * sizeof *o->data);
  p->ndata = o->ndata;
  strbuf_init(&p->request, &p->mem);
  request_write(&p->request, s->m, p->options.isa, asked_for, p);
  p->sizes = numbers_of(s->m->sizes, &p->mem);
  for (uint32_t k = 0; k < s->m->nfns; k++) p->nfns += runs(p, s->m->fn[k]);
  p->fn = ARENA_ARRAY(&p->mem, jit_fn, p->nfns + 1);
  uint32_t nframe = 0;
  const void **frame = NULL;
  if (base) {
    const ir_fn *first = ir_fn_find(s->m, "prepare");
    nframe = first ? first->nret : 0;
    frame = ARENA_ARRAY(&p->mem, const void *, nframe + 1);
    for (uint32_t k = 0; k < nframe; k++)
      if (!(frame[k] = base->engine->frame(base->program, k + 1))) refuse(s, "a result of @prepare is not there");
  }
  for (uint32_t k = 0, i = 0; k < s->m->nfns; k++) {
    if (!runs(p, s->m->fn[k])) continue;
    describe(s, &p->fn[i], s->m->fn[k]);
    if (base) connect(s, &p->fn[i], s->m->fn[k], nframe, frame);
    i++;
  }
  return EXEC_OK;
}

exec_status jit_open(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                     const jit_base *base, exec_program **out, const char **message) {
  *out = NULL;
  if (message) *message = NULL;
#if !defined(__x86_64__)
  if (message) *message = "machine code is made for x86-64 only";
  return EXEC_REFUSED;
#endif
  if (!options || !options->user) {
    if (message) *message = "the engine was not set up";
    return EXEC_REFUSED;
  }
  exec_program *p = alloc_get(alloc, 1, sizeof *p);
  if (!p) return EXEC_MEMORY;
  memset(p, 0, sizeof *p);
  p->alloc = *alloc;
  p->options = *options;
  p->config = options->user;
  p->module = m;
  p->wanted = base ? base->wanted : NULL;
  p->host = *cg_host_for(rt_kernels_for(options->isa)->level);
  arena_init(&p->mem, &p->alloc, options->memory);
  exec_status status = guarded(p, m, describe_all, &(opening){ndata, data, base});
  *out = p;
  if (status == EXEC_OK) return EXEC_OK;
  tell(p, m, message);
  unload(p);
  *out = NULL;
  return status;
}

/* With the code there: everything of the module that has a value before the first call. */
static exec_status begin(setup *s, const void *arg) {
  (void)arg;
  exec_program *p = s->p;
  int first = find(p, "prepare");
  for (uint32_t k = 0, i = 0; k < s->m->nfns; k++) {
    if (!runs(p, s->m->fn[k])) continue;
    if (first < 0 || (int)i == first) connect(s, &p->fn[i], s->m->fn[k], 0, NULL);
    i++;
  }
  return first >= 0 ? prepare(s, first) : EXEC_OK;
}

static exec_status load(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                        exec_program **out, const char **message) {
  exec_program *p;
  *out = NULL;
  exec_status status = jit_open(m, ndata, data, options, alloc, NULL, &p, message);
  if (status != EXEC_OK) return status;
  status = jit_recall(p);
  if (status == EXEC_REFUSED) status = jit_compile(p, -1);
  if (status == EXEC_OK) status = guarded(p, m, begin, NULL);
  if (status == EXEC_OK) {
    *out = p;
    return EXEC_OK;
  }
  tell(p, m, message);
  unload(p);
  return status;
}

exec_engine jit_engine(const jit_config *config) {
  return (exec_engine){"jit", load, unload, find, worker_new, worker_free, call, find_nan, config, NULL, NULL, NULL};
}
