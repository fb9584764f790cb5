// SPDX-License-Identifier: MIT
// The statistics of the core: known results, order statistics against a sort, exact sums against __int128, refusals,
// and every allocation failing once. Equality with pytest-benchmark is tested from Python.
// not under valgrind: its long double has 64 bits, and the exact sums are checked against one of 80.
#include "check.h"
#include "failing_malloc.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge/pc_exact.h"
#include "judge/pc_median_interval.h"
#include "judge/pc_select.h"
#include "judge/pc_stats.h"

static const pc_stats_options usual = {.compensated_sum = true, .level = 0.95};

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t random_bits(void) // xorshift64*
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

static double random_unit(void)
{
    return (double)(random_bits() >> 11) * 0x1p-53;
}

static bool same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void test_known(void)
{
    const double samples[] = {2, 4, 4, 4, 5, 5, 7, 9};
    pc_stats s;
    CHECK(pc_stats_summarize(samples, 8, &usual, &s) == 0);
    CHECK(s.rounds == 8 && s.min == 2 && s.max == 9 && s.mean == 5 && s.total == 40 && s.ops == 0.2);
    CHECK(s.median == 4.5 && s.q1 == 4 && s.q3 == 6 && s.iqr == 2);
    CHECK(same(s.stddev, sqrt(32.0 / 7.0)));
    CHECK(s.ld15iqr == 2 && s.hd15iqr == 9 && s.iqr_outliers == 0 && s.stddev_outliers == 2);
    CHECK(s.p50 == 4.5 && fabs(s.p90 - 7.6) < 1e-12 && s.mad == 0.5);
    CHECK(s.median_low == 2 && s.median_high == 9 && s.median_level == 1.0 - 2.0 / 256);

    const double one = -0.0;
    CHECK(pc_stats_summarize(&one, 1, &usual, &s) == 0);
    CHECK(same(s.min, -0.0) && same(s.total, 0.0) && same(s.mean, 0.0) && s.stddev == 0 && s.ops == 0);
    CHECK(same(s.median, -0.0) && same(s.ld15iqr, -0.0) && same(s.hd15iqr, -0.0));
    CHECK(isnan(s.median_low) && isnan(s.median_high) && isnan(s.median_level));
}

static void test_refusals(void)
{
    const double bad[][2] = {{1, NAN}, {INFINITY, 1}, {-INFINITY, INFINITY}};
    pc_stats s;
    memset(&s, 0x5a, sizeof s);
    const pc_stats before = s;
    for (size_t i = 0; i < 3; i++)
        CHECK(pc_stats_summarize(bad[i], 2, &usual, &s) == -EDOM);
    CHECK(pc_stats_first_nonfinite(bad[0], 2) == 1 && pc_stats_first_nonfinite(bad[1], 2) == 0);
    const double good = 1;
    CHECK(pc_stats_summarize(&good, 0, &usual, &s) == -EINVAL);
    const double levels[] = {0, 1, -1, NAN};
    for (size_t i = 0; i < 4; i++)
        CHECK(pc_stats_summarize(&good, 1, &(pc_stats_options){.level = levels[i]}, &s) == -EINVAL);
    CHECK(pc_stats_summarize(&good, (size_t)UINT32_MAX + 1, &usual, &s) == -EOVERFLOW);
    CHECK(memcmp(&s, &before, sizeof s) == 0); // outputs are untouched on failure
    pc_median_interval interval = {.low = 7};
    CHECK(pc_median_interval_find(5, 0.95, &interval) == -ERANGE && interval.low == 7);
}

