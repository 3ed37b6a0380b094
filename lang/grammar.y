/* grammar.y: the surface of AIM.
 *
 * Actions only call build.h.  Words that start or continue statements are contextual: each is its own terminal and falls
 * back to a plain name where it cannot stand.  tokens.c has already turned newlines into SEP, so a SEP stands exactly
 * between two statements.
 *
 * Errors are not left to Lemon: parse.c asks grammar_accepts before it feeds a token, reports and skips on its own, and
 * puts a BAD terminal where the erroneous statement stood.  So each rule below sees valid input only. */
%name grammar_lemon
%token_prefix T_
%token_type {token}
%default_type {ast_expr *}
%extra_argument {parser *p}
%stack_size 3000
%start_symbol start

%include {
/* Without it Lemon keeps a mutable global for its trace. */
#ifndef NDEBUG
#define NDEBUG
#endif
#define YYNOERRORRECOVERY 1
#include "lang/build.h"
#include <string.h>
}
%syntax_error { (void)p; }

%fallback ID AGENT WORLD DIST SCHEDULE INFER ANNEAL SIMULATE GENERATE IMPORT ACTION STATE OBSERVE PREFER BELIEFS PLAN LEARN START
  STEP EVERY WITH USING GIVEN ON AS STEPS TRACK PREDICT ENERGY FACTOR REPEAT UNTIL THEN BY MODEL FN.
%token OPEQ BAD START_FILE START_EXPR.

%nonassoc LOWEST.
%nonassoc UNTIL.

start ::= START_FILE file.
start ::= START_EXPR expr(E). { p->root_expr = E; }

file ::= .
file ::= decls.
decls ::= decl(D). { build_file_add(p, D); }
decls ::= decls SEP decl(D). { build_file_add(p, D); }

%type decl {ast_decl *}
%type head {ast_decl *}
%type run {ast_decl *}
decl(A) ::= BAD(T). { A = build_bad_decl(p, T, NULL); }
decl(A) ::= BAD(T) block(B). { A = build_bad_decl(p, T, B); }
decl(A) ::= head(H) block(B). { A = build_decl_end(p, H, NULL, NULL, B); }
decl(A) ::= fn(F). { A = F; }
decl(A) ::= MEMO(K) fn(F). { A = build_memo(p, K, NULL, F); }
decl(A) ::= MEMO(K) LP opts(L) RP fn(F). { A = build_memo(p, K, L, F); }
decl(A) ::= MEMO(K) LP opts(L) RP SEP fn(F). { A = build_memo(p, K, L, F); }
decl(A) ::= head_dist(H) type(T) block(B). { A = build_decl_end(p, H, T, NULL, B); }
decl(A) ::= head_schedule(H) EQ expr(E). { A = build_decl_end(p, H, NULL, E, NULL); }
decl(A) ::= head_schedule(H) block(B). { A = build_decl_end(p, H, NULL, NULL, B); }
decl(A) ::= IMPORT(K) STR(S). { A = build_import(p, K, S); }
decl(A) ::= IMPORT(K) ID(N). { A = build_import(p, K, N); }
decl(A) ::= run(R). { A = build_run_end(p, R); }

%type fn {ast_decl *}
fn(A) ::= head_typed(H) type(T) block(B). { A = build_decl_end(p, H, T, NULL, B); }
fn(A) ::= head_typed(H) type(T) EQ expr(E). { A = build_decl_end(p, H, T, E, NULL); }
head(A) ::= MODEL(K) ID(N) LP params(P) RP(E). { A = build_decl(p, DECL_MODEL, K, N, P, true, E); }
head(A) ::= AGENT(K) ID(N) LP params(P) RP(E). { A = build_decl(p, DECL_AGENT, K, N, P, true, E); }
head(A) ::= WORLD(K) ID(N) LP params(P) RP(E). { A = build_decl(p, DECL_WORLD, K, N, P, true, E); }
head(A) ::= WORLD(K) ID(N) LP params(P) RP(E) FOR ID(O). { A = build_decl(p, DECL_WORLD, K, N, P, true, E); A->owner = build_name(p, O); }
%type head_typed {ast_decl *}
head_typed(A) ::= FN(K) ID(N) LP params(P) RP(E) COLON. { A = build_decl(p, DECL_FN, K, N, P, true, E); }
%type head_dist {ast_decl *}
head_dist(A) ::= DIST(K) ID(N) LP params(P) RP(E) ON. { A = build_decl(p, DECL_DIST, K, N, P, true, E); }
%type head_schedule {ast_decl *}
head_schedule(A) ::= SCHEDULE(K) ID(N). { A = build_decl(p, DECL_SCHEDULE, K, N, NULL, false, N); }
head_schedule(A) ::= SCHEDULE(K) ID(N) LP params(P) RP(E). { A = build_decl(p, DECL_SCHEDULE, K, N, P, true, E); }

