/* test_codegen_tier.c: programs that begin on the interpreter and go on with machine code.  Whenever that happens, results are the
 * interpreter's; an object that is not to be had, whatever the reason, costs nothing but speed; data of another size or other values
 * compile nothing. */
#include "codegen/cache.h"
#include "codegen/tier.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_philox.h"
#include "vm/interp.h"

#include "tests/unit/codegen_host.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

/* A gradient with a frame, a sum, a keyed sum and a guard, and a function of one draw, with random numbers and a result that is kept. */
static const char text[] =
    "func @prepare(%y: real[N] data) -> (real[N]) {\n"
    "  %n = size N\n  %t = plate %i < %n -> stack {\n    %v = at %y, %i\n    %w = mul %v, %v\n    yield %w\n  }\n  return %t\n}\n"
    "func @grad(%y: real[N] data, %frame.1: real[N] frame, %c: int[N] data, %m: real[J] uncon, %s: real uncon) -> (real, real[J], real) {\n"
    "  %n = size N\n  %e = exp %s\n  %three = real 3.0\n  %good = lt %s, %three\n  %z = new real[J]\n"
    "  %lp, %g, %h = plate %i < %n -> sum, keyed = %z, sum {\n    %k = at %c, %i\n    %v = at %y, %i\n    %q = at %frame.1, %i\n    %u = at %m, %k\n"
    "    %d = sub %v, %u\n    %r = div %d, %e\n    %a = mul %r, %r\n    %b = fma %q, %e, %a\n    yield %b, [%k] %r, %a\n  }\n"
    "  %x = guard %good, %lp\n  return %x, %g, %h\n}\n"
    "func @outputs(%y: real[N] data, %s: real latent, %key: key key) -> (real, real[J]) {\n  %n = size J\n"
    "  %h, %w = memo_find 1 \"f\" 16 real, %s\n  %zero = int 0\n  %found = le %zero, %h\n"
    "  %e = if %found {\n    yield %w\n  } else {\n    %c = exp %s\n    %kept = memo_keep 1 \"f\" 16, %h, %c\n    yield %kept\n  }\n"
    "  %d = plate %i < %n -> stack {\n    %z = draw.normal 7, %key, %i\n    %v = at %y, %i\n    %a = fma %z, %e, %v\n    yield %a\n  }\n"
    "  return %e, %d\n}\n";

enum { MOST = 300, J = 4 };

typedef struct world {
  arena mem;
  ir_module *m;
  exec_cell y[MOST], c[MOST];
  exec_data data[2];
} world;

static void world_open(world *w, int64_t n, volatile uint64_t seed) {
  arena_init(&w->mem, &heap, 0);
  if (ARENA_TRY(&w->mem)) fail_msg("no memory");
  w->m = ir_module_new(&w->mem);
  const char *error = NULL;
  if (!ir_parse(w->m, text, strlen(text), &error)) fail_msg("%s", error);
  for (uint32_t k = 0; k < w->m->nfns; k++)
    if (ir_verify(w->m->fn[k])) fail_msg("%s", ir_verify(w->m->fn[k]));
  size_bind(w->m->sizes, size_symbol(w->m->sizes, "N"), n);
  size_bind(w->m->sizes, size_symbol(w->m->sizes, "J"), J);
  size_bind(w->m->sizes, size_symbol(w->m->sizes, "Unused"), n % 60); /* of no function: no part of the key */
  for (int k = 0; k < n; k++) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    w->y[k].real = (double)(int64_t)(seed >> 11) * 0x1p-53;
    w->c[k].integer = k % J;
  }
  w->data[0] = (exec_data){"y", w->y};
  w->data[1] = (exec_data){"c", w->c};
}
static void world_close(world *w) { arena_free(&w->mem); }

/* Every call that a run makes, at a point that depends on k. */
typedef struct result {
  exec_cell lp, g[J], h, e, d[J];
  uint64_t guards;
} result;

