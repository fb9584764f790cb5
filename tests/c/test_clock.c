// SPDX-License-Identifier: MIT
// The clock's own cost and step.
#include "check.h"
#include "failing_malloc.h"

#include "measure/pc_clock.h"

int main(void)
{
    CHECK(pc_clock_check(CLOCK_MONOTONIC) == 0);
    CHECK(pc_clock_check(CLOCK_PROCESS_CPUTIME_ID) == 0);
    CHECK(pc_clock_check(12345) == -EINVAL);

    int64_t first = pc_clock_now_ns(CLOCK_MONOTONIC);
    CHECK(first > 0);
    CHECK(pc_clock_now_ns(CLOCK_MONOTONIC) >= first);

    double pair_ns = -1.0;
    CHECK(pc_clock_pair_ns(CLOCK_MONOTONIC, 1000, &pair_ns) == 0);
    CHECK(pair_ns >= 0.0 && pair_ns < 1e6);
    double single_ns = -1.0;
    CHECK(pc_clock_pair_ns(CLOCK_MONOTONIC, 1, &single_ns) == 0);
    CHECK(single_ns >= 0.0);

    int64_t gaps[] = {1000, 6, 0, 5, 7, 5, -9, 900}; // the middle half of them
    CHECK(pc_clock_midmean(gaps, 8) == (5 + 5 + 6 + 7) / 4.0);

    double untouched = 42.0;
    fail_at = 0;
    CHECK(pc_clock_pair_ns(CLOCK_MONOTONIC, 10, &untouched) == -ENOMEM);
    CHECK(untouched == 42.0);

    int64_t step_ns = pc_clock_step_ns(CLOCK_MONOTONIC, 10000);
    CHECK(step_ns > 0 && step_ns < 1000000);
    CHECK(pc_clock_step_ns(CLOCK_MONOTONIC, 0) == 0);
    return CHECK_EXIT();
}
