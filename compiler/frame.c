/* frame.c: see the header. */
#include "compiler/frame.h"

#include "compiler/ir_uses.h"

#include <string.h>

bool frame_is_prepare(const ir_fn *fn) { return strcmp(fn->name, "prepare") == 0; }

/* r of "frame.<r>". */
static uint32_t number_of(const char *name) {
  uint32_t r = 0;
  for (const char *c = name + strlen("frame."); *c >= '0' && *c <= '9'; c++) r = 10 * r + (uint32_t)(*c - '0');
  return r;
}

/* The result of @prepare that a frame parameter stands for. */
static ir_val result_of(const ir_fn *prepare, const char *name) {
  uint32_t r = number_of(name);
  return r >= 1 && r <= prepare->nret ? prepare->ret[r - 1] : 0;
}

/* Whether all that op reads from outside itself has been cloned. */
typedef struct known_uses {
  const ir_cloner *c;
  const ir_op *root;
  bool all;
} known_uses;

static void see_known(void *user, ir_val *use) {
  known_uses *s = user;
  if (!*use || ir_map_get(&s->c->map, *use)) return;
  const ir_op *op = ir_value_of(s->c->from, *use)->op;
  while (op && op != s->root) op = op->block ? op->block->owner : NULL;
  if (!op) s->all = false;
}

void frame_clone(frame *f, ir_builder *b, const ir_op *op) {
  if (op->nres == 0) return;
  known_uses s = {.c = &f->c, .root = op, .all = true};
  ir_visit_region_uses((ir_op *)op, see_known, &s);
  if (s.all) ir_clone_op(&f->c, b, op);
}

void frame_open(frame *f, ir_module *m, const ir_fn *from, ir_fn **prepare) {
  if (!*prepare) *prepare = ir_fn_find(m, "prepare");
  if (!*prepare) {
    *prepare = ir_fn_new(m, "prepare", false);
    ir_return(*prepare, 0, NULL);
  }
  *f = (frame){.m = m, .prepare = *prepare, .c = {.from = from, .map = ir_map_new(m->mem, from)}};
  f->b = ir_builder_at_end(f->prepare, &f->prepare->body);
  for (uint32_t k = 0; k < from->nparams; k++) {
    const ir_param *p = &from->param[k];
    ir_val v = 0;
    if (p->role == IR_ROLE_FRAME) v = result_of(f->prepare, p->name);
    if (p->role == IR_ROLE_DATA) {
      for (uint32_t q = 0; q < f->prepare->nparams; q++)
        if (strcmp(f->prepare->param[q].name, p->name) == 0) v = f->prepare->param[q].val;
      if (!v) v = ir_param_add(f->prepare, IR_ROLE_DATA, p->name, ir_type_of(from, p->val));
    }
    if (v) ir_map_set(&f->c.map, p->val, v);
  }
  for (const ir_op *op = from->body.first; op; op = op->next) frame_clone(f, &f->b, op);
}

ir_val frame_add(frame *f, ir_fn *fn, ir_val v) {
  ir_fn *prepare = f->prepare;
  ir_val *ret = ARENA_ARRAY(f->m->mem, ir_val, prepare->nret + 1);
  if (prepare->nret) memcpy(ret, prepare->ret, prepare->nret * sizeof *ret);
  ret[prepare->nret] = v;
  uint32_t n = prepare->nret + 1;
  ir_return(prepare, n, ret);
  return ir_param_add(fn, IR_ROLE_FRAME, arena_printf(f->m->mem, "frame.%u", n), ir_type_of(prepare, v));
}

/* ---- tidying */

/* Two parameters of one name become one; those without a use go. */
static void tidy_params(ir_module *m, ir_fn *fn, const uint32_t *uses, const uint32_t *number, uint32_t n) {
  uint32_t kept = 0;
  ir_map renamed = ir_map_new(m->mem, fn);
  ir_val *first = ARENA_ARRAY(m->mem, ir_val, n + 1); /* by number: the parameter that has it */
  for (uint32_t k = 0; k < fn->nparams; k++) {
    ir_param p = fn->param[k];
    if (p.role == IR_ROLE_FRAME) {
      if (!uses[p.val]) continue;
      uint32_t own = number[number_of(p.name) - 1];
      if (first[own]) {
        ir_map_set(&renamed, p.val, first[own]);
        continue;
      }
      first[own] = p.val;
      p.name = arena_printf(m->mem, "frame.%u", own);
    }
    fn->val[p.val].slot = kept;
    fn->param[kept++] = p;
  }
  if (kept < fn->nparams) ir_rename_all(fn, &renamed);
  fn->nparams = kept;
}

void frame_tidy(ir_module *m, ir_fn **prepare) {
  ir_fn *from = *prepare;
  if (!from) return;
  uint32_t n = from->nret, kept = 0;
  bool *read = ARENA_ARRAY(m->mem, bool, n);
  uint32_t **uses = ARENA_ARRAY(m->mem, uint32_t *, m->nfns), *number = ARENA_ARRAY(m->mem, uint32_t, n);
  for (uint32_t f = 0; f < m->nfns; f++) {
    ir_fn *fn = m->fn[f];
    uses[f] = ir_use_counts(fn, m->mem);
    for (uint32_t k = 0; k < fn->nparams; k++) {
      uint32_t r = fn->param[k].role == IR_ROLE_FRAME && uses[f][fn->param[k].val] ? number_of(fn->param[k].name) : 0;
      if (r >= 1 && r <= n) read[r - 1] = true;
    }
  }
  ir_val *ret = ARENA_ARRAY(m->mem, ir_val, n);
  uint32_t *of = ARENA_ARRAY(m->mem, uint32_t, from->nvals); /* by value: the number that it has as a result */
  for (uint32_t k = 0; k < n; k++) {
    if (!read[k]) continue;
    ir_val v = from->ret[k];
    if (!of[v]) {
      ret[kept++] = v;
      of[v] = kept;
    }
    number[k] = of[v];
  }
  for (uint32_t f = 0; f < m->nfns; f++) tidy_params(m, m->fn[f], uses[f], number, n);
  ir_return(from, kept, ret);
  if (kept) return;
  *prepare = NULL;
  for (uint32_t f = 0, to = 0; f < m->nfns; f++)
    if (m->fn[f] != from) m->fn[to++] = m->fn[f];
  m->nfns--;
}
