/* safetensors_write.c: a file of named tensors, whole or not at all.
 *
 * The header lists tensors in the order given; their bytes follow by falling element size, so that
 * each is aligned to its elements although the format allows no gaps between them.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/alloc_int.h"
#include "io/file_int.h"
#include "io/safetensors_int.h"

typedef struct job {
  sw_context *ctx;
  const char *path;
  const sw_named_tensor *tensors;
  int n_tensors;
  const sw_pair *metadata;
  int n_metadata;
} job;

static const int widths[] = {8, 4, 1};

enum { N_WIDTHS = sizeof widths / sizeof widths[0] };

static const char *const type_names[SW_DTYPE_COUNT] = {
    [SW_F32] = "F32", [SW_F64] = "F64", [SW_I32] = "I32", [SW_U8] = "U8"};

static int width_of(const sw_tensor *t) { return sw_dtype_bytes(sw_tensor_dtype(t)); }

static sw_status no_memory(const job *j) {
  return sw_fail(j->ctx, SW_ENOMEM, "%.300s: no memory for the header", j->path);
}

/* offset[i]: where the bytes of tensor i start in the data. */
static sw_status place(const job *j, int64_t *offset) {
  int64_t at = 0;
  for (int k = 0; k < N_WIDTHS; k++) {
    for (int i = 0; i < j->n_tensors; i++) {
      const sw_tensor *t = j->tensors[i].tensor;
      if (width_of(t) != widths[k]) continue;
      offset[i] = at;
      if (__builtin_add_overflow(at, sw_tensor_numel(t) * widths[k], &at)) {
        return sw_fail(j->ctx, SW_ERANGE, "%.300s: tensors too large for a file", j->path);
      }
    }
  }
  return SW_OK;
}

static json_t *describe(const sw_tensor *t, int64_t offset) {
  const sw_shape *s = sw_tensor_shape(t);
  json_t *shape = json_array();
  for (int i = 0; i < s->ndim; i++) {
    (void)json_array_append_new(shape, json_integer(s->dim[i]));
  }
  json_int_t end = offset + sw_tensor_numel(t) * width_of(t);
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_names[sw_tensor_dtype(t)], "shape", shape,
                   "data_offsets", (json_int_t)offset, end);
}

/* Takes ownership of value. what: "tensor", "metadata". */
static sw_status add(const job *j, json_t *object, const char *what, const char *key,
                     json_t *value) {
  sw_status st = SW_OK;
  if (json_object_get(object, key) != NULL) {
    st = sw_fail(j->ctx, SW_EARG, "%.300s: %s \"%.80s\" is given twice", j->path, what, key);
  } else if (value == NULL || json_object_set(object, key, value) != 0) {
    st = sw_fail(j->ctx, SW_EARG, "%.300s: %s \"%.80s\" is not valid UTF-8", j->path, what, key);
  }
  json_decref(value);
  return st;
}

static sw_status add_metadata(const job *j, json_t *root) {
  if (j->n_metadata == 0) return SW_OK;
  json_t *object = json_object();
  if (object == NULL || json_object_set_new(root, SWI_ST_METADATA, object) != 0)
    return no_memory(j);
  for (int i = 0; i < j->n_metadata; i++) {
    sw_pair p = j->metadata[i];
    SW_TRY(add(j, object, "metadata", p.key, json_string(p.value)));
  }
  return SW_OK;
}

static sw_status add_tensors(const job *j, json_t *root, const int64_t *offset) {
  for (int i = 0; i < j->n_tensors; i++) {
    sw_named_tensor t = j->tensors[i];
    if (strcmp(t.name, SWI_ST_METADATA) == 0) {
      return sw_fail(j->ctx, SW_EARG, "%.300s: no tensor may be named " SWI_ST_METADATA, j->path);
    }
    SW_TRY(add(j, root, "tensor", t.name, describe(t.tensor, offset[i])));
  }
  return SW_OK;
}

/* Length, JSON, spaces up to the alignment. */
static sw_status put_header(const job *j, swi_writer *w, const json_t *root) {
  size_t json = json_dumpb(root, NULL, 0, JSON_COMPACT);
  if (json == 0) return no_memory(j);
  size_t whole = (SWI_ST_PREFIX + json + SWI_ST_ALIGN - 1) / SWI_ST_ALIGN * SWI_ST_ALIGN;
  uint64_t length = whole - SWI_ST_PREFIX;
  if (length > SWI_ST_LONGEST) {
    return sw_fail(j->ctx, SW_ERANGE,
                   "%.300s: header of %" PRIu64 " bytes, at most %d are possible", j->path, length,
                   SWI_ST_LONGEST);
  }
  char *text = swi_alloc(j->ctx, whole);
  if (text == NULL) return SW_ENOMEM;
  memset(text, ' ', whole);
  memcpy(text, &length, sizeof length);
  (void)json_dumpb(root, text + SWI_ST_PREFIX, json, JSON_COMPACT);
  sw_status st = swi_writer_put(w, text, (int64_t)whole);
  swi_free(j->ctx, text, whole);
  return st;
}

static sw_status put_tensor(swi_writer *w, const sw_tensor *t) {
  sw_tensor *flat;
  SW_TRY(sw_tensor_contiguous(t, &flat));
  sw_status st = swi_writer_put(w, sw_tensor_data(flat), sw_tensor_numel(flat) * width_of(flat));
  sw_tensor_free(flat);
  return st;
}

static sw_status put_all(const job *j, swi_writer *w, const json_t *root) {
  SW_TRY(put_header(j, w, root));
  for (int k = 0; k < N_WIDTHS; k++) {
    for (int i = 0; i < j->n_tensors; i++) {
      const sw_tensor *t = j->tensors[i].tensor;
      if (width_of(t) == widths[k]) SW_TRY(put_tensor(w, t));
    }
  }
  return SW_OK;
}

static sw_status write_file(const job *j, const json_t *root) {
  swi_writer w;
  SW_TRY(swi_writer_open(&w, j->ctx, j->path));
  return swi_writer_end(&w, put_all(j, &w, root));
}

sw_status sw_safetensors_write(sw_context *ctx, const char *path, const sw_named_tensor *tensors,
                               int n_tensors, const sw_pair *metadata, int n_metadata) {
  const job j = {ctx, path, tensors, n_tensors, metadata, n_metadata};
  size_t size = (size_t)n_tensors * sizeof(int64_t);
  int64_t *offset = swi_alloc(ctx, size);
  if (offset == NULL) return SW_ENOMEM;
  json_t *root = json_object();
  sw_status st = root == NULL ? no_memory(&j) : place(&j, offset);
  if (st == SW_OK) st = add_metadata(&j, root);
  if (st == SW_OK) st = add_tensors(&j, root, offset);
  if (st == SW_OK) st = write_file(&j, root);
  json_decref(root);
  swi_free(ctx, offset, size);
  return st;
}
