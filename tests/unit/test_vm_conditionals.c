/* test_vm_conditionals.c: everything that Gibbs sampling draws by, against differences of the joint density, on random models (gen_model.h).
 *
 * At points where chains stand, each element of each unknown is set to several values.  What the log density changes by is then exactly what
 *
 *   @local         its own terms                              @natural, @naturals   the exponential family that it is drawn from
 *   @weights       the log weights of its states              @joint                the quadratic form of the whole array
 *   @slim          its terms from statistics of the rest
 *
 * change by, to 1e-8 of their sizes; one is finite where the other is.  Elements that are drawn at once, of a class or by @naturals, are independent: the density's mixed differences are 0.
 * Nothing here is random but the models, so a failure is a fault.
 *
 * argv[1]: how many models, 400 if not given; argv[2]: seed of the first. */
#include "tests/gen_model.h"
#include "tests/unit/task_fixture.h"
#include "vm/conditional.h"
#include "vm/joint_normal.h"

#include <math.h>

static uint64_t models = 400, first_seed = 1;

enum { VALUES = 6, MOST_CELLS = 256, MOST_EVENT = 9, FAR = 3000 };

typedef struct subject {
  fixture f;
  const char *text;
  mh_tables tables;
  mh_scratch scratch;
  mh_walk c;
  eval_worker w;
  exec_cell frame[MOST_CELLS];
  double lp; /* at the frame */
  uint64_t seed;
  size_t locals, naturals, weights, joints, slims, pairs; /* comparisons made */
} subject;

static subject *at_hand; /* what a step of the walker looks at */

static double uniform(subject *s) { return (double)(next_random(&s->seed) >> 11) * 0x1p-53; }

static double density(subject *s) {
  double part[3];
  assert_true(eval_density(&s->w, s->frame, part));
  eval_frame_set(&s->w, s->frame);
  const double lp = part[0] + part[1] + part[2];
  return lp < INFINITY ? lp : -INFINITY; /* no number is none */
}

static double sane(double lp) { return lp < INFINITY ? lp : -INFINITY; }

/* Changes from one value to another of what should change alike.  What is far from where chains stand is not compared: there terms cancel that are larger by orders of magnitude.
 * size: of what x1 was computed from. */
static void expect_alike(const subject *s, const char *what, const program_site *p, size_t e, double d0, double d1, double x0, double x1, double size) {
  x0 = sane(x0), x1 = sane(x1);
  if (fabs(d0) > FAR || (isfinite(d1) && fabs(d1) > FAR)) return;
  bool same = isfinite(x0) && isfinite(d1) == isfinite(x1);
  if (same && isfinite(d1)) same = fabs((d1 - d0) - (x1 - x0)) <= 1e-8 * (1 + fabs(d0) + fabs(d1)) + 1e-13 * size;
  if (same) return;
  fprintf(stderr, "%s", s->text);
  fail_msg("%s of `%s`, element %zu: density %.17g to %.17g, %.17g to %.17g", what, p->name, e, d0, d1, x0, x1);
}

/* ---- values of an element */

typedef struct values {
  exec_cell v[VALUES][MOST_EVENT];
  size_t n;
} values;

/* Some within its support; of a finite element all, as many as there is room for. */
static void some_values(subject *s, const mh_element *x, values *out) {
  const program_site *p = x->p;
  const exec_cell *now = s->frame + p->at + x->e * p->event;
  static const double steps[VALUES] = {-0.7, 1.9, 6.0, -12.0, 0.01, 2.6};
  out->n = 0;
  if (p->discrete && mh_states(x)) {
    for (size_t k = 0; k < mh_states(x) && out->n < VALUES; k++) out->v[out->n++][0].integer = mh_state(x, k);
  } else if (p->discrete) {
    for (int64_t d = -1; d <= 3; d++)
      if ((double)(now->integer + d) >= x->lo && (double)(now->integer + d) <= x->hi) out->v[out->n++][0].integer = now->integer + d;
  } else if (s->f.t->model.site[x->site].point >= 0) {
    for (; out->n < VALUES; out->n++) {
      double u[MOST_EVENT], jacobian;
      for (size_t k = 0; k < p->free; k++) u[k] = 4 * uniform(s) - 2;
      assert_true(eval_point(&s->w, x->site, u, x->lo, s->scratch.event, &jacobian));
      memcpy(out->v[out->n], s->scratch.event, p->event * sizeof(exec_cell));
      eval_frame_set(&s->w, s->frame);
    }
  } else {
    for (; out->n < VALUES; out->n++) {
      const double step = x->lo > -INFINITY ? steps[out->n] / 4 : steps[out->n];
      if (mh_move(x, now->real, step, &out->v[out->n][0].real) == -INFINITY) out->v[out->n][0] = *now;
    }
  }
}

