// SPDX-License-Identifier: MIT
// Segments: making, finding, leaving and removing them (see pc_shm.h for their lifetime).
//
// A named segment is made whole in a file without a name (O_TMPFILE), flocked, and only then linked to its name: nobody
// ever sees half of one. It is removed under an exclusive flock, by one who sees that it has a name still; whoever
// opened it meanwhile finds it without one, and begins anew. Source: flock(2), memfd_create(2), open(2), linkat(2).
#include "workload/pc_shm_layout.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"

#define FOLDER "/dev/shm"
#define PREFIX "perfcore-ring-"

enum {
    PATH_BYTES = sizeof FOLDER + sizeof PREFIX + PC_SHM_NAME_BYTES,
    PATIENCE_NS = 2000000000, // for another process to make or remove a segment, which takes microseconds
    SWEEP_FILES = 1000,       // looked at in one go
};

// --- names ---

int pc_shm_name_check(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strnlen(name, PC_SHM_NAME_BYTES);
    return length > 0 && length < PC_SHM_NAME_BYTES && strspn(name, allowed) == length ? 0 : -EINVAL;
}

static void path_of(const char *name, char path[PATH_BYTES])
{
    (void)snprintf(path, PATH_BYTES, FOLDER "/" PREFIX "%s", name);
}

int pc_shm_open_again(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDWR | O_CLOEXEC);
}

// Remove the name of a file if nobody uses it. 0: it was unused, and has no name now; -EWOULDBLOCK: it is in use.
static int remove_unused(int fd, const char *path)
{
    struct stat info;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    if (fstat(fd, &info) == 0 && info.st_nlink > 0)
        (void)unlink(path);
    return 0;
}

// Remove what killed users have left.
static void sweep(void)
{
    DIR *folder = opendir(FOLDER);
    if (folder == NULL)
        return;
    for (int seen = 0; seen < SWEEP_FILES;) {
        const struct dirent *entry = readdir(folder); // cppcheck-suppress readdirCalled ; the stream is this call's own
        if (entry == NULL)
            break;
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        seen++;
        struct stat info;
        int fd = openat(dirfd(folder), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        char path[sizeof FOLDER + sizeof entry->d_name];
        (void)snprintf(path, sizeof path, FOLDER "/%s", entry->d_name);
        if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid())
            (void)remove_unused(fd, path);
        (void)close(fd);
    }
    (void)closedir(folder);
}

// --- making ---

static int round_capacity(size_t wanted, uint64_t *capacity)
{
    if (wanted > PC_SHM_MAX_BYTES)
        return -EINVAL;
    uint64_t rounded = pc_shm_page_bytes() > PC_SHM_MIN_BYTES ? pc_shm_page_bytes() : PC_SHM_MIN_BYTES;
    while (rounded < wanted)
        rounded *= 2;
    *capacity = rounded;
    return 0;
}

// Give an empty file its size, for good: memory that is not there is found out now, not by SIGBUS later. Many a
// kernel gives all back at a signal, and under a fast timer trying again would never end: so signals wait. What else
// interrupts it (a debugger, a freezer) is rare.
static int allocate(int fd, uint64_t bytes)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int status;
    do {
        status = posix_fallocate(fd, 0, (off_t)bytes);
    } while (status == EINTR);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -status;
}

