/* import.c: files that a program imports (import.h). */
#include "compiler/import.h"

#include "compiler/data.h"
#include "compiler/prelude.h"
#include "lang/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct importer {
  check_program *p;
  const import_options *options;
  const char *seen[IMPORT_MAX_FILES + 1]; /* paths, the program's own first */
  size_t nseen;
  ast_decl **decls;
  size_t ndecls, cap_decls;
} importer;

/* `dir/path` without `.` and `..` where a name stands before it. */
static const char *joined(importer *m, const char *beside, const char *path) {
  const char *slash = path[0] == '/' ? NULL : strrchr(beside, '/');
  char *out = ARENA_ARRAY(m->p->mem, char, strlen(beside) + strlen(path) + 2);
  size_t n = slash ? (size_t)(slash + 1 - beside) : 0;
  memcpy(out, beside, n);
  strcpy(out + n, path);
  size_t base = out[0] == '/';
  char *to = out + base;
  for (const char *from = out + base; *from;) {
    size_t len = strcspn(from, "/");
    bool up = len == 2 && from[0] == '.' && from[1] == '.';
    char *parent = to;
    if (up && to > out + base) {
      parent--;
      while (parent > out + base && parent[-1] != '/') parent--;
      if (strncmp(parent, "../", 3) == 0) parent = to;
    }
    if (len == 0 || (len == 1 && from[0] == '.')) {
      from += len + (from[len] == '/');
      continue;
    }
    if (parent < to) to = parent;
    else {
      memmove(to, from, len);
      to += len;
      if (from[len] == '/') *to++ = '/';
    }
    from += len + (from[len] == '/');
  }
  *to = '\0';
  return out;
}

/* The text of a file, or why there is none.  No memory is asked for while the file is open: that may not return. */
static const char *read_text(importer *m, const char *path, char **text, size_t *n) {
  struct stat st;
  if (stat(path, &st) != 0) return data_error_text(errno, m->p->mem);
  if (!S_ISREG(st.st_mode)) return "not a file";
  if ((uint64_t)st.st_size > SOURCE_MAX_BYTES) return "it is too large";
  *text = ARENA_ARRAY(m->p->mem, char, (size_t)st.st_size + 1);
  FILE *f = fopen(path, "rb");
  if (!f) return data_error_text(errno, m->p->mem);
  *n = fread(*text, 1, (size_t)st.st_size, f);
  bool failed = ferror(f);
  fclose(f);
  return failed ? "it cannot be read" : NULL;
}

static const source_file *known_text(const importer *m, const char *path) {
  const source_map *k = m->options ? m->options->known : NULL;
  const source_file *f;
  for (uint32_t id = 1; k && (f = source_get(k, id)); id++)
    if (strcmp(f->name, path) == 0) return f;
  return NULL;
}

/* Whether anything in a file with errors is a declaration: what is not AIM is not shown. */
static bool is_aim(const ast_file *f) {
  for (size_t i = 0; i < f->n; i++)
    if (f->items[i]->kind != DECL_ERROR) return true;
  return false;
}

static ast_file *parse_imported(importer *m, const ast_decl *d, const char *path, const char *text, size_t n) {
  check_program *p = m->p;
  diag_list before = *p->diags;
  int id = source_add(p->sources, path, text, n);
  if (!id) {
    diag_add(p->diags, DIAG_ERROR, "E0421", d->value->at, "%s is larger than %zu MiB", path, SOURCE_MAX_BYTES >> 20);
    return NULL;
  }
  ast_file *f = parse_file(p->mem, p->names, p->sources, id, p->diags);
  if (p->diags->errors == before.errors) return f;
  if (is_aim(f)) {
    for (size_t i = before.n; i < p->diags->n; i++) diag_point(p->diags, p->diags->items[i], d->at, "imported here");
    return f;
  }
  unsigned line = p->diags->n > before.n ? source_locate(p->sources, (uint32_t)id, p->diags->items[before.n]->at.off).line : 1;
  p->diags->n = before.n;
  p->diags->errors = before.errors;
  p->diags->warnings = before.warnings;
  p->diags->dropped = before.dropped;
  diag *g = diag_add(p->diags, DIAG_ERROR, "E0423", d->value->at, "%s is not a file of AIM", path);
  diag_say(p->diags, g, "its line %u does not begin a declaration", line);
  diag_help(p->diags, g, "what is imported has models, functions and distributions; data stand behind `on`");
  return NULL;
}

static void take(importer *m, const ast_file *f, const char *name, unsigned depth);

