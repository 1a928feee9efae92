/* lua_schedule.c: class schedule: values as functions of progress. */
#include <math.h>

#include "support.h"
#include "train/schedule.h"

/* ---- reading the fields */

/* { amount =, unit = } at index, or nothing. */
static sw_duration duration(lua_State *L, int index, const char *what, sw_duration fallback) {
  static const char *const fields[] = {"amount", "unit", NULL};
  static const char *const units[] = {"steps", "examples", "epochs", NULL};
  if (lua_isnil(L, index)) return fallback;
  lx_check_table(L, index, "schedule", what);
  int at = lx_push_options(L, index, "schedule", fields);
  sw_duration d = {.amount = lx_check_number(L, at, "schedule", "amount")};
  d.unit = (sw_unit)lx_check_choice(L, at + 1, "schedule", "unit", units, -1);
  lua_settop(L, at - 1);
  return d;
}

static double number_or(lua_State *L, int index, const char *what, double fallback) {
  return lua_isnil(L, index) ? fallback : lx_check_number(L, index, "schedule", what);
}

/* Pushes a userdata with the list at index, count elements of bytes each. */
static void *push_list(lua_State *L, int index, const char *what, size_t bytes, int *count) {
  *count = 0;
  if (lua_isnil(L, index)) {
    lua_pushnil(L);
    return NULL;
  }
  *count = lx_check_list(L, index, "schedule", what, SW_SCHEDULE_SIZE);
  return lua_newuserdatauv(L, ((size_t)*count + 1) * bytes, 0);
}

static const double *push_values(lua_State *L, int index, const char *what, int *count) {
  double *list = push_list(L, index, what, sizeof *list, count);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, index, i + 1);
    list[i] = lx_check_number(L, -1, "schedule", what);
    lua_pop(L, 1);
  }
  return list;
}

static const sw_duration *push_durations(lua_State *L, int index, const char *what, int *count) {
  sw_duration *list = push_list(L, index, what, sizeof *list, count);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, index, i + 1);
    lx_check_table(L, -1, "schedule", what);
    list[i] = duration(L, lua_gettop(L), what, (sw_duration){0});
    lua_pop(L, 1);
  }
  return list;
}

/* Called last: no Lua code may run before the call that could free one of them. */
static sw_schedule *const *push_parts(lua_State *L, int index, int *count) {
  sw_schedule **list = push_list(L, index, "schedules", sizeof *list, count);
  for (int i = 0; i < *count; i++) {
    lua_rawgeti(L, index, i + 1);
    list[i] = *(sw_schedule **)lx_check(L, -1, LX_SCHEDULE, "schedule", "a part");
    lua_pop(L, 1);
  }
  return list;
}

enum {
  KIND,
  VALUE,
  FROM,
  TO,
  MAX,
  MIN,
  GAMMA,
  POWER,
  FRACTION,
  MULTIPLIER,
  SHAPE,
  THREE_PHASE,
  PERIOD,
  DOWN,
  WARMUP,
  STABLE,
  DECAY,
  VALUES,
  MARKS,
  DURATIONS,
  SCHEDULES
};

static const char *const names[] = {
    "kind",     "value",      "from",  "to",          "max",       "min",  "gamma",  "power",
    "fraction", "multiplier", "shape", "three_phase", "period",    "down", "warmup", "stable",
    "decay",    "values",     "marks", "durations",   "schedules", NULL};

/* clamp has no bounds unless they are given. */
static void read_numbers(lua_State *L, int at, sw_schedule_spec *s) {
  int clamp = s->kind == SW_SCHEDULE_CLAMP;
  s->value = number_or(L, at + VALUE, "value", 0);
  s->from = number_or(L, at + FROM, "from", 0);
  s->to = number_or(L, at + TO, "to", 0);
  s->max = number_or(L, at + MAX, "max", clamp ? HUGE_VAL : 0);
  s->min = number_or(L, at + MIN, "min", clamp ? -HUGE_VAL : 0);
  s->gamma = number_or(L, at + GAMMA, "gamma", 1);
  s->power = number_or(L, at + POWER, "power", 1);
  s->fraction = number_or(L, at + FRACTION, "fraction", 0.3);
  s->multiplier = 1;
  if (!lua_isnil(L, at + MULTIPLIER))
    s->multiplier = lx_check_integer(L, at + MULTIPLIER, "schedule", "multiplier", 1, INT32_MAX);
}

