/* pathfinder.c: normal approximations along a path of L-BFGS; see pathfinder.h. */
#include "vm/pathfinder.h"

#include "stdlib/runtime/rt_draws.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

#include <math.h>
#include <string.h>

typedef struct path {
  const pathfinder_options *o;
  size_t dim;
  nuts_density density;
  void *user;
  double *alpha;           /* [dim] diagonal of the inverse Hessian's estimate */
  double *q, *u, *g;       /* [dim] */
  double *start;           /* [rank][dim] what the basis is made from */
  pathfinder_normal a[2];  /* of this iterate, and the best so far */
  int best;
  uint32_t oldest, pairs;  /* of the iterate before */
  uint32_t next, seen;     /* the iterate to be looked at next, and the last that was */
  uint64_t evaluations;
  ascent_status failed;    /* ASCENT_CONVERGED: nothing has */
} path;

size_t pathfinder_normal_doubles(size_t dim) { return dim <= SIZE_MAX / sizeof(double) / 64 ? (2 + PATHFINDER_RANK) * dim : 0; }

size_t pathfinder_doubles(size_t dim) {
  size_t ascent = ascent_doubles(dim), normal = pathfinder_normal_doubles(dim);
  return ascent && normal && dim <= SIZE_MAX / sizeof(double) / 256 ? ascent + normal + (4 + PATHFINDER_RANK) * dim : 0;
}

static double dot(const double *a, const double *b, size_t n) {
  return rt_kernels_for(0)->dot(a, 1, b, 1, (ptrdiff_t)n);
}

/* The diagonal after a new pair (Gilbert and Lemarechal 1989, as equation 9 of the paper's appendix has it). */
static void update_diagonal(path *x, const double *s, const double *y) {
  double a = 0.0, c = 0.0;
  const double b = dot(y, s, x->dim);
  for (size_t i = 0; i < x->dim; i++) {
    a += y[i] * x->alpha[i] * y[i];
    c += s[i] * s[i] / x->alpha[i];
  }
  for (size_t i = 0; i < x->dim; i++) {
    const double inverse = a / (b * x->alpha[i]) + y[i] * y[i] / b - a * s[i] * s[i] / (b * c * x->alpha[i] * x->alpha[i]);
    if (inverse > 0.0 && isfinite(inverse)) x->alpha[i] = 1.0 / inverse;
  }
}

/* Columns of `from` [n][dim] made orthonormal by Gram and Schmidt, twice over; r [n][n] upper triangular with from = Q r.  A column that
 * depends on those before gets a zero on the diagonal and no column of its own.  Returns the number of columns. */
static uint32_t orthonormal(double *basis, const double *from, uint32_t n, size_t dim, double r[PATHFINDER_RANK][PATHFINDER_RANK]) {
  uint32_t rank = 0;
  memset(r, 0, sizeof(double[PATHFINDER_RANK][PATHFINDER_RANK]));
  for (uint32_t k = 0; k < n; k++) {
    const double *v = from + k * dim;
    double *w = basis + rank * dim;
    const double size = sqrt(dot(v, v, dim));
    if (rank == dim) {
      for (uint32_t j = 0; j < rank; j++) r[j][k] = dot(basis + j * dim, v, dim);
      continue;
    }
    memcpy(w, v, dim * sizeof *w);
    for (int again = 0; again < 2; again++)
      for (uint32_t j = 0; j < rank; j++) {
        const double *e = basis + j * dim, part = dot(e, w, dim);
        r[j][k] += part;
        for (size_t i = 0; i < dim; i++) w[i] -= part * e[i];
      }
    const double left = sqrt(dot(w, w, dim));
    if (!(left > 1e-12 * size)) continue;
    r[rank][k] = left;
    for (size_t i = 0; i < dim; i++) w[i] /= left;
    rank++;
  }
  return rank;
}

/* gamma of the compact form of BFGS's inverse (Byrd, Nocedal and Schnabel 1994, theorem 2.2), S = diag(alpha) + B gamma B' with B = [alpha Y, S]:
 * [0, -R^-1; -R^-T, R^-T (E + Y' alpha Y) R^-1], R the upper triangle of S'Y and E its diagonal.
 * x->start has sqrt(alpha) Y in its first rows. */
