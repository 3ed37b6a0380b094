/* statistics.h: what the parts of pass_statistics.c share: the value that a plate adds up, as a polynomial.
 *
 * In one iteration of a plate a value is *fixed* (defined outside), *data* (computed from data and the plate's indices alone: a feature), or made of
 * both.  The last are kept as
 *
 *     scale weight (sum_j c_j f_j)  +  sum_k s_k a_k b_k
 *
 * with fixed coefficients c_j, features f_j and weight, and a_k, b_k of the first form.  A coefficient may also be *grouped*: a function of elements of
 * arrays at a position read from data, alpha[county[i]]: it is then computed in a plate over the positions, and the sums of its features are kept for each.  A coefficient and
 * its feature may be vectors of one length, for which their inner product stands: a row of X, and beta. */
#ifndef AIM_COMPILER_STATISTICS_H
#define AIM_COMPILER_STATISTICS_H

#include "compiler/frame.h"

typedef struct stat_coef {
  ir_val v;     /* outside the plate, or in the plate over groups; 0: one */
  bool grouped;
} stat_coef;

typedef struct stat_term {
  stat_coef c;
  bool minus;
  ir_val feature; /* in the plate's body; 0: one */
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

/* A guard around the whole value, or a select between it and -inf: the condition is fixed or data. */
typedef struct stat_guard {
  const ir_op *op;
  ir_val broken; /* data: the feature that is 1 where it does not hold; 0: fixed */
} stat_guard;

typedef struct stat_poly {
  stat_linear linear;
  stat_square *square;
  size_t nsquares;
  stat_guard *guard;
  size_t nguards;
} stat_poly;

typedef enum stat_kind { STAT_NONE, STAT_FIXED, STAT_GROUP, STAT_DATA, STAT_CASES, STAT_POLY } stat_kind;

typedef struct stat_form {
  stat_kind kind;
  ir_val v;            /* FIXED, DATA; CASES: the condition, data */
  stat_coef a, b;      /* GROUP: a; CASES: the value where the condition holds and where it does not */
  const stat_poly *poly;
} stat_form;

typedef struct stat_plate {
  ir_module *m;
  ir_fn *fn;
  ir_op *loop;
  ir_map data;         /* 1 for what depends on data alone, in the body and at the top of the function */
  stat_form **form;    /* of values, made when asked for */
  uint32_t nforms, cap_forms;
  ir_map wanted;       /* of values: the last request that needs them */
  uint32_t nwanted;
  ir_builder before;   /* coefficients are built before the plate */
  ir_builder body;     /* features at its end */
  ir_op *groups;       /* the plate over groups, once there is one */
  ir_builder in_group;
  uint32_t nkeys;
  ir_val key[IR_MAX_RANK]; /* data: the group of an iteration */
  ir_size key_size[IR_MAX_RANK];
} stat_plate;

/* statistics_form.c */
static inline bool stat_is_data(const stat_plate *x, ir_val v) { return ir_map_get(&x->data, v) != 0; }
/* Marks op's results as data if all that it reads is. */
void stat_mark_data(stat_plate *x, const ir_op *op);
/* Asks for values of the body; an operation is wanted if the last request needs a result of it. */
void stat_want(stat_plate *x, size_t n, const ir_val *v);
bool stat_is_wanted(const stat_plate *x, const ir_op *op);
/* The polynomial of v, a scalar real of the body; NULL if it has none. */
const stat_poly *stat_poly_of(stat_plate *x, ir_val v);

/* statistics_build.c: coefficients and features */
ir_val stat_coef_value(stat_plate *x, stat_coef c);                                          /* one is a literal */
stat_coef stat_coef_op(stat_plate *x, ir_code code, uint32_t n, const stat_coef *args);     /* scalars */
stat_coef stat_coef_mul(stat_plate *x, stat_coef a, stat_coef b);                            /* one of them may be a vector */
ir_val stat_feature_mul(stat_plate *x, ir_val a, ir_val b);                                  /* data; 0 is one, b scalar */
ir_val stat_feature(stat_plate *x, ir_val v);                                                /* notes a new value of the body as data */
/* The same with scale and weight in the terms. */
stat_linear stat_distributed(stat_plate *x, const stat_linear *l, bool scale, bool weight);

/* statistics_linear.c: the sum of the linear part over the plate, built behind it. */
ir_val stat_sum_linear(stat_plate *x, frame *f, ir_builder *after, const stat_linear *l, size_t *nstatistics /* OUT */);
/* statistics_square.c: the sum of the squares. */
typedef struct stat_columns stat_columns;
stat_columns *stat_columns_of(stat_plate *x, const stat_poly *p);
ir_size stat_width(const stat_columns *c); /* columns of the factor */
ir_val stat_sum_squares(stat_plate *x, frame *f, ir_builder *after, const stat_poly *p, stat_columns *c);
/* Clones into b, of @prepare, what the plate's body computes these features from; images of its indices are set.  0 is one.  Only these, as a plate
 * that many sums share has the features of all. */
void stat_clone_features(stat_plate *x, frame *f, ir_builder *b, size_t n, const ir_val *feature);

#endif
