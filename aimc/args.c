/* args.c: the command line, by glibc's argp.  Nothing else in AIM knows how arguments are parsed. */
#include "aimc/args.h"

#include "aimc/aimc.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_OUT = 256, KEY_ONLY, KEY_STAGE, KEY_ISA, KEY_ENGINE, KEY_CACHE, KEY_CACHE_SIZE, KEY_SYMBOLS, KEY_COLOUR, KEY_ANY_PATH, KEY_SET, KEY_ALL, KEY_CPU, KEY_RUNTIME, KEY_JSON, KEY_CHECK, KEY_REPORT, KEY_PHYSICS, KEY_SIMULATIONS, KEY_RESUME, KEY_OPTION };

/* Flags that are options of a statement, KEY_OPTION + their place here. */
static const char *const statement_option[] = {"seed",    "chains",        "warmup",    "draws",     "thin",
                                               "threads", "target_accept", "max_depth", "particles", "method", "steps", "metric"};
enum { N_STATEMENT_OPTIONS = sizeof statement_option / sizeof statement_option[0] };

static const struct argp_option options[] = {
    {"data", 'd', "FILE | NAME=VALUE", 0, "data: a file, of the kind that its ending says, or one binding; may be repeated", 1},
    {"out", KEY_OUT, "DIR", 0, "write the draws of each chain as CSV (CmdStan's format), and run.json", 1},
    {"resume", KEY_RESUME, NULL, 0, "go on with the run in the directory of --out that was interrupted: its draws become those of the whole run; nuts, mh, gibbs, slice, cycle, tempering, population, anneal", 1},
    {"only", KEY_ONLY, "NAME", 0, "run this statement of the file, by the name of its result", 1},
    {"method", KEY_OPTION + 9, "METHOD", 0, "nuts, mh, gibbs, slice, importance, prior, map, laplace, pathfinder or auto; those with arguments of their own in the statement", 2},
    {"seed", KEY_OPTION + 0, "N", 0, "default 1; 0 chooses one", 2},
    {"chains", KEY_OPTION + 1, "N", 0, NULL, 2},
    {"warmup", KEY_OPTION + 2, "N", 0, "transitions (sweeps of mh, gibbs and slice) before draws are kept", 2},
    {"draws", KEY_OPTION + 3, "N", 0, "kept draws of each chain", 2},
    {"thin", KEY_OPTION + 4, "N", 0, "keep every Nth", 2},
    {"steps", KEY_OPTION + 10, "N", 0, "of mh: single-element steps to a transition, 0 for a sweep", 2},
    {"threads", KEY_OPTION + 5, "N", 0, "default: one for each processor; draws do not depend on it", 2},
    {"target-accept", KEY_OPTION + 6, "P", 0, NULL, 2},
    {"max-depth", KEY_OPTION + 7, "N", 0, NULL, 2},
    {"metric", KEY_OPTION + 11, "METRIC", 0, "of nuts: diagonal, fisher, dense, lowrank or auto", 2},
    {"particles", KEY_OPTION + 8, "N", 0, "of importance", 2},
    {"simulations", KEY_SIMULATIONS, "N", 0, "of sbc: default 200", 2},
    {"set", KEY_SET, "OPTION=VALUE", 0, "any other option of a statement", 2},
    {"engine", KEY_ENGINE, "auto | jit | vm", 0, "what executes the model: the interpreter and then machine code, machine code, the interpreter; draws do not depend on it", 3},
    {"cache", KEY_CACHE, "DIR | off", 0, "where compiled models are kept, default ~/.cache/aim", 3},
    {"cache-size", KEY_CACHE_SIZE, "MIB", 0, "how much of them, default 256", 3},
    {"symbols", KEY_SYMBOLS, "perf | gdb", 0, "tell perf (/tmp/perf-PID.map) or gdb the names of compiled functions", 3},
    {"isa", KEY_ISA, "2 | 3 | 4 | native", 0, "x86-64 level of kernels and machine code, or machine code for this very processor; draws do not depend on it", 3},
    {"stage", KEY_STAGE, "STAGE", 0, "of ir: ast, model, prepare, logdens, grad, density, prior, outputs, loglik, collapsed, recovery, recover, local, tempered or all", 3},
    {"output", 'o', "NAME", 0, "of run: writes NAME.nc, NetCDF that ArviZ opens; of build: NAME.o and NAME.h, by default the model's name; of report: the page", 3},
    {"report", KEY_REPORT, "FILE", 0, "write the run as a page of HTML: table, advice, traces, densities, predictive checks", 1},
    {"cpu", KEY_CPU, "native | x86-64-v2 | -v3 | -v4", 0, "of build: what the object runs on, default x86-64-v3; results do not depend on it", 3},
    {"runtime", KEY_RUNTIME, "SIZE", 0, "of build: the host sets this size, though it is small; may be repeated", 3},
    {"any-path", KEY_ANY_PATH, NULL, 0, "let programs import files and read data outside their folder", 3},
    {"all", KEY_ALL, NULL, 0, "every row of the summary, in the order of the files", 4},
    {"check", KEY_CHECK, NULL, 0, "of fmt: change nothing; status 1 and the names of files that would change", 4},
    {"physics", KEY_PHYSICS, NULL, 0, "of check: with their data, whether the kernels of annealing and tempering statements leave the distributions that these name", 4},
    {"json", KEY_JSON, NULL, 0, "messages as lines of JSON; of bench: a line for each statement, in seconds and rates; of explain: an agent with its tables", 4},
    {"quiet", 'q', NULL, 0, "no progress and no summary", 4},
    {"color", KEY_COLOUR, "WHEN", 0, "auto, always or never", 4},
    {0},
};

