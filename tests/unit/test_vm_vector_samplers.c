/* test_vm_vector_samplers.c: @prior of distributions of vectors and matrices: Kolmogorov-Smirnov on functions of the draws whose law is known, chi-square of
 * counts against all of their density, each with a false alarm of 1e-6 and a wrong twin that must fail.
 *
 *   test_vm_vector_samplers [draws] */
#include "tests/unit/sampler_check.h"

#define PI 3.14159265358979323846

static double normal_below(double x) { return 0.5 * erfc(-x / sqrt(2.0)); }
/* Of chi-square with 2 and 4 degrees of freedom. */
static double two_above(double q) { return exp(-q / 2); }
static double four_above(double q) { return exp(-q / 2) * (1 + q / 2); }

/* Of Dirichlet([1, 2, 1]) x[1] is Beta(1, 3), and its share of x[1] + x[2] Beta(1, 2). */
static double dirichlet_first(const double *x) { return pow(1 - x[0], 3); }
static double dirichlet_share(const double *x) { return pow(x[1] / (x[0] + x[1]), 2); }

/* Mean (1, -2), covariance [[4, 1.2], [1.2, 1]]: the regression of one on the other, and the quadratic form. */
static double pair_form(const double *x) {
  double u = (x[0] - 1) / 2, v = ((x[1] + 2) - 0.6 * u) / 0.8;
  return u * u + v * v;
}
static double pair_second(const double *x) { return normal_below(((x[1] + 2) - 0.3 * (x[0] - 1)) / 0.8); }
static double pair_whole(const double *x) { return two_above(pair_form(x)); }
static double padded_second(const double *x) { return x[2] == 0.0 ? pair_second(x) : 0.0; }
static double padded_whole(const double *x) { return x[2] == 0.0 ? pair_whole(x) : 0.0; }
/* Half the quadratic form is F with 2 and nu degrees of freedom; given it the angle is uniform. */
static double student_whole(const double *x) { return pow(1 + pair_form(x) / 9, -4.5); }
static double student_angle(const double *x) { return atan2((x[1] + 2 - 0.3 * (x[0] - 1)) / 0.8, (x[0] - 1) / 2) / (2 * PI) + 0.5; }

static double zero_sum_first(const double *x) { return normal_below(x[0] / 2 / sqrt(2.0 / 3)); }
static double zero_sum_whole(const double *x) { return two_above((x[0] * x[0] + x[1] * x[1] + x[2] * x[2]) / 4); }
static double walk_first(const double *x) { return normal_below((x[0] - 1) / 2); }
static double walk_steps(const double *x) { return two_above((pow(x[1] - x[0], 2) + pow(x[2] - x[1], 2)) / 4); }
static double walk_last(const double *x) { return normal_below((x[2] - x[1]) / 2); }

/* A correlation of three under LKJ(1.5) is Beta(2, 2) on (-1, 1); that of 2 and 3 given 1 is Beta(1.5, 1.5), whose distribution function is that of a
 * semicircle. */
static double beta_two(double r) { return (1 + r) * (1 + r) * (2 - r) / 4; }
static double semicircle(double w) { return 0.5 + (w * sqrt(1 - w * w) + asin(w)) / PI; }
static double corr_first(const double *x) { return beta_two(x[1]); }
static double corr_last(const double *x) { return beta_two(x[5]); }
static double corr_partial(const double *x) { return semicircle((x[5] - x[1] * x[2]) / sqrt((1 - x[1] * x[1]) * (1 - x[2] * x[2]))); }
static double factor_first(const double *x) { return beta_two(x[3]); }
static double factor_last(const double *x) { return beta_two(x[3] * x[6] + x[4] * x[7]); }
static double factor_partial(const double *x) { return semicircle(x[7] / sqrt(x[7] * x[7] + x[8] * x[8])); }

/* V = [[2, 0.5], [0.5, 1]].  Of X Wishart(nu, V) x11 / v11 is chi-square with nu degrees of freedom, det X / x11 over det V / v11 with nu - 1 and
 * x12 = x11 v12 / v11 + sqrt(x11 det V / v11) Z; of InvWishart, det V / v22 over det X / x22 has nu, and v11 / x11 nu - 1. */
