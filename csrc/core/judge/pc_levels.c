// SPDX-License-Identifier: MIT
// Robust change points (see the header).
#include "judge/pc_levels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "judge/pc_order.h"
#include "judge/pc_rank_test.h"
#include "judge/pc_robust.h"
#include "judge/pc_special.h"

enum { PERMUTATIONS = 199, MOST_REPEATS = 4 };

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
    double *costs;     // of the best partition up to each point, without the squares
    double *weights;   // for a split after each point
    uint32_t *previous;
    uint32_t *candidates;
    double *lows, *highs; // of each candidate: the means for which it may still be the best start of a level
    size_t *cuts;         // the present changes, then the end
    size_t cut_count;
} work;

static double median_of_five(const double *values)
{
    double five[5] = {0.0};
    for (size_t i = 0; i < 5; i++) {
        size_t place = i;
        for (; place > 0 && five[place - 1] > values[i]; place--)
            five[place] = five[place - 1];
        five[place] = values[i];
    }
    return five[2];
}

// Copy the values into w->residuals with spikes replaced by the median of the five points around them. A spike lies
// further from it than SPIKE times the median such distance, scaled to a standard deviation.
static int despike(work *w)
{
    const size_t n = w->length;
    for (size_t i = 0; i < n; i++) {
        const size_t start = i < 2 ? 0 : i + 3 > n ? n - 5 : i - 2;
        w->costs[i] = n < 5 ? w->values[i] : median_of_five(w->values + start);
        w->residuals[i] = fabs(w->values[i] - w->costs[i]);
    }
    double typical, unused;
    const int status = pc_robust_mad(w->residuals, n, &typical, &unused);
    if (status < 0)
        return status;
    for (size_t i = 0; i < n; i++)
        w->residuals[i] = w->residuals[i] > SPIKE * 1.4826 * typical ? w->costs[i] : w->values[i];
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

// The mean of the squared differences at a lag without the greatest tenth, where the changes are. -ENOMEM.
static int difference_square(work *w, size_t lag, double *mean)
{
    const size_t count = w->length - lag, kept = count - count / 10;
    for (size_t i = 0; i < count; i++) {
        const double difference = w->ranks[i + lag] - w->ranks[i];
        w->residuals[i] = difference * difference;
    }
    const int status = pc_order_values(w->residuals, count, w->residuals);
    *mean = 0.0;
    for (size_t i = 0; i < kept; i++)
        *mean += w->residuals[i] / (double)kept;
    return status;
}

// The first penalty, from the mean squares of differences at lags one and two. Those are 2 v (1 - r) and 2 v (1 - r^2)
// for a first-order autoregression of variance v. 0 for a series without differences.
static int first_penalty(work *w, double *penalty, double *correlation)
{
    // What is left of a normal variance without the greatest tenth of the squares.
    const double trimmed = 0.615;
    double one, two;
    int status = difference_square(w, 1, &one);
    if (status == 0)
        status = difference_square(w, 2, &two);
    if (status < 0)
        return status;
    const double r = one > 0.0 ? fmin(fmax(two / one - 1.0, 0.0), 0.9) : 0.0;
    *correlation = r;
    *penalty = one / (2.0 * trimmed * (1.0 - r)) * inflation(r) * log((double)w->length);
    return 0;
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

// The quantile of the best split's gain over permutations of the residuals; they are left permuted.
static double permuted_gain(work *w, double false_alarm, pc_rng *rng)
{
    double gains[PERMUTATIONS] = {0.0};
    const size_t n = w->length, last = n - w->min_length;
    for (size_t p = 0; p < PERMUTATIONS; p++) {
        double sum = 0.0, best = 0.0;
        for (size_t i = 0; i < last; i++) {
            const size_t other = i + pc_rng_below(rng, (uint32_t)(n - i));
            const double value = w->residuals[other];
            w->residuals[other] = w->residuals[i];
            w->residuals[i] = value;
            const double gain = sum * sum * w->weights[i];
            best = i >= w->min_length && gain > best ? gain : best;
            sum += value;
        }
        size_t place = p;
        for (; place > 0 && gains[place - 1] > best; place--)
            gains[place] = gains[place - 1];
        gains[place] = best;
    }
    const size_t rank = (size_t)ceil((1.0 - false_alarm) * (PERMUTATIONS + 1));
    return gains[rank < PERMUTATIONS ? rank - 1 : PERMUTATIONS - 1];
}

static double part_cost(const work *w, size_t start, size_t end)
{
    const double sum = w->sums[end] - w->sums[start];
    return w->costs[start] - sum * sum / (double)(end - start);
}

// Unlike fmin() and fmax(), which mind NaN, these are single instructions.
static double lesser(double a, double b)
{
    return a < b ? a : b;
}
static double greater(double a, double b)
{
    return a > b ? a : b;
}

// The means for which a level from `start` on costs no more than one from `later` on, whatever follows, widened by
// `slack`. Both costs are quadratic in the mean, and their difference does not depend on what follows. False: none.
static bool rival(const work *w, size_t start, size_t later, double slack, double *low, double *high)
{
    const double length = (double)(later - start), mean = (w->sums[later] - w->sums[start]) / length;
    const double square = mean * mean - (w->costs[start] - w->costs[later]) / length;
    if (square < -slack * slack)
        return false;
    const double half = (square > 0.0 ? sqrt(square) : 0.0) + slack;
    *low = mean - half;
    *high = mean + half;
    return true;
}

// Add a start to the candidates, drop those that it beats for every mean, and leave it out if it is beaten itself.
static size_t add_candidate(work *w, size_t count, size_t later)
{
    const double most = (double)w->length, slack = 1e-5 * most; // more than what is lost by rounding
    double low = -most, high = most;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t start = w->candidates[i];
        double from, to;
        if (!rival(w, start, later, slack, &from, &to))
            continue;
        w->candidates[kept] = (uint32_t)start;
        w->lows[kept] = greater(w->lows[i], from);
        w->highs[kept] = lesser(w->highs[i], to);
        kept += w->lows[kept] <= w->highs[kept];
        // Where the older one is no worse, the new one need not be looked at. Only the ends are cut off: a hole in the
        // middle stays.
        if (from + 2.0 * slack <= low)
            low = greater(low, to - 2.0 * slack);
        if (to - 2.0 * slack >= high)
            high = lesser(high, from + 2.0 * slack);
    }
    if (low > high)
        return kept;
    w->candidates[kept] = (uint32_t)later;
    w->lows[kept] = low;
    w->highs[kept] = high;
    return kept + 1;
}

// The best partition under a penalty, into w->cuts.
static void partition(work *w, double penalty)
{
    const size_t n = w->length, least = w->min_length;
    size_t candidate_count = 0;
    w->costs[0] = -penalty;
    for (size_t end = 1; end <= n; end++) {
        w->costs[end] = DBL_MAX;
        if (end < least)
            continue;
        if (end == least || end >= 2 * least)
            candidate_count = add_candidate(w, candidate_count, end - least);
        double best = DBL_MAX;
        uint32_t from = 0;
        for (size_t i = 0; i < candidate_count; i++) {
            const double cost = part_cost(w, w->candidates[i], end);
            if (cost < best) {
                best = cost;
                from = w->candidates[i];
            }
        }
        w->costs[end] = best + penalty;
        w->previous[end] = from;
    }
    size_t count = 0;
    for (size_t end = n; end > 0; end = w->previous[end])
        w->cuts[count++] = end;
    for (size_t i = 0; i < count / 2; i++) {
        const size_t swap = w->cuts[i];
        w->cuts[i] = w->cuts[count - 1 - i];
        w->cuts[count - 1 - i] = swap;
    }
    w->cut_count = count;
}

// Split into levels; *factor is the inflation by autocorrelation.
static int find_levels(work *w, const pc_levels_options *options, double *factor)
{
    pc_rng rng;
    pc_rng_seed(&rng, options->seed);
    w->cuts[0] = w->length;
    w->cut_count = 1;
    *factor = 1.0;
    double penalty, correlation;
    const int status = first_penalty(w, &penalty, &correlation);
    if (status < 0)
        return status;
    partition(w, penalty);
    for (int i = 0; i < MOST_REPEATS; i++) {
        const size_t before = w->cut_count;
        *factor = residual_inflation(w, correlation);
        const double gain = permuted_gain(w, options->false_alarm, &rng);
        // Residuals of levels that fit exactly ask for no penalty; then none of the levels found is doubtful.
        penalty = gain > 0.0 ? gain * *factor : penalty;
        partition(w, penalty);
        if (w->cut_count == before)
            break;
    }
    return 0;
}

static double relative(double from, double to)
{
    return from == 0.0 ? 0.0 : fabs(to / from - 1.0);
}

// Test the change between the levels start to middle and middle to end.
static int test_change(const work *w, size_t start, size_t middle, size_t end, double factor, pc_level_change *change)
{
    const double *values = w->values;
    pc_rank_test test;
    double unused;
    pc_level_change found = {.index = middle};
    int status = pc_rank_sum(values + start, middle - start, values + middle, end - middle, PC_RANK_NORMAL, &test);
    if (status == 0)
        status = pc_robust_mad(values + start, middle - start, &found.before, &unused);
    if (status == 0)
        status = pc_robust_mad(values + middle, end - middle, &found.after, &unused);
    if (status < 0)
        return status;
    found.pvalue = 2.0 * pc_normal_cdf(-fabs(test.z) / sqrt(factor));
    found.magnitude = fmax(relative(found.before, found.after), relative(found.after, found.before));
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

int pc_levels_find(const double *values, size_t length, const pc_levels_options *options, pc_level_change **changes,
                   size_t *count)
{
    assert(options->min_length >= 2);
    if (length >= (size_t)1 << 31)
        return -EOVERFLOW;
    const size_t room = length + 1;
    work w = {.values = values, .length = length, .min_length = options->min_length};
    double *doubles = pc_alloc(room, 7 * sizeof *doubles + 2 * sizeof(uint32_t));
    size_t *cuts = pc_alloc(length / options->min_length + 2, sizeof *cuts);
    pc_level_change *found = pc_alloc(length / options->min_length + 2, sizeof *found);
    size_t found_count = 0;
    int status = doubles == NULL || cuts == NULL || found == NULL ? -ENOMEM : 0;
    if (status == 0 && length >= 2 * options->min_length) {
        w.ranks = doubles;
        w.sums = doubles + room;
        w.residuals = doubles + 2 * room;
        w.costs = doubles + 3 * room;
        w.weights = doubles + 4 * room;
        w.lows = doubles + 5 * room;
        w.highs = doubles + 6 * room;
        w.previous = (uint32_t *)(void *)(doubles + 7 * room);
        w.candidates = w.previous + room;
        w.cuts = cuts;
        status = despike(&w);
        if (status == 0)
            status = make_ranks(&w);
        double factor;
        if (status == 0)
            status = find_levels(&w, options, &factor);
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
