/* ir_parse.c: the text of docs/ir.md section 2, by recursive descent over the words of ir_scan.c.
 *
 * Two passes.  The first reads the heads of functions and the distributions, so that calls may point forward; the second
 * reads the bodies.  Operations are made by the builder, which finds their types; whether these fit is ir_verify's
 * question.  Any bytes give a module or one error: nesting is limited to IR_MAX_DEPTH blocks, and a fault leaves by
 * longjmp, over nothing but arena memory, to take back what was added. */
#include "compiler/ir_scan.h"

#include <math.h>
#include <string.h>

enum { MAX_TEXT = 16 << 20, MAX_LIST = 4096 };

typedef struct value_list {
  ir_val *v;
  size_t n, cap;
} value_list;

/* A function whose head has been read. */
typedef struct pending {
  ir_fn *fn;
  const char *body; /* just behind its brace */
  name_list params; /* names of the values */
  ir_type *result;
  size_t nresults, cap_results;
} pending;

enum { MEMBERS = 6 }; /* functions of a distribution */

typedef struct pending_dist {
  ir_dist *dist;
  const char *member[MEMBERS], *at[MEMBERS];
} pending_dist;

typedef struct parser {
  ir_scan s;
  pending *fn;
  size_t nfns, cap_fns;
  pending_dist *dist;
  size_t ndists, cap_dists;
} parser;

static void push_value(parser *ps, value_list *list, ir_val v) {
  if (list->n == MAX_LIST) ir_scan_fail(&ps->s, "a list of more than 4096 values");
  ARENA_PUSH(ps->s.mem, list->v, list->n, list->cap, v);
}

/* Values in parentheses. */
static value_list arguments(parser *ps) {
  value_list list = {0};
  ir_scan_expect(&ps->s, "(");
  if (ir_scan_accept(&ps->s, ")")) return list;
  do push_value(ps, &list, ir_scan_value(&ps->s));
  while (ir_scan_accept(&ps->s, ","));
  ir_scan_expect(&ps->s, ")");
  return list;
}

/* Entries up to what cannot continue them; the cursor stands at the first. */
static ir_axes axes_list(parser *ps) {
  ir_axes axes = {0};
  do {
    if (axes.n == IR_MAX_RANK) ir_scan_fail(&ps->s, "a position of more than six entries");
    axes.at[axes.n++] = ir_scan_accept(&ps->s, ":") ? 0 : ir_scan_value(&ps->s);
  } while (ir_scan_accept(&ps->s, ","));
  return axes;
}

static ir_axes bracket_axes(parser *ps) {
  ir_axes axes = {0};
  ir_scan_expect(&ps->s, "[");
  if (ir_scan_accept(&ps->s, "]")) return axes;
  axes = axes_list(ps);
  ir_scan_expect(&ps->s, "]");
  return axes;
}

/* ---- operations */

static void parse_block(parser *ps, ir_builder *b, int depth);

