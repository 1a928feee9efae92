/* lua_loop.c: class loop: the training step, and n of them.
 *
 * A loop of the core borrows its source, see lua_source.h; its programs it keeps by references of
 * its own.
 */
#include "lua_loop.h"

/* ---- making one */

void lx_check_extents(lua_State *L, const char *who, const lx_program *p,
                      const sw_tensor *weights) {
  lua_Integer n = (lua_Integer)sw_tensor_numel(weights);
  if (p->extent[0] > n) {
    lx_error(L, "%s: the graph's params need %I weights, got %I", who, (lua_Integer)p->extent[0],
             n);
  }
  if (p->out_extent[SW_TO_OUT] > n) {
    lx_error(L, "%s: gradients go up to element %I, there are %I weights", who,
             (lua_Integer)p->out_extent[SW_TO_OUT], n);
  }
}

static void keep(lx_loop *loop, sw_program *program, sw_program *measured, lx_source *source) {
  loop->program = sw_program_retain(program);
  loop->measured = measured ? sw_program_retain(measured) : NULL;
  loop->source = source;
  (void)lx_source_keep(source);
}

enum {
  PROGRAM,
  MEASURED,
  WEIGHTS,
  SOURCE,
  SEED,
  ORDER,
  SUBSET,
  OPTIMIZER,
  DAMPENING,
  NESTEROV,
  BETA2,
  EPS,
  MAX_NORM,
  SEGMENTS,
  MICRO_BATCH,
  COUPLING,
  REFERENCE_BATCH,
  BUFFERS
};

static const char *const option_names[] = {
    "program",     "measured",  "weights",         "source",  "seed", "order",    "subset",
    "optimizer",   "dampening", "nesterov",        "beta2",   "eps",  "max_norm", "segments",
    "micro_batch", "coupling",  "reference_batch", "buffers", NULL};

static double number_or(lua_State *L, int index, const char *what, double fallback) {
  return lua_isnil(L, index) ? fallback : lx_check_number(L, index, "loop", what);
}

static void read_optimizer(lua_State *L, int at, sw_optimizer_options *o) {
  static const char *const kinds[] = {"sgd", "adam", "adamw", NULL};
  o->kind = (sw_optimizer_kind)lx_check_choice(L, at + OPTIMIZER, "loop", "optimizer", kinds, 0);
  o->dampening = number_or(L, at + DAMPENING, "dampening", 0);
  o->nesterov = lx_check_boolean(L, at + NESTEROV, "loop", "nesterov");
  o->beta2 = number_or(L, at + BETA2, "beta2", 0.999);
  o->eps = number_or(L, at + EPS, "eps", 1e-8);
}

static void read_order(lua_State *L, int at, sw_loop_options *o) {
  static const char *const orders[] = {"shuffled", "independent", "sequential", NULL};
  o->order = (sw_order)lx_check_choice(L, at + ORDER, "loop", "order", orders, 0);
  if (!lua_isnil(L, at + SEED))
    o->seed = (uint64_t)lx_check_integer(L, at + SEED, "loop", "seed", LX_ANY_INTEGER);
}

static void read_step(lua_State *L, int at, sw_loop_options *o) {
  static const char *const couplings[] = {"none", "linear", "sqrt", NULL};
  o->max_norm = number_or(L, at + MAX_NORM, "max_norm", 0);
  if (!lua_isnil(L, at + MAX_NORM) && !(o->max_norm > 0))
    lx_error(L, "loop: max_norm must be above 0, got %f", o->max_norm);
  if (!lua_isnil(L, at + MICRO_BATCH))
    o->micro_batch = lx_check_integer(L, at + MICRO_BATCH, "loop", "micro_batch", 1, INT32_MAX);
  o->coupling = (sw_coupling)lx_check_choice(L, at + COUPLING, "loop", "coupling", couplings, 0);
  o->reference_batch = number_or(L, at + REFERENCE_BATCH, "reference_batch", 0);
}

/* { first =, length =, lr_factor =, weight_decay_factor =, frozen = } on top of the stack. */
static sw_range read_segment(lua_State *L) {
  static const char *const names[] = {"first",  "length", "lr_factor", "weight_decay_factor",
                                      "frozen", NULL};
  int top = lua_gettop(L);
  int at = lx_push_options(L, top, "loop: a segment", names);
  sw_range r = {
      .first = lx_check_integer(L, at, "loop", "a segment's first", 1, LUA_MAXINTEGER) - 1,
      .length = lx_check_integer(L, at + 1, "loop", "a segment's length", 0, LUA_MAXINTEGER),
      .lr_factor = number_or(L, at + 2, "lr_factor", 1),
      .weight_decay_factor = number_or(L, at + 3, "weight_decay_factor", 1),
      .frozen = lx_check_boolean(L, at + 4, "loop", "frozen")};
  lua_settop(L, top);
  return r;
}

static void read_segments(lua_State *L, int index, sw_loop_options *o) {
  enum { MOST = 1 << 20 };
  if (lua_isnil(L, index)) return;
  o->n_ranges = lx_check_list(L, index, "loop", "segments", MOST);
  sw_range *ranges = lua_newuserdatauv(L, ((size_t)o->n_ranges + 1) * sizeof *ranges, 0);
  for (int i = 0; i < o->n_ranges; i++) {
    lua_rawgeti(L, index, i + 1);
    ranges[i] = read_segment(L);
    lua_pop(L, 1);
  }
  o->ranges = ranges;
}

