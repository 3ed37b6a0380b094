/* api_program.c: vms and programs of aim.h. */
#include "vm/api.h"

#include "lang/format.h"
#include "lang/parse.h"
#include "vm/interp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *aim_version(void) { return AIM_VERSION; }

const char *aim_status_text(aim_status s) {
  switch (s) {
  case AIM_OK: return "done";
  case AIM_STOPPED: return "stopped by the host";
  case AIM_E_PROGRAM: return "the program or its data is wrong";
  case AIM_E_USAGE: return "the call is not possible";
  case AIM_E_MEMORY: return "memory is exhausted";
  case AIM_E_IO: return "a file could not be read or written";
  case AIM_E_INTERNAL: return "AIM has a bug";
  }
  return "unknown";
}

static void *c_alloc(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user, (void)old_size;
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

void aim_config_init(aim_config *config) { *config = (aim_config){.size = sizeof *config, .alloc = c_alloc}; }

_Static_assert((int)AIM_ISA_NATIVE == (int)EXEC_ISA_NATIVE, "aim.h says it as contract.h does");

aim_vm *aim_vm_new(const aim_config *config) {
  aim_config c;
  aim_config_init(&c);
  if (config) {
    if (config->size != sizeof c || (config->isa != 0 && (config->isa < 2 || config->isa > AIM_ISA_NATIVE))) return NULL;
    c = *config;
    if (!c.alloc) c.alloc = c_alloc;
  }
  aim_vm *vm = c.alloc(c.alloc_user, NULL, 0, sizeof *vm);
  if (vm) *vm = (aim_vm){.config = c, .alloc = {c.alloc, c.alloc_user}, .engine = &interp_engine};
  return vm;
}

void aim_vm_free(aim_vm *vm) {
  if (!vm) return;
  aim_alloc a = vm->alloc;
  alloc_put(&a, vm, sizeof *vm);
}

void aim_vm_engine(aim_vm *vm, const aim_engine *engine) { vm->engine = engine ? engine : &interp_engine; }

/* ---- loading */

/* What binding makes for ragged arrays (check_ragged.c) is nobody's to give. */
static api_model model_of(aim_program *p, const check_model *m) {
  api_model out = {.m = m};
  size_t cap_inputs = 0, cap_latents = 0;
  for (size_t k = 0; k < m->ndata; k++)
    if (!m->data[k]->param || m->data[k]->param->rows <= ROWS_LENGTHS) ARENA_PUSH(&p->mem, out.input, out.n_inputs, cap_inputs, m->data[k]);
  for (size_t k = 0; k < m->nsites; k++)
    if (m->sites[k].role == IR_LATENT) ARENA_PUSH(&p->mem, out.latent, out.n_latents, cap_latents, &m->sites[k]);
  return out;
}

static void collect(aim_program *p) {
  const ast_file *f = p->p.check.file;
  size_t cap_runs = 0, cap_models = 0, cap_plans = 0, n = 0;
  for (size_t k = 0; k < f->n; k++) {
    const ast_decl *d = f->items[k];
    if (d->kind == DECL_MODEL) ARENA_PUSH(&p->mem, p->model, p->n_models, cap_models, model_of(p, check_model_of(&p->p.check, d)));
    if (d->kind == DECL_RUN) ARENA_PUSH(&p->mem, p->run, p->n_runs, cap_runs, d);
  }
  if (p->n_runs == 0 && p->n_models) ARENA_PUSH(&p->mem, p->run, p->n_runs, cap_runs, NULL);
  for (size_t k = 0; k < p->n_runs; k++) {
    plan one = {0};
    plan_make(&p->p, p->run[k], NULL, &one);
    ARENA_PUSH(&p->mem, p->plans, n, cap_plans, one);
  }
}

void api_warn_missing(aim_program *p) {
  if (p->p.diags.errors || ARENA_TRY(&p->mem)) return;
  for (size_t k = 0; k < p->n_runs; k++) plan_warn_missing(&p->p, &p->plans[k]);
}

static aim_status read_program(aim_program *p, const char *name, const char *text, size_t length) {
  if (ARENA_TRY(&p->mem)) return AIM_E_MEMORY;
  p->name = arena_strndup(&p->mem, name, strlen(name));
  p->text = arena_strndup(&p->mem, text, length);
  p->length = length;
  import_options imports = {.anywhere = p->vm->config.any_path};
  if (program_open_with(&p->p, &p->mem, p->name, p->text, length, &imports)) collect(p);
  return p->p.diags.errors ? AIM_E_PROGRAM : AIM_OK;
}

static aim_program *program_new(aim_vm *vm) {
  aim_program *p = alloc_get(&vm->alloc, 1, sizeof *p);
  if (!p) return NULL;
  memset(p, 0, sizeof *p);
  p->vm = vm;
  arena_init(&p->mem, &vm->alloc, vm->config.memory);
  return p;
}

aim_status aim_load(aim_vm *vm, const char *name, const char *text, size_t length, aim_program **out) {
  *out = NULL;
  if (!vm || !name || (!text && length)) return AIM_E_USAGE;
  aim_program *p = program_new(vm);
  if (!p) return AIM_E_MEMORY;
  aim_status st = read_program(p, name, text ? text : "", length);
  if (st == AIM_OK || st == AIM_E_PROGRAM) *out = p;
  else aim_program_free(p);
  return st;
}

/* The whole file, or more than a source may have, which is refused with a message.  *text [*cap] is the caller's to free. */
static aim_status slurp(aim_program *p, const char *path, char **text, size_t *n, size_t *cap) {
  FILE *f = fopen(path, "rb");
  if (!f) {
    p->io_errno = errno;
    return AIM_E_IO;
  }
  aim_status st = AIM_OK;
  for (size_t got = 1; got && *n <= SOURCE_MAX_BYTES && st == AIM_OK;) {
    if (*n == *cap) {
      size_t more = *cap ? 2 * *cap : 16384;
      char *t = p->vm->alloc.fn(p->vm->alloc.user, *text, *cap, more);
      if (!t) {
        st = AIM_E_MEMORY;
        break;
      }
      *text = t;
      *cap = more;
    }
    errno = 0;
    *n += got = fread(*text + *n, 1, *cap - *n, f);
    if (ferror(f)) {
      p->io_errno = errno ? errno : EIO;
      st = AIM_E_IO;
    }
  }
  fclose(f);
  return st;
}

aim_status aim_load_file(aim_vm *vm, const char *path, aim_program **out) {
  *out = NULL;
  if (!vm || !path) return AIM_E_USAGE;
  aim_program *p = program_new(vm);
  if (!p) return AIM_E_MEMORY;
  char *text = NULL;
  size_t n = 0, cap = 0;
  aim_status st = slurp(p, path, &text, &n, &cap);
  if (st == AIM_OK) st = read_program(p, path, text, n);
  alloc_put(&vm->alloc, text, cap);
  if (st == AIM_OK || st == AIM_E_PROGRAM || st == AIM_E_IO) *out = p;
  else aim_program_free(p);
  return st;
}

/* Parses a text into memory of its own; *dump is the tree as text, or NULL where it does not parse. */
typedef struct reading {
  arena mem;
  source_map sources;
  intern_table names;
  diag_list diags;
  int file;
  const char *dump;
} reading;

static void read_text(reading *r, const char *name, const char *text, size_t length) {
  source_map_init(&r->sources, &r->mem);
  intern_init(&r->names, &r->mem);
  diag_init(&r->diags, &r->mem);
  r->file = source_add(&r->sources, name, text, length);
  if (!r->file) return;
  const ast_file *tree = parse_file(&r->mem, &r->names, &r->sources, r->file, &r->diags);
  if (r->diags.errors) return;
  strbuf dump;
  strbuf_init(&dump, &r->mem);
  ast_dump(&dump, tree);
  r->dump = dump.s;
}

aim_status aim_program_format(const aim_program *p, aim_write *write, void *user) {
  if (!p || !p->text || !write) return AIM_E_USAGE;
  reading before = {0}, after = {0};
  arena_init(&before.mem, &p->vm->alloc, p->vm->config.memory);
  arena_init(&after.mem, &p->vm->alloc, p->vm->config.memory);
  aim_status st = AIM_E_MEMORY;
  if (!ARENA_TRY(&before.mem) && !ARENA_TRY(&after.mem)) {
    strbuf out;
    strbuf_init(&out, &before.mem);
    read_text(&before, p->name, p->text, p->length);
    st = before.dump ? AIM_OK : AIM_E_PROGRAM;
    if (before.dump) {
      format_source(&out, &before.names, &before.sources, before.file);
      read_text(&after, p->name, out.s, out.n);
      /* Nobody's program is replaced by another one, whatever a layout got wrong. */
      if (!after.dump || strcmp(before.dump, after.dump) != 0) st = AIM_E_INTERNAL;
      else write(user, out.s, out.n);
    }
  }
  arena_free(&before.mem);
  arena_free(&after.mem);
  return st;
}

void aim_program_free(aim_program *p) {
  if (!p) return;
  aim_alloc a = p->vm->alloc;
  arena_free(&p->mem);
  alloc_put(&a, p, sizeof *p);
}

int aim_program_errno(const aim_program *p) { return p ? p->io_errno : 0; }

/* ---- what is in it */

size_t aim_model_count(const aim_program *p) { return p ? p->n_models : 0; }

const char *aim_model_name(const aim_program *p, size_t model) {
  return p && model < p->n_models ? p->model[model].m->decl->name.name : NULL;
}

/* NULL where there is none of this number. */
static const api_model *model_at(const aim_program *p, size_t model) { return p && model < p->n_models ? &p->model[model] : NULL; }

size_t aim_input_count(const aim_program *p, size_t model) {
  const api_model *m = model_at(p, model);
  return m ? m->n_inputs : 0;
}

/* The type of a site, or of an input. */
static const char *type_text(const aim_program *p, const check_site *site, const ty_info *t) {
  aim_program *w = (aim_program *)p; /* text is made in the program's own memory */
  if (ARENA_TRY(&w->mem)) return NULL;
  return site ? check_site_print(&w->p.check, site) : ty_print_full(&w->p.check, t);
}

aim_status aim_input_get(const aim_program *p, size_t model, size_t input, aim_input *out) {
  const api_model *m = model_at(p, model);
  if (!m || input >= m->n_inputs) return AIM_E_USAGE;
  const symbol *s = m->input[input];
  const char *type = type_text(p, NULL, s->type);
  if (!type) return AIM_E_MEMORY;
  *out = (aim_input){s->name, type, !(s->param && s->param->default_)};
  return AIM_OK;
}

size_t aim_latent_count(const aim_program *p, size_t model) {
  const api_model *m = model_at(p, model);
  return m ? m->n_latents : 0;
}

aim_status aim_latent_get(const aim_program *p, size_t model, size_t k, aim_latent *out) {
  const api_model *m = model_at(p, model);
  if (!m || k >= m->n_latents) return AIM_E_USAGE;
  const check_site *s = m->latent[k];
  const char *type = type_text(p, s, NULL);
  if (!type) return AIM_E_MEMORY;
  *out = (aim_latent){s->sym->name, type};
  return AIM_OK;
}

size_t aim_statement_count(const aim_program *p) { return p ? p->n_runs : 0; }

aim_status aim_statement_get(const aim_program *p, size_t k, aim_statement *out) {
  if (!p || k >= p->n_runs) return AIM_E_USAGE;
  const plan *pl = &p->plans[k];
  if (!pl->name) return AIM_E_PROGRAM;
  aim_program *w = (aim_program *)p; /* the line table is built at the first look */
  if (ARENA_TRY(&w->mem)) return AIM_E_MEMORY;
  *out = (aim_statement){pl->name, pl->model ? pl->model->decl->name.name : p->run[k]->run->model.name, method_name(pl->method), 0, p->run[k] && p->run[k]->run->as.name};
  if (p->run[k]) out->line = source_locate(&w->p.sources, p->run[k]->at.file, p->run[k]->at.off).line;
  return AIM_OK;
}

size_t aim_program_diagnostic_count(const aim_program *p) { return p && p->p.diags.a ? p->p.diags.n : 0; }

aim_status aim_program_diagnostic(aim_program *p, size_t k, aim_diagnostic *out) {
  if (k >= aim_program_diagnostic_count(p)) return AIM_E_USAGE;
  return api_diagnostic(&p->p, k, out);
}

aim_status aim_program_messages(aim_program *p, unsigned flags, aim_write *write, void *user) {
  if (!p || !write) return AIM_E_USAGE;
  return p->p.diags.a ? api_messages(&p->p, &p->vm->alloc, flags, write, user) : AIM_OK;
}
