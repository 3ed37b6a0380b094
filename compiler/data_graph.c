/* data_graph.c: text files of pairwise problems: Max-Cut (rudy, .gset .rud .mc), .ising, .qubo, and dimod's coordinate lists (.coo).
 *
 * A file is a line of sizes, then a line for each coefficient.  Sizes are believed only as far as the file is long. */
#include "compiler/data_graph.h"

#include "compiler/data_number.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* --- the problem --------------------------------------------------------------------------------------------------- */

void graph_init(graph *g, data_set *ds, const char *file, arena *scratch, int64_t sites, size_t pairs) {
  *g = (graph){.ds = ds, .file = file, .scratch = scratch, .sites = sites, .cap = pairs, .integral = true, .table_size = 16};
  g->edge = ARENA_ARRAY(ds->a, int64_t, 2 * pairs);
  g->weight = ARENA_ARRAY(scratch, double, pairs);
  g->linear = ARENA_ARRAY(scratch, double, (size_t)sites);
  while (g->table_size < 2 * pairs) g->table_size *= 2;
  g->table = ARENA_ARRAY(scratch, uint32_t, g->table_size);
}

size_t graph_add(graph *g, int64_t i, int64_t j, double weight) {
  uint64_t lo = (uint64_t)(i < j ? i : j), hi = (uint64_t)(i < j ? j : i);
  uint64_t h = (hi << 24 | lo) * 0x9e3779b97f4a7c15u;
  size_t mask = g->table_size - 1, at = (size_t)(h ^ h >> 32) & mask;
  for (; g->table[at]; at = (at + 1) & mask) {
    const int64_t *e = g->edge + 2 * (size_t)(g->table[at] - 1);
    if ((e[0] == i && e[1] == j) || (e[0] == j && e[1] == i)) return g->table[at];
  }
  g->edge[2 * g->n] = i;
  g->edge[2 * g->n + 1] = j;
  g->weight[g->n] = weight;
  g->integral &= fabs(weight) < 0x1p53 && weight == (double)(int64_t)weight;
  g->table[at] = (uint32_t)++g->n;
  return 0;
}

static data_array *new_array(graph *g, const char *name, data_kind kind, int rank, int64_t n, int64_t m) {
  data_array *x = ARENA_NEW(g->ds->a, data_array);
  int64_t *dims = ARENA_ARRAY(g->ds->a, int64_t, 2);
  dims[0] = n, dims[1] = m;
  *x = (data_array){.name = name, .kind = kind, .rank = rank, .dims = dims, .cells = 1, .origin = {.source = DATA_FROM_GRAPH, .file = g->file}};
  for (int k = 0; k < rank; k++) x->cells *= (size_t)dims[k];
  return x;
}

static int put_reals(graph *g, const char *name, int rank, int64_t n, const double *cells, double factor) {
  data_array *x = new_array(g, name, DATA_REAL, rank, n, 0);
  double *to = ARENA_ARRAY(g->ds->a, double, x->cells);
  for (size_t k = 0; k < x->cells; k++) to[k] = cells[k] == 0 ? 0 : factor * cells[k]; /* no -0 */
  x->f64 = to;
  return data_enter(g->ds, x);
}

/* Weights that are integers in the file are integers to a model. */
static int put_weights(graph *g, const char *name, int sign) {
  if (!g->integral) return put_reals(g, name, 1, (int64_t)g->n, g->weight, sign);
  data_array *x = new_array(g, name, DATA_INT, 1, (int64_t)g->n, 0);
  int64_t *to = ARENA_ARRAY(g->ds->a, int64_t, x->cells);
  for (size_t k = 0; k < x->cells; k++) to[k] = sign * (int64_t)g->weight[k];
  x->i64 = to;
  return data_enter(g->ds, x);
}

