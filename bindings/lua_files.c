/* lua_files.c: bytes, digests, IDX, CIFAR, safetensors, and text written whole or not at all. */
#include <stdlib.h>
#include <string.h>

#include "io/cifar.h"
#include "io/file.h"
#include "io/idx.h"
#include "io/safetensors.h"
#include "io/sha256.h"
#include "support.h"

/* write_file(path, text) */
static int write_file(lua_State *L) {
  const char *path = lx_check_text(L, 1, "write_file", "path");
  if (lua_type(L, 2) != LUA_TSTRING) {
    return lx_error(L, "write_file: text must be a string, got %s", lx_push_words(L, 2));
  }
  size_t size;
  const char *text = lua_tolstring(L, 2, &size);
  return lx_done(L, sw_file_write_atomic(lx_context(L), path, text, size));
}

/* bytes(text[, table]): table has 256 bytes, the one at b + 1 for each byte b */
static int bytes(lua_State *L) {
  size_t n, entries = 256;
  lua_settop(L, 2);
  sw_tensor **out = lx_push_tensor(L);
  if (lua_type(L, 1) != LUA_TSTRING)
    return lx_error(L, "bytes: text must be a string, got %s", lx_push_words(L, 1));
  const unsigned char *text = (const unsigned char *)lua_tolstring(L, 1, &n);
  const char *map = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &entries) : NULL;
  if (entries != 256 || (!map && !lua_isnil(L, 2)))
    return lx_error(L, "bytes: table must be a string of 256 bytes");
  sw_shape shape = sw_shape_of(1, (int64_t[]){(int64_t)n});
  sw_status st = sw_tensor_new(lx_context(L), SW_U8, &shape, out);
  if (st != SW_OK) return lx_retry(L, st, 2, bytes);
  void *to = NULL;
  (void)sw_tensor_writable(*out, &to); /* writable: it is new */
  for (size_t i = 0; i < n; i++)
    ((unsigned char *)to)[i] = map ? (unsigned char)map[text[i]] : text[i];
  return 1;
}

/* sha256(text) */
static int sha256(lua_State *L) {
  char digest[SW_SHA256_TEXT];
  size_t size;
  if (lua_type(L, 1) != LUA_TSTRING)
    return lx_error(L, "sha256: text must be a string, got %s", lx_push_words(L, 1));
  const char *text = lua_tolstring(L, 1, &size);
  sw_sha256(text, size, digest);
  lua_pushstring(L, digest);
  return 1;
}

/* file_sha256(path) */
static int file_sha256(lua_State *L) {
  char digest[SW_SHA256_TEXT];
  const char *path = lx_check_text(L, 1, "file_sha256", "path");
  sw_status st = sw_sha256_file(lx_context(L), path, digest);
  if (st != SW_OK) return lx_fault(L, st);
  lua_pushstring(L, digest);
  return 1;
}

/* idx_read(path) */
static int idx_read(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  const char *path = lx_check_text(L, 1, "idx_read", "path");
  sw_status st = sw_idx_read(lx_context(L), path, out);
  return st == SW_OK ? 1 : lx_fault(L, st);
}

/* idx_write(tensor, path) */
static int idx_write(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "idx_write", "tensor");
  return lx_done(L, sw_idx_write(t, lx_check_text(L, 2, "idx_write", "path")));
}

/* cifar_read(path, "cifar10" | "cifar100") */
static int cifar_read(lua_State *L) {
  static const char *const kinds[SW_CIFAR_COUNT + 1] = {
      [SW_CIFAR10] = "cifar10", [SW_CIFAR100] = "cifar100"};
  lua_settop(L, 2);
  sw_tensor **x = lx_push_tensor(L), **y = lx_push_tensor(L);
  const char *path = lx_check_text(L, 1, "cifar_read", "path");
  int kind = lx_check_choice(L, 2, "cifar_read", "kind", kinds, -1);
  sw_status st = sw_cifar_read(lx_context(L), path, (sw_cifar)kind, x, y);
  return st == SW_OK ? 2 : lx_fault(L, st);
}

/* ---- writing safetensors */

/* Number of entries of the table at index, 0 for nil. */
static int count_entries(lua_State *L, int index, const char *what) {
  int n = 0;
  if (lua_isnil(L, index)) return 0;
  lx_check_table(L, index, "safetensors_write", what);
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) n++;
  return n;
}

