// SPDX-License-Identifier: MIT
// The second step of pc_json: the tree by cJSON, the search for duplicate keys, and what the errors say. The skeleton
// is known to be strict JSON that cJSON reads, so its refusal means that memory ran out.
#include "record/pc_json.h"

#include <string.h>

#include <cjson/cJSON.h>

#include "base/pc_alloc.h"
#include "record/pc_json_scan.h"

enum { FEW_KEYS = 8 }; // compared pair by pair; more are sorted

const char *pc_json_reason(pc_json_code code)
{
    switch (code) {
    case PC_JSON_FINE:
        break;
    case PC_JSON_EMPTY:
        return "the file is empty";
    case PC_JSON_TRUNCATED:
        return "the text ends in the middle of a value, so the file is truncated";
    case PC_JSON_UNEXPECTED:
        return "unexpected character, so the file is not JSON";
    case PC_JSON_TRAILING:
        return "there is more text after the end of the value";
    case PC_JSON_MARK:
        return "the file begins with a byte order mark";
    case PC_JSON_NOT_UTF8:
        return "the text is not UTF-8";
    case PC_JSON_CONTROL:
        return "a control character in a string";
    case PC_JSON_ESCAPE:
        return "an unknown escape in a string";
    case PC_JSON_SURROGATE:
        return "half of a surrogate pair in a string";
    case PC_JSON_NUL:
        return "a NUL character (\\u0000) in a string";
    case PC_JSON_NUMBER:
        return "a malformed number";
    case PC_JSON_NOT_FINITE:
        return "NaN or Infinity, which JSON does not have";
    case PC_JSON_RANGE:
        return "a number too large for a double";
    case PC_JSON_DEPTH:
        return "nested more than 200 levels deep";
    case PC_JSON_VALUES:
        return "more than 10 million values outside the samples";
    case PC_JSON_DUPLICATE:
        return "the same key twice in one object";
    case PC_JSON_DIGITS:
        return "an integer of more digits than are converted (4300 at most)";
    }
    return "no error";
}

pc_json_error pc_json_locate(const char *text, pc_json_code code, size_t offset)
{
    pc_json_error error = {.code = code, .offset = offset, .line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            error.line++;
            error.column = 1;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            error.column++;
        }
    }
    return error;
}

static void sift_down(const cJSON **nodes, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && strcmp(nodes[child]->string, nodes[child + 1]->string) < 0)
            child++;
        if (strcmp(nodes[root]->string, nodes[child]->string) >= 0)
            return;
        const cJSON *swap = nodes[root];
        nodes[root] = nodes[child];
        nodes[child] = swap;
    }
}

// Heapsort: the keys are a stranger's, so neither quadratic time nor a hash of ours to aim at.
static void sort_by_key(const cJSON **nodes, size_t count)
{
    for (size_t root = count / 2; root-- > 0;)
        sift_down(nodes, root, count);
    for (size_t last = count; last-- > 1;) {
        const cJSON *swap = nodes[0];
        nodes[0] = nodes[last];
        nodes[last] = swap;
        sift_down(nodes, 0, last);
    }
}

// Of two members of one object, the one further on.
static const cJSON *later(const cJSON *one, const cJSON *other)
{
    for (const cJSON *next = one->next; next != NULL; next = next->next) {
        if (next == other)
            return other;
    }
    return one;
}

// Find a child of `object` whose key another child has too; NULL if there is none.
static int find_twin(const cJSON *object, const cJSON **twin)
{
    const cJSON *few[FEW_KEYS];
    const cJSON **nodes = few;
    size_t count = 0;
    for (const cJSON *child = object->child; child != NULL; child = child->next)
        count++;
    if (count > FEW_KEYS) {
        nodes = pc_alloc(count, sizeof *nodes);
        if (nodes == NULL)
            return -ENOMEM;
    }
    const cJSON *found = NULL;
    size_t filled = 0;
    for (const cJSON *child = object->child; child != NULL; child = child->next) {
        for (size_t i = 0; count <= FEW_KEYS && i < filled && found == NULL; i++) {
            if (strcmp(nodes[i]->string, child->string) == 0)
                found = child;
        }
        nodes[filled++] = child;
    }
    if (count > FEW_KEYS) {
        sort_by_key(nodes, count);
        for (size_t i = 1; i < count && found == NULL; i++) {
            if (strcmp(nodes[i - 1]->string, nodes[i]->string) == 0)
                found = later(nodes[i - 1], nodes[i]);
        }
        pc_free(nodes);
    }
    *twin = found;
    return 0;
}

static int find_duplicate(const cJSON *node, const cJSON **duplicate)
{
    if (cJSON_IsObject(node)) {
        int status = find_twin(node, duplicate);
        if (status < 0 || *duplicate != NULL)
            return status;
    }
    for (const cJSON *child = node->child; child != NULL; child = child->next) {
        int status = find_duplicate(child, duplicate);
        if (status < 0 || *duplicate != NULL)
            return status;
    }
    return 0;
}

// Count the keys up to that of `wanted`, in the order of the text. True when it was met.
static bool count_keys(const cJSON *node, const cJSON *wanted, size_t *count)
{
    for (const cJSON *child = node->child; child != NULL; child = child->next) {
        if (child == wanted)
            return true;
        if (child->string != NULL)
            ++*count;
        if (count_keys(child, wanted, count))
            return true;
    }
    return false;
}

int pc_json_build(pc_json *json)
{
    json->root = cJSON_ParseWithLength(json->skeleton, json->skeleton_length);
    pc_free(json->skeleton);
    json->skeleton = NULL;
    json->skeleton_length = 0;
    return json->root == NULL ? -ENOMEM : 0;
}

int pc_json_check(pc_json *json, const char *text, size_t length, pc_json_error *error)
{
    const cJSON *duplicate = NULL;
    int status = find_duplicate(json->root, &duplicate);
    if (status < 0)
        return status;
    if (duplicate != NULL) {
        size_t index = 0;
        bool met = count_keys(json->root, duplicate, &index);
        assert(met && index < json->key_count && json->keys[index] < length);
        (void)met;
        (void)length;
        *error = pc_json_locate(text, PC_JSON_DUPLICATE, json->keys[index]);
        return -EINVAL;
    }
    pc_free(json->keys);
    json->keys = NULL;
    json->key_count = 0;
    return 0;
}

void pc_json_clear(pc_json *json)
{
    cJSON_Delete(json->root);
    for (size_t i = 0; i < json->array_count; i++)
        pc_samples_clear(&json->arrays[i]);
    pc_free(json->arrays);
    pc_free(json->entries);
    pc_free(json->skeleton);
    pc_free(json->keys);
    *json = (pc_json){0};
}

const pc_json_entry *pc_json_entry_of(const pc_json *json, const cJSON *node)
{
    assert(cJSON_IsNumber(node) && node->valueint >= 0 && (size_t)node->valueint < json->entry_count);
    return &json->entries[node->valueint];
}
