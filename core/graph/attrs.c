/* attrs.c: the attributes of nodes: equal ones, and those that an op does not read. */
#include <stddef.h>
#include <string.h>

#include "graph/op_int.h"

typedef struct field {
  const char *name;
  uint32_t readers; /* the attributes that are kept in it */
  size_t offset, size;
} field;

#define FIELD(member, readers) \
  { #member, readers, offsetof(sw_attrs, member), sizeof(((sw_attrs *)0)->member) }

static const field fields[] = {
    FIELD(dim, SW_ATTR_SHAPE),
    FIELD(window.kernel, SW_ATTR_KERNEL),
    FIELD(window.stride, SW_ATTR_STRIDE),
    FIELD(window.padding, SW_ATTR_PADDING),
    FIELD(window.dilation, SW_ATTR_DILATION),
    FIELD(window.size, SW_ATTR_SIZE),
    FIELD(window.groups, SW_ATTR_GROUPS),
    FIELD(value, SW_ATTR_VALUE),
    FIELD(n, SW_ATTR_N),
    FIELD(offset, SW_ATTR_FIRST | SW_ATTR_BEFORE),
    FIELD(ignored, SW_ATTR_IGNORED),
    FIELD(ignores, SW_ATTR_IGNORED),
    FIELD(perm, SW_ATTR_PERM),
    FIELD(ndim, SW_ATTR_SHAPE),
    FIELD(axes, SW_ATTR_AXES),
    FIELD(keepdim, SW_ATTR_KEEPDIM),
    FIELD(transpose_a, SW_ATTR_TRANSPOSE),
    FIELD(transpose_b, SW_ATTR_TRANSPOSE),
    FIELD(batch_power, SW_ATTR_BATCH_POWER),
    FIELD(slot, SW_ATTR_SLOT | SW_ATTR_VECTOR),
    FIELD(stream, 0), /* the graph sets it */
    FIELD(absent, SW_ATTR_ABSENT),
};

static const sw_attrs none;

enum { FIELDS = sizeof fields / sizeof *fields };

static int field_equal(const field *f, const sw_attrs *a, const sw_attrs *b) {
  return memcmp((const char *)a + f->offset, (const char *)b + f->offset, f->size) == 0;
}

/* By bits: 0.0 and -0.0 are different values, and a NaN equals itself. Sizes are compared one by
 * one, as there is padding in them. */
int swi_attrs_equal(const sw_attrs *a, const sw_attrs *b) {
  for (int i = 0; i < FIELDS; i++)
    if (fields[i].offset != offsetof(sw_attrs, dim) && !field_equal(&fields[i], a, b)) return 0;
  for (int i = 0; i < a->ndim; i++)
    if (!swi_dim_equal(a->dim[i], b->dim[i])) return 0;
  return 1;
}

/* Of the fields by which nodes with the same inputs differ most. */
uint64_t swi_attrs_hash(const sw_attrs *a) {
  uint64_t value, h = 1469598103934665603u;
  memcpy(&value, &a->value, sizeof value);
  const uint64_t parts[] = {a->axes, (uint64_t)a->offset, (uint64_t)a->slot, (uint64_t)a->stream,
                            value,   (uint64_t)a->n};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) h = (h ^ parts[i]) * 1099511628211u;
  return h;
}

static const char *first_given(const sw_attrs *a) {
  for (int i = 0; i < FIELDS; i++)
    if (!field_equal(&fields[i], a, &none)) return fields[i].name;
  return NULL;
}

const char *swi_attrs_unread(const sw_attrs *a, uint32_t read) {
  if (memcmp(a, &none, sizeof none) == 0) return NULL;
  sw_attrs rest = *a;
  for (int i = 0; i < FIELDS; i++)
    if (fields[i].readers & read) memset((char *)&rest + fields[i].offset, 0, fields[i].size);
  return memcmp(&rest, &none, sizeof none) == 0 ? NULL : first_given(&rest);
}
