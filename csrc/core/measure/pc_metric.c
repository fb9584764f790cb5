// SPDX-License-Identifier: MIT
// The names of the metrics, and what they mean (see the header).
#include "measure/pc_metric.h"

static const struct {
    const char *name, *meaning;
} metrics[PC_METRIC_COUNT] = {
    {"rss_bytes", "Resident memory."},
    {"vms_bytes", "Virtual memory: addresses in use, resident or not."},
    {"shared_bytes", "Resident memory that files or other processes share."},
    {"peak_rss_bytes", "The most that was resident since the process began or its peak was reset."},
    {"swap_bytes", "Memory that is swapped out."},
    {"cpu_ns", "CPU time of all threads, user and system."},
    {"user_ns", "CPU time in user mode, in ticks of 10 ms."},
    {"system_ns", "CPU time in the kernel, in ticks of 10 ms."},
    {"minor_faults", "Page faults that needed no storage."},
    {"major_faults", "Page faults that waited for storage."},
    {"voluntary_switches", "How often it gave up its processor; of another process only while it has one thread."},
    {"involuntary_switches", "How often its processor was taken from it; of another process likewise."},
    {"read_bytes", "Read by read(2) and its like, whatever the file is."},
    {"write_bytes", "Written by write(2) and its like, whatever the file is."},
    {"disk_read_bytes", "What storage had to read for it."},
    {"disk_write_bytes", "What storage had to write for it."},
    {"threads", "Threads."},
    {"fds", "Open files."},
    {"start_ns", "When it began: nanoseconds since boot, in ticks of 10 ms."},
    {"run_queue_wait_ns", "How long its living threads were ready to run and had no processor."},
    {"pss_bytes", "Resident memory, each page shared with n processes counted as 1/n."},
    {"uss_bytes", "Resident memory that is shared with nobody."},
};

const char *pc_metric_name(pc_metric metric)
{
    return metrics[metric].name;
}

const char *pc_metric_meaning(pc_metric metric)
{
    return metrics[metric].meaning;
}
