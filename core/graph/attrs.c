/* attrs.c: the attributes of nodes: equal ones, and those that an op does not read. */
#include <stddef.h>
#include <string.h>

#include "graph/op_int.h"

/* Values are compared by bits: 0.0 and -0.0 are different constants, and a NaN equals itself. */
static uint64_t value_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

int swi_attrs_equal(const sw_attrs *a, const sw_attrs *b) {
  if (a->axes != b->axes || a->keepdim != b->keepdim || a->transpose_a != b->transpose_a ||
      a->transpose_b != b->transpose_b || a->ndim != b->ndim || a->batch_power != b->batch_power ||
      a->n != b->n || a->offset != b->offset || a->slot != b->slot || a->stream != b->stream ||
      a->absent != b->absent || a->ignores != b->ignores || a->ignored != b->ignored)
    return 0;
  if (value_bits(a->value) != value_bits(b->value)) return 0;
  for (int i = 0; i < a->ndim; i++)
    if (!swi_dim_equal(a->dim[i], b->dim[i])) return 0;
  return memcmp(a->perm, b->perm, sizeof a->perm) == 0 &&
         memcmp(&a->window, &b->window, sizeof a->window) == 0;
}

/* Of the fields by which nodes with the same inputs differ most. */
uint64_t swi_attrs_hash(const sw_attrs *a) {
  const uint64_t parts[] = {a->axes,
                            (uint64_t)a->offset,
                            (uint64_t)a->slot,
                            (uint64_t)a->stream,
                            value_bits(a->value),
                            (uint64_t)a->n};
  uint64_t h = 1469598103934665603u;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) h = (h ^ parts[i]) * 1099511628211u;
  return h;
}

/* ------------------------------------------------------------------ fields that are not read */

typedef struct field {
  const char *name;
  uint32_t readers; /* the attributes that are kept in it */
  size_t offset, size;
} field;

#define FIELD(member, readers) \
  { #member, readers, offsetof(sw_attrs, member), sizeof(((sw_attrs *)0)->member) }

static const field fields[] = {
    FIELD(axes, SW_ATTR_AXES),
    FIELD(keepdim, SW_ATTR_KEEPDIM),
    FIELD(transpose_a, SW_ATTR_TRANSPOSE),
    FIELD(transpose_b, SW_ATTR_TRANSPOSE),
    FIELD(ndim, SW_ATTR_SHAPE),
    FIELD(perm, SW_ATTR_PERM),
    FIELD(value, SW_ATTR_VALUE),
    FIELD(batch_power, SW_ATTR_BATCH_POWER),
    FIELD(n, SW_ATTR_N),
    FIELD(offset, SW_ATTR_FIRST | SW_ATTR_BEFORE),
    FIELD(slot, SW_ATTR_SLOT | SW_ATTR_VECTOR),
    FIELD(stream, 0), /* the graph sets it */
    FIELD(absent, SW_ATTR_ABSENT),
    FIELD(ignores, SW_ATTR_IGNORED),
    FIELD(ignored, SW_ATTR_IGNORED),
    FIELD(window.kernel, SW_ATTR_KERNEL),
    FIELD(window.stride, SW_ATTR_STRIDE),
    FIELD(window.padding, SW_ATTR_PADDING),
    FIELD(window.dilation, SW_ATTR_DILATION),
    FIELD(window.size, SW_ATTR_SIZE),
    FIELD(window.groups, SW_ATTR_GROUPS),
};

const char *swi_attrs_unread(const sw_attrs *a, uint32_t read) {
  static const sw_attrs none;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const field *f = &fields[i];
    if (f->readers & read) continue;
    if (memcmp((const char *)a + f->offset, (const char *)&none + f->offset, f->size) != 0)
      return f->name;
  }
  return NULL;
}
