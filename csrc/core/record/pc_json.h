// SPDX-License-Identifier: MIT
// Strict reading of JSON over cJSON. cJSON alone accepts invalid UTF-8, control characters, `01`, trailing text and
// duplicate keys, keeps 80 bytes for a number, and reads numbers by the locale. So a scanner of ours checks the whole
// text first, puts every number into a table, the large arrays straight into doubles, and hands cJSON a skeleton in
// which each number and array is only its index in the table. What cJSON then refuses can only be want of memory.
//
// Two steps, because only the first is free of shared state: pc_json_scan touches nothing but its arguments;
// pc_json_build calls cJSON, whose parser writes a global of its own, the position of the last error. Calls may run at
// the same time all the same, as those of two interpreters with a GIL each do: they store two words that nothing here
// reads, neither cJSON's parser nor we. Thread contract: any thread, each with a pc_json of its own.
// cJSON allocates with malloc, outside pc_alloc: its hooks are process-wide state that other libraries may use too.
// When it has no memory it frees what it made and returns NULL, which is -ENOMEM here.
#ifndef PC_JSON_H
#define PC_JSON_H

#include "base/pc_common.h"
#include "measure/pc_samples.h"

struct cJSON;

enum {
    PC_JSON_MAX_DEPTH = 200,       // arrays and objects within each other
    PC_JSON_MAX_VALUES = 10000000, // outside the captured arrays; cJSON needs 64 bytes and more for each
};

typedef enum pc_json_code {
    PC_JSON_FINE = 0,
    PC_JSON_EMPTY,      // nothing but white space
    PC_JSON_TRUNCATED,  // the text ends inside the value
    PC_JSON_UNEXPECTED, // a character that cannot stand here
    PC_JSON_TRAILING,   // text after the value
    PC_JSON_MARK,       // a byte order mark
    PC_JSON_NOT_UTF8,
    PC_JSON_CONTROL,   // a raw control character in a string
    PC_JSON_ESCAPE,    // a backslash with something unknown after it
    PC_JSON_SURROGATE, // half of a surrogate pair
    PC_JSON_NUL,       // the escape \u0000, which would cut a C string short
    PC_JSON_NUMBER,    // `01`, `1.`, `.5`, `+1`, …
    PC_JSON_NOT_FINITE,
    PC_JSON_RANGE, // a number beyond the range of double
    PC_JSON_DEPTH,
    PC_JSON_VALUES,
    PC_JSON_DUPLICATE,
    PC_JSON_DIGITS, // an integer too long to convert; of codecs alone
} pc_json_code;

typedef struct pc_json_error {
    pc_json_code code;
    size_t offset; // bytes from the start
    size_t line;   // from 1
    size_t column; // in characters, from 1
} pc_json_error;

typedef enum pc_json_kind { PC_JSON_FLOAT, PC_JSON_INTEGER, PC_JSON_SAMPLES } pc_json_kind;

// What an index in the skeleton stands for.
typedef struct pc_json_entry {
    pc_json_kind kind;
    double value;  // of a number: the nearest double
    size_t at;     // of an integer: where its exact text is; of samples: their index in `arrays`
    size_t length; // of an integer: the length of that text
} pc_json_entry;

typedef struct pc_json {
    struct cJSON *root; // a number in this tree (read with pc_json_entry_of) is an index; strings are true strings
    pc_json_entry *entries;
    size_t entry_count;
    pc_samples *arrays;
    size_t array_count;
    // Between the two steps only:
    char *skeleton;
    size_t skeleton_length;
    size_t *keys; // the offset of every key, in the order of the text
    size_t key_count;
} pc_json;

// Where the arrays are that go to doubles: the keys from the root, "*" for any element of an array, NULL at the end. An
// array at such a place with anything but numbers in it is read like any other.
typedef const char *const *pc_json_path;

// Check `text` and take it apart; `path` may be NULL. On success `json` owns memory until pc_json_clear.
// -EINVAL: not strict JSON, and *error says where; -ENOMEM. On failure `json` is untouched.
int pc_json_scan(const char *text, size_t length, pc_json_path path, pc_json *json, pc_json_error *error) PC_NODISCARD;

// Make the tree; in it an object may still have a key twice. -ENOMEM. On failure `json` is to be cleared all the same.
int pc_json_build(pc_json *json) PC_NODISCARD;

// Look for a key that an object has twice, for those who do not see that by themselves while they convert the tree.
// `text` is what was scanned, unchanged (an error's position is counted in it). -EINVAL: there is one, and *error says
// where; -ENOMEM. Once.
int pc_json_check(pc_json *json, const char *text, size_t length, pc_json_error *error) PC_NODISCARD;

// Free everything, and make it empty.
void pc_json_clear(pc_json *json);

// The entry that a number of the tree stands for.
const pc_json_entry *pc_json_entry_of(const pc_json *json, const struct cJSON *node);

// What a code means, in words that complete "line 1, column 2: ". Static text.
const char *pc_json_reason(pc_json_code code);

#endif