static void push(const char **list, size_t *n, const char *x, struct argp_state *s) {
  if (*n == ARGS_MOST) argp_error(s, "more than %d of them", ARGS_MOST);
  list[(*n)++] = x;
}

static void add_option(args *a, const char *name, const char *value, struct argp_state *s) {
  if (a->n_options == ARGS_MOST) argp_error(s, "more than %d options", ARGS_MOST);
  a->option[a->n_options++] = (arg_option){name, value};
}

static void set_option(args *a, char *text, struct argp_state *s) {
  char *eq = strchr(text, '=');
  if (!eq || eq == text || *text == '-') argp_error(s, "--set wants OPTION=VALUE, not `%s`", text);
  char *end = eq;
  while (end > text + 1 && end[-1] == ' ') end--; /* as people write it: 'save = [mu]' */
  *end = '\0';
  add_option(a, text, eq + 1, s);
}

static void set_colour(args *a, const char *text, struct argp_state *s) {
  if (strcmp(text, "auto") == 0) a->colour = COLOUR_AUTO;
  else if (strcmp(text, "always") == 0) a->colour = COLOUR_ALWAYS;
  else if (strcmp(text, "never") == 0) a->colour = COLOUR_NEVER;
  else argp_error(s, "--color wants auto, always or never, not `%s`", text);
}

/* What `aimc COMMAND --help` shows, and what the command takes.  shown: keys; 's' stands for the options of statements. */
typedef struct command_help {
  const char *name, *usage, *doc;
  int shown[16];
} command_help;

