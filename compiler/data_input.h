/* data_input.h: what a reader reads from: a file by positions, or bytes in memory.
 *
 * Readers of formats that can be large take pieces of it, so that their memory is about that of the data. */
#ifndef AIM_COMPILER_DATA_INPUT_H
#define AIM_COMPILER_DATA_INPUT_H

#include "compiler/data.h"

typedef struct data_input {
  data_set *ds;
  const char *file;  /* for messages, and where a library wants a path; in the set's arena */
  int fd;            /* of a regular file; -1: memory */
  const char *bytes; /* [size] where fd is -1 */
  uint64_t size;
} data_input;

/* n bytes from position `at`, which lie within the size.  0, or -1 after a message. */
int data_input_get(const data_input *in, uint64_t at, void *to, size_t n);
/* The bytes [size] as an input. */
data_input data_input_memory(data_set *ds, const char *file, const char *bytes, size_t n);

/* The readers by pieces. */
int data_csv(const data_input *in);
int data_npy(const data_input *in);
int data_npz(const data_input *in);
int data_safetensors(const data_input *in);
int data_netcdf(const data_input *in);

#endif
