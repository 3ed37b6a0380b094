/* rt_math_incomplete.h: the regularised incomplete gamma and beta functions as logarithms, with their derivatives, and Student's distribution function.
 * See rt_math.h.
 *
 * All are integrals of one shape.  On the side of the peak where the mass is the smaller, the integrand in the logarithm v of the variable (of its
 * odds for beta), divided by its value at the end of the range, falls from 1 as e^-E(v) with
 *
 *     E(v) = -delta v + x phi(v),      phi(v) = e^v - 1 - v                       (gamma)
 *     E(v) = -delta v + n psi(v),      psi(v) = log(y + x e^v) - x v              (beta, y = 1 - x)
 *
 * convex, with E(0) = 0; written so, nothing cancels near the peak, whatever the size of the parameters.  The integral is cut where E = 40 (three steps of
 * Newton's method from an upper bound; a rough cut will do) and taken by the Gauss-Legendre rule with 32 nodes, which is exact to rounding for
 * such functions.  Where a tail towards 0 would fall too slowly (a shape near 0), eight terms of the series
 * P(a, x) = P(a + 1, x) + x^a e^-x / Gamma(a + 1) come first, and likewise for beta (Abramowitz and Stegun 6.5.21, 26.5.16).  Derivatives with respect to the
 * parameters are the means of those of -E under the same integrand: sums of terms of one sign.  The other side is the complement; with a shape below 1,
 * where that would lose digits, it comes from a power series: Q of gamma as in Gautschi 1979, "A computational procedure for incomplete gamma
 * functions", and 1 - I of beta likewise.
 *
 * A function is what is made of the moments of its quadrature, which are shared with its derivatives.  The loop over the nodes is one of vectors.
 * Errors: 2e-15 of the sum of the absolute terms of a logarithm, 2e-14 of a derivative's. */
#ifndef RT_MATH_INCOMPLETE_H
#define RT_MATH_INCOMPLETE_H

#include "stdlib/runtime/rt_math_core.h"
#include "stdlib/runtime/rt_math_gamma.h"

/* A large piece, which is called: one copy of each is enough, and its value depends on its operands alone, so that a compiler can share the calls that a
 * function and its derivatives have in common. */
#ifndef RT_PIECE
#define RT_PIECE static __attribute__((noinline, unused))
#endif

enum { RT_NODES = 32 };

/* Nodes on (0, 1) and their weights. */
static const double rt_node[RT_NODES] = {
    0x1.66a18fbf64a0fp-10, 0x1.d77b63ad0c91bp-8, 0x1.20aae7fac455ap-6, 0x1.0a9fed30405eep-5, 0x1.a8ab25d459a36p-5,
    0x1.347ec0a5e57b4p-4, 0x1.a4e5adf8ed0ebp-4, 0x1.123ed9c52d88dp-3, 0x1.590aec76f00edp-3, 0x1.a62dd72d3a6b8p-3,
    0x1.f8ef3af329ac5p-3, 0x1.2844a541c8387p-2, 0x1.5615518d42105p-2, 0x1.857c20798fdadp-2, 0x1.b607c563a0372p-2,
    0x1.e74437b7733b6p-2, 0x1.0c5de42446625p-1, 0x1.24fc1d4e2fe47p-1, 0x1.3d41efc338129p-1, 0x1.54f557395ef7dp-1,
    0x1.6bddad5f1be3cp-1, 0x1.81c431433594fp-1, 0x1.96748a34b1652p-1, 0x1.a9bd44e243fc5p-1, 0x1.bb70498eb49ddp-1,
    0x1.cb634a40e25e3p-1, 0x1.d97027eb43509p-1, 0x1.e5754da2ba65dp-1, 0x1.ef56012cfbfa1p-1, 0x1.f6faa8c029dd5p-1,
    0x1.fc510938a5e6ep-1, 0x1.ff4caf38204dbp-1,
};
static const double rt_weight[RT_NODES] = {
    0x1.cbf8bc743cc5cp-9, 0x1.0aa3c248696c9p-7, 0x1.a0060a8531ffap-7, 0x1.18c5800a355d9p-6, 0x1.5ee963a335495p-6,
    0x1.a1c6ae961fbfap-6, 0x1.e0bd76c924981p-6, 0x1.0d9b9a62cac10p-5, 0x1.2854103b35e0cp-5, 0x1.40483e126fd14p-5,
    0x1.553ee25ebebc6p-5, 0x1.6705e18e13ed1p-5, 0x1.7572bdb3f6e51p-5, 0x1.8062fc0f6fef9p-5, 0x1.87bc776f8c6d7p-5,
    0x1.8b6d9eaec77adp-5, 0x1.8b6d9eaec77adp-5, 0x1.87bc776f8c6d7p-5, 0x1.8062fc0f6fef9p-5, 0x1.7572bdb3f6e51p-5,
    0x1.6705e18e13ed1p-5, 0x1.553ee25ebebc6p-5, 0x1.40483e126fd14p-5, 0x1.2854103b35e0cp-5, 0x1.0d9b9a62cac10p-5,
    0x1.e0bd76c924981p-6, 0x1.a1c6ae961fbfap-6, 0x1.5ee963a335495p-6, 0x1.18c5800a355d9p-6, 0x1.a0060a8531ffap-7,
    0x1.0aa3c248696c9p-7, 0x1.cbf8bc743cc5cp-9,
};

