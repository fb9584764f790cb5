// SPDX-License-Identifier: MIT
// pc_shm: a ring of messages in shared memory, for any number of putting and getting processes and threads, any of
// which may be killed at any instruction.
//
// A message is a run of bytes and a 32-bit kind; it lies in a circle of `capacity` bytes, mapped twice in a row so that
// nothing ever wraps. Two positions, counted in bytes since the ring was made, are all the state that matters:
//
//   - who puts holds the putters' lock, writes messages behind the put position, and moves it past them by one store;
//   - who gets holds the getters' lock, copies messages into memory of its own, and moves the get position by one
//   store.
//
// The locks are robust: the kernel passes on what a dead thread held. As each store above is the whole change, a
// process killed before it has changed nothing, and one killed after it is done. Hence the guarantee: a message is
// published whole or not at all, stays until one getter has a copy, and is given to no second one. A getter killed
// afterwards takes along what it was given: at most the messages of the one call it was in, and those it had not yet
// worked on. The counts of messages are kept beside the positions; a journal sets them right after a death (pc_shm.c).
//
// Sleepers: a word for each side, 1 while somebody sleeps until that side moves; who moves it wakes. A process that
// dies between moving and waking costs the sleeper PC_SHM_SLICE_NS: nobody sleeps longer without looking.
//
// Lifetime: without a name the segment is a memfd, which ends with its last descriptor or mapping. With one it is a
// file of /dev/shm on which every user holds a shared flock, which ends with the process: who can lock it exclusively
// is alone, and removes it. So a segment whose users were all killed is removed by the next process that makes or opens
// one.
//
// Trust: a segment is opened only if it belongs to the caller's user. Sizes and positions are checked all the same, so
// that a damaged segment gives -EBADMSG and no access out of bounds.
//
// Thread contract: any thread, except pc_shm_detach and pc_shm_after_fork, which want the handle alone. Times are
// nanoseconds of CLOCK_MONOTONIC. No call may be made from a signal handler.
#ifndef PC_SHM_H
#define PC_SHM_H

#include "base/pc_common.h"

#include <sys/types.h>

enum {
    PC_SHM_NAME_BYTES = 200,      // of a name, with the NUL
    PC_SHM_USERS = 256,           // processes that pc_shm_users can name; there may be more
    PC_SHM_RECORD_BYTES = 8,      // what a message takes beside its bytes, which are rounded up to a multiple of 8
    PC_SHM_SLICE_NS = 100000000,  // the longest sleep without looking at signals and for the dead
    PC_SHM_BATCH_BYTES = 1 << 18, // more than one message is got at once up to so many bytes
};

#define PC_SHM_MIN_BYTES ((size_t)4096)
#define PC_SHM_MAX_BYTES ((size_t)1 << 31)

typedef struct pc_shm pc_shm;

// One message to put.
typedef struct pc_shm_piece {
    const void *data;
    size_t length;
    uint32_t kind;
} pc_shm_piece;

// Messages that were got, in order; read by pc_shm_batch_next. `next` is for the caller.
typedef struct pc_shm_batch {
    struct pc_shm_batch *next;
    size_t capacity;
    size_t at;    // where the next message begins
    size_t end;   // of the messages
    size_t count; // of messages from there on
    _Alignas(8) unsigned char bytes[];
} pc_shm_batch;

typedef struct pc_shm_state {
    size_t capacity;
    uint64_t puts; // messages since the ring was made
    uint64_t gets;
    uint64_t recoveries; // locks taken over from the dead
    bool closed;
} pc_shm_state;

// --- segments (pc_shm_segment.c, pc_shm_attach.c) ---

// Make a segment without a name. `capacity` is rounded up to a power of two of at least a page; `tag` is the caller's.
// -EINVAL beyond PC_SHM_MAX_BYTES; -errno of the system: -ENOSPC and -ENOMEM where there is no memory.
int pc_shm_create(size_t capacity, uint32_t tag, pc_shm **result) PC_NODISCARD;

