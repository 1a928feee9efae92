/* lua_index.c: object[key]: methods, elements of tensors and nodes, unknown names. */
#include <string.h>

#include "lua_graph.h"

/* Calls the function given to core.on_missing: f(class, key, methods), which raises. Without one,
 * raises a message of its own. Names such as __gc give nil: libraries that inspect values ask for
 * them. */
static int missing(lua_State *L, const char *name, int methods) {
  if (lua_type(L, 2) == LUA_TSTRING && strncmp(lua_tostring(L, 2), "__", 2) == 0) {
    lua_pushnil(L);
    return 1;
  }
  lx_reserve(L, 8);
  methods = lua_absindex(L, methods);
  if (lua_getiuservalue(L, LX_MODULE, LX_MISSING) == LUA_TFUNCTION) {
    lua_pushstring(L, name);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, methods);
    lua_call(L, 3, 0);
  }
  const char *words = lx_push_words(L, 2);
  return lx_error(L, "a %s has no method %s", name, words);
}

/* __index of a class' table of methods: (methods, key) */
static int method_missing(lua_State *L) {
  return missing(L, lua_tostring(L, lua_upvalueindex(2)), 1);
}

/* __newindex of every class but tensor: (object, key, value) */
static int no_assignment(lua_State *L) {
  const char *name = lua_tostring(L, lua_upvalueindex(2));
  if (lx_test(L, 1, LX_NODE)) {
    return lx_error(L, "node[i] cannot be set: a node stands for a value that is computed later;"
                       " ops.where chooses, ops.concat joins");
  }
  const char *words = lx_push_words(L, 2);
  return lx_error(L, "a %s has no fields to set, got [%s]", name, words);
}

/* Reads the index at 2 of an axis of size n, from 1 or negative from the end. Returns its place
 * from 0, or -1 past the end, where reading gives nil. */
static int64_t read_place(lua_State *L, const char *what, int64_t n) {
  int whole;
  lua_Integer i = lua_tointegerx(L, 2, &whole);
  if (whole && i > n) return -1;
  if (whole && i >= 1) return i - 1;
  if (whole && i <= -1 && i >= -n) return i + n;
  const char *words = lx_push_words(L, 2);
  lx_error(L, "%s[i]: i must be an integer from 1, or a negative one from the end, of %I; got %s",
           what, (lua_Integer)n, words);
}

static int64_t tensor_length(lua_State *L, const sw_tensor *t) {
  const sw_shape *shape = sw_tensor_shape(t);
  if (shape->ndim == 0) lx_error(L, "tensor[i]: a scalar has no elements by index: t:item()");
  return shape->dim[0];
}

/* tensor[i]: a number of a vector, else a view without the first axis. */
static int tensor_element(lua_State *L) {
  sw_tensor **out = NULL, *t = lx_check_tensor(L, 1, "tensor[i]", "self");
  if (sw_tensor_shape(t)->ndim > 1) out = lx_push_tensor(L);
  t = lx_check_tensor(L, 1, "tensor[i]", "self"); /* a finaliser may have freed it just now */
  const int64_t index[SW_MAX_DIMS] = {read_place(L, "tensor", tensor_length(L, t))};
  if (index[0] < 0) {
    lua_pushnil(L);
    return 1;
  }
  if (out) {
    sw_status st = sw_tensor_select(t, 0, index[0], out);
    return st == SW_OK ? 1 : lx_retry(L, st, 2, tensor_element);
  }
  double value;
  sw_status st = sw_tensor_get(t, index, &value);
  if (st != SW_OK) return lx_raise(L, st);
  lx_push_element(L, sw_tensor_dtype(t), value);
  return 1;
}

/* Pushes the method that the key at 2 names, else nil. */
static int push_method(lua_State *L) {
  lua_pushvalue(L, 2);
  return lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL;
}

/* (tensor, key) */
static int tensor_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TNUMBER) return tensor_element(L);
  return push_method(L) ? 1 : missing(L, "tensor", lua_upvalueindex(2));
}

/* Element or row i takes the value, a number or a tensor that can be broadcast to it. */
static sw_status set_element(sw_tensor *t, int64_t i, double number, const sw_tensor *value,
                             sw_tensor **row) {
  const int64_t index[SW_MAX_DIMS] = {i};
  if (!value && sw_tensor_shape(t)->ndim == 1) return sw_tensor_set(t, index, number);
  SW_TRY(sw_tensor_select(t, 0, i, row));
  return value ? sw_tensor_copy(*row, value) : sw_tensor_fill(*row, number);
}

