/* data_safetensors.c: tensors as machine-learning tools store them (github.com/huggingface/safetensors): the length of a header
 * in 8 bytes, the header in JSON, the cells. */
#include "compiler/data_input.h"
#include "compiler/data_pour.h"

#include <jansson.h>
#include <string.h>

enum { PIECE = 1 << 16, MOST_HEADER = 100 << 20 };

typedef struct tensors_job {
  const data_input *in;
  json_t *root;
  arena scratch, tensor;
} tensors_job;

static int wrong(tensors_job *job, const char *where, const char *code, const char *help, const char *what) {
  return data_fail(job->in->ds, code, job->in->file, where, help, "%s", what);
}

static bool find_type(const char *name, pour_type *t) {
  static const struct { const char *name; pour_kind kind; size_t size; } types[] = {
      {"F64", POUR_FLOAT, 8}, {"F32", POUR_FLOAT, 4}, {"F16", POUR_FLOAT, 2}, {"BF16", POUR_BFLOAT16, 2}, {"I64", POUR_INT, 8},  {"I32", POUR_INT, 4},   {"I16", POUR_INT, 2},
      {"I8", POUR_INT, 1},    {"U64", POUR_UINT, 8},  {"U32", POUR_UINT, 4},  {"U16", POUR_UINT, 2},      {"U8", POUR_UINT, 1}, {"BOOL", POUR_BOOL, 1}};
  for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
    if (strcmp(name, types[k].name) == 0) {
      *t = (pour_type){types[k].kind, types[k].size, false};
      return true;
    }
  return false;
}

static int read_tensor(tensors_job *job, const char *name, const json_t *v, uint64_t first) {
  const data_input *in = job->in;
  data_set *ds = in->ds;
  data_array *x = ARENA_NEW(ds->a, data_array);
  x->name = arena_strndup(ds->a, name, strlen(name));
  x->origin = (data_origin){.source = DATA_FROM_TENSORS, .file = in->file};
  const char *where = data_array_where(x, ds->a), *type = json_string_value(json_object_get(v, "dtype"));
  const json_t *shape = json_object_get(v, "shape"), *offsets = json_object_get(v, "data_offsets");
  if (!type || !json_is_array(shape) || json_array_size(offsets) != 2) return wrong(job, where, "E0745", NULL, "the header does not give its type, shape and offsets");
  data_pour p = {.ds = ds, .x = x, .scratch = &job->tensor};
  if (!find_type(type, &p.type)) return wrong(job, where, "E0746", "F16, BF16, F32, F64, BOOL, and I and U of 8 to 64 bits are", "cells of this type are not read");
  if (json_array_size(shape) > DATA_MAX_RANK) return wrong(job, where, "E0758", NULL, "the tensor has more than 16 dimensions");
  int64_t *dims = ARENA_ARRAY(ds->a, int64_t, DATA_MAX_RANK);
  x->dims = dims;
  x->rank = (int)json_array_size(shape);
  for (int k = 0; k < x->rank; k++) {
    const json_t *d = json_array_get(shape, (size_t)k);
    if (!json_is_integer(d) || json_integer_value(d) < 0) return wrong(job, where, "E0745", NULL, "an extent of its shape is no integer from 0 up");
    dims[k] = (int64_t)json_integer_value(d);
  }
  if (data_cells(x->rank, dims, &x->cells) < 0) return wrong(job, where, "E0758", NULL, "the tensor does not fit in memory");
  const json_t *b = json_array_get(offsets, 0), *e = json_array_get(offsets, 1);
  int64_t begin = json_integer_value(b), end = json_integer_value(e);
  if (!json_is_integer(b) || !json_is_integer(e) || begin < 0 || end < begin || (uint64_t)end > in->size - first)
    return wrong(job, where, "E0747", "the file has been cut short: copy it again", "its cells do not lie inside the file");
  if ((uint64_t)(end - begin) != x->cells * p.type.size) return wrong(job, where, "E0747", NULL, "the number of its bytes is not what its type and shape need");
  if (data_pour_begin(&p) < 0) return -1;
  char *piece = ARENA_ARRAY(&job->tensor, char, PIECE);
  for (int64_t at = begin; at < end;) {
    size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
    if (data_input_get(in, first + (uint64_t)at, piece, n) < 0 || data_pour_bytes(&p, piece, n) < 0) return -1;
    at += (int64_t)n;
  }
  return data_pour_end(&p);
}

static int tensors_body(void *ctx) {
  tensors_job *job = ctx;
  const data_input *in = job->in;
  job->scratch.oom = job->tensor.oom = in->ds->a->oom;
  unsigned char length[8];
  static const char what[] = "save it with `safetensors`";
  if (in->size < 8) return wrong(job, "", "E0745", what, "the file is too short for a header");
  if (data_input_get(in, 0, length, 8) < 0) return -1;
  uint64_t n = 0;
  for (int k = 0; k < 8; k++) n |= (uint64_t)length[k] << 8 * k;
  if (n > in->size - 8 || n > MOST_HEADER) return wrong(job, "", "E0745", what, "the header is longer than the file, or than 100 MiB");
  char *header = ARENA_ARRAY(&job->scratch, char, (size_t)n + 1);
  if (data_input_get(in, 8, header, (size_t)n) < 0) return -1;
  json_error_t error;
  job->root = json_loadb(header, (size_t)n, JSON_REJECT_DUPLICATES, &error);
  if (!job->root && json_error_code(&error) == json_error_out_of_memory) longjmp(*in->ds->a->oom, 1);
  if (!json_is_object(job->root)) return wrong(job, "", "E0745", what, "the header is no JSON object");
  int status = 0;
  const char *name;
  json_t *v;
  json_object_foreach(job->root, name, v) {
    if (strcmp(name, "__metadata__") == 0) continue;
    if (read_tensor(job, name, v, 8 + n) < 0) status = -1;
    arena_free(&job->tensor);
    if (data_full(in->ds)) return -1;
  }
  return status;
}

static void tensors_cleanup(void *ctx) {
  tensors_job *job = ctx;
  json_decref(job->root);
  arena_free(&job->tensor);
  arena_free(&job->scratch);
}

int data_safetensors(const data_input *in) {
  tensors_job job = {.in = in};
  arena_init(&job.scratch, in->ds->a->alloc, in->ds->a->limit);
  arena_init(&job.tensor, in->ds->a->alloc, in->ds->a->limit);
  return data_guard(in->ds, tensors_body, tensors_cleanup, &job);
}

int data_read_safetensors(data_set *ds, const char *file, const char *bytes, size_t n) {
  data_input in = data_input_memory(ds, file, bytes, n);
  return data_safetensors(&in);
}
