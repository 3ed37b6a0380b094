/* gen_model.c: random models as text (gen_model.h).
 *
 * Expressions are made by kind (real, positive, probability, truth value, index) and by place: the loop whose index is in scope.  They are drawn with a budget of depth, and read unknowns
 * more often than constants, since what they read is what is being tested. */
#include "tests/gen_model.h"

#include "tests/unit/host.h"

#include <stdarg.h>
#include <stdio.h>

enum { MOST_NAMES = 12, NAME = 16, EXPR = 3000, ROWS = 6, GROUPS = 3 };

typedef enum kind { REAL, POSITIVE, SHARE, TRUTH, LABEL, COUNT, SIMPLEX, SPIN } kind;
/* Where an unknown's axes lie: none, groups, rows, groups by two; and where an expression stands. */
typedef enum place { NOWHERE, AT_GROUP, AT_ROW, AT_CELL, AT_TIME } place;

typedef struct unknown {
  char name[NAME];
  kind k;
  place at;
  bool vector; /* real[2] */
} unknown;

typedef struct maker {
  uint64_t seed;
  unknown u[MOST_NAMES];
  int n;
  char *out;
  size_t len, size;
  const char *own; /* the chain that is being made, of which the element before may be read */
  kind own_kind;
  bool own_read;
} maker;

static size_t pick(maker *m, size_t n) { return below(&m->seed, n); }
static bool one_in(maker *m, size_t n) { return pick(m, n) == 0; }

static void say(maker *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  m->len += (size_t)vsnprintf(m->out + m->len, m->size - m->len, format, args);
  va_end(args);
}

static void write(char *to, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(to, EXPR, format, args);
  va_end(args);
}

static const char *row_index(place at) { return at == AT_TIME ? "t" : "i"; }
static bool in_rows(place at) { return at == AT_ROW || at == AT_TIME; }

static void label(maker *m, place at, int depth, char *to);
static void truth(maker *m, place at, int depth, char *to);
static void positive(maker *m, place at, int depth, char *to);
static void share(maker *m, place at, int depth, char *to);

/* A read of an unknown of the kind; false where there is none that can be read here. */
static bool read_unknown(maker *m, kind k, place at, int depth, char *to) {
  char a[EXPR];
  if (m->own && m->own_kind == k && at == AT_TIME && one_in(m, 2)) {
    m->own_read = true;
    write(to, "%s[t - 1]", m->own);
    return true;
  }
  for (int tries = 0; tries < 6 && m->n; tries++) {
    const unknown *x = &m->u[pick(m, (size_t)m->n)];
    if (x->k != k) continue;
    if (x->vector) {
      write(to, "%s[%d]", x->name, 1 + (int)pick(m, 2));
      return true;
    }
    switch (x->at) {
    case NOWHERE: write(to, "%s", x->name); return true;
    case AT_GROUP:
      if (at == AT_GROUP && !one_in(m, 3)) write(a, "j");
      else label(m, at, depth - 1, a);
      write(to, "%s[%s]", x->name, a);
      return true;
    case AT_ROW:
    case AT_TIME:
      if (in_rows(at) && !one_in(m, 4)) write(to, "%s[%s]", x->name, row_index(at));
      else if (in_rows(at)) write(to, "%s[p[%s]]", x->name, row_index(at));
      else write(to, "%s[%d]", x->name, 1 + (int)pick(m, ROWS));
      return true;
    case AT_CELL:
      if (at == AT_CELL && !one_in(m, 3)) write(a, "j");
      else label(m, at, depth - 1, a);
      if (at == AT_CELL) write(to, "%s[%s, k]", x->name, a);
      else write(to, "%s[%s, %d]", x->name, a, 1 + (int)pick(m, 2));
      return true;
    }
  }
  return false;
}

static void label(maker *m, place at, int depth, char *to) {
  char a[EXPR];
  if (depth > 0 && !one_in(m, 3) && read_unknown(m, LABEL, at, depth, to)) return;
  if (depth > 0 && one_in(m, 6)) {
    truth(m, at, depth - 1, a);
    write(to, "(if %s { %d } else { %d })", a, 1 + (int)pick(m, GROUPS), 1 + (int)pick(m, GROUPS));
  } else if (in_rows(at)) write(to, "g[%s]", row_index(at));
  else if (at == AT_GROUP || at == AT_CELL) write(to, one_in(m, 2) ? "j" : "h[j]");
  else write(to, "%d", 1 + (int)pick(m, GROUPS));
}

