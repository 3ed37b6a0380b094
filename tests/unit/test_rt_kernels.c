/* test_rt_kernels.c: every kernel of elements, moves and sums has the same bits at every instruction-set level, the scalar functions' and the written-out
 * definitions' values, and sums mean what their header says.  Levels beyond the machine's own fall back to it, and then compare trivially. */
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
#include "tests/unit/kernel_inputs.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),   cmocka_unit_test(test_binary),
        cmocka_unit_test(test_integers), cmocka_unit_test(test_special),
        cmocka_unit_test(test_special_of_law), cmocka_unit_test(test_ternary_and_moves),
        cmocka_unit_test(test_sums),    cmocka_unit_test(test_sum_levels),
        cmocka_unit_test(test_sum_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
