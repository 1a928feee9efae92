/* uniform.h: the random numbers of the kernels' tests: a fixed sequence. */
#ifndef SW_UNIFORM_H
#define SW_UNIFORM_H

#include <stdint.h>

static uint64_t seed = 1;

static inline double uniform(double low, double high) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return low + (high - low) * (double)(seed >> 11) * 0x1p-53;
}

#endif
