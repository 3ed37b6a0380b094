/* rt_math_core.h: exp, log and their family, roots and rounding.  See rt_math.h for the rules all of it follows. */
#ifndef RT_MATH_CORE_H
#define RT_MATH_CORE_H

#include <stddef.h>
#include <stdint.h>

#define RT_FN static inline __attribute__((always_inline, unused))

#define RT_INF __builtin_inf()
#define RT_NAN __builtin_nan("")
#define RT_HALF_LOG_2PI 0x1.d67f1c864beb5p-1

RT_FN double rt_fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
RT_FN double rt_abs(double x) { return __builtin_fabs(x); }
RT_FN double rt_copysign(double x, double sign) { return __builtin_copysign(x, sign); }

RT_FN uint64_t rt_bits_of(double x)
{
    uint64_t u;
    __builtin_memcpy(&u, &x, sizeof u);
    return u;
}

RT_FN double rt_from_bits(uint64_t u)
{
    double x;
    __builtin_memcpy(&x, &u, sizeof x);
    return x;
}

/* Exact or correctly rounded.  rt_round takes the nearest integer, ties to even; sign is NaN for NaN and +0 for zeros. */
RT_FN double rt_floor(double x) { return __builtin_floor(x); }
RT_FN double rt_ceil(double x) { return __builtin_ceil(x); }
RT_FN double rt_round(double x) { return __builtin_rint(x); }
RT_FN double rt_sqrt(double x) { return __builtin_sqrt(x); }
RT_FN double rt_neg(double x) { return -x; }
RT_FN double rt_square(double x) { return x * x; }
RT_FN double rt_recip(double x) { return 1.0 / x; }
RT_FN double rt_sign(double x)
{
    double s = x > 0.0 ? 1.0 : 0.0;
    s = x < 0.0 ? -1.0 : s;
    return x != x ? x : s;
}

/* NaN if an operand is; which zero comes out of (+0, -0) is b, the second. */
RT_FN double rt_min(double a, double b)
{
    double r = a < b ? a : b;
    return a != a ? a : r;
}
RT_FN double rt_max(double a, double b)
{
    double r = a > b ? a : b;
    return a != a ? a : r;
}

/* ln 2 as a 42-bit head, so that k * head is exact for every exponent k, and a tail. */
#define RT_LN2_HI 0x1.62e42fefa38p-1
#define RT_LN2_LO 0x1.ef35793c7673p-45
#define RT_LOG2E 0x1.71547652b82fep+0
/* Adding this to |t| < 2^51 rounds t to an integer, ties to even, and leaves that integer in the low bits. */
#define RT_SHIFT 0x1.8p52

