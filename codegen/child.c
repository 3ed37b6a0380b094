/* child.c: aim-cc as a process: request in, object out, killed when it takes too long. */
#include "codegen/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OBJECT_MOST ((size_t)256 << 20)

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool room(cg_reply *r, size_t more, const aim_alloc *alloc) {
  if (r->cap - r->n >= more) return true;
  size_t cap = r->cap ? r->cap : 1 << 16;
  while (cap - r->n < more) cap *= 2;
  if (cap > OBJECT_MOST) return false;
  char *p = alloc->fn(alloc->user, r->object, r->cap, cap);
  if (!p) return false;
  r->object = p;
  r->cap = cap;
  return true;
}

static void fail(cg_reply *r, const aim_alloc *alloc, const char *why) {
  alloc_put(alloc, r->object, r->cap);
  r->object = NULL;
  r->n = r->cap = 0;
  if (why) snprintf(r->message, sizeof r->message, "%s", why);
}

static void close_at(int *f) {
  if (*f >= 0) close(*f);
  *f = -1;
}

/* Three lines to the child; [k][0] is its end and [k][1] ours.  Input is a socket, because writing to one whose reader has gone can
 * be told not to raise SIGPIPE.  None is 0, 1 or 2, which a host may have closed: the child's ends are moved there. */
static bool open_lines(int f[3][2]) {
  for (int k = 0; k < 3; k++) f[k][0] = f[k][1] = -1;
  for (int k = 0; k < 3; k++) {
    int two[2], bad = k ? pipe2(two, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two);
    if (bad) return false;
    for (int end = 0; end < 2; end++) {
      int mine = k ? !end : end; /* a pipe is read at 0, and 1 and 2 are what the child writes */
      f[k][mine] = two[end];
      if (two[end] > 2) continue;
      f[k][mine] = fcntl(two[end], F_DUPFD_CLOEXEC, 3);
      close(two[end]);
    }
    if (f[k][0] < 0 || f[k][1] < 0) return false;
    fcntl(f[k][1], F_SETFL, O_NONBLOCK);
  }
  return true;
}

static bool spawn(pid_t *pid, const char *path, int f[3][2]) {
  posix_spawn_file_actions_t act;
  posix_spawnattr_t attr;
  sigset_t none, all;
  if (posix_spawn_file_actions_init(&act)) return false;
  if (posix_spawnattr_init(&attr)) {
    posix_spawn_file_actions_destroy(&act);
    return false;
  }
  sigemptyset(&none);
  sigfillset(&all);
  bool ok = true;
  for (int k = 0; k < 3; k++) ok &= posix_spawn_file_actions_adddup2(&act, f[k][0], k) == 0;
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  ok &= posix_spawn_file_actions_addclosefrom_np(&act, 3) == 0; /* what the host opened without O_CLOEXEC */
#endif
  ok &= posix_spawnattr_setsigmask(&attr, &none) == 0 && posix_spawnattr_setsigdefault(&attr, &all) == 0 &&
        posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) == 0;
  char *argv[] = {(char *)"aim-cc", NULL}, *env[] = {NULL};
  ok = ok && posix_spawn(pid, path, &act, &attr, argv, env) == 0;
  posix_spawnattr_destroy(&attr);
  posix_spawn_file_actions_destroy(&act);
  return ok;
}

static bool is_gone(ssize_t n) { return n < 0 && errno != EAGAIN && errno != EINTR; }

/* Feeds and drains the child until its outputs end; NULL, or why it has to be killed. */
static const char *talk(cg_reply *r, int f[3], const char *request, size_t n, double deadline, int cancel, const aim_alloc *alloc) {
  size_t sent = 0, said = 0;
  const char *why = NULL;
  while (!why && (f[1] >= 0 || f[2] >= 0)) {
    double left = deadline - now();
    if (left <= 0) { why = "it took too long"; break; }
    if (f[0] >= 0 && sent == n) close_at(&f[0]);
    struct pollfd p[4] = {{f[0], POLLOUT, 0}, {f[1], POLLIN, 0}, {f[2], POLLIN, 0}, {cancel, POLLIN, 0}};
    if (poll(p, 4, left > 1000 ? 1000000 : (int)(left * 1000) + 1) < 0) {
      if (errno != EINTR) why = "it cannot be reached";
      continue;
    }
    if (p[3].revents) why = "it was stopped";
    if (p[0].revents) {
      ssize_t k = send(f[0], request + sent, n - sent, MSG_NOSIGNAL);
      if (k > 0) sent += (size_t)k;
      else if (is_gone(k)) close_at(&f[0]);
    }
    if (p[1].revents) {
      if (!room(r, 1 << 16, alloc)) { r->memory = true; why = "there is no memory for its object"; break; }
      ssize_t k = read(f[1], r->object + r->n, r->cap - r->n);
      if (k > 0) r->n += (size_t)k;
      else if (k == 0 || is_gone(k)) close_at(&f[1]);
    }
    if (p[2].revents) {
      char text[512];
      ssize_t k = read(f[2], text, sizeof text);
      for (ssize_t i = 0; i < k; i++)
        if (said + 1 < sizeof r->message) r->message[said++] = text[i];
      if (k == 0 || is_gone(k)) close_at(&f[2]);
    }
  }
  r->message[said] = '\0';
  r->message[strcspn(r->message, "\n")] = '\0';
  return why;
}

/* Takes the answer's head off; false if the object is not whole. */
static bool take_head(cg_reply *r) {
  static const char magic[8] = CG_ANSWER_MAGIC;
  cg_answer a;
  if (r->n <= sizeof a) return false;
  memcpy(&a, r->object, sizeof a);
  if (memcmp(a.magic, magic, sizeof magic) != 0 || a.n != r->n - sizeof a) return false;
  r->n -= sizeof a;
  memmove(r->object, r->object + sizeof a, r->n);
  return true;
}

void cg_child_run(cg_reply *r, const char *path, const void *request, size_t n, int seconds, int cancel, const aim_alloc *alloc) {
  *r = (cg_reply){NULL, 0, 0, "", false};
  int f[3][2];
  pid_t pid = -1;
  bool there = open_lines(f) && spawn(&pid, path, f);
  for (int k = 0; k < 3; k++) close_at(&f[k][0]);
  int ours[3] = {f[0][1], f[1][1], f[2][1]};
  const char *why = there ? talk(r, ours, request, n, now() + seconds, cancel, alloc) : NULL;
  for (int k = 0; k < 3; k++) close_at(&ours[k]);
  if (!there) {
    fail(r, alloc, "aim-cc cannot be started");
    return;
  }
  if (why) kill(pid, SIGKILL);
  int status = 0;
  pid_t got;
  while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR) continue;
  bool good = got != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 0); /* got < 0: the host collected it */
  if (why) {
    char line[128];
    snprintf(line, sizeof line, "aim-cc: %s", why);
    fail(r, alloc, line);
  } else if (!good || !take_head(r)) {
    char said[sizeof r->message];
    memcpy(said, r->message, sizeof said);
    if (got == pid && WIFSIGNALED(status)) snprintf(said, sizeof said, "aim-cc was ended by signal %d", WTERMSIG(status));
    fail(r, alloc, said[0] ? said : "aim-cc failed");
  }
}
