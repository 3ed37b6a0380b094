/* density.c: log densities and gradients through aim_log_density and aim_score_get, against gradients derived and coded by hand. */
#include "tests/bench/baseline.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 31, MAX_DIM = 128 };

/* ---- value alone: a plate of a million observations */

static const char plate_text[] =
    "model plate_of_normals(y: real[N]) { mu ~ Normal(0, 10)\n sigma ~ HalfNormal(5)\n y ~ Normal(mu, sigma) }";

typedef struct plate {
  aim_evaluator *e;
  const double *y;
  size_t n;
  double at[2], kept;
} plate;

static void plate_aim(void *ctx, long n) {
  plate *p = ctx;
  aim_score s;
  for (long k = 0; k < n; k++) {
    p->at[0] = 0.1 + 1e-9 * (double)k;
    aim_score_get(p->e, p->at, &s);
    p->kept += s.likelihood;
  }
}
static void plate_hand(void *ctx, long n) {
  plate *p = ctx;
  for (long k = 0; k < n; k++) p->kept += baseline_normal(p->y, p->n, 0.1 + 1e-9 * (double)k, p->at[1]);
}
static void plate_read(void *ctx, long n) {
  plate *p = ctx;
  for (long k = 0; k < n; k++) p->kept += baseline_sum(p->y, p->n);
}

static void plate_value(bench *b, bench_engine engine, const bench_data *data, plate *p) {
  const char *name = bench_row_name("normal_plate_1e6", engine);
  if (!bench_wanted(b, name) || !bench_has_engine(engine)) return;
  bench_model m;
  if (!bench_model_open(&m, bench_vm(engine), plate_text, data) || aim_set_text(m.task, "statistics", "off") != AIM_OK ||
      !bench_model_evaluator(&m, &p->e)) {
    bench_wrong(b, name, "the model does not bind");
    bench_model_close(&m);
    return;
  }
  aim_score s;
  aim_status st = aim_score_get(p->e, p->at, &s);
  double truth = baseline_normal(p->y, p->n, p->at[0], p->at[1]), error = fabs(s.likelihood / truth - 1);
  if (st != AIM_OK || !(error < 1e-12))
    bench_wrong(b, name, "log likelihood %.17g, by hand %.17g", s.likelihood, truth);
  else
    bench_three(b,
                &(bench_row){name, "M obs/s", BENCH_RATE, 1e-6 * (double)p->n, "C by hand, fast-math", 500,
                             bench_text("value to %.1e", error)},
                (bench_side){plate_aim, p}, (bench_side){plate_hand, p}, "read_only", (bench_side){plate_read, p}, RUNS);
  aim_evaluator_free(p->e);
  bench_model_close(&m);
}

/* ---- gradients */

typedef struct gradient {
  aim_evaluator *e;
  baseline_density *hand;
  const void *data;
  size_t dim;
  double q[MAX_DIM], g[MAX_DIM], kept;
} gradient;

/* The point moves between calls, as it does in a sampler. */
static void gradient_aim(void *ctx, long n) {
  gradient *x = ctx;
  double lp = 0;
  for (long k = 0; k < n; k++) {
    x->q[0] += 1e-9;
    aim_log_density(x->e, x->q, &lp, x->g);
    x->kept += lp;
  }
}
static void gradient_hand(void *ctx, long n) {
  gradient *x = ctx;
  for (long k = 0; k < n; k++) {
    x->q[0] += 1e-9;
    x->kept += x->hand(x->data, x->q, x->g);
  }
}

static void random_point(gradient *x, uint64_t seed, double radius) {
  bench_random r = {seed};
  for (size_t k = 0; k < x->dim; k++) x->q[k] = radius * (2 * bench_uniform(&r) - 1);
}

enum { POINTS = 8 };

/* What the first engine gave at the points: the second has to give the same bits. */
typedef struct seen {
  bool there;
  double lp[POINTS], g[POINTS][MAX_DIM];
} seen;

/* Values at points against those at the first (constants cancel), and gradients: the largest error relative to the largest entry.
 * A value that says -infinity is an error, and so are bits that another engine did not give. */
