/* logistic.c: rows and groups are fields: neither number is that of the data that the object was built with. */
#include "logistic.h"
#define MODEL logistic
#include "compare.h"

enum { N = 1237, D = 3, G = 7 };
static double X[N * D];
static int64_t g[N], y[N];

static void bind(aim_task *t) {
  static const int64_t groups = G;
  aim_data_f64(t, "X", X, 2, (int64_t[]){N, D});
  aim_data_i64(t, "g", g, 1, (int64_t[]){N});
  aim_data_i64(t, "y", y, 1, (int64_t[]){N});
  aim_data_i64(t, "G", &groups, 0, NULL);
}

int main(int argc, char **argv) {
  must(argc == 2, "the path of the model");
  for (int i = 0; i < N * D; i++) X[i] = 2 * next_uniform() - 1;
  for (int i = 0; i < N; i++) g[i] = 1 + (int64_t)(G * next_uniform()), y[i] = next_uniform() < 0.4;
  logistic_data d = {.N = N, .G = G, .X = X, .g = g, .y = y};
  compare(argv[1], bind, &d);
  void *frame = malloc(logistic_frame_bytes(&d)), *scratch = malloc(logistic_scratch_bytes(&d));
  g[N - 1] = G + 1;
  check(logistic_prepare(&d, frame, scratch) == LOGISTIC_E_DATA, "an index above its range is told");
  g[N - 1] = 0;
  check(logistic_prepare(&d, frame, scratch) == LOGISTIC_E_DATA, "an index below its range is told");
  g[N - 1] = G;
  check(logistic_prepare(&d, frame, scratch) == LOGISTIC_OK, "the last group is in range");
  d.N = -1;
  check((logistic_frame_bytes(&d) == SIZE_MAX || logistic_scratch_bytes(&d) == SIZE_MAX) && logistic_prepare(&d, frame, scratch) == LOGISTIC_E_SIZE, "a negative size is told");
  d.N = INT64_MAX / 4;
  check((logistic_frame_bytes(&d) == SIZE_MAX || logistic_scratch_bytes(&d) == SIZE_MAX) && logistic_prepare(&d, frame, scratch) == LOGISTIC_E_SIZE, "arrays that do not fit are told");
  free(frame), free(scratch);
  return failures != 0;
}
