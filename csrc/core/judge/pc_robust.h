// SPDX-License-Identifier: MIT
// Small statistics that the judge uses beside the tests: the median and the median absolute deviation, the
// autocorrelation of a series, and Benjamini and Hochberg's adjustment of many p-values. Values are finite. Thread
// contract: any thread.
#ifndef PC_ROBUST_H
#define PC_ROBUST_H

#include "base/pc_common.h"

// The median of a sample. -EINVAL: no values; -ENOMEM.
int pc_robust_median(const double *values, size_t count, double *median) PC_NODISCARD;

// The median of a sample and the median distance from it, not scaled (1.4826 times it estimates the standard deviation
// of normal data). -EINVAL: no values; -ENOMEM.
int pc_robust_mad(const double *values, size_t count, double *median, double *mad) PC_NODISCARD;

// The autocorrelation of a series at `lag` < count: the sum of (x_t - mean)(x_(t+lag) - mean) over that of
// (x_t - mean)^2 (G. E. P. Box, G. M. Jenkins, "Time Series Analysis", 1970, section 2.1.5). NaN for a constant series
// or one whose squares overflow.
double pc_robust_autocorrelation(const double *values, size_t count, size_t lag);

// Adjusted p-values: rejecting those of at most q keeps the expected share of false ones among the rejected within q
// (Y. Benjamini, Y. Hochberg, J. R. Statist. Soc. B 57 (1995), 289-300). p-values are in [0, 1]; `adjusted` may be
// `pvalues`. -EOVERFLOW: over 2^32 - 1; -ENOMEM.
int pc_robust_adjust(const double *pvalues, size_t count, double *adjusted) PC_NODISCARD;

#endif
