/* test_vm_order.c: data that are drawn in the order of the program, against closed forms: what is missing of them, under prior; all of them, as `aimc sbc` has them; and
 * replicas, of `predict y`.
 *
 * Every mean and covariance of what is drawn is within 4.9 standard errors of the exact one, the errors estimated from the same draws (false alarm one in a million each; seeds
 * are fixed).  With 40,000 draws that sees means that are wrong by 2.5 % of a standard deviation.  What is drawn given the observed past in place of the drawn one has to fail. */
#include "tests/unit/task_fixture.h"

#include <math.h>

enum { MOST = 6, DRAWS = 40000 };

typedef struct law {
  const char *what, *text, *data;
  const char *name[2];   /* of what is drawn, its elements one after the other */
  double mean[MOST], cov[MOST][MOST]; /* its lower half */
  const char *replicate;
} law;

#define AR "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  for t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) }\n  z ~ Normal(y[T], 1)\n%s}\n"
#define AR_DATA "phi = 0.7, s = 0.5"
/* Of a path that begins with variance 1: v1 = 1, v2 = 0.74, v3 = 0.6126. */
#define AR_LAW {0, 0, 0}, {{1}, {0.7, 0.74}, {0.49, 0.518, 0.6126}}

static const law laws[] = {
    {"gaps of an autoregression", "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  for t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) }\n  z ~ Normal(y[3], 1)\n}\n",
     "y = [1, null, null, 2, null], " AR_DATA, {"y_mis", "z"}, {0.7, 0.49, 1.4, 0.49}, {{0.25}, {0.175, 0.3725}, {0, 0, 0.25}, {0.175, 0.3725, 0, 1.3725}}, NULL},
    {"a missing covariate, and what depends on it", "model m(x: real[N], y: real[N]) {\n  plate i in 1..N {\n    x[i] ~ Normal(1, 2)\n    y[i] ~ Normal(0.5 + 0.8 * x[i], 1)\n  }\n}\n",
     "x = [null, 2, null], y = [null, null, 3]", {"x_mis", "y_mis"}, {1, 1, 1.3, 2.1}, {{4}, {0, 4}, {3.2, 0, 3.56}, {0, 0, 0, 1}}, NULL},
    {"rows", "model m(y: real[I, T], m: real[I]) {\n  plate i in 1..I {\n    y[i, 1] ~ Normal(m[i], 1)\n    for t in 2..T { y[i, t] ~ Normal(0.5 * y[i, t - 1], 1) }\n  }\n}\n",
     "y = [[null, null, 3], [1, null, null]], m = [2, 5]", {"y_mis"}, {2, 1, 0.5, 0.25}, {{1}, {0.5, 1.25}, {0, 0, 1}, {0, 0, 0.5, 1.25}}, NULL},
    {"columns", "model m(y: real[I, 3]) {\n  y[:, 1] ~ Normal(2, 1)\n  y[:, 2] ~ Normal(0.5 * y[:, 1], 1)\n  plate i in 1..I { y[i, 3] ~ Normal(y[i, 1] - y[i, 2], 0.5) }\n}\n",
     "y = [[null, null, 3], [1, 0, null]]", {"y_mis"}, {2, 1, 1}, {{1}, {0.5, 1.25}, {0, 0, 0.25}}, NULL},
    {"the whole, and what reads it", "model m(y: real[N]) {\n  y ~ Normal(1, 2)\n  z ~ Normal(mean(y), 1)\n  track u = sum(y)\n}\n", "y = [null, 3, null, 0]", {"y_mis", "u"}, {1, 1, 5},
     {{4}, {0, 4}, {4, 4, 8}}, NULL},
    {"first elements by a slice, an `if`", "model m(y: real[T], g: bool[T]) {\n  y[1..2] ~ Normal(3, 1)\n  for t in 3..T {\n    if g[t] { y[t] ~ Normal(y[t - 2], 1) } else { y[t] ~ Normal(-y[t - 1], 2) }\n  }\n}\n",
     "y = [null, 1, null, null], g = [0, 0, 1, 0]", {"y_mis"}, {3, 3, -3}, {{1}, {1, 2}, {-1, -2, 6}}, NULL},
    {"elements that nothing observes", "model m(y: real[T]) {\n  for t in 3..T { y[t] ~ Normal(y[t - 1] + y[t - 2], 1) }\n}\n", "y = [1, 2, null, null]", {"y_mis"}, {3, 5}, {{1}, {1, 2}}, NULL},
    {"a forecast from what is missing", "model m(y: real[T]) {\n  y[1] ~ Normal(1, 1)\n  for t in 2..T { y[t] ~ Normal(2 * y[t - 1], 1) }\n  predict { for t in T + 1..T + 1 { y[t] ~ Normal(y[t - 1], 1) } }\n}\n",
     "y = [1, null]", {"y_mis", "y_forecast"}, {2, 1, 2, 2}, {{1}, {0, 0}, {1, 0, 1}, {1, 0, 1, 2}}, NULL},
    /* l2 = 1 + l1 / 4 + y1 / 2 = 3.5, l3 = 2.875, l4 = 1 + l3 / 4 + y3 / 2. */
    {"a forecast whose recursion goes on", "model m(y: real[T]) {\n  let l[1] = 2.0\n  for t in 2..T { let l[t] = 1 + 0.25 * l[t - 1] + 0.5 * y[t - 1] }\n  y ~ Normal(l, 1)\n"
     "  predict { for t in T + 1..T + 2 { let l[t] = 1 + 0.25 * l[t - 1] + 0.5 * y[t - 1]; y[t] ~ Normal(l[t], 1) } }\n}\n",
     "y = [4, 2]", {"y_forecast"}, {4, 2, 2.875, 3.15625}, {{0}, {0, 0}, {0, 0, 1}, {0, 0, 0.5, 1.25}}, NULL},
    {"counts", "model m(y: int[T]) {\n  y[1] ~ Poisson(3)\n  for t in 2..T { y[t] ~ Poisson(1 + 0.5 * y[t - 1]) }\n}\n", "y = [4, null, null]", {"y_mis"}, {3, 2.5}, {{3}, {1.5, 3.25}}, NULL},
    /* The second is of [0.6, 0.3, 0.1], the third of that times P, [0.43, 0.34, 0.23]; given the second its mean is 1.5, 2.1, 2.7. */
    {"a chain of states", "model m(y: index(3)[T], P: simplex(3)[3]) {\n  y[1] ~ Categorical([0.2, 0.2, 0.6])\n  for t in 2..T { y[t] ~ Categorical(P[y[t - 1]]) }\n}\n",
     "y = [1, null, null], P = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]", {"y_mis"}, {1.5, 1.8}, {{0.45}, {0.27, 0.62}}, NULL},
    {"an unknown that is given in part", "model m(x: real[T]) {\n  h[1] ~ Normal(0, 1)\n  for t in 2..T { h[t] ~ Normal(0.5 * h[t - 1], 1) }\n  x ~ Normal(h, 1)\n}\n",
     "x = [0, 0, 0, 0] given h = [2, null, null, 1]", {"h"}, {2, 1, 0.5, 1}, {{0}, {0, 1}, {0, 0.5, 1.25}}, NULL},
    {"data", AR, "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    {"data of a plate around a chain", "model m(y: real[I, T]) {\n  plate i in 1..I {\n    y[i, 1] ~ Normal(i, 1)\n    for t in 2..T { y[i, t] ~ Normal(0.5 * y[i, t - 1], 1) }\n  }\n}\n",
     "y = [[9, 9], [9, 9]]", {"y.rep"}, {1, 0.5, 2, 1}, {{1}, {0.5, 1.25}, {0, 0, 1}, {0, 0, 0.5, 1.25}}, ""},
    {"data of a chain around a plate", "model m(y: real[T, I]) {\n  y[1] ~ Normal(2, 1)\n  for t in 2..T { plate i in 1..I { y[t, i] ~ Normal(0.5 * y[t - 1, I + 1 - i], 1) } }\n}\n",
     "y = [[9, 9], [9, 9]]", {"y.rep"}, {2, 2, 1, 1}, {{1}, {0, 1}, {0, 0.5, 1.25}, {0.5, 0, 0, 1.25}}, ""},
    {"data under an `if`", "model m(y: real[T]) {\n  g ~ Bernoulli(0.5)\n  y[1] ~ Normal(2, 1)\n  for t in 2..T { if g { y[t] ~ Normal(0.5 * y[t - 1], 1) } else { y[t] ~ Normal(1 - y[t - 1], 1) } }\n}\n",
     "y = [9, 9]", {"y.rep"}, {2, 0}, {{1}, {-0.25, 2.625}}, ""},
    {"data that a latent reads", "model m(y: real[2]) {\n  y[1] ~ Normal(1, 1)\n  h ~ Normal(2 * y[1], 1)\n  y[2] ~ Normal(h, 1)\n}\n", "y = [9, 9]", {"y.rep", "h"}, {1, 2, 2}, {{1}, {2, 6}, {2, 5, 5}}, ""},
    {"data of which the first is given", "model m(y: real[T]) {\n  for t in 2..T { y[t] ~ Normal(0.5 * y[t - 1], 1) }\n}\n", "y = [4, 9, 9]", {"y.rep"}, {4, 2, 1}, {{0}, {0, 1}, {0, 0.5, 1.25}}, ""},
    {"replicas", AR, "y = [9, 9, 9], " AR_DATA, {"y_rep"}, AR_LAW, "  predict y\n"},
    {"replicas of which the first is given", "model m(y: real[T]) {\n  for t in 2..T { y[t] ~ Normal(0.5 * y[t - 1], 1) }\n  predict y\n}\n", "y = [4, 9, 9]", {"y_rep"}, {4, 2, 1}, {{0}, {0, 1}, {0, 0.5, 1.25}}, NULL},
    {"replicas under a filter", "model m(y: real[T], c: bool[T]) {\n  plate t in 1..T if c[t] { y[t] ~ Normal(1, 1) }\n  predict y\n}\n", "y = [4, 9, 9], c = [0, 1, 1]", {"y_rep"}, {4, 1, 1}, {{0}, {0, 1}, {0, 0, 1}}, NULL},
    {"replicas of a slice", "model m(y: real[T]) {\n  y[2..T] ~ Normal(1, 1)\n  predict y\n}\n", "y = [4, 9, 9]", {"y_rep"}, {4, 1, 1}, {{0}, {0, 1}, {0, 0, 1}}, NULL},
    {"replicas of a part", "model ar(y: real[T], s: real) {\n  y[1] ~ Normal(1, 1)\n  for t in 2..T { y[t] ~ Normal(0.5 * y[t - 1], s) }\n  predict y\n}\nmodel m(u: real[T]) {\n  a ~ ar(u, 2)\n}\n", "u = [9, 9]", {"u_rep"}, {1, 0.5},
     {{1}, {0.5, 4.25}}, NULL},
    /* Elements whose place an inner loop, a `let` or the statement tells, not the loop's index alone. */
    {"replicas of two elements in one iteration", "model m(y: real[T]) {\n  plate t in 1..T - 1 by 2 { y[t] ~ Normal(1, 1); y[t + 1] ~ Normal(5, 2) }\n  predict y\n}\n", "y = [9, 9, 9, 9]", {"y_rep"}, {1, 5, 1, 5}, {{1}, {0, 4}, {0, 0, 1}, {0, 0, 0, 4}}, NULL},
    {"replicas of loops in loops", "model m(y: real[T], c: bool[2]) {\n  plate i in 1..2 { if c[i] { plate j in 1..2 { y[2 * i - 2 + j] ~ Normal(i, j) } } }\n  predict y\n}\n", "y = [9, 8, 9, 9], c = [0, 1]", {"y_rep"}, {9, 8, 2, 2},
     {{0}, {0, 0}, {0, 0, 1}, {0, 0, 0, 4}}, NULL},
    {"replicas backwards, by a local name", "model m(y: real[T]) {\n  plate t in 1..T { let k = T + 1 - t; y[k] ~ Normal(k, k) }\n  predict y\n}\n", "y = [9, 9]", {"y_rep"}, {1, 2}, {{1}, {0, 4}}, NULL},
    {"replicas of some of each row", "model m(y: real[d in 1..D, len[d]], c: bool[D]) {\n  plate d in 1..D { if c[d] { plate n in 1..len[d] - 1 { y[d, n] ~ Normal(d, n) } } }\n  predict y\n}\n", "y = [[9, 9, 8], [9], [9, 8]], c = [1, 1, 0]", {"y_rep"},
     {1, 1, 8, 9, 9, 8}, {{1}, {0, 4}}, NULL},
    {"replicas of first and other elements of rows", "model m(y: real[d in 1..D, len[d]]) {\n  plate d in 1..D { y[d, 1] ~ Normal(d, 1); y[d, 2..2] ~ Normal(-d, 2) }\n  predict y\n}\n", "y = [9, 9, 9, 9, 8], len = [2, 3]", {"y_rep"},
     {1, -1, 2, -2, 8}, {{1}, {0, 4}, {0, 0, 1}, {0, 0, 0, 4}}, NULL},
    {"gaps of two elements in one iteration", "model m(y: real[T]) {\n  for t in 1..T - 1 by 2 { y[t] ~ Normal(1, 1); y[t + 1] ~ Normal(5, 2) }\n}\n", "y = [null, null, 3, null]", {"y_mis"}, {1, 5, 5}, {{1}, {0, 4}, {0, 0, 4}}, NULL},
    {"gaps of some of each row", "model m(y: real[d in 1..D, len[d]], c: bool[D]) {\n  plate d in 1..D { if c[d] { plate n in 1..len[d] - 1 { y[d, n] ~ Normal(d, n) } } }\n}\n", "y = [9, null, 8, 9, null, 8], len = [3, 1, 2], c = [1, 1, 1]", {"y_mis"}, {1, 3}, {{4}, {0, 1}}, NULL},
    {"rows under conditions as data", "model m(y: real[d in 1..D, len[d]]) {\n  plate d in 1..D { if d > 1 { y[d] ~ Normal(d, 1) } else { plate n in 1..len[d] { y[d, n] ~ Normal(-1, n) } } }\n}\n",
     "y = [9, 9, 9, 9], len = [2, 2]", {"y.rep"}, {-1, -1, 2, 2}, {{1}, {0, 4}, {0, 0, 1}, {0, 0, 0, 1}}, ""},
    /* The order of the statements is not that of the draws. */
    {"an autoregression as one statement about vectors", "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  y[2..T] ~ Normal(phi * y[1..T - 1], s)\n  z ~ Normal(y[T], 1)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    {"its replicas", "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  y[2..T] ~ Normal(phi * y[1..T - 1], s)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y_rep"}, AR_LAW, "  predict y\n"},
    {"its gaps", "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  y[2..T] ~ Normal(phi * y[1..T - 1], s)\n  z ~ Normal(y[3], 1)\n}\n",
     "y = [1, null, null, 2, null], " AR_DATA, {"y_mis", "z"}, {0.7, 0.49, 1.4, 0.49}, {{0.25}, {0.175, 0.3725}, {0, 0, 0.25}, {0.175, 0.3725, 0, 1.3725}}, NULL},
    {"an autoregression in a plate, and what reads it before", "model m(y: real[T], phi: real, s: real) {\n  z ~ Normal(y[T], 1)\n  plate t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) }\n  y[1] ~ Normal(0, 1)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    {"its replicas, with the loop behind", "model m(y: real[T], phi: real, s: real) {\n  y[t] ~ Normal(phi * y[t - 1], s) for t in 2..T\n  y[1] ~ Normal(0, 1)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y_rep"}, AR_LAW, "  predict y\n"},
    {"means as a comprehension", "model m(y: real[T], phi: real, s: real) {\n  y ~ Normal([if t == 1 { 0.0 } else { phi * y[t - 1] } for t in 1..T], [if t == 1 { 1.0 } else { s } for t in 1..T])\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    {"its replicas, as a slice", "model m(y: real[T], phi: real, s: real) {\n  let m = [phi * y[t] for t in 1..T - 1]\n  y[2..T] ~ Normal(m, s)\n  y[1] ~ Normal(0, 1)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y_rep"}, AR_LAW, "  predict y\n"},
    {"a loop from its end, behind what reads it", "model m(y: real[T]) {\n  z ~ Normal(y[1], 1)\n  y[T] ~ Normal(2, 1)\n  for t in T - 1..1 by -1 { y[t] ~ Normal(0.5 * y[t + 1], 1) }\n}\n", "y = [9, 9]", {"y.rep", "z"}, {1, 2, 1}, {{1.25}, {0.5, 1}, {1.25, 0.5, 2.25}}, ""},
    {"rows of a ragged array, behind what reads them", "model m(y: real[d in 1..D, len[d]]) {\n  z ~ Normal(y[1, 1], 1)\n  plate d in 1..D {\n    y[d, 1] ~ Normal(d, 1)\n    for n in 2..len[d] { y[d, n] ~ Normal(0.5 * y[d, n - 1], 1) }\n  }\n}\n", "y = [9, 9, 9], len = [2, 1]", {"y.rep", "z"},
     {1, 0.5, 2, 1}, {{1}, {0.5, 1.25}, {0, 0, 1}, {1, 0.5, 0, 2}}, ""},
    {"lags with a name", "model m(y: real[T], phi: real, s: real) {\n  let lag = y[1..T - 1]\n  let mean = phi * lag\n  y[1] ~ Normal(0, 1)\n  y[2..T] ~ Normal(mean, s)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    {"means in a plate of their own", "model m(y: real[T], phi: real, s: real) {\n  let m[1] = 0.0\n  plate t in 2..T { let m[t] = phi * y[t - 1] }\n  let v[1] = 1.0\n  let v[2..T] = rep(s, T - 1)\n  y ~ Normal(m, v)\n%s}\n", "y = [9, 9, 9], " AR_DATA, {"y.rep"}, AR_LAW, ""},
    /* x2 = x1 / 2 + e, x3 = x2 / 2 + x1 / 4 + e of unit variances and x1 of mean 2. */
    {"two lags", "model m(y: real[T]) {\n  y[1] ~ Normal(2, 1)\n  y[2] ~ Normal(0.5 * y[1], 1)\n  y[3..T] ~ Normal(0.5 * y[2..T - 1] + 0.25 * y[1..T - 2], 1)\n}\n", "y = [9, 9, 9]", {"y.rep"}, {2, 1, 1}, {{1}, {0.5, 1.25}, {0.5, 0.75, 1.5}}, ""},
    {"a sum of lags", "model m(y: real[T], b: real[K]) {\n  y[1] ~ Normal(2, 1)\n  y[2] ~ Normal(0.5 * y[1], 1)\n  plate t in K + 1..T { y[t] ~ Normal(sum(b[k] * y[t - k] for k in 1..K), 1) }\n}\n", "y = [9, 9, 9], b = [0.5, 0.25]", {"y.rep"}, {2, 1, 1}, {{1}, {0.5, 1.25}, {0.5, 0.75, 1.5}}, ""},
    /* y3 = y2 + d1 / 2, y4 = y3 + d2 / 2 with d[i] = y[i + 1] - y[i], which are known only two steps on. */
    {"differences, one step behind", "model m(y: real[T]) {\n  let d = y[2..T] - y[1..T - 1]\n  y[1..2] ~ Normal(0, 1)\n  y[3..T] ~ Normal(y[2..T - 1] + 0.5 * d[1..T - 2], 1)\n}\n", "y = [9, 9, 9, 9]", {"y.rep"}, {0, 0, 0, 0},
     {{1}, {0, 1}, {-0.5, 1.5, 3.5}, {-0.75, 1.75, 4.5, 6.875}}, ""},
    {"moments of what stands behind", "model m(y: real[N]) {\n  z ~ Normal(mean(y), 1)\n  y ~ Normal(1, 2)\n}\n", "y = [9, 9]", {"y.rep", "z"}, {1, 1, 1}, {{4}, {0, 4}, {2, 2, 3}}, ""},
    {"two series that read each other", "model m(x: real[T], y: real[T]) {\n  x[1] ~ Normal(1, 1)\n  y[1] ~ Normal(2, 1)\n  x[2..T] ~ Normal(0.5 * y[1..T - 1], 1)\n  plate t in 2..T { y[t] ~ Normal(x[t] - x[t - 1], 1) }\n}\n", "x = [9, 9], y = [9, 9]", {"x.rep", "y.rep"},
     {1, 1, 2, 0}, {{1}, {0, 1.25}, {0, 0.5, 1}, {-1, 1.25, 0.5, 3.25}}, ""},
    {"an unknown path that data push", "model m(y: real[T]) {\n  h[1] ~ Normal(1, 1)\n  for t in 2..T { h[t] ~ Normal(0.5 * y[t - 1], 1) }\n  plate t in 1..T { y[t] ~ Normal(h[t], 1) }\n}\n", "y = [9, 9]", {"y.rep", "h"}, {1, 0.5, 1, 0.5}, {{2}, {1, 2.5}, {1, 0.5, 1}, {1, 1.5, 0.5, 1.5}}, ""},
    {"rows with a recursion of each", "model m(y: real[I, T]) {\n  plate i in 1..I {\n    let s[i, 1] = 1.0 * i\n    for t in 2..T { let s[i, t] = 0.5 * y[i, t - 1] }\n  }\n  plate i in 1..I, t in 1..T { y[i, t] ~ Normal(s[i, t], 1) }\n}\n", "y = [[9, 9], [9, 9]]", {"y.rep"},
     {1, 0.5, 2, 1}, {{1}, {0.5, 1.25}, {0, 0, 1}, {0, 0, 0.5, 1.25}}, ""},
    {"rows in one plate", "model m(y: real[I, T]) {\n  plate i in 1..I {\n    let s[i, 1] = 1.0 * i\n    for t in 2..T { let s[i, t] = 0.5 * y[i, t - 1] }\n    y[i] ~ Normal(s[i], 1)\n  }\n}\n", "y = [[9, 9], [9, 9]]", {"y.rep"}, {1, 0.5, 2, 1}, {{1}, {0.5, 1.25}, {0, 0, 1}, {0, 0, 0.5, 1.25}}, ""},
    {"all rows at once", "model m(y: real[I, T], a: real[I]) {\n  y[:, 1] ~ Normal(a, 1)\n  y[:, 2..T] ~ Normal(0.5 * y[:, 1..T - 1], 1)\n%s}\n", "y = [[9, 9, 9], [9, 9, 9]], a = [1, 2]", {"y_rep"}, {1, 0.5, 0.25, 2, 1, 0.5},
     {{1}, {0.5, 1.25}, {0.25, 0.625, 1.3125}, {0, 0, 0, 1}, {0, 0, 0, 0.5, 1.25}, {0, 0, 0, 0.25, 0.625, 1.3125}}, "  predict y\n"},
    {"all columns at once", "model m(y: real[T, I]) {\n  y[1] ~ Normal(2, 1)\n  y[2..T] ~ Normal(0.5 * y[1..T - 1], 1)\n}\n", "y = [[9, 9], [9, 9]]", {"y.rep"}, {2, 2, 1, 1}, {{1}, {0, 1}, {0.5, 0, 1.25}, {0, 0.5, 0, 1.25}}, ""},
    {"vectors that read the one before", "model m(y: real[T, 2]) {\n  y[1] ~ MultiNormal([1, 2], [[1, 0.5], [0.5, 1]])\n  plate t in 2..T { y[t] ~ MultiNormal(0.5 * y[t - 1], [[1, 0], [0, 1]]) }\n%s}\n", "y = [[9, 9], [9, 9]]", {"y_rep"}, {1, 2, 0.5, 1}, {{1}, {0.5, 1}, {0.5, 0.25, 1.25}, {0.25, 0.5, 0.125, 1.25}}, "  predict y\n"},
    {"a filter", "model m(y: real[T], c: bool[T]) {\n  y[1] ~ Normal(1, 1)\n  plate t in 2..T if c[t] { y[t] ~ Normal(0.5 * y[t - 1], 1) }\n}\n", "y = [9, 4, 9], c = [1, 0, 1]", {"y.rep"}, {1, 4, 2}, {{1}, {0, 0}, {0, 0, 1}}, ""},
    /* What is read is told by a range, by a name, or by a function of the loop's index. */
    {"means of the past", "model m(y: real[T]) {\n  plate t in 2..T { y[t] ~ Normal(mean(y[k] for k in 1..t - 1), 1) }\n  y[1] ~ Normal(2, 1)\n}\n", "y = [9, 9, 9]", {"y.rep"}, {2, 2, 2}, {{1}, {1, 2}, {1, 1.5, 2.25}}, ""},
    {"sums of the past in a loop of their own", "model m(y: real[T]) {\n  let m[1] = 0.0\n  for t in 2..T { let m[t] = sum(y[k] for k in 1..t - 1) }\n  y ~ Normal(0.5 * m, 1)\n%s}\n", "y = [9, 9, 9]", {"y_rep"}, {0, 0, 0}, {{1}, {0.5, 1.25}, {0.75, 0.875, 1.8125}}, "  predict y\n"},
    {"a position with a name, in gaps", "model m(y: real[T]) {\n  y[1..2] ~ Normal(2, 1)\n  for t in 3..T { let k = t - 2; let m = y[k]; y[t] ~ Normal(0.5 * m, 1) }\n}\n", "y = [null, 5, null, null]", {"y_mis"}, {2, 1, 2.5}, {{1}, {0.5, 1.25}, {0, 0, 1}}, NULL},
    {"a name under a condition", "model m(y: real[T]) {\n  for t in 1..T { let k = t - 1; y[t] ~ Normal(if k > 0 { 0.5 * y[k] } else { 2.0 }, 1) }\n}\n", "y = [9, 9, 9]", {"y.rep"}, {2, 1, 0.5}, {{1}, {0.5, 1.25}, {0.25, 0.625, 1.3125}}, ""},
    {"the larger of two positions", "model m(y: real[T]) {\n  y[1] ~ Normal(2, 1)\n  plate t in 2..T { y[t] ~ Normal(0.5 * y[max(t - 2, 1)], 1) }\n}\n", "y = [9, 9, 9, 9]", {"y.rep"}, {2, 1, 1, 0.5},
     {{1}, {0.5, 1.25}, {0.5, 0.25, 1.25}, {0.25, 0.625, 0.125, 1.3125}}, ""},
    {"half of a position", "model m(y: real[T]) {\n  y[1] ~ Normal(2, 1)\n  plate t in 2..T { let k = t // 2; y[t] ~ Normal(0.5 * y[k], 1) }\n%s}\n", "y = [9, 9, 9, 9]", {"y_rep"}, {2, 1, 1, 0.5},
     {{1}, {0.5, 1.25}, {0.5, 0.25, 1.25}, {0.25, 0.625, 0.125, 1.3125}}, "  predict y\n"},
    {"one of the first positions", "model m(y: real[T]) {\n  plate t in 3..T { y[t] ~ Normal(0.5 * y[t % 2 + 1], 1) }\n  y[1..2] ~ Normal(2, 1)\n}\n", "y = [9, 9, 9, 9]", {"y.rep"}, {2, 2, 1, 1},
     {{1}, {0, 1}, {0, 0.5, 1.25}, {0.5, 0, 0, 1.25}}, ""},
    {"under an `if`", "model m(y: real[T], c: bool) {\n  y[1] ~ Normal(1, 1)\n  if c { plate t in 2..T { y[t] ~ Normal(0.5 * y[t - 1], 1) } } else { y[2..T] ~ Normal(-y[1..T - 1], 1) }\n}\n", "y = [9, 9], c = 0", {"y.rep"}, {1, -1}, {{1}, {-1, 2}}, ""},
    {"the first for all", "model m(y: real[T]) {\n  y[2..T] ~ Normal(2 * y[1], 1)\n  y[1] ~ Normal(1, 1)\n}\n", "y = [9, 9, 9]", {"y.rep"}, {1, 2, 2}, {{1}, {2, 5}, {2, 4, 5}}, ""},
    {"means of the last two", "model m(y: real[T]) {\n  y[1..2] ~ Normal(1, 1)\n  plate t in 3..T { y[t] ~ Normal(mean(y[t - 2..t - 1]), 1) }\n}\n", "y = [9, 9, 9]", {"y.rep"}, {1, 1, 1}, {{1}, {0, 1}, {0.5, 0.5, 1.5}}, ""},
    /* l2 = 1 + l1 / 4 + y1 / 2 with l1 = 2: mean 2.5, variance 0.5; y2 adds its mean. */
    {"counts with a feedback", "model m(y: int[T]) {\n  let l[1] = 2.0\n  for t in 2..T { let l[t] = 1 + 0.25 * l[t - 1] + 0.5 * y[t - 1] }\n  y ~ Poisson(l)\n%s}\n", "y = [4, 9]", {"y_rep"}, {2, 2.5}, {{2}, {1, 3}}, "  predict y\n"},
    /* y1 = e1, y2 = e2 + y1 / 2, y3 = e3 + e2 / 2. */
    {"a moving average", "model m(y: real[T]) {\n  let m[1] = 0.0\n  let e[1] = y[1] - m[1]\n  for t in 2..T { let m[t] = 0.5 * e[t - 1]; let e[t] = y[t] - m[t] }\n  y ~ Normal(m, 1)\n%s}\n", "y = [9, 9, 9]", {"y_rep"}, {0, 0, 0}, {{1}, {0.5, 1.25}, {0, 0.5, 1.25}}, "  predict y\n"},
    {"its gaps", "model m(y: real[T]) {\n  let m[1] = 0.0\n  let e[1] = y[1] - m[1]\n  for t in 2..T { let m[t] = 0.5 * e[t - 1]; let e[t] = y[t] - m[t] }\n  y ~ Normal(m, 1)\n}\n", "y = [2, null, null]", {"y_mis"}, {1, 0}, {{1}, {0.5, 1.25}}, NULL},
    {"an element of its own between those of a vector", "model m(y: real[T]) {\n  let a = 2 * y[2]\n  y[1..2] ~ Normal(1, 1)\n  y[3..T] ~ Normal(a + y[2..T - 1] - y[1..T - 2], 1)\n}\n", "y = [9, 9, 9]", {"y.rep"}, {1, 1, 2}, {{1}, {0, 1}, {-1, 3, 11}}, ""},
    {"a vector that an element of it interrupts", "model m(y: real[3], x: real) {\n  let m[1..2] = [1, 1]\n  x ~ Normal(y[2], 1)\n  let m[3] = 2 * x\n  y ~ Normal(m, 1)\n}\n", "y = [9, 9, 9], x = 9", {"y.rep", "x.rep"}, {1, 1, 2, 1}, {{1}, {0, 1}, {0, 2, 9}, {0, 1, 4, 2}}, ""},
    /* Given y2 = 3 the others have means 1 + 1 / 2 and 3 + 1 / 2, variances 3 / 4 and no covariance. */
    {"parts of a vector", "model m(y: real[3]) {\n  y ~ MultiNormal([1.0, 2, 3], [[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]])\n  z ~ Normal(sum(y), 1)\n}\n", "y = [null, 3, null]", {"y_mis", "z"}, {1.5, 3.5, 8}, {{0.75}, {0, 0.75}, {0.75, 0.75, 2.5}}, NULL},
    {"parts of a vector, by its precision", "model m(y: real[3]) {\n  y ~ MultiNormal([1.0, 2, 3], precision = [[2.0, -1, 0], [-1, 2, -1], [0, -1, 2]])\n}\n", "y = [null, 4, null]", {"y_mis"}, {2, 4}, {{0.5}, {0, 0.5}}, NULL},
    {"parts of rows, by a factor", "model m(y: real[N, 2], a: real) {\n  plate i in 1..N { y[i] ~ MultiNormal([a, 2.0], cholesky = [[2.0, 0], [1, 1]]) }\n  z ~ Normal(mean(y), 1)\n}\n", "y = [[1, null], [null, null], [null, 4], [0, 0]], a = 1", {"y_mis"}, {2, 1, 2, 3}, {{1}, {0, 4}, {0, 2, 2}, {0, 0, 0, 2}}, NULL},
    {"rows that read the one before", "model m(y: real[T, 2]) {\n  y[1] ~ MultiNormal([1, 2], [[1, 0.5], [0.5, 1]])\n  y[2..T] ~ MultiNormal(0.5 * y[1..T - 1], [[1, 0], [0, 1]])\n}\n", "y = [[2, null], [null, 0]]", {"y_mis"}, {2.5, 1}, {{0.75}, {0, 1}}, NULL},
    {"an unknown given in part, as one statement", "model m(x: real[T]) {\n  h[1] ~ Normal(0, 1)\n  for t in 2..T { h[t] ~ Normal(0.5 * h[t - 1], 1) }\n  x[2..T] ~ Normal(h[1..T - 1] + x[1..T - 1], 1)\n  x[1] ~ Normal(h[1], 1)\n}\n",
     "x = [0, null, null, 0] given h = [2, null, null, 1]", {"h", "x_mis"}, {2, 1, 0.5, 1, 2, 3}, {{0}, {0, 1}, {0, 0.5, 1.25}, {0, 0, 0, 0}, {0, 0, 0, 0, 1}, {0, 1, 0.5, 0, 1, 3}}, NULL},
    {"replicas of the whole", "model m(y: real[N]) {\n  y ~ Normal(1, 2)\n  z ~ Normal(mean(y), 1)\n  predict y\n}\n", "y = [9, 9]", {"y_rep"}, {1, 1}, {{4}, {0, 4}}, NULL},
};

/* The largest |z| of all means and covariances. */
static double worst(const law *w, const char *text) {
  char all[2000];
  snprintf(all, sizeof all, text, w->replicate && *w->replicate ? w->replicate : "");
  const size_t n = strlen(all);
  snprintf(all + n, sizeof all - n, "infer m on %s with prior(draws = %d, seed = 7)\n", w->data, DRAWS);
  fixture f = open_task(all, (opening){0});
  if (w->replicate && !*w->replicate) expect_ok(&f, aim_set_text(f.t, "replicate", "on"));
  expect_ok(&f, aim_run(f.t, NULL));
  const double *x[MOST];
  size_t cells = 0;
  for (int k = 0; k < 2 && w->name[k]; k++) {
    const size_t q = aim_quantity_find(f.t, w->name[k]);
    aim_quantity what;
    expect_ok(&f, aim_quantity_get(f.t, q, &what));
    for (size_t c = 0; c < what.cells; c++) {
      assert_true(cells < MOST);
      x[cells++] = aim_draws(f.t, 0, q, c);
    }
  }
  double most = 0;
  for (size_t a = 0; a < cells; a++)
    for (size_t b = 0; b <= a + 1; b++) { /* the last: the mean */
      double sum = 0, squares = 0;
      const double exact = b > a ? w->mean[a] : w->cov[a][b];
      for (size_t i = 0; i < DRAWS; i++) {
        const double v = b > a ? x[a][i] : (x[a][i] - w->mean[a]) * (x[b][i] - w->mean[b]);
        sum += v;
        squares += v * v;
      }
      const double mean = sum / DRAWS, se = sqrt((squares / DRAWS - mean * mean) / DRAWS), gap = fabs(mean - exact);
      const double z = gap < 1e-9 ? 0 : gap / se; /* what is given does not vary */
      if (z > 4.9) print_message("%s: %zu, %zu: %g, not %g: %.1f standard errors\n", w->what, a, b, mean, exact, z);
      if (z > most) most = z;
    }
  close_fixture(&f);
  return most;
}

static void laws_are_the_exact_ones(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof laws / sizeof *laws; k++) {
    const double z = worst(&laws[k], laws[k].text);
    if (!(z < 4.9)) fail_msg("%s", laws[k].what);
  }
}

/* E s[2]^2 = a0 + (a1 + b1) s1^2; E y[1]^2 y[2]^2 = a0 s1^2 + (3 a1 + b1) s1^4: a recursion that carries what was drawn, beside the draws and before them. */
static void a_recursion_reads_what_was_drawn(void **state) {
  (void)state;
  static const char *const models[] = {
      "model m(y: real[T]) {\n  let s[1] = 1.5\n  y[1] ~ Normal(0, s[1])\n  for t in 2..T {\n    let s[t] = sqrt(0.2 + 0.3 * y[t - 1]^2 + 0.4 * s[t - 1]^2)\n    y[t] ~ Normal(0, s[t])\n  }\n}\n",
      "model m(y: real[T]) {\n  let s[1] = 1.5\n  for t in 2..T { let s[t] = sqrt(0.2 + 0.3 * y[t - 1]^2 + 0.4 * s[t - 1]^2) }\n  y ~ Normal(0, s)\n}\n",
  };
  double first[3] = {0};
  for (int form = 0; form < 2; form++) {
    char text[1000];
    snprintf(text, sizeof text, "%sinfer m on y = [9, 9, 9] with prior(draws = 40000, seed = 3)\n", models[form]);
    fixture f = open_task(text, (opening){0});
    expect_ok(&f, aim_set_text(f.t, "replicate", "on"));
    expect_ok(&f, aim_run(f.t, NULL));
    const size_t q = aim_quantity_find(f.t, "y.rep");
    const double *x = aim_draws(f.t, 0, q, 0), *y = aim_draws(f.t, 0, q, 1), *z = aim_draws(f.t, 0, q, 2);
    const double v1 = 2.25, v2 = 0.2 + 0.7 * v1, exact[3] = {v2, 0.2 + 0.7 * v2, 0.2 * v1 + 1.3 * v1 * v1};
    for (int k = 0; k < 3; k++) {
      double sum = 0, squares = 0;
      for (size_t i = 0; i < DRAWS; i++) {
        const double v = k == 0 ? y[i] * y[i] : k == 1 ? z[i] * z[i] : x[i] * x[i] * y[i] * y[i];
        sum += v;
        squares += v * v;
      }
      const double mean = sum / DRAWS, se = sqrt((squares / DRAWS - mean * mean) / DRAWS);
      assert_true(fabs(mean - exact[k]) < 4.9 * se);
      if (form == 0) first[k] = mean;
      else assert_true(first[k] == mean); /* draws are keyed by their elements, not by where statements stand */
    }
    close_fixture(&f);
  }
}

static void a_wrong_twin_fails(void **state) {
  (void)state;
  const law twin = {"the twin", "", "y = [9, 9, 9], " AR_DATA, {"r"}, AR_LAW, NULL};
  assert_true(worst(&twin, "model m(y: real[T], phi: real, s: real) {\n  y[1] ~ Normal(0, 1)\n  for t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) }\n  z ~ Normal(y[T], 1)\n"
                           "  predict {\n    r[1] ~ Normal(0, 1)\n    for t in 2..T { r[t] ~ Normal(phi * y[t - 1], s) }\n  }\n}\n") > 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(laws_are_the_exact_ones),
      cmocka_unit_test(a_recursion_reads_what_was_drawn),
      cmocka_unit_test(a_wrong_twin_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
