/* size.h: symbolic extents.
 *
 * An extent such as N, K - 1 or 2*M*K is a polynomial with integer coefficients over *atoms*: size symbols and opaque
 * quotients (N // 2, N % 2).  Sizes are hash-consed in a table, so two sizes are the same expression exactly when their
 * ids are equal: J and K differ even if both are 8 today, while (K - 1) + 1 is K.
 *
 * A size symbol gets its number when data is bound (size_bind); size_eval then gives every size a number. */
#ifndef AIM_COMPILER_SIZE_H
#define AIM_COMPILER_SIZE_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t ir_size; /* index into a size_table; IR_SIZE_NONE is no size */
enum { IR_SIZE_NONE = 0, IR_SIZE_UNBOUND = -1 };

typedef struct size_table size_table;

size_table *size_table_new(arena *a);

/* Creation.  Names are copied.  Every function returns the canonical id, or IR_SIZE_NONE when a coefficient overflows, the
 * polynomial passes a limit (256 terms, degree 16, quotients nested 24 deep) or an operand is IR_SIZE_NONE. */
ir_size size_const(size_table *t, int64_t n);
ir_size size_symbol(size_table *t, const char *name); /* the same name gives the same symbol */
ir_size size_add(size_table *t, ir_size a, ir_size b);
ir_size size_sub(size_table *t, ir_size a, ir_size b);
ir_size size_mul(size_table *t, ir_size a, ir_size b);
ir_size size_div(size_table *t, ir_size a, ir_size b); /* floor division: exact when a divides term by term, else an atom */
ir_size size_mod(size_table *t, ir_size a, ir_size b);

/* Inspection. */
bool size_is_const(const size_table *t, ir_size s, int64_t *n);
bool size_is_symbol(const size_table *t, ir_size s, const char **name);
void size_print(const size_table *t, ir_size s, strbuf *out); /* "K - 1"; parsed back by size_parse */
/* Parses a size at *text up to a character that cannot continue it; moves *text.  0 on a syntax error. */
ir_size size_parse(size_table *t, const char **text);

/* The symbols of the table in order of creation. */
size_t size_symbol_count(const size_table *t);
ir_size size_symbol_at(const size_table *t, size_t k);

/* Numbers.  size_eval returns IR_SIZE_UNBOUND if a symbol in s has none or the value overflows; a negative value is
 * returned as it is, for the caller to report. */
void size_bind(size_table *t, ir_size symbol, int64_t n);
int64_t size_eval(const size_table *t, ir_size s);
/* The same for numbers that may be negative, such as the value of an int of the signature: false when there is none. */
bool size_value(const size_table *t, ir_size s, int64_t *n /* OUT */);
/* Takes all numbers away, before other data is bound. */
void size_unbind_all(size_table *t);

/* Solves s == n for the single unbound symbol in s, when s is linear in it with an integral solution: what reading
 * `real[K - 1]` from an array with 4 elements does.  False if there is none. */
bool size_solve(size_table *t, ir_size s, int64_t n, ir_size *symbol, int64_t *value);

/* Replaces symbols in s (of table t) by sizes of the same table: from[k] by to[k].  What inlining does. */
ir_size size_substitute(size_table *t, ir_size s, size_t n, const ir_size *from, const ir_size *to);

#endif
