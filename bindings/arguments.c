/* arguments.c: reads arguments of scripts, without conversions and without calling Lua code. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "support.h"

static const char *class_name(lua_State *L, int index) {
  for (int c = 0; c < LX_CLASS_COUNT; c++) {
    if (lx_test(L, index, (lx_class)c)) return lx_spec((lx_class)c)->name;
  }
  return luaL_typename(L, index);
}

const char *lx_push_words(lua_State *L, int index) {
  lx_reserve(L, 6);
  index = lua_absindex(L, index);
  switch (lua_type(L, index)) {
  case LUA_TNIL:
  case LUA_TNONE: return lua_pushliteral(L, "nil");
  case LUA_TBOOLEAN: return lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) return lua_pushfstring(L, "%I", lua_tointeger(L, index));
    if (lua_tonumber(L, index) != lua_tonumber(L, index)) return lua_pushliteral(L, "nan");
    return lua_pushfstring(L, "%f", lua_tonumber(L, index));
  case LUA_TSTRING:
    if (lua_rawlen(L, index) <= 40) return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    return lua_pushliteral(L, "a long string");
  default: break;
  }
  const char *name = class_name(L, index);
  return lua_pushfstring(L, "%s %s", strchr("aeio", name[0]) ? "an" : "a", name);
}

/* "an integer", "an integer from 1", "an integer from 1 to 2" */
static const char *push_range(lua_State *L, lua_Integer low, lua_Integer high) {
  if (low == LUA_MININTEGER && high == LUA_MAXINTEGER) return lua_pushliteral(L, "an integer");
  if (high == LUA_MAXINTEGER) return lua_pushfstring(L, "an integer from %I", low);
  return lua_pushfstring(L, "an integer from %I to %I", low, high);
}

lua_Integer lx_check_integer(lua_State *L, int arg, const char *who, const char *what,
                             lua_Integer low, lua_Integer high) {
  int whole = 0;
  lua_Integer value = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) value = lua_tointegerx(L, arg, &whole);
  if (!whole || value < low || value > high) {
    const char *words = lx_push_words(L, arg); /* first: the argument may be missing */
    lx_error(L, "%s: %s must be %s, got %s", who, what, push_range(L, low, high), words);
  }
  return value;
}

lua_Number lx_check_number(lua_State *L, int arg, const char *who, const char *what) {
  if (lua_type(L, arg) != LUA_TNUMBER) {
    lx_error(L, "%s: %s must be a number, got %s", who, what, lx_push_words(L, arg));
  }
  return lua_tonumber(L, arg);
}

const char *lx_check_text(lua_State *L, int arg, const char *who, const char *what) {
  if (lua_type(L, arg) != LUA_TSTRING) {
    lx_error(L, "%s: %s must be a string, got %s", who, what, lx_push_words(L, arg));
  }
  const char *text = lua_tostring(L, arg);
  if (strlen(text) != lua_rawlen(L, arg)) lx_error(L, "%s: %s holds a zero byte", who, what);
  return text;
}

int lx_check_boolean(lua_State *L, int arg, const char *who, const char *what) {
  if (!lua_isnoneornil(L, arg) && !lua_isboolean(L, arg)) {
    lx_error(L, "%s: %s must be true or false, got %s", who, what, lx_push_words(L, arg));
  }
  return lua_toboolean(L, arg);
}

void lx_check_table(lua_State *L, int arg, const char *who, const char *what) {
  if (lua_istable(L, arg)) return;
  lx_error(L, "%s: %s must be a table, got %s", who, what, lx_push_words(L, arg));
}

void lx_push_number(lua_State *L, double value) {
  lua_pushnumber(L, isnan(value) ? (lua_Number)NAN : value);
}

const char *lx_push_stray(lua_State *L, int arg, int64_t n) {
  arg = lua_absindex(L, arg);
  lx_reserve(L, 3);
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= n) continue;
    lua_pop(L, 1);
    return lua_pushfstring(L, "[%s]", lx_push_words(L, -1));
  }
  return NULL;
}

