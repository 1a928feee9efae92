/* lua_arpack.c: class arpack, a few eigenpairs of a matrix that a script multiplies by. */
#include "measure/arpack.h"

#include "support.h"

static sw_arpack *check_arpack(lua_State *L, const char *who) {
  return *(sw_arpack **)lx_check(L, 1, LX_ARPACK, who, "self");
}

static const char *const which_names[SW_ARPACK_WHICH_COUNT + 1] = {
    [SW_ARPACK_LARGEST] = "largest",
    [SW_ARPACK_SMALLEST] = "smallest",
    [SW_ARPACK_BOTH] = "both",
    [SW_ARPACK_MAGNITUDE] = "magnitude"};

static const lx_option options[] = {
    {"k", LX_WHOLE, 0, offsetof(sw_arpack_options, k), 1, LUA_MAXINTEGER, NULL},
    {"which", LX_CHOICE, 0, offsetof(sw_arpack_options, which), 0, 0, which_names},
    {"basis", LX_WHOLE, 0, offsetof(sw_arpack_options, basis), 2, LUA_MAXINTEGER, NULL},
    {"restarts", LX_WHOLE, 0, offsetof(sw_arpack_options, restarts), 1, LUA_MAXINTEGER, NULL},
    {"tolerance", LX_NUMBER, 0, offsetof(sw_arpack_options, tolerance), 0, 0, NULL},
    {0}};

/* arpack(n, start, options) -> solver | nil, why, "EUNSUPPORTED" */
static int new_arpack(lua_State *L) {
  lua_settop(L, 3);
  if (sw_arpack_in_use()) lua_gc(L, LUA_GCCOLLECT); /* a solver may have been dropped */
  sw_arpack **out = lx_push_shell(L, LX_ARPACK);
  lua_Integer n = lx_check_integer(L, 1, "arpack", "n", 2, LUA_MAXINTEGER);
  sw_arpack_options o = {.k = 1, .restarts = 300};
  if (!lua_isnil(L, 3)) lx_read_options(L, 3, "arpack", options, &o);
  const int64_t wide = 2 * o.k + 1 > 20 ? 2 * o.k + 1 : 20;
  if (o.basis == 0) o.basis = wide < n ? wide : n;
  sw_tensor *start = lx_check_tensor(L, 2, "arpack", "start");
  sw_status st = sw_arpack_new(lx_context(L), n, &o, start, out);
  if (st == SW_EUNSUPPORTED) {
    lua_pushnil(L);
    lua_pushstring(L, sw_message(lx_context(L)));
    lua_pushstring(L, sw_status_name(st));
    return 3;
  }
  return st == SW_OK ? 1 : lx_retry(L, st, 3, new_arpack);
}

/* solver:step() -> x, y | nothing | nil, why, code */
static int step(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **x = lx_push_tensor(L), **y = lx_push_tensor(L);
  sw_arpack *s = check_arpack(L, "arpack:step");
  int more;
  sw_status st = sw_arpack_step(s, &more);
  if (st == SW_ENOMEM) return lx_retry(L, st, 1, step);
  if (st != SW_OK) return lx_fault(L, st);
  if (!more) return 0;
  st = sw_tensor_view(sw_arpack_x(s), x);
  if (st == SW_OK) st = sw_tensor_view(sw_arpack_y(s), y);
  return st == SW_OK ? 2 : lx_raise(L, st);
}

/* solver:result() -> values, vectors */
static int result(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **values = lx_push_tensor(L), **vectors = lx_push_tensor(L);
  sw_status st = sw_arpack_result(check_arpack(L, "arpack:result"), values, vectors);
  return st == SW_OK ? 2 : lx_retry(L, st, 1, result);
}

static int products(lua_State *L) {
  lua_pushinteger(L, sw_arpack_products(check_arpack(L, "arpack:products")));
  return 1;
}

static int end(lua_State *L) {
  sw_arpack **box = lx_test(L, 1, LX_ARPACK);
  if (!box) return 0;
  sw_arpack *s = *box;
  *box = NULL;
  sw_arpack_free(s);
  return 0;
}

static const luaL_Reg methods[] = {
    {"step", step}, {"result", result}, {"products", products}, {NULL, NULL}};

const lx_class_spec lx_arpack_class = {
    .name = "arpack", .size = sizeof(sw_arpack *), .end = end, .methods = methods};

const luaL_Reg lx_arpack_functions[] = {{"arpack", new_arpack}, {NULL, NULL}};
