// link: -Wl,--wrap=open -Wl,--wrap=fstat -Wl,--wrap=flock -Wl,--wrap=posix_fallocate -Wl,--wrap=mmap
// link: -Wl,--wrap=fcntl -Wl,--wrap=linkat -Wl,--wrap=memfd_create -Wl,--wrap=pread -Wl,--wrap=munmap
// SPDX-License-Identifier: MIT
// pc_shm: each system call of making, opening and attaching a segment refused once, with each errno that the kernel may
// give. The call then fails with an errno, or goes on with a ring that works; no descriptor, no mapping and no name is
// left behind, and the next one succeeds.
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "workload/pc_shm_layout.h"

int __real_open(const char *path, int flags, ...);
int __real_fstat(int fd, struct stat *info);
int __real_flock(int fd, int operation);
int __real_posix_fallocate(int fd, off_t offset, off_t length);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __real_fcntl(int fd, int command, ...);
int __real_linkat(int from, const char *path, int to, const char *name, int flags);
int __real_memfd_create(const char *name, unsigned flags);
ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
int __wrap_open(const char *path, int flags, ...);
int __wrap_fstat(int fd, struct stat *info);
int __wrap_flock(int fd, int operation);
int __wrap_posix_fallocate(int fd, off_t offset, off_t length);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_linkat(int from, const char *path, int to, const char *name, int flags);
int __wrap_memfd_create(const char *name, unsigned flags);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);

static long refuse_at = -1; // the call that is refused, counted from now; -1: none
static int refused_with;
static int mappings; // that the core has made and not given back

static bool refused(void)
{
    if (refuse_at < 0 || refuse_at-- != 0)
        return false;
    errno = refused_with;
    return true;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    return refused() ? -1 : __real_open(path, flags, mode);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
    return refused() ? -1 : __real_memfd_create(name, flags);
}

int __wrap_fstat(int fd, struct stat *info)
{
    return refused() ? -1 : __real_fstat(fd, info);
}

int __wrap_flock(int fd, int operation)
{
    return refused() ? -1 : __real_flock(fd, operation);
}

int __wrap_posix_fallocate(int fd, off_t offset, off_t length)
{
    return refused() ? refused_with : __real_posix_fallocate(fd, offset, length);
}

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (refused())
        return MAP_FAILED;
    void *mapped = __real_mmap(at, bytes, protection, flags, fd, offset);
    mappings += mapped != MAP_FAILED && (flags & MAP_FIXED) == 0; // a fixed one lies in another
    return mapped;
}

int __wrap_munmap(void *at, size_t bytes)
{
    mappings--;
    return __real_munmap(at, bytes);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    const int value = va_arg(rest, int);
    va_end(rest);
    return refused() ? -1 : __real_fcntl(fd, command, value);
}

int __wrap_linkat(int from, const char *path, int to, const char *name, int flags)
{
    return refused() ? -1 : __real_linkat(from, path, to, name, flags);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset)
{
    return refused() ? -1 : __real_pread(fd, data, size, offset);
}

static char name[64];

static void use(pc_shm *shm)
{
    const uint64_t number = 7;
    size_t done = 0;
    CHECK(pc_shm_put(shm, &(pc_shm_piece){&number, sizeof number, 3}, 1, PC_SHM_NOW, &done) == 0 && done == 1);
    pc_shm_batch *batch = NULL;
    CHECK(pc_shm_get(shm, 1, PC_SHM_NOW, &batch) == 0 && batch != NULL);
    pc_free(batch);
}

static int make(pc_shm **shm)
{
    return pc_shm_create(4096, 0, shm);
}

static int open_anew(pc_shm **shm)
{
    return pc_shm_open(name, 4096, 0, shm);
}

static pc_shm *there; // a ring that others have, for the two below

static int open_there(pc_shm **shm)
{
    return pc_shm_open(name, 4096, 0, shm);
}

static int attach(pc_shm **shm)
{
    const int fd = dup(pc_shm_fd(there));
    const int status = pc_shm_attach(fd, shm); // which takes it
    if (status < 0)
        (void)close(fd);
    return status;
}

// How many entries of a folder have `part` in their name.
static long entries(const char *path, const char *part)
{
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    long found = 0;
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;)
        found += strstr(entry->d_name, part) != NULL;
    if (folder != NULL)
        (void)closedir(folder);
    return found;
}

// Refuse the first call of `begin`, then the second, ... until none is left to refuse.
static void refuse_each(int (*begin)(pc_shm **), int with)
{
    const int mappings_before = mappings;
    const long descriptors = entries("/proc/self/fd", ""), names = entries("/dev/shm", name);
    bool all = false;
    int failed = 0;
    for (long k = 0; !all && k < 200; k++) {
        pc_shm *shm = NULL;
        refuse_at = k;
        refused_with = with;
        const int status = begin(&shm);
        all = refuse_at >= 0;
        refuse_at = -1;
        failed += status < 0;
        CHECK(status <= 0);
        CHECK((status == 0) == (shm != NULL));
        if (shm != NULL) {
            use(shm);
            pc_shm_detach(shm);
        }
        CHECK(mappings == mappings_before);
        CHECK(entries("/proc/self/fd", "") == descriptors);
        CHECK(entries("/dev/shm", name) == names);
    }
    CHECK(all);
    CHECK(failed > 2);
}

int main(void)
{
    static const int kinds[] = {EIO, ENOMEM, ENOSPC, EINTR, EMFILE, EACCES, EAGAIN, ENOENT, EEXIST};
    (void)snprintf(name, sizeof name, "test.refused-%ld", (long)getpid());
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        refuse_each(make, kinds[i]);
        refuse_each(open_anew, kinds[i]);
        CHECK(pc_shm_open(name, 4096, 0, &there) == 0);
        refuse_each(open_there, kinds[i]);
        refuse_each(attach, kinds[i]);
        use(there);
        pc_shm_detach(there);
    }
    CHECK(mappings == 0 && entries("/dev/shm", name) == 0);
    return CHECK_EXIT();
}
