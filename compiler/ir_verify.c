/* ir_verify.c: every rule of docs/ir.md that a function can break.
 *
 * One walk over the tree.  `seen` marks the values whose definition dominates the cursor: set at the definition, cleared
 * when the block ends.  The first fault ends the walk with a message that names the function, the rule and the
 * operation's line as ir_print shows it. */
#include "compiler/ir_text.h"

#include <string.h>

typedef struct verifier {
  const ir_fn *fn;
  arena *mem;
  uint8_t *seen;
  const ir_op *op; /* being checked; NULL for the function's head */
  const char *message;
  jmp_buf fault;
} verifier;

static _Noreturn void fail(verifier *v, const char *what) {
  strbuf text;
  strbuf_init(&text, v->mem);
  strbuf_printf(&text, "@%s: %s", v->fn->name, what);
  if (v->op) {
    ir_numbering names = ir_number_values(v->fn);
    strbuf_puts(&text, ": `");
    ir_print_op_line(&names, v->op, &text);
    strbuf_putc(&text, '`');
  }
  v->message = text.s;
  longjmp(v->fault, 1);
}

static void require(verifier *v, bool holds, const char *what) {
  if (!holds) fail(v, what);
}

static const char *type_text(verifier *v, ir_type t) {
  strbuf text;
  strbuf_init(&text, v->mem);
  ir_print_type(v->fn->module, t, &text);
  return text.s;
}

static void check_type(verifier *v, ir_type t, const char *of) {
  require(v, t.elem <= IR_KEY && t.rank <= IR_MAX_RANK, "a value without a type");
  for (int k = 0; k < t.rank; k++)
    if (t.dim[k] == IR_SIZE_NONE) fail(v, arena_printf(v->mem, "%s has an extent that is no size", of));
}

static void expect_type(verifier *v, ir_type is, ir_type should, const char *of) {
  if (!ir_type_equal(is, should)) fail(v, arena_printf(v->mem, "%s is %s, not %s", of, type_text(v, is), type_text(v, should)));
}

static void use(verifier *v, ir_val x, const char *of) {
  if (x == 0 || x >= v->fn->nvals) fail(v, arena_printf(v->mem, "%s is missing", of));
  if (!v->seen[x]) fail(v, arena_printf(v->mem, "%s is not defined here", of));
}

static ir_type use_type(verifier *v, ir_val x, const char *of) {
  use(v, x, of);
  return ir_type_of(v->fn, x);
}

static void use_scalar(verifier *v, ir_val x, ir_elem elem, const char *of) {
  expect_type(v, use_type(v, x, of), ir_scalar(elem), of);
}

static const char *operand(verifier *v, uint32_t k) { return arena_printf(v->mem, "operand %u", k + 1); }

static void define(verifier *v, ir_val x, ir_def def, uint32_t slot, const ir_op *op) {
  require(v, x > 0 && x < v->fn->nvals, "a result is missing");
  const ir_value *val = &v->fn->val[x];
  require(v, !v->seen[x], "a value is defined twice");
  require(v, val->def == def && val->slot == slot && val->op == op, "a value does not know its definition");
  check_type(v, val->type, def == IR_DEF_PARAM ? "a parameter" : "a result");
  v->seen[x] = 1;
}

/* ---- operations without blocks */

/* A position in an array of type t, entries being int scalars. */
static void check_axes(verifier *v, const ir_axes *axes, ir_type t) {
  if (axes->n != t.rank) fail(v, arena_printf(v->mem, "a position of %u entries in an array of rank %u", axes->n, t.rank));
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k]) use_scalar(v, axes->at[k], IR_INT, "an entry of the position");
}

static bool letter_admits(char letter, ir_type t) {
  if (t.rank != 0) return false;
  switch (letter) {
  case 'r': return t.elem == IR_REAL;
  case 'i': return t.elem == IR_INT;
  case 'b': return t.elem == IR_BOOL;
  case 'k': return t.elem == IR_KEY;
  case 'n': return t.elem == IR_REAL || t.elem == IR_INT;
  default: return true;
  }
}

static const char *letter_text(char letter) {
  switch (letter) {
  case 'r': return "a real";
  case 'i': return "an int";
  case 'b': return "a bool";
  case 'k': return "a key";
  case 'n': return "a real or an int";
  default: return "a scalar";
  }
}

