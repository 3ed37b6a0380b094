/* Any bytes as arrays of NumPy, as an archive of them and as tensors: each time a set or diagnostics, in bounded memory, and never a crash.
 * Build: clang-19 -fsanitize=fuzzer,address,undefined. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  return fuzz_data(data_read_npy, (const char *)bytes, n) | fuzz_data(data_read_npz, (const char *)bytes, n) | fuzz_data(data_read_safetensors, (const char *)bytes, n);
}
