/* rt_isa_spin.c: schedules: the random numbers of a piece of 64 visits, the visits of the form and coding at hand, and what is due after a sweep. */
#include "stdlib/runtime/rt_isa_spin.h"

#include "stdlib/runtime/rt_math.h"

/* Fields that f32 rounds are computed anew after so many flips for each spin. */
enum { FRESH_FLIPS = 128 };

/* ---- random numbers of the 64 visits from 64 * chunk on */

static void variates(rt_spin_run *run, uint64_t chunk)
{
  rt_spin_rule rule = run->plan.rule;
  uint32_t w[4][16] __attribute__((aligned(64)));
  if (run->plan.coding == RT_SPIN_IN_LANES)
    for (size_t group = 0; 16 * group < run->plan.replicas; group++) {
      float *x = run->variate + group * RT_SPIN_PIECE * 16;
      for (size_t v = 0; v < 16; v++) {
        rt_visit_words_lanes(run->key + 16 * group, RT_SPIN_SITE_ACCEPT, 16 * chunk + v, w);
        for (size_t j = 0; j < 4; j++) RT_VF_AT(x + 16 * (16 * j + v)) = rt_variate(rule, *(const rt_vu *)w[j]);
      }
    }
  else
    for (size_t r = 0; r < run->plan.replicas; r++) {
      rt_visit_words(run->key[r], RT_SPIN_SITE_ACCEPT, chunk, w);
      for (size_t j = 0; j < 4; j++) RT_VF_AT(run->variate + r * RT_SPIN_VARIATES + 16 + 16 * j) = rt_variate(rule, *(const rt_vu *)w[j]);
    }
}

static float variate_of(rt_spin_rule rule, uint32_t w) { return rt_variate(rule, rt_vu_all(w))[0]; }

/* ---- a sweep */

static rt_spin_visit *visit_of(const rt_spin_run *run)
{
  int wide = run->model->element == RT_SPIN_EL_F64;
  if (run->plan.coding == RT_SPIN_IN_LANES) return wide ? RT_LV(rt_spin_visit_lanes_f64) : RT_LV(rt_spin_visit_lanes);
  if (wide) return RT_LV(rt_spin_visit_f64);
  return run->model->p.form == RT_SPIN_DENSE ? RT_LV(rt_spin_visit_dense) : RT_LV(rt_spin_visit_sparse);
}

static void factors(rt_spin_run *run, const rt_spin_schedule *q, size_t t)
{
  for (size_t r = 0; r < run->plan.replicas; r++)
    run->factor[r] = r && !q->by_replica ? run->factor[0] : rt_bound_factor(q->beta[t * q->by_sweep + r * q->by_replica], run->model->unit);
}

/* In words: the spins of all replicas of a block that have improved. */
static void keep_words(rt_spin_run *run)
{
  size_t n = run->model->p.n, replicas = run->plan.replicas;
  for (size_t b = 0; 64 * b < replicas; b++) {
    uint64_t better = 0, *to = (uint64_t *)run->best + b * 2 * (n + 2);
    const uint64_t *from = rt_spins_words(run, b);
    for (size_t r = 64 * b; r < replicas && r < 64 * b + 64; r++)
      if (run->energy[r] < run->best_energy[r]) {
        run->best_energy[r] = run->energy[r];
        better |= (uint64_t)1 << r % 64;
      }
    if (better)
      for (size_t i = 0; i < 2 * n; i++) to[i] = (from[i] & better) | (to[i] & ~better);
  }
}

/* In bits: the spins of all replicas of a block that have improved. */
static void keep_bits(rt_spin_run *run)
{
  size_t n = run->model->p.n, replicas = run->plan.replicas;
  for (size_t b = 0; b * RT_SPIN_BLOCK < replicas; b++) {
    uint64_t better[8] __attribute__((aligned(64))) = {0};
    for (size_t r = b * RT_SPIN_BLOCK; r < replicas && r < (b + 1) * RT_SPIN_BLOCK; r++)
      if (run->energy[r] < run->best_energy[r]) {
        run->best_energy[r] = run->energy[r];
        better[r / 64 % 8] |= (uint64_t)1 << r % 64;
      }
    rt_vw mask = *(const rt_vw *)better, *to = (rt_vw *)run->best + b * (n + 1);
    const rt_vw *from = rt_spins_bits(run, b);
    for (size_t i = 0; i < n; i++) to[i] = (from[i] & mask) | (to[i] & ~mask);
  }
}

