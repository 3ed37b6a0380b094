/* schedule_internal.h: what schedule.c and schedule_expr.c share. */
#ifndef AIM_COMPILER_SCHEDULE_INTERNAL_H
#define AIM_COMPILER_SCHEDULE_INTERNAL_H

#include "compiler/ptr_map.h"
#include "compiler/schedule.h"

#include <stdarg.h>

typedef enum sched_type { SCHED_BAD, SCHED_INT, SCHED_REAL, SCHED_BOOL, SCHED_RAMP, SCHED_ARRAY } sched_type;

typedef struct sched_value {
  sched_type type;
  uint32_t reg, n; /* a ramp takes two registers, a list n */
} sched_value;

typedef struct sched_name sched_name;
struct sched_name {
  const char *name; /* interned */
  sched_value v;
  bool variable;    /* by `let`: may be set */
  sched_name *outer;
};

/* A condition that ends the schedule around which it stands, looked at behind each sweep. */
typedef struct sched_watch sched_watch;
struct sched_watch {
  const ast_expr *cond;
  sched_name *env;
  size_t *leave, nleave, cap_leave; /* jumps to its end */
  sched_watch *outer;
};

enum { SCHED_MAX_DEPTH = 32 };

typedef struct sched_ctx {
  check_program *p;
  arena *a;
  const check_model *model; /* whose sizes and data the statement may read; NULL in a declaration */
  schedule *out;
  sched_name *env;
  sched_watch *watch;
  ptr_map slot;             /* a call of stable(), and the slot + 1 of its state */
  const ast_decl *within[SCHED_MAX_DEPTH]; /* calls that are being expanded */
  int depth;
  size_t calls;             /* that were expanded */
  bool outside;             /* in the statement's own expression */
  bool failed;
} sched_ctx;

diag *sched_error(sched_ctx *c, const char *code, span at, const char *format, ...) __attribute__((format(printf, 4, 5)));
schedule_instr *sched_emit(sched_ctx *c, schedule_code code, uint32_t dst, uint32_t a, uint32_t b, span at);
uint32_t sched_reg(sched_ctx *c);
uint32_t sched_number(sched_ctx *c, double x, span at);
sched_name *sched_find(sched_ctx *c, const char *name);
sched_name *sched_bind(sched_ctx *c, const char *name, sched_value v);
/* A call of a function of the program, which is one expression. */
sched_value sched_function(sched_ctx *c, const ast_decl *d, const ast_args *args, span at);
/* Compiles a schedule; an expression; one that must be a bool. */
void sched_schedule(sched_ctx *c, const ast_expr *e);
sched_value sched_expr(sched_ctx *c, const ast_expr *e);
uint32_t sched_condition(sched_ctx *c, const ast_expr *e);
/* A whole number as written, maybe negative. */
bool sched_literal(const ast_expr *e, int64_t *n);

#endif
