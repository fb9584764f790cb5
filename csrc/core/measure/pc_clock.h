// SPDX-License-Identifier: MIT
// Reading a POSIX clock. CLOCK_MONOTONIC goes through the vDSO (18-26 ns here; pc_tsc.h is faster); the CPU-time
// clocks are system calls (140-200 ns). Unit: nanoseconds since the clock's own origin. Thread contract: any
// thread.
#ifndef PC_CLOCK_H
#define PC_CLOCK_H

#include <time.h>

#include "base/pc_common.h"

enum { PC_NS_PER_S = 1000000000 };

// Read `clock`. It must be one that pc_clock_check accepts: the result of clock_gettime is not looked at again.
static inline int64_t pc_clock_now_ns(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * PC_NS_PER_S + now.tv_nsec;
}

// 0 if the kernel knows `clock`, else -EINVAL.
int pc_clock_check(clockid_t clock) PC_NODISCARD;

// The mean of the middle half of `count` > 0 gaps, which it sorts. A clock of 1 ns steps quantises a gap of 17.6 ns to
// 17 or 18; the mean keeps the fraction, and leaves out the gaps with a disturbance in them.
double pc_clock_midmean(int64_t *gaps, size_t count);

// The midmean (mean of the middle half) cost of two readings in a row with nothing between, over `pairs` pairs: what a
// round of one call has on top of the call. -ENOMEM.
int pc_clock_pair_ns(clockid_t clock, size_t pairs, double *midmean_ns) PC_NODISCARD;

// The smallest step above zero that `pairs` pairs of readings showed; 0 if the clock never moved.
int64_t pc_clock_step_ns(clockid_t clock, size_t pairs);

#endif
