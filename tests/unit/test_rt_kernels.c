/* test_rt_kernels.c: every kernel has the same bits at every instruction-set level, the scalar functions' and the written-out definitions' values, and
 * sums and factorisations mean what their headers say.  Levels beyond the machine's own fall back to it, and then compare trivially. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stdlib/runtime/rt_kernels.h"
#include "stdlib/runtime/rt_math.h"

static uint64_t state = 0x9E3779B97F4A7C15u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545F4914F6CDD1Du;
}

static double uniform(void) { return (double)(next() >> 11) * 0x1p-53; }

/* Ordinary numbers of many sizes, with special ones among them. */
static double awkward(void)
{
    static const double special[] = {0.0, -0.0, 1.0, -1.0, 0.5, 2.0, INFINITY, -INFINITY, NAN, 0x1p-1074, -0x1p-1022, 0x1.fffffffffffffp1023, 1e-300, -3.0};
    uint64_t r = next() % 8;
    if (r == 0)
        return special[next() % (sizeof special / sizeof *special)];
    double u = uniform() * 2.0 - 1.0;
    return r < 3 ? u : r < 6 ? u * 30.0 : u * ldexp(1.0, (int)(next() % 400) - 200);
}

static int64_t awkward_int(void)
{
    static const int64_t special[] = {0, 1, -1, INT64_MIN, INT64_MAX, 2, -2};
    return next() % 4 == 0 ? special[next() % 7] : (int64_t)(next() % 41) - 20;
}

static int same(double a, double b)
{
    return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0;
}

static void assert_same(const double *a, const double *b, ptrdiff_t n, const char *what)
{
    for (ptrdiff_t i = 0; i < n; i++)
        if (!same(a[i], b[i]))
            fail_msg("%s: element %td is %a and %a", what, i, a[i], b[i]);
}

enum { MAX = 4200 };
static const ptrdiff_t lengths[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 17, 31, 32, 33, 63, 255, 256, 257, 1000, 4095, 4096, 4097};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static double a[MAX], b[MAX], c[MAX], d2[MAX], d3[MAX];
static int64_t ia[MAX], ib[MAX], ic[MAX], e2[MAX], e3[MAX];

static void fill_inputs(void)
{
    for (int i = 0; i < MAX; i++) {
        a[i] = awkward();
        b[i] = awkward();
        c[i] = awkward();
        ia[i] = awkward_int();
        ib[i] = awkward_int();
        ic[i] = (int64_t)(next() & 1);
    }
}

#define NAME(E, name, m) #name,
static const char *const un_names[] = {RT_UN_OPS(NAME)};
static const char *const bin_names[] = {RT_BIN_OPS(NAME)};
#define SCALAR(E, name, m) rt_##name,
static double (*const un_scalar[])(double) = {RT_UN_OPS(SCALAR)};

static double k_add(double x, double y) { return x + y; }
static double k_sub(double x, double y) { return x - y; }
static double k_mul(double x, double y) { return x * y; }
static double k_div(double x, double y) { return x / y; }
static double (*const bin_scalar[])(double, double) = {k_add, k_sub, k_mul, k_div, rt_pow, rt_min, rt_max, rt_atan2};

static void test_unary(void **unused)
{
    (void)unused;
    for (int level = 2; level <= 4; level++) {
        const rt_kernels *k = rt_kernels_for(level);
        for (int op = 0; op < RT_UN_COUNT; op++)
            for (int l = 0; l < LENGTHS; l++) {
                ptrdiff_t n = lengths[l];
                fill_inputs();
                if (l % 2) /* the stretches without a negative element */
                    for (int i = 0; i < MAX; i++)
                        a[i] = fabs(a[i]);
                for (ptrdiff_t i = 0; i < n; i++)
                    d2[i] = un_scalar[op](a[i]);
                d3[n] = 12345.0;
                k->un[op](d3, a, n);
                assert_same(d2, d3, n, un_names[op]);
                assert_true(d3[n] == 12345.0);
                /* in place */
                memcpy(d3, a, sizeof a);
                k->un[op](d3, d3, n);
                assert_same(d2, d3, n, un_names[op]);
            }
    }
}

static void test_binary(void **unused)
{
    (void)unused;
    for (int level = 2; level <= 4; level++) {
        const rt_kernels *k = rt_kernels_for(level);
        for (int op = 0; op < RT_BIN_COUNT; op++)
            for (int l = 0; l < LENGTHS; l++)
                for (int s = 0; s < 4; s++) {
                    ptrdiff_t n = lengths[l];
                    int sa = s & 1, sb = s >> 1;
                    fill_inputs();
                    for (ptrdiff_t i = 0; i < n; i++)
                        d2[i] = bin_scalar[op](a[sa * i], b[sb * i]);
                    d3[n] = 12345.0;
                    k->bin[op](d3, a, sa, b, sb, n);
                    assert_same(d2, d3, n, bin_names[op]);
                    assert_true(d3[n] == 12345.0);
                    if (sa) {
                        memcpy(d3, a, sizeof a);
                        k->bin[op](d3, d3, sa, b, sb, n);
                        assert_same(d2, d3, n, bin_names[op]);
                    }
                    if (sb) {
                        memcpy(d3, b, sizeof b);
                        k->bin[op](d3, a, sa, d3, sb, n);
                        assert_same(d2, d3, n, bin_names[op]);
                    }
                }
    }
}

