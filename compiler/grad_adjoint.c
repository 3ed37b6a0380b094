/* grad_adjoint.c: the parts of adjoints, and how they leave loops and ifs.
 *
 * An array's adjoint should cost what the reads of the array cost.  So a read of one element makes a keyed part, and where
 * parts meet the array's own block they are added in place.  Between, on the way out of a loop:
 *
 *   the key is the loop's own index              stacked: the part becomes dense in that axis
 *   ... or an index of it and fixed entries      dense in that axis, the fixed entries stay a key
 *   anything else, and the array is defined      a keyed output
 *   in the block around the loop
 *   ... and it is defined further out            keys and values are stacked: a list, added where it arrives; without the
 *                                                list an array would be built for every iteration of the loop around */
#include "compiler/grad_internal.h"

#include <string.h>

/* ---- parts */

grad_adjoint *grad_parts(const grad *g, const grad_scope *s, ir_val v) {
  grad_adjoint *a = g->info[v].adjoint;
  return a && a->scope == s ? a : NULL;
}

static grad_adjoint *parts_of(grad *g, grad_scope *s, ir_val v) {
  grad_adjoint *a = grad_parts(g, s, v);
  if (a) return a;
  a = ARENA_NEW(g->mem, grad_adjoint);
  *a = (grad_adjoint){.v = v, .scope = s, .below = g->info[v].adjoint, .next = s->list};
  return s->list = g->info[v].adjoint = a;
}

static bool is_zero(const grad *g, ir_val x) {
  double c;
  return !x || (ir_is_real(g->to, x, &c) && c == 0);
}

void grad_add(grad *g, grad_scope *s, ir_val v, ir_val part) {
  if (!grad_needed(g, v) || is_zero(g, part)) return;
  grad_adjoint *a = parts_of(g, s, v);
  if (a->dense) {
    a->dense->val = grad_sum(&s->b, a->dense->val, part);
  } else {
    a->dense = ARENA_NEW(g->mem, grad_part);
    a->dense->val = part;
  }
}

static bool is_list(const grad *g, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && ir_type_of(g->to, axes->at[k]).rank) return true;
  return false;
}

static bool has_key(const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k]) return true;
  return false;
}

void grad_add_keyed(grad *g, grad_scope *s, ir_val v, ir_axes axes, ir_val part, bool pad) {
  if (!grad_needed(g, v) || is_zero(g, part)) return;
  if (!has_key(&axes)) {
    grad_add(g, s, v, part);
    return;
  }
  grad_adjoint *a = parts_of(g, s, v);
  grad_part **end = &a->keyed;
  for (; *end; end = &(*end)->next)
    if (memcmp((*end)->axes.at, axes.at, axes.n * sizeof *axes.at) == 0) { /* the same place, or list of places */
      (*end)->val = grad_sum(&s->b, (*end)->val, part);
      (*end)->pad |= pad;
      return;
    }
  *end = ARENA_NEW(g->mem, grad_part);
  **end = (grad_part){.val = part, .axes = axes, .pad = pad};
}

bool grad_is_keyed_state(const grad *g, ir_val v) {
  const ir_value *x = ir_value_of(g->f, v);
  return x->def == IR_DEF_STATE && x->op->u.loop->out[x->slot].mode != IR_CARRY;
}

/* ---- places */

ir_val grad_gather(ir_builder *b, ir_val x, const ir_axes *axes) {
  ir_type shape = {.rank = 0};
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && ir_type_of(b->fn, axes->at[k]).rank) shape = ir_type_of(b->fn, axes->at[k]);
  if (shape.rank == 0) {
    if (!has_key(axes)) return x;
    return ir_at(b, x, *axes);
  }
  grad_each e = grad_each_begin(b, shape);
  ir_axes one = *axes;
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k]) one.at[k] = grad_each_get(&e, axes->at[k]);
  return grad_each_end(&e, ir_at(&e.b, x, one));
}

/* Zeros to be keyed into.  A stand-in key 0 needs a place even where the array is empty: then the axes of the key, unless known
 * to have an element, get one more. */
