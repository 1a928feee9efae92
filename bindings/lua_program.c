/* lua_program.c: class program: chosen nodes of a graph, compiled; one workspace each. */
#include <string.h>

#include "lua_graph.h"

/* ---- making one */

typedef struct plan {
  sw_output *outputs;
  int n;
} plan;

/* Refuses an output that goes to a vector, but whose size depends on the batch. */
static void check_fixed(lua_State *L, const sw_type *type, int i) {
  if (sw_type_batch_axis(type) >= 0) {
    lx_error(L, "program: output %d has an offset, but its size depends on the batch", i + 1);
  }
}

/* Reads offsets from the list at index, if there is one. */
static void read_offsets(lua_State *L, int index, const sw_graph *g, plan *p) {
  if (!lua_isnil(L, index)) lx_check_list(L, index, "program", "offsets", p->n);
  for (int i = 0; i < p->n; i++) {
    sw_output *o = &p->outputs[i];
    o->offset = -1;
    if (lua_isnil(L, index)) continue;
    lua_rawgeti(L, index, i + 1);
    if (lua_toboolean(L, -1)) {
      o->offset = lx_check_integer(L, -1, "program", "an offset", 1, SW_MOST_ELEMENTS) - 1;
      check_fixed(L, sw_graph_type(g, o->edge), i);
    }
    lua_pop(L, 1);
  }
}

/* Which vector outputs go to, from the table at index: [i] = 1 (out, the default) or 2 (state). */
static void read_vectors(lua_State *L, int index, plan *p) {
  for (int i = 0; i < p->n; i++) p->outputs[i].vector = SW_TO_OUT;
  if (lua_isnil(L, index)) return;
  lx_check_table(L, index, "program", "vectors");
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    lua_Integer i = lx_check_integer(L, -2, "program", "an output of vectors", 1, p->n);
    lua_Integer to = lx_check_integer(L, -1, "program", "a vector", 1, 2);
    p->outputs[i - 1].vector = (int)to - 1;
    if (to == 2 && p->outputs[i - 1].offset < 0)
      lx_error(L, "program: output %d goes to the state, but has no offset", (int)i);
  }
}

static void read_outputs(lua_State *L, int index, const sw_graph *g, plan *p, sw_edge *edges) {
  lx_check_edges(L, index, "program", "output", g, 0, edges, p->n);
  for (int i = 0; i < p->n; i++) p->outputs[i].edge = edges[i];
}

static void note_extents(lx_program *p) {
  for (int i = 0; i < sw_program_vectors(p->p); i++)
    p->extent[i] = sw_program_vector_extent(p->p, i);
  for (int i = 0; i < 2; i++) p->out_extent[i] = sw_program_output_extent(p->p, i);
}

/* program(graph, outputs, options) */
static int new_program(lua_State *L) {
  static const char *const names[] = {"dtype", "offsets", "vectors", "varying", NULL};
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) {
    lua_newtable(L);
    lua_replace(L, 3);
  }
  plan p = {.n = lx_check_list(L, 2, "program", "outputs", INT16_MAX)};
  lx_check_options(L, 3, "program", names);
  const int dtype = lx_push_option(L, 3, "dtype"), offsets = lx_push_option(L, 3, "offsets"),
            vectors = lx_push_option(L, 3, "vectors"), varying = lx_push_option(L, 3, "varying");
  p.outputs = lua_newuserdatauv(L, ((size_t)p.n + 1) * sizeof *p.outputs, 0);
  sw_edge *edges = lua_newuserdatauv(L, ((size_t)p.n + 1) * sizeof *edges, 0);
  lx_program *out = lx_push_shell_sized(L, LX_PROGRAM, sizeof *out + (size_t)p.n);
  const lx_graph *graph = lx_check(L, 1, LX_GRAPH, "program", "graph");
  read_outputs(L, 2, graph->g, &p, edges);
  read_offsets(L, offsets, graph->g, &p);
  read_vectors(L, vectors, &p);
  sw_program_options o = {
      .outputs = p.outputs, .n_outputs = p.n, .real = lx_check_real(L, dtype, "program")};
  if (!lua_isnil(L, varying))
    o.varying = (int)lx_check_integer(L, varying, "program", "varying", 2, SW_MAX_SLOTS) - 1;
  sw_status st = sw_program_new(graph->g, &o, &out->p);
  if (st != SW_OK) return lx_retry(L, st, 3, new_program);
  note_extents(out);
  out->n_outputs = p.n;
  for (int i = 0; i < p.n; i++) out->placed[i] = p.outputs[i].offset >= 0;
  return 1;
}

