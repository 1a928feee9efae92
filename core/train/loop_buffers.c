/* loop_buffers.c: params that a step gives new values.
 *
 * A run reads the values before the step and writes new ones; what no output writes is copied
 * first. With a batch in parts each part does so, and the step leaves the mean over its examples,
 * so that a running mean is the same for any cut. Nothing is visible outside before the commit.
 */
#include "train/feed_int.h"
#include "train/loop_int.h"

static sw_status like_buffers(const sw_loop *l, sw_tensor **out) {
  return *out || !l->buffers ? SW_OK : sw_tensor_clone(l->buffers, out);
}

sw_status swi_buffers_new(sw_loop *l, const sw_tensor *buffers) {
  if (!buffers || sw_tensor_numel(buffers) == 0) return SW_OK;
  void *writable;
  SW_TRY(sw_tensor_view(buffers, &l->buffers));
  SW_TRY(sw_tensor_writable(l->buffers, &writable));
  return like_buffers(l, &l->fresh[0]);
}

void swi_buffers_free(sw_loop *l) {
  sw_tensor_free(l->buffers);
  for (int i = 0; i < 2; i++) sw_tensor_free(l->fresh[i]);
}

sw_status swi_buffers_room(sw_loop *l) { return like_buffers(l, &l->fresh[1]); }

void swi_buffers_begin(sw_loop *l) { l->merged = 0; }

sw_status swi_buffers_point(sw_loop *l, sw_run *run) {
  l->vectors[SWI_BUFFERS] = NULL;
  run->state = NULL;
  if (!l->buffers) return SW_OK;
  sw_tensor *to = l->fresh[l->merged > 0];
  SW_TRY(sw_tensor_copy(to, l->buffers));
  l->vectors[SWI_BUFFERS] = sw_tensor_data(l->buffers);
  return sw_tensor_writable(to, &run->state);
}

/* mean += (part - mean) weight, which leaves alone what is the same in all parts. */
sw_status swi_buffers_merge(sw_loop *l, double weight) {
  void *mean, *part;
  if (!l->buffers || l->merged++ == 0) return SW_OK;
  SW_TRY(sw_tensor_writable(l->fresh[0], &mean));
  SW_TRY(sw_tensor_writable(l->fresh[1], &part));
  int64_t n = sw_tensor_numel(l->buffers);
  l->k->axpy(n, -1, mean, part);
  l->k->axpy(n, weight, part, mean);
  return SW_OK;
}

sw_status swi_buffers_commit(sw_loop *l) {
  if (!l->buffers) return SW_OK;
  return swi_is_finite(l->k, l->fresh[0]) ? sw_tensor_copy(l->buffers, l->fresh[0]) : SW_ENAN;
}
