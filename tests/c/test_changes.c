// SPDX-License-Identifier: MIT
// Change points of the core beside a plain form of each step: prefix sums, thinning. And levels whose figures are
// known: what is told of a series must not change unless somebody means it to.
#include "check.h"
#include "failing_malloc.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "judge/pc_lesser.h"
#include "judge/pc_levels.h"
#include "judge/pc_prefix.h"
#include "judge/pc_special.h"
#include "judge/pc_thinning.h"
#include "judge/pc_windowed.h"

enum { LENGTH = 120, WEAK = 24 };

// The mean and the variance of parts far from the first value, of which doubles would keep nothing.
static void test_prefix(void)
{
    const double values[] = {1e9, 0.1, 0.2, 0.4, 5.7, 5.9};
    pc_prefix prefixes[7] = {{{0, 0}, {0, 0}}};
    for (size_t i = 0; i < 6; i++)
        prefixes[i + 1] = pc_prefix_add(prefixes[i], values[i], values[0]);
    const pc_part three = pc_prefix_part(&prefixes[1], &prefixes[4], 3);
    const pc_part two = pc_prefix_part(&prefixes[4], &prefixes[6], 2);
    CHECK(fabs(three.variance - 0.14 / 9.0) < 1e-9 && fabs(two.variance - 0.01) < 1e-9);
    CHECK(fabs(pc_prefix_mean_difference(&two, &three) - (5.8 - 0.7 / 3.0)) < 1e-9);
    bool none = true;
    for (size_t i = 0; i < 6; i++) // one value has no variance, whatever rounding says
        none = none && pc_prefix_part(&prefixes[i], &prefixes[i + 1], 1).variance == 0.0;
    CHECK(none);
}

typedef struct point {
    size_t index;
    double pvalue, magnitude;
} point;

static void test_point(const pc_prefix *prefixes, double first, point *points, size_t at, size_t count)
{
    const size_t start = at > 0 ? points[at - 1].index : 0, middle = points[at].index;
    const size_t end = at + 1 < count ? points[at + 1].index : LENGTH;
    const pc_part left = pc_prefix_part(&prefixes[start], &prefixes[middle], middle - start);
    const pc_part right = pc_prefix_part(&prefixes[middle], &prefixes[end], end - middle);
    points[at].pvalue = pc_thinning_pvalue(prefixes, start, middle, end);
    points[at].magnitude = pc_relative_change(first + left.mean.high, first + right.mean.high);
}

// As Python's max() and min() would do it, which keep the first of equal ones, and a NaN that comes first.
static size_t thin_out(const pc_prefix *prefixes, double first, double max_pvalue, double min_magnitude, point *points,
                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_point(prefixes, first, points, i, count);
    while (count > 0) {
        size_t weakest = 0;
        for (size_t i = 1; i < count; i++)
            weakest = points[i].pvalue > points[weakest].pvalue ? i : weakest;
        if (points[weakest].pvalue < max_pvalue) {
            weakest = 0;
            for (size_t i = 1; i < count; i++)
                weakest = points[i].magnitude < points[weakest].magnitude ? i : weakest;
            if (points[weakest].magnitude > min_magnitude)
                break;
        }
        memmove(points + weakest, points + weakest + 1, (count - weakest - 1) * sizeof *points);
        count--;
        for (size_t i = weakest; i < weakest + 2 && i < count; i++)
            test_point(prefixes, first, points, i, count);
    }
    return count;
}

static bool thins_alike(const pc_thinning_series *series, double max_pvalue, double min_magnitude, const size_t *weak,
                        size_t weak_count, point *left, size_t *left_count)
{
    pc_thinning *thinning = NULL;
    pc_change *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < weak_count; i++)
        left[i] = (point){.index = weak[i]};
    *left_count = thin_out(series->prefixes, series->first, max_pvalue, min_magnitude, left, weak_count);
    CHECK(pc_thinning_make(max_pvalue, min_magnitude, &thinning) == 0);
    CHECK(pc_thinning_run(thinning, series, weak, weak_count, &found, &count) == 0);
    bool same = count == *left_count;
    for (size_t i = 0; same && i < count; i++)
        same = found[i].index == left[i].index && (found[i].pvalue == left[i].pvalue || isnan(left[i].pvalue)) &&
               found[i].magnitude == left[i].magnitude;
    pc_free(found);
    pc_thinning_free(thinning);
    return same;
}

// Values of few kinds, so that constants (whose p-values are no numbers), ties and changes of nothing occur.
static void test_thinning(void)
{
    pc_rng rng;
    pc_rng_seed(&rng, 11);
    bool alike = true;
    for (size_t round = 0; round < 3000; round++) {
        double values[LENGTH];
        pc_prefix prefixes[LENGTH + 1] = {{{0, 0}, {0, 0}}};
        size_t weak[WEAK], count = 0, left_count;
        point left[WEAK];
        for (size_t i = 0; i < LENGTH; i++) {
            values[i] = 10.0 + (double)(pc_rng_below(&rng, 8) == 0) + (round % 3 != 0 ? (double)(i / 30 % 2) : 0.0);
            prefixes[i + 1] = pc_prefix_add(prefixes[i], values[i], values[0]);
        }
        for (size_t at = 1 + pc_rng_below(&rng, 9); count < WEAK && at < LENGTH; at += 1 + pc_rng_below(&rng, 9))
            weak[count++] = at;
        const pc_thinning_series series = {.prefixes = prefixes, .first = values[0], .length = LENGTH};
        alike = alike && thins_alike(&series, 0.5, 0.0, weak, count, left, &left_count);
        // The limits themselves: a p-value that is not below its own goes, a magnitude that is not above it goes.
        if (left_count > 1) {
            const double pvalue = left[left_count / 2].pvalue, magnitude = left[left_count / 2].magnitude;
            alike = alike && thins_alike(&series, pvalue, 0.0, weak, count, left, &left_count);
            alike = alike && thins_alike(&series, 0.5, magnitude, weak, count, left, &left_count);
        }
    }
    CHECK(alike);
}

