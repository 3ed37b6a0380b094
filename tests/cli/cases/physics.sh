# aimc check --physics: kernels on states that are enumerated.

four() {
  printf 'model four(b: real) {\n  s: spin[4] ~ Flat()\n  energy -b * sum(s[i] * s[i + 1] for i in 1..3)\n}\n%s\n' "$1" > four.aim
}

test_physics_table() {
  four 'anneal four on b = 1 with linear(0 -> 2, 5) using metropolis(order = random)'
  expect 0 "$aimc" check --physics four.aim
  says out "four: anneal of four, metropolis in random order, 4 elements, by local fields"
  says out "16 states enumerated"
  says out "E(s) = E(-s)"
  says out "stationarity of a sweep"
  [ "$(grep -c 'pass$' out)" -eq 9 ] || fail "not every check passed"
  four 'anneal four on b = 1 with linear(0 -> 2, 5) using metropolis(floor = 0.1)'
  expect 0 "$aimc" check --physics four.aim
  says out "for search only"
  four 'infer four on b = 1 with tempering(beta = linear(0 -> 1, rungs = 3)) using metropolis(floor = 0.1)'
  expect 1 "$aimc" check --physics four.aim
  says err "a floor under the acceptance draws from no distribution"
}

test_physics_json_and_data() {
  four 'infer four with tempering(beta = linear(0 -> 1, rungs = 3))'
  expect 1 "$aimc" check --physics four.aim
  expect 0 "$aimc" check --physics --json --data b=0.5 four.aim
  says out '"check": "detailed balance of an exchange", "beta": 0.5'
  expect 0 "$aimc" check --physics coin.aim
  says out "no kernel to check"
}