run(A) ::= INFER(K) ID(M). { A = build_run(p, VERB_INFER, K, M); }
run(A) ::= ANNEAL(K) ID(M). { A = build_run(p, VERB_ANNEAL, K, M); }
run(A) ::= SIMULATE(K) ID(M). { A = build_run(p, VERB_SIMULATE, K, M); }
run(A) ::= GENERATE(K) ID(M). { A = build_run(p, VERB_GENERATE, K, M); }
run(A) ::= run(R) ON(K) opts(L). { A = build_run_list(p, R, K, L); }
run(A) ::= run(R) GIVEN(K) opts(L). { A = build_run_list(p, R, K, L); }
run(A) ::= run(R) WITH(K) opts(L). { A = build_run_list(p, R, K, L); }
run(A) ::= run(R) USING(K) expr(E). { A = build_run_expr(p, R, K, E); }
run(A) ::= run(R) UNTIL(K) expr(E). { A = build_run_expr(p, R, K, E); }
run(A) ::= run(R) FOR(K) expr(E) STEPS. { A = build_run_expr(p, R, K, E); }
run(A) ::= run(R) FOR(K) expr(E) STEPS(T) COMMA opts(L). { A = build_run_list(p, build_run_expr(p, R, K, E), T, L); }
run(A) ::= run(R) AS(K) ID(N). { A = build_run_name(p, R, K, N); }
run(A) ::= run(R) IN(K) ID(N). { A = build_run_name(p, R, K, N); }
%type opts {ast_args *}
%type opt {ast_arg *}
opts(A) ::= opt(O). { A = build_args_add(p, NULL, O); }
opts(A) ::= opts(L) COMMA opt(O). { A = build_args_add(p, L, O); }
opt(A) ::= expr(E). { A = build_arg(p, NULL, E); }
opt(A) ::= ID(N) EQ expr(E). { A = build_arg(p, &N, E); }

%type params {ast_params *}
%type plist {ast_params *}
%type param {ast_param *}
params(A) ::= . { A = NULL; }
params(A) ::= plist(L). { A = L; }
params(A) ::= plist(L) COMMA. { A = L; }
plist(A) ::= param(P). { A = build_params_add(p, NULL, P); }
plist(A) ::= plist(L) COMMA param(P). { A = build_params_add(p, L, P); }
param(A) ::= ID(N). { A = build_param(p, N, NULL, NULL); }
param(A) ::= ID(N) COLON type(T). { A = build_param(p, N, T, NULL); }
param(A) ::= ID(N) COLON type(T) EQ expr(E). { A = build_param(p, N, T, E); }
param(A) ::= ID(N) EQ expr(E). { A = build_param(p, N, NULL, E); }

%type type {ast_type *}
%type tbase {ast_type *}
type(A) ::= tbase(T). { A = T; }
tbase(A) ::= INT(L) DOTDOT sum(H). { A = build_type_range(p, build_int(p, L), H); }
tbase(A) ::= ID(N) tbounds(B). { A = build_type(p, N, B, NULL, NULL, (span){0}); }
tbase(A) ::= ID(N) tbounds(B) LP args_plain(X) RP(E). { A = build_type(p, N, B, X, NULL, build_span(p, E)); }
tbase(A) ::= ID(N) tbounds(B) LB dims(D) RB(E). { A = build_type(p, N, B, NULL, D, build_span(p, E)); }
tbase(A) ::= ID(N) tbounds(B) LP args_plain(X) RP LB dims(D) RB(E). { A = build_type(p, N, B, X, D, build_span(p, E)); }
%type tbounds {ast_args *}
%type bounds {ast_args *}
%type bound {ast_arg *}
tbounds(A) ::= . { A = NULL; }
tbounds(A) ::= LT bounds(B) GT. { A = B; }
bounds(A) ::= bound(B). { A = build_args_add(p, NULL, B); }
bounds(A) ::= bounds(L) COMMA bound(B). { A = build_args_add(p, L, B); }
bound(A) ::= ID(N) EQ sum(E). { A = build_arg(p, &N, E); }
%type args_plain {ast_exprs *}
args_plain(A) ::= expr(E). { A = build_exprs_add(p, NULL, E); }
args_plain(A) ::= args_plain(L) COMMA expr(E). { A = build_exprs_add(p, L, E); }
%type dims {ast_dims *}
%type dim {ast_dim *}
dims(A) ::= dim(D). { A = build_dims_add(p, NULL, D); }
dims(A) ::= dims(L) COMMA dim(D). { A = build_dims_add(p, L, D); }
dim(A) ::= expr(E). { A = build_dim(p, NULL, NULL, E); }
dim(A) ::= ID(N) IN sum(L) DOTDOT sum(H). { A = build_dim(p, &N, L, H); }

