// SPDX-License-Identifier: MIT
// Events that the processor or the kernel counts for one thread, by perf_event_open: instructions in user mode, which
// hardly vary from run to run; and the thread's running time, a software event that is there also where the processor's
// counters are not (most virtual machines), for tests.
//
// Invariant: a figure is exact or refused. A counter that had to share the processor's registers with others counts a
// part of the time, and its stop says -EAGAIN. Source: perf_event_open(2). Units: events; task clock in nanoseconds.
// Thread contract: open, start, stop and close happen on the thread that is counted.
#ifndef PC_COUNTERS_H
#define PC_COUNTERS_H

#include "base/pc_common.h"

typedef enum pc_counter_event { PC_COUNTER_INSTRUCTIONS, PC_COUNTER_TASK_CLOCK } pc_counter_event;

typedef struct pc_counter {
    int file; // -1: closed
} pc_counter;

// Make a counter of the calling thread that stands still. -EACCES or -EPERM where kernel.perf_event_paranoid or a
// seccomp filter forbids it, -ENOENT, -ENODEV or -EOPNOTSUPP where nothing counts this event, -ENOSYS without perf
// events, -EMFILE.
int pc_counter_open(pc_counter *counter, pc_counter_event event) PC_NODISCARD;

// Close it; allowed twice.
void pc_counter_close(pc_counter *counter);

// Begin at zero.
int pc_counter_start(pc_counter *counter) PC_NODISCARD;

// Stand still, and tell what was counted since the start. -EAGAIN if it was not counted all the time.
int pc_counter_stop(pc_counter *counter, uint64_t *count) PC_NODISCARD;

#endif
