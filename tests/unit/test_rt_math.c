/* test_rt_math.c: each function of rt_math.h within its stated bound of MPFR's value on dense random arguments, and its special values.
 *
 * An optional argument is the number of random arguments per range (default 1000).  A bound is in ulp of the exact result, or, for the gamma
 * family, on the relative error; for its negative arguments, relative to the largest term of the reflection. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mpfr.h>

#include "stdlib/runtime/rt_math.h"
#include "tests/unit/random_stream.h"

static int count = 1000;

typedef int mp_fn(mpfr_t r, const mpfr_t x, mpfr_rnd_t m);

enum { PREC = 240 };

/* |got - exact| in units of the last place of a double of exact's size (denormals have a fixed one); exact is rounded only for its size. */
static double ulps(double got, mpfr_t exact)
{
    double r = mpfr_get_d(exact, MPFR_RNDN);
    if (isnan(r) || isnan(got))
        return isnan(r) && isnan(got) ? 0.0 : INFINITY;
    if (isinf(r) || isinf(got)) {
        /* The largest double for inf, or inf for it, is an error of an ulp or less when the exact value lies at the edge. */
        return got == r ? 0.0 : fabs(got) > 0x1.ffffffffffffcp1023 && fabs(r) > 0x1.ffffffffffffcp1023 ? 1.0 : INFINITY;
    }
    int e;
    frexp(r, &e);
    if (e < -1021)
        e = -1021;
    mpfr_t d;
    mpfr_init2(d, PREC);
    mpfr_set_d(d, got, MPFR_RNDN);
    mpfr_sub(d, d, exact, MPFR_RNDN);
    mpfr_div_2si(d, d, e - 53, MPFR_RNDN);
    double u = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return u;
}

static double relative_error(double got, mpfr_t exact)
{
    mpfr_t d;
    mpfr_init2(d, PREC);
    mpfr_set_d(d, got, MPFR_RNDN);
    mpfr_sub(d, d, exact, MPFR_RNDN);
    mpfr_div(d, d, exact, MPFR_RNDN);
    double e = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return e;
}

/* Exact values that MPFR lacks; intermediate precision leaves more than 150 good bits. */
static int q_lgamma(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    int sign;
    return mpfr_lgamma(r, &sign, x, m);
}

static int q_phi(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_set_ui(t, 2, m);
    mpfr_sqrt(t, t, m);
    mpfr_div(t, x, t, m);
    mpfr_neg(t, t, m);
    mpfr_erfc(t, t, m);
    mpfr_div_2ui(r, t, 1, m);
    mpfr_clear(t);
    return 0;
}

static int q_log_phi(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    /* near 1 the difference from 1 must survive */
    mpfr_init2(t, 900);
    q_phi(t, x, m);
    mpfr_log(r, t, m);
    mpfr_clear(t);
    return 0;
}

static int q_log1p_exp(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_exp(t, x, m);
    mpfr_log1p(r, t, m);
    mpfr_clear(t);
    return 0;
}

static int q_log1m_exp(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_expm1(t, x, m);
    mpfr_neg(t, t, m);
    if (mpfr_get_d(x, m) < -1.0) {
        mpfr_exp(t, x, m);
        mpfr_neg(t, t, m);
        mpfr_log1p(r, t, m);
    } else {
        mpfr_log(r, t, m);
    }
    mpfr_clear(t);
    return 0;
}

static int q_log1m(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_neg(t, x, m);
    mpfr_log1p(r, t, m);
    mpfr_clear(t);
    return 0;
}

static int q_inv_logit(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_neg(t, x, m);
    mpfr_exp(t, t, m);
    mpfr_add_ui(t, t, 1, m);
    mpfr_ui_div(r, 1, t, m);
    mpfr_clear(t);
    return 0;
}

