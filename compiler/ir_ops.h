/* ir_ops.h: the one table of AIM's scalar and array operations.
 *
 * IR_OPS(X) expands X(CODE, "name", signature, effect, flops, "meaning").  The enumeration, the printer, the parser, the
 * verifier, the interpreter's dispatch and the completeness checks of differentiation and code generation come from it.
 *
 * signature  operands:result, one letter each.  r real, i int, b bool, n real or int, s any scalar; equal letters n, s in
 *            one signature stand for the same type.  "*" : the op has its own rule in the verifier.
 * effect     PURE    a value of its operands and nothing else: may be moved, merged, deleted
 *            DRAW    a value of its operands, which include a random key: pure as well, listed apart for passes
 *                    that ask whether a function is random
 *            LOOP    a region: as pure as its body
 *            MODEL   stands only in a model function: adds to the density or declares a quantity
 *            CHECK   pure, but its failure is reported with its place: may be moved out of a loop, not deleted
 *                    unless its result is unused
 * flops      the cost that the cost model charges for one execution */
#ifndef AIM_COMPILER_IR_OPS_H
#define AIM_COMPILER_IR_OPS_H

#define IR_OPS(X)                                                                                         \
  /* constants and sizes */                                                                               \
  X(REAL,      "real",      "*",    PURE, 0,  "a real literal")                                           \
  X(INT,       "int",       "*",    PURE, 0,  "an integer literal")                                       \
  X(BOOL,      "bool",      "*",    PURE, 0,  "true or false")                                            \
  X(SIZE,      "size",      "*",    PURE, 0,  "the number behind a symbolic size")                        \
  /* real and integer arithmetic */                                                                       \
  X(ADD,       "add",       "nn:n", PURE, 1,  "a + b")                                                    \
  X(SUB,       "sub",       "nn:n", PURE, 1,  "a - b")                                                    \
  X(MUL,       "mul",       "nn:n", PURE, 1,  "a * b")                                                    \
  X(DIV,       "div",       "rr:r", PURE, 4,  "a / b")                                                    \
  X(IDIV,      "idiv",      "ii:i", PURE, 8,  "floor(a / b); b = 0 gives 0 and a CHECK stands before it") \
  X(IMOD,      "imod",      "ii:i", PURE, 8,  "a - b * floor(a / b), with the sign of b")                 \
  X(FMA,       "fma",       "rrr:r", PURE, 2, "a * b + c, rounded once")                                  \
  X(NEG,       "neg",       "n:n",  PURE, 1,  "-a")                                                       \
  X(ABS,       "abs",       "n:n",  PURE, 1,  "|a|")                                                      \
  X(MIN,       "min",       "nn:n", PURE, 1,  "the smaller; NaN if either is")                            \
  X(MAX,       "max",       "nn:n", PURE, 1,  "the larger; NaN if either is")                             \
  X(SIGN,      "sign",      "r:r",  PURE, 1,  "-1, 0 or 1")                                               \
  X(FLOOR,     "floor",     "r:r",  PURE, 1,  "largest integer <= a, as a real")                          \
  X(CEIL,      "ceil",      "r:r",  PURE, 1,  "smallest integer >= a, as a real")                         \
  X(ROUND,     "round",     "r:r",  PURE, 1,  "nearest integer, ties to even, as a real")                 \
  /* real functions */                                                                                    \
  X(SQRT,      "sqrt",      "r:r",  PURE, 6,  "square root")                                              \
  X(EXP,       "exp",       "r:r",  PURE, 14, "e^a")                                                      \
  X(LOG,       "log",       "r:r",  PURE, 14, "natural logarithm")                                        \
  X(LOG1P,     "log1p",     "r:r",  PURE, 18, "log(1 + a)")                                               \
  X(EXPM1,     "expm1",     "r:r",  PURE, 16, "e^a - 1")                                                  \
  X(POW,       "pow",       "rr:r", PURE, 50, "a^b")                                                      \
  X(SIN,       "sin",       "r:r",  PURE, 20, "sine")                                                     \
  X(COS,       "cos",       "r:r",  PURE, 20, "cosine")                                                   \
  X(TAN,       "tan",       "r:r",  PURE, 28, "tangent")                                                  \
  X(ASIN,      "asin",      "r:r",  PURE, 24, "inverse sine")                                             \
  X(ACOS,      "acos",      "r:r",  PURE, 24, "inverse cosine")                                           \
  X(ATAN,      "atan",      "r:r",  PURE, 24, "inverse tangent")                                          \
  X(ATAN2,     "atan2",     "rr:r", PURE, 28, "angle of the point (b, a)")                                \
  X(SINH,      "sinh",      "r:r",  PURE, 24, "hyperbolic sine")                                          \
  X(COSH,      "cosh",      "r:r",  PURE, 24, "hyperbolic cosine")                                        \
  X(TANH,      "tanh",      "r:r",  PURE, 22, "hyperbolic tangent")                                       \
  X(ERF,       "erf",       "r:r",  PURE, 30, "error function")                                           \
  X(ERFC,      "erfc",      "r:r",  PURE, 30, "1 - erf(a), accurate for large a")                         \
  X(LGAMMA,    "lgamma",    "r:r",  PURE, 45, "log |Gamma(a)|")                                           \
  X(DIGAMMA,   "digamma",   "r:r",  PURE, 40, "derivative of lgamma")                                     \
  X(TRIGAMMA,  "trigamma",  "r:r",  PURE, 40, "derivative of digamma")                                    \
  X(LOG1P_EXP, "log1p_exp", "r:r",  PURE, 32, "log(1 + e^a)")                                             \
  X(INV_LOGIT, "inv_logit", "r:r",  PURE, 18, "1 / (1 + e^-a)")                                           \
  X(PHI,       "phi",       "r:r",  PURE, 32, "standard normal distribution function")                    \
  X(LOG_PHI,   "log_phi",   "r:r",  PURE, 40, "log of phi, accurate in the tail")                         \
  X(INV_PHI,   "inv_phi",   "r:r",  PURE, 40, "standard normal quantile function")                        \
  X(LOG_BESSEL_I0E, "log_bessel_i0e", "r:r", PURE, 60, "log(e^-|a| I0(a)), I0 the modified Bessel function")  \
  X(BESSEL_RATIO, "bessel_ratio", "r:r", PURE, 80, "I1(a) / I0(a), a >= 0")                               \
  X(BESSEL_GAP, "bessel_gap", "r:r", PURE, 80, "1 - I1(a) / I0(a), a >= 0")                               \
  X(OWENS_T,   "owens_t",   "rr:r", PURE, 700, "Owen's T(a, b)")                                          \
  X(LOG_GAMMA_P, "log_gamma_p", "rr:r", PURE, 1200, "log of the mass of Gamma(a, 1) below b")             \
  X(LOG_GAMMA_P_A, "log_gamma_p_a", "rr:r", PURE, 1200, "its derivative in a")                            \
  X(LOG_GAMMA_P_X, "log_gamma_p_x", "rr:r", PURE, 1200, "its derivative in b")                            \
  X(LOG_GAMMA_Q, "log_gamma_q", "rr:r", PURE, 1200, "log of the mass of Gamma(a, 1) above b")             \
  X(LOG_GAMMA_Q_A, "log_gamma_q_a", "rr:r", PURE, 1200, "its derivative in a")                            \
  X(LOG_GAMMA_Q_X, "log_gamma_q_x", "rr:r", PURE, 1200, "its derivative in b")                            \
  X(LOG_STUDENT, "log_student", "rr:r", PURE, 2400, "log of the mass of Student's t with a degrees of freedom below b") \
  X(LOG_STUDENT_NU, "log_student_nu", "rr:r", PURE, 2400, "its derivative in a")                          \
  X(LOG_STUDENT_Z, "log_student_z", "rr:r", PURE, 2400, "its derivative in b")                            \
  X(LOG_BETA_ODDS, "log_beta_odds", "rrr:r", PURE, 2400, "log of the mass of Beta(a, b) below c / (1 + c)") \
  X(LOG_BETA_ODDS_A, "log_beta_odds_a", "rrr:r", PURE, 2400, "its derivative in a")                       \
  X(LOG_BETA_ODDS_B, "log_beta_odds_b", "rrr:r", PURE, 2400, "its derivative in b")                       \
  X(LOG_BETA_ODDS_W, "log_beta_odds_w", "rrr:r", PURE, 2400, "its derivative in c")                       \
  /* comparison, logic, conversion */                                                                     \
  X(EQ,        "eq",        "ss:b", PURE, 1,  "a == b")                                                   \
  X(NE,        "ne",        "ss:b", PURE, 1,  "a != b")                                                   \
  X(LT,        "lt",        "nn:b", PURE, 1,  "a < b; false if either is NaN")                            \
  X(LE,        "le",        "nn:b", PURE, 1,  "a <= b; false if either is NaN")                           \
  X(AND,       "and",       "bb:b", PURE, 1,  "both")                                                     \
  X(OR,        "or",        "bb:b", PURE, 1,  "at least one")                                             \
  X(NOT,       "not",       "b:b",  PURE, 1,  "the other")                                                \
  X(SELECT,    "select",    "bss:s", PURE, 1, "c ? a : b; both are evaluated")                            \
  X(TO_REAL,   "to_real",   "i:r",  PURE, 1,  "an integer as a real")                                     \
  X(TO_INT,    "to_int",    "r:i",  PURE, 1,  "a real that is an integer, as one; saturates, NaN gives 0")\
  X(BOOL_INT,  "bool_int",  "b:i",  PURE, 1,  "0 or 1")                                                   \
  /* checks: their failure is counted and reported with the source line */                                \
  X(GUARD,     "guard",     "br:r", CHECK, 1, "a where c holds, else -inf: an invalid parameter")         \
  X(BOUND,     "bound",     "ii:i", CHECK, 1, "a, an index that must lie in 0 .. b - 1")                  \
  /* arrays */                                                                                            \
  X(NEW,       "new",       "*",    PURE, 0,  "an array of zeros")                                        \
  X(AT,        "at",        "*",    PURE, 1,  "an element or a slice")                                    \
  X(PUT,       "put",       "*",    PURE, 1,  "the array with one element or slice replaced")             \
  X(MATMUL,    "matmul",    "*",    PURE, 2,  "matrix product of ranks 1 and 2, operands maybe transposed") \
  X(CHOLESKY,  "cholesky",  "*",    CHECK, 1, "lower factor L of a symmetric positive definite L L'; NaN if it is not") \
  X(CHOL_ADJ,  "chol_adj",  "*",    PURE, 2,  "adjoint of cholesky: from L and its adjoint, that of the matrix, symmetric") \
  X(TRISOLVE,  "trisolve",  "*",    PURE, 1,  "x in L x = b or L' x = b, L lower triangular")             \
  X(QR_R,      "qr_r",      "*",    PURE, 2,  "triangular factor of rows added to one: R with R'R = a'a + b'b, a upper triangular") \
  X(INV_PTR,   "inv_ptr",   "*",    PURE, 1,  "inverse of an index array: start of each bucket")          \
  X(INV_LIST,  "inv_list",  "*",    PURE, 1,  "inverse of an index array: positions by bucket")           \
  /* regions and calls */                                                                                 \
  X(PLATE,     "plate",     "*",    LOOP, 0,  "independent iterations over a box")                        \
  X(SCAN,      "scan",      "*",    LOOP, 0,  "iterations in order, with state")                          \
  X(IF,        "if",        "*",    LOOP, 0,  "one of two blocks")                                        \
  X(CALL,      "call",      "*",    PURE, 0,  "a function of the module, to be inlined")                  \
  X(MEMO,      "memo",      "*",    PURE, 0,  "operand 1, which is a function of the others: a mark for memo.h") \
  X(MEMO_FIND, "memo_find", "*",    PURE, 8,  "a handle and what is kept for the operands; the handle is negative where nothing is") \
  X(MEMO_KEEP, "memo_keep", "*",    PURE, 2,  "operand 2, kept for the find whose handle operand 1 is")   \
  /* random draws: literal site, key, index, parameters */                                                \
  X(FOLD,      "fold",      "ki:k", DRAW, 20, "a new key from a key and a number")                        \
  X(UNIFORM,   "draw.uniform", "*", DRAW, 30, "uniform on (0, 1)")                                        \
  X(NORMAL,    "draw.normal",  "*", DRAW, 60, "standard normal")                                          \
  X(EXPONENTIAL, "draw.exponential", "*", DRAW, 45, "exponential with rate 1")                            \
  X(GAMMA,     "draw.gamma",   "*", DRAW, 150, "gamma with shape a and rate 1")                           \
  X(LOG_GAMMA, "draw.log_gamma", "*", DRAW, 160, "logarithm of a gamma draw, for shapes near 0")          \
  X(POISSON,   "draw.poisson", "*", DRAW, 150, "Poisson with rate a, an int")                             \
  X(BINOMIAL,  "draw.binomial", "*", DRAW, 150, "binomial with n trials of probability p, an int")        \
  X(CATEGORICAL, "draw.categorical", "*", DRAW, 30, "0-based index with the weights of an array")         \
  /* the model's own */                                                                                   \
  X(SAMPLE,    "sample",    "*",    MODEL, 0, "draws an element of a site from a distribution")           \
  X(OBSERVE,   "observe",   "*",    MODEL, 0, "states that a value came from a distribution")             \
  X(FACTOR,    "factor",    "*",    MODEL, 0, "adds to the log density")                                  \
  X(ENERGY,    "energy",    "*",    MODEL, 0, "subtracts from the log density, times the inverse temperature")  \
  X(TRACK,     "track",     "*",    MODEL, 0, "names a quantity to be reported")

#endif
