/* swale.h: all of libswale, for programs in C.
 *
 * Begin with sw_open, which gives the context that every object is made in. Every fallible function
 * returns a sw_status; the sentence that goes with it is sw_message's. Who makes an object ends it.
 */
#ifndef SW_SWALE_H
#define SW_SWALE_H

#ifdef __cplusplus
extern "C" {
#endif

#include "base/context.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "kernels/open.h"
#include "tensor/linalg.h"
#include "tensor/order.h"
#include "tensor/tensor.h"

#include "graph/eager.h"
#include "graph/graph.h"
#include "graph/program.h"

#include "train/average.h"
#include "train/evaluate.h"
#include "train/loop.h"
#include "train/sampler.h"
#include "train/schedule.h"
#include "train/source.h"

#include "measure/arpack.h"
#include "measure/distribution.h"
#include "measure/fieller.h"
#include "measure/lbfgsb.h"
#include "measure/noise.h"
#include "measure/recent.h"
#include "measure/spread.h"

#include "io/cifar.h"
#include "io/csv.h"
#include "io/file.h"
#include "io/idx.h"
#include "io/metrics.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "io/sha256.h"

#ifdef __cplusplus
}
#endif

#endif
