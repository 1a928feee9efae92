/* lua_graph.c: class graph: leaves, gradients, per-example norms. */
#include "lua_graph.h"

static lx_graph *check_graph(lua_State *L, const char *who) {
  return lx_check(L, 1, LX_GRAPH, who, "self");
}

/* graph() */
static int new_graph(lua_State *L) {
  lua_settop(L, 0);
  lx_graph *graph = lx_push_shell(L, LX_GRAPH);
  sw_status st = sw_graph_new(lx_context(L), &graph->g);
  return st == SW_OK ? 1 : lx_retry(L, st, 0, new_graph);
}

/* graph:input(slot, kind, shape) */
static int input(lua_State *L) {
  static const char *const kinds[SW_KIND_COUNT + 1] = {[SW_REAL] = "real", [SW_INDEX] = "index"};
  lua_settop(L, 4);
  lx_node *out = lx_push_shell(L, LX_NODE);
  sw_graph *g = check_graph(L, "graph:input")->g;
  int slot = (int)lx_check_integer(L, 2, "graph:input", "slot", 1, SW_MAX_SLOTS) - 1;
  sw_kind kind = (sw_kind)lx_check_choice(L, 3, "graph:input", "kind", kinds, -1);
  sw_dim dim[SW_MAX_DIMS];
  int ndim = lx_check_sizes(L, 4, "graph:input", 0, dim);
  sw_edge edge;
  sw_status st = sw_graph_input(g, slot, kind, ndim, dim, &edge);
  if (st != SW_OK) return lx_retry(L, st, 4, input);
  lx_node_set(out, g, edge);
  return 1;
}

/* graph:param(first, shape, vector) */
static int param(lua_State *L) {
  lua_settop(L, 4);
  lx_node *out = lx_push_shell(L, LX_NODE);
  lx_graph *graph = check_graph(L, "graph:param");
  int64_t first = lx_check_integer(L, 2, "graph:param", "first", 1, SW_MOST_ELEMENTS) - 1;
  sw_shape shape = lx_check_shape(L, 3, "graph:param", 0);
  int slot = 0;
  if (!lua_isnil(L, 4))
    slot = (int)lx_check_integer(L, 4, "graph:param", "vector", 1, SW_MAX_SLOTS) - 1;
  int64_t numel;
  sw_edge edge;
  sw_status st = sw_shape_numel(lx_context(L), &shape, &numel);
  if (st == SW_OK) st = sw_graph_param(graph->g, slot, first, &shape, &edge);
  if (st != SW_OK) return lx_retry(L, st, 4, param);
  lx_node_set(out, graph->g, edge);
  if (first + numel > graph->extent[slot]) graph->extent[slot] = first + numel;
  return 1;
}

/* Sets the nodes of the list of shells; where there is no edge the list gets false. */
static void give_edges(lua_State *L, int list, sw_graph *g, lx_node *const *shells,
                       const sw_edge *edges, int n) {
  for (int i = 0; i < n; i++) {
    if (edges[i].node >= 0) lx_node_set(shells[i], g, edges[i]);
  }
  for (int i = 0; i < n; i++) {
    if (edges[i].node >= 0) continue;
    lua_pushboolean(L, 0);
    lua_rawseti(L, list, i + 1);
  }
}

/* The node at index, or none for nil. */
static sw_edge optional_edge(lua_State *L, int index, const char *who, const char *what,
                             const sw_graph *g) {
  if (lua_isnil(L, index)) return SW_NO_EDGE;
  const lx_node *node = lx_check(L, index, LX_NODE, who, what);
  if (node->g != g) lx_error(L, "%s: %s is a node of another graph", who, what);
  return node->edge;
}

/* nil, why, "EUNSUPPORTED", position of the param at fault */
static int unsupported(lua_State *L, sw_status st, int culprit) {
  lua_pushnil(L);
  lua_pushstring(L, sw_message(lx_context(L)));
  lua_pushstring(L, sw_status_name(st));
  if (culprit < 0) return 3;
  lua_pushinteger(L, culprit + 1);
  return 4;
}

