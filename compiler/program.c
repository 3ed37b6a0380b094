/* program.c: the pipeline from text to derived functions (program.h). */
#include "compiler/program.h"

#include "compiler/bind.h"
#include "compiler/derive.h"
#include "compiler/frame.h"
#include "compiler/grad.h"
#include "compiler/ir_uses.h"
#include "compiler/lower.h"
#include "compiler/memo.h"
#include "compiler/passes.h"
#include "compiler/program_sums.h"
#include "compiler/replicate.h"
#include "lang/parse.h"

#include <math.h>
#include <string.h>

/* Flops of a sum that threads share: about a hundred microseconds of one processor, against the few that handing out takes. */
enum { STAGE_LEAST = 400000 };

bool program_open(program *p, arena *mem, const char *name, const char *text, size_t len) { return program_open_with(p, mem, name, text, len, NULL); }

bool program_open_with(program *p, arena *mem, const char *name, const char *text, size_t len, const import_options *imports) {
  memset(p, 0, sizeof *p);
  p->mem = mem;
  source_map_init(&p->sources, mem);
  intern_init(&p->names, mem);
  diag_init(&p->diags, mem);
  p->sizes = size_table_new(mem);
  p->file = source_add(&p->sources, name, text, len);
  if (!p->file) {
    diag_add(&p->diags, DIAG_ERROR, "E0101", (span){0}, "%s is larger than %zu MiB", name, SOURCE_MAX_BYTES >> 20);
    return false;
  }
  ast_file *file = parse_file(mem, &p->names, &p->sources, p->file, &p->diags);
  p->check = (check_program){.mem = mem, .sources = &p->sources, .names = &p->names, .diags = &p->diags, .sizes = p->sizes, .file = file, .imports = imports};
  if (p->diags.errors == 0) p->ok = check_file(&p->check);
  return p->ok;
}

const check_model *program_model(program *p, const ast_decl *run) {
  const ast_file *f = p->check.file;
  if (run) {
    const symbol *s = run->run->model.sym;
    return s && s->decl ? check_model_of(&p->check, s->decl) : NULL;
  }
  for (size_t k = f->n; k-- > 0;)
    if (f->items[k]->kind == DECL_MODEL) return check_model_of(&p->check, f->items[k]);
  return NULL;
}

bool program_bind(program *p, const check_model *model, const ast_decl *run, data_set *data) {
  p->model = model;
  return bind_data(p, model, run, data);
}

/* The names of a signature and of its model's latents are different ones. */
bool program_given(void *user, const char *name) {
  const program *p = user;
  for (size_t k = 0; k < p->ndata; k++)
    if (strcmp(p->data[k].name, name) == 0) return true;
  return false;
}

/* A size that makes no sense, and an array too large to count, are errors in the data. */
static bool count_cells(program *p, const char *name, span at, ir_type t, int64_t *dim, size_t *cells) {
  size_t n = 1;
  for (int k = 0; k < t.rank; k++) {
    int64_t d = size_eval(p->sizes, t.dim[k]);
    if (d < 0) d = 0;
    if (d != 0 && n > ((size_t)1 << 40) / (size_t)d) {
      diag_add(&p->diags, DIAG_ERROR, "E0790", at, "`%s` would have more than 2^40 elements", name);
      return false;
    }
    dim[k] = d;
    n *= (size_t)d;
  }
  *cells = n;
  return true;
}

typedef struct alike {
  program *p;
  program_site **by; /* number of a site */
} alike;

/* How many states the measure of a finite site counts. */
static void count_states(void *user, ir_op *op) {
  alike *a = user;
  program_site *x = op->code == IR_SAMPLE_OP ? a->by[op->u.tilde->site->number] : NULL;
  if (!x) return;
  if (!derive_alike(op->u.tilde)) {
    x->improper = derive_is_flat(op->u.tilde->dist);
    return;
  }
  int64_t lo, hi;
  const ir_fn *fn = a->p->ir;
  ir_size n = ir_size_of(fn, op->u.tilde->hi);
  bool known = ir_is_int(fn, op->u.tilde->lo, &lo) && n != IR_SIZE_NONE;
  hi = known ? size_eval(a->p->sizes, n) : 0;
  x->spin = known && lo == -1 && hi == 1;
  double values = lo == -1 && hi == 1 ? 2.0 : (double)(hi - lo + 1);
  x->log_count = known && values >= 1 ? (double)x->batch * log(values) : NAN;
}