/* Nodes are independent of each other, so the loop over them can be one of vectors. */
#if defined(__clang__)
#define RT_NODE_LOOP _Pragma("clang loop vectorize(assume_safety) vectorize_width(8) interleave(disable)")
#else
#define RT_NODE_LOOP _Pragma("GCC ivdep")
#endif

/* Loops of a few steps, which are to be straight code where many elements are computed together. */
#if defined(__clang__)
#define RT_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define RT_UNROLLED _Pragma("GCC unroll 8")
#endif

/* The integral of e^-E(v) over v = (0, cut), below 0 if the cut is, and that of a derivative of -E under it. */
typedef struct rt_moments {
    double mass, first;
} rt_moments;

/* The order in which values at nodes are added: halves onto halves. */
RT_FN double rt_node_tree(double *f)
{
    for (int h = RT_NODES / 2; h > 0; h /= 2)
        for (int k = 0; k < h; k++)
            f[k] += f[k + h];
    return f[0];
}

/* ---- pieces of both */

/* e^x for x <= 1, 0 below -700: 1 ulp. */
RT_FN double rt_exp_fall(double x)
{
    double y = x < -700.0 ? -700.0 : x;
    double t = rt_fma(y, RT_LOG2E, RT_SHIFT);
    double k = t - RT_SHIFT;
    double r = rt_fma(-k, RT_LN2_LO, rt_fma(-k, RT_LN2_HI, y));
    double s = rt_from_bits((rt_bits_of(t) + 1023) << 52);
    return s * (1.0 + rt_fma(r * r, rt_exp_poly(r), r));
}

/* phi(v) = e^v - 1 - v for |v| <= 700: 4 ulp. */
RT_FN double rt_exp_less(double v)
{
    double t = rt_fma(v, RT_LOG2E, RT_SHIFT);
    double k = t - RT_SHIFT;
    double r = rt_fma(-k, RT_LN2_LO, rt_fma(-k, RT_LN2_HI, v));
    double s = rt_from_bits((rt_bits_of(t) + 1023) << 52);
    return rt_fma(s * r * r, rt_exp_poly(r), (s - 1.0) + rt_fma(s, r, -v));
}

/* log q - d for q = 1 + d > 0, where d is exact where q is near 1: 4 ulp.  As rt_log_join. */
RT_FN double rt_log_less(double q, double d)
{
    rt_log_split t = rt_split(q);
    int plain = t.k == 0.0;
    double f = plain ? d : t.m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double h = 0.5 * f * f;
    double rest = rt_fma(t.k, RT_LN2_LO, rt_fma(s, rt_fma(rt_log_series(z), z, h), -h));
    return plain ? rest : rt_fma(t.k, RT_LN2_HI, f - d) + rest;
}

/* ---- incomplete gamma */

/* Whether P is the side that is integrated. */
RT_FN int rt_gamma_low(double a, double x) { return x < (a > 1.0 ? a : 1.0); }

