/* lua_average.c: class average: running averages of weights. */
#include "support.h"
#include "train/average.h"

static sw_average *check_average(lua_State *L, const char *who) {
  return *(sw_average **)lx_check(L, 1, LX_AVERAGE, who, "self");
}

static const char *const kinds[] = {"swa", "ema", "last", NULL};

static const lx_option options[] = {
    {.name = "kind",
     .type = LX_CHOICE,
     .offset = offsetof(sw_average_options, kind),
     .choices = kinds},
    {.name = "decay", .type = LX_NUMBER, .offset = offsetof(sw_average_options, decay)},
    {.name = "k",
     .type = LX_WHOLE,
     .offset = offsetof(sw_average_options, k),
     .least = 1,
     .most = INT32_MAX},
    {.name = NULL}};

/* nil, or a table, at index. */
static sw_average_options read_options(lua_State *L, int index) {
  sw_average_options o = {.decay = 0.999};
  if (!lua_isnil(L, index)) lx_read_options(L, index, "average", options, &o);
  if (o.kind == SW_AVERAGE_LAST && o.k == 0)
    lx_error(L, "average: the mean of the last k points wants k");
  return o;
}

/* average(n, dtype, options) */
static int new_average(lua_State *L) {
  lua_settop(L, 3);
  sw_average **out = lx_push_shell(L, LX_AVERAGE);
  lua_Integer n = lx_check_integer(L, 1, "average", "n", 1, LUA_MAXINTEGER);
  sw_dtype dtype = lx_check_real(L, 2, "average");
  sw_average_options o = read_options(L, 3);
  sw_status st = sw_average_new(lx_context(L), &o, dtype, n, out);
  lua_settop(L, 4);
  return st == SW_OK ? 1 : lx_retry(L, st, 3, new_average);
}

static int update(lua_State *L) {
  sw_average *avg = check_average(L, "average:update");
  sw_tensor *weights = lx_check_tensor(L, 2, "average:update", "weights");
  sw_status st = sw_average_update(avg, weights);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, update);
}

static int restore(lua_State *L) {
  sw_average *avg = check_average(L, "average:restore");
  sw_tensor *state = lx_check_tensor(L, 2, "average:restore", "state");
  lua_Integer count = lx_check_integer(L, 3, "average:restore", "count", 1, SW_LARGEST_COUNT);
  sw_tensor *carry = NULL;
  lua_settop(L, 4);
  if (!lua_isnil(L, 4)) carry = lx_check_tensor(L, 4, "average:restore", "carry");
  sw_status st = sw_average_restore(avg, state, carry, count);
  return st == SW_OK ? 0 : lx_retry(L, st, 4, restore);
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

static int get_state(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_average_state(check_average(L, "average:state"), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, get_state);
}

static int get_carry(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_average_carry(check_average(L, "average:carry"), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, get_carry);
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
    {"update", update},   {"restore", restore}, {"count", get_count}, {"mean", get_mean},
    {"state", get_state}, {"carry", get_carry}, {NULL, NULL},
};

const lx_class_spec lx_average_class = {
    .name = "average", .size = sizeof(sw_average *), .end = end, .methods = methods};

const luaL_Reg lx_average_functions[] = {{"average", new_average}, {NULL, NULL}};
