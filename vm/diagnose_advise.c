/* diagnose_advise.c: the findings of a run in plain sentences; diagnose.h declares diagnose_advise.
 *
 * Thresholds are those in general use: R-hat 1.01 and 100 effective draws per chain (Vehtari et al. 2021, section 4.3), E-BFMI 0.3, and
 * any divergence at all.  R-hat is an estimate: of many quantities and few draws some are above 1.01 although all is well, so by itself this is
 * worth a mild sentence up to 1.05, and a strong one above or where the effective draws are few, too. */
#include "vm/diagnose.h"

#include <math.h>

#define RHAT_MOST 1.01
#define RHAT_BAD 1.05
#define ESS_PER_CHAIN 100.0
#define EBFMI_LEAST 0.3

enum { NAMES_SHOWN = 3 };

/* How bad a quantity is by one measure, rising; -INFINITY if it is fine. */
typedef double badness(const diagnose_run *r, const diagnose_summary *s);

static double rhat_badness(const diagnose_run *r, const diagnose_summary *s) {
  (void)r;
  return s->rhat > RHAT_MOST ? s->rhat : -INFINITY;
}

static double ess_least(const diagnose_summary *s) {
  return s->ess_tail < s->ess_bulk ? s->ess_tail : s->ess_bulk;
}

static double ess_badness(const diagnose_run *r, const diagnose_summary *s) {
  double ess = ess_least(s);
  return ess < ESS_PER_CHAIN * (double)r->chains ? -ess : -INFINITY;
}

/* The chains have not met, or there is little to say that they have. */
static double apart_badness(const diagnose_run *r, const diagnose_summary *s) {
  return rhat_badness(r, s) == -INFINITY || (s->rhat <= RHAT_BAD && ess_badness(r, s) == -INFINITY) ? -INFINITY : s->rhat;
}

static double nonfinite_badness(const diagnose_run *r, const diagnose_summary *s) {
  (void)r;
  return s->fault == DIAGNOSE_NONFINITE ? 0.0 : -INFINITY;
}

/* Draws that run away: of a proper posterior, even one with Cauchy tails, some thousands of draws do not spread like this. */
static double improper_badness(const diagnose_run *r, const diagnose_summary *s) {
  (void)r;
  return s->fault == DIAGNOSE_OK && (isinf(s->mean) || s->sd > 1e30 || (s->q95 > s->q5 && s->sd > 1e8 * (s->q95 - s->q5))) ? s->sd : -INFINITY;
}

static double sd_figure(const diagnose_summary *s) {
  return s->sd;
}

static bool discrete(const diagnose_run *r, size_t i) { return r->discrete && r->discrete[i]; }

/* Finds the worst NAMES_SHOWN quantities, those on the reals before discrete ones and the worst first, in worst[]; returns how
 * many are bad. */
static size_t worst_find(const diagnose_run *r, badness *bad, size_t worst[NAMES_SHOWN]) {
  size_t n = 0;
  for (size_t i = 0; i < r->n_names; i++) {
    double b = bad(r, &r->summaries[i]);
    if (b == -INFINITY) continue;
    size_t at = n < NAMES_SHOWN ? n : NAMES_SHOWN;
    while (at > 0 && (discrete(r, worst[at - 1]) != discrete(r, i) ? !discrete(r, i) : bad(r, &r->summaries[worst[at - 1]]) < b)) at--;
    for (size_t k = NAMES_SHOWN - 1; k > at; k--) worst[k] = worst[k - 1];
    if (at < NAMES_SHOWN) worst[at] = i;
    n++;
  }
  return n;
}

/* "mu (1.04), tau (1.02) and 3 others". */
static void names_put(const diagnose_run *r, strbuf *b, const size_t *worst, size_t n, double (*figure)(const diagnose_summary *),
                      const char *format) {
  size_t shown = n < NAMES_SHOWN ? n : NAMES_SHOWN;
  for (size_t i = 0; i < shown; i++) {
    if (i > 0) strbuf_puts(b, i + 1 == shown && n == shown ? " and " : ", ");
    strbuf_puts(b, r->names[worst[i]]);
    if (figure) strbuf_printf(b, format, figure(&r->summaries[worst[i]]));
  }
  if (n > shown) strbuf_printf(b, " and %zu other%s", n - shown, n - shown == 1 ? "" : "s");
}

static double rhat_figure(const diagnose_summary *s) {
  return s->rhat;
}

static const char *plural(uint64_t n) {
  return n == 1 ? "" : "s";
}

static void advise_divergent(const diagnose_run *r, double total, strbuf *b) {
  const double percent = 100.0 * (double)r->n_divergent / total;
  strbuf_printf(b, percent < 10 ? "%llu of %.0f transitions diverged (%.2g %%)" : "%llu of %.0f transitions diverged (%.0f %%)", (unsigned long long)r->n_divergent, total, percent);
  if (2 * r->n_invalid >= r->n_divergent) {
    strbuf_puts(b, ", where they met the impossible points above: the draws may miss what lies near.  See to those first.\n");
    return;
  }
  strbuf_puts(b, ": the sampler could not follow the posterior into some region, and the draws may miss it.  ");
  if (r->delta < 0.95) strbuf_puts(b, "Raise the target acceptance to 0.95; if divergences stay, ");
  else strbuf_puts(b, "The target acceptance is already high, so ");
  if (r->n_centred) {
    strbuf_puts(b, "sample the effects of a hierarchy through their standard variates, by `noncentred = [");
    for (size_t k = 0; k < r->n_centred && k < NAMES_SHOWN; k++) strbuf_printf(b, "%s%s", k ? ", " : "", r->centred[k]);
    strbuf_puts(b, "]`, or give their scale a prior that keeps it from 0.\n");
  } else {
    strbuf_printf(b, "look for a scale that may go to 0%s, and give it a prior that keeps it from there; or for unknowns that determine each other almost.\n",
                  r->noncentred ? " (effects are non-centred already)" : "");
  }
}

