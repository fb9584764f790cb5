// SPDX-License-Identifier: MIT
// The sampling thread (see the header). The lock guards the series, the figures of pc_sampler_info and the request to
// stop; the members and the file of network counters are the thread's alone while it runs.
#include "measure/pc_sampler.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"
#include "measure/pc_members.h"
#include "measure/pc_net.h"
#include "measure/pc_series.h"

enum { NET_EVERY_NS = 10000000, CPU_EVERY_NS = 50000000, SEARCH_EVERY_NS = 100000000, STACK_BYTES = 1 << 20 };

typedef enum phase { IDLE, STARTING, RUNNING, FINISHED } phase;

struct pc_sampler {
    pc_sampler_options options;
    pid_t owner;
    bool started; // there is a thread to join
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; // of phase or stopping; its clock is CLOCK_MONOTONIC
    phase phase;
    int status; // of starting
    bool stopping;
    pc_series series;
    pc_sampler_info info;
    // The thread's:
    pc_members members;
    int64_t started_ns;
    int64_t sampled_ns; // the sample before
    uint64_t cpu_ns;    // spent since cpu_since_ns, not yet told as a rate
    int64_t cpu_since_ns;
    pc_process_metrics own; // what this thread itself has used up
    pc_net net;
    int64_t net_ns; // when its counters were read; 0: not yet
    pc_net_counters net_before;
};

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
    };
    return names[column];
}

