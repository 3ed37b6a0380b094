# The library in a host.

test_embedding() {
  mkdir include
  cp "$root/vm/aim.h" include/
  flags=$([ -n "${SAN:-}" ] && echo "-fsanitize=$SAN")
  expect 0 ${CC:-gcc} -std=c11 -Wall -Wextra -Werror $flags -Iinclude "$root/examples/embed.c" "$B/libaim.a" -ljansson -lm -pthread -o embed
  expect 0 ./embed
  says out 'P(theta[1] > theta[2])'
}
test_only_names_of_aim_h() {
  nm -g --defined-only "$B/libaim.a" | awk 'NF == 3 && $3 !~ /^aim_/ { print $3 }' > names
  [ -s names ] && fail "other names: $(head -3 names | tr '\n' ' ')"
  for f in $(sed -n 's/^AIM_API .*[ *]\(aim_[a-z0-9_]*\)(.*/\1/p' "$root/vm/aim.h"); do
    nm -g --defined-only "$B/libaim.a" | grep -q " T $f\$" || fail "$f is declared and not there"
  done
}
test_header_stands_alone() {
  printf '#include "aim.h"\nint main(void) { return AIM_OK; }\n' > h.c
  expect 0 ${CC:-gcc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$root/vm" -c h.c
  command -v c++ >/dev/null || return 0
  expect 0 c++ -std=c++11 -x c++ -Wall -Wextra -Werror -I"$root/vm" -c h.c
}
