// SPDX-License-Identifier: MIT
// Unsigned integers in memory, put in order in place: what pc_select does with the keys that it has gathered.
// Selecting takes O(n) steps on average and O(n log n) at worst.
// Thread contract: the keys have a single owner.
#ifndef PC_KEYS_H
#define PC_KEYS_H

#include "base/pc_common.h"

enum { PC_KEYS_SORTED_AT_ONCE = 48 }; // up to this many, an insertion sort is the fastest way

// Sort keys by insertion.
void pc_keys_sort(uint64_t *keys, size_t count);

// The key of rank `rank` (0 is the least) among `count` > rank. They are put partly in order: no greater ones before
// it, no smaller ones after it.
uint64_t pc_keys_select(uint64_t *keys, size_t count, size_t rank);

#endif
