// SPDX-License-Identifier: MIT
// pc_json, pc_results: what is accepted and refused, where errors are said to be, every allocation failing once
// (cJSON's through its own hooks, which only a test may set), and the locale left out of it.
#include "check.h"
#include "failing_malloc.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "record/pc_number.h"
#include "record/pc_results.h"

static int read_text(const char *text, size_t length, pc_json *json, pc_json_error *error)
{
    int status = pc_results_scan(text, length, json, error);
    if (status == 0) {
        status = pc_json_build(json);
        if (status == 0)
            status = pc_json_check(json, text, length, error);
        if (status < 0)
            pc_json_clear(json);
    }
    return status;
}

typedef struct refusal {
    const char *text;
    pc_json_code code;
    size_t line, column;
} refusal;

static void test_refusals(void)
{
    static const refusal refusals[] = {
        {"", PC_JSON_EMPTY, 1, 1},
        {" \n ", PC_JSON_EMPTY, 2, 2},
        {"[1,\n 2", PC_JSON_TRUNCATED, 2, 3},
        {"{\"a\"", PC_JSON_TRUNCATED, 1, 5},
        {"\"a", PC_JSON_TRUNCATED, 1, 3},
        {"\"a\\", PC_JSON_TRUNCATED, 1, 3},
        {"\"\\u12", PC_JSON_TRUNCATED, 1, 2},
        {"tru", PC_JSON_TRUNCATED, 1, 4},
        {"-", PC_JSON_TRUNCATED, 1, 2},
        {"1.", PC_JSON_TRUNCATED, 1, 3},
        {"[1,]", PC_JSON_UNEXPECTED, 1, 4},
        {"[,1]", PC_JSON_UNEXPECTED, 1, 2},
        {"{\"a\":1,}", PC_JSON_UNEXPECTED, 1, 8},
        {"{a:1}", PC_JSON_UNEXPECTED, 1, 2},
        {"{\"a\" 1}", PC_JSON_UNEXPECTED, 1, 6},
        {"[1 2]", PC_JSON_UNEXPECTED, 1, 4},
        {"[1}", PC_JSON_UNEXPECTED, 1, 3},
        {"'a'", PC_JSON_UNEXPECTED, 1, 1},
        {"truth", PC_JSON_UNEXPECTED, 1, 1},
        {"\"\xE2\x82\xAC\" \xE2\x82\xAC", PC_JSON_TRAILING, 1, 5},
        {"[\xE2\x82\xAC]", PC_JSON_UNEXPECTED, 1, 2},
        {"1 2", PC_JSON_TRAILING, 1, 3},
        {"[]]", PC_JSON_TRAILING, 1, 3},
        {"\xEF\xBB\xBF[]", PC_JSON_MARK, 1, 1},
        {"\xFF\xFE[", PC_JSON_NOT_UTF8, 1, 1},
        {"\"\xE2\x82\xAC\x80\"", PC_JSON_NOT_UTF8, 1, 3},
        {"\"\xC0\x80\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xED\xA0\x80\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xF4\x90\x80\x80\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xE0\x9F\x80\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xF0\x8F\x80\x80\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xE2\x82", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xE2\x82z\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"\xF0\x9F\x98z\"", PC_JSON_NOT_UTF8, 1, 2},
        {"\"a\nb\"", PC_JSON_CONTROL, 1, 3},
        {"\"\\x\"", PC_JSON_ESCAPE, 1, 2},
        {"\"\\u12g4\"", PC_JSON_ESCAPE, 1, 2},
        {"\"\\u12g4", PC_JSON_ESCAPE, 1, 2},
        {"\"\\ud800\"", PC_JSON_SURROGATE, 1, 2},
        {"\"\\udc00\"", PC_JSON_SURROGATE, 1, 2},
        {"\"\\ud800\\u0041\"", PC_JSON_SURROGATE, 1, 2},
        {"\"\\ud800\\ue000\"", PC_JSON_SURROGATE, 1, 2},
        {"\"a\\u0000\"", PC_JSON_NUL, 1, 3},
        {"[01]", PC_JSON_NUMBER, 1, 2},
        {"[1.]", PC_JSON_NUMBER, 1, 2},
        {"[.5]", PC_JSON_NUMBER, 1, 2},
        {"[+1]", PC_JSON_NUMBER, 1, 2},
        {"[1e]", PC_JSON_NUMBER, 1, 2},
        {"[1e+]", PC_JSON_NUMBER, 1, 2},
        {"[1.2.3]", PC_JSON_NUMBER, 1, 2},
        {"[--1]", PC_JSON_NUMBER, 1, 2},
        {"[NaN]", PC_JSON_NOT_FINITE, 1, 2},
        {"[-Infinity]", PC_JSON_NOT_FINITE, 1, 2},
        {"[Infinity]", PC_JSON_NOT_FINITE, 1, 2},
        {"[1e400]", PC_JSON_RANGE, 1, 2},
        {"{\"a\":{\"b\":1},\"\\u0061\":2}", PC_JSON_DUPLICATE, 1, 14},
        {"[{\"a\":1},{\"b\":{\"x\":0,\"y\":{},\"x\":0}}]", PC_JSON_DUPLICATE, 1, 29},
        {"{\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\n\"4\":0}", PC_JSON_DUPLICATE, 2,
         1},
        {"{\"benchmarks\":[{\"stats\":{\"data\":[1,\nNaN]}}]}", PC_JSON_NOT_FINITE, 2, 1},
        {"{\"benchmarks\":[{\"stats\":{\"data\":[1,1e999", PC_JSON_RANGE, 1, 36},
        {"{\"benchmarks\":[{\"stats\":{\"data\":[1,2", PC_JSON_TRUNCATED, 1, 37},
        {"{\"benchmarks\":[{\"stats\":{\"data\":[1,]", PC_JSON_UNEXPECTED, 1, 36},
        {"{\"benchmarks\":[{\"stats\":{\"data\":[01]", PC_JSON_NUMBER, 1, 34},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const refusal *want = &refusals[i];
        pc_json json = {0};
        pc_json_error error = {0};
        int status = read_text(want->text, strlen(want->text), &json, &error);
        CHECK(status == -EINVAL);
        bool right = error.code == want->code && error.line == want->line && error.column == want->column;
        if (!right)
            printf("%s: code %d (%s), line %zu, column %zu\n", want->text, (int)error.code, pc_json_reason(error.code),
                   error.line, error.column);
        CHECK(right);
        CHECK(json.root == NULL && json.entries == NULL);
        CHECK(strcmp(pc_json_reason(error.code), "no error") != 0);
    }
    pc_json json = {0};
    pc_json_error error = {0};
    CHECK(read_text("[\"\0\"]", 5, &json, &error) == -EINVAL && error.code == PC_JSON_CONTROL && error.offset == 2);
    CHECK(read_text("\0", 1, &json, &error) == -EINVAL && error.code == PC_JSON_UNEXPECTED);
}

