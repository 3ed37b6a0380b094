/* schedule.c: schedules to instructions (schedule.h): declarations, calls, statements and combinators.  Expressions are in
 * schedule_expr.c. */
#include "compiler/schedule_internal.h"

#include "compiler/check_state.h"
#include "compiler/prelude.h"

#include <string.h>

enum { MAX_CODE = 100000 };

/* ---- emitting */

/* Calls that are expanded count too, since one may come to nothing. */
static bool is_full(sched_ctx *c, span at) {
  if (c->out->n + c->calls < MAX_CODE) return false;
  if (!c->failed) sched_error(c, "E0844", at, "this schedule expands to more than %d steps", MAX_CODE);
  return true;
}

schedule_instr *sched_emit(sched_ctx *c, schedule_code code, uint32_t dst, uint32_t a, uint32_t b, span at) {
  schedule_instr x = {.code = code, .dst = dst, .a = a, .b = b, .at = at};
  is_full(c, at);
  ARENA_PUSH(c->a, c->out->code, c->out->n, c->out->cap, x);
  return &c->out->code[c->out->n - 1];
}

uint32_t sched_reg(sched_ctx *c) { return c->out->registers++; }

uint32_t sched_number(sched_ctx *c, double x, span at) {
  uint32_t r = sched_reg(c);
  sched_emit(c, SCHED_SET, r, 0, 0, at)->value = x;
  return r;
}

static size_t jump(sched_ctx *c, schedule_code code, uint32_t a, span at) {
  sched_emit(c, code, 0, a, 0, at);
  return c->out->n - 1;
}

static void land(sched_ctx *c, size_t jump) { c->out->code[jump].n = (uint32_t)c->out->n; }

diag *sched_error(sched_ctx *c, const char *code, span at, const char *format, ...) {
  c->failed = true;
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(c->a, format, args);
  va_end(args);
  return diag_add(c->p->diags, DIAG_ERROR, code, at, "%s", text);
}

/* ---- names */

sched_name *sched_find(sched_ctx *c, const char *name) {
  for (sched_name *n = c->env; n; n = n->outer)
    if (n->name == name) return n;
  return NULL;
}

sched_name *sched_bind(sched_ctx *c, const char *name, sched_value v) {
  sched_name *n = ARENA_NEW(c->a, sched_name);
  *n = (sched_name){.name = name, .v = v, .outer = c->env};
  c->env = n;
  return n;
}

static diag *unknown_schedule(sched_ctx *c, const ast_name *n) {
  diag *d = sched_error(c, "E0840", n->at, "there is no schedule called `%s`", n->name);
  const ast_file *f = c->p->file;
  const char **words = ARENA_ARRAY(c->a, const char *, f->n + aim_prelude_count + 1);
  size_t count = 0;
  words[count++] = "restart";
  for (size_t k = 0; k < f->n; k++)
    if (f->items[k]->kind == DECL_SCHEDULE) words[count++] = f->items[k]->name.name;
  for (size_t k = 0; k < aim_prelude_count; k++)
    if (aim_prelude[k].kind == PRELUDE_SCHEDULE) words[count++] = aim_prelude[k].name;
  const char *near = diag_nearest(n->name, words, count);
  if (strcmp(n->name, "cosine") == 0 || strcmp(n->name, "exponential") == 0) near = "geometric";
  if (near) diag_help(c->p->diags, d, "did you mean `%s`?", near);
  else diag_help(c->p->diags, d, "the library has linear, geometric, power, logarithmic, piecewise, hold and adaptive, and there is `restart`");
  return d;
}

/* ---- parameters */

static bool param_index(const ast_decl *d, const char *name, size_t *k) {
  for (*k = 0; *k < d->params.n; ++*k)
    if (d->params.items[*k].name.name == name) return true;
  return false;
}

