/* lua_optimizer.c: the tables of hyperparameters and optimizers; one update of a vector. */
#include "lua_optimizer.h"

#include <math.h>
#include <string.h>

/* ---- as options and arguments */

sw_hyper lx_check_hyper(lua_State *L, int arg, const char *who) {
  const char *names[SW_HYPER_COUNT + 1] = {NULL};
  for (int h = 0; h < SW_HYPER_COUNT; h++) names[h] = sw_hyper_row_of(h)->name;
  return (sw_hyper)lx_check_choice(L, arg, who, "name", names, -1);
}

/* Pushes room for the rows and so many more, all without names; *n is the number of rows. */
static lx_option *push_rows(lua_State *L, const lx_option *rows, int more, int *n) {
  for (*n = 0; rows[*n].name;) ++*n;
  size_t room = (size_t)*n + (size_t)more + 1;
  lx_option *all = lua_newuserdatauv(L, room * sizeof *all, 0);
  memset(all, 0, room * sizeof *all);
  memcpy(all, rows, (size_t)*n * sizeof *all);
  return all;
}

const lx_option *lx_push_with_hyper(lua_State *L, const lx_option *rows, size_t hyper) {
  int n;
  lx_option *all = push_rows(L, rows, SW_HYPER_COUNT, &n);
  for (int h = 0; h < SW_HYPER_COUNT; h++)
    all[n + h] = (lx_option){.name = sw_hyper_row_of(h)->name,
                             .type = LX_NUMBER,
                             .offset = hyper + (size_t)h * sizeof(double)};
  return all;
}

/* The fields that an optimizer reads; an empty list where its row has none. */
static const sw_field *fields_of(int kind) {
  static const sw_field none = {.name = NULL};
  const sw_field *fields = sw_optimizer_row_of(kind)->fields;
  return fields ? fields : &none;
}

static int count_fields(void) {
  int n = 0;
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++)
    for (const sw_field *f = fields_of(kind); f->name; f++) n++;
  return n;
}

static int has_option(const lx_option *rows, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (strcmp(rows[i].name, name) == 0) return 1;
  return 0;
}

const lx_option *lx_push_with_optimizer(lua_State *L, const lx_option *rows) {
  int n;
  lx_option *all = push_rows(L, rows, count_fields(), &n);
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++)
    for (const sw_field *f = fields_of(kind); f->name; f++)
      if (!has_option(all, n, f->name)) all[n++] = (lx_option){.name = f->name, .type = LX_VALUE};
  return all;
}

static void list_names(const char *names[SW_OPTIMIZER_COUNT + 1]) {
  for (int i = 0; i < SW_OPTIMIZER_COUNT; i++) names[i] = sw_optimizer_row_of(i)->name;
  names[SW_OPTIMIZER_COUNT] = NULL;
}

static sw_optimizer_kind check_kind(lua_State *L, int arg, const char *who) {
  const char *names[SW_OPTIMIZER_COUNT + 1];
  list_names(names);
  int at = lx_push_option(L, arg, "optimizer");
  int kind = lx_check_choice(L, at, who, "optimizer", names, SW_OPTIMIZER_sgd);
  lua_pop(L, 1);
  return (sw_optimizer_kind)kind;
}

static int reads(sw_optimizer_kind kind, const char *name) {
  for (const sw_field *f = fields_of((int)kind); f->name; f++)
    if (strcmp(f->name, name) == 0) return 1;
  return 0;
}

/* Raises on fields of other optimizers. */
static void refuse_others(lua_State *L, int arg, const char *who, sw_optimizer_kind kind) {
  for (int other = 0; other < SW_OPTIMIZER_COUNT; other++)
    for (const sw_field *f = fields_of(other); f->name; f++)
      if (!reads(kind, f->name))
        lx_refuse_field(L, arg, who, sw_optimizer_row_of((int)kind)->name, f);
}

void lx_read_optimizer(lua_State *L, int arg, const char *who, sw_optimizer_options *o) {
  *o = sw_optimizer_defaults(check_kind(L, arg, who));
  refuse_others(L, arg, who, o->kind);
  for (const sw_field *f = fields_of((int)o->kind); f->name; f++) lx_read_field(L, arg, who, f, o);
}

/* ---- the tables */

static void put_number(lua_State *L, const char *name, double x) {
  lua_pushnumber(L, x);
  lua_setfield(L, -2, name);
}

static void put_flag(lua_State *L, const char *name, int x) {
  lua_pushboolean(L, x);
  lua_setfield(L, -2, name);
}

static void put_name(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_setfield(L, -2, "name");
}

/* hyperparameters() -> { { name =, least =, most =, open =, whole = }, … } */
static int hyperparameters(lua_State *L) {
  lua_createtable(L, SW_HYPER_COUNT, 0);
  for (int h = 0; h < SW_HYPER_COUNT; h++) {
    const sw_hyper_row *row = sw_hyper_row_of(h);
    lua_createtable(L, 0, 5);
    put_name(L, row->name);
    lx_put_interval(L, row->range);
    put_flag(L, "whole", row->whole);
    lua_rawseti(L, -2, h + 1);
  }
  return 1;
}

static void push_fields(lua_State *L, sw_optimizer_kind kind) {
  const sw_optimizer_options defaults = sw_optimizer_defaults(kind);
  lua_newtable(L);
  int n = 0;
  for (const sw_field *f = fields_of((int)kind); f->name; f++) {
    lx_push_field(L, f, &defaults);
    lua_rawseti(L, -2, ++n);
  }
}

