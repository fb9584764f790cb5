// SPDX-License-Identifier: MIT
// Was this thread taken off its processor against its will during a round? Told for about 1 ns a round.
//
// Asking getrusage(RUSAGE_THREAD) for the involuntary context switches costs 210-240 ns, four times a short round. So
// the question is first put to the thread's rseq area (restartable sequences, Linux 4.18; registered by glibc 2.35):
// before the round its rseq_cs field is pointed at a descriptor of a critical section in which no code ever runs.
// Whenever the kernel has preempted, migrated or signalled the thread and returns to it, it finds the program counter
// outside that section and sets the field to zero, as rseq(2) specifies. Only then is getrusage asked, which tells an
// involuntary switch from a voluntary one (a sleep, a read). That is exact.
//
// Since Linux 6.19 the kernel may look at the field only where it has interrupted the program itself, not after a
// switch within a system call (its optimised mode, for registrations above 32 bytes, as glibc 2.41 makes them). Whether
// it does so is found out once in a process, by sleeping. Then, and without rseq (older glibc, an emulator), getrusage
// is asked once a millisecond of rounds too, and what is told is a lower bound.
//
// Thread contract: begin, the rounds and end happen on one thread.
#ifndef PC_PREEMPT_H
#define PC_PREEMPT_H

#include "base/pc_common.h"

typedef struct pc_preempt {
    volatile uint64_t *slot; // rseq_cs of this thread; NULL where there is none
    bool every;              // the kernel clears it after every switch
    uint64_t armed;          // address of the descriptor
    int64_t asked_ns;        // unless `every`: when getrusage was last asked
    long switches;           // involuntary switches of this thread at the last question
    long first;              // and at the beginning
} pc_preempt;

// Involuntary context switches of the calling thread since it began; 0 if the kernel does not say.
long pc_preempt_switches(void);

// Start watching the calling thread.
void pc_preempt_begin(pc_preempt *watch);

// Whether rseq answers for every switch, so that the count of interrupted rounds is exact.
static inline bool pc_preempt_exact(const pc_preempt *watch)
{
    return watch->every;
}

// Before a round.
static inline void pc_preempt_arm(const pc_preempt *watch)
{
    if (PC_LIKELY(watch->slot != NULL))
        *watch->slot = watch->armed;
}

// Whether the thread was switched out against its will since this was last asked: the slow half of pc_preempt_hit.
// Asked before a round, it leaves out what came before.
bool pc_preempt_ask(pc_preempt *watch);

// After a round that ended at `now_ns`: whether the thread was switched out against its will since the round was armed
// (where rseq does not tell: since the last question).
static inline bool pc_preempt_hit(pc_preempt *watch, int64_t now_ns)
{
    if (PC_LIKELY(watch->slot != NULL)) {
        if (PC_UNLIKELY(*watch->slot != watch->armed))
            return pc_preempt_ask(watch);
        if (PC_LIKELY(watch->every))
            return false;
    }
    if (now_ns - watch->asked_ns < 1000000)
        return false;
    watch->asked_ns = now_ns;
    return pc_preempt_ask(watch);
}

// Stop watching; returns the involuntary switches since begin, those between rounds included.
long pc_preempt_end(pc_preempt *watch);

#endif
