/* ranges_int.h: work over the weights, range by range.
 *
 * Ranges are cut into pieces by their lengths alone, and sums are added in the order of pieces,
 * then of ranges: whether the ranges are done one by one, at different times, or all at once, and
 * by how many threads, changes no bit. Frozen ranges are left out.
 */
#ifndef SW_RANGES_INT_H
#define SW_RANGES_INT_H

#include "base/context.h"
#include "train/ranges.h"

typedef struct swi_ranges swi_ranges;

/* Of a vector of n elements; no list: one range. SW_EARG: they do not cover it in order; SW_ERANGE:
 * a factor; SW_ENOMEM. */
sw_status swi_ranges_new(sw_context *ctx, int64_t n, const sw_range *list, int n_list,
                         swi_ranges **out);
void swi_ranges_free(swi_ranges *r);
int swi_ranges_count(const swi_ranges *r);
const sw_range *swi_ranges_get(const swi_ranges *r, int i);

/* n elements from first on, all in range. */
typedef double (*swi_piece_sum)(void *arg, const sw_range *range, int64_t first, int64_t n);

/* Calls f for the pieces of ranges begin … end-1. Afterwards sum(i) is the sum of f's results for
 * range i (0 for a frozen one), and total the sum over all ranges. */
void swi_ranges_run(swi_ranges *r, int begin, int end, swi_piece_sum f, void *arg);
/* The same, with another sum of each piece just before f, while its numbers are in the cache:
 * afterwards total_before is that sum over all ranges. */
void swi_ranges_run_after(swi_ranges *r, int begin, int end, swi_piece_sum before, swi_piece_sum f,
                          void *arg);
double swi_ranges_total_before(const swi_ranges *r);
double swi_ranges_sum(const swi_ranges *r, int i);
double swi_ranges_total(const swi_ranges *r);

#endif
