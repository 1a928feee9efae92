/* lua_apply.c: one op of the op table, on nodes or on tensors; and the operators. */
#include "graph/eager.h"
#include "lua_graph.h"

/* One call of an op. */
typedef struct call {
  const char *who;
  sw_op op;
  sw_attrs attrs;
  int first, n; /* stack indices of the inputs */
  int out;      /* and of the shells for the outputs */
} call;

/* ---- attributes */

/* Bits of, or positions in, the list of axes at index. */
static int read_axes(lua_State *L, const call *c, int index, const char *what, int ndim,
                     int *axes) {
  int n = lx_check_list(L, index, c->who, what, SW_MAX_DIMS);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, index, i + 1);
    axes[i] = lx_check_axis(L, -1, c->who, "an axis", ndim);
    lua_pop(L, 1);
    for (int k = 0; k < i; k++) {
      if (axes[k] == axes[i])
        lx_error(L, "%s: axis %d is named twice in %s", c->who, axes[i] + 1, what);
    }
  }
  return n;
}

/* Axes count from the first input's. */
static int first_ndim(lua_State *L, const call *c) {
  if (c->n == 0) return 0;
  const lx_node *node = lx_test(L, c->first, LX_NODE);
  if (node && node->g) return sw_graph_type(node->g, node->edge)->ndim;
  sw_tensor *const *t = lx_test(L, c->first, LX_TENSOR);
  return t && *t ? sw_tensor_shape(*t)->ndim : 0;
}

/* The attributes of windows, two numbers or one that stands for both. */
static void read_pair(lua_State *L, const call *c, int index, const char *what, int64_t least,
                      int64_t pair[2]) {
  if (lua_type(L, index) != LUA_TTABLE) {
    pair[0] = pair[1] = lx_check_integer(L, index, c->who, what, least, SW_MOST_WINDOW);
    return;
  }
  if (lx_check_list(L, index, c->who, what, 2) != 2)
    lx_error(L, "%s: %s takes one number or two: {rows, columns}", c->who, what);
  for (int i = 0; i < 2; i++) {
    lua_rawgeti(L, index, i + 1);
    pair[i] = lx_check_integer(L, -1, c->who, what, least, SW_MOST_WINDOW);
    lua_pop(L, 1);
  }
}

static void read_axes_bits(lua_State *L, call *c, int index) {
  int axes[SW_MAX_DIMS], n = read_axes(L, c, index, "axes", first_ndim(L, c), axes);
  for (int i = 0; i < n; i++) c->attrs.axes |= 1u << axes[i];
}

static void read_keepdim(lua_State *L, call *c, int index) {
  c->attrs.keepdim = lx_check_boolean(L, index, c->who, "keepdim");
}

static void read_transpose_a(lua_State *L, call *c, int index) {
  c->attrs.transpose_a = lx_check_boolean(L, index, c->who, "transpose_a");
}

static void read_transpose_b(lua_State *L, call *c, int index) {
  c->attrs.transpose_b = lx_check_boolean(L, index, c->who, "transpose_b");
}

static void read_shape(lua_State *L, call *c, int index) {
  c->attrs.ndim = lx_check_sizes(L, index, c->who, -1, c->attrs.dim);
}

static void read_perm(lua_State *L, call *c, int index) {
  int ndim = first_ndim(L, c);
  if (read_axes(L, c, index, "perm", ndim, c->attrs.perm) != ndim)
    lx_error(L, "%s: perm must name all %d axes", c->who, ndim);
}

static void read_value(lua_State *L, call *c, int index) {
  c->attrs.value = lx_check_number(L, index, c->who, "value");
}

static void read_batch_power(lua_State *L, call *c, int index) {
  c->attrs.batch_power = (int)lx_check_integer(L, index, c->who, "batch_power", -8, 8);
}

static void read_n(lua_State *L, call *c, int index) {
  c->attrs.n = lx_check_integer(L, index, c->who, "n", 0, SW_MOST_ELEMENTS);
}

static void read_first(lua_State *L, call *c, int index) {
  c->attrs.offset = lx_check_integer(L, index, c->who, "first", 1, SW_MOST_ELEMENTS) - 1;
}

static void read_before(lua_State *L, call *c, int index) {
  c->attrs.offset = lx_check_integer(L, index, c->who, "before", 0, SW_MOST_ELEMENTS);
}

static void read_ignored(lua_State *L, call *c, int index) {
  c->attrs.ignores = 1;
  c->attrs.ignored = lx_check_integer(L, index, c->who, "ignored", LX_ANY_INTEGER);
}