static ir_op *parse_loop(parser *ps, ir_builder *b, ir_code code, int depth) {
  const char *index[IR_MAX_RANK];
  ir_val extent[IR_MAX_RANK];
  uint32_t rank = 0;
  do {
    if (rank == IR_MAX_RANK) ir_scan_fail(&ps->s, "a loop over more than six axes");
    index[rank] = ir_scan_value_name(&ps->s);
    ir_scan_expect(&ps->s, "<");
    extent[rank++] = ir_scan_value(&ps->s);
  } while (ir_scan_accept(&ps->s, ","));
  ir_op *op = ir_loop_begin(b, code, rank, extent);
  ir_loop *loop = op->u.loop;
  loop->down = ir_scan_accept(&ps->s, "down");
  const char *live = ir_scan_accept(&ps->s, "while") ? ir_scan_value_name(&ps->s) : NULL;
  size_t mark = ps->s.scope.live.n;
  name_list states = {0};
  if (ir_scan_accept(&ps->s, "->")) {
    do {
      if (loop->nout == MAX_LIST) ir_scan_fail(&ps->s, "a loop with more than 4096 results");
      ir_mode mode = (ir_mode)ir_scan_choice(&ps->s, "mode of a result", 7, ir_mode_name);
      bool starts = mode == IR_INTO || mode == IR_KEYED || mode == IR_CARRY;
      const char *state = NULL;
      if (starts && code == IR_SCAN_OP) state = ir_scan_value_name(&ps->s);
      ir_val init = 0;
      if (starts) {
        ir_scan_expect(&ps->s, "=");
        init = ir_scan_value(&ps->s);
      }
      ir_loop_state(b->fn, op, mode, init);
      ARENA_PUSH(ps->s.mem, states.v, states.n, states.cap, state);
    } while (ir_scan_accept(&ps->s, ","));
  }
  for (uint32_t k = 0; k < rank; k++) ir_scan_define(&ps->s, index[k], loop->index[k]);
  for (uint32_t k = 0; k < loop->nout; k++)
    if (states.v[k]) ir_scan_define(&ps->s, states.v[k], loop->out[k].state);
  for (uint32_t k = 0; k < loop->nout && live; k++)
    if (states.v[k] && strcmp(states.v[k], live) == 0) loop->live = loop->out[k].state;
  if (live && !loop->live) ir_scan_fail_name(&ps->s, "%", live, " is no state of this scan");
  ir_builder body = ir_builder_in(b, &loop->body);
  parse_block(ps, &body, depth + 1);
  if (loop->nout) {
    ir_scan_expect(&ps->s, "yield");
    for (uint32_t k = 0; k < loop->nout; k++) {
      if (k) ir_scan_expect(&ps->s, ",");
      bool placed = loop->out[k].mode == IR_INTO || loop->out[k].mode == IR_KEYED;
      ir_axes axes = {0};
      if (placed) axes = bracket_axes(ps);
      ir_loop_finish(b->fn, op, k, &axes, ir_scan_value(&ps->s));
    }
  }
  ir_scan_expect(&ps->s, "}");
  ir_scan_scope_leave(&ps->s, mark);
  return op;
}

static value_list parse_branch(parser *ps, ir_builder *b, ir_block *block, int depth) {
  size_t mark = ps->s.scope.live.n;
  value_list yields = {0};
  ir_builder in = ir_builder_in(b, block);
  parse_block(ps, &in, depth + 1);
  if (ir_scan_accept(&ps->s, "yield")) {
    do push_value(ps, &yields, ir_scan_value(&ps->s));
    while (ir_scan_accept(&ps->s, ","));
  }
  ir_scan_expect(&ps->s, "}");
  ir_scan_scope_leave(&ps->s, mark);
  return yields;
}

static ir_op *parse_if(parser *ps, ir_builder *b, int depth) {
  ir_op *op = ir_if_begin(b, ir_scan_value(&ps->s));
  value_list a = parse_branch(ps, b, &op->u.branch->then_, depth);
  ir_scan_expect(&ps->s, "else");
  value_list c = parse_branch(ps, b, &op->u.branch->else_, depth);
  if (a.n != c.n) ir_scan_fail(&ps->s, "the branches of an if yield different numbers of values");
  for (size_t k = 0; k < a.n; k++) ir_if_out(b->fn, op, a.v[k], c.v[k]);
  return op;
}

static ir_op *parse_call(parser *ps, ir_builder *b) {
  ir_scan_expect(&ps->s, "@");
  const char *callee_name = ir_scan_name(&ps->s, "function");
  ir_fn *callee = ir_fn_find(ps->s.m, callee_name);
  if (!callee) ir_scan_fail_name(&ps->s, "there is no function @", callee_name, "");
  value_list args = arguments(ps);
  const pending *head = NULL;
  for (size_t k = 0; k < ps->nfns; k++)
    if (ps->fn[k].fn == callee) head = &ps->fn[k];
  if (!head) return ir_call(b, callee, (uint32_t)args.n, args.v);
  /* Its body may not be there yet: its head says what it returns. */
  ir_op *op = ir_op_insert(b, IR_CALL_OP, (uint32_t)args.n, args.v);
  op->u.callee = callee;
  ir_size *from, *to;
  size_t known = ir_call_sizes(b->fn, callee, op->nargs, args.v, &from, &to);
  for (size_t k = 0; k < head->nresults; k++)
    ir_result_add(b->fn, op, ir_type_substitute(ps->s.m->sizes, head->result[k], known, from, to));
  return op;
}

