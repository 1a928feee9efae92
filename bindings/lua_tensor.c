/* lua_tensor.c: class tensor: elements, views, arithmetic in place. */
#include "support.h"

static void shape_words(const sw_tensor *t, char text[96]) {
  sw_shape_text(sw_tensor_shape(t), text, 96);
}

/* zeros(shape, dtype) */
static int zeros(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_shape shape = lx_check_shape(L, 1, "zeros", 0);
  sw_dtype dtype = lx_check_dtype(L, 2, "zeros");
  sw_status st = sw_tensor_new(lx_context(L), dtype, &shape, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, zeros);
}

/* ---- looking */

static int get_dtype(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:dtype", "self");
  lua_pushstring(L, sw_dtype_name(sw_tensor_dtype(t)));
  return 1;
}

static int get_shape(lua_State *L) {
  sw_shape shape = *sw_tensor_shape(lx_check_tensor(L, 1, "tensor:shape", "self"));
  lx_push_shape(L, &shape);
  return 1;
}

static int get_ndim(lua_State *L) {
  lua_pushinteger(L, sw_tensor_shape(lx_check_tensor(L, 1, "tensor:ndim", "self"))->ndim);
  return 1;
}

static int get_numel(lua_State *L) {
  lua_pushinteger(L, sw_tensor_numel(lx_check_tensor(L, 1, "tensor:numel", "self")));
  return 1;
}

static int is_contiguous(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:is_contiguous", "self");
  lua_pushboolean(L, sw_tensor_is_contiguous(t));
  return 1;
}

static int length(lua_State *L) {
  const sw_shape *shape = sw_tensor_shape(lx_check_tensor(L, 1, "#tensor", "self"));
  if (shape->ndim == 0) return lx_error(L, "#tensor: a scalar has no length");
  lua_pushinteger(L, shape->dim[0]);
  return 1;
}

void lx_push_element(lua_State *L, sw_dtype dtype, double value) {
  if (dtype == SW_I32 || dtype == SW_U8) {
    lua_pushinteger(L, (lua_Integer)value);
  } else {
    lx_push_number(L, value);
  }
}

static int item(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:item", "self");
  if (sw_tensor_numel(t) != 1) {
    char text[96];
    shape_words(t, text);
    return lx_error(L, "tensor:item: expected one element, the shape is %s", text);
  }
  const int64_t origin[SW_MAX_DIMS] = {0};
  double value;
  sw_status st = sw_tensor_get(t, origin, &value);
  if (st != SW_OK) return lx_raise(L, st);
  lx_push_element(L, sw_tensor_dtype(t), value);
  return 1;
}

/* Reads one index for each axis, from argument 2 on; n were given. */
static void check_indices(lua_State *L, const sw_tensor *t, int n, const char *who,
                          int64_t index[SW_MAX_DIMS]) {
  const sw_shape *shape = sw_tensor_shape(t);
  if (n != shape->ndim) {
    lx_error(L, "%s: expected %d %s, got %d", who, shape->ndim,
             shape->ndim == 1 ? "index" : "indices", n < 0 ? 0 : n);
  }
  for (int i = 0; i < n; i++) {
    index[i] = lx_check_position(L, i + 2, who, "index", shape->dim[i]);
  }
}

static int get(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:get", "self");
  int64_t index[SW_MAX_DIMS];
  double value;
  check_indices(L, t, lua_gettop(L) - 1, "tensor:get", index);
  sw_status st = sw_tensor_get(t, index, &value);
  if (st != SW_OK) return lx_raise(L, st);
  lx_push_element(L, sw_tensor_dtype(t), value);
  return 1;
}

static int set(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:set", "self");
  int64_t index[SW_MAX_DIMS];
  int n = lua_gettop(L);
  check_indices(L, t, n - 2, "tensor:set", index);
  double value = lx_check_number(L, n, "tensor:set", "the value");
  sw_status st = sw_tensor_set(t, index, value);
  return st == SW_OK ? 0 : lx_raise(L, st);
}

static int to_text(lua_State *L) {
  sw_tensor **box = lx_test(L, 1, LX_TENSOR);
  if (!box || !*box) {
    lua_pushliteral(L, "tensor (freed)");
    return 1;
  }
  luaL_Buffer b;
  size_t size = sw_tensor_print(*box, NULL, 0);
  char *text = luaL_buffinitsize(L, &b, size + 1);
  if (*box) sw_tensor_print(*box, text, size + 1); /* a finaliser may have freed it just now */
  luaL_pushresultsize(&b, *box ? size : 0);
  return 1;
}

/* ---- views and copies */

static int reshape(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:reshape", "self");
  sw_shape shape = lx_check_shape(L, 2, "tensor:reshape", -1);
  sw_status st = sw_tensor_reshape(t, &shape, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, reshape);
}

static int broadcast(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:broadcast", "self");
  sw_shape shape = lx_check_shape(L, 2, "tensor:broadcast", 0);
  sw_status st = sw_tensor_broadcast(t, &shape, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, broadcast);
}

static int select_index(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:select", "self");
  const sw_shape *shape = sw_tensor_shape(t);
  int axis = lx_check_axis(L, 2, "tensor:select", "axis", shape->ndim);
  int64_t index = lx_check_position(L, 3, "tensor:select", "index", shape->dim[axis]);
  sw_status st = sw_tensor_select(t, axis, index, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 3, select_index);
}

