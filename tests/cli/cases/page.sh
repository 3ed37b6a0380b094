# The programs that show what the language is: each checks, keeps its meaning when it is laid out, and becomes IR.

test_page_checks_and_lowers() {
  for page in "$root"/tests/parse/page_*.aim; do
    cp "$page" page.aim
    expect 0 "$aimc" check page.aim
    mv out first
    expect 0 "$aimc" fmt page.aim
    expect 0 "$aimc" fmt --check page.aim
    expect 0 "$aimc" check page.aim
    cmp -s out first || fail "$page checks otherwise when it is laid out"
    expect 0 "$aimc" ir page.aim
    if grep -q '^model' page.aim; then says out 'model @'; else says out 'func @step.'; fi
  done
}

# What is missing stops the statement that needs it, and no other.
test_missing_methods() {
  cat > ahead.aim <<'END'
model m(y: real) { mu ~ Normal(0, 1); y ~ Normal(mu, 1) }
agent a() {
  action move: 1..2
  state s: 1..2 start [0.5, 0.5] step onehot(move, 2)
  observe o: 1..2 ~ Categorical(onehot(s, 2))
}
infer m on y = 1 with smc(over = mu, particles = 100) as filter
infer m on y = 1 with nuts(draws = 100) as joint
simulate a with steps = 100 as walks
generate m on y = 1 with count = 8 as made
END
  expect 0 "$aimc" check ahead.aim
  says err 'warning[W0820]: the method `smc` is not available yet'
  says err 'warning[W0820]: `simulate` is not available yet'
  says err 'warning[W0820]: `generate` is not available yet'
  expect 0 "$aimc" run ahead.aim --only joint
  says out 'joint: nuts'
  expect 0 "$aimc" run ahead.aim --only filter --method nuts --chains 2
  says out 'filter: nuts, 2 chains'
  for statement in filter walks made; do
    for command in run explain loo bench sbc; do
      expect 1 "$aimc" $command ahead.aim --only $statement
      says err 'is not available yet'
      says err 'error[E0820]'
    done
  done
  # Where there is a model or an agent, there is IR.
  expect 0 "$aimc" ir ahead.aim --only walks
  says out 'func @observe.o('
  expect 0 "$aimc" ir ahead.aim --only made
  [ -e "$B/aim-cc" ] || return 0
  expect 1 "$aimc" build ahead.aim --only walks
  says err 'error[E0820]'
}
