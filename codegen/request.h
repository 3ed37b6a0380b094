/* request.h: what aim-cc is asked for, as text.  For the engine it is also the key of the cache, so it says all that shapes an object. */
#ifndef AIM_CODEGEN_REQUEST_H
#define AIM_CODEGEN_REQUEST_H

#include "compiler/ir.h"

/* The lines that name the build and the machine; isa: as in exec_options. */
void request_begin(strbuf *out, int isa);

/* Which functions of a module are asked for. */
typedef bool request_filter(const void *user, const ir_fn *fn);
/* A whole request of the engine.  Small sizes become constants of the code, those that the functions speak of: data that differ elsewhere
 * need no other object. */
void request_write(strbuf *out, const ir_module *m, int isa, request_filter *wanted, const void *user);

#endif
