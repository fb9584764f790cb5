// SPDX-License-Identifier: MIT
// The statistics of one benchmark. The fields that pytest-benchmark has are equal to its own, bit for bit, on finite
// samples: the mean and the standard deviation correctly rounded (pc_exact.h), the total added as Python's sum adds it,
// quartiles and fences by pytest-benchmark's formulas, the sign of a zero as a stable sort leaves it.
// Thread contract: any thread; the samples must not change meanwhile. Units: those of the samples.
#ifndef PC_STATS_H
#define PC_STATS_H

#include "base/pc_common.h"

typedef struct pc_stats_options {
    bool
        compensated_sum; // total: Neumaier's compensated sum, as sum() of Python 3.12 on; otherwise one by one, as 3.11
    bool legacy_hd15iqr; // hd15iqr: of pytest-benchmark before its correction, the first datum above the fence
    double level;        // of the median's confidence interval, between 0 and 1
} pc_stats_options;

typedef struct pc_stats {
    size_t rounds;
    double min, max, mean;
    double stddev; // 0 for one sample; infinity where it exceeds the largest double
    double total;
    double median, q1, q3, iqr;
    size_t iqr_outliers;    // samples outside [q1 - 1.5 iqr, q3 + 1.5 iqr]
    size_t stddev_outliers; // samples outside [mean - stddev, mean + stddev]
    double ld15iqr;         // the lowest sample within the former
    double hd15iqr;         // the highest
    double ops;             // rounds / total, 0 when the total is 0
    // Quantiles by linear interpolation between the samples of rank floor((n - 1) p) and the next (R. J. Hyndman,
    // Y. Fan, "Sample quantiles in statistical packages", 1996, type 7; the default of NumPy and R). p50 is the median.
    double p50, p90, p95, p99, p999;
    double mad; // the median of |sample - median|, not scaled
    // Confidence interval of the median (pc_median_interval.h), and the level that it has; all three are NaN when the
    // samples are too few.
    double median_low, median_high, median_level;
} pc_stats;

// Summarise `length` samples. -EINVAL when there are none, or the level is not between 0 and 1; -EDOM when a sample is
// infinite or not a number; -EOVERFLOW for more than UINT32_MAX samples; -ENOMEM.
int pc_stats_summarize(const double *samples, size_t length, const pc_stats_options *options,
                       pc_stats *stats) PC_NODISCARD;

// The index of the first sample that is infinite or not a number, or `length`.
size_t pc_stats_first_nonfinite(const double *samples, size_t length);

#endif