static const command_help helps[] = {
    {"run", "run FILE", "Runs the statements of a file: draws, summary, advice.",
     {'d', KEY_OUT, KEY_RESUME, 'o', KEY_REPORT, KEY_ONLY, 's', KEY_ENGINE, KEY_CACHE, KEY_ISA, KEY_ANY_PATH, KEY_ALL, 'q', KEY_JSON, KEY_COLOUR}},
    {"check", "check FILE...", "Says what is wrong with models, without data; with --physics, what is wrong with kernels.",
     {KEY_PHYSICS, 'd', KEY_ONLY, 's', KEY_ANY_PATH, 'q', KEY_JSON, KEY_COLOUR}},
    {"fmt", "fmt FILE...", "Lays out source files in place: spaces and indentation; comments and line breaks stay.", {KEY_CHECK, 'q', KEY_COLOUR}},
    {"explain", "explain FILE", "The method and why, the sites, what a gradient costs; of an agent, its factors and tables.",
     {'d', KEY_ONLY, 's', KEY_ENGINE, KEY_CACHE, KEY_ISA, KEY_ANY_PATH, KEY_JSON, KEY_COLOUR}},
    {"ir", "ir FILE", "What a model becomes, before data are known.", {'d', KEY_ONLY, 's', KEY_STAGE, KEY_ANY_PATH, KEY_COLOUR}},
    {"build", "build FILE", "Makes an object and a C header of a model, for programs that have no AIM.",
     {'d', 'o', KEY_CPU, KEY_RUNTIME, KEY_ONLY, 's', KEY_ANY_PATH, KEY_COLOUR}},
    {"bench", "bench FILE", "What a model costs on this machine, on each engine.",
     {'d', KEY_ONLY, 's', KEY_ISA, KEY_ANY_PATH, KEY_JSON, KEY_COLOUR}},
    {"loo", "loo FILE", "How well models would predict observations that they have not seen (PSIS-LOO, WAIC), and which of them would best.",
     {'d', KEY_ONLY, 's', KEY_ENGINE, KEY_CACHE, KEY_ISA, KEY_ANY_PATH, 'q', KEY_COLOUR}},
    {"sbc", "sbc FILE", "Whether a statement's method finds what the model itself simulates (simulation-based calibration).",
     {KEY_SIMULATIONS, 'd', KEY_ONLY, 's', KEY_ENGINE, KEY_CACHE, KEY_ISA, KEY_ANY_PATH, KEY_ALL, 'q', KEY_JSON, KEY_COLOUR}},
    {"export", "export DIR FILE...", "Writes the draws of a run that has ended as .nc (ArviZ), .csv (a table, as R's posterior has it), .npz or .json.", {KEY_JSON, KEY_COLOUR}},
    {"report", "report DIR...", "Makes a page of HTML of a run that has ended, or of several, beside each other: DIR/report.html, or --output.", {'o', KEY_JSON, KEY_COLOUR}},
    {"doctor", "doctor", "This machine and this build.", {KEY_ENGINE, KEY_CACHE, KEY_ISA, KEY_COLOUR}},
    {"cache", "cache [show | clear | path]", "Compiled models that are kept: how many, remove them, where.", {KEY_CACHE}},
};

enum { N_OPTIONS = sizeof options / sizeof options[0], N_HELPS = sizeof helps / sizeof helps[0] };

static bool is_shown(const command_help *h, int key) {
  if (key >= KEY_OPTION || key == KEY_SET) key = 's';
  if (key == KEY_CACHE_SIZE) key = KEY_CACHE;
  if (key == KEY_SYMBOLS) key = KEY_ENGINE;
  for (const int *k = h->shown; *k; k++)
    if (*k == key) return true;
  return false;
}

static const command_help *help_of(const char *command) {
  for (size_t k = 0; k < N_HELPS; k++)
    if (strcmp(command, helps[k].name) == 0) return &helps[k];
  return NULL;
}

/* A flag that a command would not look at is a mistake about what it does.  How messages look is said to any. */
static void check_taken(int key, struct argp_state *s) {
  const command_help *h = help_of(s->argv[1]);
  if (!h || key == 'q' || key == KEY_JSON || key == KEY_COLOUR || is_shown(h, key)) return;
  const struct argp_option *o = options;
  while (o->name && o->key != key) o++;
  if (o->name) argp_error(s, "`%s` has no --%s", h->name, o->name);
}

