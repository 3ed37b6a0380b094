/* check_posterior.c: compares a sampler's draws with a reference summary of the posterior.
 *
 * Draws are CmdStan CSV files, one for each chain; the reference is JSON with, for each parameter, mean, sd, mcse_mean, q05, q50, q95,
 * ess and perhaps "compare".  The rules, stated in the usage text below, are those of a Python script that accompanies the
 * reference posteriors; this twin has its verdicts, output lines and exit codes, so that checking a posterior needs no Python.  It
 * is a tool for tests and no part of the library: it uses malloc, and ends when memory does. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Compares sampler output with a reference posterior summary.\n"
    "\n"
    "usage: check_posterior [--quiet] reference.json draws.csv [draws2.csv ...]\n"
    "\n"
    "Each CSV file is one chain in CmdStan style.  Column names may be written theta.1.2\n"
    "or theta[1,2]; a vector of length 1 may stand for a scalar and the reverse.  Columns\n"
    "that the reference lacks are ignored, and warm-up rows are dropped when the comments\n"
    "say save_warmup = 1.\n"
    "\n"
    "A parameter passes when\n"
    "  |mean - ref_mean| <= max(0.1 ref_sd, min(4.5 c, 0.25 ref_sd)), c the combined\n"
    "  Monte Carlo standard error, and\n"
    "  sd / ref_sd is in [0.85, 1.18].\n"
    "A reference entry may weaken this for heavy tails by \"compare\":\n"
    "  mean+q90   spread from the share of draws in the reference's central 90 %\n"
    "  mean       spread is shown and not judged\n"
    "  quantiles  spread as mean+q90, location from the share below the reference median\n"
    "A missing, constant or non-finite column fails.\n"
    "\n"
    "exit status: 0 all passed, 1 some failed (or nothing was compared), 2 unreadable input\n";

#define ABS_TOL_SD 0.10    /* always allowed, in reference sds */
#define MAX_TOL_SD 0.25    /* never allowed more */
#define Z_TOL 4.5          /* allowed error in combined Monte Carlo standard errors */
#define RATIO_LO 0.85
#define RATIO_HI 1.18
#define NORMAL_MODE 0.3989 /* standard normal density at 0 */
#define Z95 1.644854       /* standard normal 95 % quantile */

static void *must(void *p) {
  if (p) return p;
  fputs("error: out of memory\n", stderr);
  exit(2);
}

static void *grow(void *p, size_t *cap, size_t need, size_t size) {
  if (need <= *cap) return p;
  while (*cap < need) *cap = *cap ? 2 * *cap : 64;
  return must(realloc(p, *cap * size));
}

static bool complain(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  fputs("error: ", stderr);
  vfprintf(stderr, format, ap);
  fputc('\n', stderr);
  va_end(ap);
  return false;
}

/* Reading. */

/* A stretch of text. */
typedef struct span {
  const char *s;
  size_t n;
} span;

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static span strip(span t) {
  while (t.n > 0 && is_space(t.s[0])) t.s++, t.n--;
  while (t.n > 0 && is_space(t.s[t.n - 1])) t.n--;
  return t;
}

/* A name in one spelling: the base, then for each index a separator and its digits without leading zeros. */
#define INDEX_MARK '\x01'

typedef struct text {
  char *s;
  size_t n, cap;
} text;

static void text_put(text *t, const char *s, size_t n) {
  t->s = grow(t->s, &t->cap, t->n + n + 1, 1);
  if (n > 0) memcpy(t->s + t->n, s, n);
  t->s[t->n += n] = 0;
}

static void text_put_index(text *t, span digits) {
  while (digits.n > 1 && digits.s[0] == '0') digits.s++, digits.n--;
  const char mark = INDEX_MARK;
  text_put(t, &mark, 1);
  text_put(t, digits.s, digits.n);
}

/* Reads "1, 2]" after a bracket; false if it is anything else. */
static bool indices_put(text *t, span in) {
  if (in.n == 0 || in.s[in.n - 1] != ']') return false;
  in.n--;
  for (size_t i = 0; i < in.n; i++)
    if (!is_digit(in.s[i]) && in.s[i] != ',' && !is_space(in.s[i])) return false;
  for (size_t i = 0; i <= in.n;) {
    size_t j = i;
    while (j < in.n && in.s[j] != ',') j++;
    span part = strip((span){in.s + i, j - i});
    for (size_t k = 0; k < part.n; k++)
      if (!is_digit(part.s[k])) return false;
    if (part.n > 0) text_put_index(t, part);
    i = j + 1;
  }
  return true;
}

