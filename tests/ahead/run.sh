#!/bin/sh
# Objects of `aimc build`, in C hosts: each of tests/ahead/*.c compares one with the interpreter bit for bit, at every level that this
# machine runs; an object refers to nothing but memcpy and memset, exports its own functions alone, and two of them live in one program;
# what a header says compiles as strict C and as C++.  Reads $B.
set -u
B=${B:-build}
CC=${CC:-gcc}
here=tests/ahead
out=$B/ahead
passed=0 failed=0 skipped=0
ok() { passed=$((passed + 1)); }
bad() { echo "ahead: $1"; failed=$((failed + 1)); }
finish() { echo "$passed passed, $failed failed, $skipped skipped"; [ $failed -eq 0 ]; exit; }

rm -rf "$out"
mkdir -p "$out" || exit 2
if [ ! -x "$B/aim-cc" ]; then
  "$B/aimc" build $here/schools.aim -o "$out/schools" >"$out/log" 2>&1
  if [ $? -eq 1 ] && grep -q 'made without LLVM 19' "$out/log"; then ok; else bad "a build without LLVM does not say so"; fi
  skipped=1
  finish
fi

# What the objects are built with says nothing of the hosts' data but small extents.
make_data() {
  awk 'BEGIN {
    n = 100
    printf "{\"X\": ["; for (i = 0; i < n; i++) printf "%s[%g, 0.5, -1]", i ? ", " : "", i / n
    printf "], \"g\": ["; for (i = 0; i < n; i++) printf "%s%d", i ? ", " : "", 1 + i % 5
    printf "], \"y\": ["; for (i = 0; i < n; i++) printf "%s%d", i ? ", " : "", i % 2
    print "], \"G\": 5}" }' >"$out/logistic.json"
  awk 'BEGIN { n = 90; printf "{\"y\": ["; for (i = 0; i < n; i++) printf "%s%g", i ? ", " : "", sin(i); print "], \"sigma1\": 1}" }' >"$out/garch.json"
  awk 'BEGIN {
    n = 12
    printf "{\"x\": ["; for (i = 0; i < n; i++) printf "%s%g", i ? ", " : "", i
    printf "], \"k\": ["; for (i = 0; i < n; i++) printf "%s%d", i ? ", " : "", i % 3
    print "], \"P\": 4}" }' >"$out/counts.json"
  awk 'BEGIN {
    n = 90
    printf "{\"x\": ["; for (i = 0; i < n; i++) printf "%s%g", i ? ", " : "", sin(i)
    printf "], \"y\": ["; for (i = 0; i < n; i++) printf "%s%g", i ? ", " : "", cos(i)
    print "], \"K\": 3}" }' >"$out/summed.json"
  echo '{"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}' >"$out/schools.json"
}
make_data

LIBS="$(pkg-config --libs jansson) -lm -pthread"
SANF=${SAN:+-fsanitize=$SAN}
levels=v2
grep -q ' fma .*avx2' /proc/cpuinfo && levels="$levels v3"
grep -q avx512vl /proc/cpuinfo && levels="$levels v4"
for model in schools logistic garch counts summed; do
  runtime=
  [ $model = logistic ] && runtime="--runtime G"
  [ $model = counts ] && runtime="--runtime N"
  for level in $levels; do
    at=$out/$model.$level
    mkdir -p "$at"
    if ! "$B/aimc" build $here/$model.aim --data "$out/$model.json" $runtime --cpu x86-64-$level -o "$at/$model" >"$at/log" 2>&1; then
      bad "$model has no object for $level"
      cat "$at/log"
      continue
    fi
    nm -u "$at/$model.o" | awk '{ print $NF }' | grep -vx -e memcpy -e memset >"$at/undefined"
    if [ -s "$at/undefined" ]; then bad "$model.o ($level) wants $(tr '\n' ' ' <"$at/undefined")"; else ok; fi
    nm -g --defined-only "$at/$model.o" | awk '{ print $NF }' | grep -v "^${model}_" >"$at/exported"
    if [ -s "$at/exported" ]; then bad "$model.o ($level) exports $(tr '\n' ' ' <"$at/exported")"; else ok; fi
    if $CC -std=c11 -O1 -Wall -Wextra -Werror $SANF -Ivm -I"$at" -I$here $here/$model.c "$at/$model.o" "$B/libaim.a" $LIBS -o "$at/host" >"$at/log" 2>&1 &&
      "$at/host" $here/$model.aim >"$at/log" 2>&1; then
      ok
    else
      bad "$model differs from the interpreter on $level"
      sort "$at/log" | uniq -c | head -20
    fi
  done
done

