# Which engine runs a model, where its code is kept, and what happens when it cannot be.

has_jit() { [ -x "$(dirname "$aimc")/aim-cc" ] || { skip; return 1; }; }
# ran DIR KEY N: run.json of DIR counts so many.
ran() { grep -q "\"$2\": $3,\$" "$1/run.json" || { fail "$1/run.json does not say $2: $3"; sed -n '/"engine"/,/}/p' "$1/run.json"; }; }
# same A B: two results have the same draws.
same() {
  for f in "$1"/*-[0-9].csv; do
    [ "$(grep -v '^#' "$f" | cksum)" = "$(grep -v '^#' "$2/$(basename "$f")" | cksum)" ] || fail "draws of $f differ in $2"
  done
}
folds() { # a regression that has no sufficient statistics, and data of N rows, the first number being S
  printf 'model line(y: real[N], x: real[N]) {\n  a ~ Normal(0, 10)\n  b ~ Normal(0, 10)\n  s ~ HalfNormal(5)\n  y ~ StudentT(4, a + b * x, s)\n}\n' > line.aim
  awk -v n="$1" -v s="$2" 'BEGIN { print "y,x"; for (i = 0; i < n; i++) print (i * s) % 7 + i / n "," i / n }' > "fold-$2.csv"
}

test_engines_agree() {
  has_jit || return 0
  for e in vm auto jit; do
    expect 0 "$aimc" run eight_schools.aim --engine $e --cache off --seed 3 --out $e -q
  done
  same vm auto
  same vm jit
  says vm/run.json '"build": "interpreter"'
  says jit/run.json '"build": "machine code"'
  ran jit compiled 1
}
test_engine_of_sizes_with_odd_names() {
  has_jit || return 0
  printf 'model m(y: real[`n - x`], z: real[`n - x`]) {\n  mu: real[`n - x`] ~ Normal(0, 1)\n  y ~ StudentT(4, mu + z, 1)\n}\ninfer m on y = [1, 2, 3], z = [3, 2, 1] with nuts(draws = 50, warmup = 50)\n' > odd.aim
  for e in vm jit; do expect 0 "$aimc" run odd.aim --engine $e --cache off --seed 3 --out $e -q; done
  same vm jit
  says jit/run.json '"build": "machine code"'
  expect 0 "$aimc" build odd.aim -o odd
  says odd.h 'real[`n - x`]'
  # Names stand in the comments of the header, and do not end them.
  printf 'model `m*/`(y: real[`*/ #error`], x: real[`/*`]) {\n  b ~ Normal(0, 1)\n  y ~ Normal(b + sum(x), 1)\n}\ninfer `m*/` on y = [1, 2, 3], x = [1, 2]\n' > comment.aim
  expect 0 "$aimc" build comment.aim -o comment
  printf '#include "comment.h"\nint main(void) { return M___OK; }\n' > comment.c
  expect 0 ${CC:-gcc} -std=c11 -Wall -Wextra -Werror -c comment.c
}
test_engines_agree_on_sweeps() { # conjugate, finite and sliced unknowns
  has_jit || return 0
  printf 'model mixture(x: real[N]) {\n  w ~ Dirichlet([1.0, 1.0])\n  mu: real[2] ~ Normal(0, 5)\n  tau ~ Gamma(2, 1)\n  s ~ HalfNormal(1)\n  plate i in 1..N {\n    k[i] ~ Categorical(w)\n    x[i] ~ Normal(mu[k[i]], s / sqrt(tau))\n  }\n}\ninfer mixture on x = [-2.1, -1.8, 2.3, 0.1, 2.2] with gibbs(draws = 200, order = random)\n' > mixture.aim
  for e in vm jit; do expect 0 "$aimc" run mixture.aim --engine $e --cache off --out $e -q; done
  expect 0 "$aimc" run mixture.aim --engine vm --threads 1 --out one -q
  same vm jit
  same vm one
}
test_engine_auto_is_the_default() {
  has_jit || return 0
  expect 0 "$aimc" run coin.aim --draws 10 --warmup 10 --out d -q
  says d/run.json '"engine": {'
  ran d compiled_calls 0
  expect 0 "$aimc" explain coin.aim
  says out 'engine auto'
  expect 0 "$aimc" doctor
  says out 'interpreter, then machine code'
}
test_engine_changes_in_a_run() {
  has_jit || return 0
  folds 20000 3
  for e in vm auto; do expect 0 "$aimc" run line.aim --data fold-3.csv --engine $e --draws 3000 --out $e -q; done
  same vm auto
  ran auto compiled 1
  expect 0 "$aimc" run line.aim --data fold-3.csv --draws 3000 --out again -q
  ran again cached 1
  same vm again
}
test_engine_keeps_code_for_other_data() {
  has_jit || return 0
  for fold in 1 2 3 4 5; do
    folds $((200 + 13 * fold)) $fold
    expect 0 "$aimc" run line.aim --data fold-$fold.csv --engine jit --draws 20 --warmup 20 --out fold$fold -q
    if [ $fold = 1 ]; then ran fold1 compiled 1; else ran fold$fold cached 1; fi
  done
  expect 0 "$aimc" cache
  says out 'used again 4 times'
}
test_cache_command() {
  has_jit || return 0
  expect 0 "$aimc" cache path --cache here
  says out here
  expect 0 "$aimc" run coin.aim --engine jit --cache here -q
  expect 0 "$aimc" cache --cache here
  says out 'objects 1,'
  expect 0 "$aimc" explain coin.aim --cache here
  says out 'machine code from the cache'
  expect 0 "$aimc" cache clear --cache here
  says out '1 object removed'
  [ -z "$(ls here)" ] || fail "something is left"
  expect 1 "$aimc" cache mend
  expect 1 "$aimc" cache show here
  says err 'one of show, clear and path'
  expect 1 "$aimc" cache --cache-size 0
  expect 1 "$aimc" run coin.aim --cache-size 12x
  expect 2 "$aimc" cache --cache off
  AIM_CACHE=there expect 0 "$aimc" cache path
  says out there
  AIM_CACHE= XDG_CACHE_HOME=/x/y expect 0 "$aimc" cache path
  says out /x/y/aim
  AIM_CACHE= XDG_CACHE_HOME= HOME=/home/me expect 0 "$aimc" cache path
  says out /home/me/.cache/aim
  AIM_CACHE= XDG_CACHE_HOME= HOME= expect 2 "$aimc" cache path
}
test_cache_that_others_can_enter() {
  has_jit || return 0
  mkdir -m 755 open
  for e in auto jit; do
    expect 0 "$aimc" run coin.aim --engine $e --cache open -q
    says err 'others can enter it'
    [ "$(wc -l < err)" = 1 ] || fail "more than a line"
  done
  [ -z "$(ls open)" ] || fail "it was used"
  mkdir -m 700 real && ln -s real link
  expect 0 "$aimc" run coin.aim --engine jit --cache link -q
  says err 'it is a link'
  expect 2 "$aimc" cache --cache link
}
test_cache_that_cannot_be_made() {
  has_jit || return 0
  expect 0 "$aimc" run coin.aim --cache /proc/aim/objects -q
  [ -s err ] && fail "auto is not silent"
  expect 0 "$aimc" run coin.aim --engine jit --cache /proc/aim/objects -q
  says err 'compiled models are not kept'
  AIM_CACHE= XDG_CACHE_HOME= HOME= expect 0 "$aimc" run coin.aim --engine jit -q
  [ -s err ] && fail "no home is no error"
  :
}
test_cache_on_a_full_disk() {
  has_jit || return 0
  mkdir small
  mount -t tmpfs -o size=4k,mode=700 tmpfs small 2>/dev/null || { skip; return 0; }
  expect 0 "$aimc" run eight_schools.aim --engine jit --cache small --out d -q
  ran d compiled 1
  expect 0 "$aimc" run eight_schools.aim --engine jit --cache small --out d -q
  ran d compiled 1
  umount small
}
test_engine_without_aim_cc() {
  cp "$aimc" .
  expect 0 ./aimc run coin.aim -q
  [ -s err ] && fail "auto is not silent"
  expect 0 ./aimc doctor
  says out 'machine code is not made'
  ./aimc run coin.aim --engine jit -q 2>err && fail "jit was had without aim-cc"
  [ "$(wc -l < err)" = 1 ] || fail "not one line"
}
test_engine_when_aim_cc_fails() {
  has_jit || return 0
  cp "$aimc" .
  for how in 'exit 1' 'kill -9 $$' 'ulimit -v 20000; exec '"$(dirname "$aimc")"'/aim-cc'; do
    printf '#!/bin/sh\n%s\n' "$how" > aim-cc
    chmod 755 aim-cc
    expect 0 ./aimc run coin.aim --engine jit --cache off -q --out jit
    says err 'the interpreter runs this model'
    [ "$(wc -l < err)" = 1 ] || fail "not one line"
    ran jit refused 1
    expect 0 ./aimc run eight_schools.aim --cache off -q --draws 20000 --out auto
    [ -s err ] && fail "auto is not silent"
    ran auto compiled_calls 0
  done
}
# A run that is stopped takes aim-cc along.
test_engine_stopped() {
  has_jit || return 0
  cp "$aimc" .
  printf '#!/bin/sh\necho $$ > pid\nexec sleep 100\n' > aim-cc
  sed -i "s|> pid|> $PWD/pid|" aim-cc
  chmod 755 aim-cc
  ./aimc run eight_schools.aim --cache off -q --draws 10000 --thin 1000 >/dev/null 2>&1 &
  run=$!
  for k in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do [ -s pid ] && break; sleep 0.1; done
  kill -TERM $run
  wait $run 2>/dev/null
  [ -s pid ] || { fail "aim-cc was not started"; return; }
  kill -0 "$(cat pid)" 2>/dev/null && fail "aim-cc is left"
  :
}
test_engine_symbols() {
  has_jit || return 0
  expect 1 "$aimc" run coin.aim --symbols nm
  sh -c 'echo $$ > pid; exec "$0" run eight_schools.aim --engine jit --symbols perf -q' "$aimc" || fail "it does not run"
  map=/tmp/perf-$(cat pid).map
  grep -qE '^[0-9a-f]+ [0-9a-f]+ aim:grad$' "$map" || fail "$map does not tell of the gradient"
  rm -f "$map"
  expect 0 "$aimc" run coin.aim --engine jit --symbols gdb -q
  command -v gdb >/dev/null || { skip; return 0; }
  # gdb stops where it is told, and knows the function by then; under seccomp it may not trace.
  gdb -q -batch -ex 'set breakpoint pending on' -ex 'break aim_fn_0' -ex run -ex 'info symbol $pc' -ex bt --args "$aimc" run eight_schools.aim --engine jit --symbols gdb -q >gdb.out 2>&1
  grep -qE 'ptrace|Operation not permitted' gdb.out && { skip; return 0; }
  says gdb.out 'aim_fn_0'
  grep -q '^aim_fn_0 in section' gdb.out || { fail "gdb does not stop in compiled code"; tail -20 gdb.out; }
}
test_engines_agree_on_bounds_and_reversed_loops() { # bounds between which nothing lies, matrices that are no factors, arrays built from their end
  has_jit || return 0
  printf 'model m(y: real[T]) {\n  a ~ Normal(0, 1)\n  b ~ Normal(0, 1)\n  c: real<lower = a, upper = b> ~ Normal(0, 1)\n  x[T] ~ Normal(c, 1)\n' > forms.aim
  printf '  for t in 1..T - 1 { x[T - t] ~ Normal(0.5 * x[T - t + 1], 1) }\n  let L = [[exp(a), max(0.0, a - 1.5)], [b, 1.0]]\n' >> forms.aim
  printf '  z: real[2] ~ MultiNormal([0.0, 0.0], cholesky = L)\n  y ~ Normal(x + z[1], 1)\n}\ninfer m on y = [1, 2, 3, 4] with nuts(draws = 100, warmup = 100)\n' >> forms.aim
  for e in vm jit; do expect 0 "$aimc" run forms.aim --engine $e --cache off --seed 3 --out $e -q; done
  same vm jit
  says jit/run.json '"build": "machine code"'
}
