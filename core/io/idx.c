/* idx.c: the files of the MNIST family.
 *
 * A header is trusted only if the file is as long as it says: the size of a plain file is checked
 * first, a gzipped one expands by MOST_EXPANSION at most. So elements go straight into their
 * tensor.
 */
#include "io/idx.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "io/file_int.h"
#include "io/gzip_int.h"
#include "tensor/tensor_int.h"

enum {
  UNSIGNED_BYTE = 0x08,
  LONGEST_HEADER = 4 + 4 * SW_MAX_DIMS,
  MOST_EXPANSION = 1032 /* of deflate: two bits for 258 bytes */
};

typedef struct header {
  sw_shape shape;
  int64_t bytes; /* of the header */
  int64_t whole; /* of the file, according to the header */
} header;

static int64_t big_endian(const unsigned char *b) {
  return ((int64_t)b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3];
}

static sw_status check_magic(sw_context *ctx, const unsigned char *b, int64_t size,
                             const char *name) {
  if (size < 4) {
    return sw_fail(ctx, SW_ECORRUPT, "%.300s: expected an IDX header, found %" PRId64 " bytes",
                   name, size);
  }
  if (b[0] != 0 || b[1] != 0) {
    return sw_fail(
        ctx, SW_ECORRUPT,
        "%.300s: not an IDX file: expected two zero bytes at its start, found 0x%02x 0x%02x", name,
        b[0], b[1]);
  }
  if (b[2] != UNSIGNED_BYTE) {
    return sw_fail(ctx, SW_ECORRUPT,
                   "%.300s: expected IDX elements of type 0x08 (unsigned byte), found 0x%02x", name,
                   b[2]);
  }
  if (b[3] < 1 || b[3] > SW_MAX_DIMS) {
    return sw_fail(ctx, SW_ECORRUPT, "%.300s: expected 1 to %d IDX dimensions, found %d", name,
                   SW_MAX_DIMS, b[3]);
  }
  return SW_OK;
}

/* b: the first bytes of the file, at most LONGEST_HEADER are looked at. */
static sw_status read_header(sw_context *ctx, const unsigned char *b, int64_t size,
                             const char *name, header *h) {
  SW_TRY(check_magic(ctx, b, size, name));
  h->shape.ndim = b[3];
  h->bytes = 4 + 4 * h->shape.ndim;
  if (size < h->bytes) {
    return sw_fail(ctx, SW_ECORRUPT,
                   "%.300s: cut short: expected an IDX header of %" PRId64 " bytes, found %" PRId64,
                   name, h->bytes, size);
  }
  for (int i = 0; i < h->shape.ndim; i++) h->shape.dim[i] = big_endian(b + 4 + 4 * i);
  int64_t numel;
  if (sw_shape_numel(ctx, &h->shape, &numel) != SW_OK) {
    char text[160];
    return sw_fail(ctx, SW_ECORRUPT, "%.300s: expected at most 2^46 elements, found IDX sizes %s",
                   name, sw_shape_text(&h->shape, text, sizeof text));
  }
  h->whole = h->bytes + numel;
  return SW_OK;
}

static sw_status check_length(sw_context *ctx, const header *h, int64_t size, const char *name) {
  char text[160];
  if (size == h->whole) return SW_OK;
  (void)sw_shape_text(&h->shape, text, sizeof text);
  if (size > h->whole) {
    return sw_fail(ctx, SW_ECORRUPT,
                   "%.300s: too long: for IDX sizes %s expected %" PRId64 " bytes, found more",
                   name, text, h->whole);
  }
  return sw_fail(ctx, SW_ECORRUPT,
                 "%.300s: cut short: for IDX sizes %s expected %" PRId64 " bytes, found %" PRId64,
                 name, text, h->whole, size);
}

/* The elements of a new tensor, for its maker to fill. */
static void *bytes_of(sw_tensor *t) {
  void *bytes = NULL;
  (void)sw_tensor_writable(t, &bytes); /* it is new */
  return bytes;
}

sw_status sw_idx_parse(sw_context *ctx, const void *bytes, size_t size, const char *name,
                       sw_tensor **out) {
  header h = {0};
  int64_t n = size < INT64_MAX ? (int64_t)size : INT64_MAX;
  SW_TRY(read_header(ctx, bytes, n, name, &h));
  SW_TRY(check_length(ctx, &h, n, name));
  sw_tensor *t;
  SW_TRY(sw_tensor_new(ctx, SW_U8, &h.shape, &t));
  memcpy(bytes_of(t), (const char *)bytes + h.bytes, (size_t)(h.whole - h.bytes));
  *out = t;
  return SW_OK;
}

static sw_status read_plain(sw_context *ctx, const char *path, int fd, int64_t size,
                            sw_tensor **out) {
  unsigned char first[LONGEST_HEADER];
  header h = {0};
  int64_t got;
  SW_TRY(swi_file_read(ctx, path, fd, 0, first, sizeof first, &got));
  SW_TRY(read_header(ctx, first, got, path, &h));
  SW_TRY(check_length(ctx, &h, size, path));
  sw_tensor *t;
  SW_TRY(sw_tensor_new(ctx, SW_U8, &h.shape, &t));
  sw_status st = swi_file_read(ctx, path, fd, h.bytes, bytes_of(t), h.whole - h.bytes, &got);
  if (st == SW_OK) st = check_length(ctx, &h, h.bytes + got, path); /* it may have shrunk */
  if (st != SW_OK) {
    sw_tensor_free(t);
    return st;
  }
  *out = t;
  return SW_OK;
}