// Integers of up to 31 bits, scaled: sum and n * sum(x^2) - sum(x)^2 fit in 128 bits, and the mean's remainder and the
// root's neighbours can be compared exactly.
static void test_exact_moments(void)
{
    __extension__ typedef __int128 wide;
    bool means = true, roots = true;
    for (int round = 0; round < 3000; round++) {
        double samples[40];
        size_t length = 2 + random_bits() % 39;
        int exponent = (int)(random_bits() % 1500) - 900;
        unsigned shift = (unsigned)(random_bits() % 30);
        wide sum = 0, squares = 0;
        double least = INFINITY, greatest = -INFINITY;
        for (size_t i = 0; i < length; i++) {
            int64_t integer = (int64_t)(random_bits() >> 33 >> shift) - (round % 2 ? 1 << 20 : 0);
            samples[i] = ldexp((double)integer, exponent);
            sum += integer;
            squares += (wide)integer * integer;
            least = samples[i] < least ? samples[i] : least;
            greatest = samples[i] > greatest ? samples[i] : greatest;
        }
        pc_moments moments;
        CHECK(pc_moments_compute(samples, length, least, greatest, &moments) == 0);
        if (exponent < -900 + 60)
            continue; // no room below for the comparisons
        const wide n = (wide)length;
        // The sum has at most 37 bits, so its quotient is correctly rounded by one division.
        means = means && same(moments.mean, ldexp((double)(int64_t)sum / (double)length, exponent));
        // Correctly rounded means (r - ulp/2)^2 <= v <= (r + ulp/2)^2, checked in long double with room to spare for
        // its own error: a result that is one unit off is 2^-53 away, a long double 2^-63.
        const wide variance = n * squares - sum * sum;
        const long double root = sqrtl((long double)variance / (long double)(n * (n - 1)));
        const double found = ldexp(moments.stddev, -exponent);
        if (variance == 0) {
            roots = roots && moments.stddev == 0;
        } else {
            const long double error = fabsl((long double)found - root);
            const double ulp = nextafter(found, INFINITY) - found;
            roots = roots && error <= (long double)ulp * 0.501L;
        }
    }
    CHECK(means);
    CHECK(roots);

    const double extremes[] = {DBL_MAX, -DBL_MAX, DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN, 0, -0.0};
    pc_moments moments;
    CHECK(pc_moments_compute(extremes, 7, -DBL_MAX, DBL_MAX, &moments) == 0);
    CHECK(same(moments.mean, 0.0)); // 3/7 of the least subnormal
    CHECK(pc_moments_compute(extremes, 5, -DBL_MAX, DBL_MAX, &moments) == 0);
    CHECK(same(moments.mean, DBL_TRUE_MIN)); // 3/5 of it
    CHECK(pc_moments_compute(extremes, 2, -DBL_MAX, DBL_MAX, &moments) == 0);
    CHECK(isinf(moments.stddev) && moments.mean == 0);
}

// Samples of different kinds, for the selection's different ways.
static double sample_of(int kind)
{
    switch (kind) {
    case 0:
        return 1.0 + random_unit();
    case 1:
        return (double)(random_bits() % 50) * 1e-9;
    case 2:
        return random_unit() < 0.99 ? 1.0 + 1e-3 * random_unit() : ldexp(1.0, (int)(random_bits() % 1000));
    case 3: {
        double value;
        do {
            uint64_t bits = random_bits();
            memcpy(&value, &bits, sizeof value);
        } while (!isfinite(value));
        return value;
    }
    case 4:
        return 0.5;
    case 5: // clusters in clusters: every round of counting meets a large cell
        return 1.0 + ldexp(random_unit(), -10 * (int)(random_bits() % 6));
    case 6:
        return (random_bits() & 1 ? -1.0 : 1.0) * (double)(random_bits() % 3);
    default:
        return (double)(random_bits() % 1000) * DBL_TRUE_MIN;
    }
}

static void test_selection(void)
{
    enum { LENGTH = 50000 };
    double *values = malloc(LENGTH * sizeof *values), *sorted = malloc(LENGTH * sizeof *sorted);
    CHECK(values != NULL && sorted != NULL);
    for (int kind = 0; kind < 8; kind++) {
        for (size_t length = 1; length <= LENGTH; length = length < 100 ? length + 7 : length * 5) {
            for (size_t i = 0; i < length; i++)
                sorted[i] = values[i] = sample_of(kind);
            qsort(sorted, length, sizeof *sorted, by_value);
            size_t ranks[PC_SELECT_RANKS], count = 0;
            for (size_t i = 0; i < PC_SELECT_RANKS; i++) {
                size_t rank = length * i / (PC_SELECT_RANKS - 1);
                rank = rank < length ? rank : length - 1;
                if (count == 0 || rank > ranks[count - 1])
                    ranks[count++] = rank;
            }
            pc_select work;
            CHECK(pc_select_init(&work, length) == 0);
            double found[PC_SELECT_RANKS];
            pc_select_values(&work, values, length, sorted[0], sorted[length - 1], ranks, count, found);
            bool right = true;
            for (size_t i = 0; i < count; i++)
                right = right && found[i] == sorted[ranks[i]]; // the sign of zero: test_stable_zeros
            CHECK(right);
            // Distances, with a range that is right, and with ones that are of no use.
            const double center = sorted[length / 3];
            for (size_t i = 0; i < length; i++)
                sorted[i] = fabs(values[i] - center);
            qsort(sorted, length, sizeof *sorted, by_value);
            const double ranges[][2] = {{0, sorted[length / 2]}, {0, 0}, {0, DBL_MAX}, {1e300, 1e300}, {-0.0, -0.0}};
            for (size_t range = 0; range < 5; range++) {
                pc_select_distances(&work, values, length, center, ranges[range][0], ranges[range][1], ranks, count,
                                    found);
                for (size_t i = 0; i < count; i++)
                    right = right && found[i] == sorted[ranks[i]];
            }
            CHECK(right);
            pc_select_clear(&work);
        }
    }
    free(values);
    free(sorted);
}

