/* lua_process.c: the process: threads, memory, the library's folder, types of values. */
#include "base/parallel.h"
#include "kernels/open.h"
#include "support.h"

static int variant(lua_State *L) {
  lua_pushstring(L, sw_context_variant(lx_context(L)));
  return 1;
}

static int variants(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; sw_variant(i); i++) {
    lua_pushstring(L, sw_variant(i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int blas(lua_State *L) {
  lua_pushstring(L, sw_context_blas(lx_context(L)));
  return 1;
}

static int threads(lua_State *L) {
  lua_pushinteger(L, sw_context_threads(lx_context(L)));
  return 1;
}

static int set_threads(lua_State *L) {
  lua_Integer n = lx_check_integer(L, 1, "set_threads", "n", 1, INT32_MAX);
  sw_status st = sw_context_set_threads(lx_context(L), (int)n);
  return st == SW_OK ? 0 : lx_retry(L, st, 1, set_threads);
}

static int cores(lua_State *L) {
  lua_pushinteger(L, sw_machine_cores());
  return 1;
}

static int multiply_adds(lua_State *L) {
  lua_Integer rounds = lx_check_integer(L, 1, "multiply_adds", "rounds", 0, 1000000000);
  lua_pushinteger(L, sw_multiply_adds(lx_context(L), rounds));
  return 1;
}

/* Stored without slashes at its end. */
static int set_library(lua_State *L) {
  const char *path = lx_check_text(L, 1, "set_library", "path");
  size_t n = lua_rawlen(L, 1);
  while (n > 1 && path[n - 1] == '/') n--;
  lua_pushlstring(L, path, n);
  lua_setiuservalue(L, LX_MODULE, LX_LIBRARY);
  return 0;
}

static void set_integer(lua_State *L, const char *name, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

static int memory(lua_State *L) {
  lua_createtable(L, 0, 4);
  sw_alloc_stats books = sw_context_alloc_stats(lx_context(L));
  set_integer(L, "live_bytes", books.live_bytes);
  set_integer(L, "live_blocks", books.live_blocks);
  set_integer(L, "peak_bytes", books.peak_bytes);
  set_integer(L, "calls", books.calls);
  return 1;
}

static int fail_allocation(lua_State *L) {
  lua_Integer n = lx_check_integer(L, 1, "fail_allocation", "n", 0, LUA_MAXINTEGER);
  int persistent = lx_check_boolean(L, 2, "fail_allocation", "persistent");
  sw_context_fail_allocation(lx_context(L), n, persistent);
  return 0;
}

static int type(lua_State *L) {
  for (int c = 0; c < LX_FILE; c++) {
    if (!lx_test(L, 1, (lx_class)c)) continue;
    lua_pushstring(L, lx_spec((lx_class)c)->name);
    return 1;
  }
  lua_pushnil(L);
  return 1;
}

/* Everything is checked before anything is added. Stack: class, methods, the class' table of
 * methods. */
static void check_methods(lua_State *L, const char *class) {
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_isfunction(L, -1)) {
      lx_error(L, "extend: methods must map names to functions, got %s", lx_push_words(L, -1));
    }
    lua_pushvalue(L, -2);
    int native = lua_rawget(L, 3) == LUA_TFUNCTION && lua_iscfunction(L, -1);
    lua_pop(L, 1);
    if (native) lx_error(L, "extend: %s:%s is part of the core", class, lua_tostring(L, -2));
  }
}

/* extend(class, methods) */
static int extend(lua_State *L) {
  static const char *const names[] = {"tensor", "node", NULL};
  static const lx_class classes[] = {LX_TENSOR, LX_NODE};
  lua_settop(L, 2);
  int which = lx_check_choice(L, 1, "extend", "class", names, -1);
  lx_check_table(L, 2, "extend", "methods");
  lua_getiuservalue(L, LX_MODULE, (int)classes[which] + 1);
  lua_getfield(L, 3, "methods");
  lua_remove(L, 3);
  check_methods(L, names[which]);
  for (lua_pushnil(L); lua_next(L, 2);) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, 3);
  }
  return 0;
}

const luaL_Reg lx_process_functions[] = {
    {"variant", variant},
    {"variants", variants},
    {"blas", blas},
    {"threads", threads},
    {"set_threads", set_threads},
    {"cores", cores},
    {"multiply_adds", multiply_adds},
    {"set_library", set_library},
    {"memory", memory},
    {"type", type},
    {"fail_allocation", fail_allocation},
    {"extend", extend},
    {NULL, NULL},
};
