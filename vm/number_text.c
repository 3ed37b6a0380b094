/* number_text.c: shortest decimals.  snprintf is correctly rounded but writes the locale's decimal point, so its e notation
 * is taken apart into digits and exponent, and put together here. */
#include "vm/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A finite x as 0.d1 d2 ... dn * 10^exponent with at most `digits` digits, trailing zeros dropped. */
typedef struct decimal {
  char digit[24];
  int n, exponent;
  bool negative;
} decimal;

/* True when the decimal reads back as x. */
static bool decimal_of(decimal *d, double x, int digits) {
  char text[64];
  snprintf(text, sizeof text, "%.*e", digits - 1, x);
  const char *p = text;
  d->negative = *p == '-';
  d->n = 0;
  for (; *p != 'e'; p++)
    if (*p >= '0' && *p <= '9') d->digit[d->n++] = *p;
  bool minus = p[1] == '-';
  int e = 0;
  for (p += 2; *p; p++) e = 10 * e + (*p - '0');
  d->exponent = (minus ? -e : e) + 1;
  while (d->n > 1 && d->digit[d->n - 1] == '0') d->n--;
  return strtod(text, NULL) == x; /* in the locale it was printed in */
}

static size_t put(char *out, const decimal *d) {
  char *o = out;
  if (d->negative) *o++ = '-';
  int e = d->exponent;
  if (e > 17 || e < -4) {
    *o++ = d->digit[0];
    if (d->n > 1) {
      *o++ = '.';
      memcpy(o, d->digit + 1, (size_t)d->n - 1);
      o += d->n - 1;
    }
    return (size_t)(o - out) + (size_t)sprintf(o, "e%c%02d", e - 1 < 0 ? '-' : '+', abs(e - 1));
  }
  if (e <= 0) {
    *o++ = '0';
    *o++ = '.';
    for (int i = 0; i < -e; i++) *o++ = '0';
  }
  for (int i = 0; i < d->n || i < e; i++) {
    if (i == e && i > 0) *o++ = '.';
    *o++ = i < d->n ? d->digit[i] : '0';
  }
  *o = '\0';
  return (size_t)(o - out);
}

static size_t not_finite(char *out, double x) {
  strcpy(out, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
  return strlen(out);
}

static size_t put_int(char *out, int64_t n) {
  char reversed[24];
  size_t k = 0, length = 0;
  uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
  do reversed[k++] = (char)('0' + u % 10);
  while (u /= 10);
  if (n < 0) out[length++] = '-';
  while (k) out[length++] = reversed[--k];
  out[length] = '\0';
  return length;
}

/* The same for most numbers that draws hold, from 1e-6 to 1e17, without the C library: about eight times as fast.
 *
 * With k such that y = |x| 10^k has 17 digits before its point, and 10^k exact (k <= 22), y is p + err without error, p
 * being the rounded product (an integer here, as p > 2^53) and err what fma finds it lacks.  A decimal of 17, 16 or 15 digits
 * is y rounded to a multiple of 1, 10 or 100; it reads back as x when it is nearer to y than half the gap between doubles.
 * Distances too close to a tie to be told apart, and powers of two, whose gaps differ on the two sides, go the slow way. */
static bool decimal_fast(decimal *d, double x) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  double a = fabs(x);
  uint64_t bits;
  memcpy(&bits, &a, sizeof bits);
  if (a < 1e-6 || a >= 1e17 || (bits << 12) == 0) return false;
  int exponent = (int)(bits >> 52) - 1023;
  int k = 16 - (exponent * 30103 - (exponent < 0 ? 99999 : 0)) / 100000; /* 16 - floor(log10 2^exponent): right, or one too large */
  if (k > 22) k = 22;
  if (k > 0 && a * powers[k] >= 1e17) k--;
  double p = a * powers[k], err = __builtin_fma(a, powers[k], -p);
  if (p < 1e16 || p >= 1e17) return false;
  double half = ldexp(powers[k], exponent - 53);
  int64_t n = (int64_t)p, best = 0;
  int digits = 0;
  static const int64_t scales[] = {10, 100, 1}; /* 16 digits first; 15 if those were enough, else 17 */
  for (int i = 0; i < 3; i++) {
    double scale = (double)scales[i], rest = (double)(n % scales[i]) + err, t = nearbyint(rest / scale), off = fabs(rest - t * scale);
    if (fabs(off - 0.5 * scale) < 1e-6 || fabs(off - half) < 1e-6) return false;
    bool enough = off < half;
    if (enough || scales[i] == 1) {
      best = n / scales[i] + (int64_t)t;
      digits = 16 - (scales[i] == 100) + (scales[i] == 1);
    }
    if (i == 0 && !enough) i++; /* on to 17 */
    else if (i == 1) break;
  }
  d->negative = x < 0;
  d->exponent = 17 - k;
  d->n = digits;
  for (int i = digits - 1; i >= 0; i--, best /= 10) d->digit[i] = (char)('0' + best % 10);
  if (best != 0) return false; /* rounded up to one digit more */
  while (d->n > 1 && d->digit[d->n - 1] == '0') d->n--;
  return d->digit[0] != '0';
}

size_t number_text(char out[NUMBER_TEXT_SIZE], double x) {
  if (!isfinite(x)) return not_finite(out, x);
  if (fabs(x) < 1e15 && x == (double)(int64_t)x && !(x == 0 && signbit(x))) return put_int(out, (int64_t)x);
  decimal d, shorter;
  if (decimal_fast(&d, x)) return put(out, &d);
  /* Nearly every draw needs 16 or 17 digits, so 15 is only tried when 16 were enough. */
  if (!decimal_of(&d, x, 16)) decimal_of(&d, x, 17);
  else if (decimal_of(&shorter, x, 15)) d = shorter;
  return put(out, &d);
}

size_t number_text_fixed(char out[NUMBER_TEXT_SIZE], double x, int decimals) {
  if (!isfinite(x)) return not_finite(out, x);
  if (decimals < 0) decimals = 0;
  if (decimals > 15) decimals = 15;
  char text[64];
  bool large = fabs(x) >= 1e12; /* 13 digits, a point, 15 decimals and a sign fit */
  snprintf(text, sizeof text, large ? "%.*e" : "%.*f", large ? 3 : decimals, x);
  /* Whatever stands for the decimal point (it may have several bytes) becomes one point. */
  size_t n = 0;
  bool nonzero = false;
  for (const char *p = text; *p; p++) {
    bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
    nonzero |= *p >= '1' && *p <= '9';
    if (plain) out[n++] = *p;
    else if (out[n - 1] != '.') out[n++] = '.';
  }
  out[n] = '\0';
  if (!nonzero && out[0] == '-') memmove(out, out + 1, n--); /* -0.00 says nothing */
  return n;
}
