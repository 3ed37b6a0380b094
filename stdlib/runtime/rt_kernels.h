/* rt_kernels.h: column kernels, the inner loops of an interpreter, one table for each instruction-set level.
 *
 * All levels give the same bits (NaN payloads and signs apart), so the choice of a table is a matter of speed alone.
 *
 * Conventions, for every kernel:
 *  - n >= 0 is a number of elements, and the columns are contiguous.
 *  - An input with a stride argument (sa, sb, sc) is a column when the stride is 1 and one scalar, read at every element, when it is 0.
 *  - A destination may be the very column of an input (d == a), else it must not overlap one.  A scalar input must not lie inside the destination,
 *    unless n == 1.
 *  - Booleans are int64 columns of 0 and 1.
 *  - Nothing allocates, keeps state or fails; domain errors give NaN (see rt_math.h). */
#ifndef RT_KERNELS_H
#define RT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "stdlib/runtime/rt_sum.h"

/* Real to real.  X(ENUM, name, meaning); accuracy and special values are those of rt_<name> in rt_math.h. */
#define RT_UN_OPS(X)                                             \
    X(NEG, neg, "-a")                                            \
    X(ABS, abs, "|a|")                                           \
    X(SQUARE, square, "a a")                                     \
    X(SIGN, sign, "-1, 0 or 1; NaN for NaN")                     \
    X(FLOOR, floor, "largest integer <= a")                      \
    X(CEIL, ceil, "smallest integer >= a")                       \
    X(ROUND, round, "nearest integer, ties to even")             \
    X(SQRT, sqrt, "square root")                                 \
    X(CBRT, cbrt, "cube root")                                   \
    X(RECIP, recip, "1 / a")                                     \
    X(EXP, exp, "e^a")                                           \
    X(EXPM1, expm1, "e^a - 1")                                   \
    X(LOG, log, "natural logarithm")                             \
    X(LOG1P, log1p, "log(1 + a)")                                \
    X(LOG1M, log1m, "log(1 - a)")                                \
    X(SIN, sin, "sine of radians")                               \
    X(COS, cos, "cosine of radians")                             \
    X(TAN, tan, "tangent of radians")                            \
    X(ASIN, asin, "arc sine")                                    \
    X(ACOS, acos, "arc cosine")                                  \
    X(ATAN, atan, "arc tangent")                                 \
    X(SINH, sinh, "hyperbolic sine")                             \
    X(COSH, cosh, "hyperbolic cosine")                           \
    X(TANH, tanh, "hyperbolic tangent")                          \
    X(ERF, erf, "error function")                                \
    X(ERFC, erfc, "1 - erf(a)")                                  \
    X(LGAMMA, lgamma, "log |Gamma(a)|")                          \
    X(DIGAMMA, digamma, "derivative of log Gamma")               \
    X(TRIGAMMA, trigamma, "second derivative of log Gamma")      \
    X(LOG1P_EXP, log1p_exp, "log(1 + e^a)")                      \
    X(LOG1M_EXP, log1m_exp, "log(1 - e^a), a <= 0")              \
    X(INV_LOGIT, inv_logit, "1 / (1 + e^-a)")                    \
    X(PHI, phi, "standard normal distribution function")         \
    X(LOG_PHI, log_phi, "its logarithm")                         \
    X(INV_PHI, inv_phi, "its inverse")

/* Two reals to a real.  min and max are NaN if an operand is. */
#define RT_BIN_OPS(X)                    \
    X(ADD, add, "a + b")                 \
    X(SUB, sub, "a - b")                 \
    X(MUL, mul, "a b")                   \
    X(DIV, div, "a / b")                 \
    X(POW, pow, "a^b")                   \
    X(MIN, min, "the smaller")           \
    X(MAX, max, "the larger")            \
    X(ATAN2, atan2, "angle of (b, a): atan2(y = a, x = b)")

/* Special functions of one, two and three reals: rt_math_bessel.h, rt_math_incomplete.h, rt_math_owen.h.  Those with _a, _b, _w, _x, _nu, _z at the end
 * are the derivatives in that operand. */
#define RT_SPECIAL1_OPS(X)                                                          \
    X(LOG_BESSEL_I0E, log_bessel_i0e, "log(e^-|a| I0(a))")                          \
    X(BESSEL_RATIO, bessel_ratio, "I1(a) / I0(a), a >= 0")                          \
    X(BESSEL_GAP, bessel_gap, "1 - I1(a) / I0(a), a >= 0")
