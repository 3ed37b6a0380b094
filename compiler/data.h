/* data.h: the data of a model: named arrays read from files, or bound by the host.
 *
 * A data_set is filled before a model is lowered: binding compares it with the model's signature, and lowering then
 * specialises on its extents.  So an array says all that a check and its message need: element kind, extents, which
 * cells are missing, the levels of a text column, and where each cell stands in its file.
 *
 * Rules that hold for every data_array
 *   - Cells are contiguous and row-major: the last index varies fastest.  A scalar has rank 0 and one cell.
 *   - Reals are double; integers, booleans (0, 1) and text (level numbers) are int64_t.
 *   - A missing cell holds NaN in a real array and 0 in any other, and `missing` has 1 at its place.  A NaN that the
 *     file spells out is a value and is not missing.
 *   - An array in which no cell has a value (it is empty, or everything is missing) has kind DATA_INT, the kind that
 *     binds to a real as well.
 *   - Text becomes levels: the distinct texts in byte order (which for UTF-8 is code point order, in any locale), numbered
 *     from 1.  Sorting makes a column's numbering independent of the order of its rows.
 *
 * Errors are diagnostics (E0740 to E0767) without a span, since a data file is not in the source map: the message begins
 * with the file and the line, column or key.  A function returns 0, or -1 after it has added at least one; the set then holds
 * what was read before and may still be used or freed.  Messages name places and expectations and never quote what a file
 * holds, other than names that look like names, and one short word that stands among numbers: a path given by mistake must not print
 * somebody's secrets.  A failed
 * allocation takes the jump of the set's arena, after what was open has been closed.
 *
 * A data_set is not safe for use by several threads while it is being filled; afterwards it is read only. */
#ifndef AIM_COMPILER_DATA_H
#define AIM_COMPILER_DATA_H

#include "compiler/name_index.h"
#include "lang/arena.h"
#include "lang/diag.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum data_kind { DATA_REAL, DATA_INT, DATA_BOOL, DATA_TEXT } data_kind;

/* Limits, each with a message of its own.  They bound memory and time for any input. */
enum {
  DATA_MAX_RANK = 16,
  DATA_MAX_ARRAYS = 65536,   /* names in one set, so also columns of one CSV file */
  DATA_MAX_NAME = 1024       /* bytes of a name */
};
#define DATA_MAX_FILE ((size_t)1 << 30)     /* bytes of a file that is read as a whole, unless the set says otherwise (up to 4 GiB) */
#define DATA_MAX_STREAM ((uint64_t)1 << 40) /* and of one that is read in pieces: CSV, .npy, .npz, .safetensors, NetCDF */

typedef enum data_source { DATA_FROM_HOST, DATA_FROM_JSON, DATA_FROM_CSV, DATA_FROM_GRAPH, DATA_FROM_NUMPY, DATA_FROM_TENSORS, DATA_FROM_NETCDF } data_source;

/* Where an array came from. */
typedef struct data_origin {
  data_source source;
  const char *file;      /* as the caller spelt it; NULL for the host */
  uint32_t column;       /* CSV: number of the column, from 1; else 0 */
  const uint32_t *lines; /* CSV: line of each row when rows are not simply on lines 2, 3, ...; else NULL */
} data_origin;

typedef struct data_array {
  const char *name;
  data_kind kind;
  int rank;
  const int64_t *dims;         /* [rank], each >= 0 */
  size_t cells;                /* product of dims; 1 when rank is 0 */
  union {
    const double *f64;         /* [cells] when kind is DATA_REAL */
    const int64_t *i64;        /* [cells] otherwise */
  };
  const uint8_t *missing;      /* [cells] of 0 and 1, or NULL when every cell has a value */
  size_t n_missing;
  const char *const *levels;   /* [n_levels], sorted, when kind is DATA_TEXT; else NULL */
  size_t n_levels;
  const int64_t *rows;         /* [n_rows] a list of lists of different lengths: rank is 1, the rows one after the other; else NULL */
  size_t n_rows;
  bool borrowed;               /* cells belong to the host */
  data_origin origin;
} data_array;

typedef struct data_set {
  arena *a;              /* owns all that the set holds; borrowed, outlives it */
  data_array **arrays;   /* in the order of arrival */
  size_t n, cap;
  data_array **again;    /* columns by which tables may be matched, whose name another file has given to an array of this set */
  size_t n_again, cap_again;
  name_index index;      /* places in `arrays` plus one */
  diag_list *diags;      /* where errors go; borrowed, outlives the set's filling */
  size_t n_errors;       /* found so far, kept by the list or not */
  size_t max_file;       /* bytes; set after data_init to change the limits */
  uint64_t max_stream;
} data_set;

void data_init(data_set *ds, arena *a, diag_list *diags);

/* Reads a file by its ending (any case): .json, .csv, .tsv, .npy, .npz, .safetensors, .nc, .gset, .rud, .mc, .ising, .qubo, .coo.  Names of several files merge; a name that is there
 * already is an error that names both places, since silently preferring one would hide a mistake; but texts or integers of two tables wait
 * in `again` for whoever knows what they are for. */
int data_read_file(data_set *ds, const char *path);
/* What an errno means, in memory of a. */
const char *data_error_text(int code, arena *a);

