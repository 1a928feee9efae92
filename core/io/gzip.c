/* gzip.c: zlib's streams, read from and written to files. */
#include "io/gzip_int.h"

#include <inttypes.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc_int.h"

enum { BUFFER = 1 << 16, GZIP_WINDOW = 15 + 16, HEADROOM = 64, STEP = 1 << 30 };

/* zlib frees without a size, so the size is stored in front of the block. */
static void *z_allocate(void *ctx, unsigned items, unsigned size) {
  size_t whole = (size_t)items * size + HEADROOM;
  size_t *block = swi_alloc(ctx, whole);
  if (block == NULL) return NULL;
  *block = whole;
  return (char *)block + HEADROOM;
}

static void z_release(void *ctx, void *p) {
  size_t *block = (size_t *)(void *)((char *)p - HEADROOM);
  swi_free(ctx, block, *block);
}

struct swi_gunzip {
  sw_context *ctx;
  const char *path;
  int fd;
  int ended; /* the last member is done and verified */
  int64_t offset;
  z_stream z;
  unsigned char in[BUFFER];
};

sw_status swi_gunzip_open(sw_context *ctx, const char *path, int fd, swi_gunzip **out) {
  swi_gunzip *g = swi_alloc_zeroed(ctx, sizeof *g);
  if (g == NULL) return SW_ENOMEM;
  g->ctx = ctx;
  g->path = path;
  g->fd = fd;
  g->z = (z_stream){.zalloc = z_allocate, .zfree = z_release, .opaque = ctx};
  if (inflateInit2(&g->z, GZIP_WINDOW) != Z_OK) {
    swi_free(ctx, g, sizeof *g);
    return SW_ENOMEM;
  }
  *out = g;
  return SW_OK;
}

void swi_gunzip_close(swi_gunzip *g) {
  if (g == NULL) return;
  (void)inflateEnd(&g->z);
  swi_free(g->ctx, g, sizeof *g);
}

/* More input, if there is any. */
static sw_status refill(swi_gunzip *g) {
  int64_t got;
  if (g->z.avail_in > 0) return SW_OK;
  SW_TRY(swi_file_read(g->ctx, g->path, g->fd, g->offset, g->in, BUFFER, &got));
  g->offset += got;
  g->z.next_in = g->in;
  g->z.avail_in = (unsigned)got;
  return SW_OK;
}

/* After a member: the end of the file, or another member. */
static sw_status next_member(swi_gunzip *g) {
  SW_TRY(refill(g));
  if (g->z.avail_in == 0) {
    g->ended = 1;
    return SW_OK;
  }
  if (g->z.next_in[0] != 0x1f) {
    return sw_fail(g->ctx, SW_ECORRUPT,
                   "%.300s: expected the file to end with its gzip stream, found more bytes",
                   g->path);
  }
  return inflateReset(&g->z) == Z_OK ? SW_OK : SW_ENOMEM;
}

static sw_status inflate_some(swi_gunzip *g) {
  SW_TRY(refill(g));
  if (g->z.avail_in == 0) {
    return sw_fail(g->ctx, SW_ECORRUPT,
                   "%.300s: gzip stream cut short: expected more than the %" PRId64
                   " bytes found; fetch the file again",
                   g->path, g->offset);
  }
  int r = inflate(&g->z, Z_NO_FLUSH);
  if (r == Z_STREAM_END) return next_member(g);
  if (r == Z_OK || r == Z_BUF_ERROR) return SW_OK;
  if (r == Z_MEM_ERROR) return SW_ENOMEM;
  return sw_fail(g->ctx, SW_ECORRUPT, "%.300s: bad gzip stream near byte %" PRId64 ": %s", g->path,
                 g->offset - g->z.avail_in, g->z.msg != NULL ? g->z.msg : "needs a dictionary");
}

sw_status swi_gunzip_read(swi_gunzip *g, void *to, int64_t n, int64_t *got) {
  int64_t done = 0;
  while (done < n && !g->ended) {
    unsigned step = (unsigned)(n - done < STEP ? n - done : STEP);
    g->z.next_out = (unsigned char *)to + done;
    g->z.avail_out = step;
    SW_TRY(inflate_some(g));
    done += step - g->z.avail_out;
  }
  *got = done;
  return SW_OK;
}

/* Deflates what is in z's input and writes it out; with Z_FINISH to the last byte. */
static sw_status deflate_all(swi_writer *w, z_stream *z, unsigned char *out, int flush) {
  do {
    z->next_out = out;
    z->avail_out = BUFFER;
    (void)deflate(z, flush); /* cannot fail: the state is valid and there is room */
    SW_TRY(swi_writer_put(w, out, BUFFER - (int64_t)z->avail_out));
  } while (z->avail_out == 0);
  return SW_OK;
}

static sw_status deflate_part(swi_writer *w, z_stream *z, unsigned char *out, swi_part part) {
  const unsigned char *at = part.bytes;
  for (int64_t left = part.n; left > 0;) {
    unsigned step = (unsigned)(left < STEP ? left : STEP);
    z->next_in = at;
    z->avail_in = step;
    SW_TRY(deflate_all(w, z, out, Z_NO_FLUSH));
    at += step;
    left -= step;
  }
  return SW_OK;
}

sw_status swi_gzip_put(swi_writer *w, const swi_part *parts, int n_parts) {
  z_stream z = {.zalloc = z_allocate, .zfree = z_release, .opaque = w->ctx};
  unsigned char *out = swi_alloc(w->ctx, BUFFER);
  if (out == NULL) return SW_ENOMEM;
  sw_status st = SW_ENOMEM;
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) ==
      Z_OK) {
    st = SW_OK;
    for (int i = 0; i < n_parts && st == SW_OK; i++) st = deflate_part(w, &z, out, parts[i]);
    if (st == SW_OK) st = deflate_all(w, &z, out, Z_FINISH);
    (void)deflateEnd(&z);
  }
  swi_free(w->ctx, out, BUFFER);
  return st;
}
