# aimc sbc: simulation-based calibration.  Seeds are fixed, so what passes and fails here does so each time.

# normal LINE: three observations of a normal, with a further line in the model.
normal() { printf 'model normal(y: real[N]) {\n  mu ~ Normal(0, 1)\n  s ~ LogNormal(0, 0.5)\n%s  plate i in 1..N { y[i] ~ Normal(mu, s) }\n}\ninfer normal on y = [0.5, 1, 2] with nuts(chains = 1, warmup = 200, draws = 200)\n' "$1" > normal.aim; }

test_sbc_passes() {
  expect 0 "$aimc" sbc eight_schools.aim --simulations 80 --chains 1 --warmup 300 --draws 300
  says out "0 of 10 quantities fail"
  says out "80 simulations, ranks among 31 draws"
  normal ''
  expect 0 "$aimc" sbc normal.aim
}

# Likelihoods of every kind of data, a choice of latents among them, by another method.
test_sbc_kinds() {
  cat > kinds.aim <<'END'
model kinds(k: index(3)[N], b: bool[N], z: int<lower = 0>[N], v: real[N, 2]) {
  w ~ Dirichlet([1.0, 2, 3])
  a ~ Normal(0, 1)
  m: real[2] ~ Normal(0, 1)
  g ~ Bernoulli(0.3)
  plate i in 1..N {
    k[i] ~ Categorical(w)
    b[i] ~ Bernoulli(logit = a)
    if g { z[i] ~ Poisson(5) } else { z[i] ~ Poisson(3 * exp(a)) }
    v[i] ~ MultiNormal(m, [[1.0, 0.3], [0.3, 1]])
  }
}
infer kinds on k = [1, 2, 1], b = [true, false, true], z = [1, 2, 3], v = [[0, 1.0], [1, 1], [0, 0]] with gibbs(chains = 1, warmup = 100, draws = 150)
END
  expect 0 "$aimc" sbc kinds.aim --simulations 80
  says out "0 of 7 quantities fail"
}

# Draws of a normal approximation to an exponential posterior, and of a posterior that has a factor more than the simulations.
test_sbc_fails() {
  printf 'model rates(n: int<lower = 0>[N]) {\n  r ~ Gamma(1, 0.5)\n  plate i in 1..N { n[i] ~ Poisson(r) }\n}\ninfer rates on n = [0, 1] with laplace(draws = 200)\n' > rates.aim
  expect 1 "$aimc" sbc rates.aim --simulations 500
  says out "1 of 1 quantities fail"
  expect 0 "$aimc" sbc rates.aim --simulations 500 --method nuts --chains 1 --warmup 200 --draws 200
  normal '  factor 1.5 * mu
'
  expect 1 "$aimc" sbc normal.aim
  says out "1 of 2 quantities fail"
  printf 'infer normal on y = [0.5, 1, 2] with pathfinder(draws = 100) as second\n' >> normal.aim
  expect 1 "$aimc" sbc normal.aim --simulations 40
  says out "second: pathfinder, 40 simulations"
}

test_sbc_threads() {
  normal ''
  expect 0 "$aimc" sbc --json --simulations 40 --threads 1 normal.aim
  mv out one
  expect 0 "$aimc" sbc --json --simulations 40 --threads 3 normal.aim
  cmp -s one out || fail "the number of threads changed the ranks"
  says out '"quantity": "mu", "simulations": 40, "draws": 31'
  says out '"calibrated": true'
  expect 0 "$aimc" sbc --json --simulations 40 --seed 2 normal.aim
  cmp -s one out && fail "another seed gave the same ranks"
  python3 -c 'import json; [json.loads(x) for x in open("one")]' || fail "no JSON"
}

