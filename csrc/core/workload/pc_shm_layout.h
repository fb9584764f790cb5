// SPDX-License-Identifier: MIT
// What lies in the shared memory of a pc_shm, and what a handle knows of it (see pc_shm.h). Private to pc_shm*.c.
//
// A handle uses its own copies of the sizes, taken when they were checked: nothing that a peer writes later moves an
// access out of bounds. Atomics are lock-free and so work between processes.
#ifndef PC_SHM_LAYOUT_H
#define PC_SHM_LAYOUT_H

#include "workload/pc_shm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "workload/pc_hash.h"

#define PC_SHM_MAGIC UINT64_C(0x31676e6972726570) // "perring1"

enum { PC_SHM_VERSION = 1, PC_SHM_LINE = 64 };

// One side of the ring: what putters (getters) share. The first line is touched under the lock alone.
typedef struct pc_shm_side {
    _Alignas(PC_SHM_LINE) pthread_mutex_t lock;
    uint64_t journal_position; // `position` after the change that is being made, ...
    uint64_t journal_items;    // ... and `items` after it
    uint64_t seen;             // a position of the other side, at most its present one: its line is read when this ends
    _Alignas(PC_SHM_LINE) _Atomic uint64_t position; // bytes since the ring was made
    _Atomic uint64_t items;
    _Atomic uint64_t recoveries;
    _Alignas(PC_SHM_LINE) _Atomic uint32_t sleepers; // 1: somebody may sleep until `position` moves
} pc_shm_side;

// A process. `pid` is written last, and 0 means free.
typedef struct pc_shm_user {
    _Atomic uint64_t pid;
    _Atomic uint64_t start_ticks;
} pc_shm_user;

typedef struct pc_shm_header {
    uint64_t magic;
    uint32_t version;
    uint32_t header_bytes; // sizeof(pc_shm_header): differs where another C library has other locks
    uint64_t data_offset;
    uint64_t capacity;
    uint32_t tag;
    char name[PC_SHM_NAME_BYTES];
    uint64_t check;                                // over what is above
    _Alignas(PC_SHM_LINE) _Atomic uint32_t closed; // set under the putters' lock
    pc_shm_side put;
    pc_shm_side get;
    _Alignas(PC_SHM_LINE) pthread_mutex_t users_lock;
    pc_shm_user users[PC_SHM_USERS];
} pc_shm_header;

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics must work between processes");

// Before each message.
typedef struct pc_shm_record {
    uint32_t length;
    uint32_t kind;
} pc_shm_record;

_Static_assert(sizeof(pc_shm_record) == PC_SHM_RECORD_BYTES, "the size is part of the interface");

// How well looking out for a moment, before sleeping, has gone of late.
typedef struct pc_shm_lookout {
    _Atomic uint32_t misses; // in a row
    _Atomic uint32_t rest;   // waits left without looking out
} pc_shm_lookout;

struct pc_shm {
    pc_shm_header *header;
    unsigned char *data; // `capacity` bytes, and the same again
    size_t capacity;
    size_t mapped_bytes;
    int fd;
    uint32_t tag;
    int lock_kind;     // of a sound lock, in the C library's terms
    pc_shm_user *user; // NULL where the table was full
    bool looks_out;    // more than one processor
    pc_shm_lookout lookout[2];
    char name[PC_SHM_NAME_BYTES];
};

static inline uint64_t pc_shm_record_size(size_t length)
{
    return PC_SHM_RECORD_BYTES + (((uint64_t)length + 7) & ~(uint64_t)7);
}

// --- pc_shm_segment.c, pc_shm_attach.c ---

static inline uint64_t pc_shm_page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static inline uint64_t pc_shm_header_space(void)
{
    return (sizeof(pc_shm_header) + pc_shm_page_bytes() - 1) & ~(pc_shm_page_bytes() - 1);
}

static inline uint64_t pc_shm_header_check(const pc_shm_header *header)
{
    return pc_hash_bytes((const char *)header, offsetof(pc_shm_header, check));
}

// Whether a name is one of a ring: 0 or -EINVAL.
int pc_shm_name_check(const char *name) PC_NODISCARD;

// A descriptor with locks of its own for the same file.
int pc_shm_open_again(int fd) PC_NODISCARD;

// --- pc_shm_lock.c ---

int pc_shm_lock_init(pthread_mutex_t *lock) PC_NODISCARD;

// The kind of a lock that pc_shm_lock_init made; a lock of another kind is damaged.
int pc_shm_lock_kind(const pthread_mutex_t *lock);

// Take a lock until a time, or PC_SHM_NOW. 0, or 1 where its holder died: then put right what it guards, and call
// pc_shm_lock_repaired. -EBUSY (PC_SHM_NOW), -ETIMEDOUT, -EBADMSG.
int pc_shm_lock_take(const pc_shm *self, pthread_mutex_t *lock, int64_t until_ns) PC_NODISCARD;
void pc_shm_lock_repaired(pthread_mutex_t *lock);
void pc_shm_lock_release(pthread_mutex_t *lock);

// Sleep while the word is 1, until a time at most. 0 when woken or it was not 1; -ETIMEDOUT; -EINTR.
int pc_shm_sleep(_Atomic uint32_t *word, int64_t until_ns) PC_NODISCARD;

// Wake `count` of those who sleep on the word, after setting it to 0.
void pc_shm_wake(_Atomic uint32_t *word, int count);

// --- pc_shm_users.c ---

void pc_shm_users_add(pc_shm *self);
void pc_shm_users_remove(pc_shm *self);

#endif
