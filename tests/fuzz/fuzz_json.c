// SPDX-License-Identifier: MIT
// Any bytes as JSON: the scanner accepts them or names a place inside them; cJSON then reads every skeleton (a refusal
// would mean that the two disagree about what JSON is); every number equals the C library's reading of the same text.
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "record/pc_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void check_number(const char *text, const pc_json_entry *entry)
{
    char *copy = malloc(entry->length + 1);
    DEMAND(copy != NULL && entry->kind != PC_JSON_SAMPLES && entry->length > 0);
    memcpy(copy, text + entry->at, entry->length);
    copy[entry->length] = '\0';
    char *after;
    double value = strtod(copy, &after); // the fuzzer never leaves the "C" locale
    DEMAND(after == copy + entry->length && memcmp(&value, &entry->value, sizeof value) == 0);
    DEMAND((strpbrk(copy, ".eE") == NULL) == (entry->kind == PC_JSON_INTEGER));
    free(copy);
}

// Visit every node; returns how many numbers there are.
static size_t visit(const pc_json *json, const char *text, const cJSON *node, unsigned depth)
{
    size_t numbers = 0;
    DEMAND(depth <= PC_JSON_MAX_DEPTH);
    if (cJSON_IsNumber(node)) {
        check_number(text, pc_json_entry_of(json, node));
        numbers++;
    }
    if (cJSON_IsString(node))
        DEMAND(node->valuestring != NULL);
    for (const cJSON *child = node->child; child != NULL; child = child->next) {
        DEMAND((child->string != NULL) == cJSON_IsObject(node));
        numbers += visit(json, text, child, depth + 1);
    }
    return numbers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size); // a block of its own: one byte too far is seen
    DEMAND(text != NULL || size == 0);
    if (size > 0)
        memcpy(text, data, size);
    pc_json json = {0};
    pc_json_error error = {0};
    int status = pc_json_scan(text, size, NULL, &json, &error);
    if (status == 0) {
        DEMAND(pc_json_build(&json) == 0);
        status = pc_json_check(&json, text, size, &error);
        DEMAND(status == 0 || (status == -EINVAL && error.code == PC_JSON_DUPLICATE));
        DEMAND(visit(&json, text, json.root, 0) == json.entry_count);
        pc_json_clear(&json);
    }
    DEMAND(status == 0 || status == -EINVAL);
    if (status == -EINVAL)
        DEMAND(error.code != PC_JSON_FINE && error.offset <= size && error.line >= 1 && error.column >= 1);
    free(text);
    return 0;
}