/* Read from memory; `file` is the name for messages (copied).  Bytes are borrowed for the call only.
 *
 * JSON: one object; each key an array.  Nested arrays are row-major and must be rectangular, unless they are two deep.  A number spelt without
 * point or exponent is an integer; one real among integers makes all of them real.  null is missing.  The texts "NaN",
 * "Inf", "+Inf", "-Inf", "Infinity", "+Infinity" and "-Infinity" among numbers are reals.  [] has extent 0, [[], []]
 * has extents 2 and 0.
 *
 * CSV: RFC 4180, with a header of names.  The separator is the first comma, semicolon or tab that stands outside quotes in
 * the header.  A UTF-8 byte order mark and CR LF are accepted, blank lines are skipped, and so are columns without a name
 * (R writes row numbers that way).  A cell that is empty or NA and not quoted is missing.  A column is an integer
 * column if every value is one, else real if every value is a number, else boolean if every value is TRUE, FALSE,
 * true or false, else text.  Quotes do not make a number a text, but "NA" in quotes is one, and an empty cell in quotes is the empty
 * text in a text column and missing in any other.  Each column is an array of rank 1. */
int data_read_json(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_csv(data_set *ds, const char *file, const char *bytes, size_t n);

/* Arrays of NumPy (.npy under the name of the file, .npz under those of its members) and tensors: reals of 2, 4 and 8 bytes, bfloat16, integers of
 * 1 to 8 bytes with or without a sign, truth values, and NumPy's texts, as UTF-8. */
int data_read_npy(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_npz(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_safetensors(data_set *ds, const char *file, const char *bytes, size_t n);

/* Pairwise problems; what they mean and which names they give is in data_graph.h.  A JSON object with the type "BinaryQuadraticModel", as dimod
 * writes it, is one too.
 *
 * max_cut (rudy; .gset, .rud, .mc): `N M`, then M lines `i j w`, sites from 1.
 * ising: `ising N M H`, then H lines `h i value` and M lines `J i j value`, sites from 0.
 * qubo: `N M`, then M lines `i j q` of a symmetric matrix Q, each pair once, sites from 1; the value is x'Qx.
 * coo (dimod): `# vartype=SPIN` or `# vartype=BINARY`, then lines `i j value`, variables from 0; i = j for one variable. */
int data_read_max_cut(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_ising(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_qubo(data_set *ds, const char *file, const char *bytes, size_t n);
int data_read_coo(data_set *ds, const char *file, const char *bytes, size_t n);

/* Binds the host's memory without copying: cells must stay unchanged until the set's arena is freed and the program bound
 * to it is gone.  name and dims [rank] are copied.  cells may be NULL when there are none.  In a real array
 * NaN is a value; give `missing` with data_bind_missing for missing cells. */
int data_bind_f64(data_set *ds, const char *name, const double *cells, int rank, const int64_t *dims);
int data_bind_i64(data_set *ds, const char *name, const int64_t *cells, int rank, const int64_t *dims);
/* Copies, widening to int64_t. */
int data_bind_i32(data_set *ds, const char *name, const int32_t *cells, int rank, const int64_t *dims);
/* Copies mask [cells of the array of that name]: nonzero marks a cell as missing. */
int data_bind_missing(data_set *ds, const char *name, const uint8_t *mask);

/* The array of that name, or NULL. */
const data_array *data_find(const data_set *ds, const char *name);

/* Cells as reals: the array's own when it is real, else a copy in `a` (integers beyond 2^53 round to nearest, missing
 * cells become NaN). */
const double *data_reals(const data_array *x, arena *a);

/* The place of a cell for a message, in `a`: `key "y", element [2, 1]`, or `line 3, column 2 ("y")`.  Indices
 * count from 1, as in models. */
const char *data_cell_where(const data_array *x, size_t cell, arena *a);
/* The place of the array as a whole: its key, column, or that the host bound it. */
const char *data_array_where(const data_array *x, arena *a);
/* "int", "real", "bool", "text". */
const char *data_kind_name(data_kind kind);

/* --- for the readers (data_json.c, data_csv.c) ------------------------------------------------------------------ */

/* Adds an error; returns -1.  file NULL: the host.  where: "line 3, column 2", "key \"y\", element [2, 1]", or "".  help
 * may be NULL. */
int data_fail(data_set *ds, const char *code, const char *file, const char *where, const char *help, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* True when the list keeps no more errors, so that a reader may as well stop. */
bool data_full(const data_set *ds);
/* Enters an array whose name, cells and origin are set; checks name and duplicates.  x lives in the set's arena. */
int data_enter(data_set *ds, data_array *x);
/* Turns texts [cells] (NULL: missing) into levels and level numbers of x, in O(n log n). */
void data_set_levels(data_set *ds, data_array *x, const char **texts);
/* Product of dims, or -1 if it does not fit in memory as 8-byte cells. */
int data_cells(int rank, const int64_t *dims, size_t *cells /* OUT */);
/* A name for a message, in quotes, when it looks like an identifier of at most 64 bytes; else "" (see Errors above). */
const char *data_name_shown(const char *name, arena *a);
/* Runs body(ctx) and then cleanup(ctx), also when an allocation fails inside, in the set's arena or in that of its
 * diagnostics: the jump of the set's arena is then taken after cleanup.  This is how a reader holds a file, a jansson tree or a
 * scratch arena across allocations. */
int data_guard(data_set *ds, int (*body)(void *ctx), void (*cleanup)(void *ctx), void *ctx);

#endif