int lx_check_list(lua_State *L, int arg, const char *who, const char *what, int limit) {
  lx_check_table(L, arg, who, what);
  lua_Unsigned n = lua_rawlen(L, arg);
  if (n > (lua_Unsigned)limit) {
    lx_error(L, "%s: %s may have at most %d elements, got %I", who, what, limit, (lua_Integer)n);
  }
  const char *stray = lx_push_stray(L, arg, (int64_t)n);
  if (stray) {
    lx_error(L, "%s: %s is a list, [1] … [%I], and has something at %s", who, what, (lua_Integer)n,
             stray);
  }
  return (int)n;
}

/* Pushes '"a", "b" or "c"'. */
static const char *push_choices(lua_State *L, const char *const *names) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 0; names[i]; i++) {
    if (i > 0) luaL_addstring(&b, names[i + 1] ? ", " : " or ");
    luaL_addchar(&b, '"');
    luaL_addstring(&b, names[i]);
    luaL_addchar(&b, '"');
  }
  luaL_pushresult(&b);
  return lua_tostring(L, -1);
}

int lx_check_choice(lua_State *L, int arg, const char *who, const char *what,
                    const char *const *names, int fallback) {
  if (lua_isnoneornil(L, arg) && fallback >= 0) return fallback;
  if (lua_type(L, arg) == LUA_TSTRING) {
    const char *name = lua_tostring(L, arg);
    for (int i = 0; names[i]; i++) {
      if (strcmp(name, names[i]) == 0) return i;
    }
  }
  const char *words = lx_push_words(L, arg);
  return lx_error(L, "%s: %s must be %s, got %s", who, what, push_choices(L, names), words);
}

sw_dtype lx_check_dtype(lua_State *L, int arg, const char *who) {
  const char *names[SW_DTYPE_COUNT + 1] = {NULL};
  for (int i = 0; i < SW_DTYPE_COUNT; i++) names[i] = sw_dtype_name((sw_dtype)i);
  return (sw_dtype)lx_check_choice(L, arg, who, "dtype", names, SW_F32);
}

sw_dtype lx_check_real(lua_State *L, int arg, const char *who) {
  static const sw_dtype reals[] = {SW_F32, SW_F64};
  const char *const names[] = {sw_dtype_name(reals[0]), sw_dtype_name(reals[1]), NULL};
  return reals[lx_check_choice(L, arg, who, "dtype", names, 0)];
}

int64_t lx_check_position(lua_State *L, int arg, const char *who, const char *what, int64_t size) {
  int whole = 0;
  lua_Integer i = 0;
  if (lua_type(L, arg) == LUA_TNUMBER) i = lua_tointegerx(L, arg, &whole);
  if (whole && i >= 1 && i <= size) return i - 1;
  if (whole && i <= -1 && i >= -size) return i + size;
  if (size == 0) lx_error(L, "%s: there is no %s to choose, the size is 0", who, what);
  return lx_error(L, "%s: %s must be an integer from 1 to %I, got %s", who, what, (lua_Integer)size,
                  lx_push_words(L, arg));
}

int lx_check_axis(lua_State *L, int arg, const char *who, const char *what, int ndim) {
  int whole = 0;
  lua_Integer i = lua_type(L, arg) == LUA_TNUMBER ? lua_tointegerx(L, arg, &whole) : 0;
  if (whole && i >= 1 && i <= ndim) return (int)i - 1;
  if (whole && i <= -1 && i >= -ndim) return (int)i + ndim;
  if (ndim == 0) lx_error(L, "%s: a scalar has no axes", who);
  const char *zero = whole && i == 0 ? "; axes count from 1" : "";
  return lx_error(L, "%s: %s must be an integer from 1 to %d, got %s%s", who, what, ndim,
                  lx_push_words(L, arg), zero);
}

