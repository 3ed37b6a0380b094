#!/bin/sh
# Runs fuzz targets: run.sh PROGRAMS CORPUS SECONDS [NAME...], where a target tests/fuzz/fuzz_NAME.c has been built as
# PROGRAMS/fuzz_NAME.  What a run learns stays in CORPUS/NAME; an input that breaks something stays beside it as a file.
set -u
programs=$1 corpus=$2 seconds=$3
shift 3
# Objects for the loader to start from, where there is a compiler to make them: one of each kind of section.
make_objects() {
  mkdir -p "$1"
  [ -x "$2" ] || return 0
  for width in 0 256; do
    printf 'cpu x86-64-v3\nwidth %d\nfma 1\nir\nfunc @f(%%x: real uncon) -> (real) {\n %%y = exp %%x\n return %%y\n}\n' $width |
      "$2" | tail -c +17 >"$1/exp-$width"
    printf 'cpu x86-64-v2\nwidth %d\nfma 0\nbind N 9\nir\nfunc @f(%%x: real[N] data, %%y: real[M] uncon) -> (real) {\n %%m = size M\n %%s = plate %%i < %%m -> sum {\n  %%a = at %%y, %%i\n  %%b = lgamma %%a\n  yield %%b\n }\n return %%s\n}\n' $width |
      "$2" | tail -c +17 >"$1/sum-$width"
  done
}
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed 's|.*/fuzz_||; s|\.c$||')
broken=0
for name in "$@"; do
  mkdir -p "$corpus/$name"
  # What the tests hold of this kind is where a corpus starts.
  case $name in
    json | csv | graph) seeds=tests/data_bad ;;
    arrays | netcdf) seeds="tests/data_bad tests/arrays" ;;
    ir*) seeds=tests/ir ;;
    loader) seeds=$corpus/loader-objects && make_objects "$seeds" "$(dirname "$corpus")/aim-cc" ;;
    check) seeds="tests/parse tests/diag/parse tests/diag/check tests/check tests/agents" ;;
    *) seeds="tests/parse tests/diag/parse" ;;
  esac
  if [ "$name" = parse ] || [ "$name" = lex ] || [ "$name" = check ]; then dict=-dict=tests/fuzz/aim.dict; else dict=; fi
  log=$corpus/$name.log
  # A timeout counts seconds of the clock, also while the machine does other things.
  if "$programs/fuzz_$name" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 -verbosity=0 $dict \
    -artifact_prefix="$corpus/$name-" "$corpus/$name" $seeds >"$log" 2>&1; then
    awk -v name="$name" '/number_of_executed_units/ { runs = $2 } /average_exec_per_sec/ { rate = $2 }
      END { printf "fuzz_%-8s %9d inputs, %d a second\n", name, runs, rate }' "$log"
  else
    echo "fuzz_$name: found something, see $log"
    tail -n 40 "$log" | sed 's/^/    /'
    broken=$((broken + 1))
  fi
done
echo "$# targets, $broken with findings"
[ $broken -eq 0 ]
