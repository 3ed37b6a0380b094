# aimc run of an anneal statement: the energies and the state of the lowest, not a table of means.

# Fields 2, -1, 3 and -4 without couplings: the lowest energy is -10, at + - + -.
test_anneal_state() {
  printf 'model m(h: real[n]) {\n  s: spin[n] ~ Flat()\n  energy -dot(h, s)\n  track up = sum(s)\n}\nanneal m on h = [2.0, -1.0, 3.0, -4.0] with geometric(beta = 0.1 -> 50, sweeps = 50) using metropolis(replicas = 8)\n' > m.aim
  expect 0 "$aimc" run m.aim
  says out "lowest energy -10: draw 1, reached by 8 of 8"
  says out "0 % -10, 5 % -10"
  says out "s   +-+-"
  says out "up  0"
  grep -q R_hat out && fail "a table of means is printed"
  expect 0 "$aimc" run --all m.aim
  says out "R_hat"
}

test_anneal_long_state() {
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s)\n}\nanneal m on n = 300 with linear(1 -> 50, 20)\n' > m.aim
  expect 0 "$aimc" run m.aim
  says out "... (300 values)"
  [ "$(grep '^s ' out | wc -c)" -le 101 ] || fail "the state is longer than the line"
}

test_anneal_coloured() {
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i + 1] * s[i + 2] for i in 1..n - 2)\n}\nanneal m on n = 9 with hold(5) using gibbs(order = coloured)\n' > m.aim
  expect 1 "$aimc" run m.aim
  says err "takes an energy of pairs of spins or colours"
  sed 's/ \* s\[i + 2\]//' m.aim > pairs.aim
  expect 0 "$aimc" run pairs.aim
}

# A block of 512 replicas is one job: results are of the seed alone.
test_anneal_threads() {
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i + 1] for i in 1..n - 1)\n}\nanneal m on n = 100 with linear(0 -> 1, 10) using gibbs(replicas = 1100)\n' > m.aim
  expect 0 "$aimc" run --set threads=1 --out one m.aim
  expect 0 "$aimc" run --set threads=3 --out three m.aim
  cmp -s one/trace.tsv three/trace.tsv || fail "the trace depends on threads"
}
# An annealing that would take days: SIGINT ends it after the current sweep, and what it has met is there, whole.
test_anneal_sigint() {
  for kernel in 'energy -sum(s[i] * s[i + 1] for i in 1..n - 1)' 'energy -sum(s[i] * s[i + 1] * s[i + 2] for i in 1..n - 2)'; do
    printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  %s\n}\nanneal m on n = 40 with geometric(beta = 0.01 -> 2, sweeps = 1000000000000) using metropolis(replicas = 10)\n' "$kernel" > m.aim
    "$aimc" run m.aim --out d --threads 2 > out 2> err &
    pid=$!
    n=0
    while [ $n -lt 300 ] && [ ! -s d/m-1.csv ]; do sleep 0.02; n=$((n + 1)); done
    sleep 0.3
    kill -INT $pid
    wait $pid
    [ $? -eq 130 ] || fail "the run was not stopped"
    says out 'lowest energy -'
    says err 'stopped by SIGINT; complete draws are in d'
    says d/run.json '"interrupted": true'
    whole d/m-1.csv || fail "broken rows"
    [ "$(rows d/m-1.csv)" -eq 10 ] || fail "$(rows d/m-1.csv) replicas"
    [ "$(wc -l < d/trace.tsv)" -gt 2 ] || fail "no trace"
    # The energies told are those of the states beside them.
    couple=$(echo "$kernel" | grep -c '+ 2')
    grep -v '^#' d/m-1.csv | awk -F, -v c="$couple" 'NR == 1 { for (k = 1; k <= NF; k++) if ($k == "energy__") at = k; else if ($k == "s.1") s = k; next }
      { e = 0; for (i = 0; i < 39 - c; i++) e -= $(s + i) * $(s + i + 1) * (c ? $(s + i + 2) : 1); if (e != $at) bad = 1; if (NR == 2 || e < m) m = e }
      END { print m; exit bad }' > least || fail "an energy is not that of its state"
    says d/run.json "\"best_energy\": $(cat least)"
  done
}
