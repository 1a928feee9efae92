/* lua_loop.c: class loop: the training step, and n of them; and sums over a data set.
 *
 * A loop of the core borrows its source, see lua_source.h; its programs it keeps by references of
 * its own.
 */
#include <math.h>

#include "lua_graph.h"
#include "lua_source.h"
#include "measure/noise.h"
#include "train/loop.h"

typedef struct lx_loop {
  sw_loop *p;
  lx_source *source; /* lives in the user value, so it is there as long as this is */
  sw_program *program, *measured;
  int64_t examples;       /* of the source */
  sw_noise_target target; /* of the noise scale */
} lx_loop;

/* ---- making one */

/* What the core cannot see from bare pointers: that params and gradients lie within the weights. */
static void check_extents(lua_State *L, const char *who, const lx_program *p,
                          const sw_tensor *weights) {
  lua_Integer n = (lua_Integer)sw_tensor_numel(weights);
  if (p->extent[0] > n) {
    lx_error(L, "%s: the graph's params need %I weights, got %I", who, (lua_Integer)p->extent[0],
             n);
  }
  if (p->out_extent > n) {
    lx_error(L, "%s: gradients go up to element %I, there are %I weights", who,
             (lua_Integer)p->out_extent, n);
  }
  for (int i = 1; i < LX_VECTORS; i++) {
    if (p->extent[i] > 0) {
      lx_error(L, "%s: the graph has params in vector %d, there are only weights", who, i + 1);
    }
  }
}

static void keep(lx_loop *loop, sw_program *program, sw_program *measured, lx_source *source) {
  loop->program = sw_program_retain(program);
  loop->measured = measured ? sw_program_retain(measured) : NULL;
  loop->source = source;
  loop->examples = sw_source_examples(source->p);
  (void)lx_source_keep(source);
}

/* loop { program =, measured =, weights =, source =, seed =, dampening =, nesterov = } */
static int new_loop(lua_State *L) {
  static const char *const names[] = {"program", "measured",  "weights",  "source",
                                      "seed",    "dampening", "nesterov", NULL};
  lua_settop(L, 1);
  lx_loop *loop = lx_push_shell(L, LX_LOOP);
  int at = lx_push_options(L, 1, "loop", names);
  lx_program *program = lx_check(L, at, LX_PROGRAM, "loop", "program"), *measured = NULL;
  if (!lua_isnil(L, at + 1)) measured = lx_check(L, at + 1, LX_PROGRAM, "loop", "measured");
  lx_source *source = lx_check(L, at + 3, LX_SOURCE, "loop", "source");
  sw_loop_options o = {
      .program = program->p, .measured = measured ? measured->p : NULL, .source = source->p};
  o.weights = lx_check_tensor(L, at + 2, "loop", "weights");
  if (!lua_isnil(L, at + 4))
    o.seed = (uint64_t)lx_check_integer(L, at + 4, "loop", "seed", LX_ANY_INTEGER);
  if (!lua_isnil(L, at + 5)) o.dampening = lx_check_number(L, at + 5, "loop", "dampening");
  o.nesterov = lx_check_boolean(L, at + 6, "loop", "nesterov");
  check_extents(L, "loop", program, o.weights);
  if (measured) check_extents(L, "loop", measured, o.weights);
  lua_pushvalue(L, at + 3);
  lua_setiuservalue(L, 2, 1);
  sw_status st = sw_loop_new(lx_context(L), &o, &loop->p);
  if (st != SW_OK) return lx_retry(L, st, 1, new_loop);
  keep(loop, o.program, o.measured, source);
  lua_settop(L, 2);
  return 1;
}

static sw_loop *check_loop(lua_State *L, const char *who) {
  return ((lx_loop *)lx_check(L, 1, LX_LOOP, who, "self"))->p;
}

/* ---- setting */

