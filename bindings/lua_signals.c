/* lua_signals.c: Ctrl-C, SIGTERM and SIGHUP as a flag, and as an error in Lua code. SIGUSR1 as
 * another flag, which asks for a checkpoint.
 *
 * The handler sets a flag, which the core's loops read, and, like the stand-alone interpreter, a
 * hook, which raises core.INTERRUPTED once, so that code after it (saving, closing files) is not
 * interrupted again. A permanent hook would make Lua code up to twice as slow. The hook belongs to
 * the main coroutine: code in another one continues until it resumes or calls the core.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "support.h"

/* timeout(1), and a terminal that closes, send a signal to the process and to its group: a SIGTERM
 * or SIGHUP within this time is the same one. */
#define AGAIN_SECONDS 0.25

static volatile sig_atomic_t interrupted; /* an interrupt came */
static volatile sig_atomic_t last_signal; /* the first of the latest interrupt; 0: none yet */
static struct timespec first_time;        /* when it came; of the handler */
static volatile sig_atomic_t deferred;    /* the hook is set */
static volatile sig_atomic_t told;        /* the script was told */
static volatile sig_atomic_t asked;       /* for a checkpoint, by SIGUSR1 */
static enum { NONE, ONLY_SIGINT, ALL } catching; /* the signals of catch_signals */
static lua_State *volatile listener; /* whose main coroutine is interrupted; for the handler only */
static pthread_t listening;          /* the thread that it runs in */

const volatile int *lx_interrupt_flag(void) { return &interrupted; }

static void hook(lua_State *L, lua_Debug *frame);

static void set_action(int signal_number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigemptyset(&action.sa_mask);
  sigaction(signal_number, &action, NULL);
}

static double seconds_since_first(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - first_time.tv_sec) +
         1e-9 * (double)(now.tv_nsec - first_time.tv_nsec);
}

/* The second interrupt ends the process: the signal is delivered when its handler returns. */
static void end_at_once(int signal_number) {
  set_action(signal_number, SIG_DFL, 0);
  (void)raise(signal_number);
}

/* lua_sethook may be called at any moment, but only by the thread that runs the state. An existing
 * hook (a debugger's, a profiler's) stays: then only the core is interrupted. */
static void set_hook(void) {
  if (lua_gethook(listener)) return;
  lua_sethook(listener, hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void on_interrupt(int signal_number) {
  if (signal_number != SIGINT && last_signal && seconds_since_first() < AGAIN_SECONDS) return;
  if (interrupted) {
    end_at_once(signal_number);
    return;
  }
  (void)clock_gettime(CLOCK_MONOTONIC, &first_time);
  last_signal = signal_number;
  interrupted = 1;
  if (listener && pthread_equal(pthread_self(), listening) && !deferred) set_hook();
}

static void on_request(int signal_number) {
  (void)signal_number;
  asked = 1;
}

static int is_ignored(int signal_number) {
  struct sigaction action;
  return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* nohup(1) ignores SIGHUP; it stays ignored. */
static void take(int signal_number) {
  if (!is_ignored(signal_number)) set_action(signal_number, on_interrupt, SA_RESTART);
}

static void arm(void) {
  set_action(SIGINT, on_interrupt, SA_RESTART);
  if (catching != ALL) return;
  take(SIGTERM);
  take(SIGHUP);
  if (!is_ignored(SIGUSR1)) set_action(SIGUSR1, on_request, SA_RESTART);
}

static void give_back(int signal_number) {
  struct sigaction action;
  if (sigaction(signal_number, NULL, &action) != 0) return;
  if (action.sa_handler == on_interrupt || action.sa_handler == on_request)
    set_action(signal_number, SIG_DFL, 0);
}

static void hook(lua_State *L, lua_Debug *frame) {
  (void)frame;
  lua_sethook(L, NULL, 0, 0);
  if (!interrupted || told || deferred) return;
  told = 1;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &lx_module_key);
  lua_getiuservalue(L, -1, LX_INTERRUPTED);
  lua_error(L);
}

/* catch_signals(only_sigint) */
static int catch_signals(lua_State *L) {
  int only_sigint = lx_check_boolean(L, 1, "catch_signals", "only_sigint");
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  listening = pthread_self();
  listener = lua_tothread(L, -1);
  if (!catching) {
    catching = only_sigint ? ONLY_SIGINT : ALL;
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
  catching = NONE;
  give_back(SIGINT);
  give_back(SIGTERM);
  give_back(SIGHUP);
  give_back(SIGUSR1);
}

static int is_interrupted(lua_State *L) {
  lua_pushboolean(L, interrupted);
  return 1;
}

static int clear_interrupt(lua_State *L) {
  (void)L;
  interrupted = 0;
  told = 0;
  if (catching) arm(); /* libuv leaves signals that it handled without a handler */
  return 0;
}

/* defer_interrupt(on): while on, a signal sets the flag and nothing is raised. Returns the previous
 * value. */
static int defer_interrupt(lua_State *L) {
  int on = lx_check_boolean(L, 1, "defer_interrupt", "on");
  lua_pushboolean(L, deferred);
  deferred = on;
  if (!on && interrupted && !told && listener) set_hook();
  return 1;
}

/* Whether SIGUSR1 came since the last call. */
static int checkpoint_asked(lua_State *L) {
  lua_pushboolean(L, asked);
  asked = 0;
  return 1;
}

/* The exit status of a process ended by the latest interrupt. */
static int interrupt_status(lua_State *L) {
  lua_pushinteger(L, 128 + (last_signal ? last_signal : SIGINT));
  return 1;
}

/* is_ignored("sigint" | "sigterm" | "sighup") */
static int tell_ignored(lua_State *L) {
  static const char *const names[] = {"sigint", "sigterm", "sighup", NULL};
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  lua_pushboolean(L, is_ignored(numbers[lx_check_choice(L, 1, "is_ignored", "signal", names, -1)]));
  return 1;
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
    {"catch_signals", catch_signals},     {"interrupted", is_interrupted},
    {"clear_interrupt", clear_interrupt}, {"interrupt_status", interrupt_status},
    {"defer_interrupt", defer_interrupt}, {"checkpoint_asked", checkpoint_asked},
    {"is_ignored", tell_ignored},         {NULL, NULL},
};
