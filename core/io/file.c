/* file.c: files read, and written whole or not at all. */
#include "io/file_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc_int.h"

sw_status swi_file_fail(sw_context *ctx, const char *path, const char *action, int error) {
  char text[128];
  const char *why = strerror_r(error, text, sizeof text);
  if (error == ENOSPC || error == EFBIG || error == EDQUOT)
    return sw_fail(ctx, SW_ENOSPC, "%.300s: cannot %s: disk full (%s)", path, action, why);
  return sw_fail(ctx, SW_EIO, "%.300s: cannot %s: %s", path, action, why);
}

sw_status swi_file_open(sw_context *ctx, const char *path, int *fd, int64_t *size) {
  int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a pipe must not block */
  if (f < 0) return swi_file_fail(ctx, path, "read", errno);
  struct stat info;
  sw_status st = SW_OK;
  if (fstat(f, &info) != 0) {
    st = swi_file_fail(ctx, path, "read", errno);
  } else if (!S_ISREG(info.st_mode)) {
    st = sw_fail(ctx, SW_EIO, "%.300s: cannot read: not a regular file", path);
  }
  if (st != SW_OK) {
    (void)close(f);
    return st;
  }
  *fd = f;
  *size = info.st_size;
  return SW_OK;
}

sw_status swi_file_read(sw_context *ctx, const char *path, int fd, int64_t offset, void *to,
                        int64_t n, int64_t *got) {
  int64_t done = 0;
  while (done < n) {
    ssize_t r = pread(fd, (char *)to + done, (size_t)(n - done), offset + done);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return swi_file_fail(ctx, path, "read", errno);
    if (r == 0) break;
    done += r;
  }
  *got = done;
  return SW_OK;
}

/* A write past RLIMIT_FSIZE sends SIGXFSZ to this thread, which would end the process. The signal
 * is blocked during the call and removed if the call raised it; the program's handler stays. */
static ssize_t write_without_signal(int fd, const void *bytes, size_t n) {
  sigset_t limit, before, pending;
  const struct timespec at_once = {0, 0};
  (void)sigemptyset(&limit);
  (void)sigaddset(&limit, SIGXFSZ);
  (void)sigpending(&pending);
  int was_pending = sigismember(&pending, SIGXFSZ);
  (void)pthread_sigmask(SIG_BLOCK, &limit, &before);
  ssize_t r = write(fd, bytes, n);
  int error = errno;
  if (r < 0 && error == EFBIG && !was_pending) {
    while (sigtimedwait(&limit, NULL, &at_once) < 0 && errno == EINTR) continue;
  }
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return r;
}

/* -------------------------------------------------------------- temporary files */

enum { YOUNG = 10 }; /* seconds for which a file may wait for its writer's lock */

/* Removes the temporary file of a killed writer. A live writer holds a lock on its file, except for
 * the moment between creating and locking it; on a system without such locks the file stays. */
static void remove_if_left(int folder, const char *name, long pid) {
  struct stat info;
  int fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
    int dead = kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    if (dead || time(NULL) - info.st_mtime > YOUNG) (void)unlinkat(folder, name, 0);
  }
  (void)close(fd);
}

/* The pid of base.tmp.PID, or 0. */
static long pid_of(const char *name, const char *base, size_t length) {
  if (strncmp(name, base, length) != 0 || strncmp(name + length, ".tmp.", 5) != 0) return 0;
  const char *digits = name + length + 5;
  char *end;
  long pid = strtol(digits, &end, 10);
  return *digits >= '1' && *digits <= '9' && *end == '\0' && pid <= INT32_MAX ? pid : 0;
}

/* For path = "folder/base": removes the temporary files that killed writers of it left. Changes
 * path and restores it. */
static void remove_left(char *path) {
  char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path, first = *base;
  size_t length = strlen(base);
  *base = '\0';
  DIR *folder = opendir(slash != NULL ? path : ".");
  *base = first;
  if (folder == NULL) return;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    long pid = pid_of(entry->d_name, base, length);
    if (pid > 0) remove_if_left(dirfd(folder), entry->d_name, pid);
  }
  (void)closedir(folder);
}

static sw_status open_temporary(swi_writer *w) {
  w->temp_size = strlen(w->path) + sizeof ".tmp." + 20;
  w->temp = swi_alloc(w->ctx, w->temp_size);
  if (w->temp == NULL) return SW_ENOMEM;
  (void)strcpy(w->temp, w->path);
  remove_left(w->temp);
  (void)snprintf(w->temp, w->temp_size, "%s.tmp.%ld", w->path, (long)getpid());
  (void)unlink(w->temp); /* left by a dead process with this pid */
  w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (w->fd >= 0) {
    (void)flock(w->fd, LOCK_EX | LOCK_NB);
    return SW_OK;
  }
  sw_status st = swi_file_fail(w->ctx, w->path, "write", errno);
  swi_free(w->ctx, w->temp, w->temp_size);
  return st;
}

sw_status swi_writer_open(swi_writer *w, sw_context *ctx, const char *path) {
  struct stat info;
  *w = (swi_writer){.ctx = ctx, .path = path};
  if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return open_temporary(w);
  w->fd = open(path, O_WRONLY | O_CLOEXEC); /* a directory fails here */
  return w->fd >= 0 ? SW_OK : swi_file_fail(ctx, path, "write", errno);
}

sw_status swi_writer_put(swi_writer *w, const void *bytes, int64_t n) {
  const char *at = bytes;
  while (n > 0) {
    ssize_t r = write_without_signal(w->fd, at, (size_t)n);
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return swi_file_fail(w->ctx, w->path, "write", errno);
    at += r;
    n -= r;
  }
  return SW_OK;
}

/* Makes the rename durable. If this fails, a power cut may restore the old file, which is whole,
 * too, so the write did not fail. */
static void sync_folder(swi_writer *w) {
  char *slash = strrchr(w->temp, '/'); /* the temporary name is not needed any more */
  if (slash != NULL) slash[slash == w->temp] = '\0';
  int fd = open(slash != NULL ? w->temp : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

sw_status swi_writer_end(swi_writer *w, sw_status st) {
  if (st == SW_OK && w->temp != NULL && fsync(w->fd) != 0) {
    st = swi_file_fail(w->ctx, w->path, "write", errno);
  }
  if (close(w->fd) != 0 && st == SW_OK) st = swi_file_fail(w->ctx, w->path, "write", errno);
  if (w->temp == NULL) return st;
  if (st == SW_OK && rename(w->temp, w->path) != 0) {
    st = swi_file_fail(w->ctx, w->path, "write", errno);
  }
  if (st == SW_OK) {
    sync_folder(w);
  } else {
    (void)unlink(w->temp);
  }
  swi_free(w->ctx, w->temp, w->temp_size);
  return st;
}

sw_status sw_file_write_atomic(sw_context *ctx, const char *path, const void *bytes, size_t size) {
  swi_writer w;
  SW_TRY(swi_writer_open(&w, ctx, path));
  return swi_writer_end(&w, swi_writer_put(&w, bytes, (int64_t)size));
}
