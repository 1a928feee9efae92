/* plan.c: where each buffer lies, so that memory is shared by those that are never alive together.
 *
 * Largest first, each at the lowest place that is free for all of its life. Quadratic in the number
 * of buffers, and only done when a workspace grows.
 */
#include "graph/program_int.h"

enum { ALIGN = 64 };

size_t swi_buffer_bytes(const swi_buffer *b, int64_t batch, int real_bytes) {
  size_t element = b->kind == SW_INDEX ? sizeof(int32_t) : (size_t)real_bytes;
  size_t bytes = (size_t)swi_dim_size(b->numel, batch) * element;
  return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static int is_planned(const swi_buffer *b) {
  return b->place == SWI_ARENA || b->place == SWI_INPUT;
}

/* Numbers of the planned buffers, by falling size; equal ones stay in order. */
static int32_t sort_by_size(const swi_buffer *b, int32_t n, int64_t batch, int bytes,
                            int32_t *order) {
  int32_t count = 0;
  for (int32_t i = 0; i < n; i++) {
    if (!is_planned(&b[i])) continue;
    int32_t j = count++;
    for (; j > 0 &&
           swi_buffer_bytes(&b[order[j - 1]], batch, bytes) < swi_buffer_bytes(&b[i], batch, bytes);
         j--)
      order[j] = order[j - 1];
    order[j] = i;
  }
  return count;
}

/* The lowest place for b among the placed, which are sorted by their places. */
static size_t lowest_place(const swi_buffer *buffers, const swi_buffer *b, const int32_t *placed,
                           int32_t n, int64_t batch, int real_bytes, const int64_t *offset) {
  size_t at = 0, size = swi_buffer_bytes(b, batch, real_bytes);
  for (int32_t j = 0; j < n; j++) {
    const swi_buffer *c = &buffers[placed[j]];
    int together = b->first <= c->last && c->first <= b->last;
    if (!together) continue;
    if (at + size <= (size_t)offset[placed[j]]) break;
    size_t end = (size_t)offset[placed[j]] + swi_buffer_bytes(c, batch, real_bytes);
    if (end > at) at = end;
  }
  return at;
}

/* order[0 … i - 1]: what has a place, by places; then what has none yet, by size. */
size_t swi_plan(const swi_buffer *buffers, int32_t n, int64_t batch, int real_bytes,
                int64_t *offset, int32_t *order) {
  int32_t count = sort_by_size(buffers, n, batch, real_bytes, order);
  size_t total = 0;
  for (int32_t i = 0; i < count; i++) {
    int32_t number = order[i], j = i;
    const swi_buffer *b = &buffers[number];
    size_t at = lowest_place(buffers, b, order, i, batch, real_bytes, offset);
    offset[number] = (int64_t)at;
    for (; j > 0 && offset[order[j - 1]] > (int64_t)at; j--) order[j] = order[j - 1];
    order[j] = number;
    size_t end = at + swi_buffer_bytes(b, batch, real_bytes);
    if (end > total) total = end;
  }
  return total;
}