%type block {ast_block *}
%type stmts {ast_block *}
block(A) ::= LC(O) RC(C). { A = build_block(p, O, NULL, C); }
block(A) ::= LC(O) stmts(S) RC(C). { A = build_block(p, O, S, C); }
stmts(A) ::= stmt(S). { A = build_block_add(p, NULL, S); }
stmts(A) ::= stmts(L) SEP stmt(S). { A = build_block_add(p, L, S); }

%type lhs {ast_target *}
lhs(A) ::= ID(N). { A = build_target(p, N, NULL, NULL, (span){0}); }
lhs(A) ::= ID(N) COLON type(T). { A = build_target(p, N, NULL, T, (span){0}); }
lhs(A) ::= ID(N) LB subs(S) RB(E). { A = build_target(p, N, S, NULL, build_span(p, E)); }
lhs(A) ::= ID(N) LB subs(S) RB(E) COLON type(T). { A = build_target(p, N, S, T, build_span(p, E)); }

%type stmt {ast_stmt *}
%type sample {ast_stmt *}
%type ifs {ast_stmt *}
%type state {ast_stmt *}
stmt(A) ::= BAD(T). { A = build_bad_stmt(p, T, NULL); }
stmt(A) ::= bad(S). { A = S; }
%type bad {ast_stmt *}
bad(A) ::= BAD(T) block(B). { A = build_bad_stmt(p, T, B); }
bad(A) ::= bad(S) ELSE block(B). { A = build_bad_else(p, S, B); }
stmt(A) ::= bad(S) ELSE ifs(I). { A = build_bad_else(p, S, build_block_add(p, NULL, I)); }
stmt(A) ::= sample(S). { A = S; }
sample(A) ::= lhs(L) TILDE(T) expr(E). { A = build_sample(p, L, T, E, NULL); }
sample(A) ::= lhs(L) TILDE(T) expr(E) FOR iter(I). { A = build_sample(p, L, T, E, I); }
stmt(A) ::= lhs(L) EQ expr(E). { A = build_assign(p, L, E); }
stmt(A) ::= LET(K) lhs(L) EQ expr(E). { A = build_let(p, K, L, E); }
stmt(A) ::= PLATE(K) iter(I) block(B). { A = build_plate(p, K, I, B); }
stmt(A) ::= FOR(K) iter(I) block(B). { A = build_for(p, K, I, NULL, B); }
stmt(A) ::= FOR(K) ranges(I) UNTIL expr(E) block(B). { A = build_for(p, K, I, E, B); }
stmt(A) ::= ifs(S). { A = S; }
ifs(A) ::= IF(K) expr(C) block(B). { A = build_if(p, K, C, B, NULL); }
ifs(A) ::= IF(K) expr(C) block(B) ELSE block(E). { A = build_if(p, K, C, B, E); }
ifs(A) ::= IF(K) expr(C) block(B) ELSE ifs(E). { A = build_else_if(p, K, C, B, E); }
stmt(A) ::= TRACK(K) tracks(L). { A = build_track(p, K, L); }
%type tracks {ast_args *}
%type tracked {ast_arg *}
tracks(A) ::= tracked(T). { A = build_args_add(p, NULL, T); }
tracks(A) ::= tracks(L) COMMA tracked(T). { A = build_args_add(p, L, T); }
tracked(A) ::= expr(E). { A = build_arg(p, NULL, E); }
tracked(A) ::= ID(N) EQ expr(E). { A = build_arg(p, &N, E); }
stmt(A) ::= PREDICT(K) sample(S). { A = build_predict_one(p, K, S); }
stmt(A) ::= PREDICT(K) block(B). { A = build_predict(p, K, B); }
stmt(A) ::= PREDICT(K) ID(N). { A = build_replicate(p, K, N); }
stmt(A) ::= ENERGY(K) expr(E). { A = build_value_stmt(p, STMT_ENERGY, K, E); }
stmt(A) ::= FACTOR(K) expr(E). { A = build_value_stmt(p, STMT_FACTOR, K, E); }
stmt(A) ::= RETURN(K) expr(E). { A = build_value_stmt(p, STMT_RETURN, K, E); }
stmt(A) ::= BELIEFS(K) expr(E). { A = build_value_stmt(p, STMT_BELIEFS, K, E); }
stmt(A) ::= PLAN(K) expr(E). { A = build_value_stmt(p, STMT_PLAN, K, E); }
stmt(A) ::= ID(N). { A = build_command(p, N, NULL, NULL); }
stmt(A) ::= ID(N) LP args(X) RP(C). { A = build_command(p, N, X, &C); }
stmt(A) ::= ID(N) LP args(X) RP EQ expr(E). { A = build_member(p, N, X, E, NULL); }
stmt(A) ::= ID(N) LP args(X) RP block(B). { A = build_member(p, N, X, NULL, B); }
stmt(A) ::= ACTION(K) ID(N) COLON type(T). { A = build_action(p, K, N, T); }
stmt(A) ::= state(S). { A = build_state_end(p, S); }
state(A) ::= STATE(K) ID(N) COLON type(T). { A = build_state(p, K, N, T); }
state(A) ::= state(S) EVERY(K) expr(E). { A = build_state_clause(p, S, CLAUSE_EVERY, K, E); }
state(A) ::= state(S) START(K) expr(E). { A = build_state_clause(p, S, CLAUSE_START, K, E); }
state(A) ::= state(S) STEP(K) expr(E). { A = build_state_clause(p, S, CLAUSE_STEP, K, E); }
stmt(A) ::= OBSERVE(K) ID(N) COLON type(T) TILDE expr(E). { A = build_observe(p, K, N, T, E); }
stmt(A) ::= PREFER(K) lhs(L) EQ expr(E). { A = build_prefer(p, K, L, E); }
stmt(A) ::= LEARN(K) ID(N) TILDE expr(E). { A = build_learn(p, K, N, E, NULL); }
stmt(A) ::= LEARN(K) ID(N) TILDE expr(E) COMMA opts(L). { A = build_learn(p, K, N, E, L); }