static void constant(maker *m, double lo, double hi, char *to) { write(to, "%.2f", lo + (hi - lo) * (double)pick(m, 101) / 100); }

static void real(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR], c[EXPR];
  if (depth <= 0) {
    if (!one_in(m, 3) && read_unknown(m, REAL, at, 0, to)) return;
    if (in_rows(at) && one_in(m, 2)) write(to, one_in(m, 2) ? "x2[%s]" : "X[%s, 1]", row_index(at));
    else constant(m, -2, 2, to);
    return;
  }
  switch (pick(m, 15)) {
  case 0:
  case 1:
  case 2:
    if (read_unknown(m, REAL, at, depth, to)) return;
    real(m, at, depth - 1, to);
    return;
  case 3:
    real(m, at, depth - 1, a), real(m, at, depth - 1, b);
    write(to, "(%s %c %s)", a, one_in(m, 3) ? '-' : '+', b);
    return;
  case 4:
    positive(m, at, depth - 1, a), real(m, at, depth - 1, b);
    write(to, one_in(m, 3) ? "%s * %s" : "(%s * %s)", a, b);
    return;
  case 5:
    real(m, at, depth - 1, a), real(m, at, depth - 1, b);
    write(to, "(%s * %s)", a, b);
    return;
  case 6:
    real(m, at, depth - 1, a), positive(m, at, depth - 1, b);
    write(to, "(%s / %s)", a, b);
    return;
  case 7:
  case 8:
    truth(m, at, depth - 1, a), real(m, at, depth - 1, b), real(m, at, depth - 1, c);
    write(to, one_in(m, 2) ? "select(%s, %s, %s)" : "(if %s { %s } else { %s })", a, b, c);
    return;
  case 9:
    for (int k = 0; k < m->n; k++)
      if (m->u[k].vector && in_rows(at)) {
        write(to, "dot(X[%s], %s)", row_index(at), m->u[k].name);
        return;
      }
    real(m, at, depth - 1, to);
    return;
  case 10:
    for (int k = 0; k < m->n; k++)
      if (m->u[k].at == AT_GROUP && m->u[k].k == REAL) {
        write(to, one_in(m, 2) ? "sum(%s)" : "(sum(%s[z] * z for z in 1..3) / 4)", m->u[k].name);
        return;
      }
    real(m, at, depth - 1, to);
    return;
  case 11:
    real(m, at, depth - 1, a);
    write(to, "(-%s)", a);
    return;
  case 12:
    if (read_unknown(m, one_in(m, 2) ? SPIN : COUNT, at, depth, to)) return;
    positive(m, at, depth - 1, to);
    return;
  case 13:
    positive(m, at, depth - 1, a);
    write(to, one_in(m, 2) ? "log(%s)" : "sqrt(%s)", a);
    return;
  default:
    real(m, at, depth - 1, a);
    write(to, one_in(m, 2) ? "tanh(%s)" : "(%s)^2", a);
  }
}

static void positive(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR], c[EXPR];
  if (depth <= 0) {
    if (!one_in(m, 3) && read_unknown(m, POSITIVE, at, 0, to)) return;
    if (in_rows(at) && one_in(m, 2)) write(to, "w[%s]", row_index(at));
    else constant(m, 0.3, 3, to);
    return;
  }
  switch (pick(m, 12)) {
  case 0:
  case 1:
  case 2:
    if (read_unknown(m, POSITIVE, at, depth, to)) return;
    positive(m, at, depth - 1, to);
    return;
  case 3:
    positive(m, at, depth - 1, a), positive(m, at, depth - 1, b);
    write(to, "(%s %c %s)", a, "+*/"[pick(m, 3)], b);
    return;
  case 4:
    positive(m, at, depth - 1, a);
    write(to, "sqrt(%s)", a);
    return;
  case 5:
    positive(m, at, depth - 1, a);
    write(to, "(1 / %s)", a);
    return;
  case 6:
    positive(m, at, depth - 1, a);
    write(to, "(1 / sqrt(%s))", a);
    return;
  case 7:
    real(m, at, depth - 1, a);
    write(to, "exp(tanh(%s))", a);
    return;
  case 8:
    truth(m, at, depth - 1, a), positive(m, at, depth - 1, b), positive(m, at, depth - 1, c);
    write(to, one_in(m, 2) ? "select(%s, %s, %s)" : "(if %s { %s } else { %s })", a, b, c);
    return;
  case 9:
    if (read_unknown(m, SHARE, at, depth, to)) return;
    positive(m, at, depth - 1, to);
    return;
  case 10:
    positive(m, at, depth - 1, a);
    write(to, "(%s)^%s", a, one_in(m, 2) ? "2" : one_in(m, 2) ? "0.5" : "-1");
    return;
  default:
    if (read_unknown(m, TRUTH, at, depth, a)) write(to, "(0.5 + %s)", a);
    else positive(m, at, depth - 1, to);
  }
}

