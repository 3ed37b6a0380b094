#!/bin/sh
# What `make install` installs is enough: the C programs of README.md and examples/ compile against it, with strict warnings, and run; a host that
# plugs machine code in gets the same bits; the headers are C++ too where there is a C++ compiler; a host may have names of its own that the library uses inside.  Reads $B.
set -u
B=${B:-build}
CC=${CC:-gcc}
passed=0 failed=0 skipped=0
stage=$PWD/$B/stage
rm -rf "$stage"

ok() { passed=$((passed + 1)); }
bad() { echo "install: $1"; failed=$((failed + 1)); }

if [ -n "${SAN:-}" ]; then
  echo "0 passed, 0 failed, 6 skipped"
  exit 0
fi

# MAKEFLAGS are those of the make that runs this, which is none of the inner one's business.
if env -u MAKEFLAGS -u MFLAGS make -s B="$B" CC="$CC" DESTDIR="$stage" PREFIX=/usr install >"$B/stage.log" 2>&1; then
  files=$(cd "$stage" && find . -type f | sort | tr '\n' ' ')
  jit= jit_header=
  [ -f "$B/aim-cc" ] && jit="./usr/bin/aim-cc " jit_header=" ./usr/include/aim_jit.h"
  want="$jit./usr/bin/aimc ./usr/include/aim.h$jit_header ./usr/lib/libaim.a ./usr/lib/pkgconfig/aim.pc "
  if [ "$files" = "$want" ]; then ok; else bad "installed are $files"; fi
else
  bad "make install fails"
  tail -n 20 "$B/stage.log"
fi

flags=$(PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
  pkg-config --static --cflags --libs aim)

awk '/^```c$/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$B/stage.c"
# shellcheck disable=SC2086
if $CC -std=c11 -Wall -Wextra -Werror -pedantic -o "$B/stage-host" "$B/stage.c" $flags && said=$("$B/stage-host"); then
  case $said in
    "p is 0.6"[0-9]", give or take 0.1"[0-9]) ok ;;
    *) bad "the program of README.md says: $said" ;;
  esac
else
  bad "the program of README.md does not compile and run"
fi

for program in examples/*.c; do
  # shellcheck disable=SC2086
  if $CC -std=c11 -Wall -Wextra -Werror -pedantic -o "$B/stage-example" "$program" $flags && "$B/stage-example" >"$B/stage-example.log" 2>&1; then
    ok
  else
    bad "$program does not compile and run"
  fi
done

# Machine code in a host: the compiler is where aim.pc says.
if [ -f "$B/aim-cc" ]; then
  compiler=$(PKG_CONFIG_SYSROOT_DIR= PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig pkg-config --variable=aim_cc aim)
  rm -rf "$B/stage-jit" && mkdir -p "$B/stage-jit"
  # shellcheck disable=SC2086
  if $CC -std=c11 -Wall -Wextra -Werror -pedantic -o "$B/stage-host" tests/embed/jit.c $flags &&
    said=$("$B/stage-host" "$stage$compiler" examples/eight_schools.aim examples/eight_schools.json "$B/stage-jit"); then
    if [ "$said" = "the same bits" ]; then ok; else bad "tests/embed/jit.c says: $said"; fi
  else
    bad "tests/embed/jit.c does not compile and run"
  fi
else
  skipped=$((skipped + 1))
fi

# Names that the library uses inside, with another meaning.
cat >"$B/stage-names.c" <<'END'
#include <aim.h>
#include <stdio.h>
int lex_next, arena_alloc, ir_print, vm_run, size_add, intern, draws_init, parse_file, diag_add, rt_exp;
int main(void) { return puts(aim_version()) < 0; }
END
# shellcheck disable=SC2086
if $CC -o "$B/stage-names" "$B/stage-names.c" $flags && "$B/stage-names" >/dev/null; then ok; else bad "a host's names clash with the library's"; fi

if command -v g++ >/dev/null 2>&1; then
  echo '#include <aim.h>
int main() { return aim_version() == nullptr; }' >"$B/stage-cxx.cc"
  [ -f "$B/aim-cc" ] && sed -i 's/.*aim.h.*/&\n#include <aim_jit.h>/' "$B/stage-cxx.cc"
  # shellcheck disable=SC2086
  if g++ -Wall -Wextra -Werror -pedantic -o "$B/stage-cxx" "$B/stage-cxx.cc" $flags && "$B/stage-cxx"; then ok; else bad "aim.h is not C++"; fi
else
  skipped=$((skipped + 1))
fi

if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ $failed -eq 0 ]
