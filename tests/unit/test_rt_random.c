/* test_rt_random.c: the generator against published vectors, and the samplers against their distributions.
 *
 * Every statistical test is at a false-alarm probability of about 1e-6 with a fixed seed: |z| < 4.9 for a mean, the Kolmogorov-Smirnov statistic
 * sqrt(n) D < 2.69 (2 exp(-2 x^2) = 1e-6), and chi-square by the Wilson-Hilferty cube root with z < 4.75 (one-sided).  An optional argument is the
 * number of draws (default 40000), at which a KS test sees a distribution function wrong by 0.0135 anywhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stdlib/runtime/rt_draws.h"
#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_sample.h"

static int count = 40000;

static void test_philox_vectors(void **unused)
{
    (void)unused;
    /* Known answers published with the generator (10 rounds): counter, key, result. */
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t *k = known[i];
        rt_philox r = rt_philox4x32((uint64_t)k[5] << 32 | k[4], k[0], k[1], k[2], k[3]);
        assert_memory_equal(r.w, k + 6, sizeof r.w);
    }
    /* The address layout. */
    rt_draw_addr at = {0x299f31d0a4093822u, 0x85a308d3u, 0x0370734413198a2eu};
    rt_philox r = rt_draw_bits(at, 0x243f6a88u);
    assert_memory_equal(r.w, known[2] + 6, sizeof r.w);
    assert_true(rt_philox_u64(r, 1) == 0x24126ea15001e420u);
}

static void test_uniform_ends(void **unused)
{
    (void)unused;
    assert_true(rt_u01(0) == 0x1p-53);
    assert_true(rt_u01(UINT64_MAX) == 1.0 - 0x1p-53);
    assert_true(rt_u01((uint64_t)1 << 63) == 0.5 + 0x1p-53);
    assert_true(rt_key_fold(1, 2) != rt_key_fold(2, 1));
    assert_true(rt_key_fold(1, 2) != rt_key_fold(1, 3));
}

static rt_draw_addr address(uint32_t site, int i) { return (rt_draw_addr){20240229, site, (uint64_t)i}; }

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* sqrt(n) D for values that should be uniform on (0, 1); sorts them. */
static double kolmogorov(double *u, int n)
{
    qsort(u, (size_t)n, sizeof *u, by_value);
    double d = 0.0;
    for (int i = 0; i < n; i++) {
        assert_true(u[i] >= 0.0 && u[i] <= 1.0);
        d = fmax(d, fmax((i + 1.0) / n - u[i], u[i] - (double)i / n));
    }
    return sqrt(n) * d;
}

/* The draws come mapped by their distribution function. */
static void assert_uniform(double *u, int n, const char *what)
{
    double d = kolmogorov(u, n);
    if (!(d < 2.69))
        fail_msg("%s: sqrt(n) D = %g", what, d);
}

/* Regularised lower incomplete gamma, by its series or Lentz's continued fraction; 1e-12 is plenty here. */
static double gamma_cdf(double a, double x)
{
    if (x <= 0.0)
        return 0.0;
    double front = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1.0) {
        double term = 1.0 / a, sum = term;
        for (int k = 1; k < 100000 && term > sum * 1e-15; k++)
            sum += term *= x / (a + k);
        return sum * front;
    }
    double b = x + 1.0 - a, c = 1e300, d = 1.0 / b, h = d;
    for (int i = 1; i < 100000; i++) {
        double an = -i * (i - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (fabs(d * c - 1.0) < 1e-15)
            break;
    }
    return 1.0 - front * h;
}

/* Regularised incomplete beta by Lentz's continued fraction. */
static double beta_cdf(double a, double b, double x)
{
    if (x <= 0.0 || x >= 1.0)
        return x <= 0.0 ? 0.0 : 1.0;
    if (x > (a + 1.0) / (a + b + 2.0))
        return 1.0 - beta_cdf(b, a, 1.0 - x);
    double c = 1.0, d = 1.0 / (1.0 - (a + b) * x / (a + 1.0)), h = d;
    for (int m = 1; m < 100000; m++) {
        double e = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1.0 / (1.0 + e * d);
        c = 1.0 + e / c;
        h *= d * c;
        e = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1.0 / (1.0 + e * d);
        c = 1.0 + e / c;
        h *= d * c;
        if (fabs(d * c - 1.0) < 1e-15)
            break;
    }
    return h * exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a;
}