static void read_kernel(lua_State *L, call *c, int index) {
  read_pair(L, c, index, "kernel", 1, c->attrs.window.kernel);
}

static void read_stride(lua_State *L, call *c, int index) {
  read_pair(L, c, index, "stride", 1, c->attrs.window.stride);
}

static void read_padding(lua_State *L, call *c, int index) {
  read_pair(L, c, index, "padding", 0, c->attrs.window.padding);
}

static void read_dilation(lua_State *L, call *c, int index) {
  read_pair(L, c, index, "dilation", 1, c->attrs.window.dilation);
}

static void read_size(lua_State *L, call *c, int index) {
  read_pair(L, c, index, "size", 1, c->attrs.window.size);
}

static void read_groups(lua_State *L, call *c, int index) {
  c->attrs.window.groups = lx_check_integer(L, index, c->who, "groups", 1, SW_MOST_WINDOW);
}

/* Attributes by their names in Lua. An op takes those whose fields it reads. */
static const struct attribute {
  const char *name;
  uint32_t field; /* SW_ATTR_… */
  void (*read)(lua_State *L, call *c, int index);
} attributes[] = {
    {"axes", SW_ATTR_AXES, read_axes_bits},
    {"keepdim", SW_ATTR_KEEPDIM, read_keepdim},
    {"transpose_a", SW_ATTR_TRANSPOSE, read_transpose_a},
    {"transpose_b", SW_ATTR_TRANSPOSE, read_transpose_b},
    {"shape", SW_ATTR_SHAPE, read_shape},
    {"perm", SW_ATTR_PERM, read_perm},
    {"value", SW_ATTR_VALUE, read_value},
    {"batch_power", SW_ATTR_BATCH_POWER, read_batch_power},
    {"n", SW_ATTR_N, read_n},
    {"first", SW_ATTR_FIRST, read_first},
    {"before", SW_ATTR_BEFORE, read_before},
    {"ignored", SW_ATTR_IGNORED, read_ignored},
    {"kernel", SW_ATTR_KERNEL, read_kernel},
    {"stride", SW_ATTR_STRIDE, read_stride},
    {"padding", SW_ATTR_PADDING, read_padding},
    {"dilation", SW_ATTR_DILATION, read_dilation},
    {"size", SW_ATTR_SIZE, read_size},
    {"groups", SW_ATTR_GROUPS, read_groups},
};

enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

/* Pushes the values of the attributes that the op may have, from the table at index. */
static int push_attributes(lua_State *L, const call *c, int index) {
  const char *names[ATTRIBUTES + 1] = {NULL};
  int n = 0;
  for (int i = 0; i < ATTRIBUTES; i++)
    if (sw_op_attrs(c->op) & attributes[i].field) names[n++] = attributes[i].name;
  lx_check_table(L, index, c->who, "the argument");
  lua_pushnil(L);
  if (n == 0 && lua_next(L, index)) return lx_error(L, "%s: takes no attributes", c->who);
  lua_settop(L, c->first + c->n - 1);
  return lx_push_options(L, index, c->who, names);
}

/* at: index of the first of the values that push_attributes pushed. */
static void read_attributes(lua_State *L, call *c, int at) {
  for (int i = 0; i < ATTRIBUTES; i++) {
    if (!(sw_op_attrs(c->op) & attributes[i].field)) continue;
    if (!lua_isnil(L, at)) attributes[i].read(L, c, at);
    at++;
  }
}

/* ---- on tensors */

static int give_outputs(lua_State *L, const call *c, int n) {
  lua_settop(L, c->out + n - 1);
  return n;
}

/* The type that numbers take among tensors: that of the first of floats. */
static sw_dtype number_dtype(lua_State *L, const call *c) {
  for (int i = 0; i < c->n; i++) {
    sw_tensor *const *t = lx_test(L, c->first + i, LX_TENSOR);
    sw_dtype dtype = t && *t ? sw_tensor_dtype(*t) : SW_I32;
    if (dtype == SW_F32 || dtype == SW_F64) return dtype;
  }
  return SW_F32;
}

/* Calls no Lua. numbers[i] is the shell of an input that is a number, else NULL. */
static sw_status run_eager(sw_context *ctx, const call *c, sw_dtype dtype, sw_tensor **numbers[],
                           const double values[], sw_tensor *in[], sw_tensor **out[]) {
  const sw_shape scalar = {0};
  for (int i = 0; i < c->n; i++) {
    if (!numbers[i]) continue;
    SW_TRY(sw_tensor_new(ctx, dtype, &scalar, numbers[i]));
    SW_TRY(sw_tensor_fill(*numbers[i], values[i]));
    in[i] = *numbers[i];
  }
  sw_tensor *results[SW_MAX_OUTPUTS] = {NULL};
  int n = 0;
  SW_TRY(sw_eager(ctx, c->op, in, c->n, &c->attrs, results, &n));
  for (int i = 0; i < SW_MAX_OUTPUTS; i++) *out[i] = i < n ? results[i] : NULL;
  return SW_OK;
}

