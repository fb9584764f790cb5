// SPDX-License-Identifier: MIT
// MAD, autocorrelation, Benjamini-Hochberg (see the header).
#include "judge/pc_robust.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_keys.h"
#include "judge/pc_order.h"

// Doubles as unsigned integers of the same order (and back): the sign bit turned over, of negatives all bits. The two
// zeros are one.
static uint64_t key_of(double value)
{
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}
static double value_of(uint64_t key)
{
    double value;
    key = key >> 63 ? key & ~((uint64_t)1 << 63) : ~key;
    memcpy(&value, &key, sizeof value);
    return value;
}

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
    const double low = value_of(lower), high = value_of(upper);
    return lower == upper ? low : 0.5 * low + 0.5 * high;
}

int pc_robust_median(const double *values, size_t count, double *median)
{
    if (count == 0)
        return -EINVAL;
    uint64_t *keys = pc_alloc(count, sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(values[i]);
    *median = select_median(keys, count);
    pc_free(keys);
    return 0;
}

int pc_robust_mad(const double *values, size_t count, double *median, double *mad)
{
    if (count == 0)
        return -EINVAL;
    uint64_t *keys = pc_alloc(count, sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(values[i]);
    const double center = select_median(keys, count);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_of(fabs(values[i] - center));
    *median = center;
    *mad = select_median(keys, count);
    pc_free(keys);
    return 0;
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
