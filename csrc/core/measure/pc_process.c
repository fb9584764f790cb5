// SPDX-License-Identifier: MIT
// Metrics of one process (see the header).
#include "measure/pc_process.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_procsum.h"
#include "measure/pc_proctext.h"

enum { NONE = -1, DENIED = -2 }; // descriptors: not open yet; cannot be read, and will not be tried again
enum { CANARY_BYTES = 1 };       // a page
enum { TEXT_BYTES = 4096 };      // status of a process in 300 groups; stat, statm and io are under 500 bytes

static const char *const file_names[PC_PROCESS_FILES] = {"statm", "stat", "status", "io", "fd", "task"};

static bool wants(uint32_t wanted, uint32_t bits)
{
    return (wanted & bits) != 0;
}

static void put(pc_process_metrics *metrics, pc_metric metric, uint64_t value)
{
    metrics->values[metric] = value;
    metrics->present |= PC_METRIC_BIT(metric);
}

static void forget_files(pc_process *reader)
{
    reader->canary = NULL;
    reader->directory = NONE;
    for (int i = 0; i < PC_PROCESS_FILES; i++)
        reader->files[i] = NONE;
}

void pc_process_close(pc_process *reader)
{
    for (int i = 0; i < PC_PROCESS_FILES; i++) {
        if (reader->files[i] >= 0)
            (void)close(reader->files[i]);
    }
    if (reader->directory >= 0)
        (void)close(reader->directory);
    if (reader->canary != NULL)
        (void)munmap((void *)(uintptr_t)reader->canary, CANARY_BYTES);
    forget_files(reader);
}

// The kernel's way to say that the process behind a descriptor is gone.
static bool means_gone(int error)
{
    return error == ESRCH || error == ENOENT;
}

// A page that the kernel wipes in a forked child (Linux 4.14), so that a look at it tells of a fork without a system
// call.
static void set_canary(pc_process *reader)
{
    // cppcheck-suppress invalidFunctionArg ; an anonymous mapping wants -1
    void *page = mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    if (madvise(page, CANARY_BYTES, MADV_WIPEONFORK) < 0) {
        (void)munmap(page, CANARY_BYTES);
        return;
    }
    reader->canary = page;
    *reader->canary = 1;
}

static int open_directory(pc_process *reader)
{
    char path[256];
    int written =
        snprintf(path, sizeof path, "%s/%ld", reader->proc, (long)(reader->pid != 0 ? reader->pid : getpid()));
    if (written < 0 || (size_t)written >= sizeof path)
        return -ENAMETOOLONG;
    reader->owner = getpid();
    reader->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (reader->directory >= 0) {
        if (reader->pid == 0)
            set_canary(reader);
        return 0;
    }
    if (reader->pid == 0 && errno != EMFILE && errno != ENFILE && errno != ENOMEM)
        return 0; // /proc is not mounted or hidden
    return means_gone(errno) ? -ESRCH : -errno;
}