static void test_depth(void)
{
    char text[2 * PC_JSON_MAX_DEPTH + 2];
    pc_json json = {0};
    pc_json_error error = {0};
    memset(text, '[', PC_JSON_MAX_DEPTH);
    memset(text + PC_JSON_MAX_DEPTH, ']', PC_JSON_MAX_DEPTH);
    CHECK(read_text(text, (size_t)2 * PC_JSON_MAX_DEPTH, &json, &error) == 0);
    pc_json_clear(&json);
    memset(text, '[', PC_JSON_MAX_DEPTH + 1);
    memset(text + PC_JSON_MAX_DEPTH + 1, ']', PC_JSON_MAX_DEPTH + 1);
    CHECK(read_text(text, (size_t)2 * PC_JSON_MAX_DEPTH + 2, &json, &error) == -EINVAL);
    CHECK(error.code == PC_JSON_DEPTH && error.offset == PC_JSON_MAX_DEPTH);
}

// One key twice among many, in any order.
static void test_duplicates(void)
{
    unsigned state = 7;
    bool right = true;
    for (int round = 0; round < 500; round++) {
        char text[512] = "{\n";
        int keys[40], count = 9 + round % 31;
        for (int i = 0; i < count; i++) {
            keys[i] = i;
            state = state * 1103515245u + 12345u;
            int other = (int)(state >> 16) % (i + 1);
            keys[i] = keys[other];
            keys[other] = i;
        }
        int first = (int)(state >> 8) % (count - 1), second = first + 1 + (int)(state >> 4) % (count - 1 - first);
        keys[second] = keys[first];
        size_t length = 2;
        for (int i = 0; i < count; i++) // each on a line of its own
            length += (size_t)snprintf(text + length, sizeof text - length, "\"%d\":0%s\n", keys[i],
                                       i + 1 < count ? "," : "}");
        pc_json json = {0};
        pc_json_error error = {0};
        right = right && read_text(text, length, &json, &error) == -EINVAL && error.code == PC_JSON_DUPLICATE &&
                error.line == (size_t)second + 2;
    }
    CHECK(right);
}

