/* statistics.h: what the parts of pass_statistics.c share: the value that a plate adds up, as a polynomial.
 *
 * In one iteration of a plate a value is *fixed* (defined outside), *data* (computed from data and the plate's indices alone: a feature), or made of
 * both.  The last are kept as
 *
 *     scale weight (sum_j c_j f_j)  +  sum_k s_k a_k b_k
 *
 * with fixed coefficients c_j, features f_j and weight, and a_k, b_k of the first form.  A coefficient may also be *grouped*: a function of elements of
 * arrays at a position read from data, alpha[county[i]]: it is then computed in a plate over the positions, and the sums of its features are kept for each.  Terms may have
 * groups of their own, as in u[g[i]] + v[k[i]], but what is multiplied has one.  A coefficient and its feature may be vectors of one length, for which their
 * inner product stands: a row of X, and beta. */
#ifndef AIM_COMPILER_STATISTICS_H
#define AIM_COMPILER_STATISTICS_H

#include "compiler/frame.h"

typedef struct stat_coef {
  ir_val v;      /* outside the plate, or in the plate over groups; 0: one */
  uint32_t group; /* number of the groups, from 1; 0: it does not vary */
} stat_coef;

typedef struct stat_term {
  stat_coef c;
  bool minus;
  ir_val feature; /* in the plate's body; 0: one */
  ir_val when, other; /* a fixed bool and the feature where it does not hold; or 0 */
  bool count;     /* the feature is 0 or 1, so that where its sum is 0 the coefficient, which may be infinite, is not asked for */
} stat_term;

typedef struct stat_linear {
  stat_coef scale;
  ir_val weight; /* in the body; 0: one */
  stat_term *term;
  size_t n;
} stat_linear;

typedef struct stat_square {
  stat_coef scale;
  bool minus;
  stat_linear a, b;
} stat_square;

/* A guard around the whole value, or a select between it and -inf. */
typedef struct stat_guard {
  const ir_op *op;
  ir_val broken;   /* the condition is data: the feature that is 1 where it does not hold; else 0 */
  stat_coef holds; /* else the condition, fixed or grouped */
} stat_guard;

typedef struct stat_poly {
  stat_linear linear;
  stat_square *square;
  size_t nsquares;
  stat_guard *guard;
  size_t nguards;
} stat_poly;

typedef enum stat_kind { STAT_NONE, STAT_FIXED, STAT_GROUP, STAT_DATA, STAT_SWITCH, STAT_CASES, STAT_POLY } stat_kind;

typedef struct stat_form {
  stat_kind kind;
  ir_val v;            /* FIXED, DATA; CASES: the condition, data; SWITCH: data where the fixed bool `when` holds */
  ir_val when, other;  /* SWITCH: that, and data where it does not */
  stat_coef a, b;      /* GROUP: a; CASES: the value where the condition holds and where it does not */
  const stat_poly *poly;
} stat_form;

/* Iterations by what data say: a position in arrays of unknowns. */
typedef struct stat_groups {
  ir_op *plate;            /* over the positions, before the plate */
  ir_builder in;
  uint32_t nkeys;
  ir_val key[IR_MAX_RANK]; /* data, in the body */
  ir_size size[IR_MAX_RANK];
  ir_map image;            /* of values of the body that depend on the position alone */
} stat_groups;

enum { STAT_MOST_GROUPS = 4 };

typedef struct stat_plate {
  ir_module *m;
  ir_fn *fn;
  ir_op *loop;
  ir_map data;         /* 1 for what depends on data alone, in the body and at the top of the function */
  stat_form **form;    /* of values, made when asked for */
  uint32_t nforms, cap_forms;
  ir_val *formed;      /* those that have one */
  size_t nformed, cap_formed;
  ir_map wanted;       /* of values: the last request that needs them */
  uint32_t nwanted;
  ir_builder before;   /* coefficients are built before the plate */
  ir_builder body;     /* features at its end */
  stat_groups group[STAT_MOST_GROUPS];
  uint32_t ngroups;
  const char *why;     /* why a value is no such polynomial, in words, and where; the first reason met */
  span why_at;
} stat_plate;

/* statistics_form.c */
static inline bool stat_is_data(const stat_plate *x, ir_val v) { return ir_map_get(&x->data, v) != 0; }
/* Marks op's results as data if all that it reads is. */
void stat_mark_data(stat_plate *x, const ir_op *op);
/* Asks for values of the body; an operation is wanted if the last request needs a result of it. */
void stat_want(stat_plate *x, size_t n, const ir_val *v);
bool stat_is_wanted(const stat_plate *x, const ir_op *op);
/* The polynomial of v, a scalar real of the body; NULL if it has none: x->why may say why. */
const stat_poly *stat_poly_of(stat_plate *x, ir_val v);
void stat_refuse(stat_plate *x, span where, const char *why);

