/* test_codegen_cache.c: what stands between a model and its code, met by hostile surroundings: the compiler process, the loader, the
 * directory of objects.  Nothing may crash, hang, leak or leave a child behind, and nothing damaged or foreign may come back. */
#include "codegen/cache.h"
#include "codegen/child.h"
#include "codegen/loader.h"

#include "tests/unit/codegen_host.h"

#include <dirent.h>
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>

/* ---- the compiler process */

static const char request[] = "cpu x86-64-v2\nwidth 0\nfma 0\nir\nfunc @f(%x: real uncon) -> (real) {\n %y = exp %x\n return %y\n}\n";

static cg_reply compile(const char *path, const char *text) {
  cg_reply r;
  cg_child_run(&r, path, text, strlen(text), 60, -1, &heap);
  return r;
}

/* It failed, with a line. */
static void refused(cg_reply r, const char *says) {
  assert_null(r.object);
  assert_true(r.message[0]);
  assert_null(strchr(r.message, '\n'));
  if (says && !strstr(r.message, says)) fail_msg("`%s` does not say: %s", r.message, says);
}

static void test_child(void **state) {
  (void)state;
  cg_reply r = compile(compiler, request);
  assert_non_null(r.object);
  alloc_put(&heap, r.object, r.cap);
  refused(compile(compiler, "cpu x86-64-v2\nir\nfunc @f(%x: real uncon) -> (real) {\n %y = exq %x\n return %y\n}\n"), "exq");
  refused(compile(compiler, "nonsense"), NULL);
  refused(compile(compiler, "aim-cc 1 0123\ncpu x86-64-v2\nir\n"), "another build");
  refused(compile("/nonexistent/aim-cc", request), "started");
  refused(compile("/bin/true", request), NULL);
  char path[4200];
  write_script(path, "talks", "echo first >&2; echo second >&2; exit 3");
  refused(compile(path, request), "first");
  write_script(path, "silent", "cat >/dev/null");
  refused(compile(path, request), NULL);
  write_script(path, "babbles", "head -c 100000 /dev/zero");
  refused(compile(path, request), NULL);
  no_child_left();
  assert_int_equal(live, 0);
}

static void test_slow_child(void **state) {
  (void)state;
  char path[4200];
  write_script(path, "slow", "exec sleep 100");
  cg_reply r;
  cg_child_run(&r, path, request, strlen(request), 1, -1, &heap);
  refused(r, "too long");
  /* Stopped before it began, by a descriptor whose other end is closed. */
  int two[2];
  assert_int_equal(pipe(two), 0);
  close(two[1]);
  cg_child_run(&r, path, request, strlen(request), 60, two[0], &heap);
  refused(r, "stopped");
  close(two[0]);
  no_child_left();
  assert_int_equal(live, 0);
}

/* Killed at some moment, the compiler has given a whole object or none. */
static void test_killed_child(void **state) {
  (void)state;
  char path[4200], text[200];
  int whole = 0;
  for (int k = 0; k < 24; k++) {
    snprintf(text, sizeof text, "\"$CC\" <&0 & sleep 0.0%02d; kill -9 $! 2>/dev/null; wait $!", 4 * k);
    write_script(path, "killed", text);
    cg_reply r = compile(path, request);
    if (r.object) {
      cg_object o;
      assert_null(cg_object_load(&o, r.object, r.n));
      cg_object_free(&o);
      alloc_put(&heap, r.object, r.cap);
      whole++;
    } else {
      refused(r, NULL);
    }
  }
  assert_true(whole < 24);
  write_script(path, "killed", "kill -9 $$");
  refused(compile(path, request), "signal 9");
  cg_reply all = compile(compiler, request);
  assert_non_null(all.object);
  const int n = (int)(all.n + sizeof(cg_answer));
  alloc_put(&heap, all.object, all.cap);
  for (int k = 0; k <= 40; k++) { /* cut off, and yet content; the last is whole */
    snprintf(text, sizeof text, "\"$CC\" | head -c %d", k < 20 ? k : n - (40 - k) * (n / 25));
    write_script(path, "cut", text);
    cg_reply r = compile(path, request);
    if (k < 40) refused(r, NULL);
    else assert_non_null(r.object);
    alloc_put(&heap, r.object, r.object ? r.cap : 0);
  }
  no_child_left();
  assert_int_equal(live, 0);
}