/* 'theta[1, 2]' and 'theta.1.2' to one form; the caller frees it. */
static char *canon(span name) {
  name = strip(name);
  while (name.n > 0 && name.s[0] == '"') name.s++, name.n--;
  while (name.n > 0 && name.s[name.n - 1] == '"') name.n--;
  name = strip(name);
  text t = {0};
  for (size_t i = 0; i < name.n; i++) {
    if (name.s[i] != '[') continue;
    t.n = 0;
    text_put(&t, name.s, i);
    if (indices_put(&t, (span){name.s + i + 1, name.n - i - 1})) return t.s;
  }
  size_t end = name.n;
  for (size_t k = name.n; k > 0;) {
    size_t from = k;
    while (from > 0 && is_digit(name.s[from - 1])) from--;
    if (from == k || from == 0 || name.s[from - 1] != '.') break;
    end = k = from - 1;
  }
  t.n = 0;
  text_put(&t, name.s, end);
  for (size_t k = end; k < name.n;) {
    size_t from = ++k;
    while (k < name.n && name.s[k] != '.') k++;
    text_put_index(&t, (span){name.s + from, k - from});
  }
  return t.s;
}

typedef struct chain {
  char **columns; /* canonical names */
  size_t n_columns, columns_cap;
  double *cells; /* row by row */
  size_t cells_cap, n_rows;
  size_t first; /* rows before this are warm-up */
} chain;

/* Commas inside brackets or quotes do not separate. */
static void header_split(chain *c, span line) {
  text cell = {0};
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i <= line.n; i++) {
    char ch = i < line.n ? line.s[i] : ',';
    if (i == line.n || (ch == ',' && depth <= 0 && !quoted)) {
      c->columns = grow(c->columns, &c->columns_cap, c->n_columns + 1, sizeof *c->columns);
      c->columns[c->n_columns++] = canon((span){cell.s, cell.n});
      cell.n = 0;
    } else if (ch == '"') {
      quoted = !quoted;
    } else {
      depth += (ch == '[') - (ch == ']');
      text_put(&cell, &ch, 1);
    }
  }
  free(cell.s);
}

/* A decimal number as the script's language takes it: no hexadecimal, single underscores between digits, inf and nan. */
static bool number_read(span cell, double *out) {
  char small[64], *buf = small;
  cell = strip(cell);
  if (cell.n == 0) return false;
  if (cell.n >= sizeof small) buf = must(malloc(cell.n + 1));
  size_t n = 0;
  bool ok = true;
  for (size_t i = 0; i < cell.n && ok; i++) {
    char ch = cell.s[i];
    if (ch == '_') ok = i > 0 && i + 1 < cell.n && is_digit(cell.s[i - 1]) && is_digit(cell.s[i + 1]);
    else if (ch == 'x' || ch == 'X' || ch == '(' || ch == 0) ok = false;
    else buf[n++] = ch;
  }
  buf[n] = 0;
  char *end = buf;
  if (ok) *out = strtod(buf, &end);
  ok = ok && n > 0 && *end == 0;
  if (buf != small) free(buf);
  return ok;
}

/* The comment lines that matter. */
typedef struct config {
  bool save_warmup;
  long long num_warmup, thin;
  bool bad; /* a count is no number */
} config;

static void config_read(config *c, span line) {
  size_t i = 1, from;
  while (i < line.n && is_space(line.s[i])) i++;
  for (from = i; i < line.n && (isalnum((unsigned char)line.s[i]) || line.s[i] == '_'); i++) continue;
  span key = {line.s + from, i - from};
  while (i < line.n && is_space(line.s[i])) i++;
  if (key.n == 0 || i == line.n || line.s[i] != '=') return;
  for (i++; i < line.n && is_space(line.s[i]); i++) continue;
  for (from = i; i < line.n && !is_space(line.s[i]); i++) continue;
  char value[32] = {0};
  if (i == from) return;
  size_t n = i - from < sizeof value - 1 ? i - from : sizeof value - 1;
  memcpy(value, line.s + from, n);
#define IS(name) (key.n == sizeof name - 1 && memcmp(key.s, name, key.n) == 0)
  if (IS("save_warmup")) {
    for (size_t k = 0; k < n; k++) value[k] = (char)tolower((unsigned char)value[k]);
    c->save_warmup = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
  } else if (IS("num_warmup") || IS("thin")) {
    char *end;
    long long v = strtoll(value, &end, 10);
    if (*end) c->bad = true;
    *(IS("thin") ? &c->thin : &c->num_warmup) = v;
  }
#undef IS
}