static bool padded_type(size_table *t, ir_type *type, const ir_axes *axes) {
  bool longer = false;
  for (uint32_t k = 0; k < axes->n; k++) {
    int64_t n;
    if (!axes->at[k] || (size_is_const(t, type->dim[k], &n) && n > 0)) continue;
    ir_size more = size_add(t, type->dim[k], size_const(t, 1));
    if (!more) continue;
    type->dim[k] = more;
    longer = true;
  }
  return longer;
}

static ir_val unpad(ir_builder *b, ir_val x, ir_type type) {
  grad_each e = grad_each_begin(b, type);
  return grad_each_end(&e, grad_each_get(&e, x));
}

/* A keyed part whose key may be a list: as the output of a loop over the list, or of one iteration. */
ir_val grad_place(grad *g, ir_builder *b, ir_type type, ir_val acc, const grad_part *part) {
  ir_type full = type;
  if (part->pad && padded_type(g->m->sizes, &full, &part->axes)) {
    grad_part plain = *part;
    plain.pad = false;
    ir_val x = unpad(b, grad_place(g, b, full, 0, &plain), type);
    return acc ? grad_sum(b, acc, x) : x;
  }
  if (!is_list(g, &part->axes)) {
    ir_val x = acc ? grad_sum(b, ir_at(b, acc, part->axes), part->val) : part->val;
    return ir_put(b, acc ? acc : grad_zero(b, type), part->axes, x);
  }
  ir_type shape = {.rank = 0};
  for (uint32_t k = 0; k < part->axes.n; k++)
    if (part->axes.at[k]) shape = ir_type_of(b->fn, part->axes.at[k]);
  if (!acc) acc = grad_zero(b, type);
  grad_each e = grad_each_begin(b, shape);
  ir_axes one = part->axes, item = {.n = ir_type_of(b->fn, part->val).rank};
  for (uint32_t k = 0; k < one.n; k++)
    if (one.at[k]) one.at[k] = grad_each_get(&e, one.at[k]);
  for (int k = 0; k < shape.rank; k++) item.at[k] = e.at.at[k];
  ir_val x = ir_at(&e.b, part->val, item);
  return ir_loop_out(b->fn, e.plate, IR_KEYED, acc, &one, x);
}

static ir_val take(grad *g, grad_scope *s, grad_adjoint *a) {
  ir_val acc = a->dense ? a->dense->val : 0;
  for (grad_part *p = a->keyed; p; p = p->next) acc = grad_place(g, &s->b, ir_type_of(g->f, a->v), acc, p);
  a->dense = a->keyed = NULL;
  return acc;
}

ir_val grad_take(grad *g, grad_scope *s, ir_val v) {
  grad_adjoint *a = v ? grad_parts(g, s, v) : NULL;
  return a ? take(g, s, a) : 0;
}

/* ---- leaving a loop */

typedef struct leaving {
  grad *g;
  grad_scope *t, *s; /* the body, and the scope around the loop */
  ir_op *loop;
  ir_val v;
  ir_type type;
} leaving;

/* x is at the start of the loop: usable for an output's init. */
static bool stands_before(const leaving *l, ir_val x) {
  const ir_op *op = ir_def_op(l->g->to, x);
  for (const ir_op *p = l->loop; p && op; p = p->next)
    if (p == op) return false;
  return true;
}

/* An array made right before the loop. */
static ir_val zeros_before(const leaving *l, ir_type type) {
  ir_builder b = l->s->b;
  b.before = l->loop;
  return grad_zero(&b, type);
}

static int own_index(const leaving *l, ir_val x, ir_size dim) {
  const ir_loop *loop = l->loop->u.loop;
  for (uint32_t k = 0; k < loop->rank; k++)
    if (loop->index[k] == x && ir_size_of(l->g->to, loop->extent[k]) == dim) return (int)k;
  return -1;
}

static bool extents_are_sizes(const leaving *l) {
  const ir_loop *loop = l->loop->u.loop;
  for (uint32_t k = 0; k < loop->rank; k++)
    if (!ir_size_of(l->g->to, loop->extent[k])) return false;
  return true;
}

static ir_val out(const leaving *l, ir_mode mode, ir_val init, const ir_axes *axes, ir_val yield) {
  return ir_loop_out(l->g->to, l->loop, mode, init, axes, yield);
}

