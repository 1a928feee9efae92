/* kernels_avx2.c: eight floats at a time. Compiled with -mavx2 -mfma, and only where
 * SWI_HAVE_AVX2 says so. */
#if defined(SWI_HAVE_AVX2)

#define TABLE swi_kernels_avx2_f32
#define VARIANT "avx2"

#include <math.h>

#include "kernels/vec_avx2.h"

#include "kernels/body_math.h"

#include "kernels/body_elementwise.h"
#include "kernels/body_reduce.h"

#include "kernels/body_convert.h"
#include "kernels/body_gemm.h"

#include "kernels/body_packed.h"

#include "kernels/body_mask.h"
#include "kernels/body_norm.h"
#include "kernels/body_peak.h"
#include "kernels/body_pool.h"

#include "kernels/body_strip.h"

#include "kernels/body_conv.h"
#include "kernels/body_conv_sweep.h"
#include "kernels/body_conv_table.h"
#include "kernels/body_conv_weight.h"

#include "kernels/body_conv_overlap.h"
#include "kernels/body_conv_pixels.h"

#include "kernels/body_conv_lines.h"

#include "kernels/body_conv_depthwise.h"
#include "kernels/body_conv_depthwise_weight.h"

#include "kernels/body_conv_route.h"

#include "kernels/body_softmax.h"
#include "kernels/body_update.h"

#include "kernels/body_table.h"

#else
typedef int translation_unit_is_not_empty;
#endif
