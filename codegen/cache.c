/* cache.c: the directory of compiled objects. */
#include "codegen/cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct head {
  char magic[8];
  uint64_t nkey, nobject;
  XXH128_canonical_t sum; /* of key and object */
} head;

static const char MAGIC[8] = {'A', 'I', 'M', 'k', 'e', 'r', 'n', '1'};
enum { NAME = 40 };
#define OBJECT_MOST ((uint64_t)256 << 20)

cg_cache cg_cache_open(const char *path, const char **why) {
  cg_cache c = {-1};
  *why = NULL;
  char parent[4096];
  size_t n = strlen(path);
  if (n == 0 || n >= sizeof parent) {
    *why = "its path is too long";
    return c;
  }
  memcpy(parent, path, n + 1);
  char *slash = strrchr(parent, '/');
  if (slash && slash != parent) {
    *slash = '\0';
    mkdir(parent, 0700);
  }
  mkdir(path, 0700);
  int d = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat s;
  if (d < 0) *why = "it cannot be opened";
  else if (fstat(d, &s) != 0 || s.st_uid != geteuid()) *why = "it belongs to someone else";
  else if (s.st_mode & 077) *why = "others can enter it (chmod 700)";
  if (*why && d >= 0) close(d);
  else c.dir = d;
  return c;
}

void cg_cache_close(cg_cache *c) {
  if (c->dir >= 0) close(c->dir);
  c->dir = -1;
}

static void name_of(const void *key, size_t nkey, char name[NAME]) {
  XXH128_canonical_t h;
  XXH128_canonicalFromHash(&h, XXH3_128bits(key, nkey));
  for (size_t k = 0; k < sizeof h.digest; k++) snprintf(name + 2 * k, 3, "%02x", h.digest[k]);
}

static XXH128_canonical_t checksum(const void *key, size_t nkey, const void *object, size_t n) {
  XXH3_state_t s;
  XXH3_128bits_reset(&s);
  XXH3_128bits_update(&s, key, nkey);
  XXH3_128bits_update(&s, object, n);
  XXH128_canonical_t out;
  XXH128_canonicalFromHash(&out, XXH3_128bits_digest(&s));
  return out;
}

static bool read_all(int f, void *to, size_t n) {
  for (char *p = to; n;) {
    ssize_t got = read(f, p, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    p += got;
    n -= (size_t)got;
  }
  return true;
}

static bool write_all(int f, const void *from, size_t n) {
  for (const char *p = from; n;) {
    ssize_t put = write(f, p, n);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    p += put;
    n -= (size_t)put;
  }
  return true;
}

char *cg_cache_get(const cg_cache *c, const void *key, size_t nkey, const aim_alloc *alloc, size_t *size) {
  if (c->dir < 0) return NULL;
  char name[NAME];
  name_of(key, nkey, name);
  int f = openat(c->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (f < 0) return NULL;
  head h;
  struct stat s;
  char *both = NULL;
  size_t n = 0;
  bool ok = fstat(f, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() && !(s.st_mode & 022) && read_all(f, &h, sizeof h) &&
            memcmp(h.magic, MAGIC, sizeof MAGIC) == 0 && h.nkey == nkey && h.nobject <= OBJECT_MOST &&
            (uint64_t)s.st_size == sizeof h + h.nkey + h.nobject;
  if (ok) {
    n = nkey + (size_t)h.nobject;
    both = alloc_get(alloc, n, 1);
    ok = both && read_all(f, both, n) && memcmp(both, key, nkey) == 0;
    if (ok) {
      XXH128_canonical_t sum = checksum(key, nkey, both + nkey, (size_t)h.nobject);
      ok = memcmp(&sum, &h.sum, sizeof sum) == 0;
    }
  }
  close(f);
  char *object = ok ? alloc_get(alloc, (size_t)h.nobject, 1) : NULL;
  if (object) {
    memcpy(object, both + nkey, (size_t)h.nobject);
    *size = (size_t)h.nobject;
  }
  alloc_put(alloc, both, n);
  return object;
}

void cg_cache_put(const cg_cache *c, const void *key, size_t nkey, const void *object, size_t n) {
  if (c->dir < 0) return;
  char name[NAME], own[NAME + 48];
  name_of(key, nkey, name);
  int f = -1;
  for (unsigned k = 0; k < 100 && f < 0; k++) {
    snprintf(own, sizeof own, "new.%s.%ld.%u", name, (long)getpid(), k);
    f = openat(c->dir, own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f < 0 && errno != EEXIST) return;
  }
  if (f < 0) return;
  head h = {.nkey = nkey, .nobject = n, .sum = checksum(key, nkey, object, n)};
  memcpy(h.magic, MAGIC, sizeof MAGIC);
  bool ok = write_all(f, &h, sizeof h) && write_all(f, key, nkey) && write_all(f, object, n);
  ok &= close(f) == 0;
  if (!ok || renameat(c->dir, own, c->dir, name) != 0) unlinkat(c->dir, own, 0);
}
