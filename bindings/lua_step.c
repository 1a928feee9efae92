/* lua_step.c: single steps of a loop, for trainings with Lua code before or after each step.
 *
 * A step is made even if an interrupt has come: Lua code has prepared it. The interrupt is news.
 *
 * The step function is a closure over its loop and the names of its arguments, so a step is one
 * call without a table: the changed numbers are returned, and Lua stores them.
 */
#include <math.h>
#include <string.h>

#include "lua_loop.h"

typedef struct stepper {
  lx_loop *loop; /* kept alive by the user value */
  int n;         /* numbers that come with each step */
  sw_hyper given[SW_HYPER_COUNT];
  int64_t measurements; /* reported last; as are the following, they seldom change; -1: none yet */
  double hyper[SW_HYPER_COUNT];
} stepper;

/* Sets a value that a script computed; false for one that no loop can have. */
static int take(lua_State *L, const stepper *me, int i) {
  if (lua_type(L, i + 1) != LUA_TNUMBER) return 0;
  double value = lua_tonumber(L, i + 1);
  if (sw_hyper_row_of((int)me->given[i])->whole) value = floor(value);
  return sw_loop_set(me->loop->p, me->given[i], value) == SW_OK;
}

static int refuse(lua_State *L, int i) {
  lua_settop(L, i + 1);
  lua_pushnil(L);
  lua_pushinteger(L, i + 1);
  lua_pushvalue(L, i + 1);
  return 3;
}

/* Whether more numbers have changed than are returned, or an interrupt has come. */
static int has_news(stepper *me, const sw_loop_state *s) {
  int news = *lx_interrupt_flag() || s->measurements != me->measurements;
  for (int h = 0; h < SW_HYPER_COUNT; h++)
    news |= h != SW_HYPER_LR && h != SW_HYPER_BATCH_SIZE && s->hyper[h] != me->hyper[h];
  me->measurements = s->measurements;
  memcpy(me->hyper, s->hyper, sizeof s->hyper);
  return news;
}

static int tell(lua_State *L, stepper *me) {
  sw_loop_state s;
  sw_loop_state_get(me->loop->p, &s);
  lua_pushboolean(L, has_news(me, &s));
  lua_pushinteger(L, s.step);
  lua_pushinteger(L, s.examples);
  lx_push_number(L, s.epoch);
  lx_push_number(L, s.loss);
  lx_push_number(L, s.grad_norm);
  lx_push_number(L, s.hyper[SW_HYPER_LR]);
  lua_pushinteger(L, (lua_Integer)s.hyper[SW_HYPER_BATCH_SIZE]);
  return 8;
}

static int step(lua_State *L) {
  stepper *me = lua_touserdata(L, lua_upvalueindex(2));
  if (!me->loop->p) return lx_error(L, "loop: this loop was freed");
  for (int i = 0; i < me->n; i++) {
    if (!take(L, me, i)) return refuse(L, i);
  }
  sw_stop why;
  sw_status st = sw_loop_advance(me->loop->p, 1, 0, NULL, &why);
  return st == SW_OK ? tell(L, me) : lx_fault(L, st);
}

/* loop:stepper(name, …) */
int lx_loop_stepper(lua_State *L) {
  int n = lua_gettop(L) - 1;
  if (n > SW_HYPER_COUNT)
    return lx_error(L, "loop:stepper: at most %d names, got %d", (int)SW_HYPER_COUNT, n);
  lua_pushvalue(L, LX_MODULE);
  stepper *me = lua_newuserdatauv(L, sizeof *me, 1);
  *me = (stepper){.loop = (lx_loop *)lx_check(L, 1, LX_LOOP, "loop:stepper", "self"),
                  .n = n,
                  .measurements = -1};
  for (int i = 0; i < n; i++) me->given[i] = lx_check_hyper(L, i + 2, "loop:stepper");
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_pushcclosure(L, step, 2);
  return 1;
}
