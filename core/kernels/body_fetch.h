/* body_fetch.h: memory fetched into the L2 cache while other work is done. Tiles of convolutions
 * read and write along many short rows: processors do not foresee them.
 */
#ifndef SW_BODY_FETCH_H
#define SW_BODY_FETCH_H

/* Multiply-adds for an element that is read or written, at least: else requests cost more than they
 * gain. */
enum { FETCH_WORK = 25 };

/* Addresses: the next one may lie behind the end. */
typedef struct fetch {
  uintptr_t next, end;
  int64_t each; /* bytes for a place of the work at hand */
} fetch;

/* n elements from x[from] on, of `all`, for some places. */
static fetch fetch_of(const real *x, int64_t from, int64_t n, int64_t all, int64_t places) {
  const int64_t end = from < all ? smaller(from + n, all) : from;
  return (fetch){(uintptr_t)(x + from), (uintptr_t)(x + end), n * REAL_BYTES / places + 1};
}

INLINE void fetch_for(fetch *f, int64_t places) {
  const uintptr_t some = f->next + (uintptr_t)(places * f->each);
  const uintptr_t end = some < f->end ? some : f->end;
  for (; f->next < end; f->next += LINE) v_prefetch_far((const void *)f->next);
}

#endif
