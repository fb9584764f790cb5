// SPDX-License-Identifier: MIT
// Comparison of short runs of bytes, inline: for names and keys of some dozen bytes, a call of memcmp() costs more than
// the comparison. Reads no byte but those given. Thread contract: any thread.
#ifndef PC_BYTES_H
#define PC_BYTES_H

#include "base/pc_common.h"

#include <string.h>

// Whether `length` bytes are the same: in words of 8 of which the last overlaps, or in two of 4.
static inline bool pc_bytes_same(const char *one, const char *other, size_t length)
{
    uint64_t a, b, differ = 0;
    if (length >= 8) {
        for (size_t at = 0; at + 8 < length; at += 8) {
            memcpy(&a, one + at, 8);
            memcpy(&b, other + at, 8);
            differ |= a ^ b;
        }
        memcpy(&a, one + length - 8, 8);
        memcpy(&b, other + length - 8, 8);
        return (differ | (a ^ b)) == 0;
    }
    if (length >= 4) {
        uint32_t c, d, e, f;
        memcpy(&c, one, 4);
        memcpy(&d, other, 4);
        memcpy(&e, one + length - 4, 4);
        memcpy(&f, other + length - 4, 4);
        return ((c ^ d) | (e ^ f)) == 0;
    }
    for (size_t at = 0; at < length; at++)
        differ |= (uint64_t)((unsigned char)one[at] ^ (unsigned char)other[at]);
    return differ == 0;
}

#endif
