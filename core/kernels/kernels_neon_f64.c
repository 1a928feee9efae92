/* kernels_neon_f64.c: two doubles at a time. Compiled as kernels_neon.c is. */
#if defined(SWI_HAVE_NEON)

#define TABLE swi_kernels_neon_f64
#define VARIANT "neon"

#include <math.h>

#include "kernels/vec_neon_f64.h"

#include "kernels/body_libm.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