/* Of all sizes, now and then of no use. */
static void operands(ptrdiff_t n)
{
    for (double *const *x = (double *const[]){a, b, c, NULL}; *x; x++)
        for (ptrdiff_t i = 0; i < n; i++) (*x)[i] = next() % 9 ? rt_exp(12.0 * uniform() - 6.0) : awkward();
}

/* Special functions: an element has the same bits alone and among others, at every level, whatever is a scalar, and in place. */
static void test_special(void **unused)
{
    (void)unused;
    static const char *const names[] = {RT_SPECIAL_OPS(NAME)};
    for (int op = 0; op < RT_SPECIAL_COUNT; op++)
        for (int s = 0; s < 8; s++) {
            int sa = s & 1, sb = s >> 1 & 1, sc = s >> 2;
            ptrdiff_t n = 70;
            operands(n);
            for (ptrdiff_t i = 0; i < n; i++)
                rt_kernels_for(2)->special[op](d2 + i, a + sa * i, 0, b + sb * i, 0, c + sc * i, 0, 1);
            for (int level = 2; level <= 4; level++)
                for (ptrdiff_t m = 0; m <= n; m += m < 20 ? 1 : 25) {
                    d3[m] = 12345.0;
                    rt_kernels_for(level)->special[op](d3, a, sa, b, sb, c, sc, m);
                    assert_same(d2, d3, m, names[op]);
                    assert_true(d3[m] == 12345.0);
                    if (!sa) continue;
                    memcpy(d3, a, sizeof a);
                    rt_kernels_for(level)->special[op](d3, d3, sa, b, sb, c, sc, m);
                    assert_same(d2, d3, m, names[op]);
                }
        }
}

/* Functions of a law together are what each is alone, in any company. */
static void test_special_of_law(void **unused)
{
    (void)unused;
    static const char *const names[] = {RT_SPECIAL_OPS(NAME)};
    enum { N = 70 }; static double column[RT_SPECIAL_COUNT][N + 1];
    for (int s = 0; s < 8; s++)
        for (int round = 0; round < 40; round++) {
            const int sa = s & 1, sb = s >> 1 & 1, sc = s >> 2;
            const enum rt_law law = (enum rt_law)(RT_LAW_GAMMA + round % 3);
            operands(N);
            int64_t op[RT_SPECIAL_COUNT];
            ptrdiff_t count = 0, n = (ptrdiff_t)(next() % (N + 1));
            for (int k = 0; k < RT_SPECIAL_COUNT; k++) {
                if (rt_special_law(k) != law || next() % 2) continue;
                column[count][n] = 12345.0;
                op[count++] = k;
            }
            if (count == 0) continue;
            for (int level = 2; level <= 4; level++) {
                rt_kernels_for(level)->special_of_law(column[0], N + 1, op, count, a, sa, b, sb, c, sc, n);
                for (ptrdiff_t k = 0; k < count; k++) {
                    rt_kernels_for(2)->special[op[k]](d2, a, sa, b, sb, c, sc, n);
                    assert_same(d2, column[k], n, names[op[k]]);
                    assert_true(column[k][n] == 12345.0);
                }
            }
        }
}

static int compare_real(int op, double x, double y)
{
    switch (op) {
    case RT_EQ: return x == y;
    case RT_NE: return x != y;
    case RT_LT: return x < y;
    case RT_LE: return x <= y;
    case RT_GT: return x > y;
    default: return x >= y;
    }
}

static int compare_int(int op, int64_t x, int64_t y)
{
    switch (op) {
    case RT_EQ: return x == y;
    case RT_NE: return x != y;
    case RT_LT: return x < y;
    case RT_LE: return x <= y;
    case RT_GT: return x > y;
    default: return x >= y;
    }
}

/* By 128-bit arithmetic, where nothing overflows. */
static int64_t int_binary(int op, int64_t x, int64_t y)
{
    __int128 p = x, q = y, r;
    switch (op) {
    case RT_IADD: r = p + q; break;
    case RT_ISUB: r = p - q; break;
    case RT_IMUL: r = p * q; break;
    case RT_IFLOORDIV:
        if (q == 0)
            return 0;
        r = p / q;
        if (r * q != p && (p < 0) != (q < 0))
            r--;
        break;
    case RT_IMOD:
        if (q == 0)
            return 0;
        r = p % q;
        if (r != 0 && (r < 0) != (q < 0))
            r += q;
        break;
    case RT_IMIN: r = p < q ? p : q; break;
    case RT_IMAX: r = p > q ? p : q; break;
    case RT_AND: r = p != 0 && q != 0; break;
    default: r = p != 0 || q != 0; break;
    }
    return (int64_t)(uint64_t)r;
}

static int64_t int_unary(int op, int64_t x)
{
    switch (op) {
    case RT_INEG: return (int64_t)(0 - (uint64_t)x);
    case RT_IABS: return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case RT_ISIGN: return x > 0 ? 1 : x < 0 ? -1 : 0;
    default: return x == 0;
    }
}