/* Every argument has a parameter, and every parameter an argument or a default. */
static bool fits(sched_ctx *c, const ast_decl *d, const ast_args *args, const ast_expr **out) {
  (void)c;
  for (size_t k = 0; k < d->params.n; k++) out[k] = NULL;
  size_t next = 0;
  for (size_t k = 0; k < args->n; k++) {
    size_t at = next;
    if (args->items[k].name.name) {
      if (!param_index(d, args->items[k].name.name, &at)) return false;
    } else {
      next++;
    }
    if (at >= d->params.n || out[at]) return false;
    out[at] = args->items[k].value;
  }
  for (size_t k = 0; k < d->params.n; k++) {
    if (!out[k]) out[k] = d->params.items[k].default_;
    if (!out[k]) return false;
  }
  return true;
}

static const char *signature_text(sched_ctx *c, const ast_decl *d) {
  strbuf b;
  strbuf_init(&b, c->a);
  strbuf_printf(&b, "%s(", d->name.name);
  for (size_t k = 0; k < d->params.n; k++) {
    const ast_param *p = &d->params.items[k];
    strbuf_printf(&b, "%s%s%s", k ? ", " : "", p->name.name, p->default_ ? " = .." : "");
  }
  strbuf_puts(&b, ")");
  return b.s;
}

static sched_type declared_type(sched_ctx *c, const ast_param *p, const char **extent) {
  *extent = NULL;
  if (!p->type) return p->default_ && p->default_->kind == EXPR_REAL ? SCHED_REAL : SCHED_INT;
  static const struct { const char *name; sched_type type; } types[] = {
      {"int", SCHED_INT}, {"real", SCHED_REAL}, {"bool", SCHED_BOOL}, {"ramp", SCHED_RAMP}};
  const ast_type *t = p->type;
  for (size_t k = 0; k < sizeof types / sizeof types[0] && t->kind == TYPE_NAMED; k++) {
    if (strcmp(types[k].name, t->name.name) != 0) continue;
    if (t->dims.n == 0) return types[k].type;
    if (t->dims.n == 1 && types[k].type == SCHED_REAL && t->dims.items[0].size->kind == EXPR_NAME) {
      *extent = t->dims.items[0].size->name.name;
      return SCHED_ARRAY;
    }
  }
  diag *d = sched_error(c, "E0842", t->at, "a parameter of a schedule cannot have this type");
  diag_help(c->p->diags, d, "types are int, real, bool, ramp (`0.1 -> 10`) and real[K]");
  return SCHED_BAD;
}

static const char *const type_text[] = {"nothing", "an int", "a real", "a bool", "a ramp such as `0.1 -> 10`", "a list of numbers"};

/* An argument in registers of its own, so that setting `beta` does not change it. */
static sched_value argument(sched_ctx *c, sched_type want, const ast_expr *e) {
  sched_value v = sched_expr(c, e);
  if (v.type == SCHED_BAD || want == SCHED_BAD) return (sched_value){SCHED_BAD, 0, 0};
  if (want == SCHED_REAL && v.type == SCHED_INT) v.type = SCHED_REAL;
  if (v.type != want) {
    diag *d = sched_error(c, "E0842", e->at, "this is %s, where %s is wanted", type_text[v.type], type_text[want]);
    if (want == SCHED_RAMP) diag_help(c->p->diags, d, "write where it begins and where it leads, `0.1 -> 10`");
    return (sched_value){SCHED_BAD, 0, 0};
  }
  uint32_t n = want == SCHED_RAMP ? 2 : want == SCHED_ARRAY ? v.n : 1;
  sched_value own = {want, c->out->registers, v.n};
  c->out->registers += n;
  for (uint32_t k = 0; k < n; k++) sched_emit(c, SCHED_MOVE, own.reg + k, v.reg + k, 0, e->at);
  return own;
}

/* False after a report, where d is being expanded already or too much is. */
static bool enter(sched_ctx *c, const ast_decl *d, span at) {
  bool again = false;
  if (is_full(c, at)) return false;
  c->calls++;
  for (int k = 0; k < c->depth; k++) again = again || c->within[k] == d;
  if (again || c->depth == SCHED_MAX_DEPTH) {
    sched_error(c, "E0844", at, again ? "`%s` calls itself" : "schedules are nested too deep at `%s`", d->name.name);
    return false;
  }
  return true;
}

