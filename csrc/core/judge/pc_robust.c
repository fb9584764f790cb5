// SPDX-License-Identifier: MIT
// MAD, autocorrelation, Benjamini-Hochberg (see the header).
#include "judge/pc_robust.h"

#include <math.h>

#include "base/pc_alloc.h"
#include "judge/pc_order.h"

static double median_of_sorted(const double *sorted, size_t count)
{
    const double low = sorted[(count - 1) / 2], high = sorted[count / 2];
    return low == high ? low : 0.5 * low + 0.5 * high;
}

int pc_robust_mad(const double *values, size_t count, double *median, double *mad)
{
    if (count == 0)
        return -EINVAL;
    if (count > UINT32_MAX)
        return -EOVERFLOW;
    double *sorted = pc_alloc(count, sizeof *sorted);
    if (sorted == NULL)
        return -ENOMEM;
    int status = pc_order_values(values, count, sorted);
    if (status == 0) {
        const double center = median_of_sorted(sorted, count);
        for (size_t i = 0; i < count; i++)
            sorted[i] = fabs(sorted[i] - center);
        status = pc_order_values(sorted, count, sorted);
        if (status == 0) {
            *median = center;
            *mad = median_of_sorted(sorted, count);
        }
    }
    pc_free(sorted);
    return status;
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
