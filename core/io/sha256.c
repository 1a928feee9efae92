/* sha256.c: SHA-256 as in FIPS 180-4, sections 4 to 6, a block of 64 bytes at a time. */
#include "io/sha256.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "io/file_int.h"

enum { BLOCK = 64, LENGTH_AT = 56, ROUNDS = 64, PART = 16384 };

typedef struct state {
  uint32_t h[8];
  uint64_t size;             /* bytes so far */
  unsigned char rest[BLOCK]; /* those that fill no block yet */
} state;

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static uint32_t load_word(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_word(uint32_t x, unsigned char *p) {
  for (int i = 0; i < 4; i++) p[i] = (unsigned char)(x >> (24 - 8 * i));
}

/* The message schedule of a block. */
static void expand(const unsigned char *block, uint32_t w[ROUNDS]) {
  for (int i = 0; i < 16; i++) w[i] = load_word(block + 4 * (size_t)i);
  for (int i = 16; i < ROUNDS; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    uint32_t s0 = rotate(a, 7) ^ rotate(a, 18) ^ a >> 3;
    uint32_t s1 = rotate(b, 17) ^ rotate(b, 19) ^ b >> 10;
    w[i] = s1 + w[i - 7] + s0 + w[i - 16];
  }
}

/* The eight words move up by one place a round; the compiler keeps them in registers. */
static void take_block(state *s, const unsigned char *block) {
  uint32_t w[ROUNDS], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3];
  uint32_t e = s->h[4], f = s->h[5], g = s->h[6], h = s->h[7];
  expand(block, w);
  for (int i = 0; i < ROUNDS; i++) {
    uint32_t sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    uint32_t sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    uint32_t t = h + sum1 + ((e & f) ^ (~e & g)) + K[i] + w[i];
    h = g, g = f, f = e, e = d + t;
    uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
    d = c, c = b, b = a, a = t + sum0 + majority;
  }
  const uint32_t v[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

/* The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
static state begin(void) {
  return (state){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                       0x1f83d9ab, 0x5be0cd19}};
}

static void take(state *s, const unsigned char *bytes, size_t n) {
  size_t held = s->size % BLOCK;
  s->size += n;
  if (held + n < BLOCK) {
    if (n > 0) memcpy(s->rest + held, bytes, n);
    return;
  }
  if (held > 0) {
    size_t missing = BLOCK - held;
    memcpy(s->rest + held, bytes, missing);
    take_block(s, s->rest);
    bytes += missing;
    n -= missing;
  }
  for (; n >= BLOCK; bytes += BLOCK, n -= BLOCK) take_block(s, bytes);
  if (n > 0) memcpy(s->rest, bytes, n);
}

/* Pads with a bit, zeros and the length in bits. */
static void finish(state *s, char text[SW_SHA256_TEXT]) {
  static const unsigned char padding[BLOCK] = {0x80};
  uint64_t bits = s->size * 8;
  size_t held = s->size % BLOCK;
  unsigned char length[8], digest[32];
  take(s, padding, (held < LENGTH_AT ? LENGTH_AT : BLOCK + LENGTH_AT) - held);
  store_word((uint32_t)(bits >> 32), length);
  store_word((uint32_t)bits, length + 4);
  take(s, length, sizeof length);
  for (size_t i = 0; i < 8; i++) store_word(s->h[i], digest + 4 * i);
  for (size_t i = 0; i < sizeof digest; i++) {
    text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
    text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
  }
  text[SW_SHA256_TEXT - 1] = '\0';
}

void sw_sha256(const void *bytes, size_t size, char text[SW_SHA256_TEXT]) {
  state s = begin();
  take(&s, bytes, size);
  finish(&s, text);
}

sw_status sw_sha256_file(sw_context *ctx, const char *path, char text[SW_SHA256_TEXT]) {
  unsigned char part[PART];
  int fd = -1;
  int64_t size = 0, offset = 0, got = PART;
  sw_status st = swi_file_open(ctx, path, &fd, &size);
  if (st != SW_OK) return st;
  state s = begin();
  while (st == SW_OK && got == PART) {
    st = swi_file_read(ctx, path, fd, offset, part, PART, &got);
    if (st == SW_OK) take(&s, part, (size_t)got);
    offset += got;
  }
  (void)close(fd);
  if (st == SW_OK) finish(&s, text);
  return st;
}
