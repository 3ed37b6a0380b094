/* memory.c: the allocator of the command.
 *
 * Linux promises more memory than there is and kills whoever uses it.  A model whose arrays cannot fit ends with a message instead:
 * what is in use is counted, and a request beyond the memory of the machine, or of the container or limit that the process has, fails. */
#include "aimc/aimc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static bool reserve(memory *m, size_t n) {
  size_t used = atomic_load(&m->used);
  do
    if (n > m->most - used) return false;
  while (!atomic_compare_exchange_weak(&m->used, &used, used + n));
  return true;
}

static void *resize(void *user, void *ptr, size_t old_size, size_t size) {
  memory *m = user;
  if (size == 0) {
    free(ptr);
    atomic_fetch_sub(&m->used, old_size);
    return NULL;
  }
  if (size > old_size && !reserve(m, size - old_size)) return NULL;
  void *p = realloc(ptr, size);
  if (size > old_size && !p) atomic_fetch_sub(&m->used, size - old_size);
  if (size < old_size && p) atomic_fetch_sub(&m->used, old_size - size);
  return p;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Of the container, as Linux tells it inside one (cgroup v2): a number, or `max`. */
static size_t container_limit(void) {
  FILE *f = fopen("/sys/fs/cgroup/memory.max", "re");
  size_t most;
  const bool told = f && fscanf(f, "%zu", &most) == 1;
  if (f) fclose(f);
  return told ? most : SIZE_MAX;
}

void memory_limit(memory *m, aim_config *config) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  struct rlimit r;
  m->most = pages > 0 && page > 0 && (size_t)pages <= SIZE_MAX / (size_t)page ? (size_t)pages * (size_t)page : SIZE_MAX;
  m->most = least(m->most, container_limit());
  if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY) m->most = least(m->most, (size_t)r.rlim_cur);
  config->memory = m->most / 5 * 4; /* of one task: what cannot fit is refused by name, before it is asked for */
  config->alloc = resize;
  config->alloc_user = m;
}