RT_FN double rt_gamma_delta(double a, double x) { return (a - x) + (rt_gamma_low(a, x) ? 8.0 : 0.0); }

/* The end of the range of v: below 0 for P, above for Q. */
RT_FN double rt_gamma_cut(double a, double x)
{
    int low = rt_gamma_low(a, x);
    double delta = rt_gamma_delta(a, x);
    double wide = low ? (x > 120.0 ? rt_sqrt(120.0 / x) : (40.0 + x) / (a + 8.0)) : rt_sqrt(80.0 / x);
    wide = ((!low) & (wide > 3.9)) ? 3.9 : wide;
    double u = 40.0 / rt_abs(delta);
    u = u < wide ? u : wide;
    double v = low ? -u : u;
    RT_UNROLLED for (int i = 0; i < 3; i++)
    {
        double p = rt_exp_less(v);
        v = v - (rt_fma(x, p, -delta * v) - 40.0) / rt_fma(x, v + p, -delta);
    }
    return v;
}

/* e^-E at v. */
RT_FN double rt_gamma_node(double delta, double x, double v) { return rt_exp_fall(rt_fma(delta, v, -x * rt_exp_less(v))); }

/* log a - psi(a) for a >= 8, and Stirling's error of log Gamma(a) there. */
RT_FN double rt_digamma_rest(double a)
{
    double w = 1.0 / a, z = w * w;
    return rt_fma(z, rt_digamma_series(z), 0.5 * w);
}
RT_FN double rt_stirling_rest(double a)
{
    double w = 1.0 / a;
    return w * rt_stirling_series(w * w);
}

/* first is the integral of v, the derivative in a. */
RT_PIECE rt_moments rt_gamma_moments(double a, double x)
{
    double f[RT_NODES], g[RT_NODES], delta = rt_gamma_delta(a, x), cut = rt_gamma_cut(a, x);
    RT_NODE_LOOP for (int k = 0; k < RT_NODES; k++)
    {
        double v = cut * rt_node[k];
        f[k] = rt_weight[k] * rt_gamma_node(delta, x, v);
        g[k] = f[k] * v;
    }
    return (rt_moments){cut * rt_node_tree(f), cut * rt_node_tree(g)};
}

/* log(x^a e^-x / Gamma(a + 1)); from 8 on a (log(x / a) - (x - a) / a) - log(2 pi a) / 2 less Stirling's error. */
RT_PIECE double rt_gamma_term(double a, double x)
{
    int big = a >= 8.0;
    double dev = a * rt_log_less(x / a, (x - a) / a);
    double l = rt_log(big ? a : x);
    double far = dev - rt_fma(0.5, l, RT_HALF_LOG_2PI) - rt_stirling_rest(a);
    double near = rt_fma(a, l, -x) - rt_lgamma_pos(a + 1.0);
    return big ? far : near;
}

/* Its derivative in a: log x - psi(a + 1). */
RT_PIECE double rt_gamma_slope(double a, double x)
{
    double d = (x - a) / a;
    double far = rt_log_less(x / a, d) + d + rt_digamma_rest(a) - 1.0 / a;
    double near = rt_log(x) - rt_digamma_pos(a + 1.0);
    return a >= 8.0 ? far : near;
}

/* P over x^a e^-x / Gamma(a + 1), from the integral of the ninth term on, and its logarithmic derivative in a. */
RT_FN rt_pair rt_gamma_series(double a, double x, rt_moments m)
{
    double t = rt_fma(-x, m.mass, 1.0), dt = -x * m.first;
    RT_UNROLLED for (int j = 7; j > 0; j--)
    {
        double inv = 1.0 / (a + j), r = x * inv;
        dt = r * (dt - t * inv);
        t = rt_fma(r, t, 1.0);
    }
    return (rt_pair){t, dt / t};
}

/* log Gamma(1 + a) / a for 0 < a < 1. */
RT_FN double rt_lgamma_one(double a)
{
    int low = a < 0.5;
    double near = rt_lgamma_two(low ? a : 0.25) - rt_log1p(a) / a;
    return low ? near : rt_lgamma_pos(a + 1.0) / a;
}

