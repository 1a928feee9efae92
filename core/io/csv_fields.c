/* csv_fields.c: from bytes to lines, fields and numbers. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/csv_int.h"

int swi_csv_line(const char **at, const char *end, const char **line, int64_t *n) {
  if (*at == end) return 0;
  const char *stop = *at;
  while (stop < end && *stop != '\n' && *stop != '\r') stop++;
  *line = *at;
  *n = stop - *at;
  *at = stop + (stop < end);
  if (stop < end && *stop == '\r' && *at < end && **at == '\n') ++*at;
  return 1;
}

static int is_blank(char c, char separator) { return (c == ' ' || c == '\t') && c != separator; }

/* Begins behind the opening quote. Returns where the closing one is, or NULL. */
static const char *closing_quote(const char *at, const char *end) {
  while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
    if (at + 1 == end || at[1] != '"') return at;
    at += 2;
  }
  return NULL;
}

static int quoted_field(const char **at, const char *end, char separator, swi_field *out) {
  const char *close = closing_quote(*at + 1, end);
  if (close == NULL) return -1;
  *out = (swi_field){*at + 1, close - *at - 1, 1};
  const char *next = close + 1;
  while (next < end && is_blank(*next, separator)) next++;
  if (next < end && *next != separator) return -1;
  *at = next < end ? next + 1 : NULL;
  return 1;
}

int swi_csv_field(const char **at, const char *end, char separator, swi_field *out) {
  while (*at < end && is_blank(**at, separator)) ++*at;
  if (*at < end && **at == '"') return quoted_field(at, end, separator, out);
  const char *stop = memchr(*at, separator, (size_t)(end - *at)), *last = stop != NULL ? stop : end;
  while (last > *at && is_blank(last[-1], separator)) last--;
  *out = (swi_field){*at, last - *at, 0};
  *at = stop != NULL ? stop + 1 : NULL;
  return 1;
}

swi_field swi_csv_trimmed(const swi_field *f) {
  swi_field t = *f;
  while (t.n > 0 && is_blank(*t.text, '\0')) {
    t.text++;
    t.n--;
  }
  while (t.n > 0 && is_blank(t.text[t.n - 1], '\0')) t.n--;
  return t;
}

/* ---- numbers */

enum { LONGEST = 400, MANY = 100000 };

/* A decimal number as digits * 10^exponent; digits hold the first 19. */
typedef struct decimal {
  uint64_t digits;
  int64_t kept, exponent;
} decimal;

static const char *read_digits(const char *at, const char *end, int fraction, decimal *d,
                               int *seen) {
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    *seen = 1;
    if (d->kept < 19) {
      d->digits = 10 * d->digits + (uint64_t)(*at - '0');
      d->kept += d->digits != 0;
      d->exponent -= fraction;
    } else {
      d->kept++;
      d->exponent += !fraction;
    }
  }
  return at;
}

/* The exponent behind the digits: "e-12". NULL if there is an e without a number. */
static const char *read_exponent(const char *at, const char *end, decimal *d) {
  if (at == end || (*at != 'e' && *at != 'E')) return at;
  at++;
  int minus = at < end && *at == '-', seen = 0;
  int64_t n = 0;
  if (at < end && (*at == '-' || *at == '+')) at++;
  for (; at < end && *at >= '0' && *at <= '9'; at++) {
    seen = 1;
    if (n < MANY) n = 10 * n + (*at - '0');
  }
  d->exponent += minus ? -n : n;
  return seen ? at : NULL;
}

/* Numbers that the fast path cannot convert exactly. The C locale is a constant of the library. */
static double convert(const char *text, int64_t n) {
  char copy[LONGEST + 1];
  memcpy(copy, text, (size_t)n);
  copy[n] = '\0';
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0) return strtod(copy, NULL);
  double v = strtod_l(copy, NULL, c);
  freelocale(c);
  return v;
}

/* Up to 2^53 and 10^22 are exact in double, so one product or quotient is the nearest double
 * (Clinger 1990). */
static int fast_value(const decimal *d, double *out) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (d->kept > 19 || d->digits > (uint64_t)1 << 53 || d->exponent < -22 || d->exponent > 22) {
    return 0;
  }
  double digits = (double)d->digits;
  *out = d->exponent < 0 ? digits / ten[-d->exponent] : digits * ten[d->exponent];
  return 1;
}

static int is_word(const char *at, const char *end, const char *word) {
  size_t n = strlen(word);
  return (size_t)(end - at) == n && strncasecmp(at, word, n) == 0;
}

static int special(const char *at, const char *end, int minus, double *out) {
  if (is_word(at, end, "nan")) {
    *out = (double)NAN;
  } else if (is_word(at, end, "inf") || is_word(at, end, "infinity")) {
    *out = minus ? -(double)INFINITY : (double)INFINITY;
  } else {
    return 0;
  }
  return 1;
}

int swi_csv_number(const char *text, int64_t n, double *out) {
  const char *at = text, *end = text + n;
  decimal d = {0};
  int minus = n > 0 && *at == '-', seen = 0;
  if (n == 0) return 0;
  if (*at == '-' || *at == '+') at++;
  if (special(at, end, minus, out)) return 1;
  at = read_digits(at, end, 0, &d, &seen);
  if (at < end && *at == '.') at = read_digits(at + 1, end, 1, &d, &seen);
  if (!seen || n > LONGEST || read_exponent(at, end, &d) != end) return 0;
  if (fast_value(&d, out)) {
    if (minus) *out = -*out;
    return 1;
  }
  *out = convert(text, n);
  return isinf(*out) ? -1 : 1;
}

int swi_csv_is_missing(const char *text, int64_t n) {
  return n == 0 || is_word(text, text + n, "NA") || is_word(text, text + n, "N/A") ||
         is_word(text, text + n, "null");
}

/* Digits with separators between them that other programs accept. */
static int has_separators(const char *text, int64_t n) {
  static const char signs[] = {'+', '-', '.', ',', '\'', '_', ' '};
  int digits = 0, others = 0;
  for (int64_t i = 0; i < n; i++) {
    int is_digit = text[i] >= '0' && text[i] <= '9';
    digits += is_digit;
    others += text[i] == ',' || text[i] == '\'' || text[i] == '_' || text[i] == ' ';
    if (!is_digit && memchr(signs, text[i], sizeof signs) == NULL) return 0;
  }
  return digits > 0 && others > 0;
}

const char *swi_csv_number_hint(const char *text, int64_t n) {
  if (has_separators(text, n)) return "; numbers have a decimal point, and no thousands separators";
  int sign = n > 0 && (*text == '-' || *text == '+');
  if (n - sign > 2 && text[sign] == '0' && (text[sign + 1] | 32) == 'x') {
    return "; numbers are decimal";
  }
  return "";
}
