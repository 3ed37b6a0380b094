/* codegen_host.h: what tests of codegen/ have in common: a counting allocator that threads may share, the build's aim-cc, scripts
 * that stand in for it, and a folder of one's own. */
#ifndef TESTS_UNIT_CODEGEN_HOST_H
#define TESTS_UNIT_CODEGEN_HOST_H

#include "lang/alloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static _Atomic long live;
static void *count_fn(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user, (void)old_size;
  if (size == 0) {
    if (ptr) live--;
    free(ptr);
    return NULL;
  }
  void *r = realloc(ptr, size);
  if (r && !ptr) live++;
  return r;
}
static const aim_alloc heap = {count_fn, NULL};

static char compiler[4096], folder[4096];

/* folder: empty, for this test alone. */
static int host_open(void) {
  ssize_t n = readlink("/proc/self/exe", compiler, sizeof compiler - 64);
  if (n <= 0) return -1;
  compiler[n] = '\0';
  char *name = strrchr(compiler, '/'), *tests = NULL;
  *name = '\0';
  tests = strrchr(compiler, '/');
  if (!tests) return -1;
  *tests = '\0';
  snprintf(folder, sizeof folder, "%.3900s/files-%.100s", compiler, name + 1);
  strcat(compiler, "/aim-cc");
  char command[9000];
  snprintf(command, sizeof command, "rm -rf '%s' && mkdir '%s'", folder, folder);
  return system(command);
}

static const char *in_folder(char out[4200], const char *name) {
  snprintf(out, 4200, "%.4000s/%.100s", folder, name);
  return out;
}

/* An executable script; `$CC` in it is aim-cc. */
static inline void write_script(char path[4200], const char *name, const char *text) {
  in_folder(path, name);
  int f = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
  assert_true(f >= 0);
  dprintf(f, "#!/bin/sh\nCC='%s'\n%s\n", compiler, text);
  close(f);
}

/* Runs a function in a process of its own; what it returns is its status, 0 being success, and 77 that it cannot be tried here. */
static inline void in_process(int (*fn)(void)) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) _exit(fn());
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) skip();
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void no_child_left(void) { assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); }

#endif