# Data that read their own past: all ranks of 200 simulations, with a false alarm of 0.001 for each model.  What the statement believes of that past is wrong in the twins.
test_sbc_of_what_reads_its_own_past() {
  cat > ar.aim <<'END'
model ar(y: real[T]) {
  phi ~ Uniform(-1, 1)
  s ~ LogNormal(0, 0.3)
  y[1] ~ Normal(0, 1)
  for t in 2..T { y[t] ~ Normal(phi * y[t - 1], s) }
}
infer ar on y = [1, 0.9, 0.8, 0.5, 0.3, 0.2, 0.1, 0.4, 0.5] with nuts(chains = 1, warmup = 200, draws = 200)
END
  expect 0 "$aimc" sbc ar.aim
  says out "0 of 2 quantities fail"
  sed 's|^  y\[1\]|  factor sum(logpdf(Normal(0.5 * phi * y[t - 1], s), y[t]) - logpdf(Normal(phi * y[t - 1], s), y[t]) for t in 2..T)\n&|' ar.aim > twin.aim
  expect 1 "$aimc" sbc twin.aim
  sed 's|^  for.*|  y[2..T] ~ Normal(phi * y[1..T - 1], s)|' ar.aim > vectors.aim
  expect 0 "$aimc" sbc vectors.aim
  says out "0 of 2 quantities fail"
  cat > walk.aim <<'END'
model walk(y: real[T]) {
  q ~ LogNormal(-1, 0.3)
  r ~ LogNormal(-1, 0.3)
  x[1] ~ Normal(0, 1)
  y[1] ~ Normal(x[1], r)
  for t in 2..T {
    x[t] ~ Normal(x[t - 1] + 0.3 * (y[t - 1] - x[t - 1]), q)
    y[t] ~ Normal(x[t], r)
  }
}
infer walk on y = [0.1, 0.5, -0.7, 1.2, -0.8, 0.4, 0.2, -0.3] with nuts(chains = 1, warmup = 300, draws = 300)
END
  expect 0 "$aimc" sbc walk.aim
  says out "0 of 10 quantities fail"
  cat > garch.aim <<'END'
model garch(y: real[T]) {
  mu ~ Normal(0, 0.5)
  a0 ~ LogNormal(-1, 0.4)
  a1 ~ Beta(4, 4)
  b1 ~ Beta(2, 6)
  let s[1] = 0.7
  for t in 2..T { let s[t] = sqrt(a0 + a1 * (y[t - 1] - mu)^2 + b1 * s[t - 1]^2) }
  y ~ Normal(mu, s)
}
infer garch on y = [0.1, 0.5, -0.7, 1.2, -0.8, 0.4, 0.2, -0.3, 0.1, 1.1, 0.1, 0.5, -0.7, 1.2, -0.8, 0.4, 0.2, -0.3, 0.1, 1.1] with nuts(chains = 1, warmup = 300, draws = 300)
END
  expect 0 "$aimc" sbc garch.aim
  says out "0 of 4 quantities fail"
  sed 's|^  y ~|  factor sum(logpdf(Normal(mu, sqrt(a0 + b1 * s[t - 1]^2)), y[t]) - logpdf(Normal(mu, s[t]), y[t]) for t in 2..T)\n&|' garch.aim > twin.aim
  expect 1 "$aimc" sbc twin.aim
}

test_sbc_refuses() {
  printf 'model m(y: real[T]) {\n  phi ~ Uniform(-1, 1)\n  y ~ Normal(phi * mean(y), 1)\n}\ninfer m on y = [0.5, 1, 2]\n' > m.aim
  expect 1 "$aimc" sbc m.aim
  says err "error[E0914]: data of this model cannot be simulated: \`y\` is in the way"
  says err "this reads values of \`y\` that are not drawn yet"
  printf 'model m(y: real<lower = 0>[T]) {\n  mu ~ Normal(0, 1)\n  let ly = log(y)\n  ly ~ Normal(mu, 1)\n}\ninfer m on y = [0.5, 1, 2]\n' > m.aim
  expect 1 "$aimc" sbc m.aim
  says err "it is computed from the data"
  printf 'model m(y: real[T]) {\n  mu: real ~ Flat()\n  plate t in 1..T { y[t] ~ Normal(mu, 1) }\n}\ninfer m on y = [0.5, 1, 2]\n' > m.aim
  expect 1 "$aimc" sbc m.aim
  says err "cannot be simulated: \`mu\` is in the way"
  says err "it has no prior that can be drawn"
  printf 'model m(n: int, y: real[n]) {\n  mu ~ Normal(0, 1)\n  n ~ Poisson(3)\n  plate t in 1..n { y[t] ~ Normal(mu, 1) }\n}\ninfer m on n = 3, y = [0.5, 1, 2]\n' > m.aim
  expect 1 "$aimc" sbc m.aim
  says err "a size is observed"
  printf 'model m(y: real[T]) {\n  mu ~ Normal(0, 1)\n  plate t in 1..T { y[t] ~ Normal(mu, 1) }\n}\ninfer m on "y.csv"\n' > m.aim
  printf 'y\n1\nNA\n2\n' > y.csv
  expect 1 "$aimc" sbc m.aim
  says err "some of its values are missing"
  normal ''
  expect 1 "$aimc" sbc normal.aim --method map
  says err "map draws no posterior"
  expect 1 "$aimc" sbc normal.aim --draws 10
  says err "ranks are among 31 draws"
  expect 1 "$aimc" sbc normal.aim --simulations 3
  says err "--simulations wants a number"
}
