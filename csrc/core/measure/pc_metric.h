// SPDX-License-Identifier: MIT
// The metrics of a process: their numbers, their names, and a set of their values, of which some may be absent.
// Units: in the names; times since the process or the system began. Thread contract: any thread.
#ifndef PC_METRIC_H
#define PC_METRIC_H

#include "base/pc_common.h"

typedef enum pc_metric {
    PC_METRIC_RSS_BYTES,
    PC_METRIC_VMS_BYTES,
    PC_METRIC_SHARED_BYTES,
    PC_METRIC_PEAK_RSS_BYTES, // since the process began or pc_process_reset_peak
    PC_METRIC_SWAP_BYTES,
    PC_METRIC_CPU_NS, // user and system, exact where the two are counted in ticks of 10 ms
    PC_METRIC_USER_NS,
    PC_METRIC_SYSTEM_NS,
    PC_METRIC_MINOR_FAULTS,
    PC_METRIC_MAJOR_FAULTS,
    PC_METRIC_VOLUNTARY_SWITCHES, // of another process only while it has one thread: the kernel has no sum
    PC_METRIC_INVOLUNTARY_SWITCHES,
    PC_METRIC_READ_BYTES, // through read(2) and its like, whatever the file is
    PC_METRIC_WRITE_BYTES,
    PC_METRIC_DISK_READ_BYTES, // what storage really had to do
    PC_METRIC_DISK_WRITE_BYTES,
    PC_METRIC_THREADS,
    PC_METRIC_FDS,
    PC_METRIC_START_NS,  // since boot, in ticks of 10 ms
    PC_METRIC_WAIT_NS,   // that its living threads were ready to run and had no processor
    PC_METRIC_PSS_BYTES, // resident, each page shared with n processes counted as 1/n
    PC_METRIC_USS_BYTES, // resident and shared with nobody
    PC_METRIC_COUNT
} pc_metric;

#define PC_METRIC_BIT(metric) (UINT32_C(1) << (metric))
#define PC_METRIC_ALL (PC_METRIC_BIT(PC_METRIC_COUNT) - 1)

// What has to be added up, with files opened for it: the wait costs 3 us a thread; for the shares of memory the kernel
// walks all pages, which takes 13 us for a small process and 3 ms for one of 1 GB.
#define PC_METRIC_COSTLY                                                                                               \
    (PC_METRIC_BIT(PC_METRIC_WAIT_NS) | PC_METRIC_BIT(PC_METRIC_PSS_BYTES) | PC_METRIC_BIT(PC_METRIC_USS_BYTES))

typedef struct pc_process_metrics {
    uint32_t present; // PC_METRIC_BIT of each value that is there
    uint64_t values[PC_METRIC_COUNT];
} pc_process_metrics;

// The name of a metric, with its unit.
const char *pc_metric_name(pc_metric metric);

// What a metric is, as one sentence; static text, like its name.
const char *pc_metric_meaning(pc_metric metric);

#endif