/* Reads the header of the stream. */
static sw_status unpack_header(sw_context *ctx, const char *path, swi_gunzip *g, header *h) {
  unsigned char first[LONGEST_HEADER];
  int64_t got, more = 0;
  SW_TRY(swi_gunzip_read(g, first, 4, &got));
  SW_TRY(check_magic(ctx, first, got, path));
  SW_TRY(swi_gunzip_read(g, first + 4, 4 * first[3], &more));
  return read_header(ctx, first, got + more, path, h);
}

/* The stream is too short for its header: counts its bytes for the message. */
static sw_status refuse_short(sw_context *ctx, const char *path, swi_gunzip *g, const header *h) {
  unsigned char unused[4096];
  int64_t size = h->bytes, got;
  do {
    SW_TRY(swi_gunzip_read(g, unused, sizeof unused, &got));
    size += got;
  } while (got > 0);
  return check_length(ctx, h, size, path);
}

/* Reads what the header announces and one byte more, so that a file that is too long is noticed;
 * reading to the end checks the checksum. */
static sw_status unpack_elements(sw_context *ctx, const char *path, swi_gunzip *g, const header *h,
                                 sw_tensor *t) {
  unsigned char after;
  int64_t got, more = 0;
  SW_TRY(swi_gunzip_read(g, bytes_of(t), h->whole - h->bytes, &got));
  SW_TRY(swi_gunzip_read(g, &after, 1, &more));
  return check_length(ctx, h, h->bytes + got + more, path);
}

static sw_status unpack(sw_context *ctx, const char *path, swi_gunzip *g, int64_t file_size,
                        sw_tensor **out) {
  header h = {0};
  SW_TRY(unpack_header(ctx, path, g, &h));
  if (h.whole / MOST_EXPANSION > file_size) return refuse_short(ctx, path, g, &h);
  sw_tensor *t;
  SW_TRY(swi_tensor_empty(ctx, SW_U8, &h.shape, 0, &t));
  sw_status st = unpack_elements(ctx, path, g, &h, t);
  if (st == SW_OK)
    *out = t;
  else
    sw_tensor_free(t);
  return st;
}

static sw_status read_gzip(sw_context *ctx, const char *path, int fd, int64_t size,
                           sw_tensor **out) {
  swi_gunzip *g;
  SW_TRY(swi_gunzip_open(ctx, path, fd, &g));
  sw_status st = unpack(ctx, path, g, size, out);
  swi_gunzip_close(g);
  return st;
}

sw_status sw_idx_read(sw_context *ctx, const char *path, sw_tensor **out) {
  unsigned char magic[2] = {0, 0};
  int fd;
  int64_t size, got;
  SW_TRY(swi_file_open(ctx, path, &fd, &size));
  sw_status st = swi_file_read(ctx, path, fd, 0, magic, sizeof magic, &got);
  if (st == SW_OK) {
    int gzipped = magic[0] == 0x1f && magic[1] == 0x8b; /* whatever the name says */
    st = gzipped ? read_gzip(ctx, path, fd, size, out) : read_plain(ctx, path, fd, size, out);
  }
  (void)close(fd);
  return st;
}

static sw_status make_header(const sw_tensor *t, const char *path, unsigned char *b) {
  sw_context *ctx = sw_tensor_context(t);
  const sw_shape *s = sw_tensor_shape(t);
  if (sw_tensor_dtype(t) != SW_U8) {
    return sw_fail(ctx, SW_EDTYPE, "%.300s: IDX is written from uint8, got %s; convert it first",
                   path, sw_dtype_name(sw_tensor_dtype(t)));
  }
  if (s->ndim < 1)
    return sw_fail(ctx, SW_ESHAPE, "%.300s: IDX has no scalars; reshape to (1)", path);
  b[0] = b[1] = 0;
  b[2] = UNSIGNED_BYTE;
  b[3] = (unsigned char)s->ndim;
  for (int i = 0; i < s->ndim; i++) {
    if (s->dim[i] > UINT32_MAX) {
      return sw_fail(ctx, SW_ERANGE, "%.300s: size %" PRId64 " of axis %d is too large for IDX",
                     path, s->dim[i], i + 1);
    }
    for (int k = 0; k < 4; k++) b[4 + 4 * i + k] = (unsigned char)(s->dim[i] >> (24 - 8 * k));
  }
  return SW_OK;
}

static int ends_in_gz(const char *path) {
  size_t n = strlen(path);
  return n >= 3 && strcmp(path + n - 3, ".gz") == 0;
}

sw_status sw_idx_write(const sw_tensor *t, const char *path) {
  unsigned char head[LONGEST_HEADER];
  SW_TRY(make_header(t, path, head));
  sw_tensor *flat;
  SW_TRY(sw_tensor_contiguous(t, &flat));
  const swi_part parts[] = {{head, 4 + 4 * sw_tensor_shape(t)->ndim},
                            {sw_tensor_data(flat), sw_tensor_numel(flat)}};
  swi_writer w;
  sw_status st = swi_writer_open(&w, sw_tensor_context(t), path);
  if (st == SW_OK) {
    if (ends_in_gz(path)) {
      st = swi_gzip_put(&w, parts, 2);
    } else {
      for (int i = 0; i < 2 && st == SW_OK; i++)
        st = swi_writer_put(&w, parts[i].bytes, parts[i].n);
    }
    st = swi_writer_end(&w, st);
  }
  sw_tensor_free(flat);
  return st;
}
