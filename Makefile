# AIM.  `make demo` installs what is missing, builds, and runs eight schools; `make test` does the same and passes the tests.
#
#   all          the command $B/aimc and the library $B/libaim.a
#   demo         Rubin's eight schools: examples/eight_schools.aim
#   test         every test and lint; the last line is `N passed, N failed`
#   test-update  rewrites golden files; review the diff
#   test-X       one program, tests/unit/test_X.c
#   posteriordb  draws for the reference posteriors, each checked; and that engines, levels and threads agree (minutes)
#   gset         maximum cuts of the Gset graphs in GSET=dir (../shared/ising/gset) against the best known (minutes)
#   bench        every benchmark into $B/bench.json; BENCH=pattern for a part
#   kills        kill -9 at 20 random points and --resume, for every method that can be resumed: the draws are those of runs that nothing interrupted
#   fuzz         every target of tests/fuzz for FUZZ_SECONDS (60), with clang-19
#   docs         docs/stdlib.md from the comments of the library
#   lint         rules of the house that a grep or nm can check
#   install      command, library, headers and aim.pc below DESTDIR and PREFIX
#   deps         installs the Debian packages that are missing; those of machine code where they can be had; deps-fuzz those of fuzz
#   clean        removes this configuration's build directory
#
#   B=dir                            build directory (default build)
#   LLVM=0                           leaves machine code out: the interpreter runs every model
#   SAN=address,undefined | thread   sanitizer build, in a directory of its own
#   CC=gcc | clang-19                compiler
#   WERROR=1                         warnings are errors
#   V=1                              shows commands in full
#   JOBS=n                           how much runs at a time (default: the number of processors)

ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
comma   := ,
B       ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
VERSION := 0.1.0

WARN    := -std=c11 -Wall -Wextra -Wno-missing-field-initializers $(if $(WERROR),-Werror)
SANF    := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CFLAGS  ?= -O2 -g
# One numeric mode for every object: no contraction, so that fma happens where it is written and nowhere else.
NUMERIC := -ffp-contract=off -fno-math-errno -fno-trapping-math
# Asserts stand in sanitizer builds only: a library never aborts its host.
BASE    := $(WARN) $(CFLAGS) $(SANF) $(NUMERIC) -fPIC -fvisibility=hidden -D_GNU_SOURCE $(if $(SAN),,-DNDEBUG) -DAIM_VERSION='"$(VERSION)"' -I. -I$B -pthread
# Evaluated when something is linked, so that a machine without pkg-config gets as far as `deps`.
JANSSON  = $(shell pkg-config --libs jansson)
LIBS     = $(JANSSON) -lm -pthread

DEPS      := gcc libc6-dev make git pkg-config re2c lemon libjansson-dev
DEPS_TEST := libcmocka-dev libmpfr-dev
# Loaded when a NetCDF file is read or written, never linked; tests of such files are skipped without it.
DEPS_NETCDF := libnetcdf-dev
# For machine code, on x86-64.  Where they cannot be had the build is without it.
DEPS_JIT  := $(if $(and $(filter-out 0,$(or $(LLVM),1)),$(filter x86_64 amd64,$(shell uname -m))),llvm-19-dev clang-19 libxxhash-dev)
DEPS_FUZZ := clang-19 libclang-rt-19-dev

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.PHONY: all demo test test-update posteriordb gset bench kills fuzz docs lint install deps deps-test deps-fuzz clean

include build.mk

all: $B/aimc $B/libaim.a $(if $(JIT),$B/aim-cc)

# A goal that may first have to install its tools builds in a second make, which starts when they are there.  It brings its own
# number of jobs unless -j was given.
SUBMAKE = +$(MAKE) --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))

demo: deps
	$(SUBMAKE) all
	$B/aimc run examples/eight_schools.aim

test: deps-test
	$(SUBMAKE) all test-programs
	$(Q)B=$B JOBS=$(JOBS) CC="$(CC)" SAN="$(SAN)" sh tests/run_all.sh $(TEST_JOBS)

test-update: deps-test
	$(SUBMAKE) all test-programs
	UPDATE=1 B=$B JOBS=$(JOBS) CC="$(CC)" SAN="$(SAN)" sh tests/run_all.sh $(TEST_JOBS)

posteriordb: deps
	$(SUBMAKE) all $B/check_posterior
	B=$B sh tests/posteriors/run.sh
	B=$B sh tests/posteriors/same_bits.sh

gset: deps
	$(SUBMAKE) all
	B=$B $(if $(GSET),GSET=$(GSET)) sh tests/gset/run.sh

bench: deps
	$(SUBMAKE) all $B/bench/bench $B/bench/empty $B/bench/launch $B/check_posterior
	$B/bench/bench -b $B -c "$$(git describe --always --dirty 2>/dev/null || echo unknown)" '$(BENCH)'

kills: deps
	$(SUBMAKE) all
	AIM_RESUME_KILLS=20 B=$B sh tests/cli/run.sh resume_after_kill

# A build directory of its own: every object is compiled with the fuzzer's counters.
fuzz: deps-fuzz
	$(SUBMAKE) B=$B-fuzz CC=clang-19 SAN=address,undefined FUZZ=1 fuzz-programs
	sh tests/fuzz/run.sh $B-fuzz $B/fuzz $(or $(FUZZ_SECONDS),60) $(FUZZ_ONLY)

docs:
	sh stdlib/reference.sh > docs/stdlib.md

lint: deps
	$(SUBMAKE) all
	B=$B sh tests/lint.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $B/aimc $(DESTDIR)$(PREFIX)/bin/aimc
	$(if $(JIT),install -m 755 $B/aim-cc $(DESTDIR)$(PREFIX)/bin/aim-cc)
	install -m 644 $B/libaim.a $(DESTDIR)$(PREFIX)/lib/libaim.a
	install -m 644 vm/aim.h $(if $(JIT),codegen/aim_jit.h) $(DESTDIR)$(PREFIX)/include
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' $(if $(JIT),'aim_cc=$${prefix}/bin/aim-cc') '' 'Name: AIM' \
	  'Description: generative models, from text to posterior draws' 'Version: $(VERSION)' 'Requires.private: jansson' \
	  'Libs: -L$${libdir} -laim' 'Libs.private: -lm -pthread' 'Cflags: -I$${includedir}' \
	  > $(DESTDIR)$(PREFIX)/lib/pkgconfig/aim.pc

deps:
	@sh .ci/deps $(DEPS)
	@$(if $(DEPS_JIT),sh .ci/deps --optional "No machine code here: the interpreter runs every model (LLVM=0 does not ask again)" $(DEPS_JIT))
deps-test: deps
	@sh .ci/deps $(DEPS) $(DEPS_TEST)
	@sh .ci/deps --optional "Tests of NetCDF files are skipped" $(DEPS_NETCDF)
deps-fuzz:
	@sh .ci/deps $(DEPS) $(DEPS_FUZZ)

clean:
	rm -rf $B