static void test_no_memory(void **state) {
  (void)state;
  char path[4200], text[100];
  for (int k = 0; k < 6; k++) {
    snprintf(text, sizeof text, "ulimit -v %d; exec \"$CC\"", 20000 + 12000 * k);
    write_script(path, "small", text);
    cg_reply r = compile(path, request);
    if (!r.object) refused(r, NULL);
    alloc_put(&heap, r.object, r.object ? r.cap : 0);
    if (k == 0) assert_null(r.object);
  }
  assert_int_equal(live, 0);
}

/* What the host has open, blocks and has in its environment is not handed on. */
static void test_surroundings(void **state) {
  (void)state;
  char path[4200];
  int f = dup2(open("/dev/null", O_RDONLY), 77);
  assert_int_equal(f, 77);
  setenv("AIM_SECRET", "1", 1);
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &term, &before);
  write_script(path, "spy", "[ -e /proc/$$/fd/77 ] && echo descriptor >&2\n[ \"$AIM_SECRET\" ] && echo environment >&2\nkill -TERM $$\necho blocked >&2\nexit 1");
  refused(compile(path, request), "signal 15");
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(77);
}

static int compiles(void) {
  cg_reply r = compile(compiler, request);
  return r.object ? 0 : 1;
}
static int without_lines(void) {
  for (int k = 0; k < 3; k++) close(k);
  return compiles();
}
static int ignoring_children(void) {
  signal(SIGCHLD, SIG_IGN);
  return compiles();
}
static int with_pipe_signal(void) {
  signal(SIGPIPE, SIG_DFL);
  char *big = malloc(1 << 20);
  memset(big, 'x', 1 << 20);
  cg_reply r;
  cg_child_run(&r, "/bin/true", big, 1 << 20, 60, -1, &heap);
  return r.object != NULL;
}
static int without_descriptors(void) {
  struct rlimit few = {4, 4};
  setrlimit(RLIMIT_NOFILE, &few);
  cg_reply r = compile(compiler, request);
  return r.object != NULL;
}
static void test_hosts(void **state) {
  (void)state;
  in_process(without_lines);
  in_process(ignoring_children);
  in_process(with_pipe_signal);
  in_process(without_descriptors);
}

static void *compile_often(void *user) {
  for (int k = 0; k < 3; k++) {
    cg_reply r = compile(compiler, request);
    if (!r.object) ++*(_Atomic int *)user;
    alloc_put(&heap, r.object, r.object ? r.cap : 0);
  }
  return NULL;
}
static void test_threads(void **state) {
  (void)state;
  pthread_t t[4];
  _Atomic int bad = 0;
  for (int k = 0; k < 4; k++) assert_int_equal(pthread_create(&t[k], NULL, compile_often, &bad), 0);
  for (int k = 0; k < 4; k++) pthread_join(t[k], NULL);
  assert_int_equal(bad, 0);
  no_child_left();
}

/* ---- the loader: every byte of an object changed, in turn, is loaded or refused; loading reads and writes nothing else (run it
 * under the address sanitizer).  What was changed is never run. */

static uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static Elf64_Shdr section_of(const char *object, size_t k) {
  Elf64_Ehdr head;
  Elf64_Shdr s;
  memcpy(&head, object, sizeof head);
  assert_true(k < head.e_shnum);
  memcpy(&s, object + head.e_shoff + k * sizeof s, sizeof s);
  return s;
}

/* The first relocation of what is loaded, changed: to the last bytes of its section, which is fine, and one byte beyond; of another kind; to nothing; out of reach. */
static void check_relocations(const char *object, size_t n) {
  Elf64_Ehdr head;
  Elf64_Shdr of = {0}, target = {0};
  memcpy(&head, object, sizeof head);
  for (size_t k = 0; k < head.e_shnum && !of.sh_size; k++) {
    of = section_of(object, k);
    if (of.sh_type == SHT_RELA) target = section_of(object, of.sh_info);
    if (of.sh_type != SHT_RELA || !(target.sh_flags & SHF_ALLOC)) of.sh_size = 0;
  }
  assert_true(of.sh_size >= sizeof(Elf64_Rela));
  Elf64_Rela was;
  memcpy(&was, object + of.sh_offset, sizeof was);
  const uint64_t symbol = ELF64_R_SYM(was.r_info), type = ELF64_R_TYPE(was.r_info), width = type == R_X86_64_64 ? 8 : 4;
  const struct {
    Elf64_Rela r;
    const char *why;
  } cases[] = {{{target.sh_size - width, was.r_info, was.r_addend}, NULL},
               {{target.sh_size - width + 1, was.r_info, was.r_addend}, "outside its section"},
               {{UINT64_MAX, was.r_info, was.r_addend}, "outside its section"},
               {{was.r_offset, ELF64_R_INFO(symbol, R_X86_64_GOTPCREL), was.r_addend}, "unknown kind"},
               {{was.r_offset, ELF64_R_INFO(0, type), was.r_addend}, "does not have"},
               {{was.r_offset, ELF64_R_INFO(UINT32_MAX, type), was.r_addend}, "does not have"},
               {{was.r_offset, ELF64_R_INFO(symbol, R_X86_64_PC32), (int64_t)1 << 40}, "out of reach"}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    char *copy = malloc(n);
    cg_object o;
    memcpy(copy, object, n);
    memcpy(copy + of.sh_offset, &cases[k].r, sizeof was);
    const char *why = cg_object_load(&o, copy, n);
    if (cases[k].why ? !why || !strstr(why, cases[k].why) : why != NULL) fail_msg("case %zu: %s", k, why ? why : "it is loaded");
    if (!why) cg_object_free(&o);
    free(copy);
  }
}