static bool file_read(const char *path, text *out) {
  FILE *f = fopen(path, "rb");
  if (!f) return complain("cannot open %s: %s", path, strerror(errno));
  char buf[1 << 16];
  for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;) text_put(out, buf, n);
  bool ok = !ferror(f);
  fclose(f);
  return ok || complain("cannot read %s", path);
}

static size_t cells_count(span line) {
  size_t n = 1;
  for (size_t i = 0; i < line.n; i++) n += line.s[i] == ',';
  return n;
}

static bool row_read(chain *c, span line) {
  size_t n = c->n_columns;
  c->cells = grow(c->cells, &c->cells_cap, (c->n_rows + 1) * n, sizeof *c->cells);
  double *row = c->cells + c->n_rows * n;
  for (size_t k = 0, i = 0; k < n; k++) {
    size_t j = i;
    while (j < line.n && line.s[j] != ',') j++;
    if (!number_read((span){line.s + i, j - i}, &row[k])) return false;
    i = j + 1;
  }
  c->n_rows++;
  return true;
}

static bool chain_read(const char *path, chain *c) {
  text file = {0};
  config conf = {.thin = 1};
  size_t ragged = 0;
  bool ok = file_read(path, &file);
  for (size_t i = 0; ok && i < file.n;) {
    size_t j = i;
    while (j < file.n && file.s[j] != '\n' && file.s[j] != '\r') j++;
    span line = strip((span){file.s + i, j - i});
    i = j + 1;
    if (line.n == 0) continue;
    if (line.s[0] == '#') config_read(&conf, line);
    else if (!c->columns) header_split(c, line);
    else if (cells_count(line) != c->n_columns) ragged++;
    else if (!row_read(c, line)) ok = complain("%s: not a number in row %zu", path, c->n_rows + 1);
  }
  free(file.s);
  if (!ok) return false;
  if (!c->columns) return complain("%s: no header line", path);
  if (ragged) fprintf(stderr, "warning: %s: %zu row(s) of the wrong length were skipped\n", path, ragged);
  if (conf.save_warmup) {
    if (conf.bad) return complain("%s: num_warmup or thin is not a number", path);
    long long thin = conf.thin > 1 ? conf.thin : 1;
    long long drop = conf.num_warmup > 0 ? (conf.num_warmup + thin - 1) / thin : 0;
    c->first = (unsigned long long)drop < c->n_rows ? (size_t)drop : c->n_rows;
  }
  c->n_rows -= c->first;
  return c->n_rows >= 4 || complain("%s: fewer than 4 draws", path);
}

static void chain_free(chain *c) {
  for (size_t i = 0; i < c->n_columns; i++) free(c->columns[i]);
  free(c->columns);
  free(c->cells);
}

/* Statistics. */

/* The exact sum, rounded once (Shewchuk 1997: a list of partial sums that do not overlap). */
typedef struct exact {
  double part[64];
  int n;
} exact;

static void exact_add(exact *e, double x) {
  int kept = 0;
  for (int i = 0; i < e->n; i++) {
    double y = e->part[i];
    if (fabs(x) < fabs(y)) {
      double t = x;
      x = y;
      y = t;
    }
    double hi = x + y, lo = y - (hi - x);
    if (lo != 0.0) e->part[kept++] = lo;
    x = hi;
  }
  e->part[kept++] = x;
  e->n = kept;
}

static double exact_value(const exact *e) {
  int n = e->n;
  if (n == 0) return 0.0;
  double hi = e->part[--n], lo = 0.0;
  while (n > 0) {
    double x = hi, y = e->part[--n];
    hi = x + y;
    lo = y - (hi - x);
    if (lo != 0.0) break;
  }
  /* A tie that the parts below would break goes their way. */
  if (n > 0 && ((lo < 0.0 && e->part[n - 1] < 0.0) || (lo > 0.0 && e->part[n - 1] > 0.0))) {
    double y = 2.0 * lo, x = hi + y;
    if (y == x - hi) hi = x;
  }
  return hi;
}