static double student_cdf(double df, double t)
{
    double p = 0.5 * beta_cdf(0.5 * df, 0.5, df / (df + t * t));
    return t > 0.0 ? 1.0 - p : p;
}

static void test_continuous(void **unused)
{
    (void)unused;
    double *u = malloc((size_t)count * sizeof *u);
    assert_non_null(u);
    for (int i = 0; i < count; i++)
        u[i] = rt_draw_uniform(address(1, i));
    assert_uniform(u, count, "uniform");
    double sum = 0.0, sum2 = 0.0, sum4 = 0.0;
    for (int i = 0; i < count; i++) {
        double z = rt_draw_normal(address(2, i));
        sum += z;
        sum2 += z * z;
        sum4 += z * z * z * z;
        u[i] = 0.5 * erfc(-z * 0.70710678118654752);
    }
    /* var z = 1, var z^2 = 2, var z^4 = 96 */
    assert_true(fabs(sum) < 4.9 * sqrt(count));
    assert_true(fabs(sum2 - count) < 4.9 * sqrt(2.0 * count));
    assert_true(fabs(sum4 - 3.0 * count) < 6.0 * sqrt(96.0 * count)); /* heavy-tailed: a wider margin */
    assert_uniform(u, count, "normal");
    for (int i = 0; i < count; i++)
        u[i] = 1.0 - exp(-rt_draw_exponential(address(3, i)));
    assert_uniform(u, count, "exponential");
    for (int i = 0; i < count; i++)
        u[i] = 0.5 + atan(rt_draw_cauchy(address(4, i))) / 3.14159265358979324;
    assert_uniform(u, count, "cauchy");

    static const double shapes[] = {0.01, 0.3, 0.999, 1.0, 1.7, 5.0, 80.0, 1e5};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (int i = 0; i < count; i++) {
            /* gamma(0.01) underflows to 0 about once in 1700 draws: the log draw settles P(G < x) = x^a / Gamma(a + 1) there. */
            double l = rt_draw_log_gamma(address(10 + (uint32_t)s, i), shapes[s]);
            assert_true(isfinite(l));
            u[i] = l < -600.0 ? exp(shapes[s] * l - lgamma(shapes[s] + 1.0)) : gamma_cdf(shapes[s], exp(l));
            if (i < 100)
                assert_true(rt_draw_gamma(address(10 + (uint32_t)s, i), shapes[s]) == rt_exp(l));
        }
        assert_uniform(u, count, "gamma");
    }
    static const double betas[][2] = {{0.05, 0.05}, {0.5, 0.5}, {1.0, 3.0}, {2.5, 7.0}, {300.0, 40.0}};
    for (size_t s = 0; s < sizeof betas / sizeof *betas; s++) {
        for (int i = 0; i < count; i++) {
            double a = betas[s][0], b = betas[s][1];
            double l = rt_draw_logit_beta(address(30 + (uint32_t)s, i), a, b);
            assert_true(isfinite(l));
            /* On the side where x is small, so that its distribution function keeps its digits. */
            u[i] = l < 0.0 ? beta_cdf(a, b, rt_inv_logit(l)) : 1.0 - beta_cdf(b, a, rt_inv_logit(-l));
        }
        assert_uniform(u, count, "beta");
    }
    static const double dfs[] = {0.7, 1.0, 4.0, 33.0};
    for (size_t s = 0; s < sizeof dfs / sizeof *dfs; s++) {
        for (int i = 0; i < count; i++)
            u[i] = student_cdf(dfs[s], rt_draw_student_t(address(40 + (uint32_t)s, i), dfs[s]));
        assert_uniform(u, count, "student t");
        for (int i = 0; i < count; i++)
            u[i] = gamma_cdf(0.5 * dfs[s], 0.5 * rt_draw_chi_square(address(50 + (uint32_t)s, i), dfs[s]));
        assert_uniform(u, count, "chi-square");
    }

    /* The test can fail: a scale 20% off moves the distribution function by 0.2 * 0.242 where it is worst. */
    for (int i = 0; i < count; i++)
        u[i] = 0.5 * erfc(-1.2 * rt_draw_normal(address(2, i)) * 0.70710678118654752);
    assert_true(count < 10000 || kolmogorov(u, count) > 2.69);
    free(u);
}

