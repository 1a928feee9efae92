/* body_all.h: all bodies and their table, for an instruction set with vectors. Included by each of
 * its kernels_*.c after its vec_*.h and body_math.h or body_libm.h. */
#ifndef SW_BODY_ALL_H
#define SW_BODY_ALL_H

#include "kernels/body_elementwise.h"
#include "kernels/body_reduce.h"

#include "kernels/body_convert.h"
#include "kernels/body_gemm.h"

#include "kernels/body_packed_copy.h"

#include "kernels/body_packed.h"

#include "kernels/body_mask.h"
#include "kernels/body_norm.h"
#include "kernels/body_peak.h"
#include "kernels/body_pool.h"

#include "kernels/body_fetch.h"
#include "kernels/body_strip.h"

#include "kernels/body_conv.h"
#include "kernels/body_conv_sweep.h"

#include "kernels/body_weight_tile.h"

#include "kernels/body_weight_operands.h"

#include "kernels/body_conv_pixels.h"
#include "kernels/body_conv_weight.h"

#include "kernels/body_weight_planar.h"

#include "kernels/body_conv_weight_few.h"

#include "kernels/body_conv_overlap.h"

#include "kernels/body_conv_lines.h"

#include "kernels/body_conv_depthwise.h"
#include "kernels/body_conv_depthwise_weight.h"

#include "kernels/body_conv_route.h"

#include "kernels/body_softmax.h"
#include "kernels/body_update.h"

#include "kernels/body_table.h"

#endif
