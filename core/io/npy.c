/* npy.c: one array in a file. */
#include "io/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/file_int.h"
#include "io/npy_int.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "npy files need a little-endian host");

enum {
  PREFIX = 8,            /* magic and version */
  LONGEST_HEADER = 8192, /* NumPy's own limit is 10000; ours hold three short entries */
  ALIGN = 64
};

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

typedef struct file {
  sw_context *ctx;
  const char *path;
  int fd;
  int64_t size, data; /* of the file; where the elements begin */
  swi_npy_header header;
} file;

static sw_status check_magic(const file *f, const unsigned char *b, int64_t got) {
  if (got < PREFIX + 4 || memcmp(b, magic, sizeof magic) != 0) {
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.300s: not an npy file: it does not begin with \\x93NUMPY and a header",
                   f->path);
  }
  if (b[6] < 1 || b[6] > 3 || b[7] != 0) {
    return sw_fail(f->ctx, SW_EUNSUPPORTED, "%.300s: npy version %d.%d; 1.0, 2.0 and 3.0 are read",
                   f->path, b[6], b[7]);
  }
  return SW_OK;
}

static sw_status read_header(file *f) {
  unsigned char b[PREFIX + 4 + LONGEST_HEADER];
  int64_t got;
  SW_TRY(swi_file_read(f->ctx, f->path, f->fd, 0, b, sizeof b, &got));
  SW_TRY(check_magic(f, b, got));
  int64_t prefix = b[6] == 1 ? PREFIX + 2 : PREFIX + 4, length = b[8] | b[9] << 8;
  if (b[6] > 1) length |= (int64_t)b[10] << 16 | (int64_t)b[11] << 24;
  if (length > LONGEST_HEADER) {
    return sw_fail(f->ctx, SW_EUNSUPPORTED, "%.300s: an npy header of %" PRId64 " bytes", f->path,
                   length);
  }
  if (prefix + length > got) {
    return sw_fail(f->ctx, SW_ECORRUPT,
                   "%.300s: cut short: expected an npy header of %" PRId64 " bytes, found %" PRId64,
                   f->path, length, got - prefix);
  }
  f->data = prefix + length;
  return swi_npy_parse_header(f->ctx, f->path, (const char *)b + prefix, length, &f->header);
}

static int64_t data_bytes(const file *f) {
  int64_t numel = 0;
  (void)sw_shape_numel(f->ctx, &f->header.shape, &numel); /* was checked */
  return numel * swi_element_bytes(f->header.type);
}

static sw_status check_length(const file *f, int64_t found) {
  char text[160];
  int64_t expected = data_bytes(f);
  if (found == expected) return SW_OK;
  return sw_fail(f->ctx, SW_ECORRUPT,
                 "%.300s: %s: for shape %s expected %" PRId64 " bytes of elements, found %" PRId64,
                 f->path, found < expected ? "cut short" : "too long",
                 sw_shape_text(&f->header.shape, text, sizeof text), expected, found);
}

static sw_status fetch(const void *arg, int64_t offset, int64_t bytes, void *to) {
  const file *f = arg;
  int64_t got;
  SW_TRY(swi_file_read(f->ctx, f->path, f->fd, f->data + offset, to, bytes, &got));
  return got == bytes ? SW_OK : check_length(f, offset + got); /* it may have shrunk */
}

static sw_status fill(const file *f, sw_tensor *t) {
  char where[304];
  void *to = NULL;
  SW_TRY(sw_tensor_writable(t, &to));
  (void)snprintf(where, sizeof where, "%.300s", f->path);
  return swi_elements_read(f->ctx, where, f->header.type, f->header.big_endian, sw_tensor_numel(t),
                           fetch, f, to);
}

