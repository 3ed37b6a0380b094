# The page of a run: it is well formed, tells what the run does, needs nothing from elsewhere, and is the same from run to run.
test_report() {
  cat > counts.aim <<'MODEL'
model counts(y: int<lower = 0>[N], site: index(S)[N], x: real[M]) {
  rate: real<lower = 0>[S] ~ Exponential(0.2)
  u: real[N] ~ Normal(0, 1)
  s ~ HalfNormal(2)
  y ~ Poisson(rate[site])
  x ~ Normal(0, s)
  predict y
  predict { n ~ Poisson(rate[1]) }
}
infer counts on "counts.csv", x = [0.5, -1.2, 2, 0.1]
MODEL
  printf 'y,site\n3,"a<b>&""c"""\n5,North\n2,North\n0,"a<b>&""c"""\n4,North\n1,"a<b>&""c"""\n9,North\n2,"a<b>&""c"""\n3,North\n6,North\n1,"a<b>&""c"""\n7,North\n' > counts.csv
  expect 0 "$aimc" run counts.aim --report one.html --threads 1 --engine vm
  expect 0 "$aimc" run counts.aim --report two.html -q
  cmp -s one.html two.html || fail 'two runs give two pages'
  [ -e one.html.part ] && fail 'the partial file is still there'
  for part in '<h1>counts</h1>' '>rate[1]<' '>rate[2]<' '>s<' 'u: 12 elements' '>y_rep<' '>n<' 'trace of rate[1]' 'ranks of rate[1]' 'observed and replicated y_rep' \
    'intervals of y_rep' 'of 12 observations' '1 North, 2 a&lt;b&gt;&amp;&quot;c&quot;' 'Nothing that AIM looks for is wrong' 'y ~ Poisson(rate[site])'; do
    says one.html "$part"
  done
  grep -qE 'src=|href=|url\(|<script|<link|@import' one.html && fail 'the page refers to something else'
  command -v xmllint >/dev/null 2>&1 && { xmllint --noout one.html 2>err || fail "not well formed: $(head -2 err)"; }
  command -v python3 >/dev/null 2>&1 && { python3 "$root/tests/cli/well_formed.py" one.html >out 2>&1 || { fail 'not well formed'; cat out; }; }
  :
}
# The page tells of what is wrong with a run: few draws, divergences of a funnel.
test_report_of_a_bad_run() {
  sed 's/with nuts([^)]*)/with nuts(centred = [theta], target_accept = 0.6, warmup = 200, draws = 200)/' eight_schools.aim > funnel.aim
  grep -q 'centred = ' funnel.aim || fail 'the example has another statement now'
  expect 0 "$aimc" run funnel.aim --report funnel.html
  says funnel.html 'class="advice"'
  says funnel.html 'class="divergent"'
  grep -q '<td class="bad">\|<td class="doubtful">' funnel.html || fail 'no number is marked'
  grep -q '<td>divergent</td><td>[1-9]' funnel.html || fail 'divergences are not counted'
}
# Many chains and quantities make no long page.
test_report_size() {
  printf 'model wide(y: real[N]) {\n  a: real[990] ~ Normal(0, 1)\n  b: real[10] ~ Normal(0, 1)\n  y ~ Normal(a[1], 1)\n  predict y\n}\ninfer wide on y = [1, 2] with nuts(chains = 10, warmup = 150, draws = 1000)\n' > wide.aim
  expect 0 "$aimc" run wide.aim --report wide.html -q
  [ "$(wc -c < wide.html)" -lt 3000000 ] || fail "the page has $(wc -c < wide.html) bytes"
  says wide.html 'evenly chosen'
}
test_report_usage() {
  expect 2 "$aimc" run coin.aim -q --report nowhere/page.html
  says err 'nowhere/page.html cannot be written: No such file or directory'
  printf 'infer coin on y = [true] as other\n' >> coin.aim
  expect 1 "$aimc" run coin.aim --report page.html
  says err '--report takes one result'
  expect 0 "$aimc" run coin.aim --only other --report page.html
  says page.html '<h1>other</h1>'
}
# Methods without chains have no traces; a maximum is one point.
test_report_methods() {
  for method in map laplace importance prior mh; do
    expect 0 "$aimc" run eight_schools.aim -q --method $method --draws 200 --report $method.html
    says $method.html "<td>method</td><td>$method</td>"
    command -v xmllint >/dev/null 2>&1 && { xmllint --noout $method.html 2>err || fail "$method is not well formed"; }
  done
  grep -q 'trace of' importance.html && fail 'importance has traces'
  says mh.html 'trace of tau'
}
# What is missing is not compared with its replicates.
test_report_missing() {
  cp "$root"/examples/missing_values.* .
  expect 0 "$aimc" run missing_values.aim -q --report page.html
  says page.html 'of 26 observations'
}
# A browser shows every chart, and reports nothing.
test_report_in_a_browser() {
  command -v chromium >/dev/null 2>&1 || { skip; return; }
  expect 0 "$aimc" run eight_schools.aim -q --report page.html
  timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --dump-dom "file://$PWD/page.html" >dom 2>err || { skip; return; }
  [ "$(grep -o '<svg' dom | wc -l)" -eq "$(grep -o '<svg' page.html | wc -l)" ] || fail 'charts are lost'
  [ "$(grep -o '<svg' dom | wc -l)" -ge 31 ] || fail 'there are too few charts'
  grep -q parsererror dom && fail 'the page does not parse'
  :
}
