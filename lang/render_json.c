/* render_json.c: diagnostics for programs: editors, and tests of people who build on AIM. */
#include "lang/json_text.h"
#include "lang/render.h"

static const char *const severity_text[] = {"error", "warning", "note", "help"};

static void put_member(strbuf *out, const char *key, const char *text) {
  strbuf_printf(out, ",\"%s\":", key);
  if (text) json_put_text(out, text);
  else strbuf_puts(out, "null");
}

/* A place as members of the object that is open; none for a span without a file. */
static void put_place(strbuf *out, source_map *m, span at) {
  const source_file *f = source_get(m, at.file);
  if (!f) return;
  uint32_t off = at.off > f->len ? f->len : at.off, len = at.len > f->len - off ? f->len - off : at.len;
  source_place from = source_locate(m, at.file, off), to = source_locate(m, at.file, off + len);
  put_member(out, "file", f->name);
  strbuf_printf(out, ",\"line\":%u,\"column\":%u,\"end_line\":%u,\"end_column\":%u,\"offset\":%u,\"length\":%u", from.line, from.column, to.line, to.column,
                off, len);
}

static void put_remarks(strbuf *out, const diag *d, const char *key, diag_severity kind) {
  strbuf_printf(out, ",\"%s\":[", key);
  bool first = true;
  for (size_t i = 0; i < d->nremarks; i++) {
    if (d->remarks[i].kind != kind) continue;
    if (!first) strbuf_putc(out, ',');
    json_put_text(out, d->remarks[i].text);
    first = false;
  }
  strbuf_putc(out, ']');
}

void render_json(strbuf *out, source_map *m, const diag *d) {
  strbuf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\"", severity_text[d->severity], d->code);
  put_member(out, "message", d->message);
  put_place(out, m, d->at);
  put_member(out, "label", d->label);
  strbuf_puts(out, ",\"related\":[");
  for (size_t i = 0; i < d->nlabels; i++) {
    strbuf_puts(out, i ? ",{\"label\":" : "{\"label\":");
    json_put_text(out, d->labels[i].text ? d->labels[i].text : "");
    put_place(out, m, d->labels[i].at);
    strbuf_putc(out, '}');
  }
  strbuf_putc(out, ']');
  put_remarks(out, d, "notes", DIAG_NOTE);
  put_remarks(out, d, "help", DIAG_HELP);
  strbuf_puts(out, "}\n");
}

void render_json_list(strbuf *out, source_map *m, const diag_list *list) {
  for (size_t i = 0; i < list->n; i++) render_json(out, m, list->items[i]);
  if (list->dropped) strbuf_printf(out, "{\"severity\":\"note\",\"code\":\"\",\"message\":\"and %zu more\"}\n", list->dropped);
}