static ir_op *parse_tilde(parser *ps, ir_builder *b, bool observe) {
  const char *site_name = ir_scan_name(&ps->s, "site");
  ir_site *site = ir_site_find(b->fn, site_name);
  if (!site) ir_scan_fail_name(&ps->s, "there is no site ", site_name, "");
  ir_axes axes = {0};
  if (ir_scan_at(&ps->s, '[')) axes = bracket_axes(ps);
  ir_val lo = 0, hi = 0, observed = 0;
  bool cut = false, standard = false;
  if (observe) {
    observed = ir_scan_value(&ps->s);
  } else if ((cut = ir_scan_accept(&ps->s, "within")) || ir_scan_accept(&ps->s, "in")) {
    ir_scan_expect(&ps->s, "(");
    if (!ir_scan_accept(&ps->s, "_")) lo = ir_scan_value(&ps->s);
    ir_scan_expect(&ps->s, ",");
    if (!ir_scan_accept(&ps->s, "_")) hi = ir_scan_value(&ps->s);
    ir_scan_expect(&ps->s, ")");
  }
  if (!observe) standard = ir_scan_accept(&ps->s, "standard");
  ir_scan_expect(&ps->s, "~");
  ir_scan_expect(&ps->s, "@");
  const char *dist_name = ir_scan_name(&ps->s, "distribution");
  value_list args = arguments(ps);
  ir_dist *dist = ir_dist_find(ps->s.m, dist_name);
  if (!dist) { /* a text may stand alone, without the prelude that defines it */
    dist = ir_dist_new(ps->s.m, dist_name);
    dist->nparams = (uint32_t)args.n;
    dist->event_rank = site->event_rank;
    dist->support = site->support;
  }
  if (observe) return ir_observe(b, site, dist, axes, observed, (uint32_t)args.n, args.v);
  ir_op *op = ir_def_op(b->fn, ir_sample(b, site, dist, axes, lo, hi, (uint32_t)args.n, args.v));
  op->u.tilde->cut = cut;
  op->u.tilde->standard = standard;
  site->standard |= standard;
  return op;
}

static ir_op *parse_memo(parser *ps, ir_builder *b, ir_code code) {
  ir_memo *f = ARENA_NEW(ps->s.mem, ir_memo);
  ir_type type = ir_scalar(IR_REAL);
  value_list args = {0};
  const int64_t number = ir_scan_integer(&ps->s);
  f->name = ir_scan_quoted(&ps->s);
  const int64_t size = ir_scan_integer(&ps->s);
  if (number < 0 || number > UINT32_MAX || size < 1 || size > UINT32_MAX) ir_scan_fail(&ps->s, "a table has a number and a size");
  f->number = (uint32_t)number;
  f->size = (uint32_t)size;
  if (f->number > ps->s.m->nmemos) ps->s.m->nmemos = f->number;
  if (code == IR_MEMO_FIND_OP) type = ir_scan_type(&ps->s);
  while (ir_scan_accept(&ps->s, ",")) push_value(ps, &args, ir_scan_value(&ps->s));
  if (code == IR_MEMO_FIND_OP) return ir_memo_find(b, f, type, (uint32_t)args.n, args.v);
  if (code == IR_MEMO_KEEP_OP && args.n != 2) ir_scan_fail(&ps->s, "memo_keep has a handle and a value");
  if (args.n < 1) ir_scan_fail(&ps->s, "memo has a value");
  return ir_def_op(b->fn, code == IR_MEMO_OP ? ir_memo_mark(b, f, args.v[0], (uint32_t)args.n - 1, args.v + 1) : ir_memo_keep(b, f, args.v[0], args.v[1]));
}

static bool is_draw(ir_code code) { return code >= IR_UNIFORM_OP && code <= IR_CATEGORICAL_OP; }

