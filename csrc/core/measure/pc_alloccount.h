// SPDX-License-Identifier: MIT
// Counters of allocations: one set per thread, and the bytes that are live, with their peak, for all threads together.
//
// Invariants: a thread's counts are written by that thread alone and only grow, also when a later thread takes over the
// record of one that ended, so that their sum only grows. Live bytes are kept twice: of the allocators that are called
// with the GIL (one writer at a time, so plain additions do, unless interpreters have a GIL each: `shared`) and of the
// others (atomic additions). A peak is that of the sum, as either side saw it.
//
// Thread contract: any thread, without a lock; reading is exact when no other thread allocates. Units: bytes, calls.
#ifndef PC_ALLOCCOUNT_H
#define PC_ALLOCCOUNT_H

#include <stdalign.h>
#include <stdatomic.h>

#include "base/pc_common.h"

typedef enum pc_alloc_kind {
    PC_ALLOC_ALLOCATIONS,
    PC_ALLOC_FREES,         // of blocks that were tracked
    PC_ALLOC_REALLOCATIONS, // of blocks, not of NULL, which are allocations
    PC_ALLOC_BYTES,         // requested by allocations, and by reallocations beyond the old size
    PC_ALLOC_UNKNOWN_FREES, // of blocks that were not tracked, by free or realloc
    PC_ALLOC_UNTRACKED,     // blocks that could not be tracked for want of memory
    PC_ALLOC_ADOPTED,       // blocks that are tracked since a reallocation
    PC_ALLOC_KINDS
} pc_alloc_kind;

typedef struct pc_alloc_thread {
    _Atomic(uint64_t) counts[PC_ALLOC_KINDS];
    unsigned inside;                        // in a hook: what is called from there is not counted. The owner's alone
    _Atomic(bool) owned;                    // by a thread that has not ended
    _Atomic(int64_t) id;                    // the owner's, as the caller of pc_alloccount_join names it
    _Atomic(uint64_t) turn;                 // which owner it is: an id may come again
    _Atomic(uint64_t) base[PC_ALLOC_KINDS]; // what earlier owners had counted
    struct pc_alloc_thread *next;
} pc_alloc_thread;

typedef struct pc_alloc_level {
    alignas(64) _Atomic(int64_t) live;
    _Atomic(int64_t) peak;
} pc_alloc_level;

typedef struct pc_alloccount {
    pc_alloc_level locked;   // changed with the GIL held
    pc_alloc_level unlocked; // changed by anybody
    alignas(64) _Atomic(bool) shared;
    _Atomic(pc_alloc_thread *) threads; // pushed in front, never removed
    _Atomic(uint64_t) lost;             // calls of threads for which there was no memory
} pc_alloccount;

typedef struct pc_alloc_totals {
    uint64_t counts[PC_ALLOC_KINDS];
    uint64_t lost; // calls that are in no count
    int64_t live;  // bytes
} pc_alloc_totals;

// A record for the calling thread, new or one whose owner has ended. NULL without memory.
pc_alloc_thread *pc_alloccount_join(pc_alloccount *count, int64_t id) PC_NODISCARD;

// The owner ends.
void pc_alloccount_leave(pc_alloc_thread *thread);

// In the child of a fork, where no other thread lives: all records but `mine` lose their owners.
void pc_alloccount_forked(pc_alloccount *count, const pc_alloc_thread *mine);

// The sums over all threads.
void pc_alloccount_read(pc_alloccount *count, pc_alloc_totals *totals);

// The next thread after `thread` (NULL: the first) that has not ended, with what it has counted itself. NULL: no more.
pc_alloc_thread *pc_alloccount_next(pc_alloccount *count, pc_alloc_thread *thread, uint64_t *counts);

// Return the peak of the live bytes since the last call, and begin a new one.
int64_t pc_alloccount_take_peak(pc_alloccount *count);

// Count by the owner of `thread`.
static inline void pc_alloc_thread_add(pc_alloc_thread *thread, pc_alloc_kind kind, uint64_t amount)
{
    // Relaxed, and no read-modify-write: there is one writer, and readers want no order.
    uint64_t before = atomic_load_explicit(&thread->counts[kind], memory_order_relaxed);
    atomic_store_explicit(&thread->counts[kind], before + amount, memory_order_relaxed);
}

// Raise the peak of `level` to `total`, by one of several writers.
static inline void pc_alloc_level_raise(pc_alloc_level *level, int64_t total)
{
    int64_t peak = atomic_load_explicit(&level->peak, memory_order_relaxed);
    while (total > peak && !atomic_compare_exchange_weak_explicit(&level->peak, &peak, total, memory_order_relaxed,
                                                                  memory_order_relaxed)) {
    }
}

// Add to the live bytes. `locked`: the caller holds the GIL. All relaxed: these are figures, they order nothing.
static inline void pc_alloccount_live(pc_alloccount *count, bool locked, int64_t change)
{
    pc_alloc_level *level = locked ? &count->locked : &count->unlocked;
    pc_alloc_level *other = locked ? &count->unlocked : &count->locked;
    if (PC_LIKELY(locked && !atomic_load_explicit(&count->shared, memory_order_relaxed))) { // the only writer
        int64_t live = atomic_load_explicit(&level->live, memory_order_relaxed) + change;
        atomic_store_explicit(&level->live, live, memory_order_relaxed);
        int64_t total = live + atomic_load_explicit(&other->live, memory_order_relaxed);
        if (change > 0 && total > atomic_load_explicit(&level->peak, memory_order_relaxed))
            atomic_store_explicit(&level->peak, total, memory_order_relaxed);
    } else {
        int64_t live = atomic_fetch_add_explicit(&level->live, change, memory_order_relaxed) + change;
        if (change > 0)
            pc_alloc_level_raise(level, live + atomic_load_explicit(&other->live, memory_order_relaxed));
    }
}

#endif
