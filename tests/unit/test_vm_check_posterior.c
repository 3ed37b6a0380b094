/* check_posterior.c against the Python script that it is a twin of.
 *
 * Cases are made here with fixed seeds: chains of random number and length around a random reference, with everything that may
 * be odd in a file mixed in.  The numbers are written with fewer digits than either program computes with, and no libm is used to make
 * them, so the files are the same everywhere.  Output and exit code must equal tests/check_posterior/<case>.expected, and, where
 * python3 and the script are at hand, those of the script itself.
 *
 * usage: test_vm_check_posterior [--update]     writes the expected files, after comparing with the script
 * Run from the repository's root. */
#define main check_posterior_main
#include "tests/check_posterior.c"
#undef main

#include <setjmp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SCRIPT "../shared/posteriordb/check_posterior.py"
enum { CASES = 30, PARAMETERS = 8 };
static bool update, have_script;
static char dir[] = "/tmp/check_posterior_XXXXXX";

static uint64_t state;
static double uniform(void) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static int below(int n) {
  return (int)(uniform() * n);
}

static FILE *create(int k, const char *name, char path[256]) {
  snprintf(path, 256, "%s/%02d_%s", dir, k, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  return f;
}

/* The names of parameter p in the reference and in a header of the given style. */
static const char *reference_names[PARAMETERS] = {"mu", "tau", "theta[1]", "theta[2]", "L[2,1]", "beta", "sigma[1]", "\xce\xbb"};
static const char *header_names[3][PARAMETERS] = {{"mu", "tau", "theta.1", "theta.2", "L.2.1", "beta.1", "sigma", "\xce\xbb"},
                                                  {"mu", "tau", "theta[1]", "theta[2]", "L[2,1]", "beta[1]", "sigma", "\xce\xbb"},
                                                  {"\"mu\"", " tau ", "\"theta[01]\"", "theta[ 2 ]", "\"L[2, 1]\"", "beta", "sigma.1", "\xce\xbb"}};

/* Columns that go wrong, by case: a bit for each parameter. */
typedef struct oddity {
  unsigned missing, constant, nan, heavy;
} oddity;

static void chain_write(int k, int c, int draws, int style, const oddity *o, const double *location, const double *scale, double phi, char path[256]) {
  FILE *f = create(k, c == 0 ? "1.csv" : c == 1 ? "2.csv" : c == 2 ? "3.csv" : "4.csv", path);
  const char *end = k % 5 == 3 ? "\r\n" : "\n";
  int thin = k % 6 == 2 ? 2 : 1, warm = k % 3 == 1 ? 30 : 0;
  fprintf(f, "# model = made_up%s# num_warmup = %d (Default)%s", end, warm * thin - (thin - 1), end);
  if (thin > 1) fprintf(f, "#   thin = %d%s", thin, end);
  fprintf(f, "#  save_warmup = %s%s%slp__,extra", warm == 0 ? "0" : k % 2 ? "1" : "true", end, end);
  for (int p = 0; p < PARAMETERS; p++)
    if (!(o->missing >> p & 1)) fprintf(f, ",%s", header_names[style][p]);
  fputs(end, f);
  double x[PARAMETERS] = {0};
  for (int i = -warm; i < draws; i++) {
    if (i == 0) fprintf(f, "# Adaptation terminated%s", end);
    fprintf(f, "%.6g,%d", -uniform(), i);
    for (int p = 0; p < PARAMETERS; p++) {
      double e = uniform() + uniform() + uniform() + uniform() - 2.0;
      x[p] = phi * x[p] + e;
      double v = x[p];
      if (o->heavy >> p & 1) v /= uniform();
      v = location[p] + scale[p] * v;
      if (i < 0) v += 1000.0;
      if (o->constant >> p & 1) v = location[p];
      if (o->missing >> p & 1) continue;
      if ((o->nan >> p & 1) && i == draws / 2) fputs(c % 2 ? ",inf" : ",nan", f);
      else fprintf(f, ",%.8g", v);
    }
    fputs(end, f);
    if (k % 7 == 4 && i == 10) fprintf(f, "1,2,3%s", end); /* a torn row */
  }
  fprintf(f, "# Elapsed Time: 0.1 seconds%s", end);
  fclose(f);
}

/* A reference whose sd is roughly that of the chains: noise of variance 1/3, summed with coefficient phi. */
static void reference_write(int k, const double *location, const double *scale, const double *spread, char path[256]) {
  static const char *modes[] = {NULL, "mean+q90", "mean", "quantiles"};
  FILE *f = create(k, "reference.json", path);
  fputs("{", f);
  if (k % 4) fprintf(f, "\"posterior\": \"made_up-%d\", ", k);
  fputs("\"parameters\": {\n", f);
  for (int p = 0; p < PARAMETERS; p++) {
    double sd = scale[p] * spread[p], mean = location[p] + sd * 0.12 * (uniform() - 0.5);
    const char *mode = modes[(p + k) % 4];
    fprintf(f, "  \"%s\": {\"mean\": %.9g, \"sd\": %.9g, \"q05\": %.9g, \"q50\": %.9g, \"q95\": %.9g", reference_names[p], mean, sd,
            mean - 1.65 * sd, mean, mean + 1.65 * sd);
    if (below(3)) fprintf(f, ", \"mcse_mean\": %.6g", sd * 0.01);
    if (below(3)) fprintf(f, ", \"ess\": %d", 5000 + below(5000));
    if (mode) fprintf(f, ", \"compare\": \"%s\"", mode);
    fprintf(f, "}%s\n", p + 1 < PARAMETERS ? "," : "");
  }
  fputs("}}\n", f);
  fclose(f);
}

/* Runs the twin (script false) or the script; out gets what it printed and its exit code. */
static void run(bool script, char *const *args, int n, text *out) {
  char to[256];
  snprintf(to, sizeof to, "%s/output", dir);
  fflush(stdout);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (!freopen(to, "wb", stdout) || !freopen("/dev/null", "wb", stderr)) _exit(99);
    char *argv[16] = {"python3", SCRIPT};
    for (int i = 0; i < n; i++) argv[2 + i] = args[i];
    if (script) {
      setenv("PYTHONIOENCODING", "utf-8", 1);
      execvp("python3", argv);
      _exit(98);
    }
    int status = check_posterior_main(n + 1, argv + 1);
    fflush(stdout);
    _exit(status);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  out->n = 0;
  text_put(out, "", 0);
  assert_true(file_read(to, out));
  char line[32];
  text_put(out, line, (size_t)snprintf(line, sizeof line, "exit %d\n", WEXITSTATUS(status)));
}

/* Compares a run of the twin with the script and with the stored output. */
static void expect(int k, char *const *args, int n) {
  text got = {0}, want = {0};
  char path[64];
  run(false, args, n, &got);
  /* A reference without a name is shown by its path, which differs from run to run. */
  if (have_script) {
    run(true, args, n, &want);
    if (strcmp(got.s, want.s) != 0) fail_msg("case %d: the script prints\n%s\nthe twin\n%s", k, want.s, got.s);
  }
  for (char *at; (at = strstr(got.s, dir));) memmove(at, at + strlen(dir), strlen(at + strlen(dir)) + 1);
  got.n = strlen(got.s);
  snprintf(path, sizeof path, "tests/check_posterior/%02d.expected", k);
  if (update) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(got.s, 1, got.n, f);
    fclose(f);
  }
  want.n = 0;
  assert_true(file_read(path, &want));
  if (want.n != got.n || memcmp(want.s, got.s, got.n) != 0) fail_msg("case %d: expected\n%.*s\ngot\n%s", k, (int)want.n, want.s, got.s);
  free(got.s);
  free(want.s);
}

