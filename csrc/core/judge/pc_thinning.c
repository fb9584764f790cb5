// SPDX-License-Identifier: MIT
// Thinning of weak change points (see the header).
#include "judge/pc_thinning.h"

#include <math.h>
#include <string.h>

#include "base/pc_alloc.h"
#include "judge/pc_lesser.h"
#include "judge/pc_special.h"

// Kept results per weak point, and beyond that, from which all are given up.
enum { MOST_KEPT = 4, SPARE_KEPT = 256 };

typedef struct kept_test {
    size_t start, end; // end is 0 in an empty slot
    pc_change change;
} kept_test;

struct pc_thinning {
    double max_pvalue, min_magnitude;
    kept_test *slots; // open addressing, at most half full
    size_t slot_count, kept;
    // Of one run. Positions in `changes` are kept; the living ones are linked.
    pc_change *changes;
    size_t *before, *after; // the living neighbours of each; `count` stands for none
    size_t *tree;           // in each node the living leaf with the greatest p-value, the first of equal ones
    size_t count, leaves, first;
};

int pc_thinning_make(double max_pvalue, double min_magnitude, pc_thinning **thinning)
{
    pc_thinning *made = pc_alloc_zero(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->max_pvalue = max_pvalue;
    made->min_magnitude = min_magnitude;
    *thinning = made;
    return 0;
}

void pc_thinning_free(pc_thinning *thinning)
{
    if (thinning == NULL)
        return;
    pc_free(thinning->slots);
    pc_free(thinning);
}

static double t_test(const pc_part *left, const pc_part *right)
{
    const double df = left->count + right->count - 2.0;
    if (df <= 0.0)
        return 1.0;
    const double pooled = ((left->count - 1.0) * left->variance + (right->count - 1.0) * right->variance) / df;
    const double error = sqrt(pooled * (1.0 / left->count + 1.0 / right->count));
    return pc_student_two_sided(pc_prefix_mean_difference(left, right) / error, df);
}

double pc_thinning_pvalue(const pc_prefix *prefixes, size_t start, size_t middle, size_t end)
{
    const pc_part left = pc_prefix_part(&prefixes[start], &prefixes[middle], middle - start);
    const pc_part right = pc_prefix_part(&prefixes[middle], &prefixes[end], end - middle);
    return t_test(&left, &right);
}

static pc_change test(const pc_thinning_series *series, size_t start, size_t middle, size_t end)
{
    const pc_prefix *prefixes = series->prefixes;
    const pc_part left = pc_prefix_part(&prefixes[start], &prefixes[middle], middle - start);
    const pc_part right = pc_prefix_part(&prefixes[middle], &prefixes[end], end - middle);
    pc_change change = {
        .index = middle,
        .pvalue = t_test(&left, &right),
        .mean_before = series->first + left.mean.high,
        .mean_after = series->first + right.mean.high,
        .stddev_before = sqrt(left.variance),
        .stddev_after = sqrt(right.variance),
    };
    change.magnitude = pc_relative_change(change.mean_before, change.mean_after);
    return change;
}

// The slot of a test, or the empty one where it belongs. There is always an empty one.
static size_t slot_of(const pc_thinning *thinning, size_t start, size_t middle, size_t end)
{
    uint64_t hash = start * UINT64_C(0x9e3779b97f4a7c15) + middle * UINT64_C(0xc2b2ae3d27d4eb4f) + end;
    hash = (hash ^ hash >> 29) * UINT64_C(0x9fb21c651e98df25);
    const size_t mask = thinning->slot_count - 1;
    for (size_t slot = (size_t)(hash >> 32) & mask;; slot = (slot + 1) & mask) {
        const kept_test *kept = &thinning->slots[slot];
        if (kept->end == 0 || (kept->start == start && kept->change.index == middle && kept->end == end))
            return slot;
    }
}

// Make room for one more result.
static int reserve_slot(pc_thinning *thinning)
{
    if (2 * (thinning->kept + 1) <= thinning->slot_count)
        return 0;
    pc_thinning grown = *thinning;
    grown.slot_count = thinning->slot_count > 0 ? 2 * thinning->slot_count : 64;
    grown.slots = pc_alloc_zero(grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < thinning->slot_count; i++) {
        const kept_test *kept = &thinning->slots[i];
        if (kept->end != 0)
            grown.slots[slot_of(&grown, kept->start, kept->change.index, kept->end)] = *kept;
    }
    pc_free(thinning->slots);
    thinning->slots = grown.slots;
    thinning->slot_count = grown.slot_count;
    return 0;
}

// Test the change at a place against its neighbours as they are now.
static int test_change(pc_thinning *thinning, const pc_thinning_series *series, size_t place)
{
    const size_t none = thinning->count, left = thinning->before[place], right = thinning->after[place];
    const size_t start = left == none ? 0 : thinning->changes[left].index;
    const size_t end = right == none ? series->length : thinning->changes[right].index;
    pc_change *change = &thinning->changes[place];
    if (right == none) { // the next append moves this end: nothing to keep
        *change = test(series, start, change->index, end);
        return 0;
    }
    if (reserve_slot(thinning) < 0)
        return -ENOMEM;
    kept_test *kept = &thinning->slots[slot_of(thinning, start, change->index, end)];
    if (kept->end == 0) {
        *kept = (kept_test){.start = start, .end = end, .change = test(series, start, change->index, end)};
        thinning->kept++;
    }
    *change = kept->change;
    return 0;
}

// Which of two leaves wins: the greater p-value, and of equal ones the left. A NaN beats none but those outside.
static size_t winner(const pc_thinning *thinning, size_t left, size_t right)
{
    if (left == thinning->count || right == thinning->count)
        return left == thinning->count ? right : left;
    const double p = thinning->changes[left].pvalue, q = thinning->changes[right].pvalue;
    return q > p || (isnan(p) && !isnan(q)) ? right : left;
}

// Enter a leaf into the tree, alive or not, and let it play.
static void replay(pc_thinning *thinning, size_t place, bool alive)
{
    size_t node = thinning->leaves + place;
    thinning->tree[node] = alive ? place : thinning->count;
    while (node > 1) {
        node /= 2;
        thinning->tree[node] = winner(thinning, thinning->tree[2 * node], thinning->tree[2 * node + 1]);
    }
}

static int remove_change(pc_thinning *thinning, const pc_thinning_series *series, size_t place)
{
    const size_t none = thinning->count, left = thinning->before[place], right = thinning->after[place];
    if (left == none)
        thinning->first = right;
    else
        thinning->after[left] = right;
    if (right != none)
        thinning->before[right] = left;
    replay(thinning, place, false);
    size_t next = right;
    for (int i = 0; i < 2 && next != none; i++, next = thinning->after[next]) {
        if (test_change(thinning, series, next) < 0)
            return -ENOMEM;
        replay(thinning, next, true);
    }
    return 0;
}

// The living change that goes next, or `count`.
static size_t weakest(const pc_thinning *thinning)
{
    const size_t none = thinning->count, first = thinning->first;
    if (first == none)
        return none;
    // A scan for the greatest value that begins at a NaN finds nothing greater.
    const size_t worst = isnan(thinning->changes[first].pvalue) ? first : thinning->tree[1];
    if (!(thinning->changes[worst].pvalue < thinning->max_pvalue))
        return worst;
    size_t least = first;
    for (size_t i = thinning->after[first]; i != none; i = thinning->after[i]) {
        if (thinning->changes[i].magnitude < thinning->changes[least].magnitude)
            least = i;
    }
    return thinning->changes[least].magnitude > thinning->min_magnitude ? none : least;
}

static int thin_out(pc_thinning *thinning, const pc_thinning_series *series)
{
    const size_t count = thinning->count;
    thinning->first = 0;
    for (size_t i = 0; i < count; i++) {
        thinning->before[i] = i > 0 ? i - 1 : count;
        thinning->after[i] = i + 1;
    }
    for (size_t i = 0; i < thinning->leaves; i++) {
        thinning->tree[thinning->leaves + i] = i < count ? i : count;
        if (i < count && test_change(thinning, series, i) < 0)
            return -ENOMEM;
    }
    for (size_t node = thinning->leaves; node-- > 1;)
        thinning->tree[node] = winner(thinning, thinning->tree[2 * node], thinning->tree[2 * node + 1]);
    int status = 0;
    for (size_t place = weakest(thinning); status == 0 && place != count; place = weakest(thinning))
        status = remove_change(thinning, series, place);
    return status;
}

int pc_thinning_run(pc_thinning *thinning, const pc_thinning_series *series, const size_t *weak, size_t weak_count,
                    pc_change **changes, size_t *count)
{
    if (thinning->kept > MOST_KEPT * weak_count + SPARE_KEPT) {
        memset(thinning->slots, 0, thinning->slot_count * sizeof *thinning->slots);
        thinning->kept = 0;
    }
    size_t leaves = 1;
    while (leaves < weak_count)
        leaves *= 2;
    pc_change *found = pc_alloc(weak_count, sizeof *found);
    size_t *links = pc_alloc(2 * weak_count + 2 * leaves, sizeof *links);
    int status = found == NULL || links == NULL ? -ENOMEM : 0;
    if (status == 0) {
        thinning->changes = found;
        thinning->before = links;
        thinning->after = links + weak_count;
        thinning->tree = links + 2 * weak_count;
        thinning->count = weak_count;
        thinning->leaves = leaves;
        for (size_t i = 0; i < weak_count; i++)
            found[i].index = weak[i];
        status = thin_out(thinning, series);
    }
    if (status == 0) {
        size_t alive = 0;
        for (size_t i = thinning->first; i != weak_count; i = thinning->after[i])
            found[alive++] = found[i];
        *count = alive;
        *changes = found;
    } else {
        pc_free(found);
    }
    pc_free(links);
    return status;
}
