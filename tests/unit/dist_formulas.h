/* dist_formulas.h: log densities of scalar distributions as formulas in long double, the oracle of test_vm_distributions.c, from the C library's logl
 * and lgammal and none of ours; and the table of distributions and parameters that the test goes through. */
#ifndef TESTS_DIST_FORMULAS_H
#define TESTS_DIST_FORMULAS_H

#include <math.h>

typedef long double real;
#define PI 3.14159265358979323846264338327950288L
#define INF HUGE_VALL

/* A formula is of the value x and the parameters p; *size gets the sum of the absolute values of its terms. */
static real total(real *size, int n, const real *t) {
  real sum = 0, abs = 0;
  for (int k = 0; k < n; k++) {
    sum += t[k];
    abs += fabsl(t[k]);
  }
  if (size) *size = isfinite(abs) ? abs : 0;
  return sum;
}
#define TERMS(...) \
  real t_[] = {__VA_ARGS__}; \
  return total(size, sizeof t_ / sizeof t_[0], t_)

static real normal(real x, const real *p, real *size) { TERMS(-(x - p[0]) * (x - p[0]) / (2 * p[1] * p[1]), -logl(p[1]), -0.5L * logl(2 * PI)); }
static real half_normal(real x, const real *p, real *size) { TERMS(-x * x / (2 * p[0] * p[0]), -logl(p[0]), 0.5L * logl(2 / PI)); }
static real cauchy(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1];
  TERMS(-log1pl(z * z), -logl(p[1]), -logl(PI));
}
static real half_cauchy(real x, const real *p, real *size) { TERMS(-log1pl(x * x / (p[0] * p[0])), -logl(p[0]), logl(2 / PI)); }
static real student(real x, const real *p, real *size) {
  real z = (x - p[1]) / p[2];
  TERMS(lgammal((p[0] + 1) / 2), -lgammal(p[0] / 2), -0.5L * logl(p[0] * PI), -logl(p[2]), -(p[0] + 1) / 2 * log1pl(z * z / p[0]));
}
static real log_normal(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  real z = (logl(x) - p[0]) / p[1];
  TERMS(-z * z / 2, -logl(x), -logl(p[1]), -0.5L * logl(2 * PI));
}
static real exponential(real x, const real *p, real *size) { TERMS(logl(p[0]), -p[0] * x); }
static real gamma_(real x, const real *p, real *size) {
  TERMS(p[0] * logl(p[1]), -lgammal(p[0]), p[0] == 1 ? 0 : (p[0] - 1) * logl(x), -p[1] * x);
}
static real inv_gamma(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  TERMS(p[0] * logl(p[1]), -lgammal(p[0]), -(p[0] + 1) * logl(x), -p[1] / x);
}
static real beta(real x, const real *p, real *size) {
  TERMS(lgammal(p[0] + p[1]), -lgammal(p[0]), -lgammal(p[1]), p[0] == 1 ? 0 : (p[0] - 1) * logl(x), p[1] == 1 ? 0 : (p[1] - 1) * log1pl(-x));
}
static real uniform_(real x, const real *p, real *size) {
  (void)x;
  TERMS(-logl(p[1] - p[0]));
}
static real bernoulli(real x, const real *p, real *size) { TERMS(x ? logl(p[0]) : log1pl(-p[0])); }
static real bernoulli_logit(real x, const real *p, real *size) {
  real l = x ? -p[0] : p[0];
  TERMS(l > 0 ? -l - log1pl(expl(-l)) : -log1pl(expl(l)));
}
static real poisson(real x, const real *p, real *size) { TERMS(x == 0 ? 0 : x * logl(p[0]), -p[0], -lgammal(x + 1)); }
static real poisson_log(real x, const real *p, real *size) { TERMS(x * p[0], -expl(p[0]), -lgammal(x + 1)); }

static real times(real a, real l) { return a == 0 ? 0 : a * l; }
static real softplus(real x) { return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x)); }
/* log Phi(x): beyond -30 by the continued fraction of erfc. */
static real log_Phi(real x) {
  if (x > -30) return logl(erfcl(-x / sqrtl(2)) / 2);
  real f = 0, a = -x;
  for (int k = 60; k > 0; k--) f = k / (a + f);
  return -x * x / 2 - logl(2 * PI) / 2 - logl(a + f);
}

