/* kernels_avx512.c: sixteen floats at a time. Compiled with the four -mavx512 flags, where
 * SWI_HAVE_AVX512 says so. */
#if defined(SWI_HAVE_AVX512)

#define TABLE swi_kernels_avx512_f32
#define VARIANT "avx512"
#define HALF_TABLE swi_kernels_avx2_f32

#include <math.h>

#include "kernels/vec_avx512.h"

#include "kernels/body_math.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
