/* metric.c: windows of draws, and metrics learnt from them; see metric.h. */
#include "vm/metric.h"

#include "stdlib/runtime/rt_draws.h"
#include "vm/eigen.h"

#include <math.h>
#include <string.h>

enum { WINDOW_MOST = 1024, WIDE_MOST = METRIC_WHOLE / 2, WIDE_LEAST = 32, WIDE_CELLS = 1 << 18, POWER_STEPS = 20, DRAWS_LEAST = 4 };
static const uint64_t POWER_KEY = 0x706f7765720001;

/* Weight of the unit matrix among the draws, in draws. */
#define PRIOR_DRAWS 5.0

const char *metric_form_name(metric_form form) {
  static const char *const name[METRIC_FORMS] = {"diagonal", "fisher", "dense", "lowrank"};
  return name[form];
}

/* ---- windows */

static size_t window_rows(size_t dim) {
  if (dim <= METRIC_WHOLE) return WINDOW_MOST;
  size_t rows = WIDE_CELLS / dim;
  return rows > WIDE_MOST ? WIDE_MOST : rows < WIDE_LEAST ? WIDE_LEAST : rows;
}

size_t metric_window_doubles(size_t dim) {
  if (dim > SIZE_MAX / sizeof(double) / (4 * WINDOW_MOST)) return 0;
  return 2 * window_rows(dim) * dim + (dim <= METRIC_WHOLE ? 2 * dim * dim : 0);
}

void metric_window_init(metric_window *w, size_t dim, double *memory) {
  size_t rows = window_rows(dim) * dim;
  *w = (metric_window){.dim = dim, .cap = window_rows(dim), .q = memory, .g = memory + rows};
  if (dim <= METRIC_WHOLE) w->cov[0] = memory + 2 * rows, w->cov[1] = w->cov[0] + dim * dim;
  metric_window_restart(w);
}

void metric_window_restart(metric_window *w) {
  w->n = 0;
  w->seen = 0;
  w->every = 1;
}

void metric_window_push(metric_window *w, const double *q, const double *g) {
  size_t d = w->dim;
  if (w->n == w->cap) {
    for (size_t k = 0; 2 * k < w->n; k++) {
      memmove(w->q + k * d, w->q + 2 * k * d, d * sizeof *q);
      memmove(w->g + k * d, w->g + 2 * k * d, d * sizeof *g);
    }
    w->n = (w->n + 1) / 2;
    w->every *= 2;
  }
  if (w->seen++ % w->every != 0) return;
  memcpy(w->q + w->n * d, q, d * sizeof *q);
  memcpy(w->g + w->n * d, g, d * sizeof *g);
  w->n++;
}

static void rows_centre(size_t n, size_t d, double *x) {
  for (size_t i = 0; i < d; i++) {
    double mean = 0.0;
    for (size_t k = 0; k < n; k++) mean += x[k * d + i] - x[i];
    mean = x[i] + mean / (double)(n ? n : 1);
    for (size_t k = 0; k < n; k++) x[k * d + i] -= mean;
  }
}

void metric_window_centre(metric_window *w) {
  rows_centre(w->n, w->dim, w->q);
  rows_centre(w->n, w->dim, w->g);
}

void metric_window_close(metric_window *w) {
  size_t d = w->dim, n = w->n;
  metric_window_centre(w);
  for (int c = 0; c < 2; c++) {
    const double *x = c ? w->g : w->q;
    if (!w->cov[c]) continue;
    rt_kernels_for(0)->gemm(w->cov[c], x, x, (ptrdiff_t)d, (ptrdiff_t)d, (ptrdiff_t)n, 1, 0);
    for (size_t i = 0; i < d * d; i++) w->cov[c][i] /= (double)(n > 1 ? n - 1 : 1);
  }
}

static double column_square(size_t n, size_t d, const double *x, size_t i) {
  double s = 0.0;
  for (size_t k = 0; k < n; k++) s += x[k * d + i] * x[k * d + i];
  return s;
}

/* ---- memory */

static size_t order(size_t dim) { return dim < METRIC_WHOLE ? dim : METRIC_WHOLE; }
static size_t rank_most(size_t dim) { return dim < METRIC_RANK ? dim : METRIC_RANK; }

