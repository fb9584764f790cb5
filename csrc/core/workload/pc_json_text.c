// SPDX-License-Identifier: MIT
// Strings and numbers of JSON to text and back (see the header).
#include "workload/pc_json_text.h"

#include "record/pc_json_scan.h"
#include "record/pc_number.h"

enum { LONGEST_ESCAPE = 6, SMALL_DIGITS = 18 };

// Write the escape of one special byte; returns its end.
static char *write_escape(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    switch (byte) {
    case '"':
    case '\\':
        *to++ = (char)byte;
        return to;
    case '\b':
        *to++ = 'b';
        return to;
    case '\f':
        *to++ = 'f';
        return to;
    case '\n':
        *to++ = 'n';
        return to;
    case '\r':
        *to++ = 'r';
        return to;
    case '\t':
        *to++ = 't';
        return to;
    default:
        memcpy(to, "u00", 3);
        to[3] = hex[byte >> 4];
        to[4] = hex[byte & 15];
        return to + 5;
    }
}

int pc_json_write_string(pc_out *out, const char *text, size_t length)
{
    const char *end = text + length;
    // A whole step may be stored behind the last byte, and the quotes and one escape stand beside it.
    size_t extra;
    if (__builtin_add_overflow(length, (size_t)(PC_JSON_STEP + LONGEST_ESCAPE + 2), &extra))
        return -ENOMEM;
    int status = pc_out_reserve(out, extra);
    if (status < 0)
        return status;
    char *to = out->data + out->length;
    *to++ = '"';
    for (;;) {
#ifdef __SSE2__
        while (end - text >= PC_JSON_STEP) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
            _mm_storeu_si128((__m128i *)(void *)to, bytes);
            unsigned found = pc_json_specials(bytes);
            unsigned before = found != 0 ? (unsigned)__builtin_ctz(found) : PC_JSON_STEP;
            text += before;
            to += before;
            if (found != 0)
                break;
        }
#endif
        uint64_t word;
        while (end - text >= 8 && (memcpy(&word, text, sizeof word), !pc_json_special_word(word))) {
            memcpy(to, &word, sizeof word);
            text += sizeof word;
            to += sizeof word;
        }
        while (text < end && !pc_json_special(*text))
            *to++ = *text++;
        if (text == end)
            break;
        to = write_escape(to, (unsigned char)*text++);
        out->length = (size_t)(to - out->data);
        status = pc_out_reserve(out, (size_t)(end - text) + PC_JSON_STEP + LONGEST_ESCAPE + 2);
        if (status < 0)
            return status;
        to = out->data + out->length;
    }
    *to++ = '"';
    out->length = (size_t)(to - out->data);
    return 0;
}

static char *write_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xC0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        *to++ = (char)(0xE0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    } else {
        *to++ = (char)(0xF0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
        *to++ = (char)(0x80 | (point & 0x3F));
    }
    return to;
}

pc_json_code pc_json_unescape(const char *at, const char *end, pc_out *out, const char **after, int *status)
{
    *status = 0;
    for (;;) {
        bool ascii = true;
        const char *stop = pc_json_plain(at, end, &ascii);
        size_t run = (size_t)(stop - at);
        if ((*status = pc_out_reserve(out, run + 4)) < 0)
            return PC_JSON_FINE;
        if (run > 0)
            memcpy(out->data + out->length, at, run);
        out->length += run;
        at = *after = stop;
        if (at == end)
            return PC_JSON_TRUNCATED;
        if (*at == '"') {
            *after = at + 1;
            return PC_JSON_FINE;
        }
        if (*at != '\\')
            return PC_JSON_CONTROL;
        uint32_t point;
        pc_json_code code = pc_json_escape(&at, end, &point);
        *after = at;
        if (code != PC_JSON_FINE)
            return code;
        out->length = (size_t)(write_utf8(out->data + out->length, point) - out->data);
    }
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static int refuse(pc_json_code why, const char *at, pc_json_code *code, const char **where)
{
    *code = why;
    *where = at;
    return -EINVAL;
}

int pc_json_read_number(const char *at, const char *end, pc_json_scalar *scalar, pc_json_code *code, const char **where)
{
    const char *start = at;
    bool negative = *at == '-';
    at += negative;
    const char *digits = at;
    uint64_t value = 0; // wraps where there are too many digits for it to be used
    while (is_digit(*at))
        value = value * 10 + (uint64_t)(*at++ - '0');
    size_t count = (size_t)(at - digits);
    if (PC_UNLIKELY(count == 0)) {
        if (at == end)
            return refuse(PC_JSON_TRUNCATED, at, code, where);
        return refuse(*at == 'I' ? PC_JSON_NOT_FINITE : PC_JSON_NUMBER, start, code, where);
    }
    if (PC_UNLIKELY(*digits == '0' && count > 1))
        return refuse(PC_JSON_NUMBER, start, code, where);
    if (*at != '.' && *at != 'e' && *at != 'E') {
        if (PC_UNLIKELY(count > PC_JSON_MAX_DIGITS))
            return refuse(PC_JSON_DIGITS, start, code, where);
        scalar->after = at;
        scalar->kind = PC_JSON_BIG;
        // 19 digits, as nanoseconds since 1970 have, do not wrap yet.
        if (PC_LIKELY(count <= SMALL_DIGITS || (count == SMALL_DIGITS + 1 && value <= INT64_MAX))) {
            scalar->kind = PC_JSON_SMALL;
            scalar->integer = negative ? -(int64_t)value : (int64_t)value;
        }
        return 0;
    }
    pc_number number;
    int status = pc_number_finish(start, at, end, value, &number);
    if (PC_LIKELY(status == 0)) {
        scalar->kind = PC_JSON_REAL;
        scalar->real = number.value;
        scalar->after = start + number.length;
        return 0;
    }
    if (status == -ENOMEM)
        return status;
    if (status == -ERANGE)
        return refuse(PC_JSON_RANGE, start, code, where);
    while (is_digit(*at) || *at == '.' || *at == 'e' || *at == 'E' || *at == '+' || *at == '-')
        at++;
    return at == end ? refuse(PC_JSON_TRUNCATED, at, code, where) : refuse(PC_JSON_NUMBER, start, code, where);
}
