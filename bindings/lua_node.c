/* lua_node.c: class node: edges of a graph, and sizes that may depend on the batch. */
#include <stdlib.h>
#include <string.h>

#include <stdio.h>

#include "lua_graph.h"

void lx_node_set(lx_node *node, sw_graph *g, sw_edge edge) {
  node->g = sw_graph_retain(g);
  node->edge = edge;
}

/* "batch" or "<n>*batch"; 0 if it is neither. */
static int parse_size(const char *text, sw_dim *dim) {
  char *end;
  if (strcmp(text, "batch") == 0) {
    *dim = (sw_dim){1, 1};
    return 1;
  }
  if (text[0] < '1' || text[0] > '9') return 0;
  long long n = strtoll(text, &end, 10);
  *dim = (sw_dim){n, 1};
  return n < SW_MOST_ELEMENTS && strcmp(end, "*batch") == 0;
}

int lx_check_sizes(lua_State *L, int arg, const char *who, lua_Integer lowest,
                   sw_dim dim[SW_MAX_DIMS]) {
  int n = lx_check_list(L, arg, who, "shape", SW_MAX_DIMS);
  arg = lua_absindex(L, arg);
  lx_reserve(L, 2);
  for (int i = 0; i < n; i++) {
    lua_rawgeti(L, arg, i + 1);
    if (lua_type(L, -1) != LUA_TSTRING) {
      dim[i] = (sw_dim){lx_check_integer(L, -1, who, "a size", lowest, LUA_MAXINTEGER), 0};
    } else if (!parse_size(lua_tostring(L, -1), &dim[i])) {
      lx_error(L, "%s: a size must be an integer, \"batch\" or \"2*batch\", got %s", who,
               lx_push_words(L, -1));
    }
    lua_pop(L, 1);
  }
  return n;
}

void lx_check_edges(lua_State *L, int arg, const char *who, const char *what, const sw_graph *g,
                    int optional, sw_edge *edges, int n) {
  arg = lua_absindex(L, arg);
  lx_reserve(L, 2);
  for (int i = 0; i < n; i++) {
    edges[i] = SW_NO_EDGE;
    int none = lua_rawgeti(L, arg, i + 1) == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    if (!none || !optional) {
      const lx_node *node = lx_check(L, -1, LX_NODE, who, what);
      if (node->g != g) lx_error(L, "%s: %s %d is of another graph", who, what, i + 1);
      edges[i] = node->edge;
    }
    lua_pop(L, 1);
  }
}

static const sw_type *check_type(lua_State *L, const char *who) {
  const lx_node *node = lx_check(L, 1, LX_NODE, who, "self");
  return sw_graph_type(node->g, node->edge);
}

static void push_size(lua_State *L, sw_dim d) {
  if (!d.batch) {
    lua_pushinteger(L, d.n);
  } else if (d.n == 1) {
    lua_pushliteral(L, "batch");
  } else {
    lua_pushfstring(L, "%I*batch", (lua_Integer)d.n);
  }
}

static int get_shape(lua_State *L) {
  const sw_type type = *check_type(L, "node:shape");
  lua_createtable(L, type.ndim, 0);
  for (int i = 0; i < type.ndim; i++) {
    push_size(L, type.dim[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int get_ndim(lua_State *L) {
  lua_pushinteger(L, check_type(L, "node:ndim")->ndim);
  return 1;
}

static int get_kind(lua_State *L) {
  lua_pushstring(L, check_type(L, "node:kind")->kind == SW_REAL ? "real" : "index");
  return 1;
}

static int get_dependence(lua_State *L) {
  static const char *const names[SW_DEPENDENCE_COUNT] = {
      [SW_CONSTANT] = "constant", [SW_BY_EXAMPLE] = "by_example", [SW_MIXED] = "mixed"};
  lua_pushstring(L, names[check_type(L, "node:dependence")->dependence]);
  return 1;
}

/* node:label(text) -> the one before: of nodes of its graph that are added from now on */
static int label(lua_State *L) {
  lua_settop(L, 2);
  sw_graph *g = ((lx_node *)lx_check(L, 1, LX_NODE, "node:label", "self"))->g;
  const char *text = lx_check_text(L, 2, "node:label", "text");
  char before[128];
  snprintf(before, sizeof before, "%s", sw_graph_get_label(g));
  sw_status st = sw_graph_label(g, text);
  if (st != SW_OK) return lx_retry(L, st, 2, label);
  lua_pushstring(L, before);
  return 1;
}

static int to_text(lua_State *L) {
  const lx_node *node = lx_test(L, 1, LX_NODE);
  if (!node || !node->g) {
    lua_pushliteral(L, "node (freed)");
    return 1;
  }
  char shape[128];
  const sw_type *type = sw_graph_type(node->g, node->edge);
  const char *kind = type->kind == SW_REAL ? "" : "index ", *out = node->edge.out ? ".2" : "";
  lua_pushfstring(L, "node %%%d%s: %s%s", (int)node->edge.node, out, kind,
                  sw_type_text(type, shape, sizeof shape));
  return 1;
}

static int end(lua_State *L) {
  lx_node *node = lx_test(L, 1, LX_NODE);
  if (!node) return 0;
  sw_graph *g = node->g;
  node->g = NULL;
  sw_graph_release(g);
  return 0;
}

static const luaL_Reg methods[] = {
    {"shape", get_shape},           {"ndim", get_ndim}, {"kind", get_kind},
    {"dependence", get_dependence}, {"label", label},   {NULL, NULL},
};
static const luaL_Reg meta[] = {{"__len", lx_node_length}, {"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_node_class = {
    .name = "node", .size = sizeof(lx_node), .end = end, .methods = methods, .meta = meta};