/* graph:gradient(of, wrt, seed). Stack: self, of, wrt, seed, the result, shells, edges. */
static int gradient(lua_State *L) {
  const char *who = "graph:gradient";
  lua_settop(L, 4);
  (void)check_graph(L, who);
  int n = lx_check_list(L, 3, who, "wrt", INT16_MAX);
  lua_createtable(L, n, 0);
  lx_node **shells = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *shells, 0);
  sw_edge *edges = lua_newuserdatauv(L, 2 * ((size_t)n + 1) * sizeof *edges, 0), *grads = edges + n;
  for (int i = 0; i < n; i++) {
    shells[i] = lx_push_shell(L, LX_NODE);
    lua_rawseti(L, 5, i + 1);
  }
  sw_graph *g = check_graph(L, who)->g;
  const lx_node *of = lx_check(L, 2, LX_NODE, who, "of");
  if (of->g != g) return lx_error(L, "%s: of is a node of another graph", who);
  lx_check_edges(L, 3, who, "wrt", g, 0, edges, n);
  sw_edge seed = optional_edge(L, 4, who, "seed", g);
  sw_status st = sw_graph_gradient(g, of->edge, seed, edges, n, grads);
  if (st == SW_EUNSUPPORTED) return unsupported(L, st, -1);
  if (st != SW_OK) return lx_retry(L, st, 4, gradient);
  give_edges(L, 5, g, shells, grads, n);
  lua_settop(L, 5);
  return 1;
}

/* graph:example_norms(grads) */
static int example_norms(lua_State *L) {
  const char *who = "graph:example_norms";
  lua_settop(L, 2);
  (void)check_graph(L, who);
  int n = lx_check_list(L, 2, who, "grads", INT16_MAX), culprit = -1;
  sw_edge *edges = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *edges, 0), norms;
  lx_node *out = lx_push_shell(L, LX_NODE);
  sw_graph *g = check_graph(L, who)->g;
  lx_check_edges(L, 2, who, "grads", g, 1, edges, n);
  sw_status st = sw_graph_example_norms(g, edges, n, &norms, &culprit);
  if (st == SW_EUNSUPPORTED) return unsupported(L, st, culprit);
  if (st != SW_OK) return lx_retry(L, st, 2, example_norms);
  lx_node_set(out, g, norms);
  return 1;
}

typedef size_t (*writer)(const sw_graph *g, const sw_edge *outputs, int n, char *text, size_t size);

/* A graph of our own, so that no finaliser can end it while the text grows. The core needs memory
 * for this and gives no text where there is none. */
static int write_text(lua_State *L, const char *who, writer write, lua_CFunction f) {
  lua_settop(L, 2);
  (void)check_graph(L, who);
  int n = lx_check_list(L, 2, who, "outputs", INT16_MAX);
  sw_edge *edges = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *edges, 0);
  lx_graph *kept = lx_push_shell(L, LX_GRAPH);
  sw_graph *g = check_graph(L, who)->g;
  lx_check_edges(L, 2, who, "outputs", g, 0, edges, n);
  kept->g = sw_graph_retain(g);
  luaL_Buffer b;
  size_t size = write(g, edges, n, NULL, 0);
  if (size == 0 && n > 0) return lx_retry(L, SW_ENOMEM, 2, f);
  char *text = luaL_buffinitsize(L, &b, size + 1);
  if (write(g, edges, n, text, size + 1) != size) return lx_retry(L, SW_ENOMEM, 2, f);
  luaL_pushresultsize(&b, size);
  return 1;
}

/* graph:dump(outputs), graph:dot(outputs) */
static int dump(lua_State *L) { return write_text(L, "graph:dump", sw_graph_dump, dump); }
static int dot(lua_State *L) { return write_text(L, "graph:dot", sw_graph_dot, dot); }

static int to_text(lua_State *L) {
  const lx_graph *graph = lx_test(L, 1, LX_GRAPH);
  if (graph && graph->g) {
    lua_pushfstring(L, "graph of %d nodes", sw_graph_size(graph->g));
  } else {
    lua_pushliteral(L, "graph (freed)");
  }
  return 1;
}

static int end(lua_State *L) {
  lx_graph *graph = lx_test(L, 1, LX_GRAPH);
  if (!graph) return 0;
  sw_graph *g = graph->g;
  graph->g = NULL;
  sw_graph_release(g);
  return 0;
}

static const luaL_Reg methods[] = {
    {"input", input}, {"param", param}, {"gradient", gradient}, {"example_norms", example_norms},
    {"dump", dump},   {"dot", dot},     {NULL, NULL},
};
static const luaL_Reg meta[] = {{"__tostring", to_text}, {NULL, NULL}};

const lx_class_spec lx_graph_class = {
    .name = "graph", .size = sizeof(lx_graph), .end = end, .methods = methods, .meta = meta};

const luaL_Reg lx_graph_functions[] = {{"graph", new_graph}, {NULL, NULL}};
