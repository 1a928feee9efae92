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

static const char *const orders[SW_ORDER_COUNT + 1] = {
    [SW_SHUFFLED] = "shuffled", [SW_INDEPENDENT] = "independent", [SW_SEQUENTIAL] = "sequential"};
static const char *const couplings[SW_COUPLING_COUNT + 1] = {
    [SW_COUPLING_NONE] = "none", [SW_COUPLING_LINEAR] = "linear", [SW_COUPLING_SQRT] = "sqrt"};
static const char *const stops[SW_STOP_COUNT] = {[SW_STOP_STEPS] = "steps",
                                                 [SW_STOP_EXAMPLES] = "examples",
                                                 [SW_STOP_INTERRUPTED] = "interrupted"};

/* The optimizer's own are read by its row, see lx_read_optimizer. */
static const lx_option loop_options[] = {
    {.name = "program", .type = LX_VALUE},
    {.name = "measured", .type = LX_VALUE},
    {.name = "weights", .type = LX_VALUE},
    {.name = "buffers", .type = LX_VALUE},
    {.name = "source", .type = LX_VALUE},
    {.name = "subset", .type = LX_VALUE},
    {.name = "segments", .type = LX_VALUE},
    {.name = "optimizer", .type = LX_VALUE},
    {.name = "seed",
     .type = LX_WHOLE,
     .offset = offsetof(sw_loop_options, seed),
     .least = LUA_MININTEGER,
     .most = LUA_MAXINTEGER},
    {.name = "order",
     .type = LX_CHOICE,
     .offset = offsetof(sw_loop_options, order),
     .choices = orders},
    {.name = "max_norm", .type = LX_NUMBER, .offset = offsetof(sw_loop_options, max_norm)},
    {.name = "micro_batch",
     .type = LX_WHOLE,
     .offset = offsetof(sw_loop_options, micro_batch),
     .least = 1,
     .most = INT32_MAX},
    {.name = "coupling",
     .type = LX_CHOICE,
     .offset = offsetof(sw_loop_options, coupling),
     .choices = couplings},
    {.name = "reference_batch",
     .type = LX_NUMBER,
     .offset = offsetof(sw_loop_options, reference_batch)},
    {.name = NULL}};

static const lx_option segment_options[] = {
    {.name = "first",
     .type = LX_WHOLE,
     .offset = offsetof(sw_range, first),
     .least = 1,
     .most = LUA_MAXINTEGER,
     .needed = 1},
    {.name = "length",
     .type = LX_WHOLE,
     .offset = offsetof(sw_range, length),
     .most = LUA_MAXINTEGER,
     .needed = 1},
    {.name = "lr_factor", .type = LX_NUMBER, .offset = offsetof(sw_range, lr_factor)},
    {.name = "weight_decay_factor",
     .type = LX_NUMBER,
     .offset = offsetof(sw_range, weight_decay_factor)},
    {.name = "frozen", .type = LX_BOOLEAN, .offset = offsetof(sw_range, frozen)},
    {.name = NULL}};

/* A segment on top of the stack. */
static sw_range read_segment(lua_State *L) {
  sw_range r = {.lr_factor = 1, .weight_decay_factor = 1};
  lx_read_options(L, -1, "loop: a segment", segment_options, &r);
  r.first--; /* Lua counts from 1 */
  return r;
}

/* Stack indices of the options that are objects. */
typedef struct objects {
  int program, measured, weights, source, buffers, subset;
} objects;

static objects push_objects(lua_State *L) {
  return (objects){.program = lx_push_option(L, 1, "program"),
                   .measured = lx_push_option(L, 1, "measured"),
                   .weights = lx_push_option(L, 1, "weights"),
                   .source = lx_push_option(L, 1, "source"),
                   .buffers = lx_push_option(L, 1, "buffers"),
                   .subset = lx_push_option(L, 1, "subset")};
}

static sw_tensor *optional_tensor(lua_State *L, int index, const char *what) {
  return lua_isnil(L, index) ? NULL : lx_check_tensor(L, index, "loop", what);
}