static result eval(const exec_engine *e, exec_program *p, exec_worker *w, int k) {
  exec_cell m[J], s = {.real = k % 50 == 49 ? 4.0 : 0.01 * (k % 50)}, key = {.integer = (int64_t)rt_key_fold(5, (uint64_t)k)};
  for (int j = 0; j < J; j++) m[j].real = 0.1 * j + 1e-3 * k;
  result r;
  memset(&r, 0, sizeof r);
  exec_arg in[2] = {{m, 1}, {&s, 1}}, out[3] = {{&r.lp, 1}, {r.g, 1}, {&r.h, 1}}, in1[2] = {{&s, 1}, {&key, 1}}, out1[2] = {{&r.e, 1}, {r.d, 1}};
  exec_report report;
  assert_int_equal(e->call(w, e->find(p, "grad"), 1, in, out, &report), EXEC_OK);
  r.guards = report.guards;
  assert_int_equal(e->call(w, e->find(p, "outputs"), 1, in1, out1, &report), EXEC_OK);
  return r;
}

static void check(const exec_engine *e, exec_program *p, exec_worker *w, const result *want, int n) {
  for (int k = 0; k < n; k++) {
    result r = eval(e, p, w, k);
    if (memcmp(&r, &want[k], sizeof r) != 0) fail_msg("call %d differs", k);
  }
}

enum { CALLS = 200 };
static result want[CALLS];
/* The interpreter's results for a world. */
static void make_wanted(world *w, int isa) {
  exec_program *p;
  assert_int_equal(interp_engine.load(w->m, 2, w->data, &(exec_options){.isa = isa}, &heap, &p, NULL), EXEC_OK);
  exec_worker *x = interp_engine.worker_new(p);
  for (int k = 0; k < CALLS; k++) want[k] = eval(&interp_engine, p, x, k);
  interp_engine.worker_free(x);
  interp_engine.unload(p);
}

static int notices, distrusts;
static char last_notice[300];
static void notice(void *user, const char *why) {
  (void)user;
  notices++;
  snprintf(last_notice, sizeof last_notice, "%s", why);
}
static void cacheless(void *user, const char *why, bool distrusted) {
  (void)user;
  assert_non_null(why);
  distrusts += distrusted;
}

static char objects[4200];
static jit_config jit;
static tier_config config;
static exec_engine engine;

static void set_up(bool wait, double patience) {
  in_folder(objects, "objects");
  char command[4400];
  snprintf(command, sizeof command, "rm -rf '%s'", objects);
  assert_int_equal(system(command), 0);
  jit = (jit_config){.compiler = compiler, .cache = objects, .fallback = &interp_engine};
  config = (tier_config){.jit = &jit, .sure = &interp_engine, .patience = patience, .wait = wait, .notice = notice, .cacheless = cacheless};
  engine = tier_engine(&config);
  notices = distrusts = 0;
}

static exec_program *load_early(world *w, int isa) {
  exec_program *p = NULL;
  const char *message = NULL;
  assert_int_equal(engine.load(w->m, 2, w->data, &(exec_options){.isa = isa, .user = engine.user}, &heap, &p, &message), EXEC_OK);
  return p;
}

static exec_program *load(world *w, int isa) {
  exec_program *p = load_early(w, isa);
  engine.ready(p);
  return p;
}

static exec_account account(const exec_program *p) {
  exec_account a;
  engine.account(p, &a);
  return a;
}

/* Loads, checks and unloads; the account is that at the end. */
static exec_account go(int64_t n, uint64_t seed, int isa) {
  static world w;
  world_open(&w, n, seed);
  make_wanted(&w, isa);
  exec_program *p = load(&w, isa);
  exec_worker *x = engine.worker_new(p);
  check(&engine, p, x, want, CALLS);
  engine.worker_free(x);
  exec_account a = account(p);
  engine.unload(p);
  world_close(&w);
  return a;
}

/* ---- what is there, and when */