# Two models in one program; strict C; position independent code in a shared library.
last=${levels##* }
cat >"$out/both.c" <<'C'
#include "schools.h"
#include "garch.h"
int main(void) { return schools_dimension(0) == 10 && garch_dimension(0) == 4 ? 0 : 1; }
C
if $CC -std=c99 -pedantic-errors -Wall -Wextra -Werror -I"$out/schools.$last" -I"$out/garch.$last" "$out/both.c" "$out/schools.$last/schools.o" \
  "$out/garch.$last/garch.o" -o "$out/both" && "$out/both"; then ok; else bad "two objects do not live in one program"; fi
if $CC -shared -o "$out/both.so" "$out/schools.$last/schools.o" "$out/garch.$last/garch.o"; then ok; else bad "objects do not go into a shared library"; fi

# The example: a sampler in a C program, on a model with a known posterior (mean of mu 4.4).
if "$B/aimc" build examples/eight_schools.aim -o "$out/eight_schools" >"$out/log" 2>&1 &&
  $CC -std=c11 -O2 -Wall -Wextra -Werror -I"$out" examples/embed_ahead/host.c "$out/eight_schools.o" -lm -o "$out/example" >>"$out/log" 2>&1 &&
  "$out/example" >>"$out/log" 2>&1 && awk '/^mean of mu/ { good = $4 > 3.6 && $4 < 5.2 } END { exit !good }' "$out/log"; then
  ok
else
  bad "examples/embed_ahead does not build, or samples something else"
  cat "$out/log"
fi

# A folder gets files of the model's name.
mkdir -p "$out/folder"
if "$B/aimc" build examples/eight_schools.aim -o "$out/folder/" >"$out/log" 2>&1 && [ -s "$out/folder/eight_schools.o" ] && [ -s "$out/folder/eight_schools.h" ]; then
  ok
else
  bad "a folder does not get files of the model's name"
fi

# The header tells which unknowns stand in the unconstrained space as standard variates, and the statement decides.
head="$out/folder/eight_schools.h"
if grep -q 'theta (real\[J\], non-centred)' "$head" && grep -q 'eight_schools_constrain gives the unknown itself' "$head" &&
  "$B/aimc" build examples/eight_schools.aim --set 'centred = [theta]' -o "$out/folder/" >"$out/log" 2>&1 && ! grep -q 'non-centred' "$head"; then
  ok
else
  bad "the header is wrong about non-centring"
fi

# Names that are keywords, macros, the same in C, or would end a comment.
cat >"$out/names.aim" <<'AIM'
model names(y: real[N], linux: real) {
  NULL ~ Normal(0, 1);  concept ~ Normal(0, 1);  `for` ~ Normal(0, 1);  `a */ b` ~ Normal(0, 1)
  `a.b` ~ Normal(0, 1);  a_b ~ Normal(0, 1);  a_b_6 ~ Normal(0, 1);  a_b_7 ~ Normal(0, 1);  s ~ Bernoulli(0.3)
  y ~ Normal(NULL + concept + `for` + `a */ b` + `a.b` + a_b + a_b_6 + a_b_7 + linux + s, 1)
}
AIM
printf '#include <stdio.h>\n#include <errno.h>\n#include "names.h"\nint main(void) { return sizeof(names_latents) == 9 * sizeof(void *) ? 0 : 1; }\n' >"$out/names.c"
if "$B/aimc" build "$out/names.aim" --data 'y = [1, 2]' --data 'linux = 1' -o "$out/names" >"$out/log" 2>&1 && $CC -Wall -Wextra -Werror -I"$out" "$out/names.c" -o "$out/name-host" >>"$out/log" 2>&1 && "$out/name-host"; then
  ok
else
  bad "a header has names that C does not take"
  cat "$out/log"
fi

# What cannot be built says so.
refuse() {
  status=$1 text=$2
  shift 2
  "$B/aimc" build -o "$out/none" "$@" >"$out/log" 2>&1
  if [ $? -eq "$status" ] && grep -qF "$text" "$out/log" && [ ! -e "$out/none.o" ]; then ok; else bad "build $*: no word of $text"; cat "$out/log"; fi
}
# Discrete unknowns that cannot be summed out: everything but the density, and why.
printf 'model lattice(J: real) {\n  s: spin[20, 20] ~ Flat()\n  u ~ Normal(0, 1)\n  plate i in 1..19, j in 1..20 { factor J * s[i, j] * s[i + 1, j] }\n  plate i in 1..20, j in 1..19 { factor J * s[i, j] * s[i, j + 1] }\n}\n' >"$out/lattice.aim"
if "$B/aimc" build "$out/lattice.aim" --data 'J = 1' -o "$out/lattice" >"$out/log" 2>&1 && grep -q 'gets no log density' "$out/log" && ! grep -q log_density "$out/lattice.h" &&
  grep -q lattice_score "$out/lattice.h"; then ok; else bad "a lattice"; cat "$out/log"; fi
refuse 1 'not `pentium`' examples/eight_schools.aim --cpu pentium
refuse 1 'no size named `Q`' examples/eight_schools.aim --runtime Q
refuse 1 'J is 2' $here/schools.aim --data 'y = [1, 2]' --data 'sigma = [1]'
refuse 1 'named by both' examples/eight_schools.aim --set 'centred = [theta]' --set 'noncentred = [theta]'
refuse 2 'no/such' examples/eight_schools.aim -o "$out/no/such"
if command -v g++ >/dev/null 2>&1; then
  cp "$out/both.c" "$out/both.cc"
  if g++ -std=c++11 -pedantic-errors -Wall -Wextra -Werror -I"$out/schools.$last" -I"$out/garch.$last" "$out/both.cc" "$out/schools.$last/schools.o" \
    "$out/garch.$last/garch.o" -o "$out/both-cxx" && "$out/both-cxx"; then ok; else bad "a header is not C++"; fi
else
  skipped=$((skipped + 1))
fi
finish
