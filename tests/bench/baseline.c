/* baseline.c: densities, gradients and samplers by hand.  See baseline.h for the flags. */
#include "tests/bench/baseline.h"

#include <math.h>
#include <string.h>

/* Longest series of the densities that need room for one; those of longer ones are 0, which no check passes. */
enum { ROOM = 1024 };

double baseline_sum(const double *y, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += y[i];
  return s;
}

double baseline_normal(const double *y, size_t n, double mu, double sigma) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += (y[i] - mu) * (y[i] - mu);
  return -0.5 * s / (sigma * sigma) - (double)n * (log(sigma) + 0.91893853320467274178);
}

double baseline_schools_centered(const void *data, const double *q, double *g) {
  const baseline_schools *d = data;
  const double mu = q[0], tau = exp(q[1]), *theta = q + 2, w = 1 / (tau * tau);
  double lp = -mu * mu / 50 - log(1 + tau * tau / 25) + q[1], ss = 0, sum = 0;
  for (int j = 0; j < 8; j++) {
    double v = 1 / (d->sigma[j] * d->sigma[j]), e = theta[j] - mu, f = d->y[j] - theta[j];
    ss += e * e;
    sum += e;
    lp -= 0.5 * v * f * f;
    g[2 + j] = v * f - w * e;
  }
  g[0] = -mu / 25 + w * sum;
  g[1] = -2 * tau * tau / (25 + tau * tau) + 1 - 8 + w * ss;
  return lp - 0.5 * w * ss - 8 * q[1];
}

double baseline_schools_noncentered(const void *data, const double *q, double *g) {
  const baseline_schools *d = data;
  const double mu = q[0], tau = exp(q[1]), *z = q + 2;
  double lp = -mu * mu / 50 - log(1 + tau * tau / 25) + q[1], gm = 0, gt = 0;
  for (int j = 0; j < 8; j++) {
    double v = 1 / (d->sigma[j] * d->sigma[j]), f = d->y[j] - mu - tau * z[j], a = v * f;
    lp -= 0.5 * (v * f * f + z[j] * z[j]);
    gm += a;
    gt += a * z[j];
    g[2 + j] = a * tau - z[j];
  }
  g[0] = gm - mu / 25;
  g[1] = -2 * tau * tau / (25 + tau * tau) + 1 + gt * tau;
  return lp;
}

/* Moments of the data are not used: this is what a gradient costs that reads all of it. */
double baseline_plate(const void *data, const double *q, double *g) {
  const baseline_plate_data *d = data;
  const double mu = q[0], sigma = exp(q[1]), w = 1 / (sigma * sigma);
  double ss = 0, sum = 0;
  for (size_t i = 0; i < d->n; i++) {
    double e = d->y[i] - mu;
    ss += e * e;
    sum += e;
  }
  g[0] = w * sum - mu / 100;
  g[1] = w * ss - (double)d->n - sigma * sigma / 25 + 1;
  return -0.5 * w * ss - (double)d->n * q[1] - mu * mu / 200 - sigma * sigma / 50 + q[1];
}

enum { TILE = 256 };

/* Tiles of rows: the residual and its products with the columns while all of it is in the first cache; four columns at a time. */
double baseline_linear(const void *data, const double *q, double *g) {
  const baseline_logistic *l = data;
  const double sigma = exp(q[l->d]), w = 1 / (sigma * sigma);
  double ss = 0, prior = 0;
  memset(g, 0, l->d * sizeof *g);
  for (size_t first = 0; first < l->n; first += TILE) {
    const size_t m = l->n - first < TILE ? l->n - first : TILE;
    const double *x = l->x + first;
    double r[TILE];
    size_t k = 0;
    memcpy(r, l->y + first, m * sizeof *r);
    for (; k + 4 <= l->d; k += 4) {
      const double *a = x + k * l->n, *b = a + l->n, *c = b + l->n, *e = c + l->n;
      for (size_t i = 0; i < m; i++) r[i] -= (q[k] * a[i] + q[k + 1] * b[i]) + (q[k + 2] * c[i] + q[k + 3] * e[i]);
    }
    for (; k < l->d; k++)
      for (size_t i = 0; i < m; i++) r[i] -= q[k] * x[k * l->n + i];
    for (size_t i = 0; i < m; i++) ss += r[i] * r[i];
    for (k = 0; k + 4 <= l->d; k += 4) {
      const double *a = x + k * l->n, *b = a + l->n, *c = b + l->n, *e = c + l->n;
      double sa = 0, sb = 0, sc = 0, se = 0;
      for (size_t i = 0; i < m; i++) sa += a[i] * r[i], sb += b[i] * r[i], sc += c[i] * r[i], se += e[i] * r[i];
      g[k] += sa, g[k + 1] += sb, g[k + 2] += sc, g[k + 3] += se;
    }
    for (; k < l->d; k++) {
      double s = 0;
      for (size_t i = 0; i < m; i++) s += x[k * l->n + i] * r[i];
      g[k] += s;
    }
  }
  for (size_t k = 0; k < l->d; k++) {
    prior += q[k] * q[k];
    g[k] = w * g[k] - q[k];
  }
  g[l->d] = w * ss - (double)l->n - sigma * sigma + 1;
  return -0.5 * w * ss - (double)l->n * q[l->d] - 0.5 * (prior + sigma * sigma) + q[l->d];
}

