/* aim_jit.h: machine code for hosts of libaim.
 *
 *     aim_jit_config c;
 *     aim_jit_config_init(&c);
 *     c.compiler = "/usr/bin/aim-cc";
 *     c.cache = "/home/me/.cache/aim";
 *     aim_jit *jit = aim_jit_new(&c);
 *     aim_vm_engine(vm, aim_jit_engine(jit));
 *
 * Models of the vm then run as machine code where that is to be had and pays, and on the interpreter elsewhere: the results are the same, bit for bit.  LLVM
 * is never mapped into the host: aim-cc, a program that is installed with AIM, is started for a model that has no object in the cache, and ends with its
 * answer, or with the host.  This header is there where AIM was built with LLVM.
 *
 * Any number of vms, in any threads, may share one jit.  It outlives their tasks. */
#ifndef AIM_JIT_H
#define AIM_JIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef AIM_API
#if defined(__GNUC__)
#define AIM_API __attribute__((visibility("default")))
#else
#define AIM_API
#endif
#endif

typedef struct aim_jit aim_jit;
typedef struct exec_engine aim_engine; /* of aim.h */

typedef struct aim_jit_config {
  size_t size; /* sizeof(aim_jit_config): fields can be added later */
  /* Path of aim-cc: `pkg-config --variable=aim_cc aim` names it.  Copied.  The environment is not searched. */
  const char *compiler;
  /* Directory of compiled objects, made if it is not there; one that others may write to is not used.  Several processes may share it.  Copied.  NULL: none. */
  const char *cache;
  uint64_t cache_most; /* bytes that the cache may take; 0: 256 MiB */
  int seconds;         /* a compilation may take; 0: 60 */
  /* 0: a model runs at once, on the interpreter; when that has taken `patience` seconds aim-cc is started beside it, and the run changes over when the object is there.
   * 1: aim-cc is started when a task is bound, and a run waits for the object before its first transition, an evaluator before its first value. */
  int wait;
  double patience;     /* default 0.02 */
  /* Told in one line, in the thread that binds or runs a task, why there is no machine code (only with `wait`; aim_execution has it in any case) or why the
   * cache is not used.  The model runs all the same.  Default: none. */
  void (*notice)(void *user, const char *why);
  void *user;
  /* As in aim_config: for the jit itself; what a model's code takes comes from its vm.  Default: the C library's. */
  void *(*alloc)(void *user, void *ptr, size_t old_size, size_t size);
  void *alloc_user;
} aim_jit_config;

/* Fills in the defaults and the size. */
AIM_API void aim_jit_config_init(aim_jit_config *config);
/* config is copied.  NULL if memory fails, config->size is not a known one, there is no compiler in it, or a path is longer than 4095 bytes.  That a path leads nowhere
 * is found when a model is to be compiled. */
AIM_API aim_jit *aim_jit_new(const aim_jit_config *config);
/* For aim_vm_engine; lives as long as the jit. */
AIM_API const aim_engine *aim_jit_engine(const aim_jit *jit);
AIM_API void aim_jit_free(aim_jit *jit);

#ifdef __cplusplus
}
#endif
#endif
