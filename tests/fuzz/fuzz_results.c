// SPDX-License-Identifier: MIT
// Any bytes as a results file: capturing the samples changes neither what is accepted, nor where an error is, nor one
// bit of a number, compared with reading the same text as plain JSON.
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "record/pc_results.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void compare(const pc_json *plain, const cJSON *one, const pc_json *captured, const cJSON *other)
{
    const pc_json_entry *entry = cJSON_IsNumber(other) ? pc_json_entry_of(captured, other) : NULL;
    if (entry != NULL && entry->kind == PC_JSON_SAMPLES) {
        DEMAND(cJSON_IsArray(one));
        const pc_samples *values = &captured->arrays[entry->at];
        size_t count = 0;
        for (const cJSON *child = one->child; child != NULL; child = child->next, count++) {
            DEMAND(count < values->length && cJSON_IsNumber(child));
            DEMAND(memcmp(&pc_json_entry_of(plain, child)->value, &values->data[count], sizeof(double)) == 0);
        }
        DEMAND(count == values->length && values->length <= values->capacity);
        return;
    }
    DEMAND(one->type == other->type);
    if (entry != NULL) {
        const pc_json_entry *same = pc_json_entry_of(plain, one);
        DEMAND(same->kind == entry->kind && same->at == entry->at && same->length == entry->length);
    }
    if (cJSON_IsString(one))
        DEMAND(strcmp(one->valuestring, other->valuestring) == 0);
    const cJSON *child = one->child;
    const cJSON *twin = other->child;
    for (; child != NULL && twin != NULL; child = child->next, twin = twin->next) {
        DEMAND(child->string == NULL ? twin->string == NULL : strcmp(child->string, twin->string) == 0);
        compare(plain, child, captured, twin);
    }
    DEMAND(child == NULL && twin == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size);
    DEMAND(text != NULL || size == 0);
    if (size > 0)
        memcpy(text, data, size);
    pc_json plain = {0};
    pc_json captured = {0};
    pc_json_error plain_error = {0};
    pc_json_error captured_error = {0};
    int plain_status = pc_json_scan(text, size, NULL, &plain, &plain_error);
    int captured_status = pc_results_scan(text, size, &captured, &captured_error);
    DEMAND(plain_status == captured_status);
    if (plain_status == 0) {
        DEMAND(pc_json_build(&plain) == 0 && pc_json_build(&captured) == 0);
        plain_status = pc_json_check(&plain, text, size, &plain_error);
        captured_status = pc_json_check(&captured, text, size, &captured_error);
        DEMAND(plain_status == captured_status);
        compare(&plain, plain.root, &captured, captured.root);
    }
    DEMAND(plain_error.code == captured_error.code && plain_error.offset == captured_error.offset &&
           plain_error.line == captured_error.line && plain_error.column == captured_error.column);
    pc_json_clear(&plain);
    pc_json_clear(&captured);
    free(text);
    return 0;
}
