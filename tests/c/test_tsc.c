// SPDX-License-Identifier: MIT
// The time-stamp counter as a clock: when it is used, its rate, and the check against the clock.
#include "check.h"
#include "failing_malloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "measure/pc_clock.h"
#include "measure/pc_tsc.h"

// Whether the counter is usable when the kernel's clock source is called `name`. `forbid` takes it from the process
// meanwhile, and with it the vDSO's clocks, so that nothing but the question may stand there.
static bool usable_with(const char *name, bool forbid)
{
    char path[] = "/tmp/pc_tsc_XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    CHECK(write(file, name, strlen(name)) == (ssize_t)strlen(name));
    CHECK(close(file) == 0);
    pc_tsc tsc;
    int forbidden = forbid ? prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) : 0;
    pc_tsc_open(&tsc, path);
    int allowed = prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
    CHECK(forbidden == 0 && allowed == 0);
    CHECK(unlink(path) == 0);
    return tsc.usable;
}

static void check_agreement(void)
{
    const pc_tsc tsc = {.usable = true, .ns_per_tick = 0.5};
    const pc_tsc_moment start = {.ticks = 1000, .ns = 5000, .window_ns = 20};
    pc_tsc_moment end = {.ticks = 1000 + 2000000, .ns = 5000 + 1000000, .window_ns = 30};
    CHECK(pc_tsc_agrees(&tsc, &start, &end));
    end.ns = 5000 + 1001000; // 0.1 %
    CHECK(pc_tsc_agrees(&tsc, &start, &end));
    end.ns = 5000 + 1002000; // 0.2 %
    CHECK(!pc_tsc_agrees(&tsc, &start, &end));
    end.ns = 5000 + 998000;
    CHECK(!pc_tsc_agrees(&tsc, &start, &end));
    end.window_ns = 3000; // the moment itself is known no better
    CHECK(pc_tsc_agrees(&tsc, &start, &end));
    end = start;
    end.ticks -= 1000000; // backwards
    CHECK(!pc_tsc_agrees(&tsc, &start, &end));
}

// What a suspend between two runs of rounds leaves: the counter went on by `ticks`, or began anew, and the clock did
// not.
static void check_parted(pc_tsc tsc, int64_t ticks)
{
    const double rate = tsc.ns_per_tick;
    tsc.first.ticks -= (uint64_t)ticks;
    (void)pc_tsc_refresh(&tsc);
    CHECK(!tsc.usable);
    CHECK(tsc.ns_per_tick == rate);
}

static void check_rate(void)
{
    pc_tsc tsc;
    pc_tsc_open(&tsc, PC_TSC_SOURCE);
    if (!tsc.usable) {
        printf("no usable counter on this machine\n");
        return;
    }
    pc_tsc_moment start = pc_tsc_refresh(&tsc);
    CHECK(tsc.ns_per_tick > 0.05 && tsc.ns_per_tick < 20.0);
    CHECK(start.ns - tsc.first.ns >= PC_TSC_BASELINE_NS);
    int64_t until = pc_clock_now_ns(CLOCK_MONOTONIC) + 20000000;
    uint64_t last = pc_tsc_read();
    while (pc_clock_now_ns(CLOCK_MONOTONIC) < until) {
        uint64_t next = pc_tsc_read();
        CHECK(next >= last);
        last = next;
    }
    pc_tsc_moment end = pc_tsc_now();
    CHECK(pc_tsc_agrees(&tsc, &start, &end));
    (void)pc_tsc_refresh(&tsc);
    CHECK(tsc.usable);
    check_parted(tsc, (int64_t)(1e9 / tsc.ns_per_tick));
    check_parted(tsc, -(int64_t)(1e9 / tsc.ns_per_tick));

    double pair_ns = -1.0;
    CHECK(pc_tsc_pair_ns(&tsc, 1000, &pair_ns) == 0);
    CHECK(pair_ns > 0.0 && pair_ns < 1e6);
    double untouched = 42.0;
    fail_at = 0;
    CHECK(pc_tsc_pair_ns(&tsc, 10, &untouched) == -ENOMEM);
    CHECK(untouched == 42.0);
}

int main(void)
{
    check_agreement();
    check_rate();
    CHECK(!usable_with("kvm-clock\n", false));
    CHECK(!usable_with("tscx\n", false));
    CHECK(!usable_with("tsc", false));
    CHECK(!usable_with("", false));
    CHECK(!usable_with("tsc\n", true));
    pc_tsc tsc;
    pc_tsc_open(&tsc, "/nowhere/at/all");
    CHECK(!tsc.usable);
    return CHECK_EXIT();
}
