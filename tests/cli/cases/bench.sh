# aimc bench: figures of every engine that this build has.

test_bench_table() {
  expect 0 "$aimc" bench eight_schools.aim --warmup 100 --draws 100
  says out 'model eight_schools by nuts, 10 unknowns, 10 unconstrained'
  says out 'log density and gradient'
  says out 'effective draws/s'
  says out 'Gflop/s'
  says out 'vm reaches'
  if [ -x "$(dirname "$aimc")/aim-cc" ]; then says out 'compilation'; says out 'jit reaches'; else says out 'no machine code'; fi
}

# Numbers of the right size: a gradient takes between 10 ns and 1 ms, and a run of so many transitions is not instantaneous.
test_bench_json() {
  expect 0 "$aimc" bench eight_schools.aim --json --chains 1 --warmup 100 --draws 100
  [ "$(wc -l <out)" -eq 1 ] || fail "more than a line"
  sed 's/.*"gradient_seconds": {"median": \([0-9.e+-]*\), "q25": \([0-9.e+-]*\), "q75": \([0-9.e+-]*\)}.*/\1 \2 \3/' out |
    awk '{ exit !($1 > 1e-8 && $1 < 1e-3 && $2 <= $1 && $1 <= $3) }' || fail "the gradient's time makes no sense: $(cat out)"
  sed 's/.*"transitions_per_second": \([0-9.e+-]*\),.*/\1/' out | awk '{ exit !($1 > 10 && $1 < 1e7) }' || fail "transitions a second make no sense"
  says out '"chains": 1, "warmup": 100, "draws": 100'
  says out '"slowest": "'
  if command -v python3 >/dev/null 2>&1; then python3 -m json.tool out >json 2>&1 || fail "no JSON: $(cat json)"; fi
}

# Discrete latents have no gradient; several statements have a block each.
test_bench_discrete() {
  printf 'model switch(y: real[N]) {\n  k ~ Bernoulli(0.5)\n  y ~ Normal(select(k, 1.0, -1.0), 1)\n}\ninfer switch on y = [0.3, 1.2] with mh as a\ninfer switch on y = [0.1] with mh as b\n' >switch.aim
  expect 0 "$aimc" bench switch.aim --draws 100 --warmup 10
  says out 'a: model switch by mh'
  says out 'b: model switch by mh'
  says out 'one density'
  grep -q 'log density and gradient' out && fail "a gradient of a discrete latent"
  expect 1 "$aimc" bench switch.aim --only c
  says err 'no statement has a result named `c`'
}

test_bench_wrong() {
  expect 2 "$aimc" bench absent.aim
  expect 1 "$aimc" bench
  expect 1 "$aimc" bench eight_schools.aim --data 'y = [1]'
  says err 'J is 8'
}
