/* ir_text.h: what the printer, the parser and the verifier's messages share about the text of the IR. */
#ifndef AIM_COMPILER_IR_TEXT_H
#define AIM_COMPILER_IR_TEXT_H

#include "compiler/ir.h"

extern const char *const ir_elem_name[4];
extern const char *const ir_mode_name[7];
extern const char *const ir_role_name[8]; /* PLAIN is "plain", which is not written */
extern const char *const ir_support_name[IR_SUP_FINITE + 1];
extern const char *const ir_site_role_name[3];

/* Letters, digits, `_` and `.`; bytes of UTF-8 sequences count as letters. */
bool ir_text_is_name_byte(char c);

/* The names that values of one function get in print: a parameter its own where that is a name not starting with a digit
 * and not taken before, all others a number in the order of the text. */
typedef struct ir_numbering {
  const ir_fn *fn;
  uint32_t *number; /* by value; 0 is none */
  uint32_t n;       /* numbers given so far */
} ir_numbering;

ir_numbering ir_number_values(const ir_fn *fn);
void ir_print_value(const ir_numbering *names, ir_val v, strbuf *out);
/* The operation's own line, without what stands in its blocks.  For messages: the operation may break any rule. */
void ir_print_op_line(const ir_numbering *names, const ir_op *op, strbuf *out);

#endif
