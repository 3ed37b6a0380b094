/* schedule_run.c: the instructions of schedules (schedule_run.h). */
#include "vm/schedule_run.h"

#include "stdlib/runtime/rt_math.h"

#include <math.h>
#include <string.h>

enum { MOST_BETWEEN = 10000000 }; /* instructions from sweep to sweep */

const char *schedule_inputs(const schedule *s, const program *p, double *r) {
  memset(r, 0, s->registers * sizeof *r);
  r[SCHEDULE_BETA] = 1.0;
  for (size_t k = 0; k < s->ninputs; k++) {
    const symbol *x = s->input[k].sym;
    double *to = &r[s->input[k].reg];
    if (x->size) {
      *to = (double)size_eval(p->sizes, x->size);
      continue;
    }
    const exec_cell *cell = NULL;
    for (size_t d = 0; d < p->ndata && !cell; d++)
      if (strcmp(p->data[d].name, x->name) == 0) cell = p->data[d].p;
    const ast_expr *e = x->param ? x->param->default_ : NULL;
    if (cell) *to = x->type->kind == TY_REAL ? cell->real : (double)cell->integer + (x->type->support == IR_SUP_FINITE && x->type->count);
    else if (e && e->kind == EXPR_INT) *to = (double)e->integer.value;
    else if (e && e->kind == EXPR_REAL) *to = e->real.value;
    else return x->name;
  }
  return NULL;
}

void schedule_begin(schedule_run *x, const double *inputs) {
  memcpy(x->r, inputs, x->s->registers * sizeof *inputs);
  memset(x->slot, 0, x->s->slots * sizeof *x->slot);
  x->at = 0;
  x->why = NULL;
}

void schedule_rest(schedule_run *x, rest_bytes *b) {
  rest_piece(b, &x->at, sizeof x->at);
  rest_piece(b, x->r, x->s->registers * sizeof *x->r);
  rest_piece(b, x->slot, x->s->slots * sizeof *x->slot);
}

double schedule_ess(const double *energy, size_t n, double d) {
  double least = INFINITY, sum = 0.0, squares = 0.0;
  for (size_t k = 0; k < n; k++)
    if (energy[k] < least) least = energy[k];
  if (!(least > -INFINITY && least < INFINITY)) return 0.0;
  for (size_t k = 0; k < n; k++) {
    double w = rt_exp(-d * (energy[k] - least));
    sum += w;
    squares += w * w;
  }
  return sum * sum / ((double)n * squares);
}

/* The step up from beta at which that falls to `ess`: it falls as the step grows, so this is bisection. */
static double next_beta(const schedule_stats *stats, double beta, double ess, double most) {
  double low = 0.0, high = 1e-3;
  if (stats->n < 2) return most;
  if (most < INFINITY) high = most - beta;
  else
    while (high < 1e12 && schedule_ess(stats->energies, stats->n, high) > ess) high *= 2;
  if (!(high > 0)) return most;
  if (most < INFINITY && schedule_ess(stats->energies, stats->n, high) >= ess) return most;
  for (int k = 0; k < 60; k++) {
    double middle = 0.5 * (low + high);
    if (schedule_ess(stats->energies, stats->n, middle) >= ess) low = middle;
    else high = middle;
  }
  return beta + (low > 0 ? low : high);
}

/* The mean energy has not left the neighbourhood of an anchor for that many sweeps; where it does, it is the next anchor. */
static bool stable(schedule_slot *slot, const schedule_stats *stats, double window, double tolerance) {
  double scale = fabs(slot->energy) > 1.0 ? fabs(slot->energy) : 1.0;
  if (!slot->set || !(fabs(stats->energy - slot->energy) <= tolerance * scale)) *slot = (schedule_slot){stats->energy, stats->sweeps, true};
  return (double)(stats->sweeps - slot->since) >= window;
}

static schedule_state fail(schedule_run *x, const schedule_instr *i, const char *why) {
  x->why = why;
  x->where = i->at;
  return SCHEDULE_FAILED;
}

schedule_state schedule_next(schedule_run *x, const schedule_stats *stats, schedule_step *step) {
  const schedule *s = x->s;
  double *r = x->r;
  bool restart = false;
  r[SCHEDULE_ENERGY] = stats->energy;
  r[SCHEDULE_BEST] = stats->best;
  r[SCHEDULE_ACCEPTANCE] = stats->acceptance;
  r[SCHEDULE_ESS] = stats->ess;
  for (uint64_t done = 0; x->at < s->n; done++) {
    const schedule_instr *i = &s->code[x->at++];
    const double a = r[i->a], b = r[i->b];
    if (done == MOST_BETWEEN) return fail(x, i, "goes on without a sweep");
    switch (i->code) {
    case SCHED_SET: r[i->dst] = i->value; break;
    case SCHED_MOVE: r[i->dst] = a; break;
    case SCHED_ADD: r[i->dst] = a + b; break;
    case SCHED_SUB: r[i->dst] = a - b; break;
    case SCHED_MUL: r[i->dst] = a * b; break;
    case SCHED_DIV: r[i->dst] = a / b; break;
    case SCHED_FLOORDIV:
    case SCHED_MOD:
      if (b == 0) return fail(x, i, "divides by zero");
      r[i->dst] = i->code == SCHED_MOD ? a - b * floor(a / b) : floor(a / b);
      break;
    case SCHED_POW: r[i->dst] = rt_pow(a, b); break;
    case SCHED_MIN: r[i->dst] = a < b ? a : b; break;
    case SCHED_MAX: r[i->dst] = a > b ? a : b; break;
    case SCHED_LT: r[i->dst] = a < b; break;
    case SCHED_LE: r[i->dst] = a <= b; break;
    case SCHED_EQ: r[i->dst] = a == b; break;
    case SCHED_AND: r[i->dst] = a != 0 && b != 0; break;
    case SCHED_OR: r[i->dst] = a != 0 || b != 0; break;
    case SCHED_NEG: r[i->dst] = -a; break;
    case SCHED_NOT: r[i->dst] = a == 0; break;
    case SCHED_EXP: r[i->dst] = rt_exp(a); break;
    case SCHED_LOG: r[i->dst] = rt_log(a); break;
    case SCHED_SQRT: r[i->dst] = sqrt(a); break;
    case SCHED_ABS: r[i->dst] = fabs(a); break;
    case SCHED_FLOOR: r[i->dst] = floor(a); break;
    case SCHED_ELEMENT:
      if (!(b >= 1 && b <= i->n)) return fail(x, i, "reads an element that its list does not have");
      r[i->dst] = r[i->a + (uint32_t)b - 1];
      break;
    case SCHED_STALLED: r[i->dst] = (double)stats->since_best >= a; break;
    case SCHED_STABLE: r[i->dst] = stable(&x->slot[i->n], stats, a, b); break;
    case SCHED_NEXT: r[i->dst] = next_beta(stats, r[SCHEDULE_BETA], a, b); break;
    case SCHED_JUMP: x->at = i->n; break;
    case SCHED_UNLESS:
      if (a == 0) x->at = i->n;
      break;
    case SCHED_RESTART: restart = true; break;
    case SCHED_SWEEP:
      if (!(a >= 1)) break;
      if (!(r[SCHEDULE_BETA] >= 0 && r[SCHEDULE_BETA] < INFINITY)) return fail(x, i, "sets an inverse temperature that is not a number from 0 up");
      if (a > 1e12) return fail(x, i, "asks for more than 10^12 sweeps");
      *step = (schedule_step){r[SCHEDULE_BETA], (uint64_t)a, restart};
      return SCHEDULE_STEP;
    }
  }
  return SCHEDULE_DONE;
}
