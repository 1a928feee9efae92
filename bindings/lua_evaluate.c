/* lua_evaluate.c: sums of the outputs of a program over a data set. */
#include "lua_loop.h"
#include "train/evaluate.h"

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

const luaL_Reg lx_evaluate_functions[] = {{"evaluate", evaluate}, {NULL, NULL}};