int pc_process_open(pc_process *reader, const char *proc, pid_t pid, bool lean)
{
    pc_process made = {.proc = proc, .pid = pid, .lean = lean, .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
    forget_files(&made);
    int status = pid < 0 ? -ESRCH : open_directory(&made);
    if (status < 0)
        return status;
    *reader = made;
    return 0;
}

// In a forked child the files of pid 0 are the parent's.
static int follow_fork(pc_process *reader)
{
    if (reader->pid != 0 || (reader->canary != NULL ? *reader->canary == 1 : reader->owner == getpid()))
        return 0;
    pc_process_close(reader);
    return open_directory(reader);
}

// Whether the directory's process still exists; asked after a file was not found.
static bool has_ended(const pc_process *reader)
{
    struct stat about;
    return fstatat(reader->directory, "stat", &about, 0) < 0 && means_gone(errno);
}

// A descriptor of the file, which is *kept. 0 with *descriptor below zero if the file cannot be had.
static int open_file(pc_process *reader, int file, int *descriptor, bool *kept)
{
    *kept = true;
    *descriptor = reader->files[file];
    if (*descriptor != NONE)
        return 0;
    if (reader->directory < 0)
        return 0;
    bool folder = file == PC_PROCESS_FD || file == PC_PROCESS_TASK;
    int opened = openat(reader->directory, file_names[file], (folder ? O_PATH | O_DIRECTORY : O_RDONLY) | O_CLOEXEC);
    if (opened < 0) {
        int error = errno;
        if (error == EMFILE || error == ENFILE || error == ENOMEM)
            return -error;
        if (means_gone(error) && has_ended(reader))
            return -ESRCH;
        opened = DENIED;
    }
    *kept = opened < 0 || !reader->lean || file == PC_PROCESS_STATM;
    *descriptor = opened;
    if (*kept)
        reader->files[file] = opened;
    return 0;
}

// Read a file as text. Its length, 0 if it cannot be read, or -errno.
static ssize_t read_text(pc_process *reader, int file, char *text)
{
    int descriptor;
    bool kept;
    int status = open_file(reader, file, &descriptor, &kept);
    if (status < 0 || descriptor < 0)
        return status;
    ssize_t length;
    do
        length = pread(descriptor, text, TEXT_BYTES, 0);
    while (length < 0 && errno == EINTR);
    int error = errno;
    if (!kept)
        (void)close(descriptor);
    if (length >= 0)
        return length;
    if (error == ESRCH || error == ENOMEM)
        return -error;
    if (kept) { // EACCES of io: only whoever may trace the process may read it
        (void)close(descriptor);
        reader->files[file] = DENIED;
    }
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
    clockid_t clock;
    struct timespec spent;
    if (clock_getcpuclockid(reader->pid, &clock) == 0 && clock_gettime(clock, &spent) == 0)
        put(metrics, PC_METRIC_CPU_NS, (uint64_t)spent.tv_sec * PC_NS_PER_S + (uint64_t)spent.tv_nsec);
}

static int read_stat(pc_process *reader, pc_process_metrics *metrics)
{
    char text[TEXT_BYTES];
    ssize_t length = read_text(reader, PC_PROCESS_STAT, text);
    if (length < 0)
        return (int)length;
    pc_proctext_stat stat;
    if (length == 0 || pc_proctext_read_stat(text, (size_t)length, &stat) < 0)
        return 0;
    if (stat.state == 'Z' || stat.state == 'X')
        return -ESRCH;
    put(metrics, PC_METRIC_START_NS, ns_of_ticks(stat.start_ticks));
    put(metrics, PC_METRIC_THREADS, stat.threads);
    if (reader->pid == 0)
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
    char text[TEXT_BYTES];
    ssize_t length = read_text(reader, PC_PROCESS_STATM, text);
    if (length < 0)
        return (int)length;
    uint64_t pages[3];
    if (length == 0 || pc_proctext_read_numbers(text, (size_t)length, pages, 3) < 0)
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
    char text[TEXT_BYTES];
    ssize_t length = read_text(reader, file, text);
    if (length < 0)
        return (int)length;
    for (size_t i = 0; i < count; i++) {
        uint64_t number;
        if (pc_proctext_read_field(text, (size_t)length, keys[i], &number) == 0)
            put(metrics, to[i], number * unit);
    }
    return 0;
}

static int read_io(pc_process *reader, pc_process_metrics *metrics)
{
    static const char *const keys[] = {"rchar:", "wchar:", "read_bytes:", "write_bytes:"};
    static const pc_metric to[] = {PC_METRIC_READ_BYTES, PC_METRIC_WRITE_BYTES, PC_METRIC_DISK_READ_BYTES,
                                   PC_METRIC_DISK_WRITE_BYTES};
    return read_fields(reader, PC_PROCESS_IO, 4, keys, to, 1, metrics);
}

static int read_status(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    static const char *const sizes[] = {"VmHWM:", "VmSwap:"};
    static const pc_metric size_to[] = {PC_METRIC_PEAK_RSS_BYTES, PC_METRIC_SWAP_BYTES};
    int status =
        wants(wanted, status_bits) ? read_fields(reader, PC_PROCESS_STATUS, 2, sizes, size_to, 1024, metrics) : 0;
    if (status < 0 || reader->pid == 0 || !wants(wanted, switch_bits))
        return status;
    // The switches in status are those of the main thread alone.
    if (!wants(metrics->present, PC_METRIC_BIT(PC_METRIC_THREADS)) || metrics->values[PC_METRIC_THREADS] != 1)
        return 0;
    static const char *const switches[] = {"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"};
    static const pc_metric switch_to[] = {PC_METRIC_VOLUNTARY_SWITCHES, PC_METRIC_INVOLUNTARY_SWITCHES};
    return read_fields(reader, PC_PROCESS_STATUS, 2, switches, switch_to, 1, metrics);
}

// How many entries a folder has, by stat: the task folder has a link for each thread and two of its own; the size of
// the fd folder is the number of descriptors since Linux 6.2, and 0 before.
static int read_count(pc_process *reader, int file, pc_process_metrics *metrics)
{
    int descriptor;
    bool kept;
    int status = open_file(reader, file, &descriptor, &kept);
    if (status < 0 || descriptor < 0)
        return status;
    struct stat about;
    int result = fstat(descriptor, &about);
    int error = errno;
    if (!kept)
        (void)close(descriptor);
    if (result < 0)
        return means_gone(error) ? -ESRCH : 0;
    if (file == PC_PROCESS_TASK && about.st_nlink > 2)
        put(metrics, PC_METRIC_THREADS, (uint64_t)about.st_nlink - 2);
    if (file == PC_PROCESS_FD && about.st_size > 0)
        put(metrics, PC_METRIC_FDS, (uint64_t)about.st_size);
    return 0;
}

// What has to be added up.
static int read_sums(const pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    uint64_t wait_ns, pss_bytes, uss_bytes;
    int status =
        wants(wanted, PC_METRIC_BIT(PC_METRIC_WAIT_NS)) ? pc_procsum_read_wait(reader->directory, &wait_ns) : -ENODATA;
    if (status == 0)
        put(metrics, PC_METRIC_WAIT_NS, wait_ns);
    else if (status != -ENODATA)
        return status;
    status = wants(wanted, share_bits) ? pc_procsum_read_shares(reader->directory, &pss_bytes, &uss_bytes) : -ENODATA;
    if (status == 0) {
        put(metrics, PC_METRIC_PSS_BYTES, pss_bytes);
        put(metrics, PC_METRIC_USS_BYTES, uss_bytes);
    }
    return status == -ENODATA ? 0 : status;
}

static int read_wanted(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    int status = 0;
    bool self = reader->pid == 0;
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
        status = read_count(reader, PC_PROCESS_FD, metrics);
    if (status == 0 && self && wants(wanted, PC_METRIC_BIT(PC_METRIC_THREADS)))
        status = read_count(reader, PC_PROCESS_TASK, metrics);
    if (status == 0 && reader->directory >= 0)
        status = read_sums(reader, wanted, metrics);
    return status;
}

int pc_process_read(pc_process *reader, uint32_t wanted, pc_process_metrics *metrics)
{
    pc_process_metrics found;
    found.present = 0;
    int status = follow_fork(reader);
    if (status == 0)
        status = read_wanted(reader, wanted, &found);
    if (status < 0)
        return status;
    found.present &= wanted;
    metrics->present = found.present;
    for (int i = 0; i < PC_METRIC_COUNT; i++)
        metrics->values[i] = wants(found.present, PC_METRIC_BIT(i)) ? found.values[i] : 0;
    return 0;
}

int pc_process_reset_peak(pc_process *reader)
{
    int status = follow_fork(reader);
    if (status < 0)
        return status;
    if (reader->pid != 0 || reader->directory < 0)
        return -ENOENT;
    int file = openat(reader->directory, "clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return -errno;
    status = write(file, "5", 1) == 1 ? 0 : -errno;
    (void)close(file);
    return status;
}
