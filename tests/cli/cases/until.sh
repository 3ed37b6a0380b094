# Runs that end when their chains have said enough.

# A mean that mixes well and a scale that mixes less well.
write() {
  printf 'model m(y: real[N]) {\n  mu ~ Normal(0, 5)\n  s ~ HalfNormal(2)\n  y ~ Normal(mu, s)\n  track t = mu / s\n  predict y\n}\n' > m.aim
  printf 'infer m on y = [1.2, 0.4, 2.2, 3, 4, 5, 4.4, 3.1] with %s\n' "$1" >> m.aim
}
# draws DIR: rows of the shortest and the longest chain.
draws() { for c in 1 2 3 4; do rows $1/m-$c.csv; done | sort -n | awk 'NR == 1 { a = $1 } END { print a, $1 }'; }
# least DIR COLUMN: the least ESS of unknowns and tracked quantities; 8 is bulk, 9 tail.  largest DIR: R-hat.
least() { awk -F'\t' -v c="$2" 'NR > 1 && $1 !~ /y_rep/ && (!n++ || $c < m) { m = $c } END { print m }' $1/summary.tsv; }
largest() { awk -F'\t' 'NR > 1 && $1 !~ /y_rep/ && $10 > m { m = $10 } END { print m }' $1/summary.tsv; }

test_until_stops_at_the_first_check_that_holds() {
  for method in nuts gibbs mh; do
    write "$method(draws = 20000)"
    expect 0 "$aimc" run m.aim --quiet --out all-$method
    for threads in 1 3; do
      expect 0 "$aimc" run m.aim --quiet --out until-$method --threads $threads --set 'until=ess(600) and rhat(1.05)'
      says until-$method/run.json '"until_met": true'
      set -- $(draws until-$method)
      [ "$1" -eq "$2" ] && [ "$1" -lt 20000 ] || fail "$method: $1 to $2 draws"
      # What is drawn does not depend on when it ends.
      for c in 1 2 3 4; do
        grep -v '^#' all-$method/m-$c.csv | head -n $(($1 + 1)) > expected
        grep -v '^#' until-$method/m-$c.csv | cmp -s - expected || fail "$method: chain $c with $threads threads is no beginning of the whole one"
      done
    done
    for column in 8 9; do
      least until-$method $column | awk '{ exit $1 < 600 }' || fail "$method: ESS $(least until-$method $column)"
    done
    largest until-$method | awk '{ exit $1 > 1.05 }' || fail "$method: R-hat $(largest until-$method)"
    # Four fifths of the draws, which the check before had at most, do not do.
    expect 0 "$aimc" run m.aim --quiet --out before --draws $(($1 * 4 / 5)) --method $method
    { least before 8; least before 9; } | awk '$1 < 600 { low = 1 } END { exit !low }' || fail "$method: $(($1 * 4 / 5)) draws had been enough"
    rm -r before
  done
}
test_until_that_never_holds() {
  write 'nuts(draws = 300) until ess(1e6) or mcse(1e-6)'
  expect 0 "$aimc" run m.aim --out d
  says out 'until ess(1e+06) or mcse(1e-06): does not hold'
  says d/run.json '"until_met": false'
  [ "$(draws d)" = '300 300' ] || fail "$(draws d) draws"
  # Conditions are told as they stand: `or` binds less than `and`.
  write 'nuts(draws = 100)'
  while read -r until; do
    expect 0 "$aimc" run m.aim --out told --set "until=$until"
    says out "until $until: "
  done <<EOF
rhat(1.01) and (ess(500) or mcse(0.001))
(ess(500) or mcse(0.001)) and rhat(1.01)
ess(500) or mcse(0.001) and rhat(1.01)
ess(500) and mcse(0.001) and rhat(1.01)
EOF
  write 'nuts(draws = 300, warmup = 100)'
  expect 0 "$aimc" run m.aim --quiet --out plain
  write 'nuts(draws = 300, warmup = 100) until ess(1e6)'
  expect 0 "$aimc" run m.aim --quiet --out waiting
  for c in 1 2 3 4; do
    grep -v '^#' plain/m-$c.csv > expected
    grep -v '^#' waiting/m-$c.csv | cmp -s - expected || fail "chain $c differs for having waited"
  done
}
# The other of two conditions is enough; conditions of draws too few to tell anything do not hold.
test_until_with_or() {
  write 'nuts(draws = 5000) until ess(1e6) or rhat(1.2)'
  expect 0 "$aimc" run m.aim --out d
  says out 'rhat(1.2): holds'
  [ "$(draws d)" = '100 100' ] || fail "$(draws d) draws"
  write 'nuts(draws = 3) until rhat(1.2)'
  expect 0 "$aimc" run m.aim --out few
  says out 'does not hold'
}
# Another method than the statement's has no use for its condition; a condition of the command line says that it has none.
test_until_of_another_method() {
  write 'nuts until ess(100)'
  expect 0 "$aimc" run m.aim --method importance --quiet --out d
  grep -q until d/run.json && fail "importance has a condition"
  expect 1 "$aimc" run m.aim --method importance --set 'until=ess(3)'
  says err 'error[E0810]'
  # A run that stops early is calibrated all the same: 60 simulations notice a standard deviation that is off by half.
  expect 0 "$aimc" sbc m.aim --simulations 60 --chains 2 --warmup 300 --draws 2000
}