static void test_made_up(void **unused) {
  (void)unused;
  for (int k = 0; k < CASES; k++) {
    state = 1000 + (uint64_t)k;
    int chains = 1 + below(4), draws = k == 5 ? 5 : 40 + below(400), style = below(3);
    double phi = 0.9 * uniform() - 0.2, location[PARAMETERS], scale[PARAMETERS], spread[PARAMETERS];
    oddity o = {0};
    for (int p = 0; p < PARAMETERS; p++) {
      location[p] = 20.0 * (uniform() - 0.5);
      scale[p] = 0.05 + 4.0 * uniform();
      /* sqrt(1/3 / (1 - phi^2)) to first order, times a factor that fails now and then. */
      spread[p] = (0.577 + 0.3 * phi * phi) * (0.9 + 0.25 * uniform());
      if (k % 3 == 0) o.heavy |= (unsigned)(below(4) == 0) << p;
      if (k % 4 == 1) o.missing |= (unsigned)(below(5) == 0) << p;
      if (k % 4 == 2) o.constant |= (unsigned)(below(6) == 0) << p;
      if (k % 4 == 3) o.nan |= (unsigned)(below(6) == 0) << p;
    }
    char paths[5][256], *args[6];
    int n = 0;
    reference_write(k, location, scale, spread, paths[4]);
    args[n++] = paths[4];
    if (k % 6 == 5) args[n++] = "--quiet";
    for (int c = 0; c < chains; c++) {
      chain_write(k, c, draws + (k % 5 == 2 ? below(20) : 0), style, &o, location, scale, phi, paths[c]);
      args[n++] = paths[c];
    }
    expect(k, args, n);
  }
}

