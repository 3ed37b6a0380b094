/* ir_print.c: functions and modules as text, in the grammar of docs/ir.md section 2. */
#include "compiler/ir_text.h"

#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

const char *const ir_elem_name[4] = {"real", "int", "bool", "key"};
const char *const ir_mode_name[7] = {"stack", "into", "keyed", "sum", "max", "min", "carry"};
const char *const ir_role_name[8] = {"plain", "data", "frame", "latent", "uncon", "key", "index", "stage"};
const char *const ir_support_name[IR_SUP_FINITE + 1] = {
    "real", "lower", "upper", "interval", "simplex", "ordered", "unit_vector", "sum_to_zero", "cov", "corr", "cholesky_cov", "cholesky_corr", "int", "finite"};
const char *const ir_site_role_name[3] = {"latent", "observed", "predicted"};

bool ir_text_is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || (unsigned char)c >= 0x80;
}

static bool is_name(const char *s) {
  const char *p = s;
  while (ir_text_is_name_byte(*p)) p++;
  return p != s && *p == '\0';
}

static void print_quoted(const char *s, strbuf *out) {
  strbuf_putc(out, '"');
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\') strbuf_printf(out, "\\%c", c);
    else if (c < 0x20 || c == 0x7f) strbuf_printf(out, "\\x%02x", c);
    else strbuf_putc(out, (char)c);
  }
  strbuf_putc(out, '"');
}

static void print_name(const char *s, strbuf *out) {
  if (is_name(s)) strbuf_puts(out, s);
  else print_quoted(s, out);
}

/* ---- numbering */

/* A parameter is printed by its name where that is one and the first of its kind. */
static bool own_name(name_index *seen, const char *name) {
  bool first = name && !name_index_add(seen, name, 1);
  return first && is_name(name) && !(name[0] >= '0' && name[0] <= '9');
}

static void number(ir_numbering *names, ir_val v) {
  if (v && v < names->fn->nvals && !names->number[v]) names->number[v] = ++names->n;
}

static void number_block(ir_numbering *names, const ir_block *block, int depth) {
  if (depth > IR_MAX_DEPTH) return;
  for (const ir_op *op = block->first; op; op = op->next) {
    for (uint32_t k = 0; k < op->nres; k++) number(names, op->res[k]);
    if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
      const ir_loop *loop = op->u.loop;
      for (uint32_t k = 0; k < loop->rank && k < IR_MAX_RANK; k++) number(names, loop->index[k]);
      for (uint32_t k = 0; k < loop->nout; k++) number(names, loop->out[k].state);
      number_block(names, &loop->body, depth + 1);
    } else if (op->code == IR_IF_OP) {
      number_block(names, &op->u.branch->then_, depth + 1);
      number_block(names, &op->u.branch->else_, depth + 1);
    }
  }
}

/* Numbers of parameters that keep their own name: above all others, by slot. */
static const uint32_t OWN = 0x80000000u;

ir_numbering ir_number_values(const ir_fn *fn) {
  ir_numbering names = {.fn = fn, .number = ARENA_ARRAY(fn->module->mem, uint32_t, fn->nvals)};
  name_index seen = {.a = fn->module->mem};
  for (uint32_t k = 0; k < fn->nparams; k++) {
    if (own_name(&seen, fn->param[k].name)) names.number[fn->param[k].val] = OWN | k;
    else number(&names, fn->param[k].val);
  }
  number_block(&names, &fn->body, 0);
  return names;
}

void ir_print_value(const ir_numbering *names, ir_val v, strbuf *out) {
  uint32_t k = v < names->fn->nvals ? names->number[v] : 0;
  if (k == 0) strbuf_puts(out, "%?");
  else if (k & OWN) strbuf_printf(out, "%%%s", names->fn->param[k & ~OWN].name);
  else strbuf_printf(out, "%%%u", k - 1);
}

/* ---- pieces */

void ir_print_type(const ir_module *m, ir_type t, strbuf *out) {
  strbuf_puts(out, t.elem < 4 ? ir_elem_name[t.elem] : "?");
  if (t.rank == 0) return;
  strbuf_putc(out, '[');
  for (int k = 0; k < t.rank && k < IR_MAX_RANK; k++) {
    if (k) strbuf_puts(out, ", ");
    size_print(m->sizes, t.dim[k], out);
  }
  strbuf_putc(out, ']');
}

