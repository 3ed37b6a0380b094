# Exit statuses: 0 done, 1 wrong program, data or usage, 2 the host.

test_run_prints_a_table() {
  expect 0 "$aimc" run eight_schools.aim
  says out 'theta[8]'
  says out 'ESS_bulk'
  [ -s err ] && fail "there is text on stderr"
}
test_quiet_prints_nothing() {
  expect 0 "$aimc" run coin.aim --quiet
  [ -s out ] && fail "there is output"
}
test_wrong_program() {
  printf 'model m(y: real[N]) {\n  y ~ Normal(nu, 1)\n}\n' > m.aim
  expect 1 "$aimc" run m.aim
  says err 'm.aim:2:14'
  expect 1 "$aimc" check m.aim
  says err 'm.aim:2:14'
}
test_wrong_data() {
  expect 1 "$aimc" run eight_schools.aim --data 'y = [1, 2]'
  says err '2 elements'
  expect 1 "$aimc" run eight_schools.aim --data none.json
  says err 'none.json'
}
test_wrong_usage() {
  expect 1 "$aimc" loo coin.aim --out there
  says err '`loo` has no --out'
  expect 1 "$aimc"
  expect 1 "$aimc" run
  expect 1 "$aimc" run coin.aim coin.aim
  expect 1 "$aimc" sample coin.aim
  says err 'there is no command `sample`'
  expect 1 "$aimc" coin.aim
  says err 'aimc run coin.aim'
  expect 1 "$aimc" run coin.aim --no-such-flag
  expect 1 "$aimc" run coin.aim --draws many
  expect 1 "$aimc" run coin.aim --chains 0
  expect 1 "$aimc" run coin.aim --method gibbz
  expect 1 "$aimc" run coin.aim --engine abacus
  expect 1 "$aimc" run coin.aim --isa 7
  expect 1 "$aimc" run coin.aim --only other
  says err coin
  expect 1 "$aimc" ir coin.aim --stage soup
  expect 1 "$aimc" run coin.aim --out ''
  says err 'no name'
}
test_help_teaches() {
  expect 0 "$aimc" --help
  sed -n '/model coin/,/infer coin/p' out > first.aim
  expect 0 "$aimc" run first.aim
  expect 0 "$aimc" run --help
  says out '--method'
  cp out run_help
  expect 0 "$aimc" help run
  cmp -s out run_help || fail "help run is not run --help"
  expect 0 "$aimc" version
  expect 0 "$aimc" --version
}
test_missing_file() {
  expect 2 "$aimc" run none.aim
  says err 'No such file'
  expect 2 "$aimc" check coin.aim none.aim
}
test_output_that_cannot_be_written() {
  [ -e /dev/full ] || { skip; return; }
  "$aimc" run coin.aim > /dev/full 2> err
  [ $? -eq 2 ] || fail "no status 2"
  says err 'No space left'
  expect 2 "$aimc" run coin.aim --out coin.aim
  expect 2 "$aimc" run coin.aim --out /proc/no/such
}
test_a_file_without_a_model() {
  printf '# nothing\n' > empty.aim
  expect 1 "$aimc" run empty.aim
  expect 0 "$aimc" check empty.aim
}
test_other_commands() {
  expect 0 "$aimc" check coin.aim eight_schools.aim
  says out '-> p: real'
  expect 0 "$aimc" explain eight_schools.aim
  says out 'log(x - lower)'
  expect 0 "$aimc" explain eight_schools.aim --method mh
  says out 'local'
  expect 0 "$aimc" doctor
  grep -q '^  netCDF  *\(found\|absent: .*\)$' out || fail "doctor says of netCDF: $(grep netCDF out)"
  says out 'self-test'
  for stage in ast model prepare logdens grad density prior outputs local all; do
    expect 0 "$aimc" ir eight_schools.aim --stage $stage
    [ -s out ] || fail "stage $stage is empty"
  done
}
test_colour() {
  expect 1 "$aimc" run coin.aim --data 'y = 3' --color always
  says err "$(printf '\033[')"
  expect 1 "$aimc" run coin.aim --data 'y = 3' --color auto
  grep -q "$(printf '\033')" err && fail "colour in a file"
}
# More than the memory of any machine: a message, not a kill.
test_memory_of_the_machine() {
  printf 'model m(N: int) {\n  x: real[N] ~ Normal(0, 1)\n  let z = rep(x[1], N)\n  y ~ Normal(z[1], 1)\n}\n' > m.aim
  expect 2 "$aimc" run m.aim --data N=1000000000000 --method prior
  says err 'the draws would need'
}
# A note is no reason to be silent about what ended the run.
test_memory_that_runs_out_behind_a_note() {
  bounded() { (ulimit -v 2000000 && exec "$aimc" "$@"); }
  bounded version >out 2>&1 || { skip "sanitizers want more"; return; }
  printf 'model m(g: index(J)[N], y: real[N]) {\n  c: real[J] ~ Normal(0, 1)\n  y ~ Normal(c[g], 1)\n}\ninfer m on g = [1, 60000000], y = [0, 1]\n' > m.aim
  expect 2 bounded run m.aim --draws 1 --chains 1
  says err 'N0785'
  says err 'memory is exhausted'
}
test_draws_beyond_the_limit() {
  bounded() { (ulimit -v 2000000 && exec "$aimc" "$@"); }
  bounded version >out 2>&1 || { skip "sanitizers want more"; return; }
  expect 2 bounded run coin.aim --draws 100000000
  says err E0935
  says err '1.6 GB may be used'
}
# Functions are written out: 2^40 calls are not.
test_functions_that_double() {
  {
    printf 'fn f0(x: real): real = exp(x)\nfn g0(x: real[N]): real[N] = exp(x)\n'
    for i in $(seq 40); do
      printf 'fn f%d(x: real): real = f%d(x) + f%d(x)\nfn g%d(x: real[N]): real[N] = g%d(x) + g%d(x)\n' $i $((i - 1)) $((i - 1)) $i $((i - 1)) $((i - 1))
    done
    printf 'model m(y: real[2]) {\n  a ~ Normal(0, 1)\n  b: real[2] ~ Normal(0, 1)\n  y ~ Normal(CALL, 1)\n}\ninfer m on y = [1, 2]\n'
  } > all.txt
  for call in 'f40(a)' 'g40(b)' 'f40(b)'; do
    sed "s/CALL/$call/" all.txt > m.aim
    expect 1 "$aimc" run m.aim
    says err E0903
  done
}
test_small_stack() {
  small() { (ulimit -s 100 && exec "$aimc" "$@"); }
  small version >/dev/null 2>err
  [ -s err ] || { skip "a stack of that size cannot be asked for"; return; }
  expect 2 small check m.aim
  says err 'ulimit -s'
}
# Each `else if` is a block in the one before it.
test_chains_of_conditions() {
  for n in 200 300; do
    {
      printf 'model m(y: real) {\n  a ~ Normal(0, 1)\n  let t = '
      for i in $(seq $n); do printf 'if a > %d { %d.0 } else ' $i $i; done
      printf '{ a }\n  y ~ Normal(t, 1)\n}\ninfer m on y = 1 with nuts(draws = 10, warmup = 10, chains = 1)\n'
    } > m$n.aim
  done
  expect 0 "$aimc" run m200.aim
  expect 1 "$aimc" run m300.aim
  says err E0904
  {
    printf 'fn f0(x: real): real = exp(x)\n'
    for i in $(seq 300); do printf 'fn f%d(x: real): real = f%d(x) + 1\n' $i $((i - 1)); done
    printf 'model m(y: real) { a ~ Normal(0, 1); y ~ Normal(f%d(a), 1) }\ninfer m on y = 1 with nuts(draws = 10, warmup = 10, chains = 1)\n' 300
  } > f300.aim
  sed 's/f300(a)/f200(a)/' f300.aim > f200.aim
  expect 0 "$aimc" run f200.aim
  expect 1 "$aimc" run f300.aim
  says err E0904
}
test_messages_as_json() {
  printf 'model m(y: real[N]) {\n  mu ~ Normal(0, 5)\n  y ~ Normal(mv, 1)\n}\n' > m.aim
  expect 1 "$aimc" check --json m.aim
  [ -s err ] && fail "JSON on the standard error"
  says out '"severity":"error","code":"E0401"'
  says out '"file":"m.aim","line":3,"column":14,"end_line":3,"end_column":16'
  says out '"help":["did you mean `mu`?"]'
  expect 0 "$aimc" check --json coin.aim
  [ -s out ] && fail "a program without a mistake has messages"
  printf 'model \033"m(y: real[N]) {\n' > odd.aim
  expect 1 "$aimc" check --json odd.aim
  command -v python3 >/dev/null && { python3 -c 'import json,sys; [json.loads(l) for l in open("out")]' || fail "not JSON"; }
}

