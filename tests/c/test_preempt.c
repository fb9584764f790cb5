// SPDX-License-Identifier: MIT
// Watching for preemption: a thread that must share its processor is seen to lose it, one that sleeps is not.
#include "check.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_preempt.h"

static void spin_ns(int64_t duration_ns)
{
    int64_t end_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + duration_ns;
    while (pc_clock_now_ns(CLOCK_MONOTONIC) < end_ns)
        ;
}

static void sleep_ns(int64_t duration_ns)
{
    struct timespec duration = {0, duration_ns};
    (void)nanosleep(&duration, NULL);
}

// Rounds of `work` until `wanted` were hit, or five seconds are over; returns how many were.
static int hits(void (*work)(int64_t), int rounds, int wanted, long *switches)
{
    pc_preempt watch;
    int hit = 0;
    int64_t deadline_ns = pc_clock_now_ns(CLOCK_MONOTONIC) + 5 * (int64_t)PC_NS_PER_S;
    pc_preempt_begin(&watch);
    for (int i = 0; i < rounds && hit < wanted && pc_clock_now_ns(CLOCK_MONOTONIC) < deadline_ns; i++) {
        pc_preempt_arm(&watch);
        work(200000);
        hit += pc_preempt_hit(&watch, pc_clock_now_ns(CLOCK_MONOTONIC));
    }
    *switches = pc_preempt_end(&watch);
    return hit;
}

static void pin_to_one(void)
{
    cpu_set_t allowed, one;
    CHECK(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
}

int main(void)
{
    pin_to_one();
    pid_t rival = fork();
    CHECK(rival >= 0);
    if (rival == 0) {
        spin_ns(20 * (int64_t)PC_NS_PER_S);
        _exit(0);
    }
    long switches;
    CHECK(hits(spin_ns, 100000, 5, &switches) == 5);
    CHECK(switches >= 5);
    CHECK(kill(rival, SIGKILL) == 0);
    CHECK(waitpid(rival, NULL, 0) == rival);

    // A sleep gives the processor away of its own will. Some rounds may still be hit: the machine has other work too.
    CHECK(hits(sleep_ns, 50, 50, &switches) < 25);

    // The fallback without rseq: only once a millisecond, but not never.
    pc_preempt watch = {.slot = NULL, .switches = -1};
    CHECK(!pc_preempt_exact(&watch));
    pc_preempt_arm(&watch);
    CHECK(!pc_preempt_hit(&watch, 999999));
    CHECK(pc_preempt_hit(&watch, 1000000));
    CHECK(!pc_preempt_hit(&watch, 1500000));

    // Where rseq tells only of some switches, the field stays as it is at the others: the question is asked as well.
    uint64_t field = 7;
    watch = (pc_preempt){.slot = &field, .armed = 7, .switches = -1};
    CHECK(!pc_preempt_exact(&watch));
    CHECK(!pc_preempt_hit(&watch, 999999));
    CHECK(pc_preempt_hit(&watch, 1000000));
    field = 0;
    watch.switches = -1;
    CHECK(pc_preempt_hit(&watch, 1000001));

    // A watch that is begun twice or ended and used again.
    pc_preempt_begin(&watch);
    pc_preempt_begin(&watch);
    CHECK(pc_preempt_end(&watch) >= 0);
    CHECK(!pc_preempt_exact(&watch));
    return CHECK_EXIT();
}