/* For a, x < 1: Q = -(e^t - 1) - a e^t S with t = log(x^a / Gamma(a + 1)), S the sum of (-x)^n / ((a + n) n!) from 1, and dQ/da. */
RT_PIECE rt_pair rt_gamma_small_q(double a, double x)
{
    double s = 0.0, ds = 0.0, c = 1.0;
    for (int n = 1; n <= 18; n++) {
        double inv = 1.0 / (a + n);
        c = c * (-x / n);
        double q = c * inv;
        s += q;
        ds = rt_fma(-q, inv, ds);
    }
    double lx = rt_log(x);
    double t = a * (lx - rt_lgamma_one(a));
    double e = rt_exp(t);
    double slope = lx - rt_digamma_pos(a + 1.0);
    double q = -rt_fma(a * e, s, rt_expm1(t));
    double dq = -e * (rt_fma(a, rt_fma(slope, s, ds), slope) + s);
    return (rt_pair){q, dq};
}

/* Values and derivatives, of which a caller takes what it wants and the compiler drops the rest. */
typedef struct rt_gamma_parts {
    double p, q;       /* log P, log Q */
    double p_a, p_x;   /* derivatives */
    double q_a, q_x;
} rt_gamma_parts;

RT_FN rt_gamma_parts rt_gamma_finish(double a, double x, rt_moments m)
{
    int low = rt_gamma_low(a, x);
    double term = rt_gamma_term(a, x), slope = rt_gamma_slope(a, x);
    rt_pair series = rt_gamma_series(a, x, m);
    double over = low ? series.hi : a * m.mass;
    double own = term + rt_log(over);
    own = own > 0.0 ? 0.0 : own;
    double other = rt_log1m_exp(own);
    double own_a = slope + (low ? series.lo : 1.0 / a + m.first / m.mass);
    double own_x = (a / x) / over;
    double ratio = rt_exp(own - other); /* own over other */
    rt_gamma_parts r;
    r.p = low ? own : other;
    r.q = low ? other : own;
    r.p_a = low ? own_a : -ratio * own_a;
    r.p_x = low ? own_x : ratio * own_x;
    r.q_a = low ? -ratio * own_a : own_a;
    r.q_x = low ? -ratio * own_x : -own_x;
    /* The ends: nothing below 0, everything below inf, and for a shape of 0, the law at 0 itself. */
    int none = x == 0.0, all = (x == RT_INF) | (a == 0.0);
    double jump = a > 1.0 ? 0.0 : (a == 1.0 ? -1.0 : -RT_INF);
    r.p = none ? -RT_INF : (all ? 0.0 : r.p);
    r.q = none ? 0.0 : (all ? -RT_INF : r.q);
    r.p_a = none ? -RT_INF : (all ? 0.0 : r.p_a);
    r.p_x = none ? RT_INF : (all ? 0.0 : r.p_x);
    r.q_a = none ? 0.0 : (all ? RT_INF : r.q_a);
    r.q_x = none ? jump : (all ? -1.0 : r.q_x);
    int bad = !((a >= 0.0) & (a < RT_INF) & (x >= 0.0));
    r.p = bad ? RT_NAN : r.p;
    r.q = bad ? RT_NAN : r.q;
    r.p_a = bad ? RT_NAN : r.p_a;
    r.p_x = bad ? RT_NAN : r.p_x;
    r.q_a = bad ? RT_NAN : r.q_a;
    r.q_x = bad ? RT_NAN : r.q_x;
    return r;
}

/* Whether Q may need its power series, and the parts with it. */
RT_FN int rt_gamma_is_small(double a, double x) { return (a > 0.0) & (a < 1.0) & (x > 0.0) & (x < 1.0); }
RT_PIECE rt_gamma_parts rt_gamma_small(double a, double x, rt_gamma_parts r)
{
    rt_pair t = rt_gamma_small_q(a, x);
    if (t.hi < 0.5) {
        double lq = rt_log(t.hi);
        r.p = rt_log1p(-t.hi);
        r.p_a = -t.lo / (1.0 - t.hi);
        r.q = lq;
        r.q_a = t.lo / t.hi;
        r.q_x = -(a / x) * rt_exp(rt_gamma_term(a, x) - lq);
    }
    return r;
}

