#!/bin/sh
# One seed, one result: short runs of every reference model, whose files of draws have to be equal for both engines, for each
# instruction-set level of this machine and machine code for the very processor, and for 1, 2 and 4 threads.
#
#     B=build sh tests/posteriors/same_bits.sh [PATTERN]
#
# Reads data from REFERENCES (default ../shared/posteriordb), else tests/posteriors/data.  Where this build has no machine code, that
# half is left out.  The last line is `N passed, N failed, N skipped`; one model is one test.
set -u
B=${B:-build}
refs=${REFERENCES:-../shared/posteriordb}
[ -d "$refs" ] || refs=tests/posteriors/data
pattern=${1:-}
out=$B/same-bits
passed=0 failed=0 skipped=0
levels=2
grep -qw avx2 /proc/cpuinfo 2>/dev/null && levels="2 3"
grep -qw avx512f /proc/cpuinfo 2>/dev/null && levels="2 3 4"
engines=vm
[ -x "$B/aim-cc" ] && engines="vm jit"

# The draws of one run, without the comments that tell times.  A chain alone gets the threads that are left over.
draws() { # name, model, data, engine, level, threads
  dir=$out/$1/$4-v$5-$6
  "$B/aimc" run "$2" --data "$3" --out "$dir" --engine "$4" --isa "$5" --threads "$6" --warmup 60 --draws 40 --chains "$chains" --quiet \
    >"$dir.log" 2>&1 || return 1
  cat "$dir"/*-[0-9]*.csv | grep -v '^#' >"$dir.draws"
}

for model in tests/posteriors/*"$pattern"*.aim; do
  name=$(basename "$model" .aim)
  data=$refs/$name/data.json
  if [ ! -f "$data" ]; then
    skipped=$((skipped + 1))
    continue
  fi
  rm -rf "${out:?}/$name"
  mkdir -p "$out/$name"
  wrong= runs=0
  for chains in 1 2; do
    first=
    for engine in $engines; do
      own=
      [ $engine = jit ] && own=native
      for level in $levels $own; do
        for threads in 1 2 4; do
          if ! draws "$name" "$model" "$data" "$engine" "$level" "$threads"; then
            wrong="$wrong $engine-v$level-$threads (failed)"
            continue
          fi
          runs=$((runs + 1))
          now=$out/$name/$engine-v$level-$threads.draws
          if [ -z "$first" ]; then
            first=$out/$name/first.draws
            mv "$now" "$first"
          else
            cmp -s "$first" "$now" || wrong="$wrong $engine-v$level-$threads"
            rm -f "$now"
          fi
          rm -rf "${now%.draws}"
        done
      done
    done
  done
  if [ -z "$wrong" ] && [ $runs -gt 1 ] && [ -s "$first" ]; then
    passed=$((passed + 1))
    echo "$name: $runs runs, one result"
  else
    failed=$((failed + 1))
    echo "$name: differs:$wrong"
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