static void test_integers(void **unused)
{
    (void)unused;
    for (int level = 2; level <= 4; level++) {
        const rt_kernels *k = rt_kernels_for(level);
        for (int l = 0; l < LENGTHS; l++) {
            ptrdiff_t n = lengths[l];
            fill_inputs();
            for (int i = 0; i < MAX; i += 3)
                b[i] = a[i];
            for (int s = 0; s < 4; s++) {
                int sa = s & 1, sb = s >> 1;
                for (int op = 0; op < RT_IBIN_COUNT; op++) {
                    k->ibin[op](e3, ia, sa, ib, sb, n);
                    for (ptrdiff_t i = 0; i < n; i++)
                        assert_int_equal(e3[i], int_binary(op, ia[sa * i], ib[sb * i]));
                }
                for (int op = 0; op < RT_CMP_COUNT; op++) {
                    k->icmp[op](e3, ia, sa, ib, sb, n);
                    for (ptrdiff_t i = 0; i < n; i++)
                        assert_int_equal(e3[i], compare_int(op, ia[sa * i], ib[sb * i]));
                    k->cmp[op](e3, a, sa, b, sb, n);
                    for (ptrdiff_t i = 0; i < n; i++)
                        assert_int_equal(e3[i], compare_real(op, a[sa * i], b[sb * i]));
                }
            }
            for (int op = 0; op < RT_IUN_COUNT; op++) {
                k->iun[op](e3, ia, n);
                for (ptrdiff_t i = 0; i < n; i++)
                    assert_int_equal(e3[i], int_unary(op, ia[i]));
            }
            k->int_to_real(d3, ia, n);
            for (ptrdiff_t i = 0; i < n; i++)
                assert_true(d3[i] == (double)ia[i]);
            k->real_to_int(e3, a, n);
            for (ptrdiff_t i = 0; i < n; i++) {
                int64_t want = a[i] != a[i] ? 0 : a[i] >= 0x1p63 ? INT64_MAX : a[i] < -0x1p63 ? INT64_MIN : (int64_t)a[i];
                assert_int_equal(e3[i], want);
            }
        }
    }
}

static void test_ternary_and_moves(void **unused)
{
    (void)unused;
    for (int level = 2; level <= 4; level++) {
        const rt_kernels *k = rt_kernels_for(level);
        for (int l = 0; l < LENGTHS; l++) {
            ptrdiff_t n = lengths[l];
            for (int s = 0; s < 8; s++) {
                int sa = s & 1, sb = s >> 1 & 1, sc = s >> 2;
                fill_inputs();
                for (ptrdiff_t i = 0; i < n; i++)
                    d2[i] = fma(a[sa * i], b[sb * i], c[sc * i]);
                k->fma(d3, a, sa, b, sb, c, sc, n);
                assert_same(d2, d3, n, "fma");
                for (ptrdiff_t i = 0; i < n; i++)
                    d2[i] = ic[sc * i] ? a[sa * i] : b[sb * i];
                k->select(d3, ic, sc, a, sa, b, sb, n);
                assert_same(d2, d3, n, "select");
                k->iselect(e3, ic, sc, ia, sa, ib, sb, n);
                for (ptrdiff_t i = 0; i < n; i++)
                    assert_int_equal(e3[i], ic[sc * i] ? ia[sa * i] : ib[sb * i]);
            }
            for (ptrdiff_t i = 0; i < n; i++)
                e2[i] = (int64_t)(next() % 50);
            k->gather(d3, a, e2, n);
            for (ptrdiff_t i = 0; i < n; i++)
                assert_true(same(d3[i], a[e2[i]]));
            k->igather(e3, ia, e2, n);
            for (ptrdiff_t i = 0; i < n; i++)
                assert_int_equal(e3[i], ia[e2[i]]);
            for (int s = 0; s < 2; s++) {
                for (ptrdiff_t i = 0; i < 50; i++)
                    d2[i] = d3[i] = b[i];
                for (ptrdiff_t i = 0; i < n; i++)
                    d2[e2[i]] += c[s * i];
                k->scatter_add(d3, e2, c, s, n);
                assert_same(d2, d3, 50, "scatter_add");
                for (ptrdiff_t i = 0; i < n; i++)
                    d2[e2[i]] = c[s * i];
                k->scatter(d3, e2, c, s, n);
                assert_same(d2, d3, 50, "scatter");
            }
            k->fill(d3, 2.5, n);
            k->ifill(e3, -7, n);
            for (ptrdiff_t i = 0; i < n; i++)
                assert_true(d3[i] == 2.5 && e3[i] == -7);
            k->iota(e3, 5, -3, n);
            for (ptrdiff_t i = 0; i < n; i++)
                assert_int_equal(e3[i], 5 - 3 * i);
            k->copy(d3, a, n);
            assert_same(d3, a, n, "copy");
            for (ptrdiff_t stride = -3; stride <= 3; stride++) {
                ptrdiff_t m = n < 1000 ? n : 1000;
                const double *base = stride < 0 ? a + MAX - 1 : a;
                k->load_strided(d3, base, stride, m);
                k->iload_strided(e3, stride < 0 ? ia + MAX - 1 : ia, stride, m);
                for (ptrdiff_t i = 0; i < m; i++) {
                    assert_true(same(d3[i], base[i * stride]));
                    assert_int_equal(e3[i], (stride < 0 ? ia + MAX - 1 : ia)[i * stride]);
                }
                if (stride == 0)
                    continue;
                double *out2 = stride < 0 ? d2 + MAX - 1 : d2, *out3 = stride < 0 ? d3 + MAX - 1 : d3;
                memcpy(d2, c, sizeof c);
                memcpy(d3, c, sizeof c);
                for (ptrdiff_t i = 0; i < m; i++)
                    out2[i * stride] += b[i];
                k->add_strided(out3, stride, b, 1, m);
                assert_same(d2, d3, MAX, "add_strided");
                for (ptrdiff_t i = 0; i < m; i++)
                    out2[i * stride] = b[0];
                k->store_strided(out3, stride, b, 0, m);
                assert_same(d2, d3, MAX, "store_strided");
            }
        }
    }
}

