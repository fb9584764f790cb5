// SPDX-License-Identifier: MIT
// Keys: unsigned integers in the order of the doubles that they stand for; -0.0 comes just before 0.0. And keys in
// memory, put in order in place: what pc_select does with those that it has gathered. Selecting takes O(n) steps on
// average and O(n log n) at worst. Thread contract: the keys have a single owner.
#ifndef PC_KEYS_H
#define PC_KEYS_H

#include <string.h>

#include "base/pc_common.h"

enum { PC_KEYS_SORTED_AT_ONCE = 48 }; // up to this many, an insertion sort is the fastest way

static inline uint64_t pc_keys_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits ^ ((uint64_t) - (int64_t)(bits >> 63) | UINT64_C(1) << 63); // all bits of a negative one are inverted
}

static inline double pc_keys_to_double(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// Sort keys by insertion.
void pc_keys_sort(uint64_t *keys, size_t count);

// The key of rank `rank` (0 is the least) among `count` > rank. They are put partly in order: no greater ones before
// it, no smaller ones after it.
uint64_t pc_keys_select(uint64_t *keys, size_t count, size_t rank);

#endif
