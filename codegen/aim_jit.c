/* aim_jit.c: the engine of tier.h as hosts of the library set it up. */
#include "codegen/aim_jit.h"

#include "codegen/tier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct aim_jit {
  aim_alloc alloc;
  aim_jit_config config;
  char compiler[4096], cache[4096];
  jit_config jit;
  tier_config tier;
  exec_engine engine;
};

static void *c_alloc(void *user, void *ptr, size_t old_size, size_t size) {
  (void)user, (void)old_size;
  if (size) return realloc(ptr, size);
  free(ptr);
  return NULL;
}

void aim_jit_config_init(aim_jit_config *config) { *config = (aim_jit_config){.size = sizeof *config, .patience = TIER_PATIENCE, .alloc = c_alloc}; }

static void refused(void *user, const char *why) {
  const aim_jit *j = user;
  j->config.notice(j->config.user, why);
}

static void cacheless(void *user, const char *why, bool distrusted) {
  const aim_jit *j = user;
  char text[4400];
  (void)distrusted;
  snprintf(text, sizeof text, "compiled models are not kept: %s: %s", j->cache, why);
  j->config.notice(j->config.user, text);
}

aim_jit *aim_jit_new(const aim_jit_config *c) {
  if (!c || c->size != sizeof *c || !c->compiler) return NULL;
  size_t ncompiler = strlen(c->compiler), ncache = c->cache ? strlen(c->cache) : 0;
  aim_alloc alloc = {c->alloc ? c->alloc : c_alloc, c->alloc_user};
  aim_jit *j = NULL;
  if (ncompiler < sizeof j->compiler && ncache < sizeof j->cache) j = alloc_get(&alloc, 1, sizeof *j);
  if (!j) return NULL;
  *j = (aim_jit){.alloc = alloc, .config = *c};
  memcpy(j->compiler, c->compiler, ncompiler);
  memcpy(j->cache, c->cache ? c->cache : "", ncache);
  j->jit = (jit_config){.compiler = j->compiler, .cache = c->cache ? j->cache : NULL, .seconds = c->seconds, .cache_most = c->cache_most};
  j->tier = (tier_config){.jit = &j->jit, .patience = c->patience, .wait = c->wait != 0, .user = j};
  if (c->notice) {
    j->tier.notice = refused;
    j->tier.cacheless = cacheless;
  }
  j->engine = tier_engine(&j->tier);
  return j;
}

const aim_engine *aim_jit_engine(const aim_jit *jit) { return &jit->engine; }

void aim_jit_free(aim_jit *jit) {
  if (!jit) return;
  aim_alloc alloc = jit->alloc;
  alloc_put(&alloc, jit, sizeof *jit);
}