/* The definition in rt_sum.h, literally, with scratch for the blocks' sums. */
static double sum_by_definition(const double *e, ptrdiff_t n)
{
    if (n > RT_SUM_BLOCK) {
        ptrdiff_t m = (n + RT_SUM_BLOCK - 1) / RT_SUM_BLOCK;
        double *sums = malloc((size_t)m * sizeof *sums);
        for (ptrdiff_t i = 0; i < m; i++)
            sums[i] = sum_by_definition(e + i * RT_SUM_BLOCK, i + 1 < m ? RT_SUM_BLOCK : n - i * RT_SUM_BLOCK);
        double r = sum_by_definition(sums, m);
        free(sums);
        return r;
    }
    double acc[32] = {0};
    for (ptrdiff_t i = 0; i < n; i++)
        acc[i % 32] += e[i];
    for (int h = 16; h > 0; h /= 2)
        for (int l = 0; l < h; l++)
            acc[l] += acc[l + h];
    return acc[0];
}

static void test_sums(void **unused)
{
    (void)unused;
    static const ptrdiff_t sizes[] = {0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 32, 33, 64, 100, 4095, 4096, 4097, 8191, 8192, 8193, 100000, 4096 * 33 + 5};
    ptrdiff_t most = 4096 * 33 + 5;
    double *e = malloc((size_t)most * sizeof *e), *f = malloc((size_t)most * sizeof *f), *p = malloc((size_t)most * sizeof *p);
    for (ptrdiff_t i = 0; i < most; i++) {
        e[i] = (uniform() - 0.5) * ldexp(1.0, (int)(next() % 60));
        f[i] = (uniform() - 0.5) * ldexp(1.0, (int)(next() % 60));
        p[i] = e[i] * f[i];
    }
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        ptrdiff_t n = sizes[t];
        double want = sum_by_definition(e, n);
        assert_true(same(want, rt_sum(e, n)));
        double want_dot = sum_by_definition(p, n);
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *k = rt_kernels_for(level);
            assert_true(same(want, k->sum(e, n)));
            assert_true(same(want_dot, k->dot(e, 1, f, 1, n)));
            /* Any chunks, with the plain and the fast push mixed. */
            for (int trial = 0; trial < 4; trial++) {
                rt_summer s;
                rt_summer_init(&s);
                for (ptrdiff_t i = 0; i < n;) {
                    ptrdiff_t len = trial == 0 ? n : (ptrdiff_t)(next() % (trial == 1 ? 10000 : trial == 2 ? 40 : 700));
                    len = len < n - i ? len : n - i;
                    if (next() % 3)
                        k->sum_push(&s, e + i, len);
                    else
                        rt_summer_push(&s, e + i, len);
                    i += len;
                    if (next() % 64 == 0)
                        assert_true(same(rt_summer_value(&s), sum_by_definition(e, i)));
                }
                assert_true(same(want, rt_summer_value(&s)));
            }
            double ones = 1.5;
            for (ptrdiff_t i = 0; i < n; i++)
                p[i] = e[i] * ones;
            double scaled = sum_by_definition(p, n);
            assert_true(same(scaled, k->dot(e, 1, &ones, 0, n)));
            assert_true(same(scaled, k->dot(&ones, 0, e, 1, n)));
            for (ptrdiff_t i = 0; i < n; i++)
                p[i] = e[i] * f[i];
        }
    }
    /* No sum is -0. */
    double zeros[40];
    for (int i = 0; i < 40; i++)
        zeros[i] = -0.0;
    for (int level = 2; level <= 4; level++)
        for (int n = 0; n <= 40; n++)
            assert_true(same(rt_kernels_for(level)->sum(zeros, n), 0.0));
    free(e);
    free(f);
    free(p);
}

static void fill_matrix(double *m, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        m[i] = (uniform() - 0.5) * 4.0;
}