double baseline_radon(const void *data, const double *q, double *g) {
  const baseline_radon_data *d = data;
  const double sa = exp(q[0]), sy = exp(q[1]), mu = q[2], b1 = q[3], b2 = q[4], *alpha = q + 5, wa = 1 / (sa * sa),
               wy = 1 / (sy * sy);
  double ssa = 0, suma = 0, ss = 0, g1 = 0, g2 = 0;
  for (size_t j = 0; j < d->j; j++) {
    double e = alpha[j] - mu;
    ssa += e * e;
    suma += e;
    g[5 + j] = -wa * e;
  }
  for (size_t i = 0; i < d->n; i++) {
    double r = d->y[i] - alpha[d->county[i]] - b1 * d->uppm[i] - b2 * d->floor[i];
    ss += r * r;
    g1 += r * d->uppm[i];
    g2 += r * d->floor[i];
    g[5 + d->county[i]] += wy * r;
  }
  g[0] = -sa * sa + 1 - (double)d->j + wa * ssa;
  g[1] = -sy * sy + 1 - (double)d->n + wy * ss;
  g[2] = -mu / 100 + wa * suma;
  g[3] = -b1 / 100 + wy * g1;
  g[4] = -b2 / 100 + wy * g2;
  return -0.5 * (sa * sa + sy * sy + mu * mu / 100 + (b1 * b1 + b2 * b2) / 100 + wa * ssa + wy * ss) + q[0] + q[1] -
         (double)d->j * q[0] - (double)d->n * q[1];
}

double baseline_ark(const void *data, const double *q, double *g) {
  const baseline_series *d = data;
  const size_t k = d->k, n = d->n - k;
  const double alpha = q[0], *beta = q + 1, sigma = exp(q[1 + k]), w = 1 / (sigma * sigma);
  double r[ROOM], ss = 0, sum = 0, lp = -alpha * alpha / 200 - log(1 + sigma * sigma / 6.25) + q[1 + k];
  if (n > ROOM) return 0;
  for (size_t t = 0; t < n; t++) r[t] = d->y[t + k] - alpha;
  for (size_t j = 0; j < k; j++)
    for (size_t t = 0; t < n; t++) r[t] -= beta[j] * d->y[t + k - 1 - j];
  for (size_t t = 0; t < n; t++) ss += r[t] * r[t], sum += r[t];
  for (size_t j = 0; j < k; j++) {
    double s = 0;
    for (size_t t = 0; t < n; t++) s += r[t] * d->y[t + k - 1 - j];
    g[1 + j] = w * s - beta[j] / 100;
    lp -= beta[j] * beta[j] / 200;
  }
  g[0] = w * sum - alpha / 100;
  g[1 + k] = -2 * sigma * sigma / (6.25 + sigma * sigma) + 1 - (double)n + w * ss;
  return lp - 0.5 * w * ss - (double)n * q[1 + k];
}