/* The objects last of all: what ran before could have freed one. */
static void read_objects(lua_State *L, int at, sw_loop_options *o) {
  const lx_program *program = lx_check(L, at + PROGRAM, LX_PROGRAM, "loop", "program");
  const lx_program *measured = NULL;
  if (!lua_isnil(L, at + MEASURED))
    measured = lx_check(L, at + MEASURED, LX_PROGRAM, "loop", "measured");
  const lx_source *source = lx_check(L, at + SOURCE, LX_SOURCE, "loop", "source");
  o->program = program->p;
  o->measured = measured ? measured->p : NULL;
  o->source = source->p;
  o->weights = lx_check_tensor(L, at + WEIGHTS, "loop", "weights");
  if (!lua_isnil(L, at + BUFFERS)) o->buffers = lx_check_tensor(L, at + BUFFERS, "loop", "buffers");
  if (!lua_isnil(L, at + SUBSET)) o->subset = lx_check_tensor(L, at + SUBSET, "loop", "subset");
  lx_check_extents(L, "loop", program, o->weights);
  if (measured) lx_check_extents(L, "loop", measured, o->weights);
}

/* loop { program =, weights =, source =, … } */
static int new_loop(lua_State *L) {
  lua_settop(L, 1);
  lx_loop *loop = lx_push_shell(L, LX_LOOP);
  int at = lx_push_options(L, 1, "loop", option_names);
  sw_loop_options o = {0};
  read_optimizer(L, at, &o.optimizer);
  read_order(L, at, &o);
  read_step(L, at, &o);
  read_segments(L, at + SEGMENTS, &o);
  read_objects(L, at, &o);
  lua_pushvalue(L, at + SOURCE);
  lua_setiuservalue(L, 2, 1);
  sw_status st = sw_loop_new(lx_context(L), &o, &loop->p);
  if (st != SW_OK) return lx_retry(L, st, 1, new_loop);
  keep(loop, o.program, o.measured, lx_test(L, at + SOURCE, LX_SOURCE));
  lua_settop(L, 2);
  return 1;
}

/* ---- setting */

static const char *const hyper_names[] = {"lr", "batch_size", "momentum", "weight_decay", NULL};

sw_hyper lx_check_hyper(lua_State *L, int arg, const char *who) {
  static const sw_hyper hypers[] = {SW_HYPER_LR, SW_HYPER_BATCH_SIZE, SW_HYPER_MOMENTUM,
                                    SW_HYPER_WEIGHT_DECAY};
  return hypers[lx_check_choice(L, arg, who, "name", hyper_names, -1)];
}

/* loop:set(name, value or schedule) */
static int set(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:set");
  sw_hyper which = lx_check_hyper(L, 2, "loop:set");
  const char *name = lua_tostring(L, 2);
  sw_status st = SW_OK;
  if (lx_test(L, 3, LX_SCHEDULE)) {
    sw_schedule **s = lx_check(L, 3, LX_SCHEDULE, "loop:set", name);
    sw_loop_set_schedule(l, which, *s);
  } else if (lua_type(L, 3) == LUA_TNUMBER) {
    st = sw_loop_set(l, which, lua_tonumber(L, 3));
  } else {
    return lx_error(L, "loop:set: %s must be a number or a schedule, got %s", name,
                    lx_push_words(L, 3));
  }
  return st == SW_OK ? 0 : lx_retry(L, st, 3, set);
}

/* loop:measure(every) */
static int measure(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:measure");
  lua_Integer every = lx_check_integer(L, 2, "loop:measure", "every", 0, LUA_MAXINTEGER);
  if (every > 0 && !((lx_loop *)lua_touserdata(L, 1))->measured)
    return lx_error(L, "loop:measure: the loop has no measured program");
  sw_loop_measure(l, every);
  return 0;
}

/* ---- running */

/* loop:advance(steps, stop_examples, t) */
static int advance(lua_State *L) {
  static const char *const names[] = {"steps", "examples", "interrupted"};
  lua_settop(L, 4);
  sw_loop *l = lx_check_loop(L, "loop:advance");
  if (!lua_isnil(L, 4)) lx_check_table(L, 4, "loop:advance", "t");
  lua_Integer steps = lx_check_integer(L, 2, "loop:advance", "steps", 0, LUA_MAXINTEGER), mark = 0;
  if (!lua_isnil(L, 3))
    mark = lx_check_integer(L, 3, "loop:advance", "stop_examples", 0, LUA_MAXINTEGER);
  sw_stop why;
  sw_status st = sw_loop_advance(l, steps, mark, lx_interrupt_flag(), &why);
  if (!lua_isnil(L, 4)) lx_loop_show(L, 4, l);
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushstring(L, names[why]);
  return 1;
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

static const luaL_Reg methods[] = {
    {"set", set},
    {"measure", measure},
    {"advance", advance},
    {"stepper", lx_loop_stepper},
    {"state", lx_loop_state},
    {"take_mean", lx_loop_take_mean},
    {"norms", lx_loop_norms},
    {"momentum", lx_loop_momentum},
    {"gradient", lx_loop_gradient},
    {"state_vectors", lx_loop_state_vectors},
    {"restore", lx_loop_restore},
    {"watch_updates", lx_loop_watch_updates},
    {"update_ratios", lx_loop_update_ratios},
    {"blame", lx_loop_blame},
    {"check", lx_loop_check},
    {NULL, NULL},
};
static const luaL_Reg meta[] = {{"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_loop_class = {.name = "loop",
                                     .size = sizeof(lx_loop),
                                     .values = 1,
                                     .end = end,
                                     .methods = methods,
                                     .meta = meta};

const luaL_Reg lx_loop_functions[] = {{"loop", new_loop}, {NULL, NULL}};