// Make a segment of an empty file.
static int fill(int fd, const char *name, uint64_t capacity, uint32_t tag)
{
    int status = allocate(fd, pc_shm_header_space() + capacity);
    if (status < 0)
        return status;
    pc_shm_header *header = mmap(NULL, pc_shm_header_space(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (header == MAP_FAILED)
        return -errno;
    header->magic = PC_SHM_MAGIC;
    header->version = PC_SHM_VERSION;
    header->header_bytes = sizeof *header;
    header->data_offset = pc_shm_header_space();
    header->capacity = capacity;
    header->tag = tag;
    memcpy(header->name, name, strlen(name) + 1);
    header->check = pc_shm_header_check(header);
    status = pc_shm_lock_init(&header->put.lock);
    if (status == 0)
        status = pc_shm_lock_init(&header->get.lock);
    if (status == 0)
        status = pc_shm_lock_init(&header->users_lock);
    (void)munmap(header, pc_shm_header_space());
    return status;
}

int pc_shm_create(size_t wanted, uint32_t tag, pc_shm **result)
{
    uint64_t capacity;
    int status = round_capacity(wanted, &capacity);
    if (status < 0)
        return status;
    int fd = memfd_create("perfcore-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    status = fill(fd, "", capacity, tag);
    if (status == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        status = -errno;
    if (status == 0)
        status = pc_shm_attach(fd, result);
    if (status < 0)
        (void)close(fd);
    return status;
}

// --- opening by name ---

// Open what has the name. -ENOENT: nothing; -EAGAIN: it is being made or removed, or was unused and is removed now.
static int open_existing(const char *path, int *result)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct stat info;
    int status = fstat(fd, &info) < 0 ? -errno : 0;
    if (status == 0 && (!S_ISREG(info.st_mode) || info.st_uid != geteuid()))
        status = S_ISREG(info.st_mode) ? -EPERM : -EBADMSG;
    if (status == 0)
        status = remove_unused(fd, path) == 0 ? -EAGAIN : 0;
    if (status == 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
        status = errno == EWOULDBLOCK ? -EAGAIN : -errno;
    if (status == 0)
        status = fstat(fd, &info) < 0 || info.st_nlink == 0 ? -EAGAIN : 0;
    if (status < 0)
        (void)close(fd);
    else
        *result = fd;
    return status;
}

// Make a segment and give it the name. -EAGAIN: another process was faster.
static int make_named(const char *name, const char *path, uint64_t capacity, uint32_t tag, int *result)
{
    int fd = open(FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return -errno;
    int status = fill(fd, name, capacity, tag);
    if (status == 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
        status = -errno;
    char itself[32];
    (void)snprintf(itself, sizeof itself, "/proc/self/fd/%d", fd);
    if (status == 0 && linkat(AT_FDCWD, itself, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
        status = errno == EEXIST ? -EAGAIN : -errno;
    if (status < 0)
        (void)close(fd);
    else
        *result = fd;
    return status;
}

int pc_shm_open(const char *name, size_t wanted, uint32_t tag, pc_shm **result)
{
    uint64_t capacity;
    if (pc_shm_name_check(name) < 0 || round_capacity(wanted, &capacity) < 0)
        return -EINVAL;
    char path[PATH_BYTES];
    path_of(name, path);
    sweep();
    int64_t deadline_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
    int fd = -1, status;
    while ((status = open_existing(path, &fd)) == -EAGAIN || status == -ENOENT) {
        if (status == -ENOENT)
            status = make_named(name, path, capacity, tag, &fd);
        if (status != -EAGAIN)
            break;
        if (pc_clock_now_ns(CLOCK_MONOTONIC) > deadline_ns)
            return -ETIMEDOUT;
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    if (status < 0)
        return status;
    status = pc_shm_attach(fd, result);
    if (status < 0) {
        (void)remove_unused(fd, path); // what was made for nobody would keep its memory until the next sweep
        (void)close(fd);
    }
    return status;
}

// --- using and leaving ---

void pc_shm_release(pc_shm *self)
{
    if (self->fd < 0)
        return;
    pc_shm_users_remove(self);
    // A descriptor that a forked child shares keeps its lock when it is closed here, so who is alone shows through a
    // lock of another one.
    int again = self->name[0] != '\0' ? pc_shm_open_again(self->fd) : -1;
    (void)close(self->fd);
    self->fd = -1;
    if (again >= 0) {
        char path[PATH_BYTES];
        path_of(self->name, path);
        (void)remove_unused(again, path);
        (void)close(again);
    }
}

void pc_shm_detach(pc_shm *self)
{
    pc_shm_release(self);
    (void)munmap(self->header, self->mapped_bytes);
    pc_free(self);
}

int pc_shm_fd(const pc_shm *self)
{
    return self->fd;
}

uint32_t pc_shm_tag(const pc_shm *self)
{
    return self->tag;
}

const char *pc_shm_name(const pc_shm *self)
{
    return self->name;
}
