#!/bin/sh
# The command line as a user meets it: exit statuses, files, wrong usage, signals, full disks.
#
#     B=build sh tests/cli/run.sh [PATTERN]
#
# Each file of tests/cli/cases defines functions test_*; each runs in an empty directory with $aimc, the helpers below, and
# models to run.  A case fails when it calls fail, and is skipped when it calls skip.
set -u
root=$(pwd)
B=${B:-build}
case $B in /*) ;; *) B=$root/$B ;; esac
aimc=$B/aimc
work=$(mktemp -d "${TMPDIR:-/tmp}/aim-cli.XXXXXX") || exit 2
trap 'cd /; umount "$work"/*/small 2>/dev/null; rm -rf "$work"' EXIT INT TERM

passed=0 failed=0 skipped=0
fail() { echo "$case: $*"; touch "$work/failed"; }
skip() { touch "$work/skipped"; }

# expect STATUS COMMAND...: runs it with output in `out` and `err`.
expect() {
  want=$1
  shift
  "$@" >out 2>err </dev/null
  got=$?
  [ $got -eq "$want" ] || { fail "status $got instead of $want: $*"; sed 's/^/    /' err; }
}
# says FILE TEXT: the file holds the text.
says() { grep -qF -- "$2" "$1" || { fail "$1 does not say: $2"; sed 's/^/    /' "$1" | head -20; }; }
# rows CSV: lines of draws.  whole CSV: every row has as many fields as the header.
rows() { grep -v '^#' "$1" | tail -n +2 | wc -l; }
whole() { grep -v '^#' "$1" | awk -F, 'NR == 1 { n = NF } NF != n { bad = 1 } END { exit bad }'; }

for file in "$root"/tests/cli/cases/*.sh; do
  . "$file"
  for case in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$file"); do
    case $case in *"${1:-}"*) ;; *) continue ;; esac
    export AIM_CACHE="$work/$case.objects"
    mkdir "$work/$case" && cd "$work/$case" || exit 2
    cp "$root"/examples/eight_schools.* .
    printf 'model coin(y: bool[N]) {\n  p ~ Beta(1, 1)\n  y ~ Bernoulli(p)\n}\ninfer coin on y = [true, true, false, true]\n' > coin.aim
    $case
    cd "$work"
    if [ -e failed ]; then failed=$((failed + 1)); rm failed
    elif [ -e skipped ]; then skipped=$((skipped + 1)); rm skipped
    else passed=$((passed + 1)); fi
  done
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
