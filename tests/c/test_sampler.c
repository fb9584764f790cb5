// SPDX-License-Identifier: MIT
// pc_sampler: threads that read while it samples, starting and stopping at any moment, processes that come and go under
// a tree, forks, and every allocation failing once. Built with -fsanitize=thread it is the stress of the lock.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_sampler.h"

static pc_sampler *make(pid_t pid, bool tree)
{
    const pc_sampler_options options = {.pid = pid, .tree = tree, .interval_ns = 1000000, .capacity = 16};
    pc_sampler *sampler = NULL;
    CHECK(pc_sampler_create(&options, &sampler) == 0);
    return sampler;
}

static uint64_t samples_of(pc_sampler *sampler)
{
    pc_sampler_info info;
    return pc_sampler_look(sampler, &info) == 0 ? info.samples : 0;
}

static void wait_for_samples(pc_sampler *sampler, uint64_t more)
{
    uint64_t wanted = samples_of(sampler) + more;
    int64_t deadline_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + 20 * (int64_t)PC_NS_PER_S;
    while (samples_of(sampler) < wanted && pc_clock_now_ns(CLOCK_MONOTONIC) < deadline_ns)
        (void)usleep(500);
    CHECK(samples_of(sampler) >= wanted);
}

static void wait_for_processes(pc_sampler *sampler, double wanted)
{
    pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS];
    CHECK(pc_sampler_aggregates(sampler, aggregates) == 0);
    for (int tries = 0; tries < 4000 && !(aggregates[PC_SAMPLER_PROCESSES].max >= wanted); tries++) {
        (void)usleep(5000);
        if (pc_sampler_aggregates(sampler, aggregates) < 0)
            break;
    }
    CHECK(aggregates[PC_SAMPLER_PROCESSES].max >= wanted);
}

static void *read_on(void *argument)
{
    pc_sampler *sampler = argument;
    bool sound = true;
    for (int i = 0; i < 300; i++) {
        pc_samples parts[4] = {{0}};
        sound =
            sound && pc_sampler_read(sampler, PC_SAMPLER_RSS_BYTES, &parts[0], &parts[1], &parts[2], &parts[3]) == 0;
        for (size_t at = 0; at < parts[0].length; at++)
            sound = sound && parts[1].data[at] <= parts[2].data[at] && parts[2].data[at] <= parts[3].data[at];
        for (int part = 0; part < 4; part++)
            pc_samples_clear(&parts[part]);
        pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS];
        sound = sound && pc_sampler_aggregates(sampler, aggregates) == 0;
        sound = sound && aggregates[PC_SAMPLER_RSS_BYTES].count > 0 && aggregates[PC_SAMPLER_RSS_BYTES].min > 0.0;
    }
    return sound ? argument : NULL;
}

static void test_readers_beside_the_sampler(void)
{
    pc_sampler *sampler = make(0, false);
    CHECK(pc_sampler_stop(sampler) == 0);
    CHECK(pc_sampler_start(sampler) == 0);
    CHECK(pc_sampler_start(sampler) == -EALREADY);
    pthread_t readers[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&readers[i], NULL, read_on, sampler) == 0);
    for (int i = 0; i < 3; i++) {
        void *sound = NULL;
        CHECK(pthread_join(readers[i], &sound) == 0 && sound != NULL);
    }
    wait_for_samples(sampler, 40); // the series is halved several times
    CHECK(pc_sampler_stop(sampler) == 0);
    CHECK(pc_sampler_stop(sampler) == 0);
    uint64_t before = samples_of(sampler);
    for (int i = 0; i < 50; i++) {
        CHECK(pc_sampler_start(sampler) == 0);
        CHECK(pc_sampler_stop(sampler) == 0);
    }
    CHECK(before >= 40 && samples_of(sampler) >= 1); // begins anew
    pc_sampler_destroy(sampler);
    pc_sampler_destroy(NULL);
}

