/* lua_signals.c: Ctrl-C as a flag, and as an error in Lua code.
 *
 * The handler sets the flag, at which the core's loops look, and as the stand-alone interpreter
 * does, a hook, which raises core.INTERRUPTED once, so that what runs after it (saving, closing
 * files) is left in peace. A hook that is there all the time would make Lua code up to twice as
 * slow. It is the main coroutine's: code in another one goes on until it resumes or calls the core.
 */
#include <pthread.h>
#include <signal.h>

#include "support.h"

static volatile sig_atomic_t interrupted; /* Ctrl-C was pressed */
static volatile sig_atomic_t told;        /* and the script knows */
static volatile sig_atomic_t catching;    /* catch_signals was called */
static lua_State *volatile listener; /* whose main coroutine hears of it; for the handler only */
static pthread_t listening;          /* the thread that it runs in */

const volatile int *lx_interrupt_flag(void) { return &interrupted; }

static void hook(lua_State *L, lua_Debug *frame);

/* lua_sethook may be called at any moment, but by the thread that runs the state. A hook that is
 * there already (a debugger's, a profiler's) stays: then only the core is interrupted. */
static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1;
  if (!listener || !pthread_equal(pthread_self(), listening) || lua_gethook(listener)) return;
  lua_sethook(listener, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
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
  lua_sethook(L, NULL, 0, 0);
  if (!interrupted || told) return;
  told = 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lx_module_key);
  lua_getiuservalue(L, -1, LX_INTERRUPTED);
  lua_error(L);
}

static int catch_signals(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  listening = pthread_self();
  listener = lua_tothread(L, -1);
  if (!catching) {
    catching = 1;
    arm();
    set_action(SIGXFSZ, SIG_IGN, 0);
    set_action(SIGPIPE, SIG_IGN, 0);
  }
  return 0;
}

void lx_release_signals(lua_State *L) {
  if (lua_gethook(L) == hook) lua_sethook(L, NULL, 0, 0);
  listener = NULL;
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
