// SPDX-License-Identifier: MIT
// One sample of a target (see the header).
#include "measure/pc_probe.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#include "measure/pc_clock.h"

// What is not asked at every sample. A cold system call costs 1 to 3 us: with the memory alone every millisecond and
// the rest every 10 ms a sampler at 1 ms takes a third less of a core than with all of it.
enum {
    RATES_EVERY_NS = 10000000,
    CPU_EVERY_NS = 50000000,
    WAIT_EVERY_NS = 100000000,
    NET_EVERY_NS = 100000000, // 8 us a reading
    SEARCH_EVERY_NS = 100000000,
    SEARCH_SHARE = 200
};

static const uint32_t rate_bits = PC_MEMBERS_METRICS & ~PC_METRIC_BIT(PC_METRIC_WAIT_NS);

const char *pc_sampler_column_name(pc_sampler_column column)
{
    static const char *const names[PC_SAMPLER_COLUMNS] = {
        "cpu_percent",
        "rss_bytes",
        "threads",
        "fds",
        "processes",
        "disk_read_bytes_per_s",
        "disk_write_bytes_per_s",
        "net_received_bytes_per_s",
        "net_sent_bytes_per_s",
        "minor_faults_per_s",
        "major_faults_per_s",
        "voluntary_switches_per_s",
        "involuntary_switches_per_s",
        "run_queue_wait_percent",
    };
    return names[column];
}

// What the calling thread has used, to be taken out of this process's figures.
static pc_process_metrics own_usage(void)
{
    struct rusage usage;
    pc_process_metrics own = {0};
    if (getrusage(RUSAGE_THREAD, &usage) < 0)
        return own;
    own.values[PC_METRIC_CPU_NS] = (uint64_t)pc_clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    own.values[PC_METRIC_MINOR_FAULTS] = (uint64_t)usage.ru_minflt;
    own.values[PC_METRIC_MAJOR_FAULTS] = (uint64_t)usage.ru_majflt;
    own.values[PC_METRIC_VOLUNTARY_SWITCHES] = (uint64_t)usage.ru_nvcsw;
    own.values[PC_METRIC_INVOLUNTARY_SWITCHES] = (uint64_t)usage.ru_nivcsw;
    return own;
}

// Whether this process is in the figures.
static bool watches_itself(const pc_probe *probe)
{
    for (size_t i = 0; i < probe->members.length; i++) {
        if (probe->members.data[i].reader.folder.pid == 0)
            return probe->members.data[i].pid != probe->members.without;
    }
    return false;
}

// Whether something is to be read again that was last read at `then_ns` (0: not yet). A sample that comes a little
// early counts as in time.
static bool is_due(const pc_probe *probe, int64_t then_ns, int64_t now_ns, int64_t every_ns)
{
    return then_ns == 0 || now_ns - then_ns + probe->interval_ns / 2 >= every_ns;
}

// Whether a rate over the time that has passed is to be told. The last sample comes at any moment, and over a sliver of
// time what happens once is a rate above all others: there it takes half a period, unless it is the only one.
static bool is_telling(const pc_probe *probe, bool last, int64_t passed_ns, int64_t every_ns, bool *told)
{
    const int64_t period_ns = every_ns > probe->interval_ns ? every_ns : probe->interval_ns;
    if (passed_ns <= 0 || (last && *told && passed_ns < period_ns / 2))
        return false;
    *told = true;
    return true;
}

// Rates of the network counters.
static void sample_net(pc_probe *probe, int64_t now_ns, bool last, double *values, double *weights)
{
    pc_proctext_net now;
    if (pc_net_read(&probe->net, &now) < 0)
        return;
    const pc_proctext_net *before = &probe->net_before;
    // An interface that goes takes its counters with it.
    if (probe->net_ns != 0 && now.received_bytes >= before->received_bytes && now.sent_bytes >= before->sent_bytes &&
        is_telling(probe, last, now_ns - probe->net_ns, NET_EVERY_NS, &probe->net_told)) {
        double passed_ns = (double)(now_ns - probe->net_ns);
        double per_s = PC_NS_PER_S / passed_ns;
        weights[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S] = passed_ns;
        weights[PC_SAMPLER_NET_SENT_BYTES_PER_S] = passed_ns;
        values[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S] = (double)(now.received_bytes - before->received_bytes) * per_s;
        values[PC_SAMPLER_NET_SENT_BYTES_PER_S] = (double)(now.sent_bytes - before->sent_bytes) * per_s;
    }
    probe->net_ns = now_ns;
    probe->net_before = now;
}

