/* lua_json.c: JSON to Lua values; lua_json_encode.c goes the other way. */
#include <jansson.h>

#include "support.h"

static int end(lua_State *L) {
  json_t **box = lx_test(L, 1, LX_JSON);
  if (!box) return 0;
  json_t *root = *box;
  *box = NULL;
  json_decref(root);
  return 0;
}

static void push_value(lua_State *L, const json_t *v);

static void push_object(lua_State *L, const json_t *v) {
  const size_t n = json_object_size(v);
  lua_createtable(L, 0, n < INT32_MAX ? (int)n : INT32_MAX);
  json_t *object = (json_t *)(uintptr_t)v; /* jansson's iterators are not const */
  for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
    lua_pushlstring(L, json_object_iter_key(it), json_object_iter_key_len(it));
    push_value(L, json_object_iter_value(it));
    lua_rawset(L, -3);
  }
}

static void push_array(lua_State *L, const json_t *v) {
  const size_t n = json_array_size(v);
  lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
  for (size_t i = 0; i < n; i++) {
    push_value(L, json_array_get(v, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/* Depth is bounded by jansson's parser. */
static void push_value(lua_State *L, const json_t *v) {
  lx_reserve(L, 4);
  switch (json_typeof(v)) {
  case JSON_OBJECT: push_object(L, v); break;
  case JSON_ARRAY: push_array(L, v); break;
  case JSON_STRING: lua_pushlstring(L, json_string_value(v), json_string_length(v)); break;
  case JSON_INTEGER: lua_pushinteger(L, json_integer_value(v)); break;
  case JSON_REAL: lua_pushnumber(L, json_real_value(v)); break;
  case JSON_TRUE: lua_pushboolean(L, 1); break;
  case JSON_FALSE: lua_pushboolean(L, 0); break;
  case JSON_NULL: lua_pushnil(L); break;
  }
}

/* json_decode(text) */
static int json_decode(lua_State *L) {
  lua_settop(L, 1);
  json_t **root = lx_push_shell(L, LX_JSON);
  if (lua_type(L, 1) != LUA_TSTRING) {
    return lx_error(L, "json_decode: text must be a string, got %s", lx_push_words(L, 1));
  }
  size_t size;
  const char *text = lua_tolstring(L, 1, &size);
  json_error_t error;
  *root = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (!*root) {
    int lacking = json_error_code(&error) == json_error_out_of_memory;
    sw_status st = lacking ? SW_ENOMEM : SW_ECORRUPT;
    return lx_fault(L, sw_fail(lx_context(L), st, "line %d, column %d: %s", error.line,
                               error.column, error.text));
  }
  lua_toclose(L, 2);
  push_value(L, *root);
  return 1;
}

const lx_class_spec lx_json_class = {.name = "json", .size = sizeof(json_t *), .end = end};

const luaL_Reg lx_json_functions[] = {
    {"json_decode", json_decode}, {"json_encode", lx_json_encode}, {NULL, NULL}};
