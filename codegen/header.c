/* header.c: the C header of an object that is built ahead of time: the model's data, latents and outputs as structs, and what can be
 * computed from them, with shapes, units and errors. */
#include "codegen/ahead.h"

#include "compiler/derive.h"

#include <string.h>

static const char *c_type(ir_type t) { return t.elem == IR_REAL ? "double" : "int64_t"; }

static void upper(const char *s, strbuf *out) {
  for (; *s; s++) strbuf_putc(out, *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s);
}

/* Names and paths of others, written into a comment from `from` on, neither end it nor begin one. */
static void harmless(strbuf *out, size_t from) {
  for (size_t k = from; k + 1 < out->n; k++) {
    char *c = out->s + k;
    if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*')) c[1] = ' ';
  }
}

/* "real[J, K]", and what a cell holds where that is not plain. */
static void shape(const ahead_spec *s, ir_type t, ir_size most, strbuf *out) {
  const size_t from = out->n;
  ir_print_type(s->p->module, t, out);
  if (most != IR_SIZE_NONE) {
    strbuf_puts(out, ": from 1 to ");
    size_print(s->p->sizes, most, out);
  } else if (t.elem == IR_BOOL) strbuf_puts(out, ": 0 or 1");
  harmless(out, from);
}

static bool fixed(const ahead_spec *s, ir_size z, int64_t *n) {
  for (size_t k = 0; k < s->nruntime; k++)
    if (s->runtime[k] == z) return false;
  return size_value(s->p->sizes, z, n);
}

static void say_fixed(const ahead_spec *s, strbuf *out) {
  const size_t from = out->n;
  bool any = false;
  for (size_t k = 0; k < size_symbol_count(s->p->sizes); k++) {
    const char *name;
    int64_t n;
    ir_size z = size_symbol_at(s->p->sizes, k);
    if (!size_is_symbol(s->p->sizes, z, &name) || !fixed(s, z, &n)) continue;
    strbuf_printf(out, "%s%s = %lld", any ? ", " : " * Sizes that are constants of this object: ", name, (long long)n);
    any = true;
  }
  if (any) strbuf_puts(out, ".\n *\n");
  harmless(out, from);
}

static void opening(const ahead_spec *s, strbuf *out) {
  const char *p = s->prefix;
  strbuf_puts(out, "/* ");
  const size_t from = out->n;
  strbuf_printf(out, "Model `%s` of %s", s->p->model->decl->name.name, s->source);
  harmless(out, from);
  strbuf_printf(out,
                ", compiled by aimc build (AIM %s) for x86-64-v%d.\n *\n"
                " * The object allocates nothing, keeps nothing between calls and calls nothing but memcpy and memset.  Functions may be called by\n"
                " * any number of threads at once: data, frame and latents are only read (%s_prepare writes the frame), scratch is one for each\n"
                " * thread.  Arrays are row-major, indices count from 1, logarithms are natural, sizes of memory are in bytes.\n *\n",
                AIM_VERSION, s->level, p);
  say_fixed(s, out);
  strbuf_printf(out,
                " *     %s_data d = {...};\n"
                " *     void *frame = malloc(%s_frame_bytes(&d)), *scratch = malloc(%s_scratch_bytes(&d));\n"
                " *     if (%s_prepare(&d, frame, scratch) != 0) ...\n"
                " */\n",
                p, p, p, p);
}

static void data_struct(const ahead_spec *s, strbuf *out) {
  strbuf_printf(out, "/* What the model is given.  Borrowed: arrays must not change between %s_prepare and the calls that follow it. */\ntypedef struct %s_data {\n",
                s->prefix, s->prefix);
  for (size_t k = 0; k < s->nfields; k++) {
    const ahead_field *f = &s->field[k];
    if (f->kind == AHEAD_SIZE) {
      strbuf_printf(out, "  int64_t %s; /* a size */\n", f->c_name);
      continue;
    }
    strbuf_printf(out, f->kind == AHEAD_ARRAY ? "  const %s *%s; /* " : "  %s %s; /* ", c_type(f->type), f->c_name);
    shape(s, f->type, f->most, out);
    strbuf_puts(out, " */\n");
  }
  if (s->nfields == 0) strbuf_puts(out, "  int64_t none; /* the model reads nothing */\n");
  strbuf_printf(out, "} %s_data;\n\n", s->prefix);
}

