// SPDX-License-Identifier: MIT
// pc_bootstrap beside a plain form of it.
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pc_rng.h"
#include "judge/pc_bootstrap.h"
#include "judge/pc_special.h"

static int by_value(const void *one, const void *other)
{
    double a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    return (a > b) - (a < b);
}

// With the same draws: statistics of copies, each left-out value by itself.
static double statistic_of(const double *values, size_t length, bool mean)
{
    double sorted[32], sum = 0.0;
    memcpy(sorted, values, length * sizeof *sorted);
    qsort(sorted, length, sizeof *sorted, by_value);
    for (size_t i = 0; i < length; i++)
        sum += sorted[i];
    return mean ? sum / (double)length : 0.5 * sorted[(length - 1) / 2] + 0.5 * sorted[length / 2];
}

static double read_at(const double *sorted, size_t count, double bias, double z, double a)
{
    const double at = pc_normal_cdf(bias + (bias + z) / (1.0 - a * (bias + z))) * (double)(count - 1);
    const size_t low = (size_t)at, high = low + 1 < count ? low + 1 : low;
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

static void test_ratio(bool mean)
{
    enum { N = 11, M = 8, COUNT = 500 };
    double base[N], head[M], ratios[COUNT], drawn[32], left[32];
    const double *sides[2] = {base, head};
    const size_t lengths[2] = {N, M};
    for (size_t i = 0; i < N; i++)
        base[i] = 1.0 + (double)(i * i % 7) + 0.1 * (double)i;
    for (size_t i = 0; i < M; i++)
        head[i] = 2.0 + (double)(i * i * i % 11) + 0.3 * (double)i;
    qsort(base, N, sizeof *base, by_value);
    qsort(head, M, sizeof *head, by_value);
    pc_rng rng;
    pc_rng_seed(&rng, 9);
    const double ratio = statistic_of(head, M, mean) / statistic_of(base, N, mean);
    double below = 0.0, average = 0.0, spread = 0.0, squares = 0.0, cubes = 0.0;
    for (size_t i = 0; i < COUNT; i++) {
        double found[2];
        for (int side = 0; side < 2; side++) {
            for (size_t j = 0; j < lengths[side]; j++)
                drawn[j] = sides[side][pc_rng_below(&rng, (uint32_t)lengths[side])];
            found[side] = statistic_of(drawn, lengths[side], mean);
        }
        ratios[i] = found[1] / found[0];
        average += ratios[i] / COUNT;
        below += ratios[i] < ratio ? 1.0 : ratios[i] <= ratio ? 0.5 : 0.0;
    }
    for (size_t i = 0; i < COUNT; i++)
        spread += (ratios[i] - average) * (ratios[i] - average);
    qsort(ratios, COUNT, sizeof *ratios, by_value);
    for (int side = 0; side < 2; side++) {
        double values[32], middle = 0.0;
        const size_t length = lengths[side];
        for (size_t i = 0; i < length; i++) {
            memcpy(left, sides[side], i * sizeof *left);
            memcpy(left + i, sides[side] + i + 1, (length - i - 1) * sizeof *left);
            const double found = statistic_of(left, length - 1, mean);
            values[i] = side == 0 ? statistic_of(head, M, mean) / found : found / statistic_of(base, N, mean);
            middle += values[i] / (double)length;
        }
        for (size_t i = 0; i < length; i++) {
            const double influence = (double)(length - 1) / (double)length * (middle - values[i]);
            squares += influence * influence;
            cubes += influence * influence * influence;
        }
    }
    const double bias = pc_normal_quantile(below / COUNT), a = cubes / (6.0 * squares * sqrt(squares));
    const double z = pc_normal_quantile(0.05);
    const pc_bootstrap_options options = {.mean = mean, .bca = true, .resamples = COUNT, .level = 0.9, .seed = 9};
    pc_bootstrap result;
    CHECK(pc_bootstrap_ratio(base, N, head, M, &options, &result) == 0 && fabs(result.ratio - ratio) < 1e-12);
    CHECK(fabs(result.low - read_at(ratios, COUNT, bias, z, a)) < 1e-9);
    CHECK(fabs(result.high - read_at(ratios, COUNT, bias, -z, a)) < 1e-9);
    CHECK(fabs(result.standard_error - sqrt(spread / (COUNT - 1))) < 1e-9);
}

int main(void)
{
    test_ratio(false);
    test_ratio(true);
    return CHECK_EXIT();
}
