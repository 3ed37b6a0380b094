/* Any bytes as arrays of NumPy or as tensors, by the second byte: a set or diagnostics, in bounded memory, and never a crash.
 * Build: clang-19 -fsanitize=fuzzer,address,undefined. */
#include "tests/fuzz/fuzz_data.h"

static int read_one(data_set *ds, const char *file, const char *bytes, size_t n) {
  static int (*const read[])(data_set *, const char *, const char *, size_t) = {data_read_npy, data_read_npz, data_read_safetensors};
  return n ? read[(unsigned char)*bytes % 3](ds, file, bytes + 1, n - 1) : data_read_npy(ds, file, bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) { return fuzz_data(read_one, (const char *)bytes, n); }
