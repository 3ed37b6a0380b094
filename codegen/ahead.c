/* ahead.c: the request for an object that is built ahead of time (ahead.h). */
#include "codegen/ahead.h"

#include "codegen/abi.h"
#include "codegen/child.h"
#include "codegen/request.h"

#include <string.h>

/* Those that the object has wrappers for (emit_ahead.c). */
static const char *const functions[] = {"prepare", "grad", "constrain", "prior", "outputs", "density", "recover"};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

const ir_fn *ahead_fn(const ahead_spec *s, const char *name) { return ir_fn_find(s->p->module, name); }

/* ---- names */

static bool reserved(const char *s) {
  /* Keywords of C and C++, and macros that compilers and the usual headers define in lower case or for numbers. */
  static const char *const words[] = {
      "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char", "char16_t", "char32_t", "char8_t", "class", "co_await",
      "co_return", "co_yield", "compl", "concept", "const", "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double",
      "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new",
      "noexcept", "not", "not_eq", "nullptr", "operator", "or", "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return",
      "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid",
      "typename", "typeof", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
      "EOF", "HUGE_VAL", "INFINITY", "NAN", "NULL", "assert", "complex", "errno", "i386", "linux", "offsetof", "stderr", "stdin", "stdout", "unix"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (strcmp(words[k], s) == 0) return true;
  return false;
}

const char *ahead_c_name(arena *mem, const char *name) {
  const char *first = name[0] >= '0' && name[0] <= '9' ? "m" : "";
  char *s = arena_printf(mem, "%s%s%s", first, name, reserved(name) ? "_" : "");
  for (char *p = s; *p; p++)
    if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '_')) *p = '_';
  return s;
}

const char *ahead_member(arena *mem, const char *const *taken, size_t n, const char *name) {
  const char *plain = ahead_c_name(mem, name), *s = plain;
  for (size_t k = 0, suffix = n; k < n; k++) {
    if (strcmp(taken[k], s) != 0) continue;
    s = arena_printf(mem, "%s_%zu", plain, ++suffix);
    k = (size_t)-1;
  }
  return s;
}

/* ---- the fields */

static void add_field(ahead_spec *s, size_t *cap, ahead_field f) {
  const char **taken = ARENA_ARRAY(s->mem, const char *, s->nfields + 1);
  for (size_t k = 0; k < s->nfields; k++) taken[k] = s->field[k].c_name;
  f.c_name = ahead_member(s->mem, taken, s->nfields, f.name);
  ARENA_PUSH(s->mem, s->field, s->nfields, *cap, f);
}

static bool has_field(const ahead_spec *s, const char *name) {
  for (size_t k = 0; k < s->nfields; k++)
    if (s->field[k].kind != AHEAD_SIZE && strcmp(s->field[k].name, name) == 0) return true;
  return false;
}

/* Of the signature: index(K) means 1..K, which nothing checks again when code reads an array there. */
static const char *range_of(ahead_spec *s, ahead_field *f) {
  const check_model *m = s->p->model;
  for (size_t k = 0; k < m->ndata; k++) {
    const ty_info *t = m->data[k]->type;
    if (strcmp(m->data[k]->name, f->name) != 0) continue;
    if (t->kind != TY_INT || t->support != IR_SUP_FINITE || t->spin) return NULL;
    if (t->count == IR_SIZE_NONE) return arena_printf(s->mem, "the largest value of the index `%s` is not a size", f->name);
    f->most = t->count;
  }
  return NULL;
}

const char *ahead_describe(ahead_spec *s) {
  size_t cap = 0;
  for (size_t k = 0; k < s->nruntime; k++) {
    ahead_field f = {.kind = AHEAD_SIZE, .type = ir_scalar(IR_INT)};
    if (size_is_symbol(s->p->sizes, s->runtime[k], &f.name)) add_field(s, &cap, f);
  }
  for (int k = 0; k < FUNCTIONS; k++) {
    const ir_fn *fn = ahead_fn(s, functions[k]);
    for (uint32_t i = 0; fn && i < fn->nparams; i++) {
      if (fn->param[i].role != IR_ROLE_DATA || has_field(s, fn->param[i].name)) continue;
      ahead_field f = {.name = fn->param[i].name, .type = ir_type_of(fn, fn->param[i].val)};
      f.kind = f.type.rank ? AHEAD_ARRAY : AHEAD_SCALAR;
      const char *why = range_of(s, &f);
      if (why) return why;
      add_field(s, &cap, f);
    }
  }
  return NULL;
}

/* ---- the request */

static void write_size(const ahead_spec *s, ir_size z, strbuf *out) {
  if (z == IR_SIZE_NONE) strbuf_puts(out, "-");
  else size_print(s->p->sizes, z, out);
}

/* A line for each field: kind, name, number of cells, largest value of an index; the last two after tabs, as sizes have blanks. */
static void write_field(const ahead_spec *s, const ahead_field *f, strbuf *out) {
  static const char *const kinds[] = {"size", "scalar", "array"};
  ir_size cells = size_const(s->p->sizes, 1);
  for (int k = 0; k < f->type.rank; k++) cells = size_mul(s->p->sizes, cells, f->type.dim[k]);
  strbuf_printf(out, "field %s\t%s\t", kinds[f->kind], f->name);
  write_size(s, cells, out);
  strbuf_putc(out, '\t');
  write_size(s, f->most, out);
  strbuf_putc(out, '\n');
}

static bool is_runtime(const ahead_spec *s, ir_size z) {
  for (size_t k = 0; k < s->nruntime; k++)
    if (s->runtime[k] == z) return true;
  return false;
}

static void write_request(const ahead_spec *s, strbuf *out) {
  size_table *sizes = s->p->sizes;
  request_begin(out, s->level);
  strbuf_printf(out, "ahead %s\nlevel %d\nkeys %llu %llu\n", s->prefix, s->level, (unsigned long long)s->key_prior, (unsigned long long)s->key_outputs);
  for (size_t k = 0; k < s->nfields; k++) write_field(s, &s->field[k], out);
  for (size_t k = 0; k < size_symbol_count(sizes); k++) {
    const char *name;
    int64_t n;
    ir_size z = size_symbol_at(sizes, k);
    if (!is_runtime(s, z) && size_is_symbol(sizes, z, &name) && size_value(sizes, z, &n)) strbuf_printf(out, "bind %s %lld\n", name, (long long)n);
  }
  strbuf_puts(out, "ir\n");
  for (int k = 0; k < FUNCTIONS; k++) {
    const ir_fn *fn = ahead_fn(s, functions[k]);
    if (fn) ir_print_fn(fn, out);
  }
}

const char *ahead_object(const ahead_spec *s, const char *compiler, int seconds, const aim_alloc *alloc, const char **object, size_t *n) {
  strbuf request;
  strbuf_init(&request, s->mem);
  write_request(s, &request);
  cg_reply reply;
  cg_child_run(&reply, compiler, request.s, request.n, seconds, -1, alloc);
  if (!reply.object) return arena_printf(s->mem, "%s", reply.message);
  *object = arena_strndup(s->mem, reply.object, reply.n);
  *n = reply.n;
  alloc_put(alloc, reply.object, reply.cap);
  return NULL;
}
