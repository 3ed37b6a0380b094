/* replicate.c: see replicate.h. */
#include "compiler/replicate.h"

#include "compiler/ir_uses.h"

#include <string.h>

static diag *refuse(program *p, span at, const char *name) {
  return diag_add(&p->diags, DIAG_ERROR, "E0914", at, "data of this model cannot be simulated: `%s` is in the way", name);
}

bool replicate_sites(program *p) {
  bool any = false;
  for (size_t k = 0; k < p->model->nsites; k++) {
    const check_site *s = &p->model->sites[k];
    const char *name = s->sym->name;
    if (s->role == IR_LATENT) {
      for (size_t i = 0; i < p->ndata; i++) {
        if (strcmp(p->data[i].name, name) != 0) continue;
        diag_note(&p->diags, refuse(p, s->at, name), "its values are given, so it is not drawn from its prior");
        return false;
      }
      continue;
    }
    if (s->role != IR_OBSERVED) continue;
    any = true;
    const char *why = s->sym->size != IR_SIZE_NONE ? "a size is observed: arrays would change their extents with the data"
                      : s->undrawn                 ? arena_printf(p->mem, "its distribution `%s` has no `sample`", s->undrawn->name)
                      : s->as_real                 ? "it has integers, and a distribution of reals would draw others"
                       : s->sym->kind == SYM_LET    ? "it is computed from the data, which would have to be drawn"
                                                  : NULL;
    for (size_t i = 0; i < p->nmissing && !why; i++)
      if (strcmp(p->missing[i].name, name) == 0) why = "some of its values are missing";
    if (!why) continue;
    diag_note(&p->diags, refuse(p, s->undrawn ? s->undrawn_at : s->at, name), "%s", why);
    return false;
  }
  if (any) return true;
  diag_add(&p->diags, DIAG_ERROR, "E0914", p->model->decl->name.at, "data of this model cannot be simulated: it observes nothing");
  return false;
}

/* ---- what depends on observed values */

static bool any_axis(const bool *reads, const ir_axes *axes) {
  for (uint32_t k = 0; k < axes->n; k++)
    if (axes->at[k] && reads[axes->at[k]]) return true;
  return false;
}

/* A draw or an observation that depends on the values flagged other than by what it observes, or whether it happens at all. */
static bool depends(const ir_op *op, const bool *reads, bool inside) {
  const ir_tilde *t = op->u.tilde;
  if (t->site->role == IR_PREDICTED) return false;
  if (inside || any_axis(reads, &t->axes) || (t->lo && reads[t->lo]) || (t->hi && reads[t->hi])) return true;
  for (uint32_t k = op->code == IR_OBSERVE_OP; k < op->nargs; k++)
    if (reads[op->args[k]]) return true;
  return false;
}

static const ir_op *first_reader(const ir_block *block, const bool *reads, bool inside) {
  const ir_op *hit = NULL;
  for (const ir_op *op = block->first; op && !hit; op = op->next) {
    if (op->code == IR_SAMPLE_OP || op->code == IR_OBSERVE_OP) {
      if (depends(op, reads, inside)) hit = op;
    } else if (ir_is_loop(op)) {
      const ir_loop *loop = op->u.loop;
      bool in = inside || (loop->live && reads[loop->live]);
      for (uint32_t k = 0; k < loop->rank; k++) in = in || reads[loop->extent[k]];
      hit = first_reader(&loop->body, reads, in);
    } else if (op->code == IR_IF_OP) {
      bool in = inside || reads[op->args[0]];
      hit = first_reader(&op->u.branch->then_, reads, in);
      if (!hit) hit = first_reader(&op->u.branch->else_, reads, in);
    }
  }
  return hit;
}

/* The first statement that depends on observed values of y otherwise than by observing them, or NULL. */
static const ir_op *reader_of(const program *p, const ir_site *y) {
  const ir_fn *fn = p->ir;
  bool *reads = ARENA_ARRAY(p->mem, bool, fn->nvals);
  memset(reads, 0, fn->nvals * sizeof *reads);
  for (uint32_t i = 0; i < fn->nparams; i++)
    if (fn->param[i].role == IR_ROLE_DATA && strcmp(fn->param[i].name, y->name) == 0) reads[fn->param[i].val] = true;
  ir_spread(reads, fn);
  return first_reader(&fn->body, reads, false);
}

static void say_order(program *p, diag *d, const char *y) {
  diag_help(&p->diags, d, "values are drawn before they are read: what `%s[t]` depends on may be `%s[t - 1]` and others before it, element by element, but not itself, a later one, or a function of all", y, y);
}

