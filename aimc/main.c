/* main.c: picks the command, and what the commands share. */
#include "aimc/aimc.h"

#include "aimc/engine.h"
#include "vm/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

double now(void *unused) {
  (void)unused;
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

unsigned message_flags(const args *a, FILE *f) {
  if (a->json) return AIM_JSON;
  if (a->colour != COLOUR_AUTO) return a->colour == COLOUR_ALWAYS ? AIM_COLOUR : 0;
  const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
  return isatty(fileno(f)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0) ? AIM_COLOUR : 0;
}

void put_text(void *user, const char *text, size_t n) { fwrite(text, 1, n, user); }

int exit_of(aim_status st) {
  switch (st) {
  case AIM_OK:
  case AIM_STOPPED: return EXIT_FINE;
  case AIM_E_PROGRAM: return EXIT_WRONG;
  case AIM_E_MEMORY:
  case AIM_E_IO: return EXIT_HOST;
  default: return EXIT_BUG;
  }
}

static void say(aim_status st, int error, const char *what) {
  if (st == AIM_E_MEMORY) fprintf(stderr, "aimc: memory is exhausted\n");
  if (st == AIM_E_IO) fprintf(stderr, "aimc: %s: %s\n", what, strerror(error));
  if (st == AIM_E_INTERNAL || st == AIM_E_USAGE)
    fprintf(stderr, "aimc: %s: this is a bug in AIM %s; please report it with the model and its data\n", what, aim_version());
}

aim_program *load(const args *a, aim_vm *vm, const char *path, int *status) {
  aim_program *p = NULL;
  aim_status st = aim_load_file(vm, path, &p);
  *status = exit_of(st);
  /* What `check` says is its output where a program reads it. */
  const bool checks = strcmp(a->command, "check") == 0;
  FILE *to = a->json && checks ? stdout : stderr;
  if (p && checks) api_warn_missing(p);
  if (p) aim_program_messages(p, message_flags(a, to), put_text, to);
  say(st, p ? aim_program_errno(p) : 0, path);
  if (st == AIM_OK) return p;
  aim_program_free(p);
  return NULL;
}

int report_task(const args *a, aim_task *t, aim_status st) {
  aim_task_messages(t, message_flags(a, stderr), put_text, stderr);
  /* Where a file or memory failed, an error may have told which and why. */
  if ((st != AIM_E_IO && st != AIM_E_MEMORY) || t->p.diags.errors == 0) say(st, aim_task_errno(t), "run");
  return exit_of(st);
}

typedef struct command {
  const char *name;
  int (*run)(const args *a, aim_vm *vm);
  size_t least, most; /* files */
} command;

static const command commands[] = {
    {"run", cmd_run, 1, 1},         {"check", cmd_check, 1, ARGS_MOST}, {"fmt", cmd_fmt, 1, ARGS_MOST}, {"ir", cmd_ir, 1, 1},
    {"explain", cmd_explain, 1, 1}, {"doctor", cmd_doctor, 0, 0},     {"build", cmd_build, 1, 1},
    {"bench", cmd_bench, 1, 1},     {"loo", cmd_loo, 1, 1},           {"sbc", cmd_sbc, 1, 1},
    {"cache", cmd_cache, 0, 1},     {"export", cmd_export, 1, ARGS_MOST}, {"report", cmd_report, 1, ARGS_MOST},
};

static int dispatch(const args *a) {
  if (strcmp(a->command, "version") == 0) {
    printf("aimc %s\n", aim_version());
    return EXIT_FINE;
  }
  if (strcmp(a->command, "help") == 0) {
    help_print();
    return EXIT_FINE;
  }
  const command *c = NULL;
  for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
    if (strcmp(a->command, commands[k].name) == 0) c = &commands[k];
  if (!c) {
    size_t n = strlen(a->command);
    if (n > 4 && strcmp(a->command + n - 4, ".aim") == 0) fprintf(stderr, "aimc: to run it: aimc run %s\n", a->command);
    else fprintf(stderr, "aimc: there is no command `%s`; commands: run, check, fmt, ir, explain, build, bench, loo, sbc, export, report, doctor, cache, version, help\n", a->command);
    return EXIT_WRONG;
  }
  if (a->n_files < c->least || a->n_files > c->most) {
    if (strcmp(c->name, "cache") == 0) fprintf(stderr, "aimc: cache wants one of show, clear and path\n");
    else if (strcmp(c->name, "export") == 0 || strcmp(c->name, "report") == 0) fprintf(stderr, "aimc: %s wants the directory of a run: aimc %s DIR%s\n", c->name, c->name, c->run == cmd_export ? " draws.nc" : "");
    else if (c->most == 0) fprintf(stderr, "aimc: %s takes no file\n", c->name);
    else fprintf(stderr, "aimc: %s wants %s: aimc %s model.aim\n", c->name, c->most == 1 ? "one file" : "a file", c->name);
    return EXIT_WRONG;
  }
  aim_config config;
  aim_config_init(&config);
  config.clock = now;
  memory m = {0};
  memory_limit(&m, &config);
  config.isa = a->isa;
  config.any_path = a->any_path;
  aim_vm *vm = aim_vm_new(&config);
  if (!vm) {
    fprintf(stderr, "aimc: memory is exhausted\n");
    return EXIT_HOST;
  }
  int status = engine_set_up(a, vm);
  if (status == 0) status = c->run(a, vm);
  aim_vm_free(vm);
  return status;
}

/* Threads of a run have stacks of this size too. */
static bool stack_suffices(void) {
  enum { LEAST = 1024 };
  struct rlimit r;
  if (getrlimit(RLIMIT_STACK, &r) < 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= (rlim_t)LEAST << 10) return true;
  fprintf(stderr, "aimc: a stack of %llu KiB is too small: `ulimit -s 8192` gives the usual one, %d are the least\n", (unsigned long long)r.rlim_cur >> 10, LEAST);
  return false;
}

int main(int argc, char **argv) {
  static args a;
  if (!stack_suffices()) return EXIT_HOST;
  tell_faults();
  int status = args_parse(&a, argc, argv);
  if (status < 0) status = dispatch(&a);
  errno = 0;
  if ((fflush(stdout) || ferror(stdout)) && status < EXIT_HOST) {
    fprintf(stderr, "aimc: the output cannot be written: %s\n", strerror(errno ? errno : EIO));
    status = EXIT_HOST;
  }
  /* Libraries may not have outlived what failed: HDF5's exit handler follows what it could not write to a full disk, and crashes. */
  if (status == EXIT_HOST) {
    fflush(stderr);
    _exit(status);
  }
  return status;
}
