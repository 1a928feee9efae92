/* lua_faults.c: out of memory while Lua and the core work together.
 *
 * Each scenario (tests/core/faults_*.lua) runs with the n-th allocation failing, for n from 1 until
 * none fails: in Lua's allocator, in the core's once (the bindings then collect garbage and try
 * again), and in the core's from the n-th on. Each time, after a collection, the core must hold the
 * blocks that it held before, and Lua's must all be freed when the state closes.
 *
 * The module is found through LUA_CPATH, or SWALE_LUA_CPATH, or the first argument.
 */
#include <ftw.h>
#include <lauxlib.h>
#include <lualib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *cpath;
static char folder[256];

/* ---- an allocator that fails on request */

typedef struct allocator {
  int64_t fail_in; /* allocations until the one that fails; 0: none will */
  int64_t blocks;  /* live */
} allocator;

static void *allocate(void *data, void *p, size_t old_size, size_t size) {
  allocator *a = data;
  if (size == 0) {
    if (p) a->blocks--;
    free(p);
    return NULL;
  }
  int grows = !p || size > old_size; /* Lua relies on shrinking */
  if (grows && a->fail_in > 0 && --a->fail_in == 0) return NULL;
  void *q = realloc(p, size);
  if (q && !p) a->blocks++;
  return q;
}

/* ---- a state with the module */

static int open_all(lua_State *L) {
  luaL_openlibs(L);
  if (cpath) {
    lua_getglobal(L, "package");
    lua_pushstring(L, cpath);
    lua_setfield(L, -2, "cpath");
  }
  lua_getglobal(L, "require");
  lua_pushliteral(L, "swale.core");
  lua_call(L, 1, 1);
  lua_setglobal(L, "core");
  return 0;
}

static int ignore_panic(lua_State *L) {
  fprintf(stderr, "panic: %s\n", lua_tostring(L, -1));
  return 0;
}

static lua_State *new_state(allocator *a) {
  lua_State *L = lua_newstate(allocate, a);
  if (L) lua_atpanic(L, ignore_panic);
  return L;
}

static int run_open(lua_State *L) {
  lua_pushcfunction(L, open_all);
  return lua_pcall(L, 0, 0, 0);
}

static void fail_with_message(lua_State *L) { fail_msg("%s", lua_tostring(L, -1)); }

/* A field of core.memory(). */
static int64_t memory(lua_State *L, const char *field) {
  lua_getglobal(L, "core");
  lua_getfield(L, -1, "memory");
  lua_call(L, 0, 1);
  lua_getfield(L, -1, field);
  int64_t value = lua_tointeger(L, -1);
  lua_pop(L, 3);
  return value;
}

static void fail_core(lua_State *L, int64_t n, int persistent) {
  lua_getglobal(L, "core");
  lua_getfield(L, -1, "fail_allocation");
  lua_pushinteger(L, n);
  lua_pushboolean(L, persistent);
  lua_call(L, 2, 0);
  lua_pop(L, 1);
}

static void collect(lua_State *L) {
  for (int i = 0; i < 3; i++) lua_gc(L, LUA_GCCOLLECT); /* finalisers may leave more behind */
}

/* ---- scenarios */

/* Leaves the chunk on the stack. */
static void load(lua_State *L, const char *scenario) {
  char path[128];
  snprintf(path, sizeof path, "tests/core/faults_%s.lua", scenario);
  if (luaL_loadfile(L, path) != LUA_OK) fail_with_message(L);
}

/* Runs the chunk at 1. An error must be one of memory. Returns whether there was one. */
static int run(lua_State *L, const char *scenario, int64_t n) {
  lua_pushvalue(L, 1);
  lua_pushstring(L, folder);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) return 0;
  const char *message = lua_tostring(L, -1);
  if (!message || !strstr(message, "memory")) {
    fail_msg("%s, allocation %lld: %s", scenario, (long long)n, message ? message : "no message");
  }
  return 1;
}

/* The core as it was before. */
static void check_books(lua_State *L, const char *scenario, int64_t n, int64_t before) {
  lua_settop(L, 1);
  collect(L);
  int64_t blocks = memory(L, "live_blocks");
  if (blocks != before) {
    fail_msg("%s, allocation %lld: %lld blocks of the core before, %lld after", scenario,
             (long long)n, (long long)before, (long long)blocks);
  }
}

static void fail_lua_allocations(lua_State *L, allocator *a, const char *scenario) {
  int64_t before = memory(L, "live_blocks");
  for (int64_t n = 1, fired = 1; fired; n++) {
    a->fail_in = n;
    int failed = run(L, scenario, n);
    fired = a->fail_in == 0;
    a->fail_in = 0;
    assert_true(fired || !failed);
    check_books(L, scenario, n, before);
  }
}

static void fail_core_allocations(lua_State *L, const char *scenario, int persistent) {
  int64_t before = memory(L, "live_blocks");
  for (int64_t n = 1, fired = 1; fired; n++) {
    int64_t calls = memory(L, "calls");
    fail_core(L, n, persistent);
    int failed = run(L, scenario, n);
    fail_core(L, 0, 0);
    fired = memory(L, "calls") - calls >= n;
    assert_true(fired || !failed);
    check_books(L, scenario, n, before);
  }
}

static void test_scenario(void **scenario) {
  allocator a = {0, 0};
  lua_State *L = new_state(&a);
  assert_non_null(L);
  if (run_open(L) != LUA_OK) fail_with_message(L);
  load(L, *scenario);
  if (run(L, *scenario, 0)) fail_with_message(L); /* once without failures: fills caches */
  lua_settop(L, 1);
  collect(L);
  fail_core_allocations(L, *scenario, 0);
  fail_core_allocations(L, *scenario, 1);
  fail_lua_allocations(L, &a, *scenario);
  lua_close(L);
  assert_int_equal(a.blocks, 0);
}

/* Opening the standard libraries and the module. */
static void test_open(void **unused) {
  (void)unused;
  for (int64_t n = 1, fired = 1; fired; n++) {
    allocator a = {n, 0};
    lua_State *L = new_state(&a);
    int failed = L ? run_open(L) != LUA_OK : 1;
    fired = a.fail_in == 0;
    a.fail_in = 0;
    if (!fired && failed) fail_with_message(L);
    if (L) lua_close(L);
    assert_int_equal(a.blocks, 0);
  }
}

#define SCENARIO(name) \
  { "faults: " name, test_scenario, NULL, NULL, (void *)(uintptr_t)name }

/* A write that fails half-way leaves the file unchanged. */
static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *at) {
  (void)s, (void)type, (void)at;
  return remove(path);
}

int main(int argc, char **argv) {
  cpath = argc > 1 ? argv[1] : getenv("SWALE_LUA_CPATH");
  const char *base = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/swale-test-XXXXXX", base ? base : "/tmp");
  if (!mkdtemp(folder)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open), SCENARIO("tensor"),  SCENARIO("objects"), SCENARIO("json"),
      SCENARIO("files"),           SCENARIO("graph"),   SCENARIO("loop"),    SCENARIO("finalisers"),
      SCENARIO("linalg"),          SCENARIO("solvers"), SCENARIO("sqlite"),
  };
  int failures = cmocka_run_group_tests(tests, NULL, NULL);
  nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
  return failures;
}
