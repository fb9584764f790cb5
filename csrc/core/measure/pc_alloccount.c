// SPDX-License-Identifier: MIT
// Counters of allocations (see the header): the records of threads, and reading.
#include "measure/pc_alloccount.h"

#include "base/pc_alloc.h"

static uint64_t load(_Atomic(uint64_t) *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

// Take over the record of a thread that ended. NULL where there is none.
static pc_alloc_thread *record_reuse(pc_alloccount *count, int64_t id)
{
    // Acquire: pairs with the release of the push below.
    pc_alloc_thread *thread = atomic_load_explicit(&count->threads, memory_order_acquire);
    for (; thread != NULL; thread = thread->next) {
        bool owned = false;
        // Acquire: pairs with the release of pc_alloccount_leave, so that the last owner's counts are seen.
        if (!atomic_compare_exchange_strong_explicit(&thread->owned, &owned, true, memory_order_acquire,
                                                     memory_order_relaxed))
            continue;
        for (size_t kind = 0; kind < PC_ALLOC_KINDS; kind++)
            atomic_store_explicit(&thread->base[kind], load(&thread->counts[kind]), memory_order_relaxed);
        atomic_store_explicit(&thread->id, id, memory_order_relaxed);
        atomic_fetch_add_explicit(&thread->turn, 1, memory_order_relaxed);
        thread->inside = 0;
        return thread;
    }
    return NULL;
}

pc_alloc_thread *pc_alloccount_join(pc_alloccount *count, int64_t id)
{
    pc_alloc_thread *thread = record_reuse(count, id);
    if (thread != NULL)
        return thread;
    thread = pc_alloc_zero(1, sizeof *thread);
    if (thread == NULL)
        return NULL;
    atomic_init(&thread->owned, true);
    atomic_init(&thread->id, id);
    atomic_init(&thread->turn, 0);
    thread->next = atomic_load_explicit(&count->threads, memory_order_relaxed);
    // Release: pairs with the acquires of those who walk the list.
    while (!atomic_compare_exchange_weak_explicit(&count->threads, &thread->next, thread, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    return thread;
}

void pc_alloccount_leave(pc_alloc_thread *thread)
{
    // Release: pairs with the acquire of the thread that takes the record over.
    atomic_store_explicit(&thread->owned, false, memory_order_release);
}

void pc_alloccount_forked(pc_alloccount *count, const pc_alloc_thread *mine)
{
    pc_alloc_thread *thread = atomic_load_explicit(&count->threads, memory_order_acquire);
    for (; thread != NULL; thread = thread->next) {
        if (thread != mine)
            pc_alloccount_leave(thread);
    }
}

void pc_alloccount_read(pc_alloccount *count, pc_alloc_totals *totals)
{
    pc_alloc_totals sum = {.counts = {0}};
    // Acquire: pairs with the release of the push.
    pc_alloc_thread *thread = atomic_load_explicit(&count->threads, memory_order_acquire);
    for (; thread != NULL; thread = thread->next) {
        for (size_t kind = 0; kind < PC_ALLOC_KINDS; kind++)
            sum.counts[kind] += load(&thread->counts[kind]);
    }
    sum.lost = load(&count->lost);
    sum.live = atomic_load_explicit(&count->locked.live, memory_order_relaxed) +
               atomic_load_explicit(&count->unlocked.live, memory_order_relaxed);
    *totals = sum;
}

pc_alloc_thread *pc_alloccount_next(pc_alloccount *count, pc_alloc_thread *thread, uint64_t *counts)
{
    // Acquire: pairs with the release of the push.
    thread = thread != NULL ? thread->next : atomic_load_explicit(&count->threads, memory_order_acquire);
    while (thread != NULL && !atomic_load_explicit(&thread->owned, memory_order_relaxed))
        thread = thread->next;
    if (thread != NULL) {
        for (size_t kind = 0; kind < PC_ALLOC_KINDS; kind++)
            counts[kind] = load(&thread->counts[kind]) - load(&thread->base[kind]);
    }
    return thread;
}

int64_t pc_alloccount_take_peak(pc_alloccount *count)
{
    int64_t live = atomic_load_explicit(&count->locked.live, memory_order_relaxed) +
                   atomic_load_explicit(&count->unlocked.live, memory_order_relaxed);
    int64_t locked = atomic_exchange_explicit(&count->locked.peak, live, memory_order_relaxed);
    int64_t unlocked = atomic_exchange_explicit(&count->unlocked.peak, live, memory_order_relaxed);
    return locked > unlocked ? locked : unlocked;
}
