# Stopping a run.

# stop SIGNAL STATUS
stop() {
  # A non-interactive shell starts background jobs with SIGINT ignored; this gives it back.
  env --default-signal=INT "$aimc" run coin.aim --out d --draws 5000 --thin 20000 --quiet > out 2> err &
  pid=$!
  n=0
  while [ $n -lt 100 ]; do
    [ -e d/coin-1.csv ] && [ "$(rows d/coin-1.csv)" -gt 0 ] && break
    sleep 0.05
    n=$((n + 1))
  done
  kill -"$1" $pid
  wait $pid
  got=$?
  [ $got -eq "$2" ] || fail "status $got instead of $2"
  says err "stopped by SIG$1"
  says d/run.json '"interrupted": true'
  [ "$(rows d/coin-1.csv)" -gt 0 ] || fail "no row was kept"
  for c in 1 2 3 4; do whole d/coin-$c.csv || fail "chain $c has broken rows"; done
}
test_sigint() { stop INT 130; }
test_sigterm() { stop TERM 143; }

# While data are read nothing is there to keep: the signal ends the process, which a pipe that nobody writes would keep for ever.
test_signal_while_data_are_read() {
  printf 'model m(y: real[N]) {\n  a ~ Normal(0, 1)\n  y ~ Normal(a, 1)\n}\ninfer m on "pipe.csv"\n' > m.aim
  mkfifo pipe.csv
  env --default-signal=INT "$aimc" run m.aim --out d > out 2> err &
  pid=$!
  sleep 0.5
  kill -INT $pid
  n=0
  while kill -0 $pid 2>/dev/null && [ $n -lt 100 ]; do
    sleep 0.05
    n=$((n + 1))
  done
  [ $n -lt 100 ] || { fail "it still waits for the pipe"; kill -9 $pid; }
  wait $pid
  got=$?
  [ $got -eq 130 ] || fail "status $got instead of 130"
  [ ! -e d/m-1.csv ] || fail "files of a run that did not begin"
}

# A fault of memory has a last word.  Under a sanitizer it has the sanitizer's.
test_fault() {
  if grep -q __asan_init "$aimc"; then skip; return; fi
  mkfifo pipe.json
  printf 'model m(y: real[N]) {\n  a ~ Normal(0, 1)\n  y ~ Normal(a, 1)\n}\ninfer m on "pipe.json"\n' > m.aim
  "$aimc" run m.aim > out 2> err &
  pid=$!
  sleep 0.5
  kill -SEGV $pid
  wait $pid
  got=$?
  [ $got -eq 3 ] || fail "status $got instead of 3"
  says err "please report it"
}
