/* choose.c: one of two engines, program by program. */
#include "codegen/choose.h"

#include "compiler/ir_cost.h"

struct exec_program {
  aim_alloc alloc;
  exec_engine e;
  exec_program *p;
};
struct exec_worker {
  exec_program *program;
  exec_worker *w;
};

/* The work of one evaluation: of the gradient, or where there is none of the largest function. */
static int64_t flops_of(const ir_module *m) {
  int64_t most = 0;
  for (uint32_t k = 0; k < m->nfns; k++) {
    ir_cost_number n;
    if (m->fn[k]->is_model || !ir_cost_eval(m, ir_cost_fn(m->fn[k]), &n)) continue;
    if (n.flops > most) most = n.flops;
  }
  return most;
}

static exec_status load(const ir_module *m, size_t ndata, const exec_data *data, const exec_options *options, const aim_alloc *alloc,
                        exec_program **out, const char **message) {
  const choose_config *c = options->user;
  *out = NULL;
  exec_program *p = alloc_get(alloc, 1, sizeof *p);
  if (!p) return EXEC_MEMORY;
  *p = (exec_program){.alloc = *alloc};
  exec_options o = *options;
  exec_status s = EXEC_REFUSED;
  if (c->least_flops == 0 || flops_of(m) >= c->least_flops) {
    const char *why = NULL;
    p->e = c->fast;
    o.user = c->fast.user;
    s = c->fast.load(m, ndata, data, &o, alloc, &p->p, &why);
    if (s == EXEC_REFUSED && c->notice) c->notice(why ? why : "it refused the program");
  }
  if (s == EXEC_REFUSED) {
    p->e = *c->sure;
    o.user = c->sure->user;
    s = c->sure->load(m, ndata, data, &o, alloc, &p->p, message);
  }
  if (s == EXEC_OK) *out = p;
  else alloc_put(alloc, p, sizeof *p);
  return s;
}

static void unload(exec_program *p) {
  if (!p) return;
  aim_alloc alloc = p->alloc;
  p->e.unload(p->p);
  alloc_put(&alloc, p, sizeof *p);
}

static int find(const exec_program *p, const char *name) { return p->e.find(p->p, name); }

static exec_worker *worker_new(exec_program *p) {
  exec_worker *w = alloc_get(&p->alloc, 1, sizeof *w);
  if (!w) return NULL;
  *w = (exec_worker){p, p->e.worker_new(p->p)};
  if (w->w) return w;
  alloc_put(&p->alloc, w, sizeof *w);
  return NULL;
}

static void worker_free(exec_worker *w) {
  if (!w) return;
  aim_alloc alloc = w->program->alloc;
  w->program->e.worker_free(w->w);
  alloc_put(&alloc, w, sizeof *w);
}

static exec_status call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  return w->program->e.call(w->w, fn, lanes, in, out, report);
}
static bool find_nan(exec_worker *w, int fn, const exec_arg *in, exec_report *report) { return w->program->e.find_nan(w->w, fn, in, report); }

exec_engine choose_engine(const choose_config *config) {
  return (exec_engine){"auto", load, unload, find, worker_new, worker_free, call, find_nan, config};
}
