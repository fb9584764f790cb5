// SPDX-License-Identifier: MIT
// Prefix sums in double-double (see the header).
#include "judge/pc_prefix.h"

static pc_wide two_sum(double a, double b)
{
    const double sum = a + b, part = sum - a;
    return (pc_wide){sum, (a - (sum - part)) + (b - part)};
}

static pc_wide quick_sum(double a, double b) // |a| >= |b|
{
    const double sum = a + b;
    return (pc_wide){sum, b - (sum - a)};
}

static pc_wide two_square(double a)
{
    const double product = a * a, scaled = a * 134217729.0; // 2^27 + 1
    const double high = scaled - (scaled - a), low = a - high;
    return (pc_wide){product, ((high * high - product) + 2.0 * high * low) + low * low};
}

static pc_wide add(pc_wide a, pc_wide b)
{
    pc_wide sum = two_sum(a.high, b.high);
    const pc_wide rest = two_sum(a.low, b.low);
    sum = quick_sum(sum.high, sum.low + rest.high);
    return quick_sum(sum.high, sum.low + rest.low);
}

static pc_wide subtract(pc_wide a, pc_wide b)
{
    return add(a, (pc_wide){-b.high, -b.low});
}

static pc_wide square(pc_wide a)
{
    const pc_wide high = two_square(a.high);
    return quick_sum(high.high, high.low + 2.0 * a.high * a.low);
}

static pc_wide two_product(double a, double b)
{
    const double product = a * b, a_scaled = a * 134217729.0, b_scaled = b * 134217729.0;
    const double a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    const double a_low = a - a_high, b_low = b - b_high;
    return (pc_wide){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

static pc_wide divide(pc_wide a, double b)
{
    const double quotient = a.high / b;
    const pc_wide rest = subtract(a, two_product(quotient, b));
    return quick_sum(quotient, rest.high / b);
}

pc_prefix pc_prefix_add(pc_prefix before, double value, double first)
{
    const pc_wide distance = two_sum(value, -first);
    return (pc_prefix){.sum = add(before.sum, distance), .squares = add(before.squares, square(distance))};
}

pc_part pc_prefix_part(const pc_prefix *begin, const pc_prefix *end, size_t count)
{
    const double n = (double)count;
    const pc_wide mean = divide(subtract(end->sum, begin->sum), n);
    const pc_wide spread = subtract(divide(subtract(end->squares, begin->squares), n), square(mean));
    return (pc_part){.mean = mean, .variance = spread.high > 0.0 && count > 1 ? spread.high : 0.0, .count = n};
}

double pc_prefix_mean_difference(const pc_part *a, const pc_part *b)
{
    return subtract(a->mean, b->mean).high;
}