/* Pearson's chi-square of counts against probabilities, cells of expectation below 10 joined to their neighbours. */
static void assert_counts(const double *p, const long *seen, int cells, double n, const char *what)
{
    double chi = 0.0, expect = 0.0, got = 0.0;
    int used = 0;
    for (int i = 0; i < cells; i++) {
        expect += p[i] * n;
        got += (double)seen[i];
        if (expect >= 10.0 || i == cells - 1) {
            if (expect > 1e-6) {
                chi += (got - expect) * (got - expect) / expect;
                used++;
            } else {
                assert_true(got == 0.0);
            }
            expect = got = 0.0;
        }
    }
    double df = used - 1;
    if (df < 1.0)
        return;
    double z = (cbrt(chi / df) - (1.0 - 2.0 / (9.0 * df))) / sqrt(2.0 / (9.0 * df));
    if (!(z < 4.75))
        fail_msg("%s: chi-square %g on %g degrees of freedom", what, chi, df);
}

enum { CELLS = 2000 };

static void test_discrete(void **unused)
{
    (void)unused;
    static double p[CELLS];
    static long seen[CELLS];
    static const double rates[] = {0.0, 0.1, 1.0, 9.9, 10.0, 14.5, 60.0, 700.0};
    for (size_t s = 0; s < sizeof rates / sizeof *rates; s++) {
        memset(seen, 0, sizeof seen);
        for (int k = 0; k < CELLS; k++)
            p[k] = rates[s] == 0.0 ? k == 0 : exp(k * log(rates[s]) - rates[s] - lgamma(k + 1.0));
        for (int i = 0; i < count; i++) {
            int64_t k = rt_draw_poisson(address(60 + (uint32_t)s, i), rates[s]);
            assert_true(k >= 0 && k < CELLS);
            seen[k]++;
        }
        assert_counts(p, seen, CELLS, count, "poisson");
    }
    static const struct {
        int64_t n;
        double p;
    } cases[] = {{0, 0.3}, {7, 0.0}, {7, 1.0}, {1, 0.4}, {10, 0.5}, {20, 0.97}, {25, 0.45}, {1000, 0.004}, {1000, 0.3}, {1900, 0.93}};
    for (size_t s = 0; s < sizeof cases / sizeof *cases; s++) {
        memset(seen, 0, sizeof seen);
        double n = (double)cases[s].n, q = cases[s].p;
        for (int k = 0; k < CELLS; k++)
            p[k] = k > n ? 0.0 : q == 0.0 ? k == 0 : q == 1.0 ? k == n : exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + k * log(q) + (n - k) * log1p(-q));
        for (int i = 0; i < count; i++) {
            int64_t k = rt_draw_binomial(address(80 + (uint32_t)s, i), cases[s].n, q);
            assert_true(k >= 0 && k <= cases[s].n);
            seen[k]++;
        }
        assert_counts(p, seen, CELLS, count, "binomial");
    }
    /* Large parameters by mean and variance: var of the squared deviation is about 2 sigma^4. */
    static const double large[] = {1e6, 1e12, 0x1p51};
    for (int s = 0; s < 6; s++) {
        double rate = large[s % 3], mean = s < 3 ? rate : 0.3 * rate, var = s < 3 ? rate : 0.21 * rate, sum = 0.0, sum2 = 0.0;
        for (int i = 0; i < count; i++) {
            int64_t k = s < 3 ? rt_draw_poisson(address(100 + (uint32_t)s, i), rate) : rt_draw_binomial(address(100 + (uint32_t)s, i), (int64_t)rate, 0.3);
            double d = ((double)k - mean) / sqrt(var);
            sum += d;
            sum2 += d * d;
        }
        assert_true(fabs(sum) < 4.9 * sqrt(count));
        assert_true(fabs(sum2 - count) < 4.9 * sqrt(2.0 * count));
    }
    static const double w[] = {0.0, 3.0, 0.5, 0.0, 1e-3, 10.0, 0.0};
    double total = 13.501, lw[7];
    for (int log_weights = 0; log_weights < 2; log_weights++) {
        memset(seen, 0, sizeof seen);
        for (int k = 0; k < 7; k++) {
            p[k] = w[k] / total;
            lw[k] = log(w[k]) - 1000.0;
        }
        for (int i = 0; i < count; i++) {
            int64_t k = log_weights ? rt_draw_categorical_log(address(120, i), lw, 7) : rt_draw_categorical(address(121, i), w, 7);
            assert_true(k >= 0 && k < 7 && w[k] > 0.0);
            seen[k]++;
        }
        assert_counts(p, seen, 7, count, "categorical");
    }
}