static void test_loader(void **state) {
  (void)state;
  cg_reply r = compile(compiler, request);
  assert_non_null(r.object);
  cg_object o;
  assert_null(cg_object_load(&o, r.object, r.n));
  size_t size;
  assert_non_null(cg_object_find(&o, r.object, r.n, "aim_fn_0", &size));
  assert_non_null(cg_object_find(&o, r.object, r.n, "aim_meta", &size));
  assert_null(cg_object_find(&o, r.object, r.n, "aim_fn_1", &size));
  cg_object_free(&o);
  char *copy = malloc(r.n);
  long refused = 0;
  for (size_t n = 0; n < r.n; n += n < 64 ? 1 : 97) {
    char *part = malloc(n + 1); /* exactly as long, for the sanitizer */
    memcpy(part, r.object, n);
    if (cg_object_load(&o, part, n)) refused++;
    else cg_object_free(&o);
    free(part);
  }
  assert_true(refused > 64);
  uint64_t seed = 1;
  for (int k = 0; k < 20000; k++) {
    memcpy(copy, r.object, r.n);
    for (int c = 0; c < 1 + k % 3; c++) {
      seed = mix(seed);
      /* Headers and section table more often than code. */
      size_t at = k % 2 ? seed % r.n : k % 4 == 0 ? seed % 64 : r.n - 1 - seed % (r.n < 4000 ? r.n : 4000);
      copy[at] = (char)(seed >> 40);
    }
    if (cg_object_load(&o, copy, r.n) == NULL) {
      cg_object_find(&o, copy, r.n, "aim_meta", &size);
      cg_object_free(&o);
    }
  }
  /* A section that can be written. */
  memcpy(copy, r.object, r.n);
  Elf64_Ehdr head;
  memcpy(&head, copy, sizeof head);
  for (size_t k = 0; k < head.e_shnum; k++) {
    Elf64_Shdr s = section_of(copy, k);
    if (!(s.sh_flags & SHF_EXECINSTR) || s.sh_size == 0) continue;
    s.sh_flags |= SHF_WRITE;
    memcpy(copy + head.e_shoff + k * sizeof s, &s, sizeof s);
  }
  const char *why = cg_object_load(&o, copy, r.n);
  assert_non_null(why);
  assert_non_null(strstr(why, "written"));
  free(copy);
  check_relocations(r.object, r.n);
  alloc_put(&heap, r.object, r.cap);
  assert_int_equal(live, 0);
}

/* ---- the directory of objects */

enum { HEAD = 48, HITS = 40 }; /* of a file: its head, and in it the count of hits, which anything may be */

static char where[4200];

static cg_cache fresh(uint64_t most) {
  char command[4300];
  in_folder(where, "objects");
  snprintf(command, sizeof command, "rm -rf '%s'", where);
  assert_int_equal(system(command), 0);
  cg_cache c = cg_cache_open(where, most);
  assert_null(c.off);
  return c;
}

static bool holds(const cg_cache *c, const char *key, const char *object) {
  size_t n;
  char *x = cg_cache_get(c, key, strlen(key), &heap, &n);
  if (!x) return false;
  bool same = n == strlen(object) && memcmp(x, object, n) == 0;
  alloc_put(&heap, x, n);
  assert_true(same); /* nothing else is ever handed out */
  return true;
}
static void put(const cg_cache *c, const char *key, const char *object) { cg_cache_put(c, key, strlen(key), object, strlen(object)); }

