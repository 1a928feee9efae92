/* lua_linalg.c: linear algebra on tensors. */
#include "tensor/linalg.h"

#include "support.h"

/* core.eigh(a, only_values) -> values, vectors */
static int eigh(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **values = lx_push_tensor(L), **vectors = lx_push_tensor(L);
  const int only_values = lx_check_boolean(L, 2, "eigh", "only_values");
  sw_tensor *a = lx_check_tensor(L, 1, "eigh", "a");
  sw_status st = sw_linalg_eigh(a, values, only_values ? NULL : vectors);
  if (st != SW_OK) return lx_retry(L, st, 2, eigh);
  return only_values ? (lua_pop(L, 1), 1) : 2;
}

/* core.eigh_tridiagonal(diagonal, beside, only_values) -> values, vectors */
static int eigh_tridiagonal(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **values = lx_push_tensor(L), **vectors = lx_push_tensor(L);
  const int only_values = lx_check_boolean(L, 3, "eigh_tridiagonal", "only_values");
  sw_tensor *d = lx_check_tensor(L, 1, "eigh_tridiagonal", "diagonal");
  sw_tensor *e = lx_check_tensor(L, 2, "eigh_tridiagonal", "beside");
  sw_status st = sw_linalg_eigh_tridiagonal(d, e, values, only_values ? NULL : vectors);
  if (st != SW_OK) return lx_retry(L, st, 3, eigh_tridiagonal);
  return only_values ? (lua_pop(L, 1), 1) : 2;
}

/* core.svd(a) -> u, s, vt */
static int svd(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **u = lx_push_tensor(L), **s = lx_push_tensor(L), **vt = lx_push_tensor(L);
  sw_status st = sw_linalg_svd(lx_check_tensor(L, 1, "svd", "a"), u, s, vt);
  return st == SW_OK ? 3 : lx_retry(L, st, 1, svd);
}

/* core.qr(a) -> q, r */
static int qr(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **q = lx_push_tensor(L), **r = lx_push_tensor(L);
  sw_status st = sw_linalg_qr(lx_check_tensor(L, 1, "qr", "a"), q, r);
  return st == SW_OK ? 2 : lx_retry(L, st, 1, qr);
}

/* core.cholesky(a) -> l | nil, minor */
static int cholesky(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **l = lx_push_tensor(L);
  int64_t minor;
  sw_status st = sw_linalg_cholesky(lx_check_tensor(L, 1, "cholesky", "a"), l, &minor);
  if (st != SW_OK) return lx_retry(L, st, 1, cholesky);
  if (minor == 0) return 1;
  lua_pushnil(L);
  lua_pushinteger(L, minor);
  return 2;
}

/* core.slogdet(a) -> sign, log */
static int slogdet(lua_State *L) {
  lua_settop(L, 1);
  double sign, log;
  sw_status st = sw_linalg_slogdet(lx_check_tensor(L, 1, "slogdet", "a"), &sign, &log);
  if (st != SW_OK) return lx_retry(L, st, 1, slogdet);
  lx_push_number(L, sign);
  lx_push_number(L, log);
  return 2;
}

/* core.solve(a, b) -> x */
static int solve(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **x = lx_push_tensor(L);
  sw_tensor *a = lx_check_tensor(L, 1, "solve", "a"), *b = lx_check_tensor(L, 2, "solve", "b");
  sw_status st = sw_linalg_solve(a, b, x);
  return st == SW_OK ? 1 : lx_retry(L, st, 2, solve);
}

/* core.solve_triangular(a, b, upper) -> x */
static int solve_triangular(lua_State *L) {
  lua_settop(L, 3);
  sw_tensor **x = lx_push_tensor(L);
  sw_tensor *a = lx_check_tensor(L, 1, "solve_triangular", "a");
  sw_tensor *b = lx_check_tensor(L, 2, "solve_triangular", "b");
  const int upper = lx_check_boolean(L, 3, "solve_triangular", "upper");
  sw_status st = sw_linalg_solve_triangular(a, b, upper, x);
  return st == SW_OK ? 1 : lx_retry(L, st, 3, solve_triangular);
}

/* core.lstsq(a, b) -> x, rank, s */
static int lstsq(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **x = lx_push_tensor(L), **s = lx_push_tensor(L);
  sw_tensor *a = lx_check_tensor(L, 1, "lstsq", "a"), *b = lx_check_tensor(L, 2, "lstsq", "b");
  int64_t rank;
  sw_status st = sw_linalg_lstsq(a, b, x, &rank, s);
  if (st != SW_OK) return lx_retry(L, st, 2, lstsq);
  lua_pushinteger(L, rank);
  lua_insert(L, -2);
  return 3;
}

const luaL_Reg lx_linalg_functions[] = {
    {"eigh", eigh},         {"eigh_tridiagonal", eigh_tridiagonal},
    {"svd", svd},           {"qr", qr},
    {"cholesky", cholesky}, {"slogdet", slogdet},
    {"solve", solve},       {"solve_triangular", solve_triangular},
    {"lstsq", lstsq},       {NULL, NULL}};
