/* parallel.c: jobs in pieces, on the threads of a context. */
/* One job at a time. `state` holds (job number << 1 | open) << 16 | workers inside. A worker enters
 * an open job that it has not seen by raising the count. After closing the job the caller waits
 * only for the workers that entered; one that wakes later cannot enter any more. */
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc_int.h"
#include "base/context_int.h"
#include "base/parallel_int.h"

enum { SPIN_NS = 50000, MAX_THREADS = 1024, STACK = 512 << 10 };

static const uint64_t inside_mask = 0xFFFF;
static const uint64_t open_bit = 0x10000;

struct swi_pool {
  pthread_mutex_t lock; /* for the two conditions only */
  pthread_cond_t wake;  /* a job is open, or stop */
  pthread_cond_t done;  /* a closed job's last worker has left */
  _Atomic uint64_t state;
  _Atomic int64_t next; /* the first piece not taken yet */
  _Atomic int sleepers;
  _Atomic int stop;
  swi_piece f; /* the job: stable while anyone is inside */
  void *arg;
  int64_t pieces;
  fenv_t mode;
  int spin; /* only if there is a core for each thread */
  int workers;
  _Atomic int scratches_taken;
  char *scratch; /* SWI_SCRATCH bytes for each worker */
  pthread_t thread[];
};

/* Set in workers, and in a caller while a job runs: a nested call runs its pieces one after
 * another. */
static _Thread_local int inside_piece;

/* A worker's; NULL in a caller, whose scratch is the context's. */
static _Thread_local void *worker_scratch;

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

int64_t swi_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void take_pieces(struct swi_pool *pool) {
  int64_t piece;
  while ((piece = atomic_fetch_add(&pool->next, 1)) < pool->pieces) pool->f(pool->arg, piece);
}

/* Whether there is an open job that this worker has not entered; seen is the upper part of the
 * state when it last entered one. */
static int has_work(struct swi_pool *pool, uint64_t seen) {
  const uint64_t state = atomic_load(&pool->state);
  return (state & open_bit) && (state & ~inside_mask) != seen;
}

static int spin_for_work(struct swi_pool *pool, uint64_t seen) {
  if (!pool->spin) return 0;
  for (const int64_t end = swi_now_ns() + SPIN_NS; swi_now_ns() < end;)
    for (int i = 0; i < 32; i++) {
      if (has_work(pool, seen) || atomic_load(&pool->stop)) return 1;
      pause_briefly();
    }
  return 0;
}

/* The caller reads `sleepers` after it opens a job; a sleeper counts itself before it reads the
 * state: one of them sees the other. */
static void sleep_for_work(struct swi_pool *pool, uint64_t seen) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&pool->sleepers, 1);
  while (!has_work(pool, seen) && !atomic_load(&pool->stop))
    pthread_cond_wait(&pool->wake, &pool->lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

/* Raises the count if the job is still open; 0 if it is closed. */
static int enter(struct swi_pool *pool, uint64_t *seen) {
  uint64_t state = atomic_load(&pool->state);
  while (state & open_bit)
    if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) {
      *seen = state & ~inside_mask;
      return 1;
    }
  return 0;
}

static void leave(struct swi_pool *pool) {
  const uint64_t state = atomic_fetch_sub(&pool->state, 1) - 1;
  if ((state & open_bit) || (state & inside_mask)) return;
  pthread_mutex_lock(&pool->lock);
  pthread_cond_signal(&pool->done);
  pthread_mutex_unlock(&pool->lock);
}

static void *work(void *arg) {
  struct swi_pool *pool = arg;
  uint64_t seen = 0;
  inside_piece = 1;
  worker_scratch =
      pool->scratch + (int64_t)atomic_fetch_add(&pool->scratches_taken, 1) * SWI_SCRATCH;
  while (!atomic_load(&pool->stop)) {
    if (!spin_for_work(pool, seen)) sleep_for_work(pool, seen);
    if (!enter(pool, &seen)) continue;
    fesetenv(&pool->mode);
    take_pieces(pool);
    leave(pool);
  }
  return NULL;
}

static void open_job(struct swi_pool *pool, int64_t pieces, swi_piece f, void *arg) {
  pool->f = f;
  pool->arg = arg;
  pool->pieces = pieces;
  fegetenv(&pool->mode);
  atomic_store(&pool->next, 0);
  const uint64_t before = atomic_load(&pool->state); /* closed and empty */
  atomic_store(&pool->state, before + open_bit);
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->lock);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

