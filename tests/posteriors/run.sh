#!/bin/sh
# Draws for each reference posterior with the shipped command, and checks them against reference.json.
#
#     B=build sh tests/posteriors/run.sh [PATTERN]
#
# Reads the references from REFERENCES (default ../shared/posteriordb).  The C checker judges; where Python and the references'
# own check_posterior.py exist, both must say the same.  The last line is `N passed, N failed, N skipped`.
set -u
B=${B:-build}
refs=${REFERENCES:-../shared/posteriordb}
pattern=${1:-}
out=$B/posteriors
passed=0 failed=0 skipped=0
mkdir -p "$out"
for model in tests/posteriors/*"$pattern"*.aim; do
  name=$(basename "$model" .aim)
  ref=$refs/$name
  if [ ! -f "$ref/reference.json" ]; then
    [ -n "${REFERENCES:-}" ] && continue # a selection
    echo "$name: skipped, no $ref/reference.json"
    skipped=$((skipped + 1))
    continue
  fi
  rm -rf "${out:?}/$name"
  begin=$(date +%s%N)
  if ! "$B/aimc" run "$model" --data "$ref/data.json" --out "$out/$name" --quiet >"$out/$name.log" 2>&1; then
    echo "$name: aimc failed"
    tail -n 20 "$out/$name.log"
    failed=$((failed + 1))
    continue
  fi
  ms=$((($(date +%s%N) - begin) / 1000000))
  "$B/check_posterior" "$ref/reference.json" "$out/$name"/*-[0-9]*.csv >"$out/$name.check" 2>&1
  status=$?
  verdict=$(tail -n 1 "$out/$name.check")
  if [ -f "$refs/check_posterior.py" ] && command -v python3 >/dev/null 2>&1; then
    python3 "$refs/check_posterior.py" "$ref/reference.json" "$out/$name"/*-[0-9]*.csv >"$out/$name.check.py" 2>&1
    if [ "$(tail -n 1 "$out/$name.check.py")" != "$verdict" ]; then
      echo "$name: the two checkers differ: $verdict | $(tail -n 1 "$out/$name.check.py")"
      status=1
    fi
  fi
  echo "$name: $verdict ($ms ms)"
  if [ $status -eq 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    grep FAIL "$out/$name.check"
  fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
