# Programs as docs/language.md teaches them, with data of their own: each runs to its end and reports what it is asked for.

# The names of the columns of the first chain's file.
columns() { find "$1" -name '*-1.csv' -exec cat {} + | grep -v '^#' | head -1; }

short='--draws 50 --warmup 100 --chains 2 -q'

# A survival analysis: entry after the start, censoring, columns of a table; the data are made up.
test_page_survival() {
  cat >survival.csv <<'END'
t,event,entry,age,karnofsky,treated
72,1,0,69,60,0
411,1,3,64,70,0
228,1,0,38,60,1
126,1,10,63,60,0
118,1,0,65,70,1
10,1,0,49,20,0
82,1,5,69,40,1
110,1,0,68,80,0
314,1,0,43,50,1
100,0,0,70,70,1
42,1,0,81,60,0
8,1,1,63,40,1
END
  cat >survival.aim <<'END'
model survival(t: real<lower = 0>[N], event: bool[N], entry: real<lower = 0>[N], X: real[N, P]) {
  shape ~ Gamma(2, 1)
  alpha ~ Normal(0, 5)
  beta: real[P] ~ Normal(0, 1)
  let scale = exp(-(alpha + X @ beta) / shape)
  plate i in 1..N { t[i] ~ right_censored(truncated(Weibull(shape, scale[i]), lower = entry[i]), event[i]) }
}
infer survival on "survival.csv", X = columns(age, karnofsky, treated)
END
  expect 0 "$aimc" run survival.aim $short --out out.d
  [ "$(rows out.d/*-1.csv)" = 50 ] || fail "not 50 draws"
  columns out.d | grep -q 'shape,alpha,beta.1,beta.2,beta.3' || fail "columns are missing"
}

# A distribution, a function with a block and a combinator of the user's own.
test_page_own_distribution() {
  cat >own.aim <<'END'
dist Gumbel(mu: real, beta: real<lower = 0>) on real {
  logpdf(x) = let z = (x - mu) / beta in -(z + exp(-z)) - log(beta)
  cdf(x)    = exp(-exp(-(x - mu) / beta))
  sample()  { u ~ Uniform(0, 1); return mu - beta * log(-log(u)) }
}
fn sticks(v: real[M]): simplex(M + 1) {
  let rest[1] = 1
  for k in 1..M { let w[k] = v[k] * rest[k]; let rest[k + 1] = rest[k] * (1 - v[k]) }
  let w[M + 1] = rest[M + 1]
  return w
}
model stick_breaking(x: real[N], K: int = 4) {
  alpha ~ Gamma(1, 1)
  v:  real[K - 1] ~ Beta(1, alpha)
  mu: real[K] ~ Normal(0, 10)
  s:  real[K] ~ HalfNormal(2)
  let w = sticks(v)
  x ~ mixture(w, Normal(mu, s))
  worst ~ truncated(Gumbel(0, 1), lower = 1)
  predict { x_new ~ mixture(w, Normal(mu, s)) }
}
infer stick_breaking on x = [9.2, 9.4, 16.1, 16.2, 18.4, 18.5, 18.9, 19.0, 32.1, 34.3]
END
  expect 0 "$aimc" run own.aim $short --out own.d
  columns own.d | grep -q 'worst,x_new' || fail "columns are missing"
}

# Names: keywords where none can stand, columns with a dot, other scripts.
test_page_names() {
  printf 'Sepal.Length,step,état\n5.1,1,a\n4.9,2,b\n6.3,1,a\n5.8,2,b\n' >iris.csv
  cat >names.aim <<'END'
fn écart(state: real, dist: real): real { let on = state - dist; return on }
model iris(`Sepal.Length`: real[N], step: index(S)[N], état: index(E)[N]) {
  index: real[S] ~ Normal(5, 2)
  action: real[E] ~ Normal(0, 1)
  σ ~ HalfNormal(1)
  plate given in 1..N { `Sepal.Length`[given] ~ Normal(index[step[given]] + écart(action[état[given]], 0.5), σ) }
}
infer iris on "iris.csv" with nuts as with_names
END
  expect 0 "$aimc" run names.aim $short --out names.d
  columns names.d | grep -q 'index.1,index.2,action.1,action.2,σ' || fail "columns are missing"
}

# A neural decoder and a recursion, from JSON.
test_page_decoder_and_garch() {
  echo '{"W1": [[1, 0], [0.5, -1], [0, 2]], "b1": [0, 0.1, -0.2], "W2": [[1, 0, 1], [0, 1, -1]], "b2": [0, 0]}' >weights.json
  echo '{"x": [1, 0]}' >digit.json
  cat >decoder.aim <<'END'
model decoder(W1: real[H, D], b1: real[H], W2: real[P, H], b2: real[P], x: bool[P]) {
  z: real[D] ~ Normal(0, 1)
  let hidden = relu(W1 @ z + b1)
  x ~ Bernoulli(logit = W2 @ hidden + b2)
}
model garch(y: real[T], sigma1: real<lower = 0>) {
  mu ~ Flat()
  a0: real<lower = 0> ~ Flat()
  a1: real<lower = 0, upper = 1> ~ Flat()
  b1: real<lower = 0, upper = 1 - a1> ~ Flat()
  let s[1] = sigma1
  for t in 2..T { let s[t] = sqrt(a0 + a1 * (y[t - 1] - mu)^2 + b1 * s[t - 1]^2) }
  y ~ Normal(mu, s)
}
infer decoder on "weights.json", "digit.json" with nuts as here
infer garch on y = [0.1, -0.4, 0.9, 1.3, -2.0, 0.2, 0.5, -0.1, 0.3, 1.1], sigma1 = 0.5 as there
infer garch on y = [0.1, -0.4, 0.9, 1.3, -2.0, 0.2, 0.5, -0.1, 0.3, 1.1], sigma1 = 0.5 given mu = 0, b1 = 0.2 as fixed
END
  for k in here there fixed; do expect 0 "$aimc" run decoder.aim --only $k $short --out $k; done
  columns there | grep -q 'mu,a0,a1,b1' || fail "columns are missing"
  columns fixed | grep -q '__,a0,a1$' || fail "what is given is reported"
}
