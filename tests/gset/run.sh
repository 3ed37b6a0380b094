#!/bin/sh
# Anneals graphs of the Gset with the shipped command, and compares their cuts with the best known.
#
#     B=build sh tests/gset/run.sh [NAME ...]
#
# Reads the graphs and best_known.csv from GSET (default ../shared/ising/gset); without names, all of at most 3000 nodes.  Each graph has one run of
# tests/gset/cut.aim on one thread; told are its cut, processor seconds and gap, and their mean at the end.  Fails where a cut is better than the best
# known, which no run of this length has earned, or the mean gap is over 0.05 %.
set -u
B=${B:-build}
dir=${GSET:-../shared/ising/gset}
out=$B/gset
if [ ! -f "$dir/best_known.csv" ]; then
  echo "skipped, no $dir/best_known.csv"
  exit 0
fi
mkdir -p "$out"
names=$*
[ -n "$names" ] || names=$(awk -F, 'NR > 1 && $2 <= 3000 { sub(/\.rud/, "", $1); print $1 }' "$dir/best_known.csv")
for name in $names; do
  best=$(awk -F, -v f="$name.rud" '$1 == f { print $7 }' "$dir/best_known.csv")
  weight=$(awk 'NR > 1 { w += $3 } END { print w }' "$dir/$name.rud")
  rm -rf "${out:?}/$name"
  # The shell tells the processor time of its children as minutes and seconds, in the second line.
  if ! ("$B/aimc" run tests/gset/cut.aim --data "$dir/$name.rud" --out "$out/$name" --threads 1 >"$out/$name.log" 2>&1 && times >"$out/$name.time"); then
    echo "$name: aimc failed"
    cat "$out/$name.log"
    exit 1
  fi
  seconds=$(awk 'NR == 2 { split($1, t, /[ms]/); print 60 * t[1] + t[2] }' "$out/$name.time")
  energy=$(sed -n 's/^lowest energy \([-+0-9.e]*\):.*/\1/p' "$out/$name.log")
  echo "$name $best $weight $energy $seconds"
done | awk '
  NF != 5 { print; bad = 1; next }
  { cut = ($3 - $4) / 2; gap = 100 * ($2 - cut) / $2; sum += gap; n++
    printf "%-5s cut %6d  best known %6d  gap %6.3f %%  %6.1f CPU s\n", $1, cut, $2, gap, $5
    if (cut > $2) bad = 1 }
  END { if (n) printf "mean gap of %d graphs: %.4f %%\n", n, sum / n; exit bad || !n || sum / n > 0.05 }'
