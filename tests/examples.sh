#!/bin/sh
# Every program of examples/ checks without a message and runs as it is, and gives the same bytes of draws on one thread as on
# three.  Where NAME.expected stands beside it, each line `quantity mean error` there agrees with the mean of that quantity: they differ by less
# than 4.9 standard errors, those of both taken together, which independent runs would miss once in a million lines.  Seeds are fixed.
# A quantity that is not in the table is sought in run.json.  Reads $B.
set -u
B=${B:-build}
out=$B/examples
passed=0 failed=0
rm -rf "$out"
mkdir -p "$out"

# compare DIR EXPECTED: what disagrees, or nothing.
compare() {
  awk '
    FILENAME ~ /summary.tsv$/ { split($0, f, "\t"); mean[f[1]] = f[2]; mcse[f[1]] = f[3]; next }
    FILENAME ~ /run.json$/ { if (split($0, f, /[",: ]+/) >= 3 && !(f[2] in mean)) mean[f[2]] = f[3]; next }
    /^#/ || NF == 0 { next }
    NF != 3 { print "line " FNR " of " FILENAME " is not `quantity mean error`"; next }
    !($1 in mean) { print $1 " is not there"; next }
    { d = mean[$1] - $2; limit = 4.9 * sqrt(mcse[$1]^2 + $3^2) + 1e-4 * ($2 < 0 ? -$2 : $2)
      if (!(d * d <= limit * limit)) print $1 " is " mean[$1] ", and " $2 " is expected; they may differ by " limit }
    END { if (FNR == 0) print "nothing is expected" }' "$1/summary.tsv" "$1/run.json" "$2"
}

for program in examples/*.aim; do
  name=$(basename "$program" .aim)
  said=$("$B/aimc" check "$program" 2>&1)
  if [ $? -eq 0 ] && ! echo "$said" | grep -Eq '^(error|warning)'; then
    passed=$((passed + 1))
  else
    echo "examples: $program does not check"
    echo "$said"
    failed=$((failed + 1))
  fi
  for threads in 1 3; do
    "$B/aimc" run "$program" --draws 250 --warmup 250 --threads $threads --quiet --out "$out/$name.$threads" >"$out/$name.$threads.log" 2>&1
    status=$?
    if [ $status -eq 0 ]; then
      passed=$((passed + 1))
    else
      echo "examples: $program ends with status $status on $threads threads"
      cat "$out/$name.$threads.log"
      failed=$((failed + 1))
    fi
  done
  # Comments hold times and the name of the directory.
  differ=0 seen=0
  for csv in $(cd "$out/$name.1" && find . -name '*.csv' ! -name 'summary.csv'); do
    seen=$((seen + 1))
    grep -v '^#' "$out/$name.1/$csv" >"$out/a"
    grep -v '^#' "$out/$name.3/$csv" 2>/dev/null | cmp -s - "$out/a" || differ=$((differ + 1))
  done
  if [ $seen -gt 0 ] && [ $differ -eq 0 ]; then
    passed=$((passed + 1))
  else
    echo "examples: $program has $seen files of draws, $differ of which depend on threads"
    failed=$((failed + 1))
  fi
  [ -e "examples/$name.expected" ] || continue
  said=$(compare "$out/$name.1" "examples/$name.expected" 2>&1)
  if [ -z "$said" ]; then
    passed=$((passed + 1))
  else
    echo "examples: $program"
    echo "$said"
    failed=$((failed + 1))
  fi
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
