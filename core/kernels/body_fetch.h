/* body_fetch.h: memory fetched into the L2 cache while other work is done. Tiles of convolutions
 * read and write along many short rows: processors do not foresee them.
 */
#ifndef SW_BODY_FETCH_H
#define SW_BODY_FETCH_H

/* Multiply-adds for an element that is read or written, at least: else requests cost more than they
 * gain. */
enum { FETCH_WORK = 25 };

typedef struct fetch {
  const char *next, *end;
  int64_t each; /* bytes for a place of the work at hand */
} fetch;

/* n elements from x[from] on, of `all`, for some places. */
static fetch fetch_of(const real *x, int64_t from, int64_t n, int64_t all, int64_t places) {
  const int64_t end = from < all ? smaller(from + n, all) : from;
  return (fetch){(const char *)(x + from), (const char *)(x + end), n * REAL_BYTES / places + 1};
}

INLINE void fetch_for(fetch *f, int64_t places) {
  const char *end = f->next + smaller(places * f->each, f->end - f->next);
  for (; f->next < end; f->next += LINE) v_prefetch_far(f->next);
}

#endif
