// SPDX-License-Identifier: MIT
// The upper storey: what the bindings share. Each type has one file that ends with its methods, slots, spec and a
// `<type>_setup` that module.c calls; each converts arguments, calls the core, and raises. No algorithm lives here.
//
// Contract: every function is called with the GIL held. State is per module object, so sub-interpreters do not share
// it.
#ifndef PC_EXT_H
#define PC_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "base/pc_common.h"
#include "measure/pc_tsc.h"

typedef struct core_state {
    PyTypeObject *samples_type;
    PyTypeObject *round_loop_type;
    PyTypeObject *windowed_type;
    PyTypeObject *process_type;
    PyTypeObject *process_metrics_type;
    PyTypeObject *metrics_sampler_type;
    PyTypeObject *event_counter_type;
    PyTypeObject *ring_type;
    PyTypeObject *priority_ring_type;
    PyTypeObject *ring_await_type;
    PyObject *ring_await_spare; // one that has ended, for the next; see workload/ring_await.c
    PyTypeObject *endpoint_type;
    PyTypeObject *router_type;
    PyTypeObject *shm_ring_type;
    PyTypeObject *message_type;
    PyTypeObject *history_type;
    PyTypeObject *history_iterator_type;
    PyObject *message_names;   // tuple of str: the fields
    uint64_t message_id;       // the next one; see workload/message.h
    unsigned message_forks;    // the forks that were counted when it was drawn; 0 before
    pc_tsc tsc;                // CLOCK_MONOTONIC by the processor's counter, where that is sound
    PyObject *stats_names;     // tuple of str: the keys of summarize()'s dict
    PyObject *getsizeof;       // sys.getsizeof
    PyObject *core_error;      // perfcore.errors.PerfcoreError, imported when first raised
    PyObject *json_error;      // JSONError, of results.c
    PyObject *route_error;     // perfcore.errors.RouteError, imported when first raised
    PyObject *queue_full;      // of the module queue, imported when first raised
    PyObject *queue_empty;     // the same
    PyObject *segment_error;   // perfcore.errors.SegmentError, imported when first raised
    PyObject *closed_error;    // perfcore.errors.Closed, imported when first raised
    struct codec_state *codec; // of workload/codec.h
} core_state;

extern struct PyModuleDef core_module;

// The state of the module that `type` (or its heap base) was made in. Never fails for a type of ours.
static inline core_state *core_state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &core_module);
    assert(module != NULL);
    return (core_state *)PyModule_GetState(module);
}

// The state of the module object itself.
static inline core_state *core_state_of_module(PyObject *module)
{
    core_state *state = (core_state *)PyModule_GetState(module);
    assert(state != NULL);
    return state;
}

// Raise what a negative errno from the core means: MemoryError for -ENOMEM, OSError otherwise. Returns NULL.
PyObject *core_raise_errno(int status);

// Make a heap type in `module`, add it under its name, and store it in *slot. 0, or -1 with an exception.
int core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot) PC_NODISCARD;

// Add a tuple of `count` names to the module, as its attribute `attribute`. 0, or -1 with an exception.
int core_add_names(PyObject *module, const char *attribute, int count, const char *(*name_of)(int)) PC_NODISCARD;

// One for each file of bindings: add its types and functions to the module. 0, or -1 with an exception.
int clock_setup(PyObject *module) PC_NODISCARD;
int codec_setup(PyObject *module) PC_NODISCARD;
int process_setup(PyObject *module) PC_NODISCARD;
int counters_setup(PyObject *module) PC_NODISCARD;
int heap_setup(PyObject *module) PC_NODISCARD;
int groups_setup(PyObject *module) PC_NODISCARD;
int metrics_sampler_setup(PyObject *module) PC_NODISCARD;
int round_loop_setup(PyObject *module) PC_NODISCARD;
int samples_setup(PyObject *module) PC_NODISCARD;
int stats_setup(PyObject *module) PC_NODISCARD;
int ring_setup(PyObject *module) PC_NODISCARD;
int priority_ring_setup(PyObject *module) PC_NODISCARD; // after ring_setup
int ring_await_setup(PyObject *module) PC_NODISCARD;
int endpoint_setup(PyObject *module) PC_NODISCARD;
int router_setup(PyObject *module) PC_NODISCARD;
int shm_ring_setup(PyObject *module) PC_NODISCARD;
int message_setup(PyObject *module) PC_NODISCARD; // after codec_setup
int history_setup(PyObject *module) PC_NODISCARD;
int results_setup(PyObject *module) PC_NODISCARD;
int verdict_setup(PyObject *module) PC_NODISCARD;
int pairs_setup(PyObject *module) PC_NODISCARD;
int rank_setup(PyObject *module) PC_NODISCARD;
int windowed_setup(PyObject *module) PC_NODISCARD;
int levels_setup(PyObject *module) PC_NODISCARD;

// Free the spare of the rings' awaitables.
void ring_await_clear(core_state *state);

// What the codecs keep in the state.
int codec_traverse(core_state *state, visitproc visit, void *arg) PC_NODISCARD;
void codec_clear(core_state *state);

#endif
