/* block.c: aligned memory from the system, and blocks kept for the next request.
 *
 * posix_memalign of glibc splits a larger block, and once freed the block cannot serve the same
 * request again while another part is in use: 57 MB of tensors, made and freed in a loop, took 257.
 * So blocks are aligned here. Without such holes malloc returns the memory of a freed tensor to the
 * system at once, and zeroed pages for the next tensor cost more than most ops on it (4 MB: 2.3 ms
 * in place of 0.4). So a few large blocks are kept.
 */
#include "base/block_int.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sanitizer_int.h"

/* A block of LARGE bytes has more small pages than the TLB holds. With huge pages, where the system
 * has them, reading a random row of a data set misses it less. */
enum { ALIGNMENT = 64, LARGE = 8 << 20, LARGE_PAGE = 2 << 20 };

/* Sizes of blocks that are kept, and of all of them together. */
enum { LEAST_SPARE = 128 << 10, MOST_SPARE = LARGE, MOST_SPARES = 24 << 20 };

/* In front of a block. */
typedef struct head {
  void *given; /* by malloc */
  size_t size; /* of the block */
} head;

static head head_of(const void *block) {
  head h;
  memcpy(&h, (const char *)block - sizeof h, sizeof h);
  return h;
}

static void *align(size_t alignment, size_t size) {
  void *p = NULL;
  /* The sanitizer guards both ends of a block that it aligns itself, and freed ones. */
  if (SWI_UNDER_ASAN) return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
  const head h = {malloc(size + alignment + sizeof h), size};
  if (!h.given) return NULL;
  char *after = (char *)h.given + sizeof h;
  char *block = after + (alignment - (uintptr_t)after % alignment) % alignment;
  memcpy(block - sizeof h, &h, sizeof h);
  return block;
}

static void advise(void *p, size_t size) {
#ifdef MADV_HUGEPAGE
  if (size >= LARGE) (void)madvise(p, size, MADV_HUGEPAGE);
#else
  (void)p, (void)size;
#endif
}

static void release(void *block) { free(SWI_UNDER_ASAN ? block : head_of(block).given); }

/* Removes block i. */
static void *take(swi_spares *s, int i) {
  void *block = s->block[i];
  s->bytes -= head_of(block).size;
  s->n--;
  memmove(&s->block[i], &s->block[i + 1], (size_t)(s->n - i) * sizeof *s->block);
  return block;
}

/* The last freed block that has the room, and a quarter more at most; NULL: none. */
static void *find(swi_spares *s, size_t size) {
  for (int i = s->n - 1; i >= 0; i--) {
    const size_t room = head_of(s->block[i]).size;
    if (room >= size && room <= size + size / 4) return take(s, i);
  }
  return NULL;
}

/* Whole cache lines; an empty block still needs an address. */
void *swi_block_new(swi_spares *spares, size_t size) {
  if (size > PTRDIFF_MAX - 2 * (size_t)LARGE_PAGE) return NULL;
  const size_t padded = size ? (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : ALIGNMENT;
  void *p = padded >= LEAST_SPARE && padded <= MOST_SPARE ? find(spares, padded) : NULL;
  if (p) return p;
  const size_t alignment = size < LARGE ? ALIGNMENT : LARGE_PAGE;
  p = align(alignment, padded);
  if (!p && spares->n > 0) {
    swi_spares_free(spares);
    p = align(alignment, padded);
  }
  if (p) advise(p, size);
  return p;
}

void swi_block_free(swi_spares *spares, void *block) {
  const size_t size = SWI_UNDER_ASAN ? 0 : head_of(block).size;
  if (size < LEAST_SPARE || size > MOST_SPARE) {
    release(block);
    return;
  }
  while (spares->n == SWI_SPARES || spares->bytes + size > MOST_SPARES) release(take(spares, 0));
  spares->block[spares->n++] = block;
  spares->bytes += size;
}

void swi_spares_free(swi_spares *spares) {
  while (spares->n > 0) release(take(spares, spares->n - 1));
}
