/* builtin.h: the functions that are part of the language, as one table.
 *
 * B(ID, "name", kind, op): kind says how a call is typed and lowered:
 *   ELEM1 ELEM2 ELEM3  element by element with broadcasting; op is the scalar operation (ir_ops.h)
 *   REDUCE   over all elements of an array, or over a comprehension: sum(e for i in 1..N if c)
 *   SHAPE    has a rule of its own in the checker and the lowering
 *   DRAW     a random draw: only in a distribution's sample()
 *   DISTFN   takes a distribution first: logpdf(D, x)
 * Everything else is written in AIM in stdlib/prelude. */
#ifndef AIM_COMPILER_BUILTIN_H
#define AIM_COMPILER_BUILTIN_H

#define BUILTINS(B)                                                                                       \
  B(EXP, "exp", ELEM1, EXP) B(LOG, "log", ELEM1, LOG) B(LOG1P, "log1p", ELEM1, LOG1P)                     \
  B(EXPM1, "expm1", ELEM1, EXPM1) B(SQRT, "sqrt", ELEM1, SQRT) B(ABS, "abs", ELEM1, ABS)                  \
  B(SIGN, "sign", ELEM1, SIGN) B(FLOOR, "floor", ELEM1, FLOOR) B(CEIL, "ceil", ELEM1, CEIL)               \
  B(ROUND, "round", ELEM1, ROUND) B(SIN, "sin", ELEM1, SIN) B(COS, "cos", ELEM1, COS)                     \
  B(TAN, "tan", ELEM1, TAN) B(ASIN, "asin", ELEM1, ASIN) B(ACOS, "acos", ELEM1, ACOS)                     \
  B(ATAN, "atan", ELEM1, ATAN) B(ATAN2, "atan2", ELEM2, ATAN2) B(SINH, "sinh", ELEM1, SINH)               \
  B(COSH, "cosh", ELEM1, COSH) B(TANH, "tanh", ELEM1, TANH) B(ERF, "erf", ELEM1, ERF)                     \
  B(ERFC, "erfc", ELEM1, ERFC) B(LGAMMA, "lgamma", ELEM1, LGAMMA) B(DIGAMMA, "digamma", ELEM1, DIGAMMA)   \
  B(TRIGAMMA, "trigamma", ELEM1, TRIGAMMA) B(LOG1P_EXP, "log1p_exp", ELEM1, LOG1P_EXP)                    \
  B(INV_LOGIT, "inv_logit", ELEM1, INV_LOGIT) B(PHI, "Phi", ELEM1, PHI) B(LOG_PHI, "log_Phi", ELEM1, LOG_PHI) \
  B(INV_PHI, "inv_Phi", ELEM1, INV_PHI) B(POW, "pow", ELEM2, POW) B(FMA, "fma", ELEM3, FMA)               \
  B(LOG_GAMMA_P, "log_gamma_p", ELEM2, LOG_GAMMA_P) B(LOG_GAMMA_Q, "log_gamma_q", ELEM2, LOG_GAMMA_Q)     \
  B(LOG_BETA_ODDS, "log_beta_odds", ELEM3, LOG_BETA_ODDS)  /* log I_x(a, b), w = x / (1 - x) */           \
  B(LOG_STUDENT, "log_student_cdf", ELEM2, LOG_STUDENT) B(OWENS_T, "owens_t", ELEM2, OWENS_T)             \
  B(LOG_BESSEL_I0E, "log_bessel_i0e", ELEM1, LOG_BESSEL_I0E) B(BESSEL_RATIO, "bessel_ratio", ELEM1, BESSEL_RATIO) \
  B(SELECT, "select", ELEM3, SELECT)     /* select(c, a, b): both sides are computed */                   \
  B(MIN, "min", REDUCE, MIN)             /* also min(a, b) element by element */                          \
  B(MAX, "max", REDUCE, MAX)             /* also max(a, b) */                                             \
  B(SUM, "sum", REDUCE, ADD) B(PROD, "prod", REDUCE, MUL) B(MEAN, "mean", REDUCE, ADD)                    \
  B(ALL, "all", REDUCE, AND) B(ANY, "any", REDUCE, OR)                                                    \
  B(DOT, "dot", SHAPE, MATMUL)           /* dot(x[N], y[N]) -> real */                                    \
  B(REP, "rep", SHAPE, NEW)              /* rep(x, n, m, ...): array of copies, x may be an array */      \
  B(COLUMNS, "columns", SHAPE, NEW)      /* columns(x[N], y[N], ...) -> real[N, k] */                     \
  B(SIZE, "size", SHAPE, SIZE)           /* size(x): first extent; size(x, k): k-th */                    \
  B(ONEHOT, "onehot", SHAPE, NEW)        /* onehot(k, n) -> real[n] */                                    \
  B(DIAG, "diag", SHAPE, NEW)            /* diag(v[N]) -> real[N, N] */                                   \
  B(CHOLESKY, "cholesky", SHAPE, CHOLESKY)                                                                \
  B(SOLVE_LOWER, "solve_lower", SHAPE, TRISOLVE)     /* solve_lower(L, b): L x = b */                     \
  B(SOLVE_UPPER, "solve_lower_t", SHAPE, TRISOLVE)   /* solve_lower_t(L, b): L' x = b */                  \
  B(ODE, "ode", SHAPE, NEW)              /* ode(f, u0[D], t0, ts[T], ...) -> real[T, D] */                \
  B(TO_REAL, "real", ELEM1, TO_REAL) B(TO_INT, "int", ELEM1, TO_INT)                                      \
  B(DRAW_UNIFORM, "draw_uniform", DRAW, UNIFORM) B(DRAW_NORMAL, "draw_normal", DRAW, NORMAL)              \
  B(DRAW_EXPONENTIAL, "draw_exponential", DRAW, EXPONENTIAL) B(DRAW_GAMMA, "draw_gamma", DRAW, GAMMA)     \
  B(DRAW_LOG_GAMMA, "draw_log_gamma", DRAW, LOG_GAMMA) B(DRAW_POISSON, "draw_poisson", DRAW, POISSON)     \
  B(DRAW_BINOMIAL, "draw_binomial", DRAW, BINOMIAL) B(DRAW_CATEGORICAL, "draw_categorical", DRAW, CATEGORICAL) \
  B(LOGPDF, "logpdf", DISTFN, ADD) B(LOGCDF, "logcdf", DISTFN, ADD) B(LOGCCDF, "logccdf", DISTFN, ADD)    \
  B(CDF, "cdf", DISTFN, ADD) B(QUANTILE, "quantile", DISTFN, ADD)                                         \
  B(SAMPLE, "sample", DISTFN, ADD)       /* sample(D): one draw; only in a distribution's sample() */

typedef enum builtin_id {
#define B(ID, name, kind, op) BUILTIN_##ID,
  BUILTINS(B)
#undef B
  BUILTIN_COUNT
} builtin_id;

#endif