/* The arguments as names of the callee, which sees no others: its environment. */
static sched_name *bind_arguments(sched_ctx *c, const ast_decl *d, const ast_expr *const *given, span at) {
  sched_name *inside = NULL, *env = c->env;
  for (size_t k = 0; k < d->params.n; k++) {
    const char *extent;
    sched_type t = declared_type(c, &d->params.items[k], &extent);
    c->env = given[k] == d->params.items[k].default_ ? inside : env;
    sched_value v = argument(c, t, given[k]);
    c->env = inside;
    sched_bind(c, d->params.items[k].name.name, v);
    if (extent && v.type == SCHED_ARRAY) sched_bind(c, extent, (sched_value){SCHED_INT, sched_number(c, v.n, at), 1});
    inside = c->env;
  }
  c->env = env;
  return inside;
}

sched_value sched_function(sched_ctx *c, const ast_decl *d, const ast_args *args, span at) {
  const ast_expr **given = ARENA_ARRAY(c->a, const ast_expr *, d->params.n + 1);
  sched_value bad = {SCHED_BAD, 0, 0};
  if (!d->value) {
    diag *g = sched_error(c, "E0843", at, "a function that a schedule calls is one expression");
    diag_point(c->p->diags, g, d->name.at, "declared here");
    return bad;
  }
  if (!fits(c, d, args, given)) {
    diag *g = sched_error(c, "E0841", at, "these arguments do not fit `%s`", d->name.name);
    diag_help(c->p->diags, g, "it is called as `%s`", signature_text(c, d));
    return bad;
  }
  if (!enter(c, d, at)) return bad;
  sched_name *env = c->env;
  bool was = c->outside;
  c->env = bind_arguments(c, d, given, at);
  c->within[c->depth++] = d;
  c->outside = false;
  sched_value v = sched_expr(c, d->value);
  c->outside = was;
  c->depth--;
  c->env = env;
  const ast_type *t = d->type;
  if (v.type == SCHED_INT && t && t->kind == TYPE_NAMED && strcmp(t->name.name, "real") == 0) v.type = SCHED_REAL;
  return v;
}

/* ---- sweeps, and what ends them early */

static void sweep(sched_ctx *c, uint32_t count, span at) {
  sched_emit(c, SCHED_SWEEP, 0, count, 0, at);
  sched_name *env = c->env;
  for (sched_watch *w = c->watch; w; w = w->outer) {
    c->env = w->env;
    uint32_t cond = sched_condition(c, w->cond);
    uint32_t go_on = sched_reg(c);
    sched_emit(c, SCHED_NOT, go_on, cond, 0, w->cond->at);
    size_t at_end = jump(c, SCHED_UNLESS, go_on, w->cond->at);
    ARENA_PUSH(c->a, w->leave, w->nleave, w->cap_leave, at_end);
  }
  c->env = env;
}

static void block(sched_ctx *c, const ast_block *b);

static void call(sched_ctx *c, const ast_name *name, const ast_args *args, span at) {
  const symbol *s = schedule_find(c->p->state, name->name);
  if (!s && strcmp(name->name, "restart") == 0) {
    if (args->n) sched_error(c, "E0841", at, "`restart` takes nothing: every replica goes back to its best state");
    sched_emit(c, SCHED_RESTART, 0, 0, 0, at);
    c->out->restarts = c->out->feedback = true;
    return;
  }
  if (!s) {
    unknown_schedule(c, name);
    return;
  }
  const ast_decl *d = NULL;
  const ast_expr **given = NULL;
  size_t candidates = 0;
  for (const symbol *x = s; x && !d; x = x->next_overload, candidates++) {
    given = ARENA_ARRAY(c->a, const ast_expr *, x->decl->params.n + 1);
    if (fits(c, x->decl, args, given)) d = x->decl;
  }
  if (!d) {
    diag *g = sched_error(c, "E0841", at, "these arguments do not fit the schedule `%s`", name->name);
    for (const symbol *x = s; x; x = x->next_overload) diag_help(c->p->diags, g, "it is called as `%s`", signature_text(c, x->decl));
    return;
  }
  if (!enter(c, d, at)) return;
  sched_name *env = c->env;
  c->env = bind_arguments(c, d, given, at);
  c->within[c->depth++] = d;
  bool was = c->outside;
  c->outside = false;
  if (d->value) sched_schedule(c, d->value);
  else if (d->body) block(c, d->body);
  c->outside = was;
  c->depth--;
  c->env = env;
}

