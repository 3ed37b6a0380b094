/* number_text.h: doubles as text, the same in every locale. */
#ifndef AIM_VM_NUMBER_TEXT_H
#define AIM_VM_NUMBER_TEXT_H

#include <stddef.h>

enum { NUMBER_TEXT_SIZE = 32 };

/* The shortest decimal of at most 17 digits that reads back as exactly x: "0.1", "1e-300", "inf", "-inf", "nan".
 * Returns its length; out is terminated. */
size_t number_text(char out[NUMBER_TEXT_SIZE], double x);
/* x with a fixed number of decimals, 0 to 15 (in e notation when |x| >= 1e15). */
size_t number_text_fixed(char out[NUMBER_TEXT_SIZE], double x, int decimals);

#endif