// Each value costs memory: past the most that are read, what there are more of is refused where it begins.
static void test_too_many_values(void)
{
    const size_t length = 1 + 3 * (size_t)PC_JSON_MAX_VALUES;
    char *text = malloc(length);
    CHECK(text != NULL);
    if (text == NULL)
        return;
    text[0] = '[';
    for (size_t at = 1; at < length; at += 3)
        memcpy(text + at, "[],", 3);
    pc_json json = {0};
    pc_json_error error = {0};
    CHECK(pc_results_scan(text, length, &json, &error) == -EINVAL && error.code == PC_JSON_VALUES);
    CHECK(error.offset == length - 3 && json.skeleton == NULL);
    free(text);
}

// Samples are at the path alone: neither below an array more, nor below one key less or more.
static void test_the_path(void)
{
    static const struct {
        const char *text;
        size_t arrays;
    } texts[] = {
        {"{\"benchmarks\":[{\"stats\":{\"data\":[1]}},{\"stats\":{\"data\":[]}}]}", 2},
        {"[[{\"stats\":{\"data\":[1]}}]]", 0},
        {"{\"benchmarks\":[[{\"data\":[1]}]]}", 0},
        {"{\"benchmarks\":[{\"stats\":[[1]]}]}", 0},
        {"{\"benchmarks\":[{\"stat\":{\"data\":[1]},\"statss\":{\"data\":[1]},\"stats\":{\"dat\":[1]}}]}", 0},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        pc_json json = {0};
        pc_json_error error = {0};
        CHECK(read_text(texts[i].text, strlen(texts[i].text), &json, &error) == 0);
        CHECK(json.array_count == texts[i].arrays);
        pc_json_clear(&json);
    }
}

static const char good[] =
    "{\"benchmarks\": [{\"name\": \"\\u20ac\\ud83d\\ude00\", \"params\": [1, 2], \"stats\": {\"median\": 2.5e-7, "
    "\"data\": [ 1.5 ,2.4691357802469136e-07,\n                    3, -0.0]}},"
    " {\"stats\": {\"data\": []}}, {\"stats\": {\"data\": [1, null]}}], "
    "\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":true,\"i\":false,\"big\": 123456789012345678901}";

