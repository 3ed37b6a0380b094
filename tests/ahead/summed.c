/* summed.c: finite unknowns: their density is a sum, and they are drawn from what that leaves. */
#include "summed.h"
#define MODEL summed
#define SUMMED
#include "compare.h"

enum { N = 83, T = 71, K = 3 };
static double x[N], y[T];

static void bind(aim_task *t) {
  static const int64_t parts = K;
  aim_data_f64(t, "x", x, 1, (int64_t[]){N});
  aim_data_f64(t, "y", y, 1, (int64_t[]){T});
  aim_data_i64(t, "K", &parts, 0, NULL);
}

int main(int argc, char **argv) {
  must(argc == 2, "the path of the model");
  for (int i = 0; i < N; i++) x[i] = 4.0 * (i % K - 1) + next_uniform();
  for (int i = 0; i < T; i++) y[i] = i / 20 % 2 ? 3 : -3 + next_uniform();
  summed_data d = {.N = N, .T = T, .x = x, .y = y};
  compare(argv[1], bind, &d);
  return failures != 0;
}
