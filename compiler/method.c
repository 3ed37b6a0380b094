/* method.c: the table of methods (method.h). */
#include "compiler/method.h"

#include <string.h>

#define METHOD_NAME(id, name, traits) name,
#define METHOD_TRAITS(id, name, traits) traits,
const char *const method_names[METHOD_COUNT] = {METHODS(METHOD_NAME)};
static const unsigned traits[METHOD_COUNT] = {METHODS(METHOD_TRAITS)};

const char *method_name(plan_method m) { return method_names[m]; }

plan_method method_find(const char *name) {
  int m = 0;
  while (m < METHOD_COUNT && (strcmp(method_names[m], name) != 0 || traits[m] & METHOD_VERB)) m++;
  return (plan_method)m;
}

bool method_is(plan_method m, unsigned trait) { return m < METHOD_COUNT && (traits[m] & trait) != 0; }

const char *method_list(arena *a) {
  size_t left = 0;
  for (int m = 0; m < METHOD_COUNT; m++) left += method_is((plan_method)m, METHOD_RUNS);
  strbuf b;
  strbuf_init(&b, a);
  for (int m = 0; m < METHOD_COUNT; m++) {
    if (!method_is((plan_method)m, METHOD_RUNS)) continue;
    left--;
    strbuf_printf(&b, "%s%s", method_names[m], left > 1 ? ", " : left == 1 ? " and " : "");
  }
  return b.s;
}
