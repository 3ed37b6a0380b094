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
