// SPDX-License-Identifier: MIT
// Rank tests, estimates, bootstrap and change points of the core: known results, and every allocation failing once with
// the results untouched. Agreement with SciPy and Otava is tested from Python.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "judge/pc_bootstrap.h"
#include "judge/pc_levels.h"
#include "judge/pc_prefix.h"
#include "judge/pc_rank_null.h"
#include "judge/pc_rank_test.h"
#include "judge/pc_robust.h"
#include "judge/pc_shift.h"
#include "judge/pc_special.h"
#include "judge/pc_thinning.h"
#include "judge/pc_windowed.h"

enum { LENGTH = 130 };
static double steps[LENGTH];

static void test_random(void)
{
    pc_rng rng;
    // The reference outputs of splitmix64 for the seed 0, which fill the state.
    pc_rng_seed(&rng, 0);
    CHECK(rng.state[0] == UINT64_C(0xe220a8397b1dcdaf) && rng.state[1] == UINT64_C(0x6e789e6aa1b965f4));
    unsigned counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[pc_rng_below(&rng, 6)]++;
    for (int i = 0; i < 6; i++)
        CHECK(counts[i] > 9500 && counts[i] < 10500);
    CHECK(pc_rng_below(&rng, 1) == 0);
}

static void test_null(void)
{
    pc_rank_null *null;
    CHECK(pc_rank_null_sum(3, 2, &null) == 0); // 1 1 2 2 2 1 1 of 10
    const double cumulative[] = {0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0};
    for (uint64_t u = 0; u < 7; u++)
        CHECK(fabs(pc_rank_null_at_most(null, u) - cumulative[u]) < 1e-15);
    double tail;
    CHECK(pc_rank_null_critical(null, 0.2, &tail) == 2 && tail == 0.2);
    CHECK(pc_rank_null_critical(null, 0.05, &tail) == 0 && tail == 0.0);
    pc_rank_null_free(null);
    CHECK(pc_rank_null_has_sum(60, 60) && !pc_rank_null_has_sum(70, 70) && !pc_rank_null_has_sum(0, 3));
    CHECK(!pc_rank_null_has_sum(SIZE_MAX, SIZE_MAX));
    CHECK(pc_rank_null_has_sum(8, 15000) && !pc_rank_null_has_sum(8, 16000)); // no more than a million steps
    CHECK(pc_rank_null_sum(60, 60, &null) == 0);
    CHECK(fabs(pc_rank_null_at_most(null, 1800) + pc_rank_null_at_most(null, 1799) - 1.0) < 1e-15);
    pc_rank_null_free(null);
}

// A tail that is told is one that can be asked for, whatever rounding makes of it.
static void test_achievable_tails(void)
{
    bool same = true;
    for (size_t n = 1; n <= 12; n++) {
        for (size_t m = 1; m <= n; m++) {
            pc_rank_null *null;
            CHECK(pc_rank_null_sum(n, m, &null) == 0);
            for (uint64_t k = 1; k <= n * m / 2; k++) {
                const double tail = pc_rank_null_at_most(null, k - 1);
                double told;
                same = same && pc_rank_null_critical(null, tail, &told) == k && told == tail;
            }
            pc_rank_null_free(null);
        }
    }
    CHECK(same);
}

static int by_value(const void *one, const void *other)
{
    double a, b;
    memcpy(&a, one, sizeof a);
    memcpy(&b, other, sizeof b);
    return (a > b) - (a < b);
}

static void test_approximation(void)
{
    // Half a unit from the mean there is nothing to tell.
    const double outer[] = {1, 4}, inner[] = {2, 3};
    pc_rank_test test;
    CHECK(pc_rank_sum(outer, 2, inner, 2, PC_RANK_NORMAL, &test) == 0 && test.z == 0.0 && test.two_sided == 1.0);
    // Interval by the normal approximation: floor(2450 + 0.5 - 1.959964 sqrt(57575)) = 1980 differences are outside.
    enum { SIZE = 70 };
    double x[SIZE], y[SIZE], differences[SIZE * SIZE];
    for (size_t i = 0; i < SIZE * SIZE; i++) {
        x[i / SIZE] = (double)((i / SIZE) * (i / SIZE));
        y[i % SIZE] = 0.01 * (double)(i % SIZE);
    }
    for (size_t i = 0; i < SIZE * SIZE; i++)
        differences[i] = x[i / SIZE] - y[i % SIZE];
    qsort(differences, SIZE * SIZE, sizeof *differences, by_value);
    pc_shift shift;
    CHECK(pc_shift_two_sample(x, SIZE, y, SIZE, 0.95, &shift) == 0);
    CHECK(shift.low == differences[1979] && shift.high == differences[SIZE * SIZE - 1980]);
}

static void test_prefix(void)
{
    // Variances that cancel in doubles: 1e9 + {0, 1}.
    pc_prefix prefixes[5] = {{{0, 0}, {0, 0}}};
    const double values[] = {1e9 + 1, 1e9, 1e9 + 1, 1e9};
    for (size_t i = 0; i < 4; i++)
        prefixes[i + 1] = pc_prefix_add(prefixes[i], values[i], 1e9 + 1);
    const pc_part all = pc_prefix_part(&prefixes[0], &prefixes[4], 4);
    const pc_part tail = pc_prefix_part(&prefixes[2], &prefixes[4], 2);
    CHECK(all.variance == 0.25 && all.mean.high == -0.5 && tail.variance == 0.25);
    CHECK(pc_prefix_mean_difference(&all, &tail) == 0.0);
}