static void share(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR];
  if (depth > 0 && !one_in(m, 4) && read_unknown(m, SHARE, at, depth, to)) return;
  for (int k = 0; depth > 0 && k < m->n; k++)
    if (m->u[k].k == SIMPLEX && m->u[k].at == NOWHERE && one_in(m, 2)) {
      label(m, at, depth - 1, a);
      write(to, "%s[%s]", m->u[k].name, a);
      return;
    }
  if (depth <= 0 || one_in(m, 3)) constant(m, 0.1, 0.9, to);
  else if (one_in(m, 3)) {
    share(m, at, depth - 1, a);
    write(to, "(1 - %s)", a);
  } else if (one_in(m, 2)) {
    share(m, at, depth - 1, a), share(m, at, depth - 1, b);
    write(to, "(%s * %s)", a, b);
  } else {
    real(m, at, depth - 1, a);
    write(to, "inv_logit(tanh(%s))", a); /* not saturated, where logs of 1 - p lose their digits */
  }
}

static void truth(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR];
  if (depth > 0 && one_in(m, 2) && read_unknown(m, TRUTH, at, depth, to)) return;
  switch (pick(m, depth > 0 ? 5 : 2)) {
  case 2:
    label(m, at, depth - 1, a);
    write(to, "%s == %d", a, 1 + (int)pick(m, GROUPS));
    return;
  case 3:
    real(m, at, depth - 1, a), constant(m, -1, 1, b);
    write(to, "%s > %s", a, b);
    return;
  case 4:
    label(m, at, depth - 1, a), label(m, at, depth - 1, b);
    write(to, "%s == %s", a, b);
    return;
  default:
    if (in_rows(at)) write(to, one_in(m, 2) ? "b[%s]" : "%s > 3", row_index(at));
    else if (at == AT_GROUP || at == AT_CELL) write(to, "j == %d", 1 + (int)pick(m, GROUPS));
    else write(to, "x2[1] > 0.3");
  }
}

static void simplex(maker *m, place at, int depth, char *to) {
  char a[EXPR];
  for (int k = 0; k < m->n; k++) {
    const unknown *x = &m->u[k];
    if (x->k != SIMPLEX || one_in(m, 4)) continue;
    if (x->at == NOWHERE) {
      write(to, "%s", x->name);
      return;
    }
    if (m->own && m->own_kind == LABEL && at == AT_TIME && !one_in(m, 3)) write(to, "%s[%s[t - 1]]", x->name, m->own), m->own_read = true;
    else {
      label(m, at, depth, a);
      write(to, "%s[%s]", x->name, a);
    }
    return;
  }
  write(to, one_in(m, 2) ? "[0.2, 0.5, 0.3]" : "uniform(3)");
}

/* A distribution over reals. */
static void dist_real(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR];
  real(m, at, depth, a), positive(m, at, depth, b);
  static const char *const names[] = {"Normal(%s, %s)", "Normal(%s, %s)", "Normal(%s, %s)", "Normal(%s, %s)", "StudentT(4, %s, %s)", "Laplace(%s, %s)"};
  write(to, names[pick(m, 6)], a, b);
}