/* The names in the directory; returns how many. */
static int names(char out[][300], int most) {
  int n = 0;
  DIR *d = opendir(where);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));)
    if (e->d_name[0] != '.') {
      if (n < most) snprintf(out[n], 300, "%s", e->d_name);
      n++;
    }
  closedir(d);
  return n;
}

static void path_of(char out[4600], const char *name) { snprintf(out, 4600, "%.4200s/%.300s", where, name); }

static void test_cache(void **state) {
  (void)state;
  cg_cache c = fresh(CG_CACHE_MOST);
  assert_false(holds(&c, "key", "object"));
  put(&c, "key", "object");
  assert_true(holds(&c, "key", "object"));
  assert_false(holds(&c, "kez", "object"));
  assert_true(holds(&c, "key", "object"));
  cg_cache_state s = cg_cache_survey(&c);
  assert_int_equal(s.entries, 1);
  assert_int_equal(s.bytes, HEAD + 9);
  assert_int_equal(s.hits, 2);
  char name[1][300], path[4600];
  assert_int_equal(names(name, 1), 1);
  path_of(path, name[0]);
  for (off_t at = 0; at < HEAD + 9; at++) { /* any byte changed */
    if (at >= HITS && at < HEAD) continue;
    int f = open(path, O_RDWR);
    char b, d;
    assert_int_equal(pread(f, &b, 1, at), 1);
    for (int bit = 0; bit < 8; bit++) {
      d = (char)(b ^ 1 << bit);
      assert_int_equal(pwrite(f, &d, 1, at), 1);
      assert_false(holds(&c, "key", "object"));
    }
    assert_int_equal(pwrite(f, &b, 1, at), 1);
    close(f);
  }
  assert_true(holds(&c, "key", "object"));
  assert_int_equal(truncate(path, HEAD + 10), 0);
  assert_false(holds(&c, "key", "object"));
  for (off_t n = HEAD + 8; n >= 0; n--) {
    assert_int_equal(truncate(path, n), 0);
    assert_false(holds(&c, "key", "object"));
  }
  put(&c, "key", "object"); /* what is damaged is replaced */
  assert_true(holds(&c, "key", "object"));
  assert_int_equal(cg_cache_clear(&c), 1);
  assert_int_equal(cg_cache_survey(&c).entries, 0);
  cg_cache_close(&c);
  assert_int_equal(live, 0);
}

/* Files under the right name that are not what the cache wrote. */
static void test_impostors(void **state) {
  (void)state;
  cg_cache c = fresh(CG_CACHE_MOST);
  char name[2][300], a[4600], b[4600], aside[4200], command[9300];
  put(&c, "one", "first object");
  put(&c, "two", "other object");
  assert_int_equal(names(name, 2), 2);
  path_of(a, name[0]);
  path_of(b, name[1]);
  in_folder(aside, "aside");
  assert_int_equal(rename(a, aside), 0); /* swapped */
  assert_int_equal(rename(b, a), 0);
  assert_int_equal(rename(aside, b), 0);
  assert_false(holds(&c, "one", "first object"));
  assert_false(holds(&c, "two", "other object"));
  rename(a, aside), rename(b, a), rename(aside, b);
  assert_true(holds(&c, "one", "first object") && holds(&c, "two", "other object"));
  static const char *const how[] = {
      "mv \"$1\" \"$2\" && ln -s \"$2\" \"$1\"", "mv \"$1\" \"$2\" && ln \"$2\" \"$1\"", "chmod 666 \"$1\"", "rm \"$1\" && mkfifo \"$1\"",
      "rm \"$1\" && mkdir \"$1\"",               "head -c 5000 /dev/urandom > \"$1\"",   ": > \"$1\"",       "rm \"$1\" && ln -s \"$1\" \"$1\"",
  };
  for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
    c = fresh(CG_CACHE_MOST);
    put(&c, "one", "first object");
    assert_int_equal(names(name, 2), 1);
    path_of(a, name[0]);
    unlink(aside);
    snprintf(command, sizeof command, "set -- '%s' '%s'; %s", a, aside, how[k]);
    assert_int_equal(system(command), 0);
    if (holds(&c, "one", "first object")) fail_msg("believed: %s", how[k]);
    put(&c, "one", "first object");
    if (k != 4) assert_true(holds(&c, "one", "first object")); /* a directory stays in the way */
    cg_cache_survey(&c);
    cg_cache_close(&c);
  }
  assert_int_equal(live, 0);
}

