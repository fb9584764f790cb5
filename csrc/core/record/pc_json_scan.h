// SPDX-License-Identifier: MIT
// What the readers of JSON share: strings (UTF-8, escapes, control characters), and where an error is. Thread contract:
// any thread.
#ifndef PC_JSON_SCAN_H
#define PC_JSON_SCAN_H

#include "record/pc_json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { PC_JSON_STEP = 16 }; // bytes that the searches take at once

// True for a byte that ends a run of plain string bytes: a quote, a backslash, a control character.
static inline bool pc_json_special(char byte)
{
    return byte == '"' || byte == '\\' || (unsigned char)byte < 0x20;
}

#ifdef __SSE2__
// Of 16 bytes, a mask of those that pc_json_special() is true for.
static inline unsigned pc_json_specials(__m128i bytes)
{
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), control));
}
#endif

// Find the first special byte from `at` on, or `end`. *ascii is cleared if a byte before it is not ASCII.
static inline const char *pc_json_plain(const char *at, const char *end, bool *ascii)
{
#ifdef __SSE2__
    while (end - at >= PC_JSON_STEP) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        unsigned found = pc_json_specials(bytes);
        unsigned high = (unsigned)_mm_movemask_epi8(bytes);
        if (found != 0) {
            unsigned before = (unsigned)__builtin_ctz(found);
            if (high & ((1u << before) - 1))
                *ascii = false;
            return at + before;
        }
        if (high != 0)
            *ascii = false;
        at += PC_JSON_STEP;
    }
#endif
    unsigned char all = 0;
    for (; at < end && !pc_json_special(*at); at++)
        all |= (unsigned char)*at;
    if (all >= 0x80)
        *ascii = false;
    return at;
}

// The length of the valid UTF-8 sequence that `at` begins with (1 to 4), or 0. No surrogates, nothing overlong.
size_t pc_json_utf8(const char *at, const char *end);

// Read the escape whose backslash is at *at (a surrogate pair is one escape). *at is past it and *point is its code
// point on PC_JSON_FINE; *at is at the offending byte else. NUL is the caller's to judge.
pc_json_code pc_json_escape(const char **at, const char *end, uint32_t *point) PC_NODISCARD;

// Check the string whose opening quote is at `at`. *after is just past its closing quote on PC_JSON_FINE, and at the
// offending byte else.
pc_json_code pc_json_string(const char *at, const char *end, const char **after) PC_NODISCARD;

// An error at a byte offset, with its line and column.
pc_json_error pc_json_locate(const char *text, pc_json_code code, size_t offset);

#endif
