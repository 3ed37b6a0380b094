/* garch.c: a recursion over a number of steps that the host sets, a scalar among the data, and no prior to draw from. */
#include "garch.h"
#define MODEL garch
#define NO_PRIOR
#include "compare.h"

enum { T = 153 };
static double y[T];
static const double sigma1 = 0.5;

static void bind(aim_task *t) {
  aim_data_f64(t, "y", y, 1, (int64_t[]){T});
  aim_data_f64(t, "sigma1", &sigma1, 0, NULL);
}

int main(int argc, char **argv) {
  must(argc == 2, "the path of the model");
  for (int i = 0; i < T; i++) y[i] = 3 * next_uniform() - 1.5;
  garch_data d = {.T = T, .y = y, .sigma1 = sigma1};
  compare(argv[1], bind, &d);
  return failures != 0;
}
