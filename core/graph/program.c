/* program.c: the compiler: from a graph's edges to instructions on buffers.
 *
 *   needed nodes -> epilogues fused -> instructions -> outputs bound -> lifetimes, work in place
 *
 * No step changes a bit: a fused epilogue does the arithmetic of the separate ops in their order.
 */
#include <string.h>

#include "base/alloc_int.h"
#include "graph/dump_int.h"
#include "graph/program_int.h"

typedef struct compiler {
  sw_graph *g;
  sw_program *p;
  const sw_output *outputs;
  int n_outputs;
  int32_t n;                          /* nodes of the graph */
  unsigned char *needed;              /* by node */
  unsigned char *varying;             /* by node: whether it depends on the varying vector */
  int32_t (*readers)[SW_MAX_OUTPUTS]; /* by node and output: see swi_fuse */
  swi_fusions fusions;
  int32_t (*buffer)[SW_MAX_OUTPUTS]; /* by node and output, or -1 */
} compiler;

/* ------------------------------------------------------------------ lists */

static sw_status add_buffer(sw_program *p, const swi_buffer *b, int32_t *number) {
  if (p->n_buffers == p->cap_buffers) {
    int32_t cap = p->cap_buffers ? 2 * p->cap_buffers : 32;
    void *q = swi_realloc(p->ctx, p->buffers, (size_t)p->cap_buffers * sizeof *p->buffers,
                          (size_t)cap * sizeof *p->buffers);
    if (!q) return SW_ENOMEM;
    p->buffers = q;
    p->cap_buffers = cap;
  }
  p->buffers[p->n_buffers] = *b;
  *number = p->n_buffers++;
  return SW_OK;
}

static sw_status add_instruction(sw_program *p, const swi_instruction *i) {
  if (p->n_code == p->cap_code) {
    int32_t cap = p->cap_code ? 2 * p->cap_code : 32;
    void *q = swi_realloc(p->ctx, p->code, (size_t)p->cap_code * sizeof *p->code,
                          (size_t)cap * sizeof *p->code);
    if (!q) return SW_ENOMEM;
    p->code = q;
    p->cap_code = cap;
  }
  p->code[p->n_code++] = *i;
  return SW_OK;
}

/* ------------------------------------------------------------------ what is needed */

static void mark_varying(compiler *c, int vector) {
  for (int32_t i = 0; i < c->n && vector > 0; i++) {
    const swi_node *n = &c->g->nodes[i];
    if (n->op == SW_OP_param) c->varying[i] = n->attrs.slot == vector;
    if (swi_op(n->op)->flags & SWI_RANDOM) continue; /* it reads a shape, no value */
    for (int k = 0; k < swi_op(n->op)->n_in; k++) c->varying[i] |= c->varying[n->in[k].node];
  }
}

static void count_readers(compiler *c) {
  for (int32_t i = 0; i < c->n; i++)
    for (int k = 0; c->needed[i] && k < swi_op(c->g->nodes[i].op)->n_in; k++)
      c->readers[c->g->nodes[i].in[k].node][c->g->nodes[i].in[k].out]++;
  for (int i = 0; i < c->n_outputs; i++)
    c->readers[c->outputs[i].edge.node][c->outputs[i].edge.out]++;
}

/* ------------------------------------------------------------------ leaves */

static sw_status emit_input(compiler *c, int32_t i, swi_buffer *b) {
  sw_program *p = c->p;
  const swi_node *n = &c->g->nodes[i];
  int slot = n->attrs.slot;
  b->place = SWI_INPUT;
  b->slot = slot;
  b->last = INT32_MAX;
  if (p->input_buffer[slot] >= 0)
    return sw_fail(p->ctx, SW_EARG, "program: input %d is declared twice, with different shapes",
                   slot + 1);
  p->input_buffer[slot] = p->n_buffers;
  p->input_type[slot] = n->type[0];
  if (slot + 1 > p->n_inputs) p->n_inputs = slot + 1;
  return SW_OK;
}