static void put(subject *s, const mh_element *x, const exec_cell *v) { memcpy(s->frame + x->p->at + x->e * x->p->event, v, x->p->event * sizeof *v); }

/* ---- one element */

/* The log density of the family with parameters c, without its constant, and the size of its terms. */
static double family(const program_site *p, const double *c, const exec_cell *x, double *size) {
  double term[MOST_EVENT], total = 0;
  size_t n = 2;
  const double v = x->real;
  switch (p->conjugate) {
  case CONJ_NORMAL: term[0] = c[0] * v, term[1] = c[1] * v * v; break;
  case CONJ_GAMMA: term[0] = c[0] * log(v), term[1] = c[1] * v; break;
  case CONJ_INV_GAMMA: term[0] = c[0] * log(v), term[1] = c[1] / v; break;
  case CONJ_BETA: term[0] = c[0] * log(v), term[1] = c[1] * log1p(-v); break;
  default:
    n = p->event;
    for (size_t k = 0; k < n; k++) term[k] = c[k] * log(x[k].real);
  }
  for (size_t k = 0; k < n; k++) total += term[k], *size += fabs(term[k]);
  return total;
}

/* Whether the driver draws from the family: the parameters are some, on the support of the family (conditional.c). */
static bool is_drawn(const mh_element *x, const double *c) {
  switch (x->p->conjugate) {
  case CONJ_NORMAL: return c[1] < 0 && isfinite(c[0]) && isfinite(c[1]);
  case CONJ_GAMMA: return c[0] > -1 && c[1] < 0 && isfinite(c[0]) && isfinite(c[1]) && x->lo == 0 && x->hi == INFINITY;
  case CONJ_INV_GAMMA: return c[0] < -1 && c[1] < 0 && isfinite(c[0]) && isfinite(c[1]) && x->lo == 0 && x->hi == INFINITY;
  case CONJ_BETA: return c[0] > -1 && c[1] > -1 && isfinite(c[0]) && isfinite(c[1]) && x->lo == 0 && x->hi == 1;
  default:
    for (size_t k = 0; k < x->p->event; k++)
      if (!(c[k] > -1 && c[k] < INFINITY)) return false;
    return true;
  }
}

static void check_natural(subject *s, const mh_element *x, const values *v) {
  const program_site *p = x->p;
  const exec_cell *now = s->frame + p->at + x->e * p->event;
  const size_t n = p->conjugate == CONJ_DIRICHLET ? p->event : 2;
  double c[MOST_EVENT], among;
  exec_cell old[MOST_EVENT];
  eval_frame_set(&s->w, s->frame);
  assert_true(eval_natural(&s->w, x->site, x->at, n, c));
  if (s->f.t->model.site[x->site].naturals >= 0) {
    assert_true(eval_naturals(&s->w, x->site, s->scratch.natural));
    for (size_t k = 0; k < n; k++) {
      among = s->scratch.natural[p->conjugate == CONJ_DIRICHLET ? x->e * n + k : k * p->batch + x->e];
      if (isfinite(c[k]) && !(fabs(c[k] - among) <= 1e-9 * (1 + fabs(c[k])))) {
        fprintf(stderr, "%s", s->text);
        fail_msg("@naturals.%s of %zu: %.17g and %.17g", p->name, x->e, c[k], among);
      }
    }
  }
  if (!is_drawn(x, c)) return;
  memcpy(old, now, p->event * sizeof *old);
  double size = 0;
  const double of = family(p, c, now, &size);
  for (size_t k = 0; k < v->n; k++) {
    put(s, x, v->v[k]);
    const double lp = density(s), now_of = family(p, c, now, &size);
    if (isfinite(now_of)) expect_alike(s, "@natural", p, x->e, s->lp, lp, of, now_of, size);
    s->naturals++;
  }
  put(s, x, old);
}

/* The element's place in the order by which the site is drawn. */
static size_t place_in(const finite_order *o, size_t e) {
  size_t at = 0;
  while (o->list && (size_t)o->list[at] != e) at++;
  return o->list ? at : e;
}

