/* label.c: names of nodes in messages: the layers that they come from. */
#include <stdio.h>
#include <string.h>

#include "base/alloc_int.h"
#include "graph/op_int.h"

static int32_t find(const sw_graph *g, const char *label) {
  for (int32_t i = 0; i < g->n_labels; i++)
    if (strcmp(g->labels[i], label) == 0) return i + 1;
  return 0;
}

sw_status sw_graph_label(sw_graph *g, const char *label) {
  char text[SWI_LABEL];
  snprintf(text, sizeof text, "%s", label);
  int32_t known = text[0] ? find(g, text) : 0;
  if (text[0] && !known) {
    size_t n = (size_t)g->n_labels, size = sizeof *g->labels;
    void *p = swi_realloc(g->ctx, g->labels, n * size, (n + 1) * size);
    if (!p) return SW_ENOMEM;
    g->labels = p;
    memcpy(g->labels[g->n_labels], text, sizeof text);
    known = ++g->n_labels;
  }
  g->label = known;
  return SW_OK;
}

const char *sw_graph_get_label(const sw_graph *g) {
  return g->label ? g->labels[g->label - 1] : "";
}
