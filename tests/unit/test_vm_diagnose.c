/* Draw diagnostics against ArviZ 0.23.4 (NumPy 2, SciPy), computed once on the same draws and kept below.
 *
 * The draws are made here and there by the same integer generator and the same roundings, so they agree to the bit.  What may differ
 * is the order of sums and the last places of the normal quantile: agreement is asked to 1e-9 relative.  One difference of definition:
 * ArviZ refuses R-hat for a single chain, and the value below is that of its own building blocks on the two halves. */
#include "lang/arena.h"
#include "tests/plain_heap.h"
#include "vm/autocov.h"
#include "vm/diagnose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct reference {
  uint64_t seed;
  size_t chains, draws;
  double phi;
  int kind;
  /* mean sd median mad q5 q95 rhat ess_bulk ess_tail mcse_mean mcse_sd mcse_q5 mcse_median mcse_q95 ess_mean ebfmi (of chain 1) */
  double want[16];
} reference;

/* Autoregressive draws with the coefficient phi and the sum of four uniforms as noise, then changed by kind. */
static const reference references[] = {
    {1, 4, 1000, 0.0, 0, {-0.0246023128669621, 0.584281637448225, -0.0239966122700612, 0.592760193151139, -0.990767858414398,
     0.92747700138041, 1.00072095718547, 4119.20138067102, 3792.8042960322, 0.00910557005244419, 0.00610020321837109, 0.0222155921680683,
     0.0131537621547946, 0.0243785033765123, 4117.46764904286, 2.08847369753216}},
    {2, 4, 1000, 0.9, 0, {0.0223233524029662, 1.318794537016, -0.00471845089768885, 1.31905614004338, -2.11474016100776, 2.31541531327491,
     1.01720087658379, 225.151067678058, 428.714545639704, 0.0878557463389463, 0.0423711117516905, 0.125594737857778, 0.0969161825603802,
     0.136230734061098, 225.32736289738, 0.204831389753185}},
    {3, 2, 501, 0.5, 1, {0.215877997761077, 0.724108290830315, 0.233704026047319, 0.731881768091771, -0.993202951852214, 1.35868497228668,
     1.08376697588641, 19.3065615507247, 224.851139655909, 0.164889507440259, 0.0250719316203238, 0.0960421856910783, 0.167110021141058,
     0.0501559361448244, 19.2850601937608, 0.970804127420516}},
    {4, 4, 250, -0.5, 0, {-0.0141861123449661, 0.682466594711602, -0.00406463666066683, 0.729142733666764, -1.12855190494532,
     1.0912289834648, 0.999505740321203, 3000, 975.156881922131, 0.0124600782889093, 0.0186216413618214, 0.0468267540382215,
     0.0238047783863004, 0.0347201624857139, 3000, 3.09928651178247}},
    {5, 3, 333, 0.3, 2, {-0.00275929604399835, 0.684896535012905, -8.82180629390721e-08, 0.113068288201921, -0.943846861926059,
     0.935682344693859, 1.00224278987329, 560.092438880605, 825.945880840647, 0.026447154530948, 0.0419329615363837, 0.124680790553322,
     1.91036239210958e-05, 0.102336474572104, 670.643983030425, 1.70372719674184}},
    {6, 4, 400, 0.6, 3, {-0.505625, 1.53343992648231, -1, 1.4826, -3, 2, 1.00668584234995, 266.487305236973, 463.97329066208,
     0.0940244819673169, 0.0359557389100312, 0, 0.5, 0, 265.981625063448, 0.793251512208819}},
    {7, 4, 500, 0.4, 4, {-0.00730737143822254, 1.68402809846647, -0.0392019022183834, 1.32135668028272, -2.86696989087158, 2.74453502264571,
     1.1492764474574, 854.591230061125, 176.220490662039, 0.0576376182667845, 0.272267097847495, 0.169655997824855, 0.0450595163446376,
     0.308088821553337, 853.663306658173, 1.18341556575155}},
    {8, 1, 2000, 0.99, 0, {1.65818595559093, 3.11664675664753, 1.65299386897817, 3.59188017603807, -3.61605009940706, 6.43337933759384,
     1.00185470758544, 16.6917012705489, 79.5159307538493, 0.776831649785861, 0.230936142862827, 0.706653541788272, 0.932194704354133,
     0.388337357763711, 16.0961251772892, 0.0335788075348758}},
    {9, 4, 40, 0.2, 5, {1.0314608398955, 0.804322462015152, 1.04270123474962, 0.955224699928258, -0.26085599197642, 2.15180335140613,
     1.35021590819697, 11.2109367801732, 75.7696099659999, 0.248826141494005, 0.0424063889004795, 0.121662543996293, 0.391489770325558,
     0.124376171153141, 10.4488473463271, 0.825536682390282}},
    {10, 2, 5, 0.0, 0, {0.063449515209053, 0.685920735076885, -0.132634420168604, 0.232490657270784, -0.6144900409968, 1.29499897743353,
     1.22373240075704, 7.22471989593555, 7.22471989593555, 0.255189866409511, 0.166170119809663, 0.252445388119897, 0.12170421855836,
     0.696711310387482, 7.22471989593555, 2.0304913305764}},
    {11, 6, 777, 0.97, 2, {-9.63776835098886, 42.6371283010365, -0.341291691435551, 5.72727169425755, -76.2002664797082, 28.6068369521239,
     1.05628700025329, 114.294029012501, 295.749387030553, 3.37879070474771, 5.48686680369271, 12.4195739202669, 0.36556027493387,
     7.05182803225033, 159.24041885616, 0.0770275953942718}},
};
enum { REFERENCES = sizeof references / sizeof references[0] };

