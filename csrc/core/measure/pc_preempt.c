// SPDX-License-Identifier: MIT
// Watching for preemption through rseq (see the header).
//
// The kernel kills a process whose rseq_cs points at a malformed descriptor, so ours is well formed: version 0, no
// flags, a section of one byte that holds data and no code, and an abort address outside the section with the
// registered signature in the four bytes before it. All of it is constant and stays mapped as long as a slot can point
// at it: from arm to end.
#include "measure/pc_preempt.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#if defined(__has_include) && (defined(__x86_64__) || defined(__aarch64__))
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define HAVE_RSEQ 1
#endif
#endif
#ifndef HAVE_RSEQ
#define HAVE_RSEQ 0
#endif

long pc_preempt_switches(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nivcsw : 0;
}

#if HAVE_RSEQ

static const struct {
    uint32_t signature;
    uint32_t landing;
} nowhere __attribute__((aligned(8))) = {RSEQ_SIG, 0};

static char *thread_pointer(void)
{
    char *pointer;
#if defined(__x86_64__)
    __asm__("mov %%fs:0, %0" : "=r"(pointer));
#else
    __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
#endif
    return pointer;
}

static const struct rseq_cs *descriptor(void)
{
    // Filled in by the loader: static data may hold addresses.
    static const struct {
        uint32_t version;
        uint32_t flags;
        const void *start;
        uint64_t length;
        const void *abort;
    } section __attribute__((aligned(32))) = {0, 0, &nowhere.signature, 1, &nowhere.landing};
    static_assert(sizeof section == sizeof(struct rseq_cs), "the kernel's layout of struct rseq_cs");
    return (const struct rseq_cs *)(const void *)&section;
}

static void find_slot(pc_preempt *watch)
{
    // __rseq_size is 0 when glibc could not register (an old kernel, valgrind, a tunable).
    if (__rseq_size == 0)
        return;
    struct rseq *area = (struct rseq *)(void *)(thread_pointer() + __rseq_offset);
    if ((int32_t)area->cpu_id < 0)
        return;
    watch->slot = (volatile uint64_t *)&area->rseq_cs;
    watch->armed = (uint64_t)(uintptr_t)descriptor();
}

#else

static void find_slot(pc_preempt *watch)
{
    (void)watch;
}

#endif

// Whether the kernel clears the slot after a switch within a system call too, a voluntary one. Most of a few sleeps
// tell: one may be over before it has begun, and an interrupt may come beside another.
static bool clears_after_every_switch(const pc_preempt *watch)
{
    enum { UNKNOWN, EVERY, SOME, SLEEPS = 3, SLEEP_NS = 50000 };
    static _Atomic(int) known; // relaxed: threads that ask at once find the same
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == UNKNOWN) {
        const struct timespec sleep = {0, SLEEP_NS};
        int cleared = 0;
        for (int i = 0; i < SLEEPS; i++) {
            pc_preempt_arm(watch);
            (void)nanosleep(&sleep, NULL);
            cleared += *watch->slot != watch->armed;
        }
        *watch->slot = 0;
        answer = 2 * cleared > SLEEPS ? EVERY : SOME;
        atomic_store_explicit(&known, answer, memory_order_relaxed);
    }
    return answer == EVERY;
}

void pc_preempt_begin(pc_preempt *watch)
{
    *watch = (pc_preempt){.slot = NULL};
    find_slot(watch);
    watch->every = watch->slot != NULL && clears_after_every_switch(watch);
    watch->switches = pc_preempt_switches();
    watch->first = watch->switches;
}

bool pc_preempt_ask(pc_preempt *watch)
{
    long switches = pc_preempt_switches();
    bool hit = switches != watch->switches;
    watch->switches = switches;
    return hit;
}

long pc_preempt_end(pc_preempt *watch)
{
    if (watch->slot != NULL)
        *watch->slot = 0;
    watch->slot = NULL;
    watch->every = false;
    return pc_preempt_switches() - watch->first;
}
