/* rt_math.h: scalar f64 mathematics, the one definition of every elementary and special function in AIM.
 *
 * Rules that all of it follows:
 *  - Branch-free: selects instead of branches, so that a loop over any function vectorises.  Arguments beyond a function's working range are cut
 *    before the computation, and special values are selected after it.
 *  - The same bits everywhere: only +, -, *, /, sqrt, explicit fma, integer operations and selects, each correctly rounded by IEEE 754, with
 *    -ffp-contract=off; never libm, rsqrt or tables.  x86-64-v2, v3 and v4 agree, and so do compilers.  (NaN payloads and signs are not defined.)
 *  - Rounding to nearest, denormals on.  Flags are not kept.  NaN in gives NaN out (pow has C's two exceptions), and a domain error gives NaN.
 *  - Polynomials are split into even and odd powers, two independent chains of fma: half the latency of Horner's rule at the price of a product.
 *  - Polynomial coefficients come from interpolation at Chebyshev nodes in 90-digit arithmetic, rounded to double.
 *
 * The error bound of each function stands at its definition, in ulp of the result; tests/unit/test_rt_math.c holds each to it against MPFR.
 *
 *   rt_math_core.h    exp expm1 log log1p log1m log1p_exp log1m_exp inv_logit sinh cosh tanh pow cbrt, and abs floor ceil round sign sqrt min max
 *   rt_math_trig.h    sin cos tan sin_pi asin acos atan atan2
 *   rt_math_gamma.h   lgamma digamma trigamma
 *   rt_math_normal.h  erf erfc phi log_phi inv_phi
 *
 * All names are rt_<name>; one double in, one out (pow(x, y), atan2(y, x), min(a, b), max(a, b) take two).
 *
 * Larger ones, which are included where they are wanted and called rather than inlined:
 *
 *   rt_math_incomplete.h  log_gamma_p log_gamma_q log_beta_odds log_student and their derivatives
 *   rt_math_owen.h        owens_t
 *   rt_math_bessel.h      log_bessel_i0e bessel_ratio bessel_gap */
#ifndef RT_MATH_H
#define RT_MATH_H

#include "stdlib/runtime/rt_math_core.h"
#include "stdlib/runtime/rt_math_gamma.h"
#include "stdlib/runtime/rt_math_normal.h"
#include "stdlib/runtime/rt_math_trig.h"

#endif
