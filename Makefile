# AIM. `make demo` installs what is missing, builds, and runs eight schools; `make test` does the same and passes the tests.
#
#   all  demo  test  bench  fuzz  lint  install  deps  clean
#   B=dir         build directory (default build)
#   SAN=address,undefined | thread     sanitizer build, in its own directory
#   CC=gcc|clang-19

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
comma   := ,
B       ?= build$(if $(SAN),-$(subst $(comma),-,$(SAN)))
PREFIX  ?= /usr/local
VERSION := 0.1.0

WARN    := -std=c11 -Wall -Wextra -Wno-missing-field-initializers
SANF    := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CFLAGS  ?= -O2 -g
# One numeric mode for every object: no contraction, so that fma happens where it is written and nowhere else.
NUMERIC := -ffp-contract=off -fno-math-errno -fno-trapping-math
BASE    := $(WARN) $(CFLAGS) $(SANF) $(NUMERIC) -fPIC -fvisibility=hidden -D_GNU_SOURCE -DAIM_VERSION='"$(VERSION)"' -I. -I$B -pthread
JANSSON  = $(shell pkg-config --libs jansson)
LIBS     = $(JANSSON) -lm -ldl -pthread

.DEFAULT_GOAL := all
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:

include build.mk