typedef struct weighing {
  const ir_fn *fn;
  bool *moves; /* [fn->nvals] what depends on latents */
  bool found;
} weighing;

static void see_drawn(void *user, ir_op *op) {
  const weighing *x = user;
  if (op->code == IR_SAMPLE_OP) x->moves[op->res[0]] = true;
}

/* Of what is given the term is a constant where nothing in it moves, or 0. */
static void see_weight(void *user, ir_op *op) {
  weighing *x = user;
  if (op->code != IR_OBSERVE_OP && op->code != IR_FACTOR_OP) return;
  bool moves = op->code == IR_FACTOR_OP || !op->u.tilde->site->given;
  for (uint32_t k = 0; k < op->nargs; k++) moves = moves || x->moves[op->args[k]];
  x->found = x->found || (moves && !(op->code == IR_OBSERVE_OP && derive_is_flat(op->u.tilde->dist)));
}

/* Anything that a model adds to its density besides energies and priors. */
static bool has_weights(program *p) {
  weighing x = {.fn = p->ir, .moves = ARENA_ARRAY(p->mem, bool, p->ir->nvals)};
  ir_visit_ops(&p->ir->body, see_drawn, &x);
  ir_spread(x.moves, p->ir);
  ir_visit_ops(&p->ir->body, see_weight, &x);
  return x.found;
}

static bool describe_sites(program *p) {
  p->site = ARENA_ARRAY(p->mem, program_site, p->ir->nsites);
  alike a = {p, ARENA_ARRAY(p->mem, program_site *, p->ir->nsites + 1)};
  for (uint32_t k = 0; k < p->ir->nsites; k++) {
    const ir_site *s = p->ir->site[k];
    if (s->role != IR_LATENT) continue;
    program_site *x = &p->site[p->nsites++];
    x->site = s;
    x->name = x->of = s->name;
    x->replica = s->replica;
    for (size_t i = 0; i < p->nmissing; i++)
      if (strcmp(p->missing[i].gap, s->name) == 0) x->of = p->missing[i].name, x->part_given = p->missing[i].given;
    x->discrete = derive_is_discrete(s);
    x->rank = s->type.rank;
    x->batch_rank = s->type.rank - s->event_rank;
    if (!count_cells(p, s->name, s->where, s->type, x->dim, &x->cells)) return false;
    x->batch = x->event = 1;
    for (uint32_t a = 0; a < x->rank; a++) *(a < x->batch_rank ? &x->batch : &x->event) *= (size_t)x->dim[a];
    ir_type u = derive_uncon_type(p->module, s);
    int64_t dim[IR_MAX_RANK];
    size_t free;
    if (!count_cells(p, s->name, s->where, u, dim, &free)) return false;
    a.by[s->number] = x;
    x->free = x->discrete || x->batch == 0 ? 0 : free / x->batch;
    x->at = p->cells;
    x->at_free = p->dim;
    p->cells += x->cells;
    p->dim += x->discrete ? 0 : free;
  }
  ir_visit_ops((ir_block *)&p->ir->body, count_states, &a);
  return true;
}


static bool describe_tracks(program *p, const ir_fn *model, const ir_fn *outputs) {
  for (const ir_op *op = model->body.first; op; op = op->next) {
    if (op->code != IR_TRACK_OP || derive_gathers(model, op)) continue;
    ir_type t = ir_type_of(outputs, outputs->ret[p->noutputs]);
    program_output *o = &p->output[p->noutputs++];
    const ir_site *site = ir_site_find(model, op->u.name);
    o->name = op->u.name;
    o->tracked = !site || site->role != IR_PREDICTED;
    o->type = t;
    o->elem = (ir_elem)t.elem;
    o->rank = t.rank;
    if (!count_cells(p, o->name, op->where, t, o->dim, &o->cells)) return false;
  }
  return true;
}

static bool describe_outputs(program *p, const ir_fn *outputs) {
  p->output = ARENA_ARRAY(p->mem, program_output, outputs->nret);
  return describe_tracks(p, p->ir, outputs) && (!p->replicas || describe_tracks(p, p->replicas, outputs));
}

