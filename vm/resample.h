/* resample.h: draws among weighted particles. */
#ifndef AIM_VM_RESAMPLE_H
#define AIM_VM_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* Systematic resampling (one uniform for all; Douc, Cappe and Moulines 2005), then a shuffle, since it yields parents in order and draws
 * should look alike.  Allocates nothing.
 * logw [n]       in: log weights, of which one is finite; -INFINITY allowed
 * top, sum       in: the largest, and the sum of exp(logw - top)
 * parent [want]  out: the particle of each draw; a particle is chosen want * weight / sum times, up to one */
void resample(uint64_t key, const double *logw, size_t n, double top, double sum, size_t want, uint64_t *parent);

#endif