static char *file_make(int k, const char *name, const char *content, char path[256]) {
  FILE *f = create(k, name, path);
  fputs(content, f);
  fclose(f);
  return path;
}

/* Input that cannot be read, and small files whose odd numbers can. */
static void test_odd_files(void **unused) {
  (void)unused;
  static const char ref[] = "{\"posterior\": \"odd\", \"parameters\": {\"a\": {\"mean\": 2.5, \"sd\": 1.29}}}";
  static const struct {
    const char *reference, *csv;
  } cases[] = {
      {ref, "a\n1\n2\n3\n4\n"},
      {ref, "a,b\n1,1\n2,2\n 3 ,3\n1_0e-1,4\n2.5,\n"},          /* an empty cell */
      {ref, "a\n1\n2\n0x3\n4\n"},                               /* hexadecimal */
      {ref, "a\n1\n2\n3\n"},                                    /* too few */
      {ref, "# nothing\n"},                                     /* no header */
      {ref, ""},
      {ref, "a.1\n1\n2\n3\n4\n+5\n-1e-3\n1_0\n.5\n"},
      {ref, "a.1,a.2\n1,1\n2,1\n3,1\n4,1\n"},                    /* a vector is no scalar */
      {ref, "a,a\n1,2\n1,3\n1,2\n1,3\n"},                        /* the last of two equal names counts */
      {ref, "a\n1\n2\n3\n4\n\n5\r6\r\n  7\n8"},                  /* every kind of line end */
      {ref, "# save_warmup = 1\n# num_warmup = 900\na\n1\n2\n3\n4\n5\n"},
      {"{\"parameters\": {\"a\": {\"mean\": 2.5,}}}", "a\n1\n2\n3\n4\n"},
      {"{\"posterior\": \"none\", \"parameters\": {}}", "a\n1\n2\n3\n4\n"},
      {ref, "a\n1e308\nInfinity\n3\n4\n"},
  };
  char a[256], b[256], *args[2];
  for (int i = 0; i < (int)(sizeof cases / sizeof cases[0]); i++) {
    args[0] = file_make(50 + i, "reference.json", cases[i].reference, a);
    args[1] = file_make(50 + i, "1.csv", cases[i].csv, b);
    expect(50 + i, args, 2);
  }
  args[1] = "/nonexistent.csv";
  expect(49, args, 2);
}

static void test_usage(void **unused) {
  (void)unused;
  char *args[] = {"--help"};
  text out = {0};
  run(false, args, 1, &out);
  assert_non_null(strstr(out.s, "usage: check_posterior"));
  assert_non_null(strstr(out.s, "exit 2\n"));
  run(false, args, 0, &out);
  assert_non_null(strstr(out.s, "exit 2\n"));
  free(out.s);
}

int main(int argc, char **argv) {
  update = argc > 1 && strcmp(argv[1], "--update") == 0;
  have_script = access(SCRIPT, R_OK) == 0 && system("python3 -c 'import sys; sys.exit(0)' >/dev/null 2>&1") == 0;
  printf("%s\n", have_script ? "comparing with the script" : "no script: comparing with stored output only");
  if (!mkdtemp(dir)) return 2;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_made_up),
      cmocka_unit_test(test_odd_files),
      cmocka_unit_test(test_usage),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  return system(command) || failed;
}
