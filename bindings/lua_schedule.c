/* lua_schedule.c: class schedule: values as functions of progress. */
#include <string.h>

#include "support.h"
#include "train/schedule.h"

/* ---- reading the fields */

static sw_schedule_kind check_kind(lua_State *L, int index, const char *who) {
  const char *kinds[SW_SCHEDULE_KIND_COUNT + 1];
  for (int i = 0; i <= SW_SCHEDULE_KIND_COUNT; i++) kinds[i] = sw_schedule_kind_name(i);
  return (sw_schedule_kind)lx_check_choice(L, index, who, "kind", kinds, -1);
}

static int is_listed(const char *const *names, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (strcmp(names[i], name) == 0) return 1;
  return 0;
}

/* Raises on options that no schedule has. */
static void check_names(lua_State *L) {
  enum { MOST = 64 };
  const char *names[MOST] = {"kind"};
  int n = 1;
  for (const sw_field *f = sw_schedule_fields(); f->name && n < MOST - 1; f++)
    if (!is_listed(names, n, f->name)) names[n++] = f->name;
  lx_check_options(L, 1, "schedule", names);
}

/* Whether a kind reads a field of that name, which several fields may have. */
static int reads_name(sw_schedule_kind kind, const char *name) {
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (sw_schedule_reads(kind, f) && strcmp(f->name, name) == 0) return 1;
  return 0;
}

static void refuse_others(lua_State *L, sw_schedule_kind kind) {
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (!reads_name(kind, f->name))
      lx_refuse_field(L, 1, "schedule", sw_schedule_kind_name((int)kind), f);
}

/* schedule { kind =, … }. The parts are the last field: what ran before could have freed one. */
static int new_schedule(lua_State *L) {
  lua_settop(L, 1);
  sw_schedule **out = lx_push_shell(L, LX_SCHEDULE);
  check_names(L);
  sw_schedule_spec s =
      sw_schedule_defaults(check_kind(L, lx_push_option(L, 1, "kind"), "schedule"));
  refuse_others(L, s.kind);
  for (const sw_field *f = sw_schedule_fields(); f->name; f++)
    if (sw_schedule_reads(s.kind, f)) lx_read_field(L, 1, "schedule", f, &s);
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

/* schedule_fields(kind) -> { { name =, default =, least =, most =, open = }, … } */
static int schedule_fields(lua_State *L) {
  sw_schedule_kind kind = check_kind(L, 1, "schedule_fields");
  const sw_schedule_spec defaults = sw_schedule_defaults(kind);
  lua_newtable(L);
  int n = 0;
  for (const sw_field *f = sw_schedule_fields(); f->name; f++) {
    if (!sw_schedule_reads(kind, f)) continue;
    lx_push_field(L, f, &defaults);
    lua_rawseti(L, -2, ++n);
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

const luaL_Reg lx_schedule_functions[] = {{"schedule", new_schedule},
                                          {"schedule_kinds", schedule_kinds},
                                          {"schedule_fields", schedule_fields},
                                          {NULL, NULL}};
