/* emit_module.c: the module around the functions, and its way through LLVM. */
#include "codegen/emit_internal.h"

#include "compiler/ir_uses.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdlib.h>
#include <string.h>

/* Called by the code that LLVM makes, by these names. */
static bool is_routine(LV f) {
  const char *name = LLVMGetValueName(f);
  return strcmp(name, "memcpy") == 0 || strcmp(name, "memset") == 0 || strcmp(name, "fma") == 0;
}

static bool has_prefix(const char *name, const char *prefix) {
  const size_t n = strlen(prefix);
  return strncmp(name, prefix, n) == 0 && name[n] == '_';
}

/* What stays visible in an object: for the engine the functions and the routines; for a C host the wrappers, and routines are its own. */
static bool is_visible(E *e, LV f, const cg_target *target) {
  const char *name = LLVMGetValueName(f);
  if (e->ahead) return LLVMGetVisibility(f) == LLVMDefaultVisibility && has_prefix(name, e->ahead->prefix);
  if (!is_routine(f) || (strcmp(name, "fma") == 0 && target->has_fma)) return strncmp(name, "aim_fn_", 7) == 0;
  LLVMSetVisibility(f, LLVMHiddenVisibility);
  return true;
}

/* Attributes of the machine that the bitcode was compiled on must not become those of the object. */
static void strip(E *e, const cg_target *target) {
  for (LV f = LLVMGetFirstFunction(e->mod); f; f = LLVMGetNextFunction(f)) {
    if (LLVMIsDeclaration(f)) continue;
    static const char *const names[] = {"target-cpu", "target-features", "tune-cpu", "no-builtins", "min-legal-vector-width"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
      LLVMRemoveStringAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, names[k], (unsigned)strlen(names[k]));
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateStringAttribute(e->cx, "no-builtins", 11, "", 0));
    if (target->width) {
      char w[16];
      int n = 0;
      for (int d = 1000, started = 0; d; d /= 10) if (target->width / d % 10 || started) w[n++] = (char)('0' + target->width / d % 10), started = 1;
      LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateStringAttribute(e->cx, "prefer-vector-width", 19, w, (unsigned)n));
    }
    LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(e->cx, LLVMGetEnumAttributeKindForName("nounwind", 8), 0));
    LLVMSetUnnamedAddress(f, LLVMGlobalUnnamedAddr);
    if (is_visible(e, f, target)) continue;
    bool of_host = e->ahead && is_routine(f) && LLVMGetValueName(f)[0] == 'm';
    LLVMSetLinkage(f, of_host ? LLVMAvailableExternallyLinkage : LLVMInternalLinkage);
  }
  for (LV g = LLVMGetFirstGlobal(e->mod); g && e->ahead; g = LLVMGetNextGlobal(g))
    if (!LLVMIsDeclaration(g)) LLVMSetLinkage(g, LLVMInternalLinkage);
}

/* Without the instruction LLVM would call libm's fma; the one of support.c stands in under a name of its own. */
static void own_fma(E *e) {
  LV own = LLVMGetNamedFunction(e->mod, "fma"), intrinsic = LLVMGetNamedFunction(e->mod, "llvm.fma.f64");
  if (!own) return;
  LLVMSetValueName2(own, "cg_own_fma", 10);
  LLVMSetLinkage(own, LLVMInternalLinkage);
  if (intrinsic) LLVMReplaceAllUsesWith(intrinsic, own);
}

/* Routines that nothing can call in the end: LLVM makes such a call of an intrinsic only. */
static void drop_routines(E *e) {
  static const struct {
    const char *name, *intrinsic[3];
  } routine[] = {{"memcpy", {"llvm.memcpy.", "llvm.memmove."}}, {"memset", {"llvm.memset."}}, {"fma", {"llvm.fma."}}};
  for (size_t k = 0; k < sizeof routine / sizeof *routine; k++) {
    LV f = LLVMGetNamedFunction(e->mod, routine[k].name);
    bool wanted = !f || LLVMGetFirstUse(f);
    for (LV g = LLVMGetFirstFunction(e->mod); g && !wanted; g = LLVMGetNextFunction(g))
      for (const char *const *i = routine[k].intrinsic; *i; i++)
        wanted |= strncmp(LLVMGetValueName(g), *i, strlen(*i)) == 0 && LLVMGetFirstUse(g);
    if (!wanted) LLVMDeleteFunction(f);
  }
}

static void diagnose(LLVMDiagnosticInfoRef d, void *user) {
  E *e = user;
  if (LLVMGetDiagInfoSeverity(d) != LLVMDSError || e->error) return;
  char *text = LLVMGetDiagInfoDescription(d);
  e->error = arena_printf(e->mem, "%s", text);
  LLVMDisposeMessage(text);
}

