/* check_level.c: levels of data by their names: `region[i] == "north"`, `beta["north"]`.
 *
 * A text stands for the number that the level of that name has in `index(R)`, R being told by what it is compared with, or by the axis that it is
 * a subscript of.  The number is a size of the model, `R[north]`, which binding reads from the levels of the data (bind_size.c). */
#include "compiler/check_state.h"

#include <string.h>

/* Data whose values count to that size. */
static const symbol *data_of(const check_model *m, ir_size count) {
  for (size_t i = 0; m && i < m->ndata; i++) {
    const ty_info *t = m->data[i]->type;
    if (t && t->kind == TY_INT && t->support == IR_SUP_FINITE && t->count == count) return m->data[i];
  }
  return NULL;
}

/* The text as a part of a name; what is no letter or digit is left out, and then the place in the list tells levels apart. */
static const char *size_name(ctx *c, const char *of, const char *text) {
  strbuf b;
  strbuf_init(&b, c->a);
  bool plain = *text != '\0';
  for (const char *p = text; *p; p++) {
    const unsigned char x = (unsigned char)*p;
    const bool fits = (x >= '0' && x <= '9') || (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || x == '_' || x == '.' || x == '-' || x == ' ' || x >= 0x80;
    if (fits) strbuf_putc(&b, (char)x);
    plain = plain && fits;
  }
  if (!plain) strbuf_printf(&b, "#%zu", c->model->nsize_syms + 1);
  return intern(c->p->names, arena_printf(c->a, "%s[%s]", of, b.s ? b.s : ""));
}

bool level_number(ctx *c, ast_expr *text, ir_size count) {
  const char *of;
  const symbol *data = count != IR_SIZE_NONE && c->model ? data_of(c->model, count) : NULL;
  if (!data || !size_is_symbol(c->p->sizes, count, &of)) return false;
  check_model *m = c->model;
  symbol *s = NULL;
  for (size_t i = 0; i < m->nsize_syms && !s; i++)
    if (m->size_syms[i]->level && m->size_syms[i]->levels == count && strcmp(m->size_syms[i]->level, text->string.bytes) == 0) s = m->size_syms[i];
  if (!s) {
    s = sym_new(c->st, SYM_SIZE, size_name(c, of, text->string.bytes), text->at);
    s->type = ty_scalar(c->st, TY_INT);
    s->size = size_symbol(c->p->sizes, s->name);
    s->level = text->string.bytes;
    s->levels = count;
    sym_of(s)->used = true;
    ARENA_PUSH(c->a, m->size_syms, m->nsize_syms, c->cap_sizes, s);
  }
  sym_of((symbol *)data)->used = true;
  text->string.level = s;
  set_type(text, s->type);
  return true;
}
