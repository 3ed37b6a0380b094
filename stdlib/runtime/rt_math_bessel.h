/* rt_math_bessel.h: the modified Bessel functions I0 and I1, in the two forms that densities on the circle want.  See rt_math.h.
 *
 * Up to 8 by their power series (Abramowitz and Stegun 9.6.10), all terms of which are positive; beyond, sqrt(x) e^-x I0(x) and x (1 - I1(x) / I0(x))
 * are smooth functions of 1 / x, here polynomials in 16 / x - 1. */
#ifndef RT_MATH_BESSEL_H
#define RT_MATH_BESSEL_H

#include "stdlib/runtime/rt_math_core.h"

/* I0(x) and I1(x) / x in powers of x^2. */
static const double rt_bessel_i0_series[] = {
    0x1.0000000000000p+0, 0x1.0000000000000p-2, 0x1.0000000000000p-6, 0x1.c71c71c71c71cp-12, 0x1.c71c71c71c71cp-18, 0x1.23456789abcdfp-24,
    0x1.02e85c0898b71p-31, 0x1.522a43f65486ap-39, 0x1.522a43f65486ap-47, 0x1.0b313289be0b9p-55, 0x1.5601885e63e5dp-64, 0x1.69ca9cf3b7f54p-73,
    0x1.4197a7f5154bcp-82, 0x1.e725594ee52e9p-92, 0x1.3e22d70ef3b5fp-101, 0x1.69f7da8510bcdp-111, 0x1.69f7da8510bcdp-121, 0x1.40a2dc2460523p-131,
    0x1.faaf2fa1c79e5p-142, 0x1.674f8e46c208cp-152, 0x1.cbeaf38dc529fp-163, 0x1.0afb53e9cec0bp-173, 0x1.1a6d4e307528fp-184,
};
static const double rt_bessel_i1_series[] = {
    0x1.0000000000000p-1, 0x1.0000000000000p-4, 0x1.5555555555555p-9, 0x1.c71c71c71c71cp-15, 0x1.6c16c16c16c17p-21, 0x1.845c8a0ce5129p-28,
    0x1.27e4fb7789f5cp-35, 0x1.522a43f65486ap-43, 0x1.2c9758daf5cd0p-51, 0x1.ab81ea75fcdf4p-60, 0x1.f17697cf1cf13p-69, 0x1.e2637bef9ff1ap-78,
    0x1.8bce58901a35ep-87, 0x1.165e7c2d153f3p-96, 0x1.53585cdcbfb10p-106, 0x1.69f7da8510bcdp-116, 0x1.54ad09e6a6575p-126, 0x1.1d028acb00491p-136,
    0x1.aaae78f4066a6p-147, 0x1.1f72d8389b3a3p-157, 0x1.5e69de22df5cep-168, 0x1.84564b82a1184p-179, 0x1.88f11edf3ed4cp-190,
};
/* Beyond 8. */
static const double rt_bessel_i0_far[] = {
    0x1.9bd428ad249a5p-2, 0x1.b87969bb93bcbp-9, 0x1.1daa72b5ccfadp-13, 0x1.75e5ee702e57ap-17, 0x1.8e513c6a21829p-20, 0x1.3f49ac32e14bfp-22,
    0x1.7d0cd4fd1f2b8p-24, 0x1.51ccdc47b6c77p-25, 0x1.7288379f891f7p-26, 0x1.03bcdeab408e2p-27, -0x1.d72c8d3f0b6bcp-28, -0x1.cd5da3da6b614p-27,
    -0x1.58ce729fc478ap-28, 0x1.05248ba2f26a0p-27, 0x1.c034e59a2db9bp-28, -0x1.ece52144ada18p-29, -0x1.3756a636aa04fp-28, 0x1.ba2352eb42f20p-30,
    0x1.295fc465ff477p-29, -0x1.5be16a36a0da0p-31, -0x1.650b3e7f898b0p-31, 0x1.852f5d42d1ca3p-33, 0x1.90df137cc1a36p-34, -0x1.ada2c97f3fdddp-36,
};
static const double rt_bessel_gap_far[] = {
    0x1.044739eb68fe7p-1, 0x1.25b72c5c95077p-7, 0x1.65fa14f71722bp-11, 0x1.74e5ff85549c2p-14, 0x1.2098dce76c48dp-16, 0x1.4159f2cfa30d6p-18,
    0x1.058ffce3e7efep-19, 0x1.24d7ff87fc393p-20, 0x1.3ad56d200348fp-21, -0x1.b76f318be55dbp-29, -0x1.1fd9fd50c3e4ep-21, -0x1.1db27c9132f0fp-21,
    0x1.8d75f29d87af4p-24, 0x1.1f7cf9a09a317p-21, 0x1.e63afd5167d74p-24, -0x1.e5ad19e8fce0ep-22, -0x1.4f85448eab9e6p-23, 0x1.903292f02908ap-22,
    0x1.0def01abc4df4p-23, -0x1.2c4150f9c3591p-22, -0x1.3a634a841c077p-24, 0x1.6d58658b2231dp-23, 0x1.01c7120c2deb0p-25, -0x1.413a0a91f6ccap-24,
    -0x1.08ef776f7c89fp-27, 0x1.61972b10595f6p-26, 0x1.fe0dada7a4690p-31, -0x1.696993f2c61bfp-29,
};

/* The polynomial of n coefficients, by Horner's rule. */
RT_FN double rt_bessel_poly(const double *c, int n, double x)
{
    double p = c[n - 1];
    for (int k = n - 2; k >= 0; k--)
        p = rt_fma(p, x, c[k]);
    return p;
}
#define RT_BESSEL_POLY(c, x) rt_bessel_poly(c, (int)(sizeof(c) / sizeof((c)[0])), x)

/* log(e^-|x| I0(x)): 2e-15, of 1 + |x| below 8. */
RT_FN double rt_log_bessel_i0e(double x)
{
    double a = rt_abs(x);
    int near = a <= 8.0;
    double y = near ? a : 8.0, z = y * y;
    double small_r = rt_log1p(z * rt_bessel_poly(rt_bessel_i0_series + 1, 22, z)) - a;
    double big = near ? 8.0 : a;
    double big_r = rt_log(RT_BESSEL_POLY(rt_bessel_i0_far, 16.0 / big - 1.0)) - 0.5 * rt_log(big);
    double r = near ? small_r : big_r;
    return x != x ? x : (a == RT_INF ? -RT_INF : r);
}

/* 1 - I1(x) / I0(x) for x >= 0: 4e-15 relative. */
RT_FN double rt_bessel_gap(double x)
{
    int near = x <= 8.0;
    double y = near ? x : 8.0, z = y * y;
    double i0 = RT_BESSEL_POLY(rt_bessel_i0_series, z), i1 = y * RT_BESSEL_POLY(rt_bessel_i1_series, z);
    double big = near ? 8.0 : x;
    double big_r = RT_BESSEL_POLY(rt_bessel_gap_far, 16.0 / big - 1.0) / big;
    double r = near ? (i0 - i1) / i0 : big_r;
    return x >= 0.0 ? r : RT_NAN;
}

/* I1(x) / I0(x) for x >= 0: 4e-15 relative. */
RT_FN double rt_bessel_ratio(double x)
{
    int near = x <= 8.0;
    double y = near ? x : 8.0, z = y * y;
    double r = y * RT_BESSEL_POLY(rt_bessel_i1_series, z) / RT_BESSEL_POLY(rt_bessel_i0_series, z);
    return near ? r : 1.0 - rt_bessel_gap(x);
}

#endif
