// SPDX-License-Identifier: MIT
// pc_msgpack: every head written and read back, the shortest of the specification, refused where a byte is missing, and
// nothing read behind the end (every text lies at the end of a block of its own).
#include "check.h"
#include "exact_copy.h"

#include <stdlib.h>
#include <string.h>

#include "workload/pc_msgpack.h"

static void test_heads(void)
{
    static const int64_t values[] = {
        0,   127,  128,  255,    256,    65535,     65536,      UINT32_MAX, -1,        -32,
        -33, -128, -129, -32768, -32769, INT32_MIN, 4294967296, INT64_MAX,  INT64_MIN, (int64_t)INT32_MIN - 1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char head[PC_MSGPACK_HEAD];
        char *end = pc_msgpack_write_integer(head, values[i]);
        size_t length = (size_t)(end - head);
        for (size_t cut = 0; cut <= length; cut++) {
            char *copy = exact_copy(head, cut);
            const char *at = copy;
            pc_msgpack_token token;
            pc_msgpack_code code = pc_msgpack_read(&at, copy + cut, &token);
            if (cut < length)
                CHECK(code == PC_MSGPACK_TRUNCATED && at == copy);
            else
                CHECK(code == PC_MSGPACK_FINE && at == copy + cut && token.kind == PC_MSGPACK_INTEGER &&
                      token.integer == values[i]);
            free(copy);
        }
    }
    // Every first byte with nothing behind it: a value, or a refusal, and never a byte too far.
    size_t whole = 0;
    for (int byte = 0; byte < 256; byte++) {
        char head = (char)byte;
        char *copy = exact_copy(&head, 1);
        const char *at = copy;
        pc_msgpack_token token;
        pc_msgpack_code code = pc_msgpack_read(&at, copy + 1, &token);
        CHECK(code == PC_MSGPACK_FINE ? at == copy + 1 : at == copy);
        whole += code == PC_MSGPACK_FINE;
        CHECK((code == PC_MSGPACK_RESERVED) == (byte == 0xC1));
        free(copy);
    }
    CHECK(whole == 128 + 32 + 3 + 3); // small integers; nil and the booleans; the empty map, array and string
    static const pc_msgpack_stamp stamps[] = {
        {0, 0},  {UINT32_MAX, 0}, {UINT32_MAX, 1},        {((int64_t)1 << 34) - 1, 999999999}, {(int64_t)1 << 34, 0},
        {-1, 5}, {INT64_MIN, 0},  {INT64_MAX, 999999999},
    };
    static const ptrdiff_t sizes[] = {6, 6, 10, 10, 15, 15, 15, 15};
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        char bytes[15];
        const char *end = pc_msgpack_write_stamp(bytes, stamps[i]);
        CHECK(end - bytes == sizes[i]);
        const char *at = bytes;
        pc_msgpack_token token;
        pc_msgpack_stamp stamp = {0};
        CHECK(pc_msgpack_read(&at, end, &token) == PC_MSGPACK_FINE && at == end);
        CHECK(token.kind == PC_MSGPACK_EXTENSION && token.type == PC_MSGPACK_TIMESTAMP);
        CHECK(pc_msgpack_read_stamp(token.bytes, token.length, &stamp) == PC_MSGPACK_FINE);
        CHECK(stamp.seconds == stamps[i].seconds && stamp.nanoseconds == stamps[i].nanoseconds);
    }
    pc_msgpack_stamp untouched = {.seconds = 7};
    CHECK(pc_msgpack_read_stamp("\xEE\x6B\x28\x00\0\0\0\0", 8, &untouched) == PC_MSGPACK_STAMP); // 10^9 ns
    CHECK(pc_msgpack_read_stamp("\x3B\x9A\xCA\x00\0\0\0\0\0\0\0\0", 12, &untouched) == PC_MSGPACK_STAMP);
    CHECK(pc_msgpack_read_stamp("\0\0\0\0\0", 5, &untouched) == PC_MSGPACK_STAMP && untouched.seconds == 7);
    for (int code = PC_MSGPACK_EMPTY; code <= PC_MSGPACK_STAMP; code++)
        CHECK(strcmp(pc_msgpack_reason((pc_msgpack_code)code), "no error") != 0);
}

static char *write_extension(char *at, size_t length)
{
    return pc_msgpack_write_extension(at, -5, length);
}

