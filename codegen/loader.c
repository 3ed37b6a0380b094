/* loader.c: ELF64 relocatable objects for x86-64. */
#include "codegen/loader.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { SECTIONS_MOST = 4096, PAGE = 4096 };
#define BYTES_MOST ((size_t)256 << 20)

typedef struct elf {
  const char *file;
  size_t n;
  Elf64_Ehdr head;
  size_t at[SECTIONS_MOST]; /* place in memory + 1; 0: not loaded */
} elf;

static bool inside(const elf *f, uint64_t at, uint64_t size) { return at <= f->n && size <= f->n - at; }

static Elf64_Shdr section(const elf *f, size_t k) {
  Elf64_Shdr s;
  memcpy(&s, f->file + f->head.e_shoff + k * sizeof s, sizeof s);
  return s;
}

static const char *open_file(elf *f, const void *file, size_t n) {
  memset(f, 0, sizeof *f);
  f->file = file;
  f->n = n;
  if (n < sizeof f->head) return "the object is too short";
  memcpy(&f->head, file, sizeof f->head);
  const Elf64_Ehdr *h = &f->head;
  if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
      h->e_type != ET_REL || h->e_machine != EM_X86_64)
    return "not a relocatable object for x86-64";
  if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum > SECTIONS_MOST || !inside(f, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr)))
    return "the object's section table is damaged";
  for (size_t k = 0; k < h->e_shnum; k++) {
    Elf64_Shdr s = section(f, k);
    if (s.sh_type != SHT_NULL && s.sh_type != SHT_NOBITS && !inside(f, s.sh_offset, s.sh_size)) return "a section lies outside the object";
  }
  return NULL;
}

enum { SHT_UNWIND = 0x70000001 };

static bool is_loaded(const elf *f, const Elf64_Shdr *s) {
  if (!(s->sh_flags & SHF_ALLOC) || s->sh_type == SHT_UNWIND || s->sh_size == 0) return false;
  if (f->head.e_shstrndx >= f->head.e_shnum) return true;
  Elf64_Shdr names = section(f, f->head.e_shstrndx);
  static const char frame[] = ".eh_frame"; /* nothing unwinds through compiled code */
  return !(names.sh_type == SHT_STRTAB && s->sh_name < names.sh_size && names.sh_size - s->sh_name >= sizeof frame &&
           memcmp(f->file + names.sh_offset + s->sh_name, frame, sizeof frame) == 0);
}

static size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Code first, then constants from a page of their own. */
static const char *lay_out(elf *f, size_t *code, size_t *total) {
  size_t at = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t k = 0; k < f->head.e_shnum; k++) {
      Elf64_Shdr s = section(f, k);
      if (!is_loaded(f, &s) || (pass == 0) != ((s.sh_flags & SHF_EXECINSTR) != 0)) continue;
      if (s.sh_flags & SHF_WRITE) return "the object has data that can be written";
      if (s.sh_type != SHT_PROGBITS) return "the object has a section of an unknown kind";
      size_t align = s.sh_addralign ? s.sh_addralign : 1;
      if (align > PAGE || (align & (align - 1))) return "a section's alignment is out of range";
      at = round_up(at, align);
      f->at[k] = at + 1;
      if (s.sh_size > BYTES_MOST || (at += s.sh_size) > BYTES_MOST) return "the object is too large";
    }
    at = round_up(at, PAGE);
    if (pass == 0) *code = at;
  }
  *total = at;
  return NULL;
}

/* Symbol k of the table in section `table`: its place in memory. */
static bool symbol_at(const elf *f, size_t table, uint64_t k, Elf64_Sym *y, size_t *at) {
  if (table >= f->head.e_shnum) return false;
  Elf64_Shdr s = section(f, table);
  if (s.sh_type != SHT_SYMTAB || k >= s.sh_size / sizeof *y) return false;
  memcpy(y, f->file + s.sh_offset + k * sizeof *y, sizeof *y);
  if (y->st_shndx >= f->head.e_shnum || !f->at[y->st_shndx]) return false;
  Elf64_Shdr home = section(f, y->st_shndx);
  if (y->st_value > home.sh_size || y->st_size > home.sh_size - y->st_value) return false;
  *at = f->at[y->st_shndx] - 1 + y->st_value;
  return true;
}

