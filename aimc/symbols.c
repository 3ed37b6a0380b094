/* symbols.c: compiled code made known to perf and gdb.
 *
 * perf reads /tmp/perf-PID.map, a line for each function, when it reports (tools/perf/Documentation/jit-interface.txt in Linux).  gdb
 * puts a breakpoint on __jit_debug_register_code and reads __jit_debug_descriptor then ("JIT Compilation Interface" in its manual);
 * it looks for both names in the program's symbol table, so they are in the command and not in the library. */
#include "aimc/symbols.h"

#ifdef AIM_JIT

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- perf */

static int map = -1;

static void perf_came(const jit_image *i) {
  pthread_mutex_lock(&lock);
  for (uint32_t k = 0; k < i->nfns; k++) dprintf(map, "%llx %zx aim:%s\n", (unsigned long long)(uintptr_t)i->code[k], i->bytes[k], i->name[k]);
  pthread_mutex_unlock(&lock);
}

/* A file of that name that is not ours may be there: everybody can write to /tmp. */
static bool perf_open(void) {
  char path[64];
  struct stat s;
  snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
  map = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
  if (map >= 0 && fstat(map, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() && s.st_nlink == 1) return true;
  fprintf(stderr, "aimc: %s cannot be written, or is not yours\n", path);
  return false;
}

/* ---- gdb: names, types and values are its */

typedef struct jit_code_entry {
  struct jit_code_entry *next_entry, *prev_entry;
  const char *symfile_addr;
  uint64_t symfile_size;
} jit_code_entry;

struct jit_descriptor {
  uint32_t version, action_flag;
  jit_code_entry *relevant_entry, *first_entry;
};

enum { JIT_NOACTION, JIT_REGISTER_FN, JIT_UNREGISTER_FN };

extern struct jit_descriptor __jit_debug_descriptor;
extern void __jit_debug_register_code(void);
struct jit_descriptor __jit_debug_descriptor = {1, JIT_NOACTION, NULL, NULL};
__attribute__((noinline, used)) void __jit_debug_register_code(void) { __asm__ volatile("" ::: "memory"); }

typedef struct entry {
  jit_code_entry code; /* first */
  const void *base;
  char file[];
} entry;

static void gdb_tell(uint32_t action, jit_code_entry *e) {
  __jit_debug_descriptor.action_flag = action;
  __jit_debug_descriptor.relevant_entry = e;
  __jit_debug_register_code();
}

static void gdb_came(const jit_image *i) {
  entry *e = malloc(sizeof *e + i->nobject);
  if (!e) return;
  pthread_mutex_lock(&lock);
  memcpy(e->file, i->object, i->nobject);
  e->base = i->base;
  e->code = (jit_code_entry){__jit_debug_descriptor.first_entry, NULL, e->file, i->nobject};
  if (e->code.next_entry) e->code.next_entry->prev_entry = &e->code;
  __jit_debug_descriptor.first_entry = &e->code;
  gdb_tell(JIT_REGISTER_FN, &e->code);
  pthread_mutex_unlock(&lock);
}

static void gdb_went(const void *base) {
  pthread_mutex_lock(&lock);
  jit_code_entry *c = __jit_debug_descriptor.first_entry;
  while (c && ((entry *)(void *)c)->base != base) c = c->next_entry;
  if (c) {
    if (c->prev_entry) c->prev_entry->next_entry = c->next_entry;
    else __jit_debug_descriptor.first_entry = c->next_entry;
    if (c->next_entry) c->next_entry->prev_entry = c->prev_entry;
    gdb_tell(JIT_UNREGISTER_FN, c);
    free(c);
  }
  pthread_mutex_unlock(&lock);
}

bool symbols_set_up(const char *how, jit_config *config) {
  if (strcmp(how, "perf") == 0) {
    config->came = perf_came;
    return perf_open();
  }
  config->came = gdb_came;
  config->went = gdb_went;
  return true;
}

#endif
