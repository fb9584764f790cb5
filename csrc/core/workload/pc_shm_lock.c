// SPDX-License-Identifier: MIT
// Robust locks and futexes between processes (see pc_shm_layout.h).
// Source: pthread_mutexattr_setrobust(3), futex(2).
#include "workload/pc_shm_layout.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "measure/pc_clock.h"

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / PC_NS_PER_S, .tv_nsec = (long)(ns % PC_NS_PER_S)};
}

int pc_shm_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int status = pthread_mutexattr_init(&attributes);
    if (status != 0)
        return -status;
    status = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (status == 0)
        status = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (status == 0)
        status = pthread_mutex_init(lock, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return -status;
}

int pc_shm_lock_kind(const pthread_mutex_t *lock)
{
#ifdef __GLIBC__
    return lock->__data.__kind; // in the public header; glibc trusts it, so a damaged one must not reach it
#else
    (void)lock;
    return 0;
#endif
}

static int lock_until(pthread_mutex_t *lock, int64_t until_ns)
{
#ifdef __SANITIZE_THREAD__ // gcc's TSan of version 12 does not know of clocklock
    until_ns += pc_clock_now_ns(CLOCK_REALTIME) - pc_clock_now_ns(CLOCK_MONOTONIC);
    struct timespec until = timespec_of(until_ns);
    return pthread_mutex_timedlock(lock, &until);
#else
    struct timespec until = timespec_of(until_ns);
    return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
#endif
}

int pc_shm_lock_take(const pc_shm *self, pthread_mutex_t *lock, int64_t until_ns)
{
    if (PC_UNLIKELY(pc_shm_lock_kind(lock) != self->lock_kind))
        return -EBADMSG;
    int status = pthread_mutex_trylock(lock);
    if (PC_UNLIKELY(status == EBUSY) && until_ns != PC_SHM_NOW) {
        status = lock_until(lock, until_ns);
    }
    switch (status) {
    case 0:
        return 0;
    case EOWNERDEAD:
        return 1;
    case EBUSY:
    case ETIMEDOUT:
        return -status;
    default:
        return -EBADMSG; // ENOTRECOVERABLE, EINVAL: not by what this code does
    }
}

void pc_shm_lock_repaired(pthread_mutex_t *lock)
{
    int status = pthread_mutex_consistent(lock);
    assert(status == 0);
    (void)status;
}

void pc_shm_lock_release(pthread_mutex_t *lock)
{
    (void)pthread_mutex_unlock(lock);
}

int pc_shm_sleep(_Atomic uint32_t *word, int64_t until_ns)
{
    struct timespec until = timespec_of(until_ns);
    // The BITSET form takes a time of the clock, not a span.
    long status = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 1, &until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (status == 0 || errno == EAGAIN)
        return 0;
    return errno == EINTR ? -EINTR : -ETIMEDOUT;
}

void pc_shm_wake(_Atomic uint32_t *word, int count)
{
    atomic_store(word, 0);
    (void)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}
