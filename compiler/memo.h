/* memo.h: results of pure functions that are kept, `@memo fn`.
 *
 * The lowering leaves a mark, `memo`, where such a function is called: the value of its body, whose operands behind that are the call's arguments.  In densities
 * the mark is nothing (pass_fold): arguments there are unknowns that move.  In @outputs, which runs once a draw, memo_expand makes of it
 *
 *     %h, %v = memo_find 1 "f" 128 real, %key ...
 *     %y = if 0 <= %h { yield %v } { the body; yield memo_keep 1 "f" 128, %h, %body }
 *
 * The key is the bits of the arguments.  Of an argument that is data, or computed from data alone, it is the position that is read, since there the array never changes.
 * An engine may find nothing at any time: then everything is computed as it would be without.  Operations may move between a find and its keep, for a kept value belongs to the find
 * that asked, by its number. */
#ifndef AIM_COMPILER_MEMO_H
#define AIM_COMPILER_MEMO_H

#include "compiler/ir.h"
#include "lang/ast.h"
#include "lang/diag.h"

enum { MEMO_SIZE = 128, MEMO_MOST = 65536 };

/* Reads the options of d's `@memo`: how many results are kept; 0 after a report. */
uint32_t memo_size(diag_list *l, const ast_decl *d);

bool memo_expand(ir_module *m, ir_fn *fn);

#endif
