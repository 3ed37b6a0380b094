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

# Whatever moves the replicas, a schedule that reads what it met or not: all files are of the seed alone.
test_anneal_files_of_threads() {
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i + 1] for i in 1..n - 1)\n  track up = sum(s)\n}\nanneal m on n = 40 with linear(0 -> 1, 20) using gibbs(replicas = 1100)\n' > bits.aim
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(0.37 * i * s[i] * s[i %% n + 1] for i in 1..n) - 0.1 * sum(s)\n}\nanneal m on n = 20 with geometric(beta = 0.1 -> 9, sweeps = 40) until stable(window = 9) using metropolis(order = random, replicas = 200)\n' > stop.aim
  printf 'model m(n: int) {\n  s: index(3)[n] ~ Flat()\n  energy -sum(s[i] == s[i + 1] for i in 1..n - 1)\n}\nanneal m on n = 20 with linear(0 -> 3, 15) using gibbs(order = coloured, replicas = 150)\n' > colours.aim
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  x: real[n] ~ Normal(0, 1)\n  energy sum(x[i] * s[i] * s[i %% n + 1] for i in 1..n)\n}\nanneal m on n = 5 with linear(0 -> 3, 15) using metropolis(replicas = 150)\n' > reals.aim
  for m in bits stop colours reals; do
    for t in 1 2 4; do expect 0 "$aimc" run --set threads=$t --out $m$t $m.aim; done
    for f in m-1.csv trace.tsv summary.tsv; do
      cmp -s ${m}1/$f ${m}2/$f || fail "$f of $m depends on threads: 1 and 2"
      cmp -s ${m}1/$f ${m}4/$f || fail "$f of $m depends on threads: 1 and 4"
    done
  done
}

# A square lattice of couplings -1, 0 and 1 whose sides fit is moved a row of bits at a time.  Energies told are those of the states; held at a temperature the mean is
# Onsager's, u = -0.7044991 a site at beta 0.3, within five errors that 20 blocks of the trace say (every eighth sweep is in it), where a lattice this wide is as an infinite one.
test_anneal_plane() {
  cat > plane.aim <<'END'
model plane(H: int, W: int, mixed: real) {
  s: spin[H, W] ~ Flat()
  energy -sum((if (7 * i + 3 * j) % 5 == 0 { 1 - 2 * mixed } else { 1.0 }) * s[i, j] * s[i % H + 1, j] + (if (i + j) % 7 == 0 { 1 - mixed } else { 1.0 }) * s[i, j] * s[i, j % W + 1]
              for i in 1..H, j in 1..W)
  track e = -sum((if (7 * i + 3 * j) % 5 == 0 { 1 - 2 * mixed } else { 1.0 }) * s[i, j] * s[i % H + 1, j] + (if (i + j) % 7 == 0 { 1 - mixed } else { 1.0 }) * s[i, j] * s[i, j % W + 1]
              for i in 1..H, j in 1..W)
}
anneal plane on H = 32, W = 128, mixed = 1.0 with linear(beta = 0.1 -> 3, sweeps = 60) using gibbs(order = coloured, replicas = 5)
END
  expect 0 "$aimc" explain plane.aim
  says out "of which 512 spins are moved at a time"
  expect 0 "$aimc" run plane.aim --out plane
  awk -F, '!/^#/ && !h { for (k = 1; k <= NF; k++) { if ($k == "energy__") a = k; if ($k == "e") b = k }; h = 1; next }
           !/^#/ { n++; if ($a != $b || $a > -5000) bad++ } END { exit !(n == 5 && !bad) }' plane/plane-1.csv || fail "energies are not those of the states"
  sed 's/mixed = 1.0 with .*/mixed = 0.0 with hold(beta = 0.3, sweeps = 1200) using gibbs(order = coloured, replicas = 5)/' plane.aim > hot.aim
  expect 0 "$aimc" run hot.aim --out hot
  cut -f 4 hot/trace.tsv | awk 'NR > 31 && NR <= 151 { k = int((NR - 32) / 6); m[k] += $1 / 6 / 4096 }
    END { for (k = 0; k < 20; k++) mean += m[k] / 20
          for (k = 0; k < 20; k++) v += (m[k] - mean) ^ 2 / 19
          se = sqrt(v / 20); z = (mean + 0.7044991) / se
          print "energy a site", mean, "+-", se, "z", z
          exit !(se > 0 && se < 0.002 && z < 5 && z > -5) }' > told || fail "the energy of the hot lattice: $(cat told)"
}