/* psi' by the recurrence up to 60 and the asymptotic series with exact Bernoulli numbers; the first term left out is below 1e-33. */
static int q_trigamma(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    static const long bernoulli[][2] = {{1, 6}, {-1, 30}, {1, 42}, {-1, 30}, {5, 66}, {-691, 2730}, {7, 6}, {-3617, 510}, {43867, 798}, {-174611, 330}};
    mpfr_t y, t, w, s;
    mpfr_inits2(PREC, y, t, w, s, (mpfr_ptr)0);
    mpfr_set(y, x, m);
    mpfr_set_ui(s, 0, m);
    while (mpfr_cmp_ui(y, 60) < 0) {
        mpfr_sqr(t, y, m);
        mpfr_ui_div(t, 1, t, m);
        mpfr_add(s, s, t, m);
        mpfr_add_ui(y, y, 1, m);
    }
    mpfr_ui_div(w, 1, y, m);
    mpfr_add(s, s, w, m);
    mpfr_sqr(t, w, m);
    mpfr_div_ui(t, t, 2, m);
    mpfr_add(s, s, t, m);
    for (unsigned k = 0; k < 10; k++) {
        mpfr_pow_ui(t, w, 2 * k + 3, m);
        mpfr_mul_si(t, t, bernoulli[k][0], m);
        mpfr_div_si(t, t, bernoulli[k][1], m);
        mpfr_add(s, s, t, m);
    }
    mpfr_set(r, s, m);
    mpfr_clears(y, t, w, s, (mpfr_ptr)0);
    return 0;
}

/* The quantile by Newton's method, from the tested value: two steps square its error twice. */
static int q_inv_phi(mpfr_t r, const mpfr_t p, mpfr_rnd_t m)
{
    mpfr_t x, f, d, c;
    mpfr_inits2(PREC, x, f, d, c, (mpfr_ptr)0);
    mpfr_set_d(x, rt_inv_phi(mpfr_get_d(p, m)), m);
    for (int i = 0; i < 3; i++) {
        q_phi(f, x, m);
        mpfr_sub(f, f, p, m);
        mpfr_sqr(d, x, m);
        mpfr_div_si(d, d, -2, m);
        mpfr_exp(d, d, m);
        mpfr_const_pi(c, m);
        mpfr_mul_ui(c, c, 2, m);
        mpfr_sqrt(c, c, m);
        mpfr_mul(f, f, c, m);
        mpfr_div(f, f, d, m);
        mpfr_sub(x, x, f, m);
    }
    mpfr_set(r, x, m);
    mpfr_clears(x, f, d, c, (mpfr_ptr)0);
    return 0;
}

static int q_sin_pi(mpfr_t r, const mpfr_t x, mpfr_rnd_t m)
{
    mpfr_t t;
    mpfr_init2(t, 400);
    mpfr_const_pi(t, m);
    mpfr_mul(t, t, x, m);
    mpfr_sin(r, t, m);
    mpfr_clear(t);
    return 0;
}

enum spread { EVEN, LOGARITHMIC, BOTH_SIGNS }; /* the last is logarithmic too */

static double argument(double lo, double hi, enum spread how)
{
    if (how == EVEN)
        return lo + (hi - lo) * uniform();
    double x = exp(log(lo) + (log(hi) - log(lo)) * uniform());
    return how == BOTH_SIGNS && next() & 1 ? -x : x;
}

typedef struct range {
    const char *name;
    double (*f)(double);
    mp_fn *exact;
    double lo, hi;
    enum spread how;
    double bound; /* in ulp; or, negative, minus a bound on the relative error */
} range;

#define R(name, exact, lo, hi, how, bound) {#name, rt_##name, exact, lo, hi, how, bound}

