/* data_npy.h: NumPy's array format as a stream of bytes: for .npy files, and the members of .npz.  Private to compiler/data_npy.c and
 * data_npz.c. */
#ifndef AIM_COMPILER_DATA_NPY_H
#define AIM_COMPILER_DATA_NPY_H

#include "compiler/data_pour.h"

enum { NPY_MAX_HEADER = 1 << 20 };

typedef struct npy {
  data_pour pour;
  const char *where;   /* of the member, for messages: "array \"x\"" */
  uint64_t expected;   /* bytes of the stream, as far as is known; UINT64_MAX: not known */
  char *header;        /* [n_header] */
  size_t n_header, got;
  size_t need;         /* bytes of the header that tell more */
  bool ready;          /* the header has been read */
  uint64_t cells_at;   /* bytes of the header */
} npy;

/* name: of the array. */
void npy_begin(npy *r, data_set *ds, const char *file, const char *name, uint64_t expected, arena *scratch);
int npy_bytes(npy *r, const char *bytes, size_t n);
/* The stream is over. */
int npy_end(npy *r);

#endif
