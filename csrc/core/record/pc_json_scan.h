// SPDX-License-Identifier: MIT
// What the files of pc_json share: strings (UTF-8, escapes, control characters), and where an error is. Internal to
// csrc/core/record. Thread contract: any thread.
#ifndef PC_JSON_SCAN_H
#define PC_JSON_SCAN_H

#include "record/pc_json.h"

// The length of the valid UTF-8 sequence that `at` begins with (1 to 4), or 0. No surrogates, nothing overlong.
size_t pc_json_utf8(const char *at, const char *end);

// Read the escape whose backslash is at *at (a surrogate pair is one escape). *at is past it and *point is its code
// point on PC_JSON_FINE; *at is at the offending byte else. NUL is the caller's to judge.
pc_json_code pc_json_escape(const char **at, const char *end, uint32_t *point) PC_NODISCARD;

// Check the string whose opening quote is at `at`. *after is just past its closing quote on PC_JSON_FINE, and at the
// offending byte else.
pc_json_code pc_json_string(const char *at, const char *end, const char **after) PC_NODISCARD;

// An error at a byte offset, with its line and column.
pc_json_error pc_json_locate(const char *text, pc_json_code code, size_t offset);

#endif