static bool describe_loglik(program *p, const ir_fn *loglik, const ir_site *const *site, uint32_t n) {
  p->loglik = ARENA_ARRAY(p->mem, program_loglik, n);
  for (uint32_t k = 0; k < n; k++) {
    ir_type t = ir_type_of(loglik, loglik->ret[k]);
    program_loglik *x = &p->loglik[p->nloglik++];
    x->name = site[k]->name;
    x->type = t;
    x->rank = t.rank;
    if (!count_cells(p, x->name, site[k]->where, t, x->dim, &x->cells)) return false;
  }
  return true;
}

/* A function of the module, or NULL, as its derivation left it. */
static ir_fn *derived(ir_fn *fn) {
  if (fn) ir_verify_step(fn, "derived");
  return fn;
}

/* The functions as an engine gets them are checked in every build: what follows believes the rules of the IR. */
bool program_verify(program *p) {
  ir_module *m = p->module;
  for (uint32_t k = 0; k < m->nfns && !m->fault; k++)
    if (m->fn[k] != p->ir) ir_verify_after(m->fn[k], "derived and optimised");
  if (!m->fault) return true;
  if (m->deep) {
    diag *deep = diag_add(&p->diags, DIAG_ERROR, "E0904", p->model->decl->name.at, "loops and conditions of %s `%s` stand in each other more than %d deep", ast_decl_noun(p->model->decl->kind), p->model->decl->name.name, IR_MAX_DEPTH);
    diag_note(&p->diags, deep, "each `else if` stands in the one before it, and functions are written out where they are called");
    diag_help(&p->diags, deep, "look a value up instead of asking for each case: `[a, b, c][k]`, or an array of data");
    return false;
  }
  diag *d = diag_add(&p->diags, DIAG_ERROR, "E0999", p->model->decl->name.at, "AIM has made a wrong program of %s `%s`", ast_decl_noun(p->model->decl->kind), p->model->decl->name.name);
  diag_note(&p->diags, d, "%s", m->fault);
  p->broken = true;
  return false;
}

typedef struct param_use {
  ir_val param;
  bool used;
} param_use;

static void see_param_use(void *user, ir_val *use) {
  param_use *x = user;
  x->used = x->used || *use == x->param;
}

static void see_param_op(void *user, ir_op *op) { ir_visit_uses(op, see_param_use, user); }

/* The natural parameters of one element read others of the site. */
static bool coupled(const ir_fn *natural, const program_site *x) {
  param_use u = {0};
  for (uint32_t k = 0; k < natural->nparams; k++)
    if (natural->param[k].role == IR_ROLE_LATENT && strcmp(natural->param[k].name, x->name) == 0) u.param = natural->param[k].val;
  ir_visit_ops((ir_block *)&natural->body, see_param_op, &u);
  return u.used;
}

/* Reals that depend on each other are drawn together where they can be: normals given each other, vectors, and what is no family element by element, as under a matrix. */
static void join(program *p, program_site *x, const ir_fn *density, const ir_fn *natural, ir_fn **prepare) {
  ir_module *m = p->module;
  const bool vectors = x->site->event_rank == 1, normals = x->site->event_rank == 0 && (natural ? x->conjugate == CONJ_NORMAL && coupled(natural, x) : true);
  x->joint = false;
  if (x->site->support != IR_SUP_REAL || x->cells < 2 || x->cells > PROGRAM_MOST_JOINT || !(vectors || normals)) return;
  ir_fn *joint = derived(derive_joint(m, density, prepare, x->site, !p->no_statistics));
  if (!joint) return;
  passes_run(m, joint);
  x->joint = true;
}

/* What moves by slices is scored from statistics of the rest. */
static void gather_given(program *p, program_site *x, const ir_fn *density) {
  ir_module *m = p->module;
  ir_fn *given, *slim = derived(derive_given(m, density, x->site, &given));
  x->given = 0;
  if (!slim) return;
  passes_run(m, slim);
  passes_run(m, derived(given));
  x->ngiven = given->nret;
  x->given_cells = ARENA_ARRAY(p->mem, size_t, given->nret);
  for (uint32_t k = 0; k < given->nret; k++) {
    const ir_type t = ir_type_of(given, given->ret[k]);
    size_t cells = 1;
    for (int a = 0; a < t.rank; a++) cells *= (size_t)size_eval(p->sizes, t.dim[a]);
    x->given += x->given_cells[k] = cells;
  }
}

