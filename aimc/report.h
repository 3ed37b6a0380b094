/* report.h: a run as one page of HTML.
 *
 *     report.c          the page: what was run, advice, the table, the program
 *     report_draws.c    unknowns and tracked quantities: densities, traces, ranks
 *     report_predict.c  predictions, and those of what was observed against it
 *     report_compare.c  several runs beside each other
 *
 * The page needs nothing from elsewhere, and holds no times: a run that gives the same draws gives the same bytes.  It is well-formed XML
 * too.  Its length does not follow the length of the run: so many quantities, chains and points are drawn, and the text says what is left out. */
#ifndef AIMC_REPORT_H
#define AIMC_REPORT_H

#include "vm/api.h"

enum {
  REPORT_ROWS = 60,     /* of the table */
  REPORT_CARDS = 32,    /* columns that are drawn one by one */
  REPORT_WIDE = 12,     /* quantities that are drawn as intervals */
  REPORT_CHAINS = 16,   /* chains in a chart */
  REPORT_POINTS = 400,  /* of a trace */
  REPORT_CELLS = 80,    /* intervals in a chart */
  REPORT_BINS = 40,
  REPORT_FEW = 10       /* cells of a quantity that is drawn cell by cell */
};

/* A draw and the chain that it is of. */
typedef struct report_draw {
  double value;
  int chain;
} report_draw;

typedef struct report {
  aim_task *t;
  arena *mem;
  strbuf *b;
  int chains;
  size_t draws;        /* of all chains */
  bool markov;         /* chains whose draws depend on each other */
  report_draw *pool;   /* [draws] of the column at hand */
} report;

/* "theta[3]", in r->mem. */
const char *report_name(const report *r, size_t quantity, size_t cell);
/* The finite draws of a cell in r->pool, ascending; returns how many. */
size_t report_pool(report *r, size_t quantity, size_t cell);
/* Of the first n of r->pool. */
double report_quantile(const report *r, size_t n, double p);
/* Intervals of the cells of a quantity, evenly chosen if they are many, with what was observed [cells] unless NULL. */
void report_intervals(report *r, size_t quantity, const double *observed);

void report_draws(report *r);
void report_predictions(report *r);

/* A task that has run, and what its run is called on a page with others. */
typedef struct report_run {
  const aim_program *p;
  aim_task *t;
  const char *name;
} report_run;

/* What quantities of one name have in common; r [n]. */
aim_status report_compare(report *r, const report_run *run, size_t n);

/* Writes a page of n >= 1 runs of one vm.  AIM_E_IO: aim_task_errno of the first. */
aim_status report_write(const report_run *run, size_t n, const char *path);

#endif
