/* data_fixture.h: a data set whose memory a host counts, for the tests of readers. */
#ifndef AIM_TESTS_DATA_FIXTURE_H
#define AIM_TESTS_DATA_FIXTURE_H

#include "compiler/data.h"
#include "tests/unit/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
  host count;
  aim_alloc alloc;
  arena a;
  diag_list diags;
  data_set ds;
} fixture;

/* Where a test goes that runs out of memory without meaning to: main ends. */
static jmp_buf out_of_memory;

static void start(fixture *f) {
  memset(f, 0, sizeof *f);
  f->alloc = (aim_alloc){host_fn, &f->count};
  arena_init(&f->a, &f->alloc, 0);
  f->a.oom = &out_of_memory;
  diag_init(&f->diags, &f->a);
  data_init(&f->ds, &f->a, &f->diags);
}

static void end(fixture *f) {
  arena_free(&f->a);
  assert_int_equal(f->count.bytes, 0);
}

#endif