static real laplace(real x, const real *p, real *size) { TERMS(-fabsl(x - p[0]) / p[1], -logl(p[1]), -logl(2)); }
static real logistic(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1];
  TERMS(-softplus(z), -softplus(-z), -logl(p[1]));
}
static real gumbel(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1];
  TERMS(-z, -expl(-z), -logl(p[1]));
}
static real exp_mod_normal(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1], s = p[2] * p[1];
  TERMS(logl(p[2]), s * s / 2, -s * z, log_Phi(z - s));
}
static real skew_normal(real x, const real *p, real *size) {
  real z = (x - p[0]) / p[1];
  TERMS(-z * z / 2, -logl(p[1]), logl(2), -0.5L * logl(2 * PI), log_Phi(p[2] * z));
}
static real half_student(real x, const real *p, real *size) {
  real z = x / p[1];
  TERMS(lgammal((p[0] + 1) / 2), -lgammal(p[0] / 2), -0.5L * logl(p[0] * PI), logl(2), -logl(p[1]), -(p[0] + 1) / 2 * log1pl(z * z / p[0]));
}
static real chi_squared(real x, const real *p, real *size) {
  TERMS(times(p[0] / 2 - 1, logl(x)), -x / 2, -lgammal(p[0] / 2), -p[0] / 2 * logl(2));
}
static real inv_chi_squared(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  TERMS(-(p[0] / 2 + 1) * logl(x), -1 / (2 * x), -lgammal(p[0] / 2), -p[0] / 2 * logl(2));
}
static real scaled_inv_chi_squared(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  real h = p[0] / 2;
  TERMS(h * logl(h), -lgammal(h), 2 * h * logl(p[1]), -(h + 1) * logl(x), -h * p[1] * p[1] / x);
}
static real weibull(real x, const real *p, real *size) {
  real l = logl(x / p[1]);
  TERMS(logl(p[0]), -logl(p[1]), times(p[0] - 1, l), -expl(p[0] * l));
}
static real frechet(real x, const real *p, real *size) {
  if (x <= 0) return -INF;
  real l = logl(p[1] / x);
  TERMS(logl(p[0]), -logl(p[1]), (p[0] + 1) * l, -expl(p[0] * l));
}
static real pareto(real x, const real *p, real *size) { TERMS(logl(p[0]), p[0] * logl(p[1]), -(p[0] + 1) * logl(x)); }
static real rayleigh(real x, const real *p, real *size) { TERMS(logl(x), -2 * logl(p[0]), -x * x / (2 * p[0] * p[0])); }
static real log_logistic(real x, const real *p, real *size) {
  if (x <= 0) return p[0] == 1 ? -logl(p[1]) : p[0] < 1 ? INF : -INF;
  real l = logl(x / p[1]);
  TERMS(logl(p[0]), -logl(p[1]), (p[0] - 1) * l, -2 * softplus(p[0] * l));
}
static real von_mises(real x, const real *p, real *size) {
  real h = p[1] * p[1] / 4, t = 1, i0 = 1; /* the series of I0, for kappa up to some hundreds */
  for (int n = 1; n < 2000; n++) i0 += t *= h / n / n;
  real s = sinl((x - p[0]) / 2);
  TERMS(-2 * p[1] * s * s, p[1], -logl(i0), -logl(2 * PI));
}
static real binomial(real x, const real *p, real *size) {
  if (x > p[0]) return -INF;
  TERMS(lgammal(p[0] + 1), -lgammal(x + 1), -lgammal(p[0] - x + 1), times(x, logl(p[1])), times(p[0] - x, log1pl(-p[1])));
}
static real binomial_logit(real x, const real *p, real *size) {
  if (x > p[0]) return -INF;
  TERMS(lgammal(p[0] + 1), -lgammal(x + 1), -lgammal(p[0] - x + 1), -x * softplus(-p[1]), -(p[0] - x) * softplus(p[1]));
}
static real beta_binomial(real x, const real *p, real *size) {
  if (x > p[0]) return -INF;
  TERMS(lgammal(p[0] + 1), -lgammal(x + 1), -lgammal(p[0] - x + 1), lgammal(p[1] + x), lgammal(p[2] + p[0] - x), -lgammal(p[1] + p[2] + p[0]),
        lgammal(p[1] + p[2]), -lgammal(p[1]), -lgammal(p[2]));
}
static real neg_binomial(real x, const real *p, real *size) {
  TERMS(lgammal(p[1] + x), -lgammal(p[1]), -lgammal(x + 1), -p[1] * log1pl(p[0] / p[1]), times(x, logl(p[0] / (p[0] + p[1]))));
}
static real neg_binomial_rate(real x, const real *p, real *size) {
  TERMS(lgammal(p[0] + x), -lgammal(p[0]), -lgammal(x + 1), -p[0] * log1pl(1 / p[1]), -x * log1pl(p[1]));
}
static real neg_binomial_log(real x, const real *p, real *size) {
  real v = p[0] - logl(p[1]);
  TERMS(lgammal(p[1] + x), -lgammal(p[1]), -lgammal(x + 1), -p[1] * softplus(v), -x * softplus(-v));
}
static real zero_inflated_poisson(real x, const real *p, real *size) {
  if (x == 0) {
    TERMS(logl(p[0] + (1 - p[0]) * expl(-p[1])));
  }
  TERMS(log1pl(-p[0]), times(x, logl(p[1])), -p[1], -lgammal(x + 1));
}
static real geometric(real x, const real *p, real *size) { TERMS(logl(p[0]), times(x, log1pl(-p[0]))); }
static real choose_(real n, real k) { return lgammal(n + 1) - lgammal(k + 1) - lgammal(n - k + 1); }
static real hyper_geometric(real x, const real *p, real *size) {
  if (x > p[0] || x > p[1] || p[0] - x > p[2]) return -INF;
  TERMS(choose_(p[1], x), choose_(p[2], p[0] - x), -choose_(p[1] + p[2], p[0]));
}
static real discrete_uniform(real x, const real *p, real *size) {
  if (x < p[0] || x > p[1]) return -INF;
  TERMS(-logl(p[1] - p[0] + 1));
}