/* p 2^k for integer |k| <= 2000 held in a double: two exact-until-the-last factors, so that denormal results are rounded once. */
RT_FN double rt_scale(double p, double k)
{
    double h = rt_fma(k, 0.5, RT_SHIFT);
    double g = (k - (h - RT_SHIFT)) + RT_SHIFT;
    double f1 = rt_from_bits((rt_bits_of(h) + 1023) << 52);
    double f2 = rt_from_bits((rt_bits_of(g) + 1023) << 52);
    return p * f1 * f2;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2, relative error 2^-57. */
RT_FN double rt_exp_poly(double r)
{
    double r_sq = r * r;
    double p = 0x1.1f731ea510b96p-29;
    p = rt_fma(p, r_sq, 0x1.27e4db574447dp-22);
    p = rt_fma(p, r_sq, 0x1.a01a01a6dcafep-16);
    p = rt_fma(p, r_sq, 0x1.6c16c16c162ccp-10);
    p = rt_fma(p, r_sq, 0x1.5555555555556p-5);
    p = rt_fma(p, r_sq, 0x1p-1);
    double p_odd = 0x1.af4e196027428p-26;
    p_odd = rt_fma(p_odd, r_sq, 0x1.71de021a90822p-19);
    p_odd = rt_fma(p_odd, r_sq, 0x1.a01a01abef415p-13);
    p_odd = rt_fma(p_odd, r_sq, 0x1.11111111100cep-7);
    p_odd = rt_fma(p_odd, r_sq, 0x1.5555555555557p-3);
    p = rt_fma(p_odd, r, p);
    return p;
}

/* e^(x + lo) for a small correction lo, |lo| < 2^-40 |x|: 0.6 ulp from the evaluation. */
RT_FN double rt_exp_sum(double x, double lo)
{
    double y = x < -800.0 ? -800.0 : x;
    y = y > 800.0 ? 800.0 : y;
    lo = y == x ? lo : 0.0;
    double k = rt_fma(y, RT_LOG2E, RT_SHIFT) - RT_SHIFT;
    double a = rt_fma(-k, RT_LN2_HI, y);
    double r = rt_fma(-k, RT_LN2_LO, a);
    double rl = rt_fma(-k, RT_LN2_LO, a - r) + lo;
    double q = rt_exp_poly(r);
    double h = 1.0 + r;
    double e = (1.0 - h) + r;
    double t = r * r * q;
    /* e^(r + rl) = 1 + r + t + rl (1 + r + t) */
    return rt_scale(h + (e + rt_fma(rl, r + t, rl) + t), k);
}

/* e^x.  1 ulp; overflows to inf, underflows through the denormals to 0. */
RT_FN double rt_exp(double x)
{
    double y = x < -800.0 ? -800.0 : x;
    y = y > 800.0 ? 800.0 : y;
    double k = rt_fma(y, RT_LOG2E, RT_SHIFT) - RT_SHIFT;
    double a = rt_fma(-k, RT_LN2_HI, y);
    double r = rt_fma(-k, RT_LN2_LO, a);
    double q = rt_exp_poly(r);
    return rt_scale(1.0 + rt_fma(r * r, q, r), k);
}

/* An unevaluated sum hi + lo. */
typedef struct rt_pair {
    double hi, lo;
} rt_pair;

/* a + b = hi + lo exactly, for any a and b. */
RT_FN rt_pair rt_two_sum(double a, double b)
{
    double s = a + b;
    double t = s - a;
    return (rt_pair){s, (a - (s - t)) + (b - t)};
}

/* e^x - 1 as a pair, to about 2^-58 relative, for x <= 709. */
RT_FN rt_pair rt_expm1_pair(double x)
{
    double y = x < -60.0 ? -60.0 : x;
    double k = rt_fma(y, RT_LOG2E, RT_SHIFT) - RT_SHIFT;
    double a = rt_fma(-k, RT_LN2_HI, y);
    double r = rt_fma(-k, RT_LN2_LO, a);
    double rl = rt_fma(-k, RT_LN2_LO, a - r);
    double q = rt_fma(r * r, rt_exp_poly(r), rt_fma(r, rl, rl));
    /* 2^k (1 + r + q) - 1, with 2^k - 1 and 2^k r exact where it matters. */
    double s = rt_from_bits((rt_bits_of(k + RT_SHIFT) + 1023) << 52);
    rt_pair t = rt_two_sum(s - 1.0, s * r);
    double lo = rt_fma(s, q, t.lo);
    double hi = t.hi + lo;
    return (rt_pair){hi, (t.hi - hi) + lo};
}

/* e^x - 1.  0.6 ulp near 0, under 1 ulp everywhere. */
RT_FN double rt_expm1(double x)
{
    double y = x > 709.0 ? 709.0 : x;
    rt_pair t = rt_expm1_pair(y);
    double r = x > 709.0 ? rt_exp(x) : t.hi;
    return x == 0.0 ? x : r;
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), for finite x > 0, denormals included. */
typedef struct rt_log_split {
    double k, m;
} rt_log_split;

RT_FN rt_log_split rt_split(double x)
{
    int small = x < 0x1p-1022;
    double y = small ? x * 0x1p54 : x;
    uint64_t u = rt_bits_of(y);
    /* Offsetting by 1 / sqrt(2) makes the exponent field change at the ends of m's interval. */
    uint64_t e = (u + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu)) >> 52;
    double m = rt_from_bits(u - (e << 52) + 0x3ff0000000000000u);
    double k = rt_from_bits(e | 0x4330000000000000u) - (0x1p52 + 1023.0);
    return (rt_log_split){small ? k - 54.0 : k, m};
}

