/* interp_code.h: the instructions that the interpreter runs, and the memory they run on.  Internal to vm/interp*.c.
 *
 * A function has two tables in a worker: `c`, cells that hold scalars, and `p`, pointers to arrays and columns.  An
 * instruction names its operands by number in one table or the other.
 *
 *   c   scalars: constants (filled in once), parameters (copied at the call), results
 *   p   fixed:   a place in the worker's memory, a constant array, a cell of c read as a column of stride 0
 *       at call: the arrays of the caller
 *       views:   set by the program itself, into any of these
 *
 * A *column* holds one scalar for each of `vn` lanes, the iterations of a plate that run together.  An array that differs
 * between lanes is laid out [cells][B], lanes next to each other.  An array operand of a lane instruction is (pointer, rs, ls):
 * element j of lane l is p[j * rs + l * ls], so that an array that all lanes share is rs 1, ls 0. */
#ifndef AIM_VM_INTERP_CODE_H
#define AIM_VM_INTERP_CODE_H

#include "compiler/contract.h"
#include "stdlib/runtime/rt_draws.h"
#include "stdlib/runtime/rt_kernels.h"
#include "vm/memo_table.h"

#include <stdatomic.h>

typedef exec_cell cell;

/* Scalar functions of one real, as (suffix of the IR operation, runtime name). */
#define INTERP_REAL1(X)                                                                                              \
  X(NEG, neg) X(ABS, abs) X(SIGN, sign) X(FLOOR, floor) X(CEIL, ceil) X(ROUND, round) X(SQRT, sqrt) X(EXP, exp)      \
  X(LOG, log) X(LOG1P, log1p) X(EXPM1, expm1) X(SIN, sin) X(COS, cos) X(TAN, tan) X(ASIN, asin) X(ACOS, acos)        \
  X(ATAN, atan) X(SINH, sinh) X(COSH, cosh) X(TANH, tanh) X(ERF, erf) X(ERFC, erfc) X(LGAMMA, lgamma)                \
  X(DIGAMMA, digamma) X(TRIGAMMA, trigamma) X(LOG1P_EXP, log1p_exp) X(INV_LOGIT, inv_logit) X(PHI, phi)              \
  X(LOG_PHI, log_phi) X(INV_PHI, inv_phi)
#define INTERP_REAL2(X) X(ADD, add) X(SUB, sub) X(MUL, mul) X(DIV, div) X(MIN, min) X(MAX, max) X(POW, pow) X(ATAN2, atan2)