typedef enum on { REALS, POSITIVE, UNIT, BETWEEN, ABOVE, ANGLE, TRUTH, COUNTS } on;

typedef struct dist {
  const char *name;      /* with %s for parameters */
  real (*formula)(real, const real *, real *);
  on on;
  int n;
  double p[3][3];        /* parameter sets for everything */
  double bad[2][3];      /* invalid ones; first NaN: none */
  const char *support[3];/* of the parameters as latents */
  int at, scale;         /* REALS: the parameters that are location and scale; ABOVE: the bound */
  bool undrawn;          /* it has no sampler */
} dist;

#define POS "real<lower = 0>"
#define PROB "real<lower = 0, upper = 1>"
#define INTEGER "int<lower = -5, upper = 100000000>"
static const dist dists[] = {
    {"Normal(%s, %s)", normal, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 1, 0},
    {"HalfNormal(%s)", half_normal, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"Cauchy(%s, %s)", cauchy, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 1, 0},
    {"HalfCauchy(%s)", half_cauchy, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"StudentT(%s, %s, %s)", student, REALS, 3, {{3, 0, 1}, {1.5, -3, 0.02}, {30, 10, 5}}, {{0, 0, 1}, {3, 0, 0}}, {POS, "real", POS}, 1, 2, 0},
    {"LogNormal(%s, %s)", log_normal, POSITIVE, 2, {{0, 1}, {-3, 0.2}, {2, 1.5}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 0, 0},
    {"Exponential(%s)", exponential, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"Gamma(%s, %s)", gamma_, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}, 0, 0, 0},
    {"InvGamma(%s, %s)", inv_gamma, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}, 0, 0, 0},
    {"Beta(%s, %s)", beta, UNIT, 2, {{1, 1}, {2.5, 1.2}, {40, 3}}, {{0, 1}, {1, -1}}, {POS, POS}, 0, 0, 0},
    {"Uniform(%s, %s)", uniform_, BETWEEN, 2, {{0, 1}, {-3.5, -3.4}, {-1e5, 300}}, {{1, 1}, {2, 1}}, {"real", "real"}, 0, 0, 0},
    {"Laplace(%s, %s)", laplace, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 1, 0},
    {"Logistic(%s, %s)", logistic, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 1, 0},
    {"Gumbel(%s, %s)", gumbel, REALS, 2, {{0, 1}, {-3.5, 0.02}, {1e5, 300}}, {{0, 0}, {0, -1}}, {"real", POS}, 0, 1, 0},
    {"ExpModNormal(%s, %s, %s)", exp_mod_normal, REALS, 3, {{0, 1, 1}, {-3.5, 0.02, 20}, {1e3, 300, 0.001}}, {{0, 0, 1}, {0, 1, 0}}, {"real", POS, POS}, 0, 1, 0},
    {"SkewNormal(%s, %s, %s)", skew_normal, REALS, 3, {{0, 1, 2}, {-3.5, 0.02, -1.5}, {1e5, 300, 0.3}}, {{0, 0, 1}, {0, -1, 1}}, {"real", POS, "real"}, 0, 1, 0},
    {"HalfStudentT(%s, %s)", half_student, POSITIVE, 2, {{3, 1}, {1.5, 0.02}, {30, 300}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"ChiSquared(%s)", chi_squared, POSITIVE, 1, {{2}, {5.5}, {60}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"InvChiSquared(%s)", inv_chi_squared, POSITIVE, 1, {{2}, {5.5}, {60}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"ScaledInvChiSquared(%s, %s)", scaled_inv_chi_squared, POSITIVE, 2, {{2, 1}, {5.5, 0.02}, {60, 30}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"Weibull(%s, %s)", weibull, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {0.8, 30}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"Frechet(%s, %s)", frechet, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {6, 30}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"Pareto(%s, %s)", pareto, ABOVE, 2, {{1, 1}, {2.5, 0.02}, {6, 30}}, {{0, 1}, {1, 0}}, {POS, POS}, 1, 1, 0},
    {"Rayleigh(%s)", rayleigh, POSITIVE, 1, {{1}, {0.02}, {300}}, {{0}, {-1}}, {POS}, 0, 0, 0},
    {"LogLogistic(%s, %s)", log_logistic, POSITIVE, 2, {{1, 1}, {2.5, 0.02}, {6, 30}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"VonMises(%s, %s)", von_mises, ANGLE, 2, {{0, 1}, {2.5, 0.01}, {-3, 80}}, {{0, -1}, {0, -2}}, {"real", POS}, 0, 0, 0},
    {"Bernoulli(%s)", bernoulli, TRUTH, 1, {{0.3}, {1e-9}, {0.999}}, {{-0.1}, {1.1}}, {PROB}, 0, 0, 0},
    {"Bernoulli(logit = %s)", bernoulli_logit, TRUTH, 1, {{0.3}, {-30}, {5}}, {{NAN}}, {"real"}, 0, 0, 0},
    {"Poisson(%s)", poisson, COUNTS, 1, {{0.3}, {5}, {300}}, {{-0.1}, {-1}}, {POS}, 0, 0, 0},
    {"Poisson(log = %s)", poisson_log, COUNTS, 1, {{-1}, {1.5}, {5}}, {{NAN}}, {"real"}, 0, 0, 0},
    {"Binomial(%s, %s)", binomial, COUNTS, 2, {{5, 0.3}, {40, 0.02}, {1500, 0.4}}, {{5, -0.1}, {5, 1.1}}, {INTEGER, PROB}, 0, 0, 0},
    {"Binomial(%s, logit = %s)", binomial_logit, COUNTS, 2, {{5, -0.3}, {40, -4}, {1500, 0.4}}, {{NAN}}, {INTEGER, "real"}, 0, 0, 0},
    {"BetaBinomial(%s, %s, %s)", beta_binomial, COUNTS, 3, {{5, 1, 1}, {40, 0.5, 2.5}, {300, 20, 5}}, {{5, 0, 1}, {5, 1, 0}}, {INTEGER, POS, POS}, 0, 0, 0},
    {"NegBinomial(%s, %s)", neg_binomial, COUNTS, 2, {{1, 1}, {5, 0.5}, {100, 30}}, {{1, 0}, {1, -1}}, {POS, POS}, 0, 0, 0},
    {"NegBinomial(alpha = %s, beta = %s)", neg_binomial_rate, COUNTS, 2, {{1, 1}, {0.5, 0.1}, {30, 0.3}}, {{0, 1}, {1, 0}}, {POS, POS}, 0, 0, 0},
    {"NegBinomial(log = %s, phi = %s)", neg_binomial_log, COUNTS, 2, {{0, 1}, {1.5, 0.5}, {4.5, 30}}, {{1, 0}, {1, -1}}, {"real", POS}, 0, 0, 0},
    {"ZeroInflatedPoisson(%s, %s)", zero_inflated_poisson, COUNTS, 2, {{0.3, 0.5}, {0.01, 5}, {0.9, 300}}, {{-0.1, 1}, {0.1, -1}}, {PROB, POS}, 0, 0, 0},
    {"Geometric(%s)", geometric, COUNTS, 1, {{0.3}, {0.02}, {0.9}}, {{0}, {1.1}}, {PROB}, 0, 0, 0},
    {"HyperGeometric(%s, %s, %s)", hyper_geometric, COUNTS, 3, {{5, 10, 10}, {40, 30, 200}, {300, 900, 1200}}, {{30, 10, 10}, {-1, 10, 10}}, {INTEGER, INTEGER, INTEGER}, 0, 0, 0},
    {"DiscreteUniform(%s, %s)", discrete_uniform, COUNTS, 2, {{0, 3}, {2, 40}, {0, 1200}}, {{3, 2}, {1, 0}}, {INTEGER, INTEGER}, 0, 0, 0},
};
enum { DISTS = sizeof dists / sizeof dists[0] };

#endif
