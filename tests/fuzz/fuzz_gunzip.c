/* fuzz_gunzip.c: gzip streams, read in pieces of a size that the first byte chooses, up to a limit
 * as downloads have. */
#include <fcntl.h>

#include "fuzz.h"
#include "io/gzip_int.h"

enum { LIMIT = 1 << 20, PIECE = 4096 };

static sw_status read_all(swi_gunzip *g, int64_t piece) {
  static unsigned char to[PIECE];
  int64_t got = piece;
  sw_status st = SW_OK;
  for (int64_t all = 0; st == SW_OK && got == piece && all < LIMIT; all += got) {
    st = swi_gunzip_read(g, to, piece, &got);
    if (st == SW_OK && (got < 0 || got > piece)) abort();
  }
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  sw_context *ctx = fuzz_context();
  const char *path = fuzz_file(data + 1, size - 1);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) abort();
  swi_gunzip *g = NULL;
  sw_status st = swi_gunzip_open(ctx, path, fd, &g);
  if (st == SW_OK) st = read_all(g, 1 + 16 * (int64_t)data[0]);
  swi_gunzip_close(g);
  (void)close(fd);
  fuzz_end(ctx, st);
  return 0;
}
