/* rt_isa_nuts.c: the inner loops of the no-U-turn sampler; rt_nuts_kernels.h says what each computes and in which order.
 *
 * Inner products use vectors of four as the compiler's own type, which lowers to whatever the level has.  Products
 * and sums are rounded separately in all linear algebra: an fma would have to be emulated at v2 (a library call for each element, where this
 * loop takes a fraction of a nanosecond), and one rounding more in a leapfrog step is far below its discretisation error. */
#include "stdlib/runtime/rt_nuts_kernels.h"

#include "stdlib/runtime/rt_isa.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"

typedef double v4 __attribute__((vector_size(32), aligned(8), may_alias));
#define AT(x, i) (*(const v4 *)((x) + (i)))

static inline double lanes_add(const v4 *t)
{
  v4 s = t[0] + t[1];
  return (s[0] + s[2]) + (s[1] + s[3]);
}

static void kick_drift(size_t n, double h, const double *restrict inv_metric, double *restrict q, double *restrict p,
                       const double *restrict g)
{
  double half = 0.5 * h;
  for (size_t i = 0; i < n; i++) {
    p[i] += half * g[i];
    q[i] += h * inv_metric[i] * p[i];
  }
}

static double square(size_t n, const double *inv_metric, const double *p)
{
  v4 t[2] = {{0}};
  for (size_t i = 0; i < n; i += RT_NUTS_LANES)
    for (size_t h = 0; h < 2; h++) {
      v4 x = AT(p, i + 4 * h);
      t[h] += AT(inv_metric, i + 4 * h) * x * x;
    }
  return lanes_add(t);
}

static double kick(size_t n, size_t dim, size_t stride, double h, const double *inv_metric, const double *restrict gradient,
                   double *restrict p, double *restrict g)
{
  double half = 0.5 * h;
  if (stride == 1)
    for (size_t i = 0; i < dim; i++) {
      g[i] = gradient[i];
      p[i] += half * gradient[i];
    }
  else
    for (size_t i = 0; i < dim; i++) {
      g[i] = gradient[i * stride];
      p[i] += half * g[i];
    }
  return square(n, inv_metric, p);
}

static int pair(size_t n, const double *inv_metric, const double *a, const double *b, double *rho)
{
  v4 t[2][2] = {{{0}}};
  for (size_t i = 0; i < n; i += RT_NUTS_LANES)
    for (size_t h = 0; h < 2; h++) {
      size_t at = i + 4 * h;
      v4 pa = AT(a, at), pb = AT(b, at), whole = pa + pb, sharp = AT(inv_metric, at) * whole;
      *(v4 *)(rho + at) = whole;
      t[0][h] += pa * sharp;
      t[1][h] += pb * sharp;
    }
  return lanes_add(t[0]) > 0.0 && lanes_add(t[1]) > 0.0;
}

static int merge(size_t n, const double *inv_metric, rt_nuts_node a, rt_nuts_node b, double *rho)
{
  v4 t[6][2] = {{{0}}};
  for (size_t i = 0; i < n; i += RT_NUTS_LANES)
    for (size_t h = 0; h < 2; h++) {
      size_t at = i + 4 * h;
      v4 m = AT(inv_metric, at), ra = AT(a.rho, at), rb = AT(b.rho, at);
      v4 af = AT(a.first, at), al = AT(a.last, at), bf = AT(b.first, at), bl = AT(b.last, at);
      v4 whole = ra + rb, sharp = m * whole, left = m * (ra + bf), right = m * (rb + al);
      *(v4 *)(rho + at) = whole;
      t[0][h] += af * sharp;
      t[1][h] += bl * sharp;
      t[2][h] += af * left;
      t[3][h] += bf * left;
      t[4][h] += al * right;
      t[5][h] += bl * right;
    }
  int ok = 1;
  for (int c = 0; c < 6; c++) ok &= lanes_add(t[c]) > 0.0;
  return ok;
}

static void copy(size_t n, double *to, const double *from)
{
  for (size_t i = 0; i < n; i += 4) *(v4 *)(to + i) = AT(from, i);
}

static void momenta(size_t n, uint64_t key, uint32_t site, const double *scale, double *p)
{
  for (size_t i = 0; i < n; i += RT_NUTS_LANES) {
    double u[RT_NUTS_LANES];
    for (size_t j = 0; j < RT_NUTS_LANES; j += 2) {
      uint64_t block = (i + j) / 2;
      rt_philox r = rt_philox4x32(key, 0, site, (uint32_t)block, (uint32_t)(block >> 32));
      u[j] = rt_u01(rt_philox_u64(r, 0));
      u[j + 1] = rt_u01(rt_philox_u64(r, 1));
    }
    for (size_t j = 0; j < RT_NUTS_LANES; j++) u[j] = rt_inv_phi(u[j]);
    for (size_t j = 0; j < RT_NUTS_LANES; j++) p[i + j] = scale[i + j] * u[j];
  }
}

static double exp_of(double x)
{
  return rt_exp(x);
}

const rt_nuts_kernels RT_LV(rt_nuts_kernels) = {momenta, kick_drift, kick, square, pair, merge, copy, exp_of};
