// SPDX-License-Identifier: MIT
// The time-stamp counter as a clock (see the header).
#include "measure/pc_tsc.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/pc_alloc.h"
#include "measure/pc_clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char PC_TSC_SOURCE[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

// Whether the processor says that the counter ticks at one rate in every state (Intel SDM 18.17.1, AMD APM 3.2.4).
static bool is_invariant(void)
{
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#else
    return false;
#endif
}

static bool is_allowed(void)
{
    int mode = 0;
    return prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode == PR_TSC_ENABLE;
}

static bool kernel_uses_it(const char *source)
{
    int file = open(source, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    char name[8];
    ssize_t length = read(file, name, sizeof name);
    (void)close(file);
    return length == 4 && memcmp(name, "tsc\n", 4) == 0;
}

pc_tsc_moment pc_tsc_now(void)
{
    // The best of a few: a switch in the middle would make the moment vague.
    pc_tsc_moment best = {.window_ns = INT64_MAX};
    for (int i = 0; i < 4; i++) {
        int64_t before = pc_clock_now_ns(CLOCK_MONOTONIC);
        uint64_t ticks = pc_tsc_read();
        int64_t after = pc_clock_now_ns(CLOCK_MONOTONIC);
        if (after - before < best.window_ns)
            best = (pc_tsc_moment){.ticks = ticks, .ns = before + (after - before) / 2, .window_ns = after - before};
    }
    return best;
}

void pc_tsc_open(pc_tsc *tsc, const char *source)
{
    *tsc = (pc_tsc){.usable = is_invariant() && is_allowed() && kernel_uses_it(source)};
    if (tsc->usable)
        tsc->first = pc_tsc_now();
}

pc_tsc_moment pc_tsc_refresh(pc_tsc *tsc)
{
    pc_tsc_moment now = pc_tsc_now();
    while (now.ns - tsc->first.ns < PC_TSC_BASELINE_NS)
        now = pc_tsc_now();
    // Since then one has stood still or stepped, as in a suspend: over such a time there is no rate.
    if (tsc->ns_per_tick != 0.0 && !pc_tsc_agrees(tsc, &tsc->first, &now)) {
        tsc->usable = false;
        return now;
    }
    // A moment that is vague beside the baseline (the thread was held up in each try) would spoil a good rate.
    if (tsc->ns_per_tick == 0.0 || (double)now.window_ns < 1e-5 * (double)(now.ns - tsc->first.ns))
        tsc->ns_per_tick = (double)(now.ns - tsc->first.ns) / (double)(now.ticks - tsc->first.ticks);
    return now;
}

int pc_tsc_pair_ns(pc_tsc *tsc, size_t pairs, double *midmean_ns)
{
    assert(pairs > 0);
    int64_t *gaps = pc_alloc(pairs, sizeof *gaps);
    if (gaps == NULL)
        return -ENOMEM;
    (void)pc_tsc_refresh(tsc);
    for (size_t i = 0; i < pairs; i++) {
        uint64_t start = pc_tsc_read();
        gaps[i] = (int64_t)(pc_tsc_read() - start);
    }
    *midmean_ns = pc_clock_midmean(gaps, pairs) * tsc->ns_per_tick;
    pc_free(gaps);
    return 0;
}

bool pc_tsc_agrees(const pc_tsc *tsc, const pc_tsc_moment *start, const pc_tsc_moment *end)
{
    double by_clock = (double)(end->ns - start->ns);
    double by_counter = (double)(int64_t)(end->ticks - start->ticks) * tsc->ns_per_tick;
    double known_to = (double)(start->window_ns + end->window_ns);
    return fabs(by_counter - by_clock) <= 1e-3 * by_clock + known_to;
}
