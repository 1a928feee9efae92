/* sha256.h: the SHA-256 digest (FIPS 180-4) of bytes and of files, as 64 hexadecimal digits. */
#ifndef SW_SHA256_H
#define SW_SHA256_H

#include "base/context.h"

enum { SW_SHA256_TEXT = 65 }; /* characters, with the 0 at the end */

SW_API void sw_sha256(const void *bytes, size_t size, char text[SW_SHA256_TEXT]);

/* Of a regular file, read in parts. SW_EIO. */
SW_API sw_status sw_sha256_file(sw_context *ctx, const char *path, char text[SW_SHA256_TEXT]);

#endif