// Of each length the shortest head, read back; and refused where a byte is missing.
static void test_lengths(void)
{
    static const struct {
        char *(*write)(char *, size_t);
        pc_msgpack_kind kind;
        size_t length;
        unsigned head, size;
    } heads[] = {
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 31, 0xBF, 1},
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 32, 0xD9, 2},
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 255, 0xD9, 2},
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 256, 0xDA, 3},
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 65535, 0xDA, 3},
        {pc_msgpack_write_string, PC_MSGPACK_STRING, 65536, 0xDB, 5},
        {pc_msgpack_write_binary, PC_MSGPACK_BINARY, 0, 0xC4, 2},
        {pc_msgpack_write_binary, PC_MSGPACK_BINARY, 255, 0xC4, 2},
        {pc_msgpack_write_binary, PC_MSGPACK_BINARY, 256, 0xC5, 3},
        {pc_msgpack_write_binary, PC_MSGPACK_BINARY, 65535, 0xC5, 3},
        {pc_msgpack_write_binary, PC_MSGPACK_BINARY, 65536, 0xC6, 5},
        {pc_msgpack_write_array, PC_MSGPACK_ARRAY, 15, 0x9F, 1},
        {pc_msgpack_write_array, PC_MSGPACK_ARRAY, 16, 0xDC, 3},
        {pc_msgpack_write_array, PC_MSGPACK_ARRAY, 65535, 0xDC, 3},
        {pc_msgpack_write_array, PC_MSGPACK_ARRAY, 65536, 0xDD, 5},
        {pc_msgpack_write_map, PC_MSGPACK_MAP, 15, 0x8F, 1},
        {pc_msgpack_write_map, PC_MSGPACK_MAP, 16, 0xDE, 3},
        {pc_msgpack_write_map, PC_MSGPACK_MAP, 65535, 0xDE, 3},
        {pc_msgpack_write_map, PC_MSGPACK_MAP, 65536, 0xDF, 5},
        {write_extension, PC_MSGPACK_EXTENSION, 0, 0xC7, 3},
        {write_extension, PC_MSGPACK_EXTENSION, 1, 0xD4, 2},
        {write_extension, PC_MSGPACK_EXTENSION, 3, 0xC7, 3},
        {write_extension, PC_MSGPACK_EXTENSION, 16, 0xD8, 2},
        {write_extension, PC_MSGPACK_EXTENSION, 32, 0xC7, 3},
        {write_extension, PC_MSGPACK_EXTENSION, 255, 0xC7, 3},
        {write_extension, PC_MSGPACK_EXTENSION, 256, 0xC8, 4},
        {write_extension, PC_MSGPACK_EXTENSION, 65535, 0xC8, 4},
        {write_extension, PC_MSGPACK_EXTENSION, 65536, 0xC9, 6},
    };
    static char block[2 * 65536 + 6];
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t length = heads[i].length, size = heads[i].size + (heads[i].kind == PC_MSGPACK_MAP ? 2 : 1) * length;
        CHECK(heads[i].write(block, length) == block + heads[i].size && (unsigned char)block[0] == heads[i].head);
        const char *at = block;
        pc_msgpack_token token;
        CHECK(pc_msgpack_read(&at, block + size, &token) == PC_MSGPACK_FINE && token.kind == heads[i].kind);
        CHECK(token.length == length && (token.kind != PC_MSGPACK_EXTENSION || token.type == -5));
        bool bytes = token.kind != PC_MSGPACK_ARRAY && token.kind != PC_MSGPACK_MAP;
        CHECK(at == block + (bytes ? size : heads[i].size) && (!bytes || token.bytes + length == at));
        at = block;
        CHECK(pc_msgpack_read(&at, block + size - 1, &token) == PC_MSGPACK_TRUNCATED && at == block);
    }
    for (uint64_t value = (uint64_t)INT64_MAX + 1; value != 0; value = value == UINT64_MAX ? 0 : UINT64_MAX) {
        const char *at = block, *end = pc_msgpack_write_natural(block, value);
        pc_msgpack_token token;
        CHECK(pc_msgpack_read(&at, end, &token) == PC_MSGPACK_FINE && at == end);
        CHECK(token.kind == PC_MSGPACK_UNSIGNED && token.natural == value);
    }
}

int main(void)
{
    test_heads();
    test_lengths();
    return CHECK_EXIT();
}