static double gradient_error(gradient *x, seen *other) {
  double worst = 0, g[MAX_DIM], lp, from_aim = 0, from_hand = 0;
  for (int k = 0; k < POINTS; k++) {
    random_point(x, 100 + (uint64_t)k, 0.7);
    if (aim_log_density(x->e, x->q, &lp, x->g) != AIM_OK || !isfinite(lp)) return INFINITY;
    if (other->there && (memcmp(&lp, &other->lp[k], sizeof lp) != 0 || memcmp(x->g, other->g[k], x->dim * sizeof *g) != 0)) return NAN;
    other->lp[k] = lp;
    memcpy(other->g[k], x->g, x->dim * sizeof *g);
    double hand = x->hand(x->data, x->q, g), scale = 1, off = 0;
    if (k == 0) from_aim = lp, from_hand = hand;
    double error = fabs((lp - from_aim) - (hand - from_hand)) / (1 + fabs(hand) + fabs(from_hand));
    for (size_t i = 0; i < x->dim; i++) {
      scale = fmax(scale, fabs(g[i]));
      off = fmax(off, fabs(g[i] - x->g[i]));
      if (!isfinite(x->g[i])) return INFINITY;
    }
    worst = fmax(worst, fmax(error, off / scale));
  }
  other->there = true;
  return worst;
}

/* The baselines are written in the latents themselves. */
static bool keep_centred(bench_model *m) {
  char list[512] = "[";
  size_t n = 1;
  for (size_t k = 0; k < aim_latent_count(m->program, 0); k++) {
    aim_latent l;
    if (aim_latent_get(m->program, 0, k, &l) != AIM_OK) return false;
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", k ? ", " : "", l.name);
    if (n + 2 > sizeof list) return false;
  }
  strcpy(list + n, "]");
  return aim_set_text(m->task, "centred", list) == AIM_OK;
}

typedef struct gradient_job {
  const char *name, *text;
  const bench_data *data;
  baseline_density *hand;
  const void *hand_data;
  double bound;       /* of the errors: rounding of the baseline's own reassociated sums and of its inverse matrices */
  double scale;       /* of a second */
  const char *unit;
  double bar, most;   /* of the figure and of its ratio to the baseline, for machine code */
  bool plain;         /* sums go over all the data, though statistics of them would do */
} gradient_job;

static void gradient_on(bench *b, const gradient_job *j, bench_engine engine, seen *other) {
  const char *name = bench_row_name(j->name, engine);
  if (!bench_wanted(b, name) || !bench_has_engine(engine)) return;
  bench_model m;
  gradient x = {.hand = j->hand, .data = j->hand_data};
  if (!bench_model_open(&m, bench_vm(engine), j->text, j->data) || !keep_centred(&m) ||
      (j->plain && aim_set_text(m.task, "statistics", "off") != AIM_OK) || !bench_model_evaluator(&m, &x.e) || (x.dim = aim_dimension(x.e)) > MAX_DIM) {
    bench_wrong(b, name, "the model does not bind");
    bench_model_close(&m);
    return;
  }
  const bool compare = other->there;
  double error = gradient_error(&x, other);
  if (isnan(error))
    bench_wrong(b, name, "the interpreter gives other bits");
  else if (!(error < j->bound))
    bench_wrong(b, name, "value or gradient is off by %.3g", error);
  else {
    const char *check = bench_text(compare ? "gradient to %.1e, bits of vm" : "gradient to %.1e", error);
    bool goal = engine == BENCH_JIT;
    random_point(&x, 7, 0.5);
    bench_pair(b, &(bench_row){name, j->unit, BENCH_TIME, j->scale, "C by hand, fast-math", goal ? j->bar : 0, check, .most = goal ? j->most : 0},
               (bench_side){gradient_aim, &x}, (bench_side){gradient_hand, &x}, RUNS);
  }
  aim_evaluator_free(x.e);
  bench_model_close(&m);
}

static bool gradient_wanted(const bench *b, const char *name) {
  return bench_wanted(b, bench_row_name(name, BENCH_VM)) || bench_wanted(b, bench_row_name(name, BENCH_JIT));
}
static bool either_wanted(const bench *b, const char *name) { return gradient_wanted(b, name) || gradient_wanted(b, bench_text("%s_plain", name)); }

static void bench_gradient(bench *b, const gradient_job *j) {
  seen other = {0};
  for (int e = 0; e < BENCH_ENGINES; e++) gradient_on(b, j, (bench_engine)e, &other);
}