/* ---- incomplete beta: I_x(a, b) of the odds w = x / (1 - x), which have every digit at both ends */

/* What is integrated: I_x(a, b) where its mass is the smaller, else 1 - I = I_y(b, a). */
typedef struct rt_beta_side {
    int low;
    double a, b, w; /* of that side */
    double x, y;
    double delta, n; /* of E, with the shape after eight terms: a + 8 */
} rt_beta_side;

RT_FN rt_beta_side rt_beta_of(double a, double b, double w)
{
    rt_beta_side s;
    s.low = w * (b + 1.0) < a + 1.0;
    s.a = s.low ? a : b;
    s.b = s.low ? b : a;
    s.w = s.low ? w : 1.0 / w;
    s.y = 1.0 / (1.0 + s.w);
    s.x = s.w * s.y;
    double c = s.a + 8.0;
    s.delta = rt_fma(-s.b, s.w, c) * s.y;
    s.n = c + s.b;
    return s;
}

/* psi at v, from the end where the success is the rarer: |log of 1 + t| less t, plus the rare one's phi. */
RT_FN double rt_beta_psi(rt_beta_side s, double v)
{
    int rare = s.x <= 0.5;
    double p = rare ? s.x : s.y, u = rare ? v : -v;
    double q = rt_exp_less(u);
    double t = p * (u + q);
    return rt_fma(p, q, rt_log_less(1.0 + t, t));
}

/* The end of the range of v, below 0. */
RT_FN double rt_beta_cut(rt_beta_side s)
{
    double q = s.n * s.x * s.y;
    double wide = q > 120.0 ? rt_sqrt(120.0 / q) : (40.0 + q) / (s.delta + q);
    wide = wide > 6.0 ? 6.0 : wide;
    double u = 40.0 / s.delta;
    double v = -(u < wide ? u : wide);
    RT_UNROLLED for (int i = 0; i < 3; i++)
    {
        double e = s.x * rt_exp(v);
        double slope = rt_fma(s.n, e / (s.y + e) - s.x, -s.delta);
        v = v - (rt_fma(s.n, rt_beta_psi(s, v), -s.delta * v) - 40.0) / slope;
    }
    return v;
}

RT_FN double rt_beta_node(rt_beta_side s, double v, double psi) { return rt_exp_fall(rt_fma(s.delta, v, -s.n * psi)); }

/* first is the integral of the derivative in the side's a, y v - psi, or with of_b in its b, -x v - psi. */
RT_PIECE rt_moments rt_beta_moments(double a, double b, double w, int of_b)
{
    rt_beta_side s = rt_beta_of(a, b, w);
    double f[RT_NODES], g[RT_NODES], cut = rt_beta_cut(s), share = of_b ? -s.x : s.y;
    RT_NODE_LOOP for (int k = 0; k < RT_NODES; k++)
    {
        double v = cut * rt_node[k], psi = rt_beta_psi(s, v);
        f[k] = rt_weight[k] * rt_beta_node(s, v, psi);
        g[k] = f[k] * rt_fma(share, v, -psi);
    }
    return (rt_moments){cut * rt_node_tree(f), cut * rt_node_tree(g)};
}

/* log Gamma(a + b) - log Gamma(a), without the digits that the difference would lose for a from 8 on. */
RT_PIECE double rt_lgamma_step(double a, double b)
{
    int big = a >= 8.0;
    double f = a + b, g = big ? a : 8.0, d = b / g;
    double less = rt_log_less(1.0 + d, d);
    double far = rt_fma(b, rt_log(f), g * less) - 0.5 * (less + d) + rt_stirling_rest(g + b) - rt_stirling_rest(g);
    double near = rt_lgamma_pos(f) - rt_lgamma_pos(a);
    return big ? far : near;
}

/* log x and log y, each with every digit also where it is near 0. */
RT_FN double rt_beta_log_x(rt_beta_side s) { return s.w > 1.0 ? -rt_log1p(1.0 / s.w) : rt_log(s.x); }
RT_FN double rt_beta_log_y(rt_beta_side s) { return -rt_log1p(s.w); }

