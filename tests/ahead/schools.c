/* schools.c: every size is a constant of the object. */
#include "schools.h"
#define MODEL schools
#include "compare.h"

static const double y[8] = {28, 8, -3, 7, -1, 1, 18, 12}, sigma[8] = {15, 10, 16, 11, 9, 11, 10, 18};

static void bind(aim_task *t) {
  aim_data_f64(t, "y", y, 1, (int64_t[]){8});
  aim_data_f64(t, "sigma", sigma, 1, (int64_t[]){8});
}

int main(int argc, char **argv) {
  must(argc == 2, "the path of the model");
  schools_data d = {.y = y, .sigma = sigma};
  compare(argv[1], bind, &d);
  d.y = NULL;
  void *frame = malloc(schools_frame_bytes(&d)), *scratch = malloc(schools_scratch_bytes(&d));
  check(schools_prepare(&d, frame, scratch) == SCHOOLS_E_DATA, "a missing array is told");
  free(frame), free(scratch);
  return failures != 0;
}
