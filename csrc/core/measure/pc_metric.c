// SPDX-License-Identifier: MIT
// The names of the metrics (see the header).
#include "measure/pc_metric.h"

const char *pc_metric_name(pc_metric metric)
{
    static const char *const names[PC_METRIC_COUNT] = {"rss_bytes",
                                                       "vms_bytes",
                                                       "shared_bytes",
                                                       "peak_rss_bytes",
                                                       "swap_bytes",
                                                       "cpu_ns",
                                                       "user_ns",
                                                       "system_ns",
                                                       "minor_faults",
                                                       "major_faults",
                                                       "voluntary_switches",
                                                       "involuntary_switches",
                                                       "read_bytes",
                                                       "write_bytes",
                                                       "disk_read_bytes",
                                                       "disk_write_bytes",
                                                       "threads",
                                                       "fds",
                                                       "start_ns",
                                                       "run_queue_wait_ns",
                                                       "pss_bytes",
                                                       "uss_bytes"};
    return names[metric];
}
