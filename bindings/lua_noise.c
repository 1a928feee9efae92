/* lua_noise.c: class noise, the gradient noise scale of measured steps; Fieller's interval. */
#include <math.h>

#include "measure/noise.h"
#include "support.h"

static int push_estimate(lua_State *L, sw_estimate e) {
  lua_pushstring(L, sw_estimate_status_name(e.status));
  lx_push_number(L, e.value);
  lx_push_number(L, e.low);
  lx_push_number(L, e.high);
  return 4;
}

static void read_numbers(lua_State *L, int index, const char *who, const char *what, double *to,
                         int n) {
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, index, i + 1);
    to[i] = lx_check_number(L, -1, who, what);
    lua_pop(L, 1);
  }
}

/* noise(target, n) */
static int new_noise(lua_State *L) {
  static const char *const targets[SW_TARGET_COUNT + 1] = {
      [SW_TARGET_TRAIN] = "train", [SW_TARGET_POPULATION] = "population"};
  lua_settop(L, 2);
  sw_noise *e = lx_push_shell(L, LX_NOISE);
  sw_noise_target target =
      (sw_noise_target)lx_check_choice(L, 1, "noise", "target", targets, SW_TARGET_TRAIN);
  lua_Integer n = INT64_MAX;
  if (!lua_isnil(L, 2)) n = lx_check_integer(L, 2, "noise", "n", 1, LUA_MAXINTEGER);
  sw_noise_init(e, target, n);
  return 1;
}

/* noise:add(batch, sum_sumsq, grad_sumsq) */
static int add(lua_State *L) {
  sw_noise *e = lx_check(L, 1, LX_NOISE, "noise:add", "self");
  lua_Integer batch = lx_check_integer(L, 2, "noise:add", "batch", 0, LUA_MAXINTEGER);
  sw_noise_add(e, batch, lx_check_number(L, 3, "noise:add", "sum_sumsq"),
               lx_check_number(L, 4, "noise:add", "grad_sumsq"));
  return 0;
}

static int read(lua_State *L) {
  return push_estimate(L, sw_noise_read(lx_check(L, 1, LX_NOISE, "noise:read", "self")));
}

static int parts(lua_State *L) {
  double s, g2;
  sw_noise_parts(lx_check(L, 1, LX_NOISE, "noise:parts", "self"), &s, &g2);
  lx_push_number(L, s);
  lx_push_number(L, g2);
  return 2;
}

/* ---- what it keeps */

static int kept(const sw_noise *e) {
  return e->count < SW_NOISE_MEASUREMENTS ? (int)e->count : SW_NOISE_MEASUREMENTS;
}

static void put_list(lua_State *L, const char *name, const double *x, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lx_push_number(L, x[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, name);
}

/* noise:save() -> { batch =, count =, s =, g2 = } */
static int save(lua_State *L) {
  const sw_noise *e = lx_check(L, 1, LX_NOISE, "noise:save", "self");
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, e->batch);
  lua_setfield(L, -2, "batch");
  lua_pushinteger(L, e->count);
  lua_setfield(L, -2, "count");
  put_list(L, "s", e->s, kept(e));
  put_list(L, "g2", e->g2, kept(e));
  return 1;
}

static void read_kept(lua_State *L, int index, const char *what, double *to, int n) {
  int length = lx_check_list(L, index, "noise:load", what, SW_NOISE_MEASUREMENTS);
  if (length != n) lx_error(L, "noise:load: %s must have %d numbers, got %d", what, n, length);
  read_numbers(L, index, "noise:load", what, to, n);
}

/* noise:load(saved) */
static int load(lua_State *L) {
  static const char *const names[] = {"batch", "count", "s", "g2", NULL};
  lua_settop(L, 2);
  sw_noise *e = lx_check(L, 1, LX_NOISE, "noise:load", "self"), fresh = *e;
  lx_check_options(L, 2, "noise:load", names);
  int batch = lx_push_option(L, 2, "batch"), count = lx_push_option(L, 2, "count");
  fresh.batch = lx_check_integer(L, batch, "noise:load", "batch", 0, LUA_MAXINTEGER);
  fresh.count = lx_check_integer(L, count, "noise:load", "count", 0, LUA_MAXINTEGER);
  read_kept(L, lx_push_option(L, 2, "s"), "s", fresh.s, kept(&fresh));
  read_kept(L, lx_push_option(L, 2, "g2"), "g2", fresh.g2, kept(&fresh));
  *e = fresh;
  return 0;
}

static const luaL_Reg methods[] = {{"add", add},   {"read", read}, {"parts", parts},
                                   {"save", save}, {"load", load}, {NULL, NULL}};

const lx_class_spec lx_noise_class = {
    .name = "noise", .size = sizeof(sw_noise), .plain = 1, .methods = methods};

/* ---- fieller(a, b, t), ratio { a =, b =, vaa =, vab =, vbb =, t =, signed = } */

static int fieller(lua_State *L) {
  enum { MOST = 1 << 24 };
  lua_settop(L, 3);
  int n = lx_check_list(L, 1, "fieller", "a", MOST), m = lx_check_list(L, 2, "fieller", "b", MOST);
  if (n != m || n < 2)
    return lx_error(
        L, "fieller: a and b must be equally long lists of 2 numbers or more, got %d and %d", n, m);
  double t = lx_check_number(L, 3, "fieller", "t");
  if (!(t > 0) || isinf(t)) return lx_error(L, "fieller: t must be positive, got %f", t);
  double *a = lua_newuserdatauv(L, 2 * (size_t)n * sizeof *a, 0);
  read_numbers(L, 1, "fieller", "an element of a", a, n);
  read_numbers(L, 2, "fieller", "an element of b", a + n, n);
  return push_estimate(L, sw_fieller_of_pairs(n, a, a + n, t));
}

static int ratio(lua_State *L) {
  static const char *const names[] = {"a", "b", "vaa", "vab", "vbb", "t", "signed", NULL};
  double value[6];
  lua_settop(L, 1);
  lx_check_options(L, 1, "ratio", names);
  for (int i = 0; i < 6; i++)
    value[i] = lx_check_number(L, lx_push_option(L, 1, names[i]), "ratio", names[i]);
  const sw_ratio r = {value[0], value[1], value[2], value[3], value[4]};
  if (!(value[5] > 0) || isinf(value[5]))
    return lx_error(L, "ratio: t must be positive, got %f", value[5]);
  int any = lua_toboolean(L, lx_push_option(L, 1, "signed"));
  return push_estimate(L, sw_fieller(&r, value[5], any ? SW_RATIO_ANY : SW_RATIO_POSITIVE));
}

const luaL_Reg lx_noise_functions[] = {
    {"noise", new_noise}, {"fieller", fieller}, {"ratio", ratio}, {NULL, NULL}};
