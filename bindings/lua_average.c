/* lua_average.c: class average: running averages of weights. */
#include "support.h"
#include "train/average.h"

static sw_average *check_average(lua_State *L, const char *who) {
  return *(sw_average **)lx_check(L, 1, LX_AVERAGE, who, "self");
}

/* The kind that the table at index names. */
static sw_average_kind read_kind(lua_State *L, int index) {
  const char *names[SW_AVERAGE_COUNT + 1] = {NULL};
  for (int i = 0; i < SW_AVERAGE_COUNT; i++) names[i] = sw_average_name((sw_average_kind)i);
  lx_check_table(L, index, "average", "the argument");
  int kind = lx_check_choice(L, lx_push_option(L, index, "kind"), "average", "kind", names, 0);
  lua_pop(L, 1);
  return (sw_average_kind)kind;
}

/* nil, or a table, at index: kind, and the fields of the kind. */
static sw_average_options read_options(lua_State *L, int index) {
  sw_average_options o = {.kind = SW_AVERAGE_SWA};
  if (lua_isnil(L, index)) return o;
  o.kind = read_kind(L, index);
  const sw_field *fields = sw_average_fields(o.kind);
  const char *names[SW_AVERAGE_FIELDS + 2] = {"kind"};
  for (int i = 0; fields[i].name; i++) names[i + 1] = fields[i].name;
  lx_check_options(L, index, "average", names);
  for (const sw_field *f = fields; f->name; f++) {
    sw_field_default(f, &o);
    lx_read_field(L, index, "average", f, &o);
  }
  return o;
}

/* average_kinds(): by name, the defaults of the kind's numbers */
static int get_kinds(lua_State *L) {
  lua_settop(L, 0);
  lua_newtable(L);
  for (int i = 0; i < SW_AVERAGE_COUNT; i++) {
    lua_newtable(L);
    for (const sw_field *f = sw_average_fields((sw_average_kind)i); f->name; f++) {
      if (f->type != SW_FIELD_NUMBER) continue;
      lua_pushnumber(L, f->fallback);
      lua_setfield(L, -2, f->name);
    }
    lua_setfield(L, 1, sw_average_name((sw_average_kind)i));
  }
  return 1;
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

const luaL_Reg lx_average_functions[] = {
    {"average", new_average}, {"average_kinds", get_kinds}, {NULL, NULL}};
