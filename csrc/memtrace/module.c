// SPDX-License-Identifier: MIT
// The extension module perfcore._memtrace: the allocation hooks, apart from perfcore._core because they belong to the
// whole process. It keeps no state per module, and one interpreter alone may have it.
#include "memtrace.h"

PyDoc_STRVAR(module_doc, "Allocations of this process, counted in CPython's allocator hooks.");

static int module_exec(PyObject *module)
{
    // 3.11 has no slot to say this with.
    if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
        PyErr_SetString(PyExc_ImportError, "perfcore._memtrace counts for the whole process and can be imported by the "
                                           "main interpreter alone; import it there");
        return -1;
    }
    return tracker_setup(module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef memtrace_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "perfcore._memtrace",
    .m_doc = module_doc,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__memtrace(void); // CPython's headers declare no prototype for it

PyMODINIT_FUNC PyInit__memtrace(void)
{
    return PyModuleDef_Init(&memtrace_module);
}