/* Columns against a column, in pieces of any length, and a shared factor. */
static void test_sum_columns(void **unused)
{
    (void)unused;
    enum { LD = 9000, COUNT = 3 };
    static double a[LD], B[COUNT * LD];
    static const ptrdiff_t lengths[] = {0, 1, 31, 32, 33, 255, 4096, 4097, 8999};
    fill_matrix(a, LD);
    fill_matrix(B, COUNT * LD);
    for (int i = 0; i < 40; i++)
        a[i] = -0.0;
    for (size_t t = 0; t < sizeof lengths / sizeof *lengths; t++)
        for (int level = 2; level <= 4; level++)
            for (int sa = 0; sa <= 1; sa++) {
                rt_summer s[COUNT];
                for (int j = 0; j < COUNT; j++)
                    rt_summer_init(&s[j]);
                const double *factor = sa ? a : a + 77;
                for (ptrdiff_t i = 0, len; i < lengths[t]; i += len) {
                    len = (ptrdiff_t)(next() % 300);
                    len = len < lengths[t] - i ? len : lengths[t] - i;
                    rt_kernels_for(level)->sum_push_columns(s, factor + sa * i, sa, B + i, LD, COUNT, len);
                }
                for (int j = 0; j < COUNT; j++) {
                    rt_summer by_one;
                    rt_summer_init(&by_one);
                    for (ptrdiff_t i = 0; i < lengths[t]; i++) {
                        double p = factor[sa * i] * B[j * LD + i];
                        rt_summer_push(&by_one, &p, 1);
                    }
                    assert_true(same(rt_summer_value(&s[j]), rt_summer_value(&by_one)));
                }
            }
}

/* Blocks of blocks: 4096 block sums and more, fed as blocks, against the definition on the block sums. */
static void test_sum_levels(void **unused)
{
    (void)unused;
    static double blocks[3 * 4096 + 7];
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        blocks[i] = uniform() - 0.5;
    static const int counts[] = {2, 4095, 4096, 4097, 8192, 8193, 3 * 4096 + 7};
    for (size_t t = 0; t < sizeof counts / sizeof *counts; t++) {
        rt_summer s;
        rt_summer_init(&s);
        for (int i = 0; i + 1 < counts[t]; i++)
            rt_summer_push_block(&s, blocks[i]);
        /* The last block as elements: one element and zeros, so that its sum is itself. */
        double zero = 0.0;
        rt_summer_push(&s, &blocks[counts[t] - 1], 1);
        for (int i = 1; i < 4096; i++)
            rt_summer_push(&s, &zero, 1);
        assert_true(same(rt_summer_value(&s), sum_by_definition(blocks, counts[t])));
    }
}

static double dot_by_definition(const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    double *p = malloc((size_t)(n > 0 ? n : 1) * sizeof *p);
    for (ptrdiff_t i = 0; i < n; i++)
        p[i] = x[i * sx] * y[i * sy];
    double r = sum_by_definition(p, n);
    free(p);
    return r;
}

/* An element of a product of matrices: chains of 128, added in order. */
static double product_by_definition(const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    double sum = 0.0;
    for (ptrdiff_t first = 0; first < n; first += 128) {
        double chain = 0.0;
        for (ptrdiff_t k = first; k < n && k < first + 128; k++)
            chain = fma(x[k * sx], y[k * sy], chain);
        sum = first ? sum + chain : chain;
    }
    return sum;
}

/* t less n products, in order. */
static double less_by_definition(double t, const double *x, ptrdiff_t sx, const double *y, ptrdiff_t sy, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++)
        t = fma(-x[k * sx], y[k * sy], t);
    return t;
}

