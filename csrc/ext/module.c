// SPDX-License-Identifier: MIT
// The extension module perfcore._core: its state, its set-up, and the errors that the bindings share.
#include "ext.h"

PyObject *core_raise_errno(int status)
{
    assert(status < 0);
    if (status == -ENOMEM)
        return PyErr_NoMemory();
    errno = -status;
    return PyErr_SetFromErrno(PyExc_OSError);
}

int core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (type == NULL)
        return -1;
    *slot = (PyTypeObject *)type; // the state owns this reference
    return PyModule_AddType(module, *slot);
}

int core_add_names(PyObject *module, const char *attribute, int count, const char *(*name_of)(int))
{
    PyObject *names = PyTuple_New(count);
    for (int i = 0; names != NULL && i < count; i++) {
        PyObject *name = PyUnicode_FromString(name_of(i));
        if (name == NULL)
            Py_CLEAR(names);
        else
            PyTuple_SET_ITEM(names, i, name);
    }
    if (names == NULL)
        return -1;
    int status = PyModule_AddObjectRef(module, attribute, names);
    Py_DECREF(names);
    return status;
}

static int module_exec(PyObject *module)
{
    static int (*const setups[])(PyObject *) = {
        samples_setup, results_setup,       verdict_setup,  round_loop_setup, clock_setup,           stats_setup,
        rank_setup,    windowed_setup,      levels_setup,   process_setup,    metrics_sampler_setup, codec_setup,
        ring_setup,    priority_ring_setup, endpoint_setup, router_setup,     groups_setup,          counters_setup,
        heap_setup,    pairs_setup,         shm_ring_setup, message_setup,    history_setup,         ring_await_setup,
    };
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) {
        if (setups[i](module) < 0)
            return -1;
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *state = core_state_of_module(module);
    Py_VISIT(state->samples_type);
    Py_VISIT(state->round_loop_type);
    Py_VISIT(state->windowed_type);
    Py_VISIT(state->process_type);
    Py_VISIT(state->process_metrics_type);
    Py_VISIT(state->metrics_sampler_type);
    Py_VISIT(state->event_counter_type);
    Py_VISIT(state->stats_names);
    Py_VISIT(state->getsizeof);
    Py_VISIT(state->core_error);
    Py_VISIT(state->json_error);
    Py_VISIT(state->ring_type);
    Py_VISIT(state->priority_ring_type);
    Py_VISIT(state->ring_await_type);
    Py_VISIT(state->ring_await_spare);
    Py_VISIT(state->queue_full);
    Py_VISIT(state->endpoint_type);
    Py_VISIT(state->router_type);
    Py_VISIT(state->shm_ring_type);
    Py_VISIT(state->segment_error);
    Py_VISIT(state->message_type);
    Py_VISIT(state->message_names);
    Py_VISIT(state->history_type);
    Py_VISIT(state->history_iterator_type);
    Py_VISIT(state->route_error);
    Py_VISIT(state->queue_empty);
    Py_VISIT(state->closed_error);
    return codec_traverse(state, visit, arg);
}

static int module_clear(PyObject *module)
{
    core_state *state = core_state_of_module(module);
    Py_CLEAR(state->samples_type);
    Py_CLEAR(state->round_loop_type);
    Py_CLEAR(state->windowed_type);
    Py_CLEAR(state->process_type);
    Py_CLEAR(state->process_metrics_type);
    Py_CLEAR(state->metrics_sampler_type);
    Py_CLEAR(state->event_counter_type);
    Py_CLEAR(state->stats_names);
    Py_CLEAR(state->getsizeof);
    Py_CLEAR(state->core_error);
    Py_CLEAR(state->json_error);
    codec_clear(state);
    Py_CLEAR(state->ring_type);
    Py_CLEAR(state->priority_ring_type);
    ring_await_clear(state);
    Py_CLEAR(state->ring_await_type);
    Py_CLEAR(state->queue_full);
    Py_CLEAR(state->endpoint_type);
    Py_CLEAR(state->router_type);
    Py_CLEAR(state->shm_ring_type);
    Py_CLEAR(state->segment_error);
    Py_CLEAR(state->message_type);
    Py_CLEAR(state->message_names);
    Py_CLEAR(state->history_type);
    Py_CLEAR(state->history_iterator_type);
    Py_CLEAR(state->route_error);
    Py_CLEAR(state->queue_empty);
    Py_CLEAR(state->closed_error);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

PyDoc_STRVAR(module_doc, "The C core of perfcore: timing loops, samples, statistics, reading of results, verdicts.");

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,   .m_name = "perfcore._core",    .m_doc = module_doc,     .m_size = sizeof(core_state),
    .m_slots = module_slots, .m_traverse = module_traverse, .m_clear = module_clear, .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void); // CPython's headers declare no prototype for it

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
