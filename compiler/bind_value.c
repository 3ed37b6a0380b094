/* bind_value.c: cells as the model reads them: reals as double, all else as int64_t, without a copy where the kinds agree. */
#include "compiler/bind_state.h"

#include <string.h>
#include <strings.h>

static bool wrong(binder *b, const bound *y, size_t cell, const char *found, const char *help) {
  const symbol *s = y->sym;
  diag *d = bind_error(b, cell == (size_t)-1 ? "E0772" : "E0777", bind_type_span(s), "%s: %s, and `%s` is %s", bind_where(b, y, cell), found,
                       s->name, ty_print(&b->p->check, s->type));
  bind_say(b, d, "declared here");
  bind_point_binding(b, d, y);
  if (help) bind_help(b, d, "%s", help);
  return false;
}

/* The integer that a real stands for, when it has no fraction and is exact. */
static bool whole(double r, int64_t *n) {
  if (!(r >= -9007199254740992.0 && r <= 9007199254740992.0)) return false;
  *n = (int64_t)r;
  return (double)*n == r;
}

static bool is_index(const ty_info *t) { return t->kind == TY_INT && t->support == IR_SUP_FINITE && !t->spin; }

/* Whether a text reads as a number in the C locale, or with a comma for its point. */
static bool numeric(const char *s, bool *comma) {
  size_t digits = 0, points = 0;
  *comma = false;
  s += *s == '+' || *s == '-';
  for (; (*s >= '0' && *s <= '9') || *s == '.' || *s == ','; s++) {
    if (*s >= '0' && *s <= '9') digits++;
    else points++, *comma |= *s == ',';
  }
  if (digits && (*s == 'e' || *s == 'E')) {
    s++;
    s += *s == '+' || *s == '-';
    if (!(*s >= '0' && *s <= '9')) return false;
    while (*s >= '0' && *s <= '9') s++;
  }
  return digits && points <= 1 && !*s;
}