/* The other instructions.  s is the set of operands with stride 1 (bit 0: a, 1: b, 2: c); u is the immediate. */
#define INTERP_CODES(X)                                                                                              \
  X(RET)      /* the end */                                                                                          \
  X(MOV)      /* c[d] = c[a] */                                                                                      \
  /* scalars of integers, comparisons */                                                                             \
  X(IADD) X(ISUB) X(IMUL) X(IDIV) X(IMOD) X(INEG) X(IABS) X(IMIN) X(IMAX)                                            \
  X(IMADD)    /* c[d] = c[a] * u + c[b] */                                                                           \
  X(REQ) X(RNE) X(RLT) X(RLE) X(IEQ) X(INE) X(ILT) X(ILE)                                                            \
  X(AND) X(OR) X(NOT) X(SELECT) X(TO_REAL) X(TO_INT)                                                                 \
  X(RFMA)     /* c[d] = fma(c[a], c[b], c[c]) */                                                                     \
  X(SPECIAL)  /* c[d] = kernel u of c[a], c[b], c[c] */                                                               \
  X(GUARD)    /* c[d] = c[a] ? c[b] : -inf, counted */                                                               \
  X(BOUND)    /* stops unless 0 <= c[a] < c[b] */                                                                    \
  X(FOLD)     /* c[d] = key c[a] folded with c[b] */                                                                 \
  X(DRAW)     /* c[d] = the draw x of key c[a], index c[b], site u, parameters c[c], c[c + 1] */                     \
  X(CATEGORICAL) /* the same from the weights p[c], how many is in cell x */                                         \
  /* arrays */                                                                                                       \
  X(LOADK)    /* c[d] = p[a][u] */                                                                                   \
  X(LOAD)     /* c[d] = p[a][c[b]] */                                                                                \
  X(LOAD2)    /* c[d] = p[a][c[b] * u + c[c]] */                                                                     \
  X(STORE)    /* p[d][c[b]] = c[a] */                                                                                \
  X(ADDTO)    /* p[d][c[b]] += c[a] */                                                                               \
  X(IADDTO)                                                                                                          \
  X(VIEW)     /* p[d] = p[a] + c[b] * u */                                                                           \
  X(COPY)     /* p[d][0 .. u) = p[a][0 .. u) */                                                                      \
  X(ZERO)     /* p[d][0 .. u) = 0 */                                                                                 \
  X(FILL)     /* p[d][0 .. u) = c[a] */                                                                              \
  X(SLICE)    /* p[d] = elements of p[a] from c[b] on, by the shape u */                                             \
  X(PLACE)    /* elements of p[d] from c[b] on, by the shape u, = p[a] */                                            \
  X(PLACEADD) /* += (reals) */                                                                                       \
  X(IPLACEADD)                                                                                                       \
  X(KEYLIST)  /* adds a list of contributions, by interp_keys u */                                                   \
  X(KBIN) X(IKBIN) /* p[d] = kernel u of p[a], p[b], c[c] elements, of reals and of ints */                                                \
  /* control */                                                                                                      \
  X(JMP)      /* to x */                                                                                             \
  X(JZ)       /* to x if c[a] is 0 */                                                                                \
  X(LOOP)     /* c[d] = 0; to x if c[a] <= 0 */                                                                      \
  X(NEXT)     /* to x if ++c[d] < c[a] */                                                                            \
  X(LOOPDN)   /* c[d] = c[a] - 1; to x if negative */                                                                \
  X(NEXTDN)   /* to x if --c[d] >= 0 */                                                                              \
  X(INC)      /* c[d] += 1 */                                                                                        \
  X(BLOCK)    /* c[d] = 0, vn = min(u, c[a]); to x if c[a] <= 0 */                                                   \
  X(BLOCKNEXT) /* c[d] += u; if c[d] < c[a]: vn = min(u, c[a] - c[d]) and to x, else vn = 1 */                       \
  /* canonical sums of scalars: p[d] is an interp_sum */                                                             \
  X(SUM0) X(SUMPUSH) /* c[a] */ X(SUMEND) /* c[d] from p[a] */                                                       \
  /* of columns and arrays side by side: interp_csum u */                                                            \
  X(CSUM0) X(CSUMPUSH) /* p[d] takes p[a] */ X(CSUMEND) /* p[d] from p[a] */                                         \
  /* over the lanes: rt_summers at p[d], x of them */                                                                \
  X(LSUM0) X(LSUMPUSH) /* p[a], rs u, ls s */ X(LSUMEND) /* p[d] from p[a] */                                        \
  X(LSUM1)    /* p[d][j] = sum of row j of p[a], x rows, rs u, ls s: all lanes are there */                          \
  X(LSUMC)    /* c[d] = sum of column p[a] */                                                                        \
  X(LMAX) X(LMIN) /* p[d][j] = the larger (smaller) of itself and row j of p[a], x rows, rs u, ls s */               \
  /* dense */                                                                                                        \
  X(DOT)      /* c[d] = p[a] . p[b], u elements */                                                                   \
  X(GEMV)     /* p[d] = p[a] p[b], by interp_mat u */                                                                \
  X(OUTER) X(GEMM) X(CHOLESKY) X(CHOL_ADJ) X(TRISOLVE) X(QR_R) X(INV_PTR) X(INV_LIST)                                       \
  /* lanes: columns */                                                                                               \
  X(V_UN) X(V_BIN) X(V_CMP) X(V_IUN) X(V_IBIN) X(V_FMA) X(V_SPECIAL) X(V_SELECT) X(V_I2R) X(V_R2I) /* kernel u */                 \
  X(V_MOV)    /* p[d] = p[a] */                                                                                      \
  X(V_IOTA)   /* p[d] = c[a] + lane * u */                                                                               \
  X(V_UNFLAT) /* index columns p[d], p[d + 1] ... of iterations c[a] on, by the extents c[b], c[b + 1] ..., x of them */ \
  X(V_IMADD)  /* p[d] = p[a] * u + p[b] */                                                                           \
  X(V_STRIDED) /* p[d] = p[a][c[b] + lane * u] */                                                                    \
  X(V_GATHER) /* p[d] = p[a][p[b]] */                                                                                \
  X(V_SLICE)  /* lane array p[d] = elements of p[a] from p[b] on, by interp_place u */                               \
  X(V_PLACE)  /* elements of p[d] from p[b] on = p[a], by interp_place u */                                          \
  X(V_SCATTER) X(V_SCATTER_ADD) /* p[d][p[b]] = or += p[a] */                                                        \
  X(V_ROWS)   /* lane array p[d] = p[a], x cells, rs u, ls s */                                                      \
  X(V_GUARD) X(V_BOUND)                                                                                              \
  X(V_BOUND_AFFINE) /* as BOUND for c[a] .. c[a] + vn - 1 against c[b] */                                            \
  X(V_FOLD) X(V_DRAW) /* as the scalars', operands are columns; parameters interp_draw u */                          \
  X(V_GEMV)   /* p[d] = rows c[b] .. of p[a] times p[c], x columns */                                                \
  X(V_GEMVC)  /* the same of a matrix kept by columns, u cells each */                                               \
  X(LSUMROWS) /* sums p[d] take the products of column p[a], stride s, with x columns of p[b], u cells each, from row c[c] on */ \
  X(LDOTROWS) /* the same into results p[d]: all lanes are there */                                                  \
  X(V_MATMUL) /* lane arrays, interp_vmat u */                                                                       \
  X(MEMO_FIND) /* c[d], p[a] = handle and value, by interp_memo u */                                                  \
  X(MEMO_KEEP) /* p[a] is kept for handle c[b], in table x */                                                         \
  X(NANCHECK) /* watched code only: interp_watch u */