/* member [n]: their names in C. */
static void pointer_struct(const ahead_spec *s, const char *what, size_t n, const char *const *member, const ir_type *type, strbuf *out) {
  strbuf_printf(out, "typedef struct %s_%s {\n", s->prefix, what);
  for (size_t k = 0; k < n; k++) {
    strbuf_printf(out, "  %s *%s; /* ", c_type(type[k]), member[k]);
    shape(s, type[k], IR_SIZE_NONE, out);
    strbuf_puts(out, " */\n");
  }
  strbuf_printf(out, "} %s_%s;\n\n", s->prefix, what);
}

static const char **latents(const ahead_spec *s) {
  const char **member = ARENA_ARRAY(s->mem, const char *, s->p->nsites + 1);
  for (size_t k = 0; k < s->p->nsites; k++) member[k] = ahead_member(s->mem, member, k, s->p->site[k].name);
  return member;
}

static void latents_struct(const ahead_spec *s, strbuf *out) {
  const program *p = s->p;
  ir_type *type = ARENA_ARRAY(s->mem, ir_type, p->nsites + 1);
  for (size_t k = 0; k < p->nsites; k++) type[k] = p->site[k].site->type;
  if (p->nsites == 0) return;
  strbuf_puts(out, "/* Where the model's unknowns stand: every pointer is set by the host. */\n");
  pointer_struct(s, "latents", p->nsites, latents(s), type, out);
}

static void outputs_struct(const ahead_spec *s, strbuf *out) {
  const program *p = s->p;
  const ir_fn *fn = ahead_fn(s, "outputs");
  if (!fn) return;
  const char **member = ARENA_ARRAY(s->mem, const char *, p->noutputs + 1);
  ir_type *type = ARENA_ARRAY(s->mem, ir_type, p->noutputs + 1);
  for (size_t k = 0; k < p->noutputs; k++) member[k] = ahead_member(s->mem, member, k, p->output[k].name), type[k] = ir_type_of(fn, fn->ret[k]);
  strbuf_puts(out, "/* What the model tracks and predicts: every pointer is set by the host. */\n");
  pointer_struct(s, "outputs", p->noutputs, member, type, out);
}

static void coordinates(const ahead_spec *s, strbuf *out) {
  const program *p = s->p;
  bool noncentred = false;
  for (size_t k = 0; k < p->nsites; k++) noncentred = noncentred || p->site[k].site->standard;
  strbuf_puts(out, "/* A point q of the unconstrained space has the coordinates of");
  const char **member = latents(s);
  bool first = true;
  for (size_t k = 0; k < p->nsites; k++) {
    if (p->site[k].summed) continue;
    strbuf_printf(out, "%s %s (", first ? "" : ",", member[k]);
    first = false;
    shape(s, derive_uncon_type(p->module, p->site[k].site), IR_SIZE_NONE, out);
    strbuf_puts(out, p->site[k].site->standard ? ", non-centred" : "");
    strbuf_puts(out, ")");
  }
  strbuf_printf(out,
                ", one after the other.\n%s%s%s * Their number; negative if the sizes are impossible. */\nint64_t %s_dimension(const %s_data *d);\n\n",
                noncentred ? " * What is non-centred stands there as its standard variate: " : "", noncentred ? s->prefix : "",
                noncentred ? "_constrain gives the unknown itself.\n" : "", s->prefix, s->prefix);
}

static void recover(const ahead_spec *s, strbuf *out) {
  const char *p = s->prefix, **member = latents(s);
  strbuf_puts(out, "/* The log density is the sum over all values of");
  for (size_t k = 0, n = 0; k < s->p->nsites; k++)
    if (s->p->site[k].summed) strbuf_printf(out, "%s %s", n++ ? "," : "", member[k]);
  strbuf_printf(out,
                ".  Draws them, exactly, given the other unknowns that stand in `latents`, as a pure function of seed,\n"
                " * chain and draw. */\n"
                "%s_status %s_recover(const %s_data *d, const void *frame, void *scratch, uint64_t seed, uint64_t chain, uint64_t draw,\n"
                "    const %s_latents *latents);\n\n",
                p, p, p, p);
}

