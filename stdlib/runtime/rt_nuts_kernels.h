/* rt_nuts_kernels.h: the inner loops of rt_nuts.c, compiled once for each instruction-set level.
 *
 * Vectors have `n` doubles, a multiple of RT_NUTS_LANES; what lies behind the chain's dimension is zero and stays zero, so no loop
 * has a tail.  An inner product has one definition at every level: lane j of eight adds the rounded products of the elements i with
 * i mod 8 = j in rising order, and with s_j = lane j + lane (j + 4) the value is (s_0 + s_2) + (s_1 + s_3).  These are eight
 * lanes and not the 32 of rt_sum.h because a merge keeps six inner products in registers at once, and because most chains have
 * few dimensions. */
#ifndef RT_NUTS_KERNELS_H
#define RT_NUTS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { RT_NUTS_LANES = 8 };

/* A subtree or trajectory as a merge sees it: the sum of its momenta, and the momenta at its first and last state in the order in
 * which they were integrated. */
typedef struct rt_nuts_node {
  const double *rho, *first, *last;
} rt_nuts_node;

typedef struct rt_nuts_kernels {
  /* p[i] = scale[i] z_i, standard normals by inversion: block i / 2 (rounded down) of the generator under key on counter {0, site,
   * block, block >> 32} has the bits of z_i in its first 64 bits for even i, in the others for odd i. */
  void (*momenta)(size_t n, uint64_t key, uint32_t site, const double *scale, double *p);
  /* p += h/2 * g;  q += (h M^-1) * p. */
  void (*kick_drift)(size_t n, double h, const double *inv_metric, double *q, double *p, const double *g);
  /* Copies the gradient (element i < dim at gradient[i * stride]) to g, then p += h/2 * g.  Returns p' M^-1 p. */
  double (*kick)(size_t n, size_t dim, size_t stride, double h, const double *inv_metric, const double *gradient, double *p,
                 double *g);
  /* p' M^-1 p. */
  double (*square)(size_t n, const double *inv_metric, const double *p);
  /* rho = a + b for two single states; 1 if neither has turned: a' M^-1 rho > 0 and b' M^-1 rho > 0. */
  int (*pair)(size_t n, const double *inv_metric, const double *a, const double *b, double *rho);
  /* rho = a.rho + b.rho for neighbours a, then b; 1 if no end has turned: in the whole, in a with b's first state, and in b with
   * a's last state.  rho may be a.rho or b.rho. */
  int (*merge)(size_t n, const double *inv_metric, rt_nuts_node a, rt_nuts_node b, double *rho);
  void (*copy)(size_t n, double *to, const double *from);
  double (*exp)(double x); /* rt_exp: the baseline has no fma instruction, which it lives on */
} rt_nuts_kernels;

#if defined(__x86_64__)
extern const rt_nuts_kernels rt_nuts_kernels_v2, rt_nuts_kernels_v3, rt_nuts_kernels_v4;
#else
extern const rt_nuts_kernels rt_nuts_kernels_generic;
#endif

/* The table of a level as in rt_kernels_for (rt_kernels.h); 0 asks for the machine's best.  All give the same bits. */
const rt_nuts_kernels *rt_nuts_kernels_for(int level);

#endif