/* log(x^a y^b / (a B(a, b))) */
RT_PIECE double rt_beta_term(double a0, double b0, double w0)
{
    rt_beta_side s = rt_beta_of(a0, b0, w0);
    double a = s.a, b = s.b, f = a + b;
    double e = rt_fma(b, s.w, -a) * s.y; /* b x - a y */
    double less = a < b ? a : b, more = a < b ? b : a;
    double la = a * rt_log_less(s.x * f / a, e / a), lb = b * rt_log_less(s.y * f / b, -e / b);
    double far = la + lb + 0.5 * rt_log(b / (a * f)) - RT_HALF_LOG_2PI - rt_stirling_rest(a) - rt_stirling_rest(b) + rt_stirling_rest(f);
    /* a B(a, b) = Gamma(a + 1) Gamma(b) / Gamma(a + b) */
    double small = rt_lgamma_pos(a < b ? a + 1.0 : b) + (a < b ? 0.0 : rt_log(a));
    double near = rt_fma(a, rt_beta_log_x(s), rt_lgamma_step(more, less)) - rt_fma(-b, rt_beta_log_y(s), small);
    return less >= 8.0 ? far : near;
}

/* psi(a + b) - psi(a) */
RT_PIECE double rt_digamma_step(double a, double b)
{
    int big = a >= 8.0;
    double g = big ? a : 8.0, h = g + b;
    double far = rt_log1p(b / g) - rt_digamma_rest(h) + rt_digamma_rest(g);
    double near = rt_digamma_pos(a + b) - rt_digamma_pos(a);
    return big ? far : near;
}

/* log I, its derivative in log w, and that in the parameter that the moments were taken for. */
typedef struct rt_beta_parts {
    double p, w, of;
} rt_beta_parts;

RT_FN rt_beta_parts rt_beta_finish(double a0, double b0, double w0, rt_moments m, int of_b)
{
    rt_beta_side s = rt_beta_of(a0, b0, w0);
    double a = s.a, b = s.b, f = a + b;
    double t = -s.x * (f + 7.0) * m.mass;
    double dt = t * (1.0 / (f + 7.0) + m.first / m.mass);
    t = 1.0 + t;
    RT_UNROLLED for (int j = 7; j > 0; j--)
    {
        double inv_a = 1.0 / (a + j), inv = 1.0 / (f + (j - 1)), r = s.x * (f + (j - 1)) * inv_a;
        dt = r * rt_fma(t, of_b ? inv : inv - inv_a, dt);
        t = rt_fma(r, t, 1.0);
    }
    double own = rt_beta_term(a0, b0, w0) + rt_log(t);
    own = own > 0.0 ? 0.0 : own;
    double other = rt_log1m_exp(own);
    /* log x + psi(f) - psi(a + 1), or log y + psi(f) - psi(b) */
    double own_of = rt_digamma_step(of_b ? b : a, of_b ? a : b) + (of_b ? rt_beta_log_y(s) : rt_beta_log_x(s)) - (of_b ? 0.0 : 1.0 / a) + dt / t;
    double own_w = a / t;
    double ratio = rt_exp(own - other);
    rt_beta_parts r;
    r.p = s.low ? own : other;
    r.of = s.low ? own_of : -ratio * own_of;
    r.w = s.low ? own_w : ratio * own_w;
    /* The ends; a or b of 0 is the law at 0 or 1 itself. */
    int all = (w0 == RT_INF) | (a0 == 0.0), none = ((w0 == 0.0) | (b0 == 0.0)) & !all;
    r.p = none ? -RT_INF : (all ? 0.0 : r.p);
    r.of = all ? 0.0 : r.of;
    r.w = none ? a0 : (all ? 0.0 : r.w);
    int bad = !((a0 >= 0.0) & (a0 < RT_INF) & (b0 >= 0.0) & (b0 < RT_INF) & (a0 + b0 > 0.0) & (w0 >= 0.0));
    r.p = bad ? RT_NAN : r.p;
    r.of = bad ? RT_NAN : r.of;
    r.w = bad ? RT_NAN : r.w;
    return r;
}

