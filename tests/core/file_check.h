/* file_check.h: for tests that write files: each gets a folder of its own, removed afterwards. */
#ifndef SW_FILE_CHECK_H
#define SW_FILE_CHECK_H

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tensor_check.h"

static char folder[256];

static inline int file_setup(void **state) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(folder, sizeof folder, "%s/swale-test-XXXXXX", base != NULL ? base : P_tmpdir);
  return mkdtemp(folder) == NULL ? -1 : setup(state);
}

/* A path in the folder; valid until the fourth call from now. */
static inline const char *path_of(const char *name) {
  static char paths[4][600];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline int file_teardown(void **state) {
  DIR *d = opendir(folder);
  for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
    if (e->d_name[0] != '.') (void)unlink(path_of(e->d_name));
  }
  if (d != NULL) (void)closedir(d);
  int left = rmdir(folder);
  return teardown(state) != 0 || left != 0 ? -1 : 0;
}

static inline void write_bytes(const char *name, const void *bytes, size_t n) {
  (void)unlink(path_of(name)); /* otherwise some file systems sync on close: 20 s, not 1 */
  FILE *f = fopen(path_of(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

/* The whole file; the caller frees it with test_free. */
static inline unsigned char *read_bytes(const char *name, size_t *n) {
  FILE *f = fopen(path_of(name), "rb");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  *n = (size_t)ftell(f);
  rewind(f);
  unsigned char *bytes = test_malloc(*n + 1);
  assert_int_equal(fread(bytes, 1, *n, f), *n);
  assert_int_equal(fclose(f), 0);
  return bytes;
}

static inline void assert_holds(const char *name, const void *expected, size_t n) {
  size_t m;
  unsigned char *bytes = read_bytes(name, &m);
  assert_int_equal(m, n);
  assert_memory_equal(bytes, expected, n);
  test_free(bytes);
}

/* Checks that the folder holds this file alone. */
static inline void assert_only_file(const char *name) {
  DIR *d = opendir(folder);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    if (e->d_name[0] != '.') assert_string_equal(e->d_name, name);
  }
  assert_int_equal(closedir(d), 0);
}

static inline void check_no_temporary_files(void) {
  DIR *d = opendir(folder);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d)) != NULL;) assert_null(strstr(e->d_name, ".tmp."));
  assert_int_equal(closedir(d), 0);
}

/* Makes writes beyond so many bytes fail and raise SIGXFSZ; 0: removes the limit. */
static inline void limit_file_size(rlim_t bytes) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = bytes != 0 ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, file_setup, file_teardown)

#endif