static void test_wait(void **state) {
  (void)state;
  set_up(true, 0);
  for (int isa = 2; isa <= rt_isa_best() && isa <= 4; isa++) {
    exec_account a = go(100, 1, isa);
    assert_true(a.made == 2 && !a.cached && !a.refused && a.object > 0 && a.seconds > 0);
    assert_int_equal(a.compiled, 2 * CALLS); /* all from the first call */
    assert_int_equal(a.interpreted, 0);
    a = go(100, 1, isa);
    assert_true(a.cached == 2 && !a.made);
    assert_int_equal(a.compiled, 2 * CALLS);
  }
  set_up(true, 1000); /* the draws cost too little */
  exec_account a = go(100, 1, 0);
  assert_true(a.made == 1 && !a.cached && !a.refused);
  assert_true(a.compiled == CALLS && a.interpreted == CALLS);
  assert_int_equal(notices, 0);
  assert_int_equal(live, 0);
  no_child_left();
}

/* A worker that began before the objects were there has them once somebody waited. */
static void test_early(void **state) {
  (void)state;
  set_up(true, 0);
  static world w;
  world_open(&w, 100, 1);
  make_wanted(&w, 0);
  exec_program *p = load_early(&w, 0);
  exec_worker *x = engine.worker_new(p);
  check(&engine, p, x, want, CALLS);
  engine.ready(p);
  engine.ready(p); /* again is nothing */
  check(&engine, p, x, want, CALLS);
  engine.worker_free(x);
  exec_account a = account(p);
  assert_true(a.made == 2 && !a.refused && a.compiled >= 2 * CALLS && a.compiled + a.interpreted == 4 * CALLS);
  engine.unload(p);
  p = load_early(&w, 0); /* and nobody has to */
  engine.unload(p);
  world_close(&w);
  assert_int_equal(live, 0);
  no_child_left();
}

/* Other data compile nothing, large sizes included; a small size of the code, and another level, do. */
static void test_same_facts(void **state) {
  (void)state;
  set_up(true, 0);
  assert_int_equal(go(100, 1, 2).made, 2);
  for (int64_t n = 65; n < 300; n += 47) {
    exec_account a = go(n, (uint64_t)n, 2);
    assert_true(a.cached == 2 && !a.made);
  }
  for (int fold = 0; fold < 5; fold++) assert_int_equal(go(80 + fold % 2, (uint64_t)fold, 2).cached, 2);
  assert_int_equal(go(50, 1, 2).made, 2);
  assert_int_equal(go(50, 2, 2).cached, 2);
  assert_int_equal(go(51, 1, 2).made, 2);
  if (rt_isa_best() >= 3) assert_int_equal(go(100, 1, 3).made, 2);
  cg_cache c = cg_cache_open(objects, CG_CACHE_MOST);
  assert_int_equal(cg_cache_survey(&c).entries, rt_isa_best() >= 3 ? 8 : 6);
  assert_int_equal(cg_cache_survey(&c).hits, 22);
  cg_cache_close(&c);
}

typedef struct thread {
  exec_program *p;
  pthread_t id;
  uint64_t compiled, rounds;
} thread;

/* Until the code has come, and then some. */
static void *run(void *user) {
  thread *t = user;
  exec_worker *w = engine.worker_new(t->p);
  time_t end = time(NULL) + 60;
  for (int after = 0; after < 3 && time(NULL) < end; t->rounds++) {
    check(&engine, t->p, w, want, CALLS);
    exec_account a = account(t->p);
    after += a.made + a.refused == 2;
  }
  engine.worker_free(w);
  return NULL;
}

/* Early and late, the units in any order: the moment depends on the machine, the results do not. */
static void test_change(void **state) {
  (void)state;
  static const char *const delays[] = {"", "sleep 0.02; ", "sleep 0.2; "};
  char path[4200], script[200];
  static world w;
  for (int k = 0; k < 3; k++) {
    for (int patience = 0; patience < 2; patience++) {
      set_up(false, patience ? 0.002 : 0);
      snprintf(script, sizeof script, "%sexec \"$CC\"", delays[k]);
      write_script(path, "delayed", script);
      jit.compiler = path;
      world_open(&w, 250, 7);
      make_wanted(&w, 0);
      exec_program *p = load(&w, 0);
      assert_int_equal(account(p).made, 0);
      thread t[4];
      for (int i = 0; i < 4; i++) {
        t[i] = (thread){.p = p};
        assert_int_equal(pthread_create(&t[i].id, NULL, run, &t[i]), 0);
      }
      for (int i = 0; i < 4; i++) pthread_join(t[i].id, NULL);
      exec_account a = account(p);
      assert_true(a.made == 2 && !a.cached && !a.refused);
      assert_true(a.compiled >= 2 * 4 * 16); /* each worker changed, and tried both at least */
      if (!a.declined) assert_true(a.compiled >= 2 * 4 * CALLS);
      engine.unload(p);
      p = load(&w, 0); /* kept for the next */
      assert_int_equal(account(p).cached, 2);
      engine.unload(p);
      world_close(&w);
    }
  }
  assert_int_equal(notices, 0);
  assert_int_equal(live, 0);
  no_child_left();
}

