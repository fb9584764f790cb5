// SPDX-License-Identifier: MIT
// Any bytes as a MessagePack value, walked as msgpack_loads walks it: no head reads behind the end, no count exceeds
// the bytes that are left, and what is read, written in its shortest form, reads back the same and is no longer.
#include <stdlib.h>
#include <string.h>

#include "workload/pc_msgpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static char *write_token(char *to, const pc_msgpack_token *token)
{
    switch (token->kind) {
    case PC_MSGPACK_NIL:
    case PC_MSGPACK_FALSE:
    case PC_MSGPACK_TRUE:
        *to = (char)(token->kind == PC_MSGPACK_NIL ? 0xC0 : token->kind == PC_MSGPACK_FALSE ? 0xC2 : 0xC3);
        return to + 1;
    case PC_MSGPACK_INTEGER:
        return pc_msgpack_write_integer(to, token->integer);
    case PC_MSGPACK_UNSIGNED:
        return pc_msgpack_write_natural(to, token->natural);
    case PC_MSGPACK_REAL:
        return pc_msgpack_write_real(to, token->real);
    case PC_MSGPACK_STRING:
        return pc_msgpack_write_string(to, token->length);
    case PC_MSGPACK_BINARY:
        return pc_msgpack_write_binary(to, token->length);
    case PC_MSGPACK_EXTENSION:
        return pc_msgpack_write_extension(to, token->type, token->length);
    case PC_MSGPACK_ARRAY:
        return pc_msgpack_write_array(to, token->length);
    case PC_MSGPACK_MAP:
        return pc_msgpack_write_map(to, token->length);
    }
    abort();
}

static bool has_bytes(const pc_msgpack_token *token)
{
    return token->kind == PC_MSGPACK_STRING || token->kind == PC_MSGPACK_BINARY || token->kind == PC_MSGPACK_EXTENSION;
}

// A head written in its shortest form is no longer than it was (float 32 excepted), and means the same.
static void check_shortest(const pc_msgpack_token *token, size_t head)
{
    char *block = malloc(PC_MSGPACK_HEAD + (has_bytes(token) ? token->length : 0));
    DEMAND(block != NULL);
    char *end = write_token(block, token);
    DEMAND(token->kind == PC_MSGPACK_REAL || (size_t)(end - block) <= head);
    if (has_bytes(token) && token->length > 0) {
        memcpy(end, token->bytes, token->length);
        end += token->length;
    }
    if (token->kind != PC_MSGPACK_ARRAY && token->kind != PC_MSGPACK_MAP) {
        pc_msgpack_token again = {0};
        const char *at = block;
        DEMAND(pc_msgpack_read(&at, end, &again) == PC_MSGPACK_FINE && at == end && again.kind == token->kind);
        if (has_bytes(token))
            DEMAND(again.length == token->length && memcmp(again.bytes, token->bytes, token->length) == 0);
        else if (token->kind >= PC_MSGPACK_INTEGER)
            DEMAND(again.natural == token->natural);
    }
    free(block);
}

static pc_msgpack_code walk(const char **at, const char *end, unsigned depth)
{
    const char *start = *at;
    pc_msgpack_token token = {0};
    pc_msgpack_code code = pc_msgpack_read(at, end, &token);
    if (code != PC_MSGPACK_FINE) {
        DEMAND(*at == start);
        return code;
    }
    DEMAND(*at > start && *at <= end);
    if (has_bytes(&token)) {
        DEMAND(token.bytes > start && token.bytes + token.length == *at);
        check_shortest(&token, (size_t)(token.bytes - start));
    } else {
        check_shortest(&token, (size_t)(*at - start));
    }
    pc_msgpack_stamp stamp;
    if (token.kind == PC_MSGPACK_EXTENSION && token.type == PC_MSGPACK_TIMESTAMP &&
        pc_msgpack_read_stamp(token.bytes, token.length, &stamp) == PC_MSGPACK_FINE)
        DEMAND(stamp.nanoseconds <= 999999999);
    if (token.kind != PC_MSGPACK_ARRAY && token.kind != PC_MSGPACK_MAP)
        return PC_MSGPACK_FINE;
    if (depth == PC_MSGPACK_MAX_DEPTH)
        return PC_MSGPACK_DEPTH;
    size_t count = token.kind == PC_MSGPACK_MAP ? token.length * 2 : token.length;
    DEMAND(count <= (size_t)(end - *at));
    for (; count > 0 && code == PC_MSGPACK_FINE; count--)
        code = walk(at, end, depth + 1);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size); // a block of its own: one byte too far is seen
    DEMAND(bytes != NULL || size == 0);
    if (size > 0)
        memcpy(bytes, data, size);
    const char *at = bytes;
    if (size > 0)
        (void)walk(&at, bytes + size, 0);
    free(bytes);
    return 0;
}
