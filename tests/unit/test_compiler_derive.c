/* The programs of a model as text: what lowering and the derivations make of tests/derive/NAME.aim stands in NAME.expected.  Values are
 * judged elsewhere; here it is the shape: no loop that was not in the model, no array that is a parameter already, local
 * densities that are local. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/derive.h"
#include "compiler/program.h"
#include "lang/render.h"
#include "tests/unit/golden.h"
#include "tests/unit/host.h"

#define FOLDER "tests/derive"

static bool shown(const char *name, const ir_module *m) {
  for (uint32_t k = 0; k < m->ndists; k++) {
    const ir_dist *d = m->dist[k];
    if ((d->logpdf && strcmp(name, d->logpdf->name) == 0) || (d->sample && strcmp(name, d->sample->name) == 0) ||
        (d->cdf && strcmp(name, d->cdf->name) == 0) || (d->valid && strcmp(name, d->valid->name) == 0))
      return false;
  }
  return true;
}

static void print_programs(program *p, strbuf *out) {
  for (uint32_t k = 0; k < p->module->nfns; k++) {
    const ir_fn *fn = p->module->fn[k];
    const char *wrong = ir_verify(fn);
    if (wrong) fail_msg("%s: %s", fn->name, wrong);
    bool library = fn->nparams > 0 && fn->param[0].role == IR_ROLE_PLAIN;
    if (library || !shown(fn->name, p->module)) continue;
    ir_print_fn(fn, out);
    strbuf_putc(out, '\n');
  }
  for (size_t k = 0; k < p->nsites; k++)
    strbuf_printf(out, "# %s: %s\n", p->site[k].name, p->site[k].local ? "local" : "whole");
}

static bool golden_case(const char *name, const char *text, size_t len) {
  char path[512];
  snprintf(path, sizeof path, FOLDER "/%s", name);
  host h = {0};
  aim_alloc alloc = {host_fn, &h};
  arena a;
  arena_init(&a, &alloc, (size_t)1 << 28);
  if (ARENA_TRY(&a)) fail_msg("no memory");
  program p;
  strbuf out;
  bool ok = program_open(&p, &a, name, text, len);
  p.model = ok ? program_model(&p, NULL) : NULL;
  /* Standard variates have goldens of their own. */
  const char **own = p.model ? ARENA_ARRAY(&a, const char *, p.model->nsites + 1) : NULL;
  for (size_t k = 0; p.model && k < p.model->nsites && strncmp(name, "noncentred", 10) != 0; k++) own[p.centring.nmeasured++] = p.model->sites[k].sym->name;
  p.centring.measured = own;
  ok = p.model && program_build(&p, NEED_LOGDENS | NEED_GRAD | NEED_PRIOR | NEED_OUTPUTS | NEED_DENSITY | NEED_LOCAL);
  strbuf_init(&out, &a);
  render_list(&out, &p.sources, &p.diags, NULL);
  if (ok) print_programs(&p, &out);
  snprintf(strrchr(path, '.'), 16, ".expected");
  bool same = golden_equal(path, out.s);
  arena_free(&a);
  assert_int_equal(h.bytes, 0);
  return same;
}

static void test_goldens(void **state) {
  (void)state;
  size_t n;
  int bad = 0;
  char **names = golden_list(FOLDER, ".aim", &n);
  assert_true(n >= 4);
  for (size_t k = 0; k < n; k++) {
    char path[512];
    snprintf(path, sizeof path, FOLDER "/%s", names[k]);
    size_t len;
    char *text = golden_read(path, &len);
    assert_non_null(text);
    bad += !golden_case(names[k], text, len);
    free(text);
  }
  golden_list_free(names, n);
  assert_int_equal(bad, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_goldens)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
