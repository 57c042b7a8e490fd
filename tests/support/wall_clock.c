/* A wall clock that a test can set (LD_PRELOAD): CLOCK_REALTIME of this process is off by as many nanoseconds as stand
   in the file that WALL_CLOCK names. Waits until a time of that clock behave as when a machine's clock is set: they end
   when it says so, however often it jumps meanwhile. The file's second number counts such waits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shared; /* shift in ns, waits */
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
static int (*real_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void) {
  if (real_gettime) return;
  real_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
  real_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  const char *name = getenv("WALL_CLOCK");
  const int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
  /* Not by mmap(): Debian 13's LibTorch comes with UCX, which writes a jump to itself over the beginning of mmap while it
     puts a hook there, and asks for the time meanwhile. */
  const long memory = file < 0 ? -1 : syscall(SYS_mmap, NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory != -1) shared = (volatile int64_t *)memory;
  if (file >= 0) close(file);
  real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

static int64_t ns_of(const struct timespec *when) { return when->tv_sec * 1000000000LL + when->tv_nsec; }

static struct timespec time_of(int64_t ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }

static int64_t now_ns(clockid_t clock) {
  struct timespec now;
  begin();
  real_gettime(clock, &now);
  return ns_of(&now) + (shared && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) ? *shared : 0);
}

int clock_gettime(clockid_t clock, struct timespec *result) {
  begin();
  if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return real_gettime(clock, result);
  *result = time_of(now_ns(clock));
  return 0;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
  (void)zone;
  const int64_t now = now_ns(CLOCK_REALTIME);
  *result = (struct timeval){now / 1000000000, now % 1000000000 / 1000};
  return 0;
}

time_t time(time_t *result) {
  const time_t now = now_ns(CLOCK_REALTIME) / 1000000000;
  if (result) *result = now;
  return now;
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *until) {
  begin();
  if (clock != CLOCK_REALTIME || !shared) return real_clockwait(condition, mutex, clock, until);
  __atomic_fetch_add(shared + 1, 1, __ATOMIC_RELAXED);
  for (;;) {
    const int64_t left = ns_of(until) - now_ns(CLOCK_REALTIME);
    if (left <= 0) return ETIMEDOUT;
    const struct timespec slice = time_of(now_ns(CLOCK_MONOTONIC) + (left < 20000000 ? left : 20000000));
    const int result = real_clockwait(condition, mutex, CLOCK_MONOTONIC, &slice);
    if (result != ETIMEDOUT) return result;
  }
}

/* Which clock is meant is in the condition; only the wall clock is that far from its beginning. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
  begin();
  if (until->tv_sec < 1000000000) return real_timedwait(condition, mutex, until);
  return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, until);
}
