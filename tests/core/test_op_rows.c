/* test_op_rows.c: requirements on every row of the op table. A message names the op. */
#include <stddef.h>
#include <string.h>

#include "check.h"
#include "graph/dump_int.h"
#include "graph/elementwise_int.h"

static void require(sw_op op, int condition, const char *what) {
  if (!condition) fail_msg("swi_row_%s: %s", sw_op_name(op), what);
}

static const char *const unary_names[] = {
#define UNARY(name, f) #name,
#define BINARY(name, f)
#include "kernels/elementwise.def"
};

static const char *const binary_names[] = {
#define UNARY(name, f)
#define BINARY(name, f) #name,
#include "kernels/elementwise.def"
};

TEST(every_row_has_what_its_readers_call) {
  for (int i = 0; i < SW_OP_COUNT; i++) {
    const sw_op op = (sw_op)i;
    const swi_op_row *row = swi_op(op);
    const int leaf = sw_op_is_leaf(op);
    require(op, row->power != NULL, "has no power of the batch (.power)");
    require(op, (row->shape == NULL) == leaf, "has no shape rule (.shape), or is a leaf with one");
    require(op, (row->eval == NULL) == leaf, "has no evaluation (.eval), or is a leaf with one");
    require(op, row->n_out >= 1 && row->n_out <= SW_MAX_OUTPUTS,
            "has no number of outputs (.n_out)");
    require(op, (row->n_in == 0) == leaf, "has no inputs (.n_in), or is a leaf with some");
    require(op, row->n_in <= SW_MAX_INPUTS, "has too many inputs (.n_in)");
  }
}

static void check_kernel(sw_op op, const char *const *names, int n) {
  const int kernel = swi_op(op)->kernel;
  require(op, kernel > 0 && kernel <= n, "has no kernel (.kernel)");
  require(op, strcmp(names[kernel - 1], sw_op_name(op)) == 0, "has the kernel of another op");
}

TEST(elementwise_rows_name_the_kernel_of_their_op) {
  for (int i = 0; i < SW_OP_COUNT; i++) {
    const sw_op op = (sw_op)i;
    const swi_op_row *row = swi_op(op);
    if (row->eval == swi_unary_eval) {
      require(op, row->part == swi_unary_part, "has another .part than UNARY_ROW gives");
      check_kernel(op, unary_names, SWI_UNARY_COUNT);
    } else if (row->eval == swi_binary_eval) {
      require(op, row->part == swi_binary_part, "has another .part than BINARY_ROW gives");
      check_kernel(op, binary_names, SWI_BINARY_COUNT);
    } else {
      require(op, row->kernel == 0, "has a .kernel, but no evaluation that uses it");
    }
  }
}

TEST(attributes_that_are_not_read_are_named) {
  const sw_attrs none = {0}, n = {.n = 3}, padding = {.window = {.padding = {0, 1}}};
  assert_null(swi_attrs_unread(&none, 0));
  assert_null(swi_attrs_unread(&n, SW_ATTR_N));
  assert_string_equal(swi_attrs_unread(&n, SW_ATTR_AXES), "n");
  assert_string_equal(swi_attrs_unread(&padding, SW_ATTR_STRIDE), "window.padding");
}

/* Else nodes that differ in it alone would be merged. */
TEST(every_byte_of_the_attributes_is_in_a_row_of_attrs_c) {
  for (size_t i = 0; i < sizeof(sw_attrs); i++) {
    sw_attrs a = {0};
    ((char *)&a)[i] = 1;
    if (!swi_attrs_unread(&a, 0)) fail_msg("byte %zu of sw_attrs is in no row of attrs.c", i);
  }
}

/* The dump of a node of op with value 2 in the byte of attrs at place, -1: in none. */
static void dump_with(sw_op op, int place, swi_text *t) {
  swi_node n = {.op = op, .type = {{.ndim = 1}}};
  if (place >= 0) ((char *)&n.attrs)[place] = 2;
  swi_put_attrs(t, &n);
}

/* One byte of each attribute that a dump shows by itself. */
static const struct {
  uint32_t attribute;
  size_t at;
} shown[] = {
    {SW_ATTR_AXES, offsetof(sw_attrs, axes)},
    {SW_ATTR_PERM, offsetof(sw_attrs, perm)},
    {SW_ATTR_VALUE, offsetof(sw_attrs, value)},
    {SW_ATTR_BATCH_POWER, offsetof(sw_attrs, batch_power)},
    {SW_ATTR_N, offsetof(sw_attrs, n)},
    {SW_ATTR_FIRST, offsetof(sw_attrs, offset)},
    {SW_ATTR_BEFORE, offsetof(sw_attrs, offset)},
    {SW_ATTR_SLOT, offsetof(sw_attrs, slot)},
    {SW_ATTR_ABSENT, offsetof(sw_attrs, absent)},
    {SW_ATTR_IGNORED, offsetof(sw_attrs, ignores)},
    {SW_ATTR_KERNEL, offsetof(sw_attrs, window.kernel)},
    {SW_ATTR_STRIDE, offsetof(sw_attrs, window.stride)},
    {SW_ATTR_PADDING, offsetof(sw_attrs, window.padding)},
    {SW_ATTR_DILATION, offsetof(sw_attrs, window.dilation)},
    {SW_ATTR_GROUPS, offsetof(sw_attrs, window.groups)},
    {SW_ATTR_VECTOR, offsetof(sw_attrs, slot)},
};

enum { SHOWN = sizeof shown / sizeof *shown };

/* The shape of the result shows these, and "^T" at an input the transposes. */
static const uint32_t elsewhere =
    SW_ATTR_KEEPDIM | SW_ATTR_SHAPE | SW_ATTR_SIZE | SW_ATTR_TRANSPOSE;

static void check_shown(sw_op op, uint32_t attribute) {
  char without[200] = "", with[200] = "";
  int k = 0;
  while (k < SHOWN && shown[k].attribute != attribute) k++;
  if (k == SHOWN) fail_msg("attribute %#x of %s: no row in this test", attribute, sw_op_name(op));
  dump_with(op, -1, &(swi_text){without, sizeof without, 0});
  dump_with(op, (int)shown[k].at, &(swi_text){with, sizeof with, 0});
  if (strcmp(with, without) == 0)
    fail_msg("attribute %#x of %s: not in the dump", attribute, sw_op_name(op));
}

TEST(every_attribute_changes_the_dump) {
  for (int i = 0; i < SW_OP_COUNT; i++)
    for (uint32_t bit = 1; bit != 0; bit <<= 1)
      if (sw_op_attrs((sw_op)i) & ~elsewhere & bit) check_shown((sw_op)i, bit);
}

RUN_TESTS(T(every_row_has_what_its_readers_call), T(elementwise_rows_name_the_kernel_of_their_op),
          T(attributes_that_are_not_read_are_named),
          T(every_byte_of_the_attributes_is_in_a_row_of_attrs_c),
          T(every_attribute_changes_the_dump))