/* Last of all, when nothing runs any more that could free one of them. */
static void check_objects(lua_State *L, const objects *at, sw_loop_options *o) {
  const lx_program *program = lx_check(L, at->program, LX_PROGRAM, "loop", "program");
  const lx_program *measured = NULL;
  if (!lua_isnil(L, at->measured))
    measured = lx_check(L, at->measured, LX_PROGRAM, "loop", "measured");
  const lx_source *source = lx_check(L, at->source, LX_SOURCE, "loop", "source");
  o->program = program->p;
  o->measured = measured ? measured->p : NULL;
  o->source = source->p;
  o->weights = lx_check_tensor(L, at->weights, "loop", "weights");
  o->buffers = optional_tensor(L, at->buffers, "buffers");
  o->subset = optional_tensor(L, at->subset, "subset");
  lx_check_extents(L, "loop", program, o->weights);
  if (measured) lx_check_extents(L, "loop", measured, o->weights);
}

static void read_segments(lua_State *L, sw_loop_options *o) {
  enum { MOST = 1 << 20 };
  int at = lx_push_option(L, 1, "segments");
  if (lua_isnil(L, at)) return;
  o->n_ranges = lx_check_list(L, at, "loop", "segments", MOST);
  sw_range *ranges = lua_newuserdatauv(L, ((size_t)o->n_ranges + 1) * sizeof *ranges, 0);
  for (int i = 0; i < o->n_ranges; i++) {
    lua_rawgeti(L, at, i + 1);
    ranges[i] = read_segment(L);
    lua_pop(L, 1);
  }
  o->ranges = ranges;
}

/* loop { program =, weights =, source =, … } */
static int new_loop(lua_State *L) {
  lua_settop(L, 1);
  lx_loop *loop = lx_push_shell(L, LX_LOOP);
  sw_loop_options o = {0};
  lx_read_options(L, 1, "loop", lx_push_with_optimizer(L, loop_options), &o);
  if (!lua_isnil(L, lx_push_option(L, 1, "max_norm")) && !(o.max_norm > 0))
    lx_error(L, "loop: max_norm must be above 0, got %f", o.max_norm);
  lx_read_optimizer(L, 1, "loop", &o.optimizer);
  read_segments(L, &o);
  const objects at = push_objects(L);
  check_objects(L, &at, &o);
  lua_pushvalue(L, at.source);
  lua_setiuservalue(L, 2, 1);
  sw_status st = sw_loop_new(lx_context(L), &o, &loop->p);
  if (st != SW_OK) return lx_retry(L, st, 1, new_loop);
  keep(loop, o.program, o.measured, lx_test(L, at.source, LX_SOURCE));
  lua_settop(L, 2);
  return 1;
}

/* ---- setting */

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

/* loop:measure(every, regularised) */
static int measure(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:measure");
  lua_Integer every = lx_check_integer(L, 2, "loop:measure", "every", 0, LUA_MAXINTEGER);
  if (every > 0 && !((lx_loop *)lua_touserdata(L, 1))->measured)
    return lx_error(L, "loop:measure: the loop has no measured program");
  sw_loop_measure(l, every, lua_toboolean(L, 3));
  return 0;
}

static int measure_next(lua_State *L) {
  sw_loop *l = lx_check_loop(L, "loop:measure_next");
  if (!((lx_loop *)lua_touserdata(L, 1))->measured)
    return lx_error(L, "loop:measure_next: the loop has no measured program");
  sw_loop_measure_next(l);
  return 0;
}

/* ---- running */

/* loop:advance(steps, stop_examples, t) */
static int advance(lua_State *L) {
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
  lua_pushstring(L, stops[why]);
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
    {"measure_next", measure_next},
    {"advance", advance},
    {"stepper", lx_loop_stepper},
    {"state", lx_loop_state},
    {"take_mean", lx_loop_take_mean},
    {"norms", lx_loop_norms},
    {"cost", lx_loop_cost},
    {"momentum", lx_loop_momentum},
    {"gradient", lx_loop_gradient},
    {"state_vectors", lx_loop_state_vectors},
    {"restore", lx_loop_restore},
    {"watch_updates", lx_loop_watch_updates},
    {"update_ratios", lx_loop_update_ratios},
    {"first_nan", lx_loop_first_nan},
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
