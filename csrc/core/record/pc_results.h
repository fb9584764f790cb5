// SPDX-License-Identifier: MIT
// A results file (pytest-benchmark's JSON, as it and we save it) taken apart: the samples of every benchmark,
// benchmarks[*].stats.data, as doubles, and the rest as a tree. Which keys a results file needs is for the caller to
// check: here any strict JSON is read. Two steps, with the thread contract of pc_json.h. Times in the file are seconds.
#ifndef PC_RESULTS_H
#define PC_RESULTS_H

#include "record/pc_json.h"

// Like pc_json_scan, capturing the samples.
int pc_results_scan(const char *text, size_t length, pc_json *json, pc_json_error *error) PC_NODISCARD;

// Take the samples of an entry out of `json`, which is left with none in their place.
pc_samples pc_results_take(pc_json *json, const pc_json_entry *entry);

#endif
