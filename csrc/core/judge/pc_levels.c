// SPDX-License-Identifier: MIT
// Robust change points (see the header).
#include "judge/pc_levels.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_keys.h"
#include "judge/pc_lesser.h"
#include "judge/pc_order.h"
#include "judge/pc_partition.h"
#include "judge/pc_rank_test.h"
#include "judge/pc_robust.h"
#include "judge/pc_special.h"

// Distance of a spike from the median around it, in standard deviations.
static const double SPIKE = 6.0;
// The most autocorrelation that is allowed for: ranks of separate levels look correlated, and more would hide them.
static const double MOST_CORRELATION = 0.6;

typedef struct work {
    const double *values;
    size_t length, min_length;
    double *ranks;     // doubled and centered: whole numbers
    double *sums;      // prefix sums of the ranks
    double *residuals; // of the present levels
    double *weights;   // for a split after each point
    double *workspace; // of pc_partition; at first the medians around each point
    size_t *cuts;      // the present changes, then the end
    size_t cut_count;
} work;

// The median of five, without branches: of the fifth and the two of the others that are neither least nor greatest.
static inline double median_of_five(const double *v)
{
    const double low = pc_greater(pc_lesser(v[0], v[1]), pc_lesser(v[2], v[3]));
    const double high = pc_lesser(pc_greater(v[0], v[1]), pc_greater(v[2], v[3]));
    return pc_greater(pc_lesser(low, high), pc_lesser(pc_greater(low, high), v[4]));
}

// Copy the values into w->residuals with spikes replaced by the median of the five points around them. A spike lies
// further from it than SPIKE times the median such distance, scaled to a standard deviation.
static int despike(work *w)
{
    const size_t n = w->length;
    for (size_t i = 0; i < n; i++) {
        const size_t start = i < 2 ? 0 : i + 3 > n ? n - 5 : i - 2;
        w->workspace[i] = n < 5 ? w->values[i] : median_of_five(w->values + start);
        w->residuals[i] = fabs(w->values[i] - w->workspace[i]);
    }
    double typical;
    const int status = pc_robust_median(w->residuals, n, &typical);
    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        w->residuals[i] = w->residuals[i] > SPIKE * 1.4826 * typical ? w->workspace[i] : w->values[i];
    return 0;
}

static int make_ranks(work *w)
{
    const size_t n = w->length;
    pc_ordered *items = pc_alloc(n, 2 * sizeof *items + sizeof(uint32_t));
    if (items == NULL)
        return -ENOMEM;
    uint32_t *doubled = (uint32_t *)(void *)(items + 2 * n);
    for (size_t i = 0; i < n; i++)
        items[i] = (pc_ordered){.value = w->residuals[i], .index = (uint32_t)i};
    (void)pc_order_ranks(pc_order_sort(items, items + n, n), n, doubled);
    w->sums[0] = 0.0;
    for (size_t i = 0; i < n; i++) {
        w->ranks[i] = (double)doubled[i] - (double)(n + 1);
        w->sums[i + 1] = w->sums[i] + w->ranks[i];
        w->weights[i] = i > 0 ? (double)n / ((double)i * (double)(n - i)) : 0.0;
    }
    pc_free(items);
    return 0;
}

// The factor by which autocorrelation multiplies the variance of long means.
static double inflation(double r)
{
    r = fmin(fmax(r, 0.0), MOST_CORRELATION);
    return (1.0 + r) / (1.0 - r);
}

// The mean of the squared differences at a lag without the greatest tenth, where the changes are.
static double difference_square(work *w, size_t lag)
{
    const size_t count = w->length - lag, kept = count - count / 10;
    uint64_t *keys = (uint64_t *)(void *)w->workspace; // the bits of what is not negative have its order
    for (size_t i = 0; i < count; i++) {
        const double difference = w->ranks[i + lag] - w->ranks[i], square = difference * difference;
        memcpy(&keys[i], &square, sizeof square);
    }
    (void)pc_keys_select(keys, count, kept - 1);
    double sum = 0.0; // of whole numbers, so that their order hardly matters
    for (size_t i = 0; i < kept; i++) {
        double square;
        memcpy(&square, &keys[i], sizeof square);
        sum += square;
    }
    return sum / (double)kept;
}

// The first penalty, from the mean squares of differences at lags one and two. Those are 2 v (1 - r) and 2 v (1 - r^2)
// for a first-order autoregression of variance v. 0 for a series without differences.
static double first_penalty(work *w, double *correlation)
{
    // What is left of a normal variance without the greatest tenth of the squares.
    const double trimmed = 0.615;
    const double one = difference_square(w, 1), two = difference_square(w, 2);
    const double r = one > 0.0 ? fmin(fmax(two / one - 1.0, 0.0), 0.9) : 0.0;
    *correlation = r;
    return one / (2.0 * trimmed * (1.0 - r)) * inflation(r) * log((double)w->length);
}

