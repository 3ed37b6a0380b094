/* rt_isa_special.c: columns of special functions.
 *
 * The incomplete functions take LANES elements together: every step of their quadratures (rt_math_incomplete.h) is a loop over the lanes, so that vectors run
 * across elements in the nodes, and in what stands before and after them as well.  A lane is computed by the operations that one element alone would be, in
 * their order, so that it has its bits. */
#define RT_PIECE static inline __attribute__((always_inline, unused))
#include "stdlib/runtime/rt_isa.h"
#include "stdlib/runtime/rt_math_bessel.h"
#include "stdlib/runtime/rt_math_incomplete.h"
#include "stdlib/runtime/rt_math_owen.h"

enum { LANES = 16, FEW = 3 };
#define ONCE static __attribute__((noinline))
#define EACH RT_INDEPENDENT for (int l = 0; l < LANES; l++)

typedef struct lanes {
    double at[LANES];
} lanes;

/* Elements i .. i + LANES of a column, or of a scalar; past the end the last one again. */
static inline void load(lanes *to, const double *a, int sa, ptrdiff_t i, ptrdiff_t n)
{
    for (int l = 0; l < LANES; l++)
        to->at[l] = a[(i + l < n ? i + l : n - 1) * sa];
}
static inline void store(double *d, const lanes *from, ptrdiff_t i, ptrdiff_t n)
{
    for (int l = 0; l < LANES && i + l < n; l++)
        d[i + l] = from->at[l];
}

/* rt_node_tree on every lane. */
static inline void tree(lanes *f)
{
    for (int h = RT_NODES / 2; h > 0; h /= 2)
        for (int k = 0; k < h; k++)
            EACH { f[k].at[l] += f[k + h].at[l]; }
}

/* ---- incomplete gamma */

typedef struct gamma_lanes {
    lanes p, q, p_a, p_x, q_a, q_x;
} gamma_lanes;

ONCE rt_gamma_parts gamma_one(double a, double x) { return rt_gamma_all(a, x); }
ONCE rt_gamma_parts gamma_small(double a, double x, rt_gamma_parts r) { return rt_gamma_small(a, x, r); }

ONCE void gamma_lanes_of(gamma_lanes *r, const lanes *a, const lanes *x)
{
    lanes f[RT_NODES], g[RT_NODES], cut, delta;
    EACH { cut.at[l] = rt_gamma_cut(a->at[l], x->at[l]); }
    EACH { delta.at[l] = rt_gamma_delta(a->at[l], x->at[l]); }
    for (int k = 0; k < RT_NODES; k++)
        EACH
        {
            double v = cut.at[l] * rt_node[k];
            double e = rt_weight[k] * rt_gamma_node(delta.at[l], x->at[l], v);
            f[k].at[l] = e;
            g[k].at[l] = e * v;
        }
    tree(f);
    tree(g);
    EACH
    {
        rt_gamma_parts t = rt_gamma_finish(a->at[l], x->at[l], (rt_moments){cut.at[l] * f[0].at[l], cut.at[l] * g[0].at[l]});
        r->p.at[l] = t.p;
        r->q.at[l] = t.q;
        r->p_a.at[l] = t.p_a;
        r->p_x.at[l] = t.p_x;
        r->q_a.at[l] = t.q_a;
        r->q_x.at[l] = t.q_x;
    }
    for (int l = 0; l < LANES; l++) {
        if (!rt_gamma_is_small(a->at[l], x->at[l])) continue;
        rt_gamma_parts t = {r->p.at[l], r->q.at[l], r->p_a.at[l], r->p_x.at[l], r->q_a.at[l], r->q_x.at[l]};
        t = gamma_small(a->at[l], x->at[l], t);
        r->p.at[l] = t.p;
        r->q.at[l] = t.q;
        r->p_a.at[l] = t.p_a;
        r->p_x.at[l] = t.p_x;
        r->q_a.at[l] = t.q_a;
        r->q_x.at[l] = t.q_x;
    }
}

