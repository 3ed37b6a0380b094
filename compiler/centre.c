/* centre.c: which sites are sampled as standard variates; see centre.h. */
#include "compiler/centre.h"

#include "compiler/ir_uses.h"

#include <string.h>

typedef struct candidate {
  ir_site *site;
  ir_op **draw; /* those that can be non-centred */
  size_t ndraws, cap_draws;
  bool standard; /* some draw has a standard variate at all */
} candidate;

typedef struct chooser {
  ir_module *m;
  ir_fn *model;
  candidate *of; /* [nsites], by place in the model */
  bool *unknown; /* [nvals]: depends on a latent site */
  const centre_names *names;
  diag_list *diags;
} chooser;

/* ---- candidates */

typedef struct reader {
  ir_val v;
  bool hit;
} reader;

static void see_use(void *user, ir_val *use) {
  reader *r = user;
  r->hit = r->hit || *use == r->v;
}

static void see_reader(void *user, ir_op *op) { ir_visit_uses(op, see_use, user); }

static bool is_read(const ir_fn *fn, ir_val v) {
  reader r = {v, false};
  ir_visit_ops((ir_block *)&fn->body, see_reader, &r);
  for (uint32_t k = 0; k < fn->nret; k++) r.hit = r.hit || fn->ret[k] == v;
  return r.hit;
}

static bool is_latent_draw(const ir_op *op) { return op->code == IR_SAMPLE_OP && op->u.tilde->site->role == IR_LATENT; }

static void see_latent(void *user, ir_op *op) {
  chooser *c = user;
  if (is_latent_draw(op)) c->unknown[op->res[0]] = true;
}

static void see_draw(void *user, ir_op *op) {
  chooser *c = user;
  if (!is_latent_draw(op)) return;
  const ir_fn *map = op->u.tilde->dist->from_standard;
  candidate *x = &c->of[op->u.tilde->site->number - 1];
  if (!map || op->u.tilde->cut) return;
  x->standard = true;
  bool moves = false;
  for (uint32_t k = 0; k < op->nargs && !moves; k++) moves = c->unknown[op->args[k]] && is_read(map, map->param[k + 1].val);
  if (moves) ARENA_PUSH(c->m->mem, x->draw, x->ndraws, x->cap_draws, op);
}

/* ---- names */

static bool is_in(const char *const *list, size_t n, const char *name) {
  for (size_t k = 0; k < n; k++)
    if (strcmp(list[k], name) == 0) return true;
  return false;
}

static candidate *named(chooser *c, const char *name, const char *option) {
  const char **words = ARENA_ARRAY(c->m->mem, const char *, c->model->nsites + 1);
  size_t n = 0;
  for (uint32_t k = 0; k < c->model->nsites; k++) {
    const ir_site *s = c->model->site[k];
    if (s->role != IR_LATENT || s->support >= IR_SUP_INT) continue;
    if (strcmp(s->name, name) == 0) return &c->of[k];
    words[n++] = s->name;
  }
  diag *d = diag_add(c->diags, DIAG_ERROR, "E0831", (span){0}, "`%s` names `%s`, which is not an unknown number of the model", option, name);
  const char *near = diag_nearest(name, words, n);
  if (near) diag_help(c->diags, d, "did you mean `%s`?", near);
  return NULL;
}

static bool refuse(chooser *c, const candidate *x) {
  diag *d = diag_add(c->diags, DIAG_ERROR, "E0832", x->site->where, "`%s` cannot be non-centred", x->site->name);
  if (!x->standard) {
    diag_say(c->diags, d, "its distribution has no standard variate, or its type cuts it");
    diag_help(c->diags, d, "a `dist` has one when it declares `standard(z)` and `from_standard(z)`");
  } else {
    diag_say(c->diags, d, "no parameter of its distribution depends on another unknown");
    diag_help(c->diags, d, "leave it out of `noncentred`: only known numbers separate it from its standard variate, and warm-up learns those");
  }
  return false;
}

static bool check_names(chooser *c) {
  const centre_names *n = c->names;
  bool ok = true;
  for (size_t k = 0; k < n->ncentred; k++) ok &= named(c, n->centred[k], "centred") != NULL;
  for (size_t k = 0; k < n->nnoncentred; k++) {
    const candidate *x = named(c, n->noncentred[k], "noncentred");
    ok &= x && (x->ndraws || refuse(c, x));
    if (!x || !is_in(n->centred, n->ncentred, x->site->name)) continue;
    diag_add(c->diags, DIAG_ERROR, "E0831", x->site->where, "`%s` is named by both `centred` and `noncentred`", x->site->name);
    ok = false;
  }
  return ok;
}

/* ---- marking */

bool centre_is_open(const centre_names *names, const ir_site *site) {
  return site->standard && !is_in(names->noncentred, names->nnoncentred, site->name);
}

bool centre_mark(ir_module *m, ir_fn *model, const centre_names *names, diag_list *diags) {
  chooser c = {.m = m, .model = model, .names = names, .diags = diags};
  c.of = ARENA_ARRAY(m->mem, candidate, model->nsites + 1);
  c.unknown = ARENA_ARRAY(m->mem, bool, model->nvals);
  for (uint32_t k = 0; k < model->nsites; k++) c.of[k].site = model->site[k];
  ir_visit_ops(&model->body, see_latent, &c);
  ir_spread(c.unknown, model);
  ir_visit_ops(&model->body, see_draw, &c);
  if (!check_names(&c)) return false;
  for (uint32_t k = 0; k < model->nsites; k++) {
    candidate *x = &c.of[k];
    const char *name = x->site->name;
    if (!x->ndraws || is_in(names->centred, names->ncentred, name) || is_in(names->measured, names->nmeasured, name)) continue;
    if (names->named_only && !is_in(names->noncentred, names->nnoncentred, name)) continue;
    x->site->standard = true;
    for (size_t i = 0; i < x->ndraws; i++) x->draw[i]->u.tilde->standard = true;
  }
  return true;
}
