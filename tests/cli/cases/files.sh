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
