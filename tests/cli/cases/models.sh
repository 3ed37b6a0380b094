# What a model with a habit of its own gives when it is run.

# Integers may be observed as the reals of their distribution, and are replicated as reals.
test_integers_of_a_normal() {
  cat > whole.aim <<'END'
model whole(y: int[N]) { mu ~ Normal(0, 1); plate i in 1..N { y[i] ~ Normal(mu, 1) }; predict y }
infer whole on y = [1, 2, 3] with nuts(warmup = 200, draws = 200)
END
  expect 0 "$aimc" run whole.aim
  says out "y_rep[3]"
  printf 'model whole(y: int[N]) { y[1] ~ Normal(0, 1); plate i in 2..N { y[i] ~ Poisson(2) }; predict y }\ninfer whole on y = [1, 2]\n' > both.aim
  expect 1 "$aimc" run both.aim
}

# What is tracked may be an expression without a name, and inside `predict` may depend on what is predicted.
test_track_predicted() {
  cat > check.aim <<'END'
model check(y: real[N]) {
  mu ~ Normal(0, 1)
  y ~ Normal(mu, 1)
  track mu + 1
  predict {
    plate i in 1..N { r[i] ~ Normal(mu, 1) }
    let top = max(r)
    track top, above = top > max(y)
  }
}
infer check on y = [1, 2, 3] with nuts(warmup = 200, draws = 200)
END
  expect 0 "$aimc" run check.aim --out=draws
  says out "mu + 1"
  says out "above"
  says "$(ls draws/*.csv | head -n 1)" ",top,"
  printf 'model m(y: real[N]) { mu ~ Normal(0, 1); y ~ Normal(mu, 1); predict { plate i in 1..N { r[i] ~ Normal(mu, 1); track q = r[i] } } }\ninfer m on y = [1]\n' > inside.aim
  expect 1 "$aimc" run inside.aim
}

# Where chains start can be said in the statement, as messages advise.
test_init_radius_of_statement() {
  printf 'model m(y: real[N]) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }\ninfer m on y = [1, 2] with nuts(init_radius = 0.1, warmup = 100, draws = 100)\n' > radius.aim
  expect 0 "$aimc" run radius.aim
}

# Labels that were taken for counts show in the note on the number of groups.
test_sparse_index() {
  printf 'model m(y: real[N], g: index(J)[N]) { a: real[J] ~ Normal(0, 1); y ~ Normal(a[g], 1) }\ninfer m on y = [1, 2, 0], g = [7, 120, 7] with nuts(warmup = 50, draws = 50)\n' > labels.aim
  expect 0 "$aimc" run labels.aim
  says err "2 of 1..120 occur"
}

# A file of a statement that nothing needs may be absent.
test_file_not_needed() {
  printf 'model m(y: real[N]) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }\ninfer m on "absent.json" with nuts(warmup = 50, draws = 50)\n' > file.aim
  expect 0 "$aimc" run file.aim --data 'y = [1, 2]'
  expect 1 "$aimc" run file.aim
  says err "absent.json"
}