static size_t constant_size(const compiler *c, const swi_node *n) {
  int64_t element = n->type[0].kind == SW_INDEX ? (int64_t)sizeof(int32_t) : c->p->bytes;
  return (size_t)((swi_type_numel(&n->type[0]).n * element + 63) / 64 * 64);
}

static sw_status emit_leaf(compiler *c, int32_t i) {
  const swi_node *n = &c->g->nodes[i];
  swi_buffer b = {
      .kind = n->type[0].kind, .numel = swi_type_numel(&n->type[0]), .first = -1, .last = -1};
  switch (n->op) {
  case SW_OP_input: SW_TRY(emit_input(c, i, &b)); break;
  case SW_OP_param:
    b.place = SWI_VECTOR;
    b.slot = n->attrs.slot;
    b.offset = n->attrs.offset;
    if (b.slot + 1 > c->p->n_vectors) c->p->n_vectors = b.slot + 1;
    break;
  default:
    b.place = SWI_CONSTANT;
    b.offset = (int64_t)c->p->constant_bytes;
    c->p->constant_bytes += constant_size(c, n);
  }
  return add_buffer(c->p, &b, &c->buffer[i][0]);
}

/* A view of the constants does not own them. */
static void keep(void *arg) { (void)arg; }

static sw_status write_constant(const compiler *c, const swi_node *n, void *to) {
  if (n->op == SW_OP_fill) {
    c->p->k->fill(1, n->attrs.value, to);
    return SW_OK;
  }
  const sw_tensor *t = c->g->constants[n->attrs.slot];
  sw_tensor *view;
  sw_dtype dtype = n->type[0].kind == SW_INDEX ? SW_I32 : c->p->dtype;
  SW_TRY(sw_tensor_wrap(c->p->ctx, dtype, sw_tensor_shape(t), to, 0, keep, NULL, &view));
  sw_status st = sw_tensor_copy(view, t);
  sw_tensor_free(view);
  return st;
}

