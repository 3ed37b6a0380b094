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
