/* kernels_scalar.c: the reference variant for float32: plain C, any processor. */
#define real float
#define REAL_BYTES 4
#define TABLE swi_kernels_scalar_f32
#define VARIANT "scalar"

#include "kernels/vec_scalar.h"

#include "kernels/body_elementwise.h"
#include "kernels/body_reduce.h"

#include "kernels/body_conv_naive.h"

#include "kernels/body_convert.h"

#include "kernels/body_mask.h"
#include "kernels/body_norm.h"
#include "kernels/body_peak.h"
#include "kernels/body_plain.h"
#include "kernels/body_pool.h"

#include "kernels/body_softmax.h"
#include "kernels/body_update.h"

#include "kernels/body_table.h"