/* A draw, or an operation on scalars, whose operands the table counts. */
static ir_val parse_plain(parser *ps, ir_builder *b, ir_code code) {
  int64_t site = 0;
  value_list args = {0};
  if (is_draw(code)) {
    site = ir_scan_integer(&ps->s);
    ir_scan_expect(&ps->s, ",");
  }
  do push_value(ps, &args, ir_scan_value(&ps->s));
  while (ir_scan_accept(&ps->s, ","));
  if (is_draw(code)) {
    if (args.n < 2) ir_scan_fail(&ps->s, "a draw has a key and an index");
    return ir_draw(b, code, site, args.v[0], args.v[1], (uint32_t)args.n - 2, args.v + 2);
  }
  size_t want = (size_t)(strchr(ir_op_table[code].signature, ':') - ir_op_table[code].signature);
  if (args.n != want) ir_scan_fail(&ps->s, arena_printf(ps->s.mem, "`%s` has %zu operands", ir_op_table[code].name, want));
  return want == 1 ? ir_op1(b, code, args.v[0]) : want == 2 ? ir_op2(b, code, args.v[0], args.v[1]) : ir_op3(b, code, args.v[0], args.v[1], args.v[2]);
}

static ir_op *parse_op(parser *ps, ir_builder *b, int depth) {
  const char *w = ir_scan_word(&ps->s);
  if (!w) ir_scan_fail(&ps->s, "expected an operation");
  int code = 0;
  while (code < IR_OP_COUNT && strcmp(w, ir_op_table[code].name) != 0) code++;
  if (code == IR_OP_COUNT) ir_scan_fail_name(&ps->s, "there is no operation `", w, "`");
  ir_fn *fn = b->fn;
  ir_val x, y, res;
  int flags = 0;
  switch (code) {
  case IR_REAL_OP: res = ir_real(b, ir_scan_real(&ps->s)); break;
  case IR_INT_OP: res = ir_int(b, ir_scan_integer(&ps->s)); break;
  case IR_BOOL_OP: {
    bool yes = ir_scan_accept(&ps->s, "true");
    if (!yes) ir_scan_expect(&ps->s, "false");
    res = ir_bool(b, yes);
    break;
  }
  case IR_SIZE_OP: res = ir_size_val(b, ir_scan_size(&ps->s)); break;
  case IR_NEW_OP: res = ir_new_array(b, ir_scan_type(&ps->s)); break;
  case IR_AT_OP: {
    x = ir_scan_value(&ps->s);
    ir_axes axes = {0};
    if (ir_scan_accept(&ps->s, ",")) axes = axes_list(ps);
    res = ir_at(b, x, axes);
    break;
  }
  case IR_PUT_OP: {
    x = ir_scan_value(&ps->s);
    ir_scan_expect(&ps->s, ",");
    ir_axes axes = bracket_axes(ps);
    ir_scan_expect(&ps->s, ",");
    res = ir_put(b, x, axes, ir_scan_value(&ps->s));
    break;
  }
  case IR_MATMUL_OP:
  case IR_TRISOLVE_OP:
    x = ir_scan_value(&ps->s);
    if (ir_scan_accept(&ps->s, "'")) flags |= IR_TRANS_A;
    ir_scan_expect(&ps->s, ",");
    y = ir_scan_value(&ps->s);
    if (code == IR_MATMUL_OP && ir_scan_accept(&ps->s, "'")) flags |= IR_TRANS_B;
    res = code == IR_MATMUL_OP ? ir_matmul(b, x, y, flags) : ir_trisolve(b, x, y, flags);
    break;
  case IR_CHOLESKY_OP: res = ir_cholesky(b, ir_scan_value(&ps->s)); break;
  case IR_CHOL_ADJ_OP:
  case IR_QR_R_OP:
  case IR_INV_PTR_OP:
  case IR_INV_LIST_OP:
    x = ir_scan_value(&ps->s);
    ir_scan_expect(&ps->s, ",");
    y = ir_scan_value(&ps->s);
    res = code == IR_CHOL_ADJ_OP ? ir_chol_adj(b, x, y) : code == IR_QR_R_OP ? ir_qr_r(b, x, y) : ir_inverse(b, (ir_code)code, x, y);
    break;
  case IR_PLATE_OP:
  case IR_SCAN_OP: return parse_loop(ps, b, (ir_code)code, depth);
  case IR_IF_OP: return parse_if(ps, b, depth);
  case IR_CALL_OP: return parse_call(ps, b);
  case IR_MEMO_OP:
  case IR_MEMO_FIND_OP:
  case IR_MEMO_KEEP_OP: return parse_memo(ps, b, (ir_code)code);
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP: return parse_tilde(ps, b, code == IR_OBSERVE_OP);
  case IR_FACTOR_OP: return ir_factor(b, ir_scan_value(&ps->s));
  case IR_ENERGY_OP: return ir_energy(b, ir_scan_value(&ps->s));
  case IR_TRACK_OP: {
    const char *label = ir_scan_quoted(&ps->s);
    return ir_track(b, label, ir_scan_value(&ps->s));
  }
  default: res = parse_plain(ps, b, (ir_code)code); break;
  }
  return ir_def_op(fn, res);
}

