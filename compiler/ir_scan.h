/* ir_scan.h: the words of the IR's text, and the names of values in scope; what ir_parse.c is made over. */
#ifndef AIM_COMPILER_IR_SCAN_H
#define AIM_COMPILER_IR_SCAN_H

#include "compiler/ir_text.h"
#include "lang/intern.h"

#include <setjmp.h>

typedef struct name_list {
  const char **v;
  size_t n, cap;
} name_list;

/* Names in scope: interned name to value, 0 for one whose scope has ended. */
typedef struct ir_scope {
  const char **key;
  ir_val *val;
  size_t cap, used;
  name_list live; /* in the order of their definitions */
} ir_scope;

/* A text that is being read: text .. end, with a NUL behind it. */
typedef struct ir_scan {
  ir_module *m;
  arena *mem;
  intern_table names;
  const char *text, *p, *end; /* p: the cursor */
  ir_scope scope;
  const char *error;
  jmp_buf fault;              /* where every ir_scan_fail goes, with `error` set */
} ir_scan;

/* ---- faults: `where` gives the line; else the cursor */
_Noreturn void ir_scan_fail_at(ir_scan *ps, const char *where, const char *what);
_Noreturn void ir_scan_fail(ir_scan *ps, const char *what);
/* before, the first 80 bytes of name, after. */
_Noreturn void ir_scan_fail_name(ir_scan *ps, const char *before, const char *name, const char *after);

/* ---- words: what does not fit is a fault unless it says otherwise; white space and comments in front are passed over */
void ir_scan_space(ir_scan *ps);
/* Whether the next byte is c. */
bool ir_scan_at(ir_scan *ps, char c);
/* Takes the token if it stands there. */
bool ir_scan_accept(ir_scan *ps, const char *token);
void ir_scan_expect(ir_scan *ps, const char *token);
/* A word, a text in quotes, or either, interned.  ir_scan_word: NULL if there is none; ir_scan_name: `of` says whose name is missing. */
const char *ir_scan_word(ir_scan *ps);
const char *ir_scan_quoted(ir_scan *ps);
const char *ir_scan_name(ir_scan *ps, const char *of);
int64_t ir_scan_integer(ir_scan *ps);
double ir_scan_real(ir_scan *ps);
ir_size ir_scan_size(ir_scan *ps);
/* One of names [n], by its place. */
int ir_scan_choice(ir_scan *ps, const char *of, size_t n, const char *const *names);
ir_type ir_scan_type(ir_scan *ps);

/* ---- names of values */
void ir_scan_scope_begin(ir_scan *ps);
void ir_scan_define(ir_scan *ps, const char *key, ir_val v);
/* Ends the scope of what was defined since live.n was `mark`. */
void ir_scan_scope_leave(ir_scan *ps, size_t mark);
/* `%name`: a new one; the value of one in scope. */
const char *ir_scan_value_name(ir_scan *ps);
ir_val ir_scan_value(ir_scan *ps);

#endif