/* The same over all the data. */
static void bench_both(bench *b, const gradient_job *j) {
  gradient_job plain = *j;
  plain.name = bench_text("%s_plain", j->name);
  plain.plain = true;
  bench_gradient(b, j);
  bench_gradient(b, &plain);
}

/* As much as hand-written C takes, and three tenths more. */
static const double near_hand = 1.3;

static double *normals(uint64_t seed, size_t n) {
  bench_random r = {seed};
  double *v = bench_alloc(n, sizeof *v);
  for (size_t i = 0; i < n; i++) v[i] = bench_normal(&r);
  return v;
}

static void schools(bench *b) {
  static const char noncentered[] =
      "model schools(y: real[J], sigma: real<lower = 0>[J]) {\n  mu ~ Normal(0, 5)\n  tau: real<lower = 0> ~ Cauchy(0, 5)\n"
      "  z: real[J] ~ Normal(0, 1)\n  let theta = mu + tau * z\n  y ~ Normal(theta, sigma)\n  track theta\n}\n";
  baseline_schools hand = {bench_schools_y, bench_schools_sigma};
  bench_gradient(b, &(gradient_job){"gradient_eight_schools", bench_schools_text, bench_schools_data, baseline_schools_centered, &hand,
                                    1e-12, 1e9, "ns", .bar = 100});
  bench_gradient(b, &(gradient_job){"gradient_eight_schools_noncentered", noncentered, bench_schools_data, baseline_schools_noncentered,
                                    &hand, 1e-12, 1e9, "ns", .bar = 100});
}

/* X [n, d], in both orders, for the model and for the baseline. */
typedef struct table {
  size_t n, d;
  double *columns, *rows;
} table;

static table table_of(uint64_t seed, size_t n, size_t d) {
  table t = {n, d, normals(seed, n * d), bench_alloc(n * d, sizeof(double))};
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < d; k++) t.rows[i * d + k] = t.columns[k * n + i];
  return t;
}

static double predictor(const table *t, size_t i) {
  double eta = 0;
  for (size_t k = 0; k < t->d; k++) eta += 0.3 * cos((double)k) * t->columns[k * t->n + i];
  return eta;
}

static void logistic(bench *b) {
  enum { N = 10000, D = 20 };
  static const char text[] = "model logistic(X: real[N, D], y: bool[N]) { beta: real[D] ~ Normal(0, 1)\n y ~ Bernoulli(logit = X @ beta) }",
                    name[] = "gradient_logistic_10000x20";
  if (!gradient_wanted(b, name)) return;
  table t = table_of(21, N, D);
  double *y = bench_alloc(N, sizeof *y);
  int64_t *type = bench_alloc(N, sizeof *type);
  bench_random r = {22};
  for (size_t i = 0; i < N; i++) y[i] = (double)(type[i] = bench_uniform(&r) < 1 / (1 + exp(-predictor(&t, i))));
  bench_data data[] = {{"X", t.rows, NULL, 2, {N, D}}, {"y", NULL, type, 1, {N}}, {NULL}};
  bench_gradient(b, &(gradient_job){name, text, data, baseline_logit, &(baseline_logistic){N, D, t.columns, y}, 1e-11, 1e6, "us",
                                    .most = near_hand});
  free(t.columns), free(t.rows), free(y), free(type);
}

static void linear(bench *b, size_t n, size_t d, const char *name) {
  static const char text[] = "model linear(X: real[N, D], y: real[N]) {\n  beta: real[D] ~ Normal(0, 1)\n  sigma ~ HalfNormal(1)\n"
                             "  y ~ Normal(X @ beta, sigma)\n}\n";
  if (!either_wanted(b, name)) return;
  table t = table_of(23, n, d);
  double *y = bench_alloc(n, sizeof *y);
  bench_random r = {24};
  for (size_t i = 0; i < n; i++) y[i] = predictor(&t, i) + 0.7 * bench_normal(&r);
  bench_data data[] = {{"X", t.rows, NULL, 2, {(int64_t)n, (int64_t)d}}, {"y", y, NULL, 1, {(int64_t)n}}, {NULL}};
  /* Errors grow with the sums' length, relative to their result that is small where the residuals cancel. */
  bench_both(b, &(gradient_job){name, text, data, baseline_linear, &(baseline_logistic){n, d, t.columns, y}, 1e-10, 1e6, "us",
                                    .most = near_hand});
  free(t.columns), free(t.rows), free(y);
}

