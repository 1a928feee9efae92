/* cpu.c: the instruction sets that the processor has, and its floating-point mode. */
#include <string.h>

#include "kernels/cpu_int.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>

/* Whether the operating system saves the registers named by mask when it switches threads. */
static int os_saves(uint32_t mask) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & mask) == mask;
}

static int has_avx2(void) {
  const uint32_t xmm_and_ymm = 0x6;
  unsigned a, b, c, d;
  if (!os_saves(xmm_and_ymm)) return 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_AVX) || !(c & bit_FMA)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

#if defined(SWI_EMULATE_AVX512)
static int has_avx512(void) { return has_avx2(); }
#else
static int has_avx512(void) {
  const uint32_t xmm_to_zmm_and_masks = 0xE6;
  const uint32_t needed = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  unsigned a, b, c, d;
  if (!has_avx2() || !os_saves(xmm_to_zmm_and_masks)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & needed) == needed;
}
#endif

static int has_neon(void) { return 0; }

static int has_sse(uint32_t bit) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit);
}
static int has_sse41(void) { return has_sse(bit_SSE4_1); }
static int has_sse42(void) { return has_sse(bit_SSE4_2); }

static const uint32_t flush_bits = 0x8040; /* FTZ and DAZ */

uint32_t swi_fpmode_get(void) { return _mm_getcsr(); }
void swi_fpmode_set(uint32_t mode) { _mm_setcsr(mode); }

#elif defined(__aarch64__)

static int has_avx2(void) { return 0; }
static int has_avx512(void) { return 0; }
static int has_neon(void) { return 1; }
static int has_sse41(void) { return 0; }
static int has_sse42(void) { return 0; }

static const uint32_t flush_bits = 1u << 24; /* FZ: inputs and results */

uint32_t swi_fpmode_get(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return (uint32_t)mode;
}

void swi_fpmode_set(uint32_t mode) {
  const uint64_t wide = mode;
  __asm__ volatile("msr fpcr, %0" : : "r"(wide));
}

#else

static int has_avx2(void) { return 0; }
static int has_avx512(void) { return 0; }
static int has_neon(void) { return 0; }
static int has_sse41(void) { return 0; }
static int has_sse42(void) { return 0; }

static const uint32_t flush_bits = 0;

uint32_t swi_fpmode_get(void) { return 0; }
void swi_fpmode_set(uint32_t mode) { (void)mode; }

#endif

uint32_t swi_fpmode_flush(void) {
  const uint32_t before = swi_fpmode_get();
  swi_fpmode_set(before | flush_bits);
  return before;
}

int swi_cpu_has(const char *variant) {
  if (strcmp(variant, "scalar") == 0) return 1;
  if (strcmp(variant, "avx2") == 0) return has_avx2();
  if (strcmp(variant, "avx512") == 0) return has_avx512();
  if (strcmp(variant, "sse4.1") == 0) return has_sse41();
  if (strcmp(variant, "sse4.2") == 0) return has_sse42();
  return strcmp(variant, "neon") == 0 && has_neon();
}
