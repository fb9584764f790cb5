// SPDX-License-Identifier: MIT
// Metrics of one process (see the header).
#include "measure/pc_process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_procsum.h"
#include "measure/pc_proctext.h"

static const clockid_t NO_CLOCK = -1;

static bool wants(uint32_t wanted, uint32_t bits)
{
    return (wanted & bits) != 0;
}

static void put(pc_process_metrics *metrics, pc_metric metric, uint64_t value)
{
    metrics->values[metric] = value;
    metrics->present |= PC_METRIC_BIT(metric);
}

void pc_process_close(pc_process *reader)
{
    pc_procdir_close(&reader->folder);
}

int pc_process_open(pc_process *reader, const char *proc, pid_t pid, bool lean)
{
    pc_process made = {.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
    int status = pc_procdir_open(&made.folder, proc, pid, lean);
    if (status < 0)
        return status;
    if (pid == 0 || clock_getcpuclockid(pid, &made.cpu_clock) != 0)
        made.cpu_clock = NO_CLOCK;
    *reader = made;
    return 0;
}

static uint64_t ns_of_ticks(uint64_t ticks)
{
    long per_s = sysconf(_SC_CLK_TCK);
    return ticks * (PC_NS_PER_S / (uint64_t)(per_s > 0 ? per_s : 100));
}

static uint64_t ns_of_timeval(struct timeval time)
{
    return (uint64_t)time.tv_sec * PC_NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

static const uint32_t memory_bits =
    PC_METRIC_BIT(PC_METRIC_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_VMS_BYTES) | PC_METRIC_BIT(PC_METRIC_SHARED_BYTES);
static const uint32_t status_bits = PC_METRIC_BIT(PC_METRIC_PEAK_RSS_BYTES) | PC_METRIC_BIT(PC_METRIC_SWAP_BYTES);
static const uint32_t split_bits = PC_METRIC_BIT(PC_METRIC_USER_NS) | PC_METRIC_BIT(PC_METRIC_SYSTEM_NS) |
                                   PC_METRIC_BIT(PC_METRIC_MINOR_FAULTS) | PC_METRIC_BIT(PC_METRIC_MAJOR_FAULTS);
static const uint32_t switch_bits =
    PC_METRIC_BIT(PC_METRIC_VOLUNTARY_SWITCHES) | PC_METRIC_BIT(PC_METRIC_INVOLUNTARY_SWITCHES);
static const uint32_t io_bits = PC_METRIC_BIT(PC_METRIC_READ_BYTES) | PC_METRIC_BIT(PC_METRIC_WRITE_BYTES) |
                                PC_METRIC_BIT(PC_METRIC_DISK_READ_BYTES) | PC_METRIC_BIT(PC_METRIC_DISK_WRITE_BYTES);

static const uint32_t share_bits = PC_METRIC_BIT(PC_METRIC_PSS_BYTES) | PC_METRIC_BIT(PC_METRIC_USS_BYTES);

// What getrusage knows of this process.
static void read_usage(pc_process_metrics *metrics)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return;
    uint64_t user_ns = ns_of_timeval(usage.ru_utime), system_ns = ns_of_timeval(usage.ru_stime);
    put(metrics, PC_METRIC_CPU_NS, user_ns + system_ns);
    put(metrics, PC_METRIC_USER_NS, user_ns);
    put(metrics, PC_METRIC_SYSTEM_NS, system_ns);
    put(metrics, PC_METRIC_MINOR_FAULTS, (uint64_t)usage.ru_minflt);
    put(metrics, PC_METRIC_MAJOR_FAULTS, (uint64_t)usage.ru_majflt);
    put(metrics, PC_METRIC_VOLUNTARY_SWITCHES, (uint64_t)usage.ru_nvcsw);
    put(metrics, PC_METRIC_INVOLUNTARY_SWITCHES, (uint64_t)usage.ru_nivcsw);
}

// The clock that counts the CPU time of another process in nanoseconds. It goes by number, not by descriptor, so the
// caller reads a file afterwards: if that succeeds, the process was there all the time and so the number was its own.
static void read_cpu_clock(const pc_process *reader, pc_process_metrics *metrics)
{
    struct timespec spent;
    if (reader->cpu_clock != NO_CLOCK && clock_gettime(reader->cpu_clock, &spent) == 0)
        put(metrics, PC_METRIC_CPU_NS, (uint64_t)spent.tv_sec * PC_NS_PER_S + (uint64_t)spent.tv_nsec);
}

static int read_stat(pc_process *reader, pc_process_metrics *metrics)
{
    char text[PC_PROCDIR_TEXT_BYTES];
    size_t length;
    int status = pc_procdir_read(&reader->folder, PC_PROCDIR_STAT, text, &length);
    if (status < 0)
        return status;
    pc_proctext_stat stat;
    if (length == 0 || pc_proctext_read_stat(text, length, &stat) < 0)
        return 0;
    if (stat.state == 'Z' || stat.state == 'X')
        return -ESRCH;
    put(metrics, PC_METRIC_START_NS, ns_of_ticks(stat.start_ticks));
    put(metrics, PC_METRIC_THREADS, stat.threads);
    if (reader->folder.pid == 0)
        return 0; // getrusage knows the rest better
    put(metrics, PC_METRIC_USER_NS, ns_of_ticks(stat.user_ticks));
    put(metrics, PC_METRIC_SYSTEM_NS, ns_of_ticks(stat.system_ticks));
    put(metrics, PC_METRIC_MINOR_FAULTS, stat.minor_faults);
    put(metrics, PC_METRIC_MAJOR_FAULTS, stat.major_faults);
    if (!wants(metrics->present, PC_METRIC_BIT(PC_METRIC_CPU_NS)))
        put(metrics, PC_METRIC_CPU_NS, ns_of_ticks(stat.user_ticks + stat.system_ticks));
    return 0;
}

static int read_statm(pc_process *reader, pc_process_metrics *metrics)
{
    char text[PC_PROCDIR_TEXT_BYTES];
    size_t length;
    int status = pc_procdir_read(&reader->folder, PC_PROCDIR_STATM, text, &length);
    if (status < 0)
        return status;
    uint64_t pages[3];
    if (length == 0 || pc_proctext_read_numbers(text, length, pages, 3) < 0)
        return 0;
    if (pages[0] == 0) // no address space: a zombie, whose stat says so, or a thread of the kernel
        return read_stat(reader, metrics);
    put(metrics, PC_METRIC_VMS_BYTES, pages[0] * reader->page_bytes);
    put(metrics, PC_METRIC_RSS_BYTES, pages[1] * reader->page_bytes);
    put(metrics, PC_METRIC_SHARED_BYTES, pages[2] * reader->page_bytes);
    return 0;
}

static int read_fields(pc_process *reader, int file, size_t count, const char *const keys[], const pc_metric to[],
                       uint64_t unit, pc_process_metrics *metrics)
{
    char text[PC_PROCDIR_TEXT_BYTES];
    size_t length;
    int status = pc_procdir_read(&reader->folder, file, text, &length);
    if (status < 0)
        return status;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (pc_proctext_read_field(text, length, keys[i], &number) == 0)
            put(metrics, to[i], number * unit);
    }
    return 0;
}