static sw_status write_constants(compiler *c) {
  sw_program *p = c->p;
  if (p->constant_bytes == 0) return SW_OK;
  p->constants = swi_alloc_zeroed(p->ctx, p->constant_bytes);
  if (!p->constants) return SW_ENOMEM;
  for (int32_t i = 0; i < c->n; i++) {
    const swi_node *n = &c->g->nodes[i];
    if (c->needed[i] && (n->op == SW_OP_fill || n->op == SW_OP_constant))
      SW_TRY(write_constant(c, n, (char *)p->constants + p->buffers[c->buffer[i][0]].offset));
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ instructions */

static int32_t buffer_of(const compiler *c, sw_edge e) { return c->buffer[e.node][e.out]; }

static sw_status new_out(compiler *c, const sw_type *t, int32_t *number) {
  swi_buffer b = {.place = SWI_ARENA,
                  .kind = t->kind,
                  .numel = swi_type_numel(t),
                  .first = c->p->n_code,
                  .last = c->p->n_code};
  return add_buffer(c->p, &b, number);
}

static sw_status emit_op(compiler *c, int32_t i, const swi_node *n, sw_edge bias,
                         swi_activation activation) {
  const swi_op_row *row = swi_op(n->op);
  swi_instruction code = {.op = n->op,
                          .attrs = n->attrs,
                          .n_in = row->n_in,
                          .n_out = row->n_out,
                          .bias = -1,
                          .scratch = -1};
  if (row->flags & SWI_RANDOM) code.n_in = 0; /* the shape is enough */
  for (int k = 0; k < code.n_in; k++) {
    code.in[k] = buffer_of(c, n->in[k]);
    code.in_type[k] = *sw_graph_type(c->g, n->in[k]);
  }
  code.label = n->label;
  if (bias.node >= 0) code.bias = buffer_of(c, bias);
  code.activation = activation;
  for (int o = 0; o < row->n_out; o++) {
    code.out_type[o] = n->type[o];
    SW_TRY(new_out(c, &n->type[o], &c->buffer[i][o]));
    code.out[o] = c->buffer[i][o];
  }
  if (row->scratch) SW_TRY(new_out(c, &n->type[0], &code.scratch));
  return add_instruction(c->p, &code);
}

static sw_status emit_fusion(compiler *c, const swi_fusion *f) {
  swi_node root = c->g->nodes[f->root];
  if (f->gate >= 0) root.in[1] = c->g->nodes[f->gate].in[0];
  SW_TRY(emit_op(c, f->root, &root, f->bias, f->activation));
  c->buffer[f->result][0] = c->buffer[f->root][0];
  return SW_OK;
}

static sw_status emit_node(compiler *c, int32_t i) {
  const swi_node *n = &c->g->nodes[i];
  int flags = swi_op(n->op)->flags, fusion = c->fusions.of[i];
  if (flags & SWI_LEAF) return emit_leaf(c, i);
  if (flags & SWI_ALIAS) {
    c->buffer[i][0] = buffer_of(c, n->in[0]);
    return SW_OK;
  }
  if (fusion == 0) return emit_op(c, i, n, SW_NO_EDGE, SWI_ACT_NONE);
  const swi_fusion *f = &c->fusions.list[fusion - 1];
  return f->at == i ? emit_fusion(c, f) : SW_OK;
}

/* In the order of the graph, but what depends on the varying vector after all the rest. */
static sw_status emit(compiler *c) {
  for (int varying = 0; varying < 2; varying++) {
    c->p->varying_from = c->p->n_code;
    for (int32_t i = 0; i < c->n; i++)
      if (c->needed[i] && c->varying[i] == varying) SW_TRY(emit_node(c, i));
  }
  return SW_OK;
}

/* ------------------------------------------------------------------ outputs */

static sw_status emit_copy(compiler *c, int32_t from, const sw_type *t, int32_t *to) {
  swi_instruction code = {
      .op = swi_copy_op, .n_in = 1, .n_out = 1, .in = {from}, .bias = -1, .scratch = -1};
  code.in_type[0] = *t;
  code.out_type[0] = *t;
  SW_TRY(new_out(c, t, to));
  code.out[0] = *to;
  return add_instruction(c->p, &code);
}

/* An output lies where it was requested, or where it was computed. It is copied if its buffer
 * cannot be moved there. */
static sw_status bind_output(compiler *c, int i) {
  sw_program *p = c->p;
  const sw_output *o = &c->outputs[i];
  const sw_type *t = sw_graph_type(c->g, o->edge);
  int32_t at = buffer_of(c, o->edge);
  swi_buffer *b = &p->buffers[at];
  if (o->offset >= 0 && (t->kind != SW_REAL || swi_type_numel(t).batch))
    return sw_fail(p->ctx, SW_EARG,
                   "program: output %d cannot go into a vector: it must be real, without a batch "
                   "axis",
                   i + 1);
  /* results of the first part would be missing from a vector that only a rerun is given */
  int early = p->varying > 0 && b->first < p->varying_from && o->offset >= 0;
  int is_free = b->place == SWI_ARENA && b->last != INT32_MAX && !early;
  if (!is_free && (o->offset >= 0 || b->place != SWI_ARENA)) {
    SW_TRY(emit_copy(c, at, t, &at));
    b = &p->buffers[at];
  }
  if (o->offset >= 0) {
    b->place = SWI_OUT;
    b->slot = o->vector;
    b->offset = o->offset;
    p->needs[o->vector] = 1;
  }
  b->last = INT32_MAX;
  p->outputs[i] = (swi_program_output){*t, o->vector, o->offset, at, -1};
  return SW_OK;
}

/* ------------------------------------------------------------------ compile */

static sw_status compiler_new(compiler *c) {
  sw_context *ctx = c->p->ctx;
  size_t n = (size_t)c->n;
  c->needed = swi_alloc_zeroed(ctx, n);
  c->varying = swi_alloc_zeroed(ctx, n);
  c->readers = swi_alloc_zeroed(ctx, n * sizeof *c->readers);
  c->fusions.of = swi_alloc_zeroed(ctx, n * sizeof *c->fusions.of);
  c->buffer = swi_alloc(ctx, n * sizeof *c->buffer);
  c->p->n_outputs = c->n_outputs;
  c->p->outputs = swi_alloc_zeroed(ctx, (size_t)c->n_outputs * sizeof *c->p->outputs);
  c->p->by_ready = swi_alloc_zeroed(ctx, (size_t)c->n_outputs * sizeof *c->p->by_ready);
  if (!c->needed || !c->varying || !c->readers || !c->fusions.of || !c->buffer || !c->p->outputs ||
      !c->p->by_ready)
    return SW_ENOMEM;
  for (size_t i = 0; i < n; i++) {
    for (int o = 0; o < SW_MAX_OUTPUTS; o++) c->buffer[i][o] = -1;
  }
  return SW_OK;
}

static void compiler_free(compiler *c) {
  sw_context *ctx = c->p->ctx;
  size_t n = (size_t)c->n;
  swi_free(ctx, c->needed, n);
  swi_free(ctx, c->varying, n);
  swi_free(ctx, c->readers, n * sizeof *c->readers);
  swi_free(ctx, c->fusions.of, n * sizeof *c->fusions.of);
  swi_free(ctx, c->fusions.list, (size_t)c->fusions.cap * sizeof *c->fusions.list);
  swi_free(ctx, c->buffer, n * sizeof *c->buffer);
}

static sw_status copy_labels(compiler *c) {
  size_t bytes = (size_t)c->g->n_labels * sizeof *c->p->labels;
  if (bytes == 0) return SW_OK;
  c->p->labels = swi_alloc(c->p->ctx, bytes);
  if (!c->p->labels) return SW_ENOMEM;
  memcpy(c->p->labels, c->g->labels, bytes);
  c->p->n_labels = c->g->n_labels;
  return SW_OK;
}

static sw_status check_output(const compiler *c, int i) {
  sw_edge e = c->outputs[i].edge;
  if (e.node < 0 || e.node >= c->n || e.out < 0 || e.out >= swi_op(c->g->nodes[e.node].op)->n_out)
    return sw_fail(c->p->ctx, SW_EARG, "program: output %d is not an edge of the graph", i + 1);
  int vector = c->outputs[i].vector;
  if (vector != SW_TO_OUT && vector != SW_TO_STATE)
    return sw_fail(c->p->ctx, SW_EARG, "program: output %d goes to vector %d, there are 1 and 2",
                   i + 1, vector + 1);
  return SW_OK;
}

static sw_status compile(compiler *c) {
  SW_TRY(compiler_new(c));
  for (int i = 0; i < c->n_outputs; i++) {
    SW_TRY(check_output(c, i));
    c->needed[c->outputs[i].edge.node] = 1;
  }
  swi_mark_inputs(c->g, c->needed);
  SW_TRY(copy_labels(c));
  mark_varying(c, c->p->varying);
  count_readers(c);
  SW_TRY(swi_fuse(c->g, c->needed, c->varying, (const int32_t(*)[SW_MAX_OUTPUTS])c->readers,
                  &c->fusions));
  SW_TRY(emit(c));
  for (int i = 0; i < c->n_outputs; i++) SW_TRY(bind_output(c, i));
  SW_TRY(swi_plan_lifetimes(c->p));
  return write_constants(c);
}

sw_status sw_program_new(sw_graph *g, const sw_program_options *o, sw_program **out) {
  sw_dtype real = o->real;
  if (real != SW_F32 && real != SW_F64)
    return sw_fail(g->ctx, SW_EDTYPE, "program: the dtype must be float32 or float64, not %s",
                   sw_dtype_name(real));
  if (o->n_outputs < 1) return sw_fail(g->ctx, SW_EARG, "program: has no outputs");
  sw_program *p = swi_alloc_zeroed(g->ctx, sizeof *p);
  if (!p) return SW_ENOMEM;
  p->ctx = sw_context_retain(g->ctx);
  p->references = 1;
  p->dtype = real;
  p->varying = o->varying > 0 ? o->varying : 0;
  p->k = swi_kernels_of(g->ctx, sw_dtype_bytes(real));
  p->bytes = p->k->element_bytes;
  for (int i = 0; i < SW_MAX_SLOTS; i++) p->input_buffer[i] = -1;
  compiler c = {.g = g, .p = p, .outputs = o->outputs, .n_outputs = o->n_outputs, .n = g->n_nodes};
  sw_status st = compile(&c);
  compiler_free(&c);
  if (st == SW_OK)
    *out = p;
  else
    sw_program_release(p);
  return st;
}

sw_program *sw_program_retain(sw_program *p) {
  p->references++;
  return p;
}

void sw_program_release(sw_program *p) {
  if (!p || --p->references > 0) return;
  sw_context *ctx = p->ctx;
  swi_free(ctx, p->code, (size_t)p->cap_code * sizeof *p->code);
  swi_free(ctx, p->buffers, (size_t)p->cap_buffers * sizeof *p->buffers);
  swi_free(ctx, p->outputs, (size_t)p->n_outputs * sizeof *p->outputs);
  swi_free(ctx, p->by_ready, (size_t)p->n_outputs * sizeof *p->by_ready);
  swi_free(ctx, p->labels, (size_t)p->n_labels * sizeof *p->labels);
  if (p->constants) swi_free(ctx, p->constants, p->constant_bytes);
  swi_free(ctx, p, sizeof *p);
  sw_context_release(ctx);
}

/* ------------------------------------------------------------------ looking */

sw_dtype sw_program_dtype(const sw_program *p) { return p->dtype; }
int sw_program_inputs(const sw_program *p) { return p->n_inputs; }
int sw_program_outputs(const sw_program *p) { return p->n_outputs; }
const sw_type *sw_program_output_type(const sw_program *p, int i) { return &p->outputs[i].type; }
int64_t sw_program_output_offset(const sw_program *p, int i) { return p->outputs[i].offset; }
int sw_program_output_vector(const sw_program *p, int i) { return p->outputs[i].vector; }

static int64_t extent_of(const sw_program *p, swi_place place, int slot) {
  int64_t extent = 0;
  for (int32_t i = 0; i < p->n_buffers; i++) {
    const swi_buffer *b = &p->buffers[i];
    if (b->place == place && b->slot == slot && b->offset + b->numel.n > extent)
      extent = b->offset + b->numel.n;
  }
  return extent;
}

int64_t sw_program_kept_bytes(const sw_program *p, int64_t batch) {
  size_t bytes = 0;
  for (int32_t i = 0; i < p->n_buffers; i++)
    if (p->buffers[i].kept) bytes += swi_buffer_bytes(&p->buffers[i], batch, p->bytes);
  return (int64_t)bytes;
}

int sw_program_vectors(const sw_program *p) { return p->n_vectors; }

int64_t sw_program_vector_extent(const sw_program *p, int slot) {
  return extent_of(p, SWI_VECTOR, slot);
}

int64_t sw_program_output_extent(const sw_program *p, int vector) {
  return extent_of(p, SWI_OUT, vector);
}

const sw_type *sw_program_input_type(const sw_program *p, int slot) {
  return slot >= 0 && slot < p->n_inputs && p->input_buffer[slot] >= 0 ? &p->input_type[slot]
                                                                       : NULL;
}