static void check_weights(subject *s, const mh_element *x) {
  const program_site *p = x->p;
  const finite_order *o = &s->tables.finite[x->site];
  exec_cell *now = s->frame + p->at + x->e;
  const exec_cell old = *now;
  double lw[MH_MOST_STATES];
  eval_frame_set(&s->w, s->frame);
  assert_true(eval_weights(&s->w, x->site, o->list, place_in(o, x->e), 1, s->scratch.weight));
  double of = NAN;
  for (size_t k = 0; k < p->states; k++) {
    lw[k] = s->scratch.weight[k * p->piece];
    if (p->first_state + p->state_step * (int64_t)k == old.integer) of = lw[k];
  }
  for (size_t k = 0; k < p->states; k++) {
    now->integer = p->first_state + p->state_step * (int64_t)k;
    expect_alike(s, "@weights", p, x->e, s->lp, density(s), of, lw[k], 0);
    s->weights++;
  }
  *now = old;
}

static bool check_element(mh_walk *c, const mh_element *x) {
  subject *s = at_hand;
  const program_site *p = x->p;
  const eval_site *fn = &s->f.t->model.site[x->site];
  (void)c;
  if (x->e >= 8) return true;
  values v;
  exec_cell old[MOST_EVENT], given[MOST_CELLS];
  double local, now, slim = 0;
  some_values(s, x, &v);
  memcpy(old, s->frame + p->at + x->e * p->event, p->event * sizeof *old);
  eval_frame_set(&s->w, s->frame);
  assert_true(eval_local(&s->w, x->site, x->at, &local));
  if (p->given) {
    assert_true(p->given <= MOST_CELLS && eval_given(&s->w, x->site, given));
    assert_true(eval_slim(&s->w, x->site, given, &slim));
  }
  for (size_t k = 0; k < v.n; k++) {
    put(s, x, v.v[k]);
    const double lp = density(s);
    assert_true(eval_local(&s->w, x->site, x->at, &now));
    expect_alike(s, "@local", p, x->e, s->lp, lp, local, now, 0);
    s->locals++;
    if (!p->given) continue;
    assert_true(eval_slim(&s->w, x->site, given, &now));
    expect_alike(s, "@slim", p, x->e, s->lp, lp, slim, now, 0);
    s->slims++;
  }
  put(s, x, old);
  if (fn->natural >= 0) check_natural(s, x, &v);
  if (s->tables.finite[x->site].weighed) check_weights(s, x);
  eval_frame_set(&s->w, s->frame);
  return true;
}

/* ---- whole sites */

static mh_element found[MOST_CELLS];
static size_t nfound;
static bool note_element(mh_walk *c, const mh_element *x) {
  (void)c;
  if (nfound < MOST_CELLS) found[nfound++] = *x;
  return true;
}

/* Two elements that are drawn at once. */
static void check_pair(subject *s, const mh_element *x, const mh_element *y) {
  values a, b;
  exec_cell old_x[MOST_EVENT], old_y[MOST_EVENT];
  const program_site *p = x->p;
  some_values(s, x, &a);
  some_values(s, y, &b);
  memcpy(old_x, s->frame + p->at + x->e * p->event, p->event * sizeof *old_x);
  memcpy(old_y, s->frame + p->at + y->e * p->event, p->event * sizeof *old_y);
  for (size_t i = 0; i < a.n && i < 3; i++)
    for (size_t j = 0; j < b.n && j < 3; j++) {
      put(s, x, a.v[i]);
      const double dx = density(s);
      put(s, y, b.v[j]);
      const double dxy = density(s);
      put(s, x, old_x);
      const double dy = density(s);
      put(s, y, old_y);
      const double sum = dx + dy - s->lp;
      s->pairs++;
      if ((isfinite(sum) && fabs(sum) > FAR) || (isfinite(dxy) && fabs(dxy) > FAR) || fabs(s->lp) > FAR) continue;
      if (isfinite(sum) == isfinite(dxy) && !(fabs(dxy - sum) > 1e-8 * (1 + fabs(dx) + fabs(dy) + fabs(s->lp)))) continue;
      fprintf(stderr, "%s", s->text);
      fail_msg("`%s`: elements %zu and %zu are drawn at once: %.17g and %.17g", p->name, x->e, y->e, dxy, sum);
    }
}

