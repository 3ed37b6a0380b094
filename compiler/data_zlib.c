/* data_zlib.c: finding zlib (data_zlib.h). */
#include "compiler/data_zlib.h"

#include <dlfcn.h>

/* ISO C has no conversion from an object pointer to a function; POSIX has this one. */
#define FIND(z, field, name) (*(void **)&(z)->field = dlsym((z)->handle, name))

bool zlib_open(zlib *z) {
  *z = (zlib){.handle = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL)};
  if (!z->handle) return false;
  FIND(z, version, "zlibVersion");
  FIND(z, inflate_init, "inflateInit2_");
  FIND(z, inflate, "inflate");
  FIND(z, inflate_end, "inflateEnd");
  if (z->version && z->inflate_init && z->inflate && z->inflate_end && z->version()[0] == '1') return true;
  zlib_close(z);
  return false;
}

void zlib_close(zlib *z) {
  if (z->handle) dlclose(z->handle);
  z->handle = NULL;
}