%type iter {ast_iter *}
%type ranges {ast_iter *}
%type range {ast_range *}
iter(A) ::= ranges(R). { A = R; }
iter(A) ::= ranges(R) IF expr(E). { A = build_iter_if(p, R, E); }
ranges(A) ::= range(R). { A = build_iter_add(p, NULL, R); }
ranges(A) ::= ranges(L) COMMA range(R). { A = build_iter_add(p, L, R); }
range(A) ::= ID(N) IN sum(E). { A = build_over(p, N, E); }
range(A) ::= ID(N) IN sum(L) DOTDOT sum(H). { A = build_range(p, N, L, H, NULL); }
range(A) ::= ID(N) IN sum(L) DOTDOT sum(H) BY sum(S). { A = build_range(p, N, L, H, S); }

expr(A) ::= LET(K) ID(N) EQ expr(E) IN expr(B). { A = build_let_expr(p, K, N, E, B); }
expr(A) ::= low(E). [LOWEST] { A = E; }
low(A) ::= or(E). { A = E; }
low(A) ::= low(L) THEN(T) or(R). { A = build_binary(p, OP_THEN, L, T, R); }
low(A) ::= low(L) UNTIL(T) or(R). { A = build_binary(p, OP_UNTIL, L, T, R); }
low(A) ::= low(L) REPEAT(T) or(R). { A = build_binary(p, OP_REPEAT, L, T, R); }
low(A) ::= or(L) ARROW(T) or(R). { A = build_binary(p, OP_ARROW, L, T, R); }
or(A) ::= and(E). { A = E; }
or(A) ::= or(L) OR(T) and(R). { A = build_binary(p, OP_OR, L, T, R); }
and(A) ::= not(E). { A = E; }
and(A) ::= and(L) AND(T) not(R). { A = build_binary(p, OP_AND, L, T, R); }
not(A) ::= cmp(E). { A = E; }
not(A) ::= NOT(T) not(E). { A = build_prefix(p, OP_NOT, T, E); }
cmp(A) ::= sum(E). { A = E; }
cmp(A) ::= sum(L) LT(T) sum(R). { A = build_binary(p, OP_LT, L, T, R); }
cmp(A) ::= sum(L) GT(T) sum(R). { A = build_binary(p, OP_GT, L, T, R); }
cmp(A) ::= sum(L) LE(T) sum(R). { A = build_binary(p, OP_LE, L, T, R); }
cmp(A) ::= sum(L) GE(T) sum(R). { A = build_binary(p, OP_GE, L, T, R); }
cmp(A) ::= sum(L) EQEQ(T) sum(R). { A = build_binary(p, OP_EQ, L, T, R); }
cmp(A) ::= sum(L) NE(T) sum(R). { A = build_binary(p, OP_NE, L, T, R); }
sum(A) ::= term(E). { A = E; }
sum(A) ::= sum(L) PLUS(T) term(R). { A = build_binary(p, OP_ADD, L, T, R); }
sum(A) ::= sum(L) MINUS(T) term(R). { A = build_binary(p, OP_SUB, L, T, R); }
term(A) ::= un(E). { A = E; }
term(A) ::= term(L) STAR(T) un(R). { A = build_binary(p, OP_MUL, L, T, R); }
term(A) ::= term(L) SLASH(T) un(R). { A = build_binary(p, OP_DIV, L, T, R); }
term(A) ::= term(L) SLASH2(T) un(R). { A = build_binary(p, OP_FLOORDIV, L, T, R); }
term(A) ::= term(L) PCT(T) un(R). { A = build_binary(p, OP_MOD, L, T, R); }
term(A) ::= term(L) AT(T) un(R). { A = build_binary(p, OP_MATMUL, L, T, R); }
un(A) ::= pow(E). { A = E; }
un(A) ::= MINUS(T) un(E). { A = build_prefix(p, OP_NEG, T, E); }
pow(A) ::= postfix(E). { A = E; }
pow(A) ::= postfix(L) CARET(T) un(R). { A = build_binary(p, OP_POW, L, T, R); }
postfix(A) ::= prim(E). { A = E; }
postfix(A) ::= postfix(E) LB subs(S) RB(T). { A = build_index(p, E, S, T); }
postfix(A) ::= postfix(E) QUOTE(T). { A = build_transpose(p, E, T); }
postfix(A) ::= postfix(E) DOT ID(N). { A = build_field(p, E, N); }
postfix(A) ::= postfix(E) DOT ID(N) LP args(X) RP(T). { A = build_member_call(p, E, N, X, T); }
prim(A) ::= ID(N). { A = build_name_expr(p, N); }
prim(A) ::= ID(N) LP args(X) RP(T). { A = build_call(p, N, X, T); }
prim(A) ::= ID(N) LP expr(E) FOR iter(I) RP(T). { A = build_reduce(p, N, E, I, T); }
prim(A) ::= INT(T). { A = build_int(p, T); }
prim(A) ::= REAL(T). { A = build_real(p, T); }
prim(A) ::= STR(T). { A = build_string(p, T); }
prim(A) ::= TRUE(T). { A = build_bool(p, T, true); }
prim(A) ::= FALSE(T). { A = build_bool(p, T, false); }
prim(A) ::= LP(O) expr(E) RP(C). { A = build_parens(p, O, E, C); }
prim(A) ::= LB(O) elems(L) RB(C). { A = build_array(p, O, L, C); }
prim(A) ::= LB(O) expr(E) FOR iter(I) RB(C). { A = build_comprehension(p, O, E, I, C); }
prim(A) ::= ifx(E). { A = E; }
ifx(A) ::= IF(K) expr(C) LC expr(T) RC ELSE LC expr(E) RC(Z). { A = build_if_expr(p, K, C, T, E, build_span(p, Z)); }
ifx(A) ::= IF(K) expr(C) LC expr(T) RC ELSE ifx(E). { A = build_if_expr(p, K, C, T, E, E->at); }
%type elems {ast_exprs *}
%type elist {ast_exprs *}
elems(A) ::= . { A = NULL; }
elems(A) ::= elist(L). { A = L; }
elems(A) ::= elist(L) COMMA. { A = L; }
elist(A) ::= expr(E). { A = build_exprs_add(p, NULL, E); }
elist(A) ::= elist(L) COMMA expr(E). { A = build_exprs_add(p, L, E); }
%type args {ast_args *}
%type alist {ast_args *}
%type arg {ast_arg *}
args(A) ::= . { A = NULL; }
args(A) ::= alist(L). { A = L; }
args(A) ::= alist(L) COMMA. { A = L; }
alist(A) ::= arg(X). { A = build_args_add(p, NULL, X); }
alist(A) ::= alist(L) COMMA arg(X). { A = build_args_add(p, L, X); }
arg(A) ::= expr(E). { A = build_arg(p, NULL, E); }
arg(A) ::= ID(N) EQ expr(E). { A = build_arg(p, &N, E); }
arg(A) ::= ID(L) DOTDOT ID(H). { A = build_arg(p, NULL, build_range_expr(p, build_name_expr(p, L), build_name_expr(p, H))); }
%type subs {ast_exprs *}
subs(A) ::= sub(E). { A = build_exprs_add(p, NULL, E); }
subs(A) ::= subs(L) COMMA sub(E). { A = build_exprs_add(p, L, E); }
sub(A) ::= expr(E). { A = E; }
sub(A) ::= sum(L) DOTDOT sum(H). { A = build_range_expr(p, L, H); }
sub(A) ::= COLON(T). { A = build_all(p, T); }