sw_status lx_program_workspace(lx_program *p, sw_workspace **out) {
  if (!p->w) SW_TRY(sw_workspace_new(p->p, &p->w));
  *out = p->w;
  return SW_OK;
}

/* ---- running one */

static const char *const run_who = "program:run";

typedef enum run_mode { RUN, RERUN, FIRST_NAN } run_mode;

/* One run. inputs, vectors, out, state: stack indices of the options, which may be nil. */
typedef struct run {
  run_mode mode;
  lx_program *program;
  sw_context *ctx;
  int inputs, vectors, out, state;  /* lists, and tensors for outputs */
  int n_inputs, n_vectors;          /* their lengths */
  int64_t batch;                    /* 0: not known yet */
  sw_tensor *input[SW_MAX_SLOTS];   /* inputs that are read, else NULL */
  sw_tensor **vector[SW_MAX_SLOTS]; /* shells for contiguous views of those that are read */
  sw_tensor *given[SW_MAX_SLOTS];
  sw_tensor *to[2]; /* SW_TO_OUT, SW_TO_STATE */
  uint64_t seed;
  int64_t step, first_example;
} run;

static void check_kind(lua_State *L, const sw_type *type, const sw_tensor *t, int slot) {
  sw_dtype dtype = sw_tensor_dtype(t);
  int real = dtype == SW_F32 || dtype == SW_F64;
  if (real == (type->kind == SW_REAL)) return;
  lx_error(L, "%s: input %d must be %s, got %s; convert it by :to", run_who, slot + 1,
           type->kind == SW_REAL ? "float32 or float64" : "int32 or uint8", sw_dtype_name(dtype));
}

/* Whether shape is the type's at some batch, which must then be that of the run, or becomes it. */
static int fits(const sw_type *type, const sw_shape *shape, int64_t *batch) {
  int64_t b = *batch;
  if (type->ndim != shape->ndim) return 0;
  for (int i = 0; i < type->ndim; i++) {
    sw_dim d = type->dim[i];
    if (d.batch && b == 0 && d.n > 0 && shape->dim[i] % d.n == 0) b = shape->dim[i] / d.n;
    if (d.batch && b == 0) return 0;
    if (shape->dim[i] != (d.batch ? d.n * b : d.n)) return 0;
  }
  *batch = b;
  return 1;
}

static void check_input(lua_State *L, run *r, int slot) {
  const sw_type *type = sw_program_input_type(r->program->p, slot);
  if (!type) return;
  if (slot >= r->n_inputs) lx_error(L, "%s: input %d is missing", run_who, slot + 1);
  lua_rawgeti(L, r->inputs, slot + 1);
  sw_tensor *t = lx_check_tensor(L, -1, run_who, "an input");
  lua_pop(L, 1);
  check_kind(L, type, t, slot);
  if (!fits(type, sw_tensor_shape(t), &r->batch)) {
    char want[128], have[128];
    sw_type_text(type, want, sizeof want);
    sw_shape_text(sw_tensor_shape(t), have, sizeof have);
    if (r->batch)
      lx_error(L, "%s: input %d must be %s at a batch of %I, got %s", run_who, slot + 1, want,
               (lua_Integer)r->batch, have);
    lx_error(L, "%s: input %d must be %s, got %s", run_who, slot + 1, want, have);
  }
  r->input[slot] = t;
}

