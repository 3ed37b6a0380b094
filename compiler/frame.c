/* frame.c: see the header. */
#include "compiler/frame.h"

#include "compiler/ir_uses.h"

#include <string.h>

/* The result of @prepare that a frame parameter stands for. */
static ir_val result_of(const ir_fn *prepare, const char *name) {
  unsigned r = 0;
  for (const char *c = name + strlen("frame."); *c >= '0' && *c <= '9'; c++) r = 10 * r + (unsigned)(*c - '0');
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
