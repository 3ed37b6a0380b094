/* launch.c: runs a program and prints its peak of resident memory in bytes.
 *
 * Linux counts what a process held before it replaced itself, and a child starts as a copy of its parent; so the parent of what is
 * measured must be small, as this one is and the benchmark is not. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY);
    if (null >= 0) dup2(null, 1), dup2(null, 2);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  struct rusage use;
  if (child < 0 || wait4(child, &status, 0, &use) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return 1;
#ifdef __APPLE__
  printf("%ld\n", use.ru_maxrss);
#else
  printf("%ld\n", 1024 * use.ru_maxrss);
#endif
  return 0;
}