static void gauge(const pc_process_metrics *gauges, pc_metric metric, uint64_t without, double *value)
{
    if ((gauges->present & PC_METRIC_BIT(metric)) != 0 && gauges->values[metric] >= without)
        *value = (double)(gauges->values[metric] - without);
}

static uint64_t without(uint64_t total, uint64_t part)
{
    return total > part ? total - part : 0;
}

static void rate(const pc_process_metrics *moved, const pc_process_metrics *own, pc_metric metric, double factor,
                 double *value)
{
    if ((moved->present & PC_METRIC_BIT(metric)) == 0)
        return;
    *value = (double)without(moved->values[metric], own->values[metric]) * factor;
}

// The rate of CPU time. The kernel brings the time of a thread that runs up to date at its tick (every 1 to 10 ms), so
// a rate over 1 ms would jump between 0 and 400 %: it is told over 50 ms at least, and of what is left at the end if
// that is half of it.
static void sample_cpu(pc_probe *probe, int64_t now_ns, bool last, double *values, double *weights)
{
    int64_t passed_ns = now_ns - probe->cpu_since_ns;
    if ((passed_ns < CPU_EVERY_NS && !last) || !is_telling(probe, last, passed_ns, CPU_EVERY_NS, &probe->cpu_told))
        return;
    values[PC_SAMPLER_CPU_PERCENT] = 100.0 * (double)probe->cpu_ns / (double)passed_ns;
    weights[PC_SAMPLER_CPU_PERCENT] = (double)passed_ns;
    probe->cpu_ns = 0;
    probe->cpu_since_ns = now_ns;
}

// Rates of what the members have counted since they were last asked, and what goes with them.
static void sample_rates(pc_probe *probe, const pc_members_sums *sums, int64_t now_ns, bool last, double *values,
                         double *weights)
{
    static const struct {
        pc_metric metric;
        pc_sampler_column column;
    } rates[] = {
        {PC_METRIC_DISK_READ_BYTES, PC_SAMPLER_DISK_READ_BYTES_PER_S},
        {PC_METRIC_DISK_WRITE_BYTES, PC_SAMPLER_DISK_WRITE_BYTES_PER_S},
        {PC_METRIC_MINOR_FAULTS, PC_SAMPLER_MINOR_FAULTS_PER_S},
        {PC_METRIC_MAJOR_FAULTS, PC_SAMPLER_MAJOR_FAULTS_PER_S},
        {PC_METRIC_VOLUNTARY_SWITCHES, PC_SAMPLER_VOLUNTARY_SWITCHES_PER_S},
        {PC_METRIC_INVOLUNTARY_SWITCHES, PC_SAMPLER_INVOLUNTARY_SWITCHES_PER_S},
    };
    bool itself = watches_itself(probe);
    gauge(&sums->gauges, PC_METRIC_THREADS, itself ? 1 : 0, &values[PC_SAMPLER_THREADS]);
    gauge(&sums->gauges, PC_METRIC_FDS, 0, &values[PC_SAMPLER_FDS]);
    pc_process_metrics now = {0}, spent = {0};
    if (itself) {
        now = own_usage();
        for (int i = 0; i < PC_METRIC_COUNT; i++)
            spent.values[i] = now.values[i] - probe->own.values[i];
        probe->own = now;
    }
    double passed_ns = (double)(now_ns - probe->rates_ns);
    if (probe->rates_ns != 0 && now_ns > probe->rates_ns) {
        if ((sums->moved.present & PC_METRIC_BIT(PC_METRIC_CPU_NS)) != 0) {
            probe->cpu_ns += without(sums->moved.values[PC_METRIC_CPU_NS], spent.values[PC_METRIC_CPU_NS]);
            sample_cpu(probe, now_ns, last, values, weights);
        } else if (sums->processes > 0) { // some of it is not known: begin anew
            probe->cpu_ns = 0;
            probe->cpu_since_ns = now_ns;
        }
        const bool tell = is_telling(probe, last, now_ns - probe->rates_ns, RATES_EVERY_NS, &probe->rates_told);
        for (size_t i = 0; tell && i < sizeof rates / sizeof *rates; i++) {
            rate(&sums->moved, &spent, rates[i].metric, PC_NS_PER_S / passed_ns, &values[rates[i].column]);
            weights[rates[i].column] = passed_ns;
        }
        weights[PC_SAMPLER_THREADS] = passed_ns;
        weights[PC_SAMPLER_FDS] = passed_ns;
    }
    if (last || is_due(probe, probe->net_ns, now_ns, NET_EVERY_NS))
        sample_net(probe, now_ns, last, values, weights);
    if (probe->cpu_since_ns == 0)
        probe->cpu_since_ns = now_ns;
    probe->rates_ns = now_ns;
}

