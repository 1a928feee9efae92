/* lua_loop_state.c: what a loop tells of itself, and how it goes on after a break. */
#include <math.h>

#include "lua_loop.h"

sw_loop *lx_check_loop(lua_State *L, const char *who) {
  return ((lx_loop *)lx_check(L, 1, LX_LOOP, who, "self"))->p;
}

/* ---- looking */

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
  static const char *const names[] = {NULL, "loss", "gradient", "weights", "buffers"};
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
  put_number(L, table, "lr", s.lr);
  put_number(L, table, "momentum", s.momentum);
  put_number(L, table, "weight_decay", s.weight_decay);
  put_integer(L, table, "batch_size", s.batch_size);
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

/* loop:norms(i) -> step, batch, sum_sumsq, grad_sumsq, or nil */
int lx_loop_norms(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:norms");
  lua_Integer i = lx_check_integer(L, 2, "loop:norms", "i", 1, LUA_MAXINTEGER);
  sw_norms seen;
  if (!sw_loop_norms_at(l, i, &seen)) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, seen.step);
  lua_pushinteger(L, seen.batch);
  lx_push_number(L, seen.sum_sumsq);
  lx_push_number(L, seen.grad_sumsq);
  return 4;
}

/* A view that the loop gives, or nil while there is none. */
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

/* loop:blame() -> text or nil */
int lx_loop_blame(lua_State *L) {
  char text[400] = "";
  sw_status st = sw_loop_blame(lx_check_loop(L, "loop:blame"), text, sizeof text);
  if (st != SW_OK && st != SW_EEMPTY) return lx_retry(L, st, 1, lx_loop_blame);
  if (text[0]) {
    lua_pushstring(L, text);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* ---- what the optimizer keeps */

int lx_loop_state_vectors(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **view[SW_LOOP_VECTORS];
  for (int i = 0; i < SW_LOOP_VECTORS; i++) view[i] = lx_push_tensor(L);
  lua_createtable(L, 0, SW_LOOP_VECTORS);
  sw_state_vector vectors[SW_LOOP_VECTORS];
  int n = 0;
  sw_status st = sw_loop_state_vectors(lx_check_loop(L, "loop:state_vectors"), vectors, &n);
  if (st != SW_OK) return lx_retry(L, st, 1, lx_loop_state_vectors);
  for (int i = 0; i < SW_LOOP_VECTORS && i < n; i++) *view[i] = vectors[i].view;
  for (int i = 0; i < SW_LOOP_VECTORS && i < n; i++) {
    lua_pushvalue(L, 2 + i);
    lua_setfield(L, 2 + SW_LOOP_VECTORS, vectors[i].name);
  }
  return 1;
}

/* The field `vectors` at index: tensors by their names. */
static void read_vectors(lua_State *L, int index, const sw_loop *l, sw_resume *r) {
  const char *names[SW_LOOP_VECTORS + 1] = {NULL};
  if (lua_isnil(L, index)) return;
  for (int i = 0; i < SW_LOOP_VECTORS; i++) names[i] = sw_loop_vector_name(l, i);
  int at = lx_push_options(L, index, "loop:restore: vectors", names);
  for (int i = 0; names[i]; i++)
    if (!lua_isnil(L, at + i)) r->vectors[i] = lx_check_tensor(L, at + i, "loop:restore", names[i]);
}

static int64_t count_or_0(lua_State *L, int index, const char *what) {
  if (lua_isnil(L, index)) return 0;
  return lx_check_integer(L, index, "loop:restore", what, 0, SW_LARGEST_COUNT);
}

static double number_or(lua_State *L, int index, const char *what, double fallback) {
  return lua_isnil(L, index) ? fallback : lx_check_number(L, index, "loop:restore", what);
}

/* loop:restore { step =, examples =, … } */
int lx_loop_restore(lua_State *L) {
  static const char *const names[] = {"step",       "examples", "loss",          "grad_norm",
                                      "batch_size", "lr",       "momentum",      "weight_decay",
                                      "loss_sum",   "vectors",  "loss_examples", NULL};
  const double none = (double)NAN;
  lua_settop(L, 2);
  sw_loop *l = lx_check_loop(L, "loop:restore");
  int at = lx_push_options(L, 2, "loop:restore", names);
  sw_resume r = {.step = lx_check_integer(L, at, "loop:restore", "step", 0, SW_LARGEST_COUNT),
                 .examples =
                     lx_check_integer(L, at + 1, "loop:restore", "examples", 0, SW_LARGEST_COUNT),
                 .loss = number_or(L, at + 2, "loss", none),
                 .grad_norm = number_or(L, at + 3, "grad_norm", none),
                 .batch_size = count_or_0(L, at + 4, "batch_size"),
                 .lr = number_or(L, at + 5, "lr", none),
                 .momentum = number_or(L, at + 6, "momentum", none),
                 .weight_decay = number_or(L, at + 7, "weight_decay", none),
                 .loss_sum = number_or(L, at + 8, "loss_sum", 0),
                 .loss_examples = count_or_0(L, at + 10, "loss_examples")};
  read_vectors(L, at + 9, l, &r);
  l = lx_check_loop(L, "loop:restore");
  sw_status st = sw_loop_restore(l, &r);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, lx_loop_restore);
}

/* ---- how far segments move */

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
