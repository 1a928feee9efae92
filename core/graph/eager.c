/* eager.c: one op on tensors, by the same rows of the op table. */
#include "graph/eager.h"

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "graph/op_int.h"

typedef struct eager_call {
  sw_context *ctx;
  sw_op op;
  int n_in;
  sw_tensor *in[SW_MAX_INPUTS]; /* contiguous, real or int32; owned */
  sw_type type[SW_MAX_INPUTS], out_type[SW_MAX_OUTPUTS];
  sw_attrs attrs;
  sw_dtype real;
} eager_call;

static int is_real(sw_dtype t) { return t == SW_F32 || t == SW_F64; }

/* The float type of the real inputs: one for all of them. */
static sw_status find_real(eager_call *c, sw_tensor *const *in) {
  int found = 0;
  c->real = SW_F32;
  for (int i = 0; i < c->n_in; i++) {
    sw_dtype t = sw_tensor_dtype(in[i]);
    if (!is_real(t)) continue;
    if (found && t != c->real)
      return sw_fail(c->ctx, SW_EDTYPE, "%s: inputs are %s and %s; convert one of them to %s",
                     sw_op_name(c->op), sw_dtype_name(c->real), sw_dtype_name(t),
                     sw_dtype_name(c->real));
    c->real = t;
    found = 1;
  }
  return SW_OK;
}

static sw_status take_input(eager_call *c, int i, const sw_tensor *t) {
  const sw_shape *s = sw_tensor_shape(t);
  if (sw_tensor_dtype(t) == SW_U8)
    SW_TRY(sw_tensor_to(t, SW_I32, &c->in[i]));
  else
    SW_TRY(sw_tensor_contiguous(t, &c->in[i]));
  c->type[i] = (sw_type){.kind = is_real(sw_tensor_dtype(t)) ? SW_REAL : SW_INDEX, .ndim = s->ndim};
  for (int k = 0; k < s->ndim; k++) c->type[i].dim[k] = (sw_dim){s->dim[k], 0};
  return SW_OK;
}

static sw_status make_outputs(eager_call *c, sw_tensor **out) {
  for (int o = 0; o < swi_op(c->op)->n_out; o++) {
    sw_shape s;
    swi_type_shape(&c->out_type[o], 1, &s);
    SW_TRY(sw_tensor_new(c->ctx, c->out_type[o].kind == SW_INDEX ? SW_I32 : c->real, &s, &out[o]));
  }
  return SW_OK;
}

static sw_status with_scratch(swi_eval_args *e) {
  const int64_t n = e->row->scratch ? e->row->scratch(e) : 0;
  const size_t bytes = (size_t)n * (size_t)e->k->element_bytes;
  if (n > 0 && !(e->scratch = swi_alloc(e->ctx, bytes))) return SW_ENOMEM;
  const sw_status st = e->row->eval(e);
  if (n > 0) swi_free(e->ctx, e->scratch, bytes);
  return st;
}

static sw_status evaluate(eager_call *c, sw_tensor **out) {
  const swi_op_row *row = swi_op(c->op);
  swi_eval_args e = {.ctx = c->ctx, .row = row, .attrs = &c->attrs, .batch = 1};
  e.k = swi_kernels_of(c->ctx, (int)sw_dtype_bytes(c->real));
  for (int i = 0; i < c->n_in; i++) {
    e.in[i] = sw_tensor_data(c->in[i]);
    e.in_shape[i] = *sw_tensor_shape(c->in[i]);
  }
  for (int o = 0; o < row->n_out; o++) {
    SW_TRY(sw_tensor_writable(out[o], &e.out[o]));
    e.out_shape[o] = *sw_tensor_shape(out[o]);
  }
  e.out_bytes = sw_dtype_bytes(sw_tensor_dtype(out[0]));
  return with_scratch(&e);
}

static sw_status call(eager_call *c, sw_tensor *const *in, sw_tensor **out) {
  const sw_type *types[SW_MAX_INPUTS] = {0};
  SW_TRY(find_real(c, in));
  for (int i = 0; i < c->n_in; i++) {
    SW_TRY(take_input(c, i, in[i]));
    types[i] = &c->type[i];
  }
  SW_TRY(swi_infer(c->ctx, c->op, types, c->n_in, &c->attrs, c->out_type));
  SW_TRY(make_outputs(c, out));
  return evaluate(c, out);
}

sw_status sw_eager(sw_context *ctx, sw_op op, sw_tensor *const *in, int n_in, const sw_attrs *attrs,
                   sw_tensor **out, int *n_out) {
  eager_call c = {.ctx = ctx, .op = op, .n_in = n_in};
  sw_tensor *made[SW_MAX_OUTPUTS] = {0};
  if (op < 0 || op >= SW_OP_COUNT) return sw_fail(ctx, SW_EARG, "apply: there is no such op");
  if (n_in > SW_MAX_INPUTS || n_in != swi_op(op)->n_in)
    return sw_fail(ctx, SW_EARG, "%s: expected %d inputs, got %d", sw_op_name(op), swi_op(op)->n_in,
                   n_in);
  if (attrs) {
    SW_TRY(swi_check_attrs(ctx, op, attrs));
    c.attrs = *attrs;
  }
  sw_status st = call(&c, in, made);
  for (int i = 0; i < n_in; i++) sw_tensor_free(c.in[i]);
  for (int o = 0; o < swi_op(op)->n_out; o++) {
    if (st == SW_OK)
      out[o] = made[o];
    else
      sw_tensor_free(made[o]);
  }
  *n_out = swi_op(op)->n_out;
  return st;
}
