#!/bin/sh
# Writes the prelude's source files as a C table on standard output: see compiler/prelude.h.
echo '#include "compiler/prelude.h"'
k=0
for f in "$@"; do
  k=$((k + 1))
  printf 'static const unsigned char text_%d[] = {\n' $k
  od -An -v -tu1 "$f" | sed 's/  */,/g; s/^,//; s/$/,/'
  echo '0};'
done
echo 'const aim_prelude_file aim_prelude[] = {'
k=0
for f in "$@"; do
  k=$((k + 1))
  printf '  {"%s", (const char *)text_%d, sizeof text_%d - 1},\n' "$(basename "$f")" $k $k
done
echo '};'
echo "const size_t aim_prelude_count = $k;"