static void sample_wait(pc_probe *probe, const pc_members_sums *sums, int64_t now_ns, bool last, double *values,
                        double *weights)
{
    static const pc_process_metrics nothing = {0};
    double passed_ns = (double)(now_ns - probe->waits_ns);
    if (probe->waits_ns != 0 && is_telling(probe, last, now_ns - probe->waits_ns, WAIT_EVERY_NS, &probe->waits_told)) {
        rate(&sums->moved, &nothing, PC_METRIC_WAIT_NS, 100.0 / passed_ns, &values[PC_SAMPLER_RUN_QUEUE_WAIT_PERCENT]);
        weights[PC_SAMPLER_RUN_QUEUE_WAIT_PERCENT] = passed_ns;
    }
    probe->waits_ns = now_ns;
}

// Look for newcomers, if it is time to. Asking a member for its children takes 1 us, looking through the processes of
// the machine 10 us for each, so the next search is not before 200 times what the last one took: searching takes half a
// percent of a processor at most, however many there are.
static int search(pc_probe *probe, int64_t now_ns)
{
    pc_members *members = &probe->members;
    if (!members->tree || now_ns - members->searched_ns < probe->search_every_ns)
        return 0;
    int64_t before_ns = pc_clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    int status = pc_members_search(members, now_ns);
    int64_t least_ns = probe->interval_ns > SEARCH_EVERY_NS ? probe->interval_ns : SEARCH_EVERY_NS;
    int64_t every_ns = SEARCH_SHARE * (pc_clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns);
    probe->search_every_ns = every_ns > least_ns ? every_ns : least_ns;
    return status;
}

int pc_probe_sample(pc_probe *probe, bool last, double *values, double *weights, int64_t *time_ns)
{
    int64_t now_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
    int status = search(probe, now_ns);
    if (status < 0)
        return status;
    if (probe->members.tree)
        now_ns = pc_clock_now_ns(CLOCK_MONOTONIC); // a search took its time
    bool rates = last || is_due(probe, probe->rates_ns, now_ns, RATES_EVERY_NS);
    bool waits = last || is_due(probe, probe->waits_ns, now_ns, WAIT_EVERY_NS);
    pc_members_sums sums;
    uint32_t wanted =
        PC_METRIC_BIT(PC_METRIC_RSS_BYTES) | (rates ? rate_bits : 0) | (waits ? PC_METRIC_BIT(PC_METRIC_WAIT_NS) : 0);
    status = pc_members_sample(&probe->members, wanted, &sums);
    if (status < 0)
        return status;
    for (int i = 0; i < PC_SAMPLER_COLUMNS; i++) {
        values[i] = (double)NAN;
        weights[i] = (double)(probe->sampled_ns != 0 ? now_ns - probe->sampled_ns : probe->interval_ns);
    }
    gauge(&sums.gauges, PC_METRIC_RSS_BYTES, 0, &values[PC_SAMPLER_RSS_BYTES]);
    values[PC_SAMPLER_PROCESSES] = (double)sums.processes;
    if (rates)
        sample_rates(probe, &sums, now_ns, last, values, weights);
    if (waits)
        sample_wait(probe, &sums, now_ns, last, values, weights);
    probe->sampled_ns = now_ns;
    *time_ns = now_ns - probe->started_ns;
    return 0;
}

int pc_probe_open(pc_probe *probe, pid_t pid, bool tree, bool root, int64_t interval_ns)
{
    probe->interval_ns = interval_ns;
    probe->started_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
    probe->search_every_ns = interval_ns > SEARCH_EVERY_NS ? interval_ns : SEARCH_EVERY_NS;
    probe->sampled_ns = 0;
    probe->rates_ns = 0;
    probe->waits_ns = 0;
    probe->net_ns = 0;
    probe->cpu_ns = 0;
    probe->cpu_since_ns = 0;
    probe->cpu_told = probe->rates_told = probe->waits_told = probe->net_told = false;
    probe->own = own_usage();
    probe->net.file = -1;
    int status = pc_members_init(&probe->members, pid, tree, root);
    if (status == 0)
        pc_net_open(&probe->net, pid != 0 ? pid : getpid()); // where it cannot be had, the columns are absent
    return status;
}

void pc_probe_close(pc_probe *probe)
{
    pc_members_clear(&probe->members);
    pc_net_close(&probe->net);
}
