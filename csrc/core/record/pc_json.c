// SPDX-License-Identifier: MIT
// The scanner of pc_json: one pass over the text by recursive descent, at most PC_JSON_MAX_DEPTH deep. It checks
// everything, and writes the skeleton, the table of numbers and the arrays of doubles. Single owner.
#include "record/pc_json.h"

#include <string.h>

#include "base/pc_alloc.h"
#include "record/pc_json_scan.h"
#include "record/pc_number.h"

enum { OFF_PATH = -1, INDEX_TEXT = 24 };

typedef struct scanner {
    const char *text;
    const char *at; // never past `end`; where an error is, once there is one
    const char *end;
    pc_json_path path;
    pc_json json;
    size_t skeleton_capacity, entry_capacity, array_capacity, key_capacity;
    size_t values;
    pc_json_code code;
} scanner;

static int refuse(scanner *scan, pc_json_code code, const char *at)
{
    scan->code = code;
    scan->at = at;
    return -EINVAL;
}

// Make room for one more element than `count`, by half as much again.
static int grow(void **block, size_t *capacity, size_t count, size_t extra, size_t size)
{
    size_t wanted;
    if (__builtin_add_overflow(count, extra, &wanted))
        return -ENOMEM;
    if (PC_LIKELY(*block != NULL && wanted <= *capacity))
        return 0;
    size_t bigger = *capacity + *capacity / 2 + 16;
    if (bigger < wanted)
        bigger = wanted;
    void *moved = pc_realloc(*block, bigger, size);
    if (moved == NULL)
        return -ENOMEM;
    *block = moved;
    *capacity = bigger;
    return 0;
}

static int emit(scanner *scan, const char *text, size_t length)
{
    void *block = scan->json.skeleton;
    int status = grow(&block, &scan->skeleton_capacity, scan->json.skeleton_length, length, 1);
    scan->json.skeleton = block;
    if (status < 0)
        return status;
    assert(scan->json.skeleton != NULL && length > 0); // there is room for a byte at least, so there is a block
    memcpy(scan->json.skeleton + scan->json.skeleton_length, text, length);
    scan->json.skeleton_length += length;
    return 0;
}

// Put an entry into the table and its index into the skeleton.
static int emit_entry(scanner *scan, pc_json_entry entry)
{
    void *block = scan->json.entries;
    int status = grow(&block, &scan->entry_capacity, scan->json.entry_count, 1, sizeof entry);
    scan->json.entries = block;
    if (status < 0)
        return status;
    char digits[INDEX_TEXT];
    size_t first = sizeof digits, index = scan->json.entry_count;
    do
        digits[--first] = (char)('0' + index % 10);
    while ((index /= 10) > 0);
    scan->json.entries[scan->json.entry_count++] = entry;
    return emit(scan, digits + first, sizeof digits - first);
}

static inline void skip_space(scanner *scan)
{
    const char *at = scan->at;
    const char *end = scan->end;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r')) {
        at++;
        // Indented files are mostly blanks: eight at a time.
        uint64_t word;
        while (end - at >= 8 && (memcpy(&word, at, sizeof word), word == 0x2020202020202020u))
            at += 8;
    }
    scan->at = at;
}

// Say why the byte at scan->at cannot begin a value, or cannot stand where it does.
static int unexpected(scanner *scan)
{
    const char *at = scan->at;
    if (at == scan->end)
        return refuse(scan, PC_JSON_TRUNCATED, at);
    if (pc_json_utf8(at, scan->end) == 0)
        return refuse(scan, PC_JSON_NOT_UTF8, at);
    return refuse(scan, PC_JSON_UNEXPECTED, at);
}

// True if `word` stands at scan->at, or as much of it as there is text.
static bool stands(const scanner *scan, const char *word)
{
    size_t length = strlen(word);
    size_t left = (size_t)(scan->end - scan->at);
    return memcmp(scan->at, word, left < length ? left : length) == 0;
}

static int scan_literal(scanner *scan, const char *word)
{
    size_t length = strlen(word);
    if (!stands(scan, word))
        return unexpected(scan);
    if ((size_t)(scan->end - scan->at) < length)
        return refuse(scan, PC_JSON_TRUNCATED, scan->end);
    scan->at += length;
    return emit(scan, word, length);
}

