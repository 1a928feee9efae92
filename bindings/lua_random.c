/* lua_random.c: class random: streams of Philox. */
#include "support.h"

/* random(seed, name, n) */
static int new_random(lua_State *L) {
  lua_settop(L, 3);
  sw_random *r = lx_push_shell(L, LX_RANDOM);
  lua_Integer seed = lx_check_integer(L, 1, "random", "seed", LX_ANY_INTEGER);
  const char *name = lx_check_text(L, 2, "random", "name");
  lua_Integer n = lua_isnil(L, 3) ? 0 : lx_check_integer(L, 3, "random", "n", LX_ANY_INTEGER);
  sw_random_init(r, (uint64_t)seed, sw_stream(name, (uint64_t)n));
  return 1;
}

static int uniform(lua_State *L) {
  sw_random *r = lx_check(L, 1, LX_RANDOM, "random:uniform", "self");
  lua_pushnumber(L, sw_random_uniform(r));
  return 1;
}

static int normal(lua_State *L) {
  sw_random *r = lx_check(L, 1, LX_RANDOM, "random:normal", "self");
  lua_pushnumber(L, sw_random_normal(r));
  return 1;
}

static int integer(lua_State *L) {
  sw_random *r = lx_check(L, 1, LX_RANDOM, "random:integer", "self");
  lua_Integer n = lx_check_integer(L, 2, "random:integer", "n", 1, UINT32_MAX);
  lua_pushinteger(L, (lua_Integer)sw_random_below(r, (uint32_t)n) + 1);
  return 1;
}

static int fill_with(lua_State *L, const char *who, const char *a, const char *b,
                     sw_status (*fill)(sw_tensor *, sw_random *, double, double)) {
  sw_random *r = lx_check(L, 1, LX_RANDOM, who, "self");
  sw_tensor *t = lx_check_tensor(L, 2, who, "t");
  double first = lx_check_number(L, 3, who, a), second = lx_check_number(L, 4, who, b);
  sw_status st = fill(t, r, first, second);
  if (st != SW_OK) return lx_raise(L, st);
  lua_settop(L, 2);
  return 1;
}

static int fill_uniform(lua_State *L) {
  return fill_with(L, "random:fill_uniform", "low", "high", sw_tensor_uniform);
}

static int fill_normal(lua_State *L) {
  return fill_with(L, "random:fill_normal", "mean", "std", sw_tensor_normal);
}

static int permutation(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  sw_random *r = lx_check(L, 1, LX_RANDOM, "random:permutation", "self");
  lua_Integer n = lx_check_integer(L, 2, "random:permutation", "n", 0, INT32_MAX);
  sw_shape shape = sw_shape_of(1, &(int64_t){n});
  sw_status st = sw_tensor_new(lx_context(L), SW_I32, &shape, out);
  if (st != SW_OK) return lx_retry(L, st, 2, permutation);
  st = sw_tensor_permutation(*out, r);
  return st == SW_OK ? 1 : lx_raise(L, st);
}

/* ---- its position: seed, stream, position, words left, the words */

enum { SAVED = 8 };

/* random:save() -> a list of integers */
static int save(lua_State *L) {
  const sw_random *r = lx_check(L, 1, LX_RANDOM, "random:save", "self");
  const uint64_t x[SAVED] = {r->seed,    r->stream,  r->position, (uint64_t)r->left,
                             r->word[0], r->word[1], r->word[2],  r->word[3]};
  lua_createtable(L, SAVED, 0);
  for (int i = 0; i < SAVED; i++) {
    lua_pushinteger(L, (lua_Integer)x[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* random:load(saved) -> self */
static int load(lua_State *L) {
  static const char *const who = "random:load";
  sw_random *r = lx_check(L, 1, LX_RANDOM, who, "self");
  uint64_t x[SAVED];
  lua_settop(L, 2);
  if (lx_check_list(L, 2, who, "saved", SAVED) != SAVED)
    return lx_error(L, "random:load: saved is not what random:save gives");
  for (int i = 0; i < SAVED; i++) {
    lua_rawgeti(L, 2, i + 1);
    x[i] = (uint64_t)lx_check_integer(L, -1, who, "an element of saved", LX_ANY_INTEGER);
    lua_pop(L, 1);
  }
  if (x[3] > 4) return lx_error(L, "random:load: saved is not what random:save gives");
  *r = (sw_random){.seed = x[0], .stream = x[1], .position = x[2], .left = (int)x[3]};
  for (int i = 0; i < 4; i++) r->word[i] = (uint32_t)x[4 + i];
  lua_settop(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {
    {"uniform", uniform},
    {"normal", normal},
    {"integer", integer},
    {"fill_uniform", fill_uniform},
    {"fill_normal", fill_normal},
    {"permutation", permutation},
    {"save", save},
    {"load", load},
    {NULL, NULL},
};

const lx_class_spec lx_random_class = {
    .name = "random", .size = sizeof(sw_random), .plain = 1, .methods = methods};

const luaL_Reg lx_random_functions[] = {{"random", new_random}, {NULL, NULL}};