size_t diagnose_advise(const diagnose_run *r, strbuf *b) {
  size_t findings = 0, worst[NAMES_SHOWN] = {0}, n;
  double total = (double)r->chains * (double)r->draws;

  if (r->n_names && r->draws < 4) {
    findings++;
    strbuf_printf(b, "%zu draw%s of a chain %s too few to say anything of: keep at least 4, and some hundreds to use them.\n", r->draws, plural(r->draws),
                  r->draws == 1 ? "is" : "are");
  }
  if ((n = worst_find(r, nonfinite_badness, worst))) {
    findings++;
    strbuf_puts(b, "Some draws of ");
    names_put(r, b, worst, n, NULL, NULL);
    strbuf_printf(b, " are infinite or not a number, so nothing can be said about %s: look for overflow, a log of 0 or a division by 0 "
                     "in how %s computed.\n", n == 1 ? "it" : "them", n == 1 ? "it is" : "they are");
  }
  if ((n = worst_find(r, improper_badness, worst))) {
    findings++;
    strbuf_puts(b, "The posterior looks improper, without a finite total, in ");
    names_put(r, b, worst, n, sd_figure, " (standard deviation %.1g)");
    strbuf_printf(b, ": no draws can stand for it.  Give %s a proper prior, and look for unknowns that nothing in the data bounds.\n", n == 1 ? "it" : "them");
  }
  if (r->n_nan > 0) {
    findings++;
    strbuf_printf(b, "The log density was not a number at %llu point%s, which were treated as impossible: look for a negative scale, 0 * "
                     "infinity or infinity - infinity in the model.\n", (unsigned long long)r->n_nan, plural(r->n_nan));
  }
  const bool apart = worst_find(r, apart_badness, worst) > 0, improper = worst_find(r, improper_badness, worst) > 0;
  if (r->n_divergent > 0) {
    findings++;
    advise_divergent(r, total, b);
  }
  if (r->n_max_depth > 0) {
    findings++;
    strbuf_printf(b, "%llu of %.0f transitions were cut off at tree depth %u, since the trajectories were too short", (unsigned long long)r->n_max_depth, total, r->max_depth);
    if (apart || improper)
      strbuf_puts(b, ", and the chains have not met: the posterior is long in some direction, or has no end there.  See that each unknown is held by a prior or by data, "
                     "and put unknowns on similar scales.\n");
    else
      strbuf_printf(b, ": this costs time, and does not make the draws wrong.  Put parameters on similar scales, or raise the maximal depth to %u.\n", r->max_depth + 2);
  }
  size_t low = 0, lowest = 0;
  for (size_t c = 0; r->ebfmi && c < r->chains; c++)
    if (r->ebfmi[c] < EBFMI_LEAST) {
      if (low++ == 0 || r->ebfmi[c] < r->ebfmi[lowest]) lowest = c;
    }
  if (low > 0) {
    findings++;
    strbuf_printf(b, "E-BFMI is below %.1f in %zu of %zu chain%s (lowest %.2f, chain %zu): the energy moves slowly, as with heavy tails or a "
                     "funnel, and the tails may be explored badly.  Reparametrise the heavy-tailed or hierarchical part, or use a lighter-tailed "
                     "prior.\n", EBFMI_LEAST, low, r->chains, plural(r->chains), r->ebfmi[lowest], lowest + 1);
  }
  if ((n = worst_find(r, rhat_badness, worst))) {
    findings++;
    strbuf_puts(b, "R-hat is above 1.01 for ");
    names_put(r, b, worst, n, rhat_figure, " (%.2f)");
    if (apart)
      strbuf_printf(b, ": the chains do not agree yet, so do not use these draws.  Run longer; if it stays, look for several modes%s, or for "
                       "parameters that the data cannot tell apart, such as labels of a mixture that trade places (an `ordered` vector keeps them in place).\n", r->may_search ? " (`init = pathfinder` seldom begins in one of little mass)" : "");
    else
      strbuf_printf(b, ", and below 1.05, with effective draws enough: of %zu quantities some may be by chance.  Before %s relied on run longer, and see whether it goes.\n",
                    r->n_names, n == 1 ? "it is" : "they are");
  }
  if ((n = worst_find(r, ess_badness, worst))) {
    findings++;
    strbuf_printf(b, "There are fewer than %.0f effective draws (%.0f per chain) for ", ESS_PER_CHAIN * (double)r->chains, ESS_PER_CHAIN);
    names_put(r, b, worst, n, ess_least, " (%.0f)");
    double least = ess_least(&r->summaries[worst[0]]);
    double factor = least > 0.0 ? ceil(ESS_PER_CHAIN * (double)r->chains / least) : INFINITY;
    if (factor <= 20.0) strbuf_printf(b, ": means and quantiles are noisy.  Draw about %.0f times as many.\n", factor);
    else strbuf_printf(b, ": means and quantiles are noisy.  More draws alone would take too long, so %s first.\n", r->slow ? r->slow : "reparametrise");
  }
  return findings;
}
