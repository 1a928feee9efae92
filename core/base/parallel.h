/* parallel.h: how many threads a context computes with.
 *
 * One pool of pthreads. Work is cut by its shape alone, so results do not depend on the number of
 * threads.
 */
#ifndef SW_PARALLEL_H
#define SW_PARALLEL_H

#include "base/context.h"

/* threads >= 1, the caller counted; ends a pool that is there. SW_ENOMEM, SW_ERANGE,
 * SW_EUNSUPPORTED (no thread to be had): then the pool is as it was. */
SW_API sw_status sw_context_set_threads(sw_context *ctx, int threads);
SW_API int sw_context_threads(const sw_context *ctx);
SW_API int sw_machine_cores(void);

#endif
