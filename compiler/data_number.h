/* data_number.h: numbers as data files spell them, read alike whatever the locale. */
#ifndef AIM_COMPILER_DATA_NUMBER_H
#define AIM_COMPILER_DATA_NUMBER_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum number_form { NUMBER_NONE, NUMBER_INT, NUMBER_REAL } number_form;

/* What s [n] is as a whole: a sign, digits, and for a real a point or an exponent.  `point` is '.', or ',' to ask whether this would be
 * a number with a decimal comma. */
number_form data_number_form(const char *s, size_t n, char point);
/* NaN and the infinities, as files spell them. */
bool data_number_special(const char *s, size_t n, double *out /* OUT */);
/* s [n] of form NUMBER_INT; false where it does not fit. */
bool data_number_int(const char *s, size_t n, int64_t *out /* OUT */);
/* s [n] of form NUMBER_INT or NUMBER_REAL, correctly rounded; false where it overflows.  Long numerals take memory of `scratch`. */
bool data_number_real(const char *s, size_t n, arena *scratch, double *out /* OUT */);

#endif
