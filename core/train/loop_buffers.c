/* loop_buffers.c: params that a step gives new values.
 *
 * A run reads the newest values and leaves others, both whole: what no output writes is copied
 * before. Parts of a batch take turns between two vectors. Nothing is seen outside until the step
 * commits.
 */
#include "train/feed.h"
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

void swi_buffers_begin(sw_loop *l) { l->newest = NULL; }

sw_status swi_buffers_point(sw_loop *l, sw_run *run) {
  l->vectors[SWI_BUFFERS] = NULL;
  run->state = NULL;
  if (!l->buffers) return SW_OK;
  const sw_tensor *from = l->newest ? l->newest : l->buffers;
  sw_tensor *to = l->newest == l->fresh[0] ? l->fresh[1] : l->fresh[0];
  SW_TRY(sw_tensor_copy(to, from));
  l->vectors[SWI_BUFFERS] = sw_tensor_data(from);
  l->newest = to;
  return sw_tensor_writable(to, &run->state);
}

sw_status swi_buffers_commit(sw_loop *l) {
  return l->buffers ? sw_tensor_copy(l->buffers, l->newest) : SW_OK;
}