double baseline_garch(const void *data, const double *q, double *g) {
  const baseline_series *d = data;
  const size_t n = d->n;
  const double mu = q[0], a0 = exp(q[1]), a1 = 1 / (1 + exp(-q[2])), u = 1 / (1 + exp(-q[3])), b1 = (1 - a1) * u;
  double s2[ROOM], lp = 0, g_mu = 0, g_a0 = 0, g_a1 = 0, g_b1 = 0, bar = 0;
  if (n > ROOM) return 0;
  s2[0] = d->sigma1 * d->sigma1;
  for (size_t t = 1; t < n; t++) {
    double e = d->y[t - 1] - mu;
    s2[t] = a0 + a1 * e * e + b1 * s2[t - 1];
  }
  for (size_t t = 0; t < n; t++) {
    double e = d->y[t] - mu, w = 1 / s2[t];
    lp -= 0.5 * (log(s2[t]) + w * e * e);
    g_mu += w * e;
  }
  /* bar is the adjoint of s2[t]. */
  for (size_t t = n - 1; t > 0; t--) {
    double e = d->y[t] - mu, w = 1 / s2[t], before = d->y[t - 1] - mu;
    bar = b1 * bar - 0.5 * w + 0.5 * w * w * e * e;
    g_a0 += bar;
    g_a1 += bar * before * before;
    g_b1 += bar * s2[t - 1];
    g_mu -= 2 * bar * a1 * before;
  }
  /* Jacobians: a0; a1 (1 - a1); (1 - a1) u (1 - u). */
  lp += q[1] + log(a1) + 2 * log(1 - a1) + log(u * (1 - u));
  g[0] = g_mu;
  g[1] = g_a0 * a0 + 1;
  g[2] = (g_a1 - g_b1 * u) * a1 * (1 - a1) + 1 - 3 * a1;
  g[3] = g_b1 * (1 - a1) * u * (1 - u) + 1 - 2 * u;
  return lp;
}

/* Rows of a matrix that an update takes at a time: so many products for one load and one store of each element. */
enum { DEEP = 8 };

/* d[j] -= S_q c[q] r[q][j] over DEEP rows, row apart. */
static void less_rows(double *restrict d, const double *restrict c, const double *restrict r, size_t row, size_t n) {
  const double *r0 = r, *r1 = r + row, *r2 = r + 2 * row, *r3 = r + 3 * row, *r4 = r + 4 * row, *r5 = r + 5 * row, *r6 = r + 6 * row, *r7 = r + 7 * row;
  const double c0 = c[0], c1 = c[1], c2 = c[2], c3 = c[3], c4 = c[4], c5 = c[5], c6 = c[6], c7 = c[7];
  for (size_t j = 0; j < n; j++)
    d[j] -= c0 * r0[j] + c1 * r1[j] + c2 * r2[j] + c3 * r3[j] + c4 * r4[j] + c5 * r5[j] + c6 * r6[j] + c7 * r7[j];
}

/* The same with one row. */
static void less_row(double *restrict d, double c, const double *restrict r, size_t n) {
  for (size_t j = 0; j < n; j++) d[j] -= c * r[j];
}

