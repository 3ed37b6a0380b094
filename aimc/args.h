/* args.h: the command line of aimc. */
#ifndef AIMC_ARGS_H
#define AIMC_ARGS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct arg_option {
  const char *name, *value; /* as aim_set_text takes them */
} arg_option;

typedef enum arg_colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } arg_colour;

enum { ARGS_MOST = 256 };

typedef struct args {
  const char *command;
  const char *file[ARGS_MOST];
  size_t n_files;
  const char *data[ARGS_MOST];
  size_t n_data;
  arg_option option[ARGS_MOST];
  size_t n_options;
  const char *out, *only, *stage, *engine, *cache, *cache_size, *symbols, *object, *cpu, *report;
  const char *simulations;
  const char *runtime[ARGS_MOST];
  size_t n_runtime;
  int isa;
  bool quiet, all, any_path, json, check, physics, resume;
  arg_colour colour;
} args;

/* Reads the command line.  Returns -1 to go on, or an exit status: help was printed, or what is wrong was. */
int args_parse(args *a, int argc, char **argv);

/* What `aimc --help` prints. */
void help_print(void);

#endif
