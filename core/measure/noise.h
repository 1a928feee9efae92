/* noise.h: the simple gradient noise scale B_simple = tr(Sigma) / |G|^2 (McCandlish et al. 2018,
 * eq. 2.9) of a training, from the gradient norms of its steps, with an interval.
 *
 * A measured step has a batch of b examples out of N, g_i being the gradient of example i's own
 * loss and g their mean. The batch consists of parts of b_1, b_2, … examples, each drawn without
 * replacement: one part within an epoch, two where the batch goes over an epoch's end, b parts of
 * one example where all are drawn independently. With q = sum b_k^2 / b^2
 *     S  = (sum |g_i|^2 - b |g|^2) / (b - 1 - (1 - q) b / N)
 *     G2 = |g|^2 - S (1/b - q/N)          target "train": |G_N|^2 of the N examples
 *     G2 = |g|^2 - S (1/b + (1 - q)/N)    target "population": |G|^2 that they are a sample of
 * S is unbiased for tr(Sigma), the covariance of the N examples with N - 1 in its denominator, and
 * G2 for what its target says, whatever the batch size. A batch of one says nothing (its S is
 * 0/0); the whole set gives S and |G_N|^2 exactly. Weight decay adds the same vector to every
 * example's gradient: S stays, and |g + decay w|^2 is in G2 in place of |g|^2.
 *
 * S and G2 are averaged with the same weight b (b - 1), the number of pairs, over a window of the
 * training (recent.h); the batch size may change on the way. Differences of neighbouring
 * measurements (spread.h) give a 95 % Fieller set for the ratio of the means. It is about these
 * means over the window, not about the present weights. After a jump of the batch size a few heavy
 * measurements are most of the window: until 8 blocks can be cut again, with 5 degrees of freedom,
 * the estimate stays that of the window before.
 *
 * An end of a 95 % interval that is looked at again and again is wrong at some time. `sure` is a
 * lower end for rules, which is renewed only where half of the window is new, the k-th time at the
 * level 1 - 0.075 / ((k + 2) (k + 3)), from the spread of up to 16 blocks of the window with
 * 1 / sum w_k^2 - 1 degrees of freedom and a correction for skewness. The errors add up to 0.025:
 * it is above the ratio of its window at any time in at most 1 of 40 trainings.
 */
#ifndef SW_NOISE_H
#define SW_NOISE_H

#include "measure/fieller.h"
#include "measure/recent.h"
#include "measure/spread.h"

typedef enum sw_noise_target { SW_TARGET_TRAIN, SW_TARGET_POPULATION } sw_noise_target;
enum { SW_TARGET_COUNT = SW_TARGET_POPULATION + 1 };

enum {
  SW_NOISE_MEASUREMENTS = 32, /* fewest in a window */
  SW_NOISE_FREEDOM = 5        /* fewest degrees of freedom of one that replaces an estimate */
};

typedef struct sw_noise_options {
  sw_noise_target target;
  int independent; /* whether examples are drawn with replacement */
  int64_t n;       /* size of the training set; INT64_MAX: there are always more */
  int64_t window;  /* examples, see recent.h */
  int regularised; /* |G|^2 is of the objective with weight decay */
} sw_noise_options;

/* A measured step. */
typedef struct sw_noise_step {
  int64_t step;     /* its number, from 1 */
  int64_t examples; /* of the training before it: where in an epoch its batch begins */
  int64_t batch;
  double sum_sumsq;         /* sum over the batch of |g_i|^2 */
  double grad_sumsq;        /* |g|^2 */
  double regularised_sumsq; /* |g + decay w|^2, where that is asked for */
  double momentum;          /* a block of the window has at least 2 / (1 - momentum) updates */
} sw_noise_step;

/* The lower end that was taken last. */
typedef struct sw_noise_look {
  double count, last, low; /* how many were taken, the last step of its window, the end */
} sw_noise_look;

typedef struct sw_noise {
  sw_noise_options o;
  sw_recent window;
  sw_recent_cut latest; /* of the last window that had blocks enough; n = 0: none yet */
  sw_spread spread;     /* of that window */
  sw_noise_look look;
} sw_noise;

SW_API void sw_noise_init(sw_noise *e, const sw_noise_options *o);

/* S and G2 of one step. Returns 0 if it says nothing: a batch of one, values that are not finite,
 * norms whose squares underflowed (sum_sumsq below b grad_sumsq). */
SW_API int sw_noise_parts(const sw_noise_options *o, const sw_noise_step *m, double *s, double *g2);

/* Adds a measured step; steps that say nothing are left out. */
SW_API void sw_noise_add(sw_noise *e, const sw_noise_step *m);

/* An estimate, and the window that it is about; while it is pending, how far the window is. */
typedef struct sw_noise_reading {
  sw_estimate estimate;
  double s, g2;         /* the means over the window: tr(Sigma) and |G|^2; NaN: nothing measured */
  int64_t first, last;  /* its first and last measured step */
  int64_t measurements; /* in it */
  int blocks;
  double span; /* fewest updates of a block */
  double sure; /* at most the lower end of the estimate; 0 while pending */
} sw_noise_reading;

SW_API sw_noise_reading sw_noise_read(const sw_noise *e);

#endif
