/* aimc.h: the commands of aimc, one a file, and what they share.
 *
 * Exit statuses: 0 done; 1 the program, its data or the command line is wrong; 2 the host failed (a file, memory, a full disk); 3 a
 * bug in AIM; 128 + n stopped by signal n, with complete rows in all files. */
#ifndef AIMC_AIMC_H
#define AIMC_AIMC_H

#include "aimc/args.h"
#include "vm/aim.h"

#include <stdatomic.h>
#include <stdio.h>

enum { EXIT_FINE = 0, EXIT_WRONG = 1, EXIT_HOST = 2, EXIT_BUG = 3 };

/* How much the vm uses, and may. */
typedef struct memory {
  _Atomic size_t used;
  size_t most;
} memory;
/* Bounds what a vm of this config takes by the memory of the machine.  m: zeroed, outlives the vm. */
void memory_limit(memory *m, aim_config *config);
/* From here on a fault of memory or the like ends in a message and EXIT_BUG. */
void tell_faults(void);

int cmd_run(const args *a, aim_vm *vm);
int cmd_check(const args *a, aim_vm *vm);
int cmd_fmt(const args *a, aim_vm *vm);
int cmd_ir(const args *a, aim_vm *vm);
int cmd_explain(const args *a, aim_vm *vm);
int cmd_doctor(const args *a, aim_vm *vm);
int cmd_build(const args *a, aim_vm *vm);
int cmd_bench(const args *a, aim_vm *vm);
int cmd_loo(const args *a, aim_vm *vm);
int cmd_sbc(const args *a, aim_vm *vm);
int cmd_export(const args *a, aim_vm *vm);
int cmd_report(const args *a, aim_vm *vm);
int cmd_cache(const args *a, aim_vm *vm);

/* How messages to f look: the flags of aim_program_messages. */
unsigned message_flags(const args *a, FILE *f);
/* A writer for aim.h; user is a FILE. */
void put_text(void *user, const char *text, size_t n);
int exit_of(aim_status st);
double now(void *unused);

/* Loads a file and prints its messages; NULL after an error, with the exit status. */
aim_program *load(const args *a, aim_vm *vm, const char *path, int *status /* OUT */);
/* Prints the task's messages and, for errors that have none, a sentence; returns the exit status. */
int report_task(const args *a, aim_task *t, aim_status st);
/* What a `simulate` statement is about, and its tables; those alone, as a line of JSON, for --json.  The engine that would run it is missing, which is
 * told last: an exit status. */
int agent_explain(const args *a, aim_task *t, const char *name);
/* The energies that `anneal` reached and the state of the lowest: an exit status. */
int annealed_print(const args *a, const aim_task *t);

/* ---- statements.c: each returns an exit status, after a message if it is not 0 */

/* Calls visit for the statements that --only picks, which are `picked`; stops at the first status that is not 0. */
typedef int statement_visit(const args *a, aim_program *p, size_t statement, size_t picked, void *user);
int each_statement(const args *a, aim_program *p, statement_visit *visit, void *user);
/* Calls visit for the task of each, with the data and options of the command and the name of its result. */
typedef int task_visit(const args *a, aim_task *t, const char *name);
int each_task(const args *a, aim_program *p, task_visit *visit);
/* Binds a task and tells its messages. */
int bind_task(const args *a, aim_task *t);
/* The same of each, before visit. */
int each_bound_task(const args *a, aim_program *p, task_visit *visit);
/* The task of a statement, which the caller frees; of the first that --only picks. */
int statement_task(aim_program *p, size_t statement, aim_task **t /* OUT */, aim_statement *s /* OUT */);
int first_task(const args *a, aim_program *p, aim_task **t /* OUT */);
/* Applies --data and the options. */
int prepare_task(const args *a, aim_task *t);

#endif
