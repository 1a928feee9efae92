/* lua_system.c: standard descriptors, file locks, the parent process, the terminal, the
 * memory limit. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "support.h"

/* Opens those of descriptors 0 to 2 that are closed: otherwise the next opened file would get one,
 * and output of the standard stream would be written to it. */
void lx_open_standard(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd) return;
}

/* ---- locks */

typedef struct lock {
  const char *held; /* NULL: released */
  int fd;
} lock;

static int fault(lua_State *L, const char *path, int error) {
  char text[128];
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", path, strerror_r(error, text, sizeof text));
  lua_pushstring(L, error == ENOENT ? "ENOENT" : error == EWOULDBLOCK ? "EHELD" : "EIO");
  return 3;
}

/* True if path still names the file: its last holder may have removed it after it was opened. */
static int is_named(int fd, const char *path) {
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

#define TRIES 100

/* Opens and locks path. Returns the descriptor, or -1 with errno. */
static int open_locked(const char *path) {
  for (int i = 0; i < TRIES; i++) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return -1;
    int got = flock(fd, LOCK_EX | LOCK_NB), error = errno;
    if (got == 0 && is_named(fd, path)) return fd;
    (void)close(fd);
    if (got == 0) continue;
    errno = error;
    return -1;
  }
  errno = EWOULDBLOCK;
  return -1;
}

/* hold(path) -> lock, which ends with the process at the latest; children do not inherit it. */
static int hold(lua_State *L) {
  lua_settop(L, 1);
  lock *box = lx_push_shell(L, LX_LOCK);
  const char *path = lx_check_text(L, 1, "hold", "path");
  int fd = open_locked(path);
  if (fd < 0) return fault(L, path, errno);
  *box = (lock){"held", fd};
  return 1; /* cppcheck-suppress resourceLeak ; the lock closes it */
}

/* is_held(path) -> true or false; nil, message, code where that cannot be found out. */
static int is_held(lua_State *L) {
  const char *path = lx_check_text(L, 1, "is_held", "path");
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fault(L, path, errno);
  int got = flock(fd, LOCK_SH | LOCK_NB), error = errno;
  (void)close(fd);
  if (got != 0 && error != EWOULDBLOCK) return fault(L, path, error);
  lua_pushboolean(L, got != 0);
  return 1;
}

static int release(lua_State *L) {
  lock *box = lx_test(L, 1, LX_LOCK);
  if (!box || !box->held) return 0;
  (void)close(box->fd);
  *box = (lock){0};
  return 0;
}

static const luaL_Reg lock_methods[] = {{"release", release}, {NULL, NULL}};

const lx_class_spec lx_lock_class = {
    .name = "lock", .size = sizeof(lock), .end = release, .methods = lock_methods};

/* ---- the parent */

/* die_with_parent(pid): the process gets SIGTERM when the parent ends, however it ends. */
static int die_with_parent(lua_State *L) {
  lua_Integer parent = lx_check_integer(L, 1, "die_with_parent", "pid", 1, INT32_MAX);
#ifdef __linux__
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
#endif
  if (getppid() != (pid_t)parent) (void)raise(SIGTERM); /* it ended before */
  return 0;
}

/* ---- the terminal */

/* terminal_size() -> columns, rows of the terminal on stderr; nil if there is none. Not libuv's: a
 * handle that is closed without running its loop again ends the process in a crash. */
static int terminal_size(lua_State *L) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

/* ---- memory */

/* limit_memory(bytes): of what this process and its children may allocate from now on: memory of
 * their own, not files that are mapped. */
static int limit_memory(lua_State *L) {
  lua_Integer bytes = lx_check_integer(L, 1, "limit_memory", "bytes", 1, LUA_MAXINTEGER);
  struct rlimit limit = {(rlim_t)bytes, (rlim_t)bytes};
  if (setrlimit(RLIMIT_DATA, &limit) != 0) return fault(L, "limit_memory", errno);
  lua_pushboolean(L, 1);
  return 1;
}

const luaL_Reg lx_system_functions[] = {
    {"hold", hold},
    {"is_held", is_held},
    {"die_with_parent", die_with_parent},
    {"terminal_size", terminal_size},
    {"limit_memory", limit_memory},
    {NULL, NULL},
};
