/* statement.h: one statement of a program, bound, for tests that run it; and an engine that falsifies a function, for twins. */
#ifndef TESTS_UNIT_STATEMENT_H
#define TESTS_UNIT_STATEMENT_H

#include "vm/api.h"
#include "vm/interp.h"

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

static void print(void *user, const char *text, size_t n) {
  (void)user;
  fprintf(stderr, "%.*s", (int)n, text);
}

/* The k-th statement, bound. */
static fixture open_statement(const char *text, size_t k, const exec_engine *engine) {
  aim_config config;
  aim_config_init(&config);
  fixture f = {aim_vm_new(&config), NULL, NULL};
  assert_non_null(f.vm);
  if (engine) aim_vm_engine(f.vm, engine);
  if (aim_load(f.vm, "m.aim", text, strlen(text), &f.p) != AIM_OK) {
    aim_program_messages(f.p, 0, print, NULL);
    fail();
  }
  assert_int_equal(aim_task_statement(f.p, k, &f.t), AIM_OK);
  if (aim_bind(f.t) != AIM_OK) {
    aim_task_messages(f.t, 0, print, NULL);
    fail();
  }
  return f;
}

static void close_fixture(fixture *f) {
  aim_task_free(f->t);
  aim_program_free(f->p);
  aim_vm_free(f->vm);
}

/* An engine that falsifies the result of one function.  Set by find when the driver looks its functions up; a test runs one task at a time. */
static const char *false_name;
static int target;
static void (*falsify)(const exec_arg *in, double *score);

static int false_find(const exec_program *p, const char *name) {
  int fn = interp_engine.find(p, name);
  if (strcmp(name, false_name) == 0) target = fn;
  return fn;
}

static exec_status false_call(exec_worker *w, int fn, size_t lanes, const exec_arg *in, exec_arg *out, exec_report *report) {
  exec_status st = interp_engine.call(w, fn, lanes, in, out, report);
  if (fn == target) falsify(in, &out[0].p->real);
  return st;
}

static exec_engine false_engine(const char *name, void (*f)(const exec_arg *in, double *score)) {
  exec_engine e = interp_engine;
  e.find = false_find;
  e.call = false_call;
  false_name = name;
  falsify = f;
  target = -1;
  return e;
}

#endif