static void test_products(void **unused)
{
    (void)unused;
    static const ptrdiff_t shapes[][3] = {{1, 1, 1}, {3, 2, 1}, {2, 3, 4}, {5, 7, 3}, {8, 8, 8}, {9, 17, 31}, {4, 8, 32}, {6, 9, 33}, {13, 12, 70},
                                          {1, 9, 5000}, {5, 3, 4097}, {7, 1, 40}, {1, 8, 0}, {4, 20, 9000}, {40, 5, 40}, {37, 3, 4},
                                          {9, 7, 1}, {33, 4, 17}, {5000, 6, 5}, {6, 7, 9},
                                          {16, 24, 128}, {17, 25, 129}, {270, 31, 300}, {4, 4, 4}, {0, 3, 2}, {3, 0, 2}, {24, 96, 256}};
    for (size_t t = 0; t < sizeof shapes / sizeof *shapes; t++) {
        ptrdiff_t m = shapes[t][0], n = shapes[t][1], k = shapes[t][2];
        double *A = malloc((size_t)(m * k + 1) * 8), *B = malloc((size_t)(k * n + 1) * 8), *C = malloc((size_t)(m * n + 1) * 8), *D = malloc((size_t)(m * n + 1) * 8);
        fill_matrix(A, m * k);
        fill_matrix(B, k * n);
        for (int flags = 0; flags < 4; flags++) {
            int ta = flags & 1, tb = flags >> 1;
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < n; j++)
                    D[i * n + j] = product_by_definition(A + (ta ? i : i * k), ta ? m : 1, B + (tb ? j * k : j), tb ? 1 : n, k);
            for (int level = 2; level <= 4; level++) {
                C[m * n] = 99.0;
                rt_kernels_for(level)->gemm(C, A, B, m, n, k, ta, tb);
                assert_same(D, C, m * n, "gemm");
                assert_true(C[m * n] == 99.0);
            }
        }
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *q = rt_kernels_for(level);
            double *y = malloc((size_t)(m + k + 1) * 8), *x = malloc((size_t)(m + k + 1) * 8);
            fill_matrix(x, m + k);
            q->gemv(y, A, x, m, k, 0);
            for (ptrdiff_t i = 0; i < m; i++)
                assert_true(same(y[i], dot_by_definition(A + i * k, 1, x, 1, k)));
            q->gemv(y, A, x, m, k, 1);
            for (ptrdiff_t j = 0; j < k; j++)
                assert_true(same(y[j], dot_by_definition(A + j, k, x, 1, m)));
            /* The same matrix as one of k rows in columns; then without its first row, where there is one. */
            for (ptrdiff_t row = 0; row <= 1 && row < k; row++) {
                y[k - row] = 99.0;
                q->gemv_columns(y, A + row, k, x, k - row, m);
                for (ptrdiff_t j = row; j < k; j++)
                    assert_true(same(y[j - row], dot_by_definition(A + j, k, x, 1, m)));
                assert_true(y[k - row] == 99.0);
            }
            double *T = malloc((size_t)(m * k + 1) * 8);
            q->transpose(T, A, m, k);
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < k; j++)
                    assert_true(T[j * m + i] == A[i * k + j]);
            memcpy(T, A, (size_t)(m * k) * 8);
            q->ger(T, 0.7, x, x + m, m, k);
            for (ptrdiff_t i = 0; i < m; i++)
                for (ptrdiff_t j = 0; j < k; j++)
                    assert_true(T[i * k + j] == A[i * k + j] + 0.7 * x[i] * x[m + j]);
            free(T);
            free(x);
            free(y);
        }
        free(A);
        free(B);
        free(C);
        free(D);
    }
}

/* A well-conditioned symmetric positive definite matrix. */
static void fill_spd(double *A, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++)
            A[i * n + j] = A[j * n + i] = exp(-0.5 * fabs((double)(i - j))) * (1.0 + 0.01 * uniform()) + (i == j ? 1.0 : 0.0);
}

/* Sizes around vectors, tiles and blocks of 8, 24, 32, 96 and 144 rows. */
static const ptrdiff_t dims[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 41, 63, 64, 65, 69, 95, 96, 97, 143, 144, 145, 203};
enum { DIM = 203, NDIMS = sizeof dims / sizeof *dims };

static void test_cholesky(void **unused)
{
    (void)unused;
    static double A[DIM * DIM], L2[DIM * DIM], L[DIM * DIM];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *k = rt_kernels_for(level);
            double *out = level == 2 ? L2 : L;
            memset(out, 0xff, sizeof L);
            assert_int_equal(k->cholesky(out, A, n), 0);
            if (level > 2)
                assert_same(L2, L, n * n, "cholesky");
            memcpy(L, A, sizeof A);
            for (ptrdiff_t i = 0; i < n; i++) /* the upper triangle must not matter */
                for (ptrdiff_t j = i + 1; j < n; j++)
                    L[i * n + j] = NAN;
            assert_int_equal(k->cholesky(L, L, n), 0);
            assert_same(L2, L, n * n, "cholesky in place");
        }
        /* L L' = A to n roundings of the diagonal, about 2, and by the stated formula. */
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < n; j++) {
                long double s = 0;
                for (ptrdiff_t k = 0; k <= (i < j ? i : j); k++)
                    s += (long double)L2[i * n + k] * L2[j * n + k];
                assert_true(fabsl(s - A[i * n + j]) < 0x1p-51L * (long double)(n + 2));
                double pivot = less_by_definition(A[i * n + j], L2 + i * n, 1, L2 + j * n, 1, i < j ? i : j);
                assert_true(L2[i * n + j] == (j > i ? 0.0 : j == i ? sqrt(pivot) : pivot * (1.0 / L2[j * n + j])));
            }
    }
    /* Not positive definite, not finite, not a number, in any row: refused, at every level. */
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        for (ptrdiff_t i = 0; i < n; i += n > 20 ? 13 : 1)
            for (int what = 0; what < 4; what++) {
                fill_spd(A, n);
                A[i * n + i] = what == 0 ? -1.0 : what == 1 ? NAN : what == 2 ? INFINITY : 0.0;
                for (int level = 2; level <= 4; level++)
                    assert_int_equal(rt_kernels_for(level)->cholesky(L, A, n), 1);
            }
    }
}