/* ---- statements */

static void assign(sched_ctx *c, const ast_stmt *s) {
  const ast_target *t = &s->assign.target;
  if (name_missing(&t->name)) return;
  bool beta = strcmp(t->name.name, "beta") == 0;
  sched_name *n = beta ? NULL : sched_find(c, t->name.name);
  if (t->subs.n || t->type || (!beta && (!n || !n->variable))) {
    diag *d = sched_error(c, "E0846", t->at, "`%s` cannot be set here", t->name.name);
    diag_help(c->p->diags, d, "a schedule sets `beta`, and what it declares by `let`");
    return;
  }
  sched_value v = sched_expr(c, s->assign.value);
  if (v.type == SCHED_BAD) return;
  sched_type want = beta ? SCHED_REAL : n->v.type;
  if (want == SCHED_REAL && v.type == SCHED_INT) v.type = SCHED_REAL;
  if (v.type != want) sched_error(c, "E0842", s->assign.value->at, "this is %s, where %s is wanted", type_text[v.type], type_text[want]);
  else sched_emit(c, SCHED_MOVE, beta ? SCHEDULE_BETA : n->v.reg, v.reg, 0, s->at);
}

static void let(sched_ctx *c, const ast_stmt *s) {
  const ast_target *t = &s->let.target;
  if (name_missing(&t->name)) return;
  if (t->subs.n || t->type) {
    sched_error(c, "E0846", t->at, "`let` in a schedule declares a number: `let %s = ..`", t->name.name);
    return;
  }
  sched_value v = sched_expr(c, s->let.value);
  if (v.type == SCHED_BAD) return;
  if (v.type >= SCHED_RAMP) {
    sched_error(c, "E0842", s->let.value->at, "this is %s, where a number is wanted", type_text[v.type]);
    return;
  }
  sched_value own = {v.type, sched_reg(c), 1};
  sched_emit(c, SCHED_MOVE, own.reg, v.reg, 0, s->at);
  sched_bind(c, t->name.name, own)->variable = true;
}

/* i from lo to hi by step, the condition looked at behind each iteration. */
static void for_loop(sched_ctx *c, const ast_stmt *s) {
  const ast_iter *it = &s->for_.iter;
  const ast_range *r = it->n ? &it->items[0] : NULL;
  if (!r || it->n != 1 || it->cond || r->over) {
    sched_error(c, "E0842", s->at, "a loop of a schedule has one range: `for k in 1..n { .. }`");
    return;
  }
  sched_value lo = sched_expr(c, r->lo), hi = sched_expr(c, r->hi), by = {SCHED_INT, 0, 1};
  by = r->by ? sched_expr(c, r->by) : (sched_value){SCHED_INT, sched_number(c, 1, s->at), 1};
  if (lo.type == SCHED_BAD || hi.type == SCHED_BAD || by.type == SCHED_BAD) return;
  int64_t step = 1;
  if (r->by && !sched_literal(r->by, &step)) step = 0;
  if (lo.type != SCHED_INT || hi.type != SCHED_INT || by.type != SCHED_INT || step == 0) {
    sched_error(c, "E0842", r->at, step ? "a loop counts from an int to an int" : "the step of a loop is a whole number other than 0");
    return;
  }
  sched_name *env = c->env;
  uint32_t k = sched_reg(c), last = sched_reg(c), more = sched_reg(c);
  sched_emit(c, SCHED_MOVE, k, lo.reg, 0, r->at);
  sched_emit(c, SCHED_MOVE, last, hi.reg, 0, r->at);
  size_t top = c->out->n;
  sched_emit(c, SCHED_LE, more, step > 0 ? k : last, step > 0 ? last : k, r->at);
  size_t done = jump(c, SCHED_UNLESS, more, r->at), broken = 0;
  sched_bind(c, r->var.name, (sched_value){SCHED_INT, k, 1});
  block(c, s->for_.body);
  if (s->for_.until) {
    uint32_t cond = sched_condition(c, s->for_.until), go_on = sched_reg(c);
    sched_emit(c, SCHED_NOT, go_on, cond, 0, s->for_.until->at);
    broken = jump(c, SCHED_UNLESS, go_on, s->for_.until->at);
  }
  sched_emit(c, SCHED_ADD, k, k, by.reg, r->at);
  sched_emit(c, SCHED_JUMP, 0, 0, 0, r->at)->n = (uint32_t)top;
  land(c, done);
  if (s->for_.until) land(c, broken);
  c->env = env;
}

