/* engine.c: the engines that this build ships, each set up as aimc does. */
#include "tests/bench/bench.h"
#include "vm/api.h"
#include "vm/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef AIM_JIT
#include "codegen/tier.h"

static char compiler[4096], cache[4096];
/* No other engine stands in: where machine code is refused, the benchmark fails and says why. */
static jit_config config = {.compiler = compiler, .cache = cache, .fallback = &interp_engine};
static jit_config uncached = {.compiler = compiler, .fallback = &interp_engine};
static tier_config waiting = {.jit = &config, .sure = &interp_engine, .wait = true};
static exec_engine machine_code, compiled_anew, as_run;
#endif

const char *bench_engine_name(bench_engine e) { return e == BENCH_VM ? "vm" : "jit"; }

const char *bench_row_name(const char *name, bench_engine e) { return bench_text("%s/%s", name, bench_engine_name(e)); }

bool bench_has_engine(bench_engine e) {
#ifdef AIM_JIT
  return e == BENCH_VM || access(compiler, X_OK) == 0;
#else
  return e == BENCH_VM;
#endif
}

void bench_engines_set_up(const bench *b) {
#ifdef AIM_JIT
  snprintf(compiler, sizeof compiler, "%s", bench_aim_cc(b));
  snprintf(cache, sizeof cache, "%s/kernels", bench_dir(b));
  machine_code = jit_engine(&config);
  compiled_anew = jit_engine(&uncached);
  as_run = tier_engine(&waiting);
#endif
  if (!bench_has_engine(BENCH_JIT)) printf("machine code is absent: this build was made without LLVM 19, or %s is not there\n", bench_aim_cc(b));
}

static double seconds(void *user) {
  (void)user;
  return bench_now();
}

aim_vm *bench_vm(bench_engine e) {
  aim_config c;
  aim_config_init(&c);
  c.clock = seconds;
  aim_vm *vm = aim_vm_new(&c);
  if (!vm) fputs("bench: out of memory\n", stderr), exit(2);
#ifdef AIM_JIT
  const exec_engine *const engines[] = {[BENCH_JIT] = &machine_code, [BENCH_JIT_ANEW] = &compiled_anew, [BENCH_RUN] = &as_run};
  if (e != BENCH_VM) aim_vm_engine(vm, engines[e]);
#else
  (void)e;
#endif
  return vm;
}

double bench_compile_seconds(const bench_model *m, size_t *object_bytes) {
  *object_bytes = 0;
#ifdef AIM_JIT
  jit_stats s;
  jit_stats_of(m->task->model.loaded, &s);
  *object_bytes = s.object;
  return s.seconds;
#else
  (void)m;
  return 0;
#endif
}