// Zeros keep the order in which they came.
static void test_stable_zeros(void)
{
    enum { LENGTH = 600 };
    double values[LENGTH], zeros[LENGTH], found[3];
    size_t below = 0, zero_count = 0;
    for (size_t i = 0; i < LENGTH; i++) {
        values[i] = random_bits() % 4 ? (random_bits() & 1 ? 0.0 : -0.0) : sample_of(6);
        if (values[i] == 0)
            zeros[zero_count++] = values[i];
        below += values[i] < 0;
    }
    pc_select work;
    CHECK(pc_select_init(&work, LENGTH) == 0);
    bool right = true;
    for (size_t i = 0; i + 2 < zero_count; i++) {
        const size_t ranks[3] = {below + i, below + i + 1, below + i + 2};
        pc_select_values(&work, values, LENGTH, -2, 2, ranks, 3, found);
        for (size_t j = 0; j < 3; j++)
            right = right && same(found[j], zeros[i + j]);
    }
    CHECK(right);
    pc_select_clear(&work);
}

// Ascending and descending data, organ pipes and constants: quickselect's bad cases, inside one gathered cell.
static void test_orders(void)
{
    enum { LENGTH = 2000 };
    double values[LENGTH];
    for (int order = 0; order < 4; order++) {
        for (int i = 0; i < LENGTH; i++)
            values[i] = order == 0 ? i : order == 1 ? LENGTH - i : order == 2 ? (i < LENGTH / 2 ? i : LENGTH - i) : 7;
        values[1] = 1e300; // everything else falls into one bin
        double sorted[LENGTH], found[3];
        memcpy(sorted, values, sizeof values);
        qsort(sorted, LENGTH, sizeof *sorted, by_value);
        const size_t ranks[3] = {10, 1000, 1998};
        pc_select work;
        CHECK(pc_select_init(&work, LENGTH) == 0);
        pc_select_values(&work, values, LENGTH, sorted[0], 1e300, ranks, 3, found);
        CHECK(found[0] == sorted[10] && found[1] == sorted[1000] && found[2] == sorted[1998]);
        pc_select_clear(&work);
    }
}

static void test_median_interval(void)
{
    // k from tables of the sign test (two-sided, 5 % and 1 %).
    const struct {
        size_t length, k;
        double level;
    } known[] = {{6, 1, 0.95},   {9, 2, 0.95}, {10, 2, 0.95}, {20, 6, 0.95},
                 {50, 18, 0.95}, {8, 1, 0.99}, {20, 4, 0.99}, {50, 16, 0.99}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        pc_median_interval interval;
        CHECK(pc_median_interval_find(known[i].length, known[i].level, &interval) == 0);
        CHECK(interval.low == known[i].k - 1 && interval.high == known[i].length - known[i].k);
        CHECK(interval.level >= known[i].level);
    }
    // A level that is told is one that can be asked for, whatever rounding makes of it.
    bool same = true;
    for (size_t length = 6; length < 400; length++) {
        for (int percent = 10; percent <= 95; percent += 5) {
            pc_median_interval told, again = {0};
            CHECK(pc_median_interval_find(length, percent / 100.0, &told) == 0);
            same = same && pc_median_interval_find(length, told.level, &again) == 0 && again.low == told.low;
        }
    }
    CHECK(same);
    // Far beyond where probabilities underflow: near n/2 - 1.96 sqrt(n)/2.
    pc_median_interval interval;
    CHECK(pc_median_interval_find(1000000, 0.95, &interval) == 0);
    CHECK(interval.low >= 499018 && interval.low <= 499022 && interval.low + interval.high == 999999);
    CHECK(interval.level >= 0.95 && interval.level < 0.9502);
}

static void test_memory(void)
{
    enum { LENGTH = 200000 };
    double *samples = malloc(LENGTH * sizeof *samples);
    CHECK(samples != NULL);
    for (size_t i = 0; i < LENGTH; i++)
        samples[i] = sample_of(3); // every magnitude: the largest tables
    pc_stats s;
    memset(&s, 0x5a, sizeof s);
    const pc_stats before = s;
    int status = -ENOMEM;
    long refused = 0;
    for (long n = 0; status < 0 && n < 20; n++) {
        fail_at = n;
        allocated_bytes = 0;
        status = pc_stats_summarize(samples, LENGTH, &usual, &s);
        fail_at = -1;
        if (status < 0) {
            refused++;
            CHECK(status == -ENOMEM && memcmp(&s, &before, sizeof s) == 0);
        }
    }
    CHECK(status == 0 && refused == 2);
    CHECK(allocated_bytes < LENGTH / 4 + 200 * 1024); // no copy of the samples, which would be 8 bytes each
    free(samples);
}

int main(void)
{
    test_known();
    test_refusals();
    test_exact_moments();
    test_selection();
    test_stable_zeros();
    test_orders();
    test_median_interval();
    test_memory();
    return CHECK_EXIT();
}