static void check_apart(subject *s, size_t site) {
  const finite_order *o = &s->tables.finite[site];
  const size_t batch = s->f.t->p.site[site].batch;
  nfound = 0;
  eval_frame_set(&s->w, s->frame);
  assert_true(mh_walk_elements(&s->c, site, 0, batch, note_element));
  if (o->weighed) {
    for (size_t k = 0; o->start && k < o->classes; k++)
      for (size_t i = o->start[k]; i < o->start[k + 1]; i++)
        for (size_t j = i + 1; j < o->start[k + 1] && j < i + 4; j++) check_pair(s, &found[o->list ? o->list[i] : (int64_t)i], &found[o->list ? o->list[j] : (int64_t)j]);
  } else if (s->f.t->model.site[site].naturals >= 0) {
    for (size_t i = 0; i < batch; i++)
      for (size_t j = i + 1; j < batch && j < i + 4; j++) check_pair(s, &found[i], &found[j]);
  }
}

static void check_joint(subject *s, size_t site) {
  const program_site *p = &s->f.t->p.site[site];
  const size_t n = p->cells;
  double b[32], Q[32 * 32];
  exec_cell old[32], *x = s->frame + p->at;
  if (n > 32) return;
  memcpy(old, x, n * sizeof *x);
  eval_frame_set(&s->w, s->frame);
  assert_true(joint_normal_form(&s->c, site, b, Q));
  memcpy(x, old, n * sizeof *x);
  double from = 0, size = 0;
  for (int v = 0; v < 5; v++) {
    double of = 0;
    for (size_t i = 0; i < n && v; i++) x[i].real = 6 * uniform(s) - 3;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) {
        const double term = x[i].real * ((i == j ? b[i] : 0.0) - 0.5 * Q[i * n + j] * x[j].real);
        of += term, size += fabs(term);
      }
    if (v == 0) from = of;
    if (!isfinite(of)) break; /* not drawn so */
    expect_alike(s, "@joint", p, 0, s->lp, density(s), from, of, size);
    s->joints++;
  }
  memcpy(x, old, n * sizeof *x);
}

/* ---- a model */

static bool open_subject(subject *s, const char *text, uint64_t seed) {
  aim_config config;
  const char *why;
  aim_config_init(&config);
  *s = (subject){.text = text, .seed = seed};
  s->f.vm = aim_vm_new(&config);
  assert_non_null(s->f.vm);
  if (aim_load(s->f.vm, "m.aim", text, strlen(text), &s->f.p) != AIM_OK || aim_task_statement(s->f.p, 0, &s->f.t) != AIM_OK || aim_bind(s->f.t) != AIM_OK) return false;
  aim_task *t = s->f.t;
  if (ARENA_TRY(&t->mem)) fail();
  if (!mh_tables_make(&s->tables, &t->model, false, &t->mem, &why) || t->p.cells > MOST_CELLS) return false;
  run_status status;
  eval_faults faults;
  if (t->p.coloured && !mh_tables_colour(&s->tables, &t->mem, &t->vm->alloc, &status, &faults)) fail();
  mh_walk_make(&s->c, &s->tables, &t->mem);
  mh_scratch_make(&s->scratch, &s->tables, &t->mem, &t->vm->alloc);
  assert_true(mh_scratch_reserve(&s->scratch, &s->tables));
  assert_true(eval_worker_init(&s->w, &t->model, 0, &t->vm->alloc));
  s->c.w = &s->w;
  s->c.s = &s->scratch;
  s->c.frame = s->frame;
  s->c.rule = MH_SLICE;
  if (t->p.scattered && !t->p.coloured) s->c.order = ARENA_ARRAY(&t->mem, size_t, s->tables.elements);
  return true;
}

static void close_subject(subject *s) {
  if (s->tables.m) {
    eval_worker_free(&s->w);
    mh_scratch_free(&s->scratch);
  }
  close_fixture(&s->f);
}

static void check_subject(subject *s) {
  at_hand = s;
  const program *p = &s->f.t->p;
  for (uint64_t key = 0; key < 3; key++) {
    s->c.key = key + s->seed;
    if (!mh_walk_start(&s->c, 1.0)) return; /* no point to begin at */
    if (fabs(density(s)) > FAR) continue;
    for (int sweeps = 0; sweeps < (int)key; sweeps++) assert_true(mh_walk_scan(&s->c, s->tables.elements));
    s->lp = density(s);
    if (!isfinite(s->lp)) fprintf(stderr, "%s", s->text);
    if (!isfinite(s->lp)) fail_msg("after %d sweeps: log density %g", (int)key, s->lp);
    for (size_t k = 0; k < p->nsites; k++) {
      assert_true(mh_walk_elements(&s->c, k, 0, p->site[k].batch, check_element));
      check_apart(s, k);
      if (p->site[k].joint) check_joint(s, k);
      eval_frame_set(&s->w, s->frame);
    }
  }
}

