/* data_number.c: forms and values of numerals (data_number.h). */
#include "compiler/data_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool digit(char c) { return c >= '0' && c <= '9'; }

number_form data_number_form(const char *s, size_t n, char point) {
  const char *end = s + n;
  if (s < end && (*s == '-' || *s == '+')) s++;
  size_t digits = 0;
  number_form form = NUMBER_INT;
  for (; s < end && digit(*s); s++) digits++;
  if (s < end && *s == point) {
    form = NUMBER_REAL;
    for (s++; s < end && digit(*s); s++) digits++;
  }
  if (digits == 0) return NUMBER_NONE;
  if (s < end && (*s == 'e' || *s == 'E')) {
    form = NUMBER_REAL;
    s++;
    if (s < end && (*s == '-' || *s == '+')) s++;
    if (s == end || !digit(*s)) return NUMBER_NONE;
    while (s < end && digit(*s)) s++;
  }
  return s == end ? form : NUMBER_NONE;
}

bool data_number_special(const char *s, size_t n, double *out) {
  static const struct { const char *word; double value; } words[] = {
    {"NaN", NAN}, {"nan", NAN}, {"Inf", INFINITY}, {"inf", INFINITY}, {"+Inf", INFINITY}, {"+inf", INFINITY},
    {"-Inf", -INFINITY}, {"-inf", -INFINITY}, {"Infinity", INFINITY}, {"+Infinity", INFINITY}, {"-Infinity", -INFINITY}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (n == strlen(words[i].word) && memcmp(s, words[i].word, n) == 0) {
      *out = words[i].value;
      return true;
    }
  return false;
}

bool data_number_int(const char *s, size_t n, int64_t *out) {
  bool negative = *s == '-';
  size_t i = *s == '-' || *s == '+';
  uint64_t m = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
  for (; i < n; i++) {
    uint64_t d = (uint64_t)(s[i] - '0');
    if (m > (most - d) / 10) return false;
    m = 10 * m + d;
  }
  *out = negative ? (int64_t)(0 - m) : (int64_t)m;
  return true;
}

/* strtod reads a decimal point only as the locale has it; so the numeral goes in without one, its exponent adjusted. */
static bool by_strtod(const char *s, size_t n, arena *scratch, double *out) {
  enum { EXPONENT = 24 };
  char small[96], *to = n + EXPONENT < sizeof small ? small : arena_alloc(scratch, n + EXPONENT, 1);
  size_t i = 0, at = 0;
  long fraction = 0, exponent = 0;
  bool point = false;
  for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
    if (s[i] == '.') {
      point = true;
    } else {
      to[at++] = s[i];
      fraction += point;
    }
  }
  if (i < n) {
    bool minus = s[i + 1] == '-';
    for (i++; i < n; i++)
      if (digit(s[i]) && exponent < 100000000) exponent = 10 * exponent + (s[i] - '0');
    if (minus) exponent = -exponent;
  }
  snprintf(to + at, EXPONENT, "e%ld", exponent - fraction);
  *out = strtod(to, NULL);
  return isfinite(*out);
}

/* Numbers of at most 15 digits with a small exponent are exact by one operation on exact doubles (Clinger 1990). */
bool data_number_real(const char *s, size_t n, arena *scratch, double *out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  bool negative = *s == '-', point = false;
  uint64_t m = 0;
  int used = 0, scale = 0;
  size_t i = *s == '-' || *s == '+';
  for (; i < n && (digit(s[i]) || s[i] == '.'); i++) {
    if (s[i] == '.') point = true;
    else {
      m = 10 * m + (uint64_t)(s[i] - '0');
      if (++used > 18) break;
      scale -= point;
    }
  }
  if (i == n && m < (uint64_t)1 << 53 && scale >= -22) {
    double d = (double)m / powers[-scale];
    *out = negative ? -d : d;
    return true;
  }
  return by_strtod(s, n, scratch, out);
}
