/* safetensors_check.h: for the tests of safetensors: files of any header, a sample of tensors. */
#ifndef SW_SAFETENSORS_CHECK_H
#define SW_SAFETENSORS_CHECK_H

#include "file_check.h"
#include "io/safetensors.h"

static inline sw_status open_file(const char *name, int mapped, sw_safetensors **f) {
  return sw_safetensors_open(ctx, path_of(name), mapped, f);
}

/* Opens the file and reads every tensor of it, each element. */
static inline sw_status read_all(const char *name, int mapped) {
  sw_safetensors *f;
  SW_TRY(open_file(name, mapped, &f));
  sw_status st = SW_OK;
  for (int i = 0; i < sw_safetensors_count(f) && st == SW_OK; i++) {
    sw_tensor *t, *d;
    st = sw_safetensors_tensor(f, i, &t);
    if (st != SW_OK) break;
    st = sw_tensor_to(t, SW_F64, &d);
    if (st == SW_OK) sw_tensor_free(d);
    sw_tensor_free(t);
  }
  sw_safetensors_close(f);
  return st;
}

/* A file of this header, unpadded, and so many bytes 0, 1, 2, … */
static inline void write_file(const char *name, const char *header, size_t data) {
  unsigned char bytes[2000];
  uint64_t length = strlen(header);
  assert_true(8 + length + data <= sizeof bytes);
  memcpy(bytes, &length, 8);
  for (size_t i = 0; i < length; i++) bytes[8 + i] = (unsigned char)header[i];
  for (size_t i = 0; i < data; i++) bytes[8 + length + i] = (unsigned char)i;
  write_bytes(name, bytes, 8 + length + data);
}

static inline sw_status read_of(const char *header, size_t data) {
  write_file("x", header, data);
  sw_status st = read_all("x", 0);
  assert_int_equal(read_all("x", 1), st);
  return st;
}

/* bytes (U8, 3), weights (F64, 2x2), a transposed view (F32, 3x2), labels (I32, 2), none (F32,
 * 0) */
typedef struct sample {
  sw_tensor *bytes, *weights, *square, *swapped, *labels, *none;
  sw_named_tensor named[5];
} sample;

static const sw_pair metadata[] = {{"step", "12"}, {"note", "\"quoted\" \xc3\xa9"}};

static inline void make_sample(sample *s) {
  s->bytes = counted(SW_U8, DIMS(3));
  s->weights = counted(SW_F64, DIMS(2, 2));
  s->square = counted(SW_F32, DIMS(2, 3));
  s->swapped = transposed(s->square);
  s->labels = counted(SW_I32, DIMS(2));
  s->none = new_tensor(SW_F32, DIMS(0));
  const sw_named_tensor named[] = {{"bytes", s->bytes},
                                   {"model.weights", s->weights},
                                   {"swapped \"\xc3\xa9\"", s->swapped},
                                   {"labels", s->labels},
                                   {"none", s->none}};
  memcpy(s->named, named, sizeof named);
}

static inline void free_sample(sample *s) {
  sw_tensor *all[] = {s->bytes, s->weights, s->square, s->swapped, s->labels, s->none};
  for (int i = 0; i < 6; i++) sw_tensor_free(all[i]);
}

static inline sw_status write_sample(const sample *s, const char *path) {
  return sw_safetensors_write(ctx, path, s->named, 5, metadata, 2);
}

#endif