static double mean_of(const double *x, size_t n) {
  exact e = {.n = 0};
  for (size_t i = 0; i < n; i++) exact_add(&e, x[i]);
  return exact_value(&e) / (double)n;
}

static double variance_of(const double *x, size_t n, double mean) {
  exact e = {.n = 0};
  for (size_t i = 0; i < n; i++) exact_add(&e, (x[i] - mean) * (x[i] - mean));
  return exact_value(&e) / (double)(n - 1);
}

/* The split halves of m chains, centred: [2 m][n]. */
typedef struct halves {
  double *x;
  size_t m, n;
  double within, var_plus;
} halves;

static double autocorrelation(const halves *h, size_t t) {
  double a = 0.0;
  for (size_t c = 0; c < h->m; c++) {
    const double *x = h->x + c * h->n;
    double sum = 0.0;
    for (size_t i = t; i < h->n; i++) sum += x[i] * x[i - t];
    a += sum / (double)h->n;
  }
  a /= (double)h->m;
  return 1.0 - (h->within - a * (double)h->n / (double)(h->n - 1)) / h->var_plus;
}

/* Effective sample size of the mean of x [m][draws] (split chains, Geyer's initial monotone sequence), and split R-hat. */
static double ess_of(const double *x, size_t m, size_t draws, double *rhat) {
  size_t n = draws / 2;
  halves h = {.x = must(malloc(2 * m * n * sizeof(double))), .m = 2 * m, .n = n};
  double *mu = must(malloc(4 * m * sizeof *mu)), *acov0 = mu + 2 * m;
  for (size_t c = 0; c < h.m; c++) {
    const double *from = x + (c / 2) * draws + (c % 2 ? draws - n : 0);
    double *to = h.x + c * n;
    mu[c] = mean_of(from, n);
    exact e = {.n = 0};
    for (size_t i = 0; i < n; i++) {
      to[i] = from[i] - mu[c];
      exact_add(&e, to[i] * to[i]);
    }
    acov0[c] = exact_value(&e) / (double)n;
  }
  h.within = mean_of(acov0, h.m) * (double)n / (double)(n - 1);
  h.var_plus = h.within * (double)(n - 1) / (double)n + variance_of(mu, h.m, mean_of(mu, h.m));
  double ess = NAN;
  *rhat = NAN;
  if (h.within > 0.0 && isfinite(h.var_plus)) {
    *rhat = sqrt(h.var_plus / h.within);
    double total = 0.0, last = INFINITY;
    for (size_t t = 0; t + 1 < n; t += 2) {
      double pair = (t == 0 ? 1.0 : autocorrelation(&h, t)) + autocorrelation(&h, t + 1);
      if (pair < 0.0) break;
      last = last < pair ? last : pair;
      total += last;
    }
    double size = (double)(h.m * n), least = 1.0 / log10(size > 11.0 ? size : 11.0), tau = 2.0 * total - 1.0;
    ess = size / (least > tau ? least : tau);
  }
  free(h.x);
  free(mu);
  return ess;
}

/* Standard normal quantile by bisection on erfc; p in [0.5, 1). */
static double normal_quantile(double p) {
  double lo = 0.0, hi = 40.0;
  for (int i = 0; i < 100; i++) {
    double mid = 0.5 * (lo + hi);
    if (0.5 * erfc(mid * 0.70710678118654752) > 1.0 - p) lo = mid;
    else hi = mid;
  }
  return 0.5 * (lo + hi);
}

/* Comparing. */

typedef struct verdict {
  bool ok;
  double mean, z, d, ratio, ess, rhat; /* d: distance in reference sds */
  char mark;                           /* behind the ratio: q, - or blank */
} verdict;

typedef struct reference {
  double mean, sd, q05, q50, q95, mcse_mean, ess;
  bool spread_by_quantiles, location_by_quantiles, location_only;
} reference;

static double number_of(const json_t *entry, const char *key, double otherwise) {
  const json_t *v = json_object_get(entry, key);
  return json_is_number(v) ? json_number_value(v) : otherwise;
}

