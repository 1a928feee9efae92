/* test_op_rows.c: requirements on every row of the op table. A message names the op. */
#include <string.h>

#include "check.h"
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
    require(op, row->n_out >= 1 && row->n_out <= SW_MAX_OUTPUTS, "has no number of outputs (.n_out)");
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

RUN_TESTS(T(every_row_has_what_its_readers_call), T(elementwise_rows_name_the_kernel_of_their_op),
          T(attributes_that_are_not_read_are_named),
          T(every_byte_of_the_attributes_is_in_a_row_of_attrs_c))