static int do_rank_sum(void)
{
    pc_rank_test test = {.count = 7}, before = test;
    const int status = pc_rank_sum(steps, 20, steps + 100, 20, PC_RANK_AUTO, &test);
    CHECK(status == 0 ? test.two_sided < 1e-6 : memcmp(&test, &before, sizeof test) == 0);
    return status;
}

static int do_signed_rank(void)
{
    pc_rank_test test = {.count = 7}, before = test;
    const int status = pc_signed_rank(steps, 30, PC_RANK_AUTO, &test);
    CHECK(status == 0 ? test.greater == 0x1p-30 : memcmp(&test, &before, sizeof test) == 0);
    return status;
}

static int do_shift(void)
{
    pc_shift shift = {.level = 7};
    const int status = pc_shift_two_sample(steps + 100, 20, steps, 20, 0.95, &shift);
    CHECK(status == 0 ? shift.low <= 20 && shift.high >= 20 : shift.level == 7.0);
    return status;
}

static int do_center(void)
{
    pc_shift shift = {.level = 7};
    const int status = pc_shift_one_sample(steps, 40, 0.95, &shift);
    CHECK(status == 0 ? shift.low <= 12.5 && shift.high >= 12.0 : shift.level == 7.0);
    return status;
}

static int do_robust(void)
{
    double median = 7, mad = 7, adjusted[3] = {7, 7, 7};
    const double pvalues[] = {0.5, 0.01, 0.02};
    int status = pc_robust_mad(steps, 50, &median, &mad);
    CHECK(status == 0 ? median == 12 && mad == 1 : median == 7 && mad == 7);
    if (status == 0) {
        status = pc_robust_adjust(pvalues, 3, adjusted);
        CHECK(status == 0 ? adjusted[0] == 0.5 && adjusted[1] == 0.03 && adjusted[2] == 0.03 : adjusted[0] == 7);
    }
    return status;
}

static int do_bootstrap(void)
{
    const pc_bootstrap_options options = {.bca = true, .resamples = 200, .level = 0.9, .seed = 3};
    pc_bootstrap found = {.ratio = 7};
    const int status = pc_bootstrap_ratio(steps, 30, steps + 100, 30, &options, &found);
    CHECK(status == 0 ? found.low <= found.ratio && found.ratio <= found.high && found.ratio > 2 : found.ratio == 7);
    return status;
}

static int do_windowed(void)
{
    const pc_windowed_options options = {.window = 30, .max_pvalue = 0.001};
    pc_windowed *series;
    int status = pc_windowed_make(&options, &series);
    if (status < 0)
        return status;
    pc_change *changes = NULL;
    size_t count = 0;
    status = pc_windowed_append(series, steps, LENGTH);
    CHECK(pc_windowed_length(series) == (status == 0 ? LENGTH : 0));
    if (status == 0)
        status = pc_windowed_find(series, &changes, &count);
    CHECK(status == 0 ? count == 1 && changes[0].index == 65 : changes == NULL);
    // A search that ran out of memory can be repeated.
    pc_free(changes);
    if (status < 0 && pc_windowed_length(series) == LENGTH) {
        CHECK(pc_windowed_find(series, &changes, &count) == 0 && count == 1 && changes[0].index == 65);
        pc_free(changes);
    }
    pc_windowed_free(series);
    return status;
}

// Noise with a jump every 20 points, whose tests fill and grow the table of kept results.
static double jumping(pc_rng *rng, size_t i)
{
    return 100.0 + (double)pc_rng_below(rng, 1000) / 100.0 + (i / 20 % 2 != 0 ? 15.0 : 0.0);
}

static int do_many_changes(void)
{
    enum { MANY = 1200 };
    const pc_windowed_options options = {.window = 10, .max_pvalue = 0.01};
    pc_windowed *series;
    pc_rng rng;
    pc_rng_seed(&rng, 5);
    int status = pc_windowed_make(&options, &series);
    if (status < 0)
        return status;
    for (size_t i = 0; i < MANY && status == 0; i++) {
        const double value = jumping(&rng, i);
        status = pc_windowed_append(series, &value, 1);
    }
    pc_change *changes = NULL;
    size_t count = 0;
    if (status == 0)
        status = pc_windowed_find(series, &changes, &count);
    CHECK(status == 0 ? count > 40 : changes == NULL);
    pc_free(changes);
    pc_windowed_free(series);
    return status;
}