static void test_domains(void **unused)
{
    (void)unused;
    rt_draw_addr at = address(1, 1);
    assert_true(isnan(rt_draw_gamma(at, 0.0)) && isnan(rt_draw_gamma(at, -1.0)) && isnan(rt_draw_gamma(at, NAN)));
    assert_true(isnan(rt_draw_beta(at, 1.0, 0.0)) && isnan(rt_draw_student_t(at, -1.0)) && isnan(rt_draw_chi_square(at, NAN)));
    assert_int_equal(rt_draw_poisson(at, -1.0), -1);
    assert_int_equal(rt_draw_poisson(at, NAN), -1);
    assert_int_equal(rt_draw_poisson(at, INFINITY), -1);
    assert_int_equal(rt_draw_binomial(at, -1, 0.5), -1);
    assert_int_equal(rt_draw_binomial(at, 5, 1.5), -1);
    assert_int_equal(rt_draw_binomial(at, 5, NAN), -1);
    double zero[2] = {0.0, 0.0}, nan_w[2] = {1.0, NAN}, none[2] = {-INFINITY, -INFINITY};
    assert_int_equal(rt_draw_categorical(at, zero, 2), -1);
    assert_int_equal(rt_draw_categorical(at, nan_w, 2), -1);
    assert_int_equal(rt_draw_categorical(at, zero, 0), -1);
    assert_int_equal(rt_draw_categorical_log(at, none, 2), -1);
    assert_int_equal(rt_draw_categorical_log(at, nan_w, 2), -1);
    /* Tiny shapes: the logarithm lives on where the draw is 0. */
    assert_true(rt_draw_gamma(at, 1e-5) >= 0.0 && isfinite(rt_draw_log_gamma(at, 1e-300)));
}

/* The same bits for ever: a few draws pinned, so that no change of compiler, level or code goes unseen. */
static void test_pinned(void **unused)
{
    (void)unused;
    rt_draw_addr at = {42, 7, 123456789012345u};
    assert_true(rt_draw_uniform(at) == 0x1.387b51daa115cp-3);
    assert_true(rt_draw_normal(at) == 0x1.6e3403baa73e3p+0);
    assert_true(rt_draw_exponential(at) == 0x1.495f479385323p+1);
    assert_true(rt_draw_gamma(at, 0.5) == 0x1.326ede5c498d5p-2);
    assert_true(rt_draw_beta(at, 2.0, 3.0) == 0x1.ae6d73222741fp-2);
    assert_true(rt_draw_student_t(at, 5.0) == 0x1.0c18efe131656p+0);
    assert_int_equal(rt_draw_poisson(at, 1e6), 998835);
    assert_int_equal(rt_draw_binomial(at, 1000, 0.25), 234);
    assert_true(rt_key_fold(42, 7) == 0xd5e23e1588aef304u);
}

