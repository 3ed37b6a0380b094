/* netcdf.c: finding the netCDF library (netcdf.h). */
#include "compiler/netcdf.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool netcdf_open(netcdf *n) {
  /* The name without a number is that of development packages; numbers are those that distributions have had. */
  static const char *const names[] = {"libnetcdf.so.19", "libnetcdf.so.22", "libnetcdf.so.21", "libnetcdf.so.20", "libnetcdf.so.18", "libnetcdf.so.15", "libnetcdf.so.13", "libnetcdf.so", "libnetcdf.dylib"};
  *n = (netcdf){.why = "there is no netCDF library on this machine", .help = "install the netCDF library (Debian: `libnetcdf19`, or `libnetcdf-dev` for whichever it is)"};
  for (size_t k = 0; k < sizeof names / sizeof names[0] && !n->handle; k++) {
    n->handle = dlopen(names[k], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const char *error = n->handle ? NULL : dlerror();
    /* One that is there and does not load, for want of memory or of a library of its own. */
    if (!error || (strncmp(error, names[k], strlen(names[k])) == 0 && strstr(error, "No such file"))) continue;
    snprintf(n->why, sizeof n->why, "the netCDF library cannot be loaded: %s", error);
    n->help = NULL;
  }
  if (!n->handle) return false;
  bool all = true;
  /* ISO C has no conversion from an object pointer to a function; POSIX has this one. */
#define X(result, name, arguments) all &= (*(void **)&n->name = dlsym(n->handle, "nc_" #name)) != NULL;
  NETCDF_FUNCTIONS(X)
#undef X
  if (!all) snprintf(n->why, sizeof n->why, "the netCDF library is not of version 4");
  return all;
}