/* Adding the open bit to itself carries into the job number: closed, and the next job's. */
static void close_job(struct swi_pool *pool) {
  atomic_fetch_add(&pool->state, open_bit);
  for (int i = 0; i < 2000 && pool->spin; i++) {
    if (!(atomic_load(&pool->state) & inside_mask)) return;
    pause_briefly();
  }
  pthread_mutex_lock(&pool->lock);
  while (atomic_load(&pool->state) & inside_mask) pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

void swi_parallel(sw_context *ctx, int64_t pieces, swi_piece f, void *arg) {
  struct swi_pool *pool = ctx->pool;
  if (!pool || pieces <= 1 || inside_piece) {
    for (int64_t i = 0; i < pieces; i++) f(arg, i);
    return;
  }
  inside_piece = 1;
  open_job(pool, pieces, f, arg);
  take_pieces(pool);
  close_job(pool);
  inside_piece = 0;
}

int swi_is_inside_piece(void) { return inside_piece; }

void *swi_scratch(sw_context *ctx) { return worker_scratch ? worker_scratch : ctx->scratch; }

swi_ahead *swi_ahead_of(sw_context *ctx) {
  return worker_scratch || ctx->ahead.n == 0 ? NULL : &ctx->ahead;
}

static size_t pool_size(int workers) {
  return sizeof(struct swi_pool) + (size_t)workers * sizeof(pthread_t);
}

/* Joins the first `started` threads and frees the pool, made for `capacity` of them. */
static void stop_pool(sw_context *ctx, struct swi_pool *pool, int started, int capacity) {
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->stop, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 0; i < started; i++) pthread_join(pool->thread[i], NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  swi_free(ctx, pool->scratch, (size_t)capacity * SWI_SCRATCH);
  swi_free(ctx, pool, pool_size(capacity));
}

/* Workers start with all signals blocked: the program's own threads handle them. Returns how many
 * workers could be started. */
static int start_workers(struct swi_pool *pool) {
  sigset_t all, before;
  pthread_attr_t roomy;
  int started = 0;
  if (pthread_attr_init(&roomy) != 0) return 0;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  if (pthread_attr_setstacksize(&roomy, STACK) == 0)
    while (started < pool->workers &&
           pthread_create(&pool->thread[started], &roomy, work, pool) == 0)
      started++;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&roomy);
  return started;
}

static sw_status start_pool(sw_context *ctx, int workers, struct swi_pool **out) {
  struct swi_pool *pool = swi_alloc_zeroed(ctx, pool_size(workers));
  if (!pool) return SW_ENOMEM;
  pool->scratch = swi_alloc(ctx, (size_t)workers * SWI_SCRATCH);
  if (!pool->scratch) {
    swi_free(ctx, pool, pool_size(workers));
    return SW_ENOMEM;
  }
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->spin = workers < sw_machine_cores();
  pool->workers = workers;
  int started = start_workers(pool);
  if (started < workers) {
    stop_pool(ctx, pool, started, workers);
    return sw_fail(ctx, SW_EUNSUPPORTED, "threads: the system gives only %d of %d", started + 1,
                   workers + 1);
  }
  *out = pool;
  return SW_OK;
}

sw_status sw_context_set_threads(sw_context *ctx, int threads) {
  if (threads < 1 || threads > MAX_THREADS)
    return sw_fail(ctx, SW_ERANGE, "threads: %d is not in 1 ... %d", threads, MAX_THREADS);
  if (threads == sw_context_threads(ctx)) return SW_OK;
  struct swi_pool *pool = NULL;
  if (threads > 1) SW_TRY(start_pool(ctx, threads - 1, &pool));
  swi_pool_free(ctx);
  ctx->pool = pool;
  return SW_OK;
}

int sw_context_threads(const sw_context *ctx) { return ctx->pool ? ctx->pool->workers + 1 : 1; }

/* The cores that this process may use; a job scheduler may have reserved fewer than there are. */
int sw_machine_cores(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

void swi_pool_free(sw_context *ctx) {
  if (ctx->pool) stop_pool(ctx, ctx->pool, ctx->pool->workers, ctx->pool->workers);
  ctx->pool = NULL;
}
