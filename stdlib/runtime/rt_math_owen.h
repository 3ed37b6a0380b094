/* rt_math_owen.h: Owen's T function.  See rt_math.h. */
#ifndef RT_MATH_OWEN_H
#define RT_MATH_OWEN_H

#include "stdlib/runtime/rt_math_incomplete.h"
#include "stdlib/runtime/rt_math_normal.h"
#include "stdlib/runtime/rt_math_trig.h"

/* The integral of e^(-h^2 t^2 / 2) / (1 + t^2) over 0 .. a, 0 <= a <= 1, cut at nine standard deviations, by the Gauss-Legendre rule. */
RT_FN double rt_owens_t_unit(double h, double a)
{
    double cut = 9.0 / (h > 1.0 ? h : 1.0);
    double u = a < cut ? a : cut;
    double f[RT_NODES];
    RT_NODE_LOOP for (int k = 0; k < RT_NODES; k++)
    {
        double t = u * rt_node[k], ht = h * t;
        f[k] = rt_weight[k] * rt_exp_fall(-0.5 * ht * ht) / rt_fma(t, t, 1.0);
    }
    return u * rt_node_tree(f);
}

/* The integral for |h| and |a|, or where |a| > 1 for |a h| and 1 / |a|. */
RT_PIECE double rt_owens_t_part(double h, double a)
{
    double g = rt_abs(h), b = rt_abs(a);
    int near = b <= 1.0;
    return rt_owens_t_unit(near ? g : b * g, near ? b : 1.0 / b);
}

/* T(h, a) from it (Owen 1956, "Tables for computing bivariate normal probabilities", 2.3). */
RT_FN double rt_owens_t_finish(double h, double a, double part)
{
    double g = rt_abs(h), b = rt_abs(a);
    int near = b <= 1.0;
    double bg = b * g, s = near ? g : bg;
    double t = 0x1.45f306dc9c883p-3 * rt_exp(-0.5 * (s * s)) * part;
    double rest = 0.5 * rt_fma(rt_phi(-g), rt_phi(bg), rt_phi(g) * rt_phi(-bg));
    t = near ? t : rest - t;
    t = g == 0.0 ? 0x1.45f306dc9c883p-3 * rt_atan(b) : t;
    return ((h != h) | (a != a)) ? RT_NAN : rt_copysign(t, a);
}

/* Owen's T: 4e-16 absolute. */
RT_FN double rt_owens_t(double h, double a) { return rt_owens_t_finish(h, a, rt_owens_t_part(h, a)); }

#endif
