/* random.c: random numbers by Philox: streams, distributions, permutations. */
#include <math.h>

#include "base/random.h"

/* Philox 4x32: two 32x32 -> 64 bit products a round; the key grows by Weyl constants. */
static const uint32_t multiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
static const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};

void sw_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)multiplier[0] * c0, p1 = (uint64_t)multiplier[1] * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    k0 += weyl[0];
    k1 += weyl[1];
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/* A bijection in which every bit of the input reaches every bit of the output (splitmix64's). */
static uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

uint64_t sw_stream(const char *name, uint64_t n) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char *p = name; *p; p++) hash = (hash ^ (unsigned char)*p) * 0x100000001B3u;
  return mix(mix(hash) + n);
}

void sw_random_init(sw_random *r, uint64_t seed, uint64_t stream) {
  *r = (sw_random){.seed = seed, .stream = stream};
}

static void next_block(sw_random *r) {
  const uint32_t counter[4] = {(uint32_t)r->position, (uint32_t)(r->position >> 32),
                               (uint32_t)r->stream, (uint32_t)(r->stream >> 32)};
  const uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
  sw_philox4x32(counter, key, r->word);
  r->position++;
  r->left = 4;
}

uint32_t sw_random_u32(sw_random *r) {
  if (r->left == 0) next_block(r);
  return r->word[4 - r->left--];
}

/* The result is the high word of x n; the few x that would make some results more likely are drawn
 * again. */
uint32_t sw_random_below(sw_random *r, uint32_t n) {
  uint64_t product = (uint64_t)sw_random_u32(r) * n;
  if ((uint32_t)product < n) {
    const uint32_t surplus = (0u - n) % n;
    while ((uint32_t)product < surplus) product = (uint64_t)sw_random_u32(r) * n;
  }
  return (uint32_t)(product >> 32);
}

double sw_random_uniform(sw_random *r) {
  const uint32_t high = sw_random_u32(r) >> 5, low = sw_random_u32(r) >> 6;
  return (high * 0x1p26 + low) * 0x1p-53;
}

/* Only the cosine is used: with no second value to keep, the position is the whole state. */
double sw_random_normal(sw_random *r) {
  const double two_pi = 6.283185307179586;
  const double u = 1 - sw_random_uniform(r), v = sw_random_uniform(r);
  return sqrt(-2 * log(u)) * cos(two_pi * v);
}

void sw_random_permutation(sw_random *r, int32_t n, int32_t *order) {
  for (int32_t i = 0; i < n; i++) order[i] = i;
  for (int32_t i = n - 1; i > 0; i--) {
    const uint32_t j = sw_random_below(r, (uint32_t)i + 1);
    const int32_t kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}
