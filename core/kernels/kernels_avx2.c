/* kernels_avx2.c: eight floats at a time. Compiled with -mavx2 -mfma, and only where
 * SWI_HAVE_AVX2 says so. */
#if defined(SWI_HAVE_AVX2)

#define TABLE swi_kernels_avx2_f32
#define VARIANT "avx2"

#include <math.h>

#include "kernels/vec_avx2.h"

#include "kernels/body_math.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
