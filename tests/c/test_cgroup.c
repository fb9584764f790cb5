// SPDX-License-Identifier: MIT
// pc_cgroup and pc_pressure on made-up hierarchies: the narrowest limit, what is absent, paths outside; pc_procsum on
// this process; the texts they are read from.
#include "check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure/pc_cgroup.h"
#include "measure/pc_process.h"
#include "measure/pc_proctext.h"

#define PSI                                                                                                            \
    "some avg10=12.34 avg60=0.00 avg300=0.00 total=77405487\n"                                                         \
    "full avg10=0.05 avg60=0.00 avg300=0.00 total=49387055\n"

static void test_text(void)
{
    pc_proctext_pressure line = {7, 7};
    CHECK(pc_proctext_read_pressure(PSI, strlen(PSI), "some", &line) == 0);
    CHECK(line.avg10_centipercent == 1234 && line.total_us == 77405487);
    CHECK(pc_proctext_read_pressure(PSI, strlen(PSI), "full", &line) == 0);
    CHECK(line.avg10_centipercent == 5 && line.total_us == 49387055);
    static const char fullest[] = "some avg10=100.00 avg60=0.00 avg300=0.00 total=3\n";
    CHECK(pc_proctext_read_pressure(fullest, strlen(fullest), "some", &line) == 0 && line.avg10_centipercent == 10000);
    static const char like[] = "something avg10=1.00 a b total=4\n" PSI;
    CHECK(pc_proctext_read_pressure(like, strlen(like), "some", &line) == 0 && line.total_us == 77405487);
    CHECK(pc_proctext_read_pressure(PSI, strlen(PSI), "full", &line) == 0);
    CHECK(pc_proctext_read_pressure(PSI, 30, "full", &line) == -ENOENT && line.total_us == 49387055);
    const char *const bad[] = {"some",
                               "some avg10=1",
                               "some avg10=1.2 a b total=1",
                               "some avg10=101.00 a b total=1",
                               "some avg10=1.23 a b",
                               "some avg10=1.23 a b total=x",
                               "some avg10=1. 1 b total=1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(pc_proctext_read_pressure(bad[i], strlen(bad[i]), "some", &line) < 0 && line.total_us == 49387055);

    uint64_t limit = 7, quota = 7, period = 7;
    CHECK(pc_proctext_read_limit("max\n", 4, &limit) == 0 && limit == UINT64_MAX);
    CHECK(pc_proctext_read_limit("4096\n", 5, &limit) == 0 && limit == 4096);
    CHECK(pc_proctext_read_limit("", 0, &limit) == -EBADMSG && pc_proctext_read_limit("ma", 2, &limit) == -EBADMSG);
    CHECK(pc_proctext_read_quota("max 100000\n", 11, &quota, &period) == 0 && quota == UINT64_MAX && period == 100000);
    CHECK(pc_proctext_read_quota("150000 100000\n", 14, &quota, &period) == 0 && quota == 150000);
    CHECK(pc_proctext_read_quota("150000 0\n", 9, &quota, &period) == -EBADMSG && period == 100000);
    CHECK(pc_proctext_read_quota("150000\n", 7, &quota, &period) == -EBADMSG);

    static const char groups[] = "9:name=systemd:/\n4:memory:/old\n0::/a/b c\n";
    const char *path = NULL;
    size_t length = 0;
    CHECK(pc_proctext_read_cgroup(groups, strlen(groups), &path, &length) == 0);
    CHECK(length == 6 && memcmp(path, "/a/b c", 6) == 0);
    CHECK(pc_proctext_read_cgroup("0::/\n", 5, &path, &length) == 0 && length == 1);
    const char *const none[] = {"", "0::", "4:memory:/old\n", "0::/..\n", "0::/../x\n", "10::/a\n"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        CHECK(pc_proctext_read_cgroup(none[i], strlen(none[i]), &path, &length) == -ENOENT && length == 1);
}

static char root[] = "/tmp/perfcore-cgroup-XXXXXX";

static void make_folder(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK(mkdir(path, 0700) == 0);
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
}

static bool there(const pc_cgroup_metrics *metrics, pc_cgroup_metric metric, uint64_t value)
{
    return (metrics->present & PC_CGROUP_BIT(metric)) != 0 && metrics->values[metric] == value;
}

static bool absent(const pc_cgroup_metrics *metrics, pc_cgroup_metric metric)
{
    return (metrics->present & PC_CGROUP_BIT(metric)) == 0 && metrics->values[metric] == 0;
}

static void test_hierarchy(const char *proc, const char *mount)
{
    pc_cgroup_metrics metrics;
    CHECK(pc_cgroup_read(proc, mount, 42, &metrics) == 0);
    CHECK(strcmp(metrics.path, "/pod/box") == 0);
    CHECK(there(&metrics, PC_CGROUP_MEMORY_BYTES, 1000) && there(&metrics, PC_CGROUP_MEMORY_LIMIT_BYTES, 4000));
    CHECK(there(&metrics, PC_CGROUP_OOM_KILLS, 2) && there(&metrics, PC_CGROUP_MEMORY_LIMIT_HITS, 7));
    CHECK(there(&metrics, PC_CGROUP_CPU_NS, 5000) && there(&metrics, PC_CGROUP_PROCESSES_LIMIT, 30));
    // The narrowest CPU limit is the pod's, and so is the throttling.
    CHECK(there(&metrics, PC_CGROUP_CPU_LIMIT_MILLICORES, 1500));
    CHECK(there(&metrics, PC_CGROUP_THROTTLED_NS, 9000) && there(&metrics, PC_CGROUP_CPU_PERIODS, 11));
    CHECK(absent(&metrics, PC_CGROUP_MEMORY_HIGH_BYTES) && absent(&metrics, PC_CGROUP_SWAP_BYTES) &&
          absent(&metrics, PC_CGROUP_MEMORY_PEAK_BYTES));
    const pc_pressure_stall *stalls = metrics.pressure.stalls[PC_PRESSURE_MEMORY];
    CHECK(stalls[PC_PRESSURE_SOME].present && stalls[PC_PRESSURE_SOME].total_ns == 77405487000);
    CHECK(stalls[PC_PRESSURE_FULL].avg10_centipercent == 5);
    CHECK(!metrics.pressure.stalls[PC_PRESSURE_IO][PC_PRESSURE_SOME].present);

    CHECK(pc_cgroup_read(proc, mount, 43, &metrics) == -ESRCH && metrics.present != 0); // untouched
    CHECK(pc_cgroup_read(proc, "/nonexistent", 42, &metrics) == 0 && metrics.present == 0 && metrics.path[0] == '\0');
    // A figure that does not fit in its unit is absent, a limit past what can be multiplied is none.
    write_file("mount/pod/box/cpu.stat", "usage_usec 18446744073709552\nuser_usec 18446744073709551\n");
    write_file("mount/pod/cpu.max", "18446744073709552 100000\n");
    CHECK(pc_cgroup_read(proc, mount, 42, &metrics) == 0 && absent(&metrics, PC_CGROUP_CPU_NS));
    CHECK(there(&metrics, PC_CGROUP_USER_NS, 18446744073709551000u));
    CHECK(there(&metrics, PC_CGROUP_CPU_LIMIT_MILLICORES, 2000)); // the group's own
    // A group that is gone; of this process the mount's own, as in a container that shows the host's paths.
    write_file("42/cgroup", "0::/gone\n");
    CHECK(pc_cgroup_read(proc, mount, 42, &metrics) == 0 && metrics.present == 0);
    write_file("self/cgroup", "0::/gone\n");
    CHECK(pc_cgroup_read(proc, mount, 0, &metrics) == 0 && there(&metrics, PC_CGROUP_CPU_NS, 1000));
    write_file("42/cgroup", "1:cpu:/only-old\n");
    CHECK(pc_cgroup_read(proc, mount, 42, &metrics) == 0 && metrics.path[0] == '\0');
}

static void test_system(const char *proc)
{
    pc_pressure pressure;
    CHECK(pc_pressure_read_system("/nonexistent", &pressure) == 0 &&
          !pressure.stalls[PC_PRESSURE_CPU][PC_PRESSURE_SOME].present);
    CHECK(pc_pressure_read_system(proc, &pressure) == 0);
    CHECK(pressure.stalls[PC_PRESSURE_CPU][PC_PRESSURE_SOME].avg10_centipercent == 1234);
    CHECK(!pressure.stalls[PC_PRESSURE_IO][PC_PRESSURE_FULL].present);
}

static void test_made_up(void)
{
    CHECK(mkdtemp(root) != NULL);
    const char *const folders[] = {"42", "self", "pressure", "mount", "mount/pod", "mount/pod/box"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(folders[i]);
    write_file("42/cgroup", "4:memory:/x\n0::/pod/box\n");
    write_file("pressure/cpu", PSI);
    write_file("pressure/io", "what?\n");
    write_file("mount/cpu.stat", "usage_usec 1\n");
    write_file("mount/pod/memory.max", "4000\n");
    write_file("mount/pod/cpu.max", "150000 100000\n");
    write_file("mount/pod/cpu.stat", "usage_usec 8\nnr_periods 11\nnr_throttled 3\nthrottled_usec 9\n");
    write_file("mount/pod/pids.max", "30\n");
    write_file("mount/pod/box/memory.current", "1000\n");
    write_file("mount/pod/box/memory.max", "max\n");
    write_file("mount/pod/box/memory.high", "max\n");
    write_file("mount/pod/box/memory.events", "low 0\nhigh 1\nmax 7\noom 3\noom_kill 2\n");
    write_file("mount/pod/box/memory.pressure", PSI);
    write_file("mount/pod/box/cpu.max", "200000 100000\n");
    write_file("mount/pod/box/cpu.stat", "usage_usec 5\nuser_usec 3\nnr_periods 1\nthrottled_usec 0\n");
    write_file("mount/pod/box/pids.max", "40\n");
    char mount[64];
    (void)snprintf(mount, sizeof mount, "%s/mount", root);
    test_system(root);
    test_hierarchy(root, mount);
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

static void test_no_descriptor(void)
{
    struct rlimit before, none;
    pc_cgroup_metrics metrics;
    pc_pressure pressure;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    int status = pc_cgroup_read("/proc", NULL, 0, &metrics);
    int other = pc_pressure_read_system("/proc", &pressure);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(status == -EMFILE && other == -EMFILE);
}

static void test_sums(void)
{
    pc_process reader;
    pc_process_metrics metrics;
    CHECK(pc_process_open(&reader, "/proc", 0, false) == 0);
    CHECK(pc_process_read(&reader, PC_METRIC_COSTLY | PC_METRIC_BIT(PC_METRIC_RSS_BYTES), &metrics) == 0);
    uint32_t shares = PC_METRIC_BIT(PC_METRIC_PSS_BYTES) | PC_METRIC_BIT(PC_METRIC_USS_BYTES);
    if ((metrics.present & shares) == shares) { // Linux 4.14, and not hidden
        CHECK(metrics.values[PC_METRIC_USS_BYTES] <= metrics.values[PC_METRIC_PSS_BYTES]);
        CHECK(metrics.values[PC_METRIC_PSS_BYTES] > 0);
    }
    pc_process_close(&reader);
}

int main(void)
{
    test_text();
    test_made_up();
    test_no_descriptor();
    test_sums();
    return CHECK_EXIT();
}
