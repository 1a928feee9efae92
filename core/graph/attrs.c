/* attrs.c: the attributes of nodes: a row for each field, comparison, dumps, unread fields. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "graph/dump_int.h"

/* ---- in dumps */

static void put_slot(swi_text *t, const swi_node *n) {
  if (swi_op(n->op)->attrs & SW_ATTR_SLOT)
    swi_put(t, " %d", n->attrs.slot + 1);
  else if (n->attrs.slot > 0)
    swi_put(t, " of vector %d", n->attrs.slot + 1);
}

static void put_value(swi_text *t, const swi_node *n) {
  const char *word = swi_op(n->op)->value_word;
  swi_put(t, " %s%.9g", word ? word : "value ", n->attrs.value);
}

static void put_batch_power(swi_text *t, const swi_node *n) {
  if (n->attrs.batch_power != 0) swi_put(t, "*batch^%d", n->attrs.batch_power);
}

static void put_list(swi_text *t, const char *what, int n, const int *list) {
  for (int i = 0; i < n; i++) swi_put(t, "%s%d", i ? "," : what, list[i] + 1);
}

static void put_bits(swi_text *t, const char *what, uint32_t bits) {
  int list[32], n = 0;
  for (int i = 0; i < 32; i++)
    if (bits >> i & 1) list[n++] = i;
  put_list(t, what, n, list);
}

static void put_axes(swi_text *t, const swi_node *n) { put_bits(t, " over ", n->attrs.axes); }

static void put_absent(swi_text *t, const swi_node *n) {
  put_bits(t, " without cotangent ", n->attrs.absent);
}

static void put_perm(swi_text *t, const swi_node *n) {
  put_list(t, " to ", n->type[0].ndim, n->attrs.perm);
}

static void put_offset(swi_text *t, const swi_node *n) {
  const int first = (swi_op(n->op)->attrs & SW_ATTR_FIRST) != 0;
  swi_put(t, first ? " at %" PRId64 : " behind %" PRId64, n->attrs.offset + first);
}

static void put_n(swi_text *t, const swi_node *n) {
  if (n->attrs.n != 0) swi_put(t, " of %" PRId64, n->attrs.n);
}

static void put_ignored(swi_text *t, const swi_node *n) {
  if (n->attrs.ignores) swi_put(t, " but %" PRId64, n->attrs.ignored);
}

static void put_pair(swi_text *t, const char *what, const int64_t pair[2], int64_t usual) {
  if (pair[0] == usual && pair[1] == usual) return;
  swi_put(t, " %s %" PRId64, what, pair[0]);
  if (pair[1] != pair[0]) swi_put(t, ",%" PRId64, pair[1]);
}

static void put_kernel(swi_text *t, const swi_node *n) {
  put_pair(t, "kernel", n->attrs.window.kernel, 0);
}

static void put_stride(swi_text *t, const swi_node *n) {
  put_pair(t, "stride", n->attrs.window.stride, 1);
}

static void put_padding(swi_text *t, const swi_node *n) {
  put_pair(t, "padding", n->attrs.window.padding, 0);
}

static void put_dilation(swi_text *t, const swi_node *n) {
  put_pair(t, "dilation", n->attrs.window.dilation, 1);
}

static void put_groups(swi_text *t, const swi_node *n) {
  if (n->attrs.window.groups > 1) swi_put(t, " groups %" PRId64, n->attrs.window.groups);
}

/* Of fields that a dump shows elsewhere: in the shape of the result or at the inputs. */
static void put_nothing(swi_text *t, const swi_node *n) {
  (void)t;
  (void)n;
}

/* ---- the fields */

typedef struct field {
  const char *name;
  uint32_t readers; /* the attributes that are kept in it */
  size_t offset, size;
  void (*put)(swi_text *t, const swi_node *n); /* writes it in a dump */
} field;

#define FIELD(member, readers, put) \
  { #member, readers, offsetof(sw_attrs, member), sizeof(((sw_attrs *)0)->member), put }

/* In the order of dumps. */
static const field fields[] = {
    FIELD(slot, SW_ATTR_SLOT | SW_ATTR_VECTOR, put_slot),
    FIELD(value, SW_ATTR_VALUE, put_value),
    FIELD(batch_power, SW_ATTR_BATCH_POWER, put_batch_power),
    FIELD(axes, SW_ATTR_AXES, put_axes),
    FIELD(perm, SW_ATTR_PERM, put_perm),
    FIELD(offset, SW_ATTR_FIRST | SW_ATTR_BEFORE, put_offset),
    FIELD(n, SW_ATTR_N, put_n),
    FIELD(ignores, SW_ATTR_IGNORED, put_ignored),
    FIELD(ignored, SW_ATTR_IGNORED, put_nothing), /* beside ignores */
    FIELD(window.kernel, SW_ATTR_KERNEL, put_kernel),
    FIELD(window.stride, SW_ATTR_STRIDE, put_stride),
    FIELD(window.padding, SW_ATTR_PADDING, put_padding),
    FIELD(window.dilation, SW_ATTR_DILATION, put_dilation),
    FIELD(window.size, SW_ATTR_SIZE, put_nothing),
    FIELD(window.groups, SW_ATTR_GROUPS, put_groups),
    FIELD(absent, SW_ATTR_ABSENT, put_absent),
    FIELD(dim, SW_ATTR_SHAPE, put_nothing),
    FIELD(ndim, SW_ATTR_SHAPE, put_nothing),
    FIELD(keepdim, SW_ATTR_KEEPDIM, put_nothing),
    FIELD(transpose_a, SW_ATTR_TRANSPOSE, put_nothing),
    FIELD(transpose_b, SW_ATTR_TRANSPOSE, put_nothing),
    FIELD(stream, 0, put_nothing), /* the graph sets it */
};

static const sw_attrs none;

enum { FIELDS = sizeof fields / sizeof *fields };

static int field_equal(const field *f, const sw_attrs *a, const sw_attrs *b) {
  return memcmp((const char *)a + f->offset, (const char *)b + f->offset, f->size) == 0;
}

/* Fields that the op reads, and what its shape rule set, as the kernel of a convolution. */
void swi_put_attrs(swi_text *t, const swi_node *n) {
  const uint32_t read = swi_op(n->op)->attrs;
  for (int i = 0; i < FIELDS; i++)
    if ((fields[i].readers & read) || !field_equal(&fields[i], &n->attrs, &none))
      fields[i].put(t, n);
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
  const char *zeros = (const char *)&none; /* padding may differ: then the fields decide */
  if (memcmp((const char *)a, zeros, sizeof none) == 0) return NULL;
  sw_attrs rest = *a;
  for (int i = 0; i < FIELDS; i++)
    if (fields[i].readers & read) memset((char *)&rest + fields[i].offset, 0, fields[i].size);
  return memcmp((const char *)&rest, zeros, sizeof none) == 0 ? NULL : first_given(&rest);
}