static void add_meta(E *e) {
  LV text = LLVMConstStringInContext(e->cx, e->meta.s, (unsigned)e->meta.n, 0);
  LV g = LLVMAddGlobal(e->mod, LLVMTypeOf(text), "aim_meta");
  LLVMSetInitializer(g, text);
  LLVMSetGlobalConstant(g, 1);
  LLVMSetVisibility(g, LLVMHiddenVisibility);
}

static void make_groups(E *e);

/* What the emission leaves to do: inlining, values out of memory, the vectors of loops that ask for them, and cleaning up before and
 * after.  Loops come rotated and with their invariants outside, so that the pipelines of compilers would spend most of their time
 * on finding nothing. */
#define CLEAN "sroa<modify-cfg>,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,loop-mssa(licm<allowspeculation>)"
static const char passes[] = "always-inline,globaldce,function(" CLEAN ",loop-simplify,lcssa,loop-vectorize<vectorize-forced-only;interleave-forced-only>,simplifycfg,loop(loop-unroll-full)," CLEAN ",simplifycfg)";

/* Of the code generator: addresses in these loops are a base and an index as they stand, invariants are outside, and common subexpressions
 * and the order of operations have been seen to before. */
static const char *const options[] = {"aim-cc", "-disable-lsr", "-disable-machine-licm", "-disable-machine-cse", "-enable-misched=false"};

/* Functions are read when they are linked, and linked when something calls them. */
static LLVMModuleRef bitcode(E *e, const void *bytes, size_t n, const char *triple, LLVMTargetDataRef layout) {
  LLVMModuleRef m;
  LLVMMemoryBufferRef bc = LLVMCreateMemoryBufferWithMemoryRange(bytes, n, "support", 0);
  if (LLVMGetBitcodeModuleInContext2(e->cx, bc, &m)) cg_fail(e, "the support code is damaged");
  for (LV f = LLVMGetFirstFunction(m); f; f = LLVMGetNextFunction(f))
    if (!LLVMIsDeclaration(f) && !is_routine(f)) LLVMSetLinkage(f, LLVMLinkOnceODRLinkage);
  LLVMSetTarget(m, triple);
  LLVMSetModuleDataLayout(m, layout);
  return m;
}

static const char *emit_all(E *e, const cg_target *target, const void *support, size_t nsupport, char **object, size_t *nobject, char **text) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMParseCommandLineOptions(sizeof options / sizeof *options, options, "");
  const char *triple = "x86_64-pc-linux-gnu";
  LLVMTargetRef t;
  char *message = NULL;
  if (LLVMGetTargetFromTriple(triple, &t, &message)) cg_fail(e, "LLVM has no x86-64 back end");
  const bool native = strcmp(target->cpu, "native") == 0;
  LLVMTargetMachineRef tm = LLVMCreateTargetMachine(t, triple, native ? LLVMGetHostCPUName() : target->cpu, native ? LLVMGetHostCPUFeatures() : "", LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
  LLVMSetTarget(e->mod, triple);
  LLVMSetModuleDataLayout(e->mod, layout);
  e->support = bitcode(e, support, nsupport, triple, layout);
  if (e->ahead) e->services = bitcode(e, e->ahead->services, e->ahead->nservices, triple, layout);
  make_groups(e);
  for (uint32_t k = 0; k < e->m->nfns; k++) cg_emit_fn(e, e->m->fn[k], k);
  if (e->ahead) cg_ahead_emit(e, e->ahead);
  else add_meta(e);
  if (e->ahead && LLVMLinkModules2(e->mod, e->services)) cg_fail(e, "the services do not link");
  if (LLVMLinkModules2(e->mod, e->support)) cg_fail(e, "the support code does not link");
  LV used = LLVMGetNamedGlobal(e->mod, "llvm.compiler.used");
  if (used) LLVMDeleteGlobal(used);
  strip(e, target);
  if (e->ahead && !target->has_fma) own_fma(e);
  if (LLVMVerifyModule(e->mod, LLVMReturnStatusAction, &message)) {
    if (text) *text = LLVMPrintModuleToString(e->mod);
    cg_fail(e, arena_printf(e->mem, "LLVM rejects the code: %.300s", message));
  }
  LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
  LLVMPassBuilderOptionsSetLoopVectorization(o, 1);
  LLVMPassBuilderOptionsSetSLPVectorization(o, 1);
  LLVMPassBuilderOptionsSetLoopInterleaving(o, 1);
  LLVMPassBuilderOptionsSetLoopUnrolling(o, 1);
  LLVMErrorRef failed = LLVMRunPasses(e->mod, passes, tm, o);
  if (failed) cg_fail(e, "LLVM's passes failed");
  LLVMDisposePassBuilderOptions(o);
  if (!e->ahead) drop_routines(e);
  cg_cut_long_blocks(e);
  if (text) *text = LLVMPrintModuleToString(e->mod);
  LLVMMemoryBufferRef out;
  if (LLVMTargetMachineEmitToMemoryBuffer(tm, e->mod, LLVMObjectFile, &message, &out)) cg_fail(e, arena_printf(e->mem, "%.300s", message));
  if (e->error) return e->error;
  *nobject = LLVMGetBufferSize(out);
  *object = malloc(*nobject);
  if (!*object) cg_fail(e, "no memory");
  memcpy(*object, LLVMGetBufferStart(out), *nobject);
  LLVMDisposeMemoryBuffer(out);
  LLVMDisposeTargetData(layout);
  LLVMDisposeTargetMachine(tm);
  return NULL;
}

