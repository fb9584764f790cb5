// SPDX-License-Identifier: MIT
// What the bindings of results share, and the tree of pc_json as Python objects, for all that read JSON through cJSON.
// With the GIL held.
#ifndef PC_EXT_RESULTS_H
#define PC_EXT_RESULTS_H

#include "ext.h"
#include "record/pc_json.h"

// Convert a tree that pc_json_build made; `text` is what was scanned. Captured samples move out of
// `json`, which the caller clears afterwards. *twins tells whether an object has a key twice: a dict shows that sooner
// than pc_json_check does. NULL with an exception.
PyObject *results_tree(core_state *state, pc_json *json, const char *text, bool *twins);

// Add what writes results (results_write.c) to the module. 0, or -1 with an exception.
int results_write_setup(PyObject *module) PC_NODISCARD;

#endif