/* The array is the surrounding scope's own: all that comes in is added there, into what it has so far if that can be. */
static void key_at_home(const leaving *l, const grad_part *p) {
  ir_type full = l->type;
  bool longer = p->pad && padded_type(l->g->m->sizes, &full, &p->axes);
  grad_adjoint *home = grad_parts(l->g, l->s, l->v);
  ir_val init = 0;
  if (!longer && home && home->dense && stands_before(l, home->dense->val)) {
    init = home->dense->val;
    home->dense = NULL;
  }
  if (!init) init = zeros_before(l, full);
  ir_val r = out(l, IR_KEYED, init, &p->axes, p->val);
  grad_add(l->g, l->s, l->v, longer ? unpad(&l->s->b, r, l->type) : r);
}

/* Keys and values of all iterations. */
static void key_as_list(const leaving *l, const grad_part *p) {
  ir_axes lists = {.n = p->axes.n};
  for (uint32_t k = 0; k < p->axes.n; k++)
    if (p->axes.at[k]) lists.at[k] = out(l, IR_STACK, 0, NULL, p->axes.at[k]);
  grad_add_keyed(l->g, l->s, l->v, lists, out(l, IR_STACK, 0, NULL, p->val), p->pad);
}

static void leave_keyed(const leaving *l, const grad_part *p, bool home) {
  const ir_loop *loop = l->loop->u.loop;
  bool list = is_list(l->g, &p->axes), free_axis = false, in_order = true, other = false, kept_key = false;
  uint32_t used = 0, seen = 0;
  ir_axes inside = {0}, kept = {.n = p->axes.n}; /* the slice that becomes dense here, and the key that stays outside */
  ir_type slice = ir_scalar(IR_REAL);
  for (uint32_t k = 0; k < p->axes.n && !list; k++) {
    ir_val x = p->axes.at[k];
    int index = x ? own_index(l, x, l->type.dim[k]) : -1;
    if (x && index < 0 && !grad_inside(l->g->to, x, l->loop)) {
      kept.at[k] = x;
      kept_key = true;
      continue;
    }
    other |= x && (index < 0 || (seen >> index & 1)); /* x[i, i] is no dense slice */
    if (index >= 0) seen |= 1u << index;
    if (!x) free_axis = true;
    else if (index != (int)used++ || free_axis) in_order = false;
    slice.dim[slice.rank++] = l->type.dim[k];
    inside.at[inside.n++] = x;
  }
  if (!list && !other && !(home && kept_key)) {
    ir_val r;
    if (used == 0) r = out(l, IR_SUM, 0, NULL, p->val);
    else if (in_order && used == loop->rank) r = out(l, IR_STACK, 0, NULL, p->val);
    else if (home) {
      key_at_home(l, p);
      return;
    } else r = out(l, IR_KEYED, zeros_before(l, slice), &inside, p->val);
    grad_add_keyed(l->g, l->s, l->v, kept, r, p->pad);
    return;
  }
  if (home) {
    key_at_home(l, p);
    return;
  }
  ir_type value = ir_type_of(l->g->to, p->val);
  if (extents_are_sizes(l) && value.rank + loop->rank <= IR_MAX_RANK) {
    key_as_list(l, p);
    return;
  }
  /* No list can be made: an array for each iteration of what is around. */
  ir_type full = l->type;
  bool longer = p->pad && padded_type(l->g->m->sizes, &full, &p->axes);
  ir_val r = out(l, IR_KEYED, zeros_before(l, full), &p->axes, p->val);
  grad_add(l->g, l->s, l->v, longer ? unpad(&l->s->b, r, l->type) : r);
}

void grad_leave_loop(grad *g, grad_scope *t) {
  leaving l = {.g = g, .t = t, .s = t->outer, .loop = t->loop};
  grad_scope_close(g, t);
  for (grad_adjoint *a = t->list; a; a = a->next) {
    if (g->info[a->v].home == t->src) continue;
    l.v = a->v;
    l.type = ir_type_of(g->f, a->v);
    bool home = g->info[a->v].home == l.s->src && !grad_is_keyed_state(g, a->v);
    if (a->dense) grad_add(g, l.s, a->v, out(&l, IR_SUM, 0, NULL, a->dense->val));
    for (grad_part *p = a->keyed; p; p = p->next) leave_keyed(&l, p, home);
  }
}

/* ---- leaving an if */

