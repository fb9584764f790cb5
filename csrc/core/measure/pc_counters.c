// SPDX-License-Identifier: MIT
// Event counters of a thread (see the header).
#include "measure/pc_counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int pc_counter_open(pc_counter *counter, pc_counter_event event)
{
    bool hardware = event == PC_COUNTER_INSTRUCTIONS;
    struct perf_event_attr attributes = {
        .type = hardware ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
        .size = sizeof attributes,
        .config = hardware ? PERF_COUNT_HW_INSTRUCTIONS : PERF_COUNT_SW_TASK_CLOCK,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
        .disabled = 1,
        .exclude_kernel = 1, // what is left is what perf_event_paranoid 2, the usual value, allows to everybody
        .exclude_hv = 1,
    };
    long file = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, (unsigned long)PERF_FLAG_FD_CLOEXEC);
    if (file < 0)
        return -errno;
    counter->file = (int)file;
    return 0;
}

void pc_counter_close(pc_counter *counter)
{
    if (counter->file >= 0)
        (void)close(counter->file);
    counter->file = -1;
}

int pc_counter_start(pc_counter *counter)
{
    if (counter->file < 0)
        return -EBADF;
    if (ioctl(counter->file, PERF_EVENT_IOC_RESET, 0) < 0 || ioctl(counter->file, PERF_EVENT_IOC_ENABLE, 0) < 0)
        return -errno;
    return 0;
}

int pc_counter_stop(pc_counter *counter, uint64_t *count)
{
    struct {
        uint64_t value;
        uint64_t enabled_ns;
        uint64_t running_ns;
    } found;
    if (counter->file < 0)
        return -EBADF;
    if (ioctl(counter->file, PERF_EVENT_IOC_DISABLE, 0) < 0)
        return -errno;
    ssize_t length = read(counter->file, &found, sizeof found);
    if (length < 0)
        return -errno;
    if (length != sizeof found)
        return -EIO; // an event in an error state reads as nothing
    if (found.running_ns != found.enabled_ns)
        return -EAGAIN;
    *count = found.value;
    return 0;
}