const char *bind_word_shown(binder *b, const char *s) {
  size_t n = 0;
  for (; s[n]; n++)
    if (n == 16 || !((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || strchr("_.,+-", s[n]))) return "";
  return n ? arena_printf(b->a, " (\"%s\")", s) : "";
}

/* A column of numbers with some cell that is none: the first such cell is what there is to say. */
static bool stray_text(binder *b, const bound *y) {
  const data_array *x = y->x;
  bool comma, some = false;
  for (size_t k = 0; k < x->n_levels; k++) some |= numeric(x->levels[k], &comma);
  if (!some) return false;
  for (size_t k = 0; k < x->cells; k++) {
    if (x->i64[k] < 1) continue; /* missing */
    const char *text = x->levels[x->i64[k] - 1];
    bool number = numeric(text, &comma);
    if (number && !comma) continue;
    wrong(b, y, k, arena_printf(b->a, "a text that is not a number%s", bind_word_shown(b, text)),
          comma && number ? "decimals are written with a point: 1.5" : "leave such rows out of the data; a missing value is an empty cell or NA");
    return true;
  }
  return false;
}

/* `index(R)[N]` for region: real[N]. */
static const char *as_index(binder *b, const symbol *s) {
  char letter[2] = {(char)(s->name[0] >= 'a' && s->name[0] <= 'z' ? s->name[0] - 'a' + 'A' : s->name[0]), '\0'};
  for (size_t k = 0; k < b->n; k++)
    if (strcmp(b->of[k].sym->name, letter) == 0) letter[0] = 'K';
  const char *extents = strchr(ty_print(&b->p->check, s->type), '[');
  return arena_printf(b->a, "to use its texts as groups, declare it `%s: index(%s)%s`", s->name, letter, extents ? extents : "");
}

static bool no_texts(binder *b, const bound *y) {
  const ty_info *t = y->sym->type;
  if (stray_text(b, y)) return false;
  const char *help = !t->spin && t->event_rank == 0 ? as_index(b, y->sym) : NULL;
  return wrong(b, y, (size_t)-1, "texts were found", help);
}

bool bind_int(binder *b, const bound *y, int64_t *n) {
  const data_array *x = y->x;
  if (x->kind == DATA_TEXT) return no_texts(b, y);
  if (x->kind != DATA_REAL) {
    *n = x->i64[0];
    return true;
  }
  if (whole(x->f64[0], n)) return true;
  return wrong(b, y, 0, arena_printf(b->a, "%s is not an integer", bind_real_text(b, x->f64[0])), NULL);
}

static bool to_reals(binder *b, bound *y) {
  if (y->x->kind == DATA_TEXT) return no_texts(b, y);
  y->cells = (const exec_cell *)data_reals(y->x, b->a);
  return true;
}

static bool to_ints(binder *b, bound *y) {
  const data_array *x = y->x;
  if (x->kind == DATA_TEXT && !is_index(y->sym->type)) return no_texts(b, y);
  if (x->kind != DATA_REAL) {
    y->cells = (const exec_cell *)x->i64;
    return true;
  }
  int64_t *cells = ARENA_ARRAY(b->a, int64_t, x->cells);
  for (size_t k = 0; k < x->cells; k++)
    if (!whole(x->f64[k], &cells[k]))
      return wrong(b, y, k, arena_printf(b->a, "%s is not an integer", bind_real_text(b, x->f64[k])), NULL);
  y->cells = (const exec_cell *)cells;
  return true;
}

/* 0 and 1 for no and yes, whichever way they are spelt; -1 for any other text. */
static int truth(const char *text) {
  static const char *const words[] = {"no", "yes", "false", "true"};
  for (int k = 0; k < 4; k++)
    if (strcasecmp(text, words[k]) == 0) return k % 2;
  return -1;
}

/* The first text that is none of them. */
static bool no_truth(binder *b, const bound *y) {
  size_t cell = 0;
  while (y->x->i64[cell] < 1 || truth(y->x->levels[y->x->i64[cell] - 1]) >= 0) cell++;
  return wrong(b, y, cell, arena_printf(b->a, "a text%s that reads neither as false nor as true", bind_word_shown(b, y->x->levels[y->x->i64[cell] - 1])),
               "texts that read as bool are no and yes, or false and true");
}

static bool to_bools(binder *b, bound *y) {
  const data_array *x = y->x;
  if (x->kind == DATA_BOOL) {
    y->cells = (const exec_cell *)x->i64;
    return true;
  }
  if (x->kind == DATA_TEXT) {
    for (size_t k = 0; k < x->n_levels; k++)
      if (truth(x->levels[k]) < 0) return no_truth(b, y);
    int64_t *cells = ARENA_ARRAY(b->a, int64_t, x->cells);
    for (size_t k = 0; k < x->cells; k++) cells[k] = truth(x->levels[x->i64[k] - 1]);
    y->cells = (const exec_cell *)cells;
    return true;
  }
  int64_t *copy = x->kind == DATA_REAL ? ARENA_ARRAY(b->a, int64_t, x->cells) : NULL;
  for (size_t k = 0; k < x->cells; k++) {
    bind_num v = bind_cell(x, k);
    if (x->kind == DATA_REAL ? v.r != 0 && v.r != 1 : v.i != 0 && v.i != 1)
      return wrong(b, y, k, arena_printf(b->a, "%s is neither 0 nor 1", bind_num_text(b, v)),
                   !y->written && v.kind == DATA_INT && v.i == 2 ? "if 1 and 2 stand for no and yes, subtract 1 in the data" : NULL);
    if (copy) copy[k] = v.r == 1;
  }
  y->cells = (const exec_cell *)(copy ? copy : x->i64);
  return true;
}

static bool fill(binder *b, bound *y) {
  size_t n = 1;
  for (int k = 0; k < y->rank; k++) {
    int64_t d = 0;
    if (!size_value(b->p->sizes, y->sym->type->dim[k], &d) || d < 0 || (d > 0 && n > ((size_t)1 << 40) / (size_t)d)) {
      bind_error(b, "E0775", bind_type_span(y->sym), "`%s` cannot have these extents", y->sym->name);
      return false;
    }
    n *= (size_t)d;
  }
  exec_cell *cells = ARENA_ARRAY(b->a, exec_cell, n);
  for (size_t k = 0; k < n; k++) cells[k] = y->cells[0];
  y->cells = cells;
  return true;
}

bool bind_convert(binder *b, bound *y) {
  if (!y->x || (y->sym->size != IR_SIZE_NONE && y->sym->type->rank == 0)) return true;
  bool ok = y->sym->type->kind == TY_REAL ? to_reals(b, y) : y->sym->type->kind == TY_BOOL ? to_bools(b, y) : to_ints(b, y);
  return ok && (!y->fill || fill(b, y));
}
