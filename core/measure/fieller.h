/* fieller.h: intervals of a ratio a / b of two estimates (Fieller 1954):
 *     { R : (a - R b)^2 <= t^2 (vaa - 2 R vab + R^2 vbb) },  vaa, vab, vbb their covariance
 * The set is an interval where b differs significantly from 0. Else it is unbounded: high = inf,
 * and the end that is left is valid for a denominator above 0. Means over blocks have Student's t.
 */
#ifndef SW_FIELLER_H
#define SW_FIELLER_H

#include "base/context.h"

typedef enum sw_estimate_status { SW_PENDING, SW_UNRESOLVED, SW_RESOLVED } sw_estimate_status;
SW_API const char *sw_estimate_status_name(sw_estimate_status s); /* "pending", … */

typedef struct sw_estimate {
  sw_estimate_status status; /* pending: too few numbers; unresolved: an end is infinite */
  double value;              /* NaN while pending; inf if the denominator is not positive */
  double low, high;          /* 0 and inf while pending */
} sw_estimate;

SW_API sw_estimate sw_estimate_pending(void);

typedef struct sw_ratio {
  double a, b;          /* the estimates of numerator and denominator */
  double vaa, vab, vbb; /* their variances and covariance */
} sw_ratio;

typedef enum sw_ratio_range {
  SW_RATIO_POSITIVE, /* the ratio cannot be negative: the set is cut to R >= 0 */
  SW_RATIO_ANY,      /* it can: the numerator has a sign */
} sw_ratio_range;

/* The set for a / b, t the two-sided quantile. If b is significantly negative, nothing is said: the
 * whole range. Pending if a number is not finite. */
SW_API sw_estimate sw_fieller(const sw_ratio *r, double t, sw_ratio_range range);

/* Two estimates, in units of a_unit and b_unit, with the spread of their errors. */
typedef struct sw_spread {
  sw_ratio mean;
  double a_unit, b_unit;
  double third;   /* the third cumulant of b */
  double freedom; /* degrees of freedom of the spread */
} sw_spread;

/* The set for a / b, cut to R >= 0. Estimates of |G|^2 are skewed, and low where their variance is:
 * where `third` is positive, the lower end is that of Hall's transformation, as below. */
SW_API sw_estimate sw_fieller_of_spread(const sw_spread *s, double t);

/* Pairs (a_k, b_k) with weights w_k, which are divided by their sum. */
typedef struct sw_pairs {
  int n;
  const double *weight; /* all above 0; NULL: equal */
  const double *a, *b;
} sw_pairs;

/* The same of pairs, for the ratio of their weighted means, cut to R >= 0. The covariance is
 *     sum w_k^2 (a_k - a, b_k - b) (a_k - a, b_k - b)' / (1 - sum w_k^2)
 * Pending if n < 2. */
SW_API sw_estimate sw_fieller_of_pairs(const sw_pairs *p, double t);
/* Its lower end for few skewed pairs, as those of |G|^2, whose estimate is low where its variance
 * is: Hall's transformation (1992) of Student's statistic T of a - R b is t there,
 *     g(T) = T + q T^2 / 3 + q^2 T^3 / 27 + q / 6,   q the skewness of the mean
 * and at most that of sw_fieller_of_pairs. 0 if n < 3. */
SW_API double sw_fieller_low_of_pairs(const sw_pairs *p, double t);
/* The degrees of freedom of their spread: 1 / sum w_k^2 - 1, for equal weights n - 1. */
SW_API double sw_pairs_freedom(const sw_pairs *p);

#endif