// Several points in each window, the memory for one of which is refused: asked again, the search gives what another
// does.
static void test_asking_again(void)
{
    enum { POINTS = 1500 };
    const pc_windowed_options options = {.window = 60, .max_pvalue = 0.01};
    double values[POINTS];
    pc_rng rng;
    pc_rng_seed(&rng, 3);
    for (size_t i = 0; i < POINTS; i++)
        values[i] = 100.0 + (double)pc_rng_below(&rng, 100) / 100.0 + (i / 7 % 2 != 0 ? 15.0 : 0.0);
    pc_change *wanted = NULL;
    size_t wanted_count = 0;
    long refused = 0;
    for (long n = -1; n < 100; n++) {
        pc_windowed *series;
        pc_change *found = NULL;
        size_t count = 0;
        CHECK(pc_windowed_make(&options, &series) == 0 && pc_windowed_append(series, values, POINTS) == 0);
        fail_at = n;
        int status = pc_windowed_find(series, &found, &count);
        const bool through = fail_at >= 0;
        fail_at = -1;
        refused += status < 0;
        if (status < 0)
            status = pc_windowed_find(series, &found, &count);
        CHECK(status == 0);
        if (n < 0) {
            wanted = found;
            wanted_count = count;
        } else {
            CHECK(count == wanted_count && memcmp(found, wanted, count * sizeof *found) == 0);
            pc_free(found);
        }
        pc_windowed_free(series);
        if (through)
            break;
    }
    CHECK(wanted_count > 150 && refused > 5);
    pc_free(wanted);
}

static double normal(pc_rng *rng)
{
    return pc_normal_quantile(((double)pc_rng_below(rng, 1u << 30) + 0.5) * 0x1p-30);
}

// Series of levels with spikes, with autocorrelation, with both, and of few values.
static void make_series(size_t shape, double values[400])
{
    pc_rng rng;
    pc_rng_seed(&rng, shape);
    double carried = 0.0;
    for (size_t i = 0; i < 400; i++) {
        const double level = i < 90 ? 0.0 : i < 101 ? 1.1 : i < 200 ? 0.0 : i < 290 ? 0.6 : i < 300 ? -0.6 : 1.5;
        carried = (shape % 2 == 1 ? 0.55 : 0.0) * carried + normal(&rng);
        values[i] = 100.0 + (shape == 6 ? 3.0 : 1.0) * level + carried;
        if (shape % 4 >= 2 && pc_rng_below(&rng, 9) == 0)
            values[i] += shape >= 4 ? 7.5 : 60.0;
        if (shape == 7)
            values[i] = rint(values[i]);
    }
}

// Each series twice, the second time with short levels, many of them at first and few in the end.
static void test_known_levels(void)
{
    enum { SERIES = 16, MOST = 8 };
    static const struct {
        size_t index;
        double pvalue;
    } known[SERIES][MOST] = {
        {{299, 6.37937e-16}},
        {{339, 0.000279536}},
        {{72, 0.0076492},
         {80, 0.0152104},
         {90, 0.00325452},
         {103, 2.12591e-05},
         {208, 1.26813e-06},
         {289, 1.60206e-05},
         {300, 2.22529e-07}},
        {{303, 2.43223e-07}},
        {{299, 7.12857e-23}},
        {{233, 6.74459e-08}},
        {{88, 0.00261063}, {102, 2.05497e-05}, {200, 7.39487e-13}, {290, 0.000298617}, {300, 6.47019e-05}},
        {{300, 0.00740218}},
        {{199, 0.00136077}, {300, 3.5957e-08}},
        {{339, 0.000279536}},
        {{90, 0.000402364}, {103, 1.51745e-05}, {203, 8.31792e-07}, {289, 1.34559e-05}, {300, 1.4935e-07}},
        {{303, 2.43223e-07}},
        {{192, 0.000451796}, {290, 0.0012515}, {299, 3.57188e-06}},
        {{126, 2.26115e-05}, {194, 2.99068e-06}, {301, 0.000487918}},
        {{200, 2.4657e-11}, {290, 0.000290716}, {300, 6.26402e-05}},
        {{0, 0}},
    };
    for (size_t one = 0; one < SERIES; one++) {
        const bool brief = one >= SERIES / 2;
        const pc_levels_options options = {
            .min_length = brief ? 2 : 5, .false_alarm = brief ? 0.1 : 0.01, .max_pvalue = brief ? 0.002 : 0.05};
        double values[400];
        make_series(one % (SERIES / 2), values);
        pc_level_change *changes = NULL;
        size_t count = 0, wanted = 0;
        CHECK(pc_levels_find(values, 400, &options, NULL, &changes, &count) == 0);
        while (wanted < MOST && known[one][wanted].index > 0)
            wanted++;
        bool same = count == wanted;
        for (size_t i = 0; same && i < count; i++)
            same =
                changes[i].index == known[one][i].index && fabs(changes[i].pvalue / known[one][i].pvalue - 1.0) < 1e-5;
        CHECK(same);
        pc_free(changes);
    }
}

int main(void)
{
    test_prefix();
    test_thinning();
    test_asking_again();
    test_known_levels();
    return CHECK_EXIT();
}
