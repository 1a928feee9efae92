/* lua_graph.h: what graphs, nodes and programs are in Lua. */
#ifndef SW_LUA_GRAPH_H
#define SW_LUA_GRAPH_H

#include "graph/program.h"
#include "support.h"

typedef struct lx_graph {
  sw_graph *g;                  /* holds one reference */
  int64_t extent[SW_MAX_SLOTS]; /* elements that a vector must have for the params made so far */
} lx_graph;

typedef struct lx_node {
  sw_graph *g; /* holds one reference */
  sw_edge edge;
} lx_node;

typedef struct lx_program {
  sw_program *p;
  sw_workspace *w;              /* NULL: not run yet */
  int64_t extent[SW_MAX_SLOTS]; /* elements that a run's vectors must have */
  int64_t out_extent[2];        /* elements that a run's out and state must have */
  int n_outputs;
  char placed[]; /* whether output i goes to the output vector */
} lx_program;

/* Fills the empty node: no Lua in it. */
void lx_node_set(lx_node *node, sw_graph *g, sw_edge edge);

/* A list of at most limit sizes: integers from lowest on, "batch", "2*batch". */
int lx_check_sizes(lua_State *L, int arg, const char *who, lua_Integer lowest,
                   sw_dim dim[SW_MAX_DIMS]);

/* Reads the nodes of g from the list of n at arg; false gives SW_NO_EDGE if optional. */
void lx_check_edges(lua_State *L, int arg, const char *who, const char *what, const sw_graph *g,
                    int optional, sw_edge *edges, int n);

/* The program's workspace, made if it is not there. */
sw_status lx_program_workspace(lx_program *p, sw_workspace **out);

#endif