/* In lanes: of 16 replicas together. */
static void keep_lanes(rt_spin_run *run)
{
  for (size_t r0 = 0; r0 < run->plan.replicas; r0 += 16) {
    int32_t better[16] __attribute__((aligned(64))), any = 0;
    for (size_t l = 0; l < 16; l++) { /* lanes that nobody reads are as good as their best */
      double *best = run->best_energy + r0 + l, energy = run->energy[r0 + l];
      better[l] = -(energy < *best);
      any |= better[l];
      *best = energy < *best ? energy : *best;
    }
    if (any) RT_LV(rt_spin_keep_lanes)(run, r0 / 16, better);
  }
}

static void keep_best(rt_spin_run *run)
{
  size_t n = run->model->p.n;
  if (run->plan.coding == RT_SPIN_IN_BITS) keep_bits(run);
  if (run->plan.coding == RT_SPIN_IN_WORDS) keep_words(run);
  if (run->plan.coding == RT_SPIN_IN_LANES) keep_lanes(run);
  if (run->plan.coding != RT_SPIN_SCALAR && run->plan.coding != RT_SPIN_PLANE) return;
  for (size_t r = 0; r < run->plan.replicas; r++)
    if (run->energy[r] < run->best_energy[r]) {
      run->best_energy[r] = run->energy[r];
      if (run->plan.coding == RT_SPIN_PLANE)
        for (size_t v = 0; v < n / 512; v++) ((rt_vw *)run->best)[r * (n / 512) + v] = rt_spins_plane(run, r)[v];
      else RT_LV(rt_spin_keep)(run, r);
    }
}

static void refresh(rt_spin_run *run)
{
  if (run->model->exact || run->model->rounded || run->model->element == RT_SPIN_EL_F64) return;
  for (size_t r = 0; r < run->plan.replicas; r++)
    if (run->flips[r] - run->fresh[r] >= FRESH_FLIPS * (uint64_t)run->model->p.n) {
      RT_LV(rt_spin_fields)(run, r);
      run->fresh[r] = run->flips[r];
    }
}

/* Mixed precision: what a call leaves is exact. */
static void settle(rt_spin_run *run)
{
  const rt_spin_model *m = run->model;
  if (m->exact || m->precision != RT_SPIN_MIXED) return;
  for (size_t r = 0; r < run->plan.replicas; r++) {
    run->energy[r] = RT_LV(rt_spin_energy_full)(run, r, 0);
    if (run->best) run->best_energy[r] = RT_LV(rt_spin_energy_full)(run, r, 1);
  }
}

/* The visits of a sweep where each replica has numbers for spins. */
static void sweep_visits(rt_spin_run *run, const rt_spin_schedule *q, size_t t, size_t visits)
{
  const rt_spin_plan *plan = &run->plan;
  size_t m = plan->sites ? plan->site_count : run->model->p.n;
  int random = plan->order == RT_SPIN_RANDOM;
  rt_spin_visit *visit = visit_of(run);
  factors(run, q, t);
  float always = plan->rule == RT_SPIN_FLOORED && q->floor[t] > 0.0 ? (float)-rt_log(q->floor[t]) : __builtin_inff();
  for (size_t first = 0; first < visits;) {
    size_t at = (size_t)(run->visit % 64), count = visits - first < 64 - at ? visits - first : 64 - at;
    if (run->chunk != run->visit / 64) {
      run->chunk = run->visit / 64;
      variates(run, run->chunk);
      if (random) rt_draw_sites(plan, run->chunk, m, run->site);
    }
    visit(run, &(rt_spin_piece){first, random ? run->site + at : plan->sites ? plan->sites + first : NULL, count, at, always});
    first += count;
    run->visit += count;
  }
  refresh(run);
}

