/* gzip_int.h: gzip streams to and from files, through zlib, with the core's allocator.
 *
 * Reading is strict: checksums are verified, a stream cut short and bytes after it are refused;
 * several members in a row are one stream, as gzip defines.
 */
#ifndef SW_GZIP_INT_H
#define SW_GZIP_INT_H

#include "io/file_int.h"

typedef struct swi_gunzip swi_gunzip;

/* fd stays the caller's; it and path must outlive the reader. */
sw_status swi_gunzip_open(sw_context *ctx, const char *path, int fd, swi_gunzip **out);
/* Fills n bytes, fewer only at the end of a stream whose checksum is right. SW_ECORRUPT, SW_EIO. */
sw_status swi_gunzip_read(swi_gunzip *g, void *to, int64_t n, int64_t *got);
void swi_gunzip_close(swi_gunzip *g);

/* Writes the parts one after another as one stream; the same bytes give the same file. */
typedef struct swi_part {
  const void *bytes;
  int64_t n;
} swi_part;

sw_status swi_gzip_put(swi_writer *w, const swi_part *parts, int n_parts);

#endif