static void plates(bench *b) {
  enum { N = 1000000 };
  static const char gradient_name[] = "gradient_normal_plate_1e6";
  if (!either_wanted(b, gradient_name) && !gradient_wanted(b, "normal_plate_1e6")) return;
  double *y = normals(11, N);
  for (size_t i = 0; i < N; i++) y[i] = 0.3 + 1.7 * y[i];
  bench_data data[] = {{"y", y, NULL, 1, {N}}, {NULL}};
  plate p = {.y = y, .n = N, .at = {0.1, 1.5}};
  for (int e = 0; e < BENCH_ENGINES; e++) plate_value(b, (bench_engine)e, data, &p);
  bench_both(b, &(gradient_job){gradient_name, plate_text, data, baseline_plate, &(baseline_plate_data){y, N}, 1e-10, 1e6, "us",
                                    .most = near_hand});
  free(y);
}

static void radon(bench *b, size_t N, double tolerance, const char *name) {
  enum { J = 85 };
  static const char text[] =
      "model radon(log_radon: real[N], floor_measure: real[N], log_uppm: real[N], county_idx: index(J)[N], J: int) {\n"
      "  sigma_alpha: real<lower = 0> ~ Normal(0, 1)\n  sigma_y: real<lower = 0> ~ Normal(0, 1)\n  mu_alpha ~ Normal(0, 10)\n"
      "  beta: real[2] ~ Normal(0, 10)\n  alpha: real[J] ~ Normal(mu_alpha, sigma_alpha)\n"
      "  log_radon ~ Normal(alpha[county_idx] + beta[1] * log_uppm + beta[2] * floor_measure, sigma_y)\n}\n";
  if (!either_wanted(b, name)) return;
  double *y = normals(31, N), *u = normals(32, N), *f = bench_alloc(N, sizeof *f);
  int *county = bench_alloc(N, sizeof *county);
  int64_t *index = bench_alloc(N, sizeof *index), j = J;
  bench_random r = {33};
  /* Sorted by county, with sizes as uneven as those of Minnesota: the square of a uniform number crowds the first ones. */
  double *place = bench_alloc(N, sizeof *place);
  for (size_t i = 0; i < N; i++) place[i] = bench_uniform(&r), f[i] = bench_uniform(&r) < 0.17;
  int count[J] = {0};
  for (size_t i = 0; i < N; i++) count[(int)(place[i] * place[i] * J)]++;
  for (size_t c = 0, i = 0; c < J; c++)
    for (int k = 0; k < count[c]; k++, i++) county[i] = (int)c, index[i] = (int64_t)c + 1;
  const int64_t n = (int64_t)N;
  bench_data data[] = {{"log_radon", y, NULL, 1, {n}}, {"floor_measure", f, NULL, 1, {n}},
                       {"log_uppm", u, NULL, 1, {n}},  {"county_idx", NULL, index, 1, {n}},
                       {"J", NULL, &j, 0, {0}},        {NULL}};
  bench_both(b, &(gradient_job){name, text, data, baseline_radon, &(baseline_radon_data){N, J, y, f, u, county}, tolerance, 1e9, "ns", .most = near_hand});
  free(y), free(u), free(f), free(county), free(index), free(place);
}

