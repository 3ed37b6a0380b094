#!/bin/sh
# The reference of the standard library, docs/stdlib.md, from the comments in stdlib: `make docs`; `make lint` tells when it is not that.
#
# The comment at the head of a file introduces its section.  A declaration is listed if a comment stands right above it, or above one right above it;
# overloads of a listed distribution go with it.  Of comments the first paragraph is taken, which an empty comment line ends.  `# ---- title` makes a heading,
# and behind `# ---- helpers`, and among distributions, functions are the library's own.
set -eu
cd "$(dirname "$0")"
cat <<'END'
# The standard library

What programs need not declare, and the modules that `import` finds, by file: arguments, what is drawn and where parameters are valid, what a distribution can do besides a density, and what it means. Functions that are part of
the language itself (`exp`, `sum`, `lgamma`, ...) are in [language.md](language.md), section 8. This page is made from the comments of the source by `make docs`.
END
section() {
  printf '\n## %s\n' "$1"
  awk -v path="../stdlib/$2" -v only="${3:-}" '
    # The length of a signature: up to the = or { outside of brackets.
    function signature(s,  i, c, depth) {
      for (i = 1; i <= length(s); i++) {
        c = substr(s, i, 1)
        if (c ~ /[(<\[]/ && substr(s, i, 2) != "->") depth++
        else if (c ~ /[)>\]]/ && substr(s, i - 1, 2) != "->") depth--
        else if (depth == 0 && (c == "=" || c == "{")) break
      }
      s = substr(s, 1, i - 1)
      sub(/^(fn|dist|schedule|model) /, "", s)
      sub(/ +$/, "", s)
      return s
    }
    function flush() {
      if (n && (text != "" || name in listed)) {
        listed[name] = 1
        print ""
        for (k = 1; k <= n; k++) print (k > 1 ? "<br>" : "") line[k]
        if (text != "") print "\n" text
      }
      n = 0
      text = ""
    }
    function finish() {
      if (!isdist) return
      line[n] = line[n] (valid != "" ? ", valid where `" valid "`" : "") (can != "" ? "; has " substr(can, 3) : "")
      isdist = 0
    }
    NR == 1 { head = 1 }
    /^# ---- / {
      finish(); flush()
      sub(/^# ---- /, "")
      helpers = $0 == "helpers"
      if (!helpers) print "\n### " toupper(substr($0, 1, 1)) substr($0, 2)
      next
    }
    helpers { next }
    /^#/ {
      if (n) { finish(); flush() }
      sub(/^# ?/, "")
      gsub(/  +/, " ")
      if ($0 == "") over = 1
      else if (over) next
      else if (head) intro = intro (intro == "" ? "" : " ") $0
      else text = text (text == "" ? "" : " ") $0
      next
    }
    { over = 0 }
    /^$/ {
      if (head) { print "\n" intro (intro == "" ? "" : " ") "([source](" path "))"; head = 0 }
      else if (!isdist) flush()
      if (!n) text = ""
      next
    }
    /^(fn|dist|schedule|model) / {
      finish()
      head = 0
      if (only != "" && $1 != only) { text = ""; next }
      own = $0
      sub(/^[a-z]+ /, "", own)
      sub(/[(:{ ].*/, "", own)
      if (n && own != name && $1 == "dist") flush()
      name = own
      s = signature($0)
      support = ""
      if ($1 == "dist" && match(s, / on /)) { support = substr(s, RSTART + 4); s = substr(s, 1, RSTART - 1) }
      line[++n] = "**`" s "`**" (support != "" ? " on `" support "`" : "")
      if ($1 == "dist") { isdist = 1; valid = can = "" }
      next
    }
    isdist && /^  valid\(\) *= / { valid = $0; sub(/^  valid\(\) *= */, "", valid) }
    isdist && /^  (cdf|logccdf|quantile|sample|standard)\(/ {
      m = $1
      sub(/\(.*/, "", m)
      can = can ", " (m == "cdf" ? "a cdf" : m == "logccdf" ? "an upper tail" : m == "quantile" ? "quantiles" : m == "sample" ? "draws" : "a non-centred form")
    }
    isdist && /^}/ { finish(); if (text == "" && !(name in listed)) n = 0 }
    END { finish(); flush() }' "$2"
}
section 'Distributions on the reals' prelude/continuous.aim dist
section 'Distributions on the positive reals' prelude/positive.aim dist
section 'Discrete distributions' prelude/discrete.aim dist
section 'Distributions of vectors and matrices' prelude/multivariate.aim dist
section 'Distributions over distributions' prelude/over.aim dist
section 'Functions of arrays and numbers' prelude/array.aim
section 'Special functions' prelude/special.aim
section 'Covariances of Gaussian processes' prelude/kernel.aim
section 'Annealing schedules' prelude/schedule.aim
for module in *.aim; do
  [ -e "$module" ] && section "\`import\` of the module $module" "$module"
done
