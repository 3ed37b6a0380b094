/* fault.c: the last word of a process that a fault stops, here or in a library: what it can come from and what to do about it, where a shell would only
 * say "Segmentation fault".
 *
 * The handler calls nothing but write and _exit; in the main thread, which checks and lowers programs, on a stack of its own, since the fault may be that the other one is full.  Threads of a run
 * call nothing that recurses with its input, and have room for the rest (main.c).  A sanitizer tells more than this, and is left to it. */
#include "aimc/aimc.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif

#ifndef HAS_SANITIZER
static void put(const char *s) {
  if (write(STDERR_FILENO, s, strlen(s)) < 0) return;
}

static void on_fault(int number) {
  put("\naimc: ");
  put(number == SIGABRT ? "the process was aborted" : number == SIGFPE ? "arithmetic went wrong" : "memory was read or written that is not there");
  put(". If it was reading NetCDF, the file may be damaged, which the netCDF and HDF5 libraries do not always survive; else this is a bug in AIM ");
  put(aim_version());
  put("; please report it with the model and its data\n");
  _exit(EXIT_BUG);
}
#endif

void tell_faults(void) {
#ifndef HAS_SANITIZER
  static char stack[16384];
  sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
  struct sigaction s = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
  static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) sigaction(faults[k], &s, NULL);
#endif
}