static double uniform(uint64_t *s) {
  uint64_t z = *s += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return ((double)((z ^ z >> 31) >> 11) + 0.5) * 0x1p-53;
}

static double *series_make(const reference *r) {
  double *out = malloc(r->chains * r->draws * sizeof *out);
  uint64_t s = r->seed;
  for (size_t c = 0; c < r->chains; c++) {
    double x = 0.0;
    for (size_t i = 0; i < r->draws; i++) {
      double e = uniform(&s);
      e += uniform(&s);
      e += uniform(&s);
      e += uniform(&s);
      x = r->phi * x + (e - 2.0);
      double v = x;
      switch (r->kind) {
      case 1: v = x + 0.5 * (double)c; break;
      case 2: v = x * x * x; break;
      case 3: v = floor(2.0 * x); break;
      case 4: v = x * (1.0 + (double)c); break;
      case 5: v = x + (double)i * (2.0 / (double)r->draws); break;
      }
      out[c * r->draws + i] = v;
    }
  }
  return out;
}

static double *work_make(size_t chains, size_t draws) {
  return malloc(diagnose_doubles(chains, draws) * sizeof(double));
}

static void close_to(double got, double want, size_t row, int column) {
  if (isnan(want) ? isnan(got) : fabs(got - want) <= 1e-9 * fabs(want) + 1e-13) return;
  fail_msg("case %zu, figure %d: %.15g, not %.15g", row, column, got, want);
}

static void test_reference(void **state) {
  (void)state;
  for (size_t i = 0; i < REFERENCES; i++) {
    const reference *r = &references[i];
    double *x = series_make(r), *work = work_make(r->chains, r->draws);
    diagnose_draws d = {x, r->chains, r->draws, r->draws, 1};
    diagnose_summary s;
    assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_OK);
    double got[16] = {s.mean, s.sd, s.median, s.mad, s.q5, s.q95, s.rhat, s.ess_bulk, s.ess_tail, s.mcse_mean, s.mcse_sd, s.mcse_q5,
                      s.mcse_median, s.mcse_q95, diagnose_ess_mean(&d, work), diagnose_ebfmi(x, r->draws, 1)};
    for (int k = 0; k < 16; k++) close_to(got[k], r->want[k], i, k);
    assert_true(diagnose_rhat(&d, work) == s.rhat);
    assert_true(diagnose_ess_bulk(&d, work) == s.ess_bulk);
    assert_true(diagnose_ess_tail(&d, work) == s.ess_tail);

    /* The layout does not matter: draw by draw, with another quantity between. */
    double *other = calloc(2 * r->chains * r->draws, sizeof *other);
    for (size_t c = 0; c < r->chains; c++)
      for (size_t k = 0; k < r->draws; k++) other[2 * (k * r->chains + c)] = x[c * r->draws + k];
    diagnose_draws d2 = {other, r->chains, r->draws, 2, 2 * r->chains};
    diagnose_summary s2;
    diagnose_summarise(&d2, work, &s2);
    assert_memory_equal(&s, &s2, sizeof s);
    free(other);
    free(work);
    free(x);
  }
}

