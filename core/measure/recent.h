/* recent.h: weighted means of a pair of numbers over the latest part of a training, in bounded
 * memory, cut into blocks of time whose spread tells how exact they are.
 *
 * The window is the last `examples` examples, and never fewer than `least` measurements or 16 of
 * the spans below. Measurements are kept in at most 256 cells: when these are full, the two
 * neighbours of the smallest weight become one. So the window starts where a cell starts, and
 * adding allocates nothing. One owner, plain data.
 */
#ifndef SW_RECENT_H
#define SW_RECENT_H

#include "base/context.h"

enum { SW_RECENT_CELLS = 256, SW_RECENT_BLOCKS = 16, SW_RECENT_FEWEST = 8 };

/* Measurements that follow each other, or one. */
typedef struct sw_recent_cell {
  double weight, a, b; /* a and b: weighted means */
  double span;         /* a block that holds the cell has at least so many updates */
  double first, last;  /* steps of the first and last measurement */
  double begin, end;   /* examples of the training before and after them */
  double count;        /* measurements */
} sw_recent_cell;

typedef struct sw_recent {
  int64_t examples, least;
  int cells;
  sw_recent_cell cell[SW_RECENT_CELLS];
} sw_recent;

SW_API void sw_recent_init(sw_recent *w, int64_t examples, int64_t least);

/* Adds one measurement (count = 1, first = last). Its step must be above the ones before. */
SW_API void sw_recent_add(sw_recent *w, const sw_recent_cell *one);

typedef struct sw_recent_cut {
  int n; /* blocks */
  double weight[SW_RECENT_BLOCKS], a[SW_RECENT_BLOCKS], b[SW_RECENT_BLOCKS];
  sw_recent_cell total; /* all that the window holds; weight 0 if it is empty */
} sw_recent_cut;

/* Cuts the window in time into at most 16 blocks of about equal weight, each of at least the span
 * of its cells. A measurement that weighs more than a 16th of the window is a block of its own, so
 * that there are fewer. */
SW_API void sw_recent_split(const sw_recent *w, sw_recent_cut *out);

/* What they keep, as numbers, and back: save returns how many; load returns 0, and leaves garbage,
 * if they are none that save gave. */
enum { SW_RECENT_NUMBERS = SW_RECENT_CELLS * 9 };
SW_API int sw_recent_save(const sw_recent *w, double x[SW_RECENT_NUMBERS]);
SW_API int sw_recent_load(sw_recent *w, const double *x, int n);
SW_API int sw_recent_cut_save(const sw_recent_cut *cut, double x[SW_RECENT_NUMBERS]);
SW_API int sw_recent_cut_load(sw_recent_cut *cut, const double *x, int n);

#endif