size_t metric_doubles(metric_form form, size_t dim) {
  switch (form) {
  case METRIC_DENSE: return dim <= METRIC_WHOLE ? dim * dim : 0;
  case METRIC_LOWRANK: return dim + rank_most(dim) * (dim + 1);
  default: return dim;
  }
}

/* Six square matrices, a few vectors, and in many dimensions the rows that become a basis. */
size_t metric_scratch(size_t dim) {
  size_t m = order(dim), rows = dim <= METRIC_WHOLE ? 0 : 2 * window_rows(dim);
  return rows * dim + 6 * m * m + 3 * m + 5 * dim + 2 * window_rows(dim);
}

/* ---- learning */

static bool positive(double x) { return x > 0.0 && isfinite(x); }

/* An estimate from n draws, drawn to a small one as in adapt.h. */
static double shrunk(double n, double estimate) { return n / (n + 5.0) * estimate + 1e-3 * (5.0 / (n + 5.0)); }

static bool diagonal_learn(metric *m, metric_form form, const metric_window *w) {
  size_t d = w->dim, n = w->n;
  double *scale = m->memory;
  bool fresh = m->f.dim == 0;
  for (size_t i = 0; i < d; i++) {
    double v = column_square(n, d, w->q, i);
    v = form == METRIC_FISHER ? sqrt(v / column_square(n, d, w->g, i)) : v / (double)(n - 1);
    double s = sqrt(shrunk((double)n, v));
    if (positive(s)) scale[i] = s;
    else if (fresh) scale[i] = 1.0;
  }
  m->f = (rt_factor){.dim = d, .scale = scale};
  return true;
}

static bool all_finite(size_t n, const double *x) {
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return false;
  return true;
}

static bool dense_learn(metric *m, const rt_kernels *k, const metric_window *w, double *scratch) {
  size_t d = w->dim;
  double *C = scratch, n = (double)w->n;
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) C[i * d + j] = i == j ? shrunk(n, w->cov[0][i * d + j]) : n / (n + 5.0) * w->cov[0][i * d + j];
  if (k->cholesky(C, C, (ptrdiff_t)d) || !all_finite(d * d, C)) return false;
  memcpy(m->memory, C, d * d * sizeof *C);
  m->f = (rt_factor){.dim = d, .L = m->memory};
  return true;
}

/* Rows x [n][d] become an orthonormal basis of their span, and row r of R [n][n] what row r was in it: Gram-Schmidt, each row twice.
 * Returns the size of the basis, the first rows of x.  room: [d + n]. */
static size_t basis_make(const rt_kernels *k, size_t n, size_t d, double *x, double *R, double *room) {
  size_t m = 0;
  for (size_t r = 0; r < n; r++) {
    double *v = x + m * d, *c = R + r * n, before = 0.0, after = 0.0;
    memmove(v, x + r * d, d * sizeof *v);
    for (size_t j = 0; j < n; j++) c[j] = 0.0;
    for (size_t i = 0; i < d; i++) before += v[i] * v[i];
    for (int pass = 0; pass < 2 && m > 0; pass++) {
      double *along = room + d;
      k->gemv(along, x, v, (ptrdiff_t)m, (ptrdiff_t)d, 0);
      k->gemv(room, x, along, (ptrdiff_t)m, (ptrdiff_t)d, 1);
      for (size_t i = 0; i < d; i++) v[i] -= room[i];
      for (size_t j = 0; j < m; j++) c[j] += along[j];
    }
    for (size_t i = 0; i < d; i++) after += v[i] * v[i];
    if (!(after > 1e-16 * before)) continue;
    double norm = sqrt(after);
    for (size_t i = 0; i < d; i++) v[i] /= norm;
    c[m++] = norm;
  }
  return m;
}

