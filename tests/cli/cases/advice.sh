# What a run says of itself: places, counts, and no advice against what was done already.

test_first_place_of_a_nan() {
  cat >m.aim <<'E'
model m(x: real[N], y: real[N]) {
  b ~ Normal(0, 5)
  plate i in 1..N { y[i] ~ Normal(sqrt(b) * x[i], 1) }
}
infer m on x = [1, -2, 3], y = [1, 2, 3] with nuts(draws = 200, warmup = 200)
E
  expect 0 $aimc run m.aim
  says out 'gave NaN, first at m.aim:3:35'
  says out 'See to those first.'
}

test_first_place_outside_a_support() {
  cat >m.aim <<'E'
model r(n: int) {
  a ~ Uniform(0, 1)
  b ~ Uniform(0, 1 - a)
  track t = n * b
}
infer r on n = 2 with mh(draws = 1000, warmup = 1000)
E
  expect 0 $aimc run m.aim
  says out 'first at m.aim:3:3'
}

test_points_are_counted_once() {
  cat >m.aim <<'E'
model m(n: int) {
  p ~ Normal(0, 1)
  plate i in 1..n { z[i] ~ Bernoulli(p) }
}
infer m on n = 3 with nuts(draws = 200, warmup = 200)
E
  expect 0 $aimc run m.aim
  told=$(sed -n 's/^\([0-9]*\) times after warm-up a value was outside.*/\1/p' out)
  diverged=$(sed -n 's/^\([0-9]*\) of 800 transitions diverged.*/\1/p' out)
  [ -n "$told" ] && [ "$told" = "$diverged" ] || fail "$told points, $diverged divergences"
}

test_nan_of_data_alone() {
  cat >m.aim <<'E'
model m(x: real[N], y: real[N]) {
  b ~ Normal(0, 5)
  let z = 2 + log(x)
  y ~ Normal(b * z, 1)
}
infer m on x = [1, -2, 3], y = [1, 2, 3]
E
  for engine in vm auto; do
    expect 1 $aimc run --engine $engine m.aim
    says err 'error[E0788]'
    says err 'm.aim:3:15'
    says err '^^^^^^ element [2]'
  done
}

test_covariance_of_data_without_a_factor() {
  cat >m.aim <<'E'
model gp(x: real[N], y: real[N]) {
  f ~ MultiNormal(rep(0.0, N), gp_exp_quad(distances(x, x), 1.0, 2.0))
  y ~ Normal(f, 0.1)
}
infer gp on x = [1, 1, 2, 2, 3], y = [1, 1, 2, 2, 3]
E
  expect 1 $aimc run m.aim
  says err 'without a Cholesky factor'
  says err 'add to the diagonal'
}

test_replicas_of_what_reads_its_own_past() {
  cat >m.aim <<'E'
model ar(y: real[T]) {
  phi ~ Uniform(-1, 1)
  y[1] ~ Normal(0, 1)
  plate t in 2..T { y[t] ~ Normal(phi * y[t - 1] + mean(y), 0.1) }
  predict y
}
infer ar on y = [1, 0.9, 0.8] with nuts(draws = 100, warmup = 100)
E
  expect 0 $aimc run m.aim
  says err 'note[N0914]: `y_rep` is drawn given the observed `y`'
  [ "$(grep -c N0914 err)" = 1 ] || fail "told more than once"
  sed 's/phi \* y\[t - 1\] + mean(y)/phi/' m.aim >n.aim
  expect 0 $aimc run n.aim
  ! grep -q N0914 err || fail "told where nothing reads"
  sed 's/ + mean(y)//' m.aim >n.aim
  expect 0 $aimc run n.aim
  ! grep -q N0914 err || fail "told of a replica that reads its own past"
}

test_no_evidence_says_why() {
  cat >m.aim <<'E'
model m(h: real[N]) {
  s: spin[N] ~ Flat()
  energy -sum(h[i] * s[i] for i in 1..N)
}
infer m on h = [1, 2] with tempering(beta = linear(0.1 -> 1, rungs = 3), warmup = 50, draws = 50)
E
  expect 0 $aimc run m.aim
  says out 'no log evidence: the lowest beta of the ladder is not 0'
}

# Two change points meet in every observation: their states multiply.  One does not, and gibbs draws them one by one.
test_dear_sums() {
  awk 'BEGIN { printf "{\"y\": ["; for (t = 1; t <= 60; t++) printf("%s%d", (t > 1 ? ", " : ""), (t * 7) % 5); print "]}" }' > y.json
  printf 'model two(y: int[T]) {\n  a ~ Exponential(1)\n  b ~ Exponential(1)\n  s ~ DiscreteUniform(1, T)\n  u ~ DiscreteUniform(1, T)\n' > two.aim
  printf '  for t in 1..T { y[t] ~ Poisson(if t < s { a } else { if t < u { b } else { a + b } }) }\n}\n' >> two.aim
  sed '/  u ~/d; s/ u / T /' two.aim > one.aim
  cp two.aim gibbs.aim
  echo 'infer two on "y.json"' | tee -a two.aim >> one.aim
  echo 'infer two with gibbs on "y.json"' >> gibbs.aim
  expect 0 "$aimc" explain two.aim
  says err "W0835"
  says err "over up to 3600 states together"
  for model in one gibbs; do
    expect 0 "$aimc" explain $model.aim
    grep -q W0835 err && fail "$model is warned of"
  done
}