static void check_vector(lua_State *L, run *r, int slot) {
  int64_t need = r->program->extent[slot];
  if (slot >= r->n_vectors) {
    if (need > 0) lx_error(L, "%s: vector %d is missing", run_who, slot + 1);
    return;
  }
  lua_rawgeti(L, r->vectors, slot + 1);
  sw_tensor *t = lx_check_tensor(L, -1, run_who, "a vector");
  lua_pop(L, 1);
  if (sw_tensor_dtype(t) != sw_program_dtype(r->program->p)) {
    lx_error(L, "%s: vector %d must be %s, got %s", run_who, slot + 1,
             sw_dtype_name(sw_program_dtype(r->program->p)), sw_dtype_name(sw_tensor_dtype(t)));
  }
  if (sw_tensor_numel(t) < need) {
    lx_error(L, "%s: vector %d has %I elements, the graph's params need %I", run_who, slot + 1,
             (lua_Integer)sw_tensor_numel(t), (lua_Integer)need);
  }
  r->given[slot] = t;
}

static int overlap(const sw_tensor *a, const sw_tensor *b) {
  const char *x = sw_tensor_data(a), *y = sw_tensor_data(b);
  return x < y + sw_tensor_numel(b) * sw_dtype_bytes(sw_tensor_dtype(b)) &&
         y < x + sw_tensor_numel(a) * sw_dtype_bytes(sw_tensor_dtype(a));
}

/* index: of the tensor that takes the outputs which go to vector `to`. */
static void check_out(lua_State *L, run *r, int index, int to) {
  static const char *const what[] = {"out", "state"};
  int64_t need = r->program->out_extent[to];
  if (lua_isnil(L, index)) {
    if (need > 0)
      lx_error(L, "%s: %s is missing: some outputs have offsets in it", run_who, what[to]);
    return;
  }
  sw_tensor *t = lx_check_tensor(L, index, run_who, what[to]);
  r->to[to] = t;
  if (sw_tensor_dtype(t) != sw_program_dtype(r->program->p) || !sw_tensor_is_contiguous(t) ||
      sw_tensor_is_read_only(t) || sw_tensor_numel(t) < need) {
    lx_error(L, "%s: %s must be %s, contiguous, writable, of %I elements or more", run_who,
             what[to], sw_dtype_name(sw_program_dtype(r->program->p)), (lua_Integer)need);
  }
  for (int i = 0; i < SW_MAX_SLOTS; i++) {
    if (r->given[i] && overlap(t, r->given[i]))
      lx_error(L, "%s: %s shares memory with vector %d", run_who, what[to], i + 1);
  }
  if (to == SW_TO_STATE && r->to[SW_TO_OUT] && overlap(t, r->to[SW_TO_OUT]))
    lx_error(L, "%s: state shares memory with out", run_who);
}

/* ---- the call itself: no Lua from here on */

static void keep(void *arg) { (void)arg; }

/* Copies an input into the workspace's buffer, converted and contiguous. */
static sw_status copy_input(const run *r, sw_workspace *w, int slot) {
  void *buffer = sw_workspace_input(w, slot);
  if (!buffer || !r->input[slot]) return SW_OK;
  const sw_type *type = sw_program_input_type(r->program->p, slot);
  sw_dtype dtype = type->kind == SW_REAL ? sw_program_dtype(r->program->p) : SW_I32;
  sw_tensor *view = NULL;
  SW_TRY(
      sw_tensor_wrap(r->ctx, dtype, sw_tensor_shape(r->input[slot]), buffer, 0, keep, NULL, &view));
  sw_status st = sw_tensor_copy(view, r->input[slot]);
  sw_tensor_free(view);
  return st;
}

/* Copies output i to a new tensor. */
static sw_status copy_output(const run *r, const sw_workspace *w, int i, sw_tensor **to) {
  sw_shape shape;
  const void *from = sw_workspace_output(w, i, &shape);
  sw_kind kind = sw_program_output_type(r->program->p, i)->kind;
  sw_dtype dtype = kind == SW_REAL ? sw_program_dtype(r->program->p) : SW_I32;
  void *data;
  SW_TRY(sw_tensor_new(r->ctx, dtype, &shape, to));
  SW_TRY(sw_tensor_writable(*to, &data));
  if (sw_tensor_numel(*to) > 0) {
    memcpy(data, from, (size_t)sw_tensor_numel(*to) * (size_t)sw_dtype_bytes(dtype));
  }
  return SW_OK;
}

static sw_status give_inputs(const run *r, sw_workspace *w) {
  SW_TRY(sw_workspace_batch(w, r->batch));
  for (int i = 0; i < sw_program_inputs(r->program->p); i++) SW_TRY(copy_input(r, w, i));
  return SW_OK;
}

