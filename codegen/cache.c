/* cache.c: the directory of compiled objects. */
#include "codegen/cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct head {
  char magic[8];
  uint64_t nkey, nobject;
  XXH128_canonical_t sum; /* of key and object */
  uint64_t hits;          /* written in place, and not in the sum */
} head;

static const char MAGIC[8] = {'A', 'I', 'M', 'k', 'e', 'r', 'n', '2'};
enum { NAME = 40, DIGITS = 32, STALE = 3600 /* seconds */ };
#define OBJECT_MOST ((uint64_t)256 << 20)

cg_cache cg_cache_open(const char *path, uint64_t most) {
  cg_cache c = {.dir = -1, .most = most};
  char parent[4096];
  size_t n = strlen(path);
  if (n == 0 || n >= sizeof parent) {
    c.off = "its path is too long";
    return c;
  }
  int d = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (d < 0 && errno == ENOENT) {
    memcpy(parent, path, n + 1);
    char *slash = strrchr(parent, '/');
    if (slash && slash != parent) {
      *slash = '\0';
      mkdir(parent, 0700);
    }
    mkdir(path, 0700);
    d = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  struct stat s;
  if (d < 0) {
    c.distrusted = errno == ELOOP || errno == ENOTDIR;
    c.off = c.distrusted ? "it is a link, or no directory" : errno == EACCES ? "it may not be entered" : "it cannot be made";
    return c;
  }
  if (fstat(d, &s) != 0 || s.st_uid != geteuid()) c.off = "it belongs to somebody else";
  else if (s.st_mode & 077) c.off = "others can enter it (chmod 700)";
  c.distrusted = c.off != NULL;
  if (c.off) close(d);
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

/* An entry of ours, open, with its head read; -1 if it is anything else. */
static int open_entry(const cg_cache *c, const char *name, head *h) {
  const int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK; /* nobody's pipe is waited for */
  int f = openat(c->dir, name, O_RDWR | flags);
  if (f < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) f = openat(c->dir, name, O_RDONLY | flags);
  struct stat s;
  if (f < 0) return -1;
  if (fstat(f, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() && s.st_nlink == 1 && !(s.st_mode & 022) && read_all(f, h, sizeof *h) &&
      memcmp(h->magic, MAGIC, sizeof MAGIC) == 0 && h->nobject <= OBJECT_MOST && h->nkey <= OBJECT_MOST &&
      (uint64_t)s.st_size == sizeof *h + h->nkey + h->nobject)
    return f;
  close(f);
  return -1;
}

static bool same_key(int f, const char *key, size_t n) {
  char part[8192];
  while (n) {
    size_t k = n < sizeof part ? n : sizeof part;
    if (!read_all(f, part, k) || memcmp(part, key, k) != 0) return false;
    key += k;
    n -= k;
  }
  return true;
}

char *cg_cache_get(const cg_cache *c, const void *key, size_t nkey, const aim_alloc *alloc, size_t *size) {
  if (c->dir < 0) return NULL;
  char name[NAME];
  head h;
  name_of(key, nkey, name);
  int f = open_entry(c, name, &h);
  if (f < 0) return NULL;
  size_t n = (size_t)h.nobject;
  char *object = h.nkey == nkey && same_key(f, key, nkey) ? alloc_get(alloc, n, 1) : NULL;
  bool ok = object && read_all(f, object, n);
  if (ok) {
    XXH128_canonical_t sum = checksum(key, nkey, object, n);
    ok = memcmp(&sum, &h.sum, sizeof sum) == 0;
  }
  if (ok) {
    /* Also makes this the time of its last use. */
    uint64_t hits = h.hits + 1;
    if (pwrite(f, &hits, sizeof hits, offsetof(head, hits)) < 0) futimens(f, NULL);
    *size = n;
  } else {
    alloc_put(alloc, object, n);
    object = NULL;
  }
  close(f);
  return object;
}

/* ---- the directory as a whole */

typedef struct entry {
  char name[NAME];
  struct timespec used;
  uint64_t bytes;
} entry;

static bool is_entry(const char *name) { return strlen(name) == DIGITS && strspn(name, "0123456789abcdef") == DIGITS; }
static bool is_new(const char *name) { return strncmp(name, "new.", 4) == 0 && strlen(name) > 4 + DIGITS && strspn(name + 4, "0123456789abcdef") == DIGITS; }

static DIR *list(const cg_cache *c) {
  int d = c->dir < 0 ? -1 : openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *out = d < 0 ? NULL : fdopendir(d);
  if (!out && d >= 0) close(d);
  return out;
}

static bool earlier(struct timespec a, struct timespec b) { return a.tv_sec != b.tv_sec ? a.tv_sec < b.tv_sec : a.tv_nsec < b.tv_nsec; }

/* The bytes of all entries, and the oldest of them in order.  Removes what writers that died have left. */
enum { OLDEST = 64 };
static uint64_t oldest(const cg_cache *c, entry *out, size_t *n) {
  uint64_t bytes = 0;
  *n = 0;
  DIR *d = list(c);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) {
    struct stat s;
    bool left = is_new(e->d_name);
    if ((!left && !is_entry(e->d_name)) || fstatat(c->dir, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (left) {
      if (s.st_mtime + STALE < time(NULL)) unlinkat(c->dir, e->d_name, 0);
      continue;
    }
    bytes += (uint64_t)s.st_size;
    size_t at = *n;
    while (at > 0 && earlier(s.st_mtim, out[at - 1].used)) at--;
    if (at == OLDEST) continue;
    if (*n < OLDEST) ++*n;
    memmove(out + at + 1, out + at, (*n - at - 1) * sizeof *out);
    out[at] = (entry){.used = s.st_mtim, .bytes = (uint64_t)s.st_size};
    memcpy(out[at].name, e->d_name, DIGITS + 1);
  }
  closedir(d);
  return bytes;
}

/* Leaves an eighth free, so that not every writer has to do this. */
static void prune(const cg_cache *c) {
  entry old[OLDEST];
  size_t n;
  uint64_t bytes = oldest(c, old, &n), goal = c->most - c->most / 8;
  if (bytes <= c->most) return;
  do {
    size_t gone = 0;
    for (size_t k = 0; k < n && bytes > goal; k++) {
      if (unlinkat(c->dir, old[k].name, 0) == 0 || errno == ENOENT) gone++;
      bytes -= old[k].bytes;
    }
    if (gone == 0 || bytes <= goal) return;
    bytes = oldest(c, old, &n);
  } while (bytes > goal);
}

void cg_cache_put(const cg_cache *c, const void *key, size_t nkey, const void *object, size_t n) {
  if (c->dir < 0 || sizeof(head) + nkey + n > c->most) return;
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
  if (ok && renameat(c->dir, own, c->dir, name) == 0) prune(c);
  else unlinkat(c->dir, own, 0);
}

cg_cache_state cg_cache_survey(const cg_cache *c) {
  cg_cache_state out = {0};
  DIR *d = list(c);
  if (!d) return out;
  for (struct dirent *e; (e = readdir(d));) {
    head h;
    int f = is_entry(e->d_name) ? open_entry(c, e->d_name, &h) : -1;
    if (f < 0) continue;
    close(f);
    out.entries++;
    out.bytes += sizeof h + h.nkey + h.nobject;
    out.hits += h.hits;
  }
  closedir(d);
  return out;
}

uint64_t cg_cache_clear(const cg_cache *c) {
  uint64_t n = 0;
  DIR *d = list(c);
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) {
    bool ours = is_entry(e->d_name);
    if ((ours || is_new(e->d_name)) && unlinkat(c->dir, e->d_name, 0) == 0) n += ours;
  }
  closedir(d);
  return n;
}
