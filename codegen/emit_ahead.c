/* emit_ahead.c: the functions of an object that is built ahead of time: what a C host calls, around the functions of the module.
 *
 * Where the engine evaluates the description of an object when it loads it, here the same description becomes code: each wrapper
 * computes the numbers that its function reads, gives it scratch memory, and points its context at data, frame and results.  Extents
 * that are constants of the object fold away.  docs/embedding.md has the interface as a host sees it; codegen/header.c writes it down. */
#include "codegen/emit_internal.h"

#include <string.h>

/* A line of a function's description. */
typedef struct note {
  bool slot;
  int64_t mul, add;  /* slot: mul * text + add cells */
  const char *text;  /* a size */
} note;

typedef struct plan {
  const ir_fn *fn;   /* NULL: there is none */
  LV code;
  note *note;
  size_t n, nsizes, nslots;
} plan;

typedef struct A {
  E *e;
  const cg_ahead *spec;
  LV data;           /* the host's struct, in the wrapper under way */
  bool checked;      /* arithmetic of extents says when it overflows */
  plan prepare, grad, constrain, prior, outputs, density, recover;
} A;

enum { OK = 0, E_SIZE = 1, E_DATA = 2, E_INDEX = 3 };

/* ---- extents, as size_print writes them */

static LV sum_of(A *a, const char **at);

static void blanks(const char **at) {
  while (**at == ' ') ++*at;
}

static LV two(A *a, char op, LV x, LV y) {
  E *e = a->e;
  switch (op) {
    case '*': return a->checked ? cg_call(e, "ahead_mul", 2, (LV[]){x, y}) : cg_mul(e, x, y);
    case '+': return a->checked ? cg_call(e, "ahead_add", 2, (LV[]){x, y}) : cg_add(e, x, y);
    case '/': return cg_call(e, "cg_idiv", 2, (LV[]){x, y});
    default: return cg_call(e, "cg_imod", 2, (LV[]){x, y});
  }
}

static LV field(A *a, size_t word) {
  LV at = cg_int(a->e, (int64_t)word);
  return LLVMBuildInBoundsGEP2(a->e->b, a->e->i64, a->data, &at, 1, "");
}

static LV symbol(A *a, const char *name, size_t n) {
  E *e = a->e;
  char *s = arena_strndup(e->mem, name, n);
  int64_t number;
  if (size_value(e->m->sizes, size_symbol(e->m->sizes, s), &number)) return cg_int(e, number);
  for (size_t k = 0; k < a->spec->n; k++)
    if (a->spec->field[k].kind == CG_FIELD_SIZE && strcmp(a->spec->field[k].name, s) == 0) return LLVMBuildLoad2(e->b, e->i64, field(a, k), "");
  cg_fail(e, arena_printf(e->mem, "the size `%s` is unbound", s));
}

static LV factor_of(A *a, const char **at) {
  blanks(at);
  if (**at == '-') {
    ++*at;
    return two(a, '*', cg_int(a->e, -1), factor_of(a, at));
  }
  if (**at == '(') {
    ++*at;
    LV v = sum_of(a, at);
    blanks(at);
    if (**at != ')') cg_fail(a->e, "a size cannot be read");
    ++*at;
    return v;
  }
  if (**at >= '0' && **at <= '9') {
    int64_t n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
      if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, **at - '0', &n)) cg_fail(a->e, "a size is too large");
    return cg_int(a->e, n);
  }
  const bool quoted = **at == '`';
  *at += quoted;
  size_t n = strcspn(*at, quoted ? "`\n" : " ()*/%+-\n");
  if (n == 0) cg_fail(a->e, "a size cannot be read");
  LV v = symbol(a, *at, n);
  *at += n + quoted;
  return v;
}

static LV product_of(A *a, const char **at) {
  LV v = factor_of(a, at);
  for (;;) {
    blanks(at);
    char c = **at;
    if (c != '*' && c != '/' && c != '%') return v;
    *at += c == '/' ? 2 : 1;
    v = two(a, c, v, factor_of(a, at));
  }
}

static LV sum_of(A *a, const char **at) {
  LV v = product_of(a, at);
  for (;;) {
    blanks(at);
    char c = **at;
    if (c != '+' && c != '-') return v;
    ++*at;
    LV y = product_of(a, at);
    v = two(a, '+', v, c == '+' ? y : two(a, '*', cg_int(a->e, -1), y));
  }
}

static LV size_of(A *a, const char *text) { return sum_of(a, &text); }

