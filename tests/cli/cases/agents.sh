# Agents: what explain and ir show of them; that nothing runs them yet is said once.

forager() {
  cp "$root/tests/parse/page_agent.aim" agent.aim
  cat > forager.json <<'END'
{"A_rew": [[[1,0,0],[1,0,0]],[[0,0.9,0.1],[0,0.1,0.9]],[[0,0.1,0.9],[0,0.9,0.1]],[[1,0,0],[1,0,0]]],
 "A_cue": [[[1,0,0],[1,0,0]],[[1,0,0],[1,0,0]],[[1,0,0],[1,0,0]],[[0,1,0],[0,0,1]]],
 "turn": [[0.9,0.1],[0.1,0.9]]}
END
}

test_agent_explained() {
  forager
  expect 1 "$aimc" explain agent.aim
  says out 'forager: agent forager in a world of its own equations, 100 steps, 5 trials, 1024 agents, seed 1'
  says out 'state season, 2 values, every 4 steps'
  says out 'step given move: 4 columns, one value each, by a formula'
  says out 'likelihood given season, place: 8 columns, 12 of 24 numbers are not 0'
  says out 'prefer: 0, 3, -3'
  says out '8 states in all; steps and likelihoods are 52 numbers, which over all states and actions would be 272'
  says out 'beliefs vmp, 16 iterations, tolerance 1e-06'
  says out 'plan efe, horizon 3, 64 policies, search tree, beam 64, prune 0.0001'
  says out 'learns A_rew by counts, rate 1'
  says err 'error[E0820]: `simulate` is not available yet'
  says err 'agent.aim:13:1'
  expect 1 "$aimc" explain --json agent.aim
  says out '"parents":["move"],"step":[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]'
  says out '"counts":[[[4,0,0],[4,0,0]],[[0,3.6,0.4],[0,0.4,3.6]],[[0,0.4,3.6],[0,3.6,0.4]],[[4,0,0],[4,0,0]]]'
}

test_agent_world() {
  cp "$root/tests/agents/grid5x5_noisy_len2.aim" grid.aim
  expect 0 "$aimc" check grid.aim
  expect 1 "$aimc" explain grid.aim --data "A1 = [[0.5]]"
  says err 'E07'
  expect 0 "$aimc" ir --stage all grid.aim
  says out 'func @step.cell(%A1: real[25, 25] data, %C1: real[25] data, %cell: int index, %move: int index) -> (int[2], real[2])'
  says out 'func @world.observe.seen('
}

test_agent_refused_once() {
  forager
  expect 1 "$aimc" run agent.aim
  [ "$(grep -c 'is not available yet' err)" -eq 1 ] || fail "said more than once"
  says err 'error[E0820]'
  expect 0 "$aimc" check agent.aim
  [ "$(grep -c 'is not available yet' err)" -eq 1 ] || fail "said more than once"
  says err 'warning[W0820]'
  says out "agent forager(A_rew: simplex(3)[4, 2], A_cue: simplex(3)[4, 2], turn: simplex(2)[2]) -> 1 action, 2 states, 3 observations"
  rm forager.json
  expect 1 "$aimc" run agent.aim
  says err 'error[E0820]'
}

test_agent_ir() {
  forager
  expect 0 "$aimc" ir agent.aim
  says out 'func @step.place(%A_rew: real[4, 2, 3] data, %A_cue: real[4, 2, 3] data, %turn: real[2, 2] data, %move: int index) -> (int)'
  expect 0 "$aimc" ir --stage prepare agent.aim
  says out 'func @prepare('
}
