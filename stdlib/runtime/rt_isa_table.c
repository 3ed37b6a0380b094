/* rt_isa_table.c: the level's table. */
#include "stdlib/runtime/rt_isa.h"

#define LEVEL_v2 2
#define LEVEL_v3 3
#define LEVEL_v4 4
#define LEVEL_generic 1

#define UN(E, name, m) [RT_##E] = RT_LV(rt_un_##name),
#define BIN(E, name, m) [RT_##E] = RT_LV(rt_bin_##name),
#define SPECIAL(E, name, m) [RT_##E] = RT_LV(rt_special_##name),
#define CMP(E, name, m) [RT_##E] = RT_LV(rt_cmp_##name),
#define IUN(E, name, m) [RT_##E] = RT_LV(rt_iun_##name),
#define IBIN(E, name, m) [RT_##E] = RT_LV(rt_ibin_##name),
#define ICMP(E, name, m) [RT_##E] = RT_LV(rt_icmp_##name),
#define MEMBER(name) .name = RT_LV(rt_k_##name)

extern const rt_kernels RT_LV(rt_kernels);
const rt_kernels RT_LV(rt_kernels) = {
    .level = RT_CAT(LEVEL, RT_ISA),
    .un = {RT_UN_OPS(UN)},
    .bin = {RT_BIN_OPS(BIN)},
    .special = {RT_SPECIAL_OPS(SPECIAL)},
    .cmp = {RT_CMP_OPS(CMP)},
    .iun = {RT_IUN_OPS(IUN)},
    .ibin = {RT_IBIN_OPS(IBIN)},
    .icmp = {RT_CMP_OPS(ICMP)},
    MEMBER(fma),
    MEMBER(select),
    MEMBER(iselect),
    MEMBER(int_to_real),
    MEMBER(real_to_int),
    MEMBER(copy),
    MEMBER(fill),
    MEMBER(ifill),
    MEMBER(iota),
    MEMBER(gather),
    MEMBER(igather),
    MEMBER(load_strided),
    MEMBER(iload_strided),
    MEMBER(store_strided),
    MEMBER(add_strided),
    MEMBER(scatter),
    MEMBER(scatter_add),
    MEMBER(sum),
    MEMBER(sum_push),
    MEMBER(dot),
    MEMBER(special_of_law),
    MEMBER(sum_push_columns),
    MEMBER(gemv),
    MEMBER(gemv_columns),
    MEMBER(gemm),
    MEMBER(ger),
    MEMBER(transpose),
    MEMBER(cholesky),
    MEMBER(solve_lower),
    MEMBER(cholesky_adjoint),
    MEMBER(qr_rows),
    MEMBER(choose),
};