static double rest_of_two(const double *x) { return x[3] - x[1] * x[1] / x[0]; }
static double wishart_first(const double *x) { return four_above(x[0] / 2); }
static double wishart_rest(const double *x) { return four_above(rest_of_two(x) / 0.875); }
static double wishart_cross(const double *x) { return normal_below((x[1] - x[0] / 4) / sqrt(x[0] * 0.875)); }
static double inverse_first(const double *x) { return four_above(2 / x[0]); }
static double inverse_rest(const double *x) { return four_above(1.75 / (x[0] - x[1] * x[1] / x[3])); }

static void expect_uniform(const char *call, const char *type, size_t cells, double (*f)(const double *)) {
  double *x = sample(call, type, draws, cells), *u = malloc((size_t)draws * sizeof *u);
  for (int i = 0; i < draws; i++) u[i] = f(x + (size_t)i * cells);
  double *twin = twin_of(u);
  if (!uniforms(u, draws)) fail_msg("%s: not from this law", call);
  if (uniforms(twin, draws)) fail_msg("%s: a wrong sampler passes", call);
  free(x);
  free(u);
  free(twin);
}

static void test_vector_samplers(void **state) {
  (void)state;
  expect_uniform("Dirichlet([1.0, 2.0, 1.0])", "simplex(3)[%d]", 3, dirichlet_first);
  expect_uniform("Dirichlet([1.0, 2.0, 1.0])", "simplex(3)[%d]", 3, dirichlet_share);
  static const char *const pairs[] = {"MultiNormal([1.0, -2.0], [[4.0, 1.2], [1.2, 1.0]])", "MultiNormal([1.0, -2.0], cholesky = [[2.0, 0.0], [0.6, 0.8]])",
                                      "MultiNormal([1.0, -2.0], precision = [[0.390625, -0.46875], [-0.46875, 1.5625]])"};
  static const char *const padded[] = {"PaddedMultiNormal(2, [1.0, -2.0, 7.0], [[4.0, 1.2, 0.5], [1.2, 1.0, 0.25], [0.5, 0.25, 9.0]])",
                                       "PaddedMultiNormal(2, [1.0, -2.0, 7.0], cholesky = [[2.0, 0.0, 0.0], [0.6, 0.8, 0.0], [9.0, 9.0, 2.0]])",
                                       "PaddedMultiNormal(2, [1.0, -2.0, 7.0], precision = [[0.390625, -0.46875, 0.25], [-0.46875, 1.5625, 0.5], [0.25, 0.5, 9.0]])"};
  static const char *const students[] = {"MultiStudentT(9, [1.0, -2.0], [[4.0, 1.2], [1.2, 1.0]])", "MultiStudentT(9, [1.0, -2.0], cholesky = [[2.0, 0.0], [0.6, 0.8]])"};
  for (int k = 0; k < 3; k++) {
    expect_uniform(pairs[k], "real[%d, 2]", 2, pair_second);
    expect_uniform(pairs[k], "real[%d, 2]", 2, pair_whole);
    expect_uniform(padded[k], "real[%d, 3]", 3, padded_second);
    expect_uniform(padded[k], "real[%d, 3]", 3, padded_whole);
    if (k == 2) continue;
    expect_uniform(students[k], "real[%d, 2]", 2, student_whole);
    expect_uniform(students[k], "real[%d, 2]", 2, student_angle);
  }
  expect_uniform("ZeroSumNormal(2)", "sum_to_zero(3)[%d]", 3, zero_sum_first);
  expect_uniform("ZeroSumNormal(2)", "sum_to_zero(3)[%d]", 3, zero_sum_whole);
  expect_uniform("RandomWalk(1, 2)", "real[%d, 3]", 3, walk_first);
  expect_uniform("RandomWalk(1, 2)", "real[%d, 3]", 3, walk_steps);
  expect_uniform("RandomWalk(1, 2)", "real[%d, 3]", 3, walk_last);
  expect_uniform("LKJ(1.5)", "corr(3)[%d]", 9, corr_first);
  expect_uniform("LKJ(1.5)", "corr(3)[%d]", 9, corr_last);
  expect_uniform("LKJ(1.5)", "corr(3)[%d]", 9, corr_partial);
  expect_uniform("LKJCholesky(1.5)", "cholesky_corr(3)[%d]", 9, factor_first);
  expect_uniform("LKJCholesky(1.5)", "cholesky_corr(3)[%d]", 9, factor_last);
  expect_uniform("LKJCholesky(1.5)", "cholesky_corr(3)[%d]", 9, factor_partial);
  expect_uniform("Wishart(4, [[2.0, 0.5], [0.5, 1.0]])", "cov(2)[%d]", 4, wishart_first);
  expect_uniform("Wishart(5, [[2.0, 0.5], [0.5, 1.0]])", "cov(2)[%d]", 4, wishart_rest);
  expect_uniform("Wishart(4.5, [[2.0, 0.5], [0.5, 1.0]])", "cov(2)[%d]", 4, wishart_cross);
  expect_uniform("InvWishart(5, [[2.0, 0.5], [0.5, 1.0]])", "cov(2)[%d]", 4, inverse_first);
  expect_uniform("InvWishart(4, [[2.0, 0.5], [0.5, 1.0]])", "cov(2)[%d]", 4, inverse_rest);
}

