/* compare.h: an object of `aimc build` against the interpreter, bit for bit.  A host names its model and its data, includes this, and is
 * linked with the object and with libaim:
 *
 *     #define MODEL garch                      the prefix; "garch.h" is included before
 *     static void bind(aim_task *t);           gives libaim the data
 *     static const garch_data data = {...};    gives the object the same
 *
 * and `#define SUMMED` where finite unknowns are summed out.
 *
 * What is compared: log density and gradient, constrained values, the parts of the score, prior draws, and the outputs of a NUTS run.
 * Memory given to the object has exactly the bytes that it asks for, at an odd address, with marks behind it.  Exit status 0: equal. */
#include "aim.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAT2(a, b) a##_##b
#define CAT(a, b) CAT2(a, b)
#define M(name) CAT(MODEL, name)

enum { POINTS = 20, DRAWS = 30, CHAINS = 2, MOST = 16, MARKS = 32 };

static int failures;
static void check(int fine, const char *what) {
  if (!fine) fprintf(stderr, "differs or fails: %s\n", what), failures++;
}
static void must(int fine, const char *what) {
  if (!fine) fprintf(stderr, "cannot go on: %s\n", what), exit(1);
}
static void put(void *user, const char *s, size_t n) { fwrite(s, 1, n, user); }

/* The same bits, but for what is inside a NaN. */
static int equal(const double *a, const double *b, size_t n) {
  for (size_t k = 0; k < n; k++)
    if (memcmp(a + k, b + k, sizeof *a) != 0 && !(a[k] != a[k] && b[k] != b[k])) return 0;
  return 1;
}

/* ---- memory with marks behind it */

typedef struct block {
  unsigned char *whole, *p;
  size_t bytes;
} block;
static block block_new(size_t bytes) {
  block b = {malloc(bytes + 1 + MARKS), NULL, bytes};
  must(b.whole != NULL, "memory");
  b.p = b.whole + 1;
  memset(b.p, 0xa5, bytes + MARKS);
  return b;
}
static int block_intact(const block *b) {
  for (int k = 0; k < MARKS; k++)
    if (b->p[b->bytes + (size_t)k] != 0xa5) return 0;
  return 1;
}

/* ---- structs of pointers, in the order of the quantities */

typedef struct cells {
  void *at[MOST]; /* is the struct, seen as words */
  aim_quantity q[MOST];
  size_t n, total;
} cells;

static cells cells_of(aim_task *t, int latent) {
  cells c = {.n = 0};
  aim_quantity q;
  for (size_t k = 0; k < aim_quantity_count(t); k++) {
    must(aim_quantity_get(t, k, &q) == AIM_OK && c.n < MOST, "quantities");
    if ((q.kind == AIM_LATENT) != latent) continue;
    c.q[c.n] = q;
    c.at[c.n++] = calloc(q.cells + 1, 8);
    c.total += q.cells;
  }
  return c;
}
static void to_reals(const cells *c, double *out) {
  for (size_t k = 0; k < c->n; k++)
    for (size_t i = 0; i < c->q[k].cells; i++) *out++ = c->q[k].discrete ? (double)((int64_t *)c->at[k])[i] : ((double *)c->at[k])[i];
}
static void from_reals(const cells *c, size_t k, const double *x) {
  for (size_t i = 0; i < c->q[k].cells; i++) {
    if (c->q[k].discrete) ((int64_t *)c->at[k])[i] = (int64_t)x[i];
    else ((double *)c->at[k])[i] = x[i];
  }
}

/* What is summed out, of which libaim's constrained values say 1, and an object's nothing. */
static void put_ones(const cells *c) {
  for (size_t k = 0; k < c->n; k++)
    for (size_t i = 0; i < c->q[k].cells && c->q[k].discrete; i++) ((int64_t *)c->at[k])[i] = 1;
}

