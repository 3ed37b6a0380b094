# Programs of several files.

test_import() {
  mkdir -p lib/deep
  echo 'import "deep/half.aim"
fn twice(x: real): real = x / half()
infer nothing' >lib/twice.aim
  echo 'import "half.aim"
fn half(): real = 0.5' >lib/deep/half.aim
  echo 'import "lib/twice.aim"
import "./lib/deep/half.aim"
model m(y: real) { a ~ Normal(0, 1); y ~ Normal(twice(a), half()) }
infer m on y = 1' >m.aim
  expect 0 "$aimc" run m.aim
  says out 'm: nuts'
  mkdir inside
  echo 'import "../lib/twice.aim"
model m(y: real) { a ~ Normal(0, 1); y ~ Normal(twice(a), 1) }
infer m on y = 1' >inside/m.aim
  expect 1 "$aimc" run inside/m.aim
  says err 'below its own folder'
  expect 0 "$aimc" run --any-path inside/m.aim
}

# Depth and number are limited, and what is not a file is not opened.
test_import_limits() {
  k=0
  while [ $k -lt 20 ]; do
    echo "import \"f$((k + 1)).aim\"" >f$k.aim
    k=$((k + 1))
  done
  echo 'fn f(): real = 1.0' >f20.aim
  expect 1 "$aimc" check f0.aim
  says err 'more than 16 deep'
  k=0
  while [ $k -lt 70 ]; do
    echo "fn g$k(): real = 1.0" >g$k.aim
    echo "import \"g$k.aim\""
    k=$((k + 1))
  done >many.aim
  expect 1 "$aimc" check many.aim
  says err 'at most 64 files'
  mkfifo pipe.aim
  echo 'import "pipe.aim"' >p.aim
  expect 1 timeout 10 "$aimc" check p.aim
  says err 'not a file'
}
