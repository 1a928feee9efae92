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
  sw_noise_target target; /* of the noise scale */
  int independent;        /* examples are drawn with replacement */
  sw_loop_state shown;    /* what a table of state was filled with last, */
  const void *table;      /* and which; only compared */
} lx_loop;

/* Its user values. */
enum { SOURCE_VALUE = 1, KEYS_VALUE = 2 };

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
  REFERENCE_BATCH
};

static const char *const option_names[] = {
    "program",     "measured",  "weights",         "source", "seed", "order",    "subset",
    "optimizer",   "dampening", "nesterov",        "beta2",  "eps",  "max_norm", "segments",
    "micro_batch", "coupling",  "reference_batch", NULL};

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
  if (!lua_isnil(L, at + SUBSET)) o->subset = lx_check_tensor(L, at + SUBSET, "loop", "subset");
  check_extents(L, "loop", program, o->weights);
  if (measured) check_extents(L, "loop", measured, o->weights);
}

/* The fields of the state; the first CHANGING are others after each step. */
static const char *const keys[] = {
    "step",     "examples",      "epoch",    "loss",         "grad_norm",
    "lr",       "batch_size",    "momentum", "weight_decay", "noise_measurements",
    "bad_loss", "bad_grad_norm", NULL};
enum { CHANGING = 7 };

