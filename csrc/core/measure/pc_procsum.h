// SPDX-License-Identifier: MIT
// Figures of a process that the kernel, or the reader, has to add up: what its threads have waited for a processor, and
// its share of memory. Too dear for a sampler that was not asked for them: no descriptor is kept.
//
// Source: proc(5); the kernel's Documentation/scheduler/sched-stats.rst. Units: in the names. Thread contract: any
// thread.
#ifndef PC_PROCSUM_H
#define PC_PROCSUM_H

#include "base/pc_common.h"

// The time that the threads alive now were ready to run without a processor, from a descriptor of /proc/PID. -ENODATA
// where the kernel does not say, -EMFILE, -ENFILE, -ENOMEM.
int pc_procsum_read_wait(int directory, uint64_t *wait_ns) PC_NODISCARD;

// Proportional and unique resident memory, from a descriptor of /proc/PID. Errors as above; -ENODATA also where the
// process may not be traced.
int pc_procsum_read_shares(int directory, uint64_t *pss_bytes, uint64_t *uss_bytes) PC_NODISCARD;

#endif
