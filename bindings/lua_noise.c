/* lua_noise.c: class noise, the gradient noise scale of measured steps; Fieller's interval. */
#include <math.h>
#include <stddef.h>

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

static const char *const targets[SW_TARGET_COUNT + 1] = {
    [SW_TARGET_TRAIN] = "train", [SW_TARGET_POPULATION] = "population"};

static const lx_option options[] = {
    {.name = "target",
     .type = LX_CHOICE,
     .offset = offsetof(sw_noise_options, target),
     .choices = targets},
    {.name = "independent", .type = LX_BOOLEAN, .offset = offsetof(sw_noise_options, independent)},
    {.name = "n",
     .type = LX_WHOLE,
     .offset = offsetof(sw_noise_options, n),
     .least = 1,
     .most = LUA_MAXINTEGER},
    {.name = "window",
     .type = LX_WHOLE,
     .offset = offsetof(sw_noise_options, window),
     .most = LUA_MAXINTEGER},
    {.name = "regularised", .type = LX_BOOLEAN, .offset = offsetof(sw_noise_options, regularised)},
    {.name = NULL}};

/* noise { target =, independent =, n =, window =, regularised = } */
static int new_noise(lua_State *L) {
  lua_settop(L, 1);
  sw_noise_options o = {.target = SW_TARGET_TRAIN, .n = INT64_MAX};
  if (!lua_isnil(L, 1)) lx_read_options(L, 1, "noise", options, &o);
  sw_noise_init(lx_push_shell(L, LX_NOISE), &o);
  return 1;
}

static sw_noise *check(lua_State *L, const char *who) {
  return lx_check(L, 1, LX_NOISE, who, "self");
}

/* noise:add(step, examples, batch, momentum, sum_sumsq, grad_sumsq, regularised_sumsq), as
 * loop:norms gives them */
static int add(lua_State *L) {
  static const char *const who = "noise:add";
  sw_noise *e = check(L, who);
  sw_noise_step m = {.step = lx_check_integer(L, 2, who, "step", 1, SW_LARGEST_COUNT),
                     .examples = lx_check_integer(L, 3, who, "examples", 0, SW_LARGEST_COUNT),
                     .batch = lx_check_integer(L, 4, who, "batch", 0, SW_LARGEST_COUNT),
                     .momentum = lx_check_number(L, 5, who, "momentum"),
                     .sum_sumsq = lx_check_number(L, 6, who, "sum_sumsq"),
                     .grad_sumsq = lx_check_number(L, 7, who, "grad_sumsq"),
                     .regularised_sumsq = (double)NAN};
  if (!lua_isnoneornil(L, 8)) m.regularised_sumsq = lx_check_number(L, 8, who, "regularised_sumsq");
  sw_noise_add(e, &m);
  return 0;
}

/* noise:read() -> status, value, low, high, sure */
static int read(lua_State *L) {
  const sw_noise_reading r = sw_noise_read(check(L, "noise:read"));
  (void)push_estimate(L, r.estimate);
  lx_push_number(L, r.sure);
  return 5;
}

static int parts(lua_State *L) {
  sw_noise_reading r = sw_noise_read(check(L, "noise:parts"));
  lx_push_number(L, r.s);
  lx_push_number(L, r.g2);
  return 2;
}

/* noise:window() -> first, last, measurements, blocks, span */
static int window(lua_State *L) {
  sw_noise_reading r = sw_noise_read(check(L, "noise:window"));
  lua_pushinteger(L, r.first);
  lua_pushinteger(L, r.last);
  lua_pushinteger(L, r.measurements);
  lua_pushinteger(L, r.blocks);
  lx_push_number(L, r.span);
  return 5;
}

/* ---- what it keeps: lists of numbers */

static void push_list(lua_State *L, const double *x, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lx_push_number(L, x[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

enum { LOOK = 3 };

/* Returns 0 if part `which` of what noise:save gives cannot be these numbers. */
static int take_part(sw_noise *e, int which, const double *x, int n) {
  if (which == 0) return sw_recent_load(&e->window, x, n);
  if (which == 1) return sw_recent_cut_load(&e->latest, x, n);
  if (which == 2) {
    if (n != (e->latest.n > 0 ? SW_SPREAD_NUMBERS : 0)) return 0;
    e->spread = (sw_spread){0};
    return n == 0 || sw_spread_load(&e->spread, x);
  }
  if (n != LOOK || !(x[0] >= 0) || !(x[2] >= 0)) return 0;
  e->look = (sw_noise_look){x[0], x[1], x[2]};
  return 1;
}

/* noise:save() -> { cells =, latest =, spread =, look = } */
static int save(lua_State *L) {
  double x[SW_RECENT_NUMBERS];
  const sw_noise *e = check(L, "noise:save");
  lua_createtable(L, 0, 4);
  push_list(L, x, sw_recent_save(&e->window, x));
  lua_setfield(L, -2, "cells");
  push_list(L, x, sw_recent_cut_save(&e->latest, x));
  lua_setfield(L, -2, "latest");
  sw_spread_save(&e->spread, x);
  push_list(L, x, e->latest.n > 0 ? SW_SPREAD_NUMBERS : 0);
  lua_setfield(L, -2, "spread");
  push_list(L, (const double[]){e->look.count, e->look.last, e->look.low}, LOOK);
  lua_setfield(L, -2, "look");
  return 1;
}

/* noise:load(saved) */
static int load(lua_State *L) {
  static const char *const who = "noise:load", *const names[] = {"cells", "latest", "spread",
                                                                 "look", NULL};
  double x[SW_RECENT_NUMBERS];
  lua_settop(L, 2);
  sw_noise *e = check(L, who), fresh = *e;
  lx_check_options(L, 2, who, names);
  for (int i = 0; names[i]; i++) {
    int at = lx_push_option(L, 2, names[i]),
        n = lx_check_list(L, at, who, names[i], SW_RECENT_NUMBERS);
    read_numbers(L, at, who, names[i], x, n);
    if (!take_part(&fresh, i, x, n))
      return lx_error(L, "noise:load: %s is not what noise:save gives", names[i]);
  }
  *e = fresh;
  return 0;
}

static const luaL_Reg methods[] = {{"add", add},       {"read", read}, {"parts", parts},
                                   {"window", window}, {"save", save}, {"load", load},
                                   {NULL, NULL}};

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
  const sw_pairs pairs = {n, NULL, a, a + n};
  return push_estimate(L, sw_fieller_of_pairs(&pairs, t));
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