static void count_args(verifier *v, const ir_op *op, uint32_t n) {
  if (op->nargs != n) fail(v, arena_printf(v->mem, "%u operands where there should be %u", op->nargs, n));
}

static void one_result(verifier *v, const ir_op *op, ir_type t) {
  require(v, op->nres == 1, "an operation that should have one result");
  require(v, op->res[0] > 0 && op->res[0] < v->fn->nvals, "a result is missing");
  check_type(v, t, "the result");
  expect_type(v, ir_type_of(v->fn, op->res[0]), t, "the result");
}

static void check_signature(verifier *v, const ir_op *op) {
  const char *sig = ir_op_table[op->code].signature, *colon = strchr(sig, ':');
  count_args(v, op, (uint32_t)(colon - sig));
  ir_type same = {0};
  bool bound = false;
  for (uint32_t k = 0; k < op->nargs; k++) {
    ir_type t = use_type(v, op->args[k], operand(v, k));
    if (!letter_admits(sig[k], t)) fail(v, arena_printf(v->mem, "operand %u is %s, not %s", k + 1, type_text(v, t), letter_text(sig[k])));
    if (sig[k] != 'n' && sig[k] != 's') continue;
    if (bound) expect_type(v, t, same, operand(v, k));
    same = t;
    bound = true;
  }
  ir_type result = same;
  if (colon[1] == 'r') result = ir_scalar(IR_REAL);
  if (colon[1] == 'i') result = ir_scalar(IR_INT);
  if (colon[1] == 'b') result = ir_scalar(IR_BOOL);
  if (colon[1] == 'k') result = ir_scalar(IR_KEY);
  one_result(v, op, result);
}

static ir_type real_array(verifier *v, ir_val x, const char *of, int lo, int hi) {
  ir_type t = use_type(v, x, of);
  if (t.elem != IR_REAL || t.rank < lo || t.rank > hi)
    fail(v, arena_printf(v->mem, "%s is %s, not %s of reals", of, type_text(v, t), lo == hi ? "a matrix" : "a vector or matrix"));
  return t;
}

static void check_matmul(verifier *v, const ir_op *op) {
  count_args(v, op, 2);
  ir_type a = real_array(v, op->args[0], "operand 1", 1, 2), b = real_array(v, op->args[1], "operand 2", 1, 2);
  bool ta = op->flags & IR_TRANS_A, tb = op->flags & IR_TRANS_B, outer = a.rank == 1 && b.rank == 1 && tb;
  require(v, !(ta && a.rank == 1), "a mark on a vector");
  require(v, !(tb && b.rank == 1) || outer, "a mark on a vector");
  ir_type r = ir_scalar(IR_REAL);
  if (outer) {
    r = ir_array(IR_REAL, 2, (ir_size[]){a.dim[0], b.dim[0]});
  } else {
    ir_size inner_a = a.rank == 1 || ta ? a.dim[0] : a.dim[1];
    ir_size inner_b = b.rank == 2 && tb ? b.dim[1] : b.dim[0];
    if (inner_a != inner_b)
      fail(v, arena_printf(v->mem, "the shapes %s and %s do not go together", type_text(v, a), type_text(v, b)));
    if (a.rank == 2) r.dim[r.rank++] = a.dim[ta ? 1 : 0];
    if (b.rank == 2) r.dim[r.rank++] = b.dim[tb ? 0 : 1];
  }
  one_result(v, op, r);
}

static ir_type square(verifier *v, ir_val x, const char *of) {
  ir_type t = real_array(v, x, of, 2, 2);
  if (t.dim[0] != t.dim[1]) fail(v, arena_printf(v->mem, "%s is %s, which is not square", of, type_text(v, t)));
  return t;
}

static void check_dense(verifier *v, const ir_op *op) {
  count_args(v, op, op->code == IR_CHOLESKY_OP ? 1 : 2);
  ir_type l = square(v, op->args[0], "operand 1");
  if (op->code == IR_CHOL_ADJ_OP) expect_type(v, use_type(v, op->args[1], "operand 2"), l, "operand 2");
  if (op->code == IR_QR_R_OP) {
    ir_type b = real_array(v, op->args[1], "operand 2", 2, 2);
    if (b.dim[1] != l.dim[0])
      fail(v, arena_printf(v->mem, "the shapes %s and %s do not go together", type_text(v, l), type_text(v, b)));
  }
  if (op->code == IR_TRISOLVE_OP) {
    ir_type b = real_array(v, op->args[1], "operand 2", 1, 2);
    if (b.dim[0] != l.dim[0])
      fail(v, arena_printf(v->mem, "the shapes %s and %s do not go together", type_text(v, l), type_text(v, b)));
    l = b;
  }
  one_result(v, op, l);
}

