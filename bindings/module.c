/* module.c: luaopen_swale_core.
 *
 * The module is one userdata in the registry, the first upvalue of every function. It holds a
 * reference to the context, which its finaliser releases; every object of the core holds one, too,
 * so a closing state may finalise them in any order.
 */
#include <math.h>

#include "base/parallel.h"
#include "kernels/open.h"
#include "measure/noise.h"
#include "support.h"
#include "train/loop.h"

/* Afterwards the system may unload this code. An object that a finaliser makes while the state
 * closes is never finalised and keeps the context, so the threads are ended explicitly. */
static int module_end(lua_State *L) {
  lx_module *m = lua_touserdata(L, 1);
  sw_context *ctx = m->ctx;
  if (!ctx) return 0;
  m->ctx = NULL;
  lx_release_signals(L);
  (void)sw_context_set_threads(ctx, 1);
  sw_context_release(ctx);
  return 0;
}

/* Pushes the module, still without a context. */
static lx_module *push_module(lua_State *L) {
  lx_module *m = lua_newuserdatauv(L, sizeof *m, LX_VALUES);
  *m = (lx_module){0};
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, module_end);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "swale.core");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  return m;
}

/* Adds functions to the table on top, with the module (at index) as their upvalue. */
static void add_functions(lua_State *L, int module, const luaL_Reg *functions) {
  if (!functions) return;
  lua_pushvalue(L, module);
  luaL_setfuncs(L, functions, 1);
}

static void add_function(lua_State *L, int module, const char *name, lua_CFunction f) {
  const luaL_Reg one[] = {{name, f}, {NULL, NULL}};
  add_functions(L, module, one);
}

/* Makes the metatable of class c. Scripts see neither it nor the table of methods. */
static void define_class(lua_State *L, int module, lx_class c) {
  const lx_class_spec *spec = lx_spec(c);
  lua_createtable(L, 0, 8);
  lua_pushstring(L, spec->name);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__name");
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  add_functions(L, module, spec->methods);
  lx_define_index(L, module, c);
  add_functions(L, module, spec->meta);
  if (spec->end) {
    add_function(L, module, "__gc", spec->end);
    add_function(L, module, "__close", spec->end);
  }
  if (c == LX_TENSOR || c == LX_NODE) lx_add_operators(L, module);
  lua_setiuservalue(L, module, (int)c + 1);
}

static void fill_core(lua_State *L, int module) {
  const luaL_Reg *const parts[] = {
#define CLASS(ENUM, name)
#define FUNCTIONS(name) lx_##name##_functions,
#include "classes.def"
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) add_functions(L, module, parts[i]);
  lua_pushliteral(L, SWALE_VERSION);
  lua_setfield(L, -2, "_VERSION");
  lua_getiuservalue(L, module, LX_INTERRUPTED);
  lua_setfield(L, -2, "INTERRUPTED");
  lua_pushnumber(L, (lua_Number)NAN);
  lua_setfield(L, -2, "NAN");
  lua_pushinteger(L, SW_LOOP_GRAD_NORMS);
  lua_setfield(L, -2, "LOOP_NORMS");
  lua_pushinteger(L, SW_NOISE_MEASUREMENTS);
  lua_setfield(L, -2, "NOISE_MEASUREMENTS");
  lua_pushinteger(L, SW_RECENT_FEWEST);
  lua_setfield(L, -2, "NOISE_BLOCKS");
}

static void open_context(lua_State *L, lx_module *m) {
  char reason[256];
  sw_status st = sw_open(NULL, 0, &m->ctx, reason, sizeof reason);
  if (st != SW_OK) luaL_error(L, "swale.core: %s", reason);
}

SW_API int luaopen_swale_core(lua_State *L);

/* A second call in the same state gives the same module. */
int luaopen_swale_core(lua_State *L) {
  luaL_checkversion(L);
  lx_open_standard();
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lx_module_key) == LUA_TUSERDATA) {
    lua_getiuservalue(L, -1, LX_CORE);
    return 1;
  }
  lua_pop(L, 1);
  lx_module *m = push_module(L);
  int module = lua_gettop(L);
  for (int c = 0; c < LX_CLASS_COUNT; c++) define_class(L, module, (lx_class)c);
  lx_push_interrupted(L);
  lua_setiuservalue(L, module, LX_INTERRUPTED);
  lua_newtable(L);
  fill_core(L, module);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, module, LX_CORE);
  open_context(L, m);
  lua_pushvalue(L, module);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &lx_module_key);
  return 1;
}
