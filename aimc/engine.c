/* engine.c: the interpreter, or machine code made by aim-cc where this build has it.
 *
 * aim-cc stands beside aimc, or in ../libexec of it.  Compiled objects are kept in $XDG_CACHE_HOME/aim or ~/.cache/aim. */
#include "aimc/engine.h"

#include "aimc/aimc.h"
#include "vm/api.h"

#include <string.h>

#ifdef AIM_JIT

#include "codegen/choose.h"
#include "codegen/jit.h"
#include "vm/interp.h"

#include <stdlib.h>
#include <unistd.h>

/* One gradient below this many flops is not worth a compilation of some 100 ms, whatever the number of draws. */
enum { PATH = 4096, LEAST_FLOPS = 5000 };

static char compiler[PATH], cache[PATH];
static jit_config jit = {.fallback = &interp_engine};
static choose_config choice;
static exec_engine engine;

static bool find_compiler(void) {
  char self[PATH - 32];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0) return false;
  self[n] = '\0';
  char *slash = strrchr(self, '/');
  if (!slash) return false;
  *slash = '\0';
  static const char *const places[] = {"aim-cc", "../libexec/aim-cc"};
  for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
    snprintf(compiler, sizeof compiler, "%s/%s", self, places[k]);
    if (access(compiler, X_OK) == 0) return true;
  }
  return false;
}

static const char *find_cache(void) {
  const char *x = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int n = -1;
  if (x && *x == '/') n = snprintf(cache, sizeof cache, "%s/aim", x);
  else if (home && *home == '/') n = snprintf(cache, sizeof cache, "%s/.cache/aim", home);
  return n > 0 && (size_t)n < sizeof cache ? cache : NULL;
}

static void refused(const char *message) { fprintf(stderr, "aimc: the interpreter runs this model: %s\n", message); }

int engine_set_up(const args *a, aim_vm *vm) {
  bool must = a->engine && strcmp(a->engine, "jit") == 0; /* auto chooses, and falls back without a word */
  if (!a->engine || strcmp(a->engine, "vm") == 0) return 0;
  if (!find_compiler()) {
    if (!must) return 0;
    fprintf(stderr, "aimc: aim-cc, which compiles models, is not beside aimc\n");
    return EXIT_HOST;
  }
  jit.compiler = compiler;
  jit.cache = find_cache();
  choice = (choose_config){.fast = jit_engine(&jit), .sure = &interp_engine, .least_flops = must ? 0 : LEAST_FLOPS, .notice = must ? refused : NULL};
  engine = choose_engine(&choice);
  vm_engine_set(vm, &engine);
  return 0;
}

void engine_describe(void) {
  bool there = find_compiler();
  printf("  engines    vm (interpreter)%s\n", there ? ", jit (machine code)" : "; jit is absent: aim-cc is not beside aimc");
  const char *at = find_cache();
  if (there) printf("  kernels in %s\n", at ? at : "no cache: neither XDG_CACHE_HOME nor HOME is set");
}

#else

int engine_set_up(const args *a, aim_vm *vm) {
  (void)vm;
  if (!a->engine || strcmp(a->engine, "jit") != 0) return 0;
  fprintf(stderr, "aimc: this build has no engine `jit`: it was made without LLVM 19 (`make deps-jit` installs it)\n");
  return EXIT_WRONG;
}

void engine_describe(void) { printf("  engines    vm (interpreter)\n"); }

#endif