static LV extent(A *a, ir_size s) {
  strbuf b;
  strbuf_init(&b, a->e->mem);
  size_print(a->e->m->sizes, s, &b);
  strbuf_putc(&b, '\n');
  return size_of(a, b.s);
}

static LV cells_of(A *a, ir_type t) {
  LV n = cg_int(a->e, 1);
  for (int k = 0; k < t.rank; k++) n = two(a, '*', n, extent(a, t.dim[k]));
  return n;
}

/* Where memory goes on after an array. */
static LV after(A *a, LV at, LV cells) {
  E *e = a->e;
  if (a->checked) return cg_call(e, "ahead_after", 2, (LV[]){at, cells});
  LV lines = LLVMBuildAnd(e->b, cg_add(e, cells, cg_int(e, 8)), cg_int(e, -8), "");
  return cg_add(e, at, lines);
}

/* ---- the description */

static int64_t integer(const char **at) {
  int64_t n = 0;
  blanks(at);
  bool negative = **at == '-';
  if (negative) ++*at;
  for (; **at >= '0' && **at <= '9'; ++*at) n = n * 10 + (**at - '0');
  return negative ? -n : n;
}

static plan plan_of(A *a, const char *name) {
  E *e = a->e;
  plan p = {0};
  for (uint32_t k = 0; k < e->m->nfns; k++) {
    if (strcmp(e->m->fn[k]->name, name) != 0) continue;
    p.fn = e->m->fn[k];
    p.code = LLVMGetNamedFunction(e->mod, arena_printf(e->mem, "aim_fn_%u", k));
  }
  if (!p.fn) return p;
  size_t cap = 0;
  bool mine = false;
  const size_t length = strlen(name);
  for (const char *at = e->meta.s, *end = at + e->meta.n; at < end;) {
    if (strncmp(at, "fn ", 3) == 0) {
      mine = strncmp(at + 3, name, length) == 0 && at[3 + length] == '\n';
    } else if (mine) {
      note x = {.slot = strncmp(at, "slot ", 5) == 0};
      if (!x.slot && strncmp(at, "size ", 5) != 0) cg_fail(e, "the object's description has an unknown line");
      at += 5;
      if (x.slot) x.mul = integer(&at), x.add = integer(&at);
      x.text = at;
      ARENA_PUSH(e->mem, p.note, p.n, cap, x);
      *(x.slot ? &p.nslots : &p.nsizes) += 1;
    }
    at = strchr(at, '\n') + 1;
  }
  return p;
}

/* Cells of scratch that the function takes: the end of its last slot. */
static LV work_of(A *a, const plan *p) {
  LV at = cg_int(a->e, 0);
  for (size_t k = 0; k < p->n; k++)
    if (p->note[k].slot) {
      LV cells = two(a, '+', two(a, '*', cg_int(a->e, p->note[k].mul), size_of(a, p->note[k].text)), cg_int(a->e, p->note[k].add));
      at = after(a, at, cells);
    }
  return at;
}

/* ---- a wrapper under way */

typedef struct wrapper {
  A *a;
  const plan *p;
  LV in, out; /* tables of pointers */
  LV scratch; /* aligned */
  LV spare;   /* where scratch goes on after the function's own */
} wrapper;

static LV table(A *a, size_t n) { return LLVMBuildAlloca(a->e->b, LLVMArrayType2(a->e->i64, n ? n : 1), ""); }

static void entry_set(A *a, LV at, size_t k, LV v) { LLVMBuildStore(a->e->b, v, cg_gep(a->e, at, cg_int(a->e, (int64_t)k))); }

static LV aligned(A *a, LV p) {
  E *e = a->e;
  LV n = LLVMBuildPtrToInt(e->b, p, e->i64, "");
  LV up = LLVMBuildAnd(e->b, cg_add(e, n, cg_int(e, 63)), cg_int(e, -64), "");
  LV by = LLVMBuildSub(e->b, up, n, "");
  LLVMTypeRef byte = LLVMInt8TypeInContext(e->cx);
  return LLVMBuildInBoundsGEP2(e->b, byte, p, &by, 1, "");
}

