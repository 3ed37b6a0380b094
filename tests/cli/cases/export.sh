# Runs that are over, in other formats and as pages: aimc export, aimc report.

schools() { expect 0 "$aimc" run eight_schools.aim --quiet --draws 200 "$@"; }
# column FILE NAME: the mean of a column of summary.tsv.
mean() { awk -F'\t' -v n="$2" '$1 == n { printf "%.10g", $2 }' "$1/summary.tsv"; }
# reads FILE: its arrays, read by AIM itself, have the means that the run had.
reads() {
  printf 'model again(mu: real[C, D], theta: real[C, D, J], divergent__: real[C, D]) {\n  predict { track m = mean(mu), t = mean(theta[:, :, 3]), n = sum(divergent__) }\n}\n' > again.aim
  expect 0 "$aimc" run again.aim --data "$1" --out again --draws 1
  for pair in m=mu 't=theta[3]'; do
    a=$(mean again "${pair%%=*}") b=$(mean d "${pair#*=}")
    awk -v a="$a" -v b="$b" 'BEGIN { exit !(a - b < 1e-8 && b - a < 1e-8) }' || fail "$1: mean of ${pair#*=} is $a, not $b"
  done
}

test_export() {
  schools --out d --seed 4 --set 'init_radius = 1' --output same.nc
  expect 0 "$aimc" export d all.csv all.npz all.json
  reads all.npz
  # Every draw of every chain, to the bit.
  for c in 1 2 3 4; do
    grep -v '^#' d/eight_schools-$c.csv | tail -n +2 > rows
    awk -F, -v c=$c 'NR > 1 && $1 == c { if ($2 != ++n) exit 1; sub(/^[^,]*,[^,]*,[^,]*,/, ""); print }' all.csv | cmp -s - rows || fail "all.csv differs from chain $c"
  done
  head -n 1 all.csv | grep -q '^.chain,.iteration,.draw,lp__,.*,mu,tau,theta\[1\],' || fail "$(head -n 1 all.csv)"
  if command -v python3 > /dev/null; then
    python3 - <<'END' || fail "all.json"
import csv, json
j = json.load(open("all.json"))
assert sorted(j) == ["posterior", "posterior_predictive", "sample_stats"], sorted(j)
rows = list(csv.DictReader(open("all.csv")))
for n, r in enumerate(rows):
    c, i = int(r[".chain"]) - 1, int(r[".iteration"]) - 1
    assert j["posterior"]["mu"][c][i] == float(r["mu"]) and j["posterior"]["theta"][c][i][7] == float(r["theta[8]"])
    assert j["posterior_predictive"]["y_new"][c][i][0] == float(r["y_new[1]"]) and j["sample_stats"]["n_steps"][c][i] == int(r["n_leapfrog__"])
    assert j["sample_stats"]["diverging"][c][i] == (r["divergent__"] == "1")
assert len(rows) == 800
END
  fi
  [ -e same.nc ] || return
  expect 0 "$aimc" export d again.nc
  cmp -s same.nc again.nc || fail "again.nc differs from what the run wrote"
}
# The page of a run is what --report of it was, whatever the method.
test_report_of_a_directory() {
  for method in nuts mh importance prior map laplace pathfinder; do
    expect 0 "$aimc" run eight_schools.aim --quiet --draws 200 --method $method --out $method --report $method.html
    expect 0 "$aimc" report $method
    says out "$method/report.html"
    cmp -s $method.html $method/report.html || fail "the page of $method differs"
  done
  printf 'model m(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i + 1] for i in 1..n - 1)\n}\nanneal m on n = 12 with geometric(beta = 0.01 -> 2, sweeps = 30)\n' > m.aim
  for how in '' '--seed 7'; do
    expect 0 "$aimc" run m.aim $how --quiet --out annealed --report annealed.html
    expect 0 "$aimc" report annealed
    cmp -s annealed.html annealed/report.html || fail "the page of annealing differs"
  done
  # Several: one page, with what they share.
  expect 0 "$aimc" report nuts mh annealed --output three.html
  says three.html '<h1>3 runs</h1>'
  says three.html 'densities of tau'
  [ "$(grep -c 'href="#run' three.html)" -eq 3 ] || fail "links"
  if command -v python3 > /dev/null; then python3 "$root/tests/cli/well_formed.py" three.html || fail "the page is not well-formed"; fi
  # The same distribution twice, and another one: z tells.
  expect 0 "$aimc" run eight_schools.aim --quiet --seed 9 --out other
  expect 0 "$aimc" run eight_schools.aim --quiet --data 'y = [128, 8, -3, 7, -1, 1, 18, 12]' --out moved
  expect 0 "$aimc" report nuts other --output same.html
  grep -q 'class="bad"' same.html && fail "runs of one posterior are told apart"
  expect 0 "$aimc" report nuts moved --output moved.html
  grep -q '<tr><td>theta\[1\]</td>.*class="bad"' moved.html || fail "runs of two posteriors are not told apart"
}
test_export_of_an_interrupted_run() {
  "$aimc" run eight_schools.aim --warmup 100 --thin 5 --draws 1000000 --threads 4 --quiet --out d > out 2> err &
  pid=$!
  for n in $(seq 200); do [ "$(cat d/*.csv 2> /dev/null | wc -c)" -gt 200000 ] && break; sleep 0.02; done
  sleep 0.5
  kill -TERM $pid
  wait $pid
  expect 0 "$aimc" export d d.npz
  reads d.npz
}
test_what_cannot_be_exported() {
  expect 1 "$aimc" export
  says err 'wants the directory of a run'
  expect 1 "$aimc" export nowhere x.nc
  says err 'no run has ended there'
  expect 1 "$aimc" report coin.aim
  says err 'is a file'
  schools --out d
  expect 1 "$aimc" export d
  says err 'where to'
  expect 1 "$aimc" export d x.mat
  says err 'names no format of draws'
  expect 2 "$aimc" export d nowhere/x.csv
  says err 'cannot be written'
  mkdir elsewhere
  (cd elsewhere && expect 1 "$aimc" export ../d x.csv && says err 'start in the folder') || fail "elsewhere"
  cp -r d cut
  sed -i '/^[^#a-z]/{50,$d}' cut/eight_schools-2.csv
  expect 2 "$aimc" export cut x.csv
  says err 'does not hold the 200 draws'
  cp -r d bad
  sed -i 's/"given": {/"given": [/' bad/run.json
  expect 1 "$aimc" export bad x.csv
  says err 'is no record of a run'
  cp -r d short
  sed -i 4d short/summary.tsv
  expect 2 "$aimc" report short
  says err 'does not fit the draws'
  sed -i 's/28/27/' eight_schools.json
  expect 1 "$aimc" export d x.csv
  says err 'error[E0939]'
  [ -e x.csv ] && fail "x.csv is there"
  sed -i 's/27/28/' eight_schools.json
  sed -i 's/infer eight_schools/infer eight_schools as another/' eight_schools.aim
  expect 1 "$aimc" export d x.csv
}
# Parts of parts, and names that no other program would give: ArviZ opens the files, where it is there.
test_csv_of_odd_names() {
  printf 'model part(n: int) {\n  b: real[n] ~ Normal(0, 1)\n  v ~ Normal(0, 1)\n}\nmodel odd(y: real[N]) {\n  h ~ part(2)\n  plate j in 1..3 { r[j] ~ part(2) }\n  `a.b` ~ Normal(0, 1)\n  y ~ Normal(h.v + `a.b`, 1)\n  track max(h.v, h.b[1])\n}\ninfer odd on y = [1, 2, 3]\n' > odd.aim
  expect 0 "$aimc" run odd.aim --quiet --draws 50 --out d
  whole d/odd-1.csv || fail "fields"
  grep -q '^lp__,.*,h:b.1,h:b.2,h:v,r:b.1.1,r:b.2.1,r:b.3.1,r:b.1.2,r:b.2.2,r:b.3.2,r:v.1,r:v.2,r:v.3,a:b,max(' d/odd-1.csv || fail "$(grep '^lp__' d/odd-1.csv)"
  expect 0 "$aimc" export d all.csv all.json
  head -n 1 all.csv | grep -q ',h.b\[1\],h.b\[2\],h.v,"r.b\[1,1\]",' || fail "$(head -n 1 all.csv)"
  python3 -c 'import arviz' 2> /dev/null || return
  python3 -W ignore - <<'END' || fail "arviz"
import arviz
c, j = arviz.from_cmdstan("d/odd-*.csv"), arviz.from_json("all.json")
assert c.posterior["r:b"].shape == (4, 50, 3, 2) and c.posterior["a:b"].shape == (4, 50)
assert (c.posterior["r:b"].values == j.posterior["r.b"].values).all()
END
}
