// SPDX-License-Identifier: MIT
// MessageHistory: messages in the order they came, found by agent, topic and time (pc_history does the finding).
//
// Invariants: `names[role]` has exactly the names that an entry of the history has, each with the number of its chain;
// keys are exact strs, so looking one up runs nobody's code. A message is let go when all is in order: its end may use
// the history. Thread contract: the GIL is held; each method is one step for other threads, extend() one per message.
#ifndef PC_EXT_HISTORY_H
#define PC_EXT_HISTORY_H

#include "workload/message.h"
#include "workload/pc_history.h"

typedef struct history_object {
    PyObject_HEAD
    pc_history history;
    PyObject *names[PC_HISTORY_ROLES]; // dicts of str to int
    size_t limit;                      // messages at most; SIZE_MAX for no limit
    unsigned long long dropped;
} history_object;

// The chain of a name that is known; PC_HISTORY_NONE for another. 0, or -1 with an exception.
int history_find_chain(history_object *self, int role, PyObject *name, uint32_t *chain) PC_NODISCARD;

// The method query() (history_query.c).
extern const char history_query_doc[];
PyObject *history_query(history_object *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

#endif
