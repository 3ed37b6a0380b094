/* Any bytes as NetCDF, where there is the library: a set or diagnostics.  What lies below AIM's reader is the netCDF library and HDF5, which
 * are not built for fuzzing here: a finding inside them is theirs.  Build: clang-19 -fsanitize=fuzzer,address,undefined. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) { return fuzz_data(data_read_netcdf, (const char *)bytes, n); }