/* Covariances of scaled draws and gradients, Cq and Cg [m][m], in a basis whose vectors are rows of *basis; NULL: that of the space.  Returns m. */
static size_t covariances(const rt_kernels *k, const metric_window *w, const double *scale, double *Cq, double *Cg, double *R, double *rows, double *room, double **basis) {
  size_t d = w->dim, n = w->n;
  if (d <= METRIC_WHOLE) {
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++) {
        Cq[i * d + j] = w->cov[0][i * d + j] / (scale[i] * scale[j]);
        Cg[i * d + j] = w->cov[1][i * d + j] * (scale[i] * scale[j]);
      }
    *basis = NULL;
    return d;
  }
  for (size_t r = 0; r < n; r++)
    for (size_t i = 0; i < d; i++) {
      rows[2 * r * d + i] = w->q[r * d + i] / scale[i];
      rows[(2 * r + 1) * d + i] = w->g[r * d + i] * scale[i];
    }
  size_t m = basis_make(k, 2 * n, d, rows, R, room);
  double *C[2] = {Cq, Cg};
  for (size_t c = 0; c < 2; c++)
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j <= i; j++) {
        double s = 0.0;
        for (size_t r = 0; r < n; r++) s += R[(2 * r + c) * 2 * n + i] * R[(2 * r + c) * 2 * n + j];
        C[c][i * m + j] = C[c][j * m + i] = s / (double)(n - 1);
      }
  *basis = rows;
  return m;
}

static void draw_to_unit(size_t m, double n, double *C) {
  double share = n / (n + PRIOR_DRAWS);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) C[i * m + j] = share * C[i * m + j] + (i == j ? 1.0 - share : 0.0);
}

/* S with S Cg S = Cq, as its eigenvalues w and eigenvectors, the rows of V [m][m]: for Cg = L L' and L' Cq L = E' diag(a) E it is X X' with
 * X = L'^-1 E' diag(a^(1/4)).  Overwrites Cq and Cg.  A, X [m][m] and work [2 m] are room. */
static bool geometric_mean(const rt_kernels *k, size_t m, double *Cq, double *Cg, double *A, double *X, double *V, double *w, double *work) {
  ptrdiff_t n = (ptrdiff_t)m;
  if (k->cholesky(Cg, Cg, n)) return false;
  k->gemm(X, Cq, Cg, n, n, n, 0, 0);
  k->gemm(A, Cg, X, n, n, n, 1, 0);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < i; j++) A[i * m + j] = A[j * m + i] = 0.5 * (A[i * m + j] + A[j * m + i]);
  if (!eigen_symmetric(m, A, w, V, work)) return false;
  for (size_t i = 0; i < m; i++) {
    if (!(w[i] > 0.0)) return false;
    double root = sqrt(sqrt(w[i]));
    for (size_t j = 0; j < m; j++) A[j * m + i] = root * V[i * m + j];
  }
  k->solve_lower(X, Cg, A, n, n, 1);
  k->gemm(A, X, X, n, n, n, 0, 1);
  return eigen_symmetric(m, A, w, V, work);
}

/* The largest eigenvalue that the covariance of n draws has by chance where the truth is the unit matrix of order m (Marchenko and Pastur 1967).
 * What is nearer to 1 is left at 1. */
static double by_chance(size_t m, size_t n) {
  double edge = 1.0 + sqrt((double)m / (double)n);
  return edge * edge;
}

static bool lowrank_learn(metric *metric, const rt_kernels *k, const metric_window *w, double *scratch) {
  size_t d = w->dim, most = order(d), rank = 0;
  double *room[6], *at = scratch, *basis;
  for (int i = 0; i < 6; i++, at += most * most) room[i] = at;
  double *lambda = at, *work = at + most, *scale = at + 3 * most, *spare = scale + d, *rows = spare + d + 2 * window_rows(d);
  for (size_t i = 0; i < d; i++) {
    scale[i] = sqrt(sqrt(column_square(w->n, d, w->q, i) / column_square(w->n, d, w->g, i)));
    if (!positive(scale[i])) return false;
  }
  size_t m = covariances(k, w, scale, room[0], room[1], room[2], rows, spare, &basis);
  draw_to_unit(m, (double)w->n, room[0]);
  draw_to_unit(m, (double)w->n, room[1]);
  if (!geometric_mean(k, m, room[0], room[1], room[3], room[4], room[5], lambda, work)) return false;
  double *own_scale = metric->memory, *gain = own_scale + d, *U = gain + rank_most(d);
  memcpy(own_scale, scale, d * sizeof *scale);
  for (; rank < rank_most(d); rank++) {
    size_t best = m;
    double far = log(by_chance(m, w->n));
    for (size_t i = 0; i < m; i++)
      if (lambda[i] > 0.0 && fabs(log(lambda[i])) > far) far = fabs(log(lambda[best = i]));
    if (best == m) break;
    const double *e = room[5] + best * m;
    if (basis) k->gemv(U + rank * d, basis, e, (ptrdiff_t)m, (ptrdiff_t)d, 1);
    else memcpy(U + rank * d, e, d * sizeof *e);
    gain[rank] = sqrt(lambda[best]) - 1.0;
    lambda[best] = 1.0;
  }
  metric->f = (rt_factor){.dim = d, .rank = rank, .scale = own_scale, .U = U, .gain = gain};
  return true;
}