static void test_accepts(void)
{
    pc_json json = {0};
    pc_json_error error = {0};
    CHECK(read_text(good, sizeof good - 1, &json, &error) == 0);
    CHECK(json.array_count == 2 && json.skeleton == NULL && json.keys == NULL);
    const cJSON *benchmarks = cJSON_GetObjectItemCaseSensitive(json.root, "benchmarks");
    const cJSON *first = cJSON_GetArrayItem(benchmarks, 0);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(first, "name");
    CHECK(strcmp(name->valuestring, "\xE2\x82\xAC\xF0\x9F\x98\x80") == 0);
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(first, "params");
    CHECK(cJSON_IsArray(params) && cJSON_GetArraySize(params) == 2); // not at the path: an array like any other
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(first, "stats");
    const pc_json_entry *median = pc_json_entry_of(&json, cJSON_GetObjectItemCaseSensitive(stats, "median"));
    CHECK(median->kind == PC_JSON_FLOAT && median->value == 2.5e-7);
    const pc_json_entry *data = pc_json_entry_of(&json, cJSON_GetObjectItemCaseSensitive(stats, "data"));
    CHECK(data->kind == PC_JSON_SAMPLES);
    pc_samples values = pc_results_take(&json, data);
    CHECK(values.length == 4 && values.capacity == 4 && values.data[1] == 2.4691357802469136e-07);
    CHECK(values.data[3] == 0.0 && signbit(values.data[3]));
    pc_samples_clear(&values);
    const pc_json_entry *big = pc_json_entry_of(&json, cJSON_GetObjectItemCaseSensitive(json.root, "big"));
    CHECK(big->kind == PC_JSON_INTEGER && strncmp(good + big->at, "123456789012345678901}", big->length + 1) == 0);
    pc_json_clear(&json);
    CHECK(json.root == NULL);
    pc_json_clear(&json); // twice is allowed
}

static void test_each_allocation_fails(void)
{
    long number = 0;
    for (;; number++) {
        pc_json json = {0};
        pc_json_error error = {0};
        fail_at = number;
        int status = read_text(good, sizeof good - 1, &json, &error);
        bool met = fail_at < 0;
        fail_at = -1;
        pc_json_clear(&json);
        if (!met) {
            CHECK(status == 0);
            break;
        }
        // Giving memory back is the one allocation whose failure costs nothing.
        CHECK(status == -ENOMEM || status == 0);
        CHECK(error.code == PC_JSON_FINE);
    }
    CHECK(number >= 8);
}

static long cjson_fail_at;

static void *cjson_malloc(size_t size)
{
    return cjson_fail_at-- == 0 ? NULL : malloc(size);
}

static void test_cjson_without_memory(void)
{
    cJSON_Hooks hooks = {.malloc_fn = cjson_malloc, .free_fn = free};
    cJSON_InitHooks(&hooks);
    long number = 0;
    for (;; number++) {
        pc_json json = {0};
        pc_json_error error = {0};
        cjson_fail_at = number;
        int status = read_text(good, sizeof good - 1, &json, &error);
        bool met = cjson_fail_at < 0;
        pc_json_clear(&json);
        CHECK(status == (met ? -ENOMEM : 0));
        if (!met)
            break;
    }
    CHECK(number > 40); // a node and a key for each member
    cJSON_InitHooks(NULL);
}

static void test_locale(void)
{
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
    const char *chosen = NULL;
    for (size_t i = 0; i < sizeof commas / sizeof *commas && chosen == NULL; i++)
        chosen = setlocale(LC_ALL, commas[i]);
    pc_number number;
    CHECK(pc_number_read("1.5", 3, &number) == 0 && number.value == 1.5 && number.length == 3);
    CHECK(pc_number_read("1.25e-300", 9, &number) == 0 && number.value > 0 && number.length == 9); // the slow way
    double half = number.value * 1e300;
    CHECK(half > 1.24 && half < 1.26);
    pc_json json = {0};
    pc_json_error error = {0};
    CHECK(read_text(good, sizeof good - 1, &json, &error) == 0);
    pc_json_clear(&json);
    if (chosen == NULL)
        printf("no locale with a decimal comma is installed: the locale test saw \"C\" only\n");
    setlocale(LC_ALL, "C");
}

int main(void)
{
    test_refusals();
    test_depth();
    test_duplicates();
    test_too_many_values();
    test_the_path();
    test_accepts();
    test_locale();
    test_each_allocation_fails();
    test_cjson_without_memory();
    return CHECK_EXIT();
}
