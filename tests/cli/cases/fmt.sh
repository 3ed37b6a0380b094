# aimc fmt.

test_fmt_in_place() {
  printf 'model m(y:real[N]){\n mu~Normal(0,5)# prior\n\n\n  y ~ Normal(mu,1)\n}\n' > m.aim
  printf 'model m(y: real[N]) {\n  mu ~ Normal(0, 5)  # prior\n\n  y ~ Normal(mu, 1)\n}\n' > want
  chmod 640 m.aim
  ln -s m.aim link.aim
  expect 1 "$aimc" fmt --check m.aim
  says out m.aim
  expect 0 "$aimc" fmt link.aim
  cmp -s m.aim want || fail "the layout differs"
  [ -L link.aim ] || fail "the link is gone"
  [ "$(stat -c %a m.aim)" = 640 ] || fail "the mode changed"
  expect 0 "$aimc" fmt --check m.aim
  [ -s out ] && fail "a file that would not change is named"
  "$aimc" fmt - < want | cmp -s - want || fail "standard input"
}
test_fmt_refuses() {
  printf 'model m(y: real[N] {\n  y ~ Normal(0, 1)\n}\n' > m.aim
  cp m.aim before
  expect 1 "$aimc" fmt m.aim
  says err 'expected `=`'
  cmp -s m.aim before || fail "a file that does not parse was changed"
  expect 2 "$aimc" fmt nowhere.aim
  # Standard input that cannot be read is not taken for an empty program.
  expect 2 sh -c '"$1" fmt - < .' sh "$aimc"
  says err 'standard input'
  # What is wrong with its meaning is no matter of layout.
  printf 'model m(y: real[N]) { y ~ Normal(nu,1) }\n' > m.aim
  expect 0 "$aimc" fmt m.aim
  says m.aim 'Normal(nu, 1)'
}
# A pipe is read once, and stays what it is.
test_fmt_of_a_pipe() {
  mkfifo pipe.aim
  printf 'model m(y: real) {\na ~ Normal(y, 1)\n}\n' > pipe.aim &
  expect 2 timeout 20 "$aimc" fmt pipe.aim
  [ -p pipe.aim ] || fail "the pipe was replaced"
  mkdir folder.aim
  expect 2 "$aimc" fmt folder.aim
  says err 'Is a directory'
  : > empty.aim
  expect 0 "$aimc" fmt empty.aim
}
