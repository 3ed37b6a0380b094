/* jit.c: a host of the installed library that plugs machine code in: the numbers are the interpreter's bit for bit, and LLVM is never mapped here.
 *
 *     jit PATH-OF-AIM-CC MODEL.aim DATA.json EMPTY-FOLDER */
#include <aim.h>
#include <aim_jit.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(c) ((c) ? (void)0 : (fprintf(stderr, "jit.c:%d: %s\n", __LINE__, #c), exit(1)))

enum { MOST = 64, POINTS = 8 };

typedef struct result {
  double *draws; /* of all quantities and chains */
  size_t n;
  double lp[POINTS], gradient[POINTS][MOST];
  aim_execution how;
} result;

static _Atomic size_t live;
static void *counted(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user;
  live += size - old_size;
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

static int notices;
static char last[512];
static void notice(void *user, const char *why) {
  CHECK(user == &notices);
  notices++;
  snprintf(last, sizeof last, "%s", why);
}

static void put(void *user, const char *text, size_t n) { fwrite(text, 1, n, user); }

static void must(aim_task *t, aim_status st) {
  if (st == AIM_OK) return;
  if (t) aim_task_messages(t, 0, put, stderr);
  fprintf(stderr, "jit.c: %s\n", aim_status_text(st));
  exit(1);
}

/* Runs the model on a vm with this engine, with files in the folder `output`, and evaluates its density. */
static result run(const aim_engine *engine, const char *model, const char *data, const char *output) {
  result r = {0};
  aim_config c;
  aim_config_init(&c);
  c.alloc = counted;
  aim_vm *vm = aim_vm_new(&c);
  aim_program *p;
  aim_task *t, *u;
  CHECK(vm);
  aim_vm_engine(vm, engine);
  must(NULL, aim_load_file(vm, model, &p));
  must(NULL, aim_task_model(p, NULL, &t));
  aim_execution how;
  CHECK(aim_execution_get(t, &how) == AIM_E_USAGE);
  must(t, aim_data_file(t, data));
  must(t, aim_set_int(t, "chains", 2));
  must(t, aim_set_int(t, "warmup", 200));
  must(t, aim_set_int(t, "draws", 200));
  must(t, aim_set_text(t, "output", output));
  must(t, aim_run(t, NULL));
  size_t quantities = aim_quantity_count(t);
  r.draws = malloc(quantities * 2 * 200 * sizeof *r.draws * MOST);
  for (size_t q = 0; q < quantities; q++) {
    aim_quantity about;
    must(t, aim_quantity_get(t, q, &about));
    for (size_t e = 0; e < about.cells; e++)
      for (int chain = 0; chain < 2; chain++) {
        const double *x = aim_draws(t, chain, q, e);
        CHECK(x && e < MOST);
        memcpy(r.draws + r.n, x, 200 * sizeof *x);
        r.n += 200;
      }
  }
  must(t, aim_execution_get(t, &r.how));
  must(NULL, aim_task_model(p, NULL, &u));
  must(u, aim_data_file(u, data));
  aim_evaluator *e;
  must(u, aim_evaluator_new(u, &e));
  size_t d = aim_dimension(e);
  CHECK(d >= 1 && d <= MOST);
  for (int k = 0; k < POINTS; k++) {
    double q[MOST];
    for (size_t j = 0; j < d; j++) q[j] = 0.125 * (double)((k * 7 + (int)j * 5) % 11) - 0.5;
    must(u, aim_log_density(e, q, &r.lp[k], r.gradient[k]));
  }
  aim_evaluator_free(e);
  aim_task_free(u);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
  return r;
}

static void same(const result *a, const result *b) {
  CHECK(a->n > 0 && a->n == b->n && memcmp(a->draws, b->draws, a->n * sizeof *a->draws) == 0);
  CHECK(memcmp(a->lp, b->lp, sizeof a->lp) == 0 && memcmp(a->gradient, b->gradient, sizeof a->gradient) == 0);
}

/* What `text` stands in of this process's maps. */
static int mapped(const char *text) {
  char line[4096];
  int found = 0;
  FILE *f = fopen("/proc/self/maps", "r");
  CHECK(f);
  while (fgets(line, sizeof line, f)) found |= strstr(line, text) != NULL;
  fclose(f);
  return found;
}

int main(int argc, char **argv) {
  CHECK(argc == 5);
  const char *model = argv[2], *data = argv[3];
  char cache[2048], output[2048];
  snprintf(cache, sizeof cache, "%s/objects", argv[4]);
  snprintf(output, sizeof output, "%s/run", argv[4]);
  result plain = run(NULL, model, data, output);
  CHECK(strcmp(plain.how.engine, "interpreter") == 0 && plain.how.compiled == 0);

  aim_jit_config c;
  aim_jit_config_init(&c);
  CHECK(!aim_jit_new(&c)); /* no compiler */
  c.compiler = argv[1];
  c.alloc = counted;
  c.notice = notice;
  c.user = &notices;
  c.wait = 1;
  c.cache = cache;
  c.size--;
  CHECK(!aim_jit_new(&c));
  c.size++;
  aim_jit *jit = aim_jit_new(&c);
  CHECK(jit);
  result first = run(aim_jit_engine(jit), model, data, output);
  CHECK(first.how.made == 1 && first.how.cached == 0 && first.how.compiled > 1000 && first.how.object > 0 && first.how.seconds > 0);
  CHECK(strcmp(first.how.engine, "jit") == 0 && first.how.why[0] == '\0');
  same(&plain, &first);
  result again = run(aim_jit_engine(jit), model, data, output);
  CHECK(again.how.cached == 1 && again.how.made == 0 && again.how.compiled > 1000);
  same(&plain, &again);
  aim_jit_free(jit);
  CHECK(notices == 0);
  CHECK(!mapped("LLVM"));

  /* Beside the run, without a cache. */
  c.wait = 0;
  c.patience = 0;
  c.cache = NULL;
  jit = aim_jit_new(&c);
  CHECK(jit);
  result beside = run(aim_jit_engine(jit), model, data, output);
  CHECK(strcmp(beside.how.engine, "auto") == 0 && beside.how.cached == 0);
  same(&plain, &beside);
  aim_jit_free(jit);
  CHECK(notices == 0);

  /* No compiler there, and a cache that cannot be: two notices, the interpreter, the same numbers. */
  c.wait = 1;
  c.compiler = "/nowhere/aim-cc";
  c.cache = "/proc/nowhere/objects";
  jit = aim_jit_new(&c);
  CHECK(jit);
  result without = run(aim_jit_engine(jit), model, data, output);
  CHECK(without.how.refused == 1 && without.how.compiled == 0 && without.how.interpreted > 1000 && strstr(without.how.why, "aim-cc"));
  CHECK(notices >= 2 && last[0]);
  same(&plain, &without);
  aim_jit_free(jit);
  CHECK(live == 0);
  return puts("the same bits") < 0;
}
