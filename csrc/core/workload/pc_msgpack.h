// SPDX-License-Identifier: MIT
// The bytes of MessagePack, whole specification: heads of values to bytes and back, and timestamps (extension -1). The
// tree walk lives elsewhere (the objects are Python's). Nothing is read behind `end`; a length or a count that the
// remaining bytes cannot hold is refused with the head, before anyone allocates for it. Any width of an integer or a
// length is accepted, the shortest is written. Thread contract: any thread.
// Source: github.com/msgpack/msgpack/blob/master/spec.md.
#ifndef PC_MSGPACK_H
#define PC_MSGPACK_H

#include <string.h>

#include "base/pc_common.h"

enum {
    PC_MSGPACK_HEAD = 9,        // the longest head, an integer or a double whole
    PC_MSGPACK_TIMESTAMP = -1,  // the extension type of timestamps
    PC_MSGPACK_MESSAGE = 77,    // ours, of messages: an array of sender, recipient, topic, payload, id, timestamp
    PC_MSGPACK_MAX_DEPTH = 200, // arrays and maps within each other
};

typedef enum pc_msgpack_code {
    PC_MSGPACK_FINE = 0,
    PC_MSGPACK_EMPTY,
    PC_MSGPACK_TRUNCATED, // the data end inside a value, or a length says more than there is
    PC_MSGPACK_RESERVED,  // the byte 0xC1
    PC_MSGPACK_TRAILING,
    PC_MSGPACK_NOT_UTF8,
    PC_MSGPACK_DEPTH,
    PC_MSGPACK_KEY, // a map's key that cannot be hashed
    PC_MSGPACK_DUPLICATE,
    PC_MSGPACK_STAMP,      // extension -1 that is no timestamp
    PC_MSGPACK_NO_MESSAGE, // extension 77 that is no message
} pc_msgpack_code;

typedef enum pc_msgpack_kind {
    PC_MSGPACK_NIL,
    PC_MSGPACK_FALSE,
    PC_MSGPACK_TRUE,
    PC_MSGPACK_INTEGER,
    PC_MSGPACK_UNSIGNED, // above INT64_MAX
    PC_MSGPACK_REAL,
    PC_MSGPACK_STRING,
    PC_MSGPACK_BINARY,
    PC_MSGPACK_EXTENSION,
    PC_MSGPACK_ARRAY,
    PC_MSGPACK_MAP,
} pc_msgpack_kind;

typedef struct pc_msgpack_token {
    pc_msgpack_kind kind;
    int8_t type; // of an extension
    union {
        int64_t integer;
        uint64_t natural; // of UNSIGNED
        double real;
        size_t length; // bytes at `bytes`, or elements, or pairs
    };
    const char *bytes; // of strings, binaries and extensions; the cursor is already past them
} pc_msgpack_token;

typedef struct pc_msgpack_stamp {
    int64_t seconds; // since 1970
    uint32_t nanoseconds;
} pc_msgpack_stamp;

// What pc_msgpack_read does for the heads that it has no short way for, and where that way finds too few bytes.
pc_msgpack_code pc_msgpack_read_any(const char **at, const char *end, pc_msgpack_token *token) PC_NODISCARD;

// Read a double; false, and *at stays, where something else or too little is there.
PC_NODISCARD static inline bool pc_msgpack_read_real(const char **at, const char *end, double *real)
{
    uint64_t bits;
    const char *start = *at;
    if (end - start <= (ptrdiff_t)sizeof bits || (unsigned char)*start != 0xCB)
        return false;
    memcpy(&bits, start + 1, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    memcpy(real, &bits, sizeof bits);
    *at = start + 1 + sizeof bits;
    return true;
}

// Read one head, and the bytes of a string, binary or extension. *at moves past it on PC_MSGPACK_FINE, and stays else.
PC_NODISCARD static inline pc_msgpack_code pc_msgpack_read(const char **at, const char *end, pc_msgpack_token *token)
{
    const char *start = *at;
    if (PC_UNLIKELY(start == end))
        return PC_MSGPACK_TRUNCATED;
    unsigned char head = (unsigned char)*start;
    size_t left = (size_t)(end - start) - 1;
    if (head >= 0xA0 && head < 0xC0 && (head & 0x1Fu) <= left) {
        token->kind = PC_MSGPACK_STRING;
        token->length = head & 0x1F;
        token->bytes = start + 1;
        *at = start + 1 + token->length;
        return PC_MSGPACK_FINE;
    }
    if (head < 0x80 || head >= 0xE0) {
        token->kind = PC_MSGPACK_INTEGER;
        token->integer = (int8_t)head;
        *at = start + 1;
        return PC_MSGPACK_FINE;
    }
    if (pc_msgpack_read_real(at, end, &token->real)) {
        token->kind = PC_MSGPACK_REAL;
        return PC_MSGPACK_FINE;
    }
    if (head < 0x90 && 2u * (head & 0x0Fu) <= left) {
        token->kind = PC_MSGPACK_MAP;
        token->length = head & 0x0F;
        *at = start + 1;
        return PC_MSGPACK_FINE;
    }
    if (head >= 0x90 && head < 0xA0 && (head & 0x0Fu) <= left) {
        token->kind = PC_MSGPACK_ARRAY;
        token->length = head & 0x0F;
        *at = start + 1;
        return PC_MSGPACK_FINE;
    }
    return pc_msgpack_read_any(at, end, token);
}

// The timestamp of an extension's bytes. PC_MSGPACK_STAMP where they are none.
pc_msgpack_code pc_msgpack_read_stamp(const char *bytes, size_t length, pc_msgpack_stamp *stamp) PC_NODISCARD;

// Each writes at `at`, where PC_MSGPACK_HEAD bytes are free (15 for a timestamp), and returns the end. Lengths are
// below 2^32: the caller's to check.
char *pc_msgpack_write_integer(char *at, int64_t value);
char *pc_msgpack_write_natural(char *at, uint64_t value);
char *pc_msgpack_write_string(char *at, size_t length);
char *pc_msgpack_write_binary(char *at, size_t length);
char *pc_msgpack_write_array(char *at, size_t count);
char *pc_msgpack_write_map(char *at, size_t count);
char *pc_msgpack_write_extension(char *at, int8_t type, size_t length);
char *pc_msgpack_write_stamp(char *at, pc_msgpack_stamp stamp);

static inline char *pc_msgpack_write_real(char *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    *at = (char)0xCB;
    memcpy(at + 1, &bits, sizeof bits);
    return at + 9;
}

// What a code means, in words that complete "at byte 3: ". Static text.
const char *pc_msgpack_reason(pc_msgpack_code code);

#endif
