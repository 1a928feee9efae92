/* lua_csv.c: csv and npy files. */
#include <string.h>

#include "io/csv.h"
#include "io/npy.h"
#include "support.h"

enum { MOST_COLUMNS = 1 << 30 };

/* npy_read(path) */
static int npy_read(lua_State *L) {
  lua_settop(L, 1);
  sw_tensor **out = lx_push_tensor(L);
  const char *path = lx_check_text(L, 1, "npy_read", "path");
  sw_status st = sw_npy_read(lx_context(L), path, out);
  return st == SW_OK ? 1 : lx_fault(L, st);
}

/* npy_write(tensor, path) */
static int npy_write(lua_State *L) {
  sw_tensor *t = lx_check_tensor(L, 1, "npy_write", "tensor");
  return lx_done(L, sw_npy_write(t, lx_check_text(L, 2, "npy_write", "path")));
}

/* ---- csv */

static int csv_end(lua_State *L) {
  sw_csv **box = lx_test(L, 1, LX_CSV);
  if (!box) return 0;
  sw_csv *csv = *box;
  *box = NULL;
  sw_csv_free(csv);
  return 0;
}

/* A list of n texts at index. The table keeps them alive; no Lua code runs before the call ends. */
static const char **check_texts(lua_State *L, int index, int n, const char *who, const char *what) {
  const char **list = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *list, 0);
  for (int i = 0; i < n; i++) {
    if (lua_rawgeti(L, index, i + 1) != LUA_TSTRING) {
      lx_error(L, "%s: %s must be strings, got %s", who, what, lx_push_words(L, -1));
    }
    list[i] = lx_check_text(L, -1, who, what);
    lua_pop(L, 1);
  }
  return list;
}

static char check_separator(lua_State *L, int index) {
  if (lua_isnil(L, index)) return '\0';
  const char *text = lx_check_text(L, index, "csv_read", "separator");
  if (strlen(text) != 1) lx_error(L, "csv_read: separator must be one character");
  return text[0];
}

static sw_csv_header check_header(lua_State *L, int index) {
  if (lua_isnil(L, index)) return SW_CSV_FIND;
  return lx_check_boolean(L, index, "csv_read", "header") ? SW_CSV_NAMED : SW_CSV_BARE;
}

static void check_label(lua_State *L, int index, sw_csv_options *o) {
  if (lua_type(L, index) == LUA_TSTRING) {
    o->label_name = lx_check_text(L, index, "csv_read", "label");
  } else if (!lua_isnil(L, index)) {
    o->label_column =
        (int)lx_check_integer(L, index, "csv_read", "label", -MOST_COLUMNS, MOST_COLUMNS);
    if (o->label_column == 0) {
      lx_error(L, "csv_read: label: columns count from 1, or from -1 at the last; got 0");
    }
  }
}

/* The options table at index. */
static sw_csv_options check_options(lua_State *L, int index) {
  static const char *const names[] = {"separator", "header",  "dtype", "missing",
                                      "label",     "classes", NULL};
  static const char *const missing[] = {"refuse", "nan", NULL};
  lx_check_options(L, index, "csv_read", names);
  sw_csv_options o = {.separator = check_separator(L, lx_push_option(L, index, "separator")),
                      .header = check_header(L, lx_push_option(L, index, "header")),
                      .dtype = lx_check_real(L, lx_push_option(L, index, "dtype"), "csv_read")};
  o.missing_is_nan =
      lx_check_choice(L, lx_push_option(L, index, "missing"), "csv_read", "missing", missing, 0);
  check_label(L, lx_push_option(L, index, "label"), &o);
  int classes = lx_push_option(L, index, "classes");
  if (!lua_isnil(L, classes)) {
    o.n_classes = lx_check_list(L, classes, "csv_read", "classes", 1 << 20);
    o.classes = check_texts(L, classes, o.n_classes, "csv_read", "classes");
  }
  return o;
}

static sw_status give_tensor(const sw_tensor *t, sw_tensor **out) {
  return t != NULL ? sw_tensor_view(t, out) : SW_OK;
}

static void give_names(lua_State *L, const sw_csv *csv) {
  int n = sw_csv_name_count(csv);
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    lua_pushstring(L, sw_csv_name(csv, i));
    lua_rawseti(L, -2, i + 1);
  }
}

/* csv_read(path, options) -> values, labels or false, names */
static int csv_read(lua_State *L) {
  enum { PATH = 1, OPTIONS, CSV, VALUES, LABELS };
  lua_settop(L, OPTIONS);
  if (lua_isnil(L, OPTIONS)) {
    lua_newtable(L);
    lua_replace(L, OPTIONS);
  }
  sw_csv **csv = lx_push_shell(L, LX_CSV);
  sw_tensor **values = lx_push_tensor(L), **labels = lx_push_tensor(L);
  sw_csv_options o = check_options(L, OPTIONS);
  const char *path = lx_check_text(L, PATH, "csv_read", "path");
  sw_status st = sw_csv_read(lx_context(L), path, &o, csv);
  if (st == SW_OK) st = give_tensor(sw_csv_values(*csv), values);
  if (st == SW_OK) st = give_tensor(sw_csv_labels(*csv), labels);
  if (st != SW_OK) return lx_fault(L, st);
  int labelled = sw_csv_labels(*csv) != NULL;
  lua_pushvalue(L, VALUES);
  lua_pushvalue(L, LABELS);
  if (!labelled) {
    lua_pop(L, 1);
    lua_pushboolean(L, 0);
  }
  give_names(L, *csv);
  return 3;
}

/* csv_write(tensor, path, names) */
static int csv_write(lua_State *L) {
  lua_settop(L, 3);
  int n = lua_isnil(L, 3) ? 0 : lx_check_list(L, 3, "csv_write", "names", MOST_COLUMNS);
  const char **names = check_texts(L, 3, n, "csv_write", "names");
  const char *path = lx_check_text(L, 2, "csv_write", "path");
  sw_tensor *t = lx_check_tensor(L, 1, "csv_write", "tensor");
  return lx_done(L, sw_csv_write(t, names, n, path));
}

const lx_class_spec lx_csv_class = {.name = "csv", .size = sizeof(sw_csv *), .end = csv_end};

const luaL_Reg lx_table_functions[] = {
    {"npy_read", npy_read}, {"npy_write", npy_write},
    {"csv_read", csv_read}, {"csv_write", csv_write},
    {NULL, NULL},
};
