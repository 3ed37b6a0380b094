/* netcdf.h: the netCDF-4 C library, by dlopen: a program that neither reads nor writes NetCDF does not map it and what it brings along (5 ms), and
 * needs it neither to build nor to run.  Types and numbers are those of netcdf.h, whose binary interface has been stable since 4.0.
 *
 * The library and HDF5 below it are not safe for several threads: a host reads and writes NetCDF in one thread at a time. */
#ifndef AIM_COMPILER_NETCDF_H
#define AIM_COMPILER_NETCDF_H

#include <stdbool.h>
#include <stddef.h>

enum { NETCDF_BYTE = 1, NETCDF_CHAR, NETCDF_SHORT, NETCDF_INT, NETCDF_FLOAT, NETCDF_DOUBLE, NETCDF_UBYTE, NETCDF_USHORT, NETCDF_UINT, NETCDF_INT64, NETCDF_UINT64, NETCDF_STRING };
enum { NETCDF_GLOBAL = -1, NETCDF_NOWRITE = 0, NETCDF_CLOBBER = 0, NETCDF_NETCDF4 = 0x1000, NETCDF_MAX_NAME = 256, NETCDF_MAX_DIMS = 1024 };
enum { NETCDF_E_NAME_IN_USE = -42, NETCDF_E_RANGE = -60, NETCDF_E_NO_MEMORY = -61, NETCDF_E_HDF = -101 };

/* The attribute of a variable of ours whose name NetCDF does not take: that name. */
#define NETCDF_NAME_ATTRIBUTE "aim_name"

/* Functions return 0, a negative number of the library, or a positive errno value. */
#define NETCDF_FUNCTIONS(X)                                                                    \
  X(const char *, strerror, (int))                                                             \
  X(int, open, (const char *, int, int *))                                                     \
  X(int, open_mem, (const char *, int, size_t, void *, int *))                                 \
  X(int, create, (const char *, int, int *))                                                   \
  X(int, close, (int))                                                                         \
  X(int, abort, (int))                                                                         \
  X(int, enddef, (int))                                                                        \
  X(int, inq, (int, int *, int *, int *, int *))                                               \
  X(int, inq_ncid, (int, const char *, int *))                                                 \
  X(int, inq_var, (int, int, char *, int *, int *, int *, int *))                              \
  X(int, inq_dim, (int, int, char *, size_t *))                                                \
  X(int, inq_att, (int, int, const char *, int *, size_t *))                                   \
  X(int, get_att_double, (int, int, const char *, double *))                                   \
  X(int, get_att_longlong, (int, int, const char *, long long *))                              \
  X(int, get_att_text, (int, int, const char *, char *))                                       \
  X(int, get_vara_double, (int, int, const size_t *, const size_t *, double *))                \
  X(int, get_vara_longlong, (int, int, const size_t *, const size_t *, long long *))           \
  X(int, get_vara_text, (int, int, const size_t *, const size_t *, char *))                    \
  X(int, get_vara_string, (int, int, const size_t *, const size_t *, char **))                 \
  X(int, free_string, (size_t, char **))                                                       \
  X(int, def_grp, (int, const char *, int *))                                                  \
  X(int, def_dim, (int, const char *, size_t, int *))                                          \
  X(int, def_var, (int, const char *, int, int, const int *, int *))                           \
  X(int, put_att_text, (int, int, const char *, size_t, const char *))                         \
  X(int, put_att_double, (int, int, const char *, int, size_t, const double *))                \
  X(int, put_att_longlong, (int, int, const char *, int, size_t, const long long *))           \
  X(int, put_vara_double, (int, int, const size_t *, const size_t *, const double *))          \
  X(int, put_vara_longlong, (int, int, const size_t *, const size_t *, const long long *))     \
  X(int, put_vara_string, (int, int, const size_t *, const size_t *, const char **))

typedef struct netcdf {
  void *handle;
  char why[256];    /* it could not be opened, since ... */
  const char *help; /* ... and how to get it; NULL: it is there */
#define X(result, name, arguments) result(*name) arguments;
  NETCDF_FUNCTIONS(X)
#undef X
} netcdf;

/* False where there is none, or none that can be loaded.  It stays loaded: HDF5 does not take to being unloaded. */
bool netcdf_open(netcdf *n /* OUT */);

#endif