static void read_shape(lua_State *L, int at, sw_schedule_spec *s) {
  static const char *const shapes[] = {"cosine", "linear", "1-sqrt", NULL};
  int usual =
      s->kind == SW_SCHEDULE_WARMUP_STABLE_DECAY ? SW_DECAY_ONE_MINUS_SQRT : SW_DECAY_COSINE;
  s->shape = (sw_decay)lx_check_choice(L, at + SHAPE, "schedule", "shape", shapes, usual);
  s->three_phase = lx_check_boolean(L, at + THREE_PHASE, "schedule", "three_phase");
}

/* A duration not given is 0 in the unit of a given one; down is as long as period. */
static void read_durations(lua_State *L, int at, sw_schedule_spec *s) {
  s->period = duration(L, at + PERIOD, "period", (sw_duration){0, SW_EPOCHS});
  s->down = duration(L, at + DOWN, "down", s->period);
  s->decay = duration(L, at + DECAY, "decay", (sw_duration){0, SW_EPOCHS});
  s->warmup = duration(L, at + WARMUP, "warmup", (sw_duration){0, s->decay.unit});
  s->stable = duration(L, at + STABLE, "stable", (sw_duration){0, s->decay.unit});
}

static int check_kind(lua_State *L, int index) {
  const char *kinds[SW_SCHEDULE_KIND_COUNT + 1];
  for (int i = 0; i <= SW_SCHEDULE_KIND_COUNT; i++) kinds[i] = sw_schedule_kind_name(i);
  return lx_check_choice(L, index, "schedule", "kind", kinds, -1);
}

/* schedule { kind =, … } */
static int new_schedule(lua_State *L) {
  lua_settop(L, 1);
  sw_schedule **out = lx_push_shell(L, LX_SCHEDULE);
  int at = lx_push_options(L, 1, "schedule", names);
  sw_schedule_spec s = {.kind = (sw_schedule_kind)check_kind(L, at + KIND)};
  read_numbers(L, at, &s);
  read_shape(L, at, &s);
  read_durations(L, at, &s);
  s.values = push_values(L, at + VALUES, "values", &s.n_values);
  s.marks = push_durations(L, at + MARKS, "marks", &s.n_marks);
  s.durations = push_durations(L, at + DURATIONS, "durations", &s.n_durations);
  s.parts = push_parts(L, at + SCHEDULES, &s.n_parts);
  sw_status st = sw_schedule_new(lx_context(L), &s, out);
  if (st != SW_OK) return lx_retry(L, st, 1, new_schedule);
  lua_settop(L, 2);
  return 1;
}

/* ---- using it */

/* schedule:at(step, examples, next_examples, epoch_examples) */
static int at_progress(lua_State *L) {
  sw_schedule **s = lx_check(L, 1, LX_SCHEDULE, "schedule:at", "self");
  const lua_Integer most = SW_LARGEST_COUNT;
  sw_progress p = {
      .step = lx_check_integer(L, 2, "schedule:at", "step", 0, most),
      .examples = lx_check_integer(L, 3, "schedule:at", "examples", 0, most),
      .next_examples = lx_check_integer(L, 4, "schedule:at", "next_examples", 0, most),
      .epoch_examples = lx_check_integer(L, 5, "schedule:at", "epoch_examples", 1, LUA_MAXINTEGER),
  };
  lx_push_number(L, sw_schedule_at(*s, &p));
  return 1;
}

static int end(lua_State *L) {
  sw_schedule **box = lx_test(L, 1, LX_SCHEDULE);
  if (!box) return 0;
  sw_schedule *s = *box;
  *box = NULL;
  sw_schedule_release(s);
  return 0;
}

static const luaL_Reg methods[] = {{"at", at_progress}, {NULL, NULL}};

const lx_class_spec lx_schedule_class = {
    .name = "schedule", .size = sizeof(sw_schedule *), .end = end, .methods = methods};

const luaL_Reg lx_schedule_functions[] = {{"schedule", new_schedule}, {NULL, NULL}};
