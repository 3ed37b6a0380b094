/* rt_math_gamma.h: the logarithm of the gamma function and its derivatives.  See rt_math.h.
 *
 * Below 8 a recurrence moves the argument to an interval around 2 (or 1.5), where a polynomial (or a quotient) stands that has the function's zero
 * as an exact factor; from 8 on there is the asymptotic series in 1/x^2, with fitted coefficients.  Negative arguments are reflected. */
#ifndef RT_MATH_GAMMA_H
#define RT_MATH_GAMMA_H

#include "stdlib/runtime/rt_math_core.h"
#include "stdlib/runtime/rt_math_trig.h"

/* log Gamma(2 + u) / u for |u| <= 1/2. */
RT_FN double rt_lgamma_two(double u)
{
    double u_sq = u * u;
    double p = -0x1.2009c1a550d0dp-23;
    p = rt_fma(p, u_sq, -0x1.ce17528bcf46p-22);
    p = rt_fma(p, u_sq, -0x1.1276ebd557fbp-19);
    p = rt_fma(p, u_sq, -0x1.3cb3be36ad88bp-17);
    p = rt_fma(p, u_sq, -0x1.78de9ab752b81p-15);
    p = rt_fma(p, u_sq, -0x1.d3fd4b679c1c4p-13);
    p = rt_fma(p, u_sq, -0x1.38ac5c2d48207p-10);
    p = rt_fma(p, u_sq, -0x1.e404fc218dbaep-8);
    p = rt_fma(p, u_sq, -0x1.13e001a55760ap-4);
    p = rt_fma(p, u_sq, 0x1.b0ee6072093cep-2);
    double p_odd = 0x1.11fa5e7c86f7bp-24;
    p_odd = rt_fma(p_odd, u_sq, 0x1.b40adb09a1e12p-23);
    p_odd = rt_fma(p_odd, u_sq, 0x1.012012be3900ap-20);
    p_odd = rt_fma(p_odd, u_sq, 0x1.258f3057730fap-18);
    p_odd = rt_fma(p_odd, u_sq, 0x1.580e0afa5585p-16);
    p_odd = rt_fma(p_odd, u_sq, 0x1.a127afee53e7dp-14);
    p_odd = rt_fma(p_odd, u_sq, 0x1.0b36af8779cap-11);
    p_odd = rt_fma(p_odd, u_sq, 0x1.7add6eadb5317p-9);
    p_odd = rt_fma(p_odd, u_sq, 0x1.51322ac7d848ap-6);
    p_odd = rt_fma(p_odd, u_sq, 0x1.4a34cc4a60fa6p-2);
    p = rt_fma(p_odd, u, p);
    return p;
}

/* x (log Gamma(x) - (x - 1/2) log x + x - log(2 pi) / 2) for x >= 8, in z = 1 / x^2. */
RT_FN double rt_stirling_series(double z)
{
    double z_sq = z * z;
    double s = 0x1.96db3f3dd602bp-8;
    s = rt_fma(s, z_sq, 0x1.b94f6d64ea633p-11);
    s = rt_fma(s, z_sq, 0x1.a01a019ee0dafp-11);
    s = rt_fma(s, z_sq, 0x1.5555555555555p-4);
    double s_odd = -0x1.55b3a241f83b1p-6;
    s_odd = rt_fma(s_odd, z_sq, -0x1.f5ff2fc17e10bp-10);
    s_odd = rt_fma(s_odd, z_sq, -0x1.38137ec06f013p-11);
    s_odd = rt_fma(s_odd, z_sq, -0x1.6c16c16c16b29p-9);
    s = rt_fma(s_odd, z, s);
    return s;
}