// Open the segment of this name, or make it; the `capacity` and `tag` of one that exists stay. -EINVAL for a name that
// is not 1 to 199 of [A-Za-z0-9._-], -EBADMSG for a file that is no such segment, -EPERM for another user's,
// -ETIMEDOUT.
int pc_shm_open(const char *name, size_t capacity, uint32_t tag, pc_shm **result) PC_NODISCARD;

// Use the segment of a descriptor, which then belongs to the handle; it stays the caller's on failure.
int pc_shm_attach(int fd, pc_shm **result) PC_NODISCARD;

// Let go of the handle and the memory; the last user of a name removes it.
void pc_shm_detach(pc_shm *self);

// Do of this what other processes see, and leave the memory mapped: for the end of a process that has threads in it.
void pc_shm_release(pc_shm *self);

// In the child of a fork: become a user of one's own.
void pc_shm_after_fork(pc_shm *self);

int pc_shm_fd(const pc_shm *self); // -1 once released
uint32_t pc_shm_tag(const pc_shm *self);
const char *pc_shm_name(const pc_shm *self); // "" for none
size_t pc_shm_largest(const pc_shm *self);   // bytes of the longest message that fits
bool pc_shm_is_empty(const pc_shm *self);
void pc_shm_look(const pc_shm *self, pc_shm_state *state);

// The processes that use the segment and are alive, each once for every handle; how many.
size_t pc_shm_users(pc_shm *self, pid_t pids[PC_SHM_USERS]);

// --- messages (pc_shm.c) ---

// How long a call may take: until a time, or without waiting for the other side: with PC_SHM_NOW not even for the lock,
// with PC_SHM_SOON for that, which takes microseconds unless its holder is stopped; a slice at most.
#define PC_SHM_FOREVER INT64_MAX
#define PC_SHM_NOW ((int64_t)-1)
#define PC_SHM_SOON ((int64_t)-2)

// Put the first messages of `count` > 0, as many as there is room for, and at least one; say how many.
// -EAGAIN: there was no room, not yet (a signal came, a slice is over, no wait was wanted: call again, or give up);
// -EBUSY: with PC_SHM_NOW, the lock is held; -ETIMEDOUT; -EMSGSIZE: the first one can never fit; -EPIPE: closed;
// -EBADMSG: damaged.
int pc_shm_put(pc_shm *self, const pc_shm_piece *pieces, size_t count, int64_t deadline_ns, size_t *done) PC_NODISCARD;

// Get 1 to `limit` > 0 messages into *batch, which is made or grown where needed (NULL is allowed; free it with
// pc_free). -EAGAIN, -EBUSY, -ETIMEDOUT, -EBADMSG as above; -EPIPE: closed and drained; -ENOMEM: with the message still
// in. With PC_SHM_NOW also -EBUSY: the first message takes more than PC_SHM_BATCH_BYTES.
int pc_shm_get(pc_shm *self, size_t limit, int64_t deadline_ns, pc_shm_batch **batch) PC_NODISCARD;

// The next message of a batch; false at the end. Its bytes lie in the batch.
bool pc_shm_batch_next(pc_shm_batch *batch, pc_shm_piece *piece);

// Take no more messages, for all users; what is in can still be got. -EAGAIN after a slice in which the lock was not to
// be had: call again. -EBADMSG.
int pc_shm_close(pc_shm *self) PC_NODISCARD;

// --- waiting for others, who then put or get themselves (pc_shm.c) ---

// Where the side stands that moves what getters (or putters) wait for.
uint64_t pc_shm_position(const pc_shm *self, bool getting);

// Sleep until there is a message to get, or for a putter until the getters have left `position`; or until the end. 0,
// or -EAGAIN: not yet (woken, a signal, or a slice is over).
int pc_shm_watch(pc_shm *self, bool getting, uint64_t position) PC_NODISCARD;

// Wake one who sleeps until there is something to get (or room): the caller was woken for it, and leaves it.
void pc_shm_pass_on(pc_shm *self, bool getting);

// Wake every sleeper, of all processes; each looks again.
void pc_shm_wake_all(pc_shm *self);

#endif
