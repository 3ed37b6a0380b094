/* rt_sample.h: exact samplers.  A draw is a pure function of its address (rt_philox.h) and parameters, with the same bits on every machine.
 *
 * Each sampler owns its address: two different draws must differ in key, site or index.  A parameter outside its domain (or NaN) gives NaN, or -1 for
 * the integer samplers; nothing is checked beyond that.  Rejection loops are bounded by RT_DRAW_ATTEMPTS; the loops accept with probability above 0.6
 * each round, so running out has probability below 1e-50, and then the sampler returns the stated fallback. */
#ifndef RT_SAMPLE_H
#define RT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "stdlib/runtime/rt_philox.h"

enum { RT_DRAW_ATTEMPTS = 128 };

/* Uniform on the open interval (0, 1), by rt_u01 of the first 64 bits. */
double rt_draw_uniform(rt_draw_addr at);

/* The same where an address serves two elements: element e = at.index has the bits at index 8 floor(e / 16) + e % 8, of sixteen elements in a row the first eight the first 64 of them and
 * the others the second. */
double rt_draw_uniform_packed(rt_draw_addr at);

/* Standard normal, by inversion: rt_inv_phi of a uniform whose tail is refined by the second 64 bits, so that |z| reaches beyond 8.2. */
double rt_draw_normal(rt_draw_addr at);

/* Exponential with rate 1: -log u. */
double rt_draw_exponential(rt_draw_addr at);

/* Gamma(shape, scale 1), shape > 0 (Marsaglia and Tsang 2000; for shape < 1 the boost u^(1/shape) is applied in log space).  rt_draw_log_gamma
 * returns the logarithm of the same draw and is finite even where the draw underflows to 0.  Fallback: the mode of the proposal. */
double rt_draw_gamma(rt_draw_addr at, double shape);
double rt_draw_log_gamma(rt_draw_addr at, double shape);

/* Beta(a, b), a, b > 0, from two log gammas.  rt_draw_logit_beta returns log(x / (1 - x)) of the same draw, which stays finite where x rounds to 0
 * or 1. */
double rt_draw_beta(rt_draw_addr at, double a, double b);
double rt_draw_logit_beta(rt_draw_addr at, double a, double b);

/* Chi-square with df > 0 degrees of freedom, and Student's t with df > 0. */
double rt_draw_chi_square(rt_draw_addr at, double df);
double rt_draw_student_t(rt_draw_addr at, double df);

/* Cauchy(0, 1) by inversion. */
double rt_draw_cauchy(rt_draw_addr at);

/* Poisson(rate), 0 <= rate <= 2^52: sequential inversion below 10, transformed rejection above (PTRS: Hoermann 1993, "The transformed rejection
 * method for generating Poisson random variables").  Fallback: floor(rate).  -1 outside the domain. */
int64_t rt_draw_poisson(rt_draw_addr at, double rate);

/* Binomial(n, p), 0 <= n <= 2^52, 0 <= p <= 1: inversion where n min(p, 1-p) < 10, transformed rejection above (BTRS: Hoermann 1993, "The generation of
 * binomial random variates").  Fallback: floor((n + 1) p).  -1 outside the domain. */
int64_t rt_draw_binomial(rt_draw_addr at, int64_t n, double p);

/* Index i in 0..n-1 with probability w[i] / sum w; the weights are nonnegative, finite, with a positive finite sum, not normalised; else -1.
 * The total is the running sum in index order, and an index of weight 0 is never returned. */
int64_t rt_draw_categorical(rt_draw_addr at, const double *w, ptrdiff_t n);

/* The same from log weights: lw[i] may be -inf, not NaN or +inf; at least one finite.  No scratch memory: each weight is exp(lw[i] - max). */
int64_t rt_draw_categorical_log(rt_draw_addr at, const double *lw, ptrdiff_t n);
/* That with a uniform number of rt_draw_uniform_packed: what rt_kernels.choose draws for each of many. */
int64_t rt_draw_choice(rt_draw_addr at, const double *lw, ptrdiff_t n);

#endif