/* The fewest digits that bring the same bits back, and a point whatever the host's locale writes. */
static void print_real(double x, strbuf *out) {
  if (isnan(x) || isinf(x)) {
    strbuf_puts(out, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    return;
  }
  char text[40];
  bool whole = fabs(x) < 1e15 && x == floor(x); /* 100.0 rather than 1e+02 */
  if (whole) snprintf(text, sizeof text, "%.0f", x);
  for (int digits = 1; digits <= 17 && !whole; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, x);
    if (strtod(text, NULL) == x) break;
  }
  bool marked = false;
  for (char *p = text; *p; p++) {
    bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+';
    marked |= !plain;
    if (!plain && *p != 'e') *p = '.';
    strbuf_putc(out, *p);
  }
  if (!marked) strbuf_puts(out, ".0");
}

static void print_axes(const ir_numbering *names, const ir_axes *axes, strbuf *out) {
  for (uint32_t k = 0; k < axes->n && k < IR_MAX_RANK; k++) {
    if (k) strbuf_puts(out, ", ");
    if (axes->at[k]) ir_print_value(names, axes->at[k], out);
    else strbuf_putc(out, ':');
  }
}

static void print_list(const ir_numbering *names, uint32_t n, const ir_val *v, strbuf *out) {
  for (uint32_t k = 0; k < n; k++) {
    if (k) strbuf_puts(out, ", ");
    ir_print_value(names, v[k], out);
  }
}

static void print_loop_head(const ir_numbering *names, const ir_op *op, strbuf *out) {
  const ir_loop *loop = op->u.loop;
  for (uint32_t k = 0; k < loop->rank && k < IR_MAX_RANK; k++) {
    strbuf_puts(out, k ? ", " : " ");
    ir_print_value(names, loop->index[k], out);
    strbuf_puts(out, " < ");
    ir_print_value(names, loop->extent[k], out);
  }
  if (loop->down) strbuf_puts(out, " down");
  if (loop->live) {
    strbuf_puts(out, " while ");
    ir_print_value(names, loop->live, out);
  }
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    strbuf_puts(out, k ? ", " : " -> ");
    strbuf_puts(out, o->mode <= IR_CARRY ? ir_mode_name[o->mode] : "?");
    if (o->state) {
      strbuf_putc(out, ' ');
      ir_print_value(names, o->state, out);
    }
    if (o->init) {
      strbuf_puts(out, " = ");
      ir_print_value(names, o->init, out);
    }
  }
}

static void print_tilde(const ir_numbering *names, const ir_op *op, strbuf *out) {
  const ir_tilde *t = op->u.tilde;
  strbuf_putc(out, ' ');
  print_name(t->site->name, out);
  if (t->axes.n) {
    strbuf_putc(out, '[');
    print_axes(names, &t->axes, out);
    strbuf_putc(out, ']');
  }
  if (t->lo || t->hi) {
    strbuf_puts(out, t->cut ? " within (" : " in (");
    if (t->lo) ir_print_value(names, t->lo, out);
    else strbuf_putc(out, '_');
    strbuf_puts(out, ", ");
    if (t->hi) ir_print_value(names, t->hi, out);
    else strbuf_putc(out, '_');
    strbuf_putc(out, ')');
  }
  if (t->standard) strbuf_puts(out, " standard");
  uint32_t skip = op->code == IR_OBSERVE_OP && op->nargs > 0;
  if (skip) {
    strbuf_putc(out, ' ');
    ir_print_value(names, op->args[0], out);
  }
  strbuf_puts(out, " ~ @");
  print_name(t->dist->name, out);
  strbuf_putc(out, '(');
  print_list(names, op->nargs - skip, op->args + skip, out);
  strbuf_putc(out, ')');
}