static bool reference_read(const char *name, const json_t *entry, reference *r) {
  const char *how = json_string_value(json_object_get(entry, "compare"));
  *r = (reference){.mean = number_of(entry, "mean", NAN), .sd = number_of(entry, "sd", NAN), .q05 = number_of(entry, "q05", NAN),
                   .q50 = number_of(entry, "q50", NAN), .q95 = number_of(entry, "q95", NAN),
                   .mcse_mean = number_of(entry, "mcse_mean", 0.0), .ess = number_of(entry, "ess", 0.0)};
  r->location_only = how && strcmp(how, "mean") == 0;
  r->location_by_quantiles = how && strcmp(how, "quantiles") == 0;
  r->spread_by_quantiles = r->location_by_quantiles || (how && strcmp(how, "mean+q90") == 0);
  bool whole = !isnan(r->mean) && (r->location_by_quantiles || r->sd > 0.0) && (!r->spread_by_quantiles || (!isnan(r->q05) && !isnan(r->q95))) &&
               (!r->location_by_quantiles || !isnan(r->q50));
  return whole || complain("the reference of %s lacks a number that its comparison needs", name);
}

/* Share of draws with lo <= x <= hi. */
static double share(const double *x, size_t n, double lo, double hi) {
  size_t k = 0;
  for (size_t i = 0; i < n; i++) k += x[i] >= lo && x[i] <= hi;
  return (double)k / (double)n;
}

static verdict check(const reference *r, const double *x, size_t m, size_t draws) {
  verdict v = {false, NAN, NAN, NAN, NAN, NAN, NAN, ' '};
  size_t n = m * draws;
  for (size_t i = 0; i < n; i++)
    if (!isfinite(x[i])) return v;
  v.mean = mean_of(x, n);
  double var = variance_of(x, n, v.mean);
  if (!(var > 0.0)) {
    v.ratio = 0.0;
    return v;
  }
  double rhat, ess = ess_of(x, m, draws, &rhat);
  if (!(ess > 0.0)) return v;
  double sd = sqrt(var), d, c;
  if (r->location_by_quantiles) {
    double *below = must(malloc(n * sizeof *below)), unused;
    for (size_t i = 0; i < n; i++) below[i] = x[i] <= r->q50;
    double p = mean_of(below, n);
    ess = p > 0.0 && p < 1.0 ? ess_of(below, m, draws, &unused) : NAN;
    free(below);
    v.ess = ess;
    v.rhat = rhat;
    if (!(ess > 0.0)) return v;
    d = fabs(p - 0.5) / NORMAL_MODE;
    c = 0.5 / NORMAL_MODE * hypot(r->ess != 0.0 ? 1.0 / sqrt(r->ess) : 0.0, 1.0 / sqrt(ess));
  } else {
    d = fabs(v.mean - r->mean) / r->sd;
    c = hypot(r->mcse_mean, sd / sqrt(ess)) / r->sd;
  }
  double capped = MAX_TOL_SD < Z_TOL * c ? MAX_TOL_SD : Z_TOL * c;
  double tolerance = capped > ABS_TOL_SD ? capped : ABS_TOL_SD;
  if (r->spread_by_quantiles) {
    double inside = share(x, n, r->q05, r->q95);
    v.ratio = inside == 0.0 ? INFINITY : inside == 1.0 ? 0.0 : Z95 / normal_quantile(0.5 + 0.5 * inside);
  } else {
    v.ratio = sd / r->sd;
  }
  v.ok = d <= tolerance && (r->location_only || (v.ratio >= RATIO_LO && v.ratio <= RATIO_HI));
  v.mark = r->spread_by_quantiles ? 'q' : r->location_only ? '-' : ' ';
  v.z = d / c;
  v.d = d;
  v.ess = ess;
  v.rhat = rhat;
  return v;
}

/* The last column of that name, or SIZE_MAX. */
static size_t column_named(const chain *c, const char *key) {
  for (size_t i = c->n_columns; i-- > 0;)
    if (strcmp(c->columns[i], key) == 0) return i;
  return SIZE_MAX;
}

/* A scalar and a vector of length 1 stand for each other. */
static size_t column_find(const chain *c, const char *key) {
  size_t at = column_named(c, key);
  if (at != SIZE_MAX) return at;
  const char *mark = strchr(key, INDEX_MARK);
  text other = {0};
  if (mark && strcmp(mark + 1, "1") == 0) {
    text_put(&other, key, (size_t)(mark - key));
    at = column_named(c, other.s);
  } else if (!mark) {
    const char first[] = {INDEX_MARK, '1'};
    text_put(&other, key, strlen(key));
    text_put(&other, first, 2);
    size_t one = column_named(c, other.s);
    other.s[other.n - 1] = '2';
    if (one != SIZE_MAX && column_named(c, other.s) == SIZE_MAX) at = one;
  }
  free(other.s);
  return at;
}