%code {
enum { MARGIN = 16 }; /* entries that one token may add */

void *grammar_new(arena *a) {
  yyParser *g = ARENA_NEW(a, yyParser);
  grammar_lemonInit(g);
  return g;
}

void grammar_feed(void *engine, int kind, token t, parser *p) { grammar_lemon(engine, kind, t, p); }

bool grammar_full(const void *engine) {
  const yyParser *g = engine;
  return g->yystackEnd - g->yytos < MARGIN;
}

/* Lemon's action for a terminal in a state; strict: without falling back to a name. */
static YYACTIONTYPE action_of(YYACTIONTYPE state, int kind, bool strict) {
  if (!strict || state > YY_MAX_SHIFT) return yy_find_shift_action((YYCODETYPE)kind, state);
  int i = yy_shift_ofst[state] + kind;
  return yy_lookahead[i] == kind ? yy_action[i] : yy_default[state];
}

/* Runs the automaton on a stack that is the engine's up to `top` and, above it, states of its own.  Only the states that the
 * simulation pushes are kept, so nothing is copied. */
static bool simulate(const yyParser *g, const yyStackEntry *top, const int *kinds, int n, bool strict) {
  YYACTIONTYPE own[2 * MARGIN];
  int nown = 0;
  for (int k = 0; k < n; k++) {
    for (;;) {
      YYACTIONTYPE state = nown ? own[nown - 1] : top->stateno;
      YYACTIONTYPE act = action_of(state, kinds[k], strict);
      if (act == YY_ACCEPT_ACTION) return k == n - 1;
      if (act == YY_ERROR_ACTION || act == YY_NO_ACTION) return false;
      if (act < YY_MIN_REDUCE) {
        /* A shift; SHIFTREDUCE becomes the reduce that follows, as in yy_shift. */
        if (act > YY_MAX_SHIFT) act += YY_MIN_REDUCE - YY_MIN_SHIFTREDUCE;
        if (nown == 2 * MARGIN) return true;
        own[nown++] = act;
        break;
      }
      unsigned rule = act - YY_MIN_REDUCE;
      int size = -yyRuleInfoNRhs[rule];
      int mine = size < nown ? size : nown;
      nown -= mine;
      if (top - g->yystack < size - mine) return false;
      top -= size - mine;
      state = nown ? own[nown - 1] : top->stateno;
      if (nown == 2 * MARGIN) return true;
      own[nown++] = yy_find_reduce_action(state, yyRuleInfoLhs[rule]);
    }
  }
  return true;
}

bool grammar_accepts(void *engine, int kind, bool strict) {
  const yyParser *g = engine;
  return simulate(g, g->yytos, &kind, 1, strict);
}

bool grammar_recover(void *engine, int next, token t, parser *p) {
  yyParser *g = engine;
  int kinds[2] = {T_BAD, next};
  for (yyStackEntry *top = g->yytos; top > g->yystack; top--) {
    /* An entry may hold a reduction that is still to come; the state below it is complete. */
    if (top->stateno > YY_MAX_SHIFT) continue;
    if (!simulate(g, top, kinds, 2, true)) continue;
    g->yytos = top;
    grammar_lemon(g, T_BAD, t, p);
    return true;
  }
  return false;
}
}
