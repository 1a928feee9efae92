/* metrics_number.c: decimal numbers to the nearest double, faster than strtod.
 *
 * Digits are a whole number w < 10^19, the value is w * 10^e. For w up to 2^53 and |e| up to 22
 * both powers are exact in double, so one product or quotient is the nearest double (Clinger 1990).
 * For e from -27 on, w / 5^-e is divided in 128 bits: a quotient of 63 bits and whether there is a
 * remainder decide the rounding. All else is left to the caller.
 */
#include <string.h>

#include "io/metrics_int.h"

__extension__ typedef unsigned __int128 wide;

enum { MOST_DIGITS = 19, EXACT_TEN = 22, MOST_FIVES = 27, MANTISSA = 52, BIAS = 1023 };

static int clz64(uint64_t x) { return __builtin_clzll(x); } /* x > 0 */

/* w / 10^k for w > 0 and k <= 27. */
static double divide(uint64_t w, int k) {
  uint64_t five = 1;
  for (int i = 0; i < k; i++) five *= 5;
  int w_shift = clz64(w), five_shift = clz64(five);
  uint64_t divisor = five << five_shift;
  wide dividend = (wide)(w << w_shift) << 63;
  uint64_t q = (uint64_t)(dividend / divisor); /* from 2^62 to below 2^64 */
  int rest = (wide)q * divisor != dividend;
  int drop = q >> 63 ? 11 : 10;
  uint64_t half = (uint64_t)1 << (drop - 1), low = q & (2 * half - 1), m = q >> drop;
  m += low > half || (low == half && (rest || (m & 1)));
  /* m * 2^exponent; a carry to 2^53 goes into the exponent by itself */
  int exponent = drop - 63 + five_shift - w_shift - k;
  uint64_t bits =
      ((uint64_t)(exponent + MANTISSA + BIAS) << MANTISSA) + (m - ((uint64_t)1 << MANTISSA));
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Returns 0 where it cannot be done exactly here. */
static int convert(uint64_t w, int64_t e, double *value) {
  static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (w == 0) {
    *value = 0;
  } else if (e == 0 && w <= INT64_MAX) {
    *value = (double)w;
  } else if (w <= (uint64_t)1 << 53 && e >= -EXACT_TEN && e <= EXACT_TEN) {
    *value = e < 0 ? (double)w / ten[-e] : (double)w * ten[e];
  } else if (e < 0 && e >= -MOST_FIVES) {
    *value = divide(w, (int)-e);
  } else {
    return 0;
  }
  return 1;
}

static const char *read_digits(const char *at, const char *end, uint64_t *w) {
  uint64_t x = *w;
  for (; at < end && (unsigned char)(*at - '0') < 10; at++) x = 10 * x + (uint64_t)(*at - '0');
  *w = x;
  return at;
}

/* Zeros in front do not count. */
static int too_long(const char *first, const char *last) {
  int64_t digits = 0;
  for (; first < last; first++) digits += *first != '.' && (digits > 0 || *first != '0');
  return digits > MOST_DIGITS;
}

/* "e-12" */
static const char *read_exponent(const char *at, const char *end, int64_t *e) {
  int minus = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) at++;
  uint64_t n = 0;
  const char *stop = read_digits(at, end, &n);
  if (stop == at || stop - at > 4) return NULL;
  *e += minus ? -(int64_t)n : (int64_t)n;
  return stop;
}

const char *swi_json_number(const char *at, const char *end, double *value, int *whole) {
  int minus = at < end && *at == '-';
  const char *first = at + minus;
  uint64_t w = 0;
  int64_t e = 0;
  at = read_digits(first, end, &w);
  if (at == first || (*first == '0' && at > first + 1)) return NULL;
  *whole = 1;
  const char *last = at;
  if (at < end && *at == '.') {
    last = read_digits(at + 1, end, &w);
    if (last == at + 1) return NULL;
    e = at + 1 - last;
    at = last;
    *whole = 0;
  }
  if (last - first > MOST_DIGITS && too_long(first, last)) return NULL;
  if (at < end && (*at == 'e' || *at == 'E')) {
    *whole = 0;
    at = read_exponent(at + 1, end, &e);
    if (at == NULL) return NULL;
  }
  if (!convert(w, e, value)) return NULL;
  if (minus && !(w == 0 && *whole)) *value = -*value; /* the whole number -0 is 0 */
  *whole = *whole && w <= (uint64_t)1 << 53;
  return at;
}
