// SPDX-License-Identifier: MIT
// A time series in bounded memory (see the header).
#include "measure/pc_series.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"

// A bucket is the exponent of a double, from 2^-10 to 2^54, and the first 7 bits of its fraction.
enum { FRACTION_BITS = 7, LOWEST_EXPONENT = 1023 - 10, EXPONENTS = 64, BUCKETS = EXPONENTS << FRACTION_BITS };

int pc_series_init(pc_series *series, size_t columns, size_t capacity)
{
    assert(columns > 0);
    if (capacity > SIZE_MAX / 2 / sizeof(pc_series_cell) / columns)
        return -ENOMEM;
    capacity = capacity < 2 ? 2 : capacity + capacity % 2;
    pc_series made = {.columns = columns, .capacity = capacity};
    made.ends_ns = pc_alloc(capacity, sizeof *made.ends_ns);
    made.cells = pc_alloc(capacity * columns, sizeof *made.cells);
    made.totals = pc_alloc(columns, sizeof *made.totals);
    made.histograms = pc_alloc(columns * BUCKETS, sizeof *made.histograms);
    if (made.ends_ns == NULL || made.cells == NULL || made.totals == NULL || made.histograms == NULL) {
        pc_series_clear(&made);
        return -ENOMEM;
    }
    pc_series_reset(&made);
    *series = made;
    return 0;
}

void pc_series_clear(pc_series *series)
{
    pc_free(series->ends_ns);
    pc_free(series->cells);
    pc_free(series->totals);
    pc_free(series->histograms);
    *series = (pc_series){0};
}

void pc_series_reset(pc_series *series)
{
    series->length = 0;
    series->stride = 1;
    series->filled = 1;
    memset(series->ends_ns, 0, series->capacity * sizeof *series->ends_ns);
    memset(series->cells, 0, series->capacity * series->columns * sizeof *series->cells);
    memset(series->totals, 0, series->columns * sizeof *series->totals);
    memset(series->histograms, 0, series->columns * BUCKETS * sizeof *series->histograms);
}

static void merge(pc_series_cell *into, const pc_series_cell *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    into->min = fmin(into->min, from->min);
    into->max = fmax(into->max, from->max);
    into->sum += from->sum;
    into->weight += from->weight;
    into->count += from->count;
}

static void halve(pc_series *series)
{
    size_t row = series->columns;
    for (size_t slot = 0; slot < series->length / 2; slot++) {
        series->ends_ns[slot] = series->ends_ns[2 * slot + 1];
        for (size_t column = 0; column < row; column++) {
            pc_series_cell cell = series->cells[2 * slot * row + column];
            merge(&cell, &series->cells[(2 * slot + 1) * row + column]);
            series->cells[slot * row + column] = cell;
        }
    }
    series->length /= 2;
    series->stride *= 2;
    series->filled = series->stride;
}

static size_t bucket_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t key = bits >> (52 - FRACTION_BITS);
    uint64_t first = (uint64_t)LOWEST_EXPONENT << FRACTION_BITS;
    if (value <= 0.0 || key < first)
        return 0;
    return key - first < BUCKETS ? (size_t)(key - first) : BUCKETS - 1;
}

static double bucket_floor(size_t bucket)
{
    uint64_t bits = ((uint64_t)bucket + ((uint64_t)LOWEST_EXPONENT << FRACTION_BITS)) << (52 - FRACTION_BITS);
    double value;
    memcpy(&value, &bits, sizeof value);
    return bucket == 0 ? 0.0 : value;
}

void pc_series_push(pc_series *series, int64_t time_ns, const double *values, const double *weights)
{
    if (series->filled == series->stride) {
        if (series->length == series->capacity)
            halve(series);
        memset(&series->cells[series->length * series->columns], 0, series->columns * sizeof *series->cells);
        series->length++;
        series->filled = 0;
    }
    size_t slot = series->length - 1;
    series->filled++;
    series->ends_ns[slot] = time_ns;
    for (size_t column = 0; column < series->columns; column++) {
        double value = values[column];
        if (isnan(value))
            continue;
        const pc_series_cell one = {value, value, value * weights[column], weights[column], 1};
        merge(&series->cells[slot * series->columns + column], &one);
        merge(&series->totals[column], &one);
        uint32_t *seen = &series->histograms[column * BUCKETS + bucket_of(value)];
        *seen += *seen < UINT32_MAX;
    }
}

double pc_series_quantile(const pc_series *series, size_t column, double quantile)
{
    const pc_series_cell *total = &series->totals[column];
    if (total->count == 0)
        return (double)NAN;
    const uint32_t *histogram = &series->histograms[column * BUCKETS];
    double rank = ceil(quantile * (double)total->count); // the nearest-rank definition, from 1
    double seen = 0.0;
    size_t bucket = 0;
    for (; bucket < BUCKETS - 1; bucket++) {
        seen += histogram[bucket];
        if (seen >= rank && seen > 0.0)
            break;
    }
    return fmin(fmax(bucket_floor(bucket), total->min), total->max);
}