/* Reverses the axes and makes the result contiguous; takes ownership of t in any case. */
static sw_status reverse_axes(sw_tensor *t, sw_tensor **out) {
  int n = sw_tensor_shape(t)->ndim;
  sw_status st = SW_OK;
  for (int i = 0; i < n / 2 && st == SW_OK; i++) {
    sw_tensor *swapped = NULL;
    st = sw_tensor_transpose(t, i, n - 1 - i, &swapped);
    if (st != SW_OK) break;
    sw_tensor_free(t);
    t = swapped;
  }
  if (st == SW_OK) st = sw_tensor_contiguous(t, out);
  sw_tensor_free(t);
  return st;
}

static sw_status read_tensor(file *f, sw_tensor **out) {
  SW_TRY(read_header(f));
  SW_TRY(check_length(f, f->size - f->data));
  const swi_npy_header *h = &f->header;
  sw_shape shape = h->shape;
  for (int i = 0; h->fortran_order && i < shape.ndim; i++) {
    shape.dim[i] = h->shape.dim[shape.ndim - 1 - i];
  }
  sw_tensor *t;
  SW_TRY(sw_tensor_new(f->ctx, swi_element_dtype(h->type), &shape, &t));
  sw_status st = fill(f, t);
  if (st == SW_OK && h->fortran_order) return reverse_axes(t, out);
  if (st != SW_OK) {
    sw_tensor_free(t);
    return st;
  }
  *out = t;
  return SW_OK;
}

sw_status sw_npy_read(sw_context *ctx, const char *path, sw_tensor **out) {
  file f = {.ctx = ctx, .path = path};
  SW_TRY(swi_file_open(ctx, path, &f.fd, &f.size));
  sw_status st = read_tensor(&f, out);
  (void)close(f.fd);
  return st;
}

/* ---- writing */

/* "(2, 3)", with Python's comma in "(2,)". */
static void shape_words(const sw_shape *s, char *text, size_t size) {
  (void)sw_shape_text(s, text, size);
  if (s->ndim != 1) return;
  (void)snprintf(text, size, "(%" PRId64 ",)", s->dim[0]);
}

/* Blanks and a newline fill it up, so that the elements begin at a multiple of 64. Returns its
 * length. */
static int make_header(const sw_tensor *t, unsigned char *b, size_t size) {
  static const char *const descr[SW_DTYPE_COUNT] = {
      [SW_F32] = "<f4", [SW_F64] = "<f8", [SW_I32] = "<i4", [SW_U8] = "|u1"};
  char shape[160];
  shape_words(sw_tensor_shape(t), shape, sizeof shape);
  int n = PREFIX + 2;
  n += snprintf((char *)b + n, size - (size_t)n,
                "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr[sw_tensor_dtype(t)],
                shape);
  int whole = (n + 1 + ALIGN - 1) / ALIGN * ALIGN;
  memset(b + n, ' ', (size_t)(whole - n));
  b[whole - 1] = '\n';
  memcpy(b, magic, sizeof magic);
  b[6] = 1;
  b[7] = 0;
  b[8] = (unsigned char)((whole - PREFIX - 2) & 0xff);
  b[9] = (unsigned char)((whole - PREFIX - 2) >> 8);
  return whole;
}

static sw_status write_file(const sw_tensor *t, const char *path) {
  unsigned char header[512];
  int n = make_header(t, header, sizeof header - ALIGN);
  swi_writer w;
  SW_TRY(swi_writer_open(&w, sw_tensor_context(t), path));
  sw_status st = swi_writer_put(&w, header, n);
  if (st == SW_OK) {
    int64_t bytes = sw_tensor_numel(t) * sw_dtype_bytes(sw_tensor_dtype(t));
    st = swi_writer_put(&w, sw_tensor_data(t), bytes);
  }
  return swi_writer_end(&w, st);
}

sw_status sw_npy_write(const sw_tensor *t, const char *path) {
  sw_tensor *dense;
  SW_TRY(sw_tensor_contiguous(t, &dense));
  sw_status st = write_file(dense, path);
  sw_tensor_free(dense);
  return st;
}
