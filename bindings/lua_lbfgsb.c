/* lua_lbfgsb.c: class lbfgsb, which minimises a function that a script computes. */
#include "measure/lbfgsb.h"

#include "support.h"

static sw_lbfgsb *check_lbfgsb(lua_State *L, const char *who) {
  return *(sw_lbfgsb **)lx_check(L, 1, LX_LBFGSB, who, "self");
}

static const lx_option options[] = {
    {"memory", LX_WHOLE, 0, offsetof(sw_lbfgsb_options, memory), 1, 100, NULL},
    {"tolerance", LX_NUMBER, 0, offsetof(sw_lbfgsb_options, tolerance), 0, 0, NULL},
    {"decrease", LX_NUMBER, 0, offsetof(sw_lbfgsb_options, decrease), 0, 0, NULL},
    {0}};

static sw_tensor *check_bound(lua_State *L, int arg, const char *what) {
  return lua_isnil(L, arg) ? NULL : lx_check_tensor(L, arg, "lbfgsb", what);
}

/* lbfgsb(x0, lower, upper, options) -> solver | nil, why, "EUNSUPPORTED" */
static int new_lbfgsb(lua_State *L) {
  lua_settop(L, 4);
  sw_lbfgsb **out = lx_push_shell(L, LX_LBFGSB);
  sw_lbfgsb_options o = {.memory = 10};
  if (!lua_isnil(L, 4)) lx_read_options(L, 4, "lbfgsb", options, &o);
  sw_tensor *x0 = lx_check_tensor(L, 1, "lbfgsb", "x0");
  sw_tensor *lower = check_bound(L, 2, "lower"), *upper = check_bound(L, 3, "upper");
  sw_status st = sw_lbfgsb_new(lx_context(L), &o, x0, lower, upper, out);
  if (st == SW_EUNSUPPORTED) {
    lua_pushnil(L);
    lua_pushstring(L, sw_message(lx_context(L)));
    lua_pushstring(L, sw_status_name(st));
    return 3;
  }
  return st == SW_OK ? 1 : lx_retry(L, st, 4, new_lbfgsb);
}

/* solver:step(value) -> task | nil, why, code */
static int step(lua_State *L) {
  static const char *const names[SW_LBFGSB_TASK_COUNT] = {[SW_LBFGSB_EVALUATE] = "evaluate",
                                                          [SW_LBFGSB_ITERATE] = "iterate",
                                                          [SW_LBFGSB_CONVERGED] = "converged",
                                                          [SW_LBFGSB_ABNORMAL] = "abnormal"};
  lua_settop(L, 2);
  double value = 0;
  if (!lua_isnil(L, 2)) value = lx_check_number(L, 2, "lbfgsb:step", "value");
  sw_lbfgsb_task task;
  sw_status st = sw_lbfgsb_step(check_lbfgsb(L, "lbfgsb:step"), value, &task);
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushstring(L, names[task]);
  return 1;
}

/* solver:x() -> a copy */
static int get_x(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_tensor_clone(sw_lbfgsb_x(check_lbfgsb(L, "lbfgsb:x")), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, get_x);
}

/* solver:gradient() -> the tensor to write into */
static int get_gradient(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = sw_tensor_view(sw_lbfgsb_gradient(check_lbfgsb(L, "lbfgsb:gradient")), out);
  return st == SW_OK ? 1 : lx_retry(L, st, 1, get_gradient);
}

static int get_reason(lua_State *L) {
  lua_pushstring(L, sw_lbfgsb_reason(check_lbfgsb(L, "lbfgsb:reason")));
  return 1;
}

static int end(lua_State *L) {
  sw_lbfgsb **box = lx_test(L, 1, LX_LBFGSB);
  if (!box) return 0;
  sw_lbfgsb *s = *box;
  *box = NULL;
  sw_lbfgsb_free(s);
  return 0;
}

static const luaL_Reg methods[] = {
    {"step", step}, {"x", get_x}, {"gradient", get_gradient}, {"reason", get_reason}, {NULL, NULL}};

const lx_class_spec lx_lbfgsb_class = {
    .name = "lbfgsb", .size = sizeof(sw_lbfgsb *), .end = end, .methods = methods};

const luaL_Reg lx_lbfgsb_functions[] = {{"lbfgsb", new_lbfgsb}, {NULL, NULL}};