static void test_solves(void **unused)
{
    (void)unused;
    static const ptrdiff_t widths[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 20, 23, 24, 25, 33, 50};
    enum { WIDTH = 50 };
    static double A[DIM * DIM], L[DIM * DIM], X2[DIM * WIDTH], X[DIM * WIDTH], B[DIM * WIDTH];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        assert_int_equal(rt_kernels_for(0)->cholesky(L, A, n), 0);
        for (ptrdiff_t i = 0; i < n; i++) /* the upper triangle must not matter */
            for (ptrdiff_t j = i + 1; j < n; j++)
                L[i * n + j] = NAN;
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            ptrdiff_t m = widths[w];
            fill_matrix(B, n * m);
            for (int trans = 0; trans < 2; trans++) {
                for (ptrdiff_t step = 0; step < n; step++) {
                    ptrdiff_t i = trans ? n - 1 - step : step, first = trans ? n - 1 : 0;
                    for (ptrdiff_t j = 0; j < m; j++) {
                        const double *l = trans ? L + first * n + i : L + i * n;
                        double s = less_by_definition(B[i * m + j], l, trans ? -n : 1, X2 + first * m + j, trans ? -m : m, step);
                        X2[i * m + j] = s * (1.0 / L[i * n + i]);
                    }
                }
                for (int level = 2; level <= 4; level++) {
                    const rt_kernels *k = rt_kernels_for(level);
                    X[n * m < DIM * WIDTH ? n * m : 0] = 99.0;
                    k->solve_lower(X, L, B, n, m, trans);
                    assert_same(X2, X, n * m, "solve_lower");
                    if (n * m < DIM * WIDTH)
                        assert_true(X[n * m] == 99.0);
                    memcpy(X, B, sizeof B);
                    k->solve_lower(X, L, X, n, m, trans);
                    assert_same(X2, X, n * m, "solve_lower in place");
                }
                /* It solves the system: L's condition here is below 10. */
                for (ptrdiff_t i = 0; i < n && w % 4 == 0; i++)
                    for (ptrdiff_t j = 0; j < m; j++) {
                        long double s = 0;
                        for (ptrdiff_t k = trans ? i : 0; k < (trans ? n : i + 1); k++)
                            s += (long double)(trans ? L[k * n + i] : L[i * n + k]) * X2[k * m + j];
                        assert_true(fabsl(s - B[i * m + j]) < 0x1p-48L * (long double)(n + 1));
                    }
            }
        }
    }
}

/* 1/2 L'^-1 (Phi(P) + Phi(P)') L^-1 with P = L' Lbar and Phi the lower triangle with its diagonal halved (Murray 2016, eq. 9), in long double. */
static void adjoint_by_formula(long double *S, const double *L, const double *Lbar, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j <= i; j++) {
            long double s = 0;
            for (ptrdiff_t k = i; k < n; k++)
                s += (long double)L[k * n + i] * Lbar[k * n + j];
            S[i * n + j] = S[j * n + i] = 0.5L * s;
        }
    for (int side = 0; side < 2; side++) {
        for (ptrdiff_t i = n - 1; i >= 0; i--)
            for (ptrdiff_t c = 0; c < n; c++) {
                for (ptrdiff_t k = i + 1; k < n; k++)
                    S[i * n + c] -= L[k * n + i] * S[k * n + c];
                S[i * n + c] /= L[i * n + i];
            }
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < i; j++) {
                long double x = S[i * n + j];
                S[i * n + j] = S[j * n + i];
                S[j * n + i] = x;
            }
    }
}

/* F = sum_ij W_ij L_ij with fixed W has Lbar = W; a central difference in A[i][j] = A[j][i] gives Abar_ij + Abar_ji (i != j). */
static void test_cholesky_adjoint(void **unused)
{
    (void)unused;
    static double A[DIM * DIM], L[DIM * DIM], W[DIM * DIM], bar2[DIM * DIM], bar[DIM * DIM], Lp[DIM * DIM];
    static long double formula[DIM * DIM];
    for (size_t t = 0; t < NDIMS; t++) {
        ptrdiff_t n = dims[t];
        fill_spd(A, n);
        fill_matrix(W, n * n);
        const rt_kernels *best = rt_kernels_for(0);
        assert_int_equal(best->cholesky(L, A, n), 0);
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = i + 1; j < n; j++)
                W[i * n + j] = NAN;
        for (int level = 2; level <= 4; level++) {
            const rt_kernels *k = rt_kernels_for(level);
            double *out = level == 2 ? bar2 : bar;
            k->cholesky_adjoint(out, L, W, n);
            if (level > 2)
                assert_same(bar2, bar, n * n, "cholesky_adjoint");
            memcpy(bar, W, sizeof W);
            k->cholesky_adjoint(bar, L, bar, n);
            assert_same(bar2, bar, n * n, "cholesky_adjoint in place");
        }
        /* Entries are of size 4 sqrt(n); sums of n of them, and L's condition is below 10. */
        adjoint_by_formula(formula, L, W, n);
        for (ptrdiff_t i = 0; i < n; i++)
            for (ptrdiff_t j = 0; j < n; j++) {
                assert_true(bar2[i * n + j] == bar2[j * n + i]);
                assert_true(fabsl(bar2[i * n + j] - formula[i * n + j]) < 0x1p-47L * sqrtl((long double)n + 1));
            }
        for (int trial = 0; trial < (n > 0 ? 20 : 0); trial++) {
            ptrdiff_t i = (ptrdiff_t)(next() % (uint64_t)n), j = (ptrdiff_t)(next() % (uint64_t)(i + 1));
            double h = 1e-5, keep = A[i * n + j];
            long double f[2];
            for (int side = 0; side < 2; side++) {
                A[i * n + j] = keep + (side ? h : -h);
                assert_int_equal(best->cholesky(Lp, A, n), 0);
                f[side] = 0.0;
                for (ptrdiff_t r = 0; r < n; r++)
                    for (ptrdiff_t q = 0; q <= r; q++)
                        f[side] += (long double)W[r * n + q] * Lp[r * n + q];
            }
            A[i * n + j] = keep;
            double numeric = (double)(f[1] - f[0]) / (2.0 * h);
            double exact = i == j ? bar2[i * n + i] : bar2[i * n + j] + bar2[j * n + i];
            /* h^2 times third derivatives, below 1e-8, and rounding of L over h, 1e-16 of each of up to n entries that matter: below 1e-8. */
            assert_true(fabs(numeric - exact) < 1e-7 * (1.0 + fabs(exact)));
        }
    }
}

