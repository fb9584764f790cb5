// SPDX-License-Identifier: MIT
// What a clock costs, how finely it ticks, and the machine's steal time.
#include "ext.h"
#include "measure/pc_clock.h"
#include "measure/pc_preempt.h"
#include "measure/pc_procstat.h"

enum { PAIRS = 4096, STEPS = 1024 };

static int parse_clock(PyObject *argument, clockid_t *clock)
{
    long value = PyLong_AsLong(argument);
    if (value == -1 && PyErr_Occurred())
        return -1;
    if (value < INT_MIN || value > INT_MAX || pc_clock_check((clockid_t)value) < 0) {
        PyErr_Format(PyExc_ValueError, "the kernel knows no clock %ld", value);
        return -1;
    }
    *clock = (clockid_t)value;
    return 0;
}

PyDoc_STRVAR(clock_pair_doc,
             "clock_pair($module, clock, /)\n--\n\n"
             "Return what two readings of the clock in a row cost, in seconds (a float), read as RoundLoop does.");

static PyObject *clock_pair(PyObject *module, PyObject *argument)
{
    clockid_t clock;
    if (parse_clock(argument, &clock) < 0)
        return NULL;
    pc_tsc *tsc = &core_state_of_module(module)->tsc;
    double pair_ns = 0.0;
    int status = clock == CLOCK_MONOTONIC && tsc->usable ? pc_tsc_pair_ns(tsc, PAIRS, &pair_ns)
                                                         : pc_clock_pair_ns(clock, PAIRS, &pair_ns);
    return status < 0 ? core_raise_errno(status) : PyFloat_FromDouble(pair_ns / PC_NS_PER_S);
}

PyDoc_STRVAR(clock_step_doc,
             "clock_step($module, clock, /)\n--\n\n"
             "Return the smallest step between two readings in a row, in seconds; 0.0 if it never moved.");

static PyObject *clock_step(PyObject *Py_UNUSED(module), PyObject *argument)
{
    clockid_t clock;
    if (parse_clock(argument, &clock) < 0)
        return NULL;
    return PyFloat_FromDouble((double)pc_clock_step_ns(clock, STEPS) / PC_NS_PER_S);
}

PyDoc_STRVAR(steal_time_doc,
             "steal_time($module, /)\n--\n\n"
             "Return the steal time of all processors since boot in seconds (ticks of 10 ms), or None where\n"
             "/proc/stat cannot be read.");

static PyObject *steal_time(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    int64_t steal_ns;
    int status = pc_procstat_steal_ns(&steal_ns);
    if (status == -ENOMEM)
        return core_raise_errno(status);
    if (status < 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)steal_ns / PC_NS_PER_S);
}

PyDoc_STRVAR(involuntary_switches_doc,
             "involuntary_switches($module, /)\n--\n\n"
             "Return how often this thread was switched out against its will since it began.");

static PyObject *involuntary_switches(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(pc_preempt_switches());
}

PyDoc_STRVAR(nothing_doc, "nothing($module, /)\n--\n\n"
                          "Do nothing: the callable that the cost of measuring a C function is measured with.");

static PyObject *nothing(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

PyDoc_STRVAR(clock_source_doc, "clock_source($module, clock, /)\n--\n\n"
                               "Return what RoundLoop reads for the clock: \"tsc\" or \"clock_gettime\".");

static PyObject *clock_source(PyObject *module, PyObject *argument)
{
    clockid_t clock;
    if (parse_clock(argument, &clock) < 0)
        return NULL;
    bool by_tsc = clock == CLOCK_MONOTONIC && core_state_of_module(module)->tsc.usable;
    return PyUnicode_FromString(by_tsc ? "tsc" : "clock_gettime");
}

static PyMethodDef clock_functions[] = {
    {"involuntary_switches", involuntary_switches, METH_NOARGS, involuntary_switches_doc},
    {"nothing", nothing, METH_NOARGS, nothing_doc},
    {"clock_pair", clock_pair, METH_O, clock_pair_doc},
    {"clock_source", clock_source, METH_O, clock_source_doc},
    {"clock_step", clock_step, METH_O, clock_step_doc},
    {"steal_time", steal_time, METH_NOARGS, steal_time_doc},
    {NULL, NULL, 0, NULL},
};

int clock_setup(PyObject *module)
{
    return PyModule_AddFunctions(module, clock_functions);
}
