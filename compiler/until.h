/* until.h: what stands behind the `until` of an inference statement: when its chains have said enough. */
#ifndef AIM_COMPILER_UNTIL_H
#define AIM_COMPILER_UNTIL_H

#include "lang/ast.h"
#include "lang/diag.h"

/* Each of the first three asks every unknown and tracked quantity. */
typedef enum until_op {
  UNTIL_ESS,  /* bulk and tail ESS of all chains together are at least x */
  UNTIL_RHAT, /* R-hat is at most x */
  UNTIL_MCSE, /* the Monte Carlo error of the mean is at most x standard deviations */
  UNTIL_AND,  /* of the two conditions before it */
  UNTIL_OR
} until_op;

enum { UNTIL_MOST = 15 };

/* Conditions behind their operands, as in `ess rhat and`; none: the run goes on to its end. */
typedef struct until {
  size_t n;
  struct {
    until_op op;
    double x;
  } step[UNTIL_MOST];
} until;

/* Reads `ess(400)`, `rhat(1.01) and mcse(0.02)`, ...; NULL asks for nothing.  False after a diagnostic (E0810). */
bool until_read(diag_list *diags, const ast_expr *e, until *out /* OUT */);
/* "ess(400) and rhat(1.01)", in a. */
const char *until_text(const until *u, arena *a);

#endif