static void functions(const ahead_spec *s, strbuf *out) {
  const char *p = s->prefix;
  strbuf_printf(out,
                "/* Bytes of memory, of any alignment, that the functions below want as frame and as scratch; SIZE_MAX if the sizes are impossible. */\n"
                "size_t %s_frame_bytes(const %s_data *d);\nsize_t %s_scratch_bytes(const %s_data *d);\n\n",
                p, p, p, p);
  strbuf_printf(out,
                "/* Checks sizes, pointers and the values of indices, and computes what depends on the data alone.  Before anything below, and again\n"
                " * after the data have changed.  Bounds that the model declares for other data are the host's to keep. */\n"
                "%s_status %s_prepare(const %s_data *d, void *frame, void *scratch);\n\n",
                p, p, p);
  if (ahead_fn(s, "grad")) {
    coordinates(s, out);
    strbuf_printf(out,
                  "/* Log density at q, Jacobian of the constraints included, up to no constant, into *lp; -INFINITY outside the support or where a\n"
                  " * parameter is invalid.  Its gradient [dimension] into gradient unless that is NULL. */\n"
                  "%s_status %s_log_density(const %s_data *d, const void *frame, void *scratch, const double *q, double *lp, double *gradient);\n"
                  "/* The unknowns at q, on their own scale%s. */\n"
                  "%s_status %s_constrain(const %s_data *d, const void *frame, void *scratch, const double *q, const %s_latents *out);\n\n",
                  p, p, p, ahead_fn(s, "recover") ? "; what is summed out stays as it is" : "", p, p, p, p);
    if (ahead_fn(s, "recover")) recover(s, out);
  }
  if (s->p->nsites && ahead_fn(s, "prior"))
    strbuf_printf(out,
                  "/* Draw number `draw` from the prior: a pure function of seed, chain and draw, as in `aimc run --method prior`. */\n"
                  "%s_status %s_prior(const %s_data *d, const void *frame, void *scratch, uint64_t seed, uint64_t chain, uint64_t draw,\n"
                  "    const %s_latents *out);\n\n",
                  p, p, p, p);
  if (s->p->nsites && ahead_fn(s, "outputs"))
    strbuf_printf(out,
                  "/* What is tracked and predicted at given unknowns; predictions are drawn, as a pure function of seed, chain and draw. */\n"
                  "%s_status %s_predict(const %s_data *d, const void *frame, void *scratch, uint64_t seed, uint64_t chain, uint64_t draw,\n"
                  "    const %s_latents *in, const %s_outputs *out);\n\n",
                  p, p, p, p, p);
  if (s->p->nsites && ahead_fn(s, "density"))
    strbuf_printf(out,
                  "/* Logs of prior, likelihood and factors at given unknowns, on the model's own scale (no Jacobian), into part [3]. */\n"
                  "%s_status %s_score(const %s_data *d, const void *frame, void *scratch, const %s_latents *in, double *part);\n\n",
                  p, p, p, p);
}

void ahead_header(const ahead_spec *s, strbuf *out) {
  opening(s, out);
  strbuf_puts(out, "#ifndef AIM_MODEL_");
  upper(s->prefix, out);
  strbuf_puts(out, "_H\n#define AIM_MODEL_");
  upper(s->prefix, out);
  strbuf_puts(out, "_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  static const char *const codes[][2] = {{"OK = 0", ""},
                                         {"E_SIZE = 1", "a size is negative, or arrays of these sizes do not fit"},
                                         {"E_DATA = 2", "an array is missing, or an index lies outside its range"},
                                         {"E_INDEX = 3", "a computed index is outside its array; results are unspecified"}};
  strbuf_printf(out, "typedef enum %s_status {\n", s->prefix);
  for (size_t k = 0; k < sizeof codes / sizeof *codes; k++) {
    strbuf_puts(out, "  ");
    upper(s->prefix, out);
    strbuf_printf(out, "_%s%s", codes[k][0], k < 3 ? "," : "");
    strbuf_printf(out, codes[k][1][0] ? " /* %s */\n" : "%s\n", codes[k][1]);
  }
  strbuf_printf(out, "} %s_status;\n\n", s->prefix);
  data_struct(s, out);
  latents_struct(s, out);
  outputs_struct(s, out);
  functions(s, out);
  strbuf_puts(out, "#ifdef __cplusplus\n}\n#endif\n#endif\n");
}
