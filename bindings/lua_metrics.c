/* lua_metrics.c: class metrics, a run's metrics.jsonl as columns of numbers. */
#include <string.h>

#include "io/metrics.h"
#include "support.h"

enum { SELF = 1, KIND, NAME, EXTRA, MOST_POINTS = 1 << 24 };

static int end(lua_State *L) {
  sw_metrics **box = lx_test(L, 1, LX_METRICS);
  if (!box) return 0;
  sw_metrics *m = *box;
  *box = NULL;
  sw_metrics_free(m);
  return 0;
}

/* metrics_read(path[, kind]) -> metrics */
static int metrics_read(lua_State *L) {
  lua_settop(L, 2);
  sw_metrics **out = lx_push_shell(L, LX_METRICS);
  const char *path = lx_check_text(L, 1, "metrics_read", "path");
  const char *kind = lua_isnil(L, 2) ? NULL : lx_check_text(L, 2, "metrics_read", "kind");
  sw_status st = sw_metrics_read(lx_context(L), path, kind, out);
  return st == SW_OK ? 1 : lx_fault(L, st);
}

static const sw_metrics *check_self(lua_State *L, const char *who) {
  return *(sw_metrics **)lx_check(L, SELF, LX_METRICS, who, "self");
}

/* metrics:kinds() -> their names */
static int kinds(lua_State *L) {
  const sw_metrics *m = check_self(L, "metrics:kinds");
  lua_createtable(L, sw_metrics_kinds(m), 0);
  for (int i = 0; i < sw_metrics_kinds(m); i++) {
    lua_pushstring(L, sw_metrics_kind(m, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* The place of a kind, -1 if there is none. */
static int find_kind(lua_State *L, const sw_metrics *m, const char *who) {
  const char *name = lx_check_text(L, KIND, who, "kind");
  for (int i = 0; i < sw_metrics_kinds(m); i++) {
    if (strcmp(sw_metrics_kind(m, i), name) == 0) return i;
  }
  return -1;
}

static int find_column(lua_State *L, const sw_metrics *m, int kind, const char *who) {
  const char *name = lx_check_text(L, NAME, who, "name");
  for (int i = 0; kind >= 0 && i < sw_metrics_columns(m, kind); i++) {
    if (strcmp(sw_metrics_name(m, kind, i), name) == 0) return i;
  }
  return -1;
}

/* metrics:rows(kind) -> how many; 0 of a kind that is not there. */
static int rows(lua_State *L) {
  const sw_metrics *m = check_self(L, "metrics:rows");
  int kind = find_kind(L, m, "metrics:rows");
  lua_pushinteger(L, kind < 0 ? 0 : sw_metrics_rows(m, kind));
  return 1;
}

/* metrics:names(kind) -> of its columns */
static int names(lua_State *L) {
  const sw_metrics *m = check_self(L, "metrics:names");
  int kind = find_kind(L, m, "metrics:names");
  int n = kind < 0 ? 0 : sw_metrics_columns(m, kind);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushstring(L, sw_metrics_name(m, kind, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* nan where the row has no value. */
static void push_value(lua_State *L, const sw_metrics *m, int kind, int column, int64_t row,
                       int whole) {
  double value;
  if (!sw_metrics_value(m, kind, column, row, &value)) {
    lua_getiuservalue(L, LX_MODULE, LX_CORE);
    lua_getfield(L, -1, "NAN");
    lua_remove(L, -2);
  } else if (whole) {
    lua_pushinteger(L, (lua_Integer)value);
  } else {
    lx_push_number(L, value);
  }
}

/* The rows of a list, from 1, in the userdata that is pushed. */
static int64_t *check_rows(lua_State *L, int64_t n_rows, int64_t *n) {
  lx_check_table(L, EXTRA, "metrics:values", "rows");
  *n = lx_check_list(L, EXTRA, "metrics:values", "rows", MOST_POINTS);
  int64_t *list = lua_newuserdatauv(L, ((size_t)*n + 1) * sizeof *list, 0);
  for (int64_t i = 0; i < *n; i++) {
    lua_rawgeti(L, EXTRA, i + 1);
    list[i] = lx_check_position(L, -1, "metrics:values", "row", n_rows);
    lua_pop(L, 1);
  }
  return list;
}

/* metrics:values(kind, name[, rows]) -> list of all rows' values, or of those, nan where one has
 * none; nil without such a column. */
static int values(lua_State *L) {
  lua_settop(L, EXTRA);
  const sw_metrics *m = check_self(L, "metrics:values");
  int kind = find_kind(L, m, "metrics:values");
  int column = find_column(L, m, kind, "metrics:values");
  if (column < 0) return 0;
  int64_t n = sw_metrics_rows(m, kind), *list = NULL;
  if (!lua_isnil(L, EXTRA)) list = check_rows(L, n, &n);
  int whole = sw_metrics_whole(m, kind, column);
  lua_createtable(L, n < MOST_POINTS ? (int)n : MOST_POINTS, 0);
  for (int64_t i = 0; i < n; i++) {
    push_value(L, m, kind, column, list != NULL ? list[i] : i, whole);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static void set_row(lua_State *L, const char *name, int64_t row) {
  if (row < 0) return;
  lua_pushinteger(L, row + 1);
  lua_setfield(L, -2, name);
}

/* metrics:summary(kind, name) -> { count =, last =, least =, greatest = }: rows, from 1; nil
 * without such a column. */
static int summary(lua_State *L) {
  const sw_metrics *m = check_self(L, "metrics:summary");
  int kind = find_kind(L, m, "metrics:summary");
  int column = find_column(L, m, kind, "metrics:summary");
  if (column < 0) return 0;
  sw_metrics_summary s = sw_metrics_summarise(m, kind, column);
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, s.count);
  lua_setfield(L, -2, "count");
  set_row(L, "last", s.last);
  set_row(L, "least", s.least);
  set_row(L, "greatest", s.greatest);
  return 1;
}

/* metrics:thin(kind, name, points) -> rows; nil without such a column. */
static int thin(lua_State *L) {
  lua_settop(L, EXTRA);
  const sw_metrics *m = check_self(L, "metrics:thin");
  int kind = find_kind(L, m, "metrics:thin");
  int column = find_column(L, m, kind, "metrics:thin");
  int64_t points = lx_check_integer(L, EXTRA, "metrics:thin", "points", 4, MOST_POINTS);
  if (column < 0) return 0;
  int64_t *list = lua_newuserdatauv(L, (size_t)points * sizeof *list, 0);
  int64_t n = sw_metrics_thin(m, kind, column, points, list);
  lua_createtable(L, (int)n, 0);
  for (int64_t i = 0; i < n; i++) {
    lua_pushinteger(L, list[i] + 1);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static const luaL_Reg methods[] = {{"kinds", kinds}, {"rows", rows},     {"names", names},
                                   {"thin", thin},   {"values", values}, {"summary", summary},
                                   {"free", end},    {NULL, NULL}};

const lx_class_spec lx_metrics_class = {
    .name = "metrics", .size = sizeof(sw_metrics *), .end = end, .methods = methods};

const luaL_Reg lx_metrics_functions[] = {{"metrics_read", metrics_read}, {NULL, NULL}};