/* An interpreter that knows the results of a function beforehand is faster than any code, and one that dawdles slower: the worker finds out, of each.  Of the
 * function that keeps a result it knows every eighth beforehand: its fastest call says nothing. */
static int current, dawdle;
static exec_status know(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_program *p = *(exec_program **)w; /* where every engine has it */
  const bool draw = fn == interp_engine.find(p, "outputs");
  if (draw && !dawdle && current / 2 % 8 == 0) {
    *out[0].p = want[current].e;
    memcpy(out[1].p, want[current].d, sizeof want[current].d);
    return EXEC_OK;
  }
  if (dawdle || draw) {
    nanosleep(&(struct timespec){0, 100000}, NULL);
    return interp_engine.call(w, fn, lanes, in, out, report);
  }
  *out[0].p = want[current].lp;
  memcpy(out[1].p, want[current].g, sizeof want[current].g);
  *out[2].p = want[current].h;
  if (report) *report = (exec_report){.guards = want[current].guards};
  return EXEC_OK;
}
static void test_decline(void **state) {
  (void)state;
  exec_engine sage = interp_engine;
  sage.call = know;
  static world w;
  world_open(&w, MOST, 5);
  make_wanted(&w, 0);
  for (dawdle = 0; dawdle < 2; dawdle++) {
    set_up(true, 0);
    go(MOST, 5, 0); /* into the cache */
    config.wait = false;
    config.sure = &sage;
    exec_program *p = load(&w, 0);
    exec_worker *x = engine.worker_new(p);
    for (current = 0; current < CALLS; current++) {
      result r = eval(&engine, p, x, current);
      assert_memory_equal(&r, &want[current], sizeof r);
    }
    engine.worker_free(x);
    exec_account a = account(p);
    assert_int_equal(a.declined, !dawdle);
    assert_int_equal(a.compiled, CALLS - 64 + (dawdle ? CALLS - 16 : 16));
    engine.unload(p);
  }
  world_close(&w);
}

/* A short run starts nothing. */
static void test_patience(void **state) {
  (void)state;
  set_up(false, 1000);
  char path[4200], mark[4200], script[4400];
  in_folder(mark, "started");
  snprintf(script, sizeof script, "touch '%s'; exec \"$CC\"", mark);
  write_script(path, "marks", script);
  jit.compiler = path;
  exec_account a = go(100, 1, 0);
  assert_true(!a.made && !a.cached && !a.refused && a.compiled == 0 && a.interpreted == 2 * CALLS);
  assert_int_equal(access(mark, F_OK), -1);
}

/* A program that goes while aim-cc works takes it along. */
static void test_unload(void **state) {
  (void)state;
  char path[4200];
  static world w;
  world_open(&w, 100, 3);
  make_wanted(&w, 0);
  for (int k = 0; k < 20; k++) {
    set_up(false, 0);
    if (k % 2) {
      write_script(path, "sleeps", "exec sleep 100");
      jit.compiler = path;
    }
    exec_program *p = load(&w, 0);
    exec_worker *x = engine.worker_new(p);
    struct timespec t = {0, 2000000 * k};
    nanosleep(&t, NULL);
    check(&engine, p, x, want, 10);
    engine.worker_free(x);
    engine.unload(p);
    no_child_left();
  }
  world_close(&w);
  assert_int_equal(live, 0);
}

/* ---- what is not to be had */

