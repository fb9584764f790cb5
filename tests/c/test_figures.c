// SPDX-License-Identifier: MIT
// The figures of a process, each from its own place: of a made-up /proc folder in which no two are alike, of this
// process beside getrusage(2), and how many descriptors a reader keeps; the rates that pc_probe makes of them.
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_probe.h"

#define PID "999999999" // past every limit of process numbers, so that it has no clock

static char root[] = "/tmp/perfcore-proc-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/" PID "/%s", root, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(file);
}

static void make_folder(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/" PID "%s", root, name);
    CHECK(mkdir(path, 0700) == 0);
}

static long descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    CHECK(folder != NULL);
    long found = 0;
    while (folder != NULL && readdir(folder) != NULL)
        found++;
    if (folder != NULL)
        (void)closedir(folder);
    return found;
}

static void test_places(void)
{
    static const struct {
        pc_metric metric;
        uint64_t one, three; // with one thread, with three
    } figures[] = {
        {PC_METRIC_PEAK_RSS_BYTES, 80 * 1024, 80 * 1024},
        {PC_METRIC_SWAP_BYTES, 9 * 1024, 9 * 1024},
        {PC_METRIC_CPU_NS, 230000000, 230000000},
        {PC_METRIC_USER_NS, 110000000, 110000000},
        {PC_METRIC_SYSTEM_NS, 120000000, 120000000},
        {PC_METRIC_MINOR_FAULTS, 102, 102},
        {PC_METRIC_MAJOR_FAULTS, 5, 5},
        {PC_METRIC_VOLUNTARY_SWITCHES, 15, 0},
        {PC_METRIC_INVOLUNTARY_SWITCHES, 16, 0},
        {PC_METRIC_READ_BYTES, 21, 21},
        {PC_METRIC_WRITE_BYTES, 22, 22},
        {PC_METRIC_DISK_READ_BYTES, 25, 25},
        {PC_METRIC_DISK_WRITE_BYTES, 26, 26},
        {PC_METRIC_THREADS, 1, 3},
        {PC_METRIC_START_NS, 16992600000000, 16992600000000},
        {PC_METRIC_WAIT_NS, 32, 42 + 52 + 62},
        {PC_METRIC_PSS_BYTES, 71 * 1024, 71 * 1024},
        {PC_METRIC_USS_BYTES, (72 + 73) * 1024, (72 + 73) * 1024},
    };
    CHECK(mkdtemp(root) != NULL);
    static const char *const folders[] = {"", "/fd", "/task", "/task/1", "/task/2", "/task/3"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        make_folder(folders[i]);
    write_file("statm", "10 4 2 0 0 0 0\n");
    write_file("status",
               "VmHWM:\t 80 kB\nVmSwap:\t 9 kB\nvoluntary_ctxt_switches:\t15\nnonvoluntary_ctxt_switches:\t16\n");
    write_file("io", "rchar: 21\nwchar: 22\nsyscr: 23\nsyscw: 24\nread_bytes: 25\nwrite_bytes: 26\n");
    write_file("schedstat", "31 32 33\n");
    write_file("task/1/schedstat", "41 42 43\n");
    write_file("task/2/schedstat", "51 52 53\n");
    write_file("task/3/schedstat", "61 62 63\n");
    write_file("smaps_rollup", "Rss: 70 kB\nPss: 71 kB\nPrivate_Clean: 72 kB\nPrivate_Dirty: 73 kB\n");
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    CHECK(sysconf(_SC_CLK_TCK) == 100);
    for (int lean = 0; lean <= 1; lean++) {
        for (int threads = 1; threads <= 3; threads += 2) {
            char stat[128];
            (void)snprintf(stat, sizeof stat,
                           PID " (a) S 7 42 42 0 -1 4194304 102 3 5 4 11 12 13 14 20 0 %d 0 1699260 1 1\n", threads);
            write_file("stat", stat);
            pc_process reader;
            pc_process_metrics metrics;
            const long before = descriptors();
            CHECK(pc_process_open(&reader, root, atoi(PID), lean != 0) == 0);
            for (int again = 0; again < 3; again++)
                CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0);
            CHECK(lean ? descriptors() <= before + 2 : descriptors() <= before + 1 + PC_PROCDIR_FILES);
            for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
                const uint64_t wanted = threads == 1 ? figures[i].one : figures[i].three;
                const bool there = (metrics.present & PC_METRIC_BIT(figures[i].metric)) != 0;
                if (there != (wanted != 0) || metrics.values[figures[i].metric] != wanted)
                    printf("%s: %llu\n", pc_metric_name(figures[i].metric),
                           (unsigned long long)metrics.values[figures[i].metric]);
                CHECK(there == (wanted != 0) && metrics.values[figures[i].metric] == wanted);
            }
            CHECK(metrics.values[PC_METRIC_VMS_BYTES] == 10 * page && metrics.values[PC_METRIC_RSS_BYTES] == 4 * page &&
                  metrics.values[PC_METRIC_SHARED_BYTES] == 2 * page);
            pc_process_close(&reader);
            CHECK(descriptors() == before);
        }
    }
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * PC_NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

static bool between(long before, uint64_t value, long after)
{
    return (uint64_t)before <= value && value <= (uint64_t)after;
}

// Spend so much CPU time.
static void burn(int64_t ns)
{
    const int64_t until_ns = pc_clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + ns;
    while (pc_clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < until_ns)
        continue;
}

