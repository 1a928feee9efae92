/* lua_loop_state.c: the state of a loop: reading and restoring it. */
#include <math.h>
#include <string.h>

#include "lua_loop.h"

sw_loop *lx_check_loop(lua_State *L, const char *who) {
  return ((lx_loop *)lx_check(L, 1, LX_LOOP, who, "self"))->p;
}

/* ---- reading */

static void put_number(lua_State *L, int table, const char *name, double value) {
  lua_pushstring(L, name);
  lx_push_number(L, value);
  lua_rawset(L, table);
}

static void put_integer(lua_State *L, int table, const char *name, int64_t value) {
  lua_pushstring(L, name);
  lua_pushinteger(L, value);
  lua_rawset(L, table);
}

static void put_fault(lua_State *L, int table, const sw_loop_state *s) {
  static const char *const names[SW_FAULT_COUNT] = {[SW_FAULT_LOSS] = "loss",
                                                    [SW_FAULT_GRADIENT] = "gradient",
                                                    [SW_FAULT_WEIGHTS] = "weights",
                                                    [SW_FAULT_BUFFERS] = "buffers"};
  lua_pushliteral(L, "fault");
  if (names[s->fault])
    lua_pushstring(L, names[s->fault]);
  else
    lua_pushboolean(L, 0);
  lua_rawset(L, table);
  if (!names[s->fault]) return;
  put_integer(L, table, "bad_step", s->bad_step);
  put_integer(L, table, "bad_segment", s->bad_range + 1);
}

void lx_loop_show(lua_State *L, int table, const sw_loop *l) {
  sw_loop_state s;
  sw_loop_state_get(l, &s);
  put_integer(L, table, "step", s.step);
  put_integer(L, table, "examples", s.examples);
  put_number(L, table, "epoch", s.epoch);
  put_number(L, table, "loss", s.loss);
  put_number(L, table, "grad_norm", s.grad_norm);
  for (int h = 0; h < SW_HYPER_COUNT; h++) {
    const sw_hyper_row *row = sw_hyper_row_of(h);
    if (row->whole)
      put_integer(L, table, row->name, (int64_t)s.hyper[h]);
    else
      put_number(L, table, row->name, s.hyper[h]);
  }
  put_integer(L, table, "measurements", s.measurements);
  put_number(L, table, "loss_sum", s.loss_sum);
  put_integer(L, table, "loss_examples", s.loss_examples);
  put_number(L, table, "bad_loss", s.bad_loss);
  put_number(L, table, "bad_grad_norm", s.bad_grad_norm);
  put_fault(L, table, &s);
}

/* loop:state(t) */
int lx_loop_state(lua_State *L) {
  lua_settop(L, 2);
  sw_loop *l = lx_check_loop(L, "loop:state");
  lx_check_table(L, 2, "loop:state", "t");
  lx_loop_show(L, 2, l);
  return 1;
}

int lx_loop_take_mean(lua_State *L) {
  lx_push_number(L, sw_loop_take_mean(lx_check_loop(L, "loop:take_mean")));
  return 1;
}

/* loop:norms(i) -> step, examples, batch, momentum, sum_sumsq, grad_sumsq, regularised_sumsq, or
 * nil */
int lx_loop_norms(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:norms");
  lua_Integer i = lx_check_integer(L, 2, "loop:norms", "i", 1, LUA_MAXINTEGER);
  sw_grad_norms seen;
  if (!sw_loop_grad_norms(l, i, &seen)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, seen.step);
  lua_pushinteger(L, seen.examples);
  lua_pushinteger(L, seen.batch);
  lx_push_number(L, seen.momentum);
  lx_push_number(L, seen.sum_sumsq);
  lx_push_number(L, seen.grad_sumsq);
  lx_push_number(L, seen.regularised_sumsq);
  return 7;
}

/* loop:cost() -> measured, paired, plain */
int lx_loop_cost(lua_State *L) {
  sw_loop_cost cost;
  sw_loop_cost_get(lx_check_loop(L, "loop:cost"), &cost);
  lx_push_number(L, cost.measured);
  lx_push_number(L, cost.paired);
  lx_push_number(L, cost.plain);
  return 3;
}

/* A view of one of the loop's vectors, or nil without one. */
static int give_view(lua_State *L, const char *who, sw_status (*get)(const sw_loop *, sw_tensor **),
                     lua_CFunction f) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = get(lx_check_loop(L, who), out);
  if (st == SW_EEMPTY) lua_pushnil(L);
  return st == SW_OK || st == SW_EEMPTY ? 1 : lx_retry(L, st, 1, f);
}

int lx_loop_momentum(lua_State *L) {
  return give_view(L, "loop:momentum", sw_loop_momentum, lx_loop_momentum);
}
int lx_loop_gradient(lua_State *L) {
  return give_view(L, "loop:gradient", sw_loop_gradient, lx_loop_gradient);
}

/* loop:check() -> true, or nil, message, code */
int lx_loop_check(lua_State *L) {
  sw_status st = sw_loop_check(lx_check_loop(L, "loop:check"));
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushboolean(L, 1);
  return 1;
}

