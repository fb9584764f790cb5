// SPDX-License-Identifier: MIT
// Checking JSON strings (see pc_json_scan.h).
#include "record/pc_json_scan.h"

#include <string.h>

static inline bool continues(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

size_t pc_json_utf8(const char *at, const char *end)
{
    if (at == end)
        return 0;
    size_t left = (size_t)(end - at);
    unsigned char first = (unsigned char)at[0];
    unsigned char second = left > 1 ? (unsigned char)at[1] : 0;
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return left >= 2 && continues(at[1]) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (left < 3 || !continues(at[1]) || !continues(at[2]))
            return 0;
        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) // overlong, surrogates
            return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (left < 4 || !continues(at[1]) || !continues(at[2]) || !continues(at[3]))
            return 0;
        if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) // overlong, past U+10FFFF
            return 0;
        return 4;
    }
    return 0;
}

// The four hexadecimal digits at `at`, or -1.
static int hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char byte = at[i];
        int digit;
        if (byte >= '0' && byte <= '9')
            digit = byte - '0';
        else if (byte >= 'a' && byte <= 'f')
            digit = byte - 'a' + 10;
        else if (byte >= 'A' && byte <= 'F')
            digit = byte - 'A' + 10;
        else
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

// What the escape with this letter stands for, or 0.
static char short_escape(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

pc_json_code pc_json_escape(const char **at, const char *end, uint32_t *point)
{
    const char *text = *at;
    if (end - text < 2)
        return PC_JSON_TRUNCATED;
    if (text[1] != 'u') {
        char meaning = short_escape(text[1]);
        if (meaning == 0)
            return PC_JSON_ESCAPE;
        *point = (uint32_t)meaning;
        *at = text + 2;
        return PC_JSON_FINE;
    }
    int code = hex4(text + 2, end);
    if (code < 0)
        return end - text < 6 && memchr(text, '"', (size_t)(end - text)) == NULL ? PC_JSON_TRUNCATED : PC_JSON_ESCAPE;
    if (code >= 0xDC00 && code <= 0xDFFF)
        return PC_JSON_SURROGATE;
    if (code >= 0xD800 && code <= 0xDBFF) {
        int low = end - text >= 12 && text[6] == '\\' && text[7] == 'u' ? hex4(text + 8, end) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return PC_JSON_SURROGATE;
        *point = 0x10000 + (((uint32_t)code - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
        *at = text + 12;
        return PC_JSON_FINE;
    }
    *point = (uint32_t)code;
    *at = text + 6;
    return PC_JSON_FINE;
}

pc_json_code pc_json_string(const char *at, const char *end, const char **after)
{
    bool ascii = true;
    const char *stop = pc_json_plain(++at, end, &ascii);
    if (PC_LIKELY(ascii && stop < end && *stop == '"')) { // nearly every string: sixteen bytes at a time
        *after = stop + 1;
        return PC_JSON_FINE;
    }
    pc_json_code code = PC_JSON_TRUNCATED;
    while (at < end) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"') {
            *after = at + 1;
            return PC_JSON_FINE;
        }
        if (byte == '\\') {
            const char *escape = at;
            uint32_t point;
            code = pc_json_escape(&at, end, &point);
            if (code != PC_JSON_FINE)
                break;
            code = PC_JSON_TRUNCATED;
            if (point == 0) {
                at = escape;
                code = PC_JSON_NUL;
                break;
            }
        } else if (byte < 0x20) {
            code = PC_JSON_CONTROL;
            break;
        } else if (byte < 0x80) {
            at++;
        } else {
            size_t length = pc_json_utf8(at, end);
            if (length == 0) {
                code = PC_JSON_NOT_UTF8;
                break;
            }
            at += length;
        }
    }
    *after = at;
    return code;
}
