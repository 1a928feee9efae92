--- The recipe "An elementwise op": sin.
local FUNCTIONS = "core/graph/op_functions.c"

return {
  adds = "elementwise op sin",
  pieces = {
    { name = "kernel", file = "core/kernels/elementwise.def", after = "UNARY(tanh, v_tanh)",
      text = "UNARY(sin, v_sin)\n", dropped = "SWI_UNARY_sin" },
    { name = "body", file = "core/kernels/body_elementwise.h",
      before = "static inline vec v_relu(vec x)", text = [[
/* libm's, one element after another */
static inline vec v_sin(vec x) {
  real one[V_N];
  v_store(one, x);
  for (int i = 0; i < V_N; i++)
    one[i] = sizeof(real) == 4 ? (real)sinf((float)one[i]) : (real)sin((double)one[i]);
  return v_load(one);
}

]], dropped = "v_sin" },
    { name = "name", file = "core/graph/ops.def", after = "OP(tanh)", text = "OP(sin)\n",
      dropped = "SW_OP_sin" },
    { name = "derivative", file = FUNCTIONS, before = "/* d softplus(x) = sigmoid(x) */", text = [[
/* d sin(x) = cos(x) = sin(x + pi / 2) */
static void sin_vjp(sw_graph *g, swi_vjp_args *v) {
  sw_edge ahead = swi_add(g, v->in[0], swi_fill(g, acos(-1) / 2));
  v->grad[0] = swi_mul(g, v->cotangent[0], swi_build_unary(g, SW_OP_sin, ahead));
}

]], dropped = "sin_vjp" },
    { name = "row", file = FUNCTIONS, before = "const swi_op_row swi_row_softplus", text = [[
const swi_op_row swi_row_sin = {
    UNARY_ROW(sin),
};
]], dropped = "undefined reference to .swi_row_sin" },
    { name = "vjp in the row", of = "row", file = FUNCTIONS, after = "UNARY_ROW(sin),",
      text = "    .vjp = sin_vjp,\n", dropped = "sin: input 1" },
    { name = "power in the row", of = "row", file = FUNCTIONS, after = "UNARY_ROW(sin),",
      text = "    .power = swi_power_zero,\n", dropped = "swi_row_sin: has no power" },
    { name = "method", file = "scripts/swale/ops.lua", before = "---1 / (1 + e^-x)", text = [[
---The sine of an angle in radians.
---@param x swale.Value
---@return swale.Value
function M.sin(x) return (apply("sin", nil, x)) end

]], dropped = "swale.ops has no function for the op sin" },
    { name = "test row", file = "tests/lua/test_ops.lua", part = "test",
      after = "abs = math.abs, erf = erf,", text = "  sin = math.sin,\n",
      dropped = "no row for sin" },
    { name = "line of docs", file = "docs/architecture.md", part = "docs",
      after = "| neg exp log relu tanh", text = "| sin | twice and more | of radians |\n",
      dropped = "docs/architecture.md has no line for the op sin" },
  },
  tests = { { "core", "test_op_rows" }, { "core", "test_kernels" },
    { "lua", "^test_ops%.TestOpTable%.test_[sh][ia][ns]" } },
}
