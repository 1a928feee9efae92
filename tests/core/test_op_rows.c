/* test_op_rows.c: requirements on every row of the op table. A message names the op. */
#include <string.h>

#include "check.h"
#include "graph/elementwise_int.h"

#define REQUIRE(op, condition, what) \
  if (!(condition)) fail_msg("swi_row_%s: %s", sw_op_name(op), what)

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
    REQUIRE(op, row->power, "has no power of the batch (.power)");
    REQUIRE(op, !row->shape == leaf, "has no shape rule (.shape), or is a leaf with one");
    REQUIRE(op, !row->eval == leaf, "has no evaluation (.eval), or is a leaf with one");
    REQUIRE(op, row->n_out >= 1 && row->n_out <= SWI_MAX_OUT, "a number of outputs (.n_out)");
    REQUIRE(op, (row->n_in == 0) == leaf && row->n_in <= SWI_MAX_IN, "a number of inputs (.n_in)");
    REQUIRE(op, !(row->attrs & SW_ATTR_KEEPDIM) || row->attrs & SW_ATTR_AXES, "keepdim, no axes");
  }
}

TEST(elementwise_rows_name_the_kernel_of_their_op) {
  for (int i = 0; i < SW_OP_COUNT; i++) {
    const sw_op op = (sw_op)i;
    const swi_op_row *row = swi_op(op);
    const int unary = row->eval == swi_unary_eval, binary = row->eval == swi_binary_eval;
    REQUIRE(op, (row->kernel > 0) == (unary || binary), ".kernel goes with swi_…nary_eval");
    if (row->kernel == 0) continue;
    REQUIRE(op, row->part == (unary ? swi_unary_part : swi_binary_part), ".part is another's");
    REQUIRE(op, row->kernel <= (int)(unary ? SWI_UNARY_COUNT : SWI_BINARY_COUNT), ".kernel");
    const char *name = (unary ? unary_names : binary_names)[row->kernel - 1];
    REQUIRE(op, strcmp(name, sw_op_name(op)) == 0, "has the kernel of another op");
  }
}

TEST(attributes_that_are_not_read_are_named) {
  const sw_attrs none = {0}, n = {.n = 3}, padding = {.window = {.padding = {0, 1}}};
  assert_null(swi_attrs_unread(&none, 0));
  assert_null(swi_attrs_unread(&n, SW_ATTR_N));
  assert_string_equal(swi_attrs_unread(&n, SW_ATTR_AXES), "n");
  assert_string_equal(swi_attrs_unread(&padding, SW_ATTR_STRIDE), "window.padding");
}

RUN_TESTS(T(every_row_has_what_its_readers_call), T(elementwise_rows_name_the_kernel_of_their_op),
          T(attributes_that_are_not_read_are_named))
