// SPDX-License-Identifier: MIT
// Hodges-Lehmann estimates (see the header).
#include "judge/pc_shift.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_keys.h"
#include "judge/pc_order.h"
#include "judge/pc_rank_null.h"
#include "judge/pc_special.h"

// All combinations of one sorted sample or two. Both combinations are monotone in each of their values even after
// rounding, which is what lets one pass count.
typedef struct pairs {
    const double *x, *y; // sorted; y is NULL for the means of pairs of x
    size_t n, m;
    uint64_t count;
} pairs;

static double mean_of(double a, double b)
{
    return 0.5 * a + 0.5 * b;
}

// How many combinations are at most v; *next is the least one above it (infinite when there is none).
static uint64_t count_at_most(const pairs *all, double v, double *next)
{
    uint64_t total = 0;
    double above = INFINITY;
    if (all->y != NULL) {
        // As x grows, fewer small values of y keep the difference above v.
        size_t j = 0; // the first y with x - y <= v
        for (size_t i = 0; i < all->n; i++) {
            while (j < all->m && all->x[i] - all->y[j] > v)
                j++;
            total += all->m - j;
            if (j > 0)
                above = fmin(above, all->x[i] - all->y[j - 1]);
        }
    } else {
        size_t j = all->n; // how many values from the least have a mean with x[i] of at most v
        for (size_t i = 0; i < all->n; i++) {
            while (j > 0 && mean_of(all->x[i], all->x[j - 1]) > v)
                j--;
            total += j > i ? j - i : 0;
            const size_t first = j > i ? j : i; // the least partner from i on that is above v
            if (first < all->n)
                above = fmin(above, mean_of(all->x[i], all->x[first]));
        }
    }
    *next = above;
    return total;
}

// The combination of rank `rank` (0 is the least), and the one after it.
static double select_rank(const pairs *all, uint64_t rank, double *following)
{
    const double last = all->x[all->n - 1];
    uint64_t low = pc_keys_of_double(all->y != NULL ? all->x[0] - all->y[all->m - 1] : all->x[0]);
    uint64_t high = pc_keys_of_double(all->y != NULL ? last - all->y[0] : last);
    double next;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (count_at_most(all, pc_keys_to_double(middle), &next) > rank)
            high = middle;
        else
            low = pc_keys_of_double(next); // nothing lies between, so that the bisection jumps ahead
    }
    const double value = pc_keys_to_double(low) + 0.0; // no negative zero
    const uint64_t at_most = count_at_most(all, value, &next);
    *following = at_most > rank + 1 ? value : next;
    return value;
}

static double median_of(const pairs *all)
{
    double following;
    const double value = select_rank(all, (all->count - 1) / 2, &following);
    return all->count % 2 ? value : mean_of(value, following);
}

static pairs means_of(const double *sorted, size_t n)
{
    return (pairs){.x = sorted, .y = NULL, .n = n, .m = n, .count = (uint64_t)n * (n + 1) / 2};
}

// The interval between the k-th least and the k-th greatest combination; k = 0 leaves it infinite.
static void fill_interval(const pairs *all, uint64_t k, double level, pc_shift *result)
{
    *result = (pc_shift){.estimate = median_of(all), .low = -INFINITY, .high = INFINITY, .level = 1.0};
    if (k == 0)
        return;
    double unused;
    result->low = select_rank(all, k - 1, &unused);
    result->high = select_rank(all, all->count - k, &unused);
    result->level = level;
}

// k by the normal approximation with half a unit for continuity.
static uint64_t approximate_k(double mean, double variance, double level)
{
    const double k = floor(mean + 0.5 + pc_normal_quantile(0.5 * (1.0 - level)) * sqrt(variance));
    return k > 0.0 ? (uint64_t)k : 0;
}

static uint64_t exact_k(pc_rank_null *null, uint64_t greatest, double *level)
{
    double tail;
    uint64_t k = pc_rank_null_critical(null, 0.5 * (1.0 - *level), &tail);
    pc_rank_null_free(null);
    *level = 1.0 - 2.0 * tail;
    return k <= (greatest + 1) / 2 ? k : (greatest + 1) / 2; // never past the median
}

static const size_t MOST_VALUES = (size_t)1 << 31;

int pc_shift_two_sample(const double *x, size_t n, const double *y, size_t m, double level, pc_shift *result)
{
    assert(level > 0.0 && level < 1.0);
    if (n == 0 || m == 0)
        return -EINVAL;
    if (n >= MOST_VALUES || m >= MOST_VALUES)
        return -EOVERFLOW;
    double *sorted = pc_alloc(n + m, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    const pairs all = {.x = sorted, .y = sorted + n, .n = n, .m = m, .count = (uint64_t)n * m};
    pc_rank_null *null = NULL;
    int status = pc_order_values(x, n, sorted);
    if (status == 0)
        status = pc_order_values(y, m, sorted + n);
    const bool exact = pc_rank_null_has_sum(n, m);
    if (status == 0 && exact)
        status = pc_rank_null_sum(n, m, &null);
    if (status == 0) {
        const double nm = (double)all.count;
        const uint64_t k =
            exact ? exact_k(null, all.count, &level) : approximate_k(0.5 * nm, nm * (double)(n + m + 1) / 12.0, level);
        fill_interval(&all, k, level, result);
    }
    pc_free(sorted);
    return status;
}

int pc_shift_one_sample(const double *x, size_t n, double level, pc_shift *result)
{
    assert(level > 0.0 && level < 1.0);
    if (n == 0)
        return -EINVAL;
    if (n >= MOST_VALUES)
        return -EOVERFLOW;
    double *sorted = pc_alloc(n, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    const pairs all = means_of(sorted, n);
    const uint64_t count = all.count;
    int status = pc_order_values(x, n, sorted);
    if (status == 0) {
        uint64_t k;
        if (n <= PC_RANK_NULL_SIGNED) {
            // Without ties W is a whole number: the undoubled ranks count it directly.
            uint32_t ranks[PC_RANK_NULL_SIGNED];
            for (size_t i = 0; i < n; i++)
                ranks[i] = (uint32_t)i + 1;
            pc_rank_null *null;
            status = pc_rank_null_signed(ranks, n, &null);
            k = status == 0 ? exact_k(null, count, &level) : 0;
        } else {
            const double dn = (double)n;
            k = approximate_k(0.5 * (double)count, dn * (dn + 1.0) * (2.0 * dn + 1.0) / 24.0, level);
        }
        if (status == 0)
            fill_interval(&all, k, level, result);
    }
    pc_free(sorted);
    return status;
}

double pc_shift_center(const double *sorted, size_t n)
{
    assert(n > 0 && n < MOST_VALUES);
    const pairs all = means_of(sorted, n);
    return median_of(&all);
}
