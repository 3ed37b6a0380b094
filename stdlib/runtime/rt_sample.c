/* rt_sample.c: see rt_sample.h.
 *
 * The attempt word of an address is divided so that one draw can hold several independent parts: part p, round r uses attempt 256 p + r. */
#include "stdlib/runtime/rt_sample.h"

#include "stdlib/runtime/rt_invert.h"

enum { PART = 256 };

static rt_tail draw_tail(rt_draw_addr at, uint32_t attempt)
{
    rt_philox r = rt_draw_bits(at, attempt);
    return rt_tail_of(rt_philox_u64(r, 0), rt_philox_u64(r, 1));
}

double rt_draw_uniform(rt_draw_addr at)
{
    return rt_u01(rt_philox_u64(rt_draw_bits(at, 0), 0));
}

double rt_draw_uniform_packed(rt_draw_addr at)
{
    const rt_draw_addr shared = {at.key, at.site, at.index / 16 * 8 + at.index % 8};
    return rt_u01(rt_philox_u64(rt_draw_bits(shared, 0), (int)(at.index / 8 % 2)));
}

double rt_draw_normal(rt_draw_addr at)
{
    return rt_normal_of(draw_tail(at, 0));
}

double rt_draw_exponential(rt_draw_addr at)
{
    return rt_exponential_of(draw_tail(at, 0));
}

double rt_draw_cauchy(rt_draw_addr at)
{
    rt_tail t = draw_tail(at, 0);
    double v = 1.0 / rt_tan(0x1.921fb54442d18p+1 * t.p);
    return t.upper ? v : -v;
}

/* log of a gamma draw, from the given part of the address. */
static double log_gamma_part(rt_draw_addr at, uint32_t part, double shape)
{
    if (!(shape > 0.0) || shape == RT_INF)
        return RT_NAN;
    double boosted = shape < 1.0 ? shape + 1.0 : shape;
    double d = boosted - 1.0 / 3.0;
    double c = 1.0 / (3.0 * rt_sqrt(d));
    double log_v = 0.0;
    for (uint32_t round = 0; round < RT_DRAW_ATTEMPTS; round++) {
        rt_philox r = rt_draw_bits(at, part * PART + round);
        double x = rt_normal_of(rt_tail_of(rt_philox_u64(r, 0), 0));
        double u = rt_u01(rt_philox_u64(r, 1));
        double cx = c * x;
        if (cx <= -1.0)
            continue;
        double t = 1.0 + cx, v = t * t * t;
        /* With v - 1 = cx (3 + cx (3 + cx)), d (1 - v) keeps its digits for large shapes. */
        double lv = 3.0 * rt_log1p(cx);
        if (rt_log(u) < 0.5 * x * x - d * (cx * (3.0 + cx * (3.0 + cx))) + d * lv && v > 0.0) {
            log_v = lv;
            break;
        }
    }
    double l = rt_log(d) + log_v;
    if (shape < 1.0)
        l -= rt_exponential_of(draw_tail(at, part * PART + RT_DRAW_ATTEMPTS)) / shape;
    return l;
}

double rt_draw_log_gamma(rt_draw_addr at, double shape)
{
    return log_gamma_part(at, 0, shape);
}

double rt_draw_gamma(rt_draw_addr at, double shape)
{
    return rt_exp(log_gamma_part(at, 0, shape));
}

double rt_draw_logit_beta(rt_draw_addr at, double a, double b)
{
    return log_gamma_part(at, 0, a) - log_gamma_part(at, 1, b);
}

double rt_draw_beta(rt_draw_addr at, double a, double b)
{
    return rt_inv_logit(rt_draw_logit_beta(at, a, b));
}

double rt_draw_chi_square(rt_draw_addr at, double df)
{
    return 2.0 * rt_draw_gamma(at, 0.5 * df);
}

double rt_draw_student_t(rt_draw_addr at, double df)
{
    /* z / sqrt(G / (df/2)), the root taken in log space. */
    double z = rt_normal_of(draw_tail(at, 1 * PART));
    return z * rt_exp(0.5 * (rt_log(0.5 * df) - log_gamma_part(at, 0, 0.5 * df)));
}

/* log k! - (k log k - k + log(2 pi k) / 2), the error of Stirling's formula; k >= 1. */
static double stirling_error(double k)
{
    if (k < 16.0)
        return rt_lgamma_pos(k + 1.0) - ((k + 0.5) * rt_log(k) - k + RT_HALF_LOG_2PI);
    double w = 1.0 / k, z = w * w;
    return w * (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0))));
}

/* k log(k / m) - (k - m), which is small next to its terms: log1p keeps its absolute error below sqrt(m) roundings near the mode. */
static double deviance(double k, double m)
{
    double d = k - m;
    return k * rt_log1p(d / m) - d;
}

static double poisson_log_pmf(double k, double rate)
{
    if (k < 1.0)
        return -rate;
    return -stirling_error(k) - deviance(k, rate) - 0.5 * rt_log(0x1.921fb54442d18p+2 * k);
}