/* With s = f / (2 + f) and z = s^2, log(1 + f) = f - f^2/2 + s (f^2/2 + R(z)), where 2 s + s R is the series of 2 atanh(s).  R(z) / z, for 1 + f in
 * [sqrt(1/2), sqrt(2)). */
RT_FN double rt_log_series(double z)
{
    double z_sq = z * z;
    double p = 0x1.2b5f68a50d903p-3;
    p = rt_fma(p, z_sq, 0x1.7462b91b8df65p-3);
    p = rt_fma(p, z_sq, 0x1.2492492dfd86cp-2);
    p = rt_fma(p, z_sq, 0x1.5555555555558p-1);
    double p_odd = 0x1.39fdcceb4bb45p-3;
    p_odd = rt_fma(p_odd, z_sq, 0x1.c71c62d5e53ep-3);
    p_odd = rt_fma(p_odd, z_sq, 0x1.9999999995273p-2);
    return rt_fma(p_odd, z, p);
}

/* log(1 + f) 2^k's parts joined: k ln 2 + log(1 + f) + c, for 1 + f in [sqrt(1/2), sqrt(2)) and a correction c. */
RT_FN double rt_log_join(double k, double f, double c)
{
    double s = f / (2.0 + f);
    double z = s * s;
    double h = 0.5 * f * f;
    double t = rt_fma(s, rt_fma(rt_log_series(z), z, h), rt_fma(k, RT_LN2_LO, c));
    return rt_fma(k, RT_LN2_HI, f - (h - t));
}

/* log x.  0.8 ulp; -inf at 0, NaN below. */
RT_FN double rt_log(double x)
{
    rt_log_split t = rt_split(x);
    double r = rt_log_join(t.k, t.m - 1.0, 0.0);
    r = x == RT_INF ? x : r;
    double edge = x == 0.0 ? -RT_INF : RT_NAN;
    return x > 0.0 ? r : edge;
}

/* log(u + c) for finite u > 0, where c is what the rounding of u lost, and f = u + c - 1 if u is in [sqrt(1/2), sqrt(2)). */
RT_FN double rt_log_sum(double u, double c, double f)
{
    rt_log_split t = rt_split(u);
    int plain = t.k == 0.0;
    return rt_log_join(t.k, plain ? f : t.m - 1.0, plain ? 0.0 : c / u);
}

/* log(1 + x).  1 ulp; -inf at -1, NaN below. */
RT_FN double rt_log1p(double x)
{
    double u = 1.0 + x;
    double big = x - (u - 1.0), tiny = 1.0 - (u - x);
    double r = rt_log_sum(u, rt_abs(x) >= 1.0 ? tiny : big, x);
    r = x == RT_INF ? x : r;
    r = x == 0.0 ? x : r;
    double edge = x == -1.0 ? -RT_INF : RT_NAN;
    return x > -1.0 ? r : edge;
}

/* log(1 - x).  1 ulp. */
RT_FN double rt_log1m(double x) { return rt_log1p(-x); }

/* log(1 + e^x), the softplus.  2 ulp. */
RT_FN double rt_log1p_exp(double x)
{
    double t = rt_log1p(rt_exp(-rt_abs(x)));
    return x != x ? x : (x > 0.0 ? x + t : t);
}

