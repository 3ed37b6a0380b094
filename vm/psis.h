/* psis.h: Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25(72)).
 *
 * Raw importance ratios have a heavy tail; its largest values are replaced by the expected order statistics of a
 * generalised Pareto distribution that is fitted to them.  The fitted shape k tells how far the estimate can be trusted. */
#ifndef AIM_VM_PSIS_H
#define AIM_VM_PSIS_H

#include <stddef.h>

/* Doubles of workspace for n ratios; 0 if that does not fit. */
size_t psis_doubles(size_t n);

/* Smooths log ratios [n] in place and normalises them: log weights whose exponentials sum to 1.  efficiency: effective draws over draws, 1 for
 * independent ones; it sets the length of the tail.  Returns k: infinite where the tail is too short for a fit (fewer than 5 different
 * values), -infinite where all ratios are equal, NaN where a ratio is not finite. */
double psis_smooth(double *log_ratio, size_t n, double efficiency, double *work);

/* Below it k is good for n draws: min(1 - 1 / log10(n), 0.7). */
double psis_threshold(size_t n);

/* Shape and scale of a generalised Pareto distribution for exceedances x [n], ascending and positive (Zhang and Stephens 2009), the shape
 * drawn a little to 1/2 (appendix C of the former).  work [2 (30 + sqrt n)]. */
void psis_fit(const double *x, size_t n, double *work, double *shape /* OUT */, double *scale /* OUT */);

/* log sum exp of x [n]; -INFINITY for none. */
double psis_log_sum_exp(const double *x, size_t n);

#endif
