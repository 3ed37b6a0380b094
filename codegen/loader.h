/* loader.h: brings a relocatable object of aim-cc into memory.
 *
 * The object is not trusted to be well formed: every offset, size and count is checked against the bytes that are there.  It must
 * be closed: an undefined symbol, a section that can be written, or a relocation other than PC32, PLT32 and 64 to a symbol of its
 * own is refused.  Code is never writable and executable at once. */
#ifndef AIM_CODEGEN_LOADER_H
#define AIM_CODEGEN_LOADER_H

#include <stddef.h>

typedef struct cg_object {
  char *base;
  size_t bytes;
} cg_object;

/* NULL, or why not, as one line.  The file's bytes are not needed afterwards but by cg_object_find. */
const char *cg_object_load(cg_object *o, const void *file, size_t n);
void cg_object_free(cg_object *o);
/* The address and size of a symbol of the object that was loaded from this file; NULL if it has none. */
const void *cg_object_find(const cg_object *o, const void *file, size_t n, const char *name, size_t *size);
/* Writes into the section headers of this file, a copy of what the object was loaded from, where the sections are in memory: what a
 * debugger reads. */
void cg_object_place(const cg_object *o, void *file, size_t n);

#endif
