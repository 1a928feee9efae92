/* fields.c: reads and pushes the fields of the core's structs of options, by their types. */
#include <string.h>

#include "support.h"
#include "train/schedule.h"

static const char *const units[] = {"steps", "examples", "epochs", NULL};

static const lx_option duration_options[] = {
    {.name = "amount", .type = LX_NUMBER, .offset = offsetof(sw_duration, amount), .needed = 1},
    {.name = "unit",
     .type = LX_CHOICE,
     .offset = offsetof(sw_duration, unit),
     .choices = units,
     .needed = 1},
    {.name = NULL}};

static sw_duration check_duration(lua_State *L, int index, const char *who, const char *what) {
  sw_duration d;
  lx_check_table(L, index, who, what);
  lx_read_options(L, index, who, duration_options, &d);
  return d;
}

/* One element of a list, at the top of the stack. */
static void read_element(lua_State *L, const char *who, const sw_field *f, void *to) {
  int at = lua_gettop(L);
  if (f->type == SW_FIELD_NUMBERS) {
    *(double *)to = lx_check_number(L, at, who, f->name);
  } else if (f->type == SW_FIELD_DURATIONS) {
    *(sw_duration *)to = check_duration(L, at, who, f->name);
  } else {
    *(sw_schedule **)to = *(sw_schedule **)lx_check(L, at, LX_SCHEDULE, who, "a part");
  }
}

/* Leaves the table and the list's memory on the stack. */
static void read_list(lua_State *L, int arg, const char *who, const sw_field *f, void *into) {
  int at = lx_push_option(L, arg, f->name);
  if (lua_isnil(L, at)) return;
  int n = lx_check_list(L, at, who, f->name, SW_SCHEDULE_SIZE);
  char *list = lua_newuserdatauv(L, ((size_t)n + 1) * f->element, 0);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, at, i + 1);
    read_element(L, who, f, list + (size_t)i * f->element);
    lua_pop(L, 1);
  }
  memcpy((char *)into + f->offset, &list, sizeof list);
  memcpy((char *)into + f->count, &n, sizeof n);
}

static void read_duration(lua_State *L, int arg, const char *who, const sw_field *f, void *into) {
  int at = lx_push_option(L, arg, f->name);
  if (!lua_isnil(L, at)) {
    const sw_duration d = check_duration(L, at, who, f->name);
    memcpy((char *)into + f->offset, &d, sizeof d);
  }
  lua_pop(L, 1);
}

static void read_plain(lua_State *L, int arg, const char *who, const sw_field *f,
                       lx_option_type type, void *into) {
  const int whole = type == LX_WHOLE;
  const lx_option row = {.name = f->name,
                         .type = type,
                         .offset = f->offset,
                         .least = whole ? (lua_Integer)f->range.least : 0,
                         .most = whole ? (lua_Integer)f->range.most : 0,
                         .choices = f->choices};
  lx_read_option(L, arg, who, &row, into);
}

void lx_read_field(lua_State *L, int arg, const char *who, const sw_field *f, void *into) {
  switch (f->type) {
  case SW_FIELD_NUMBER: read_plain(L, arg, who, f, LX_NUMBER, into); return;
  case SW_FIELD_WHOLE: read_plain(L, arg, who, f, LX_WHOLE, into); return;
  case SW_FIELD_FLAG: read_plain(L, arg, who, f, LX_BOOLEAN, into); return;
  case SW_FIELD_CHOICE: read_plain(L, arg, who, f, LX_CHOICE, into); return;
  case SW_FIELD_DURATION: read_duration(L, arg, who, f, into); return;
  case SW_FIELD_NUMBERS:
  case SW_FIELD_DURATIONS:
  case SW_FIELD_SCHEDULES: read_list(L, arg, who, f, into); return;
  }
}

void lx_refuse_field(lua_State *L, int arg, const char *who, const char *owner, const sw_field *f) {
  if (!lua_isnil(L, lx_push_option(L, arg, f->name)))
    lx_error(L, "%s: %s takes no %s", who, owner, f->name);
  lua_pop(L, 1);
}

/* ---- to Lua */

void lx_put_interval(lua_State *L, sw_interval range) {
  lua_pushnumber(L, range.least);
  lua_setfield(L, -2, "least");
  lua_pushnumber(L, range.most);
  lua_setfield(L, -2, "most");
  lua_pushboolean(L, range.open);
  lua_setfield(L, -2, "open");
}

static void push_value(lua_State *L, const sw_field *f, const void *from) {
  const void *at = (const char *)from + f->offset;
  switch (f->type) {
  case SW_FIELD_NUMBER: lua_pushnumber(L, *(const double *)at); return;
  case SW_FIELD_WHOLE: lua_pushinteger(L, *(const int64_t *)at); return;
  case SW_FIELD_FLAG: lua_pushboolean(L, *(const int *)at); return;
  case SW_FIELD_CHOICE: lua_pushstring(L, f->choices[*(const int *)at]); return;
  case SW_FIELD_DURATION:
  case SW_FIELD_NUMBERS:
  case SW_FIELD_DURATIONS:
  case SW_FIELD_SCHEDULES: lua_pushnil(L); return;
  }
}

void lx_push_field(lua_State *L, const sw_field *f, const void *defaults) {
  lua_createtable(L, 0, 5);
  lua_pushstring(L, f->name);
  lua_setfield(L, -2, "name");
  push_value(L, f, defaults);
  lua_setfield(L, -2, "default");
  if (f->type == SW_FIELD_NUMBER || f->type == SW_FIELD_WHOLE) lx_put_interval(L, f->range);
}
