/* lua_average.c: class average: running averages of weights. */
#include "support.h"
#include "train/average.h"

static sw_average *check_average(lua_State *L, const char *who) {
  return *(sw_average **)lx_check(L, 1, LX_AVERAGE, who, "self");
}

/* average(n, dtype) */
static int new_average(lua_State *L) {
  lua_settop(L, 2);
  sw_average **out = lx_push_shell(L, LX_AVERAGE);
  lua_Integer n = lx_check_integer(L, 1, "average", "n", 1, LUA_MAXINTEGER);
  sw_dtype dtype = lx_check_real(L, 2, "average");
  sw_status st = sw_average_new(lx_context(L), dtype, n, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, new_average);
}

static int update(lua_State *L) {
  sw_average *avg = check_average(L, "average:update");
  sw_tensor *weights = lx_check_tensor(L, 2, "average:update", "weights");
  sw_status st = sw_average_update(avg, weights);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, update);
}

static int restore(lua_State *L) {
  sw_average *avg = check_average(L, "average:restore");
  sw_tensor *mean = lx_check_tensor(L, 2, "average:restore", "mean");
  lua_Integer count = lx_check_integer(L, 3, "average:restore", "count", 1, LUA_MAXINTEGER);
  sw_status st = sw_average_restore(avg, mean, count);
  return st == SW_OK ? 0 : lx_retry(L, st, 3, restore);
}

static int get_count(lua_State *L) {
  lua_pushinteger(L, sw_average_count(check_average(L, "average:count")));
  return 1;
}

static int get_mean(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  const sw_tensor *mean;
  sw_status st = sw_average_get(check_average(L, "average:mean"), &mean);
  if (st == SW_OK) st = sw_tensor_clone(mean, out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, get_mean);
}

static int end(lua_State *L) {
  sw_average **box = lx_test(L, 1, LX_AVERAGE);
  if (!box) return 0;
  sw_average *avg = *box;
  *box = NULL;
  sw_average_free(avg);
  return 0;
}

static const luaL_Reg methods[] = {
    {"update", update}, {"restore", restore}, {"count", get_count},
    {"mean", get_mean}, {NULL, NULL},
};

const lx_class_spec lx_average_class = {
    .name = "average", .size = sizeof(sw_average *), .end = end, .methods = methods};

const luaL_Reg lx_average_functions[] = {{"average", new_average}, {NULL, NULL}};
