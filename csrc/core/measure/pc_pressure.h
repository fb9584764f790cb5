// SPDX-License-Identifier: MIT
// Pressure stall information: how long tasks stood still for want of a resource, of the whole system or of one cgroup.
// What the kernel does not give (it is built or booted without it, or the file is hidden) is absent, never 0.
//
// Source: the kernel's Documentation/accounting/psi.rst. Units: nanoseconds since boot (or since the cgroup was made),
// hundredths of a percent over the last 10 s. Thread contract: any thread.
#ifndef PC_PRESSURE_H
#define PC_PRESSURE_H

#include "base/pc_common.h"

typedef enum pc_pressure_resource {
    PC_PRESSURE_CPU,
    PC_PRESSURE_MEMORY,
    PC_PRESSURE_IO,
    PC_PRESSURE_RESOURCES
} pc_pressure_resource;

// Some tasks stood still, or all that were not idle.
typedef enum pc_pressure_kind { PC_PRESSURE_SOME, PC_PRESSURE_FULL, PC_PRESSURE_KINDS } pc_pressure_kind;

typedef struct pc_pressure_stall {
    bool present;
    uint64_t total_ns;
    uint64_t avg10_centipercent;
} pc_pressure_stall;

typedef struct pc_pressure {
    pc_pressure_stall stalls[PC_PRESSURE_RESOURCES][PC_PRESSURE_KINDS];
} pc_pressure;

// "cpu", "memory", "io".
const char *pc_pressure_name(pc_pressure_resource resource);

// Read the files NAME + `suffix` in a directory: "" in /proc/pressure, ".pressure" in a cgroup's. A file that is not
// there, or does not read as one, leaves its stalls absent; -EMFILE, -ENFILE, -ENOMEM where none can be opened.
int pc_pressure_read(int directory, const char *suffix, pc_pressure *pressure) PC_NODISCARD;

// Read the whole system's, below `proc` ("/proc" but in tests).
int pc_pressure_read_system(const char *proc, pc_pressure *pressure) PC_NODISCARD;

#endif