static void test_a_tree_without_its_root(void)
{
    const pc_sampler_options options = {.tree = true, .rootless = true, .interval_ns = 1000000, .capacity = 16};
    pc_sampler *sampler = NULL;
    CHECK(pc_sampler_create(&options, &sampler) == 0);
    CHECK(pc_sampler_start(sampler) == 0);
    wait_for_samples(sampler, 3);
    pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS];
    CHECK(pc_sampler_aggregates(sampler, aggregates) == 0);
    CHECK(aggregates[PC_SAMPLER_RSS_BYTES].count == 0 && aggregates[PC_SAMPLER_CPU_PERCENT].count == 0);
    CHECK(aggregates[PC_SAMPLER_PROCESSES].count >= 3 && aggregates[PC_SAMPLER_PROCESSES].max == 0.0);
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    wait_for_processes(sampler, 1.0);
    CHECK(pc_sampler_aggregates(sampler, aggregates) == 0);
    CHECK(aggregates[PC_SAMPLER_PROCESSES].max == 1.0 && aggregates[PC_SAMPLER_RSS_BYTES].count > 0);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(pc_sampler_stop(sampler) == 0);
    pc_sampler_info info;
    CHECK(pc_sampler_look(sampler, &info) == 0 && !info.ended);
    pc_sampler_destroy(sampler);
}

static void test_a_tree_that_changes(void)
{
    pc_sampler *sampler = make(0, true);
    CHECK(pc_sampler_start(sampler) == 0);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            (void)usleep(15000);
            _exit(0);
        }
        CHECK(child > 0);
        (void)usleep(5000);
        CHECK(waitpid(child, NULL, 0) == child);
    }
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    wait_for_processes(sampler, 2.0); // the next search finds it
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(pc_sampler_stop(sampler) == 0);
    pc_sampler_destroy(sampler);
}

static void test_a_process_that_ends(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    pc_sampler *sampler = make(child, false);
    CHECK(pc_sampler_start(sampler) == 0);
    wait_for_samples(sampler, 3);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    pc_sampler_info info = {0};
    for (int i = 0; i < 2000 && !info.ended; i++) {
        (void)usleep(1000);
        CHECK(pc_sampler_look(sampler, &info) == 0);
    }
    CHECK(info.ended);
    CHECK(pc_sampler_stop(sampler) == 0);
    CHECK(pc_sampler_start(sampler) == -ESRCH);
    pc_sampler_destroy(sampler);
}