static void check_inverse(verifier *v, const ir_op *op) {
  count_args(v, op, 2);
  ir_type k = use_type(v, op->args[0], "operand 1");
  if (k.elem != IR_INT || k.rank != 1) fail(v, arena_printf(v->mem, "operand 1 is %s, not a list of ints", type_text(v, k)));
  use_scalar(v, op->args[1], IR_INT, "operand 2");
  ir_size n = ir_size_of(v->fn, op->args[1]);
  require(v, n != IR_SIZE_NONE, "the number of buckets is neither a literal nor a size");
  if (op->code == IR_INV_PTR_OP) k.dim[0] = size_add(v->fn->module->sizes, n, size_const(v->fn->module->sizes, 1));
  one_result(v, op, k);
}

static void check_draw(verifier *v, const ir_op *op) {
  uint32_t params = op->code == IR_BINOMIAL_OP ? 2 : op->code <= IR_EXPONENTIAL_OP ? 0 : 1;
  count_args(v, op, 2 + params);
  require(v, op->u.integer >= 0, "a draw with a negative site");
  use_scalar(v, op->args[0], IR_KEY, "operand 1");
  use_scalar(v, op->args[1], IR_INT, "operand 2");
  ir_elem result = IR_REAL;
  switch (op->code) {
  case IR_BINOMIAL_OP:
    use_scalar(v, op->args[2], IR_INT, "operand 3");
    use_scalar(v, op->args[3], IR_REAL, "operand 4");
    result = IR_INT;
    break;
  case IR_CATEGORICAL_OP: {
    ir_type t = use_type(v, op->args[2], "operand 3");
    if (t.elem != IR_REAL || t.rank != 1) fail(v, arena_printf(v->mem, "operand 3 is %s, not a list of weights", type_text(v, t)));
    result = IR_INT;
    break;
  }
  case IR_POISSON_OP: result = IR_INT; /* fallthrough */
  case IR_GAMMA_OP:
  case IR_LOG_GAMMA_OP: use_scalar(v, op->args[2], IR_REAL, "operand 3"); break;
  default: break;
  }
  one_result(v, op, ir_scalar(result));
}

static void check_call(verifier *v, const ir_op *op) {
  const ir_fn *callee = op->u.callee;
  require(v, callee && callee->module == v->fn->module, "a call of no function of the module");
  require(v, !callee->is_model, "a call of a model");
  count_args(v, op, callee->nparams);
  for (uint32_t k = 0; k < op->nargs; k++) use(v, op->args[k], operand(v, k));
  ir_size *from, *to;
  size_table *sizes = v->fn->module->sizes;
  size_t n = ir_call_sizes(v->fn, callee, op->nargs, op->args, &from, &to);
  for (uint32_t k = 0; k < op->nargs; k++)
    expect_type(v, ir_type_of(v->fn, op->args[k]), ir_type_substitute(sizes, ir_type_of(callee, callee->param[k].val), n, from, to),
                operand(v, k));
  if (op->nres != callee->nret) fail(v, arena_printf(v->mem, "%u results of a function that returns %u", op->nres, callee->nret));
  for (uint32_t k = 0; k < op->nres; k++)
    expect_type(v, ir_type_of(v->fn, op->res[k]), ir_type_substitute(sizes, ir_type_of(callee, callee->ret[k]), n, from, to), "the result");
}

static void check_bound(verifier *v, ir_val x, ir_elem elem, const char *of) {
  if (!x) return;
  ir_type t = use_type(v, x, of);
  require(v, t.rank == 0 && t.elem == (elem == IR_BOOL ? IR_INT : elem), "a bound that is not a scalar of the site's element type, or an int for bool");
}

