/* program_agent.c: from a checked agent to the functions that an engine loads (program.h). */
#include "compiler/frame.h"
#include "compiler/lower_agent.h"
#include "compiler/passes.h"
#include "compiler/program.h"

bool program_build_agent(program *p, const check_agent *agent, const check_agent *world, bool passes) {
  ir_module *m = p->module = ir_module_new(p->mem);
  m->sizes = p->sizes;
  p->ir = NULL;
  const lower_options options = {.given = program_given, .user = p};
  bool ok = lower_agent(&p->check, m, agent, "", &options);
  if (ok && world) ok = lower_agent(&p->check, m, world, "world.", &options);
  if (!ok) return m->fault ? program_verify(p) : false;
  if (!passes) return true;
  for (uint32_t k = 0; k < m->nfns; k++) {
    if (frame_is_prepare(m->fn[k])) continue;
    passes_structural(m, m->fn[k]);
    passes_data(m, m->fn[k], false);
    passes_run(m, m->fn[k]);
  }
  ir_fn *prepare = ir_fn_find(m, "prepare");
  if (prepare) {
    passes_run(m, prepare);
    frame_tidy(m, &prepare);
    if (prepare) pass_dce(m, prepare);
  }
  return program_verify(p);
}