/* log Gamma(a) for a > 0. */
RT_FN double rt_lgamma_pos(double a)
{
    /* y in [1.5, 2.5) with Gamma(a) = Gamma(y) prod; every subtraction of 1 is exact. */
    double y = a, prod = 1.0;
    for (int i = 0; i < 6; i++) {
        int down = y >= 2.5;
        y = down ? y - 1.0 : y;
        prod = down ? prod * y : prod;
    }
    /* Below 1.5 upwards: Gamma(a) = Gamma(a + 1) / a, or Gamma(a + 2) / (a (a + 1)) below 0.5; u = y - 2 without a rounding. */
    int up = a < 1.5, up2 = a < 0.5;
    double u = up2 ? a : (up ? a - 1.0 : y - 2.0);
    double v = up2 ? rt_fma(a, a, a) : (up ? a : prod);
    int big = a >= 8.0;
    double l = rt_log(big ? a : v);
    u = big ? 0.0 : u;
    double small_r = rt_fma(u, rt_lgamma_two(u), up ? -l : l);
    double w = 1.0 / a;
    double z = w * w;
    double big_r = rt_fma(a - 0.5, l - 1.0, rt_fma(w, rt_stirling_series(z), 0x1.acfe390c97d69p-2));
    return big ? big_r : small_r;
}

/* log |Gamma(x)|.  1e-15 relative for x > 0, for x < 0 that much of the larger term, so that zeros there have a small absolute error.  inf at 0, the
 * negative integers and +-inf. */
RT_FN double rt_lgamma(double x)
{
    double a = rt_abs(x);
    double g = rt_lgamma_pos(a);
    /* |Gamma(-a)| = pi / (a |sin pi a| Gamma(a)). */
    double r = rt_log(0x1.921fb54442d18p+1 / (a * rt_abs(rt_sin_pi(a)))) - g;
    r = ((x < 0.0) & (a > 0x1p-60)) ? r : g;
    return a == RT_INF ? a : r;
}

/* x^2 (log x - 1 / (2 x) - psi(x)) for x >= 8, in z = 1 / x^2. */
RT_FN double rt_digamma_series(double z)
{
    double z_sq = z * z;
    double s = 0x1.47c695ea891f9p-4;
    s = rt_fma(s, z_sq, 0x1.f077209adf882p-8);
    s = rt_fma(s, z_sq, 0x1.0410410195ba1p-8);
    s = rt_fma(s, z_sq, 0x1.5555555555555p-4);
    double s_odd = -0x1.329c8b9447472p-2;
    s_odd = rt_fma(s_odd, z_sq, -0x1.58e68c6db330ap-6);
    s_odd = rt_fma(s_odd, z_sq, -0x1.11110c0ff6574p-8);
    s_odd = rt_fma(s_odd, z_sq, -0x1.1111111110d4fp-7);
    s = rt_fma(s_odd, z, s);
    return s;
}

/* psi(a) for a > 0. */
RT_FN double rt_digamma_pos(double a)
{
    /* psi(a) = psi(y) + n/d with y in [1, 2). */
    int up = a < 1.0;
    double y = up ? a + 1.0 : a;
    double n = up ? -1.0 : 0.0, d = up ? a : 1.0;
    for (int i = 0; i < 6; i++) {
        int down = y >= 2.0;
        y = down ? y - 1.0 : y;
        n = down ? rt_fma(n, y, d) : n;
        d = down ? d * y : d;
    }
    int big = a >= 8.0;
    /* The zero x0 as a pair is an exact factor. */
    double from_zero = (y - 0x1.762d86356be3fp+0) - 0x1.b86a722197829p-54;
    double v = big ? 0.0 : y - 1.5;
    double v_sq = v * v;
    double p = 0x1.c5210f389de8ap-22;
    p = rt_fma(p, v_sq, 0x1.0fe459106be34p-7);
    p = rt_fma(p, v_sq, 0x1.0708b9d1b0a04p-1);
    p = rt_fma(p, v_sq, 0x1.e6f0cbb873616p-1);
    double p_odd = 0x1.dab76fd6c734ep-13;
    p_odd = rt_fma(p_odd, v_sq, 0x1.98dd09bcfae22p-4);
    p_odd = rt_fma(p_odd, v_sq, 0x1.2a973dbba55d3p+0);
    p = rt_fma(p_odd, v, p);
    double q = 0x1.87533bc02586cp-15;
    q = rt_fma(q, v_sq, 0x1.52f89d6eae20cp-5);
    q = rt_fma(q, v_sq, 0x1.082cc901a5045p+0);
    q = rt_fma(q, v_sq, 0x1p+0);
    double q_odd = 0x1.4818ecdc1175bp-9;
    q_odd = rt_fma(q_odd, v_sq, 0x1.30f59a8a3eae4p-2);
    q_odd = rt_fma(q_odd, v_sq, 0x1.abfca1fee5cffp+0);
    q = rt_fma(q_odd, v, q);
    double small_r = rt_fma(from_zero, p / q, n / d);
    double w = 1.0 / a;
    double z = w * w;
    double big_r = rt_log(a) - rt_fma(z, rt_digamma_series(z), 0.5 * w);
    return big ? big_r : small_r;
}

