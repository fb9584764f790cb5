// SPDX-License-Identifier: MIT
// A hash of bytes that is the same in every process, on every machine and in every version, so that a key keeps its
// place. FNV-1a of 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv), then the finalizer of SplitMix64 (Steele, Lea,
// Flood, OOPSLA 2014), because FNV's high bits, which choose the place, mix badly on short keys. Not for hostile keys:
// whoever chooses them can send all to one place. Thread contract: any thread.
#ifndef PC_HASH_H
#define PC_HASH_H

#include "base/pc_common.h"

static inline uint64_t pc_hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

// The place of a hash among `count`, by its high half: a multiplication instead of a division.
static inline size_t pc_hash_place(uint64_t hash, uint32_t count)
{
    return (size_t)(((hash >> 32) * count) >> 32);
}

#endif