static sw_tensor *check_operand(lua_State *L, const call *c, int i) {
  int index = c->first + i;
  if (lx_test(L, index, LX_TENSOR)) return lx_check_tensor(L, index, c->who, "an operand");
  const char *hint = i == 0 && lua_isnil(L, index) ? "; methods are called with a colon: t:" : "";
  const char *words = lx_push_words(L, index);
  lx_error(L, "%s: works on tensors, nodes and numbers, got %s%s%s", c->who, words, hint,
           hint[0] ? lua_pushfstring(L, "%s()", c->who) : "");
}

static sw_status apply_tensors(lua_State *L, call *c, int values_at) {
  sw_tensor **out[SW_MAX_OUTPUTS], **numbers[SW_MAX_INPUTS] = {NULL}, *in[SW_MAX_INPUTS] = {NULL};
  double values[SW_MAX_INPUTS] = {0};
  c->out = lua_gettop(L) + 1;
  for (int i = 0; i < SW_MAX_OUTPUTS; i++) out[i] = lx_push_tensor(L);
  for (int i = 0; i < c->n; i++) {
    if (lua_type(L, c->first + i) == LUA_TNUMBER) numbers[i] = lx_push_tensor(L);
  }
  if (values_at) read_attributes(L, c, values_at);
  for (int i = 0; i < c->attrs.ndim; i++) {
    if (c->attrs.dim[i].batch) lx_error(L, "%s: tensors have no batch, give its size", c->who);
  }
  for (int i = 0; i < c->n; i++) {
    if (numbers[i]) {
      values[i] = lua_tonumber(L, c->first + i);
    } else {
      in[i] = check_operand(L, c, i);
    }
  }
  return run_eager(lx_context(L), c, number_dtype(L, c), numbers, values, in, out);
}

/* ---- on nodes */

/* Gives the operand at index as an edge of g: numbers and tensors become constants. */
static sw_status read_edge(lua_State *L, const call *c, int index, sw_graph *g, sw_edge *edge) {
  if (lua_type(L, index) == LUA_TNUMBER) return sw_graph_fill(g, lua_tonumber(L, index), edge);
  if (lx_test(L, index, LX_TENSOR)) {
    return sw_graph_constant(g, lx_check_tensor(L, index, c->who, "an operand"), edge);
  }
  const lx_node *node = lx_check(L, index, LX_NODE, c->who, "an operand");
  if (node->g != g) lx_error(L, "%s: the nodes are of two graphs", c->who);
  *edge = node->edge;
  return SW_OK;
}

static sw_status apply_nodes(lua_State *L, call *c, int values_at, int node) {
  lx_node *out[SW_MAX_OUTPUTS];
  sw_edge in[SW_MAX_INPUTS], results[SW_MAX_OUTPUTS];
  c->out = lua_gettop(L) + 1;
  for (int i = 0; i < SW_MAX_OUTPUTS; i++) {
    out[i] = lx_push_shell(L, LX_NODE);
    results[i] = SW_NO_EDGE;
  }
  if (values_at) read_attributes(L, c, values_at);
  sw_graph *g = ((lx_node *)lx_check(L, node, LX_NODE, c->who, "an operand"))->g;
  for (int i = 0; i < c->n; i++) SW_TRY(read_edge(L, c, c->first + i, g, &in[i]));
  SW_TRY(sw_graph_apply(g, c->op, in, c->n, &c->attrs, results));
  for (int i = 0; i < SW_MAX_OUTPUTS; i++) {
    if (results[i].node >= 0) lx_node_set(out[i], g, results[i]);
  }
  return SW_OK;
}

/* Index of the first input that is a node, 0 if none is. */
static int find_node(lua_State *L, const call *c) {
  for (int i = 0; i < c->n; i++) {
    if (lx_test(L, c->first + i, LX_NODE)) return c->first + i;
  }
  return 0;
}

/* values_at: index of the first of the attributes' values, 0 if there are none; top, f: for trying
 * again. */