/* log(1 - e^x), x <= 0: -inf at 0, NaN above.  3 ulp.  1 - e^x is the pair of expm1 above -ln 2 and 1 + (-e^x) below. */
RT_FN double rt_log1m_exp(double x)
{
    double y = x > 0.0 ? 0.0 : x;
    y = y < -800.0 ? -800.0 : y;
    double e = rt_exp(y);
    double t = -rt_expm1_pair(y).hi;
    int near = x > -0x1.62e42fefa39efp-1;
    double u = 1.0 - e;
    double r = rt_log_sum(near ? t : u, near ? 0.0 : (1.0 - u) - e, near ? t - 1.0 : -e);
    double edge = x == 0.0 ? -RT_INF : RT_NAN;
    return x < 0.0 ? r : edge;
}

/* 1 / (1 + e^-x).  2 ulp, in the left tail too. */
RT_FN double rt_inv_logit(double x)
{
    double e = rt_exp(-rt_abs(x));
    double n = x < 0.0 ? e : 1.0;
    return x != x ? x : (n / (1.0 + e));
}

/* sinh x.  2 ulp; 3 ulp beyond 700, where e^|x| / 2 is formed as a product of halves lest it overflow early. */
RT_FN double rt_sinh(double x)
{
    double a = rt_abs(x);
    double y = a > 700.0 ? 700.0 : a;
    rt_pair t = rt_expm1_pair(y);
    /* (t + t / (t + 1)) / 2, the second term below the first. */
    double d = t.hi / (t.hi + 1.0);
    double r = 0.5 * (t.hi + (d + t.lo));
    double e = rt_exp_sum(0.5 * a, 0.0);
    double big = 0.5 * e * e;
    r = a > 700.0 ? big : r;
    r = a < 0x1p-28 ? a : r;
    return x != x ? x : rt_copysign(r, x);
}

/* cosh x.  2 ulp; beyond 700 as for sinh. */
RT_FN double rt_cosh(double x)
{
    double a = rt_abs(x);
    double y = a > 700.0 ? 700.0 : a;
    double t = rt_exp(y);
    double r = rt_fma(0.5, t, 0.5 / t);
    double e = rt_exp_sum(0.5 * a, 0.0);
    double big = 0.5 * e * e;
    return x != x ? x : (a > 700.0 ? big : r);
}

/* tanh x = t / (t + 2), t = e^(2 |x|) - 1, with the quotient corrected by its remainder.  1 ulp. */
RT_FN double rt_tanh(double x)
{
    double a = rt_abs(x);
    double y = a > 20.0 ? 20.0 : a;
    rt_pair t = rt_expm1_pair(2.0 * y);
    rt_pair d = rt_two_sum(2.0, t.hi);
    double inv = 1.0 / d.hi;
    double q = t.hi * inv;
    double rem = rt_fma(-q, d.hi, t.hi) + rt_fma(-q, d.lo + t.lo, t.lo);
    double r = rt_fma(rem, inv, q);
    r = a < 0x1p-30 ? a : r;
    return x != x ? x : rt_copysign(r, x);
}

/* x^y.  0.6 ulp: log x to 2^-64 relative as a pair, so that the exponent up to 745 keeps its last bits.  C's rules: x^0 = 1^y = 1 even for NaN;
 * a negative x needs an integer y; zeros and infinities by sign and parity. */