double baseline_gp(const void *data, const double *q, double *g) {
  const baseline_gp_data *d = data;
  const size_t n = d->n;
  const double rho = exp(q[0]), alpha = exp(q[1]), sigma = exp(q[2]);
  double *k = d->work, *u = k + n * n, *inv = u + n * n, *a = inv + n * n, lp = 0, c[DEEP], z[ROOM];
  if (n > ROOM) return 0;
  /* Upper triangles: k without the noise; then u with u' u = k + sigma I, DEEP rows finished at a time and taken from all rows below. */
  for (size_t i = 0; i < n; i++)
    for (size_t j = i; j < n; j++) {
      double h = d->x[i] - d->x[j];
      u[i * n + j] = k[i * n + j] = alpha * alpha * exp(-h * h / (2 * rho * rho));
    }
  for (size_t i = 0; i < n; i++) u[i * n + i] += sigma;
  for (size_t first = 0; first < n; first += DEEP) {
    size_t end = first + DEEP < n ? first + DEEP : n;
    for (size_t i = first; i < end; i++) {
      double scale = 1 / sqrt(u[i * n + i]);
      for (size_t j = i; j < n; j++) u[i * n + j] *= scale;
      for (size_t r = i + 1; r < end; r++) less_row(u + r * n + r, u[i * n + r], u + i * n + r, n - r);
      lp += log(scale);
    }
    for (size_t i = end; i < n; i++) {
      for (size_t r = 0; r < DEEP; r++) c[r] = u[(first + r) * n + i];
      less_rows(u + i * n + i, c, u + first * n + i, n, n - i);
    }
  }
  /* inv: lower triangle of the inverse of u'. */
  for (size_t i = 0; i < n; i++) {
    double scale = 1 / u[i * n + i], *row = inv + i * n;
    for (size_t j = 0; j < i; j++) row[j] = 0;
    row[i] = 1;
    size_t m = 0;
    for (; m + DEEP <= i; m += DEEP) {
      /* A row of the inverse ends at its diagonal; what stands behind it was set to 0 below. */
      for (size_t r = 0; r < DEEP; r++) c[r] = u[(m + r) * n + i];
      less_rows(row, c, inv + m * n, n, m + DEEP);
    }
    for (; m < i; m++) less_row(row, u[m * n + i], inv + m * n, m + 1);
    for (size_t j = 0; j <= i; j++) row[j] *= scale;
    for (size_t j = i + 1; j < n && j < i + DEEP; j++) row[j] = 0;
  }
  /* a = S^-1 y; the adjoint of S is (a a' - S^-1) / 2, of which -inv' inv is made in the lower triangle of u. */
  for (size_t i = 0; i < n; i++) {
    double s = 0;
    for (size_t j = 0; j <= i; j++) s += inv[i * n + j] * d->y[j];
    z[i] = s;
    lp -= 0.5 * s * s;
  }
  memset(a, 0, n * sizeof *a);
  for (size_t i = 0; i < n; i++) less_row(a, -z[i], inv + i * n, i + 1);
  for (size_t i = 0; i < n; i++) {
    double *row = u + i * n;
    for (size_t j = 0; j <= i; j++) row[j] = a[i] * a[j];
    size_t m = i;
    for (; m + DEEP <= n; m += DEEP) {
      for (size_t r = 0; r < DEEP; r++) c[r] = inv[(m + r) * n + i];
      less_rows(row, c, inv + m * n, n, i + 1);
    }
    for (; m < n; m++) less_row(row, inv[m * n + i], inv + m * n, i + 1);
  }
  double g_rho = 0, g_alpha = 0, g_sigma = 0;
  for (size_t i = 0; i < n; i++) {
    g_sigma += 0.5 * u[i * n + i];
    g_alpha += u[i * n + i] * alpha * alpha;
    for (size_t j = 0; j < i; j++) u[j * n + i] = u[i * n + j];
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = i + 1; j < n; j++) {
      double h = d->x[i] - d->x[j], t = u[i * n + j] * k[i * n + j];
      g_alpha += 2 * t;
      g_rho += t * h * h;
    }
  lp += 24 * q[0] - 4 * rho - 0.125 * alpha * alpha - 0.5 * sigma * sigma + q[0] + q[1] + q[2];
  g[0] = g_rho / (rho * rho) + 25 - 4 * rho;
  g[1] = g_alpha - 0.25 * alpha * alpha + 1;
  g[2] = g_sigma * sigma - sigma * sigma + 1;
  return lp;
}

double baseline_kidscore(const void *data, const double *q, double *g) {
  const baseline_kid_data *d = data;
  const double sigma = exp(q[3]), w = 1 / (sigma * sigma);
  double ss = 0, s0 = 0, s1 = 0, s2 = 0;
  for (size_t i = 0; i < d->n; i++) {
    double r = d->score[i] - q[0] - q[1] * d->hs[i] - q[2] * d->iq[i];
    ss += r * r;
    s0 += r;
    s1 += r * d->hs[i];
    s2 += r * d->iq[i];
  }
  g[0] = w * s0;
  g[1] = w * s1;
  g[2] = w * s2;
  g[3] = w * ss - (double)d->n + 1 - 2 * sigma * sigma / (6.25 + sigma * sigma);
  return -0.5 * w * ss - (double)d->n * q[3] - log(1 + sigma * sigma / 6.25) + q[3];
}

/* ---- samplers */