#define RT_SPECIAL2_OPS(X)                                                          \
    X(LOG_GAMMA_P, log_gamma_p, "log P(a, x), the mass of Gamma(a, 1) below x")     \
    X(LOG_GAMMA_P_A, log_gamma_p_a, "its derivative in a")                          \
    X(LOG_GAMMA_P_X, log_gamma_p_x, "and in x")                                     \
    X(LOG_GAMMA_Q, log_gamma_q, "log Q(a, x), the mass above x")                    \
    X(LOG_GAMMA_Q_A, log_gamma_q_a, "its derivative in a")                          \
    X(LOG_GAMMA_Q_X, log_gamma_q_x, "and in x")                                     \
    X(LOG_STUDENT, log_student, "log P(T < z), T with nu degrees of freedom")       \
    X(LOG_STUDENT_NU, log_student_nu, "its derivative in nu")                       \
    X(LOG_STUDENT_Z, log_student_z, "and in z")                                     \
    X(OWENS_T, owens_t, "Owen's T(h, a)")
#define RT_SPECIAL3_OPS(X)                                                          \
    X(LOG_BETA_ODDS, log_beta_odds, "log I_x(a, b) of the odds w = x / (1 - x)")    \
    X(LOG_BETA_ODDS_A, log_beta_odds_a, "its derivative in a")                      \
    X(LOG_BETA_ODDS_B, log_beta_odds_b, "in b")                                     \
    X(LOG_BETA_ODDS_W, log_beta_odds_w, "and in w")
#define RT_SPECIAL_OPS(X) RT_SPECIAL1_OPS(X) RT_SPECIAL2_OPS(X) RT_SPECIAL3_OPS(X)

/* Two operands to 0 or 1, both for reals (false on NaN, but for ne) and for int64. */
#define RT_CMP_OPS(X) X(EQ, eq, "a == b") X(NE, ne, "a != b") X(LT, lt, "a < b") X(LE, le, "a <= b") X(GT, gt, "a > b") X(GE, ge, "a >= b")

/* Two int64 to int64, wrapping modulo 2^64.  floordiv rounds towards -infinity and mod has the divisor's sign: a = b floordiv(a, b) + mod(a, b);
 * both give 0 for b = 0, which callers check where it matters.  and, or take any int64 as true if nonzero, and give 0 or 1. */
#define RT_IBIN_OPS(X)                        \
    X(IADD, iadd, "a + b")                    \
    X(ISUB, isub, "a - b")                    \
    X(IMUL, imul, "a b")                      \
    X(IFLOORDIV, ifloordiv, "floor(a / b)")   \
    X(IMOD, imod, "a - b floor(a / b)")       \
    X(IMIN, imin, "the smaller")              \
    X(IMAX, imax, "the larger")               \
    X(AND, and, "a != 0 && b != 0")           \
    X(OR, or, "a != 0 || b != 0")

#define RT_IUN_OPS(X) X(INEG, ineg, "-a, wrapping") X(IABS, iabs, "|a|, wrapping") X(ISIGN, isign, "-1, 0 or 1") X(NOT, not, "a == 0")

#define RT_OP_ENUM(E, name, meaning) RT_##E,
enum rt_un { RT_UN_OPS(RT_OP_ENUM) RT_UN_COUNT };
enum rt_bin { RT_BIN_OPS(RT_OP_ENUM) RT_BIN_COUNT };
enum rt_special { RT_SPECIAL_OPS(RT_OP_ENUM) RT_SPECIAL_COUNT };
/* Special functions of one law, which share nearly all of their work at the same operands. */
enum rt_law { RT_LAW_NONE, RT_LAW_GAMMA, RT_LAW_BETA, RT_LAW_STUDENT };
static inline enum rt_law rt_special_law(int op)
{
    return op >= RT_LOG_GAMMA_P && op <= RT_LOG_GAMMA_Q_X       ? RT_LAW_GAMMA
           : op >= RT_LOG_BETA_ODDS && op <= RT_LOG_BETA_ODDS_W ? RT_LAW_BETA
           : op >= RT_LOG_STUDENT && op <= RT_LOG_STUDENT_Z     ? RT_LAW_STUDENT
                                                                : RT_LAW_NONE;
}
enum rt_cmp { RT_CMP_OPS(RT_OP_ENUM) RT_CMP_COUNT };
enum rt_ibin { RT_IBIN_OPS(RT_OP_ENUM) RT_IBIN_COUNT };
enum rt_iun { RT_IUN_OPS(RT_OP_ENUM) RT_IUN_COUNT };
#undef RT_OP_ENUM

/* Terms of a matrix product that are summed in one chain. */
enum { RT_CHAIN_TERMS = 128 };

typedef void rt_un_fn(double *d, const double *a, ptrdiff_t n);
typedef void rt_bin_fn(double *d, const double *a, int sa, const double *b, int sb, ptrdiff_t n);
/* Operands beyond those of the function are not read. */
typedef void rt_special_fn(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n);
typedef void rt_cmp_fn(int64_t *d, const double *a, int sa, const double *b, int sb, ptrdiff_t n);
typedef void rt_iun_fn(int64_t *d, const int64_t *a, ptrdiff_t n);
typedef void rt_ibin_fn(int64_t *d, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n);