static void off(const char *path, bool distrusted) {
  cg_cache c = cg_cache_open(path, CG_CACHE_MOST);
  assert_true(c.dir < 0 && c.off);
  assert_int_equal(c.distrusted, distrusted);
  assert_false(holds(&c, "key", "object")); /* and all else is harmless */
  put(&c, "key", "object");
  cg_cache_survey(&c);
  cg_cache_clear(&c);
}

static void test_distrust(void **state) {
  (void)state;
  cg_cache c = fresh(CG_CACHE_MOST);
  put(&c, "key", "object");
  cg_cache_close(&c);
  static const int open_to_others[] = {0755, 0770, 0701, 0710, 0777, 01777};
  for (size_t k = 0; k < 6; k++) {
    chmod(where, (mode_t)open_to_others[k]);
    off(where, true);
  }
  chmod(where, 0700);
  char link[4200];
  in_folder(link, "link");
  unlink(link);
  assert_int_equal(symlink(where, link), 0);
  off(link, true);
  unlink(link);
  int f = open(link, O_WRONLY | O_CREAT, 0600);
  close(f);
  off(link, true);
  off("/nonexistent/of/any/kind", false);
  off("", false);
  c = cg_cache_open(where, CG_CACHE_MOST);
  assert_true(holds(&c, "key", "object"));
  cg_cache_close(&c);
}

/* Somebody who is not the owner of the directory, or of a file in it. */
static int as_nobody(void) {
  if (geteuid() != 0) return 77;
  if (seteuid(65534)) return 77;
  cg_cache c = cg_cache_open("/root", CG_CACHE_MOST);
  if (c.dir >= 0 || !c.off) return 1;
  c = cg_cache_open("/proc/self/aim", CG_CACHE_MOST);
  if (c.dir >= 0 || c.distrusted) return 2;
  return seteuid(0);
}
static int foreign_file(void) {
  if (geteuid() != 0) return 77;
  cg_cache c = cg_cache_open(where, CG_CACHE_MOST);
  put(&c, "foreign", "object");
  char name[16][300], path[4600];
  int n = names(name, 16);
  for (int k = 0; k < n; k++) {
    path_of(path, name[k]);
    if (chown(path, 65534, 65534)) return 77;
  }
  if (holds(&c, "foreign", "object")) return 1;
  if (chown(where, 65534, 65534)) return 77;
  c = cg_cache_open(where, CG_CACHE_MOST);
  return c.distrusted && chown(where, 0, 0) == 0 ? 0 : 2;
}
static void test_nobody(void **state) {
  (void)state;
  in_process(as_nobody);
}
static void test_foreign(void **state) {
  (void)state;
  in_process(foreign_file);
}

/* ---- limits */

