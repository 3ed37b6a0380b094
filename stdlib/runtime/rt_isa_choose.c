/* rt_isa_choose.c: draws of many finite unknowns at once, each from log weights of its own. */
#include "stdlib/runtime/rt_isa.h"

#include "stdlib/runtime/rt_math.h"
#include "stdlib/runtime/rt_philox.h"

#define GROUP 16 /* elements in step */

/* Elements behind n take part with weights of 1, so that no loop has a tail. */
static int choose_group(double *lw, ptrdiff_t states, ptrdiff_t ld, uint64_t key, uint32_t site, const uint64_t *index, int64_t *choice)
{
    double max[GROUP], total[GROUP], t[GROUP];
    double k[GROUP], wrong[GROUP];
    for (int i = 0; i < GROUP; i++) max[i] = -RT_INF, wrong[i] = 0.0;
    for (ptrdiff_t s = 0; s < states; s++) {
        double *w = lw + s * ld;
        for (int i = 0; i < GROUP; i++) {
            double x = w[i];
            wrong[i] = x != x ? 1.0 : wrong[i];
            x = x < RT_INF ? x : -RT_INF;
            w[i] = x;
            max[i] = x > max[i] ? x : max[i];
        }
    }
    for (int i = 0; i < GROUP; i++) {
        total[i] = 0.0;
        t[i] = max[i] > -RT_INF ? max[i] : 0.0;
    }
    for (ptrdiff_t s = 0; s < states; s++) {
        double *w = lw + s * ld;
        for (int i = 0; i < GROUP; i++) {
            w[i] = rt_exp(w[i] - t[i]);
            total[i] += w[i];
        }
    }
    for (int i = 0; i < GROUP; i++) {
        rt_philox r = rt_philox4x32(key, 0, site, (uint32_t)index[i], (uint32_t)(index[i] >> 32));
        t[i] = rt_u01(rt_philox_u64(r, 0)) * total[i];
        total[i] = 0.0;
        k[i] = 0.0;
    }
    for (ptrdiff_t s = 0; s < states; s++) {
        const double *w = lw + s * ld;
        for (int i = 0; i < GROUP; i++) {
            total[i] += w[i];
            k[i] += total[i] <= t[i] ? 1.0 : 0.0;
        }
    }
    double any = 0.0;
    const double most = (double)states;
    for (int i = 0; i < GROUP; i++) {
        k[i] = max[i] > -RT_INF ? k[i] : most;
        k[i] = k[i] < most ? k[i] : -1.0;
    }
    for (int i = 0; i < GROUP; i++) choice[i] = (int64_t)k[i];
    for (int i = 0; i < GROUP; i++) any += wrong[i];
    return any > 0.0;
}

int RT_LV(rt_k_choose)(int64_t *choice, double *lw, ptrdiff_t states, ptrdiff_t ld, ptrdiff_t n, uint64_t key, uint32_t site, const int64_t *index, int64_t first)
{
    int wrong = 0;
    for (ptrdiff_t at = 0; at < n; at += GROUP) {
        uint64_t e[GROUP];
        int64_t c[GROUP];
        const ptrdiff_t here = n - at < GROUP ? n - at : GROUP;
        for (int i = 0; i < GROUP; i++) e[i] = (uint64_t)(i >= here ? 0 : index ? index[at + i] : first + at + i);
        for (ptrdiff_t s = 0; here < GROUP && s < states; s++)
            for (ptrdiff_t i = here; i < GROUP; i++) lw[s * ld + at + i] = 0.0;
        wrong |= choose_group(lw + at, states, ld, key, site, e, c);
        for (ptrdiff_t i = 0; i < here; i++) choice[at + i] = c[i];
    }
    return wrong;
}