static void test_itself(void)
{
    burn(5000000);
    for (int i = 0; i < 20; i++)
        (void)usleep(100); // more voluntary switches than others
    pc_process reader;
    pc_process_metrics metrics;
    struct rusage before, after;
    CHECK(pc_process_open(&reader, "/proc", 0, false) == 0 && getrusage(RUSAGE_SELF, &before) == 0);
    CHECK(pc_process_read(&reader, PC_METRIC_ALL, &metrics) == 0 && getrusage(RUSAGE_SELF, &after) == 0);
    const uint64_t *values = metrics.values;
    CHECK(ns_of(before.ru_utime) <= values[PC_METRIC_USER_NS] && values[PC_METRIC_USER_NS] <= ns_of(after.ru_utime));
    CHECK(ns_of(before.ru_stime) <= values[PC_METRIC_SYSTEM_NS] &&
          values[PC_METRIC_SYSTEM_NS] <= ns_of(after.ru_stime));
    CHECK(values[PC_METRIC_CPU_NS] == values[PC_METRIC_USER_NS] + values[PC_METRIC_SYSTEM_NS]);
    CHECK(between(before.ru_minflt, values[PC_METRIC_MINOR_FAULTS], after.ru_minflt));
    CHECK(between(before.ru_majflt, values[PC_METRIC_MAJOR_FAULTS], after.ru_majflt));
    CHECK(between(before.ru_nvcsw, values[PC_METRIC_VOLUNTARY_SWITCHES], after.ru_nvcsw));
    CHECK(between(before.ru_nivcsw, values[PC_METRIC_INVOLUNTARY_SWITCHES], after.ru_nivcsw));
    pc_process_close(&reader);
}

static bool near(double found, double wanted)
{
    return fabs(found - wanted) <= 1e-9 * fabs(wanted);
}

// Rates over a second that is made up, of what the reading says and what was there before.
static void test_rates(void)
{
    static pc_probe probe;
    double values[PC_SAMPLER_COLUMNS], weights[PC_SAMPLER_COLUMNS];
    int64_t time_ns;
    CHECK(pc_probe_open(&probe, 0, false, true, PC_NS_PER_S) == 0);
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    static const struct {
        pc_metric metric;
        pc_sampler_column column;
        double unit;
    } rates[] = {
        {PC_METRIC_DISK_READ_BYTES, PC_SAMPLER_DISK_READ_BYTES_PER_S, 1e9},
        {PC_METRIC_DISK_WRITE_BYTES, PC_SAMPLER_DISK_WRITE_BYTES_PER_S, 1e9},
        {PC_METRIC_WAIT_NS, PC_SAMPLER_RUN_QUEUE_WAIT_PERCENT, 100.0},
    };
    pc_member *member = &probe.members.data[0];
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        member->before.values[rates[i].metric] = 0;
    probe.rates_ns -= PC_NS_PER_S;
    probe.waits_ns -= PC_NS_PER_S;
    probe.net_ns -= PC_NS_PER_S;
    probe.cpu_since_ns -= 10 * (int64_t)PC_NS_PER_S;
    probe.cpu_ns = 10 * (uint64_t)PC_NS_PER_S; // one processor
    probe.net_before = (pc_proctext_net){0};
    const uint64_t own_ns = probe.own.values[PC_METRIC_CPU_NS];
    burn(60000000); // of the thread that samples, and so not counted
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        if ((member->now.present & PC_METRIC_BIT(rates[i].metric)) != 0)
            CHECK(near(values[rates[i].column],
                       rates[i].unit * (double)member->now.values[rates[i].metric] / weights[rates[i].column]));
    }
    const double cpu_ns = values[PC_SAMPLER_CPU_PERCENT] / 100.0 * weights[PC_SAMPLER_CPU_PERCENT];
    CHECK(cpu_ns > 9.999e9 && cpu_ns < 10.05e9);
    CHECK(probe.cpu_ns == 0 && probe.own.values[PC_METRIC_CPU_NS] >= own_ns + 60000000);
    CHECK(values[PC_SAMPLER_THREADS] == (double)(member->now.values[PC_METRIC_THREADS] - 1)); // without the sampler's
    if (probe.net.file >= 0) {
        const double passed_s = weights[PC_SAMPLER_NET_SENT_BYTES_PER_S] / 1e9;
        CHECK(near(values[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S], (double)probe.net_before.received_bytes / passed_s));
        CHECK(near(values[PC_SAMPLER_NET_SENT_BYTES_PER_S], (double)probe.net_before.sent_bytes / passed_s));
    }
    // An interface that went: no rate; nor does what is less than before have one below zero.
    probe.net_ns -= PC_NS_PER_S;
    probe.net_before.received_bytes = UINT64_MAX;
    probe.rates_ns -= PC_NS_PER_S;
    member->before.values[PC_METRIC_DISK_READ_BYTES] = UINT64_MAX / 2;
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    CHECK(isnan(values[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S]) && isnan(values[PC_SAMPLER_NET_SENT_BYTES_PER_S]));
    CHECK((member->now.present & PC_METRIC_BIT(PC_METRIC_DISK_READ_BYTES)) == 0 ||
          values[PC_SAMPLER_DISK_READ_BYTES_PER_S] == 0.0);
    pc_probe_close(&probe);
}

int main(void)
{
    test_places();
    test_itself();
    test_rates();
    return CHECK_EXIT();
}