/* An empty range may begin one past the end. */
static int narrow(lua_State *L) {
  lua_settop(L, 4);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:narrow", "self");
  const sw_shape *shape = sw_tensor_shape(t);
  int axis = lx_check_axis(L, 2, "tensor:narrow", "axis", shape->ndim);
  int64_t size = shape->dim[axis];
  lua_Integer n = lx_check_integer(L, 4, "tensor:narrow", "length", 0, size);
  int64_t first = lx_check_position(L, 3, "tensor:narrow", "first", n == 0 ? size + 1 : size);
  if (first > size - n) {
    return lx_error(L, "tensor:narrow: %I elements from %I on go beyond axis %d, which has %I", n,
                    (lua_Integer)first + 1, axis + 1, (lua_Integer)size);
  }
  sw_status st = sw_tensor_narrow(t, axis, first, n, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 4, narrow);
}

static int transpose(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:transpose", "self");
  int ndim = sw_tensor_shape(t)->ndim;
  int axis1 = lx_check_axis(L, 2, "tensor:transpose", "axis1", ndim);
  int axis2 = lx_check_axis(L, 3, "tensor:transpose", "axis2", ndim);
  sw_status st = sw_tensor_transpose(t, axis1, axis2, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 3, transpose);
}

static int contiguous(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_tensor_contiguous(lx_check_tensor(L, 1, "tensor:contiguous", "self"), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, contiguous);
}

static int clone(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_tensor_clone(lx_check_tensor(L, 1, "tensor:clone", "self"), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, clone);
}

static int convert(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:to", "self");
  if (lua_isnil(L, 2)) return lx_error(L, "tensor:to: dtype is missing");
  sw_status st = sw_tensor_to(t, lx_check_dtype(L, 2, "tensor:to"), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, convert);
}

/* ---- in place; all give self back */

static int give_self(lua_State *L, sw_status st, int n, lua_CFunction f) {
  if (st != SW_OK) return lx_retry(L, st, n, f);
  lua_settop(L, 1);
  return 1;
}

static int fill(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:fill", "self");
  double value = lx_check_number(L, 2, "tensor:fill", "value");
  return give_self(L, sw_tensor_fill(t, value), 2, fill);
}

static int copy(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:copy", "self");
  sw_tensor *source = lx_check_tensor(L, 2, "tensor:copy", "source");
  return give_self(L, sw_tensor_copy(t, source), 2, copy);
}

static int add(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:add", "self");
  double alpha = lx_check_number(L, 2, "tensor:add", "alpha");
  sw_tensor *x = lx_check_tensor(L, 3, "tensor:add", "x");
  return give_self(L, sw_tensor_axpy(t, alpha, x), 3, add);
}

static int lerp(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:lerp", "self");
  double w = lx_check_number(L, 2, "tensor:lerp", "t");
  sw_tensor *x = lx_check_tensor(L, 3, "tensor:lerp", "x");
  return give_self(L, sw_tensor_lerp(t, w, x), 3, lerp);
}

static int scale(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:scale", "self");
  double c = lx_check_number(L, 2, "tensor:scale", "c");
  return give_self(L, sw_tensor_scale(t, c), 2, scale);
}

/* ---- to a number */

static int dot(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:dot", "self");
  sw_tensor *x = lx_check_tensor(L, 2, "tensor:dot", "x");
  double value;
  sw_status st = sw_tensor_dot(t, x, &value);
  if (st != SW_OK) return lx_retry(L, st, 2, dot);
  lx_push_number(L, value);
  return 1;
}

static int norm(lua_State *L) {
  double value;
  sw_status st = sw_tensor_norm(lx_check_tensor(L, 1, "tensor:norm", "self"), &value);
  if (st != SW_OK) return lx_retry(L, st, 1, norm);
  lx_push_number(L, value);
  return 1;
}

/* ---- the end */

static int end(lua_State *L) {
  sw_tensor **box = lx_test(L, 1, LX_TENSOR);
  if (!box) return 0;
  sw_tensor *t = *box;
  *box = NULL;
  sw_tensor_free(t);
  return 0;
}

static int free_now(lua_State *L) {
  if (!lx_test(L, 1, LX_TENSOR)) lx_check(L, 1, LX_TENSOR, "tensor:free", "self");
  return end(L);
}

static const luaL_Reg methods[] = {
    {"dtype", get_dtype},
    {"shape", get_shape},
    {"ndim", get_ndim},
    {"numel", get_numel},
    {"item", item},
    {"get", get},
    {"set", set},
    {"table", lx_tensor_table},
    {"reshape", reshape},
    {"select", select_index},
    {"narrow", narrow},
    {"transpose", transpose},
    {"broadcast", broadcast},
    {"is_contiguous", is_contiguous},
    {"contiguous", contiguous},
    {"clone", clone},
    {"to", convert},
    {"fill", fill},
    {"copy", copy},
    {"add", add},
    {"lerp", lerp},
    {"scale", scale},
    {"dot", dot},
    {"norm", norm},
    {"free", free_now},
    {NULL, NULL},
};

static const luaL_Reg meta[] = {{"__len", length}, {"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_tensor_class = {
    .name = "tensor", .size = sizeof(sw_tensor *), .end = end, .methods = methods, .meta = meta};

const luaL_Reg lx_tensor_functions[] = {
    {"tensor", lx_tensor_from_values}, {"zeros", zeros}, {NULL, NULL}};
