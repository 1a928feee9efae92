/* loop_resume.c: the state that a loop continues from. */
#include <math.h>
#include <string.h>

#include "train/loop_int.h"

static int most_vectors(const sw_loop *l) {
  return sw_optimizer_moments(l->optimizer.kind, 1); /* with momentum */
}

static const char *vector_name(const sw_loop *l, int i) { return sw_loop_optimizer(l)->moment[i]; }

sw_status sw_loop_state_vectors(const sw_loop *l, sw_state_vector out[SW_MOMENTS], int *n) {
  int count = l->has_moments ? most_vectors(l) : 0;
  for (int i = 0; i < count; i++) {
    out[i].name = vector_name(l, i);
    sw_status status = sw_tensor_view(l->moment[i], &out[i].view);
    if (status == SW_OK) continue;
    while (i-- > 0) sw_tensor_free(out[i].view);
    return status;
  }
  *n = count;
  return SW_OK;
}

static sw_status check_vector(const sw_loop *l, int i, const sw_tensor *v) {
  const char *name = vector_name(l, i);
  if (sw_tensor_dtype(v) != l->real)
    return sw_fail(l->ctx, SW_EDTYPE, "loop: %s is %s, the weights are %s", name,
                   sw_dtype_name(sw_tensor_dtype(v)), sw_dtype_name(l->real));
  if (sw_tensor_numel(v) == sw_tensor_numel(l->weights) && sw_tensor_shape(v)->ndim == 1)
    return SW_OK;
  char text[96];
  return sw_fail(l->ctx, SW_ESHAPE, "loop: %s is %s, there are %lld weights", name,
                 sw_shape_text(sw_tensor_shape(v), text, sizeof text),
                 (long long)sw_tensor_numel(l->weights));
}

int swi_vectors_suffice(const sw_optimizer_row *row, int most, int64_t step, int given) {
  if (row->only_with_momentum) return given == 0 || given == most;
  return given == (step > 0 ? most : 0);
}

static sw_status check_resume(const sw_loop *l, const sw_resume *r, int *given) {
  if (r->step < 0 || r->step > SW_LARGEST_COUNT || r->examples < 0 ||
      r->examples > SW_LARGEST_COUNT)
    return sw_fail(l->ctx, SW_ERANGE,
                   "loop: cannot go on from step %lld, example %lld: both are 0 to 2^53",
                   (long long)r->step, (long long)r->examples);
  *given = 0;
  for (int i = 0; i < most_vectors(l); i++) {
    if (!r->vectors[i]) continue;
    SW_TRY(check_vector(l, i, r->vectors[i]));
    ++*given;
  }
  const sw_optimizer_row *row = sw_loop_optimizer(l);
  const int most = most_vectors(l);
  if (swi_vectors_suffice(row, most, r->step, *given)) return SW_OK;
  return sw_fail(l->ctx, SW_EARG, "loop: %s goes on from step %lld with %s%d vectors, got %d",
                 row->name, (long long)r->step, row->only_with_momentum ? "0 or " : "",
                 row->only_with_momentum || r->step > 0 ? most : 0, *given);
}

/* Copies first, so that a failure changes nothing. */
static sw_status take_vectors(sw_loop *l, const sw_resume *r) {
  sw_tensor *copy[SW_MOMENTS] = {NULL};
  sw_status status = SW_OK;
  for (int i = 0; i < most_vectors(l) && status == SW_OK; i++)
    if (r->vectors[i]) status = sw_tensor_clone(r->vectors[i], &copy[i]);
  for (int i = 0; i < SW_MOMENTS; i++) {
    if (status == SW_OK && copy[i]) {
      sw_tensor_free(l->moment[i]);
      l->moment[i] = copy[i];
    } else {
      sw_tensor_free(copy[i]);
    }
  }
  return status;
}

sw_status sw_loop_restore(sw_loop *l, const sw_resume *r) {
  int given = 0;
  SW_TRY(check_resume(l, r, &given));
  SW_TRY(take_vectors(l, r));
  l->has_moments = given > 0;
  l->has_values = r->hyper[SW_HYPER_BATCH_SIZE] > 0;
  l->has_gradient = 0;
  l->ratios_step = 0;
  l->state = (sw_loop_state){.step = r->step,
                             .examples = r->examples,
                             .epoch = (double)r->examples / (double)sw_sampler_size(l->sampler),
                             .loss = r->loss,
                             .grad_norm = r->grad_norm,
                             .loss_sum = r->loss_sum,
                             .loss_examples = r->loss_examples,
                             .bad_range = -1,
                             .bad_loss = (double)NAN,
                             .bad_grad_norm = (double)NAN};
  memcpy(l->state.hyper, r->hyper, sizeof r->hyper);
  return SW_OK;
}