static double residual_inflation(work *w, double expected)
{
    size_t start = 0;
    for (size_t i = 0; i < w->cut_count; i++) {
        const size_t end = w->cuts[i];
        const double mean = (w->sums[end] - w->sums[start]) / (double)(end - start);
        for (size_t j = start; j < end; j++)
            w->residuals[j] = w->ranks[j] - mean;
        start = end;
    }
    double squares = 0.0, products = 0.0;
    for (size_t i = 0; i < w->length; i++) {
        squares += w->residuals[i] * w->residuals[i];
        products += i > 0 ? w->residuals[i] * w->residuals[i - 1] : 0.0;
    }
    if (squares == 0.0)
        return 1.0;
    // Each level's own mean pulls the estimate down by about (1 + 3 r) / length (F. H. C. Marriott, J. A. Pope,
    // Biometrika 41 (1954), 390-402).
    const double r = products / squares;
    const double corrected = r + (1.0 + 3.0 * fmax(r, 0.0)) * (double)w->cut_count / (double)w->length;
    // Levels too many or too few pull it down or up; the estimate from differences does not depend on them.
    const double slack = 1.0 / sqrt((double)w->length);
    return inflation(fmin(fmax(corrected, expected - slack), expected + slack));
}

// The quantile of the best split's gain over permutations of the residuals.
static int permuted_gain(const work *w, double false_alarm, pc_shuffle *shuffle, double *gain)
{
    double gains[PC_SHUFFLE_COUNT];
    uint64_t keys[PC_SHUFFLE_COUNT];
    const int status = pc_shuffle_gains(shuffle, w->residuals, w->weights, gains);
    if (status < 0)
        return status;
    for (size_t p = 0; p < PC_SHUFFLE_COUNT; p++)
        keys[p] = pc_keys_of_double(gains[p]);
    const size_t rank = (size_t)ceil((1.0 - false_alarm) * (PC_SHUFFLE_COUNT + 1));
    const size_t most = PC_SHUFFLE_COUNT;
    *gain = pc_keys_to_double(pc_keys_select(keys, most, (rank < most ? rank : most) - 1));
    return 0;
}

// Split into levels; *factor is the inflation by autocorrelation.
static int find_levels(work *w, double false_alarm, pc_shuffle *shuffle, double *factor)
{
    w->cuts[0] = w->length;
    w->cut_count = 1;
    double correlation, penalty = first_penalty(w, &correlation);
    w->cut_count = pc_partition_find(w->sums, w->length, w->min_length, penalty, w->workspace, w->cuts);
    for (int i = 0; i < PC_SHUFFLE_ROUNDS; i++) {
        const size_t before = w->cut_count;
        double gain;
        *factor = residual_inflation(w, correlation);
        const int status = permuted_gain(w, false_alarm, shuffle, &gain);
        if (status < 0)
            return status;
        // Residuals of levels that fit exactly ask for no penalty; then none of the levels found is doubtful.
        penalty = gain > 0.0 ? gain * *factor : penalty;
        w->cut_count = pc_partition_find(w->sums, w->length, w->min_length, penalty, w->workspace, w->cuts);
        if (w->cut_count == before)
            break;
    }
    return 0;
}

// By how much nearer a value lies to the level after a change than to that before; beyond the two it counts as they do.
static double nearer(double value, double before, double after)
{
    const double kept = fmin(fmax(value, fmin(before, after)), fmax(before, after));
    return fabs(kept / 2 - before / 2) - fabs(kept / 2 - after / 2); // halves, so that none is infinite
}

// Move each change to where the values tell it best, by at most the length of a level. Ranks alone misplace it: the
// greatest of twelve low values, right before the change, has the rank next to those of the high ones, however far
// above these lie.
static int settle(work *w)
{
    const size_t reach = w->min_length;
    for (size_t i = 0; i + 1 < w->cut_count; i++) {
        const size_t start = i > 0 ? w->cuts[i - 1] : 0, cut = w->cuts[i], end = w->cuts[i + 1];
        double before, after;
        int status = pc_robust_median(w->values + start, cut - start, &before);
        if (status == 0)
            status = pc_robust_median(w->values + cut, end - cut, &after);
        if (status < 0)
            return status;
        const size_t least = cut - start > 2 * reach ? cut - reach : start + reach;
        const size_t most = end - cut > 2 * reach ? cut + reach : end - reach;
        double cost = 0.0, best = 0.0; // against a change at cut
        for (size_t at = cut; at < most; at++) {
            cost += nearer(w->values[at], before, after);
            if (cost < best) {
                best = cost;
                w->cuts[i] = at + 1;
            }
        }
        cost = 0.0;
        for (size_t at = cut; at > least; at--) {
            cost -= nearer(w->values[at - 1], before, after);
            if (cost < best) {
                best = cost;
                w->cuts[i] = at - 1;
            }
        }
    }
    return 0;
}