RT_FN double rt_pow(double x, double y)
{
    double a = rt_abs(x);
    rt_log_split t = rt_split(a);
    double f = t.m - 1.0;
    double d = 2.0 + f, dl = f - (d - 2.0);
    double inv = 1.0 / d;
    double s = f * inv;
    double sl = (rt_fma(-s, d, f) - s * dl) * inv;
    double z = s * s;
    double zl = rt_fma(s, s, -z) + 2.0 * s * sl;
    /* log m = s (2 + z (2/3 + z T)), T to double precision, the rest in pairs. */
    double z_sq = z * z;
    double p = 0x1.087e4945615c6p-3;
    p = rt_fma(p, z_sq, 0x1.3b18bc82cc745p-3);
    p = rt_fma(p, z_sq, 0x1.c71c71d7fbbacp-3);
    p = rt_fma(p, z_sq, 0x1.999999999999fp-2);
    double p_odd = 0x1.1018374c7f117p-3;
    p_odd = rt_fma(p_odd, z_sq, 0x1.745d09e3d8241p-3);
    p_odd = rt_fma(p_odd, z_sq, 0x1.249249248e4d8p-2);
    p = rt_fma(p_odd, z, p);
    double zt = z * p;
    double ch = 0x1.5555555555555p-1 + zt;
    double cl = (0x1.5555555555555p-1 - ch) + zt + 0x1.5555555555555p-55;
    double wh = z * ch;
    double wl = rt_fma(z, ch, -wh) + rt_fma(z, cl, zl * ch);
    double vh = 2.0 + wh;
    double vl = (2.0 - vh) + wh + wl;
    double mh = s * vh;
    double ml = rt_fma(s, vh, -mh) + rt_fma(s, vl, sl * vh);
    rt_pair l = rt_two_sum(t.k * RT_LN2_HI, mh);
    double ll = l.lo + rt_fma(t.k, RT_LN2_LO, ml);
    double lh = l.hi + ll;
    ll = (l.hi - lh) + ll;

    /* Past these bounds the result is 0 or inf; y is cut so that no NaN arises on the way. */
    double yc = y > 0x1p1000 ? 0x1p1000 : y;
    yc = yc < -0x1p1000 ? -0x1p1000 : yc;
    double ph = yc * lh;
    double pl = rt_fma(yc, lh, -ph) + yc * ll;
    double r = rt_exp_sum(ph, rt_abs(ph) < 800.0 ? pl : 0.0);

    int y_int = rt_round(y) == y;
    int y_odd = y_int & (rt_round(0.5 * y) != 0.5 * y);
    double at_zero = y < 0.0 ? RT_INF : 0.0;
    double at_inf = y < 0.0 ? 0.0 : RT_INF;
    r = a == 0.0 ? at_zero : r;
    r = a == RT_INF ? at_inf : r;
    r = ((x < 0.0) & !y_int & (a != RT_INF)) ? RT_NAN : r;
    double signed_r = y_odd ? rt_copysign(r, x) : r;
    signed_r = ((x != x) | (y != y)) ? x + y : signed_r;
    /* (-1)^(+-inf) is 1 too. */
    int one = (x == 1.0) | (y == 0.0) | ((x == -1.0) & (rt_abs(y) == RT_INF));
    return one ? 1.0 : signed_r;
}

/* Cube root.  0.7 ulp: a quartic start, two Halley steps, the last with its residual taken almost exactly. */
RT_FN double rt_cbrt(double x)
{
    double a = rt_abs(x);
    int small = a < 0x1p-1022;
    double y = small ? a * 0x1p54 : a;
    uint64_t u = rt_bits_of(y);
    /* a = 2^(3 (q - 341)) m with m in [1/2, 4): the exponent + 1 + 3 * 341 is divided by three, by a multiplication exact below 2^16. */
    uint64_t q = (((u >> 52) + 1) * 43691) >> 17;
    double m = rt_from_bits(u - ((q * 3) << 52) + 0x3ff0000000000000u);
    double p = -0x1.dfbec21cd6b88p-9;
    p = rt_fma(p, m, 0x1.6b8c6045ec536p-5);
    p = rt_fma(p, m, -0x1.b9f57325a5fd1p-3);
    p = rt_fma(p, m, 0x1.4f000ea765c61p-1);
    p = rt_fma(p, m, 0x1.09ba15998544ap-1);
    double c = p * p * p;
    p = p - p * (c - m) / (2.0 * c + m);
    double p2 = p * p;
    double p2l = rt_fma(p, p, -p2);
    double res = rt_fma(p2, p, -m) + p2l * p;
    double r = p - p * res / (2.0 * p2 * p + m);
    double scale = rt_from_bits((q + 1023 - 341 - (small ? 18 : 0)) << 52);
    r = r * scale;
    r = ((a == 0.0) | (a == RT_INF)) ? a : r;
    return x != x ? x : rt_copysign(r, x);
}

#endif
