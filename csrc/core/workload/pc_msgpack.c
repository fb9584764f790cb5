// SPDX-License-Identifier: MIT
// MessagePack heads (see the header).
#include "workload/pc_msgpack.h"

// The big-endian number of `width` bytes at `at`.
static inline uint64_t load(const char *at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

static inline char *store(char *at, uint64_t value, unsigned width)
{
    for (unsigned i = width; i-- > 0; value >>= 8)
        at[i] = (char)(value & 0xFF);
    return at + width;
}

static int64_t sign_extend(uint64_t value, unsigned width)
{
    unsigned unused = 64 - 8 * width;
    return (int64_t)(value << unused) >> unused;
}

// The bytes behind a head of `width` length bytes (0: `length` is given) and, for extensions, the type.
static pc_msgpack_code read_bytes(const char **at, const char *end, pc_msgpack_kind kind, unsigned width, size_t length,
                                  pc_msgpack_token *token)
{
    const char *next = *at + 1;
    size_t typed = kind == PC_MSGPACK_EXTENSION;
    if ((size_t)(end - next) < width + typed)
        return PC_MSGPACK_TRUNCATED;
    if (width > 0)
        length = (size_t)load(next, width);
    next += width;
    if (typed)
        token->type = (int8_t)*next++;
    if ((size_t)(end - next) < length)
        return PC_MSGPACK_TRUNCATED;
    token->kind = kind;
    token->length = length;
    token->bytes = next;
    *at = next + length;
    return PC_MSGPACK_FINE;
}

// The head of an array or a map, each of whose elements is a byte at least, with `width` bytes of count.
static pc_msgpack_code read_count(const char **at, const char *end, pc_msgpack_kind kind, unsigned width,
                                  pc_msgpack_token *token)
{
    const char *next = *at + 1;
    if ((size_t)(end - next) < width)
        return PC_MSGPACK_TRUNCATED;
    size_t count = (size_t)load(next, width);
    next += width;
    size_t left = (size_t)(end - next);
    if (count > (kind == PC_MSGPACK_MAP ? left / 2 : left))
        return PC_MSGPACK_TRUNCATED;
    token->kind = kind;
    token->length = count;
    *at = next;
    return PC_MSGPACK_FINE;
}

static pc_msgpack_code read_number(const char **at, const char *end, unsigned char head, pc_msgpack_token *token)
{
    static const unsigned char widths[10] = {4, 8, 1, 2, 4, 8, 1, 2, 4, 8}; // of 0xCA to 0xD3
    unsigned width = widths[head - 0xCA];
    const char *next = *at + 1;
    if ((size_t)(end - next) < width)
        return PC_MSGPACK_TRUNCATED;
    uint64_t bits = load(next, width);
    token->kind = PC_MSGPACK_INTEGER;
    if (head == 0xCA) {
        uint32_t half = (uint32_t)bits;
        float real;
        memcpy(&real, &half, sizeof real);
        token->kind = PC_MSGPACK_REAL;
        token->real = (double)real;
    } else if (head == 0xCB) {
        token->kind = PC_MSGPACK_REAL;
        memcpy(&token->real, &bits, sizeof bits);
    } else if (head >= 0xD0) {
        token->integer = sign_extend(bits, width);
    } else if (bits > INT64_MAX) {
        token->kind = PC_MSGPACK_UNSIGNED;
        token->natural = bits;
    } else {
        token->integer = (int64_t)bits;
    }
    *at = next + width;
    return PC_MSGPACK_FINE;
}

pc_msgpack_code pc_msgpack_read_any(const char **at, const char *end, pc_msgpack_token *token)
{
    unsigned char head = (unsigned char)**at;
    assert(head >= 0x80 && head < 0xE0);
    if (head < 0xC0) // short and whole it would have been read already
        return PC_MSGPACK_TRUNCATED;
    switch (head) {
    case 0xC0:
    case 0xC2:
    case 0xC3:
        token->kind = head == 0xC0 ? PC_MSGPACK_NIL : head == 0xC2 ? PC_MSGPACK_FALSE : PC_MSGPACK_TRUE;
        ++*at;
        return PC_MSGPACK_FINE;
    case 0xC1:
        return PC_MSGPACK_RESERVED;
    case 0xC4:
    case 0xC5:
    case 0xC6:
        return read_bytes(at, end, PC_MSGPACK_BINARY, 1u << (head - 0xC4), 0, token);
    case 0xC7:
    case 0xC8:
    case 0xC9:
        return read_bytes(at, end, PC_MSGPACK_EXTENSION, 1u << (head - 0xC7), 0, token);
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
        return read_bytes(at, end, PC_MSGPACK_EXTENSION, 0, (size_t)1 << (head - 0xD4), token);
    case 0xD9:
    case 0xDA:
    case 0xDB:
        return read_bytes(at, end, PC_MSGPACK_STRING, 1u << (head - 0xD9), 0, token);
    case 0xDC:
    case 0xDD:
        return read_count(at, end, PC_MSGPACK_ARRAY, 2u << (head - 0xDC), token);
    case 0xDE:
    case 0xDF:
        return read_count(at, end, PC_MSGPACK_MAP, 2u << (head - 0xDE), token);
    default:
        return read_number(at, end, head, token);
    }
}

pc_msgpack_code pc_msgpack_read_stamp(const char *bytes, size_t length, pc_msgpack_stamp *stamp)
{
    pc_msgpack_stamp read = {0};
    if (length == 4) {
        read.seconds = (int64_t)load(bytes, 4);
    } else if (length == 8) {
        uint64_t both = load(bytes, 8);
        read.nanoseconds = (uint32_t)(both >> 34);
        read.seconds = (int64_t)(both & (((uint64_t)1 << 34) - 1));
    } else if (length == 12) {
        read.nanoseconds = (uint32_t)load(bytes, 4);
        read.seconds = (int64_t)load(bytes + 4, 8);
    } else {
        return PC_MSGPACK_STAMP;
    }
    if (read.nanoseconds > 999999999)
        return PC_MSGPACK_STAMP;
    *stamp = read;
    return PC_MSGPACK_FINE;
}

static inline char *write_head(char *at, unsigned head, uint64_t value, unsigned width)
{
    *at = (char)head;
    return store(at + 1, value, width);
}

char *pc_msgpack_write_natural(char *at, uint64_t value)
{
    if (value < 0x80)
        return write_head(at, (unsigned)value, 0, 0);
    if (value <= UINT8_MAX)
        return write_head(at, 0xCC, value, 1);
    if (value <= UINT16_MAX)
        return write_head(at, 0xCD, value, 2);
    if (value <= UINT32_MAX)
        return write_head(at, 0xCE, value, 4);
    return write_head(at, 0xCF, value, 8);
}

char *pc_msgpack_write_integer(char *at, int64_t value)
{
    if (value >= 0)
        return pc_msgpack_write_natural(at, (uint64_t)value);
    if (value >= -32)
        return write_head(at, (unsigned)value & 0xFF, 0, 0);
    if (value >= INT8_MIN)
        return write_head(at, 0xD0, (uint64_t)value, 1);
    if (value >= INT16_MIN)
        return write_head(at, 0xD1, (uint64_t)value, 2);
    if (value >= INT32_MIN)
        return write_head(at, 0xD2, (uint64_t)value, 4);
    return write_head(at, 0xD3, (uint64_t)value, 8);
}

char *pc_msgpack_write_string(char *at, size_t length)
{
    if (length < 32)
        return write_head(at, 0xA0 | (unsigned)length, 0, 0);
    if (length <= UINT8_MAX)
        return write_head(at, 0xD9, length, 1);
    if (length <= UINT16_MAX)
        return write_head(at, 0xDA, length, 2);
    return write_head(at, 0xDB, length, 4);
}

char *pc_msgpack_write_binary(char *at, size_t length)
{
    if (length <= UINT8_MAX)
        return write_head(at, 0xC4, length, 1);
    if (length <= UINT16_MAX)
        return write_head(at, 0xC5, length, 2);
    return write_head(at, 0xC6, length, 4);
}

char *pc_msgpack_write_array(char *at, size_t count)
{
    if (count < 16)
        return write_head(at, 0x90 | (unsigned)count, 0, 0);
    return count <= UINT16_MAX ? write_head(at, 0xDC, count, 2) : write_head(at, 0xDD, count, 4);
}

char *pc_msgpack_write_map(char *at, size_t count)
{
    if (count < 16)
        return write_head(at, 0x80 | (unsigned)count, 0, 0);
    return count <= UINT16_MAX ? write_head(at, 0xDE, count, 2) : write_head(at, 0xDF, count, 4);
}

char *pc_msgpack_write_extension(char *at, int8_t type, size_t length)
{
    if (length > 0 && length <= 16 && (length & (length - 1)) == 0)
        at = write_head(at, 0xD4 + (unsigned)__builtin_ctzll(length), 0, 0);
    else if (length <= UINT8_MAX)
        at = write_head(at, 0xC7, length, 1);
    else if (length <= UINT16_MAX)
        at = write_head(at, 0xC8, length, 2);
    else
        at = write_head(at, 0xC9, length, 4);
    *at = (char)type;
    return at + 1;
}

char *pc_msgpack_write_stamp(char *at, pc_msgpack_stamp stamp)
{
    if (stamp.seconds < 0 || stamp.seconds >> 34 != 0) {
        at = pc_msgpack_write_extension(at, PC_MSGPACK_TIMESTAMP, 12);
        at = store(at, stamp.nanoseconds, 4);
        return store(at, (uint64_t)stamp.seconds, 8);
    }
    if (stamp.nanoseconds == 0 && stamp.seconds <= UINT32_MAX) {
        at = pc_msgpack_write_extension(at, PC_MSGPACK_TIMESTAMP, 4);
        return store(at, (uint64_t)stamp.seconds, 4);
    }
    at = pc_msgpack_write_extension(at, PC_MSGPACK_TIMESTAMP, 8);
    return store(at, (uint64_t)stamp.nanoseconds << 34 | (uint64_t)stamp.seconds, 8);
}

const char *pc_msgpack_reason(pc_msgpack_code code)
{
    switch (code) {
    case PC_MSGPACK_FINE:
        break;
    case PC_MSGPACK_EMPTY:
        return "there are no data";
    case PC_MSGPACK_TRUNCATED:
        return "the data end in the middle of this value, or its length is wrong";
    case PC_MSGPACK_RESERVED:
        return "the byte 0xC1, which MessagePack never uses";
    case PC_MSGPACK_TRAILING:
        return "there are more bytes after the end of the value";
    case PC_MSGPACK_NOT_UTF8:
        return "a string that is not UTF-8";
    case PC_MSGPACK_DEPTH:
        return "nested more than 200 levels deep";
    case PC_MSGPACK_KEY:
        return "a map's key that Python cannot hash";
    case PC_MSGPACK_DUPLICATE:
        return "the same key twice in one map";
    case PC_MSGPACK_NO_MESSAGE:
        return "an extension of type 77 that is not a Message";
    case PC_MSGPACK_STAMP:
        return "an extension of type -1 that is not a timestamp";
    }
    return "no error";
}
