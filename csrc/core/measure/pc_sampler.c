// SPDX-License-Identifier: MIT
// The sampling thread (see the header). The lock guards the series, the figures of pc_sampler_info and the request to
// stop; the probe is the thread's alone while it runs.
#include "measure/pc_sampler.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"
#include "measure/pc_series.h"

enum { STACK_BYTES = 1 << 20, SLICE_NS = 100000, SLEPT_THROUGH_NS = 5000000 };

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
    // The thread's alone:
    pc_probe probe;
};

int pc_sampler_create(const pc_sampler_options *options, pc_sampler **sampler)
{
    if (options->interval_ns < PC_SAMPLER_MIN_INTERVAL_NS || options->interval_ns > PC_SAMPLER_MAX_INTERVAL_NS ||
        options->capacity == 0 || options->capacity > (size_t)1 << 20 || (options->rootless && !options->tree))
        return -EINVAL;
    pc_sampler *made = pc_alloc_zero(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->options = *options;
    made->owner = getpid();
    made->probe.net.file = -1;
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

// --- the thread ---

// Take a sample and enter it, with the lock held before and after. Whether there is anything left to sample.
static bool enter_sample(pc_sampler *sampler, bool last, int *status)
{
    double values[PC_SAMPLER_COLUMNS], weights[PC_SAMPLER_COLUMNS];
    int64_t time_ns = 0;
    (void)pthread_mutex_unlock(&sampler->lock);
    *status = pc_probe_sample(&sampler->probe, last, values, weights, &time_ns);
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

// Ask the scheduler for the shortest slices, which beside busy threads means to be let in soon: since Linux 6.12 a
// thread of no privilege may (sched_attr's runtime, of EEVDF). Earlier kernels take no
// notice. Beside two busy threads on two processors: 826 samples a second instead of 755.
static void ask_for_short_slices(void)
{
    struct { // the kernel's sched_attr in its first version; that of <sched.h> is too new to count on
        uint32_t size;
        uint32_t policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns;
        uint64_t deadline_ns;
        uint64_t period_ns;
    } attributes = {.size = sizeof attributes};
    if (syscall(SYS_sched_getattr, 0, &attributes, (unsigned)sizeof attributes, 0U) < 0 ||
        attributes.policy != SCHED_OTHER)
        return;
    attributes.runtime_ns = SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

// Wait, with the lock held before and after, until it is time or, where the interval is long, somebody wants to stop.
// Waking up takes most of what a sampler at 1 ms costs; a condition variable takes 1.5 us more of it than a sleep.
static void wait_until(pc_sampler *sampler, int64_t due_ns)
{
    struct timespec due = {due_ns / PC_NS_PER_S, due_ns % PC_NS_PER_S};
    if (sampler->options.interval_ns > SLEPT_THROUGH_NS) {
        (void)pthread_cond_timedwait(&sampler->changed, &sampler->lock, &due);
        return;
    }
    (void)pthread_mutex_unlock(&sampler->lock);
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    (void)pthread_mutex_lock(&sampler->lock);
}

// Count the samples that a delay has cost beside the one that is about to be taken.
static int64_t pass_over(pc_sampler *sampler, int64_t delay_ns)
{
    int64_t late = delay_ns > 0 ? delay_ns / sampler->options.interval_ns : 0;
    sampler->info.missed += (uint64_t)late;
    return late;
}

static void *run(void *argument)
{
    pc_sampler *sampler = argument;
    (void)prctl(PR_SET_NAME, "perfcore-sample");
    (void)prctl(PR_SET_TIMERSLACK, 1UL); // 50 us by default
    ask_for_short_slices();
    const pc_sampler_options *options = &sampler->options;
    int status = pc_probe_open(&sampler->probe, options->pid, options->tree, !options->rootless, options->interval_ns);
    (void)pthread_mutex_lock(&sampler->lock);
    bool going = status == 0 && enter_sample(sampler, false, &status) && status == 0;
    sampler->status = status;
    sampler->phase = going ? RUNNING : FINISHED;
    (void)pthread_cond_broadcast(&sampler->changed);
    int64_t interval_ns = sampler->options.interval_ns;
    int64_t due_ns = sampler->probe.started_ns + interval_ns;
    while (going && !sampler->stopping) {
        int64_t now_ns = pc_clock_now_ns(CLOCK_MONOTONIC);
        if (now_ns < due_ns) {
            wait_until(sampler, due_ns);
            continue; // a wake-up may have any reason
        }
        due_ns += (pass_over(sampler, now_ns - due_ns) + 1) * interval_ns;
        going = enter_sample(sampler, false, &status);
    }
    if (going) {
        (void)pass_over(sampler, pc_clock_now_ns(CLOCK_MONOTONIC) - due_ns); // where it did not come to that any more
        (void)enter_sample(sampler, true, &status);
    }
    sampler->phase = FINISHED;
    (void)pthread_cond_broadcast(&sampler->changed);
    (void)pthread_mutex_unlock(&sampler->lock);
    pc_probe_close(&sampler->probe);
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