enum interp_code {
#define X(CODE, name) I_R##CODE,
  INTERP_REAL1(X) INTERP_REAL2(X)
#undef X
#define X(CODE) I_##CODE,
  INTERP_CODES(X)
#undef X
  I_COUNT
};

typedef struct interp_ins {
  uint16_t op;
  uint8_t s, flag;
  uint32_t d, a, b, c, x;
  union {
    int64_t i;
    const void *shape;
    rt_un_fn *un;
    rt_bin_fn *bin;
    rt_special_fn *special;
    rt_cmp_fn *cmp;
    rt_iun_fn *iun;
    rt_ibin_fn *ibin;
  } u;
} interp_ins;

/* The free axes of a slice: sizes and strides in elements of the array, and the number of elements. */
typedef struct interp_shape {
  uint32_t n;
  int64_t size[IR_MAX_RANK], stride[IR_MAX_RANK];
  int64_t count;
} interp_shape;

/* A slice for each lane.  The array's element e of lane l is base[e * rs + l * ls]; the other array's, v[e * vrs + l * vls]. */
typedef struct interp_place {
  interp_shape shape;
  int64_t rs, ls, vrs, vls;
  bool add, integer;
} interp_place;

/* KEYED with lists: element q of the list goes to the sum of key[k][q * es + l * ls] * stride over the axes with a key. */
typedef struct interp_keys {
  uint32_t naxes;
  struct { uint32_t slot; int64_t es, ls, stride; } key[IR_MAX_RANK];
  int64_t count;   /* of the list */
  interp_place to; /* shape: the slice that one contribution fills */
  bool integer;
} interp_keys;

typedef struct interp_mat {
  int64_t m, n, k;
  int ta, tb;
} interp_mat;

/* How elements of a product are summed: rt_kernels.h's dot and gemv, its gemm, or one term. */
enum interp_product { INTERP_CANONICAL, INTERP_CHAINS, INTERP_OUTER };

typedef struct interp_vmat {
  int kind;
  int64_t m, n, k;
  int64_t as, at, bs, bt; /* element (i, k) of A is at i * as + k * at; (k, j) of B at k * bs + j * bt */
  int64_t ars, als, brs, bls, drs;
  uint32_t scratch;       /* p: 33 columns */
} interp_vmat;

typedef struct interp_draw {
  uint16_t code;   /* ir_code */
  int64_t site;
  uint32_t param[2];
  int64_t ps[2];
  int64_t n, rs, ls; /* CATEGORICAL: weights are param[0] */
  uint32_t scratch;  /* n cells */
} interp_draw;

/* What a watched operation made of what. */
typedef struct interp_watch {
  uint32_t nres, nargs;
  bool factor; /* of a Cholesky factorisation */
  uint32_t naxes, axis[IR_MAX_RANK]; /* cells with the indices of the plate around it */
  struct { bool array; uint32_t slot; int64_t n; } *v; /* results, then operands */
} interp_watch;

/* A search in a table of the worker. */
typedef struct interp_memo {
  uint32_t table, nparts;
  struct { uint32_t slot; int64_t n; } *part;
} interp_memo;

/* A sum of scalars under way.  The first 32 terms are stored, so nothing is cleared. */
typedef struct interp_sum {
  double acc[RT_SUM_LANES];
  int64_t count, blocks;
  rt_summer up;
} interp_sum;

/* A sum of columns: levels of 32 accumulator rows of `width` cells.  Counts stand before the rows, one cell a level. */
enum { INTERP_CSUM_LEVELS = 3, INTERP_CSUM_LANES = -1 };
typedef struct interp_csum {
  int64_t width, row; /* cells added, or INTERP_CSUM_LANES for vn; distance of rows */
  int levels, lanes;  /* accumulators kept on a level: min(32, terms) when one level is enough */
} interp_csum;

/* ---- functions */

typedef enum interp_place_kind { P_WORK, P_CELL, P_FIXED, P_CALL, P_VIEW } interp_place_kind;

