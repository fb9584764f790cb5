// SPDX-License-Identifier: MIT
// pc_series: bounded length, peaks that survive merging, means and quantiles over all samples; every allocation
// failing.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>

#include "measure/pc_series.h"

static const double ones[2] = {1.0, 1.0};

static void test_merging(void)
{
    enum { SAMPLES = 100003, SLOTS = 64 };
    pc_series series;
    CHECK(pc_series_init(&series, 2, SLOTS - 1) == 0); // rounded up
    CHECK(series.capacity == SLOTS && series.length == 0);
    bool bounded = true;
    for (int i = 0; i < SAMPLES; i++) {
        // A single peak and a single trough; the second column is there in every third sample.
        double values[2] = {i == 777 ? 5000.0 : i == 99000 ? 1.0 : 100.0, i % 3 == 0 ? (double)i : (double)NAN};
        pc_series_push(&series, i, values, ones);
        bounded = bounded && series.length <= SLOTS && (i < SLOTS / 2 || series.length > SLOTS / 2 - 1);
    }
    CHECK(bounded);
    uint64_t first = 0, second = 0;
    double highest = 0.0, lowest = 1e9;
    bool even = true, ordered = true;
    for (size_t slot = 0; slot < series.length; slot++) {
        const pc_series_cell *cell = pc_series_at(&series, slot, 0);
        first += cell->count;
        second += pc_series_at(&series, slot, 1)->count;
        highest = fmax(highest, cell->max);
        lowest = fmin(lowest, cell->min);
        even = even && (cell->count == series.stride || slot == series.length - 1);
        even = even && (series.ends_ns[slot] == (int64_t)((slot + 1) * series.stride) - 1 || slot == series.length - 1);
        ordered = ordered && (slot == 0 || series.ends_ns[slot] > series.ends_ns[slot - 1]);
    }
    CHECK(first == SAMPLES && second == (SAMPLES + 2) / 3);
    CHECK(highest == 5000.0 && lowest == 1.0);
    CHECK(even && ordered);
    CHECK(series.ends_ns[series.length - 1] == SAMPLES - 1);
    CHECK(series.totals[0].max == 5000.0 && series.totals[0].min == 1.0);
    CHECK(fabs(pc_series_mean(&series.totals[0]) - (100.0 + (4900.0 - 99.0) / SAMPLES)) < 1e-9);
    CHECK(pc_series_quantile(&series, 0, 0.5) == 100.0);
    CHECK(pc_series_quantile(&series, 0, 1.0) <= 5000.0 && pc_series_quantile(&series, 0, 1.0) >= 5000.0 * 127 / 128);
    CHECK(pc_series_quantile(&series, 0, 0.0) == 1.0);
    pc_series_reset(&series);
    CHECK(series.length == 0 && series.totals[0].count == 0 && isnan(pc_series_quantile(&series, 0, 0.5)));
    pc_series_clear(&series);
    pc_series_clear(&series);
}

static void test_means_are_weighted(void)
{
    pc_series series;
    CHECK(pc_series_init(&series, 2, 2) == 0);
    const double values[3][2] = {{10.0, 1.0}, {20.0, (double)NAN}, {40.0, 0.0}};
    const double weights[3][2] = {{1.0, 1.0}, {1.0, 100.0}, {2.0, 3.0}};
    for (int i = 0; i < 3; i++)
        pc_series_push(&series, i, values[i], weights[i]);
    CHECK(pc_series_mean(&series.totals[0]) == (10.0 + 20.0 + 80.0) / 4.0);
    CHECK(pc_series_mean(&series.totals[1]) == 0.25 && series.totals[1].count == 2);
    CHECK(series.length == 2 && pc_series_mean(pc_series_at(&series, 0, 0)) == 15.0);
    pc_series_clear(&series);
}

// Against the definition, over the whole range of magnitudes.
static void test_quantiles(void)
{
    pc_series series;
    CHECK(pc_series_init(&series, 2, 4) == 0);
    for (int i = 1; i <= 1000; i++) {
        double values[2] = {(double)i, ldexp(1.0, i % 64 - 10)};
        pc_series_push(&series, i, values, ones);
    }
    bool close = true;
    for (int i = 1; i <= 1000; i++) {
        double found = pc_series_quantile(&series, 0, i / 1000.0);
        close = close && found <= i && found >= i * (1.0 - 1.0 / 128.0);
    }
    CHECK(close);
    CHECK(pc_series_quantile(&series, 0, 0.2) == 200.0); // whole numbers below 256 are exact
    CHECK(pc_series_quantile(&series, 1, 1.0) == ldexp(1.0, 53));
    pc_series_reset(&series);
    const double extremes[3][2] = {{0.0, 1e300}, {1e-300, 0.0}, {0.0, 1e-9}};
    for (int i = 0; i < 3; i++)
        pc_series_push(&series, i, extremes[i], ones);
    CHECK(pc_series_quantile(&series, 0, 0.5) == 0.0 && pc_series_quantile(&series, 1, 0.01) == 0.0);
    CHECK(pc_series_quantile(&series, 1, 1.0) <= 1e300);
    pc_series_reset(&series);
    pc_series_push(&series, 0, (const double[2]){1000.5, 0.3}, ones); // never outside of what there was
    CHECK(pc_series_quantile(&series, 0, 0.5) == 1000.5 && pc_series_quantile(&series, 1, 0.99) == 0.3);
    pc_series_clear(&series);
}

static void test_out_of_memory(void)
{
    pc_series series = {0};
    CHECK(pc_series_init(&series, 1, SIZE_MAX / 4) == -ENOMEM);
    long refused = 0;
    for (long n = 0; n < 20; n++) {
        fail_at = n;
        int status = pc_series_init(&series, 3, 8);
        fail_at = -1;
        if (status == 0) {
            pc_series_clear(&series);
            break;
        }
        CHECK(status == -ENOMEM && series.cells == NULL);
        refused++;
    }
    CHECK(refused == 4);
}

int main(void)
{
    test_merging();
    test_means_are_weighted();
    test_quantiles();
    test_out_of_memory();
    return CHECK_EXIT();
}
