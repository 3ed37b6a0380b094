/* data_pour.h: cells as other programs lay them out in memory, poured into an array of a data set: what .npy, .npz and
 * .safetensors share.  Bytes come in pieces of any length. */
#ifndef AIM_COMPILER_DATA_POUR_H
#define AIM_COMPILER_DATA_POUR_H

#include "compiler/data_texts.h"

typedef enum pour_kind { POUR_FLOAT, POUR_BFLOAT16, POUR_INT, POUR_UINT, POUR_BOOL, POUR_UCS4, POUR_BYTES } pour_kind;

/* One cell in a file. */
typedef struct pour_type {
  pour_kind kind;
  size_t size;     /* bytes: FLOAT 2, 4, 8; INT and UINT 1, 2, 4, 8; UCS4 a multiple of 4; BYTES any but 0 */
  bool big_endian;
} pour_type;

typedef struct data_pour {
  data_set *ds;
  data_array *x;       /* where cells go: name, rank, dims, cells and origin are set */
  pour_type type;
  bool first_fastest;  /* Fortran's order; else the last index is fastest */
  arena *scratch;
  size_t done;         /* cells */
  size_t to;           /* the cell that is next, row-major */
  int64_t at[DATA_MAX_RANK];
  size_t stride[DATA_MAX_RANK];
  double *reals;
  int64_t *ints;
  data_texts texts;
  char *part;          /* [type.size] the cell that the last piece broke off in */
  size_t n_part;
  char *text;          /* [type.size] a text as UTF-8 */
} data_pour;

enum { POUR_MAX_CELL = 1 << 20 };

/* Takes the memory of the array.  0, or -1 after a message. */
int data_pour_begin(data_pour *p);
/* n more bytes; at most those of the whole array are looked at.  0, or -1 after a message. */
int data_pour_bytes(data_pour *p, const char *bytes, size_t n);
/* All cells are there; finishes the array and enters it. */
int data_pour_end(data_pour *p);

#endif
