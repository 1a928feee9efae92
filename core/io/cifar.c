/* cifar.c: the binary files of CIFAR-10 and CIFAR-100.
 *
 * The planes of an image are interleaved to pixels while a block of records is in the cache.
 */
#include "io/cifar.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/alloc_int.h"
#include "io/file_int.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE, BLOCK = 64 };

typedef struct form {
  const char *name;
  int labels;     /* bytes before the image */
  int classes[2]; /* of each */
} form;

static const form forms[] = {{"CIFAR-10", 1, {10, 0}}, {"CIFAR-100", 2, {20, 100}}};

typedef struct reader {
  sw_context *ctx;
  const char *path;
  const form *form;
  int fd;
  int64_t records;
  uint8_t *x, *y;
  uint8_t *block; /* BLOCK records */
} reader;

static int64_t record_bytes(const form *f) { return f->labels + IMAGE; }

static sw_status check_size(sw_context *ctx, const char *path, const form *f, int64_t size) {
  int64_t record = record_bytes(f), part = size % record;
  if (size == 0)
    return sw_fail(ctx, SW_ECORRUPT, "%.300s: empty: expected records of %" PRId64 " bytes, as %s",
                   path, record, f->name);
  if (part == 0) return SW_OK;
  return sw_fail(ctx, SW_ECORRUPT,
                 "%.300s: cut short or not %s: expected records of %" PRId64
                 " bytes, found %" PRId64 " of them and %" PRId64 " bytes more",
                 path, f->name, record, size / record, part);
}

/* Checks and copies the labels of record i. */
static sw_status take_labels(const reader *r, int64_t i, const uint8_t *from) {
  for (int k = 0; k < r->form->labels; k++) {
    int label = from[k], classes = r->form->classes[k];
    if (label >= classes)
      return sw_fail(r->ctx, SW_ECORRUPT,
                     "%.300s: not %s: record %" PRId64 " has %s %d, expected 0 to %d", r->path,
                     r->form->name, i + 1,
                     r->form->labels == 2 && k == 0 ? "coarse label" : "label", label, classes - 1);
    r->y[i * r->form->labels + k] = from[k];
  }
  return SW_OK;
}

static void take_image(const uint8_t *restrict planes, uint8_t *restrict to) {
  for (int i = 0; i < PLANE; i++, to += 3) {
    to[0] = planes[i];
    to[1] = planes[i + PLANE];
    to[2] = planes[i + 2 * PLANE];
  }
}

static sw_status read_block(const reader *r, int64_t first, int64_t n) {
  int64_t record = record_bytes(r->form), got;
  SW_TRY(swi_file_read(r->ctx, r->path, r->fd, first * record, r->block, n * record, &got));
  if (got != n * record)
    return sw_fail(r->ctx, SW_ECORRUPT, "%.300s: cut short while it was read", r->path);
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *from = r->block + i * record;
    SW_TRY(take_labels(r, first + i, from));
    take_image(from + r->form->labels, r->x + (first + i) * IMAGE);
  }
  return SW_OK;
}

static sw_status read_records(reader *r) {
  size_t bytes = (size_t)(BLOCK * record_bytes(r->form));
  sw_status st = SW_OK;
  r->block = swi_alloc(r->ctx, bytes);
  if (!r->block) return SW_ENOMEM;
  for (int64_t first = 0; st == SW_OK && first < r->records; first += BLOCK)
    st = read_block(r, first, BLOCK < r->records - first ? BLOCK : r->records - first);
  swi_free(r->ctx, r->block, bytes);
  return st;
}

static sw_status new_tensors(reader *r, sw_tensor **x, sw_tensor **y) {
  sw_shape images = sw_shape_of(4, (int64_t[]){r->records, SIDE, SIDE, 3});
  sw_shape labels = sw_shape_of(2, (int64_t[]){r->records, r->form->labels});
  void *bytes[2] = {NULL, NULL};
  SW_TRY(sw_tensor_new(r->ctx, SW_U8, &images, x));
  SW_TRY(sw_tensor_new(r->ctx, SW_U8, &labels, y));
  (void)sw_tensor_writable(*x, &bytes[0]); /* writable: they are new */
  (void)sw_tensor_writable(*y, &bytes[1]);
  r->x = bytes[0];
  r->y = bytes[1];
  return SW_OK;
}

sw_status sw_cifar_read(sw_context *ctx, const char *path, sw_cifar kind, sw_tensor **x,
                        sw_tensor **y) {
  reader r = {.ctx = ctx, .path = path, .form = &forms[kind]};
  sw_tensor *images = NULL, *labels = NULL;
  int64_t size;
  SW_TRY(swi_file_open(ctx, path, &r.fd, &size));
  r.records = size / record_bytes(r.form);
  sw_status st = check_size(ctx, path, r.form, size);
  if (st == SW_OK) st = new_tensors(&r, &images, &labels);
  if (st == SW_OK) st = read_records(&r);
  (void)close(r.fd);
  if (st == SW_OK) {
    *x = images;
    *y = labels;
    return SW_OK;
  }
  sw_tensor_free(images);
  sw_tensor_free(labels);
  return st;
}
