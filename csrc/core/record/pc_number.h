// SPDX-License-Identifier: MIT
// One number of JSON text to the nearest double, ties to even, whatever the locale. Three ways, each exact: Clinger's
// (a mantissa and a power of ten that are both exact doubles), Eisel and Lemire's (one 64 by 128 bit product), and
// strtod_l in the "C" locale for the rest (over 19 digits, or a power outside pc_powers.h). Sources: W. Clinger, "How
// to read floating point numbers accurately", PLDI 1990; D. Lemire, "Number parsing at a gigabyte per second", 2021.
// Assumes the processor's rounding mode is to nearest, as C and Python do. Thread contract: any thread.
#ifndef PC_NUMBER_H
#define PC_NUMBER_H

#include "base/pc_common.h"

typedef struct pc_number {
    double value;
    size_t length; // bytes of text that were the number
    bool integer;  // written without fraction and exponent
} pc_number;

// Read the number that `text` (of `length` bytes, not terminated) begins with, by JSON's grammar. What follows it is
// the caller's to check. -EINVAL: no number; -ERANGE: larger than a double can be (too small gives zero); -ENOMEM.
int pc_number_read(const char *text, size_t length, pc_number *number) PC_NODISCARD;

// The second half of it, for who has read the sign and the digits before the point: they end at `at`, and their value,
// modulo 2^64, is `whole`. What `text` (up to `end`) has there is the caller's to have checked.
int pc_number_finish(const char *text, const char *at, const char *end, uint64_t whole, pc_number *number) PC_NODISCARD;

#endif
