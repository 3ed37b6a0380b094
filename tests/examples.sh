#!/bin/sh
# Every program of examples/ checks without a message and runs as it is, and gives the same bytes of draws on one thread as on
# three.  Runs are short: what the draws are worth, other tests tell.  Reads $B.
set -u
B=${B:-build}
out=$B/examples
passed=0 failed=0
rm -rf "$out"
mkdir -p "$out"

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
    "$B/aimc" run "$program" --draws 100 --warmup 100 --threads $threads --quiet --out "$out/$name.$threads" >"$out/$name.$threads.log" 2>&1
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
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