static double uniform(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state) {
  double u = uniform(state), v = uniform(state);
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static double hier_local(const baseline_walk *w, size_t i, double v) {
  if (i > 0) return -0.5 * (v - w->x[0]) * (v - w->x[0]) - 2 * (w->y[i - 1] - v) * (w->y[i - 1] - v);
  double s = v * v;
  for (size_t k = 1; k < w->n; k++) s += (w->x[k] - v) * (w->x[k] - v);
  return -0.5 * s;
}

static double chain_local(const baseline_walk *w, size_t t, double v) {
  double e = t ? v - 0.9 * w->x[t - 1] : v, f = w->y[t] - v, s = e * e + f * f;
  if (t + 1 < w->n) s += (w->x[t + 1] - 0.9 * v) * (w->x[t + 1] - 0.9 * v);
  return -0.5 * s;
}

#define WALK(local)                                                                                                                \
  for (; steps > 0; steps--) {                                                                                                     \
    size_t i = w->at;                                                                                                              \
    double v = w->x[i] + normal(&w->random), r = local(w, i, v) - local(w, i, w->x[i]);                                            \
    if (r >= 0 || uniform(&w->random) < exp(r)) w->x[i] = v;                                                                       \
    w->at = i + 1 == w->n ? 0 : i + 1;                                                                                             \
  }

void baseline_hier_steps(baseline_walk *w, long steps) { WALK(hier_local) }
void baseline_chain_steps(baseline_walk *w, long steps) { WALK(chain_local) }

void baseline_label_sweeps(baseline_labels *l, long sweeps) {
  for (long k = 0; k < sweeps; k++) {
    double base[3], scale[3];
    for (int j = 0; j < 3; j++) base[j] = log(l->weight[j]) - log(l->sd[j]), scale[j] = 1 / l->sd[j];
    for (size_t i = 0; i < l->n; i++) {
      double w[3], top = -INFINITY, total = 0, sum;
      for (int j = 0; j < 3; j++) {
        double e = (l->x[i] - l->mean[j]) * scale[j];
        w[j] = base[j] - 0.5 * e * e;
        top = w[j] > top ? w[j] : top;
      }
      for (int j = 0; j < 3; j++) total += w[j] = exp(w[j] - top);
      double t = uniform(&l->random) * total;
      int c = 0;
      for (sum = w[0]; sum <= t && c < 2;) sum += w[++c];
      l->label[i] = c;
    }
  }
}

/* Marsaglia and Tsang 2000, for shapes of 1 and more. */
static double gamma_of(uint64_t *state, double shape) {
  const double d = shape - 1.0 / 3.0, c = 1 / sqrt(9 * d);
  for (;;) {
    const double z = normal(state), v = 1 + c * z;
    if (v <= 0) continue;
    const double w = v * v * v;
    if (log(uniform(state)) < 0.5 * z * z + d - d * w + d * log(w)) return d * w;
  }
}

void baseline_mixture_sweeps(baseline_mixture *m, long sweeps) {
  for (long k = 0; k < sweeps; k++) {
    double count[3] = {0}, sum[3] = {0}, square[3] = {0}, total = 0, sd[3];
    for (size_t i = 0; i < m->n; i++) count[m->label[i]]++, sum[m->label[i]] += m->x[i];
    for (int j = 0; j < 3; j++) total += m->weight[j] = gamma_of(&m->random, 1 + count[j]);
    for (int j = 0; j < 3; j++) {
      const double precision = 100 + m->tau[j] * count[j];
      m->weight[j] /= total;
      m->mean[j] = (100 * m->centre[j] + m->tau[j] * sum[j]) / precision + normal(&m->random) / sqrt(precision);
    }
    for (size_t i = 0; i < m->n; i++) square[m->label[i]] += (m->x[i] - m->mean[m->label[i]]) * (m->x[i] - m->mean[m->label[i]]);
    for (int j = 0; j < 3; j++) m->tau[j] = gamma_of(&m->random, 2 + 0.5 * count[j]) / (1 + 0.5 * square[j]), sd[j] = 1 / sqrt(m->tau[j]);
    baseline_labels l = {m->n, m->x, m->weight, m->mean, sd, m->label, m->random};
    baseline_label_sweeps(&l, 1);
    m->random = l.random;
    for (int j = 0; j < 3; j++) m->sums[j] += m->weight[j], m->sums[3 + j] += m->mean[j], m->sums[6 + j] += m->tau[j];
  }
}

void baseline_schools_draws(baseline_draws *d, long n) {
  for (long k = 0; k < n; k++) {
    double *x = d->ring + 10 * ((size_t)k % d->room), lw = 0;
    x[0] = 5 * normal(&d->random);
    x[1] = 5 * tan(1.5707963267948966 * uniform(&d->random));
    for (int j = 0; j < 8; j++) {
      x[2 + j] = x[0] + x[1] * normal(&d->random);
      if (d->weight) {
        double e = (d->y[j] - x[2 + j]) / d->sigma[j];
        lw -= 0.5 * e * e + log(d->sigma[j]) + 0.91893853320467274178;
      }
    }
    if (d->weight) d->weight[(size_t)k % d->room] = lw;
  }
}