static double next_uniform(void) {
  static uint64_t s = 7;
  s += 0x9e3779b97f4a7c15u;
  uint64_t z = (s ^ (s >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

/* ---- two threads with one frame */

typedef struct side {
  const M(data) *d;
  const void *frame;
  double *q, *g, lp;
  int status;
} side;
static void *run_side(void *user) {
  side *s = user;
  void *scratch = malloc(M(scratch_bytes)(s->d));
  for (int k = 0; k < 200; k++) s->status |= M(log_density)(s->d, s->frame, scratch, s->q, &s->lp, s->g);
  free(scratch);
  return NULL;
}

static void compare_density(const M(data) *d, const block *frame, const block *scratch, aim_evaluator *e, cells *latents) {
  size_t dim = aim_dimension(e);
  check(M(dimension)(d) == (int64_t)dim, "dimension");
  double *q = calloc(2 * dim + 1, 8), *g = calloc(2 * dim + 1, 8), *h = calloc(dim + 1, 8), *x = calloc(aim_cells(e) + 1, 8),
         *y = calloc(aim_cells(e) + 1, 8);
  int finite = 0;
  for (int k = 0; k < POINTS; k++) {
    double lp, other, alone, part[3];
    aim_score s;
    for (size_t i = 0; i < dim; i++) q[i] = (k < POINTS / 2 ? 1.0 : 8.0) * (2 * next_uniform() - 1);
    must(aim_log_density(e, q, &lp, g) == AIM_OK, "aim_log_density");
    check(M(log_density)(d, frame->p, scratch->p, q, &other, h) == 0 && M(log_density)(d, frame->p, scratch->p, q, &alone, NULL) == 0, "log_density");
    check(equal(&lp, &other, 1) && equal(&lp, &alone, 1), "bits of the log density");
    check(equal(g, h, dim), "bits of the gradient");
    finite += isfinite(lp);
    must(aim_constrain(e, q, x) == AIM_OK, "aim_constrain");
    put_ones(latents);
    check(M(constrain)(d, frame->p, scratch->p, q, (const M(latents) *)(const void *)latents->at) == 0, "constrain");
    to_reals(latents, y);
    check(equal(x, y, latents->total), "bits of the constrained values");
    must(aim_score_get(e, x, &s) == AIM_OK, "aim_score_get");
    check(M(score)(d, frame->p, scratch->p, (const M(latents) *)(const void *)latents->at, part) == 0 && equal(part, (const double[]){s.prior, s.likelihood, s.factors}, 3), "bits of the score");
  }
  check(finite >= POINTS / 2, "most points have a density");
  side two[2];
  pthread_t thread[2];
  for (int k = 0; k < 2; k++) {
    for (size_t i = 0; i < dim; i++) q[(size_t)k * dim + i] = 0.1 * (double)(k + 1) + 0.01 * (double)i;
    two[k] = (side){d, frame->p, q + (size_t)k * dim, g + (size_t)k * dim, 0, 0};
    must(pthread_create(&thread[k], NULL, run_side, &two[k]) == 0, "a thread");
  }
  for (int k = 0; k < 2; k++) {
    double lp;
    pthread_join(thread[k], NULL);
    must(aim_log_density(e, two[k].q, &lp, h) == AIM_OK, "aim_log_density");
    check(two[k].status == 0 && equal(&lp, &two[k].lp, 1) && equal(h, two[k].g, dim), "bits of two threads");
  }
  free(q), free(g), free(h), free(x), free(y);
}

static void compare_draws(const M(data) *d, const block *frame, const block *scratch, aim_evaluator *e, cells *latents) {
#ifndef NO_PRIOR
  double *x = calloc(latents->total + 1, 8), *y = calloc(latents->total + 1, 8);
  for (uint64_t k = 0; k < DRAWS; k++) {
    must(aim_prior_draw(e, 5, k, x) == AIM_OK, "aim_prior_draw");
    check(M(prior)(d, frame->p, scratch->p, 5, 0, k, (const M(latents) *)(const void *)latents->at) == 0, "prior");
    to_reals(latents, y);
    check(equal(x, y, latents->total), "bits of a prior draw");
  }
  free(x), free(y);
#else
  (void)d, (void)frame, (void)scratch, (void)e, (void)latents;
#endif
}

#ifndef NO_OUTPUTS
static void compare_outputs(const M(data) *d, const block *frame, const block *scratch, aim_task *t, cells *latents, cells *outputs) {
  double *x = calloc(outputs->total + 1, 8), *y = calloc(outputs->total + latents->total + 1, 8), *z = calloc(latents->total + 1, 8);
  for (int c = 0; c < CHAINS; c++)
    for (size_t k = 0; k < DRAWS; k++) {
      size_t at = 0;
      for (size_t i = 0; i < latents->n; i++) {
        must(aim_draw_get(t, c, k, i, z) == AIM_OK, "a draw");
        from_reals(latents, i, z);
      }
#ifdef SUMMED
      put_ones(latents);
      check(M(recover)(d, frame->p, scratch->p, 9, (uint64_t)c, k, (const M(latents) *)(const void *)latents->at) == 0, "recover");
      to_reals(latents, y);
      for (size_t i = 0, from = 0; i < latents->n; from += latents->q[i++].cells) {
        must(aim_draw_get(t, c, k, i, z) == AIM_OK, "a draw");
        check(equal(z, y + from, latents->q[i].cells), "bits of what is recovered");
      }
#endif
      for (size_t i = 0; i < outputs->n; at += outputs->q[i++].cells) must(aim_draw_get(t, c, k, latents->n + i, x + at) == AIM_OK, "an output");
      check(M(predict)(d, frame->p, scratch->p, 9, (uint64_t)c, k, (const M(latents) *)(const void *)latents->at,
                       (const M(outputs) *)(const void *)outputs->at) == 0, "predict");
      to_reals(outputs, y);
      check(equal(x, y, outputs->total), "bits of the outputs");
    }
  free(x), free(y), free(z);
}
#endif

static void compare(const char *source, void (*bind)(aim_task *t), const M(data) *d) {
  aim_vm *vm = aim_vm_new(NULL);
  aim_program *p;
  aim_task *t;
  aim_evaluator *e;
  must(vm && aim_load_file(vm, source, &p) == AIM_OK && aim_task_model(p, NULL, &t) == AIM_OK, source);
  bind(t);
  aim_set_text(t, "method", "nuts");
  aim_set_int(t, "seed", 9), aim_set_int(t, "chains", CHAINS), aim_set_int(t, "warmup", 150), aim_set_int(t, "draws", DRAWS);
  if (aim_evaluator_new(t, &e) != AIM_OK || aim_run(t, NULL) != AIM_OK) aim_task_messages(t, 0, put, stderr), exit(1);
  cells latents = cells_of(t, 1), outputs = cells_of(t, 0);
  must(sizeof(M(latents)) == latents.n * sizeof(void *), "the struct of latents");
  block frame = block_new(M(frame_bytes)(d)), scratch = block_new(M(scratch_bytes)(d));
  must(M(prepare)(d, frame.p, scratch.p) == 0, "prepare");
  compare_density(d, &frame, &scratch, e, &latents);
  compare_draws(d, &frame, &scratch, e, &latents);
#ifndef NO_OUTPUTS
  must(sizeof(M(outputs)) == outputs.n * sizeof(void *), "the struct of outputs");
  compare_outputs(d, &frame, &scratch, t, &latents, &outputs);
#endif
  check(block_intact(&frame) && block_intact(&scratch), "memory behind frame and scratch");
  for (size_t k = 0; k < latents.n; k++) free(latents.at[k]);
  for (size_t k = 0; k < outputs.n; k++) free(outputs.at[k]);
  free(frame.whole), free(scratch.whole);
  aim_evaluator_free(e);
  aim_task_free(t);
  aim_program_free(p);
  aim_vm_free(vm);
}