static void parse_stmt(parser *ps, ir_builder *b, int depth) {
  name_list results = {0};
  const char *start = ps->s.p;
  if (ir_scan_at(&ps->s, '%')) {
    do {
      if (results.n == MAX_LIST) ir_scan_fail(&ps->s, "a list of more than 4096 values");
      const char *w = ir_scan_value_name(&ps->s);
      ARENA_PUSH(ps->s.mem, results.v, results.n, results.cap, w);
    } while (ir_scan_accept(&ps->s, ","));
    ir_scan_expect(&ps->s, "=");
    start = ps->s.p;
  }
  ir_op *op = parse_op(ps, b, depth);
  if (op->nres != results.n)
    ir_scan_fail_at(&ps->s, start, arena_printf(ps->s.mem, "`%s` has %u results here, not %zu", ir_op_table[op->code].name, op->nres, results.n));
  for (size_t k = 0; k < results.n; k++) ir_scan_define(&ps->s, results.v[k], op->res[k]);
}

/* Statements up to the brace, the yield or the return that ends them. */
static void parse_block(parser *ps, ir_builder *b, int depth) {
  if (depth > IR_MAX_DEPTH) ir_scan_fail(&ps->s, "blocks nested too deep");
  if (depth > 0) ir_scan_expect(&ps->s, "{");
  for (;;) {
    ir_scan_space(&ps->s);
    const char *p = ps->s.p;
    if (*p == '}' || p >= ps->s.end) return;
    if (strncmp(p, "yield", 5) == 0 && !ir_text_is_name_byte(p[5])) return;
    if (strncmp(p, "return", 6) == 0 && !ir_text_is_name_byte(p[6])) return;
    parse_stmt(ps, b, depth);
  }
}

/* ---- functions */

static void parse_params(parser *ps, pending *head) {
  ir_scan_expect(&ps->s, "(");
  if (ir_scan_accept(&ps->s, ")")) return;
  do {
    if (head->params.n == MAX_LIST) ir_scan_fail(&ps->s, "a function of more than 4096 parameters");
    const char *value_name = ir_scan_value_name(&ps->s);
    for (size_t k = 0; k < head->params.n; k++)
      if (head->params.v[k] == value_name) ir_scan_fail_name(&ps->s, "%", value_name, " is defined already");
    ir_scan_expect(&ps->s, ":");
    ir_type type = ir_scan_type(&ps->s);
    ir_role role = IR_ROLE_PLAIN;
    ir_scan_space(&ps->s);
    if (ir_text_is_name_byte(*ps->s.p)) role = (ir_role)ir_scan_choice(&ps->s, "role of a parameter", 8, ir_role_name);
    bool numbered = value_name[0] >= '0' && value_name[0] <= '9';
    const char *own = ir_scan_at(&ps->s, '"') ? ir_scan_quoted(&ps->s) : numbered ? "" : value_name;
    ir_param_add(head->fn, role, own, type);
    ARENA_PUSH(ps->s.mem, head->params.v, head->params.n, head->params.cap, value_name);
  } while (ir_scan_accept(&ps->s, ","));
  ir_scan_expect(&ps->s, ")");
}