/* Whether what is integrated is most of the mass, with a shape below 1: its complement then has few digits.  p is log I as it was found. */
RT_FN int rt_beta_is_small(double a, double b, double w, double p)
{
    rt_beta_side s = rt_beta_of(a, b, w);
    int most = s.low ? p > -0x1.62e42fefa39efp-1 : p < -0x1.62e42fefa39efp-1;
    return most & (s.a > 0.0) & (s.a < 1.0) & (s.b > 0.0) & (s.b < RT_INF) & (s.w > 0.0);
}

/* (log Gamma(a + b) - log Gamma(b)) / a for 0 < a < 1, the mean of psi from b to a + b, and its derivative in b; as Gamma(b) = Gamma(b + 1) / b no
 * node comes near the pole. */
RT_FN rt_pair rt_digamma_mean(double a, double b)
{
    double f[RT_NODES], g[RT_NODES];
    RT_NODE_LOOP for (int k = 0; k < RT_NODES; k++)
    {
        double c = rt_fma(a, rt_node[k], b + 1.0);
        f[k] = rt_weight[k] * rt_digamma_pos(c);
        g[k] = rt_weight[k] * rt_trigamma_pos(c);
    }
    return (rt_pair){rt_node_tree(f) - rt_log1p(a / b) / a, rt_node_tree(g) + 1.0 / (b * (a + b))};
}

/* The parts by 1 - I = -(e^t - 1) - a e^t S of the side that is integrated, t = log(x^a / (a B(a, b))) and S the sum of (1 - b)_n x^n / ((a + n) n!) from 1,
 * where x < 2/3 and b x < 2. */
RT_PIECE rt_beta_parts rt_beta_small(double a0, double b0, double w0, int of_b)
{
    rt_beta_side s = rt_beta_of(a0, b0, w0);
    double a = s.a, b = s.b, c = 1.0, c_b = 0.0, sum = 0.0, sum_a = 0.0, sum_b = 0.0;
    for (int n = 1; n <= 128 && rt_abs(c) + rt_abs(c_b) > 0x1p-64; n++) {
        double r = s.x / n, inv = 1.0 / (a + n);
        c_b = r * rt_fma(n - b, c_b, -c);
        c = r * (n - b) * c;
        sum = rt_fma(c, inv, sum);
        sum_a = rt_fma(-c * inv, inv, sum_a);
        sum_b = rt_fma(c_b, inv, sum_b);
    }
    rt_pair mean = rt_digamma_mean(a, b);
    double lx = rt_beta_log_x(s);
    double t = a * (lx + mean.hi - rt_lgamma_one(a)), e = rt_exp(t), rest = rt_fma(a, sum, 1.0);
    double q = -rt_fma(a * e, sum, rt_expm1(t));
    double q_of = -e * (of_b ? a * rt_fma(mean.lo, rest, sum_b) : rt_fma(lx + rt_digamma_pos(a + b) - rt_digamma_pos(a + 1.0), rest, rt_fma(a, sum_a, sum)));
    double own_w = a * e * rt_exp(b * rt_beta_log_y(s));
    double p = 1.0 - q;
    return s.low ? (rt_beta_parts){rt_log1p(-q), own_w / p, -q_of / p} : (rt_beta_parts){rt_log(q), own_w / q, q_of / q};
}

/* ---- Student's distribution function */

/* The odds whose incomplete beta function with a = nu / 2 and b = 1 / 2 is the mass beyond |z| on both sides. */
/* Beyond this, where z^2 nears the end of the doubles, the tail falls as |z|^-nu to more digits than there are. */
#define RT_STUDENT_FAR 1e150
RT_FN double rt_student_odds(double nu, double z)
{
    double r = rt_min(rt_abs(z), RT_STUDENT_FAR);
    return nu / (r * r);
}

typedef struct rt_student_parts {
    double p, nu, z; /* log P(T < z) and its derivatives */
} rt_student_parts;