static error_t parse_one(int key, char *arg, struct argp_state *s) {
  args *a = s->input;
  check_taken(key, s);
  if (key >= KEY_OPTION && key < KEY_OPTION + N_STATEMENT_OPTIONS) {
    add_option(a, statement_option[key - KEY_OPTION], arg, s);
    return 0;
  }
  switch (key) {
  case 'd': push(a->data, &a->n_data, arg, s); return 0;
  case KEY_ALL: a->all = true; return 0;
  case 'q': a->quiet = true; return 0;
  case 'o': a->object = arg; return 0;
  case KEY_JSON: a->json = true; return 0;
  case KEY_CHECK: a->check = true; return 0;
  case KEY_RESUME: a->resume = true; return 0;
  case KEY_PHYSICS: a->physics = true; return 0;
  case KEY_CPU: a->cpu = arg; return 0;
  case KEY_RUNTIME: push(a->runtime, &a->n_runtime, arg, s); return 0;
  case KEY_OUT: a->out = arg; return 0;
  case KEY_REPORT: a->report = arg; return 0;
  case KEY_SIMULATIONS: a->simulations = arg; return 0;
  case KEY_ONLY: a->only = arg; return 0;
  case KEY_STAGE: a->stage = arg; return 0;
  case KEY_ANY_PATH: a->any_path = true; return 0;
  case KEY_SET: set_option(a, arg, s); return 0;
  case KEY_COLOUR: set_colour(a, arg, s); return 0;
  case KEY_ENGINE:
    if (strcmp(arg, "vm") != 0 && strcmp(arg, "jit") != 0 && strcmp(arg, "auto") != 0)
      argp_error(s, "--engine wants auto, jit or vm, not `%s`", arg);
    a->engine = arg;
    return 0;
  case KEY_CACHE: a->cache = arg; return 0;
  case KEY_CACHE_SIZE: a->cache_size = arg; return 0;
  case KEY_SYMBOLS:
    if (strcmp(arg, "perf") != 0 && strcmp(arg, "gdb") != 0) argp_error(s, "--symbols wants perf or gdb, not `%s`", arg);
    a->symbols = arg;
    return 0;
  case KEY_ISA:
    if (strcmp(arg, "native") == 0) a->isa = AIM_ISA_NATIVE;
    else if (strlen(arg) == 1 && arg[0] >= '2' && arg[0] <= '4') a->isa = arg[0] - '0';
    else argp_error(s, "--isa wants 2, 3, 4 or native, not `%s`", arg);
    return 0;
  case ARGP_KEY_ARG:
    if (!a->command) a->command = arg;
    else push(a->file, &a->n_files, arg, s);
    return 0;
  default: return ARGP_ERR_UNKNOWN;
  }
}

int args_parse(args *a, int argc, char **argv) {
  *a = (args){0};
  if (argc < 2) {
    help_print();
    return EXIT_WRONG;
  }
  static char help_flag[] = "--help";
  if (strcmp(argv[1], "help") == 0 && argc > 2 && help_of(argv[2])) { /* `help run` is `run --help` */
    argv[1] = argv[2];
    argv[2] = help_flag;
    argc = 3;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0) {
    help_print();
    return EXIT_FINE;
  }
  if (strcmp(argv[1], "--version") == 0) argv[1] = "version";
  struct argp_option own[N_OPTIONS];
  memcpy(own, options, sizeof own);
  struct argp parser = {.options = own, .parser = parse_one, .args_doc = "COMMAND FILE...",
                        .doc = "Runs generative models written in AIM.\vCommands: run, check, fmt, ir, explain, build, bench, loo, sbc, export, report, doctor, cache, version, help."};
  const command_help *h = help_of(argv[1]);
  if (h) {
    parser.args_doc = h->usage;
    parser.doc = h->doc;
    for (size_t i = 0; i + 1 < N_OPTIONS; i++)
      if (!is_shown(h, own[i].key)) own[i].flags |= OPTION_HIDDEN;
  }
  argp_err_exit_status = EXIT_WRONG;
  if (argp_parse(&parser, argc, argv, 0, NULL, a)) return EXIT_WRONG;
  if (!a->command) {
    help_print();
    return EXIT_WRONG;
  }
  return -1;
}