/* The blocks of sites, and the coordinates of each. */
static void find_blocks(program *p) {
  for (size_t b = 0; b < p->nblocks; b++) p->block[b].dim = 0;
  for (size_t k = 0; k < p->nsites; k++) {
    program_site *x = &p->site[k];
    x->block = 0;
    for (size_t b = 0; b < p->nblocks; b++)
      for (size_t i = 0; i < p->block[b].n; i++)
        if (program_names(p->block[b].name[i], x)) x->block = b + 1;
    if (!x->block) continue;
    x->at_block = p->block[x->block - 1].dim;
    p->block[x->block - 1].dim += x->batch * x->free;
  }
}

/* Marks what the gradient of block b, from 1, does not have. */
static void hold_others(program *p, size_t b) {
  for (size_t k = 0; k < p->nsites; k++)
    for (uint32_t i = 0; i < p->ir->nsites; i++)
      if (p->ir->site[i] == p->site[k].site) p->ir->site[i]->held = p->site[k].block != b;
}

static size_t block_of(const program *p, const ir_site *site) {
  for (size_t k = 0; k < p->nsites; k++)
    if (p->site[k].site == site) return p->site[k].block;
  return 0;
}

typedef struct outsiders {
  program *p;
  size_t block;
  bool *moves; /* [nvals] what depends on sites that others move */
  bool ok;
} outsiders;

static void see_outsider(void *user, ir_op *op) {
  const outsiders *x = user;
  if (op->code == IR_SAMPLE_OP && block_of(x->p, op->u.tilde->site) != x->block) x->moves[op->res[0]] = true;
}

/* An unconstrained coordinate means the same value only as long as nobody else moves what its map reads. */
static void see_map(void *user, ir_op *op) {
  outsiders *x = user;
  const ir_tilde *t = op->code == IR_SAMPLE_OP ? op->u.tilde : NULL;
  if (!t || !x->ok || block_of(x->p, t->site) != x->block) return;
  bool bounds = (t->lo && x->moves[t->lo]) || (t->hi && x->moves[t->hi]), scale = false;
  for (uint32_t k = 0; k < op->nargs; k++) scale = scale || (t->standard && x->moves[op->args[k]]);
  if (!bounds && !scale) return;
  x->ok = false;
  diag *d = diag_add(&x->p->diags, DIAG_ERROR, bounds ? "E0848" : "E0832", t->site->where, bounds ? "`%s` has bounds that another part of the cycle moves" : "`%s` cannot be non-centred here", t->site->name);
  diag_say(&x->p->diags, d, bounds ? "nuts moves it between its bounds, which have to stand still" : "another part of the cycle moves a parameter of its distribution");
  diag_help(&x->p->diags, d, bounds ? "give `%s` to gibbs, or to the part that moves what its bounds depend on" : "put `%s` and these parameters into one part, or leave it out of `noncentred`", t->site->name);
}

static bool check_block(program *p, size_t b) {
  outsiders x = {.p = p, .block = b, .moves = ARENA_ARRAY(p->mem, bool, p->ir->nvals), .ok = true};
  ir_visit_ops(&p->ir->body, see_outsider, &x);
  ir_spread(x.moves, p->ir);
  ir_visit_ops(&p->ir->body, see_map, &x);
  return x.ok;
}

/* The weights of a finite site from its local density, which has been optimised: what its elements share is found by the same passes in the loops around it. */
static void weigh(program *p, program_site *x, const ir_fn *local) {
  ir_module *m = p->module;
  derive_states states;
  if (x->batch_rank && !x->local) return;
  ir_fn *weights = derived(derive_weights(m, p->ir, local, x->site, p->scattered, p->coloured, &states));
  if (!weights) return;
  x->apart = states.apart;
  x->listed = states.listed;
  x->piece = states.piece;
  x->first_state = states.first;
  x->state_step = states.step;
  x->states = (size_t)size_eval(p->sizes, ir_type_of(weights, weights->ret[0]).dim[0]);
  passes_run(m, weights);
  ir_fn *conflicts = x->apart ? NULL : derived(derive_conflicts(m, p->ir, local, x->site));
  if (conflicts) passes_run(m, conflicts);
}

