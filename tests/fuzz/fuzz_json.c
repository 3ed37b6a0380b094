/* Any bytes as a JSON data file: a set or diagnostics, in bounded memory, and never a crash.  What is read keeps the rules
 * of data.h.  Build: clang-19 -fsanitize=fuzzer,address,undefined. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) { return fuzz_data(data_read_json, (const char *)bytes, n); }