static int read_io(pc_process *reader, pc_process_metrics *metrics)
{
    static const char *const keys[] = {"rchar:", "wchar:", "read_bytes:", "write_bytes:"};
    static const pc_metric to[] = {PC_METRIC_READ_BYTES, PC_METRIC_WRITE_BYTES, PC_METRIC_DISK_READ_BYTES,
                                   PC_METRIC_DISK_WRITE_BYTES};
    return read_fields(reader, PC_PROCDIR_IO, 4, keys, to, 1, metrics);
}

static int read_status(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    static const char *const sizes[] = {"VmHWM:", "VmSwap:"};
    static const pc_metric size_to[] = {PC_METRIC_PEAK_RSS_BYTES, PC_METRIC_SWAP_BYTES};
    int status =
        wants(wanted, status_bits) ? read_fields(reader, PC_PROCDIR_STATUS, 2, sizes, size_to, 1024, metrics) : 0;
    if (status < 0 || reader->folder.pid == 0 || !wants(wanted, switch_bits))
        return status;
    // The switches in status are those of the main thread alone.
    if (!wants(metrics->present, PC_METRIC_BIT(PC_METRIC_THREADS)) || metrics->values[PC_METRIC_THREADS] != 1)
        return 0;
    static const char *const switches[] = {"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"};
    static const pc_metric switch_to[] = {PC_METRIC_VOLUNTARY_SWITCHES, PC_METRIC_INVOLUNTARY_SWITCHES};
    return read_fields(reader, PC_PROCDIR_STATUS, 2, switches, switch_to, 1, metrics);
}

static int read_count(pc_process *reader, int file, pc_metric metric, pc_process_metrics *metrics)
{
    uint64_t count;
    int status = pc_procdir_count(&reader->folder, file, &count);
    if (status == 0 && count > 0)
        put(metrics, metric, count);
    return status;
}

