#!/bin/sh
# Runs test programs and test scripts, some at a time, from the root of the repository, and adds up what they say.
#
#     B=build JOBS=2 sh tests/run_all.sh JOB...
#
# A program (anything not ending in .sh) prints cmocka's summaries.  A script prints one line for what it finds wrong and, as
# its last line, `N passed, N failed` or `N passed, N failed, N skipped`.  One that ends otherwise (a crash, a status without a
# failed test, more than TEST_LIMIT seconds) counts as one failed test.  Output is shown of failing jobs only, and kept in
# $B/test-logs.  Before the last line what failed is named once more; the last line is the sum; the exit status is 1 if anything failed.
set -u
B=${B:-build}
logs=$B/test-logs
limit=${TEST_LIMIT:-900}

if [ "${1:-}" = --one ]; then
  job=$2
  case $job in
    tests/cli/run.sh) name=cli ;;
    tests/ahead/run.sh) name=ahead ;;
    *.sh) name=$(basename "$job" .sh) ;;
    *) name=$(basename "$job") ;;
  esac
  log=$logs/$name.log
  begin=$(date +%s%N)
  case $job in
    *.sh) timeout "$limit" sh "$job" >"$log" 2>&1 </dev/null ;;
    *) timeout "$limit" "$job" >"$log" 2>&1 </dev/null ;;
  esac
  status=$?
  ms=$((($(date +%s%N) - begin) / 1000000))
  counts=$(awk '
    /^\[  PASSED  \] [0-9]+ test/ { p += $4; seen = 1 }
    /^\[  FAILED  \] .*: [0-9]+ test\(s\)/ { sub(/ test\(s\).*/, ""); sub(/.* /, ""); f += $0; seen = 1 }
    /^\[  SKIPPED \] .*: [0-9]+ test\(s\)/ { sub(/ test\(s\).*/, ""); sub(/.* /, ""); s += $0; seen = 1 }
    /^[0-9]+ passed, [0-9]+ failed/ { last = $0; at = NR }
    END {
      if (!seen && at == NR && NR > 0) { split(last, w, /[ ,]+/); p = w[1]; f = w[3]; s = w[5]; seen = 1 }
      print p + 0, f + 0, s + 0, seen + 0
    }' "$log")
  set -- $counts
  passed=$1 failed=$2 skipped=$3 seen=$4
  reason=
  if [ $status -eq 124 ]; then
    failed=$((failed + 1)) reason=" (stopped after $limit s)"
  elif [ "$seen" -eq 0 ] || { [ $status -ne 0 ] && [ "$failed" -eq 0 ]; }; then
    failed=$((failed + 1)) reason=" (exit status $status)"
  fi
  line=$(printf '%-28s %4d passed' "$name" "$passed")
  [ "$failed" -gt 0 ] && line="$line, $failed failed$reason"
  [ "$skipped" -gt 0 ] && line="$line, $skipped skipped"
  report=$(printf '%s  [%d.%02d s]' "$line" $((ms / 1000)) $((ms % 1000 / 10)))
  if [ "$failed" -gt 0 ]; then
    report="$report
$(grep -v -e '^\[ RUN ' -e '^\[       OK' "$log" | tail -n 60 | sed 's/^/    /')"
    which=$(sed -n 's/^\[  FAILED  \] \([A-Za-z0-9_]*\)$/\1/p' "$log" | sort -u | tr '\n' ' ')
    echo "failed: $name${which:+: ${which% }}$reason" >"$logs/$name.failed"
  fi
  # One write, so that the reports of jobs that run side by side do not mix.
  printf '%s\n' "$report"
  echo "$passed $failed $skipped" >"$logs/$name.count"
  exit 0
fi

rm -rf "$logs"
mkdir -p "$logs"
# Compiled models of tests are nobody else's.
export B AIM_CACHE="$(cd "$logs" && pwd)/objects"
printf '%s\n' "$@" | xargs -P "${JOBS:-2}" -n 1 sh "$0" --one
cat "$logs"/*.failed 2>/dev/null
cat "$logs"/*.count 2>/dev/null | awk -v jobs=$# '
  { p += $1; f += $2; s += $3 }
  END {
    if (NR < jobs) f += jobs - NR
    printf "%d passed, %d failed", p, f
    if (s) printf ", %d skipped", s
    printf "\n"
    exit f > 0 || p == 0
  }'