static uint32_t plates_of(const ir_block *b) {
  uint32_t n = 0;
  for (const ir_op *op = b->first; op; op = op->next) {
    if (ir_is_loop(op)) n += 1 + plates_of(&op->u.loop->body);
    else if (op->code == IR_IF_OP) n += plates_of(&op->u.branch->then_) + plates_of(&op->u.branch->else_);
  }
  return n;
}
static uint32_t plates(const ir_module *m) {
  uint32_t n = 0;
  for (uint32_t k = 0; k < m->nfns; k++) n += plates_of(&m->fn[k]->body);
  return n;
}

/* Access groups are distinct nodes, which the C API makes only by reading text. */
static void make_groups(E *e) {
  uint32_t n = 8 * plates(e->m) + 64; /* a loop may be emitted more than once */
  strbuf s;
  strbuf_init(&s, e->mem);
  strbuf_puts(&s, "!aim.groups = !{");
  for (uint32_t k = 0; k < n; k++) strbuf_printf(&s, "%s!%u", k ? ", " : "", k);
  strbuf_puts(&s, "}\n");
  for (uint32_t k = 0; k < n; k++) strbuf_printf(&s, "!%u = distinct !{}\n", k);
  LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(s.s, s.n, "groups");
  LLVMModuleRef mod;
  char *message = NULL;
  if (LLVMParseIRInContext(e->cx, text, &mod, &message)) cg_fail(e, "access groups cannot be made");
  e->groups = ARENA_ARRAY(e->mem, LV, n);
  LLVMGetNamedMetadataOperands(mod, "aim.groups", e->groups);
  e->ngroups = n;
}

const char *cg_emit(ir_module *m, const cg_target *target, const cg_ahead *ahead, const void *support, size_t nsupport, char **object, size_t *nobject,
                    char **text) {
  E *e = ARENA_NEW(m->mem, E);
  e->m = m;
  e->ahead = ahead;
  e->mem = m->mem;
  e->cx = LLVMContextCreate();
  e->mod = LLVMModuleCreateWithNameInContext("aim", e->cx);
  e->b = LLVMCreateBuilderInContext(e->cx);
  e->entry = LLVMCreateBuilderInContext(e->cx);
  e->f64 = LLVMDoubleTypeInContext(e->cx);
  e->i64 = LLVMInt64TypeInContext(e->cx);
  e->i32 = LLVMInt32TypeInContext(e->cx);
  e->i1 = LLVMInt1TypeInContext(e->cx);
  e->ptr = LLVMPointerTypeInContext(e->cx, 0);
  e->vd = LLVMVoidTypeInContext(e->cx);
  e->lanes = target->width >= 128 ? target->width / 64 : 2;
  e->masks = target->width >= 256;
  e->kind_group = LLVMGetMDKindIDInContext(e->cx, "llvm.access.group", 17);
  e->kind_loop = LLVMGetMDKindIDInContext(e->cx, "llvm.loop", 9);
  e->kind_invariant = LLVMGetMDKindIDInContext(e->cx, "invariant.load", 14);
  strbuf_init(&e->meta, e->mem);
  LLVMContextSetDiagnosticHandler(e->cx, diagnose, e);
  if (setjmp(e->fail) == 0) {
    const char *wrong = emit_all(e, target, support, nsupport, object, nobject, text);
    if (wrong) e->error = wrong;
  }
  LLVMDisposeBuilder(e->b);
  LLVMDisposeBuilder(e->entry);
  return e->error;
}
