#!/bin/sh
# Rules of the house that text and symbols can show.  Each is one test; what breaks it is printed.  Reads $B (default build),
# which must be built; where it is a sanitizer build (SAN), whose objects hold other symbols, the checks of objects are skipped.
set -u
B=${B:-build}
SAN=${SAN:-}
passed=0 failed=0 skipped=0
scratch=$B/lint
mkdir -p "$scratch"

# What is in $scratch/found breaks the rule named.
verdict() {
  if [ -s "$scratch/found" ]; then
    echo "lint: $1"
    sed 's/^/    /' "$scratch/found"
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
}

# --- text
sources=$(find lang compiler vm codegen aimc stdlib tests examples docs .ci Makefile build.mk README.md -type f \
  \( -name '*.c' -o -name '*.h' -o -name '*.re' -o -name '*.y' -o -name '*.aim' -o -name '*.sh' -o -name '*.mk' -o -name '*.md' \
  -o -name Makefile -o -path '.ci/*' \) ! -path 'tests/parse/*' ! -path 'tests/diag/*' ! -path 'tests/data_bad/*' | sort)

grep -n '[[:blank:]]$' $sources >"$scratch/found"
verdict "no line ends in white space"

# docs/language.md is the whole language on one page, which a newcomer can be given alone: it may be longer.
wc -l $sources | awk '$2 != "total" && $1 > ($2 == "docs/language.md" ? 1100 : 900) { print $2 ": " $1 " lines" }' >"$scratch/found"
verdict "a file has one responsibility, and at most 900 lines"

# Includes run one way.  A folder, and the folders it may include.
chain() {
  folder=$1 allowed=$2
  find "$folder" -maxdepth 1 \( -name '*.c' -o -name '*.h' -o -name '*.re' -o -name '*.y' \) -exec grep -nH '^ *# *include *"' {} + 2>/dev/null |
    grep -vE "\"($allowed)/[^\"]*\"" >>"$scratch/found"
}
: >"$scratch/found"
chain stdlib/runtime 'stdlib/runtime'
chain lang 'lang'
chain compiler 'lang|compiler|stdlib/runtime'
chain vm 'lang|compiler|vm|stdlib/runtime'
chain codegen 'lang|compiler|codegen|stdlib/runtime'
chain aimc 'lang|compiler|vm|codegen|aimc|stdlib/runtime'
verdict "includes run lang -> compiler -> {vm, codegen} -> aimc, from the root of the repository"

grep -n '^ *# *include *"' vm/aim.h >"$scratch/found"
verdict "aim.h includes nothing of ours"

grep -nE '^ *# *include *<' stdlib/runtime/*.[ch] | grep -vE '<(stdint|stddef)\.h>' >"$scratch/found"
verdict "the runtime includes no header of libc but stdint.h and stddef.h"

grep -nE '\b(getenv|printf|puts|putchar|exit|_exit|abort|system|popen)[[:blank:]]*\(' lang/*.[chy]* compiler/*.[ch] vm/*.[ch] stdlib/runtime/*.[ch] |
  grep -vE '^[^:]*:[0-9]+: *(/?\*|//)|format\(printf' >"$scratch/found"
verdict "library code neither prints, exits, aborts nor reads the environment"

grep -rhoE '"[EWN]0[0-9]{3}"' lang compiler vm aimc codegen | tr -d '"' | sort -u >"$scratch/codes"
grep -oE '^\| [EWN]0[0-9]{3}[^|]*\|' docs/diagnostics.md | grep -oE '[EWN]0[0-9]{3}' | sort >"$scratch/listed"
{ uniq -d "$scratch/listed" | sed 's/$/ stands twice in docs\/diagnostics.md/'
  comm -23 "$scratch/codes" "$scratch/listed" | sed 's/$/ is missing in docs\/diagnostics.md/'
  uniq "$scratch/listed" | comm -13 "$scratch/codes" - | sed 's/$/ of docs\/diagnostics.md is no code of a message/'
} >"$scratch/found"
verdict "docs/diagnostics.md lists the codes of all messages, each once"

grep -oE '(put_[a-z]+|open_group|member)\(o, "[a-z_]+"' vm/run_json.c | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u | while read -r key; do
  grep -q "\`$key\`" docs/running.md || echo "$key"
done >"$scratch/found"
verdict "docs/running.md says what each member of run.json is"

sed -n 's/^    {"\([a-z-]*\)", [A-Z'"'"'].*/\1/p' aimc/args.c | while read -r flag; do grep -q -- "--$flag\b" docs/*.md || echo "--$flag"; done >"$scratch/found"
verdict "docs/ names each flag of the command"

