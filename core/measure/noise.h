/* noise.h: the simple gradient noise scale B_simple = tr(Sigma) / |G|^2 (McCandlish et al. 2018,
 * eq. 2.9) from per-example gradient norms, with an interval.
 *
 * One measurement of a batch of B, g_i being the gradient of example i's own loss and g their mean:
 *     S  = (sum |g_i|^2 - B |g|^2) / (B - 1)       unbiased for tr(Sigma), N - 1 in its denominator
 *     G2 = |g|^2 - S (1/B - 1/N)                  target "train": |G_N|^2 of the N examples
 *     G2 = |g|^2 - S / B                          target "population"
 * The batch is drawn without replacement from N examples. For a batch drawn with replacement the
 * second form gives |G_N|^2: the N examples are its population. Numerator and denominator are
 * averaged separately over the last 32 measurements; their spread over 16 blocks of two gives a
 * 95 % Fieller set for the ratio. A change of the batch size discards the measurements before it.
 */
#ifndef SW_NOISE_H
#define SW_NOISE_H

#include "base/context.h"
#include "measure/fieller.h"

typedef enum sw_noise_target { SW_TARGET_TRAIN, SW_TARGET_POPULATION } sw_noise_target;
enum { SW_TARGET_COUNT = SW_TARGET_POPULATION + 1 };

enum { SW_NOISE_MEASUREMENTS = 32, SW_NOISE_BLOCKS = 16 };

typedef struct sw_noise {
  sw_noise_target target;
  int64_t n;     /* size of the training set */
  int64_t batch; /* of the measurements kept; 0: none yet */
  int64_t count; /* measurements since that batch size began */
  double s[SW_NOISE_MEASUREMENTS], g2[SW_NOISE_MEASUREMENTS]; /* a ring */
} sw_noise;

SW_API void sw_noise_init(sw_noise *e, sw_noise_target target, int64_t n);

/* Adds a measurement: sum_sumsq = sum over i of |g_i|^2, grad_sumsq = |g|^2. Ignores a batch of
 * one, of N or more, values that are not finite, and norms whose squares underflowed (sum_sumsq
 * below B grad_sumsq). */
SW_API void sw_noise_add(sw_noise *e, int64_t batch, double sum_sumsq, double grad_sumsq);

/* The means of S and G2 over the measurements kept; NaN without any. */
SW_API void sw_noise_parts(const sw_noise *e, double *s, double *g2);
SW_API sw_estimate sw_noise_read(const sw_noise *e);

#endif
