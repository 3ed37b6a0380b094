/* engine.c: the interpreter, and machine code made by aim-cc where this build has it.
 *
 * aim-cc stands beside aimc, or in ../libexec of it.  Compiled objects are kept in the directory of --cache, else $AIM_CACHE,
 * $XDG_CACHE_HOME/aim or ~/.cache/aim; `off` is no directory. */
#include "aimc/engine.h"

#include "aimc/aimc.h"
#include "vm/api.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *a, const char *b) { return a && strcmp(a, b) == 0; }

#ifdef AIM_JIT

#include "aimc/symbols.h"
#include "codegen/cache.h"
#include "codegen/tier.h"
#include "vm/interp.h"

#include <unistd.h>

enum { PATH = 4096 };

static char compiler[PATH], directory[PATH];
static jit_config jit = {.fallback = &interp_engine};
static tier_config tier = {.jit = &jit, .sure = &interp_engine, .patience = TIER_PATIENCE};
static exec_engine engine;
static atomic_bool told; /* runs of several threads may tell */

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

/* The directory of compiled objects, or NULL. */
static const char *find_cache(const args *a) {
  const char *own = a->cache ? a->cache : getenv("AIM_CACHE"), *x = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  int n = -1;
  if (is(own, "off")) return NULL;
  if (own && *own) n = snprintf(directory, sizeof directory, "%s", own);
  else if (x && *x == '/') n = snprintf(directory, sizeof directory, "%s/aim", x);
  else if (home && *home == '/') n = snprintf(directory, sizeof directory, "%s/.cache/aim", home);
  return n > 0 && (size_t)n < sizeof directory ? directory : NULL;
}

/* Bytes that it may take: --cache-size or $AIM_CACHE_SIZE, in MiB. */
static bool find_size(const args *a, uint64_t *most) {
  const char *text = a->cache_size ? a->cache_size : getenv("AIM_CACHE_SIZE");
  *most = CG_CACHE_MOST;
  if (!text || !*text) return true;
  char *end;
  unsigned long n = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || n < 1 || n > 1u << 20) {
    fprintf(stderr, "aimc: the size of the cache is a number of MiB, from 1 to 1048576, not `%s`\n", text);
    return false;
  }
  *most = (uint64_t)n << 20;
  return true;
}

static void refused(void *user, const char *why) {
  (void)user;
  fprintf(stderr, "aimc: the interpreter runs this model: %s\n", why);
}

/* A cache that cannot be had is nothing to speak of where nobody asked for machine code; one that others could fill is. */
static void cacheless(void *user, const char *why, bool distrusted) {
  (void)user;
  if ((!distrusted && !tier.wait) || atomic_exchange(&told, true)) return;
  fprintf(stderr, "aimc: compiled models are not kept: %s: %s\n", jit.cache, why);
}

int engine_set_up(const args *a, aim_vm *vm) {
  if (is(a->engine, "vm")) return 0;
  bool must = is(a->engine, "jit"); /* auto falls back without a word */
  if (!find_size(a, &jit.cache_most)) return EXIT_WRONG;
  if (!find_compiler()) {
    if (!must) return 0;
    fprintf(stderr, "aimc: aim-cc, which compiles models, is not beside aimc\n");
    return EXIT_HOST;
  }
  jit.compiler = compiler;
  jit.cache = find_cache(a);
  if (a->symbols && !symbols_set_up(a->symbols, &jit)) return EXIT_HOST;
  tier.wait = must;
  tier.notice = must ? refused : NULL;
  tier.cacheless = cacheless;
  engine = tier_engine(&tier);
  aim_vm_engine(vm, &engine);
  return 0;
}

const char *engine_compiler(void) { return find_compiler() ? compiler : NULL; }

void engine_describe(const args *a) {
  bool there = find_compiler();
  printf("  engines    %s\n", there ? "auto (interpreter, then machine code), jit, vm" : "vm (interpreter); machine code is not made: aim-cc is not beside aimc");
  if (!there) return;
  const char *at = find_cache(a);
  cg_cache c = {.dir = -1, .off = "it is switched off, or neither XDG_CACHE_HOME nor HOME is set"};
  if (at) c = cg_cache_open(at, CG_CACHE_MOST);
  if (c.off) printf("  cache      none: %s%s%s\n", at ? at : "", at ? ": " : "", c.off);
  else printf("  cache      %s, %llu objects%s\n", at, (unsigned long long)cg_cache_survey(&c).entries, faccessat(c.dir, ".", W_OK, 0) ? "; nothing can be written there, so no more are kept" : "");
  cg_cache_close(&c);
}

int cmd_cache(const args *a, aim_vm *vm) {
  (void)vm;
  const char *what = a->n_files ? a->file[0] : "show", *at = find_cache(a);
  uint64_t most;
  if (!is(what, "show") && !is(what, "clear") && !is(what, "path")) {
    fprintf(stderr, "aimc: cache wants show, clear or path, not `%s`\n", what);
    return EXIT_WRONG;
  }
  if (!find_size(a, &most)) return EXIT_WRONG;
  if (!at) {
    fprintf(stderr, "aimc: there is no cache: it is switched off, or neither XDG_CACHE_HOME nor HOME is set\n");
    return EXIT_HOST;
  }
  if (is(what, "path")) {
    printf("%s\n", at);
    return EXIT_FINE;
  }
  cg_cache c = cg_cache_open(at, most);
  if (c.off) {
    fprintf(stderr, "aimc: compiled models are not kept: %s: %s\n", at, c.off);
    return EXIT_HOST;
  }
  if (is(what, "clear")) {
    unsigned long long n = cg_cache_clear(&c);
    printf("%llu object%s removed from %s\n", n, n == 1 ? "" : "s", at);
  } else {
    cg_cache_state s = cg_cache_survey(&c);
    printf("%s\n  objects %llu, used again %llu time%s\n  bytes   %llu of %llu\n", at, (unsigned long long)s.entries, (unsigned long long)s.hits, s.hits == 1 ? "" : "s",
           (unsigned long long)s.bytes, (unsigned long long)most);
  }
  cg_cache_close(&c);
  return EXIT_FINE;
}

#else

int engine_set_up(const args *a, aim_vm *vm) {
  (void)vm;
  if (!is(a->engine, "jit")) return 0;
  fprintf(stderr, "aimc: this build has no engine `jit`: it was made without LLVM 19 (`make deps` installs it)\n");
  return EXIT_WRONG;
}

const char *engine_compiler(void) { return NULL; }

void engine_describe(const args *a) {
  (void)a;
  printf("  engines    vm (interpreter); machine code is not made: this build is without LLVM 19\n");
}

int cmd_cache(const args *a, aim_vm *vm) {
  (void)a, (void)vm;
  fprintf(stderr, "aimc: this build makes no machine code, and keeps none\n");
  return EXIT_WRONG;
}

#endif
