/* rt_draws.h: columns of draws by inversion: those of rt_sample.h that have no parameters, at many addresses at once. */
#ifndef RT_DRAWS_H
#define RT_DRAWS_H

#include <stddef.h>
#include <stdint.h>

typedef enum rt_draw_kind { RT_DRAW_UNIFORM, RT_DRAW_NORMAL, RT_DRAW_EXPONENTIAL } rt_draw_kind;

/* d [n] = the draws of that kind at the addresses (key[i * sk], site, index[i * si]). */
typedef void rt_draws_fn(double *d, rt_draw_kind kind, uint32_t site, const int64_t *key, int sk, const int64_t *index, int si, ptrdiff_t n);

/* That of a level, at most the machine's own; level 0 asks for the best one.  The bits are the same. */
rt_draws_fn *rt_draws_for(int level);

/* d [n] = standard normals, those of rt_draw_normal at the indices 0 to n - 1. */
void rt_draw_normals(double *d, uint64_t key, uint32_t site, size_t n);

#endif
