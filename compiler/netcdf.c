/* netcdf.c: finding the netCDF library (netcdf.h). */
#include "compiler/netcdf.h"

#include <dlfcn.h>

const char netcdf_advice[] = "install the netCDF library (Debian: `libnetcdf19`, or `libnetcdf-dev` for whichever it is)";

bool netcdf_open(netcdf *n) {
  /* The name without a number is that of development packages; numbers are those that distributions have had. */
  static const char *const names[] = {"libnetcdf.so.19", "libnetcdf.so.22", "libnetcdf.so.21", "libnetcdf.so.20", "libnetcdf.so.18", "libnetcdf.so.15", "libnetcdf.so.13", "libnetcdf.so", "libnetcdf.dylib"};
  *n = (netcdf){0};
  for (size_t k = 0; k < sizeof names / sizeof names[0] && !n->handle; k++) n->handle = dlopen(names[k], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!n->handle) return false;
  bool all = true;
  /* ISO C has no conversion from an object pointer to a function; POSIX has this one. */
#define X(result, name, arguments) all &= (*(void **)&n->name = dlsym(n->handle, "nc_" #name)) != NULL;
  NETCDF_FUNCTIONS(X)
#undef X
  return all;
}