static int put_int(graph *g, const char *name, int64_t value) {
  data_array *x = new_array(g, name, DATA_INT, 0, 0, 0);
  int64_t *to = ARENA_ARRAY(g->ds->a, int64_t, 1);
  *to = value;
  x->i64 = to;
  return data_enter(g->ds, x);
}

/* The Ising form of coefficients of x = (1 + s) / 2: b x x' = b / 4 (1 + s + s' + s s'). */
static int put_binary(graph *g) {
  double *h = ARENA_ARRAY(g->scratch, double, (size_t)g->sites), offset = g->constant;
  for (int64_t i = 0; i < g->sites; i++) {
    h[i] = 0.5 * g->linear[i];
    offset += h[i];
  }
  for (size_t k = 0; k < g->n; k++) {
    double quarter = 0.25 * g->weight[k];
    h[g->edge[2 * k] - 1] += quarter;
    h[g->edge[2 * k + 1] - 1] += quarter;
    offset += quarter;
  }
  int status = put_reals(g, "J", 1, (int64_t)g->n, g->weight, -0.25);
  status |= put_reals(g, "h", 1, g->sites, h, -1);
  return status | put_reals(g, "offset", 0, 0, &offset, 1);
}

int graph_enter(graph *g, graph_form form) {
  int status = put_int(g, "N", g->sites);
  status |= put_int(g, "E", (int64_t)g->n);
  data_array *x = new_array(g, "edge", DATA_INT, 2, (int64_t)g->n, 2);
  x->i64 = g->edge;
  status |= data_enter(g->ds, x);
  switch (form) {
  case GRAPH_MAX_CUT:
    status |= put_weights(g, "w", 1);
    return status | put_weights(g, "J", -1);
  case GRAPH_ISING:
    status |= put_weights(g, "J", 1);
    return status | put_reals(g, "h", 1, g->sites, g->linear, 1);
  case GRAPH_SPIN:
    status |= put_weights(g, "J", -1);
    status |= put_reals(g, "h", 1, g->sites, g->linear, -1);
    status |= put_reals(g, "offset", 0, 0, &g->constant, 1);
    break;
  case GRAPH_BINARY: status |= put_binary(g); break;
  }
  status |= put_reals(g, "linear", 1, g->sites, g->linear, 1);
  return status | put_reals(g, "quadratic", 1, (int64_t)g->n, g->weight, 1);
}

/* --- the text ------------------------------------------------------------------------------------------------------ */

typedef struct word {
  const char *s;
  size_t n;
} word;

enum { MOST_WORDS = 5 };

typedef struct graph_job {
  data_set *ds;
  const char *file, *at, *end;
  uint32_t line, next; /* the line that was read; the number of the next */
  word words[MOST_WORDS];
  size_t n; /* words of the line, MOST_WORDS at most */
  arena scratch;
  graph g;
  uint32_t *lines;  /* [g.cap] of each pair */
  uint8_t *set;     /* [g.sites] a field of the site has been given */
  uint32_t vartype; /* COO: 'S', 'B', or 0: not said */
  int (*read)(struct graph_job *job);
} graph_job;

static int wrong(graph_job *job, const char *code, const char *help, const char *what) {
  return data_fail(job->ds, code, job->file, arena_printf(job->ds->a, "line %u", job->line), help, "%s", what);
}

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* `# vartype=SPIN` is the one comment with a meaning, and that in a .coo file. */
static void read_comment(graph_job *job, const char *stop) {
  static const char key[] = "vartype=";
  for (const char *s = job->at; s + sizeof key - 1 < stop; s++) {
    if (memcmp(s, key, sizeof key - 1) != 0) continue;
    s += sizeof key - 1;
    size_t n = (size_t)(stop - s);
    if (n >= 6 && memcmp(s, "BINARY", 6) == 0) job->vartype = 'B';
    else if (n >= 4 && memcmp(s, "SPIN", 4) == 0) job->vartype = 'S';
    return;
  }
}

