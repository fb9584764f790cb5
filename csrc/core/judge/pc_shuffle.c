// SPDX-License-Identifier: MIT
// Permutations and their gains (see the header).
#include "judge/pc_shuffle.h"

#include <string.h>

#include "base/pc_alloc.h"
#include "base/pc_rng.h"
#include "judge/pc_lesser.h"

enum { LANES = 4, GROUPS = (PC_SHUFFLE_COUNT + LANES - 1) / LANES };

struct pc_shuffle {
    size_t length, least;
    uint64_t seed;
    pc_rng rng;       // after what was drawn
    unsigned next;    // the round to come
    double *shuffled; // where nothing is kept: the values; else NULL
    // Where the orders are kept:
    uint32_t *order;                     // what was drawn last left it so
    unsigned drawn;                      // rounds
    uint32_t *rounds[PC_SHUFFLE_ROUNDS]; // of each group, for each place, which value each lane has there
};

// How many numbers a group has: the last values of a permutation are in no split.
static size_t group_size(const pc_shuffle *self)
{
    return LANES * (self->length - self->least);
}

// Draw which value comes to `at`: one of those from there on.
static inline size_t draw(pc_rng *rng, size_t at, size_t count)
{
    return at + pc_rng_below(rng, (uint32_t)(count - at));
}

// Draw the permutations of a round and sum them at once.
static void draw_gains(pc_shuffle *self, const double *weights, double gains[PC_SHUFFLE_COUNT])
{
    const size_t count = self->length, first = self->least, last = count - first;
    double *values = self->shuffled;
    pc_rng rng = self->rng; // a copy of its own stays in registers
    for (size_t p = 0; p < PC_SHUFFLE_COUNT; p++) {
        double sum = 0.0, best = 0.0;
        for (size_t i = 0; i < last; i++) {
            if (i >= first)
                best = pc_greater(sum * sum * weights[i], best);
            const size_t other = draw(&rng, i, count);
            const double value = values[other];
            values[other] = values[i];
            values[i] = value;
            sum += value;
        }
        gains[p] = best;
    }
    self->rng = rng;
}

// Draw the permutations of a group, of which the last one may have fewer than LANES.
static void draw_group(pc_shuffle *self, size_t lanes, uint32_t *group)
{
    const size_t count = self->length, places = count - self->least;
    uint32_t *order = self->order;
    pc_rng rng = self->rng;
    for (size_t lane = 0; lane < LANES; lane++) {
        for (size_t at = 0; lane < lanes && at < places; at++) {
            const size_t other = draw(&rng, at, count);
            const uint32_t which = order[other];
            order[other] = order[at];
            order[at] = which;
            group[LANES * at + lane] = which;
        }
        for (size_t at = 0; lane >= lanes && at < places; at++)
            group[LANES * at + lane] = 0;
    }
    self->rng = rng;
}

// The greatest gain of each permutation of a group.
static void group_gains(const pc_shuffle *self, const uint32_t *group, const double *values, const double *weights,
                        double best[LANES])
{
    const size_t first = self->least, last = self->length - first;
    double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0, b0 = 0.0, b1 = 0.0, b2 = 0.0, b3 = 0.0;
    for (size_t i = 0; i < last; i++) {
        const uint32_t *which = group + LANES * i;
        if (i >= first) {
            b0 = pc_greater(s0 * s0 * weights[i], b0);
            b1 = pc_greater(s1 * s1 * weights[i], b1);
            b2 = pc_greater(s2 * s2 * weights[i], b2);
            b3 = pc_greater(s3 * s3 * weights[i], b3);
        }
        s0 += values[which[0]];
        s1 += values[which[1]];
        s2 += values[which[2]];
        s3 += values[which[3]];
    }
    best[0] = b0;
    best[1] = b1;
    best[2] = b2;
    best[3] = b3;
}

// The gains of a round whose orders are kept; draw them if they are not there yet. -ENOMEM.
static int kept_gains(pc_shuffle *self, const double *values, const double *weights, double gains[PC_SHUFFLE_COUNT])
{
    const bool drawn = self->next < self->drawn;
    if (!drawn) {
        uint32_t *groups = pc_alloc(group_size(self), GROUPS * sizeof *groups);
        if (groups == NULL)
            return -ENOMEM;
        self->rounds[self->drawn++] = groups;
        for (size_t i = 0; i < self->length; i++)
            self->order[i] = (uint32_t)i;
    }
    uint32_t *group = self->rounds[self->next];
    for (size_t at = 0; at < PC_SHUFFLE_COUNT; at += LANES) {
        const size_t lanes = PC_SHUFFLE_COUNT - at < LANES ? PC_SHUFFLE_COUNT - at : LANES;
        double best[LANES];
        if (!drawn)
            draw_group(self, lanes, group);
        group_gains(self, group, values, weights, best);
        memcpy(gains + at, best, lanes * sizeof *best);
        group += group_size(self);
    }
    return 0;
}

int pc_shuffle_gains(pc_shuffle *self, const double *values, const double *weights, double gains[PC_SHUFFLE_COUNT])
{
    assert(self->next < PC_SHUFFLE_ROUNDS);
    if (self->shuffled != NULL) {
        memcpy(self->shuffled, values, self->length * sizeof *values);
        draw_gains(self, weights, gains);
    } else if (kept_gains(self, values, weights, gains) < 0) {
        return -ENOMEM;
    }
    self->next++;
    return 0;
}

int pc_shuffle_prepare(pc_shuffle **shuffle, size_t length, size_t least, uint64_t seed, bool keep)
{
    assert(length < (size_t)1 << 31 && least > 0 && 2 * least <= length);
    pc_shuffle *old = *shuffle;
    if (old != NULL && old->order != NULL && old->length == length && old->least == least && old->seed == seed) {
        old->next = 0;
        return 0;
    }
    pc_shuffle *made = pc_alloc_zero(1, sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->length = length;
    made->least = least;
    made->seed = seed;
    pc_rng_seed(&made->rng, seed);
    if (keep && length <= PC_SHUFFLE_KEPT)
        made->order = pc_alloc(length, sizeof *made->order);
    else
        made->shuffled = pc_alloc(length, sizeof *made->shuffled);
    if (made->order == NULL && made->shuffled == NULL) {
        pc_free(made);
        return -ENOMEM;
    }
    pc_shuffle_free(old);
    *shuffle = made;
    return 0;
}

void pc_shuffle_free(pc_shuffle *shuffle)
{
    if (shuffle == NULL)
        return;
    for (size_t i = 0; i < shuffle->drawn; i++)
        pc_free(shuffle->rounds[i]);
    pc_free(shuffle->order);
    pc_free(shuffle->shuffled);
    pc_free(shuffle);
}
