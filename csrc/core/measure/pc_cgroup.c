// SPDX-License-Identifier: MIT
// Control groups (see the header).
#include "measure/pc_cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "measure/pc_procfile.h"
#include "measure/pc_proctext.h"

enum { TEXT_BYTES = 4096, MAX_LEVELS = 64, NS_PER_US = 1000 };

const char *pc_cgroup_name(pc_cgroup_metric metric)
{
    static const char *const names[PC_CGROUP_METRICS] = {
        "memory_bytes",   "memory_peak_bytes", "memory_limit_bytes", "memory_high_bytes",
        "swap_bytes",     "swap_limit_bytes",  "memory_limit_hits",  "oom_kills",
        "cpu_ns",         "user_ns",           "system_ns",          "cpu_limit_millicores",
        "cpu_periods",    "throttled_periods", "throttled_ns",       "processes",
        "processes_limit"};
    return names[metric];
}

static void put(pc_cgroup_metrics *metrics, pc_cgroup_metric metric, uint64_t value)
{
    metrics->values[metric] = value;
    metrics->present |= PC_CGROUP_BIT(metric);
}

// A file of the group as text; *length is 0 if it is not there. Only a shortage is an error.
static int read_text(int group, const char *name, char text[TEXT_BYTES], size_t *length)
{
    *length = 0;
    int status = pc_procfile_read(group, name, text, TEXT_BYTES, length);
    return status < 0 && pc_procfile_is_shortage(status) ? status : 0;
}

// A figure behind `key`, or the whole file if that is NULL.
static int read_figure(int group, const char *name, const char *key, pc_cgroup_metric to, uint64_t unit,
                       pc_cgroup_metrics *metrics)
{
    char text[TEXT_BYTES];
    size_t length;
    uint64_t number;
    int status = read_text(group, name, text, &length);
    if (status < 0)
        return status;
    int found = key != NULL ? pc_proctext_read_field(text, length, key, &number)
                            : pc_proctext_read_numbers(text, length, &number, 1);
    if (found == 0 && number <= UINT64_MAX / unit)
        put(metrics, to, number * unit);
    return 0;
}

static int read_usage(int group, pc_cgroup_metrics *metrics)
{
    static const struct {
        const char *name;
        const char *key;
        pc_cgroup_metric to;
        uint64_t unit;
    } plan[] = {
        {"memory.current", NULL, PC_CGROUP_MEMORY_BYTES, 1},
        {"memory.peak", NULL, PC_CGROUP_MEMORY_PEAK_BYTES, 1},
        {"memory.swap.current", NULL, PC_CGROUP_SWAP_BYTES, 1},
        {"memory.events", "max ", PC_CGROUP_MEMORY_LIMIT_HITS, 1},
        {"memory.events", "oom_kill ", PC_CGROUP_OOM_KILLS, 1},
        {"cpu.stat", "usage_usec ", PC_CGROUP_CPU_NS, NS_PER_US},
        {"cpu.stat", "user_usec ", PC_CGROUP_USER_NS, NS_PER_US},
        {"cpu.stat", "system_usec ", PC_CGROUP_SYSTEM_NS, NS_PER_US},
        {"pids.current", NULL, PC_CGROUP_PROCESSES, 1},
    };
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        int status = read_figure(group, plan[i].name, plan[i].key, plan[i].to, plan[i].unit, metrics);
        if (status < 0)
            return status;
    }
    return pc_pressure_read(group, ".pressure", &metrics->pressure);
}

static int read_throttling(int group, pc_cgroup_metrics *metrics)
{
    static const struct {
        const char *key;
        pc_cgroup_metric to;
        uint64_t unit;
    } plan[] = {
        {"nr_periods ", PC_CGROUP_CPU_PERIODS, 1},
        {"nr_throttled ", PC_CGROUP_THROTTLED_PERIODS, 1},
        {"throttled_usec ", PC_CGROUP_THROTTLED_NS, NS_PER_US},
    };
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        int status = read_figure(group, "cpu.stat", plan[i].key, plan[i].to, plan[i].unit, metrics);
        if (status < 0)
            return status;
    }
    return 0;
}

static bool is_narrower(const pc_cgroup_metrics *metrics, pc_cgroup_metric metric, uint64_t limit)
{
    return (metrics->present & PC_CGROUP_BIT(metric)) == 0 || limit < metrics->values[metric];
}