#define KERNEL(name) \
    void RT_LV(rt_special_##name)(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n)
#define UNREAD (void)b, (void)sb, (void)c, (void)sc

/* A part of what `of`_one gives for one element, and `of`_lanes_of for several. */
#define OF_TWO(name, of, part)                                                                                 \
    KERNEL(name)                                                                                               \
    {                                                                                                          \
        UNREAD;                                                                                                \
        if (n <= FEW) {                                                                                        \
            for (ptrdiff_t i = 0; i < n; i++)                                                                  \
                d[i] = of##_one(a[i * sa], b[i * sb]).part;                                                    \
            return;                                                                                            \
        }                                                                                                      \
        for (ptrdiff_t i = 0; i < n; i += LANES) {                                                             \
            lanes x, y;                                                                                        \
            of##_lanes r;                                                                                      \
            load(&x, a, sa, i, n);                                                                             \
            load(&y, b, sb, i, n);                                                                             \
            of##_lanes_of(&r, &x, &y);                                                                         \
            store(d, &r.part, i, n);                                                                           \
        }                                                                                                      \
    }
OF_TWO(log_gamma_p, gamma, p)
OF_TWO(log_gamma_p_a, gamma, p_a)
OF_TWO(log_gamma_p_x, gamma, p_x)
OF_TWO(log_gamma_q, gamma, q)
OF_TWO(log_gamma_q_a, gamma, q_a)
OF_TWO(log_gamma_q_x, gamma, q_x)

/* ---- incomplete beta */

typedef struct beta_lanes {
    lanes p, w, of;
} beta_lanes;

ONCE rt_beta_parts beta_one(double a, double b, double w, int of_b) { return rt_beta_all(a, b, w, of_b); }
ONCE rt_beta_parts beta_small(double a, double b, double w, int side) { return rt_beta_small(a, b, w, side); }

/* of_b: the parameter of the derivative, in the caller's terms. */
ONCE void beta_lanes_of(beta_lanes *r, const lanes *a, const lanes *b, const lanes *w, int of_b)
{
    lanes f[RT_NODES], g[RT_NODES], cut, delta, n, x, y, share;
    EACH
    {
        rt_beta_side s = rt_beta_of(a->at[l], b->at[l], w->at[l]);
        int side = s.low ? of_b : !of_b;
        delta.at[l] = s.delta;
        n.at[l] = s.n;
        x.at[l] = s.x;
        y.at[l] = s.y;
        share.at[l] = side ? -s.x : s.y;
    }
    EACH { cut.at[l] = rt_beta_cut(rt_beta_of(a->at[l], b->at[l], w->at[l])); }
    for (int k = 0; k < RT_NODES; k++)
        EACH
        {
            rt_beta_side s = {.x = x.at[l], .y = y.at[l], .delta = delta.at[l], .n = n.at[l]};
            double v = cut.at[l] * rt_node[k], psi = rt_beta_psi(s, v);
            double e = rt_weight[k] * rt_beta_node(s, v, psi);
            f[k].at[l] = e;
            g[k].at[l] = e * rt_fma(share.at[l], v, -psi);
        }
    tree(f);
    tree(g);
    EACH
    {
        int side = rt_beta_side_of(a->at[l], b->at[l], w->at[l], of_b);
        rt_beta_parts t = rt_beta_finish(a->at[l], b->at[l], w->at[l], (rt_moments){cut.at[l] * f[0].at[l], cut.at[l] * g[0].at[l]}, side);
        r->p.at[l] = t.p;
        r->w.at[l] = t.w;
        r->of.at[l] = t.of;
    }
    for (int l = 0; l < LANES; l++) {
        if (!rt_beta_is_small(a->at[l], b->at[l], w->at[l], r->p.at[l])) continue;
        rt_beta_parts t = beta_small(a->at[l], b->at[l], w->at[l], rt_beta_side_of(a->at[l], b->at[l], w->at[l], of_b));
        r->p.at[l] = t.p;
        r->w.at[l] = t.w;
        r->of.at[l] = t.of;
    }
}

#define BETA(name, part, of_b, OVER)                                                                           \
    KERNEL(name)                                                                                               \
    {                                                                                                          \
        if (n <= FEW) {                                                                                        \
            for (ptrdiff_t i = 0; i < n; i++)                                                                  \
                d[i] = beta_one(a[i * sa], b[i * sb], c[i * sc], of_b).part OVER(c[i * sc]);                   \
            return;                                                                                            \
        }                                                                                                      \
        for (ptrdiff_t i = 0; i < n; i += LANES) {                                                             \
            lanes x, y, w;                                                                                     \
            beta_lanes r;                                                                                      \
            load(&x, a, sa, i, n);                                                                             \
            load(&y, b, sb, i, n);                                                                             \
            load(&w, c, sc, i, n);                                                                             \
            beta_lanes_of(&r, &x, &y, &w, of_b);                                                               \
            EACH { r.part.at[l] = r.part.at[l] OVER(w.at[l]); }                                                \
            store(d, &r.part, i, n);                                                                           \
        }                                                                                                      \
    }
#define AS_IT_IS(w)
#define PER(w) / (w)
BETA(log_beta_odds, p, 0, AS_IT_IS)
BETA(log_beta_odds_a, of, 0, AS_IT_IS)
BETA(log_beta_odds_b, of, 1, AS_IT_IS)
BETA(log_beta_odds_w, w, 0, PER)

/* ---- Student's distribution function */

typedef struct student_lanes {
    lanes p, nu, z;
} student_lanes;

ONCE rt_student_parts student_one(double nu, double z) { return rt_student_finish(nu, z, beta_one(0.5 * nu, 0.5, rt_student_odds(nu, z), 0)); }

ONCE void student_lanes_of(student_lanes *r, const lanes *nu, const lanes *z)
{
    lanes a, b, w;
    beta_lanes t;
    EACH
    {
        a.at[l] = 0.5 * nu->at[l];
        b.at[l] = 0.5;
        w.at[l] = rt_student_odds(nu->at[l], z->at[l]);
    }
    beta_lanes_of(&t, &a, &b, &w, 0);
    EACH
    {
        rt_student_parts s = rt_student_finish(nu->at[l], z->at[l], (rt_beta_parts){t.p.at[l], t.w.at[l], t.of.at[l]});
        r->p.at[l] = s.p;
        r->nu.at[l] = s.nu;
        r->z.at[l] = s.z;
    }
}

OF_TWO(log_student, student, p)
OF_TWO(log_student_nu, student, nu)
OF_TWO(log_student_z, student, z)

/* ---- all that is asked of a law */

static inline const lanes *gamma_part(const gamma_lanes *r, int64_t op)
{
    switch (op) {
    case RT_LOG_GAMMA_P: return &r->p;
    case RT_LOG_GAMMA_P_A: return &r->p_a;
    case RT_LOG_GAMMA_P_X: return &r->p_x;
    case RT_LOG_GAMMA_Q: return &r->q;
    case RT_LOG_GAMMA_Q_A: return &r->q_a;
    default: return &r->q_x;
    }
}
static inline const lanes *student_part(const student_lanes *r, int64_t op)
{
    return op == RT_LOG_STUDENT ? &r->p : op == RT_LOG_STUDENT_NU ? &r->nu : &r->z;
}

void RT_LV(rt_k_special_of_law)(double *d, ptrdiff_t ld, const int64_t *op, ptrdiff_t count, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n)
{
    const enum rt_law law = rt_special_law((int)op[0]);
    int of_a = 0, of_b = 0;
    for (ptrdiff_t k = 0; k < count; k++) {
        of_a |= op[k] == RT_LOG_BETA_ODDS_A;
        of_b |= op[k] == RT_LOG_BETA_ODDS_B;
    }
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        lanes x, y, w;
        load(&x, a, sa, i, n);
        load(&y, b, sb, i, n);
        if (law == RT_LAW_GAMMA) {
            gamma_lanes r;
            gamma_lanes_of(&r, &x, &y);
            for (ptrdiff_t k = 0; k < count; k++) store(d + k * ld, gamma_part(&r, op[k]), i, n);
        } else if (law == RT_LAW_STUDENT) {
            student_lanes r;
            student_lanes_of(&r, &x, &y);
            for (ptrdiff_t k = 0; k < count; k++) store(d + k * ld, student_part(&r, op[k]), i, n);
        } else {
            beta_lanes r, s; /* with the derivative in a, and in b: all else in them is the same */
            load(&w, c, sc, i, n);
            if (of_a || !of_b) beta_lanes_of(&r, &x, &y, &w, 0);
            if (of_b) beta_lanes_of(&s, &x, &y, &w, 1);
            const beta_lanes *any = of_b ? &s : &r;
            for (ptrdiff_t k = 0; k < count; k++) {
                lanes per = any->w;
                EACH { per.at[l] = per.at[l] / w.at[l]; }
                store(d + k * ld, op[k] == RT_LOG_BETA_ODDS_A ? &r.of : op[k] == RT_LOG_BETA_ODDS_B ? &s.of : op[k] == RT_LOG_BETA_ODDS ? &any->p : &per, i, n);
            }
        }
    }
}

/* ---- one by one: of Owen's T the nodes are the vector */

KERNEL(owens_t)
{
    UNREAD;
    for (ptrdiff_t i = 0; i < n; i++)
        d[i] = rt_owens_t(a[i * sa], b[i * sb]);
}

#define UNARY(name)                                                                                            \
    KERNEL(name)                                                                                               \
    {                                                                                                          \
        UNREAD;                                                                                                \
        RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++)                                                       \
        {                                                                                                      \
            d[i] = rt_##name(a[i * sa]);                                                                       \
        }                                                                                                      \
    }
UNARY(log_bessel_i0e)
UNARY(bessel_ratio)
UNARY(bessel_gap)
