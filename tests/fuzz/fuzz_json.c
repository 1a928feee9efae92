/* fuzz_json.c: JSON as the Lua module reads it: a value that was read is written and must be read
 * again as the same. */
#include <lauxlib.h>
#include <lualib.h>

#include "fuzz.h"

int luaopen_swale_core(lua_State *L);

/* Values that cannot be written, a key with a zero byte say, are refused. */
static const char script[] = "local core = ...\n"
                             "return function(text)\n"
                             "  local value, message = core.json_decode(text)\n"
                             "  if value == nil then return message == nil or #message > 0 end\n"
                             "  local ok, once = pcall(core.json_encode, value)\n"
                             "  return not ok or core.json_encode(core.json_decode(once)) == once\n"
                             "end";

static lua_State *state(void) {
  static lua_State *L;
  if (L != NULL) return L;
  L = luaL_newstate();
  if (L == NULL) abort();
  luaL_openlibs(L);
  if (luaL_loadstring(L, script) != LUA_OK) abort();
  luaL_requiref(L, "swale.core", luaopen_swale_core, 0);
  lua_call(L, 1, 1);
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *L = state();
  lua_pushvalue(L, -1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK || !lua_toboolean(L, -1)) {
    (void)fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
    abort();
  }
  lua_settop(L, -2);
  lua_gc(L, LUA_GCCOLLECT); /* anything left then is a leak, which libFuzzer reports */
  return 0;
}