/* The same where spins are bits. */
static void sweep_bits(rt_spin_run *run, const rt_spin_schedule *q, size_t t, size_t visits)
{
  const rt_spin_plan *plan = &run->plan;
  double beta = q->beta[t * q->by_sweep], floor = plan->rule == RT_SPIN_FLOORED ? q->floor[t] : 0.0;
  size_t m = plan->sites ? plan->site_count : run->model->p.n;
  if (plan->coding == RT_SPIN_PLANE) RT_LV(rt_spin_sweep_plane)(run, beta, floor);
  else if (plan->coding == RT_SPIN_IN_WORDS) RT_LV(rt_spin_sweep_words)(run, beta, floor);
  else RT_LV(rt_spin_sweep_bits)(run, m, visits, beta, floor);
  run->visit += visits;
}

static void look(rt_spin_run *run)
{
  RT_LV(rt_spin_energies)(run);
  if (run->best) keep_best(run);
}

static void sweep(rt_spin_run *run, const rt_spin_schedule *q)
{
  const rt_spin_plan *plan = &run->plan;
  size_t m = plan->sites ? plan->site_count : run->model->p.n, replicas = plan->replicas;
  size_t visits = m && plan->order == RT_SPIN_RANDOM && plan->proposals ? plan->proposals : m;
  int bits = rt_spin_as_bits(plan->coding);
  for (size_t t = 0; t < q->sweeps; t++) {
    if (bits) sweep_bits(run, q, t, visits);
    else sweep_visits(run, q, t, visits);
    run->sweep++;
    int due = run->best && (!q->every || run->sweep % q->every == 0);
    if (due || q->energy || !(q->more || t + 1 < q->sweeps)) look(run);
    if (q->energy)
      for (size_t r = 0; r < replicas; r++) q->energy[t * replicas + r] = run->energy[r];
    if (q->tally) rt_spin_count(run->energy, run->best_energy, run->flips, replicas, &q->tally[t]);
  }
  if (q->more) return;
  if (!q->sweeps) look(run);
  settle(run);
}

/* ---- states */

static void load(rt_spin_run *run, const int8_t *s)
{
  size_t n = run->model->p.n, replicas = run->plan.replicas, slots = replicas;
  int together = run->plan.coding == RT_SPIN_IN_LANES && run->model->p.systems <= 1;
  if (run->plan.coding == RT_SPIN_IN_LANES) slots = (replicas + 15) / 16 * 16;
  if (run->plan.coding == RT_SPIN_IN_BITS) slots = (replicas + RT_SPIN_BLOCK - 1) / RT_SPIN_BLOCK * RT_SPIN_BLOCK;
  if (run->plan.coding == RT_SPIN_IN_WORDS) slots = (replicas + 63) / 64 * 64;
  for (size_t r = 0; r < slots; r++) {
    RT_LV(rt_spin_write)(run, r, s ? s + (r < replicas ? r : 0) * n : NULL);
    if (!together) RT_LV(rt_spin_fields)(run, r);
    else if (r % RT_SPIN_LANES == RT_SPIN_LANES - 1) RT_LV(rt_spin_fields_lanes)(run, r / RT_SPIN_LANES);
    if (r < replicas) run->fresh[r] = run->flips[r], run->known[r] = run->flips[r] + 1;
  }
  if (run->plan.coding == RT_SPIN_IN_BITS)
    for (size_t b = 0; b * RT_SPIN_BLOCK < replicas; b++) rt_spins_bits(run, b)[n] = rt_vw_all(~(uint64_t)0);
  if (run->plan.coding == RT_SPIN_IN_WORDS)
    for (size_t b = 0; 64 * b < replicas; b++)
      for (size_t i = n; i < n + 2; i++) rt_spins_words(run, b)[2 * i] = ~(uint64_t)0, rt_spins_words(run, b)[2 * i + 1] = 0;
  RT_LV(rt_spin_energies)(run);
  for (size_t r = 0; r < replicas; r++) run->best_energy[r] = __builtin_inf();
  if (run->best) keep_best(run);
  settle(run);
}

static void store(const rt_spin_run *run, size_t replica, int best, int8_t *s)
{
  RT_LV(rt_spin_read)(run, replica, best && run->best, s);
}

extern const rt_spin_kernels RT_LV(rt_spin_kernels);
const rt_spin_kernels RT_LV(rt_spin_kernels) = {load, store, sweep, variate_of};
