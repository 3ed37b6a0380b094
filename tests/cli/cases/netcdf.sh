# NetCDF out and in, and what follows from pointwise log likelihoods.
radon() {
  printf 'county,floor,y\nEast,0,1.1\nWest,1,0.4\nEast,1,0.7\nNorth,0,2.0\nWest,0,1.3\nNorth,1,1.8\nEast,0,0.9\n' > radon.csv
  printf '%s\n' 'model radon(county: index(J)[N], floor: bool[N], y: real[N]) {' '  mu ~ Normal(0, 5); tau ~ HalfNormal(2)' '  alpha: real[J] ~ Normal(mu, tau)' \
    '  beta ~ Normal(0, 2)' '  s ~ HalfNormal(2)' '  y ~ Normal(alpha[county] + beta * floor, s)' '  predict y' '}' > radon.aim
}
test_netcdf() {
  radon
  "$aimc" run radon.aim --data radon.csv -o radon.nc >out 2>err
  if grep -q 'no netCDF library' err; then says err 'libnetcdf'; skip; return; fi
  [ -s radon.nc ] || { fail 'no file'; return; }
  [ -e radon.nc.partial ] && fail 'the partial file is still there'
  # What was observed, read back, gives the same draws.
  grep '^alpha\|^beta' out > first
  expect 0 "$aimc" run radon.aim --data radon.nc
  grep '^alpha\|^beta' out | cmp - first || fail 'data from the file give other draws'
  expect 2 "$aimc" run radon.aim --data radon.csv -q -o nowhere/radon.nc
  says err 'nowhere/radon.nc cannot be written'
  python3 -c 'import arviz' 2>/dev/null || { skip; return; }
  expect 0 python3 "$root/tests/output/open_netcdf.py" radon.nc
}
test_netcdf_of_odd_names() {
  printf '%s\n' 'model m(`y/1`: real[N], y_1: real[N]) {' '  `(Intercept)`: real[2] ~ Normal(0, 1)' '  `y/1` ~ Normal(`(Intercept)`[1], 1); y_1 ~ Normal(`(Intercept)`[2], 2)' '  track `a b/c ` = 2 * `(Intercept)`' '}' \
    'infer m on `y/1` = [1, 2, 3], y_1 = [4, 5, 6] with nuts(draws = 20, warmup = 20)' > odd.aim
  "$aimc" run odd.aim -o odd.nc >first 2>err || fail "names that NetCDF does not take: $(cat err)"
  if grep -q 'no netCDF library' err; then skip; return; fi
  for name in _Intercept\) a\ b_c_ y_1 y_1_; do grep -aq "$name" odd.nc || fail "no variable $name"; done
  # Read back, each goes by its own name.
  sed -i '/^infer/s/ on .* with/ on "odd.nc" with/' odd.aim
  expect 0 "$aimc" run odd.aim
  tail -n +2 first > want && tail -n +2 out | cmp -s - want || fail 'data from the file give other draws'
}
test_netcdf_usage() {
  expect 1 "$aimc" run coin.aim -o coin.csv
  says err 'does not end in .nc'
  printf 'infer coin on y = [true] as other\n' >> coin.aim
  expect 1 "$aimc" run coin.aim -o coin.nc
  says err 'pick one with --only'
}
test_loo() {
  radon
  printf '%s\n' 'model flat(floor: bool[N], y: real[N]) { a ~ Normal(0, 5); b ~ Normal(0, 2); s ~ HalfNormal(2); y ~ Normal(a + b * floor, s) }' \
    'infer radon on "radon.csv"' 'infer flat on "radon.csv"' >> radon.aim
  expect 0 "$aimc" loo radon.aim
  says out 'flat_auto: 7 observations of y, 4000 draws'
  says out 'Pareto k'
  says out 'elpd_diff'
  expect 1 "$aimc" loo radon.aim --method prior
  says err 'draws from the prior have not seen the observations'
}
test_netcdf_on_a_full_disk() {
  mkdir small
  mount -t tmpfs -o size=64k none small 2>/dev/null || { skip; return; }
  expect 2 "$aimc" run eight_schools.aim --draws 2000 --warmup 100 --quiet --output small/x.nc
  if grep -q 'no netCDF library' err; then umount small; skip; return; fi
  says err 'cannot be written'
  says err 'the disk may be full'
  [ -z "$(ls small)" ] || fail "a part of the file was left"
  umount small
}
