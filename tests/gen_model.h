/* gen_model.h: random models as text, for tests of what is derived of a model.
 *
 * A model has data of every kind (reals, counts, truth values, groups of which one may be empty, a matrix; some values may be missing or known), two to five unknowns, scalars, plates,
 * plates of plates, chains, vectors and lattices, whose parameters read those before them, and observations and factors that read all of them: scaled, shifted, gathered, chosen by
 * data or by unknowns, under conditions, weighted, censored, truncated, mixed.  It checks, mostly: what is told only when all is known (an order that cannot be proven, say) may refuse it, and
 * the caller then takes the next.  One seed, one model, on every machine. */
#ifndef TESTS_GEN_MODEL_H
#define TESTS_GEN_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* A program of one model, `m`, with its data and one statement, `with <method>`.  Returns its length; size of at least 16384 is enough. */
size_t gen_model(uint64_t seed, const char *method, char *out, size_t size);

#endif
