// SPDX-License-Identifier: MIT
// Bootstrap of a ratio (see the header).
#include "judge/pc_bootstrap.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "judge/pc_order.h"
#include "judge/pc_special.h"

typedef struct side {
    double *sorted;
    uint32_t *counts; // how often a resample holds each value
    size_t length;
    double sum;
} side;

static double middle(const double *sorted, size_t length)
{
    return 0.5 * sorted[(length - 1) / 2] + 0.5 * sorted[length / 2];
}

static double statistic(const side *s, bool mean)
{
    return mean ? s->sum / (double)s->length : middle(s->sorted, s->length);
}

// The statistic without the value at `index`, for lengths over 1.
static double without(const side *s, bool mean, size_t index)
{
    const size_t rest = s->length - 1;
    if (mean)
        return (s->sum - s->sorted[index]) / (double)rest;
    const size_t low = (rest - 1) / 2, high = rest / 2;
    return 0.5 * s->sorted[low + (low >= index)] + 0.5 * s->sorted[high + (high >= index)];
}

static double resample(const side *s, bool mean, pc_rng *rng)
{
    const uint32_t length = (uint32_t)s->length;
    if (mean) {
        double sum = 0.0;
        for (uint32_t i = 0; i < length; i++)
            sum += s->sorted[pc_rng_below(rng, length)];
        return sum / (double)length;
    }
    memset(s->counts, 0, s->length * sizeof *s->counts);
    for (uint32_t i = 0; i < length; i++)
        s->counts[pc_rng_below(rng, length)]++;
    const uint32_t low = (length - 1) / 2, high = length / 2; // ranks of the middle
    size_t at = 0;
    uint32_t seen = s->counts[0];
    while (seen <= low)
        seen += s->counts[++at];
    const double lower = s->sorted[at];
    while (seen <= high)
        seen += s->counts[++at];
    return 0.5 * lower + 0.5 * s->sorted[at];
}

// The skewness of the statistic's dependence on single values; 0 where it depends on none.
static double acceleration(const side sides[2], bool mean, double base, double head)
{
    double cubes = 0.0, squares = 0.0;
    for (int which = 0; which < 2; which++) {
        const side *s = &sides[which];
        if (s->length < 2)
            continue;
        const double n = (double)s->length;
        double average = 0.0;
        for (int pass = 0; pass < 2; pass++) {
            double sum = 0.0;
            for (size_t i = 0; i < s->length; i++) {
                const double left = without(s, mean, i);
                const double value = which == 0 ? head / left : left / base;
                if (pass == 0) {
                    sum += value / n;
                } else {
                    const double influence = (n - 1.0) / n * (average - value);
                    squares += influence * influence;
                    cubes += influence * influence * influence;
                }
            }
            average = sum;
        }
    }
    return squares > 0.0 ? cubes / (6.0 * squares * sqrt(squares)) : 0.0;
}

// The quantile by linear interpolation between order statistics (Hyndman and Fan's type 7).
static double quantile(const double *sorted, size_t count, double p)
{
    const double position = fmin(fmax(p, 0.0), 1.0) * (double)(count - 1);
    const size_t low = (size_t)position;
    const size_t high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (position - (double)low) * (sorted[high] - sorted[low]);
}

// Where to read the sorted ratios for the BCa interval's end whose normal quantile is z.
static double moved(double z, double bias, double a)
{
    const double sum = bias + z;
    return pc_normal_cdf(bias + sum / (1.0 - a * sum));
}

static void summarize(const side sides[2], double base, double head, double *ratios,
                      const pc_bootstrap_options *options, pc_bootstrap *result)
{
    const double ratio = head / base, count = (double)options->resamples;
    const double z = pc_normal_quantile(0.5 * (1.0 - options->level));
    double low = 0.5 * (1.0 - options->level), high = 1.0 - low;
    double below = 0.0, mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < options->resamples; i++) {
        below += ratios[i] < ratio ? 1.0 : ratios[i] == ratio ? 0.5 : 0.0;
        const double distance = ratios[i] - mean;
        mean += distance / (double)(i + 1);
        squares += distance * (ratios[i] - mean);
    }
    if (options->bca) {
        // With all resamples on one side there is no finite bias: half a resample stands for the other side.
        const double share = fmin(fmax(below, 0.5), count - 0.5) / count;
        const double bias = pc_normal_quantile(share), a = acceleration(sides, options->mean, base, head);
        low = moved(z, bias, a);
        high = moved(-z, bias, a);
    }
    *result = (pc_bootstrap){.ratio = ratio,
                             .low = quantile(ratios, options->resamples, low),
                             .high = quantile(ratios, options->resamples, high),
                             .standard_error = sqrt(squares / (count - 1.0))};
}

int pc_bootstrap_ratio(const double *base, size_t n, const double *head, size_t m, const pc_bootstrap_options *options,
                       pc_bootstrap *result)
{
    assert(options->resamples >= 100 && options->level > 0.0 && options->level < 1.0);
    if (n == 0 || m == 0)
        return -EINVAL;
    if (n > INT32_MAX || m > INT32_MAX)
        return -EOVERFLOW;
    const size_t most = n > m ? n : m;
    double *ratios = pc_alloc(options->resamples, sizeof *ratios);
    double *values = pc_alloc(n + m, sizeof *values);
    uint32_t *counts = pc_alloc(most, sizeof *counts);
    int status = ratios == NULL || values == NULL || counts == NULL ? -ENOMEM : 0;
    if (status == 0)
        status = pc_order_values(base, n, values);
    if (status == 0)
        status = pc_order_values(head, m, values + n);
    if (status == 0) {
        side sides[2] = {{.sorted = values, .counts = counts, .length = n},
                         {.sorted = values + n, .counts = counts, .length = m}};
        for (size_t i = 0; i < n + m; i++)
            sides[i >= n].sum += values[i];
        pc_rng rng;
        pc_rng_seed(&rng, options->seed);
        const double base_value = statistic(&sides[0], options->mean);
        const double head_value = statistic(&sides[1], options->mean);
        bool positive = base_value > 0.0;
        for (size_t i = 0; i < options->resamples && positive; i++) {
            const double resampled = resample(&sides[0], options->mean, &rng);
            positive = resampled > 0.0;
            ratios[i] = resample(&sides[1], options->mean, &rng) / resampled;
        }
        if (positive)
            status = pc_order_values(ratios, options->resamples, ratios);
        else
            status = -EDOM;
        if (status == 0)
            summarize(sides, base_value, head_value, ratios, options, result);
    }
    pc_free(counts);
    pc_free(values);
    pc_free(ratios);
    return status;
}
