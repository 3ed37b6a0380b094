/* chart.c: small charts as SVG. */
#include "aimc/chart.h"

#include "lang/source.h"

#include <math.h>
#include <string.h>

enum { LEFT = 46, RIGHT = 12, TOP = 6, BOTTOM = 18 };

void html_put_text(strbuf *b, const char *s) {
  for (size_t n = strlen(s); n;) {
    uint32_t cp;
    int k = utf8_decode(s, n, &cp);
    if (k == 0 || (cp < 0x20 && cp != '\n' && cp != '\t') || (cp >= 0x7f && cp < 0xa0) || (cp & 0xfffe) == 0xfffe) strbuf_puts(b, "\xef\xbf\xbd");
    else if (cp == '&') strbuf_puts(b, "&amp;");
    else if (cp == '<') strbuf_puts(b, "&lt;");
    else if (cp == '>') strbuf_puts(b, "&gt;");
    else if (cp == '"') strbuf_puts(b, "&quot;");
    else strbuf_put(b, s, (size_t)k);
    s += k ? k : 1;
    n -= (size_t)(k ? k : 1);
  }
}

static double place(double v, double v0, double v1, double from, double to) {
  double part = (v - v0) / (v1 - v0);
  return from + (to - from) * (part < 0 ? 0 : part > 1 ? 1 : part);
}

static double at_x(const chart *c, double x) { return place(x, c->x0, c->x1, LEFT, c->width - RIGHT); }
static double at_y(const chart *c, double y) { return place(y, c->y0, c->y1, c->height - BOTTOM, TOP); }

/* The distance between numbers on an axis: 1, 2 or 5 times a power of ten, at most `most` of them. */
static double spacing(double range, int most) {
  double unit = pow(10, floor(log10(range / most)));
  const double step[] = {1, 2, 5, 10};
  for (int k = 0; k < 3; k++)
    if (range / (unit * step[k]) <= most) return unit * step[k];
  return unit * step[3];
}

static void axis(const chart *c, double v0, double v1, int most, bool horizontal) {
  double d = spacing(v1 - v0, most), first = ceil(v0 / d);
  for (int k = 0; (first + k) * d <= v1 && k <= 2 * most; k++) {
    double v = (first + k) * d;
    if (horizontal) strbuf_printf(c->b, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.5g</text>", at_x(c, v), c->height - 4, v);
    else strbuf_printf(c->b, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.5g</text>", LEFT - 4, at_y(c, v) + 3, v);
  }
}

/* A range that can be divided by. */
static void widen(double *low, double *high) {
  if (!(*high - *low > 1e-12 * (fabs(*low) + fabs(*high)))) {
    double margin = *low == 0 ? 1 : fabs(*low) * 0.5;
    *high = *low + margin;
    *low -= margin;
  }
}

chart chart_open(strbuf *b, const char *label, int width, int height, const double x[2], const double y[2], bool heights) {
  chart c = {b, x[0], x[1], y[0], y[1], width, height};
  widen(&c.x0, &c.x1);
  widen(&c.y0, &c.y1);
  strbuf_printf(b, "<svg role=\"img\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" aria-label=\"", width, height, width, height);
  html_put_text(b, label);
  strbuf_printf(b, "\"><path class=\"frame\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, height - BOTTOM, width - RIGHT);
  axis(&c, c.x0, c.x1, width / 60, true);
  if (heights) axis(&c, c.y0, c.y1, height / 30, false);
  return c;
}

void chart_close(const chart *c) { strbuf_puts(c->b, "</svg>\n"); }

void chart_line(const chart *c, const char *class, const double *x, const double *y, size_t n) {
  strbuf_printf(c->b, "<path class=\"%s\" d=\"", class);
  bool pen = false;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(y[i])) {
      pen = false;
      continue;
    }
    strbuf_printf(c->b, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(c, x ? x[i] : (double)(i + 1)), at_y(c, y[i]));
    pen = true;
  }
  strbuf_puts(c->b, "\"/>");
}

void chart_steps(const chart *c, const char *class, double left, double width, const double *height, size_t n, bool area) {
  strbuf_printf(c->b, "<path class=\"%s\" d=\"M%.1f %.1f", class, at_x(c, left), at_y(c, area ? 0 : height[0]));
  for (size_t i = 0; i < n; i++) strbuf_printf(c->b, "V%.1fH%.1f", at_y(c, height[i]), at_x(c, left + width * (double)(i + 1)));
  if (area) strbuf_printf(c->b, "V%.1fZ", at_y(c, 0));
  strbuf_puts(c->b, "\"/>");
}

void chart_band(const chart *c, const char *class, double left, double width, const double *low, const double *high, size_t n) {
  strbuf_printf(c->b, "<path class=\"%s\" d=\"M%.1f %.1f", class, at_x(c, left), at_y(c, low[0]));
  for (size_t i = 0; i < n; i++) strbuf_printf(c->b, "V%.1fH%.1f", at_y(c, high[i]), at_x(c, left + width * (double)(i + 1)));
  for (size_t i = n; i-- > 0;) strbuf_printf(c->b, "V%.1fH%.1f", at_y(c, low[i]), at_x(c, left + width * (double)i));
  strbuf_puts(c->b, "Z\"/>");
}

void chart_segment(const chart *c, const char *class, double x0, double y0, double x1, double y1) {
  strbuf_printf(c->b, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", class, at_x(c, x0), at_y(c, y0), at_x(c, x1), at_y(c, y1));
}

void chart_dot(const chart *c, const char *class, double x, double y) {
  strbuf_printf(c->b, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.2\"/>", class, at_x(c, x), at_y(c, y));
}

void chart_tick(const chart *c, const char *class, double x) {
  strbuf_printf(c->b, "<path class=\"%s\" d=\"M%.1f %dv6\"/>", class, at_x(c, x), c->height - BOTTOM);
}
