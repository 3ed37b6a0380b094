# Going on with a run that was interrupted: the draws are those of one that was not.

# A run of a second or two, whose warm-up takes about a third of it.
lengths='--warmup 40000 --thin 300 --draws 300 --quiet'
long() { "$aimc" run eight_schools.aim $lengths "$@" > out 2> err; }
# same DIR DIR NAME: the same rows.
same() {
  for file in "$1/$3"-*.csv; do
    file=${file##*/}
    grep -v '^#' "$1/$file" > rows.1 || fail "$1/$file has no rows"
    grep -v '^#' "$2/$file" | cmp -s - rows.1 || fail "$file of $2 differs from $1"
  done
}
# killed FILE RESULT FLAG...: kills a run at random points, AIM_RESUME_KILLS times (`make kills`: 20); it goes on each time, and in the end to its end.
killed() {
  file=$1 result=$2
  shift 2
  "$aimc" run $file "$@" --quiet --out whole > out 2> err || fail "status $?"
  kills=${AIM_RESUME_KILLS:-2} delays=
  for delay in $(awk -v n="$kills" -v s="$(od -An -N3 -tu4 /dev/urandom)" 'BEGIN { srand(s); for (k = 0; k < n; k++) printf "%.2f ", 0.05 + 1.6 * rand() }'); do
    delays="$delays$delay "
    "$aimc" run $file "$@" --quiet --out part --resume > out 2> err &
    pid=$!
    sleep "$delay"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
  done
  "$aimc" run $file "$@" --quiet --out part --resume > out 2> err || fail "status $? after kills at $delays"
  same whole part $result
  for csv in part/$result-*.csv; do whole $csv || fail "$csv has broken rows"; done
  says part/run.json '"interrupted": false'
  [ -z "$(find part -name '*.part')" ] || fail "a temporary file is left"
}
test_resume_after_kill_9_of_nuts() { killed eight_schools.aim eight_schools $lengths; }
test_resume_after_kill_9_of_gibbs() { killed eight_schools.aim eight_schools --method gibbs --warmup 40000 --thin 300 --draws 300; }
# Draws that share memory, of which some latents are not kept; they wait for each other, and stop when they have said enough.
test_resume_after_kill_9_of_mh() {
  printf 'model many(N: int) {\n  mu ~ Normal(0, 1)\n  x: real[N] ~ Normal(mu, 1)\n  k: int<lower = 0, upper = 3>[N] ~ Flat()\n  track m = mean(x)\n}\n' > many.aim
  printf 'infer many on N = 300 with mh(steps = 15, thin = 10, draws = 4000, warmup = 4000), save = [x, m] until ess(30)\n' >> many.aim
  killed many.aim many
}
test_resume_after_kill_9_of_nuts_from_pathfinder() { killed eight_schools.aim eight_schools $lengths --set init=pathfinder; }
labels() {
  printf 'model labels(x: real[N], u: real[N]) {\n  a ~ Normal(0, 2)\n  b ~ Normal(0, 2)\n  p ~ Beta(2, 2)\n' > labels.aim
  printf '  plate i in 1..N { k[i] ~ Bernoulli(p);  x[i] ~ StudentT(4, a + b * u[i] * k[i], 1) }\n}\n' >> labels.aim
  printf 'infer labels on x = [0.3, 2.1, 0.4, 3.8, -0.2, 5.1], u = [0.5, 1, 1.5, 2, 2.5, 3] with cycle(%s), warmup = 20000, draws = 300, thin = 300\n' "$1" >> labels.aim
}
test_resume_after_kill_9_of_cycle() {
  labels 'nuts([a, b]), gibbs([p, k])'
  killed labels.aim labels
}
test_resume_after_kill_9_of_cycle_with_two_nuts() {
  labels 'nuts([a]), gibbs([p, k]), nuts([b])'
  killed labels.aim labels
}
test_resume_after_kill_9_of_cycle_without_nuts() {
  labels 'mh([a, b]), gibbs([p, k])'
  killed labels.aim labels --thin 800
}
# It ends where the whole one does, wherever it was cut.
test_resume_after_kill_9_of_cycle_until() {
  labels 'nuts([a]), gibbs([p, k]), nuts([b])'
  killed labels.aim labels --set 'until=ess(700)'
  for d in whole part; do says $d/run.json '"until_met": true'; done
}
# Replicas as spins, and moved one element at a time; the ladder moves its rungs in warm-up.
ring() {
  printf 'model ring(n: int) {\n  s: spin[n] ~ Flat()\n  energy -sum(s[i] * s[i %% n + 1] for i in 1..n)\n}\ninfer ring on n = 64 with %s\n' "$1" > ring.aim
}
test_resume_after_kill_9_of_tempering() {
  ring 'tempering(warmup = 3000, draws = 3000, thin = 4)'
  killed ring.aim ring
}
test_resume_after_kill_9_of_tempering_by_elements() {
  printf 'model wells(n: int) {\n  x: real[n] ~ Normal(0, 2)\n  k: index(3)[n] ~ Flat()\n  factor -sum((x[i]^2 - k[i])^2 for i in 1..n)\n}\n' > wells.aim
  printf 'infer wells on n = 3 with tempering(warmup = 1500, draws = 1500, beta = geometric(0.1 -> 1, rungs = 4))\n' >> wells.aim
  killed wells.aim wells
}
test_resume_after_kill_9_of_population() {
  ring 'population(particles = 1000, beta = linear(beta = 0 -> 1, sweeps = 600))'
  killed ring.aim ring
  sed -n '/log_evidence/p' whole/run.json > evidence
  [ -s evidence ] && grep log_evidence part/run.json | cmp -s - evidence || fail "the evidence has changed"
}
# Annealed replicas in several blocks: a schedule that reads nothing, one that does, colours, and a model that is moved one element at a time.  The trace and
# the result are those of the whole run as well.
annealed() {
  killed "$@"
  cmp -s whole/trace.tsv part/trace.tsv || fail "the trace differs"
}
glass() {
  printf 'model glass(n: int) {\n  let J = [sin(1.7 * i * j) for i in 1..n, j in 1..n]\n  s: spin[n] ~ Flat()\n' > glass.aim
  printf '  energy sum(J[i, j] * s[i] * s[j] for i in 1..n, j in 1..n if i < j)\n}\nanneal glass on n = 60 with %s\n' "$1" >> glass.aim
}
test_resume_after_kill_9_of_anneal() {
  glass 'geometric(beta = 0.01 -> 3, sweeps = 60000) using metropolis(replicas = 100)'
  annealed glass.aim glass
}
test_resume_after_kill_9_of_anneal_that_watches() {
  glass 'linear(beta = 0 -> 2, sweeps = 20000) then hold(beta = 2, sweeps = 20000) until stable(window = 10000) using gibbs(replicas = 100, order = random)'
  annealed glass.aim glass
}
test_resume_after_kill_9_of_anneal_of_colours() {
  printf 'model potts(n: int) {\n  s: index(3)[n, n] ~ Flat()\n' > potts.aim
  printf '  energy -sum((s[i, j] == s[i %% n + 1, j]) + (s[i, j] == s[i, j %% n + 1]) for i in 1..n, j in 1..n)\n}\n' >> potts.aim
  printf 'anneal potts on n = 20 with geometric(beta = 0.1 -> 3, sweeps = 4000) using gibbs(replicas = 130)\n' >> potts.aim
  annealed potts.aim potts
}
test_resume_after_kill_9_of_anneal_by_elements() {
  printf 'model wells(n: int) {\n  x: real[n] ~ Normal(0, 2)\n  k: index(3)[n] ~ Flat()\n  energy sum((x[i]^2 - k[i])^2 for i in 1..n)\n}\n' > wells.aim
  printf 'anneal wells on n = 3 with adaptive(beta = 0.1 -> 20, ess = 0.99) then hold(beta = 20, sweeps = 2000) using metropolis(replicas = 130)\n' >> wells.aim
  annealed wells.aim wells
}
# The rows are made again from the states at rest, and nothing else is done.
test_resume_of_a_complete_anneal() {
  glass 'geometric(beta = 0.01 -> 3, sweeps = 100) using metropolis(replicas = 100)'
  expect 0 "$aimc" run glass.aim --out d --threads 2
  cp -r d before
  cp out table
  expect 0 "$aimc" run glass.aim --out d --resume --threads 1 --engine vm
  says err 'was complete'
  same before d glass
  cmp -s before/trace.tsv d/trace.tsv || fail "the trace has changed"
  for f in table out; do sed 1d $f > $f.rest; done
  cmp -s table.rest out.rest || fail "the result has changed"
}
test_resume_of_another_ladder() {
  ring 'tempering(warmup = 10, draws = 20, beta = geometric(0.1 -> 1, rungs = 4))'
  expect 0 "$aimc" run ring.aim --out d --quiet
  expect 2 "$aimc" run ring.aim --out d --quiet --resume --set 'beta=geometric(0.2 -> 1, rungs = 4)'
  says err E0938
  cp -r d before
  expect 0 "$aimc" run ring.aim --out d --quiet --resume
  says err 'was complete'
  same before d ring
}
test_resume_where_nothing_is() {
  expect 0 "$aimc" run eight_schools.aim --out d --draws 50 --quiet --resume
  says err 'the run begins anew: there are no checkpoints in "d"'
  [ $(grep -c W0938 err) -eq 1 ] || fail "there is more than one warning"
}
# Where chains begin does not depend on who computes it.
test_pathfinder_starts_and_threads() {
  for threads in 1 3; do expect 0 "$aimc" run eight_schools.aim --set init=pathfinder --draws 100 --warmup 100 --threads $threads --out t$threads --quiet; done
  same t1 t3 eight_schools
}
# interrupted DIR: a run that SIGTERM stopped among its draws.
interrupted() {
  "$aimc" run eight_schools.aim $lengths --out "$1" > out 2> err &
  pid=$!
  n=0
  while [ $n -lt 200 ] && [ ! -s "$1/eight_schools-1.checkpoint" ]; do sleep 0.02; n=$((n + 1)); done
  kill -TERM $pid
  wait $pid
  [ $? -eq 143 ] || fail "the run was not stopped"
}
test_resume_after_a_signal() {
  interrupted part
  cp -r part damaged
  cp -r part absent
  cp -r part cut
  long --out part --resume || fail "status $?"
  [ -s err ] && fail "$(cat err)"
  long --out whole
  same whole part eight_schools
  # What a damaged checkpoint says is not believed: a byte of the chain is another one.
  size=$(wc -c < damaged/eight_schools-2.checkpoint)
  printf '\377\376' | dd of=damaged/eight_schools-2.checkpoint bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
  long --out damaged --resume || fail "status $?"
  says err 'chain 2 begins anew: its checkpoint is damaged'
  same whole damaged eight_schools
  rm absent/eight_schools-3.checkpoint
  long --out absent --resume || fail "status $?"
  says err 'chain 3 begins anew: its checkpoint is not there'
  same whole absent eight_schools
  # A file that has fewer rows than were counted.
  sed -i '20,$d' cut/eight_schools-1.csv
  long --out cut --resume || fail "status $?"
  says err 'chain 1 begins anew'
  same whole cut eight_schools
}
test_resume_of_another_run() {
  expect 0 "$aimc" run eight_schools.aim --out d --draws 50 --quiet
  sum=$(cat d/* | cksum)
  for other in '--set until=ess(400)' '--draws 60' '--seed 2' '--chains 3' '--target-accept 0.9' '--metric dense' '--set statistics=off' '--warmup 900' '--thin 2' '--max-depth 9' '--set init_radius=1' '--set init=pathfinder'; do
    expect 2 "$aimc" run eight_schools.aim --out d --draws 50 --quiet --resume $other
    says err 'E0938'
  done
  sed -i 's/28/27/' eight_schools.json
  expect 2 "$aimc" run eight_schools.aim --out d --draws 50 --quiet --resume
  says err 'data, options or version of AIM differ'
  sed -i 's/27/28/' eight_schools.json
  echo '# another text' >> eight_schools.aim
  expect 2 "$aimc" run eight_schools.aim --out d --draws 50 --quiet --resume
  [ "$sum" = "$(cat d/* | cksum)" ] || fail "the folder has changed"
}
test_resume_of_another_order_of_sites() {
  printf 'model two(n: int) {\n  v: bool[n] ~ Flat()\n  h: bool[n] ~ Flat()\n  energy -sum(v[i] * h[i] for i in 1..n)\n}\n' > two.aim
  printf 'infer two on n = 3 with gibbs(warmup = 10, draws = 20)\n' >> two.aim
  expect 0 "$aimc" run two.aim --out d --quiet
  expect 2 "$aimc" run two.aim --out d --quiet --resume --set 'blocks = [h, v]'
  says err E0938
}
test_resume_of_a_complete_run() {
  expect 0 "$aimc" run eight_schools.aim --out d --draws 50
  cp -r d before
  cp out table
  expect 0 "$aimc" run eight_schools.aim --out d --draws 50 --resume --threads 1 --engine vm
  says err 'was complete'
  same before d eight_schools
  for f in table out; do sed 1d $f > $f.rest; done
  cmp -s table.rest out.rest || fail "the table has changed"
}
test_what_cannot_be_resumed() {
  expect 1 "$aimc" run coin.aim --resume
  says err 'there is no --out'
  expect 1 "$aimc" run coin.aim --resume --out d --method importance
  says err 'importance cannot be resumed'
}