/* Many at once are what each would be alone, at every level, whatever stands behind the last. */
static void test_choose(void **unused)
{
    (void)unused;
    enum { LD = 600, MOST = 9 };
    static double lw[MOST * LD], kept[MOST * LD];
    static const ptrdiff_t counts[] = {1, 2, 15, 16, 17, 255, 256, 257, 600}, states[] = {1, 2, 3, 9};
    for (int level = 0; level <= 4; level++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t q = 0; q < sizeof states / sizeof *states; q++) {
                int64_t value[2 * LD], index[LD];
                const ptrdiff_t n = counts[c], K = states[q];
                const rt_draw_addr at = {100 * c + q, 12, 0};
                for (int64_t i = 0; i < LD; i++) {
                    index[i] = (7 * i + 3) % LD;
                    for (ptrdiff_t k = 0; k < K; k++) {
                        const double u = rt_draw_uniform(address(130, (uint64_t)(k * LD + i)));
                        kept[k * LD + i] = u < 0.1 ? -RT_INF : u < 0.15 ? RT_INF : 4 * rt_draw_normal(address(131, (uint64_t)(k * LD + i))) + 700;
                    }
                }
                for (int list = 0; list < 2; list++) {
                    const rt_choices how = {K, LD, at.key, at.site, list ? index : NULL, 5, -3, 2};
                    memcpy(lw, kept, sizeof lw);
                    for (int i = 0; i < 2 * LD; i++) value[i] = 1000 + i;
                    assert_int_equal(rt_kernels_for(level)->choose(value, lw, n, &how), 0);
                    for (ptrdiff_t i = 0; i < n; i++) {
                        const int64_t e = list ? index[i] : 5 + i;
                        double w[MOST];
                        for (ptrdiff_t k = 0; k < K; k++) w[k] = kept[k * LD + i] < RT_INF ? kept[k * LD + i] : -RT_INF;
                        const int64_t k = rt_draw_choice((rt_draw_addr){at.key, at.site, (uint64_t)e}, w, K);
                        assert_int_equal(value[e], k < 0 ? 1000 + e : -3 + 2 * k);
                        value[e] = 1000 + e;
                    }
                    for (int i = 0; i < 2 * LD; i++) assert_int_equal(value[i], 1000 + i);
                }
                memcpy(lw, kept, sizeof lw);
                lw[n - 1] = RT_NAN;
                value[n - 1] = -77;
                assert_int_equal(rt_kernels_for(level)->choose(value, lw, n, &(rt_choices){K, LD, at.key, at.site, NULL, 0, 0, 1}), 1);
                assert_true(K > 1 || value[n - 1] == -77);
            }
}

/* Columns of draws against single ones, at every level: one key or many, indices in order or not, and beyond 32 bits. */
static void test_columns(void **unused)
{
    (void)unused;
    enum { MOST = 600 };
    static int64_t key[MOST], index[MOST];
    static double d[MOST + 1];
    static const ptrdiff_t counts[] = {0, 1, 7, 8, 9, 255, 256, 257, MOST};
    for (int i = 0; i < MOST; i++) {
        key[i] = (int64_t)rt_key_fold(3, (uint64_t)i);
        index[i] = i % 3 ? i : (int64_t)rt_key_fold(4, (uint64_t)i);
    }
    for (int level = 0; level <= 4; level++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int how = 0; how < 4; how++)
                for (int kind = 0; kind < 3; kind++) {
                    const int sk = how & 1, si = how >> 1;
                    d[counts[c]] = -7.0;
                    rt_draws_for(level)(d, (rt_draw_kind)kind, 0x80000000u + (uint32_t)c, key, sk, index, si, counts[c]);
                    for (ptrdiff_t i = 0; i < counts[c]; i++) {
                        const rt_draw_addr at = {(uint64_t)key[i * sk], 0x80000000u + (uint32_t)c, (uint64_t)index[i * si]};
                        const double one = kind == RT_DRAW_UNIFORM ? rt_draw_uniform(at) : kind == RT_DRAW_NORMAL ? rt_draw_normal(at) : rt_draw_exponential(at);
                        assert_memory_equal(&d[i], &one, sizeof one);
                    }
                    assert_true(d[counts[c]] == -7.0);
                }
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        d[counts[c]] = -7.0;
        rt_draw_normals(d, (uint64_t)key[1], 5, (size_t)counts[c]);
        for (ptrdiff_t i = 0; i < counts[c]; i++) {
            const double one = rt_draw_normal((rt_draw_addr){(uint64_t)key[1], 5, (uint64_t)i});
            assert_memory_equal(&d[i], &one, sizeof one);
        }
        assert_true(d[counts[c]] == -7.0);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        count = atoi(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose), cmocka_unit_test(test_columns), cmocka_unit_test(test_philox_vectors), cmocka_unit_test(test_uniform_ends), cmocka_unit_test(test_continuous),
        cmocka_unit_test(test_discrete),       cmocka_unit_test(test_domains),      cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
