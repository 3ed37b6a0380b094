/* Any bytes as a pairwise problem in each format: each time a set or diagnostics, in bounded memory, and never a crash.
 * Build: clang-19 -fsanitize=fuzzer,address,undefined. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static int (*const read[])(data_set *, const char *, const char *, size_t) = {data_read_max_cut, data_read_ising, data_read_qubo, data_read_coo};
  for (size_t k = 0; k < sizeof read / sizeof *read; k++) fuzz_data(read[k], (const char *)bytes, n);
  return 0;
}