/* loop:first_nan() -> text or nil */
int lx_loop_first_nan(lua_State *L) {
  char text[400] = "";
  sw_status st = sw_loop_first_nan(lx_check_loop(L, "loop:first_nan"), text, sizeof text);
  if (st != SW_OK && st != SW_EEMPTY) return lx_retry(L, st, 1, lx_loop_first_nan);
  if (text[0]) {
    lua_pushstring(L, text);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* ---- the optimizer's state */

int lx_loop_state_vectors(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **view[SW_MOMENTS];
  for (int i = 0; i < SW_MOMENTS; i++) view[i] = lx_push_tensor(L);
  lua_createtable(L, 0, SW_MOMENTS);
  sw_state_vector vectors[SW_MOMENTS];
  int n = 0;
  sw_status st = sw_loop_state_vectors(lx_check_loop(L, "loop:state_vectors"), vectors, &n);
  if (st != SW_OK) return lx_retry(L, st, 1, lx_loop_state_vectors);
  for (int i = 0; i < SW_MOMENTS && i < n; i++) *view[i] = vectors[i].view;
  for (int i = 0; i < SW_MOMENTS && i < n; i++) {
    lua_pushvalue(L, 2 + i);
    lua_setfield(L, 2 + SW_MOMENTS, vectors[i].name);
  }
  return 1;
}

/* The field `vectors` at index: tensors by their names. */
static void read_vectors(lua_State *L, int index, const sw_loop *l, sw_resume *r) {
  const sw_optimizer_row *row = sw_loop_optimizer(l);
  const char *names[SW_MOMENTS + 1] = {NULL};
  if (lua_isnil(L, index)) return;
  memcpy(names, row->moment, sizeof row->moment);
  int at = lx_push_options(L, index, "loop:restore: vectors", names);
  for (int i = 0; names[i]; i++)
    if (!lua_isnil(L, at + i)) r->vectors[i] = lx_check_tensor(L, at + i, "loop:restore", names[i]);
}

static const lx_option resume_options[] = {
    {.name = "step",
     .type = LX_WHOLE,
     .offset = offsetof(sw_resume, step),
     .most = SW_LARGEST_COUNT,
     .needed = 1},
    {.name = "examples",
     .type = LX_WHOLE,
     .offset = offsetof(sw_resume, examples),
     .most = SW_LARGEST_COUNT,
     .needed = 1},
    {.name = "loss", .type = LX_NUMBER, .offset = offsetof(sw_resume, loss)},
    {.name = "grad_norm", .type = LX_NUMBER, .offset = offsetof(sw_resume, grad_norm)},
    {.name = "loss_sum", .type = LX_NUMBER, .offset = offsetof(sw_resume, loss_sum)},
    {.name = "loss_examples",
     .type = LX_WHOLE,
     .offset = offsetof(sw_resume, loss_examples),
     .most = SW_LARGEST_COUNT},
    {.name = "vectors", .type = LX_VALUE},
    {.name = NULL}};

/* loop:restore { step =, examples =, … } */
int lx_loop_restore(lua_State *L) {
  lua_settop(L, 2);
  sw_loop *l = lx_check_loop(L, "loop:restore");
  sw_resume r = {.loss = (double)NAN, .grad_norm = (double)NAN};
  for (int h = 0; h < SW_HYPER_COUNT; h++) r.hyper[h] = h == SW_HYPER_BATCH_SIZE ? 0 : (double)NAN;
  lx_read_options(L, 2, "loop:restore",
                  lx_push_with_hyper(L, resume_options, offsetof(sw_resume, hyper)), &r);
  read_vectors(L, lx_push_option(L, 2, "vectors"), l, &r);
  l = lx_check_loop(L, "loop:restore");
  sw_status st = sw_loop_restore(l, &r);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, lx_loop_restore);
}

/* ---- update ratios */

int lx_loop_watch_updates(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:watch_updates");
  lua_Integer every = lx_check_integer(L, 2, "loop:watch_updates", "every", 0, LUA_MAXINTEGER);
  sw_status st = sw_loop_watch_updates(l, every);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, lx_loop_watch_updates);
}

/* loop:update_ratios(t) */
int lx_loop_update_ratios(lua_State *L) {
  lua_settop(L, 2);
  lx_check_table(L, 2, "loop:update_ratios", "t");
  int n = sw_loop_ranges(lx_check_loop(L, "loop:update_ratios"));
  double *ratio = lua_newuserdatauv(L, (size_t)n * sizeof *ratio, 0);
  int64_t step = sw_loop_update_ratios(lx_check_loop(L, "loop:update_ratios"), ratio);
  for (int i = 0; i < n && step > 0; i++) {
    lx_push_number(L, ratio[i]);
    lua_rawseti(L, 2, i + 1);
  }
  if (step > 0)
    lua_pushinteger(L, step);
  else
    lua_pushnil(L);
  return 1;
}