static void check_tilde(verifier *v, const ir_op *op) {
  const ir_tilde *t = op->u.tilde;
  bool observe = op->code == IR_OBSERVE_OP;
  uint32_t number = t->site->number;
  require(v, number >= 1 && number <= v->fn->nsites && v->fn->site[number - 1] == t->site, "a site of another function");
  require(v, t->dist != NULL, "a site without a distribution");
  require(v, observe == (t->site->role == IR_OBSERVED), observe ? "an observation of a site that is drawn" : "a draw of a site that is observed");
  uint32_t rank = t->site->type.rank - t->site->event_rank;
  if (t->axes.n != rank) fail(v, arena_printf(v->mem, "a place of %u entries for a site with %u", t->axes.n, rank));
  for (uint32_t k = 0; k < rank; k++) use_scalar(v, t->axes.at[k], IR_INT, "an entry of the place");
  require(v, !t->standard || (!observe && !t->cut && t->dist && t->dist->standard && t->dist->from_standard), "a standard variate that there is none of");
  check_bound(v, t->lo, (ir_elem)t->site->type.elem, "the lower bound");
  check_bound(v, t->hi, (ir_elem)t->site->type.elem, "the upper bound");
  ir_type event = {.elem = t->site->type.elem};
  for (uint32_t k = rank; k < t->site->type.rank; k++) event.dim[event.rank++] = t->site->type.dim[k];
  count_args(v, op, t->dist->nparams + observe);
  for (uint32_t k = 0; k < op->nargs; k++) use(v, op->args[k], operand(v, k));
  if (observe) {
    /* Integers and truth values may be observed as the reals that the distribution has. */
    ir_type value = ir_type_of(v->fn, op->args[0]);
    if (value.elem == IR_REAL) event.elem = IR_REAL;
    expect_type(v, value, event, "the observed value");
  } else one_result(v, op, event);
}

/* ---- regions */

static void check_block(verifier *v, const ir_block *block, const ir_op *owner, int depth);

/* What a block defined is out of sight behind it. */
static void forget_block(verifier *v, const ir_block *block) {
  for (const ir_op *op = block->first; op; op = op->next)
    for (uint32_t k = 0; k < op->nres; k++) v->seen[op->res[k]] = 0;
}

static bool starts(uint8_t mode) { return mode == IR_INTO || mode == IR_KEYED || mode == IR_CARRY; }

static ir_type keyed_type(verifier *v, const ir_out *out, ir_type init) {
  ir_type shape = {.elem = IR_INT};
  int scalars = 0, lists = 0;
  for (uint32_t k = 0; k < out->axes.n; k++) {
    if (!out->axes.at[k]) continue;
    ir_type t = use_type(v, out->axes.at[k], "an entry of the position");
    if (t.rank == 0) {
      use_scalar(v, out->axes.at[k], IR_INT, "an entry of the position");
      scalars++;
    } else {
      if (lists++) expect_type(v, t, shape, "an entry of the position");
      require(v, t.elem == IR_INT, "a position that is not of ints");
      shape = t;
    }
  }
  require(v, !(scalars && lists), "a position of scalars and arrays");
  ir_type slice = ir_slice_type(init, &out->axes), t = {.elem = init.elem};
  require(v, shape.rank + slice.rank <= IR_MAX_RANK, "a value of more than six axes");
  for (int k = 0; k < shape.rank; k++) t.dim[t.rank++] = shape.dim[k];
  for (int k = 0; k < slice.rank; k++) t.dim[t.rank++] = slice.dim[k];
  return t;
}

static ir_type check_out(verifier *v, const ir_op *op, const ir_out *out) {
  const ir_loop *loop = op->u.loop;
  ir_type value = use_type(v, out->yield, "a yielded value");
  ir_type init = starts(out->mode) ? ir_type_of(v->fn, out->init) : value;
  bool numeric = value.elem == IR_REAL || value.elem == IR_INT;
  require(v, out->axes.n == 0 || out->mode == IR_INTO || out->mode == IR_KEYED, "a position in a result that has none");
  switch (out->mode) {
  case IR_STACK: {
    ir_type t = {.elem = value.elem};
    require(v, loop->rank + value.rank <= IR_MAX_RANK, "a stack of more than six axes");
    for (uint32_t k = 0; k < loop->rank; k++) {
      t.dim[t.rank++] = ir_size_of(v->fn, loop->extent[k]);
      require(v, t.dim[k] != IR_SIZE_NONE, "a stack over an extent that is neither a literal nor a size");
    }
    for (int k = 0; k < value.rank; k++) t.dim[t.rank++] = value.dim[k];
    return t;
  }
  case IR_INTO:
    check_axes(v, &out->axes, init);
    expect_type(v, value, ir_slice_type(init, &out->axes), "a placed value");
    return init;
  case IR_KEYED:
    require(v, init.elem == IR_REAL || init.elem == IR_INT, "a sum of what is not a number");
    if (out->axes.n != init.rank) fail(v, arena_printf(v->mem, "a position of %u entries in an array of rank %u", out->axes.n, init.rank));
    expect_type(v, value, keyed_type(v, out, init), "an added value");
    return init;
  case IR_SUM: require(v, numeric, "a sum of what is not a number"); return value;
  case IR_MAX:
  case IR_MIN: require(v, numeric, "an extreme of what is not a number"); return value;
  case IR_CARRY: expect_type(v, value, init, "a carried value"); return init;
  default: fail(v, "a result of no mode");
  }
}

