// SPDX-License-Identifier: MIT
// A handle of a segment: what lies in the file is checked, mapped and checked again (see pc_shm.h).
#include "workload/pc_shm_layout.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/pc_alloc.h"

enum { FIXED_BYTES = offsetof(pc_shm_header, closed) };

// Map a part of a file over what was reserved for it.
static int map_at(unsigned char *at, size_t bytes, int fd, uint64_t offset)
{
    const void *mapped = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
    return mapped == MAP_FAILED ? -errno : 0; // cppcheck-suppress memleak ; the reservation is what is unmapped
}

// Map the header, the data, and the data once more.
static int map(pc_shm *self, int fd, uint64_t data_offset, uint64_t capacity)
{
    size_t once = data_offset + capacity, all = once + capacity;
    // cppcheck-suppress invalidFunctionArg ; -1 goes with MAP_ANONYMOUS
    unsigned char *base = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return -errno;
    int status = map_at(base, once, fd, 0);
    if (status == 0)
        status = map_at(base + once, capacity, fd, data_offset);
    if (status < 0) {
        (void)munmap(base, all);
        return status;
    }
    self->header = (pc_shm_header *)(void *)base;
    self->data = base + data_offset;
    self->capacity = capacity;
    self->mapped_bytes = all;
    return 0;
}

// Check a header, a copy of it that cannot change, against the size of its file.
static int check_header(const pc_shm_header *header, off_t file_bytes)
{
    if (header->magic != PC_SHM_MAGIC || header->version != PC_SHM_VERSION ||
        header->check != pc_shm_header_check(header) || header->header_bytes != sizeof *header ||
        header->data_offset != pc_shm_header_space() || header->capacity < pc_shm_page_bytes() ||
        header->capacity > PC_SHM_MAX_BYTES || (header->capacity & (header->capacity - 1)) != 0 ||
        (uint64_t)file_bytes != header->data_offset + header->capacity)
        return -EBADMSG;
    return header->name[0] == '\0' || pc_shm_name_check(header->name) == 0 ? 0 : -EBADMSG;
}

// Whether the positions can be those of a ring, which others may be moving: at each moment the putters' is ahead of the
// getters' by the capacity at most, and neither goes back.
static int check_positions(const pc_shm *self)
{
    const pc_shm_header *header = self->header;
    uint64_t before = atomic_load(&header->get.position), put = atomic_load(&header->put.position);
    uint64_t got = atomic_load(&header->get.position);
    if (put < before || (put > got && put - got > self->capacity) || put % 8 != 0 || got % 8 != 0)
        return -EBADMSG;
    const pthread_mutex_t *locks[] = {&header->put.lock, &header->get.lock, &header->users_lock};
    for (size_t i = 0; i < 3; i++) {
        if (pc_shm_lock_kind(locks[i]) != self->lock_kind)
            return -EBADMSG;
    }
    return 0;
}

static int read_sound_kind(int *kind)
{
    pthread_mutex_t sound;
    int status = pc_shm_lock_init(&sound);
    if (status < 0)
        return status;
    *kind = pc_shm_lock_kind(&sound);
    (void)pthread_mutex_destroy(&sound);
    return 0;
}

static int attach(pc_shm *self, int fd)
{
    pc_shm_header header = {0}; // what does not change of it
    struct stat info;
    if (fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode) || info.st_uid != geteuid())
        return S_ISREG(info.st_mode) ? -EPERM : -EBADMSG;
    if (pread(fd, &header, FIXED_BYTES, 0) != (ssize_t)FIXED_BYTES)
        return -EBADMSG;
    int status = check_header(&header, info.st_size);
    if (status == 0)
        status = read_sound_kind(&self->lock_kind);
    if (status < 0)
        return status;
    // Through another descriptor: a mapping holds on to its own one, and to the flock that goes with that.
    int again = pc_shm_open_again(fd);
    if (again < 0)
        return -errno;
    status = map(self, again, header.data_offset, header.capacity);
    (void)close(again);
    if (status < 0)
        return status;
    status = check_positions(self);
    if (status < 0) {
        (void)munmap(self->header, self->mapped_bytes);
        return status;
    }
    cpu_set_t processors;
    self->looks_out = sched_getaffinity(0, sizeof processors, &processors) < 0 || CPU_COUNT(&processors) > 1;
    self->fd = fd;
    self->tag = header.tag;
    memcpy(self->name, header.name, sizeof self->name);
    pc_shm_users_add(self);
    return 0;
}

int pc_shm_attach(int fd, pc_shm **result)
{
    pc_shm *self = pc_alloc_zero(1, sizeof *self);
    if (self == NULL)
        return -ENOMEM;
    int status = attach(self, fd);
    if (status < 0)
        pc_free(self);
    else
        *result = self;
    return status;
}
