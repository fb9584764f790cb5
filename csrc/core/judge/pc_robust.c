// SPDX-License-Identifier: MIT
// MAD, autocorrelation, Benjamini-Hochberg (see the header).
#include "judge/pc_robust.h"

#include <math.h>

#include "base/pc_alloc.h"
#include "judge/pc_keys.h"
#include "judge/pc_order.h"

// The median of `count` > 0 values by their keys, which are put partly in order.
static double select_median(uint64_t *keys, size_t count)
{
    const size_t middle = count / 2;
    const uint64_t upper = pc_keys_select(keys, count, middle);
    uint64_t lower = upper;
    if (count % 2 == 0) {
        lower = keys[0];
        for (size_t i = 1; i < middle; i++)
            lower = keys[i] > lower ? keys[i] : lower;
    }
    const double low = pc_keys_to_double(lower), high = pc_keys_to_double(upper);
    return lower == upper ? low : 0.5 * low + 0.5 * high;
}

// The median of the values and, where `mad` is not NULL, their median distance from it.
static int find(const double *values, size_t count, double *median, double *mad)
{
    if (count == 0)
        return -EINVAL;
    uint64_t *keys = pc_alloc(count, sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = pc_keys_of_double(values[i] + 0.0); // the two zeros are one
    const double center = select_median(keys, count);
    if (mad != NULL) {
        for (size_t i = 0; i < count; i++)
            keys[i] = pc_keys_of_double(fabs(values[i] - center));
        *mad = select_median(keys, count);
    }
    *median = center;
    pc_free(keys);
    return 0;
}

int pc_robust_median(const double *values, size_t count, double *median)
{
    return find(values, count, median, NULL);
}

int pc_robust_mad(const double *values, size_t count, double *median, double *mad)
{
    return find(values, count, median, mad);
}

double pc_robust_autocorrelation(const double *values, size_t count, size_t lag)
{
    assert(lag < count);
    double mean = 0.0;
    bool constant = true;
    for (size_t i = 0; i < count; i++) {
        mean += (values[i] - mean) / (double)(i + 1);
        constant = constant && values[i] == values[0];
    }
    double squares = 0.0, products = 0.0;
    for (size_t i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        if (i + lag < count)
            products += (values[i] - mean) * (values[i + lag] - mean);
    }
    return constant || !isfinite(squares) ? (double)NAN : products / squares;
}

int pc_robust_adjust(const double *pvalues, size_t count, double *adjusted)
{
    if (count > UINT32_MAX)
        return -EOVERFLOW;
    pc_ordered *items = pc_alloc(count, 2 * sizeof *items);
    if (items == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        items[i] = (pc_ordered){.value = pvalues[i], .index = (uint32_t)i};
    const pc_ordered *sorted = pc_order_sort(items, items + count, count);
    double least = 1.0;
    for (size_t i = count; i-- > 0;) {
        least = fmin(least, sorted[i].value * ((double)count / (double)(i + 1)));
        adjusted[sorted[i].index] = least;
    }
    pc_free(items);
    return 0;
}