/* Digamma, the derivative of log Gamma.  1.5e-15 relative for x > 0; for x < 0 that much of the larger term.  -inf at +0, inf at -0, NaN at negative
 * integers and -inf. */
RT_FN double rt_digamma(double x)
{
    double a = rt_abs(x);
    double g = rt_digamma_pos(a);
    /* psi(-a) = psi(a) + 1/a + pi cot(pi a). */
    rt_quadrant t = rt_reduce_pi(a);
    rt_pair s = rt_sin_reduced(t.hi, t.lo), c = rt_cos_reduced(t.hi, t.lo);
    double sv = s.hi + s.lo, cv = c.hi + c.lo;
    int odd = (t.k & 1) != 0;
    double cot = (odd ? -sv : cv) / (odd ? cv : sv);
    double r = g + rt_fma(0x1.921fb54442d18p+1, cot, 1.0 / a);
    r = rt_floor(a) == a ? RT_NAN : r;
    r = x < 0.0 ? (a < 0x1p-60 ? 1.0 / a : r) : g;
    r = x == RT_INF ? x : r;
    return x == 0.0 ? -1.0 / x : r;
}

/* psi'(a) for a > 0. */
RT_FN double rt_trigamma_pos(double a)
{
    /* psi'(a) = n/d + psi'(y), n/d the sum of 1 / (a + i)^2, i < 8. */
    int big = a >= 8.0;
    double y = a, n = 0.0, d = 1.0;
    for (int i = 0; i < 8; i++) {
        double q = y * y;
        n = rt_fma(n, q, d);
        d = d * q;
        y = y + 1.0;
    }
    y = big ? a : y;
    double w = 1.0 / y;
    double z = w * w;
    double z_sq = z * z;
    double s = 0x1.1bff0669ab675p+0;
    s = rt_fma(s, z_sq, 0x1.36483712847aap-4);
    s = rt_fma(s, z_sq, 0x1.8618617b7b3dcp-6);
    s = rt_fma(s, z_sq, 0x1.5555555555555p-3);
    double s_odd = -0x1.24d1c33dc9ab4p+2;
    s_odd = rt_fma(s_odd, z_sq, -0x1.0273c08f66ee2p-2);
    s_odd = rt_fma(s_odd, z_sq, -0x1.111106575c1bfp-5);
    s_odd = rt_fma(s_odd, z_sq, -0x1.11111111100fbp-5);
    s = rt_fma(s_odd, z, s);
    double tail = rt_fma(z, rt_fma(w, s, 0.5), w);
    double inv = 1.0 / a;
    double r = tail + (big ? 0.0 : n / d);
    return a < 0x1p-30 ? inv * inv : r;
}

/* Trigamma, the second derivative of log Gamma.  1.5e-15 relative for x > 0; for x < 0 that much of the larger term.  inf at 0 and the negative
 * integers, NaN at -inf. */
RT_FN double rt_trigamma(double x)
{
    double a = rt_abs(x);
    double g = rt_trigamma_pos(a);
    /* psi'(-a) = (pi / sin pi a)^2 - psi'(a) + 1/a^2. */
    double c = 0x1.921fb54442d18p+1 / rt_sin_pi(a);
    double inv = 1.0 / a;
    double r = rt_fma(c, c, rt_fma(inv, inv, -g));
    r = rt_floor(a) == a ? RT_INF : r;
    r = ((x < 0.0) & (a >= 0x1p-30)) ? r : g;
    r = x == -RT_INF ? RT_NAN : r;
    return x == RT_INF ? 0.0 : r;
}

#endif
