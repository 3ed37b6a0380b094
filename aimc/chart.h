/* chart.h: small charts as SVG, part of a page of HTML.  Lines and areas take classes, whose colours the page's style sheet sets.
 *
 * Coordinates are the data's; what lies outside the frame is moved to its edge, and a value that is not finite breaks a line. */
#ifndef AIMC_CHART_H
#define AIMC_CHART_H

#include "lang/arena.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct chart {
  strbuf *b;
  double x0, x1, y0, y1;
  int width, height;
} chart;

/* Appends text with what HTML would take for markup written as entities; bytes that are not UTF-8, and controls, become U+FFFD. */
void html_put_text(strbuf *b, const char *s);

/* Opens a chart of that size in pixels with its axes; ranges that are empty are widened.  label: what it shows, for readers who do
 * not see it.  heights: the y axis has numbers. */
chart chart_open(strbuf *b, const char *label, int width, int height, const double x[2], const double y[2], bool heights);
/* A line through (x[i], y[i]); x NULL: 1, 2, ..., n. */
void chart_line(const chart *c, const char *class, const double *x, const double *y, size_t n);
/* Bars of one width from `left` on, as a stepped outline, closed to the axis where it is an area. */
void chart_steps(const chart *c, const char *class, double left, double width, const double *height, size_t n, bool area);
/* The area between two stepped outlines. */
void chart_band(const chart *c, const char *class, double left, double width, const double *low, const double *high, size_t n);
void chart_segment(const chart *c, const char *class, double x0, double y0, double x1, double y1);
void chart_dot(const chart *c, const char *class, double x, double y);
/* A mark on the x axis. */
void chart_tick(const chart *c, const char *class, double x);
void chart_close(const chart *c);

#endif
