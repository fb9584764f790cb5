// SPDX-License-Identifier: MIT
// Rank-sum and signed-rank tests (see the header).
#include "judge/pc_rank_test.h"

#include <math.h>

#include "base/pc_alloc.h"
#include "judge/pc_order.h"
#include "judge/pc_rank_null.h"
#include "judge/pc_special.h"

static const size_t MOST_VALUES = (size_t)1 << 31; // doubled ranks fit 32 bits

static double twice(double less, double greater)
{
    return fmin(1.0, 2.0 * fmin(less, greater));
}

// P-values by enumeration; `sum` is the statistic in the distribution's units, which end at `greatest`.
static void fill_exact(const pc_rank_null *null, uint64_t sum, uint64_t greatest, pc_rank_test *result)
{
    result->less = pc_rank_null_at_most(null, sum);
    result->greater = pc_rank_null_at_most(null, greatest - sum); // symmetric
    result->two_sided = twice(result->less, result->greater);
    result->z = NAN;
}

static void fill_normal(double statistic, double mean, double variance, pc_rank_test *result)
{
    if (variance <= 0.0) { // all values are equal: no arrangement differs from another
        result->less = result->greater = result->two_sided = 1.0;
        result->z = 0.0;
        return;
    }
    const double sd = sqrt(variance), distance = statistic - mean;
    result->less = pc_normal_cdf((distance + 0.5) / sd);
    result->greater = pc_normal_cdf(-(distance - 0.5) / sd);
    result->two_sided = twice(result->less, result->greater);
    result->z = copysign(fmax(0.0, fabs(distance) - 0.5), distance) / sd;
}

// Room for the items, the sort's scratch and the ranks of `count` values.
static pc_ordered *make_room(size_t count, uint32_t **ranks)
{
    pc_ordered *items = pc_alloc(count, 2 * sizeof *items + sizeof **ranks);
    if (items != NULL)
        *ranks = (uint32_t *)(void *)(items + 2 * count);
    return items;
}

int pc_rank_sum(const double *x, size_t n, const double *y, size_t m, pc_rank_method method, pc_rank_test *result)
{
    if (n == 0 || m == 0)
        return -EINVAL;
    if (n >= MOST_VALUES || m >= MOST_VALUES - n)
        return -EOVERFLOW;
    const size_t count = n + m;
    uint32_t *ranks;
    pc_ordered *items = make_room(count, &ranks);
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        items[i] = (pc_ordered){.value = i < n ? x[i] : y[i - n], .index = (uint32_t)i};
    const double ties = pc_order_ranks(pc_order_sort(items, items + count, count), count, ranks);
    uint64_t doubled = 0;
    for (size_t i = 0; i < n; i++)
        doubled += ranks[i];
    pc_free(items);
    doubled -= (uint64_t)n * (n + 1); // 2 U

    pc_rank_test found = {.statistic = 0.5 * (double)doubled, .count = count};
    const bool exact = ties == 0.0 && pc_rank_null_has_sum(n, m);
    if (method == PC_RANK_EXACT && !exact)
        return -ERANGE;
    const double dn = (double)n, dm = (double)m, dc = (double)count;
    if (exact && method != PC_RANK_NORMAL) {
        pc_rank_null *null;
        if (pc_rank_null_sum(n, m, &null) < 0)
            return -ENOMEM;
        fill_exact(null, doubled / 2, (uint64_t)n * m, &found);
        pc_rank_null_free(null);
    } else {
        const double variance = dn * dm / 12.0 * (dc + 1.0 - ties / (dc * (dc - 1.0)));
        fill_normal(found.statistic, 0.5 * dn * dm, variance, &found);
    }
    *result = found;
    return 0;
}

int pc_signed_rank(const double *differences, size_t length, pc_rank_method method, pc_rank_test *result)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += differences[i] != 0.0;
    if (count == 0)
        return -EINVAL;
    if (count >= MOST_VALUES)
        return -EOVERFLOW;
    if (method == PC_RANK_EXACT && count > PC_RANK_NULL_SIGNED)
        return -ERANGE;
    uint32_t *ranks;
    pc_ordered *items = make_room(count, &ranks);
    if (items == NULL)
        return -ENOMEM;
    size_t filled = 0;
    for (size_t i = 0; i < length; i++) {
        if (differences[i] != 0.0) {
            items[filled] = (pc_ordered){.value = fabs(differences[i]), .index = (uint32_t)filled};
            filled++;
        }
    }
    const double ties = pc_order_ranks(pc_order_sort(items, items + count, count), count, ranks);
    uint64_t doubled = 0, all = 0;
    filled = 0;
    for (size_t i = 0; i < length; i++) {
        if (differences[i] != 0.0) {
            doubled += differences[i] > 0.0 ? ranks[filled] : 0;
            all += ranks[filled++];
        }
    }
    pc_rank_test found = {.statistic = 0.5 * (double)doubled, .count = count};
    int status = 0;
    if (method != PC_RANK_NORMAL && count <= PC_RANK_NULL_SIGNED) {
        pc_rank_null *null;
        status = pc_rank_null_signed(ranks, count, &null);
        if (status == 0) {
            fill_exact(null, doubled, all, &found);
            pc_rank_null_free(null);
        }
    } else {
        const double n = (double)count;
        fill_normal(found.statistic, 0.25 * (double)all, (n * (n + 1.0) * (2.0 * n + 1.0) - 0.5 * ties) / 24.0, &found);
    }
    pc_free(items);
    if (status == 0)
        *result = found;
    return status;
}