# A file that is empty but for its header is told.
test_data_without_rows() {
  printf 'model m(y: real[N]) {\n  a ~ Normal(0, 1)\n  y ~ Normal(a, 1)\n}\ninfer m on "rows.csv" with nuts(warmup = 20, draws = 20)\n' > m.aim
  echo y > rows.csv
  expect 0 "$aimc" run m.aim
  says err 'nothing is observed, since `y` has no elements'
  echo 1 >> rows.csv
  expect 0 "$aimc" run m.aim
  grep -q 'nothing is observed' err && fail "y has an element"
}
# A range that ends before it could begin: nothing to a sum or a loop, and no array.
test_ranges_that_end_before_they_begin() {
  printf 'model m(y: real[T]) {\n  s ~ HalfNormal(1)\n  for t in 3..T { y[t] ~ Normal(y[t - 1], s) }\n  track a = s + sum(y[t] * y[t - 1] for t in 3..T)\n}\ninfer m on y = [1] with nuts(warmup = 20, draws = 20)\n' > m.aim
  expect 0 "$aimc" run m.aim
  expect 0 "$aimc" run m.aim --data 'y = []'
  for c in '[y[t] - y[t - 2] for t in 3..T]' 'd(y)'; do
    printf 'fn d(x: real[N]): real[N - 2] = [x[t] - x[t - 2] for t in 3..N]\nmodel m(y: real[T]) {\n  s ~ HalfNormal(1)\n  y ~ Normal(0, s)\n  track c = s * sum(%s)\n}\ninfer m on y = [1]\n' "$c" > m.aim
    expect 1 "$aimc" run m.aim
    says err 'E0775'
    says err 'an extent of this array is -1'
    says err '^ T - 2'
  done
}
