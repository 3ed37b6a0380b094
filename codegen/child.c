/* child.c: aim-cc as a process: request in, object out, killed when it takes too long. */
#include "codegen/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
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

/* Feeds and drains the child until its outputs end.  False on a timeout or for want of memory. */
static const char *talk(cg_reply *r, int in, int out, int err, const char *request, size_t n, double deadline, const aim_alloc *alloc) {
  int f[3] = {in, out, err};
  size_t sent = 0, said = 0;
  const char *why = NULL;
  while (!why && (f[1] >= 0 || f[2] >= 0)) {
    double left = deadline - now();
    if (left <= 0) { why = "it took too long"; break; }
    if (f[0] >= 0 && sent == n) close_at(&f[0]);
    struct pollfd p[3] = {{f[0], POLLOUT, 0}, {f[1], POLLIN, 0}, {f[2], POLLIN, 0}};
    if (poll(p, 3, (int)(left * 1000) + 1) < 0 && errno != EINTR) { why = "it cannot be reached"; break; }
    if (p[0].revents) {
      ssize_t k = write(f[0], request + sent, n - sent);
      if (k > 0) sent += (size_t)k;
      else if (k < 0 && errno != EAGAIN && errno != EINTR) close_at(&f[0]);
    }
    if (p[1].revents) {
      if (!room(r, 1 << 16, alloc)) { r->memory = true; why = "there is no memory for its object"; break; }
      ssize_t k = read(f[1], r->object + r->n, r->cap - r->n);
      if (k > 0) r->n += (size_t)k;
      else if (k == 0 || (errno != EAGAIN && errno != EINTR)) close_at(&f[1]);
    }
    if (p[2].revents) {
      char text[512];
      ssize_t k = read(f[2], text, sizeof text);
      for (ssize_t i = 0; i < k; i++)
        if (said + 1 < sizeof r->message) r->message[said++] = text[i];
      if (k == 0 || (k < 0 && errno != EAGAIN && errno != EINTR)) close_at(&f[2]);
    }
  }
  for (int k = 0; k < 3; k++) close_at(&f[k]);
  r->message[said] = '\0';
  char *end = strchr(r->message, '\n');
  if (end) *end = '\0';
  return why;
}

void cg_child_run(cg_reply *r, const char *path, const void *request, size_t n, int seconds, const aim_alloc *alloc) {
  *r = (cg_reply){NULL, 0, 0, "", false};
  int p[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
  bool ok = true;
  for (int k = 0; k < 3 && ok; k++) ok = pipe2(p[k], O_CLOEXEC) == 0;
  posix_spawn_file_actions_t act;
  pid_t pid = -1;
  if (ok && posix_spawn_file_actions_init(&act) == 0) {
    posix_spawn_file_actions_adddup2(&act, p[0][0], 0);
    posix_spawn_file_actions_adddup2(&act, p[1][1], 1);
    posix_spawn_file_actions_adddup2(&act, p[2][1], 2);
    char *argv[] = {(char *)"aim-cc", NULL}, *env[] = {NULL};
    ok = posix_spawn(&pid, path, &act, NULL, argv, env) == 0;
    posix_spawn_file_actions_destroy(&act);
  } else {
    ok = false;
  }
  close_at(&p[0][0]), close_at(&p[1][1]), close_at(&p[2][1]);
  if (!ok) {
    for (int k = 0; k < 3; k++) close_at(&p[k][k ? 0 : 1]);
    fail(r, alloc, "aim-cc cannot be started");
    return;
  }
  for (int k = 0; k < 3; k++) fcntl(p[k][k ? 0 : 1], F_SETFL, O_NONBLOCK);
  /* A child that ends before it has read everything must not end us. */
  sigset_t pipe_signal, before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const char *why = talk(r, p[0][1], p[1][0], p[2][0], request, n, now() + seconds, alloc);
  struct timespec none = {0, 0};
  while (sigtimedwait(&pipe_signal, NULL, &none) > 0) continue;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (why) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (why) {
    char line[128];
    snprintf(line, sizeof line, "aim-cc: %s", why);
    fail(r, alloc, line);
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || r->n == 0) {
    char said[256];
    memcpy(said, r->message, sizeof said);
    if (WIFSIGNALED(status)) snprintf(said, sizeof said, "aim-cc was ended by signal %d", WTERMSIG(status));
    fail(r, alloc, said[0] ? said : "aim-cc failed");
  }
}
