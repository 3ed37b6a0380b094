/* test_aim_docs.c: what README.md and the pages of docs show of the language is true.
 *
 * A block of AIM is fenced as ```aim and says what it promises:
 *
 *     ```aim check          parses and checks without a message
 *     ```aim run            and every statement in it runs: draws are finite, and there are as many as asked for
 *     ```aim error E0502    its first error has this code, when it is checked or when its data is bound
 *
 * Runs are short: what is tested is that they run, not what they find. */
#include "vm/aim.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CHAINS = 2, DRAWS = 200, WARMUP = 300 };

static void put(void *file, const char *text, size_t n) { fwrite(text, 1, n, file); }

typedef struct block {
  const char *path;
  size_t line; /* of the first line inside */
  char tag[64];
  const char *text;
  size_t n;
} block;

static bool complain(const block *b, const char *what) {
  fprintf(stderr, "%s:%zu: a block `%s`: %s\n", b->path, b->line, b->tag, what);
  return false;
}

static bool first_error_is(const aim_diagnostic *d, const char *code, const block *b) {
  if (strcmp(d->code, code) == 0) return true;
  fprintf(stderr, "%s:%zu: the first error is %s: %s\n", b->path, b->line, d->code, d->message);
  return false;
}

static bool run_statement(aim_program *p, size_t k, const block *b) {
  aim_task *t = NULL;
  bool ok = aim_task_statement(p, k, &t) == AIM_OK;
  /* Options that the method does not have are refused, and need not be set. */
  if (ok) {
    aim_set_int(t, "chains", CHAINS);
    aim_set_int(t, "draws", DRAWS);
    aim_set_int(t, "warmup", WARMUP);
  }
  aim_status s = ok ? aim_run(t, NULL) : AIM_E_INTERNAL;
  if (s != AIM_OK) {
    if (t) aim_task_messages(t, 0, put, stderr);
    ok = complain(b, aim_status_text(s));
  }
  size_t n = ok ? aim_quantity_count(t) : 0;
  /* Annealing keeps a draw for each replica. */
  aim_annealing annealed;
  const size_t want = ok && aim_annealing_get(t, &annealed) == AIM_OK ? (size_t)annealed.replicas : DRAWS;
  if (ok && n == 0) ok = complain(b, "nothing was drawn");
  for (size_t q = 0; q < n && ok; q++) {
    aim_quantity x;
    ok = aim_quantity_get(t, q, &x) == AIM_OK;
    for (size_t cell = 0; cell < x.cells && ok; cell++) {
      const double *draws = aim_draws(t, 0, q, cell);
      ok = draws && aim_draw_count(t, 0) == want;
      for (size_t i = 0; i < want && ok; i++) ok = isfinite(draws[i]);
      if (!ok) complain(b, x.name);
    }
  }
  aim_task_free(t);
  return ok;
}

static bool block_holds(aim_vm *vm, const block *b) {
  char code[16] = "";
  bool run = strcmp(b->tag, "run") == 0, error = sscanf(b->tag, "error %15s", code) == 1;
  if (!run && !error && strcmp(b->tag, "check") != 0) return complain(b, "says nothing that could be tested");
  aim_program *p = NULL;
  aim_status s = aim_load(vm, b->path, b->text, b->n, &p);
  aim_diagnostic d;
  bool ok;
  if (error && s == AIM_OK) {
    aim_task *t = NULL;
    ok = aim_task_statement(p, 0, &t) == AIM_OK && aim_bind(t) == AIM_E_PROGRAM && aim_task_diagnostic(t, 0, &d) == AIM_OK;
    ok = ok ? first_error_is(&d, code, b) : complain(b, "there is no error");
    aim_task_free(t);
  } else if (error) {
    ok = aim_program_diagnostic(p, 0, &d) == AIM_OK && first_error_is(&d, code, b);
  } else {
    ok = s == AIM_OK && aim_program_diagnostic_count(p) == 0;
    if (!ok) {
      complain(b, aim_status_text(s));
      if (p) aim_program_messages(p, 0, put, stderr);
    }
    if (ok && run && aim_statement_count(p) == 0) ok = complain(b, "there is nothing to run");
    for (size_t k = 0; run && ok && k < aim_statement_count(p); k++) ok = run_statement(p, k, b);
  }
  aim_program_free(p);
  return ok;
}

/* Adds the blocks of a page that hold and that do not. */
static void page_check(aim_vm *vm, const char *path, size_t *good, size_t *bad) {
  FILE *f = fopen(path, "rb");
  assert_non_null(f);
  static char text[1 << 20];
  size_t n = fread(text, 1, sizeof text - 1, f), line = 1;
  fclose(f);
  text[n] = '\0';
  assert_true(n < sizeof text - 1);
  block b = {.path = path};
  bool inside = false;
  for (char *at = text; *at;) {
    char *end = at + strcspn(at, "\n");
    bool fence = strncmp(at, "```", 3) == 0;
    if (fence && inside) {
      if (b.text) {
        b.n = (size_t)(at - b.text);
        if (block_holds(vm, &b)) ++*good;
        else ++*bad;
      }
      inside = false;
    } else if (fence) {
      inside = true;
      b.text = NULL;
      if (strncmp(at + 3, "aim", 3) == 0) {
        const char *tag = at + 6 + strspn(at + 6, " ");
        snprintf(b.tag, sizeof b.tag, "%.*s", (int)(end - tag > 0 ? end - tag : 0), tag);
        b.text = *end ? end + 1 : end;
        b.line = line + 1;
      }
    }
    at = *end ? end + 1 : end;
    line++;
  }
  assert_false(inside);
}

static void page_holds(const char *path, size_t least) {
  aim_vm *vm = aim_vm_new(NULL);
  assert_non_null(vm);
  size_t good = 0, bad = 0;
  page_check(vm, path, &good, &bad);
  aim_vm_free(vm);
  assert_int_equal(bad, 0);
  /* A fence that changed its spelling would otherwise pass. */
  assert_true(good >= least);
}

static void test_readme(void **state) {
  (void)state;
  page_holds("README.md", 2);
}

static void test_language(void **state) {
  (void)state;
  page_holds("docs/language.md", 15);
}

static void test_other_pages(void **state) {
  (void)state;
  DIR *d = opendir("docs");
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));) {
    size_t n = strlen(e->d_name);
    char path[512];
    if (n < 3 || strcmp(e->d_name + n - 3, ".md") != 0 || strcmp(e->d_name, "language.md") == 0) continue;
    snprintf(path, sizeof path, "docs/%s", e->d_name);
    page_holds(path, 0);
  }
  closedir(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_readme),
      cmocka_unit_test(test_language),
      cmocka_unit_test(test_other_pages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
