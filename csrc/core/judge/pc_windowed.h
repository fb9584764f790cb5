// SPDX-License-Identifier: MIT
// Change points of a series by windowed E-divisive means: the method of Hunter, now Apache Otava.
//
// Method: a window slides over the series. In it the split (tau, kappa) with the greatest energy distance is sought
// (D. S. Matteson, N. A. James, J. Amer. Statist. Assoc. 109 (2014), 334-345), kept if a t-test of its two sides has a
// p-value of at most ten times the wanted one, and the parts are split again. The weak points so found are then
// thinned: the least significant one goes, its right neighbours are tested again, until all are below the wanted
// p-value; then the smallest changes go, down to the wanted magnitude (M. Fleming, P. Kolaczkowski, I. Kumar, S. Das,
// S. McCarthy, P. Pattabhiraman, H. Ingo, "Hunter: Using Change Point Detection to Hunt for Performance Regressions",
// ICPE 2023, 199-206). To give the same change points as Otava 0.8, sums of a window are taken in its order, the t-test
// uses the standard deviations of populations, and the left neighbour of a removed point is not tested again.
//
// Means and variances of any part come from prefix sums in double-double, so that testing takes constant time and a
// series of constants has no noise. Windows that later points cannot alter are searched once, and tests are kept
// (pc_thinning.h): after an append only the last few windows are searched, and what they touch is tested.
// Memory: 72 bytes a point, about 200 a weak change point and 32 times the square of the window. Thread contract:
// single owner.
#ifndef PC_WINDOWED_H
#define PC_WINDOWED_H

#include "base/pc_common.h"

enum { PC_WINDOWED_LEAST = 2, PC_WINDOWED_MOST = 1000 };

typedef struct pc_windowed_options {
    size_t window;        // points, PC_WINDOWED_LEAST to PC_WINDOWED_MOST
    double max_pvalue;    // 0 < max_pvalue <= 1
    double min_magnitude; // relative change from which a point counts, 0 <= min_magnitude
} pc_windowed_options;

typedef struct pc_change {
    size_t index; // of the first point after the change
    double pvalue;
    double mean_before, mean_after;     // from the last change, up to the next one
    double stddev_before, stddev_after; // of populations
    double magnitude;                   // the greater relative change, forwards or backwards
} pc_change;

typedef struct pc_windowed pc_windowed;

// Make an empty series to be searched. -ENOMEM.
int pc_windowed_make(const pc_windowed_options *options, pc_windowed **series) PC_NODISCARD;

// Release it; NULL is allowed.
void pc_windowed_free(pc_windowed *series);

// How many points it has.
size_t pc_windowed_length(const pc_windowed *series);

// Add points at its end: all of them, or none. -EDOM: one is not finite; -ERANGE: one is past 1e150, where squares
// overflow; -ENOMEM.
int pc_windowed_append(pc_windowed *series, const double *values, size_t count) PC_NODISCARD;

// Find the change points, in ascending order, in an array for pc_free. -ENOMEM.
int pc_windowed_find(pc_windowed *series, pc_change **changes, size_t *count) PC_NODISCARD;

#endif