static void dist_positive(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR];
  positive(m, at, depth, a), positive(m, at, depth, b);
  static const char *const names[] = {"Gamma(%s, %s)", "Gamma(%s, %s)", "InvGamma(%s, %s)", "LogNormal(%s, %s)", "Weibull(%s, %s)"};
  switch (pick(m, 8)) {
  case 0: write(to, "Exponential(%s)", a); return;
  case 1: write(to, "HalfNormal(%s)", a); return;
  case 2: write(to, "Pareto(%s, 0.05)", a); return;
  default: write(to, names[pick(m, 5)], a, b);
  }
}

static void dist_share(maker *m, place at, int depth, char *to) {
  char a[EXPR], b[EXPR];
  positive(m, at, depth, a), positive(m, at, depth, b);
  if (one_in(m, 4)) write(to, "Uniform(0, 1)");
  else write(to, "Beta(%s, %s)", a, b);
}

static void dist_truth(maker *m, place at, int depth, char *to) {
  char a[EXPR];
  if (one_in(m, 3)) {
    real(m, at, depth, a);
    write(to, "Bernoulli(logit = %s)", a);
  } else {
    share(m, at, depth, a);
    write(to, "Bernoulli(%s)", a);
  }
}

static void dist_label(maker *m, place at, int depth, char *to) {
  char a[EXPR];
  simplex(m, at, depth, a);
  write(to, "Categorical(%s)", a);
}

static void dist_count(maker *m, place at, int depth, char *to, bool bounded) {
  char a[EXPR];
  if (bounded || one_in(m, 2)) {
    share(m, at, depth, a);
    write(to, "Binomial(9, %s)", a);
  } else {
    positive(m, at, depth, a);
    write(to, one_in(m, 3) ? "NegBinomial(%s, 2)" : "Poisson(%s)", a);
  }
}

static void dist_of(maker *m, kind k, place at, int depth, char *to) {
  switch (k) {
  case POSITIVE: dist_positive(m, at, depth, to); return;
  case SHARE: dist_share(m, at, depth, to); return;
  case TRUTH: dist_truth(m, at, depth, to); return;
  case LABEL: dist_label(m, at, depth, to); return;
  case COUNT: dist_count(m, at, depth, to, one_in(m, 2)); return;
  case SPIN: write(to, "Flat()"); return;
  default: dist_real(m, at, depth, to);
  }
}

/* What narrows a kind's type, where the distribution alone does not say it. */
static const char *type_of(maker *m, kind k, const char *dist) {
  if (k == SPIN) return ": spin";
  if (k != REAL || strchr(dist, 'F') || !one_in(m, 6)) return "";
  return one_in(m, 2) ? ": real<lower = 0>" : one_in(m, 2) ? ": real<lower = -1, upper = 3>" : ": real<upper = 4>";
}

static void add_unknown(maker *m) {
  static const kind kinds[] = {REAL, REAL, REAL, REAL, POSITIVE, POSITIVE, POSITIVE, SHARE, TRUTH, LABEL, LABEL, COUNT, SIMPLEX, SPIN};
  unknown x = {.k = kinds[pick(m, sizeof kinds / sizeof *kinds)]};
  char d[EXPR], a[EXPR];
  snprintf(x.name, sizeof x.name, "u%d", m->n + 1);
  if (x.k == SIMPLEX) {
    x.at = one_in(m, 2) ? AT_GROUP : NOWHERE;
    positive(m, NOWHERE, 2, a);
    say(m, x.at == NOWHERE ? "  %s: simplex(3) ~ Dirichlet([%s, 1.5, 0.8])\n" : "  %s: simplex(3)[3] ~ Dirichlet([%s, 1.5, 0.8])\n", x.name, a);
  } else if (x.k == REAL && one_in(m, 5)) {
    x.vector = true;
    if (one_in(m, 3)) say(m, "  %s: real[2] ~ MultiNormal([0.5, -0.2], [[1.5, 0.4], [0.4, 0.8]])\n", x.name);
    else {
      real(m, NOWHERE, 1, a), positive(m, NOWHERE, 1, d);
      say(m, "  %s: real[2] ~ Normal(%s, %s)\n", x.name, a, d);
    }
  } else {
    static const place places[] = {NOWHERE, NOWHERE, AT_GROUP, AT_GROUP, AT_ROW, AT_CELL, AT_TIME};
    x.at = places[pick(m, 7)];
    const char *type = "";
    if (x.at != AT_TIME) {
      dist_of(m, x.k, x.at, 2, d);
      type = type_of(m, x.k, d);
    }
    switch (x.at) {
    case NOWHERE: say(m, "  %s%s ~ %s\n", x.name, type, d); break;
    case AT_GROUP: say(m, "  plate j in 1..3 { %s[j]%s ~ %s }\n", x.name, type, d); break;
    case AT_ROW: say(m, "  plate i in 1..N { %s[i]%s ~ %s }\n", x.name, type, d); break;
    case AT_CELL: say(m, "  plate j in 1..3, k in 1..2 { %s[j, k]%s ~ %s }\n", x.name, type, d); break;
    case AT_TIME:
      dist_of(m, x.k, NOWHERE, 1, d);
      type = x.k == SPIN ? ": spin" : "";
      say(m, "  %s[1]%s ~ %s\n", x.name, type, d);
      m->own = x.name, m->own_kind = x.k;
      dist_of(m, x.k, AT_TIME, 2, d);
      m->own = NULL;
      say(m, "  for t in 2..N { %s[t]%s ~ %s }\n", x.name, type, d);
      break;
    }
  }
  m->u[m->n++] = x;
}

