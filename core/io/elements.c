/* elements.c: one table of element types; conversion block by block. */
#include "io/elements_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 8192 }; /* bytes converted at a time */

/* In the order of swi_element. */
static const struct {
  const char *name;
  int bytes;
  sw_dtype dtype;
  int ours;
} types[] = {{"float16", 2, SW_F32, 0}, {"bfloat16", 2, SW_F32, 0}, {"float32", 4, SW_F32, 1},
             {"float64", 8, SW_F64, 1}, {"bool", 1, SW_U8, 0},      {"int8", 1, SW_I32, 0},
             {"uint8", 1, SW_U8, 1},    {"int16", 2, SW_I32, 0},    {"uint16", 2, SW_I32, 0},
             {"int32", 4, SW_I32, 1},   {"uint32", 4, SW_I32, 0},   {"int64", 8, SW_I32, 0},
             {"uint64", 8, SW_I32, 0}};

int swi_element_bytes(swi_element type) { return types[type].bytes; }
sw_dtype swi_element_dtype(swi_element type) { return types[type].dtype; }
int swi_element_is_ours(swi_element type) { return types[type].ours; }

static uint64_t element_at(const unsigned char *from, int bytes, int big_endian) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) {
    int shift = 8 * (big_endian ? bytes - 1 - i : i);
    v |= (uint64_t)from[i] << shift;
  }
  return v;
}

/* The bits of the float32 that equals a half: 1 sign, 5 exponent, 10 mantissa. */
static uint32_t half_bits(uint32_t h) {
  uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 31) return sign | 0x7f800000 | mantissa << 13;
  if (exponent > 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  float v = (float)mantissa * 0x1p-24f; /* a denormal half is a normal float32, or 0 */
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return sign | bits;
}

static int64_t sign_extended(uint64_t v, int bytes) {
  int shift = 64 - 8 * bytes;
  return (int64_t)(v << shift) >> shift;
}

/* 0 if v does not fit. text: of v, for a message. */
static int to_int32(swi_element type, uint64_t v, int32_t *out, char text[24]) {
  int is_signed = type == SWI_E_I8 || type == SWI_E_I16 || type == SWI_E_I32 || type == SWI_E_I64;
  int64_t s = sign_extended(v, types[type].bytes);
  int fits = is_signed ? s >= INT32_MIN && s <= INT32_MAX : v <= INT32_MAX;
  *out = fits ? (int32_t)(is_signed ? s : (int64_t)v) : 0;
  if (!fits && is_signed) (void)snprintf(text, 24, "%" PRId64, s);
  if (!fits && !is_signed) (void)snprintf(text, 24, "%" PRIu64, v);
  return fits;
}

static void put(void *to, int64_t i, uint64_t bits, int bytes) {
  memcpy((char *)to + i * bytes, &bits, (size_t)bytes);
}

/* Returns the first element, from 0, that does not fit, or n. */
static int64_t convert(swi_element type, int big_endian, const unsigned char *from, int64_t n,
                       void *to, char text[24]) {
  int bytes = types[type].bytes;
  for (int64_t i = 0; i < n; i++) {
    uint64_t v = element_at(from + i * bytes, bytes, big_endian);
    int32_t integer;
    switch (type) {
    case SWI_E_F16: put(to, i, half_bits((uint32_t)v), 4); break;
    case SWI_E_BF16: put(to, i, v << 16, 4); break;
    case SWI_E_BOOL: put(to, i, v != 0, 1); break;
    case SWI_E_F32:
    case SWI_E_F64:
    case SWI_E_U8: put(to, i, v, bytes); break;
    default:
      if (!to_int32(type, v, &integer, text)) return i;
      put(to, i, (uint32_t)integer, 4);
    }
  }
  return n;
}

sw_status swi_elements_read(sw_context *ctx, const char *where, swi_element type, int big_endian,
                            int64_t n, swi_fetch fetch, const void *arg, void *to) {
  unsigned char block[BLOCK];
  char text[24];
  int64_t bytes = types[type].bytes, most = BLOCK / bytes;
  int ours = sw_dtype_bytes(types[type].dtype);
  if (types[type].ours && (!big_endian || bytes == 1)) return fetch(arg, 0, n * bytes, to);
  for (int64_t first = 0; first < n; first += most) {
    int64_t count = n - first < most ? n - first : most;
    SW_TRY(fetch(arg, first * bytes, count * bytes, block));
    int64_t place = convert(type, big_endian, block, count, (char *)to + first * ours, text);
    if (place < count) {
      return sw_fail(ctx, SW_EUNSUPPORTED, "%s: %s is read as int32, but element %" PRId64 " is %s",
                     where, types[type].name, first + place + 1, text);
    }
  }
  return SW_OK;
}