int pc_sampler_create(const pc_sampler_options *options, pc_sampler **sampler)
{
    if (options->interval_ns < PC_SAMPLER_MIN_INTERVAL_NS || options->interval_ns > PC_SAMPLER_MAX_INTERVAL_NS ||
        options->capacity == 0 || options->capacity > (size_t)1 << 20)
        return -EINVAL;
    pc_sampler *made = pc_alloc_zero(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->options = *options;
    made->owner = getpid();
    made->net.file = -1;
    int status = pc_series_init(&made->series, PC_SAMPLER_COLUMNS, options->capacity);
    pthread_condattr_t attributes;
    if (status == 0)
        status = -pthread_condattr_init(&attributes);
    if (status == 0) {
        status = -pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (status == 0)
            status = -pthread_cond_init(&made->changed, &attributes);
        (void)pthread_condattr_destroy(&attributes);
    }
    if (status == 0)
        status = -pthread_mutex_init(&made->lock, NULL);
    if (status < 0) {
        pc_series_clear(&made->series);
        pc_free(made);
        return status;
    }
    *sampler = made;
    return 0;
}

static void release_target(pc_sampler *sampler)
{
    pc_members_clear(&sampler->members);
    pc_net_close(&sampler->net);
}

// --- one sample ---

// What the sampler's own thread has used, to be taken out of this process's figures.
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

static bool watches_itself(const pc_sampler *sampler)
{
    for (size_t i = 0; i < sampler->members.length; i++) {
        if (sampler->members.data[i].reader.pid == 0)
            return true;
    }
    return false;
}

// Rates of the network counters, if it is time to read them.
static void sample_net(pc_sampler *sampler, int64_t now_ns, double *values, double *weights)
{
    bool first = sampler->net_ns == 0;
    pc_net_counters now;
    if ((!first && now_ns - sampler->net_ns < NET_EVERY_NS) || pc_net_read(&sampler->net, &now) < 0)
        return;
    const pc_net_counters *before = &sampler->net_before;
    // An interface that goes takes its counters with it.
    if (!first && now.received_bytes >= before->received_bytes && now.sent_bytes >= before->sent_bytes) {
        double passed_ns = (double)(now_ns - sampler->net_ns);
        double per_s = PC_NS_PER_S / passed_ns;
        weights[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S] = passed_ns;
        weights[PC_SAMPLER_NET_SENT_BYTES_PER_S] = passed_ns;
        values[PC_SAMPLER_NET_RECEIVED_BYTES_PER_S] = (double)(now.received_bytes - before->received_bytes) * per_s;
        values[PC_SAMPLER_NET_SENT_BYTES_PER_S] = (double)(now.sent_bytes - before->sent_bytes) * per_s;
    }
    sampler->net_ns = now_ns;
    sampler->net_before = now;
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
// a rate over 1 ms would jump between 0 and 400 %: it is told over 50 ms at least, and of what is left at the end.
static void sample_cpu(pc_sampler *sampler, int64_t now_ns, bool last, double *values, double *weights)
{
    int64_t passed_ns = now_ns - sampler->cpu_since_ns;
    if (passed_ns < CPU_EVERY_NS && !last)
        return;
    values[PC_SAMPLER_CPU_PERCENT] = 100.0 * (double)sampler->cpu_ns / (double)passed_ns;
    weights[PC_SAMPLER_CPU_PERCENT] = (double)passed_ns;
    sampler->cpu_ns = 0;
    sampler->cpu_since_ns = now_ns;
}

static int take_sample(pc_sampler *sampler, bool last, double *values, double *weights, int64_t *time_ns)
{
    int64_t now_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
    int64_t every_ns = sampler->options.interval_ns > SEARCH_EVERY_NS ? sampler->options.interval_ns : SEARCH_EVERY_NS;
    int status = pc_members_search(&sampler->members, now_ns, every_ns);
    if (status < 0)
        return status;
    now_ns = pc_clock_now_ns(CLOCK_MONOTONIC); // the search took its time
    pc_members_sums sums;
    status = pc_members_sample(&sampler->members, &sums);
    if (status < 0)
        return status;
    for (int i = 0; i < PC_SAMPLER_COLUMNS; i++) {
        values[i] = (double)NAN;
        weights[i] = (double)(sampler->sampled_ns != 0 ? now_ns - sampler->sampled_ns : sampler->options.interval_ns);
    }
    bool itself = watches_itself(sampler);
    gauge(&sums.gauges, PC_METRIC_RSS_BYTES, 0, &values[PC_SAMPLER_RSS_BYTES]);
    gauge(&sums.gauges, PC_METRIC_THREADS, itself ? 1 : 0, &values[PC_SAMPLER_THREADS]);
    gauge(&sums.gauges, PC_METRIC_FDS, 0, &values[PC_SAMPLER_FDS]);
    values[PC_SAMPLER_PROCESSES] = (double)sampler->members.length;
    pc_process_metrics now = {0}, spent = {0};
    if (itself) {
        now = own_usage();
        for (int i = 0; i < PC_METRIC_COUNT; i++)
            spent.values[i] = now.values[i] - sampler->own.values[i];
        sampler->own = now;
    }
    if (sampler->sampled_ns != 0 && now_ns > sampler->sampled_ns) {
        double per_s = PC_NS_PER_S / (double)(now_ns - sampler->sampled_ns);
        sampler->cpu_ns += without(sums.moved.values[PC_METRIC_CPU_NS], spent.values[PC_METRIC_CPU_NS]);
        if ((sums.moved.present & PC_METRIC_BIT(PC_METRIC_CPU_NS)) != 0)
            sample_cpu(sampler, now_ns, last, values, weights);
        const struct {
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
        for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
            rate(&sums.moved, &spent, rates[i].metric, per_s, &values[rates[i].column]);
    }
    sample_net(sampler, now_ns, values, weights);
    if (sampler->cpu_since_ns == 0)
        sampler->cpu_since_ns = now_ns;
    sampler->sampled_ns = now_ns;
    *time_ns = now_ns - sampler->started_ns;
    return 0;
}

// --- the thread ---

static int begin(pc_sampler *sampler)
{
    pid_t pid = sampler->options.pid;
    sampler->started_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
    sampler->sampled_ns = 0;
    sampler->net_ns = 0;
    sampler->cpu_ns = 0;
    sampler->cpu_since_ns = 0;
    sampler->own = own_usage();
    int status = pc_members_init(&sampler->members, pid, sampler->options.tree);
    if (status < 0)
        return status;
    pc_net_open(&sampler->net, pid != 0 ? pid : getpid());
    return 0;
}

// Take a sample and enter it, with the lock held before and after. Whether there is anything left to sample.
static bool enter_sample(pc_sampler *sampler, bool last, int *status)
{
    double values[PC_SAMPLER_COLUMNS], weights[PC_SAMPLER_COLUMNS];
    int64_t time_ns = 0;
    (void)pthread_mutex_unlock(&sampler->lock);
    *status = take_sample(sampler, last, values, weights, &time_ns);
    (void)pthread_mutex_lock(&sampler->lock);
    if (*status == 0) {
        pc_series_push(&sampler->series, time_ns, values, weights);
        sampler->info.samples++;
        sampler->info.duration_ns = time_ns;
    } else if (*status == -ESRCH) {
        sampler->info.ended = true;
    } else {
        sampler->info.missed++;
    }
    return *status != -ESRCH;
}

static void *run(void *argument)
{
    pc_sampler *sampler = argument;
    (void)prctl(PR_SET_NAME, "perfcore-sample");
    (void)prctl(PR_SET_TIMERSLACK, 1UL); // 50 us by default
    int status = begin(sampler);
    (void)pthread_mutex_lock(&sampler->lock);
    bool going = status == 0 && enter_sample(sampler, false, &status) && status == 0;
    sampler->status = status;
    sampler->phase = going ? RUNNING : FINISHED;
    (void)pthread_cond_broadcast(&sampler->changed);
    int64_t interval_ns = sampler->options.interval_ns;
    int64_t due_ns = sampler->started_ns + interval_ns;
    while (going && !sampler->stopping) {
        int64_t now_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
        if (now_ns < due_ns) {
            struct timespec due = {due_ns / PC_NS_PER_S, due_ns % PC_NS_PER_S};
            (void)pthread_cond_timedwait(&sampler->changed, &sampler->lock, &due);
            continue; // a wake-up may have any reason
        }
        int64_t late = (now_ns - due_ns) / interval_ns;
        sampler->info.missed += (uint64_t)late;
        due_ns += (late + 1) * interval_ns;
        going = enter_sample(sampler, false, &status);
    }
    if (going)
        (void)enter_sample(sampler, true, &status);
    sampler->phase = FINISHED;
    (void)pthread_cond_broadcast(&sampler->changed);
    (void)pthread_mutex_unlock(&sampler->lock);
    release_target(sampler);
    return NULL;
}

static int create_thread(pc_sampler *sampler)
{
    pthread_attr_t attributes;
    int status = -pthread_attr_init(&attributes);
    if (status < 0)
        return status;
    status = -pthread_attr_setstacksize(&attributes, STACK_BYTES);
    // The process's signals are not for this thread: Python wants to see them in its own.
    sigset_t all, before;
    (void)sigfillset(&all);
    if (status == 0)
        status = -pthread_sigmask(SIG_SETMASK, &all, &before);
    if (status == 0) {
        status = -pthread_create(&sampler->thread, &attributes, run, sampler);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attributes);
    return status;
}

static bool is_forked(const pc_sampler *sampler)
{
    return sampler->owner != getpid();
}

static void join(pc_sampler *sampler)
{
    (void)pthread_join(sampler->thread, NULL);
    sampler->started = false;
}

int pc_sampler_start(pc_sampler *sampler)
{
    if (is_forked(sampler))
        return -ECHILD;
    if (sampler->started)
        return -EALREADY;
    (void)pthread_mutex_lock(&sampler->lock);
    pc_series_reset(&sampler->series);
    sampler->info = (pc_sampler_info){0};
    sampler->phase = STARTING;
    sampler->stopping = false;
    sampler->status = 0;
    int status = create_thread(sampler);
    if (status == 0) {
        sampler->started = true;
        while (sampler->phase == STARTING)
            (void)pthread_cond_wait(&sampler->changed, &sampler->lock);
        status = sampler->status;
    }
    (void)pthread_mutex_unlock(&sampler->lock);
    if (status < 0 && sampler->started)
        join(sampler);
    return status;
}

static void finish(pc_sampler *sampler)
{
    if (!sampler->started)
        return;
    (void)pthread_mutex_lock(&sampler->lock);
    sampler->stopping = true;
    (void)pthread_cond_broadcast(&sampler->changed);
    (void)pthread_mutex_unlock(&sampler->lock);
    join(sampler);
}

int pc_sampler_stop(pc_sampler *sampler)
{
    if (is_forked(sampler))
        return -ECHILD;
    finish(sampler);
    return 0;
}

void pc_sampler_destroy(pc_sampler *sampler)
{
    if (sampler == NULL)
        return;
    // In a forked child the lock and the members are as the thread left them at an unknown moment: they are let alone.
    if (!is_forked(sampler)) {
        finish(sampler);
        (void)pthread_cond_destroy(&sampler->changed);
        (void)pthread_mutex_destroy(&sampler->lock);
    }
    pc_series_clear(&sampler->series);
    pc_free(sampler);
}

// --- reading ---

int pc_sampler_look(pc_sampler *sampler, pc_sampler_info *info)
{
    if (is_forked(sampler))
        return -ECHILD;
    (void)pthread_mutex_lock(&sampler->lock);
    *info = sampler->info;
    (void)pthread_mutex_unlock(&sampler->lock);
    return 0;
}

int pc_sampler_aggregates(pc_sampler *sampler, pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS])
{
    if (is_forked(sampler))
        return -ECHILD;
    (void)pthread_mutex_lock(&sampler->lock);
    for (size_t column = 0; column < PC_SAMPLER_COLUMNS; column++) {
        const pc_series_cell *total = &sampler->series.totals[column];
        double nothing = (double)NAN;
        aggregates[column] = (pc_sampler_aggregate){.count = total->count,
                                                    .mean = nothing,
                                                    .min = nothing,
                                                    .max = nothing,
                                                    .p95 = pc_series_quantile(&sampler->series, column, 0.95),
                                                    .p99 = pc_series_quantile(&sampler->series, column, 0.99)};
        if (total->count > 0) {
            aggregates[column].mean = pc_series_mean(total);
            aggregates[column].min = total->min;
            aggregates[column].max = total->max;
        }
    }
    (void)pthread_mutex_unlock(&sampler->lock);
    return 0;
}

int pc_sampler_read(pc_sampler *sampler, pc_sampler_column column, pc_samples *times_s, pc_samples *least,
                    pc_samples *mean, pc_samples *greatest)
{
    if (is_forked(sampler))
        return -ECHILD;
    pc_samples *const results[] = {times_s, least, mean, greatest};
    for (size_t i = 0; i < 4; i++) { // room for all that there can be, so that nothing is allocated under the lock
        if (pc_samples_reserve(results[i], sampler->series.capacity) < 0)
            return -ENOMEM;
    }
    (void)pthread_mutex_lock(&sampler->lock);
    for (size_t slot = 0; slot < sampler->series.length; slot++) {
        const pc_series_cell *cell = pc_series_at(&sampler->series, slot, column);
        bool there = cell->count > 0;
        times_s->data[times_s->length++] = (double)sampler->series.ends_ns[slot] / PC_NS_PER_S;
        least->data[least->length++] = there ? cell->min : (double)NAN;
        mean->data[mean->length++] = there ? pc_series_mean(cell) : (double)NAN;
        greatest->data[greatest->length++] = there ? cell->max : (double)NAN;
    }
    (void)pthread_mutex_unlock(&sampler->lock);
    return 0;
}
