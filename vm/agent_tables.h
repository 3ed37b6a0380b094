/* agent_tables.h: the tables of an agent and its world, as their functions (lower_agent.h) give them for data that are bound.
 *
 * Every part is evaluated for every value of its parents, on the interpreter, and looked at: whether probabilities are such, and which structure they
 * have.  A part that is a formula on few values is not expanded where that would be large. */
#ifndef AIM_VM_AGENT_TABLES_H
#define AIM_VM_AGENT_TABLES_H

#include "vm/api.h"

/* Cells of a table that is expanded, and calls for one. */
enum { AGENT_TABLE_MOST = 1 << 22 };

typedef enum table_kind { TABLE_START, TABLE_STEP, TABLE_OBSERVE, TABLE_PREFER, TABLE_COUNTS, TABLE_HABIT, TABLE_POLICIES, TABLE_GOAL } table_kind;

typedef struct agent_table {
  table_kind kind;
  bool world;
  const agent_part *part;
  const symbol *of;     /* the variable, or what is learnt; NULL of the others */
  const ir_fn *fn;
  size_t points;        /* values that each column is made of: 1 where it is certain; 0: it has a number for each cell */
  size_t n;             /* cells of a column */
  size_t rank;          /* of a column that is an array */
  int64_t dim[IR_MAX_RANK];
  size_t columns;       /* one for each value of the parents, the last parent running fastest */
  const size_t *values; /* [part->nparents] */
  const double *p;      /* [columns][n]; NULL: too large to expand */
  bool seen;            /* it was evaluated, and what follows is known */
  size_t nonzero;       /* numbers that are not 0, of columns * n */
  bool certain;         /* each column has one value */
} agent_table;

typedef struct agent_tables {
  agent_table *table;   /* [n]: of each state start and step, of each observation likelihood and preference, then the rest; the agent's, then the world's */
  size_t n;
} agent_tables;

/* Binds the data of a `simulate` statement, builds its functions, and evaluates them; once.  t is new and stays so, since there is no engine that it could
 * be bound to.  AIM_E_PROGRAM after a diagnostic. */
aim_status api_agent_tables(aim_task *t, agent_tables *out);
/* The table of that kind and variable, or NULL. */
const agent_table *agent_table_find(const agent_tables *t, bool world, table_kind kind, const symbol *of);
/* How many policies there are to choose from. */
double agent_policies(const aim_task *t, const agent_tables *tables);

#endif
