// SPDX-License-Identifier: MIT
// Optimal partitioning (see the header).
#include "judge/pc_partition.h"

#include <float.h>
#include <math.h>

#include "judge/pc_lesser.h"

// The arrays of a loop do not overlap.
#if defined(__GNUC__) && !defined(__clang__)
#define PC_INDEPENDENT _Pragma("GCC ivdep")
#else
#define PC_INDEPENDENT
#endif

// Comparing a new start with all others costs more than to compute a total: every fourth one is compared, by which the
// candidates become twice as many and the whole a quarter faster.
enum { LOOK_EVERY = 4 };

// The starts that the last level may still have, the oldest first; and room to compute something for each.
typedef struct candidates {
    size_t count;
    double *starts;       // where, a whole number
    double *sums, *costs; // there
    double *lows, *highs; // the means for which it may be the best start
    double *first, *second, *third;
} candidates;

typedef struct partition {
    const double *sums;
    double *costs;      // of the best partition up to each point, without the squares
    uint32_t *previous; // where its last level begins
    candidates from;
} partition;

// Compute for each candidate the means for which a level from there on costs no more than one from `later` on,
// whatever follows: those within sqrt(square) of `mean`, none where the square is negative. Both costs are quadratic in
// the mean, and their difference does not depend on what follows.
static void compare_starts(const candidates *from, double later, double sum, double cost)
{
    const double *starts = from->starts, *sums = from->sums, *costs = from->costs;
    double *means = from->first, *squares = from->second, *roots = from->third;
    PC_INDEPENDENT
    for (size_t i = 0; i < from->count; i++) {
        const double share = 1.0 / (later - starts[i]);
        const double mean = (sum - sums[i]) * share;
        const double square = mean * mean - (costs[i] - cost) * share;
        means[i] = mean;
        squares[i] = square;
        // Of zero where it is negative. A float's precision is enough: `slack` below is a hundred times what it loses
        // of a root that reaches into the range of the values.
        roots[i] = (double)sqrtf((float)(0.5 * (square + fabs(square))));
    }
}

// Add a start to the candidates; if `look`, drop those that it beats for every mean, and leave it out if it is beaten
// itself.
static void add_candidate(partition *p, size_t length, size_t later, bool look)
{
    candidates *from = &p->from;
    const double most = (double)length, slack = 1e-5 * most; // more than what is lost by rounding
    const double sum = p->sums[later], cost = p->costs[later];
    const double none = -slack * slack;
    double low = -most, high = most;
    size_t kept = look ? 0 : from->count;
    if (look)
        compare_starts(from, (double)later, sum, cost);
    for (size_t i = 0; look && i < from->count; i++) {
        if (from->second[i] < none)
            continue;
        const double half = from->third[i] + slack;
        const double least = from->first[i] - half, greatest = from->first[i] + half;
        const double from_low = pc_greater(from->lows[i], least), to_high = pc_lesser(from->highs[i], greatest);
        if (from_low <= to_high) {
            if (kept != i) {
                from->starts[kept] = from->starts[i];
                from->sums[kept] = from->sums[i];
                from->costs[kept] = from->costs[i];
            }
            from->lows[kept] = from_low;
            from->highs[kept] = to_high;
            kept++;
        }
        // Where the older one is no worse, the new one need not be looked at. Only the ends are cut off: a hole in the
        // middle stays. Few of the older ones cut anything off, so these are branches and no chain of selections.
        const double bottom = least + 2.0 * slack, top = greatest - 2.0 * slack;
        if (PC_UNLIKELY(bottom <= low && top > low))
            low = top;
        if (PC_UNLIKELY(top >= high && bottom < high))
            high = bottom;
    }
    if (low <= high) {
        from->starts[kept] = (double)later;
        from->sums[kept] = sum;
        from->costs[kept] = cost;
        from->lows[kept] = low;
        from->highs[kept] = high;
        kept++;
    }
    from->count = kept;
}

// Find the best start of a level that ends at `end`, and what the partition then costs.
static void close_level(partition *p, size_t end, double penalty)
{
    const candidates *from = &p->from;
    const double *starts = from->starts, *sums = from->sums, *costs = from->costs;
    double *totals = from->first;
    const double here = (double)end, sum = p->sums[end];
    PC_INDEPENDENT
    for (size_t i = 0; i < from->count; i++) {
        const double part = sum - sums[i];
        totals[i] = costs[i] - part * part / (here - starts[i]);
    }
    // First the least, in four chains that do not wait for each other, then the first one that has it.
    double least[4] = {DBL_MAX, DBL_MAX, DBL_MAX, DBL_MAX};
    size_t at = 0;
    for (; at + 4 <= from->count; at += 4) {
        for (size_t i = 0; i < 4; i++)
            least[i] = pc_lesser(totals[at + i], least[i]);
    }
    for (; at < from->count; at++)
        least[0] = pc_lesser(totals[at], least[0]);
    const double best = pc_lesser(pc_lesser(least[0], least[1]), pc_lesser(least[2], least[3]));
    size_t chosen = 0;
    while (chosen + 1 < from->count && totals[chosen] != best)
        chosen++;
    p->costs[end] = best + penalty;
    p->previous[end] = (uint32_t)starts[chosen];
}

size_t pc_partition_find(const double *sums, size_t length, size_t least, double penalty, double *workspace,
                         size_t *cuts)
{
    const size_t room = length + 1;
    partition p = {
        .sums = sums,
        .costs = workspace,
        .from = {.starts = workspace + room,
                 .sums = workspace + 2 * room,
                 .costs = workspace + 3 * room,
                 .lows = workspace + 4 * room,
                 .highs = workspace + 5 * room,
                 .first = workspace + 6 * room,
                 .second = workspace + 7 * room,
                 .third = workspace + 8 * room},
        .previous = (uint32_t *)(void *)(workspace + 9 * room),
    };
    assert(least >= 1 && least <= length);
    p.costs[0] = -penalty;
    for (size_t end = 1; end <= length; end++) {
        p.costs[end] = DBL_MAX;
        if (end < least)
            continue;
        if (end == least || end >= 2 * least)
            add_candidate(&p, length, end - least, end % LOOK_EVERY == 0);
        close_level(&p, end, penalty);
    }
    size_t count = 0;
    for (size_t end = length; end > 0; end = p.previous[end])
        cuts[count++] = end;
    for (size_t i = 0; i < count / 2; i++) {
        const size_t swap = cuts[i];
        cuts[i] = cuts[count - 1 - i];
        cuts[count - 1 - i] = swap;
    }
    return count;
}