static bool in_number(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '+' || byte == '-' || byte == '.' || byte == 'e' || byte == 'E';
}

// Say what is wrong with the number at scan->at.
static int bad_number(scanner *scan, int status)
{
    if (status == -ENOMEM)
        return status;
    const char *at = scan->at;
    if (status == -ERANGE)
        return refuse(scan, PC_JSON_RANGE, at);
    const char *sign = at;
    while (at < scan->end && in_number(*at))
        at++;
    if (at == scan->end)
        return refuse(scan, PC_JSON_TRUNCATED, at);
    if (*sign == '-' && at == sign + 1 && *at == 'I')
        return refuse(scan, PC_JSON_NOT_FINITE, sign);
    return refuse(scan, PC_JSON_NUMBER, sign);
}

// Read a number of which nothing is left over: `01` and `1.5.2` are refused.
static int read_number(scanner *scan, pc_number *number)
{
    int status = pc_number_read(scan->at, (size_t)(scan->end - scan->at), number);
    if (PC_UNLIKELY(status < 0))
        return status;
    const char *after = scan->at + number->length;
    return after < scan->end && in_number(*after) ? -EINVAL : 0;
}

static int scan_number(scanner *scan)
{
    pc_number number;
    int status = read_number(scan, &number);
    if (status < 0)
        return bad_number(scan, status);
    pc_json_entry entry = {
        .kind = number.integer ? PC_JSON_INTEGER : PC_JSON_FLOAT,
        .value = number.value,
        .at = (size_t)(scan->at - scan->text),
        .length = number.length,
    };
    scan->at += number.length;
    return emit_entry(scan, entry);
}

// Read the array at scan->at into `values`. 0; -ENOMEM; -EINVAL with anything but well-formed numbers in it, and then
// scan->at is where it was.
static int read_samples(scanner *scan, pc_samples *values)
{
    const char *start = scan->at++;
    int status = 0;
    skip_space(scan);
    bool more = scan->at == scan->end || *scan->at != ']';
    while (more && status == 0) {
        pc_number number;
        skip_space(scan);
        if ((status = read_number(scan, &number)) < 0 || (status = pc_samples_push(values, number.value)) < 0)
            break;
        scan->at += number.length;
        skip_space(scan);
        if (scan->at == scan->end || (*scan->at != ',' && *scan->at != ']'))
            status = -EINVAL;
        else if (*scan->at == ',')
            scan->at++;
        else
            more = false;
    }
    if (status == 0) {
        scan->at++; // the bracket
        return 0;
    }
    scan->at = start;
    return status == -ENOMEM ? status : -EINVAL;
}

// The array at scan->at is at the path: capture it. -EINVAL, without an error set, if it holds something else.
static int scan_samples(scanner *scan)
{
    pc_samples values;
    pc_samples_init(&values);
    int status = read_samples(scan, &values);
    if (status == 0) {
        void *block = scan->json.arrays;
        status = grow(&block, &scan->array_capacity, scan->json.array_count, 1, sizeof values);
        scan->json.arrays = block;
    }
    if (status < 0) {
        pc_samples_clear(&values);
        return status;
    }
    if (values.length > 0) { // give back what growing by half left over
        double *fitting = pc_realloc(values.data, values.length, sizeof *fitting);
        if (fitting != NULL) {
            values.data = fitting;
            values.capacity = values.length;
        }
    }
    size_t index = scan->json.array_count++;
    scan->json.arrays[index] = values; // owned by the scanner from here on
    return emit_entry(scan, (pc_json_entry){.kind = PC_JSON_SAMPLES, .at = index});
}

static int scan_value(scanner *scan, int depth, int place);

// Check a key, note where it is, and tell in *place where its value is: further along the path, or off it.
static int scan_key(scanner *scan, int *place)
{
    const char *start = scan->at;
    if (start == scan->end || *start != '"')
        return unexpected(scan);
    const char *after;
    pc_json_code code = pc_json_string(start, scan->end, &after);
    if (code != PC_JSON_FINE)
        return refuse(scan, code, after);
    void *block = scan->json.keys;
    int status = grow(&block, &scan->key_capacity, scan->json.key_count, 1, sizeof *scan->json.keys);
    scan->json.keys = block;
    if (status < 0)
        return status;
    scan->json.keys[scan->json.key_count++] = (size_t)(start - scan->text);
    if (*place != OFF_PATH) {
        const char *wanted = scan->path[*place];
        size_t length = (size_t)(after - start) - 2;
        bool same = wanted != NULL && strlen(wanted) == length && memcmp(start + 1, wanted, length) == 0;
        *place = same ? *place + 1 : OFF_PATH;
    }
    scan->at = after;
    return emit(scan, start, (size_t)(after - start));
}