bool metric_learn(metric *m, metric_form form, const metric_window *w, double *scratch) {
  const rt_kernels *k = rt_kernels_for(0);
  if (w->n < DRAWS_LEAST) return false;
  if (form == METRIC_DENSE) return dense_learn(m, k, w, scratch);
  return form == METRIC_LOWRANK ? lowrank_learn(m, k, w, scratch) : diagonal_learn(m, form, w);
}

/* Two eigenvalue problems of order m take some 18 m^3; in many dimensions a basis of the draws is made before. */
double metric_flops(const metric_window *w) {
  const double d = (double)w->dim, n = (double)w->n, m = w->cov[0] ? d : fmin(2.0 * n, METRIC_WHOLE), scalar = 8.0;
  const double covariances = w->cov[0] ? 4.0 * n * d * d : scalar * 16.0 * n * n * d;
  const double misfits = METRIC_FORMS * 2.0 * POWER_STEPS * (w->cov[0] ? 2.0 * d * d : 4.0 * n * d);
  return covariances + misfits + scalar * 18.0 * m * m * m;
}

/* ---- misfit */

/* y = cov(x) v for draws or gradients. */
static void covariance_times(const rt_kernels *k, const metric_window *w, int gradient, const double *v, double *y, double *by_row) {
  ptrdiff_t d = (ptrdiff_t)w->dim, n = (ptrdiff_t)w->n;
  const double *x = gradient ? w->g : w->q;
  if (w->cov[gradient]) {
    k->gemv(y, w->cov[gradient], v, d, d, 0);
    return;
  }
  k->gemv(by_row, x, v, n, d, 0);
  for (ptrdiff_t r = 0; r < n; r++) by_row[r] /= (double)(n > 1 ? n - 1 : 1);
  k->gemv(y, x, by_row, n, d, 1);
}

/* The largest eigenvalue of F^-1 cov(q) F'^-1, or of F' cov(g) F, by the power method from any vector. */
static double largest(const rt_kernels *k, const rt_factor *f, const metric_window *w, int gradient, double *scratch) {
  size_t d = w->dim;
  double *v = scratch, *a = v + d, *room = a + d, *by_row = room + rt_factor_scratch(d), value = 0.0;
  rt_draw_normals(v, POWER_KEY, 0, d);
  for (int step = 0; step <= POWER_STEPS; step++) {
    value = 0.0;
    for (size_t i = 0; i < d; i++) value += v[i] * v[i];
    value = sqrt(value);
    if (!positive(value)) return INFINITY;
    for (size_t i = 0; i < d; i++) v[i] /= value;
    if (gradient) rt_factor_times(k, f, 0, v, a, room);
    else rt_factor_solve(k, f, 1, v, a, room);
    covariance_times(k, w, gradient, a, v, by_row);
    if (gradient) rt_factor_times(k, f, 1, v, a, room);
    else rt_factor_solve(k, f, 0, v, a, room);
    memcpy(v, a, d * sizeof *v);
  }
  return value;
}

double metric_misfit(const rt_factor *f, const metric_window *w, double *scratch) {
  const rt_kernels *k = rt_kernels_for(0);
  double kappa = sqrt(largest(k, f, w, 0, scratch) * largest(k, f, w, 1, scratch));
  return isfinite(kappa) ? kappa : INFINITY;
}