/* tensor[i] = value */
static int tensor_assign(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **row = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor[i]", "self");
  if (lua_type(L, 2) != LUA_TNUMBER) {
    return lx_error(L, "a tensor has no fields to set, got [%s]", lx_push_words(L, 2));
  }
  int64_t n = tensor_length(L, t), i = read_place(L, "tensor", n);
  if (i < 0) {
    return lx_error(L, "tensor[i]: there is no element %s of %I to set", lx_push_words(L, 2),
                    (lua_Integer)n);
  }
  sw_tensor *const *value = lx_test(L, 3, LX_TENSOR);
  if (value) (void)lx_check_tensor(L, 3, "tensor[i]", "the value");
  double number = value ? 0 : lx_check_number(L, 3, "tensor[i]", "the value");
  sw_status st = set_element(t, i, number, value ? *value : NULL, row);
  return st == SW_OK ? 0 : lx_retry(L, st, 3, tensor_assign);
}

/* ---- nodes */

static sw_dim node_length(lua_State *L, const sw_type *type, const char *who) {
  if (type->ndim == 0) lx_error(L, "%s: a scalar has no axes", who);
  if (type->dim[0].batch) {
    lx_error(L,
             "%s: the first axis is the batch, of any size; node:slice(axis, first, n) takes from"
             " another axis",
             who);
  }
  return type->dim[0];
}

/* Slice i of the first axis, without it. */
static sw_status take_slice(sw_graph *g, sw_edge from, int64_t i, sw_edge *out) {
  sw_type type = *sw_graph_type(g, from);
  sw_attrs slice = {.axes = 1, .offset = i, .n = 1}, rest = {.ndim = type.ndim - 1};
  for (int axis = 1; axis < type.ndim; axis++) rest.dim[axis - 1] = type.dim[axis];
  sw_edge part;
  SW_TRY(sw_graph_apply(g, SW_OP_slice, &from, 1, &slice, &part));
  return sw_graph_apply(g, SW_OP_reshape, &part, 1, &rest, out);
}

static int node_element(lua_State *L) {
  lx_node *out = lx_push_shell(L, LX_NODE);
  const lx_node *node = lx_check(L, 1, LX_NODE, "node[i]", "self");
  sw_dim size = node_length(L, sw_graph_type(node->g, node->edge), "node[i]");
  int64_t i = read_place(L, "node", size.n);
  if (i < 0) {
    lua_pushnil(L);
    return 1;
  }
  sw_edge edge;
  sw_status st = take_slice(node->g, node->edge, i, &edge);
  if (st != SW_OK) return lx_retry(L, st, 2, node_element);
  lx_node_set(out, node->g, edge);
  return 1;
}

/* (node, key) */
static int node_index(lua_State *L) {
  if (lua_type(L, 2) == LUA_TNUMBER) return node_element(L);
  return push_method(L) ? 1 : missing(L, "node", lua_upvalueindex(2));
}

int lx_node_length(lua_State *L) {
  const lx_node *node = lx_check(L, 1, LX_NODE, "#node", "self");
  lua_pushinteger(L, node_length(L, sw_graph_type(node->g, node->edge), "#node").n);
  return 1;
}

/* ---- the module */

/* Adds to the metatable on top a closure of module and what is at index. */
static void set_closure(lua_State *L, int module, int index, const char *name, lua_CFunction f) {
  index = lua_absindex(L, index);
  lua_pushvalue(L, module);
  lua_pushvalue(L, index);
  lua_pushcclosure(L, f, 2);
  lua_setfield(L, -2, name);
}

/* Stack: metatable, methods; pops the methods. Elements need the object, which the __index of a
 * table of methods does not get, so tensors and nodes look methods up by a function. */
void lx_define_index(lua_State *L, int module, lx_class c) {
  int meta = lua_gettop(L) - 1, methods = meta + 1, name = meta + 2;
  lua_pushvalue(L, methods);
  lua_setfield(L, meta, "methods");
  lua_pushstring(L, lx_spec(c)->name);
  lua_pushvalue(L, meta);
  if (c == LX_TENSOR) {
    set_closure(L, module, methods, "__index", tensor_index);
    set_closure(L, module, methods, "__newindex", tensor_assign);
  } else {
    set_closure(L, module, name, "__newindex", no_assignment);
    if (c == LX_NODE) set_closure(L, module, methods, "__index", node_index);
  }
  if (c != LX_TENSOR && c != LX_NODE) {
    lua_pushvalue(L, methods);
    lua_setfield(L, meta, "__index");
    lua_createtable(L, 0, 1);
    set_closure(L, module, name, "__index", method_missing);
    lua_setmetatable(L, methods);
  }
  lua_settop(L, meta);
}

/* on_missing(f) */
static int on_missing(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_isfunction(L, 1)) {
    return lx_error(L, "on_missing: f must be a function, got %s", lx_push_words(L, 1));
  }
  lua_setiuservalue(L, LX_MODULE, LX_MISSING);
  return 0;
}

const luaL_Reg lx_index_functions[] = {{"on_missing", on_missing}, {NULL, NULL}};
