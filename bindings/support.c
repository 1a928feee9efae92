/* support.c: the module's state, classes and objects. */
#include <string.h>

#include "support.h"

const char lx_module_key = 0;

static const lx_class_spec *const specs[LX_CLASS_COUNT] = {
#define CLASS(ENUM, name) [LX_##ENUM] = &lx_##name##_class,
#define FUNCTIONS(name)
#include "classes.def"
};

const lx_class_spec *lx_spec(lx_class c) { return specs[c]; }

lx_module *lx_self(lua_State *L) { return lua_touserdata(L, LX_MODULE); }

sw_context *lx_context(lua_State *L) {
  sw_context *ctx = lx_self(L)->ctx;
  if (!ctx) lx_error(L, "swale.core: the Lua state is closing");
  return ctx;
}

static int64_t live_bytes(const lx_module *m) {
  return m->ctx ? sw_context_alloc_stats(m->ctx).live_bytes : 0;
}

/* To Lua a tensor is a few bytes. So that garbage does not pile up, the collector runs when the
 * core's memory has grown: first a step as if that memory were Lua's own, and if that frees nothing
 * (in generational mode old garbage stays) a full collection. The threshold then rises with the
 * memory in use, because a collection for every few megabytes would be slow beside gigabytes of
 * live data. */
static void relieve_pressure(lua_State *L, lx_module *m) {
  enum { SLACK = 16 << 20, MOST_KB = 1 << 20 };
  int64_t live = live_bytes(m);
  if (live <= m->quiet_bytes || !lua_gc(L, LUA_GCISRUNNING)) return;
  lua_gc(L, LUA_GCSTEP, (int)(live / 1024 < MOST_KB ? live / 1024 : MOST_KB));
  if (live_bytes(m) > m->quiet_bytes) lua_gc(L, LUA_GCCOLLECT);
  live = live_bytes(m);
  m->quiet_bytes = live + (live / 4 > SLACK ? live / 4 : SLACK);
}

void *lx_push_shell_sized(lua_State *L, lx_class c, size_t size) {
  (void)lx_context(L);
  relieve_pressure(L, lx_self(L));
  void *shell = lua_newuserdatauv(L, size, specs[c]->values);
  memset(shell, 0, size);
  lua_getiuservalue(L, LX_MODULE, (int)c + 1);
  lua_setmetatable(L, -2);
  return shell;
}

void *lx_push_shell(lua_State *L, lx_class c) { return lx_push_shell_sized(L, c, specs[c]->size); }

sw_tensor **lx_push_tensor(lua_State *L) { return lx_push_shell(L, LX_TENSOR); }

void *lx_test(lua_State *L, int arg, lx_class c) {
  if (lua_type(L, arg) != LUA_TUSERDATA || !lua_getmetatable(L, arg)) return NULL;
  lua_getiuservalue(L, LX_MODULE, (int)c + 1);
  int same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? lua_touserdata(L, arg) : NULL;
}

int lx_is_empty(const void *box) {
  void *first;
  memcpy(&first, box, sizeof first);
  return first == NULL;
}

void *lx_check(lua_State *L, int arg, lx_class c, const char *who, const char *what) {
  const lx_class_spec *spec = specs[c];
  void *box = lx_test(L, arg, c);
  if (!box) {
    const char *words = lx_push_words(L, arg), *hint = "";
    const char *article = strchr("aeio", spec->name[0]) ? "an" : "a";
    if (strcmp(what, "self") == 0 && strchr(who, ':'))
      hint = lua_pushfstring(L, "; methods are called with a colon: %s()", who);
    lx_error(L, "%s: %s must be %s %s, got %s%s", who, what, article, spec->name, words, hint);
  } else if (!spec->plain && lx_is_empty(box)) {
    lx_error(L, "%s: this %s was freed", spec->name, spec->name);
  }
  return box;
}

sw_tensor *lx_check_tensor(lua_State *L, int arg, const char *who, const char *what) {
  return *(sw_tensor **)lx_check(L, arg, LX_TENSOR, who, what);
}
