/* lua_loop.h: what the files about loops share. */
#ifndef SW_LUA_LOOP_H
#define SW_LUA_LOOP_H

#include "lua_graph.h"
#include "lua_optimizer.h"
#include "lua_source.h"
#include "train/loop.h"

typedef struct lx_loop {
  sw_loop *p;
  lx_source *source; /* lives in the user value, so it is there as long as this is */
  sw_program *program, *measured;
} lx_loop;

sw_loop *lx_check_loop(lua_State *L, const char *who); /* the first argument */

/* What the core cannot see from bare pointers: that params and gradients lie within the weights. */
void lx_check_extents(lua_State *L, const char *who, const lx_program *p, const sw_tensor *weights);

/* Fills the table at an absolute index with the loop's state. */
void lx_loop_show(lua_State *L, int table, const sw_loop *l);

/* Methods. */
int lx_loop_stepper(lua_State *L);
int lx_loop_state(lua_State *L);
int lx_loop_take_mean(lua_State *L);
int lx_loop_norms(lua_State *L);
int lx_loop_cost(lua_State *L);
int lx_loop_momentum(lua_State *L);
int lx_loop_gradient(lua_State *L);
int lx_loop_state_vectors(lua_State *L);
int lx_loop_restore(lua_State *L);
int lx_loop_watch_updates(lua_State *L);
int lx_loop_update_ratios(lua_State *L);
int lx_loop_first_nan(lua_State *L);
int lx_loop_check(lua_State *L);

#endif
