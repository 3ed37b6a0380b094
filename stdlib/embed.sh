#!/bin/sh
# embed.sh PRELUDE... -- MODULE...: writes the library's source files as C tables on standard output: see compiler/prelude.h.  A declaration
# of the prelude begins at a line that starts with `fn`, `dist` or `schedule`, and reaches to the next one; modules are kept whole.
LC_ALL=C
export LC_ALL
echo '#include "compiler/prelude.h"'
k=0 prelude='' modules='' part=prelude
for f in "$@"; do
  if [ "$f" = -- ]; then
    part=modules
    continue
  fi
  k=$((k + 1))
  printf 'static const char text_%d[] = {\n' $k
  od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
  echo '0};'
  if [ $part = prelude ]; then
    prelude="$prelude $f"
  else
    name=${f##*/}
    modules="$modules  {\"${name%.aim}\", text_$k, sizeof text_$k - 1},
"
  fi
done
echo 'const aim_prelude_decl aim_prelude[] = {'
# shellcheck disable=SC2086  # names of files of this tree, which have no spaces
awk '
  function flush() { if (name != "") printf "%s %d %d %d %d %s\n", name, k, off, at - off, kind, file }
  FNR == 1 { flush(); name = ""; at = 0; k++; file = FILENAME; sub(/.*\//, "", file) }
  /^(fn|dist|schedule) / { flush(); split($2, word, "("); name = word[1]; off = at; kind = $1 == "fn" ? 0 : $1 == "dist" ? 1 : 2 }
  { at += length($0) + 1 }
  END { flush() }
' $prelude | sort -k1,1 -k2,2n -k3,3n | awk '
  { printf "  {\"%s\", \"%s\", text_%d + %d, %d, %d},\n", $1, $6, $2, $3, $4, $5 }
  END { printf "};\nconst size_t aim_prelude_count = %d;\n", NR }
'
printf 'const aim_module aim_modules[] = {\n%s  {0}};\n' "$modules"
echo 'const size_t aim_module_count = sizeof aim_modules / sizeof *aim_modules - 1;'
