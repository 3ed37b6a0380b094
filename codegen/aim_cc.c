/* aim_cc.c: the compiler process.  A request on standard input, a cg_answer and an object on standard output; on failure one line
 * on standard error and status 1.  It limits its own time and memory, ends with its host, and is killed when it stays too long.
 *
 * Request: lines `aim-cc <abi> <build>`, `cpu <name>`, `width <bits>`, `fma <0|1>`, `bind <symbol> <n>`, then `ir`
 * and the text to the end.  The first may be left out; where it stands it has to name this build, so that an engine never runs
 * what an aim-cc of another one made.  An
 * object for a C host is asked for by `ahead <prefix>`, `level <2|3|4>`, `keys <prior> <outputs>` and a line
 * `field <kind> TAB <name> TAB <cells> TAB <most or ->` for each word of the host's struct (ahead.c). */
#include "codegen/abi.h"
#include "codegen/build_id.h"
#include "codegen/child.h"
#include "codegen/emit.h"
#include "lang/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

extern const char aim_support_begin[], aim_support_end[];
extern const char aim_services_v2_begin[], aim_services_v2_end[], aim_services_v3_begin[], aim_services_v3_end[], aim_services_v4_begin[],
    aim_services_v4_end[];

enum { SECONDS = 60, REQUEST_MOST = 64 << 20 };
#define MEMORY_MOST (4ull << 30)

static char *read_all(size_t *n) {
  size_t cap = 1 << 16;
  char *s = malloc(cap);
  *n = 0;
  while (s) {
    ssize_t got = read(0, s + *n, cap - *n - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return NULL;
    if (got == 0) break;
    *n += (size_t)got;
    if (*n > REQUEST_MOST) return NULL;
    if (*n + 1 == cap) s = realloc(s, cap *= 2);
  }
  if (s) s[*n] = '\0';
  return s;
}

static int fail(const char *why) {
  fprintf(stderr, "%s\n", why);
  return 1;
}

static void *host_alloc(void *user, void *p, size_t old, size_t size) {
  (void)user, (void)old;
  if (size == 0) { free(p); return NULL; }
  return realloc(p, size);
}

static int compile(char *s, size_t n, bool show);

int main(int argc, char **argv) {
  struct rlimit cpu = {SECONDS, SECONDS}, memory = {MEMORY_MOST, MEMORY_MOST}, core = {0, 0};
  setrlimit(RLIMIT_CPU, &cpu);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* whose shadows are larger than any limit */
  setrlimit(RLIMIT_AS, &memory);
#else
  (void)memory;
#endif
  setrlimit(RLIMIT_CORE, &core);
#ifdef PR_SET_PDEATHSIG
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody waits for the object of a host that has gone */
#endif
  if (chdir("/")) return fail("the root directory cannot be entered"); /* no file system is kept busy */
  size_t n;
  char *s = read_all(&n);
  if (!s) return fail("the request cannot be read");
  int status = compile(s, n, argc > 1 && strcmp(argv[1], "--llvm") == 0);
  fflush(stderr);
  _exit(status); /* the system frees memory faster than LLVM and arenas do */
}

static void choose_services(cg_ahead *a, int level) {
  const char *from = level == 2 ? aim_services_v2_begin : level == 3 ? aim_services_v3_begin : aim_services_v4_begin;
  const char *to = level == 2 ? aim_services_v2_end : level == 3 ? aim_services_v3_end : aim_services_v4_end;
  a->services = from;
  a->nservices = (size_t)(to - from);
}

/* "array TAB y TAB N TAB -" */
static bool read_field(char *line, cg_field *f) {
  char *part[4] = {line};
  for (int k = 1; k < 4; k++) {
    char *tab = strchr(part[k - 1], '\t');
    if (!tab) return false;
    *tab = '\0';
    part[k] = tab + 1;
  }
  f->kind = strcmp(part[0], "size") == 0 ? CG_FIELD_SIZE : strcmp(part[0], "scalar") == 0 ? CG_FIELD_SCALAR : CG_FIELD_ARRAY;
  f->name = part[1];
  f->cells = part[2];
  f->most = strcmp(part[3], "-") == 0 ? NULL : part[3];
  return true;
}

static bool write_all(const char *p, size_t n) {
  while (n) {
    ssize_t put = write(1, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    p += put;
    n -= (size_t)put;
  }
  return true;
}

static int compile(char *s, size_t n, bool show) {
  aim_alloc alloc = {host_alloc, NULL};
  arena mem;
  arena_init(&mem, &alloc, 0);
  if (ARENA_TRY(&mem)) return fail("out of memory");
  ir_module *m = ir_module_new(&mem);
  cg_target target = {.cpu = "x86-64-v2"};
  cg_ahead ahead = {0};
  cg_field *field = NULL;
  size_t cap = 0;
  char *at = s;
  const char *const request_end = s + n;
  for (;;) {
    char *end = strchr(at, '\n');
    if (!end) return fail("the request is incomplete");
    *end = '\0';
    if (strncmp(at, "aim-cc ", 7) == 0) {
      char *gap = strchr(at + 7, ' ');
      if (atoi(at + 7) != CG_ABI || !gap || strcmp(gap + 1, JIT_BUILD) != 0) return fail("aim-cc is of another build than its host");
    } else if (strncmp(at, "cpu ", 4) == 0) target.cpu = at + 4;
    else if (strncmp(at, "width ", 6) == 0) target.width = atoi(at + 6);
    else if (strncmp(at, "fma ", 4) == 0) target.has_fma = at[4] == '1';
    else if (strncmp(at, "bind ", 5) == 0) {
      char *gap = strrchr(at + 5, ' '); /* a name may have blanks */
      if (!gap) return fail("a size without a number");
      *gap = '\0';
      size_bind(m->sizes, size_symbol(m->sizes, at + 5), strtoll(gap + 1, NULL, 10));
    } else if (strncmp(at, "ahead ", 6) == 0) ahead.prefix = at + 6;
    else if (strncmp(at, "level ", 6) == 0) choose_services(&ahead, atoi(at + 6));
    else if (strncmp(at, "keys ", 5) == 0) {
      char *rest;
      ahead.key_prior = strtoull(at + 5, &rest, 10);
      ahead.key_outputs = strtoull(rest, NULL, 10);
    } else if (strncmp(at, "field ", 6) == 0) {
      cg_field f;
      if (!read_field(at + 6, &f)) return fail("a field is incomplete");
      ARENA_PUSH(&mem, field, ahead.n, cap, f);
    } else if (strcmp(at, "ir") == 0) {
      at = end + 1;
      break;
    }
    at = end + 1;
  }
  const char *error = NULL;
  if (!ir_parse(m, at, (size_t)(request_end - at), &error)) return fail(error);
  char *object = NULL, *text = NULL;
  size_t nobject = 0;
  ahead.field = field;
  error = cg_emit(m, &target, ahead.prefix ? &ahead : NULL, aim_support_begin, (size_t)(aim_support_end - aim_support_begin), &object, &nobject, show ? &text : NULL);
  if (text) fputs(text, stderr);
  if (error) return fail(error);
  cg_answer answer = {CG_ANSWER_MAGIC, nobject};
  if (!write_all((const char *)&answer, sizeof answer) || !write_all(object, nobject)) return fail("the object cannot be written");
  return 0;
}
