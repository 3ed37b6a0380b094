/* initial.c: an initial point by Pathfinder; see initial.h. */
#include "vm/initial.h"

#include "vm/pathfinder.h"

#include <math.h>

/* Draws of each path; the steps and gain that end one: a start is no estimate. */
enum { PROPOSALS = 16, ITERATIONS = 500, ELBO_DRAWS = 5, FOLD_DRAWS = 1, FOLD_CHOICE = 2 };
static const double tolerance = 1e-4;

size_t initial_search_doubles(size_t dim) {
  const size_t path = pathfinder_doubles(dim), normal = pathfinder_normal_doubles(dim);
  return path && normal && path < SIZE_MAX / 4 && normal < SIZE_MAX / 4 && dim < SIZE_MAX / 8 ? path + normal + dim : 0;
}

bool initial_find(const initial_search *o, size_t dim, initial_density *density, void *user, double *work, double *q) {
  double *keep = work + pathfinder_doubles(dim), *x = keep + pathfinder_normal_doubles(dim);
  double *scratch = work, *g = work + dim;
  double top = -INFINITY, sum = 0.0; /* of the weights so far: sum exp(top) */
  for (uint32_t path = 0; path < o->paths; path++) {
    const uint64_t key = rt_key_fold(o->key, path);
    const pathfinder_options find = {.ascent = {.key = key, .init_radius = o->radius, .tolerance = tolerance, .iterations = ITERATIONS}, .elbo_draws = ELBO_DRAWS};
    pathfinder_result r;
    pathfinder_run(&find, dim, density, user, work, keep, &r);
    if (r.status == ASCENT_E_DENSITY) return false;
    for (uint32_t k = 0; k < PROPOSALS && isfinite(r.best.elbo); k++) {
      double lp = NAN, lq = pathfinder_draw(&r.best, rt_key_fold(key, FOLD_DRAWS), k, x, scratch);
      if (density(user, 1, 1, x, &lp, g)) return false;
      const double w = lp - lq;
      if (!isfinite(w)) continue;
      if (w > top) sum = sum * exp(top - w) + 1.0, top = w;
      else sum += exp(w - top);
      /* Each of those seen so far is the one chosen with the probability of its weight. */
      const rt_draw_addr at = {rt_key_fold(key, FOLD_CHOICE), k, 0};
      if (rt_draw_uniform(at) * sum <= exp(w - top))
        for (size_t i = 0; i < dim; i++) q[i] = x[i];
    }
  }
  return sum > 0.0;
}
