/* diag.h: what a wrong program gets.
 *
 * A diagnostic says what is wrong (message), where (the primary span with a label, further places with theirs), what else
 * is known (notes) and the way out (help).  Every one has a stable code: tests and editors rely on codes, people on text.
 * Codes: E01xx lexical, E02xx syntax, E03xx statements out of place, E04xx names, E05xx types and shapes, E06xx supports
 * and distributions, E07xx data, E08xx inference statements; W.... are warnings.
 *
 * Cascades are avoided in three ways: the list keeps only the first error that starts at a place, it stops after
 * max_errors, and an error node or type in the tree silences what is built on it (a duty of each phase). */
#ifndef AIM_LANG_DIAG_H
#define AIM_LANG_DIAG_H

#include "lang/source.h"

typedef enum diag_severity { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE, DIAG_HELP } diag_severity;

typedef struct diag_label {
  span at;
  const char *text; /* may be NULL */
} diag_label;

/* A line under the source: a note or a help. */
typedef struct diag_remark {
  diag_severity kind; /* DIAG_NOTE or DIAG_HELP */
  const char *text;
} diag_remark;

typedef struct diag {
  diag_severity severity;
  const char *code;    /* "E0201"; static */
  const char *message; /* one line, no full stop */
  span at;             /* file 0: the message has no place */
  const char *label;   /* under the carets; may be NULL */
  diag_label *labels;
  size_t nlabels, cap_labels;
  diag_remark *remarks;
  size_t nremarks, cap_remarks;
} diag;

typedef struct diag_list {
  arena *a;
  diag **items; /* in the order of discovery */
  size_t n, cap;
  size_t errors, warnings; /* kept, by severity */
  size_t max_errors;       /* further errors are counted, not kept */
  size_t dropped;
  diag scratch; /* what diag_add hands out for a dropped one */
} diag_list;

enum { DIAG_MAX_ERRORS = 20 };

void diag_init(diag_list *list, arena *a);

/* Never NULL: a diagnostic that is dropped (the list is full, or an error, or the same warning, at that place exists) can be added to like any
 * other, and is forgotten. */
diag *diag_add(diag_list *list, diag_severity severity, const char *code, span at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The text under the primary carets. */
void diag_say(diag_list *list, diag *d, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Another place that explains the first. */
void diag_point(diag_list *list, diag *d, span at, const char *format, ...) __attribute__((format(printf, 4, 5)));
void diag_note(diag_list *list, diag *d, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_help(diag_list *list, diag *d, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The candidate nearest to name by edits (insert, delete, replace, swap neighbours), the first of equals, or NULL when
 * none is near enough to be worth offering: at most one edit for names up to 3 bytes, a third of the length (rounded up) above.
 * A candidate that differs in case only always counts.  NULL candidates are skipped. */
const char *diag_nearest(const char *name, const char *const *candidates, size_t n);
/* Edit distance as above, or limit + 1 when it is larger than limit; names over 64 bytes count as too far. */
unsigned diag_distance(const char *a, const char *b, unsigned limit);

#endif
