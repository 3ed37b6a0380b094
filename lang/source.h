/* source.h: the texts of a program and positions in them.
 *
 * A source map holds every file that one compilation reads: the user's, its imports and the embedded prelude.  A span
 * names a piece of one of them in 12 bytes, so that each token, node and IR value can carry its place to the end. */
#ifndef AIM_LANG_SOURCE_H
#define AIM_LANG_SOURCE_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes [off, off + len) of a file.  len 0 points between two bytes: at the end of a file, or where something is
 * missing.  file 0 means no place at all; ids of files start at 1. */
typedef struct span {
  uint32_t file, off, len;
} span;

/* Files larger than this are refused, which keeps offsets and counts of tokens far from 32 bits. */
#define SOURCE_MAX_BYTES ((size_t)16 << 20)

typedef struct source_file {
  const char *name; /* as messages show it */
  const char *text; /* len bytes and a NUL behind them; may hold NULs and invalid UTF-8 */
  uint32_t len;
  uint32_t *lines; /* offset of each line's first byte; built on the first look-up */
  uint32_t nlines; /* 0 until then; at least 1 afterwards */
} source_file;

typedef struct source_map {
  arena *a;
  source_file *files; /* files[id - 1] */
  size_t n, cap;
} source_map;

void source_map_init(source_map *m, arena *a);

/* Copies name and text into the map.  Returns the file's id, or 0 when the text is larger than SOURCE_MAX_BYTES. */
int source_add(source_map *m, const char *name, const char *text, size_t len);

/* Whether a path stays in the folder that it starts from, by its text: `a/../b` does; `../b`, `a/../../b` and `/b` do not. */
bool source_path_below(const char *path);

/* NULL when there is no such file. */
const source_file *source_get(const source_map *m, uint32_t file);

/* Line and column count from 1.  The column is a display position: a tab goes to the next multiple of 8 and a code point
 * counts its width in a terminal (0, 1 or 2), an invalid byte 1. */
typedef struct source_place {
  uint32_t line, column;
} source_place;

source_place source_locate(source_map *m, uint32_t file, uint32_t off);

/* Bytes of a line (1-based) without its line break; an empty slice for a line that does not exist. */
span source_line(source_map *m, uint32_t file, uint32_t line);
uint32_t source_line_count(source_map *m, uint32_t file);

/* From the first byte of a to the last byte of b, which must not start before a.  A span without a place yields the other. */
span span_join(span a, span b);
/* The empty span just behind s. */
span span_after(span s);

/* One code point of UTF-8 in [s, s + n), n > 0: returns its bytes (1..4) and sets *cp, or returns 0 when it is invalid
 * (overlong, surrogate, out of range or cut off). */
int utf8_decode(const char *s, size_t n, uint32_t *cp);
/* Columns that a code point takes: 0 for combining marks and controls, 2 for wide East Asian ones and emoji, else 1. */
int utf8_width(uint32_t cp);

#endif
