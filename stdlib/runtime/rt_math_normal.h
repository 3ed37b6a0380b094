/* rt_math_normal.h: the error function and the normal distribution function, its logarithm and inverse.  See rt_math.h. */
#ifndef RT_MATH_NORMAL_H
#define RT_MATH_NORMAL_H

#include "stdlib/runtime/rt_math_core.h"

/* e^(a^2) erfc(a) for 0 <= a <= 28.3: times (1 + 2 a), it is a smooth function of t = (a - 4) / (a + 4), fitted by a polynomial (as in Schonfelder
 * 1978, "Chebyshev expansions for the error and related functions").  1.5 ulp. */
RT_FN double rt_erfcx_core(double a)
{
    double d = a + 4.0;
    double inv = 1.0 / d;
    double t = (a - 4.0) * inv;
    /* One Newton correction: (a - 4) - t (a + 4), written so that both products are one fma each. */
    double e = rt_fma(-4.0, t + 1.0, a);
    e = rt_fma(-t, a, e);
    t = rt_fma(inv, e, t);
    /* Horner's rule: split, the alternating terms would cancel near t = -1. */
    double p = -0x1.f47207b168acdp-30;
    p = rt_fma(p, t, -0x1.d5bb4c6d5b92dp-27);
    p = rt_fma(p, t, -0x1.09198a32cd9a9p-27);
    p = rt_fma(p, t, 0x1.ef6c0c38d1a2bp-24);
    p = rt_fma(p, t, 0x1.0d535fce28f99p-24);
    p = rt_fma(p, t, -0x1.c05fc977974eap-21);
    p = rt_fma(p, t, 0x1.4392983419eddp-22);
    p = rt_fma(p, t, 0x1.7fb88e391a9fep-18);
    p = rt_fma(p, t, -0x1.78a43458cca4bp-17);
    p = rt_fma(p, t, -0x1.996ad056e530bp-16);
    p = rt_fma(p, t, 0x1.3be0b393ee921p-13);
    p = rt_fma(p, t, -0x1.a1de7c6e9ac9cp-13);
    p = rt_fma(p, t, -0x1.8d4a9dc0d22f3p-11);
    p = rt_fma(p, t, 0x1.49c671893963fp-8);
    p = rt_fma(p, t, -0x1.0962388367b2fp-6);
    p = rt_fma(p, t, 0x1.3079edfa1033fp-5);
    p = rt_fma(p, t, -0x1.0fb06dfe46987p-4);
    p = rt_fma(p, t, 0x1.7fee004df6263p-4);
    p = rt_fma(p, t, -0x1.9ddb23c3e98a6p-4);
    p = rt_fma(p, t, 0x1.16ecefcfa6077p-4);
    p = rt_fma(p, t, 0x1.f7f5df66fd951p-7);
    p = rt_fma(p, t, -0x1.1df1ad154a29cp-3);
    p = rt_fma(p, t, 0x1.3ba5916e9fd7fp+0);
    double b = rt_fma(2.0, a, 1.0);
    double q = p / b;
    /* The quotient's remainder, and what b lost. */
    double bl = rt_fma(2.0, a, 1.0 - b);
    return rt_fma(rt_fma(-q, bl, rt_fma(-q, b, p)), 1.0 / b, q);
}

/* erfc of |x|. */
RT_FN double rt_erfc_abs(double a)
{
    double y = a > 28.0 ? 28.0 : a;
    double s = y * y;
    double e = rt_exp_sum(-s, -rt_fma(y, y, -s));
    return rt_erfcx_core(y) * e;
}

/* 1 - erf(x).  3 ulp, also where it is denormal. */
RT_FN double rt_erfc(double x)
{
    double c = rt_erfc_abs(rt_abs(x));
    return x != x ? x : (x < 0.0 ? 2.0 - c : c);
}