static void branch(sched_ctx *c, const ast_stmt *s) {
  uint32_t cond = sched_condition(c, s->if_.cond);
  size_t no = jump(c, SCHED_UNLESS, cond, s->at);
  block(c, s->if_.then);
  if (!s->if_.else_) {
    land(c, no);
    return;
  }
  size_t over = jump(c, SCHED_JUMP, 0, s->at);
  land(c, no);
  block(c, s->if_.else_);
  land(c, over);
}

static void command(sched_ctx *c, const ast_expr *e) {
  if (strcmp(e->call.fn.name, "sweep") != 0) {
    call(c, &e->call.fn, &e->call.args, e->at);
    return;
  }
  if (e->call.args.n > 1 || (e->call.args.n && e->call.args.items[0].name.name)) {
    sched_error(c, "E0841", e->at, "`sweep` takes how many sweeps to do, or nothing for one");
    return;
  }
  if (e->call.args.n == 0) {
    sweep(c, sched_number(c, 1, e->at), e->at);
    return;
  }
  sched_value n = sched_expr(c, e->call.args.items[0].value);
  if (n.type == SCHED_BAD) return;
  if (n.type != SCHED_INT) sched_error(c, "E0842", e->at, "the number of sweeps is an int");
  else sweep(c, n.reg, e->at);
}

static void block(sched_ctx *c, const ast_block *b) {
  sched_name *env = c->env;
  for (size_t k = 0; k < b->n; k++) {
    const ast_stmt *s = b->items[k];
    switch (s->kind) {
    case STMT_ASSIGN: assign(c, s); break;
    case STMT_LET: let(c, s); break;
    case STMT_FOR: for_loop(c, s); break;
    case STMT_IF: branch(c, s); break;
    case STMT_COMMAND: if (s->value->kind == EXPR_CALL) command(c, s->value); break;
    default: break; /* placement.c has reported it */
    }
  }
  c->env = env;
}

/* ---- combinators */

static void until(sched_ctx *c, const ast_expr *e) {
  sched_watch w = {.cond = e->binary.rhs, .env = c->env, .outer = c->watch};
  c->watch = &w;
  sched_schedule(c, e->binary.lhs);
  c->watch = w.outer;
  for (size_t k = 0; k < w.nleave; k++) land(c, w.leave[k]);
  if (w.nleave == 0 && !c->failed) sched_error(c, "E0842", e->at, "this schedule makes no sweep that `until` could end");
}

static void repeat(sched_ctx *c, const ast_expr *e) {
  sched_value n = sched_expr(c, e->binary.rhs);
  if (n.type == SCHED_BAD) return;
  if (n.type != SCHED_INT) {
    sched_error(c, "E0842", e->binary.rhs->at, "`repeat` takes an int");
    return;
  }
  uint32_t k = sched_number(c, 1, e->at), one = sched_number(c, 1, e->at), last = sched_reg(c), more = sched_reg(c);
  sched_emit(c, SCHED_MOVE, last, n.reg, 0, e->at);
  size_t top = c->out->n;
  sched_emit(c, SCHED_LE, more, k, last, e->at);
  size_t done = jump(c, SCHED_UNLESS, more, e->at);
  sched_schedule(c, e->binary.lhs);
  sched_emit(c, SCHED_ADD, k, k, one, e->at);
  sched_emit(c, SCHED_JUMP, 0, 0, 0, e->at)->n = (uint32_t)top;
  land(c, done);
}

