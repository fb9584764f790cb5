// SPDX-License-Identifier: MIT
// The bytes of a JSON codec: strings and numbers to text and back, for a tree walk that lives elsewhere (the objects
// are Python's). Strict: UTF-8 without surrogates, no raw control characters. Text that is read ends with a NUL byte
// behind its last one, as Python's bytes and strings do, so that one byte can always be looked at; nothing further is
// ever read. Thread contract: any thread. Source of the word-wise search: the classic "has zero byte" identity.
#ifndef PC_JSON_TEXT_H
#define PC_JSON_TEXT_H

#include <string.h>

#include "record/pc_json.h"
#include "workload/pc_out.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    PC_JSON_MAX_DIGITS = 4300, // of an integer: what Python converts by default
    PC_JSON_STEP = 16,         // bytes that the searches take at once
};

// Pass over white space. Ends at the NUL behind the text at the latest.
static inline const char *pc_json_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

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

// Append `length` bytes of valid UTF-8 as a JSON string, quotes included. -ENOMEM.
int pc_json_write_string(pc_out *out, const char *text, size_t length) PC_NODISCARD;

// Decode the string whose first byte after the quote is at `at`, appending its UTF-8 to `out`. On PC_JSON_FINE *after
// is past the closing quote; on another code it is at the offending byte. The UTF-8 of the plain parts is not checked.
// *status is 0, or -ENOMEM and then the code means nothing.
pc_json_code pc_json_unescape(const char *at, const char *end, pc_out *out, const char **after,
                              int *status) PC_NODISCARD;

typedef enum pc_json_numeral { PC_JSON_SMALL, PC_JSON_BIG, PC_JSON_REAL } pc_json_numeral;

typedef struct pc_json_scalar {
    pc_json_numeral kind;
    int64_t integer;   // of SMALL
    double real;       // of REAL
    const char *after; // past the text; a BIG integer is that text
} pc_json_scalar;

// Read the number that begins at `at` (a digit or a minus sign). 0; -EINVAL with *code and *where; -ENOMEM.
int pc_json_read_number(const char *at, const char *end, pc_json_scalar *scalar, pc_json_code *code,
                        const char **where) PC_NODISCARD;

#endif