/* Opens prefix_name(data, ...); parameters after the first as given. */
static LV open(A *a, const char *name, LLVMTypeRef result, unsigned n, const LLVMTypeRef *type) {
  E *e = a->e;
  LLVMTypeRef t[8] = {e->ptr};
  for (unsigned k = 0; k < n; k++) t[k + 1] = type[k];
  LV f = LLVMAddFunction(e->mod, arena_printf(e->mem, "%s_%s", a->spec->prefix, name), LLVMFunctionType(result, t, n + 1, 0));
  e->func = f;
  LLVMPositionBuilderAtEnd(e->b, cg_block(e, "entry"));
  a->data = LLVMGetParam(f, 0);
  return f;
}

static void close_with(A *a, int64_t code) { LLVMBuildRet(a->e->b, LLVMConstInt(a->e->i32, (unsigned long long)code, 0)); }

/* Goes on only if `fine`; else the wrapper returns the code. */
static void require(A *a, LV fine, int64_t code) {
  E *e = a->e;
  LB bad = cg_block(e, "bad"), on = cg_block(e, "on");
  LLVMBuildCondBr(e->b, fine, on, bad);
  LLVMPositionBuilderAtEnd(e->b, bad);
  close_with(a, code);
  LLVMPositionBuilderAtEnd(e->b, on);
}

static LV frame_place(A *a, LV frame, uint32_t result) {
  LV at = cg_int(a->e, 0);
  for (uint32_t k = 0; k < result; k++) at = after(a, at, cells_of(a, ir_type_of(a->prepare.fn, a->prepare.fn->ret[k])));
  return cg_gep(a->e, frame, at);
}

static LV data_place(A *a, const char *name) {
  for (size_t k = 0; k < a->spec->n; k++) {
    const cg_field *f = &a->spec->field[k];
    if (f->kind == CG_FIELD_SIZE || strcmp(f->name, name) != 0) continue;
    return f->kind == CG_FIELD_SCALAR ? field(a, k) : LLVMBuildLoad2(a->e->b, a->e->ptr, field(a, k), "");
  }
  cg_fail(a->e, arena_printf(a->e->mem, "there is no data for `%s`", name));
}

/* Lays out the call of p but for the arguments that the caller of the wrapper brings. */
static wrapper begin(A *a, const plan *p, LV frame, LV scratch) {
  E *e = a->e;
  wrapper w = {.a = a, .p = p, .in = table(a, p->fn->nparams), .out = table(a, p->fn->nret), .scratch = aligned(a, scratch)};
  for (uint32_t k = 0; k < p->fn->nparams; k++) {
    const ir_param *q = &p->fn->param[k];
    if (q->role == IR_ROLE_DATA) entry_set(a, w.in, k, data_place(a, q->name));
    if (q->role != IR_ROLE_FRAME) continue;
    const char *at = q->name + 6;
    int64_t r = strncmp(q->name, "frame.", 6) == 0 ? integer(&at) : 0;
    if (!a->prepare.fn || r < 1 || r > (int64_t)a->prepare.fn->nret) cg_fail(e, "a function reads a frame that @prepare does not make");
    entry_set(a, w.in, k, frame_place(a, aligned(a, frame), (uint32_t)r - 1));
  }
  w.spare = cg_gep(e, w.scratch, work_of(a, p));
  return w;
}

static LV call(wrapper *w) {
  A *a = w->a;
  E *e = a->e;
  LV sizes = table(a, w->p->nsizes), slots = table(a, w->p->nslots), at = cg_int(e, 0);
  size_t size = 0, slot = 0;
  for (size_t k = 0; k < w->p->n; k++) {
    const note *x = &w->p->note[k];
    LV n = size_of(a, x->text);
    if (!x->slot) {
      entry_set(a, sizes, size++, n);
      continue;
    }
    entry_set(a, slots, slot++, cg_gep(e, w->scratch, at));
    at = after(a, at, two(a, '+', two(a, '*', cg_int(e, x->mul), n), cg_int(e, x->add)));
  }
  const LV null = LLVMConstNull(e->ptr);
  const LV part[] = {sizes, slots, w->in, w->out, null};
  LV ctx = table(a, sizeof(cg_ctx) / 8);
  for (size_t k = 0; k < sizeof(cg_ctx) / 8; k++) entry_set(a, ctx, k, k < sizeof part / sizeof *part ? part[k] : cg_int(e, 0));
  LLVMTypeRef t = LLVMFunctionType(e->i64, &e->ptr, 1, 0);
  return LLVMBuildCall2(e->b, t, w->p->code, &ctx, 1, "");
}

