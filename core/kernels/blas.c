/* blas.c: loads OpenBLAS and tries it out. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/blas_int.h"

/* Debian installs each build in a folder of its own; the plain name may be any of them. */
static const char *const candidates[] = {
#if defined(__x86_64__)
    "/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblas.so.0",
#elif defined(__aarch64__)
    "/usr/lib/aarch64-linux-gnu/openblas-pthread/libopenblas.so.0",
#endif
    "libopenblas.so.0",
};

enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static swi_blas blas;
static int is_open;

/* POSIX lets a dlsym result be stored through a pointer to an object pointer. */
static int find(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

/* The pthread build may be called from our threads once it is set to one thread; the serial build
 * shares buffers between callers, and the OpenMP build may hang in threads that are not its own. */
static int is_pthread_build(void *library, char *reason, size_t size) {
  int (*parallel)(void);
  if (!find(library, "openblas_get_parallel", &parallel)) {
    snprintf(reason, size, "libopenblas.so.0 is not OpenBLAS");
    return 0;
  }
  const int kind = parallel();
  if (kind == 1) return 1;
  snprintf(reason, size,
           "this OpenBLAS is the %s build; the pthread build is needed "
           "(Debian: apt install libopenblas0-pthread)",
           kind == 0 ? "serial" : "OpenMP");
  return 0;
}

/* "OpenBLAS 0.3.21 DYNAMIC_ARCH ..." -> "OpenBLAS 0.3.21 Zen" */
static void describe(void *library, const char *core, char *text, size_t size) {
  char *(*config)(void);
  int version = 0;
  const char *told = find(library, "openblas_get_config", &config) ? config() : "OpenBLAS";
  const char *space = strchr(told, ' ');
  if (space) version = (int)(space + 1 + strcspn(space + 1, " ") - told);
  snprintf(text, size, "%.*s %s", version ? version : (int)strlen(told), told, core);
}

static void refuse(swi_blas *b, const char *why) {
  const size_t used = strlen(b->description);
  snprintf(b->description + used, sizeof b->description - used, " (not used: %s)", why);
  b->sgemm = NULL;
  b->dgemm = NULL;
}

static void try_out(swi_blas *b, const char *core) {
  if (!swi_blas_is_sound(core))
    refuse(b, "its kernels for this core crash");
  else if (!swi_blas_is_right(b))
    refuse(b, "its products are wrong");
}

static int use(void *library, char *reason, size_t size) {
  void (*set_threads)(int);
  char *(*core)(void);
  if (!is_pthread_build(library, reason, size)) return 0;
  if (!find(library, "openblas_set_num_threads", &set_threads) ||
      !find(library, "cblas_sgemm", &blas.sgemm) || !find(library, "cblas_dgemm", &blas.dgemm)) {
    snprintf(reason, size, "this OpenBLAS lacks cblas_sgemm or openblas_set_num_threads");
    return 0;
  }
  set_threads(1);
  blas.library = library;
  const char *name = find(library, "openblas_get_corename", &core) ? core() : "";
  describe(library, name, blas.description, sizeof blas.description);
  try_out(&blas, name);
  return 1;
}

/* A library that exists but cannot be loaded, for lack of memory say, is not a missing package. */
static void take_fault(char *reason, size_t size) {
  const char *fault = dlerror();
  if (fault != NULL && strstr(fault, "No such file") == NULL) {
    snprintf(reason, size, "OpenBLAS cannot be loaded: %s", fault);
  }
}

/* RTLD_LOCAL: the program may have loaded another BLAS. */
static int open_any(char *reason, size_t size) {
  snprintf(reason, size, "no OpenBLAS found (Debian: apt install libopenblas0-pthread)");
  for (int i = 0; i < CANDIDATES; i++) {
    void *library = dlopen(candidates[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      take_fault(reason, size);
      continue;
    }
    if (use(library, reason, size)) return 1;
    dlclose(library);
  }
  return 0;
}

typedef struct variable {
  const char *name;
  char before[128];
  int was_set;
} variable;

static void set_variable(variable *v, const char *value) {
  const char *now = getenv(v->name);
  v->was_set = now != NULL;
  if (now) snprintf(v->before, sizeof v->before, "%s", now);
  setenv(v->name, value, 1);
}

static void restore_variable(const variable *v) {
  if (v->was_set)
    setenv(v->name, v->before, 1);
  else
    unsetenv(v->name);
}

/* OpenBLAS reads the environment when it is loaded; children of this process must not inherit the
 * change. */
static int open_with(const char *core_type, char *reason, size_t size) {
  variable threads = {.name = "OPENBLAS_NUM_THREADS"}, core = {.name = "OPENBLAS_CORETYPE"};
  const int set_core = core_type && !getenv(core.name);
  set_variable(&threads, "1");
  if (set_core) set_variable(&core, core_type);
  const int opened = open_any(reason, size);
  if (set_core) restore_variable(&core);
  restore_variable(&threads);
  return opened;
}

const swi_blas *swi_blas_open(const char *core_type, char *reason, size_t size) {
  pthread_mutex_lock(&lock);
  if (!is_open) is_open = open_with(core_type, reason, size);
  const swi_blas *result = is_open ? &blas : NULL;
  pthread_mutex_unlock(&lock);
  return result;
}