/* |Q'(x) - |W c|^2| of a factor R and sum_j |w_j| |c_j|, in long double. */
static long double norm_error(const double *R, const double *W, const double *c, ptrdiff_t m, ptrdiff_t p, long double *terms)
{
    long double exact = 0, got = 0, most = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        long double s = 0;
        for (ptrdiff_t j = 0; j < p; j++)
            s += (long double)W[i * p + j] * c[j];
        exact += s * s;
    }
    for (ptrdiff_t i = 0; i < p; i++) {
        long double s = 0;
        for (ptrdiff_t j = i; j < p; j++)
            s += (long double)R[i * p + j] * c[j];
        got += s * s;
    }
    for (ptrdiff_t j = 0; j < p; j++) {
        long double s = 0;
        for (ptrdiff_t i = 0; i < m; i++)
            s += (long double)W[i * p + j] * W[i * p + j];
        most += sqrtl(s) * fabsl((long double)c[j]);
    }
    *terms = most;
    return fabsl(sqrtl(got) - sqrtl(exact));
}

/* Levels agree, rows may come in any number of pieces up to rounding, and |R c| is |W c| up to gamma sum_j |w_j| |c_j| (Higham 2002, theorem 19.4, column by
 * column), with gamma = 1e-14 here, also when columns are collinear, zero, or of magnitudes whose squares leave the range of a double. */
static void test_qr(void **unused)
{
    (void)unused;
    enum { ROWS = 300 };
    static double W[ROWS * DIM], first[DIM * DIM], R[DIM * DIM], c[DIM], scratch[RT_QR_SCRATCH(DIM)];
    static const ptrdiff_t dims[] = {1, 2, 3, 7, 8, 9, 17, 33}, rows[] = {0, 1, 5, 63, 64, 65, 200, ROWS};
    for (size_t t = 0; t < sizeof dims / sizeof *dims; t++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int kind = 0; kind < 4; kind++) {
                ptrdiff_t p = dims[t], m = rows[r];
                fill_matrix(W, m * p);
                fill_matrix(c, p);
                for (ptrdiff_t i = 0; i < m && p > 2; i++) {
                    double *w = W + i * p;
                    if (kind == 1)
                        w[2] = w[0] + 1e-9 * w[1];
                    if (kind == 2)
                        w[1] = 0.0, w[2] = 3.0 * w[0];
                    if (kind == 3)
                        w[0] *= 1e200, w[1] *= 1e-200;
                }
                if (kind == 3 && p > 2)
                    c[0] *= 1e-200, c[1] *= 1e200;
                for (int level = 2; level <= 4; level++) {
                    double *out = level == 2 ? first : R;
                    for (ptrdiff_t k = 0; k < p * p; k++)
                        out[k] = k / p > k % p ? NAN : 0.0;
                    rt_kernels_for(level)->qr_rows(out, W, m, p, scratch);
                    if (level > 2)
                        assert_same(first, R, p * p, "qr_rows");
                }
                long double terms, error = norm_error(first, W, c, m, p, &terms);
                assert_true(error <= 1e-14L * terms);
                for (ptrdiff_t i = 0; i < p; i++)
                    for (ptrdiff_t j = 0; j < i; j++)
                        assert_true(first[i * p + j] == 0.0);
                for (ptrdiff_t k = 0; k < p * p; k++)
                    R[k] = 0.0;
                for (ptrdiff_t at = 0; at < m; at += 50)
                    rt_kernels_for(0)->qr_rows(R, W + at * p, m - at < 50 ? m - at : 50, p, scratch);
                error = norm_error(R, W, c, m, p, &terms);
                assert_true(error <= 1e-14L * terms);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),    cmocka_unit_test(test_binary),     cmocka_unit_test(test_integers),
        cmocka_unit_test(test_special),
        cmocka_unit_test(test_special_of_law),
        cmocka_unit_test(test_ternary_and_moves), cmocka_unit_test(test_sums), cmocka_unit_test(test_sum_levels), cmocka_unit_test(test_sum_columns),
        cmocka_unit_test(test_products), cmocka_unit_test(test_cholesky), cmocka_unit_test(test_solves), cmocka_unit_test(test_cholesky_adjoint),
        cmocka_unit_test(test_qr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