static void check_live(verifier *v, const ir_op *op) {
  const ir_loop *loop = op->u.loop;
  require(v, op->code == IR_SCAN_OP && !loop->down, "what may end early is no upward scan");
  bool found = false;
  for (uint32_t k = 0; k < loop->nout; k++) found |= loop->out[k].state == loop->live && loop->out[k].mode == IR_CARRY;
  require(v, found, "a scan that goes on by what it does not carry");
  expect_type(v, ir_type_of(v->fn, loop->live), ir_scalar(IR_BOOL), "what a scan goes on by");
  require(v, ir_size_of(v->fn, loop->extent[0]) != IR_SIZE_NONE, "a scan that may end early and has no size");
}

static void check_loop(verifier *v, const ir_op *op, int depth) {
  const ir_loop *loop = op->u.loop;
  bool scan = op->code == IR_SCAN_OP;
  count_args(v, op, 0);
  require(v, loop->rank >= 1 && loop->rank <= IR_MAX_RANK, "a loop over no axis or more than six");
  require(v, !scan || loop->rank == 1, "a scan over more than one axis");
  require(v, scan || !loop->down, "a plate that runs down");
  require(v, op->nres == loop->nout, "a loop whose results and outputs differ in number");
  for (uint32_t k = 0; k < loop->rank; k++) use_scalar(v, loop->extent[k], IR_INT, "an extent");
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *out = &loop->out[k];
    require(v, out->mode <= IR_CARRY, "a result of no mode");
    require(v, scan || out->mode != IR_CARRY, "a plate that carries");
    require(v, starts(out->mode) == (out->init != 0), "a result whose start is missing or has no use");
    if (out->init) use(v, out->init, "a start");
    require(v, (out->state != 0) == (scan && starts(out->mode)), "a state where none may be, or none where one must be");
    require(v, !loop->live || out->mode == IR_STACK || starts(out->mode), "a scan that may end early and reduces");
  }
  if (loop->live) check_live(v, op);
  for (uint32_t k = 0; k < loop->rank; k++) {
    define(v, loop->index[k], IR_DEF_INDEX, k, op);
    expect_type(v, ir_type_of(v->fn, loop->index[k]), ir_scalar(IR_INT), "an index");
  }
  for (uint32_t k = 0; k < loop->nout; k++) {
    if (!loop->out[k].state) continue;
    define(v, loop->out[k].state, IR_DEF_STATE, k, op);
    expect_type(v, ir_type_of(v->fn, loop->out[k].state), ir_type_of(v->fn, loop->out[k].init), "a state");
  }
  check_block(v, &loop->body, op, depth + 1);
  v->op = op;
  for (uint32_t k = 0; k < loop->nout; k++) {
    ir_type t = check_out(v, op, &loop->out[k]);
    require(v, op->res[k] > 0 && op->res[k] < v->fn->nvals, "a result is missing");
    expect_type(v, ir_type_of(v->fn, op->res[k]), t, "the result");
  }
  forget_block(v, &loop->body);
  for (uint32_t k = 0; k < loop->rank; k++) v->seen[loop->index[k]] = 0;
  for (uint32_t k = 0; k < loop->nout; k++) v->seen[loop->out[k].state] = 0;
}