/* ---- one build: the model, then what `need` asks for; each step is false after a diagnostic */

typedef struct building {
  program *p;
  ir_module *m;
  unsigned need;
  ir_fn *prepare, *continuous, *recovery; /* the model without its sums, and what draws what was summed out (program_sums.h) */
  ir_fn **run;                            /* [n] functions that all passes run over at the end */
  size_t n, cap;
} building;

static void add(building *b, ir_fn *fn) { ARENA_PUSH(b->m->mem, b->run, b->n, b->cap, derived(fn)); }

typedef struct extents {
  program *p;
  const ir_fn *fn;
  bool wrong;
} extents;

/* Ranges that end before they could begin are empty to a sum; an array of that many elements there is none. */
static void check_extents(void *user, ir_op *op) {
  extents *x = user;
  program *p = x->p;
  for (uint32_t k = 0; k < op->nres && !x->wrong; k++) {
    const ir_type t = ir_type_of(x->fn, op->res[k]);
    for (uint32_t axis = 0; axis < t.rank; axis++) {
      int64_t n;
      if (!size_value(p->sizes, t.dim[axis], &n) || n >= 0) continue;
      strbuf size;
      strbuf_init(&size, p->mem);
      size_print(p->sizes, t.dim[axis], &size);
      diag *d = diag_add(&p->diags, DIAG_ERROR, "E0775", op->where, "an extent of this array is %lld with these data", (long long)n);
      diag_say(&p->diags, d, "%s", size.s);
      diag_help(&p->diags, d, "one without elements would have 0: these data are too few for what the model computes");
      x->wrong = true;
      return;
    }
  }
}

static bool has_arrays(program *p, ir_fn *fn) {
  extents x = {p, fn, false};
  ir_visit_ops(&fn->body, check_extents, &x);
  return !x.wrong;
}

/* Lowered, or NULL: after a diagnostic, or with ahead->at set. */
static ir_fn *lower_as(program *p, ir_module *m, lower_order order, bool replicate, lower_ahead *ahead) {
  const lower_options o = {.given = program_given, .fixed = program_given, .user = p, .missing = p->missing, .nmissing = p->nmissing, .replicate = replicate, .order = order, .in_order = p->in_order, .ahead = ahead};
  ir_fn *fn = lower_model(&p->check, m, p->model, &o);
  if (fn && !ir_verify_after(fn, "lowered")) program_verify(p);
  return fn && !p->broken && has_arrays(p, fn) ? fn : NULL;
}

/* All that is observed, drawn beside the unknowns, or given what is observed. */
static bool lower_replicate(building *b) {
  program *p = b->p;
  const bool drawn = (b->need & NEED_ORDER) != 0;
  lower_ahead ahead = {0};
  if (!replicate_sites(p)) return false;
  p->ir = lower_as(p, b->m, drawn ? ORDER_DATA : ORDER_NONE, !drawn, &ahead);
  if (ahead.at) replicate_ahead(p, &ahead);
  return p->ir && (drawn || replicate_reads(p));
}

/* Replicas that go their own way have a model of their own.  A y that is read before it could be drawn has its replica beside its observations: lowering finds that, so each
 * such y costs one more. */
static bool lower_replicas(building *b) {
  program *p = b->p;
  for (p->in_order = replicate_in_order(p); p->in_order && !p->replicas;) {
    lower_ahead ahead = {0};
    p->replicas = lower_as(p, b->m, ORDER_REPLICAS, false, &ahead);
    if (!p->replicas && !ahead.at) return false;
    if (ahead.at) p->in_order = replicate_without(p, ahead.y);
  }
  return true;
}

/* The model, in the order that the need asks for. */
static bool lower_all(building *b) {
  program *p = b->p;
  const bool drawn = (b->need & NEED_ORDER) != 0;
  lower_ahead ahead = {0};
  p->in_order = NULL;
  p->replicas = NULL;
  if (p->replicate) return lower_replicate(b);
  if (drawn && !replicate_missing(p)) return false;
  if (!lower_replicas(b)) return false;
  p->ir = lower_as(p, b->m, drawn ? ORDER_MISSING : ORDER_NONE, false, &ahead);
  if (ahead.at) replicate_missing_ahead(p, &ahead);
  if (p->ir) replicate_say_lags(p);
  return p->ir != NULL;
}