/* Moves behind the brace that closes a body. */
static void skip_body(parser *ps) {
  for (size_t depth = 1; depth > 0;) {
    ir_scan_space(&ps->s);
    if (ps->s.p >= ps->s.end) ir_scan_fail(&ps->s, "a body without its closing brace");
    if (*ps->s.p == '"') {
      ir_scan_quoted(&ps->s);
      continue;
    }
    depth += *ps->s.p == '{';
    depth -= *ps->s.p == '}';
    ps->s.p++;
  }
}

static void parse_head(parser *ps, bool is_model) {
  ir_scan_expect(&ps->s, "@");
  const char *fn_name = ir_scan_name(&ps->s, "function");
  if (ir_fn_find(ps->s.m, fn_name)) ir_scan_fail_name(&ps->s, "there is a function @", fn_name, " already");
  pending head = {.fn = ir_fn_new(ps->s.m, fn_name, is_model)};
  parse_params(ps, &head);
  if (ir_scan_accept(&ps->s, "->")) {
    ir_scan_expect(&ps->s, "(");
    do {
      ir_type t = ir_scan_type(&ps->s);
      ARENA_PUSH(ps->s.mem, head.result, head.nresults, head.cap_results, t);
    } while (ir_scan_accept(&ps->s, ","));
    ir_scan_expect(&ps->s, ")");
  }
  ir_scan_expect(&ps->s, "{");
  head.body = ps->s.p;
  skip_body(ps);
  ARENA_PUSH(ps->s.mem, ps->fn, ps->nfns, ps->cap_fns, head);
}

static void parse_dist(parser *ps) {
  static const char *const label[MEMBERS] = {"logpdf", "sample", "cdf", "valid", "standard", "from_standard"};
  ir_scan_expect(&ps->s, "@");
  const char *dist_name = ir_scan_name(&ps->s, "distribution");
  if (ir_dist_find(ps->s.m, dist_name)) ir_scan_fail_name(&ps->s, "there is a distribution @", dist_name, " already");
  pending_dist d = {.dist = ir_dist_new(ps->s.m, dist_name)};
  d.dist->support = (uint8_t)ir_scan_choice(&ps->s, "support", IR_SUP_FINITE + 1, ir_support_name);
  ir_scan_expect(&ps->s, "event");
  int64_t event = ir_scan_integer(&ps->s);
  ir_scan_expect(&ps->s, "params");
  int64_t nparams = ir_scan_integer(&ps->s);
  if (event < 0 || event > 2 || nparams < 0 || nparams > MAX_LIST) ir_scan_fail(&ps->s, "a distribution with such an event or so many parameters");
  d.dist->event_rank = (uint8_t)event;
  d.dist->nparams = (uint32_t)nparams;
  d.dist->discrete = ir_scan_accept(&ps->s, "discrete");
  ir_scan_expect(&ps->s, "{");
  while (!ir_scan_accept(&ps->s, "}")) {
    int k = ir_scan_choice(&ps->s, "function of a distribution", MEMBERS, label);
    ir_scan_expect(&ps->s, "@");
    d.at[k] = ps->s.p;
    d.member[k] = ir_scan_name(&ps->s, "function");
  }
  ARENA_PUSH(ps->s.mem, ps->dist, ps->ndists, ps->cap_dists, d);
}

static void parse_site(parser *ps, ir_fn *fn) {
  const char *site_name = ir_scan_name(&ps->s, "site");
  if (ir_site_find(fn, site_name)) ir_scan_fail_name(&ps->s, "there is a site ", site_name, " already");
  ir_site_role role = (ir_site_role)ir_scan_choice(&ps->s, "role of a site", 3, ir_site_role_name);
  ir_type type = ir_scan_type(&ps->s);
  ir_support support = (ir_support)ir_scan_choice(&ps->s, "support", IR_SUP_FINITE + 1, ir_support_name);
  ir_scan_expect(&ps->s, "event");
  int64_t event = ir_scan_integer(&ps->s);
  if (event < 0 || event > 2) ir_scan_fail(&ps->s, "an event of such a rank");
  ir_site *site = ir_site_new(fn, site_name, role, support, type, (int)event);
  site->gathered = ir_scan_accept(&ps->s, "gathered");
  site->replica = ir_scan_accept(&ps->s, "replica");
}