static const range ranges[] = {
    R(exp, mpfr_exp, -708, 709.78, EVEN, 1.1), R(exp, mpfr_exp, -746, -700, EVEN, 1.1), R(exp, mpfr_exp, 1e-20, 1, BOTH_SIGNS, 1.1),
    R(expm1, mpfr_expm1, -1, 1, EVEN, 1.2), R(expm1, mpfr_expm1, 1e-300, 700, BOTH_SIGNS, 1.2), R(expm1, mpfr_expm1, 700, 709.78, EVEN, 1.2),
    R(log, mpfr_log, 5e-324, 1.7e308, LOGARITHMIC, 0.9), R(log, mpfr_log, 0.5, 2, EVEN, 0.9),
    R(log1p, mpfr_log1p, -0.99999, 3, EVEN, 1), R(log1p, mpfr_log1p, 1e-300, 1e300, LOGARITHMIC, 1), R(log1p, mpfr_log1p, 1e-30, 0.999, BOTH_SIGNS, 1),
    R(log1m, q_log1m, 1e-30, 0.9999, BOTH_SIGNS, 1),
    R(log1p_exp, q_log1p_exp, -50, 50, EVEN, 2), R(log1p_exp, q_log1p_exp, -744, 744, EVEN, 2),
    R(log1m_exp, q_log1m_exp, -60, -1e-9, EVEN, 3), R(log1m_exp, q_log1m_exp, -1, -1e-300, EVEN, 3),
    R(inv_logit, q_inv_logit, -708, 40, EVEN, 2), R(inv_logit, q_inv_logit, -5, 5, EVEN, 2),
    R(sinh, mpfr_sinh, 1e-10, 700, BOTH_SIGNS, 2), R(sinh, mpfr_sinh, 0, 3, EVEN, 2), R(sinh, mpfr_sinh, 700, 710.47, EVEN, 3),
    R(cosh, mpfr_cosh, 1e-10, 700, BOTH_SIGNS, 2), R(cosh, mpfr_cosh, 700, 710.47, EVEN, 3),
    R(tanh, mpfr_tanh, 1e-10, 30, BOTH_SIGNS, 1), R(tanh, mpfr_tanh, 0, 2, EVEN, 1),
    R(cbrt, mpfr_cbrt, 5e-324, 1.7e308, BOTH_SIGNS, 0.7), R(sqrt, mpfr_sqrt, 5e-324, 1.7e308, LOGARITHMIC, 0.5),
    R(sin, mpfr_sin, -7, 7, EVEN, 0.8), R(sin, mpfr_sin, 1e-10, 1e12, BOTH_SIGNS, 0.8),
    R(cos, mpfr_cos, -7, 7, EVEN, 0.8), R(cos, mpfr_cos, 1e-10, 1e12, BOTH_SIGNS, 0.8),
    R(tan, mpfr_tan, -7, 7, EVEN, 1), R(tan, mpfr_tan, 1e-10, 1e12, BOTH_SIGNS, 1),
    R(sin_pi, q_sin_pi, -10, 10, EVEN, 1),
    R(asin, mpfr_asin, -1, 1, EVEN, 1), R(asin, mpfr_asin, 1e-10, 1, BOTH_SIGNS, 1), R(acos, mpfr_acos, -1, 1, EVEN, 1), R(acos, mpfr_acos, 0.999999, 1, EVEN, 1),
    R(atan, mpfr_atan, -3, 3, EVEN, 0.8), R(atan, mpfr_atan, 1e-10, 1e20, BOTH_SIGNS, 0.8),
    R(erf, mpfr_erf, -6, 6, EVEN, 1.5), R(erf, mpfr_erf, 1e-10, 2, BOTH_SIGNS, 1.5),
    R(erfc, mpfr_erfc, -6, 6, EVEN, 3), R(erfc, mpfr_erfc, 0, 26.5, EVEN, 3), R(erfc, mpfr_erfc, 26.5, 27.3, EVEN, 3),
    R(phi, q_phi, -37, 8, EVEN, 4), R(phi, q_phi, -3, 3, EVEN, 4), R(phi, q_phi, -38.5, -37, EVEN, 4),
    R(log_phi, q_log_phi, -60, 15, EVEN, 4), R(log_phi, q_log_phi, -3000, 15, EVEN, 4),
    R(inv_phi, q_inv_phi, 0, 1, EVEN, 5), R(inv_phi, q_inv_phi, 1e-300, 0.5, LOGARITHMIC, 5), R(inv_phi, q_inv_phi, 1e-20, 0.2, LOGARITHMIC, 5),
    R(lgamma, q_lgamma, 1e-300, 1e300, LOGARITHMIC, -1e-15), R(lgamma, q_lgamma, 0, 10, EVEN, -1e-15), R(lgamma, q_lgamma, 0.9, 1.1, EVEN, -1e-15),
    R(lgamma, q_lgamma, 1.9, 2.1, EVEN, -1e-15), R(lgamma, q_lgamma, 1e-6, 1000, LOGARITHMIC, -1e-15),
    R(digamma, mpfr_digamma, 1e-10, 1e10, LOGARITHMIC, -1.5e-15), R(digamma, mpfr_digamma, 0, 10, EVEN, -1.5e-15), R(digamma, mpfr_digamma, 1.46, 1.463, EVEN, -1.5e-15),
    R(trigamma, q_trigamma, 1e-10, 1e10, LOGARITHMIC, -1.5e-15), R(trigamma, q_trigamma, 0, 10, EVEN, -1.5e-15),
};

