/* analyzer.h: read by clang-tidy before every file. sw_fail gives back the status that it is given;
 * an analyzer that cannot see that follows paths on which a failure succeeds. */
#ifndef SW_ANALYZER_H
#define SW_ANALYZER_H

#include "base/context.h"

#define sw_fail(ctx, status, ...) ((void)(sw_fail)(ctx, status, __VA_ARGS__), (status))

#endif