/* Names are padded by characters, and a printed NaN has no sign. */
static void name_print(const char *name) {
  int width = 0;
  for (const char *p = name; *p; p++) width += (*p & 0xc0) != 0x80;
  printf("%s%*s", name, width < 22 ? 22 - width : 0, "");
}

static double unsigned_nan(double x) {
  return isnan(x) ? fabs(x) : x;
}

static void verdict_print(const char *name, const reference *r, const verdict *v) {
  name_print(name);
  printf(" %13.6g %13.6g %7.2f %8.3f %8.3f%c %9.0f %7.3f  %s\n", unsigned_nan(v->mean), r->mean, unsigned_nan(v->z), unsigned_nan(v->d),
         unsigned_nan(v->ratio), v->mark, unsigned_nan(v->ess), unsigned_nan(v->rhat), v->ok ? "ok" : "FAIL");
}

static int compare_all(const json_t *root, const char *path, const chain *chains, size_t m, bool quiet) {
  size_t n = chains[0].n_rows;
  bool differ = false;
  for (size_t c = 1; c < m; c++) {
    differ |= chains[c].n_rows != chains[0].n_rows;
    if (chains[c].n_rows < n) n = chains[c].n_rows;
  }
  if (differ) fprintf(stderr, "warning: chains differ in length; using the first %zu draws of each\n", n);
  const char *posterior = json_string_value(json_object_get(root, "posterior"));
  printf("%s: %zu chain(s) x %zu draws\n", posterior ? posterior : path, m, n);
  printf("%-22s %13s %13s %7s %8s %9s %9s %7s\n", "parameter", "mean", "ref_mean", "z", "|d|/sd", "sd_ratio", "ess", "rhat");

  double *x = must(malloc(m * n * sizeof *x));
  long passed = 0, failed = 0;
  bool readable = true;
  const char *name;
  json_t *entry;
  json_object_foreach(json_object_get(root, "parameters"), name, entry) {
    char *key = canon((span){name, strlen(name)});
    bool missing = false;
    for (size_t c = 0; c < m && !missing; c++) {
      size_t at = column_find(&chains[c], key);
      missing = at == SIZE_MAX;
      for (size_t i = 0; i < n && !missing; i++) x[c * n + i] = chains[c].cells[(chains[c].first + i) * chains[c].n_columns + at];
    }
    free(key);
    if (missing) {
      failed++;
      name_print(name);
      printf(" missing from the draws  FAIL\n");
      continue;
    }
    reference r;
    if (!(readable = reference_read(name, entry, &r))) break;
    verdict v = check(&r, x, m, n);
    passed += v.ok;
    failed += !v.ok;
    if (!(quiet && v.ok)) verdict_print(name, &r, &v);
  }
  free(x);
  if (!readable) return 2;
  printf("%ld passed, %ld failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  bool quiet = false, help = false;
  const char **paths = must(calloc((size_t)argc + 1, sizeof *paths));
  size_t n_paths = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--quiet") == 0) quiet = true;
    else paths[n_paths++] = argv[i];
    help |= strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0;
  }
  if (help || n_paths < 2) {
    fputs(usage, stdout);
    free(paths);
    return 2;
  }
  json_error_t error;
  json_t *root = json_load_file(paths[0], 0, &error);
  bool ok = root || complain("%s:%d: %s", paths[0], error.line, error.text);
  if (ok && !json_is_object(json_object_get(root, "parameters"))) ok = complain("%s: no object \"parameters\"", paths[0]);
  size_t m = n_paths - 1;
  chain *chains = must(calloc(m, sizeof *chains));
  for (size_t c = 0; ok && c < m; c++) ok = chain_read(paths[c + 1], &chains[c]);
  int status = ok ? compare_all(root, paths[0], chains, m, quiet) : 2;
  for (size_t c = 0; c < m; c++) chain_free(&chains[c]);
  free(chains);
  json_decref(root);
  free(paths);
  return status;
}
