// SPDX-License-Identifier: MIT
// A time series of several columns in bounded memory. When it is full, neighbouring slots are merged in pairs, and from
// then on each slot takes twice as many samples: the whole run is kept at an even resolution, and as a slot has the
// least, the greatest and the sum of its samples, no peak is lost. Totals and quantiles are over all samples.
//
// Invariants: all slots but the last hold `stride` samples; length <= capacity, which is even; all memory is allocated
// and touched by init, so that a series does not grow the process that it describes.
// Quantiles come from a histogram whose buckets are 1/128 of their value wide (as HdrHistogram's): the answer is at
// most 0.8 % below the sample of that rank, and exact for whole numbers below 256. Units: the caller's; a NaN is a
// sample that is absent in that column. Thread contract: single owner.
#ifndef PC_SERIES_H
#define PC_SERIES_H

#include "base/pc_common.h"

typedef struct pc_series_cell {
    double min;
    double max;
    double sum;     // of value times weight
    double weight;  // of those samples together
    uint64_t count; // samples that were there; the rest is defined if it is above 0
} pc_series_cell;

typedef struct pc_series {
    size_t columns;
    size_t capacity;
    size_t length;
    uint64_t stride;  // samples of a full slot
    uint64_t filled;  // samples in the last slot
    int64_t *ends_ns; // time of the last sample of each slot
    pc_series_cell *cells;
    pc_series_cell *totals;
    uint32_t *histograms;
} pc_series;

// Make an empty series of `columns` > 0 columns and `capacity` slots, rounded up to an even number of at least 2.
// -ENOMEM.
int pc_series_init(pc_series *series, size_t columns, size_t capacity) PC_NODISCARD;

// Release it; allowed twice, and for a series that is all zero.
void pc_series_clear(pc_series *series);

// Forget all samples, without giving memory back.
void pc_series_reset(pc_series *series);

// Add a sample: for each column a value, neither negative nor infinite, NaN where absent, and its weight in the mean,
// above 0: the time that it stands for.
void pc_series_push(pc_series *series, int64_t time_ns, const double *values, const double *weights);

// The weighted mean of a cell with a count above 0.
static inline double pc_series_mean(const pc_series_cell *cell)
{
    double mean = cell->sum / cell->weight;
    return mean < cell->min ? cell->min : mean > cell->max ? cell->max : mean; // rounding
}

// The slot's cell of a column.
static inline const pc_series_cell *pc_series_at(const pc_series *series, size_t slot, size_t column)
{
    return &series->cells[slot * series->columns + column];
}

// The quantile (0 to 1) of all samples of a column; NaN if there are none.
double pc_series_quantile(const pc_series *series, size_t column, double quantile);

#endif