static void finish(wrapper *w) {
  E *e = w->a->e;
  LV bad = LLVMBuildICmp(e->b, LLVMIntNE, call(w), cg_int(e, 0), "");
  LLVMBuildRet(e->b, LLVMBuildSelect(e->b, bad, LLVMConstInt(e->i32, E_INDEX, 0), LLVMConstInt(e->i32, OK, 0), ""));
}

/* The pointers of a host's struct, in order, as results of the function, or as its parameters of a role. */
static void results_from(wrapper *w, LV host) {
  for (uint32_t k = 0; k < w->p->fn->nret; k++) entry_set(w->a, w->out, k, LLVMBuildLoad2(w->a->e->b, w->a->e->ptr, cg_gep(w->a->e, host, cg_int(w->a->e, k)), ""));
}

static void parameters_from(wrapper *w, ir_role role, LV host) {
  uint32_t word = 0;
  for (uint32_t k = 0; k < w->p->fn->nparams; k++)
    if (w->p->fn->param[k].role == role)
      entry_set(w->a, w->in, k, LLVMBuildLoad2(w->a->e->b, w->a->e->ptr, cg_gep(w->a->e, host, cg_int(w->a->e, word++)), ""));
}

static LV word(wrapper *w, LV host, uint32_t k) { return LLVMBuildLoad2(w->a->e->b, w->a->e->ptr, cg_gep(w->a->e, host, cg_int(w->a->e, k)), ""); }

/* Unconstrained coordinates stand one after the other; so do the partial derivatives.  What is summed out has no coordinates: a density does not read it, and
 * where latents are wanted it stays what the host's array of it holds. */
static void point_from(wrapper *w, LV q, LV latents) {
  LV at = cg_int(w->a->e, 0);
  uint32_t site = 0;
  for (uint32_t k = 0; k < w->p->fn->nparams; k++) {
    const ir_param *x = &w->p->fn->param[k];
    if (x->role == IR_ROLE_LATENT) entry_set(w->a, w->in, k, latents ? word(w, latents, site) : w->scratch);
    if (x->role == IR_ROLE_LATENT || x->role == IR_ROLE_UNCON) site++;
    if (x->role != IR_ROLE_UNCON) continue;
    entry_set(w->a, w->in, k, cg_gep(w->a->e, q, at));
    at = two(w->a, '+', at, cells_of(w->a, ir_type_of(w->p->fn, x->val)));
  }
}

static bool has_latent(const ir_fn *fn, const char *name) {
  for (uint32_t k = 0; k < fn->nparams; k++)
    if (fn->param[k].role == IR_ROLE_LATENT && strcmp(fn->param[k].name, name) == 0) return true;
  return false;
}

/* Latents of the host's struct, in which @recover reads some and writes the others: @score reads all of them, in their order. */
static void recovered_in(wrapper *w, LV host) {
  const ir_fn *all = w->a->density.fn, *own = w->p->fn;
  uint32_t site = 0, out = 0;
  for (uint32_t k = 0; k < all->nparams; k++) {
    if (all->param[k].role != IR_ROLE_LATENT) continue;
    const LV place = word(w, host, site++);
    for (uint32_t i = 0; i < own->nparams; i++)
      if (own->param[i].role == IR_ROLE_LATENT && strcmp(own->param[i].name, all->param[k].name) == 0) entry_set(w->a, w->in, i, place);
    if (!has_latent(own, all->param[k].name)) entry_set(w->a, w->out, out++, place);
  }
  if (out != own->nret) cg_fail(w->a->e, "what is summed out cannot be told from the rest");
}

static void key_from(wrapper *w, LV seed, LV chain, uint64_t purpose, LV draw) {
  A *a = w->a;
  E *e = a->e;
  LV key = table(a, 1);
  entry_set(a, key, 0, cg_call(e, "ahead_key", 4, (LV[]){seed, chain, cg_int(e, (int64_t)purpose), draw}));
  for (uint32_t k = 0; k < w->p->fn->nparams; k++)
    if (w->p->fn->param[k].role == IR_ROLE_KEY) entry_set(a, w->in, k, key);
}

/* ---- the functions of the interface */

static LV dimension_of(A *a) {
  LV n = cg_int(a->e, 0);
  const ir_fn *fn = a->grad.fn;
  for (uint32_t k = 0; fn && k < fn->nparams; k++)
    if (fn->param[k].role == IR_ROLE_UNCON) n = two(a, '+', n, cells_of(a, ir_type_of(fn, fn->param[k].val)));
  return n;
}