static void check_branch(verifier *v, const ir_op *op, const ir_block *block, const ir_val *yield, int depth) {
  check_block(v, block, op, depth + 1);
  v->op = op;
  for (uint32_t k = 0; k < op->nres; k++) {
    ir_type t = use_type(v, yield[k], "a yielded value");
    require(v, op->res[k] > 0 && op->res[k] < v->fn->nvals, "a result is missing");
    expect_type(v, t, ir_type_of(v->fn, op->res[k]), "a yielded value");
  }
  forget_block(v, block);
}

static void check_op(verifier *v, const ir_op *op, int depth) {
  const ir_op_info *info = &ir_op_table[op->code];
  require(v, info->effect != IR_MODEL || v->fn->is_model, "an operation of models outside a model");
  if (strchr(info->signature, ':')) {
    check_signature(v, op);
    return;
  }
  switch (op->code) {
  case IR_REAL_OP: one_result(v, op, ir_scalar(IR_REAL)); break;
  case IR_INT_OP: one_result(v, op, ir_scalar(IR_INT)); break;
  case IR_BOOL_OP: one_result(v, op, ir_scalar(IR_BOOL)); break;
  case IR_SIZE_OP:
    require(v, op->u.size != IR_SIZE_NONE, "no size");
    one_result(v, op, ir_scalar(IR_INT));
    break;
  case IR_NEW_OP:
    count_args(v, op, 0);
    require(v, op->nres == 1, "an operation that should have one result");
    require(v, ir_type_of(v->fn, op->res[0]).rank > 0, "a new array without axes");
    break;
  case IR_AT_OP: {
    count_args(v, op, 1);
    ir_type t = use_type(v, op->args[0], "operand 1");
    require(v, t.rank > 0, "an element of what is no array");
    check_axes(v, &op->u.axes, t);
    one_result(v, op, ir_slice_type(t, &op->u.axes));
    break;
  }
  case IR_PUT_OP: {
    count_args(v, op, 2);
    ir_type t = use_type(v, op->args[0], "operand 1");
    require(v, t.rank > 0, "an element of what is no array");
    check_axes(v, &op->u.axes, t);
    expect_type(v, use_type(v, op->args[1], "operand 2"), ir_slice_type(t, &op->u.axes), "operand 2");
    one_result(v, op, t);
    break;
  }
  case IR_MATMUL_OP: check_matmul(v, op); break;
  case IR_CHOLESKY_OP:
  case IR_CHOL_ADJ_OP:
  case IR_QR_R_OP:
  case IR_TRISOLVE_OP: check_dense(v, op); break;
  case IR_INV_PTR_OP:
  case IR_INV_LIST_OP: check_inverse(v, op); break;
  case IR_PLATE_OP:
  case IR_SCAN_OP: check_loop(v, op, depth); break;
  case IR_IF_OP:
    count_args(v, op, 1);
    use_scalar(v, op->args[0], IR_BOOL, "the condition");
    check_branch(v, op, &op->u.branch->then_, op->u.branch->then_yield, depth);
    check_branch(v, op, &op->u.branch->else_, op->u.branch->else_yield, depth);
    break;
  case IR_CALL_OP: check_call(v, op); break;
  case IR_MEMO_OP:
    require(v, op->nargs > 0, "a mark without a value");
    for (uint32_t k = 0; k < op->nargs; k++) use(v, op->args[k], "an operand");
    one_result(v, op, ir_type_of(v->fn, op->args[0]));
    break;
  case IR_MEMO_FIND_OP:
    for (uint32_t k = 0; k < op->nargs; k++) use(v, op->args[k], "an operand");
    require(v, op->nres == 2 && ir_type_equal(ir_type_of(v->fn, op->res[0]), ir_scalar(IR_INT)), "an operation that should have a handle and a value");
    break;
  case IR_MEMO_KEEP_OP:
    count_args(v, op, 2);
    use_scalar(v, op->args[0], IR_INT, "the handle");
    one_result(v, op, use_type(v, op->args[1], "operand 2"));
    break;
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP: check_tilde(v, op); break;
  case IR_FACTOR_OP:
  case IR_ENERGY_OP:
    count_args(v, op, 1);
    use_scalar(v, op->args[0], IR_REAL, "operand 1");
    break;
  case IR_TRACK_OP:
    count_args(v, op, 1);
    use(v, op->args[0], "operand 1");
    break;
  default: check_draw(v, op); break;
  }
}