/* False where the file was seen before, or there are too many. */
static bool enter(importer *m, const ast_decl *d, const char *path, unsigned depth) {
  for (size_t i = 0; i < m->nseen; i++)
    if (strcmp(m->seen[i], path) == 0) return false;
  if (depth > IMPORT_MAX_DEPTH || m->nseen > IMPORT_MAX_FILES) {
    diag_add(m->p->diags, DIAG_ERROR, "E0424", d->value->at, depth > IMPORT_MAX_DEPTH ? "files import each other more than %d deep" : "a program has at most %d files",
             depth > IMPORT_MAX_DEPTH ? IMPORT_MAX_DEPTH : IMPORT_MAX_FILES);
    return false;
  }
  m->seen[m->nseen++] = path;
  return true;
}

/* `import ising`: a module of the library. */
static void import_module(importer *m, const ast_decl *d, unsigned depth) {
  check_program *p = m->p;
  const char *name = d->value->name.name, **names = ARENA_ARRAY(p->mem, const char *, aim_module_count);
  const aim_module *found = NULL;
  strbuf all;
  strbuf_init(&all, p->mem);
  for (size_t i = 0; i < aim_module_count; i++) {
    names[i] = aim_modules[i].name;
    strbuf_printf(&all, "%s`%s`", i ? ", " : "", names[i]);
    if (strcmp(names[i], name) == 0) found = &aim_modules[i];
  }
  if (!found) {
    diag *g = diag_add(p->diags, DIAG_ERROR, "E0421", d->value->at, "the library has no module `%s`", name);
    const char *near = diag_nearest(name, names, aim_module_count);
    if (near) diag_help(p->diags, g, "did you mean `%s`?", near);
    else diag_help(p->diags, g, "it has %s; a file of yours stands in quotes: `import \"%s.aim\"`", all.s, name);
    return;
  }
  const char *path = arena_printf(p->mem, "<stdlib>/%s.aim", name);
  if (!enter(m, d, path, depth)) return;
  ast_file *f = parse_imported(m, d, path, found->text, found->len);
  if (f) take(m, f, path, depth);
}

static void import_one(importer *m, const ast_decl *d, const char *beside, unsigned depth) {
  check_program *p = m->p;
  if (d->value->kind == EXPR_NAME) {
    import_module(m, d, depth);
    return;
  }
  const char *given = d->value->kind == EXPR_STRING ? d->value->string.bytes : "";
  if (!given[0]) return;
  bool anywhere = m->options && m->options->anywhere;
  if (!anywhere && !source_path_below(given)) {
    diag *g = diag_add(p->diags, DIAG_ERROR, "E0422", d->value->at, "a program may import only files below its own folder");
    diag_say(p->diags, g, "%s", given[0] == '/' ? "an absolute path" : "this leaves the folder");
    diag_help(p->diags, g, "the flag --any-path of the command allows it");
    return;
  }
  const char *path = joined(m, beside, given);
  if (!enter(m, d, path, depth)) return;
  const source_file *known = known_text(m, path);
  char *text = NULL;
  size_t n = 0;
  const char *why = known ? NULL : read_text(m, path, &text, &n);
  if (why) {
    diag *g = diag_add(p->diags, DIAG_ERROR, "E0421", d->value->at, "%s cannot be imported: %s", path, why);
    diag_help(p->diags, g, "paths are relative to the file that imports");
    return;
  }
  ast_file *f = parse_imported(m, d, path, known ? known->text : text, known ? known->len : n);
  if (f) take(m, f, path, depth);
}

/* The declarations of f, behind those that it imports. */
static void take(importer *m, const ast_file *f, const char *name, unsigned depth) {
  for (size_t i = 0; i < f->n; i++)
    if (f->items[i]->kind == DECL_IMPORT) import_one(m, f->items[i], name, depth + 1);
  for (size_t i = 0; i < f->n; i++) {
    ast_decl *d = f->items[i];
    if (d->kind == DECL_IMPORT || (depth > 0 && (d->kind == DECL_RUN || d->kind == DECL_ERROR))) continue;
    ARENA_PUSH(m->p->mem, m->decls, m->ndecls, m->cap_decls, d);
  }
}

void import_files(check_program *p, const import_options *options) {
  bool any = false;
  for (size_t i = 0; i < p->file->n; i++) any = any || p->file->items[i]->kind == DECL_IMPORT;
  if (!any) return;
  importer m = {.p = p, .options = options};
  const source_file *own = source_get(p->sources, p->file->file);
  m.seen[m.nseen++] = joined(&m, "", own->name);
  take(&m, p->file, own->name, 0);
  p->file->items = m.decls;
  p->file->n = p->file->cap = m.ndecls;
}