/* As if the files were used last `age` seconds ago. */
static void set_age(const char *name, int age) {
  char path[4600];
  path_of(path, name);
  struct timespec t[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
  assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_least_recently_used(void **state) {
  (void)state;
  char object[1001], key[16], name[64][300];
  memset(object, 'o', 1000);
  object[1000] = '\0';
  cg_cache c = fresh(200000);
  for (int k = 0; k < 50; k++) { /* 50 entries, entry k used 1000 - k seconds ago */
    snprintf(key, sizeof key, "key %d", k);
    put(&c, key, object);
    int n = names(name, 64);
    assert_int_equal(n, k + 1);
    for (int i = 0; i < n; i++) {
      struct stat s;
      char path[4600];
      path_of(path, name[i]);
      assert_int_equal(stat(path, &s), 0);
      if (s.st_mtime > time(NULL) - 100) set_age(name[i], 1000 - k);
    }
  }
  assert_true(holds(&c, "key 3", object)); /* now the one used last */
  c.most = 30000;
  put(&c, "new", object);
  cg_cache_state s = cg_cache_survey(&c);
  assert_true(s.bytes <= 30000 && s.bytes > 24000);
  assert_true(holds(&c, "new", object) && holds(&c, "key 3", object));
  assert_true(holds(&c, "key 49", object) && holds(&c, "key 30", object));
  assert_false(holds(&c, "key 0", object) || holds(&c, "key 4", object) || holds(&c, "key 20", object));
  /* An object larger than all of it, and what a writer that died left. */
  char big[40001];
  memset(big, 'b', 40000);
  big[40000] = '\0';
  put(&c, "big", big);
  assert_false(holds(&c, "big", big));
  char path[4600], stale[64] = "new.0123456789abcdef0123456789abcdef.1.0";
  path_of(path, stale);
  close(open(path, O_WRONLY | O_CREAT, 0600));
  set_age(stale, 100000);
  char own[4600];
  path_of(own, "mine.txt");
  close(open(own, O_WRONLY | O_CREAT, 0600));
  put(&c, "newer", object);
  assert_int_equal(access(path, F_OK), -1);
  cg_cache_clear(&c);
  assert_int_equal(access(own, F_OK), 0); /* nobody's file but the cache's */
  cg_cache_close(&c);
  assert_int_equal(live, 0);
}

enum { WRITERS = 16 };
static void test_writers(void **state) {
  (void)state;
  cg_cache c = fresh(60000);
  for (int w = 0; w < WRITERS; w++) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
      char object[5000], key[16];
      memset(object, 'a' + w, sizeof object);
      for (int k = 0; k < 60; k++) {
        snprintf(key, sizeof key, "key %d", k % 20);
        cg_cache_put(&c, key, strlen(key), object, sizeof object);
        if (k % 7 == w % 7) cg_cache_survey(&c);
      }
      _exit(0);
    }
    assert_true(pid > 0);
  }
  for (int k = 0, left = WRITERS, status; left; k++) {
    char key[16];
    size_t n;
    snprintf(key, sizeof key, "key %d", k % 20);
    char *x = cg_cache_get(&c, key, strlen(key), &heap, &n);
    if (x) {
      assert_int_equal(n, 5000);
      for (size_t e = 1; e < n; e++) assert_int_equal(x[e], x[0]);
      alloc_put(&heap, x, n);
    }
    if (k % 20 == 0 && waitpid(-1, &status, WNOHANG) > 0) {
      assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
      left--;
    }
  }
  int seen = 0;
  for (int k = 0; k < 20; k++) {
    char key[16];
    size_t n;
    snprintf(key, sizeof key, "key %d", k);
    char *x = cg_cache_get(&c, key, strlen(key), &heap, &n);
    if (x) alloc_put(&heap, x, n), seen++;
  }
  assert_true(seen > 0);
  char name[64][300];
  int n = names(name, 64);
  for (int k = 0; k < n; k++) assert_int_not_equal(strncmp(name[k], "new.", 4), 0);
  assert_true(cg_cache_survey(&c).bytes <= 60000);
  cg_cache_close(&c);
}

/* Writers killed in the middle leave whole entries or none. */
static void test_killed_writers(void **state) {
  (void)state;
  cg_cache c = fresh(CG_CACHE_MOST);
  static char object[300001];
  memset(object, 'k', 300000);
  for (int k = 0; k < 30; k++) {
    pid_t pid = fork();
    if (pid == 0)
      for (int i = 0;; i++) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i % 8);
        put(&c, key, object);
      }
    struct timespec t = {0, 300000 + 170000 * k};
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 8; i++) {
      char key[16];
      snprintf(key, sizeof key, "key %d", i);
      holds(&c, key, object);
    }
  }
  cg_cache_close(&c);
  assert_int_equal(live, 0);
}

/* No room on the disk: as a limit on the size of a file shows it. */
static int without_room(void) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = {500, 500};
  setrlimit(RLIMIT_FSIZE, &small);
  cg_cache c = fresh(CG_CACHE_MOST);
  char object[1001];
  memset(object, 'o', 1000);
  object[1000] = '\0';
  put(&c, "key", object);
  if (holds(&c, "key", object)) return 1;
  char name[4][300];
  return names(name, 4) == 0 ? 0 : 2;
}
static void test_full_disk(void **state) {
  (void)state;
  in_process(without_room);
}

int main(void) {
  if (host_open()) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_child),     cmocka_unit_test(test_slow_child), cmocka_unit_test(test_killed_child), cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_surroundings), cmocka_unit_test(test_hosts),   cmocka_unit_test(test_threads),      cmocka_unit_test(test_loader),
      cmocka_unit_test(test_cache),     cmocka_unit_test(test_impostors),  cmocka_unit_test(test_distrust),     cmocka_unit_test(test_nobody),
      cmocka_unit_test(test_foreign),   cmocka_unit_test(test_least_recently_used), cmocka_unit_test(test_writers), cmocka_unit_test(test_killed_writers),
      cmocka_unit_test(test_full_disk),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
