/* statement.h: one statement of a program, bound, for tests that run it; and an engine that falsifies a function, for twins. */
#ifndef TESTS_UNIT_STATEMENT_H
#define TESTS_UNIT_STATEMENT_H

#include "tests/unit/task_fixture.h"
#include "vm/interp.h"

/* The k-th statement, bound. */
static fixture open_statement(const char *text, size_t k, const exec_engine *engine) {
  fixture f = open_task(text, (opening){.engine = engine, .statement = k});
  expect_ok(&f, aim_bind(f.t));
  return f;
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
