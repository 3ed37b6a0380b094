/* cmd_doctor.c: aimc doctor: the machine, the build, and a model that has to come out right. */
#include "aimc/aimc.h"

#include "aimc/engine.h"

#include "compiler/netcdf.h"
#include "stdlib/runtime/rt_kernels.h"

#include <dlfcn.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* without: NULL where it is there. */
static void say(const char *what, const char *without, const char *advice) {
  if (without) printf("  %-10s absent: %s%s\n", what, without, advice);
  else printf("  %-10s found\n", what);
}

static void look_for(const char *what, const char *file, const char *without) {
  void *h = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  say(what, h ? NULL : without, "");
  if (h) dlclose(h);
}

/* The mean of p after 3 of 4 successes under a uniform prior is 4 / 6. */
static int try_model(aim_vm *vm) {
  static const char text[] = "model coin(y: bool[N]) { p ~ Beta(1, 1); y ~ Bernoulli(p) }\n";
  const int64_t y[] = {1, 1, 0, 1}, n = 4;
  aim_program *p = NULL;
  aim_task *t = NULL;
  aim_summary s = {.mean = NAN};
  double began = now(NULL), seconds = 0;
  aim_status st = aim_load(vm, "coin", text, strlen(text), &p);
  if (st == AIM_OK) st = aim_task_model(p, NULL, &t);
  if (st == AIM_OK) st = aim_data_i64(t, "y", y, 1, &n);
  if (st == AIM_OK) st = aim_run(t, NULL);
  if (st == AIM_OK) {
    seconds = now(NULL) - began;
    st = aim_summarise(t, 0, 0, &s);
  } else if (t) {
    aim_task_messages(t, 0, put_text, stderr);
  } else if (p) {
    aim_program_messages(p, 0, put_text, stderr);
  }
  bool right = st == AIM_OK && fabs(s.mean - 2.0 / 3) < 5 * s.mcse;
  if (right) printf("  self-test  posterior mean %.3f of 2/3, 4000 draws in %.0f ms\n", s.mean, 1e3 * seconds);
  else printf("  self-test  FAILED: %s, mean %g instead of 2/3\n", aim_status_text(st), s.mean);
  aim_task_free(t);
  aim_program_free(p);
  return right ? EXIT_FINE : EXIT_BUG;
}

int cmd_doctor(const args *a, aim_vm *vm) {
  struct utsname u;
  printf("aimc %s\n", aim_version());
  if (uname(&u) == 0) printf("  machine    %s, %s %s, %ld processors\n", u.machine, u.sysname, u.release, sysconf(_SC_NPROCESSORS_ONLN));
  int best = rt_isa_best();
  if (best >= 2) printf("  kernels    x86-64-v%d%s\n", a->isa && a->isa < best ? a->isa : best, best == 4 ? " (AVX-512)" : best == 3 ? " (AVX2)" : "");
  else printf("  kernels    portable\n");
  if (a->isa > best && a->isa != AIM_ISA_NATIVE) printf("  kernels    level %d was asked for and this machine has none of it\n", a->isa);
  engine_describe(a);
  printf("  jansson    %s\n", JANSSON_VERSION);
  look_for("zlib", "libz.so.1", "compressed .npz files are not read (Debian: zlib1g)");
  netcdf n;
  if (netcdf_open(&n)) say("netCDF", NULL, NULL);
  else say("netCDF", "NetCDF is neither read nor written; ", n.help ? n.help : n.why);
  look_for("cuda", "libcuda.so.1", "no NVIDIA driver; nothing in this version needs it");
  look_for("hip", "libamdhip64.so", "no AMD driver; nothing in this version needs it");
  return try_model(vm);
}