/* As Lua's own strings, so that none is made or looked for after each step. */
static void make_keys(lua_State *L, int loop) {
  lua_newtable(L);
  for (int i = 0; keys[i]; i++) {
    lua_pushstring(L, keys[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setiuservalue(L, loop, KEYS_VALUE);
}

/* loop { program =, weights =, source =, … } */
static int new_loop(lua_State *L) {
  lua_settop(L, 1);
  lx_loop *loop = lx_push_shell(L, LX_LOOP);
  make_keys(L, 2);
  int at = lx_push_options(L, 1, "loop", option_names);
  sw_loop_options o = {0};
  read_optimizer(L, at, &o.optimizer);
  read_order(L, at, &o);
  read_step(L, at, &o);
  read_segments(L, at + SEGMENTS, &o);
  read_objects(L, at, &o);
  lua_pushvalue(L, at + SOURCE);
  lua_setiuservalue(L, 2, SOURCE_VALUE);
  sw_status st = sw_loop_new(lx_context(L), &o, &loop->p);
  if (st != SW_OK) return lx_retry(L, st, 1, new_loop);
  loop->independent = o.order == SW_INDEPENDENT;
  keep(loop, o.program, o.measured, lx_test(L, at + SOURCE, LX_SOURCE));
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
  sw_status st = SW_OK;
  if (lx_test(L, 3, LX_SCHEDULE)) {
    sw_schedule **s = lx_check(L, 3, LX_SCHEDULE, "loop:set", names[which]);
    sw_loop_set_schedule(l, hypers[which], *s);
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

/* ---- looking */

static void put_number(lua_State *L, int i, double value) {
  lua_rawgeti(L, -1, i + 1);
  lua_pushnumber(L, value);
  lua_rawset(L, 4);
}

static void put_integer(lua_State *L, int i, int64_t value) {
  lua_rawgeti(L, -1, i + 1);
  lua_pushinteger(L, value);
  lua_rawset(L, 4);
}

/* Whether the table has all but what every step changes already. */
static int is_shown(const lx_loop *box, const sw_loop_state *s, const void *table) {
  const sw_loop_state *t = &box->shown;
  return box->table == table && s->step > 1 && s->momentum == t->momentum &&
         s->weight_decay == t->weight_decay && s->measurements == t->measurements &&
         isnan(s->bad_loss) && isnan(t->bad_loss) && isnan(t->bad_grad_norm);
}

/* Fills the table at 4 with the state of the loop at 1. */
static void show(lua_State *L, int all) {
  lx_loop *box = lua_touserdata(L, 1);
  const void *table = lua_topointer(L, 4);
  sw_loop_state s;
  sw_loop_state_get(box->p, &s);
  lua_getiuservalue(L, 1, KEYS_VALUE);
  put_integer(L, 0, s.step);
  put_integer(L, 1, s.examples);
  put_number(L, 2, s.epoch);
  put_number(L, 3, s.loss);
  put_number(L, 4, s.grad_norm);
  put_number(L, 5, s.lr);
  put_integer(L, 6, s.batch_size);
  if (all || !is_shown(box, &s, table)) {
    put_number(L, CHANGING, s.momentum);
    put_number(L, CHANGING + 1, s.weight_decay);
    put_integer(L, CHANGING + 2, s.measurements);
    put_number(L, CHANGING + 3, s.bad_loss);
    put_number(L, CHANGING + 4, s.bad_grad_norm);
  }
  box->shown = s;
  box->table = table;
  lua_pop(L, 1);
}

/* loop:state(t) */
static int state(lua_State *L) {
  lua_settop(L, 2);
  check_loop(L, "loop:state");
  lx_check_table(L, 2, "loop:state", "t");
  lua_settop(L, 3);
  lua_pushvalue(L, 2);
  show(L, 1);
  return 1;
}

/* ---- running */

/* loop:advance(steps, stop_examples, t) */
static int advance(lua_State *L) {
  static const char *const names[] = {"steps", "examples", "interrupted"};
  lua_settop(L, 4);
  sw_loop *l = check_loop(L, "loop:advance");
  if (!lua_isnil(L, 4)) lx_check_table(L, 4, "loop:advance", "t");
  lua_Integer steps = lx_check_integer(L, 2, "loop:advance", "steps", 0, LUA_MAXINTEGER), mark = 0;
  if (!lua_isnil(L, 3))
    mark = lx_check_integer(L, 3, "loop:advance", "stop_examples", 0, LUA_MAXINTEGER);
  sw_stop why;
  sw_status st = sw_loop_advance(l, steps, mark, lx_interrupt_flag(), &why);
  if (!lua_isnil(L, 4)) show(L, 0);
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushstring(L, names[why]);
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

/* Draws with replacement see the training set as a population, whatever the target. */
static void noise_of(const lx_loop *box, sw_noise *e) {
  if (box->independent)
    sw_noise_init(e, SW_TARGET_POPULATION, INT64_MAX);
  else
    sw_noise_init(e, box->target, sw_loop_epoch_examples(box->p));
}

static int noise(lua_State *L) {
  sw_loop *l = check_loop(L, "loop:noise");
  const lx_loop *box = lua_touserdata(L, 1);
  sw_norms norms[SW_LOOP_NORMS];
  sw_noise e;
  double s, g2;
  int n = sw_loop_norms(l, norms);
  noise_of(box, &e);
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

/* loop:blame() -> text or nil */
static int blame(lua_State *L) {
  char text[400] = "";
  sw_status st = sw_loop_blame(check_loop(L, "loop:blame"), text, sizeof text);
  if (st != SW_OK && st != SW_EEMPTY) return lx_retry(L, st, 1, blame);
  if (text[0]) {
    lua_pushstring(L, text);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

/* ---- what the optimizer keeps */

static int state_vectors(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **view[SW_LOOP_VECTORS];
  for (int i = 0; i < SW_LOOP_VECTORS; i++) view[i] = lx_push_tensor(L);
  lua_createtable(L, 0, SW_LOOP_VECTORS);
  sw_state_vector vectors[SW_LOOP_VECTORS];
  int n = 0;
  sw_status st = sw_loop_state_vectors(check_loop(L, "loop:state_vectors"), vectors, &n);
  if (st != SW_OK) return lx_retry(L, st, 1, state_vectors);
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

/* loop:restore { step =, examples =, loss =, grad_norm =, vectors = } */
static int restore(lua_State *L) {
  static const char *const names[] = {"step", "examples", "loss", "grad_norm", "vectors", NULL};
  lua_settop(L, 2);
  sw_loop *l = check_loop(L, "loop:restore");
  int at = lx_push_options(L, 2, "loop:restore", names);
  sw_resume r = {.step = lx_check_integer(L, at, "loop:restore", "step", 0, LUA_MAXINTEGER),
                 .examples =
                     lx_check_integer(L, at + 1, "loop:restore", "examples", 0, LUA_MAXINTEGER),
                 .loss = (double)NAN,
                 .grad_norm = (double)NAN};
  if (!lua_isnil(L, at + 2)) r.loss = lx_check_number(L, at + 2, "loop:restore", "loss");
  if (!lua_isnil(L, at + 3)) r.grad_norm = lx_check_number(L, at + 3, "loop:restore", "grad_norm");
  read_vectors(L, at + 4, l, &r);
  l = check_loop(L, "loop:restore");
  sw_status st = sw_loop_restore(l, &r);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, restore);
}

/* ---- how far segments move */

static int watch_updates(lua_State *L) {
  sw_loop *l = check_loop(L, "loop:watch_updates");
  lua_Integer every = lx_check_integer(L, 2, "loop:watch_updates", "every", 0, LUA_MAXINTEGER);
  sw_status st = sw_loop_watch_updates(l, every);
  return st == SW_OK ? 0 : lx_retry(L, st, 2, watch_updates);
}

/* loop:update_ratios(t) */
static int update_ratios(lua_State *L) {
  lua_settop(L, 2);
  lx_check_table(L, 2, "loop:update_ratios", "t");
  int n = sw_loop_ranges(check_loop(L, "loop:update_ratios"));
  double *ratio = lua_newuserdatauv(L, (size_t)n * sizeof *ratio, 0);
  int64_t step = sw_loop_update_ratios(check_loop(L, "loop:update_ratios"), ratio);
  for (int i = 0; i < n && step > 0; i++) {
    lua_pushnumber(L, ratio[i]);
    lua_rawseti(L, 2, i + 1);
  }
  if (step > 0)
    lua_pushinteger(L, step);
  else
    lua_pushnil(L);
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
    {"set", set},
    {"measure_noise", measure_noise},
    {"advance", advance},
    {"state", state},
    {"take_mean", take_mean},
    {"noise", noise},
    {"momentum", momentum},
    {"gradient", gradient},
    {"state_vectors", state_vectors},
    {"restore", restore},
    {"watch_updates", watch_updates},
    {"update_ratios", update_ratios},
    {"blame", blame},
    {NULL, NULL},
};
static const luaL_Reg meta[] = {{"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_loop_class = {.name = "loop",
                                     .size = sizeof(lx_loop),
                                     .values = 2,
                                     .end = end,
                                     .methods = methods,
                                     .meta = meta};

const luaL_Reg lx_loop_functions[] = {
    {"loop", new_loop}, {"evaluate", evaluate}, {"fieller", fieller}, {NULL, NULL}};
