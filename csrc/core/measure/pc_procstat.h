// SPDX-License-Identifier: MIT
// System-wide readings through libproc2. Steal time: what the hypervisor gave to others while a virtual CPU wanted to
// run. Thread contract: any thread, one context per thread.
#ifndef PC_PROCSTAT_H
#define PC_PROCSTAT_H

#include "base/pc_common.h"

// Steal time of all processors since boot, in nanoseconds (the kernel counts it in ticks of 10 ms). -errno of libproc2.
int pc_procstat_steal_ns(int64_t *steal_ns) PC_NODISCARD;

#endif
