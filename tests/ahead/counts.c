/* counts.c: discrete observations and predictions, a Gaussian process of a size that the host sets, a simplex. */
#include "counts.h"
#define MODEL counts
#include "compare.h"

enum { N = 21, P = 4 };
static double x[N];
static int64_t k[N];

static void bind(aim_task *t) {
  static const int64_t parts = P;
  aim_data_f64(t, "x", x, 1, (int64_t[]){N});
  aim_data_i64(t, "k", k, 1, (int64_t[]){N});
  aim_data_i64(t, "P", &parts, 0, NULL);
}

int main(int argc, char **argv) {
  must(argc == 2, "the path of the model");
  for (int i = 0; i < N; i++) x[i] = 0.7 * i, k[i] = (int64_t)(5 * next_uniform());
  counts_data d = {.N = N, .x = x, .k = k};
  compare(argv[1], bind, &d);
  return failures != 0;
}