/* Conditions of what another state chooses, and of a component; an element read beside all of them; a position, and a comparison, that moves with the element. */
static const char *const kept[] = {
    "model m(x: real) {\n  b ~ Exponential(0.5)\n  k ~ Bernoulli(0.5)\n  if k { x ~ Uniform(0, b) } else { x ~ Normal(0, 1) }\n}\ninfer m on x = 1 with gibbs\n",
    "model m(x: real) {\n  b ~ Exponential(0.5)\n  k: index(2) ~ Categorical([0.4, 0.6])\n  x ~ mixture([0.5, 0.5], [Uniform(0, b), Normal(k, 1)])\n}\ninfer m on x = 1 with gibbs\n",
    "model m() {\n  u: real[2] ~ Normal(0.3, 1)\n  v: real[2] ~ Normal(u[1], 2.57)\n}\ninfer m with gibbs(order = random)\n",
    "model m() {\n  u: real[2] ~ Normal(0, 1)\n  v ~ Normal(u[if u[1] > 0 { 1 } else { 2 }], 0.5)\n}\ninfer m with gibbs(order = random)\n",
    "model m(w: real[3]) {\n  u ~ Normal(0, 1)\n  plate i in 1..3 { factor if w[i] * u == 0 { 0.3 } else { 0 } - u^2 }\n}\ninfer m on w = [1, 0, 2] with gibbs\n"};

static void test_kept_models(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
    subject s;
    if (!open_subject(&s, kept[k], k)) fail_msg("%s", kept[k]);
    check_subject(&s);
    assert_true(s.locals);
    close_subject(&s);
  }
}

/* Sums over pairs, of integers too, are looked at where an element stands in them. */
static void test_lattice(void **state) {
  (void)state;
  static const char text[] = "model m(h: real[R, C]) {\n  s: spin[R, C] ~ Flat()\n"
                             "  energy -0.8 * sum(s[i, j] * s[i + 1, j] for i in 1..R - 1, j in 1..C) - 0.8 * sum(s[i, j] * s[i, j + 1] for i in 1..R, j in 1..C - 1)\n"
                             "  energy -sum(h[i, j] * s[i, j] for i in 1..R, j in 1..C)\n}\ninfer m on h = [[0.2, -0.1, 0.4], [1.1, 0.3, -0.6]] with gibbs\n";
  subject s;
  assert_true(open_subject(&s, text, 1));
  assert_true(s.f.t->p.site[0].local && s.tables.finite[0].weighed);
  check_subject(&s);
  close_subject(&s);
}

static void test_random_models(void **state) {
  (void)state;
  static const char *const methods[] = {"gibbs", "gibbs(order = random)", "gibbs(order = coloured)"};
  static char text[16384];
  uint64_t refused = 0;
  subject all = {0};
  for (uint64_t k = 0; k < models; k++) {
    subject s;
    gen_model(first_seed + k, methods[k % 3], text, sizeof text);
    if (open_subject(&s, text, first_seed + k)) check_subject(&s);
    else refused++;
    if (s.f.t && getenv("GEN_MODEL_SHOW") && !s.tables.m) aim_task_messages(s.f.t, 0, print, NULL);
    if (s.f.p && getenv("GEN_MODEL_SHOW") && !s.tables.m) aim_program_messages(s.f.p, 0, print, NULL);
    all.locals += s.locals, all.naturals += s.naturals, all.weights += s.weights, all.joints += s.joints, all.slims += s.slims, all.pairs += s.pairs;
    close_subject(&s);
  }
  print_message("%llu of %llu refused; local %zu, natural %zu, weights %zu, joint %zu, slim %zu, pairs %zu\n", (unsigned long long)refused, (unsigned long long)models, all.locals, all.naturals,
                all.weights, all.joints, all.slims, all.pairs);
  assert_true(4 * refused <= models);
}

int main(int argc, char **argv) {
  if (argc > 1) models = strtoull(argv[1], NULL, 10);
  if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept_models), cmocka_unit_test(test_lattice), cmocka_unit_test(test_random_models)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
