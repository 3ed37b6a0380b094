/* data_zlib.h: the little of zlib that AIM uses, by dlopen: a program that reads no compressed data does not map it.
 *
 * Types and functions as zlib.h of version 1 has them, whose binary interface has not changed since 1.2.0. */
#ifndef AIM_COMPILER_DATA_ZLIB_H
#define AIM_COMPILER_DATA_ZLIB_H

#include <stdbool.h>
#include <stddef.h>

typedef struct zlib_stream {
  const unsigned char *next_in;
  unsigned avail_in;
  unsigned long total_in;
  unsigned char *next_out;
  unsigned avail_out;
  unsigned long total_out;
  const char *msg;
  void *state;
  void *(*zalloc)(void *, unsigned, unsigned);
  void (*zfree)(void *, void *);
  void *opaque;
  int data_type;
  unsigned long adler, reserved;
} zlib_stream;

enum { ZLIB_OK = 0, ZLIB_END = 1 };

typedef struct zlib {
  void *handle;
  const char *(*version)(void);
  int (*inflate_init)(zlib_stream *, int window_bits, const char *version, int stream_size);
  int (*inflate)(zlib_stream *, int flush);
  int (*inflate_end)(zlib_stream *);
} zlib;

/* False where there is none. */
bool zlib_open(zlib *z /* OUT */);
void zlib_close(zlib *z);

#endif