/* Sums over all compositions of n, with draws of them, and over the levels of an ordered variable. */
static void test_vector_counts(void **state) {
  (void)state;
  static const char *const calls[] = {"Multinomial(6, [0.2, 0.3, 0.5])", "DirichletMultinomial(6, [0.4, 0.6, 1.0])"};
  for (int k = 0; k < 2; k++) {
    char text[256];
    snprintf(text, sizeof text, "model m() { x: int<lower = -1, upper = 9>[3] ~ Flat()\n factor logpdf(%s, x) }", calls[k]);
    model_run r;
    model_open(&r, text, NULL, NEED_DENSITY);
    double sum = 0.0, part[3];
    for (int a = -1; a <= 7; a++)
      for (int b = -1; b <= 7; b++)
        for (int c = -1; c <= 7; c++) sum += exp(model_density(&r, (double[3]){a, b, c}, part));
    assert_true(fabs(sum - 1.0) <= 1e-13);
    double want = k ? lgamma(7) + lgamma(2) - lgamma(8) + lgamma(1.4) - lgamma(0.4) + lgamma(2.6) - lgamma(0.6) - lgamma(3) + lgamma(4) - lgamma(1) - lgamma(4)
                    : log(60 * 0.2 * 0.09 * 0.125);
    assert_true(fabs(model_density(&r, (double[3]){1, 2, 3}, part) - want) <= 1e-13);
    double law[49] = {0}, count[49] = {0}, wrong[49] = {0}, *x = sample(calls[k], "int[%d, 3]", draws, 3);
    for (int a = 0; a <= 6; a++)
      for (int b = 0; b <= 6 - a; b++) law[7 * a + b] = exp(model_density(&r, (double[3]){a, b, 6 - a - b}, part));
    for (int i = 0; i < draws; i++) {
      const double *t = x + 3 * (size_t)i;
      assert_true(t[0] + t[1] + t[2] == 6.0);
      count[7 * (int)t[0] + (int)t[1]]++;
      wrong[7 * (int)t[i % 5 == 0] + (int)t[i % 5 != 0]]++; /* one of five has the first two changed */
    }
    expect_counts(calls[k], law, count, 49, draws);
    int used;
    assert_true(chi_square(law, wrong, 49, draws, &used) > chi_square_limit(used - 1));
    free(x);
    model_close(&r);
  }
  model_run r;
  model_open(&r, "model m() { e ~ Flat()\n c: real[2] ~ Flat()\n x: index(3) ~ Flat()\n factor logpdf(OrderedLogistic(e, c), x) }", NULL, NEED_DENSITY);
  double sum = 0.0, part[3], upper[3];
  for (int v = 0; v < 3; v++) sum += upper[v] = exp(model_density(&r, (double[4]){0.3, -1, 2, 1 + v}, part));
  assert_true(fabs(sum - 1.0) <= 1e-15 * 4 && fabs(upper[2] - 1 / (1 + exp(1.7))) <= 1e-15 && fabs(upper[0] - 1 / (1 + exp(1.3))) <= 1e-15);
  assert_true(fabs(model_density(&r, (double[4]){300, -1, 2, 2}, part) - (-298 + log1p(-exp(-3.0)))) <= 1e-12);
  assert_true(model_density(&r, (double[4]){0, 2, 1, 1}, part) == -INFINITY && r.report.guards > 0);
  model_close(&r);
  double *x = sample("OrderedLogistic(0.3, [-1.0, 2.0])", "index(3)[%d]", draws, 1), count[3] = {0};
  for (int i = 0; i < draws; i++) count[(int)x[i] - 1]++;
  expect_counts("OrderedLogistic", upper, count, 3, draws);
  free(x);
}

int main(int argc, char **argv) {
  if (argc > 1) draws = atoi(argv[1]);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector_samplers), cmocka_unit_test(test_vector_counts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
