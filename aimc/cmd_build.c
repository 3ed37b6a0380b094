/* cmd_build.c: aimc build: a model as an object and a C header, for programs that have neither AIM nor LLVM.
 *
 * Data are bound for what they say of sizes: one that is at most 64 becomes a constant of the code, as the engine makes it, and a larger
 * one, or one that --runtime names, a field that the host sets.  Passes see no number of the latter, so that the code is right for all. */
#include "aimc/aimc.h"
#include "aimc/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef AIM_JIT

#include "codegen/ahead.h"
#include "vm/api.h"
#include "vm/file.h"

enum { STATIC_MOST = 64, SECONDS = 60 };

static int level_of(const char *cpu) {
  if (!cpu) return 3;
  if (strcmp(cpu, "native") == 0) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 2;
  }
  if (strncmp(cpu, "x86-64-v", 8) == 0 && cpu[8] >= '2' && cpu[8] <= '4' && !cpu[9]) return cpu[8] - '0';
  return 0;
}

/* ---- sizes */

static bool named(const args *a, const char *size) {
  for (size_t k = 0; k < a->n_runtime; k++)
    if (strcmp(a->runtime[k], size) == 0) return true;
  return false;
}

typedef struct number {
  ir_size symbol;
  int64_t n;
} number;

/* Leaves numbers to the sizes that become constants; the others go to *runtime. */
static size_t sort_sizes(const args *a, program *p, ir_size **runtime) {
  number *constant = NULL;
  size_t nconstant = 0, cap = 0, n = 0, cap_runtime = 0;
  *runtime = NULL;
  for (size_t k = 0; k < size_symbol_count(p->sizes); k++) {
    number x = {.symbol = size_symbol_at(p->sizes, k)};
    const char *name;
    if (!size_is_symbol(p->sizes, x.symbol, &name) || !size_value(p->sizes, x.symbol, &x.n)) continue;
    if (named(a, name) || x.n > STATIC_MOST || x.n < -STATIC_MOST) ARENA_PUSH(p->mem, *runtime, n, cap_runtime, x.symbol);
    else ARENA_PUSH(p->mem, constant, nconstant, cap, x);
  }
  size_unbind_all(p->sizes);
  for (size_t k = 0; k < nconstant; k++) size_bind(p->sizes, constant[k].symbol, constant[k].n);
  return n;
}

static int check_names(const args *a, const program *p) {
  if (p->nmissing) {
    fprintf(stderr, "aimc: values of `%s` are missing, and an object is for data that are whole\n", p->missing[0].name);
    return EXIT_WRONG;
  }
  for (size_t k = 0; k < a->n_runtime; k++) {
    bool there = false;
    for (size_t i = 0; i < size_symbol_count(p->sizes) && !there; i++) {
      const char *name;
      int64_t n;
      ir_size s = size_symbol_at(p->sizes, i);
      there = size_is_symbol(p->sizes, s, &name) && strcmp(name, a->runtime[k]) == 0 && size_value(p->sizes, s, &n);
    }
    if (there) continue;
    fprintf(stderr, "aimc: model %s has no size named `%s`\n", p->model->decl->name.name, a->runtime[k]);
    return EXIT_WRONG;
  }
  return EXIT_FINE;
}

/* ---- files */