static int apply(lua_State *L, call *c, int values_at, int top, lua_CFunction f) {
  if (c->n > SW_MAX_INPUTS)
    return lx_error(L, "%s: an op takes at most %d operands, got %d", c->who, SW_MAX_INPUTS, c->n);
  lx_reserve(L, 40);
  int node = find_node(L, c);
  sw_status st = node ? apply_nodes(L, c, values_at, node) : apply_tensors(L, c, values_at);
  if (st != SW_OK) return lx_retry(L, st, top, f);
  int n = 1;
  while (n < SW_MAX_OUTPUTS && !lx_is_empty(lua_touserdata(L, c->out + n))) n++;
  return give_outputs(L, c, n);
}

/* apply(op, attributes, …) */
static int apply_named(lua_State *L) {
  int top = lua_gettop(L);
  const char *name = lx_check_text(L, 1, "apply", "op");
  call c = {.who = name, .op = sw_op_find(name), .first = 3, .n = top > 2 ? top - 2 : 0};
  if (c.op == SW_OP_COUNT) return lx_error(L, "apply: there is no op \"%s\"", name);
  if (sw_op_is_leaf(c.op))
    return lx_error(L, "apply cannot make the leaf %s; use graph:%s", name, name);
  if (lua_isnoneornil(L, 2)) return apply(L, &c, 0, top, apply_named);
  return apply(L, &c, push_attributes(L, &c, 2), top, apply_named);
}

/* ops() */
static int ops(lua_State *L) {
  lua_createtable(L, SW_OP_COUNT, 0);
  for (int op = 0; op < SW_OP_COUNT; op++) {
    lua_pushstring(L, sw_op_name((sw_op)op));
    lua_rawseti(L, -2, op + 1);
  }
  return 1;
}

const luaL_Reg lx_apply_functions[] = {{"apply", apply_named}, {"ops", ops}, {NULL, NULL}};

/* ---- operators */

static int is_operand(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TNUMBER || lx_test(L, index, LX_TENSOR) ||
         lx_test(L, index, LX_NODE);
}

static int operate(lua_State *L, const char *sign, sw_op op, int n, lua_CFunction f) {
  lua_settop(L, n);
  for (int i = 1; i <= n; i++) {
    if (!is_operand(L, i)) {
      return lx_error(L, "'%s' works on tensors, nodes and numbers, got %s", sign,
                      lx_push_words(L, i));
    }
  }
  call c = {.who = sw_op_name(op), .op = op, .first = 1, .n = n};
  return apply(L, &c, 0, n, f);
}

static int add(lua_State *L) { return operate(L, "+", SW_OP_add, 2, add); }
static int sub(lua_State *L) { return operate(L, "-", SW_OP_sub, 2, sub); }
static int mul(lua_State *L) { return operate(L, "*", SW_OP_mul, 2, mul); }
static int div_(lua_State *L) { return operate(L, "/", SW_OP_div, 2, div_); }
static int pow_(lua_State *L) { return operate(L, "^", SW_OP_pow, 2, pow_); }
static int unm(lua_State *L) { return operate(L, "-", SW_OP_neg, 1, unm); }

/* Lua converts the result of a comparison to true or false. */
static int lt(lua_State *L) {
  return lx_error(L, "'<' and '>' give no tensor or node: compare elements by a:lt(b), a:gt(b)");
}

static int le(lua_State *L) {
  return lx_error(L, "'<=' and '>=' give no tensor or node: compare elements by a:le(b), a:ge(b)");
}

static int no_floor(lua_State *L) {
  return lx_error(L, "'//' and '%%' are not there for tensors and nodes, whose numbers are real");
}

static int no_bits(lua_State *L) {
  return lx_error(L, "'&', '|', '~', '<<' and '>>' are not there for tensors and nodes: masks are 0"
                     " and 1, a * b is both, ops.maximum(a, b) either");
}

static int no_call(lua_State *L) {
  return lx_error(L, "a %s is no function: t[i], t:get(i, j) and t:select(axis, i) take elements",
                  lx_test(L, 1, LX_NODE) ? "node" : "tensor");
}

static int concat(lua_State *L) {
  return lx_error(L, "'..' joins strings: write tostring(x) or x:item() for a tensor");
}

void lx_add_operators(lua_State *L, int module) {
  static const luaL_Reg operators[] = {
      {"__add", add},       {"__sub", sub},      {"__mul", mul},       {"__div", div_},
      {"__pow", pow_},      {"__unm", unm},      {"__lt", lt},         {"__le", le},
      {"__concat", concat}, {"__mod", no_floor}, {"__idiv", no_floor}, {"__band", no_bits},
      {"__bor", no_bits},   {"__bxor", no_bits}, {"__bnot", no_bits},  {"__shl", no_bits},
      {"__shr", no_bits},   {"__call", no_call}, {NULL, NULL},
  };
  lua_pushvalue(L, module);
  luaL_setfuncs(L, operators, 1);
}