/* The error function.  1.5 ulp. */
RT_FN double rt_erf(double x)
{
    double a = rt_abs(x);
    double y = a > 1.0 ? 1.0 : a;
    double z = y * y;
    /* erf(y) / y - 1 in powers of y^2 */
    double z_sq = z * z;
    double p = 0x1.05fccb83cf37bp-34;
    p = rt_fma(p, z_sq, 0x1.f7b46724de981p-27);
    p = rt_fma(p, z_sq, 0x1.b9df216542643p-20);
    p = rt_fma(p, z_sq, 0x1.f9a321d4dab9dp-14);
    p = rt_fma(p, z_sq, 0x1.565bcd0dba7cep-8);
    p = rt_fma(p, z_sq, 0x1.ce2f21a042b2fp-4);
    p = rt_fma(p, z_sq, 0x1.06eba8214db69p-3);
    double p_odd = -0x1.389c36ba235e9p-30;
    p_odd = rt_fma(p_odd, z_sq, -0x1.5f1ec38082bdcp-23);
    p_odd = rt_fma(p_odd, z_sq, -0x1.f4d1e306e0024p-17);
    p_odd = rt_fma(p_odd, z_sq, -0x1.c02db3dabced8p-11);
    p_odd = rt_fma(p_odd, z_sq, -0x1.b82ce31284df1p-6);
    p_odd = rt_fma(p_odd, z_sq, -0x1.812746b0379e6p-2);
    p = rt_fma(p_odd, z, p);
    double near = rt_fma(y, p, y);
    double far = 1.0 - rt_erfc_abs(a);
    return x != x ? x : rt_copysign(a < 1.0 ? near : far, x);
}

/* Lower tail of the standard normal at -a, a >= 0: e^(-a^2/2) erfcx(a / sqrt 2) / 2, with a^2 as a pair.  The rounding of a / sqrt 2 does no harm in
 * erfcx, unlike in erfc. */
RT_FN double rt_normal_tail(double a)
{
    double y = a > 40.0 ? 40.0 : a;
    double s = y * y;
    double e = rt_exp_sum(-0.5 * s, -0.5 * rt_fma(y, y, -s));
    return 0.5 * rt_erfcx_core(y * 0x1.6a09e667f3bcdp-1) * e;
}

/* The standard normal distribution function.  4 ulp, in the left tail down to the denormals. */
RT_FN double rt_phi(double x)
{
    double c = rt_normal_tail(rt_abs(x));
    return x != x ? x : (x <= 0.0 ? c : 1.0 - c);
}

/* log rt_phi(x) without underflow: 4 ulp for every x.  With the tail t = g e^(-a^2/2): log g - a^2/2 on the left, log(1 - t) on the right, one
 * logarithm for both. */
RT_FN double rt_log_phi(double x)
{
    double a = rt_abs(x);
    double y = a > 39.0 ? 39.0 : a;
    double g = 0.5 * rt_erfcx_core(y * 0x1.6a09e667f3bcdp-1);
    /* Beyond 39 by the asymptotic series: g = (1 - 1/a^2 + 3/a^4 - ...) / (a sqrt(2 pi)). */
    double w = 1.0 / a;
    double z = w * w;
    double p = rt_fma(z, rt_fma(z, rt_fma(z, 10395.0, -945.0), 105.0), -15.0);
    double f = w * 0x1.9884533d43651p-2 * rt_fma(z, rt_fma(z, rt_fma(z, p, 3.0), -1.0), 1.0);
    f = f > 0x1p-1022 ? f : 0x1p-1022;
    f = a > 39.0 ? f : g;
    double s = a * a;
    double sl = s < 0x1p1000 ? rt_fma(a, a, -s) : 0.0;
    double t = g * rt_exp_sum(-0.5 * s, -0.5 * sl);

    int left = x <= 0.0;
    double u = 1.0 - t;
    double l = rt_log_sum(left ? f : u, left ? 0.0 : (1.0 - u) - t, left ? f - 1.0 : -t);
    return x != x ? x : (left ? l - 0.5 * sl - 0.5 * s : l);
}

/* Standard normal quantile: the x with phi(x) = p.  5 ulp; -inf at 0, inf at 1, NaN outside.  Quotients of polynomials in the manner of Wichura 1988
 * (AS 241), on other intervals: in 0.09765625 - (p - 1/2)^2 for |p - 1/2| <= 0.3125, else in r = sqrt(-log min(p, 1 - p)), cut at 3.5 and 9. */
