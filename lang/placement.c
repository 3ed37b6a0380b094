/* placement.c: which statement may stand in which body.
 *
 * One grammar serves every kind of body, so that an assignment in a model or a plate in a function is not a syntax error
 * but a message that knows what was meant. */
#include "lang/build.h"

#include <string.h>

typedef enum body_kind { IN_MODEL, IN_AGENT, IN_WORLD, IN_FN, IN_DIST, IN_SAMPLER, IN_SCHEDULE, IN_PREDICT, BODY_KINDS } body_kind;

#define BIT(kind) (1u << (kind))

static const unsigned allowed[BODY_KINDS] = {
    [IN_MODEL] = BIT(STMT_SAMPLE) | BIT(STMT_LET) | BIT(STMT_PLATE) | BIT(STMT_FOR) | BIT(STMT_IF) | BIT(STMT_TRACK) |
                 BIT(STMT_PREDICT) | BIT(STMT_REPLICATE) | BIT(STMT_ENERGY) | BIT(STMT_FACTOR),
    [IN_AGENT] = BIT(STMT_ACTION) | BIT(STMT_STATE) | BIT(STMT_OBSERVE) | BIT(STMT_PREFER) | BIT(STMT_BELIEFS) |
                 BIT(STMT_PLAN) | BIT(STMT_LEARN) | BIT(STMT_LET),
    [IN_WORLD] = BIT(STMT_ACTION) | BIT(STMT_STATE) | BIT(STMT_OBSERVE) | BIT(STMT_LET),
    [IN_FN] = BIT(STMT_LET) | BIT(STMT_FOR) | BIT(STMT_PLATE) | BIT(STMT_IF) | BIT(STMT_RETURN),
    [IN_DIST] = BIT(STMT_MEMBER),
    [IN_SAMPLER] = BIT(STMT_SAMPLE) | BIT(STMT_LET) | BIT(STMT_FOR) | BIT(STMT_PLATE) | BIT(STMT_IF) | BIT(STMT_RETURN),
    [IN_SCHEDULE] = BIT(STMT_ASSIGN) | BIT(STMT_FOR) | BIT(STMT_IF) | BIT(STMT_COMMAND) | BIT(STMT_LET),
    [IN_PREDICT] = BIT(STMT_SAMPLE) | BIT(STMT_LET) | BIT(STMT_PLATE) | BIT(STMT_FOR) | BIT(STMT_IF) | BIT(STMT_TRACK),
};

static const char *const bodies[BODY_KINDS] = {"a model", "an agent", "a world", "a function", "a distribution",
                                               "a sampler", "a schedule", "a `predict` block"};

static const char *const statements[] = {
    [STMT_ERROR] = "",          [STMT_SAMPLE] = "`~`",        [STMT_LET] = "`let`",         [STMT_ASSIGN] = "an assignment",
    [STMT_PLATE] = "`plate`",   [STMT_FOR] = "`for`",         [STMT_IF] = "`if`",           [STMT_TRACK] = "`track`",
    [STMT_PREDICT] = "`predict`", [STMT_REPLICATE] = "`predict`", [STMT_ENERGY] = "`energy`", [STMT_FACTOR] = "`factor`",
    [STMT_RETURN] = "`return`", [STMT_COMMAND] = "a command", [STMT_ACTION] = "`action`",   [STMT_STATE] = "`state`",
    [STMT_OBSERVE] = "`observe`", [STMT_PREFER] = "`prefer`", [STMT_BELIEFS] = "`beliefs`", [STMT_PLAN] = "`plan`",
    [STMT_LEARN] = "`learn`",   [STMT_MEMBER] = "a member",
};

static bool looks_like_distribution(const ast_expr *e) {
  return e->kind == EXPR_CALL && e->call.fn.name && e->call.fn.name[0] >= 'A' && e->call.fn.name[0] <= 'Z';
}

/* The left side as it would stand behind `let`. */
static const char *target_text(parser *p, const ast_target *t) {
  strbuf b;
  strbuf_init(&b, p->a);
  ast_print_place(&b, t);
  return b.s;
}

static bool is_name(const ast_expr *e, const char *name) { return e->kind == EXPR_NAME && strcmp(e->name.name, name) == 0; }

static void misplaced_assignment(parser *p, const ast_stmt *s, body_kind in) {
  const ast_target *t = &s->assign.target;
  span at = span_join(t->at, s->assign.value->at);
  const char *name = target_text(p, t);
  if (in != IN_FN && looks_like_distribution(s->assign.value)) {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0302", at, "`=` does not draw `%s` from a distribution", name);
    strbuf b;
    strbuf_init(&b, p->a);
    /* PyMC's distributions begin with the name of the variable. */
    ast_expr dist = *s->assign.value;
    if (dist.call.args.n && dist.call.args.items[0].value->kind == EXPR_STRING) dist.call.args.items++, dist.call.args.n--;
    ast_print_expr(&b, &dist);
    if (b.n > 60) strbuf_init(&b, p->a), strbuf_printf(&b, "%s(...)", s->assign.value->call.fn.name);
    diag_help(p->diags, d, "write `%s ~ %s`", name, b.s);
  } else {
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0302", at, "%s has no mutable variables", bodies[in]);
    const ast_expr *v = s->assign.value;
    if (v->kind == EXPR_BINARY && v->binary.op == OP_ADD && (is_name(v->binary.lhs, t->name.name) || is_name(v->binary.rhs, t->name.name))) {
      diag_help(p->diags, d, "a running sum is `sum(e for i in 1..N)`, and its steps are `cumsum(x)`, or by elements: `let %s[t] = %s[t - 1] + e` behind `let %s[1] = ...`", t->name.name,
                t->name.name, t->name.name);
      return;
    }
    diag_help(p->diags, d, "write `let %s = ...` for a definition%s", name,
              in == IN_FN ? "" : arena_printf(p->a, t->subs.n ? ", `%s ~ ...` for a random variable" : ", `%s ~ ...` for a random variable, `track %s = ...` to save it with the draws", name, name));
  }
}