static void push_moments(lua_State *L, const sw_optimizer_row *row) {
  lua_createtable(L, SW_MOMENTS, 0);
  for (int i = 0; i < SW_MOMENTS && row->moment[i]; i++) {
    lua_pushstring(L, row->moment[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* optimizers() -> { sgd = { name =, moments =, only_with_momentum =, external =, momentum =,
 * fields = }, … } */
static int optimizers(lua_State *L) {
  lua_createtable(L, 0, SW_OPTIMIZER_COUNT);
  for (int kind = 0; kind < SW_OPTIMIZER_COUNT; kind++) {
    const sw_optimizer_row *row = sw_optimizer_row_of(kind);
    lua_createtable(L, 0, 8);
    put_name(L, row->name);
    push_moments(L, row);
    lua_setfield(L, -2, "moments");
    put_flag(L, "only_with_momentum", row->only_with_momentum);
    put_flag(L, "external", row->external);
    put_flag(L, "decay_in_gradient", row->decay_in_gradient);
    lua_createtable(L, 0, 4);
    put_number(L, "default", row->momentum);
    lx_put_interval(L, row->momentum_range);
    lua_setfield(L, -2, "momentum");
    push_fields(L, (sw_optimizer_kind)kind);
    lua_setfield(L, -2, "fields");
    lua_setfield(L, -2, row->name);
  }
  return 1;
}

/* optimizer_moments(name, momentum) -> how many vectors it keeps with this momentum */
static int optimizer_moments(lua_State *L) {
  const char *names[SW_OPTIMIZER_COUNT + 1];
  list_names(names);
  const int kind = lx_check_choice(L, 1, "optimizer_moments", "name", names, -1);
  const double momentum = lx_check_number(L, 2, "optimizer_moments", "momentum");
  lua_pushinteger(L, sw_optimizer_moments((sw_optimizer_kind)kind, momentum));
  return 1;
}

/* ---- update(options, w, g, state, numbers) */

static const lx_option numbers_options[] = {{.name = "step",
                                             .type = LX_WHOLE,
                                             .offset = offsetof(sw_update, step),
                                             .least = 1,
                                             .most = SW_LARGEST_COUNT,
                                             .needed = 1},
                                            {.name = NULL}};

static const lx_option no_options[] = {{.name = "optimizer", .type = LX_VALUE}, {.name = NULL}};

/* Pushes the vectors that the state has; returns whether there are any. */
static int push_found(lua_State *L, const sw_optimizer_row *row, int n) {
  const char *found = NULL, *missing = NULL;
  for (int i = 0; i < n; i++) {
    if (lua_isnil(L, lx_push_option(L, 4, row->moment[i])))
      missing = row->moment[i];
    else
      found = row->moment[i];
  }
  if (found && missing) lx_error(L, "update: state has %s but not %s", found, missing);
  return found != NULL;
}

/* Pushes the vectors that it keeps, found in the state or new. */
static sw_status push_kept(lua_State *L, const sw_optimizer_row *row, int n, int *fresh) {
  if (push_found(L, row, n)) return SW_OK;
  lua_pop(L, n);
  *fresh = 1;
  for (int i = 0; i < n; i++) {
    sw_tensor **box = lx_push_tensor(L);
    const sw_tensor *w = lx_check_tensor(L, 2, "update", "w");
    sw_status st = sw_tensor_new(lx_context(L), sw_tensor_dtype(w), sw_tensor_shape(w), box);
    if (st != SW_OK) return st;
  }
  return SW_OK;
}

/* Raises if a hyperparameter without a default was not given. */
static void check_given(lua_State *L, const sw_update *u) {
  for (int h = 0; h < SW_HYPER_COUNT; h++) {
    const sw_hyper_row *row = sw_hyper_row_of(h);
    if (h == SW_HYPER_BATCH_SIZE || !isnan(row->fallback) || !isnan(u->hyper[h])) continue;
    if (lua_isnil(L, lx_push_option(L, 5, row->name)))
      lx_error(L, "update: %s is missing", row->name);
    lua_pop(L, 1);
  }
}

static int update(lua_State *L) {
  lua_settop(L, 5);
  sw_optimizer_options o;
  sw_update u = {.step = 1};
  lx_check_table(L, 4, "update", "state");
  lx_read_options(L, 1, "update", lx_push_with_optimizer(L, no_options), &o);
  lx_read_optimizer(L, 1, "update", &o);
  for (int h = 0; h < SW_HYPER_COUNT; h++) u.hyper[h] = sw_hyper_row_of(h)->fallback;
  u.hyper[SW_HYPER_MOMENTUM] = sw_optimizer_row_of((int)o.kind)->momentum;
  lx_read_options(L, 5, "update",
                  lx_push_with_hyper(L, numbers_options, offsetof(sw_update, hyper)), &u);
  check_given(L, &u);
  const sw_optimizer_row *row = sw_optimizer_row_of((int)o.kind);
  int n = sw_optimizer_moments(o.kind, u.hyper[SW_HYPER_MOMENTUM]);
  int at = lua_gettop(L) + 1;
  sw_status st = push_kept(L, row, n, &u.first);
  if (st != SW_OK) return lx_retry(L, st, 5, update);
  u.w = lx_check_tensor(L, 2, "update", "w");
  u.g = lx_check_tensor(L, 3, "update", "g");
  for (int i = 0; i < n; i++) u.moment[i] = lx_check_tensor(L, at + i, "update", row->moment[i]);
  st = sw_optimizer_update(&o, &u);
  if (st != SW_OK) return lx_fault(L, st);
  for (int i = 0; i < n; i++) {
    lua_pushvalue(L, at + i);
    lua_setfield(L, 4, row->moment[i]);
  }
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg lx_optimizer_functions[] = {
    {"hyperparameters", hyperparameters},
    {"optimizers", optimizers},
    {"optimizer_moments", optimizer_moments},
    {"update", update},
    {NULL, NULL},
};
