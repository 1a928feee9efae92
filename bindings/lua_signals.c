/* lua_signals.c: Ctrl-C as a flag, and as an error in Lua code.
 *
 * The handler does nothing but set the flag. The core's loops look at it; Lua code meets it in a
 * count hook, which raises core.INTERRUPTED once, so that what runs after it (saving, closing
 * files) is left in peace. The hook makes Lua code up to twice as slow, which is why it is not
 * there unless asked for.
 */
#include <signal.h>

#include "support.h"

static volatile sig_atomic_t interrupted; /* Ctrl-C was pressed */
static volatile sig_atomic_t told;        /* and the script knows */
static volatile sig_atomic_t catching;    /* catch_signals was called */

const volatile int *lx_interrupt_flag(void) { return &interrupted; }

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
}

static void set_action(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  sigaction(signal_number, &action, NULL);
}

/* SA_RESETHAND: the second one ends the process. */
static void arm(void) { set_action(SIGINT, on_interrupt, SA_RESTART | (int)SA_RESETHAND); }

static void hook(lua_State *L, lua_Debug *frame) {
  (void)frame;
  if (!interrupted || told) return;
  told = 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lx_module_key);
  lua_getiuservalue(L, -1, LX_INTERRUPTED);
  lua_error(L);
}

/* A hook that is already there (a debugger's, a profiler's) stays: then only the core is
 * interrupted. */
static int catch_signals(lua_State *L) {
  enum { EVERY = 5000 }; /* instructions */
  if (!catching) {
    catching = 1;
    arm();
    set_action(SIGXFSZ, SIG_IGN, 0);
    set_action(SIGPIPE, SIG_IGN, 0);
  }
  if (!lua_gethook(L)) lua_sethook(L, hook, LUA_MASKCOUNT, EVERY);
  return 0;
}

void lx_release_signals(lua_State *L) {
  if (lua_gethook(L) == hook) lua_sethook(L, NULL, 0, 0);
  if (!catching) return;
  catching = 0;
  set_action(SIGINT, SIG_DFL, 0);
}

static int is_interrupted(lua_State *L) {
  lua_pushboolean(L, interrupted);
  return 1;
}

static int clear_interrupt(lua_State *L) {
  (void)L;
  interrupted = 0;
  told = 0;
  if (catching) arm();
  return 0;
}

static int interrupted_to_text(lua_State *L) {
  lua_pushliteral(L, "interrupted");
  return 1;
}

void lx_push_interrupted(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 3);
  lua_pushcfunction(L, interrupted_to_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "interrupted");
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__name");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
}

const luaL_Reg lx_signal_functions[] = {
    {"catch_signals", catch_signals},
    {"interrupted", is_interrupted},
    {"clear_interrupt", clear_interrupt},
    {NULL, NULL},
};