/* One observation of the array, and whatever stands around it. */
static void observe(maker *m, const char *data, kind k) {
  char d[EXPR], e[EXPR], c[EXPR];
  dist_of(m, k, AT_ROW, 3, d);
  const bool cdf = (k == REAL || k == POSITIVE) && !strstr(d, "Laplace");
  switch (pick(m, 9)) {
  case 0:
    truth(m, AT_ROW, 2, c), dist_of(m, k, AT_ROW, 2, e);
    say(m, "  plate i in 1..N { if %s { %s[i] ~ %s } else { %s[i] ~ %s } }\n", c, data, d, data, e);
    return;
  case 1:
    truth(m, AT_ROW, 2, c);
    say(m, "  plate i in 1..N { if %s { %s[i] ~ %s } }\n", c, data, d);
    return;
  case 2:
    if (!cdf) break;
    say(m, "  plate i in 1..N { %s[i] ~ %s(%s, b[i]) }\n", data, one_in(m, 2) ? "right_censored" : "left_censored", d);
    return;
  case 3:
    if (!cdf) break;
    if (k == REAL) {
      real(m, AT_ROW, 1, c);
      say(m, "  plate i in 1..N { %s[i] ~ truncated(%s, lower = -5 + %s) }\n", data, d, c);
    } else {
      say(m, "  plate i in 1..N { %s[i] ~ truncated(%s, upper = 9) }\n", data, d);
    }
    return;
  case 4:
    if (k != REAL && k != POSITIVE) break;
    label(m, AT_ROW, 2, c), dist_of(m, k, AT_ROW, 2, e);
    say(m, "  plate i in 1..N { %s[i] ~ switch(1 + %s // 2, [%s, %s]) }\n", data, c, d, e);
    return;
  case 5:
    if (k != REAL) break;
    share(m, AT_ROW, 1, c), dist_of(m, k, AT_ROW, 2, e);
    say(m, "  plate i in 1..N { %s[i] ~ mixture([%s, 1 - %s], [%s, %s]) }\n", data, c, c, d, e);
    return;
  case 6:
    if (k != POSITIVE) break;
    positive(m, AT_ROW, 2, c);
    say(m, "  plate i in 1..N { %s[i] ~ Uniform(0, 0.8 * %s) }\n", data, c);
    return;
  }
  say(m, "  plate i in 1..N { %s[i] ~ %s }\n", data, d);
}