/* text: what sw_workspace_first_nan writes, in place of results. */
static sw_status run_program(run *r, sw_tensor **const results[], char *text, size_t size) {
  sw_workspace *w;
  const void *vectors[SW_MAX_SLOTS] = {NULL};
  SW_TRY(lx_program_workspace(r->program, &w));
  if (r->mode != RERUN) SW_TRY(give_inputs(r, w));
  for (int i = 0; i < sw_program_vectors(r->program->p); i++) {
    if (!r->given[i]) continue;
    SW_TRY(sw_tensor_contiguous(r->given[i], r->vector[i]));
    vectors[i] = sw_tensor_data(*r->vector[i]);
  }
  sw_run given = {.vectors = vectors,
                  .n_vectors = SW_MAX_SLOTS,
                  .seed = r->seed,
                  .step = r->step,
                  .first_example = r->first_example};
  if (r->to[SW_TO_OUT]) SW_TRY(sw_tensor_writable(r->to[SW_TO_OUT], &given.out));
  if (r->to[SW_TO_STATE]) SW_TRY(sw_tensor_writable(r->to[SW_TO_STATE], &given.state));
  if (r->mode == FIRST_NAN) return sw_workspace_first_nan(w, &given, text, size);
  SW_TRY(r->mode == RERUN ? sw_workspace_rerun(w, &given) : sw_workspace_run(w, &given));
  for (int i = 0, k = 0; i < r->program->n_outputs; i++) {
    if (!r->program->placed[i]) SW_TRY(copy_output(r, w, i, results[k++]));
  }
  return SW_OK;
}

/* ---- program:run { inputs =, vectors =, batch =, out =, state =, … } */

/* Length of the list at index, 0 for nil. */
static int optional_list(lua_State *L, int index, const char *what, int limit) {
  return lua_isnil(L, index) ? 0 : lx_check_list(L, index, run_who, what, limit);
}

static int count_results(const lx_program *p) {
  int n = 0;
  for (int i = 0; i < p->n_outputs; i++) n += !p->placed[i];
  return n;
}

static lx_program *check_program(lua_State *L, const char *who) {
  return lx_check(L, 1, LX_PROGRAM, who, "self");
}

static void read_inputs(lua_State *L, run *r) {
  if (r->mode == RERUN) {
    if (!lua_isnil(L, r->inputs) || r->batch > 0)
      lx_error(L, "program:rerun: takes the inputs and the batch of the last run");
    return;
  }
  r->n_inputs = optional_list(L, r->inputs, "inputs", SW_MAX_SLOTS);
  for (int i = 0; i < sw_program_inputs(r->program->p); i++) check_input(L, r, i);
  if (r->batch == 0) r->batch = 1;
}

static const lx_option run_options[] = {
    {.name = "inputs", .type = LX_VALUE},
    {.name = "vectors", .type = LX_VALUE},
    {.name = "batch",
     .type = LX_WHOLE,
     .offset = offsetof(run, batch),
     .least = 1,
     .most = INT32_MAX},
    {.name = "out", .type = LX_VALUE},
    {.name = "state", .type = LX_VALUE},
    {.name = "seed",
     .type = LX_WHOLE,
     .offset = offsetof(run, seed),
     .least = LUA_MININTEGER,
     .most = LUA_MAXINTEGER},
    {.name = "step", .type = LX_WHOLE, .offset = offsetof(run, step), .most = SW_LARGEST_COUNT},
    {.name = "first_example",
     .type = LX_WHOLE,
     .offset = offsetof(run, first_example),
     .least = 1,
     .most = SW_LARGEST_COUNT},
    {.name = NULL}};

/* Reads the options at 2 that are numbers, and pushes the others. */
static void read_run(lua_State *L, run *r) {
  r->first_example = 1;
  lx_read_options(L, 2, run_who, run_options, r);
  r->first_example--;
  r->inputs = lx_push_option(L, 2, "inputs");
  r->vectors = lx_push_option(L, 2, "vectors");
  r->out = lx_push_option(L, 2, "out");
  r->state = lx_push_option(L, 2, "state");
}

