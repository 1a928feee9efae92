/* lua_evaluate.c: sums over a data set; intervals of ratios. */
#include <math.h>

#include "lua_loop.h"

/* ---- evaluate(program, weights, source, batch, buffers) */

static void check_sums(lua_State *L, const lx_program *p) {
  for (int i = 0; i < p->n_outputs; i++) {
    if (p->placed[i])
      lx_error(L, "evaluate: output %d has an offset; sums are of (batch) outputs", i + 1);
  }
}

static int push_sums(lua_State *L, const double *sums, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lx_push_number(L, sums[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int evaluate(lua_State *L) {
  lua_settop(L, 5);
  lx_program *p = lx_check(L, 1, LX_PROGRAM, "evaluate", "program");
  int n = p->n_outputs;
  double *sums = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *sums, 0);
  lx_check(L, 1, LX_PROGRAM, "evaluate", "program");
  check_sums(L, p);
  sw_tensor *weights = lx_check_tensor(L, 2, "evaluate", "weights");
  lx_check_extents(L, "evaluate", p, weights);
  const lx_source *source = lx_check(L, 3, LX_SOURCE, "evaluate", "source");
  lua_Integer batch = 1000;
  if (!lua_isnil(L, 4)) batch = lx_check_integer(L, 4, "evaluate", "batch", 1, INT32_MAX);
  const sw_tensor *buffers = NULL;
  if (!lua_isnil(L, 5)) buffers = lx_check_tensor(L, 5, "evaluate", "buffers");
  sw_workspace *w;
  sw_status st = lx_program_workspace(p, &w);
  if (st == SW_OK)
    st = sw_evaluate(w, weights, buffers, source->p, batch, lx_interrupt_flag(), sums, n);
  return st == SW_OK ? push_sums(L, sums, n) : lx_fault(L, st);
}

/* ---- fieller(a, b, t) */

static void read_numbers(lua_State *L, int index, const char *what, double *to, int n) {
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, index, i + 1);
    to[i] = lx_check_number(L, -1, "fieller", what);
    lua_pop(L, 1);
  }
}

static int fieller(lua_State *L) {
  enum { MOST = 1 << 24 };
  lua_settop(L, 3);
  int n = lx_check_list(L, 1, "fieller", "a", MOST), m = lx_check_list(L, 2, "fieller", "b", MOST);
  if (n != m || n < 2)
    return lx_error(L, "fieller: want two lists of 2 numbers or more, got %d and %d", n, m);
  double t = lx_check_number(L, 3, "fieller", "t");
  if (!(t > 0) || isinf(t)) return lx_error(L, "fieller: t must be positive, got %f", t);
  double *a = lua_newuserdatauv(L, 2 * (size_t)n * sizeof *a, 0);
  read_numbers(L, 1, "an element of a", a, n);
  read_numbers(L, 2, "an element of b", a + n, n);
  return lx_push_estimate(L, sw_fieller(n, a, a + n, t));
}

const luaL_Reg lx_evaluate_functions[] = {
    {"evaluate", evaluate}, {"fieller", fieller}, {NULL, NULL}};
