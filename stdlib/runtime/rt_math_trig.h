/* rt_math_trig.h: circular functions and their inverses.  See rt_math.h. */
#ifndef RT_MATH_TRIG_H
#define RT_MATH_TRIG_H

#include "stdlib/runtime/rt_math_core.h"

/* The largest |x| of sin, cos and tan: beyond it, they give NaN. */
#define RT_TRIG_MAX 0x1p40

#define RT_PIO2_1 0x1.921fb54442d18p+0
#define RT_PIO2_2 0x1.1a62633145c07p-54
#define RT_PIO2_3 -0x1.f1976b7ed8fbcp-110

/* x = k pi/2 + (hi + lo), |hi| <= pi/4 (1 + 2^-12); the low two bits of k are kept.  For |x| <= 2^40 the first product is cancelled exactly by fma,
 * the second is carried as a pair, so lo is good to about 2^-105 absolute. */
typedef struct rt_quadrant {
    double hi, lo;
    uint64_t k;
} rt_quadrant;

RT_FN rt_quadrant rt_reduce_pio2(double x)
{
    double t = rt_fma(x, 0x1.45f306dc9c883p-1, RT_SHIFT);
    double k = t - RT_SHIFT;
    double a = rt_fma(-k, RT_PIO2_1, x);
    double ph = k * RT_PIO2_2, pl = rt_fma(k, RT_PIO2_2, -ph);
    rt_pair b = rt_two_sum(a, -ph);
    double lo = b.lo - rt_fma(k, RT_PIO2_3, pl);
    double hi = b.hi + lo;
    return (rt_quadrant){hi, (b.hi - hi) + lo, rt_bits_of(t)};
}

/* sin(h + l) and cos(h + l) on the reduced range, as pairs: hi + lo before the last rounding. */
RT_FN rt_pair rt_sin_reduced(double h, double l)
{
    double z = h * h;
    double z_sq = z * z;
    double p = -0x1.ab16f5caa198ap-41;
    p = rt_fma(p, z_sq, -0x1.ae645410e937bp-26);
    p = rt_fma(p, z_sq, -0x1.a01a01a01992fp-13);
    p = rt_fma(p, z_sq, -0x1.5555555555555p-3);
    double p_odd = 0x1.61217d9252c03p-33;
    p_odd = rt_fma(p_odd, z_sq, 0x1.71de3a545f836p-19);
    p_odd = rt_fma(p_odd, z_sq, 0x1.111111111111p-7);
    p = rt_fma(p_odd, z, p);
    return (rt_pair){h, rt_fma(h * z, p, rt_fma(-0.5 * z, l, l))};
}

RT_FN rt_pair rt_cos_reduced(double h, double l)
{
    double z = h * h;
    double z_sq = z * z;
    double p = 0x1.1eeb67d026ec6p-29;
    p = rt_fma(p, z_sq, 0x1.a01a019f4ddfdp-16);
    p = rt_fma(p, z_sq, 0x1.5555555555555p-5);
    double p_odd = -0x1.907cd8ff5ede7p-37;
    p_odd = rt_fma(p_odd, z_sq, -0x1.27e4fa16cc2d1p-22);
    p_odd = rt_fma(p_odd, z_sq, -0x1.6c16c16c16963p-10);
    p = rt_fma(p_odd, z, p);
    double half = 0.5 * z;
    double w = 1.0 - half;
    double e = (1.0 - w) - half;
    /* z lost the tail of h^2; it counts at the half ulp. */
    double zl = rt_fma(h, h, -z);
    return (rt_pair){w, e + rt_fma(z * z, p, -rt_fma(h, l, 0.5 * zl))};
}

/* sin x and cos x: 0.6 ulp for |x| <= RT_TRIG_MAX, NaN beyond. */
RT_FN double rt_sin(double x)
{
    rt_quadrant r = rt_reduce_pio2(x);
    rt_pair s = rt_sin_reduced(r.hi, r.lo), c = rt_cos_reduced(r.hi, r.lo);
    int odd = (r.k & 1) != 0;
    double v = (odd ? c.hi : s.hi) + (odd ? c.lo : s.lo);
    v = rt_from_bits(rt_bits_of(v) ^ ((r.k & 2) << 62));
    v = x == 0.0 ? x : v;
    return rt_abs(x) <= RT_TRIG_MAX ? v : RT_NAN;
}

RT_FN double rt_cos(double x)
{
    rt_quadrant r = rt_reduce_pio2(x);
    rt_pair s = rt_sin_reduced(r.hi, r.lo), c = rt_cos_reduced(r.hi, r.lo);
    int odd = (r.k & 1) != 0;
    double v = (odd ? s.hi : c.hi) + (odd ? s.lo : c.lo);
    v = rt_from_bits(rt_bits_of(v) ^ (((r.k + 1) & 2) << 62));
    return rt_abs(x) <= RT_TRIG_MAX ? v : RT_NAN;
}

