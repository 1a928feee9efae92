/* lua_schedule.c: class schedule: values as functions of progress. */
#include <string.h>

#include "support.h"
#include "train/schedule.h"

/* ---- reading the fields */

static const char *const units[] = {"steps", "examples", "epochs", NULL};

static const lx_option duration_options[] = {
    {.name = "amount", .type = LX_NUMBER, .offset = offsetof(sw_duration, amount), .needed = 1},
    {.name = "unit",
     .type = LX_CHOICE,
     .offset = offsetof(sw_duration, unit),
     .choices = units,
     .needed = 1},
    {.name = NULL}};

static sw_duration check_duration(lua_State *L, int index, const char *what) {
  sw_duration d;
  lx_check_table(L, index, "schedule", what);
  lx_read_options(L, index, "schedule", duration_options, &d);
  return d;
}

static size_t element_bytes(sw_field_type type) {
  if (type == SW_FIELD_NUMBERS) return sizeof(double);
  return type == SW_FIELD_DURATIONS ? sizeof(sw_duration) : sizeof(sw_schedule *);
}

/* One element of a list, at the top of the stack. */
static void read_element(lua_State *L, const sw_field *f, void *to) {
  int at = lua_gettop(L);
  if (f->type == SW_FIELD_NUMBERS) {
    *(double *)to = lx_check_number(L, at, "schedule", f->name);
  } else if (f->type == SW_FIELD_DURATIONS) {
    *(sw_duration *)to = check_duration(L, at, f->name);
  } else {
    *(sw_schedule **)to = *(sw_schedule **)lx_check(L, at, LX_SCHEDULE, "schedule", "a part");
  }
}

/* Leaves the table and the list's memory on the stack. */
static void read_list(lua_State *L, const sw_field *f, sw_schedule_spec *s) {
  int at = lx_push_option(L, 1, f->name);
  if (lua_isnil(L, at)) return;
  int n = lx_check_list(L, at, "schedule", f->name, SW_SCHEDULE_SIZE);
  size_t bytes = element_bytes(f->type);
  char *list = lua_newuserdatauv(L, ((size_t)n + 1) * bytes, 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, at, i + 1);
    read_element(L, f, list + (size_t)i * bytes);
    lua_pop(L, 1);
  }
  memcpy((char *)s + f->offset, &list, sizeof list);
  memcpy((char *)s + f->count, &n, sizeof n);
}

static void read_duration(lua_State *L, const sw_field *f, sw_schedule_spec *s) {
  int at = lx_push_option(L, 1, f->name);
  if (!lua_isnil(L, at)) {
    const sw_duration d = check_duration(L, at, f->name);
    memcpy((char *)s + f->offset, &d, sizeof d);
  }
  lua_pop(L, 1);
}

static void read_field(lua_State *L, const sw_field *f, sw_schedule_spec *s) {
  if (f->type == SW_FIELD_DURATION) {
    read_duration(L, f, s);
  } else if (f->type <= SW_FIELD_CHOICE) {
    const lx_option row = lx_option_of(f);
    lx_read_option(L, 1, "schedule", &row, s);
  } else {
    read_list(L, f, s);
  }
}

static sw_schedule_kind read_kind(lua_State *L) {
  const char *kinds[SW_SCHEDULE_KIND_COUNT + 1];
  for (int i = 0; i <= SW_SCHEDULE_KIND_COUNT; i++) kinds[i] = sw_schedule_kind_name(i);
  int at = lx_push_option(L, 1, "kind");
  return (sw_schedule_kind)lx_check_choice(L, at, "schedule", "kind", kinds, -1);
}

/* Raises on options that no schedule has. */
static void check_names(lua_State *L) {
  enum { MOST = 64 };
  const char *names[MOST] = {"kind"};
  int n = 1;
  for (const sw_field *f = sw_schedule_fields(); f->name && n < MOST - 1; f++) names[n++] = f->name;
  lx_check_options(L, 1, "schedule", names);
}

/* schedule { kind =, … }. The parts are the last field: what ran before could have freed one. */
static int new_schedule(lua_State *L) {
  lua_settop(L, 1);
  sw_schedule **out = lx_push_shell(L, LX_SCHEDULE);
  check_names(L);
  sw_schedule_spec s = sw_schedule_defaults(read_kind(L));
  for (const sw_field *f = sw_schedule_fields(); f->name; f++) read_field(L, f, &s);
  sw_status st = sw_schedule_new(lx_context(L), &s, out);
  if (st != SW_OK) return lx_retry(L, st, 1, new_schedule);
  lua_settop(L, 2);
  return 1;
}

/* schedule_kinds() -> { "constant", … } */
static int schedule_kinds(lua_State *L) {
  lua_createtable(L, SW_SCHEDULE_KIND_COUNT, 0);
  for (int i = 0; i < SW_SCHEDULE_KIND_COUNT; i++) {
    lua_pushstring(L, sw_schedule_kind_name(i));
    lua_rawseti(L, -2, i + 1);
  }
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

const luaL_Reg lx_schedule_functions[] = {
    {"schedule", new_schedule}, {"schedule_kinds", schedule_kinds}, {NULL, NULL}};
