/* kernels_avx2_f64.c: four doubles at a time. Compiled as kernels_avx2.c is. */
#if defined(SWI_HAVE_AVX2)

#define TABLE swi_kernels_avx2_f64
#define VARIANT "avx2"

#include <math.h>

#include "kernels/vec_avx2_f64.h"

#include "kernels/body_libm.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
