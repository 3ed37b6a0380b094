# What a run leaves on disk.

test_files_of_a_run() {
  expect 0 "$aimc" run eight_schools.aim --out out.d --draws 50 --chains 3 --quiet
  for c in 1 2 3; do
    f=out.d/eight_schools-$c.csv
    [ "$(rows $f)" = 50 ] || fail "$f has $(rows $f) rows"
    whole $f || fail "$f has broken rows"
    says $f 'Step size'
  done
  [ -e out.d/eight_schools-4.csv ] && fail "a fourth chain"
  says out.d/run.json '"seed": 1'
  says out.d/summary.tsv 'theta[8]'
  ls -a out.d | grep -q part && fail "a temporary file is left"
}
test_threads_write_the_same_rows() {
  for n in 1 4; do
    expect 0 "$aimc" run eight_schools.aim --out t$n --threads $n --draws 100 --quiet
    for c in 1 2 3 4; do grep -v '^#' t$n/eight_schools-$c.csv > t$n.$c; done
  done
  for c in 1 2 3 4; do cmp -s t1.$c t4.$c || fail "chain $c differs"; done
  expect 0 "$aimc" run eight_schools.aim --out t2 --isa 2 --draws 100 --quiet
  for c in 1 2 3 4; do grep -v '^#' t2/eight_schools-$c.csv | cmp -s - t1.$c || fail "chain $c differs at level 2"; done
}
test_steps_of_mh() {
  expect 0 "$aimc" run coin.aim --out s --method mh --steps 1 --draws 40 --quiet
  [ "$(rows s/coin-4.csv)" = 40 ] || fail "$(rows s/coin-4.csv) rows"
  says s/run.json '"steps": 1,'
  says s/run.json '"draws_bytes": '
  expect 1 "$aimc" run coin.aim --method mh --steps 2000000000
}
test_statements_in_order() {
  printf 'infer coin on y = [true] with prior(draws = 20) as before\ninfer coin on y = [false] with mh(draws = 30) as after\n' > tail
  sed -i '/^infer/d' coin.aim
  cat tail >> coin.aim
  expect 0 "$aimc" run coin.aim --out all --quiet
  [ "$(rows all/before/before-1.csv)" = 20 ] || fail "before"
  [ "$(rows all/after/after-4.csv)" = 30 ] || fail "after"
  expect 0 "$aimc" run coin.aim --out one --only after --quiet
  [ -e one/before ] && fail "before ran too"
  [ -e one/after/run.json ] || fail "after did not run"
}
test_two_runs_into_one_folder() {
  "$aimc" run coin.aim --out d --draws 1000 --thin 100000 --quiet 2>/dev/null &
  first=$!
  n=0
  while [ ! -e d/coin-4.csv ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done
  expect 2 "$aimc" run coin.aim --out d --quiet
  says err 'another run is writing'
  kill $first
  wait $first
  expect 0 "$aimc" run coin.aim --out d --quiet
}
# A program does not write beside the folder that it is given.
test_names_that_no_file_can_have() {
  mkdir here
  for name in '../there' 'a/b' '.hidden' "$(printf '%0201d' 0)"; do
    printf 'model m(y: real) {\n  mu ~ Normal(y, 1)\n}\ninfer m on y = 1 as `%s`\n' "$name" > m.aim
    expect 1 "$aimc" run m.aim --out here --draws 20
    says err 'm.aim:4:'
    says err E0933
    expect 0 "$aimc" run m.aim --draws 20 --warmup 20
  done
  [ -z "$(ls here)" ] && [ -z "$(ls -d there* 2>/dev/null)" ] || fail "there are files"
}
test_full_disk() {
  mkdir small
  mount -t tmpfs -o size=300k none small 2>/dev/null || { skip; return; }
  expect 2 "$aimc" run eight_schools.aim --out small/d --draws 20000 --quiet
  says err 'No space left'
  for f in small/d/*.csv; do
    [ -e "$f" ] || continue
    [ -z "$(tail -c 1 "$f" | tr -d '\n')" ] || fail "$f ends within a row"
    whole "$f" || fail "$f has broken rows"
  done
  umount small
}
test_a_folder_holds_one_result() {
  expect 0 "$aimc" run coin.aim --out d --draws 50 --quiet
  printf 'x\n1\n' > d/survey-2020.csv
  cp d/survey-2020.csv d/coin-9.csv
  expect 0 "$aimc" run coin.aim --out d --draws 60 --chains 2 --quiet
  for c in 1 2; do [ "$(rows d/coin-$c.csv)" = 60 ] || fail "chain $c is old"; done
  [ -e d/coin-3.csv ] || [ -e d/coin-4.csv ] && fail "an old chain is left"
  [ -e d/survey-2020.csv ] && [ -e d/coin-9.csv ] || fail "a file of the user is gone"
  sed 's/coin/penny/' coin.aim > penny.aim
  sum=$(cat d/* | cksum)
  expect 2 "$aimc" run penny.aim --out d --quiet
  says err 'd" holds draws of another result: coin-'
  [ "$sum" = "$(cat d/* | cksum)" ] || fail "the folder has changed"
}
test_methods_tell_of_themselves() {
  expect 0 "$aimc" run coin.aim --out i --method importance --particles 500 --quiet
  for word in '"particles": 500' '"log_evidence": -' '"log_evidence_se"' '"effective_particles"' '"started": "20'; do says i/run.json "$word"; done
  says i/coin-1.csv 'algorithm = importance'
  expect 0 "$aimc" run coin.aim --out m --method mh --draws 50 --quiet
  for file in i/run.json i/coin-1.csv m/run.json m/coin-1.csv; do
    grep -v '^lp__' $file | grep -Eq 'hmc|nuts|delta|target_accept|max_depth|stepsize' && fail "$file claims to be of nuts"
  done
}
test_levels_of_texts() {
  printf 'model m(region: index(R)[N], y: real[N]) {\n  mu: real[R] ~ Normal(0, 5)\n  y ~ Normal(mu[region], 1)\n}\ninfer m on "d.csv"\n' > m.aim
  printf 'region,y\nNorth,1\nEast,2\n"Sud ""x""",3\nEast,2.5\n' > d.csv
  expect 0 "$aimc" run m.aim --out o --draws 100
  says out 'region: 1 East, 2 North, 3 Sud "x"'
  says o/run.json '"levels": {'
  says o/run.json '"Sud \"x\""'
}
test_warnings_are_told_once() {
  printf 'model m(y: real[N], k: real) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }\ninfer m on y = [1.0], k = 2\n' > m.aim
  expect 0 "$aimc" run m.aim --draws 100
  [ "$(grep -c 'is never used' err)" = 1 ] || fail "told $(grep -c 'is never used' err) times"
}
test_chains_of_independent_draws() {
  expect 0 "$aimc" run coin.aim --method prior --chains 2 --draws 100
  says err '`chains` has no effect on prior'
  expect 0 "$aimc" run eight_schools.aim --method prior --draws 100 # whose statement has chains for its own method
  [ -s err ] && fail "a warning without a reason"
}
test_nothing_to_infer() {
  printf 'model m(y: real[N]) { y ~ Normal(0, 1); predict y; track two = 1.0 + 1.0 }\ninfer m on y = [1.0, 2.0]\n' > m.aim
  expect 0 "$aimc" run m.aim --draws 200 --out o
  says out 'nothing to infer; 200 draws of predictions'
  [ "$(rows o/m-1.csv)" = 200 ] || fail "$(rows o/m-1.csv) rows"
  grep -q BFMI out && fail "advice on energies"
  printf 'model m(y: real[N]) { y ~ Normal(0, 1) }\ninfer m on y = [1.0, 2.0]\n' > m.aim
  expect 0 "$aimc" run m.aim
  says out 'nothing to infer and nothing to predict'
  grep -q Mean out && fail "an empty table"
}
test_too_few_draws() {
  expect 0 "$aimc" run coin.aim --draws 1
  says out 'too few'
  grep -q infinite out && fail "one draw is not infinite"
}
test_the_table_shows_what_matters() {
  printf 'model m(y: real[N]) {\n  z: real[60] ~ Normal(0, 1)\n  mu ~ Normal(0, 1)\n  y ~ Normal(mu + z[1], 1)\n  track one = 1.0\n  track s = mu + 1\n  predict y\n}\ninfer m on y = [1.0, 2.0]\n' > m.aim
  expect 0 "$aimc" run m.aim --out o --draws 100
  [ "$(sed -n '4,6s/ .*//p' out | tr '\n' ' ')" = 'mu s z[1] ' ] || fail "order: $(sed -n '4,6p' out)"
  says out '... and 24 more rows (all in o/summary.tsv)'
  says out '1 constant column is not shown'
  grep -q '^one' out && fail "a constant"
  head -1 o/m-1.csv >/dev/null; grep -q 'energy__,z.1,z.2' o/m-1.csv || fail "order of the file"
  expect 0 "$aimc" run m.aim --all --draws 100
  [ "$(sed -n '4,$p' out | grep -cE '^(z|mu|one|s|y)')" = 65 ] || fail "not all"
}
test_help_of_a_command() {
  expect 0 "$aimc" run --help
  says out '--draws'
  grep -q -- '--stage' out && fail "run has no stages"
  expect 0 "$aimc" check --help
  grep -q -- '--stage' out && fail "check has no stages"
  says out '--quiet'
  expect 0 "$aimc" ir --help
  says out '--stage'
}
test_draws_that_cannot_fit() {
  printf 'model m(N: int) {\n  x: real[N] ~ Normal(0, 1)\n}\ninfer m on N = 2000000000\n' > m.aim
  expect 2 "$aimc" run m.aim
  says err '`x` has 2000000000 elements: the draws would need'
  grep -q 'exhausted' err && fail "said twice"
  expect 2 "$aimc" run eight_schools.aim --draws 100000000 --chains 1000
  says err 'elements: the draws would need'
}
test_threads_give_the_same_moments() {
  for n in 1 3; do expect 0 "$aimc" run eight_schools.aim --method importance --particles 5000 --threads $n --out t$n --quiet; done
  cmp -s t1/summary.tsv t3/summary.tsv || fail "the table depends on threads"
  awk -F'\t' 'NR == 2 && !($7 > 0 && $8 < 5000 && $10 == "nan") { exit 1 }' t1/summary.tsv || fail "$(sed -n 2p t1/summary.tsv)"
}

# Told before the run, not behind it.  Devices are left what they are.
test_outputs_that_cannot_be() {
  for option in "--output away/x.nc" "--report away/x.html"; do
    expect 2 "$aimc" run eight_schools.aim --draws 100000000 --thin 1000000 -q $option
    says err 'No such file or directory'
  done
  mkdir page.html
  expect 2 "$aimc" run eight_schools.aim --draws 100000000 --thin 1000000 -q --report page.html
  says err 'Is a directory'
  mkfifo pipe.html
  expect 2 "$aimc" run eight_schools.aim --draws 20 --warmup 20 -q --report pipe.html
  [ -p pipe.html ] || fail "a pipe was replaced by a file"
}