static void test_autocov_fourier(void **state) {
  (void)state;
  for (size_t n = 2; n < 700; n += n < 70 ? 1 : 97) {
    reference r = {7, 4, n, 0.8, 0, {0}};
    double *y = series_make(&r), *work = malloc(autocov_doubles(n) * sizeof(double));
    autocov a;
    autocov_init(&a, y, 4, n, work);
    for (size_t t = n; t-- > 0;) {
      double want = 0.0, size = 0.0;
      for (size_t c = 0; c < 4; c++)
        for (size_t i = 0; i + t < n; i++) want += y[c * n + i] * y[c * n + i + t];
      for (size_t i = 0; i < 4 * n; i++) size += y[i] * y[i];
      assert_true(fabs(autocov_at(&a, t) - want / (4.0 * (double)n)) <= 1e-14 * size / (double)n);
    }
    free(y);
    free(work);
  }
}

static void test_faults(void **state) {
  (void)state;
  double x[40], *work = work_make(2, 20);
  diagnose_summary s;
  for (int i = 0; i < 40; i++) x[i] = 3.5;
  diagnose_draws d = {x, 2, 20, 20, 1};
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_CONSTANT);
  assert_true(s.mean == 3.5 && s.q5 == 3.5 && s.sd == 0.0);
  assert_true(isnan(s.rhat) && isnan(s.ess_bulk) && isnan(s.mcse_mean));
  assert_true(strlen(diagnose_fault_text(s.fault)) > 0);
  x[7] = NAN;
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_NONFINITE);
  assert_true(isnan(s.mean) && isnan(diagnose_rhat(&d, work)) && isnan(diagnose_ess_tail(&d, work)));
  x[7] = INFINITY;
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_NONFINITE);
  d.draws = 3;
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_FEW);
  d.chains = 0;
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_FEW);
  assert_int_equal(diagnose_doubles(SIZE_MAX / 2, 4), 0);
  assert_int_equal(diagnose_doubles(1, SIZE_MAX / 2), 0);

  /* One chain stuck at another value than the rest: R-hat has to say so, not fail. */
  uint64_t seed = 5;
  for (int i = 0; i < 20; i++) x[i] = 1.0, x[20 + i] = uniform(&seed);
  d = (diagnose_draws){x, 2, 20, 20, 1};
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_OK);
  assert_true(s.rhat > 1.2);

  /* A coin: the upper quantile's indicator never changes, the figures must still come. */
  for (int i = 0; i < 40; i++) x[i] = uniform(&seed) < 0.5;
  assert_int_equal(diagnose_summarise(&d, work, &s), DIAGNOSE_OK);
  assert_true(s.ess_bulk > 5.0 && s.rhat < 1.5);

  double e[3] = {1.0, 1.0, 1.0};
  assert_true(isnan(diagnose_ebfmi(e, 3, 1)) && isnan(diagnose_ebfmi(e, 1, 1)));
  free(work);
}