static bool build_model(building *b) {
  program *p = b->p;
  ir_module *m = b->m;
  if (!lower_all(b)) return false;
  pass_fold(m, p->ir);
  pass_cse(m, p->ir); /* not dce: what only collects a site is read by the derivations */
  derive_prepare(m, p->ir);
  b->prepare = derived(ir_fn_find(m, "prepare"));
  if (!ir_verify_after(p->ir, "prepared")) return program_verify(p);
  if (!describe_sites(p)) return false;
  p->weights_beside_energy = derive_has_energy(p->ir) && has_weights(p);
  if (!program_collapse(p, b->prepare, (b->need & NEED_MODE) != 0, &b->continuous, &b->recovery)) return m->fault ? program_verify(p) : false;
  if (b->need & NEED_BLOCK) find_blocks(p);
  p->centring.named_only = (b->need & NEED_BLOCK) != 0; /* what others move cannot be measured beforehand */
  const bool standard = (b->need & NEED_GRAD && !(b->need & (NEED_MODE | NEED_BLOCK))) || p->centring.nnoncentred;
  if (standard && !centre_mark(m, b->continuous, &p->centring, &p->diags)) return false;
  for (size_t k = 1; k <= p->nblocks && b->need & NEED_BLOCK; k++)
    if (!check_block(p, k)) return false;
  return true;
}

static void use_statistics(building *b, ir_fn *fn) {
  if (b->p->no_statistics) return;
  pass_statistics(b->m, fn, &b->prepare);
  ir_verify_step(fn, "pass statistics");
}

/* The density on the unconstrained space, and its gradient under that name. */
static bool build_gradient(building *b, const char *name) {
  program *p = b->p;
  ir_module *m = b->m;
  ir_fn *f = derived(derive_logdens(&p->check, m, b->continuous, (b->need & NEED_MODE) != 0));
  passes_structural(m, f);
  use_statistics(b, f);
  passes_data(m, f, true);
  if (b->need & NEED_GRAD) {
    passes_before_grad(m, f);
    grad_options options = {0};
    ir_fn *g = grad_derive_with(m, f, name, &options);
    if (!g) {
      diag_add(&p->diags, DIAG_ERROR, "E0902", options.where, "there is no gradient of this model: %s", options.message);
      return false;
    }
    add(b, g);
  }
  if (b->need & NEED_LOGDENS) add(b, f);
  else ir_fn_remove(m, f); /* what the gradient was made from */
  return true;
}

const char *program_block_fn(const program *p, const char *name, size_t k) { return k == 0 ? name : arena_printf(p->mem, "%s.%zu", name, k + 1); }

static bool build_unconstrained(building *b) {
  program *p = b->p;
  ir_module *m = b->m;
  const size_t blocks = b->need & NEED_BLOCK ? p->nblocks : 0;
  if (!(b->need & NEED_BLOCK) && !build_gradient(b, "grad")) return false;
  for (size_t k = 0; k < blocks; k++) {
    hold_others(p, k + 1);
    if (!build_gradient(b, program_block_fn(p, "grad", k))) return false;
    add(b, derive_constrain(&p->check, m, b->continuous, program_block_fn(p, "constrain.block", k)));
  }
  add(b, derive_constrain(&p->check, m, b->continuous, NULL));
  return true;
}

static bool build_prior(building *b) {
  program *p = b->p;
  const ir_site *why = NULL;
  ir_fn *f = derived(derive_prior(&p->check, b->m, p->ir, &why));
  if (f) add(b, f);
  if (f || !p->replicate || b->m->fault) return true;
  replicate_improper(p, why);
  return false;
}

static bool build_outputs(building *b) {
  program *p = b->p;
  if (b->recovery) add(b, derive_outputs(&p->check, b->m, b->recovery, NULL, "recover"));
  ir_fn *f = derived(derive_outputs(&p->check, b->m, p->ir, p->replicas, "outputs"));
  if (!f) return true;
  if (!describe_outputs(p, f)) return false;
  if (memo_expand(b->m, f)) derived(f);
  /* Before loops that read data are joined to those that read the draw; and what leaves its loop is at the top only then. */
  passes_data(b->m, f, false);
  passes_structural(b->m, f);
  passes_data(b->m, f, false);
  add(b, f);
  return true;
}