static void compact(const path *x, const rt_lbfgs *s, double gamma[PATHFINDER_RANK][PATHFINDER_RANK]) {
  enum { J = RT_LBFGS_MEMORY };
  const uint32_t n = s->pairs;
  double inverse[J][J] = {{0}}, r[J][J] = {{0}}, m[J][J], t[J][J];
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t l = k; l < n; l++) r[k][l] = dot(s->step + rt_lbfgs_pair(s, k) * x->dim, s->change + rt_lbfgs_pair(s, l) * x->dim, x->dim);
  for (uint32_t l = 0; l < n; l++)
    for (uint32_t k = l + 1; k-- > 0;) {
      double v = k == l ? 1.0 : 0.0;
      for (uint32_t j = k + 1; j <= l; j++) v -= r[k][j] * inverse[j][l];
      inverse[k][l] = v / r[k][k];
    }
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t l = 0; l < n; l++) {
      const double both = dot(x->start + k * x->dim, x->start + l * x->dim, x->dim);
      m[k][l] = k == l ? r[k][k] + both : both;
    }
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t l = 0; l < n; l++) {
      t[k][l] = 0.0;
      for (uint32_t j = 0; j < n; j++) t[k][l] += m[k][j] * inverse[j][l];
    }
  for (uint32_t k = 0; k < n; k++)
    for (uint32_t l = 0; l < n; l++) {
      double v = 0.0;
      for (uint32_t j = 0; j < n; j++) v += inverse[j][k] * t[j][l];
      gamma[k][l] = 0.0;
      gamma[k][n + l] = -inverse[k][l];
      gamma[n + k][l] = -inverse[l][k];
      gamma[n + k][n + l] = v;
    }
}

/* Lower triangular L with L L' = m [n][n]; false if m is not positive definite. */
static bool factorise(double m[PATHFINDER_RANK][PATHFINDER_RANK], uint32_t n) {
  for (uint32_t j = 0; j < n; j++) {
    for (uint32_t i = j; i < n; i++) {
      double v = m[i][j];
      for (uint32_t k = 0; k < j; k++) v -= m[i][k] * m[j][k];
      if (i == j && !(v > 0.0)) return false;
      m[i][j] = i == j ? sqrt(v) : v / m[j][j];
    }
    for (uint32_t i = 0; i < j; i++) m[i][j] = 0.0;
  }
  return true;
}

/* The normal of the iterate.  False where its covariance is not positive definite. */
static bool approximate(path *x, const rt_lbfgs *s, pathfinder_normal *a) {
  const uint32_t n = s->pairs;
  double gamma[PATHFINDER_RANK][PATHFINDER_RANK], r[PATHFINDER_RANK][PATHFINDER_RANK], t[PATHFINDER_RANK][PATHFINDER_RANK];
  a->log_det = 0.0;
  for (size_t i = 0; i < x->dim; i++) {
    a->scale[i] = sqrt(x->alpha[i]);
    a->log_det += rt_log(a->scale[i]);
  }
  for (uint32_t k = 0; k < n; k++) {
    const double *step = s->step + rt_lbfgs_pair(s, k) * x->dim, *change = s->change + rt_lbfgs_pair(s, k) * x->dim;
    for (size_t i = 0; i < x->dim; i++) {
      x->start[k * x->dim + i] = a->scale[i] * change[i];
      x->start[(n + k) * x->dim + i] = step[i] / a->scale[i];
    }
  }
  a->rank = orthonormal(a->basis, x->start, 2 * n, x->dim, r);
  compact(x, s, gamma);
  for (uint32_t k = 0; k < a->rank; k++)
    for (uint32_t l = 0; l < 2 * n; l++) {
      t[k][l] = 0.0;
      for (uint32_t j = 0; j < 2 * n; j++) t[k][l] += r[k][j] * gamma[j][l];
    }
  for (uint32_t k = 0; k < a->rank; k++)
    for (uint32_t l = 0; l < a->rank; l++) {
      double v = k == l ? 1.0 : 0.0;
      for (uint32_t j = 0; j < 2 * n; j++) v += t[k][j] * r[l][j];
      a->factor[k][l] = v;
    }
  /* The centre: x + D (g~ + Q (M - I) Q' g~), with g~ = D g and M = L L'. */
  double along[PATHFINDER_RANK], moved[PATHFINDER_RANK];
  for (size_t i = 0; i < x->dim; i++) x->u[i] = a->scale[i] * s->g[i];
  for (uint32_t k = 0; k < a->rank; k++) along[k] = dot(a->basis + k * x->dim, x->u, x->dim);
  for (uint32_t k = 0; k < a->rank; k++) {
    moved[k] = -along[k];
    for (uint32_t l = 0; l < a->rank; l++) moved[k] += a->factor[k][l] * along[l];
  }
  for (uint32_t k = 0; k < a->rank; k++)
    for (size_t i = 0; i < x->dim; i++) x->u[i] += moved[k] * a->basis[k * x->dim + i];
  for (size_t i = 0; i < x->dim; i++) a->centre[i] = s->x[i] + a->scale[i] * x->u[i];
  if (!factorise(a->factor, a->rank)) return false;
  for (uint32_t k = 0; k < a->rank; k++) a->log_det += rt_log(a->factor[k][k]);
  return isfinite(a->log_det);
}

