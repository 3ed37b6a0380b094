/* request.c: the request to aim-cc (request.h, aim_cc.c). */
#include "codegen/request.h"

#include "codegen/abi.h"
#include "codegen/build_id.h"
#include "compiler/contract.h"
#include "stdlib/runtime/rt_kernels.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { STATIC_MOST = 64 };

/* What tells a processor from another one, for a cache that several machines may share: model, and features without what differs
 * among the cores of one. */
static void write_processor(strbuf *out) {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  strbuf_puts(out, "host");
  if (__get_cpuid(1, &a, &b, &c, &d)) strbuf_printf(out, " %x %x %x", a, c, d);
  for (unsigned leaf = 0; leaf < 2; leaf++)
    if (__get_cpuid_count(7, leaf, &a, &b, &c, &d)) strbuf_printf(out, " %x %x %x %x", a, b, c, d);
  if (__get_cpuid(0x80000001u, &a, &b, &c, &d)) strbuf_printf(out, " %x %x", c, d);
  strbuf_putc(out, '\n');
#else
  (void)out;
#endif
}

void request_begin(strbuf *out, int isa) {
  const int level = isa == EXEC_ISA_NATIVE ? rt_isa_best() : isa;
  strbuf_printf(out, "aim-cc %d %s\n", CG_ABI, JIT_BUILD);
  if (isa == EXEC_ISA_NATIVE) {
    strbuf_puts(out, "cpu native\n");
    write_processor(out);
  } else {
    strbuf_printf(out, "cpu x86-64-v%d\n", level);
  }
  strbuf_printf(out, "width %d\nfma %d\n", level >= 4 ? 512 : level == 3 ? 256 : 0, level >= 3);
}

static bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80; }

static bool mentions(const char *text, const char *name) {
  size_t n = strlen(name);
  for (const char *at = text; (at = strstr(at, name)); at += n)
    if ((at == text || !is_word(at[-1])) && !is_word(at[n])) return true;
  return false;
}

void request_write(strbuf *out, const ir_module *m, int isa, request_filter *wanted, const void *user) {
  strbuf fns;
  strbuf_init(&fns, out->a);
  for (uint32_t k = 0; k < m->nfns; k++) if (wanted(user, m->fn[k])) ir_print_fn(m->fn[k], &fns);
  request_begin(out, isa == EXEC_ISA_NATIVE ? isa : rt_kernels_for(isa)->level);
  for (size_t k = 0; k < size_symbol_count(m->sizes); k++) {
    const char *name;
    ir_size symbol = size_symbol_at(m->sizes, k);
    int64_t n;
    if (size_is_symbol(m->sizes, symbol, &name) && size_value(m->sizes, symbol, &n) && n <= STATIC_MOST && n >= -STATIC_MOST && mentions(fns.s, name))
      strbuf_printf(out, "bind %s %lld\n", name, (long long)n);
  }
  strbuf_puts(out, "ir\n");
  strbuf_put(out, fns.s, fns.n);
}
