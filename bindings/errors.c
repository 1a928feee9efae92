/* errors.c: raises errors, and returns faults of the environment. */
#include <string.h>

#include "support.h"

/* Whether the function is of Swale's own Lua files: its source is below the library's folder. */
static int in_library(const char *source, const char *library, size_t length) {
  return source[0] == '@' && strncmp(source + 1, library, length) == 0 && source[1 + length] == '/';
}

/* Pushes "file:line: " of the innermost Lua function that is the user's own, or "". */
static void push_position(lua_State *L) {
  size_t length = 0;
  const char *library = NULL;
  if (lua_getiuservalue(L, LX_MODULE, LX_LIBRARY) == LUA_TSTRING) {
    library = lua_tolstring(L, -1, &length); /* stays alive in the module */
  }
  lua_pop(L, 1);
  lua_Debug frame;
  for (int level = 1; lua_getstack(L, level, &frame); level++) {
    lua_getinfo(L, "Sl", &frame);
    if (frame.currentline <= 0) continue; /* a C function */
    if (library && in_library(frame.source, library, length)) continue;
    lua_pushfstring(L, "%s:%d: ", frame.short_src, frame.currentline);
    return;
  }
  lua_pushliteral(L, "");
}

/* The stack may hold a million values, a frame of a Lua function at most 255 of them: with fewer
 * than 3000 frames, the fault is lack of memory. */
void lx_reserve(lua_State *L, int n) {
  if (lua_checkstack(L, n)) return;
  lua_Debug frame;
  int deep = lua_getstack(L, 3000, &frame);
  lua_settop(L, 0); /* leaves room for the message */
  lua_pushstring(L, deep ? "stack overflow" : "not enough memory");
  lua_error(L);
}

_Noreturn int lx_error(lua_State *L, const char *format, ...) {
  lx_self(L)->retrying = 0;
  lx_reserve(L, 8);
  push_position(L);
  va_list args;
  va_start(args, format);
  lua_pushvfstring(L, format, args);
  va_end(args);
  lua_concat(L, 2);
  for (;;) lua_error(L);
}

_Noreturn int lx_raise(lua_State *L, sw_status status) {
  const char *lead = status == SW_ENOMEM ? "not enough memory: " : "";
  lx_error(L, "%s%s", lead, sw_message(lx_context(L)));
}

int lx_retry(lua_State *L, sw_status status, int n, lua_CFunction f) {
  lx_module *m = lx_self(L);
  if (status != SW_ENOMEM || m->retrying) return lx_raise(L, status);
  lua_settop(L, n);
  lua_gc(L, LUA_GCCOLLECT);
  m->retrying = 1;
  int results = f(L);
  m->retrying = 0;
  return results;
}

static int is_fault(sw_status status) {
  return status == SW_EIO || status == SW_ENOSPC || status == SW_ECORRUPT || status == SW_ENAN ||
         status == SW_EINTERRUPTED || status == SW_ENOMEM;
}

int lx_fault(lua_State *L, sw_status status) {
  if (!is_fault(status)) return lx_raise(L, status);
  lx_reserve(L, 3);
  lua_pushnil(L);
  lua_pushstring(L, sw_message(lx_context(L)));
  lua_pushstring(L, sw_status_name(status));
  return 3;
}

int lx_done(lua_State *L, sw_status status) {
  if (status != SW_OK) return lx_fault(L, status);
  lua_pushboolean(L, 1);
  return 1;
}
