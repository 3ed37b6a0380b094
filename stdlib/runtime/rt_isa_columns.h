/* rt_isa_columns.h: loops over operands that are each a column (stride 1) or a scalar (stride 0).  A loop is written out for each combination, so
 * that scalars stay in registers and columns load as vectors; one element takes a path of its own, without the set-up of a vector loop.
 * X is an expression in x, y (and z), the operands' elements. */
#ifndef RT_ISA_COLUMNS_H
#define RT_ISA_COLUMNS_H

#include "stdlib/runtime/rt_isa.h"

#define RT_EACH(LOADS, X)                                  \
    do {                                                   \
        RT_INDEPENDENT for (ptrdiff_t i = 0; i < n; i++)   \
        {                                                  \
            LOADS d[i] = X;                                \
        }                                                  \
    } while (0)

#define RT_COLUMNS1(TA, X)          \
    do {                            \
        if (n == 1) {               \
            TA x = a[0];            \
            d[0] = X;               \
            return;                 \
        }                           \
        RT_EACH(TA x = a[i];, X);   \
    } while (0)

#define RT_COLUMNS2(TA, TB, X)                        \
    do {                                              \
        if (n == 1) {                                 \
            TA x = a[0];                              \
            TB y = b[0];                              \
            d[0] = X;                                 \
        } else if (n > 1 && sa && sb) {               \
            RT_EACH(TA x = a[i]; TB y = b[i];, X);    \
        } else if (n > 1 && sa) {                     \
            TB y = b[0];                              \
            RT_EACH(TA x = a[i];, X);                 \
        } else if (n > 1 && sb) {                     \
            TA x = a[0];                              \
            RT_EACH(TB y = b[i];, X);                 \
        } else if (n > 1) {                           \
            TA x = a[0];                              \
            TB y = b[0];                              \
            RT_EACH(, X);                             \
        }                                             \
    } while (0)

#define RT_COLUMNS3(TA, TB, TC, X)                                          \
    do {                                                                    \
        if (n <= 1) {                                                       \
            if (n == 1) {                                                   \
                TA x = a[0];                                                \
                TB y = b[0];                                                \
                TC z = c[0];                                                \
                d[0] = X;                                                   \
            }                                                               \
            break;                                                          \
        }                                                                   \
        TA x0 = a[0];                                                       \
        TB y0 = b[0];                                                       \
        TC z0 = c[0];                                                       \
        switch ((sa != 0) << 2 | (sb != 0) << 1 | (sc != 0)) {              \
        case 7: RT_EACH(TA x = a[i]; TB y = b[i]; TC z = c[i];, X); break;  \
        case 6: RT_EACH(TA x = a[i]; TB y = b[i]; TC z = z0;, X); break;    \
        case 5: RT_EACH(TA x = a[i]; TB y = y0; TC z = c[i];, X); break;    \
        case 4: RT_EACH(TA x = a[i]; TB y = y0; TC z = z0;, X); break;      \
        case 3: RT_EACH(TA x = x0; TB y = b[i]; TC z = c[i];, X); break;    \
        case 2: RT_EACH(TA x = x0; TB y = b[i]; TC z = z0;, X); break;      \
        case 1: RT_EACH(TA x = x0; TB y = y0; TC z = c[i];, X); break;      \
        default: RT_EACH(TA x = x0; TB y = y0; TC z = z0;, X); break;       \
        }                                                                   \
    } while (0)

#endif