// Searched after every append, a series gives what one that is searched once gives.
static void test_growing(void)
{
    const pc_windowed_options options[] = {{.window = 10, .max_pvalue = 0.2},
                                           {.window = 6, .max_pvalue = 0.05, .min_magnitude = 0.02}};
    for (size_t kind = 0; kind < 2; kind++) {
        enum { POINTS = 900 };
        double values[POINTS];
        pc_rng rng;
        pc_rng_seed(&rng, kind);
        pc_windowed *growing;
        CHECK(pc_windowed_make(&options[kind], &growing) == 0);
        for (size_t i = 0; i < POINTS; i++) {
            // Stretches of a constant have p-values that are no numbers.
            values[i] = i / 100 % 3 == 2 ? 100.0 + (double)(i / 30 % 2) : jumping(&rng, i);
            pc_change *found, *whole;
            size_t found_count, whole_count;
            CHECK(pc_windowed_append(growing, &values[i], 1) == 0);
            CHECK(pc_windowed_find(growing, &found, &found_count) == 0);
            if (i % 50 == 49) {
                pc_windowed *fresh;
                CHECK(pc_windowed_make(&options[kind], &fresh) == 0);
                CHECK(pc_windowed_append(fresh, values, i + 1) == 0);
                CHECK(pc_windowed_find(fresh, &whole, &whole_count) == 0);
                CHECK(found_count == whole_count && memcmp(found, whole, found_count * sizeof *found) == 0);
                pc_free(whole);
                pc_windowed_free(fresh);
            }
            pc_free(found);
        }
        pc_windowed_free(growing);
    }
}

// Other weak points in each run: what was kept of earlier ones is given up sooner or later, and nothing changes.
static void test_forgetting(void)
{
    pc_prefix prefixes[LENGTH + 1] = {{{0, 0}, {0, 0}}};
    for (size_t i = 0; i < LENGTH; i++)
        prefixes[i + 1] = pc_prefix_add(prefixes[i], steps[i], steps[0]);
    const pc_thinning_series series = {.prefixes = prefixes, .first = steps[0], .length = LENGTH};
    pc_thinning *thinning;
    CHECK(pc_thinning_make(0.5, 0.0, &thinning) == 0);
    for (size_t i = 0; i < 2000; i++) {
        const size_t weak[] = {1 + i % 40, 45 + i % 7, 60 + i % 43, 110 + i % 19};
        pc_thinning *fresh;
        pc_change *found, *wanted;
        size_t found_count, wanted_count;
        CHECK(pc_thinning_make(0.5, 0.0, &fresh) == 0);
        CHECK(pc_thinning_run(thinning, &series, weak, 4, &found, &found_count) == 0);
        CHECK(pc_thinning_run(fresh, &series, weak, 4, &wanted, &wanted_count) == 0);
        CHECK(found_count == wanted_count && memcmp(found, wanted, found_count * sizeof *found) == 0);
        pc_free(found);
        pc_free(wanted);
        pc_thinning_free(fresh);
    }
    pc_thinning_free(thinning);
}

static int do_levels(void)
{
    const pc_levels_options options = {.min_length = 5, .false_alarm = 0.01, .max_pvalue = 0.01};
    pc_level_change *changes = NULL;
    size_t count = 7;
    const int status = pc_levels_find(steps, LENGTH, &options, NULL, &changes, &count);
    CHECK(status == 0 ? count == 1 && changes[0].index == 65 && changes[0].before == 12 && changes[0].after == 32
                      : changes == NULL && count == 7);
    pc_free(changes);
    return status;
}

// Fail the first allocation, then the second, … until the operation gets by.
static void fail_each(int (*operation)(void), long least)
{
    long refused = 0;
    for (;;) {
        fail_at = refused;
        const int status = operation();
        fail_at = -1;
        if (status == 0)
            break;
        CHECK(status == -ENOMEM);
        if (++refused > 50)
            break;
    }
    CHECK(refused >= least && refused < 50);
}

static void test_refusals(void)
{
    pc_rank_test test;
    pc_shift shift;
    CHECK(pc_rank_sum(steps, 0, steps, 5, PC_RANK_AUTO, &test) == -EINVAL);
    CHECK(pc_rank_sum(steps, 5, steps, 5, PC_RANK_EXACT, &test) == -ERANGE);
    CHECK(pc_rank_sum(steps, SIZE_MAX, steps, SIZE_MAX, PC_RANK_AUTO, &test) == -EOVERFLOW);
    CHECK(pc_shift_two_sample(steps, 0, steps, 1, 0.5, &shift) == -EINVAL);
    CHECK(isnan(pc_student_cdf(1, -1)) && isnan(pc_student_quantile(2, 1)) && isnan(pc_normal_quantile(-1)));
}

int main(void)
{
    for (int i = 0; i < LENGTH; i++)
        steps[i] = 10.0 + i * 7 % 5 + (i < 65 ? 0 : 20);
    test_random();
    test_null();
    test_achievable_tails();
    test_approximation();
    test_prefix();
    test_refusals();
    test_growing();
    test_forgetting();
    fail_each(do_rank_sum, 1);
    fail_each(do_signed_rank, 2);
    fail_each(do_shift, 3);
    fail_each(do_center, 3);
    fail_each(do_robust, 2);
    fail_each(do_bootstrap, 6);
    fail_each(do_windowed, 6);
    fail_each(do_many_changes, 15);
    fail_each(do_levels, 7);
    return CHECK_EXIT();
}
