/* task_fixture.h: a task of a program, for tests that bind and run statements. */
#ifndef AIM_TESTS_TASK_FIXTURE_H
#define AIM_TESTS_TASK_FIXTURE_H

#include "tests/unit/host.h"
#include "vm/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
  aim_vm *vm;
  aim_program *p;
  aim_task *t;
} fixture;

typedef struct opening {
  const char *name;          /* of the program's file, beside which its data stand; NULL: m.aim */
  const exec_engine *engine; /* NULL: that of the library */
  host *memory;              /* NULL: the heap */
  size_t statement;
  int isa;                   /* 0: the best */
} opening;

static inline void print(void *user, const char *text, size_t n) {
  (void)user;
  fprintf(stderr, "%.*s", (int)n, text);
}

static inline void expect_ok(fixture *f, aim_status st) {
  if (st == AIM_OK) return;
  if (f->t) aim_task_messages(f->t, 0, print, NULL);
  else if (f->p) aim_program_messages(f->p, 0, print, NULL);
  fail_msg("%s", aim_status_text(st));
}

/* The task of a statement of a text, not bound yet. */
static inline fixture open_task(const char *text, opening o) {
  fixture f = {0};
  aim_config config;
  aim_config_init(&config);
  config.isa = o.isa;
  if (o.memory) config.alloc = host_fn, config.alloc_user = o.memory;
  f.vm = aim_vm_new(&config);
  assert_non_null(f.vm);
  if (o.engine) aim_vm_engine(f.vm, o.engine);
  expect_ok(&f, aim_load(f.vm, o.name ? o.name : "m.aim", text, strlen(text), &f.p));
  expect_ok(&f, aim_task_statement(f.p, o.statement, &f.t));
  return f;
}

static inline void close_fixture(fixture *f) {
  aim_task_free(f->t);
  aim_program_free(f->p);
  aim_vm_free(f->vm);
}

#endif