static bool build_loglik(building *b) {
  program *p = b->p;
  const ir_site **site = ARENA_ARRAY(p->mem, const ir_site *, p->ir->nsites);
  uint32_t observed = 0;
  ir_fn *f = derived(derive_loglik(&p->check, b->m, p->ir, site, &observed));
  if (!f) return true;
  if (!describe_loglik(p, f, site, observed)) return false;
  add(b, f);
  return true;
}

/* What moves single elements needs, from the density `of`; one sum where terms are taken together. */
static void build_elements(building *b, ir_fn *of, bool together) {
  program *p = b->p;
  ir_module *m = b->m;
  ir_fn *plain = b->need & NEED_NATURAL ? derived(derive_density(&p->check, m, p->ir)) : NULL; /* for what is drawn together */
  passes_structural(m, of);
  passes_data(m, of, false);
  ir_fn *boxes = derived(derive_boxes(m, of));
  for (size_t k = 0; k < p->nsites; k++) {
    program_site *x = &p->site[k];
    ir_fn *local = derived(derive_local(m, x->batch_rank ? boxes : of, &b->prepare, x->site, together, &x->local));
    ir_fn *natural = b->need & NEED_NATURAL ? derived(derive_natural(m, local, x->site, &x->conjugate)) : NULL;
    if (natural) passes_run(m, natural);
    if (natural && x->batch_rank && !coupled(natural, x)) passes_run(m, derived(derive_naturals(m, natural, x->site)));
    if (plain) join(p, x, plain, natural, &b->prepare);
    if (plain && !natural && !x->discrete && !x->local && !p->no_statistics) gather_given(p, x, plain);
    passes_run(m, local);
    if (b->need & NEED_WEIGHTS) weigh(p, x, local);
    passes_run(m, derived(derive_bounds(&p->check, m, p->ir, x->site)));
    ir_fn *point = derived(derive_point(&p->check, m, p->ir, x->site));
    if (point) passes_run(m, point);
  }
  ir_fn_remove(m, boxes);
  if (plain) ir_fn_remove(m, plain);
}

static void build_densities(building *b) {
  program *p = b->p;
  ir_fn *density = NULL, *tempered = NULL;
  if (b->need & (NEED_DENSITY | NEED_LOCAL)) density = derived(derive_density(&p->check, b->m, p->ir));
  if (b->need & NEED_TEMPERED) tempered = derived(derive_tempered(&p->check, b->m, p->ir));
  if (b->need & NEED_LOCAL) build_elements(b, tempered ? tempered : density, !tempered);
  if (density && !p->no_statistics) passes_structural(b->m, density);
  if (density) use_statistics(b, density);
  if (density) add(b, density);
  if (tempered) add(b, tempered);
}

static bool optimise(building *b) {
  program *p = b->p;
  ir_module *m = b->m;
  for (size_t k = 0; k < b->n; k++) passes_run(m, b->run[k]);
  ir_fn *prepare = ir_fn_find(m, "prepare");
  if (prepare) {
    passes_run(m, prepare);
    frame_tidy(m, &prepare);
    if (prepare) pass_dce(m, prepare);
  }
  if ((b->need & NEED_STAGES) && (b->need & NEED_GRAD)) {
    ir_fn *whole = ir_fn_find(m, "grad");
    p->nstages = stages_cut(m, whole, STAGE_LEAST, &p->stage);
    if (p->nstages) p->uncut = whole;
  }
  for (size_t k = 0; k < b->n; k++)
    if (!has_arrays(p, b->run[k])) return false; /* in a function of the program, now that calls are gone */
  return program_verify(p);
}

bool program_build(program *p, unsigned need) {
  p->nsites = p->noutputs = p->nloglik = p->cells = p->dim = 0; /* maybe of a build before this one */
  building b = {.p = p, .m = p->module = ir_module_new(p->mem), .need = need};
  b.m->sizes = p->sizes;
  if (!build_model(&b)) return false;
  if (need & (NEED_LOGDENS | NEED_GRAD) && !build_unconstrained(&b)) return false;
  if (need & NEED_PRIOR && !build_prior(&b)) return false;
  if (need & NEED_OUTPUTS && !build_outputs(&b)) return false;
  if (need & NEED_LOGLIK && !build_loglik(&b)) return false;
  build_densities(&b);
  return optimise(&b);
}