void ir_print_op_line(const ir_numbering *names, const ir_op *op, strbuf *out) {
  const ir_module *m = names->fn->module;
  if (op->nres) {
    print_list(names, op->nres, op->res, out);
    strbuf_puts(out, " = ");
  }
  strbuf_puts(out, op->code < IR_OP_COUNT ? ir_op_table[op->code].name : "?");
  switch (op->code) {
  case IR_REAL_OP:
    strbuf_putc(out, ' ');
    print_real(op->u.real, out);
    return;
  case IR_INT_OP: strbuf_printf(out, " %lld", (long long)op->u.integer); return;
  case IR_BOOL_OP: strbuf_puts(out, op->u.integer ? " true" : " false"); return;
  case IR_SIZE_OP:
    strbuf_putc(out, ' ');
    size_print(m->sizes, op->u.size, out);
    return;
  case IR_NEW_OP:
    strbuf_putc(out, ' ');
    if (op->nres) ir_print_type(m, ir_type_of(names->fn, op->res[0]), out);
    return;
  case IR_AT_OP:
    strbuf_putc(out, ' ');
    print_list(names, op->nargs, op->args, out);
    if (op->u.axes.n) strbuf_puts(out, ", ");
    print_axes(names, &op->u.axes, out);
    return;
  case IR_PUT_OP:
    if (op->nargs != 2) break;
    strbuf_putc(out, ' ');
    ir_print_value(names, op->args[0], out);
    strbuf_puts(out, ", [");
    print_axes(names, &op->u.axes, out);
    strbuf_puts(out, "], ");
    ir_print_value(names, op->args[1], out);
    return;
  case IR_MATMUL_OP:
  case IR_TRISOLVE_OP:
    for (uint32_t k = 0; k < op->nargs; k++) {
      strbuf_puts(out, k ? ", " : " ");
      ir_print_value(names, op->args[k], out);
      if (op->flags & (k ? IR_TRANS_B : IR_TRANS_A)) strbuf_putc(out, '\'');
    }
    return;
  case IR_PLATE_OP:
  case IR_SCAN_OP: print_loop_head(names, op, out); return;
  case IR_CALL_OP:
    strbuf_puts(out, " @");
    print_name(op->u.callee->name, out);
    strbuf_putc(out, '(');
    print_list(names, op->nargs, op->args, out);
    strbuf_putc(out, ')');
    return;
  case IR_UNIFORM_OP:
  case IR_NORMAL_OP:
  case IR_EXPONENTIAL_OP:
  case IR_GAMMA_OP:
  case IR_LOG_GAMMA_OP:
  case IR_POISSON_OP:
  case IR_BINOMIAL_OP:
  case IR_CATEGORICAL_OP:
    strbuf_printf(out, " %lld, ", (long long)op->u.integer);
    print_list(names, op->nargs, op->args, out);
    return;
  case IR_SAMPLE_OP:
  case IR_OBSERVE_OP: print_tilde(names, op, out); return;
  case IR_TRACK_OP:
    strbuf_putc(out, ' ');
    print_quoted(op->u.name, out);
    break;
  case IR_MEMO_OP:
  case IR_MEMO_FIND_OP:
  case IR_MEMO_KEEP_OP:
    strbuf_printf(out, " %u ", op->u.memo->number);
    print_quoted(op->u.memo->name, out);
    strbuf_printf(out, " %u", op->u.memo->size);
    if (op->code == IR_MEMO_FIND_OP && op->nres == 2) strbuf_putc(out, ' '), ir_print_type(m, ir_type_of(names->fn, op->res[1]), out);
    if (op->nargs) strbuf_puts(out, ", ");
    print_list(names, op->nargs, op->args, out);
    return;
  default: break;
  }
  if (op->nargs) strbuf_putc(out, ' ');
  print_list(names, op->nargs, op->args, out);
}

/* ---- blocks and functions */

static void indent(int depth, strbuf *out) {
  for (int k = 0; k < depth; k++) strbuf_puts(out, "  ");
}

static void print_block(const ir_numbering *names, const ir_block *block, int depth, strbuf *out);

static void print_yields(const ir_numbering *names, uint32_t n, const ir_val *v, int depth, strbuf *out) {
  if (n == 0) return;
  indent(depth, out);
  strbuf_puts(out, "yield ");
  print_list(names, n, v, out);
  strbuf_putc(out, '\n');
}

static void print_loop_yield(const ir_numbering *names, const ir_loop *loop, int depth, strbuf *out) {
  if (loop->nout == 0) return;
  indent(depth, out);
  strbuf_puts(out, "yield ");
  for (uint32_t k = 0; k < loop->nout; k++) {
    const ir_out *o = &loop->out[k];
    if (k) strbuf_puts(out, ", ");
    if (o->mode == IR_INTO || o->mode == IR_KEYED) {
      strbuf_putc(out, '[');
      print_axes(names, &o->axes, out);
      strbuf_puts(out, "] ");
    }
    ir_print_value(names, o->yield, out);
  }
  strbuf_putc(out, '\n');
}