void sched_schedule(sched_ctx *c, const ast_expr *e) {
  static const ast_args none;
  switch (e->kind) {
  case EXPR_ERROR: c->failed = true; return;
  case EXPR_NAME: call(c, &e->name, &none, e->at); return;
  case EXPR_CALL: call(c, &e->call.fn, &e->call.args, e->at); return;
  case EXPR_IF: {
    size_t no = jump(c, SCHED_UNLESS, sched_condition(c, e->if_.cond), e->at), over;
    sched_schedule(c, e->if_.then);
    over = jump(c, SCHED_JUMP, 0, e->at);
    land(c, no);
    sched_schedule(c, e->if_.else_);
    land(c, over);
    return;
  }
  case EXPR_BINARY:
    if (e->binary.op == OP_THEN) {
      sched_schedule(c, e->binary.lhs);
      sched_schedule(c, e->binary.rhs);
      return;
    }
    if (e->binary.op == OP_UNTIL) {
      until(c, e);
      return;
    }
    if (e->binary.op == OP_REPEAT) {
      repeat(c, e);
      return;
    }
    break;
  default: break;
  }
  diag *d = sched_error(c, "E0840", e->at, "this is not a schedule");
  diag_help(c->p->diags, d, "such as `geometric(beta = 0.1 -> 10, sweeps = 200) until stable(window = 20)`");
}

/* ---- entries */

static sched_ctx begin(check_program *p, const check_model *m) {
  sched_ctx c = {.p = p, .a = p->mem, .model = m, .out = ARENA_NEW(p->mem, schedule)};
  c.out->registers = SCHEDULE_FIXED;
  ptr_map_init(&c.slot, p->mem);
  return c;
}

const schedule *schedule_compile(check_program *p, const check_model *m, const ast_expr *e) {
  sched_ctx c = begin(p, m);
  c.outside = true;
  sched_schedule(&c, e);
  return c.failed ? NULL : c.out;
}

bool schedule_check(check_program *p, const ast_decl *d) {
  sched_ctx c = begin(p, NULL);
  for (size_t k = 0; k < d->params.n; k++) {
    const char *extent;
    sched_type t = declared_type(&c, &d->params.items[k], &extent);
    sched_value v = {t, c.out->registers, t == SCHED_ARRAY ? 1u : 0u};
    c.out->registers += 2;
    sched_bind(&c, d->params.items[k].name.name, v);
    if (extent) sched_bind(&c, extent, (sched_value){SCHED_INT, sched_reg(&c), 1});
  }
  if (d->value) sched_schedule(&c, d->value);
  else if (d->body) block(&c, d->body);
  return !c.failed;
}

static bool same_parameters(const ast_decl *x, const ast_decl *y) {
  bool same = x->params.n == y->params.n;
  for (size_t k = 0; k < x->params.n && same; k++) same = x->params.items[k].name.name == y->params.items[k].name.name;
  return same;
}

/* A file's own schedule hides the library's of that name. */
void schedule_declare(check_program *p, ast_decl *d, bool library) {
  if (name_missing(&d->name)) return;
  ptr_map *map = &p->state->schedules;
  symbol *s = sym_new(p->state, SYM_OTHER, d->name.name, d->name.at), *before = ptr_map_get(map, s->name);
  s->decl = d;
  sym_of(s)->library = library;
  d->name.sym = s;
  if (before && sym_of(before)->library && !library) before = NULL;
  if (!before) {
    ptr_map_put(map, s->name, s);
    return;
  }
  for (symbol *x = before; x; x = x->next_overload) {
    if (same_parameters(x->decl, d)) {
      diag *g = diag_add(p->diags, DIAG_ERROR, "E0402", s->at, "`%s` with these parameters is declared twice", s->name);
      diag_point(p->diags, g, x->at, "first here");
      return;
    }
    if (x->next_overload) continue;
    x->next_overload = s;
    return;
  }
}
