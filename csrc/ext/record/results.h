// SPDX-License-Identifier: MIT
// The tree of pc_json as Python objects, for the bindings that read JSON through cJSON. With the GIL held.
#ifndef PC_EXT_RESULTS_H
#define PC_EXT_RESULTS_H

#include "ext.h"
#include "record/pc_json.h"

// Convert a tree that pc_json_build made; `text` is what was scanned. Captured samples move out of `json`, which the
// caller clears afterwards. NULL with an exception.
PyObject *results_tree(core_state *state, pc_json *json, const char *text);

#endif
