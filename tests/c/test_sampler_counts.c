// SPDX-License-Identifier: MIT
// pc_sampler: what it counts and tells. Samples and missed ones together are the periods that have passed, also while
// the process stood still; the last sample comes at the end; what is told begins anew with each start; signals of the
// process are not taken by its thread.
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"
#include "measure/pc_sampler.h"

enum { PERIOD_NS = 1000000 };

static pc_sampler *make(int64_t interval_ns)
{
    const pc_sampler_options options = {.interval_ns = interval_ns, .capacity = 16};
    pc_sampler *sampler = NULL;
    CHECK(pc_sampler_create(&options, &sampler) == 0);
    return sampler;
}

static pc_sampler_info wait_for(pc_sampler *sampler, uint64_t samples)
{
    pc_sampler_info info = {0};
    for (int tries = 0; tries < 40000 && info.samples < samples; tries++) {
        (void)usleep(500);
        if (pc_sampler_look(sampler, &info) < 0)
            break;
    }
    return info;
}

// In a child that is stopped for a tenth of a second.
static int count_through_a_stop(void)
{
    pc_sampler *sampler = make(PERIOD_NS);
    if (pc_sampler_start(sampler) != 0)
        return 2;
    (void)wait_for(sampler, 5);
    (void)kill(getpid(), SIGSTOP);
    pc_sampler_info info;
    uint64_t seen = pc_sampler_look(sampler, &info) == 0 ? info.samples : 0;
    info = wait_for(sampler, seen + 5);
    if (pc_sampler_stop(sampler) != 0 || pc_sampler_look(sampler, &info) != 0)
        return 3;
    pc_sampler_destroy(sampler);
    // The first sample and the last one are beside the grid.
    int64_t periods = info.duration_ns / PERIOD_NS, counted = (int64_t)(info.samples + info.missed) - 2;
    if (counted < periods - 2 || counted > periods + 1)
        printf("%lld periods, %lld counted\n", (long long)periods, (long long)counted);
    return info.missed >= 80 && counted >= periods - 2 && counted <= periods + 1 && check_failures == 0 ? 0 : 1;
}

static void test_counts(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(count_through_a_stop());
    int status = -1;
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    (void)usleep(100000);
    CHECK(kill(child, SIGCONT) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void test_the_last_sample(void)
{
    pc_sampler *sampler = make(PC_SAMPLER_MAX_INTERVAL_NS);
    pc_sampler_info info;
    CHECK(pc_sampler_start(sampler) == 0 && pc_sampler_stop(sampler) == 0);
    CHECK(pc_sampler_look(sampler, &info) == 0 && info.samples == 2 && info.missed == 0);
    pc_sampler_destroy(sampler);
}

static void test_what_is_told(void)
{
    enum { BLOCK = 50 << 20 };
    pc_sampler *sampler = make(PERIOD_NS);
    CHECK(pc_sampler_start(sampler) == 0);
    pc_sampler_info info = wait_for(sampler, 20);
    char *block = pc_alloc_zero(BLOCK, 1);
    for (size_t at = 0; block != NULL && at < BLOCK; at += 4096)
        block[at] = 1;
    info = wait_for(sampler, info.samples + 20);
    CHECK(pc_sampler_stop(sampler) == 0 && pc_sampler_look(sampler, &info) == 0);
    pc_free(block);
    pc_sampler_aggregate aggregates[PC_SAMPLER_COLUMNS];
    CHECK(pc_sampler_aggregates(sampler, aggregates) == 0);
    const pc_sampler_aggregate *rss = &aggregates[PC_SAMPLER_RSS_BYTES];
    CHECK(rss->count == info.samples && rss->max - rss->min > 0.9 * BLOCK);
    CHECK(rss->min < rss->mean && rss->mean < rss->max && rss->p95 <= rss->p99 && rss->p99 <= rss->max);
    pc_samples parts[4] = {{0}};
    CHECK(pc_sampler_read(sampler, PC_SAMPLER_RSS_BYTES, &parts[0], &parts[1], &parts[2], &parts[3]) == 0);
    size_t last = parts[0].length - 1;
    CHECK(parts[0].data[last] == (double)info.duration_ns / PC_NS_PER_S);
    double least = INFINITY;
    for (size_t i = 0; i <= last; i++)
        least = fmin(least, parts[1].data[i]);
    CHECK(least == rss->min);
    // Another start begins anew.
    CHECK(pc_sampler_start(sampler) == 0 && pc_sampler_stop(sampler) == 0);
    CHECK(pc_sampler_look(sampler, &info) == 0 && info.samples >= 2);
    CHECK(info.samples <= (uint64_t)(info.duration_ns / PERIOD_NS) + 3);
    CHECK(pc_sampler_aggregates(sampler, aggregates) == 0 && aggregates[PC_SAMPLER_RSS_BYTES].count == info.samples);
    for (int i = 0; i < 4; i++)
        pc_samples_clear(&parts[i]);
    pc_sampler_destroy(sampler);
}

static volatile sig_atomic_t handled;

static void note(int number)
{
    handled = number;
}

static void test_signals(void)
{
    pc_sampler *sampler = make(PERIOD_NS);
    sigset_t one, before, pending;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR1);
    CHECK(signal(SIGUSR1, note) != SIG_ERR);
    CHECK(pc_sampler_start(sampler) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &one, &before) == 0 && kill(getpid(), SIGUSR1) == 0);
    pc_sampler_info info;
    CHECK(pc_sampler_look(sampler, &info) == 0);
    (void)wait_for(sampler, info.samples + 3);
    CHECK(handled == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0 && handled == SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    pc_sampler_destroy(sampler);
}

int main(void)
{
    test_counts();
    test_the_last_sample();
    test_what_is_told();
    test_signals();
    return CHECK_EXIT();
}
