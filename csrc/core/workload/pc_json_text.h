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

// What pc_json_write_string does for strings that it has no short way for.
int pc_json_write_any(pc_out *out, const char *text, size_t length) PC_NODISCARD;

// Append `length` bytes of valid UTF-8 as a JSON string, quotes included, and leave room for a byte behind it. -ENOMEM.
PC_NODISCARD static inline int pc_json_write_string(pc_out *out, const char *text, size_t length)
{
    // Most keys and many values: two words that overlap.
    if (PC_LIKELY(length >= 4 && length < 16 && out->capacity - out->length >= 20)) {
        char *to = out->data + out->length;
        bool plain;
        *to++ = '"';
        if (length >= 8) {
            uint64_t first, last;
            memcpy(&first, text, sizeof first);
            memcpy(&last, text + length - sizeof last, sizeof last);
            memcpy(to, &first, sizeof first);
            memcpy(to + length - sizeof last, &last, sizeof last);
            plain = !pc_json_special_word(first) && !pc_json_special_word(last);
        } else {
            uint32_t first, last;
            memcpy(&first, text, sizeof first);
            memcpy(&last, text + length - sizeof last, sizeof last);
            memcpy(to, &first, sizeof first);
            memcpy(to + length - sizeof last, &last, sizeof last);
            plain = !pc_json_special_word((uint64_t)first << 32 | last);
        }
        if (PC_LIKELY(plain)) {
            to[length] = '"';
            out->length += length + 2;
            return 0;
        }
    }
    return pc_json_write_any(out, text, length);
}

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
