#!/bin/sh
# Writes the prelude's source files as a C table on standard output: see compiler/prelude.h.  A declaration begins at a line that
# starts with `fn`, `dist` or `schedule`, and reaches to the next one.
LC_ALL=C
export LC_ALL
echo '#include "compiler/prelude.h"'
k=0
for f in "$@"; do
  k=$((k + 1))
  printf 'static const char text_%d[] = {\n' $k
  od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
  echo '0};'
done
echo 'const aim_prelude_decl aim_prelude[] = {'
awk '
  function flush() { if (name != "") printf "%s %d %d %d %d %s\n", name, k, off, at - off, kind, file }
  FNR == 1 { flush(); name = ""; at = 0; k++; file = FILENAME; sub(/.*\//, "", file) }
  /^(fn|dist|schedule) / { flush(); split($2, word, "("); name = word[1]; off = at; kind = $1 == "fn" ? 0 : $1 == "dist" ? 1 : 2 }
  { at += length($0) + 1 }
  END { flush() }
' "$@" | sort -k1,1 -k2,2n -k3,3n | awk '
  { printf "  {\"%s\", \"%s\", text_%d + %d, %d, %d},\n", $1, $6, $2, $3, $4, $5 }
  END { printf "};\nconst size_t aim_prelude_count = %d;\n", NR }
'
