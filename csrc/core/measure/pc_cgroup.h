// SPDX-License-Identifier: MIT
// What a process's control group (version 2) uses, what it may use, and how often it was held back. What the kernel
// does not give is absent, never 0: a limit that is not set, a controller that is not enabled for the group (or is
// still version 1's), a file of a later kernel.
//
// A limit holds for all groups below, so the limits told are the narrowest from the group up to the root that the
// reader sees, and what was throttled is counted where the narrowest CPU limit is set. Usage is the group's own.
// Source: the kernel's Documentation/admin-guide/cgroup-v2.rst. Units: in the names. Thread contract: any thread.
#ifndef PC_CGROUP_H
#define PC_CGROUP_H

#include <sys/types.h>

#include "measure/pc_pressure.h"

typedef enum pc_cgroup_metric {
    PC_CGROUP_MEMORY_BYTES,
    PC_CGROUP_MEMORY_PEAK_BYTES,
    PC_CGROUP_MEMORY_LIMIT_BYTES, // beyond it: the OOM killer
    PC_CGROUP_MEMORY_HIGH_BYTES,  // beyond it: slowed down
    PC_CGROUP_SWAP_BYTES,
    PC_CGROUP_SWAP_LIMIT_BYTES,
    PC_CGROUP_MEMORY_LIMIT_HITS,
    PC_CGROUP_OOM_KILLS,
    PC_CGROUP_CPU_NS,
    PC_CGROUP_USER_NS,
    PC_CGROUP_SYSTEM_NS,
    PC_CGROUP_CPU_LIMIT_MILLICORES,
    PC_CGROUP_CPU_PERIODS,
    PC_CGROUP_THROTTLED_PERIODS,
    PC_CGROUP_THROTTLED_NS,
    PC_CGROUP_PROCESSES,
    PC_CGROUP_PROCESSES_LIMIT,
    PC_CGROUP_METRICS
} pc_cgroup_metric;

#define PC_CGROUP_BIT(metric) (UINT32_C(1) << (metric))

enum { PC_CGROUP_PATH_BYTES = 4096 };

typedef struct pc_cgroup_metrics {
    uint32_t present; // PC_CGROUP_BIT of each value that is there
    uint64_t values[PC_CGROUP_METRICS];
    pc_pressure pressure;
    char path[PC_CGROUP_PATH_BYTES]; // below the mount; empty if the process is in no such group that can be seen
} pc_cgroup_metrics;

// The name of a metric, with its unit.
const char *pc_cgroup_name(pc_cgroup_metric metric);

// Read the group of process `pid` (0: the one that reads). `proc` is "/proc" and `mount` NULL but in tests: then the
// hierarchy is looked for at /sys/fs/cgroup and /sys/fs/cgroup/unified, where systemd and containers have it. -ESRCH if
// there is no such process; -EMFILE, -ENFILE, -ENOMEM.
int pc_cgroup_read(const char *proc, const char *mount, pid_t pid, pc_cgroup_metrics *metrics) PC_NODISCARD;

#endif
