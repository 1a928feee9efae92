/* plan.c: places buffers so that those that are never alive together share memory.
 *
 * Largest first, each at the lowest place that is free for all of its life. A search is linear in
 * the number of buffers placed, so very large programs are planned in windows of buffers: a window
 * may not reach below what earlier ones have placed for the same time. Cost: n log n to sort, then
 * n times WINDOW. Done only when a workspace grows.
 */
#include <stdlib.h>
#include <string.h>

#include "graph/program_int.h"

enum {
  ALIGN = 64,
  WINDOW = 8192, /* no network of the zoo has as many buffers */
  SPANS = 1024   /* spans of instructions for which the skyline is kept */
};

size_t swi_buffer_bytes(const swi_buffer *b, int64_t batch, int real_bytes) {
  size_t element = b->kind == SW_INDEX ? sizeof(int32_t) : (size_t)real_bytes;
  size_t bytes = (size_t)swi_dim_size(b->numel, batch) * element;
  return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

/* The highest end of what earlier windows have placed, by span of instructions. */
typedef struct skyline {
  int32_t length; /* of a span */
  size_t top[SPANS];
} skyline;

static int span_of(const skyline *s, int32_t instruction) {
  int32_t i = instruction < 0 ? 0 : instruction / s->length;
  return i < SPANS ? i : SPANS - 1; /* INT32_MAX: alive to the end */
}

static size_t highest(const skyline *s, const swi_placing *p) {
  size_t top = 0;
  for (int i = span_of(s, p->first), end = span_of(s, p->last); i <= end; i++)
    if (s->top[i] > top) top = s->top[i];
  return top;
}

static void raise_over(skyline *s, const swi_placing *p) {
  for (int i = span_of(s, p->first), end = span_of(s, p->last); i <= end; i++)
    if (s->top[i] < p->at + p->size) s->top[i] = p->at + p->size;
}

static int by_falling_size(const void *a, const void *b) {
  const swi_placing *p = a, *q = b;
  if (p->size != q->size) return p->size < q->size ? 1 : -1;
  return p->number < q->number ? -1 : 1;
}

static int is_planned(const swi_buffer *b) {
  return b->place == SWI_ARENA || b->place == SWI_INPUT;
}

static int32_t list_planned(const swi_buffer *b, int32_t n, int64_t batch, int bytes,
                            swi_placing *list) {
  int32_t count = 0;
  for (int32_t i = 0; i < n; i++)
    if (is_planned(&b[i]))
      list[count++] =
          (swi_placing){swi_buffer_bytes(&b[i], batch, bytes), 0, i, b[i].first, b[i].last};
  qsort(list, (size_t)count, sizeof *list, by_falling_size);
  return count;
}

/* The lowest place for p from floor on, among n placed ones that are sorted by their places. */
static size_t lowest_place(const swi_placing *placed, int32_t n, const swi_placing *p,
                           size_t floor) {
  size_t at = floor;
  for (int32_t j = 0; j < n; j++) {
    const swi_placing *q = &placed[j];
    if (p->first > q->last || q->first > p->last) continue;
    if (at + p->size <= q->at) break;
    if (q->at + q->size > at) at = q->at + q->size;
  }
  return at;
}

/* Places w[0 … n - 1] one after another; those that have a place stay sorted by it. */
static void place_window(swi_placing *w, int32_t n, const skyline *below) {
  for (int32_t i = 0; i < n; i++) {
    swi_placing p = w[i];
    p.at = lowest_place(w, i, &p, highest(below, &p));
    int32_t j = i;
    for (; j > 0 && w[j - 1].at > p.at; j--) w[j] = w[j - 1];
    w[j] = p;
  }
}

static int32_t last_instruction(const swi_placing *list, int32_t n) {
  int32_t last = 0;
  for (int32_t i = 0; i < n; i++) {
    if (list[i].first > last) last = list[i].first;
    if (list[i].last > last && list[i].last < INT32_MAX) last = list[i].last;
  }
  return last;
}

size_t swi_plan(const swi_buffer *buffers, int32_t n, int64_t batch, int real_bytes,
                int64_t *offset, swi_placing *list) {
  int32_t count = list_planned(buffers, n, batch, real_bytes, list);
  skyline below = {.length = last_instruction(list, count) / SPANS + 1};
  size_t total = 0;
  for (int32_t from = 0; from < count; from += WINDOW) {
    int32_t size = count - from < WINDOW ? count - from : WINDOW;
    place_window(list + from, size, &below);
    for (int32_t i = from; i < from + size; i++) raise_over(&below, &list[i]);
  }
  for (int32_t i = 0; i < count; i++) {
    offset[list[i].number] = (int64_t)list[i].at;
    if (list[i].at + list[i].size > total) total = list[i].at + list[i].size;
  }
  return total;
}
