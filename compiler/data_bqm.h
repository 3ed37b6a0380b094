/* data_bqm.h: dimod's binary quadratic models in JSON, as `BinaryQuadraticModel.to_serializable()` gives them.  Private to
 * compiler/data_json.c. */
#ifndef AIM_COMPILER_DATA_BQM_H
#define AIM_COMPILER_DATA_BQM_H

#include "compiler/data.h"

#include <jansson.h>

/* Whether an object says that it is one. */
bool data_is_bqm(const json_t *root);
/* Enters its arrays: data_graph.h.  Sites are numbered as the file lists its variables. */
int data_read_bqm(data_set *ds, const char *file, const json_t *root, arena *scratch);

#endif
