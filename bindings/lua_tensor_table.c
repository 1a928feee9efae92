/* lua_tensor_table.c: tensors from nested Lua tables and back. */
#include <math.h>

#include "support.h"

/* One conversion: its position, for messages, and the place of the next element. */
typedef struct reader {
  sw_shape shape;
  sw_dtype dtype;
  char *data;              /* next element */
  int64_t at[SW_MAX_DIMS]; /* from 1 */
} reader;

/* "[2][1]" of the first n positions; "" for none */
static const char *push_path(lua_State *L, const reader *r, int n) {
  lx_reserve(L, 4);
  lua_pushliteral(L, "");
  for (int i = 0; i < n; i++) {
    lua_pushfstring(L, "%s[%I]", lua_tostring(L, -1), (lua_Integer)r->at[i]);
    lua_remove(L, -2);
  }
  return lua_tostring(L, -1);
}

/* The shape along first elements: { { 1, 2, 3 }, … } is (…, 3). */
static void measure(lua_State *L, reader *r) {
  lua_pushvalue(L, 1);
  while (lua_istable(L, -1)) {
    int depth = r->shape.ndim;
    if (depth >= SW_MAX_DIMS) {
      lx_error(L, "tensor: tables are nested deeper than %d", SW_MAX_DIMS);
      return;
    }
    r->shape.dim[depth] = (int64_t)lua_rawlen(L, -1);
    r->shape.ndim++;
    r->at[depth] = 1;
    if (r->shape.dim[depth] == 0) {
      lx_error(L, "tensor: the table %s is empty; use zeros for a tensor without elements",
               depth ? push_path(L, r, depth) : "given");
    }
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
}

static void store(lua_State *L, reader *r) {
  double x = lua_tonumber(L, -1);
  int whole = x == floor(x);
  switch (r->dtype) {
  case SW_F32: *(float *)(void *)r->data = (float)x; break;
  case SW_F64: *(double *)(void *)r->data = x; break;
  case SW_I32:
    if (!whole || x < INT32_MIN || x > INT32_MAX) goto unfit;
    *(int32_t *)(void *)r->data = (int32_t)x;
    break;
  default:
    if (!whole || x < 0 || x > UINT8_MAX) goto unfit;
    *(uint8_t *)r->data = (uint8_t)x;
  }
  r->data += sw_dtype_bytes(r->dtype);
  return;
unfit:;
  int value = lua_gettop(L);
  const char *path = push_path(L, r, r->shape.ndim), *at = path[0] ? " at " : "";
  lx_error(L, "tensor: %s%s%s does not fit %s", lx_push_words(L, value), at, path,
           sw_dtype_name(r->dtype));
}

/* Raises for a value on top of the wrong type, with the expected one. */
static int mismatch(lua_State *L, const reader *r, int depth) {
  const char *expected = depth < r->shape.ndim ? "a table" : "a number";
  int value = lua_gettop(L);
  if (depth == 0)
    return lx_error(L, "tensor: expected a number or a table, got %s", lx_push_words(L, value));
  const char *path = push_path(L, r, depth);
  return lx_error(L, "tensor: expected %s at %s, got %s", expected, path, lx_push_words(L, value));
}

static int ragged(lua_State *L, reader *r, int depth) {
  lua_Integer have = (lua_Integer)lua_rawlen(L, -1), want = (lua_Integer)r->shape.dim[depth];
  if (depth == 1) {
    return lx_error(L, "tensor: row %I has %I elements, row 1 has %I", (lua_Integer)r->at[0], have,
                    want);
  }
  const char *path = push_path(L, r, depth);
  return lx_error(L, "tensor: %s has %I elements, the first of its kind has %I", path, have, want);
}

/* Refuses keys of the table on top besides 1 … n, [0] say. */
static void check_keys(lua_State *L, const reader *r, int depth) {
  int64_t n = r->shape.dim[depth];
  const char *stray = lx_push_stray(L, -1, n);
  if (stray) {
    lx_error(L, "tensor: a table of %I values has them at [1] … [%I], and nothing at %s%s",
             (lua_Integer)n, (lua_Integer)n, push_path(L, r, depth), stray);
  }
}

/* Stores the value on top. Nothing here allocates, so no finaliser runs that could free the data.
 * */
static void read_value(lua_State *L, reader *r, int depth) {
  if (depth == r->shape.ndim) {
    if (lua_type(L, -1) != LUA_TNUMBER) mismatch(L, r, depth);
    store(L, r);
    return;
  }
  if (!lua_istable(L, -1)) mismatch(L, r, depth);
  if ((int64_t)lua_rawlen(L, -1) != r->shape.dim[depth]) ragged(L, r, depth);
  check_keys(L, r, depth);
  for (int64_t i = 1; i <= r->shape.dim[depth]; i++) {
    r->at[depth] = i;
    lua_rawgeti(L, -1, i);
    read_value(L, r, depth + 1);
    lua_pop(L, 1);
  }
}

/* tensor(values, dtype) */
int lx_tensor_from_values(lua_State *L) {
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  reader r = {.dtype = lx_check_dtype(L, 2, "tensor")};
  lx_reserve(L, SW_MAX_DIMS + 2);
  measure(L, &r);
  void *data;
  sw_status st = sw_tensor_new(lx_context(L), r.dtype, &r.shape, out);
  if (st == SW_OK) st = sw_tensor_writable(*out, &data);
  if (st != SW_OK) return lx_retry(L, st, 2, lx_tensor_from_values);
  r.data = data;
  lua_pushvalue(L, 1);
  read_value(L, &r, 0);
  lua_pop(L, 1);
  return 1;
}

/* The next element of contiguous data. */
static void push_next(lua_State *L, reader *r) {
  switch (r->dtype) {
  case SW_F32: lx_push_number(L, (lua_Number) * (const float *)(const void *)r->data); break;
  case SW_F64: lx_push_number(L, *(const double *)(const void *)r->data); break;
  case SW_I32: lua_pushinteger(L, *(const int32_t *)(const void *)r->data); break;
  default: lua_pushinteger(L, *(const uint8_t *)r->data);
  }
  r->data += sw_dtype_bytes(r->dtype);
}

static void push_values(lua_State *L, reader *r, int depth) {
  if (depth == r->shape.ndim) {
    push_next(L, r);
    return;
  }
  int64_t n = r->shape.dim[depth];
  lua_createtable(L, n < INT32_MAX ? (int)n : INT32_MAX, 0);
  for (int64_t i = 1; i <= n; i++) {
    push_values(L, r, depth + 1);
    lua_rawseti(L, -2, i);
  }
}

/* tensor:table(). Reads through a view of its own, so that a finaliser cannot free the elements. */
int lx_tensor_table(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **view = lx_push_tensor(L);
  sw_tensor *t = lx_check_tensor(L, 1, "tensor:table", "self");
  sw_status st = sw_tensor_contiguous(t, view);
  if (st != SW_OK) return lx_retry(L, st, 1, lx_tensor_table);
  lx_reserve(L, SW_MAX_DIMS + 4);
  reader r = {.shape = *sw_tensor_shape(*view), .dtype = sw_tensor_dtype(*view)};
  r.data = (char *)(uintptr_t)sw_tensor_data(*view);
  push_values(L, &r, 0);
  sw_tensor_free(*view);
  *view = NULL;
  return 1;
}
