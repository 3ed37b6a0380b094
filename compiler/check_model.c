/* check_model.c: models and functions as wholes. */
#include "compiler/check_state.h"

void check_fn_body(check_state *st, symbol *fn) {
  const signature *sig = signature_of(st, fn);
  if (!sig) return;
  ctx c;
  ctx_init(&c, st, CTX_FN, fn);
  signature_enter(&c, sig);
  c.result = sig->result;
  c.result_at = fn->decl->type ? fn->decl->type->at : fn->at;
  check_returning(&c, fn->decl->value, fn->decl->body, fn->name);
}

/* A name of the signature that nothing reads is most often a `~` or a `let` whose name was mistyped. */
void warn_unused(ctx *c) {
  check_model *m = c->model;
  const char **made = ARENA_ARRAY(c->a, const char *, m->nsites);
  size_t n = 0;
  for (size_t i = 0; i < m->nsites; i++)
    if (m->sites[i].role == IR_LATENT) made[n++] = m->sites[i].sym->name;
  for (size_t i = 0; i < m->ndata; i++) {
    symbol *s = m->data[i];
    if (sym_of(s)->used || s->observed || !s->name[0] || s->param->rows > ROWS_CELLS) continue;
    diag *d = diag_add(c->p->diags, DIAG_WARNING, "W0401", s->at, "`%s` is never used", s->name);
    const char *near = nearest_of(s->name, made, n);
    if (!near) continue;
    for (size_t k = 0; k < m->nsites; k++)
      if (m->sites[k].sym->name == near) cx_point(c, d, m->sites[k].at, "`%s` is a latent", near);
    cx_help(c, d, "did you mean `%s` here? As it is written, `%s` is not observed", s->name, near);
  }
}

void check_model_body(check_state *st, symbol *model) {
  ctx c;
  ctx_init(&c, st, CTX_MODEL, model);
  ast_decl *d = model->decl;
  const size_t errors = st->p->diags->errors;
  branches_join(st, d);
  ragged_write_out(st->p, d);
  check_model *m = sym_of(model)->model = ARENA_NEW(c.a, check_model);
  m->decl = d;
  m->sym = model;
  c.model = m;
  model_signature(&c);
  for (size_t i = 0; i < d->params.n; i++)
    if (d->params.items[i].row) (void)check_expr(&c, d->params.items[i].row);
  elements_collect(&c, d->body);
  check_block(&c, d->body);
  for (size_t i = 0; i < c.nreplicas; i++) {
    symbol *y = c.replicas[i]->sym;
    const check_site *site = y->site ? &m->sites[y->site - 1] : NULL;
    if (site && site->undrawn) report_undrawn(&c, c.replicas[i]->at, site->undrawn, y->name);
    if (y->observed || (y->type && ty_is_error(y->type))) continue;
    diag *g = cx_error(&c, "E0617", c.replicas[i]->at, "`%s` is not observed, so it cannot be replicated", y->name);
    cx_point(&c, g, y->at, "%s", sym_noun(y));
    if (y->kind == SYM_LATENT) cx_help(&c, g, "the draws of a latent are kept anyway");
    else cx_help(&c, g, "`predict { x ~ D }` draws a new quantity");
  }
  sym_of(model)->tracks = c.tracks;
  sym_of(model)->over_failed = st->p->diags->errors != errors;
  /* After an error a use may have been passed over. */
  if (st->p->diags->errors == errors) warn_unused(&c);
}
