// SPDX-License-Identifier: MIT
// What a clock costs and how finely it ticks (see the header).
#include "measure/pc_clock.h"

#include <stdlib.h>

#include "base/pc_alloc.h"

int pc_clock_check(clockid_t clock)
{
    struct timespec now;
    return clock_gettime(clock, &now) == 0 ? 0 : -errno;
}

static int compare_int64(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

double pc_clock_midmean(int64_t *gaps, size_t count)
{
    qsort(gaps, count, sizeof *gaps, compare_int64);
    size_t first = count / 4;
    size_t last = count - first;
    int64_t sum = 0;
    for (size_t i = first; i < last; i++)
        sum += gaps[i];
    return (double)sum / (double)(last - first);
}

int pc_clock_pair_ns(clockid_t clock, size_t pairs, double *midmean_ns)
{
    assert(pairs > 0);
    int64_t *gaps = pc_alloc(pairs, sizeof *gaps);
    if (gaps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < pairs; i++) {
        int64_t start = pc_clock_now_ns(clock);
        gaps[i] = pc_clock_now_ns(clock) - start;
    }
    *midmean_ns = pc_clock_midmean(gaps, pairs);
    pc_free(gaps);
    return 0;
}

int64_t pc_clock_step_ns(clockid_t clock, size_t pairs)
{
    int64_t step = 0;
    for (size_t i = 0; i < pairs; i++) {
        int64_t start = pc_clock_now_ns(clock);
        int64_t gap = pc_clock_now_ns(clock) - start;
        if (gap > 0 && (step == 0 || gap < step))
            step = gap;
    }
    return step;
}