void replicate_say_lags(program *p) {
  for (size_t k = 0; k < p->diags.n; k++)
    if (strcmp(p->diags.items[k]->code, "N0914") == 0) return; /* a model may be built twice */
  for (uint32_t k = 0; k < p->ir->nsites; k++) {
    const ir_site *y = p->ir->site[k];
    if (y->role != IR_OBSERVED) continue;
    const ir_site *r = ir_site_find(p->ir, arena_printf(p->mem, "%s_rep", y->name));
    bool told = !r || !r->replica;
    for (size_t i = 0; i < p->model->nsites && !told && p->in_order; i++) told = p->in_order[i] && strcmp(p->model->sites[i].sym->name, y->name) == 0;
    const ir_op *op = told ? NULL : reader_of(p, y);
    if (!op) continue;
    diag *d = diag_add(&p->diags, DIAG_NOTE, "N0914", op->where, "`%s` is drawn given the observed `%s`", r->name, y->name);
    diag_say(&p->diags, d, "this depends on observed values of `%s`", y->name);
    say_order(p, d, y->name);
  }
}

bool replicate_reads(program *p) {
  const ir_fn *fn = p->ir;
  for (uint32_t k = 0; k < fn->nsites; k++) {
    const ir_site *y = fn->site[k];
    if (y->role != IR_OBSERVED) continue;
    const ir_op *op = reader_of(p, y);
    if (!op) continue;
    diag *d = refuse(p, op->where, y->name);
    diag_say(&p->diags, d, "this depends on observed values of `%s`", y->name);
    return false;
  }
  return true;
}

void replicate_ahead(program *p, const lower_ahead *ahead) {
  diag *d = refuse(p, ahead->at->at, ahead->y->name);
  diag_say(&p->diags, d, "this reads values of `%s` that are not drawn yet", ahead->y->name);
  say_order(p, d, ahead->y->name);
}

/* ---- what is missing, under prior */

static diag *refuse_missing(program *p, span at, const char *name) { return diag_add(&p->diags, DIAG_ERROR, "E0912", at, "missing values of `%s` cannot be drawn from the prior", name); }

bool replicate_missing(program *p) {
  for (size_t k = 0; k < p->nmissing; k++) {
    const lower_missing *x = &p->missing[k];
    const check_site *s = NULL;
    for (size_t i = 0; i < p->model->nsites; i++)
      if (strcmp(p->model->sites[i].sym->name, x->name) == 0) s = &p->model->sites[i];
    if (!x->latent || !s || !s->undrawn) continue;
    diag_note(&p->diags, refuse_missing(p, s->undrawn_at, x->name), "its distribution `%s` has no `sample`", s->undrawn->name);
    return false;
  }
  return true;
}

void replicate_missing_ahead(program *p, const lower_ahead *ahead) {
  diag *d = refuse_missing(p, ahead->at->at, ahead->y->name);
  diag_say(&p->diags, d, "this reads elements of `%s` that are not drawn yet", ahead->y->name);
  say_order(p, d, ahead->y->name);
}

/* ---- replicas that go their own way */

static void mark_replicas(const program *p, const ast_block *body, bool *in_order, bool *any) {
  for (size_t k = 0; k < body->n; k++) {
    const ast_stmt *x = body->items[k];
    if (x->kind == STMT_GROUP) mark_replicas(p, x->group.body, in_order, any);
    const symbol *y = x->kind == STMT_REPLICATE ? x->replicate.sym : NULL;
    if (!y || y->kind != SYM_DATA || !y->site) continue;
    const check_site *s = &p->model->sites[y->site - 1];
    if (!y->read || s->as_real) continue; /* drawn beside the observations it is the same, and costs less */
    *any = in_order[y->site - 1] = true;
  }
}

const bool *replicate_in_order(const program *p) {
  bool *in_order = ARENA_ARRAY(p->mem, bool, p->model->nsites + 1), any = false;
  mark_replicas(p, p->model->decl->body, in_order, &any);
  return any ? in_order : NULL;
}

const bool *replicate_without(const program *p, const symbol *y) {
  bool *left = ARENA_ARRAY(p->mem, bool, p->model->nsites + 1), any = false, found = false;
  for (size_t k = 0; k < p->model->nsites; k++) {
    const bool is_y = p->model->sites[k].sym == y;
    left[k] = p->in_order[k] && !is_y;
    any = any || left[k];
    found = found || (p->in_order[k] && is_y);
  }
  return any && found ? left : NULL; /* what is ahead may also be computed from several */
}

void replicate_improper(program *p, const ir_site *site) {
  const char *name = site ? site->name : p->model->sym->name;
  diag *d = refuse(p, site ? site->where : p->model->decl->name.at, name);
  diag_note(&p->diags, d, "it has no prior that can be drawn (a Flat one, or one bounded without a cdf)");
  diag_help(&p->diags, d, "give it a proper prior");
}