static void test_a_fork_while_it_samples(void)
{
    pc_sampler *sampler = make(0, false);
    CHECK(pc_sampler_start(sampler) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            pc_sampler_info info;
            bool told = pc_sampler_look(sampler, &info) == -ECHILD && pc_sampler_stop(sampler) == -ECHILD &&
                        pc_sampler_start(sampler) == -ECHILD;
            _exit(told ? 0 : 1);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    wait_for_samples(sampler, 1);
    pc_sampler_destroy(sampler); // stops
}

// Of a probe whose period is so long that the last sample comes in a sliver of it.
static bool tells_at_the_end(pc_probe *probe, bool told_before, double values[PC_SAMPLER_COLUMNS])
{
    double weights[PC_SAMPLER_COLUMNS];
    int64_t time_ns;
    CHECK(pc_probe_open(probe, 0, false, true, PC_SAMPLER_MAX_INTERVAL_NS) == 0);
    CHECK(pc_probe_sample(probe, false, values, weights, &time_ns) == 0);
    if (told_before) {
        probe->cpu_since_ns -= PC_NS_PER_S;
        CHECK(pc_probe_sample(probe, false, values, weights, &time_ns) == 0);
        CHECK(!isnan(values[PC_SAMPLER_CPU_PERCENT]) && !isnan(values[PC_SAMPLER_MINOR_FAULTS_PER_S]));
    }
    CHECK(pc_probe_sample(probe, true, values, weights, &time_ns) == 0);
    CHECK(!isnan(values[PC_SAMPLER_RSS_BYTES]) && !isnan(values[PC_SAMPLER_THREADS]));
    return !isnan(values[PC_SAMPLER_CPU_PERCENT]);
}

static void test_no_rate_over_a_sliver_at_the_end(void)
{
    static pc_probe probe;
    double values[PC_SAMPLER_COLUMNS], unused[PC_SAMPLER_COLUMNS];
    int64_t time_ns;
    static const pc_sampler_column rates[] = {PC_SAMPLER_CPU_PERCENT,
                                              PC_SAMPLER_MINOR_FAULTS_PER_S,
                                              PC_SAMPLER_MAJOR_FAULTS_PER_S,
                                              PC_SAMPLER_VOLUNTARY_SWITCHES_PER_S,
                                              PC_SAMPLER_NET_RECEIVED_BYTES_PER_S,
                                              PC_SAMPLER_RUN_QUEUE_WAIT_PERCENT};
    CHECK(!tells_at_the_end(&probe, true, values));
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        CHECK(isnan(values[rates[i]]));
    // Half of the period is enough.
    probe.rates_ns -= PC_SAMPLER_MAX_INTERVAL_NS / 2;
    probe.cpu_since_ns -= PC_SAMPLER_MAX_INTERVAL_NS / 2;
    CHECK(pc_probe_sample(&probe, true, values, unused, &time_ns) == 0);
    CHECK(!isnan(values[PC_SAMPLER_CPU_PERCENT]) && !isnan(values[PC_SAMPLER_MINOR_FAULTS_PER_S]));
    pc_probe_close(&probe);
    // And so is less where there would be no figure at all.
    CHECK(tells_at_the_end(&probe, false, values));
    CHECK(!isnan(values[PC_SAMPLER_MINOR_FAULTS_PER_S]));
    pc_probe_close(&probe);
}

// CPU time of which a part is not known is not told, also not later.
static void test_cpu_that_is_not_known(void)
{
    static pc_probe probe;
    double values[PC_SAMPLER_COLUMNS], weights[PC_SAMPLER_COLUMNS];
    int64_t time_ns;
    CHECK(pc_probe_open(&probe, 0, false, true, PC_SAMPLER_MAX_INTERVAL_NS) == 0);
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    probe.cpu_since_ns -= PC_NS_PER_S;
    probe.cpu_ns = 1;
    probe.members.data[0].before.present &= ~PC_METRIC_BIT(PC_METRIC_CPU_NS);
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    CHECK(isnan(values[PC_SAMPLER_CPU_PERCENT]) && !isnan(values[PC_SAMPLER_MINOR_FAULTS_PER_S]));
    CHECK(probe.cpu_ns == 0 && probe.cpu_since_ns == probe.started_ns + time_ns);
    probe.cpu_since_ns -= PC_NS_PER_S;
    CHECK(pc_probe_sample(&probe, false, values, weights, &time_ns) == 0);
    CHECK(!isnan(values[PC_SAMPLER_CPU_PERCENT]));
    pc_probe_close(&probe);
}

static void test_options(void)
{
    pc_sampler *sampler = NULL;
    pc_sampler_options options = {.interval_ns = 999999, .capacity = 16};
    CHECK(pc_sampler_create(&options, &sampler) == -EINVAL);
    options.interval_ns = PC_SAMPLER_MAX_INTERVAL_NS + 1;
    CHECK(pc_sampler_create(&options, &sampler) == -EINVAL);
    options = (pc_sampler_options){.interval_ns = PC_SAMPLER_MAX_INTERVAL_NS, .capacity = 0};
    CHECK(pc_sampler_create(&options, &sampler) == -EINVAL && sampler == NULL);
    options = (pc_sampler_options){.rootless = true, .interval_ns = PC_SAMPLER_MAX_INTERVAL_NS, .capacity = 16};
    CHECK(pc_sampler_create(&options, &sampler) == -EINVAL && sampler == NULL);
}

static void test_out_of_memory(void)
{
    long refused = 0;
    for (long n = 0; n < 100; n++) {
        const pc_sampler_options options = {.tree = true, .interval_ns = PC_SAMPLER_MAX_INTERVAL_NS, .capacity = 16};
        pc_sampler *sampler = NULL;
        pc_samples parts[4] = {{0}};
        atomic_store(&fail_at, n);
        int status = pc_sampler_create(&options, &sampler);
        if (status == 0)
            status = pc_sampler_start(sampler);
        if (status == 0)
            status = pc_sampler_read(sampler, PC_SAMPLER_FDS, &parts[0], &parts[1], &parts[2], &parts[3]);
        bool unused = atomic_load(&fail_at) >= 0;
        atomic_store(&fail_at, -1);
        CHECK(status == 0 || status == -ENOMEM || status == -EAGAIN); // pthread_create's own
        refused += status < 0;
        for (int i = 0; i < 4; i++)
            pc_samples_clear(&parts[i]);
        pc_sampler_destroy(sampler);
        if (unused)
            break;
    }
    CHECK(refused >= 8);
}

int main(void)
{
    test_options();
    test_no_rate_over_a_sliver_at_the_end();
    test_cpu_that_is_not_known();
    test_readers_beside_the_sampler();
    test_a_tree_without_its_root();
    test_a_tree_that_changes();
    test_a_process_that_ends();
    test_a_fork_while_it_samples();
    test_out_of_memory();
    return CHECK_EXIT();
}