static void print_op(const ir_numbering *names, const ir_op *op, int depth, strbuf *out) {
  indent(depth, out);
  ir_print_op_line(names, op, out);
  if (op->code == IR_PLATE_OP || op->code == IR_SCAN_OP) {
    strbuf_puts(out, " {\n");
    print_block(names, &op->u.loop->body, depth + 1, out);
    print_loop_yield(names, op->u.loop, depth + 1, out);
    indent(depth, out);
    strbuf_putc(out, '}');
  } else if (op->code == IR_IF_OP) {
    strbuf_puts(out, " {\n");
    print_block(names, &op->u.branch->then_, depth + 1, out);
    print_yields(names, op->nres, op->u.branch->then_yield, depth + 1, out);
    indent(depth, out);
    strbuf_puts(out, "} else {\n");
    print_block(names, &op->u.branch->else_, depth + 1, out);
    print_yields(names, op->nres, op->u.branch->else_yield, depth + 1, out);
    indent(depth, out);
    strbuf_putc(out, '}');
  }
  strbuf_putc(out, '\n');
}

/* Deeper than any verified function, so that a runaway builder cannot exhaust the stack here. */
static void print_block(const ir_numbering *names, const ir_block *block, int depth, strbuf *out) {
  if (depth > IR_MAX_DEPTH + 1) return;
  for (const ir_op *op = block->first; op; op = op->next) print_op(names, op, depth, out);
}

void ir_print_fn(const ir_fn *fn, strbuf *out) {
  const ir_module *m = fn->module;
  ir_numbering names = ir_number_values(fn);
  strbuf_puts(out, fn->is_model ? "model @" : "func @");
  print_name(fn->name, out);
  strbuf_putc(out, '(');
  for (uint32_t k = 0; k < fn->nparams; k++) {
    const ir_param *p = &fn->param[k];
    if (k) strbuf_puts(out, ", ");
    ir_print_value(&names, p->val, out);
    strbuf_puts(out, ": ");
    ir_print_type(m, ir_type_of(fn, p->val), out);
    if (p->role != IR_ROLE_PLAIN && p->role <= IR_ROLE_STAGE) strbuf_printf(out, " %s", ir_role_name[p->role]);
    if (!(names.number[p->val] & OWN) && p->name && p->name[0]) {
      strbuf_putc(out, ' ');
      print_quoted(p->name, out);
    }
  }
  strbuf_putc(out, ')');
  if (fn->nret) {
    strbuf_puts(out, " -> (");
    for (uint32_t k = 0; k < fn->nret; k++) {
      if (k) strbuf_puts(out, ", ");
      ir_print_type(m, ir_type_of(fn, fn->ret[k]), out);
    }
    strbuf_putc(out, ')');
  }
  strbuf_puts(out, " {\n");
  for (uint32_t k = 0; k < fn->nsites; k++) {
    const ir_site *s = fn->site[k];
    strbuf_puts(out, "  site ");
    print_name(s->name, out);
    strbuf_printf(out, " %s ", ir_site_role_name[s->role]);
    ir_print_type(m, s->type, out);
    strbuf_printf(out, " %s event %d%s%s\n", ir_support_name[s->support], s->event_rank, s->gathered ? " gathered" : "", s->replica ? " replica" : "");
  }
  print_block(&names, &fn->body, 1, out);
  if (fn->nret) {
    strbuf_puts(out, "  return ");
    print_list(&names, fn->nret, fn->ret, out);
    strbuf_putc(out, '\n');
  }
  strbuf_puts(out, "}\n");
}

static void print_member(const char *label, const ir_fn *fn, strbuf *out) {
  if (!fn) return;
  strbuf_printf(out, " %s @", label);
  print_name(fn->name, out);
}

static void print_dist(const ir_dist *d, strbuf *out) {
  strbuf_puts(out, "dist @");
  print_name(d->name, out);
  strbuf_printf(out, " %s event %d params %u%s {", ir_support_name[d->support], d->event_rank, d->nparams, d->discrete ? " discrete" : "");
  print_member("logpdf", d->logpdf, out);
  print_member("sample", d->sample, out);
  print_member("cdf", d->cdf, out);
  print_member("valid", d->valid, out);
  print_member("standard", d->standard, out);
  print_member("from_standard", d->from_standard, out);
  strbuf_puts(out, " }\n");
}

void ir_print(const ir_module *m, strbuf *out) {
  for (uint32_t k = 0; k < m->ndists; k++) print_dist(m->dist[k], out);
  for (uint32_t k = 0; k < m->nfns; k++) {
    if (k || m->ndists) strbuf_putc(out, '\n');
    ir_print_fn(m->fn[k], out);
  }
}
