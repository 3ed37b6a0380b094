/* import.h: the declarations of other files that a program asks for: `import "lib.aim"`.
 *
 * A name in place of a path, `import ising`, is that of a module of the library, whose text is embedded (prelude.h).
 *
 * A path is relative to the file that names it and stays below that file's folder.  Each file is read once, however often and by whomever it
 * is named, so files may import each other.  Its models, functions and distributions become part of the program, in front of the
 * program's own; statements that run something are left out.  What cannot be read is a diagnostic at the `import`. */
#ifndef AIM_COMPILER_IMPORT_H
#define AIM_COMPILER_IMPORT_H

#include "compiler/check.h"

enum { IMPORT_MAX_FILES = 64, IMPORT_MAX_DEPTH = 16 };

typedef struct import_options {
  bool anywhere;              /* paths may lead out of the folder */
  const source_map *known;    /* texts that were read before, by name, are taken from there; may be NULL */
} import_options;

/* Replaces p->file's declarations by those of all files.  options may be NULL. */
void import_files(check_program *p, const import_options *options);

#endif