/* tan x: 1 ulp for |x| <= RT_TRIG_MAX, NaN beyond. */
RT_FN double rt_tan(double x)
{
    rt_quadrant r = rt_reduce_pio2(x);
    rt_pair s = rt_sin_reduced(r.hi, r.lo), c = rt_cos_reduced(r.hi, r.lo);
    double sh = s.hi + s.lo, sl = (s.hi - sh) + s.lo;
    double ch = c.hi + c.lo, cl = (c.hi - ch) + c.lo;
    int odd = (r.k & 1) != 0;
    double n = odd ? -ch : sh, nl = odd ? -cl : sl;
    double d = odd ? sh : ch, dl = odd ? sl : cl;
    double q = n / d;
    double v = q + (rt_fma(-q, d, n) + rt_fma(-q, dl, nl)) / d;
    v = x == 0.0 ? x : v;
    return rt_abs(x) <= RT_TRIG_MAX ? v : RT_NAN;
}

/* sin(pi x) and cos(pi x) with the exact period: zeros at the integers (half-integers) are exact.  1 ulp, for any finite x. */
RT_FN rt_quadrant rt_reduce_pi(double x)
{
    /* From 2^52 on every x is an integer, from 2^53 on an even one. */
    double y = rt_abs(x) >= 0x1p53 ? 0.0 : x;
    y = y - 2.0 * rt_floor(0.5 * y);
    double t = 2.0 * y + RT_SHIFT;
    double f = y - 0.5 * (t - RT_SHIFT);
    double h = f * 0x1.921fb54442d18p+1;
    double l = rt_fma(f, 0x1.921fb54442d18p+1, -h) + f * 0x1.1a62633145c07p-53;
    return (rt_quadrant){h, l, rt_bits_of(t)};
}

RT_FN double rt_sin_pi(double x)
{
    rt_quadrant r = rt_reduce_pi(x);
    rt_pair s = rt_sin_reduced(r.hi, r.lo), c = rt_cos_reduced(r.hi, r.lo);
    int odd = (r.k & 1) != 0;
    double v = (odd ? c.hi : s.hi) + (odd ? c.lo : s.lo);
    v = rt_from_bits(rt_bits_of(v) ^ ((r.k & 2) << 62));
    return rt_abs(x) < RT_INF ? v : RT_NAN;
}

/* The angle of (b, a) / scale for a, b >= 0, not both 0, not huge, not tiny: in [0, pi/2].  The quotient is moved to |t| <= tan(pi/8) by
 * subtracting 0, pi/4 or pi/2, and its remainder is kept. */
RT_FN double rt_angle(double a, double b)
{
    int low = a < 0x1.a827999fcef32p-2 * b, high = b < 0x1.a827999fcef32p-2 * a;
    rt_pair diff = rt_two_sum(a, -b), sum = rt_two_sum(a, b);
    double n = high ? -b : diff.hi, nl = high ? 0.0 : diff.lo;
    double d = high ? a : sum.hi, dl = high ? 0.0 : sum.lo;
    double base = high ? 0x1.921fb54442d18p+0 : 0x1.921fb54442d18p-1;
    double base_lo = high ? 0x1.1a62633145c07p-54 : 0x1.1a62633145c07p-55;
    n = low ? a : n;
    nl = low ? 0.0 : nl;
    d = low ? b : d;
    dl = low ? 0.0 : dl;
    base = low ? 0.0 : base;
    base_lo = low ? 0.0 : base_lo;

    double inv = 1.0 / d;
    double t = n * inv;
    double tl = (rt_fma(-t, d, n) + rt_fma(-t, dl, nl)) * inv;
    double z = t * t;
    double z_sq = z * z;
    double p = -0x1.39f38ad451ea6p-6;
    p = rt_fma(p, z_sq, -0x1.a090d1950d2b4p-5);
    p = rt_fma(p, z_sq, -0x1.10fa5ee9ab25cp-4);
    p = rt_fma(p, z_sq, -0x1.745d0b153ffadp-4);
    p = rt_fma(p, z_sq, -0x1.24924924355d5p-3);
    p = rt_fma(p, z_sq, -0x1.5555555555555p-2);
    double p_odd = 0x1.41495cefb6c73p-5;
    p_odd = rt_fma(p_odd, z_sq, 0x1.dfe49b2919c4ep-5);
    p_odd = rt_fma(p_odd, z_sq, 0x1.3b126143b5cbcp-4);
    p_odd = rt_fma(p_odd, z_sq, 0x1.c71c7184c32bfp-4);
    p_odd = rt_fma(p_odd, z_sq, 0x1.999999999933dp-3);
    p = rt_fma(p_odd, z, p);
    double tail = rt_fma(t * z, p, tl + base_lo);
    rt_pair r = rt_two_sum(base, t);
    return r.hi + (r.lo + tail);
}

/* arc tangent.  0.7 ulp. */
RT_FN double rt_atan(double x)
{
    double a = rt_abs(x);
    double y = a > 0x1p60 ? 0x1p60 : a;
    double r = rt_angle(y, 1.0);
    r = a < 0x1p-27 ? a : r;
    return x != x ? x : rt_copysign(r, x);
}