static void parse_body(parser *ps, const pending *head) {
  ir_fn *fn = head->fn;
  ps->s.p = head->body;
  ir_scan_scope_begin(&ps->s);
  for (uint32_t k = 0; k < fn->nparams; k++) ir_scan_define(&ps->s, head->params.v[k], fn->param[k].val);
  while (ir_scan_accept(&ps->s, "site")) parse_site(ps, fn);
  ir_builder b = ir_builder_at_end(fn, &fn->body);
  parse_block(ps, &b, 0);
  value_list ret = {0};
  if (ir_scan_accept(&ps->s, "return")) {
    do push_value(ps, &ret, ir_scan_value(&ps->s));
    while (ir_scan_accept(&ps->s, ","));
  }
  if (ret.n != head->nresults)
    ir_scan_fail(&ps->s, arena_printf(ps->s.mem, "@%.80s returns %zu values, its head says %zu", fn->name, ret.n, head->nresults));
  for (size_t k = 0; k < ret.n; k++)
    if (!ir_type_equal(ir_type_of(fn, ret.v[k]), head->result[k])) {
      strbuf text;
      strbuf_init(&text, ps->s.mem);
      ir_print_type(ps->s.m, ir_type_of(fn, ret.v[k]), &text);
      strbuf_puts(&text, " where its head says ");
      ir_print_type(ps->s.m, head->result[k], &text);
      ir_scan_fail(&ps->s, arena_printf(ps->s.mem, "@%.80s returns %s", fn->name, text.s));
    }
  ir_return(fn, (uint32_t)ret.n, ret.v);
  ir_scan_expect(&ps->s, "}");
}

static void parse_module(parser *ps) {
  for (ir_scan_space(&ps->s); ps->s.p < ps->s.end; ir_scan_space(&ps->s)) {
    if (ir_scan_accept(&ps->s, "func")) parse_head(ps, false);
    else if (ir_scan_accept(&ps->s, "model")) parse_head(ps, true);
    else if (ir_scan_accept(&ps->s, "dist")) parse_dist(ps);
    else ir_scan_fail(&ps->s, "expected func, model or dist");
  }
  for (size_t k = 0; k < ps->ndists; k++) {
    ir_dist *d = ps->dist[k].dist;
    ir_fn **slot[MEMBERS] = {&d->logpdf, &d->sample, &d->cdf, &d->valid, &d->standard, &d->from_standard};
    for (int j = 0; j < MEMBERS; j++) {
      if (!ps->dist[k].member[j]) continue;
      *slot[j] = ir_fn_find(ps->s.m, ps->dist[k].member[j]);
      if (!*slot[j]) ir_scan_fail_at(&ps->s, ps->dist[k].at[j], arena_printf(ps->s.mem, "there is no function @%.80s", ps->dist[k].member[j]));
    }
  }
  for (size_t k = 0; k < ps->nfns; k++) parse_body(ps, &ps->fn[k]);
}

bool ir_parse(ir_module *m, const char *text, size_t n, const char **error) {
  uint32_t nfns = m->nfns, ndists = m->ndists;
  parser *ps = ARENA_NEW(m->mem, parser);
  ps->s.m = m;
  ps->s.mem = m->mem;
  if (n > MAX_TEXT) {
    *error = "line 1: a text of more than 16 MiB";
    return false;
  }
  intern_init(&ps->s.names, m->mem);
  ps->s.text = ps->s.p = arena_strndup(m->mem, text, n);
  ps->s.end = ps->s.text + n;
  if (setjmp(ps->s.fault)) {
    m->nfns = nfns;
    m->ndists = ndists;
    *error = ps->s.error;
    return false;
  }
  parse_module(ps);
  *error = NULL;
  return true;
}