/* The words of the next line that has any.  1, 0 at the end, -1 after a message. */
static int next_line(graph_job *job) {
  while (job->at < job->end) {
    job->line = job->next++;
    const char *stop = memchr(job->at, '\n', (size_t)(job->end - job->at));
    if (!stop) stop = job->end;
    job->n = 0;
    while (job->at < stop && blank(*job->at)) job->at++;
    if (job->at < stop && *job->at == '#') read_comment(job, stop);
    else
      while (job->at < stop && job->n < MOST_WORDS) {
        word *w = &job->words[job->n++];
        w->s = job->at;
        while (job->at < stop && !blank(*job->at)) {
          if ((unsigned char)*job->at < 0x20 || (unsigned char)*job->at > 0x7e) return wrong(job, "E0740", NULL, "there is a byte that is no part of a number or a word");
          job->at++;
        }
        w->n = (size_t)(job->at - w->s);
        while (job->at < stop && blank(*job->at)) job->at++;
      }
    job->at = stop < job->end ? stop + 1 : stop;
    if (job->n) return 1;
  }
  return 0;
}

static bool is(const word *w, const char *text) { return w->n == strlen(text) && memcmp(w->s, text, w->n) == 0; }

static bool whole(const word *w, int64_t *out) { return data_number_form(w->s, w->n, '.') == NUMBER_INT && data_number_int(w->s, w->n, out); }

/* The k-th word as a count of the header. */
static int count(graph_job *job, size_t k, const char *what, int64_t most, int64_t *out) {
  if (whole(&job->words[k], out) && *out >= 0 && *out <= most) return 0;
  return data_fail(job->ds, "E0740", job->file, arena_printf(job->ds->a, "line %u", job->line), NULL, "the number of %s is not an integer from 0 to %lld", what,
                   (long long)most);
}

static int site(graph_job *job, size_t k, int64_t first, int64_t *out) {
  const int64_t last = job->g.sites - 1 + first;
  if (!whole(&job->words[k], out)) return wrong(job, "E0740", "a line holds two sites and a number: `1 2 0.5`", "the number of a site is not an integer");
  if (*out < first || *out > last)
    return data_fail(job->ds, "E0741", job->file, arena_printf(job->ds->a, "line %u", job->line),
                     first ? "sites of this format are counted from 1" : "sites of this format are counted from 0", "there is no site %lld: the sites are %lld to %lld",
                     (long long)*out, (long long)first, (long long)last);
  *out += 1 - first;
  return 0;
}

static int value(graph_job *job, size_t k, double *out) {
  const word *w = &job->words[k];
  if (data_number_form(w->s, w->n, '.') == NUMBER_NONE) return wrong(job, "E0740", "values are finite numbers with a point: -1, 0.25, 1e-3", "the last word is not a number");
  if (!data_number_real(w->s, w->n, &job->scratch, out)) return wrong(job, "E0761", NULL, "this number is too large");
  return 0;
}

static int add_pair(graph_job *job, int64_t i, int64_t j, double weight) {
  size_t before = graph_add(&job->g, i, j, weight);
  if (before)
    return data_fail(job->ds, "E0742", job->file, arena_printf(job->ds->a, "line %u", job->line), "give each pair once, with the sum of its values",
                     "this pair of sites stands on line %u already", job->lines[before - 1]);
  job->lines[job->g.n - 1] = job->line;
  return 0;
}

static int add_field(graph_job *job, int64_t i, double v) {
  if (job->set[i - 1]) return wrong(job, "E0742", "give each site once, with the sum of its values", "this site has been given a value of its own already");
  job->set[i - 1] = 1;
  job->g.linear[i - 1] = v;
  return 0;
}