static void check_block(verifier *v, const ir_block *block, const ir_op *owner, int depth) {
  if (depth > IR_MAX_DEPTH) {
    v->op = NULL;
    v->fn->module->deep = true;
    fail(v, "blocks nested too deep");
  }
  require(v, block->owner == owner, "a block that does not know its operation");
  const ir_op *prev = NULL;
  for (const ir_op *op = block->first; op; prev = op, op = op->next) {
    v->op = op;
    require(v, op->block == block && op->prev == prev, "an operation that is not linked into its block");
    require(v, op->code < IR_OP_COUNT, "no operation");
    check_op(v, op, depth);
    v->op = op;
    bool none = op->code == IR_OBSERVE_OP || op->code == IR_FACTOR_OP || op->code == IR_ENERGY_OP || op->code == IR_TRACK_OP;
    require(v, !none || op->nres == 0, "an operation that should have no result");
    for (uint32_t k = 0; k < op->nres; k++) define(v, op->res[k], IR_DEF_RESULT, k, op);
  }
  v->op = NULL;
  require(v, block->last == prev, "a block whose end is not its last operation");
}

/* ---- functions */

typedef struct callees {
  ir_fn **fn;
  size_t n, cap;
  arena *mem;
} callees;

static void note_callee(void *user, ir_op *op) {
  callees *c = user;
  if (op->code != IR_CALL_OP || !op->u.callee) return;
  for (size_t k = 0; k < c->n; k++)
    if (c->fn[k] == op->u.callee) return;
  ARENA_PUSH(c->mem, c->fn, c->n, c->cap, op->u.callee);
}

static void check_recursion(verifier *v) {
  callees c = {.mem = v->mem};
  ir_visit_ops((ir_block *)&v->fn->body, note_callee, &c);
  for (size_t k = 0; k < c.n; k++) {
    if (c.fn[k] == v->fn) fail(v, "a function that calls itself");
    ir_visit_ops(&c.fn[k]->body, note_callee, &c);
  }
}

static void check_head(verifier *v) {
  const ir_fn *fn = v->fn;
  for (uint32_t k = 0; k < fn->nparams; k++) {
    const ir_param *p = &fn->param[k];
    define(v, p->val, IR_DEF_PARAM, k, NULL);
    ir_type t = ir_type_of(fn, p->val);
    if (p->role == IR_ROLE_KEY) expect_type(v, t, ir_scalar(IR_KEY), "a parameter with the role key");
    if (p->role == IR_ROLE_INDEX && t.rank == 0) expect_type(v, t, ir_scalar(IR_INT), "a parameter with the role index");
    if (p->role == IR_ROLE_INDEX && t.rank) expect_type(v, t, ir_array(IR_INT, 1, t.dim), "a list of indices");
    require(v, p->role != IR_ROLE_UNCON || t.elem == IR_REAL, "an unconstrained parameter that is not real");
    require(v, !fn->is_model || p->role <= IR_ROLE_FRAME, "a parameter of a model that is not data");
  }
  require(v, fn->is_model || fn->nsites == 0, "sites outside a model");
  for (uint32_t k = 0; k < fn->nsites; k++) {
    const ir_site *s = fn->site[k];
    check_type(v, s->type, "a site");
    require(v, s->number == k + 1, "a site with the wrong number");
    require(v, s->role <= IR_PREDICTED && s->support <= IR_SUP_FINITE, "a site without role or support");
    require(v, s->event_rank <= s->type.rank && s->event_rank <= 2, "a site whose event has more axes than the site");
  }
}

const char *ir_verify(const ir_fn *fn) {
  verifier *v = ARENA_NEW(fn->module->mem, verifier);
  v->fn = fn;
  v->mem = fn->module->mem;
  v->seen = ARENA_ARRAY(v->mem, uint8_t, fn->nvals);
  if (setjmp(v->fault)) return v->message;
  check_head(v);
  check_block(v, &fn->body, NULL, 0);
  for (uint32_t k = 0; k < fn->nret; k++) use(v, fn->ret[k], "a returned value");
  check_recursion(v);
  return NULL;
}

bool ir_verify_after(ir_fn *fn, const char *step) {
  ir_module *m = fn->module;
  if (m->fault) return false;
  const char *fault = ir_verify(fn);
  if (fault) m->fault = arena_printf(m->mem, "%s: %s", step, fault);
  return !fault;
}
