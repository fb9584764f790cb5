// SPDX-License-Identifier: MIT
// The lesser and the greater of two numbers, and by how much one changes to another. Unlike fmin() and fmax(), which
// mind NaN, the first two are single instructions. Thread contract: any thread.
#ifndef PC_LESSER_H
#define PC_LESSER_H

#include <math.h>

#include "base/pc_common.h"

static inline double pc_lesser(double a, double b)
{
    return a < b ? a : b;
}

static inline double pc_greater(double a, double b)
{
    return a > b ? a : b;
}

// The relative change from one to the other, whichever way it is greater; a change from 0 is none.
static inline double pc_relative_change(double a, double b)
{
    const double forward = a == 0.0 ? 0.0 : fabs(b / a - 1.0);
    const double backward = b == 0.0 ? 0.0 : fabs(a / b - 1.0);
    return pc_greater(forward, backward);
}

#endif