/* Sizes of the header, with room for `lines` of at least `shortest` bytes each, as far as the file can hold them. */
static int begin(graph_job *job, int64_t sites, int64_t lines, size_t shortest) {
  size_t room = (size_t)(job->end - job->at + 1) / shortest;
  if ((uint64_t)lines > room)
    return data_fail(job->ds, "E0743", job->file, arena_printf(job->ds->a, "line %u", job->line), "the file has been cut short, or its first line is wrong",
                     "the rest of the file is too short for the number of lines that the header promises, %lld", (long long)lines);
  graph_init(&job->g, job->ds, job->file, &job->scratch, sites, (size_t)lines);
  job->lines = ARENA_ARRAY(&job->scratch, uint32_t, (size_t)lines);
  job->set = ARENA_ARRAY(&job->scratch, uint8_t, (size_t)sites);
  return 0;
}

static int wrong_count(graph_job *job, const char *what, int64_t want, int64_t got) {
  return data_fail(job->ds, "E0743", job->file, "", "the file has been cut short, or its header is wrong", "the number of %s is %lld, and the header promises %lld",
                   what, (long long)got, (long long)want);
}

/* `N M`, then M lines `i j w` from 1.  loops: i may equal j, which is the coefficient of one site. */
static int read_list(graph_job *job, bool loops) {
  int64_t sites, lines, seen = 0;
  int got = next_line(job);
  if (got < 0) return -1;
  if (got == 0) return data_fail(job->ds, "E0740", job->file, "", "begin with the numbers of sites and of lines: `800 19176`", "the file is empty");
  if (job->n != 2) return wrong(job, "E0740", "begin with the numbers of sites and of lines: `800 19176`", "the first line does not hold two numbers");
  if (count(job, 0, "sites", GRAPH_MAX_SITES, &sites) < 0 || count(job, 1, "lines", INT32_MAX, &lines) < 0 || begin(job, sites, lines, 6) < 0) return -1;
  while ((got = next_line(job)) > 0) {
    int64_t i, j;
    double v;
    if (job->n != 3) return wrong(job, "E0740", "a line holds two sites and a number: `1 2 -1`", "this line does not hold three numbers");
    if (++seen > lines) continue;
    if (site(job, 0, 1, &i) < 0 || site(job, 1, 1, &j) < 0 || value(job, 2, &v) < 0) return -1;
    if (i == j && !loops) return wrong(job, "E0742", "no cut separates a site from itself: leave the line out", "this edge joins a site to itself");
    if ((i == j ? add_field(job, i, v) : add_pair(job, i, j, loops ? 2 * v : v)) < 0) return -1;
  }
  if (got < 0) return -1;
  return seen == lines ? 0 : wrong_count(job, "lines", lines, seen);
}

static int read_max_cut(graph_job *job) { return read_list(job, false) < 0 ? -1 : graph_enter(&job->g, GRAPH_MAX_CUT); }

/* Off the diagonal a line stands for both elements of the symmetric matrix, 2 q x x'. */
static int read_qubo(graph_job *job) { return read_list(job, true) < 0 ? -1 : graph_enter(&job->g, GRAPH_BINARY); }

/* `ising N M H`, then `h i value` and `J i j value` from 0. */
static int read_ising(graph_job *job) {
  int64_t sites, pairs, fields, seen = 0;
  int got = next_line(job);
  if (got < 0) return -1;
  if (got == 0 || job->n != 4 || !is(&job->words[0], "ising"))
    return wrong(job, "E0740", "begin with the numbers of sites, couplings and fields: `ising 16 120 0`", "the first line is not `ising N M H`");
  if (count(job, 1, "sites", GRAPH_MAX_SITES, &sites) < 0 || count(job, 2, "couplings", INT32_MAX, &pairs) < 0 || count(job, 3, "fields", sites, &fields) < 0 ||
      begin(job, sites, pairs, 8) < 0)
    return -1;
  while ((got = next_line(job)) > 0) {
    int64_t i, j;
    double v;
    if (is(&job->words[0], "h") && job->n == 3) {
      if (site(job, 1, 0, &i) < 0 || value(job, 2, &v) < 0 || add_field(job, i, v) < 0) return -1;
      seen++;
    } else if (is(&job->words[0], "J") && job->n == 4) {
      if (site(job, 1, 0, &i) < 0 || site(job, 2, 0, &j) < 0 || value(job, 3, &v) < 0) return -1;
      if (i == j) return wrong(job, "E0742", "a field is written `h i value`", "this coupling joins a site to itself");
      if (job->g.n == job->g.cap) return wrong(job, "E0743", NULL, "there are more couplings than the header promises");
      if (add_pair(job, i, j, v) < 0) return -1;
    } else {
      return wrong(job, "E0740", "lines are `h i value` and `J i j value`, and comments begin with #", "this line is neither a field nor a coupling");
    }
  }
  if (got < 0) return -1;
  if ((int64_t)job->g.n != pairs) return wrong_count(job, "couplings", pairs, (int64_t)job->g.n);
  if (seen != fields) return wrong_count(job, "fields", fields, seen);
  return graph_enter(&job->g, GRAPH_ISING);
}

