// SPDX-License-Identifier: MIT
//
// A library to preload that makes one system call on a regular file fail: the nth after fail_arm(), with an error of
// choice, and, where asked for, all after it too, as on a disk that stays full. It counts what changes a file or a
// folder: open for writing, write, pwrite, ftruncate, fallocate, fsync, fdatasync, rename, link, mkdir, fchmod. Closing
// and removing always work.
//
// Threads: arm in a process of one thread; the count is atomic.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;
static long fail_at; // 0: never
static int fail_error;
static bool fail_on;

void fail_arm(long nth, int error, int sticky);
long fail_disarm(void);

void fail_arm(long nth, int error, int sticky)
{
    fail_error = error;
    fail_on = sticky != 0;
    atomic_store(&calls, 0);
    fail_at = nth;
}

// Returns how many calls there were.
long fail_disarm(void)
{
    fail_at = 0;
    return atomic_load(&calls);
}

static bool fails(void)
{
    if (fail_at == 0) {
        return false;
    }
    long nth = atomic_fetch_add(&calls, 1) + 1;
    if (nth == fail_at || (fail_on && nth > fail_at)) {
        errno = fail_error;
        return true;
    }
    return false;
}

static bool fails_on(int file)
{
    struct stat found;
    return fail_at != 0 && fstat(file, &found) == 0 && S_ISREG(found.st_mode) && fails();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRAP(result, name, parameters, arguments, condition)                                                           \
    result name parameters                                                                                             \
    {                                                                                                                  \
        static __typeof__(&name) real;                                                                                 \
        if (real == NULL) {                                                                                            \
            real = REAL(name);                                                                                         \
        }                                                                                                              \
        return (condition) ? (result)-1 : real arguments;                                                              \
    }

WRAP(ssize_t, write, (int file, const void *data, size_t size), (file, data, size), fails_on(file))
WRAP(ssize_t, pwrite, (int file, const void *data, size_t size, off_t at), (file, data, size, at), fails_on(file))
WRAP(ssize_t, pwrite64, (int file, const void *data, size_t size, off64_t at), (file, data, size, at), fails_on(file))
WRAP(int, ftruncate, (int file, off_t size), (file, size), fails_on(file))
WRAP(int, ftruncate64, (int file, off64_t size), (file, size), fails_on(file))
WRAP(int, fsync, (int file), (file), fails_on(file))
WRAP(int, fdatasync, (int file), (file), fails_on(file))
WRAP(int, fchmod, (int file, mode_t mode), (file, mode), fails_on(file))
WRAP(int, rename, (const char *from, const char *to), (from, to), fails())
WRAP(int, link, (const char *from, const char *to), (from, to), fails())
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), fails())

// Unlike the others it returns its error.
int posix_fallocate(int file, off_t at, off_t size)
{
    return fails_on(file) ? fail_error : REAL(posix_fallocate)(file, at, size);
}

static bool fails_to_open(int flags)
{
    return (flags & (O_WRONLY | O_RDWR)) != 0 && fails();
}

#define WRAP_OPEN(name, parameters, arguments)                                                                         \
    int name parameters                                                                                                \
    {                                                                                                                  \
        mode_t mode = 0;                                                                                               \
        if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {                                              \
            va_list rest;                                                                                              \
            va_start(rest, flags);                                                                                     \
            mode = va_arg(rest, mode_t);                                                                               \
            va_end(rest);                                                                                              \
        }                                                                                                              \
        return fails_to_open(flags) ? -1 : REAL(name) arguments;                                                       \
    }

WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
WRAP_OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
