/* dump.c: a graph as text, one line a node. */
#include "graph/dump_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc_int.h"
#include "base/c_locale_int.h"

void swi_put(swi_text *t, const char *format, ...) {
  va_list args;
  size_t room = t->used < t->size ? t->size - t->used : 0;
  locale_t before = swi_use_c_locale();
  va_start(args, format);
  int n = vsnprintf(room ? t->text + t->used : NULL, room, format, args);
  va_end(args);
  swi_restore_locale(before);
  if (n > 0) t->used += (size_t)n;
}

static void put_inputs(swi_text *t, const swi_node *n) {
  swi_put(t, "(");
  for (int i = 0; i < swi_op(n->op)->n_in; i++) {
    swi_put(t, "%s%%%" PRId32, i ? ", " : "", n->in[i].node);
    if (n->in[i].out > 0) swi_put(t, ".%" PRId32, n->in[i].out + 1);
    if (i ? n->attrs.transpose_b : n->attrs.transpose_a) swi_put(t, "^T");
  }
  swi_put(t, ")");
}

static void put_line(swi_text *t, const sw_graph *g, int32_t i) {
  char text[120];
  const swi_node *n = &g->nodes[i];
  const swi_op_row *row = swi_op(n->op);
  swi_put(t, "%%%" PRId32 " = %s", i, sw_op_name(n->op));
  if (row->n_in > 0) put_inputs(t, n);
  swi_put_attrs(t, n);
  swi_put(t, " :");
  for (int o = 0; o < row->n_out; o++)
    swi_put(t, " %s%s", n->type[o].kind == SW_INDEX ? "index " : "",
            sw_type_text(&n->type[o], text, sizeof text));
  swi_put(t, "\n");
}

static void put_box(swi_text *t, const sw_graph *g, int32_t i) {
  char text[120];
  const swi_node *n = &g->nodes[i];
  swi_put(t, "  n%" PRId32 " [label=\"%s", i, sw_op_name(n->op));
  swi_put_attrs(t, n);
  swi_put(t, "\\n%s\"%s];\n", sw_type_text(&n->type[0], text, sizeof text),
          swi_op(n->op)->flags & SWI_LEAF ? ", style=filled" : "");
  for (int k = 0; k < swi_op(n->op)->n_in; k++)
    swi_put(t, "  n%" PRId32 " -> n%" PRId32 ";\n", n->in[k].node, i);
}

typedef void (*put_one)(swi_text *t, const sw_graph *g, int32_t node);

/* All nodes that the outputs need, between head and tail. 0: no memory. */
static size_t put_graph(const sw_graph *g, const sw_edge *outputs, int n_outputs, swi_text *t,
                        const char *head, put_one put, const char *tail) {
  size_t n = (size_t)g->n_nodes;
  unsigned char *needed = swi_alloc_zeroed(g->ctx, n);
  if (t->size > 0) t->text[0] = '\0';
  if (!needed) return 0;
  swi_mark_needed(g, outputs, n_outputs, needed);
  swi_put(t, "%s", head);
  for (int32_t i = 0; i < g->n_nodes; i++)
    if (needed[i]) put(t, g, i);
  swi_put(t, "%s", tail);
  swi_free(g->ctx, needed, n);
  return t->used;
}

size_t sw_graph_dot(const sw_graph *g, const sw_edge *outputs, int n_outputs, char *text,
                    size_t size) {
  swi_text t = {text, size, 0};
  return put_graph(g, outputs, n_outputs, &t, "digraph {\n  node [shape=box];\n", put_box, "}\n");
}

size_t sw_graph_dump(const sw_graph *g, const sw_edge *outputs, int n_outputs, char *text,
                     size_t size) {
  swi_text t = {text, size, 0};
  return put_graph(g, outputs, n_outputs, &t, "", put_line, "");
}