/* Elements of a finite unknown that are drawn at once: those that index [n] lists, or first and on where it is NULL. */
typedef struct rt_choices {
    ptrdiff_t states, ld;
    uint64_t key; /* with site the address of an element's draw */
    uint32_t site;
    const int64_t *index;
    int64_t first;
    int64_t lowest, step; /* the k-th state is lowest + k step */
} rt_choices;

typedef struct rt_kernels {
    int level; /* 2, 3, 4 for x86-64-v2, v3, v4; 1 for the generic build of other machines */

    rt_un_fn *un[RT_UN_COUNT];
    rt_bin_fn *bin[RT_BIN_COUNT];
    rt_special_fn *special[RT_SPECIAL_COUNT];
    /* Columns d + k ld of the functions op[k], k < count, of one law and at the same operands; none overlaps an operand. */
    void (*special_of_law)(double *d, ptrdiff_t ld, const int64_t *op, ptrdiff_t count, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n);
    rt_cmp_fn *cmp[RT_CMP_COUNT];
    rt_iun_fn *iun[RT_IUN_COUNT];
    rt_ibin_fn *ibin[RT_IBIN_COUNT];
    rt_ibin_fn *icmp[RT_CMP_COUNT];

    /* d = a b + c with one rounding. */
    void (*fma)(double *d, const double *a, int sa, const double *b, int sb, const double *c, int sc, ptrdiff_t n);
    /* d = c != 0 ? a : b. */
    void (*select)(double *d, const int64_t *c, int sc, const double *a, int sa, const double *b, int sb, ptrdiff_t n);
    void (*iselect)(int64_t *d, const int64_t *c, int sc, const int64_t *a, int sa, const int64_t *b, int sb, ptrdiff_t n);
    void (*int_to_real)(double *d, const int64_t *a, ptrdiff_t n);
    /* Truncates towards 0; saturates at the ends of int64; NaN gives 0. */
    void (*real_to_int)(int64_t *d, const double *a, ptrdiff_t n);

    /* Moves.  Indices are 0-based, in elements, and not checked. */
    void (*copy)(double *d, const double *a, ptrdiff_t n);                                      /* d[i] = a[i]; must not overlap partly */
    void (*fill)(double *d, double v, ptrdiff_t n);                                             /* d[i] = v */
    void (*ifill)(int64_t *d, int64_t v, ptrdiff_t n);                                          /* d[i] = v */
    void (*iota)(int64_t *d, int64_t first, int64_t step, ptrdiff_t n);                         /* d[i] = first + step i */
    void (*gather)(double *d, const double *base, const int64_t *idx, ptrdiff_t n);             /* d[i] = base[idx[i]] */
    void (*igather)(int64_t *d, const int64_t *base, const int64_t *idx, ptrdiff_t n);          /* d[i] = base[idx[i]] */
    void (*load_strided)(double *d, const double *base, ptrdiff_t stride, ptrdiff_t n);         /* d[i] = base[i stride] */
    void (*iload_strided)(int64_t *d, const int64_t *base, ptrdiff_t stride, ptrdiff_t n);      /* d[i] = base[i stride] */
    void (*store_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n); /* base[i stride] = a[i] */
    void (*add_strided)(double *base, ptrdiff_t stride, const double *a, int sa, ptrdiff_t n);  /* base[i stride] += a[i], stride != 0 */
    void (*scatter)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n);    /* base[idx[i]] = a[i], in order of i */
    void (*scatter_add)(double *base, const int64_t *idx, const double *a, int sa, ptrdiff_t n); /* base[idx[i]] += a[i], in order of i */

    /* Canonical sums (rt_sum.h). */
    double (*sum)(const double *e, ptrdiff_t n);
    void (*sum_push)(rt_summer *s, const double *e, ptrdiff_t n);
    double (*dot)(const double *a, int sa, const double *b, int sb, ptrdiff_t n); /* S of the rounded products a[i] b[i] */
    /* Sum j < count takes the rounded products a[i] B[j ld + i]: a column against each column of a column-major matrix. */
    void (*sum_push_columns)(rt_summer *s, const double *a, int sa, const double *B, ptrdiff_t ld, ptrdiff_t count, ptrdiff_t n);

    /* Dense linear algebra.  Matrices are row-major and contiguous: an m x n matrix A has element (i, j) at A[i n + j].  The order of every operation
     * on an element is fixed, so results do not depend on how the work is cut into blocks.  A product with a vector sums its rounded products by S, in
     * increasing order of the summation index.  All else is chains of fma, which register tiles can follow at full speed. */

    /* y = A x (y [m], x [n]) if !trans, y = A' x (y [n], x [m]) if trans; A [m][n].  y overlaps neither. */
    void (*gemv)(double *y, const double *A, const double *x, ptrdiff_t m, ptrdiff_t n, int trans);
    /* y = A x of a column-major matrix: y[i] = S_j A[j ld + i] x[j], i < m, j < n, ld >= m.  y overlaps neither. */
    void (*gemv_columns)(double *y, const double *A, ptrdiff_t ld, const double *x, ptrdiff_t m, ptrdiff_t n);
    /* C [m][n] = op(A) op(B), op(A) [m][k], op(B) [k][n]; ta and tb say that A is stored as [k][m], B as [n][k].  C overlaps neither.
     * The terms of an element are cut into runs of RT_CHAIN_TERMS; each run is a chain c = fma(a, b, c) from +0.0, and the chains are added in order. */
    void (*gemm)(double *C, const double *A, const double *B, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, int ta, int tb);
    /* A [m][n] += alpha x y' (x [m], y [n]): A[i][j] = A[i][j] + (alpha x[i]) y[j], each operation rounded. */
    void (*ger)(double *A, double alpha, const double *x, const double *y, ptrdiff_t m, ptrdiff_t n);
    /* D [n][m] = A' for A [m][n].  D overlaps A only if D == A and m == n. */
    void (*transpose)(double *D, const double *A, ptrdiff_t m, ptrdiff_t n);

    /* Cholesky factor: L lower triangular with L L' = A, A symmetric [n][n], of which only the lower triangle is read; L may be A.  Zeroes the upper
     * triangle.  A[i][j] less the products L[i][k] L[j][k], k = 0, 1, .. j - 1, is the chain t = fma(-L[i][k], L[j][k], t); then L[j][j] = sqrt(t), and
     * below it L[i][j] = t (1 / L[j][j]).  Returns 0, or 1 if A is not positive definite (or has NaN): a pivot was not > 0, and L is then partly written. */
    int (*cholesky)(double *L, const double *A, ptrdiff_t n);
    /* X [n][m] with L X = B, or with L' X = B if trans; L [n][n] lower triangular, its upper triangle is not read; X may be B.  m = 1 is a vector.
     * b_i less the products L[i][k] x_k, k = 0, 1, .. i - 1, is the chain t = fma(-L[i][k], x_k, t), and x_i = t (1 / L[i][i]); for L' the products are
     * L[k][i] x_k for k = n - 1, n - 2, .. i + 1. */
    void (*solve_lower)(double *X, const double *L, const double *B, ptrdiff_t n, ptrdiff_t m, int trans);
    /* Reverse mode of the Cholesky factor (Murray 2016, "Differentiation of the Cholesky decomposition", in blocks): given L [n][n] and Lbar [n][n],
     * dF/dL (its upper triangle is not read), writes the symmetric Abar [n][n] with dF = sum_ij Abar[i][j] dA[i][j] for symmetric dA.
     * Abar may be Lbar.  The order of operations is that of rt_isa_cholesky.c, the same at every level. */
    void (*cholesky_adjoint)(double *Abar, const double *L, const double *Lbar, ptrdiff_t n);
    /* Rows added to a triangular factor: R [p][p] becomes upper triangular with R'R = its own upper triangle's R'R + A'A, A [m][p] (its lower triangle
     * is not read, and zeroed).  Householder reflections, so backward stable column by column for any rank (rt_isa_qr.c fixes the order of
     * operations; the diagonal has any sign).  scratch: RT_QR_SCRATCH(p) doubles.  Nothing overlaps. */
    void (*qr_rows)(double *R, const double *A, ptrdiff_t m, ptrdiff_t p, double *scratch);

    /* Draws n elements of a finite unknown, each from the log weights of its states: those of the i-th are column i of lw [c->states][c->ld], n <= c->ld.  The number of its state is what
     * rt_draw_choice makes of them at its address; a NaN or +inf counts as -inf, and without a finite weight the element stays.  Overwrites lw.  Returns 1 if there was a NaN. */
    int (*choose)(int64_t *value, double *lw, ptrdiff_t n, const rt_choices *c);
} rt_kernels;

enum { RT_QR_ROWS = 64 }; /* taken at a time */
#define RT_QR_SCRATCH(p) ((RT_QR_ROWS + 1) * ((p) + 8) + RT_QR_ROWS)

#if defined(__x86_64__)
extern const rt_kernels rt_kernels_v2, rt_kernels_v3, rt_kernels_v4;
#else
extern const rt_kernels rt_kernels_generic;
#endif

/* The level of the machine it runs on: 2, 3 or 4 on x86-64 (a machine below v2 is not supported), else 1. */
int rt_isa_best(void);

/* The table of a level, at most the machine's own; level 0 asks for the best one. */
const rt_kernels *rt_kernels_for(int level);

#endif
