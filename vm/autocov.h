/* autocov.h: autocovariances of several equally long series, averaged over the series.
 *
 * The sum that effective sample sizes need: for lag t,
 *     acov(t) = 1/m sum_c 1/n sum_i y_c[i] y_c[i + t],
 * with y the centred series.  The first AUTOCOV_DIRECT lags are summed directly, each when it is asked for: chains that mix
 * need no more.  A larger lag costs one Fourier transform for every two series (their autocorrelations add in the real part of
 * that of y_1 + i y_2) and one back, and gives all lags at once. */
#ifndef AIM_VM_AUTOCOV_H
#define AIM_VM_AUTOCOV_H

#include <stddef.h>

enum { AUTOCOV_DIRECT = 64 };

typedef struct autocov {
  const double *y; /* [m][n] centred, borrowed */
  size_t m, n;     /* m is even */
  size_t known;    /* lags below this are in value */
  double *value;   /* [n] */
  double *fourier; /* workspace */
  size_t size;     /* of the transform: a power of 2, at least 2 n */
} autocov;

/* Doubles of workspace for n values in a series; 0 if that does not fit. */
size_t autocov_doubles(size_t n);
void autocov_init(autocov *a, const double *y, size_t m, size_t n, double *work);
/* acov(t), t < n.  Lags are asked for in any order. */
double autocov_at(autocov *a, size_t t);

#endif