// What the threads have waited for a processor. Of a single one it is in a kept file.
static int read_wait(pc_process *reader, pc_process_metrics *metrics)
{
    uint64_t numbers[2];
    if (wants(metrics->present, PC_METRIC_BIT(PC_METRIC_THREADS)) && metrics->values[PC_METRIC_THREADS] == 1) {
        char text[PC_PROCDIR_TEXT_BYTES];
        size_t length;
        int status = pc_procdir_read(&reader->folder, PC_PROCDIR_SCHEDSTAT, text, &length);
        if (status == 0 && pc_proctext_read_numbers(text, length, numbers, 2) == 0)
            put(metrics, PC_METRIC_WAIT_NS, numbers[1]);
        return status;
    }
    int status = pc_procsum_read_wait(reader->folder.directory, &numbers[1]);
    if (status == 0)
        put(metrics, PC_METRIC_WAIT_NS, numbers[1]);
    return status == -ENODATA ? 0 : status;
}

static int read_shares(const pc_process *reader, pc_process_metrics *metrics)
{
    uint64_t pss_bytes, uss_bytes;
    int status = pc_procsum_read_shares(reader->folder.directory, &pss_bytes, &uss_bytes);
    if (status == 0) {
        put(metrics, PC_METRIC_PSS_BYTES, pss_bytes);
        put(metrics, PC_METRIC_USS_BYTES, uss_bytes);
    }
    return status == -ENODATA ? 0 : status;
}

static int read_wanted(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    int status = 0;
    bool self = reader->folder.pid == 0;
    uint32_t usage_bits = split_bits | switch_bits | PC_METRIC_BIT(PC_METRIC_CPU_NS);
    if (self && wants(wanted, usage_bits))
        read_usage(metrics);
    if (!self && wants(wanted, PC_METRIC_BIT(PC_METRIC_CPU_NS)))
        read_cpu_clock(reader, metrics);
    uint32_t stat_bits = PC_METRIC_BIT(PC_METRIC_START_NS);
    if (!self)
        stat_bits |= split_bits | switch_bits | PC_METRIC_BIT(PC_METRIC_THREADS) |
                     PC_METRIC_COSTLY; // a zombie still has a task folder: stat says that it has ended
    if (!self && !wants(wanted, memory_bits))
        stat_bits |= PC_METRIC_BIT(PC_METRIC_CPU_NS); // a file must be read after the clock
    if (status == 0 && wants(wanted, memory_bits))
        status = read_statm(reader, metrics);
    if (status == 0 && wants(wanted, stat_bits))
        status = read_stat(reader, metrics);
    if (status == 0 && wants(wanted, status_bits | (self ? 0 : switch_bits)))
        status = read_status(reader, wanted, metrics);
    if (status == 0 && wants(wanted, io_bits))
        status = read_io(reader, metrics);
    if (status == 0 && wants(wanted, PC_METRIC_BIT(PC_METRIC_FDS)))
        status = read_count(reader, PC_PROCDIR_FD, PC_METRIC_FDS, metrics);
    if (status == 0 && self && wants(wanted, PC_METRIC_BIT(PC_METRIC_THREADS)))
        status = read_count(reader, PC_PROCDIR_TASK, PC_METRIC_THREADS, metrics);
    bool there = reader->folder.directory >= 0;
    if (status == 0 && there && wants(wanted, PC_METRIC_BIT(PC_METRIC_WAIT_NS)))
        status = read_wait(reader, metrics);
    if (status == 0 && there && wants(wanted, share_bits))
        status = read_shares(reader, metrics);
    return status;
}

int pc_process_read(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    pc_process_metrics found;
    found.present = 0;
    int status = pc_procdir_follow_fork(&reader->folder);
    if (status == 0)
        status = read_wanted(reader, wanted, &found);
    if (status < 0)
        return status;
    *metrics = (pc_process_metrics){.present = found.present & wanted};
    for (uint32_t left = metrics->present; left != 0; left &= left - 1) {
        int metric = __builtin_ctz(left);
        metrics->values[metric] = found.values[metric];
    }
    return 0;
}

int pc_process_reset_peak(pc_process *reader)
{
    int status = pc_procdir_follow_fork(&reader->folder);
    if (status < 0)
        return status;
    if (reader->folder.pid != 0 || reader->folder.directory < 0)
        return -ENOENT;
    int file = openat(reader->folder.directory, "clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    status = write(file, "5", 1) == 1 ? 0 : -errno;
    (void)close(file);
    return status;
}