static void test_advice(void **state) {
  (void)state;
  arena a;
  arena_init(&a, &plain_heap, 0);
  if (ARENA_TRY(&a)) fail();
  strbuf b;
  strbuf_init(&b, &a);
  const char *names[] = {"mu", "tau", "theta[1]", "theta[2]", "c"};
  diagnose_summary s[5];
  for (int i = 0; i < 5; i++) s[i] = (diagnose_summary){.rhat = 1.0, .ess_bulk = 2000.0, .ess_tail = 1500.0};
  s[4] = (diagnose_summary){.fault = DIAGNOSE_CONSTANT, .rhat = NAN, .ess_bulk = NAN, .ess_tail = NAN};
  double ebfmi[4] = {0.9, 1.0, 0.8, 1.1};
  diagnose_run r = {.chains = 4, .draws = 1000, .max_depth = 10, .delta = 0.8, .ebfmi = ebfmi, .n_names = 5, .names = names, .summaries = s};
  assert_int_equal(diagnose_advise(&r, &b), 0);
  assert_int_equal(b.n, 0);

  r.n_divergent = 13;
  r.n_max_depth = 2;
  r.n_nan = 1;
  ebfmi[2] = 0.12;
  s[0].rhat = 1.02;
  s[1].rhat = 1.3;
  s[2].rhat = 1.05;
  s[3].rhat = 1.04;
  s[3].ess_tail = 130.0;
  s[4].fault = DIAGNOSE_NONFINITE;
  assert_int_equal(diagnose_advise(&r, &b), 7);
  assert_non_null(strstr(b.s, "draws of c are infinite"));
  assert_non_null(strstr(b.s, "13 of 4000 transitions diverged"));
  assert_non_null(strstr(b.s, "target acceptance to 0.95"));
  assert_non_null(strstr(b.s, "at 1 point,"));
  assert_non_null(strstr(b.s, "cut off at tree depth 10"));
  assert_non_null(strstr(b.s, "(lowest 0.12, chain 3)"));
  assert_non_null(strstr(b.s, "tau (1.30), theta[1] (1.05), theta[2] (1.04) and 1 other:"));
  assert_non_null(strstr(b.s, "for theta[2] (130): means and quantiles are noisy.  Draw about 4 times as many."));
  size_t lines = 0;
  for (const char *p = b.s; *p; p++) lines += *p == '\n';
  assert_int_equal(lines, 7);

  /* R-hat alone is a mild note up to 1.05. */
  strbuf_init(&b, &a);
  diagnose_summary mild[2] = {{.rhat = 1.02, .ess_bulk = 2400, .ess_tail = 2000}, {.rhat = 1.0, .ess_bulk = 2400, .ess_tail = 2000}};
  diagnose_run m = {.chains = 4, .draws = 1000, .max_depth = 10, .delta = 0.8, .n_names = 2, .names = names, .summaries = mild};
  assert_int_equal(diagnose_advise(&m, &b), 1);
  assert_non_null(strstr(b.s, "mu (1.02), and below 1.05"));
  assert_null(strstr(b.s, "do not use"));
  strbuf_init(&b, &a);
  mild[0].ess_bulk = 399;
  diagnose_advise(&m, &b);
  assert_non_null(strstr(b.s, "do not use"));
  /* Cut-off trajectories are harmless only where the chains agree. */
  strbuf_init(&b, &a);
  mild[0] = mild[1];
  m.n_max_depth = 5;
  diagnose_advise(&m, &b);
  assert_non_null(strstr(b.s, "does not make the draws wrong"));
  strbuf_init(&b, &a);
  mild[0].rhat = 2;
  diagnose_advise(&m, &b);
  assert_non_null(strstr(b.s, "no end there"));
  assert_null(strstr(b.s, "does not make the draws wrong"));
  /* Divergences: what to do depends on what could be done, and on what was met. */
  mild[0] = mild[1];
  m.n_max_depth = 0;
  m.n_divergent = 9;
  strbuf_init(&b, &a);
  diagnose_advise(&m, &b);
  assert_null(strstr(b.s, "noncentred"));
  m.centred = (const char *const[]){"theta"};
  m.n_centred = 1;
  strbuf_init(&b, &a);
  diagnose_advise(&m, &b);
  assert_non_null(strstr(b.s, "`noncentred = [theta]`"));
  m.n_invalid = 9;
  strbuf_init(&b, &a);
  diagnose_advise(&m, &b);
  assert_non_null(strstr(b.s, "See to those first"));
  assert_null(strstr(b.s, "theta"));

  /* A label that differs from chain to chain is named, behind what is continuous. */
  strbuf_init(&b, &a);
  s[4] = (diagnose_summary){.rhat = INFINITY, .ess_bulk = NAN, .ess_tail = NAN};
  s[0].rhat = s[2].rhat = 1.0;
  s[3].sd = 1e40;
  r.discrete = (const bool[5]){[4] = true};
  r.n_divergent = r.n_max_depth = r.n_nan = 0;
  diagnose_advise(&r, &b);
  assert_non_null(strstr(b.s, "for tau (1.30), theta[2] (1.04) and c (inf): the chains"));
  assert_ptr_equal(strstr(b.s, "The posterior looks improper, without a finite total, in theta[2] (standard deviation 1e+40)"), b.s);
  arena_free(&a);
}

/* Chains that stand still at different values do not agree; those at one value are constant. */
static void test_still_chains(void **state) {
  (void)state;
  double x[3 * 20], work[4096];
  assert_true(diagnose_doubles(3, 20) <= 4096);
  for (size_t c = 0; c < 3; c++)
    for (size_t i = 0; i < 20; i++) x[c * 20 + i] = c == 0 ? 1.0 : 2.0;
  diagnose_draws d = {x, 3, 20, 20, 1};
  assert_true(diagnose_rhat(&d, work) == INFINITY);
  x[7] = 2.0;
  assert_true(diagnose_rhat(&d, work) > 2.0 && diagnose_rhat(&d, work) < INFINITY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reference),
      cmocka_unit_test(test_autocov_fourier),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_advice),
      cmocka_unit_test(test_still_chains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