# A listing has types in full: bounds, and the supports of distributions, in terms of their arguments.
test_check_types() {
  printf 'model m(n: int<lower = 0>[N], K: int) { s ~ HalfNormal(1); th ~ Dirichlet(rep(1.0, K)); r: real<upper = -1> ~ Flat(); n ~ Poisson(s) }\n' > types.aim
  expect 0 "$aimc" check types.aim
  says out "m(n: int<lower = 0>[N], K: int) -> s: real<lower = 0>, th: simplex(K), r: real<upper = -1>"
  printf '%s\n' 'model b(L: real, K: int, y: real<lower = L>[K]) {' ' s: real[K] ~ HalfNormal(1)' ' plate i in 1..K { a[i] ~ LogNormal(0, 1) }' \
    ' p ~ Uniform(L, L + 1)' ' c: real<lower = 0.5>[K] ~ Beta(1, 1)' ' k ~ Binomial(K, 0.5)' ' v: real<lower = 2> ~ Normal(0, 1)' \
    ' z[1] ~ HalfNormal(1)' ' z[2] ~ Normal(0, 1)' ' y ~ Normal(p, s) }' > bounds.aim
  expect 0 "$aimc" check bounds.aim
  says out "y: real<lower = L>[K]) -> s: real<lower = 0>[K], a: real<lower = 0>[K], p: real<lower = L, upper = L + 1>"
  says out "c: real<lower = 0.5, upper = 1>[K], k: int<lower = 0, upper = K>, v: real<lower = 2>, z: real[2]"
}
# What a forecast reads of the array that it continues may lie further back than one step, also where it is one statement.
test_forecast_reads_back() {
  printf '%s\n' 'model one(y: real[T]) { s ~ HalfNormal(1); y ~ Normal(0, s); predict { y[T + 1] ~ Normal(y[T - 1], 1e-9) } }' \
    'infer one on y = [1, 2, 7, 3] with nuts(chains = 1, warmup = 50, draws = 50, seed = 1)' \
    'model two(y: real[T]) { s ~ HalfNormal(1); y ~ Normal(0, s); predict { for t in T + 1..T + 2 { y[t] ~ Normal(y[t - 2], 1e-9) } } }' \
    'infer two on y = [1, 2, 7, 3] with nuts(chains = 1, warmup = 50, draws = 50, seed = 1)' \
    'infer two on y = [1] with nuts(chains = 1, warmup = 50, draws = 50, seed = 1) as short' > back.aim
  expect 1 "$aimc" run back.aim
  grep -q '^y_forecast\[5\] *7\.0000' out || fail "not the value two steps back"
  grep -q '^y_forecast\[6\] *3\.0000' out || fail "not the value two steps back"
  says err "index 0 is outside 1..3"
}
# An index that the data put outside is told by its place and by the array, whoever runs the model.
test_index_of_the_data() {
  printf '%s\n' 'model m(X: real[N, P], y: real[N]) {' '  beta: real[P] ~ Normal(0, 1)' '  y ~ Normal(X @ beta, 1)' '  track i0 = beta[4]' '}' \
    'infer m on X = [[1, 2, 3]], y = [1] with nuts(chains = 1, warmup = 5, draws = 5)' > unknown.aim
  printf '%s\n' 'model q(k: int, y: real[N]) {' '  mu ~ Normal(0, 1)' '  y ~ Normal(mu, 1)' '  track q = y[k]' '}' \
    'infer q on y = [1, 2], k = 3 with nuts(chains = 1, warmup = 5, draws = 5)' > data.aim
  engines="auto vm"
  [ -x "$(dirname "$aimc")/aim-cc" ] && engines="$engines jit"
  for engine in $engines; do
    expect 1 "$aimc" run --engine $engine unknown.aim
    says err "index 4 is outside 1..3"
    says err "unknown.aim:4:"
    expect 1 "$aimc" run --engine $engine data.aim
    says err "index 3 is outside 1..2"
    says err "data.aim:4:"
  done
}
# Observations of parts that have no element in common, and of the branches of a choice, are no mistake.
test_parts_observed_once() {
  printf '%s\n' \
    'model m0(y: real[N], k: int, m: int) { mu ~ Normal(0, 1); plate i in 1..k { y[i] ~ Normal(mu, 1) }; plate i in 1..m { y[i] ~ Normal(mu, 2) } }' \
    'infer m0 on y = [1, 2, 3], k = 0, m = 3 with nuts(chains = 1, warmup = 5, draws = 5)' \
    'model ma(y: real[T]) { mu ~ Normal(0, 1); y[1] ~ Normal(mu, 1); for t in 2..T { y[t] ~ Normal(mu, 1) } }' \
    'model mb(y: real[N], k: int) { mu ~ Normal(0, 1); y[1..k] ~ Normal(mu, 1); y[k + 1..N] ~ Normal(mu, 1) }' \
    'model mc(y: real[N], c: int) { mu ~ Normal(0, 1); if c == 1 { y ~ Normal(mu, 1) } else { y ~ Normal(mu, 2) } }' \
    'model md(y: real[N], z: bool[N]) { mu ~ Normal(0, 1); plate i in 1..N if z[i] { y[i] ~ Normal(mu, 1) }; plate i in 1..N if not z[i] { y[i] ~ Normal(mu, 2) } }' \
    'model me(y: real[N, 2]) { mu ~ Normal(0, 1); y[:, 1] ~ Normal(mu, 1); plate i in 1..N { y[i, 2] ~ Normal(mu, 1) } }' \
    'model mf(y: real[N], len: int[D], start: int[D]) { mu ~ Normal(0, 1); plate d in 1..D { plate i in 1..len[d] { y[start[d] + i - 1] ~ Normal(mu, 1) } } }' \
    'model mg(y: real[N]) { mu ~ Normal(0, 1); y[1..3] ~ Normal(mu, 1); plate i in 5..N { y[i] ~ Normal(mu, 1) } }' \
    'model mh(y: real[N]) { mu ~ Normal(0, 1); for i in 1..N by 2 { y[i] ~ Normal(mu, 1) }; for i in 2..N by 2 { y[i] ~ Normal(mu, 1) } }' \
    'model mk(y: real[N]) { z ~ Bernoulli(0.5); mu ~ Normal(0, 1); if z { y ~ Normal(mu, 1) } else { y ~ Normal(mu, 2) } }' \
    'infer ma on y = [1, 2, 3] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mb on y = [1, 2, 3], k = 1 with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mc on y = [1, 2, 3], c = 1 with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer md on y = [1, 2, 3], z = [true, false, true] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer me on y = [[1, 2], [3, 4]] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mf on y = [1, 2, 3], len = [1, 2], start = [1, 2] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mg on y = [1, 2, 3, 4, 5] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mh on y = [1, 2, 3, 4, 5] with nuts(chains = 1, warmup = 5, draws = 5)' \
    'infer mk on y = [1, 2, 3, 4, 5] with nuts(chains = 1, warmup = 5, draws = 5)' > parts.aim
  expect 0 "$aimc" run parts.aim
}
test_a_funnel_is_noncentred() {
  expect 0 "$aimc" explain eight_schools.aim
  says out 'theta is sampled through z, as mu + tau * z: of it the data say'
  says out 'target acceptance 0.95'
  expect 0 "$aimc" run eight_schools.aim --quiet --out told # four chains of the default length
  says told/run.json '"noncentred": ['
  [ "$(grep -c '"divergent": 0' told/run.json)" = 4 ] || fail "transitions diverged"
  expect 0 "$aimc" run eight_schools.aim --draws 10 --warmup 10
  says out 'non-centred: theta'
  expect 0 "$aimc" run eight_schools.aim --draws 10 --warmup 10 --set 'centred = [theta]'
  grep -q '^non-centred:' out && fail "a centred site is said to be non-centred"
  expect 0 "$aimc" explain eight_schools.aim --set 'centred = [theta]'
  grep -q 'tau \* z' out && fail "a centred site is non-centred"
  says out 'target acceptance 0.8'
  expect 0 "$aimc" explain eight_schools.aim --set 'noncentred = [theta]' --target-accept 0.7
  says out 'target acceptance 0.7'
  expect 1 "$aimc" explain eight_schools.aim --set 'noncentred = [mu]'
  says err 'cannot be non-centred'
  expect 1 "$aimc" explain eight_schools.aim --set 'noncentred = [teta]'
  says err 'did you mean `theta`?'
  expect 1 "$aimc" explain eight_schools.aim --set 'noncentred = [theta]' --set 'centred = [theta]'
  says err 'named by both'
}
test_metrics() {
  for k in diagonal fisher dense lowrank auto; do
    expect 0 "$aimc" run eight_schools.aim --metric $k --draws 20 --warmup 200 --chains 1 -q --out $k
    says $k/run.json "\"metric\": \"$k\""
  done
  says diagonal/*-1.csv 'metric = diag_e'
  says fisher/*-1.csv 'metric_estimate = fisher'
  says dense/*-1.csv 'metric = dense_e'
  says lowrank/*-1.csv 'metric = lowrank'
  expect 0 "$aimc" run eight_schools.aim --draws 20 --chains 3
  says out ', metric '
  printf 'model m(x: real[N], y: real[N]) {\n  a ~ Normal(0, 10)\n  b ~ Normal(0, 10)\n  y ~ Normal(a + b * x, 1)\n}\ninfer m on x = [100, 101, 102], y = [1.0, 2.5, 2.0]\n' > along.aim
  expect 0 "$aimc" run along.aim --metric lowrank --draws 20 --chains 1 -q --out along
  says along/*-1.csv 'Roots of E, then rows of U, of rank 2'
  [ "$(sed -n '/^# Roots/,/^[^#]/p' along/*-1.csv | grep -c '^# [-0-9.e, ]*$')" = 4 ] || fail "not two roots and two rows"
  [ "$(sed -n '/^# Elements of inverse mass/,/^[^#]/p' dense/*-1.csv | grep -c '^# [-0-9.e]*, ')" = 10 ] || fail "not a row for each of 10 unknowns"
}

# Remarks come by line, each once; those on text of the library come last, and nothing is said of likelihoods of a few elements.
test_remarks_are_told_once() {
  cat > two.aim <<'END'
model two(x: real[N]) {
  w ~ Beta(2, 2)
  mu: ordered(2) ~ Normal(0, 5)
  s ~ HalfNormal(2)
  factor sum(log_sum_exp([log(w) + logpdf(Normal(mu[1], s), x[i]), log1p(-w) + logpdf(Normal(mu[2], s), x[i])]) for i in 1..N)
}
infer two on x = [-2.1, -1.8, 2.3, 1.9, 2.2, -2.4]
END
  expect 0 "$aimc" explain two.aim
  says out 'the exponential it is taken of (4 times)'
  grep -E '^  (line [0-9]+|library) ' out > remarks
  [ -z "$(sort remarks | uniq -d)" ] || fail "a remark is told twice"
  sed -n 's/^  line \([0-9]*\) .*/\1/p' remarks | sort -nc || fail "remarks are not in the order of lines"
  grep -A99 '^  library' remarks | grep -q '^  line' && fail "a line of the program comes after the library"
  grep -q 'too few' out && fail "statistics of two elements are missed"
}

