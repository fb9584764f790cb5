// SPDX-License-Identifier: MIT
// Statistics of one benchmark (see the header). The order of operations in the formulas below is that of
// pytest-benchmark's stats.py: another order may round differently. Where overflow makes a fence NaN, comparisons are
// written so that they answer as Python's bisect does.
#include "judge/pc_stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "judge/pc_exact.h"
#include "judge/pc_median_interval.h"
#include "judge/pc_select.h"

// The order statistics that are wanted, each once, in ascending order of rank.
typedef struct order {
    size_t count;
    size_t ranks[PC_SELECT_RANKS];
    double values[PC_SELECT_RANKS];
} order;

static void want(order *o, size_t rank)
{
    size_t place = o->count;
    while (place > 0 && o->ranks[place - 1] > rank)
        place--;
    if (place > 0 && o->ranks[place - 1] == rank)
        return;
    assert(o->count < PC_SELECT_RANKS);
    for (size_t i = o->count++; i > place; i--)
        o->ranks[i] = o->ranks[i - 1];
    o->ranks[place] = rank;
}

static double at(const order *o, size_t rank)
{
    size_t i = 0;
    while (o->ranks[i] != rank)
        i++;
    return o->values[i];
}

// ---- Each quantity asks for the ranks it needs, and is computed from them by the same code: `o` is only read when
// `asking` is false. ----

static double take(order *o, size_t rank, bool asking)
{
    if (asking) {
        want(o, rank);
        return 0.0;
    }
    return at(o, rank);
}

// The median of the ranks [start, start + count).
static double median_of(order *o, size_t start, size_t count, bool asking)
{
    double upper = take(o, start + count / 2, asking);
    if (count % 2)
        return upper;
    return (take(o, start + count / 2 - 1, asking) + upper) / 2.0;
}

// https://en.wikipedia.org/wiki/Quartile#Computing_methods: method 2 for even lengths, method 3 for odd ones.
static void quartiles(order *o, size_t length, bool asking, double *q1, double *q3)
{
    const size_t quarter = length / 4;
    if (length == 1) {
        *q1 = *q3 = take(o, 0, asking);
    } else if (length % 2 == 0) {
        *q1 = median_of(o, 0, length / 2, asking);
        *q3 = median_of(o, length / 2, length / 2, asking);
    } else if (length % 4 == 1) {
        *q1 = 0.25 * take(o, quarter - 1, asking) + 0.75 * take(o, quarter, asking);
        *q3 = 0.75 * take(o, 3 * quarter, asking) + 0.25 * take(o, 3 * quarter + 1, asking);
    } else {
        *q1 = 0.75 * take(o, quarter, asking) + 0.25 * take(o, quarter + 1, asking);
        *q3 = 0.25 * take(o, 3 * quarter + 1, asking) + 0.75 * take(o, 3 * quarter + 2, asking);
    }
}

// The quantile of `per_mille` / 1000. The rank is exact; the interpolation starts from the nearer sample, so that it is
// monotonic and meets both.
static double quantile(order *o, size_t length, unsigned per_mille, bool asking)
{
    const uint64_t position = (uint64_t)(length - 1) * per_mille;
    const size_t rank = (size_t)(position / 1000);
    const double fraction = (double)(position % 1000) / 1000.0;
    const double lower = take(o, rank, asking);
    if (position % 1000 == 0)
        return lower;
    const double upper = take(o, rank + 1, asking);
    const double step = upper - lower;
    if (isinf(step))
        return lower * (1.0 - fraction) + upper * fraction;
    return fraction < 0.5 ? lower + step * fraction : upper - step * (1.0 - fraction);
}

static void order_statistics(order *o, size_t length, const pc_median_interval *interval, bool asking, pc_stats *stats)
{
    stats->median = median_of(o, 0, length, asking);
    quartiles(o, length, asking, &stats->q1, &stats->q3);
    stats->p50 = stats->median;
    stats->p90 = quantile(o, length, 900, asking);
    stats->p95 = quantile(o, length, 950, asking);
    stats->p99 = quantile(o, length, 990, asking);
    stats->p999 = quantile(o, length, 999, asking);
    if (interval != NULL) {
        stats->median_low = take(o, interval->low, asking);
        stats->median_high = take(o, interval->high, asking);
    }
}

// ---- Passes over the data ----

// Least, greatest (the first of equals, as Python's min and max) and total. Python's sum starts from 0, which turns a
// single -0.0 into 0.0. The compensated sum is that of CPython's bltinmodule.c: Neumaier's, its correction left out
// when it is not finite.
static void scan(const double *samples, size_t length, bool compensated, pc_stats *stats)
{
    double least = samples[0], greatest = samples[0], sum = 0.0, correction = 0.0;
    if (compensated) {
        for (size_t i = 0; i < length; i++) {
            const double x = samples[i], next = sum + x;
            if (fabs(sum) >= fabs(x))
                correction += (sum - next) + x;
            else
                correction += (x - next) + sum;
            sum = next;
            least = x < least ? x : least;
            greatest = x > greatest ? x : greatest;
        }
        if (correction != 0.0 && isfinite(correction))
            sum += correction;
    } else {
        for (size_t i = 0; i < length; i++) {
            const double x = samples[i];
            sum += x;
            least = x < least ? x : least;
            greatest = x > greatest ? x : greatest;
        }
    }
    stats->min = least;
    stats->max = greatest;
    stats->total = sum;
}

