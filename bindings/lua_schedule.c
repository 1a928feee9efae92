/* lua_schedule.c: class schedule: values as functions of progress. */
#include "support.h"
#include "train/schedule.h"

static double number_or(lua_State *L, int index, const char *what, double fallback) {
  return lua_isnil(L, index) ? fallback : lx_check_number(L, index, "schedule", what);
}

/* { amount =, unit = } at index, or nothing. */
static sw_duration duration(lua_State *L, int index, const char *what) {
  static const char *const fields[] = {"amount", "unit", NULL};
  static const char *const units[] = {"steps", "examples", "epochs", NULL};
  if (lua_isnil(L, index)) return (sw_duration){0, SW_EPOCHS};
  lx_check_table(L, index, "schedule", what);
  int at = lx_push_options(L, index, "schedule", fields);
  sw_duration d = {.amount = lx_check_number(L, at, "schedule", "amount")};
  d.unit = (sw_unit)lx_check_choice(L, at + 1, "schedule", "unit", units, -1);
  return d;
}

/* schedule { kind =, value =, gamma =, max =, min =, period =, down = } */
static int new_schedule(lua_State *L) {
  static const char *const names[] = {"kind", "value",  "gamma", "max",
                                      "min",  "period", "down",  NULL};
  static const char *const kinds[] = {"constant", "step", "cyclic", "triangular", NULL};
  lua_settop(L, 1);
  sw_schedule *s = lx_push_shell(L, LX_SCHEDULE);
  int at = lx_push_options(L, 1, "schedule", names);
  s->kind = (sw_schedule_kind)lx_check_choice(L, at, "schedule", "kind", kinds, -1);
  s->value = number_or(L, at + 1, "value", 0);
  s->gamma = number_or(L, at + 2, "gamma", 1);
  s->max = number_or(L, at + 3, "max", 0);
  s->min = number_or(L, at + 4, "min", 0);
  s->period = duration(L, at + 5, "period");
  s->down = lua_isnil(L, at + 6) ? s->period : duration(L, at + 6, "down");
  sw_status st = sw_schedule_check(lx_context(L), s);
  if (st != SW_OK) return lx_raise(L, st);
  lua_settop(L, 2);
  return 1;
}

/* schedule:at(step, examples, next_examples, epoch_examples) */
static int at_progress(lua_State *L) {
  sw_schedule *s = lx_check(L, 1, LX_SCHEDULE, "schedule:at", "self");
  const lua_Integer most = LUA_MAXINTEGER;
  sw_progress p = {
      .step = lx_check_integer(L, 2, "schedule:at", "step", 0, most),
      .examples = lx_check_integer(L, 3, "schedule:at", "examples", 0, most),
      .next_examples = lx_check_integer(L, 4, "schedule:at", "next_examples", 0, most),
      .epoch_examples = lx_check_integer(L, 5, "schedule:at", "epoch_examples", 1, most),
  };
  lua_pushnumber(L, sw_schedule_at(s, &p));
  return 1;
}

static const luaL_Reg methods[] = {{"at", at_progress}, {NULL, NULL}};

const lx_class_spec lx_schedule_class = {
    .name = "schedule", .size = sizeof(sw_schedule), .plain = 1, .methods = methods};

const luaL_Reg lx_schedule_functions[] = {{"schedule", new_schedule}, {NULL, NULL}};