int64_t rt_draw_poisson(rt_draw_addr at, double rate)
{
    if (!(rate >= 0.0 && rate <= 0x1p52))
        return -1;
    if (rate < 10.0) {
        double u = rt_draw_uniform(at);
        double p = rt_exp(-rate), cdf = p;
        int64_t k = 0;
        /* The terms vanish long before the bound, which only covers a cdf that rounding keeps below u. */
        while (u > cdf && k < 150) {
            k++;
            p *= rate / (double)k;
            cdf += p;
        }
        return k < 150 ? k : (int64_t)rt_floor(rate);
    }
    /* PTRS, steps and constants as in the paper. */
    double b = 0.931 + 2.53 * rt_sqrt(rate);
    double a = -0.059 + 0.02483 * b;
    double inv_alpha = 1.1239 + 1.1328 / (b - 3.4);
    double v_r = 0.9277 - 3.6224 / (b - 2.0);
    for (uint32_t round = 0; round < RT_DRAW_ATTEMPTS; round++) {
        rt_philox r = rt_draw_bits(at, round);
        double u = rt_u01(rt_philox_u64(r, 0)) - 0.5, v = rt_u01(rt_philox_u64(r, 1));
        double us = 0.5 - rt_abs(u);
        double k = rt_floor((2.0 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= v_r)
            return (int64_t)k;
        if (k < 0.0 || k > 0x1p53 || (us < 0.013 && v > us))
            continue;
        if (rt_log(v * inv_alpha / (a / (us * us) + b)) <= poisson_log_pmf(k, rate))
            return (int64_t)k;
    }
    return (int64_t)rt_floor(rate);
}

static double binomial_log_pmf(double k, double n, double p)
{
    double q = 1.0 - p;
    if (k < 1.0)
        return n * rt_log1p(-p);
    if (k > n - 1.0)
        return n * rt_log(p);
    return stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance(k, n * p) - deviance(n - k, n * q) +
           0.5 * rt_log(n / (0x1.921fb54442d18p+2 * k * (n - k)));
}

/* p <= 1/2. */
static int64_t binomial_lower(rt_draw_addr at, int64_t count, double p)
{
    double n = (double)count;
    if (n * p < 10.0) {
        double u = rt_draw_uniform(at);
        double odds = p / (1.0 - p);
        double f = rt_exp(n * rt_log1p(-p)), cdf = f;
        int64_t k = 0;
        while (u > cdf && k < count && k < 150) {
            f *= (n - (double)k) / (double)(k + 1) * odds;
            cdf += f;
            k++;
        }
        return k < 150 ? k : (int64_t)rt_floor((n + 1.0) * p);
    }
    /* BTRS, steps and constants as in the paper. */
    double spq = rt_sqrt(n * p * (1.0 - p));
    double b = 1.15 + 2.53 * spq;
    double a = -0.0873 + 0.0248 * b + 0.01 * p;
    double c = n * p + 0.5;
    double v_r = 0.92 - 4.2 / b;
    double alpha = (2.83 + 5.1 / b) * spq;
    double mode = rt_floor((n + 1.0) * p);
    double at_mode = binomial_log_pmf(mode, n, p);
    for (uint32_t round = 0; round < RT_DRAW_ATTEMPTS; round++) {
        rt_philox r = rt_draw_bits(at, round);
        double u = rt_u01(rt_philox_u64(r, 0)) - 0.5, v = rt_u01(rt_philox_u64(r, 1));
        double us = 0.5 - rt_abs(u);
        double k = rt_floor((2.0 * a / us + b) * u + c);
        if (us >= 0.07 && v <= v_r)
            return (int64_t)k;
        if (k < 0.0 || k > n)
            continue;
        if (rt_log(v * alpha / (a / (us * us) + b)) <= binomial_log_pmf(k, n, p) - at_mode)
            return (int64_t)k;
    }
    return (int64_t)mode;
}

int64_t rt_draw_binomial(rt_draw_addr at, int64_t n, double p)
{
    if (n < 0 || n > (int64_t)1 << 52 || !(p >= 0.0 && p <= 1.0))
        return -1;
    return p <= 0.5 ? binomial_lower(at, n, p) : n - binomial_lower(at, n, 1.0 - p);
}

int64_t rt_draw_categorical(rt_draw_addr at, const double *w, ptrdiff_t n)
{
    double total = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (!(w[i] >= 0.0))
            return -1;
        total += w[i];
    }
    if (!(total > 0.0 && total < RT_INF))
        return -1;
    /* u < 1, so t < total, and the same running sum passes it. */
    double t = rt_draw_uniform(at) * total, sum = 0.0;
    for (ptrdiff_t i = 0; i < n; i++) {
        sum += w[i];
        if (sum > t)
            return i;
    }
    return -1;
}

static int64_t choose_log(double u, const double *lw, ptrdiff_t n)
{
    double max = -RT_INF;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (lw[i] != lw[i])
            return -1;
        max = rt_max(max, lw[i]);
    }
    if (!(max > -RT_INF && max < RT_INF))
        return -1;
    double total = 0.0, sum = 0.0;
    for (ptrdiff_t i = 0; i < n; i++)
        total += rt_exp(lw[i] - max);
    double t = u * total;
    for (ptrdiff_t i = 0; i < n; i++) {
        sum += rt_exp(lw[i] - max);
        if (sum > t)
            return i;
    }
    return -1;
}

int64_t rt_draw_categorical_log(rt_draw_addr at, const double *lw, ptrdiff_t n) { return choose_log(rt_draw_uniform(at), lw, n); }
int64_t rt_draw_choice(rt_draw_addr at, const double *lw, ptrdiff_t n) { return choose_log(rt_draw_uniform_packed(at), lw, n); }
