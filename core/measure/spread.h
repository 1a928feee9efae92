/* spread.h: the errors of weighted means over a training, from differences of neighbours in time.
 *
 * The mean is about the weights that the training had, so that its error has the variance of the
 * measurements at given weights. Their spread around the mean is larger: |G|^2 itself moves. Of
 * neighbours most of that cancels. With plain SGD on a quadratic at rest all of it does, at any
 * learning rate: the gradients g_k and g_(k+1) of two steps have covariance N - Cov(g), so that
 *     E (|g_k|^2 - |g_(k+1)|^2)^2 / 2 = 2 tr(Cov(g)^2 - (Cov(g) - N)^2) = Var of |g_k|^2 at given w
 * N being the covariance of a batch's mean and Cov(g) that over all steps, which commute with it.
 * With momentum and in a descent it is larger than the variance.
 */
#ifndef SW_SPREAD_H
#define SW_SPREAD_H

#include "measure/fieller.h"
#include "measure/recent.h"

/* Means of the window and the spread of their errors. A cell x_k of weight w_k is compared with the
 * means y_k of the cells after it and of those before it, as many as weigh w_k together; of all
 * others where there are too few. v being their weight, and the mean over the two sides,
 *     variance = sum (w_k / sum w)^2 v / (v + w_k) (x_k - y_k)^2
 * is that of the mean where errors of cells are proportional to 1 / w_k. With equal weights it has
 * 2 / 3 of a degree of freedom a cell; and fewer than that as the terms of the sum differ more than
 * those of normal numbers. The third cumulant comes from the products of both sides' differences,
 *     E (x_k - y)^2 (x_k - z) = E (x_k - mean)^3 */
SW_API void sw_spread_of(const sw_recent *w, sw_spread *out);

/* As numbers, and back: load returns 0 if they are none that save gave. */
enum { SW_SPREAD_NUMBERS = 9 };
SW_API void sw_spread_save(const sw_spread *s, double x[SW_SPREAD_NUMBERS]);
SW_API int sw_spread_load(sw_spread *s, const double x[SW_SPREAD_NUMBERS]);

#endif
