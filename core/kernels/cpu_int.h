/* cpu_int.h: what this processor and its operating system can do.
 *
 * Compiled without instruction-set flags. AVX2 needs CPUID's AVX2 and FMA bits and XGETBV's 0x6;
 * AVX-512 F, DQ, BW and VL as well, and XGETBV's 0xE6. NEON is part of aarch64.
 */
#ifndef SW_CPU_INT_H
#define SW_CPU_INT_H

#include <stdint.h>

/* 1 if the named variant ("scalar", "avx2", "avx512", "neon") can run here, or has instructions
 * that OpenBLAS's core type depends on ("sse4.1", "sse4.2"). */
int swi_cpu_has(const char *variant);

/* The floating-point mode of this thread. flush sets FTZ and DAZ, where they exist, and returns the
 * previous mode, which set restores. */
uint32_t swi_fpmode_get(void);
uint32_t swi_fpmode_flush(void);
void swi_fpmode_set(uint32_t mode);

#endif