/* statistics_group.c */
/* The groups with these keys, found or made: their number; 0 if there are too many. */
uint32_t stat_groups_with(stat_plate *x, uint32_t n, const ir_val *key, const ir_size *size);
static inline stat_groups *stat_groups_of(stat_plate *x, uint32_t number) { return &x->group[number - 1]; }
/* A builder where coefficients of these groups (0: those that do not vary) stand. */
ir_builder *stat_place(stat_plate *x, uint32_t group);
/* The position of a group in an array that has it first: of the plate over groups, and in @prepare that of an iteration; the array's further axes are whole. */
ir_axes stat_group_axes(const stat_groups *g, uint32_t more);
ir_axes stat_key_axes(const stat_groups *g, const frame *f, uint32_t more);
/* In @prepare: the sum of v, scalar or vector of a plate's body there, for each group. */
ir_val stat_group_sum(frame *f, const stat_groups *g, ir_op *plate, ir_val v);
/* Iterations of each group, kept in the frame. */
ir_val stat_group_counts(stat_plate *x, frame *f, const stat_groups *g);

/* statistics_build.c: coefficients and features */
ir_val stat_coef_value(stat_plate *x, stat_coef c);                                          /* one is a literal */
bool stat_coefs_meet(uint32_t n, const stat_coef *args);                                      /* in one group, if any */
stat_coef stat_coef_op(stat_plate *x, ir_code code, uint32_t n, const stat_coef *args);     /* scalars, that meet */
stat_coef stat_coef_mul(stat_plate *x, stat_coef a, stat_coef b);                            /* one of them may be a vector */
ir_val stat_feature_mul(stat_plate *x, ir_val a, ir_val b);                                  /* data; 0 is one, b scalar */
ir_val stat_feature(stat_plate *x, ir_val v);                                                /* notes a new value of the body as data */
/* Begins a plate in @prepare over the iterations, with what these features (0 is one), the keys of these groups (NULL: none) and the weight are computed from. */
ir_op *stat_prepare_plate(stat_plate *x, frame *f, size_t n, const ir_val *feature, const stat_groups *g);
/* total + v, or v where there is no total. */
ir_val stat_plus(ir_builder *b, ir_val total, ir_val v, bool minus);
/* The same with scale and weight in the terms. */
stat_linear stat_distributed(stat_plate *x, const stat_linear *l, bool scale, bool weight);

/* statistics_linear.c: the sum of the linear part over the plate, built behind it. */
ir_val stat_sum_linear(stat_plate *x, frame *f, ir_builder *after, const stat_linear *l, size_t *nstatistics /* OUT */);
/* A feature of the squares. */
typedef struct stat_column {
  ir_val feature; /* never 0 */
  ir_size width;  /* of a vector; IR_SIZE_NONE for a scalar */
  ir_size at;     /* first column of W */
  ir_val mean;    /* in @prepare: scalar or vector, of each group where there are groups */
  ir_val rest;    /* groups: the mean of what is left when `mean` is subtracted, which is how far it is off */
  ir_val kept, kept_rest; /* frame: these */
  ir_val factor;  /* frame: a vector's columns of R */
} stat_column;

typedef struct stat_columns {
  stat_column *c;
  size_t n;
  ir_val weight;      /* in the body, of all; 0: one */
  ir_size width;
  stat_linear *a, *b; /* of each square, weight as above */
  bool vectors;
  uint32_t group;     /* of coefficients and scales; 0: none varies */
  bool pooled;        /* only coefficients of 1 are grouped: what is left when the groups' means are subtracted has one factor */
  ir_val total;       /* groups, in the frame: the sum of squared weights of each */
  ir_val *row;        /* groups, not pooled, in the frame: [k][k] the square of row k's pivot, [k][j] what row k has of column j */
} stat_columns;

/* statistics_square.c: the sum of the squares. */
stat_columns *stat_columns_of(stat_plate *x, const stat_poly *p); /* NULL: they stay, x->why says why */
ir_size stat_rows(const stat_plate *x, const stat_columns *c); /* linear forms whose products an evaluation adds up */
const char *stat_columns_text(const stat_plate *x, const stat_columns *c); /* "a triangular factor with 3 rows" */
const stat_column *stat_column_of(const stat_columns *c, ir_val feature);
ir_val stat_sum_squares(stat_plate *x, frame *f, ir_builder *after, const stat_poly *p, stat_columns *c);
/* statistics_within.c: squares with grouped coefficients.  What the groups need in @prepare; sum_i (w(i) a)(w(i) b) of square k as a sum over groups, times
 * the scales that are grouped; where the columns are pooled, without what is within them. */
void stat_group_columns(stat_plate *x, frame *f, stat_columns *c);
ir_val stat_group_squares(stat_plate *x, const stat_columns *c, size_t k, const stat_square *s);
/* Clones into b, of @prepare, what the plate's body computes these features from; images of its indices are set.  0 is one.  Only these, as a plate
 * that many sums share has the features of all. */
void stat_clone_features(stat_plate *x, frame *f, ir_builder *b, size_t n, const ir_val *feature);

#endif