static LV bytes_or_all(A *a, LV cells) {
  E *e = a->e;
  LV bad = LLVMBuildICmp(e->b, LLVMIntSLT, cells, cg_int(e, 0), "");
  LV bytes = cg_add(e, cg_mul(e, cells, cg_int(e, 8)), cg_int(e, 64));
  return LLVMBuildSelect(e->b, bad, cg_int(e, -1), bytes, "");
}

static void emit_sizes(A *a) {
  E *e = a->e;
  a->checked = true;
  if (a->grad.fn) {
    open(a, "dimension", e->i64, 0, NULL);
    LV n = dimension_of(a);
    LLVMBuildRet(e->b, LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, n, cg_int(e, 0), ""), cg_int(e, -1), n, ""));
  }
  open(a, "frame_bytes", e->i64, 0, NULL);
  LV n = cg_int(e, 0);
  for (uint32_t k = 0; a->prepare.fn && k < a->prepare.fn->nret; k++)
    n = after(a, n, cells_of(a, ir_type_of(a->prepare.fn, a->prepare.fn->ret[k])));
  LLVMBuildRet(e->b, bytes_or_all(a, n));
  open(a, "scratch_bytes", e->i64, 0, NULL);
  const plan *all[] = {&a->prepare, &a->grad, &a->constrain, &a->prior, &a->outputs, &a->density, &a->recover};
  n = cg_int(e, 0);
  LV bad = LLVMConstInt(e->i1, 0, 0);
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
    if (!all[k]->fn) continue;
    LV work = work_of(a, all[k]);
    if (all[k] == &a->grad) work = after(a, work, dimension_of(a)); /* for a gradient that nobody asked for */
    bad = LLVMBuildOr(e->b, bad, LLVMBuildICmp(e->b, LLVMIntSLT, work, cg_int(e, 0), ""), "");
    n = LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSGT, work, n, ""), work, n, "");
  }
  LLVMBuildRet(e->b, bytes_or_all(a, LLVMBuildSelect(e->b, bad, cg_int(e, -1), n, "")));
  a->checked = false;
}

static LV own_call(A *a, const char *name) {
  LV f = LLVMGetNamedFunction(a->e->mod, arena_printf(a->e->mem, "%s_%s", a->spec->prefix, name));
  return LLVMBuildCall2(a->e->b, LLVMGlobalGetValueType(f), f, &a->data, 1, "");
}

static void emit_prepare(A *a) {
  E *e = a->e;
  LV f = open(a, "prepare", e->i32, 2, (LLVMTypeRef[]){e->ptr, e->ptr});
  for (size_t k = 0; k < a->spec->n; k++)
    if (a->spec->field[k].kind == CG_FIELD_SIZE)
      require(a, LLVMBuildICmp(e->b, LLVMIntSGE, LLVMBuildLoad2(e->b, e->i64, field(a, k), ""), cg_int(e, 0), ""), E_SIZE);
  static const char *const bytes[] = {"frame_bytes", "scratch_bytes"};
  for (int k = 0; k < 2; k++) require(a, LLVMBuildICmp(e->b, LLVMIntNE, own_call(a, bytes[k]), cg_int(e, -1), ""), E_SIZE);
  if (a->grad.fn) require(a, LLVMBuildICmp(e->b, LLVMIntSGE, own_call(a, "dimension"), cg_int(e, 0), ""), E_SIZE);
  for (size_t k = 0; k < a->spec->n; k++) {
    const cg_field *x = &a->spec->field[k];
    if (x->kind != CG_FIELD_ARRAY && x->kind != CG_FIELD_SCALAR) continue;
    LV p = data_place(a, x->name);
    if (x->kind == CG_FIELD_ARRAY) {
      LV none = LLVMBuildICmp(e->b, LLVMIntEQ, size_of(a, x->cells), cg_int(e, 0), "");
      require(a, LLVMBuildOr(e->b, none, LLVMBuildIsNotNull(e->b, p, ""), ""), E_DATA);
    }
    if (!x->most) continue;
    LV inside = cg_call(e, "ahead_indices", 3, (LV[]){p, x->kind == CG_FIELD_ARRAY ? size_of(a, x->cells) : cg_int(e, 1), size_of(a, x->most)});
    require(a, LLVMBuildICmp(e->b, LLVMIntNE, inside, cg_int(e, 0), ""), E_DATA);
  }
  if (!a->prepare.fn) {
    close_with(a, OK);
    return;
  }
  wrapper w = begin(a, &a->prepare, NULL, LLVMGetParam(f, 2));
  LV frame = aligned(a, LLVMGetParam(f, 1));
  for (uint32_t k = 0; k < a->prepare.fn->nret; k++) entry_set(a, w.out, k, frame_place(a, frame, k));
  finish(&w);
}