static const char *relocate(const elf *f, char *base, const Elf64_Shdr *rel) {
  if (rel->sh_info >= f->head.e_shnum || !f->at[rel->sh_info]) return NULL; /* of a section that is not there */
  Elf64_Shdr target = section(f, rel->sh_info);
  for (size_t k = 0; k < rel->sh_size / sizeof(Elf64_Rela); k++) {
    Elf64_Rela r;
    memcpy(&r, f->file + rel->sh_offset + k * sizeof r, sizeof r);
    uint32_t type = ELF64_R_TYPE(r.r_info);
    size_t width = type == R_X86_64_64 ? 8 : 4, to;
    Elf64_Sym y;
    if (type != R_X86_64_64 && type != R_X86_64_PC32 && type != R_X86_64_PLT32) return "the object has a relocation of an unknown kind";
    if (!symbol_at(f, rel->sh_link, ELF64_R_SYM(r.r_info), &y, &to)) return "the object refers to something that it does not have";
    if (target.sh_size < width || r.r_offset > target.sh_size - width) return "a relocation lies outside its section";
    char *place = base + f->at[rel->sh_info] - 1 + r.r_offset;
    if (width == 8) {
      uint64_t v = (uint64_t)(uintptr_t)(base + to) + (uint64_t)r.r_addend;
      memcpy(place, &v, 8);
      continue;
    }
    int64_t v = (int64_t)((uint64_t)(uintptr_t)(base + to) + (uint64_t)r.r_addend - (uint64_t)(uintptr_t)place);
    if (v < INT32_MIN || v > INT32_MAX) return "a relocation is out of reach";
    int32_t v32 = (int32_t)v;
    memcpy(place, &v32, 4);
  }
  return NULL;
}

const char *cg_object_load(cg_object *o, const void *file, size_t n) {
  *o = (cg_object){NULL, 0};
  elf f;
  const char *why = open_file(&f, file, n);
  size_t code = 0, total = 0;
  if (!why) why = lay_out(&f, &code, &total);
  if (!why && total == 0) why = "the object is empty";
  if (why) return why;
  char *base = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return "no memory for compiled code";
  o->base = base;
  o->bytes = total;
  for (size_t k = 0; k < f.head.e_shnum; k++) {
    Elf64_Shdr s = section(&f, k);
    if (f.at[k]) memcpy(base + f.at[k] - 1, f.file + s.sh_offset, s.sh_size);
  }
  for (size_t k = 0; k < f.head.e_shnum && !why; k++) {
    Elf64_Shdr s = section(&f, k);
    if (s.sh_type == SHT_RELA) why = relocate(&f, base, &s);
    else if (s.sh_type == SHT_REL) why = "the object has a relocation of an unknown kind";
  }
  if (!why && ((code && mprotect(base, code, PROT_READ | PROT_EXEC)) || (total > code && mprotect(base + code, total - code, PROT_READ))))
    why = "the system does not let compiled code run";
  if (why) cg_object_free(o);
  return why;
}

void cg_object_free(cg_object *o) {
  if (o->base) munmap(o->base, o->bytes);
  *o = (cg_object){NULL, 0};
}

const void *cg_object_find(const cg_object *o, const void *file, size_t n, const char *name, size_t *size) {
  elf f;
  size_t code, total, length = strlen(name) + 1;
  if (open_file(&f, file, n) || lay_out(&f, &code, &total) || total != o->bytes) return NULL;
  for (size_t k = 0; k < f.head.e_shnum; k++) {
    Elf64_Shdr s = section(&f, k);
    if (s.sh_type != SHT_SYMTAB || s.sh_link >= f.head.e_shnum) continue;
    Elf64_Shdr names = section(&f, s.sh_link);
    if (names.sh_type != SHT_STRTAB) continue;
    for (uint64_t i = 0; i < s.sh_size / sizeof(Elf64_Sym); i++) {
      Elf64_Sym y;
      size_t at;
      if (!symbol_at(&f, k, i, &y, &at)) continue;
      if (y.st_name >= names.sh_size || names.sh_size - y.st_name < length) continue;
      if (memcmp(f.file + names.sh_offset + y.st_name, name, length) != 0) continue;
      *size = y.st_size;
      return o->base + at;
    }
  }
  return NULL;
}

void cg_object_place(const cg_object *o, void *file, size_t n) {
  elf f;
  size_t code, total;
  if (open_file(&f, file, n) || lay_out(&f, &code, &total) || total != o->bytes) return;
  for (size_t k = 0; k < f.head.e_shnum; k++) {
    Elf64_Shdr s = section(&f, k);
    if (!f.at[k]) continue;
    s.sh_addr = (Elf64_Addr)(uintptr_t)(o->base + f.at[k] - 1);
    memcpy((char *)file + f.head.e_shoff + k * sizeof s, &s, sizeof s);
  }
}
