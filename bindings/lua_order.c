/* lua_order.c: sorting, quantiles and running sums of tensors. */
#include "tensor/order.h"

#include "support.h"

/* core.sort(t, axis, descending) -> values, order */
static int sort(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **values = lx_push_tensor(L), **order = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "sort", "t");
  const int axis = lx_check_axis(L, 2, "sort", "axis", sw_tensor_shape(t)->ndim);
  const int descending = lx_check_boolean(L, 3, "sort", "descending");
  sw_status st = sw_tensor_sort(t, axis, descending, values, order);
  return st == SW_OK ? 2 : lx_retry(L, st, 3, sort);
}

/* core.quantile(t, { q, … }, axis) */
static int quantile(lua_State *L) {
  enum { MOST = 1000 };
  lua_settop(L, 3);
  sw_tensor **out = lx_push_tensor(L);
  const int count = lx_check_list(L, 2, "quantile", "q", MOST);
  double q[MOST];
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, 2, i + 1);
    q[i] = lx_check_number(L, -1, "quantile", "an element of q");
    lua_pop(L, 1);
  }
  sw_tensor *t = lx_check_tensor(L, 1, "quantile", "t");
  const int axis = lx_check_axis(L, 3, "quantile", "axis", sw_tensor_shape(t)->ndim);
  sw_status st = sw_tensor_quantile(t, axis, count, q, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 3, quantile);
}

/* core.cumsum(t, axis) */
static int cumsum(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "cumsum", "t");
  const int axis = lx_check_axis(L, 2, "cumsum", "axis", sw_tensor_shape(t)->ndim);
  sw_status st = sw_tensor_cumsum(t, axis, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, cumsum);
}

const luaL_Reg lx_order_functions[] = {
    {"sort", sort}, {"quantile", quantile}, {"cumsum", cumsum}, {NULL, NULL}};