/* atan2(y, x), the angle of the point (x, y) in [-pi, pi], with C's rules for zeros and infinities.  1 ulp. */
RT_FN double rt_atan2(double y, double x)
{
    double a = rt_abs(y), b = rt_abs(x);
    /* Infinities by the limits of the ratio: (inf, inf) as (1, 1), (inf, x) as (1, 0), (y, inf) as (0, 1). */
    double big = rt_max(a, b);
    a = big == RT_INF ? (a == RT_INF ? 1.0 : 0.0) : a;
    b = big == RT_INF ? (b == RT_INF ? 1.0 : 0.0) : b;
    b = big == 0.0 ? 1.0 : b;
    /* Scaling keeps sums and remainders clear of overflow and underflow; where both cannot be had, the small one is negligible. */
    double top = a > b ? a : b;
    double s = top > 0x1p900 ? 0x1p-200 : 1.0;
    s = top < 0x1p-400 ? 0x1p600 : s;
    double as = a * s, bs = b * s;
    double r = rt_angle(as, bs);
    /* A quotient near or below the normal range has no remainder to keep, and is its own arc tangent. */
    double q = a / b;
    r = q < 0x1p-60 ? q : r;
    /* x < 0, and -0 counts: pi - r. */
    double back = (0x1.921fb54442d18p+1 - r) + 0x1.1a62633145c07p-53;
    r = rt_copysign(1.0, x) < 0.0 ? back : r;
    return ((x != x) | (y != y)) ? x + y : rt_copysign(r, y);
}

/* (asin(s) - s) / s^3 at z = s^2 <= 1/4, relative error 2^-52. */
RT_FN double rt_asin_poly(double z)
{
    double z_sq = z * z;
    double p = 0x1.d78189767524ep-6;
    p = rt_fma(p, z_sq, 0x1.1d661531b222ep-6);
    p = rt_fma(p, z_sq, 0x1.524ea8b3aad31p-7);
    p = rt_fma(p, z_sq, 0x1.c9cf3759fd8ffp-7);
    p = rt_fma(p, z_sq, 0x1.6e8bb1d89492bp-6);
    p = rt_fma(p, z_sq, 0x1.6db6db6e3292ep-5);
    p = rt_fma(p, z_sq, 0x1.5555555555556p-3);
    double p_odd = -0x1.e7a24f548c99fp-7;
    p_odd = rt_fma(p_odd, z_sq, 0x1.653a8f8cfd43cp-8);
    p_odd = rt_fma(p_odd, z_sq, 0x1.78246f32d075cp-7);
    p_odd = rt_fma(p_odd, z_sq, 0x1.1c4d343fa57f6p-6);
    p_odd = rt_fma(p_odd, z_sq, 0x1.f1c71c1d4aa0dp-6);
    p_odd = rt_fma(p_odd, z_sq, 0x1.3333333332ec4p-4);
    p = rt_fma(p_odd, z, p);
    return p;
}

/* arc sine and arc cosine; NaN outside [-1, 1].  1 ulp.  Beyond 1/2, by asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)), the root as a pair. */
RT_FN double rt_asin(double x)
{
    double a = rt_abs(x);
    int in = a <= 0.5;
    double w = 0.5 - 0.5 * a;
    double z = in ? a * a : w;
    double p = rt_asin_poly(z);
    double r_in = rt_fma(a * z, p, a);
    double s = rt_sqrt(w);
    double sl = rt_fma(-s, s, w) / (s + s);
    sl = w > 0.0 ? sl : 0.0;
    rt_pair t = rt_two_sum(0x1.921fb54442d18p+0, -2.0 * s);
    double r_out = t.hi + (t.lo + (0x1.1a62633145c07p-54 - 2.0 * rt_fma(s * z, p, sl)));
    double r = rt_copysign(in ? r_in : r_out, x);
    return a <= 1.0 ? r : RT_NAN;
}

RT_FN double rt_acos(double x)
{
    double a = rt_abs(x);
    int in = a <= 0.5;
    double w = 0.5 - 0.5 * a;
    double z = in ? a * a : w;
    double p = rt_asin_poly(z);
    rt_pair t = rt_two_sum(0x1.921fb54442d18p+0, -x);
    double r_in = t.hi + (t.lo + (0x1.1a62633145c07p-54 - x * z * p));
    double s = rt_sqrt(w);
    double sl = rt_fma(-s, s, w) / (s + s);
    sl = w > 0.0 ? sl : 0.0;
    double tail = rt_fma(s * z, p, sl);
    double r_near = 2.0 * (s + tail);
    rt_pair u = rt_two_sum(0x1.921fb54442d18p+1, -2.0 * s);
    double r_far = u.hi + (u.lo + (0x1.1a62633145c07p-53 - 2.0 * tail));
    double r = x < 0.0 ? r_far : r_near;
    r = in ? r_in : r;
    return a <= 1.0 ? r : RT_NAN;
}

#endif