// The limits of one level, kept where they are narrower than those of the levels below.
static int narrow_limits(int group, pc_cgroup_metrics *metrics)
{
    static const struct {
        const char *name;
        pc_cgroup_metric to;
    } plan[] = {
        {"memory.max", PC_CGROUP_MEMORY_LIMIT_BYTES},
        {"memory.high", PC_CGROUP_MEMORY_HIGH_BYTES},
        {"memory.swap.max", PC_CGROUP_SWAP_LIMIT_BYTES},
        {"pids.max", PC_CGROUP_PROCESSES_LIMIT},
    };
    char text[TEXT_BYTES];
    size_t length;
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        uint64_t limit;
        int status = read_text(group, plan[i].name, text, &length);
        if (status < 0)
            return status;
        if (pc_proctext_read_limit(text, length, &limit) == 0 && limit != UINT64_MAX &&
            is_narrower(metrics, plan[i].to, limit))
            put(metrics, plan[i].to, limit);
    }
    uint64_t quota_us, period_us;
    int status = read_text(group, "cpu.max", text, &length);
    if (status < 0 || pc_proctext_read_quota(text, length, &quota_us, &period_us) < 0)
        return status;
    if (quota_us > UINT64_MAX / 1000) // no limit
        return 0;
    uint64_t millicores = quota_us * 1000 / period_us;
    if (!is_narrower(metrics, PC_CGROUP_CPU_LIMIT_MILLICORES, millicores))
        return 0;
    put(metrics, PC_CGROUP_CPU_LIMIT_MILLICORES, millicores);
    return read_throttling(group, metrics);
}

static bool is_same(int one, int other)
{
    struct stat a, b;
    return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// From the group up to the root.
static int read_limits(int root, int group, pc_cgroup_metrics *metrics)
{
    int status = 0, level = group;
    for (int i = 0; status == 0 && i < MAX_LEVELS; i++) {
        status = narrow_limits(level, metrics);
        if (status < 0 || is_same(level, root))
            break;
        int parent = openat(level, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
            status = -errno;
        if (level != group)
            (void)close(level);
        level = parent;
    }
    if (level != group && level >= 0)
        (void)close(level);
    return status < 0 && pc_procfile_is_shortage(status) ? status : 0;
}

static int open_folder(const char *path)
{
    int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -errno;
    return folder;
}

// The mounted hierarchy, or -errno.
static int open_mount(const char *mount)
{
    static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    if (mount != NULL)
        return open_folder(mount);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct statfs about;
        int folder = open_folder(usual[i]);
        if (folder < 0 && pc_procfile_is_shortage(folder))
            return folder;
        if (folder < 0)
            continue;
        if (fstatfs(folder, &about) == 0 && about.f_type == CGROUP2_SUPER_MAGIC)
            return folder;
        (void)close(folder);
    }
    return -ENOENT;
}

// The path of the process's group into `path`.
static int read_path(const char *proc, pid_t pid, char path[PC_CGROUP_PATH_BYTES])
{
    char name[256], text[TEXT_BYTES];
    int written = pid == 0 ? snprintf(name, sizeof name, "%s/self/cgroup", proc)
                           : snprintf(name, sizeof name, "%s/%ld/cgroup", proc, (long)pid);
    if (written < 0 || (size_t)written >= sizeof name)
        return -ENAMETOOLONG;
    size_t length, found_length;
    const char *found;
    int status = pc_procfile_read(AT_FDCWD, name, text, sizeof text, &length);
    if (status < 0)
        return pid != 0 && status == -ENOENT ? -ESRCH : status;
    status = pc_proctext_read_cgroup(text, length, &found, &found_length);
    if (status < 0)
        return status;
    if (found_length >= PC_CGROUP_PATH_BYTES)
        return -ENAMETOOLONG;
    memcpy(path, found, found_length);
    path[found_length] = '\0';
    return 0;
}

// Read the group at `path` below the mount.
static int read_group(int root, pid_t pid, pc_cgroup_metrics *metrics)
{
    const char *below = metrics->path + 1;
    int group = openat(root, *below != '\0' ? below : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    // In a container without a cgroup namespace the path is the host's, and the mount's root is the container's group.
    if (group < 0 && errno == ENOENT && pid == 0)
        group = openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (group < 0)
        return -errno;
    int status = read_usage(group, metrics);
    if (status == 0)
        status = read_throttling(group, metrics);
    if (status == 0)
        status = read_limits(root, group, metrics);
    (void)close(group);
    return status;
}

int pc_cgroup_read(const char *proc, const char *mount, pid_t pid, pc_cgroup_metrics *metrics)
{
    pc_cgroup_metrics found = {0};
    int status = read_path(proc, pid, found.path);
    if (status == 0) {
        int root = open_mount(mount);
        status = root < 0 ? root : read_group(root, pid, &found);
        if (root >= 0)
            (void)close(root);
    }
    if (status == -ESRCH || (status < 0 && pc_procfile_is_shortage(status)))
        return status;
    if (status < 0)
        found = (pc_cgroup_metrics){0};
    *metrics = found;
    return 0;
}
