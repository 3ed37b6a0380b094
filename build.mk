# build.mk: how objects, libraries, tools and tests are made from the folders.  Goals stand in the Makefile.

# One short line for each command, or with V=1 the command itself.
Q   := $(if $(V),,@)
say  = @$(if $(V),:,printf '  %-5s %s\n' $(1) $@)

ifdef FUZZ
BASE += -fsanitize=fuzzer-no-link
endif

# --- objects depend on how they are compiled: other flags compile them again.
# What they are compared with is fixed here: a prerequisite inherits the flags that its target adds to BASE.
FLAGS := $B/flags
FLAGS_NOW := $(subst ','\'',$(CC) $(filter-out -Werror,$(BASE)))
$(FLAGS): FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_NOW)' | cmp -s - $@ || echo '$(FLAGS_NOW)' > $@
FORCE:
.PHONY: FORCE

# --- stdlib/runtime: portable C.  Files named rt_isa_*.c are compiled once for each instruction-set level, with the level's
# suffix on their exported names; the rest once, for the baseline.
ISA_SRC  := $(wildcard stdlib/runtime/rt_isa_*.c)
RT_SRC   := $(filter-out $(ISA_SRC),$(wildcard stdlib/runtime/*.c))
ISA_v2   := -march=x86-64-v2
ISA_v3   := -march=x86-64-v3
ISA_v4   := -march=x86-64-v4 -mprefer-vector-width=512
ISA_generic :=
LEVELS   := $(if $(filter x86_64 amd64,$(shell uname -m)),v2 v3 v4,generic)
RT_OBJ   := $(RT_SRC:%.c=$B/%.o) $(foreach v,$(LEVELS),$(ISA_SRC:%.c=$B/%.$v.o))

$B/stdlib/runtime/%.o: stdlib/runtime/%.c $(FLAGS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -O3 -MMD -MP -c $< -o $@
define isa_rule
$B/stdlib/runtime/%.$(1).o: stdlib/runtime/%.c $$(FLAGS)
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(Q)$$(CC) $$(BASE) -O3 $$(ISA_$(1)) -Wno-psabi -DRT_ISA=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach v,$(LEVELS),$(eval $(call isa_rule,$v)))

# --- lang: lexer and parser are generated into the build directory.
LANG_SRC := $(wildcard lang/*.c)
LANG_OBJ := $(LANG_SRC:%.c=$B/%.o) $B/lang/lexer.o $B/lang/grammar.o
LEMON_TEMPLATE := /usr/share/lemon/lempar.c

$B/lang/lexer.c: lang/lexer.re
	@mkdir -p $(@D)
	$(call say,RE2C)
	$(Q)re2c -W -Werror -i -8 --input-encoding utf8 --no-generation-date -o $@ $<
$B/lang/grammar.c: lang/grammar.y
	@mkdir -p $(@D)
	$(call say,LEMON)
	$(Q)cp $< $B/lang/grammar.y && cd $B/lang && lemon -q -T$(LEMON_TEMPLATE) grammar.y
# Written with grammar.c.  A rule without a recipe would leave its time to be looked at before lemon has run.
$B/lang/grammar.h: $B/lang/grammar.c ;
$B/lang/lexer.o: $B/lang/lexer.c $B/lang/grammar.h $(FLAGS)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -MMD -MP -c $< -o $@
$B/lang/grammar.o: $B/lang/grammar.c $(FLAGS)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -Wno-unused-parameter -Wno-unused-variable -MMD -MP -c $< -o $@

# --- the prelude and the modules of the library are embedded as bytes.
PRELUDE  := $(sort $(wildcard stdlib/prelude/*.aim))
MODULES  := $(sort $(wildcard stdlib/*.aim))
STD_OBJ  := $B/stdlib/prelude.o
$B/stdlib/prelude.c: $(PRELUDE) $(MODULES) stdlib/embed.sh
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)sh stdlib/embed.sh $(PRELUDE) -- $(MODULES) > $@
$B/stdlib/prelude.o: $B/stdlib/prelude.c $(FLAGS)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -MMD -MP -c $< -o $@

COMPILER_OBJ := $(patsubst %.c,$B/%.o,$(wildcard compiler/*.c))
VM_OBJ       := $(patsubst %.c,$B/%.o,$(wildcard vm/*.c))
# $B/aimc is the command, so its objects lie elsewhere.
AIMC_OBJ     := $(patsubst %.c,$B/obj/%.o,$(wildcard aimc/*.c))
$B/obj/aimc/roofline.o: BASE += -O3
$B/obj/aimc/%.o: aimc/%.c $(FLAGS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -MMD -MP -c $< -o $@

$B/%.o: %.c $(FLAGS) | $B/lang/grammar.h
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -MMD -MP -c $< -o $@

# --- one archive for each folder, which the command and the tests link.
define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^
endef
$B/librt.a: $(RT_OBJ)
	$(archive)
$B/liblang.a: $(LANG_OBJ)
	$(archive)
$B/libcompiler.a: $(COMPILER_OBJ) $(STD_OBJ)
	$(archive)
$B/libvm.a: $(VM_OBJ)
	$(archive)
lib-rt: $B/librt.a
lib-lang: $B/liblang.a
lib-compiler: $B/libcompiler.a
lib-vm: $B/libvm.a
.PHONY: lib-rt lib-lang lib-compiler lib-vm
ALL_PARTS := $B/libvm.a $B/libcompiler.a $B/liblang.a $B/librt.a

# --- codegen: where LLVM 19 is there, on x86-64, and LLVM is not 0.  aim-cc alone links it; the command gets the engine.
LLVM_CONFIG ?= llvm-config-19
JIT_CLANG   ?= clang-19
JIT := $(and $(filter-out 0,$(or $(LLVM),1)),$(filter x86_64 amd64,$(shell uname -m)),$(if $(FUZZ),,yes),$(shell command -v $(LLVM_CONFIG)),$(shell command -v $(JIT_CLANG)),$(wildcard /usr/include/xxhash.h))
ifneq ($(JIT),)
JIT_CC_SRC  := $(wildcard codegen/emit*.c) codegen/aim_cc.c
JIT_CC_OBJ  := $(JIT_CC_SRC:%.c=$B/%.o) $B/codegen/support_bytes.o $B/codegen/services_bytes.o
CODEGEN_OBJ := $(patsubst %.c,$B/%.o,$(filter-out $(JIT_CC_SRC) codegen/support.c codegen/ahead_support.c codegen/services.c,$(wildcard codegen/*.c))) $(LEVELS:%=$B/codegen/services.%.o)
define service_rule
$B/codegen/services.$(1).o: codegen/services.c $$(FLAGS)
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(Q)$$(CC) $$(BASE) -O3 $$(ISA_$(1)) -Wno-psabi -DRT_ISA=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach v,$(LEVELS),$(eval $(call service_rule,$v)))
LLVM_CFLAGS := $(patsubst -I%,-isystem %,$(filter -I%,$(shell $(LLVM_CONFIG) --cflags)))
$(JIT_CC_SRC:%.c=$B/%.o): BASE += $(LLVM_CFLAGS)
JIT_BITCODE := -std=c11 -O2 -fno-vectorize -fno-slp-vectorize -fno-math-errno -ffp-contract=off -fno-builtin -fno-strict-aliasing -I.
$B/codegen/support.bc: codegen/support.c $(FLAGS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(JIT_CLANG) $(JIT_BITCODE) -MMD -MP -MT $@ -MF $(@:.bc=.d) -emit-llvm -c $< -o $@
$B/codegen/support_bytes.o: codegen/support_bytes.S $B/codegen/support.bc
	$(call say,CC)
	$(Q)$(CC) -c -Wa,-I$B/codegen $< -o $@
# LLVM's archives where they are there: a process that maps libLLVM.so takes 13 ms to start, one that has what it needs inside 3.
# The libraries that the archives want are those that libLLVM.so runs with, so no development packages of theirs are needed.
LLVM_STATIC := $(wildcard $(shell $(LLVM_CONFIG) --libdir)/libLLVMX86CodeGen.a)
LLVM_LIBS   := $(shell $(LLVM_CONFIG) --ldflags $(if $(LLVM_STATIC),--link-static --libs x86codegen x86desc x86info passes bitreader irreader linker,--libs)) \
  $(if $(LLVM_STATIC),-no-pie -s -Wl$(comma)--gc-sections -Wl$(comma)--as-needed -l:libstdc++.so.6 -l:libz.so.1 -l:libzstd.so.1)
# What objects built ahead of time have inside: the services with the runtime's kernels of a level and its samplers, and
# codegen/ahead_support.c, as bitcode.
BITCODE_LINK := $(shell $(LLVM_CONFIG) --bindir)/llvm-link
SERVICES    := codegen/services.c codegen/ahead_support.c $(filter-out %_table.c %_choose.c %_draw.c %_nuts.c %_unary.c %_real.c %_int.c stdlib/runtime/rt_isa_spin%.c stdlib/runtime/rt_isa_potts%.c,$(ISA_SRC)) stdlib/runtime/rt_sample.c stdlib/runtime/rt_sum.c
define services_rules
$B/services/$(1)/%.bc: %.c $$(FLAGS)
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(Q)$$(JIT_CLANG) $$(JIT_BITCODE) $$(ISA_$(1)) -DRT_ISA=$(1) -DCG_AHEAD -MMD -MP -MT $$@ -MF $$(@:.bc=.d) -emit-llvm -c $$< -o $$@
$B/codegen/services_$(1).bc: $$(SERVICES:%.c=$B/services/$(1)/%.bc) build.mk
	$$(call say,LINK)
	$$(Q)$$(BITCODE_LINK) -o $$@ $$(filter %.bc,$$^)
endef
$(foreach v,v2 v3 v4,$(eval $(call services_rules,$v)))
$B/codegen/services_bytes.o: codegen/services_bytes.S $(foreach v,v2 v3 v4,$B/codegen/services_$v.bc)
	$(call say,CC)
	$(Q)$(CC) -c -Wa,-I$B/codegen $< -o $@
# What the cache is valid for: the sources of everything that shapes an object.
$B/codegen/build_id.h: $(wildcard codegen/*.[chS] compiler/ir*.[ch] compiler/size.[ch] stdlib/runtime/rt_*.h) build.mk
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)printf '#define JIT_BUILD "%s"\n' "$$({ $(LLVM_CONFIG) --version; $(JIT_CLANG) --version; cat $(sort $^); } | sha256sum | cut -c1-32)" > $@
$B/codegen/request.o $B/codegen/aim_cc.o: $B/codegen/build_id.h
$B/libcodegen.a: $(CODEGEN_OBJ)
	$(archive)
$B/aim-cc: $(JIT_CC_OBJ) $B/libcompiler.a $B/liblang.a $B/librt.a
	$(call say,LINK)
	$(Q)$(CC) $(BASE) -o $@ $^ $(LLVM_LIBS) -lm -pthread
$(AIMC_OBJ): BASE += -DAIM_JIT
lib-codegen: $B/libcodegen.a $B/aim-cc
.PHONY: lib-codegen
endif

# --- what is installed: one object in which only the names of aim.h are visible, so that a host's own names cannot clash.
# Where there is machine code, aim_jit.h's too; LLVM stays in aim-cc.
$B/libaim.a: $(VM_OBJ) $(if $(JIT),$(CODEGEN_OBJ)) $(COMPILER_OBJ) $(STD_OBJ) $(LANG_OBJ) $(RT_OBJ)
	$(call say,LD)
	$(Q)ld -r -o $B/libaim.o $^
	$(Q)objcopy --localize-hidden $B/libaim.o
	@rm -f $@
	$(Q)ar rcs $@ $B/libaim.o
$B/aimc: $(AIMC_OBJ) $(if $(JIT),$B/libcodegen.a) $(ALL_PARTS)
	$(call say,LINK)
	$(Q)$(CC) $(BASE) -o $@ $^ $(LIBS)

# --- what tests share: the generator of IR, the reference evaluator.  Programs with a main of their own are not in it.
TEST_OBJ := $(patsubst %.c,$B/%.o,$(filter-out tests/check_posterior.c,$(wildcard tests/*.c)))
$B/libtest.a: $(TEST_OBJ)
	$(archive)
lib-test: $B/libtest.a
.PHONY: lib-test

# --- tests: tests/unit/test_rt_*.c link the runtime alone, test_lang_*.c lang, test_compiler_*.c the compiler too, test_vm_*.c all
# archives, and test_aim_*.c the library as a host does.
PARTS_rt       := $B/librt.a
PARTS_lang     := $B/liblang.a
PARTS_compiler := $B/libtest.a $B/libcompiler.a $B/liblang.a $B/librt.a
PARTS_vm       := $B/libtest.a $(ALL_PARTS)
PARTS_aim      := $B/libaim.a
PARTS_codegen  := $B/libtest.a $(if $(JIT),$B/libcodegen.a) $(ALL_PARTS)
define test_rules
$B/tests/test_$(1)_%: tests/unit/test_$(1)_%.c $$(PARTS_$(1))
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(BASE) -MMD -MP -MT $$@ -MF $$@.d $$< -o $$@ $$(PARTS_$(1)) -lcmocka $$(if $$(filter rt vm,$(1)),-lmpfr -lgmp) $$(LIBS)
test-$(1)_%: $B/tests/test_$(1)_%
	$$<
endef
$(foreach p,rt lang compiler vm aim $(if $(JIT),codegen),$(eval $(call test_rules,$p)))
$(if $(JIT),$(patsubst tests/unit/%.c,$B/tests/%,$(wildcard tests/unit/test_codegen_*.c)): | $B/aim-cc)
$B/tests/test_vm_agents: | $B/aimc

TEST_PROGRAMS := $(patsubst tests/unit/%.c,$B/tests/%,$(filter-out $(if $(JIT),,tests/unit/test_codegen_%),$(wildcard tests/unit/test_*.c)))
TEST_SCRIPTS  := $(wildcard tests/lint.sh tests/docs.sh tests/install.sh tests/examples.sh tests/ahead/run.sh tests/posteriors/short.sh tests/cli/run.sh)
TEST_JOBS     := $(TEST_PROGRAMS) $(TEST_SCRIPTS)
test-programs: $(TEST_PROGRAMS) $B/check_posterior
.PHONY: test-programs

$B/check_posterior: tests/check_posterior.c
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(BASE) -MMD -MP -MT $@ -MF $@.d $< -o $@ $(LIBS)

# --- benchmarks.  What AIM is measured against may use what AIM does not allow itself.
BENCH_SRC := $(wildcard tests/bench/*.c)
BENCH_OBJ := $(patsubst %.c,$B/%.o,$(filter-out %/empty.c %/launch.c,$(BENCH_SRC)))
BASELINE_OBJ := $(filter $B/tests/bench/baseline%,$(BENCH_OBJ))
$(BASELINE_OBJ): $B/%.o: %.c $(FLAGS)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(WARN) -g -O3 -march=native -ffast-math -I. -MMD -MP -c $< -o $@
$(filter-out $(BASELINE_OBJ),$(BENCH_OBJ)): BASE += $(if $(JIT),-DAIM_JIT)
$B/bench/bench: $(BENCH_OBJ) $(if $(JIT),$B/libcodegen.a) $(ALL_PARTS)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(BASE) -o $@ $^ $(LIBS)
$B/bench/empty $B/bench/launch: $B/bench/%: tests/bench/%.c $(FLAGS)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(BASE) $< -o $@

# --- fuzz targets: built by the goal `fuzz` in its own directory.
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$B/%,$(wildcard tests/fuzz/fuzz_*.c))
# The loader is all of codegen/ that reads what others may have written, and needs no LLVM.
$B/fuzz_loader: $B/codegen/loader.o
$B/fuzz_%: tests/fuzz/fuzz_%.c $(ALL_PARTS)
	$(call say,LINK)
	$(Q)$(CC) $(BASE) -fsanitize=fuzzer -MMD -MP -MT $@ -MF $@.d $< -o $@ $(filter %.o,$^) $(ALL_PARTS) $(LIBS)
fuzz-programs: $(FUZZ_PROGRAMS)
.PHONY: fuzz-programs

DEPS_FILES := $(shell find $B -name '*.d' 2>/dev/null)
-include $(DEPS_FILES)
