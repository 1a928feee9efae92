/* distribution.h: the normal distribution and Student's t, for intervals and tests.
 *
 * Relative errors are below 1e-10, in the tails too. Degrees of freedom need not be whole and may
 * be infinite.
 */
#ifndef SW_DISTRIBUTION_H
#define SW_DISTRIBUTION_H

#include "base/context.h"

SW_API double sw_normal_cdf(double x);

/* x with cdf(x) = p; -inf and inf for p = 0 and 1, NaN outside of [0, 1]. */
SW_API double sw_normal_quantile(double p);

/* P(T <= t) for df > 0 degrees of freedom; NaN for others. */
SW_API double sw_student_cdf(double t, double df);

/* t with P(T <= t) = p; the two-sided 95 % quantile is that of p = 0.975. Limits as above. */
SW_API double sw_student_quantile(double p, double df);

#endif