static void add_factor(maker *m) {
  char a[EXPR], b[EXPR], c[EXPR];
  switch (pick(m, 5)) {
  case 0:
    real(m, AT_ROW, 2, a), constant(m, 0.1, 0.6, b);
    say(m, "  plate i in 1..N { factor -%s * (%s)^2 }\n", b, a);
    return;
  case 1:
    truth(m, AT_GROUP, 2, c), dist_real(m, AT_GROUP, 2, a);
    say(m, "  plate j in 1..3 { factor if %s { logpdf(%s, 0.4) } else { 0.3 } }\n", c, a);
    return;
  case 2:
    dist_real(m, AT_ROW, 2, a);
    say(m, "  plate i in 1..N { factor w[i] * logpdf(%s, x2[i]) }\n", a);
    return;
  case 3:
    truth(m, AT_ROW, 2, a);
    say(m, "  factor 0.4 * sum(select(%s, 1.0, 0.2 * i) for i in 1..N)\n", a);
    return;
  default:
    for (int k = 0; k < m->n; k++)
      if (m->u[k].k == SPIN && m->u[k].at == AT_CELL) {
        say(m, "  factor 0.5 * sum(%s[j, k] * %s[h[j], 3 - k] for j in 1..3, k in 1..2)\n", m->u[k].name, m->u[k].name);
        return;
      }
    real(m, NOWHERE, 2, a);
    say(m, "  factor -0.2 * (%s)^2\n", a);
  }
}

size_t gen_model(uint64_t seed, const char *method, char *out, size_t size) {
  maker m = {.seed = seed, .out = out, .size = size};
  static const struct {
    const char *name;
    kind k;
  } data[] = {{"x", REAL}, {"y", REAL}, {"v", POSITIVE}, {"n", COUNT}, {"c", TRUTH}, {"e", LABEL}, {"q", SHARE}};
  say(&m, "# seed %llu\n", (unsigned long long)seed);
  say(&m, "model m(x: real[N], y: real[N], x2: real[N], v: real<lower = 0>[N], w: real<lower = 0>[N], n: int<lower = 0>[N], c: bool[N], b: bool[N], e: index(3)[N], q: real[N], g: index(3)[N],\n"
          "        h: index(3)[3], p: index(N)[N], X: real[N, 2]) {\n");
  const int unknowns = 2 + (int)pick(&m, 4), observations = 1 + (int)pick(&m, 3), factors = (int)pick(&m, 3);
  for (int k = 0; k < unknowns; k++) add_unknown(&m);
  bool seen[sizeof data / sizeof *data] = {0};
  for (int k = 0; k < observations; k++) {
    const size_t d = pick(&m, sizeof data / sizeof *data);
    if (!seen[d]) observe(&m, data[d].name, data[d].k);
    seen[d] = true;
  }
  for (int k = 0; k < factors; k++) add_factor(&m);
  say(&m, "}\ninfer m on x = [0.3, %s, 1.2, -1, 0.2, -0.7], y = [1.1, 0.2, -0.4, 2.0, %s, 0.9], x2 = [0.5, -1, 0.2, 1.5, -0.3, 0.8], v = [0.4, 1.3, 2.2, 0.9, 0.1, 1.7], w = [1, 0.5, 2, 0.8, 1.5, 0.3],\n",
      seen[0] && one_in(&m, 4) ? "null" : "0.6", seen[1] && one_in(&m, 4) ? "null" : "-1.2");
  say(&m, "  n = [3, 4, 1, 2, 0, 7], c = [1, 0, 0, 1, %s, 0], b = [1, 0, 1, 1, 0, 1], e = [1, 2, 3, %s, 1, 2], q = [0.3, 0.6, 0.2, 0.7, 0.5, 0.1], g = %s, h = [2, 3, 1], p = [1, 3, 2, 4, 6, 5],\n",
      seen[4] && one_in(&m, 4) ? "null" : "1", seen[5] && one_in(&m, 4) ? "null" : "2", one_in(&m, 2) ? "[1, 2, 1, 2, 3, 3]" : "[1, 3, 1, 3, 1, 1]");
  say(&m, "  X = [[1, 2], [0, 1], [1.5, -1], [0.2, 0.1], [3, 1], [1, 1]]");
  for (int k = 0; k < m.n; k++) {
    const unknown *x = &m.u[k];
    if ((x->k != SPIN && x->k != TRUTH && x->k != LABEL) || x->at == NOWHERE || !one_in(&m, 5)) continue;
    if (x->at == AT_GROUP) say(&m, " given %s = [1, null, null]", x->name);
    else if (x->at == AT_CELL) say(&m, " given %s = [[1, null], [null, null], [null, 1]]", x->name);
    else say(&m, " given %s = [null, 1, null, null, 1, null]", x->name);
    break;
  }
  say(&m, " with %s\n", method);
  return m.len;
}