# A solve that fails is told as one, with the line of the call: in the advice behind a run, and where no start was found, for solves of data too.
test_failed_solves() {
  fn='fn f(t: real, u: real[D]): real[D] = u * u'
  printf '%s\nmodel pole(ts: real[T], y: real[T]) {\n  k ~ LogNormal(0, 1)\n  let u = ode(f, [k], 0, ts)\n  y ~ Normal(u[:, 1], 1)\n}\n%s\n' "$fn" \
    'infer pole on ts = [1, 2, 3], y = [0.6, 0.3, 0.2] with nuts(warmup = 300, draws = 300)' > pole.aim
  expect 0 "$aimc" run pole.aim
  says out "a solve failed, first at pole.aim:4:11"
  sed 's/\[k\]/[1.0]/; s/u\[:, 1\]/k * u[:, 1]/' pole.aim > data.aim
  expect 1 "$aimc" run data.aim
  says err "data.aim:4:11"
  says err "a solve that failed"
  ! grep -q "factor. makes" err || fail "a solve is taken for a factor of the program"
}

# Results that are kept change no draw, with whatever engine and threads; how often they were there is counted.
test_memo() {
  cat > plain.aim <<'END'
fn unhappy(J: real[N, N], s: spin[N]): real = sum(1.0 for i in 1..N, j in 1..N if J[i, j] * s[i] * s[j] < 0)
model glass(N: int) {
  let J = [if i == j { 0.0 } else if (i + j) % 3 == 2 { -1.0 } else { 0.5 } for i in 1..N, j in 1..N]
  s: spin[N] ~ Flat()
  energy -sum(J[i, j] * s[i] * s[j] for i in 1..N, j in 1..N if i < j)
  track u = unhappy(J, s)
}
anneal glass on N = 8 with linear(beta = 0 -> 3, sweeps = 50) using metropolis(replicas = 400)
END
  sed 's/^fn/@memo(size = 64) fn/' plain.aim > kept.aim
  expect 0 "$aimc" run plain.aim --out=plain
  expect 0 "$aimc" run kept.aim --out=kept
  expect 0 "$aimc" run kept.aim --engine=jit --set threads=2 --out=jit
  cmp -s plain/glass-1.csv kept/glass-1.csv || fail "keeping results changes them"
  cmp -s plain/glass-1.csv jit/glass-1.csv || fail "keeping results on two threads changes them"
  says kept/run.json '"asked": 400'
  grep -q '"memo"' plain/run.json && fail "a run that keeps nothing counts it"
  found=$(sed -n 's/.*"found": \([0-9]*\).*/\1/p' kept/run.json)
  [ "${found:-0}" -gt 200 ] || fail "only $found of 400 results were there"
  expect 0 "$aimc" explain kept.aim
  says out '`unhappy` keeps 64 results, by a key of 8 numbers'
}
# Interpreter and machine code give the same draws, digit by digit.
engines_draw_alike() {
  [ -x "$(dirname "$aimc")/aim-cc" ] || return 0
  for e in vm jit; do
    rm -rf $e
    expect 0 "$aimc" run "$1" --engine $e --cache off --out $e -q
  done
  for f in vm/*.csv; do
    grep -v '^#' "$f" > one
    grep -v '^#' "jit/${f#vm/}" > other
    cmp one other || fail "engines draw differently"
  done
}

# What the library's distributions of vectors can do, a program's own of their names cannot.
test_own_distributions_of_rows() {
  printf 'dist MultiNormal(mu: real[K], cov: cov(K)) on real[K] {\n  logpdf(x) = -sum(abs(x - mu))\n}\nmodel m(w: real[d in 1..D, len[d]]) {\n  a ~ Normal(0, 1)\n  plate d in 1..D { w[d] ~ MultiNormal(rep(a, len[d]), diag(rep(1.0, len[d]))) }\n}\ninfer m on w = [[1.0, 2.0], [0.5]] with nuts\n' > own.aim
  expect 1 "$aimc" check own.aim
  says err 'error[E0690]: `MultiNormal` draws an array at once'
}

test_prior_of_missing_values_that_are_read() {
  printf 'model m(y: index(3)[T]) {\n  p: simplex(3)[3] ~ Dirichlet([2.0, 1.0, 1.0])\n  for t in 2..T { y[t] ~ Categorical(p[y[t - 1]]) }\n  predict y\n}\ninfer m on y = [1, 2, null, 3, 1] with prior\n' > gaps.aim
  expect 0 "$aimc" run gaps.aim
  says out 'y_mis'
  engines_draw_alike gaps.aim
  printf 'model m(y: real[T]) {\n  a ~ HalfNormal(1)\n  let s[1] = 1.0\n  for t in 2..T { let s[t] = sqrt(a + 0.5 * y[t - 1]^2) }\n  y ~ Normal(0, s)\n}\ninfer m on y = [1, 2, null, 3, 1] with prior\n' > gaps.aim
  expect 0 "$aimc" run gaps.aim
  says out 'y_mis'
  engines_draw_alike gaps.aim
  printf 'model m(x: real[T], y: real[T]) {\n  let d = y[2..T] - y[1..T - 1]\n  b ~ Normal(0, 0.1)\n  y[1..2] ~ Normal(0, 1)\n  y[3..T] ~ Normal(b * d[1..T - 2] + x[2..T - 1], 1)\n  x[1] ~ Normal(0, 1)\n  plate t in 2..T { x[t] ~ Normal(b * y[t], 1) }\n  predict x\n  predict y\n}\ninfer m on x = [1, 2, 2, 3, 1], y = [1, 2, 2, 3, 1] with nuts(draws = 50, warmup = 50, chains = 2)\n' > gaps.aim
  engines_draw_alike gaps.aim
  printf 'model m(y: real[T]) {\n  y[T] ~ Normal(0, 1)\n  plate t in 1..T - 1 { y[t] ~ Normal(y[t + 1], 1) }\n}\ninfer m on y = [1, 2, null, 3, 1] with prior\n' > gaps.aim
  expect 1 "$aimc" run gaps.aim
  says err 'error[E0912]: missing values of `y` cannot be drawn from the prior'
  says err 'this reads elements of `y` that are not drawn yet'
  printf 'model m(y: real[N, 2]) {\n  b ~ Normal(0, 1)\n  plate i in 1..N { y[i] ~ MultiNormal([b, b], [[1.0, 0.3], [0.3, 1]]) }\n}\ninfer m on y = [[1, null], [0, 2]] with prior\n' > gaps.aim
  engines_draw_alike gaps.aim
  sed 's/MultiNormal(/MultiStudentT(4, /' gaps.aim > student.aim
  expect 1 "$aimc" run student.aim
  says err 'what is missing of a vector is drawn given the rest of it, and `MultiStudentT` has no such draws'
  { printf 'dist MultiNormal(mu: real[K], cov: cov(K)) on real[K] {\n  logpdf(x) = -sum(abs(x - mu))\n  sample() { return mu }\n}\n'; cat gaps.aim; } > own.aim
  expect 1 "$aimc" run own.aim
  says err 'and `MultiNormal` has no such draws'
}