// 1 if x < limit, from the sign of the exact-in-sign difference; adding 0.0 makes a zero difference positive. Unlike
// comparisons, this is compiled to vector instructions; as branches it would mispredict one sample in three.
static inline uint64_t is_less(double x, double limit)
{
    const double difference = (x - limit) + 0.0;
    uint64_t bits;
    memcpy(&bits, &difference, sizeof bits);
    return bits >> 63;
}

// `low` and `high` are not NaN.
static size_t count_outside(const double *samples, size_t length, double low, double high)
{
    uint64_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += is_less(samples[i], low) | is_less(high, samples[i]);
    return (size_t)count;
}

// What lies outside the fences, the datum where bisect_left(sorted, low) points, which is the first in order that is
// not below, and the one before bisect_right(sorted, high), the last in order that is not above; or, if `legacy`, the
// one there, the first above, where there is one. Of equals (zeros) a stable sort keeps the first first.
static void find_fences(const double *samples, size_t length, double low, double high, bool legacy, pc_stats *stats)
{
    double lowest = INFINITY, highest = -INFINITY, next = INFINITY;
    size_t below = 0, above = 0;
    for (size_t i = 0; i < length; i++) {
        const double x = samples[i];
        if (PC_UNLIKELY(x < low))
            below++;
        else if (PC_UNLIKELY(x < lowest))
            lowest = x;
        if (PC_UNLIKELY(x > high)) {
            above++;
            next = x < next ? x : next;
        } else if (PC_UNLIKELY(x >= highest)) {
            highest = x;
        }
    }
    stats->iqr_outliers = below + above; // low <= high, or one of them is NaN, so none was counted twice
    stats->ld15iqr = lowest;
    stats->hd15iqr = legacy && above > 0 ? next : highest;
}

static double absolute_deviation(const pc_select *work, const double *samples, size_t length, const pc_stats *stats)
{
    // Half of the samples lie between the quartiles, so the answer lies near the distance of the nearer to that of the
    // farther one.
    const double below = stats->median - stats->q1, above = stats->q3 - stats->median;
    double low = 0.98 * (below < above ? below : above), high = 1.02 * (below < above ? above : below);
    if (!isfinite(low) || !isfinite(high) || low < 0.0 || high < low) {
        low = 0.0;
        high = DBL_MAX;
    }
    const size_t middle = length / 2, ranks[2] = {middle - 1, middle};
    double found[2];
    if (length % 2) {
        pc_select_distances(work, samples, length, stats->median, low, high, ranks + 1, 1, found);
        return found[0];
    }
    pc_select_distances(work, samples, length, stats->median, low, high, ranks, 2, found);
    return (found[0] + found[1]) / 2.0;
}

size_t pc_stats_first_nonfinite(const double *samples, size_t length)
{
    size_t i = 0;
    while (i < length && isfinite(samples[i]))
        i++;
    return i;
}

int pc_stats_summarize(const double *samples, size_t length, const pc_stats_options *options, pc_stats *stats)
{
    if (length == 0 || !(options->level > 0.0 && options->level < 1.0))
        return -EINVAL;
    if (length > UINT32_MAX)
        return -EOVERFLOW;
    pc_stats s = {.rounds = length, .median_low = NAN, .median_high = NAN, .median_level = NAN};
    scan(samples, length, options->compensated_sum, &s);
    // A finite sum has finite terms.
    if (!isfinite(s.total) && pc_stats_first_nonfinite(samples, length) < length)
        return -EDOM;
    if (s.total != 0.0)
        s.ops = (double)length / s.total;

    pc_moments moments;
    int status = pc_moments_compute(samples, length, s.min, s.max, &moments);
    if (status < 0)
        return status;
    s.mean = moments.mean;
    s.stddev = moments.stddev;

    pc_median_interval found, *interval = &found;
    if (pc_median_interval_find(length, options->level, &found) == 0)
        s.median_level = found.level;
    else
        interval = NULL;
    pc_select work;
    status = pc_select_init(&work, length);
    if (status < 0)
        return status;
    order wanted = {.count = 0};
    order_statistics(&wanted, length, interval, true, &s);
    pc_select_values(&work, samples, length, s.min, s.max, wanted.ranks, wanted.count, wanted.values);
    order_statistics(&wanted, length, interval, false, &s);
    s.mad = absolute_deviation(&work, samples, length, &s);
    pc_select_clear(&work);

    s.iqr = s.q3 - s.q1;
    const double low_fence = s.q1 - 1.5 * s.iqr, high_fence = s.q3 + 1.5 * s.iqr;
    find_fences(samples, length, low_fence, high_fence, options->legacy_hd15iqr, &s);
    s.stddev_outliers = count_outside(samples, length, s.mean - s.stddev, s.mean + s.stddev);
    *stats = s;
    return 0;
}