sw_shape lx_check_shape(lua_State *L, int arg, const char *who, lua_Integer lowest) {
  sw_shape shape = {.ndim = lx_check_list(L, arg, who, "shape", SW_MAX_DIMS)};
  arg = lua_absindex(L, arg);
  lx_reserve(L, 2);
  for (int i = 0; i < shape.ndim; i++) {
    static const char *const names[SW_MAX_DIMS] = {"shape[1]", "shape[2]", "shape[3]",
                                                   "shape[4]", "shape[5]", "shape[6]"};
    lua_rawgeti(L, arg, i + 1);
    shape.dim[i] = lx_check_integer(L, -1, who, names[i], lowest, LUA_MAXINTEGER);
    lua_pop(L, 1);
  }
  return shape;
}

static int is_among(const char *const *names, const char *name) {
  for (; *names; names++) {
    if (strcmp(*names, name) == 0) return 1;
  }
  return 0;
}

static void check_known(lua_State *L, int arg, const char *who, const char *const *names) {
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && is_among(names, lua_tostring(L, -2))) continue;
    lua_pop(L, 1);
    const char *choices = push_choices(L, names);
    lx_error(L, "%s: unknown option %s; there are %s", who, lx_push_words(L, -2), choices);
  }
}

int lx_push_options(lua_State *L, int arg, const char *who, const char *const *names) {
  lx_check_table(L, arg, who, "the argument");
  lx_reserve(L, 40);
  check_known(L, arg, who, names);
  int first = lua_gettop(L) + 1;
  for (; *names; names++) {
    lua_pushstring(L, *names);
    lua_rawget(L, arg);
  }
  return first;
}

int lx_push_option(lua_State *L, int arg, const char *name) {
  arg = lua_absindex(L, arg);
  lua_pushstring(L, name);
  lua_rawget(L, arg);
  return lua_gettop(L);
}

void lx_read_option(lua_State *L, int arg, const char *who, const lx_option *row, void *into) {
  char *field = (char *)into + row->offset;
  lx_reserve(L, 4);
  int at = lx_push_option(L, arg, row->name);
  if (!lua_isnil(L, at) || row->needed) {
    double number;
    int64_t whole;
    int choice;
    switch (row->type) {
    case LX_NUMBER:
      number = lx_check_number(L, at, who, row->name);
      memcpy(field, &number, sizeof number);
      break;
    case LX_WHOLE:
      whole = lx_check_integer(L, at, who, row->name, row->least, row->most);
      memcpy(field, &whole, sizeof whole);
      break;
    case LX_BOOLEAN:
      choice = lx_check_boolean(L, at, who, row->name);
      memcpy(field, &choice, sizeof choice);
      break;
    case LX_CHOICE:
      choice = lx_check_choice(L, at, who, row->name, row->choices, -1);
      memcpy(field, &choice, sizeof choice);
      break;
    case LX_VALUE: break;
    }
  }
  lua_pop(L, 1);
}

void lx_check_options(lua_State *L, int arg, const char *who, const char *const *names) {
  lx_check_table(L, arg, who, "the argument");
  lx_reserve(L, 8);
  check_known(L, arg, who, names);
}

static void check_rows(lua_State *L, int arg, const char *who, const lx_option *rows) {
  int n = 0;
  while (rows[n].name) n++;
  const char **names = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *names, 0);
  for (int i = 0; i <= n; i++) names[i] = rows[i].name;
  check_known(L, arg, who, names);
  lua_pop(L, 1);
}

void lx_read_options(lua_State *L, int arg, const char *who, const lx_option *rows, void *into) {
  arg = lua_absindex(L, arg);
  lx_check_table(L, arg, who, "the argument");
  lx_reserve(L, 8);
  check_rows(L, arg, who, rows);
  for (; rows->name; rows++) lx_read_option(L, arg, who, rows, into);
}

void lx_push_shape(lua_State *L, const sw_shape *shape) {
  lua_createtable(L, shape->ndim, 0);
  for (int i = 0; i < shape->ndim; i++) {
    lua_pushinteger(L, shape->dim[i]);
    lua_rawseti(L, -2, i + 1);
  }
}