/* dimod's coordinates: `i j value` from 0, i = j for one variable; the largest number tells how many there are. */
static int read_coo(graph_job *job) {
  const char *start = job->at;
  int64_t last = -1, i, j, lines = 0;
  double v;
  int got;
  job->g.sites = GRAPH_MAX_SITES;
  while ((got = next_line(job)) > 0) {
    if (job->n != 3) return wrong(job, "E0740", "a line holds two variables and a number: `0 1 -0.5`", "this line does not hold three numbers");
    if (site(job, 0, 0, &i) < 0 || site(job, 1, 0, &j) < 0) return -1;
    if (i - 1 > last) last = i - 1;
    if (j - 1 > last) last = j - 1;
    lines++;
  }
  if (got < 0) return -1;
  if (!job->vartype)
    return data_fail(job->ds, "E0744", job->file, "", "begin with the line `# vartype=SPIN` or `# vartype=BINARY`", "the file does not say whether its variables are -1/+1 or 0/1");
  job->at = start;
  job->next = 1;
  if (begin(job, last + 1, lines, 1) < 0) return -1;
  while ((got = next_line(job)) > 0) {
    if (site(job, 0, 0, &i) < 0 || site(job, 1, 0, &j) < 0 || value(job, 2, &v) < 0) return -1;
    if ((i == j ? add_field(job, i, v) : add_pair(job, i, j, v)) < 0) return -1;
  }
  return got < 0 ? -1 : graph_enter(&job->g, job->vartype == 'S' ? GRAPH_SPIN : GRAPH_BINARY);
}

/* --- entry --------------------------------------------------------------------------------------------------------- */

static int graph_body(void *ctx) {
  graph_job *job = ctx;
  job->scratch.oom = job->ds->a->oom;
  job->file = arena_strndup(job->ds->a, job->file, strlen(job->file));
  return job->read(job);
}

static void graph_cleanup(void *ctx) { arena_free(&((graph_job *)ctx)->scratch); }

static int read_text(data_set *ds, const char *file, const char *bytes, size_t n, int (*read)(graph_job *)) {
  graph_job job = {.ds = ds, .file = file, .at = bytes, .end = bytes + n, .line = 1, .next = 1, .read = read};
  arena_init(&job.scratch, ds->a->alloc, ds->a->limit);
  return data_guard(ds, graph_body, graph_cleanup, &job);
}

int data_read_max_cut(data_set *ds, const char *file, const char *bytes, size_t n) { return read_text(ds, file, bytes, n, read_max_cut); }
int data_read_ising(data_set *ds, const char *file, const char *bytes, size_t n) { return read_text(ds, file, bytes, n, read_ising); }
int data_read_qubo(data_set *ds, const char *file, const char *bytes, size_t n) { return read_text(ds, file, bytes, n, read_qubo); }
int data_read_coo(data_set *ds, const char *file, const char *bytes, size_t n) { return read_text(ds, file, bytes, n, read_coo); }
