// SPDX-License-Identifier: MIT
// The bytes of a JSON codec: strings and numbers to text and back, for a tree walk that lives elsewhere (the objects
// are Python's). Strict: UTF-8 without surrogates, no raw control characters. Text that is read ends with a NUL byte
// behind its last one, as Python's bytes and strings do, so that one byte can always be looked at; nothing further is
// ever read. Thread contract: any thread. Source of the word-wise search: the classic "has zero byte" identity.
#ifndef PC_JSON_TEXT_H
#define PC_JSON_TEXT_H

#include <string.h>

#include "record/pc_json_scan.h"
#include "workload/pc_out.h"

enum { PC_JSON_MAX_DIGITS = 4300 }; // of an integer: what Python converts by default

// Pass over white space. Ends at the NUL behind the text at the latest.
static inline const char *pc_json_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

// True if pc_json_special() is true for one of the eight bytes.
static inline bool pc_json_special_word(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = word ^ (ones * '"');
    uint64_t slash = word ^ (ones * '\\');
    uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (found & (ones * 0x80)) != 0;
}

enum {
    PC_JSON_SHORT = 32, // bytes that pc_json_write_short may take
    PC_JSON_SHORT_ROOM = PC_JSON_SHORT + 2,
};

// Write a string of 1 to 16 bytes, or PC_JSON_SHORT with vectors, that has nothing to escape at `at`, quotes included,
// where PC_JSON_SHORT_ROOM bytes are free. Returns its end; NULL for others. Most keys and many values: two words that
// overlap.
static inline char *pc_json_write_short(char *at, const char *text, size_t length)
{
    char *to = at + 1;
    bool plain;
    if (PC_LIKELY(length >= 8 && length <= 16)) {
        uint64_t first, last;
        memcpy(&first, text, sizeof first);
        memcpy(&last, text + length - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - sizeof last, &last, sizeof last);
#ifdef __SSE2__
        plain = pc_json_specials(_mm_set_epi64x((int64_t)last, (int64_t)first)) == 0;
#else
        plain = !(pc_json_special_word(first) | pc_json_special_word(last));
#endif
    } else if (length >= 4 && length < 8) {
        uint32_t first, last;
        memcpy(&first, text, sizeof first);
        memcpy(&last, text + length - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + length - sizeof last, &last, sizeof last);
        plain = !pc_json_special_word((uint64_t)first << 32 | last);
    } else if (length >= 1 && length < 4) {
        unsigned char first = (unsigned char)text[0];
        unsigned char middle = (unsigned char)text[length / 2];
        unsigned char last = (unsigned char)text[length - 1];
        to[0] = (char)first;
        to[length / 2] = (char)middle;
        to[length - 1] = (char)last;
        plain = !pc_json_special_word(0x6161616161000000u | (uint64_t)last << 16 | (uint64_t)middle << 8 | first);
#ifdef __SSE2__
    } else if (length > 16 && length <= PC_JSON_SHORT) {
        __m128i first = _mm_loadu_si128((const __m128i *)(const void *)text);
        __m128i last = _mm_loadu_si128((const __m128i *)(const void *)(text + length - PC_JSON_STEP));
        _mm_storeu_si128((__m128i *)(void *)to, first);
        _mm_storeu_si128((__m128i *)(void *)(to + length - PC_JSON_STEP), last);
        plain = (pc_json_specials(first) | pc_json_specials(last)) == 0;
#endif
    } else {
        return NULL;
    }
    if (PC_UNLIKELY(!plain))
        return NULL;
    *at = '"';
    to[length] = '"';
    return to + length + 1;
}

// Append `length` bytes of valid UTF-8 as a JSON string, quotes included, and leave room for a byte behind it. -ENOMEM.
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