// Test the change between the levels start to middle and middle to end.
static int test_change(const work *w, size_t start, size_t middle, size_t end, double factor, pc_level_change *change)
{
    const double *values = w->values;
    pc_rank_test test;
    pc_level_change found = {.index = middle};
    int status = pc_rank_sum(values + start, middle - start, values + middle, end - middle, PC_RANK_NORMAL, &test);
    if (status == 0)
        status = pc_robust_median(values + start, middle - start, &found.before);
    if (status == 0)
        status = pc_robust_median(values + middle, end - middle, &found.after);
    if (status < 0)
        return status;
    found.pvalue = 2.0 * pc_normal_cdf(-fabs(test.z) / sqrt(factor));
    found.magnitude = pc_relative_change(found.before, found.after);
    *change = found;
    return 0;
}

// Test all changes, and drop the one that deserves it least until none does.
static int confirm(work *w, double factor, const pc_levels_options *options, pc_level_change *changes, size_t *count)
{
    size_t first = 0, last = w->cut_count - 1; // which changes to test
    for (;;) {
        for (size_t i = first; i < last; i++) {
            const int status =
                test_change(w, i > 0 ? w->cuts[i - 1] : 0, w->cuts[i], w->cuts[i + 1], factor, &changes[i]);
            if (status < 0)
                return status;
        }
        const size_t left = w->cut_count - 1;
        size_t worst = left;
        for (size_t i = 0; i < left; i++) {
            if (changes[i].pvalue > options->max_pvalue && (worst == left || changes[i].pvalue > changes[worst].pvalue))
                worst = i;
        }
        for (size_t i = 0; worst == left && i < left; i++) {
            if (changes[i].magnitude < options->min_magnitude)
                worst = i;
        }
        if (worst == left) {
            *count = left;
            return 0;
        }
        memmove(changes + worst, changes + worst + 1, (left - worst - 1) * sizeof *changes);
        memmove(w->cuts + worst, w->cuts + worst + 1, (left - worst) * sizeof *w->cuts);
        w->cut_count--;
        first = worst > 0 ? worst - 1 : 0;
        last = worst + 1 < w->cut_count ? worst + 1 : w->cut_count - 1;
    }
}

int pc_levels_find(const double *values, size_t length, const pc_levels_options *options, pc_shuffle **kept,
                   pc_level_change **changes, size_t *count)
{
    assert(options->min_length >= 2);
    if (length >= (size_t)1 << 31)
        return -EOVERFLOW;
    const size_t room = length + 1;
    work w = {.values = values, .length = length, .min_length = options->min_length};
    double *doubles = pc_alloc(4 * room + PC_PARTITION_DOUBLES(length), sizeof *doubles);
    size_t *cuts = pc_alloc(length / options->min_length + 2, sizeof *cuts);
    pc_level_change *found = pc_alloc(length / options->min_length + 2, sizeof *found);
    size_t found_count = 0;
    int status = doubles == NULL || cuts == NULL || found == NULL ? -ENOMEM : 0;
    if (status == 0 && length >= 2 * options->min_length) {
        w.ranks = doubles;
        w.sums = doubles + room;
        w.residuals = doubles + 2 * room;
        w.weights = doubles + 3 * room;
        w.workspace = doubles + 4 * room;
        w.cuts = cuts;
        status = despike(&w);
        if (status == 0)
            status = make_ranks(&w);
        pc_shuffle *own = NULL, **shuffle = kept != NULL ? kept : &own;
        double factor = 1.0;
        if (status == 0)
            status = pc_shuffle_prepare(shuffle, length, options->min_length, options->seed, kept != NULL);
        if (status == 0)
            status = find_levels(&w, options->false_alarm, *shuffle, &factor);
        pc_shuffle_free(own);
        if (status == 0)
            status = settle(&w);
        if (status == 0)
            status = confirm(&w, factor, options, found, &found_count);
    }
    pc_free(doubles);
    pc_free(cuts);
    if (status < 0) {
        pc_free(found);
        return status;
    }
    *changes = found;
    *count = found_count;
    return 0;
}
