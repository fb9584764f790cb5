// SPDX-License-Identifier: MIT
// CLOCK_MONOTONIC read as the processor's time-stamp counter: what the vDSO does, without the call, its sequence lock
// and its conversion. A fenced reading costs 18 ns where clock_gettime costs 26 (EPYC, Linux 6.18), and less of it lies
// between the readings of a round.
//
// Only where the kernel itself keeps time by that counter (it watches it, and drops it when it is not in step between
// processors): x86-64, an invariant counter, clock source "tsc", and no prctl(PR_SET_TSC) against it. Elsewhere
// pc_tsc_open says so, and clock_gettime is read.
//
// The rate comes from two readings of both clocks, the first taken at pc_tsc_open, at least PC_TSC_BASELINE_NS apart:
// each is good to half the time between its two readings of the clock, some 25 ns, so the rate to 1e-5 at once and far
// better later. A run of rounds is checked against the clock at its end (pc_tsc_agrees).
//
// Thread contract: single owner, except pc_tsc_read: any thread. Units: ticks of the counter; nanoseconds.
#ifndef PC_TSC_H
#define PC_TSC_H

#include "base/pc_common.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

enum { PC_TSC_BASELINE_NS = 5000000 };

// Both clocks at one moment, and how well it is known: the clock's own time between its two readings.
typedef struct pc_tsc_moment {
    uint64_t ticks;
    int64_t ns;
    int64_t window_ns;
} pc_tsc_moment;

typedef struct pc_tsc {
    bool usable;
    double ns_per_tick; // 0 until pc_tsc_refresh
    pc_tsc_moment first;
} pc_tsc;

// Read the counter after everything before it is done. Only when pc_tsc_open found it usable.
static inline uint64_t pc_tsc_read(void)
{
#if defined(__x86_64__)
    _mm_lfence();
    return __rdtsc();
#else
    return 0;
#endif
}

// Find out whether the counter is usable. `source` is the file that names the kernel's clock source, normally
// PC_TSC_SOURCE.
void pc_tsc_open(pc_tsc *tsc, const char *source);

extern const char PC_TSC_SOURCE[];

// Both clocks now.
pc_tsc_moment pc_tsc_now(void);

// Bring the rate up to date and return the moment it was done at. Waits until the baseline is long enough. Where
// counter and clock have parted since the last time, the counter is not usable any more.
pc_tsc_moment pc_tsc_refresh(pc_tsc *tsc);

// What two readings in a row cost: the midmean over `pairs` pairs. -ENOMEM.
int pc_tsc_pair_ns(pc_tsc *tsc, size_t pairs, double *midmean_ns) PC_NODISCARD;

// Whether the counter and the clock tell the same time between two moments: within 0.1 % and what the two are known to.
// They do not after a suspend, a migration of the virtual machine, or a step of the counter.
bool pc_tsc_agrees(const pc_tsc *tsc, const pc_tsc_moment *start, const pc_tsc_moment *end) PC_NODISCARD;

#endif