double pathfinder_draw(const pathfinder_normal *a, uint64_t key, uint64_t draw, double *q, double *scratch) {
  double along[PATHFINDER_RANK], square = 0.0;
  const uint64_t own = rt_key_fold(key, draw);
  rt_draw_normals(scratch, own, 0, a->dim);
  for (size_t i = 0; i < a->dim; i++) square += scratch[i] * scratch[i];
  for (uint32_t k = 0; k < a->rank; k++) along[k] = dot(a->basis + k * a->dim, scratch, a->dim);
  for (uint32_t k = a->rank; k-- > 0;) {
    double v = -along[k];
    for (uint32_t l = 0; l <= k; l++) v += a->factor[k][l] * along[l];
    for (size_t i = 0; i < a->dim; i++) scratch[i] += v * a->basis[k * a->dim + i];
  }
  for (size_t i = 0; i < a->dim; i++) q[i] = a->centre[i] + a->scale[i] * scratch[i];
  return -0.5 * square - a->log_det - (double)a->dim * RT_HALF_LOG_2PI;
}

static double elbo_of(path *x, const pathfinder_normal *a, uint64_t key) {
  double sum = 0.0;
  for (uint32_t k = 0; k < x->o->elbo_draws; k++) {
    double lp = NAN, lq = pathfinder_draw(a, key, k, x->q, x->u);
    x->evaluations++;
    if (x->density(x->user, 1, 1, x->q, &lp, x->o->values ? NULL : x->g)) {
      x->failed = ASCENT_E_DENSITY;
      return -INFINITY;
    }
    sum += lp - lq;
  }
  return isfinite(sum) ? sum / x->o->elbo_draws : -INFINITY;
}

/* Approximates at this iterate, and keeps that if it is the best so far. */
static void look(path *x, const rt_lbfgs *s) {
  x->seen = s->iterations;
  x->next = s->iterations + 1 + (x->o->sparse ? s->iterations / 4 : 0);
  pathfinder_normal *a = &x->a[!x->best];
  if (!approximate(x, s, a)) return;
  a->elbo = elbo_of(x, a, rt_key_fold(x->o->ascent.key, s->iterations));
  if (a->elbo > x->a[x->best].elbo) x->best = !x->best;
}

static int on_step(void *user, const rt_lbfgs *s) {
  path *x = user;
  /* A pair that was added is the newest; one that bent the wrong way was not. */
  const bool fresh = s->pairs > x->pairs || (s->pairs == x->pairs && s->oldest != x->oldest);
  x->pairs = s->pairs;
  x->oldest = s->oldest;
  if (s->pairs == 0) return 0;
  const uint32_t newest = rt_lbfgs_pair(s, s->pairs - 1);
  if (fresh) update_diagonal(x, s->step + newest * x->dim, s->change + newest * x->dim);
  if (s->iterations >= x->next) look(x, s);
  return x->failed != ASCENT_CONVERGED;
}

static double *normal_init(pathfinder_normal *a, size_t dim, double *work) {
  *a = (pathfinder_normal){.dim = dim, .centre = work, .scale = work + dim, .basis = work + 2 * dim, .elbo = -INFINITY};
  return work + pathfinder_normal_doubles(dim);
}

void pathfinder_run(const pathfinder_options *o, size_t dim, nuts_density density, void *user, double *work, double *keep, pathfinder_result *r) {
  path x = {.o = o, .dim = dim, .density = density, .user = user, .failed = ASCENT_CONVERGED};
  normal_init(&x.a[0], dim, keep);
  work = normal_init(&x.a[1], dim, work);
  x.alpha = work;
  x.q = work + dim;
  x.u = work + 2 * dim;
  x.g = work + 3 * dim;
  x.start = work + 4 * dim;
  for (size_t i = 0; i < dim; i++) x.alpha[i] = 1.0;
  ascent_target t = {.dim = dim, .density = density, .density_user = user, .on_step = on_step, .step_user = &x};
  rt_lbfgs s;
  r->status = ascend(&o->ascent, &t, x.start + PATHFINDER_RANK * dim, &s);
  if (o->sparse && x.failed == ASCENT_CONVERGED && s.pairs && s.iterations > x.seen) look(&x, &s);
  if (x.failed != ASCENT_CONVERGED) r->status = x.failed;
  r->iterations = s.iterations;
  r->evaluations = x.evaluations + s.evaluations;
  r->best = x.a[0];
  if (x.best == 1) {
    /* Its memory is in the workspace: the result takes it over. */
    memcpy(x.a[0].centre, x.a[1].centre, pathfinder_normal_doubles(dim) * sizeof(double));
    r->best = x.a[1];
    r->best.centre = x.a[0].centre;
    r->best.scale = x.a[0].scale;
    r->best.basis = x.a[0].basis;
  }
}