typedef struct interp_slot {
  uint8_t kind;
  int64_t at;       /* P_WORK: cell of the worker's memory; P_CELL: cell of the function */
  const cell *from; /* P_FIXED */
} interp_slot;

typedef struct interp_const {
  uint32_t at;
  cell value;
  const cell *from; /* when not NULL, the place of the value (data, frame) */
} interp_const;

typedef struct interp_port { /* a call-time parameter or a result */
  bool array;
  bool direct;    /* a result whose slot is the caller's memory when its stride there is 1 */
  uint32_t at;    /* cell or slot */
  int64_t cells;
  int64_t stage;  /* cell of the worker's memory, for parameters with a stride and direct results without; -1: none */
} interp_port;

typedef struct interp_fn {
  const char *name;
  interp_ins *code;
  span *where; /* of each instruction */
  uint32_t ncode, ncells, nslots, nconst, nin, nout;
  interp_slot *slot;
  interp_const *constant;
  interp_port *in, *out;
  int64_t work; /* cells of scratch */
  unsigned plates, vector_plates;
  struct interp_fn *watched; /* the same with checks, for find_nan */
} interp_fn;

/* A table that each worker has. */
typedef struct interp_kept {
  uint32_t size; /* 0: none of this number */
  int64_t key, value;
} interp_kept;

struct exec_program {
  aim_alloc alloc;
  arena mem;
  const rt_kernels *kernels;
  rt_draws_fn *draws;
  int isa;
  interp_fn *fn;
  uint32_t nfns;
  size_t memory; /* limit for a worker; 0: none */
  int64_t work;  /* the largest of the functions */
  const cell **frame; /* [nframe] results of @prepare */
  uint32_t nframe;
  interp_kept *kept; /* [nkept] by number - 1 */
  uint32_t nkept;
  atomic_uint_least64_t asked, found, dropped; /* of these, by workers that were freed */
};

struct exec_worker {
  exec_program *program;
  cell **c;   /* for each function, then for each watched one */
  cell ***p;
  cell *work;
  memo_table **memo; /* as program->kept */
  void *memory; /* the allocation that holds all of this */
  size_t bytes;
};

/* What running one function needs, and what it tells. */
typedef struct interp_run {
  const interp_fn *fn;
  const rt_kernels *k;
  rt_draws_fn *draws;
  cell *c;
  cell **p;
  memo_table **memo;
  exec_report report;
  bool guarded; /* guard_where is set */
  bool nan;     /* a watched operation made a NaN */
} interp_run;

/* The dispatch loop, once for each instruction-set level so that fma and the functions of rt_math.h use the machine. */
exec_status interp_run_base(interp_run *r);
#if defined(__x86_64__)
exec_status interp_run_v3(interp_run *r);
exec_status interp_run_v4(interp_run *r);
#endif

/* Larger instructions (interp_array.c). */
void interp_sum_flush(interp_sum *s);
double interp_sum_value(interp_sum *s);
void interp_csum_start(const interp_csum *s, cell *acc);
void interp_csum_push(const interp_csum *s, const rt_kernels *k, cell *acc, const cell *v, int64_t vn);
void interp_csum_value(const interp_csum *s, const rt_kernels *k, cell *d, cell *acc, int64_t vn);
int64_t interp_csum_cells(const interp_csum *s);
void interp_slice_load(const interp_shape *s, cell *d, const cell *a);
void interp_slice_store(const interp_shape *s, cell *d, const cell *a);
void interp_slice_add(const interp_shape *s, cell *d, const cell *a, bool integer);
void interp_lane_slice(const interp_place *s, cell *d, const cell *a, const int64_t *at, int at_stride, int64_t vn);
void interp_lane_place(const interp_place *s, cell *d, const cell *a, const int64_t *at, int at_stride, int64_t vn);
void interp_keys_add(const interp_keys *s, cell *const *p, cell *d, const cell *v, int64_t vn);
void interp_matmul_lanes(const interp_vmat *m, const rt_kernels *k, cell *const *p, cell *d, const cell *a, const cell *b, int64_t vn);
void interp_draw_lanes(const interp_draw *s, rt_draws_fn *draws, cell *const *p, cell *d, const int64_t *key, int ks, const int64_t *index, int is, int64_t vn);
cell interp_draw_one(int code, int64_t site, int64_t key, int64_t index, const cell *param);
void interp_inverse(cell *ptr, cell *list, const cell *k, int64_t n, int64_t buckets);
int64_t interp_memo_find(const interp_memo *s, memo_table *t, cell *const *p, cell *value);
bool interp_watch_nan(const interp_watch *w, const cell *c, cell *const *p);
/* Of a factorisation that failed, whose result is overwritten: the row at which it stopped, and *share (rt_pivot.h). */
int64_t interp_watch_row(const interp_watch *w, cell *const *p, double *share);

#endif