/* loop:set(name, value or schedule) */
static int set(lua_State *L) {
  static const char *const names[] = {"lr", "batch_size", "momentum", "weight_decay", NULL};
  static const sw_hyper hypers[] = {SW_HYPER_LR, SW_HYPER_BATCH_SIZE, SW_HYPER_MOMENTUM,
                                    SW_HYPER_WEIGHT_DECAY};
  sw_loop *l = check_loop(L, "loop:set");
  int which = lx_check_choice(L, 2, "loop:set", "name", names, -1);
  const sw_schedule *s = lx_test(L, 3, LX_SCHEDULE);
  sw_status st;
  if (s) {
    st = sw_loop_set_schedule(l, hypers[which], s);
  } else if (lua_type(L, 3) == LUA_TNUMBER) {
    st = sw_loop_set(l, hypers[which], lua_tonumber(L, 3));
  } else {
    return lx_error(L, "loop:set: %s must be a number or a schedule, got %s", names[which],
                    lx_push_words(L, 3));
  }
  return st == SW_OK ? 0 : lx_retry(L, st, 3, set);
}

/* loop:measure_noise(every, target) */
static int measure_noise(lua_State *L) {
  static const char *const names[] = {"train", "population", NULL};
  sw_loop *l = check_loop(L, "loop:measure_noise");
  lua_Integer every = lx_check_integer(L, 2, "loop:measure_noise", "every", 0, LUA_MAXINTEGER);
  int population = lx_check_choice(L, 3, "loop:measure_noise", "target", names, 0);
  if (every > 0 && !((lx_loop *)lua_touserdata(L, 1))->measured) {
    return lx_error(L, "loop:measure_noise: the loop has no measured program");
  }
  sw_loop_measure(l, every);
  ((lx_loop *)lua_touserdata(L, 1))->target = population ? SW_TARGET_POPULATION : SW_TARGET_TRAIN;
  return 0;
}

/* ---- running */

/* loop:advance(steps, stop_examples) */
static int advance(lua_State *L) {
  static const char *const names[] = {"steps", "examples", "interrupted"};
  lua_settop(L, 3);
  sw_loop *l = check_loop(L, "loop:advance");
  lua_Integer steps = lx_check_integer(L, 2, "loop:advance", "steps", 0, LUA_MAXINTEGER), mark = 0;
  if (!lua_isnil(L, 3))
    mark = lx_check_integer(L, 3, "loop:advance", "stop_examples", 0, LUA_MAXINTEGER);
  sw_stop why;
  sw_status st = sw_loop_advance(l, steps, mark, lx_interrupt_flag(), &why);
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushstring(L, names[why]);
  return 1;
}

/* ---- looking */

static void set_number(lua_State *L, const char *name, double value) {
  lua_pushstring(L, name);
  lua_pushnumber(L, value);
  lua_rawset(L, 2);
}

static void set_integer(lua_State *L, const char *name, int64_t value) {
  lua_pushstring(L, name);
  lua_pushinteger(L, value);
  lua_rawset(L, 2);
}

/* loop:state(t) */
static int state(lua_State *L) {
  lua_settop(L, 2);
  sw_loop_state s;
  sw_loop_state_get(check_loop(L, "loop:state"), &s);
  lx_check_table(L, 2, "loop:state", "t");
  set_integer(L, "step", s.step);
  set_integer(L, "examples", s.examples);
  set_number(L, "epoch", s.epoch);
  set_number(L, "loss", s.loss);
  set_number(L, "grad_norm", s.grad_norm);
  set_number(L, "lr", s.lr);
  set_number(L, "momentum", s.momentum);
  set_number(L, "weight_decay", s.weight_decay);
  set_integer(L, "batch_size", s.batch_size);
  set_integer(L, "noise_measurements", s.measurements);
  set_number(L, "bad_loss", s.bad_loss);
  set_number(L, "bad_grad_norm", s.bad_grad_norm);
  return 1;
}

static int take_mean(lua_State *L) {
  lua_pushnumber(L, sw_loop_take_mean(check_loop(L, "loop:take_mean")));
  return 1;
}

static int push_estimate(lua_State *L, sw_estimate e) {
  lua_pushstring(L, sw_estimate_status_name(e.status));
  lua_pushnumber(L, e.value);
  lua_pushnumber(L, e.low);
  lua_pushnumber(L, e.high);
  return 4;
}

