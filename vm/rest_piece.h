/* rest_piece.h: what stands between two transitions, as bytes: one list of pieces that counts, writes and reads them. */
#ifndef AIM_VM_REST_PIECE_H
#define AIM_VM_REST_PIECE_H

#include <stddef.h>
#include <string.h>

typedef struct rest_bytes {
  char *to;         /* written, or */
  const char *from; /* read, or neither: they are */
  size_t n;         /* counted */
} rest_bytes;

static inline void rest_piece(rest_bytes *b, void *x, size_t n) {
  b->n += n;
  if (n == 0) return;
  if (b->to) memcpy(b->to, x, n), b->to += n;
  else if (b->from) memcpy(x, b->from, n), b->from += n;
}

#endif
