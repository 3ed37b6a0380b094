/* derive_image.c: which values of a model are parts of a site's array.
 *
 * A model draws elements with `sample` and puts them together with loop outputs and `put`.  In a density the array is given,
 * so every value that only puts it together is that array, or the slice of it that enclosing loops are at.  A partly built array
 * counts as well: only positions that were set are ever read. */
#include "compiler/derive_internal.h"

#include <string.h>

static bool same(const ir_fn *fn, ir_val a, ir_val b, int depth) {
  if (a == b) return true;
  const ir_op *x = ir_def_op(fn, a), *y = ir_def_op(fn, b);
  if (!x || !y || depth == 0 || x->code != y->code || x->nargs != y->nargs || x->nres != 1 ||
      ir_op_table[x->code].effect != IR_PURE)
    return false;
  switch (x->code) {
  case IR_INT_OP: case IR_BOOL_OP: return x->u.integer == y->u.integer;
  case IR_SIZE_OP: return x->u.size == y->u.size;
  case IR_REAL_OP: return memcmp(&x->u.real, &y->u.real, sizeof x->u.real) == 0;
  case IR_AT_OP:
    if (x->u.axes.n != y->u.axes.n) return false;
    for (uint32_t k = 0; k < x->u.axes.n; k++)
      if (!same(fn, x->u.axes.at[k], y->u.axes.at[k], depth - 1)) return false;
    break;
  case IR_NEW_OP: case IR_PUT_OP: case IR_CALL_OP: case IR_MATMUL_OP: case IR_TRISOLVE_OP: return false;
  default: break;
  }
  for (uint32_t k = 0; k < x->nargs; k++)
    if (!same(fn, x->args[k], y->args[k], depth - 1)) return false;
  return true;
}

bool derive_same_value(const ir_fn *fn, ir_val a, ir_val b) { return (a == 0) == (b == 0) && same(fn, a, b, 8); }

typedef struct finder {
  const ir_fn *fn;
  site_image *image;
} finder;

/* The image of an array in which a part with image v stands at `axes`: v's axes with those entries open.  Which axes of the
 * site they are is found from the right. */
static bool open_axes(const finder *f, const site_image *v, const ir_axes *axes, site_image *out) {
  if (!v->site) return false;
  *out = *v;
  int o = (int)v->axes.n - 1;
  for (int a = (int)axes->n - 1; a >= 0; a--) {
    while (o >= 0 && !derive_same_value(f->fn, v->axes.at[o], axes->at[a])) o--;
    if (o < 0) return false;
    out->axes.at[o--] = 0;
  }
  return true;
}

static bool agree(const finder *f, const site_image *init, const site_image *whole) {
  if (init->blank) return true;
  if (init->site != whole->site) return false;
  for (uint32_t k = 0; k < whole->axes.n; k++)
    if (!derive_same_value(f->fn, init->axes.at[k], whole->axes.at[k])) return false;
  return true;
}

static void find_block(finder *f, const ir_block *block);

static void find_loop(finder *f, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  find_block(f, &loop->body);
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    site_image whole;
    ir_axes axes = out->axes;
    if (out->mode == IR_STACK) {
      axes.n = ir_type_of(f->fn, op->res[k]).rank;
      memset(axes.at, 0, sizeof axes.at);
      memcpy(axes.at, loop->index, loop->rank * sizeof *axes.at);
    } else if (out->mode != IR_INTO) {
      continue;
    }
    if (!open_axes(f, &f->image[out->yield], &axes, &whole)) continue;
    if (out->mode == IR_INTO && !agree(f, &f->image[out->init], &whole)) continue;
    f->image[op->res[k]] = whole;
    if (out->state) f->image[out->state] = whole;
  }
}

static void find_block(finder *f, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next) {
    site_image whole;
    switch (op->code) {
    case IR_SAMPLE_OP: {
      site_image *v = &f->image[op->res[0]];
      v->site = op->u.tilde->site;
      v->axes = op->u.tilde->axes;
      v->axes.n = v->site->type.rank;
      break;
    }
    case IR_NEW_OP: f->image[op->res[0]].blank = true; break;
    case IR_PUT_OP:
      if (open_axes(f, &f->image[op->args[1]], &op->u.axes, &whole) && agree(f, &f->image[op->args[0]], &whole))
        f->image[op->res[0]] = whole;
      break;
    case IR_PLATE_OP:
    case IR_SCAN_OP: find_loop(f, op); break;
    case IR_IF_OP:
      find_block(f, &op->u.branch->then_);
      find_block(f, &op->u.branch->else_);
      break;
    default: break;
    }
  }
}

site_image *derive_images(arena *mem, const ir_fn *model) {
  finder f = {model, ARENA_ARRAY(mem, site_image, model->nvals)};
  find_block(&f, &model->body);
  return f.image;
}