typedef struct branches {
  grad *g;
  grad_scope *s, *arm[2]; /* around the if; then, else */
  ir_op *branch;
} branches;

static ir_val join(const branches *j, int arm, ir_val x, ir_val y) {
  return ir_if_out(j->g->to, j->branch, arm ? y : x, arm ? x : y);
}

/* A value of one arm and what stands for it in the other. */
static ir_val join_zero(const branches *j, int arm, ir_val x) {
  return join(j, arm, x, grad_zero(&j->arm[1 - arm]->b, ir_type_of(j->g->to, x)));
}

/* The index of a loop over the whole axis is a key whichever arm is taken. */
static bool always_key(const grad *g, ir_val x, ir_size dim) {
  const ir_value *val = ir_value_of(g->to, x);
  return val->def == IR_DEF_INDEX && ir_size_of(g->to, val->op->u.loop->extent[val->slot]) == dim;
}

static grad_adjoint *find(const grad_scope *s, ir_val v) {
  grad_adjoint *a = s->list;
  while (a && a->v != v) a = a->next;
  return a;
}

static bool same_key_shape(const grad *g, const ir_axes *a, const ir_axes *b) {
  for (uint32_t k = 0; k < a->n; k++) {
    if (!a->at[k] != !b->at[k]) return false;
    if (a->at[k] && !ir_type_equal(ir_type_of(g->to, a->at[k]), ir_type_of(g->to, b->at[k]))) return false;
  }
  return true;
}

static void join_keyed(const branches *j, int arm, ir_val v, const grad_part *p, grad_part *other) {
  ir_axes axes = {.n = p->axes.n};
  bool sure = true;
  for (uint32_t k = 0; k < axes.n; k++) {
    if (!p->axes.at[k]) continue;
    bool always = always_key(j->g, p->axes.at[k], ir_type_of(j->g->f, v).dim[k]);
    sure &= always;
    if (always && !other) axes.at[k] = p->axes.at[k];
    else if (other && other->axes.at[k] == p->axes.at[k]) axes.at[k] = p->axes.at[k];
    else axes.at[k] = other ? join(j, arm, p->axes.at[k], other->axes.at[k]) : join_zero(j, arm, p->axes.at[k]);
  }
  ir_val x = other ? join(j, arm, p->val, other->val) : join_zero(j, arm, p->val);
  grad_add_keyed(j->g, j->s, v, axes, x, other ? p->pad || other->pad : p->pad || !sure);
}

/* The parts for v in one arm, with their like in the other, which are then gone. */
static void join_parts(const branches *j, int arm, grad_adjoint *a) {
  grad_adjoint *b = find(j->arm[1 - arm], a->v);
  bool home = j->g->info[a->v].home == j->s->src && !grad_is_keyed_state(j->g, a->v);
  if (home) {
    /* One array for each time that the array itself is made. */
    ir_val x = take(j->g, j->arm[arm], a), y = b ? take(j->g, j->arm[1 - arm], b) : 0;
    if (x) grad_add(j->g, j->s, a->v, y ? join(j, arm, x, y) : join_zero(j, arm, x));
    return;
  }
  if (a->dense) {
    ir_val y = b && b->dense ? b->dense->val : 0;
    grad_add(j->g, j->s, a->v, y ? join(j, arm, a->dense->val, y) : join_zero(j, arm, a->dense->val));
    if (b) b->dense = NULL;
  }
  for (grad_part *p = a->keyed; p; p = p->next) {
    grad_part **q = b ? &b->keyed : NULL;
    while (q && *q && !same_key_shape(j->g, &p->axes, &(*q)->axes)) q = &(*q)->next;
    grad_part *other = q ? *q : NULL;
    if (other) *q = other->next;
    join_keyed(j, arm, a->v, p, other);
  }
  a->dense = a->keyed = NULL;
}

void grad_leave_if(grad *g, grad_scope *then_, grad_scope *else_, ir_op *branch) {
  /* The arms were open one after the other, and are closed: their lists are what is left. */
  branches j = {g, then_->outer, {then_, else_}, branch};
  for (int arm = 0; arm < 2; arm++)
    for (grad_adjoint *a = j.arm[arm]->list; a; a = a->next)
      if (g->info[a->v].home != j.arm[arm]->src) join_parts(&j, arm, a);
}