static void emit_density(A *a) {
  E *e = a->e;
  LLVMTypeRef t[] = {e->ptr, e->ptr, e->ptr, e->ptr, e->ptr};
  LV f = open(a, "log_density", e->i32, 5, t);
  wrapper w = begin(a, &a->grad, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
  point_from(&w, LLVMGetParam(f, 3), NULL);
  LV g = LLVMGetParam(f, 5), at = cg_int(e, 0);
  g = LLVMBuildSelect(e->b, LLVMBuildIsNull(e->b, g, ""), w.spare, g, "");
  entry_set(a, w.out, 0, LLVMGetParam(f, 4));
  for (uint32_t k = 1; k < a->grad.fn->nret; k++) {
    entry_set(a, w.out, k, cg_gep(e, g, at));
    at = two(a, '+', at, cells_of(a, ir_type_of(a->grad.fn, a->grad.fn->ret[k])));
  }
  finish(&w);
  f = open(a, "constrain", e->i32, 4, t);
  w = begin(a, &a->constrain, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
  point_from(&w, LLVMGetParam(f, 3), LLVMGetParam(f, 4));
  results_from(&w, LLVMGetParam(f, 4));
  finish(&w);
}

static void emit_draws(A *a) {
  E *e = a->e;
  if (a->prior.fn) {
    LLVMTypeRef t[] = {e->ptr, e->ptr, e->i64, e->i64, e->i64, e->ptr};
    LV f = open(a, "prior", e->i32, 6, t);
    wrapper w = begin(a, &a->prior, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
    key_from(&w, LLVMGetParam(f, 3), LLVMGetParam(f, 4), a->spec->key_prior, LLVMGetParam(f, 5));
    results_from(&w, LLVMGetParam(f, 6));
    finish(&w);
  }
  if (a->recover.fn) {
    LLVMTypeRef t[] = {e->ptr, e->ptr, e->i64, e->i64, e->i64, e->ptr};
    LV f = open(a, "recover", e->i32, 6, t);
    wrapper w = begin(a, &a->recover, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
    key_from(&w, LLVMGetParam(f, 3), LLVMGetParam(f, 4), a->spec->key_outputs, LLVMGetParam(f, 5));
    recovered_in(&w, LLVMGetParam(f, 6));
    finish(&w);
  }
  if (a->outputs.fn) {
    LLVMTypeRef t[] = {e->ptr, e->ptr, e->i64, e->i64, e->i64, e->ptr, e->ptr};
    LV f = open(a, "predict", e->i32, 7, t);
    wrapper w = begin(a, &a->outputs, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
    key_from(&w, LLVMGetParam(f, 3), LLVMGetParam(f, 4), a->spec->key_outputs, LLVMGetParam(f, 5));
    parameters_from(&w, IR_ROLE_LATENT, LLVMGetParam(f, 6));
    results_from(&w, LLVMGetParam(f, 7));
    finish(&w);
  }
  if (a->density.fn) {
    LLVMTypeRef t[] = {e->ptr, e->ptr, e->ptr, e->ptr};
    LV f = open(a, "score", e->i32, 4, t);
    wrapper w = begin(a, &a->density, LLVMGetParam(f, 1), LLVMGetParam(f, 2));
    parameters_from(&w, IR_ROLE_LATENT, LLVMGetParam(f, 3));
    for (uint32_t k = 0; k < a->density.fn->nret; k++) entry_set(a, w.out, k, cg_gep(e, LLVMGetParam(f, 4), cg_int(e, k)));
    finish(&w);
  }
}

void cg_ahead_emit(E *e, const cg_ahead *spec) {
  A *a = ARENA_NEW(e->mem, A);
  *a = (A){.e = e, .spec = spec};
  e->group = NULL;
  a->prepare = plan_of(a, "prepare");
  a->grad = plan_of(a, "grad");
  a->constrain = plan_of(a, "constrain");
  a->prior = plan_of(a, "prior");
  a->outputs = plan_of(a, "outputs");
  a->density = plan_of(a, "density");
  a->recover = plan_of(a, "recover");
  emit_sizes(a);
  emit_prepare(a);
  if (a->grad.fn) emit_density(a);
  emit_draws(a);
}