static int noise(lua_State *L) {
  sw_loop *l = check_loop(L, "loop:noise");
  const lx_loop *box = lua_touserdata(L, 1);
  sw_norms norms[SW_LOOP_NORMS];
  sw_noise e;
  double s, g2;
  int n = sw_loop_norms(l, norms);
  sw_noise_init(&e, box->target, box->examples);
  for (int i = 0; i < n; i++)
    sw_noise_add(&e, norms[i].batch, norms[i].sum_sumsq, norms[i].grad_sumsq);
  sw_noise_parts(&e, &s, &g2);
  push_estimate(L, sw_noise_read(&e));
  lua_pushnumber(L, s);
  lua_pushnumber(L, g2);
  return 6;
}

/* A view that the loop gives, or nil while there is none. */
static int give_view(lua_State *L, const char *who, sw_status (*get)(const sw_loop *, sw_tensor **),
                     lua_CFunction f) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  sw_status st = get(check_loop(L, who), out);
  if (st == SW_EEMPTY) lua_pushnil(L);
  return st == SW_OK || st == SW_EEMPTY ? 1 : lx_retry(L, st, 1, f);
}

static int momentum(lua_State *L) {
  return give_view(L, "loop:momentum", sw_loop_momentum, momentum);
}
static int gradient(lua_State *L) {
  return give_view(L, "loop:gradient", sw_loop_gradient, gradient);
}

static int to_text(lua_State *L) {
  const lx_loop *loop = lx_test(L, 1, LX_LOOP);
  if (loop && loop->p) {
    sw_loop_state s;
    sw_loop_state_get(loop->p, &s);
    lua_pushfstring(L, "loop at step %I", (lua_Integer)s.step);
  } else {
    lua_pushliteral(L, "loop (freed)");
  }
  return 1;
}

static int end(lua_State *L) {
  lx_loop *loop = lx_test(L, 1, LX_LOOP);
  if (!loop || !loop->p) return 0;
  sw_loop *p = loop->p;
  loop->p = NULL;
  sw_loop_free(p);
  sw_program_release(loop->program);
  if (loop->measured) sw_program_release(loop->measured);
  lx_source_leave(loop->source);
  return 0;
}

/* ---- evaluate(program, weights, source, batch) */

static void check_sums(lua_State *L, const lx_program *p) {
  for (int i = 0; i < p->n_outputs; i++) {
    if (p->placed[i])
      lx_error(L, "evaluate: output %d has an offset; sums are of (batch) outputs", i + 1);
  }
}

static int push_sums(lua_State *L, const double *sums, int n) {
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushnumber(L, sums[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int evaluate(lua_State *L) {
  lua_settop(L, 4);
  lx_program *p = lx_check(L, 1, LX_PROGRAM, "evaluate", "program");
  int n = p->n_outputs;
  double *sums = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *sums, 0);
  lx_check(L, 1, LX_PROGRAM, "evaluate", "program");
  check_sums(L, p);
  sw_tensor *weights = lx_check_tensor(L, 2, "evaluate", "weights");
  check_extents(L, "evaluate", p, weights);
  const lx_source *source = lx_check(L, 3, LX_SOURCE, "evaluate", "source");
  lua_Integer batch = 1000;
  if (!lua_isnil(L, 4)) batch = lx_check_integer(L, 4, "evaluate", "batch", 1, INT32_MAX);
  sw_workspace *w;
  sw_status st = lx_program_workspace(p, &w);
  if (st == SW_OK) st = sw_evaluate(w, weights, source->p, batch, lx_interrupt_flag(), sums, n);
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
  return push_estimate(L, sw_fieller(n, a, a + n, t));
}

static const luaL_Reg methods[] = {
    {"set", set},           {"measure_noise", measure_noise}, {"advance", advance},
    {"state", state},       {"take_mean", take_mean},         {"noise", noise},
    {"momentum", momentum}, {"gradient", gradient},           {NULL, NULL},
};
static const luaL_Reg meta[] = {{"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_loop_class = {.name = "loop",
                                     .size = sizeof(lx_loop),
                                     .values = 1,
                                     .end = end,
                                     .methods = methods,
                                     .meta = meta};

const luaL_Reg lx_loop_functions[] = {
    {"loop", new_loop}, {"evaluate", evaluate}, {"fieller", fieller}, {NULL, NULL}};
