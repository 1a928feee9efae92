/* kernels_neon.c: four floats at a time. Compiled on aarch64 only, where SWI_HAVE_NEON says so. */
#if defined(SWI_HAVE_NEON)

#define TABLE swi_kernels_neon_f32
#define VARIANT "neon"

#include <math.h>

#include "kernels/vec_neon.h"

#include "kernels/body_math.h"

#include "kernels/body_all.h"

#else
typedef int translation_unit_is_not_empty;
#endif