static void misplaced(parser *p, const ast_stmt *s, body_kind in) {
  if (s->kind == STMT_ASSIGN) {
    misplaced_assignment(p, s, in);
    return;
  }
  if (s->kind == STMT_COMMAND && in != IN_DIST) {
    const char *name = s->value->call.fn.name;
    diag *d = diag_add(p->diags, DIAG_ERROR, "E0301", s->at, "`%s` alone does nothing in %s", name, bodies[in]);
    if (looks_like_distribution(s->value)) diag_help(p->diags, d, "a random variable is written `x ~ %s(...)`", name);
    else if (strcmp(name, "print") == 0) diag_help(p->diags, d, "`track name = e` saves a quantity with the draws");
    else if (in == IN_FN) diag_help(p->diags, d, "a function gives its value by `return`: `return %s...`", name);
    else if (strcmp(name, "sweep") == 0) diag_help(p->diags, d, "sweeps are a schedule's: `schedule s(n: int) { ... }`");
    else diag_help(p->diags, d, "write `let x = %s...` to use its value", name);
    return;
  }
  diag *d = diag_add(p->diags, DIAG_ERROR, "E0301", s->at, "%s cannot stand in %s", statements[s->kind], bodies[in]);
  switch (s->kind) {
  case STMT_RETURN:
    diag_help(p->diags, d, in == IN_MODEL ? "a model returns nothing; `track name = e` saves a quantity" : "only functions and samplers return");
    break;
  case STMT_SAMPLE:
    if (in == IN_FN) diag_help(p->diags, d, "a function is deterministic; draw in the model, or write a `dist` with a `sample()`");
    else if (in == IN_SCHEDULE) diag_help(p->diags, d, "a schedule sets `beta` and calls `sweep`");
    else if (in == IN_DIST) diag_help(p->diags, d, "draw inside its sampler: `sample() { u ~ Uniform(0, 1); return u }`");
    else diag_help(p->diags, d, "write `observe o: 1..3 ~ D` or `state s: 1..3 start p step P[s]`");
    break;
  case STMT_MEMBER:
    diag_help(p->diags, d, "`logpdf(x) = ...` and other members stand in a `dist`; a function is `fn f(x: real): real = ...`");
    break;
  case STMT_ACTION: case STMT_STATE: case STMT_OBSERVE: case STMT_PREFER: case STMT_BELIEFS: case STMT_PLAN: case STMT_LEARN:
    diag_help(p->diags, d, in == IN_WORLD ? "a world has states and observations; goals and beliefs are the agent's"
                                          : "it belongs in `agent name(...) { ... }`");
    break;
  case STMT_ENERGY: case STMT_FACTOR: case STMT_TRACK: case STMT_PREDICT: case STMT_REPLICATE:
    diag_help(p->diags, d, "it belongs in a model");
    break;
  case STMT_PLATE:
    if (in == IN_SCHEDULE) diag_help(p->diags, d, "a schedule runs step by step: write `for`");
    break;
  case STMT_LET:
    if (in == IN_DIST) diag_help(p->diags, d, "use `let z = e in ...` inside a member");
    break;
  default:
    break;
  }
}

static void check_block(parser *p, const ast_block *b, body_kind in);

static void check_stmt(parser *p, const ast_stmt *s, body_kind in) {
  if (s->kind == STMT_ERROR) {
    if (s->error.body) check_block(p, s->error.body, in);
    return;
  }
  if (!(allowed[in] & BIT(s->kind))) {
    misplaced(p, s, in);
    return; /* what is inside is in the wrong place with it */
  }
  switch (s->kind) {
  case STMT_PLATE:
    check_block(p, s->plate.body, in);
    break;
  case STMT_FOR:
    if (s->for_.until && in != IN_SCHEDULE) {
      diag *d = diag_add(p->diags, DIAG_ERROR, "E0303", s->for_.until->at, "`until` ends a loop early, which only a schedule can");
      diag_help(p->diags, d, "loops in %s have a fixed number of steps; choose values with `if c { a } else { b }`", bodies[in]);
    }
    check_block(p, s->for_.body, in);
    break;
  case STMT_IF:
    check_block(p, s->if_.then, in);
    if (s->if_.else_) check_block(p, s->if_.else_, in);
    break;
  case STMT_PREDICT:
    check_block(p, s->predict.body, IN_PREDICT);
    break;
  case STMT_MEMBER:
    if (s->member.body) check_block(p, s->member.body, strcmp(s->member.name.name, "sample") == 0 ? IN_SAMPLER : IN_FN);
    break;
  default:
    break;
  }
}

static void check_block(parser *p, const ast_block *b, body_kind in) {
  for (size_t i = 0; i < b->n; i++) check_stmt(p, b->items[i], in);
}

void placement_check(parser *p, ast_file *f) {
  for (size_t i = 0; i < f->n; i++) {
    const ast_decl *d = f->items[i];
    if (!d->body) continue;
    switch (d->kind) {
    case DECL_MODEL: check_block(p, d->body, IN_MODEL); break;
    case DECL_AGENT: check_block(p, d->body, IN_AGENT); break;
    case DECL_WORLD: check_block(p, d->body, IN_WORLD); break;
    case DECL_FN: check_block(p, d->body, IN_FN); break;
    case DECL_DIST: check_block(p, d->body, IN_DIST); break;
    case DECL_SCHEDULE: check_block(p, d->body, IN_SCHEDULE); break;
    default: break; /* of an erroneous declaration it is unknown what it was */
    }
  }
}