static void without(const char *script, bool wait) {
  char path[4200];
  set_up(wait, 0);
  if (script) write_script(path, "broken", script);
  else in_folder(path, "not there");
  jit.compiler = path;
  static world w;
  world_open(&w, 100, 3);
  make_wanted(&w, 0);
  exec_program *p = load(&w, 0);
  exec_worker *x = engine.worker_new(p);
  time_t end = time(NULL) + 60;
  do check(&engine, p, x, want, CALLS);
  while (!account(p).refused && time(NULL) < end);
  check(&engine, p, x, want, CALLS);
  engine.worker_free(x);
  exec_account a = account(p);
  assert_true(a.refused && !a.made && a.compiled == 0);
  assert_true(a.why[0]);
  assert_int_equal(notices, wait);
  if (wait) assert_true(last_notice[0] && !strchr(last_notice, '\n'));
  engine.unload(p);
  world_close(&w);
  assert_int_equal(live, 0);
  no_child_left();
}

static void test_without_code(void **state) {
  (void)state;
  static const char *const broken[] = {
      NULL, "exit 1", "kill -9 $$", "kill -SEGV $$", "echo no >&2; exit 2", "cat", "head -c 5000 /dev/urandom",
      "ulimit -v 30000; exec \"$CC\"", "\"$CC\" | head -c 300", "sed 's/^aim-cc [^ ]*/aim-cc 9999/' | \"$CC\"",
      "sed 's/ = exp / = nosuch /' | \"$CC\"",
  };
  for (size_t k = 0; k < sizeof broken / sizeof *broken; k++)
    for (int wait = 0; wait < 2; wait++) without(broken[k], wait);
}

static int without_execution(void) {
#ifdef PR_SET_MDWE
  if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)) return 77;
#else
  if (prctl(65, 1, 0, 0, 0)) return 77;
#endif
  set_up(true, 0);
  exec_account a = go(100, 1, 0);
  return a.refused && notices == 1 && strstr(last_notice, "does not let compiled code run") ? 0 : 1;
}
static void test_no_executable_memory(void **state) {
  (void)state;
  in_process(without_execution);
}

/* Objects in the cache damaged in any way are compiled again, and right. */
static void test_damaged(void **state) {
  (void)state;
  static const char *const how[] = {
      "dd if=/dev/urandom of=\"$f\" bs=1 seek=900 count=40 conv=notrunc 2>/dev/null", "truncate -s -1 \"$f\"", "truncate -s 1000 \"$f\"", ": > \"$f\"",
      "head -c 4000 /dev/urandom > \"$f\"", "chmod 666 \"$f\"", "mv \"$f\" \"$f.x\" && ln -s \"$f.x\" \"$f\"", "cp \"$CC\" \"$f\"",
  };
  set_up(true, 0);
  for (size_t k = 0; k < sizeof how / sizeof *how; k++) {
    assert_int_equal(go(100, 1, 0).made, 2);
    assert_int_equal(go(100, 1, 0).cached, 2);
    char command[9000];
    snprintf(command, sizeof command, "CC='%s'; for f in '%s'/*; do %s; done", compiler, objects, how[k]);
    assert_int_equal(system(command), 0);
  }
  assert_int_equal(go(100, 1, 0).made, 2);
  chmod(objects, 0755);
  assert_int_equal(go(100, 1, 0).made, 2);
  assert_true(distrusts > 0);
  chmod(objects, 0700);
  assert_int_equal(notices, 0);
}

/* LLVM is in aim-cc, nowhere else. */
static void test_no_llvm(void **state) {
  (void)state;
  set_up(true, 0);
  assert_int_equal(go(100, 1, 0).made, 2);
  FILE *f = fopen("/proc/self/maps", "r");
  char line[4096];
  int lines = 0;
  assert_non_null(f);
  for (; fgets(line, sizeof line, f); lines++) assert_null(strstr(line, "LLVM"));
  fclose(f);
  assert_true(lines > 5);
}

int main(void) {
  if (host_open()) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wait),    cmocka_unit_test(test_early), cmocka_unit_test(test_same_facts),   cmocka_unit_test(test_change),               cmocka_unit_test(test_decline),
      cmocka_unit_test(test_patience),
      cmocka_unit_test(test_unload),  cmocka_unit_test(test_without_code), cmocka_unit_test(test_no_executable_memory), cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_no_llvm),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
