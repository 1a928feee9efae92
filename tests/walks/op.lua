--- The recipe "Any other op": flip, which reverses an axis.
local JOIN = "core/graph/op_join.c"
local SECTION = "/* ------------------------------------------------------------------ concat */"

return {
  adds = "op flip",
  pieces = {
    { name = "name", file = "core/graph/ops.def", after = "OP(concat)", text = "OP(flip)\n",
      dropped = "SW_OP_flip" },
    { name = "shape", file = JOIN, before = SECTION, text = [[
/* ------------------------------------------------------------------ flip */

/* The axis in reverse order. */
static sw_status flip_shape(swi_shape_args *a) {
  if (one_axis(a) < 0) return no_axis(a);
  a->out[0] = *a->in[0];
  return SW_OK;
}

]], dropped = "flip_shape" },
    { name = "evaluation", file = JOIN, before = SECTION, text = [[
static sw_status flip_eval(const swi_eval_args *e) {
  blocks b = blocks_of(&e->in_shape[0], e->attrs->axes);
  const int64_t run = b.inner * e->k->element_bytes;
  for (int64_t o = 0; o < b.outer; o++)
    for (int64_t i = 0; i < b.along; i++)
      copy((char *)e->out[0] + (o * b.along + i) * run,
           (const char *)e->in[0] + (o * b.along + b.along - 1 - i) * run, run);
  return SW_OK;
}

]], dropped = "flip_eval" },
    { name = "derivative", file = JOIN, before = SECTION, text = [[
static void flip_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_attrs attrs = {.axes = v->attrs->axes};
  v->grad[0] = swi_build(g, SW_OP_flip, v->cotangent[0], SW_NO_EDGE, SW_NO_EDGE, &attrs);
}

]], dropped = "flip_vjp" },
    { name = "row", file = JOIN, before = SECTION, text = [[
const swi_op_row swi_row_flip = {
    .n_in = 1,
    .n_out = 1,
};

]], dropped = "undefined reference to .swi_row_flip" },
    { name = "attributes in the row", of = "row", file = JOIN,
      after = "const swi_op_row swi_row_flip = {", text = "    .attrs = SW_ATTR_AXES,\n",
      dropped = "flip: takes no attributes" },
    { name = "shape in the row", of = "row", file = JOIN,
      after = "const swi_op_row swi_row_flip = {", text = "    .shape = flip_shape,\n",
      dropped = "swi_row_flip: has no shape" },
    { name = "eval in the row", of = "row", file = JOIN,
      after = "const swi_op_row swi_row_flip = {", text = "    .eval = flip_eval,\n",
      dropped = "swi_row_flip: has no eval" },
    { name = "vjp in the row", of = "row", file = JOIN,
      after = "const swi_op_row swi_row_flip = {", text = "    .vjp = flip_vjp,\n",
      dropped = "flip: input 1" },
    { name = "power in the row", of = "row", file = JOIN,
      after = "const swi_op_row swi_row_flip = {", text = "    .power = swi_power_of_first,\n",
      dropped = "swi_row_flip: has no power" },
    { name = "method", file = "scripts/swale/ops.lua",
      before = "---Concatenates values along an axis that is not the batch.", text = [[
---The elements of an axis that is not the batch in reverse order.
---@param x swale.Value
---@param axis? integer         the last
---@return swale.Value
function M.flip(x, axis) return (apply("flip", { axes = { axis or -1 } }, x)) end

]], dropped = "swale.ops has no function for the op flip" },
    { name = "test row", file = "tests/lua/test_ops.lua", part = "test",
      before = "function TestOpTable:test_has_a_row_for_every_op()", text = [[
h.add(TestOpTable, { op = "flip", attrs = { axes = { 2 } }, inputs = { { B, 3, 2 } },
  reference = function(a)
    return h.array(a.shape, function(i)
      local at = h.unravel(i, a.shape)
      at[2] = 2 - at[2]
      return a[h.ravel(at, a.shape)]
    end)
  end, wrong = { { { 2 }, says = "flip" } } })

]], dropped = "no row for flip" },
    { name = "line of docs", file = "docs/architecture.md", part = "docs",
      after = "| slice pad concat |",
      text = "| flip | twice and more | an axis in reverse order |\n",
      dropped = "docs/architecture.md has no line for the op flip" },
  },
  tests = { { "core", "test_op_rows" }, { "lua", "^test_ops%.TestOpTable%.test_[fh][la][is]" } },
}