RT_FN double rt_inv_phi(double x)
{
    double c = x - 0.5;
    double lower = x < 0.5 ? x : 1.0 - x;
    int central = rt_abs(c) <= 0.3125;
    double y = central ? rt_fma(-c, c, 0.09765625) : 0.0;
    double y_sq = y * y;
    double p = 0x1.dfdede2fd6bd2p+4;
    p = rt_fma(p, y_sq, 0x1.01ac9d56424aap+10);
    p = rt_fma(p, y_sq, 0x1.2e0f8ca51068ap+8);
    p = rt_fma(p, y_sq, 0x1.6b600f1c645adp+1);
    double p_odd = 0x1.b806cd86ed67ep+8;
    p_odd = rt_fma(p_odd, y_sq, 0x1.a6922aaaad7e2p+9);
    p_odd = rt_fma(p_odd, y_sq, 0x1.82deebe7dde8p+5);
    p = rt_fma(p_odd, y, p);
    double q = 0x1.02078d1e96906p+6;
    q = rt_fma(q, y_sq, 0x1.43ae04c682da2p+9);
    q = rt_fma(q, y_sq, 0x1.0497d8f891511p+7);
    q = rt_fma(q, y_sq, 0x1p+0);
    double q_odd = 0x1.8f63cb86104a5p+8;
    q_odd = rt_fma(q_odd, y_sq, 0x1.a8fa39dc6dedap+8);
    q_odd = rt_fma(q_odd, y_sq, 0x1.29d7c5ac71b17p+4);
    q = rt_fma(q_odd, y, q);
    double mid = c * p / q;

    double r = rt_sqrt(-rt_log(central ? 0.125 : lower));
    int t1 = r < 3.5, t2 = r < 9.0;
#define RT_TAIL(a, b, c) (t1 ? (a) : t2 ? (b) : (c))
    double s = r - RT_TAIL(1.25, 3.5, 9.0);
    double n = RT_TAIL(0x1.2fc13f2c22621p-12, 0.0, 0.0);
    n = rt_fma(n, s, RT_TAIL(0x1.4207a2bbdf825p-7, 0x1.64777961f1722p-18, 0x1.f040a946101b5p-27));
    n = rt_fma(n, s, RT_TAIL(0x1.d7eb787339f71p-4, 0x1.7b992b4c35dbbp-12, 0x1.78d281fabc9a6p-19));
    n = rt_fma(n, s, RT_TAIL(0x1.5e6cb4305f20fp-1, 0x1.2718fbba951f3p-7, 0x1.95b56b3173c05p-13));
    n = rt_fma(n, s, RT_TAIL(0x1.3319a8e46fbc9p+1, 0x1.c68260e7129bbp-4, 0x1.a6353069ba82fp-8));
    n = rt_fma(n, s, RT_TAIL(0x1.46ea754cece38p+2, 0x1.808a3d1daa754p-1, 0x1.da6a712ee2a48p-4));
    n = rt_fma(n, s, RT_TAIL(0x1.8f8db2bb2a8d6p+2, 0x1.6aea453906c29p+1, 0x1.26881f0d0fdafp+0));
    n = rt_fma(n, s, RT_TAIL(0x1.e730be7956baap+1, 0x1.64d69b6b7487ep+2, 0x1.7c4cdbce6a343p+2));
    n = rt_fma(n, s, RT_TAIL(0x1.9d94149596eccp-1, 0x1.1b4e6fb4aea84p+2, 0x1.8e88393d60bcfp+3));
    double d = RT_TAIL(0x1.ad8bb4eac8808p-13, 0x1.709c7296bc742p-41, 0x1.2bb812c2094a1p-54);
    d = rt_fma(d, s, RT_TAIL(0x1.b6c269ee08979p-8, 0x1.f81a76bba9242p-19, 0x1.5ee6fb4dd30ecp-27));
    d = rt_fma(d, s, RT_TAIL(0x1.2dbf82074153dp-4, 0x1.fd4e7af82ec2fp-13, 0x1.fc3d4187a92d5p-20));
    d = rt_fma(d, s, RT_TAIL(0x1.9ec6f28238cdfp-2, 0x1.6a625681e6886p-8, 0x1.f67149fca3679p-14));
    d = rt_fma(d, s, RT_TAIL(0x1.4c8a76a5cb646p+0, 0x1.e8c2472583377p-5, 0x1.c8788316a0ca8p-9));
    d = rt_fma(d, s, RT_TAIL(0x1.394304f181a2ap+1, 0x1.53bf2ead06aaep-2, 0x1.a04b02ce9e299p-5));
    d = rt_fma(d, s, RT_TAIL(0x1.3ab0dc6c0aeb8p+1, 0x1.d62abbf674922p-1, 0x1.727e5f3876d5dp-2));
    d = rt_fma(d, s, RT_TAIL(0x1p+0, 0x1p+0, 0x1p+0));
#undef RT_TAIL
    double tail = n / d;
    double v = central ? mid : rt_copysign(tail, c);
    v = lower == 0.0 ? rt_copysign(RT_INF, c) : v;
    return ((x >= 0.0) & (x <= 1.0)) ? v : RT_NAN;
}

#endif