// The object or array at scan->at; `place` counts the elements of the path that led here.
static int scan_container(scanner *scan, int depth, int place)
{
    bool object = *scan->at == '{';
    char close = object ? '}' : ']';
    if (depth == PC_JSON_MAX_DEPTH)
        return refuse(scan, PC_JSON_DEPTH, scan->at);
    int status = emit(scan, scan->at++, 1);
    if (!object && place != OFF_PATH) {
        const char *wanted = scan->path[place];
        place = wanted != NULL && strcmp(wanted, "*") == 0 ? place + 1 : OFF_PATH;
    }
    skip_space(scan);
    if (status == 0 && scan->at < scan->end && *scan->at == close)
        return emit(scan, scan->at++, 1);
    while (status == 0) {
        int below = place;
        skip_space(scan);
        if (object) {
            if ((status = scan_key(scan, &below)) < 0)
                break;
            skip_space(scan);
            if (scan->at == scan->end || *scan->at != ':')
                return unexpected(scan);
            if ((status = emit(scan, scan->at++, 1)) < 0)
                break;
            skip_space(scan);
        }
        if ((status = scan_value(scan, depth + 1, below)) < 0)
            break;
        skip_space(scan);
        if (scan->at == scan->end || (*scan->at != ',' && *scan->at != close))
            return unexpected(scan);
        bool last = *scan->at == close;
        status = emit(scan, scan->at++, 1);
        if (last)
            break;
    }
    return status;
}

static int scan_value(scanner *scan, int depth, int place)
{
    if (++scan->values > PC_JSON_MAX_VALUES)
        return refuse(scan, PC_JSON_VALUES, scan->at);
    if (scan->at == scan->end)
        return unexpected(scan);
    switch (*scan->at) {
    case '[':
        if (place != OFF_PATH && scan->path[place] == NULL) {
            int status = scan_samples(scan);
            if (status != -EINVAL)
                return status;
        }
        return scan_container(scan, depth, place);
    case '{':
        return scan_container(scan, depth, place);
    case '"': {
        const char *start = scan->at;
        const char *after;
        pc_json_code code = pc_json_string(start, scan->end, &after);
        if (code != PC_JSON_FINE)
            return refuse(scan, code, after);
        scan->at = after;
        return emit(scan, start, (size_t)(after - start));
    }
    case 't':
        return scan_literal(scan, "true");
    case 'f':
        return scan_literal(scan, "false");
    case 'n':
        return scan_literal(scan, "null");
    case 'N':
    case 'I':
        if (stands(scan, "NaN") || stands(scan, "Infinity"))
            return refuse(scan, PC_JSON_NOT_FINITE, scan->at);
        return unexpected(scan);
    default:
        return in_number(*scan->at) && *scan->at != 'e' && *scan->at != 'E' ? scan_number(scan) : unexpected(scan);
    }
}

static int scan_text(scanner *scan)
{
    if (scan->end - scan->at >= 3 && memcmp(scan->at, "\xEF\xBB\xBF", 3) == 0)
        return refuse(scan, PC_JSON_MARK, scan->at);
    skip_space(scan);
    if (scan->at == scan->end)
        return refuse(scan, PC_JSON_EMPTY, scan->at);
    int status = scan_value(scan, 0, scan->path != NULL ? 0 : OFF_PATH);
    if (status < 0)
        return status;
    skip_space(scan);
    return scan->at == scan->end ? 0 : refuse(scan, PC_JSON_TRAILING, scan->at);
}

int pc_json_scan(const char *text, size_t length, pc_json_path path, pc_json *json, pc_json_error *error)
{
    scanner scan = {.text = text, .at = text, .end = text + length, .path = path};
    int status = scan_text(&scan);
    if (status == 0) {
        *json = scan.json;
        return 0;
    }
    if (status == -EINVAL)
        *error = pc_json_locate(text, scan.code, (size_t)(scan.at - text));
    pc_json_clear(&scan.json);
    return status;
}