RT_FN rt_student_parts rt_student_finish(double nu, double z, rt_beta_parts r)
{
    double a = 0.5 * nu;
    double far = rt_log(rt_max(rt_min(rt_abs(z), 0x1.fffffffffffffp+1023) / RT_STUDENT_FAR, 1.0));
    double fall = far > 0.0 ? nu * far : 0.0;
    double tail = (rt_abs(z) == RT_INF ? -RT_INF : r.p - fall) - 0x1.62e42fefa39efp-1;
    double share = rt_exp(tail - rt_log1m_exp(tail)); /* of the tail beyond |z|, over the rest */
    double d_nu = rt_fma(0.5, r.of, r.w / nu) - far;
    double d_z = -2.0 * r.w / z;
    /* In the middle, where z^2 may underflow: log(1/2) + 2 f(0) z, f(0) = Gamma((nu + 1) / 2) / (Gamma(nu / 2) sqrt(nu pi)). */
    double middle = 2.0 * rt_exp(rt_lgamma_step(a, 0.5) - 0.5 * rt_log(nu) - 0x1.250d048e7a1bdp-1);
    int left = z < 0.0, mid = rt_abs(z) < 1e-100;
    rt_student_parts s;
    s.p = left ? tail : rt_log1m_exp(tail);
    s.nu = left ? d_nu : -share * d_nu;
    s.z = left ? d_z : -share * d_z;
    s.p = mid ? -0x1.62e42fefa39efp-1 : s.p;
    s.nu = mid ? 0.0 : s.nu;
    s.z = mid ? middle : s.z;
    return s;
}

/* ---- the functions */

RT_FN rt_gamma_parts rt_gamma_all(double a, double x)
{
    rt_gamma_parts r = rt_gamma_finish(a, x, rt_gamma_moments(a, x));
    return rt_gamma_is_small(a, x) ? rt_gamma_small(a, x, r) : r;
}
RT_FN double rt_log_gamma_p(double a, double x) { return rt_gamma_all(a, x).p; }
RT_FN double rt_log_gamma_q(double a, double x) { return rt_gamma_all(a, x).q; }
RT_FN double rt_log_gamma_p_a(double a, double x) { return rt_gamma_all(a, x).p_a; }
RT_FN double rt_log_gamma_p_x(double a, double x) { return rt_gamma_all(a, x).p_x; }
RT_FN double rt_log_gamma_q_a(double a, double x) { return rt_gamma_all(a, x).q_a; }
RT_FN double rt_log_gamma_q_x(double a, double x) { return rt_gamma_all(a, x).q_x; }

/* Which parameter of the integrated side one of the caller's is: 1 for its b. */
RT_FN int rt_beta_side_of(double a, double b, double w, int of_b) { return rt_beta_of(a, b, w).low ? of_b : !of_b; }
RT_FN rt_beta_parts rt_beta_all(double a, double b, double w, int of_b)
{
    int side = rt_beta_side_of(a, b, w, of_b);
    rt_beta_parts r = rt_beta_finish(a, b, w, rt_beta_moments(a, b, w, side), side);
    return rt_beta_is_small(a, b, w, r.p) ? rt_beta_small(a, b, w, side) : r;
}
/* log I_x(a, b) of the odds w = x / (1 - x). */
RT_FN double rt_log_beta_odds(double a, double b, double w) { return rt_beta_all(a, b, w, 0).p; }
RT_FN double rt_log_beta_odds_a(double a, double b, double w) { return rt_beta_all(a, b, w, 0).of; }
RT_FN double rt_log_beta_odds_b(double a, double b, double w) { return rt_beta_all(a, b, w, 1).of; }
RT_FN double rt_log_beta_odds_w(double a, double b, double w) { return rt_beta_all(a, b, w, 0).w / w; }

/* log P(T < z) for Student's t with nu degrees of freedom. */
RT_FN rt_student_parts rt_student_all(double nu, double z) { return rt_student_finish(nu, z, rt_beta_all(0.5 * nu, 0.5, rt_student_odds(nu, z), 0)); }
RT_FN double rt_log_student(double nu, double z) { return rt_student_all(nu, z).p; }
RT_FN double rt_log_student_nu(double nu, double z) { return rt_student_all(nu, z).nu; }
RT_FN double rt_log_student_z(double nu, double z) { return rt_student_all(nu, z).z; }

#endif
