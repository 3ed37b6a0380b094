/* check_session.h: one program through parser and checker, for tests. */
#ifndef AIM_TESTS_CHECK_SESSION_H
#define AIM_TESTS_CHECK_SESSION_H

#include "compiler/check.h"
#include "lang/parse.h"
#include "lang/render.h"

#include <string.h>

typedef struct check_session {
  arena a;
  source_map map;
  intern_table names;
  diag_list diags;
  check_program program;
  bool ok; /* no error in either phase */
  const char *messages;
} check_session;

/* False when memory ran out; the caller frees s->a in either case. */
static inline bool check_text(check_session *s, const aim_alloc *alloc, const char *name, const char *text, size_t n) {
  memset(s, 0, sizeof *s);
  arena_init(&s->a, alloc, (size_t)1 << 30);
  if (ARENA_TRY(&s->a)) return false;
  source_map_init(&s->map, &s->a);
  intern_init(&s->names, &s->a);
  diag_init(&s->diags, &s->a);
  int id = source_add(&s->map, name, text, n);
  ast_file *f = parse_file(&s->a, &s->names, &s->map, id, &s->diags);
  s->program = (check_program){.mem = &s->a, .sources = &s->map, .names = &s->names, .diags = &s->diags, .file = f};
  bool checked = check_file(&s->program);
  s->ok = checked && s->diags.errors == 0;
  strbuf b;
  strbuf_init(&b, &s->a);
  render_list(&b, &s->map, &s->diags, NULL);
  s->messages = b.s;
  return true;
}

#endif