/* A name must not be converted in place, as lua_tostring does: that would confuse lua_next. */
static const char *check_name(lua_State *L, const char *what) {
  if (lua_type(L, -2) != LUA_TSTRING) {
    lx_error(L, "safetensors_write: names of %s must be strings, got %s", what,
             lx_push_words(L, -2));
  }
  return lx_check_text(L, -2, "safetensors_write", "a name");
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const sw_named_tensor *)a)->name, ((const sw_named_tensor *)b)->name);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const sw_pair *)a)->key, ((const sw_pair *)b)->key);
}

static void read_tensors(lua_State *L, int index, sw_named_tensor *list, int n) {
  int i = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *name = check_name(L, "tensors");
    if (i == n) lx_error(L, "safetensors_write: tensors changed during the call");
    list[i++] = (sw_named_tensor){name, lx_check_tensor(L, -1, "safetensors_write", name)};
  }
  if (i != n) lx_error(L, "safetensors_write: tensors changed during the call");
  qsort(list, (size_t)n, sizeof *list, by_name);
}

static void read_metadata(lua_State *L, int index, sw_pair *list, int n) {
  int i = 0;
  if (lua_isnil(L, index)) return;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    const char *key = check_name(L, "metadata");
    if (i == n) lx_error(L, "safetensors_write: metadata changed during the call");
    list[i++] = (sw_pair){key, lx_check_text(L, -1, "safetensors_write", key)};
  }
  if (i != n) lx_error(L, "safetensors_write: metadata changed during the call");
  qsort(list, (size_t)n, sizeof *list, by_key);
}

/* safetensors_write(path, tensors, metadata). The lists are Lua's memory and are filled after the
 * last allocation, so that no finaliser can free a tensor before it is written. */
static int safetensors_write(lua_State *L) {
  lua_settop(L, 3);
  const char *path = lx_check_text(L, 1, "safetensors_write", "path");
  lx_check_table(L, 2, "safetensors_write", "tensors");
  int n = count_entries(L, 2, "tensors"), m = count_entries(L, 3, "metadata");
  sw_named_tensor *tensors = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *tensors, 0);
  sw_pair *metadata = lua_newuserdatauv(L, ((size_t)m + 1) * sizeof *metadata, 0);
  read_tensors(L, 2, tensors, n);
  read_metadata(L, 3, metadata, m);
  return lx_done(L, sw_safetensors_write(lx_context(L), path, tensors, n, metadata, m));
}

/* ---- reading safetensors */

static int file_end(lua_State *L) {
  sw_safetensors **box = lx_test(L, 1, LX_FILE);
  if (!box) return 0;
  sw_safetensors *f = *box;
  *box = NULL;
  sw_safetensors_close(f);
  return 0;
}

/* Adds the file's tensors to the table on top. */
static sw_status give_tensors(lua_State *L, const sw_safetensors *f) {
  for (int i = 0; i < sw_safetensors_count(f); i++) {
    lua_pushstring(L, sw_safetensors_name(f, i));
    sw_tensor **out = lx_push_tensor(L);
    SW_TRY(sw_safetensors_tensor(f, i, out));
    lua_rawset(L, -3);
  }
  return SW_OK;
}

static void give_metadata(lua_State *L, const sw_safetensors *f) {
  lua_newtable(L);
  for (int i = 0; i < sw_safetensors_metadata_count(f); i++) {
    sw_pair pair = sw_safetensors_metadata(f, i);
    lua_pushstring(L, pair.key);
    lua_pushstring(L, pair.value);
    lua_rawset(L, -3);
  }
}

/* safetensors_read(path, mapped) */
static int safetensors_read(lua_State *L) {
  lua_settop(L, 2);
  sw_safetensors **f = lx_push_shell(L, LX_FILE);
  const char *path = lx_check_text(L, 1, "safetensors_read", "path");
  int mapped = lx_check_boolean(L, 2, "safetensors_read", "mapped");
  sw_status st = sw_safetensors_open(lx_context(L), path, mapped, f);
  if (st != SW_OK) return lx_fault(L, st);
  lua_toclose(L, 3);
  lua_newtable(L);
  st = give_tensors(L, *f);
  if (st != SW_OK) return lx_fault(L, st);
  give_metadata(L, *f);
  return 2;
}

const lx_class_spec lx_file_class = {
    .name = "file", .size = sizeof(sw_safetensors *), .end = file_end};

const luaL_Reg lx_file_functions[] = {
    {"write_file", write_file},
    {"bytes", bytes},
    {"sha256", sha256},
    {"file_sha256", file_sha256},
    {"idx_read", idx_read},
    {"idx_write", idx_write},
    {"cifar_read", cifar_read},
    {"safetensors_write", safetensors_write},
    {"safetensors_read", safetensors_read},
    {NULL, NULL},
};
