/* kernels_avx512_f64.c: eight doubles at a time. Compiled as kernels_avx512.c is. */
#if defined(SWI_HAVE_AVX512)

#define TABLE swi_kernels_avx512_f64
#define VARIANT "avx512"
#define HALF_TABLE swi_kernels_avx2_f64

#include <math.h>

#include "kernels/vec_avx512_f64.h"

#include "kernels/body_libm.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
