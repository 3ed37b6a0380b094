/* rt_isa_unary.c: real columns of functions of one argument. */
#include "stdlib/runtime/rt_isa_columns.h"
#include "stdlib/runtime/rt_math.h"

/* The gamma family reflects negative arguments, at twice the cost, so a stretch without any takes the shorter path, which has the same bits there. */
enum { STRETCH = 256 };

static int all_positive(const double *a, ptrdiff_t n)
{
    int64_t rest = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        rest |= a[i] > 0.0 ? 0 : 1;
    return !rest;
}

#define DEFINE_GAMMA(name)                                                      \
    static void name##_columns(double *d, const double *a, ptrdiff_t n)         \
    {                                                                           \
        for (; n > 0; d += STRETCH, a += STRETCH, n -= STRETCH) {               \
            ptrdiff_t len = n < STRETCH ? n : STRETCH;                          \
            if (all_positive(a, len)) {                                         \
                RT_INDEPENDENT for (ptrdiff_t i = 0; i < len; i++)              \
                {                                                               \
                    d[i] = rt_##name##_pos(a[i]);                               \
                }                                                               \
            } else {                                                            \
                RT_INDEPENDENT for (ptrdiff_t i = 0; i < len; i++)              \
                {                                                               \
                    d[i] = rt_##name(a[i]);                                     \
                }                                                               \
            }                                                                   \
        }                                                                       \
    }
DEFINE_GAMMA(lgamma)
DEFINE_GAMMA(digamma)
DEFINE_GAMMA(trigamma)

#define GENERAL(name) RT_COLUMNS1(double, rt_##name(x))
#define BODY_lgamma lgamma_columns(d, a, n)
#define BODY_digamma digamma_columns(d, a, n)
#define BODY_trigamma trigamma_columns(d, a, n)

#define DEFINE(E, name, m) \
    void RT_LV(rt_un_##name)(double *d, const double *a, ptrdiff_t n) { BODY_##name; }
#define BODY_neg GENERAL(neg)
#define BODY_abs GENERAL(abs)
#define BODY_square GENERAL(square)
#define BODY_sign GENERAL(sign)
#define BODY_floor GENERAL(floor)
#define BODY_ceil GENERAL(ceil)
#define BODY_round GENERAL(round)
#define BODY_sqrt GENERAL(sqrt)
#define BODY_cbrt GENERAL(cbrt)
#define BODY_recip GENERAL(recip)
#define BODY_exp GENERAL(exp)
#define BODY_expm1 GENERAL(expm1)
#define BODY_log GENERAL(log)
#define BODY_log1p GENERAL(log1p)
#define BODY_log1m GENERAL(log1m)
#define BODY_sin GENERAL(sin)
#define BODY_cos GENERAL(cos)
#define BODY_tan GENERAL(tan)
#define BODY_asin GENERAL(asin)
#define BODY_acos GENERAL(acos)
#define BODY_atan GENERAL(atan)
#define BODY_sinh GENERAL(sinh)
#define BODY_cosh GENERAL(cosh)
#define BODY_tanh GENERAL(tanh)
#define BODY_erf GENERAL(erf)
#define BODY_erfc GENERAL(erfc)
#define BODY_log1p_exp GENERAL(log1p_exp)
#define BODY_log1m_exp GENERAL(log1m_exp)
#define BODY_inv_logit GENERAL(inv_logit)
#define BODY_phi GENERAL(phi)
#define BODY_log_phi GENERAL(log_phi)
#define BODY_inv_phi GENERAL(inv_phi)
RT_UN_OPS(DEFINE)