{
  sh stdlib/reference.sh | cmp -s - docs/stdlib.md || echo "make docs, and look at what changed"
  # A distribution whose comment is lost would be lost there.
  sed -n '/^## 9/,/^## 10/s/^| `\([A-Za-z_]*\)(.*/\1/p' docs/language.md | while read -r name; do
    grep -q "^\(<br>\)\?\*\*\`$name(" docs/stdlib.md || echo "$name has no comment"
  done
} >"$scratch/found"
verdict "docs/stdlib.md is what the comments of the library say"

# Each way to call a distribution, an overload by its parameters that the first has not, and what it has: members stand two columns in.
awk '/^dist / {
    line = name = substr($0, 6); sub(/\(.*/, "", name); sub(/\) on .*/, "", line); call = name "\\("
    while (match(line, /[A-Za-z_]+:/)) {
      p = substr(line, RSTART, RLENGTH - 1); line = substr(line, RSTART + RLENGTH)
      if (!(name in seen)) first[name, p] = 1; else if (!((name, p) in first)) call = call ".*" p " = "
    }
    seen[name] = 1; print "logpdf", call
  }
  /^  (cdf|sample)\(/ { sub(/\(.*/, ""); print $1, call }' stdlib/prelude/*.aim | while read -r member call; do
  case $member in
  logpdf) in="tests/tables/densities.txt tests/tables/vectors.txt" ;;
  cdf) in=tests/tables/cdfs.txt ;;
  sample) in="tests/unit/dist_formulas.h tests/unit/test_vm_distributions.c tests/unit/test_vm_vector_samplers.c tests/unit/test_vm_over.c" ;;
  esac
  grep -qhE "$call" $in || echo "$member of $call: not in $in"
done >"$scratch/found"
verdict "each distribution is in the table of densities, of distribution functions, and among the samplers that are tested"

# --- objects
if [ -n "$SAN" ]; then
  skipped=5
else
  objects=$(find "$B"/lang "$B"/compiler "$B"/vm "$B"/stdlib -name '*.o')

  # What needs relocation only (.data.rel.ro) is const.
  {
    size -A $objects | awk 'NF == 2 && $2 == ":" { o = $1 }
      $1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $1 !~ /^\.data\.rel\.ro/ && $2 > 0 { print o ": " $2 " bytes in " $1 }'
    nm -A $objects | awk '$(NF - 1) == "C" { print $1 " is common" }'
  } >"$scratch/found"
  verdict "no object of the library has a variable that can change"

  # One line for each undefined symbol: object, symbol.
  nm -A -u $objects | sed "s|^$B/||" | awk '{ sub(/:$/, "", $1); print $1, $NF }' >"$scratch/undefined"
  # run_jobs.c waits for threads until a moment in time.
  awk '$2 ~ /^(_*(printf|vprintf|puts|putchar|fputs|fputc|fwrite|fprintf|vfprintf|stdout|stderr|stdin)(_chk)?|exit|_exit|_Exit|abort|__assert_fail|getenv|secure_getenv|setlocale|system|popen|fork|signal|sigaction|rand|random|srand|time|clock|clock_gettime|gettimeofday|strtok|strerror)$/' \
    "$scratch/undefined" | grep -vx 'vm/run_jobs.o clock_gettime' >"$scratch/found"
  verdict "library objects call nothing that prints, exits, aborts, or reads environment, clock or process state"

  # The host's allocator is reached through aim_alloc; the default of aim.h is in the one file named here.
  awk '$2 ~ /^(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|strndup|asprintf|getline|mmap)$/ && $1 != "vm/api_program.o"' "$scratch/undefined" >"$scratch/found"
  verdict "memory comes from the host's allocator"

  # memcpy and memset, which compilers call by themselves, fma, which is an instruction from v3 on, and the processor's model.
  nm -u $(find "$B/stdlib/runtime" -name '*.o') | awk 'NF && $1 == "U" { print $2 }' | sort -u >"$scratch/needs"
  nm --defined-only $(find "$B/stdlib/runtime" -name '*.o') | awk 'NF == 3 { print $3 }' | sort -u >"$scratch/has"
  comm -23 "$scratch/needs" "$scratch/has" | grep -vxE 'memcpy|memset|memmove|memcmp|fma|__cpu_model|__cpu_indicator_init|_GLOBAL_OFFSET_TABLE_' >"$scratch/found"
  verdict "the runtime needs nothing but itself"

  nm -g --defined-only "$B/libaim.a" | awk 'NF == 3 && $3 !~ /^aim_/ { print $3 }' >"$scratch/found"
  nm -g --defined-only "$B/libaim.a" | grep -q ' T aim_run$' || echo "aim_run is not there" >>"$scratch/found"
  verdict "libaim.a exports the names of aim.h"
fi

if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
[ $failed -eq 0 ]