static int write_file(const char *path, const char *bytes, size_t n, arena *a) {
  int error = file_replace(path, arena_printf(a, "%s.part", path), bytes, n, FILE_MODE_NEW);
  if (error == 0) return EXIT_FINE;
  fprintf(stderr, "aimc: %s: %s\n", path, strerror(error));
  return EXIT_HOST;
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static int write_both(const args *a, ahead_spec *s, const aim_alloc *alloc) {
  const char *object, *why = ahead_describe(s), *name = a->object ? a->object : s->prefix;
  size_t n;
  if (!why) why = ahead_object(s, engine_compiler(), SECONDS, alloc, &object, &n);
  if (why) {
    fprintf(stderr, "aimc: there is no object of model %s: %s\n", s->p->model->decl->name.name, why);
    return EXIT_WRONG;
  }
  if (!*base_name(name)) name = arena_printf(s->mem, "%s%s", name, s->prefix);
  strbuf header;
  strbuf_init(&header, s->mem);
  ahead_header(s, &header);
  const char *o = arena_printf(s->mem, "%s.o", name), *h = arena_printf(s->mem, "%s.h", name);
  int status = write_file(o, object, n, s->mem);
  if (status == EXIT_FINE) status = write_file(h, header.s, header.n, s->mem);
  if (status == EXIT_FINE) printf("%s (%zu bytes), %s\n", o, n, h);
  return status;
}

/* ---- the command */

static bool continuous(const check_model *m) {
  for (size_t k = 0; k < m->nsites; k++)
    if (m->sites[k].role == IR_LATENT && m->sites[k].type->kind != TY_REAL) return false;
  return true;
}

/* What is finite is summed out; where that cannot be, there is no density on the unconstrained space, and the reason is told. */
static bool derive(aim_task *t) {
  program *p = &t->p;
  const unsigned needs = NEED_PRIOR | NEED_OUTPUTS | NEED_DENSITY;
  p->sums = continuous(t->plan.model) ? SUMS_NONE : t->plan.nsum_out ? SUMS_MUST : SUMS_TRY;
  p->sum_out = t->plan.sum_out;
  p->nsum_out = t->plan.nsum_out;
  if (program_build(p, needs | NEED_GRAD)) return true;
  if (!p->unsummed) return false;
  fprintf(stderr, "aimc: model %s gets no log density, since not all of its discrete unknowns can be summed out: %s\n", p->model->decl->name.name, p->unsummed);
  p->sums = SUMS_NONE;
  return program_build(p, needs);
}

static int exhausted(void) {
  fputs("aimc: memory is exhausted\n", stderr);
  return EXIT_HOST;
}

/* Derives what the object has inside; s: what it is to be. */
static int plan_object(const args *a, aim_task *t, ahead_spec *s) {
  if (ARENA_TRY(&t->mem)) return exhausted();
  program *p = &t->p;
  if (!program_bind(p, t->plan.model, t->plan.run, &t->data)) return report_task(a, t, AIM_E_PROGRAM);
  int status = check_names(a, p);
  if (status != EXIT_FINE) return status;
  *s = (ahead_spec){.mem = &t->mem,
                    .p = p,
                    .prefix = ahead_c_name(&t->mem, t->plan.model->decl->name.name),
                    .source = base_name(a->file[0]),
                    .level = level_of(a->cpu),
                    .key_prior = RUN_KEY_PRIOR,
                    .key_outputs = RUN_KEY_OUTPUTS};
  ir_size *runtime;
  s->nruntime = sort_sizes(a, p, &runtime);
  s->runtime = runtime;
  p->centring = t->plan.centring;
  p->no_statistics = t->plan.plain_sums;
  return report_task(a, t, derive(t) ? AIM_OK : p->broken ? AIM_E_INTERNAL : AIM_E_PROGRAM);
}

static int build(const args *a, aim_vm *vm, aim_task *t) {
  ahead_spec s;
  int status = plan_object(a, t, &s);
  if (status != EXIT_FINE) return status;
  /* Messages set the arena's way out anew. */
  return ARENA_TRY(&t->mem) ? exhausted() : write_both(a, &s, &vm->alloc);
}

int cmd_build(const args *a, aim_vm *vm) {
  if (!level_of(a->cpu)) {
    fprintf(stderr, "aimc: --cpu wants native, x86-64-v2, x86-64-v3 or x86-64-v4, not `%s`\n", a->cpu);
    return EXIT_WRONG;
  }
  if (!engine_compiler()) {
    fputs("aimc: aim-cc, which compiles models, is not beside aimc\n", stderr);
    return EXIT_HOST;
  }
  int status;
  aim_program *p = load(a, vm, a->file[0], &status);
  if (!p) return status;
  aim_task *t = NULL;
  status = first_task(a, p, &t);
  if (status == EXIT_FINE) status = prepare_task(a, t);
  if (status == EXIT_FINE) status = t->plan.model ? build(a, vm, t) : report_task(a, t, aim_bind(t));
  aim_task_free(t);
  aim_program_free(p);
  return status;
}

#else

int cmd_build(const args *a, aim_vm *vm) {
  (void)a, (void)vm;
  fputs("aimc: this build makes no objects: it was made without LLVM 19 (`make deps` installs it)\n", stderr);
  return EXIT_WRONG;
}

#endif
