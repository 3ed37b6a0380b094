/* diag.c: the list of diagnostics, and nearest names. */
#include "lang/diag.h"

#include <stdio.h>
#include <string.h>

void diag_init(diag_list *list, arena *a) {
  memset(list, 0, sizeof *list);
  list->a = a;
  list->max_errors = DIAG_MAX_ERRORS;
}

static const char *vformat(arena *a, const char *format, va_list ap) {
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, format, ap);
  size_t size = (size_t)(n < 0 ? 0 : n) + 1;
  char *s = arena_alloc(a, size, 1);
  if (n > 0) vsnprintf(s, size, format, again);
  va_end(again);
  return s;
}

#define FORMATTED(target, list, format)                 \
  do {                                                  \
    va_list ap_;                                        \
    va_start(ap_, format);                              \
    (target) = vformat((list)->a, (format), ap_);       \
    va_end(ap_);                                        \
  } while (0)

/* An error stands where another one does; a warning where the same one does, as in a part of several models. */
static bool stands(const diag_list *list, diag_severity severity, const char *code, span at) {
  for (size_t i = 0; at.file && severity != DIAG_NOTE && i < list->n; i++) {
    const diag *d = list->items[i];
    if (d->severity == severity && d->at.file == at.file && d->at.off == at.off && (severity == DIAG_ERROR || (d->at.len == at.len && strcmp(d->code, code) == 0))) return true;
  }
  return false;
}

diag *diag_add(diag_list *list, diag_severity severity, const char *code, span at, const char *format, ...) {
  bool error = severity == DIAG_ERROR;
  if (stands(list, severity, code, at) || (!error && list->warnings >= 10 * list->max_errors)) {
    memset(&list->scratch, 0, sizeof list->scratch);
    return &list->scratch;
  }
  if (error && list->errors >= list->max_errors) {
    list->dropped++;
    memset(&list->scratch, 0, sizeof list->scratch);
    return &list->scratch;
  }
  diag *d = ARENA_NEW(list->a, diag);
  d->severity = severity;
  d->code = code;
  d->at = at;
  FORMATTED(d->message, list, format);
  ARENA_PUSH(list->a, list->items, list->n, list->cap, d);
  if (error) list->errors++;
  else if (severity == DIAG_WARNING) list->warnings++;
  return d;
}

void diag_say(diag_list *list, diag *d, const char *format, ...) {
  if (d == &list->scratch) return;
  FORMATTED(d->label, list, format);
}

void diag_point(diag_list *list, diag *d, span at, const char *format, ...) {
  if (d == &list->scratch) return;
  diag_label l = {.at = at};
  FORMATTED(l.text, list, format);
  ARENA_PUSH(list->a, d->labels, d->nlabels, d->cap_labels, l);
}

void diag_note(diag_list *list, diag *d, const char *format, ...) {
  if (d == &list->scratch) return;
  diag_remark r = {.kind = DIAG_NOTE};
  FORMATTED(r.text, list, format);
  ARENA_PUSH(list->a, d->remarks, d->nremarks, d->cap_remarks, r);
}

void diag_help(diag_list *list, diag *d, const char *format, ...) {
  if (d == &list->scratch) return;
  diag_remark r = {.kind = DIAG_HELP};
  FORMATTED(r.text, list, format);
  ARENA_PUSH(list->a, d->remarks, d->nremarks, d->cap_remarks, r);
}

enum { LONGEST_NAME = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c) {
  unsigned m = a < b ? a : b;
  return m < c ? m : c;
}

/* Optimal string alignment (Damerau's four edits, no substring edited twice), over three rows of the table. */
unsigned diag_distance(const char *a, const char *b, unsigned limit) {
  size_t n = strlen(a), m = strlen(b);
  size_t gap = n > m ? n - m : m - n;
  if (n > LONGEST_NAME || m > LONGEST_NAME || gap > limit) return limit + 1;
  unsigned rows[3][LONGEST_NAME + 1];
  unsigned *before = rows[0], *last = rows[1], *now = rows[2];
  for (size_t j = 0; j <= m; j++) last[j] = before[j] = (unsigned)j;
  for (size_t i = 1; i <= n; i++) {
    now[0] = (unsigned)i;
    for (size_t j = 1; j <= m; j++) {
      now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
        now[j] = before[j - 2] + 1;
    }
    unsigned *t = before;
    before = last, last = now, now = t;
  }
  return last[m] > limit ? limit + 1 : last[m];
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool same_but_case(const char *a, const char *b) {
  for (; *a && lower(*a) == lower(*b); a++, b++) {}
  return *a == *b;
}

const char *diag_nearest(const char *name, const char *const *candidates, size_t n) {
  size_t len = strlen(name);
  unsigned limit = len <= 3 ? 1 : (unsigned)(len < LONGEST_NAME ? (len + 2) / 3 : 1);
  /* Two names of one letter have nothing in common; offering one for the other is noise. */
  if (len <= 1) limit = 0;
  const char *best = NULL;
  unsigned best_distance = limit + 1;
  for (size_t i = 0; i < n; i++) {
    if (!candidates[i] || strcmp(candidates[i], name) == 0) continue;
    unsigned d = same_but_case(name, candidates[i]) ? 0 : diag_distance(name, candidates[i], limit);
    if (d < best_distance) best = candidates[i], best_distance = d;
  }
  return best;
}