/* program:run and program:rerun give outputs, program:first_nan a text or nil. */
static int run_any(lua_State *L, run_mode mode, lua_CFunction f) {
  lua_settop(L, 2);
  run r = {.mode = mode, .program = check_program(L, run_who), .ctx = lx_context(L)};
  read_run(L, &r);
  r.program = check_program(L, run_who);
  int n = count_results(r.program), n_vectors = sw_program_vectors(r.program->p);
  lx_reserve(L, n + SW_MAX_SLOTS + 20);
  sw_tensor ***results = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *results, 0);
  for (int i = 0; i < n_vectors; i++) r.vector[i] = lx_push_tensor(L);
  for (int i = 0; i < n; i++) results[i] = lx_push_tensor(L);

  check_program(L, run_who);
  r.n_vectors = optional_list(L, r.vectors, "vectors", SW_MAX_SLOTS);
  read_inputs(L, &r);
  for (int i = 0; i < SW_MAX_SLOTS; i++) check_vector(L, &r, i);
  check_out(L, &r, r.out, SW_TO_OUT);
  check_out(L, &r, r.state, SW_TO_STATE);

  char text[400] = "";
  sw_status st = run_program(&r, results, text, sizeof text);
  if (st != SW_OK) return lx_retry(L, st, 2, f);
  if (mode != FIRST_NAN) return n;
  if (text[0]) {
    lua_pushstring(L, text);
  } else {
    lua_pushnil(L);
  }
  return 1;
}

static int run_outputs(lua_State *L) { return run_any(L, RUN, run_outputs); }
static int rerun(lua_State *L) { return run_any(L, RERUN, rerun); }
static int first_nan(lua_State *L) { return run_any(L, FIRST_NAN, first_nan); }

/* ---- the rest */

/* program:dump(). A program of our own, so that no finaliser can end it while the text grows. */
static int dump(lua_State *L) {
  lua_settop(L, 1);
  lx_program *kept = lx_push_shell(L, LX_PROGRAM);
  kept->p = sw_program_retain(check_program(L, "program:dump")->p);
  luaL_Buffer b;
  size_t size = sw_program_dump(kept->p, NULL, 0);
  char *text = luaL_buffinitsize(L, &b, size + 1);
  sw_program_dump(kept->p, text, size + 1);
  luaL_pushresultsize(&b, size);
  return 1;
}

static int bytes(lua_State *L) {
  lx_program *p = check_program(L, "program:bytes");
  lua_pushinteger(L, p->w ? sw_workspace_bytes(p->w) : 0);
  return 1;
}

/* program:kept_bytes(batch) */
static int kept_bytes(lua_State *L) {
  lua_settop(L, 2);
  const lx_program *p = check_program(L, "program:kept_bytes");
  lua_Integer batch = lx_check_integer(L, 2, "program:kept_bytes", "batch", 1, INT32_MAX);
  lua_pushinteger(L, sw_program_kept_bytes(p->p, batch));
  return 1;
}

static int to_text(lua_State *L) {
  const lx_program *p = lx_test(L, 1, LX_PROGRAM);
  if (p && p->p) {
    lua_pushfstring(L, "program of %d inputs, %d outputs", sw_program_inputs(p->p), p->n_outputs);
  } else {
    lua_pushliteral(L, "program (freed)");
  }
  return 1;
}

static int end(lua_State *L) {
  lx_program *p = lx_test(L, 1, LX_PROGRAM);
  if (!p) return 0;
  sw_workspace *w = p->w;
  sw_program *program = p->p;
  p->w = NULL;
  p->p = NULL;
  sw_workspace_free(w);
  sw_program_release(program);
  return 0;
}

static const luaL_Reg methods[] = {{"run", run_outputs},
                                   {"rerun", rerun},
                                   {"kept_bytes", kept_bytes},
                                   {"first_nan", first_nan},
                                   {"dump", dump},
                                   {"bytes", bytes},
                                   {NULL, NULL}};
static const luaL_Reg meta[] = {{"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_program_class = {
    .name = "program", .size = sizeof(lx_program), .end = end, .methods = methods, .meta = meta};

const luaL_Reg lx_program_functions[] = {{"program", new_program}, {NULL, NULL}};
