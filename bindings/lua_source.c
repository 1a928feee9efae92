/* lua_source.c: class source: data sets as inputs of a training. */
#include "lua_source.h"
#include "support.h"

/* What is read, with a label that is ignored as Lua has it. */
typedef struct source_options {
  sw_source_options o;
  int64_t ignored;
} source_options;

#define NO_LABEL INT64_MIN

#define COUNT(field) \
  .name = #field, .type = LX_WHOLE, .offset = offsetof(source_options, o.field), .most = INT32_MAX

static const lx_option options[] = {
    {.name = "x", .type = LX_VALUE},
    {.name = "y", .type = LX_VALUE},
    {.name = "scale", .type = LX_VALUE},
    {.name = "shift", .type = LX_VALUE},
    {COUNT(classes), .least = 1},
    {COUNT(vocabulary), .least = 1},
    {COUNT(crop)},
    {.name = "shaped", .type = LX_BOOLEAN, .offset = offsetof(source_options, o.shaped)},
    {.name = "flip", .type = LX_BOOLEAN, .offset = offsetof(source_options, o.flip)},
    {.name = "ignored",
     .type = LX_WHOLE,
     .offset = offsetof(source_options, ignored),
     .least = INT32_MIN,
     .most = INT32_MAX},
    {.name = NULL}};

static sw_tensor *optional_tensor(lua_State *L, int index, const char *what) {
  return lua_isnil(L, index) ? NULL : lx_check_tensor(L, index, "source", what);
}

/* source { x =, y =, … } */
static int new_source(lua_State *L) {
  lua_settop(L, 1);
  lx_source *s = lx_push_shell(L, LX_SOURCE);
  source_options read = {.ignored = NO_LABEL};
  lx_read_options(L, 1, "source", options, &read);
  int x = lx_push_option(L, 1, "x"), y = lx_push_option(L, 1, "y");
  int scale = lx_push_option(L, 1, "scale"), shift = lx_push_option(L, 1, "shift");
  sw_source_options *o = &read.o;
  o->x = lx_check_tensor(L, x, "source", "x");
  o->y = optional_tensor(L, y, "y");
  o->scale = optional_tensor(L, scale, "scale");
  o->shift = optional_tensor(L, shift, "shift");
  o->has_ignored = read.ignored != NO_LABEL;
  if (o->has_ignored) o->ignored = (int32_t)read.ignored;
  sw_status st = sw_source_new(lx_context(L), o, &s->p);
  if (st != SW_OK) return lx_retry(L, st, 1, new_source);
  lua_settop(L, 2);
  return 1;
}

sw_source *lx_source_keep(lx_source *s) {
  s->loops++;
  return s->kept = s->p;
}

void lx_source_leave(lx_source *s) {
  if (--s->loops > 0) return;
  if (!s->p) sw_source_free(s->kept);
  s->kept = NULL;
}

static int end(lua_State *L) {
  lx_source *s = lx_test(L, 1, LX_SOURCE);
  if (!s) return 0;
  sw_source *p = s->p;
  s->p = NULL;
  if (s->loops == 0) sw_source_free(p);
  return 0;
}

static sw_source *check_source(lua_State *L, const char *who) {
  return ((lx_source *)lx_check(L, 1, LX_SOURCE, who, "self"))->p;
}

static int length(lua_State *L) {
  lua_pushinteger(L, sw_source_examples(check_source(L, "#source")));
  return 1;
}

static int features(lua_State *L) {
  lua_pushinteger(L, sw_source_features(check_source(L, "source:features")));
  return 1;
}

static void check_rows(lua_State *L, const sw_tensor *index, int64_t examples) {
  const int32_t *row = sw_tensor_data(index);
  int64_t n = sw_tensor_numel(index);
  for (int64_t i = 0; i < n; i++) {
    if (row[i] >= 0 && row[i] < examples) continue;
    lx_error(L, "source:gather: index[%I] is %I, outside 0 to %I", (lua_Integer)i + 1,
             (lua_Integer)row[i], (lua_Integer)examples - 1);
  }
}

/* source:shape(): a table of the axes of a row */
static int shape(lua_State *L) {
  sw_shape row = sw_source_shape(check_source(L, "source:shape"), 1);
  lua_createtable(L, row.ndim - 1, 0);
  for (int i = 1; i < row.ndim; i++) {
    lua_pushinteger(L, row.dim[i]);
    lua_rawseti(L, -2, i);
  }
  return 1;
}

static sw_status new_rows(sw_context *ctx, const sw_source *s, int64_t n, sw_tensor **x,
                          sw_tensor **y) {
  sw_shape rows = sw_source_shape(s, n), targets = sw_source_target_shape(s, n);
  SW_TRY(sw_tensor_new(ctx, sw_source_has_indices(s) ? SW_I32 : SW_F32, &rows, x));
  if (sw_source_target_features(s) == 0) return SW_OK;
  return sw_tensor_new(ctx, sw_source_has_classes(s) ? SW_I32 : SW_F32, &targets, y);
}

static const sw_tensor *check_index(lua_State *L) {
  sw_tensor *index = lx_check_tensor(L, 2, "source:gather", "index");
  if (sw_tensor_dtype(index) == SW_I32 && sw_tensor_shape(index)->ndim == 1) return index;
  lx_error(L, "source:gather: index must be an int32 tensor of one axis");
}

/* source:gather(index[, seed, position]): position counts from 0 */
static int gather(lua_State *L) {
  lua_settop(L, 4);
  sw_tensor **x = lx_push_tensor(L), **y = lx_push_tensor(L), **rows = lx_push_tensor(L);
  sw_source *s = check_source(L, "source:gather");
  const sw_tensor *index = check_index(L);
  int drawn = !lua_isnil(L, 3);
  sw_draw draw = {0};
  if (drawn) {
    draw.seed = (uint64_t)lx_check_integer(L, 3, "source:gather", "seed", LX_ANY_INTEGER);
    draw.first = lx_check_integer(L, 4, "source:gather", "position", 0, SW_LARGEST_COUNT);
  }
  sw_status st = sw_tensor_contiguous(index, rows);
  if (st != SW_OK) return lx_retry(L, st, 4, gather);
  check_rows(L, *rows, sw_source_examples(s));
  int64_t n = sw_tensor_numel(*rows);
  st = new_rows(lx_context(L), s, n, x, y);
  if (st != SW_OK) return lx_retry(L, st, 4, gather);
  void *to_x = NULL, *to_y = NULL;
  (void)sw_tensor_writable(*x, &to_x); /* writable: they are new */
  if (*y) (void)sw_tensor_writable(*y, &to_y);
  const sw_draw *draws = drawn ? &draw : NULL;
  if (n > 0) sw_source_gather(s, sw_tensor_data(*rows), n, sizeof(float), draws, to_x, to_y);
  lua_settop(L, *y ? 6 : 5);
  return *y ? 2 : 1;
}

static const luaL_Reg methods[] = {
    {"features", features}, {"shape", shape}, {"gather", gather}, {NULL, NULL}};
static const luaL_Reg meta[] = {{"__len", length}, {NULL, NULL}};

const lx_class_spec lx_source_class = {
    .name = "source", .size = sizeof(lx_source), .end = end, .methods = methods, .meta = meta};

const luaL_Reg lx_source_functions[] = {{"source", new_source}, {NULL, NULL}};