static void series(bench *b) {
  enum { T = 200, K = 5 };
  static const char ark[] = "model ark(y: real[T], K: int) {\n  alpha ~ Normal(0, 10)\n  beta: real[K] ~ Normal(0, 10)\n  sigma: "
                            "real<lower = 0> ~ Cauchy(0, 2.5)\n"
                            "  plate t in K + 1..T { y[t] ~ Normal(alpha + sum(beta[k] * y[t - k] for k in 1..K), sigma) }\n}\n";
  static const char garch[] =
      "model garch(y: real[T], sigma1: real<lower = 0>) {\n  mu ~ Flat()\n  alpha0: real<lower = 0> ~ Flat()\n"
      "  alpha1: real<lower = 0, upper = 1> ~ Flat()\n  beta1: real<lower = 0, upper = 1 - alpha1> ~ Flat()\n  let s[1] = sigma1\n"
      "  for t in 2..T { let s[t] = sqrt(alpha0 + alpha1 * (y[t - 1] - mu)^2 + beta1 * s[t - 1]^2) }\n  y ~ Normal(mu, s)\n}\n";
  double *y = normals(41, T), half = 0.5;
  int64_t k = K;
  bench_data lags[] = {{"y", y, NULL, 1, {T}}, {"K", NULL, &k, 0, {0}}, {NULL}};
  bench_data start[] = {{"y", y, NULL, 1, {T}}, {"sigma1", &half, NULL, 0, {0}}, {NULL}};
  baseline_series hand = {T, K, y, half};
  bench_gradient(b, &(gradient_job){"gradient_arK", ark, lags, baseline_ark, &hand, 1e-11, 1e9, "ns", .most = near_hand});
  bench_gradient(b, &(gradient_job){"gradient_garch", garch, start, baseline_garch, &hand, 1e-10, 1e9, "ns", .most = near_hand});
}

static void gp(bench *b, size_t n, const char *name, double most) {
  static const char text[] =
      "model gp(x: real[N], y: real[N]) {\n  rho ~ Gamma(25, 4)\n  alpha: real<lower = 0> ~ Normal(0, 2)\n  sigma: real<lower = 0> "
      "~ Normal(0, 1)\n"
      "  let S = [alpha^2 * exp(-(x[i] - x[j])^2 / (2 * rho^2)) + (if i == j { sigma } else { 0.0 }) for i in 1..N, j in 1..N]\n"
      "  y ~ MultiNormal(rep(0.0, size(x)), S)\n}\n";
  if (!gradient_wanted(b, name)) return;
  double *y = normals(51, n), *x = bench_alloc(n, sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = 20.0 * ((double)i / (double)(n - 1) - 0.5);
  bench_data data[] = {{"x", x, NULL, 1, {(int64_t)n}}, {"y", y, NULL, 1, {(int64_t)n}}, {NULL}};
  baseline_gp_data hand = {n, x, y, bench_alloc(3 * n * n + n, sizeof(double))};
  /* The condition number of S is below 1e4 at these points. */
  bench_gradient(b, &(gradient_job){name, text, data, baseline_gp, &hand, 1e-9, 1e6, "us", .most = most});
}

static void kidscore(bench *b) {
  enum { N = 434 };
  static const char text[] = "model kidscore(kid_score: real[N], mom_hs: real[N], mom_iq: real[N]) {\n  beta: real[3] ~ Flat()\n  "
                             "sigma: real<lower = 0> ~ Cauchy(0, 2.5)\n"
                             "  kid_score ~ Normal(beta[1] + beta[2] * mom_hs + beta[3] * mom_iq, sigma)\n}\n";
  double *score = normals(61, N), *iq = normals(62, N), *hs = normals(63, N);
  for (size_t i = 0; i < N; i++) score[i] = 87 + 20 * score[i], iq[i] = 100 + 15 * iq[i], hs[i] = hs[i] > -0.8;
  bench_data data[] = {{"kid_score", score, NULL, 1, {N}}, {"mom_hs", hs, NULL, 1, {N}}, {"mom_iq", iq, NULL, 1, {N}}, {NULL}};
  bench_gradient(b, &(gradient_job){"gradient_kidscore", text, data, baseline_kidscore, &(baseline_kid_data){N, score, hs, iq}, 1e-11,
                                    1e9, "ns", .most = near_hand});
}

void bench_density(bench *b) {
  plates(b);
  schools(b);
  logistic(b);
  linear(b, 1000, 3, "gradient_linear_1e3x3");
  linear(b, 1000, 20, "gradient_linear_1e3x20");
  linear(b, 100000, 3, "gradient_linear_1e5x3");
  linear(b, 100000, 20, "gradient_linear_1e5x20");
  linear(b, 1000000, 3, "gradient_linear_1e6x3");
  linear(b, 1000000, 20, "gradient_linear_1e6x20");
  radon(b, 919, 1e-11, "gradient_radon");
  radon(b, 1000000, 1e-9, "gradient_radon_1e6");
  series(b);
  gp(b, 11, "gradient_gp_11", 0);
  gp(b, 100, "gradient_gp_100", 0);
  gp(b, 200, "gradient_gp_200", near_hand);
  kidscore(b);
}