static void test_accuracy(void **unused)
{
    (void)unused;
    mpfr_t x, y;
    mpfr_inits2(PREC, x, y, (mpfr_ptr)0);
    int failures = 0;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        double worst = 0.0, where = 0.0;
        /* MPFR's digamma is slow. */
        int n = r->exact == (mp_fn *)mpfr_digamma ? count / 4 : count;
        for (int k = 0; k < n; k++) {
            double a = argument(r->lo, r->hi, r->how);
            mpfr_set_d(x, a, MPFR_RNDN);
            r->exact(y, x, MPFR_RNDN);
            double u = r->bound > 0.0 ? ulps(r->f(a), y) : relative_error(r->f(a), y);
            if (!(u <= worst)) {
                worst = u;
                where = a;
            }
        }
        print_message("  %-10s [%g, %g] worst %.3g%s\n", r->name, r->lo, r->hi, worst, r->bound > 0.0 ? " ulp" : " relative");
        if (!(worst <= fabs(r->bound))) {
            print_error("%s: %.3g at %a, bound %g\n", r->name, worst, where, fabs(r->bound));
            failures++;
        }
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
    assert_int_equal(failures, 0);
}

/* Negative arguments of the gamma family: the error against 1e-15 times the largest term of the reflection, so an absolute bound near zeros. */
static void test_reflected_gamma(void **unused)
{
    (void)unused;
    mpfr_t x, y;
    mpfr_inits2(PREC, x, y, (mpfr_ptr)0);
    for (int k = 0; k < count; k++) {
        double a = -argument(1e-8, 60, LOGARITHMIC);
        mpfr_set_d(x, a, MPFR_RNDN);
        q_lgamma(y, x, MPFR_RNDN);
        double scale = 1.0 + fabs(rt_lgamma(-a)) + fabs(rt_log(-a * fabs(rt_sin_pi(a))));
        if (!(fabs(rt_lgamma(a) - mpfr_get_d(y, MPFR_RNDN)) <= 1.5e-15 * scale))
            fail_msg("lgamma(%a) = %a, not %a", a, rt_lgamma(a), mpfr_get_d(y, MPFR_RNDN));
        if (k % 4 == 0) {
            mpfr_digamma(y, x, MPFR_RNDN);
            scale = 1.0 + fabs(rt_digamma(-a)) + fabs(1.0 / a) + 3.2 / fabs(rt_tan(3.14159265358979 * a));
            if (!(fabs(rt_digamma(a) - mpfr_get_d(y, MPFR_RNDN)) <= 1.5e-15 * scale))
                fail_msg("digamma(%a) = %a, not %a", a, rt_digamma(a), mpfr_get_d(y, MPFR_RNDN));
        }
        /* psi'(a) = psi'(a + n) + sum 1/(a + i)^2: the exact recurrence holds for negative arguments too. */
        q_trigamma(y, x, MPFR_RNDN);
        double s = rt_sin_pi(a);
        scale = 10.0 / (s * s) + 2.0 / (a * a) + 2.0;
        if (!(fabs(rt_trigamma(a) - mpfr_get_d(y, MPFR_RNDN)) <= 1.5e-15 * scale))
            fail_msg("trigamma(%a) = %a, not %a", a, rt_trigamma(a), mpfr_get_d(y, MPFR_RNDN));
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

static void test_two_arguments(void **unused)
{
    (void)unused;
    mpfr_t x, y, p;
    mpfr_inits2(PREC, x, y, p, (mpfr_ptr)0);
    double worst_pow = 0.0, worst_atan2 = 0.0;
    for (int k = 0; k < 4 * count; k++) {
        /* Bases near 1 with huge exponents, and wide bases with small ones; results from the denormals to overflow. */
        double a = exp((uniform() - 0.5) * (k & 1 ? 1400.0 : 0.5)), b = (uniform() - 0.5) * (k & 2 ? 1490.0 / log(a) : 20.0);
        mpfr_set_d(x, a, MPFR_RNDN);
        mpfr_set_d(y, b, MPFR_RNDN);
        mpfr_pow(p, x, y, MPFR_RNDN);
        double u = ulps(rt_pow(a, b), p);
        worst_pow = u <= worst_pow ? worst_pow : u;
        if (!(u <= 1.0))
            fail_msg("pow(%a, %a) = %a: %g ulp", a, b, rt_pow(a, b), u);

        double spread = k & 1 ? 4.0 : k & 2 ? 80.0 : 1380.0;
        a = exp((uniform() - 0.5) * spread) * (next() & 1 ? -1.0 : 1.0);
        b = exp((uniform() - 0.5) * spread) * (next() & 1 ? -1.0 : 1.0);
        mpfr_set_d(x, a, MPFR_RNDN);
        mpfr_set_d(y, b, MPFR_RNDN);
        mpfr_atan2(p, x, y, MPFR_RNDN);
        u = ulps(rt_atan2(a, b), p);
        worst_atan2 = u <= worst_atan2 ? worst_atan2 : u;
        if (!(u <= 1.2))
            fail_msg("atan2(%a, %a) = %a: %g ulp", a, b, rt_atan2(a, b), u);
    }
    print_message("  pow worst %.3f ulp, atan2 worst %.3f ulp\n", worst_pow, worst_atan2);
    /* Integer powers of negative numbers. */
    for (int n = -9; n <= 9; n++) {
        mpfr_set_d(x, -1.7, MPFR_RNDN);
        mpfr_pow_si(p, x, n, MPFR_RNDN);
        assert_true(ulps(rt_pow(-1.7, n), p) <= 1.0);
    }
    mpfr_clears(x, y, p, (mpfr_ptr)0);
}

/* sin and cos where Cody and Waite's reduction is hardest pressed: the doubles next to multiples of pi/2. */
static void test_near_multiples(void **unused)
{
    (void)unused;
    mpfr_t x, y;
    mpfr_inits2(PREC, x, y, (mpfr_ptr)0);
    for (int k = 0; k < 4 * count; k++) {
        double m = floor(exp(uniform() * log(6.9e11)));
        double a = m * 0x1.921fb54442d18p+0;
        mpfr_set_d(x, a, MPFR_RNDN);
        mpfr_sin(y, x, MPFR_RNDN);
        if (!(ulps(rt_sin(a), y) <= 0.8))
            fail_msg("sin(%a)", a);
        mpfr_cos(y, x, MPFR_RNDN);
        if (!(ulps(rt_cos(a), y) <= 0.8))
            fail_msg("cos(%a)", a);
        mpfr_tan(y, x, MPFR_RNDN);
        if (!(ulps(rt_tan(a), y) <= 1.0))
            fail_msg("tan(%a)", a);
    }
    mpfr_clears(x, y, (mpfr_ptr)0);
}

static int same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

typedef struct value {
    const char *name;
    double (*f)(double);
    double x, want;
} value;

#define V(name, x, want) {#name "(" #x ")", rt_##name, x, want}
#define PI 0x1.921fb54442d18p+1

static const value values[] = {
    V(exp, INFINITY, INFINITY), V(exp, -INFINITY, 0.0), V(exp, 0.0, 1.0), V(exp, 1e300, INFINITY), V(exp, -1e300, 0.0), V(exp, 710.0, INFINITY),
    V(exp, -746.0, 0.0), V(exp, -745.0, 0x1p-1074),
    V(expm1, INFINITY, INFINITY), V(expm1, -INFINITY, -1.0), V(expm1, 0.0, 0.0), V(expm1, -0.0, -0.0), V(expm1, 710.0, INFINITY), V(expm1, -1e10, -1.0),
    V(expm1, 0x1p-1074, 0x1p-1074),
    V(log, 0.0, -INFINITY), V(log, -0.0, -INFINITY), V(log, 1.0, 0.0), V(log, INFINITY, INFINITY), V(log, -1.0, NAN), V(log, -INFINITY, NAN),
    V(log, 0x1p-1074, -0x1.74385446d71c3p+9),
    V(log1p, -1.0, -INFINITY), V(log1p, -2.0, NAN), V(log1p, 0.0, 0.0), V(log1p, -0.0, -0.0), V(log1p, INFINITY, INFINITY), V(log1p, 0x1p-1074, 0x1p-1074),
    V(log1m, 1.0, -INFINITY), V(log1m, 2.0, NAN), V(log1m, -INFINITY, INFINITY),
    V(log1p_exp, INFINITY, INFINITY), V(log1p_exp, -INFINITY, 0.0), V(log1p_exp, 0.0, 0x1.62e42fefa39efp-1),
    V(log1m_exp, 0.0, -INFINITY), V(log1m_exp, 1.0, NAN), V(log1m_exp, -INFINITY, 0.0),
    V(inv_logit, INFINITY, 1.0), V(inv_logit, -INFINITY, 0.0), V(inv_logit, 0.0, 0.5),
    V(sqrt, -1.0, NAN), V(sqrt, -0.0, -0.0), V(cbrt, -8.0, -2.0), V(cbrt, 27.0, 3.0), V(cbrt, -0.0, -0.0), V(cbrt, -INFINITY, -INFINITY),
    V(sin, 0.0, 0.0), V(sin, -0.0, -0.0), V(sin, INFINITY, NAN), V(cos, 0.0, 1.0), V(cos, -INFINITY, NAN), V(tan, -0.0, -0.0), V(tan, INFINITY, NAN),
    V(sin, 0x1p41, NAN), V(cos, 0x1p41, NAN), V(tan, 0x1p41, NAN), V(sin, 0x1p-1074, 0x1p-1074), V(sin_pi, 3.0, -0.0), V(sin_pi, 0.5, 1.0), V(sin_pi, 1.5, -1.0),
    V(asin, 1.0, PI / 2), V(asin, -1.0, -PI / 2), V(asin, 1.1, NAN), V(asin, -0.0, -0.0), V(acos, 1.0, 0.0), V(acos, -1.0, PI), V(acos, 0.0, PI / 2),
    V(acos, -1.5, NAN), V(atan, INFINITY, PI / 2), V(atan, -INFINITY, -PI / 2), V(atan, 1.0, PI / 4), V(atan, -0.0, -0.0),
    V(sinh, INFINITY, INFINITY), V(sinh, -INFINITY, -INFINITY), V(sinh, -0.0, -0.0), V(sinh, 711.0, INFINITY), V(cosh, -INFINITY, INFINITY), V(cosh, 0.0, 1.0),
    V(cosh, 711.0, INFINITY), V(tanh, INFINITY, 1.0), V(tanh, -INFINITY, -1.0), V(tanh, -0.0, -0.0), V(tanh, 25.0, 1.0),
    V(erf, INFINITY, 1.0), V(erf, -INFINITY, -1.0), V(erf, -0.0, -0.0), V(erfc, INFINITY, 0.0), V(erfc, -INFINITY, 2.0), V(erfc, 0.0, 1.0), V(erfc, 28.0, 0.0),
    V(phi, INFINITY, 1.0), V(phi, -INFINITY, 0.0), V(phi, 0.0, 0.5), V(log_phi, INFINITY, 0.0), V(log_phi, -INFINITY, -INFINITY), V(log_phi, -1e200, -INFINITY),
    V(inv_phi, 0.0, -INFINITY), V(inv_phi, 1.0, INFINITY), V(inv_phi, 0.5, 0.0), V(inv_phi, -0.1, NAN), V(inv_phi, 1.1, NAN),
    V(lgamma, 1.0, 0.0), V(lgamma, 2.0, 0.0), V(lgamma, 0.0, INFINITY), V(lgamma, -0.0, INFINITY), V(lgamma, -1.0, INFINITY), V(lgamma, -7.0, INFINITY),
    V(lgamma, INFINITY, INFINITY), V(lgamma, -INFINITY, INFINITY), V(lgamma, 1e306, INFINITY),
    V(digamma, 0.0, -INFINITY), V(digamma, -0.0, INFINITY), V(digamma, -3.0, NAN), V(digamma, INFINITY, INFINITY), V(digamma, -INFINITY, NAN),
    V(trigamma, 0.0, INFINITY), V(trigamma, -2.0, INFINITY), V(trigamma, INFINITY, 0.0), V(trigamma, -INFINITY, NAN),
    V(floor, -0.5, -1.0), V(ceil, 0.5, 1.0), V(round, 2.5, 2.0), V(round, 3.5, 4.0), V(round, -0.4, -0.0), V(sign, -3.0, -1.0), V(sign, 0.0, 0.0), V(abs, -0.0, 0.0),
};

static void test_special_values(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double got = values[i].f(values[i].x);
        if (!same(got, values[i].want))
            fail_msg("%s is %a, not %a", values[i].name, got, values[i].want);
        if (!isnan(values[i].f(NAN)))
            fail_msg("%s: not NaN at NaN", values[i].name);
    }
    /* pow and atan2 follow the C standard's annex F, as the C library does. */
    static const double grid[] = {0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, INFINITY, -INFINITY, NAN, 0x1p53, -0x1p54, 0x1p-1074, 1e308, -1e308, 2.5};
    for (size_t i = 0; i < sizeof grid / sizeof *grid; i++)
        for (size_t j = 0; j < sizeof grid / sizeof *grid; j++) {
            double want = pow(grid[i], grid[j]), got = rt_pow(grid[i], grid[j]);
            if (!same(got, want) && !(fabs(got - want) <= 0x1p-52 * fabs(want)))
                fail_msg("pow(%a, %a) is %a, not %a", grid[i], grid[j], got, want);
            want = atan2(grid[i], grid[j]);
            got = rt_atan2(grid[i], grid[j]);
            if (!same(got, want) && !(fabs(got - want) <= 0x1p-52 * fabs(want)))
                fail_msg("atan2(%a, %a) is %a, not %a", grid[i], grid[j], got, want);
            want = isnan(grid[i]) || isnan(grid[j]) ? NAN : fmin(grid[i], grid[j]);
            got = rt_min(grid[i], grid[j]);
            assert_true(same(got, want) || (got == 0.0 && want == 0.0));
            want = isnan(grid[i]) || isnan(grid[j]) ? NAN : fmax(grid[i], grid[j]);
            got = rt_max(grid[i], grid[j]);
            assert_true(same(got, want) || (got == 0.0 && want == 0.0));
        }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        count = atoi(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),       cmocka_unit_test(test_reflected_gamma), cmocka_unit_test(test_two_arguments),
        cmocka_unit_test(test_near_multiples), cmocka_unit_test(test_special_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
