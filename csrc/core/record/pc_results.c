// SPDX-License-Identifier: MIT
// Results files (see the header).
#include "record/pc_results.h"

int pc_results_scan(const char *text, size_t length, pc_json *json, pc_json_error *error)
{
    static const char *const samples[] = {"benchmarks", "*", "stats", "data", NULL};
    return pc_json_scan(text, length, samples, json, error);
}

pc_samples pc_results_take(pc_json *json, const pc_json_entry *entry)
{
    assert(entry->kind == PC_JSON_SAMPLES && entry->at < json->array_count);
    pc_samples taken = json->arrays[entry->at];
    pc_samples_init(&json->arrays[entry->at]);
    return taken;
}
